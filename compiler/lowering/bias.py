"""`bias MAP TARGET: number` and `bias MAP: vector`: biases that stand apart from the equations of the weight."""

from __future__ import annotations

from dataclasses import replace

from compiler.expressions.axes import Axis
from compiler.expressions.evaluate import number_value
from compiler.expressions.scope import Scope
from compiler.expressions.targets import Aim, Target
from compiler.lowering.context import Context, Line, bias_lines
from compiler.lowering.rows import readable, row_values, rows
from compiler.lowering.tensors import fits, read_numbers, stored_entry, tensor, warn_if_vanishing
from compiler.network.ir import Entry, Map
from compiler.source.diagnostics import Note
from compiler.source.document import Mapping, Sequence

_READ = {"output": "the heads", "down": "the hidden units"}  # what maps read that do not read the stream


def lower_bias(context: Context, step: Mapping, written: Map, aim: Aim) -> Map:
    """The map with the biases that the step writes by themselves, besides constant parts of its equations.

    A vector is stored as it is, one number is stored once and broadcast, rows that no line names are zero. A bias that
    both a line and an equation write is an error.
    """
    name = written.name.rpartition(".")[2]
    lines = [line for word, line in bias_lines(step) if word.text == name]
    if not lines:
        return written
    what = f"bias {name}"
    scope = context.numbers(written.inputs, _READ.get(name, "the stream"))
    kept = rows(context, lines, aim, scope, what)
    bare = next((line for line, _ in kept if line.target is None), None)
    others = [line for line, _ in kept if line is not bare]
    if bare is not None and others:
        note = Note("the whole bias is written here", bare.key.span)
        message = f"'{what}' is written as a whole and row by row"
        context.error("target-twice", message, others[0].key.span, None, note)
        return written
    numbers = _by_rows(context, kept, scope) if bare is None else []
    axis: Axis | None = written.outputs
    if bare is not None:
        read = read_numbers(context, bare.value, f"bias of '{name}'", scope)
        if read is None or (read.written != "number" and not fits(context, bare.value, read, written.outputs)):
            return written
        axis = None if read.written == "number" else axis
        numbers = read.entries(context, what)
    constants = written.bias.entries if written.bias is not None else ()
    by_index = {entry.index: entry for entry in numbers}
    is_whole = bare is not None or (written.bias is not None and written.bias.axes[0] is None)
    twice = next((entry for entry in constants if is_whole or entry.index in by_index), None)
    if twice is not None:
        place = kept[0][0].key.span if is_whole else by_index[twice.index].equation.span
        note = Note("this equation has a constant part", twice.equation.span)
        message = f"the bias of '{name}' is written twice"
        context.error("target-twice", message, place, None, note)
        return written
    return replace(
        written,
        bias=tensor(f"{written.name}.bias", (axis,), [*constants, *numbers]),
        equations=(*written.equations, *(line.equation for line, _ in kept)),
    )


def _by_rows(context: Context, kept: list[tuple[Line, list[Target]]], scope: Scope) -> list[Entry]:
    written: list[Entry] = []
    for line, _ in kept:
        if isinstance(line.value, Sequence):
            context.error("wrong-type", "the bias of a row is a number, found a list", line.value.span)
    for line, formula, aims in readable(context, kept, scope):
        before = len(written)
        for target, value in row_values(context, formula, aims, scope, number_value):
            written.append(stored_entry(context, value, (target.position,), formula, line.equation))
        warn_if_vanishing(context, formula, written[before:])
    return written
