"""What is known at a position, and what of it goes into the last attention and beside it."""

from __future__ import annotations

from fractions import Fraction
from random import Random
from typing import Any, cast

import numpy as np
import pytest
import torch

from compiler.backends.bounds.arithmetic import Arithmetic, Rounding
from compiler.backends.bounds.bounded import Bounded, StackedSymbols, combined_shared, stacked_symbols
from compiler.backends.bounds.tensors import TensorFunctions
from compiler.backends.elementary.program import Linear, Node, Renewed, Rotated
from compiler.expressions.floats import FORMATS
from compiler.pipeline import load_source
from compiler.source.text import Source
from compiler.verifier import model as following
from compiler.verifier import sweep as sweeping
from compiler.verifier.attention import AttentionForms, AttentionNode, attention_forms
from compiler.verifier.ffn import cell_step, linear_sum
from compiler.verifier.model import _cases, _ranges_in_column, _stacked
from compiler.verifier.rounds import tails_of
from compiler.verifier.sequences import CONSTANT, Sequences
from compiler.verifier.sweep import Sweep, sweep_cells
from tests.helpers import small
from tests.verifier.samples import every_path, random_automaton
from tests.verifier.test_forms import CASES, exact_sum, random_forms

NETWORK = """\
embedding:
  digit[d]: {x: d + 1, y: d * d + 2}
norm: {rms: 1e-3}
attention first:
  score head: where(key_pos <= 1, 0, -1)
  query: x
  key: 0.1 * y
  value head: x + y
  output z: head
norm again: {rms: 1e-3}
attention second:
  query: x + 0.1 * z
  key: y
  value head: z - x
  output w: head
head:
  logits digit[d]: d * x - y + d * w + z
"""


def column(*numbers: float) -> torch.Tensor:
    return torch.tensor([numbers], dtype=torch.float64)


@pytest.mark.parametrize("dtype", ["bfloat16", "float64"])
def test_nothing_is_lost_on_the_way_into_an_attention(monkeypatch: pytest.MonkeyPatch, dtype: str) -> None:
    """What queries, keys and values share counts there as an error of each; what goes on beside it keeps its symbols,
    which are no others'."""
    spec = load_source(Source("two attentions", small(NETWORK, stream="x y z w", dtype=dtype)))
    seen: list[tuple[AttentionForms, tuple[Any, ...]]] = []
    made = attention_forms

    def watched(*given: Any) -> AttentionForms:
        seen.append((made(*given), given))
        return seen[-1][0]

    monkeypatch.setattr(following, "attention_forms", watched)
    automaton = spec.resolved.task.automaton()
    assert automaton is not None
    shared = 0
    with torch.inference_mode():
        for tail in tails_of(spec, automaton, spec.layout.predicted, False, lambda: False):
            a, (given,) = tail.arithmetic, [given for found, given in seen if found is tail.attention]
            _, attention, asked = given
            position, query = asked.position, asked.channels
            positions, *read = attention.seen, attention.keys, attention.values
            values = following.local_values(tail.program, tail.sequences, tail.later)
            node = tail.program.nodes[tail.last]
            assert position == tail.position
            places = [position], positions, positions
            for source, at, found in zip(node.inputs, places, (query, *read), strict=True):
                for x, y in zip(values.at(source, at), found, strict=True):
                    off = torch.as_tensor(a.off(x), dtype=torch.float64)
                    shared += bool(x.shared)
                    assert not y.shared
                    assert float(torch.as_tensor(y.error).max()) >= 0.999 * float(
                        off.max() if found is not query else off[:, : tail.case.size].max()
                    )
            mine = {following.FORM_SYMBOLS + i for i in range(len(cast(AttentionForms, tail.attention).bounds))}
            beside = {symbol for value in tail.local.values() for x in value for symbol in x.shared}
            assert beside
            assert not beside & mine
    assert shared


