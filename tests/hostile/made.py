"""Specs that ask for too much, by name: what they hold, and the command line options they are read with.

Each is a file of at most 1 MiB, unless it is to be refused for that, or several, of which the first is read.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

SPEC = """\
weightspec: 1
name: hostile
dtype: float64
ignore: no-claims unused-name
constants:
  zero: 0
{constants}
parameters:
  one: 1
{parameters}
vocabulary: {vocabulary}
task:
  addition: {{base: 2, digits: 1}}
  prompt: {prompt}
  answer: sum
stream: {stream}
{top}
network:
  embedding:
{embedding}
{network}
decode: argmax
"""


def spec(
    network: str = "",
    *,
    constants: str = "",
    parameters: str = "",
    stream: str = "x y",
    vocabulary: str = "digit[2] + =",
    prompt: str = "a + b =",
    top: str = "",
    embedding: str = "    digit[d]: {x: d}",
) -> str:
    """A small spec, which is valid unless what is given makes it something else; values come with their margins."""
    return SPEC.format(
        network=network,
        constants=constants,
        parameters=parameters,
        stream=stream,
        vocabulary=vocabulary,
        prompt=prompt,
        top=top,
        embedding=embedding,
    )


def lines(template: str, count: int) -> str:
    """The template for 0 … count - 1, one line each."""
    return "\n".join(template.replace("#", str(k)) for k in range(count))


def listed(template: str, count: int) -> str:
    return " ".join(template.replace("#", str(k)) for k in range(count))


def ffn(body: str, hidden: str = "u") -> str:
    return f"  ffn:\n    hidden: {hidden}\n{body}"


def attention(body: str, heads: str = "h") -> str:
    return f"  attention:\n    heads: {heads}\n{body}"


Made = str | bytes | dict[str, str]


@dataclass(frozen=True)
class Hostile:
    """`make` gives the text of a file, or several by name. `codes`: what it is refused for, one of them; else valid."""

    name: str
    make: Callable[[], Made]
    codes: tuple[str, ...] = ()
    settings: tuple[str, ...] = ()


def doublings(count: int, first: str, step: str) -> str:
    return "\n".join(
        [f"      a0: {first}", *(f"      a{k}: {step.replace('#', f'a{k - 1}')}" for k in range(1, count))]
    )


def matrix(rows: int, columns: int) -> str:
    return "[" + ", ".join("[" + ", ".join("1" for _ in range(columns)) + "]" for _ in range(rows)) + "]"


def sum_list(count: int) -> str:
    return "[" + ", ".join("1" for _ in range(count)) + "]"


def balanced(name: str, depth: int) -> str:
    return name if depth == 0 else f"({balanced(name, depth - 1)} + {balanced(name, depth - 1)})"
