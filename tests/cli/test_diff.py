"""`diff` on the command line: what is said of files, of names and of long texts, and what a map of names may be."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch

import compiler
from tests.cli.test_cli import QWEN, call, call_json
from tests.cli.test_saving_cli import changed
from tests.helpers import small


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A saved model, its state dict, and that under other names with one number changed by an ulp."""
    made = tmp_path_factory.mktemp("models")
    assert call("build", QWEN, "-o", str(made / "q.safetensors")).exit_code == 0
    state = compiler.build(compiler.load(QWEN)).state_dict()
    torch.save(state, made / "q.pt")
    other = {f"m.{name}": tensor.clone() for name, tensor in state.items()}
    torch.save(other, made / "renamed.pt")
    norm = other["m.head.norm.weight"]
    norm[0] = torch.nextafter(norm[0], torch.tensor(torch.inf))
    torch.save(other, made / "nudged.pt")
    (made / "names.yaml").write_text("".join(f"{name}: m.{name}\n" for name in state), encoding="utf-8")
    return made


def test_the_tensors_of_a_saved_model_are_read(folder: Path, tmp_path: Path) -> None:
    whole = call("diff", QWEN, str(folder / "q.safetensors"))
    assert whole.exit_code == 0
    assert "tensors were read; they are those of the spec inside\nno difference between" in whole.stdout
    path = changed(str(folder / "q.safetensors"), tmp_path)
    for arguments in ((QWEN, path), (path, QWEN), (str(folder / "q.safetensors"), path)):
        result = call("diff", *arguments)
        assert result.exit_code == 1
        assert "not those of the spec inside, and `build` refuses them" in result.stdout
        assert re.search(r"tensor   head.norm.weight: 1 of 2 numbers differ, by at most .*, which is \d", result.stdout)
    assert call("diff", path, path).exit_code == 0
    assert call("diff", path, "--set", "w_b=128").exit_code == 1


def test_what_is_no_ulp_is_said_in_words(tmp_path: Path) -> None:
    """Numbers that one dtype cannot tell apart, and the two zeros: `0 ulp` would read as equal."""
    tensors = {
        "wide": {"w": torch.tensor([0.1, 1.0], dtype=torch.float64)},
        "narrow": {"w": torch.tensor([0.1, 1.0])},
        "zero": {"w": torch.tensor([0.0, 1.0])},
        "minus": {"w": torch.tensor([-0.0, 1.0])},
    }
    for name, state in tensors.items():
        torch.save(state, tmp_path / f"{name}.pt")
    for first, second, said in (
        ("wide", "narrow", "1 of 2 numbers differ, by at most 1.4901161138336505e-09, which rounding to float32 takes"),
        ("zero", "minus", "1 of 2 numbers differ, by at most the sign of a zero"),
    ):
        result = call("diff", str(tmp_path / f"{first}.pt"), str(tmp_path / f"{second}.pt"))
        assert result.exit_code == 1
        assert said in result.stdout
        assert "0 ulp" not in result.stdout


@pytest.mark.parametrize(
    ("second", "mapped", "code", "says"),
    [
        ("q.pt", False, 0, ["no difference between qwen20 and q.pt"]),
        ("renamed.pt", False, 1, ["equal up to names: every tensor is the same", "names    tensor", "→ m."]),
        ("renamed.pt", True, 0, ["no difference between qwen20 and renamed.pt"]),
        (
            "nudged.pt",
            True,
            1,
            ["tensor   head.norm.weight → m.head.norm.weight: 1 of 2 numbers differ", "1 ulp in float32"],
        ),
    ],
)
def test_a_state_dict(folder: Path, second: str, mapped: bool, code: int, says: list[str]) -> None:
    options = ("--map", str(folder / "names.yaml")) if mapped else ()
    for first in (QWEN, str(folder / "q.safetensors")):
        result = call("diff", first, str(folder / second), *options)
        assert (result.exit_code, result.stderr) == (code, "")
        for text in says:
            assert text in result.stdout
        assert "counts" not in result.stdout
        found = call_json("diff", first, str(folder / second), *options, exit_code=code)
        assert found["equal"] == (code == 0)
        assert [(one["name_after"], one["ulps"]) for one in found["tensors"]] == (
            [("m.head.norm.weight", 1)] if second == "nudged.pt" else []
        )


