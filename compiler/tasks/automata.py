"""The automaton of a stated task: that of its columns, or one that is read off its equations."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from compiler.expressions.formulas import Formula
from compiler.expressions.syntax import (
    Binary,
    Call,
    ExpressionError,
    ExpressionNode,
    Indexed,
    List,
    Literal,
    Name,
    Transpose,
    Unary,
    free_names,
)
from compiler.source.faults import no_rule
from compiler.tasks.automaton import Automaton, Column, SymbolPlace, trimmed
from compiler.tasks.columns import (
    Track,
    columns_of,
    given_place,
    numbered,
    on_track,
    place_in,
    places_written,
    start_of,
    states_of,
    steps_of,
    take_end,
    take_step,
    transducer_of,
    unnumbered,
)
from compiler.tasks.equations import check_symbol, constants_of
from compiler.tasks.integers import Integers
from compiler.tasks.interpreter import Batch, Faults, FormulaScope, Letters, TaskWork, Value, integers_of, truth_of
from compiler.tasks.kinds import LOOPS
from compiler.tasks.statement import Aimed, AnswerEquation, Statement, WordShape
from compiler.tasks.task import TaskError

Numbers = NDArray[np.int64]
MAX_COLUMN = 20_000  # steps of one column
_NUMBERED = 1 << 62  # states that can be numbered
_COUNTS = {1: "one", 2: "two", 3: "three", 4: "four"}


def automaton(statement: Statement, numbers: Collection[str] = ()) -> Automaton | None:
    """The inputs of a task as paths; None where it has no columns and its equations say nothing of single symbols.

    Columns of which all words are `numbers`, read from the last digit on, are called after the place, as `10^3`; others
    after what they read. What only the `only` of the task excludes has a path too. Raises `TaskError` where a column
    has more than `MAX_COLUMN` steps, or a step fails.
    """
    if statement.transducer is not None:
        return _of_columns(statement, numbers)
    return _of_equations(statement)


@dataclass(frozen=True, eq=False)
class _Steps:
    """The steps of a column: states before and after them, by their numbers, and symbols by the name of their word."""

    before: Numbers
    after: Numbers
    symbols: Mapping[str, Numbers]


def _of_columns(statement: Statement, numbers: Collection[str]) -> Automaton:
    """States are numbered as those of the transducer, with the single symbols that are given, which all columns read.

    The automaton has those of them that are reached, the first one being the start.
    """
    if max(states_of(statement), steps_of(statement)) > _NUMBERED:
        raise _too_many(statement, numbers)
    start = start_of(statement) * _singles(statement)
    reached = [np.array([start])]
    made: dict[object, tuple[_Steps, Numbers]] = {}
    steps = []
    for column in range(columns_of(statement)):
        key = (_reads(statement, column), tuple(places_written(statement, column)), tuple(reached[-1].tolist()))
        if key not in made:
            new = _steps(statement, column, reached[-1], numbers)
            made[key] = new, _in_order(new.after, start)
        steps.append(made[key][0])
        reached.append(made[key][1])
    transducer = transducer_of(statement)
    if transducer.only_at_end is not None or transducer.at_end:
        steps.append(_end(statement, reached[-1], start))
    known = _in_order(np.concatenate(reached), start).tolist()
    names = dict(zip(known, range(len(known)), strict=True))
    named = {key: _renamed(one, names) for key, one in {id(one): one for one in steps}.items()}
    columns = [
        Column(
            _label(statement, column, numbers),
            named[id(one)].before,
            named[id(one)].after,
            {(name, place): one.symbols[name] for name, place in _places(statement, column).items()},
        )
        for column, one in enumerate(steps)
    ]
    return trimmed(Automaton(len(known), tuple(columns)))


def _steps(statement: Statement, column: int, reached: Numbers, numbers: Collection[str]) -> _Steps:
    """Every step from the states that are `reached`."""
    reads = _reads(statement, column)
    sizes = [word.symbols for word in statement.given if word.name in reads]
    if len(reached) * int(np.prod(sizes, dtype=object)) > MAX_COLUMN:
        raise _too_many(statement, numbers)
    *read, position = np.indices((*sizes, len(reached))).reshape(len(sizes) + 1, -1)
    symbols = dict(zip(reads, read, strict=True))
    before = reached[position]
    state, singles = np.divmod(before, _singles(statement))
    letters = dict(symbols)
    for word in reversed(statement.given):
        if word.name not in letters:
            singles, kept = np.divmod(singles, word.symbols) if word.single else (singles, np.zeros_like(before))
            letters[word.name] = kept
    transducer = transducer_of(statement)
    track = on_track(unnumbered(state, transducer.states), len(before))
    answers = take_step(statement, letters, track, places_written(statement, column))
    _refuse_faults(track, letters, unnumbered(state, transducer.states))
    after = numbered(track.states, transducer.states)
    for word in statement.given:
        if word.single:
            after = after * word.symbols + letters[word.name]
    rows = np.flatnonzero(track.going)
    after = np.broadcast_to(after, len(before))
    return _Steps(before[rows], after[rows], {name: word[rows] for name, word in (symbols | answers).items()})


def _end(statement: Statement, reached: Numbers, start: int) -> _Steps:
    """A step for each last state that inputs may end in; it leads back to the start."""
    states = transducer_of(statement).states
    track = on_track(unnumbered(reached // _singles(statement), states), len(reached))
    answers = take_end(statement, track)
    _refuse_faults(track, {}, unnumbered(reached // _singles(statement), states))
    rows = np.flatnonzero(track.going)
    return _Steps(reached[rows], np.full(len(rows), start), {name: word[rows] for name, word in answers.items()})


def _refuse_faults(track: Track, *read: Mapping[str, NDArray[np.integer]]) -> None:
    fault = track.fault()
    if fault is not None:
        case = ", ".join(f"{name} = {values[fault.row]}" for names in read for name, values in names.items())
        message = f"a step of the columns cannot be computed, with {case}: {fault.message}"
        raise TaskError(message, fault.span, fault.code, "exclude it by `only` under `columns`")


def _renamed(steps: _Steps, names: Mapping[int, int]) -> _Steps:
    def renamed(states: Numbers) -> Numbers:
        return np.array([names[state] for state in states.tolist()], np.int64)

    return _Steps(renamed(steps.before), renamed(steps.after), steps.symbols)


def _in_order(states: Numbers, start: int) -> Numbers:
    """Each once, the start before all others."""
    once = np.unique(states)
    return np.concatenate((once[once == start], once[once != start]))


def _singles(statement: Statement) -> int:
    """How many choices of single symbols there are: they are read in the first column, and states keep them."""
    count = 1
    for word in statement.given:
        count *= word.symbols if word.single else 1
    return count


def _reads(statement: Statement, column: int) -> tuple[str, ...]:
    """The given words that a column has a symbol of which no column before had."""
    from_last = transducer_of(statement).from_last
    return tuple(word.name for word in statement.given if place_in(word, column, from_last) is not None)


def _places(statement: Statement, column: int) -> dict[str, int]:
    """Which symbols of words belong to a column, by the name of the word; after the last one comes the end."""
    transducer = transducer_of(statement)
    if column == columns_of(statement):
        return {name: 0 for name, _ in transducer.at_end}
    read = {
        word.name: given_place(word, column, transducer.from_last)
        for word in statement.given
        if word.name in _reads(statement, column)
    }
    return {name: place for name, place in read.items() if place is not None} | places_written(statement, column)


def _base(statement: Statement, numbers: Collection[str]) -> int | None:
    """The base, where all that columns read and write are digits of numbers, from the last one on."""
    transducer = transducer_of(statement)
    written = {name for name, _ in transducer.answers}
    words = [*statement.given, *(word for word in statement.answers if word.name in written)]
    bases = {word.symbols for word in words}
    if transducer.from_last and len(bases) == 1 and all(word.name in numbers for word in words):
        return bases.pop()
    return None


def _label(statement: Statement, column: int, numbers: Collection[str]) -> str:
    base = _base(statement, numbers)
    if column == columns_of(statement):
        return "end"
    if base is not None:
        return f"{base}^{column}"
    places = _places(statement, column)
    reads = _reads(statement, column)
    return " ".join(_symbol(statement.word(name), places[name]) for name in reads or places)


def _symbol(word: WordShape | None, place: int) -> str:
    assert word is not None
    return word.name if word.single else f"{word.name}[{place}]"


def _too_many(statement: Statement, numbers: Collection[str]) -> TaskError:
    base = _base(statement, numbers)
    count = len(statement.given)
    several = "s" if count > 1 else ""
    many = _COUNTS.get(count, str(count))
    if base is not None:
        what, advice = f"{many} digit{several} in base {base}", "Set a smaller base"
    else:
        what, advice = f"{many} symbol{several} and {states_of(statement):,} states", "Set fewer symbols or states"
    message = f"a column of {what} has {steps_of(statement):,} cases; at most {MAX_COLUMN:,} are followed"
    return TaskError(f"{message}. {advice}")


class _NotBySymbol(Exception):
    """An answer symbol does not hang on one given symbol, as far as the formula says."""


def _of_equations(statement: Statement) -> Automaton | None:
    """A column for each given symbol, with the answer symbols that hang on it alone; None if others do not."""
    given = [(word, place) for word in statement.given for place in range(word.length)]
    hanging: dict[SymbolPlace, dict[SymbolPlace, Numbers]] = {(word.name, place): {} for word, place in given}
    try:
        for equation in statement.equations:
            for place, source, symbols in _sources(equation, _Reader(statement)):
                hanging[source][equation.word, place] = symbols
    except (_NotBySymbol, ExpressionError):  # the latter where reading them costs too much
        return None
    numbers = {count: np.arange(count) for count in {word.symbols for word in statement.given}}
    states = {count: np.zeros(count, np.int64) for count in numbers}
    columns = []
    for word, place in given:
        symbol, state = numbers[word.symbols], states[word.symbols]
        answers = {
            target: symbol if np.array_equal(symbols, symbol) else symbols
            for target, symbols in hanging[word.name, place].items()
        }
        columns.append(Column(_symbol(word, place), state, state, {(word.name, place): symbol, **answers}))
        if word.symbols > MAX_COLUMN:
            message = f"'{word.name}' has {word.symbols:,} symbols; at most {MAX_COLUMN:,} are followed"
            raise TaskError(f"{message}. Set fewer symbols")
    return Automaton(1, tuple(columns))


@dataclass(frozen=True, eq=False)
class _Reader:
    """Which given symbols a formula can read, found from its syntax; `work` is shared, and bounded."""

    statement: Statement
    work: TaskWork = field(default_factory=TaskWork)

    def word(self, name: str) -> WordShape | None:
        return next((word for word in self.statement.given if word.name == name), None)

    def is_decided(self, node: ExpressionNode) -> bool:
        """Whether it reads no given word."""
        return all(self.word(name) is None for name in free_names(node))

    def scope(self, node: ExpressionNode, equation: AnswerEquation, indices: Mapping[str, int]) -> FormulaScope:
        """For computing a formula that reads no given word."""
        batch = Batch(1, constants_of(self.statement), Faults(np.zeros(1, bool)), work=self.work)
        return FormulaScope(batch, Formula(node, equation.formula.scalar), indices=indices)

    def integer(self, node: ExpressionNode, equation: AnswerEquation, indices: Mapping[str, int]) -> int:
        scope = self.scope(node, equation, indices)
        value = integers_of(scope).values
        if scope.batch.faults.failed.any() or not isinstance(value, int):
            raise _NotBySymbol
        return value

    def truth(self, node: ExpressionNode, equation: AnswerEquation, indices: Mapping[str, int]) -> bool:
        scope = self.scope(node, equation, indices)
        value = truth_of(scope)
        if scope.batch.faults.failed.any() or not isinstance(value, bool):
            raise _NotBySymbol
        return value


def _sources(equation: AnswerEquation, reader: _Reader) -> Iterator[tuple[int, SymbolPlace, Numbers]]:
    """For each symbol of an answer word the given one that it hangs on, and what it is for each symbol of that."""
    match equation.form:
        case "number":
            raise _NotBySymbol
        case "word":
            yield from _word_sources(equation, reader)
        case "symbols":
            for aimed in equation.aimed:
                yield aimed.place, *_symbol_source(equation, aimed, reader)
        case _:
            raise no_rule("form of an equation", equation.form)


def _word_sources(equation: AnswerEquation, reader: _Reader) -> Iterator[tuple[int, SymbolPlace, Numbers]]:
    node = equation.formula.tree
    while isinstance(node, Call) and node.function == "where":
        *pairs, otherwise = node.arguments
        taken = otherwise
        for condition, value in zip(pairs[::2], pairs[1::2], strict=True):
            if not reader.is_decided(condition):
                raise _NotBySymbol
            if reader.truth(condition, equation, {}):
                taken = value
                break
        node = taken
    word, answer = reader.word(node.name) if isinstance(node, Name) else None, reader.statement.word(equation.word)
    if word is None or answer is None or word.symbols > answer.symbols:
        raise _NotBySymbol
    for place in range(word.length):
        yield place, (word.name, place), np.arange(word.symbols)


def _symbol_source(equation: AnswerEquation, aimed: Aimed, reader: _Reader) -> tuple[SymbolPlace, Numbers]:
    """A symbol that hangs on none hangs on the first."""
    statement = reader.statement
    read = set(_read(equation.formula.tree, equation, aimed.indices, reader))
    if len(read) > 1:
        raise _NotBySymbol
    name, place = read.pop() if read else (statement.given[0].name, 0)
    source, answer = reader.word(name), statement.word(equation.word)
    assert source is not None
    assert answer is not None
    count = source.symbols
    values: dict[str, Value] = {}
    for word in statement.given:  # all symbols of the word are the one: the formula reads no other
        symbols = np.arange(count) if word is source else np.zeros(count, np.int64)
        letters = Letters(np.broadcast_to(symbols.astype(np.uint16)[:, None], (count, word.length)), word.symbols)
        values[word.name] = Integers(symbols, 0, word.symbols - 1) if word.single else letters
    batch = Batch(count, {**constants_of(statement), **values}, Faults(np.zeros(count, bool)))
    scope = FormulaScope(batch, equation.formula, indices=aimed.indices)
    answers = check_symbol(integers_of(scope), answer, scope).values
    if batch.faults.failed.any():
        raise _NotBySymbol
    return (name, place), np.array(np.broadcast_to(answers, count), np.int64)


def _read(
    node: ExpressionNode, equation: AnswerEquation, indices: Mapping[str, int], reader: _Reader
) -> Iterator[SymbolPlace]:
    """Every given symbol that a formula can read; conditions that read none are decided."""
    reader.work.spend(1, node.at)
    if reader.is_decided(node):
        return
    match node:
        case Name(name=name):
            yield from _all_of(reader.word(name))
        case Indexed(base=Name(name=name), indices=(index,)):
            word = reader.word(name)
            if reader.is_decided(index) and word is not None:
                place = reader.integer(index, equation, indices)
                if not 0 <= place < word.length:
                    raise _NotBySymbol
                yield name, place
            else:
                yield from _all_of(word)
                yield from _read(index, equation, indices, reader)
        case Call(function="where", arguments=(*pairs, otherwise)):
            for condition, value in zip(pairs[::2], pairs[1::2], strict=True):
                if not reader.is_decided(condition):
                    yield from _read(condition, equation, indices, reader)
                    yield from _read(value, equation, indices, reader)
                elif reader.truth(condition, equation, indices):
                    yield from _read(value, equation, indices, reader)
                    return
            yield from _read(otherwise, equation, indices, reader)
        case Call(function=function, arguments=(body, Name(name=index_name), size)) if function in LOOPS:
            if not reader.is_decided(size):
                raise _NotBySymbol
            for k in range(reader.integer(size, equation, indices)):
                yield from _read(body, equation, {**indices, index_name: k}, reader)
        case _:
            for part in _parts(node):
                yield from _read(part, equation, indices, reader)


def _all_of(word: WordShape | None) -> Iterator[SymbolPlace]:
    if word is not None:
        for place in range(word.length):
            yield word.name, place


def _parts(node: ExpressionNode) -> tuple[ExpressionNode, ...]:
    """What a node is made of; of a chain of operators all parts at once, as it may be long."""
    match node:
        case Binary():
            parts = [node.right]
            while isinstance(node.left, Binary):
                node = node.left
                parts.append(node.right)
            return (node.left, *reversed(parts))
        case Call(arguments=arguments):
            return arguments
        case Unary(operand=operand) | Transpose(operand=operand):
            return (operand,)
        case List(items=items) | Indexed(indices=items):
            return items
        case Literal() | Name():
            return ()
        case _:
            raise no_rule("expression", node)
