"""The command `report`: what the page says, that it is the same each time, when it is stale, and what is refused."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import stat
from pathlib import Path
from typing import Any

import pytest

from compiler.readers.counting.counts import FIGURES
from tests.cli.test_cli import EXACT, INVALID, QWEN, TINY, call, call_json
from tests.helpers import ROOT, SPECS
from tests.verifier.worlds import OWN

REVERSE = str(ROOT / "specs" / "reverse.yaml")
SOME = ("--suite", "carries", "--suite", "near_carry", "--pairs", "100")
FEW = ("--suite", "carries", "--pairs", "5")
SMALL = """\
weightspec: 1
name: {name}
dtype: float64
{more}
vocabulary: digit[2] +
task:
  addition: {{base: 2, digits: 1}}
  prompt: a + b
  answer: sum
stream: one two
network:
  embedding:
    digit[d]: {{one: 2}}
decode: argmax
ignore: no-claims
"""  # it answers 0 to everything; dense 6, nonzero 2, distinct 2, values 1


RANKS = (
    "Smallest: by `dense` qwen20 (42); by `nonzero` qwen20 (32); by `distinct` qwen20 (31);"
    " by `values` tiny95-exact (29); by `free` tiny95-exact (5); none by every rule."
)


def page(*arguments: str, exit_code: int = 0) -> str:
    result = call("report", *arguments)
    assert (result.exit_code, result.stderr if exit_code == 0 else "") == (exit_code, ""), result.output
    return result.stdout


def section(text: str, heading: str) -> str:
    """What stands below a heading, up to the next one of its level or above."""
    level, _, _ = heading.partition(" ")
    after = text.partition(f"\n{heading}\n")[2]
    assert after, heading
    return re.split(rf"^#{{1,{len(level)}}} ", after, flags=re.MULTILINE)[0]


def tables(text: str) -> list[dict[str, dict[str, str]]]:
    """Each table as rows by the text of their first cell, a row as cells by column."""
    found = []
    for block in re.findall(r"(?:^\|.*\n)+", text, flags=re.MULTILINE):
        header, _, *rows = ([cell.strip() for cell in line.strip("|").split(" | ")] for line in block.splitlines())
        titles = [title.strip("`") for title in header]
        assert all(len(row) == len(titles) for row in rows)
        found.append({re.sub(r"\[(.*?)\]\(.*?\)", r"\1", row[0]): dict(zip(titles, row, strict=True)) for row in rows})
    return found


def small(folder: Path, name: str, more: str = "") -> str:
    path = folder / f"{name}.yaml"
    path.write_text(SMALL.format(name=json.dumps(name), more=more), encoding="utf-8")
    return str(path)


def test_one_model_and_one_input_are_no_models_and_inputs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copy(TINY, "-wrong.yaml")
    options = ("--suite", "carries", "--suite", "edges", "--pairs", "1")
    result = call("report", *options, "-o", "page.md", "--", "-wrong.yaml")
    assert (result.exit_code, result.stdout) == (0, "page.md: written, 1 model\n")
    assert call("report", "./-wrong.yaml", *options, "--check", "page.md").stdout == "page.md: up to date, 1 model\n"
    text = Path("page.md").read_text()
    assert "No model answers every input right." in text
    assert "All of `carries` (1 input) is answered right by the model; it fails elsewhere: " in text
    missing = call("report", "--check", "other.md", "--", "-wrong.yaml")
    assert "python cli.py report ./-wrong.yaml -o other.md" in missing.stderr


def test_what_cannot_be_checked_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("folder.md").mkdir()
    result = call("report", TINY, "--check", "folder.md")
    assert (result.exit_code, result.stderr) == (
        2,
        "error: cannot check folder.md: it is a directory  [cannot-read]\n",
    )
    result = call("report", TINY, "--check", f"{'x' * 300}.md")
    assert result.exit_code == 2
    assert re.fullmatch(r"error: cannot check x{300}\.md: File name too long  \[cannot-read\]\n", result.stderr)


def copied(folder: Path) -> list[str]:
    """The specs tiny95 and tiny95-exact in a folder of their own."""
    folder.mkdir(exist_ok=True)
    return [str(shutil.copy(path, str(folder))) for path in (TINY, EXACT)]


def test_the_figures_are_those_of_count_and_eval() -> None:
    text = page(TINY, QWEN, *SOME)
    rules, counts = tables(section(text, "## Counts"))
    assert len(rules) == len(FIGURES)
    (right,) = tables(section(text, "### addition, base 10, digits 10"))
    for path, name in ((TINY, "tiny95"), (QWEN, "qwen20")):
        (counted,) = call_json("count", path)
        figures = [counts[name][rule].replace(",", "").split(" ")[0] for rule in counted["counts"]]
        assert figures == [str(figure) for figure in counted["counts"].values()]
        assert counts[name]["hard_coded"] == str(len(counted["hard_coded"]))
        for suite in call_json("eval", path, *SOME)["suites"]:
            cell = right[name][suite["suite"]]
            assert cell.strip("*") == f"{suite['right']} of {suite['pairs']}"
            assert cell.startswith("**") == (suite["right"] < suite["pairs"])
    assert counts["qwen20"]["dense"] == "42 (66 untied)"


def test_the_first_failure_is_that_of_eval() -> None:
    text = page(TINY, *SOME)
    (near,) = (one for one in call_json("eval", TINY, *SOME)["suites"] if one["suite"] == "near_carry")
    failure = near["parts"][0]["failures"][0]
    shown = f"`{failure['input']} = {failure['got']}`, not `{failure['expected']}`"
    (right,) = tables(section(text, "### addition, base 10, digits 10"))
    assert right["tiny95"]["first failure"] == shown
    wrong = near["pairs"] - near["right"]
    assert f"- Wrong in `near_carry`: {wrong} of 100, first {shown}\n" in section(text, "### tiny95")


def test_what_a_model_is() -> None:
    text = page(TINY, EXACT, REVERSE, "--suite", "edges")
    (models,) = tables(section(text, "## Models"))
    tiny = models["tiny95"]
    assert (tiny["layers"], tiny["stream"], tiny["hidden"]) == ("2 attention, 2 ffn", "5 → 16 → 10", "11, 20")
    assert (tiny["heads × dim"], tiny["dtype"]) == ("5 × 1, 1 × 1", "float64")
    assert tiny["source"] == 'public gist "Tiny Adder" by alexlitz, 2026-02-25'
    assert models["tiny95-exact"]["YAML lines"] == f"14 + {tiny['YAML lines']}"
    assert (models["reverse"]["heads × dim"], models["reverse"]["hidden"]) == ("1 × 5", "–")
    about = section(text, "### tiny95-exact")
    assert "removes its failures near carries" in about
    assert "`base` = 10 (`tiny95.yaml`, line 21)" in about
    assert "`base` = 10 (line 21)" in section(text, "### tiny95")


def test_repeated_steps_are_counted_as_they_run() -> None:
    (models,) = tables(section(page(str(ROOT / "tests/data/specs/repeat.yaml"), *FEW[2:]), "## Models"))
    assert models["repeat"]["layers"] == "1 attention, 1 ffn (run: 3, 4)"


def test_a_suite_that_lets_a_failing_model_through_is_named() -> None:
    said = section(page(TINY, EXACT, QWEN, *SOME), "## What the tables show")
    near = call_json("eval", TINY, *SOME)["suites"][1]["right"]
    assert "- Every input that was tried is answered right by 2 of 3 models.\n" in said
    assert (
        "- All of `carries` (100 inputs) is answered right by all 3 models; of these, 1 fails elsewhere:"
        f" tiny95 (`near_carry` {near} of 100).\n"
    ) in said
    assert "- No model that passes `near_carry` fails another suite.\n" in said


@pytest.mark.parametrize(
    ("specs", "verdict", "ranks"),
    [
        ((EXACT,), "Every input that was tried is answered right by the model", []),
        ((TINY,), "No model answers every input right", []),
        ((EXACT, QWEN), "Every input that was tried is answered right by both models", [RANKS]),
        (
            (EXACT, TINY),
            "Every input that was tried is answered right by 1 of 2 models",
            ["By every rule all models have the same count."],
        ),
    ],
)
def test_sentences_for_one_and_for_several_models(specs: tuple[str, ...], verdict: str, ranks: list[str]) -> None:
    said = section(page(*specs, *SOME), "## What the tables show")
    assert f"- {verdict}.\n" in said
    assert ("tiny95 (`near_carry`" in said) == (TINY in specs)
    assert ("fails elsewhere" in said) == (TINY in specs)
    assert re.findall(r"^- (Smallest.*|By every rule.*)$", said, flags=re.MULTILINE) == ranks


def test_a_protocol_says_how_many_pass_it() -> None:
    said = section(page(TINY, "--suite", "adderboard"), "## What the tables show")
    assert "- `adderboard`: the leaderboard asks for 9,910 of 10,010 right, which is reached by the model.\n" in said
    assert "the leaderboard asks" not in page(TINY, *FEW)


def test_each_task_has_its_own_suites_and_table(tmp_path: Path) -> None:
    few = small(tmp_path, "few")
    text = page(TINY, REVERSE, few, "--pairs", "20", "--jobs", "1")
    right = section(text, "## Right answers")
    found = [set(table["reverse" if "reverse" in table else next(iter(table))]) for table in tables(right)]
    assert re.findall(r"^### (.*)$", right, flags=re.MULTILINE) == [
        "addition, base 2, digits 1",
        "addition, base 10, digits 10",
        "reverse, symbols 5, length 8",
    ]
    usual = {"model", "first failure"}
    assert found[0] - usual == {"uniform", "edges", "carries", "near_carry", "exhaustive"}
    assert found[1] - usual == {"adderboard", "edges", "carries", "near_carry"}
    assert found[2] - usual == {"uniform", "edges"}
    assert re.search(r"- `near_carry`: .*; 20 inputs, seed 0\n", right)
    assert re.search(r"- `edges`: .*; 784 inputs\n", right)
    assert re.search(r"- `edges`: .*; 15 inputs\n", right)  # nothing is drawn: no seed


IN_FULL = """\
weightspec: 1
name: full
extends: short.yaml
vocabulary: digit[2] =
task:
  addition: null
  name: plus
  sizes: {radix: 2, places: 1}
  given: {left: digit*places, right: digit*places}
  answers: {total: digit*(places + 1)}
  columns:
    from: last
    state: {over: 2}
    total: (left + right + over) % radix
    next over: (left + right + over) // radix
  numbers: left right total
  shown: left + right
  suites:
    hard: {only: number(left) > number(right), size: 8}
  prompt: = left right
  answer: total
