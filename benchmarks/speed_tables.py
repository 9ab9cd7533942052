"""What `benchmarks/engine_speed.py` has measured, as tables and as JSON."""

from __future__ import annotations

import math
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from benchmarks.page import TableWriter, cores, cpu
from benchmarks.rates import FAST_C, FAST_TORCH, ONE_AT_A_TIME, PLAIN, Rate, SpecRates
from compiler.backends.native.c_compiler import CannotCompile, c_compiler
from compiler.terminal.figures import whole

NONE = "–"

Table = tuple[list[str], list[list[str]]]


@dataclass(frozen=True)
class Skipped:
    """A spec, or a variant of one, that cannot be measured."""

    spec: str
    reason: str


@dataclass(frozen=True)
class Grown:
    """What a spec does with so many digits."""

    spec: str
    digits: int
    found: SpecRates | Skipped


@dataclass(frozen=True)
class Blocks:
    """The rates of a spec with blocks of each size."""

    spec: str
    sizes: tuple[int, ...]
    rates: tuple[tuple[Rate, ...], ...]


@dataclass(frozen=True)
class Measured:
    """What there is to show; each kind may be empty."""

    suite: str
    seed: int
    specs: tuple[SpecRates, ...]
    digits: tuple[Grown, ...]
    blocks: tuple[Blocks, ...]


def sections(found: Measured, table: TableWriter) -> dict[str, str]:
    """The text of each kind of table, by the name of its section in a page."""
    line = f"{_machine_line()}\n\n"
    made = {
        "rates": _rates_table(found.specs) if found.specs else None,
        "digits": _digits_table(found.digits) if found.digits else None,
        "blocks": _blocks_table(found.blocks) if found.blocks else None,
    }
    notes = {"rates": _reasons(found.specs), "digits": _reasons(found.digits) + _growth(found.digits)}
    return {
        name: f"{line}{table(*both)}" + (f"\n{notes[name]}" if notes.get(name) else "")
        for name, both in made.items()
        if both is not None
    }


def machine() -> dict[str, Any]:
    try:
        compiler: str | None = c_compiler().version
    except CannotCompile:
        compiler = None
    threads = torch.get_num_threads()
    versions = {"torch": torch.__version__, "python": platform.python_version()}
    return {"cpu": cpu(), "cores": cores(), "threads": threads, "compiler": compiler, **versions}


def _machine_line() -> str:
    about = machine()
    count = f"{_count(about['cores'], 'core')}, {_count(about['threads'], 'thread')}"
    versions = f"torch {about['torch']}, Python {about['python']}"
    return f"{about['cpu']}, {count}; {about['compiler'] or 'no C compiler'}; {versions}"


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _rates_table(results: Sequence[SpecRates]) -> Table:
    threads = max((rate.threads for one in results for rate in one.rates), default=1)
    ways = [PLAIN, FAST_TORCH, f"{FAST_C}, 1 thread", *([f"{FAST_C}, {threads} threads"] if threads > 1 else [])]
    header = ["spec", ONE_AT_A_TIME, *ways, "decided one at a time", "exponentials", "compiled in", "from the cache"]
    rows = []
    for one in results:
        cells = {_column(rate): f"{whole(rate.per_second)} ({whole(one.times(rate))})" for rate in one.rates[1:]}
        times = [NONE if taken is None else f"{taken:.1f} s" for taken in (one.compile_seconds, one.kept_seconds)]
        single = whole(one.rates[0].per_second)
        work = NONE if one.exponentials is None else f"{one.exponentials:,}"
        rows.append([one.spec, single, *(cells.get(way, NONE) for way in ways), _share(one.used), work, *times])
    return header, rows


def _column(rate: Rate) -> str:
    if rate.way != FAST_C:
        return rate.way
    return f"{FAST_C}, {_count(rate.threads, 'thread')}"


def _share(rate: Rate) -> str:
    """The share that was decided one at a time; so small that it would look like none, it is not rounded to that."""
    if rate.close == 0:
        return "0 %"
    return f"{100 * rate.close:.2f} %" if rate.close >= 0.00005 else "< 0.01 %"


