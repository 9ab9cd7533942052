"""The words of the language stand once in the code; the JSON Schema, which editors read, says the same."""

from __future__ import annotations

import json
import re
from typing import Any, get_args

import pytest

from compiler.expressions.floats import FORMATS
from compiler.language.keys import (
    AXES,
    BY_DIMENSION,
    MAPS,
    MAPS_OF,
    NAME_LISTS,
    PLACED,
    SECTION_OF,
    SECTIONS,
    STEP_KINDS,
)
from compiler.lowering.scores import HARD
from compiler.network import ir
from compiler.readers.counting.counts import COUNTING_RULES
from compiler.source.schema import schema_text

SCHEMA: dict[str, Any] = json.loads(schema_text())
DEFINITIONS: dict[str, Any] = SCHEMA["definitions"]
EXPECT: dict[str, Any] = DEFINITIONS["expect"]["properties"]
NETWORK: dict[str, Any] = SCHEMA["properties"]["network"]


def first_words(pattern: str) -> list[str]:
    """`gate` and `up` for `^(gate|up) +…`."""
    start = re.match(r"\^\(?([a-z|_]+)", pattern)
    assert start is not None, pattern
    return start[1].split("|")


def step_schemas() -> dict[str, dict[str, Any]]:
    """The schema of each kind of step."""
    by_key = {**NETWORK["properties"], **{first_words(key)[0]: it for key, it in NETWORK["patternProperties"].items()}}
    return {kind: DEFINITIONS[it["$ref"].rpartition("/")[2]] for kind, it in by_key.items()}


def options(step: dict[str, Any]) -> dict[str, Any]:
    """The keys that a step can have, where it is a mapping."""
    return {**step.get("properties", {}), **step.get("then", {}).get("properties", {})}


STEPS = step_schemas()
OPTIONS = {name: it for step in STEPS.values() for name, it in options(step).items()}


def test_the_sections_are_keys_of_a_spec() -> None:
    assert {*SECTIONS, *SECTION_OF.values()} <= set(SCHEMA["properties"])


def test_the_kinds_of_steps() -> None:
    assert set(STEPS) == set(STEP_KINDS)
    assert {kind for kind, step in STEPS.items() if "after" in options(step)} == set(PLACED)
    named_by_author = {kind for kind, step in STEPS.items() if isinstance(step.get("additionalProperties"), dict)}
    assert named_by_author == set(BY_DIMENSION)


@pytest.mark.parametrize("kind", STEP_KINDS)
def test_the_maps_of_a_kind_of_step(kind: str) -> None:
    step = STEPS[kind]
    written_by_row = {name for pattern in step.get("patternProperties", {}) for name in first_words(pattern)}
    assert written_by_row - {"bias", "score"} == set(MAPS_OF.get(kind, ()))
    assert set(MAPS_OF.get(kind, ())) <= set(options(step))


def test_the_maps_that_can_have_a_bias() -> None:
    biases = DEFINITIONS["biases"]
    assert biases["items"]["enum"] == list(MAPS)
    assert f"({'|'.join(MAPS)})" in biases["pattern"]
    assert ", ".join(MAPS) in biases["description"]


def test_the_options_that_are_lists_of_names() -> None:
    lists = {name for name, it in OPTIONS.items() if it.get("$ref") == "#/definitions/names"} - {"steps"}
    assert lists == set(AXES)
    assert set(NAME_LISTS) <= set(OPTIONS)


def test_defaults_are_options_of_steps() -> None:
    assert set(DEFINITIONS["defaults"]["properties"]) <= set(OPTIONS)


@pytest.mark.parametrize(
    ("words", "known"),
    [
        (SCHEMA["properties"]["dtype"]["enum"], FORMATS),
        (SCHEMA["properties"]["decode"]["enum"], get_args(ir.Decode)),
        (DEFINITIONS["activation"]["enum"], get_args(ir.ActivationKind)),
        (DEFINITIONS["softmax"]["enum"], (*get_args(ir.SoftmaxWord), HARD)),
        (DEFINITIONS["ties"]["enum"], get_args(ir.Ties)),
        (DEFINITIONS["rope"]["then"]["properties"]["pairs"]["enum"], get_args(ir.RopePairs)),
        (DEFINITIONS["norm"]["else"]["enum"], (*get_args(ir.NormKind), "none")),
        (DEFINITIONS["qk_norm"]["else"]["enum"], (*get_args(ir.NormKind), "none")),
        (DEFINITIONS["stream_norm"]["else"]["enum"], get_args(ir.NormKind)),
        (EXPECT["claimed"]["properties"]["rule"]["enum"], COUNTING_RULES),
        (EXPECT["count"]["properties"], COUNTING_RULES),
    ],
)
def test_the_words_of_an_option(words: list[str], known: tuple[str, ...]) -> None:
    assert set(words) == set(known)


@pytest.mark.parametrize("name", ["norm", "qk_norm", "stream_norm"])
def test_a_norm_is_of_a_kind_that_the_network_knows(name: str) -> None:
    others = {"weight", "bias", "query", "key", "bias query", "bias key", "let", "after"}
    assert set(options(DEFINITIONS[name])) - others == set(get_args(ir.NormKind))
