"""`free=20`: what a user says about a figure, to be checked; and what the figure is made of, where it is not so."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from compiler.readers.counting.counts import FIGURES, Counts, Parts
from compiler.source.diagnostics import nearest

Relation = Literal["=", "<=", ">="]
ASSERTABLE = tuple(FIGURES)
_ASSERTION = re.compile(r"\s*(\w+)\s*(<=|>=|==?)\s*(\d{1,18})\s*", re.ASCII)


class MalformedAssertion(ValueError):
    """The message says what is wrong, and what can be asserted."""


@dataclass(frozen=True)
class Assertion:
    """`figure relation number`, such as `dense <= 1500`."""

    figure: str
    relation: Relation
    number: int

    def __str__(self) -> str:
        return f"{self.figure}{self.relation}{self.number}"

    def holds(self, counts: Counts) -> bool:
        """Whether it is so; an undeclared `free` is no number."""
        figure = counts.by_rule(self.figure)
        if figure is None:
            return False
        match self.relation:
            case "=":
                return figure == self.number
            case "<=":
                return figure <= self.number
            case ">=":
                return figure >= self.number


def read_assertion(text: str) -> Assertion:
    """`FIGURE=N`, `FIGURE<=N` or `FIGURE>=N`. Raises `MalformedAssertion`."""
    written = _ASSERTION.fullmatch(text)
    known = f"The rules are {', '.join(ASSERTABLE)}."
    if written is None:
        quoted = " in quotes, as a shell reads < and > itself" if re.fullmatch(r"\s*\w+\s*", text) else ""
        forms = "RULE=N, RULE<=N or RULE>=N, such as free=20"
        raise MalformedAssertion(f"'{text[:60]}' is no assertion: write {forms}{quoted}. {known}")
    figure, sign, number = written.groups()
    if figure not in ASSERTABLE:
        match = nearest(figure, ASSERTABLE)
        suggestion = "." if match is None else f"; did you mean '{match}'?"
        raise MalformedAssertion(f"no rule '{figure[:60]}'{suggestion} {known}")
    relation: Relation = "<=" if sign == "<=" else ">=" if sign == ">=" else "="
    return Assertion(figure, relation, int(number))


def made_of(counts: Counts, figure: str) -> Parts:
    """What a figure adds up from, with its share; nothing for those of values."""
    return [(name, share) for name, share in FIGURES[figure].parts(counts) if share]
