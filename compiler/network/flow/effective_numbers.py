"""The numbers that can change an answer: those of tensors, and those that a forward pass computes by position."""

from __future__ import annotations

from collections.abc import Iterator
from functools import reduce
from operator import or_

from compiler.expressions.values import Provenance
from compiler.network.flow.backward import Flow
from compiler.network.flow.task_tokens import Positions, positions_in
from compiler.network.flow.unknown_parameters import Free
from compiler.network.ir import Attention, HeadScore, Network, Pointwise, Position
from compiler.network.meanings import attends_to_nothing
from compiler.network.storage import tensors
from compiler.source.faults import no_rule


def acting(network: Network, flow: Flow, free: Free) -> Iterator[Provenance]:
    """Where each `free` number comes from that can change an answer, by what matters in the network."""
    for name, tensor in tensors(network).items():
        alive = flow.alive[name]
        yield from (entry.provenance for entry in tensor.entries if entry.index in alive)
    for step in network.steps:
        if isinstance(step, Pointwise):
            continue
        positions = positions_in(flow.positions[step.name])
        match step:
            case Position(terms=terms):
                for term in terms:
                    if term.dimension in flow.moved[step.name] and free(term.provenance):
                        for position in positions:
                            yield from (it.provenance for it in term.formula.numbers(position, network.context))
            case Attention(rope=rope):
                if flow.weighing[step.name]:
                    yield from (step.scale.provenance, step.mask_provenance)
                    yield from () if rope is None else (rope.provenance,)
                    yield from _scores(network, step, flow, free)
            case _:
                raise no_rule("step", step)


def _scores(network: Network, step: Attention, flow: Flow, free: Free) -> Iterator[Provenance]:
    """The numbers of scores, where a query can choose between keys: a standard softmax over one key ignores them."""
    fewest = 1 if attends_to_nothing(step.softmax) else 2
    for score in step.scores:
        if score.head in flow.weighing[step.name] and free(score.provenance):
            positions = positions_in(flow.positions[step.name])
            keys = {query: flow.sight[step.name].keys(score.head, query) for query in positions}
            for query, key in _telling_pairs(
                score, {q: seen for q, seen in keys.items() if seen.bit_count() >= fewest}
            ):
                yield from (it.provenance for it in score.formula.numbers(query, key, network.context))


def _telling_pairs(score: HeadScore, keys: dict[int, Positions]) -> Iterator[tuple[int, int]]:
    """The pairs of query and key, given the keys by query; where distances decide, one pair for each of them."""
    if not score.formula.by_distance or score.formula.reads_time:
        yield from ((query, key) for query, seen in keys.items() for key in positions_in(seen))
        return
    last = max(keys, default=0)
    distances = reduce(or_, (seen << (last - query) for query, seen in keys.items()), 0)
    yield from ((max(0, last - place), max(0, place - last)) for place in positions_in(distances))
