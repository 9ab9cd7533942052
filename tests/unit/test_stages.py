"""What the stages of the compiler hand on, printed."""

from __future__ import annotations

import json

import pytest
import yaml

from compiler.pipeline import load, load_source
from compiler.readers.dumps.stages import STAGES, stage_value
from compiler.source.text import Source
from tests.cli.test_cli import call, call_json
from tests.helpers import SPECS
from tests.tasks.specs import written

PATHS = sorted(SPECS.glob("*.yaml"))
TINY = str(SPECS / "tiny95.yaml")


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
@pytest.mark.parametrize("stage", STAGES)
def test_every_stage_of_every_spec_is_plain(path: str, stage: str) -> None:
    """JSON on the one hand, YAML on the other, and both say the same."""
    spec = load(path)
    value = stage_value(spec, stage)  # type: ignore[arg-type]
    assert json.loads(json.dumps(value)) == value
    printed = call("show", str(path), "--stage", stage)
    assert printed.exit_code == 0
    assert "&id" not in printed.stdout
    if stage != "document":  # that is spelled as its author did
        assert yaml.load(printed.stdout, Loader=yaml.CSafeLoader) == value
    shown = call("show", str(path), "--stage", stage, "--json")
    assert json.loads(shown.stdout) == value


def test_resolved_names_have_numbers() -> None:
    value = stage_value(load(TINY, {"digits": 2}), "resolved")
    assert isinstance(value, dict)
    assert value["definitions"]["digit_scale"] == {
        "kind": "constant",
        "written": "base ** digits",
        "value": 100,
        "file": TINY,
        "line": 12,
    }
    assert value["prompt"] == ["<bos>", "a[0]", "a[1]", "+", "b[0]", "b[1]", "="]
    assert value["stream"] == ["eq", "special", "digit", "count", "scale"]


@pytest.mark.parametrize("stage", ["resolved", None])
def test_a_task_has_its_words_and_rules(stage: str | None) -> None:
    spec = str(SPECS / "tasks/reverse-lengths.yaml")
    value = call_json("show", spec, *(("--stage", stage) if stage else ()))
    lengths = list(range(1, 9))
    assert value["task"] == {
        "kind": "reverse",
        "sizes": {"symbols": [3], "length": lengths},
        "alphabets": {"symbol": ["symbol[0]", "symbol[1]", "symbol[2]"]},
        "given": [{"name": "word", "alphabet": "symbol", "lengths": lengths}],
        "answers": [{"name": "reversed", "alphabet": "symbol", "lengths": lengths}],
        "rules": [{"rule": "reversed[i]", "written": "word[length - 1 - i]", "file": spec, "line": 18}],
        "cases": 0,
        "window": None,
        "suites": ["uniform", "edges", "exhaustive"],
    }
    value = call_json("show", str(SPECS / "tasks/parity.yaml"), *(("--stage", stage) if stage else ()))
    assert value["answer_read_at"] == [10]


def test_rules_of_columns_are_told_apart() -> None:
    spec = load_source(Source("spec.yaml", written("subtraction")))
    value = stage_value(spec, "resolved")
    assert isinstance(value, dict)
    assert [(rule["rule"], rule["written"]) for rule in value["task"]["rules"]] == [
        ("only", "number(a) >= number(b)"),
        ("number(difference)", "number(a) - number(b)"),
        ("state borrow", "2"),
        ("difference", "(a - b - borrow) % base"),
        ("next borrow", "where(a - b - borrow < 0, 1, 0)"),
        ("end only", "borrow == 0"),
    ]


def test_the_ir_has_every_number_at_its_named_place() -> None:
    value = stage_value(load(TINY), "ir")
    assert isinstance(value, dict)
    attention = next(step for step in value["steps"] if step["name"] == "layer0.attention")
    assert attention["kind"] == "Attention"
    assert attention["key"]["weight"]["entries"]["count, special"] == 960.0
    assert attention["key"]["equations"][0]["equation"].startswith("key count: ")
    assert attention["scores"][0]["formula"] == "log(alibi_base) * (key_pos - query_pos)"


def test_settings_and_bases_are_in_the_document() -> None:
    shown = call("show", str(SPECS / "tiny95-exact.yaml"), "--stage", "document", "--set", "digits=3").stdout
    assert "v_scale: 1e8" in shown
    assert "digits: 3" in shown
    assert "extends" not in shown


@pytest.mark.parametrize("further", [("layer0.ffn.up.weight",), ("--latex",)])
def test_one_thing_at_a_time(further: tuple[str, ...]) -> None:
    assert call("show", TINY, *further, "--stage", "ir").exit_code == 2
