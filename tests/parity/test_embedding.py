"""`embedding`: rows of tokens and families, against the table written by hand."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from tests.helpers import small
from tests.parity.reference import State, Values, check, embed

DTYPES = ("float64", "float32")


def just_embedding(state: State, tokens: Tensor) -> Values:
    return {"embedding": embed(state["embedding.weight"], tokens)}


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_family_uses_its_index_as_a_number(tmp_path: Path, dtype: str) -> None:
    text = small("""
embedding:
  digit[d]: {x: d / 3, y: -0.1 * d ** 2 + 1}
  +: {z: sqrt(2)}
""")
    table = [[d / 3, -0.1 * d**2 + 1, 0] for d in range(4)] + [[0, 0, 0], [0, 0, 2**0.5]]
    check(tmp_path, text, {"embedding.weight": table}, just_embedding, dtype)


@pytest.mark.parametrize("dtype", DTYPES)
def test_families_of_tokens_meet_families_of_dimensions(tmp_path: Path, dtype: str) -> None:
    text = small(
        """
embedding:
  digit[d]: {"hot[d]": 1, ramp: d + 0.25}
  =: {"hot[k]": k + 1}
  +: {"hot[2]": 7}
""",
        stream="ramp hot[4]",
    )
    one_hot = [[d + 0.25] + [float(k == d) for k in range(4)] for d in range(4)]
    table = [*one_hot, [0, 1, 2, 3, 4], [0, 0, 0, 7, 0]]
    check(tmp_path, text, {"embedding.weight": table}, just_embedding, dtype)


@pytest.mark.parametrize("dtype", DTYPES)
def test_single_members_of_a_family_and_vectors(tmp_path: Path, dtype: str) -> None:
    text = small(
        """
embedding:
  digit[0]: {x: 5}
  digit[2]:
    y: t[1]
    z: t[0] * t[2]
""",
        definitions="constants:\n  t: [0.1, 0.2, 0.3]",
    )
    table = [[5, 0, 0], [0, 0, 0], [0, 0.2, 0.1 * 0.3], [0, 0, 0], [0, 0, 0], [0, 0, 0]]
    check(tmp_path, text, {"embedding.weight": table}, just_embedding, dtype)


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_family_with_two_indices_runs_through_the_last_first(tmp_path: Path, dtype: str) -> None:
    text = small(
        """
embedding:
  digit[d]: {"at[i, j]": d + 10 * i + 100 * j}
""",
        stream="at[2, 3]",
    )
    table = [[d + 10 * i + 100 * j for i in range(2) for j in range(3)] for d in range(4)] + [[0] * 6, [0] * 6]
    check(tmp_path, text, {"embedding.weight": table}, just_embedding, dtype)


def test_parameters_round_before_they_meet(tmp_path: Path) -> None:
    """float32 parameters: 1000 + -0.001 · d² is computed in float32, not in double and then rounded."""
    text = small(
        "embedding:\n  digit[d]: {x: big + bend * d ** 2}",
        definitions="parameters:\n  big: 1000\n  bend: -0.0011",
        stream="x",
    )
    bend = torch.tensor(-0.0011, dtype=torch.float32)
    rows = [[(1000 + bend * torch.tensor(float(d * d))).item()] for d in range(4)] + [[0.0], [0.0]]
    check(tmp_path, text, {"embedding.weight": rows}, just_embedding, "float32")
