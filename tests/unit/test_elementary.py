"""Networks in elementary operations: a file for each kind of step, and programs that say one token alone."""

from __future__ import annotations

import ast
from functools import partial
from pathlib import Path

import pytest

import compiler.backends.elementary
import compiler.backends.torch
from compiler.backends.elementary import builder
from compiler.backends.elementary.model import translate, translate_wanted
from compiler.backends.elementary.program import NotFollowed, Program
from tests.helpers import load_text, small

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
    about_models = {"saving", "tracing", "state_dicts", "settings", "reference", "decode", "past"}
    about_models |= {"foreign", "module_files", "first_values"}
    programs, modules = _modules(compiler.backends.elementary), _modules(compiler.backends.torch)
    assert programs.keys() - about_programs == modules.keys() - about_models


def test_nothing_that_follows_programs_is_known_to_them() -> None:
    for path in _modules(compiler.backends.elementary).values():
        tree = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        named = [node.module or "" for node in tree if isinstance(node, ast.ImportFrom)]
        later = ("compiler.backends.bounds", "compiler.verifier", "torch")
        assert not [name for name in named if name.startswith(later)], path


def _shape(program: Program) -> tuple[object, ...]:
    return program.length, program.slots, program.prefixes, program.starts, program.decision.reads


@pytest.mark.parametrize(
    ("window", "shapes"),
    [  # of six tokens and three more: length, slots, prefixes, starts, where logits are read
        (None, [(6, (0,), (6,), (0,), (5,)), (7, (1,), (7,), (0,), (6,)), (8, (2,), (8,), (0,), (7,))]),
        (8, [(6, (0,), (6,), (0,), (5,)), (7, (1,), (7,), (0,), (6,)), (8, (2,), (8,), (0,), (7,))]),
        (7, [(6, (0,), (6,), (0,), (5,)), (7, (1,), (7,), (0, 1), (6,))]),
        (6, [(6, (0,), (6,), (0, 1, 2), (5,))]),
        (1, [(1, (0,), (1,), (5, 6, 7), (0,))]),
    ],
)
def test_programs_that_are_wanted_are_those_of_all(
    tmp_path: Path, window: int | None, shapes: list[tuple[object, ...]]
) -> None:
    """Tokens see later ones, so that each has a program of its own, but where a whole window is seen."""
    spec = load_text(tmp_path, small(SEES_LATER), {} if window is None else {"task.window": window})
    network, layout = spec.network, spec.layout
    assert [_shape(program) for program in translate(network, layout)] == shapes
    for slot in layout.predicted:
        (program,) = translate_wanted(network, layout, {slot})
        assert _shape(program) in shapes
        (alone,) = (one for one in program.at_each_start() if slot in one.slots)
        assert alone.positions == range(6 + slot - alone.length, 6 + slot)
    assert [_shape(program) for program in translate_wanted(network, layout, layout.predicted)] == shapes


def test_too_many_programs_are_refused_with_what_can_be_done(tmp_path: Path) -> None:
    """For 61 tokens: one after a whole window, and one where no token sees a later one."""
    text = small(SEES_LATER).replace("digits: 2", "digits: 60")
    spec = load_text(tmp_path, text)
    refused = r"each of 61 tokens needs a program .* give it a causal mask, or the task a `window`"
    for programs in (translate, partial(translate_wanted, wanted={0})):
        with pytest.raises(NotFollowed, match=refused):
            list(programs(spec.network, spec.layout))
    for remedy in (text.replace("answer: sum", "answer: sum\n  window: 40"), text.replace("    mask: none\n", "")):
        spec = load_text(tmp_path, remedy)
        (program,) = translate(spec.network, spec.layout)
        assert sum(len(alone.slots) for alone in program.at_each_start()) == 61


def test_programs_that_are_wanted_are_counted_by_themselves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each may be as large as all together."""
    spec = load_text(tmp_path, small(SEES_LATER))
    terms = 20  # each program has 16
    monkeypatch.setattr(builder, "MAX_TERMS", terms)
    with pytest.raises(NotFollowed, match=f"more than {terms} multiplications"):
        translate(spec.network, spec.layout)
    for slot in spec.layout.predicted:
        assert next(translate_wanted(spec.network, spec.layout, {slot})).slots == (slot,)
    monkeypatch.setattr(builder, "MAX_PATTERN", 2 * 8**2 - 1)  # the last one has two patterns of 8 tokens
    assert next(translate_wanted(spec.network, spec.layout, {1})).length == 7
    with pytest.raises(NotFollowed, match="numbers in patterns"):
        next(translate_wanted(spec.network, spec.layout, {2}))
