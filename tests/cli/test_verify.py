"""`verify`: what it prints of each verdict, its exit codes, its certificates; what becomes of bad input and of Ctrl-C.

Where a test is about printing and exit codes, the verification is made by hand.
"""

from __future__ import annotations

import json
import os
import re
import select
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import compiler
from compiler.pipeline import Spec
from compiler.source.diagnostics import fail
from compiler.source.saved import read_saved
from compiler.terminal import shapes
from compiler.verifier.reasons import Ending, ended, joined_cells, lost_at
from compiler.verifier.results import VERSION, Counterexample, Lead, Margin, StepResult, VerdictName, Verification
from tests.cli.json_shapes import problems
from tests.cli.test_cli import EXACT, INVALID, QWEN, ROOT, TINY, call, call_json
from tests.helpers import small

EVERY = 4**4
LONG = 600  # seconds: more than it takes on any machine
MARGIN = Margin(0.0341, 1.7e-9, 1)
SEEN = Lead(0.0345, 1, (3, 9), "3 + 9")
EXAMPLE = Counterexample((3, 9), "3 + 9", 1, "sum[1], 4^1", "3", "2", "8", "12")
STEPS = tuple(
    StepResult(slot, f"sum[{slot}], 4^{2 - slot}", EVERY, 0, 0, 20 + slot, 2, MARGIN, None, SEEN) for slot in range(3)
)
PROVED = Verification(
    verdict="proved",
    method="abstract interpretation",
    inputs=EVERY,
    failing=(0, 0),
    steps=STEPS,
    margin=MARGIN,
    counterexample=None,
    reasons=(),
    assumptions="exp is within 2 units",
    dtype="float64",
    torch_version="2.0",
    seconds=1.25,
    ending="complete",
    seen=SEEN,
    tried=100,
)
GROWS = lost_at("layer0.attention", 0.002, 0.75)
WRONG = (STEPS[0], replace(STEPS[1], right=200, wrong=36, open=20, reason=ended("budget"), seen=None), STEPS[2])
REFUTED = replace(PROVED, verdict="refuted", failing=(36, 56), steps=WRONG, counterexample=EXAMPLE)
UNDECIDED = tuple(
    replace(step, right=200, open=56, margin=None, reason=reason, seen=None)
    for step, reason in zip(STEPS, (ended("budget"), joined_cells("12"), GROWS), strict=True)
)
OPEN = replace(
    PROVED,
    verdict="open",
    failing=(0, 56),
    steps=UNDECIDED,
    margin=None,
    reasons=(ended("budget"), joined_cells("12"), GROWS),
    ending="budget",
    seen=None,
    tried=0,
)
FOUND = {found.verdict: found for found in (PROVED, REFUTED, OPEN)}
SORT = """\
weightspec: 1
name: sorted
dtype: float64
vocabulary: symbol[4] =
task:
  sort: {symbols: 4, length: 9}
  prompt: word =
  answer: sorted
stream: x
network:
  embedding:
    symbol[i]: {x: i}
  head:
    logits symbol[i]: i * x - i / 8
    logits =: -1
decode: argmax
ignore: no-claims
"""

Outcome = Verification | BaseException


def spec_file(folder: Path, name: str = "one", claim: str = "") -> str:
    """A spec of two digits in base 4, with or without a claim about all inputs."""
    path = folder / f"{name}.yaml"
    text = small("embedding:\n  digit[d]: {x: d}\nhead:\n  classes: 6\n  logits: embedding", stream="x")
    expect = f"expect: {{verdict: {claim}}}" if claim else "ignore: no-claims"
    path.write_text(f"{text.replace('name: small', f'name: {name}')}{expect}\n", encoding="utf-8")
    return str(path)


