"""The forms that the stages of the compiler hand on, as plain values that can be printed as YAML or JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Literal, assert_never, get_args

from compiler.expressions.axes import Axis
from compiler.expressions.floats import FloatFormat
from compiler.expressions.positions import PairFormula, PositionFormula
from compiler.expressions.values import Matrix, Number, Provenance, Value, Vector
from compiler.language.definitions import Definition
from compiler.network.ir import Equation, Tensor
from compiler.pipeline import Spec
from compiler.readers.dumps.tasks import answer_read_at, task_value
from compiler.source.document import as_data
from compiler.tasks.layout import Slot

Stage = Literal["document", "resolved", "ir", "program"]
STAGES: tuple[str, ...] = get_args(Stage)


def stage_value(spec: Spec, stage: Stage, after: str | None = None) -> object:
    """What a stage hands on, as nested dicts, lists, texts and numbers. A program: `after` this pass over it.

    Raises `SpecError` where there is no such pass, or no program.
    """
    match stage:
        case "document":
            return as_data(spec.resolved.document)
        case "resolved":
            return _resolved(spec)
        case "ir":
            return _value(spec.network)
        case "program":
            from compiler.readers.dumps.programs import program_values

            return program_values(spec, after)
        case _:
            assert_never(stage)


def _resolved(spec: Spec) -> dict[str, object]:
    resolved, labels = spec.resolved, spec.network.vocabulary.labels
    layout = spec.layout if resolved.asked else None
    return {
        "name": resolved.name,
        "dtype": resolved.dtype.name,
        "definitions": {name: _definition(definition) for name, definition in resolved.definitions.items()},
        "vocabulary": list(labels),
        "stream": list(resolved.stream.labels),
        "task": task_value(spec),
        "prompt": None if layout is None else [_slot(slot, labels) for slot in layout.prompt],
        "answer": None if layout is None else [_slot(slot, labels) for slot in layout.answer],
        "answer_read_at": answer_read_at(spec),
        "context": resolved.context,
        "decode": resolved.decode,
    }


def _definition(definition: Definition) -> dict[str, object]:
    return {
        "kind": definition.kind,
        "written": definition.text,
        "value": _numbers(definition.value),
        "file": definition.span.source.name,
        "line": definition.span.line,
    }


def _numbers(value: Value) -> object:
    match value:
        case Number():
            return value.value
        case Vector(items=items):
            return [item.value for item in items]
        case Matrix(rows=rows):
            return [[item.value for item in row] for row in rows]
        case _:
            return None


def _slot(slot: Slot, labels: tuple[str, ...]) -> str:
    return labels[slot.token] if slot.token is not None else str(slot)


def _value(value: object) -> object:
    """A part of the IR; a dataclass becomes a mapping that starts with its kind."""
    match value:
        case Axis():
            return list(value.labels)
        case Tensor():
            return _tensor(value)
        case Equation():
            return {"file": value.span.source.name, "line": value.span.line, "equation": str(value)}
        case PairFormula() | PositionFormula():
            return value.text
        case FloatFormat():
            return value.name
        case Mapping():
            return {str(key): _value(item) for key, item in value.items()}
        case tuple() | list():
            return [_value(item) for item in value]
        case _ if is_dataclass(value) and not isinstance(value, type):
            inner = {item.name: getattr(value, item.name) for item in fields(value)}
            kept = {name: _value(item) for name, item in inner.items() if not isinstance(item, Provenance)}
            return {"kind": type(value).__name__, **{name: item for name, item in kept.items() if item is not None}}
        case _:
            return value


def _tensor(tensor: Tensor) -> dict[str, object]:
    """A tensor with its written numbers, each at its named place."""
    return {
        "name": tensor.read_as,
        "shape": list(tensor.shape),
        "entries": {tensor.label(entry.index): entry.value for entry in tensor.entries},
    }
