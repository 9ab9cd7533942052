"""`show --stage program`: the whole text for a small network, before and after passes, and calls that are wrong."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from compiler.backends.bounds.passes import PASSES
from tests.cli.test_cli import call, call_json
from tests.helpers import ROOT, SPECS, small

TINY = str(SPECS / "tiny95.yaml")
NETWORK = """
embedding:
  digit[d]: {x: d}
  +: {y: 1}
ffn widen:
  hidden: a b
  up a: x - 1
  up b: 2 * x + y
  down p: a / 4
  stream: x y z p
head:
  logits digit[d]: d * p
"""
TRANSLATED = """\
- length: 8
  dtype: float32
  tokens: 6
  slots: [0, 1, 2]
  prefixes: [6, 7, 8]
  starts: [0]
  nodes:
  - number: 0
    step: embedding
    operation: Lookup
    settings: {value: 1 × 6 × 3 numbers, error: 1 × 6 × 3 numbers}
    inputs: []
    channels: 3
  - number: 1
    step: widen.ffn
    operation: Renewed
    settings: {first_symbol: 0}
    inputs: [0]
    channels: 3
  - number: 2
    step: widen.ffn
    operation: Linear
    settings:
      rows:
        '0': {'0': 1.0}
        '1': {'0': 2.0, '1': 1.0}
      bias: [-1.0, 0.0]
    inputs: [1]
    channels: 2
  - number: 3
    step: widen.ffn
    operation: Activated
    settings: {kind: relu}
    inputs: [2]
    channels: 2
  - number: 4
    step: widen.ffn
    operation: Linear
    settings:
      rows:
        '3': {'0': 0.25}
    inputs: [3]
    channels: 4
  - number: 5
    step: widen.ffn
    operation: Resized
    inputs: [1]
    channels: 4
  - number: 6
    step: widen.ffn
    operation: Sum
    inputs: [5, 4]
    channels: 4
  decision:
    input: 6
    read_at: [5, 6, 7]
    classes: 6
    decode: argmax
    rows:
      '1': {'3': 1.0}
      '2': {'3': 2.0}
      '3': {'3': 3.0}
"""
FOLDED = """\
- length: 8
  dtype: float32
  tokens: 6
  slots: [0, 1, 2]
  prefixes: [6, 7, 8]
  starts: [0]
  nodes:
  - number: 0
    step: widen.ffn
    operation: Lookup
    settings: {value: 8 × 6 × 4 numbers, error: 8 × 6 × 4 numbers}
    inputs: []
    channels: 4
    live: '3'
    positions: 5-7
  decision:
    input: 0
    read_at: [5, 6, 7]
    classes: 6
    decode: argmax
    rows:
      '1': {'3': 1.0}
      '2': {'3': 2.0}
      '3': {'3': 3.0}
"""


@pytest.fixture
def path(tmp_path: Path) -> str:
    made = tmp_path / "small.yaml"
    made.write_text(small(NETWORK, dtype="float32"), encoding="utf-8")
    return str(made)


@pytest.mark.parametrize(("options", "text"), [((), TRANSLATED), (("--pass", "folding"), FOLDED)])
def test_a_program_in_full(path: str, options: tuple[str, ...], text: str) -> None:
    arguments = ("show", path, "--stage", "program", *options)
    assert call(*arguments).stdout == text
    assert call_json(*arguments) == yaml.safe_load(text)


@pytest.mark.parametrize("name", [one.name for one in PASSES])
def test_after_each_pass(path: str, name: str) -> None:
    (program,) = call_json("show", path, "--stage", "program", "--pass", name)
    assert program["nodes"][-1]["live"] == "3"
    assert (len(program["nodes"]) == 7) == (name in [one.name for one in PASSES[:6]])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--pass", "folding"), "--pass goes with --stage program"),
        (("--stage", "ir", "--pass", "folding"), "--pass goes with --stage program"),
        (("--stage", "program", "--pass", "foldin"), "there is no pass 'foldin'; did you mean 'folding'?"),
        (("--stage", "program", "--pass", "?"), f"known: {', '.join(one.name for one in PASSES)}"),
    ],
)
def test_a_wrong_call(options: tuple[str, ...], message: str) -> None:
    result = call("show", TINY, *options)
    assert result.exit_code == 2
    assert message in result.stderr


def test_a_network_that_has_no_program(path: str) -> None:
    text = Path(path).read_text(encoding="utf-8").replace("  hidden", "  norm: {rms: 1e-60}\n    hidden")
    Path(path).write_text(text, encoding="utf-8")
    result = call("show", path, "--stage", "program")
    assert result.exit_code == 2
    assert "error: small has no such program: widen.ffn.norm adds 1e-60, which is zero in float32" in result.stderr
    assert "[not-followed]" in result.stderr


def test_the_page_lists_the_passes() -> None:
    page = (ROOT / "docs" / "tools.md").read_text(encoding="utf-8")
    listed = re.findall(r"^\| `(\w+)` \| (.*?) \| (yes|no|on this machine) \|$", page, re.MULTILINE)
    used = {"no": 1, "on this machine": 2, "yes": 3}
    assert [(name, does, used[by_verify]) for name, does, by_verify in listed] == [
        (one.name, one.does, len(one.uses)) for one in PASSES
    ]
