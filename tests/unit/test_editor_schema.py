"""The schema that editors read, without an editor: it is made of the tool's own, and explains whatever it offers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import jsonschema
import pytest

from compiler.source.schema import schema_text
from tests.schema import with_editor

FILE: dict[str, Any] = json.loads(schema_text())
VALID = jsonschema.Draft7Validator(FILE)
SCHEMA: dict[str, Any] = FILE["definitions"]["editor"]


def test_the_file_is_up_to_date() -> None:
    """Where it is not, `python -m tests.schema` writes it."""
    assert with_editor(schema_text()) == schema_text()


def test_it_is_a_schema() -> None:
    jsonschema.Draft7Validator.check_schema(FILE)


def resolved(schema: dict[str, Any]) -> dict[str, Any]:
    if "$ref" not in schema:
        return schema
    return {**resolved(SCHEMA["definitions"][schema["$ref"].rpartition("/")[2]]), **schema}


def parts(schema: Any, path: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every schema inside a schema, with where it stands."""
    if isinstance(schema, list):
        for inner in schema:
            yield from parts(inner, path)
    elif isinstance(schema, dict):
        yield path, schema
        for key, inner in schema.items():
            yield from parts(inner, f"{path}.{key}")


def test_every_key_is_explained() -> None:
    general = {resolved(SCHEMA["definitions"][name])["description"] for name in ("number", "names")}
    keys = {
        f"{path}.{key}.{name}": resolved(it).get("description")
        for path, schema in parts(SCHEMA, "")
        for key in ("properties", "patternProperties")
        if not path.endswith("properties")
        for name, it in schema.get(key, {}).items()
    }
    assert len(keys) > 300
    assert [path for path, description in keys.items() if description is None or description in general] == []


def test_every_word_is_explained() -> None:
    words = {path: schema for path, schema in parts(SCHEMA, "") if isinstance(schema.get("enum"), list)}
    assert len(words) > 30
    unexplained = {path for path, it in words.items() if "" in it.get("enumDescriptions", [""])}
    maps = {path for path in unexplained if path.endswith("biases.allOf.items")}
    assert unexplained == maps


WHOLE = {
    **{"weightspec": 1, "name": "x", "dtype": "float32", "vocabulary": "a b", "stream": "x"},
    **{"network": {"embedding": "E", "ffn": {"hidden": "h"}}, "decode": "argmax"},
}


@pytest.mark.parametrize(
    ("changed", "valid"),
    [
        ({}, True),
        ({"dtype": None}, False),
        ({"network": {"embedding": "E", "ffn": None}}, False),
        ({"network": {"ffn": {"hidden": "h"}}}, False),
        ({"task": {"cases": {"a": None}}}, False),
        ({"task": {"extends": "task.yaml", "cases": {"a": None}}}, True),
        ({"task": {"extends": "task.yaml", "case": {"a": None}}}, False),
        ({"ignore": " no-claims  underflow"}, True),
        ({"ignore": "no-claim"}, False),
        ({"ignore": ["no-claims", "no-claim"]}, False),
    ],
)
def test_what_a_spec_has_to_have(changed: dict[str, Any], valid: bool) -> None:
    assert VALID.is_valid({**WHOLE, **changed}) is valid


@pytest.mark.parametrize(
    ("variant", "valid"),
    [
        ({}, True),
        ({"dtype": None, "expect": None, "ignore": None}, True),
        ({"network": {"ffn": None, "head": {"norm": None, "logits a": None}, "embedding": {"a": {"b": None}}}}, True),
        ({"network": {"ffn": {"up a": "b"}}}, True),
        ({"task": {"addition": {"base": 16}}}, True),
        ({"task": None}, True),
        ({"task": {"prompt": ["a", None]}}, False),
        ({"network": {"fnn": None}}, False),
        ({"network": {"ffn": {"hidden": ["a", None]}}}, False),
        ({"network": {"ffn": {"activation": "rleu"}}}, False),
        ({"dtype": "float"}, False),
        ({"extends": ["a.yaml"]}, False),
    ],
)
def test_what_a_variant_may_leave_out(variant: dict[str, Any], valid: bool) -> None:
    assert VALID.is_valid({"weightspec": 1, "extends": "a.yaml", **variant}) is valid
