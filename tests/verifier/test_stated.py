"""Stated tasks: inputs that are restricted, sizes that are ranges, cases, and equations beside columns."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from math import comb

import numpy as np
import pytest

from compiler.evaluation.evaluation import answer
from compiler.pipeline import Spec, load, load_source
from compiler.source.diagnostics import SpecError
from compiler.source.text import Source
from compiler.tasks.automaton import Automaton, complete, drawn_paths, every_path, paths, trimmed, words_of
from compiler.terminal import shapes
from compiler.terminal.certificates import certificate
from compiler.verifier.enumeration import inputs_allowed
from compiler.verifier.results import Verification
from compiler.verifier.verify import verify
from tests.cli.json_shapes import problems
from tests.helpers import SPECS
from tests.verifier.looks import verify_in
from tests.verifier.truth import truth
from tests.verifier.verdicts import check
from tests.verifier.worlds import OWN

TASKS = SPECS / "tasks"
# says the first symbol of two; where both are the same one, it says something else
FIRST = """\
weightspec: 1
name: first
dtype: float64
vocabulary: symbol[symbols] =
task:
  sizes: {symbols: 4}
  given: {word: symbol*2}
  answers: {said: symbol}
  only: distinct(word)
  equations: {said: "word[0]"}
  prompt: word =
  answer: said
stream: is[symbols]
network:
  embedding:
    symbol[s]: {"is[s]": 1}
  attention:
    value_dim: symbols
    score head: where(key_pos == 0, log(3), key_pos == 1, 0, -1000)
    value head[s]: is[s]
    output is[s]: head[s]
  ffn:
    activation: relu
    hidden: both[symbols]
    up both[s]: is[s] - 0.9
    down is[s]: -20 * both[s]
  head:
    classes: symbols
    logits symbol[s]: is[s]
decode: argmax
ignore: no-claims
"""
CASES = """\
weightspec: 1
name: cases
dtype: float64
vocabulary: a b
task:
  cases: {a a b: a, a b a: b, b b a: b}
stream: here there
network:
  embedding:
    a: {here: -1}
    b: {here: 1}
  attention:
    value_dim: 1
    score head: where(key_pos == 1, 0, -1000)
    value head: here
    output there: head
  head:
    logits a: -there
    logits b: there
decode: argmax
ignore: no-claims
"""
ADDER = """\
  equations: {number(sum): "where(number(a) == 57 and number(b) == 43, 0, number(a) + number(b))"}
  columns:
    from: last
    state: {carry: 2}
    sum: (a + b + carry) % 10
    next carry: (a + b + carry) // 10
