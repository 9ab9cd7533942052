"""Norms: of a branch, of the stream itself, of queries and keys. `rms`, `layer`, or a mapping with eps and numbers."""

from __future__ import annotations

import math
from dataclasses import replace

from compiler.expressions.axes import Axis
from compiler.expressions.evaluate import number_value
from compiler.lowering.context import Context, Shared, StepSkipped
from compiler.lowering.tensors import lower_untied_vector, lower_vector, store
from compiler.network.ir import Norm, NormKind, StreamNorm
from compiler.source.document import Mapping, Node, Scalar

DEFAULT_EPSILON = 1e-6
_PLURAL = {"weight": "weights", "bias": "biases"}


def lower_norm(context: Context, step: Mapping, path: str, stream: Axis, option: str = "norm") -> Norm | None:
    """The norm of a step's branch, or its `post_norm`, by itself or from the defaults; None where there is none."""
    node = context.option(step, option)
    return None if node is None else read_norm(context, node, f"{path}.{option}", stream)


def lower_stream_norm(context: Context, node: Node, name: str, stream: Axis) -> StreamNorm:
    """`norm`: a norm of the stream itself."""
    context = context.within(node) if isinstance(node, Mapping) else context
    norm = read_norm(context, node, name, stream)
    if norm is None:
        raise StepSkipped(stream)
    return StreamNorm(name, stream, norm)


def lower_qk_norm(context: Context, step: Mapping, path: str, coordinates: Axis) -> tuple[Norm | None, Norm | None]:
    """The norms of queries and keys: one `weight` for both, or `query` and `key` weights of their own. A `bias` is
    stored for each; `bias query` and `bias key` differ."""
    node = context.option(step, "qk_norm")
    query = None if node is None else _without_numbers(context, node, f"{path}.query_norm", coordinates)
    if query is None:
        return None, None
    key = replace(query, name=f"{path}.key_norm")
    if not isinstance(node, Mapping):
        return query, key
    apart = _are_apart(context, node, "weight", ("query", "key"))
    _are_apart(context, node, "bias", ("bias query", "bias key"))
    query = _with_weight(context, node, query, "query")
    if query.weight is not None and not apart:  # one tensor, used twice
        owner = query.weight_tie or query.name
        key = replace(key, weight=query.weight, weight_tie=owner, equations=query.equations)
        context.vectors[key.name] = Shared(owner, query.weight)
    else:
        key = _with_weight(context, node, key, "key")
    return _with_bias(context, node, query, "bias query"), _with_bias(context, node, key, "bias key")


def _are_apart(context: Context, node: Mapping, both: str, each: tuple[str, str]) -> bool:
    """Whether queries and keys have numbers of their own; then none may be written for both."""
    apart = any(name in node.names for name in each)
    if apart and both in node.names:
        hint = f"`{both}` is for both; write `{each[0]}` and `{each[1]}` for {_PLURAL[both]} of their own"
        message = f"`{both}` and `{each[0]}` or `{each[1]}` exclude one another"
        context.error("bad-value", message, node.span, hint)
    return apart


def read_norm(context: Context, node: Node, name: str, axis: Axis) -> Norm | None:
    """A norm over an axis, with its weight and its bias."""
    norm = _without_numbers(context, node, name, axis)
    if norm is None or not isinstance(node, Mapping):
        return norm
    return _with_bias(context, node, _with_weight(context, node, norm))


def _without_numbers(context: Context, node: Node, name: str, axis: Axis) -> Norm | None:
    if isinstance(node, Scalar):
        return Norm(name, "layer" if node.text == "layer" else "rms", DEFAULT_EPSILON, axis, None)
    if not isinstance(node, Mapping):
        return None
    if ("rms" in node.names) == ("layer" in node.names):
        context.error("bad-value", "a norm is either `rms` or `layer`", node.span, "{rms: 1e-6}")
        return None
    kind: NormKind = "rms" if "rms" in node.names else "layer"
    return Norm(name, kind, _epsilon(context, node.get(kind)), axis, None)


def _with_weight(context: Context, node: Mapping, norm: Norm, own: str = "weight") -> Norm:
    """With the weight that stands under a key of its own, or under `weight`."""
    written = node.get(own) or node.get("weight")
    if written is None:
        return norm
    what = f"{own} norm weight" if own in node.names and own != "weight" else "norm weight"
    weight, tie, equations = lower_vector(context, written, f"{norm.name}.weight", norm.axis, norm.name, what)
    return replace(norm, weight=weight, weight_tie=tie, equations=equations)


def _with_bias(context: Context, node: Mapping, norm: Norm, own: str = "bias") -> Norm:
    """With the bias that stands under a key of its own, or under `bias`."""
    written = node.get(own) or node.get("bias")
    if written is None:
        return norm
    what = f"{own.removeprefix('bias ')} norm bias" if own in node.names and own != "bias" else "norm bias"
    bias, equations = lower_untied_vector(context, written, f"{norm.name}.bias", norm.axis, what)
    return replace(norm, bias=bias, equations=(*norm.equations, *equations))


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
