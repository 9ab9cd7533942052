"""Whether numbers lie inside abstract values: each by itself, and together, as far as they share what varies."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from compiler.backends.bounds.arithmetic import SLACK
from compiler.backends.bounds.bounded import Bounded
from compiler.backends.bounds.magnitudes import check_magnitudes
from compiler.backends.bounds.quantities import Quantity
from compiler.backends.elementary.model import _one_is_enough, translate
from compiler.backends.elementary.program import Attended, Program
from compiler.backends.torch.model import build_model
from compiler.backends.torch.reference import alone
from compiler.network import ir
from compiler.pipeline import Spec
from compiler.tasks.layout import Layout

Array = NDArray[np.longdouble]
DIRECTIONS = 24  # random sums of channels, beside each channel


@dataclass(frozen=True, eq=False)
class Box:
    """Abstract values: `value` and `error` [..., channels], `shared` [symbols, ..., channels]."""

    value: Array
    error: Array
    shared: Array

    @staticmethod
    def of(channels: Sequence[Bounded], read: Callable[[Quantity], NDArray[np.float64]]) -> Box:
        """`read` gives a quantity as an array [...], the same for all."""
        symbols = sorted({symbol for x in channels for symbol in x.shared})
        value = np.stack([read(x.value) for x in channels], -1).astype(np.longdouble)
        shared = np.zeros((len(symbols), *value.shape), np.longdouble)
        for c, x in enumerate(channels):
            for symbol, part in x.shared.items():
                shared[symbols.index(symbol), ..., c] = read(part)
        return Box(value, np.stack([read(x.error) for x in channels], -1).astype(np.longdouble), shared)

    def check(self, plain: Array, random: np.random.Generator, about: object) -> int:
        """Raises `AssertionError` where numbers [..., channels] are outside, alone or together; how many were compared.

        Numbers are inside together if and only if no sum of them, with any weights, is outside its range; some are
        tried. What is not finite bounds nothing.
        """
        channels = self.value.shape[-1]
        with np.errstate(invalid="ignore"):
            known = np.isfinite(self.value) & np.isfinite(self.error) & np.isfinite(self.shared).all(0)
        value, error, shared = (np.where(known, part, 0) for part in (self.value, self.error, self.shared))
        off = np.where(known, plain - value, 0)
        weights = [np.eye(channels)]
        if channels > 1:
            signs = random.choice([-1.0, 0.0, 1.0], (DIRECTIONS, channels), p=[0.25, 0.5, 0.25])
            weights += [signs, random.normal(size=(DIRECTIONS, channels))]
        weight = np.concatenate(weights).astype(np.longdouble)
        allowed = np.abs(shared @ weight.T).sum(0) + error @ np.abs(weight).T
        # the numbers of shared parts are rounded themselves
        own = 2.0**-52 * (channels + 2) * (np.abs(shared).sum(0) + np.abs(value) * 2.0**-8) @ np.abs(weight).T
        moved = np.abs(off @ weight.T)
        outside = ~(moved <= SLACK * (allowed + own))
        if outside.any():
            at = tuple(np.argwhere(outside)[0].tolist())
            where = at[:-1]
            raise AssertionError(
                f"{about}: {int(outside.sum())} of {outside.size} outside, first at {at}\n"
                f"off by {moved[at]!r}, at most {allowed[at]!r} is allowed\nweights {weight[at[-1]].tolist()}\n"
                f"plain {plain[where].tolist()}\nvalue {self.value[where].tolist()}\nerror {self.error[where].tolist()}"
            )
        return int(known.sum())


def after_steps(positions: int, steps: NDArray[np.int64]) -> Callable[[Quantity], NDArray[np.float64]]:
    """How to read quantities [positions | 1, steps | 1] after these steps [samples, positions], of whose shape they
    then are."""

    def read(x: Quantity) -> NDArray[np.float64]:
        full = _array(x, (positions, int(steps.max()) + 1))
        found: NDArray[np.float64] = full[np.arange(positions)[None], steps]
        return found

    return read


def of_cells(cells: int) -> Callable[[Quantity], NDArray[np.float64]]:
    """How to read quantities [1, cells | 1]: [cells]."""
    return lambda x: _array(x, (1, cells))[0]


def _array(x: Quantity, shape: tuple[int, int]) -> NDArray[np.float64]:
    if not isinstance(x, Tensor):
        return np.full(shape, float(x))
    found = x.numpy()
    if found.shape[1] > shape[1]:
        found = found[:, : shape[1]]
    return np.broadcast_to(found, shape)


def whole_programs(network: ir.Network, layout: Layout) -> Iterator[tuple[int, Program]]:
    """The programs of which everything is needed: each channel of each node at all positions. Each start is alone, with
    the number of its program."""
    for which, program in enumerate(translate(network, layout)):
        yield from ((which, alone) for alone in _whole(program).at_each_start())


def _whole(program: Program) -> Program:
    everywhere = tuple(range(program.length))
    nodes = (replace(node, positions=everywhere, live=tuple(range(node.channels))) for node in program.nodes)
    return check_magnitudes(replace(program, nodes=tuple(nodes)))


def plain_values(
    network: ir.Network, layout: Layout, program: Program, which: int, tokens: NDArray[np.int64]
) -> Iterator[tuple[int, int, Array]]:
    """What the torch module computes for a sequence [time], where the nodes of a whole program show: (node, position,
    channels). `which` program of the network it is."""
    streams = _streams(network, layout, which)
    ends_read = _one_is_enough(network, layout)
    model = build_model(network).eval()
    seen: dict[tuple[str, int], Tensor] = {}
    for name, module in model.named_modules():
        module.register_forward_hook(_shows(seen, name))
    lengths = range(1, program.length + 1) if ends_read else [program.length]
    for length in lengths:
        seen.clear()
        with alone():
            model(torch.from_numpy(tokens[:length])[None])
        positions = [length - 1] if ends_read else range(length)
        for number, value in _of_nodes(program, streams, seen):
            for position in positions:
                yield number, position, value[position].double().numpy().astype(np.longdouble)


def _shows(seen: dict[tuple[str, int], Tensor], name: str) -> Callable[[object, object, Tensor], None]:
    """Keeps the output of each run of a module."""

    def hook(_module: object, _inputs: object, output: Tensor) -> None:
        run = sum(1 for other, _ in seen if other == name)
        seen[name, run] = output[0]

    return hook


def _of_nodes(
    program: Program, streams: Mapping[str, int], seen: Mapping[tuple[str, int], Tensor]
) -> Iterator[tuple[int, Tensor]]:
    """Each node that a submodule shows, and its value [time, channels]."""
    for name, number in streams.items():
        last = max(run for other, run in seen if other == name)
        yield number, seen[name, last]
    for number, node in enumerate(program.nodes):
        if isinstance(node.operation, Attended):
            step, run = node.operation.step, node.operation.run
            for source, what in zip(node.inputs, ("queries", "keys", "values"), strict=True):
                yield source, seen[f"{step}.{what}", run].transpose(0, 1).flatten(1)
            yield number, seen[f"{step}.mixed", run]


def _streams(network: ir.Network, layout: Layout, which: int) -> dict[str, int]:
    """The node of the stream after each step that is run once."""
    again = {name for step in network.steps if isinstance(step, ir.Repeat) for name in step.steps}
    found = {}
    for count, step in enumerate(network.steps, 1):
        if not isinstance(step, ir.Head) and step.name not in again:
            shorter = translate(replace(network, steps=network.steps[:count]), layout)
            found[step.name] = shorter[min(which, len(shorter) - 1)].decision.node
    return found


def plain_leads(spec: Spec, tokens: NDArray[np.int64], slot: int, right: NDArray[np.int64]) -> Array:
    """By how much the right logit of the torch module is ahead of all others, for each sequence [inputs, time] by
    itself; minus infinity where no logit is the right token's."""
    layout, model = spec.layout, build_model(spec.network).eval()
    end = len(layout.prompt) if layout.in_place else len(layout.prompt) + slot
    start = 0 if layout.window is None else max(0, end - layout.window)
    read = layout.read_at[slot] if layout.in_place else end - start - 1
    sign = 1 if spec.network.decode == "argmax" else -1
    found = np.full(len(tokens), -np.inf, np.longdouble)
    with alone():
        for i, token in enumerate(right):
            logits = sign * model(torch.from_numpy(tokens[i : i + 1, start:end]))[0, read].double().numpy()
            if token < len(logits):
                others = np.delete(logits, token).astype(np.longdouble)
                found[i] = (logits[token] - others).min(initial=np.inf)
    return found
