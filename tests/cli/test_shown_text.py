"""No sign that steers a terminal gets out of a spec, a file name or a call, whatever is printed; and none is lost."""

from __future__ import annotations

import io
import json
import os
import re
import sys
from pathlib import Path

import pytest
import yaml
from click.testing import Result
from rich.console import Console

import compiler
from compiler.terminal.console import suite_progress
from tests.cli.test_cli import call
from tests.cli.test_process import process
from tests.helpers import SPECS

SIGNS = {  # one of each kind that is not seen
    "backspace": "\b",
    "bell": "\a",
    "escape": "\x1b",
    "line feed": "\n",
    "carriage return": "\r",
    "delete": "\x7f",
    "next line": "\x85",
    "control sequence": "\x9b",
    "soft hyphen": "\xad",
    "arabic letter mark": "\u061c",
    "zero width joiner": "\u200d",
    "right to left mark": "\u200f",
    "line separator": "\u2028",
    "paragraph separator": "\u2029",
    "right to left override": "\u202e",
    "left to right isolate": "\u2066",
    "pop isolate": "\u2069",
    "byte order mark": "\ufeff",
    "private": "\ue000",
    "tag": "\U000e0041",
}
EVERY = "".join(SIGNS.values())
IN_A_TOKEN = "".join(sign for sign in EVERY if not sign.isspace())
IN_A_COMMENT = "".join(sign for sign in EVERY if sign >= "\xa0" and sign not in "\u2028\u2029\ufeff")  # to YAML
SPEC = """\
weightspec: 1
name: {name}
summary: {summary}
source: {source}
dtype: float64
constants: {{half: 0.5}}
parameters: {{whole: 1}}
vocabulary: ["digit[2]", {token}, "="]
task:
  addition: {{base: 2, digits: 1}}
  prompt: [a, {token}, b]
  answer: sum
stream: one two
network:
  embedding:
    digit[d]: {{one: whole}}
    {token}: {{two: half}}
decode: argmax
expect:
  claimed: {{count: 8, rule: dense, note: {note}}}
"""
TEXTS = ("name", "summary", "source", "token", "note")
PRINTING = (  # every command that prints something of a valid spec
    ("validate", "SPEC"),
    ("lint", "SPEC", "--rules", "adderboard"),
    ("fmt", "--check", "SPEC"),
    ("fmt", "--diff", "SPEC"),
    ("show", "SPEC"),
    ("show", "SPEC", "embedding.weight"),
    ("show", "SPEC", "--stage", "document"),
    ("show", "SPEC", "--stage", "resolved"),
    ("show", "SPEC", "--stage", "ir"),
    ("show", "SPEC", "--stage", "program"),
    ("show", "SPEC", "--latex"),
    ("count", "SPEC"),
    ("count", "SPEC", "SPEC", "--by-tensor"),
    ("count", "SPEC", "--hard-coded"),
    ("count", "SPEC", "--assert", "dense=3"),
    ("count", "--why", "SPEC", "embedding.weight[2, 1]"),
    ("diff", "SPEC", "--set", "half=3"),
    ("build", "SPEC"),
    ("build", "SPEC", "-o", "FOLDER/m.safetensors"),
    ("eval", "SPEC", "--suite", "uniform", "--pairs", "4"),
    ("run", "SPEC", "1", "1"),
    ("verify", "SPEC"),
    ("report", "SPEC", "--suite", "edges"),
    ("report", "SPEC", "--suite", "edges", "--check", "FOLDER/old.md"),
)
WITHOUT_JSON = ("--latex",)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A spec with all signs in each of its texts, and in the names of its file and its folder."""
    folder = tmp_path_factory.mktemp("signs") / f"folder{EVERY}"
    path = folder / f"spec{EVERY}.yaml"
    try:
        folder.mkdir()
        path.touch()
    except OSError:
        pytest.skip("this file system does not take such a name")
    written = SPEC.format(**{name: quoted(marked(name)) for name in TEXTS})
    path.write_text(f"# comment {IN_A_COMMENT}\n{written}", encoding="utf-8")
    (folder / "old.md").write_text(f"old {EVERY}\n", encoding="utf-8")
    return path


def marked(name: str) -> str:
    """What stands in the spec under a name."""
    return f"{name[0]}{IN_A_TOKEN if name == 'token' else EVERY}{name[1:]}"


def quoted(text: str) -> str:
    """The text in YAML."""
    return '"' + "".join(c if c.isalnum() and c.isascii() else f"\\U{ord(c):08x}" for c in text) + '"'


def hidden(text: str) -> list[str]:
    return [f"U+{ord(c):04X}" for c in sorted(set(text)) if not c.isprintable() and c != "\n"]


def printed(path: Path, *arguments: str) -> Result:
    given = {"SPEC": str(path)}
    result = call(*(given.get(one, one.replace("FOLDER", str(path.parent))) for one in arguments))
    assert result.exit_code in (0, 1, 3), result.output
    return result


@pytest.mark.parametrize("arguments", PRINTING, ids=" ".join)
def test_nothing_that_is_printed_has_a_hidden_sign(path: Path, arguments: tuple[str, ...]) -> None:
    result = printed(path, *arguments)
    assert hidden(result.output) == []
    if "--latex" not in arguments:
        result = printed(path, *arguments, "--json")
        assert hidden(result.stdout) == []
        json.loads(result.stdout)


@pytest.mark.parametrize("arguments", [("show", "SPEC"), ("count", "SPEC", "SPEC"), ("validate", "SPEC")], ids=" ".join)
def test_a_line_feed_in_a_name_starts_no_line(path: Path, arguments: tuple[str, ...]) -> None:
    """Else a name could look like a message of the program."""
    after = EVERY.partition("\n")[2][0].encode("unicode_escape").decode()
    assert f"\\n{after}" in printed(path, *arguments).output
    assert not [line for line in printed(path, *arguments).output.split("\n") if line.startswith(after)]


def test_json_and_yaml_say_what_the_spec_says(path: Path, tmp_path: Path) -> None:
    found = json.loads(printed(path, "report", "SPEC", "--suite", "edges", "--json").stdout)["models"][0]
    assert found["spec"] == str(path)
    assert [found[name] for name in ("name", "summary", "source")] == [*map(marked, ("name", "summary", "source"))]
    again = tmp_path / "again.yaml"
    again.write_text(printed(path, "show", "SPEC", "--stage", "document").stdout, encoding="utf-8", newline="")
    assert compiler.diff(compiler.load(path), compiler.load(again)).empty
    assert compiler.load(again).name == marked("name")
    for stage in ("resolved", "ir"):
        value = json.loads(printed(path, "show", "SPEC", "--stage", stage, "--json").stdout)
        assert yaml.safe_load(printed(path, "show", "SPEC", "--stage", stage).stdout) == value


WRONG = (  # calls that quote what is wrong with them, or with a spec
    ("validate", "no{}where.yaml"),
    ("validate", "SPEC", "--set", "ha{}lf=1"),
    ("count", "SPEC", "--set", "name=[{}"),
    ("co{}unt", "SPEC"),
    ("--no{}nsense",),
    ("count", "SPEC", "--no{}nsense"),
    ("count", "SPEC", "--sort", "de{}nse"),
    ("count", "SPEC", "--assert", "de{}nse=1"),
    ("eval", "SPEC", "--failures", "{}"),
    ("eval", "SPEC", "--pairs", "{}"),
    ("eval", "SPEC", "--suite", "{}"),
    ("run", "SPEC", "1{}", "1"),
    ("show", "SPEC", "embed{}ding.weight"),
    ("lint", "SPEC", "--rules", "adder{}board"),
    ("count", "--why", "SPEC", "embed{}ding.weight[0, 0]"),
    ("new", "mi{}ne"),
    ("new", "no{}where/mine"),
    ("build", "SPEC", "-o", "mi{}ne.pt"),
    ("build", "SPEC", "-o", "no{}where/mine.safetensors"),
    ("report", "SPEC", "-o", "mi{}ne.txt"),
    ("report", "SPEC", "-o", "no{}where/mine.md"),
    ("verify", "SPEC", "-o", "no{}where/mine.json"),
)


@pytest.mark.parametrize("sign", ["\x1b", "\x9b", "\u202e", "\udcff"], ids=ascii)
@pytest.mark.parametrize("arguments", WRONG, ids=" ".join)
def test_what_is_said_of_a_wrong_call_has_none(arguments: tuple[str, ...], sign: str, tmp_path: Path) -> None:
    path = tmp_path / "spec.yaml"
    path.write_text(SPEC.format(**dict.fromkeys(TEXTS, "x")), encoding="utf-8")
    given = [str(path) if one == "SPEC" else one.format(sign) for one in arguments]
    for options in ((), ("--json",)):
        result = call(*given, *options)
        assert result.exit_code == 2
        assert hidden(result.output) == []
        result.output.encode()


@pytest.mark.parametrize(
    "encoding", ["ascii", *(pytest.param(one, marks=pytest.mark.long) for one in ("latin-1", "utf-8"))]
)
def test_json_is_json_in_any_encoding(encoding: str, tmp_path: Path) -> None:
    path = tmp_path / "é ☃ 🙂.yaml"
    path.write_text(SPEC.format(**{**dict.fromkeys(TEXTS, "x"), "name": "é ☃ 🙂"}), encoding="utf-8")
    done = process("show", str(path), "--json", PYTHONIOENCODING=encoding, PYTHONUTF8="0")
    assert (done.returncode, done.stderr) == (0, "")
    found = json.loads(done.stdout)
    assert (found["name"], found["spec"]) == ("é ☃ 🙂", str(path))


@pytest.mark.parametrize("encoding", ["ascii", pytest.param("latin-1", marks=pytest.mark.long)])
def test_a_file_that_is_printed_is_in_utf8_wherever_it_goes(encoding: str, tmp_path: Path) -> None:
    path = tmp_path / "spec.yaml"
    path.write_text(f"# ☃ \u202e\n{SPEC.format(**dict.fromkeys(TEXTS, 'é'))}", encoding="utf-8")
    for arguments in (("fmt", "--stdout"), ("show", "--stage", "document")):
        done = process(arguments[0], str(path), *arguments[1:], PYTHONIOENCODING=encoding)
        assert (done.returncode, done.stderr) == (0, "")
        assert "name: é\n" in done.stdout
    assert process("fmt", str(path), "--stdout").stdout == path.read_text(encoding="utf-8")


def test_a_file_that_is_printed_on_a_terminal_steers_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from compiler.terminal.plain import print_file

    screen = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    monkeypatch.setattr(screen, "isatty", lambda: True)
    monkeypatch.setattr(sys, "stdout", screen)
    print_file("a\u202eb\x1b\n")
    screen.flush()
    assert screen.buffer.getvalue() == b"a\\u202eb\\x1b\n"


def test_a_progress_bar_steers_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    import compiler.terminal.console as shown

    screen = io.StringIO()
    monkeypatch.setattr(screen, "isatty", lambda: True)
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setattr(shown, "console", lambda **_: Console(file=screen, force_terminal=True, width=200))
    with suite_progress() as bars:
        assert bars is not None
        bars("[red]a\u202eb\x9bc", 1, 2)
    assert "[red]a\\u202eb\\x9bc" in screen.getvalue()
    assert not {"\u202e", "\x9b"} & set(screen.getvalue())


def test_names_of_files_that_are_no_text(tmp_path: Path) -> None:
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff.yaml"))
    try:
        path.write_text(SPEC.format(**dict.fromkeys(TEXTS, "x")), encoding="utf-8")
    except OSError:
        pytest.skip("this file system wants text")
    done = process("count", os.fsencode(path), "--json", PYTHONIOENCODING="utf-8:strict")
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)[0]["spec"] == str(path)


SHOWN = """\
task               comparison: base 10, digits 3
alphabet relation  = < >
alphabet digit     digit[0] digit[1] … digit[9]
given              a: digit*3, b: digit*3
answers            is: relation
prompt             a*3 ? b*3 =
answer             is
"""
RULES = """\
what is right  written                                                       line
is             where(number(a) < number(b), 1, number(a) > number(b), 2, 0)    19
columns        from the first symbol on
state order    3                                                               22
next order     where(order != 0, order, a < b, 1, a > b, 2, 0)                 23
end is         order                                                           24
"""


def test_a_task_is_shown_with_its_rules() -> None:
    shown = call("show", str(SPECS / "tasks/comparison.yaml"), "--set", "digits=3").stdout
    lines = "\n".join(line.rstrip() for line in shown.splitlines())
    assert SHOWN in lines
    assert re.search(r"^suites +uniform edges .*exhaustive", lines, re.MULTILINE)
    assert RULES in lines


def test_a_task_of_many_sizes_is_shown_with_its_ranges() -> None:
    shown = call("show", str(SPECS / "tasks/reverse-lengths.yaml")).stdout
    for line in ("reverse: symbols 3, length 1 to 8", "word: symbol*(1 to 8)", "length   size      1 to 8   1 to 8"):
        assert line in shown


def test_rules_of_the_package_have_no_line() -> None:
    shown = call("show", str(SPECS / "tiny95.yaml")).stdout
    assert "columns        from the last symbol on" in shown
    assert re.search(r"^next carry     \(a \+ b \+ carry\) // base *$", shown, re.MULTILINE)
