"""The token layout of a task: which token stands where in prompt and answer, for any input."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from compiler.tasks.task import Symbols, Words

if TYPE_CHECKING:  # quick commands read specs without numpy
    import numpy as np
    from numpy.typing import NDArray


def symbol_of(text: str, symbols: int) -> int | None:
    """The symbol that a text is, of so many: its number as it is printed, so not `00` or `01`."""
    is_number = text.isascii() and text.isdigit() and len(text) < 9 and text == str(int(text))
    return int(text) if is_number and int(text) < symbols else None


@dataclass(frozen=True)
class Slot:
    """One position: a fixed token, or symbol `index` of the word `word` (`token` is None then)."""

    token: int | None
    word: str = ""
    index: int = 0


@dataclass(frozen=True)
class Layout:
    """Prompt and answer as slots. Token `symbols[s]` stands for symbol s; `classes` tokens can be predicted.

    `read_at`: where the logits of each answer slot are read in the prompt, if the answer is read in place; else empty,
    and the answer follows the prompt.
    """

    prompt: tuple[Slot, ...]
    answer: tuple[Slot, ...]
    symbols: tuple[int, ...]
    classes: int
    read_at: tuple[int, ...] = ()

    @property
    def in_place(self) -> bool:
        return bool(self.read_at)

    @property
    def length(self) -> int:
        """Tokens that the model reads at most, with the last one of an answer that follows the prompt."""
        return len(self.prompt) + (0 if self.in_place else len(self.answer))

    @cached_property
    def predicted(self) -> tuple[int, ...]:
        """Which answer slots the model has to predict; the others hold tokens it cannot emit and are forced."""
        if self.in_place:
            return tuple(range(len(self.answer)))
        return tuple(i for i, slot in enumerate(self.answer) if slot.token is None or slot.token < self.classes)

    def prompt_tokens(self, words: Mapping[str, Symbols]) -> list[int]:
        return self._tokens(self.prompt, words)

    def answer_tokens(self, words: Mapping[str, Symbols]) -> list[int]:
        return self._tokens(self.answer, words)

    def _tokens(self, slots: tuple[Slot, ...], words: Mapping[str, Symbols]) -> list[int]:
        symbols = self.symbols
        return [symbols[words[slot.word][slot.index]] if slot.token is None else slot.token for slot in slots]

    def prompts(self, words: Words) -> NDArray[np.int32]:
        """The prompts [inputs, prompt] of many inputs."""
        return self._many(self.prompt, words)

    def answers(self, words: Words) -> NDArray[np.int32]:
        """The answers [inputs, answer] of many inputs."""
        return self._many(self.answer, words)

    def _many(self, slots: tuple[Slot, ...], words: Words) -> NDArray[np.int32]:
        import numpy as np

        symbols = np.array(self.symbols, np.int32)
        tokens = np.empty((len(next(iter(words.values()))), len(slots)), np.int32)
        for position, slot in enumerate(slots):
            tokens[:, position] = symbols[words[slot.word][:, slot.index]] if slot.token is None else slot.token
        return tokens

    def spell(self, tokens: Sequence[int], labels: Sequence[str]) -> list[str]:
        """Tokens for people: a symbol as its number, another token by its label, a negative id as NaN."""
        numbers = {token: str(symbol) for symbol, token in enumerate(self.symbols)}
        return [numbers.get(token, labels[token]) if token >= 0 else "NaN" for token in tokens]

    def read_answer(self, tokens: Sequence[int]) -> dict[str, Symbols] | None:
        """The answer words that answer tokens spell; None where one of them is no symbol."""
        symbol_of = {token: symbol for symbol, token in enumerate(self.symbols)}
        words: dict[str, dict[int, int]] = {}
        for slot, token in zip(self.answer, tokens, strict=True):
            if slot.token is None:
                if token not in symbol_of:
                    return None
                words.setdefault(slot.word, {})[slot.index] = symbol_of[token]
        return {name: tuple(symbols[i] for i in sorted(symbols)) for name, symbols in words.items()}
