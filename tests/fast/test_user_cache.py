"""The private folder of the user: made where it is safe, refused where others could put something into it."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path

import pytest

from compiler.source.user_cache import SETTING, private_folder

pytestmark = pytest.mark.skipif(os.name != "posix", reason="owners and modes of POSIX")
NOBODY = 65534


@pytest.fixture
def caches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's cache folder; this program's is `weightspec` in it."""
    folder = tmp_path / "caches"
    folder.mkdir(0o700)
    monkeypatch.delenv(SETTING, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder))
    return folder


def test_folders_are_made_for_the_user_alone(caches: Path) -> None:
    folder = private_folder("runs", "long")
    assert folder == caches / "weightspec" / "runs" / "long"
    for made in (folder, folder.parent, folder.parent.parent):
        assert stat.S_IMODE(made.stat().st_mode) == 0o700
    (folder / "kept").write_text("x")
    assert private_folder("runs", "long") == folder
    assert (folder / "kept").read_text() == "x"


def test_the_cache_itself_is_made_below_the_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(SETTING, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    own = tmp_path / ("Library/Caches" if sys.platform == "darwin" else ".cache")
    own.parent.mkdir(exist_ok=True)
    for other in ("", "caches"):  # a relative one is ignored
        monkeypatch.setenv("XDG_CACHE_HOME", other)
        assert private_folder("native") == own / "weightspec" / "native"
    assert stat.S_IMODE(own.stat().st_mode) == 0o700


def test_without_a_home_there_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(SETTING, raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "nowhere"))
    assert private_folder("native") is None
    assert not (tmp_path / "nowhere").exists()


def test_the_setting_names_the_folder_or_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SETTING, str(tmp_path / "mine"))
    assert private_folder("native") == tmp_path / "mine" / "native"
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(SETTING, "mine/../other")
    assert private_folder("native") == tmp_path / "other" / "native"
    for nothing in ("", str(tmp_path / "missing" / "mine"), "nu\0ll"[:2] + "/" + "x" * 5000):
        monkeypatch.setenv(SETTING, nothing)
        assert private_folder("native") is None
    assert not (tmp_path / "missing").exists()


@pytest.mark.parametrize("part", ["", ".", "..", "../x", "/etc", "a/b"])
def test_only_plain_names_lead_down(caches: Path, part: str) -> None:
    assert private_folder("runs", part) is None


@pytest.mark.parametrize("mode", [0o770, 0o707, 0o777, 0o1777])
@pytest.mark.parametrize("below", ["weightspec", "weightspec/native"])
def test_a_folder_that_others_can_write_is_not_used(caches: Path, below: str, mode: int) -> None:
    assert private_folder("native") is not None
    (caches / below).chmod(mode)
    assert private_folder("native") is None
    (caches / below).chmod(0o755)
    assert private_folder("native") == caches / "weightspec" / "native"


@pytest.mark.parametrize(("mode", "safe"), [(0o755, True), (0o775, False), (0o777, False), (0o1777, True)])
def test_folders_above_are_writable_by_others_only_if_sticky(caches: Path, mode: int, safe: bool) -> None:
    caches.chmod(mode)
    assert (private_folder("native") is not None) == safe
    assert (caches / "weightspec").exists() == safe


@pytest.mark.parametrize("below", ["weightspec", "weightspec/native"])
def test_a_link_in_place_of_a_folder_is_not_followed(caches: Path, tmp_path: Path, below: str) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir(0o700)
    (caches / below).parent.mkdir(mode=0o700, exist_ok=True)
    (caches / below).symlink_to(elsewhere)
    assert private_folder("native") is None
    assert not list(elsewhere.iterdir())


def test_links_above_are_followed_to_where_they_lead(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = tmp_path / "open" / "caches"
    real.mkdir(parents=True)
    (tmp_path / "link").symlink_to(real)
    monkeypatch.delenv(SETTING, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "link"))
    assert private_folder("native") == real / "weightspec" / "native"
    real.parent.chmod(0o777)
    assert private_folder("native") is None


@pytest.mark.parametrize("below", ["weightspec", "weightspec/native"])
def test_a_file_in_place_of_a_folder(caches: Path, below: str) -> None:
    (caches / below).parent.mkdir(mode=0o700, exist_ok=True)
    (caches / below).write_text("")
    assert private_folder("native") is None


@pytest.mark.parametrize("below", [".", "weightspec", "weightspec/native"])
def test_a_folder_of_another_user_is_not_used(caches: Path, monkeypatch: pytest.MonkeyPatch, below: str) -> None:
    assert private_folder("native") is not None
    foreign = caches / below
    if os.geteuid() == 0:
        os.chown(foreign, NOBODY, NOBODY)
    else:
        monkeypatch.setattr(Path, "lstat", _owned_by_nobody(foreign))
    assert private_folder("native") is None


def _owned_by_nobody(foreign: Path) -> object:
    def lstat(path: Path) -> os.stat_result:
        found = list(os.lstat(path))
        if path == foreign:
            found[stat.ST_UID] = NOBODY
        return os.stat_result(found)

    return lstat


def test_a_disk_that_cannot_be_written(caches: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path, mode: int = 0o777) -> None:
        raise OSError(30, "Read-only file system", str(path))

    monkeypatch.setattr(Path, "mkdir", refuse)
    assert private_folder("native") is None
