"""The command `new`: what it writes, what it prints, and what it refuses without leaving anything behind."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

import compiler
from compiler.commands.starting import templates
from tests.cli.test_cli import ROOT, call, call_json


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("template", [None, *templates()])
def test_what_is_written_is_a_valid_spec(tmp_path: Path, template: str | None) -> None:
    path = tmp_path / "mine.yaml"
    result = call("new", str(tmp_path / "mine"), *(() if template is None else ("--like", template)))
    assert (result.exit_code, result.stderr) == (0, "")
    assert compiler.load(path).name == "mine"
    checked = call("validate", str(path))
    assert (checked.exit_code, checked.stderr) == (0, "")
    if template is None:
        assert call_json("new", str(tmp_path / "other"))["template"] == "minimal"


def test_what_to_do_next_is_printed_and_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    result = call("new", "mine")
    written, *commands = result.stdout.splitlines()
    assert written.startswith("mine.yaml: written")
    assert commands == ["  python cli.py validate mine.yaml", "  python cli.py build mine.yaml --eval"]
    for command in commands:
        assert call(*command.split()[2:]).exit_code == 0


def test_a_path_with_a_space_is_quoted_in_what_is_printed(tmp_path: Path) -> None:
    assert f"validate '{tmp_path}/my spec.yaml'" in call("new", f"{tmp_path}/my spec").stdout


def test_json(tmp_path: Path) -> None:
    found = call_json("new", str(tmp_path / "mine"), "--like", "rope")
    assert found == {"written": str(tmp_path / "mine.yaml"), "template": "rope"}


@pytest.mark.parametrize(
    ("written", "file", "name"),
    [
        ("mine", "mine.yaml", "mine"),
        ("mine.yaml", "mine.yaml", "mine"),
        ("mine.yml", "mine.yml", "mine"),
        ("mine.v2", "mine.v2.yaml", "mine.v2"),
        (".mine", ".mine.yaml", ".mine"),
        ("2024", "2024.yaml", "2024"),
        ("1e-3", "1e-3.yaml", "1e-3"),
        ("null", "null.yaml", "null"),
        ("True", "True.yaml", "True"),
        ("~", "~.yaml", "~"),
        ("a: b #c", "a: b #c.yaml", "a: b #c"),
        ('"quoted" \\1', '"quoted" \\1.yaml', '"quoted" \\1'),
        ("größe ☃ 🙂", "größe ☃ 🙂.yaml", "größe ☃ 🙂"),
        ("[bold]", "[bold].yaml", "[bold]"),
    ],
)
def test_the_name_is_the_stem(tmp_path: Path, written: str, file: str, name: str) -> None:
    result = call("new", str(tmp_path / written))
    assert result.exit_code == 0, result.stderr
    assert files(tmp_path) == [file]
    assert compiler.load(tmp_path / file).name == name


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("", "it is empty"),
        (" ", "it is empty"),
        ("folder/", "it is empty"),
        (".yaml", "it is empty"),
        (".", "only dots"),
        ("..", "only dots"),
        ("folder/...", "only dots"),
        ("a\nb", "cannot be printed"),
        ("a\x1b[31m", "cannot be printed"),
        ("a\u202eb", "cannot be printed"),
        ("a\udcff", "cannot be printed"),
        ("folder/-x", "begins like an option"),
        ("missing/mine", "there is no folder missing"),
        ("file/mine", "there is no folder file"),
        ("x" * 300, "File name too long"),
        ("taken", "it is no regular file"),
        ("fo\0lder/mine", "there is no folder"),
    ],
)
@pytest.mark.parametrize("force", [(), ("--force",)], ids=["new", "force"])
def test_what_cannot_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, says: str, force: tuple[str, ...]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    (tmp_path / "taken.yaml").mkdir()
    result = call("new", name, *force)
    assert (result.exit_code, result.stdout) == (2, "")
    assert says in result.stderr
    assert "\x1b" not in result.stderr
    assert call_json("new", name, *force, exit_code=2)["errors"][0]["message"]
    assert files(tmp_path) == ["file", "folder", "taken.yaml"]
    assert files(tmp_path / "folder") == []


def test_an_existing_file_is_kept_unless_forced(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("precious", encoding="utf-8")
    path.chmod(0o640)
    for name in ("mine", "mine.yaml"):
        result = call("new", str(tmp_path / name))
        assert (result.exit_code, result.stdout) == (2, "")
        assert "exists and was not changed" in result.stderr
        assert "--force" in result.stderr
    assert path.read_text(encoding="utf-8") == "precious"
    assert call("new", str(path), "--force").exit_code == 0
    assert compiler.load(path).name == "mine"
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert files(tmp_path) == ["mine.yaml"]


def named_schema(spec: Path) -> Path:
    """The file of the schema that the first line of a spec names."""
    line = spec.read_text(encoding="utf-8").split("\n")[0]
    address = urlsplit(line.removeprefix("# yaml-language-server: $schema="))
    assert (address.scheme, address.netloc) == ("file", "")
    return Path(unquote(address.path))


@pytest.mark.parametrize("template", ["minimal", "tiny95", "parity"])
def test_editors_find_the_schema(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, template: str) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "größe #1"))
    call("new", str(tmp_path / "mine"), "--like", template)
    assert named_schema(tmp_path / "mine.yaml") == (ROOT / "compiler" / "weightspec.schema.json").resolve()
    result = call("schema", "--install")
    assert (result.exit_code, result.stderr) == (0, "")
    where, _, line = result.stdout.splitlines()
    call("new", str(tmp_path / "other"), "--like", template)
    assert (tmp_path / "other.yaml").read_text(encoding="utf-8").startswith(f"{line}\n")
    assert named_schema(tmp_path / "other.yaml") == Path(where)
    assert Path(where).read_text(encoding="utf-8") == call("schema").stdout
    texts = [(tmp_path / f"{name}.yaml").read_text(encoding="utf-8") for name in ("mine", "other")]
    assert [text.count("yaml-language-server") for text in texts] == [1, 1]


def test_a_schema_of_another_version_is_not_named_and_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    (tmp_path / "weightspec").mkdir()
    (tmp_path / "weightspec" / "weightspec.schema.json").write_text("{}", encoding="utf-8")
    call("new", str(tmp_path / "mine"))
    assert named_schema(tmp_path / "mine.yaml").is_relative_to(ROOT.resolve())
    assert call("schema", "--install").exit_code == 0
    call("new", str(tmp_path / "mine"), "--force")
    assert named_schema(tmp_path / "mine.yaml").is_relative_to(tmp_path)


def test_a_schema_that_cannot_be_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "file"))
    result = call("schema", "--install")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "[cannot-write]" in result.stderr
    call("new", str(tmp_path / "mine"))
    assert named_schema(tmp_path / "mine.yaml").is_relative_to(ROOT.resolve())


def test_links(tmp_path: Path) -> None:
    """A link is no free name, and `--force` writes the file that it leads to."""
    link, behind = tmp_path / "mine.yaml", tmp_path / "behind"
    link.symlink_to(behind)
    assert "exists and was not changed" in call("new", str(link)).stderr
    assert not behind.exists()
    assert call("new", str(link), "--force").exit_code == 0
    assert link.is_symlink()
    assert compiler.load(behind).name == "mine"


@pytest.mark.parametrize("force", [(), ("--force",)], ids=["new", "force"])
def test_a_folder_that_cannot_be_written(tmp_path: Path, force: tuple[str, ...]) -> None:
    folder = tmp_path / "closed"
    folder.mkdir(mode=0o500)
    if os.access(folder, os.W_OK):
        pytest.skip("root writes everywhere")
    result = call("new", str(folder / "mine"), *force)
    assert result.exit_code == 2
    assert "Permission denied" in result.stderr


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()], ids=["full", "^C"])
@pytest.mark.parametrize("force", [False, True])
def test_nothing_is_left_half_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException, force: bool
) -> None:
    path = tmp_path / "mine.yaml"
    if force:
        path.write_text("precious", encoding="utf-8")

    def interrupted(*_: object) -> None:
        raise error

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", interrupted)
        result = call("new", str(path), *(("--force",) if force else ()))
    assert result.exit_code in (2, 130)
    assert result.stdout == ""
    assert files(tmp_path) == (["mine.yaml"] if force else [])
    assert not force or path.read_text(encoding="utf-8") == "precious"


def test_a_replacement_that_fails_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("precious", encoding="utf-8")

    def refuse(*_: object) -> None:
        raise OSError(16, "Device or resource busy")

    monkeypatch.setattr(os, "replace", refuse)
    result = call("new", str(path), "--force")
    assert result.exit_code == 2
    assert "resource busy" in result.stderr
    assert files(tmp_path) == ["mine.yaml"]
    assert path.read_text(encoding="utf-8") == "precious"


def test_an_unknown_template_names_the_known_ones(tmp_path: Path) -> None:
    result = call("new", str(tmp_path / "mine"), "--like", "tiny59")
    assert result.exit_code == 2
    assert all(name in result.stderr for name in templates())
    assert files(tmp_path) == []


def test_help_lists_the_templates_with_their_summaries() -> None:
    shown = call("new", "--help").stdout
    for name, summary in templates().items():
        assert any(line.split(maxsplit=1) == [name, summary] for line in shown.splitlines())
