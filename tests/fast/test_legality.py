"""What is legal after each pass over a program: every network keeps to it, and what breaks a rule is named."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any, get_args

import numpy as np
import pytest

from compiler.backends.bounds import folding, passes
from compiler.backends.bounds.demand import NOTHING, pruned
from compiler.backends.bounds.legality import RULES, check, violations
from compiler.backends.bounds.passes import CHECKED, PASSES, Use, after_each_pass, prepared
from compiler.backends.elementary.model import translate
from compiler.backends.elementary.program import (
    Attended,
    Linear,
    Lookup,
    Mixed,
    Normalized,
    NotFollowed,
    Operation,
    Program,
    Renewed,
    Rotated,
    Sum,
)
from compiler.network.ir import Network
from compiler.pipeline import Spec
from compiler.source.diagnostics import SpecError
from compiler.source.faults import ToolFault
from tests.fast.networks import random_network
from tests.helpers import SPECS, STEPS, load_text, loaded, small

PATHS = [*sorted(SPECS.rglob("*.yaml")), *sorted(STEPS.glob("*.yaml"))]
USES: tuple[Use, ...] = get_args(Use)
NETWORK = """
embedding:
  digit[d]: {x: d, y: 1}
  =: {y: 1}
  +: {y: 1}
attention layer0:
  heads: h[2]
  head_dim: 2
  rope: {frequency: 1 / (pair + 2)}
  query h[i, j]: 1
  key h[i, j]: x + j
  value h[i, j]: x - i * j
  output z: h[0, 0] - h[0, 1] + h[1, 0]
ffn layer1:
  hidden: a[2]
  norm: {rms: 1e-5}
  up a[i]: x + z + i
  down p: a[0] - a[1]
  stream: x y z p
head:
  logits digit[d]: d * p + z
"""
"""One of each kind of operation that the broken programs below need."""
UNREAD = """
embedding:
  digit[d]: {x: d, y: 1}
attention layer0:
  heads: h
  query: x
  key: x
  value: x
  output y: h
ffn layer1:
  hidden: a[2]
  up a[i]: x + y + i
  down p: a[0]
  down q: a[1]
  stream: x y z p q
head:
  logits digit[d]: d * p + q
