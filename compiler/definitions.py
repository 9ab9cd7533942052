"""Constants, task sizes and parameters: definitions in any order to numbers, acyclic."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

from compiler.diagnostics import Diagnostic, Note
from compiler.document import Invalid, Mapping, Node, Scalar, Sequence
from compiler.expressions.arithmetic import NotANumber, cast
from compiler.expressions.evaluate import evaluate
from compiler.expressions.scope import NAMED_NUMBERS, Scope
from compiler.expressions.syntax import free_names
from compiler.expressions.values import Leaf, Number, Provenance, Unknown, Value, Vector
from compiler.floats import FloatFormat
from compiler.formulas import Formula, attempt, read_formula
from compiler.positions import KEY, PAIR, QUERY
from compiler.source import Span
from compiler.tasks import TASKS

Kind = Literal["constant", "size", "parameter"]


@dataclass(frozen=True)
class Definition:
    """A named number or vector. A parameter's numbers are rounded to the dtype; the others are exact or doubles."""

    name: str
    kind: Kind
    text: str
    value: Value
    span: Span

    @property
    def known(self) -> bool:
        return not isinstance(self.value, Unknown)

    @property
    def numbers(self) -> tuple[Number, ...]:
        """The number, or those of the vector."""
        if isinstance(self.value, Vector):
            return self.value.items
        return (self.value,) if isinstance(self.value, Number) else ()

    def integer(self) -> int | None:
        """The value where it is an exact integer."""
        value = self.value.value if isinstance(self.value, Number) else None
        if isinstance(value, int):
            return value
        return int(value) if value is not None and value.is_integer() else None


@dataclass(frozen=True)
class _Written:
    """A definition before it is computed: one formula, or one for each element of a list."""

    kind: Kind
    key: Scalar
    formulas: tuple[Formula, ...]
    is_list: bool

    @property
    def text(self) -> str:
        shown = ", ".join(formula.text for formula in self.formulas)
        return f"[{shown}]" if self.is_list else shown


def resolve_definitions(document: Mapping, scope: Scope, found: list[Diagnostic]) -> dict[str, Definition]:
    """Every definition by name, in file order. One that fails is reported and becomes `Unknown`."""
    written: dict[str, _Written | None] = {}
    keys: dict[str, tuple[Kind, Scalar]] = {}
    for kind, key, node in _all(document):
        name = key.text
        if name in keys:
            note = Note(f"the {keys[name][0]} of that name", keys[name][1].span)
            found.append(Diagnostic("name-clash", f"'{name}' is defined twice", key.span, notes=(note,)))
            continue
        if name in (*NAMED_NUMBERS, QUERY, KEY, PAIR):
            found.append(Diagnostic("name-clash", f"'{name}' already has a meaning", key.span))
        keys[name] = (kind, key)
        written[name] = _read(kind, key, node, found)
    texts = {name: "" if one is None else one.text for name, one in written.items()}
    parameters = {
        name: "is a parameter, which a constant cannot read" for name, (kind, _) in keys.items() if kind == "parameter"
    }
    not_parameters = tuple(name for name in keys if name not in parameters)
    values: dict[str, Value] = {}
    constants: dict[str, Value] = {}
    for name in _in_order(written, found):
        definition = written[name]
        value: Value = Unknown()
        if definition is not None:
            readable = (values, {}) if name in parameters else (constants, parameters)
            candidates = tuple(keys) if name in parameters else not_parameters
            inner = replace(scope, names=readable[0], definition=name, elsewhere=readable[1], candidates=candidates)
            value = _compute(definition, inner, found)
        values[name] = value
        if name not in parameters:
            constants[name] = value
    return {
        name: Definition(name, kind, texts[name], values.get(name, Unknown()), key.span)
        for name, (kind, key) in keys.items()
    }


def _all(document: Mapping) -> Iterator[tuple[Kind, Scalar, Node]]:
    sections: list[tuple[Kind, Node | None]] = [("constant", document.get("constants"))]
    task = document.get("task")
    if isinstance(task, Mapping):
        sections += [("size", value) for key, value in task.items if key.text in TASKS]
    sections.append(("parameter", document.get("parameters")))
    for kind, section in sections:
        if isinstance(section, Mapping):
            yield from ((kind, key, value) for key, value in section.items)


def _read(kind: Kind, key: Scalar, node: Node, found: list[Diagnostic]) -> _Written | None:
    items = node.items if isinstance(node, Sequence) else (node,)
    if any(isinstance(item, Invalid) for item in items):
        return None
    formulas = tuple(read_formula(item, found) for item in items)
    complete = tuple(formula for formula in formulas if formula is not None)
    return _Written(kind, key, complete, isinstance(node, Sequence)) if len(complete) == len(formulas) else None


def _reads(definition: _Written) -> dict[str, Span]:
    return {
        name: formula.scalar.at(*at) for formula in definition.formulas for name, at in free_names(formula.tree).items()
    }


def _in_order(written: dict[str, _Written | None], found: list[Diagnostic]) -> list[str]:
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
                _report_cycle(names[names.index(need) :], written, found)
                for member in names[names.index(need) :]:
                    written[member] = None
            else:
                on_path.add(need)
                path.append((need, _needs(need, written)))
    return order


def _needs(name: str, written: dict[str, _Written | None]) -> Iterator[str]:
    definition = written[name]
    return iter([] if definition is None else [need for need in _reads(definition) if need in written])


def _report_cycle(cycle: list[str], written: dict[str, _Written | None], found: list[Diagnostic]) -> None:
    first = written[cycle[0]]
    if first is not None:
        shown = " → ".join([*cycle, cycle[0]])
        found.append(Diagnostic("cycle", f"'{cycle[0]}' is defined by itself: {shown}", first.key.span))


def _compute(definition: _Written, scope: Scope, found: list[Diagnostic]) -> Value:
    results = [attempt(formula, scope, evaluate, found) for formula in definition.formulas]
    numbers: list[Number] = []
    is_vector = definition.is_list
    for formula, result in zip(definition.formulas, results, strict=True):
        if isinstance(result, Vector) and not definition.is_list:
            is_vector = True
            numbers = list(result.items)
        elif isinstance(result, Number):
            numbers.append(result)
        elif result is None:
            return Unknown()
        else:
            message = f"'{definition.key.text}' has to be a number or a vector"
            found.append(Diagnostic("wrong-type", message, formula.span))
            return Unknown()
    finished = []
    for i, value in enumerate(numbers):
        label = f"{definition.key.text}[{i}]" if is_vector else definition.key.text
        formula = definition.formulas[i if definition.is_list else 0]
        number = _finish(value, label, definition, formula, scope.dtype, found)
        if number is None:
            return Unknown()
        finished.append(number)
    return Vector(tuple(finished)) if is_vector else finished[0]


def _finish(
    number: Number, label: str, definition: _Written, formula: Formula, dtype: FloatFormat, found: list[Diagnostic]
) -> Number | None:
    """The number as its readers see it: it remembers the definition, and a parameter is a leaf of its own."""
    name = definition.key.text
    if definition.kind != "parameter":
        return Number(number.value, False, Provenance(name=name, parts=(number.provenance,)))
    try:
        rounded = cast(number, dtype)
    except NotANumber as error:
        found.append(Diagnostic("number", str(error), formula.span))
        return None
    leaf = Leaf("parameter", label, rounded.value, formula.span)
    return Number(rounded.value, True, Provenance(leaf, name, behind=(number.provenance,)))
