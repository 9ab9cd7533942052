"""A spec of the size of hand-built interpreters: `.venv/bin/python -m benchmarks.large_spec FILE.yaml`

It has the shape of public models that interpret machine code: heads of two coordinates that look up a position or the
latest match, gated feed-forward layers, nothing trained. What its weights say has no meaning, but its tokens vary.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random

import click

from compiler.source.files import write_whole

TOKENS = 32
CODE = 8  # dimensions that tell tokens apart
POSITIONS = ("place", "square", "recent")  # what a head needs to look up a position, or the latest of several


@dataclass(frozen=True)
class Shape:
    """The sizes of a generated model; heads have two coordinates."""

    context: int = 4096
    layers: int = 7
    dimensions: int = 36
    heads: int = 18
    hidden: int = 36
    softmax: str = "hard"

    @property
    def work(self) -> int:
        """Dimensions for what is computed."""
        return self.dimensions - CODE - len(POSITIONS)


def large_spec(shape: Shape, seed: int = 0) -> str:
    """The text of a spec of this shape; a seed always gives the same."""
    return "".join(f"{line}\n" for line in _lines(shape, Random(seed)))


def prompt_ids(shape: Shape, seed: int = 0) -> list[int]:
    """Some tokens to go on from."""
    random = Random(seed)
    return [random.randrange(TOKENS) for _ in range(min(8, shape.context // 2))]


def _lines(shape: Shape, random: Random) -> Iterator[str]:
    yield from (
        "weightspec: 1",
        "name: large",
        f"summary: {shape.layers} layers of {shape.heads} heads, made by benchmarks/large_spec.py.",
        "dtype: float32",
        f"context: {shape.context}",
        f"vocabulary: token[{TOKENS}]",
        f"stream: code[{CODE}] {' '.join(POSITIONS)} work[{shape.work}]",
        f"defaults: {{heads: 'h[{shape.heads}]', head_dim: 2, scale: 1, softmax: {shape.softmax}, activation: relu}}",
        "ignore: no-claims",
        "network:",
        "  embedding:",
    )
    for token in range(TOKENS):
        code = ", ".join(f"'code[{i}]': {_number(random)}" for i in range(CODE))
        yield f"    token[{token}]: {{{code}}}"
    yield "  position: {place: pos, square: pos ** 2, recent: 1 / log(2) - 1 / log(pos + 2)}"
    for layer in range(shape.layers):
        yield from _attention(shape, layer, random)
        yield from _feed_forward(shape, layer, random)
    yield "  head:"
    for token in range(TOKENS):
        terms = (f"{_number(random)} * work[{i}]" for i in random.sample(range(shape.work), 12))
        yield f"    logits token[{token}]: {' + '.join(terms)}"
    yield "decode: argmax"


def _attention(shape: Shape, layer: int, random: Random) -> Iterator[str]:
    yield f"  attention layer{layer}:"
    if layer == 0:
        yield "    score h[0]: -(query_pos - key_pos) / 8"
    for head in range(shape.heads):
        match head % 3:
            case 0:  # the position nearest to a wanted one, as 2 · wanted · place - place² is largest there
                wanted = random.choice((f"place - {random.randint(1, 30)}", f"{random.randint(1, 15)} / 16 * place"))
                queries = (f"2 * ({wanted})", "1")
                keys = ("place", "-square")
            case 1:  # the latest of the positions that fit
                queries = (_sum(shape, random, 1), "1")
                keys = (f"{random.randint(1, 4)} * code[{random.randrange(CODE)}]", "recent")
            case _:
                queries = (_sum(shape, random, 2), _sum(shape, random, 1))
                keys = (_sum(shape, random, 2), _sum(shape, random, 1))
        values = (f"code[{random.randrange(CODE)}]", _sum(shape, random, 2))
        for kind, rows in (("query", queries), ("key", keys), ("value", values)):
            yield from (f"    {kind} h[{head}, {i}]: {row}" for i, row in enumerate(rows))
    for i in range(shape.work):
        first, second = random.sample(range(shape.heads), 2)
        yield f"    output work[{i}]: {_number(random)} * h[{first}, 0] + {_number(random)} * h[{second}, 1]"


def _feed_forward(shape: Shape, layer: int, random: Random) -> Iterator[str]:
    yield f"  ffn layer{layer}:"
    yield f"    hidden: u[{shape.hidden}]"
    for i in range(shape.hidden):
        yield f"    gate u[{i}]: {_sum(shape, random, 2)} + {_number(random)}"
        yield f"    up u[{i}]: {_sum(shape, random, 2)}"
    for i in range(shape.work):
        first, second = random.sample(range(shape.hidden), 2)
        yield f"    down work[{i}]: {_number(random)} / 8 * u[{first}] + {_number(random)} / 8 * u[{second}]"


def _sum(shape: Shape, random: Random, terms: int) -> str:
    """Numbers times dimensions that do not grow with the position."""
    names = [f"code[{i}]" for i in range(CODE)] + [f"work[{i}]" for i in range(shape.work)]
    return " + ".join(f"{_number(random)} * {name}" for name in random.sample(names, terms))


def _number(random: Random) -> str:
    """Between 1/16 and 1 in size, exact in every dtype."""
    return str(random.choice((-1, 1)) * random.randint(1, 16) / 16)


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--context", type=click.IntRange(min=2), default=Shape.context, show_default=True)
@click.option("--layers", type=click.IntRange(min=1), default=Shape.layers, show_default=True)
@click.option("--softmax", default=Shape.softmax, show_default=True)
@click.option("--seed", type=int, default=0, show_default=True)
def main(file: Path, context: int, layers: int, softmax: str, seed: int) -> None:
    """Write the spec, and print some tokens that `run --tokens` can go on from."""
    shape = Shape(context=context, layers=layers, softmax=softmax)
    try:
        write_whole(file, large_spec(shape, seed).encode())
    except OSError as error:
        raise click.UsageError(str(error)) from None
    click.echo(" ".join(f"token[{token}]" for token in prompt_ids(shape, seed)))


if __name__ == "__main__":
    main()
