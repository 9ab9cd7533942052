"""How much computing a formula of a task costs at least, found without computing it."""

from __future__ import annotations

from collections.abc import Mapping

from compiler.expressions.evaluate import integer_value
from compiler.expressions.floats import FORMATS
from compiler.expressions.formulas import Formula
from compiler.expressions.scope import AlreadyReported, Scope
from compiler.expressions.syntax import (
    Binary,
    Call,
    ExpressionError,
    ExpressionNode,
    Indexed,
    List,
    Literal,
    Name,
    TextRange,
    Transpose,
    Unary,
)
from compiler.expressions.values import Number
from compiler.source.faults import no_rule
from compiler.source.limits import MAX_TASK_WORK
from compiler.tasks.kinds import LOOPS

ROUND_WORK = 2  # what giving a value to an index costs, in evaluated nodes
IN_FULL = ("sum", "count")  # loops that compute their body for every index


def too_much_work(at: TextRange) -> ExpressionError:
    """That a formula costs more than it may."""
    return ExpressionError("too-much-work", f"more than {MAX_TASK_WORK:,} steps to compute one input", at)


def least_work(formula: Formula, constants: Mapping[str, int], lets: Mapping[str, int]) -> int:
    """How many nodes are evaluated for one input at least, loops unrolled. `lets`: the same, of names under `let`.

    A loop whose size is known from constants counts in full, and of branches the cheapest one.
    """
    names = {name: Number(value) for name, value in constants.items()}
    return _least(formula.tree, Scope(names, FORMATS["float64"], formula.place), lets)


def _least(node: ExpressionNode, scope: Scope, lets: Mapping[str, int]) -> int:
    match node:
        case Literal():
            return 1
        case Name(name=name):
            return 1 + lets.get(name, 0)
        case Indexed(indices=children) | List(items=children):
            return 1 + sum(_least(child, scope, lets) for child in children)
        case Unary(operand=operand) | Transpose(operand=operand):
            return 1 + _least(operand, scope, lets)
        case Binary():
            return _of_chain(node, scope, lets)
        case Call(function="where", arguments=(condition, *others)) if others:
            values = (*others[::2], others[-1])
            return 1 + _least(condition, scope, lets) + min(_least(value, scope, lets) for value in values)
        case Call(function=function, arguments=(body, Name(), size)) if function in LOOPS:
            rounds = _rounds(size, scope)
            counted = rounds if function in IN_FULL else min(rounds, 1)
            once = ROUND_WORK + _least(body, scope, lets) if counted else 0
            return 1 + _least(size, scope, lets) + counted * once
        case Call(arguments=arguments):
            return 1 + sum(_least(argument, scope, lets) for argument in arguments)
        case _:
            raise no_rule("expression", node)


def _of_chain(node: Binary, scope: Scope, lets: Mapping[str, int]) -> int:
    """A chain of operators that lean left (`a + b + c`) is walked, not recursed into: it may be long."""
    total = 0
    first: ExpressionNode = node
    while isinstance(first, Binary):
        total += 1 + (_least(first.right, scope, lets) if first.operator not in ("and", "or") else 0)
        first = first.left
    return total + _least(first, scope, lets)


def _rounds(size: ExpressionNode, scope: Scope) -> int:
    """How many rounds a loop has, where constants say so; else none for certain."""
    try:
        return max(integer_value(size, scope), 0)
    except (ExpressionError, AlreadyReported):
        return 0
