"""The schema that editors read, alone: it takes every task of the pages and of the tests, and describes every key."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import jsonschema
import pytest

from compiler.source.document import as_data, parse_document
from compiler.source.schema import schema_text
from compiler.source.text import Source
from tests.docs.blocks import blocks
from tests.helpers import ROOT, SPECS
from tests.tasks.specs import PARTS, written

SCHEMA: dict[str, Any] = json.loads(schema_text())
SPEC = jsonschema.Draft7Validator(SCHEMA)
TASK = jsonschema.Draft7Validator({"$ref": "#/definitions/task", "definitions": SCHEMA["definitions"]})
TASK_SCHEMA = SCHEMA["definitions"]["task"]


def data(text: str) -> Any:
    """As an editor reads it: `no` is a text."""
    return as_data(parse_document(Source("spec.yaml", text)))


PAGE = ROOT / "docs" / "tasks.md"
TASKS = {
    f"{block.line}": data(block.text).get("task")
    for block in blocks(PAGE)
    if block.kind == "yaml" and block.marks.get("base") not in ("small", "words")  # those vary a task
}
SHOWN = {line: task for line, task in TASKS.items() if isinstance(task, dict)}
FREE = ("sizes", "alphabets", "given", "answers", "equations", "columns", "cases", "state", "let", "end", "suites")


def resolved(schema: Any) -> Any:
    """What a reference means, with what stands beside it."""
    if "$ref" not in schema:
        return schema
    return {**resolved(SCHEMA["definitions"][schema["$ref"].rpartition("/")[2]]), **schema}


def undescribed(value: Any, schema: Any, path: str) -> Iterator[str]:
    """The keys of a value that the schema does not know, or does not describe; names that an author chooses aside."""
    schema = resolved(schema)
    if isinstance(value, list):
        for item in value:
            yield from undescribed(item, schema.get("items", {}), path)
    for key, inner in value.items() if isinstance(value, dict) else ():
        known = {**schema.get("properties", {}), **schema.get("then", {}).get("properties", {})}
        if key in known:
            if not resolved(known[key]).get("description"):
                yield f"{path}.{key}"
            yield from undescribed(inner, known[key], f"{path}.{key}")
        elif path.rpartition(".")[2] in FREE:
            below = schema.get("additionalProperties", schema.get("then", {}).get("additionalProperties", {}))
            yield from undescribed(inner, below, f"{path}.{key}")
        else:
            yield f"{path}.{key}"


def test_the_page_has_examples() -> None:
    assert len(SHOWN) > 20
    named = {key for task in SHOWN.values() for key in task}
    others = {"name", "order", "copy", "sort"}  # their examples vary a task
    assert named | others >= set(TASK_SCHEMA["properties"]) - {"addition"}


@pytest.mark.parametrize("line", SHOWN)
def test_tasks_of_the_page(line: str) -> None:
    assert [error.message for error in TASK.iter_errors(SHOWN[line])] == []
    assert list(undescribed(SHOWN[line], TASK_SCHEMA, "task")) == []


@pytest.mark.parametrize("name", PARTS)
def test_specs_of_the_nineteen_tasks(name: str) -> None:
    spec = data(written(name))
    assert [error.message for error in SPEC.iter_errors(spec)] == []
    assert list(undescribed(spec["task"], TASK_SCHEMA, "task")) == []


@pytest.mark.parametrize("path", sorted(SPECS.glob("tasks/*.yaml")), ids=lambda path: path.stem)
def test_specs_of_tasks(path: Any) -> None:
    assert [error.message for error in SPEC.iter_errors(data(path.read_text(encoding="utf-8")))] == []


LAYOUT = {"prompt": "word =", "answer": "word"}


@pytest.mark.parametrize(
    ("task", "right"),
    [
        ({"cases": {"a b": "a"}}, True),
        ({"cases": {"file": "cases.tsv"}}, True),
        ({"extends": "tasks/x.yaml", "sizes": {"digits": 6}}, True),
        ({"addition": {"base": 10, "digits": 3}, **LAYOUT}, True),
        ({**LAYOUT, "sizes": {"n": {"from": 1, "to": 3}}}, True),
        ({**LAYOUT, "answer": {"next": "word", "from": 2}}, True),
        ({**LAYOUT, "prompt": [{"each": "a[i] b[i]"}, "?"]}, True),
        ({**LAYOUT, "columns": {"from": "first", "state": {"c": {"size": 2, "start": 1}}, "next c": 0}}, True),
        ({**LAYOUT, "suites": {"hard": {"only": "1", "size": 3}, "carries": None}}, True),
        ({"prompt": "word ="}, False),
        ({**LAYOUT, "window": [3]}, False),
        ({**LAYOUT, "windw": 3}, False),
        ({**LAYOUT, "sizes": {"n": {"from": 1}}}, False),
        ({**LAYOUT, "sizes": {"n": {"from": 1, "to": 3, "by": 2}}}, False),
        ({**LAYOUT, "answer": {"after": "word"}}, False),
        ({**LAYOUT, "prompt": [{"every": "a[i] b[i]"}]}, False),
        ({**LAYOUT, "columns": {"from": "end"}}, False),
        ({**LAYOUT, "columns": {"from": "first", "state": {"c": {"start": 1}}}}, False),
        ({**LAYOUT, "suites": {"hard": {"if": "1"}}}, False),
        ({**LAYOUT, "alphabets": {"bit": {"sise": 2}}}, False),
        ({**LAYOUT, "order": "first"}, False),
        ({**LAYOUT, "given": {"a": 3}}, False),
    ],
)
def test_what_the_schema_takes(task: dict[str, Any], right: bool) -> None:
    assert TASK.is_valid(task) is right
