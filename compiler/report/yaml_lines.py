"""How long a spec is: lines of YAML, without comments and blank lines."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import yaml

from compiler.source.document import BYTE_ORDER_MARK
from compiler.source.text import Source

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True)
class YamlLines:
    """Lines of the spec's own file, and those of the files that it extends."""

    own: int
    extended: int


def yaml_lines(sources: Iterable[Source]) -> YamlLines:
    """The lines of a spec in its sources: the first is its own, the others are extended."""
    own, *extended = map(count_lines, sources)
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
