"""Which networks are causal: no query sees a later token, so that an answer after the prompt gives nothing away."""

from __future__ import annotations

from compiler.ir import Attention, Network


def is_causal(network: Network) -> bool:
    """Whether no step of attention lets a token see a later one, in any sequence up to the context."""
    return all(hides_later_keys(step, network.context) for step in network.steps if isinstance(step, Attention))


def hides_later_keys(step: Attention, context: int) -> bool:
    """Whether the mask is causal, or a score of -inf hides each later key from every head.

    A finite mask does not count, however low it is: whether `exp` of a score underflows to zero depends on the input.
    """
    if step.mask == "causal":
        return True
    heads = {score.head for score in step.scores}
    return len(heads) == step.heads.size and all(score.formula.hides_later_keys(context) for score in step.scores)
