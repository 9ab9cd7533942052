"""What the lowering of every step shares: the resolved spec, the findings, options with defaults, known maps."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Mapping as AnyMapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TypeVar

from compiler.expressions.axes import Axis
from compiler.expressions.formulas import Compute, Formula, Word, read_formula, value_at
from compiler.expressions.naming import axis_names, words
from compiler.expressions.parse import WORDS
from compiler.expressions.positions import RESERVED
from compiler.expressions.scope import Let, Lets, Scope
from compiler.expressions.syntax import free_names
from compiler.expressions.targets import bare_indices
from compiler.expressions.values import DimensionFamily
from compiler.language.resolve import Resolved
from compiler.network.ir import Equation, Map, Tensor
from compiler.source.diagnostics import Diagnostic, Findings, Note, nearest
from compiler.source.document import Mapping, Node, Scalar, written_text
from compiler.source.limits import MAX_SUGGESTIONS
from compiler.source.text import Span

T = TypeVar("T")
BIAS = "bias"  # what the equations of a bias that stands apart from its map begin with


@dataclass(frozen=True)
class Line:
    """`MAP TARGET: value` in a step; a bare map has no target."""

    key: Scalar
    target: Word | None
    value: Node

    @cached_property
    def equation(self) -> Equation:
        return Equation(written_text(self.key), written_text(self.value), self.key.span)


class StepSkipped(Exception):
    """A step whose axes are not known, which was reported. Without a `stream_after` the later steps are skipped too."""

    def __init__(self, stream_after: Axis | None) -> None:
        super().__init__()
        self.stream_after = stream_after


@dataclass(frozen=True)
class Shared:
    """A weight that others can be tied to: what stores it, and the map that runs before it, if it is of low rank."""

    owner: str
    weight: Tensor
    inner: Map | None = None


@dataclass(frozen=True)
class Context:
    """`shared` holds the weights of all maps lowered so far, by path, and `vectors` those of norms and scales; `whole`
    holds those that are one parameter as a whole, by its name and shape. `transposes` are the weights that were read as
    their transpose, both ways, by what is read. `lets` are the sub-expressions that the step at hand names.
    `superseded` are the equations that another one in a variant replaces. `similar` are definitions with almost the
    name of an index.
    """

    resolved: Resolved
    findings: Findings
    shared: dict[str, Shared] = field(default_factory=dict)
    vectors: dict[str, Shared] = field(default_factory=dict)
    whole: dict[tuple[str, tuple[int, ...]], Shared] = field(default_factory=dict)
    transposes: dict[str, Tensor] = field(default_factory=dict)
    superseded: list[Span] = field(default_factory=list)
    similar: dict[str, str | None] = field(default_factory=dict)
    lets: Lets = field(default_factory=Lets)
    let_places: AnyMapping[str, Span] = field(default_factory=dict)

    @cached_property
    def scope(self) -> Scope:
        """Constants, parameters, sizes and the step's own names; no dimensions."""
        return replace(self.resolved.scope, lets=self.lets)

    def within(self, step: Mapping) -> Context:
        """The context for one step, which knows what the step names under `let`."""
        node = step.get("let")
        if not isinstance(node, Mapping):
            return self
        lets: dict[str, tuple[int, Let]] = {}
        for key, value in node.items:
            if key.text in self.resolved.definitions:
                definition = self.resolved.definitions[key.text]
                note = Note(f"the {definition.noun} of that name", definition.span)
                message = f"'{key.text}' already has a meaning"
                self.error("name-clash", message, key.span, None, note)
            elif key.text in RESERVED or key.text in WORDS:
                self.error("name-clash", f"'{key.text}' already has a meaning", key.span)
            formula = read_formula(value, self.findings)
            if formula is not None:
                self.scope.work.read |= formula.names
                order = len(lets)
                lets[key.text] = order, Let(formula.tree, formula.place, Lets(lets, order))
        spans = {key.text: key.span for key, _ in node.items}
        return replace(self, lets=Lets(lets, len(lets)), let_places=spans)

    def error(self, code: str, message: str, span: Span, hint: str | None = None, *notes: Note) -> None:
        self.findings.report(Diagnostic(code, message, span, hint, notes))

    def warn(self, code: str, message: str, span: Span, hint: str | None = None) -> None:
        self.findings.report(Diagnostic(code, message, span, hint, severity="warning"))

    def value(self, node: Node | None, compute: Compute[T]) -> T | None:
        """What `compute` makes of the formula at a node, which reads no dimensions; None where there is none."""
        return value_at(node, self.scope, compute, self.findings)

    def option(self, step: Mapping, name: str) -> Node | None:
        """A step's own value, else the default of all steps; `none` is no value."""
        value = self.written(step, name)
        return None if isinstance(value, Scalar) and value.text == "none" else value

    def word(self, step: Mapping, name: str, otherwise: str) -> str:
        """An option that is one of a few words, `none` being one like the others."""
        value = self.written(step, name)
        return value.text if isinstance(value, Scalar) else otherwise

    def written(self, step: Mapping, name: str) -> Node | None:
        """A step's own value as it is written, else the default of all steps."""
        defaults = self.resolved.document.get("defaults")
        written = step.get(name)
        return defaults.get(name) if written is None and isinstance(defaults, Mapping) else written

    def check_indices(self, target: Word, formula: Formula, scope: Scope) -> None:
        """Report index names that mislead: a constant called i in `candidate[i]`, or a typo.

        A defined name as an index is evaluated, so that it cannot also run over the family in the equation.
        """
        definitions = self.resolved.definitions
        read = free_names(formula.tree)
        for name, span in bare_indices(target):
            defined = definitions[name].span if name in definitions else self.let_places.get(name)
            if defined is not None and name in read:
                note = Note("defined here", defined)
                message = f"'{name}' has a value of its own, and does not run over the family here"
                self.error("name-clash", message, span, "rename the index", note)
            elif not scope.knows(name) and name not in read and len(name) > 2:
                if name not in self.similar and len(self.similar) < MAX_SUGGESTIONS:
                    self.similar[name] = nearest(name, definitions)
                match = self.similar.get(name)
                if match is not None:
                    self.warn("suspicious-index", f"'{name}' runs over the whole family; did you mean '{match}'?", span)

    def reading(self, axis: Axis, whole: str, others: dict[str, Axis] | None = None) -> Scope:
        """The scope of an expression that reads an axis; `others` are axes whose names get a helpful error."""
        elsewhere = {**self.scope.elsewhere, **_elsewhere(others or {})}
        for name in self.lets:
            if axis.family(name) is not None:
                self.error("name-clash", f"'{name}' is a dimension too; rename one of them", self.let_places[name])
        names = {**self.scope.names, **whole_axis(axis, whole), **axis_names(axis)}
        return replace(self.scope, names=names, elsewhere=elsewhere)

    def numbers(self, axis: Axis, what: str = "the stream") -> Scope:
        """The scope of an expression that reads no dimensions, such as those of an axis, called `what` in messages."""
        return replace(self.scope, elsewhere={**self.scope.elsewhere, **_elsewhere({what: axis})})

    def biases(self, step: Mapping, maps: tuple[str, ...]) -> set[str]:
        """The maps whose bias is stored in any case. Only what the step itself says has to fit the step's maps."""
        written = step.get("biases")
        listed = [] if written is None else [word for word in words(written) if word.text != "none"]
        for word in (*listed, *(name for name, _ in bias_lines(step))):
            if word.text not in maps:
                message = f"this step has no map '{word.text}' that could have a bias"
                self.error("unknown-name", message, word.span, f"its maps are {', '.join(maps)}")
        node = self.option(step, "biases")
        return {word.text for word in words(node)} & set(maps) if node is not None else set()


