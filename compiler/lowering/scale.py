"""`scale`: each dimension of the stream times a stored number."""

from __future__ import annotations

from compiler.expressions.axes import Axis
from compiler.expressions.evaluate import number_value
from compiler.expressions.formulas import attempt, read_formula
from compiler.expressions.targets import Aim
from compiler.lowering.context import Context, Shared, dimension_lines
from compiler.lowering.rows import rows
from compiler.lowering.tensors import lower_vector, row_entries, tensor
from compiler.network.ir import Entry, StreamScale
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
    found: list[Entry] = []
    for line, aims in kept:
        formula = read_formula(line.value, context.findings)
        if formula is None or line.target is None or not aims:
            continue
        context.check_indices(line.target, formula, scope)
        for target in aims:
            value = attempt(formula, scope.bind(target.indices), number_value, context.findings, target.case)
            if value is None:
                break
            found += row_entries(context, {0: value}, (target.position,), formula, line.equation, is_bias=True)
    places = {target.position for _, aims in kept for target in aims}
    missing = [label for i, label in enumerate(stream.labels) if i not in places]
    if missing and len(context.findings) == before and all(aims for _, aims in kept):
        shown = ", ".join(missing[:5]) + (", …" if len(missing) > 5 else "")
        hint = "write 1 for what stays as it is, 0 for what is cleared"
        context.error("missing-key", f"no scale for {shown}", node.span, hint)
    weight = tensor(f"{name}.weight", (stream,), found)
    context.vectors[name] = Shared(name, weight)
    return StreamScale(name, stream, weight, None, tuple(line.equation for line, _ in kept))
