"""Evaluation: what is run, how k of n adds up, which verdicts are decided again, and what cannot be had."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import compiler
import compiler.backends.torch.reference
import compiler.evaluation.evaluator
from compiler.backends.native.engines import Decoding
from compiler.evaluation.evaluation import Evaluation, answer, evaluate
from compiler.evaluation.evaluator import Evaluator, Failure
from compiler.pipeline import Spec, load
from compiler.tasks.task import Inputs
from tests.helpers import ROOT, SPECS, load_text, verdicts
from tests.scripted import TINY, Scripted


@pytest.fixture(scope="module")
def spec() -> Spec:
    return load(SPECS / "tiny95.yaml")


def comparable(result: Evaluation) -> Evaluation:
    """Without the times, and how the engine ran."""
    engine = replace(result.engine, detail="")
    return replace(result, engine=engine, suites=tuple(replace(suite, seconds=0.0) for suite in result.suites))


@pytest.mark.parametrize(
    ("decoding", "suites"), [("teacher", ["uniform", "edges", "carries", "near_carry"]), ("greedy", ["near_carry"])]
)
def test_k_of_n_adds_up(spec: Spec, decoding: Decoding, suites: list[str]) -> None:
    seen: list[tuple[str, int, int]] = []
    result = compiler.evaluate(
        spec,
        suites if decoding == "greedy" else None,
        pairs=150,
        decoding=decoding,
        progress=lambda suite, done, total: seen.append((suite, done, total)),
    )
    near = 150 - near_failures(spec, 150)
    right = {"uniform": 150, "edges": 768, "carries": 150, "near_carry": near}
    size = {"uniform": 150, "edges": 784, "carries": 150, "near_carry": 150}
    assert [suite.suite for suite in result.suites] == suites
    for suite in result.suites:
        assert (suite.right, suite.pairs) == (right[suite.suite], size[suite.suite])
        assert suite.pairs == sum(part.pairs for part in suite.parts)
        assert suite.right == sum(part.right for part in suite.parts)
        for part in suite.parts:
            assert len(part.failures) == min(5, part.pairs - part.right)
        steps = [(done, total) for name, done, total in seen if name == suite.suite]
        assert steps[-1] == (suite.pairs, suite.pairs)
        assert [done for done, _ in steps] == sorted({done for done, _ in steps})
    assert result.pairs == sum(size[suite] for suite in suites)
    assert result.right == sum(right[suite] for suite in suites)
    assert (result.decoding, result.dtype, result.device) == (decoding, "float64", "cpu")
    assert result.seconds == sum(suite.seconds for suite in result.suites) > 0


def near_failures(spec: Spec, pairs: int) -> int:
    """How many of the near carries the model answers wrong, one sequence at a time."""
    (part,) = spec.resolved.task.suites()["near_carry"].parts(pairs, 0)
    wrong = verdicts(Evaluator(spec, engine="plain"), list(part.generate())).count(False)
    assert wrong
    return wrong


def test_failures_are_the_first_ones_with_what_the_model_says(spec: Spec) -> None:
    (suite,) = compiler.evaluate(spec, ["edges"]).suites
    (part,) = suite.parts
    assert suite.seed is None
    every = [pair for own in spec.resolved.task.suites()["edges"].parts(0, 0) for pair in own.generate()]
    found = [failure.inputs for failure in part.failures]
    assert len(found) == 5
    assert sorted(found, key=every.index) == found
    for failure in part.failures:
        a, b = failure.inputs
        assert (failure.text, failure.expected) == (f"{a} + {b}", str(a + b))
        decoded = answer(spec, failure.inputs)
        assert (decoded.text, decoded.right, failure.got) == (failure.got, False, decoded.text)
        assert failure.got != failure.expected


def test_pairs_is_the_old_word_for_inputs(spec: Spec) -> None:
    new, old = compiler.evaluate(spec, ["uniform"], inputs=7), compiler.evaluate(spec, ["uniform"], pairs=7)
    assert comparable(new) == comparable(old)
    assert (new.inputs, new.pairs, new.suites[0].inputs, new.suites[0].pairs) == (7, 7, 7, 7)
    assert [part.pairs for part in new.suites[0].parts] == [part.inputs for part in new.suites[0].parts] == [3, 2, 2]
    with pytest.raises(compiler.SpecError, match="`pairs` is the old word for `inputs`"):
        compiler.evaluate(spec, ["uniform"], inputs=7, pairs=7)


@pytest.mark.parametrize(("pairs", "split"), [(10, [4, 3, 3]), (9, [3, 3, 3]), (2, [1, 1, 0]), (1, [1, 0, 0])])
def test_pairs_are_split_among_the_lengths(spec: Spec, pairs: int, split: list[int]) -> None:
    (suite,) = compiler.evaluate(spec, ["uniform"], pairs=pairs).suites
    assert [part.label for part in suite.parts] == ["8 digits", "9 digits", "10 digits"]
    assert [part.pairs for part in suite.parts] == split
    assert (suite.pairs, suite.right) == (pairs, pairs)


def test_the_seed_decides_everything(spec: Spec) -> None:
    runs = [comparable(compiler.evaluate(spec, ["near_carry"], pairs=300, seed=seed)) for seed in (5, 5, 6)]
    assert runs[0] == runs[1]
    assert runs[0].suites[0].seed == 5
    assert runs[0].suites[0].parts[0].failures != runs[2].suites[0].parts[0].failures


def test_the_size_of_a_batch_does_not_matter(spec: Spec) -> None:
    runs = [comparable(evaluate(spec, ["near_carry"], pairs=120, engine="plain", batch=batch)) for batch in (1, 7, 120)]
    assert runs[0] == runs[1] == runs[2]


def test_a_suite_is_run_once_and_in_the_order_asked_for(spec: Spec) -> None:
    result = compiler.evaluate(spec, ["near_carry", "uniform", "near_carry"], pairs=3)
    assert [suite.suite for suite in result.suites] == ["near_carry", "uniform"]


class Wavering(nn.Module):
    """Says 0 1 for every pair alone, ahead by `margin`; in a batch the first token is ahead by `shift` less."""

    def __init__(self, margin: float, shift: float) -> None:
        super().__init__()
        self.margin = margin
        self.shift = shift
        self.batches: list[int] = []

    def forward(self, tokens: Tensor) -> Tensor:
        batch, time = tokens.shape
        self.batches.append(batch)
        logits = torch.tensor([1.0, 3.0], dtype=torch.float64).repeat(batch, time, 1)
        ahead = self.margin - (self.shift if batch > 1 else 0.0)
        logits[:, 2] = torch.tensor([3.0 + ahead, 3.0], dtype=torch.float64)
        return logits


@pytest.mark.parametrize(
    ("margin", "shift", "close"),
    [
        (2.0**-51, 0.0, 4),  # within rounding
        (2.0**-51, 2.0**-50, 4),  # the batch says 1 1
        (2.0**-40, 0.0, 0),
        (2.0**-40, 2.0**-39, 4),  # beyond rounding of the logits, but a batch is that far from a sequence alone
        (2.0**-40, 2.0**-42, 4),  # the batch is right too, within the noise that was measured
        (2.0**-40, 2.0**-45, 0),
    ],
)
@pytest.mark.parametrize("decoding", ["teacher", "greedy"])
def test_close_tokens_are_decided_one_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, decoding: Decoding, margin: float, shift: float, close: int
) -> None:
    """0 + 1 and 1 + 0 are 01: right for a sequence alone. 0 + 0 is wrong in its second token, clearly, and whether its
    first one is right has to be known too, to say which is the first wrong one. 1 + 1 is wrong in both."""
    model = Wavering(margin, shift)
    monkeypatch.setattr(compiler.backends.torch.reference, "build_model", lambda network: model)
    tiny = load_text(tmp_path, TINY)
    found = compiler.evaluate(tiny, ["exhaustive"], decoding=decoding, engine="plain", batch=4)
    (suite,) = found.suites
    (part,) = suite.parts
    batches, probes, failures = {"teacher": 1, "greedy": 2}[decoding], [1] * (4 * 2), [1] * (2 * 2)
    decisions = [1] * close
    if decoding == "greedy" and shift >= margin:  # three begin with a wrong 1, after which the next token is unknown
        decisions = [1] * (3 * 2 + 1) if close else []
    assert (part.pairs, part.right, part.close) == (4, 2, close)
    assert model.batches == [*[4] * batches, *probes, *decisions, *failures]


@pytest.mark.parametrize("decoding", ["teacher", "greedy"])
def test_where_float64_runs_out_verdicts_are_those_of_greedy_decoding(decoding: Decoding) -> None:
    """With 14 digits the low places of tiny95-exact drown in rounding, and batches differ from sequences alone."""
    spec = load(SPECS / "tiny95-exact.yaml", {"digits": 14})
    inputs = [pair for part in spec.resolved.task.suites()["near_carry"].parts(40, 0) for pair in part.generate()]
    evaluator, words = Evaluator(spec, "cpu", decoding, "plain", batch=40), spec.resolved.task.encode(inputs)
    found = evaluator.verdicts(spec.layout.prompts(words), spec.layout.answers(words))
    assert found.close > 0
    assert 0 < found.right.sum() < 40
    assert found.right.tolist() == [answer(spec, pair).right for pair in inputs]


def test_a_failure_that_greedy_decoding_gets_right_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Noise that no probe has shown is found out when a failure is decoded to be shown."""
    model = Wavering(1.0, 0.0)
    monkeypatch.setattr(compiler.backends.torch.reference, "build_model", lambda network: model)
    evaluator = Evaluator(load_text(tmp_path, TINY), engine="plain")
    assert evaluator.failure((0, 1)) is None
    failure = evaluator.failure((1, 1))
    assert failure is not None
    assert (failure.expected, failure.got) == ("2", "1")


