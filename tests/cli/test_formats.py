"""One file of each format and version is kept in `tests/data/formats`: it is read today, and a newer one is refused."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

import compiler
import compiler.evaluation.saved_runs
from compiler.backends.torch.saving import load_model, spec_text
from compiler.evaluation.saved_runs import RUN_FORMAT, DamagedState, SavedRun
from compiler.source.diagnostics import SpecError
from compiler.source.saved import FILE_FORMAT, spec_hash
from compiler.source.schema import format_version
from compiler.terminal import shapes
from compiler.terminal.certificates import CERTIFICATE_FORMAT
from tests.cli.json_shapes import problems
from tests.cli.test_cli import call, call_json

KEPT = Path(__file__).parents[1] / "data" / "formats"
SPEC, MODEL, RUN, CERTIFICATE = (
    KEPT / name for name in ("spec-1.yaml", "model-1.safetensors", "run-2.json", "certificate-2.json")
)
VERSIONS = {"spec": format_version(), "model": FILE_FORMAT, "run": RUN_FORMAT, "certificate": CERTIFICATE_FORMAT}


@pytest.mark.parametrize(("kind", "version"), VERSIONS.items())
def test_one_of_each_version_is_kept(kind: str, version: int) -> None:
    assert sorted(path.stem for path in KEPT.glob(f"{kind}-*")) == [f"{kind}-{n}" for n in range(1, version + 1)]


def with_metadata(folder: Path, **changes: str) -> Path:
    """The kept model with other metadata."""
    data = MODEL.read_bytes()
    start = 8 + int.from_bytes(data[:8], "little")
    header = json.loads(data[8:start])
    header["__metadata__"].update(changes)
    text = json.dumps(header).encode()
    path = folder / "m.safetensors"
    path.write_bytes(len(text).to_bytes(8, "little") + text + data[start:])
    return path


def newer_spec(folder: Path) -> Path:
    """A spec of a format that has other keys."""
    path = folder / "newer.yaml"
    path.write_text("weightspec: 2\nmodel: [newer]\n", encoding="utf-8")
    return path


def newer_base(folder: Path) -> Path:
    newer_spec(folder)
    path = folder / "variant.yaml"
    path.write_text("weightspec: 1\nextends: newer.yaml\n", encoding="utf-8")
    return path


def newer_model(folder: Path) -> Path:
    return with_metadata(folder, file_format="2")


def model_of_a_newer_spec(folder: Path) -> Path:
    text = SPEC.read_text(encoding="utf-8").replace("weightspec: 1", "weightspec: 2")
    return with_metadata(folder, weightspec="2", spec=text, spec_sha256=spec_hash(text))


@pytest.mark.parametrize("make", [newer_spec, newer_base, newer_model, model_of_a_newer_spec])
@pytest.mark.parametrize("command", ["validate", "count", "eval", "report"])
def test_what_a_newer_version_wrote_is_refused_with_what_to_do(command: str, make: object, tmp_path: Path) -> None:
    assert callable(make)
    result = call(command, str(make(tmp_path)))
    assert result.exit_code == 2
    assert result.stderr.count("error: ") == 1
    assert "newer weightspec" in result.stderr
    assert "hint: upgrade weightspec" in result.stderr


def test_a_newer_spec_is_not_formatted_by_the_rules_of_this_version(tmp_path: Path) -> None:
    path = newer_spec(tmp_path)
    path.write_text(path.read_text() + "other:   1\n", encoding="utf-8")
    before = path.read_bytes()
    result = call("fmt", str(path))
    assert result.exit_code == 2
    assert "newer weightspec" in result.stderr
    assert path.read_bytes() == before


def test_the_kept_spec_is_read() -> None:
    assert call("validate", str(SPEC)).exit_code == 0


def test_the_kept_model_is_read(tmp_path: Path) -> None:
    """It was written before the format of the file had a version."""
    assert "file_format" not in MODEL.read_bytes().decode("latin-1")
    assert call_json("eval", str(MODEL), "--suite", "uniform", "--pairs", "3")["pairs"] == 3
    assert list(load_model(MODEL).state_dict()) == ["embedding.weight"]
    again = tmp_path / "again.safetensors"
    assert call("build", str(MODEL), "-o", str(again)).exit_code == 0
    assert list(load_model(again).state_dict()) == ["embedding.weight"]
    assert "file_format" in again.read_bytes().decode("latin-1")


def test_a_model_whose_weights_would_be_others_today_says_how_to_build_it_again(tmp_path: Path) -> None:
    text = SPEC.read_text(encoding="utf-8").replace("one: 1", "one: 2")
    result = call("eval", str(with_metadata(tmp_path, spec=text, spec_sha256=spec_hash(text))))
    assert result.exit_code == 2
    assert "build it again with `build -o`" in result.stderr


def test_the_state_of_a_run_of_an_older_version_is_made_anew(tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    shutil.copy(KEPT / "run-1.json", path)
    path.chmod(0o600)
    with pytest.raises(DamagedState, match="an older weightspec wrote it"):
        SavedRun(path, json.loads(path.read_text(encoding="utf-8"))["run"]).load([])


def test_the_kept_state_of_a_run_is_gone_on_with(tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    shutil.copy(RUN, path)
    path.chmod(0o600)
    kept = json.loads(path.read_text(encoding="utf-8"))
    run = SavedRun(path, kept["run"])
    parts = compiler.load(SPEC).resolved.task.suites()["uniform"].parts(20, 0)
    state = run.load(parts)
    assert state is not None
    assert (state.done, state.right) == (5, 0)
    assert [failure.text for failure in state.tallies[0].failures][:2] == ["1 + 0", "1 + 1"]
    path.write_text(json.dumps({**kept, "format": RUN_FORMAT + 1}), encoding="utf-8")
    with pytest.raises(SpecError, match="newer weightspec"):
        run.load(parts)


def test_the_kept_certificate_has_the_fields_that_it_would_have_today() -> None:
    """A field may have been added since, and that is all."""
    (kept,) = certificates = json.loads(CERTIFICATE.read_text(encoding="utf-8"))
    assert kept["format"] == CERTIFICATE_FORMAT
    assert kept["spec_sha256"] == spec_hash(spec_text(compiler.load(SPEC)))
    assert [one for one in problems(certificates, list[shapes.Certificate]) if ": no field " not in one] == []


@pytest.mark.parametrize("version", range(1, CERTIFICATE_FORMAT + 1))
@pytest.mark.parametrize("command", ["verify", "validate", "count"])
def test_a_certificate_of_any_version_is_refused_with_the_call_that_makes_it_anew(command: str, version: int) -> None:
    result = call(command, str(KEPT / f"certificate-{version}.json"))
    assert result.exit_code == 2
    assert "certificate of `verify`" in result.stderr
    assert "`verify spec-1.yaml -o FILE.json`" in result.stderr
