"""Specs made wrong, or made other, at random: in their bytes, in their tokens, in their tree."""

from __future__ import annotations

import re
from collections.abc import Callable
from random import Random

from compiler.source.diagnostics import SpecError
from compiler.source.document import Mapping, Node, Scalar, Sequence, parse_document
from compiler.source.scalars import resolve_plain
from compiler.source.text import Source, Span
from compiler.source.writing import write_document

EXTREME = """
    1e999 -1 0.5 10**400 9**9**9 .nan .inf -inf 1e-400 0x10 99999999999 1e308 -0.0 0 65536 65537 16384 4096 2**53+1
    1_000 1e5 -7 null true 1/0 1/3 1000000
""".split()  # noqa: SIM905
EXTREME.append("1" * 500)
WORDS = """
    none pi inf base digits pos query_pos key_pos pair identity broadcast attention.output embedding stream hidden
    float16 bfloat16 float64 standard plus_one causal rms layer argmin argmax a b sum <bos> proved refuted silu gelu
    hard ties latest window halves least_significant_first in_place word i k gain half
""".split()  # noqa: SIM905
OPERATORS = "+ - * / // % ** @ < <= > >= == != and or not .T , ( ) [ ] : = { }".split()  # noqa: SIM905
SIGNS = "[]{}()*/+-=<>:,.#&!|'\"%@^~?\t\n\r\0\\_ 0"
SNIPPETS = ["**", ": ", "- ", "\n  ", "\n    ", " #", "---", "...", "<<: ", "&a ", "*a", "!!", "é", "√", "\ufeff"]
SNIPPETS += [
    "\u2028",
    "\U0001f600",
    "where(",
    "sum(",
    "dot(",
    "exp(",
    "[base]",
    "[i]",
    "[i < 2]",
    "head_dim: 3",
    "let: ",
]
SNIPPETS += [
    "head_dim: 3",
    "[[1, 2], [3]]",
    "kv_heads: a",
    "value_dim: 2",
    "norm: layer",
    "ffn:",
    "head:",
    "mix: ",
    "after: ",
]
PIECES: list[str] = [*SIGNS, *SNIPPETS, *EXTREME, *WORDS, *OPERATORS]
_TOKEN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*|[0-9.]+(?:e[+-]?[0-9]+)?|\*\*|//|[<>=!]=|\n *|\s+|.")
_NOWHERE = Span(Source("made", ""), 0, 0)


def mutant(text: str, random: Random) -> bytes:
    """The text after one to four changes of one kind."""
    mutate = random.choice(KINDS)
    for _ in range(random.choice((1, 1, 2, 4))):
        text = mutate(text, random)
    data = bytearray(text.encode("utf-8", "surrogatepass"))
    if data and mutate is by_bytes and random.random() < 0.2:
        data[random.randrange(len(data))] = random.randrange(256)
    return bytes(data)


def setting(text: str, random: Random) -> str:
    """Something like `name=value`, out of the words of a text."""
    names = re.findall(r"[A-Za-z_][A-Za-z0-9_]*", text)
    path = ".".join(random.choice(names) for _ in range(random.choice((1, 1, 2, 3))))
    return random.choice(["", " "]).join(
        [path, "=", random.choice([*EXTREME, *WORDS, *SNIPPETS, random.choice(names)])]
    )


def by_bytes(text: str, random: Random) -> str:
    """Characters, words or lines dropped, doubled, moved, put in."""
    at = random.randrange(len(text) + 1)
    match random.randrange(5):
        case 0:
            return text[:at] + text[at + random.randint(1, 8) :]
        case 1:
            return text[:at] + random.choice(PIECES) + text[at:]
        case 2:
            return text[:at] + random.choice(PIECES) + text[at + random.randint(1, 4) :]
        case 3:
            words = text.split(" ")
            words[random.randrange(len(words))] = random.choice([random.choice(words), random.choice(PIECES)])
            return " ".join(words)
        case _:
            return _with_lines(text, random)


def _with_lines(text: str, random: Random) -> str:
    lines = text.split("\n")
    i, j = random.randrange(len(lines)), random.randrange(len(lines))
    match random.randrange(5):
        case 0:
            del lines[i]
        case 1:
            lines.insert(j, lines[i])
        case 2:
            lines[i], lines[j] = lines[j], lines[i]
        case 3:
            lines[i] = " " * random.randrange(7) + lines[i].lstrip()
        case _:
            key = lines[j].partition(": ")[0]
            lines[i] = f"{key}: {lines[i].partition(': ')[2]}"
    return "\n".join(lines)