"""
UNTASKED = """\
weightspec: 1
name: untasked
extends: short.yaml
task: null
context: 4
"""


def variant(folder: Path, text: str, name: str) -> str:
    path = folder / f"{name}.yaml"
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_models_that_are_asked_the_same_share_a_table(tmp_path: Path) -> None:
    """However it is stated and called. Each has its own suites, and a model without a task has none."""
    short, full = small(tmp_path, "short"), variant(tmp_path, IN_FULL, "full")
    untasked = variant(tmp_path, UNTASKED, "untasked")
    text = page(short, full, untasked, REVERSE, "--pairs", "20")
    right = section(text, "## Right answers")
    titles = re.findall(r"^### (.*)$", right, flags=re.MULTILINE)
    assert titles == ["addition, base 2, digits 1 / plus, radix 2, places 1", "reverse, symbols 5, length 8", "no task"]
    (sums,) = tables(section(text, f"### {titles[0]}"))
    assert list(sums) == ["full", "short"]
    shared = {"uniform", "edges", "exhaustive"}
    own = dict.fromkeys(("hard", "transitions", "long_runs"), "full") | dict.fromkeys(
        ("carries", "near_carry"), "short"
    )
    assert set(sums["full"]) == {"model", "first failure", *shared, *own}
    for suite, name in own.items():
        assert [row for row in sums if sums[row][suite] != "–"] == [name]
    assert all(sums[row][suite] != "–" for row in sums for suite in shared)
    assert r"- `hard`: inputs that its author chose: number(left) > number(right); 20 inputs, seed 0" in text
    assert "Nothing is right or wrong" in section(text, "### no task")
    said = section(text, "## What the tables show")
    assert f"**The models of the task {titles[0]}**" in said
    found = call_json("report", short, full, untasked, "--pairs", "20")["models"]
    assert [(one["name"], one["task"]) for one in found] == [
        ("full", "plus"),
        ("short", "addition"),
        ("untasked", None),
    ]
    assert found[0]["question"] == found[1]["question"] is not None
    assert (found[2]["question"], found[2]["sizes"], found[2]["suites"]) == (None, {}, [])
    assert [one["question"] for one in call_json("count", short, full)] == [one["question"] for one in found[1::-1]]


def test_a_suite_is_judged_by_the_models_that_have_it(tmp_path: Path) -> None:
    short, full = small(tmp_path, "short"), variant(tmp_path, IN_FULL, "full")
    said = section(page(short, full, "--jobs", "1"), "## What the tables show")
    assert "No model answers every input right." in said
    assert "is answered right by" not in said  # no suite lets a model through, also none that one does not have


def test_models_without_a_task_alone(tmp_path: Path) -> None:
    small(tmp_path, "short")
    text = page(variant(tmp_path, UNTASKED, "untasked"), "--verify", "1")
    assert "**The models**" not in section(text, "## What the tables show")
    assert tables(section(text, "### no task")) == [
        {"untasked": {"model": "[untasked](#untasked)", "first failure": ""}}
    ]


def test_a_task_of_many_sizes_is_called_by_all_of_them() -> None:
    text = page(str(SPECS / "tasks" / "reverse-lengths.yaml"), "--suite", "edges")
    (right,) = tables(section(text, "### reverse, symbols 3, length 1 to 8"))
    assert right["reverse-lengths"]["edges"] == "81 of 81"


def test_a_suite_of_one_task_only() -> None:
    text = page(TINY, REVERSE, *SOME)
    reverse = section(text, "### reverse, symbols 5, length 8")
    assert "None of the suites that were asked for is one of this task." in reverse
    assert tables(reverse)[0]["reverse"] == {"model": "[reverse](#reverse)", "first failure": ""}
    assert "near_carry" in section(text, "### addition, base 10, digits 10")


def test_the_order_of_the_specs_makes_no_difference(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    few = small(tmp_path, "Few")
    options = ("--suite", "near_carry", "--suite", "edges", "--pairs", "20")
    first = page(TINY, REVERSE, few, QWEN, *options)
    assert first == page(QWEN, few, TINY, REVERSE, TINY, *options)
    monkeypatch.chdir(ROOT)
    again = page("specs/qwen20.yaml", few, "specs/tiny95.yaml", QWEN, "specs/reverse.yaml", *options)
    sections = re.findall(r"^### (.*)$", again.partition("\n## The models one by one\n")[2], flags=re.MULTILINE)
    assert sections == ["Few", "qwen20", "reverse", "tiny95"]


def test_seed_and_size_are_stated_and_used() -> None:
    first, second = (page(TINY, "--suite", "near_carry", "--pairs", "200", "--seed", seed) for seed in ("3", "4"))
    assert "; 200 inputs, seed 3\n" in first
    assert "; 200 inputs, seed 4\n" in second
    (found,) = call_json("eval", TINY, "--suite", "near_carry", "--pairs", "200", "--seed", "3")["suites"]
    assert f"{found['right']} of 200" in first


def test_a_variant_is_another_model(tmp_path: Path) -> None:
    claiming = small(tmp_path, "claiming", "expect: {count: {dense: 7}, claimed: {count: 9, rule: dense}}")
    text = page(claiming, "--set", "embedding.digit[d].one=3", *FEW)
    _, counts = tables(section(text, "## Counts"))
    ((name, row),) = counts.items()
    assert name == "claiming --set embedding.digit\\[d\\].one=3"
    assert (row["author"], row["by"]) == ("–", "–")
    assert "Claims" not in text


CLAIMS = {
    "agreed": "claimed: {count: 6, rule: dense}",
    "noted": 'claimed: {count: 5, note: "a bias | is left out"}',
    "chance": "claimed: {count: 2, note: digits}",
    "silent": "count: {dense: 6}",
}


def test_what_our_rules_say_to_the_authors(tmp_path: Path) -> None:
    specs = [small(tmp_path, name, f"expect: {{{claim}}}") for name, claim in CLAIMS.items()]
    text = page(*specs, *FEW)
    _, counts = tables(section(text, "## Counts"))
    assert {name: (row["author"], row["by"]) for name, row in counts.items()} == {
        "agreed": ("6", "`dense`"),
        "noted": ("5", "none"),
        "chance": ("2", "as `nonzero`"),
        "silent": ("–", "–"),
    }
    said = section(text, "## What the tables show")
    assert "- 3 of 4 specs say what the author counts.\n" in said
    assert "- The rule that the spec names gives the number: `dense` for agreed (6).\n" in said
    assert "- No rule gives the number: noted (5); the notes below say why.\n" in said
    assert "gives the same number: chance (2, as `nonzero`, `distinct` and `values_with_zero`).\n" in said
    assert "gives another number" not in said
    assert "- The author counts 5, as no rule does. Note: a bias &#124; is left out\n" in section(text, "### noted")
    assert "- Claims under `expect`: 1 checked, it holds.\n" in section(text, "### silent")


def test_a_claim_that_fails_is_on_the_page_and_in_the_exit_code(tmp_path: Path) -> None:
    wrong = small(tmp_path, "wrong", "expect: {count: {dense: 6, nonzero: 3}, claimed: {count: 9, rule: dense}}")
    target = tmp_path / "page.md"
    result = call("report", wrong, *FEW, "-o", str(target))
    assert result.exit_code == 1
    assert result.stderr.splitlines() == [
        f"{wrong}: claim failed: nonzero count is 3; found 2",
        f"{wrong}: claim failed: author's count is 9, by the rule dense; found 6",
    ]
    text = target.read_text(encoding="utf-8")
    assert "- **The rule that the spec names gives another number**: wrong (9, but `dense` is 6).\n" in text
    about = section(text, "### wrong")
    assert "- Claims under `expect`: 3 checked, 2 failed.\n" in about
    assert "- **Failed**: nonzero count is 3; found 2\n" in about
    assert call("report", wrong, *FEW, "--check", str(target)).exit_code == 1


def test_check(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    tiny, exact = copied(Path("specs"))
    options = (tiny, exact, *SOME)
    written = call("report", *options, "-o", "page.md")
    assert (written.exit_code, written.stdout) == (0, "page.md: written, 2 models\n")
    before = Path("page.md").read_bytes()
    fresh = call("report", *options, "--check", "page.md")
    assert (fresh.exit_code, fresh.stdout, fresh.stderr) == (0, "page.md: up to date, 2 models\n", "")

    text = Path(tiny).read_text(encoding="utf-8")
    Path(tiny).write_text(text.replace("tie_break: 15.0", "tie_break: 14.0"), encoding="utf-8")
    assert call("report", *options, "--check", "page.md").exit_code == 0  # no figure has changed
    Path(tiny).write_text(text.replace("v_scale: 1e4", "v_scale: 1e8"), encoding="utf-8")
    stale = call("report", *options, "--check", "page.md")
    assert stale.exit_code == 1
    assert Path("page.md").read_bytes() == before
    changed = [line for line in stale.stdout.splitlines() if re.match(r"[-+][^-+]", line)]
    assert changed
    assert any(line.startswith("+| [tiny95](#tiny95)") and line.count("100 of 100") == 2 for line in changed)

    command = stale.stdout.splitlines()[-1].strip()
    assert command.startswith("python cli.py report specs/tiny95.yaml specs/tiny95-exact.yaml --suite")
    assert call(*shlex.split(command)[2:]).exit_code == 0
    assert call("report", *options, "--check", "page.md").exit_code == 0
    assert Path("page.md").read_bytes() != before


def test_only_rows_that_say_something_else_are_shown(tmp_path: Path) -> None:
    target = tmp_path / "page.md"
    short = small(tmp_path, "s")
    assert call("report", short, *FEW, "-o", str(target)).exit_code == 0
    result = call("report", short, small(tmp_path, "much-longer"), *FEW, "--check", str(target))
    assert result.exit_code == 1
    assert "+| [much-longer](#much-longer) |" in result.stdout
    assert "[s](#s)" not in result.stdout
    target.write_text(target.read_text(encoding="utf-8").replace("| rule ", "|  rule "), encoding="utf-8")
    padded = call("report", short, *FEW, "--check", str(target))
    assert padded.exit_code == 1
    assert "-|  rule" in padded.stdout


def test_what_is_changed_by_hand_is_stale(tmp_path: Path) -> None:
    target = tmp_path / "page.md"
    call("report", TINY, *SOME, "-o", str(target))
    text = target.read_text(encoding="utf-8")
    wrong = re.search(r"\*\*(\d+) of 100\*\*", text)
    assert wrong is not None
    for changed in (
        text.replace(wrong[0], "100 of 100"),
        text.replace("\n", "\r\n"),
        text.rstrip("\n"),
        "",
        "\xff" * 5000,
        "x\n" * 5000,
    ):
        target.write_bytes(changed.encode("latin-1" if "\xff" in changed else "utf-8"))
        result = call("report", TINY, *SOME, "--check", str(target))
        assert result.exit_code == 1
        assert f"{target} is stale" in result.stdout
        assert len(result.stdout.splitlines()) < 50


def test_the_file_is_replaced_whole_and_keeps_its_permissions(tmp_path: Path) -> None:
    target = tmp_path / "page.md"
    target.write_text("old", encoding="utf-8")
    target.chmod(0o640)
    assert call("report", TINY, *FEW, "-o", str(target)).exit_code == 0
    assert target.read_text(encoding="utf-8").startswith("# Page\n")
    assert stat.S_IMODE(target.stat().st_mode) == 0o640
    assert [path.name for path in tmp_path.iterdir()] == ["page.md"]


def test_links_lead_from_the_page_to_the_specs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    odd = tmp_path / "a folder (1)"
    copied(odd)
    (tmp_path / "docs").mkdir()
    monkeypatch.chdir(tmp_path)
    target = Path("docs/page.md")
    assert call("report", f"{odd.name}/tiny95.yaml", *FEW, "-o", str(target)).exit_code == 0
    links = re.findall(r"\[tiny95\]\(([^#)][^)]*)\)", target.read_text(encoding="utf-8"))
    assert set(links) == {"../a%20folder%20%281%29/tiny95.yaml"}
    assert "[tiny95](a%20folder%20%281%29/tiny95.yaml)" in page(f"{odd.name}/tiny95.yaml", *FEW)


def test_models_of_the_same_name_are_told_apart(tmp_path: Path) -> None:
    specs = [small(tmp_path, "same"), str(tmp_path / "other.yaml")]
    shutil.copy(specs[0], specs[1])
    target = tmp_path / "page.md"
    assert call("report", *specs, *FEW, "-o", str(target)).exit_code == 0
    text = target.read_text(encoding="utf-8")
    _, counts = tables(section(text, "## Counts"))
    assert list(counts) == ["same (other.yaml)", "same (same.yaml)"]
    assert [row["model"] for row in counts.values()] == [
        "[same (other.yaml)](#same-otheryaml)",
        "[same (same.yaml)](#same-sameyaml)",
    ]
    assert "\n### same (other.yaml)\n" in text
    assert "- The specs have 14 lines of YAML.\n" in text


@pytest.mark.parametrize(
    "name", ["a | b", "`x`", "[x](javascript:alert)", "<script>", "*b* _i_", "line\nbreak", "# x", "\u202eback", "-->"]
)
def test_names_are_names_and_nothing_else(tmp_path: Path, name: str) -> None:
    path = tmp_path / "odd.yaml"
    texts = f"summary: {json.dumps(name)}\nsource: {json.dumps(name)}\nexpect: {{note: {json.dumps(name)}}}"
    path.write_text(SMALL.format(name=json.dumps(name), more=texts), encoding="utf-8")
    text = page(str(path), *FEW)
    plain = page(small(tmp_path, "plain", "summary: plain\nsource: plain\nexpect: {note: plain}"), *FEW)
    assert [len(table) for table in tables(text)] == [len(table) for table in tables(plain)]
    assert len(text.splitlines()) == len(plain.splitlines())
    assert text.count("<!--") == 1
    assert "<script" not in text.replace("\\<script", "")
    assert "](javascript" not in text.replace("\\](javascript", "")


def test_broken_specs_are_all_reported_and_nothing_is_written(tmp_path: Path) -> None:
    target = tmp_path / "page.md"
    result = call("report", TINY, INVALID, str(tmp_path / "nowhere.yaml"), "-o", str(target))
    assert (result.exit_code, result.stdout) == (2, "")
    assert "[unknown-name]" in result.stderr
    assert "[missing-file]" in result.stderr
    assert not target.exists()
    found = call_json("report", TINY, INVALID, str(tmp_path / "nowhere.yaml"), exit_code=2)
    assert {one["code"] for one in found["errors"]} == {"unknown-name", "missing-file"}


def test_a_verification_that_meets_an_input_without_an_answer_ends_the_report(tmp_path: Path) -> None:
    """One of 20,736, which no suite of the page meets."""
    rare = "word[0] == 3 and word[1] == 7 and word[2] == 1 and word[3] == 9"
    changes = (
        *("--set", "symbols=12", "--set", "length=4", "--set", "task.only=null"),
        *("--set", f"task.equations={{'copied[i]': 'word[where({rare}, length, i)]'}}"),
    )
    target = tmp_path / "page.md"
    options = (str(OWN / "distinct.yaml"), *changes, "--suite", "edges", "--jobs", "1", "-o", str(target))
    assert call("report", *options).exit_code == 0
    target.unlink()
    result = call("report", *options, "--verify", "60")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "for 3 7 1 9: index 4 is out of range: 'word' has 0 to 3" in result.stderr
    assert not target.exists()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((TINY, "-o", "page.txt"), "hint: for example page.md"),
        ((TINY, "-o", TINY), "does not end in .md"),
        ((TINY, "-o", "nowhere/page.md"), "there is no folder nowhere"),
        ((TINY, "-o", "folder.md"), "it is no regular file"),
        ((TINY, "-o", "x" * 300 + ".md"), "File name too long"),
        ((TINY, "--check", "nowhere.md"), "there is no file nowhere.md to check"),
        ((TINY, "--check", "folder.md"), "a directory"),
        ((TINY, "--suite", "near_cary", *FEW), "did you mean 'near_carry'?"),
        ((TINY, "--pairs", "0"), "inputs has to be from 1 to"),
        ((TINY, "--suite", "exhaustive"), "exhaustive would be"),
        ((TINY, QWEN, "--set", "k_digit=2"), "nothing is named 'k_digit' in this spec"),
    ],
    ids=lambda value: " ".join(Path(word).name[:20] for word in value) if isinstance(value, tuple) else "",
)
def test_what_cannot_be_had(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], says: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("folder.md").mkdir()
    before = Path(TINY).read_bytes()
    result = call("report", *arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert says in result.stderr
    assert os.listdir() == ["folder.md"]
    assert Path(TINY).read_bytes() == before


def test_a_missing_file_to_check_says_what_makes_it(tmp_path: Path) -> None:
    result = call("report", TINY, *FEW, "--check", str(tmp_path / "page.md"))
    (hint,) = re.findall(r"hint: this makes it: (.*)", result.stderr)
    assert call(*shlex.split(hint)[2:]).exit_code == 0
    assert call("report", TINY, *FEW, "--check", str(tmp_path / "page.md")).exit_code == 0


def test_writing_and_checking_exclude_each_other() -> None:
    result = call("report", TINY, "-o", "a.md", "--check", "b.md")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "Usage: " in result.stderr


def test_json(tmp_path: Path) -> None:
    target = tmp_path / "page.md"
    found: Any = call_json("report", TINY, REVERSE, *SOME, "-o", str(target))
    assert (found["file"], found["stale"]) == (str(target), None)
    assert target.exists()
    by_name = {model["name"]: model for model in found["models"]}
    assert list(by_name) == ["tiny95", "reverse"]
    tiny = by_name["tiny95"]
    assert (tiny["task"], tiny["sizes"], tiny["stream"]) == ("addition", {"base": 10, "digits": 10}, [5, 16, 10])
    assert tiny["counts"] == call_json("count", TINY)[0]["counts"]
    evaluated = call_json("eval", TINY, *SOME)["suites"]
    assert [(one["suite"], one["right"]) for one in tiny["suites"]] == [
        (one["suite"], one["right"]) for one in evaluated
    ]
    assert tiny["suites"][1]["failures"] == evaluated[1]["parts"][0]["failures"]
    assert by_name["reverse"]["suites"] == []
    assert any("tiny95 (`near_carry`" in said for about in found["findings"] for said in about["sentences"])
    assert call_json("report", TINY, REVERSE, *SOME, "--check", str(target))["stale"] is False
    target.write_text("other", encoding="utf-8")
    assert call_json("report", TINY, REVERSE, *SOME, "--check", str(target), exit_code=1)["stale"] is True


def test_the_gallery_is_about_every_spec() -> None:
    """That its figures are right, `make gallery-check` finds out; this costs nothing."""
    text = (ROOT / "docs" / "gallery.md").read_text(encoding="utf-8")
    (models,) = tables(section(text, "## Models"))
    linked = {re.search(r"\((.*)\)$", row["model"])[1] for row in models.values()}  # type: ignore[index]
    specs = [*SPECS.glob("*.yaml"), *SPECS.glob("gallery/*.yaml"), *SPECS.glob("tasks/*.yaml")]
    assert linked == {f"../{path.relative_to(ROOT).as_posix()}" for path in specs}


@pytest.mark.usefixtures("forked_workers")
def test_verdicts_on_all_inputs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And the page does not depend on the jobs."""
    monkeypatch.chdir(tmp_path)
    wrong = small(tmp_path, "wrong")
    options = (REVERSE, wrong, "--suite", "edges", "--suite", "near_carry", "--pairs", "300", "--verify", "60")
    text = page(*options, "--jobs", "2", "-o", "page.md") + Path("page.md").read_text()
    assert call("report", *options, "--jobs", "1", "--check", "page.md").exit_code == 0
    (of_reverse,), (of_wrong,) = (
        tables(section(text, f"### {task}")) for task in ("reverse, symbols 5, length 8", "addition, base 2, digits 1")
    )
    assert (of_reverse["reverse"]["all inputs"], of_wrong["wrong"]["all inputs"]) == ("proved", "**refuted**")
    assert "- Proved right on every input of the task: the model.\n" in text
    assert "- Refuted by an input: wrong.\n" in text
    assert "Claims under `expect`: 3 checked, all hold." in section(text, "### reverse")
    models = call_json("report", *options, "--jobs", "1")["models"]
    assert {model["name"]: model["verdict"] for model in models} == {"reverse": "proved", "wrong": "refuted"}


