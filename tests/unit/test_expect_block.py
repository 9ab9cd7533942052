"""Claims are written into the lines of `expect` and no others; comments and layout stay."""

from __future__ import annotations

from typing import Any

import pytest

from compiler.readers.claiming.expect_block import Claimed, with_claims
from compiler.source.diagnostics import Findings, SpecError
from compiler.source.document import Mapping, as_data, parse_document
from compiler.source.merging import merge
from compiler.source.text import Source

NEW: dict[str, Claimed] = {
    "count": {"dense": 8, "free": 2},
    "eval": {"edges": {"inputs": 9, "right": 7}, "uniform": {"inputs": 50, "seed": 0, "right": 49}},
    "verdict": "refuted",
}
BLOCK = """\
expect:
  count: {dense: 8, free: 2}
  eval:
    edges: {inputs: 9, right: 7}
    uniform: {inputs: 50, seed: 0, right: 49}
  verdict: refuted
"""
PARTS: dict[str, Claimed] = {"eval": {"all": {"inputs": 6, "right": {"length 1": 2, "base 2, length 2": 3}}}}


def document(text: str) -> Mapping:
    node = parse_document(Source("spec.yaml", text))
    assert isinstance(node, Mapping)
    return node


def merged(text: str, base: str | None) -> Any:
    """What is claimed, as nested dictionaries."""
    own = document(text)
    return as_data(merge(document(base), own, Findings()) if base else own)


@pytest.mark.parametrize(
    ("text", "base", "claims", "after"),
    [
        pytest.param("name: x\n", None, NEW, "name: x\n" + BLOCK, id="no section"),
        pytest.param("name: x", None, NEW, "name: x\n" + BLOCK.rstrip(), id="no line break at the end"),
        pytest.param(
            "a:\n  b: 1\n  # of b\n# of all\n", None, NEW, f"a:\n  b: 1\n  # of b\n{BLOCK}# of all\n", id="foot"
        ),
        pytest.param("name: x\r\n", None, {"verdict": "open"}, "name: x\r\nexpect:\r\n  verdict: open\r\n", id="CR LF"),
        pytest.param("a: 1\n...\n", None, NEW, f"a: 1\n{BLOCK}...\n", id="marked end"),
        pytest.param(
            "expect:   # soon\nb: 1\n", None, NEW, BLOCK.replace(":\n", ":   # soon\n", 1) + "b: 1\n", id="empty"
        ),
        pytest.param(
            "{name: x, expect: {}}",
            None,
            {"count": {"dense": 1}, "verdict": "proved"},
            "{name: x, expect: {count: {dense: 1}, verdict: proved}}",
            id="flow",
        ),
        pytest.param(
            "expect:\n"
            "    # by hand\n"
            "    claimed: {count: 9, note: 'a, b'}   # theirs\n"
            "    eval: {edges: {inputs: 9,  right: 9},  # all?\n"
            "           uniform: {pairs: 50, right: 50}}\n"
            "    note: >-\n"
            "      Two\n"
            "      lines.\n"
            "\n"
            "decode: argmax\n",
            None,
            {
                "count": {"dense": 8},
                "eval": {"edges": {"inputs": 9, "right": 7}, "uniform": {"pairs": 50, "right": 49}, "x": {"right": 1}},
                "verdict": "refuted",
            },
            "expect:\n"
            "    count: {dense: 8}\n"
            "    # by hand\n"
            "    claimed: {count: 9, note: 'a, b'}   # theirs\n"
            "    eval: {edges: {inputs: 9,  right: 7},  # all?\n"
            "           uniform: {pairs: 50, right: 49}, x: {right: 1}}\n"
            "    verdict: refuted\n"
            "    note: >-\n"
            "      Two\n"
            "      lines.\n"
            "\n"
            "decode: argmax\n",
            id="comments and layout",
        ),
        pytest.param(
            "expect:\n  note: |\n    n\n\n\nb: 1\n",
            None,
            {"verdict": "proved"},
            "expect:\n  verdict: proved\n  note: |\n    n\n\n\nb: 1\n",
            id="in front of a text",
        ),
        pytest.param(
            "expect: {verdict: proved}\n",
            None,
            {"count": {"dense": 8}, "verdict": "refuted"},
            "expect: {count: {dense: 8}, verdict: refuted}\n",
            id="one line",
        ),
        pytest.param(
            'expect:\n  "eval" :\n    all:\n      inputs: 3\n'
            "      right:\n        length 1: 1   # old\n        length 9: 1\n",
            None,
            PARTS,
            'expect:\n  "eval" :\n    all:\n      inputs: 6\n'
            '      right:\n        {length 1: 2, "base 2, length 2": 3}\n',
            id="other parts",
        ),
        pytest.param(
            "expect:\n  verdict: proved\n",
            "expect:\n  count: {dense: 8, free: 3}\n  eval: {edges: {inputs: 9, right: 7}}\n",
            NEW,
            "expect:\n  count: {free: 2}\n  eval:\n    uniform: {inputs: 50, seed: 0, right: 49}\n  verdict: refuted\n",
            id="what differs from the base",
        ),
        pytest.param("a: 1\n", BLOCK, NEW, "a: 1\n", id="as the base says"),
        pytest.param(
            "expect: null  # another model\n",
            "expect:\n  note: old\n  count: {values: 3, free: 2}\n",
            {"count": {"dense": 8, "free": 2}},
            "expect:  # another model\n  count: {dense: 8, free: 2, values: null}\n  note: null\n",
            id="nothing of the base comes back",
        ),
    ],
)
def test_only_these_lines_change(text: str, base: str | None, claims: dict[str, Claimed], after: str) -> None:
    inherited = document(base).get("expect") if base else None
    assert with_claims(document(text), inherited, claims) == after
    said = merged(after, base)["expect"]
    assert {key: said[key] for key in claims} == claims
    assert with_claims(document(after), inherited, claims) == after


@pytest.mark.parametrize(
    "text",
    [
        "k: &k {inputs: 9, right: 9}\nexpect: {eval: {edges: *k}}\n",
        "k: &k 9\nexpect: {eval: {edges: {inputs: 9, right: *k}}}\n",
        "expect: {eval: {edges: {inputs: &k 9, right: *k}}}\n",
        "expect: &k\n  eval: {edges: {inputs: 9, right: 9}}\n",
    ],
)
def test_what_is_read_elsewhere_too_is_not_edited(text: str) -> None:
    with pytest.raises(SpecError) as caught:
        with_claims(document(text), None, {"eval": {"edges": {"inputs": 9, "right": 7}}})
    assert [one.code for one in caught.value.diagnostics] == ["cannot-edit"]
