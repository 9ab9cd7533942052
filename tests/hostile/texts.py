"""Files as such: size, nesting, aliases, keys, chains."""

from __future__ import annotations

from random import Random

from tests.hostile.made import Hostile, ffn, lines, listed, spec

MEGABYTE = 1 << 20


def _laughs(kind: str) -> str:
    first, rest = {"list": ("[1, 2]", "[{}]"), "map": ("{a: 1}", "{{{}}}")}[kind]
    rows = [f"  a0: &a0 {first}"]
    for k in range(1, 60):
        inner = ", ".join((f"k{i}: " if kind == "map" else "") + f"*a{k - 1}" for i in range(9))
        rows.append(f"  a{k}: &a{k} {rest.format(inner)}")
    return spec(constants="\n".join(rows))


def _chain(count: int, size: int) -> dict[str, str]:
    filler = "\n".join(f"  k{i}: {i}" for i in range(size))
    files = {
        f"{i}.yaml": f"extends: {i + 1}.yaml\nname: v{i}\nconstants:\n{filler.replace('k', f'k{i}_')}"
        for i in range(count - 1)
    }
    return {**files, f"{count - 1}.yaml": spec()}


TEXTS = (
    Hostile("ten-megabytes", lambda: "# " + "x" * (10 * MEGABYTE), ("too-large",)),
    Hostile("ten-megabytes-of-keys", lambda: lines("k#: 1", 1_000_000), ("too-large",)),
    Hostile("ten-megabytes-binary", lambda: Random(0).randbytes(10 * MEGABYTE), ("too-large",)),
    Hostile("binary", lambda: Random(0).randbytes(MEGABYTE), ("not-text",)),
    Hostile("zeros", lambda: b"\0" * MEGABYTE, ("yaml-syntax",)),
    Hostile("alias-bomb-of-lists", lambda: _laughs("list"), ("too-large",)),
    Hostile("alias-bomb-of-maps", lambda: _laughs("map"), ("too-large",)),
    Hostile("flow-brackets", lambda: "[" * 5000, ("too-deep",)),
    Hostile("flow-braces", lambda: "{a: " * 5000, ("too-deep",)),
    Hostile("block-lists", lambda: "- " * 5000 + "1", ("too-deep",)),
    Hostile("megabyte-of-brackets", lambda: "[" * MEGABYTE, ("too-deep",)),
    Hostile("question-marks", lambda: "? " * 5000, ("too-deep", "yaml-key", "yaml-syntax")),
    Hostile("nested-100", lambda: spec(constants="  deep: " + "[" * 98 + "]" * 98), ("wrong-type", "bad-value")),
    Hostile("megabyte-key", lambda: "x" * (MEGABYTE - 10) + ": 1", ("yaml-syntax", "unknown-key", "missing-key")),
    Hostile("megabyte-scalar", lambda: "name: " + "x" * (MEGABYTE - 10), ("missing-key",)),
    Hostile("megabyte-of-anchors", lambda: "[" + listed("&a# 1,", 90_000)[:MEGABYTE] + "]", ("too-large",)),
    Hostile("unknown-keys", lambda: spec(top=lines("wrong#: 1", 20_000)), ("unknown-key",)),
    Hostile("unknown-keys-in-steps", lambda: spec(ffn(lines("    wrong#: 1", 20_000))), ("unknown-key",)),
    Hostile("wrong-types", lambda: spec(constants=lines("  k#: {a: 1}", 10_000)), ("wrong-type",)),
    Hostile("bad-names", lambda: spec(constants=lines("  k-#: 1", 20_000)), ("bad-name",)),
    Hostile("duplicate-keys", lambda: spec(constants="  k: 1\n" * 40_000), ("duplicate-key",)),
    Hostile(
        "long-similar-keys", lambda: lines("x" * 10_000 + "#: 1", 100) + "\n" + spec(), ("unknown-key", "yaml-syntax")
    ),
    Hostile("chain-of-large-files", lambda: _chain(8, 40_000), ("too-large",)),
    Hostile("chain-too-long", lambda: _chain(9, 1), ("bad-extends",)),
    Hostile(
        "variant-of-20000-steps",
        lambda: {
            "a.yaml": "extends: b.yaml\nnetwork:\n" + lines("  scale s#: 1", 20_000),
            "b.yaml": spec(lines("  scale t#: 1", 20_000)),
        },
        ("too-large",),
    ),
    Hostile(
        "variant-of-10000-equations",
        lambda: {
            "a.yaml": "extends: b.yaml\nnetwork:\n  ffn:\n" + lines("    up u[# + 0]: x", 10_000),
            "b.yaml": spec(ffn(lines("    up u[#]: x", 10_000), "u[10000]")),
        },
    ),
)
