"""Counts of what is more than rows of equations: low rank, ties, tables, vectors, numbers beside the weights."""

from __future__ import annotations

from pathlib import Path

import pytest

import compiler
from compiler.readers.counting.assertions import made_of
from compiler.readers.counting.counts import PARTS, Counts, count
from tests.helpers import load_text, small

DEFINITIONS = """
constants: {two: 2}
parameters:
  U: [[1, 2], [3, 4], [5, 5]]
  V: [[1, 0], [0, 7]]
  w: [2, 3]
  P: [[1, 2], [3, 0], [1, 2], [3, 0], [1, 2], [3, 0], [1, 2], [3, 0], [1, 2]]
  q: 0.5
"""
EMBEDDING = "embedding:\n  digit[d]: {x: d}\n"  # 6 tokens by 2; three numbers that are not zero


def counts(folder: Path, steps: str) -> Counts:
    spec = load_text(folder, small(EMBEDDING + steps, stream="x y", definitions=DEFINITIONS))
    found = count(spec)
    stored = sum(parameter.numel() for parameter in compiler.build(spec).parameters())
    assert found.dense == stored
    return found


def added(folder: Path, steps: str) -> tuple[int, int, int, int | None]:
    """dense, nonzero, distinct and free beyond those of the embedding."""
    found = counts(folder, steps)
    return found.dense - 12, found.nonzero - 3, found.distinct - 3, found.free


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        # A @ B is two maps: five distinct numbers in U, two in V
        ("ffn: {hidden: 'u[3]', up: U @ V}", (6 + 4 + 6, 6 + 2, 5 + 2, 10)),
        ("ffn: {hidden: 'u[3]', up: U @ V, down: V @ U.T}", (6 + 4 + 6, 6 + 2 + 6, 5 + 2 + 5, 10)),
        ("ffn: {hidden: 'u[3]', up: U}", (6 + 6, 6, 5, 6)),
        ("ffn a: {hidden: 'u[3]', up: U}\nffn b: {hidden: 'u[3]', up: U}", (6 + 6 + 6, 6, 5, 6)),
        ("ffn a: {hidden: 'u[3]', up: U @ V}\nffn b: {hidden: 'u[3]', up: a.ffn.up}", (22, 8, 7, 10)),
        # each entry of a row is a number of its own, although q stands in all of them
        ("ffn: {hidden: 'u[3]', up: q * x}", (2 + 6, 1, 1, 1)),
        ("ffn: {hidden: 'u[3]', 'up hidden[k]': q * x}", (6 + 6, 3, 1, 1)),
        ("norm: {rms: q, weight: w}", (2, 2, 2, 2)),
        ("norm a: {rms: 1, weight: w}\nnorm b: {rms: 1, weight: w}\nscale: w", (2, 2, 2, 2)),
        ("scale: 3", (2, 2, 1, 0)),
        ("scale: {x: 1, y: q}", (2, 2, 2, 1)),
        ("position: {table: P}", (18, 14, 3, 18)),
        ("position: {x: q * pos}", (0, 0, 0, 1)),
        ("ffn: {hidden: u}\nmix: ffn - q * embedding", (2 + 2 + 1, 1, 1, 1)),
        ("ffn: {hidden: u, up: 2 * x}\nrepeat again: ffn ffn", (2 + 2, 1, 1, 0)),
        ("attention: {mask: -1000 * q, output: broadcast}", (6, 0, 0, 1)),
        ("attention: {mask: -1000, output: broadcast}", (6, 0, 0, 0)),
        ("attention: {head_dim: 2, qk_norm: {rms: 1, weight: w}, output: identity}", (12 + 2, 2, 2, 2)),
        ("attention: {head_dim: 2, qk_norm: {rms: 1, query: w, key: [5, 6]}, output: identity}", (16, 4, 4, 2)),
        ("attention: {heads: a b, kv_heads: s, value: q * x}", (4 + 2 + 1 * 2 + 4, 1, 1, 1)),
        ("attention: {head_dim: 2, value_dim: 3}", (4 + 4 + 6 + 6, 0, 0, 0)),
        ("head: {classes: 4, let: {unused: q}, 'logits digit[d]': d * x}", (8, 3, 3, 0)),
    ],
)
def test_figures(tmp_path: Path, steps: str, expected: tuple[int, int, int, int | None]) -> None:
    assert added(tmp_path, steps) == expected


def test_untied_counts_what_is_shared_again(tmp_path: Path) -> None:
    found = counts(tmp_path, "norm a: {rms: 1, weight: w}\nnorm b: {rms: 1, weight: w}\n")
    assert (found.dense, found.dense_untied) == (14, 16)
    low_rank = "ffn a: {hidden: 'u[3]', up: U @ V}\nffn b: {hidden: 'u[3]', up: a.ffn.up}"
    assert counts(tmp_path, low_rank).dense_untied == counts(tmp_path, low_rank).dense + 6 + 4


def test_hard_coded_numbers_behind_matrices(tmp_path: Path) -> None:
    found = counts(tmp_path, "ffn: {hidden: 'u[2]', up: '[[two, 1], [0, 9]]'}")
    assert [(item.name, item.value) for item in found.hard_coded] == [("two", 2), ("", 9)]


@pytest.mark.parametrize(
    ("network", "parts"),
    [
        (EMBEDDING + "head: {logits: embedding}", (12, 0, 0)),
        (EMBEDDING + "head: {'logits digit[0]': x}", (12, 0, 12)),  # an unembedding of its own is part of the rest
        (EMBEDDING + "position: {table: P}\nposition b: {table: P}\nposition c: {x: pos}", (12, 18, 0)),
        (EMBEDDING + "norm: {rms: 1, weight: w}\nffn: {hidden: u, up u: x + 1}\nmix: 2 * ffn", (12, 0, 2 + 3 + 2 + 1)),
        ("embedding: L @ V\nhead: {logits: embedding}", (12 + 4, 0, 0)),  # the factors of a table of low rank too
    ],
)
def test_dense_is_embedding_positions_and_the_rest(tmp_path: Path, network: str, parts: tuple[int, int, int]) -> None:
    definitions = DEFINITIONS + "  L: [[1, 2], [3, 4], [5, 6], [7, 8], [9, 1], [2, 3]]\n"
    found = count(load_text(tmp_path, small(network, stream="x y", definitions=definitions)))
    assert (found.embedding, found.positions, found.non_embedding) == parts
    assert sum(parts) == found.dense
    assert [sum(share for _, share in made_of(found, part)) for part in PARTS] == list(parts)
