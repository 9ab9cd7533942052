"""`head`: the logits, by equations or by a tie."""

from __future__ import annotations

from itertools import islice

from compiler.expressions.axes import Axis
from compiler.expressions.evaluate import integer_value
from compiler.language.keys import MAPS_OF
from compiler.lowering.context import Context, map_lines
from compiler.lowering.maps import MapShape, lower_map
from compiler.lowering.norm import lower_norm
from compiler.network.ir import Head, Map
from compiler.source.diagnostics import first_few
from compiler.source.document import Mapping


def lower_head(context: Context, step: Mapping, name: str, stream: Axis) -> Head:
    """The last step: a norm and the map from the stream to the tokens that can be emitted."""
    before = len(context.findings)
    context = context.within(step)
    tokens = context.resolved.vocabulary
    classes = _classes(context, step, tokens)
    norm = lower_norm(context, step, name, stream)
    scope = context.reading(stream, "stream")
    biases = context.biases(step, MAPS_OF["head"])
    logits = lower_map(context, step, MapShape(f"{name}.logits", stream, classes, "token", scope), biases)
    failed = any(finding.severity == "error" for finding in islice(context.findings, before, None))
    if not failed and any(line.target is not None for line in map_lines(step, "logits")):
        _warn_unlisted(context, logits)
    return Head(name, stream, norm, logits)


def _warn_unlisted(context: Context, logits: Map) -> None:
    """A token that has a logit but no equation has the logit 0, which can win."""
    written = {entry.index[0] for entry in (*logits.weight.entries, *(logits.bias.entries if logits.bias else ()))}
    unlisted = [label for position, label in enumerate(logits.outputs.labels) if position not in written]
    if unlisted:
        message = f"tokens without an equation have the logit 0: {first_few(unlisted)}"
        context.warn("unlisted-logit", message, logits.equations[0].span)


def _classes(context: Context, step: Mapping, tokens: Axis) -> Axis:
    node = step.get("classes")
    size = context.value(node, integer_value)
    if node is None or size is None:
        return tokens
    if not 1 <= size <= tokens.size:
        context.error("index-range", f"{size} classes of {tokens.size} tokens", node.span)
        return tokens
    return tokens.first(size)
