"""What a value of a trace was computed from: its terms add up to it."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from math import exp, isclose, isfinite, prod

import pytest
import torch

import compiler
from compiler.backends.torch.ffn import activate
from compiler.backends.torch.tracing import Activation
from compiler.evaluation.computations import computation_of
from compiler.evaluation.traced_values import TracedValue, TracedValues, find_value
from compiler.evaluation.value_terms import Computation
from compiler.pipeline import Spec, load
from tests.helpers import STEPS


def traced_values(spec: Spec, tokens: list[int]) -> TracedValues:
    return TracedValues(spec.network, tuple(tokens), compiler.trace(spec, tokens))


def computed(computation: Computation) -> float:
    """What the terms give."""
    products = [term.product for term in computation.terms]
    match computation.function:
        case "sum":
            return sum(products)
        case "product":
            return prod(products)
        case "exponential":
            return exp(sum(products))
        case "largest":  # it has a weight, of one or shared, or none
            score, largest = products
            return computation.value if score == largest else 0.0
        case function:
            (number,) = products
            return float(activate(function, torch.tensor(number, dtype=torch.float64)))


def places(run: int, activation: Activation, length: int) -> Iterator[TracedValue]:
    """Every number of a value: with a key where it is about pairs of positions."""
    keys: list[int | None] = [None] if "time" in activation.dimensions else [*range(length)]
    for position, channel, key in product(range(length), range(len(activation.labels)), keys):
        yield TracedValue(run, position, channel, key)


def number(activation: Activation, value: TracedValue) -> float:
    """Read off the tensor, whose dimensions stand in another order for each head."""
    tensor = activation.value[0]
    if value.key is not None:
        return float(tensor[value.channel, value.position, value.key])
    if tensor.ndim == 2:
        return float(tensor[value.position, value.channel])
    head, coordinate = divmod(value.channel, tensor.shape[-1])
    return float(tensor[head, value.position, coordinate])


@pytest.mark.parametrize(
    "name",
    """
    biases low-rank embedding-low-rank head-low-rank kv-groups value-dim mix norm-bias norm-layer
    position-equations position-table post-norm prenorm-layer qk-norm-bias repeat-times
    residual-none scale-vector ties-transposed time-positions output-broadcast ffn-narrow ffn-widen
    gated-sigmoid softmax-hard matrices bias rope-halves rope-adjacent qk-norm-own mask-window mask-number
    softmax-plus-one time-scores score-divide heads-family
    """.split(),  # noqa: SIM905
)
def test_the_terms_of_every_value_add_up_to_it(name: str) -> None:
    spec = load(STEPS / f"{name}.yaml")
    tokens = [i % spec.network.vocabulary.size for i in range(min(4, spec.network.context))]
    values = traced_values(spec, tokens)
    found = 0
    for run, activation in enumerate(values.activations):
        for value in places(run, activation, len(tokens)):
            computation = computation_of(values, value)
            assert find_value(values, f"{values.label(value)}@{value.position}:{values.run_of(value) or 1}") == value
            assert computation.value == number(activation, value)
            size = max([abs(term.product) for term in computation.terms if isfinite(term.product)], default=0.0)
            assert isclose(computed(computation), computation.value, rel_tol=1e-5, abs_tol=1e-5 * size), (
                values.label(value),
                value.position,
                computation,
            )
            found += computation.value != 0
    assert found > 10
