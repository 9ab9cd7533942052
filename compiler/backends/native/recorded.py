"""A computation on torch tensors as a list of its calls: recorded once, repeated for other inputs.

What does not depend on the input is a constant then, what is computed twice is computed once, and what the result does
not depend on is left out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from torch import Tensor
from torch.overrides import TorchFunctionMode


@dataclass(frozen=True)
class _Result:
    """That of a call, by its number; 0 is the input."""

    number: int


@dataclass(frozen=True)
class _Call:
    """Arguments are constants and results of earlier calls. What is `done` after it is not read any more."""

    number: int
    function: Callable[..., Any]
    arguments: Any
    keywords: Any
    done: tuple[int, ...] = ()

    @property
    def read(self) -> set[int]:
        """The results that it reads, by their numbers."""
        return {leaf.number for leaf in _leaves((self.arguments, self.keywords)) if isinstance(leaf, _Result)}


class _Recording(TorchFunctionMode):
    """The calls that depend on the input, each once."""

    def __init__(self, given: Tensor) -> None:
        super().__init__()
        self.calls: list[_Call] = []
        self.results = [given]
        self.numbers = {id(given): 0}
        self._made: dict[Any, Tensor] = {}

    def __torch_function__(
        self, func: Callable[..., Any], types: Iterable[type], args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        found = func(*args, **(kwargs or {}))
        call = _Call(len(self.results), func, self._with_results(args), self._with_results(kwargs or {}))
        if not isinstance(found, Tensor) or not call.read:
            return found
        known = self._made.setdefault((func, _key(call.arguments), _key(call.keywords)), found)
        if known is found:
            self.calls.append(call)
            self.results.append(found)
            self.numbers[id(found)] = call.number
        return known

    def _with_results(self, x: Any) -> Any:
        return _mapped(lambda leaf: _Result(self.numbers[id(leaf)]) if id(leaf) in self.numbers else leaf, x)


def _mapped(function: Callable[[Any], Any], x: Any) -> Any:
    """The same arguments, with something in place of each that is no tuple, list or dictionary."""
    if isinstance(x, tuple):
        return tuple(_mapped(function, part) for part in x)
    if isinstance(x, list):
        return [_mapped(function, part) for part in x]
    if isinstance(x, dict):
        return {name: _mapped(function, part) for name, part in x.items()}
    return function(x)


def _key(x: Any) -> Any:
    """Equal for equal arguments only."""
    if isinstance(x, tuple | list):
        return type(x), tuple(map(_key, x))
    if isinstance(x, dict):
        return _key(tuple(x.items()))
    if isinstance(x, Tensor):
        return x.dtype, x.shape, x.cpu().numpy().tobytes()
    return type(x), repr(x) if isinstance(x, slice | float) else x


def _leaves(x: Any) -> list[Any]:
    leaves: list[Any] = []
    _mapped(leaves.append, x)
    return leaves


def recorded(compute: Callable[[Tensor], Tensor], given: Tensor) -> Callable[[Tensor], Tensor]:
    """The same function, for inputs that differ from `given` in their first size alone.

    It makes no other choices by numbers of its input, changes no tensor, and does not read that size.
    """
    with _Recording(given) as recording:
        result = compute(given)
    if id(result) not in recording.numbers:
        return compute
    wanted = recording.numbers[id(result)]
    calls = _needed(recording.calls, wanted)

    def repeat(given: Tensor) -> Tensor:
        results = {0: given}

        def read(x: Any) -> Any:
            return results[x.number] if isinstance(x, _Result) else x

        for call in calls:
            arguments, keywords = _mapped(read, call.arguments), _mapped(read, call.keywords)
            results[call.number] = call.function(*arguments, **keywords)
            for number in call.done:
                del results[number]
        return results[wanted]

    return repeat


def _needed(calls: Sequence[_Call], wanted: int) -> list[_Call]:
    """The calls that a result depends on, in order."""
    needed, kept = {wanted}, list[_Call]()
    for call in reversed(calls):
        if call.number in needed:
            kept.append(replace(call, done=tuple(call.read - needed)))
            needed |= call.read
    return kept[::-1]
