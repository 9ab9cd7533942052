"""The norm of a branch: `rms`, `layer`, or a mapping with its eps and weight."""

from __future__ import annotations

import math
from typing import Literal

from compiler.axes import Axis
from compiler.document import Mapping, Node, Scalar, Sequence
from compiler.expressions.evaluate import evaluate, number
from compiler.expressions.values import Number, Unknown, Vector
from compiler.formulas import Formula, attempt, read_formula
from compiler.ir import Entry, Equation, Norm, Tensor
from compiler.lowering.context import Context
from compiler.lowering.maps import entries, store, tensor

DEFAULT_EPSILON = 1e-6


def lower_norm(context: Context, step: Mapping, path: str, stream: Axis) -> Norm | None:
    """The pre-norm of a step, from the step itself or the defaults; None where there is none."""
    node = context.option(step, "norm")
    if isinstance(node, Scalar):
        return Norm(f"{path}.norm", "layer" if node.text == "layer" else "rms", DEFAULT_EPSILON, None)
    if not isinstance(node, Mapping):
        return None
    if ("rms" in node.names) == ("layer" in node.names):
        context.error("bad-value", "a norm is either `rms` or `layer`", node.span, "{rms: 1e-6}")
        return None
    kind: Literal["rms", "layer"] = "rms" if "rms" in node.names else "layer"
    weight_node = node.get("weight")
    weight = None if weight_node is None else _weight(context, weight_node, f"{path}.norm.weight", stream)
    return Norm(f"{path}.norm", kind, _epsilon(context, node.get(kind)), weight)


def _epsilon(context: Context, node: Node | None) -> float:
    formula = read_formula(node, context.found) if node is not None else None
    value = attempt(formula, context.resolved.scope, number, context.found) if formula is not None else None
    if formula is None or value is None:
        return DEFAULT_EPSILON
    if value.value < 0:
        context.error("bad-value", "the eps of a norm cannot be negative", formula.span)
    store(context, value, formula.span, "eps")  # reports what the dtype cannot hold; torch rounds the double itself
    return float(value.value) if abs(value.value) < math.inf else DEFAULT_EPSILON


def _weight(context: Context, node: Node, name: str, stream: Axis) -> Tensor:
    """One number for each dimension: a vector by name or as a list, or one number for all of them."""
    numbers: list[tuple[Number, Formula]] = []
    for item in node.items if isinstance(node, Sequence) else (node,):
        formula = read_formula(item, context.found)
        value = attempt(formula, context.resolved.scope, evaluate, context.found) if formula is not None else None
        if formula is None or value is None or isinstance(value, Unknown):
            return tensor(name, (stream,), [])
        if isinstance(value, Vector) and not isinstance(node, Sequence):
            numbers += [(number_, formula) for number_ in value.items]
        elif isinstance(value, Number):
            numbers += [(value, formula)] * (1 if isinstance(node, Sequence) else stream.size)
        else:
            context.error("wrong-type", "the weight of a norm is a vector of numbers", formula.span)
    if len(numbers) != stream.size:
        message = f"{len(numbers)} weights for {stream.size} dimensions"
        context.error("shape", message, node.span)
        return tensor(name, (stream,), [])
    found: list[Entry] = []
    for position, (value, formula) in enumerate(numbers):
        equation = Equation("norm weight", formula.text, formula.span)
        found += entries(context, {0: value}, (position,), formula, equation, is_bias=True)
    return tensor(name, (stream,), found)