@pytest.mark.parametrize(
    ("text", "places"),
    [
        ("a: b\n", [("unknown-name", 1, 1), ("unknown-name", 1, 4)]),
        ("embedding.weight: m.embedding.weight\nhead.norm.weigth: m.head.norm.weight\n", [("unknown-name", 2, 1)]),
        ("ffn.up.weight: m.ffn.up.weight\nffn.down.weight: m.ffn.up.weight\n", [("bad-map", 2, 18)]),
        ("ffn.up.weight: [m.ffn.up.weight]\n", [("bad-map", 1, 16)]),
        ("ffn.up.weight: m.ffn.up.weight\nffn.up.weight: m.ffn.up.weight\n", [("duplicate-key", 2, 1)]),
        ("{}\n", [("bad-map", 1, 1)]),
        ("- ffn.up.weight\n", [("bad-map", 1, 1)]),
        ("", [("empty", 1, 1)]),
        ("a: [\n", [("yaml-syntax", 1, 5)]),
    ],
)
def test_a_map_that_is_wrong(folder: Path, tmp_path: Path, text: str, places: list[tuple[str, int, int]]) -> None:
    path = tmp_path / "names.yaml"
    path.write_text(text, encoding="utf-8")
    found = call_json("diff", QWEN, str(folder / "renamed.pt"), "--map", str(path), exit_code=2)
    assert [(one["code"], one["line"], one["column"]) for one in found["errors"]] == places
    assert {one["file"] for one in found["errors"]} == {str(path)}
    assert not any("weightspec" in (one["hint"] or "") for one in found["errors"])  # it is no spec


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("q.pt", "nudged.pt", "--set", "w_b=1"), "--set is for specs"),
        (("q.pt", "--map", "names.yaml"), "two models"),
        (("q.safetensors", "--set", "w_b=1", "--map", "names.yaml"), "--map is for two models"),
        (("q.pt", "nowhere.pt"), "no such file"),
        (("q.pt", "nowhere.safetensors"), "no such file"),
        (("q.pt", "nudged.pt", "--map", "nowhere.yaml"), "no such file"),
    ],
)
def test_a_call_that_makes_no_sense(
    folder: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], says: str
) -> None:
    monkeypatch.chdir(folder)
    result = call("diff", *arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert says in result.stderr


def test_a_number_that_is_a_parameter_now(tmp_path: Path) -> None:
    for name, section in (("before", "constants"), ("after", "parameters")):
        text = small("embedding:\n  digit[d]: {x: k}\n", definitions=f"{section}: {{k: 3}}")
        (tmp_path / f"{name}.yaml").write_text(text, encoding="utf-8")
    result = call("diff", str(tmp_path / "before.yaml"), str(tmp_path / "after.yaml"))
    assert result.exit_code == 1
    assert re.search(r"^constant → parameter +k +3 +3 +4 → 4$", result.stdout, flags=re.MULTILINE)
    assert "every number and option of the networks is the same" in result.stdout


TALL = "parameters:\n  Q: [" + ", ".join(f"[0.{row}25, 0.{row}5, 0.{row}75]" for row in range(1, 7)) + "]"


@pytest.mark.parametrize("place", [(0, 0), (1, 2), (3, 1), (5, 2)])
def test_where_long_texts_differ_is_seen(tmp_path: Path, place: tuple[int, int]) -> None:
    path = tmp_path / "tall.yaml"
    path.write_text(small("embedding: Q\n", definitions=TALL), encoding="utf-8")
    result = call("diff", str(path), "--set", f"Q[{place[0]}][{place[1]}]=-2")
    assert result.exit_code == 1
    (line,) = [line for line in result.stdout.splitlines() if line.startswith("parameter")]
    _, _, before, after, _ = re.split(" {2,}", line.strip())
    assert before != after
    assert "-2" in after
    assert f"0.{place[0] + 1}{('25', '5', '75')[place[1]]}" in before


def test_ties_and_products_are_shown(tmp_path: Path) -> None:
    network = """
embedding:
  digit[d]: {{x: d, y: 1}}
ffn:
  hidden: u v
  up: {up}
  down: "[[1, 0], [0, 1], [0, 0]]"
ffn more:
  hidden: u v
  up: {more}
  down: ffn.down
"""
    matrix = '"[[1, 0, 1], [2, 0, 2]]"'
    sides = [(matrix, matrix), ('"[[1], [2]] @ [[1, 0, 1]]"', "ffn.up")]
    for name, (up, more) in zip(("before", "after"), sides, strict=True):
        (tmp_path / f"{name}.yaml").write_text(small(network.format(up=up, more=more)), encoding="utf-8")
    result = call("diff", str(tmp_path / "before.yaml"), str(tmp_path / "after.yaml"))
    assert result.exit_code == 1
    assert "\nequal multiplied out, apart from ties: every number and option" in result.stdout
    assert "\ntie      more.ffn.up.weight: a tensor of its own → tied to ffn.up.weight\n" in result.stdout
    assert "\nproduct  ffn.up.weight → ffn.up.weight @ ffn.up.inner.weight: equal multiplied out\n" in result.stdout
    assert "removed" not in result.stdout
