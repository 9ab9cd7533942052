"""The numbers that a forward pass uses and no tensor stores: those of positions, and of scores. An eps is none."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from compiler.expressions.values import Provenance
from compiler.network.ir import Attention, Pointwise, Position, Step
from compiler.source.faults import no_rule
from compiler.source.text import Span


@dataclass(frozen=True)
class UnstoredNumber:
    """`what` it is, for people; where it comes from; where it is written; `positional` if it encodes positions."""

    what: str
    provenance: Provenance
    span: Span | None
    positional: bool


def unstored_numbers(step: Step) -> Iterator[UnstoredNumber]:
    """What a step computes with and does not store."""
    if isinstance(step, Pointwise):
        return
    match step:
        case Position():
            for term in step.terms:
                what = f"the position equation '{term.equation.left}' of {step.name}"
                yield UnstoredNumber(what, term.provenance, term.equation.span, True)
        case Attention():
            for score in step.scores:
                what = f"'{score.equation.left}' of {step.name}"
                yield UnstoredNumber(what, score.provenance, score.equation.span, True)
            if step.rope is not None:
                what = f"the rope frequency of {step.name}"
                yield UnstoredNumber(what, step.rope.provenance, step.rope.equation.span, True)
            yield UnstoredNumber(f"the scale of the scores of {step.name}", step.scale.provenance, None, False)
            yield UnstoredNumber(f"the mask of {step.name}", step.mask_provenance, None, False)
        case _:
            raise no_rule("step", step)
