"""The values of one pass through a model, and how one of them is named: `layer0.ffn.up.candidate[3]@12`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from compiler.backends.torch.tracing import Activation
from compiler.network.ir import Network, Step
from compiler.source.diagnostics import did_you_mean, fail

_PAIR = re.compile(r"\[(.*), *([^,\]]*)\]", re.DOTALL)  # head and key


@dataclass(frozen=True)
class TracedValue:
    """A number of a trace, by the places of the activation in the trace, the token, and the dimension.

    A score, or a weight in a pattern, has the query as its position, the head as its channel, and a `key`.
    """

    run: int
    position: int
    channel: int
    key: int | None = None


@dataclass(frozen=True)
class TracedValues:
    """The values of one pass over `tokens`, and the network that computed them."""

    network: Network
    tokens: tuple[int, ...]
    activations: tuple[Activation, ...]

    @cached_property
    def steps(self) -> dict[str, Step]:
        return {step.name: step for step in self.network.steps}

    def label(self, value: TracedValue) -> str:
        """Its name: `layer0.ffn.up.candidate[3]`, or `layer0.attention.scores[count, 5]` with head and key."""
        activation = self.activations[value.run]
        label = activation.labels[value.channel]
        return f"{activation.name}.{label}" if value.key is None else f"{activation.name}[{label}, {value.key}]"

    def run_of(self, value: TracedValue) -> int | None:
        """Which run of its step it is from, from 1; None where the step runs once."""
        runs = self.runs(self.activations[value.run].name)
        return runs.index(value.run) + 1 if len(runs) > 1 else None

    def runs(self, name: str) -> list[int]:
        """Where the values of that name stand in the trace."""
        return [i for i, activation in enumerate(self.activations) if activation.name == name]

    def number(self, value: TracedValue) -> float:
        place = value.channel if value.key is None else value.channel * len(self.tokens) + value.key
        return float(self.activations[value.run].at(value.position)[place])

    def row(self, run: int, position: int) -> list[float]:
        """All dimensions of a value at a position."""
        numbers: list[float] = self.activations[run].at(position).tolist()
        return numbers

    def head_row(self, run: int, position: int, head: int) -> list[float]:
        """The coordinates of a head, or its numbers for all keys."""
        row = self.row(run, position)
        size = len(row) // self.activations[run].value.shape[1]
        return row[head * size : (head + 1) * size]

    def latest(self, name: str, before: int) -> int:
        """The last value of that name before another one."""
        return next(i for i in reversed(range(before)) if self.activations[i].name == name)

    def stream_before(self, run: int) -> int:
        """The stream that the step reads which computes a value."""
        return next(i for i in reversed(range(run)) if self.activations[i].name in self.steps)

    def step_of(self, run: int) -> Step:
        """The step that computes a value."""
        name = self.activations[run].name
        return self.steps[next(step for step in self.steps if name == step or name.startswith(f"{step}."))]


def find_value(values: TracedValues, asked: str) -> TracedValue:
    """The number `NAME.DIMENSION@POSITION`, or `…@POSITION:RUN`: runs of a step count from 1, the last is the default.

    A score or a weight in a pattern is `NAME[HEAD, KEY]@QUERY`. Raises `SpecError` where there is none.
    """
    unit, at, position = asked.rpartition("@")
    if not at:
        hint = f"such as '{asked}@{len(values.tokens) - 1}'"
        raise fail("syntax", f"'{asked}' has no position", hint=hint)
    position, colon, run = position.partition(":")
    name, label, key = _of_pair(values, unit) or _of_dimension(values, unit)
    runs = values.runs(name)
    axis = values.activations[runs[-1]].labels
    if label not in axis:
        raise fail("unknown-name", f"{name} has no '{label}'{did_you_mean(label, axis)}")
    at_run = _run(runs, run) if colon else runs[-1]
    at_key = None if key is None else _position(values, key)
    return TracedValue(at_run, _position(values, position), axis.index(label), at_key)


def _of_pair(values: TracedValues, unit: str) -> tuple[str, str, str] | None:
    """The name, the head and the key of a number that is there for two positions; None where the name is of others."""
    pairs = {activation.name: activation for activation in values.activations if "time" not in activation.dimensions}
    name = next((name for name in pairs if unit.startswith(name) and unit[len(name) :][:1] in ("", ".", "[")), None)
    if name is None:
        return None
    inner = _PAIR.fullmatch(unit[len(name) :])
    if inner is None:
        hint = f"such as '{name}[{pairs[name].labels[0]}, 0]@{len(values.tokens) - 1}'"
        raise fail("syntax", f"'{unit}' does not name a head and a key", hint=hint)
    return name, inner[1], inner[2]


def _of_dimension(values: TracedValues, unit: str) -> tuple[str, str, None]:
    """The longest name with a dimension, or with what is none of its dimensions."""
    named = {activation.name: activation for activation in values.activations if "time" in activation.dimensions}
    ends = [i for i, character in enumerate(unit) if character == "." and unit[:i] in named]
    if not ends:
        known = [f"{name}.{unit.rpartition('.')[2]}" for name in named]
        message = f"'{unit}' is no dimension of a step{did_you_mean(unit, known)}"
        raise fail("unknown-name", message, hint=_example(values))
    end = next((end for end in reversed(ends) if unit[end + 1 :] in named[unit[:end]].labels), ends[-1])
    return unit[:end], unit[end + 1 :], None


def _example(values: TracedValues) -> str:
    last = values.activations[-1]
    return f"such as '{last.name}.{last.labels[0]}@{len(values.tokens) - 1}'"


def _run(runs: Sequence[int], text: str) -> int:
    number = _number(text)
    if not 1 <= number <= len(runs):
        raise fail("index-range", f"the runs of this step are 1 to {len(runs)}, not {text}")
    return runs[number - 1]


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 9 else -1


def _position(values: TracedValues, text: str) -> int:
    position = _number(text)
    check_position(position, len(values.tokens), text)
    return position


def check_position(position: int, length: int, asked: object) -> None:
    """Raises `SpecError` unless a sequence of so many tokens has that position."""
    if not 0 <= position < length:
        raise fail("index-range", f"positions of this sequence are 0 to {length - 1}, not {asked}")
