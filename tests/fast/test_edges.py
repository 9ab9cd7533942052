"""Where a bound could fail: what overflows, underflows, is not a number, or is zero in one arithmetic only.

Each network is either left to the plain engine, or the plain module is within the bounds and says what was sure.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from compiler.backends.elementary.program import NotFollowed
from compiler.pipeline import Spec
from tests.fast.containment import Compared, Numbers, any_tokens, compare, plain_logits
from tests.helpers import load_text, small

pytestmark = pytest.mark.machine

ONES = """
embedding:
  digit[d]: {x: 1, y: d}
  =: {x: 1}
  +: {x: 1}
"""
HEAD = """
head:
  logits digit[d]: 4 * d * x - d ** 2 + d * v
"""  # digit 2, where v is zero


def made(folder: Path, network: str, dtype: str) -> Spec:
    return load_text(folder, small(network, stream="x y z u v w", dtype=dtype))


def followed(spec: Spec) -> Compared | None:
    """None where the network is left to the plain engine."""
    try:
        return compare(spec, *any_tokens(spec, 8, 1)).check(spec.title)
    except NotFollowed:
        return None


def plain(spec: Spec) -> Numbers:
    logits = plain_logits(spec.network, spec.layout, *any_tokens(spec, 8, 1))
    return np.asarray(logits.double().numpy())


@pytest.mark.parametrize(("dtype", "bits"), [("float32", 30), ("bfloat16", 12)])
def test_a_zero_that_is_none_in_the_dtype(tmp_path: Path, dtype: str, bits: int) -> None:
    """0 + 1 + 2^-30 - 1 - 2^-30, in this order, is 0 in double and -2^-30 in single precision."""
    added = [
        ("one", "x", "h"),
        ("two", f"2 ** -{bits} * x", "h"),
        ("three", "x", "-h"),
        ("four", f"2 ** -{bits} * x", "-h"),
    ]
    ffns = "".join(f"ffn {name}:\n  hidden: h\n  up h: {up}\n  down z: {down}\n" for name, up, down in added)
    last = f"ffn last:\n  hidden: h\n  up h: -(2 ** 9) * z\n  down v: 2 ** {bits - 6} * h\n"
    spec = made(tmp_path, ONES + ffns + last + HEAD, dtype)
    assert (plain(spec)[..., 3] > 20).all()
    followed(spec)


EPSILONS = [("float32", "0"), ("float32", "1e-60"), ("float16", "1e-8"), ("bfloat16", "1e-46")]


@pytest.mark.parametrize(("dtype", "epsilon"), EPSILONS)
def test_a_norm_of_zeros_without_an_epsilon_in_the_dtype(tmp_path: Path, dtype: str, epsilon: str) -> None:
    """0 · rsqrt(0) is not a number, in dimensions that are always zero, or have the weight zero, as well."""
    for norm in (f"rms: {epsilon}", f"rms: {epsilon}, weight: [1, 0, 0, 0, 0, 0]", f"layer: {epsilon}"):
        for zeros in ("embedding:\n  digit[d]: {y: d}\n", "embedding:\n  digit[d]: {z: 0}\n"):
            spec = made(tmp_path, f"{zeros}norm: {{{norm}}}\nhead:\n  logits digit[d]: 4 * d + z - d ** 2\n", dtype)
            assert np.isnan(plain(spec)).any()
            followed(spec)


@pytest.mark.parametrize(("dtype", "epsilon"), EPSILONS)
def test_a_single_key_whose_score_is_not_a_number(tmp_path: Path, dtype: str, epsilon: str) -> None:
    """All weight is on it, whatever its score is, unless that is NaN."""
    for key in ("z", "2 ** -90 * x", "2 ** -15 * x"):
        attention = f"""
attention:
  qk_norm: {{rms: {epsilon}}}
  query head: x
  key head: {key}
  value head: y
  score head: where(key_pos == query_pos, 0, -inf)
  output u: head
