"""The rules that follow a number to where it was written: `free` and `hard_coded`."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

import compiler
from compiler.readers.counting.counts import Counts, HardCoded
from tests.helpers import load_text, small


def counted(folder: Path, network: str, definitions: str = "") -> Counts:
    return compiler.count(load_text(folder, small(network, definitions=definitions)))


FREE = """
parameters:
  a: 2
  b: 3
  c: 0
  v: [1, 0, 5]
  twice: 2 * a
  unused: 7
constants:
  one: 1
"""


@pytest.mark.parametrize(
    ("formula", "names"),
    [
        ("a", ["a"]),
        ("a + a * 1", ["a"]),  # each once however often
        ("a * b", ["a", "b"]),
        ("c * a", ["a", "c"]),  # a zero entry that was evaluated, and a parameter that is zero
        ("0 * b", ["b"]),
        ("v[d % 3]", ["v[0]", "v[1]", "v[2]"]),  # scalars of a vector, zeros included
        ("v[1]", ["v[1]"]),
        ("twice", ["a"]),  # it is given by a
        ("twice + a", ["a"]),
        ("where(one == 1, a, b)", ["a"]),  # the branch not taken
        ("where(b > 100, a, 1)", []),  # a condition
        ("where(d < 2, a, b)", ["a", "b"]),  # each is taken by some digit
        ("v[a]", ["v[2]"]),  # an index
        ("sum(1, k, b)", []),  # a size
        ("max(a, b)", ["a", "b"]),
    ],
)
def test_free(tmp_path: Path, formula: str, names: list[str]) -> None:
    counts = counted(tmp_path, f"embedding:\n  digit[d]:\n    x: {formula}\n", FREE)
    assert (counts.free, list(counts.free_names)) == (len(names), names)


@pytest.mark.parametrize(
    ("parameters", "formula", "names", "hard_coded"),
    [
        ("c: 1000\n  g: -12 * c", "g", "c", "12 in g"),
        ("c: 1000\n  g: -12 * c", "g + c", "c", "12 in g"),
        ("p: 3\n  q: p\n  r: q\n  s: r * q", "s", "p", ""),
        ("p: 3\n  q: 2 * 3", "q", "q", ""),  # its own literals are the number
        ("p: 3\n  q: where(p > 2, 5, 7)", "q", "q", ""),  # a condition picks, and gives no number
        ("p: 3\n  q: where(1 > 2, p, 7)", "q", "q", ""),  # the branch that is not taken gives none
        ("p: 3\n  q: where(2 > 1, p, 7)", "q", "p", ""),
        ("p: 1\n  v: [5, 6]\n  q: v[p]", "q", "v[1]", ""),
        ("p: 3\n  q: max(p, 2)\n  r: 0 * p", "q + r", "p", "2 in q"),
        ("a: 0.3\n  b: 0.5\n  R: [[cos(a), -sin(b)], [sin(a), cos(b)]]", "R[0, d % 2] + R[1, d % 2]", "a b", ""),
        # 0, 1 and -1 in a matrix of formulas are structure; any other number of it is one of its own
        ("a: 2\n  M: [[a, 0], [-1, 7]]", "M[0, d % 2] + M[1, d % 2]", "M[1, 1] a", ""),
        ("a: 2\n  M: '[[a, 0], [1, 7]]'", "M[0, d % 2] + M[1, d % 2]", "M[1, 1] a", ""),
        ("a: 2\n  v: [1, 0]\n  w: [v, v]", "w[0, d % 2] + w[1, 0]", "v[0] v[1]", ""),
        ("M: [[2, 0], [1, 7]]\n  N: M @ M.T", "N[0, 0]", "M[0, 0] M[0, 1]", ""),
        ("M: [[2, 0], [1, 7]]\n  N: M", "N[d % 2, 1]", "M[0, 1] M[1, 1]", ""),
        ("a: 2\n  unused: 3 * a", "a", "a", ""),
    ],
)
def test_free_counts_what_no_other_parameter_gives(
    tmp_path: Path, parameters: str, formula: str, names: str, hard_coded: str
) -> None:
    counts = counted(tmp_path, f"embedding:\n  digit[d]:\n    x: {formula}\n", f"parameters:\n  {parameters}")
    assert " ".join(counts.free_names) == names
    assert ", ".join(map(str, counts.hard_coded)) == hard_coded


def test_free_in_maps_biases_and_norms_but_not_in_axes(tmp_path: Path) -> None:
    counts = counted(
        tmp_path,
        """
