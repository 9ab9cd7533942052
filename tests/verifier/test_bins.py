"""A block that is followed in bins of a wide channel: what is computed at any place lies in what is known there."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest
import torch

from compiler.backends.bounds.bounded import Bounded
from compiler.backends.elementary.model import translate
from compiler.network.ir import ACTIVATIONS
from compiler.pipeline import Spec, load, load_source
from compiler.source.text import Source
from compiler.verifier import bins
from compiler.verifier import model as following
from compiler.verifier.bins import Block, blocks, followed_in_bins
from tests.helpers import SPECS, small
from tests.verifier.checks import check_positions, some_inputs
from tests.verifier.rounding import WIDE

pytestmark = [
    pytest.mark.machine,
    pytest.mark.skipif(not WIDE, reason="long doubles are no wider than doubles here"),
]

TWO_LAYERS = SPECS / "gallery" / "bingbangboom-lab_87p.yaml"


@pytest.fixture
def narrower(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How much of what was known is left in the narrowest value of each block that is followed in bins."""
    seen: list[float] = []

    def watched(running: Any, block: Block, whole: list[Bounded], check_time: Any) -> list[Bounded]:
        found = followed_in_bins(running, block, whole, check_time)
        off = running.arithmetic.off
        for x, y in zip(whole, found, strict=True):
            if y is not x:
                before, after = (torch.as_tensor(off(q)) for q in (x, y))
                seen.append(float((after / before).nan_to_num(1.0).min()))
        return found

    monkeypatch.setattr(following, "followed_in_bins", watched)
    return seen


def test_which_blocks_there_are() -> None:
    """Those behind one attention and before another."""
    spec = load(TWO_LAYERS)
    (program,) = translate(spec.network, spec.layout)
    (block,) = blocks(program).values()
    steps = [program.nodes[number].step for number in (block.first, *block.inner)]
    assert steps == ["layer0.attention"] + ["layer0.ffn"] * len(block.inner)
    spec = load(SPECS / "qwen20.yaml")
    assert not any(blocks(program) for program in translate(spec.network, spec.layout))


def test_values_of_two_layers(narrower: list[float]) -> None:
    """What the torch module shows at each position, and what other roundings make of it."""
    inputs = some_inputs(load(TWO_LAYERS, {"digits": 2}), 12, "bins")
    assert inputs is not None
    found = check_positions(inputs, plain=3)
    assert found["known"] > 0.9 * found["numbers"] > 0
    assert found["plain"] > 0
    assert min(narrower) < 0.25


NETWORK = """\
embedding:
  digit[d]: {{x: d + 1, y: d * d + 2}}
attention first:
  score head: where(key_pos <= 2, 0, {far})
  value head: x + {a} * y
  output z: {b} * head
ffn:
  hidden: h[2]
  {norm}
  activation: {activation}
  gate h[i]: {c} * z - {d} * i
  up h[i]: {e} * z + x * i - {f}
  down w: {g} * h[0] - {g} * h[1]
attention second:
  query: x + 0.1 * z
  key: y
  value head: w - x
  output y: head
head:
  logits digit[d]: d * x - y + d * w + z
"""


def wide(seed: int) -> Spec:
    """A layer that mixes columns, and a block whose gates may be anything on either side of where they bend."""
    random = Random(f"bins:{seed}")
    numbers = {name: round(random.uniform(0.1, 3), 2) for name in "abcdefg"}
    text = NETWORK.format(
        **numbers,
        far=random.choice((-1, -3, -20)),
        norm=random.choice(("norm: {rms: 1e-3}", "norm: {layer: 1e-3}", "activation_of: gate")),
        activation=random.choice(ACTIVATIONS),
    ).replace("  activation_of: gate\n", "")
    dtype = random.choice(("float64", "float32", "bfloat16"))
    return load_source(Source("wide", small(text, stream="x y z w", dtype=dtype)))


@pytest.mark.parametrize("chunk", [pytest.param(i, marks=[pytest.mark.long] * (i > 0)) for i in range(10)])
def test_random_blocks(monkeypatch: pytest.MonkeyPatch, narrower: list[float], chunk: int) -> None:
    """A few bins for each, of which the hull is taken wherever it is no wider."""
    monkeypatch.setattr(bins, "NARROWER", 1.0)
    monkeypatch.setattr(bins, "FIRST_BINS", 3)
    monkeypatch.setattr(bins, "MAX_WORK", 1 << 14)
    for seed in range(chunk * 12, (chunk + 1) * 12):
        inputs = some_inputs(wide(seed), 6, seed)
        assert inputs is not None
        check_positions(inputs, plain=1)
    assert len(narrower) > 5
    assert min(narrower) < 0.5
