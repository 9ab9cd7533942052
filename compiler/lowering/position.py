"""`position`: numbers added to named dimensions by position, from equations in `pos` or out of a stored table, which is
a matrix or has equations of its own."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import partial

from compiler.expressions.axes import Axis, Family
from compiler.expressions.evaluate import evaluate_expression
from compiler.expressions.formulas import Formula, attempt, read_formula
from compiler.expressions.positions import POSITION, TIME, PositionFormula
from compiler.expressions.scope import AlreadyReported, Scope
from compiler.expressions.syntax import ExpressionError
from compiler.expressions.targets import Aim, Target
from compiler.expressions.values import KINDS, Matrix, Number, merged_provenance
from compiler.lowering.context import Context, Line, dimension_lines
from compiler.lowering.rows import readable, rows
from compiler.lowering.tensors import (
    matrix_entries,
    stored_entry,
    stored_once,
    tensor,
    warn_if_vanishing,
    whole_parameter,
)
from compiler.network.ir import Entry, Equation, Position, PositionTerm, Tensor
from compiler.network.length import timed_shape, timed_terms
from compiler.source.diagnostics import Diagnostic
from compiler.source.document import Mapping, Node
from compiler.source.limits import MAX_POSITION_ENTRIES

TABLE = "table"


def lower_position(context: Context, step: Mapping, name: str, stream: Axis, length: int) -> Position:
    """A position step for sequences of up to `length` tokens."""
    context = context.within(step)
    node = step.get(TABLE)
    if node is not None and (isinstance(node, Mapping) or stream.family(TABLE) is None):
        others = [key for key, _ in step.items if key.text not in (TABLE, "let")]
        if others:
            message = "a position step has either a table or equations"
            context.error("target-twice", message, others[0].span, "write two position steps")
        if isinstance(node, Mapping):
            return _table_by_formula(context, node, name, stream, length)
        return _table(context, node, name, stream, length)
    scope = context.numbers(stream)
    kept = rows(context, dimension_lines(step), Aim(stream, "dimension", "stream"), scope)
    read = readable(context, kept, scope)
    terms = [term for line, formula, aims in read for term in _terms(context, line, formula, aims, scope, length)]
    made = Position(name, stream, tuple(terms), None, None, tuple(line.equation for line, _ in kept))
    timed = timed_terms(made)
    lengths, positions, dimensions = timed_shape(timed, length)
    if lengths * positions * dimensions > MAX_POSITION_ENTRIES:
        message = f"{dimensions} dimensions at {positions} positions in sequences of {lengths} lengths are more than"
        context.error("too-large", f"{message} {MAX_POSITION_ENTRIES:,} numbers", timed[0].equation.span)
    return made


def _terms(
    context: Context, line: Line, formula: Formula, aims: list[Target], scope: Scope, length: int
) -> Iterator[PositionTerm]:
    for target in aims:
        value = PositionFormula(formula, scope.bind(target.indices))
        cases = ((_case(value, *case), partial(value.at, *case)) for case in value.cases(length))
        numbers = _numbers(context, formula, cases)
        if numbers is None:
            return
        provenance = merged_provenance(*{number.provenance for number in numbers})
        yield PositionTerm(target.position, value.checked(), line.equation, provenance)


def _case(value: PositionFormula, position: int, time: int) -> str:
    """For which of its cases a formula fails, for messages."""
    read = (
        (f"{POSITION} = {position}", value.reads_position or not value.reads_time),
        (f"{TIME} = {time}", value.reads_time),
    )
    return f" (for {', '.join(name for name, counts in read if counts)})"


def _numbers(
    context: Context, formula: Formula, cases: Iterable[tuple[str, Callable[[], Number]]]
) -> list[Number] | None:
    """The number for every case, so that nothing can fail later; None, with the reason reported, where one fails."""
    numbers: list[Number] = []
    for case, compute in cases:
        try:
            number = compute()
        except AlreadyReported:
            return None
        except ExpressionError as error:
            place = error.span or formula.scalar.at(*error.at)
            message = error.message + (case if error.code in ("number", "index-range") else "")
            context.findings.report(Diagnostic(error.code, message, place, error.hint))
            return None
        if abs(number.value) == math.inf:
            context.error("number", f"a position cannot add {number.value}{case}", formula.span)
            return None
        numbers.append(number)
    return numbers


def _table_by_formula(context: Context, written: Mapping, name: str, stream: Axis, length: int) -> Position:
    """A stored table whose columns are formulas in `pos`; a column that no line writes is zero."""
    scope = context.numbers(stream)
    scope = replace(
        scope, elsewhere={**scope.elsewhere, TIME: "is another number in each sequence: no table stores it"}
    )
    kept = rows(context, dimension_lines(written), Aim(stream, "dimension", "stream"), scope)
    entries: list[Entry] = []
    for line, formula, aims in readable(context, kept, scope):
        column: list[Entry] = []
        for target in aims:
            value = PositionFormula(formula, scope.bind(target.indices))
            cases = ((f" (for {POSITION} = {at})", partial(value.stored_at, at)) for at in range(length))
            numbers = _numbers(context, formula, cases)
            if numbers is None:
                break
            places = ((position, target.position) for position in range(length))
            column += map(partial(stored_entry, context, formula=formula, equation=line.equation), numbers, places)
        warn_if_vanishing(context, formula, column)
        entries += column
    table = tensor(f"{name}.weight", (_positions(length), stream), entries)
    return Position(name, stream, (), table, None, tuple(line.equation for line, _ in kept))


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

    def make() -> Tensor:
        return tensor(f"{name}.weight", (_positions(rows), stream), matrix_entries(context, value, formula, equation))

    table, tie = stored_once(context, whole_parameter(context, formula.tree), value.shape, name, make)
    return Position(name, stream, (), table, tie, (equation,))


def _positions(count: int) -> Axis:
    return Axis((Family("position", (count,)),))
