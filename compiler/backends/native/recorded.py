"""A computation on torch tensors as a list of its calls: recorded once, repeated for other inputs.

What does not depend on the input is a constant then, what is computed twice is computed once, and what the result does
not depend on is left out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor
from torch.overrides import TorchFunctionMode


@dataclass(frozen=True, eq=False, slots=True)
class _Result:
    """That of a call, by its number; 0 is the input."""

    number: int


@dataclass(frozen=True, eq=False, slots=True)
class _Call:
    """Arguments are constants and results of earlier calls, those that it has `read`."""

    number: int
    function: Callable[..., Any]
    arguments: Any
    keywords: Any
    read: frozenset[int]


class _Recording(TorchFunctionMode):
    """The calls that depend on the input, each once."""

    def __init__(self, given: Tensor) -> None:
        super().__init__()
        self.calls: list[_Call] = []
        self.results = {id(given): _Result(0)}
        self._kept = [given]  # so that no other tensor gets its id
        self._made: dict[Any, Tensor] = {}

    def __torch_function__(
        self, func: Callable[..., Any], types: Iterable[type], args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        found, read = func(*args, **(kwargs or {})), list[int]()

        def known(x: Any) -> Any:
            result = self.results.get(id(x))
            if result is None:
                return x
            read.append(result.number)
            return result

        arguments, keywords = _mapped(known, args), _mapped(known, kwargs or {})
        if not read or not isinstance(found, Tensor):
            return found
        earlier = self._made.setdefault((func, _key(arguments), _key(keywords)), found)
        if earlier is found:
            self.calls.append(_Call(len(self._kept), func, arguments, keywords, frozenset(read)))
            self.results[id(found)] = _Result(len(self._kept))
            self._kept.append(found)
        return earlier


def _mapped(function: Callable[[Any], Any], x: Any) -> Any:
    """The same arguments, with something in place of each that is no tuple, list or dictionary."""
    kind = type(x)
    if kind is tuple:
        return tuple([_mapped(function, part) for part in x])
    if kind is list:
        return [_mapped(function, part) for part in x]
    if kind is dict:
        return {name: _mapped(function, part) for name, part in x.items()}
    return function(x)


def _key(x: Any) -> Any:
    """Equal for equal arguments only."""
    kind = type(x)
    if kind is _Result:
        return x
    if kind is tuple or kind is list:
        return kind, tuple([_key(part) for part in x])
    if kind is dict:
        return _key(tuple(x.items()))
    if isinstance(x, Tensor):
        return x.dtype, x.shape, x.cpu().numpy().tobytes()
    return kind, repr(x) if kind in (slice, float) else x


def recorded(compute: Callable[[Tensor], Tensor], given: Tensor) -> Callable[[Tensor], Tensor]:
    """The same function, for inputs that differ from `given` in their first size alone.

    It makes no other choices by numbers of its input, changes no tensor, and does not read that size.
    """
    with _Recording(given) as recording:
        result = recording.results.get(id(compute(given)))
    if result is None:
        return compute
    wanted, steps = result.number, _needed(recording.calls, result.number)

    def repeat(given: Tensor) -> Tensor:
        results = {0: given}

        def read(x: Any) -> Any:
            return results[x.number] if type(x) is _Result else x

        for call, done in steps:
            keywords = _mapped(read, call.keywords) if call.keywords else {}
            results[call.number] = call.function(*_mapped(read, call.arguments), **keywords)
            for number in done:
                del results[number]
        return results[wanted]

    return repeat


def _needed(calls: Sequence[_Call], wanted: int) -> list[tuple[_Call, frozenset[int]]]:
    """The calls that a result depends on, in order, and what is not read any more after each."""
    needed, kept = {wanted}, list[tuple[_Call, frozenset[int]]]()
    for call in reversed(calls):
        if call.number in needed:
            kept.append((call, call.read - needed))
            needed |= call.read
    return kept[::-1]
