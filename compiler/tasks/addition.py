"""Addition of two numbers of a fixed number of digits in any base."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from random import Random
from typing import TYPE_CHECKING

from compiler.source.limits import MAX_EXHAUSTIVE
from compiler.tasks import adderboard
from compiler.tasks.automaton import Automaton
from compiler.tasks.task import (
    TRIED_IN_FULL,
    EvaluationProtocol,
    Inputs,
    Part,
    Suite,
    Symbols,
    TaskError,
    Words,
    check_sizes,
)

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from compiler.tasks.digits import Limbs

MAX_BASE = 1024
MAX_DIGITS = 1024
MAX_CARRY_PATTERNS = 4096
EXHAUSTIVE = "every input; by default where they are few"
EXAMPLE = {"base": 10, "digits": 10}
_MACHINE_BITS = 64  # numbers of more are drawn one by one
UNIFORM_LENGTHS = 3  # the longest operand lengths that the uniform suite samples


@dataclass(frozen=True)
class Addition:
    """`a + b = sum`: two operands of `digits` digits and a sum of one digit more."""

    base: int
    digits: int

    @property
    def kind(self) -> str:
        return "addition"

    @property
    def symbols(self) -> int:
        return self.base

    @property
    def family(self) -> str:
        return "digit"

    @property
    def operands(self) -> Mapping[str, int]:
        return {"a": self.digits, "b": self.digits}

    @property
    def answers(self) -> Mapping[str, int]:
        return {"sum": self.digits + 1}

    @property
    def limit(self) -> int:
        """The first number that is too large for an operand."""
        return int(self.base**self.digits)

    def solve(self, inputs: Inputs) -> dict[str, Symbols]:
        a, b = inputs
        return {
            "a": _digits(a, self.base, self.digits),
            "b": _digits(b, self.base, self.digits),
            "sum": _digits(a + b, self.base, self.digits + 1),
        }

    def encode(self, inputs: Sequence[Inputs]) -> Words:
        from compiler.tasks import digits

        a, b = ([pair[k] for pair in inputs] for k in (0, 1))
        size = self.base, self.digits
        return self._words(digits.limbs_of_integers(a, *size), digits.limbs_of_integers(b, *size))

    def _words(self, a: Limbs, b: Limbs) -> Words:
        from compiler.tasks import digits

        return {
            "a": digits.word(a, self.base, self.digits),
            "b": digits.word(b, self.base, self.digits),
            "sum": digits.word(digits.added(a, b, self.base), self.base, self.digits + 1),
        }

    def _words_of_arrays(self, a: NDArray[np.uint64], b: NDArray[np.uint64]) -> Words:
        from compiler.tasks import digits

        size = self.base, self.digits
        return self._words(digits.limbs_of_array(a, *size), digits.limbs_of_array(b, *size))

    def inputs(self, words: Words, row: int) -> Inputs:
        return _number(words["a"][row].tolist(), self.base), _number(words["b"][row].tolist(), self.base)

    def read(self, texts: Sequence[str]) -> Inputs:
        if len(texts) != 2:
            raise TaskError(f"addition takes two numbers, found {len(texts)}")
        return self._operand(texts[0]), self._operand(texts[1])

    def _operand(self, text: str) -> int:
        cleaned = text.strip().replace("_", "")
        if not (cleaned.isascii() and cleaned.isdigit()):
            raise TaskError(f"'{text}' is no decimal number from 0 to {self._largest()}")
        if len(cleaned) > 4000 or int(cleaned) >= self.limit:
            shown = text if len(text) <= 40 else f"a number of {len(cleaned)} digits"
            raise TaskError(f"{shown} is too large: an operand is at most {self._largest()}")
        return int(cleaned)

    def _largest(self) -> str:
        return str(self.limit - 1) if self.digits <= 40 else f"{self.base}**{self.digits} - 1"

    def show(self, words: Mapping[str, Symbols]) -> str:
        return str(_number(words["sum"], self.base))

    def describe(self, inputs: Inputs) -> str:
        return f"{inputs[0]} + {inputs[1]}"

    def suites(self) -> Mapping[str, Suite]:
        lengths = len(self._lengths())
        patterns = min(1 << self.digits, MAX_CARRY_PATTERNS) if self.digits < 64 else MAX_CARRY_PATTERNS
        board = adderboard.suite(self.base, self.digits, self._listed, self._drawn)
        suites = [
            Suite(
                "uniform",
                "operands of each of the last three lengths",
                10_000 * lengths,
                self._uniform,
                reported=not board.in_report,  # which has as many random pairs of one length
            ),
            Suite("edges", "all pairs of extreme and regular numbers", len(self._edges()), self._edge_parts, False),
            Suite("carries", "every pattern of carries, random digits otherwise", patterns, self._carries),
            Suite("near_carry", "sums just above or below a multiple of a power of the base", 4000, self._near_carry),
            Suite("exhaustive", EXHAUSTIVE, self.limit**2, self._exhaustive, False, self.limit**2 <= TRIED_IN_FULL),
            board,
        ]
        return {suite.name: suite for suite in suites}

    def protocols(self) -> Mapping[str, EvaluationProtocol]:
        return {adderboard.PROTOCOL.name: adderboard.PROTOCOL}

    def automaton(self) -> Automaton:
        from compiler.tasks import carrying

        return carrying.adding(self.base, self.digits)

    def _lengths(self) -> range:
        return range(max(1, self.digits - UNIFORM_LENGTHS + 1), self.digits + 1)

    def _uniform(self, size: int, seed: int) -> tuple[Part, ...]:
        lengths = self._lengths()
        share, extra = divmod(size, len(lengths))
        sizes = [share + (i < extra) for i in range(len(lengths))]

        def part(length: int, pairs: int) -> Part:
            low = self.base ** (length - 1) if length > 1 else 0
            label = f"{length} digit{'s' if length > 1 else ''}"
            return self._drawn(label, pairs, f"uniform:{length}:{seed}", low, self.base**length)

        return tuple(part(length, pairs) for length, pairs in zip(lengths, sizes, strict=True))

    def _drawn(self, label: str, pairs: int, seed: int | str, low: int, high: int) -> Part:
        """So many pairs of numbers from low to high - 1."""

        def generate() -> Iterator[Inputs]:
            random = Random(seed)
            for _ in range(pairs):
                yield random.randrange(low, high), random.randrange(low, high)

        def direct(size: int, start: int) -> Iterator[Words]:
            from compiler.tasks import draws

            for block in draws.drawn(Random(seed), high - low, 2, range(start, pairs), size):
                block += low
                yield self._words_of_arrays(block[:, 0], block[:, 1])

        return Part(label, pairs, generate, self.encode, direct if high < 1 << _MACHINE_BITS else None)

    def _listed(self, label: str, pairs: Sequence[Inputs]) -> Part:
        return Part(label, len(pairs), lambda: iter(pairs), self.encode)

    def _edges(self) -> list[Inputs]:
        largest = self.limit - 1
        powers = [self.base**k for k in range(self.digits)]
        if len(powers) > 16:
            powers = powers[:8] + powers[-8:]
        ones = largest // (self.base - 1)
        ascending = 0
        for k in range(self.digits):
            ascending = ascending * self.base + (k + 1) % self.base
        numbers = {0, largest, self.limit // 2, self.limit // 2 - 1, ones, largest - ones, ascending}
        numbers |= {largest - ascending, *powers, *(power - 1 for power in powers), largest - 1}
        valid = sorted(number for number in numbers if 0 <= number <= largest)
        return list(product(valid, valid))

    def _edge_parts(self, size: int, seed: int) -> tuple[Part, ...]:
        return (self._listed("", self._edges()),)

    def _carries(self, size: int, seed: int) -> tuple[Part, ...]:
        patterns = 1 << self.digits

        def generate() -> Iterator[Inputs]:
            random = Random(f"carries:{seed}")
            all_patterns = size - size % patterns  # whole rounds through every pattern, then a sample
            for k in range(size):
                yield self._with_carries(k % patterns if k < all_patterns else random.randrange(patterns), random)

        return (Part("", size, generate, self.encode),)

    def _with_carries(self, pattern: int, random: Random) -> Inputs:
        """A pair whose carry out of column k is bit k of `pattern`.

        Digits are drawn as `random.randrange(base)` draws them, but three times as fast.
        """
        bits, draw, base = self.base.bit_length(), random.getrandbits, self.base
        a = b = carry = 0
        unit = 1
        for k in range(self.digits):
            wanted = pattern >> k & 1
            while True:
                while (x := draw(bits)) >= base:
                    pass
                while (y := draw(bits)) >= base:
                    pass
                if (x + y + carry >= base) == wanted:
                    break
            a += x * unit
            b += y * unit
            unit *= base
            carry = wanted
        return a, b

    def _near_carry(self, size: int, seed: int) -> tuple[Part, ...]:
        """Sums m·base^j ± (0 … base^r), j in 1 … digits, r in 0 … min(6, j), and any operands that give them."""
        largest = self.limit - 1

        def generate() -> Iterator[Inputs]:
            random = Random(f"near_carry:{seed}")
            for _ in range(size):
                total = -1
                while not 0 <= total <= 2 * largest:
                    j = random.randint(1, self.digits)
                    unit = self.base**j
                    multiple = random.randint(1, 2 * largest // unit) * unit
                    offset = random.randint(0, self.base ** random.randint(0, min(6, j)))
                    total = multiple + random.choice((-1, 1)) * offset
                a = random.randint(max(0, total - largest), min(largest, total))
                yield a, total - a

        return (Part("", size, generate, self.encode),)

    def _exhaustive(self, size: int, seed: int) -> tuple[Part, ...]:
        if self.limit**2 > MAX_EXHAUSTIVE:
            message = f"exhaustive would be {self.base}**{2 * self.digits} pairs; at most {MAX_EXHAUSTIVE:,} are run"
            raise TaskError(f"{message}. Set fewer digits, or use the near_carry suite")
        every = range(self.limit)

        def direct(size: int, start: int) -> Iterator[Words]:
            from compiler.tasks import digits

            for numbers in digits.counted(range(start, self.limit**2), size):
                yield self._words_of_arrays(numbers // self.limit, numbers % self.limit)

        return (Part("", self.limit**2, lambda: product(every, every), self.encode, direct),)


def addition(sizes: Mapping[str, int]) -> Addition:
    """The task of the sizes `base` and `digits`. Raises `TaskError`."""
    check_sizes("addition", EXAMPLE, sizes)
    if not 2 <= sizes["base"] <= MAX_BASE:
        raise TaskError(f"the base has to be from 2 to {MAX_BASE}, not {sizes['base']}")
    if not 1 <= sizes["digits"] <= MAX_DIGITS:
        raise TaskError(f"the number of digits has to be from 1 to {MAX_DIGITS}, not {sizes['digits']}")
    return Addition(sizes["base"], sizes["digits"])


def _digits(number: int, base: int, length: int) -> Symbols:
    digits = []
    for _ in range(length):
        number, digit = divmod(number, base)
        digits.append(digit)
    return tuple(reversed(digits))


def _number(digits: Sequence[int], base: int) -> int:
    number = 0
    for digit in digits:
        number = number * base + digit
    return number
