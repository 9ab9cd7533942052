"""Why one stored number is what it is: its equation, and every number of the spec that it was computed from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from compiler.expressions.axes import Axis
from compiler.expressions.evaluate import number_value
from compiler.expressions.formulas import Word
from compiler.expressions.parse import parse
from compiler.expressions.positions import POSITION
from compiler.expressions.scope import AlreadyReported, Scope, Work
from compiler.expressions.syntax import ExpressionError, free_names
from compiler.expressions.targets import Aim, targets
from compiler.expressions.values import Number
from compiler.lowering.context import BIAS, Context, bias_lines, map_lines
from compiler.network.ir import Entry, Equation, Position
from compiler.pipeline import Spec
from compiler.readers.why.entries import EntryPlace, find_entry
from compiler.readers.why.origins import DocumentPath, SourceNumber, path_to, source_numbers
from compiler.source.diagnostics import Diagnostic, Findings, SpecError
from compiler.source.document import Mapping, Scalar
from compiler.source.text import Span


@dataclass(frozen=True)
class NameRead:
    """A name that the equation reads and that is no definition: an index, or a name under `let`. The value of the
    latter is None where it depends on dimensions."""

    name: str
    kind: str
    value: int | float | None
    written: str = ""
    span: Span | None = None
    rounded: bool = False  # a number of the dtype


@dataclass(frozen=True)
class EquationNear:
    """An equation that writes other numbers of the same row, or else of the same column: those at `places`."""

    axis: str
    label: str
    equation: Equation
    places: tuple[str, ...]


@dataclass(frozen=True)
class Why:
    """`equation` is None where none writes the number, which is zero then; `near` are equations that come close.

    `part` says which part of the equation the number is. `numbers` are in the order in which they were read; `parts`
    are those that the equation reads directly. `tie` is the equation that ties the tensor to another one.
    """

    place: EntryPlace
    value: float
    equation: Equation | None
    part: str
    names: tuple[NameRead, ...]
    numbers: tuple[SourceNumber, ...]
    parts: tuple[int, ...]
    tie: Equation | None
    near: tuple[EquationNear, ...]


def why(spec: Spec, asked: str) -> Why:
    """What is behind the number at `TENSOR[row, column]`. Raises `SpecError` where there is no such place."""
    place = find_entry(spec.network, spec.title, asked)
    tie = next(iter(place.group.equations), None) if place.owner is not place.group else None
    entry = next((entry for entry in place.tensor.entries if entry.index == place.index), None)
    if entry is None:
        return Why(place, 0.0, None, "", (), (), (), tie, tuple(_near(place)))
    numbers, parts = source_numbers(spec, entry.provenance)
    names = tuple(_names(spec, place, entry.equation))
    return Why(place, entry.value, entry.equation, _part(place, entry), names, numbers, parts, tie, ())


def why_each(spec: Spec, asked: tuple[str, ...]) -> list[Why]:
    """`why` for several places. Raises one `SpecError` for all that are wrong."""
    answers: list[Why] = []
    wrong: list[Diagnostic] = []
    for place in asked:
        try:
            answers.append(why(spec, place))
        except SpecError as error:
            wrong += error.diagnostics
    if wrong:
        raise SpecError(wrong)
    return answers


def _part(place: EntryPlace, entry: Entry) -> str:
    """What the number is of the equation, for people."""
    owner, tensor = place.owner, place.tensor
    if owner.kind != "map":
        return "the value"
    if tensor is owner.bias:
        return "the value" if entry.equation.left.partition(" ")[0] == BIAS else "the constant part"
    if " " in entry.equation.left or tensor.axes[0] is None:
        column = tensor.axes[-1]
        return "the coefficient" if column is None else f"the coefficient of {column.labels[entry.index[-1]]}"
    return "a number of the matrix"


# Zeros that nothing writes


def _near(place: EntryPlace) -> Iterator[EquationNear]:
    owner, index = place.owner, place.index
    labels = place.owner_labels
    rows = [
        (f"{tensor.name}[{tensor.label(entry.index)}]", entry.equation)
        for _, tensor in owner.named
        for entry in tensor.entries
        if tensor.axes[0] is None or entry.index[0] == index[0]
    ]
    columns = [
        (f"{place.tensor.name}[{place.tensor.label(entry.index)}]", entry.equation)
        for entry in place.tensor.entries
        if len(index) == 2 and entry.index[1] == index[1]
    ]
    for axis, label, entries in (("row", labels[0], rows), ("column", labels[-1], columns)):
        by_equation: dict[Equation, list[str]] = {}
        for written, equation in entries:
            by_equation.setdefault(equation, []).append(written)
        for equation, places in by_equation.items():
            yield EquationNear(axis, label, equation, tuple(places))
        if entries:
            return


# Names that are no definitions


def _names(spec: Spec, place: EntryPlace, equation: Equation) -> Iterator[NameRead]:
    """The indices that the equation's target binds at this place, and the names under `let` that it reads."""
    path = path_to(spec.resolved.document.get("network"), equation.span)
    step = next((node for _, node in path[:1] if isinstance(node, Mapping)), None)
    context = Context(spec.resolved, Findings())
    if step is not None and place.owner.kind != "embedding":  # whose keys are tokens
        context = context.within(step)
    scope = replace(context.scope, work=Work())
    indices: dict[str, Number] = {}
    for word, axis, position in _targets(place, path):
        base = word.text.partition("[")[0]
        for target in targets(word, Aim(axis, "", "" if axis.family(base) else base), scope.bind(indices), Findings()):
            if target.position == position:
                indices |= target.indices
    if isinstance(spec.network.step(place.group.step), Position) and len(path) > 2:  # in a table of its own
        indices[POSITION] = Number(place.index[0], True)
    for name, index in indices.items():
        yield NameRead(name, "index", index.value)
    for name in _lets_read(equation.right, scope):
        _, let = scope.lets.every[name]
        span = context.let_places[name]
        lets = step.get("let") if step is not None else None
        node = lets.get(name) if isinstance(lets, Mapping) else None
        inner = replace(scope.bind(indices), lets=let.earlier, place=let.place)
        try:
            meant: Number | None = number_value(let.tree, inner)
        except (ExpressionError, AlreadyReported, RecursionError):
            meant = None  # it is affine in the dimensions
        written = " ".join(node.text.split()) if isinstance(node, Scalar) else ""
        value, rounded = (None, False) if meant is None else (meant.value, meant.rounded)
        yield NameRead(name, "let", value, written, span, rounded)


