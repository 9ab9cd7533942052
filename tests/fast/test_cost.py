"""Networks that ask for too much are left to the plain engine before much is computed, and say why."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from compiler.backends.bounds.cost import MOST_OPERATIONS, followed_within_cost, operations
from compiler.backends.bounds.passes import prepared
from compiler.backends.elementary.model import translate
from compiler.backends.elementary.program import NotFollowed, Program, Renewed
from compiler.backends.native.fast_engine import programs
from compiler.pipeline import Spec, load
from compiler.source.diagnostics import SpecError
from tests.fast.containment import any_tokens, compare
from tests.helpers import SPECS

DENSE = """\
weightspec: 1
name: dense
dtype: float32
ignore: no-claims unused-name silent-symbol
vocabulary: digit[4] + =
task: {{addition: {{base: 4, digits: 2}}, prompt: a + b =, answer: sum}}
stream: s[{width}]
network:
  embedding:
    digit[d]: {{'s[i]': sin(d + i)}}
  attention:
    heads: h
    query: 1
    key: s[0]
    value: s[1]
    output s[i]: h / (i + 1)
  ffn:
    hidden: u[{hidden}]
    activation: silu
    norm: {{rms: 1e-5}}
    up u[i]: sum(sin(i + k) * s[k], k, {width})
    down s[j]: sum(cos(j + k) * u[k], k, {hidden})
  head:
    logits digit[d]: sum(sin(d * k) * s[k], k, {width})
decode: argmax
"""


def dense(folder: Path, width: int, hidden: int) -> Spec:
    path = folder / "dense.yaml"
    path.write_text(DENSE.format(width=width, hidden=hidden))
    return load(path)


def needed(spec: Spec) -> Program:
    (program,) = translate(spec.network, spec.layout)
    return prepared(program, spec.network, "any arithmetic")


def followed(program: Program) -> bool:
    return any(node.operation.first_symbol is not None for node in program.nodes if isinstance(node.operation, Renewed))


@pytest.mark.parametrize("settings", [[], ["digits=32"], ["base=64"]], ids=" ".join)
def test_nothing_is_left_out_for_the_models_of_the_repository(settings: list[str]) -> None:
    asked = 0
    for path in (*SPECS.glob("*.yaml"), *(SPECS / "gallery").glob("*.yaml")):
        try:
            spec = load(path, settings)
        except SpecError:  # of other sizes than these
            continue
        program = needed(spec)
        assert followed_within_cost(program) is program, spec.title
        asked += 1
    assert asked > 10


def test_errors_are_followed_one_by_one_in_a_small_network(tmp_path: Path) -> None:
    program = needed(dense(tmp_path, 6, 8))
    assert followed_within_cost(program) is program
    assert followed(program)


def test_errors_of_a_wider_stream_are_not_and_the_bounds_hold(tmp_path: Path) -> None:
    spec = dense(tmp_path, 16, 32)
    program = needed(spec)
    assert operations(program, 10**9) > MOST_OPERATIONS
    assert not followed(followed_within_cost(program))
    found = compare(spec, *any_tokens(spec, 8, 1)).check()
    assert found.sure.any()
    assert found.errors.max() > 0


def test_a_wide_network_is_left_to_the_plain_engine_at_once(tmp_path: Path) -> None:
    spec = dense(tmp_path, 80, 160)
    start = time.process_time()
    with pytest.raises(NotFollowed, match="operations at each position"):
        programs(spec)
    assert time.process_time() - start < 3


def test_a_wide_stream_that_many_steps_change_is_refused_before_it_is_followed(tmp_path: Path) -> None:
    text = DENSE.format(width=20_000, hidden=2)
    norms = "".join(f"  norm n{k}: {{rms: 1e-6}}\n" for k in range(200))
    start = text[: text.index("  attention:")].replace("'s[i]': sin(d + i)", "'s[0]': d")
    path = tmp_path / "wide.yaml"
    path.write_text(f"{start}{norms}  head:\n    logits digit[d]: d * s[0]\ndecode: argmax\n")
    spec = load(path)
    with pytest.raises(NotFollowed, match="intermediate values"):
        translate(spec.network, spec.layout)


def test_a_long_answer_of_a_network_that_sees_later_tokens_is_refused(tmp_path: Path) -> None:
    """Each of its tokens would need a program of its own."""
    text = DENSE.format(width=4, hidden=2).replace("digits: 2", "digits: 60")
    text = text.replace("    heads: h\n", "    heads: h\n    mask: none\n")
    first, after = text.index("  attention:"), text.index("  ffn:")
    path = tmp_path / "long.yaml"
    path.write_text(text[:first] + text[first:after].replace("attention:", "attention first:") + text[first:])
    spec = load(path)
    with pytest.raises(NotFollowed, match="each of 61 tokens"):
        translate(spec.network, spec.layout)
