"""Checked document to resolved spec: names and numbers, axes, task and layout. No weights yet."""

from __future__ import annotations

from collections.abc import Mapping as AnyMapping
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import product
from math import prod
from typing import cast

from compiler.expressions.arithmetic import exact_figure
from compiler.expressions.axes import Axis
from compiler.expressions.evaluate import integer_value
from compiler.expressions.floats import FORMATS, FloatFormat
from compiler.expressions.formulas import value_at
from compiler.expressions.naming import read_axis
from compiler.expressions.parse import is_name
from compiler.expressions.scope import Scope, Work
from compiler.language.definitions import (
    MAY_READ_PARAMETERS,
    VARIES,
    Definition,
    refused_words,
    resolve_definitions,
    size_ranges,
)
from compiler.language.expectations import Expectations, read_expectations
from compiler.language.layouts import read_layout
from compiler.network.ir import Decode
from compiler.source.diagnostics import Diagnostic, Findings, Note, fail
from compiler.source.document import Mapping
from compiler.source.limits import MAX_CONTEXT, MAX_VARIANTS
from compiler.source.showing import short_repr
from compiler.source.text import Span
from compiler.tasks import Task, TaskError
from compiler.tasks.layout import Layout
from compiler.tasks.package import package_task, says_what_is_right, short_key, sizes_of, stated
from compiler.tasks.question import Question, question
from compiler.tasks.reading import ANSWER, PROMPT, Section, read_cases, read_task

TASK_EXAMPLE = (
    "state one under `task`, such as `addition: {base: 10, digits: 10}` with a prompt and an answer; "
    "`run SPEC --tokens '…'` needs none"
)


@dataclass(frozen=True)
class AskedTask:
    """A task for one choice of its sizes, and how it is laid out. `choice` are the sizes that were chosen of ranges."""

    task: Task
    layout: Layout
    choice: AnyMapping[str, int]

    __repr__ = short_repr

    @property
    def title(self) -> str:
        """What the choice is called, such as `length 3`."""
        return ", ".join(f"{name} {size}" for name, size in self.choice.items())


@dataclass(frozen=True)
class ResolvedTask:
    """What a model of another program is asked, and the tokens that it is asked in, by their ids.

    `asked` are the tasks: one, or one for each choice of sizes that are ranges. `decode` says how a token is read off
    the logits; None where the document does not.
    """

    document: Mapping
    name: str
    vocabulary: Axis
    asked: tuple[AskedTask, ...]
    decode: Decode | None

    @property
    def task(self) -> Task:
        """The task; of ranges with their largest sizes."""
        return self.asked[-1].task


@dataclass(frozen=True)
class Resolved:
    """A spec whose names all have meanings. `scope` knows all definitions, but no dimensions.

    `asked` are the tasks that the model is asked: one, or one for each choice of sizes that are ranges, or none.
    `context` is the longest sequence, in tokens. With `allow_overflow`, a weight too large for the dtype is infinite.
    """

    document: Mapping
    name: str
    summary: str
    source: str
    dtype: FloatFormat
    definitions: dict[str, Definition]
    scope: Scope
    vocabulary: Axis
    stream: Axis
    asked: tuple[AskedTask, ...]
    context: int
    decode: Decode
    expect: Expectations
    allow_overflow: bool

    __repr__ = short_repr

    @property
    def task(self) -> Task:
        """What the model is asked; of ranges their largest sizes. Raises `SpecError` where the spec states no task."""
        return self._asked.task

    @property
    def layout(self) -> Layout:
        """How that is laid out, as if every token could be predicted. Raises `SpecError` as `task` does."""
        return self._asked.layout

    @cached_property
    def question(self) -> Question:
        """What is asked in all choices of sizes; where the spec states no task, that too."""
        return question([one.task for one in self.asked])

    def without_network(self) -> ResolvedTask:
        """What is asked, to be asked of another model. Raises `SpecError` as `task` does."""
        asked = (*self.asked[:-1], self._asked)
        return ResolvedTask(self.document, self.name, self.vocabulary, asked, self.decode)

    @property
    def _asked(self) -> AskedTask:
        if not self.asked:
            message = f"{self.name} states no task, so nothing is right or wrong"
            raise fail("task", message, hint=TASK_EXAMPLE)
        return self.asked[-1]


