"""`position`: numbers added to named dimensions by position, from equations in `pos` or out of a stored table."""

from __future__ import annotations

import math
from collections.abc import Iterator

from compiler.expressions.axes import Axis, Family
from compiler.expressions.evaluate import evaluate_expression
from compiler.expressions.formulas import Formula, attempt, read_formula
from compiler.expressions.positions import PositionFormula
from compiler.expressions.scope import AlreadyReported, Scope
from compiler.expressions.syntax import ExpressionError
from compiler.expressions.targets import Aim, Target
from compiler.expressions.values import KINDS, Matrix, Provenance, merged_provenance
from compiler.lowering.context import Context, Line, dimension_lines
from compiler.lowering.rows import readable, rows
from compiler.lowering.tensors import matrix_entries, stored_once, tensor, whole_parameter
from compiler.network.ir import Equation, Position, PositionTerm, Tensor
from compiler.source.diagnostics import Diagnostic
from compiler.source.document import Mapping, Node

TABLE = "table"


def lower_position(context: Context, step: Mapping, name: str, stream: Axis, length: int) -> Position:
    """A position step for sequences of up to `length` tokens."""
    context = context.within(step)
    node = step.get(TABLE)
    if node is not None and stream.family(TABLE) is None:
        others = [key for key, _ in step.items if key.text not in (TABLE, "let")]
        if others:
            message = "a position step has either a table or equations"
            context.error("target-twice", message, others[0].span, "write two position steps")
        return _table(context, node, name, stream, length)
    scope = context.numbers(stream)
    kept = rows(context, dimension_lines(step), Aim(stream, "dimension", "stream"), scope)
    read = readable(context, kept, scope)
    terms = [term for line, formula, aims in read for term in _terms(context, line, formula, aims, scope, length)]
    return Position(name, stream, tuple(terms), None, None, tuple(line.equation for line, _ in kept))


def _terms(
    context: Context, line: Line, formula: Formula, aims: list[Target], scope: Scope, length: int
) -> Iterator[PositionTerm]:
    for target in aims:
        value = PositionFormula(formula, scope.bind(target.indices))
        provenance = _check(context, value, length)
        if provenance is None:
            return
        yield PositionTerm(target.position, value.checked(), line.equation, provenance)


def _check(context: Context, value: PositionFormula, length: int) -> Provenance | None:
    """Compute the number for every position, so that nothing can fail later."""
    read: set[Provenance] = set()
    for position in range(length):
        try:
            number = value.at(position)
        except AlreadyReported:
            return None
        except ExpressionError as error:
            place = error.span or value.formula.scalar.at(*error.at)
            case = f" (for pos = {position})" if error.code in ("number", "index-range") else ""
            message = error.message + case
            context.findings.report(Diagnostic(error.code, message, place, error.hint))
            return None
        if abs(number.value) == math.inf:
            context.error("number", f"a position cannot add {number.value} (for pos = {position})", value.formula.span)
            return None
        read.add(number.provenance)
    return merged_provenance(*read)


def _table(context: Context, node: Node, name: str, stream: Axis, length: int) -> Position:
    formula = read_formula(node, context.findings)
    value = None if formula is None else attempt(formula, context.scope, evaluate_expression, context.findings)
    nothing = Position(name, stream, (), None)
    if formula is None or value is None:
        return nothing
    if not isinstance(value, Matrix):
        message = f"the table of a position step is a matrix, found {KINDS[type(value)]}"
        context.error("wrong-type", message, formula.span)
        return nothing
    rows, columns = value.shape
    if columns != stream.size or rows < length:
        needed = f"at least {length} × {stream.size} (positions × stream)"
        hint = None
        if columns == stream.size and context.resolved.asked:
            hint = f"write `window: {rows}` in the task for a model that sees the last {rows} tokens only"
        context.error("shape", f"a table of {rows} × {columns}, but {needed} is needed", formula.span, hint)
        return nothing
    equation = Equation(TABLE, formula.text, formula.span)
    positions = Axis((Family("position", (rows,)),))

    def make() -> Tensor:
        return tensor(f"{name}.weight", (positions, stream), matrix_entries(context, value, formula, equation))

    table, tie = stored_once(context, whole_parameter(context, formula.tree), value.shape, name, make)
    return Position(name, stream, (), table, tie, (equation,))
