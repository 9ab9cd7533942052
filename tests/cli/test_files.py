"""Every command that writes a file: what is no regular file stays, a killed writer leaves nothing for long."""

from __future__ import annotations

import os
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.test_cli import ROOT, call
from tests.scripted import TINY

SPEC = TINY.replace("name: ", "name:   ")  # which `fmt` changes
WRITERS: dict[str, tuple[str, tuple[str, ...]]] = {  # the file that each one writes, and the call
    "new": ("made.yaml", ("new", "made")),
    "new --force": ("made.yaml", ("new", "made", "--force")),
    "fmt": ("spec.yaml", ("fmt", "spec.yaml")),
    "build": ("made.safetensors", ("build", "spec.yaml", "-o", "made.safetensors")),
    "report": ("made.md", ("report", "spec.yaml", "--suite", "edges", "-o", "made.md")),
    "verify": ("made.json", ("verify", "spec.yaml", "-o", "made.json")),
}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with a spec in it and a file that nobody should touch."""
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    Path("spec.yaml").write_text(SPEC, encoding="utf-8")
    Path(".other.tmp").write_text("not ours", encoding="utf-8")
    return folder


def names() -> set[str]:
    return {path.name for path in Path().iterdir()} - {"spec.yaml", ".other.tmp"}


def _socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(str(path))


def _link(path: Path, target: str) -> None:
    path.symlink_to(target)


def _link_to_a_device(path: Path) -> None:
    """Root gets a device of its own: where this fails, the system's would be lost."""
    device = os.devnull
    if os.geteuid() == 0:
        device = "device"
        try:
            os.mknod(device, stat.S_IFCHR | 0o666, os.stat(os.devnull).st_rdev)
        except OSError:
            pytest.skip("no device can be made here")
    path.symlink_to(device)


def _link_to_a_pipe(path: Path) -> None:
    os.mkfifo("pipe")
    path.symlink_to("pipe")


NOT_REGULAR: dict[str, tuple[Callable[[Path], None], str]] = {
    "a directory": (Path.mkdir, "it is no regular file but a directory"),
    "a named pipe": (os.mkfifo, "it is no regular file but a named pipe"),
    "a socket": (_socket, "it is no regular file but a socket"),
    "a link to a device": (_link_to_a_device, "it is no regular file but a device"),
    "a link to a named pipe": (_link_to_a_pipe, "it is no regular file but a named pipe"),
    "a link to itself": (lambda path: _link(path, path.name), "Too many levels of symbolic links"),
    "a link into no folder": (lambda path: _link(path, "nowhere/file"), "No such file or directory"),
}


@pytest.mark.parametrize("kind", NOT_REGULAR)
@pytest.mark.parametrize("writer", [name for name in WRITERS if name not in ("new", "fmt")])
def test_what_is_no_regular_file_stays(writer: str, kind: str) -> None:
    name, arguments = WRITERS[writer]
    make, reason = NOT_REGULAR[kind]
    make(Path(name))
    before, existing = os.lstat(name), names()
    result = call(*arguments)
    assert result.exit_code == 2
    assert reason in result.stderr
    assert "[cannot-write]" in result.stderr
    assert os.path.samestat(before, os.lstat(name))
    assert stat.S_IFMT(before.st_mode) == stat.S_IFMT(os.lstat(name).st_mode)
    assert names() == existing


@pytest.mark.parametrize("kind", NOT_REGULAR)
def test_new_and_fmt_leave_what_is_no_regular_file(kind: str) -> None:
    make, _ = NOT_REGULAR[kind]
    Path("spec.yaml").unlink()
    make(Path("spec.yaml"))
    before = os.lstat("spec.yaml")
    for arguments in (("new", "spec"), ("fmt", "spec.yaml")):
        assert call(*arguments).exit_code == 2
        assert os.path.samestat(before, os.lstat("spec.yaml"))


_KILLED = """
import os, signal, sys
import cli
name, number, *arguments = sys.argv[1:]
real = getattr(os, name)
def stopped(*given):
    real(*given)
    os.kill(os.getpid(), int(number))
setattr(os, name, stopped)
cli.main(arguments)
"""


def killed(writer: str, at: str, number: signal.Signals) -> None:
    """Run a command in a process that gets a signal right after it has called a function of `os` for the first time."""
    done = subprocess.run(
        [sys.executable, "-c", _KILLED, at, str(number.value), *WRITERS[writer][1]],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == (130 if number == signal.SIGINT else -number), done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("writer", "number"),
    [
        *((writer, signal.SIGKILL) for writer in WRITERS if writer not in ("report", "verify")),
        # all of them write by the same function, and torch takes long to load
        *(pytest.param(writer, signal.SIGKILL, marks=pytest.mark.long) for writer in ("report", "verify")),
        ("new", signal.SIGTERM),
        ("new", signal.SIGINT),
        pytest.param("build", signal.SIGINT, marks=pytest.mark.long),
    ],
)
def test_a_killed_writer_leaves_the_old_file_or_none_and_the_next_one_cleans_up(
    writer: str, number: signal.Signals
) -> None:
    """The signal comes when everything is written and nothing has its name yet."""
    name, arguments = WRITERS[writer]
    old = None
    if writer not in ("new", "fmt"):
        Path(name).write_text("old", encoding="utf-8")
    if writer != "new":
        old = Path(name).read_bytes()
    killed(writer, "fsync", number)
    assert (Path(name).read_bytes() if Path(name).exists() else None) == old
    assert len(names() - {name}) == (number != signal.SIGINT)
    assert call(*arguments).exit_code in (0, 1)
    assert names() - {"spec.yaml"} == {name} - {"spec.yaml"}
    assert Path(name).read_bytes() != old
    assert Path(".other.tmp").exists()


def test_a_new_file_is_whole_as_soon_as_it_is_there() -> None:
    killed("new", "link", signal.SIGKILL)
    assert call("validate", "made.yaml").exit_code == 0
    assert len(names()) == 2
    whole = Path("made.yaml").read_bytes()
    assert "exists and was not changed" in call("new", "made").stderr
    assert names() == {"made.yaml"}
    assert Path("made.yaml").read_bytes() == whole


def test_a_spec_that_is_formatted_by_now_has_its_left_overs_removed() -> None:
    killed("fmt", "fsync", signal.SIGKILL)
    Path("spec.yaml").write_text(TINY, encoding="utf-8")
    assert call("fmt", "--check", "spec.yaml").exit_code == 0
    assert len(names()) == 1
    assert call("fmt", "spec.yaml").stdout == "spec.yaml: unchanged\n"
    assert names() == set()


@pytest.mark.parametrize("writer", ["new", "new --force", "fmt", pytest.param("report", marks=pytest.mark.long)])
def test_a_full_disk_leaves_the_old_file_or_none(writer: str) -> None:
    """The system lets nobody write more than half a kilobyte into a file."""
    name, arguments = WRITERS[writer]
    Path("spec.yaml").write_text(SPEC + "# " + "x" * 1000 + "\n", encoding="utf-8")
    old = Path(name).read_bytes() if writer == "fmt" else None
    limited = "import resource, sys, cli; resource.setrlimit(resource.RLIMIT_FSIZE, (500, 500)); cli.main(sys.argv[1:])"
    done = subprocess.run(
        [sys.executable, "-c", limited, *arguments],
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1", "WEIGHTSPEC_CACHE": ""},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 2, done.stderr
    assert "[cannot-write]" in done.stderr
    assert "Traceback" not in done.stderr
    assert (Path(name).read_bytes() if Path(name).exists() else None) == old
    assert names() == set()
