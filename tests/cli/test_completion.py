"""What a shell completes, as click asks for it; standard input; `-h`; how the command is named."""

from __future__ import annotations

import sys

import pytest
from click.shell_completion import BashComplete
from click.testing import CliRunner

import cli
from compiler.source.examples import examples
from tests.cli.test_cli import ROOT, call

TINY = str(ROOT / "specs" / "tiny95.yaml")


def completed(*words: str) -> list[str]:
    """What the last word is completed to."""
    return [
        item.value
        for item in BashComplete(cli.main, {}, "weightspec", "_WEIGHTSPEC_COMPLETE").get_completions(
            list(words[:-1]), words[-1]
        )
    ]


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (("show", "tiny95-"), ["tiny95-exact", "tiny95-"]),
        (("count", "qw"), ["qwen20", "qw"]),
        (("fmt", TINY, "qw"), ["qwen20", "qw"]),
        (("diff", "qwen20", "tiny95-"), ["tiny95-exact", "tiny95-"]),
        (("show", "tiny95", "layer1.ffn.u"), ["layer1.ffn.up.weight", "layer1.ffn.up.bias"]),
        (("show", TINY, "layer1.ffn.down"), ["layer1.ffn.down.weight"]),
        (("validate", "tiny95", "--set", "v_"), ["v_scale="]),
        (("build", "--set", "digits=3", "tiny95", "--set", "layer1."), ["layer1.attention.", "layer1.ffn."]),
        (("eval", "tiny95", "--suite", "near"), ["near_carry"]),
        (("eval", "tiny95", "--suite", "edges", "--suite", "near"), ["near_carry"]),
        (("ablate", "parity", "--suite", "e"), ["edges", "exhaustive"]),
        (("trace", "tiny95", "--step", "layer1.f"), ["layer1.ffn"]),
        (("eval", "tiny95", "--protocol", ""), ["adderboard"]),
        (("eval", "parity", "--protocol", ""), []),
        (("lint", "tiny95", "--ignore", "unused"), ["unused-name"]),
        (("new", "mine", "--like", "ro"), ["rope"]),
        (("new", "mine", "--like", "modul"), ["modular-sum"]),
        (("eval", "nowhere.yaml", "--suite", ""), []),
        (("eval", "--suite", ""), []),
        (("abl",), ["ablate"]),
    ],
)
def test_what_is_completed(words: tuple[str, ...], found: list[str]) -> None:
    assert set(completed(*words)) == set(found)


def test_standard_input_is_a_spec_in_every_command() -> None:
    text = (ROOT / "specs" / "reverse.yaml").read_text(encoding="utf-8")
    for words in (["validate", "-"], ["count", "-"], ["show", "-", "--json"], ["fmt", "-", "--check"], ["lint", "-"]):
        result = CliRunner().invoke(cli.main, words, input=text)
        assert result.exit_code == 0, result.output
    printed = CliRunner().invoke(cli.main, ["fmt", "-"], input=text.replace("\nname: ", "\nname:  "))
    assert printed.output == text
    wrong = CliRunner().invoke(cli.main, ["validate", "-"], input=text.replace("stream:", "strem:"))
    assert wrong.exit_code == 2
    assert "<stdin>:12:1: error: no key 'strem'" in wrong.stderr


def test_standard_input_may_extend_a_file_of_this_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    text = "extends: specs/tiny95.yaml\nname: other\nparameters: {v_scale: 1e8}\n"
    result = CliRunner().invoke(cli.main, ["count", "-", "--assert", "nonzero=95"], input=text)
    assert result.exit_code == 0, result.output
    assert "other" in result.stdout


def test_a_file_is_taken_before_an_example(tmp_path: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(str(tmp_path))
    assert call("validate", "reverse").exit_code == 0
    with open("reverse", "w", encoding="utf-8") as file:
        file.write("no spec")
    result = call("validate", "reverse")
    assert result.exit_code == 2
    assert "reverse:1:1" in result.stderr
    assert "did you mean" in call("validate", "tiny59").stderr
    assert set(examples()) >= {"tiny95", "parity", "Wonderfall_121p"}


@pytest.mark.parametrize(
    ("called", "named"),
    [
        ("cli.py", "python cli.py"),
        ("/a b/cli.py", "python '/a b/cli.py'"),
        ("/usr/bin/weightspec", "weightspec"),
        ("/x/compiler/__main__.py", "python -m compiler"),
    ],
)
def test_messages_and_help_name_the_command_as_it_was_called(
    called: str, named: str, monkeypatch: pytest.MonkeyPatch, tmp_path: object
) -> None:
    monkeypatch.setattr(sys, "argv", [called])
    assert f"  {named} eval tiny95" in call("eval", "-h").stdout
    assert call("eval", "-h").stdout == call("eval", "--help").stdout
    assert f"  {named} validate" in call("new", f"{tmp_path}/mine").stdout
