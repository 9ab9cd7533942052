"""The command `lint`: exit codes, several specs, options, what is printed where."""

from __future__ import annotations

from pathlib import Path

import pytest

from compiler.readers.linting.rules import LINT_RULES
from tests.cli.test_cli import EXACT, INVALID, QWEN, ROOT, TINY, call, call_json, variant

REVERSE = str(ROOT / "specs" / "reverse.yaml")
BOARD = ("--rules", "adderboard")


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ((TINY,), 0),
        ((TINY, *BOARD), 0),
        ((REVERSE,), 0),
        ((REVERSE, *BOARD), 1),
        ((TINY, REVERSE, QWEN, *BOARD), 1),
        ((TINY, "--strict"), 1),
        ((TINY, INVALID, *BOARD), 2),
        ((INVALID, REVERSE, *BOARD), 2),
        (("nowhere.yaml",), 2),
        ((TINY, *BOARD, "--set", "digits=6"), 1),
        ((TINY, *BOARD, "--set", "digits=0"), 2),
    ],
)
def test_exit_codes(arguments: tuple[str, ...], code: int) -> None:
    assert call("lint", *arguments).exit_code == code
    assert call("lint", *arguments, "--json").exit_code == code


def test_a_finding_is_printed_as_a_diagnostic_is() -> None:
    lines = call("lint", TINY, *BOARD).stdout.splitlines()
    at = lines.index(f"{TINY}:60:9: disclose: the token with the lowest logit is taken  [argmin]")
    assert lines[at + 1 : at + 4] == [
        "   60 | decode: argmin",
        "      |         ^^^^^^",
        "  hint: decode: argmax, with the last map negated",
    ]
    places = [line for line in lines if line.startswith(f"{TINY}:") and "disclose:" in line]
    assert lines[-1] == f"{TINY}: adderboard: {len(places)} to disclose"


def test_a_broken_rule_is_counted_apart() -> None:
    (*_, last) = call("lint", REVERSE, *BOARD).stdout.splitlines()
    assert last == f"{REVERSE}: adderboard: 3 against the rules, 2 to disclose"


def test_a_bad_spec_hides_no_other_one() -> None:
    result = call("lint", TINY, INVALID, QWEN)
    assert [line.partition(": ")[0] for line in result.stdout.splitlines() if "to disclose" in line] == [TINY, QWEN]
    assert f"{INVALID}:23:21: error: " in result.stderr
    found = call_json("lint", TINY, INVALID, QWEN, exit_code=2)
    assert [(one["spec"], one["valid"]) for one in found] == [(TINY, True), (INVALID, False), (QWEN, True)]
    assert [bool(one["findings"]) for one in found] == [True, False, True]
    assert [one["code"] for one in found[1]["diagnostics"]] == ["unknown-name"]


def test_nothing_found(tmp_path: Path) -> None:
    off = [word for rule in LINT_RULES for word in ("--ignore", rule.code)]
    result = call("lint", TINY, *BOARD, *off, "--strict")
    assert (result.exit_code, result.stdout) == (0, f"{TINY}: adderboard: nothing found\n")


def test_ignore_takes_rules_and_warnings(tmp_path: Path) -> None:
    path = variant(tmp_path, "constants: {spare: 3}\n")
    assert "[unused-name]" in call("lint", path).stderr
    result = call("lint", path, "--ignore", "unused-name", "--ignore", "hard-coded")
    assert result.stderr == ""
    assert "[hard-coded]" not in result.stdout
    assert "[index-number]" in result.stdout
    result = call("lint", path, "--ignore", "hard-code")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "no warning or rule is called 'hard-code'; did you mean 'hard-coded'?" in result.stderr


def test_strict_makes_errors_of_warnings_too(tmp_path: Path) -> None:
    path = variant(tmp_path, "constants: {spare: 3}\n")
    result = call("lint", path, "--strict")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "error: nothing reads the constant 'spare'" in result.stderr


def test_a_setting_is_pointed_at() -> None:
    output = call("lint", TINY, "--set", "digit_scale=12345", "--set", "alibi_base=3").stdout
    assert "\n--set:1:13: disclose: digit_scale = 12345 enters layer0.ffn.up.weight" in f"\n{output}"
    assert "\n--set:1:12: disclose: alibi_base = 3 enters 'score count'" in f"\n{output}"


def test_a_saved_model_is_linted_by_its_spec(tmp_path: Path) -> None:
    path = str(tmp_path / "exact.safetensors")
    assert call("build", EXACT, "-o", path).exit_code == 0
    (saved,), (source,) = call_json("lint", path, *BOARD), call_json("lint", EXACT, *BOARD)
    codes = [sorted(one["code"] for one in found["findings"]) for found in (saved, source)]
    assert codes[0] == codes[1] != []


def test_the_list_of_rules() -> None:
    lines = [line.split() for line in call("lint", "--list").stdout.splitlines() if line[:1].strip()]
    assert [line[:2] for line in lines[1 : len(LINT_RULES) + 1]] == [[rule.code, rule.level] for rule in LINT_RULES]
    every, some = call_json("lint", "--list"), call_json("lint", "--list", "--rules", "disclosure")
    assert [one["code"] for one in every] == [rule.code for rule in LINT_RULES]
    assert some == [one for one in every if "disclosure" in one["sets"]] != every


@pytest.mark.parametrize("arguments", [(), ("--list", TINY), ("--list", "--strict"), (TINY, "--rules", "aderboard")])
def test_calls_that_make_no_sense(arguments: tuple[str, ...]) -> None:
    result = call("lint", *arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith("Usage: ")
