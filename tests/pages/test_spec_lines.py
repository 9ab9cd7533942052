"""The text of a spec in a page: what each piece is, and which numbers come from which line."""

from __future__ import annotations

from pathlib import Path

import pytest

from compiler import load
from compiler.network.storage import tensors
from compiler.page.spec_lines import SpecLine, line_anchors, line_pieces, spec_texts
from compiler.source.text import Source
from tests.helpers import SPECS, load_text, small

NETWORK = """\
embedding:
  digit[d]: {x: gain * d}
ffn:
  hidden: unit
  up unit: 2 * x
  down y: unit
head:
  logits =: z
"""


def line_of(text: str, lines: tuple[SpecLine, ...]) -> SpecLine:
    return next(line for line in lines if line.text.strip() == text)


def made(line: SpecLine) -> tuple[list[tuple[str, int]], list[tuple[str, int]]]:
    makes, feeds = ([(one.tensor, one.entries) for one in all_of] for all_of in (line.makes, line.feeds))
    return makes, feeds


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        ("a: 1 # b: 2", [("key", "a"), ("plain", ": "), ("number", "1"), ("plain", " "), ("comment", "# b: 2")]),
        (
            "up x: 2e3 * log(gain)",
            [
                ("key", "up x"),
                ("plain", ": "),
                ("number", "2e3"),
                ("plain", " * "),
                ("name", "log"),
                ("plain", "("),
                ("name", "gain"),
                ("plain", ")"),
            ],
        ),
        (
            "{a: not b, 'c#': \"# d\"}",
            [
                ("plain", "{"),
                ("key", "a"),
                ("plain", ": "),
                ("word", "not"),
                ("plain", " "),
                ("name", "b"),
                ("plain", ", "),
                ("key", "'c#'"),
                ("plain", ": "),
                ("string", '"# d"'),
                ("plain", "}"),
            ],
        ),
        ("prompt: a + b =", [("key", "prompt"), ("plain", ": "), ("text", "a + b =")]),
        ("a: &x true", [("key", "a"), ("plain", ": "), ("word", "&x true")]),
        ("a: '\u202e\u200b'", [("key", "a"), ("plain", ": "), ("string", "'\\u202e\\u200b'")]),
        ("a: [1\r", [("plain", "a: [1")]),  # no YAML
        ("1\ta b", [("plain", "1\ta b")]),  # a table of cases
    ],
)
def test_the_pieces_of_a_line(text: str, kinds: list[tuple[str, str]]) -> None:
    (pieces,) = line_pieces(Source("a.yaml", text))
    assert [(piece.kind, piece.text) for piece in pieces] == kinds


def test_a_text_of_several_lines_is_of_one_kind() -> None:
    lines = line_pieces(Source("a.yaml", "summary: >-\n  it's\n\n  # none\n# one\nname: a\n"))
    assert [[piece.kind for piece in pieces] for pieces in lines] == [
        ["key", "plain", "text"],
        ["text"],
        [],
        ["text"],
        ["comment"],
        ["key", "plain", "name"],
    ]


@pytest.mark.parametrize("path", [SPECS / "tiny95.yaml", *sorted((SPECS / "tasks").glob("*.yaml"))[:3]])
def test_every_number_comes_from_one_line(path: Path) -> None:
    spec = load(path)
    texts = spec_texts(spec)
    assert ["\n".join(line.text for line in text.lines) + "\n" for text in texts] == [
        source.text for source in spec.sources
    ]
    entries = dict.fromkeys(tensors(spec.network), 0)
    for text in texts:
        for line in text.lines:
            for one in line.makes:
                entries[one.tensor] += one.entries
    assert entries == {name: len(tensor.entries) for name, tensor in tensors(spec.network).items()}


def test_what_a_line_makes_and_what_it_feeds(tmp_path: Path) -> None:
    spec = load_text(tmp_path, small(NETWORK, definitions="parameters:\n  gain: 2\n  idle: 3"))
    ((lines),) = [text.lines for text in spec_texts(spec)]
    assert made(line_of("digit[d]: {x: gain * d}", lines)) == ([("embedding.weight", 4)], [])
    assert made(line_of("up unit: 2 * x", lines)) == ([("ffn.up.weight", 1)], [])
    assert made(line_of("gain: 2", lines)) == ([], [("embedding.weight", 4)])
    assert made(line_of("idle: 3", lines)) == ([], [])


def test_each_file_of_a_chain_has_its_lines() -> None:
    spec = load(SPECS / "tiny95-exact.yaml")
    own, base = spec_texts(spec, "a-")
    assert [Path(text.name).name for text in (own, base)] == ["tiny95-exact.yaml", "tiny95.yaml"]
    assert made(line_of("v_scale: 1e8", own.lines)) == ([], [("layer1.ffn.gate.weight", 20)])
    overridden = next(line for line in base.lines if line.text.strip().startswith("v_scale: 1e4"))
    assert made(overridden) == ([], [])
    anchors = [line.anchor for text in (own, base) for line in text.lines]
    assert (anchors[0], base.lines[11].anchor) == ("a-L1", "a-F1-L12")
    assert len(set(anchors)) == len(anchors)
    assert list(line_anchors(spec, "a-").values()) == anchors
