"""Windows that slide are followed: each token from what is seen of the inputs before it."""

from __future__ import annotations

from pathlib import Path

import pytest
from _pytest.mark.structures import ParameterSet

from compiler.verifier.verify import verify
from tests.fast.test_layouts import MODELS, WINDOWS, made
from tests.verifier.rounding import WIDE
from tests.verifier.test_containment import check as check_containment
from tests.verifier.truth import truth
from tests.verifier.verdicts import check

FOLLOWED = [name for name in WINDOWS if name != "cases"]
LONG = """given: {word: digit*40}
answers: {rest: digit*6}
equations: {"rest[i]": "word[37 + i % 3]"}
prompt: word
answer: rest
window: WINDOW
"""


def pairs(*quick: tuple[str, str]) -> list[ParameterSet]:
    """Models in windows: these in any run, all of them in the long one."""
    every = [(model, window) for model in MODELS for window in FOLLOWED]
    return [pytest.param(*pair, marks=[pytest.mark.long] * (pair not in quick)) for pair in every]


@pytest.mark.parametrize(
    ("model", "window"),
    pairs(
        ("third last", "the prompt"),
        ("third last", "all but one"),
        ("alibi", "more than the prompt"),
        ("positions", "two tokens"),
        ("later keys", "two tokens"),
        ("rope", "forced tokens"),
        ("alibi", "in place"),
    ),
)
def test_what_is_said_is_so(tmp_path: Path, model: str, window: str) -> None:
    spec = made(tmp_path, WINDOWS[window], model)
    found, so = verify(spec, tried=0), truth(spec)
    check(f"{model}, {window}", spec, found, so)
    assert found.method == "abstract interpretation"
    assert found.verdict == ("refuted" if so.failing else "proved")


@pytest.mark.machine
@pytest.mark.skipif(not WIDE, reason="long doubles are no wider than doubles here")
@pytest.mark.parametrize(
    ("model", "window"), pairs(("positions", "more than the prompt"), ("later keys", "two tokens"))
)
def test_values_lie_in_their_bounds(tmp_path: Path, model: str, window: str) -> None:
    found = check_containment(made(tmp_path, WINDOWS[window], model), f"{model}:{window}", count=5)
    assert found["known"] > 0.7 * found["numbers"] > 0
    assert found["plain"] > 0
    assert found["leads"] > 0


@pytest.mark.parametrize(("window", "verdict"), [(3, "proved"), (2, "refuted")])
def test_more_inputs_than_can_be_tried(tmp_path: Path, window: int, verdict: str) -> None:
    found = verify(made(tmp_path, LONG.replace("WINDOW", str(window)), "third last"))
    assert (found.verdict, found.method, found.inputs) == (verdict, "abstract interpretation", 3**40)
    assert (found.failing == (0, 0)) == (verdict == "proved")
