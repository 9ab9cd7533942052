"""The numbers that can change an answer: those of tensors, and those that a forward pass computes by position."""

from __future__ import annotations

from collections.abc import Iterator

from compiler.expressions.values import Provenance
from compiler.network.flow.backward import Flow
from compiler.network.flow.task_tokens import positions_in
from compiler.network.flow.unknown_parameters import Free
from compiler.network.ir import Attention, Network, Pointwise, Position
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
            for query in positions_in(flow.positions[step.name]):
                keys = positions_in(flow.sight[step.name].keys(score.head, query))
                if len(keys) >= fewest:
                    for key in keys:
                        yield from (it.provenance for it in score.formula.numbers(query, key, network.context))
