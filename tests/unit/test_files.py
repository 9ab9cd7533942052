"""Files that are written whole or not at all, whatever else happens in the folder meanwhile."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from compiler.source.diagnostics import SpecError
from compiler.source.files import remove_all_left_overs, save_text, scratch_folder, write_whole

ROOT = Path(__file__).parents[2]


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def meanwhile(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], object]], None]:
    """Makes something happen once, when the next file is written and has not got its name yet."""
    real = os.fsync

    def arrange(happen: Callable[[], object]) -> None:
        def fsync(descriptor: int) -> None:
            monkeypatch.setattr(os, "fsync", real)
            real(descriptor)
            happen()

        monkeypatch.setattr(os, "fsync", fsync)

    return arrange


def no_hard_links(*_: object) -> None:
    raise OSError(errno.EPERM, "Operation not permitted")


@pytest.mark.parametrize("links", [True, False], ids=["hard links", "no hard links"])
def test_a_new_file_takes_no_name_that_is_taken(
    tmp_path: Path,
    meanwhile: Callable[[Callable[[], object]], None],
    monkeypatch: pytest.MonkeyPatch,
    links: bool,
) -> None:
    if not links:
        monkeypatch.setattr(os, "link", no_hard_links)
    path, dangling = tmp_path / "file", tmp_path / "dangling"
    dangling.symlink_to("nowhere")
    write_whole(path, b"one", replace=False)
    assert path.read_bytes() == b"one"
    for taken in (path, dangling):
        with pytest.raises(FileExistsError):
            write_whole(taken, b"two", replace=False)
    path.unlink()
    meanwhile(lambda: path.write_bytes(b"of somebody else"))
    with pytest.raises(FileExistsError):
        write_whole(path, b"two", replace=False)
    assert path.read_bytes() == b"of somebody else"
    assert names(tmp_path) == ["dangling", "file"]


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir], ids=["pipe", "folder"])
def test_what_appears_meanwhile_and_is_no_regular_file_stays(
    tmp_path: Path, meanwhile: Callable[[Callable[[], object]], None], make: Callable[[Path], None]
) -> None:
    path = tmp_path / "file"
    meanwhile(lambda: make(path))
    with pytest.raises(OSError, match="no regular file"):
        write_whole(path, b"two")
    assert names(tmp_path) == ["file"]
    assert not path.is_file()


def test_a_folder_that_vanishes_meanwhile_is_an_error(
    tmp_path: Path, meanwhile: Callable[[Callable[[], object]], None]
) -> None:
    path = tmp_path / "folder" / "file"
    path.parent.mkdir()
    meanwhile(lambda: path.parent.rename(tmp_path / "moved"))
    with pytest.raises(SpecError, match=r"cannot write .*No such file or directory"):
        save_text(path, "one", replace=True)


def test_two_writers_of_one_file_do_not_take_each_other_for_a_left_over(
    tmp_path: Path, meanwhile: Callable[[Callable[[], object]], None]
) -> None:
    path = tmp_path / "file"
    meanwhile(lambda: write_whole(path, b"the inner one"))
    write_whole(path, b"the outer one")
    assert path.read_bytes() == b"the outer one"
    meanwhile(lambda: remove_all_left_overs(tmp_path))
    write_whole(path, b"again")
    assert path.read_bytes() == b"again"
    assert names(tmp_path) == ["file"]


_WRITE = """
import os, signal, sys
from pathlib import Path
from compiler.source.files import scratch_folder, write_whole
os.fsync = lambda descriptor: os.kill(os.getpid(), signal.SIGKILL)
if sys.argv[1] == "file":
    write_whole(Path(sys.argv[2]), b"half")
with scratch_folder(Path(sys.argv[2]), "scratch-") as made:
    (made / "inside").touch()
    os.fsync(0)
"""


def killed(kind: str, path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", _WRITE, kind, str(path)], cwd=ROOT, timeout=60)
    assert done.returncode == -signal.SIGKILL


def test_left_overs_are_known_by_their_file(tmp_path: Path) -> None:
    """What another writer left beside another file is not touched, nor what only looks like a left-over."""
    for name in ("a", "b"):
        killed("file", tmp_path / name)
    (left,) = [name for name in names(tmp_path) if not (tmp_path / name).samefile(tmp_path / names(tmp_path)[0])]
    (tmp_path / f"{left}.yaml").touch()
    (tmp_path / ".mine.tmp").touch()
    assert len(names(tmp_path)) == 4
    write_whole(tmp_path / "a", b"whole")
    assert len(names(tmp_path)) == 4
    write_whole(tmp_path / "b", b"whole")
    assert names(tmp_path) == sorted([".mine.tmp", f"{left}.yaml", "a", "b"])


def test_a_folder_of_ours_is_cleaned_as_a_whole(tmp_path: Path) -> None:
    for name in ("a", "b"):
        killed("file", tmp_path / name)
    (tmp_path / "kept.json").touch()
    assert len(names(tmp_path)) == 3
    remove_all_left_overs(tmp_path)
    assert names(tmp_path) == ["kept.json"]


def test_a_scratch_folder_goes_at_the_end_or_with_the_next_one(tmp_path: Path) -> None:
    killed("folder", tmp_path)
    (left,) = names(tmp_path)
    (tmp_path / "scratch-file").touch()
    with scratch_folder(tmp_path, "scratch-") as first:
        assert not (tmp_path / left).exists()
        with scratch_folder(tmp_path, "scratch-") as second:
            assert first.is_dir()
            assert second != first
        assert not second.exists()
    assert names(tmp_path) == ["scratch-file"]
