"""Numbers that commands print: as they were written, and as short as they read back."""

from __future__ import annotations

from pathlib import Path

import pytest

from compiler.expressions.floats import FORMATS, round_to
from tests.cli.test_cli import call, call_json
from tests.helpers import small

NETWORK = "embedding:\n  digit[d]: {{x: 1}}\nffn:\n  hidden: u\n  up u: {formula}\n  down y: u\n"


def written(folder: Path, formula: str, definitions: str = "", dtype: str = "float64", name: str = "small") -> str:
    """A small spec with one formula in it."""
    path = folder / f"{name}.yaml"
    text = small(NETWORK.format(formula=formula), definitions=definitions, dtype=dtype)
    path.write_text(text, encoding="utf-8")
    return str(path)


@pytest.mark.parametrize(
    ("dtype", "formula", "definitions", "message"),
    [
        ("float32", "(2 ** 24 + 1) * x", "", "the weight is 16777217, which float32 cannot hold: it becomes 16777216"),
        ("float32", "-16777217 * x", "", "the weight is -16777217, which float32 cannot hold: it becomes -16777216"),
        ("bfloat16", "257 * x", "", "the weight is 257, which bfloat16 cannot hold: it becomes 256"),
        ("float16", "x + 2049", "", "the weight is 2049, which float16 cannot hold: it becomes 2048"),
        ("float64", "(2 ** 53 + 1) * x", "", "the weight is 9007199254740993, which float64 cannot hold"),
        ("float64", "(10 ** 30 + 1) * x", "", "the weight is an integer of 100 bits, which float64 cannot hold"),
        (
            "float32",
            "p * x",
            "parameters: {p: 16777217}",
            "p is 16777217, which float32 cannot hold: it becomes 16777216",
        ),
        ("float32", "p[1] * x", "parameters: {p: [1, 2 ** 24 + 3]}", "p[1] is 16777219, which float32 cannot hold"),
        ("float32", "1e-60 * x", "", "the weight is 1e-60, which becomes zero in float32"),
        ("float16", "x + 1e-9", "", "the weight is 1e-09, which becomes zero in float16"),
        ("float16", "70000 * x", "", "the weight is 70000, which does not fit into float16: it is stored as inf"),
        (
            "float16",
            "-65520.5 * x",
            "",
            "the weight is -65520.5, which does not fit into float16: it is stored as -inf",
        ),
    ],
)
def test_a_warning_names_the_number_that_was_written(
    tmp_path: Path, dtype: str, formula: str, definitions: str, message: str
) -> None:
    path = written(tmp_path, formula, definitions, dtype)
    assert message in call("validate", path, "--allow-overflow").stderr


def test_an_equation_warns_of_the_first_of_its_numbers(tmp_path: Path) -> None:
    path = tmp_path / "small.yaml"
    path.write_text(small("embedding:\n  digit[d]: {x: 2 ** 24 + 1 + 2 * d}\n", dtype="float32"), encoding="utf-8")
    (warning,) = (line for line in call("validate", str(path)).stderr.splitlines() if "[inexact-integer]" in line)
    assert "is 16777217, which" in warning


@pytest.mark.parametrize(
    ("definitions", "formula", "shown"),
    [
        ("constants: {phi: 0.3}", "phi * x", "phi = 0.3"),
        ("constants: {phi: -0.3}", "phi * x", "phi = -0.3"),
        ("constants: {phi: ' 0.3 '}", "phi * x", "phi = 0.3"),
        ("constants: {phi: (0.3)}", "phi * x", "0.3 in phi"),
        ('constants: {phi: "-(0.3)"}', "phi * x", "0.3 in phi"),
        ("constants: {phi: sqrt(0.3)}", "phi * x", "0.3 in phi"),
        ("constants: {phi: [0.3, 1]}", "phi[0] * x", "0.3 in phi"),
        ("constants: {psi: 0.3, phi: psi + 1}", "phi * x", "psi = 0.3"),
        ("constants: {phi: base + 1}", "phi * x", "base = 4"),
        ("constants: {phi: pi}", "phi * x", "pi = 3.141592653589793"),
        ("", "0.3 * x", "0.3"),
    ],
)
def test_a_number_in_a_formula_does_not_read_as_the_value_of_its_name(
    tmp_path: Path, definitions: str, formula: str, shown: str
) -> None:
    path = written(tmp_path, formula, definitions)
    assert f"\nhard-coded in small: {shown} (line " in call("count", path).stdout
    assert f"\n{shown} " in call("count", path, "--hard-coded").stdout
    assert f"\nhard_coded of small: {shown} (line " in call("count", path, "--assert", "hard_coded=7").stdout
    name = shown.partition(" = ")[0] if "=" in shown else "phi"
    marked = shown.replace(name, f"`{name}`")
    assert f"Hard-coded: {marked} (line " in call("report", path, "--suite", "carries", "--pairs", "1").stdout
    (item,) = call_json("count", path)[0]["hard_coded"]
    assert item["whole"] is ("=" in shown)


