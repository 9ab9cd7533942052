"""Networks in elementary operations: a file for each kind of step, and programs that say one token alone."""

from __future__ import annotations

import ast
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

import compiler.backends.elementary
import compiler.backends.torch
from compiler.backends.bounds.passes import prepared
from compiler.backends.bounds.tensors import said
from compiler.backends.elementary import builder
from compiler.backends.elementary.model import translate, translate_slot
from compiler.backends.elementary.program import NotFollowed, Program
from compiler.pipeline import Spec, load
from tests.fast.containment import any_tokens, suite_tokens
from tests.helpers import SPECS, STEPS, each, load_text, small

# The first attention lets tokens see later ones, so that each token of the answer has a program of its own.
SEES_LATER = """
embedding: {"digit[d]": {x: d + 1}}
attention first:
  mask: none
  query head: 0.3 * x
  key head: 0.7 * x
  value: x
  output y: head
attention second:
  query head: 0.1 * x
  key head: y
  value: x + y
  output z: head
head:
  logits digit[d]: d * z + x
"""


def _modules(package: object) -> dict[str, Path]:
    (folder,) = package.__path__  # type: ignore[attr-defined]
    return {path.stem: path for path in Path(folder).glob("*.py")}


def test_a_kind_of_step_has_the_file_that_it_has_in_the_torch_backend() -> None:
    about_programs = {"program", "builder"}
    about_models = {"saving", "tracing", "state_dicts", "settings", "reference", "decode", "foreign", "module_files"}
    programs, modules = _modules(compiler.backends.elementary), _modules(compiler.backends.torch)
    assert programs.keys() - about_programs == modules.keys() - about_models


def test_nothing_that_follows_programs_is_known_to_them() -> None:
    for path in _modules(compiler.backends.elementary).values():
        tree = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        named = [node.module or "" for node in tree if isinstance(node, ast.ImportFrom)]
        later = ("compiler.backends.bounds", "compiler.verifier", "torch")
        assert not [name for name in named if name.startswith(later)], path


def _said(spec: Spec, program: Program, sequences: NDArray[np.int32]) -> NDArray[np.int32]:
    """[B, slots], -1 where it is not sure"""
    read = torch.from_numpy(np.ascontiguousarray(sequences[:, : program.length]))
    found: NDArray[np.int32] = said(prepared(program, spec.network, "fast engine"), read).numpy()
    return found


def _check_slots(spec: Spec) -> int:
    """How many tokens were sure."""
    network, layout = spec.network, spec.layout
    parts = [any_tokens(spec, 20, 1)]
    if "uniform" in spec.resolved.task.suites():
        parts.append(suite_tokens(spec, "uniform", 20, 1))
    sequences = np.concatenate([np.concatenate(part, axis=1) for part in parts])
    expected: dict[int, NDArray[np.int32]] = {}
    for program in translate(network, layout):
        expected |= zip(program.slots, _said(spec, program, sequences).T, strict=True)
    assert tuple(expected) == layout.predicted
    sure = 0
    for slot in layout.predicted:
        alone = translate_slot(network, layout, slot)
        assert (alone.slots, alone.prefixes) == ((slot,), (alone.length,))
        assert alone.length == len(layout.prompt) + (0 if layout.in_place else slot)
        tokens = _said(spec, alone, sequences)[:, 0]
        assert np.array_equal(tokens, expected[slot]), slot
        sure += int((tokens >= 0).sum())
    return sure


@pytest.mark.parametrize("path", each(sorted(SPECS.rglob("*.yaml"))))
def test_a_program_for_one_token_says_what_the_program_for_all_says(path: Path) -> None:
    assert _check_slots(load(path)) > 0


@pytest.mark.parametrize("path", sorted(STEPS.glob("*.yaml")), ids=lambda path: path.stem)
def test_so_it_does_for_each_kind_of_step(path: Path) -> None:
    _check_slots(load(path))


def test_so_it_does_where_tokens_see_later_ones(tmp_path: Path) -> None:
    spec = load_text(tmp_path, small(SEES_LATER))
    assert [program.slots for program in translate(spec.network, spec.layout)] == [(0,), (1,), (2,)]
    assert _check_slots(spec) > 0


def test_programs_for_one_token_are_counted_by_themselves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As many as there are tokens, and each as large as all together may be."""
    spec = load_text(tmp_path, small(SEES_LATER).replace("digits: 2", "digits: 60"))
    with pytest.raises(NotFollowed, match="each of 61 tokens"):
        translate(spec.network, spec.layout)
    last = spec.layout.predicted[-1]
    program = translate_slot(spec.network, spec.layout, last)
    assert (program.slots, program.decision.reads) == ((last,), (program.length - 1,))

    spec = load_text(tmp_path, small(SEES_LATER))
    terms = 20  # each program has 16
    monkeypatch.setattr(builder, "MAX_TERMS", terms)
    with pytest.raises(NotFollowed, match=f"more than {terms} multiplications"):
        translate(spec.network, spec.layout)
    for slot in spec.layout.predicted:
        assert translate_slot(spec.network, spec.layout, slot).slots == (slot,)
    monkeypatch.setattr(builder, "MAX_PATTERN", 2 * 8**2 - 1)  # the last one has two patterns of 8 tokens
    assert translate_slot(spec.network, spec.layout, 1).length == 7
    with pytest.raises(NotFollowed, match="numbers in patterns"):
        translate_slot(spec.network, spec.layout, 2)
