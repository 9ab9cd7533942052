"""`bias MAP TARGET: number` and `bias MAP: vector`: biases that stand apart from the equations of the weight."""

from __future__ import annotations

from dataclasses import replace

from compiler.expressions.axes import Axis
from compiler.expressions.evaluate import number_value
from compiler.expressions.formulas import attempt, read_formula
from compiler.expressions.scope import Scope
from compiler.expressions.targets import Aim, Target
from compiler.lowering.context import Context, Line, bias_lines
from compiler.lowering.rows import rows
from compiler.lowering.tensors import fits, read_numbers, row_entries, tensor, warn_if_vanishing
from compiler.network.ir import Entry, Map
from compiler.source.diagnostics import Diagnostic, Note
from compiler.source.document import Mapping, Sequence

_READ = {"output": "the heads", "down": "the hidden units"}  # what maps read that do not read the stream


def lower_bias(context: Context, step: Mapping, written: Map, aim: Aim) -> Map:
    """The map with the biases that the step writes by themselves, besides constant parts of its equations.

    A vector is stored as it is, one number is stored once and broadcast, rows that no line names are zero. A bias that
    both a line and an equation write is an error.
    """
    name = written.name.rpartition(".")[2]
    found = [line for word, line in bias_lines(step) if word.text == name]
    if not found:
        return written
    what = f"bias {name}"
    scope = context.numbers(written.inputs, _READ.get(name, "the stream"))
    kept = rows(context, found, aim, scope, what)
    bare = next((line for line, _ in kept if line.target is None), None)
    others = [line for line, _ in kept if line is not bare]
    if bare is not None and others:
        note = Note("the whole bias is written here", bare.key.span)
        message = f"'{what}' is written as a whole and row by row"
        context.findings.report(Diagnostic("target-twice", message, others[0].key.span, notes=(note,)))
        return written
    own = _by_rows(context, kept, scope) if bare is None else []
    axis: Axis | None = written.outputs
    if bare is not None:
        read = read_numbers(context, bare.value, f"bias of '{name}'", scope)
        if read is None or (read.written != "number" and not fits(context, bare.value, read, written.outputs)):
            return written
        axis = None if read.written == "number" else axis
        own = read.entries(context, what)
    constants = written.bias.entries if written.bias is not None else ()
    places = {entry.index: entry for entry in own}
    is_whole = bare is not None or (written.bias is not None and written.bias.axes[0] is None)
    twice = next((one for one in constants if is_whole or one.index in places), None)
    if twice is not None:
        place = kept[0][0].key.span if is_whole else places[twice.index].equation.span
        note = Note("this equation has a constant part", twice.equation.span)
        message = f"the bias of '{name}' is written twice"
        context.findings.report(Diagnostic("target-twice", message, place, notes=(note,)))
        return written
    return replace(
        written,
        bias=tensor(f"{written.name}.bias", (axis,), [*constants, *own]),
        equations=(*written.equations, *(line.equation for line, _ in kept)),
    )


def _by_rows(context: Context, kept: list[tuple[Line, list[Target]]], scope: Scope) -> list[Entry]:
    found: list[Entry] = []
    for line, aims in kept:
        if isinstance(line.value, Sequence):
            context.error("wrong-type", "the bias of a row is a number, found a list", line.value.span)
        formula = read_formula(line.value, context.findings)
        if formula is None or line.target is None:
            continue
        context.check_indices(line.target, formula, scope)
        before = len(found)
        for target in aims:
            value = attempt(formula, scope.bind(target.indices), number_value, context.findings, target.case)
            if value is None:
                break
            found += row_entries(context, {0: value}, (target.position,), formula, line.equation, is_bias=True)
        warn_if_vanishing(context, formula, found[before:])
    return found