def resolve(document: Mapping, findings: Findings, *, allow_overflow: bool = False) -> Resolved | None:
    """What the names of a document mean; None, with the reasons in `findings`, where nothing can be built on them."""
    dtype = FORMATS[document.text_of("dtype")]
    definitions, sizing = _definitions(document, dtype, findings)
    varying = {name: VARIES for name, definition in definitions.items() if definition.varies}
    fixed = {name: value for name, value in sizing.names.items() if name not in varying}
    scope = replace(sizing, names=fixed, elsewhere=varying)
    vocabulary_node, stream_node = document.get("vocabulary"), document.get("stream")
    assert vocabulary_node is not None
    assert stream_node is not None
    vocabulary = read_axis(vocabulary_node, sizing, findings, "token", tokens=True)
    stream = read_axis(stream_node, sizing, findings, "dimension")
    if vocabulary is None or stream is None:
        return None
    check_clashes(stream.places, definitions, findings)
    asked = _asked(document, definitions, vocabulary.axis, sizing, findings)
    context = None if asked is None else _context(document, asked, sizing, findings)
    if asked is None or context is None:
        return None
    return Resolved(
        document,
        document.text_of("name"),
        document.text_of("summary"),
        document.text_of("source"),
        dtype,
        definitions,
        scope,
        vocabulary.axis,
        stream.axis,
        asked,
        context,
        cast(Decode, document.text_of("decode")),
        read_expectations(document.get("expect"), [one.task for one in asked], findings),
        allow_overflow,
    )


def resolve_task(document: Mapping, findings: Findings) -> ResolvedTask | None:
    """What a document asks that has a vocabulary and a task, and no network; None, with the reasons in `findings`,
    where that is not certain."""
    dtype = FORMATS[document.text_of("dtype") or "float64"]  # of parameters, which no task reads
    definitions, sizing = _definitions(document, dtype, findings)
    node = document.get("vocabulary")
    assert node is not None
    vocabulary = read_axis(node, sizing, findings, "token", tokens=True)
    asked = None if vocabulary is None else _asked(document, definitions, vocabulary.axis, sizing, findings)
    if vocabulary is None or not asked:
        return None
    decode = cast(Decode, document.text_of("decode")) if document.get("decode") is not None else None
    return ResolvedTask(document, document.text_of("name") or asked[-1].task.name, vocabulary.axis, asked, decode)


def _definitions(document: Mapping, dtype: FloatFormat, findings: Findings) -> tuple[dict[str, Definition], Scope]:
    """Constants, parameters and sizes, and the scope in which sizes are read: it knows the largest of a range."""
    scope = Scope({}, dtype, lambda start, end: document.span, Work())
    definitions = resolve_definitions(document, scope, findings)
    named = {name: one.value for name, one in definitions.items() if is_name(name)}
    return definitions, replace(scope, names={**refused_words(definitions), **named})


def check_clashes(places: dict[str, Span], definitions: dict[str, Definition], findings: Findings) -> None:
    """Dimensions and definitions share one name space."""
    for name, span in places.items():
        if name in definitions:
            note = Note(f"the {definitions[name].noun} of that name", definitions[name].span)
            message = f"'{name}' is a dimension and a {definitions[name].noun}; rename one of them"
            findings.report(Diagnostic("name-clash", message, span, notes=(note,)))


