"""What the formulas of a task cost at least for every input, found without computing them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from compiler.expressions.formulas import Formula
from compiler.expressions.syntax import Binary, Call, ExpressionNode, Indexed, List, Literal, Name, Transpose, Unary
from compiler.source.diagnostics import Diagnostic, Findings
from compiler.source.faults import no_rule
from compiler.source.limits import MAX_TASK_WORK
from compiler.tasks.statement import Statement

HINT = "loops in loops multiply; state it by `columns`, or make the sizes smaller"


def check_costs(statement: Statement, findings: Findings) -> None:
    """Report formulas that cost more than one input may: all conditions, all equations, or all columns together."""
    constants = statement.constants
    conditions = [(formula, 1) for formula in (statement.only, *statement.also) if formula is not None]
    equations = [(one.formula, len(one.aimed) if one.form == "symbols" else 1) for one in statement.equations]
    for group in (conditions, equations):
        _check(group, _Costs(constants, {}), findings)
    transducer = statement.transducer
    if transducer is not None:
        columns = max(word.length for word in (*statement.given, *statement.answers))
        lets: dict[str, int] = {}
        for name, formula in transducer.lets:
            lets[name] = _Costs(constants, lets).of(formula.tree)
        each = [formula for _, formula in (*transducer.answers, *transducer.following)]
        each += [transducer.only] if transducer.only is not None else []
        _check([(formula, columns) for formula in each], _Costs(constants, lets), findings)


def _check(formulas: Iterable[tuple[Formula, int]], costs: _Costs, findings: Findings) -> None:
    each = [(costs.of(formula.tree) * times, formula) for formula, times in formulas]
    if sum(cost for cost, _ in each) > MAX_TASK_WORK:
        _, dearest = max(each, key=lambda pair: pair[0])
        message = f"more than {MAX_TASK_WORK:,} steps to compute one input"
        findings.report(Diagnostic("too-much-work", message, dearest.span, HINT))


@dataclass(frozen=True)
class _Costs:
    """Costs in evaluated nodes, as the interpreter counts them. `lets` are those of names that stand for formulas."""

    constants: Mapping[str, int]
    lets: Mapping[str, int]

    def of(self, node: ExpressionNode) -> int:
        """What is computed of a formula for every input, and so not what only some branches need."""
        match node:
            case Literal() | List() | Transpose():
                return 1
            case Name(name=name):
                return 1 + self.lets.get(name, 0)
            case Indexed(indices=indices):
                return 1 + sum(map(self.of, indices))
            case Unary(operand=operand):
                return 1 + self.of(operand)
            case Binary():
                return self._of_chain(node)
            case Call(function="where", arguments=(condition, *rest)) if rest:
                return 1 + self.of(condition) + min(map(self.of, rest[::2]))
            case Call(function="sum" | "count", arguments=(body, _, size)):
                rounds = self._known(size) or 0
                return 1 + self.of(size) + rounds * (2 + self.of(body))
            case Call(function="first" | "last" | "any" | "all", arguments=(_, _, size)):
                return 1 + self.of(size)
            case Call(arguments=arguments):
                return 1 + sum(map(self.of, arguments))
            case _:
                raise no_rule("expression", node)

    def _of_chain(self, node: Binary) -> int:
        """A chain of operators that lean left is walked, not recursed into: it may be long."""
        cost = 0
        left: ExpressionNode = node
        while isinstance(left, Binary):
            cost += 1 + (0 if left.operator in ("and", "or") else self.of(left.right))
            left = left.left
        return cost + self.of(left)

    def _known(self, size: ExpressionNode) -> int | None:
        """The number of rounds of a loop where it hangs on constants alone, as a name, a number or a sum of these."""
        match size:
            case Literal(value=value):
                return int(value)
            case Name(name=name):
                return self.constants.get(name)
            case Binary(operator="+" | "-" | "*" as operator, left=left, right=right):
                a, b = self._known(left), self._known(right)
                if a is None or b is None:
                    return None
                return a + b if operator == "+" else a - b if operator == "-" else a * b
            case _:
                return None
