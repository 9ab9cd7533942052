"""A claim that a command did not check: the command that it names checks it."""

from __future__ import annotations

import re
import shlex
import sys
from pathlib import Path

import pytest

from tests.cli.test_cli import call
from tests.helpers import small

STEPS = "embedding:\n  digit[d]: {x: d * gain}\nhead:\n  logits: embedding\n"
EXPECT = """
expect:
  count: {dense: 18}
  eval:
    uniform: {pairs: 20, seed: 3, right: 0}
    near_carry: {pairs: 40, right: 2}
    exhaustive: {pairs: 256, right: 16}
  verdict: refuted
"""
CLAIMS = {
    "uniform: 0 of 20 right (seed 3)": "eval small.yaml --suite uniform --inputs 20 --seed 3",
    "near_carry: 2 of 40 right (seed 0)": "eval small.yaml --suite near_carry --inputs 40 --seed 0",
    "exhaustive: 16 of 256 right": "eval small.yaml --suite exhaustive",
    "refuted over all inputs": "verify small.yaml",
}


@pytest.fixture(autouse=True)
def spec(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    text = small(STEPS, definitions="parameters: {gain: 1}") + EXPECT
    Path("small.yaml").write_text(text, encoding="utf-8")
    Path("-small.yaml").write_text(text, encoding="utf-8")


def unchecked(output: str) -> dict[str, str]:
    return dict(re.findall(r"^not checked: (.*); `(.*)` checks it$", output, re.MULTILINE))


@pytest.mark.parametrize(
    ("command", "missing"),
    [
        ("build small.yaml --eval --pairs 30", ["uniform", "near_carry", "refuted"]),  # in other sizes
        ("eval small.yaml --suite exhaustive", ["uniform", "near_carry", "refuted"]),
        ("eval small.yaml --suite uniform --inputs 20 --seed 3", ["near_carry", "exhaustive", "refuted"]),
        ("eval small.yaml --suite uniform --inputs 20 --seed 4", ["uniform", "near_carry", "exhaustive", "refuted"]),
    ],
)
def test_it_names_the_command_that_checks_it(command: str, missing: list[str]) -> None:
    found = unchecked(call(*command.split()).stdout)
    assert found == {
        claim: f"python cli.py {CLAIMS[claim]}" for claim in CLAIMS if re.split("[: ]", claim)[0] in missing
    }


@pytest.mark.parametrize("options", [[], ["--allow-overflow"], ["--ignore", "no-claims", "--strict"]])
@pytest.mark.parametrize("path", ["small.yaml", "./-small.yaml"])
def test_the_command_checks_it(path: str, options: list[str]) -> None:
    """Each is run as it is printed, with the same options."""
    found = unchecked(call("eval", path, *options, "--suite", "carries").stdout)
    assert list(found) == list(CLAIMS)
    for claim, printed in found.items():
        words = shlex.split(printed)
        assert words[:2] == ["python", "cli.py"]
        assert set(options) <= set(words)
        assert re.search(rf"^{re.escape(claim)} +(held|failed) ", call(*words[2:]).stdout, re.MULTILINE), printed


@pytest.mark.parametrize(
    ("program", "shown"),
    [("weightspec", "weightspec"), ("/opt/bin/weightspec", "weightspec"), ("../cli.py", "python ../cli.py")],
)
def test_it_is_called_as_this_one_was(program: str, shown: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", [program])
    found = unchecked(call("eval", "small.yaml", "--suite", "carries").stdout)
    assert found["refuted over all inputs"] == f"{shown} verify small.yaml"


def test_a_claim_that_nothing_can_check() -> None:
    path = Path("small.yaml")
    path.write_text(path.read_text(encoding="utf-8").replace("pairs: 256", "pairs: 250"), encoding="utf-8")
    output = call("eval", "small.yaml", "--suite", "exhaustive").stdout
    assert "exhaustive: 16 of 250" not in output
    assert "1 claim not checked: the suite has 256 inputs" in output


def test_claims_about_another_variant() -> None:
    output = call("eval", "small.yaml", "--suite", "carries", "--set", "gain=2").stdout
    assert unchecked(output) == {}
    assert "5 claims not checked: about the spec as written, not this variant: leave out --set to check" in output
