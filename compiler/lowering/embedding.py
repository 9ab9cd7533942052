"""`embedding`: one row for each token or family of tokens, or a matrix, which may be of low rank."""

from __future__ import annotations

from dataclasses import dataclass

from compiler.expressions.evaluate import evaluate_expression, number_value
from compiler.expressions.formulas import Formula, Word, attempt, has_work_for, in_place, read_formula
from compiler.expressions.matrices import describe, rows_of
from compiler.expressions.targets import Aim, Target, targets
from compiler.expressions.values import KINDS, Matrix, Number
from compiler.lowering.context import Context, Line, Shared
from compiler.lowering.products import ProductFactor, factors, is_product, rank, store_factor
from compiler.lowering.rows import effective
from compiler.lowering.tensors import stored_entry, tensor, warn_if_vanishing
from compiler.network.ir import Embedding, Entry, Equation, Factor, Map
from compiler.source.diagnostics import Note
from compiler.source.document import Mapping, Node, Scalar


def lower_embedding(context: Context, node: Node, name: str) -> Embedding:
    """`TOKEN: {dimension: number}`, where token indices can be used as numbers; or a matrix, tokens by stream, as a
    whole or as a product `A @ B @ …`."""
    made = _by_rows(context, node, name) if isinstance(node, Mapping) else _table(context, node, name)
    context.shared[name] = Shared(name, made.weight, _as_map(made.factors))
    return made


def _as_map(chain: tuple[Factor, ...]) -> Map | None:
    """The factors after the first as maps that read the stream, which is what a map tied to the embedding runs."""
    made: Map | None = None
    for factor in reversed(chain):
        tie = factor.weight_tie
        made = Map(factor.name, factor.outputs, factor.inputs, factor.weight, weight_tie=tie, inner=made)
    return made


def _table(context: Context, node: Node, name: str) -> Embedding:
    tokens, stream = context.resolved.vocabulary, context.resolved.stream
    nothing = Embedding(name, tokens, stream, tensor(f"{name}.weight", (tokens, stream), []), ())
    formula = read_formula(node, context.findings)
    chain = None if formula is None else _matrices(context, formula)
    if formula is None or chain is None:
        return nothing
    equation = Equation(name, formula.text, formula.span)
    axes = [tokens, *(rank(value) for _, value in chain[1:]), stream]
    made: list[Factor] = []
    for depth, (factor, value) in enumerate(chain):
        inputs, outputs = axes[depth], axes[depth + 1]
        path = name + ".inner" * depth
        size = len(rows_of(value)), len(rows_of(value)[0])
        if size != (inputs.size, outputs.size):
            owner = f"'{path}'" if depth else "the embedding"
            words = f"{'rank' if depth else 'tokens'} × {'rank' if depth < len(chain) - 1 else 'stream'}"
            message = f"{describe(value)}, but {owner} needs {inputs.size} × {outputs.size} ({words})"
            context.error("shape", message, formula.scalar.at(*factor.at) if len(chain) > 1 else formula.span)
            return nothing
        weight, tie = store_factor(context, formula, (factor, value), path, (inputs, outputs), equation)
        made.append(Factor(path, inputs, outputs, weight, tie, (equation,)))
    return Embedding(name, tokens, stream, made[0].weight, (equation,), tuple(made[1:]))


def _matrices(context: Context, formula: Formula) -> list[ProductFactor] | None:
    """The factors of the table, of which a matrix that is no product has one."""
    if is_product(formula.tree):
        return factors(context, formula, context.scope)
    value = attempt(formula, context.scope, evaluate_expression, context.findings)
    if isinstance(value, Matrix):
        return [(formula.tree, value)]
    if value is not None:
        message = f"the embedding is a mapping of tokens or a matrix, found {KINDS[type(value)]}"
        context.error("wrong-type", message, formula.span)
    return None


@dataclass(frozen=True)
class _Row:
    """One equation `TOKEN: {DIMENSION: value}`, and the places that it writes."""

    token: Scalar
    line: Line
    formula: Formula | None
    cells: dict[tuple[int, int], dict[str, Number]]

    @property
    def equation(self) -> Equation:
        return Equation(f"{self.token.text}: {self.line.key.text}", self.line.equation.right, self.line.key.span)


def _by_rows(context: Context, step: Mapping, name: str) -> Embedding:
    tokens, stream = context.resolved.vocabulary, context.resolved.stream
    read = [
        _row(context, token, Line(key, Word(key.text, key, 0), value))
        for token, row in step.items
        if isinstance(row, Mapping)
        for key, value in row.items
    ]
    counts = effective(context, [(row.line, row.cells.keys()) for row in read])
    kept = [row for row, counted in zip(read, counts, strict=True) if counted]
    owners: dict[tuple[int, int], Equation] = {}
    numbers: list[Entry] = []
    for row in kept:
        numbers += _entries(context, row, owners)
    equations = tuple(row.equation for row in kept)
    return Embedding(name, tokens, stream, tensor(f"{name}.weight", (tokens, stream), numbers), equations)


def _row(context: Context, token: Scalar, line: Line) -> _Row:
    """The places of an equation: all tokens that it names by all dimensions."""
    scope = context.scope
    token_word, word = Word(token.text, token, 0), Word(line.key.text, line.key, 0)
    formula = read_formula(line.value, context.findings)
    if formula is not None:
        context.check_indices(token_word, formula, scope)
        context.check_indices(word, formula, scope)
    aim = Aim(context.resolved.stream, "dimension", "stream")
    cells: dict[tuple[int, int], dict[str, Number]] = {}
    for row in targets(token_word, Aim(context.resolved.vocabulary, "token"), scope, context.findings):
        dimensions = targets(word, aim, scope.bind(row.indices), context.findings)
        if not dimensions or formula is None or not has_work_for(formula, scope, len(dimensions), context.findings):
            break
        for dimension in dimensions:
            cells[row.position, dimension.position] = {**row.indices, **dimension.indices}
    return _Row(token, line, formula, cells)


def _entries(context: Context, row: _Row, owners: dict[tuple[int, int], Equation]) -> list[Entry]:
    """The numbers of one equation for all its places; its first error is the only one reported."""
    numbers: list[Entry] = []
    if row.formula is None:
        return numbers
    scope = in_place(context.numbers(context.resolved.stream), row.formula)
    for place, indices in row.cells.items():
        owner = owners.get(place)
        if owner is not None and owner.span.source.layer == row.equation.span.source.layer:
            note = Note("first written here", owner.span)
            label = context.resolved.vocabulary.labels[place[0]]
            message = f"'{row.line.key.text}' of the token '{label}' is written twice"
            context.error("target-twice", message, row.line.key.span, None, note)
            break
        owners[place] = row.equation
        case = Target(place[0], indices).case
        value = attempt(row.formula, scope.bind(indices), number_value, context.findings, case)
        if value is None:
            break
        numbers.append(stored_entry(context, value, place, row.formula, row.equation))
    warn_if_vanishing(context, row.formula, numbers)
    return numbers
