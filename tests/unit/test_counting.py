"""The counting rules of DESIGN.md section 3, on specs small enough to count by hand."""

from __future__ import annotations

from pathlib import Path

import pytest

import compiler
from compiler.pipeline import load
from compiler.readers.counting.counts import BESIDE, FIGURES, PARTS, SHOWN_RULES, Counts
from tests.helpers import DATA, ROOT, SPECS, load_text, small

EVERY_SPEC = sorted(path.name for path in SPECS.glob("*.yaml"))


def counted(folder: Path, network: str, definitions: str = "", **more: str) -> Counts:
    return compiler.count(load_text(folder, small(network, definitions=definitions, **more)))


def distinct(counts: Counts) -> dict[str, int]:
    return {group.name: group.distinct for group in counts.groups}


def test_dense_counts_every_stored_scalar_and_ties_once(tmp_path: Path) -> None:
    counts = counted(
        tmp_path,
        """
embedding:
  digit[d]: {x: d}
attention:
  heads: a b
  query a: x
  value: query
  output x: a
  biases: key
head:
  classes: 6
  logits: embedding
""",
    )
    # embedding 6·3; query and key 2·3, key bias 2; value tied; output 3·2; logits tied
    assert counts.dense == 18 + 6 + 6 + 2 + 6
    assert counts.dense_untied == counts.dense + 6 + 18
    # d = 1, 2, 3; query a; output x
    assert counts.nonzero == 3 + 1 + 1


def test_a_broadcast_row_or_number_counts_once(tmp_path: Path) -> None:
    counts = counted(
        tmp_path,
        """
embedding:
  digit[d]: {x: 5}
ffn:
  hidden: u[10]
  gate: 2 * x + 3 * y + 4
  up: 7
  down x: sum(u[i] * 9, i, 10)
""",
    )
    # embedding 18, 4 of them 5; gate one row of 3 and one bias; up a zero weight 10·3 and one bias; down 3·10
    assert counts.dense == 18 + 3 + 1 + 30 + 1 + 30
    assert counts.nonzero == 4 + 2 + 1 + 1 + 10
    # embedding: its 4 nonzero entries; gate {2, 3, 4}; up {7}; down {9}
    assert distinct(counts) == {"embedding": 4, "ffn.gate": 3, "ffn.up": 1, "ffn.down": 1}
    # 5, 2, 3, 4, 7, 9, and the zeros
    assert (counts.values, counts.values_with_zero) == (6, 7)


@pytest.mark.parametrize(
    ("up", "expected", "copies"),
    [
        ("up u: x\n  up v: y", 0, True),  # each source once, weight 1: free
        ("up u: x\n  up v: x", 1, False),  # x is read twice: {1}
        ("up u: x\n  up v: 2 * y", 2, False),  # {1, 2}
        ("up u: x + y", 0, True),  # two sources, each read once
        ("up u: x\n  up v: y + 1", 1, False),  # a bias of 1 is a value, and the same one: {1}
        ("up u: x\n  up v: y + 3", 2, False),  # {1, 3}, weight and bias together
        ("up u: x\n  up v: -y", 2, False),  # {1, -1}
        ("up u: x\n  biases: up", 0, True),  # a stored zero bias changes nothing
        ("up: x", 1, False),  # one row read by both units: {1}
        ("biases: up", 0, False),  # nothing but zeros
    ],
)
def test_distinct_and_free_copies(tmp_path: Path, up: str, expected: int, copies: bool) -> None:
    counts = counted(tmp_path, f"embedding: {{}}\nffn:\n  hidden: u v\n  {up}\n  down x: u / 2\n")
    group = next(group for group in counts.groups if group.name == "ffn.up")
    assert (group.distinct, group.copies) == (expected, copies)
    assert counts.distinct == expected + 1  # and the 1/2 of down


def test_a_row_stored_once_for_a_single_unit_can_be_a_copy(tmp_path: Path) -> None:
    """`up: x` into one unit is the same tensor as `up u: x`: weight 1, no bias, the source read once."""
    network = "embedding: {{}}\nffn:\n  hidden: u\n  {up}\n  down y: u / 2\n"
    for up in ("up u: x", "up: x"):
        assert distinct(counted(tmp_path, network.format(up=up)))["ffn.up"] == 0, up


def test_distinct_counts_ties_once_and_norm_weights(tmp_path: Path) -> None:
    counts = counted(
        tmp_path,
        """
embedding:
  digit[d]: {x: 1, y: 1}
attention:
  heads: a
  norm: {rms: 1e-6, weight: [2, 2, 3]}
  query a: 4 * x
  key: query
  value a: 5 * x + 5 * y
head:
  logits: embedding
""",
    )
    # an embedding counts entries, 4 · 2; norm {2, 3}; query {4}; key tied; value {5}; output zeros; logits tied
    assert distinct(counts) == {
        "embedding": 8,
        "attention.norm": 2,
        "attention.query": 1,
        "attention.key": 0,
        "attention.value": 1,
        "attention.output": 0,
        "head.logits": 0,
    }
    assert counts.distinct == 12


