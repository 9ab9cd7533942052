"""`attention`: heads, maps, scores, scale, softmax, mask and output, against loops over heads and positions."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from statistics import fmean

import pytest
import torch
from torch import Tensor

import compiler
from tests.helpers import activations, load_text, small
from tests.parity.reference import Score, State, Values, affine, attend, check, embed, rotate

DTYPES = ("float64", "float32")
EMBEDDING = """
embedding:
  digit[d]: {x: d - 1.5, y: 0.5 * d ** 2 - 1, z: 1 / (d + 1)}
  =: {x: 0.7, z: -0.3}
  +: {y: -0.9}
"""
TABLE = [[d - 1.5, 0.5 * d**2 - 1, 1 / (d + 1)] for d in range(4)] + [[0.7, 0, -0.3], [0, -0.9, 0]]


def through(state: State, tokens: Tensor, query: Tensor, key: Tensor, value: Tensor, joined: Tensor) -> Values:
    """The values of a model of one embedding and one attention step, by submodule."""
    x = embed(state["embedding.weight"], tokens)
    values = {"embedding": x, "attention.query": query, "attention.key": key, "attention.value": value}
    if "attention.output.weight" in state:
        joined = affine(joined, state["attention.output.weight"], state.get("attention.output.bias"))
        values["attention.output"] = joined
    return {**values, "attention": x + joined}


def maps(state: State, tokens: Tensor, rows: int) -> tuple[Tensor, Tensor, Tensor]:
    x = embed(state["embedding.weight"], tokens)
    query, key, value = (
        affine(x, state[f"attention.{name}.weight"], state.get(f"attention.{name}.bias"), rows)
        for name in ("query", "key", "value")
    )
    return query, key, value


ONE_COORDINATE = """
attention:
  heads: a b
  query a: x - y + 0.5
  query b: 2 * z
  key a: 0.3 * y
  key b: x + z
  value a: z - 1
  value b: 3 * x
  score a: {score}
  softmax: {softmax}
  mask: {mask}
  scale: {scale}
  output x: a - 2 * b
  output z: b / 3 + 0.25
