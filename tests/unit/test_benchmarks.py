"""The benchmarks run and say what is wrong. No time is asserted: another machine has others."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

from benchmarks import (
    engine_before,
    engine_speed,
    exhaustive,
    large_speed,
    scale,
    self_check,
    sweep_overhead,
    task_inputs,
    verify_speed,
)
from benchmarks.page import NoSection, markdown_table, put, text_table
from benchmarks.rates import FAST_C, FAST_TORCH, ONE_AT_A_TIME, PLAIN, Rate, SpecRates, disagreements
from benchmarks.speed_tables import Grown, Measured, Skipped, sections
from compiler.backends.native.c_compiler import find_compiler
from compiler.pipeline import load
from tests.helpers import ROOT, SPECS

QUICK = ("--seconds", "0.01", "--rounds", "1", "--least", "0")
SMALL = str(SPECS / "reverse.yaml")
PAGE = ROOT / "docs" / "performance.md"
VERDICTS = ROOT / "docs" / "verify.md"


def call(*arguments: str) -> Result:
    return CliRunner().invoke(engine_speed.main, [*QUICK, *arguments])


def printed(*arguments: str) -> Any:
    result = call(*arguments, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_every_way_is_measured_on_the_same_pairs_and_finds_the_same() -> None:
    (found,) = printed(SMALL)["specs"]
    ways = [rate["way"] for rate in found["rates"]]
    compiled = [FAST_C] * (len(ways) - 3) if find_compiler() else []
    assert ways == [ONE_AT_A_TIME, PLAIN, FAST_TORCH, *compiled]
    assert all(rate["pairs"] > 0 and rate["per_second"] > 0 for rate in found["rates"])
    assert found["disagreements"] == []
    assert found["ratio"] == found["rates"][-1]["ratio"]
    assert (found["compile_seconds"] is None) == (find_compiler() is None)


def test_a_spec_that_the_fast_engine_cannot_follow_says_why(tmp_path: Path) -> None:
    path = tmp_path / "too_large.yaml"
    text = (SPECS / "tiny95.yaml").read_text(encoding="utf-8").replace("digits: 10", "digits: 1")
    text = text.replace("v_scale: 1e4", "v_scale: 1e300").partition("expect:")[0] + "ignore: no-claims\n"
    path.write_text(text, encoding="utf-8")
    (found,) = printed(str(path))["specs"]
    assert [rate["way"] for rate in found["rates"]] == [ONE_AT_A_TIME, PLAIN]
    assert "a value could be as large as" in found["reason"]


def test_what_the_check_of_the_engine_costs() -> None:
    result = CliRunner().invoke(self_check.main, [SMALL, "--pairs", "2000"])
    assert result.exit_code == 0, result.output
    header, row = result.output.splitlines()
    assert header.split() == ["spec", "engine", "pairs", "seconds", "for", "the", "check", "share"]
    assert row.startswith("reverse ")
    assert " 2,000 " in row
    assert 0 < float(row.split()[-2]) < 100


def test_growth_with_digits_skips_what_does_not_load() -> None:
    (one,) = printed("--digits", "1", str(SPECS / "tiny95.yaml"))["digits"]
    assert one["digits"] == 1
    assert one["rates"][0]["way"] == ONE_AT_A_TIME
    assert (one["first_pass"] is None) == (find_compiler() is None)
    (skipped,) = printed("--digits", "4", SMALL)["digits"]
    assert "digits" in skipped["skipped"]


def test_growth_is_a_power_of_the_digits() -> None:
    """From the fewest to the most, in `eval` and in the first pass, where all have one."""

    def rates(per_second: float, first_pass: float | None) -> SpecRates:
        rate = Rate(FAST_C, 1, "", 1, per_second, 0.0, ())
        return SpecRates("adder", 1, None, (rate,), None, None, None, (), first_pass)

    grown = [Grown("adder", digits, rates(64 / digits**2, 64 / digits)) for digits in (4, 1, 2)]
    grown += [Grown("other", digits, rates(1.0, None)) for digits in (1, 8)]
    grown += [Grown("one", 4, rates(1.0, 1.0)), Grown("skipped", 4, Skipped("skipped", "no digits"))]
    text = sections(Measured("uniform", 0, (), tuple(grown), ()), text_table)["digits"]
    lines = [line for line in text.splitlines() if line.startswith("- ") and "time" in line]
    assert lines == [
        "- adder, 1 to 4 digits: the time of `eval` n^2.00 and of the first pass n^1.00",
        "- other, 1 to 8 digits: the time of `eval` n^0.00",
    ]


def test_growth_with_blocks_has_each_size() -> None:
    found = printed("--blocks", "16,64", SMALL)["blocks"]
    assert [one["block"] for one in found] == [16, 64]
    assert found[0]["rates"][0]["engine"] == "batches of 16"


def test_a_spec_that_is_too_slow_is_named() -> None:
    result = call("--least", "1e9", SMALL)
    assert result.exit_code == 1
    assert "reverse: " in result.stderr
    assert "not 1e+09" in result.stderr


def test_markdown_has_the_columns_of_the_text() -> None:
    text, markdown = call(SMALL).stdout, call(SMALL, "--markdown").stdout
    assert "| spec | one at a time | plain, batches |" in markdown
    assert "one at a time  plain, batches" in text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--digits", "4,x", SMALL], "'4,x' is no list of numbers"),
        (["--blocks", "0", SMALL], "'0' is no list of numbers"),
        (["--page", "page.md", SMALL], "--page takes no SPEC"),
        (["nothing.yaml"], "nothing.yaml"),
    ],
)
def test_a_wrong_call_is_refused(arguments: list[str], message: str) -> None:
    result = call(*arguments)
    assert result.exit_code == 2
    assert message in result.stderr


def test_verdicts_that_differ_are_counted_on_common_pairs() -> None:
    def rate(way: str, *right: list[bool]) -> Rate:
        return Rate(way, 1, "", 0, 1.0, 0.0, tuple(np.array(part) for part in right))

    some, more = rate("some", [True, False], [True]), rate("more", [True, True, False], [True, False])
    assert disagreements((some, some)) == ()
    assert disagreements((some, more)) == ("some and more differ about 1 of 3 pairs",)


def test_a_section_of_a_page_is_replaced(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- begin: a -->\nold\n<!-- end: a -->\nafter\n", encoding="utf-8")
    for _ in range(2):
        put(page, "a", markdown_table(["x", "y"], [["1", "2\\"]]))
        expected = "before\n<!-- begin: a -->\n\n| x | y |\n| --- | ---: |\n| 1 | 2\\ |\n\n<!-- end: a -->\nafter\n"
        assert page.read_text(encoding="utf-8") == expected
    with pytest.raises(NoSection, match="no section 'b'"):
        put(page, "b", "")


def test_an_exhaustive_run_is_measured() -> None:
    result = CliRunner().invoke(exhaustive.main, ["specs/tiny95.yaml", "--digits", "1", "--json"])
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert (found["pairs"], found["right"]) == (100, 100)
    assert 20 < found["megabytes"] < 4000


def test_the_page_has_every_spec() -> None:
    rates = PAGE.read_text(encoding="utf-8").partition("<!-- begin: rates -->")[2].partition("<!-- end: rates -->")[0]
    missing = [path.stem for path in engine_speed.every_spec() if f"\n| {path.stem} |" not in rates]
    assert not missing, "run `make performance`"


def verified(*arguments: str) -> Result:
    return CliRunner().invoke(verify_speed.main, arguments)


def test_a_verdict_has_its_bracket_margin_and_work() -> None:
    result = verified(SMALL, "--json")
    assert result.exit_code == 0, result.output
    (found,) = json.loads(result.stdout)["verified"]
    assert (found["spec"], found["verdict"], found["inputs"]) == ("specs/reverse.yaml", "proved", 5**8)
    assert found["failing"] == {"at_least": 0, "at_most": 0}
    assert found["margin"] > 0.99
    assert found["cells"] > 0
    assert "reverse PROVED none 390,625 1 " in " ".join(verified(SMALL).stdout.split())


def test_a_verdict_that_the_spec_denies_is_named(tmp_path: Path) -> None:
    path = tmp_path / "denied.yaml"
    text = (SPECS / "reverse.yaml").read_text(encoding="utf-8")
    path.write_text(text.replace("verdict: proved", "verdict: refuted"), encoding="utf-8")
    result = verified(str(path))
    assert result.exit_code == 1
    assert "reverse: not what the spec claims" in result.stderr
    changed = verified(str(path), "--set", "length=3")  # another model, about which nothing is claimed
    assert (changed.exit_code, "reverse --set length=3" in changed.stdout) == (0, True), changed.output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--page", "page.md", SMALL], "--page takes no SPEC"),
        (["--set", "length=3"], "--set needs a SPEC"),
        (["nothing.yaml"], "nothing.yaml"),
        (["--budget", "0", SMALL], "0.0 is not in the range"),
        ([SMALL, "--set", "length=0"], "length"),
    ],
)
def test_a_wrong_call_for_verdicts_is_refused(arguments: list[str], message: str) -> None:
    result = verified(*arguments)
    assert result.exit_code == 2
    assert message in result.stderr


def test_the_page_has_the_verdicts_that_the_specs_claim() -> None:
    page = VERDICTS.read_text(encoding="utf-8")
    written = page.partition("<!-- begin: verdicts -->")[2].partition("<!-- end: verdicts -->")[0]
    rows = dict(re.findall(r"^\| (\S+) \| (PROVED|REFUTED|OPEN) \|", written, re.MULTILINE))
    specs = [load(path) for path in engine_speed.every_spec()]
    assert set(rows) == {spec.name for spec in specs}, "run `make verdicts`"
    claims = {spec.name: spec.resolved.expect.verdict for spec in specs}
    wrong = {name for name, claim in claims.items() if claim is not None and rows[name] != claim.verdict.upper()}
    assert not wrong, "run `make verdicts`"
    for _, settings in verify_speed.VARIANTS:
        assert f" --set {' --set '.join(settings)} |" in page


def test_inputs_are_made_next_to_another_source_tree() -> None:
    result = CliRunner().invoke(task_inputs.main, ["--tree", str(ROOT), "--inputs", "1024", "--rounds", "1"])
    assert result.exit_code == 0, result.output
    titles = ["addition, 4 digits", "addition, 10 digits", "addition, 32 digits", "carries, 10 digits"]
    titles += ["carries, 32 digits", "copy", "reverse", "sort"]
    rows = result.output.splitlines()[1:]
    assert [row[:20].strip() for row in rows] == [title for title in titles for _ in task_inputs.BLOCKS]
    assert all(float(figure) > 0 for row in rows for figure in row[28:].split())


OTHER_INPUTS = """
from types import SimpleNamespace
import numpy as np

