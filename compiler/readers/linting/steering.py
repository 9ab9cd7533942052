"""The names of a spec that do more than to enter numbers: they decide, count or pick."""

from __future__ import annotations

import re
from collections.abc import Iterator

from compiler.expressions.formulas import read_formula
from compiler.expressions.syntax import Call, Indexed, children, free_names
from compiler.expressions.syntax import ExpressionNode as Expression
from compiler.language.keys import SECTION_OF
from compiler.pipeline import Spec
from compiler.readers.linting.formulas import STRUCTURE, is_condition
from compiler.source.diagnostics import Findings
from compiler.source.document import Mapping, Node, Scalar, Sequence

_TEXTS = frozenset("name summary source extends expect ignore".split())  # noqa: SIM905 - no names are read there
_SIZES = STRUCTURE | frozenset("vocabulary context task rms layer repeat".split())  # noqa: SIM905 - and eps
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_IN_BRACKETS = re.compile(r"\[(.*?)\]")


def steering_names(spec: Spec) -> frozenset[str]:
    """The names that stand in a condition, an index, a target, a size or the eps of a norm, and what these names read.

    A number that such a name stands for does something besides what weights are computed from it.
    """
    read: dict[str, set[str]] = {}  # by definition, and by name under `let`
    todo: list[str] = []
    for path, scalar in _scalars(spec.resolved.document, ()):
        names = set(_NAME.findall(scalar.text))
        formula = None if _SIZES & {key.partition(" ")[0] for key in path} else read_formula(scalar, Findings())
        todo += names if formula is None else _steering(formula.tree)
        todo += [name for key in path for inner in _IN_BRACKETS.findall(key) for name in _NAME.findall(inner)]
        if path[-2:-1] and path[-2] in (*SECTION_OF.values(), "let"):
            read.setdefault(path[-1], set()).update(names)
    steering = set[str]()
    while todo:
        name = todo.pop()
        if name not in steering:
            steering.add(name)
            todo += read.get(name, ())
    return frozenset(steering)


def _scalars(node: Node, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Scalar]]:
    """Every value, with the keys that lead to it."""
    match node:
        case Scalar() if path:
            yield path, node
        case Sequence(items=items):
            for item in items:
                yield from _scalars(item, path)
        case Mapping(items=pairs):
            for key, value in pairs:
                if path or key.text not in _TEXTS:
                    yield from _scalars(value, (*path, key.text))


def _steering(root: Expression) -> Iterator[str]:
    todo = [root]
    while todo:
        node = todo.pop()
        if is_condition(node):
            yield from free_names(node)
        if isinstance(node, Indexed):
            yield from (name for index in node.indices for name in free_names(index))
        else:
            todo += children(node)
        if isinstance(node, Call) and node.function == "sum":
            yield from (name for size in node.arguments[2:] for name in free_names(size))
