"""Constants, task sizes, parameters and derived values: definitions in any order to numbers, acyclic."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from collections.abc import Mapping as AnyMapping
from dataclasses import dataclass, replace
from typing import Literal

from compiler.expressions.arithmetic import NotANumber, as_figure, cast, exact_figure
from compiler.expressions.evaluate import evaluate_expression, integer_value
from compiler.expressions.floats import FloatFormat
from compiler.expressions.formulas import Formula, attempt, has_work_for, read_formula
from compiler.expressions.matrices import VectorOrMatrix, numbers_in, size_of
from compiler.expressions.parse import WORDS, is_name
from compiler.expressions.positions import RESERVED
from compiler.expressions.scope import Scope
from compiler.expressions.syntax import free_names
from compiler.expressions.values import NOWHERE, Leaf, Matrix, Number, Provenance, Unknown, Value, Vector
from compiler.source.diagnostics import Diagnostic, Findings, Note
from compiler.source.document import Invalid, Mapping, Node, Scalar, Sequence, written_text
from compiler.source.limits import MAX_VARIANTS
from compiler.source.showing import short_repr
from compiler.source.text import Span
from compiler.tasks.package import sizes_of

FINISHING_WORK = 2  # what it takes to note where a number comes from, in evaluated nodes
_UNEVEN = "the rows of a matrix have to have the same length"
DefinitionKind = Literal["constant", "size", "parameter", "derived"]
MAY_READ_PARAMETERS: tuple[DefinitionKind, ...] = ("parameter", "derived")
"""What neither a constant nor a task can read."""
Form = Literal["formula", "list", "table"]


@dataclass(frozen=True)
class Definition:
    """A named number, vector or matrix.

    A parameter's numbers are rounded to the dtype. Those of a derived value are what its formula gives. All others are
    exact or doubles.
    """

    name: str
    kind: DefinitionKind
    text: str
    value: Value
    span: Span
    varies: bool = False  # a size that is a range, or reads one; `value` is then its largest

    __repr__ = short_repr

    @property
    def noun(self) -> str:
        """What it is called in messages."""
        return noun(self.kind)

    @property
    def known(self) -> bool:
        return not isinstance(self.value, Unknown)

    @property
    def numbers(self) -> tuple[Number, ...]:
        """The number, or those of the vector or matrix, row by row."""
        return numbers_in(self.value) if isinstance(self.value, Number | Vector | Matrix) else ()

    def is_all(self, span: Span) -> bool:
        """Whether what stands there is all that is written for it, so that a number there is its value."""
        return self.text == span.text

    def integer(self) -> int | None:
        """The value where it is an exact integer."""
        value = self.value.value if isinstance(self.value, Number) else None
        if isinstance(value, int):
            return value
        return int(value) if value is not None and value.is_integer() else None


def noun(kind: DefinitionKind) -> str:
    """What a kind of definition is called in messages."""
    return "derived value" if kind == "derived" else kind


@dataclass(frozen=True)
class _Written:
    """A definition before it is computed: one formula, or a list of formulas or of rows of them."""

    kind: DefinitionKind
    key: Scalar
    text: str
    rows: tuple[tuple[Formula, ...], ...]
    form: Form

    @property
    def formulas(self) -> tuple[Formula, ...]:
        return tuple(formula for row in self.rows for formula in row)

    def formula(self, index: tuple[int, ...]) -> Formula:
        """Where the number at an index of the value is written; the items of a list may be rows themselves."""
        match self.form:
            case "formula":
                return self.rows[0][0]
            case "list":
                return self.rows[0][index[0]]
            case "table":
                return self.rows[index[0]][index[1]]


VARIES = (
    "is not one number: it can be read in the task, in `vocabulary`, `stream` and `context` only; for its largest, "
    "name that as a constant, and write `to: CONSTANT` in the range"
)


def resolve_definitions(
    document: Mapping, scope: Scope, findings: Findings, pinned: AnyMapping[str, int] | None = None
) -> dict[str, Definition]:
    """Every definition by name, in file order. One that fails is reported and becomes `Unknown`.

    A size that is a range, as in `length: {from: 1, to: 20}`, is what `pinned` says, else its largest.
    """
    written: dict[str, _Written | None] = {}
    keys: dict[str, tuple[DefinitionKind, Scalar]] = {}
    ranged: set[str] = set()
    texts: dict[str, str] = {}
    for kind, key, node in _all(document):
        name = key.text
        if name in keys:
            note = Note(f"the {noun(keys[name][0])} of that name", keys[name][1].span)
            findings.report(Diagnostic("name-clash", f"'{name}' is defined twice", key.span, notes=(note,)))
            continue
        if name in WORDS:
            message = f"'{name}' cannot be a name: it means something in every formula"
            findings.report(Diagnostic("bad-name", message, key.span))
        if name in RESERVED:
            findings.report(Diagnostic("name-clash", f"'{name}' already has a meaning", key.span))
        keys[name] = (kind, key)
        if kind == "size" and isinstance(node, Mapping):
            ranged.add(name)
            written[name] = _pinned(key, node, (pinned or {}).get(name), findings)
            texts[name] = " to ".join(written_text(end) for end in map(node.get, ("from", "to")) if end is not None)
        else:
            written[name] = _read(kind, key, node, findings)
    texts = {name: "" if definition is None else definition.text for name, definition in written.items()} | texts
    counted = {
        name: f"is a {noun(kind)}, which a constant cannot read"
        for name, (kind, _) in keys.items()
        if kind in MAY_READ_PARAMETERS
    }
    every, refused = tuple(name for name in keys if is_name(name)), refused_words(keys)
    structure = tuple(name for name in every if name not in counted)
    values: dict[str, Value] = dict(refused)
    for name in _in_order(written, findings):
        definition = written[name]
        value: Value = Unknown()
        if definition is not None:
            if keys[name][0] == "size" and any(need in ranged for need in _reads(definition)):
                ranged.add(name)
            unreadable = {} if name in counted else counted
            if keys[name][0] != "size":
                unreadable = unreadable | dict.fromkeys(ranged, VARIES)
            readable = {other: known for other, known in values.items() if other not in unreadable}
            candidates = every if name in counted else structure
            inner = replace(scope, names=readable, definition=name, elsewhere=unreadable, candidates=candidates)
            value = _compute(definition, inner, findings)
        values[name] = value
    return {
        name: Definition(name, kind, texts[name], values.get(name, Unknown()), key.span, name in ranged)
        for name, (kind, key) in keys.items()
    }


def refused_words(names: Iterable[str]) -> dict[str, Value]:
    """What formulas read that mean a definition whose name was refused: `two-x` is read as `two` and `x`."""
    refused = [re.findall(r"\w+", name) for name in names if not is_name(name)]
    return {word: Unknown() for parts in refused for word in (*parts, "_".join(parts))}


def _pinned(key: Scalar, node: Mapping, value: int | None, findings: Findings) -> _Written | None:
    """A size that is a range, as one of its numbers or its largest."""
    if value is not None:
        return _read("size", key, Scalar(str(value), value, node.span), findings)
    largest = node.get("to")
    return None if largest is None else _read("size", key, largest, findings)


def size_ranges(
    task: Mapping, definitions: AnyMapping[str, Definition], scope: Scope, findings: Findings
) -> dict[str, range]:
    """The sizes of a task that are ranges, each with its numbers, in the order of the file."""
    found: dict[str, range] = {}
    sizes = sizes_of(task)
    for key, node in sizes.items if sizes is not None else ():
        if not isinstance(node, Mapping) or not definitions[key.text].known:
            continue
        ends = [_end(node.get(name), scope, findings) for name in ("from", "to")]
        first, last = ends
        if first is None or last is None:
            continue
        if not first <= last:
            message = f"the range of '{key.text}' is empty: from {exact_figure(first)} to {exact_figure(last)}"
            findings.report(Diagnostic("index-range", message, node.span, "write the smaller number first"))
        elif last - first >= MAX_VARIANTS:
            message = f"'{key.text}' has {exact_figure(last - first + 1)} values; at most {MAX_VARIANTS} are told apart"
            findings.report(Diagnostic("too-large", message, node.span))
        else:
            found[key.text] = range(first, last + 1)
    return found


def _end(node: Node | None, scope: Scope, findings: Findings) -> int | None:
    formula = None if node is None else read_formula(node, findings)
    return None if formula is None else attempt(formula, scope, integer_value, findings)


def _all(document: Mapping) -> Iterator[tuple[DefinitionKind, Scalar, Node]]:
    sections: list[tuple[DefinitionKind, Node | None]] = [("constant", document.get("constants"))]
    task = document.get("task")
    if isinstance(task, Mapping):
        sections.append(("size", sizes_of(task)))
    sections += [("parameter", document.get("parameters")), ("derived", document.get("derived"))]
    for kind, section in sections:
        if isinstance(section, Mapping):
            yield from ((kind, key, value) for key, value in section.items)


def _read(kind: DefinitionKind, key: Scalar, node: Node, findings: Findings) -> _Written | None:
    form: Form = "formula"
    rows: tuple[tuple[Node, ...], ...] = ((node,),)
    if isinstance(node, Sequence):
        form, rows = "list", (node.items,)
        if any(isinstance(item, Sequence) for item in node.items):
            form, rows = "table", tuple(item.items if isinstance(item, Sequence) else (item,) for item in node.items)
    if any(isinstance(item, Invalid) for row in rows for item in row):
        return None
    odd = next((item for item in node.items if isinstance(item, Scalar)), None) if isinstance(node, Sequence) else None
    if form == "table" and odd is not None:
        hint = 'a formula can mix both: "[w, [1, 2]]", in quotes'
        findings.report(Diagnostic("shape", "this is no row of numbers, as others in the list are", odd.span, hint))
        return None
    if len({len(row) for row in rows}) > 1:
        findings.report(Diagnostic("shape", _UNEVEN, node.span))
        return None
    read = [[read_formula(item, findings) for item in row] for row in rows]
    complete = tuple(tuple(formula for formula in row if formula is not None) for row in read)
    return None if any(None in row for row in read) else _Written(kind, key, written_text(node), complete, form)


def _reads(definition: _Written) -> dict[str, Span]:
    return {
        name: formula.scalar.at(*at) for formula in definition.formulas for name, at in free_names(formula.tree).items()
    }


def _in_order(written: dict[str, _Written | None], findings: Findings) -> list[str]:
    """Names so that each comes after those it reads (depth first, without recursion); cycles are reported."""
    order: list[str] = []
    done: set[str] = set()
    for start in written:
        path: list[tuple[str, Iterator[str]]] = []
        if start not in done:
            path.append((start, _needs(start, written)))
        on_path = {start}
        while path:
            name, needs = path[-1]
            need = next((need for need in needs if need not in done), None)
            if need is None:
                path.pop()
                on_path.discard(name)
                done.add(name)
                order.append(name)
            elif need in on_path:
                names = [step for step, _ in path]
                _report_cycle(names[names.index(need) :], written, findings)
                for member in names[names.index(need) :]:
                    written[member] = None
            else:
                on_path.add(need)
                path.append((need, _needs(need, written)))
    return order


def _needs(name: str, written: dict[str, _Written | None]) -> Iterator[str]:
    definition = written[name]
    return iter([] if definition is None else [need for need in _reads(definition) if need in written])


def _report_cycle(cycle: list[str], written: dict[str, _Written | None], findings: Findings) -> None:
    first = written[cycle[0]]
    if first is not None:
        shown = " → ".join([*cycle, cycle[0]])
        findings.report(Diagnostic("cycle", f"'{cycle[0]}' is defined by itself: {shown}", first.key.span))


def _compute(definition: _Written, scope: Scope, findings: Findings) -> Value:
    rows: list[list[Value]] = []
    for formulas in definition.rows:
        values = [attempt(formula, scope, evaluate_expression, findings) for formula in formulas]
        rows.append([value for value in values if value is not None])
        if len(rows[-1]) < len(values):
            return Unknown()
    array = _joined(definition, rows, findings)
    return Unknown() if array is None else _finished(definition, array, scope, findings)


def _joined(definition: _Written, rows: list[list[Value]], findings: Findings) -> Number | VectorOrMatrix | None:
    """The values of the formulas as one value; None, which is reported, where they make none."""
    name, first = definition.key.text, rows[0][0]
    if definition.form == "formula":
        if isinstance(first, Number | Vector | Matrix):
            return first
        message = f"'{name}' has to be a number, a vector or a matrix"
        findings.report(Diagnostic("wrong-type", message, definition.formulas[0].span))
        return None
    vectors = [value.items for value in rows[0] if isinstance(value, Vector)]
    if definition.form == "list" and len(vectors) == len(rows[0]):  # the rows of a matrix, by name
        if len(set(map(len, vectors))) > 1:
            findings.report(Diagnostic("shape", _UNEVEN, definition.formulas[0].span))
            return None
        return Matrix(tuple(vectors))
    values = [value for row in rows for value in row]
    odd = next((i for i, value in enumerate(values) if not isinstance(value, Number)), None)
    if odd is not None:
        message = f"an element of '{name}' is no number"
        findings.report(Diagnostic("wrong-type", message, definition.formulas[odd].span))
        return None
    numbers = [tuple(value for value in row if isinstance(value, Number)) for row in rows]
    return Vector(numbers[0]) if definition.form == "list" else Matrix(tuple(numbers))


def _finished(definition: _Written, array: Number | VectorOrMatrix, scope: Scope, findings: Findings) -> Value:
    """The value with every number as its readers see it."""
    if not has_work_for(definition.formulas[0], scope, FINISHING_WORK * size_of(array), findings):
        return Unknown()
    unfit: list[Number] = []
    given = definition.kind == "parameter" and any(
        number.rounded for number in numbers_in(array)
    )  # by others, in parts

    def finish(number: Number, *index: int) -> Number:
        label = definition.key.text + (f"[{', '.join(map(str, index))}]" if index else "")
        if given and number.provenance is NOWHERE:
            number = replace(number, rounded=True)  # a 0 or 1 in a formula of parameters is no number of its own
        made = _finish(number, label, definition, definition.formula(index), scope.dtype, findings)
        if made is None:
            unfit.append(number)
        return made or number

    finished: Number | VectorOrMatrix
    match array:
        case Number():
            finished = finish(array)
        case Vector(items=items):
            finished = Vector(tuple(finish(number, i) for i, number in enumerate(items)))
        case Matrix(rows=rows):
            table = (tuple(finish(number, i, j) for j, number in enumerate(row)) for i, row in enumerate(rows))
            finished = Matrix(tuple(table))
    return Unknown() if unfit else finished


def _finish(
    number: Number, label: str, definition: _Written, formula: Formula, dtype: FloatFormat, findings: Findings
) -> Number | None:
    """The number as its readers see it: it remembers the definition.

    A parameter is a leaf of its own, unless other parameters give it: then the leaves are theirs.
    """
    name = definition.key.text
    if definition.kind != "parameter":
        return Number(number.value, number.rounded, Provenance(name=name, parts=(number.provenance,)))
    try:
        rounded = cast(number, dtype)
    except NotANumber as error:
        findings.report(Diagnostic("number", str(error), formula.span))
        return None
    if isinstance(number.value, int) and rounded.value != number.value:
        becomes = as_figure(rounded.value)
        message = f"{label} is {exact_figure(number.value)}, which {dtype.name} cannot hold: it becomes {becomes}"
        findings.report(Diagnostic("inexact-integer", message, formula.span, severity="warning"))
    if number.rounded:
        return Number(rounded.value, True, Provenance(name=name, parts=(number.provenance,)))
    leaf = Leaf("parameter", label, rounded.value, formula.span)
    return Number(rounded.value, True, Provenance(leaf, name, sources=(number.provenance,)))
