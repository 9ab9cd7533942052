"""Hard attention: which keys win is sure where it is, and what may win is within the bounds."""

from __future__ import annotations

import math
from functools import partial
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
import torch
from torch import Tensor

from compiler.backends.bounds.arithmetic import Arithmetic, Rounding
from compiler.backends.bounds.attention import Keys, attend_head
from compiler.backends.bounds.bounded import Bounded
from compiler.backends.bounds.nodes import attend_all
from compiler.backends.bounds.tensors import TensorFunctions, TensorLoop
from compiler.backends.elementary.program import Attended, Node
from compiler.backends.native.c_compiler import find_compiler
from compiler.backends.native.c_program import c_source
from compiler.backends.native.fast_engine import programs
from compiler.backends.native.native import NativeUnavailable, native
from compiler.backends.torch.attention import Attention
from compiler.expressions.floats import FORMATS
from compiler.network.ir import HardSoftmax, Ties
from compiler.pipeline import Spec
from tests.fast.containment import any_tokens, compare
from tests.helpers import load_text

BATCH, KEYS = 400, 5
TIES: tuple[Ties, ...] = get_args(Ties)


def weights(scores: Tensor, ties: Ties) -> Tensor:
    """The module's, of scores [batch, keys]."""
    module = Attention.__new__(Attention)
    torch.nn.Module.__init__(module)
    module.softmax = HardSoftmax(ties)
    return module._weigh(scores)


def same(keys: Keys, _head: int) -> Keys:
    return keys


def picked(ties: Ties, scores: tuple[Tensor, Tensor], values: tuple[Tensor, Tensor], *, exact: bool) -> Bounded:
    """What one query mixes from scores and values [keys, batch], each with what it is off."""
    visible = torch.ones(1, KEYS, 1, dtype=torch.bool)
    everything = (0,) if exact else ()
    operation = Attended(
        *("attention", 0, 1, 1, 1, 1, 1.0, "multiply", (), visible.numpy()[..., 0][None], False, (math.inf,)),
        ties=ties,
        ordered=everything,
    )
    seen = Keys(
        TensorLoop(visible, KEYS),
        [Bounded(scores[0][None], scores[1][None])],
        [Bounded(values[0][None], values[1][None])],
        [],
        torch.arange(KEYS, dtype=torch.float64)[None, :, None],
    )
    a = Arithmetic(TensorFunctions(), Rounding.of(FORMATS["float32"]))
    one = [Bounded(torch.ones(1, 1, BATCH, dtype=torch.float64), 0.0)]
    node = Node(operation, (), 1, (0,), (0,), exact=everything)
    (found,) = attend_all(a, node, operation, one, partial(same, seen), attend_head)
    value, error = (torch.as_tensor(q, dtype=torch.float64).expand(1, 1, BATCH) for q in (found.value, found.error))
    return Bounded(value.flatten(), error.flatten())


@pytest.mark.parametrize("exact", [False, True])
@pytest.mark.parametrize("ties", TIES)
def test_what_can_win_is_within_the_bound(ties: Ties, exact: bool) -> None:
    """Many scores are equal, or nearly; what each is off is from 0 to more than they are apart."""
    chance, needed, sure = np.random.default_rng(1), 0.0, 0
    for _ in range(10):
        plain = torch.tensor(chance.integers(-2, 3, (KEYS, BATCH)) * chance.choice([1.0, 1e-3, 0.0]))
        off = torch.tensor(chance.choice([0.0, 0.0, 1e-4, 0.6, 2.5], (KEYS, BATCH)))
        scores = plain + off * torch.tensor(chance.choice([-1.0, 0.0, 1.0], (KEYS, BATCH)))
        values = torch.tensor(chance.integers(-3, 4, (KEYS, BATCH)) * 1.0)
        value_off = torch.tensor(chance.choice([0.0, 0.1], (KEYS, BATCH)))
        shown = values + value_off * torch.tensor(chance.choice([-1.0, 1.0], (KEYS, BATCH)))
        found = picked(ties, (scores, off), (shown, value_off), exact=exact)
        mixed = (weights(plain.T.float(), ties) * values.T.float()).sum(-1).double()
        apart = (mixed - found.value).abs()
        assert (apart <= found.error * (1 + 1e-9)).all()
        needed, sure = (
            max(needed, float((apart / found.error).nan_to_num(0.0).max())),
            sure + int((found.error < 0.2).sum()),
        )
    assert needed > 0.9
    assert sure > 0.1 * 10 * BATCH


