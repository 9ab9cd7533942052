"""Where lint says that no answer depends on a number, changing it changes no logit that an answer is read from."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest
import torch
from torch import Tensor

from compiler.network.causality import is_causal
from compiler.network.flow.backward import flow
from compiler.network.flow.task_tokens import Asked, asked_by, positions_in
from compiler.network.ir import Network
from compiler.pipeline import Spec, load
from compiler.readers.linting import lint
from compiler.tasks.layout import Layout
from tests.helpers import each, load_text, loaded
from tests.property.test_flow_property import FILES, assert_same_choices, dead, run, variant

Zeroed = dict[str, list[tuple[int, ...]]]
SEEDS = range(30)
CONTEXT = 8  # of the random specs: 2 + 1 + 2 tokens of the prompt, 3 of the answer
TEXT = """\
weightspec: 1
name: random
dtype: float64
parameters:
{parameters}
vocabulary: digit[3] + spare
task:
{task}
stream: x y z
network:
{network}
decode: argmax
"""
FORWARD = "  addition: {base: 3, digits: 2}\n  prompt: a + b\n  answer: ANSWER"
IN_PLACE = "  reverse: {symbols: 3, length: 3}\n  prompt: + word + 0 + spare\n  answer: {in_place: word}"


class Made:
    """A random spec in the making; `number` gives each number that is written a parameter of its own."""

    def __init__(self, seed: int, *, zeros: bool = True) -> None:
        self.random = Random(seed)
        self._chosen = (0, 0, 1) if zeros else (1,)
        self.values: list[float] = []

    def number(self) -> str:
        self.values.append(self.random.choice((*self._chosen, round(self.random.uniform(0.5, 2), 2))))
        return f"p{len(self.values) - 1}"

    def some(self, *names: str) -> list[str]:
        return [name for name in names if self.random.random() < 0.5] or [self.random.choice(names)]

    def affine(self, *names: str) -> str:
        return " + ".join(f"{self.number()} * {name}" for name in self.some(*names))

    def text(self) -> str:
        steps = ["  embedding:", *(f"    {token}: {{{self._row()}}}" for token in ("digit[d]", "+", "spare"))]
        for block in "ab":
            steps += self.random.choice((self._position, self._table, lambda _: []))(block)
            steps += self._attention(block)
            steps += self.random.choice((self._ffn, lambda _: []))(block)
        rows = [f"    logits digit[{d}]: {self.affine('x', 'y', 'z')}" for d in range(3)]
        network = "\n".join([*steps, "  head:", "    classes: 3", *rows])
        task = self.random.choice((FORWARD, FORWARD, IN_PLACE)).replace(
            "ANSWER", self.random.choice(("sum", "sum spare", "+ sum"))
        )
        parameters = "\n".join(f"  p{i}: {value}" for i, value in enumerate(self.values))
        return TEXT.format(parameters=parameters, task=task, network=network)

    def _row(self) -> str:
        return ", ".join(f"{name}: {self.number()}" for name in self.some("x", "y", "z"))

    def _position(self, block: str) -> list[str]:
        lines = [f"  position {block}:"]
        for name in self.some("x", "y", "z"):
            at = self.random.randrange(CONTEXT)
            lines.append(f"    {name}: where(pos == {at}, {self.number()}, pos < 2, {self.number()}, 0)")
        return lines

    def _table(self, block: str) -> list[str]:
        rows = [f"[{', '.join(self.number() for _ in range(3))}]" for _ in range(10)]
        return [f"  position {block}:", f"    table: '[{', '.join(rows)}]'"]

    def _attention(self, block: str) -> list[str]:
        lines = [f"  attention {block}:", "    heads: one two"]
        lines.append(
            f"    mask: {self.random.choice(('causal', 'causal', 'none', '{window: 2}', '-3', self.number()))}"
        )
        lines.append(f"    softmax: {self.random.choice(('standard', 'plus_one', 'hard'))}")
        for head in ("one", "two"):
            maps = self.some("query", "key", "value")
            lines += [f"    {map_} {head}: {self.affine('x', 'y', 'z', '1')}" for map_ in maps]
            if self.random.random() < 0.6:
                lines.append(f"    score {head}: {self._score()}")
        return [*lines, *(f"    output {name}: {self.affine('one', 'two')}" for name in self.some("x", "y", "z"))]

    def _score(self) -> str:
        query, key = self.random.randrange(CONTEXT), self.random.randrange(CONTEXT)
        far = self.random.choice(("-inf", self.number(), "0"))
        near = f"query_pos - key_pos > {self.random.randrange(4)}"
        here = f"query_pos == {query} and key_pos == {key}"
        return f"where(query_pos == key_pos, {self.number()}, {here}, {self.number()}, {near}, {far}, 0)"

    def _ffn(self, block: str) -> list[str]:
        lines = [f"  ffn {block}:", "    hidden: h[2]"]
        lines += [f"    up h[{i}]: {self.affine('x', 'y', 'z', '1')}" for i in range(2)]
        return [*lines, *(f"    down {name}: {self.affine('h[0]', 'h[1]')}" for name in self.some("x", "y", "z"))]


def idle(spec: Spec) -> list[str]:
    """The parameters on which no answer depends, as lint has them; each is one number."""
    found = [one for one in lint(spec) if one.code == "idle-parameter"]
    return [one.span.text for one in found if one.span is not None]


def inputs(asked: Asked, seed: int) -> Tensor:
    """Sequences of tokens that the task can have, as long as what is read needs."""
    random = Random(seed)
    rows = [[random.choice(sorted(tokens)) for tokens in asked.tokens] for _ in range(6)]
    return torch.tensor(rows)


def read_logits(network: Network, layout: Layout, zeroed: Zeroed, tokens: Tensor) -> Tensor:
    """The logits [inputs, read, classes] that an answer is read from: in place, or of what ends there."""
    read = positions_in(asked_by([layout]).read)
    if layout.in_place or is_causal(network):
        return run(network, zeroed, tokens)[:, read]
    return torch.stack([run(network, zeroed, tokens[:, : place + 1])[:, -1] for place in read], 1)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_parameter_without_an_answer_changes_none(seed: int, tmp_path: Path) -> None:
    made = Made(seed)
    spec = load_text(tmp_path, made.text())
    tokens = inputs(asked_by([spec.layout]), seed)
    before = read_logits(spec.network, spec.layout, {}, tokens)
    names = idle(spec)
    changed = {name: str(made.random.choice((-7.5, 0.25, 11))) for name in names}
    if names:
        after = load(spec.path, changed).network
        assert_same_choices(before, read_logits(after, spec.layout, {}, tokens))


def test_some_are_found_and_not_all(tmp_path: Path) -> None:
    """Where no number is zero, half of those that change nothing are found: a rule that finds none is of no use."""
    found = silent = every = 0
    for seed in list(SEEDS)[:2]:
        made = Made(seed, zeros=False)
        spec = load_text(tmp_path, made.text())
        tokens = inputs(asked_by([spec.layout]), seed)
        before, names = read_logits(spec.network, spec.layout, {}, tokens), idle(spec)
        for i, value in list(enumerate(made.values))[::5]:
            other = load(spec.path, {f"p{i}": str(value + 1.5)}).network
            after = read_logits(other, spec.layout, {}, tokens)
            every += 1
            found += f"p{i}" in names
            silent += bool(torch.allclose(before, after, rtol=0, atol=1e-12))
    assert 0 < found <= silent <= 2 * found < every, (found, silent, every)


@pytest.mark.parametrize("path", each(FILES))
def test_what_is_dead_for_a_task_changes_no_answer(path: Path) -> None:
    """With weights left out, so that more is dead."""
    spec = loaded(path)
    random = Random(path.stem)
    asked = asked_by([spec.layout])
    tokens = inputs(asked, 1)
    for share in (0.0, 0.2, 0.5):
        network = variant(spec.network, share, random) if share else spec.network
        zeroed = dead(network, flow(network, asked))
        before, after = (read_logits(network, spec.layout, one, tokens) for one in ({}, zeroed))
        assert_same_choices(before, after)
