"""Each code is explained, its wrong example gives that code and no other, and its right one does not."""

from __future__ import annotations

import ast
import contextlib
import re
import shlex
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

import cli
import compiler
from compiler.commands.explaining import explain
from compiler.language.warnings import WARNINGS
from compiler.pipeline import load
from compiler.readers.explaining import ERRORS, EXPLANATIONS, LINT_EXPLAINED, WARNINGS_EXPLAINED
from compiler.readers.explaining.explanation import BASE, Explanation
from compiler.readers.linting import lint
from compiler.readers.linting.rules import LINT_RULES
from compiler.source.diagnostics import Diagnostic, SpecError
from compiler.tasks.adderboard import NAME as ADDERBOARD
from tests.helpers import ROOT

SHOWN = [one for one in EXPLANATIONS if one.wrong]
NOT_SHOWN = {
    "changed",
    "fault",
    "in-use",
    "file-changed",
    "missing-package",
    "module-hangs",
    "newer-format",
    "process",
    "torch-settings",
    "worker",
}
ALSO = {  # what cannot be without the other
    "idle-parameter": {"learned-position", "position-table"},
    "not-generated": {"other-task"},
    "soft-mask": {"beside-weights"},
    "too-many-errors": {"unknown-key"},
}


def codes_of(example: str, folder: Path, *, linted: bool) -> set[str]:
    """The codes of what an example gives, in a folder with `base.yaml`: of its errors and warnings, or of `lint`."""
    folder.mkdir()
    (folder / "base.yaml").write_text(BASE, encoding="utf-8")
    if example.startswith(("$ ", ">>> ")):
        return typed(example, folder)
    path = folder / "example.yaml"
    path.write_text(f"weightspec: 1\nextends: base.yaml\n{example}\n", encoding="utf-8")
    try:
        spec = load(path)
    except SpecError as error:
        return codes(error.diagnostics)
    return codes(lint(spec, ADDERBOARD)) if linted else codes(spec.warnings)


def typed(example: str, folder: Path) -> set[str]:
    """The codes of calls and of Python that are typed in a folder."""
    import torch
    from safetensors.torch import save_file

    names = {"compiler": compiler, "torch": torch, "save_file": save_file, "Path": Path}
    found: set[str] = set()
    with contextlib.chdir(folder):
        for line in example.strip().split("\n"):
            if line.startswith(">>> "):
                try:
                    exec(line[4:], names)
                except SpecError as error:
                    found |= codes(error.diagnostics)
                continue
            words = shlex.split(line)
            assert words[:3] == ["$", "python", "cli.py"]
            result = CliRunner().invoke(cli.main, words[3:])
            assert result.exit_code in (0, 1, 2), result.output
            if result.exit_code == 2:
                found |= set(re.findall(r"\[([a-z-]+)\]$", result.stderr, re.M))
                found |= set(re.findall(r'"code": "([a-z-]+)"', result.stdout))
    return found


def codes(diagnostics: tuple[Diagnostic, ...]) -> set[str]:
    return {one.code for one in diagnostics}


@pytest.mark.parametrize("one", SHOWN, ids=lambda one: str(one.code))
def test_the_wrong_example_gives_the_code_alone_and_the_right_one_does_not(one: Explanation, tmp_path: Path) -> None:
    linted = one in LINT_EXPLAINED
    assert codes_of(one.wrong, tmp_path / "wrong", linted=linted) == {one.code} | ALSO.get(one.code, set())
    others = (
        {rule.code for rule in LINT_RULES} if linted else {"no-claims", "unused-name"}
    )  # which do not make an example wrong
    assert codes_of(one.right, tmp_path / "right", linted=linted) <= others - {one.code}


def test_every_code_that_can_be_raised_is_explained_once() -> None:
    explained = [one.code for one in EXPLANATIONS]
    assert len(explained) == len(set(explained))
    assert set(explained) == raised() | set(WARNINGS) | {rule.code for rule in LINT_RULES}
    assert {one.code for one in WARNINGS_EXPLAINED} == set(WARNINGS)
    assert [one.code for one in LINT_EXPLAINED] == [rule.code for rule in LINT_RULES]
    assert [one.code for one in ERRORS] == sorted(one.code for one in ERRORS)


