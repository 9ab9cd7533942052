"""Document to checked document: the shape of a spec, stated once in `weightspec.schema.json`."""

from __future__ import annotations

import json
import re
from collections.abc import Container, Iterator
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, cast

from compiler.source.diagnostics import Diagnostic, Findings, did_you_mean, nearest
from compiler.source.document import Invalid, Mapping, Node, Scalar, Sequence, as_data, node_at
from compiler.source.text import Span
from compiler.source.yaml_faults import COLON_HINT, without_colon

if TYPE_CHECKING:  # it is slow to import, and many commands read no spec
    import jsonschema

JsonPath = tuple[str | int, ...]
MOST_KEYS = 16  # that a message about an unknown one lists


def schema_text() -> str:
    """The file with the JSON Schema (draft-07) of a spec: what the tool reads, and beside it what editors read."""
    return files("compiler").joinpath("weightspec.schema.json").read_text(encoding="utf-8")


@cache
def _schema() -> dict[str, Any]:
    """The schema that a spec has to follow, with all that it extends."""
    loaded: dict[str, Any] = json.loads(schema_text())
    del loaded["$ref"], loaded["definitions"]["editor"]  # which editors read
    return loaded


def top_level_keys() -> tuple[str, ...]:
    """The keys that a spec may have."""
    return tuple(_schema()["properties"])


def format_version() -> int:
    """The version of the format of specs that is read."""
    version: int = _schema()["properties"]["weightspec"]["const"]
    return version


def newer_format(document: Mapping) -> Diagnostic | None:
    """The error for a spec of a newer format, which cannot be checked further; None for any other spec."""
    written = document.get("weightspec")
    if not isinstance(written, Scalar) or isinstance(written.value, bool) or not isinstance(written.value, int | float):
        return None
    if not written.value > format_version():
        return None
    message = f"`weightspec` has to be {format_version()}: the spec was written for a newer weightspec"
    return Diagnostic("bad-value", message, written.span, f"upgrade weightspec to read format {written.text}")


@dataclass(frozen=True)
class Checked:
    """A document in which what the schema refuses is `Invalid`, and what was wrong with it.

    `sound`: the names and axes that everything else needs are there, so checking can go on.
    """

    document: Mapping
    diagnostics: tuple[Diagnostic, ...]
    sound: bool


def check_schema(document: Mapping, required: tuple[str, ...] | None = None) -> Checked:
    """Check the shape of a spec, or of a document from which other keys are `required`."""
    import jsonschema

    refused: dict[JsonPath, Diagnostic] = {}
    findings = Findings()  # raises where there are too many
    schema = _schema() if required is None else {**_schema(), "required": list(required)}
    for error in jsonschema.Draft7Validator(schema).iter_errors(as_data(document)):
        for path, diagnostic in _diagnose(document, error):
            if path not in refused:
                refused[path] = diagnostic
                findings.report(diagnostic)
    checked = _invalidate(document, refused) if refused else document
    assert isinstance(checked, Mapping)
    sound = not any(_is_structural(path, diagnostic) for path, diagnostic in refused.items())
    shown = (diagnostic for path, diagnostic in refused.items() if not _follows(path, refused, document))
    return Checked(checked, tuple(shown), sound)


def _follows(path: JsonPath, refused: dict[JsonPath, Diagnostic], document: Mapping) -> bool:
    """Whether a finding has the cause of another one: a key that is missing stands there misspelt or indented
    otherwise; one that is unknown should be indented below the step or section above it, which is empty."""
    unknown = [other for other, diagnostic in refused.items() if diagnostic.code == "unknown-key"]
    if refused[path].code == "missing-key":
        misplaced = any(other[-1] == path[-1] for other in unknown)
        return misplaced or any(
            other[:-1] == path[:-1] and nearest(str(other[-1]), [str(path[-1])]) for other in unknown
        )
    mapping = node_at(document, path[:-1])
    if not isinstance(mapping, Mapping) or not (path in unknown or path[:2] == ("network", "embedding")):
        return False
    others = mapping.names[: mapping.names.index(str(path[-1]))]
    above = next((name for name in reversed(others) if (*path[:-1], name) not in refused), "")
    run = others[others.index(above) + 1 :] if above in others else others  # all that is refused right above it
    first = refused[(*path[:-1], run[0])] if run else None
    return first is not None and first.hint is not None and first.hint.startswith((_INDENT_HINT, _MISSING_STEP))