def test_a_tie_to_a_map_of_low_rank_stores_neither_factor_again(tmp_path: Path) -> None:
    steps = "embedding:\n  digit[d]: {x: 5}\nffn:\n  hidden: u v w\n"
    low_rank = "  gate: '[[2], [3], [4]] @ [[6, 7, 8]]'\n"
    alone = counted(tmp_path, steps + low_rank)
    tied = counted(tmp_path, steps + low_rank + "  up: gate\n")
    assert distinct(tied) == {**distinct(alone), "ffn.up": 0, "ffn.up.inner": 0}
    assert (distinct(tied)["ffn.gate"], distinct(tied)["ffn.gate.inner"]) == (3, 3)
    assert tied.dense == alone.dense - 9  # the zeros of an `up` that is not written
    assert tied.dense_untied == tied.dense + 3 + 3


def test_values_without_a_zero(tmp_path: Path) -> None:
    counts = counted(tmp_path, "embedding:\n  digit[d]: {x: d + 1}\n  =: {x: -2}\n  +: {x: 2}\n", stream="x")
    # 1, 2, 3, 4, -2; the 2 of + is the 2 of digit 1; no zero is stored
    assert (counts.values, counts.values_with_zero, counts.dense) == (5, 5, 6)


@pytest.mark.parametrize("name", EVERY_SPEC)
def test_the_items_add_up(name: str) -> None:
    counts = compiler.count(load(SPECS / name))
    tensors = [tensor for group in counts.groups for tensor in group.tensors]
    assert counts.dense == sum(tensor.dense for tensor in tensors)
    assert counts.nonzero == sum(tensor.nonzero for tensor in tensors)
    assert counts.distinct == sum(group.distinct for group in counts.groups)
    assert len({tensor.name for tensor in tensors}) == len(tensors)
    for tensor in tensors:
        if tensor.tie is None:
            assert tensor.nonzero == sum(line.nonzero for line in tensor.lines)
            assert sum(line.written for line in tensor.lines) <= tensor.dense
        else:
            assert (tensor.dense, tensor.nonzero) == (0, 0)
    assert len(counts.free_names) == len(set(counts.free_names)) == (counts.free or 0)
    assert [counts.by_rule(rule) for rule in SHOWN_RULES] == [
        counts.dense,
        counts.nonzero,
        counts.distinct,
        counts.values,
        counts.free,
        len(counts.hard_coded),
    ]


@pytest.mark.parametrize("name", EVERY_SPEC)
def test_counts_are_those_of_the_torch_tensors(name: str) -> None:
    spec = load(SPECS / name)
    counts, model = compiler.count(spec), compiler.build(spec)
    stored = list(model.parameters())  # a shared one once
    assert counts.dense == sum(parameter.numel() for parameter in stored)
    assert counts.dense_untied == sum(tensor.numel() for tensor in model.state_dict().values())
    assert counts.nonzero == sum(int(parameter.count_nonzero()) for parameter in stored)
    values = {value for parameter in stored for value in parameter.flatten().tolist()}
    assert counts.values_with_zero == len(values)
    assert counts.values == len(values - {0})
    shapes = {tensor.name: tensor.shape for group in counts.groups for tensor in group.tensors}
    assert shapes == {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}


def test_tiny95_and_qwen20_by_every_rule() -> None:
    counts = compiler.count(load(SPECS / "tiny95.yaml"))
    assert (counts.dense, counts.nonzero, counts.distinct, counts.free) == (1376, 95, 36, 5)
    assert counts.dense_untied == 1376
    assert counts.free_names == ("final_scale", "k_digit", "k_special", "tie_break", "v_scale")
    counts = compiler.count(load(SPECS / "qwen20.yaml"))
    # stored: embedding 10·2, query, key, value, output and up 2·2 each, norm 2; tied: down 2·2, logits 10·2
    assert (counts.dense, counts.dense_untied) == (42, 66)
    # 10 + 9 in the embedding, query 2, key 1, value 2, output 2, up 4, norm 2
    assert counts.nonzero == 32
    assert counts.free == 20


def test_the_pages_name_every_figure() -> None:
    for page in ("docs/counting.md", "docs/json.md", "docs/api.md"):
        text = (ROOT / page).read_text(encoding="utf-8")
        assert [name for name in FIGURES if f"`{name}`" not in text and f".{name}`" not in text] == [], page


def test_what_is_shown_in_brackets_has_a_column_to_stand_in() -> None:
    assert set(BESIDE) <= set(SHOWN_RULES)
    assert {name for name, _ in BESIDE.values()} | set(SHOWN_RULES) | set(PARTS) == set(FIGURES)


def test_the_biases_of_norms_count(tmp_path: Path) -> None:
    """Of a public sorter's shape, whose numbers its author counts; and of a norm that has nothing but a bias."""
    counts = compiler.count(load(DATA / "field" / "layernorm-bias.yaml"))
    assert counts.dense == 318
    norm = next(group for group in counts.groups if group.name == "attention.norm")
    assert [(tensor.name, tensor.dense, tensor.nonzero) for tensor in norm.tensors] == [
        ("attention.norm.weight", 6, 6),
        ("attention.norm.bias", 6, 0),
    ]
    alone = counted(tmp_path, "embedding:\n  digit[d]: {x: d}\nnorm: {layer: 1e-5, bias: [1, 2, 2]}")
    assert [tensor.name for tensor in alone.groups[-1].tensors] == ["norm.bias"]
    assert (alone.dense, distinct(alone)["norm"]) == (6 * 3 + 3, 2)
