"""`embedding`: one row for each token or family of tokens."""

from __future__ import annotations

from compiler.diagnostics import Diagnostic, Note
from compiler.document import Mapping, Scalar
from compiler.expressions.evaluate import number
from compiler.formulas import attempt, read_formula
from compiler.ir import Embedding, Entry, Equation
from compiler.lowering.context import Context
from compiler.lowering.maps import entries, tensor
from compiler.naming import targets


def lower_embedding(context: Context, step: Mapping, name: str) -> Embedding:
    """`TOKEN: {dimension: number}`; token indices can be used as numbers."""
    resolved = context.resolved
    written: dict[tuple[int, int], Equation] = {}
    found: list[Entry] = []
    equations: list[Equation] = []
    for row_key, row in step.items:
        tokens = targets(row_key, row_key.text, 0, resolved.vocabulary, resolved.scope, context.found, "token")
        if not isinstance(row, Mapping):
            continue
        for key, value in row.items:
            equation = Equation(f"{row_key.text}: {key.text}", _text(value), key.span)
            equations.append(equation)
            formula = read_formula(value, context.found)
            failed = formula is None
            for token in tokens:
                scope = resolved.scope.bind(token.indices)
                dimensions = targets(key, key.text, 0, resolved.stream, scope, context.found, "dimension")
                failed = failed or not dimensions
                for dimension in dimensions:
                    place = (token.position, dimension.position)
                    if place in written:
                        _twice(context, equation, written[place], resolved.vocabulary.labels[token.position])
                        failed = True
                    if failed or formula is None:
                        break
                    written[place] = equation
                    case = token.case + dimension.case
                    value_here = attempt(formula, scope.bind(dimension.indices), number, context.found, case)
                    if value_here is None:
                        failed = True
                        break
                    column = {dimension.position: value_here}
                    found += entries(context, column, (token.position,), formula, equation)
                if failed:
                    break
    weight = tensor(f"{name}.weight", (resolved.vocabulary, resolved.stream), found)
    context.weights[name] = weight
    return Embedding(name, resolved.vocabulary, resolved.stream, weight, tuple(equations))


def _twice(context: Context, equation: Equation, earlier: Equation, token: str) -> None:
    note = Note("first written here", earlier.span)
    message = f"'{equation.left.partition(': ')[2]}' of the token '{token}' is written twice"
    context.found.append(Diagnostic("target-twice", message, equation.span, notes=(note,)))


def _text(value: object) -> str:
    return " ".join(value.text.split()) if isinstance(value, Scalar) else ""
