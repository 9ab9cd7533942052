"""What a sweep is about: specs, the values of each name, and the points that are their product."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Sequence
from collections.abc import Mapping as AnyMapping
from dataclasses import dataclass
from pathlib import Path

from compiler.language.overrides import KeyPath, as_settings, override, setting_place
from compiler.pipeline import read_spec
from compiler.source.diagnostics import Findings, SpecError, fail, raise_errors
from compiler.source.document import Mapping
from compiler.source.extends import Chain, merged_chain
from compiler.source.schema import top_level_keys
from compiler.source.text import Source, Span
from compiler.source.writing import write_document
from compiler.sweeps.values import AxisValues, axis_values, listed_values

Axes = AnyMapping[str, object] | Iterable[str]
MAX_POINTS = 100_000  # without being told that it may be so many: these take hours
_COUNTABLE = 10**30  # points whose number is printed


@dataclass(frozen=True)
class SweptSpec:
    """A spec as it was read: its texts, and the mapping that they are together."""

    path: Path
    sources: tuple[Source, ...]
    document: Mapping

    def variant_text(self, settings: Sequence[str]) -> str:
        """A variant as one text that needs no other file, without claims, which are not about it.

        Where a setting cannot be applied, the spec's own text and the settings.
        """
        try:
            varied = override(self.document, settings, top_level_keys())
        except SpecError:
            return "\n".join([write_document(self.document), *settings])
        return write_document(varied.without("expect") if settings else varied)


def swept_spec(path: Path, chain: Chain) -> SweptSpec:
    """A spec as it was read. Raises `SpecError` where its texts do not go together."""
    return SweptSpec(path, chain.sources, merged_chain(chain.documents))


@dataclass(frozen=True)
class SweepAxis:
    """A name that is set, and its values."""

    name: str
    values: AxisValues


@dataclass(frozen=True)
class SweepPoint:
    """One variant of one spec: for each name the value that it is set to. `number` counts the points from 0."""

    number: int
    spec: SweptSpec
    values: AnyMapping[str, str]

    @property
    def settings(self) -> tuple[str, ...]:
        """As `--set` takes them."""
        return tuple(f"{name}={value}" for name, value in self.values.items())

    @property
    def title(self) -> str:
        """For people: `tiny95.yaml base=2 digits=3`."""
        return " ".join([str(self.spec.path), *self.settings])


@dataclass(frozen=True)
class SweepPlan:
    """All points: for each spec the product of the axes, the last of which changes fastest.

    `chosen` are the numbers of the points that are wanted, rising; None for all.
    """

    specs: tuple[SweptSpec, ...]
    axes: tuple[SweepAxis, ...]
    chosen: tuple[int, ...] | None = None

    @property
    def product(self) -> int:
        """How many points there are in all."""
        product = len(self.specs)
        for axis in self.axes:
            product *= axis.values.size
        return product

    @property
    def size(self) -> int:
        """How many points are wanted."""
        return self.product if self.chosen is None else len(self.chosen)

    def point(self, number: int) -> SweepPoint:
        """The point of a number from 0 to `product - 1`."""
        rest, values = number, {}
        for axis in reversed(self.axes):
            rest, index = divmod(rest, axis.values.size)
            values[axis.name] = axis.values.value(index)
        return SweepPoint(number, self.specs[rest], dict(reversed(values.items())))

    def points(self) -> Iterator[SweepPoint]:
        """The points that are wanted, one after the other."""
        return map(self.point, range(self.product) if self.chosen is None else self.chosen)


def sweep_plan(
    paths: Sequence[str | Path], axes: Axes, *, sample: int | None = None, seed: int = 0, large: bool = False
) -> SweepPlan:
    """Read specs, and check what is set in them, before anything is computed.

    `axes`: texts `name=values` in the grammar of `compiler.sweeps.values`, or `{name: values}`, where the values are
    such a text or a sequence of values. `sample`: only so many points, drawn with the seed; a larger sample has all
    points of a smaller one. Raises `SpecError`: for a spec that cannot be read, a name that one of the specs does not
    have or that is set twice, a value that is no YAML, no values, and more than `MAX_POINTS` points unless `large`.
    """
    if not paths:
        raise fail("bad-value", "there is no spec to vary")
    specs = tuple(map(_read, paths))
    made = _read_axes(specs[0], axes)
    for spec in specs:
        _check_values(spec, made)
    plan = SweepPlan(specs, made)
    if sample is not None and sample < 1:
        raise fail("bad-value", f"a sample has at least one point, not {sample}")
    wanted = plan.product if sample is None else min(sample, plan.product)
    if wanted > MAX_POINTS and not large:
        hint = "take longer steps, or --sample N of them; --yes computes them all"
        many = f"{wanted:,}" if wanted < _COUNTABLE else "a great many"
        raise fail("too-large", f"these are {many} points, more than {MAX_POINTS:,}", hint=hint)
    if wanted == plan.product:
        return plan
    return SweepPlan(specs, made, _drawn(plan.product, wanted, seed))


def _read(path: str | Path) -> SweptSpec:
    return swept_spec(Path(path), read_spec(path))


def _read_axes(spec: SweptSpec, axes: Axes) -> tuple[SweepAxis, ...]:
    """Raises `SpecError` with what is wrong in each of them."""
    if isinstance(axes, AnyMapping):
        return tuple(_axis_of_values(spec, name, values) for name, values in axes.items())
    findings, made = Findings(), []
    for text in axes:
        try:
            made.append(_axis(spec, text))
        except SpecError as error:
            findings.report(*error.diagnostics)
    raise_errors(findings)
    return tuple(made)


def _axis(spec: SweptSpec, text: str) -> SweepAxis:
    source = Source("--set", text, layer=-1)
    start, _ = setting_place(spec.document, source, top_level_keys())
    return SweepAxis(text[: start - 1].strip(), axis_values(source, start))


def _axis_of_values(spec: SweptSpec, name: str, values: object) -> SweepAxis:
    """The values of Python: a text in the grammar, a sequence, or a single value."""
    if isinstance(values, str):
        return _axis(spec, f"{name}={values}")
    several = list(values) if isinstance(values, Iterable) and not isinstance(values, AnyMapping) else [values]
    if not several:
        raise fail("empty-range", f"there are no values of '{name}'")
    return SweepAxis(name, listed_values(as_settings({name: value})[0][len(name) + 1 :] for value in several))


def _check_values(spec: SweptSpec, axes: Sequence[SweepAxis]) -> None:
    """Apply each value that is no number of a range, after the first values of the names before it.

    Raises `SpecError` with all that cannot be applied, and for a name that is set twice.
    """
    findings, known, document = Findings(), top_level_keys(), spec.document
    paths: set[KeyPath] = set()
    for axis in axes:
        first = axis.values.value(0)
        for value in dict.fromkeys((first, *axis.values.listed)):
            try:
                varied = override(document, [f"{axis.name}={value}"], known)
            except SpecError as error:
                findings.report(*error.diagnostics)
                break
            if value == first:
                following = varied
        else:
            source = Source("--set", f"{axis.name}={first}", layer=-1)
            start, path = setting_place(document, source, known)
            if path in paths:
                message = f"'{axis.name}' is set twice"
                raise fail("set-twice", message, Span(source, 0, start - 1), "list all values once: a=1,2,3")
            paths.add(path)
            document = following
    raise_errors(findings)


def _drawn(product: int, wanted: int, seed: int) -> tuple[int, ...]:
    """So many different numbers below the product. The first ones do not depend on how many are wanted."""
    generator, drawn = random.Random(seed), set[int]()
    while len(drawn) < wanted:
        drawn.add(generator.randrange(product))
    return tuple(sorted(drawn))
