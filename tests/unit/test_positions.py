"""Tables of score formulas: those of distances are made from one row of values."""

from __future__ import annotations

from pathlib import Path

import pytest

from compiler.network.flow.attended_keys import Sight
from compiler.network.flow.unknown_parameters import none_free
from compiler.network.ir import Attention
from compiler.network.meanings import unmasked_keys
from tests.helpers import SMALL_CONTEXT, load_text, small

STEP = """
embedding:
  digit[d]: {x: d}
attention:
  mask: MASK
  score head: FORMULA
"""
DISTANCE = "where(key_pos - query_pos < -2, 7, exp(key_pos - query_pos)) / (3 + query_pos - key_pos + 20)"
BOTH = "exp(key_pos - query_pos) * (query_pos + 1)"


@pytest.mark.parametrize("formula", [DISTANCE, BOTH], ids=["distance", "both"])
@pytest.mark.parametrize(
    ("mask", "seen"),
    [("causal", range(6)), ("none", range(-5, 6)), ("-5", range(-5, 6)), ("{window: 3}", range(3))],
)
@pytest.mark.parametrize("dtype", ["float64", "float16"])
def test_a_table_holds_the_value_of_every_pair(
    tmp_path: Path, formula: str, mask: str, seen: range, dtype: str
) -> None:
    spec = load_text(tmp_path, small(STEP.replace("MASK", mask).replace("FORMULA", formula), dtype=dtype))
    (step,) = (step for step in spec.network.steps if isinstance(step, Attention))
    (score,) = step.scores
    table = score.formula.table(6, unmasked_keys(step.mask, 6))
    for query in range(6):
        for key in range(6):
            assert table[query][key] == (score.formula.at(query, key).value if query - key in seen else 0.0)


@pytest.mark.parametrize("mask", ["causal", "none", "{window: 3}"])
@pytest.mark.parametrize("hidden", ["key_pos - query_pos < -2", "key_pos - query_pos > 1", "query_pos - key_pos == 1"])
def test_distances_hide_the_keys_that_pairs_hide(tmp_path: Path, hidden: str, mask: str) -> None:
    seen = []
    for formula in (f"where({hidden}, -inf, 0)", f"where({hidden}, -inf, 0) + 0 * query_pos"):
        spec = load_text(tmp_path, small(STEP.replace("MASK", mask).replace("FORMULA", formula)))
        (step,) = (step for step in spec.network.steps if isinstance(step, Attention))
        sight = Sight(step, SMALL_CONTEXT, none_free)
        seen.append([sight.keys(0, query) for query in range(SMALL_CONTEXT)])
    assert seen[0] == seen[1]
    assert len(set(seen[0])) > 3
