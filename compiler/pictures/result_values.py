"""The values that rows of a sweep have, each as cells of a picture."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from typing import Literal

from compiler.pictures.picture import ZERO, PictureCell, number_cell
from compiler.readers.counting.counts import LISTING, SHOWN_RULES
from compiler.source.faults import no_rule
from compiler.sweeps.results import PointResult

ValueKind = Literal["share", "verdict", "number"]
Count = Callable[[PointResult], tuple[int, int]]  # k of n; n is 0 where nothing was asked
_LONGEST_COUNT = 10**5  # what has more digits is rounded in a cell
_LARGEST = int(sys.float_info.max)  # tasks can have more inputs than that


@dataclass(frozen=True)
class ResultValue:
    """A value of rows: its kind, what a picture calls it, and the cell of a result; None where it is not known."""

    kind: ValueKind
    title: str
    cell: Callable[[PointResult], PictureCell | None]


def result_values(results: Sequence[PointResult]) -> dict[str, ResultValue]:
    """The values that results have, by their names; first the one that says most."""
    suites = list(dict.fromkeys(suite.suite for result in results for suite in result.suites))
    is_verified = any(result.verdict is not None for result in results)
    values = {"verdict": ResultValue("verdict", "verdict on all inputs", _verdict)} if is_verified else {}
    if len(suites) > 1:
        values["right"] = _share("all suites", results, _of_all)
    for suite in suites:
        values[suite] = _share(suite, results, partial(_of_suite, suite))
    if is_verified:
        values["wrong"] = ResultValue("number", "inputs that are surely answered wrong", _wrong)
        values["margin"] = ResultValue("number", "proved lead of the right token, in logits", _margin)
        values["lead"] = ResultValue("number", "smallest lead that was seen, in logits", _lead)
    for rule in SHOWN_RULES:
        if rule != LISTING:
            values[rule] = ResultValue("number", f"{rule} parameters", partial(_counted, rule))
    values["seconds"] = ResultValue("number", "seconds", lambda result: _number(result.seconds))
    return values


def _of_all(result: PointResult) -> tuple[int, int]:
    return result.right, result.inputs


def _of_suite(name: str, result: PointResult) -> tuple[int, int]:
    return next(((suite.right, suite.inputs) for suite in result.suites if suite.suite == name), (0, 0))


def _share(name: str, results: Sequence[PointResult], count: Count) -> ResultValue:
    """So many right answers of so many inputs; how many these are stands in each cell where it is not the same."""
    asked = {inputs for _, inputs in map(count, results) if inputs}
    many = f"of {asked.pop():,} inputs" if len(asked) == 1 else ""
    return ResultValue("share", f"right answers, {name} {many}".strip(), partial(_shared, count, not many))


def _shared(count: Count, is_whole_text: bool, result: PointResult) -> PictureCell | None:
    right, inputs = count(result)
    if not inputs:
        return None
    text = f"{_count_text(right)}/{_count_text(inputs)}" if is_whole_text else _count_text(right)
    if right == inputs:
        return PictureCell("whole", 1.0, text, "•")
    return PictureCell("value", right / inputs, text) if right else ZERO


def _verdict(result: PointResult) -> PictureCell | None:
    """A refuted one with the number of inputs that are surely answered wrong, an open one with the reasons."""
    found = result.verdict
    if found is None:
        return None
    match found.verdict:
        case "proved":
            return PictureCell(found.verdict, None, "P", "P")
        case "refuted":
            return PictureCell(found.verdict, None, f"R {_count_text(found.at_least)}", "R")
        case "open":
            return PictureCell(found.verdict, None, " ".join(["O", ", ".join(found.why)]).rstrip(), "O")
        case _:
            raise no_rule("verdict", found.verdict)


def _count_text(number: int) -> str:
    if number < _LONGEST_COUNT:
        return f"{number}"
    figures, _, exponent = f"{Decimal(number):.2e}".partition("e")
    return f"{float(figures):g}e{int(exponent)}"


def _wrong(result: PointResult) -> PictureCell | None:
    return None if result.verdict is None else _counted_cell(result.verdict.at_least)


def _margin(result: PointResult) -> PictureCell | None:
    return None if result.verdict is None else _number(result.verdict.margin)


def _lead(result: PointResult) -> PictureCell | None:
    return None if result.verdict is None else _number(result.verdict.lead)


def _counted(rule: str, result: PointResult) -> PictureCell | None:
    counted = (result.counts or {}).get(rule)
    return None if counted is None else _counted_cell(counted)


def _counted_cell(number: int) -> PictureCell:
    return number_cell(float(min(number, _LARGEST)), _count_text(number))


def _number(value: float | None) -> PictureCell | None:
    return None if value is None else number_cell(value)