"""
ONE_COORDINATE_STATE = {
    "embedding.weight": TABLE,
    "attention.query.weight": [[1, -1, 0], [0, 0, 2]],
    "attention.query.bias": [0.5, 0],
    "attention.key.weight": [[0, 0.3, 0], [1, 0, 1]],
    "attention.value.weight": [[0, 0, 1], [3, 0, 0]],
    "attention.value.bias": [-1, 0],
    "attention.output.weight": [[1, -2], [0, 0], [0, 1 / 3]],
    "attention.output.bias": [0, 0, 0.25],
}
ALIBI = "log(2) * (key_pos - query_pos)"


def alibi(head: int, query: int, key: int) -> float:
    return math.log(2) * (key - query) if head == 0 else 0.0


def skip_odd(head: int, query: int, key: int) -> float:
    if head != 0:
        return 0.0
    return -math.inf if key % 2 == 1 else 0.1 * query - 0.2 * key


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("mask", ["causal", "none"])
@pytest.mark.parametrize("softmax", ["standard", "plus_one"])
@pytest.mark.parametrize(
    ("score", "by_hand"),
    [("0", None), (ALIBI, alibi), ("where(key_pos % 2 == 1, -inf, 0.1 * query_pos - 0.2 * key_pos)", skip_odd)],
    ids=["no score", "alibi", "where"],
)
def test_two_heads_of_one_coordinate(
    tmp_path: Path, score: str, by_hand: Score | None, softmax: str, mask: str, dtype: str
) -> None:
    text = small(EMBEDDING + ONE_COORDINATE.format(score=score, softmax=softmax, mask=mask, scale="none"))

    def reference(state: State, tokens: Tensor) -> Values:
        query, key, value = maps(state, tokens, 2)
        plus_one, causal = softmax == "plus_one", mask == "causal"
        joined = attend(query, key, value, heads=2, scale=1, score=by_hand, plus_one=plus_one, causal=causal)
        return through(state, tokens, query, key, value, joined)

    check(tmp_path, text, ONE_COORDINATE_STATE, reference, dtype)


def test_plus_one_can_attend_to_nothing(tmp_path: Path) -> None:
    """Head a sees no key at all: its values vanish, nothing becomes NaN."""
    text = small(
        EMBEDDING
        + ONE_COORDINATE.format(score="where(key_pos >= 0, -inf, 0)", softmax="plus_one", mask="causal", scale="1")
    )

    def nothing(head: int, query: int, key: int) -> float:
        return -math.inf if head == 0 else 0.0

    def reference(state: State, tokens: Tensor) -> Values:
        query, key, value = maps(state, tokens, 2)
        joined = attend(query, key, value, heads=2, scale=1, score=nothing, plus_one=True)
        assert not joined[..., 0].any()
        return through(state, tokens, query, key, value, joined)

    check(tmp_path, text, ONE_COORDINATE_STATE, reference, "float64")


WINNERS = {  # by position, the positions whose score, that of their token, is the largest of those that are seen
    "causal": ["0", "0", "02", "02", "4", "4", "46", "46"],
    "{window: 3}": ["0", "0", "02", "2", "4", "4", "46", "6"],
    "none": ["46"] * 8,
}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("mask", WINNERS)
@pytest.mark.parametrize("ties", ["share", "earliest", "latest"])
def test_the_largest_scores_alone(tmp_path: Path, ties: str, mask: str, dtype: str) -> None:
    """Digits 1 0 1 0 3 0 3 0 score themselves: each 3 ties with the other. The value is the position."""
    options = f"ties: {ties}, mask: {mask}, query head: 1, key head: x, value head: y, output z: head"
    steps = f"embedding: {{'digit[d]': {{x: d}}}}\nposition: {{y: pos}}\nattention: {{softmax: hard, {options}}}"
    model = compiler.build(load_text(tmp_path, small(steps), {"dtype": dtype}))
    found = activations(model, torch.tensor([[1, 0, 1, 0, 3, 0, 3, 0]]))["attention"][0, :, 2]
    winners = [[int(position) for position in positions] for positions in WINNERS[mask]]
    chosen: dict[str, Callable[[list[int]], float]] = {"share": fmean, "earliest": min, "latest": max}
    assert found.tolist() == [chosen[ties](positions) for positions in winners]


@pytest.mark.parametrize("softmax", ["{softmax: hard}", "{softmax: hard, ties: latest}"])
def test_a_score_that_is_no_number_gives_none(tmp_path: Path, softmax: str) -> None:
    """An infinite key and a query of zero: nothing hides that."""
    options = "query head: y, key head: x, value head: x"
    text = small(f"embedding: {{'digit[d]': {{x: d}}}}\nattention: {{{softmax.strip('{}')}, {options}}}")
    model = compiler.build(load_text(tmp_path, text))
    model.get_parameter("embedding.weight").data[1, 0] = math.inf
    found = activations(model, torch.tensor([[1, 2]]))
    assert found["attention.pattern"].isnan().all()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("scale", "factor"), [("2.5", 2.5), ("{divide: sqrt(3)}", 1 / math.sqrt(3)), ("1 / 7", 1 / 7)])
def test_scale_multiplies_or_divides(tmp_path: Path, scale: str, factor: float, dtype: str) -> None:
    text = small(EMBEDDING + ONE_COORDINATE.format(score=ALIBI, softmax="standard", mask="causal", scale=scale))

    def reference(state: State, tokens: Tensor) -> Values:
        query, key, value = maps(state, tokens, 2)
        joined = attend(query, key, value, heads=2, scale=factor, score=alibi)
        return through(state, tokens, query, key, value, joined)

    check(tmp_path, text, ONE_COORDINATE_STATE, reference, dtype)


FAMILY = """
attention:
  heads: look[2] solo
  head_dim: {size}
  query look[h, c]: (h + 1) * x + 0.1 * c * y
  query solo[c]: x - c * z
  key look[h, c]: 0.5 * y - 0.2 * c * h
  key solo[c]: 0.3 * (c + 1) * x
  value look[h, c]: (10 * h + c) * z
  value solo[0]: y
  score look[h]: -(h + 0.5) * (query_pos - key_pos)
  {extra}
  output x: look[1, 0] + 2 * solo[{last}]
  output z: 0.1 * look[0, {last}] - look[1, {last}]
