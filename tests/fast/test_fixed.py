"""Patterns that do not depend on tokens: found in the right networks, the same for any tokens, and followed exactly."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from compiler.backends.bounds.demand import marked, pruned
from compiler.backends.bounds.fixed import _joined, fixed_attentions, read_patterns, with_fixed_patterns
from compiler.backends.bounds.magnitudes import check_magnitudes
from compiler.backends.elementary.model import translate
from compiler.backends.elementary.program import Mixed, Program
from compiler.backends.torch.reference import Reference, alone
from compiler.pipeline import Spec, load
from tests.fast.containment import bounded_logits
from tests.helpers import SPECS, load_text, small

FIXED = [
    "alexlitz_36p",
    "cosminscn_130p",
    "cosminscn_66p",
    "fblissjr_33p",
    "lichengliu03_50p",
    "reverse",
    "tiny95",
    "tiny95-exact",
    "tinyadder",
    *("comparison", "increment", "modular-sum", "next-token", "parity", "sort", "subtraction"),  # tasks
    *("parity-encoder", "parity-lengths", "parity-norms", "parity-rounds"),  # of many lengths
    *("brackets", "calculator", "induction"),  # the first of several attentions
]

# Two runs of a step whose queries and keys read positions only, and a layer between them that changes these.
TIED = """
embedding: {"digit[d]": {x: d + 1}}
position:
  y: where(pos < 2, 0.1, pos / 7)
attention:
  query head: 3.3 * y
  key head: 1.7 * y
  value: x
  output z: head
ffn:
  hidden: unit
  up: 0.3 * y
  down y: unit
repeat again: attention
head:
  logits digit[d]: d * z
"""


def _programs(spec: Spec) -> list[Program]:
    return [check_magnitudes(marked(program)) for program in translate(spec.network, spec.layout)]


def _mixed(program: Program) -> list[Mixed]:
    return [node.operation for node in program.nodes if isinstance(node.operation, Mixed)]


@pytest.mark.parametrize("path", sorted(SPECS.rglob("*.yaml")), ids=lambda path: path.stem)
def test_patterns_are_the_same_for_any_tokens(path: Path) -> None:
    """Bit by bit: that is what the plain module's own weights rest on."""
    spec = load(path)
    programs = _programs(spec)
    fixed = [fixed_attentions(program) for program in programs]
    assert any(fixed) == (path.stem in FIXED)
    generator = np.random.default_rng(1)
    for program, found in zip(programs, fixed, strict=True):
        wanted = {(operation.step, operation.run) for operation in found.values()}
        for length in sorted(set(program.prefixes)) if wanted else []:
            random = [generator.integers(program.vocabulary, size=length) for _ in range(4)]
            first, *others = read_patterns(spec.network, wanted, [np.zeros(length, int), *random])
            for other in others:
                assert all(np.array_equal(first[pattern], other[pattern]) for pattern in wanted)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_bounds_hold_where_patterns_are_the_modules_own(tmp_path: Path, dtype: str) -> None:
    """The repeated step has a pattern of its own; the first run is read in prefixes of every length."""
    spec = load_text(tmp_path, small(TIED, dtype=dtype))
    (program,) = _programs(spec)
    program = with_fixed_patterns(program, spec.network)
    first, again = _mixed(program)
    assert not np.allclose(first.weights[:, -1], again.weights[:, -1])
    _assert_bounded(spec, program)


@pytest.mark.parametrize("name", ["cosminscn_66p", "fblissjr_33p", "tiny95"])
def test_bounds_hold_for_specs(name: str) -> None:
    spec = load(next(SPECS.rglob(f"{name}.yaml")))
    (program,) = _programs(spec)
    program = with_fixed_patterns(program, spec.network)
    assert _mixed(program)
    _assert_bounded(spec, program)


def _assert_bounded(spec: Spec, program: Program) -> None:
    task, layout = spec.resolved.task, spec.layout
    inputs = [x for part in task.suites()["uniform"].parts(6, 1) for x in part.generate()]
    words = task.encode(inputs)
    prompts = torch.tensor(layout.prompts(words), dtype=torch.int64)
    answers = torch.tensor(layout.answers(words), dtype=torch.int64)
    tokens = torch.cat((prompts, answers), dim=1)[:, : program.length]
    values, errors = bounded_logits(pruned(program), tokens)
    reference = Reference(spec)
    with alone():
        for i in range(len(inputs)):
            plain = reference.logits(prompts[i : i + 1], answers[i : i + 1], range(len(layout.predicted)))
            assert ((plain.double() - values[i]).abs() <= errors[i]).all()
    assert errors.isfinite().all()


def test_the_last_attention_takes_each_prefix_by_itself_and_others_what_all_have_in_common() -> None:
    short, long = np.full((1, 2, 2), 0.5), np.full((1, 3, 3), 0.25)
    weights, error = _joined([short, long], 3, ends_only=True)
    assert weights[0].tolist() == [[0, 0, 0], [0.5, 0.5, 0], [0.25, 0.25, 0.25]]
    assert not error.any()
    weights, error = _joined([short, long], 3, ends_only=False)
    for pattern in (short, long):
        size = len(pattern[0])
        assert (np.abs(weights[0, :size, :size] - pattern) <= error[0, :size, :size]).all()
    assert not error[0, 2].any()


def test_a_pattern_that_reads_tokens_is_left(tmp_path: Path) -> None:
    reads_tokens = TIED.replace("1.7 * y", "1.7 * y + x")
    spec = load_text(tmp_path, small(reads_tokens))
    (program,) = _programs(spec)
    assert not fixed_attentions(program)
    assert with_fixed_patterns(program, spec.network) is program


def test_queries_and_keys_are_not_computed(tmp_path: Path) -> None:
    spec = load_text(tmp_path, small(TIED))
    (program,) = _programs(spec)
    before, after = (pruned(one).nodes for one in (program, with_fixed_patterns(program, spec.network)))
    assert len(after) < len(before)
