"""A page as a tree, and what is wrong with its HTML: without a browser."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from itertools import pairwise
from typing import Any

VOID = {"meta", "link", "br", "hr", "img", "input", "wbr"}
WITH_ADDRESS = ("src", "href", "action", "data", "poster", "srcset", "xlink:href")


@dataclass
class Element:
    name: str
    attributes: dict[str, str] = field(default_factory=dict)
    children: list[Element | str] = field(default_factory=list)

    def __iter__(self) -> Iterator[Element]:
        """This element and all in it, in their order."""
        yield self
        for child in self.children:
            if isinstance(child, Element):
                yield from child

    def all(self, name: str, **attributes: str) -> list[Element]:
        return [one for one in self if one.name == name and attributes.items() <= one.attributes.items()]

    @property
    def text(self) -> str:
        return "".join(child if isinstance(child, str) else child.text for child in self.children)


class _Builder(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.open = [Element("document")]
        self.wrong: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        made = Element(tag, {name: value or "" for name, value in attrs})
        if len(made.attributes) < len(attrs):
            self.wrong.append(f"<{tag}> has an attribute twice")
        self.open[-1].children.append(made)
        if tag not in VOID:
            self.open.append(made)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        if self.open[-1].name == tag:
            self.open.pop()
        else:
            self.wrong.append(f"</{tag}> ends <{self.open[-1].name}>, line {self.getpos()[0]}")

    def handle_data(self, data: str) -> None:
        self.open[-1].children.append(data)


def parsed(text: str) -> Element:
    builder = _Builder()
    builder.feed(text)
    builder.close()
    assert builder.wrong == []
    assert [element.name for element in builder.open] == ["document"]
    return builder.open[0]


def page_data(document: Element) -> Any:
    """The JSON in a page."""
    (script,) = document.all("script", id="page-data")
    return json.loads(script.text)


def faults(document: Element) -> Iterator[str]:
    """What is wrong with a page."""
    ids = [element.attributes["id"] for element in document if "id" in element.attributes]
    yield from (f"id twice: {one}" for one in {*ids} if ids.count(one) > 1)
    yield from (f"an id with a blank: {one}" for one in ids if not one or " " in one)
    (html,) = document.all("html")
    if not html.attributes.get("lang"):
        yield "no lang"
    levels = [int(element.name[1]) for element in document if element.name in ("h1", "h2", "h3", "h4", "h5", "h6")]
    if levels.count(1) != 1 or levels[0] != 1:
        yield f"headings of level 1: {levels.count(1)}"
    yield from (f"h{low} before h{high}" for low, high in pairwise(levels) if high > low + 1)
    for element in document:
        if element.name == "th" and element.attributes.get("scope") not in ("row", "col"):
            yield "a th without a scope"
        if element.name in ("script", "iframe", "object", "embed", "base", "form") and "src" in element.attributes:
            yield f"<{element.name} src>"
        for name, value in element.attributes.items():
            if name.startswith("on") or name == "style":
                yield f"{name}={value!r}"
            if name in WITH_ADDRESS and not value.startswith("#"):
                yield f"an address: {value}"
            if name == "href" and value.startswith("#") and value[1:] not in ids:
                yield f"a link to nowhere: {value}"
            if name in ("aria-labelledby", "aria-describedby", "for") and not {*value.split()} <= {*ids}:
                yield f"{name} of nothing: {value}"
    for name in ("main", "header", "footer"):
        if len(document.all(name)) != 1:
            yield f"not one <{name}>"