Spec = object

def load(path, settings):
    part = SimpleNamespace(blocks=lambda block: [np.zeros((3, 2), np.int32)])
    suites = dict.fromkeys(("uniform", "carries"), SimpleNamespace(parts=lambda size, seed: [part]))
    return SimpleNamespace(
        resolved=SimpleNamespace(task=SimpleNamespace(suites=lambda: suites)),
        layout=SimpleNamespace(prompts=lambda words: words, answers=lambda words: words),
    )
"""


def test_two_trees_that_make_other_inputs_are_not_compared(tmp_path: Path) -> None:
    (tmp_path / "compiler").mkdir()
    (tmp_path / "compiler" / "__init__.py").touch()
    (tmp_path / "compiler" / "pipeline.py").write_text(OTHER_INPUTS, encoding="utf-8")
    result = CliRunner().invoke(task_inputs.main, ["--tree", str(tmp_path), "--inputs", "64", "--rounds", "1"])
    assert result.exit_code == 1
    assert "addition, 4 digits: the inputs are not the same" in result.output


@pytest.mark.long
def test_what_a_sweep_costs_beside_its_inputs() -> None:
    axes = ("--set", "symbols=2..4", "--set", "length=2")
    result = CliRunner().invoke(sweep_overhead.main, [SMALL, *axes, "--inputs", "20", "--every", "1"])
    assert result.exit_code == 0, result.output
    header, *rows, last = result.output.splitlines()
    assert header.startswith("3 points")
    assert [row.split()[0] for row in rows] == ["inputs", "preparing", "loading", "processes,", "a"]
    assert "more than `evaluate` of loaded variants" in last


@pytest.mark.long
def test_a_large_spec_says_what_one_pass_says() -> None:
    result = CliRunner().invoke(large_speed.main, ["--context", "300", "--layers", "1", "--steps", "80"])
    assert result.exit_code == 0, result.output
    assert "say 80 tokens" in result.output
    assert "80 of 80 tokens are those of the pass" in result.output


@pytest.mark.long
def test_a_spec_of_the_size_of_interpreters_fits_in_memory() -> None:
    result = CliRunner().invoke(large_speed.main)
    assert result.exit_code == 0, result.output
    assert "4,000 of 4,000 tokens are those of the pass" in result.output
    validated, built, said, read = (int(size) for size in re.findall(r"([\d,]+) MB", result.output))
    assert max(validated, built, said) < 600
    assert read < 1000


@pytest.mark.long
@pytest.mark.parametrize("more", [[], ["--tensors"]], ids=["c", "tensors"])
def test_the_engine_next_to_another_tree(more: list[str]) -> None:
    """Here the same tree twice."""
    options = ["--seconds", "0.01", "--rounds", "1", *more]
    result = CliRunner().invoke(engine_before.main, ["--tree", str(ROOT), SMALL, *options])
    assert result.exit_code == 0, result.output
    machine, header, row = (line for line in result.stdout.splitlines() if line)
    assert "inputs a second" in machine
    assert header.split().count("ratio") == 2
    assert re.fullmatch(r"reverse( +[\d,]+ +[\d,]+ +[\d.]+){2}( +[\d.]+%){2}( +[\d.]+ s){2}", row)


@pytest.mark.long
def test_points_on_a_cluster_are_those_of_one_process() -> None:
    words = ["--set", "symbols=2..4", "--points", "3", "--inputs", "9", "--workers", "1"]
    result = CliRunner().invoke(scale.main, [SMALL, *words])
    assert result.exit_code == 0, result.output
    assert result.output.startswith("3 points of reverse, 9 inputs each; ")
    assert re.search(r"^this process +\d+\.\d +100 % +\d+ %\n1 +\d+\.\d +\d+ % +\d+ %\n", result.output, re.MULTILINE)
    assert re.search(r"keep its result: \d+\.\d CPU ms, \d+\.\d % of a point\n", result.output)
    assert re.search(r"^1 +\d+\.\d (hours|days) ", result.output, re.MULTILINE)


def test_a_million_points_wait_for_workers_and_then_for_the_scheduler() -> None:
    table = scale.million_table(scale.Scale(computing=0.375, serving=1 / 256), text_table)
    rows = [line.split() for line in table.splitlines()[1:]]
    assert [(row[0], *row[1:3], row[-1]) for row in rows] == [
        ("1", "4.3", "days", "workers"),
        ("10", "10.4", "hours", "workers"),
        ("96", "1.1", "hours", "workers"),
        ("100", "1.1", "hours", "scheduler"),
        ("1,000", "1.1", "hours", "scheduler"),
    ]
