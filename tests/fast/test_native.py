"""Compiled code: what it computes, and that nothing damaged, foreign or unfinished is ever loaded."""

from __future__ import annotations

import os
import platform
import select
import shlex
import signal
import stat
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pytest

from compiler.backends.native import c_compiler as compilers
from compiler.backends.native import native as natives
from compiler.backends.native.c_compiler import SCRATCH, find_compiler
from compiler.backends.native.native import Native, NativeUnavailable, native
from compiler.source.user_cache import SETTING

SUMS = """
void run(const int32_t *tokens, int32_t *said, int64_t count) {
    for (int64_t i = 0; i < count; i++) {
        said[2 * i] = tokens[3 * i] + tokens[3 * i + 1];
        said[2 * i + 1] = (int32_t)(ws_exp(ws_all(tokens[3 * i + 2])) * 0.0)[0] + tokens[3 * i + 2];
    }
}
"""
ROOT = Path(__file__).parents[2]
NOBODY = 65534

needs_compiler = pytest.mark.skipif(find_compiler() is None, reason="no C compiler works here")


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(SETTING, str(tmp_path / "cache"))
    return tmp_path / "cache" / "native"


def made(source: str = SUMS) -> Native:
    code = native(source)
    assert isinstance(code, Native), code
    return code


def refused(source: str = SUMS) -> str:
    code = native(source)
    assert isinstance(code, NativeUnavailable)
    assert code.reason.isprintable()
    return code.reason


def check(code: Native, count: int = 1000) -> None:
    tokens = np.random.default_rng(count).integers(-500, 500, (count, 3), dtype=np.int32)
    said = np.full((count, 2), -1, dtype=np.int32)
    code.run(tokens, said)
    np.testing.assert_array_equal(said, np.stack([tokens[:, 0] + tokens[:, 1], tokens[:, 2]], axis=1))


def libraries(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.so"))


def script(path: Path, text: str) -> str:
    """A command of the user's, as `$CC` names one."""
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o700)
    return shlex.quote(str(path))


@needs_compiler
class TestRunning:
    @pytest.mark.parametrize("count", [0, 1, 16_383, 16_384, 16_385, 40_000])
    def test_rows_are_run_in_pieces(self, count: int) -> None:
        check(made(), count)

    def test_arrays_of_another_kind_are_refused(self) -> None:
        code = made()
        good, out = np.zeros((4, 3), np.int32), np.zeros((4, 2), np.int32)
        fixed = out.copy()
        fixed.flags.writeable = False
        for tokens, said in [
            (good.astype(np.int64), out),
            (good[:, ::-1], out),
            (np.asfortranarray(good), out),
            (good[:3], out),
            (good.ravel(), out),
            (good, out.astype(np.float32)),
            (good, fixed),
        ]:
            with pytest.raises(ValueError, match="run:"):
                code.run(tokens, said)  # type: ignore[arg-type]

    def test_an_interruption_ends_the_run(self) -> None:
        slow = made(
            "int usleep(unsigned); int getpid(void); int kill(int, int);\n"
            "static int calls;\n"
            "void run(const int32_t *tokens, int32_t *said, int64_t count) {\n"
            f"  if (__atomic_add_fetch(&calls, 1, __ATOMIC_SEQ_CST) == 5) kill(getpid(), {int(signal.SIGINT)});\n"
            "  usleep(20000);\n"  # so that the whole takes 5 seconds
            "  for (int64_t i = 0; i < count; i++) said[i] = tokens[i];\n"
            "}"
        )
        tokens, said = np.ones((4_000_000, 1), np.int32), np.zeros((4_000_000, 1), np.int32)
        with pytest.raises(KeyboardInterrupt):
            slow.run(tokens, said)
        assert 0 < int(said.sum()) < len(said)


