"""Networks of the repository with some of their numbers and options changed at random."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import fields, is_dataclass, replace
from random import Random
from typing import Any, TypeVar

from compiler.expressions.floats import FloatFormat, round_to
from compiler.network import ir

T = TypeVar("T")
FACTORS = (0.5, 2.0, 1.01, 0.9, -1.0, 0.0, 1e-3, 30.0, 1e3, 1e-9)
EPSILONS = (1e-12, 1e-6, 1e-3, 1.0, 100.0)


def changed(network: ir.Network, random: Random) -> ir.Network:
    """One to three kinds of changes. Tied tensors stay tied."""
    for change in random.sample(KINDS, random.choice((1, 1, 2, 3))):
        network = replace(network, steps=tuple(change(network, random)))
    if random.random() < 0.2:
        network = replace(network, decode="argmin" if network.decode == "argmax" else "argmax")
    return network


def with_tensors(network: ir.Network, change: Callable[[ir.Tensor], tuple[ir.Entry, ...]]) -> list[ir.Step]:
    """Its steps with other entries in each tensor; `change` is asked once for those of one name."""
    made: dict[str, ir.Tensor] = {}

    def once(tensor: ir.Tensor) -> ir.Tensor:
        if tensor.name not in made:
            stored = tensor.as_stored
            made[tensor.name] = replace(stored, entries=change(stored))
        return made[tensor.name].transpose() if tensor.transposed else made[tensor.name]

    return [_mapped(step, once) for step in network.steps]


def _mapped(value: T, change: Callable[[ir.Tensor], ir.Tensor]) -> T:
    """The value with every tensor in it changed."""
    found: Any = value
    if isinstance(value, ir.Tensor):
        found = change(value)
    elif isinstance(value, tuple):
        found = tuple(_mapped(item, change) for item in value)
    elif is_dataclass(value) and not isinstance(value, type) and type(value).__module__ == ir.__name__:
        found = replace(value, **{field.name: _mapped(getattr(value, field.name), change) for field in fields(value)})
    return found  # type: ignore[no-any-return]


def _scaled(network: ir.Network, random: Random) -> list[ir.Step]:
    """Some tensors times a number."""

    def change(tensor: ir.Tensor) -> tuple[ir.Entry, ...]:
        factor = random.choice(FACTORS) if random.random() < 0.3 else 1.0
        return tuple(replace(entry, value=fit(factor * entry.value, network.dtype)) for entry in tensor.entries)

    return with_tensors(network, change)


def _jittered(network: ir.Network, random: Random) -> list[ir.Step]:
    """Weights off by a little, down to the last bit."""
    share = math.ldexp(1.0, -random.randint(2, network.dtype.precision))

    def change(tensor: ir.Tensor) -> tuple[ir.Entry, ...]:
        factors = (1 + random.choice((-1, 0, 1)) * share for _ in tensor.entries)
        pairs = zip(tensor.entries, factors, strict=True)
        return tuple(replace(entry, value=fit(factor * entry.value, network.dtype)) for entry, factor in pairs)

    return with_tensors(network, change)


def _repeated(network: ir.Network, random: Random) -> list[ir.Step]:
    """Weights that are others of the same tensor, which makes ties, or zero, or of another size."""

    def value(tensor: ir.Tensor, entry: ir.Entry) -> float:
        if random.random() < 0.85:
            return entry.value
        other = random.choice(tensor.entries).value
        return fit(random.choice((other, other, 0.0, entry.value * 1e6, entry.value * 1e-6)), network.dtype)

    return with_tensors(network, lambda tensor: tuple(replace(e, value=value(tensor, e)) for e in tensor.entries))


def fit(value: float, dtype: FloatFormat) -> float:
    """A number in the dtype, and finite."""
    rounded = round_to(value, dtype)
    return rounded if math.isfinite(rounded) else math.copysign(dtype.largest, rounded)


def _optioned(network: ir.Network, random: Random) -> list[ir.Step]:
    """Other options."""
    return [_with_options(step, network.dtype, random) if random.random() < 0.6 else step for step in network.steps]


def _with_options(step: ir.Step, dtype: FloatFormat, random: Random) -> ir.Step:
    match step:
        case ir.StreamNorm(norm=norm):
            return replace(step, norm=_with_epsilon(norm, random))
        case ir.Head(norm=norm):
            return replace(step, norm=norm and _with_epsilon(norm, random))
        case ir.FeedForward(norm=norm):
            activation = random.choice(ir.ACTIVATIONS)
            return replace(step, activation=activation, norm=norm and _with_epsilon(norm, random))
        case ir.Attention():
            return _with_other_scores(step, dtype, random)
        case _:
            return step


def _with_epsilon(norm: ir.Norm, random: Random) -> ir.Norm:
    return replace(norm, epsilon=random.choice(EPSILONS), kind=random.choice(("rms", "rms", "layer")))


def _with_other_scores(step: ir.Attention, dtype: FloatFormat, random: Random) -> ir.Attention:
    match random.randrange(6):
        case 0:
            hard = ir.HardSoftmax(random.choice(("share", "earliest", "latest")))
            return replace(
                step, softmax=random.choice(("plus_one" if step.softmax == "standard" else "standard", hard))
            )
        case 1:
            return replace(step, mask=random.choice(("causal", "none", -30.0, -1024.0, ir.Window(3))))
        case 2:
            scale = ir.Scale(random.choice(("multiply", "divide")), random.choice((0.1, 0.5, 3.0, -1.0, 20.0)))
            return replace(step, scale=scale)
        case 3 if step.rope is not None:
            factor = random.choice((0.5, 1.001, 7.0, 100.0))
            frequencies = tuple(fit(factor * frequency, dtype) for frequency in step.rope.frequencies)
            pairs: ir.RopePairs = random.choice(("adjacent", "halves"))
            return replace(step, rope=replace(step.rope, frequencies=frequencies, pairs=pairs))
        case 4 if step.query_norm is not None and step.key_norm is not None:
            norms = _with_epsilon(step.query_norm, random), _with_epsilon(step.key_norm, random)
            return replace(step, query_norm=norms[0], key_norm=norms[1])
        case _:
            return replace(step, norm=step.norm and _with_epsilon(step.norm, random), scores=step.scores[:-1])


KINDS = (_scaled, _jittered, _repeated, _optioned, _optioned)