@pytest.mark.parametrize("ties", TIES)
def test_equal_scores_that_are_known_are_equal(ties: Ties) -> None:
    chance, zero = np.random.default_rng(2), torch.zeros(KEYS, BATCH, dtype=torch.float64)
    scores, values = (torch.tensor(chance.integers(-1, 2, (KEYS, BATCH)) * 1.0) for _ in range(2))
    found = picked(ties, (scores, zero), (values, zero), exact=True)
    mixed = (weights(scores.T.float(), ties) * values.T.float()).sum(-1).double()
    if ties == "share":
        assert (found.error < 1e-5).all()
        assert torch.allclose(found.value, mixed)
    else:
        assert (found.error == 0).all()
        assert (found.value == mixed).all()
    rounded = picked(ties, (scores, zero), (values, zero), exact=False)
    assert (rounded.error > 0.5).any()  # the module may have rounded them apart


# The nearest symbol, by 2 q k - k², then the largest of the positions where it stands: all are whole numbers.
NEAREST = """
weightspec: 1
name: nearest
dtype: DTYPE
vocabulary: symbol[4] =
task: {copy: {symbols: 4, length: 4}, prompt: word =, answer: copied}
stream: one x square pos place again
defaults: {softmax: hard, ties: TIES}
network:
  embedding:
    symbol[s]: {one: 1, x: s}
    =: {one: 1, x: 3}
  position: {pos: pos}
  ffn squares:
    activation: square
    hidden: times
    up times: x
    down square: times
  attention near:
    head_dim: 2
    value_dim: 1
    query head[0]: 2 * x
    query head[1]: -1
    key head[0]: x
    key head[1]: square
    value head: pos
    output place: head
  ffn:
    hidden: h
    up h: place - 1
    down place: 2 * h
  attention far:
    query head: one
    key head: place
    value head: x
    output again: head
  head:
    logits symbol[s]: 4 * s * again - 2 * s * s
    logits =: -100
decode: argmax
"""


def nearest(folder: Path, dtype: str, ties: Ties) -> Spec:
    return load_text(folder, NEAREST.replace("DTYPE", dtype).replace("TIES", ties))


@pytest.mark.parametrize("ties", ["earliest", "latest"])
@pytest.mark.parametrize("dtype", FORMATS)
def test_whole_numbers_tie_in_every_layer(tmp_path: Path, dtype: str, ties: Ties) -> None:
    """Scores are scaled by one over the root of 2 in the first layer. The keys of the second were picked by it."""
    spec = nearest(tmp_path, dtype, ties)
    compared = compare(spec, *any_tokens(spec, 60, 1)).check()
    assert compared.sure.all()


@pytest.mark.parametrize("ties", TIES)
def test_means_of_whole_numbers_are_within_bounds(tmp_path: Path, ties: Ties) -> None:
    spec = nearest(tmp_path, "float16", ties)
    assert compare(spec, *any_tokens(spec, 60, 1)).check().sure.any()


@pytest.mark.skipif(find_compiler() is None, reason="no C compiler works here")
def test_compiled_c_says_the_same(tmp_path: Path) -> None:
    spec = nearest(tmp_path, "float32", "latest")
    prompts, answers = any_tokens(spec, 60, 1)
    plain = compare(spec, prompts, answers).plain_said
    sequences = np.concatenate((prompts, answers), axis=1)
    for program in programs(spec):
        library = native(c_source(program))
        assert not isinstance(library, NativeUnavailable), library.reason
        said = np.empty((len(prompts), len(program.slots)), dtype=np.int32)
        library.run(np.ascontiguousarray(sequences[:, : program.length]), said)
        assert (said == plain[:, [spec.layout.predicted.index(slot) for slot in program.slots]]).all()
