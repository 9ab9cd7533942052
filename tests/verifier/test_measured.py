"""Tables before attention that are read off the torch module: what it computes in any sequence."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from compiler.backends.bounds.passes import prepared
from compiler.backends.elementary.model import translate
from compiler.backends.elementary.program import Attended, Lookup
from compiler.backends.torch.first_values import first_values
from compiler.backends.torch.model import build_model
from compiler.backends.torch.reference import alone
from compiler.pipeline import load
from compiler.verifier.measured import INPUTS, with_measured_tables
from tests.fast.containment import any_tokens
from tests.helpers import SPECS


@pytest.mark.parametrize("name", ["tiny95", "qwen20"])
def test_tables_are_what_the_module_computes(name: str) -> None:
    spec = load(SPECS / f"{name}.yaml", {"digits": 3})
    (program,) = translate(spec.network, spec.layout)
    bounded = prepared(program, spec.network, "this machine")
    measured = with_measured_tables(bounded, spec.network)
    tables, narrower = dict[str, tuple[tuple[int, ...], Lookup]](), 0
    for node in measured.nodes:
        if isinstance(node.operation, Attended):
            for number, part in zip(node.inputs, INPUTS, strict=True):
                table = measured.nodes[number].operation if number >= 0 else None
                if isinstance(table, Lookup) and table is not bounded.nodes[number].operation:
                    tables[f"{node.operation.step}.{part}"] = (measured.nodes[number].live, table)
                    before = bounded.nodes[number].operation
                    assert isinstance(before, Lookup)
                    narrower += bool(table.error.sum() < before.error.sum())
    assert tables
    assert narrower
    run = first_values(build_model(spec.network).eval(), dict.fromkeys(tables, 1))
    sequences = np.concatenate(any_tokens(spec, 10, 1), axis=1)[:, : program.length]
    with alone():
        for sequence in sequences:
            shown = run(torch.tensor(sequence, dtype=torch.int64)[None])
            for part, (live, table) in tables.items():
                rows = shown[part][0].swapaxes(0, 1).reshape(len(sequence), -1)[:, list(live)]
                places = np.arange(len(sequence)), sequence
                value, error = (x[places][:, list(live)] for x in (table.value, table.error))
                assert (np.abs(rows - value) <= error).all(), part
