"""`A @ B @ …` that is stored factor by factor: the factors, each a matrix or a vector, which is a column."""

from __future__ import annotations

from itertools import pairwise

from compiler.expressions.axes import Axis, Family
from compiler.expressions.evaluate import evaluate_expression
from compiler.expressions.formulas import Formula, attempt
from compiler.expressions.matrices import describe, rows_of
from compiler.expressions.scope import Scope
from compiler.expressions.syntax import Binary, ExpressionNode
from compiler.expressions.values import KINDS, Matrix, Vector
from compiler.lowering.context import Context
from compiler.lowering.tensors import matrix_entries, stored_once, tensor, warn_if_vanishing, whole_parameter
from compiler.network.ir import Equation, Tensor
from compiler.source.limits import MAX_FACTORS

ProductFactor = tuple[ExpressionNode, Matrix | Vector]


def is_product(tree: ExpressionNode) -> bool:
    """Whether an expression is a product of matrices as a whole."""
    return isinstance(tree, Binary) and tree.operator == "@"


def factors(context: Context, formula: Formula, scope: Scope) -> list[ProductFactor] | None:
    """The factors from left to right, each with its expression; None where they do not fit, which is reported."""
    chain: list[ProductFactor] = []
    node = formula.tree
    nodes: list[ExpressionNode] = []
    while isinstance(node, Binary) and node.operator == "@":
        nodes.append(node.right)
        node = node.left
    if len(nodes) >= MAX_FACTORS:
        context.error("too-large", f"a product of more than {MAX_FACTORS} matrices", formula.span)
        return None
    for factor in (node, *reversed(nodes)):
        value = attempt(formula, scope, evaluate_expression, context.findings, part=factor)
        if value is None:
            return None
        if not isinstance(value, Matrix | Vector):
            message = f"@ takes matrices and vectors, found {KINDS[type(value)]}"
            context.error("wrong-type", message, formula.scalar.at(*factor.at))
            return None
        chain.append((factor, value))
    for (_, left), (factor, right) in pairwise(chain):
        columns, rows = len(rows_of(left)[0]), len(rows_of(right))
        if columns != rows:
            message = f"{describe(left)} @ {describe(right)}: {columns} columns meet {rows} rows"
            context.error("shape", message, formula.scalar.at(*factor.at))
            return None
    return chain


def store_factor(
    context: Context, formula: Formula, factor: ProductFactor, path: str, axes: tuple[Axis, Axis], equation: Equation
) -> tuple[Tensor, str | None]:
    """The weight of the map or factor `path`, which is a matrix; and its owner, where it was stored before."""
    node, value = factor
    rows = rows_of(value)

    def make() -> Tensor:
        numbers = matrix_entries(context, Matrix(rows), formula, equation)
        warn_if_vanishing(context, formula, numbers)
        return tensor(f"{path}.weight", axes, numbers)

    return stored_once(context, whole_parameter(context, node), (len(rows), len(rows[0])), path, make)


def rank(value: Matrix | Vector) -> Axis:
    """The dimensions between a factor and the one to its left."""
    return Axis((Family("rank", (len(rows_of(value)),)),))
