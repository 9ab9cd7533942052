"""Every layout and every place where an answer is read: on the fast engine, with the verdicts of the plain module."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from random import Random
from textwrap import indent

import pytest
from _pytest.mark.structures import ParameterSet

from compiler.backends.elementary.program import NotFollowed
from compiler.backends.native import fast_engine
from compiler.backends.native.c_compiler import find_compiler
from compiler.backends.native.engines import EngineName
from compiler.evaluation.evaluator import Evaluator
from compiler.pipeline import Spec
from compiler.source.diagnostics import SpecError
from compiler.source.user_cache import SETTING
from tests.fast.containment import any_tokens, compare, suite_tokens
from tests.fast.networks import random_network
from tests.fast.test_verdicts import COMPILED, Row, by_reference, wrong
from tests.helpers import load_text

SPEC = """\
weightspec: 1
name: layout
dtype: {dtype}
vocabulary: digit[3] = <cls>
task:
{task}
stream: is[3] other at said[3]
network:
  embedding:
    digit[d]:
      is[d]: 1
    =: {{other: 1}}
{network}
  head:
    classes: 3
    logits digit[d]: said[d] + where(d == 0, 0.01, 0) * at
decode: argmax
ignore: unseen-token
"""

MODELS = {  # dtype and layers; in most of them much depends on where in the window a token stands
    "third last": """float64
attention:
  value_dim: 3
  score head: where(key_pos == query_pos - 2, 0, -100)
  value head[s]: is[s]
  output said[s]: head[s]
""",
    "alibi": """float32
attention:
  value_dim: 3
  score head: -2 * (query_pos - key_pos)
  value head[s]: is[s] + 0.1 * other
  output said[s]: head[s]
""",
    "positions": """float64
position: {at: pos % 3 - 1, other: 0.1 * pos}
attention:
  value_dim: 3
  query head: 1 + at
  key head: 3 * is[1] + other
  value head[s]: is[s] * (1 + s)
  output said[s]: head[s]
""",
    "later keys": """float64
attention first:
  mask: none
  query head: is[0] + 0.3
  key head: is[1] - is[2]
  value head: is[0] - 2 * is[1] + other
  output at: head
attention second:
  mask: none
  value_dim: 3
  query head: at
  key head: at + is[0]
  value head[s]: is[s]
  output said[s]: head[s]
""",
    "rope": """float32
attention:
  value_dim: 3
  head_dim: 2
  rope: {frequency: 0.9 / 3 ** pair}
  query head[c]: 1 + c
  key head[c]: 2 * is[c] + other
  value head[s]: is[s]
  output said[s]: head[s]
""",
    "ffn alone": """float64
ffn:
  hidden: more
  up more: is[0] - is[1]
  down said[2]: 2 * more
  down said[0]: 0.5 - more
