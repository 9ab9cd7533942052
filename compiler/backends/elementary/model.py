"""Network IR to programs that say what a task's answers are, by the same operations as the plain module's."""

from __future__ import annotations

from collections.abc import Sequence

from compiler.backends.elementary.attention import attention
from compiler.backends.elementary.builder import Builder, Totals
from compiler.backends.elementary.embedding import embedding
from compiler.backends.elementary.ffn import feed_forward
from compiler.backends.elementary.head import head
from compiler.backends.elementary.norm import norm
from compiler.backends.elementary.position import position
from compiler.backends.elementary.program import Decision, NotFollowed, Program
from compiler.backends.elementary.repeat import mix, repeat
from compiler.backends.elementary.scale import scale
from compiler.network import ir
from compiler.network.causality import hides_later_keys
from compiler.network.length import reads_time, unrolled
from compiler.source.faults import no_rule
from compiler.tasks.layout import Layout

MAX_PROGRAMS = 50


def translate(network: ir.Network, layout: Layout) -> tuple[Program, ...]:
    """The programs that together say every predicted token after the right ones before it.

    One program is enough where nothing before the last attention sees later tokens, as the last query of each prefix
    has none, and nothing reads the length. Otherwise each token has a program of its own, for the sequence that ends
    before it. Raises `NotFollowed`.
    """
    totals, slots = Totals(), layout.predicted
    _check_layout(layout)
    if layout.in_place:
        return (_program(network, totals, len(layout.prompt), layout.read_at, slots, ends_read=False),)
    if _one_is_enough(network):
        reads = [_read(layout, slot) for slot in slots]
        return (_program(network, totals, reads[-1] + 1, reads, slots, ends_read=True),)
    if len(slots) > MAX_PROGRAMS:
        raise NotFollowed(f"each of {len(slots)} tokens needs a program of its own; at most {MAX_PROGRAMS} are made")
    return tuple(
        _program(network, totals, _read(layout, slot) + 1, [_read(layout, slot)], (slot,), ends_read=False)
        for slot in slots
    )


def translate_slot(network: ir.Network, layout: Layout, slot: int) -> Program:
    """A program that says one of the `layout.predicted` alone, for the sequence that ends before it: for the prompt,
    where the answer is read in place.

    It is made as `translate` makes one for this token, but counted by itself: such programs are run one after the
    other. Raises `NotFollowed`.
    """
    _check_layout(layout)
    if layout.in_place:
        return _program(network, Totals(), len(layout.prompt), [layout.read_at[slot]], (slot,), ends_read=False)
    read = _read(layout, slot)
    return _program(network, Totals(), read + 1, [read], (slot,), ends_read=_one_is_enough(network))


def _check_layout(layout: Layout) -> None:
    if layout.slides:
        raise NotFollowed(f"the model sees {layout.window} tokens at a time, which slide along the sequence")
    if not layout.predicted:
        raise NotFollowed("the model predicts no token of the answer")


def _read(layout: Layout, slot: int) -> int:
    """Where a token of an answer that follows the prompt is read."""
    return len(layout.prompt) - 1 + slot


def _one_is_enough(network: ir.Network) -> bool:
    """Whether one sequence shows what each of its prefixes does."""
    if reads_time(network):
        return False
    return all(hides_later_keys(step, network.context) for step in _attention_order(network, network.context)[:-1])


def _attention_order(network: ir.Network, length: int) -> list[ir.Attention]:
    """The steps of attention as they are run, in a sequence of so many tokens."""
    steps = (run for step in network.steps for run in unrolled(network, step, length))
    return [step for step in steps if isinstance(step, ir.Attention)]


def _program(
    network: ir.Network,
    totals: Totals,
    length: int,
    reads: Sequence[int],
    slots: tuple[int, ...],
    *,
    ends_read: bool,
) -> Program:
    """`ends_read`: each token that is read ends its sequence, so that no key is later than the last query."""
    builder = Builder(network, totals, length, len(_attention_order(network, length)) if ends_read else -1)
    decision = _build(builder, tuple(reads))
    prefixes = tuple(read + 1 if ends_read else length for read in reads)
    return Program(tuple(builder.nodes), decision, network.dtype, length, network.vocabulary.size, slots, prefixes)


def _build(builder: Builder, reads: tuple[int, ...]) -> Decision:
    network, stream = builder.network, -1
    for step in network.steps:
        if isinstance(step, ir.Head):
            builder.step = step.name
            return head(builder, step, stream, reads)
        stream = _append(builder, step, stream)
        builder.streams[step.name] = stream
    return Decision(stream, None, network.classes.size, reads, network.decode)


def _append(builder: Builder, step: ir.Step, stream: int) -> int:
    """The stream after a step."""
    builder.step = step.name
    match step:
        case ir.Embedding():
            return embedding(builder, step)
        case ir.Position():
            return position(builder, step, stream)
        case ir.StreamNorm():
            return norm(builder, stream, step.norm)
        case ir.StreamScale():
            return scale(builder, step, stream)
        case ir.Attention():
            return attention(builder, step, stream)
        case ir.FeedForward():
            return feed_forward(builder, step, stream)
        case ir.Repeat():
            return repeat(builder, step, stream, lambda again, before: _append(builder, again, before))
        case ir.Mix():
            return mix(builder, step)
        case ir.Head():
            raise AssertionError("the head is the last step")
        case _:
            raise no_rule("step", step)
