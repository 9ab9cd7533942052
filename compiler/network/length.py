"""What hangs on the length of the sequence at hand: formulas that read `time`, and how often steps are repeated."""

from __future__ import annotations

from collections.abc import Iterator

from compiler.network.ir import Attention, HeadScore, Network, Pointwise, Position, PositionTerm, Repeat, Step
from compiler.source.faults import no_rule
from compiler.source.text import Span


def reads_time(network: Network) -> bool:
    """Whether the length changes more than how many positions there are: a prefix is no part of a longer sequence."""
    return next(time_read(network), None) is not None


def time_read(network: Network) -> Iterator[Span]:
    """Where `time` is read."""
    for step in network.steps:
        if isinstance(step, Repeat) and len(step.times) > 1:
            yield (step.times_equation or step.equation).span
        if isinstance(step, Pointwise):
            continue
        match step:
            case Position():
                yield from dict.fromkeys(term.equation.span for term in timed_terms(step))
            case Attention():
                yield from dict.fromkeys(score.equation.span for score in timed_scores(step))
            case _:
                raise no_rule("step", step)


def timed_terms(step: Position) -> tuple[PositionTerm, ...]:
    """The terms that read `time`."""
    return tuple(term for term in step.terms if term.formula.reads_time)


def timed_scores(step: Attention) -> tuple[HeadScore, ...]:
    """The scores that read `time`."""
    return tuple(score for score in step.scores if score.formula.reads_time)


def timed_shape(terms: tuple[PositionTerm, ...], context: int) -> tuple[int, int, int]:
    """The shape of all numbers of terms that read `time`: lengths up to the context, positions, terms. There is one
    row for all positions where none of them reads `pos`."""
    return context, context if any(term.formula.reads_position for term in terms) else 1, len(terms)


def unrolled(network: Network, step: Step, length: int) -> Iterator[Step]:
    """The steps that a step of the network runs, in a sequence of so many tokens: itself, or what it repeats."""
    if isinstance(step, Repeat):
        inner = tuple(map(network.step, step.steps))
        for _ in range(step.rounds(length)):
            for again in inner:
                yield from unrolled(network, again, length)
    else:
        yield step


def lengths_apart(network: Network, longest: int) -> Iterator[int]:
    """A length for each way in which the steps run in sequences of up to `longest` tokens."""
    repeats = [step for step in network.steps if isinstance(step, Repeat)]
    seen = set[tuple[int, ...]]()
    for length in range(longest, 0, -1) if any(len(step.times) > 1 for step in repeats) else (longest,):
        rounds = tuple(step.rounds(length) for step in repeats)
        if rounds not in seen:
            seen.add(rounds)
            yield length
