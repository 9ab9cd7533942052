"""Self-attention with named heads."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from compiler.backends.elementary.builder import Builder
from compiler.backends.elementary.linear import add_map
from compiler.backends.elementary.norm import norm
from compiler.backends.elementary.program import FUNCTION_UNITS, Array, Attended, Linear, NotFollowed, Rotated, Terms
from compiler.backends.elementary.residual import residual
from compiler.expressions.floats import FloatFormat, round_to
from compiler.expressions.positions import Keys, PairFormula
from compiler.network import ir
from compiler.network.meanings import added_to_later, attends_to_nothing, ties_of, unmasked_keys
from compiler.source.faults import no_rule


def attention(builder: Builder, step: ir.Attention, stream: int) -> int:
    """The stream plus what the heads mix, mapped to its dimensions, or that alone. Raises `NotFollowed`."""
    branch = norm(builder, stream, step.norm)
    query = norm(builder, add_map(builder, branch, step.query), step.query_norm, step.heads.size)
    key = norm(builder, add_map(builder, branch, step.key), step.key_norm, step.kv_heads.size)
    value = add_map(builder, branch, step.value)
    if step.rope is not None:
        query = _rotated(builder, step.rope, query, step.heads.size)
        key = _rotated(builder, step.rope, key, step.kv_heads.size)
    mixed = builder.add(_attended(builder, step), (query, key, value), step.heads.size * step.value_dim)
    builder.runs[step.name] += 1
    after = residual(builder, step.residual, stream, _change(builder, step, mixed))
    return norm(builder, after, step.post_norm)


def _change(builder: Builder, step: ir.Attention, mixed: int) -> int:
    """What is put out."""
    match step.output:
        case ir.Map():
            return add_map(builder, mixed, step.output)
        case "identity":
            return mixed
        case "broadcast":
            copies: tuple[Terms, ...] = (((0, 1.0),),) * step.stream.size
            return builder.add(Linear(copies), (mixed,), step.stream.size)
        case _:
            raise no_rule("output", step.output)


def _attended(builder: Builder, step: ir.Attention) -> Attended:
    builder.totals.add(patterns=step.heads.size * builder.length**2)
    additions, hidden = _pattern(builder, step)
    if not all(np.isfinite(table).all() for table in additions):
        raise NotFollowed(f"a score formula of {step.name} is not finite")
    plus_one = attends_to_nothing(step.softmax)
    if not plus_one and hidden.all(-1).any():
        raise NotFollowed(f"a query of {step.name} sees no key")
    return Attended(
        step.name,
        builder.runs[step.name],
        step.heads.size,
        step.kv_heads.size,
        step.head_dim,
        step.value_dim,
        step.scale.value,
        step.scale.operation,
        additions,
        ~hidden,
        plus_one,
        (math.inf,) * (step.heads.size * step.value_dim),
        ties=ties_of(step.softmax),
    )


def _pattern(builder: Builder, step: ir.Attention) -> tuple[tuple[Array, ...], NDArray[np.bool_]]:
    """What is added to scores, and which keys are hidden instead: each [heads | 1, queries, keys]."""
    length, heads = builder.length, step.heads.size
    last = builder.runs.total() + 1 == builder.last_attention
    later = np.triu(np.ones((length, length), dtype=bool), 1)
    keys, added = unmasked_keys(step.mask, length), added_to_later(step.mask)
    additions: list[Array] = []
    if step.scores:
        table = np.zeros((heads, length, length))
        for score in step.scores:
            table[score.head] = _score_table(score.formula, length, builder.dtype, keys)
        additions.append(table)
    hidden = np.ones((1, length, length), dtype=bool)
    for query in range(length):
        hidden[0, query, keys(query).start : keys(query).stop] = False
    hidden = hidden | (later & last)
    if added is not None and not last:
        additions.append(np.where(later, round_to(added, builder.dtype), 0.0)[None])
    for table in additions:
        hidden = hidden | (table == -np.inf)
    return tuple(np.where(hidden, 0.0, table) for table in additions), hidden


def _score_table(formula: PairFormula, length: int, dtype: FloatFormat, keys: Keys) -> Array:
    """What a formula adds to scores, [queries, keys]."""
    if formula.by_distance:
        values = np.array([round_to(value, dtype) for value in formula.distances(length, keys)])
        return np.lib.stride_tricks.sliding_window_view(values, length)[::-1]
    return np.array([[round_to(value, dtype) for value in row] for row in formula.table(length, keys)])


def _rotated(builder: Builder, rope: ir.Rope, stream: int, groups: int) -> int:
    """The module rounds positions and frequencies to the dtype, their products too, and takes the cosine and sine.

    In float64 a product of two numbers of a smaller dtype is exact.
    """
    dtype = builder.dtype
    positions = [round_to(position, dtype) for position in range(builder.length)]
    frequencies = [round_to(value, dtype) for value in rope.frequencies]
    angles = np.array([[round_to(p * frequency, dtype) for frequency in frequencies] for p in positions])
    error = FUNCTION_UNITS * dtype.unit_roundoff + 2.0**-51  # at most 1, they are off by their own ulps
    turned = Rotated(groups, rope.pairs, angles, np.full_like(angles, error))
    return builder.add(turned, (stream,), builder.channels(stream))
