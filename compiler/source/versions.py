"""What a figure can depend on beside the spec: the versions of what computes it, here and on another machine."""

from __future__ import annotations

import platform
from dataclasses import astuple, dataclass, fields
from functools import cache

from compiler.source.version import installed_version, own_code, package_version


@dataclass(frozen=True)
class Versions:
    """All versions that matter. That of `weightspec` has a digest of its code, which can change without the version."""

    weightspec: str
    python: str
    torch: str
    numpy: str


@cache
def running_versions() -> Versions:
    """Those of this process. Nothing is imported for it."""
    code = f"{installed_version() or 'not installed'}, code {own_code()[:12]}"
    python = ".".join(platform.python_version_tuple()[:2])  # within one, arithmetic stays the same
    return Versions(code, python, *(package_version(name) or "not installed" for name in ("torch", "numpy")))


def other_versions(expected: Versions) -> str | None:
    """What in this process differs from the versions that are expected, for people; None where nothing does."""
    pairs = zip(fields(expected), astuple(running_versions()), astuple(expected), strict=True)
    parts = [f"{field.name} {here} instead of {wanted}" for field, here, wanted in pairs if here != wanted]
    return ", ".join(parts) or None
