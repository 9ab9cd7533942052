"""Warnings: each kind there is, switched off or made an error; and weights that overflow."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

import compiler
from compiler.language.warnings import WARNINGS
from compiler.pipeline import load
from compiler.source.diagnostics import SpecError
from tests.cli.test_cli import call
from tests.helpers import small

QUIET = """
embedding:
  digit[d]: {x: d}
ffn:
  hidden: u[2]
  up u[i]: (i + 1) * x
  down y: u[0]
head:
  classes: 4
  logits digit[d]: d * x
"""
FIVE_OF_FOUR = """\
  sizes: {length: {from: 4, to: 5}}
  given: {word: digit*length}
  answers: {first: digit}
  only: distinct(word)
  equations: {first: "word[0]"}
  prompt: word
  answer: first
"""
BACKWARDS = """\
  reverse: {symbols: 4, length: 2}
  prompt: word
  answer: {in_place: word}
"""
CASES = {  # what is changed, for one warning of each kind
    "unused-name": ("definitions", "constants: {lost: 2}"),
    "no-claims": ("expect", ""),
    "underflow": ("up u[i]: (i + 1) * x", "up u[i]: 1e-60 * x"),
    "overflow": ("ffn:", "attention:\n  softmax: plus_one\n  score head: 100 + key_pos\nffn:"),
    "inexact-integer": ("up u[i]: (i + 1) * x", "up u[i]: 16777217 * x"),
    "vanishing-equation": ("up u[i]: (i + 1) * x", "up u[i]: (i - i) * x"),
    "unlisted-logit": ("  classes: 4\n", ""),
    "silent-symbol": ("classes: 4", "classes: 3"),
    "moved-dimension": ("  down y: u[0]\n", "  down y: u[0]\n  stream: y x\n"),
    "zero-epsilon": ("ffn:\n", "ffn:\n  norm: {rms: 0}\n"),
    "no-input": ("task", FIVE_OF_FOUR),
    "unseen-token": ("task", BACKWARDS),
    "suspicious-index": ("up u[i]: (i + 1) * x", "up u[numbr]: 2 * x"),
}


def write(folder: Path, code: str = "") -> Path:
    old, new = CASES.get(code, ("", ""))
    elsewhere = old in ("", "definitions", "expect", "task")
    steps = QUIET if elsewhere else QUIET.replace(old, new)
    assert elsewhere or steps != QUIET
    definitions = "constants: {number: 3}\nparameters: {p: number}\n"
    steps = steps.replace("digit[d]: {x: d}", "digit[d]: {x: d, y: p}")
    text = small(steps, stream="x y", definitions=definitions, dtype="float32")
    if code == "unused-name":
        text = text.replace("number: 3", "number: 3, lost: 2")
    if old == "task":
        head, _, rest = text.partition("  addition: ")
        text = f"{head}{new}{rest[rest.index('stream: ') :]}"
    if code != "no-claims":
        text += "expect: {note: none}\n"
    path = folder / "small.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_nothing_is_suspicious_here(tmp_path: Path) -> None:
    assert load(write(tmp_path), strict=True).warnings == ()


def test_there_is_a_case_for_every_warning() -> None:
    assert set(CASES) == set(WARNINGS)


@pytest.mark.parametrize("code", CASES)
def test_each_can_be_switched_off_or_made_an_error(tmp_path: Path, code: str) -> None:
    path = write(tmp_path, code)
    assert [one.code for one in load(path).warnings] == [code]
    assert load(path, ignore=[code], strict=True).warnings == ()
    with pytest.raises(SpecError) as caught:
        load(path, strict=True)
    assert [(one.code, one.severity) for one in caught.value.diagnostics] == [(code, "error")]
    path.write_text(f"ignore: {code}\n{path.read_text(encoding='utf-8')}", encoding="utf-8")
    assert load(path, strict=True).warnings == ()


@pytest.mark.parametrize("code", ["nonsense", "unused_name", ""])
def test_unknown_codes(tmp_path: Path, code: str) -> None:
    with pytest.raises(SpecError, match="no warning is called"):
        load(write(tmp_path), ignore=[code])


def test_on_the_command_line(tmp_path: Path) -> None:
    path = str(write(tmp_path, "underflow"))
    for command in ("validate", "show", "count"):
        assert call(command, path).exit_code == 0
        assert "[underflow]" in call(command, path).stderr
        assert call(command, path, "--strict").exit_code == 2
        assert call(command, path, "--strict", "--ignore", "underflow").exit_code == 0
        assert call(command, path, "--ignore", "underflow").stderr == ""


@pytest.mark.parametrize(("written", "stored"), [("1e39", torch.inf), ("-1e39", -torch.inf), ("10 ** 400", torch.inf)])
def test_weights_that_overflow(tmp_path: Path, written: str, stored: float) -> None:
    path = tmp_path / "small.yaml"
    text = small(QUIET.replace("d * x", f"{written} * x"), stream="x y", dtype="float32")
    path.write_text(f"ignore: no-claims\n{text}", encoding="utf-8")
    with pytest.raises(SpecError) as caught:
        load(path)
    assert [one.code for one in caught.value.diagnostics] == ["overflow"]
    spec = load(path, allow_overflow=True)
    assert [(one.code, one.severity) for one in spec.warnings] == [("overflow", "warning")]
    weight = compiler.build(spec).state_dict()["head.logits.weight"]
    assert weight[:, 0].tolist() == [stored] * 4
    saved = tmp_path / "small.safetensors"
    compiler.save_model(spec, compiler.build(spec), saved)
    assert torch.equal(compiler.load_model(saved).state_dict()["head.logits.weight"], weight)
