"""What is certain of a task of the package: its suites with all they draw, what is right, and its automaton."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from hashlib import sha256
from itertools import islice, product
from typing import Any

from compiler.tasks import Task, TaskError
from compiler.tasks.automaton import Automaton
from compiler.tasks.task import Part, Suite, Words

FIRST = 20  # inputs of each part
SEEDS = (0, 7)
ADDITIONS = ((2, 1), (2, 5), (2, 64), (3, 3), (10, 1), (10, 4), (10, 10), (10, 11), (10, 40), (100, 3), (1024, 2))
SEQUENCES = ((1, 5), (3, 4), (5, 8), (7, 40), (1024, 2))
SIZES: tuple[tuple[str, dict[str, int]], ...] = (
    *(("addition", {"base": base, "digits": digits}) for base, digits in ADDITIONS),
    *(
        (kind, {"symbols": symbols, "length": length})
        for kind, (symbols, length) in product(("copy", "reverse", "sort"), SEQUENCES)
    ),
)


def name_of(kind: str, sizes: Mapping[str, int]) -> str:
    return " ".join([kind, *(f"{name} {size}" for name, size in sizes.items())])


def short(*values: object) -> str:
    """A hash of values that are written alike wherever they are equal."""
    return sha256(repr(values).encode()).hexdigest()[:16]


def facts(task: Task) -> dict[str, Any]:
    """Of a task: JSON."""
    suites = task.suites()
    return {
        "suites": {name: of_suite(task, suite) for name, suite in suites.items()},
        "protocols": {name: protocol.suites for name, protocol in task.protocols().items()},
        "automaton": of_automaton(task),
    }


def of_suite(task: Task, suite: Suite) -> list[str]:
    """What is said of it, and for each seed its parts."""
    lines = [suite.summary, f"{suite.default_size} sampled {suite.sampled} run {suite.by_default} {suite.in_report}"]
    for seed in SEEDS if suite.sampled else SEEDS[:1]:
        try:
            parts = suite.parts(suite.default_size, seed)
        except TaskError:
            return [*lines, "refused"]
        lines += [f"{seed}: {part.label} {part.size} {of_part(task, part)}" for part in parts]
    return lines


def of_part(task: Task, part: Part) -> str:
    """The first inputs, with all that is said of them, and blocks of words from the start and from further on."""
    inputs = list(islice(part.generate(), FIRST))
    solved = [sorted(task.solve(one).items()) for one in inputs]
    texts = [(task.describe(one), task.show(dict(words))) for one, words in zip(inputs, solved, strict=True)]
    starts = (0, min(7, part.size), min(part.size // 2, 200))
    blocks = [of_words(islice(part.blocks(8, start), 2)) for start in starts]
    return short(inputs, solved, texts, blocks)


def of_words(blocks: Iterable[Words]) -> list[list[tuple[str, object]]]:
    return [sorted((name, word.tolist()) for name, word in block.items()) for block in blocks]


def of_automaton(task: Task) -> str | None:
    try:
        automaton = task.automaton()
    except TaskError:
        return "too large"
    return None if automaton is None else of_columns(automaton)


def of_columns(automaton: Automaton) -> str:
    """The steps of each column, in their order, with what is read and written in each."""
    return short(
        *(
            (column.label, column.before.tolist(), column.after.tolist(), letters(column.letters))
            for column in automaton.columns
        )
    )


def letters(symbols: Mapping[tuple[str, int], Any]) -> list[tuple[tuple[str, int], object]]:
    return sorted((place, numbers.tolist()) for place, numbers in symbols.items())