"""


def family_state(size: int) -> dict[str, list[list[float]] | list[float]]:
    pairs = [(h, c) for h in range(2) for c in range(size)]
    last = size - 1
    to_x, to_z = [0.0] * (3 * size), [0.0] * (3 * size)
    to_x[size] += 1  # look[1, 0]
    to_x[2 * size + last] += 2  # solo[last]
    to_z[last] = 0.1  # look[0, last]
    to_z[size + last] += -1  # look[1, last]
    return {
        "embedding.weight": TABLE,
        "attention.query.weight": [[h + 1.0, 0.1 * c, 0] for h, c in pairs] + [[1.0, 0, -c] for c in range(size)],
        "attention.key.weight": [[0, 0.5, 0] for _ in pairs] + [[0.3 * (c + 1), 0, 0] for c in range(size)],
        "attention.key.bias": [0 - 0.2 * c * h for h, c in pairs] + [0.0] * size,
        "attention.value.weight": [[0, 0, 10.0 * h + c] for h, c in pairs]
        + [[0, float(c == 0), 0] for c in range(size)],
        "attention.output.weight": [to_x, [0.0] * (3 * size), to_z],
    }


def family_score(head: int, query: int, key: int) -> float:
    return -(head + 0.5) * (query - key) if head < 2 else 0.0


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("size", [2, 4])
def test_families_of_heads(tmp_path: Path, size: int, dtype: str) -> None:
    text = small(EMBEDDING + FAMILY.format(size=size, last=size - 1, extra="softmax: standard"))

    def reference(state: State, tokens: Tensor) -> Values:
        query, key, value = maps(state, tokens, 3 * size)
        joined = attend(query, key, value, heads=3, scale=1 / math.sqrt(size), score=family_score)
        return through(state, tokens, query, key, value, joined)

    check(tmp_path, text, family_state(size), reference, dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("pairs", ["adjacent", "halves"])
@pytest.mark.parametrize("size", [2, 4])
def test_rope_turns_queries_and_keys(tmp_path: Path, size: int, pairs: str, dtype: str) -> None:
    """Frequency 0.7 / 10^pair; values are not turned."""
    rope = f"rope: {{frequency: 0.7 / 10 ** pair, pairs: {pairs}}}"
    text = small(EMBEDDING + FAMILY.format(size=size, last=size - 1, extra=rope))

    def reference(state: State, tokens: Tensor) -> Values:
        query, key, value = maps(state, tokens, 3 * size)
        frequencies = [0.7 / 10**pair for pair in range(size // 2)]
        halves = pairs == "halves"
        turned, toward = (rotate(y, heads=3, frequencies=frequencies, halves=halves) for y in (query, key))
        joined = attend(turned, toward, value, heads=3, scale=1 / math.sqrt(size), score=family_score)
        return through(state, tokens, query, key, value, joined)

    check(tmp_path, text, family_state(size), reference, dtype)


@pytest.mark.parametrize("dtype", DTYPES)
def test_output_identity_and_maps_left_out(tmp_path: Path, dtype: str) -> None:
    """One head for each dimension; without query and key every visible token weighs the same. `biases` are stored."""
    text = small(
        EMBEDDING
        + """
attention:
  heads: a b c
  value a: y
  value c: x + 2
  biases: query value
  output: identity
"""
    )
    state = {
        "embedding.weight": TABLE,
        "attention.query.weight": [[0, 0, 0]] * 3,
        "attention.query.bias": [0, 0, 0],
        "attention.key.weight": [[0, 0, 0]] * 3,
        "attention.value.weight": [[0, 1, 0], [0, 0, 0], [1, 0, 0]],
        "attention.value.bias": [0, 0, 2],
    }

    def reference(state: State, tokens: Tensor) -> Values:
        query, key, value = maps(state, tokens, 3)
        joined = attend(query, key, value, heads=3, scale=1)
        return through(state, tokens, query, key, value, joined)

    check(tmp_path, text, state, reference, dtype)


@pytest.mark.parametrize("dtype", DTYPES)
def test_output_broadcast_and_the_head_without_a_name(tmp_path: Path, dtype: str) -> None:
    """One head, added to every dimension. The bare row `value: …` is stored once."""
    text = small(
        EMBEDDING + "attention:\n  query head: x\n  key: 0.5 * y - 0.25\n  value: 2 * z\n  output: broadcast\n"
    )
    state = {
        "embedding.weight": TABLE,
        "attention.query.weight": [[1, 0, 0]],
        "attention.key.weight": [[0, 0.5, 0]],
        "attention.key.bias": [-0.25],
        "attention.value.weight": [[0, 0, 2]],
    }

    def reference(state: State, tokens: Tensor) -> Values:
        query, key, value = maps(state, tokens, 1)
        joined = attend(query, key, value, heads=1, scale=1)
        return through(state, tokens, query, key, value, joined)

    check(tmp_path, text, state, reference, dtype)
