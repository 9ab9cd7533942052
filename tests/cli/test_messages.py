"""What is said of a call that is almost right: the file, the setting or the inputs that were meant."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

import cli
from tests.helpers import SPECS

MATRIX = """\
weightspec: 1
extends: mine.yaml
parameters: {Q: [[1, 2, 3], [4, 5, 6]], v: [1, 2], whole: "[[1, 2], [3, 4]]"}
ignore: unused-name
"""


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a spec, a variant of it that has matrices, and files that are no specs."""
    shutil.copy(SPECS / "reverse.yaml", tmp_path / "mine.yaml")
    (tmp_path / "matrix.yaml").write_text(MATRIX, encoding="utf-8")
    (tmp_path / "model.pt").write_bytes(b"PK\x03\x04\xff\xfe")
    (tmp_path / "script.py").write_text("import torch\n", encoding="utf-8")
    (tmp_path / "long.py").write_text("import torch\n\nsizes = {1: 2}\n\ndef f(x):\n    return x\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def call(*words: str) -> Result:
    return CliRunner().invoke(cli.main, words)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("validate", "mine.yml"), "hint: did you mean mine.yaml?"),
        (("count", "mine"), "hint: did you mean mine.yaml?"),
        (("diff", "mine.json", "mine.yaml"), "hint: did you mean mine.yaml?"),
        (("validate", "mien.yaml"), "hint: did you mean mine.yaml?"),
        (("count", "model.pt"), "hint: a model of another program is no spec: `diff SPEC FILE` compares its tensors"),
        (("eval", "script.py"), "hint: a program is no spec: docs/from-script.md turns one into a spec"),
        (("validate", "long.py"), "hint: a program is no spec: docs/from-script.md turns one into a spec"),
        (("count", "mine.yaml", "--set", "length", "=", "3"), "--set takes one word: --set length=3"),
        (("count", "mine.yaml", "--set", "length", "=3"), "--set takes one word: --set length=3"),
        (("count", "--set", "length=", "3", "mine.yaml"), "--set takes one word: --set length=3"),
        (("run", "mine.yaml", "-3", "4"), "Inputs that begin with - stand behind --, as in `run SPEC -- -3 4`."),
        (("run", "mine.yaml", "3", "-4"), "Inputs that begin with - stand behind --, as in `run SPEC -- -3 4`."),
        (("validate", "matrix.yaml", "--set", "Q[2, 0]=1"), "index 2 is out of range: 'Q' has 0 to 1 there"),
        (("validate", "matrix.yaml", "--set", "Q[1][3]=1"), "index 3 is out of range: 'Q[1]' has 0 to 2 there"),
        (("validate", "matrix.yaml", "--set", "v[0, 1]=1"), "'v' is not written as a list with so many indices"),
        (("validate", "matrix.yaml", "--set", "whole[0, 1]=1"), "hint: set it as a whole: --set 'whole=…'"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_a_call_that_is_almost_right_is_told_what_was_meant(words: tuple[str, ...], says: str) -> None:
    result = call(*words)
    assert result.exit_code == 2
    assert says in result.output
    assert result.output.count("rror: ") == 1


def test_what_follows_two_dashes_is_an_input() -> None:
    assert "'-3' is no decimal number" in call("run", "tiny95", "--", "-3", "4").output


@pytest.mark.parametrize("name", ["Q[1, 2]", "Q[1,2]", "Q[1][2]", "Q [1, 2] ", "parameters.Q[1, 2]"])
def test_an_element_of_a_matrix_is_set_as_the_language_writes_it(name: str) -> None:
    shown = call("show", "matrix.yaml", "--stage", "document", "--set", f"{name}=-2")
    assert "Q: [[1, 2, 3], [4, 5, -2]]" in shown.stdout, shown.output


def test_an_empty_value_may_stand_before_a_spec() -> None:
    assert "expected a number, a name" in call("count", "--set", "length=", "mine.yaml").output