def test_the_calls_of_a_page_print_its_figures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    small(tmp_path, "it's wrong", "expect: {verdict: refuted}")
    options = ("--suite", "edges", "--suite", "uniform", "--inputs", "60", "--seed", "3", "--verify", "60")
    jobs = ("--jobs", "1")
    assert call("report", "it's wrong.yaml", REVERSE, *options, "-o", "page.md", *jobs).exit_code == 0
    text = Path("page.md").read_text()
    made = [shlex.split(line)[2:] for line in re.findall(r"^python cli\.py .*$", text, flags=re.MULTILINE)]
    assert [words[:2] for words in made[:-1]] == [
        *([command, "it's wrong.yaml"] for command in ("count", "lint", "eval")),
        *([command, "reverse"] for command in ("count", "lint", "eval", "verify")),  # an example of the package
    ]
    (of_wrong,), (of_reverse,) = (
        tables(section(text, f"### {task}")) for task in ("addition, base 2, digits 1", "reverse, symbols 5, length 8")
    )
    for words, row in ((made[2], of_wrong["it's wrong"]), (made[5], of_reverse["reverse"])):
        for suite in call_json(*words)["suites"]:
            assert row[suite["suite"]].strip("*") == f"{suite['right']} of {suite['inputs']}"
    (verified,) = call_json(*made[6])
    assert verified["verdict"] == of_reverse["reverse"]["all inputs"] == "proved"
    Path("page.md").unlink()
    assert call(*made[-1], *jobs).exit_code == 0
    assert Path("page.md").read_text() == text