def _targets(place: EntryPlace, path: DocumentPath) -> Iterator[tuple[Word, Axis, int]]:
    """The targets among the keys that lead to the equation, each with the axis and the position that it stands for."""
    axes = [(axis, at) for axis, at in zip(place.tensor.axes, place.index, strict=True) if axis is not None]
    if place.owner.kind == "map":
        step = next((node for _, node in path[:1] if isinstance(node, Mapping)), None)
        if step is not None:
            name = path[-1][0].text.partition(" ")[0]
            written = (line for _, line in bias_lines(step)) if name == BIAS else map_lines(step, name)
            targeted = (line.target for line in written if line.key is path[-1][0])
            yield from ((target, *axes[0]) for target in targeted if target is not None and axes)
        return
    for (key, _), (axis, at) in zip(path[1:], axes, strict=False):
        yield Word(key.text, key, 0), axis, at


def _lets_read(text: str, scope: Scope) -> list[str]:
    """The names under `let` that an expression reads, directly or through one another, in their order."""
    read: set[str] = set()
    try:
        todo = list(free_names(parse(text)))
    except ExpressionError:
        return []
    while todo:
        name = todo.pop()
        if name in scope.lets and name not in read:
            read.add(name)
            todo += free_names(scope.lets.every[name][1].tree)
    return [name for name in scope.lets.every if name in read]
