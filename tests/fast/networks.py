"""Small networks made at random, as YAML: any steps and options, with weights of any size."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

from compiler.network.ir import ACTIVATIONS

DTYPES = ("float64", "float32", "bfloat16", "float16")
LARGEST = {"float64": 300, "float32": 37, "bfloat16": 37, "float16": 4}  # decimal exponents
SMALLEST = {"float64": -322, "float32": -44, "bfloat16": -40, "float16": -7}

Number = Callable[[Random, str], float]


def _gauss(random: Random, dtype: str) -> float:
    return random.gauss(0, 1)


def _small_integer(random: Random, dtype: str) -> float:
    return float(random.choice((-3, -2, -1, -1, 0, 0, 1, 1, 2, 3, 10)))


def _power(random: Random, dtype: str) -> float:
    return math.ldexp(random.choice((-1, 1)), random.randint(-6, 6))


def _near_one(random: Random, dtype: str) -> float:
    precision = {"float64": 52, "float32": 23, "bfloat16": 7, "float16": 10}[dtype]
    return random.choice((-1, 1)) * (1 + random.choice((-1, 0, 0, 1, 2)) * 2.0**-precision)


def _wide(random: Random, dtype: str) -> float:
    return random.gauss(0, 1) * _ten_to(random.uniform(-6, 3 if dtype == "float16" else 6))


def _tiny(random: Random, dtype: str) -> float:
    """Down to what is lost, with now and then a number that brings it back."""
    if random.random() < 0.2:
        return _ten_to(random.uniform(0, LARGEST[dtype] / 2))
    return random.choice((-1, 1)) * _ten_to(random.uniform(SMALLEST[dtype], 0))


def _huge(random: Random, dtype: str) -> float:
    return random.choice((-1, 1)) * _ten_to(random.uniform(-1, LARGEST[dtype] * random.choice((0.2, 0.4, 1))))


def _ten_to(exponent: float) -> float:
    return math.pow(10.0, exponent)


def _sharp(random: Random, dtype: str) -> float:
    return random.choice((0.0, 1.0, -1.0, 30.0, -30.0, 100.0))


STYLES: tuple[Number, ...] = (
    _gauss,
    _gauss,
    _gauss,
    _small_integer,
    _small_integer,
    _power,
    _near_one,
    _wide,
    _tiny,
    _huge,
    _sharp,
)


@dataclass
class Maker:
    """One network on its way."""

    random: Random
    dtype: str
    style: Number
    stream: int
    sparse: float
    steps: list[str] = field(default_factory=list)
    repeatable: list[str] = field(default_factory=list)
    streams: list[str] = field(default_factory=list)
    parameters: list[str] = field(default_factory=list)
    factor: str = ""

    def number(self) -> str:
        random = self.random
        if random.random() < 0.05:
            return (
                random.choice(("1e-30", "1e4", "0.1", "2 ** -20", "1 / 3")) if self.dtype != "float16" else "2 ** -20"
            )
        return repr(self.style(random, self.dtype))

    def chance(self, share: float) -> bool:
        return self.random.random() < share

    def affine(self, names: list[str], bias: float = 0.3) -> str:
        terms = [f"({self.number()}) * {name}" for name in names if not self.chance(self.sparse)]
        if self.chance(bias):
            terms.append(f"({self.number()})")
        return " + ".join(terms) or f"0 * {names[0]}"

    def matrix(self, rows: int, columns: int) -> str:
        """The name of a parameter, or a product of two."""
        if self.chance(0.2):
            rank = self.random.randint(1, 2)
            return f"{self._parameter(rows, rank)} @ {self._parameter(rank, columns)}"
        return self._parameter(rows, columns)

    def _parameter(self, rows: int, columns: int) -> str:
        name = f"m{len(self.parameters)}"
        cells = [
            ", ".join("0" if self.chance(self.sparse) else self.number() for _ in range(columns)) for _ in range(rows)
        ]
        self.parameters.append(f"  {name}: [{', '.join(f'[{row}]' for row in cells)}]")
        return name

    def add(self, *lines: str) -> None:
        self.steps += [f"  {line}" for line in lines]

    def map(self, kind: str, targets: list[str], sources: list[str], bias: float = 0.3) -> None:
        """A matrix, one row for all, or a row for some of the targets."""
        which = self.random.random()
        if which < 0.25:
            self.add(f"  {kind}: {self.matrix(len(targets), len(sources))}")
        elif which < 0.35 and kind not in ("down", "output"):
            self.add(f"  {kind}: {self.affine(sources, bias)}")
        else:
            chosen = [target for target in targets if not self.chance(0.15)] or targets[:1]
            for target in chosen:
                self.add(f"  {kind} {target}: {self.affine(sources, bias)}")

    def dimensions(self) -> list[str]:
        return [f"s[{i}]" for i in range(self.stream)]

    def norm(self, size: int) -> str:
        epsilon = self.random.choice(("1e-6", "1e-6", "1e-5", "0.1", "1", "1e-12", "1e-8", "1e-30", "1e-50", "0"))
        if self.chance(0.6) or self.dtype == "float16":
            epsilon = self.random.choice(("1e-3", "0.01", "1e-4", "1"))
        weight = f", weight: [{', '.join(self.number() for _ in range(size))}]" if self.chance(0.4) else ""
        bias = f", bias: [{', '.join(self.number() for _ in range(size))}]" if self.chance(0.25) else ""
        return f"{{{self.random.choice(('rms', 'rms', 'layer'))}: {epsilon}{weight}{bias}}}"


def random_network(random: Random, dtype: str | None = None) -> str:
    """The text of a spec. Not every one is valid, and not every valid one can be followed."""
    dtype = dtype or random.choice(DTYPES)
    maker = Maker(random, dtype, random.choice(STYLES), random.randint(1, 4), random.choice((0, 0.2, 0.5)))
    task, tokens, symbols = _task(random)
    first_stream = maker.stream
    if maker.chance(0.3):
        maker.add(f"embedding: {maker.matrix(len(tokens), maker.stream)}")
    else:
        maker.add("embedding:")
        for token in tokens:
            cells = [f'"s[{i}]": {maker.number()}' for i in range(maker.stream) if not maker.chance(maker.sparse)]
            maker.add(f"  {token}: {{{', '.join(cells)}}}")
    maker.streams.append("embedding")
    for i in range(random.choice((1, 2, 2, 3, 3, 4))):
        random.choice((_attention, _attention, _attention, _feed_forward, _feed_forward, _other, _other))(
            maker, f"b{i}"
        )
    if maker.chance(0.6) or maker.stream > len(tokens):
        _head(maker, tokens, symbols, tied=maker.stream == first_stream)
    parameters = ["parameters:", *maker.parameters] if maker.parameters else []
    lines = ["weightspec: 1", "name: random", f"dtype: {dtype}", *parameters, *task]
    lines += [f"stream: s[{first_stream}]", "network:", *maker.steps]
    return "\n".join([*lines, f"decode: {random.choice(('argmax', 'argmin'))}", ""])


def _task(random: Random) -> tuple[list[str], list[str], int]:
    """The lines of a task and a vocabulary, its tokens, and how many are symbols."""
    symbols = random.randint(2, 4)
    if random.random() < 0.7:
        tokens = [*(f"digit[{i}]" for i in range(symbols)), "+", "="]
        sizes = f"addition: {{base: {symbols}, digits: {random.choice((1, 1, 2))}}}"
        prompt = random.choice(("a + b =", "a b =", "a + b", "= a b"))
        answer = random.choice(("sum", "sum", "sum =", "+ sum"))
        vocabulary = "digit[base] + ="
    else:
        tokens = [*(f"symbol[{i}]" for i in range(symbols)), "="]
        sizes = f"{random.choice(('copy', 'reverse'))}: {{symbols: {symbols}, length: {random.randint(1, 4)}}}"
        name = "copied" if sizes.startswith("copy") else "reversed"
        prompt = random.choice(("word", "word =", "= word"))
        answer = random.choice((name, "{in_place: word}"))
        vocabulary = "symbol[symbols] ="
    lines = [f"vocabulary: {vocabulary}", "task:", f"  {sizes}", f"  prompt: {prompt}", f"  answer: {answer}"]
    return lines, tokens, symbols


def _attention(maker: Maker, name: str) -> None:
    random, dimensions = maker.random, maker.dimensions()
    rope = maker.chance(0.4)
    heads, head_dim = random.randint(1, 3), random.choice((2, 4)) if rope else random.choice((1, 1, 2, 3))
    kv_heads = random.choice([n for n in range(1, heads + 1) if heads % n == 0])
    value_dim = random.choice((head_dim, 1, 2))
    output = random.choice(("map", "map", "map", "identity", "broadcast"))
    if output == "identity":
        heads = kv_heads = maker.stream
        head_dim, value_dim, rope = random.choice((1, 2)), 1, False
    if output == "broadcast":
        heads, kv_heads, value_dim = 1, 1, 1
    softmax = random.choice(("standard", "standard", "standard", "plus_one", "hard"))
    plus_one = softmax == "plus_one"
    maker.add(f"attention {name}:", f"  heads: h[{heads}]", f"  head_dim: {head_dim}", f"  value_dim: {value_dim}")
    if kv_heads != heads:
        maker.add(f"  kv_heads: k[{kv_heads}]")
    shared = "k" if kv_heads != heads else "h"
    maker.add(f"  softmax: {softmax}")
    if softmax == "hard" and maker.chance(0.8):
        maker.add(f"  ties: {random.choice(('share', 'earliest', 'latest'))}")
    if maker.chance(0.3):
        maker.add(f"  norm: {maker.norm(maker.stream)}")
    if maker.chance(0.2):
        maker.add(f"  qk_norm: {maker.norm(head_dim)}")
    if rope:
        frequency = random.choice(("1", "0.3 / (pair + 1)", "100", "2 * pi / 7", "1e4", "3e4", "1e-3"))
        maker.add(f"  rope: {{frequency: {frequency}, pairs: {random.choice(('adjacent', 'halves'))}}}")
    if maker.chance(0.4):
        scale = random.choice(("2", "0.3", "{divide: 3}", "2 ** -3", "{divide: 0.25}", "40", "-1", "{divide: sqrt(7)}"))
        maker.add(f"  scale: {scale}")
    masks = ("causal", "causal", "causal", "{window: 2}", "none", "-100", "-1e4", "0.5")
    maker.add(f"  mask: {random.choice(masks)}")
    for head in range(heads):
        if maker.chance(0.4):
            maker.add(f"  score h[{head}]: {_score(maker, plus_one)}")
    _map_of_heads(maker, "query", "h", heads, head_dim)
    _map_of_heads(maker, "key", shared, kv_heads, head_dim)
    _map_of_heads(maker, "value", shared, kv_heads, value_dim)
    if output != "map":
        maker.add(f"  output: {output}")
    else:
        maker.map("output", dimensions, _coordinates("h", heads, value_dim))
    _after(maker)
    _done(maker, name, "attention")


def _after(maker: Maker) -> None:
    """Now and then the stream is replaced, and normed."""
    if maker.chance(0.15):
        maker.add("  residual: none")
    if maker.chance(0.15):
        maker.add(f"  post_norm: {maker.norm(maker.stream)}")


def _coordinates(name: str, heads: int, coordinates: int) -> list[str]:
    if coordinates == 1:
        return [f"{name}[{i}]" for i in range(heads)]
    return [f"{name}[{i}, {c}]" for i in range(heads) for c in range(coordinates)]


def _map_of_heads(maker: Maker, kind: str, name: str, heads: int, coordinates: int) -> None:
    if kind == "value" or not maker.chance(0.2):
        maker.map(kind, _coordinates(name, heads, coordinates), maker.dimensions())


def _score(maker: Maker, plus_one: bool) -> str:
    random = maker.random
    number, other = (str(round(random.uniform(-20, 20), 2)) for _ in range(2))
    forms = [
        f"({number}) * (query_pos - key_pos)",
        f"where(key_pos == 0, {number}, -inf)",
        f"where(key_pos <= 1, {number}, key_pos == query_pos, {other}, -inf)",
        "where(key_pos == query_pos, 0, -inf)",
        f"where(key_pos % 2 == query_pos % 2, {number}, -inf)",
        f"{number} * key_pos / 7",
        f"where(key_pos == 1, {number}, {other})",
        "0.1",
        f"({number}) * (key_pos + 1) / time",
        f"where(key_pos >= time - 2, {number}, key_pos == 0, {other}, -inf)",
    ]
    if plus_one:
        forms += [f"where(key_pos == 2, {number}, -inf)", "-inf", "where(query_pos == 1, 80, 0)", "10.05", "700"]
    return random.choice(forms)


def _feed_forward(maker: Maker, name: str) -> None:
    random, dimensions = maker.random, maker.dimensions()
    hidden = random.randint(1, 4)
    maker.add(f"ffn {name}:", f"  hidden: u[{hidden}]", f"  activation: {random.choice(ACTIVATIONS)}")
    if maker.chance(0.3):
        maker.add(f"  norm: {maker.norm(maker.stream)}")
    units = [f"u[{i}]" for i in range(hidden)]
    if maker.chance(0.4):
        maker.map("gate", units, dimensions)
    maker.map("up", units, dimensions)
    if changes := maker.chance(0.15):
        maker.stream = random.randint(1, 5)
    maker.map("down", maker.dimensions(), units)
    _after(maker)
    if changes:
        maker.add(f"  stream: s[{maker.stream}]")
        maker.streams.clear()
        maker.repeatable.clear()
        maker.streams.append(f"{name}.ffn")
    else:
        _done(maker, name, "ffn")


def _other(maker: Maker, name: str) -> None:
    random = maker.random
    kind = random.choice(("norm", "scale", "position", "table", "repeat", "repeat", "mix", "mix"))
    if kind == "norm":
        maker.add(f"norm {name}: {maker.norm(maker.stream)}")
    elif kind == "scale":
        maker.add(f"scale {name}: [{', '.join(maker.number() for _ in range(maker.stream))}]")
    elif kind == "position":
        maker.add(f"position {name}:")
        for dimension in maker.dimensions():
            forms = [*_positions(maker), *(("pos / time", "1 / time") if maker.chance(0.2) else ())]
            maker.add(f"  {dimension}: {random.choice(forms)}")
    elif kind == "table" and maker.chance(0.5):
        rows = (f"    {dimension}: {random.choice(_positions(maker))}" for dimension in maker.dimensions())
        maker.add(f"position {name}:", "  table:", *rows)
    elif kind == "table":
        maker.add(f"position {name}:", f"  table: {maker._parameter(16, maker.stream)}")
    elif kind == "repeat" and maker.repeatable:
        steps = [random.choice(maker.repeatable) for _ in range(random.randint(1, 3))]
        times = random.choice(("1", "1", "2", "3", "0", "time // 2"))
        maker.add(f"repeat {name}: {{steps: {' '.join(steps)}, times: {times}}}")
        maker.repeatable.append(f"{name}.repeat")
    elif kind == "mix" and len(maker.streams) > 1:
        first, second = random.sample(maker.streams, 2)
        one, two = (random.choice(("0.5", "3", "-0.1", "7")) for _ in range(2))
        maker.add(f"mix {name}: {one} * {first} {random.choice('+-')} {second} / {two}")
    else:
        return
    if kind not in ("repeat", "mix"):
        _done(maker, name, "position" if kind == "table" else kind)


def _positions(maker: Maker) -> tuple[str, ...]:
    return "sin(pos / 3)", "where(pos == 2, 1, 0)", f"({maker.number()}) * pos", "1 / (pos + 1)"


def _done(maker: Maker, block: str, kind: str) -> None:
    maker.repeatable.append(f"{block}.{kind}")
    maker.streams.append(f"{block}.{kind}")


def _head(maker: Maker, tokens: list[str], symbols: int, *, tied: bool) -> None:
    random = maker.random
    maker.add("head:")
    if maker.chance(0.3):
        maker.add(f"  norm: {maker.norm(maker.stream)}")
    if tied and maker.chance(0.25):
        maker.add("  logits: embedding")
        return
    classes = random.choice((len(tokens), symbols, symbols, 1))
    if classes != len(tokens):
        maker.add(f"  classes: {classes}")
    if maker.chance(0.25):  # they have a large term in common
        common = f"({random.choice((1, 10, 100))} * {maker.number()}) * s[0] + "
        for token in tokens[:classes]:
            maker.add(f"  logits {token}: {common}{maker.affine(maker.dimensions(), 0.7)}")
        return
    maker.map("logits", tokens[:classes], maker.dimensions())
