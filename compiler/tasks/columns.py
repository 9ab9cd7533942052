"""What is right by the columns of a task: a transducer that reads the given words, one symbol of each at a time."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from math import prod

import numpy as np
from numpy.typing import NDArray

from compiler.expressions.formulas import Formula
from compiler.tasks.equations import check_symbol, constants_of
from compiler.tasks.integers import Integers
from compiler.tasks.interpreter import (
    Batch,
    Faults,
    FormulaScope,
    Refusal,
    Rows,
    TaskWork,
    Value,
    integers_of,
    truth_of,
    within,
)
from compiler.tasks.statement import InputFault, Statement, StateVariable, Transducer, WordShape
from compiler.tasks.task import Words

Numbers = NDArray[np.int64]
Symbols = NDArray[np.integer]
SMALL_TABLE = 1 << 12  # steps that are tabulated however few inputs there are
LARGE_TABLE = 1 << 20  # steps that are tabulated at all
_AT_ONCE = 1 << 14  # inputs that pass together: few enough for the cache
_EXCLUDED, _FAILS = 1, 2


@dataclass(frozen=True, eq=False)
class Passage:
    """What columns make of inputs: the answer words, uint16 [inputs, length], and which inputs there are, [inputs].

    The answers of an input that there is not are 0.
    """

    answers: dict[str, NDArray[np.uint16]]
    admitted: NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class StepTable:
    """What each step leads to, [symbols of given words · states], and each state at the end, [states].

    A step is numbered by the symbols that it reads, then by the state before it; of words, and of states, those that
    are stated first count most. `results` has the number of the state after it in the lowest bits, below `state_mask`,
    and above them the symbol of each answer word: `fields` says how far up, and the mask then. `problem` is 0, or says
    that there is no such step, or that it fails; None where no step has one. For each column, `read` has the given
    symbols that it reads, as word, place and what the symbol is multiplied by in the number of a step, and `written`
    the places of answers that it writes.
    """

    results: NDArray[np.unsignedinteger]
    state_mask: int
    fields: Mapping[str, tuple[int, int]]
    read: tuple[tuple[tuple[str, int, int], ...], ...]
    written: tuple[Mapping[str, int], ...]
    problem: NDArray[np.uint8] | None
    at_end: Mapping[str, NDArray[np.uint16]]
    problem_at_end: NDArray[np.uint8] | None

    @property
    def after(self) -> NDArray[np.intp]:
        """The number of the state after each step."""
        return (self.results & self.state_mask).astype(np.intp)


@dataclass(eq=False)
class Track:
    """Inputs [inputs] on their way through columns: their states, and which of them go on.

    `moving` are those that fail for good, as their state is not known. `writing` are those of which an answer cannot be
    computed: they do not count if they are excluded later.
    """

    states: dict[str, Numbers]
    going: NDArray[np.bool_]
    moving: Faults
    writing: Faults
    work: TaskWork

    @property
    def rows(self) -> Rows | None:
        """Those that go on; None: all."""
        return None if self.going.all() else np.flatnonzero(self.going)

    def fault(self) -> InputFault | None:
        """Of the first input that fails."""
        faults = [fault for fault in (self.moving.first(), self.writing.first(self.going)) if fault is not None]
        return min(faults, key=lambda fault: fault.row, default=None)


def by_columns(statement: Statement, given: Words, work: TaskWork | None = None) -> Words:
    """The answer words that columns give, uint16 [inputs, length] each; 0 for inputs that they exclude.

    Raises `InputFault` for the first input that there is and whose answer cannot be computed, `ExpressionError` (with
    its span) for formulas that cost more than there is `work`, by default what one input may cost.
    """
    return passage(statement, given, work).answers


def admitted(statement: Statement, given: Words) -> NDArray[np.bool_]:
    """Which inputs there are by the `only`s of columns and of their end, [inputs]. Raises as `by_columns` does."""
    return passage(statement, given).admitted


def passage(statement: Statement, given: Words, work: TaskWork | None = None) -> Passage:
    """All inputs through all columns. Raises as `by_columns` does."""
    count = len(next(iter(given.values())))
    answers = {word.name: np.zeros((word.length, count), np.uint16).T for word in statement.answers}
    found = Passage(answers, np.ones(count, bool))
    table = statement.step_table if work is None and _is_tabulated(statement, count) else None
    for start in range(0, count, _AT_ONCE):
        rows = slice(start, start + _AT_ONCE)
        block = {name: word[rows] for name, word in given.items()}
        part = Passage({name: word[rows] for name, word in found.answers.items()}, found.admitted[rows])
        if table is None or not _pass_by_table(statement, table, block, part):
            fault = _pass_by_rows(statement, block, part, work)
            if fault is not None:
                raise fault.of(start + fault.row)
    return found


def transducer_of(statement: Statement) -> Transducer:
    assert statement.transducer is not None, "the task has no columns"
    return statement.transducer


def columns_of(statement: Statement) -> int:
    """How many columns there are."""
    return max(word.length for word in (*statement.given, *statement.answers))


def place_in(word: WordShape, column: int, from_last: bool) -> int | None:
    """Which symbol of a word a column holds, None beyond the end of the word."""
    if column >= word.length:
        return None
    return word.length - 1 - column if from_last else column


def given_place(word: WordShape, column: int, from_last: bool) -> int | None:
    """Which symbol of a given word a column reads: a single one is read in every column."""
    return 0 if word.single else place_in(word, column, from_last)


def states_of(statement: Statement) -> int:
    """How many states there are, those of all variables combined."""
    return prod(state.size for state in transducer_of(statement).states)


def steps_of(statement: Statement) -> int:
    """How many steps there can be in a column."""
    return prod(word.symbols for word in statement.given) * states_of(statement)


def numbered(values: Mapping[str, Numbers], states: tuple[StateVariable, ...]) -> Numbers:
    """The numbers of combined states."""
    number = np.zeros(1, np.int64)
    for state in states:
        number = number * state.size + values[state.name]
    return number


def unnumbered(numbers: Numbers, states: tuple[StateVariable, ...]) -> dict[str, Numbers]:
    """The states that numbers stand for."""
    values = {}
    for state in reversed(states):
        numbers, values[state.name] = np.divmod(numbers, state.size)
    return values


def start_of(statement: Statement) -> int:
    """The number of the state before the first column."""
    states = transducer_of(statement).states
    return int(numbered({state.name: np.array([state.start]) for state in states}, states)[0])


def places_written(statement: Statement, column: int) -> dict[str, int]:
    """The answer words that a column writes a symbol of, and which one."""
    transducer = transducer_of(statement)
    written = {name for name, _ in transducer.answers}
    places = {word.name: place_in(word, column, transducer.from_last) for word in statement.answers}
    return {name: place for name, place in places.items() if name in written and place is not None}


def on_track(states: dict[str, Numbers], count: int, work: TaskWork | None = None) -> Track:
    """So many inputs in these states."""
    moving, writing = (Faults(np.zeros(count, bool)) for _ in range(2))
    return Track(states, np.ones(count, bool), moving, writing, TaskWork() if work is None else work)


def take_step(
    statement: Statement, letters: Mapping[str, Symbols], track: Track, wanted: Collection[str]
) -> dict[str, Numbers]:
    """Move inputs by one column, which has these letters; gives the symbols [inputs] of the `wanted` answers.

    What comes of inputs that do not go on, or fail, is without meaning.
    """
    transducer = transducer_of(statement)
    count = len(track.going)
    values: dict[str, Value] = {**constants_of(statement), **_as_values(track.states, transducer.states)}
    for word in statement.given:
        values[word.name] = Integers(letters[word.name], 0, word.symbols - 1)
    moving = Batch(count, values, track.moving, dict(transducer.lets), track.work)
    writing = replace(moving, faults=track.writing)
    _exclude(transducer.only, moving, track)
    rows = track.rows
    answers = {name: np.zeros(count, np.int64) for name in wanted}
    after = dict(track.states)
    if track.going.any():
        for name, formula in transducer.answers:
            if name in wanted:
                _write(statement, name, answers[name], FormulaScope(writing, formula, rows))
        sizes = {state.name: state.size for state in transducer.states}
        for name, formula in transducer.following:
            after[name] = np.zeros(count, np.int64)
            after[name][_places(rows)] = _next_state(name, sizes[name], FormulaScope(moving, formula, rows)).values
    track.states = after
    track.going &= ~track.moving.failed
    return answers


def take_end(statement: Statement, track: Track) -> dict[str, Numbers]:
    """Exclude inputs by the last state, and read answers [inputs] off it; as `take_step`."""
    transducer = transducer_of(statement)
    count = len(track.going)
    values = {**constants_of(statement), **_as_values(track.states, transducer.states)}
    batch = Batch(count, values, track.moving, work=track.work)
    writing = replace(batch, faults=track.writing)
    _exclude(transducer.only_at_end, batch, track)
    answers = {name: np.zeros(count, np.int64) for name, _ in transducer.at_end}
    if track.going.any():
        for name, formula in transducer.at_end:
            _write(statement, name, answers[name], FormulaScope(writing, formula, track.rows))
    return answers


def _as_values(states: Mapping[str, Numbers], known: tuple[StateVariable, ...]) -> dict[str, Value]:
    return {state.name: Integers(states[state.name], 0, state.size - 1) for state in known}


def _exclude(only: Formula | None, batch: Batch, track: Track) -> None:
    if only is not None and track.going.any():
        rows = track.rows
        track.going[_places(rows)] = truth_of(FormulaScope(batch, only, rows))
        track.going &= ~track.moving.failed


def _write(statement: Statement, name: str, answer: Numbers, scope: FormulaScope) -> None:
    shape = statement.word(name)
    assert shape is not None
    answer[_places(scope.rows)] = check_symbol(integers_of(scope), shape, scope).values


def _next_state(name: str, size: int, scope: FormulaScope) -> Integers:
    def outside(shown: str) -> str:
        return f"state {shown} is out of range: '{name}' has 0 to {size - 1}"

    return within(integers_of(scope), 0, size - 1, Refusal("out-of-range", scope.formula.tree, outside), scope)


def _places(rows: Rows | None) -> Rows | slice:
    return slice(None) if rows is None else rows


def _pass_by_rows(statement: Statement, given: Words, into: Passage, work: TaskWork | None) -> InputFault | None:
    """Compute every step of every input."""
    transducer = transducer_of(statement)
    count = len(into.admitted)
    track = on_track({state.name: np.full(count, state.start) for state in transducer.states}, count, work)
    for column in range(columns_of(statement)):
        letters: dict[str, Symbols] = {}
        for word in statement.given:
            place = given_place(word, column, transducer.from_last)
            letters[word.name] = np.zeros(count, np.int64) if place is None else given[word.name][:, place]
        here = places_written(statement, column)
        for name, symbols in take_step(statement, letters, track, here).items():
            into.answers[name][:, here[name]] = symbols
    for name, symbols in take_end(statement, track).items():
        into.answers[name][:, 0] = symbols
    into.admitted[:] = track.going
    _clear(into)
    return track.fault()


def _clear(into: Passage) -> None:
    if not into.admitted.all():
        excluded = np.flatnonzero(~into.admitted)
        for answer in into.answers.values():
            answer[excluded] = 0


def step_table(statement: Statement) -> StepTable:
    """All steps, for `Statement.step_table`."""
    transducer = transducer_of(statement)
    states, steps = states_of(statement), steps_of(statement)
    rest, before = np.divmod(np.arange(steps), states)
    letters: dict[str, Symbols] = {}
    for word in reversed(statement.given):
        rest, letters[word.name] = np.divmod(rest, word.symbols)
    track = on_track(unnumbered(before, transducer.states), steps)
    answers = take_step(statement, letters, track, [name for name, _ in transducer.answers])
    end = on_track(unnumbered(np.arange(states), transducer.states), states)
    at_end = take_end(statement, end)
    after = numbered(track.states, transducer.states)
    bits = (states - 1).bit_length()
    mask = (1 << bits) - 1
    results = np.zeros(steps, np.uint64) | after.astype(np.uint64)
    fields = {}
    for name, symbols in answers.items():
        width = _bits(statement, name)
        fields[name] = bits, (1 << width) - 1
        results |= symbols.astype(np.uint64) << bits
        bits += width
    return StepTable(
        results.astype(next(kind for kind in (np.uint16, np.uint32, np.uint64) if bits <= np.iinfo(kind).bits)),
        mask,
        fields,
        tuple(tuple(_places_read(statement, column)) for column in range(columns_of(statement))),
        tuple(places_written(statement, column) for column in range(columns_of(statement))),
        _problems(track),
        {name: symbols.astype(np.uint16) for name, symbols in at_end.items()},
        _problems(end),
    )


def _bits(statement: Statement, answer: str) -> int:
    """How many bits a symbol of an answer word takes."""
    shape = statement.word(answer)
    assert shape is not None
    return (shape.symbols - 1).bit_length()


def _is_tabulated(statement: Statement, inputs: int) -> bool:
    """Whether all steps are few enough to be made at once for so many inputs, and what they lead to fits 64 bits."""
    transducer = transducer_of(statement)
    bits = (states_of(statement) - 1).bit_length() + sum(_bits(statement, name) for name, _ in transducer.answers)
    worth = max(SMALL_TABLE, min(LARGE_TABLE, inputs * columns_of(statement)))
    return bits <= 64 and steps_of(statement) <= worth


def _problems(track: Track) -> NDArray[np.uint8] | None:
    fails = track.moving.failed | track.writing.failed & track.going
    if track.going.all() and not fails.any():
        return None
    return np.where(fails, _FAILS, np.where(track.going, 0, _EXCLUDED)).astype(np.uint8)


def _pass_by_table(statement: Statement, table: StepTable, given: Words, into: Passage) -> bool:
    """Look every step up; False, whatever was written, where an input takes one that fails."""
    kind: np.dtype[np.integer] = np.dtype(np.uint16 if len(table.results) <= 1 << 16 else np.int64)
    step = np.full(len(into.admitted), start_of(statement), kind)  # at first the number of the state before it
    scaled = np.empty_like(step)
    for read, written in zip(table.read, table.written, strict=True):
        for name, place, stride in read:
            np.multiply(given[name][:, place], stride, out=scaled, casting="unsafe")
            step += scaled
        if not _usual(table.problem, step, into.admitted):
            return False
        results = table.results.take(step, mode="clip")
        for name, place in written.items():
            shift, mask = table.fields[name]
            symbols = into.answers[name][:, place]
            np.right_shift(results, shift, out=symbols, casting="unsafe")
            np.bitwise_and(symbols, mask, out=symbols)
        np.bitwise_and(results, table.state_mask, out=step, casting="unsafe")
    if not _usual(table.problem_at_end, step, into.admitted):
        return False
    for name, symbols in table.at_end.items():
        into.answers[name][:, 0] = symbols[step]
    _clear(into)
    return True


def _places_read(statement: Statement, column: int) -> Iterator[tuple[str, int, int]]:
    """The given symbols that a column reads, as `StepTable.read` has them."""
    stride = states_of(statement)
    for word in reversed(statement.given):
        place = given_place(word, column, transducer_of(statement).from_last)
        if place is not None:
            yield word.name, place, stride
        stride *= word.symbols


def _usual(problem: NDArray[np.uint8] | None, steps: NDArray[np.integer], admitted: NDArray[np.bool_]) -> bool:
    """Note which inputs are excluded by their steps; False where a step fails."""
    if problem is None:
        return True
    found = problem[steps]
    if np.any((found == _FAILS) & admitted):
        return False
    admitted &= found == 0
    return True