@needs_compiler
class TestKeeping:
    def test_a_library_is_compiled_once(self, cache: Path) -> None:
        assert not made().kept
        (library,) = libraries(cache)
        assert [path.name for path in cache.iterdir()] == [library.name]
        assert stat.S_IMODE(library.stat().st_mode) == 0o600
        again = made()
        assert again.kept
        check(again)
        assert not made(SUMS + "\n").kept
        assert len(libraries(cache)) == 2

    @pytest.mark.parametrize("what", ["header", "flags", "format"])
    def test_all_it_is_made_from_counts(self, what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        made()
        if what == "header":
            header = tmp_path / "vector_math.h"
            header.write_text(natives._HEADER.read_text() + "/* changed */\n")
            monkeypatch.setattr(natives, "_HEADER", header)
        elif what == "flags":
            monkeypatch.setattr(compilers, "FLAGS", (*compilers.FLAGS, "-O1"))
            compilers._found.cache_clear()
        else:
            monkeypatch.setattr(natives, "_FORMAT", "another")
        assert not made().kept
        compilers._found.cache_clear()

    def test_another_compiler_counts(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        made()
        found = find_compiler()
        assert found is not None
        monkeypatch.setenv("CC", script(tmp_path / "my cc", f'exec {shlex.join(found)} "$@"'))
        assert not made().kept
        assert made().kept

    @pytest.mark.parametrize(
        "damage",
        [
            *("empty", "one bit", "folder", "link", "pipe"),
            *(pytest.param(name, marks=pytest.mark.long) for name in ("cut", "longer", "text")),  # as one bit
        ],
    )
    def test_what_is_damaged_is_compiled_again(self, cache: Path, tmp_path: Path, damage: str) -> None:
        made()
        (library,) = libraries(cache)
        whole = library.read_bytes()
        changed = {
            "cut": whole[: len(whole) // 2],
            "empty": b"",
            "one bit": whole[:5000] + bytes([whole[5000] ^ 1]) + whole[5001:],
            "longer": whole + b"\0",
            "text": b"not a library",
        }
        library.unlink()  # not written to: it is mapped into this process
        if damage in changed:
            library.write_bytes(changed[damage])
            library.chmod(0o600)
        elif damage == "folder":
            library.mkdir(0o700)
        elif damage == "pipe":
            os.mkfifo(library, 0o600)
        else:
            (tmp_path / "elsewhere.so").write_bytes(whole)
            library.symlink_to(tmp_path / "elsewhere.so")
        assert not made().kept
        assert _in_a_process(cache.parent) == "kept"  # loaded anew and run
        (again,) = libraries(cache)
        assert again.is_file()
        assert not again.is_symlink()

    @pytest.mark.parametrize("mode", [0o620, 0o602, 0o666])
    def test_a_library_that_others_can_write_is_compiled_again(self, cache: Path, mode: int) -> None:
        made()
        libraries(cache)[0].chmod(mode)
        code = made()
        assert not code.kept
        check(code)
        assert stat.S_IMODE(libraries(cache)[0].stat().st_mode) == 0o600

    def test_a_library_of_another_user_is_compiled_again(self, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        made()
        if os.geteuid() == 0:
            os.chown(libraries(cache)[0], NOBODY, NOBODY)
        else:
            monkeypatch.setattr(natives, "is_private", lambda path: False)
        assert not made().kept

    def test_the_least_recently_used_are_dropped(self, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(natives, "_MOST_KEPT", 3)
        sources = [SUMS + f"/* {i} */" for i in range(4)]
        for age, source in zip((30, 20, 10), sources, strict=False):
            before = libraries(cache)
            made(source)
            (new,) = set(libraries(cache)) - set(before)
            os.utime(new, (time.time() - age, time.time() - age))
        assert made(sources[0]).kept  # which makes the second the oldest
        assert not made(sources[3]).kept
        assert [made(source).kept for source in (sources[0], sources[2], sources[3])] == [True] * 3
        assert not made(sources[1]).kept
        assert len(libraries(cache)) == 3

    def test_what_a_killed_compilation_left_is_removed(self, cache: Path) -> None:
        made()
        left = cache / f"{SCRATCH}old"
        left.mkdir()
        (left / "library.so").write_bytes(b"half")
        made(SUMS + "\n")
        assert not left.exists()

    @pytest.mark.parametrize("why", ["switched off", "writable by others", "full", "not for programs"])
    def test_without_a_cache_nothing_is_kept(
        self, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, why: str
    ) -> None:
        if why == "switched off":
            monkeypatch.setenv(SETTING, "")
        elif why == "writable by others":
            cache.mkdir(0o777, parents=True)
            cache.chmod(0o777)
        elif why == "full":
            monkeypatch.setattr(Path, "replace", _no_space)
        else:
            load = natives._opened
            monkeypatch.setattr(natives, "_opened", lambda path: load(_not_in(path, cache)))
        temporary = tmp_path / "temporary"
        temporary.mkdir()
        monkeypatch.setattr(tempfile, "tempdir", str(temporary))
        for _ in range(2):
            code = made()
            assert not code.kept
            check(code)
        assert not list(temporary.iterdir())

    def test_processes_at_once_do_not_disturb_each_other(self, cache: Path) -> None:
        started = [_start(cache.parent) for _ in range(4)]
        assert {_said(process) for process in started} <= {"compiled", "kept"}
        assert _in_a_process(cache.parent) == "kept"
        assert not list(cache.glob(f"{SCRATCH}*"))
        assert all(path.name.split("-")[1] == f"{natives._digest(path)}.so" for path in libraries(cache))


class TestUnavailable:
    @pytest.fixture(autouse=True)
    def nothing_is_left(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> object:
        temporary = tmp_path / "temporary"
        temporary.mkdir()
        monkeypatch.setattr(tempfile, "tempdir", str(temporary))
        yield
        assert not list(temporary.iterdir())

    def test_no_compiler(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("CC", raising=False)
        monkeypatch.setenv("PATH", str(tmp_path))
        assert find_compiler() is None
        assert refused() == "no C compiler was found (cc, gcc, clang; $CC names another)"

    def test_a_compiler_in_the_current_folder_is_not_run(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        script(tmp_path / "cc", f"touch {tmp_path}/was-run")
        monkeypatch.delenv("CC", raising=False)
        monkeypatch.chdir(tmp_path)
        for path in (".", "", f".:{tmp_path}/temporary"):
            monkeypatch.setenv("PATH", path)
            assert find_compiler() is None
        assert not (tmp_path / "was-run").exists()

    @pytest.mark.parametrize(
        ("text", "reason"),
        [
            ("exit 1", "failed: exit code 1"),
            ("echo 'cc: error: broken' >&2; exit 1", "failed: cc: error: broken"),
            ("true", "is no C compiler"),
            ("cat", "is no C compiler"),
            ("kill -9 $$", "failed: exit code"),
            ("printf 'error: \\033[31m' >&2; exit 1", "failed: error: [31m"),
            ("yes >&2; exit 1", "failed: "),
        ],
    )
    def test_a_compiler_that_does_not_work(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, reason: str
    ) -> None:
        monkeypatch.setattr(compilers, "_MOST_WRITTEN", 1 << 20)
        monkeypatch.setenv("CC", script(tmp_path / "broken", text))
        assert find_compiler() is None
        assert reason in refused()

    def test_a_setting_that_names_nothing(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("CC", str(tmp_path / "missing"))
        assert "missing, which $CC names" in refused()
        monkeypatch.setenv("CC", "cc 'open")
        assert "$CC cannot be read" in refused()

    def test_a_target_that_is_no_processor(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for target in ("native -O0", "-O0", "x86;ls", "\x1b[31m"):
            monkeypatch.setenv(compilers.TARGET, target)
            assert "WEIGHTSPEC_C_TARGET is the name of a processor" in refused()

    @needs_compiler
    def test_a_target_that_the_compiler_does_not_know(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv(compilers.TARGET, "z81")
        assert "z81" in refused()

    @needs_compiler
    @pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="this names a processor of x86-64")
    def test_code_for_another_target_is_another_library(self, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        check(made())
        monkeypatch.setenv(compilers.TARGET, "x86-64")
        check(made())
        assert len(libraries(cache)) == 2
        assert "-march=x86-64" in compilers.c_compiler().flags

    def test_a_compiler_that_hangs_is_ended_with_all_it_started(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        alive = tmp_path / "alive"
        os.mkfifo(alive)
        reader = os.open(
            alive, os.O_RDONLY | os.O_NONBLOCK
        )  # which is at its end when nothing that was started has the other end open
        monkeypatch.setattr(compilers, "_SECONDS_ASKED", 0.3)
        monkeypatch.setenv(
            "CC", script(tmp_path / "slow", f"exec 3>{alive}; echo >> {tmp_path}/starts; sleep 600 & sleep 600")
        )
        assert "took longer than 0.3 seconds" in refused()
        assert (tmp_path / "starts").read_text() == "\n", "it was started again with other flags"
        assert select.select([reader], [], [], 60)[0]
        assert os.read(reader, 1) == b"", "something that was started has the other end open"
        os.close(reader)

    @needs_compiler
    @pytest.mark.parametrize(
        ("source", "reason"),
        [
            ("void run(", "error: "),
            ("int other;", "defines no function `run`"),
            ("#error no \x1b[31m\n", "error: "),
            ("int32_t big[1 << 26] = {1}; void run(void) {}", "failed: "),
            ("void run(void) {}" + " " * (1 << 24), "longer than 16 MiB"),
        ],
        ids=["syntax", "no run", "control characters", "large library", "large source"],
    )
    def test_a_source_that_cannot_be_compiled(self, cache: Path, source: str, reason: str) -> None:
        assert reason in refused(source)
        assert not cache.exists() or not list(cache.glob(f"{SCRATCH}*"))

    @needs_compiler
    def test_a_compilation_that_takes_too_long(self, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        made()
        monkeypatch.setattr(compilers, "_SECONDS", 0.001)
        assert "took longer than 0.001 seconds" in refused(SUMS + "\n")
        assert len(list(cache.iterdir())) == 1

    @needs_compiler
    def test_a_library_for_another_machine(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        found = find_compiler()
        assert found is not None
        makes = 'case " $* " in *" -shared "*) while [ "$1" != -o ]; do shift; done; echo none > "$2"; exit;; esac'
        monkeypatch.setenv("CC", script(tmp_path / "cross", f'{makes}\nexec {shlex.join(found)} "$@"'))
        assert "cannot be stored or loaded" in refused()

    @needs_compiler
    def test_no_safe_folder_at_all(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        find_compiler()
        monkeypatch.setenv(SETTING, "")
        (tmp_path / "open").mkdir()
        (tmp_path / "open").chmod(0o777)
        monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "open"))
        assert "others can write to the temporary folder" in refused()


def _no_space(path: Path, target: Path) -> Path:
    raise OSError(28, "No space left on device", str(target))


def _not_in(path: Path, folder: Path) -> Path:
    if path.parent == folder:
        raise OSError(f"{path}: failed to map segment from shared object")
    return path


def _start(cache: Path) -> subprocess.Popen[str]:
    program = (
        "import numpy as np\nfrom compiler.backends.native.native import Native, native\n"
        f"code = native({SUMS!r})\nassert isinstance(code, Native), code\n"
        "tokens, said = np.full((9, 3), 4, np.int32), np.zeros((9, 2), np.int32)\n"
        "code.run(tokens, said)\nassert (said == [8, 4]).all()\nprint('kept' if code.kept else 'compiled')"
    )
    return subprocess.Popen(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env={**os.environ, SETTING: str(cache)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def _said(process: subprocess.Popen[str]) -> str:
    out, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors
    return out.strip()


def _in_a_process(cache: Path) -> str:
    """Whether a process that runs the code found it kept: one that has loaded it before would not load it again."""
    return _said(_start(cache))
