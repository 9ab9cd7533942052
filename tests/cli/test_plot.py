"""The command `plot`: files that are pictures, what they show, and calls that are refused."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import matplotlib
import pytest

from compiler.terminal.shapes import Picture
from tests.cli.test_cli import QWEN, ROOT, TINY, call, call_json
from tests.cli.test_report import REVERSE
from tests.helpers import DATA, load_text, small

SWEPT = str(DATA / "swept.csv")
TWO = ("--set", "digits=2")
REPEAT = str(DATA / "specs" / "repeat.yaml")
NEXT_TOKEN = str(ROOT / "specs" / "tasks" / "next-token.yaml")


def shown(*arguments: str) -> Picture:
    found: Picture = call_json("plot", *arguments)
    return found


def column(picture: Picture, what: str = "texts", panel: int = 0) -> dict[str, list[Any]]:
    """What stands in the cells, by the labels of rows."""
    one: Any = picture["panels"][panel]
    return dict(zip(one["y"]["labels"], one[what], strict=True))


def test_a_map_of_verdicts_has_errors_and_missing_rows() -> None:
    picture = shown(SWEPT)
    (panel,) = picture["panels"]
    assert (picture["kind"], picture["title"], panel["colours"]) == ("heatmap", "tinyadder", None)
    assert (panel["x"]["name"], panel["x"]["labels"]) == ("digits", ["1", "4", "13"])
    assert column(picture, "states") == {
        "10": ["proved", "proved", "missing"],
        "3": ["proved", "refuted", "refuted"],
        "2": ["refuted", "refuted", "error"],
    }
    assert column(picture) == {
        "10": ["P", "P", ""],
        "3": ["P", "R 144", "R 6.59e10"],
        "2": ["R 1", "R 114", "memory"],
    }


@pytest.mark.parametrize(
    ("value", "texts", "colours"),
    [
        ("edges", ["3/4", "85/121", "memory"], (0, 1, "linear")),
        ("wrong", ["1", "114", "memory"], (1, 65851736127, "log")),
        ("margin", ["1.35e22", "1.74e20", "memory"], (4.887253710641562e16, 1.1165999999995951e24, "log")),
        ("dense", ["280", "280", "memory"], (280, 1376, "linear")),
    ],
)
def test_each_kind_of_value_has_its_texts_and_colours(
    value: str, texts: list[str], colours: tuple[float, float, str]
) -> None:
    picture = shown(SWEPT, "--value", value)
    scale = picture["panels"][0]["colours"]
    assert scale is not None
    assert (scale["low"], scale["high"], scale["spacing"]) == colours
    assert column(picture)["2"] == texts


def test_all_right_is_told_apart_from_a_share_and_zero_from_a_number() -> None:
    assert column(shown(SWEPT, "--value", "edges"), "states")["3"] == ["whole", "value", "value"]
    assert column(shown(SWEPT, "--value", "wrong"), "states")["3"] == ["zero", "value", "value"]


def test_lines_over_one_name() -> None:
    picture = shown(SWEPT, "--where", "base=3", "--value", "edges")
    (panel,) = picture["panels"]
    assert (picture["kind"], picture["title"], panel["y"]) == ("lines", "tinyadder base=3", None)
    assert panel["values"] == [[1.0, 191 / 196, 1019 / 1024]]
    several = shown(SWEPT, "--lines", "--x", "base", "--value", "edges")
    assert several["kind"] == "lines"
    assert list(column(several, "values")) == ["1", "4", "13"]


def test_a_panel_for_each_value_of_a_third_name() -> None:
    picture = shown(SWEPT, "--facet", "base", "--value", "dense")
    assert [panel["title"] for panel in picture["panels"]] == ["base = 2", "base = 3", "base = 10"]
    assert [panel["texts"] for panel in picture["panels"]] == [
        [["280", "280", "memory"]],
        [["368", "368", "368"]],
        [["1376", "1376", ""]],
    ]


@pytest.mark.parametrize("ending", [".csv", ".jsonl", ".parquet", "journal"])
def test_every_file_of_a_sweep_gives_the_same_picture(ending: str, tmp_path: Path) -> None:
    out = tmp_path / f"rows{ending}"
    written = ("--journal", str(out)) if ending == "journal" else ("--out", str(out), "--journal", str(tmp_path / "j"))
    call("sweep", REVERSE, "--set", "symbols=1,2", "--set", "length=2,3", "--suite", "edges", "--jobs", "1", *written)
    picture = shown(str(out))
    assert column(picture) == {"2": ["4/4", "5/5"], "1": ["index-range"] * 2}
    assert picture["value"] == "right answers, edges"
    (panel,) = shown(str(out), "--where", "length=2", "--where", "symbols=2", "--x", "length")["panels"]
    assert panel["texts"] == [["4"]]  # of 4 inputs, which the title says


@pytest.mark.parametrize("ending", [".png", ".svg"])
def test_a_picture_is_written_the_same_each_time(ending: str, tmp_path: Path) -> None:
    path = tmp_path / f"map{ending}"
    before = dict(matplotlib.rcParams)
    first, second = ((call("plot", SWEPT, "-o", str(path)), path.read_bytes()) for _ in range(2))
    assert first[0].stdout == f"{path}: heatmap, 1 panel\n"
    assert first[1] == second[1]
    assert dict(matplotlib.rcParams) == before
    if ending == ".png":
        assert first[1].startswith(b"\x89PNG\r\n\x1a\n")
        return
    root = ElementTree.fromstring(first[1])
    texts = {element.text for element in root.iter("{http://www.w3.org/2000/svg}text")}
    assert {"tinyadder", "digits", "base", "R 144", "P proved", "no row", "E error"} <= texts
    (described,) = (element.text for element in root.iter("{http://purl.org/dc/elements/1.1/}description"))
    assert json.loads(described or "")["panels"][0]["states"] == shown(SWEPT)["panels"][0]["states"]


def test_attention_has_the_tokens_on_both_axes_and_a_panel_for_each_head() -> None:
    picture = shown(TINY, *TWO, "--attention", "1 2")
    trace = call_json("trace", TINY, *TWO, "1", "2")
    heads = [(step["name"], head) for step in trace["steps"] for head in step["heads"]]
    assert [panel["title"] for panel in picture["panels"]] == [f"{name} {head['head']}" for name, head in heads]
    tokens = [f"{token}  {i}" for i, token in enumerate(trace["tokens"])]
    for panel, (_, head) in zip(picture["panels"], heads, strict=True):
        assert panel["y"] is not None
        assert panel["x"]["labels"] == panel["y"]["labels"] == tokens
        for query, states in enumerate(panel["states"]):
            assert states[query + 1 :] == ["hidden"] * (len(tokens) - query - 1)
            assert panel["values"][query][: query + 1] == head["pattern"][query][: query + 1]
    count = picture["panels"][3]
    assert (count["title"], count["states"][3][:4]) == ("layer0.attention count", ["value", "zero", "zero", "value"])


def test_the_stream_after_each_step() -> None:
    picture = shown(TINY, *TWO, "--stream", "1 2")
    trace = call_json("trace", TINY, *TWO, "1", "2")
    for panel, step in zip(picture["panels"], trace["steps"], strict=True):
        assert (panel["title"], panel["y"]) == (
            step["name"],
            {"name": "dimension", "labels": step["stream"], "spacing": "names"},
        )
        assert panel["values"] == [list(row) for row in zip(*step["values"], strict=True)]
        assert panel["colours"] == picture["panels"][0]["colours"]
    (named,) = shown(TINY, *TWO, "--stream", "1 2", "--step", "layer1.ffn")["panels"]
    assert named["values"] == picture["panels"][-1]["values"]
    runs = shown(REPEAT, "--stream", "--tokens", "1 2")["panels"]
    assert any(panel["title"].endswith(", run 2") for panel in runs)


def test_scores_of_an_input_and_of_positions_alone() -> None:
    (panel,) = shown(TINY, *TWO, "--scores")["panels"]
    assert panel["title"] == "layer0.attention count"
    assert panel["texts"][3][:5] == ["-6.91", "-4.61", "-2.3", "0", ""]
    assert panel["states"][3][3:5] == ["zero", "hidden"]
    of_input = shown(TINY, *TWO, "--scores", "1 2", "--head", "count")["panels"][0]
    trace = call_json("trace", TINY, *TWO, "1", "2", "--head", "count")
    scores = next(step["heads"][0]["scores"] for step in trace["steps"] if step["heads"])
    assert of_input["values"][5][:6] == scores[5][:6]


def test_a_tensor_has_the_names_of_its_axes() -> None:
    picture = shown(TINY, "--tensor", "layer1.ffn.gate.weight")
    (panel,) = picture["panels"]
    assert panel["y"] is not None
    assert panel["colours"] == {"low": -10000, "high": 10000, "spacing": "signed"}
    row = column(picture)["below[3]"]
    assert dict(zip(panel["x"]["labels"], row, strict=True))["candidate[3]"] == "-10000"
    assert row.count("0") == len(row) - 1
    (bias,) = shown(TINY, "--tensor", "layer0.attention.key.bias")["panels"]
    assert (bias["x"]["labels"], len(bias["values"])) == ([""], 5)
    (tied,) = shown(QWEN, "--tensor", "head.logits.weight")["panels"]
    (owner,) = shown(QWEN, "--tensor", "embedding.weight")["panels"]
    assert tied["values"] == owner["values"]


def test_a_spec_without_a_task_takes_tokens(tmp_path: Path) -> None:
    spec = small('embedding: {"digit[d]": {x: d}}\nhead: {"logits digit[d]": "d * x", classes: 4}', stream="x")
    text = f"{spec[: spec.index('task:')]}context: 5\n{spec[spec.index('stream:') :]}"
    load_text(tmp_path, text)
    (first, *_) = shown(str(tmp_path / "small.yaml"), "--stream", "1 3 2")["panels"]
    assert (first["x"]["labels"], first["values"]) == (["digit[1]  0", "digit[3]  1", "digit[2]  2"], [[1, 3, 2]])


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ((SWEPT, "--x", "bas"), "unknown-name", "the rows have no 'bas'; did you mean 'base'?"),
        ((SWEPT, "--value", "egdes"), "unknown-name", "no value 'egdes' of these rows; did you mean 'edges'?"),
        ((SWEPT, "--where", "base=4"), "unknown-name", "no row has base=4; known: 2, 3, 10"),
        ((SWEPT, "--where", "base=2", "--where", "digits=1"), "bad-value", "nothing varies in these rows"),
        ((SWEPT, "--x", "base", "--y", "base"), "bad-value", "x, y and facet are different names"),
        ((SWEPT, "-o", "map.pdf"), "bad-value", "ends in neither .png nor .svg"),
        ((SWEPT, "-o", "no/map.svg"), "missing-folder", "there is no folder no"),
        (("no.csv",), "missing-file", "there is no file no.csv"),
        ((str(ROOT / "README.md"),), "bad-value", "has no rows of a sweep"),
        ((TINY,), "usage", "is a spec, not results of a sweep"),
        ((SWEPT, "--where", "base"), "usage", "--where takes NAME=VALUE"),
        ((SWEPT, "--head", "count"), "usage", "--head goes with --tensor"),
        ((TINY, "--attention", "1 2", "--stream", "1 2"), "usage", "give --attention or --stream, not both"),
        ((TINY, "--attention", "1 2", "--facet", "base"), "usage", "--facet is about results of a sweep"),
        ((TINY, "--attention"), "usage", "--attention needs an input of the task"),
        ((TINY, "--attention", "1 2", "--tokens", "1"), "usage", "an input of the task or --tokens, not both"),
        ((TINY, "--tensor", "layer0.ffn.up.wight"), "unknown-name", "did you mean 'layer0.ffn.up.weight'?"),
        ((TINY, "--scores", "--head", "cuont"), "unknown-name", "did you mean 'count'?"),
        ((QWEN, "--scores"), "bad-value", "no formula `score HEAD` of qwen20"),
        ((TINY, "--attention", "1 2", "--step", "layer0.ffn"), "bad-value", "no heads of attention"),
    ],
)
def test_a_wrong_call_is_refused(
    arguments: tuple[str, ...], code: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (found,) = call_json("plot", *arguments, exit_code=2)["errors"]
    assert found["code"] == code
    assert message in found["message"]


def test_without_matplotlib_a_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    result = call("plot", SWEPT, "-o", str(tmp_path / "map.svg"))
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == (
        "error: this needs matplotlib, which is not installed  [missing-package]\n"
        "  hint: pip install 'weightspec[plot]'\n"
    )
    assert shown(SWEPT)["kind"] == "heatmap"  # to say what a picture shows needs none
    call("plot", SWEPT)


def test_a_picture_needs_a_file_or_json() -> None:
    result = call("plot", SWEPT)
    assert result.exit_code == 2
    assert "give -o FILE.png or -o FILE.svg" in result.stderr
