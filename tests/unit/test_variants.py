"""Variants of a spec: equations that replace those with the same targets, and where new steps go."""

from __future__ import annotations

from pathlib import Path

import pytest

from compiler.network.ir import Attention, Embedding, FeedForward, Head
from compiler.pipeline import Spec, load
from compiler.readers.diffing.diffing import diff
from compiler.source.diagnostics import Diagnostic, SpecError
from compiler.source.document import Mapping
from tests.helpers import small

BASE = small(
    """
embedding:
  digit[d]: {x: d, y: 1}
attention layer0:
  heads: look far
  score look: key_pos - query_pos
  query look: x
  value look: y
ffn layer0:
  hidden: unit[3] last
  up unit[i]: i * x
  up last: y
  down x: unit[0]
head:
  classes: 4
  logits digit[d]: d * x
""",
    definitions="constants: {n: 3}",
)


def variant(folder: Path, text: str, *settings: str) -> Spec:
    (folder / "base.yaml").write_text(BASE, encoding="utf-8")
    (folder / "variant.yaml").write_text(f"weightspec: 1\nextends: base.yaml\n{text}", encoding="utf-8")
    return load(folder / "variant.yaml", settings)


def refused(folder: Path, text: str, *settings: str) -> Diagnostic:
    with pytest.raises(SpecError) as caught:
        variant(folder, text, *settings)
    (diagnostic,) = (one for one in caught.value.diagnostics if one.severity == "error")
    return diagnostic


def ffn(spec: Spec) -> FeedForward:
    step = spec.network.step("layer0.ffn")
    assert isinstance(step, FeedForward)
    return step


def up(spec: Spec) -> dict[tuple[int, ...], float]:
    return {entry.index: entry.value for entry in ffn(spec).up.weight.entries if entry.value}


@pytest.mark.parametrize(
    ("equation", "expected"),
    [
        ("up unit[i]: 5 * x", {(0, 0): 5.0, (1, 0): 5.0, (2, 0): 5.0, (3, 1): 1.0}),
        ("up unit[j]: (j + 5) * y", {(0, 1): 5.0, (1, 1): 6.0, (2, 1): 7.0, (3, 1): 1.0}),
        ("up unit[k < n]: 7 * z", {(0, 2): 7.0, (1, 2): 7.0, (2, 2): 7.0, (3, 1): 1.0}),
        ("up hidden[n]: 9 * x", {(1, 0): 1.0, (2, 0): 2.0, (3, 0): 9.0}),
    ],
)
def test_an_equation_with_the_same_targets_replaces(
    tmp_path: Path, equation: str, expected: dict[tuple[int, ...], float]
) -> None:
    spec = variant(
        tmp_path,
        f"network: {{ffn layer0: {{'{equation.partition(':')[0]}': '{equation[equation.index(':') + 2 :]}'}}}}",
    )
    assert up(spec) == expected


def test_what_was_replaced_is_gone_from_the_document_and_from_differences(tmp_path: Path) -> None:
    spec = variant(tmp_path, "network:\n  ffn layer0:\n    up unit[j]: (j + 5) * y\n")
    network = spec.resolved.document.get("network")
    assert isinstance(network, Mapping)
    step = network.get("ffn layer0")
    assert isinstance(step, Mapping)
    assert [name for name in step.names if name.startswith("up")] == ["up last", "up unit[j]"]
    assert [str(one) for one in ffn(spec).up.equations] == ["up last: y", "up unit[j]: (j + 5) * y"]
    texts = diff(load(tmp_path / "base.yaml"), spec).texts
    changed = [(one.path, one.before, one.after) for one in texts if one.section == "equation"]
    assert changed == [
        ("ffn layer0 / up unit[i]", "i * x", None),
        ("ffn layer0 / up unit[j]", None, "(j + 5) * y"),
    ]


@pytest.mark.parametrize("equation", ["up unit[1]: x", "up unit[k < 2]: x", "up hidden[k]: x"])
def test_some_of_the_targets_are_not_enough(tmp_path: Path, equation: str) -> None:
    name, _, value = equation.partition(": ")
    found = refused(tmp_path, f"network:\n  ffn layer0:\n    {name}: {value}\n")
    assert found.code == "target-twice"
    assert found.span is not None
    assert found.span.source.name.endswith("variant.yaml")
    assert found.notes[0].span.source.name.endswith("base.yaml")
    assert found.hint == "write all of its targets and no others, or remove it: `up unit[i]: null`"


def test_removing_the_old_one_makes_room(tmp_path: Path) -> None:
    spec = variant(tmp_path, "network:\n  ffn layer0:\n    up unit[i]: null\n    up unit[1]: 4 * x\n")
    assert up(spec) == {(1, 0): 4.0, (3, 1): 1.0}