"""
        spec = made(tmp_path, ONES + attention + HEAD, dtype)
        if key == "z":
            assert np.isnan(plain(spec)).all()
        followed(spec)


@pytest.mark.parametrize(("dtype", "frequency"), [("float16", "30000"), ("float32", "1e38"), ("float64", "1e308")])
def test_an_angle_that_overflows(tmp_path: Path, dtype: str, frequency: str) -> None:
    attention = f"""
attention:
  head_dim: 2
  rope: {{frequency: {frequency}}}
  query head[0]: x
  key head[0]: x
  value head[0]: y
  score head: where(key_pos == query_pos, 0, -inf)
  output u: head[0]
"""
    spec = made(tmp_path, ONES + attention + HEAD, dtype)
    assert np.isnan(plain(spec)).all()
    followed(spec)


@pytest.mark.parametrize(
    ("dtype", "score"), [("float16", 10.05), ("bfloat16", 87.5), ("float32", 87.7), ("float64", 708.7)]
)
@pytest.mark.parametrize("query", ["0 * x", "y"])
def test_the_sum_of_exponentials_overflows_where_none_does(
    tmp_path: Path, dtype: str, score: float, query: str
) -> None:
    """Then all weights of softmax `plus_one` are zero."""
    attention = f"""
attention:
  softmax: plus_one
  query head: {query}
  key head: z
  value head: x
  score head: {score}
  output v: head
"""
    spec = made(tmp_path, ONES + attention + HEAD, dtype)
    assert (plain(spec)[..., 1] == 3).all()
    followed(spec)


@pytest.mark.parametrize(("dtype", "score"), [("float16", 20), ("bfloat16", 100), ("float32", 100), ("float64", 800)])
def test_a_position_that_is_not_a_number_behind_a_weight_of_zero(tmp_path: Path, dtype: str, score: int) -> None:
    """Position 1 is inf / inf; the second step of attention gives it the weight 0, and 0 · NaN is NaN."""
    attention = f"""
attention one:
  softmax: plus_one
  query head: {score} * y
  key head: y
  value head: x
  score head: where(query_pos == 1, 0, -inf)
  output u: head
attention two:
  value head: u
  score head: where(key_pos == 1, -inf, 0)
  output v: head
"""
    spec = made(tmp_path, ONES + attention + HEAD, dtype)
    assert np.isnan(plain(spec)).any()
    followed(spec)


@pytest.mark.parametrize(("dtype", "score"), [("float16", 20), ("bfloat16", 100), ("float32", 100), ("float64", 800)])
def test_what_is_not_a_number_behind_a_gate_that_is_zero(tmp_path: Path, dtype: str, score: int) -> None:
    """relu(-1) · NaN is NaN, and so is a sum with the weight 0 for a head that is NaN."""
    attention = f"""
attention:
  softmax: plus_one
  query head: {score} * y
  key head: y
  value head: x
  output z: head
ffn:
  hidden: h
  gate h: -1 * x
  up h: z
  down u: h
head:
  logits digit[d]: 4 * d * x - d ** 2 + d * u
"""
    spec = made(tmp_path, ONES + attention, dtype)
    assert np.isnan(plain(spec)).any()
    followed(spec)


@pytest.mark.parametrize("dtype", ["float32", "float16"])
@pytest.mark.parametrize("query", ["y / 4", "1 / 4"])
@pytest.mark.parametrize("score", ["-inf", "where(query_pos < 3, 0, -inf)"])
def test_no_key_at_all(tmp_path: Path, dtype: str, query: str, score: str) -> None:
    """Softmax `plus_one` then mixes zeros; what is read of the keys and values is nothing."""
    attention = f"""
attention:
  softmax: plus_one
  query head: {query}
  key head: y
  value head: y
  score head: {score}
  output v: head
"""
    found = followed(made(tmp_path, ONES + attention + HEAD, dtype))
    assert found is not None
    assert (found.errors >= 0).all()
    assert found.sure.all()


def test_a_head_that_sees_no_key_beside_one_that_does(tmp_path: Path) -> None:
    attention = """
attention:
  heads: none all
  softmax: plus_one
  value none: y
  value all: y
  score none: -inf
  output v: all + none