_KINDS = ("attention", "ffn", "head")  # steps with keys of their own
_OF_NAMES = ("constants", "parameters", "derived")
_NAMING = ("constants", "parameters", "derived", "task", "vocabulary", "stream", "heads", "head_dim", "hidden")


def _is_structural(path: JsonPath, diagnostic: Diagnostic) -> bool:
    if not path:
        return True
    section, depth = path[0], len(path)
    names = nearest(str(path[-1]), _NAMING) is not None or diagnostic.hint is not None
    if diagnostic.code == "unknown-key" and depth in (1, 3) and names:
        return True  # what it names would be unknown everywhere
    if diagnostic.code == "missing-key":
        return section != "network" or depth <= 2
    if path in (("task", "order"), ("decode",), ("name",), ("weightspec",)):
        return False
    if section == "network":
        return depth <= 2 or path[-1] in ("hidden", "stream", "heads", "head_dim")
    if section in ("constants", "parameters", "derived", "defaults"):
        return depth == 1
    return section == "task" or section in _schema()["required"]


def _diagnose(document: Mapping, error: jsonschema.ValidationError) -> Iterator[tuple[JsonPath, Diagnostic]]:
    path: JsonPath = tuple(error.absolute_path)
    node = node_at(document, path)
    where = _where(path)
    schema, wanted = cast(dict[str, Any], error.schema), cast(Any, error.validator_value)
    match error.validator:
        case "additionalProperties" if isinstance(node, Mapping):
            known = _known_keys(schema)
            for key, _ in node.items:
                if not _allowed(key.text, schema):
                    above = None if path else _naming_section(node, key)
                    found = _unknown_key(key, known, path) if above is None else _below(key, above)
                    yield (*path, key.text), found
        case "required" if isinstance(node, Mapping):
            is_another = path and node.items and not any(_allowed(key.text, schema) for key, _ in node.items)
            for name in wanted if not is_another else ():  # where all that is there is unknown, which says enough
                if name not in node.names:
                    message = f"{where or 'the spec'} lacks '{name}'"
                    hint = schema.get("properties", {}).get(name, {}).get("description")
                    yield (*path, name), Diagnostic("missing-key", message, _first_place(document, path), hint)
        case "anyOf" if isinstance(node, Mapping):
            names = [name for option in wanted for name in option.get("required", ())]
            unknown = [key.text for key, _ in node.items if not _allowed(key.text, schema)]
            if not any(nearest(key, names) for key in unknown):  # else it is there, misspelt, and reported as that
                listed = " or ".join(f"'{name}'" for name in names)
                message = f"{where} needs {listed}"
                yield (*path, names[0]), Diagnostic("missing-key", message, _first_place(document, path))
        case _ if "propertyNames" in error.absolute_schema_path:
            named = node.key(str(error.instance)) if isinstance(node, Mapping) else None
            span = named.span if named is not None else _place(node)
            message = f"'{error.instance}' cannot be a name: use letters, digits and _"
            written = re.sub(r"\W+", "_", str(error.instance)).strip("_")
            hint = f"such as {written}" if written[:1].isalpha() else "it starts with a letter"
            yield (*path, str(error.instance)), Diagnostic("bad-name", message, span, hint)
        case "type":
            expected = _types(wanted)
            message = f"{where or 'the spec'} has to be {expected}, found {_kind(node)}"
            hint = _INDENT_HINT if _is_above_its_keys(document, path, node, schema) else _type_hint(node, schema)
            if path[:2] == ("network", "embedding") and len(path) == 3:
                hint = _has_such_a_key(str(path[-1])) or hint
            yield path, Diagnostic("wrong-type", message, _place(node), hint)
        case "enum":
            options = [str(option) for option in wanted]
            match_ = nearest(node.text, options) if isinstance(node, Scalar) else None
            shown = f"'{node.text}'" if isinstance(node, Scalar) else _kind(node)
            message = f"{where} cannot be {shown}" + (f"; did you mean '{match_}'?" if match_ else "")
            yield path, Diagnostic("bad-value", message, _place(node), f"one of {', '.join(options)}")
        case "const":
            yield path, Diagnostic("bad-value", f"{where} has to be {wanted}", _place(node))
        case "minimum":
            yield path, Diagnostic("bad-value", f"{where} has to be at least {wanted}", _place(node))
        case "minLength" | "minItems" | "minProperties":
            yield path, Diagnostic("bad-value", f"{where} is empty", _place(node))
        case _:
            message = f"{where} is not what is expected here"
            yield path, Diagnostic("bad-value", message, _place(node), schema.get("description"))


