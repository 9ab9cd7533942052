"""Stated tasks that ask for much: sizes, loops, large numbers, columns, alphabets, cases."""

from __future__ import annotations

from tests.hostile.made import Hostile, lines

SPEC = """\
weightspec: 1
name: hostile
dtype: float32
ignore: no-claims unlisted-logit
vocabulary: {vocabulary}
task:
{task}
stream: x
network:
  embedding:
    digit[d]: {{x: d}}
  head:
    logits digit[d]: x
decode: argmax
"""
PLAIN = "  prompt: word =\n  answer: other"


def _spec(task: str, layout: str = PLAIN, vocabulary: str = "digit[10] a b =") -> str:
    return SPEC.format(task=f"{task}\n{layout}" if layout else task, vocabulary=vocabulary)


def _equation(formula: str, length: int = 4, sizes: str = "", only: str = "") -> str:
    conditions = f"  only: {only}\n" if only else ""
    ranges = f"  sizes: {sizes}\n" if sizes else ""
    words = f"  given: {{word: digit*{length}}}\n  answers: {{other: digit}}\n"
    return _spec(f"{ranges}{words}{conditions}  equations:\n    other: {formula}")


def _columns(state: str, rest: str, length: int = 1000, sizes: str = "") -> str:
    ranges = f"  sizes: {sizes}\n" if sizes else ""
    words = f"  given: {{word: digit*{length}}}\n  answers: {{other: digit*{length}}}\n"
    return _spec(f"{ranges}{words}  columns:\n    from: first\n    state: {state}\n{rest}")


def _lets(count: int, formula: str) -> str:
    lets = "\n".join(f"      a{k}: {formula.replace('#', f'a{k - 1}')}" for k in range(1, count))
    return f"    let:\n      a0: word + x\n{lets}\n    other: abs(a{count - 1}) % 10\n    next x: 0"


LONG = "  given: {{word: digit*{n}}}\n  answers: {{other: digit*{n}}}\n"
WALK = "    only: x != n\n    other: (word + x) % 10\n    next x: (x * 10 + word) % 1000"
TASKS = (
    Hostile("loops-in-loops", lambda: _equation("sum(sum(sum(1, i, 999), j, 999), k, 999) % 10"), ("too-much-work",)),
    Hostile("loops-that-search", lambda: _equation("where(any(any(any(word[0] > 9, i, 999), j, 999), k, 999), 1, 0)")),
    Hostile("loops-of-inputs", lambda: _equation("sum(sum(1, j, number(word)), k, number(word)) % 10")),
    Hostile("only-of-loops", lambda: _equation("1", only="any(any(word[0] == j + 9, k, 700), j, 700)")),
    Hostile("loop-without-end", lambda: _equation("sum(1, k, 2**63)"), ("too-much-work",)),
    Hostile("power-of-powers", lambda: _equation("2**2**40"), ("number",)),
    Hostile("long-products", lambda: _equation("sum((2**32000 + k) * (word[0] + 2**32000), k, 1000) % 10")),
    Hostile("long-powers", lambda: _equation("sum((k + word[0])**9000 // 3**9000, k, 1000) % 10")),
    Hostile(
        "histogram-of-1024",
        lambda: _equation("sum(count(word[k] == word[i], k, 1024), i, 1024) % 10", 1024),
        ("too-much-work",),
    ),
    Hostile(
        "words-of-1024",
        lambda: _spec(
            LONG.format(n="n") + "  equations:\n    other[i]: word[n - 1 - i]\n  sizes: {n: {from: 900, to: 1024}}"
        ),
    ),
    Hostile("256-conditions", lambda: _equation("1", 4, "{n: {from: 1, to: 256}}", "all(word[k] <= n, k, 4)")),
    Hostile(
        "choices-without-end",
        lambda: _equation("1", sizes="{" + ", ".join(f"s{k}: {{from: 1, to: 99}}" for k in range(60)) + "}"),
        ("too-large",),
    ),
    Hostile("columns-of-256-sizes", lambda: _columns("{x: 1000}", WALK, sizes="{n: {from: 1, to: 256}}")),
    Hostile("million-states", lambda: _columns("{x: 2**20}", WALK.replace("n\n", "3\n"))),
    Hostile("states-without-end", lambda: _columns("{x: 10**4000}", WALK), ("too-large", "number")),
    Hostile("lets-that-double", lambda: _columns("{x: 2}", _lets(60, "# + #"), 10), ("too-much-work",)),
    Hostile("lets-that-nest", lambda: _columns("{x: 2}", _lets(3000, "-(#)"), 10), ("too-much-work",)),
    Hostile(
        "three-thousand-states",
        lambda: _spec(
            LONG.format(n=10)
            + "  columns:\n    from: first\n    other: word\n"
            + "    state:\n"
            + lines("      s#: 1", 3000)
            + "\n"
            + lines("    next s#: 0", 3000)
        ),
    ),
    Hostile(
        "thousand-equations",
        lambda: _spec(LONG.format(n=1024) + "  equations:\n" + lines("    other[#]: word[#]", 1024)),
    ),
    Hostile(
        "many-words",
        lambda: _spec(
            "  given:\n" + lines("    w#: digit*1024", 15) + "\n  answers: {other: digit}\n"
            "  equations:\n    other: w0[0]",
            f"  prompt: {' '.join(f'w{k}' for k in range(15))}\n  answer: other",
        ),
    ),
    Hostile(
        "thousands-of-alphabets",
        lambda: _spec(LONG.format(n=4) + "  equations: {other: word}\n  alphabets:\n" + lines("    s#: digit", 5000)),
    ),
    Hostile(
        "thousands-of-suites",
        lambda: _spec(
            LONG.format(n=4)
            + "  equations: {other: word}\n  suites:\n"
            + lines("    s#: {only: distinct(word), size: 10**7}", 3000)
        ),
    ),
    Hostile(
        "prompt-without-end",
        lambda: _spec(
            LONG.format(n=4) + "  equations: {other: word}", f"  prompt: {'word ' * 100_000}\n  answer: other"
        ),
        ("too-large",),
    ),
    Hostile(
        "each-of-a-thousand",
        lambda: _spec(
            LONG.format(n=1024) + "  equations: {other: word}",
            f'  prompt: [{{each: "{"word[i] " * 16}"}}]\n  answer: other',
        ),
    ),
    Hostile(
        "thousands-of-cases",
        lambda: _spec(
            "  cases:\n"
            + "\n".join(f"    {' '.join('ab'[k >> bit & 1] for bit in range(13))}: a" for k in range(1 << 13)),
            "",
        ),
    ),
    Hostile(
        "table-of-one-line",
        lambda: {"spec.yaml": _spec("  cases: {file: t.tsv}", ""), "t.tsv": "a " * 500_000 + "\tb"},
        ("too-large",),
    ),
    Hostile(
        "table-of-many-lengths",
        lambda: {
            "spec.yaml": _spec("  cases: {file: t.tsv}", ""),
            "t.tsv": "\n".join("a " * (k + 1) + "\tb" for k in range(1000)),
        },
        ("too-large",),
    ),
)