embedding:
  digit[d]: {x: 1}
ffn:
  norm: {rms: 1e-6, weight: v}
  hidden: u[a]
  up u[i]: x + b
  down x: sum(u[i], i, a)
""",
        FREE,
    )
    assert counts.free_names == ("b", "v[0]", "v[1]", "v[2]")


def test_free_is_undeclared_without_parameters(tmp_path: Path) -> None:
    network = "embedding:\n  digit[d]: {x: 2}\n"
    assert counted(tmp_path, network).free is None
    assert counted(tmp_path, network, "constants:\n  k: 2").by_rule("free") is None
    assert counted(tmp_path, network, "parameters:\n  k: 2").free == 0


def listed(counts: Counts) -> list[tuple[str, float]]:
    return [(item.name, item.value) for item in counts.hard_coded]


@pytest.mark.parametrize(
    ("formula", "numbers"),
    [
        ("3 * x", [("", 3)]),
        ("x", []),
        ("0 - x + 1", []),  # 0, 1 and -1 are not listed
        ("-4 * x + 0.5", [("", 0.5), ("", 4)]),  # the sign is an operation
        ("derived * x", [("base_number", 10), ("derived", 0.25)]),  # the leaves that a constant came from
        ("free_one * x", []),  # a parameter, and what it was computed from, is counted as free
        ("base * x", [("base", 4)]),  # a size as a number
        ("pi * x", [("pi", 3.141592653589793)]),
        ("where(i > 7, 9, 2) * x", [("", 2)]),  # neither the condition nor the branch not taken
        ("(i + 1) * x", []),  # a family index
        ("sum(stream[k], k, 2)", []),  # a size and indices
        ("table[0] * x", [("table", 6)]),  # an index picks one number
    ],
)
def test_hard_coded(tmp_path: Path, formula: str, numbers: list[tuple[str, float]]) -> None:
    definitions = """
constants:
  base_number: 10
  derived: base_number * 0.25
  table: [6, 8]
parameters:
  free_one: 3 * 7
"""
    network = f"embedding:\n  digit[d]: {{x: 1}}\nffn:\n  hidden: u[2]\n  up u[i]: {formula}\n  down x: u[0]\n"
    counts = counted(tmp_path, network, definitions)
    assert sorted(listed(counts)) == sorted(numbers)
    assert counts.by_rule("hard_coded") == len(numbers)


def test_positions_frequencies_and_eps_are_structure(tmp_path: Path) -> None:
    counts = counted(
        tmp_path,
        """
embedding:
  digit[d]: {x: 1}
attention:
  heads: a
  head_dim: 2
  norm: {rms: 0.125}
  rope: {frequency: 0.3}
  scale: 2.5
  query a[c]: x
  score a: 17 * (key_pos - query_pos)
""",
    )
    assert counts.hard_coded == ()


def test_hard_coded_says_where(tmp_path: Path) -> None:
    text = small("embedding:\n  digit[d]: {x: k}\n  +:\n    x: 5 / 6\n", definitions="constants:\n  k: 9")
    counts = compiler.count(load_text(tmp_path, text))
    row = text.splitlines().index("      x: 5 / 6") + 1
    file = os.fspath(tmp_path / "small.yaml")
    assert set(counts.hard_coded) == {
        HardCoded("k", 9, True, text.splitlines().index("  k: 9") + 1, file),
        HardCoded("", 5, False, row, file),
        HardCoded("", 6, False, row, file),
    }