def test_the_calls_of_a_page_have_what_the_report_was_given(tmp_path: Path) -> None:
    odd = small(tmp_path, "a ``` b")
    text = page(odd, "--set", "task.addition.digits=2", "--ignore", "no-claims", *FEW)
    given = "--set task.addition.digits=2 --ignore no-claims --suite carries --inputs 5"
    line = f"python cli.py eval '{odd}' {given} --seed 0"
    assert f"\n{line}\n````\n" in text
    assert call(*shlex.split(line)[2:]).exit_code == 0


def test_a_verdict_has_its_reason(tmp_path: Path) -> None:
    wrong, mirrored = small(tmp_path, "wrong"), tmp_path / "mirrored.yaml"
    text = Path(REVERSE).read_text(encoding="utf-8").partition("expect:")[0] + "ignore: no-claims\n"
    text = text.replace("name: reverse", "name: mirrored")  # models come by their names
    mirrored.write_text(text.replace("symbol[s]: out[s]", "symbol[s]: -out[s]"), encoding="utf-8")
    options = ("--suite", "carries", "--inputs", "9", "--jobs", "1")  # which reverse has not
    text = page(wrong, REVERSE, str(mirrored), *options, "--verify", "60")
    reasons = [
        re.search(r"^- All inputs: (.*)", about, re.MULTILINE) for about in re.split("^### ", text, flags=re.M)[-3:]
    ]
    first, second, third = (found and found[1] for found in reasons)
    assert re.fullmatch(r"\*\*refuted\*\*; reverse [0-4 ]+ is answered [0-4 ]+, not [0-4 ]+\.", first or "")
    assert (second, third) == (
        "proved; every one of 390,625 inputs is answered right.",
        "**refuted**; an input of carries is answered wrong.",
    )
    late = ("--suite", "edges", "--verify", "1e-9", "--jobs", "1")
    assert "- All inputs: open; the time ran out.\n" in page(REVERSE, *late)
    (model,) = call_json("report", REVERSE, *late)["models"]
    assert (model["verdict"], model["reason"]) == ("open", "the time ran out")


