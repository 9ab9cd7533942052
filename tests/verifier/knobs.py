"""Ways to change a network little by little, from what it is to something else."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from random import Random

from compiler.expressions.axes import Axis, Family
from compiler.expressions.floats import FloatFormat
from compiler.expressions.values import NOWHERE
from compiler.network import ir
from compiler.source.text import Source, Span
from tests.fast.changed import fit, with_tensors

EXTREMES = (0.0, -1.0, 0.5, 2.0, 0.9, 1.1, 10.0, 0.1, 1e3, 1e-3, 1e6)  # factors
MADE = ir.Equation("made", "by a test", Span(Source("a test", ""), 0, 0))


@dataclass(frozen=True)
class Knob:
    """`turn(0)` is the network as it is, or says the same, `turn(1)` is another, and between them all lies between."""

    label: str
    turn: Callable[[float], ir.Network]


def any_knob(network: ir.Network, random: Random) -> Knob:
    return random.choice(KNOBS)(network, random)


def tensor_knob(network: ir.Network, random: Random) -> Knob:
    """All numbers of a tensor times a factor."""
    tensor = _any_tensor(network, random)
    extreme = random.choice(EXTREMES)

    def turn(share: float) -> ir.Network:
        factor = 1 + share * (extreme - 1)
        return _with_entries(network, tensor, [(entry, factor * entry.value) for entry in tensor.entries])

    return Knob(f"{tensor.name} times {extreme:g}", turn)


def entry_knob(network: ir.Network, random: Random) -> Knob:
    """One number of a tensor, which may be a zero that is not written, moves away."""
    tensor = _any_tensor(network, random)
    index = tuple(random.randrange(size) for size in tensor.shape)
    if random.random() < 0.6:
        index = random.choice(tensor.entries).index
    value = next((entry.value for entry in tensor.entries if entry.index == index), 0.0)
    size = max(abs(entry.value) for entry in tensor.entries)
    off = random.choice((-1, 1)) * random.choice((size, abs(value) or size, 0.1 * size, 0.01 * size))

    def turn(share: float) -> ir.Network:
        others = [(entry, entry.value) for entry in tensor.entries if entry.index != index]
        moved = (ir.Entry(index, 0.0, MADE, NOWHERE), value + share * off)
        return _with_entries(network, tensor, [*others, moved])

    return Knob(f"{tensor.name}{list(index)} plus {off:g}", turn)


def option_knob(network: ir.Network, random: Random) -> Knob:
    """A number that is an option of a step: its scale, its rotation or the epsilon of its norm. Or a tensor, where the
    network has none of them."""
    makers: list[tuple[str, ir.Step, Callable[[float], ir.Step]]] = []
    for step in network.steps:
        if isinstance(step, ir.Attention):
            makers.append(("scale", step, partial(_scaled, step, network.dtype)))
            if step.rope is not None:
                makers.append(("rotation", step, partial(_turned, step, step.rope, network.dtype)))
        if isinstance(step, ir.Attention | ir.FeedForward | ir.Head) and step.norm is not None:
            makers.append(("epsilon", step, partial(_blurred, step, step.norm)))
    if not makers:
        return tensor_knob(network, random)
    what, chosen, make = random.choice(makers)
    extreme = random.choice(EXTREMES)

    def turn(share: float) -> ir.Network:
        changed = make(1 + share * (extreme - 1))
        return replace(network, steps=tuple(changed if step is chosen else step for step in network.steps))

    return Knob(f"the {what} of {chosen.name} times {extreme:g}", turn)


def trigger_knob(network: ir.Network, random: Random) -> Knob:
    """A unit before the logits that spoils them where a random sum of the stream is large: the farther it is turned,
    the smaller is what is large."""
    steps = network.steps
    last = steps[-1] if isinstance(steps[-1], ir.Head) else None
    stream = ir.stream_after(steps[-1])
    hidden = Axis((Family("trigger"),))
    weights = [random.choice((0.0, 1.0, 1.0, random.uniform(-1, 1))) for _ in range(stream.size)]
    spoiled, most = random.randrange(stream.size), 10.0 ** random.randint(0, 7)
    sharp = random.choice((1.0, 1e3, 1e6))

    def turn(share: float) -> ir.Network:
        bias = _vector("trigger.up.bias", hidden, fit(-most * (1 - share), network.dtype))
        up = ir.Map("trigger.up", stream, hidden, _row("trigger.up", hidden, stream, weights), bias)
        entry = ir.Entry((spoiled, 0), fit(sharp, network.dtype), MADE, NOWHERE)
        down = ir.Map("trigger.down", hidden, stream, ir.Tensor("trigger.down.weight", (stream, hidden), (entry,)))
        step = ir.FeedForward("trigger.ffn", stream, hidden, None, None, up, down, "relu", stream)
        before = steps[:-1] if last is not None else steps
        return replace(network, steps=(*before, step, *((last,) if last is not None else ())))

    return Knob(f"a trigger from {most:g} down on {stream.labels[spoiled]}", turn)


KNOBS: tuple[Callable[[ir.Network, Random], Knob], ...] = (
    tensor_knob,
    entry_knob,
    entry_knob,
    entry_knob,
    option_knob,
    *(trigger_knob,) * 5,
)


def _any_tensor(network: ir.Network, random: Random) -> ir.Tensor:
    tensors: dict[str, ir.Tensor] = {}

    def seen(tensor: ir.Tensor) -> tuple[ir.Entry, ...]:
        tensors[tensor.name] = tensor
        return tensor.entries

    with_tensors(network, seen)
    return random.choice([tensor for tensor in tensors.values() if any(entry.value for entry in tensor.entries)])


def _with_entries(network: ir.Network, tensor: ir.Tensor, entries: list[tuple[ir.Entry, float]]) -> ir.Network:
    """With these entries, of other values, in the tensor of that name."""
    found = tuple(replace(entry, value=fit(value, network.dtype)) for entry, value in entries)
    found = tuple(sorted(found, key=lambda entry: entry.index))
    steps = with_tensors(network, lambda other: found if other.name == tensor.name else other.entries)
    return replace(network, steps=tuple(steps))


def _scaled(step: ir.Attention, dtype: FloatFormat, factor: float) -> ir.Step:
    value = fit(step.scale.value * factor, dtype)
    return replace(step, scale=ir.Scale("multiply" if value == 0 else step.scale.operation, value))


def _turned(step: ir.Attention, rope: ir.Rope, dtype: FloatFormat, factor: float) -> ir.Step:
    frequencies = tuple(fit(factor * frequency, dtype) for frequency in rope.frequencies)
    return replace(step, rope=replace(rope, frequencies=frequencies))


def _blurred(step: ir.Attention | ir.FeedForward | ir.Head, norm: ir.Norm, factor: float) -> ir.Step:
    """Its epsilon up to 1e12 times as large."""
    larger = (norm.epsilon or 1e-12) * math.pow(1e12, abs(factor) / (1 + abs(factor)))
    return replace(step, norm=replace(norm, epsilon=larger))


def _row(name: str, outputs: Axis, inputs: Axis, weights: list[float]) -> ir.Tensor:
    entries = (ir.Entry((0, i), weight, MADE, NOWHERE) for i, weight in enumerate(weights) if weight)
    return ir.Tensor(f"{name}.weight", (outputs, inputs), tuple(entries))


def _vector(name: str, axis: Axis, value: float) -> ir.Tensor:
    return ir.Tensor(name, (axis,), (ir.Entry((0,), value, MADE, NOWHERE),))