def test_a_bare_map_replaces_one_that_writes_every_row(tmp_path: Path) -> None:
    spec = variant(tmp_path, "network:\n  head:\n    logits: 2 * x\n    classes: 4\n")
    head = spec.network.steps[-1]
    assert isinstance(head, Head)
    assert head.logits.weight.shape == (1, 3)


def test_other_steps_replace_by_targets_too(tmp_path: Path) -> None:
    changes = """
network:
  embedding:
    digit[k]: {x: 10 * k}
  attention layer0:
    score heads[0]: 0
    "query look": 2 * x
"""
    found = refused(tmp_path, changes)
    assert (found.code, found.span and found.span.text) == ("unknown-name", "heads")
    spec = variant(tmp_path, changes.replace("score heads[0]: 0", "value look: 3 * y"))
    step = spec.network.steps[0]
    assert isinstance(step, Embedding)
    embedding = {entry.index: entry.value for entry in step.weight.entries}
    assert embedding[2, 0] == 20.0
    assert embedding[2, 1] == 1.0
    attention = spec.network.step("layer0.attention")
    assert isinstance(attention, Attention)
    assert [entry.value for entry in attention.query.weight.entries] == [2.0]


def test_a_setting_replaces_by_targets(tmp_path: Path) -> None:
    spec = variant(tmp_path, "name: v", "layer0.ffn.up unit[m]=m * z")
    assert up(spec) == {(1, 2): 1.0, (2, 2): 2.0, (3, 1): 1.0}


def test_three_layers(tmp_path: Path) -> None:
    """The nearest to the user wins: a setting, then the spec, then what it extends."""
    spec = variant(tmp_path, "network: {ffn layer0: {'up unit[j]': 5 * x}}", "layer0.ffn.up unit[m]=6 * x")
    assert up(spec)[2, 0] == 6.0


def order(spec: Spec) -> list[str]:
    return [step.name for step in spec.network.steps]


@pytest.mark.parametrize(
    ("step", "expected"),
    [
        ("ffn new: {hidden: u}", ["embedding", "layer0.attention", "layer0.ffn", "new.ffn", "head"]),
        ("norm: rms", ["embedding", "layer0.attention", "layer0.ffn", "norm", "head"]),
        ("ffn new: {hidden: u, after: embedding}", ["embedding", "new.ffn", "layer0.attention", "layer0.ffn", "head"]),
        (
            "norm: {rms: 1e-6, after: attention layer0}",
            ["embedding", "layer0.attention", "norm", "layer0.ffn", "head"],
        ),
        (
            "scale: {after: layer0.attention, 'stream[k]': 2}",
            ["embedding", "layer0.attention", "scale", "layer0.ffn", "head"],
        ),
        (
            "position: {after: embedding, x: pos}",
            ["embedding", "position", "layer0.attention", "layer0.ffn", "head"],
        ),
        (
            "repeat twice: {steps: layer0.attention, after: layer0.attention}",
            ["embedding", "layer0.attention", "twice.repeat", "layer0.ffn", "head"],
        ),
        (
            "mix: {streams: embedding - 0.5 * layer0.attention, after: layer0.attention}",
            ["embedding", "layer0.attention", "mix", "layer0.ffn", "head"],
        ),
        ("attention layer0: {after: ffn layer0}", ["embedding", "layer0.ffn", "layer0.attention", "head"]),
    ],
)
def test_where_a_step_goes(tmp_path: Path, step: str, expected: list[str]) -> None:
    assert order(variant(tmp_path, f"network:\n  {step}\n")) == expected


def test_several_steps_in_a_row(tmp_path: Path) -> None:
    steps = "network:\n  norm a: {rms: 1e-6, after: embedding}\n  norm b: {rms: 1e-6, after: a.norm}\n"
    assert order(variant(tmp_path, steps))[:3] == ["embedding", "a.norm", "b.norm"]


def test_a_place_that_does_not_exist(tmp_path: Path) -> None:
    found = refused(tmp_path, "network:\n  norm: {rms: 1e-6, after: layer0.atention}\n")
    assert (found.code, found.span and found.span.text) == ("unknown-name", "layer0.atention")
    assert "did you mean 'layer0.attention'?" in found.message


def test_after_is_for_variants(tmp_path: Path) -> None:
    (tmp_path / "alone.yaml").write_text(BASE.replace("hidden:", "after: embedding\n    hidden:"), encoding="utf-8")
    with pytest.raises(SpecError) as caught:
        load(tmp_path / "alone.yaml")
    assert [(one.code, one.span and one.span.text) for one in caught.value.diagnostics] == [("bad-value", "after")]
