"""Backward through a network: which weights can change which token wins, and what attention brings to the logits.

Dimensions and positions are followed apart: a number matters where its dimension does and its position does.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import astuple, dataclass

from compiler.network import ir
from compiler.network.flow.attended_keys import Sight
from compiler.network.flow.bits import INFORMATION, Facts, both, columns, either, is_level, present
from compiler.network.flow.facts import AttentionFacts, Forward, Run
from compiler.network.flow.task_tokens import Asked, Positions, everything, positions_in
from compiler.network.flow.unknown_parameters import Free, none_free
from compiler.network.length import lengths_apart
from compiler.network.meanings import attends_to_nothing, keeps_stream
from compiler.network.storage import tensors
from compiler.source.faults import no_rule

Alive = bytes  # of each dimension of an axis, 1 where it can change the answer
_Key = tuple[str, Facts, Alive, bool]  # a step on a stream, what matters after it, and whether that is the logits


@dataclass(frozen=True)
class AttentionRole:
    """What an attention step does for the answer, in any of its runs.

    `valued`: some value is not zero; `looks`: a head with such a value sees another position than its own; `brings`:
    what it puts out depends on tokens there; `matters`: and that can change which token wins; `uneven`: a head that
    matters can weigh the tokens it sees differently.
    """

    valued: bool = False
    looks: bool = False
    brings: bool = False
    matters: bool = False
    uneven: bool = False

    def __or__(self, other: AttentionRole) -> AttentionRole:
        """The role in two runs."""
        return AttentionRole(*(a or b for a, b in zip(astuple(self), astuple(other), strict=True)))


@dataclass(frozen=True)
class Flow:
    """`alive`: by tensor, the numbers that can change which token wins; `moved`: by position step, the dimensions whose
    equations can. `attention` has every attention step by its name.

    By step, `positions` are the positions at which what it adds can do so; by attention step, `weighing` are the heads
    whose weights can, and `sight` is what they see.
    """

    alive: Mapping[str, AbstractSet[ir.Index]]
    moved: Mapping[str, AbstractSet[int]]
    attention: Mapping[str, AttentionRole]
    positions: Mapping[str, Positions]
    weighing: Mapping[str, AbstractSet[int]]
    sight: Mapping[str, Sight]


def flow(network: ir.Network, asked: Asked | None = None, free: Free = none_free) -> Flow:
    """What matters in a network: see `compiler.network.flow`. Raises `TooMuchToFollow`.

    `asked` is what a task asks of it, by default the logits of every token at every position. Of numbers that are
    `free` it is what can matter, whatever they are.
    """
    forward = Forward(network, free)
    asked = asked or everything(network)
    backward = _Backward(forward, asked, free)
    for length in lengths_apart(network, max(1, len(asked.tokens))):
        backward.follow(forward.runs(length))
    backward.note_rows()
    alive = {name: frozenset(backward.alive[name]) for name in tensors(network)}
    moved = {step.name: frozenset(backward.moved[step.name]) for step in network.steps if isinstance(step, ir.Position)}
    positions = {step.name: backward.positions[step.name] for step in network.steps}
    return Flow(alive, moved, dict(backward.roles), positions, backward.weighing, backward.sight)


class _Backward:
    """`relative`: the outputs are the logits, so that what is added to all of them alike changes nothing."""

    def __init__(self, forward: Forward, asked: Asked, free: Free) -> None:
        self.forward = forward
        self.asked = asked
        steps = forward.network.steps
        self.sight = {
            step.name: Sight(step, len(asked.tokens), free) for step in steps if isinstance(step, ir.Attention)
        }
        self.positions: dict[str, Positions] = defaultdict(int)
        self.weighing: dict[str, set[int]] = {name: set() for name in self.sight}
        self._looked_up: dict[str, list[tuple[ir.Tensor, Alive]]] = defaultdict(
            list
        )  # each table with its live columns
        self._heads: dict[_Key, set[int]] = defaultdict(set)  # whose values matter
        self._asking: set[_Key] = set()  # attention in which some query matters
        self.alive: dict[str, set[ir.Index]] = defaultdict(set)
        self.moved: dict[str, set[int]] = defaultdict(set)
        self.roles: dict[str, AttentionRole] = {}
        self._known: dict[_Key, Alive] = {}

    def follow(self, runs: tuple[Run, ...]) -> None:
        """From the logits back to the first step; once for each way in which the steps run."""
        several = len(runs[-1].after) > 1  # one class alone always wins
        alive = [bytearray(len(run.after)) for run in runs]
        alive[-1] = bytearray([several]) * len(runs[-1].after)
        positions = [*[0] * (len(runs) - 1), self.asked.read]
        for i in reversed(range(len(runs))):
            run, after = runs[i], bytes(alive[i])
            self.positions[run.step.name] |= positions[i]
            if isinstance(run.step, ir.Mix):
                self.forward.pay(run.step, len(run.before))
                streams = {name: (runs[j].after, alive[j]) for name, j in run.sources.items()}
                self._mixture(run.step, run.step.mixture, streams, after)
                for j in run.sources.values():
                    positions[j] |= positions[i]
                continue
            relative = i == len(runs) - 1
            before = self._before(run, after, relative=relative)
            if i:
                alive[i - 1] = bytearray(either(alive[i - 1], before))
                positions[i - 1] |= self._read_at(run, (run.step.name, run.before, after, relative), positions[i])

    def _read_at(self, run: Run, key: _Key, positions: Positions) -> Positions:
        """The positions at which a step reads the stream for what it gives at these."""
        if not isinstance(run.step, ir.Attention):
            return positions
        seen = self.sight[run.step.name].read(self._heads[key], positions)
        return seen | positions if keeps_stream(run.step.residual) or key in self._asking else seen

    def _before(self, run: Run, after: Alive, *, relative: bool) -> Alive:
        key = run.step.name, run.before, after, relative
        if key not in self._known:
            self.forward.pay(run.step, len(run.before))
            self._known[key] = self._through_step(run, after, relative)
        return self._known[key]

    def _through_step(self, run: Run, after: Alive, relative: bool) -> Alive:
        step, before = run.step, run.before
        key = step.name, before, after, relative
        if isinstance(step, ir.Attention | ir.FeedForward) and step.post_norm is not None:
            after, relative = self._norm(step.post_norm, self.forward.joined(step, before), after), False
        match step:
            case ir.Embedding():
                self._embedding(step, after)
                return b""
            case ir.Position():
                if step.table is not None:
                    self._looked_up[step.name].append((step.table, after))
                self.moved[step.name] |= {i for i, alive in enumerate(after) if alive}
                return after
            case ir.StreamNorm(norm=norm):
                return self._norm(norm, before, after)
            case ir.StreamScale(weight=weight):
                return self._elementwise(weight, both(after, present(before)))
            case ir.Attention():
                read = self._attention(step, after, key)
                return either(after, read) if keeps_stream(step.residual) else read
            case ir.FeedForward():
                branch, units = self.forward.units(step, before)
                hidden = self._map(step.down, units, after, relative)
                read = self._map(step.up, branch, hidden)
                if step.gate is not None:
                    read = either(read, self._map(step.gate, branch, hidden))
                read = self._norm(step.norm, before, read)
                kept_stream = after[: len(before)].ljust(len(before), b"\0")
                return either(kept_stream, read) if keeps_stream(step.residual) else read
            case ir.Head(norm=norm, logits=logits):
                return self._norm(norm, before, self._map(logits, self.forward.normed(norm, before), after, relative))
            case ir.Repeat() | ir.Mix():
                raise AssertionError(step)  # runs of their own
            case _:
                raise no_rule("step", step)

    # Parts

    def _embedding(self, step: ir.Embedding, after: Alive) -> None:
        for factor, read in reversed(list(zip(step.factors, self.forward.embedded(step), strict=False))):
            matters = bytearray(len(read))
            for index in self.forward.nonzero(factor.weight):
                if read[index[0]] and after[index[1]]:
                    matters[index[0]] = 1
                    self.alive[factor.weight.name].add(index)
            after = bytes(matters)
        self._looked_up[step.name].append((step.weight, after))

    def _map(self, map_: ir.Map, facts: Facts, after: Alive, relative: bool = False, *, biased: bool = True) -> Alive:
        """The inputs of a map that matter, given the outputs that do; not `biased`: its bias changes nothing."""
        read = facts if map_.inner is None else self.forward.through(map_.inner, facts)
        size = map_.outputs.size
        weight_rows, bias = map_.weight.shape[0], map_.bias
        matters_in = bytearray(len(read))
        if not (relative and weight_rows < size):
            matters = after if weight_rows == size else bytes([any(after)])
            level = _level_columns(map_.weight) if relative else frozenset[int]()
            for index in self.forward.nonzero(map_.weight):
                output, source = index
                if read[source] and matters[output] and source not in level:
                    matters_in[source] = 1
                    self.alive[map_.weight.name].add(index[::-1] if map_.weight.transposed else index)
        same_for_all = bias is not None and (bias.shape[0] < size or is_level(columns(bias)[0], size))
        if bias is not None and biased and not (relative and same_for_all):
            matters = after if bias.shape[0] == size else bytes([any(after)])
            for index in self.forward.nonzero(bias):
                if matters[index[0]]:
                    self.alive[bias.name].add(index)
        return bytes(matters_in) if map_.inner is None else self._map(map_.inner, facts, bytes(matters_in))

    def _norm(self, norm: ir.Norm | None, facts: Facts, after: Alive) -> Alive:
        """Each number that is not zero sets the scale of a norm: it matters where any of the output does."""
        if norm is None:
            return after
        kept = both(after, present(self.forward.rescaled(norm, facts)))
        if norm.weight is not None:
            self._elementwise(norm.weight, kept)
        if norm.bias is not None:
            self._elementwise(norm.bias, after)
        return present(facts) if any(kept) else bytes(len(facts))

    def _elementwise(self, weight: ir.Tensor, kept: Alive) -> Alive:
        matters = bytearray(len(kept))
        for index in self.forward.nonzero(weight):
            if kept[index[0]]:
                matters[index[0]] = 1
                self.alive[weight.name].add(index)
        return bytes(matters)

    def note_rows(self) -> None:
        """Notes the numbers of the rows that are looked up at positions that matter."""
        for step in self.forward.network.steps:
            for table, alive in self._looked_up[step.name]:
                positions = self.positions[step.name]
                rows = self.asked.at(positions) if isinstance(step, ir.Embedding) else set(positions_in(positions))
                numbers = self.forward.nonzero(table)
                self.alive[table.name].update(index for index in numbers if alive[index[1]] and index[0] in rows)

    def _mixture(
        self, step: ir.Mix, mixture: ir.Mixture, streams: dict[str, tuple[Facts, bytearray]], after: Alive
    ) -> None:
        """Notes in `streams` which of their dimensions matter."""
        match mixture:
            case ir.StreamAfter(step=name):
                matters = streams[name][1]
                matters[:] = either(matters, after)
            case ir.Combined(left=left, right=right):
                self._mixture(step, left, streams, after)
                self._mixture(step, right, streams, after)
            case ir.Scaled(coefficient=coefficient, stream=stream):
                inner = self.forward.mixture(step, stream, {name: facts for name, (facts, _) in streams.items()})
                if not self.forward.scales(step, coefficient) or step.weight is None:
                    return
                if any(both(after, present(inner))):
                    self.alive[step.weight.name].add((coefficient,))
                self._mixture(step, stream, streams, after)
            case _:
                raise no_rule("mix", mixture)

    # Attention

    def _attention(self, step: ir.Attention, after: Alive, known_as: _Key) -> Alive:
        """What the branch of an attention step needs of the stream, given what matters before its `post_norm`."""
        _, before, _, relative = known_as
        relative = relative and step.post_norm is None
        facts = self.forward.attention(step, before)
        match step.output:
            case ir.Map():
                mixed = self._map(step.output, facts.mixed, after, relative)
            case "identity":
                mixed = after
            case "broadcast":
                mixed = bytes([any(after) and not relative])
            case _:
                raise no_rule("output", step.output)
        queries, keys = bytearray(len(facts.queries[1])), bytearray(len(facts.keys[1]))
        values = bytearray(len(facts.values))
        shared = step.group_size
        self._note_role(step, facts, mixed)
        for head in range(step.heads.size):
            group = head // shared
            weighed = False
            for coordinate in range(step.value_dim):
                value = facts.values[group * step.value_dim + coordinate]
                if value and mixed[head * step.value_dim + coordinate]:
                    self._heads[known_as].add(head)
                    values[group * step.value_dim + coordinate] = 1
                    weighed |= bool(value & INFORMATION) or attends_to_nothing(step.softmax)
            if weighed:
                self.weighing[step.name].add(head)
            if weighed and facts.weighs[head]:
                for coordinate in range(step.head_dim):
                    query, key = head * step.head_dim + coordinate, group * step.head_dim + coordinate
                    if self.forward.scored(step, facts.queries[1][query], facts.keys[1][key]):
                        queries[query] = keys[key] = 1
        if any(queries):
            self._asking.add(known_as)
        read = self._map(step.value, facts.branch, bytes(values))
        asked = self._projected(step, step.query_norm, facts.queries[0], queries)
        told = self._projected(step, step.key_norm, facts.keys[0], keys)
        # a bias of the keys alone adds the same to the scores of all keys, which a softmax does not see
        shifts = not attends_to_nothing(step.softmax) and step.rope is None and step.key_norm is None
        read = either(read, self._map(step.query, facts.branch, asked))
        read = either(read, self._map(step.key, facts.branch, told, biased=not shifts))
        return self._norm(step.norm, before, read)

    def _projected(self, step: ir.Attention, norm: ir.Norm | None, projected: Facts, alive: bytearray) -> Alive:
        """The projected queries or keys that matter, given those after rope that do."""
        size = step.head_dim  # a pair of coordinates that rope turns is scored together
        starts = range(0, len(alive), size)
        return b"".join(self._norm(norm, projected[at : at + size], bytes(alive[at : at + size])) for at in starts)

    def _note_role(self, step: ir.Attention, facts: AttentionFacts, mixed: Alive) -> None:
        valued = looks = brings = matters = uneven = False
        shared = step.group_size
        for head in range(step.heads.size):
            for coordinate, value in enumerate(facts.values[head // shared * step.value_dim :][: step.value_dim]):
                place = head * step.value_dim + coordinate
                used = mixed[place] > 0
                weighs = bool(value & INFORMATION) or (value > 0 and attends_to_nothing(step.softmax))
                valued |= value > 0
                looks |= value > 0 and facts.looks[head]
                brings |= facts.brought[place]
                matters |= facts.brought[place] and used
                uneven |= used and weighs and facts.uneven[head]
        role = AttentionRole(valued, looks, brings, matters, uneven)
        self.roles[step.name] = self.roles.get(step.name, role) | role


def _level_columns(weight: ir.Tensor) -> frozenset[int]:
    """The inputs that a map adds to all of its outputs alike."""
    return frozenset(i for i, column in columns(weight).items() if is_level(column, weight.shape[0]))
