"""What a value of a trace was computed from: its terms add up to it."""

from __future__ import annotations

from math import isclose, prod

import pytest
import torch

import compiler
from compiler.backends.torch.ffn import activate
from compiler.evaluation.computations import Computation, TracedValue, TracedValues, computation_of
from compiler.expressions.axes import Axis
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
        case function:
            (number,) = products
            return float(activate(function, torch.tensor(number, dtype=torch.float64)))


@pytest.mark.parametrize(
    "name",
    """
    biases low-rank embedding-low-rank head-low-rank kv-groups value-dim mix norm-bias norm-layer
    position-equations position-table post-norm prenorm-layer qk-norm-bias repeat-times
    residual-none scale-vector ties-transposed time-positions output-broadcast ffn-narrow ffn-widen
    gated-sigmoid softmax-hard matrices bias
    """.split(),  # noqa: SIM905
)
def test_the_terms_of_every_value_add_up_to_it(name: str) -> None:
    spec = load(STEPS / f"{name}.yaml")
    tokens = [i % spec.network.vocabulary.size for i in range(min(4, spec.network.context))]
    values = traced_values(spec, tokens)
    found = 0
    for run, activation in enumerate(values.activations):
        axis = activation.dimensions[-1]
        if activation.dimensions[:2] != ("batch", "time") or not isinstance(axis, Axis):
            continue
        for position in range(len(tokens)):
            for channel in range(axis.size):
                value = TracedValue(run, position, channel)
                computation = computation_of(values, value)
                assert computation.value == float(activation.value[0, position, channel])
                size = max([abs(term.product) for term in computation.terms], default=0.0)
                assert isclose(computed(computation), computation.value, rel_tol=1e-5, abs_tol=1e-5 * size), (
                    values.label(value),
                    position,
                    computation,
                )
                found += computation.value != 0
    assert found > 10
