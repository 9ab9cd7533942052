"""What one query mixes, over many inputs at once: numerators and denominators of its softmax are separable forms.

The score of a key depends on the query and on the key's own column only, once the query is given. So Σ e^s v and Σ e^s
are both separable, exactly; only their ratio is not linear.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from compiler.elementary.program import Attended, Mixed
from compiler.fast.attention import NEGLIGIBLE, score
from compiler.fast.bounds import ZERO, Arithmetic, Bounded, Quantity
from compiler.fast.demand import live_heads
from compiler.fast.separable import head_tables
from compiler.verifier.forms import Array, Forms, forms, highest
from compiler.verifier.sequences import CONSTANT, Sequences

Value = Sequence[Bounded]  # one for each channel


@dataclass(frozen=True, eq=False)
class HeadForms:
    """One head: its channels, the forms of Σ w v of each and of Σ w (None where the weights are known), by number.

    The rest [cases], or [cases, channels], bounds sums over the keys: `more` is what the weights are off, `off` what
    products with values are off, `size` their size; `nothing` is the weight of attending to no key.
    """

    channels: tuple[int, ...]
    mixed: tuple[int, ...]
    weight: int | None
    more: Array
    off: Array
    size: Array
    nothing: Array
    most: int


@dataclass(frozen=True, eq=False)
class AttentionForms:
    """A query that may be one of several `cases`: the forms of all its heads."""

    forms: Forms
    heads: tuple[HeadForms, ...]


@dataclass
class _Tables:
    """Forms as they are found, [columns, steps, cases] each."""

    sequences: Sequences
    positions: tuple[int, ...]
    cases: int
    constants: list[Array]
    tables: list[Array]

    def add(self, table: Tensor, constant: Array | float = 0.0) -> int:
        """A form by what each key adds, [cases, keys, steps]; its number."""
        count = len(self.sequences.automaton.columns)
        full = np.zeros((count, self.sequences.steps, self.cases))
        own = np.zeros(self.cases) + constant
        for i, position in enumerate(self.positions):
            column = self.sequences.columns[position]
            part = table[:, i].numpy()
            if column == CONSTANT:
                own += part[:, 0]
            else:
                full[column] += part.T
        self.constants.append(own)
        self.tables.append(full)
        return len(self.tables) - 1

    def highest(self, tables: Sequence[Tensor]) -> Array:
        """The largest sum of each, [cases, tables]."""
        probe = _Tables(self.sequences, self.positions, self.cases, [], [])
        for table in tables:
            probe.add(table)
        if not tables:
            return np.zeros((self.cases, 0))
        return highest(self.sequences.automaton, np.stack(probe.constants, -1), np.stack(probe.tables, -1))


def attention_forms(
    a: Arithmetic,
    operation: Attended | Mixed,
    live: Sequence[int],
    sequences: Sequences,
    position: int,
    cases: int,
    query: Value,
    seen: tuple[int, ...],
    keys: Value,
    values: Value,
) -> AttentionForms:
    """The forms of the query at a position.

    A channel of `query` is [cases], of `keys` and `values` [seen, steps]: those at the positions in `seen`.
    """
    tables = _Tables(sequences, seen, cases, [], [])
    heads = []
    for head in live_heads(operation, live):
        wanted = [c for c in live if c // operation.value_dim == head]
        channels = operation.value_channels(head)
        own = [_key(values[channels[c % operation.value_dim]]) if values else ZERO for c in wanted]
        visible = operation.visible_to(head)[position, list(seen)]
        if isinstance(operation, Mixed):
            heads.append(_mixed(a, operation, head, wanted, own, position, visible, tables))
        else:
            queries = [_case(query[c]) if query else ZERO for c in operation.query_channels(head)]
            own_keys = [_key(keys[c]) if keys else ZERO for c in operation.key_channels(head)]
            heads.append(_softmax(a, operation, head, wanted, queries, own_keys, own, position, visible, tables))
    made = forms(sequences.automaton, np.stack(tables.constants, -1), np.stack(tables.tables, -1))
    return AttentionForms(made, tuple(heads))


def _softmax(
    a: Arithmetic,
    operation: Attended,
    head: int,
    wanted: Sequence[int],
    query: Value,
    keys: Value,
    values: Value,
    position: int,
    visible: np.ndarray,
    tables: _Tables,
) -> HeadForms:
    seen = list(tables.positions)
    additions = [torch.tensor(table[head % len(table)][position, seen])[None, :, None] for table in operation.additions]
    mask = torch.tensor(visible)[None, :, None]
    shape = (tables.cases, len(seen), tables.sequences.steps)
    winner = _winner(a, operation, query, keys, additions, mask, shape)
    if winner is not None:
        return _alone(a, wanted, values, winner, tables)
    found = head_tables(a, operation, query, keys, values, additions, mask, shape)
    nothing = found.nothing.numpy()
    return HeadForms(
        tuple(wanted),
        tuple(map(tables.add, found.mixed)),
        tables.add(found.weight, nothing),
        tables.highest([found.more])[:, 0],
        tables.highest(found.off),
        tables.highest(found.size),
        nothing,
        found.most,
    )


def _winner(
    a: Arithmetic,
    operation: Attended,
    query: Value,
    keys: Value,
    additions: Sequence[Tensor],
    visible: Tensor,
    shape: tuple[int, int, int],
) -> Tensor | None:
    """In each case the one key [cases] that has all of the weight, exactly, whatever the inputs are: all other
    exponentials underflow to zero. None where there is none."""
    s = score(a, operation, query, keys, additions)
    value, error = (torch.as_tensor(part, dtype=torch.float64).expand(shape) for part in (s.value, s.error))
    lowest = torch.where(visible, value - error, -torch.inf).amin(2)
    highest = torch.where(visible, value + error, -torch.inf).amax(2)
    best, winner = lowest.max(1)
    rivals = highest.scatter(1, winner[:, None], -torch.inf).amax(1)
    if operation.plus_one:
        rivals = rivals.clamp(min=0.0)
    rounding = 4 * a.rounding.unit * (best.abs() + rivals.abs().nan_to_num(posinf=0.0))
    return winner if bool((rivals - best + rounding < NEGLIGIBLE).all()) else None


def _alone(a: Arithmetic, wanted: Sequence[int], values: Value, winner: Tensor, tables: _Tables) -> HeadForms:
    """A head that copies the value of one key."""
    shape = (tables.cases, len(tables.positions), tables.sequences.steps)
    chosen = torch.zeros(shape[:2], dtype=torch.float64).scatter(1, winner[:, None], 1.0)[:, :, None]
    zero = np.zeros(tables.cases)
    return HeadForms(
        tuple(wanted),
        tuple(tables.add((chosen * v.value).expand(shape)) for v in values),
        None,
        zero,
        tables.highest([(chosen * v.error).expand(shape) for v in values]),
        tables.highest([(chosen * a.size(v)).expand(shape) for v in values]),
        zero,
        1,
    )


def _mixed(
    a: Arithmetic,
    operation: Mixed,
    head: int,
    wanted: Sequence[int],
    values: Value,
    position: int,
    visible: np.ndarray,
    tables: _Tables,
) -> HeadForms:
    """The formula of `compiler.fast.mixing.mix`, summand by summand."""
    seen = list(tables.positions)
    shape = (tables.cases, len(seen), tables.sequences.steps)

    def row(numbers: Array) -> Tensor:
        return torch.tensor(np.where(visible, numbers[position, seen], 0.0))[None, :, None]

    weight, error = row(operation.weights[head]), row(operation.error[head])
    inexact = row(operation.inexact(head))
    mixed, off, size = [], [], []
    for v in values:
        largest = (weight + error) * a.size(v)
        own = weight * a.off(v) + (error + a.rounding.flushed) * a.size(v) + inexact * a.rounded(largest)
        mixed.append(tables.add((weight * v.value).expand(shape)))
        off.append(torch.as_tensor(own).expand(shape))
        size.append(torch.as_tensor(largest).expand(shape))
    zero = np.zeros(tables.cases)
    return HeadForms(
        tuple(wanted),
        tuple(mixed),
        None,
        zero,
        tables.highest(off),
        tables.highest(size),
        zero,
        int(visible.sum()),
    )


def mixed_values(
    a: Arithmetic, found: AttentionForms, case: np.ndarray, low: Array, high: Array, first_symbol: int
) -> dict[int, Bounded]:
    """The mixed channels of cells [1, cells], by channel: of these cases, with forms from `low` to `high` [cells,
    forms]. What varies with form f is shared as `first_symbol` + f.

    With N = n + r ε and D = d + s δ, |ε|, |δ| ≤ 1: N / D = n/d + (r ε - (n/d) s δ) / D, and 1/D is 1/d up to the
    share s / (d - s).
    """
    f, unit = a.f, a.rounding.unit
    middle, radius = _quantities((low + high) / 2), _quantities((high - low) / 2)
    off = _quantities(found.forms.off[case] + 2.0**-52 * (np.abs(low) + np.abs(high)))

    def own(numbers: Array) -> Tensor:
        return torch.tensor(numbers[case])[None]

    channels: dict[int, Bounded] = {}
    for head in found.heads:
        growth = (1 + a.rounding.plain_unit) ** head.most
        for i, (channel, n) in enumerate(zip(head.channels, head.mixed, strict=True)):
            head_off, size = own(head.off[:, i]), own(head.size[:, i])
            if head.weight is None:
                error = head_off + off[n] + head.most * a.rounding.tiny
                if head.most == 2:
                    error = error + a.rounded(abs(middle[n]) + radius[n] + error)
                elif head.most > 2:
                    error = error + (head.most - 1.0) * a.rounded(growth * size)
                channels[channel] = Bounded(middle[n], error, _shared((first_symbol + n, radius[n])))
                continue
            d = head.weight
            surely = f.maximum(middle[d] - radius[d] - off[d], 0.0)  # of the exact sum of weights
            nothing = 6 * unit * own(head.nothing)
            certain = 1.0 / f.maximum(surely - own(head.more) - nothing, 0.0)
            mean = middle[n] / middle[d]
            turned = abs(mean) * radius[d]
            curved = (radius[n] + turned) / middle[d] * (radius[d] / surely)
            scale = abs(mean) + (radius[n] + turned) / middle[d] + curved
            inexact = (off[n] + scale * off[d]) / surely
            largest = size * certain
            roundings = (head.most + 1) * unit * scale + 4 * unit * largest + head.most * a.rounding.tiny
            roundings = roundings + max(0.0, head.most - 1.0) * a.rounded(growth * largest)
            own_off = (head_off + (scale + inexact) * (own(head.more) + nothing)) * certain
            shared = _shared(
                (first_symbol + n, radius[n] / middle[d]), (first_symbol + d, -mean * (radius[d] / middle[d]))
            )
            channels[channel] = Bounded(mean, curved + inexact + roundings + own_off, shared)
    return channels


def _shared(*parts: tuple[int, Tensor]) -> dict[int, Quantity]:
    return {symbol: c for symbol, c in parts if bool((c != 0).any())}


def _quantities(numbers: Array) -> list[Tensor]:
    """[cells, forms] as [1, cells] for each form."""
    return [torch.tensor(column)[None] for column in numbers.T]


def _case(x: Bounded) -> Bounded:
    """[cases] as [cases, 1, 1]."""
    value, error = (q[:, None, None] if isinstance(q, Tensor) else q for q in (x.value, x.error))
    return Bounded(value, error)


def _key(x: Bounded) -> Bounded:
    """[seen, steps] as [1, seen, steps]."""
    value, error = (q[None] if isinstance(q, Tensor) else q for q in (x.value, x.error))
    return Bounded(value, error)
