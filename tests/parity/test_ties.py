"""Ties between maps, and what is stored once: bare numbers, bare rows, indexed rows, whole axes."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

import compiler
from tests.helpers import load_text, small
from tests.parity.reference import State, Values, activate, affine, attend, check, embed

DTYPES = ("float64", "float32")
EMBEDDING = """
embedding:
  digit[d]: {x: d - 1.5, y: 0.5 * d ** 2 - 1, z: 1 / (d + 1)}
  =: {x: 0.7, z: -0.3}
  +: {y: -0.9}
"""
TABLE = [[d - 1.5, 0.5 * d**2 - 1, 1 / (d + 1)] for d in range(4)] + [[0.7, 0, -0.3], [0, -0.9, 0]]


def two_blocks(state: State, tokens: Tensor) -> Values:
    """An attention step and a gated ffn in block `one`, a plain ffn in block `two`, with whatever is stored."""
    v: Values = {"embedding": embed(state["embedding.weight"], tokens)}

    def run(name: str, x: Tensor, outputs: int) -> Tensor:
        v[name] = affine(x, state[f"{name}.weight"], state.get(f"{name}.bias"), outputs)
        return v[name]

    query, key, value = (run(f"one.attention.{name}", v["embedding"], 2) for name in ("query", "key", "value"))
    output = run("one.attention.output", attend(query, key, value, heads=2, scale=1), 3)
    x = v["one.attention"] = v["embedding"] + output
    gate = run("one.ffn.gate", x, 3)
    x = v["one.ffn"] = x + run("one.ffn.down", activate(gate, "relu") * run("one.ffn.up", x, 3), 3)
    v["two.ffn"] = x + run("two.ffn.down", activate(run("two.ffn.up", x, 3), "relu"), 3)
    return v


@pytest.mark.parametrize("dtype", DTYPES)
def test_ties_share_the_weight_and_bare_maps_are_stored_once(tmp_path: Path, dtype: str) -> None:
    """A bare number is one bias beside a zero weight, a bare row is one row; a row for each unit is stored in full.
    A tie is of the weight; the biases stay apart."""
    steps = """
attention one:
  heads: a b
  query: 1.5
  key a: x + 1
  key b: y - 1
  value: key
  output x: a
  output y: b
  biases: value
ffn one:
  hidden: u v w
  gate: 0.3 * x - y + 0.1
  up u: z
  up v: z
  up w: 2 * z - x
  down x: u + v
  down z: w
  biases: up
ffn two:
  hidden: u v w
  up: one.ffn.up
  down: one.ffn.down
  biases: down
"""
    state = {
        "embedding.weight": TABLE,
        "one.attention.query.weight": [[0, 0, 0], [0, 0, 0]],
        "one.attention.query.bias": [1.5],
        "one.attention.key.weight": [[1, 0, 0], [0, 1, 0]],
        "one.attention.key.bias": [1, -1],
        "one.attention.value.weight": [[1, 0, 0], [0, 1, 0]],
        "one.attention.value.bias": [0, 0],
        "one.attention.output.weight": [[1, 0], [0, 1], [0, 0]],
        "one.ffn.gate.weight": [[0.3, -1, 0]],
        "one.ffn.gate.bias": [0.1],
        "one.ffn.up.weight": [[0, 0, 1], [0, 0, 1], [-1, 0, 2]],
        "one.ffn.up.bias": [0, 0, 0],
        "one.ffn.down.weight": [[1, 1, 0], [0, 0, 0], [0, 0, 1]],
        "two.ffn.up.weight": [[0, 0, 1], [0, 0, 1], [-1, 0, 2]],
        "two.ffn.down.weight": [[1, 1, 0], [0, 0, 0], [0, 0, 1]],
        "two.ffn.down.bias": [0, 0, 0],
    }
    text = small(EMBEDDING + steps)
    check(tmp_path, text, state, two_blocks, dtype)
    model = compiler.build(load_text(tmp_path, text))
    ties = {"one.attention.value": "one.attention.key", "two.ffn.up": "one.ffn.up", "two.ffn.down": "one.ffn.down"}
    for tied, owner in ties.items():
        assert model.get_parameter(f"{tied}.weight") is model.get_parameter(f"{owner}.weight")
    assert len(list(model.parameters())) == len(state) - len(ties)


FFN = "ffn:\n  hidden: u v w\n  gate: 0.3 * x - y + 0.1\n  {up}\n  down x: u + v\n  down z: w\n"


def one_ffn(state: State, tokens: Tensor) -> Values:
    x = embed(state["embedding.weight"], tokens)
    gate = affine(x, state["ffn.gate.weight"], state["ffn.gate.bias"], 3)
    up = affine(x, state["ffn.up.weight"], state.get("ffn.up.bias"), 3)
    down = affine(activate(gate, "relu") * up, state["ffn.down.weight"])
    return {"embedding": x, "ffn.gate": gate, "ffn.up": up, "ffn.down": down, "ffn": x + down}


@pytest.mark.parametrize(
    ("up", "weight"),
    [
        ("up hidden[k]: (k + 1) * z - x", [[-1, 0, k + 1.0] for k in range(3)]),
        ("up: sum(stream[k] / (k + 1), k, 3)", [[1, 1 / 2, 1 / 3]]),
        ("up: gate", [[0.3, -1, 0]]),
    ],
    ids=["hidden[k] stores a row for each unit", "stream[k] reads the whole axis", "a tie to a row stored once"],
)
@pytest.mark.parametrize("dtype", DTYPES)
def test_whole_axes_and_rows_stored_once(tmp_path: Path, up: str, weight: list[list[float]], dtype: str) -> None:
    state = {
        "embedding.weight": TABLE,
        "ffn.gate.weight": [[0.3, -1, 0]],
        "ffn.gate.bias": [0.1],
        "ffn.up.weight": weight,
        "ffn.down.weight": [[1, 1, 0], [0, 0, 0], [0, 0, 1]],
    }
    check(tmp_path, small(EMBEDDING + FFN.format(up=up)), state, one_ffn, dtype)


def test_down_writes_the_whole_stream_by_index(tmp_path: Path) -> None:
    text = small(EMBEDDING + "ffn:\n  hidden: u v w\n  up u: x\n  down stream[k]: (k + 1) * hidden[k]\n")
    weight = compiler.build(load_text(tmp_path, text)).state_dict()["ffn.down.weight"]
    assert weight.tolist() == [[1, 0, 0], [0, 2, 0], [0, 0, 3]]


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_head_tied_to_the_embedding(tmp_path: Path, dtype: str) -> None:
    def reference(state: State, tokens: Tensor) -> Values:
        x = embed(state["embedding.weight"], tokens)
        logits = torch.einsum("vd,btd->btv", state["embedding.weight"], x)
        return {"embedding": x, "head.logits": logits, "head": logits}

    text = small(EMBEDDING + "head:\n  logits: embedding\n")
    check(tmp_path, text, {"embedding.weight": TABLE, "head.logits.weight": TABLE}, reference, dtype)
    model = compiler.build(load_text(tmp_path, text))
    assert model.get_parameter("head.logits.weight") is model.get_parameter("embedding.weight")


def test_a_head_of_fewer_classes_cannot_be_the_whole_embedding(tmp_path: Path) -> None:
    text = small(EMBEDDING + "head:\n  classes: 4\n  logits: embedding\n")
    line = text.splitlines().index("    logits: embedding") + 1
    with pytest.raises(compiler.SpecError) as raised:
        load_text(tmp_path, text)
    assert [(found.code, found.span and found.span.line) for found in raised.value.diagnostics] == [("shape", line)]
