"""Weights that are named instead of written: `value: key`, `down: attention.output`, `weight: attention.norm`."""

from __future__ import annotations

import re
from collections.abc import Mapping

from compiler.expressions.scope import Scope
from compiler.lowering.context import Context, Shared
from compiler.source.diagnostics import did_you_mean
from compiler.source.document import Node, Scalar

_PATH = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*")


def named_owner(
    context: Context, value: Node, path: str, known: Mapping[str, Shared], kind: str, scope: Scope
) -> str | None:
    """The one of `known` that a value names for the weight `path`: by full path, or short within its step or block.

    None where the value is no such name; a name with a dot that nothing has is an error, and comes back as it is.
    """
    if not isinstance(value, Scalar) or not _PATH.fullmatch(value.text) or value.text.endswith(".T"):
        return None
    name = value.text
    step = path.rpartition(".")[0]
    block = step.rpartition(".")[0]
    owner = next((each for each in (f"{step}.{name}", f"{block}.{name}", name) if each in known), None)
    if owner is None and "." in name:
        message = f"no {kind} '{name}' before this one{did_you_mean(name, known)}"
        context.error("unknown-name", message, value.span)
        return name
    if owner is not None and scope.knows(name):
        hint = f"rename the dimension or number, or write the {kind}'s full path"
        context.error("name-clash", f"'{name}' is a {kind} and a name of this spec", value.span, hint)
    return owner
