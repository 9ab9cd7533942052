"""The suites of inputs of a task: those that every task has, those that its author asks for by name, and his own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import cache
from itertools import islice, product
from random import Random
from sys import maxsize
from typing import TYPE_CHECKING

from compiler.source.limits import MAX_EXHAUSTIVE
from compiler.tasks import adderboard
from compiler.tasks.stated import AuthorSuite, Task
from compiler.tasks.statement import WordShape
from compiler.tasks.task import SAMPLED, TRIED_IN_FULL, Inputs, Part, Suite, TaskError, Words

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MAX_SIZE = 10_000_000  # inputs of an author's suite
NEAR_CARRIES = 4000
MAX_CARRY_PATTERNS = 4096
MAX_EDGES = 10_000
SHOWN_COUNT = 10**15  # inputs that are written out; of more their magnitude is
MAX_EDGE_SYMBOLS = 1 << 21  # in all of them
UNIFORM_LENGTHS = 3  # the longest lengths of numbers that the uniform suite draws
TRIES = 1000  # draws for one input that `only` allows
_DRAWN_BITS = 1 << 12  # numbers of more are drawn one by one: Python's division of a few is faster then
MAX_TRANSITIONS = 1 << 20  # steps of all columns together
PATHS_TRIED = 20  # paths that are tried for a step, where the columns do not say all of which inputs there are
MAX_TRIED_AGAIN = 10_000  # steps for which they are tried at once
RUNS_EACH = 8  # inputs for each run
MAX_RUNS = 10_000
_BOARD_EDGES, _BOARD_PAIRS = "edge cases", "random pairs"
_DRAWN_AT_ONCE = 1024
_MADE_AT_ONCE = 1 << 12


def of(task: Task) -> Iterator[Suite]:
    """All suites of a task, in the order in which they are run and shown."""
    if task.cases:
        yield _cases(task)
        return
    uniform = _uniform_numbers(task) if _are_numbers(task) and not task.is_restricted else _uniform_words(task)
    board = _adderboard(task) if adderboard.NAME in task.suite_names else None
    # a report has as many random inputs of one length from the board
    yield replace(uniform, reported=not board.in_report) if board is not None else uniform
    yield from _edges(task)
    if "carries" in task.suite_names:
        yield _carries(task)
    if "near_carry" in task.suite_names:
        yield _near_carry(task)
    yield _exhaustive(task)
    if board is not None:
        yield board
    for suite in task.author_suites:
        yield _author(task, suite)
    if task.statement.transducer is not None:
        yield _transitions(task)
        yield _long_runs(task)


def looked_at(task: Task) -> list[Suite]:
    """The suites that a search for an input looks at: all but those of columns that the author does not ask for."""
    return [suite for suite in task.suites().values() if suite.by_default or suite.name not in OF_COLUMNS]


def sampling_by_name(task: Task) -> dict[str, bool]:
    """Whether each suite of a task samples, in the order of `of`. None is made: that may look at many inputs."""
    if task.cases:
        return {"cases": False}
    every = {"uniform": True, "edges": False, "carries": True, "near_carry": True, "exhaustive": False}
    every |= {adderboard.NAME: False, **{suite.name: True for suite in task.author_suites}}
    named = {name: sampled for name, sampled in every.items() if name not in NAMED or name in task.suite_names}
    return named if task.statement.transducer is None else named | dict.fromkeys(OF_COLUMNS, False)


OF_COLUMNS = ("transitions", "long_runs")
ALWAYS = ("uniform", "edges", "exhaustive")  # those that every task has
NAMED = ("carries", "near_carry", adderboard.NAME, *OF_COLUMNS)  # those that an author asks for by name


def why_not(task: Task, name: str) -> str | None:
    """Why a task cannot have a suite that its author asks for; None where it can."""
    if name == "carries":
        return (
            None if _has_carries(task) else "it needs columns from the last, with one state of size 2 and words alike"
        )
    if name in OF_COLUMNS:
        return None if task.statement.transducer is not None else "it needs columns"
    return None if _is_of_two_numbers(task) else "it needs two given numbers of one alphabet and length"


def _are_numbers(task: Task) -> bool:
    return all(word.name in task.numbers for word in task.given)


def _is_of_two_numbers(task: Task) -> bool:
    shapes = {(word.symbols, word.length) for word in task.given}
    return len(task.given) == 2 and len(shapes) == 1 and _are_numbers(task)


def _cases(task: Task) -> Suite:
    count = len(task.cases)
    return Suite("cases", "every case of the table", count, lambda size, seed: (_every_case(task),), False)


def _every_case(task: Task) -> Part:
    return _listed(task, "", [case.prompt for case in task.cases])


def _listed(task: Task, label: str, inputs: Sequence[Inputs]) -> Part:
    return Part(label, len(inputs), lambda: iter(inputs), task.encode)


def _of_words(task: Task, label: str, count: int, given: Callable[[int, int], Iterator[Words]]) -> Part:
    """So many inputs that are made as given words: `given(size, start)` makes at most `size` at once.

    They start with input number `start`.
    """

    def direct(size: int, start: int) -> Iterator[Words]:
        return map(task.with_answers, given(size, start))

    def generate() -> Iterator[Inputs]:
        for words in given(_MADE_AT_ONCE, 0):
            yield from (task.inputs(words, row) for row in range(len(words[task.given[0].name])))

    return Part(label, count, generate, task.encode, direct)


def _words_of_numbers(task: Task, numbers: Sequence[NDArray[np.uint64]]) -> Words:
    """The words of many inputs, of a number for each given word, [parts, inputs] each."""
    from compiler.tasks import digits

    words = {
        word.name: digits.word(column, word.symbols, word.length)
        for word, column in zip(task.given, numbers, strict=True)
    }
    return task.with_answers(words)


def known_parts(task: Task, name: str) -> dict[str, int | None]:
    """The parts of a suite by their labels, each with how many inputs it has, where that takes no time to find out.

    The only part of a suite has no label. There are no parts where the task may lack the suite.
    Raises `TaskError` where an input makes no sense.
    """
    is_small = not task.is_restricted or task.combinations <= TRIED_IN_FULL
    if name == "uniform" and _are_numbers(task) and not task.is_restricted:
        return {_title(length): None for length in _uniform_lengths(task)}
    if name == "edges":
        inputs = len(_edge_inputs(task)) if is_small else 0
        return {"": inputs} if inputs else {}
    if name == "exhaustive":
        return {"": task.count if is_small else None}
    if name == "cases":
        return {"": len(task.cases)}
    if name == adderboard.NAME:
        return {_BOARD_EDGES: len(adderboard.EDGE_CASES), _BOARD_PAIRS: adderboard.RANDOM_PAIRS}
    return {"": None}


# uniform


def _uniform_lengths(task: Task) -> range:
    longest = max(word.length for word in task.given)
    return range(max(1, longest - UNIFORM_LENGTHS + 1), longest + 1)


def _title(length: int) -> str:
    return f"{length} digit{'s' if length > 1 else ''}"


def _uniform_numbers(task: Task) -> Suite:
    lengths = _uniform_lengths(task)

    def parts(size: int, seed: int) -> tuple[Part, ...]:
        share, extra = divmod(size, len(lengths))
        sizes = [share + (i < extra) for i in range(len(lengths))]
        drawn = zip(lengths, sizes, strict=True)
        return tuple(_of_length(task, length, count, f"uniform:{length}:{seed}") for length, count in drawn)

    summary = "operands of each of the last three lengths"
    return Suite("uniform", summary, SAMPLED * len(lengths), parts, most=lambda: task.combinations)


def _of_length(task: Task, length: int, count: int, seed: str) -> Part:
    def bounds(word: WordShape) -> tuple[int, int]:
        own = min(length, word.length)
        return word.symbols ** (own - 1) if own > 1 else 0, int(word.symbols**own)

    return drawn_numbers(task, _title(length), count, seed, [bounds(word) for word in task.given])


def drawn_numbers(task: Task, label: str, count: int, seed: int | str, bounds: Sequence[tuple[int, int]]) -> Part:
    """So many inputs; each given word is a number from its low to its high - 1, one after the other from one seed."""

    def generate() -> Iterator[Inputs]:
        random = Random(seed)
        draws = [(low, _drawing(random, high - low)) for low, high in bounds]
        for _ in range(count):
            yield tuple([low + draw() for low, draw in draws])

    def direct(size: int, start: int) -> Iterator[Words]:
        from compiler.tasks import draws

        for block in draws.drawn(Random(seed), range(*bounds[0]), len(bounds), range(start, count), size):
            yield _words_of_numbers(task, [block[:, :, k].copy() for k in range(len(bounds))])

    at_once = len(set(bounds)) == 1 and bounds[0][1].bit_length() <= _DRAWN_BITS
    return Part(label, count, generate, task.encode, direct if at_once else None)


def _drawing(random: Random, bound: int) -> Callable[[], int]:
    """`random.randrange(bound)`, but faster."""
    draw, bits = random.getrandbits, bound.bit_length()

    def drawn() -> int:
        while (number := draw(bits)) >= bound:
            pass
        return number

    return drawn


def _uniform_words(task: Task) -> Suite:
    summary = "random inputs" if task.is_restricted or len(task.given) > 1 else "random sequences"
    length = sum(word.length for word in task.given)

    def parts(size: int, seed: int) -> tuple[Part, ...]:
        return (_drawn(task, "", size, f"uniform:{length}:{seed}"),)

    return Suite("uniform", summary, lambda: min(SAMPLED, _most(task)), parts, most=lambda: _most(task))


def _drawn(task: Task, label: str, count: int, seed: str) -> Part:
    """So many inputs, all alike likely."""
    if task.is_restricted:
        return _of_words(task, label, count, lambda size, start: _allowed_draws(task, seed, range(start, count), size))
    choices = _choices_of_symbols(task)

    def generate() -> Iterator[Inputs]:
        random = Random(seed)
        for _ in range(count):
            yield _as_inputs(task, [random.randrange(choice) for choice in choices])

    def direct(size: int, start: int) -> Iterator[Words]:
        return map(task.with_answers, _drawn_words(task, seed, range(start, count), size))

    return Part(label, count, generate, task.encode, direct if len(set(choices)) == 1 else None)


def _choices_of_symbols(task: Task) -> list[int]:
    return [word.symbols for word in task.given for _ in range(word.length)]


def _drawn_words(task: Task, seed: str, numbers: range, size: int) -> Iterator[Words]:
    """Given words whose symbols are drawn one after the other, those of these numbers; at most `size` at once."""
    from compiler.tasks import draws

    choices = _choices_of_symbols(task)
    if len(set(choices)) == 1:
        for block in draws.drawn(Random(seed), range(choices[0]), len(choices), numbers, size):
            yield _split(task, block[0].astype("uint16"))
        return
    random = Random(seed)
    drawn = ([random.randrange(choice) for choice in choices] for _ in range(numbers.stop))
    symbols = islice(drawn, numbers.start, None)
    while some := list(islice(symbols, size)):
        yield _split(task, _array(some))


def _allowed_draws(task: Task, seed: str, numbers: range, size: int) -> Iterator[Words]:
    """The given words of allowed inputs, all alike likely, those of these numbers; at most `size` at once.

    Columns count the paths, so that each draw is one. What is excluded elsewhere is drawn again: raises `TaskError`
    after too many such draws.
    """
    if task.is_by_columns and task.paths is not None:
        yield from (_words_of_paths(task, some) for some in task.paths.drawn(Random(seed), numbers, size))
        return
    size = min(size, max(_DRAWN_AT_ONCE, len(numbers)))
    drawn: Iterator[Words]
    if task.paths is not None and task.paths.count:
        drawn = (_words_of_paths(task, some) for some in task.paths.drawn(Random(seed), range(maxsize), size))
    else:
        drawn = _drawn_words(task, seed, range(maxsize), size)
    skip, missing = numbers.start, len(numbers)
    for words in _allowed_of(task, drawn):
        rows = slice(skip, skip + missing)
        skip = max(0, skip - _rows(words))
        kept = {name: word[rows] for name, word in words.items()}
        missing -= _rows(kept)
        if _rows(kept):
            yield kept
        if not missing:
            return


def _allowed_of(task: Task, drawn: Iterator[Words]) -> Iterator[Words]:
    """Those of drawn words that are inputs. Raises `TaskError` after too many in a row that are none."""
    import numpy as np

    refused = 0
    for words in drawn:
        rows = np.flatnonzero(task.allowed(words))
        gaps = np.diff(rows, prepend=-1 - refused, append=_rows(words)) - 1
        barren = np.flatnonzero(gaps >= TRIES)
        rows = rows[: barren[0]] if len(barren) else rows
        yield {name: word[rows] for name, word in words.items()}
        if len(barren):
            raise _nothing_allowed(task)
        refused = int(gaps[-1])


def _nothing_allowed(task: Task) -> TaskError:
    statement = task.statement
    transducer = statement.transducer
    in_columns = (transducer.only, transducer.only_at_end) if transducer is not None else ()
    formula = next((one for one in (*statement.also, statement.only, *in_columns) if one is not None), None)
    message = f"{TRIES} inputs were drawn, and `only` allows none of them"
    hint = "allow more inputs, or write those that you mean under `cases`"
    return TaskError(message, None if formula is None else formula.span, "no-input", hint)


def _words_of_paths(task: Task, some: NDArray[np.int64]) -> Words:
    from compiler.tasks import automaton

    assert task.paths is not None
    words = automaton.words_of(task.paths.automaton, some)
    return {word.name: words[word.name] for word in task.given}


def _array(symbols: Sequence[Sequence[int]]) -> NDArray[np.uint16]:
    import numpy as np

    return np.array(symbols, np.uint16)


def _rows(words: Words) -> int:
    return len(next(iter(words.values())))


def _as_inputs(task: Task, symbols: Sequence[int]) -> Inputs:
    """An input of its symbols, in the order of the given words."""
    from compiler.tasks.stated import number_of

    parts: list[int] = []
    first = 0
    for word in task.given:
        own = symbols[first : first + word.length]
        parts += [number_of(own, word.symbols)] if word.name in task.numbers else own
        first += word.length
    return tuple(parts)


def _split(task: Task, symbols: NDArray[np.uint16]) -> Words:
    """The given words of symbols [inputs, all of them]."""
    words: dict[str, NDArray[np.uint16]] = {}
    first = 0
    for word in task.given:
        words[word.name] = symbols[:, first : first + word.length]
        first += word.length
    return words


# edges


def _edges(task: Task) -> Iterator[Suite]:
    """None where `only` excludes all of them."""
    numbers = _are_numbers(task)
    if numbers:
        summary = f"{'all pairs of ' if len(task.given) == 2 else ''}extreme and regular numbers"
    else:
        summary = "constant, rising, falling and alternating sequences"
    inputs = _edge_inputs(task)
    if inputs:
        yield Suite("edges", summary, len(inputs), lambda size, seed: (_listed(task, "", inputs),), False)


def _edge_inputs(task: Task) -> list[Inputs]:
    """What is extreme or regular, of each word with each of the others; what is allowed of it."""
    each = [
        [(number,) for number in _edge_numbers(word)] if word.name in task.numbers else edge_words(word)
        for word in task.given
    ]
    most = max(1, min(MAX_EDGES, MAX_EDGE_SYMBOLS // sum(map(task.width, task.given))))
    combined = islice(product(*each), most)
    inputs = [tuple(part for word in words for part in word) for words in combined]
    if task.is_restricted and inputs:
        allowed = task.allowed(task.given_words(inputs)).tolist()
        inputs = [one for one, is_allowed in zip(inputs, allowed, strict=True) if is_allowed]
    return inputs


def _edge_numbers(word: WordShape) -> list[int]:
    base, length = word.symbols, word.length
    limit = base**length
    largest = limit - 1
    powers = [base**k for k in range(length)]
    if len(powers) > 16:
        powers = powers[:8] + powers[-8:]
    ones = largest // (base - 1)
    ascending = 0
    for k in range(length):
        ascending = ascending * base + (k + 1) % base
    numbers = {0, largest, limit // 2, limit // 2 - 1, ones, largest - ones, ascending}
    numbers |= {largest - ascending, *powers, *(power - 1 for power in powers), largest - 1}
    return sorted(number for number in numbers if 0 <= number <= largest)


def edge_words(word: WordShape) -> list[Inputs]:
    """Constant, rising, falling, alternating words, and those with a single symbol other than 0."""
    last, length = word.symbols - 1, word.length
    rising = tuple(i % word.symbols for i in range(length))
    alternating = tuple(last * (i % 2) for i in range(length))
    single = [tuple(last * (i == k) for i in range(length)) for k in range(min(length, 16))]
    constant = [(symbol,) * length for symbol in {0, last, last // 2}]
    return list(dict.fromkeys([*constant, rising, rising[::-1], alternating, alternating[::-1], *single]))


# every input


def _exhaustive(task: Task) -> Suite:
    what = (
        "every input; by default where they are few"
        if _are_numbers(task)
        else "every input; run by default where they are few"
    )

    def parts(size: int, seed: int) -> tuple[Part, ...]:
        if (_most(task) if task.is_by_columns else task.combinations) > MAX_EXHAUSTIVE:
            raise TaskError(_too_many(task))
        return (_every(task),)

    return Suite("exhaustive", what, lambda: _most(task), parts, False, _most(task) <= TRIED_IN_FULL)


def _most(task: Task) -> int:
    """How many inputs there are; where that is not known, how many there are at most."""
    return task.combinations if task.count is None else task.count


def _too_many(task: Task) -> str:
    words = task.given
    bases = {word.symbols for word in words}
    total = sum(word.length for word in words)
    if task.is_by_columns and task.count is not None and task.is_restricted:
        count = f"{task.count:,}" if task.count < SHOWN_COUNT else f"10**{len(str(task.count)) - 1} or more"
    elif len(bases) == 1:
        count = f"{words[0].symbols}**{total}"
    else:
        count = " * ".join(f"{word.symbols}**{word.length}" for word in words)
    if _are_numbers(task):
        what, advice = "pairs" if len(words) == 2 else "inputs", "Set fewer digits"
        advice += ", or use the near_carry suite" if "near_carry" in task.suite_names else ""
    else:
        what, advice = "inputs", "Set a smaller length"
    return f"exhaustive would be {count} {what}; at most {MAX_EXHAUSTIVE:,} are run. {advice}"


def _every(task: Task) -> Part:
    def generate() -> Iterator[Inputs]:
        ranges = [range(word.symbols**word.length) for word in task.given]
        if _are_numbers(task):
            return product(*ranges)
        choices = [range(word.symbols) for word in task.given for _ in range(word.length)]
        return (_as_inputs(task, symbols) for symbols in product(*choices))

    def direct(size: int, start: int) -> Iterator[Words]:
        return map(task.with_answers, every_word(task, size, start))

    if not task.is_restricted:
        return Part("", task.combinations, generate, task.encode, direct)
    paths = task.paths
    if task.is_by_columns and paths is not None:
        return _of_words(
            task,
            "",
            paths.count,
            lambda size, start: (
                _words_of_paths(task, some) for some in paths.in_order(range(start, paths.count), size)
            ),
        )

    def kept(size: int, start: int) -> Iterator[Words]:
        skip = start
        for given in every_word(task, size):
            rows = task.allowed(given).nonzero()[0]
            rows, skip = rows[skip:], max(0, skip - len(rows))
            if len(rows):
                yield {name: word[rows] for name, word in given.items()}

    return _of_words(task, "", count_allowed(task) if task.count is None else task.count, kept)


def every_word(task: Task, size: int, start: int = 0) -> Iterator[dict[str, NDArray[np.uint16]]]:
    """The given words of all combinations from number `start` on, at most `size` at once; the last symbol runs fastest.

    Those that `only` excludes are among them.
    """
    from compiler.tasks import digits

    for numbers in digits.counted(range(start, task.combinations), size):
        words = {}
        for word in reversed(task.given):
            limit = task.limit(word)
            high = numbers // limit if word is not task.given[0] else numbers
            own = numbers - high * limit if word is not task.given[0] else numbers
            words[word.name] = digits.word(own[None], word.symbols, word.length)
            numbers = high
        yield {word.name: words[word.name] for word in task.given}


def count_allowed(task: Task) -> int:
    """How many inputs there are, by trying all combinations."""
    return sum(int(task.allowed(given).sum()) for given in every_word(task, 1 << 16))


# carries


def _has_carries(task: Task) -> bool:
    """Whether there is a state of two values, from the last column on, and numbers of one shape."""
    transducer, shapes = task.statement.transducer, {(word.symbols, word.length) for word in task.given}
    if transducer is None or not transducer.from_last or len(shapes) > 1 or task.is_restricted:
        return False
    return len(transducer.states) == 1 and transducer.states[0].size == 2 and _are_numbers(task)


def _carries(task: Task) -> Suite:
    length = task.given[0].length
    patterns = min(1 << length, MAX_CARRY_PATTERNS) if length < 64 else MAX_CARRY_PATTERNS

    def parts(size: int, seed: int) -> tuple[Part, ...]:
        def given(block: int, start: int) -> Iterator[Words]:
            chosen = islice(_choices_for_patterns(task, size, seed), start, None)
            while rows := list(islice(chosen, block)):
                yield _words_of_choices(task, rows)

        return (_of_words(task, "", size, given),)

    summary = "every pattern of carries, random digits otherwise"
    return Suite("carries", summary, patterns, parts, most=lambda: 1 << length)


def _choices_for_patterns(task: Task, size: int, seed: int) -> Iterator[list[int]]:
    """For each input the choice of symbols of each column, whose number is that of its steps without the state."""
    from compiler.tasks import columns

    random = Random(f"carries:{seed}")
    base, length, words = task.given[0].symbols, task.given[0].length, len(task.given)
    patterns = 1 << length
    all_patterns = size - size % patterns  # whole rounds through every pattern, then a sample
    after = task.statement.step_table.after.astype("uint8").tobytes()
    following = after[::2], after[1::2]
    start = columns.start_of(task.statement)
    choices = _many_choices(random, base, words) if size == all_patterns else _choices(random, base, words)
    for k in range(size):
        pattern = k % patterns if k < all_patterns else random.randrange(patterns)
        yield _with_pattern(following, start, [pattern >> column & 1 for column in range(length)], choices)


def _with_pattern(
    following: tuple[bytes, bytes], state: int, pattern: Sequence[int], choices: Iterator[int]
) -> list[int]:
    """For each column the first choice of symbols that leads to its state of the pattern, where one can.

    `following` has, for both states before a step, the state after it for each choice.
    """
    chosen = []
    for wanted in pattern:
        after = following[state]
        state = wanted if wanted in after else 1 - wanted
        for choice in choices:
            if after[choice] == state:
                chosen.append(choice)
                break
    return chosen


def _choices(random: Random, base: int, words: int) -> Iterator[int]:
    """A symbol of each word, time after time, as the number that they are in the base, without an end."""
    draw, bits, others = random.getrandbits, base.bit_length(), range(words - 1)
    while True:
        while (choice := draw(bits)) >= base:
            pass
        for _ in others:
            while (symbol := draw(bits)) >= base:  # as `random.randrange(base)` draws it, but faster
                pass
            choice = choice * base + symbol
        yield choice


def _many_choices(random: Random, base: int, words: int) -> Iterator[int]:
    """The same ones, drawn together: for those who draw nothing else from `random`, which is left as it is."""
    import numpy as np

    from compiler.tasks import draws

    strides = np.array([base**k for k in reversed(range(words))], np.uint64)
    for symbols in draws.drawn(random, range(base), words, range(maxsize), _DRAWN_AT_ONCE):
        yield from (symbols[0] @ strides).tolist()


def _words_of_choices(task: Task, choices: Sequence[Sequence[int]]) -> Words:
    """The words of inputs, of a choice of symbols for each column from the last one on."""
    import numpy as np

    rest = np.array(choices)[:, ::-1]
    words = {}
    for word in reversed(task.given):
        rest, words[word.name] = np.divmod(rest, word.symbols)
    return {word.name: words[word.name].astype(np.uint16) for word in task.given}


# paths


def _transitions(task: Task) -> Suite:
    return _of_paths(task, "transitions", "each step of each column is taken", lambda: _through_all(task))


def _long_runs(task: Task) -> Suite:
    return _of_paths(task, "long_runs", "states are kept as long as they can be, and just left", lambda: _staying(task))


def _of_paths(task: Task, name: str, summary: str, found: Callable[[], NDArray[np.int64]]) -> Suite:
    """By default it runs where the author of the task does not say which suites it has, or asks for this one."""

    @cache
    def paths() -> NDArray[np.int64]:
        task.automaton()  # says why there is none
        return found()

    def size() -> int:
        try:
            return len(paths())
        except TaskError:  # `parts` raises it
            return 0

    def given(size: int, start: int) -> Iterator[Words]:
        some = paths()
        return (_words_of_paths(task, some[first : first + size]) for first in range(start, len(some), size))

    def parts(size: int, seed: int) -> tuple[Part, ...]:
        return (_of_words(task, "", len(paths()), given),)

    by_default = name in task.suite_names or (not task.suite_names and task.paths is not None)
    return Suite(name, summary, size, parts, False, by_default)


def _through_all(task: Task) -> NDArray[np.int64]:
    """Paths of inputs that take each step that some input takes, as far as such inputs are found."""
    import numpy as np

    from compiler.tasks import paths

    assert task.paths is not None
    columns = task.paths.automaton.columns
    steps = sum(len(column.before) for column in columns)
    if steps > MAX_TRANSITIONS:
        raise TaskError(
            f"the columns have {steps:,} steps; inputs that take each of at most {MAX_TRANSITIONS:,} are made"
        )
    crossed, random = paths.crossings(task.paths.automaton), Random("transitions")
    greedy = np.array(paths.through_all(crossed, random), np.int64).reshape(-1, len(crossed))
    found = greedy[task.allowed(_words_of_paths(task, greedy))]
    for _ in range(PATHS_TRIED):
        missing = paths.untaken(crossed, found)[:MAX_TRIED_AGAIN]
        if not missing:
            break
        tried = paths.through_each(crossed, missing, random)
        found = np.concatenate([found, tried[task.allowed(_words_of_paths(task, tried))]])
    return found


def _staying(task: Task) -> NDArray[np.int64]:
    """Some paths of inputs for each of the runs that are as long as they can be."""
    import numpy as np

    from compiler.tasks import columns, paths

    assert task.paths is not None
    crossed, random = paths.crossings(task.paths.automaton), Random("long_runs")
    runs = paths.runs(crossed[: columns.columns_of(task.statement)])
    times = max(1, min(RUNS_EACH, MAX_RUNS // max(len(runs), 1)))
    tried = [paths.along(crossed, run, random) for run in runs[:MAX_RUNS] for _ in range(times)]
    some = np.array(tried, np.int64).reshape(-1, len(crossed))
    return some[task.allowed(_words_of_paths(task, some))] if len(some) else some


# sums of two numbers


def _near_carry(task: Task) -> Suite:
    """Sums m·base^j ± (0 … base^r), j in 1 … digits, r in 0 … min(6, j), and any operands that give them."""
    word = task.given[0]
    base, largest = word.symbols, task.limit(word) - 1

    def generate(size: int, seed: int) -> Iterator[Inputs]:
        random = Random(f"near_carry:{seed}")
        for _ in range(size):
            total = -1
            while not 0 <= total <= 2 * largest:
                j = random.randint(1, word.length)
                unit = base**j
                multiple = random.randint(1, 2 * largest // unit) * unit
                offset = random.randint(0, base ** random.randint(0, min(6, j)))
                total = multiple + random.choice((-1, 1)) * offset
            a = random.randint(max(0, total - largest), min(largest, total))
            yield a, total - a

    def parts(size: int, seed: int) -> tuple[Part, ...]:
        return (Part("", size, lambda: generate(size, seed), task.encode),)

    summary = "sums just above or below a multiple of a power of the base"
    return Suite("near_carry", summary, NEAR_CARRIES, parts, most=lambda: task.combinations)


def _adderboard(task: Task) -> Suite:
    """The inputs of the leaderboard, in its order. Its `parts` raise `TaskError` where operands hold too little."""
    word = task.given[0]
    fits = task.limit(word) > adderboard.LARGEST
    reaches_all = task.limit(word) == adderboard.LARGEST + 1  # in a report it stands for `uniform` then

    def parts(size: int, seed: int) -> tuple[Part, ...]:
        if not fits:
            largest = task.largest(word)
            message = f"adderboard adds numbers from 0 to {adderboard.LARGEST}, and an operand of this task is at most"
            raise TaskError(f"{message} {largest}. Use the suites uniform, edges and near_carry")
        listed = _listed(task, _BOARD_EDGES, adderboard.EDGE_CASES)
        bounds = [(0, adderboard.LARGEST + 1)] * 2
        return listed, drawn_numbers(task, _BOARD_PAIRS, adderboard.RANDOM_PAIRS, adderboard.SEED, bounds)

    return Suite(adderboard.NAME, adderboard.SUMMARY, adderboard.TOTAL, parts, False, False, reaches_all)


# of the author


def _author(task: Task, suite: AuthorSuite) -> Suite:
    narrowed = replace(task, statement=suite.narrowed)

    def parts(size: int, seed: int) -> tuple[Part, ...]:
        return (_drawn(narrowed, "", size, f"{suite.name}:{seed}"),)

    condition = suite.narrowed.also[-1].text
    summary = f"inputs that its author chose: {condition}"
    return Suite(suite.name, summary, suite.size, parts, most=lambda: task.combinations)


SUITES = {
    "uniform": "random inputs; numbers of each of the last three lengths",
    "edges": "constant, rising, falling, alternating and extreme words; extreme and regular numbers",
    "carries": "of an addition: every pattern of carries, random digits otherwise",
    "near_carry": "of an addition: sums just above or below a multiple of a power of the base",
    "transitions": "of a task with columns: each step of each column is taken",
    "long_runs": "of a task with columns: states are kept as long as they can be, and just left",
    "exhaustive": "every input; by default where they are few",
    "cases": "of a table of cases: each of them",
    adderboard.NAME: f"of an addition: {adderboard.SUMMARY}",
}
"""What each suite has, in a line; a task may have more of its own."""


def suites_text() -> str:
    """The suites of tasks, for the help of a command."""
    protocols = {adderboard.NAME: adderboard.PROTOCOL.summary}
    return "\n\n".join(
        "\n".join([f"{title}:", *(f"{name:<10}  {text}" for name, text in listed.items())])
        for title, listed in (("Suites", SUITES), ("Protocols", protocols))
    )
