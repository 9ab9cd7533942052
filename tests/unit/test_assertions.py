"""`--assert free=20`: what can be said, what is refused, and what a figure is made of."""

from __future__ import annotations

import pytest

import compiler
from compiler.pipeline import load
from compiler.readers.counting.assertions import ASSERTABLE, MalformedAssertion, made_of, read_assertion
from tests.helpers import DATA, SPECS

TINY, QWEN, REVERSE = (compiler.count(load(SPECS / f"{name}.yaml")) for name in ("tiny95", "qwen20", "reverse"))


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("free=5", True),
        ("free=6", False),
        ("free<=5", True),
        ("free<=4", False),
        ("free<=6", True),
        ("free>=5", True),
        ("free>=6", False),
        ("free>=0", True),
        (" dense == 1376 ", True),
        ("dense_untied=1376", True),
        ("embedding=70", True),
        ("positions=0", True),
        ("non_embedding=1306", True),
        ("non_embedding<=1305", False),
        ("nonzero <= 95", True),
        ("distinct=36", True),
        ("values=29", True),
        ("values_with_zero=30", True),
        ("values_with_zero=29", False),
        ("hard_coded=3", True),
        ("hard_coded<=2", False),
    ],
)
def test_what_holds(text: str, holds: bool) -> None:
    assert read_assertion(text).holds(TINY) is holds


def test_an_undeclared_free_is_no_number() -> None:
    assert REVERSE.free is None
    assert not any(read_assertion(text).holds(REVERSE) for text in ("free=0", "free>=0", "free<=100"))


MALFORMED = """
free; free=; =20; free=many; free=-1; free=2.5; free=1e3; free<5; free>5; free!=5; free=5=5; free=5 6; free =< 5;
free=9999999999999999999; free=٣; 20=free; free: 5;
"""


@pytest.mark.parametrize("text", [text.strip("\n ") for text in MALFORMED.split(";")])
def test_what_is_malformed(text: str) -> None:
    with pytest.raises(MalformedAssertion, match=r"is no assertion: write RULE=N.*The rules are dense, dense_untied"):
        read_assertion(text)


def test_a_rule_without_a_number_may_be_a_redirection() -> None:
    with pytest.raises(MalformedAssertion, match="in quotes, as a shell reads < and > itself"):
        read_assertion("free")
    with pytest.raises(MalformedAssertion, match=r"^((?!quotes).)*$"):
        read_assertion("free=many")


@pytest.mark.parametrize(
    ("text", "says"),
    [("fre=5", "did you mean 'free'?"), ("claimed=5", "no rule 'claimed'. The rules are"), ("x=1", "no rule 'x'.")],
)
def test_an_unknown_rule(text: str, says: str) -> None:
    with pytest.raises(MalformedAssertion) as caught:
        read_assertion(text)
    assert says in str(caught.value)
    assert all(figure in str(caught.value) for figure in ASSERTABLE)


@pytest.mark.parametrize("path", sorted((DATA / "specs").glob("*.yaml")), ids=lambda path: path.stem)
def test_a_figure_is_the_sum_of_what_it_is_made_of(path: object) -> None:
    counts = compiler.count(load(str(path)))
    for figure in set(ASSERTABLE) - {"values", "values_with_zero"}:
        parts = made_of(counts, figure)
        assert sum(share for _, share in parts) == (counts.by_rule(figure) or 0), figure
        assert all(share > 0 for _, share in parts)
    assert made_of(counts, "values") == made_of(counts, "values_with_zero") == []


def test_what_figures_of_qwen20_are_made_of() -> None:
    assert made_of(QWEN, "distinct")[:2] == [("embedding", 19), ("attention.query", 2)]
    assert ("ffn.down.weight", 4) in made_of(QWEN, "dense_untied")
    assert ("ffn.down.weight", 4) not in made_of(QWEN, "dense")
    assert made_of(TINY, "free")[0] == ("final_scale", 1)
    assert made_of(QWEN, "hard_coded") == [("2 (line 36)", 1)]
