"""Tasks of tests/data/tasks/nineteen.yaml as values, read in the plainest way."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from itertools import product
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray

from compiler.expressions.formulas import Formula
from compiler.expressions.parse import parse
from compiler.source.document import Scalar
from compiler.source.text import Source, Span
from compiler.tasks.statement import Aimed, AnswerEquation, Statement, StateVariable, Transducer, WordShape
from tests.helpers import ROOT

NINETEEN: dict[str, dict[str, Any]] = yaml.safe_load(
    (ROOT / "tests/data/tasks/nineteen.yaml").read_text(encoding="utf-8")
)
Row = dict[str, tuple[int, ...]]  # the words of one input


def formula(text: object) -> Formula:
    written = str(text)
    return Formula(parse(written), Scalar(written, written, Span(Source("task", written), 0, len(written))))


def formulas(texts: Mapping[str, object]) -> tuple[tuple[str, Formula], ...]:
    return tuple((name, formula(text)) for name, text in texts.items())


def statement(task: Mapping[str, Any], alphabets: Mapping[str, int], **sizes: int) -> Statement:
    """The task with these sizes; `alphabets` says how many symbols each has."""
    constants = {**{name: size for name, size in task.get("sizes", {}).items() if isinstance(size, int)}, **sizes}

    def shape(name: str, word: str) -> WordShape:
        alphabet, _, length = word.partition("*")
        count = eval(length, {}, dict(constants)) if length else 1
        return WordShape(name, alphabet, alphabets[alphabet], count, single=not length)

    given = tuple(shape(name, word) for name, word in task["given"].items())
    answers = {name: shape(name, word) for name, word in task["answers"].items()}
    return Statement(
        constants,
        given,
        tuple(answers.values()),
        formula(task["only"]) if "only" in task else None,
        tuple(equation(target, text, answers) for target, text in task.get("equations", {}).items()),
        transducer(task["columns"], constants) if "columns" in task else None,
    )


def equation(target: str, text: object, answers: Mapping[str, WordShape]) -> AnswerEquation:
    match = re.fullmatch(r"(number\()?(\w+)(\[(\w+)\])?\)?", target)
    assert match is not None
    word = answers[match[2]]
    if match[1]:
        return AnswerEquation(word.name, "number", (), formula(text))
    if not match[3] and not word.single:
        return AnswerEquation(word.name, "word", (), formula(text))
    aimed = tuple(Aimed(place, {match[4]: place} if match[4] else {}) for place in range(word.length))
    return AnswerEquation(word.name, "symbols", aimed, formula(text))


def transducer(columns: Mapping[str, Any], constants: Mapping[str, int]) -> Transducer:
    states = []
    for name, written in columns["state"].items():
        about = written if isinstance(written, dict) else {"size": written}
        states.append(StateVariable(name, eval(str(about["size"]), {}, dict(constants)), about.get("start", 0)))
    end = columns.get("end", {})
    known = ("from", "state", "let", "only", "end")
    return Transducer(
        columns["from"] == "last",
        tuple(states),
        formulas(columns.get("let", {})),
        formula(columns["only"]) if "only" in columns else None,
        formulas({name: text for name, text in columns.items() if name not in known and not name.startswith("next ")}),
        formulas({name[5:]: text for name, text in columns.items() if name.startswith("next ")}),
        formula(end["only"]) if "only" in end else None,
        formulas({name: text for name, text in end.items() if name != "only"}),
    )


def every_input(stated: Statement) -> Iterator[Row]:
    """All given words there can be, also those that `only` excludes."""
    words = [product(range(word.symbols), repeat=word.length) for word in stated.given]
    for choice in product(*words):
        yield dict(zip((word.name for word in stated.given), choice, strict=True))


def arrays(rows: list[Row]) -> dict[str, NDArray[np.uint16]]:
    return {name: np.array([row[name] for row in rows], np.uint16) for name in rows[0]}


def rows_of(words: Mapping[str, NDArray[np.uint16]]) -> list[Row]:
    names = list(words)
    return [
        dict(zip(names, map(tuple, row), strict=True))
        for row in zip(*(words[name].tolist() for name in names), strict=True)
    ]
