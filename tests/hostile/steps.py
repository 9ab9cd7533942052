"""Large networks, long contexts, deep `let`."""

from __future__ import annotations

from tests.hostile.made import Hostile, attention, balanced, doublings, ffn, lines, listed, matrix, spec, sum_list

STEPS = (
    Hostile("steps-20000", lambda: spec(lines("  scale s#: 1", 20_000)), ("too-large",)),
    Hostile(
        "steps-1000-wide",
        lambda: spec(
            lines("  scale s#: 1", 900),
            stream="s[60000]",
            vocabulary="digit[2] t[60000] + =",
            embedding="    digit[d]: {'s[0]': 1}",
        ),
        ("too-large", "too-much-work"),
    ),
    Hostile("steps-1000-attention", lambda: spec(lines("  attention s#: {}", 900))),
    Hostile(
        "steps-1000-names",
        lambda: spec(
            lines("  attention s#: {output: identity, heads: " + "q}", 1) + "\n" + lines("  attention t#: {}", 100),
            stream=listed("n#", 20_000),
            embedding="    digit[d]: {n0: 1}",
        ),
        ("shape", "too-large"),
    ),
    Hostile(
        "steps-1000-streams",
        lambda: spec(lines("  ffn t#: {hidden: u, stream: 's[5000]'}", 900)),
        ("too-large", "shape"),
    ),
    Hostile(
        "network-huge",
        lambda: spec(
            ffn("", "u[65536]"),
            stream="s[60000]",
            vocabulary="digit[2] t[60000] + =",
            embedding="    digit[d]: {'s[0]': 1}",
        ),
        ("too-large",),
    ),
    Hostile(
        "network-largest",
        lambda: spec(
            ffn("    up: 1", "u[7000]"),
            stream="s[1000]",
            vocabulary="digit[2] t[1000] + =",
            embedding="    digit[d]: {'s[0]': 1}",
        ),
    ),
    Hostile("heads-20000", lambda: spec(attention("    query: x\n    key: y", listed("h#", 20_000)))),
    Hostile(
        "heads-times-coordinates",
        lambda: spec(attention("    head_dim: 4096\n    query h[i, c]: x", "h[65536]")),
        ("too-large",),
    ),
    Hostile("heads-with-scores", lambda: spec(attention("    score h[i]: i * (key_pos - query_pos)", "h[5000]"))),
    Hostile(
        "heads-with-scores-in-context",
        lambda: spec(attention("    score h[i]: i * (key_pos - query_pos)", "h[5000]"), top="context: 500"),
        ("too-much-work",),
    ),
    Hostile("scores-in-context", lambda: spec(attention("    score h: key_pos - query_pos"), top="context: 2048")),
    Hostile(
        "scores-of-products",
        lambda: spec(attention("    score h: key_pos * query_pos"), top="context: 2048"),
        ("too-much-work",),
    ),
    Hostile(
        "scores-in-longest-context",
        lambda: spec(attention("    score h: key_pos - query_pos"), top="context: 16384"),
    ),
    Hostile(
        "scores-of-lines",
        lambda: spec(attention(lines("    score h[#]: where(key_pos == query_pos, 0, -inf)", 900), "h[900]")),
    ),
    Hostile(
        "rope-longest", lambda: spec(attention("    head_dim: 4096\n    rope: {frequency: 1 / 10000 ** (pair / 2048)}"))
    ),
    Hostile("position-longest", lambda: spec("  position: {x: sin(pos)}", top="context: 16384")),
    Hostile(
        "position-formulas",
        lambda: spec(
            "  position:\n    's[k]': sin(pos * k)",
            stream="s[2] t[300]",
            top="context: 16384",
            vocabulary="digit[2] t[400] + =",
            embedding="    digit[d]: {'s[d]': 1}",
        ),
    ),
    Hostile(
        "position-family",
        lambda: spec(
            "  position:\n    't[k]': sin(pos * k)",
            stream="s[2] t[300]",
            top="context: 16384",
            vocabulary="digit[2] t[400] + =",
            embedding="    digit[d]: {'s[d]': 1}",
        ),
        ("too-much-work",),
    ),
    Hostile("repeat-50000", lambda: spec("  ffn a: {hidden: u}\n  repeat b: " + "a.ffn " * 50_000), ("too-large",)),
    Hostile(
        "repeats-of-1000",
        lambda: spec("  ffn a: {hidden: u}\n" + lines("  repeat b#: " + "a.ffn " * 100, 500)),
        ("too-large",),
    ),
    Hostile(
        "repeat-unknown", lambda: spec("  ffn a: {hidden: u}\n  repeat b: " + listed("a#.ffn", 900)), ("unknown-name",)
    ),
    Hostile("mix-long", lambda: spec("  ffn a: {hidden: u}\n  mix: " + "a.ffn + " * 2400 + "a.ffn"), ("too-large",)),
    Hostile("mix-balanced", lambda: spec("  ffn a: {hidden: u}\n  mix: " + balanced("a.ffn", 10))),
    Hostile("mixes", lambda: spec("  ffn a: {hidden: u}\n" + lines("  mix m#: a.ffn / 2 + a.ffn", 900))),
    Hostile(
        "let-doubling",
        lambda: spec(ffn(f"    let:\n{doublings(60, 'x', '# + #')}\n    up u: a59")),
        ("too-much-work",),
    ),
    Hostile(
        "let-tenfold",
        lambda: spec(ffn(f"    let:\n{doublings(60, 'x', '#' + ' + #' * 9)}\n    up u: a59")),
        ("too-much-work",),
    ),
    Hostile(
        "let-chain",
        lambda: spec(ffn(f"    let:\n{doublings(10_000, 'x', '(#)')}\n    up u: a9999")),
        ("too-much-work",),
    ),
    Hostile(
        "let-chain-of-100",
        lambda: spec(ffn(f"    let:\n{doublings(100, 'x', '(' * 90 + '#' + ')' * 90)}\n    up u: a99")),
    ),
    Hostile(
        "let-chain-nested",
        lambda: spec(ffn(f"    let:\n{doublings(100, 'x', '-' * 90 + '#')}\n    up u: a99")),
        ("too-much-work",),
    ),
    Hostile(
        "let-chain-in-scores",
        lambda: spec(attention(f"    let:\n{doublings(3000, '1', '-#')}\n    score h: a2999")),
        ("too-much-work",),
    ),
    Hostile(
        "let-doubling-in-scores",
        lambda: spec(attention(f"    let:\n{doublings(60, 'key_pos', '# + #')}\n    score h: a59")),
        ("too-much-work",),
    ),
    Hostile(
        "let-unused",
        lambda: spec(ffn("    let:\n" + lines("      k#: x", 20_000) + "\n    up u: x")).replace(" unused-name", ""),
    ),
    Hostile(
        "let-of-matrices",
        lambda: spec(ffn(f"    let:\n      m: '{matrix(60, 60)}'\n    up u[i]: sum(m[k, k], k, 60)", "u[900]")),
        ("too-much-work",),
    ),
    Hostile(
        "low-rank-chain",
        lambda: spec(ffn("    up: " + " @ ".join(["m"] * 2000)), constants="  m: [[1, 0], [0, 1]]"),
        ("too-large", "shape"),
    ),
    Hostile(
        "outer-low-rank",
        lambda: spec(
            ffn("    up: U @ U.T\n    down: U @ U.T", "u[6000]"),
            constants=f"  U: '{sum_list(6000)}'",
            stream="s[6000]",
            vocabulary="digit[2] t[6000] + =",
            embedding="    digit[d]: {'s[0]': 1}",
        ),
        ("too-large",),
    ),
    Hostile(
        "low-rank",
        lambda: spec(
            ffn("    up: U @ V.T\n    down: V @ U.T", "u[6000]"),
            constants=f"  U: '{sum_list(6000)}'\n  V: '{sum_list(500)}'",
            stream="s[500]",
            vocabulary="digit[2] t[6000] + =",
            embedding="    digit[d]: {'s[0]': 1}",
        ),
    ),
)
