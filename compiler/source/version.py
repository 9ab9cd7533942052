"""The version of this package, and of its code."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

_CODE = (".py", ".h", ".yaml", ".json")  # endings of files that decide what is computed
_EXAMPLES = "examples"  # specs, which decide nothing for others; in a checkout the folder is a link


def installed_version() -> str | None:
    """The version that is installed; None where the package is run from its folder."""
    return package_version("weightspec")


@cache
def package_version(name: str) -> str | None:
    """The version of a package, which is not imported for that; None where it is not installed."""
    from importlib import metadata  # slow to import, and rarely needed

    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


@cache
def own_code() -> str:
    """The digest of this package's code: results of other code are not taken for its own, whatever version it has."""
    return digest_of_code(Path(__file__).parents[1])


def digest_of_code(folder: Path) -> str:
    """The SHA-256 of the code in a folder, with the names of its files."""
    digest = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.suffix in _CODE):
        name = path.relative_to(folder)
        if name.parts[0] != _EXAMPLES:
            digest.update(f"{name.as_posix()}\0".encode())
            digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()
