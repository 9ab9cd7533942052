"""`attention`: heads, the maps between the stream and their coordinates, and what the scores are made of."""

from __future__ import annotations

from typing import cast, get_args

from compiler.expressions.arithmetic import exact_figure
from compiler.expressions.axes import Axis, Family
from compiler.expressions.evaluate import integer_value
from compiler.expressions.naming import read_axis
from compiler.language.keys import MAPS_OF
from compiler.language.resolve import check_clashes
from compiler.lowering.context import Context, StepSkipped, map_lines
from compiler.lowering.maps import MapShape, lower_map
from compiler.lowering.norm import lower_norm, lower_qk_norm
from compiler.lowering.scores import (
    check_ties,
    lower_mask,
    lower_rope,
    lower_scale_of_scores,
    lower_scores,
    lower_softmax,
)
from compiler.network.ir import Attention, Map, OutputWord, Residual
from compiler.source.document import Mapping, Scalar
from compiler.source.limits import MAX_AXIS, MAX_HEAD_DIM

SINGLE_HEAD = "head"


def lower_attention(context: Context, step: Mapping, name: str, stream: Axis, length: int) -> Attention:
    """An attention step for sequences of up to `length` tokens."""
    context = context.within(step)
    heads = _heads(context, step, "heads", stream) or Axis((Family(SINGLE_HEAD),))
    kv_heads = _heads(context, step, "kv_heads", stream) or heads
    head_dim = _dim(context, step, "head_dim", 1, stream)
    value_dim = _dim(context, step, "value_dim", head_dim, stream)
    _check_groups(context, step, heads, kv_heads, stream)
    for axis, dim in ((heads, head_dim), (heads, value_dim)):
        if axis.size * dim > MAX_AXIS:
            node = context.option(step, "heads") or step
            context.error("too-large", f"more than {MAX_AXIS} coordinates of heads", node.span)
            raise StepSkipped(stream)
    queries, keys = _coordinates(heads, head_dim), _coordinates(kv_heads, head_dim)
    values, mixed = _coordinates(kv_heads, value_dim), _coordinates(heads, value_dim)
    output = _output_word(context, step, mixed, stream)
    biases = context.biases(step, MAPS_OF["attention"] if output is None else ("query", "key", "value"))
    norm = lower_norm(context, step, name, stream)
    reading = context.reading(stream, "stream", {"the heads of keys and values": keys, "the heads": queries})
    maps = {
        kind: lower_map(context, step, MapShape(f"{name}.{kind}", stream, axis, "head coordinate", reading), biases)
        for kind, axis in (("query", queries), ("key", keys), ("value", values))
    }
    query_norm, key_norm = lower_qk_norm(context, step, name, Axis((Family("coordinate", (head_dim,)),)))
    projection: Map | OutputWord
    if output is not None:
        projection = output
    else:
        scope = context.reading(mixed, "", {"the stream": stream, "the heads of keys and values": values})
        projection = lower_map(
            context, step, MapShape(f"{name}.output", mixed, stream, "dimension", scope, "stream"), biases
        )
    check_ties(context, step)
    mask, mask_provenance = lower_mask(context, step)
    return Attention(
        name=name,
        stream=stream,
        heads=heads,
        kv_heads=kv_heads,
        head_dim=head_dim,
        value_dim=value_dim,
        norm=norm,
        query=maps["query"],
        key=maps["key"],
        value=maps["value"],
        output=projection,
        query_norm=query_norm,
        key_norm=key_norm,
        scores=lower_scores(context, step, stream, heads, length, mask),
        rope=lower_rope(context, step, head_dim),
        scale=lower_scale_of_scores(context, step, head_dim),
        softmax=lower_softmax(context, step),
        mask=mask,
        mask_provenance=mask_provenance,
        residual=cast(Residual, context.word(step, "residual", "add")),
        post_norm=lower_norm(context, step, name, stream, "post_norm"),
    )


def _heads(context: Context, step: Mapping, key: str, stream: Axis) -> Axis | None:
    node = context.option(step, key)
    if node is None:
        return None
    written = read_axis(node, context.scope, context.findings, "head")
    if written is None:
        raise StepSkipped(stream)
    new = {name: span for name, span in written.places.items() if context.resolved.stream.family(name) is None}
    check_clashes(new, context.resolved.definitions, context.findings)
    return written.axis


def _coordinates(heads: Axis, dim: int) -> Axis:
    """One dimension for each coordinate of each head; a single coordinate has the head's name."""
    return heads if dim == 1 else heads.extended(dim)


def _dim(context: Context, step: Mapping, key: str, otherwise: int, stream: Axis) -> int:
    node = context.option(step, key)
    if node is None:
        return otherwise
    value = context.value(node, integer_value)
    if value is not None and not 1 <= value <= MAX_HEAD_DIM:
        context.error("index-range", f"{key} cannot be {exact_figure(value)}; it is 1 to {MAX_HEAD_DIM}", node.span)
        value = None
    if value is None:
        raise StepSkipped(stream)
    return value


def _check_groups(context: Context, step: Mapping, heads: Axis, kv_heads: Axis, stream: Axis) -> None:
    node = context.option(step, "kv_heads")
    if node is not None and heads.size % kv_heads.size:
        message = f"{heads.size} heads cannot share {kv_heads.size} heads of keys and values evenly"
        context.error("shape", message, node.span, "name a number of kv_heads that divides the number of heads")
        raise StepSkipped(stream)


def _output_word(context: Context, step: Mapping, rows: Axis, stream: Axis) -> OutputWord | None:
    """`output: identity` or `output: broadcast`, where nothing is stored."""
    value = step.get("output")
    if not isinstance(value, Scalar) or value.text not in get_args(OutputWord):
        return None
    word = cast(OutputWord, value.text)
    needed = stream.size if word == "identity" else 1
    if rows.size != needed:
        message = f"`output: {word}` needs {needed} head coordinates for {stream.size} dimensions, found {rows.size}"
        context.error("shape", message, value.span)
    for line in map_lines(step, "output"):
        if line.target is not None:
            context.error("target-twice", f"`output: {word}` already writes every dimension", line.key.span)
    return word
