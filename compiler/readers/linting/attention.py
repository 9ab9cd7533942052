"""Rules about attention: that there is some, that it matters, that no token sees a later one."""

from __future__ import annotations

from collections.abc import Iterator

from compiler.expressions.arithmetic import as_figure
from compiler.network.causality import hides_later_keys
from compiler.network.flow.backward import AttentionRole
from compiler.network.ir import Attention
from compiler.network.length import time_read
from compiler.network.meanings import added_to_later
from compiler.readers.linting.rule import Examined, Finding
from compiler.readers.linting.spans import option, step_key, top_level
from compiler.source.text import Span


def attention_matters(examined: Examined) -> Iterator[Finding]:
    """Some attention step brings what other tokens say to a difference between two logits."""
    spec, roles = examined.spec, examined.flow.attention
    steps = [step for step in spec.network.steps if isinstance(step, Attention)]
    if not steps:
        yield Finding("there is no attention step: each logit depends on one token alone", _network(examined))
    elif not any(roles[step.name].matters for step in steps):
        for step in steps:
            key = step_key(spec, step.name)
            yield Finding(_why_not(roles[step.name]), _network(examined) if key is None else key.span)


def _network(examined: Examined) -> Span | None:
    return top_level(examined.spec, "network")


def _why_not(role: AttentionRole) -> str:
    if not role.valued:
        return "the values of this attention are all zero"
    if not role.looks:
        return "each position attends to nothing but itself"
    if not role.brings:
        return "what this attention puts out does not depend on other tokens"
    return "what this attention puts out cannot change which token wins: it reaches no logit, or all of them alike"


def weighs_tokens(examined: Examined) -> Iterator[Finding]:
    """An attention step that matters weighs the tokens it sees differently."""
    spec, roles = examined.spec, examined.flow.attention
    for step in spec.network.steps:
        if isinstance(step, Attention) and roles[step.name].matters and not roles[step.name].uneven:
            key = step_key(spec, step.name)
            message = "this attention weighs all tokens that it sees alike: it is a mean"
            yield Finding(message, None if key is None else key.span)


def sees_later_tokens(examined: Examined) -> Iterator[Finding]:
    """No position sees a later token."""
    dtype = examined.spec.network.dtype
    for step in _open(examined):
        added, place = added_to_later(step.mask), option(examined.spec, step.name, "mask")
        if added is None:
            yield Finding("each position sees later tokens too", place)
        elif added >= 0:
            yield Finding(f"a mask of {as_figure(added, dtype)} hides no later token", place)
    for place in time_read(examined.spec.network):
        yield Finding("what reads the length knows at each position how many tokens follow", place)


def hides_softly(examined: Examined) -> Iterator[Finding]:
    """Later tokens are left out altogether, not by a number that a large score can outweigh."""
    dtype = examined.spec.network.dtype
    for step in _open(examined):
        added = added_to_later(step.mask)
        if added is not None and added < 0:
            shown = as_figure(added, dtype)
            message = f"later tokens are hidden by adding {shown} to their scores, which large scores outweigh"
            yield Finding(message, option(examined.spec, step.name, "mask"))


def _open(examined: Examined) -> Iterator[Attention]:
    """The attention steps of which no mask, and no score of -inf, hides later tokens."""
    network = examined.spec.network
    steps = (step for step in network.steps if isinstance(step, Attention))
    return (step for step in steps if not hides_later_keys(step, network.context))
