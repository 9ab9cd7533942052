"""Steps for people: what each does in a line, its equations, and where the dimensions of the stream land."""

from __future__ import annotations

from compiler.expressions.axes import Axis
from compiler.expressions.floats import FloatFormat
from compiler.network.ir import (
    Attention,
    Embedding,
    Equation,
    FeedForward,
    HardSoftmax,
    Head,
    Mask,
    Mix,
    Norm,
    Position,
    Repeat,
    Softmax,
    Step,
    StreamNorm,
    StreamScale,
    Window,
    stream_after,
)
from compiler.network.length import timed_terms
from compiler.network.meanings import divides, keeps_stream
from compiler.network.storage import step_norm
from compiler.source.faults import no_rule
from compiler.terminal.console import console, first, number_text, table, text


def print_step(step: Step, before: Axis | None, dtype: FloatFormat) -> None:
    """A step with its equations, and where the dimensions of the stream `before` it land if it changes them."""
    out = console()
    out.print(text(f"{step.name}: {describe_step(step, dtype)}", "bold"))
    rows = table("", "", "")
    equations = step_equations(step)
    for equation in first(equations, rows):
        rows.add_row(text(f"line {equation.span.line}"), text(equation.left), text(equation.right))
    if equations:
        out.print(rows)
    after = stream_after(step)
    if before is not None and after != before:
        kept = min(before.size, after.size)
        moved = [
            f"{old} → {new}" for old, new in zip(before.labels[:kept], after.labels[:kept], strict=True) if old != new
        ]
        out.print(text(f"stream {before} → {after}"))
        if moved:
            out.print(text(f"by position: {', '.join(moved)}", "yellow"))
        if before.size > after.size:
            out.print(text(f"cut: {', '.join(before.labels[after.size :])}", "dim"))


def step_equations(step: Step) -> list[Equation]:
    """The lines of a step in the order of its computation."""
    match step:
        case Embedding(equations=equations) | Position(equations=equations) | StreamScale(equations=equations):
            return list(equations)
        case StreamNorm(norm=norm):
            return list(norm.equations)
        case Attention():
            output = () if isinstance(step.output, str) else step.output.equations
            rope = () if step.rope is None else (step.rope.equation,)
            scores = dict.fromkeys(score.equation for score in step.scores)
            norms = (norm for norm in (step.norm, step.query_norm, step.key_norm) if norm is not None)
            weights = dict.fromkeys(equation for norm in norms for equation in norm.equations)
            maps = (*step.query.equations, *step.key.equations, *step.value.equations)
            return [*weights, *maps, *scores, *rope, *output, *_norm_equations(step.post_norm)]
        case FeedForward():
            gate = () if step.gate is None else step.gate.equations
            maps = (*gate, *step.up.equations, *step.down.equations)
            return [*_norm_equations(step.norm), *maps, *_norm_equations(step.post_norm)]
        case Repeat(equation=equation, times_equation=times):
            return [equation] if times is None else [equation, times]
        case Mix(equation=equation):
            return [equation]
        case Head():
            return [*_norm_equations(step.norm), *step.logits.equations]
        case _:
            raise no_rule("step", step)


def _norm_equations(norm: Norm | None) -> tuple[Equation, ...]:
    return () if norm is None else norm.equations


def describe_step(step: Step, dtype: FloatFormat) -> str:
    """What a step does, in a line; its numbers are of the dtype."""
    norm = step_norm(step)
    prefix = f"{_norm(norm)}, " if norm is not None else ""
    match step:
        case Embedding(stream=stream, factors=factors):
            low = f", of rank {min(factor.inputs.size for factor in factors)}" if factors else ""
            return f"stream {stream}{low}"
        case Position(table=table):
            by = "by position and length, " if timed_terms(step) else "by position, "
            return f"added {by}" + ("computed" if table is None else f"a table of {table.shape[0]} positions")
        case StreamNorm(norm=stream_norm):
            return f"{_norm(stream_norm)} of the stream"
        case StreamScale(stream=stream):
            return f"{stream.size} dimensions times a number each"
        case Attention():
            return prefix + _attention(step, dtype) + _after(step)
        case FeedForward():
            gate = "gated " if step.gate is not None else ""
            return f"{prefix}{gate}{step.activation}, hidden {step.hidden}{_after(step)}"
        case Repeat(steps=steps):
            return f"{len(steps)} {'step' if len(steps) == 1 else 'steps'} again{_times(step)}"
        case Mix(stream=stream):
            return f"stream {stream}"
        case Head():
            rank = "" if step.logits.inner is None else f" of rank {step.logits.inner.outputs.size}"
            return f"{prefix}logits of {step.logits.outputs.size} tokens{rank}"
        case _:
            raise no_rule("step", step)


def _times(step: Repeat) -> str:
    if step.times == (1,):
        return ""
    fewest, most = min(step.times), max(step.times)
    return f", {most} times" if fewest == most else f", {fewest} to {most} times by the length of the sequence"


def _norm(norm: Norm) -> str:
    return f"{norm.kind} norm (eps {number_text(norm.epsilon)})"


def _after(step: Attention | FeedForward) -> str:
    """What becomes of the stream, where that is unusual."""
    replaced = "" if keeps_stream(step.residual) else ", in place of the stream"
    return replaced + ("" if step.post_norm is None else f", then {_norm(step.post_norm)} of the stream")


def _softmax(softmax: Softmax) -> str:
    match softmax:
        case "standard" | "plus_one":
            return f"{softmax} softmax"
        case HardSoftmax(ties=ties):
            return f"hard softmax (ties: {ties})"
        case _:
            raise no_rule("softmax", softmax)


def _mask(mask: Mask, dtype: FloatFormat) -> str:
    match mask:
        case "causal" | "none":
            return f"{mask} mask"
        case Window(size=size):
            return f"a window of {size} keys" if size > 1 else "a window of one key"
        case float():
            return f"{number_text(mask, dtype)} added to later keys"
        case _:
            raise no_rule("mask", mask)


def _attention(step: Attention, dtype: FloatFormat) -> str:
    parts = [f"heads {step.heads}" + (f" of {step.head_dim}" if step.head_dim > 1 else "")]
    if step.kv_heads is not step.heads:
        parts.append(f"keys and values of {step.kv_heads}")
    if step.value_dim != step.head_dim:
        parts.append(f"values of {step.value_dim}")
    if step.query_norm is not None:
        parts.append(f"{_norm(step.query_norm)} of queries and keys")
    parts.append(f"scores {'÷' if divides(step.scale.operation) else '×'} {number_text(step.scale.value, dtype)}")
    if step.rope:
        parts.append(f"rope ({step.rope.pairs} pairs)")
    parts += [_softmax(step.softmax), _mask(step.mask, dtype)]
    parts.append(f"output {step.output if isinstance(step.output, str) else 'by equations'}")
    return ", ".join(parts)