def test_a_spec_whose_logits_all_tie(tmp_path: Path) -> None:
    """Zero logits: every token is 0, every verdict is close, and 0 + 0 alone is right."""
    (suite,) = compiler.evaluate(load_text(tmp_path, TINY, {"embedding.digit[d]": "{one: 0}"}), ["exhaustive"]).suites
    (part,) = suite.parts
    assert (part.pairs, part.right, part.close) == (4, 1, 4)
    assert [(failure.text, failure.got) for failure in part.failures] == [
        ("0 + 1", "0"),
        ("1 + 0", "0"),
        ("1 + 1", "0"),
    ]


class Broken(nn.Module):
    def forward(self, tokens: Tensor) -> Tensor:
        return torch.full((*tokens.shape, 2), torch.nan)


@pytest.mark.parametrize("decoding", ["teacher", "greedy"])
def test_nan_is_wrong_and_said_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, decoding: Decoding) -> None:
    monkeypatch.setattr(compiler.backends.torch.reference, "build_model", lambda network: Broken())
    result = compiler.evaluate(load_text(tmp_path, TINY), ["exhaustive"], decoding=decoding, engine="plain")
    assert (result.right, result.pairs) == (0, 4)
    assert all("NaN" in failure.got for failure in result.suites[0].parts[0].failures)


