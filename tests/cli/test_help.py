"""Help: every command says in one line what it does and shows calls that parse; the docs name no other commands."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click
import pytest

import cli
from tests.cli.test_cli import ROOT, call

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
TEMPLATES = sorted((ROOT / "compiler" / "commands" / "templates").glob("*.yaml"))
COMMANDS = sorted(cli.main.commands)
SUMMARY_WIDTH = 66  # more is cut off in the list of commands on a terminal of 80 columns
_CALL = re.compile(r"python cli\.py [a-z][^`\n]*")


def examples(text: str) -> list[str]:
    """Every call of the command line in a text, without what a shell does with its output."""
    return [re.split(r" [>|] |  ", found)[0].strip() for found in _CALL.findall(text)]


def parse(example: str) -> tuple[str, list[str]]:
    """The command of an example and its arguments, with the files that `*` stands for."""
    words = shlex.split(example, comments=True)[2:]
    files = {word: [str(path) for path in sorted(ROOT.glob(word))] for word in words if "/*" in word}
    return words[0], [argument for word in words[1:] for argument in files.get(word, [word])]


def check(example: str) -> None:
    """The command exists, its options do, and the specs it names are there."""
    name, arguments = parse(example)
    assert name in cli.main.commands, example
    command = cli.main.commands[name]
    with command.make_context(name, list(arguments)):
        pass
    if name != "new":
        named = [word for word in arguments if word.startswith("specs/")]
        assert all((ROOT / word).is_file() for word in named), example


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_says_in_one_line_what_it_does(name: str) -> None:
    summary = (cli.main.commands[name].help or "").split("\n\n")[0].strip()
    assert "\n" not in summary
    assert 10 < len(summary) <= SUMMARY_WIDTH, len(summary)
    assert summary.endswith(".")
    listed = [line.split(maxsplit=1) for line in call("--help").stdout.splitlines()]
    assert [name, summary] in listed


@pytest.mark.parametrize("name", COMMANDS)
def test_help_has_examples_that_parse(name: str) -> None:
    lines = [line.strip() for line in call(name, "--help").stdout.splitlines()]
    own = [line for line in lines if line.startswith(f"python cli.py {name}")]
    assert own
    for line in own:
        check(examples(line)[0])


@pytest.mark.parametrize("page", [*PAGES, *TEMPLATES], ids=lambda page: page.name)
def test_calls_in_the_docs_parse(page: Path) -> None:
    for example in examples(page.read_text(encoding="utf-8")):
        words = example.split()
        if words[2] in cli.main.commands and any(word.strip(".,").isupper() for word in words[3:]):
            continue  # a pattern such as `python cli.py eval SPEC`
        if len(words) == 3:
            assert words[2].rstrip(".,") in cli.main.commands, example
        else:
            check(example)


def test_the_readme_lists_every_command() -> None:
    table = (ROOT / "README.md").read_text(encoding="utf-8").partition("\n## Commands\n")[2].partition("\n## ")[0]
    rows = [line.split("`")[1] for line in table.splitlines() if line.startswith("| `")]
    assert {parse(row)[0] for row in rows} == set(cli.main.commands)


def test_what_is_wrong_in_an_example_is_seen() -> None:
    check("python cli.py count specs/tiny95.yaml --by-tensor")
    with pytest.raises(AssertionError):
        check("python cli.py cuont specs/tiny95.yaml")
    with pytest.raises(AssertionError):
        check("python cli.py count specs/tiny59.yaml")
    with pytest.raises(click.UsageError):
        check("python cli.py count specs/tiny95.yaml --by-tensors")
