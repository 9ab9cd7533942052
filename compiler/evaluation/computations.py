"""Why one value of a trace is what it is: the equation of its step with its numbers, down to the tokens."""

from __future__ import annotations

from collections.abc import Iterator

from compiler.evaluation.attention_values import in_attention
from compiler.evaluation.traced_values import TracedValue, TracedValues
from compiler.evaluation.value_terms import (
    Computation,
    TermSum,
    ValueTerm,
    as_sum,
    copied,
    entry_of,
    latest_of,
    norm_terms,
    old_stream,
    read_of,
    term_of,
)
from compiler.network.ir import (
    Attention,
    Combined,
    Embedding,
    Factor,
    FeedForward,
    Head,
    Map,
    Mix,
    Mixture,
    Norm,
    OutputWord,
    Position,
    Repeat,
    Scaled,
    Step,
    StreamAfter,
    StreamNorm,
    StreamScale,
    Tensor,
    Undivided,
)
from compiler.network.meanings import divides, keeps_stream
from compiler.network.storage import step_maps, step_norm
from compiler.source.faults import no_rule

MAX_EXPLAINED = 60  # values that one question explains
MAX_FOLLOWED = 8  # terms of one sum that are explained in turn


def computations(values: TracedValues, asked: TracedValue, depth: int) -> Iterator[tuple[TracedValue, Computation]]:
    """The equation of a value, then those of the largest values in it that are not multiplied by zero or zero
    themselves, and so on, so many levels and `MAX_EXPLAINED` values at most. Each comes once."""
    todo, seen = [(asked, 1)], {asked}
    for value, level in todo:  # which grows
        computation = computation_of(values, value)
        yield value, computation
        largest = sorted(computation.terms, key=lambda term: -abs(term.product))
        followed = (term for term in largest[:MAX_FOLLOWED] if level < depth and term.product != 0)
        for read in (read for term in followed for read in term.values):
            if read not in seen and len(seen) < MAX_EXPLAINED:
                seen.add(read)
                todo.append((read, level + 1))


def computation_of(values: TracedValues, asked: TracedValue) -> Computation:
    """What one value was computed from."""
    step = values.step_of(asked.run)
    made = _of_stream if values.activations[asked.run].name == step.name else _inside
    return made(values, step, asked)


def _of_stream(values: TracedValues, step: Step, asked: TracedValue) -> Computation:
    """The stream after a step, or the logits."""
    match step:
        case Embedding(factors=factors):
            made = _looked_up(values, step, asked) if not factors else copied(values, asked, factors[-1].name)
        case Position():
            old = read_of(values, values.stream_before(asked.run), asked)
            return as_sum(values, asked, TermSum([old]), _of_position(values, step, asked))
        case StreamNorm(norm=norm):
            row = values.row(values.stream_before(asked.run), asked.position)
            before = [old_stream(values, asked, channel) for channel in range(len(row))]
            made = norm_terms(norm, row, [before[asked.channel]], asked.channel)
        case StreamScale(weight=weight):
            factor, equations = entry_of(weight, asked.channel)
            old = read_of(values, values.stream_before(asked.run), asked, coefficient=factor)
            made = TermSum([old], equations)
        case Attention() | FeedForward():
            if step.post_norm is not None:
                made = copied(values, asked, step.post_norm.name)
            else:
                made = TermSum(
                    [*_kept(values, step, asked, asked.channel), _change(values, step, asked, asked.channel)]
                )
        case Repeat():
            made = TermSum([read_of(values, values.stream_before(asked.run), asked)])
        case Mix(mixture=mixture, weight=weight, equation=equation):
            made = TermSum(list(_mixed(values, mixture, weight, asked, 1.0)), [equation])
        case Head(logits=logits):
            made = copied(values, asked, logits.name)
        case _:
            raise no_rule("step", step)
    return as_sum(values, asked, made)


def _inside(values: TracedValues, step: Step, asked: TracedValue) -> Computation:
    """A value that a step computes on the way."""
    assert not isinstance(step, Undivided)
    name = values.activations[asked.run].name
    if not isinstance(step, Embedding):
        for outer in step_maps(step):
            map_: Map | None = outer
            while map_ is not None:
                if name == map_.name:
                    source = _input_of(values, step, outer, asked.run)
                    return as_sum(values, asked, _affine(values, map_, source, asked))
                map_ = map_.inner
    norm = step_norm(step)
    if norm is not None and name == norm.name:
        row = values.row(values.stream_before(asked.run), asked.position)
        return as_sum(values, asked, norm_terms(norm, row, [old_stream(values, asked, asked.channel)], asked.channel))
    assert not isinstance(step, Head)  # there is nothing else in it
    match step:
        case Embedding(factors=factors):
            factor = next((one for one in factors if one.name == name), None)
            rows = _looked_up(values, step, asked) if factor is None else _multiplied(values, step, factor, asked)
            return as_sum(values, asked, rows)
        case Attention() | FeedForward() if step.post_norm is not None and name == step.post_norm.name:
            return as_sum(values, asked, _post_normed(values, step, step.post_norm, asked))
        case Attention():
            return in_attention(values, step, asked)
        case FeedForward(gate=gate, up=up, activation=activation):
            if name == f"{step.name}.active":
                term = latest_of(values, (up if gate is None else gate).name, asked)
                return Computation(values.number(asked), activation, (term,))
            active = latest_of(values, f"{step.name}.active", asked)
            if gate is None:
                return as_sum(values, asked, TermSum([active]))
            return Computation(values.number(asked), "product", (active, latest_of(values, up.name, asked)))
        case _:
            raise no_rule("step", step)


