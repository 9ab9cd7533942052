"""Faults of this program, as opposed to those of a spec: what is said of them, and what to send."""

from __future__ import annotations

import platform
import traceback
from typing import Never

from compiler.source.printable import printable
from compiler.source.version import installed_version, package_version


class ToolFault(RuntimeError):
    """Two parts of this program contradict each other, so that nothing they say is to be believed.

    The message says which, and for which input: a sentence for people.
    """


class NoRule(ToolFault):
    """A part of this program has no rule for a member of a closed set, such as a new activation.

    An engine that bounds what the torch module computes refuses such a network, by this message; elsewhere it is a
    fault, as the part would have to guess.
    """


def no_rule(what: str, kind: Never) -> NoRule:
    """What the last case of every match on a closed set raises: it names the member that has no case.

    `kind` is `Never`, so that type checking fails where a member of the set has no case before.
    """
    member: object = kind
    name = member if isinstance(member, str) else type(member).__name__
    return NoRule(f"there is no rule for the {what} '{name}'")


def fault_report(error: BaseException, command: str) -> str:
    """What to say of an error that a user cannot be blamed for: what happened, and what to send.

    `command` is the command line as it was given.
    """
    contradiction = isinstance(error, ToolFault)
    what = str(error) if contradiction else f"{type(error).__name__}: {error}"
    frames = traceback.extract_tb(error.__traceback__)
    elsewhere = str(error.__cause__ or "").strip().splitlines() if contradiction else []  # in another process
    lines = [
        f"fault of weightspec: {what}",
        "This is an error of the program, not of your spec; no verdict follows from it.",
        "Please report it, with the spec and these lines:",
        f"  command: {command}",
        f"  versions: {_versions()}",
        f"  machine: {platform.platform()}, {platform.machine()}",
        *(f"  {frame.filename}:{frame.lineno}, {frame.name}: {frame.line}" for frame in frames),
        *(f"  {line}" for line in elsewhere),
    ]
    return "\n".join(map(printable, lines))


def _versions() -> str:
    """Without importing what was not needed."""
    versions = [f"weightspec {installed_version()}", f"Python {platform.python_version()}"]
    for name in ("torch", "numpy"):
        version = package_version(name)
        versions.append(f"no {name}" if version is None else f"{name} {version}")
    return ", ".join(versions)
