"""The version of this package."""

from __future__ import annotations


def installed_version() -> str | None:
    """The version that is installed; None where the package is run from its folder."""
    from importlib import metadata  # slow to import, and rarely needed

    try:
        return metadata.version("weightspec")
    except metadata.PackageNotFoundError:
        return None
