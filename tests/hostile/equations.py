"""Very many equations, names and tokens, and targets that stand for very much."""

from __future__ import annotations

from tests.hostile.made import Hostile, attention, ffn, lines, listed, spec

EQUATIONS = (
    Hostile("equations-20000", lambda: spec(ffn(lines("    up u[#]: x", 20_000), "u[20000]"))),
    Hostile("equations-20000-single", lambda: spec(ffn(lines("    up u#: x", 20_000), listed("u#", 20_000)))),
    Hostile("equations-million", lambda: spec(ffn(lines("    up u[#]: x", 1_000_000), "u[2]")), ("too-large",)),
    Hostile("equations-50000", lambda: spec(ffn(lines("    up u#: x", 50_000), "u[2]")), ("too-large",)),
    Hostile("equations-twice", lambda: spec(ffn(lines("    up u[# * 0]: x", 20_000), "u[2]")), ("target-twice",)),
    Hostile("equations-wrong", lambda: spec(ffn(lines("    up u[#]: xx#", 20_000), "u[20000]")), ("unknown-name",)),
    Hostile("targets-wrong", lambda: spec(ffn(lines("    up w[#]: x", 20_000), "u[20000]")), ("unknown-name",)),
    Hostile(
        "embedding-20000", lambda: spec(vocabulary="digit[2] t[20000] + =", embedding=lines("    t[#]: {x: 1}", 10_000))
    ),
    Hostile(
        "embedding-wide",
        lambda: spec(
            vocabulary="digit[2] t[30000] + =",
            stream="s[500]",
            embedding="    t[i]: {" + ", ".join(f"'s[{k}]': 1" for k in range(500)) + "}",
        ),
        ("too-much-work",),
    ),
    Hostile(
        "embedding-rows",
        lambda: spec(
            vocabulary="digit[2] t[60000] + =",
            stream=listed("s#", 200),
            embedding=lines("    't[i]#': 1", 1).replace(
                "'t[i]0': 1", "t[i]: {" + ", ".join(f"s{k}: 1" for k in range(200)) + "}"
            ),
        ),
        ("too-much-work",),
    ),
    Hostile(
        "embedding-diagonal",
        lambda: spec(vocabulary="digit[2] t[60000] + =", stream="s[200]", embedding="    t[i]: {'s[i % 200]': i}"),
        ("too-much-work",),
    ),
    Hostile(
        "logits-20000",
        lambda: spec("  head:\n" + lines("    logits t[#]: x", 20_000), vocabulary="digit[2] t[20000] + ="),
    ),
    Hostile("logits-unlisted", lambda: spec("  head:\n    logits t[0]: x", vocabulary="digit[2] t[60000] + =")),
    Hostile("family-of-pairs", lambda: spec(ffn("    up u[i, j]: i * x + j", "u[256, 256]")), ("too-much-work",)),
    Hostile("family-of-some-pairs", lambda: spec(ffn("    up u[i, j]: i", "u[200, 100]"))),
    Hostile("family-halves", lambda: spec(ffn("    up u[i, j < i]: x", "u[256, 256]")), ("too-much-work",)),
    Hostile(
        "family-diagonals",
        lambda: spec(ffn(lines("    up u[k#, k#]: x", 10_000), "u[256, 256]")),
        ("target-twice", "too-much-work"),
    ),
    Hostile(
        "family-of-nothing",
        lambda: spec(ffn(lines("    up u[i < -#]: x", 10_000), "u[65536]")),
        ("index-range", "too-much-work"),
    ),
    Hostile("family-of-six-indices", lambda: spec(ffn("    up u[a, b, c, d, e, f]: x", "u[6, 6, 6, 6, 6, 6]"))),
    Hostile(
        "family-of-many-indices",
        lambda: spec(
            ffn("    up u[" + ", ".join(f"i{k}" for k in range(16)) + "]: x", "u[" + ", ".join("2" * 16) + "]")
        ),
    ),
    Hostile("family-too-large", lambda: spec(ffn("", "u[10 ** 9]")), ("too-large",)),
    Hostile("family-of-ones", lambda: spec(ffn("    up u[" + "0, " * 300 + "0]: x", "u[" + "1, " * 300 + "1]"))),
    Hostile(
        "similar-index-names",
        lambda: spec(ffn(lines("    up u[#, index#]: x", 10_000), "u[10000, 1]"), constants=lines("  indem#: 1", 5000)),
    ),
    Hostile("vanishing", lambda: spec(ffn(lines("    up u[#]: zero * x", 20_000), "u[20000]"))),
    Hostile("underflowing", lambda: spec(ffn("    up u[i]: 1e-300 * x", "u[20000]")).replace("float64", "float32")),
    Hostile(
        "underflowing-lines",
        lambda: spec(ffn(lines("    up u[#]: 1e-300 * x", 20_000), "u[20000]")).replace("float64", "float32"),
    ),
    Hostile(
        "regex-of-brackets", lambda: spec(stream="a[ " * 300_000), ("bad-name", "duplicate-name", "too-many-errors")
    ),
    Hostile(
        "regex-of-open-brackets",
        lambda: spec(stream="a[ [x] " * 100_000),
        ("bad-name", "duplicate-name", "too-many-errors"),
    ),
    Hostile("regex-of-nested-brackets", lambda: spec(stream="a" + "[" * 500_000), ("bad-name",)),
    Hostile("regex-of-stars", lambda: spec(prompt="a + b = " + "0*" * 400_000), ("unknown-name", "syntax")),
    Hostile("regex-of-quotes", lambda: spec(prompt="a + b = " + '"' * 400_000), ("unknown-name",)),
    Hostile("biases", lambda: spec(attention("    biases: " + "query " * 100_000 + "x")), ("bad-value",)),
    Hostile("biases-of-spaces", lambda: spec(attention("    biases: 'query" + " " * 500_000 + "x'")), ("bad-value",)),
    Hostile(
        "ignored-codes",
        lambda: spec().replace("ignore: no-claims", "ignore: no-claims " + listed("code#", 50_000)),
        ("unknown-name",),
    ),
    Hostile(
        "suites",
        lambda: spec(top="expect:\n  eval:\n" + lines("    suite#: {pairs: 1, right: 1}", 5000)),
        ("unknown-name",),
    ),
    Hostile("prompt-long", lambda: spec(prompt="a + b = 0*16000")),
    Hostile(
        "prompt-of-words",
        lambda: spec(
            vocabulary="digit[2] + = " + listed("t#", 20_000),
            prompt="a + b = "
            + listed("t1999#", 1).replace("t19990", "")
            + listed("t19#", 900)
            + " "
            + listed("t#", 15_000),
        ),
    ),
    Hostile("prompt-unknown", lambda: spec(prompt="a + b = " + listed("t#", 100_000)), ("unknown-name",)),
    Hostile("prompt-too-long", lambda: spec(prompt="a + b = " + "0*16000 " * 10_000), ("too-large",)),
    Hostile("prompt-expressions", lambda: spec(prompt="a + b = " + "0*2**0 " * 16_000)),
)
