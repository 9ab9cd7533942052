"""Checked document to resolved spec: names and numbers, axes, task and layout. No weights yet."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import cast

from compiler.expressions.arithmetic import exact_figure
from compiler.expressions.axes import Axis
from compiler.expressions.evaluate import integer_value
from compiler.expressions.floats import FORMATS, FloatFormat
from compiler.expressions.formulas import value_at
from compiler.expressions.naming import read_axis
from compiler.expressions.scope import Scope, Work
from compiler.expressions.values import Value
from compiler.language.definitions import Definition, resolve_definitions
from compiler.language.expectations import Expectations, read_expectations
from compiler.language.layouts import read_layout
from compiler.network.ir import Decode
from compiler.source.diagnostics import Diagnostic, Findings, Note
from compiler.source.document import Invalid, Mapping
from compiler.source.limits import MAX_CONTEXT
from compiler.source.text import Span
from compiler.tasks import TASKS, Task, TaskError
from compiler.tasks.layout import Layout


@dataclass(frozen=True)
class Resolved:
    """A spec whose names all have meanings. `scope` knows constants, parameters and sizes, but no dimensions.

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
    task: Task
    layout: Layout
    context: int
    decode: Decode
    expect: Expectations
    allow_overflow: bool


def resolve(document: Mapping, findings: Findings, *, allow_overflow: bool = False) -> Resolved | None:
    """What the names of a document mean; None, with the reasons in `findings`, where nothing can be built on them."""
    dtype = FORMATS[document.text_of("dtype")]
    scope = Scope({}, dtype, lambda start, end: document.span, Work())
    definitions = resolve_definitions(document, scope, findings)
    names: dict[str, Value] = {name: definition.value for name, definition in definitions.items()}
    scope = replace(scope, names=names)
    vocabulary_node, stream_node = document.get("vocabulary"), document.get("stream")
    task_node = document.get("task")
    assert vocabulary_node is not None
    assert stream_node is not None
    assert isinstance(task_node, Mapping)
    vocabulary = read_axis(vocabulary_node, scope, findings, "token", tokens=True)
    stream = read_axis(stream_node, scope, findings, "dimension")
    task = _task(task_node, definitions, findings)
    if vocabulary is None or stream is None or task is None:
        return None
    check_clashes(stream.places, definitions, findings)
    layout = read_layout(task_node, task, vocabulary.axis, scope, findings)
    context = None if layout is None else _context(document, layout, scope, findings)
    if layout is None or context is None:
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
        task,
        layout,
        context,
        cast(Decode, document.text_of("decode")),
        read_expectations(document.get("expect"), task, findings),
        allow_overflow,
    )


def check_clashes(places: dict[str, Span], definitions: dict[str, Definition], findings: Findings) -> None:
    """Dimensions, constants and parameters share one name space."""
    for name, span in places.items():
        if name in definitions:
            note = Note(f"the {definitions[name].kind} of that name", definitions[name].span)
            message = f"'{name}' is a dimension and a {definitions[name].kind}; rename one of them"
            findings.report(Diagnostic("name-clash", message, span, notes=(note,)))


def _context(document: Mapping, layout: Layout, scope: Scope, findings: Findings) -> int | None:
    """The longest sequence: what the task needs, or `context` where that is more."""
    node = document.get("context")
    if node is None:
        return layout.length
    value = value_at(node, scope, integer_value, findings)
    if value is not None and not layout.length <= value <= MAX_CONTEXT:
        message = (
            f"a context of {exact_figure(value)} tokens; the task needs {layout.length}, and {MAX_CONTEXT} is the most"
        )
        findings.report(Diagnostic("index-range", message, node.span))
        return None
    return value


def _task(node: Mapping, definitions: dict[str, Definition], findings: Findings) -> Task | None:
    kinds = [(key, value) for key, value in node.items if key.text in TASKS]
    if len(kinds) != 1:
        written = " and ".join(key.text for key, _ in kinds) or "none"
        message = f"a task is of one kind, found {written}; known: {', '.join(TASKS)}"
        span = kinds[1][0].span if kinds else node.span.first
        findings.report(Diagnostic("task", message, span, "such as `addition: {base: 10, digits: 10}`"))
        return None
    key, sizes_node = kinds[0]
    if isinstance(sizes_node, Invalid) or not isinstance(sizes_node, Mapping):
        return None
    sizes: dict[str, int] = {}
    for name, _ in sizes_node.items:
        size = definitions[name.text].integer()
        if size is None:
            if definitions[name.text].known:
                findings.report(Diagnostic("wrong-type", f"the size '{name.text}' has to be an integer", name.span))
            return None
        sizes[name.text] = size
    try:
        return TASKS[key.text].make(sizes)
    except TaskError as error:
        findings.report(Diagnostic("task", str(error), key.span))
        return None
