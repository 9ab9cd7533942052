"""Ablation: which heads, hidden units and dimensions of the stream the answers need."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Literal, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from compiler.backends.native.engines import batch_size
from compiler.backends.torch.decode import answer_logits, choose, decode_greedily
from compiler.backends.torch.reference import Reference, as_tokens
from compiler.backends.torch.settings import as_assumed
from compiler.evaluation.evaluation import planned_suites
from compiler.evaluation.evaluator import takes_one_pass
from compiler.evaluation.suite_runs import SuiteToRun
from compiler.expressions.axes import Axis
from compiler.network.ir import Attention, FeedForward, Head, Network, stream_after
from compiler.pipeline import Spec
from compiler.source.diagnostics import fail
from compiler.source.faults import no_rule

UnitKind = Literal["head", "hidden", "stream"]
UNIT_KINDS: tuple[UnitKind, ...] = get_args(UnitKind)
Replacement = Literal["zero", "resample"]

FEW_INPUTS = 2_000  # a task that has no more is asked all of them unless suites are named
SAMPLED_INPUTS = 1_000  # else so many are drawn
MAX_ABLATED = 100_000  # inputs: each of them is run once more for every unit, and all are kept in memory


@dataclass(frozen=True)
class Unit:
    """A head or a hidden unit of a `step`, or a dimension of the stream, which is that after every step."""

    kind: UnitKind
    step: str | None
    name: str

    def __str__(self) -> str:
        return self.name if self.step is None else f"{self.step} {self.name}"


@dataclass(frozen=True)
class AblatedUnit:
    """Without the unit so many inputs are answered `right`; `changed` inputs are answered otherwise than with it."""

    unit: Unit
    right: int
    changed: int


@dataclass(frozen=True)
class Ablation:
    """What became of the `inputs` of some suites without each unit. With all of them so many are `right`."""

    by: Replacement
    suites: tuple[str, ...]
    seed: int | None  # None where nothing was drawn
    inputs: int
    right: int
    units: tuple[AblatedUnit, ...]

    @property
    def unneeded(self) -> tuple[Unit, ...]:
        """Units without which each of these inputs is answered as with them."""
        return tuple(ablated.unit for ablated in self.units if not ablated.changed)


@as_assumed()
def ablate(
    spec: Spec,
    suites: Sequence[str] | None = None,
    *,
    kinds: Sequence[UnitKind] = UNIT_KINDS,
    by: Replacement = "zero",
    inputs: int | None = None,
    seed: int | None = None,
    progress: Callable[[str, int, int], None] | None = None,
) -> Ablation:
    """Take each unit away in turn, and count what the model then says.

    A unit is taken away where its value is used: what a head mixed before `output` reads it, a hidden unit before
    `down` does, a dimension of the stream after every step. Its value becomes `zero`, or, `by` "resample", what it is
    for another input at the same place (Geiger et al., 2021): the inputs are shuffled, and each gets that of the next.

    Without `suites` all inputs are run where there are at most `FEW_INPUTS`, else `SAMPLED_INPUTS` uniform ones.
    `inputs` and `seed` are those of `evaluate`. The plain module runs in batches on the CPU, by one teacher-forced pass
    where that says what greedy decoding does. `progress(text, done, total)` is called after each unit.
    Raises `SpecError` for an unknown suite or size, a spec without a task, and where there is no other input.
    """
    if by not in get_args(Replacement):
        raise fail("bad-value", f"a unit is replaced by {' or '.join(get_args(Replacement))}, not '{by}'")
    names = _usual(spec) if suites is None else suites
    size = SAMPLED_INPUTS if inputs is None and suites is None else inputs
    planned = planned_suites(spec, names, size, seed or 0)
    total = sum(suite.size for suites in planned for suite in suites)
    if total > MAX_ABLATED:
        message = f"{total:,} inputs are too many: each is run once for every unit, {MAX_ABLATED:,} at most"
        raise fail("bad-value", message, hint="draw some: suite uniform, with a size")
    if by == "resample" and total < 2:
        raise fail("bad-value", "there is no other input to take a value from", hint="run more inputs")
    runs = [_Run(choice, suites, seed or 0) for choice, suites in zip(spec.choices, planned, strict=True)]
    units = tuple(unit for unit in units_of(spec.network) if unit.kind in kinds)
    right = sum(run.right for run in runs)
    found: list[AblatedUnit] = []
    for unit in units:
        counts = [run.without(unit, by) for run in runs]
        found.append(AblatedUnit(unit, sum(right for right, _ in counts), sum(changed for _, changed in counts)))
        if progress is not None:
            progress("units", len(found), len(units))
    drawn = by == "resample" or any(suite.seed is not None for suites in planned for suite in suites)
    ran = tuple(dict.fromkeys(suite.name for suites in planned for suite in suites))
    return Ablation(by, ran, (seed or 0) if drawn else None, total, right, tuple(found))


def units_of(network: Network) -> Iterator[Unit]:
    """All units, step by step, then the dimensions of the stream in the order in which steps bring them in."""
    dimensions: dict[str, None] = {}
    for step in network.steps:
        if isinstance(step, Attention):
            yield from (Unit("head", step.name, head) for head in step.heads.labels)
        elif isinstance(step, FeedForward):
            yield from (Unit("hidden", step.name, hidden) for hidden in step.hidden.labels)
        if not isinstance(step, Head):
            dimensions.update(dict.fromkeys(stream_after(step).labels))
    yield from (Unit("stream", None, dimension) for dimension in dimensions)


def _usual(spec: Spec) -> tuple[str, ...]:
    """The suite that is run where none is named."""
    tasks = [choice.resolved.task for choice in spec.choices or (spec,)]  # without a task this is refused
    return ("exhaustive",) if sum(task.combinations for task in tasks) <= FEW_INPUTS else ("uniform",)


class _Run:
    """The inputs of one choice of sizes, with what the whole model says to them."""

    def __init__(self, spec: Spec, suites: Sequence[SuiteToRun], seed: int) -> None:
        self._spec = spec
        self._model = Reference(spec).model
        self._in_one_pass = takes_one_pass(spec)
        self._batches = [batch for suite in suites for batch in _batches(spec, suite)]
        self._seed = seed
        with torch.inference_mode():
            self._said = [self._says(*batch) for batch in self._batches]

    @property
    def right(self) -> int:
        """How many inputs the whole model answers right."""
        return sum(self._right(said, answers) for said, (_, answers) in zip(self._said, self._batches, strict=True))

    def without(self, unit: Unit, by: Replacement) -> tuple[int, int]:
        """How many inputs are answered right without a unit, and how many otherwise than with it."""
        right = changed = 0
        generator = torch.Generator().manual_seed(self._seed)
        with torch.inference_mode():
            for (prompts, answers), before in zip(self._batches, self._said, strict=True):
                others = None if by == "zero" else _others(len(prompts), generator)
                with _ablated(self._model, self._spec.network, unit, others):
                    said = self._says(prompts, answers)
                right += self._right(said, answers)
                changed += int((said != before).any(-1).sum())
        return right, changed

    def _says(self, prompts: Tensor, answers: Tensor) -> Tensor:
        """What the model says in each predicted place, [B, predicted]."""
        layout, decode = self._spec.layout, self._spec.network.decode
        if self._in_one_pass:
            return choose(answer_logits(self._model, prompts, answers, layout), decode)
        return choose(decode_greedily(self._model, prompts, layout, decode)[1], decode)

    def _right(self, said: Tensor, answers: Tensor) -> int:
        return int((said == answers[:, list(self._spec.layout.predicted)]).all(-1).sum())


def _batches(spec: Spec, suite: SuiteToRun) -> Iterator[tuple[Tensor, Tensor]]:
    """Prompts [B, P] and right answers [B, A]. None is a single input, where there are more."""
    for part in suite.parts:
        blocks = list(part.blocks(part.size, 0)) if part.size else []
        words = {name: np.concatenate([block[name] for block in blocks]) for name in (blocks[0] if blocks else ())}
        pieces = max(1, part.size // max(2, batch_size(spec)))
        for rows in np.array_split(np.arange(part.size), pieces) if words else ():
            some = {name: word[rows] for name, word in words.items()}
            yield _tokens(spec.layout.prompts(some)), _tokens(spec.layout.answers(some))


def _tokens(tokens: NDArray[np.int32]) -> Tensor:
    return as_tokens(np.ascontiguousarray(tokens))


def _others(size: int, generator: torch.Generator) -> Tensor:
    """For each row of a batch another one, [B]."""
    order = torch.randperm(size, generator=generator)
    others = torch.empty_like(order)
    others[order] = order.roll(1)
    return others


@contextmanager
def _ablated(model: nn.Module, network: Network, unit: Unit, others: Tensor | None) -> Iterator[None]:
    """The model without a unit: zero, or that of `others` [B], stands in its place."""
    hooks = [
        model.get_submodule(name).register_forward_hook(partial(_replaced, channels, others))
        for name, channels in _where(network, unit)
    ]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def _replaced(channels: slice, others: Tensor | None, _: nn.Module, inputs: object, output: Tensor) -> Tensor:
    """An output [B, T, channels] in which some channels are zero, or those of other rows."""
    changed = output.clone()
    changed[..., channels] = 0 if others is None else output[others][..., channels]
    return changed


def _where(network: Network, unit: Unit) -> Iterator[tuple[str, slice]]:
    """The submodules whose output has the unit, and its channels there."""
    for step in network.steps:
        if unit.step not in (None, step.name):
            continue
        match unit.kind:
            case "head":
                assert isinstance(step, Attention)
                yield f"{step.name}.mixed", _channels(step.heads, unit.name, step.value_dim)
            case "hidden":
                assert isinstance(step, FeedForward)
                yield f"{step.name}.units", _channels(step.hidden, unit.name)
            case "stream":
                if not isinstance(step, Head) and unit.name in stream_after(step).labels:
                    yield step.name, _channels(stream_after(step), unit.name)
            case _:
                raise no_rule("kind of unit", unit.kind)


def _channels(axis: Axis, label: str, width: int = 1) -> slice:
    """Those of one name, where each has so many."""
    first = axis.labels.index(label) * width
    return slice(first, first + width)