@pytest.mark.parametrize(
    ("suites", "pairs", "device", "code", "says"),
    [
        (["near_cary"], None, "cpu", "unknown-name", "near_carry"),
        (["uniform", "nothing"], 3, "cpu", "unknown-name", "nothing"),
        (["uniform"], 0, "cpu", "bad-value", "not 0"),
        (["uniform"], -5, "cpu", "bad-value", "not -5"),
        (["uniform"], 10**12, "cpu", "bad-value", "1,000,000,000"),
        (["exhaustive"], None, "cpu", "task", "near_carry"),
        *((["uniform"], 3, device, "device", device) for device in ("nonsense", "cuda:7", "meta", "mps", "hpu")),
    ],
)
def test_what_cannot_be_had_is_a_spec_error(
    spec: Spec, suites: list[str], pairs: int | None, device: str, code: str, says: str
) -> None:
    with pytest.raises(compiler.SpecError) as raised:
        compiler.evaluate(spec, suites, pairs=pairs, device=device)
    assert [found.code for found in raised.value.diagnostics] == [code]
    assert says in raised.value.diagnostics[0].message


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        ({"suites": ["edges"]}, "bad-value", "give no suites, inputs or seed"),
        ({"inputs": 5}, "bad-value", "give no suites, inputs or seed"),
        ({"pairs": 5}, "bad-value", "give no suites, inputs or seed"),
        ({"seed": 0}, "bad-value", "give no suites, inputs or seed"),
        ({"protocol": "adderbord"}, "unknown-name", "no protocol 'adderbord'; did you mean 'adderboard'?"),
        ({"failures": -1}, "bad-value", "cannot be -1"),
    ],
)
def test_what_a_protocol_leaves_no_choice_about(spec: Spec, arguments: dict[str, Any], code: str, says: str) -> None:
    with pytest.raises(compiler.SpecError) as raised:
        compiler.evaluate(spec, **{"protocol": "adderboard", **arguments})
    (found,) = raised.value.diagnostics
    assert (found.code, found.span) == (code, None)
    assert says in found.message


def test_a_task_without_protocols_says_who_has_one() -> None:
    with pytest.raises(compiler.SpecError) as raised:
        compiler.evaluate(load(SPECS / "reverse.yaml"), protocol="adderboard")
    (found,) = raised.value.diagnostics
    assert (found.message, found.hint) == ("the task reverse has no protocols", "addition has adderboard")


