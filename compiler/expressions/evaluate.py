"""Syntax tree to value, within a scope of names. `where` is lazy, as a branch not taken must not count."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Any

from compiler.expressions.affine import add_up, column, negated
from compiler.expressions.arithmetic import (
    CHOICES,
    COMPARISONS,
    FUNCTIONS,
    NotANumber,
    PythonNumber,
    as_figure,
    call,
    exact_figure,
    negate,
)
from compiler.expressions.habits import NAMES, call_hint
from compiler.expressions.kinds import as_number, as_operand, as_truth, mismatch
from compiler.expressions.matrices import VectorOrMatrix, each, size_of, transposed
from compiler.expressions.operators import NON_AFFINE_HINT, applied, compared, product_of
from compiler.expressions.scope import NAMED_NUMBERS, AlreadyReported, Let, Scope
from compiler.expressions.syntax import (
    Binary,
    Call,
    ExpressionError,
    ExpressionNode,
    Indexed,
    List,
    Literal,
    Name,
    Transpose,
    Unary,
)
from compiler.expressions.values import (
    KINDS,
    Affine,
    DimensionFamily,
    Leaf,
    Matrix,
    Number,
    Provenance,
    Truth,
    Unknown,
    Value,
    Vector,
    index_number,
)
from compiler.source.diagnostics import did_you_mean

BINDING_WORK = 2  # what giving a value to an index costs, in evaluated nodes
LAZY_FUNCTIONS = ("where", "sum", "dot")
KNOWN_FUNCTIONS = (*FUNCTIONS, *CHOICES, *LAZY_FUNCTIONS)


def evaluate_expression(node: ExpressionNode, scope: Scope) -> Value:
    """The value of an expression. Raises `ExpressionError`, or `AlreadyReported` for a name that failed before."""
    scope.work.spend(1, node.at)
    return _EVALUATORS[type(node)](node, scope)


def number_value(node: ExpressionNode, scope: Scope) -> Number:
    """An expression that has to be one number."""
    return as_number(evaluate_expression(node, scope), node)


def integer_value(node: ExpressionNode, scope: Scope) -> int:
    """An expression that has to be an exact integer: a size or an index."""
    value = number_value(node, scope)
    if isinstance(value.value, float) and not value.value.is_integer():
        shown = as_figure(value.value, scope.dtype if value.rounded else None)
        raise ExpressionError("wrong-type", f"expected an integer, found {shown}", node.at)
    return int(value.value)


def truth_value(node: ExpressionNode, scope: Scope) -> bool:
    """An expression that has to be true or false: a condition."""
    return as_truth(evaluate_expression(node, scope), node)


def affine_value(node: ExpressionNode, scope: Scope) -> Affine:
    """An expression that has to be affine in the dimensions; a plain number is the constant part alone."""
    value = arithmetic_value(node, scope)
    return Affine({}, value) if isinstance(value, Number) else value


def arithmetic_value(node: ExpressionNode, scope: Scope) -> Number | Affine:
    """An expression that has to be a number or affine in the dimensions."""
    value = evaluate_expression(node, scope)
    if isinstance(value, Number | Affine):
        return value
    raise mismatch("a number", value, node)


def _literal(node: Literal, scope: Scope) -> Number:
    if node.value in (-1, 0, 1):
        return Number(node.value)
    leaf = Leaf("literal", scope.definition, node.value, scope.place(*node.at))
    return Number(node.value, False, Provenance(leaf))


def _list(node: List, scope: Scope) -> VectorOrMatrix:
    """Numbers make a vector, lists and vectors of one length the rows of a matrix."""
    if not node.items:
        raise ExpressionError("wrong-type", "a list of no numbers", node.at)
    values = [evaluate_expression(item, scope) for item in node.items]
    rows = [value.items for value in values if isinstance(value, Vector)]
    if len(rows) < len(values):
        return Vector(tuple(as_number(value, item) for value, item in zip(values, node.items, strict=True)))
    if len({len(row) for row in rows}) > 1:
        raise ExpressionError("shape", "the rows of a matrix have to have the same length", node.at)
    return Matrix(tuple(rows))


def _unary(node: Unary, scope: Scope) -> Value:
    if node.operator == "not":
        return Truth(not truth_value(node.operand, scope))
    value = as_operand(evaluate_expression(node.operand, scope), node.operand)
    if node.operator == "+":
        return value
    match value:
        case Number():
            return negate(value)
        case Affine():
            scope.work.spend(len(value.terms), node.at)
            return negated(value)
        case _:
            scope.work.spend(size_of(value), node.at)
            return each(value, negate)


def _transpose(node: Transpose, scope: Scope) -> Matrix:
    value = evaluate_expression(node.operand, scope)
    if isinstance(value, Vector | Matrix):
        scope.work.spend(size_of(value), node.at)
        return transposed(value)
    raise mismatch("a matrix", value, node.operand)


def _let(let: Let, scope: Scope) -> Value:
    try:
        return evaluate_expression(let.tree, replace(scope, place=let.place, lets=let.earlier))
    except ExpressionError as error:
        error.span = error.span or let.place(*error.at)
        raise


def _name(node: Name, scope: Scope) -> Value:
    value = scope.meaning(node.name)
    if isinstance(value, Unknown):
        raise AlreadyReported
    if value is not None:
        return value
    let = scope.lets.get(node.name)
    if let is not None:
        return _let(let, scope)
    if node.name in NAMED_NUMBERS:
        leaf = Leaf("literal", node.name, NAMED_NUMBERS[node.name], scope.place(*node.at))
        return Number(NAMED_NUMBERS[node.name], False, Provenance(leaf))
    if node.name in scope.lets.every:
        message = f"'{node.name}' is not known yet: what stands under `let` can read what stands above it"
        raise ExpressionError("unknown-name", message, node.at)
    if node.name in scope.elsewhere:
        raise ExpressionError("unknown-name", f"'{node.name}' {scope.elsewhere[node.name]}", node.at)
    if "." in node.name:
        dot = node.at[0] + node.name.index(".")
        last = node.name.rpartition(".")[2]
        instead = f"write {last}" if last in NAMED_NUMBERS else "the only thing written after a dot is .T"
        raise ExpressionError("syntax", "'.' has no meaning here", (dot, dot + 1), instead)
    if node.name in KNOWN_FUNCTIONS:
        raise ExpressionError("syntax", f"'{node.name}' is a function; write {node.name}(…)", node.at)
    hint = NAMES.get(node.name)
    known = [*scope.indices, *scope.names, *scope.lets, *scope.candidates, *NAMED_NUMBERS]
    suggestion = did_you_mean(node.name, known) if hint is None else ""
    raise ExpressionError("unknown-name", f"no name '{node.name}' here{suggestion}", node.at, hint)


def _index(node: Indexed, scope: Scope) -> Value:
    base = _name(node.base, scope)
    indices = tuple(integer_value(index, scope) for index in node.indices)
    match base:
        case DimensionFamily():
            return Affine({column(base, _within(node, indices, base.sizes)): Number(1)})
        case Vector(items=items):
            return items[_within(node, indices, (len(items),))[0]]
        case Matrix(rows=rows) if len(indices) == 1:
            return Vector(rows[_within(node, indices, (len(rows),))[0]])
        case Matrix(rows=rows):
            row, place = _within(node, indices, base.shape)
            return rows[row][place]
        case _:
            single = isinstance(base, Affine) and node.base.name not in scope.lets
            what = "a single dimension" if single else KINDS[type(base)]
            message = f"'{node.base.name}' is {what} and takes no index"
            raise ExpressionError("wrong-type", message, node.at, f"write {node.base.name}")


def _within(node: Indexed, indices: tuple[int, ...], sizes: tuple[int, ...]) -> tuple[int, ...]:
    """The indices, after checking that there is one for each size and that it is within it."""
    if len(indices) != len(sizes):
        takes = f"{len(sizes)} {'index' if len(sizes) == 1 else 'indices'}"
        raise ExpressionError("index-range", f"'{node.base.name}' takes {takes}, found {len(indices)}", node.at)
    for position, (index, size) in enumerate(zip(indices, sizes, strict=True)):
        if not 0 <= index < size:
            message = f"index {exact_figure(index)} is out of range: '{node.base.name}' has 0 to {size - 1}"
            raise ExpressionError("index-range", message, node.indices[position].at)
    return indices


def _binary(node: Binary, scope: Scope) -> Value:
    """A chain of operators that lean left (`a + b + c`) is walked, not recursed into: it may be long."""
    links = [node]
    while isinstance(links[-1].left, Binary):
        links.append(links[-1].left)
    value = evaluate_expression(links[-1].left, scope)
    for link in reversed(links):
        if link.operator in ("and", "or"):
            decided = as_truth(value, link.left)
            value = Truth(decided if decided == (link.operator == "or") else truth_value(link.right, scope))
        elif link.operator in COMPARISONS:
            left, right = as_number(value, link.left), number_value(link.right, scope)
            value = compared(link.operator, left, right, link.at, scope)
        else:
            operand = as_operand(evaluate_expression(link.right, scope), link.right)
            value = applied(link.operator, as_operand(value, link.left), operand, link.at, scope)
    return value


def _call(node: Call, scope: Scope) -> Value:
    name, arguments = node.function, node.arguments
    match name:
        case "where":
            return _where(node, scope)
        case "sum":
            return _sum(node, scope)
        case "dot":
            return _dot(node, scope)
    if name not in FUNCTIONS and name not in CHOICES:
        raise _no_function(node, scope)
    if (name in FUNCTIONS and len(arguments) != 1) or not arguments:
        raise ExpressionError(
            "syntax", f"{name} takes {'one argument' if name in FUNCTIONS else 'some arguments'}", node.at
        )
    values = []
    for argument in arguments:
        value = evaluate_expression(argument, scope)
        if isinstance(value, Affine | DimensionFamily):
            message = f"not affine: {name} of a dimension"
            raise ExpressionError("non-affine", message, node.at, NON_AFFINE_HINT)
        values.append(as_number(value, argument))
    function: Callable[..., PythonNumber] = FUNCTIONS[name] if name in FUNCTIONS else CHOICES[name]
    if name in CHOICES and len(values) == 1:
        return values[0]
    try:
        return call(function, tuple(values), scope.dtype)
    except NotANumber as error:
        raise ExpressionError("number", f"{name}: {error}", node.at) from None


def _no_function(node: Call, scope: Scope) -> ExpressionError:
    name, at = node.function, (node.at[0], node.at[0] + len(node.function))
    value, hint = scope.meaning(name), call_hint(name, KNOWN_FUNCTIONS)
    match value:
        case Vector() | Matrix() | DimensionFamily():
            hint = f"an index stands in brackets: {name}[…]"
        case Number() | Affine():
            hint = f"products are written with *: {name} * (…)"
        case _ if name in scope.candidates:
            hint = "products are written with *, and indices in [ ]"
    suggestion = did_you_mean(name, KNOWN_FUNCTIONS) if hint is None else ""
    return ExpressionError("unknown-name", f"no function '{name}'{suggestion}", at, hint)


def _where(node: Call, scope: Scope) -> Value:
    if len(node.arguments) % 2 == 0:
        hint = "where(condition, value, …, otherwise)"
        raise ExpressionError("syntax", "where needs a value for each condition and one otherwise", node.at, hint)
    *pairs, otherwise = node.arguments
    for condition, value in zip(pairs[::2], pairs[1::2], strict=True):
        if truth_value(condition, scope):
            return evaluate_expression(value, scope)
    return evaluate_expression(otherwise, scope)


def _sum(node: Call, scope: Scope) -> Value:
    match node.arguments:
        case (body, Name(name=index, at=at), size):
            if scope.meaning(index) is not None:
                raise ExpressionError("name-clash", f"'{index}' already has a meaning; name the index otherwise", at)
            times = integer_value(size, scope)
            if times < 0:
                raise ExpressionError("number", f"a sum of {exact_figure(times)} terms", node.at)
            scope.work.spend(times * BINDING_WORK, node.at)
            place = scope.place(*at)
            bound = (scope.bind({index: index_number(index, i, place)}) for i in range(times))
            return _total((arithmetic_value(body, inner) for inner in bound), node, scope)
    raise ExpressionError("syntax", "sum takes an expression, an index name and a size", node.at, "sum(w[k], k, 10)")


def _dot(node: Call, scope: Scope) -> Value:
    if len(node.arguments) != 2:
        raise ExpressionError("syntax", "dot takes a vector and a vector or family of dimensions", node.at)
    left, right = (list(_elements(argument, scope)) for argument in node.arguments)
    if len(left) != len(right) or not left:
        message = f"dot of {len(left)} with {len(right)} elements"
        raise ExpressionError("wrong-type", message, node.at)
    scope.work.spend(len(left), node.at)
    return _total((product_of(a, b, node.at, scope) for a, b in zip(left, right, strict=True)), node, scope)


def _total(terms: Iterable[Number | Affine], node: Call, scope: Scope) -> Number | Affine:
    """The terms added up from left to right; nothing at all is zero."""

    def charged() -> Iterator[Number | Affine]:
        for term in terms:
            scope.work.spend(1 if isinstance(term, Number) else len(term.terms), node.at)
            yield term

    try:
        return add_up(charged(), scope.dtype)
    except NotANumber as error:
        raise ExpressionError("number", str(error), node.at) from None


def _elements(node: ExpressionNode, scope: Scope) -> Iterator[Number | Affine]:
    if isinstance(node, List):  # dimensions too, which make no vector
        yield from (arithmetic_value(item, scope) for item in node.items)
        return
    value = evaluate_expression(node, scope)
    match value:
        case Vector(items=items):
            yield from items
        case DimensionFamily(start=start, sizes=(size,)):
            yield from (Affine({start + i: Number(1)}) for i in range(size))
        case _:
            message = f"expected a vector or a family with one index, found {KINDS[type(value)]}"
            raise ExpressionError("wrong-type", message, node.at)


_EVALUATORS: dict[type[ExpressionNode], Callable[[Any, Scope], Value]] = {
    Literal: _literal,
    Name: _name,
    Indexed: _index,
    Call: _call,
    List: _list,
    Unary: _unary,
    Transpose: _transpose,
    Binary: _binary,
}
