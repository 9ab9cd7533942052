"""Numbers to stored tensors: rounding, entries, vectors, and parameters that are stored as a whole."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from collections.abc import Sequence as AnySequence
from dataclasses import dataclass, replace
from itertools import takewhile
from typing import Literal as OneOf

from compiler.expressions.arithmetic import as_figure, exact_figure
from compiler.expressions.axes import Axis
from compiler.expressions.evaluate import evaluate_expression
from compiler.expressions.floats import round_to
from compiler.expressions.formulas import Formula, attempt, has_work_for, read_formula
from compiler.expressions.matrices import size_of
from compiler.expressions.scope import Scope
from compiler.expressions.syntax import ExpressionNode, Literal, Name, Transpose
from compiler.expressions.values import KINDS, Affine, Matrix, Number, Vector, leaves
from compiler.lowering.context import Context, Shared
from compiler.lowering.ties import named_owner
from compiler.network.ir import Entry, Equation, Index, Tensor
from compiler.source.diagnostics import Diagnostic, Severity
from compiler.source.document import Node, Sequence, written_text
from compiler.source.text import Span


def tensor(name: str, axes: tuple[Axis | None, ...], entries: list[Entry]) -> Tensor:
    """A tensor, its entries in the order of their indices."""
    return Tensor(name, axes, tuple(sorted(entries, key=lambda entry: entry.index)))


def stored_entry(context: Context, number: Number, index: Index, formula: Formula, equation: Equation) -> Entry:
    """The entry at an index of a tensor, for a number of an equation."""
    return Entry(index, store(context, number, formula.span), equation, number.provenance)


def row_entries(
    context: Context, value: Affine, row: int, formula: Formula, equation: Equation
) -> tuple[list[Entry], list[Entry]]:
    """The entries of a row of a weight, by the numbers that inputs are multiplied by; and that of the bias."""
    terms = sorted(value.terms.items())
    weights = [stored_entry(context, number, (row, column), formula, equation) for column, number in terms]
    constants = () if value.constant is None else (value.constant,)
    return weights, [stored_entry(context, constant, (row,), formula, equation) for constant in constants]


def matrix_entries(context: Context, matrix: Matrix, formula: Formula, equation: Equation) -> list[Entry]:
    """The entries of a whole matrix."""
    context.scope.work.left -= size_of(matrix)
    return [
        stored_entry(context, number, (i, j), formula, equation)
        for i, row in enumerate(matrix.rows)
        for j, number in enumerate(row)
    ]


def store(context: Context, number: Number, span: Span, what: str = "weight") -> float:
    """The number as it is stored: rounded once to the dtype, a zero without a sign. `what` is for messages.

    An equation of many numbers says once what happens to the first of them.
    """
    dtype = context.resolved.dtype
    try:
        value = round_to(number.value, dtype)
    except OverflowError:
        value = math.inf if number.value > 0 else -math.inf
    if not math.isfinite(value):
        message = f"{exact_figure(number.value)}, which does not fit into {dtype.name}"
        if context.resolved.allow_overflow:
            _once(context, "overflow", f"the {what} is {message}: it is stored as {value}", span)
            return value
        hint = "--allow-overflow stores an infinity instead"
        _once(context, "overflow", f"the {what} is {message}", span, hint, severity="error")
        return math.nan  # nothing is built; it is not zero, which would be suspicious in itself
    if value == 0.0 and number.value != 0:
        _once(
            context,
            "underflow",
            f"the {what} is {exact_figure(number.value)}, which becomes zero in {dtype.name}",
            span,
        )
    elif isinstance(number.value, int) and value != number.value:
        message = f"{exact_figure(number.value)}, which {dtype.name} cannot hold: it becomes {as_figure(value)}"
        _once(context, "inexact-integer", f"the {what} is {message}", span)
    return value + 0.0


def _once(
    context: Context, code: str, message: str, span: Span, hint: str | None = None, severity: Severity = "warning"
) -> None:
    """Report the first of many numbers of one equation."""
    if all(diagnostic.code != code for diagnostic in _last_found(context, span)):
        context.findings.report(Diagnostic(code, message, span, hint, severity=severity))


def _last_found(context: Context, span: Span) -> Iterator[Diagnostic]:
    """The findings so far that are about this place, back to the first one that is not."""
    return takewhile(lambda diagnostic: diagnostic.span == span, reversed(context.findings))


@dataclass(frozen=True)
class WrittenVector:
    """What a vector is written as, each number with its formula: a list, the name of a vector, or one number for all.

    `whole` is the parameter that it is as a whole.
    """

    items: tuple[tuple[Number, Formula], ...]
    written: OneOf["list", "name", "number"]
    equation: Equation
    whole: str | None = None

    def entries(self, context: Context, what: str) -> list[Entry]:
        """The stored numbers, each with its own line."""
        return [
            stored_entry(context, number, (i,), formula, Equation(what, formula.text, formula.span))
            for i, (number, formula) in enumerate(self.items)
        ]


def read_numbers(context: Context, node: Node, what: str, scope: Scope) -> WrittenVector | None:
    """The numbers of a vector, which is called `what` in messages and equations; None where there are none."""
    items: list[tuple[Number, Formula]] = []
    written: OneOf["list", "name", "number"] = "list" if isinstance(node, Sequence) else "number"
    whole: str | None = None
    for item in node.items if isinstance(node, Sequence) else (node,):
        formula = read_formula(item, context.findings)
        value = None if formula is None else attempt(formula, scope, evaluate_expression, context.findings)
        if formula is None or value is None:
            return None
        if isinstance(value, Vector) and not isinstance(node, Sequence):
            written, whole = "name", whole_parameter(context, formula.tree)
            items += [(number, formula) for number in value.items]
        elif isinstance(value, Number):
            items.append((value, formula))
        else:
            message = f"the {what} is a vector of numbers, found {KINDS[type(value)]}"
            context.error("wrong-type", message, formula.span)
            return None
    text = ", ".join(dict.fromkeys(formula.text for _, formula in items))
    equation = Equation(what, f"[{text}]" if written == "list" else text, node.span)
    return WrittenVector(tuple(items), written, equation, whole)


def lower_vector(
    context: Context, node: Node, name: str, axis: Axis, owner: str, what: str
) -> tuple[Tensor, str | None, tuple[Equation, ...]]:
    """One stored number for each dimension of `axis`, the tie if it is stored before, and its equation.

    The value is a vector, by name or as a list, one number for all, or the name of an earlier norm or scale. `owner` is
    the norm or scale that stores it; `what` is its name in messages and equations.
    """
    named = named_owner(context, node, owner, context.vectors, "norm or scale with a weight", context.scope)
    if named is None:
        weight, tie, equations = _written_vector(context, node, name, axis, owner, what)
    else:
        if named.transposed and named.path in context.vectors:
            hint = f"name it as it is: {named.path}"
            context.error("wrong-type", f"'{named.path}' is a vector, which has no transpose", node.span, hint)
        weight, tie, equations = _tied_vector(context, node, name, axis, named.path, what)
    context.vectors[owner] = Shared(tie or owner, weight)
    return weight, tie, equations


def _tied_vector(
    context: Context, node: Node, name: str, axis: Axis, owner: str, what: str
) -> tuple[Tensor, str | None, tuple[Equation, ...]]:
    equation = Equation(what, written_text(node), node.span)
    if owner not in context.vectors:
        return tensor(name, (axis,), []), None, (equation,)
    shared = context.vectors[owner]
    if shared.weight.size != axis.size:
        message = f"'{owner}' has {shared.weight.size} numbers for {axis.size} dimensions"
        context.error("shape", message, node.span)
    return shared.weight, shared.owner, (equation,)


def _written_vector(
    context: Context, node: Node, name: str, axis: Axis, owner: str, what: str
) -> tuple[Tensor, str | None, tuple[Equation, ...]]:
    scope = replace(context.scope, candidates=(*context.scope.candidates, *context.vectors))
    read = _read_vector(context, node, axis, what, scope)
    if read is None:
        return tensor(name, (axis,), []), None, ()
    weight, tie = stored_once(
        context, read.whole, (axis.size,), owner, lambda: tensor(name, (axis,), read.entries(context, what))
    )
    return weight, tie, (read.equation,)


def lower_untied_vector(
    context: Context, node: Node, name: str, axis: Axis, what: str
) -> tuple[Tensor, tuple[Equation, ...]]:
    """The same of a vector, a list or one number for all that is always a tensor of its own, such as a bias."""
    read = _read_vector(context, node, axis, what, context.scope)
    if read is None:
        return tensor(name, (axis,), []), ()
    return tensor(name, (axis,), read.entries(context, what)), (read.equation,)


def _read_vector(context: Context, node: Node, axis: Axis, what: str, scope: Scope) -> WrittenVector | None:
    """One number for each dimension of an axis; None where there are not, which was reported."""
    read = read_numbers(context, node, what, scope)
    if read is not None and read.written == "number":
        if not has_work_for(read.items[0][1], context.scope, axis.size, context.findings):
            return None
        read = replace(read, items=read.items * axis.size)
    return None if read is None or not fits(context, node, read, axis) else read


def fits(context: Context, node: Node, read: WrittenVector, axis: Axis) -> bool:
    """Whether there are as many numbers as dimensions, which is reported if not."""
    if len(read.items) != axis.size:
        context.error("shape", f"{len(read.items)} numbers for {axis.size} dimensions", node.span)
    return len(read.items) == axis.size


def whole_parameter(context: Context, node: ExpressionNode) -> str | None:
    """The name of the parameter that an expression is as a whole, with `.T` where it is transposed."""
    turned = isinstance(node, Transpose)
    inner = node.operand if isinstance(node, Transpose) else node
    definition = context.resolved.definitions.get(inner.name) if isinstance(inner, Name) else None
    if definition is None or definition.kind != "parameter":
        return None
    return f"{definition.name}.T" if turned else definition.name


def stored_once(
    context: Context, whole: str | None, shape: tuple[int, ...], owner: str, make: Callable[[], Tensor]
) -> tuple[Tensor, str | None]:
    """The tensor that `make` makes, for what is called `owner`.

    Where it is a parameter as a whole, its name being `whole`, it is stored once in each shape: then comes the tensor
    that was made before, with the name of its owner.
    """
    if whole is None:
        return make(), None
    if (whole, shape) in context.whole:
        shared = context.whole[whole, shape]
        return shared.weight, shared.owner
    made = make()
    context.whole[whole, shape] = Shared(owner, made)
    return made, None


def warn_if_vanishing(context: Context, formula: Formula, written: AnySequence[Entry]) -> None:
    """An equation whose numbers are all zero, although it does not say so and no parameter could change it."""
    if not written or any(entry.value for entry in written) or isinstance(formula.tree, Literal):
        return
    if any(diagnostic.code == "underflow" for diagnostic in _last_found(context, formula.span)):
        return  # they were not zero before they were rounded
    if not any(leaf.kind == "parameter" for leaf in leaves(entry.provenance for entry in written)):
        context.warn("vanishing-equation", "every number of this equation is zero", formula.span)
