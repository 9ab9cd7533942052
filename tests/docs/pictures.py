"""Pictures of the pages: docs/pictures, drawn by the commands of `console` blocks that write to this folder.

Two pictures are the same if they show the same: their bytes depend on the version of matplotlib, and numbers of a
trace may have other last bits on another processor.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from xml.etree import ElementTree

from tests.helpers import ROOT

FOLDER = Path("docs") / "pictures"
PICTURES = ROOT / FOLDER
CLOSE = 1e-3
_DESCRIPTION = "{http://purl.org/dc/elements/1.1/}description"


def drawn(folder: Path) -> dict[str, bytes]:
    """The pictures that commands have drawn which ran in this folder, by name."""
    return {path.name: path.read_bytes() for path in sorted((folder / FOLDER).glob("*.svg"))}


def is_stale(path: Path, data: bytes) -> bool:
    """Whether a picture is missing, or shows something else than it should."""
    return not path.exists() or not _alike(_shown(path.read_bytes()), _shown(data))


def _shown(data: bytes) -> object:
    """What an SVG of `plot` says that it shows."""
    (described,) = ElementTree.fromstring(data).iter(_DESCRIPTION)
    return json.loads(described.text or "")


def _alike(first: object, second: object) -> bool:
    """Whether two values of JSON are the same, but for the last figures of numbers."""
    match first, second:
        case dict(), dict():
            return first.keys() == second.keys() and all(_alike(first[name], second[name]) for name in first)
        case list(), list():
            return len(first) == len(second) and all(map(_alike, first, second))
        case ((int() | float()), (int() | float())):
            return math.isclose(first, second, rel_tol=CLOSE)
        case _:
            return first == second
