"""Equations to sparse maps: each coefficient a stored weight, the constant part the bias."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from compiler.axes import Axis
from compiler.diagnostics import Diagnostic, Note, did_you_mean
from compiler.document import Mapping, Scalar
from compiler.expressions.evaluate import affine
from compiler.expressions.scope import Scope
from compiler.expressions.values import Affine, Number
from compiler.floats import round_to
from compiler.formulas import Formula, attempt, in_place, read_formula
from compiler.ir import Entry, Equation, Map, Tensor
from compiler.lowering.context import Context, Line, lines
from compiler.naming import Aim, targets
from compiler.source import Span

_PATH = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*")


@dataclass(frozen=True)
class MapShape:
    """What a map connects: `path` is its full name, `outputs` are called `what` in messages.

    `whole` is the name under which all outputs can be indexed, if they have one: `stream[k]`, `hidden[k]`.
    """

    path: str
    inputs: Axis
    outputs: Axis
    what: str
    scope: Scope
    whole: str = ""

    @property
    def name(self) -> str:
        return self.path.rpartition(".")[2]


def lower_map(context: Context, step: Mapping, shape: MapShape, biases: set[str]) -> Map:
    """The map `shape.name` of a step. A map that the spec leaves out is stored as zeros in its full shape."""
    written = list(lines(step, shape.name))
    bare = next((line for line in written if line.target is None), None)
    if bare is not None and len(written) > 1:
        other = next(line for line in written if line.target is not None)
        note = Note("all rows are written here", bare.key.span)
        message = f"'{shape.name}' is written as a whole and row by row"
        context.found.append(Diagnostic("target-twice", message, other.key.span, notes=(note,)))
    lowered = _bare(context, shape, bare, biases) if bare is not None else _by_rows(context, shape, written, biases)
    context.weights[shape.path] = lowered.weight
    return lowered


def _by_rows(context: Context, shape: MapShape, written: list[Line], biases: set[str]) -> Map:
    rows: dict[int, Equation] = {}
    weights: list[Entry] = []
    constants: list[Entry] = []
    aim = Aim(shape.outputs, shape.what, shape.whole)
    for line in written:
        formula = read_formula(line.value, context.found)
        aims = targets(line.target, aim, shape.scope, context.found) if line.target is not None else []
        if formula is None:
            continue
        if line.target is not None:
            context.check_indices(line.target, formula, shape.scope)
        scope = in_place(shape.scope, formula)
        for target in aims:
            if target.position in rows:
                label = shape.outputs.labels[target.position]
                note = Note("first written here", rows[target.position].span)
                message = f"'{shape.name} {label}' is written twice"
                context.found.append(Diagnostic("target-twice", message, line.key.span, notes=(note,)))
                break
            rows[target.position] = line.equation
            value = attempt(formula, scope.bind(target.indices), affine, context.found, target.case)
            if value is None:
                break  # one error for each equation is enough
            weights += entries(context, value.terms, (target.position,), formula, line.equation)
            constants += entries(context, _constant(value), (target.position,), formula, line.equation, is_bias=True)
    has_bias = bool(constants) or shape.name in biases
    return Map(
        shape.path,
        shape.inputs,
        shape.outputs,
        tensor(f"{shape.path}.weight", (shape.outputs, shape.inputs), weights),
        tensor(f"{shape.path}.bias", (shape.outputs,), constants) if has_bias else None,
        equations=tuple(line.equation for line in written),
    )


def _bare(context: Context, shape: MapShape, line: Line, biases: set[str]) -> Map:
    """A tie, or one number or row that is stored once and broadcast to all outputs."""
    tied = _tie(context, shape, line)
    if tied is not None:
        owner, weight = tied
        bias = tensor(f"{shape.path}.bias", (shape.outputs,), []) if shape.name in biases else None
        return Map(shape.path, shape.inputs, shape.outputs, weight, bias, owner, (line.equation,))
    formula = read_formula(line.value, context.found)
    value = attempt(formula, shape.scope, affine, context.found) if formula is not None else None
    terms, constants = ({}, {}) if value is None else (value.terms, _constant(value))
    weights = entries(context, terms, (0,), formula, line.equation) if formula is not None else []
    bias_entries = (
        entries(context, constants, (0,), formula, line.equation, is_bias=True) if formula is not None else []
    )
    has_bias = bool(bias_entries) or shape.name in biases
    return Map(
        shape.path,
        shape.inputs,
        shape.outputs,
        tensor(f"{shape.path}.weight", (None if terms else shape.outputs, shape.inputs), weights),
        tensor(f"{shape.path}.bias", (None,), bias_entries) if has_bias else None,
        equations=(line.equation,),
    )


def _tie(context: Context, shape: MapShape, line: Line) -> tuple[str, Tensor] | None:
    """The map whose weight a bare map shares, if its value is the name of one."""
    value = line.value
    if not isinstance(value, Scalar) or not _PATH.fullmatch(value.text):
        return None
    name = value.text
    step = shape.path.rpartition(".")[0]
    block = step.rpartition(".")[0]
    paths = [f"{step}.{name}", f"{block}.{name}", name]
    owner = next((path for path in paths if path in context.weights), None)
    if owner is None:
        if "." in name:
            message = f"no map '{name}' before this one{did_you_mean(name, context.weights)}"
            context.error("unknown-name", message, value.span)
            return shape.path, tensor(f"{shape.path}.weight", (shape.outputs, shape.inputs), [])
        return None
    if name in shape.scope.names:
        hint = "rename the dimension or number, or write the map's full path"
        context.error("name-clash", f"'{name}' is a map and a name of this spec", value.span, hint)
    weight = context.weights[owner]
    needed = (1 if weight.axes[0] is None else shape.outputs.size, shape.inputs.size)
    if weight.shape != needed:
        message = f"'{owner}' has the shape {list(weight.shape)}, but '{shape.path}' needs {list(needed)}"
        context.error("shape", message, value.span)
    return owner, weight


def entries(
    context: Context,
    numbers: dict[int, Number],
    row: tuple[int, ...],
    formula: Formula,
    equation: Equation,
    *,
    is_bias: bool = False,
) -> list[Entry]:
    """The stored numbers of one row; those of a bias have no column."""
    return [
        Entry(row if is_bias else (*row, column), store(context, number, formula.span), equation, number.provenance)
        for column, number in sorted(numbers.items())
    ]


def store(context: Context, number: Number, span: Span, what: str = "weight") -> float:
    """The number as it is stored: rounded once to the dtype, a zero without a sign. `what` is for messages."""
    dtype = context.resolved.dtype
    try:
        value = round_to(number.value, dtype)
    except OverflowError:
        value = math.inf
    if not math.isfinite(value):
        context.error("overflow", f"the {what} does not fit into {dtype.name}", span)
        return 0.0
    if value == 0.0 and number.value != 0:
        context.warn("underflow", f"a {what} that is not zero becomes zero in {dtype.name}", span)
    return value + 0.0


def tensor(name: str, axes: tuple[Axis | None, ...], found: list[Entry]) -> Tensor:
    return Tensor(name, axes, tuple(sorted(found, key=lambda entry: entry.index)))


def _constant(value: Affine) -> dict[int, Number]:
    return {} if value.constant is None else {0: value.constant}
