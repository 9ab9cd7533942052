"""How long a spec is: lines of YAML, without comments and blank lines."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import yaml

from compiler.document import BYTE_ORDER_MARK
from compiler.extends import read_chain
from compiler.saved import is_saved, read_saved
from compiler.source import Source

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True)
class YamlLines:
    """Lines of the spec's own file, and those of the files that it extends."""

    own: int
    extended: int


def yaml_lines(path: Path) -> YamlLines:
    """The lines of a spec, which is read again, or of the one inside a saved model. Raises `SpecError`."""
    if is_saved(path):
        return YamlLines(count_lines(read_saved(path).source), 0)
    own, *extended = (count_lines(document.span.source) for document in read_chain(path))
    return YamlLines(own, sum(extended))


def count_lines(source: Source) -> int:
    """Lines of a valid document that say something: neither blank nor only a comment.

    A `#` inside a text of several lines is text, so that its line counts.
    """
    counted: set[int] = set()
    for token in yaml.scan(source.text.replace(BYTE_ORDER_MARK, " "), Loader=_LOADER):
        start, end = token.start_mark.index, token.end_mark.index
        if start < end:
            first, last = source.position(start)[0], source.position(end - 1)[0]
            counted.update(number for number in range(first, last + 1) if source.line(number).strip())
    return len(counted)