def _elsewhere(axes: AnyMapping[str, Axis]) -> dict[str, str]:
    elsewhere: dict[str, str] = {}
    for what, axis in axes.items():
        elsewhere |= dict.fromkeys(axis.starts, f"is a dimension of {what}, which is not read here")
    return elsewhere


def whole_axis(axis: Axis, name: str) -> dict[str, DimensionFamily]:
    """`stream[k]` and `hidden[k]` index a whole axis, where no dimension has that name."""
    return {name: DimensionFamily(name, 0, (axis.size,))} if name and axis.size else {}


def map_lines(step: Mapping, name: str) -> Iterator[Line]:
    """The equations of a map: `name: …` and `name TARGET: …`."""
    for key, value in step.items:
        head, _, rest = key.text.partition(" ")
        if head == name:
            text = rest.strip()
            yield Line(key, Word(text, key, key.text.index(text, len(head))) if text else None, value)


def bias_lines(step: Mapping) -> Iterator[tuple[Word, Line]]:
    """`bias MAP: …` and `bias MAP TARGET: …`, each with the name of its map."""
    for line in map_lines(step, BIAS):
        if line.target is not None:
            name, _, rest = line.target.text.partition(" ")
            start, text = line.target.offset, rest.strip()
            target = Word(text, line.key, line.key.text.index(text, start + len(name))) if text else None
            yield Word(name, line.key, start), Line(line.key, target, line.value)


def dimension_lines(step: Mapping) -> Iterator[Line]:
    """The equations of a step whose keys are dimensions; only its names under `let` are none."""
    for key, value in step.items:
        if not (key.text == "let" and isinstance(value, Mapping)):
            yield Line(key, Word(key.text, key, 0), value)