"""
"""Nobody reads the old dimensions of the stream that the layer widens."""


def steps(spec: Spec, use: Use) -> Iterator[tuple[list[str], Program]]:
    """The programs of a spec after translation and after each pass, with the passes done. Raises `NotFollowed`."""
    for program in translate(spec.network, spec.layout):
        done: list[str] = []
        yield [], program
        for one, after in after_each_pass(program, spec.network, use):
            done.append(one.name)
            yield done, after


def is_legal(spec: Spec, use: Use) -> bool:
    """Whether the network can be followed; an illegal program fails."""
    try:
        for done, program in steps(spec, use):
            assert [f"{spec.title}, {done}: {one}" for one in violations(program, done)] == []
    except NotFollowed:
        return False
    return True


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_every_spec_is_legal_after_each_pass(path: Path) -> None:
    is_legal(loaded(path), "fast engine")


@pytest.mark.parametrize("use", USES)
def test_random_networks_are_legal_after_each_pass(tmp_path: Path, use: Use) -> None:
    followed = 0
    for seed in (*range(40), 537):  # of the last one, nothing is known of a table: an error is NaN
        try:
            spec = load_text(tmp_path, random_network(Random(f"network:{seed}")), name=f"random{seed}")
        except SpecError:
            continue
        followed += is_legal(spec, use)
    assert followed > 15


def test_each_pass_stands_once_and_rules_name_passes() -> None:
    names = [one.name for one in PASSES]
    assert len(names) == len(set(names))
    assert {name for rule in RULES for name in (rule.since, rule.until) if name} <= set(names)
    assert len({rule.name for rule in RULES}) == len(RULES)


@pytest.mark.parametrize("use", USES)
def test_dimensions_that_nobody_reads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, use: Use) -> None:
    """Zeros after the last channel of an input that was left out are no channels of another node."""
    monkeypatch.setattr(folding, "MAX_FOLDED", 0)
    spec = load_text(tmp_path, small(UNREAD))
    assert is_legal(spec, use)
    (program,) = translate(spec.network, spec.layout)
    made = prepared(program, spec.network, use)
    assert any(node.inputs == (NOTHING,) for node in made.nodes)
    assert [node.live for node in pruned(made).nodes] == [node.live for node in made.nodes]


Change = Callable[[Program], Program]


def number_of(program: Program, kind: type) -> int:
    """The first node of a kind."""
    return next(number for number, node in enumerate(program.nodes) if isinstance(node.operation, kind))


def node(kind: type, **changes: Any) -> Change:
    """The first node of a kind, changed."""

    def change(program: Program) -> Program:
        nodes, number = list(program.nodes), number_of(program, kind)
        nodes[number] = replace(nodes[number], **changes)
        return replace(program, nodes=tuple(nodes))

    return change


def operation(kind: type, change: Callable[[Any], Operation]) -> Change:
    """The operation of the first node of a kind, changed."""
    return lambda program: node(kind, operation=change(program.nodes[number_of(program, kind)].operation))(program)


def field(kind: type, name: str, change: Callable[[Any], object]) -> Change:
    """A field of the operation of the first node of a kind, changed."""
    return operation(kind, lambda one: replace(one, **{name: change(getattr(one, name))}))


def decision(**changes: Any) -> Change:
    return lambda program: replace(program, decision=replace(program.decision, **changes))


def fixed(program: Program) -> Program:
    """With a pattern of numbers."""
    attended = program.nodes[number_of(program, Attended)]
    zeros = np.zeros((2, program.length, program.length))
    return node(Attended, operation=Mixed(2, 2, 2, zeros, zeros), inputs=attended.inputs[2:])(program)


def doubled(program: Program) -> Program:
    """With a node that nothing reads."""
    return replace(program, nodes=(*program.nodes, program.nodes[0]))


def infinite(array: Any) -> Any:
    changed = np.array(array)
    changed.flat[0] = np.inf
    return changed


FAR = ((99, 1.0),)
BROKEN: list[tuple[str, str, type | int | None, str, Change]] = [  # rule, last pass, node, text, what breaks it
    ("inputs", "", Lookup, "Lookup has 1 inputs, not 0", node(Lookup, inputs=(0,))),
    ("inputs", "demand", Sum, "reads node 77, which is not before node 8", node(Sum, inputs=(0, 77))),
    ("inputs", "faint", Linear, "reads node 8, which is not before node 5", node(Linear, inputs=(8,))),
    ("no-gaps", "", Normalized, "it reads [-1]", node(Normalized, inputs=(NOTHING,))),
    ("no-gaps", "fixed", Normalized, "it reads [-1]", node(Normalized, inputs=(NOTHING,))),
    ("channels", "", Sum, "Sum wants 2 channels of input 0, which has 3", node(Sum, channels=2)),
    ("channels", "", Linear, "rows: 1, not 4", field(Linear, "rows", lambda rows: rows[:1])),
    ("channels", "faint", Linear, "biases: 1, not 3", field(Linear, "bias", lambda _: (1.0,))),
    ("channels", "", Normalized, "channels beyond its groups: 1, not 0", field(Normalized, "groups", lambda _: 2)),
    ("channels", "pruning", Attended, "limits: 1, not 4", field(Attended, "limits", lambda limits: limits[:1])),
    ("terms", "", Linear, "row 0 reads channel 99 of 3", field(Linear, "rows", lambda _: (FAR,) * 4)),
    ("shapes", "", Lookup, "(1, 5, 3), not (1, 6, 3)", field(Lookup, "value", lambda value: value[:, 1:])),
    ("shapes", "", Rotated, "its angles: (3, 1), not (8, 1)", field(Rotated, "angles", lambda angles: angles[:3])),
    ("shapes", "", Attended, "a pattern: (1, 1, 8), not (1, 8, 8)", field(Attended, "visible", lambda x: x[:, :1])),
    ("finite", "magnitudes", Lookup, "a value of Lookup: inf is not finite", field(Lookup, "value", infinite)),
    ("finite", "pruning", Lookup, "-1.0 is below 0", field(Lookup, "error", lambda error: error - 1)),
    ("symbols", "", Normalized, "the number 1, as node 9 does", field(Normalized, "first_symbol", lambda _: 1)),
    ("slots", "", None, "3 slots, 2 prefixes", lambda program: replace(program, prefixes=program.prefixes[:2])),
    ("slots", "", None, "the slots are [2, 1, 0]", lambda program: replace(program, slots=program.slots[::-1])),
    ("slots", "", None, "it starts at [0, 1], and says [0, 1, 2, 1, 2, 3]", lambda one: replace(one, starts=(0, 1))),
    ("slots", "cost", None, "position 40 is read of 8 tokens", decision(reads=(5, 6, 40))),
    ("decision", "", None, "the decision reads node 60 of 16", decision(node=60)),
    ("decision", "faint", 13, "6 logits for 7 classes", decision(classes=7)),
    ("unmarked", "", Sum, "channels [0] are marked", node(Sum, live=(0,))),
    ("order", "demand", Lookup, "live are [1, 0], of 3", node(Lookup, live=(1, 0))),
    ("order", "faint", Lookup, "exact are [3], of 3", node(Lookup, exact=(3,))),
    ("order", "faint", Lookup, "positions are [0, 400], of 8", node(Lookup, positions=(0, 400))),
    ("needs", "demand", Lookup, "node 2 needs channel 0, and [1] are there", node(Lookup, live=(1,))),
    ("needs", "folding", Lookup, "needs position 5, and [3] are there", node(Lookup, positions=(3,))),
    ("needs", "pruning", None, "node 9 needs the channels [0, 1, 2]", node(Renewed, inputs=(NOTHING,))),
    ("read", "pruning", 16, "Lookup is kept, and nothing is read of it", doubled),
    ("followed", "magnitudes", Renewed, "Renewed is without one", field(Renewed, "first_symbol", lambda _: None)),
    ("no-mixed", "cost", Attended, "Mixed is a pattern of numbers", fixed),
]


@pytest.mark.parametrize(
    ("rule", "last", "place", "text", "change"), BROKEN, ids=[f"{case[0]}-{case[1]}" for case in BROKEN]
)
def test_what_breaks_a_rule_is_told_by_its_name(
    tmp_path: Path, rule: str, last: str, place: type | int | None, text: str, change: Change
) -> None:
    spec = load_text(tmp_path, small(NETWORK))
    done, program = next((done, one) for done, one in steps(spec, "fast engine") if done[-1:] == [last][: bool(last)])
    assert violations(program, done) == []
    found = violations(change(program), done)
    assert {one.rule.name for one in found} == {rule}
    assert found[0].node == (number_of(program, place) if isinstance(place, type) else place)
    assert text in found[0].text
    after = f"the pass '{last}'" if last else "translation"
    with pytest.raises(ToolFault, match=f"in the program after {after}, the rule '{rule}' "):
        check(change(program), done)


def test_every_rule_is_broken_by_some_program() -> None:
    assert {case[0] for case in BROKEN} == {rule.name for rule in RULES}


@pytest.mark.parametrize("switch", ["1", "0", ""])
def test_the_switch_checks_after_each_pass(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, switch: str) -> None:
    def wrong(program: Program, _: Network) -> Program:
        return node(Normalized, live=(7,))(program)

    changed = [replace(one, run=wrong) if one.name == "cost" else one for one in PASSES]
    monkeypatch.setattr(passes, "PASSES", [*changed[:3]])
    monkeypatch.setenv(CHECKED, switch)
    spec = load_text(tmp_path, small(NETWORK))
    (program,) = translate(spec.network, spec.layout)
    if switch == "1":
        with pytest.raises(ToolFault, match=r"after the pass 'cost', the rule 'order' .* at node 10: live are \[7\]"):
            prepared(program, spec.network, "fast engine")
    else:
        assert prepared(program, spec.network, "fast engine").nodes[10].live == (7,)
