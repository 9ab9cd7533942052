"""Weights that are named instead of written: `value: key`, `output: query.T`, `weight: attention.norm`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from compiler.expressions.scope import Scope
from compiler.lowering.context import Context, Shared
from compiler.network.ir import TRANSPOSE
from compiler.source.diagnostics import did_you_mean
from compiler.source.document import Node, Scalar

_PATH = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*")


@dataclass(frozen=True)
class NamedOwner:
    """A weight that is named: by the path of what stores it. `transposed`: `.T` stands behind it."""

    path: str
    transposed: bool


def named_owner(
    context: Context, value: Node, path: str, known: Mapping[str, Shared], kind: str, scope: Scope
) -> NamedOwner | None:
    """The one of `known` that a value names for the weight `path`: by full path, or short within its step or block.

    None where the value is no such name; a name with a dot that nothing has is an error, and comes back as it is.
    """
    if not isinstance(value, Scalar) or not _PATH.fullmatch(value.text):
        return None
    name = value.text.removesuffix(TRANSPOSE)
    owner = next((each for each in paths_of(name, path) if each in known), None)
    if owner is None and "." in name:
        message = f"no {kind} '{name}' before this one{did_you_mean(name, known)}"
        context.error("unknown-name", message, value.span)
        return NamedOwner(name, name != value.text)
    if owner is not None and scope.knows(name):
        hint = f"rename the dimension or number, or write the {kind}'s full path"
        context.error("name-clash", f"'{name}' is a {kind} and a name of this spec", value.span, hint)
    return None if owner is None else NamedOwner(owner, name != value.text)


def paths_of(name: str, path: str) -> tuple[str, ...]:
    """What a name can mean for the weight `path`: one of its own step, of its block, or a full path."""
    step = path.rpartition(".")[0]
    block = step.rpartition(".")[0]
    return f"{step}.{name}", f"{block}.{name}", name