def test_what_a_later_suite_cannot_do_is_said_before_the_first_is_run() -> None:
    def called(suite: str, done: int, total: int) -> None:
        raise AssertionError(suite)

    spec = load(SPECS / "tiny95.yaml", {"digits": 6})
    with pytest.raises(compiler.SpecError) as raised:
        compiler.evaluate(spec, ["edges", "adderboard"], progress=called)
    assert [found.code for found in raised.value.diagnostics] == ["task"]


@pytest.mark.parametrize(("wrong", "qualified"), [(0, True), (100, True), (101, False)])
def test_a_protocol_is_passed_with_as_many_right_as_it_asks_for(
    monkeypatch: pytest.MonkeyPatch, wrong: int, qualified: bool
) -> None:
    """9,910 of 10,010 are 99 % of them; the model is replaced by an engine that is wrong so many times."""
    spec = load(SPECS / "qwen20.yaml")
    engine = Scripted(spec, lambda number, right: (right + 1) % 10 if number < wrong else right)
    monkeypatch.setattr(compiler.evaluation.evaluator, "fast_engine", lambda *_: engine)
    monkeypatch.setattr(compiler.evaluation.evaluator, "SelfCheck", lambda *_: lambda *_: None)
    monkeypatch.setattr(Evaluator, "failure", lambda evaluator, pair: Failure(pair, "", "", ""))
    result = compiler.evaluate(spec, protocol="adderboard", failures=None)
    assert (result.pairs, result.right, result.qualified) == (10_010, 10_010 - wrong, qualified)
    assert result.protocol is not None
    (suite,) = result.suites
    asked = [pair for part in spec.resolved.task.suites()["adderboard"].parts(0, 0) for pair in part.generate()]
    assert [pair.inputs for part in suite.parts for pair in part.failures] == asked[:wrong]
    assert suite.seed is None


def test_without_a_protocol_nothing_is_qualified(spec: Spec) -> None:
    result = compiler.evaluate(spec, ["carries"], pairs=2)
    assert (result.protocol, result.qualified) == (None, None)


@pytest.mark.parametrize(("failures", "kept"), [(None, 16), (0, 0), (7, 7), (16, 16), (100, 16)])
def test_as_many_failures_as_asked_for_are_kept(spec: Spec, failures: int | None, kept: int) -> None:
    ((part,),) = (suite.parts for suite in compiler.evaluate(spec, ["edges"], failures=failures).suites)
    assert (part.right, part.pairs) == (768, 784)
    assert len({failure.inputs for failure in part.failures}) == len(part.failures) == kept


@pytest.mark.parametrize(("inputs", "right"), [((5193798811, 1806201129), False), ((1, 9999999999), True)])
def test_answer(spec: Spec, inputs: Inputs, right: bool) -> None:
    found = answer(spec, inputs)
    assert found.right is right
    assert found.expected == str(sum(inputs))
    assert (found.text == found.expected) is right
    assert found.right_tokens == (*map(int, f"{sum(inputs):011d}"), 12)  # <eos>, which is forced
    assert len(found.prompt_tokens) == 23
    assert found.tokens[-1] == 12


MEASURED = """
import compiler
spec = compiler.load("specs/tiny95.yaml", {overrides})
result = compiler.evaluate(spec, ["{suite}"], pairs={pairs}, engine="{engine}", batch=1024)
assert (result.right, result.pairs) == ({pairs}, {pairs})
"""


def peak_megabytes(pairs: int, engine: str, suite: str = "uniform", overrides: dict[str, int] | None = None) -> float:
    """The peak memory of a process of its own that evaluates so many pairs."""
    script = MEASURED.format(pairs=pairs, engine=engine, suite=suite, overrides=overrides or {})
    own = [sys.executable, "-c", script]
    measure = [sys.executable, "-S", str(ROOT / "tests" / "measured.py"), "600", *own]
    done = subprocess.run(measure, cwd=ROOT, capture_output=True, text=True, check=True)
    found = json.loads(done.stdout)
    assert found["exit_code"] == 0, found["stderr"]
    return float(found["megabytes"])


@pytest.mark.parametrize("engine", [pytest.param("plain", marks=pytest.mark.long), "fast"])
def test_5_000_pairs_need_little_memory(engine: str) -> None:
    assert peak_megabytes(5_000, engine) < 800


@pytest.mark.long
def test_100_000_pairs_stay_under_one_gigabyte() -> None:
    assert peak_megabytes(100_000, "plain") < 1000


@pytest.mark.long
def test_every_sum_of_four_digits_stays_under_one_gigabyte() -> None:
    assert peak_megabytes(10**8, "fast", "exhaustive", {"digits": 4}) < 1000