def _digits_table(grown: Sequence[Grown]) -> Table:
    header = ["spec", "digits", "tokens", ONE_AT_A_TIME, "eval", "ratio", "decided one at a time", "first pass"]
    rows = []
    for one in grown:
        start = [one.spec, str(one.digits)]
        if isinstance(one.found, Skipped):
            rows.append([*start, *[NONE] * 6])
            continue
        single, used, first = one.found.rates[0].per_second, one.found.used, one.found.first_pass
        numbers = [str(one.found.length), whole(single), whole(used.per_second), whole(one.found.ratio)]
        rows.append([*start, *numbers, _share(used), NONE if first is None else whole(first)])
    return header, rows


def _growth(grown: Sequence[Grown]) -> str:
    """Of each spec, the power of the digits that the time of an input grows as, from the fewest to the most."""
    lines = []
    for spec in dict.fromkeys(one.spec for one in grown):
        found = [(one.digits, one.found) for one in grown if one.spec == spec and isinstance(one.found, SpecRates)]
        found.sort(key=lambda one: one[0])
        if len(found) < 2:
            continue
        (few, before), *_, (many, after) = found
        ends = {"of `eval`": (before.used.per_second, after.used.per_second)}
        if before.first_pass is not None and after.first_pass is not None:
            ends["of the first pass"] = before.first_pass, after.first_pass
        powers = [f"{way} n^{math.log(x / y) / math.log(many / few):.2f}" for way, (x, y) in ends.items()]
        lines.append(f"- {spec}, {few} to {many} digits: the time {' and '.join(powers)}\n")
    return "".join(lines)


def _blocks_table(found: Sequence[Blocks]) -> Table:
    measured = {rate.way for one in found for rates in one.rates for rate in rates}
    ways = [way for way in (PLAIN, FAST_TORCH, FAST_C) if way in measured]
    header, rows = ["spec", "pairs in a block", *ways], []
    for one in found:
        for size, rates in zip(one.sizes, one.rates, strict=True):
            cells = {rate.way: whole(rate.per_second) for rate in rates}
            rows.append([one.spec, f"{size:,}", *(cells.get(way, NONE) for way in ways)])
    return header, rows


def _reasons(results: Sequence[SpecRates | Grown]) -> str:
    """Why some have no rates, or not all."""
    lines = []
    for one in results:
        name = f"{one.spec}, {one.digits} digits" if isinstance(one, Grown) else one.spec
        reason = one.found.reason if isinstance(one, Grown) else one.reason
        if reason is not None:
            lines.append(f"- {name}: {reason}\n")
    return "".join(lines)


def as_json(found: Measured) -> dict[str, Any]:
    """The same for scripts."""
    return {
        "machine": machine(),
        "suite": found.suite,
        "seed": found.seed,
        "specs": [_rates_as_json(one) for one in found.specs],
        "digits": [
            {"digits": one.digits, "spec": one.spec}
            | ({"skipped": one.found.reason} if isinstance(one.found, Skipped) else _rates_as_json(one.found))
            for one in found.digits
        ],
        "blocks": [
            {"spec": one.spec, "block": size, "rates": [_rate_as_json(rate) for rate in rates]}
            for one in found.blocks
            for size, rates in zip(one.sizes, one.rates, strict=True)
        ],
    }


def _rates_as_json(one: SpecRates) -> dict[str, Any]:
    return {
        "spec": one.spec,
        "tokens": one.length,
        "exponentials": one.exponentials,
        "ratio": one.ratio,
        "rates": [_rate_as_json(rate) | {"ratio": one.times(rate)} for rate in one.rates],
        "compile_seconds": one.compile_seconds,
        "kept_seconds": one.kept_seconds,
        "first_pass": one.first_pass,
        "reason": one.reason,
        "disagreements": list(one.disagreements),
    }


def _rate_as_json(rate: Rate) -> dict[str, Any]:
    found = {"way": rate.way, "threads": rate.threads, "engine": rate.note, "pairs": rate.pairs}
    return found | {"per_second": rate.per_second, "decided_one_at_a_time": rate.close}
