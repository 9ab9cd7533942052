"""The token layout of a task: which token stands where in prompt and answer, for any input."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from itertools import pairwise, takewhile
from typing import TYPE_CHECKING

from compiler.source.showing import short_repr
from compiler.tasks.task import Symbols, Words

if TYPE_CHECKING:  # quick commands read specs without numpy
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Alphabet:
    """The tokens that stand for symbols 0, 1, … of a word, and what people call each symbol.

    `aliases` are further names by which people can type a symbol.
    """

    name: str
    tokens: tuple[int, ...]
    spelling: tuple[str, ...]
    aliases: Mapping[str, int] = field(default_factory=dict)

    __repr__ = short_repr

    @property
    def size(self) -> int:
        return len(self.tokens)

    @cached_property
    def symbols(self) -> dict[str, int]:
        """Each symbol by its spelling."""
        return {text: symbol for symbol, text in enumerate(self.spelling)}


@dataclass(frozen=True)
class SymbolPlace:
    """Symbol `index` of the word `word`, which has so many symbols to choose from."""

    word: str
    index: int
    choices: int

    def __str__(self) -> str:
        return f"{self.word}[{self.index}]"


@dataclass(frozen=True)
class Slot:
    """One position: a fixed `token`, or (where that is None) the token that some symbols choose out of `tokens`.

    Most slots hold one symbol. Of several symbols the last one runs fastest: `tokens` [choices of the first · …].
    """

    token: int | None
    places: tuple[SymbolPlace, ...] = ()
    tokens: tuple[int, ...] = ()

    @property
    def possible(self) -> tuple[int, ...]:
        """The tokens that can stand here."""
        return self.tokens if self.token is None else (self.token,)

    @cached_property
    def _symbols(self) -> dict[int, Symbols]:
        """The symbols that each token stands for."""
        return {token: self._split(number) for number, token in enumerate(self.tokens)}

    def _split(self, number: int) -> Symbols:
        symbols = []
        for place in reversed(self.places):
            number, symbol = divmod(number, place.choices)
            symbols.append(symbol)
        return tuple(reversed(symbols))

    def symbols_of(self, token: int) -> Symbols | None:
        """The symbols at `places` that a token stands for here; None where it stands for none."""
        return self._symbols.get(token)

    def token_of(self, words: Mapping[str, Symbols]) -> int:
        """The token that stands here where the task's words are these."""
        if self.token is not None:
            return self.token
        number = 0
        for place in self.places:
            number = number * place.choices + words[place.word][place.index]
        return self.tokens[number]

    def __str__(self) -> str:
        return " ".join(map(str, self.places))


@dataclass(frozen=True)
class Layout:
    """Prompt and answer as slots; tokens 0 … `classes` - 1 can be predicted.

    `read_at`: where the logits of each answer slot are read in the prompt, if the answer is read there; else empty, and
    the answer follows the prompt. `window`: the model sees so many of the last tokens; None: all of them.
    `spelling`: what people call the tokens that stand for symbols, where that is shorter than their labels.
    """

    prompt: tuple[Slot, ...]
    answer: tuple[Slot, ...]
    classes: int
    spelling: Mapping[int, str]
    read_at: tuple[int, ...] = ()
    window: int | None = None

    __repr__ = short_repr

    @property
    def in_place(self) -> bool:
        return bool(self.read_at)

    @property
    def length(self) -> int:
        """Tokens that the model reads at most, with the last one of an answer that follows the prompt."""
        whole = len(self.prompt) + (0 if self.in_place else len(self.answer))
        return whole if self.window is None else min(self.window, whole)

    @property
    def slides(self) -> bool:
        """Whether the model does not see all of the tokens at once."""
        whole = len(self.prompt) + len(self.answer) - 1
        return self.window is not None and not self.in_place and self.window < whole

    def seen(self, slot: int) -> range:
        """Which of the tokens of prompt and answer the model sees where it says an answer slot."""
        if self.in_place:
            return range(len(self.prompt))
        end = len(self.prompt) + slot
        return range(0 if self.window is None else max(0, end - self.window), end)

    def read_in(self, slot: int) -> int:
        """At which of the tokens that it sees the logits of an answer slot are read."""
        return self.read_at[slot] if self.in_place else len(self.seen(slot)) - 1

    @cached_property
    def predicted(self) -> tuple[int, ...]:
        """Which answer slots the model has to predict; the others hold tokens it cannot emit and are forced."""
        if self.in_place:
            return tuple(range(len(self.answer)))
        return tuple(i for i, slot in enumerate(self.answer) if slot.token is None or slot.token < self.classes)

    def prompt_tokens(self, words: Mapping[str, Symbols]) -> list[int]:
        return [slot.token_of(words) for slot in self.prompt]

    def answer_tokens(self, words: Mapping[str, Symbols]) -> list[int]:
        return [slot.token_of(words) for slot in self.answer]

    def prompts(self, words: Words) -> NDArray[np.int32]:
        """The prompts [inputs, prompt] of many inputs."""
        return _tokens(self.prompt, words)

    def answers(self, words: Words) -> NDArray[np.int32]:
        """The answers [inputs, answer] of many inputs."""
        return _tokens(self.answer, words)

    def spell(self, tokens: Sequence[int], labels: Sequence[str]) -> list[str]:
        """Tokens for people: a symbol as it is spelled, another token by its label, a negative id as NaN."""
        return [self.spelling.get(token, labels[token]) if token >= 0 else "NaN" for token in tokens]

    def read_answer(self, tokens: Sequence[int]) -> dict[str, Symbols] | None:
        """The answer words that answer tokens spell; None where one of them is no symbol of its word."""
        words: dict[str, dict[int, int]] = {}
        for slot, token in zip(self.answer, tokens, strict=True):
            symbols = slot.symbols_of(token) if slot.token is None else ()
            if symbols is None:
                return None
            for place, symbol in zip(slot.places, symbols, strict=True):
                words.setdefault(place.word, {})[place.index] = symbol
        return {name: tuple(symbols[i] for i in sorted(symbols)) for name, symbols in words.items()}


