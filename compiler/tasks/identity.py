"""Whether two specs ask the same: a hash of what their tasks say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from hashlib import sha256

from compiler.expressions.formulas import Formula
from compiler.tasks.stated import Task

_BESIDE = {"alphabets", "constants"}  # token ids are of the vocabulary; of constants those that formulas read


def identity(tasks: Sequence[Task]) -> str:
    """A hash of what is asked in each choice of sizes: which inputs there are, what is right, and which suites."""
    return sha256(repr([_said(task) for task in tasks]).encode()).hexdigest()


def _said(task: Task) -> object:
    read = _names(task)
    constants = {name: value for name, value in task.statement.constants.items() if name in read}
    spelling = {name: alphabet.spelling for name, alphabet in task.alphabets.items()}
    return _plain(task), sorted(constants.items()), sorted(spelling.items())


def _plain(value: object) -> object:
    """Values that are written alike wherever they say the same; a formula is its text."""
    if isinstance(value, Formula):
        return value.text
    if is_dataclass(value) and not isinstance(value, type):
        return [(one.name, _plain(getattr(value, one.name))) for one in fields(value) if one.name not in _BESIDE]
    if isinstance(value, Mapping):
        return sorted((key, _plain(item)) for key, item in value.items())
    if isinstance(value, (tuple, list)):
        return [_plain(item) for item in value]
    return sorted(value) if isinstance(value, frozenset) else value


def _names(value: object) -> set[str]:
    """The names that all formulas of a value mention."""
    if isinstance(value, Formula):
        return set(value.names)
    if is_dataclass(value) and not isinstance(value, type):
        return set().union(*(_names(getattr(value, one.name)) for one in fields(value)))
    if isinstance(value, Mapping):
        return set().union(*map(_names, value.values()))
    return set().union(*map(_names, value)) if isinstance(value, (tuple, list)) else set()
