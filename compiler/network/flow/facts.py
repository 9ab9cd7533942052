"""Forward through a network: which intermediate numbers can be nonzero, and what each depends on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from compiler.network import ir
from compiler.network.flow.bits import (
    INFORMATION,
    NONZERO,
    OTHERS,
    POSITION,
    TOKEN,
    Facts,
    by_column,
    either,
    fact_or_zero,
    product,
    seen_by,
    turned,
    union,
)
from compiler.network.flow.unknown_parameters import Free, none_free, with_unknown
from compiler.network.length import unrolled
from compiler.network.meanings import (
    added_to_later,
    attends_to_nothing,
    divides,
    keeps_stream,
    keeps_zero,
    picks_one,
    subtracts_mean,
    ties_of,
)
from compiler.network.storage import stored
from compiler.source.faults import no_rule
from compiler.source.limits import MAX_FLOW_WORK

BYTES_AT_ONCE = 20  # facts of a stream that are joined in the time that one weight takes


@dataclass(frozen=True)
class AttentionFacts:
    """The facts inside an attention step. Queries and keys: as projected, and as they are scored.

    By head: whether it sees other positions than its own (`looks`), whether its products with keys can change its
    weights (`weighs`), whether its weights can differ between the tokens it sees (`uneven`). By coordinate of the mixed
    values: whether it depends on tokens at other positions because of this step (`brought`).
    """

    branch: Facts
    queries: tuple[Facts, Facts]
    keys: tuple[Facts, Facts]
    values: Facts
    mixed: Facts
    looks: tuple[bool, ...]
    weighs: tuple[bool, ...]
    uneven: tuple[bool, ...]
    brought: tuple[bool, ...]


@dataclass(frozen=True)
class Run:
    """A step as it runs, once more for every repetition; a mix reads the runs `sources`, other steps the last one."""

    step: ir.Step
    before: Facts
    after: Facts
    sources: Mapping[str, int] = field(default_factory=dict)


class TooMuchToFollow(Exception):
    """Following a network takes too much work: its steps run again and again on new facts. `step` is where it ended."""

    def __init__(self, step: str) -> None:
        super().__init__(step)
        self.step = step


class Forward:
    """Facts of a network, whatever its numbers are that are `free`.

    The same step on the same facts is computed once, as repetitions may be many. Each computation is paid for first;
    `pay` raises `TooMuchToFollow` where too little is left.
    """

    def __init__(self, network: ir.Network, free: Free = none_free) -> None:
        self.network = with_unknown(network, free)
        self._free = free
        self._left = MAX_FLOW_WORK
        self._costs = _costs(network)
        self._nonzero: dict[str, tuple[ir.Index, ...]] = {}
        self._attention: dict[tuple[str, Facts], AttentionFacts] = {}
        self._after: dict[tuple[str, Facts], Facts] = {}
        self._sees: dict[str, list[tuple[bool, bool]]] = {}

    def runs(self, length: int) -> tuple[Run, ...]:
        """Every step in the order in which it runs, in a sequence of so many tokens."""
        made: list[Run] = []
        last: dict[str, int] = {}  # the run after which a step named in a mix has left its stream
        for step in self.network.steps:
            for inner in unrolled(self.network, step, length):
                before = made[-1].after if made else b""
                if isinstance(inner, ir.Mix):
                    self.pay(inner, len(before))
                    streams = {name: made[i].after for name, i in last.items()}
                    made.append(Run(inner, before, self.mixture(inner, inner.mixture, streams), dict(last)))
                else:
                    made.append(Run(inner, before, self.after(inner, before)))
            last[step.name] = len(made) - 1
        return tuple(made)

    def pay(self, step: ir.Step, dimensions: int) -> None:
        """Pay for one pass through a step, on a stream of so many dimensions."""
        streams = _streams(step.mixture) if isinstance(step, ir.Mix) else 1
        self._left -= self._costs[step.name] + streams * (dimensions // BYTES_AT_ONCE)
        if self._left < 0:
            raise TooMuchToFollow(step.name)

    def nonzero(self, tensor: ir.Tensor) -> tuple[ir.Index, ...]:
        """Where a tensor has numbers that are not zero."""
        if tensor.read_as not in self._nonzero:
            self._nonzero[tensor.read_as] = tuple(entry.index for entry in tensor.entries if entry.value)
        return self._nonzero[tensor.read_as]

    def after(self, step: ir.Step, before: Facts) -> Facts:
        """The stream, or the logits, after one step."""
        key = step.name, before
        if key not in self._after:
            self.pay(step, len(before))
            self._after[key] = self._compute(step, before)
        return self._after[key]

    def _compute(self, step: ir.Step, before: Facts) -> Facts:
        match step:
            case ir.Embedding():
                return self.embedded(step)[-1]
            case ir.Position():
                return either(before, self._positions(step))
            case ir.StreamNorm(norm=norm):
                return self.normed(norm, before)
            case ir.StreamScale(weight=weight):
                return self._scaled(weight, before)
            case ir.Attention() | ir.FeedForward():
                return self.normed(step.post_norm, self.joined(step, before))
            case ir.Head(norm=norm, logits=logits):
                return self.through(logits, self.normed(norm, before))
            case ir.Repeat() | ir.Mix():
                raise AssertionError(step)  # runs of their own
            case _:
                raise no_rule("step", step)

    def joined(self, step: ir.Attention | ir.FeedForward, before: Facts) -> Facts:
        """The stream after a step, and before its `post_norm`."""
        change = self._change(step, before)
        if not keeps_stream(step.residual):
            return change
        return either(before[: len(change)].ljust(len(change), b"\0"), change)

    def _change(self, step: ir.Attention | ir.FeedForward, before: Facts) -> Facts:
        """What a step puts out."""
        if isinstance(step, ir.FeedForward):
            return self.through(step.down, self.units(step, before)[1])
        mixed = self.attention(step, before).mixed
        if isinstance(step.output, ir.Map):
            return self.through(step.output, mixed)
        return _spread(step.output, mixed, step.stream.size)

    def embedded(self, step: ir.Embedding) -> list[Facts]:
        """What is looked up for a token, and then what each factor makes of that."""
        stages = [by_column(step.weight, TOKEN)]
        for factor in step.factors:
            outputs = bytearray(factor.outputs.size)
            for source, output in self.nonzero(factor.weight):
                outputs[output] |= stages[-1][source]
            stages.append(bytes(outputs))
        return stages

    def through(self, map_: ir.Map, facts: Facts) -> Facts:
        """The outputs of an affine map."""
        if map_.inner is not None:
            facts = self.through(map_.inner, facts)
        outputs = bytearray(map_.weight.shape[0])
        for output, source in self.nonzero(map_.weight):
            outputs[output] |= facts[source]
        size = map_.outputs.size
        made = outputs if len(outputs) == size else bytearray(bytes(outputs) * size)
        if map_.bias is not None:
            biased = self.nonzero(map_.bias)
            for output in range(size) if biased and map_.bias.axes[0] is None else (index[0] for index in biased):
                made[output] |= NONZERO
        return bytes(made)

    def normed(self, norm: ir.Norm | None, facts: Facts) -> Facts:
        """After a norm."""
        if norm is None:
            return facts
        made = bytearray(self.rescaled(norm, facts))
        for (i,) in () if norm.bias is None else self.nonzero(norm.bias):
            made[i] |= NONZERO
        return bytes(made)

    def rescaled(self, norm: ir.Norm, facts: Facts) -> Facts:
        """After a norm without its bias: each number depends on all, as they set the scale. `layer` subtracts the
        mean."""
        every = union(set(facts))
        if subtracts_mean(norm.kind):
            made = bytes([every if norm.axis.size > 1 else 0]) * len(facts)
        else:
            made = fact_or_zero(facts, every)
        return made if norm.weight is None else self._scaled(norm.weight, made)

    def _scaled(self, weight: ir.Tensor, facts: Facts) -> Facts:
        scaled = bytearray(len(facts))
        for (i,) in self.nonzero(weight):
            scaled[i] = facts[i]
        return bytes(scaled)

    def units(self, step: ir.FeedForward, before: Facts) -> tuple[Facts, Facts]:
        """The branch of a feed-forward step, and what `down` reads."""
        branch = self.normed(step.norm, before)
        up = self.through(step.up, branch)
        if step.gate is None:
            return branch, _activated(step.activation, up)
        return branch, product(_activated(step.activation, self.through(step.gate, branch)), up)

    def mixture(self, step: ir.Mix, mixture: ir.Mixture, streams: Mapping[str, Facts]) -> Facts:
        """A combination of streams after earlier steps."""
        match mixture:
            case ir.StreamAfter(step=name):
                return streams[name]
            case ir.Combined(left=left, right=right):
                return either(self.mixture(step, left, streams), self.mixture(step, right, streams))
            case ir.Scaled(coefficient=coefficient, stream=stream):
                inner = self.mixture(step, stream, streams)
                return inner if self.scales(step, coefficient) else bytes(len(inner))
            case _:
                raise no_rule("mix", mixture)

    def scales(self, step: ir.Mix, coefficient: int) -> bool:
        """Whether a coefficient of a mix is not zero."""
        return step.weight is not None and (coefficient,) in self.nonzero(step.weight)

    # Attention

    def attention(self, step: ir.Attention, before: Facts) -> AttentionFacts:
        """What is inside an attention step that reads this stream."""
        key = step.name, before
        if key not in self._attention:
            self._attention[key] = self._inside(step, before)
        return self._attention[key]

    def _inside(self, step: ir.Attention, before: Facts) -> AttentionFacts:
        branch = self.normed(step.norm, before)
        queries = self._projected(step.query, step.query_norm, step, branch)
        keys = self._projected(step.key, step.key_norm, step, branch)
        values = self.through(step.value, branch)
        shared = step.group_size
        mixed, brought = bytearray(), list[bool]()
        looks, weighs, uneven = [], [], []
        some_count_less = (added_to_later(step.mask) or 0.0) != 0 or picks_one(ties_of(step.softmax))
        for head in range(step.heads.size):
            group = head // shared
            pairs = self.products(step, head, queries[1], keys[1])
            looking, formula_varies = self._seen(step)[head]
            pairs = pairs if looking or attends_to_nothing(step.softmax) else []  # one token alone has all the weight
            asked, told = union(a for a, _ in pairs), union(b for _, b in pairs) & INFORMATION
            looks.append(looking)
            weighs.append(bool(told) or (attends_to_nothing(step.softmax) and bool(pairs)))
            uneven.append(bool(told) or formula_varies or (looking and some_count_less))
            others = OTHERS if looking else 0
            for value in values[group * step.value_dim :][: step.value_dim]:
                fact, carried = value, 0
                if value & (TOKEN | OTHERS):
                    carried |= others
                if value & INFORMATION or (value and attends_to_nothing(step.softmax)):  # else they add up to the same
                    fact |= (asked | told if weighs[-1] else 0) | (POSITION if looking or formula_varies else 0)
                    if weighs[-1] and told & (TOKEN | OTHERS):
                        carried |= others
                mixed.append(fact | carried)
                brought.append(bool(carried))
        made = branch, queries, keys, values, bytes(mixed)
        return AttentionFacts(*made, tuple(looks), tuple(weighs), tuple(uneven), tuple(brought))

    def products(self, step: ir.Attention, head: int, queries: Facts, keys: Facts) -> list[tuple[int, int]]:
        """The coordinates in which a head's product of query and key can be nonzero, by the facts of both.

        Without `plus_one` a score that is the same for all keys changes nothing: such coordinates are left out.
        """
        if not divides(step.scale.operation) and step.scale.value == 0:
            return []
        size, group = step.head_dim, head // step.group_size
        pairs = zip(queries[head * size :][:size], keys[group * size :][:size], strict=True)
        return [(a, b) for a, b in pairs if self.scored(step, a, b)]

    def scored(self, step: ir.Attention, query: int, key: int) -> bool:
        """Whether the product of two coordinates can change the weights of a head."""
        return bool(query and key and (key & INFORMATION or attends_to_nothing(step.softmax)))

    def _projected(self, map_: ir.Map, norm: ir.Norm | None, step: ir.Attention, branch: Facts) -> tuple[Facts, Facts]:
        projected = self.through(map_, branch)
        size = step.head_dim
        heads = (self.normed(norm, projected[start : start + size]) for start in range(0, len(projected), size))
        return projected, b"".join(turned(head, step.rope) for head in heads)

    def _seen(self, step: ir.Attention) -> list[tuple[bool, bool]]:
        if step.name not in self._sees:
            self._sees[step.name] = seen_by(step, self.network.context, self._free)
        return self._sees[step.name]

    # Positions

    def _positions(self, step: ir.Position) -> Facts:
        """What a position step adds to each dimension."""
        if step.table is not None:
            return by_column(step.table, POSITION)
        added = bytearray(step.stream.size)
        for term in step.terms:
            if self._free(term.provenance):
                added[term.dimension] = NONZERO | POSITION
                continue
            for column in term.formula.telling_columns(self.network.context):
                if column != {0}:
                    added[term.dimension] |= NONZERO if len(column) == 1 else NONZERO | POSITION
        return bytes(added)


def _costs(network: ir.Network) -> Counter[str]:
    """By step, about how many weights one pass through it reads; the work for a head counts as several."""
    costs = Counter[str]()
    for group in stored(network):
        costs[group.step] += sum(len(tensor.entries) for tensor in (group.weight, group.bias) if tensor is not None)
    for step in network.steps:
        if isinstance(step, ir.Attention):
            costs[step.name] += step.heads.size * (10 + 4 * (step.head_dim + step.value_dim))
    return costs


def _streams(mixture: ir.Mixture) -> int:
    """How many streams a mix adds up."""
    match mixture:
        case ir.StreamAfter():
            return 1
        case ir.Combined(left=left, right=right):
            return _streams(left) + _streams(right)
        case ir.Scaled(stream=stream):
            return 1 + _streams(stream)
        case _:
            raise no_rule("mix", mixture)


def _activated(activation: ir.ActivationKind, facts: Facts) -> Facts:
    """The facts of an activation's numbers."""
    return facts if keeps_zero(activation) else either(facts, bytes([NONZERO]) * len(facts))


def _spread(output: ir.OutputWord, mixed: Facts, dimensions: int) -> Facts:
    """What heads without a projection put out."""
    match output:
        case "identity":
            return mixed
        case "broadcast":
            return mixed * dimensions
        case _:
            raise no_rule("output", output)
