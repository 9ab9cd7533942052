"""A network without its names, as a value: two are equal where every number and option of the networks is, by place."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field, fields, is_dataclass

from compiler.expressions.axes import Axis
from compiler.expressions.positions import PairFormula, PositionFormula, lengths
from compiler.network.ir import Attention, Embedding, Map, Mask, Network, Repeat, StreamAfter, Tensor
from compiler.network.meanings import unmasked_keys
from compiler.readers.diffing.multiplying import multiplied

# what names, and what follows from the shapes of tensors
UNSEEN = ("name", "equation", "equations", "provenance", "mask_provenance", "weight_tie", "table_tie", "inputs")


def nameless(network: Network, *, multiplied_out: bool = False, untied: bool = False) -> Hashable:
    """What the network computes with. Products may be multiplied out, and ties forgotten."""
    return _Reader(network, multiplied_out, untied).value(network)


@dataclass(frozen=True)
class _Reader:
    network: Network
    multiplied_out: bool
    untied: bool
    _seen: dict[tuple[str, ...], int] = field(default_factory=dict)

    def value(self, part: object) -> Hashable:
        match part:
            case Axis():
                return part.size
            case Tensor():
                return self._tensors((part,))
            case Map() if self.multiplied_out:
                return self._tensors(_chain(part)), self.value(part.bias)
            case Embedding() if self.multiplied_out:
                return self._tensors((part.weight, *(factor.weight for factor in part.factors)))
            case PositionFormula():
                return tuple((*case, part.at(*case).value) for case in part.cases(self.network.context))
            case Attention():
                return self._fields(part, "scores"), self._scores(part)
            case StreamAfter():
                return self._step(part.step)
            case Repeat():
                return "Repeat", tuple(map(self._step, part.steps)), part.times
            case tuple():
                return tuple(map(self.value, part))
            case _ if is_dataclass(part):
                return self._fields(part)
            case _:
                assert isinstance(part, Hashable)
                return part

    def _fields(self, part: object, *left_out: str) -> Hashable:
        assert is_dataclass(part)
        names = [item.name for item in fields(part) if item.name not in (*UNSEEN, *left_out)]
        return type(part).__name__, *(self.value(getattr(part, name)) for name in names)

    def _tensors(self, factors: tuple[Tensor, ...]) -> Hashable:
        """The tensor, or the product of several; with a number that is the same where it is the same tensor."""
        names = tuple(factor.name for factor in factors)
        identity = None if self.untied else self._seen.setdefault(names, len(self._seen))
        matrices = [{entry.index: entry.value for entry in factor.entries if entry.value} for factor in factors]
        product = matrices[0] if len(factors) == 1 else multiplied(matrices, self.network.dtype)
        if product is None:
            return names, identity
        shape = factors[0].shape if len(factors) == 1 else (factors[0].shape[0], factors[-1].shape[-1])
        turned = not self.untied and any(factor.transposed for factor in factors)
        return shape, identity, turned, tuple(sorted(product.items()))

    def _scores(self, step: Attention) -> Hashable:
        return tuple(sorted((score.head, self._score(score.formula, step.mask)) for score in step.scores))

    def _score(self, formula: PairFormula, mask: Mask) -> tuple[tuple[float, ...], ...]:
        """Its numbers by distance, where that decides, if only by chance; else by query and key; for each length, where
        it reads that."""
        length = self.network.context
        if formula.reads_time:
            every = (formula.telling_rows(time, unmasked_keys(mask, time)) for time in lengths(length, varies=True))
            return tuple(tuple(row.values()) for rows in every for _, row in rows)
        keys = unmasked_keys(mask, length)
        if formula.by_distance:
            return (tuple(formula.distances(length, keys)),)
        rows = tuple(map(tuple, formula.table(length, keys)))
        by_distance = rows[-1] + rows[0][1:]
        shifted = all(row == by_distance[length - 1 - query :][:length] for query, row in enumerate(rows))
        return (by_distance,) if shifted else rows

    def _step(self, name: str) -> int:
        return next(place for place, step in enumerate(self.network.steps) if step.name == name)


def _chain(map_: Map) -> tuple[Tensor, ...]:
    return (map_.weight,) if map_.inner is None else (map_.weight, *_chain(map_.inner))