def test_a_number_that_is_set_is_all_of_its_name(tmp_path: Path) -> None:
    path = written(tmp_path, "phi * x", "constants: {phi: sqrt(0.3)}")
    assert "phi = 0.5 (--set:1)" in call("count", path, "--set", "phi=0.5").stdout
    assert "0.5 in phi (--set:1)" in call("count", path, "--set", "phi=sqrt(0.5)").stdout


# The shortest text

SHORT = "constants: {c: -0.001}\nparameters: {p: -0.001, v: [0.1, 2048], q: p / 3}"
STEPS = """
embedding:
  digit[d]: {x: 1}
attention: {mask: -0.1, scale: 0.3}
ffn:
  let: {w: 2 * p}
  hidden: u
  up u: p * x + v[0] * y + q * z + w
  down y: u
"""
THIRDS = {
    "float64": "-0.0003333333333333333",
    "float32": "-0.00033333336",
    "bfloat16": "-0.000334",
    "float16": "-0.0003335",
}


@pytest.mark.parametrize("dtype", THIRDS)
def test_numbers_of_a_dtype_are_as_short_as_they_read_back(tmp_path: Path, dtype: str) -> None:
    path = tmp_path / "small.yaml"
    path.write_text(small(STEPS, definitions=SHORT, dtype=dtype), encoding="utf-8")
    third = THIRDS[dtype]
    overview = call("show", str(path)).stdout
    rows = [line.split() for line in overview.splitlines()]
    assert ["c", "constant", "-0.001", "-0.001"] in rows
    assert ["p", "parameter", "-0.001", "-0.001"] in rows
    assert ["q", "parameter", "p", "/", "3", third] in rows
    assert any(row[-2:] == ["[0.1,", "2048]"] for row in rows)
    assert "scores × 0.3, standard softmax, -0.1 added to later keys" in overview
    tensor = call("show", str(path), "ffn.up.weight").stdout
    assert [line.split()[4] for line in tensor.splitlines()[2:]] == ["-0.001", "0.1", third]
    why = call("count", str(path), "--why", "ffn.up.bias[u]").stdout
    assert f"ffn.up.bias[u] = -0.002 in {dtype}, at" in why
    assert ["w", "-0.002", "let", "2", "*", "p"] in [line.split()[:6] for line in why.splitlines()]
    assert ["p", "-0.001", "parameter", "-0.001"] in [line.split()[:4] for line in why.splitlines()]
    changed = call("diff", str(path), "--set", "p=-0.003").stdout
    assert "ffn.up.weight[u, x]: -0.001 → -0.003" in changed
    assert dtype not in ("float64", "float32") or " × 3 through p" in changed
    assert "adding -0.1 to their scores" in call("lint", str(path), "--rules", "adderboard").stdout
    stored = {entry["place"]: entry["value"] for entry in call_json("show", str(path), "ffn.up.weight")["entries"]}
    assert stored["u, x"] == round_to(-0.001, FORMATS[dtype])  # scripts get all of it


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ("softmax: hard", "hard softmax (ties: share), causal mask, output"),
        ("softmax: hard\n  ties: latest\n  mask: {window: base}", "hard softmax (ties: latest), a window of 4 keys,"),
        ("mask: {window: 1}", "standard softmax, a window of one key,"),
    ],
)
def test_hard_attention_and_windows_are_shown(tmp_path: Path, options: str, said: str) -> None:
    path = tmp_path / "small.yaml"
    path.write_text(small(f"embedding: {{'digit[d]': {{x: d}}}}\nattention:\n  {options}\n"), encoding="utf-8")
    overview = call("show", str(path)).stdout
    assert said in " ".join(overview.split())


def test_a_difference_never_shows_the_same_number_twice(tmp_path: Path) -> None:
    changed = call("diff", written(tmp_path, "0.1 * x", dtype="float32"), "--set", "dtype=float64").stdout
    assert "ffn.up.weight[u, x]: 0.10000000149011612 → 0.1" in changed
