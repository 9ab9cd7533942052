"""`build -o` and what the other commands make of the file; `show --stage document`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import compiler
from tests.cli.test_cli import EXACT, INVALID, QWEN, ROOT, TINY, call, call_json
from tests.cli.test_errors import ON_A_SPEC
from tests.cli.test_errors import with_spec as command_on
from tests.cli.test_process import called

CLI = str(ROOT / "cli.py")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = str(tmp_path_factory.mktemp("models") / "qwen20.safetensors")
    assert call("build", QWEN, "-o", path).exit_code == 0
    return path


def changed(model: str, folder: Path) -> str:
    """A copy with one bit of a weight changed."""
    path = folder / "changed.safetensors"
    data = bytearray(Path(model).read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    return str(path)


def test_show_the_document() -> None:
    result = call("show", EXACT, "--stage", "document", "--set", "digits=6")
    assert (result.exit_code, result.stderr) == (0, "")
    assert "extends" not in result.stdout
    assert "\n  v_scale: 1e8\n" in result.stdout
    assert "\n  addition: {base: 10, digits: 6}\n" in result.stdout


def test_the_shown_document_is_a_spec(tmp_path: Path) -> None:
    path = tmp_path / "again.yaml"
    path.write_text(call("show", EXACT, "--stage", "document").stdout, encoding="utf-8")
    assert call("diff", EXACT, str(path)).exit_code == 0
    assert call("show", str(path), "--stage", "document").stdout == path.read_text(encoding="utf-8")


def test_show_the_document_as_json() -> None:
    found = call_json("show", EXACT, "--stage", "document")
    assert (found["name"], found["parameters"]["v_scale"]) == ("tiny95-exact", 1e8)
    assert found["constants"]["digit_scale"] == "base ** digits"
    assert list(found["network"])[:2] == ["embedding", "attention layer0"]


def test_the_stage_of_a_wrong_spec_or_call() -> None:
    assert "[unknown-name]" in call("show", INVALID, "--stage", "document").stderr
    for arguments in (("embedding.weight", "--stage", "document"), ("--stage", "nonsense")):
        assert call("show", TINY, *arguments).exit_code == 2


def test_build_says_what_it_saved(tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    result = call("build", TINY, "-o", str(path))
    assert result.exit_code == 0
    assert f"saved {path}, {path.stat().st_size:,} bytes" in result.stdout
    found = call_json("build", TINY, "--output", str(path))
    assert (found["file"], found["bytes"], found["parameters"]) == (str(path), path.stat().st_size, 1376)
    assert [entry.name for entry in tmp_path.iterdir()] == ["m.safetensors"]


def test_build_saves_and_evaluates(tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    suite = ("--suite", "carries", "--pairs", "20")
    result = call("build", TINY, "--eval", "-o", str(path), *suite)
    assert result.exit_code == 0
    assert "20 of 20 right" in result.stdout
    assert path.exists()
    found = call_json("build", TINY, "--eval", "-o", str(path), *suite)
    assert (found["right"], found["file"]) == (20, str(path))


def test_every_command_reads_a_saved_model(model: str) -> None:
    assert call("validate", model).stdout.startswith(f"{model}: ok, ")
    assert "layer" not in call("show", model).stdout
    assert call("show", model, "head.norm.weight").exit_code == 0
    assert call_json("count", model)[0]["counts"] == call_json("count", QWEN)[0]["counts"]
    assert call("diff", QWEN, model).exit_code == call("diff", model, model).exit_code == 0
    assert call("diff", model, "--set", "w_b=129").exit_code == 1
    assert call("run", model, "12", "30").stdout.startswith("12 + 30 = 42")
    assert call("run", model, "1", "2", "--set", "digits=3").exit_code in (0, 1)
    arguments = ("--suite", "edges")
    assert call_json("eval", model, *arguments)["right"] == call_json("eval", QWEN, *arguments)["right"]
    assert call("build", model).stdout == call("build", QWEN).stdout


def test_a_saved_model_can_be_saved_again(model: str, tmp_path: Path) -> None:
    path = tmp_path / "again.safetensors"
    assert call("build", model, "-o", str(path)).exit_code == 0
    assert path.read_bytes() == Path(model).read_bytes()
    assert call("build", str(path), "-o", str(path)).exit_code == 0
    assert path.read_bytes() == Path(model).read_bytes()


def test_no_torch_where_only_the_spec_is_read(model: str) -> None:
    codes, _, errors = called(*([command, model] for command in ("show", "count", "validate")))
    assert (codes, errors) == ([0] * 3, "")


@pytest.mark.parametrize("command", ON_A_SPEC, ids=lambda command: command[0])
def test_no_command_takes_a_damaged_file(command: tuple[str, ...], model: str, tmp_path: Path) -> None:
    path = tmp_path / "cut.safetensors"
    path.write_bytes(Path(model).read_bytes()[:200])
    for bad in (path, tmp_path, tmp_path / "nowhere.safetensors"):
        result = call(*command_on(command, str(bad)))
        assert (result.exit_code, result.stdout) == (2, "")
        assert result.stderr.startswith(str(bad))


def test_changed_weights_are_an_error_where_a_model_is_built(model: str, tmp_path: Path) -> None:
    path = changed(model, tmp_path)
    for arguments in (("build",), ("build", "--eval"), ("eval",), ("run", "1", "2"), ("build", "--set", "w_b=129")):
        result = call(*command_on(arguments, path))
        assert (result.exit_code, result.stdout) == (2, "")
        assert "[weights-differ]" in result.stderr
        assert "weights differ from the spec inside, first in '" in result.stderr
    assert call("count", path).exit_code == 0


def test_a_missing_model_names_a_similar_one(model: str) -> None:
    result = call("count", model.replace("qwen20", "qwen21"))
    assert f"did you mean {model}?" in result.stderr


@pytest.mark.parametrize(
    ("name", "code", "says"),
    [
        ("m.pt", "bad-value", "the name has to end in .safetensors"),
        ("nowhere/m.safetensors", "cannot-write", "No such file or directory"),
        ("file/m.safetensors", "cannot-write", "Not a directory"),
        ("folder.safetensors", "cannot-write", "directory"),
        (f"{'x' * 300}.safetensors", "cannot-write", "name too long"),
    ],
    ids=["suffix", "no folder", "a file as folder", "a folder", "long"],
)
@pytest.mark.parametrize("options", [(), ("--eval", "--pairs", "4")], ids=["build", "eval"])
def test_where_a_model_cannot_be_written(
    tmp_path: Path, name: str, code: str, says: str, options: tuple[str, ...]
) -> None:
    (tmp_path / "folder.safetensors").mkdir()
    (tmp_path / "file").touch()
    result = call("build", TINY, "-o", str(tmp_path / name), *options)
    assert (result.exit_code, result.stdout) == (2, "")
    assert f"[{code}]" in result.stderr
    assert says in result.stderr
    found = call_json("build", TINY, "-o", str(tmp_path / name), *options, exit_code=2)
    assert [one["code"] for one in found["errors"]] == [code]
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["file", "folder.safetensors"]


def test_a_folder_that_may_not_be_written(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    if os.access(tmp_path, os.W_OK):
        pytest.skip("root writes everywhere")
    result = call("build", TINY, "-o", str(tmp_path / "m.safetensors"))
    assert result.exit_code == 2
    assert "Permission denied" in result.stderr


def test_a_wrong_spec_leaves_the_old_file(model: str, tmp_path: Path) -> None:
    path = tmp_path / "old.safetensors"
    path.write_bytes(b"old")
    assert call("build", INVALID, "-o", str(path)).exit_code == 2
    assert path.read_bytes() == b"old"


def test_a_disk_that_is_full_leaves_the_old_file(tmp_path: Path) -> None:
    """The kernel stops the write after one kilobyte; the model takes more."""
    path = tmp_path / "old.safetensors"
    path.write_bytes(b"old")
    line = f"ulimit -f 1; exec {sys.executable} {CLI} build {TINY} -o {path}"
    done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, timeout=120)
    assert done.returncode == 2
    assert "[cannot-write]" in done.stderr
    assert "Traceback" not in done.stderr
    assert path.read_bytes() == b"old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["old.safetensors"]


def test_the_metadata_names_the_variant(tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    assert call("build", TINY, "--set", "digits=3", "-o", str(path)).exit_code == 0
    data = path.read_bytes()
    header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    assert "digits: 3" in header["__metadata__"]["spec"]
    assert compiler.load(path).settings == ()
    assert call("count", str(path)).exit_code == 0  # the claims were about ten digits, and are not in the file
