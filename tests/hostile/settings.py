"""`--set` with hostile texts."""

from __future__ import annotations

from itertools import pairwise

from tests.hostile.made import Hostile, ffn, lines, spec


def nine(anchor: str) -> str:
    return ", ".join([f"*{anchor}"] * 9)


SETTINGS = (
    Hostile("set-long", spec, ("unknown-name",), ("k=" + "1 + " * 32_000 + "1",)),
    Hostile("set-long-formula", spec, ("syntax",), ("zero=" + "1 + " * 32_000 + "1",)),
    Hostile(
        "set-of-equal-signs", lambda: spec(constants=lines("  k#: 1", 20_000)), ("unknown-name",), ("=" * 130_000,)
    ),
    Hostile("set-of-dots", spec, ("unknown-name",), ("network" + ".a" * 60_000 + "=1",)),
    Hostile("set-of-indices", spec, ("unknown-name",), ("zero" + "[0]" * 40_000 + "=1",)),
    Hostile("set-of-few-indices", spec, ("unknown-name",), ("zero" + "[0]" * 300 + "=1",)),
    Hostile("set-nested-list", spec, ("too-deep",), ("zero=" + "[" * 60_000,)),
    Hostile(
        "set-alias-bomb",
        spec,
        ("too-large", "yaml-alias"),
        (
            "zero=[&a [1, 1], "
            + ", ".join(f"&{n} [" + ", ".join([f"*{m}"] * 9) + "]" for m, n in pairwise("abcdefgh"))
            + "]",
        ),
    ),
    Hostile("set-many", lambda: spec(constants=lines("  k#: 1", 10_000)), (), tuple(f"k{k}=2" for k in range(100))),
    Hostile("set-a-large-spec", lambda: spec(ffn(lines("    up u[#]: x", 20_000), "u[20000]")), (), ("ffn.up u[5]=y",)),
)