_MISSING_STEP = "is the line of a step missing above it?"
_INDENT_HINT = "indent the lines below that belong to it"


def _is_above_its_keys(document: Mapping, path: JsonPath, node: Node | None, schema: dict[str, Any]) -> bool:
    """Whether nothing stands where a mapping is expected, and the next key is none of the mapping that holds it."""
    parent = node_at(document, path[:-1]) if path else None
    if not (isinstance(node, Scalar) and node.value is None and "object" in schema["type"]):
        return False
    if not isinstance(parent, Mapping) or path[-1] == parent.names[-1]:
        return False
    following = parent.names[parent.names.index(str(path[-1])) + 1]
    around = _schema() if len(path) == 1 else _schema()["properties"].get(path[0], {}) if len(path) == 2 else None
    return around is not None and not _allowed(following, around)


def _naming_section(document: Mapping, key: Scalar) -> str | None:
    """The section of names right above a key that is none; a key that is indented too little is one of its names."""
    names = document.names
    above = [name for name in names[: names.index(key.text)] if _allowed(name, _schema())]
    known = [*_schema()["properties"]]
    return above[-1] if above and above[-1] in _OF_NAMES and not nearest(key.text, known) else None


def _below(key: Scalar, section: str) -> Diagnostic:
    return Diagnostic(
        "unknown-key", f"no key '{key.text}'", key.span, f"to be one of `{section}`, it has to be indented"
    )


def _has_such_a_key(key: str) -> str:
    """What to ask of a key that stands in a step or a row and is one of another kind of step; nothing if it is none."""
    step = next((kind for kind in _KINDS if _allowed(key, _schema()["definitions"][kind])), None)
    return "" if step is None else f"{_MISSING_STEP} `{step}` has such a key"


_LONGEST_KEY = 100  # a longer one is not looked at
_TARGET = re.compile(r"(?P<map>[a-z]+)?[.(: ]?(?P<target>[A-Za-z_]\w*)?(?P<index>\[.*\])\)?")


def _equation_hint(key: str, known: list[str]) -> str | None:
    """How an equation is written, for a key that is nearly one: `up[i]`, `up.h[i]`, `h[i]`."""
    match = _TARGET.fullmatch(key) if len(key) <= _LONGEST_KEY else None
    maps = [name for name in ("up", "value", "logits") if name in known]
    if match is None or not maps:
        return None
    is_map = match["map"] in known
    target = (match["target"] or "NAME") if is_map else f"{match['map'] or ''}{match['target'] or ''}"
    written = f"{match['map'] if is_map else maps[0]} {target}{match['index']}"
    return f"an equation is written as its map, a space, and its target: `{written}`"


def _unknown_key(key: Scalar, known: list[str], path: JsonPath) -> Diagnostic:
    first = key.text.split(" ")[0]
    match_ = nearest(key.text, known) or nearest(first, known)
    suggestion = f"; did you mean '{match_}'?" if match_ else did_you_mean(key.text, known, MOST_KEYS)
    inside = f" in {_where(path)}" if path else ""
    if match_ == key.text:
        return Diagnostic("unknown-key", f"'{key.text}'{inside} needs a name, as in `{key.text} NAME`", key.span)
    top = _schema()
    if path and _allowed(key.text, top):
        message, hint = f"no key '{key.text}'{inside}", "it is a key of the spec itself, which is not indented"
        return Diagnostic("unknown-key", message, key.span, hint)
    if not path and _allowed(key.text, top["properties"]["network"]):
        hint = "it is a step: indent it, below `network`"
        return Diagnostic("unknown-key", f"no key '{key.text}'", key.span, hint)
    advice = _equation_hint(key.text, known) if path[:1] == ("network",) and len(path) == 2 else None
    if advice is not None:
        return Diagnostic("unknown-key", f"no key '{key.text}'{inside}", key.span, advice)
    question = _has_such_a_key(key.text) if path[:1] == ("network",) and not match_ else ""
    if question:
        return Diagnostic("unknown-key", f"no key '{key.text}'{inside}", key.span, question)
    return Diagnostic("unknown-key", f"no key '{key.text}'{inside}{suggestion}", key.span)