def test_what_no_example_shows_says_what_it_means() -> None:
    assert {one.code for one in EXPLANATIONS if not (one.wrong and one.right)} == NOT_SHOWN
    assert all(one.means for one in EXPLANATIONS if one.code in NOT_SHOWN)


RAISERS = {"fail", "Diagnostic", "ExpressionError", "TaskError", "Refusal", "LintRule", "error", "report", "warn"}


def raised() -> set[str]:
    """Every code in the source: what stands first in the calls that make a diagnostic, or in a name that does."""
    found: set[str] = set()
    for path in (ROOT / "compiler").rglob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and node.args]
        first = [call.args[0] for call in calls if _called(call.func) in RAISERS]
        first += [word.value for call in calls for word in call.keywords if word.arg == "code"]
        names = {node.id for node in first if isinstance(node, ast.Name)}
        for node in ast.walk(tree):
            if isinstance(node, ast.Assign) and any(isinstance(to, ast.Name) and to.id in names for to in node.targets):
                first.append(node.value)
        found |= {text for node in first for text in _texts(node)}
    return {text for text in found if re.fullmatch(r"[a-z]+(-[a-z]+)*", text)}


def _called(function: ast.expr) -> str:
    return (
        function.id if isinstance(function, ast.Name) else function.attr if isinstance(function, ast.Attribute) else ""
    )


def _texts(node: ast.expr) -> list[str]:
    match node:
        case ast.Constant(value=str() as text):
            return [text]
        case ast.IfExp(body=body, orelse=orelse):
            return [*_texts(body), *_texts(orelse)]
    return []


def explained(*words: str) -> Result:
    return CliRunner().invoke(cli.main, ["explain", *words])


def test_explain_prints_what_a_code_means_and_its_examples() -> None:
    result = explained("unknown-name")
    assert result.exit_code == 0
    assert result.stdout.startswith("unknown-name: error\nA name stands for nothing where it is read.")
    assert "gives it:\n    network: {ffn: {up: sen}}\ndoes not:\n    network: {ffn: {up: seen}}\n" in result.stdout
    assert "`python cli.py explain --base` prints" in result.stdout


@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("overflow", "overflow: warning\nExp of a score overflows"),
        ("hard-coded", "hard-coded: disclose\nEach number that enters weights is a parameter"),
        ("wrong-count", "wrong-count: breaks\nA count that is claimed is what the rule gives. AdderBoard"),
        ("[cycle]", "cycle: error\n"),
        ("fault", "fault: error\n"),
    ],
)
def test_explain_says_what_warnings_and_rules_are_about(code: str, says: str) -> None:
    assert explained(code).stdout.startswith(says)


def test_what_has_no_example_names_no_base() -> None:
    assert "--base" not in explained("fault").stdout


def test_explain_lists_all_codes_with_a_line_each() -> None:
    listed = explained().stdout
    assert [one.code for one in EXPLANATIONS if one.code not in listed] == []


def test_explain_prints_the_base_of_the_examples_which_is_valid_and_free_of_findings(tmp_path: Path) -> None:
    path = tmp_path / "base.yaml"
    path.write_text(explained("--base").stdout, encoding="utf-8")
    spec = load(path)
    assert (spec.warnings, tuple(lint(spec, ADDERBOARD))) == ((), ())


def test_an_unknown_code_is_refused_with_one_that_is_near() -> None:
    result = explained("unknown-nam")
    assert result.exit_code == 2
    assert "no code is called 'unknown-nam'; did you mean 'unknown-name'?" in result.stderr
    assert explained("--base", "cycle").exit_code == 2


def test_codes_complete() -> None:
    completed = explain.params[0].shell_complete(click.Context(explain), "yaml-")
    assert {item.value for item in completed} == {code for one in ERRORS if (code := one.code).startswith("yaml-")}
