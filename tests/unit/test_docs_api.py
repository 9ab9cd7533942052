"""The Python examples of the docs run and print what they say; the page of the API names what there is."""

from __future__ import annotations

import dataclasses
import inspect
import re
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest

import compiler
from compiler.source.diagnostics import Diagnostic
from compiler.verifier.results import Verification
from tests.docs.blocks import Block, examples, python_output
from tests.helpers import ROOT

API = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
OWN_PAGES = (ROOT / "README.md", ROOT / "docs" / "api.md")
EXAMPLES = [example for page in OWN_PAGES for example in examples(page)]
NAMES = """
load lower build count diff load_state_dict lint load_task load_foreign evaluate
generate ablate verify threshold sweep read_rows to_pandas trace show save_model load_model
"""
FUNCTIONS: dict[str, Callable[..., Any]] = {name: getattr(compiler, name) for name in NAMES.split()}


@pytest.mark.parametrize(("block", "shown"), EXAMPLES, ids=lambda block: str(block or "nothing"))
def test_an_example_alone_prints_what_is_shown(
    block: Block, shown: Block | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "specs").symlink_to(ROOT / "specs")
    monkeypatch.chdir(tmp_path)  # some write files
    output = python_output(block, shown, {"__name__": "__example__"})
    assert shown is None or output == shown.text


def test_there_are_examples_for_every_function() -> None:
    shown = [*examples(ROOT / "docs" / "api.md")]
    for name in FUNCTIONS:
        assert any(re.search(rf"\b{name}\(", block.text) for block, _ in shown), name
    assert all(output is not None for _, output in shown)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_signatures_are_those_of_the_code(name: str) -> None:
    (heading,) = re.findall(rf"^### `{name}\((.*)\) -> (.*)`$", API, flags=re.MULTILINE)
    signature = inspect.signature(FUNCTIONS[name])
    bare = [parameter.replace(annotation=inspect.Parameter.empty) for parameter in signature.parameters.values()]
    assert heading[0] == str(inspect.Signature(bare))[1:-1]
    assert heading[1].rpartition(".")[2] == str(signature.return_annotation).rpartition(".")[2]


@pytest.mark.parametrize(
    ("section", "described"),
    [
        ("Spec", compiler.Spec),
        ("lower", compiler.Network),
        ("count", compiler.Counts),
        ("diff", compiler.Difference),
        ("load_foreign", compiler.ForeignModel),
        ("verify", Verification),
        ("Diagnostic", Diagnostic),
    ],
)
def test_tables_name_every_attribute(section: str, described: type[Any]) -> None:
    (text,) = re.findall(rf"^##+ {section}\n((?:(?!^## |^### [A-Z]).*\n?)*)", API, flags=re.MULTILINE)
    cells = re.findall(r"^\| (`[^|]+`) \|", text, flags=re.MULTILINE)
    named = {name.strip("` ") for cell in cells for name in cell.split(",")}
    public = {name for name, value in vars(described).items() if isinstance(value, property | cached_property)}
    assert named == public | {field.name for field in dataclasses.fields(described)}


def test_every_exported_name_is_described() -> None:
    assert [name for name in compiler.__all__ if f"`{name}`" not in API] == []
