"""Formulas and definitions that take long, or give much."""

from __future__ import annotations

from tests.hostile.made import Hostile, ffn, lines, listed, matrix, spec, sum_list

EXPRESSIONS = (
    Hostile("parentheses", lambda: spec(constants="  k: " + "(" * 5000 + "1" + ")" * 5000), ("syntax",)),
    Hostile("list-literals", lambda: spec(constants="  k: '" + "[" * 5000 + "1" + "]" * 5000 + "'"), ("syntax",)),
    Hostile("signs", lambda: spec(constants="  k: 1 " + "- " * 9000 + "1"), ("syntax",)),
    Hostile("nots", lambda: spec(constants="  k: where(" + "not " * 4000 + "1 == 1, 1, 2)"), ("syntax",)),
    Hostile("powers", lambda: spec(constants="  k: " + "1 ** " * 3000 + "1"), ("syntax",)),
    Hostile("power-tower", lambda: spec(constants="  k: 9 ** 9 ** 9 ** 9"), ("number",)),
    Hostile("power-tower-in-double", lambda: spec(constants="  k: 9.0 ** 9.0 ** 9.0 ** 9.0"), ("number",)),
    Hostile(
        "power-chain",
        lambda: spec(constants="  k0: 3\n" + "\n".join(f"  k{i}: k{i - 1} ** k{i - 1}" for i in range(1, 50))),
        ("number",),
    ),
    Hostile(
        "products-of-integers",
        lambda: spec(constants="  k0: 3\n" + "\n".join(f"  k{i}: k{i - 1} * k{i - 1}" for i in range(1, 5000))),
        ("number",),
    ),
    Hostile("long-sum", lambda: spec(constants="  k: " + "1 + " * 4900 + "1")),
    Hostile("long-sum-of-dimensions", lambda: spec(ffn("    up u: " + "x + " * 4900 + "x"))),
    Hostile("megabyte-expression", lambda: spec(constants="  k: " + "1 + " * 200_000 + "1"), ("syntax",)),
    Hostile(
        "sum-nest",
        lambda: spec(constants="  k: " + "sum(" * 20 + "1" + "".join(f", i{i}, 100)" for i in range(20))),
        ("too-much-work",),
    ),
    Hostile("sum-huge", lambda: spec(constants="  k: sum(1, i, 10 ** 30)"), ("too-much-work",)),
    Hostile("wheres", lambda: spec(constants="  k: where(" + "1 > 2, 1, " * 1900 + "1)")),
    Hostile(
        "transpose-chain",
        lambda: spec(constants=f"  m: '{matrix(1, 3000)}'\n  k: m" + ".T" * 9000),
        ("too-much-work",),
    ),
    Hostile(
        "transposes-of-matrices",
        lambda: spec(constants=f"  m: '{matrix(80, 80)}'\n" + lines("  k#: m" + ".T" * 200, 1000)),
        ("too-much-work",),
    ),
    Hostile(
        "negated-matrices",
        lambda: spec(constants=f"  m: '{matrix(80, 80)}'\n" + lines("  k#: -m", 20_000)),
        ("too-much-work",),
    ),
    Hostile(
        "copied-matrices",
        lambda: spec(constants=f"  m: '{matrix(80, 80)}'\n" + lines("  k#: m", 20_000)),
        ("too-much-work",),
    ),
    Hostile(
        "copied-parameters",
        lambda: spec(parameters=f"  m: '{matrix(80, 80)}'\n" + lines("  k#: m", 20_000)),
        ("too-much-work",),
    ),
    Hostile("outer-product", lambda: spec(constants=f"  u: '{sum_list(200)}'\n  k: u @ u.T")),
    Hostile(
        "large-outer-product", lambda: spec(constants=f"  u: '{sum_list(6000)}'\n  k: u @ u.T"), ("too-much-work",)
    ),
    Hostile(
        "matrix-powers",
        lambda: spec(constants=f"  m: '{matrix(70, 70)}'\n  k: " + " @ ".join("m" * 2000)),
        ("too-much-work",),
    ),
    Hostile("matrix-list", lambda: spec(constants="  m:\n" + lines("    - [" + ", ".join("1" * 95) + "]", 500))),
    Hostile(
        "matrix-of-formulas", lambda: spec(parameters="  m:\n" + lines("    - ['one * #', 'one + 2 * #']", 10_000))
    ),
    Hostile("vector-list", lambda: spec(constants="  v: [" + ", ".join("1" * 45_000) + "]")),
    Hostile(
        "lists-in-formulas", lambda: spec(constants=lines("  v#: '" + sum_list(6000) + "'", 55)), ("too-much-work",)
    ),
    Hostile(
        "constants-deep",
        lambda: spec(constants="  k0: 1\n" + "\n".join(f"  k{i}: k{i - 1} + 1" for i in range(1, 10_000))),
    ),
    Hostile(
        "constants-deep-backwards",
        lambda: spec(constants="\n".join(f"  k{i}: k{i + 1} + 1" for i in range(10_000)) + "\n  k10000: 1"),
    ),
    Hostile(
        "parameters-deep",
        lambda: spec(parameters="  k0: 1\n" + "\n".join(f"  k{i}: k{i - 1} + 1" for i in range(1, 10_000))),
    ),
    Hostile(
        "constants-loop",
        lambda: spec(constants="\n".join(f"  k{i}: k{(i + 1) % 10_000} + 1" for i in range(10_000))),
        ("cycle",),
    ),
    Hostile("constants-many", lambda: spec(constants=lines("  k#: 1", 24_000))),
    Hostile(
        "constants-unused",
        lambda: spec(constants=lines("  k#: 1", 20_000)).replace("ignore: no-claims unused-name", ""),
    ),
    Hostile("names-unknown", lambda: spec(constants=lines("  k#: w#", 20_000)), ("unknown-name",)),
    Hostile(
        "names-long-and-similar",
        lambda: spec(constants=lines("  " + "k" * 1000 + "#: " + "k" * 1000 + "x#", 400)),
        ("unknown-name",),
    ),
    Hostile(
        "dots",
        lambda: spec(
            stream="s[60000]",
            constants=f"  v: '{sum_list(6000)}'",
            embedding="    digit[d]: {'s[0]': d}",
            network=ffn(lines("    up u[#]: dot(v, [" + "stream[0], " * 10 + "])", 2000), "u[2000]"),
        ),
        ("wrong-type",),
    ),
    Hostile(
        "dots-of-vectors",
        lambda: spec(constants="  v: [" + ", ".join("1" * 25_000) + "]\n" + lines("  k#: dot(v, v)", 10_000)),
        ("too-much-work",),
    ),
    Hostile(
        "sums-of-wide-rows",
        lambda: spec(
            stream="s[25000]",
            constants="  v: [" + ", ".join("1" * 25_000) + "]",
            embedding="    digit[d]: {'s[0]': d}",
            network=ffn("    let: {a: 'dot(v, s)'}\n    up u: " + "a + " * 4000 + "a\n"),
        ),
        ("too-much-work",),
    ),
    Hostile(
        "quoted-names",
        lambda: spec(stream='"' + listed("n#", 60_000) + '"', embedding="    digit[d]: {n0: d}"),
        ("shape",),
    ),
    Hostile(
        "folded-names",
        lambda: spec(stream=">-\n" + lines("  n#", 60_000), embedding="    digit[d]: {n0: d}"),
        ("shape",),
    ),
)
