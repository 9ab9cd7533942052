"""Which networks are causal: no query sees a later token, so that an answer after the prompt gives nothing away."""

from __future__ import annotations

from compiler.network.ir import Attention, Network, Pointwise, Position, Step
from compiler.network.length import reads_time
from compiler.network.meanings import is_causal_mask
from compiler.source.faults import no_rule


def is_causal(network: Network) -> bool:
    """Whether what stands at a position is the same whatever tokens follow, in any sequence up to the context, and
    however many."""
    return not reads_time(network) and sees_no_later(network)


def sees_no_later(network: Network) -> bool:
    """Whether no step of attention lets a token see a later one, in any sequence up to the context. What reads `time`
    may know how many there are."""
    return all(_sees_no_later(step, network.context) for step in network.steps)


def _sees_no_later(step: Step, context: int) -> bool:
    if isinstance(step, Pointwise):
        return True
    match step:
        case Attention():
            return hides_later_keys(step, context)
        case Position():
            return True
        case _:
            raise no_rule("step", step)


def hides_later_keys(step: Attention, context: int) -> bool:
    """Whether the mask is causal, or a score of -inf hides each later key from every head.

    A finite mask does not count, however low it is: whether `exp` of a score underflows to zero depends on the input.
    """
    if is_causal_mask(step.mask):
        return True
    heads = {score.head for score in step.scores}
    return len(heads) == step.heads.size and all(score.formula.hides_later_keys(context) for score in step.scores)
