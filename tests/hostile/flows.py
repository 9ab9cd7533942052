"""Specs that are valid, and too much for a command that follows every number of them."""

from __future__ import annotations

from tests.hostile.made import Hostile, attention, ffn, lines, spec

_HIDING = """\
    mask: none
    value h[i]: x
    output y: h[0]
    score h[i]: where(key_pos > query_pos, -inf, i * key_pos)"""
_SHIFTING = "    query: 1\n    key: s[0]\n    value h[i > 0]: s[i - 1]\n    output: identity\n"
_LOGITS = "\n  head:\n    logits digit[d]: d * s[1999]"
FLOWS = (
    Hostile("hiding-heads", lambda: spec(attention(_HIDING, "h[100]"), top="context: 12")),
    Hostile(
        "norms-of-a-wide-stream",
        lambda: spec(
            lines("  norm n#: {rms: 1e-6}", 900) + _LOGITS, stream="s[60000]", embedding="    digit[d]: {'s[0]': d}"
        ),
    ),
)
FLOWS_TOO_LONG = (
    Hostile(
        "repeats-that-shift",
        lambda: spec(
            f"  attention a:\n    heads: h[2000]\n{_SHIFTING}  repeat r: {'a.attention ' * 990}{_LOGITS}",
            stream="s[2000]",
            embedding="    digit[d]: {'s[0]': d}",
        ),
    ),
    Hostile(
        "attention-of-many-heads",
        lambda: spec(
            lines("  attention a#:\n    heads: h[2000]\n    query: 1\n    key: x\n    value: x", 900), stream="x"
        ),
    ),
    Hostile(
        "mixes-of-wide-streams",
        lambda: spec(
            "  norm a: {rms: 1e-6}\n" + lines(f"  mix m#: {' + '.join(['2 * a.norm'] * 80)}", 100) + _LOGITS,
            stream="s[60000]",
            embedding="    digit[d]: {'s[0]': d}",
        ),
    ),
)
HARD_CODED = (
    Hostile(
        "numbers-on-one-line",
        lambda: spec(
            ffn("    up u[i]: v[i] * x", "u[9000]"), constants=f"  v: [{', '.join(f'2.{k}' for k in range(9000))}]"
        ),
    ),
    Hostile(
        "numbers-times-equations",
        lambda: spec(
            ffn(lines("    up u[#]: c * x", 9000), "u[9000]"),
            constants="  c: " + " + ".join(f"2.{k}" for k in range(1500)),
        ),
    ),
)