def _context(document: Mapping, asked: tuple[AskedTask, ...], scope: Scope, findings: Findings) -> int | None:
    """The longest sequence: what the task needs, or `context` where that is more. A wrong `context` changes nothing."""
    node = document.get("context")
    needed = max((one.layout.length for one in asked), default=1)
    if node is None and not asked:
        message = "a spec without a task says how long sequences can be"
        key = document.key("network") or document.key("vocabulary")
        span = key.span if key is not None else document.span
        findings.report(Diagnostic("missing-key", message, span, "such as `context: 20`, or state a task"))
        return None
    if node is None:
        return needed
    value = value_at(node, scope, integer_value, findings)
    if value is not None and not needed <= value <= MAX_CONTEXT:
        needs = f"; the task needs {needed}, and {MAX_CONTEXT} is the most" if asked else f"; it has 1 to {MAX_CONTEXT}"
        message = f"a context of {exact_figure(value)} tokens{needs}"
        follows = value >= 1 and any(not one.layout.in_place for one in asked)
        hint = f"write `window: {value}` in the task for a model that sees the last {value} tokens only"
        findings.report(Diagnostic("index-range", message, node.span, hint if follows and value < needed else None))
        return needed if asked else None
    return needed if value is None else value


def _asked(
    document: Mapping, definitions: dict[str, Definition], vocabulary: Axis, scope: Scope, findings: Findings
) -> tuple[AskedTask, ...] | None:
    """The tasks of a document; None, with the reasons in `findings`, where they are not certain."""
    node = document.get("task")
    if node is None:
        return ()
    if not isinstance(node, Mapping):
        return None  # the schema has reported it
    about = Findings()
    key = short_key(node)
    section = stated(node, about)
    sizes = None if section is None else _sizes(section, definitions, findings)
    found: list[AskedTask] | None = None
    if section is not None and sizes is not None:
        name = key.text if key is not None else (section.text_of("name") or _answers(section))
        place = document.key("task")
        assert place is not None
        reading = Section(section, place.span, name, sizes, vocabulary, _of_task(definitions, scope))
        found = _each(document, reading, definitions, about)
        if found is not None:
            found = _with_inputs(reading, found, about, look=says_what_is_right(node))
    for one in about:  # what is wrong with the sizes of a task of the package is shown where they are written
        if key is not None and one.span is not None and one.span.source is package_task(key.text).span.source:
            written = sizes_of(node)
            size = written.key(one.span.text) if written is not None else None
            one = replace(one, span=key.span if size is None else size.span)
        findings.report(one)
    return None if found is None else tuple(found)


def _of_task(definitions: dict[str, Definition], scope: Scope) -> Scope:
    """What a task can read: its sizes and constants."""
    unreadable = {
        name: f"is a {definition.noun}, which a task cannot read"
        for name, definition in definitions.items()
        if definition.kind in MAY_READ_PARAMETERS
    }
    names = {name: value for name, value in scope.names.items() if name not in unreadable}
    return replace(scope, names=names, elsewhere=unreadable)


def _answers(section: Mapping) -> str:
    """What a task without a name is called: by its answers."""
    answers = section.get("answers")
    return " and ".join(answers.names) if isinstance(answers, Mapping) else "cases"


def _sizes(section: Mapping, definitions: dict[str, Definition], findings: Findings) -> dict[str, int] | None:
    """The sizes of a task, of ranges their largest; None, where one is no integer."""
    sizes: dict[str, int] = {}
    written = sizes_of(section)
    for name, node in written.items if written is not None else ():
        size = definitions[name.text].integer() if name.text in definitions else None
        if size is None:
            if name.text in definitions and definitions[name.text].known:
                end = node.get("to") if isinstance(node, Mapping) else None
                place = name.span if end is None else end.span
                findings.report(Diagnostic("wrong-type", f"the size '{name.text}' has to be an integer", place))
            return None
        sizes[name.text] = size
    return sizes


