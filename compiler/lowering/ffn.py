"""`ffn`: hidden units, gated or plain, and the stream after them."""

from __future__ import annotations

from typing import cast

from compiler.expressions.axes import Axis
from compiler.expressions.naming import read_axis
from compiler.language.keys import MAPS_OF
from compiler.language.resolve import check_clashes
from compiler.lowering.context import Context, StepSkipped, map_lines
from compiler.lowering.maps import MapShape, lower_map
from compiler.lowering.norm import lower_norm
from compiler.network.ir import ActivationKind, FeedForward, Residual
from compiler.network.meanings import keeps_stream
from compiler.source.diagnostics import first_few
from compiler.source.document import Mapping


def lower_ffn(context: Context, step: Mapping, name: str, stream: Axis) -> FeedForward:
    """A feed-forward step; its gate exists where one is written."""
    context = context.within(step)
    after = _axis(context, step, "stream", "dimension") if step.get("stream") is not None else stream
    hidden = _axis(context, step, "hidden", "hidden unit")
    if after is None or hidden is None:
        raise StepSkipped(after)
    residual = cast(Residual, context.word(step, "residual", "add"))
    if keeps_stream(residual):
        _warn_of_moves(context, step, stream, after)
    norm = lower_norm(context, step, name, stream)
    gated = any(True for _ in map_lines(step, "gate"))
    biases = context.biases(step, MAPS_OF["ffn"] if gated else ("up", "down"))
    reading = context.reading(stream, "stream", {"the hidden units": hidden})
    shapes = {
        kind: MapShape(f"{name}.{kind}", stream, hidden, "hidden unit", reading, "hidden")
        for kind in (("gate", "up") if gated else ("up",))
    }
    maps = {kind: lower_map(context, step, shape, biases) for kind, shape in shapes.items()}
    from_hidden = context.reading(hidden, "hidden", {"the stream": stream})
    down = lower_map(context, step, MapShape(f"{name}.down", hidden, after, "dimension", from_hidden, "stream"), biases)
    activation = cast(ActivationKind, context.word(step, "activation", "relu"))
    post_norm = lower_norm(context, step, name, after, "post_norm")
    gate, up = maps.get("gate"), maps["up"]
    return FeedForward(name, stream, hidden, norm, gate, up, down, activation, after, residual, post_norm)


def _warn_of_moves(context: Context, step: Mapping, before: Axis, after: Axis) -> None:
    """The old stream is taken over by position. A name that moves means another dimension afterwards: warn of it."""
    node = step.get("stream")
    moved = [label for label, place in after.positions.items() if before.positions.get(label, place) != place]
    if node is not None and moved:
        message = f"the stream is taken over by position, so that {first_few(moved)} will not be what it was"
        context.warn("moved-dimension", message, node.span, "`show` prints which dimension lands on which")


def _axis(context: Context, step: Mapping, key: str, what: str) -> Axis | None:
    node = step.get(key)
    written = None if node is None else read_axis(node, context.scope, context.findings, what)
    if written is None:
        return None
    check_clashes(written.places, context.resolved.definitions, context.findings)
    return written.axis