def _kept(values: TracedValues, step: Attention | FeedForward, asked: TracedValue, channel: int) -> list[ValueTerm]:
    """What stays of the old stream: a dimension that is new in a step was nothing before."""
    if not keeps_stream(step.residual) or channel >= step.stream.size:
        return []
    return [old_stream(values, asked, channel)]


def _change(values: TracedValues, step: Attention | FeedForward, asked: TracedValue, channel: int) -> ValueTerm:
    """What a step adds to a dimension."""
    match step:
        case FeedForward(down=down):
            name = down.name
        case Attention(output=output):
            name, channel = _projected(step, output, channel)
        case _:
            raise no_rule("step", step)
    return term_of(values, TracedValue(values.latest(name, asked.run), asked.position, channel))


def _projected(step: Attention, output: Map | OutputWord, channel: int) -> tuple[str, int]:
    """The value that attention adds to a dimension of the stream: its name, and the dimension there."""
    match output:
        case Map(name=name):
            return name, channel
        case "identity":
            return f"{step.name}.mixed", channel
        case "broadcast":
            return f"{step.name}.mixed", 0
        case _:
            raise no_rule("output", output)


def _input_of(values: TracedValues, step: Attention | FeedForward | Head, map_: Map, run: int) -> int:
    """The value that a map of a step reads."""
    match step:
        case Attention(output=output):
            last = f"{step.name}.mixed" if map_ is output else None
        case FeedForward(down=down):
            last = f"{step.name}.units" if map_ is down else None
        case Head():
            last = None
        case _:
            raise no_rule("step", step)
    name = last if last is not None or step.norm is None else step.norm.name
    return values.stream_before(run) if name is None else values.latest(name, run)


def _affine(values: TracedValues, map_: Map, source: int, asked: TracedValue) -> TermSum:
    """weight · x + bias, where a map of low rank reads its inner one."""
    if map_.inner is not None:
        source = values.latest(map_.inner.name, asked.run)
    row = 0 if map_.weight.axes[0] is None else asked.channel
    entries = [entry for entry in map_.weight.entries if entry.index[0] == row]
    terms = [term_of(values, TracedValue(source, asked.position, one.index[1]), one.value) for one in entries]
    equations = [entry.equation for entry in entries]
    if map_.bias is not None:
        bias, lines = entry_of(map_.bias, asked.channel)
        terms.append(ValueTerm(bias, label="bias"))
        equations += lines
    return TermSum(terms, equations)


def _post_normed(values: TracedValues, step: Attention | FeedForward, norm: Norm, asked: TracedValue) -> TermSum:
    """A norm of the old stream and what the step adds to it."""
    parts = [
        [*_kept(values, step, asked, channel), _change(values, step, asked, channel)]
        for channel in range(norm.axis.size)
    ]
    return norm_terms(norm, [sum(term.value for term in part) for part in parts], parts[asked.channel], asked.channel)


def _looked_up(values: TracedValues, step: Embedding, asked: TracedValue) -> TermSum:
    """The number that the table has for the token."""
    token = values.tokens[asked.position]
    entry = next((entry for entry in step.weight.entries if entry.index == (token, asked.channel)), None)
    label = f"token {step.tokens.labels[token]}"
    return TermSum([]) if entry is None else TermSum([ValueTerm(entry.value, label=label)], [entry.equation])


def _multiplied(values: TracedValues, step: Embedding, factor: Factor, asked: TracedValue) -> TermSum:
    """A row times a factor of the embedding."""
    names = [f"{step.name}.rows", *(one.name for one in step.factors)]
    source = values.latest(names[names.index(factor.name) - 1], asked.run)
    entries = [entry for entry in factor.weight.entries if entry.index[1] == asked.channel]
    terms = [term_of(values, TracedValue(source, asked.position, entry.index[0]), entry.value) for entry in entries]
    return TermSum(terms, [entry.equation for entry in entries])


def _of_position(values: TracedValues, step: Position, asked: TracedValue) -> TermSum:
    """What stands in the table, or what the formulas give."""
    label = f"position {asked.position}"
    if step.table is not None:
        index = (asked.position, asked.channel)
        stored = [entry for entry in step.table.entries if entry.index == index]
        return TermSum([ValueTerm(one.value, label=label) for one in stored], [one.equation for one in stored])
    terms = [term for term in step.terms if term.dimension == asked.channel]
    length = len(values.tokens)
    numbers = [float(term.formula.at(asked.position, length).value) for term in terms]
    return TermSum([ValueTerm(number, label=label) for number in numbers], [term.equation for term in terms])


def _mixed(
    values: TracedValues, mixture: Mixture, weight: Tensor | None, asked: TracedValue, factor: float
) -> Iterator[ValueTerm]:
    """The streams of a mix, each times its number."""
    match mixture:
        case StreamAfter(step=name):  # the step itself, not where it is repeated
            run = next(i for i, one in enumerate(values.activations) if one.name == name)
            yield read_of(values, run, asked, coefficient=factor)
        case Scaled(operation=operation, coefficient=coefficient, stream=stream):
            number, _ = entry_of(weight, coefficient)
            scaled = factor / number if divides(operation) else factor * number
            yield from _mixed(values, stream, weight, asked, scaled)
        case Combined(operation=operation, left=left, right=right):
            yield from _mixed(values, left, weight, asked, factor)
            match operation:
                case "add":
                    sign = 1.0
                case "subtract":
                    sign = -1.0
                case _:
                    raise no_rule("operation", operation)
            yield from _mixed(values, right, weight, asked, sign * factor)
        case _:
            raise no_rule("mix", mixture)
