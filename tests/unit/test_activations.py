"""Each activation is in every table, and what its row says of it is so."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from compiler.backends.bounds.activations import activation
from compiler.backends.torch.ffn import activate
from compiler.network.ir import ACTIVATIONS, ActivationKind
from compiler.network.meanings import keeps_zero
from compiler.source.schema import schema_text
from compiler.verifier.verify import FUNCTION_ERRORS
from tests.helpers import ROOT

POINTS = torch.tensor([*torch.linspace(-30, 30, 60_001).tolist(), -1e300, 1e300], dtype=torch.float64)


def test_a_spec_can_say_each_and_no_other() -> None:
    options = json.loads(schema_text())["definitions"]["ffn"]["properties"]["activation"]
    known = json.loads(schema_text())["definitions"]
    assert tuple(known[options["$ref"].rpartition("/")[2]]["enum"]) == ACTIVATIONS


def test_the_page_names_each() -> None:
    rows = (ROOT / "docs/language-steps.md").read_text(encoding="utf-8").splitlines()
    (row,) = (row for row in rows if row.startswith("| `activation` |"))
    assert all(f"`{kind}`" in row for kind in ACTIVATIONS)


@pytest.mark.parametrize("kind", ACTIVATIONS)
def test_values_are_in_the_range_that_the_row_says(kind: ActivationKind) -> None:
    """Of each number alone, and of all from the lowest to the highest."""
    values = activate(kind, POINTS).numpy()
    for points in (POINTS.numpy(), *(np.full_like(values, end) for end in (-30.0, 30.0, -0.5, 0.25))):
        with np.errstate(over="ignore"):
            low, high = activation(kind).ends(np.minimum(points, POINTS.numpy()), np.maximum(points, POINTS.numpy()))
        assert (values >= low).all()
        assert (values <= high).all()


@pytest.mark.parametrize("kind", ACTIVATIONS)
def test_zero_stays_zero_where_that_is_said(kind: ActivationKind) -> None:
    """What a spec does not write is zero, and what matters in a network (`network/flow`) is found by that."""
    assert (activate(kind, torch.zeros(1)) == 0) == keeps_zero(kind)


@pytest.mark.parametrize("kind", ACTIVATIONS)
def test_a_certificate_says_how_far_each_is_off(kind: ActivationKind) -> None:
    units = activation(kind).units
    assert (f"{kind} to {units}" in FUNCTION_ERRORS) == (units > 0)