def by_tokens(text: str, random: Random) -> str:
    """A name, number or operator swapped with another one, dropped, doubled, or replaced by one of its kind."""
    tokens = _TOKEN.findall(text)
    solid = [i for i, token in enumerate(tokens) if not token.isspace()]
    if not solid:
        return text
    i = random.choice(solid)
    alike = [j for j in solid if _kind(tokens[j]) == _kind(tokens[i])]
    j = random.choice(alike)
    match random.randrange(5):
        case 0:
            tokens[i], tokens[j] = tokens[j], tokens[i]
        case 1:
            del tokens[i]
        case 2:
            tokens.insert(i, tokens[i] + random.choice(["", " "]))
        case 3:
            tokens[i] = tokens[j]
        case _:
            tokens[i] = random.choice({"name": WORDS, "number": EXTREME, "sign": OPERATORS}[_kind(tokens[i])])
    return "".join(tokens)


def _kind(token: str) -> str:
    return "name" if token[0].isalpha() or token[0] == "_" else "number" if token[0].isdigit() else "sign"


class _Map(list[list[object]]):
    """Pairs of a key and a value."""


def by_tree(text: str, random: Random) -> str:
    """A key or a value of the document deleted, doubled, renamed, moved, swapped or wrapped; in canonical layout."""
    try:
        root = _mutable(parse_document(Source("mutant", text)))
    except SpecError:
        return by_tokens(text, random)
    places = _places(root)
    if not isinstance(root, _Map) or not places:
        return text
    holder, index = random.choice(places)
    other, there = random.choice(places)
    value = _get(holder, index)
    match random.randrange(8):
        case 0:
            del holder[index]
        case 1:
            _put(other, random.randrange(len(other) + 1), _key(holder, index, random), value)
        case 2 if isinstance(holder, _Map):
            holder[index][0] = _key(other, there, random)
        case 3:
            del holder[index]
            _put(other, random.randrange(len(other) + 1), _key([], 0, random), value)
        case 4:
            theirs = _get(other, there)
            if not _inside(theirs, holder) and not _inside(value, other):
                _set(holder, index, theirs)
                _set(other, there, value)
        case 5:
            _set(holder, index, [value])
        case 6:
            _set(holder, index, _Map([[_key(other, there, random), value]]))
        case _:
            _set(holder, index, random.choice([*EXTREME, *WORDS]))
    document = _frozen(root, 0)
    return write_document(document) if isinstance(document, Mapping) else text


def _mutable(node: Node) -> object:
    match node:
        case Mapping(items=pairs):
            return _Map([[key.text, _mutable(value)] for key, value in pairs])
        case Sequence(items=items):
            return [_mutable(item) for item in items]
        case Scalar():
            return node
        case _:
            raise AssertionError(node)


def _frozen(value: object, depth: int) -> Node:
    match value:
        case Scalar():
            return value
        case _Map():
            pairs = {str(key): (_text(str(key)), _frozen(inner, depth + 1)) for key, inner in value if depth < 50}
            return Mapping(tuple(pairs.values()), _NOWHERE)
        case list():
            return Sequence(tuple(_frozen(item, depth + 1) for item in value if depth < 50), _NOWHERE)
        case _:
            text = str(value)
            return Scalar(text, resolve_plain(text), _NOWHERE)


def _text(text: str) -> Scalar:
    return Scalar(text, text, _NOWHERE)


def _places(value: object) -> list[tuple[list[object], int]]:
    """Every collection with every index in it."""
    found: list[tuple[list[object], int]] = []
    todo = [value]
    while todo:
        one = todo.pop()
        if isinstance(one, list):
            found += [(one, i) for i in range(len(one))]
            todo += [_get(one, i) for i in range(len(one))]
    return found


def _get(holder: list[object], index: int) -> object:
    item = holder[index]
    return item[1] if isinstance(holder, _Map) and isinstance(item, list) else item


def _set(holder: list[object], index: int, value: object) -> None:
    item = holder[index]
    if isinstance(holder, _Map) and isinstance(item, list):
        item[1] = value
    else:
        holder[index] = value


def _put(holder: list[object], index: int, key: str, value: object) -> None:
    if not _inside(value, holder):
        holder.insert(index, [key, value] if isinstance(holder, _Map) else value)


def _inside(outer: object, holder: object) -> bool:
    """Whether a collection is `outer` or lies within it."""
    return outer is holder or any(holder is one for one, _ in _places(outer))


def _key(holder: list[object], index: int, random: Random) -> str:
    item = holder[index] if index < len(holder) and isinstance(holder, _Map) else None
    known = str(item[0]) if isinstance(item, list) else random.choice(WORDS)
    return random.choice([known, known, known + "x", random.choice(WORDS), f"{known} {random.choice(WORDS)}"])


Kind = Callable[[str, Random], str]
KINDS: tuple[Kind, ...] = (by_bytes, by_tokens, by_tree)