def test_cases_differ_in_anything() -> None:
    same = torch.ones(3, dtype=torch.float64)
    other = torch.tensor([1.0, 2.0, 1.0], dtype=torch.float64)
    for x in (Bounded(other, 0.0), Bounded(same, other), Bounded(same, 0.0, {4: other})):
        case, chosen = _cases([Bounded(same, same), x], 3)
        assert case.tolist() == [0, 1, 0]
        assert chosen.tolist() == [0, 1]
    assert _cases([Bounded(1.0, 0.0)], 3)[0].tolist() == [0, 0, 0]


def test_rows_keep_what_each_of_them_shares() -> None:
    found = _stacked(
        [Bounded(column(1, 2), column(0, 1), {3: column(5, 6)}), Bounded(column(3, 4), column(2, 3), {9: column(7, 8)})]
    )
    assert found.value.tolist() == [[1, 2], [3, 4]]
    assert found.error.tolist() == [[0, 1], [2, 3]]
    assert {symbol: c.tolist() for symbol, c in found.shared.items()} == {3: [[5, 6], [0, 0]], 9: [[0, 0], [7, 8]]}


@pytest.mark.parametrize("seed", range(20))
def test_what_other_columns_can_do_after_a_step(seed: int) -> None:
    random = Random(f"own column:{seed}")
    automaton = random_automaton(random, most_columns=3)
    made, paths, count = random_forms(automaton, random), every_path(automaton), len(automaton.columns)
    forms = AttentionForms(made, (), np.zeros(3, bool))
    sequence = Sequences(automaton, cast(Any, None), (), np.zeros((1, 1), np.int64))
    for number in (CONSTANT, *range(count)):
        steps = 1 if number == CONSTANT else len(automaton.columns[number].before)
        case = np.array([random.randrange(CASES) for _ in range(steps)])
        ranges = _ranges_in_column(sequence, forms, number, case)
        for path in random.sample(paths.tolist(), min(20, len(paths))):
            step = 0 if number == CONSTANT else path[number]
            for form in range(3):
                for end, (x, sign) in enumerate(((ranges.low, 1), (ranges.high, -1))):
                    total = exact_sum(made, end, path, range(count), case[step], form)
                    total += Fraction(made.constant[end, case[step], form])
                    assert sign * Fraction(x[step, form]) <= sign * total


def test_renewed_errors_have_symbols_of_their_own() -> None:
    a = Arithmetic(TensorFunctions(), Rounding.of(FORMATS["float64"]))
    inputs = [
        Bounded(column(1.0), column(0.5), {3: column(0.25)}),
        Bounded(column(2.0), column(0.125), {3: column(1.0)}),
    ]
    found = cell_step(a, Node(Renewed(10), (0,), 2, (0,), (0, 1)), [inputs], [0])
    for i, (x, y) in enumerate(zip(inputs, found, strict=True)):
        assert y.value is x.value
        assert y.error == 0
        assert set(y.shared) == {3, 10 + i}
        assert y.shared[3].equal(x.shared[3])
        assert y.shared[10 + i].equal(x.error)


def test_stacked_symbols_are_summed_one_by_one() -> None:
    """Whatever symbols the terms share, and in which order."""
    random = np.random.default_rng(3)
    for _ in range(30):
        terms = []
        for _ in range(random.integers(1, 4)):
            symbols = random.permutation(6)[: random.integers(1, 5)].tolist()
            terms.append(Bounded(column(0.0), 0.0, {symbol: column(float(random.normal())) for symbol in symbols}))
        expected = combined_shared(terms)
        found = combined_shared([Bounded(x.value, 0.0, stacked_symbols(x.shared)) for x in terms])
        assert set(found) == set(expected)
        assert all(torch.allclose(found[symbol], c, rtol=1e-12, atol=1e-12) for symbol, c in expected.items())
        assert isinstance(found, StackedSymbols)
        assert torch.allclose(found.size, torch.stack([c.abs() for c in expected.values()]).sum(0))


