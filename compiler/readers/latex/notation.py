"""The letters that stand for positions, pairs and heads: none that the spec uses for something else."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from compiler.expressions.positions import KEY, PAIR, QUERY, TIME
from compiler.language.keys import SECTIONS
from compiler.readers.latex.words import name
from compiler.source.document import Mapping, Node, Scalar, Sequence

POSITION_NAME = "pos"
_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_QUERY_AND_KEY = (("i", "j"), ("q", "k"), ("s", "t"), ("m", "n"), ("u", "v"), ("y", "z"))


@dataclass(frozen=True)
class Notation:
    """Letters for math mode. `words` are all names that the spec has."""

    words: frozenset[str]
    query: str
    key: str
    position: str
    pair: str
    head: str
    token: str
    time: str

    @property
    def positions(self) -> dict[str, str]:
        """Signs of the names that attention, positions and lengths give a meaning."""
        named = {QUERY: self.query, KEY: self.key, POSITION_NAME: self.position}
        return {**named, PAIR: self.pair, TIME: self.time}


def notation(document: Mapping) -> Notation:
    """Letters that no name of the document is."""
    words = frozenset(word for section in SECTIONS for text in _texts(document.get(section)) for word in text)
    query, key = next((pair for pair in _QUERY_AND_KEY if words.isdisjoint(pair)), (name(QUERY), name(KEY)))
    taken = {*words, query, key}
    chosen = []
    for letters, otherwise in (("ptn", POSITION_NAME), ("mrl", PAIR), ("hgc", "head"), ("tcw", "token"), ("TNL", TIME)):
        letter = next((letter for letter in letters if letter not in taken), name(otherwise))
        taken.add(letter)
        chosen.append(letter)
    return Notation(words, query, key, *chosen)


def _texts(root: Node | None) -> Iterator[list[str]]:
    """The words of every key and value."""
    todo = [root]
    while todo:
        match todo.pop():
            case Scalar(text=text):
                yield _WORD.findall(text)
            case Sequence(items=items):
                todo += items
            case Mapping(items=pairs):
                todo += [node for pair in pairs for node in pair]
