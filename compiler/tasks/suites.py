"""The suites of inputs of a task: those that every task has, those that its author asks for by name, and his own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import islice, product
from random import Random
from typing import TYPE_CHECKING

from compiler.source.limits import MAX_EXHAUSTIVE
from compiler.tasks import adderboard
from compiler.tasks.stated import AuthorSuite, Task
from compiler.tasks.statement import WordShape
from compiler.tasks.task import TRIED_IN_FULL, Inputs, Part, Suite, TaskError, Words

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MAX_SIZE = 10_000_000  # inputs of an author's suite
SAMPLED = 10_000  # inputs that are drawn of each length, where nobody says how many
NEAR_CARRIES = 4000
MAX_CARRY_PATTERNS = 4096
MAX_EDGES = 10_000
UNIFORM_LENGTHS = 3  # the longest lengths of numbers that the uniform suite draws
TRIES = 1000  # draws for one input that `only` allows
_MACHINE_BITS = 64  # numbers of more are drawn one by one
_DRAWN_AT_ONCE = 1024


def of(task: Task) -> Iterator[Suite]:
    """All suites of a task, in the order in which they are run and shown."""
    if task.cases:
        yield _cases(task)
        return
    uniform = _uniform_numbers(task) if _are_numbers(task) and not task.is_restricted else _uniform_words(task)
    board = _adderboard(task) if adderboard.NAME in task.suite_names else None
    # a report has as many random inputs of one length from the board
    yield replace(uniform, reported=not board.in_report) if board is not None else uniform
    yield _edges(task)
    if "carries" in task.suite_names:
        yield _carries(task)
    if "near_carry" in task.suite_names:
        yield _near_carry(task)
    yield _exhaustive(task)
    if board is not None:
        yield board
    for suite in task.author_suites:
        yield _author(task, suite)


ALWAYS = ("uniform", "edges", "exhaustive")  # those that every task has
NAMED = ("carries", "near_carry", adderboard.NAME)  # those that an author asks for by name


def why_not(task: Task, name: str) -> str | None:
    """Why a task cannot have a suite that its author asks for; None where it can."""
    if name == "carries":
        return (
            None if _has_carries(task) else "it needs columns from the last, with one state of size 2 and words alike"
        )
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


def _words_of_numbers(task: Task, numbers: Sequence[NDArray[np.uint64]]) -> Words:
    """The words of many inputs, of a number for each given word, [inputs] each."""
    from compiler.tasks import digits

    words = {
        word.name: digits.word(digits.limbs_of_array(column, word.symbols, word.length), word.symbols, word.length)
        for word, column in zip(task.given, numbers, strict=True)
    }
    return task.with_answers(words)


# uniform


def _uniform_numbers(task: Task) -> Suite:
    longest = max(word.length for word in task.given)
    lengths = range(max(1, longest - UNIFORM_LENGTHS + 1), longest + 1)

    def parts(size: int, seed: int) -> tuple[Part, ...]:
        share, extra = divmod(size, len(lengths))
        sizes = [share + (i < extra) for i in range(len(lengths))]
        drawn = zip(lengths, sizes, strict=True)
        return tuple(_of_length(task, length, count, f"uniform:{length}:{seed}") for length, count in drawn)

    return Suite("uniform", "operands of each of the last three lengths", SAMPLED * len(lengths), parts)


def _of_length(task: Task, length: int, count: int, seed: str) -> Part:
    def bounds(word: WordShape) -> tuple[int, int]:
        own = min(length, word.length)
        return word.symbols ** (own - 1) if own > 1 else 0, int(word.symbols**own)

    label = f"{length} digit{'s' if length > 1 else ''}"
    return drawn_numbers(task, label, count, seed, [bounds(word) for word in task.given])


def drawn_numbers(task: Task, label: str, count: int, seed: int | str, bounds: Sequence[tuple[int, int]]) -> Part:
    """So many inputs; each given word is a number from its low to its high - 1, one after the other from one seed."""

    def generate() -> Iterator[Inputs]:
        random = Random(seed)
        for _ in range(count):
            yield tuple(random.randrange(low, high) for low, high in bounds)

    def direct(size: int, start: int) -> Iterator[Words]:
        from compiler.tasks import draws

        low, high = bounds[0]
        for block in draws.drawn(Random(seed), high - low, len(bounds), range(start, count), size):
            block += low
            yield _words_of_numbers(task, [block[:, k] for k in range(len(bounds))])

    at_once = len(set(bounds)) == 1 and bounds[0][1] < 1 << _MACHINE_BITS
    return Part(label, count, generate, task.encode, direct if at_once else None)


def _uniform_words(task: Task) -> Suite:
    summary = "random inputs" if task.is_restricted or len(task.given) > 1 else "random sequences"
    length = sum(word.length for word in task.given)

    def parts(size: int, seed: int) -> tuple[Part, ...]:
        return (_drawn(task, "", size, f"uniform:{length}:{seed}"),)

    return Suite("uniform", summary, min(SAMPLED, _inputs(task)), parts)


def _drawn(task: Task, label: str, count: int, seed: str) -> Part:
    """So many allowed inputs, whose symbols are drawn one after the other."""
    choices = [word.symbols for word in task.given for _ in range(word.length)]

    def symbols(random: Random) -> tuple[int, ...]:
        return tuple(random.randrange(choice) for choice in choices)

    def generate() -> Iterator[Inputs]:
        random = Random(seed)
        if not task.is_restricted:
            yield from (_as_inputs(task, symbols(random)) for _ in range(count))
            return
        yield from islice(_allowed_draws(task, lambda: _as_inputs(task, symbols(random))), count)

    def direct(size: int, start: int) -> Iterator[Words]:
        from compiler.tasks import draws

        for block in draws.drawn(Random(seed), choices[0], len(choices), range(start, count), size):
            yield task.with_answers(_split(task, block.astype("uint16")))

    at_once = len(set(choices)) == 1 and not task.is_restricted
    return Part(label, count, generate, task.encode, direct if at_once else None)


def _allowed_draws(task: Task, draw: Callable[[], Inputs]) -> Iterator[Inputs]:
    """Draws that `only` allows, without an end. Raises `TaskError` after too many that it does not."""
    refused = 0
    while True:
        drawn = [draw() for _ in range(_DRAWN_AT_ONCE)]
        for inputs, is_allowed in zip(drawn, task.allowed(task.given_words(drawn)).tolist(), strict=True):
            refused = 0 if is_allowed else refused + 1
            if refused >= TRIES:
                raise _nothing_allowed(task)
            if is_allowed:
                yield inputs


def _nothing_allowed(task: Task) -> TaskError:
    statement = task.statement
    transducer = statement.transducer
    in_columns = (transducer.only, transducer.only_at_end) if transducer is not None else ()
    formula = next((one for one in (*statement.also, statement.only, *in_columns) if one is not None), None)
    message = f"{TRIES} inputs were drawn, and `only` allows none of them"
    hint = "allow more inputs, or write those that you mean under `cases`"
    return TaskError(message, None if formula is None else formula.span, "no-input", hint)


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


def _edges(task: Task) -> Suite:
    numbers = _are_numbers(task)
    if numbers:
        summary = f"{'all pairs of ' if len(task.given) == 2 else ''}extreme and regular numbers"
    else:
        summary = "constant, rising, falling and alternating sequences"
    inputs = _edge_inputs(task)
    return Suite("edges", summary, len(inputs), lambda size, seed: (_listed(task, "", inputs),), False)


def _edge_inputs(task: Task) -> list[Inputs]:
    """What is extreme or regular, of each word with each of the others; what is allowed of it."""
    each = [
        [(number,) for number in _edge_numbers(word)] if word.name in task.numbers else edge_words(word)
        for word in task.given
    ]
    combined = islice(product(*each), MAX_EDGES)
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
    every = task.combinations
    what = (
        "every input; by default where they are few"
        if _are_numbers(task)
        else "every input; run by default where they are few"
    )
    small = every <= TRIED_IN_FULL

    def parts(size: int, seed: int) -> tuple[Part, ...]:
        if every > MAX_EXHAUSTIVE:
            raise TaskError(_too_many(task))
        return (_every(task),)

    size = _inputs(task)
    return Suite("exhaustive", what, size, parts, False, small)


def _inputs(task: Task) -> int:
    """How many inputs there are; where `only` would have to be looked at for many, how many there are at most."""
    return count_allowed(task) if task.is_restricted and task.combinations <= TRIED_IN_FULL else task.combinations


def _too_many(task: Task) -> str:
    words = task.given
    bases = {word.symbols for word in words}
    total = sum(word.length for word in words)
    if len(bases) == 1:
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
        for given in every_word(task, size, 0 if task.is_restricted else start):
            yield task.with_answers(given)

    if not task.is_restricted:
        return Part("", task.combinations, generate, task.encode, direct)

    def kept(size: int, start: int) -> Iterator[Words]:
        skip = start
        for given in every_word(task, size, 0):
            rows = task.allowed(given).nonzero()[0][:]
            rows, skip = rows[skip:], max(0, skip - len(rows))
            if len(rows):
                yield task.with_answers({name: word[rows] for name, word in given.items()})

    def listed() -> Iterator[Inputs]:
        for words in kept(1 << 12, 0):
            yield from (task.inputs(words, row) for row in range(len(next(iter(words.values())))))

    return Part("", count_allowed(task), listed, task.encode, kept)


def every_word(task: Task, size: int, start: int) -> Iterator[dict[str, NDArray[np.uint16]]]:
    """The given words of all combinations from number `start` on, the last symbol running fastest."""
    from compiler.tasks import digits

    for numbers in digits.counted(range(start, task.combinations), size):
        words = {}
        for word in reversed(task.given):
            limit = task.limit(word)
            high = numbers // limit if word is not task.given[0] else numbers
            own = numbers - high * limit if word is not task.given[0] else numbers
            words[word.name] = digits.word([own], word.symbols, word.length)
            numbers = high
        yield {word.name: words[word.name] for word in task.given}


def count_allowed(task: Task) -> int:
    """How many inputs there are, by trying all combinations."""
    return sum(int(task.allowed(given).sum()) for given in every_word(task, 1 << 16, 0))


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
        return (Part("", size, lambda: _with_patterns(task, size, seed), task.encode),)

    return Suite("carries", "every pattern of carries, random digits otherwise", patterns, parts)


def _with_patterns(task: Task, size: int, seed: int) -> Iterator[Inputs]:
    from compiler.tasks import columns

    random = Random(f"carries:{seed}")
    length = task.given[0].length
    patterns = 1 << length
    all_patterns = size - size % patterns  # whole rounds through every pattern, then a sample
    after = task.statement.step_table.after.reshape(*(word.symbols for word in task.given), 2)
    start = columns.start_of(task.statement)
    for k in range(size):
        pattern = k % patterns if k < all_patterns else random.randrange(patterns)
        wanted = [pattern >> column & 1 for column in range(length)]
        yield _with_carries(task, after, start, wanted, random)


def _with_carries(task: Task, after: NDArray[np.integer], start: int, pattern: Sequence[int], random: Random) -> Inputs:
    """An input whose state after column k is `pattern[k]`, where symbols of this column can lead there.

    `after` [symbols of each given word …, states] is the next state. Symbols are drawn as `random.randrange` draws
    them, but faster.
    """
    draw, bases = random.getrandbits, [word.symbols for word in task.given]
    bits = [base.bit_length() for base in bases]
    numbers, unit, state = [0] * len(bases), 1, start
    possible = [set(after[..., before].ravel().tolist()) for before in range(after.shape[-1])]
    for wanted in pattern:
        target = wanted if wanted in possible[state] else min(possible[state])
        while True:
            symbols = []
            for base, width in zip(bases, bits, strict=True):
                while (symbol := draw(width)) >= base:
                    pass
                symbols.append(symbol)
            if after.item(*symbols, state) == target:
                break
        numbers = [number + symbol * unit for number, symbol in zip(numbers, symbols, strict=True)]
        unit *= bases[0]
        state = target
    return tuple(numbers)


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
    return Suite("near_carry", summary, NEAR_CARRIES, parts)


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
        listed = _listed(task, "edge cases", adderboard.EDGE_CASES)
        bounds = [(0, adderboard.LARGEST + 1)] * 2
        return listed, drawn_numbers(task, "random pairs", adderboard.RANDOM_PAIRS, adderboard.SEED, bounds)

    return Suite(adderboard.NAME, adderboard.SUMMARY, adderboard.TOTAL, parts, False, False, reaches_all)


# of the author


def _author(task: Task, suite: AuthorSuite) -> Suite:
    narrowed = replace(task, statement=suite.narrowed)

    def parts(size: int, seed: int) -> tuple[Part, ...]:
        return (_drawn(narrowed, "", size, f"{suite.name}:{seed}"),)

    condition = suite.narrowed.also[-1].text
    return Suite(suite.name, f"inputs that its author chose: {condition}", suite.size, parts)


def described() -> str:
    """The suites of tasks, for the help of a command."""
    summaries = {
        "uniform": "random inputs; numbers of each of the last three lengths",
        "edges": "constant, rising, falling, alternating and extreme words; extreme and regular numbers",
        "carries": "of an addition: every pattern of carries, random digits otherwise",
        "near_carry": "of an addition: sums just above or below a multiple of a power of the base",
        "exhaustive": "every input; by default where they are few",
        "cases": "of a table of cases: each of them",
        adderboard.NAME: f"of an addition: {adderboard.SUMMARY}",
    }
    protocols = {adderboard.NAME: adderboard.PROTOCOL.summary}
    return "\n\n".join(
        "\n".join([f"{title}:", *(f"{name:<10}  {text}" for name, text in listed.items())])
        for title, listed in (("Suites", summaries), ("Protocols", protocols))
    )