@dataclass(frozen=True)
class _Run:
    """Slots at even distances that hold symbols of one word at even distances, all of them by one table of tokens."""

    word: str
    tokens: tuple[int, ...]
    positions: range
    indices: range


def _tokens(slots: tuple[Slot, ...], words: Words) -> NDArray[np.int32]:
    import numpy as np

    made = np.empty((len(next(iter(words.values()))), len(slots)), np.int32)
    for run in _runs(slots):
        symbols, first = words[run.word][:, _slice(run.indices)], run.tokens[0]
        into = made[:, _slice(run.positions)]
        if run.tokens == tuple(range(first, first + len(run.tokens))) and run.tokens[-1] <= np.iinfo(symbols.dtype).max:
            into[:] = symbols + symbols.dtype.type(first)
        else:
            into[:] = np.array(run.tokens, np.int32).take(symbols)
    for position, slot in enumerate(slots):
        if slot.token is not None:
            made[:, position] = slot.token
        elif len(slot.places) > 1:
            made[:, position] = np.array(slot.tokens, np.int32).take(_choice(slot, words))
    return made


def _choice(slot: Slot, words: Words) -> NDArray[np.int64]:
    """Which of its tokens stands in a slot of several symbols, [inputs]."""
    import numpy as np

    number = np.zeros(len(next(iter(words.values()))), np.int64)
    for place in slot.places:
        number *= place.choices
        number += words[place.word][:, place.index]
    return number


@cache
def _runs(slots: tuple[Slot, ...]) -> tuple[_Run, ...]:
    """All slots of one symbol, in runs as long as they get when slots are taken in their order."""
    kinds: dict[tuple[str, tuple[int, ...]], list[tuple[int, int]]] = {}
    for position, slot in enumerate(slots):
        if len(slot.places) == 1:
            (place,) = slot.places
            kinds.setdefault((place.word, slot.tokens), []).append((position, place.index))
    runs = []
    for (word, tokens), places in kinds.items():
        while places:
            positions, indices = zip(*places[: _even(places)], strict=True)
            runs.append(_Run(word, tokens, _evenly(positions), _evenly(indices)))
            places = places[len(positions) :]
    return tuple(runs)


def _even(places: Sequence[tuple[int, int]]) -> int:
    """How many of the first places have one distance, of positions and of indices, which is not 0."""
    steps = [(after[0] - before[0], after[1] - before[1]) for before, after in pairwise(places)]
    same = takewhile(lambda step: step == steps[0] and step[1] != 0, steps)
    return 1 + len(list(same))


def _evenly(numbers: Sequence[int]) -> range:
    step = numbers[1] - numbers[0] if len(numbers) > 1 else 1
    return range(numbers[0], numbers[-1] + (1 if step > 0 else -1), step)


def _slice(numbers: range) -> slice:
    return slice(numbers.start, numbers.stop if numbers.stop >= 0 else None, numbers.step)
