"""Which names of two specs stand for the same thing: names that both have, and names that have the same place.

Where names differ, steps of the same kind and size are matched in their order; so are dimensions at the same position
of axes of the same size, and numbers of the same section and value.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Literal, TypeVar, assert_never

from compiler.expressions.axes import Axis
from compiler.language.definitions import Definition
from compiler.network.ir import (
    Attention,
    Embedding,
    FeedForward,
    Head,
    Network,
    Repeat,
    Step,
    Undivided,
    stream_after,
)
from compiler.pipeline import Spec

T = TypeVar("T")
NamedKind = Literal["step", "token", "dimension", "head", "unit", "constant", "size", "parameter", "derived", "tensor"]


@dataclass(frozen=True)
class NameMatch:
    """Two names for the same thing; those of tensors are full names in a state dict."""

    kind: NamedKind
    before: str
    after: str


@dataclass(frozen=True)
class Matching:
    """The steps of two networks that stand for one another.

    With `by_place` alone names count for nothing: the first step is the first, the second dimension the second.
    """

    by_place: bool
    steps: tuple[tuple[Step, Step], ...]
    _axes: dict[tuple[Axis, Axis], tuple[int | None, ...]] = field(default_factory=dict, compare=False, repr=False)

    def positions(self, before: Axis, after: Axis) -> tuple[int | None, ...]:
        """The position of each dimension of an axis in the other one; None where it is gone."""
        if (before, after) not in self._axes:
            self._axes[before, after] = _positions(before, after, by_place=self.by_place)
        return self._axes[before, after]


def match_steps(before: Network, after: Network, *, by_place: bool = False) -> Matching:
    """The steps with the same name, then the others of one kind and size in their order; or all in their order."""
    if by_place:
        pairs = zip(before.steps, after.steps, strict=False)
        return Matching(True, tuple(pair for pair in pairs if type(pair[0]) is type(pair[1])))
    second = {step.name: step for step in after.steps}
    first = {step.name for step in before.steps}
    others = _in_order(
        [step for step in before.steps if step.name not in second],
        [step for step in after.steps if step.name not in first],
        _size,
    )
    paired = {step.name: second[step.name] for step in before.steps if step.name in second}
    paired |= {old.name: new for old, new in others}
    return Matching(False, tuple((step, paired[step.name]) for step in before.steps if step.name in paired))


def may_differ_by_place(before: Network, after: Network) -> bool:
    """Whether comparing by place alone may find another result: the form is one, and names or their order are not."""
    if [_size(step) for step in before.steps] != [_size(step) for step in after.steps]:
        return False
    sides = [[step.name for step in network.steps] for network in (before, after)]
    axes = [[axis for step in network.steps for _, axis in _axes(step)] for network in (before, after)]
    return sides[0] != sides[1] or axes[0] != axes[1]


def names_matched(before: Network, after: Network, matching: Matching) -> tuple[NameMatch, ...]:
    """The names of steps, tokens, dimensions, heads and hidden units that differ, each pair once."""
    matches: dict[NameMatch, None] = {}
    for old, new in matching.steps:
        if old.name != new.name:
            matches[NameMatch("step", old.name, new.name)] = None
    pairs: list[tuple[NamedKind, Axis, Axis]] = [("token", before.vocabulary, after.vocabulary)]
    for old, new in matching.steps:
        if type(old) is type(new):
            both = zip(_axes(old), _axes(new), strict=True)
            pairs += [(kind, old_axis, new_axis) for (kind, old_axis), (_, new_axis) in both]
    for kind, old_axis, new_axis in dict.fromkeys(pairs):
        for first, second in _renamed(old_axis, new_axis, matching.positions(old_axis, new_axis)):
            matches[NameMatch(kind, first, second)] = None
    return tuple(matches)


def definitions_matched(before: Spec, after: Spec, *, same_form: bool) -> dict[str, str]:
    """The names of numbers, each with the name that the number has in the other spec.

    Names that only one spec has are matched, in their order, where section and values are the same. In networks of the
    `same_form`, so are the rest of the same section and shape, if both specs have equally many.
    """
    first, second = before.resolved.definitions, after.resolved.definitions
    names = {name: name for name in first if name in second}

    def left() -> tuple[list[Definition], list[Definition]]:
        taken = set(names.values())
        return (
            [definition for name, definition in first.items() if name not in names],
            [definition for name, definition in second.items() if name not in taken],
        )

    names |= {old.name: new.name for old, new in _in_order(*left(), _value)}
    if same_form:
        names |= {old.name: new.name for old, new in _in_order(*left(), _shape, all_or_none=True)}
    return names


def renamed_definitions(before: Spec, matched: dict[str, str]) -> Iterator[NameMatch]:
    """The matched names of numbers that differ."""
    for old, new in matched.items():
        if old != new:
            yield NameMatch(before.resolved.definitions[old].kind, old, new)


def _in_order(
    before: list[T], after: list[T], form: Callable[[T], Hashable], *, all_or_none: bool = False
) -> Iterator[tuple[T, T]]:
    """Pairs of the same form, in their order. With `all_or_none` both sides have to have equally many of the form."""
    groups: dict[Hashable, tuple[list[T], list[T]]] = {}
    for side, items in enumerate((before, after)):
        for item in items:
            groups.setdefault(form(item), ([], []))[side].append(item)
    for old, new in groups.values():
        if len(old) == len(new) or not all_or_none:
            yield from zip(old, new, strict=False)


def _value(definition: Definition) -> Hashable:
    return definition.kind, _shape(definition), tuple(repr(number.value) for number in definition.numbers)


def _shape(definition: Definition) -> Hashable:
    return definition.kind, type(definition.value), len(definition.numbers)


def _size(step: Step) -> Hashable:
    """The kind of a step and the sizes that its tensors follow from."""
    sizes = [axis.size for _, axis in _axes(step)]
    match step:
        case Attention(head_dim=head_dim, value_dim=value_dim):
            return Attention, head_dim, value_dim, *sizes
        case Repeat(steps=steps, times=times):
            return Repeat, len(steps), times, *sizes
        case _:
            return type(step), *sizes


def _axes(step: Step) -> Iterable[tuple[NamedKind, Axis]]:
    """The axes of a step, as many for every step of a kind."""
    if isinstance(step, Undivided):
        return (("dimension", step.stream),)
    match step:
        case Embedding(tokens=tokens, stream=stream):
            return ("token", tokens), ("dimension", stream)
        case Attention(stream=stream, heads=heads, kv_heads=kv_heads):
            return ("dimension", stream), ("head", heads), ("head", kv_heads)
        case FeedForward(stream=stream, hidden=hidden):
            return ("dimension", stream), ("unit", hidden), ("dimension", stream_after(step))
        case Head(stream=stream, logits=logits):
            return ("dimension", stream), ("token", logits.outputs)
        case _:
            assert_never(step)


def _positions(before: Axis, after: Axis, *, by_place: bool) -> tuple[int | None, ...]:
    if before == after or (by_place and before.size == after.size):
        return tuple(range(before.size))
    positions = [after.positions.get(label) for label in before.labels]
    if before.size != after.size:
        return tuple(positions)
    taken = set(positions)
    return tuple(i if position is None and i not in taken else position for i, position in enumerate(positions))


def _renamed(before: Axis, after: Axis, positions: tuple[int | None, ...]) -> Iterator[tuple[str, str]]:
    """The names of families, or of single dimensions, that are matched and differ."""
    for label, position in zip(before.labels, positions, strict=True):
        if position is not None and label != after.labels[position]:
            (old, *index), (new, *other) = label.split("[", 1), after.labels[position].split("[", 1)
            yield (old, new) if index == other else (label, after.labels[position])
