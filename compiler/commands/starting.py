"""Specs to start from: templates with comments, to be given a name and edited."""

from __future__ import annotations

import json
import os
import re
from importlib.resources import files
from pathlib import Path

from compiler.commands.shared import as_called
from compiler.source.diagnostics import did_you_mean, fail
from compiler.source.examples import examples
from compiler.source.scalars import resolve_plain

DEFAULT_TEMPLATE = "minimal"
SUFFIXES = (".yaml", ".yml")
_TEMPLATES = {  # the one table: a name is a file of `compiler/commands/templates`
    "minimal": "adds two digits; one attention and a head, right on every input",
    "rope": "adds two 10-digit numbers; RoPE, RMSNorm and ties in two dimensions (the model of qwen20)",
    "tiny95": "adds two 10-digit numbers; ALiBi scores, gated layers, a changing stream (the model of tiny95)",
}
_NAME_LINE = re.compile(r"^name: .*$", re.MULTILINE)
_EXTENDS = re.compile(r"^(extends|task: *\{ *extends|  extends):", re.MULTILINE)
_FOR_EDITORS = re.compile(r"^# yaml-language-server:.*\n")
_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")  # without quotes no syntax of YAML, though it may be `null` or `true`


def templates() -> dict[str, str]:
    """The names of the templates, each with a summary of one line."""
    return dict(_TEMPLATES)


def describe_templates() -> str:
    """The templates as a table, for the help of a command."""
    width = max(map(len, _TEMPLATES))
    return "\n".join(["Templates:", *(f"{name:<{width}}  {summary}" for name, summary in _TEMPLATES.items())])


def starting_spec(template: str, name: str) -> str:
    """The text of a template, or of an example, with `name:` filled in.

    Raises `SpecError` for an unknown one, an example that would not stand alone, and an unusable name.
    """
    problem = _problem(name)
    if problem is not None:
        raise fail("bad-name", f"{json.dumps(name)} cannot name a spec: {problem}")
    text = _text(template)
    return _NAME_LINE.sub(lambda _: f"name: {_yaml(name)}", text, count=1)


def _text(template: str) -> str:
    """What a new spec is made from; without the line for editors, which is about another folder."""
    if template in _TEMPLATES:
        return files("compiler.commands").joinpath("templates", f"{template}.yaml").read_text(encoding="utf-8")
    known = {*_TEMPLATES, *examples()}
    if template not in known:
        hint = f"templates are {', '.join(_TEMPLATES)}; examples are the specs of the package, such as parity"
        raise fail("unknown-name", f"no template or example '{template}'{did_you_mean(template, known)}", hint=hint)
    text = examples()[template].read_text(encoding="utf-8")
    if _EXTENDS.search(text):
        hint = as_called(f"`python cli.py show {template} --stage document` prints it as one document")
        raise fail("bad-extends", f"{template} extends another spec, and does not stand alone", hint=hint)
    return _FOR_EDITORS.sub("", text)


def target(written: str) -> tuple[Path, str]:
    """The file that a user means by the name or path of a new spec, and the name of that spec."""
    folder, last = os.path.split(written)
    name = next((last.removesuffix(suffix) for suffix in SUFFIXES if last.endswith(suffix)), last)
    return Path(folder, last if name != last else f"{last}.yaml"), name


def _problem(name: str) -> str | None:
    """Why a text cannot be the name of a spec and of its file."""
    if not name.strip():
        return "it is empty"
    if not name.strip("."):
        return "it is only dots"
    if name.startswith("-"):
        return "it begins like an option"
    if not name.isprintable():
        return "it has a character that cannot be printed"
    if "/" in name or os.sep in name:
        return "it has a path separator"
    return None


def _yaml(name: str) -> str:
    """A name as YAML, in quotes where it would not be read as this text."""
    plain = _PLAIN.fullmatch(name) and isinstance(resolve_plain(name), str)
    return name if plain else json.dumps(name, ensure_ascii=False)
