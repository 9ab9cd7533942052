"""Keys and terms that are left out: what they add is within the bound of what is left."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from compiler.backends.bounds.faint import FAINT, without_faint_keys, without_faint_terms
from compiler.backends.bounds.passes import after_each_pass, prepared
from compiler.backends.elementary.model import translate
from compiler.backends.elementary.program import Attended, Program
from compiler.pipeline import Spec, load
from tests.fast.containment import any_tokens, bounded_logits, compare, plain_logits, suite_tokens
from tests.helpers import SPECS, load_text, small

# The farther a key is, the less its weight and the larger its value: what is left out matters more than any rounding.
FADING = """\
weightspec: 1
name: fading
dtype: {dtype}
vocabulary: symbol[3] =
task:
  reverse: {{symbols: 3, length: 8}}
  prompt: word =
  answer: reversed
stream: is[3] early
defaults: {{softmax: {softmax}}}
ignore: no-claims
network:
  embedding:
    symbol[s]: {{"is[s]": 1}}
  position:
    early: where(pos == 0, {large}, 0)
  attention:
    query head: 1
    key head: is[1] / 8
    value head: early + {small} * is[0]
    score head: {step} * (key_pos - query_pos) - {beyond}
    output: broadcast
  head:
    logits symbol[s]: is[s] + early * (s + 1)
decode: argmax
"""


def _folded(path: Path, text: str) -> Program:
    spec = load_text(path, text)
    (program,) = translate(spec.network, spec.layout)
    return next(made for step, made in after_each_pass(program, spec.network, "fast engine") if step.name == "folding")


def _attended(program: Program) -> Attended:
    return next(node.operation for node in program.nodes if isinstance(node.operation, Attended))


@pytest.mark.parametrize("softmax", ["standard", "plus_one"])
@pytest.mark.parametrize("dtype", ["float64", "float32", "bfloat16"])
def test_what_is_left_out_is_within_the_bound(tmp_path: Path, dtype: str, softmax: str) -> None:
    unit = {"float64": 2.0**-53, "float32": 2.0**-24, "bfloat16": 2.0**-8}[dtype]
    step = -np.log(unit * FAINT) / 8 * 1.03  # the first of nine keys is just faint for the last query
    numbers = {"large": 2.0**40, "small": 2.0**-60, "step": f"{step:.4f}", "beyond": 0}
    program = _folded(tmp_path, FADING.format(dtype=dtype, softmax=softmax, **numbers))
    kept = without_faint_keys(program)
    operation = _attended(kept)
    assert operation.omitted is not None
    assert operation.omitted.max() > 0
    tokens = torch.tensor(np.random.default_rng(1).choice(3, (40, program.length)), dtype=torch.int32)
    whole, (value, error) = bounded_logits(program, tokens)[0], bounded_logits(kept, tokens)
    apart = (whole - value).abs()
    assert (apart <= error).all()
    silent = Attended(**{**vars(operation), "omitted": None})
    nodes = tuple(replace(node, operation=silent) if node.operation is operation else node for node in kept.nodes)
    assert (apart > bounded_logits(replace(kept, nodes=nodes), tokens)[1]).any()  # it is the bound that holds it


def test_keys_that_some_token_can_make_heavy_are_kept(tmp_path: Path) -> None:
    numbers = {"large": 1, "small": 1, "step": 0, "beyond": "where(key_pos == 2, 30, 0)"}
    text = FADING.format(dtype="float32", softmax="standard", **numbers)
    assert _attended(without_faint_keys(_folded(tmp_path, text))).omitted is not None
    heavy = without_faint_keys(_folded(tmp_path, text.replace("is[1] / 8", "40 * is[1]")))
    visible = _attended(heavy).visible[0]
    assert visible[-1, 2]  # where it has symbol 1, and no other key has
    light = without_faint_keys(_folded(tmp_path, text))
    assert not _attended(light).visible[0][-1, 2]
    assert _attended(light).visible[0][-1, 3]


@pytest.mark.parametrize("name", ["Wonderfall_121p", "qwen20"])
def test_models_whose_keys_are_faint_stay_within_their_bounds(name: str) -> None:
    spec = load(next(SPECS.rglob(f"{name}.yaml")), {"digits": 3})
    compared = compare(spec, *suite_tokens(spec, "uniform", 12, 5)).check(name)
    assert compared.sure.mean() > 0.9


# Of digit 3 the stream before each ffn has nearly the direction (3, 4), for which the unit is largest, so the term is.
ADDED = """
embedding: {{"digit[d]": {{x: 3 * 10 ** (d - 2), y: 4 * 10 ** (d - 2), z: 1}}}}
ffn block:
  norm: {{rms: 1e-4, weight: [1, 2, 0.5]}}
  hidden: unit
  activation: identity
  up: {sign} * (3 * x + 2 * y)
  down x: 3 * unit
  down y: 4 * unit
repeat again: block
mix: embedding + {rho} * (again - embedding)
head:
  logits digit[d]: d * x
"""


def _faint(folder: Path, dtype: str, sign: int = 1, rho: float = 1 / 300) -> tuple[Spec, Program]:
    spec = load_text(folder, small(ADDED.format(sign=sign, rho=rho), dtype=dtype))
    (program,) = translate(spec.network, spec.layout)
    return spec, prepared(program, spec.network, "any arithmetic")


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize(("dtype", "reached"), [("float64", 0.99), ("float32", 0.99), ("bfloat16", 0.0)])
def test_faint_terms_are_within_the_bound(tmp_path: Path, dtype: str, reached: float, sign: int) -> None:
    """And nearly as large as the bound, so that no part of it can be left out."""
    spec, program = _faint(tmp_path, dtype, sign)
    less = without_faint_terms(program)
    assert less is not None
    assert len(less.nodes) < len(program.nodes) / 2
    prompts, answers = any_tokens(spec, 20, 1)
    tokens = torch.from_numpy(np.concatenate((prompts, answers), axis=1))[:, : program.length]
    plain = plain_logits(spec.network, spec.layout, prompts, answers).double()
    value, error = bounded_logits(less, tokens)
    assert ((plain - value).abs() <= error).all()
    assert ((plain - value).abs() > reached * error).any()


def test_only_what_is_faint_is_left_out(tmp_path: Path) -> None:
    assert without_faint_terms(_faint(tmp_path, "float32", rho=1 / 200)[1]) is None
    assert without_faint_terms(_faint(tmp_path, "float32", rho=1 / 300)[1]) is not None
