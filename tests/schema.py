"""The part of `compiler/weightspec.schema.json` that editors read: `python -m tests.schema` writes it into the file.

The rest is the tool's own schema, about specs with all that they extend. Editors need more:

- what a spec, or a task, that extends another one can leave out or remove;
- what can be inserted: keys that are patterns, words with their meanings;
- the warnings, suites and counting rules.

`defaultSnippets` and the like are keywords of yaml-language-server, which others ignore.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from compiler.language.warnings import WARNINGS
from compiler.readers.counting.counts import COUNTING_RULES, FIGURES
from compiler.source.files import write_whole
from compiler.source.schema import schema_text
from compiler.tasks.suites import NAMED, SUITES
from tests.helpers import ROOT

Schema = dict[str, Any]

_EDITOR = "editor"  # the definition that is made here
_BEGINNING = f',\n    "{_EDITOR}": '  # of that definition, which is the last one
_ENDING = "\n  }\n}\n"  # of the definitions and the file
_OF_A_SPEC = ("type", "required", "additionalProperties", "properties")
_PARTIAL, _WHOLE = "partial_", "whole_"  # of something that extends another one, and that does not
_SCHEMAS = ("additionalProperties", "then", "else", "items")  # keywords with a schema
_MERGED = _SCHEMAS[:3]  # those inside which mappings are merged; a list is replaced as a whole
_NAMED_SCHEMAS = ("properties", "patternProperties")  # keywords with schemas by name
_WANTED = ("required", "minProperties")  # keywords about what has to be there


def with_editor(text: str) -> str:
    """The file of the schema with the part for editors made anew; each of its definitions has a line."""
    editor = _editor(json.loads(text))
    definitions = ",\n".join(f"        {_line(name)}: {_line(it)}" for name, it in editor.pop("definitions").items())
    rest = "".join(f"      {_line(key)}: {_line(it)},\n" for key, it in editor.items())
    made = f'{{\n{rest}      "definitions": {{\n{definitions}\n      }}\n    }}'
    made = made.replace('"#/definitions/', f'"#/definitions/{_EDITOR}/definitions/')
    return text.removesuffix(_ENDING).partition(_BEGINNING)[0] + _BEGINNING + made + _ENDING


def _line(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def _editor(source: Schema) -> Schema:
    """The schema for editors without what it is about, made of the whole file."""
    _add_tables(source)
    known: dict[str, Schema] = {name: it for name, it in source["definitions"].items() if name != _EDITOR}
    spec = _shown({key: source[key] for key in _OF_A_SPEC}, known)
    shown = {name: _shown(it, known) for name, it in known.items()}
    every: dict[str, Schema] = {}
    for name, it in shown.items():
        every[_PARTIAL + name] = _partial(it)
        if "extends" in it.get("properties", {}):
            every[_WHOLE + name] = it
            every[name] = _either(it, {"$ref": _to(_WHOLE + name)}, {"$ref": _to(_PARTIAL + name)})
        else:
            every[name] = it
    editor = _either(spec, spec, _partial(spec))
    return {**editor, "definitions": {name: every[name] for name in sorted(_reached(editor, every))}}


def _either(about: Schema, whole: Schema, partial: Schema) -> Schema:
    """A schema for what may extend another one."""
    description: Schema = {key: about[key] for key in ("description", "markdownDescription") if key in about}
    return {**description, "type": "object", "if": {"required": ["extends"]}, "then": partial, "else": whole}


def _add_tables(source: Schema) -> None:
    """Put what tables of the compiler say into the schema: warnings, suites, counting rules."""
    named, expect = source["properties"], source["definitions"]["expect"]["properties"]
    task = source["definitions"]["task"]["properties"]
    named["ignore"] = {**named["ignore"], **_listed("warning", WARNINGS)}
    del named["ignore"]["$ref"]
    asked_for = {name: SUITES[name] for name in NAMED}
    task["suites"] |= {**_listed("suite", asked_for), "type": task["suites"]["type"]}
    task["suites"]["then"]["properties"] = _described(task["suites"]["then"]["additionalProperties"], asked_for)
    expect["eval"]["properties"] = _described(expect["eval"]["additionalProperties"], SUITES)
    rules = {name: FIGURES[name].says for name in COUNTING_RULES}
    for name, says in rules.items():
        expect["count"]["properties"][name]["description"] = says
    expect["claimed"]["properties"]["rule"]["meanings"] = rules


def _listed(kind: str, known: Mapping[str, str]) -> Schema:
    """A schema of words out of a list, in a text or as a YAML list."""
    word = "|".join(known)
    return {
        "type": ["string", "array"],
        "pattern": rf"^\s*({word})(\s+({word}))*\s*$",
        "patternErrorMessage": f"No such {kind}. Known are: {', '.join(known)}.",
        "minItems": 1,
        "items": {"enum": list(known), "meanings": dict(known)},
        "meanings": dict(known),
    }


def _described(schema: Schema, known: Mapping[str, str]) -> dict[str, Schema]:
    """The same schema for each known key, described by it."""
    return {name: {**schema, "description": says} for name, says in known.items()}


def _below(schema: Schema, change: Callable[[Schema], Schema], single: tuple[str, ...] = _SCHEMAS) -> Schema:
    """A schema with those inside it changed."""
    changed = dict(schema)
    for key, value in schema.items():
        if key in single and isinstance(value, dict):
            changed[key] = change(value)
        elif key in _NAMED_SCHEMAS:
            changed[key] = {name: change(it) for name, it in value.items()}
    return changed


# what can be inserted


def _shown(schema: Schema, known: Mapping[str, Schema]) -> Schema:
    """A schema as editors show it. In the file `meanings` explains words, and `written` shows a pattern."""
    shown = _below(schema, lambda inner: _shown(inner, known)) | _explained(schema)
    shown.pop("written", None)
    shown.pop("meanings", None)
    for pattern, inner in shown.get("patternProperties", {}).items():
        word = _first_word(pattern)
        if re.search(pattern, word):  # an editor offers no patterns
            shown["properties"].setdefault(word, inner)
    if "items" in schema and schema.get("type") != "array":  # else an editor always inserts a list
        shown["allOf"] = [{"items": shown.pop("items")}]
    if "anyOf" in schema:  # of which both would be shown
        needed, other = shown.pop("anyOf")
        shown |= {"if": other, "else": needed}
    snippets = [*_keys(schema, known), *_words(schema, known)]
    if not snippets:
        return shown
    target = shown.pop("$ref", None)  # whose neighbours would be ignored
    beside = {} if target is None else _shown(known[_name(target)], known)
    return {**beside, **shown, "defaultSnippets": snippets}


def _explained(schema: Schema) -> Schema:
    """The descriptions of a schema and of its words, as Markdown."""
    meanings = schema.get("meanings", {})
    explained: Schema = {}
    if "enum" in schema and meanings:
        words = [meanings[word] for word in schema["enum"]]
        explained = {"enumDescriptions": words, "markdownEnumDescriptions": words}
    if "description" in schema:
        listed = [f"* `{word}`: {meaning}" for word, meaning in meanings.items() if "enum" not in schema]
        explained["markdownDescription"] = "\n".join([schema["description"], *([""] if listed else []), *listed])
    return explained


def _keys(schema: Schema, known: Mapping[str, Schema]) -> Iterator[Schema]:
    """Keys of two words, such as `query HEAD`."""
    for inner in schema.get("patternProperties", {}).values():
        what = {**known[_name(inner["$ref"])], **inner}
        word, _, name = inner["written"].partition(" ")
        words = ",".join(it["label"] for it in _words(what, known) if it["body"] == it["label"])
        value: object = f"${{2|{words}|}}" if words else "$2"
        if what.get("type") == "object":
            value = {what["required"][0]: "$2"} if "required" in what else {"$2": "$3"}
        body = {f"{word} ${{1:{name}}}": value}
        yield {"label": inner["written"], "description": what["description"], "body": body}


def _words(schema: Schema, known: Mapping[str, Schema]) -> Iterator[Schema]:
    """Words and mappings that a value can be, where an editor does not find them by itself."""
    if "enum" in schema:
        return
    meanings: dict[str, str] = {}
    for inner in (schema[key] for key in ("else", "items") if isinstance(schema.get(key), dict)):
        listed = known[_name(inner["$ref"])] if "$ref" in inner else inner
        meanings |= dict.fromkeys(listed.get("enum", ()), "") | listed.get("meanings", {})
    for word, meaning in (meanings | schema.get("meanings", {})).items():
        yield {"label": word, "description": meaning, "body": word}
    for key in schema.get("then", {}).get("required", ()) if "type" in schema else ():
        meaning = schema["then"]["properties"][key]["description"]
        yield {"label": f"{{{key}: …}}", "description": meaning, "body": {key: "$1"}}


def _first_word(pattern: str) -> str:
    return pattern.removeprefix("^").partition(" ")[0].partition("(")[0]


# what extends something


def _partial(schema: Schema) -> Schema:
    """A schema for what is merged over something else: whatever may be missing, and `null` removes."""
    partial = {key: value for key, value in _below(schema, _partial, _MERGED).items() if key not in _WANTED}
    if "type" in schema:
        types = [schema["type"]] if isinstance(schema["type"], str) else schema["type"]
        partial["type"] = list(dict.fromkeys([*types, "null"]))
    if "enum" in schema:
        partial["enum"] = [*schema["enum"], None]
    for key in {"enumDescriptions", "markdownEnumDescriptions"} & schema.keys():
        partial[key] = [*schema[key], "removes it"]
    if "$ref" in schema:
        partial["$ref"] = _to(_PARTIAL + _name(schema["$ref"]))
    return partial


def _to(name: str) -> str:
    return f"#/definitions/{name}"


def _name(reference: str) -> str:
    return reference.rpartition("/")[2]


def _reached(editor: Schema, every: Mapping[str, Schema]) -> set[str]:
    """The definitions that the schema needs."""
    reached: set[str] = set()
    waiting = [editor]
    while waiting:
        names = set(re.findall(r'"#/definitions/(\w+)"', json.dumps(waiting.pop()))) - reached
        reached |= names
        waiting += [every[name] for name in names]
    return reached


if __name__ == "__main__":
    write_whole(ROOT / "compiler" / "weightspec.schema.json", with_editor(schema_text()).encode())