def _allowed(key: str, schema: dict[str, Any]) -> bool:
    return key in schema.get("properties", {}) or any(
        re.search(pattern, key) for pattern in schema.get("patternProperties", {})
    )


def _known_keys(schema: dict[str, Any]) -> list[str]:
    """The keys of an object schema; a pattern such as `^(gate|up) +…` stands for its first words."""
    known = list(schema.get("properties", {}))
    for pattern in schema.get("patternProperties", {}):
        words = re.match(r"\^\(?([a-z|]+)", pattern)
        known += words[1].split("|") if words else []
    return list(dict.fromkeys(known))


def _types(types: str | list[str]) -> str:
    words = {
        "number": "a number",
        "string": "text",
        "object": "a mapping",
        "array": "a list",
        "integer": "an integer",
        "boolean": "true or false",
    }
    listed = [types] if isinstance(types, str) else types
    if listed == ["number", "string"]:
        return "a number or an expression"
    return " or ".join(words.get(name, name) for name in listed)


def _kind(node: Node | None) -> str:
    match node:
        case Mapping():
            return "a mapping"
        case Sequence():
            return "a list"
        case Scalar(value=None):
            return "nothing"
        case Scalar(value=bool()):
            return f"the truth value {node.text}"
        case Scalar(value=str()):
            return f"the text '{node.text[:40]}'"
        case Scalar():
            return f"the number {node.text[:40]}"
        case _:
            return "something else"


def _type_hint(node: Node | None, schema: dict[str, Any]) -> str | None:
    expected: str | list[str] = schema["type"]
    if "examples" in schema:
        example = schema["examples"][0]
        if isinstance(example, dict):
            example = f"{{{', '.join(f'{key}: {value}' for key, value in example.items())}}}"
        return f"such as `{example}`"
    if isinstance(node, Scalar) and node.text and expected == "object":
        return without_colon(node.span.text.split("\n")[0]) or (COLON_HINT if " " in node.text else None)
    if isinstance(node, Mapping) and "object" not in expected and len(node.items) == 1:
        return "a formula that contains `: ` or starts with { has to be quoted"
    takes_numbers = "number" in expected or "integer" in expected
    if isinstance(node, Scalar) and type(node.value) is int and "array" in expected and not takes_numbers:
        return f"name them, as in `name[{node.text}]` or `first second`"
    if isinstance(node, Sequence) and "array" not in expected and "string" in expected:
        return "quote a list that is part of an expression"
    is_text = isinstance(node, Scalar) and node.text and node.value is not None
    if is_text and "string" in expected and "number" not in expected:
        return "quote it to mean the text"
    return None


def _where(path: JsonPath) -> str:
    return "`" + ".".join(str(part) for part in path) + "`" if path else ""


def _place(node: Node | None) -> Span | None:
    if node is None:
        return None
    return node.span.first if isinstance(node, Mapping) else node.span


def _first_place(document: Mapping, path: JsonPath) -> Span:
    """Where something is missing: the key of the mapping that lacks it, or its start where it has none."""
    parent, node = node_at(document, path[:-1]) if path else None, node_at(document, path)
    key = parent.key(str(path[-1])) if isinstance(parent, Mapping) else None
    return key.span if key is not None else (node or document).span.first


def _invalidate(node: Node, refused: Container[JsonPath], path: JsonPath = ()) -> Node:
    """Replace what stands at the refused paths by `Invalid`. `path` is that of the node."""
    if path in refused:
        return Invalid(node.span)
    match node:
        case Mapping(items=pairs, span=span):
            kept = ((key, _invalidate(value, refused, (*path, key.text))) for key, value in pairs)
            return Mapping(tuple(kept), span)
        case Sequence(items=items, span=span):
            return Sequence(tuple(_invalidate(item, refused, (*path, i)) for i, item in enumerate(items)), span)
        case _:
            return node
