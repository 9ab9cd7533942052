"""The numbers that can change an answer: those of tensors, and those that a forward pass computes by position."""

from __future__ import annotations

from collections.abc import Iterator

from compiler.expressions.values import Provenance
from compiler.flow.asked import listed
from compiler.flow.reach import Flow
from compiler.flow.unknown import Free
from compiler.ir import Attention, Network, Position
from compiler.storage import tensors


def acting(network: Network, flow: Flow, free: Free) -> Iterator[Provenance]:
    """Where each `free` number comes from that can change an answer, by what matters in the network."""
    for name, tensor in tensors(network).items():
        alive = flow.alive[name]
        yield from (entry.provenance for entry in tensor.entries if entry.index in alive)
    for step in network.steps:
        places = listed(flow.places[step.name])
        if isinstance(step, Position):
            for term in step.terms:
                if term.dimension in flow.moved[step.name] and free(term.provenance):
                    yield from (term.formula.at(place).provenance for place in places)
        if isinstance(step, Attention) and flow.weighing[step.name]:
            yield from (step.scale.provenance, step.mask_provenance)
            if step.rope is not None:
                yield step.rope.provenance
            yield from _scores(step, flow, places, free)


def _scores(step: Attention, flow: Flow, places: list[int], free: Free) -> Iterator[Provenance]:
    """Those of scores between which a query can choose: of a single key a standard softmax does not see the score."""
    fewest = 2 if step.softmax == "standard" else 1
    for score in step.scores:
        if score.head in flow.weighing[step.name] and free(score.provenance):
            for query in places:
                keys = listed(flow.sight[step.name].keys(score.head, query))
                if len(keys) >= fewest:
                    yield from (score.formula.at(query, key).provenance for key in keys)
