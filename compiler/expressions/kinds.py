"""Values that have to be of one kind, and the errors that say so."""

from __future__ import annotations

from compiler.expressions.operators import Operand
from compiler.expressions.syntax import ExpressionError, ExpressionNode, Name
from compiler.expressions.values import KINDS, DimensionFamily, Matrix, Number, Truth, Value, Vector


def as_number(value: Value, node: ExpressionNode) -> Number:
    """A value that has to be one number. `node` is the expression that it comes from. Raises `ExpressionError`."""
    if isinstance(value, Number):
        return value
    raise mismatch("a number", value, node)


def as_operand(value: Value, node: ExpressionNode) -> Operand:
    """A value that arithmetic takes. Raises `ExpressionError`."""
    if isinstance(value, Operand):
        return value
    raise mismatch("a number", value, node)


def as_truth(value: Value, node: ExpressionNode) -> bool:
    """A value that has to be a condition. Raises `ExpressionError`."""
    if isinstance(value, Truth):
        return value.value
    raise mismatch("a condition", value, node)


def mismatch(expected: str, value: Value, node: ExpressionNode) -> ExpressionError:
    """That a value is of another kind than expected, with a hint where one is near."""
    hint = None
    if isinstance(node, Name) and isinstance(value, DimensionFamily | Vector | Matrix):
        count = len(value.sizes) if isinstance(value, DimensionFamily) else 2 if isinstance(value, Matrix) else 1
        indices = "ijklmn"[:count]
        hint = f"write {node.name}[{', '.join(indices)}] for one of them"
    elif expected == "a condition" and isinstance(value, Number):
        hint = "compare it with something, as in `x > 0`"
    return ExpressionError("wrong-type", f"expected {expected}, found {KINDS[type(value)]}", node.at, hint)
