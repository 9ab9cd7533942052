"""`scale`: each dimension of the stream times a stored number."""

from __future__ import annotations

from compiler.expressions.axes import Axis
from compiler.expressions.evaluate import number_value
from compiler.expressions.targets import Aim
from compiler.lowering.context import Context, Shared, dimension_lines
from compiler.lowering.rows import readable, row_values, rows
from compiler.lowering.tensors import lower_vector, stored_entry, tensor
from compiler.network.ir import Entry, StreamScale
from compiler.source.diagnostics import first_few
from compiler.source.document import Mapping, Node


def lower_scale(context: Context, node: Node, name: str, stream: Axis) -> StreamScale:
    """A vector, one number for all, or `{dimension: number}`, which has to name every dimension."""
    if not isinstance(node, Mapping):
        weight, tie, equations = lower_vector(context, node, f"{name}.weight", stream, name, "scale")
        return StreamScale(name, stream, weight, tie, equations)
    context = context.within(node)
    scope = context.numbers(stream)
    before = len(context.findings)
    kept = rows(context, dimension_lines(node), Aim(stream, "dimension", "stream"), scope)
    numbers: list[Entry] = []
    for line, formula, aims in readable(context, kept, scope):
        for target, value in row_values(context, formula, aims, scope, number_value):
            numbers.append(stored_entry(context, value, (target.position,), formula, line.equation))
    written = {target.position for _, aims in kept for target in aims}
    missing = [label for i, label in enumerate(stream.labels) if i not in written]
    if missing and len(context.findings) == before and all(aims for _, aims in kept):
        hint = "write 1 for what stays as it is, 0 for what is cleared"
        context.error("missing-key", f"no scale for {first_few(missing)}", node.span, hint)
    weight = tensor(f"{name}.weight", (stream,), numbers)
    context.vectors[name] = Shared(name, weight)
    return StreamScale(name, stream, weight, None, tuple(line.equation for line, _ in kept))