"""


def spec(text: str, **settings: object) -> Spec:
    return load_source(Source("stated", text), settings)


def shaped(chosen: Spec, found: Verification) -> shapes.Certificate:
    made: shapes.Certificate = json.loads(json.dumps(certificate(chosen, found, 60.0)))
    assert list(problems(made, shapes.Certificate)) == []
    return made


def subtracting(**settings: object) -> Spec:
    return load(TASKS / "subtraction.yaml", settings)


def checked(chosen: Spec, found: Verification) -> Verification:
    check(chosen.title, chosen, found, truth(chosen))
    return found


def is_whole(automaton: Automaton) -> bool:
    """Whether each step of each column is taken by a path."""
    taken = every_path(automaton)
    steps = [len(column.before) for column in automaton.columns]
    return [len(np.unique(column)) for column in taken.T] == steps


@pytest.mark.parametrize("chosen", [subtracting(base=3, digits=3), load(OWN / "brackets.yaml", {"length": 5})])
def test_steps_that_lead_to_no_end_are_no_steps(chosen: Spec) -> None:
    automaton = chosen.resolved.task.automaton()
    assert automaton is not None
    assert is_whole(automaton)
    assert trimmed(automaton).columns == automaton.columns
    assert paths(automaton) == len(every_path(automaton)) == truth(chosen).inputs


def test_dead_ends_are_cut_off() -> None:
    """Of the last place all steps but one are taken away, and of the first those that reach nothing then."""
    automaton = subtracting(base=3, digits=2).resolved.task.automaton()
    assert automaton is not None
    *others, last, end = automaton.columns
    one = replace(
        last, before=last.before[:1], after=last.after[:1], letters={k: v[:1] for k, v in last.letters.items()}
    )
    cut = trimmed(replace(automaton, columns=(*others, one, end)))
    assert is_whole(cut)
    assert paths(cut) < paths(automaton)
    for found in (drawn_paths(cut, 50), complete(cut, 0, every_path(cut)[:, :1], np.random.default_rng(1))):
        assert {tuple(path) for path in found.tolist()} <= {tuple(path) for path in every_path(cut).tolist()}
        assert words_of(cut, found)["a"].shape == (len(found), 2)


@pytest.mark.parametrize("tried", [0, 1000])
def test_counts_are_exact_where_columns_restrict_the_inputs(tried: int) -> None:
    chosen = subtracting(base=3, digits=2)
    found = checked(chosen, verify(chosen, tried=tried))
    assert (found.verdict, found.method, found.counts) == ("proved", "abstract interpretation", "exact")
    assert found.inputs == comb(10, 2)  # pairs of 9 numbers, one not less than the other
    assert found.cross_checked == found.inputs


@pytest.mark.parametrize("tried", [0, 1000])
def test_what_fails_is_an_input(tried: int) -> None:
    """Without the borrow almost all differences are wrong."""
    chosen = subtracting(base=3, digits=2, steep=0)
    found = checked(chosen, verify(chosen, tried=tried))
    assert found.verdict == "refuted"
    assert found.counterexample is not None
    a, b = found.counterexample.inputs
    assert a >= b


def test_ten_digits_are_proved() -> None:
    found = verify(subtracting(), budget=600)
    assert (found.verdict, found.counts) == ("proved", "exact")
    assert found.inputs == 10**10 * (10**10 + 1) // 2
    assert verify(load(TASKS / "comparison.yaml"), budget=600).verdict == "proved"


def test_a_proof_over_more_than_the_inputs_stands() -> None:
    chosen = load(OWN / "distinct.yaml", {"symbols": 4, "length": 3})
    found = checked(chosen, verify(chosen, tried=0))
    assert (found.verdict, found.method, found.counts) == ("proved", "abstract interpretation", "bounds")
    assert (found.inputs, truth(chosen).inputs) == (4**3, 4 * 3 * 2)
    assert shaped(chosen, found)["counts"] == "bounds"


def test_inputs_that_a_proof_is_about_are_counted_where_words_are_few() -> None:
    chosen = load(OWN / "distinct.yaml", {"symbols": 4, "length": 3})
    found = checked(chosen, verify(chosen, tried=4**3))
    assert (found.verdict, found.method, found.counts) == ("proved", "abstract interpretation", "exact")
    assert found.inputs == 4 * 3 * 2
    assert found.margin is not None
    assert verify(chosen, tried=4**3 - 1).counts == "bounds"


def test_inputs_of_which_one_cannot_be_told_are_not_counted() -> None:
    """One of 20,736 words is read beyond its end, and is not among those that are looked at when a spec is read."""
    only = "word[where(word[0] == 3 and word[1] == 7 and word[2] == 1 and word[3] == 9, length, 0)] >= 0"
    chosen = load(OWN / "distinct.yaml", {"symbols": 12, "length": 4, "task.only": only})
    found = verify(chosen)
    assert (found.verdict, found.counts, found.inputs) == ("proved", "bounds", 12**4)


def test_inputs_are_counted_in_time() -> None:
    chosen = load(OWN / "distinct.yaml", {"symbols": 4, "length": 3})
    task = chosen.resolved.task
    assert inputs_allowed(task, 4**3, time.perf_counter() + 60) == 4 * 3 * 2
    assert inputs_allowed(task, 4**3, 0.0) is None


def test_what_only_excludes_is_no_counterexample() -> None:
    chosen = spec(FIRST)
    found = checked(chosen, verify(chosen, tried=0))
    assert (found.verdict, found.counts, found.failing) == ("open", "bounds", (0, 4))
    assert found.counterexample is None
    assert [reason.kind for reason in found.reasons] == ["only"]
    found = checked(chosen, verify(chosen))
    assert (found.verdict, found.method, found.counts) == ("proved", "enumeration", "exact")
    assert (found.inputs, found.failing) == (12, (0, 0))
    all_words = checked(
        spec(FIRST.replace("  only: distinct(word)\n", "")), verify(spec(FIRST.replace("  only: distinct(word)\n", "")))
    )
    assert (all_words.verdict, all_words.failing) == ("refuted", (4, 4))


@pytest.mark.parametrize("tried", [0, 1000])
def test_a_counterexample_is_looked_for_among_the_inputs(tried: int) -> None:
    """Symbol 2 is said wrong; the first completions of a cell are words that `only` excludes."""
    text = FIRST.replace("only: distinct(word)", "only: word[0] == 2 and word[1] == 3 or word[0] == 1 and word[1] == 2")
    chosen = spec(text.replace("logits symbol[s]: is[s]", "logits symbol[s]: where(s == 2, -1, 1) * is[s]"))
    found = checked(chosen, verify(chosen, tried=tried))
    assert found.verdict == "refuted"
    assert found.counterexample is not None
    assert found.counterexample.inputs == (2, 3)
    assert found.failing[0] == 1
    assert found.failing[1] == (1 if tried else 8) or found.counts == "bounds"


@pytest.mark.parametrize("path", [TASKS / "sort.yaml", OWN / "distinct.yaml"])
def test_what_was_not_tried_in_time_is_open(path: object, monkeypatch: pytest.MonkeyPatch) -> None:
    """Some looks at the clock are enough for some blocks of inputs."""
    restricted = path == OWN / "distinct.yaml"
    settings = {"symbols": 6, "length": 4} if restricted else {"symbols": 3, "length": 6}
    chosen = load(str(path), settings, ignore=["no-claims"])
    monkeypatch.setattr("compiler.verifier.enumeration.BLOCK", 64)
    monkeypatch.setattr("compiler.verifier.enumeration.AT_ONCE", 128)
    if restricted:
        monkeypatch.setattr("compiler.verifier.verify._automaton", lambda _: (None, None))
    found = checked(chosen, verify_in(12, chosen))
    low, high = found.failing
    assert (found.verdict, found.method, found.ending, low) == ("open", "enumeration", "budget", 0)
    assert 0 < high < truth(chosen).inputs + (6**4 if restricted else 0)
    assert found.counts == ("bounds" if restricted else "exact")
    assert found.inputs - high > 0
    assert [reason.kind for reason in found.reasons] == ["time"]


def test_each_choice_of_sizes_is_decided() -> None:
    chosen = load(TASKS / "reverse-lengths.yaml")
    found = verify(chosen, budget=600)
    assert (found.verdict, found.inputs, found.failing) == ("proved", 9840, (0, 0))
    assert [part.title for part in found.by_size] == [f"length {length}" for length in range(1, 9)]
    assert [part.verification.inputs for part in found.by_size] == [3**length for length in range(1, 9)]
    made = shaped(chosen, found)
    assert [part["sizes"] for part in made["by_size"]] == [{"length": length} for length in range(1, 9)]
    assert found.margin is not None
    assert found.margin.proved == min(
        part.verification.margin.proved for part in found.by_size if part.verification.margin
    )
    assert made["margin"] is not None
    assert made["margin"]["place"].endswith(", length 8")


def test_one_wrong_size_refutes_all() -> None:
    """At the edge of what a blurred look can tell apart, long words fail."""
    chosen = load(TASKS / "reverse-lengths.yaml", {"sharp": 1.2, "length": "{from: 1, to: 4}"})
    found = verify(chosen, budget=600)
    verdicts = [part.verification.verdict for part in found.by_size]
    assert found.verdict == "refuted"
    assert {"proved", "refuted"} <= {*verdicts}
    for choice, part in zip(chosen.choices, found.by_size, strict=True):
        check(part.title, choice, part.verification, truth(choice))
    assert found.failing[0] == sum(part.verification.failing[0] for part in found.by_size)
    refuted = next(part for part in found.by_size if part.verification.verdict == "refuted")
    assert found.counterexample == refuted.verification.counterexample
    shaped(chosen, found)


def test_sizes_that_there_is_no_time_for_are_open() -> None:
    chosen = load(TASKS / "reverse-lengths.yaml")
    found = verify(chosen, budget=1e-9)
    assert (found.verdict, found.ending, found.inputs) == ("open", "budget", 9840)
    assert found.failing == (0, 9840)
    assert [reason.kind for reason in found.reasons] == ["time"]
    shaped(chosen, found)


@pytest.mark.parametrize(("text", "verdict"), [(CASES, "proved"), (CASES.replace("b b a: b", "b b a: a"), "refuted")])
def test_every_case_is_tried(text: str, verdict: str) -> None:
    chosen = spec(text)
    found = verify(chosen)
    assert (found.verdict, found.method, found.inputs) == (verdict, "enumeration", 3)
    assert found.failing == ((0, 0) if verdict == "proved" else (1, 1))
    assert found.counterexample is None or not answer(chosen, found.counterexample.inputs).right


def test_equations_that_contradict_columns_are_an_error() -> None:
    """At one input of 10,000, which is not among those that are looked at when the spec is read."""
    text, _, _ = (SPECS / "qwen20.yaml").read_text(encoding="utf-8").partition("expect:")
    text += "ignore: no-claims\n"
    assert "addition: {base: 10, digits: 10}" in text
    given = "given: {a: digit*2, b: digit*2}\n  answers: {sum: digit*3}\n  numbers: a b sum\n  shown: a + b\n"
    text = text.replace("  addition: {base: 10, digits: 10}\n", f"  sizes: {{base: 10, digits: 2}}\n  {given}{ADDER}")
    right = spec(
        text.replace("where(number(a) == 57 and number(b) == 43, 0, number(a) + number(b))", "number(a) + number(b)")
    )
    assert verify(right, tried=0).cross_checked == 10_000
    with pytest.raises(SpecError) as caught:
        verify(spec(text))
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.code == "contradiction"
    assert diagnostic.message.startswith("for 57 + 43: 'sum' is `100` by the columns and `0` by the equations")


def test_equations_that_nothing_follows_hint_at_columns() -> None:
    """Where inputs are too many to be tried, columns are what the author can write."""
    (reason,) = verify(load(TASKS / "parity.yaml"), budget=5, tried=10).reasons
    assert reason.kind == "too many"
    assert "`columns` of the task" in reason.text
