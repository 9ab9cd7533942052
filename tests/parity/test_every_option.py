"""Whatever the schema allows in `network` and `defaults` is in at least one spec that is also written by hand."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, get_args

import pytest

from compiler.lowering.network import TAKEN_BLOCK_NAMES
from compiler.network.ir import Step
from compiler.pipeline import load
from compiler.source.document import as_data, parse_document, read_source
from compiler.source.schema import schema_text
from tests.helpers import ROOT, STEPS
from tests.parity.by_hand import MODELS

SCHEMA: dict[str, Any] = json.loads(schema_text())
SECTIONS = ("network", "defaults", "context")
FILES = sorted(path.stem for path in STEPS.iterdir())
# Words and values that mean something of their own where the schema takes any expression.
WORDS = {
    "mask": {"causal", "none", "a number"},
    "attention.output": {"identity", "broadcast", "a formula"},
    "head.logits": {"a formula"},
    "embedding": {"a formula"},
}

Schema = dict[str, Any]


def resolved(schema: Schema, where: str) -> tuple[Schema, str]:
    """A definition that is referred to is known by its own name."""
    reference = schema.get("$ref")
    if reference is None:
        return schema, where
    name = reference.rpartition("/")[2]
    general = name in ("number", "text", "after", "let", "definitions")
    return SCHEMA["definitions"][name], where if general else name


def forms(schema: Schema) -> set[str]:
    """The kinds of values, where there is a choice: a mapping, a list, or a single number or text."""
    types = schema.get("type", [])
    found = {form(kind) for kind in ([types] if isinstance(types, str) else types)}
    return found if len(found) > 1 else set()


def form(kind: str) -> str:
    return {"object": "a mapping", "array": "a list"}.get(kind, "a scalar")


def families(pattern: str) -> list[str]:
    """`^(gate|up) +…` stands for equations of gate and up."""
    match = re.match(r"\^\(?([a-z|]+)", pattern)
    assert match is not None
    return match[1].split("|")


def allowed(schema: Schema, where: str, seen: set[str]) -> Iterator[str]:
    """Every option and word in a part of the schema."""
    schema, where = resolved(schema, where)
    if where in seen:
        return
    seen.add(where)
    yield from (f"{where}: {kind}" for kind in forms(schema))
    yield from (f"{where}: {word}" for word in WORDS.get(where, ()))
    for part in (schema, schema.get("then", {}), schema.get("else", {}), schema.get("items", {})):
        yield from (f"{where}: {word}" for word in part.get("enum", ()))
        for key, inner in part.get("properties", {}).items():
            yield f"{where}.{key}"
            yield from allowed(inner, f"{where}.{key}", seen)
        for pattern, inner in part.get("patternProperties", {}).items():
            for name in families(pattern):
                yield f"{where}.{name} …"
                yield from allowed(inner, f"{where}.{name} …", seen)


def used(schema: Schema, where: str, value: Any) -> Iterator[str]:
    """Every option and word of that kind in a part of a spec."""
    schema, where = resolved(schema, where)
    if forms(schema):
        kind = "object" if isinstance(value, dict) else "array" if isinstance(value, list) else "string"
        yield f"{where}: {form(kind)}"
    if where in WORDS and not isinstance(value, dict):
        own = WORDS[where]
        yield f"{where}: {value if value in own else 'a number' if 'a number' in own else 'a formula'}"
    if not isinstance(value, dict):
        items = value if isinstance(value, list) else str(value).split()
        yield from (f"{where}: {item}" for item in items)
        return
    for part in (schema, schema.get("then", {})):
        for key, inner in value.items():
            properties = part.get("properties", {})
            if key in properties:
                yield f"{where}.{key}"
                yield from used(properties[key], f"{where}.{key}", inner)
            for pattern, below in part.get("patternProperties", {}).items():
                if re.search(pattern, key):
                    name = f"{where}.{key.split()[0]} …"
                    yield name
                    yield from used(below, name, inner)


def test_every_step_and_option_has_a_spec() -> None:
    found: set[str] = set()
    for name in FILES:
        document = as_data(parse_document(read_source(STEPS / f"{name}.yaml")))
        assert isinstance(document, dict)
        for section in SECTIONS:
            if section in document:
                found |= {section, *used(SCHEMA["properties"][section], section, document[section])}
    seen: set[str] = set()
    wanted = {part for section in SECTIONS for part in allowed(SCHEMA["properties"][section], section, seen)}
    wanted |= set(SECTIONS)
    assert len(wanted) > 100
    assert sorted(wanted - found) == []


def test_every_kind_of_step_is_read_from_some_spec() -> None:
    steps = (step for name in FILES for step in load(STEPS / f"{name}.yaml").network.steps)
    assert {type(step) for step in steps} == set(get_args(Step))


def test_every_kind_of_step_has_a_section_in_the_page_and_a_name_that_no_block_takes() -> None:
    network = SCHEMA["properties"]["network"]
    kinds = {*network["properties"], *(name for key in network["patternProperties"] for name in families(key))}
    assert kinds <= TAKEN_BLOCK_NAMES
    page = (ROOT / "docs/language-steps.md").read_text(encoding="utf-8")
    assert kinds <= set(re.findall(r"^## (\w+)$", page, re.MULTILINE))
    assert len(kinds) == len(get_args(Step))


def test_every_spec_is_written_by_hand() -> None:
    assert sorted(MODELS) == FILES


@pytest.mark.parametrize("name", FILES)
def test_every_spec_loads_strictly(name: str) -> None:
    spec = load(STEPS / f"{name}.yaml", strict=True)
    assert spec.name == name
    assert spec.warnings == ()