""",
}

GOES_ON = """given: {word: digit*3}
answers: {rest: digit*4}
equations: {"rest[i]": "word[i % 3]"}
"""
THE_SAME = """given: {word: digit*3}
answers: {same: digit*3}
equations: {same: word}
"""
COMING = """given: {word: digit*4}
answers: {coming: digit*2}
equations: {"coming[i]": "word[i + 2]"}
"""
CASES = "cases: {0 1 2: 0 1 2 0, 1 1 0: 1 1 0 1, 2 0 2: 0 0 0 2}\n"
REST = f"{GOES_ON}prompt: word\nanswer: rest\n"
FORCED = f"{GOES_ON}prompt: word =\nanswer: = rest[0] rest[1] = rest[2] rest[3] =\n"

WINDOWS = {
    "one token": f"{REST}window: 1",
    "two tokens": f"{REST}window: 2",
    "the prompt": f"{REST}window: 3",
    "more than the prompt": f"{REST}window: 4",
    "all but one": f"{REST}window: 5",
    "all that is read": f"{REST}window: 6",
    "more than there is": f"{REST}window: 9",
    "forced tokens": f"{FORCED}window: 3",
    "forced tokens at the end": f"{GOES_ON}prompt: word\nanswer: rest = = =\nwindow: 6",
    "cases": f"{CASES}window: 3",
    "in place": f"{THE_SAME}prompt: = word\nanswer: {{in_place: word}}\nwindow: 4",
}
PLACES = {
    "after the prompt": REST,
    "after forced tokens": FORCED,
    "at a token": "given: {word: digit*3}\nanswers: {last: digit}\nequations: {last: 'word[2]'}\n"
    "prompt: word <cls>\nanswer: {at: <cls>}",
    "in place": f"{THE_SAME}prompt: = word\nanswer: {{in_place: word}}",
    "in place, backwards": f"{THE_SAME}order: least_significant_first\nprompt: word =\nanswer: {{in_place: word}}",
    "next": f"{COMING}prompt: word\nanswer: {{next: word}}",
    "next, from": f"{COMING}prompt: word\nanswer: {{next: word, from: 2}}",
    "cases": CASES,
}


@pytest.fixture(autouse=True)
def _no_cache_of_the_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SETTING, str(tmp_path / "cache"))


def made(folder: Path, task: str, model: str) -> Spec:
    dtype, layers = MODELS[model].split("\n", 1)
    text = SPEC.format(dtype=dtype, task=indent(task.strip("\n"), "  "), network=indent(layers.strip("\n"), "  "))
    return load_text(folder, text)


def every(spec: Spec) -> str:
    return "cases" if spec.resolved.task.cases else "exhaustive"


def judged(spec: Spec, engine: EngineName, inputs: int) -> list[Row]:
    evaluator = Evaluator(spec, engine=engine, inputs=inputs)
    assert evaluator.use.name == engine, evaluator.use.reason
    return wrong(evaluator.verdicts(*suite_tokens(spec, every(spec), 1 << 20, 0)))


def check(spec: Spec, inputs: int = 0) -> int:
    """How many of all inputs are answered wrong, with both engines; bounds hold for any tokens."""
    failures = by_reference(spec, every(spec), 1 << 20)
    assert judged(spec, "fast", inputs) == failures
    compared = compare(spec, *any_tokens(spec, 8, 1, anywhere=True), anywhere=True).check()
    assert compared.sure.mean() > 0.5  # else the plain module is compared with itself
    return len(failures)


def models(*names: str) -> list[ParameterSet]:
    """These in any run, all of them in the long one."""
    return [pytest.param(name, marks=[pytest.mark.long] * (name not in names)) for name in MODELS]


@pytest.mark.parametrize("model", models("third last", "later keys"))
def test_windows(tmp_path: Path, model: str) -> None:
    failing = {name: check(made(tmp_path, task, model)) for name, task in WINDOWS.items()}
    right = ["the prompt", "more than the prompt", "all but one", "all that is read", "more than there is"]
    assert [name for name in right if not failing[name]] == (right if model == "third last" else [])


@pytest.mark.parametrize("model", models("positions"))
def test_places(tmp_path: Path, model: str) -> None:
    for task in PLACES.values():
        check(made(tmp_path, task, model))


@pytest.mark.parametrize("rows", [1, 60])  # of 27 for each of four starts
def test_starts_that_are_not_all_run_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rows: int) -> None:
    spec = made(tmp_path, WINDOWS["two tokens"], "positions")
    monkeypatch.setattr(fast_engine, "MOST_ROWS", rows)
    assert judged(spec, "fast", 0) == by_reference(spec, every(spec), 1 << 20)


@pytest.mark.parametrize("chunk", [0, *(pytest.param(i, marks=pytest.mark.long) for i in range(1, 20))])
def test_windows_of_random_networks(tmp_path: Path, chunk: int) -> None:
    """For any tokens; prompt and answer are six and three of them."""
    found: Counter[str] = Counter()
    for seed in range(20 * chunk, 20 * chunk + 20):
        try:
            text = random_network(Random(f"window:{seed}"))
            spec = load_text(tmp_path, text, {"task.window": 1 + seed % 8})
            found["sure"] += int(compare(spec, *any_tokens(spec, 6, seed)).check(seed).sure.sum())
            found["followed"] += 1
        except (SpecError, NotFollowed):
            found["refused"] += 1
    assert found["followed"] > 5
    assert found["sure"] > 0.3 * found["followed"] * 6 * 3


@pytest.mark.skipif(find_compiler() is None, reason="no C compiler works here")
def test_compiled(tmp_path: Path) -> None:
    spec = made(tmp_path, WINDOWS["more than the prompt"], "positions")
    assert Evaluator(spec, inputs=COMPILED).use.detail.startswith("compiled C")
    assert check(spec, COMPILED) > 0