def _each(
    document: Mapping, section: Section, definitions: dict[str, Definition], findings: Findings
) -> list[AskedTask] | None:
    """The task for each choice of its sizes; the first one that is wrong is the last that is read."""
    before = len(findings)
    if section.node.get("cases") is not None:
        section = replace(section, cases=read_cases(section.node, section.vocabulary, findings))
    choices = _choices(section, definitions, findings)
    if len(findings) > before:
        return None
    found: list[AskedTask] = []
    for choice in choices:
        chosen = _chosen(document, section, choice, findings)
        task = None if chosen is None else read_task(chosen, findings)
        layout = None
        if task is not None and chosen is not None:
            layout = read_layout(chosen.node, task, chosen.vocabulary, chosen.scope, findings)
        if task is None or layout is None or len(findings) > before:
            return None
        found.append(AskedTask(task, layout, choice))
    return found if len(findings) == before else None


def _with_inputs(section: Section, every: list[AskedTask], findings: Findings, *, look: bool) -> list[AskedTask] | None:
    """The choices of sizes that have an input at all; `look`: some of their inputs have to make sense."""
    if not look and not any(asked.task.is_restricted for asked in every):
        return every  # without numpy
    from compiler.tasks import samples
    from compiler.tasks.interpreter import TaskWork

    work = TaskWork(samples.LOOKED_AT)
    try:
        found = [asked for asked in every if not samples.is_empty(asked.task, work)]
    except TaskError as error:  # for an input that is named
        findings.report(*error.diagnostics)
        return None
    for asked in found if look else ():
        fault = samples.fault(asked.task, work)
        if fault is not None:
            findings.report(fault)
            return None
    if not found:
        findings.report(Diagnostic("no-input", "no input is allowed: `only` excludes all of them", _only(section)))
        return None
    empty = [asked.choice for asked in every if asked not in found]
    if empty:
        listed = ", ".join(" and ".join(f"{name} {size}" for name, size in choice.items()) for choice in empty[:5])
        message = f"no input is allowed for {listed}{', …' if len(empty) > 5 else ''}"
        hint = "these sizes are left out; narrow the range, or allow more"
        findings.report(Diagnostic("no-input", message, _only(section), hint, severity="warning"))
    return found


def _only(section: Section) -> Span:
    """Where it is said which inputs there are."""
    columns = section.node.get("columns")
    key = section.node.key("only")
    if isinstance(columns, Mapping):
        key = key or columns.key("only") or columns.key("end")
    key = key or section.node.key("columns") or section.node.key("given")
    return key.span if key is not None else section.node.span


def _choices(section: Section, definitions: dict[str, Definition], findings: Findings) -> list[dict[str, int]]:
    """Each choice of the sizes that are ranges, or of the lengths that cases have."""
    key = section.node.key("cases")
    if key is not None:
        if len(section.cases) > MAX_VARIANTS:
            message = f"cases of {len(section.cases):,} different lengths; at most {MAX_VARIANTS} are told apart"
            findings.report(Diagnostic("too-large", message, key.span))
        return [{PROMPT: prompt, ANSWER: answer} for prompt, answer in section.cases]
    ranges = size_ranges(section.node, definitions, section.scope, findings)
    count = prod(map(len, ranges.values()))
    if count > MAX_VARIANTS:
        message = f"{count:,} choices of sizes; at most {MAX_VARIANTS} are told apart"
        key = section.node.key("sizes")
        findings.report(Diagnostic("too-large", message, key.span if key is not None else section.place))
        return []
    return [dict(zip(ranges, chosen, strict=True)) for chosen in product(*ranges.values())]


def _chosen(document: Mapping, section: Section, choice: dict[str, int], findings: Findings) -> Section | None:
    """The section for one choice of its sizes, with all that hangs on them."""
    if not choice or section.node.get("cases") is not None:
        return replace(section, sizes={**section.sizes, **choice})
    kept = tuple(item for item in document.items if item[0].text == "constants")
    key = document.key("task")
    assert key is not None
    sizes = Mapping((*kept, (key, section.node)), document.span)
    definitions = resolve_definitions(sizes, replace(section.scope, names={}), findings, choice)
    found = _sizes(section.node, definitions, findings)
    names = {**section.scope.names, **{name: one.value for name, one in definitions.items()}}
    return None if found is None else replace(section, sizes=found, scope=replace(section.scope, names=names))
