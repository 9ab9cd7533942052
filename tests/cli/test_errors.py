"""Bad files and bad calls: an exit code and a message, never a traceback."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from tests.cli.test_cli import INVALID, TINY, call, call_json

ON_A_SPEC = (
    ("validate",),
    ("lint",),
    ("show",),
    ("count",),
    ("diff", TINY),
    ("build",),
    ("eval", "--pairs", "4"),
    ("run", "1", "2"),
    ("report", "--suite", "edges"),
)


def with_spec(command: tuple[str, ...], path: str) -> tuple[str, ...]:
    """The command line with the spec in its place."""
    return (command[0], path, *command[1:])


@pytest.mark.parametrize("command", ON_A_SPEC, ids=lambda command: command[0])
@pytest.mark.parametrize(
    ("path", "code"), [("nowhere.yaml", "missing-file"), (".", "cannot-read"), (INVALID, "unknown-name")]
)
def test_what_is_no_valid_spec_exits_2(command: tuple[str, ...], path: str, code: str) -> None:
    result = call(*with_spec(command, path))
    assert (result.exit_code, result.stdout) == (2, "")
    assert f"[{code}]" in result.stderr


@pytest.mark.parametrize("command", ON_A_SPEC, ids=lambda command: command[0])
def test_errors_are_json_where_it_is_asked_for(command: tuple[str, ...]) -> None:
    found = call_json(*with_spec(command, INVALID), exit_code=2)
    (diagnostic,) = found[0]["diagnostics"] if command[0] in ("validate", "lint") else found["errors"]
    assert (diagnostic["code"], diagnostic["line"], diagnostic["column"]) == ("unknown-name", 23, 21)


@pytest.mark.parametrize(
    ("setting", "says"),
    [
        ("digist=6", "did you mean 'digits'?"),
        ("layer0.attention.sofmax=standard", "did you mean 'softmax'?"),
        ("layer9.attention.softmax=standard", "nothing is named 'layer9.attention.softmax'"),
        ("digits", "expected name=value"),
        ("", "expected name=value"),
        ("extends=other.yaml", "cannot be set"),
        ("digits=[1,", "not valid YAML"),
        ("digits=0", "from 1 to"),
        ("digits=2.5", "has to be an integer"),
        ("v_scale=2 *", "expected a number"),
        ("decode=argmen", "did you mean 'argmin'?"),
        ("v_scale=\udcff", "--set:1:"),
    ],
)
def test_bad_settings(setting: str, says: str) -> None:
    result = call("count", TINY, "--set", setting)
    assert (result.exit_code, result.stdout) == (2, "")
    assert says in result.stderr


@pytest.mark.parametrize(
    ("setting", "name"),
    [("layer0.attention.output=-identity", "identity"), ("layer0.attention.value scale=embedding", "embedding")],
)
def test_what_was_refused_is_not_suggested(setting: str, name: str) -> None:
    result = call("validate", TINY, "--set", setting)
    assert result.exit_code == 2
    assert f"no name '{name}' here" in result.stderr
    assert "did you mean" not in result.stderr


def test_an_error_in_a_setting_shows_the_whole_setting() -> None:
    for setting, column in (("v_scale=[1,", 12), ("v_scale=2 * pj", 13)):
        result = call("count", TINY, "--set", setting)
        place, source, caret = result.stderr.splitlines()[:3]
        assert source == f"    1 | {setting}"
        assert place.startswith(f"--set:1:{column}: error: ")
        assert caret.index("^") == 7 + column


@pytest.mark.parametrize(
    "options",
    [
        ("--suite", "near_cary"),
        ("--pairs", "0"),
        ("--pairs", "-5"),
        ("--pairs", str(10**30)),
        ("--pairs", "many"),
        ("--device", "nonsense"),
        ("--decode", "beam"),
        ("--suite", "exhaustive"),
    ],
    ids=" ".join,
)
def test_eval_refuses_bad_options(options: tuple[str, ...]) -> None:
    result = call("eval", TINY, *options)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "rror: " in result.stderr


def test_a_binary_file(tmp_path: Path) -> None:
    path = tmp_path / "model.pt"
    path.write_bytes(bytes(range(256)))
    result = call("validate", str(path))
    assert result.exit_code == 2
    assert "byte 128 is not UTF-8 text" in result.stderr


def test_a_file_of_two_megabytes(tmp_path: Path) -> None:
    path = tmp_path / "large.yaml"
    path.write_text("# " + "x" * (1 << 21), encoding="utf-8")
    result = call("validate", str(path))
    assert result.exit_code == 2
    assert "larger than 1048576 bytes" in result.stderr


def test_an_unreadable_file(tmp_path: Path) -> None:
    path = tmp_path / "secret.yaml"
    shutil.copy(TINY, path)
    path.chmod(0)
    if os.access(path, os.R_OK):
        pytest.skip("root reads every file")
    result = call("validate", str(path))
    assert result.exit_code == 2
    assert "Permission denied" in result.stderr


def test_a_named_pipe_is_not_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "pipe.yaml"
    os.mkfifo(path)
    assert call("validate", str(path)).exit_code == 2


def test_a_path_with_spaces_and_unicode(tmp_path: Path) -> None:
    folder = tmp_path / "größe und [bold]leer ☃"
    folder.mkdir()
    path = folder / "tiny 95 √.yaml"
    shutil.copy(TINY, path)
    result = call("validate", str(path))
    assert result.exit_code == 0
    assert result.stdout.startswith(f"{path}: ok")
    shutil.copy(INVALID, path)
    result = call("count", str(path))
    assert result.exit_code == 2
    assert result.stderr.startswith(f"{path}:23:21: error: ")


def test_windows_line_ends_and_a_byte_order_mark(tmp_path: Path) -> None:
    path = tmp_path / "windows.yaml"
    path.write_bytes(b"\xef\xbb\xbf" + Path(INVALID).read_bytes().replace(b"\n", b"\r\n"))
    result = call("validate", str(path))
    assert result.exit_code == 2
    assert result.stderr.splitlines()[0].startswith(f"{path}:23:21: error: ")
    assert result.stderr.splitlines()[2].index("^") == 7 + 21


def test_a_missing_file_names_a_similar_one(tmp_path: Path) -> None:
    shutil.copy(TINY, tmp_path / "tiny95.yaml")
    result = call("validate", str(tmp_path / "tiny59.yaml"))
    assert result.exit_code == 2
    assert f"did you mean {tmp_path / 'tiny95.yaml'}?" in result.stderr


@pytest.mark.parametrize("arguments", [("nonsense",), ("count",), ("count", TINY, "--nonsense"), ("run", TINY)])
def test_calls_that_make_no_sense(arguments: tuple[str, ...]) -> None:
    result = call(*arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "Usage: " in result.stderr
