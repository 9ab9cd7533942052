"""Norms: of a branch, of the stream itself, of queries and keys. `rms`, `layer`, or a mapping with eps and weight."""

from __future__ import annotations

import math

from compiler.expressions.axes import Axis
from compiler.expressions.evaluate import number_value
from compiler.lowering.context import Context, Shared, StepSkipped
from compiler.lowering.tensors import lower_vector, store
from compiler.network.ir import Norm, NormKind, StreamNorm
from compiler.source.document import Mapping, Node, Scalar

DEFAULT_EPSILON = 1e-6


def lower_norm(context: Context, step: Mapping, path: str, stream: Axis) -> Norm | None:
    """The pre-norm of a step, from the step itself or the defaults; None where there is none."""
    node = context.option(step, "norm")
    return None if node is None else read_norm(context, node, f"{path}.norm", stream)


def lower_stream_norm(context: Context, node: Node, name: str, stream: Axis) -> StreamNorm:
    """`norm`: a norm of the stream itself."""
    context = context.within(node) if isinstance(node, Mapping) else context
    norm = read_norm(context, node, name, stream)
    if norm is None:
        raise StepSkipped(stream)
    return StreamNorm(name, stream, norm)


def lower_qk_norm(context: Context, step: Mapping, path: str, coordinates: Axis) -> tuple[Norm | None, Norm | None]:
    """The norms of queries and keys: one `weight` for both, or `query` and `key` weights of their own."""
    node = context.option(step, "qk_norm")
    if node is None:
        return None, None
    query = read_norm(context, node, f"{path}.query_norm", coordinates, "query")
    names = node.names if isinstance(node, Mapping) else ()
    apart = "query" in names or "key" in names
    if apart and "weight" in names:
        hint = "`weight` is for both; write `query` and `key` for weights of their own"
        context.error("bad-value", "`weight` and `query` or `key` exclude one another", node.span, hint)
    if query is not None and query.weight is not None and not apart:  # one tensor, used twice
        owner = query.weight_tie or query.name
        key = Norm(f"{path}.key_norm", query.kind, query.epsilon, coordinates, query.weight, owner, query.equations)
        context.vectors[key.name] = Shared(owner, query.weight)
        return query, key
    return query, read_norm(context, node, f"{path}.key_norm", coordinates, "key")


def read_norm(context: Context, node: Node, name: str, axis: Axis, own_weight: str = "weight") -> Norm | None:
    """A norm over an axis, its weight under `weight`, or under `own_weight` where that is written."""
    if isinstance(node, Scalar):
        return Norm(name, "layer" if node.text == "layer" else "rms", DEFAULT_EPSILON, axis, None)
    if not isinstance(node, Mapping):
        return None
    if ("rms" in node.names) == ("layer" in node.names):
        context.error("bad-value", "a norm is either `rms` or `layer`", node.span, "{rms: 1e-6}")
        return None
    kind: NormKind = "rms" if "rms" in node.names else "layer"
    epsilon = _epsilon(context, node.get(kind))
    weight_node = node.get(own_weight) or node.get("weight")
    if weight_node is None:
        return Norm(name, kind, epsilon, axis, None)
    what = f"{own_weight} norm weight" if own_weight in node.names and own_weight != "weight" else "norm weight"
    weight, tie, equations = lower_vector(context, weight_node, f"{name}.weight", axis, name, what)
    return Norm(name, kind, epsilon, axis, weight, tie, equations)


def _epsilon(context: Context, node: Node | None) -> float:
    value = context.value(node, number_value)
    if node is None or value is None:
        return DEFAULT_EPSILON
    if value.value < 0:
        context.error("bad-value", "the eps of a norm cannot be negative", node.span)
    if value.value == 0:
        context.warn("zero-epsilon", "without an eps the norm of a stream of zeros is NaN", node.span)
    stored = store(context, value, node.span, "eps")
    if math.isnan(stored):
        return DEFAULT_EPSILON  # what the dtype cannot hold was reported
    return float(value.value) if math.isfinite(stored) else stored  # torch rounds a double itself