@pytest.mark.parametrize("seed", range(5))
def test_linear_maps_of_many_outputs_are_those_of_each_alone(seed: int) -> None:
    """Rows of all lengths, with and without biases and powers of two; channels that share different symbols, or are
    known to be zero."""
    random = np.random.default_rng(seed)
    inputs = [
        Bounded(column(*random.normal(size=3)), column(0.1, 0.2, 0.0), {s: column(*random.normal(size=3)) for s in own})
        for own in ((1, 2), (1, 2), (2, 5), (9,))
    ]
    inputs += [Bounded(0.0, 0.0), Bounded(0.5, 0.0)]
    numbers = (0.5, -2.0, 0.3, 7.0)
    rows = tuple(
        tuple((c, float(random.choice(numbers))) for c in range(6) if random.random() < 0.6 or row % 3 == 0)
        for row in range(12)
    )
    bias = tuple(float(random.choice((0.0, 1.5))) for _ in rows)
    for dtype in ("float32", "bfloat16"):
        a = Arithmetic(TensorFunctions(), Rounding.of(FORMATS[dtype]))
        found = cell_step(a, Node(Linear(rows, bias), (0,), 12, (0,), tuple(range(12))), [inputs], [0])
        for x, terms, added in zip(found, rows, bias, strict=True):
            expected = linear_sum(a, a.products(inputs, terms, added))
            pairs = [(x.value, expected.value), (x.error, expected.error)]
            pairs += [(x.shared.get(s, 0.0), expected.shared.get(s, 0.0)) for s in {*x.shared, *expected.shared}]
            for one, other in pairs:
                first, second = (torch.as_tensor(q, dtype=torch.float64) for q in (one, other))
                assert torch.allclose(first, second, rtol=1e-9, atol=0)


def test_rows_of_keys_hold_what_each_step_had() -> None:
    random = np.random.default_rng(1)
    keys, values = (torch.from_numpy(random.integers(0, 3, (4, 50)).astype(float)) for _ in range(2))
    sequence = Sequences(random_automaton(Random(2)), cast(Any, None), (), np.zeros((1, 1), np.int64))
    sequence.__dict__["steps"] = 50
    made = AttentionNode(
        FORMATS["float64"], cast(Any, None), (0,), sequence, (0, 1, 2, 3), [Bounded(keys, 0.0)], [Bounded(values, 0.0)]
    )
    assert made.rows.steps.shape[1] <= 9
    for whole in (keys, values):
        part = made.rows.of_channel(Bounded(whole, 0.0)).value[0]
        assert part.gather(1, torch.from_numpy(made.rows.row)).equal(whole)


def test_a_turn_is_off_by_what_its_angle_is_off() -> None:
    a = Arithmetic(TensorFunctions(), Rounding.of(FORMATS["float64"]))
    angles, error = np.full((1, 1), 0.7), np.full((1, 1), 1e-3)
    node = Node(Rotated(1, "adjacent", angles, error), (0,), 2, (0,), (0, 1))
    x, y = cell_step(a, node, [[Bounded(column(2.0), 0.0), Bounded(column(0.0), 0.0)]], [0])
    for found in (x, y):
        assert float(found.error) >= 2e-3
        assert float(found.error) <= 2.1e-3


@pytest.mark.parametrize(("most_open", "most"), [(3, 100_000), (20_000, 4)])
def test_where_cells_are_too_many_all_inputs_are_still_counted(
    monkeypatch: pytest.MonkeyPatch, most_open: int, most: int
) -> None:
    monkeypatch.setattr(sweeping, "MAX_OPEN", most_open)
    monkeypatch.setattr(sweeping, "MAX_CELLS", most)
    spec = load_source(Source("two attentions", small(NETWORK, stream="x y z w")))
    automaton = spec.resolved.task.automaton()
    assert automaton is not None
    cells = 0
    with torch.inference_mode():
        for tail in tails_of(spec, automaton, spec.layout.predicted, False, lambda: False):
            found = Sweep(tail.slot)
            sweep_cells(found, tail, [], lambda: False)  # which asserts it
            cells += found.cells
    assert cells > most_open if most_open < most else cells > most
