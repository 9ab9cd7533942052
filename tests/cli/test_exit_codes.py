"""The exit code of every command, by what it finds; what the help and the README say of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.test_cli import EXACT, INVALID, QWEN, ROOT, TINY, call, call_json
from tests.helpers import DATA

WRONG = str(DATA / "specs" / "ffn-relu.yaml")  # it claims nothing, and answers wrong


@pytest.fixture
def failed(tmp_path: Path) -> str:
    """A spec that claims more right answers than there are."""
    path = tmp_path / "failed.yaml"
    path.write_text(Path(TINY).read_text(encoding="utf-8").replace("right: 768}", "right: 784}"), encoding="utf-8")
    return str(path)


@pytest.mark.parametrize(
    ("code", "command"),
    [
        (0, ("run", TINY, "1", "2")),
        (1, ("run", TINY, "5193798811", "1806201129")),  # the answer is wrong
        (0, ("eval", TINY, "--suite", "edges")),  # 16 wrong answers, as claimed
        (1, ("eval", "FAILED", "--suite", "edges")),
        (0, ("eval", "FAILED", "--suite", "edges", "--set", "digits=9")),  # claims are about the spec as written
        (1, ("build", "FAILED", "--eval", "--suite", "edges")),
        (0, ("build", TINY)),
        (0, ("eval", TINY, "--protocol", "adderboard")),
        (1, ("eval", TINY, "--protocol", "adderboard", "--set", "alibi_base=9")),  # not passed
        (0, ("count", TINY)),
        (1, ("count", TINY, "--assert", "free=4")),
        (0, ("diff", TINY, TINY)),
        (1, ("diff", TINY, EXACT)),
        (0, ("lint", QWEN, "--rules", "adderboard")),
        (1, ("lint", TINY, "--rules", "adderboard", "--strict")),
        (0, ("verify", QWEN, "--set", "digits=2")),
        (1, ("verify", TINY, "--set", "digits=2", "--set", "v_scale=0.05")),
        (3, ("verify", TINY, "--set", "digits=8", "--budget", "1e-9")),
        (2, ("eval", INVALID)),
        (2, ("eval", TINY, "--suite", "nothing")),
        (2, ("run", TINY)),
        (2, ("eval", TINY, "--batch", "0")),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else str(value),
)
def test_an_exit_code(code: int, command: tuple[str, ...], failed: str) -> None:
    result = call(*(failed if word == "FAILED" else word for word in command))
    assert result.exit_code == code, result.output


def test_wrong_answers_without_a_claim_are_counted() -> None:
    found = call_json("eval", WRONG, exit_code=0)
    assert (found["claims"], found["qualified"]) == ([], None)
    assert found["right"] < found["pairs"]


@pytest.mark.parametrize("name", ["README", "help"])
def test_what_is_said_of_them(name: str) -> None:
    said = (ROOT / "README.md").read_text(encoding="utf-8") if name == "README" else call("--help").stdout
    text = " ".join(said.split())
    assert "the answer of `run` is wrong" in text
    assert "an answer is wrong" not in text
    for code in ("0", "1", "2", "3", "4", "130"):
        assert f" {code}, " in text or f" {code} " in text
    assert ("`eval` counts right and wrong answers, and exits with 0" in text) or ("leave `eval` at 0" in text)
