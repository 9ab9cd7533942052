"""Network IR to programs that say what a task's answers are, by the same operations as the plain module's."""

from __future__ import annotations

from collections.abc import Container, Iterator

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
    before it. Tokens that are said after a whole window share one, which is run from where each of these windows
    starts. Raises `NotFollowed`.
    """
    totals, together = Totals(), _one_is_enough(network, layout)
    groups = _sharing(network, layout, together=together)
    return tuple(_program(network, totals, layout, slots, ends_read=together) for slots in groups)


def translate_wanted(network: ir.Network, layout: Layout, wanted: Container[int]) -> Iterator[Program]:
    """Those of the programs of `translate` that say a wanted slot, made one after the other. Each is counted by itself.

    Raises `NotFollowed`.
    """
    together = _one_is_enough(network, layout)
    for slots in _sharing(network, layout, together=together):
        if any(slot in wanted for slot in slots):
            yield _program(network, Totals(), layout, slots, ends_read=together)


def _sharing(network: ir.Network, layout: Layout, *, together: bool) -> list[tuple[int, ...]]:
    """The predicted slots, in groups that one program says each. `together`: whether all are one that are not said
    after a whole window. Raises `NotFollowed`."""
    if not layout.predicted:
        raise NotFollowed("the model predicts no token of the answer")
    if layout.in_place:
        return [layout.predicted]
    whole = tuple(slot for slot in layout.predicted if layout.slides and len(layout.seen(slot)) == layout.window)
    others = layout.predicted[: len(layout.predicted) - len(whole)]
    if together:
        groups = [others]
    elif len(others) <= MAX_PROGRAMS:
        groups = [(slot,) for slot in others]
    else:
        needs = f"each of {len(others)} tokens needs a program of its own, as"
        most = f"at most {MAX_PROGRAMS} are made: give"
        if reads_time(network):
            raise NotFollowed(f"{needs} the length of the sequence is read; {most} the task a `window`")
        raise NotFollowed(
            f"{needs} attention before the last one sees later tokens; {most} it a causal mask, or the task a `window`"
        )
    return [slots for slots in (*groups, whole) if slots]


def _one_is_enough(network: ir.Network, layout: Layout) -> bool:
    """Whether each token that is read can end its sequence, as nothing that is mixed for it has seen a later one, or
    knows how many follow."""
    attentions = _attention_order(network, network.context)[:-1]
    alike = not reads_time(network) and all(hides_later_keys(step, network.context) for step in attentions)
    return not layout.in_place and alike


def _attention_order(network: ir.Network, length: int) -> list[ir.Attention]:
    """The steps of attention as they are run, in a sequence of so many tokens."""
    steps = (run for step in network.steps for run in unrolled(network, step, length))
    return [step for step in steps if isinstance(step, ir.Attention)]


def _program(
    network: ir.Network, totals: Totals, layout: Layout, slots: tuple[int, ...], *, ends_read: bool
) -> Program:
    """`ends_read`: each token that is read ends its sequence, so that no key is later than the last query."""
    seen = {slot: layout.seen(slot) for slot in slots}
    starts = tuple(dict.fromkeys(positions.start for positions in seen.values()))
    first = tuple(slot for slot, positions in seen.items() if positions.start == starts[0])
    length = len(seen[slots[-1]])
    builder = Builder(network, totals, length, len(_attention_order(network, length)) if ends_read else -1)
    decision = _build(builder, tuple(layout.read_in(slot) for slot in first))
    prefixes = tuple(len(seen[slot]) for slot in first)
    vocabulary = network.vocabulary.size
    possible = _possible(layout, length, starts)
    return Program(tuple(builder.nodes), decision, network.dtype, length, vocabulary, first, prefixes, starts, possible)


def _possible(layout: Layout, length: int, starts: tuple[int, ...]) -> tuple[tuple[int, ...], ...]:
    """The tokens that can stand at each position, from any of the starts."""
    tokens = [slot.possible for slot in (*layout.prompt, *layout.answer)]
    return tuple(tuple(sorted({t for start in starts for t in tokens[start + p]})) for p in range(length))


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
