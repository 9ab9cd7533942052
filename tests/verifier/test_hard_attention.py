"""Hard attention is followed where positions say which keys win, or one column does; elsewhere it is refused."""

from __future__ import annotations

import pytest

from compiler.pipeline import load_source
from compiler.source.text import Source
from compiler.verifier.verify import verify
from tests.verifier.truth import truth
from tests.verifier.verdicts import check

# Adds two digits: from what `total` is, the carry at the first place and the ones at the second.
ADDS = """\
weightspec: 1
name: adds
dtype: float32
vocabulary: digit[base] + =
task:
  addition: {base: 3, digits: DIGITS}
  prompt: a b =
  answer: sum
stream: x first total ones carry target
network:
  embedding:
    digit[d]: {x: d}
  position:
    first: where(pos == 2 * DIGITS, 1, 0)
  attention:
    softmax: hard
    MASK
    heads: big small
    query: 1
    key big: x
    key small: -x
    OPTIONS
  ffn carry:
    hidden: h[2]
    up h[i]: total - 2 - i
    down carry: h[0] - h[1]
    down ones: -3 * h[0] + 3 * h[1]
  ffn target:
    hidden: carry_now ones_now
    up carry_now: carry - 10 + 10 * first
    up ones_now: ones + total - 10 * first
    down target: carry_now + ones_now
  head:
    logits digit[d]: 2 * d * target - d * d
    logits +: -100
    logits =: -100
decode: argmax
"""


def adds(options: str, digits: int = 1, mask: str = "mask: causal") -> str:
    lines = options.replace("\n", "\n    ")
    return ADDS.replace("OPTIONS", lines).replace("DIGITS", str(digits)).replace("MASK", mask)


BY_SYMBOLS = "score big: where(key_pos < 2, 0, -inf)\nscore small: where(key_pos < 2, 0, -inf)\nvalue: x\n"


@pytest.mark.parametrize("ties", ["share", "earliest", "latest"])
@pytest.mark.parametrize(
    ("options", "proved"),
    [
        (f"{BY_SYMBOLS}output total: big + small", True),
        (f"{BY_SYMBOLS}output total: big", False),
    ],
)
def test_one_column_decides(options: str, proved: bool, ties: str) -> None:
    spec = load_source(Source("adds", adds(f"ties: {ties}\n{options}")))
    said = verify(spec, tried=0)
    check("adds", spec, said, truth(spec))
    assert said.verdict == ("proved" if proved else "refuted")
    assert said.method == "abstract interpretation"
    assert all(step.open == 0 for step in said.steps)


@pytest.mark.parametrize(("ties", "proved"), [("share", True), ("earliest", False), ("latest", False)])
def test_positions_decide(ties: str, proved: bool) -> None:
    """The mean of both digits, or one of them."""
    text = adds(f"ties: {ties}\n{BY_SYMBOLS}output total: 2 * big").replace("key big: x", "key big: 1")
    spec = load_source(Source("adds", text))
    said = verify(spec, tried=0)
    check("adds", spec, said, truth(spec))
    assert said.verdict == ("proved" if proved else "refuted")


def test_what_several_columns_decide_is_refused_by_name() -> None:
    spec = load_source(Source("adds", adds("value: x\noutput total: big", digits=2)))
    said = verify(spec, tried=0)
    assert said.verdict != "proved"
    assert any("hard softmax of attention" in reason and "several columns" in reason for reason in said.why)
    tried = verify(spec)
    assert tried.method == "enumeration"
    check("adds", spec, tried, truth(spec))


@pytest.mark.parametrize(("size", "proved"), [(3, False), (4, True)])
def test_windows_are_followed(size: int, proved: bool) -> None:
    """The second place of the answer sees a digit less."""
    text = adds(f"{BY_SYMBOLS}output total: big + small", mask=f"mask: {{window: {size}}}").replace("-inf", "-100")
    spec = load_source(Source("adds", text))
    said = verify(spec, tried=0)
    check("adds", spec, said, truth(spec))
    assert said.verdict == ("proved" if proved else "refuted")