"""
    found = followed(made(tmp_path, ONES + attention + HEAD, "float32"))
    assert found is not None


def test_an_output_map_that_reads_nothing_of_a_head(tmp_path: Path) -> None:
    """Beside a row that brings two coordinates of a head together; and heads that see no key."""
    for score in ("0", "-inf"):
        attention = f"""
attention:
  heads: a b
  value_dim: 2
  softmax: plus_one
  query: y
  key: y / 9
  value a[c]: c - y
  value b[c]: y
  score a: {score}
  score b: {score}
  output v: a[0] - a[1]
  output w: b[0]
repeat again: attention
head:
  logits digit[d]: 4 * d * x - d ** 2 + d * v + d * w + d * z
"""
        assert followed(made(tmp_path, ONES + attention, "float32")) is not None


@pytest.mark.parametrize("nothing", ["query", "key", "value", "query key", "key value", "query key value"])
def test_maps_that_read_nothing(tmp_path: Path, nothing: str) -> None:
    maps = {name: "0 * y" if name in nothing.split() else "y" for name in ("query", "key", "value")}
    lines = "".join(f"  {name} head: {equation}\n" for name, equation in maps.items())
    for norm in ("", "  qk_norm: {rms: 0.5}\n"):
        spec = made(
            tmp_path, f"{ONES}attention:\n{norm}{lines}  output: broadcast\nhead:\n  logits: embedding\n", "float32"
        )
        assert followed(spec) is not None


def test_a_norm_whose_factor_underflows_and_whose_result_does_not(tmp_path: Path) -> None:
    """weight · rsqrt(mean(x²)) is 1e-365, but x times it is 1e-214."""
    norm = """
embedding:
  digit[d]: {x: 1e151 * (d + 1)}
norm: {rms: 1e-6, weight: [1e-214, 0, 0, 0, 0, 0]}
head:
  logits digit[d]: 1e200 * d * x
"""
    found = followed(made(tmp_path, norm, "float64"))
    assert found is not None
    assert (found.plain[..., 1] > 1e-15).any()


def test_a_sum_of_tables_whose_weights_underflow(tmp_path: Path) -> None:
    """The keys of all but one token are e^-700 of what that one would have; their values are small."""
    attention = """
embedding:
  digit[0]: {x: 1, y: 1e-22}
  digit[1]: {x: 1, y: 3e-22}
  digit[2]: {x: 1, y: 1e-22}
  digit[3]: {x: 0, y: 1e-22}
  =: {x: 1, y: 1e-22}
  +: {x: 1, y: 1e-22}
attention:
  query head: 1
  key head: -690 * x
  value head: y
  output v: head
head:
  logits digit[d]: 1e22 * v + d
"""
    found = followed(made(tmp_path, attention, "float64"))
    assert found is not None


def test_a_matrix_product_that_takes_small_numbers_as_zero(tmp_path: Path) -> None:
    """As those of bfloat16 do on some processors, where there is enough to multiply."""
    units = 64
    network = f"""
embedding:
  digit[d]: {{x: 1, z: 2 ** -130}}
  =: {{x: 1, z: 2 ** -130}}
  +: {{x: 1, z: 2 ** -130}}
ffn:
  hidden: h[{units}]
  up h[i]: 2 ** 120 * z
  down v: sum(h[i], i, {units})
head:
  logits digit[d]: x * d + v
"""
    text = small(network, stream=f"x z v rest[{units}]", dtype="bfloat16")
    found = followed(load_text(tmp_path, text))
    assert found is not None


def test_a_weight_that_a_matrix_product_takes_as_zero(tmp_path: Path) -> None:
    """As above: e^-88.5 is subnormal, and what it is multiplied by is large. The pattern is the same for all tokens."""
    network = """
embedding:
  digit[d]: {x: 1}
  =: {x: 1}
  +: {x: 1}
position:
  y: where(pos == 0, 2 ** 120, 0)
attention:
  head_dim: 64
  score head: where(key_pos == 0, -88.5, 0)
  value head[i]: y
  output v: head[0] + head[1]
head:
  logits digit[d]: d * v
"""
    spec = load_text(tmp_path, small(network, stream="x y v", dtype="bfloat16").replace("digits: 2", "digits: 4"))
    assert followed(spec) is not None
