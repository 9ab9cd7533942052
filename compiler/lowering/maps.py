"""Equations to maps: row by row, broadcast, a matrix, a product of matrices, or the weight of another map."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import get_args

from compiler.expressions.axes import Axis
from compiler.expressions.evaluate import affine_value, evaluate_expression
from compiler.expressions.formulas import Formula, attempt, read_formula
from compiler.expressions.matrices import describe, rows_of
from compiler.expressions.scope import Scope
from compiler.expressions.syntax import ExpressionNode
from compiler.expressions.targets import Aim, Target
from compiler.expressions.values import KINDS, Affine, Matrix, Number, Vector
from compiler.lowering.bias import lower_bias
from compiler.lowering.context import Context, Line, Shared, map_lines
from compiler.lowering.products import factors, is_product, rank, store_factor
from compiler.lowering.rows import readable, row_values, rows
from compiler.lowering.tensors import row_entries, tensor, warn_if_vanishing
from compiler.lowering.ties import named_owner, paths_of
from compiler.network.ir import TRANSPOSE, Entry, Map, OutputWord, Tensor
from compiler.source.diagnostics import Note
from compiler.source.document import Mapping


@dataclass(frozen=True)
class MapShape:
    """What a map connects: `path` is its full name, `outputs` are called `what` in messages.

    `whole` is the name under which all outputs can be indexed, if they have one: `stream[k]`, `hidden[k]`.
    """

    path: str
    inputs: Axis
    outputs: Axis
    what: str
    scope: Scope
    whole: str = ""

    @property
    def name(self) -> str:
        return self.path.rpartition(".")[2]

    @property
    def aim(self) -> Aim:
        return Aim(self.outputs, self.what, self.whole)


def lower_map(context: Context, step: Mapping, shape: MapShape, biases: set[str]) -> Map:
    """The map `shape.name` of a step. A map that the spec leaves out is stored as zeros in its full shape."""
    written = list(map_lines(step, shape.name))
    bare = next((line for line in written if line.target is None), None)
    by_row = next((line for line in written if line.target is not None), None)
    if bare is not None and by_row is not None and bare.key.span.source.layer == by_row.key.span.source.layer:
        note = Note("all rows are written here", bare.key.span)
        message = f"'{shape.name}' is written as a whole and row by row"
        context.error("target-twice", message, by_row.key.span, None, note)
        written = [bare]
    kept = rows(context, written, shape.aim, shape.scope, shape.name)
    bare = next((line for line, _ in kept if line.target is None), None)
    lowered = _by_rows(context, shape, kept) if bare is None else _bare(context, shape, bare)
    lowered = lower_bias(context, step, lowered, shape.aim)
    if lowered.bias is None and shape.name in biases:
        lowered = replace(lowered, bias=tensor(f"{shape.path}.bias", (shape.outputs,), []))
    context.shared[shape.path] = Shared(lowered.weight_tie or shape.path, lowered.weight, lowered.inner)
    return lowered


def _by_rows(context: Context, shape: MapShape, written: list[tuple[Line, list[Target]]]) -> Map:
    weights: list[Entry] = []
    constants: list[Entry] = []
    for line, formula, aims in readable(context, written, shape.scope):
        before = len(weights), len(constants)
        for target, value in row_values(context, formula, aims, shape.scope, affine_value):
            weight, bias = row_entries(context, value, target.position, formula, line.equation)
            weights += weight
            constants += bias
        warn_if_vanishing(context, formula, [*weights[before[0] :], *constants[before[1] :]])
    return Map(
        shape.path,
        shape.inputs,
        shape.outputs,
        tensor(f"{shape.path}.weight", (shape.outputs, shape.inputs), weights),
        tensor(f"{shape.path}.bias", (shape.outputs,), constants) if constants else None,
        equations=tuple(line.equation for line, _ in written),
    )


def _bare(context: Context, shape: MapShape, line: Line) -> Map:
    """A map that is written as a whole, by the kind of its value."""
    empty = tensor(f"{shape.path}.weight", (shape.outputs, shape.inputs), [])
    nothing = Map(shape.path, shape.inputs, shape.outputs, empty, equations=(line.equation,))
    tied = _tie(context, shape, line)
    if tied is not None:
        inner = None if tied.inner is None else _tied(tied.inner, f"{shape.path}.inner", nothing)
        return replace(nothing, weight=tied.weight, weight_tie=tied.owner, inner=inner)
    formula = read_formula(line.value, context.findings)
    if formula is None:
        return nothing
    shape = replace(shape, scope=_whole_scope(context, shape, formula))
    if is_product(formula.tree):
        return _product(context, shape, formula, nothing)
    value = attempt(formula, shape.scope, evaluate_expression, context.findings)
    match value:
        case None:
            return nothing
        case Matrix():
            return _factor(context, nothing, formula, formula.tree, value)
        case Number():
            return _broadcast(context, nothing, formula, Affine({}, value))
        case Affine():
            return _broadcast(context, nothing, formula, value)
        case _:
            hint = "write a row for each target, a matrix, or a column times a row, as in u @ v.T"
            message = f"'{shape.name}' cannot be {KINDS[type(value)]}"
            context.error("wrong-type", message, formula.span, hint if isinstance(value, Vector) else None)
            return nothing


def _whole_scope(context: Context, shape: MapShape, formula: Formula) -> Scope:
    """The scope of a map that is written as a whole. Names of maps mean nothing within a formula, which is said."""
    known = (*shape.scope.candidates, *context.shared, *(get_args(OutputWord) if shape.name == "output" else ()))
    tail = "names a stored weight, which no formula can read: write it alone, or with .T behind it"
    maps = {name for name in formula.names if any(path in context.shared for path in paths_of(name, shape.path))}
    return replace(shape.scope, candidates=known, elsewhere={**dict.fromkeys(maps, tail), **shape.scope.elsewhere})


def _broadcast(context: Context, written: Map, formula: Formula, value: Affine) -> Map:
    """One number or row that is stored once and broadcast to all outputs."""
    weights, constants = row_entries(context, value, 0, formula, written.equations[0])
    warn_if_vanishing(context, formula, [*weights, *constants])
    rows = None if value.terms else written.outputs
    return replace(
        written,
        weight=tensor(written.weight.name, (rows, written.inputs), weights),
        bias=tensor(f"{written.name}.bias", (None,), constants) if constants else None,
    )


def _product(context: Context, shape: MapShape, formula: Formula, written: Map) -> Map:
    """`A @ B @ …`: maps that run one after the other, the last factor first."""
    chain = factors(context, formula, shape.scope)
    if chain is None:
        return written
    made: Map | None = None
    for depth, (factor, value) in reversed(list(enumerate(chain))):
        path = shape.path + ".inner" * depth
        inputs = shape.inputs if made is None else made.outputs
        outputs = shape.outputs if depth == 0 else rank(value)
        blank = tensor(f"{path}.weight", (outputs, inputs), [])
        link = Map(path, inputs, outputs, blank, equations=written.equations, inner=made)
        made = _factor(context, link, formula, factor, value)
    assert made is not None
    return made


def _factor(context: Context, written: Map, formula: Formula, node: ExpressionNode, value: Matrix | Vector) -> Map:
    """A map whose weight is a matrix; one that is a parameter as a whole is shared with every map made of it."""
    shape = len(rows_of(value)), len(rows_of(value)[0])
    needed = written.outputs.size, written.inputs.size
    if shape != needed:
        message = f"{describe(value)}, but '{written.name}' needs {needed[0]} × {needed[1]} (outputs × inputs)"
        context.error("shape", message, formula.scalar.at(*node.at))
        return written
    axes = (written.outputs, written.inputs)
    weight, tie = store_factor(context, formula, (node, value), written.name, axes, written.equations[0])
    return replace(written, weight=weight, weight_tie=tie)


def _tie(context: Context, shape: MapShape, line: Line) -> Shared | None:
    """The weight that a bare map shares, if its value is the name of a map, or that with `.T` behind it."""
    named = named_owner(context, line.value, shape.path, context.shared, "map", shape.scope)
    if named is None:
        return None
    unknown = Shared(shape.path, tensor(f"{shape.path}.weight", (shape.outputs, shape.inputs), []))
    if named.path not in context.shared:
        return unknown
    shared, title = context.shared[named.path], named.path
    if named.transposed:
        if shared.weight.axes[0] is None:
            message = f"'{named.path}' is one row that is broadcast, which has no transpose"
            hint = f"write `{title.rpartition('.')[2]}` with a target, for a row of each output, or as a matrix"
            context.error("shape", message, line.value.span, hint)
            return unknown
        shared, title = _transposed(context, shared), f"{named.path}{TRANSPOSE}"
    sizes = (shared.weight.shape[0], _innermost(shared).shape[1])
    needed = (1 if shared.weight.axes[0] is None else shape.outputs.size, shape.inputs.size)
    if sizes != needed:
        message = f"'{title}' has the shape {list(sizes)}, but '{shape.path}' needs {list(needed)}"
        turned = sizes[::-1] == needed and shared.weight.axes[0] is not None
        instead = named.path if named.transposed else f"{named.path}{TRANSPOSE}"
        context.error("shape", message, line.value.span, f"`{instead}` has that shape" if turned else None)
        return unknown
    return shared


def _transposed(context: Context, shared: Shared) -> Shared:
    """The transpose: of `A @ B` it is `B.T @ A.T`, which runs the transpose of A first."""
    made: Map | None = None
    for owner, weight in _links(shared):
        context.transposes.setdefault(weight.read_as, weight)
        turned = context.transposes.get(weight.transpose_name) or weight.transpose()
        context.transposes[turned.read_as] = turned
        outputs, inputs = turned.axes
        assert inputs is not None  # what is broadcast is refused
        assert outputs is not None
        made = Map(owner, inputs, outputs, turned, weight_tie=owner, inner=made)
    assert made is not None
    return Shared(made.name, made.weight, made.inner)


def _links(shared: Shared) -> Iterator[tuple[str, Tensor]]:
    """The factors from left to right, each with what stores it."""
    yield shared.owner, shared.weight
    inner = shared.inner
    while inner is not None:
        yield inner.weight_tie or inner.name, inner.weight
        inner = inner.inner


def _tied(owner: Map, path: str, written: Map) -> Map:
    """A map of low rank under a second name, which stores nothing of its own."""
    inner = None if owner.inner is None else _tied(owner.inner, f"{path}.inner", written)
    tie = owner.weight_tie or owner.name
    return replace(owner, name=path, weight_tie=tie, equations=written.equations, inner=inner)


def _innermost(shared: Shared) -> Tensor:
    return list(_links(shared))[-1][1]
