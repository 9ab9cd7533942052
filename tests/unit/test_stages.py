"""What the stages of the compiler hand on, printed."""

from __future__ import annotations

import json

import pytest
import yaml

from compiler.pipeline import load
from compiler.readers.dumps.stages import STAGES, stage_value
from tests.cli.test_cli import call
from tests.helpers import SPECS

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
    assert value["task"]["prompt"] == ["<bos>", "a[0]", "a[1]", "+", "b[0]", "b[1]", "="]
    assert value["stream"] == ["eq", "special", "digit", "count", "scale"]


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
