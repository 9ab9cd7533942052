"""`validate --watch` checks again when a file changes that a spec is made of. Nothing waits here: pauses edit files."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

import cli
from compiler.commands import watching
from compiler.commands.watching import watch, watched
from compiler.readers.explaining import BASE

VARIANT = "weightspec: 1\nextends: base.yaml\n"
Edit = Callable[[], object]


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    """A spec that extends another one."""
    (tmp_path / "base.yaml").write_text(BASE, encoding="utf-8")
    path = tmp_path / "mine.yaml"
    path.write_text(VARIANT, encoding="utf-8")
    return path


def waiting(*edits: Edit) -> Callable[[], None]:
    """What stands in for the pauses: an edit in each, and Ctrl-C in the last one."""
    todo: Iterator[Edit] = iter(edits)

    def wait() -> None:
        edit = next(todo, None)
        if edit is None:
            raise KeyboardInterrupt
        edit()

    return wait


def rounds(path: Path, *edits: Edit) -> int:
    """How often a spec is checked while files change."""
    checks: list[None] = []
    with pytest.raises(KeyboardInterrupt):
        watch([path], lambda: checks.append(None), waiting(*edits))
    return len(checks)


def test_nothing_is_checked_again_while_nothing_changes(mine: Path) -> None:
    assert rounds(mine, lambda: None, lambda: None) == 1


def test_the_spec_and_what_it_extends_are_watched(mine: Path) -> None:
    base = mine.with_name("base.yaml")
    assert watched([mine, mine]) == (mine, base)
    edits = [lambda: mine.write_text(VARIANT + "# 1"), lambda: base.write_text(BASE + "# 1"), lambda: None]
    assert rounds(mine, *edits) == 3


def test_task_files_and_cases_are_watched(mine: Path) -> None:
    task, cases = mine.with_name("task.yaml"), mine.with_name("cases.tsv")
    task.write_text("cases: {file: cases.tsv}\n")
    mine.write_text(VARIANT + "task: {extends: task.yaml}\n")
    cases.write_text("0\t1\n")
    assert set(watched([mine])) == {mine, mine.with_name("base.yaml"), task, cases}
    assert rounds(mine, lambda: cases.write_text("0\t1\n1\t2\n"), lambda: task.write_text("# none\n")) == 3


def test_a_file_that_takes_the_place_of_another_one_has_changed(mine: Path) -> None:
    other = mine.with_name("other")
    other.write_text(VARIANT)
    assert rounds(mine, lambda: other.replace(mine)) == 2


def test_what_a_spec_extends_by_now_is_watched_and_waited_for(mine: Path) -> None:
    other = mine.with_name("other.yaml")
    edits = [
        lambda: mine.write_text(VARIANT.replace("base", "other")),  # which is not there yet
        lambda: other.write_text(BASE),
        lambda: mine.with_name("base.yaml").write_text(""),  # which nothing reads any more
        lambda: other.write_text(BASE + "# 1"),
    ]
    assert rounds(mine, *edits) == 4


def run(monkeypatch: pytest.MonkeyPatch, path: Path, *edits: Edit) -> Result:
    monkeypatch.setattr(watching, "pause", waiting(*edits))
    return CliRunner().invoke(cli.main, ["validate", str(path), "--watch"])


def test_each_round_is_told_apart_and_an_interruption_ends_with_130(
    mine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = run(
        monkeypatch, mine, lambda: mine.write_text(VARIANT + "dtype: float23\n"), lambda: mine.write_text(VARIANT)
    )
    assert result.exit_code == 130
    first, second, third = result.stdout.split("\n\n")
    assert first == f"{mine}: ok, 4 steps in float64\nwatching 2 files; Ctrl-C ends"
    assert second.split(" ", 1)[1] == f"{mine} changed\nwatching 2 files; Ctrl-C ends"
    assert third.split(" ", 1)[1] == f"{mine} changed\n{first}\n"
    assert result.stderr.count("[bad-value]") == 1
    assert result.stderr.endswith("interrupted\n")


def test_a_file_that_is_gone_is_an_error_and_is_waited_for(mine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    base = mine.with_name("base.yaml")
    result = run(
        monkeypatch, mine, mine.unlink, lambda: mine.write_text(VARIANT), base.unlink, lambda: base.write_text(BASE)
    )
    assert result.exit_code == 130
    assert result.stderr.count("[missing-file]") == 2
    assert result.stdout.count("ok, 4 steps") == 3


@pytest.mark.parametrize("words", [("-", "--watch"), ("tiny95", "--watch", "--json")])
def test_standard_input_and_json_are_not_watched(words: tuple[str, ...]) -> None:
    result = CliRunner().invoke(cli.main, ["validate", *words])
    assert result.exit_code == 2
    assert "--watch takes files, and no --json" in result.output
