"""`TENSOR[row, column]` to one stored number: by indices, by the names of dimensions, through ties and broadcasts."""

from __future__ import annotations

import re
from dataclasses import dataclass

from compiler.expressions.axes import Axis
from compiler.network.ir import Network, Tensor
from compiler.network.storage import Stored, stored
from compiler.source.diagnostics import Diagnostic, SpecError, did_you_mean, fail

ALL = "*"  # every target of what is broadcast
_PLACE = re.compile(r"[^\[]*\[(.*)\]\s*", re.DOTALL)
_INTEGER = re.compile(r"-?[0-9]+")
_QUOTED = re.compile(r"\"(.*)\"|'(.*)'", re.DOTALL)
_COORDINATES = ("row", "column")


@dataclass(frozen=True)
class EntryPlace:
    """One number of a tensor. `index` is where it is stored, `label` its names in the tensor that was asked for.

    `group` has the tensor that was asked for. `owner` stores it: another group where `group` is tied to it.
    """

    asked: str
    name: str
    group: Stored
    owner: Stored
    tensor: Tensor
    index: tuple[int, ...]
    label: tuple[str, ...]

    @property
    def is_broadcast(self) -> bool:
        return any(axis is None for axis in self.tensor.axes)

    @property
    def owner_labels(self) -> tuple[str, ...]:
        """The names of the place in the tensor that is stored."""
        both = zip(self.tensor.axes, self.index, strict=True)
        return tuple(ALL if axis is None else axis.labels[at] for axis, at in both)


def named_tensors(network: Network) -> dict[str, tuple[Stored, Tensor]]:
    """Every name of the state dict, ties too, with the group that has it and the tensor that is stored."""
    by_name: dict[str, tuple[Stored, Tensor]] = {}
    for group in stored(network):
        for name, tensor in group.named:
            by_name.setdefault(name, (group, tensor))
    return by_name


def find_stored(network: Network, title: str, name: str) -> tuple[Stored, Tensor]:
    """A tensor by its name in the state dict. Raises `SpecError`; `title` is the spec's, for the message."""
    known = named_tensors(network)
    if name not in known:
        whole = f"{name}.weight"
        suggestion = f"; did you mean '{whole}'?" if whole in known else did_you_mean(name, known)
        raise fail("unknown-name", f"no tensor '{name}' in {title}{suggestion}")
    return known[name]


def find_entry(network: Network, title: str, asked: str) -> EntryPlace:
    """The number at `TENSOR[row, column]`, or `[row]` of a vector. Raises `SpecError`.

    Each coordinate is an index from 0 or the name of a dimension, in quotes where a token looks like a number. What is
    broadcast is stored once: every target stands for it, and `*`.
    """
    name = asked.partition("[")[0].strip()
    group, tensor = find_stored(network, title, name)
    written = _PLACE.fullmatch(asked)
    if written is None:
        hint = f"such as '{name}[{', '.join('0' for _ in tensor.shape)}]'; `show` prints a whole tensor"
        raise fail("syntax", f"'{asked}' is no single number of a tensor", hint=hint)
    inner, axes = written[1], _axes(group, tensor)
    parts = _split(inner, axes)
    if len(parts) != len(axes):
        takes = "one index" if len(axes) == 1 else f"{len(axes)} indices"
        shape = " × ".join(map(str, tensor.shape))
        raise fail("index-range", f"'{name}' ({shape}) takes {takes}, found {len(parts)} in '{asked}'")
    positions: list[int | None] = []
    wrong: list[Diagnostic] = []
    for what, part, axis, stored_axis in zip(_coordinates(len(axes)), parts, axes, tensor.axes, strict=True):
        if stored_axis is None and part == ALL:
            positions.append(None)
            continue
        position = _position(part, axis)
        if position is None:
            wrong.append(_no_such(name, what, part, axis, tensor))
        positions.append(position)
    if wrong:
        raise SpecError(wrong)
    index = tuple(0 if stored_axis is None else at or 0 for stored_axis, at in zip(tensor.axes, positions, strict=True))
    label = tuple(ALL if at is None else axis.labels[at] for axis, at in zip(axes, positions, strict=True))
    stored_index = index[::-1] if tensor.transposed else index
    return EntryPlace(asked, name, group, _owner(network, group, tensor), tensor.as_stored, stored_index, label)


def _owner(network: Network, group: Stored, tensor: Tensor) -> Stored:
    """The group that stores a tensor under its own name: `group`, or the one that it is tied to."""
    return next(each for each in (group, *stored(network)) if tensor.name in dict(each.named))


def _axes(group: Stored, tensor: Tensor) -> tuple[Axis, ...]:
    """The axes of a tensor by the names of its own group, also where it is tied to another one, or broadcast."""
    if len(tensor.axes) == 1 and (group.weight_tie is not None or tensor.axes[0] is None):
        return (group.outputs,)
    if group.kind == "map" and group.inputs is not None and tensor is group.weight:
        return group.outputs, group.inputs
    return tuple(group.outputs if axis is None else axis for axis in tensor.axes)


def _coordinates(number: int) -> tuple[str, ...]:
    return ("index",) if number == 1 else _COORDINATES


def _split(inner: str, axes: tuple[Axis, ...]) -> list[str]:
    """The coordinates, split at the comma that leaves a name or an index on both sides: names may hold commas."""
    commas = [i for i, character in enumerate(inner) if character == ","]
    for comma in commas if len(axes) == 2 else ():
        parts = [inner[:comma].strip(), inner[comma + 1 :].strip()]
        if all(part == ALL or _position(part, axis) is not None for part, axis in zip(parts, axes, strict=True)):
            return parts
    if len(axes) == 1 and _position(inner.strip(), axes[0]) is not None:
        return [inner.strip()]
    outer = [comma for comma in commas if inner[:comma].count("[") == inner[:comma].count("]")]
    ends = [*outer, len(inner)]
    return [inner[start:end].strip() for start, end in zip([0, *(comma + 1 for comma in outer)], ends, strict=True)]


def _position(part: str, axis: Axis) -> int | None:
    """Where an index or a name stands on an axis; None where it does not."""
    if _INTEGER.fullmatch(part):
        at = int(part) if len(part) < 20 else -1
        return at if 0 <= at < axis.size else None
    quoted = _QUOTED.fullmatch(part)
    if part in axis.positions or quoted is None:
        return axis.positions.get(part, _spaced(part, axis))
    return axis.positions.get(quoted[1] if quoted[1] is not None else quoted[2])


def _spaced(part: str, axis: Axis) -> int | None:
    """A member of a family, whatever spaces the user writes."""
    compact = re.sub(r"\s", "", part)
    return axis.positions.get(compact.replace(",", ", "))


def _no_such(name: str, what: str, part: str, axis: Axis, tensor: Tensor) -> Diagnostic:
    if _INTEGER.fullmatch(part):
        message = f"{what} {part[:40]} is out of range: '{name}' has 0 to {axis.size - 1}"
        return Diagnostic("index-range", message)
    family = axis.family(part)
    if family is not None and family.sizes:
        first = f"{part}[{', '.join('0' for _ in family.sizes)}]"
        last = f"{part}[{', '.join(str(size - 1) for size in family.sizes)}]"
        return Diagnostic("index-range", f"the {what} '{part}' of '{name}' is a family: {first} to {last}")
    hint = "only what is broadcast to all targets has '*'" if part == ALL else None
    return Diagnostic("unknown-name", f"no {what} '{part}' in '{name}'{did_you_mean(part, axis.labels)}", None, hint)