@pytest.fixture
def finds(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
    """`finds(a, b)`: the first verification ends with a, the second with b. What it returns is which specs were asked
    for."""

    def set_up(*outcomes: Outcome) -> list[str]:
        asked: list[str] = []
        left = iter(outcomes)

        def verify(spec: Spec, **_: Any) -> Verification:
            asked.append(spec.name)
            outcome = next(left)
            if isinstance(outcome, BaseException):
                raise outcome
            return outcome

        monkeypatch.setattr(compiler, "verify", verify)
        return asked

    return set_up


@pytest.mark.parametrize(
    ("verdict", "claim", "settings", "code"),
    [
        ("proved", "", (), 0),
        ("refuted", "", (), 1),
        ("open", "", (), 3),
        ("proved", "proved", (), 0),
        ("refuted", "refuted", (), 0),
        ("refuted", "proved", (), 1),
        ("proved", "refuted", (), 1),
        ("open", "proved", (), 3),
        ("open", "refuted", (), 3),
        ("proved", "refuted", ("--set", "digits=3"), 0),
        ("refuted", "refuted", ("--set", "digits=3"), 1),
    ],
)
def test_exit_codes_follow_the_claim_or_else_the_verdict(
    tmp_path: Path,
    finds: Callable[..., list[str]],
    verdict: VerdictName,
    claim: str,
    settings: tuple[str, ...],
    code: int,
) -> None:
    finds(FOUND[verdict], FOUND[verdict])
    path = spec_file(tmp_path, claim=claim)
    result = call("verify", path, *settings)
    assert result.exit_code == code
    assert f": {verdict.upper()}\n" in result.stdout
    assert ("claim" in result.stdout) == bool(claim)
    (found,) = call_json("verify", path, *settings, exit_code=code)
    assert list(problems([found], list[shapes.Certificate])) == []
    assert (found["verdict"], found["settings"]) == (verdict, [*settings][1:])
    statuses = [one["status"] for one in found["claims"]]
    wanted = "not checked" if settings or verdict == "open" else "held" if code == 0 else "failed"
    assert statuses == ([wanted] if claim else [])


@pytest.mark.parametrize(
    ("verdict", "lines"),
    [
        (
            "proved",
            [
                "every one of 256 inputs is answered right",
                "smallest margin  at least 0.0341, with 1.7e-09 taken off for rounding, at sum[1], 4^1",
                "smallest seen    0.0345 for 3 + 9, at sum[1], 4^1",
                "                 the smallest lead of the torch module on 100 inputs, over all tokens",
                "sum[1], 4^1    all      0     0     21        2  0.0341",
                f"method       abstract interpretation, engine {VERSION}",
                "arithmetic   float64, torch 2.0",
                "assumptions  exp is within 2 units",
                "time         1.2 s",
            ],
        ),
        (
            "refuted",
            [
                "between 36 and 56 of 256 inputs are answered wrong (14.062 % to 21.875 %)",
                "counterexample      3 + 9",
                "right answer        12",
                "torch module        8, by greedy decoding",
                "first wrong         sum[1], 4^1: 2 instead of 3",
                "margin where right  at least 0.0341, with 1.7e-09 taken off for rounding, at sum[1], 4^1",
                "                    the smallest lead of the torch module on 100 inputs, over the 2 of 3 tokens that"
                " are right on all inputs",
                "sum[1], 4^1  78.125 %  36 (14.062 %)  20 (7.8125 %)     21        2  0.0341",
            ],
        ),
        (
            "open",
            [
                "of 256 inputs: 200 (78.125 %) right, 0 wrong, 56 (21.875 %) undecided",
                "the time ran out",
                "inputs that differ were joined in cells: one of 12, each right or wrong by itself",
                "an error grows at layer0.attention: 0.2 % of a channel is not known before it, 75 % after it",
                "sum[0], 4^2  78.125 %      0  56 (21.875 %)     20        2       –  time",
                "sum[1], 4^1  78.125 %      0  56 (21.875 %)     21        2       –  joined cells",
                "sum[2], 4^0  78.125 %      0  56 (21.875 %)     22        2       –  error at layer0.attention",
                "time         1.2 s; ended by the budget of 60 s, --budget gives more",
            ],
        ),
    ],
)
def test_what_is_printed(
    tmp_path: Path, finds: Callable[..., list[str]], verdict: VerdictName, lines: list[str]
) -> None:
    finds(FOUND[verdict])
    result = call("verify", spec_file(tmp_path))
    printed = [line.rstrip() for line in result.stdout.splitlines()]
    assert printed[0] == f"one: {verdict.upper()}"
    assert [line for line in lines if line not in printed] == [], result.stdout
    assert result.stderr == ""


def test_a_bracket_of_one_number_and_a_margin_that_nothing_rounds(
    tmp_path: Path, finds: Callable[..., list[str]]
) -> None:
    exact = replace(MARGIN, proved=1.0, rounding=0.0)
    finds(replace(REFUTED, failing=(36, 36), margin=exact))
    printed = call("verify", spec_file(tmp_path)).stdout
    assert "\n36 of 256 inputs are answered wrong (14.062 %)\n" in printed
    assert "at least 1, at sum[1], 4^1" in printed


def test_of_several_specs_each_is_shown_and_the_worst_counts(tmp_path: Path, finds: Callable[..., list[str]]) -> None:
    names = ("one", "two", "three")
    paths = [spec_file(tmp_path, name) for name in names]
    for outcomes, code in (((PROVED, PROVED, PROVED), 0), ((PROVED, OPEN, PROVED), 3), ((OPEN, REFUTED, PROVED), 1)):
        assert finds(*outcomes) is not None
        result = call("verify", *paths)
        assert result.exit_code == code
        rows = [line.split()[:2] for line in result.stdout.splitlines()[-3:]]
        assert rows == [[name, found.verdict.upper()] for name, found in zip(names, outcomes, strict=True)]


def test_a_wrong_spec_among_several_does_not_stop_the_others(tmp_path: Path, finds: Callable[..., list[str]]) -> None:
    paths = [spec_file(tmp_path, "one"), INVALID, spec_file(tmp_path, "two"), spec_file(tmp_path, "three")]
    outcomes = (PROVED, fail("task", "cannot be followed"), REFUTED)
    asked = finds(*outcomes)
    result = call("verify", *paths)
    assert (result.exit_code, asked) == (2, ["one", "two", "three"])
    assert "[unknown-name]" in result.stderr
    assert "cannot be followed  [task]" in result.stderr
    finds(*outcomes)
    found = call_json("verify", *paths, exit_code=2)
    assert list(problems(found, shapes.VerifiedWithErrors)) == []
    assert sorted(one["code"] for one in found["errors"]) == ["task", "unknown-name"]
    assert [one["verdict"] for one in found["verified"]] == ["proved", "refuted"]


@pytest.mark.parametrize("options", [(), ("--json",)])
def test_nothing_is_verified_where_all_specs_are_wrong(
    finds: Callable[..., list[str]], options: tuple[str, ...]
) -> None:
    asked = finds()
    result = call("verify", INVALID, "nowhere.yaml", *options)
    assert (result.exit_code, asked) == (2, [])
    assert "nowhere.yaml" in result.output
    assert "unknown-name" in result.output


def test_an_interruption_keeps_what_is_known(tmp_path: Path, finds: Callable[..., list[str]]) -> None:
    names = ("one", "two", "three")
    paths, target = [spec_file(tmp_path, name) for name in names], tmp_path / "found.json"
    stopped: Ending = "interrupted"
    finds(PROVED, replace(OPEN, ending=stopped))
    result = call("verify", *paths, "-o", str(target))
    assert result.exit_code == 3
    assert result.stderr == f"interrupted after 1.2 s\ninterrupted; not verified: {paths[2]}\n"
    assert "time         1.2 s; interrupted" in result.stdout
    assert [one["verdict"] for one in json.loads(target.read_text(encoding="utf-8"))] == ["proved", "open"]
    finds(replace(REFUTED, ending=stopped))
    alone = call("verify", paths[0])
    assert (alone.exit_code, alone.stderr) == (1, "interrupted after 1.2 s\n")
    finds(PROVED, KeyboardInterrupt())
    before = call("verify", *paths, "--json")
    assert before.exit_code == 3
    assert before.stderr == f"interrupted; not verified: {paths[1]}, {paths[2]}\n"
    assert [one["name"] for one in json.loads(before.stdout)] == ["one"]
    finds(KeyboardInterrupt())
    nothing = call("verify", *paths)
    assert (nothing.exit_code, nothing.stdout, nothing.stderr) == (130, "", "interrupted\n")


def test_a_certificate(tmp_path: Path, finds: Callable[..., list[str]]) -> None:
    """It is the same on standard output and in a file; its hash is that of the spec in a saved model."""
    path, target = spec_file(tmp_path), tmp_path / "found.json"
    target.write_text("old", encoding="utf-8")
    finds(replace(PROVED, inputs=10**40), replace(PROVED, inputs=10**40), PROVED)
    result = call("verify", path, "-o", str(target))
    assert result.stdout.endswith(f"{target}: written, 1 certificate\n")
    assert json.loads(target.read_text(encoding="utf-8")) == call_json("verify", path)
    (found,) = json.loads(target.read_text(encoding="utf-8"))
    assert (found["inputs"], found["inputs_text"]) == (10**40, "1" + 40 * "0")
    assert found["sizes"] == {"base": 4, "digits": 2}
    assert found["margin"]["place"] == "sum[1], 4^1"
    saved = tmp_path / "one.safetensors"
    assert call("build", path, "-o", str(saved)).exit_code == 0
    assert read_saved(saved).metadata["spec_sha256"] == found["spec_sha256"]
    (other,) = call_json("verify", path, "--set", "digits=3")
    assert other["spec_sha256"] != found["spec_sha256"]
    assert other["settings"] == ["digits=3"]


def test_what_was_found_is_printed_also_where_the_file_cannot_be_written(
    tmp_path: Path, finds: Callable[..., list[str]]
) -> None:
    folder = tmp_path / "gone"
    folder.mkdir()
    finds(PROVED)
    verify = compiler.verify

    def without_folder(spec: Spec, **options: Any) -> Verification:
        folder.rmdir()
        return verify(spec, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(compiler, "verify", without_folder)
        found = call_json("verify", spec_file(tmp_path), "-o", str(folder / "found.json"), exit_code=2)
    assert [one["code"] for one in found["errors"]] == ["missing-folder"]
    assert [one["verdict"] for one in found["verified"]] == ["proved"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((TINY, "--budget", "0"), "0 is not a number of seconds above 0"),
        ((TINY, "--budget", "-1"), "-1 is not a number of seconds above 0"),
        ((TINY, "--budget", "nan"), "nan is not a number of seconds above 0"),
        ((TINY, "--budget", "soon"), "'soon' is not a valid float"),
        ((TINY, "--set", "digits=100000"), "a word has from 1 to 1025 symbols, not 100000"),
        ((TINY, "--set", "digits"), "digits"),
        (("nowhere.yaml",), "nowhere.yaml"),
        (("specs",), "specs"),
        ((INVALID,), "no name 'spcial' here"),
        ((), "Missing argument 'SPECS...'"),
        ((TINY, "-o", "."), "does not end in .json"),
        ((TINY, "-o", "found.yaml"), "does not end in .json"),
        ((TINY, "-o", "nowhere/found.json"), "there is no folder nowhere"),
        ((TINY, "-o", "taken.json"), "it is no regular file"),
    ],
    ids=lambda value: " ".join(Path(word).name for word in value) if isinstance(value, tuple) else "",
)
def test_a_call_that_is_wrong(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "taken.json").mkdir()
    before = sorted(tmp_path.iterdir())
    result = call("verify", *arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert said in result.stderr
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize("budget", [0, -1.0, float("nan")])
def test_a_budget_that_is_no_time_in_the_library(budget: float) -> None:
    with pytest.raises(compiler.SpecError, match="above 0"):
        compiler.verify(compiler.load(TINY), budget=budget)


def test_a_saved_model_that_is_gone_before_it_is_verified(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    saved = tmp_path / "one.safetensors"
    assert call("build", spec_file(tmp_path), "-o", str(saved)).exit_code == 0
    load = compiler.load

    def load_and_lose(path: Path, *arguments: Any, **options: Any) -> Spec:
        spec = load(path, *arguments, **options)
        saved.unlink()
        return spec

    monkeypatch.setattr(compiler, "load", load_and_lose)
    result = call("verify", str(saved))
    assert (result.exit_code, result.stdout) == (2, "")
    assert "[missing-file]" in result.stderr


def test_a_task_whose_inputs_are_not_followed_and_too_many_to_be_tried() -> None:
    """A search finds none that fails, which proves nothing."""
    path = str(ROOT / "specs" / "tasks" / "sort.yaml")
    (found,) = call_json("verify", path, "--set", "length=9", exit_code=3)
    assert (found["verdict"], found["method"], found["inputs"]) == ("open", "none", 10**9)
    assert found["failing"] == {"at_least": 0, "at_most": 10**9}
    assert [reason["kind"] for reason in found["reasons"]] == ["too many"]
    assert re.search(
        r"more than the 10,000,000 inputs .*; none of [\d,]+ that were looked at fails", found["why_open"][0]
    )
    assert list(problems([found], list[shapes.Certificate])) == []


def test_what_is_not_followed_is_searched_for_a_failing_input(tmp_path: Path) -> None:
    path = tmp_path / "sorted.yaml"
    path.write_text(SORT.replace("length: 9", "length: 14"), encoding="utf-8")
    (found,) = call_json("verify", str(path), exit_code=1)
    assert (found["verdict"], found["failing"]) == ("refuted", {"at_least": 1, "at_most": 4**14})
    assert found["counterexample"] is not None
    assert [step["wrong"] + step["open"] for step in found["steps"]][found["counterexample"]["slot"]] == 4**14


def test_without_time_to_try_all_inputs_the_rest_is_open(tmp_path: Path) -> None:
    """It is not said that they are too many."""
    path = tmp_path / "sorted.yaml"
    path.write_text(SORT.replace("length: 9", "length: 4"), encoding="utf-8")
    (found,) = call_json("verify", str(path), "--budget", "1e-9", exit_code=3)
    assert (found["verdict"], found["method"], found["ending"]) == ("open", "none", "budget")
    assert (found["failing"], found["why_open"]) == ({"at_least": 0, "at_most": 256}, ["the time ran out"])
    assert [reason["kind"] for reason in found["reasons"]] == ["time"]
    assert list(problems([found], list[shapes.Certificate])) == []


def test_a_base_with_too_many_cases() -> None:
    (found,) = call_json("verify", EXACT, "--set", "base=200", "--set", "digits=2", "--budget", "2", exit_code=3)
    assert found["failing"] == {"at_least": 0, "at_most": 200**4}
    assert [reason["kind"] for reason in found["reasons"]] == ["refused", "too many"]
    assert "a column of two digits in base 200" in found["why_open"][0]


def test_exact_numbers_of_failing_inputs_are_those_of_an_exhaustive_evaluation() -> None:
    settings = ("--set", "digits=2", "--set", "v_scale=0.05")
    (found,) = call_json("verify", TINY, *settings, exit_code=1)
    tried = call_json("eval", TINY, *settings, "--suite", "exhaustive")
    assert found["inputs"] == tried["pairs"] == 10_000
    wrong = tried["pairs"] - tried["right"]
    assert found["failing"] == {"at_least": wrong, "at_most": wrong}
    for step in found["steps"]:
        assert step["right"] + step["wrong"] + step["open"] == found["inputs"]
    example = found["counterexample"]
    asked = call_json("run", TINY, *settings, *map(str, example["operands"]), exit_code=1)
    assert (asked["answer"], asked["expected"]) == (example["answer"], example["right"])


def test_the_published_network_is_proved(tmp_path: Path) -> None:
    target = tmp_path / "qwen20.json"
    result = call("verify", QWEN, "-o", str(target))
    assert result.exit_code == 0
    assert "every one of 10^20 inputs is answered right" in result.stdout
    (found,) = json.loads(target.read_text(encoding="utf-8"))
    assert (found["verdict"], found["inputs"], found["inputs_text"]) == ("proved", 10**20, str(10**20))
    assert found["seen"]["lead"] >= found["margin"]["proved"] > 0.02
    assert found["seen"]["lead"] == min(step["seen"]["lead"] for step in found["steps"])
    assert found["definitions"]
    assert list(problems([found], list[shapes.Certificate])) == []


def test_control_c_during_a_sweep() -> None:
    """It ends with the best bracket that is known by then, and exits by its verdict.

    Progress on a terminal says when the sweeps have begun: their number is known then.
    """
    terminal, its_end = os.openpty()
    try:
        with subprocess.Popen(
            [sys.executable, str(ROOT / "cli.py"), "verify", TINY, "--budget", "inf"],
            cwd=ROOT,
            env={**os.environ, "PYTHONUNBUFFERED": "1", "TERM": "xterm", "COLUMNS": "100"},
            stdout=subprocess.PIPE,
            stderr=its_end,
            text=True,
        ) as child:
            os.close(its_end)
            shown = drawn_until(terminal, rb"\d of 11\b")
            child.send_signal(signal.SIGINT)
            output = child.communicate(timeout=LONG)[0]
            shown += drawn_until(terminal, None)
    finally:
        os.close(terminal)
    said = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown.decode())
    assert set(re.findall(r"\d+ of (\d+)", said)) == {"11"}, said
    assert "Traceback" not in said
    assert re.search(r"[\r\n]interrupted after [\d.]+ s\s*\Z", said), said
    verdict = re.match(r"tiny95: (OPEN|REFUTED)\n", output)
    assert verdict is not None, output
    assert child.returncode == {"OPEN": 3, "REFUTED": 0}[verdict[1]]  # the spec claims that it is refuted
    assert re.search(r"^time +[\d.]+ s; interrupted *$", output, re.MULTILINE)
    assert re.search(r"^of 10\^20 inputs: .* undecided$|^between .* of 10\^20 inputs", output, re.MULTILINE)
    assert "\nit was interrupted\n" in output
    assert "rounding may decide" not in output


def drawn_until(terminal: int, wanted: bytes | None) -> bytes:
    """What comes out of a terminal up to a pattern, or to its end."""
    found = b""
    while wanted is None or not re.search(wanted, found):
        ready, _, _ = select.select([terminal], [], [], LONG)
        assert ready, found
        try:
            part = os.read(terminal, 4096)
        except OSError:  # as Linux says that nobody writes any more
            part = b""
        if not part:
            assert wanted is None, found
            break
        found += part
    return found


def test_without_time_nothing_is_known_and_the_reason_is_given() -> None:
    result = call("verify", QWEN, "--budget", "1e-9", "--ignore", "no-claims")
    assert (result.exit_code, result.stderr) == (3, "")
    lines = [line.rstrip() for line in result.stdout.splitlines()]
    assert lines[:3] == ["qwen20: OPEN", "of 10^20 inputs: 0 right, 0 wrong, 10^20 (all) undecided", "the time ran out"]
    (found,) = call_json("verify", QWEN, "--budget", "1e-9", exit_code=3)
    assert (found["ending"], found["budget"], found["margin"]) == ("budget", 1e-9, None)
    assert found["why_open"] == ["the time ran out"]
    assert {step["why_open"] for step in found["steps"]} == {"the time ran out"}