@pytest.mark.parametrize("seconds", ["0", "-1", "nan", "-inf", "soon"])
def test_a_time_to_verify_that_is_none(seconds: str) -> None:
    result = call("report", REVERSE, "--suite", "edges", "--verify", seconds)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "Invalid value for '--verify'" in result.stderr


def test_verdicts_by_size() -> None:
    lengths = str(ROOT / "specs" / "tasks" / "reverse-lengths.yaml")
    options = (lengths, "--set", "length={from: 1, to: 2}", "--suite", "exhaustive", "--verify", "60", "--jobs", "1")
    assert "- All inputs, by size: length 1 proved and length 2 proved." in page(*options)
    (model,) = call_json("report", *options)["models"]
    assert (model["verdict"], model["by_size"]) == (
        "proved",
        [{"size": "length 1", "verdict": "proved"}, {"size": "length 2", "verdict": "proved"}],
    )


def test_without_verify_nothing_is_said_about_all_inputs() -> None:
    text = page(REVERSE, "--suite", "edges")
    assert "`all inputs`" not in text
    assert "| all inputs" not in text
    (model,) = call_json("report", REVERSE, "--suite", "edges")["models"]
    assert model["verdict"] is None


def test_a_verdict_that_is_not_the_claimed_one(tmp_path: Path) -> None:
    denied = tmp_path / "denied.yaml"
    denied.write_text(Path(REVERSE).read_text().replace("verdict: proved", "verdict: refuted"), encoding="utf-8")
    result = call("report", str(denied), "--suite", "edges", "--verify", "60")
    assert result.exit_code == 1
    assert "claim failed: refuted over all inputs; found proved" in result.stderr


def test_a_task_that_is_not_followed_is_refuted_by_inputs_that_are_tried(tmp_path: Path) -> None:
    sorting = tmp_path / "sorting.yaml"
    text = SMALL.format(name="sorting", more="").replace("vocabulary: digit[2] +", "vocabulary: digit[symbols] +")
    task = "  sort: {symbols: 40, length: 8}\n  prompt: word +\n  answer: sorted\n"
    sorting.write_text(re.sub(r"  addition:.*?(?=stream)", task, text, flags=re.DOTALL), encoding="utf-8")
    options = ("--verify", "60", "--jobs", "1", "--ignore", "silent-symbol")
    wrong = small(tmp_path, "wrong")
    models = call_json("report", str(sorting), wrong, "--suite", "carries", *options)["models"]
    assert {model["name"]: model["verdict"] for model in models} == {"sorting": "refuted", "wrong": "refuted"}
    (refuted,) = call_json("report", str(sorting), "--suite", "edges", *options)["models"]
    assert refuted["verdict"] == "refuted"  # by an input of the suite
