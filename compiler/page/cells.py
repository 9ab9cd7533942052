"""Each tensor as cells with names, and each cell with its equation and the numbers in it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from compiler.expressions.parse import Token, tokens
from compiler.expressions.syntax import ExpressionError
from compiler.expressions.values import Number
from compiler.network.ir import Entry, Equation, Tensor
from compiler.network.storage import Stored
from compiler.page.shapes import PageCell, PageEquation, PageTensor
from compiler.pipeline import Spec
from compiler.readers.why.entries import ALL, named_tensors
from compiler.readers.why.why import Why, why
from compiler.terminal.console import file_and_line, number_text

MAX_SIDE = 64  # rows or columns of a tensor that are shown
MAX_CELLS = 20_000  # of all tensors on a page
MAX_NUMBERS = 100_000  # of all passes on a page
MAX_EXPLAINED = 1000  # cells of a model that show their numbers
MAX_READ = 2_000_000  # entries, names and numbers of the spec that are looked through for those of one tensor
LONGEST_EQUATION = 400  # characters that are shown


@dataclass
class Room:
    """What is left of a page."""

    cells: int = MAX_CELLS
    numbers: int = MAX_NUMBERS


@dataclass
class Equations:
    """The equations of a model, each once. `anchor` gives the place of a line in the page."""

    anchor: Callable[[str, int], str | None]
    listed: dict[Equation, int] = field(default_factory=dict)

    def number(self, equation: Equation) -> int:
        return self.listed.setdefault(equation, len(self.listed))

    def numbers(self, equations: Iterable[Equation]) -> list[int]:
        return sorted({self.number(equation) for equation in equations})

    @property
    def json(self) -> list[PageEquation]:
        return [self._json(equation) for equation in self.listed]

    def _json(self, equation: Equation) -> PageEquation:
        where = file_and_line(equation.span)
        file, line = str(where["file"]), equation.span.line
        return {"file": file, "line": line, "anchor": self.anchor(file, line), "equation": _cut(str(equation))}


@dataclass(frozen=True)
class Making:
    """What the parts of a page about one model share: its equations, and the room on the page."""

    equations: Equations
    room: Room


def page_tensors(spec: Spec, making: Making) -> list[PageTensor]:
    """Every tensor of the state dict, as far as there is room on the page."""
    elements = sum(len(definition.numbers) for definition in spec.resolved.definitions.values())
    left = MAX_EXPLAINED
    made = []
    for name, (group, tensor) in named_tensors(spec.network).items():
        looked_through = elements + len(tensor.entries) + sum(tensor.shape)
        explained = min(left, MAX_READ // looked_through)
        shown = _page_tensor(spec, _StoredTensor(name, group, tensor, explained), making)
        left -= sum(cell["filled"] is not None for cell in shown["cells"])
        made.append(shown)
    return made


@dataclass(frozen=True)
class _StoredTensor:
    """A tensor by its name in the state dict; `explained` is how many of its cells may show their numbers."""

    name: str
    group: Stored
    tensor: Tensor
    explained: int


def _page_tensor(spec: Spec, stored: _StoredTensor, making: Making) -> PageTensor:
    tied = stored.tensor.read_as if stored.tensor.name != stored.name else None
    tensor = stored.tensor.as_stored
    size = tensor.shape if len(tensor.shape) == 2 else (1, *tensor.shape)
    rows, columns = (_kept(tensor, axis, size) for axis in (0, 1))
    left_out = ""
    if tied is not None:
        rows, columns, left_out = [], [], f"the same numbers as {tied}"
    elif len(rows) * len(columns) > making.room.cells:
        rows, columns, left_out = [], [], "not shown: the page is full"
    elif (len(rows), len(columns)) != size:
        left_out = f"{len(rows)} of {size[0]} rows and {len(columns)} of {size[1]} columns are shown"
    making.room.cells -= len(rows) * len(columns)
    labels = [[ALL] if axis is None else axis.labels for axis in tensor.axes]
    labels = labels if len(labels) == 2 else [[""], *labels]
    return {
        "name": stored.name,
        "step": stored.group.step,
        "shape": list(tensor.shape),
        "nonzero": sum(entry.value != 0 for entry in tensor.entries),
        "tied_to": tied,
        "rows": [labels[0][row] for row in rows],
        "columns": [labels[1][column] for column in columns],
        "cells": list(_cells(spec, stored, (rows, columns), making.equations)),
        "equations": making.equations.numbers(entry.equation for entry in tensor.entries) if tied is None else [],
        "left_out": left_out,
    }


def _place(entry: Entry) -> tuple[int, int]:
    """Row and column of an entry; a vector is a row."""
    row, column = entry.index if len(entry.index) == 2 else (0, *entry.index)
    return row, column


def _kept(tensor: Tensor, axis: int, size: tuple[int, ...]) -> list[int]:
    """The rows (axis 0) or columns that are shown: all, or the first ones with a number that is not zero."""
    if size[axis] <= MAX_SIDE:
        return list(range(size[axis]))
    return sorted({_place(entry)[axis] for entry in tensor.entries if entry.value})[:MAX_SIDE]


def _cells(
    spec: Spec, stored: _StoredTensor, shown: tuple[Sequence[int], Sequence[int]], equations: Equations
) -> Iterator[PageCell]:
    """The entries in these rows and columns."""
    tensor = stored.tensor.as_stored
    rows, columns = ({at: place for place, at in enumerate(each)} for each in shown)
    places = ((entry, *_place(entry)) for entry in tensor.entries)
    kept = [(entry, row, column) for entry, row, column in places if row in rows and column in columns]
    for number, (entry, row, column) in enumerate(kept):
        answer = why(spec, _asked(tensor, entry)) if number < stored.explained else None
        yield {
            "row": rows[row],
            "column": columns[column],
            "value": entry.value,
            "equation": equations.number(entry.equation),
            "part": None if answer is None else answer.part,
            "filled": None if answer is None else _cut(_filled(spec, answer)),
            "names": None if answer is None else _named(spec, answer),
        }


def _asked(tensor: Tensor, entry: Entry) -> str:
    """The place of an entry as `why` takes it: by indices, which no name can be mistaken for."""
    index = (ALL if axis is None else str(at) for axis, at in zip(tensor.axes, entry.index, strict=True))
    return f"{tensor.name}[{', '.join(index)}]"


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST_EQUATION else f"{text[:LONGEST_EQUATION]} …"


# The equation with its numbers


def _numbers(spec: Spec, answer: Why) -> dict[str, str]:
    """What the names in an equation stand for: indices, names under `let`, definitions."""
    dtype = spec.network.dtype
    known = {
        name.name: number_text(name.value, dtype if name.rounded else None)
        for name in answer.names
        if name.value is not None
    }
    for number in (answer.numbers[part] for part in answer.parts):
        if number.name:
            known.setdefault(number.name, number_text(number.value, dtype if number.rounded else None))
    return known


def _named(spec: Spec, answer: Why) -> list[str]:
    return [f"{name} = {value}" for name, value in _numbers(spec, answer).items()]


def _filled(spec: Spec, answer: Why) -> str:
    """The right side of the equation, with numbers in the place of their names."""
    assert answer.equation is not None
    text = answer.equation.right
    definitions = {
        name: number_text(definition.value.value, spec.network.dtype if definition.value.rounded else None)
        for name, definition in spec.resolved.definitions.items()
        if isinstance(definition.value, Number)
    }
    known = definitions | _numbers(spec, answer)
    try:
        return _replaced(text, tokens(text)[:-1], known)
    except ExpressionError:  # it is no formula, such as the word `tied`
        return text


def _replaced(text: str, parts: Sequence[Token], known: dict[str, str]) -> str:
    written: list[str] = []
    end = i = 0
    while i < len(parts):
        token = parts[i]
        written.append(text[end : token.at[0]] if i else "")
        end = token.at[1]
        i += 1
        if token.kind != "name":
            written.append(token.text)
            continue
        last = _closing(parts, i)
        if last is None:
            written.append(_number(known.get(token.text, token.text)))
            continue
        inner = _replaced(text, parts[i + 1 : last], known)
        element = f"{token.text}[{inner}]"
        written.append(_number(known.get(element, element)))
        end, i = parts[last].at[1], last + 1
    return "".join(written)


def _closing(parts: Sequence[Token], opening: int) -> int | None:
    """Where the bracket ends that opens there; None where none opens."""
    depth = 0
    for i in range(opening, len(parts)):
        depth += {"[": 1, "]": -1}.get(parts[i].text, 0)
        if depth == 0:
            return i if i > opening else None
    return None


def _number(text: str) -> str:
    return f"({text})" if text.startswith("-") else text
