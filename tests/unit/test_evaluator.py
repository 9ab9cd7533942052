"""The evaluator: what an engine is sure of stands, all else is the plain module's, and the first wrong token is
known."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

import compiler
import compiler.backends.torch.reference
import compiler.evaluation.answer_counts
import compiler.evaluation.evaluator
from compiler.backends.bounds.cost import MOST_OPERATIONS
from compiler.backends.native.engines import UNSURE, Engine, EngineUnavailable
from compiler.backends.torch.decode import NO_TOKEN
from compiler.backends.torch.reference import Reference
from compiler.evaluation.evaluation import PartResult, answer, evaluate
from compiler.evaluation.evaluator import EngineUse, Evaluator, Verdicts
from compiler.pipeline import Spec, load
from compiler.tasks.task import Inputs
from tests.helpers import SPECS, load_text
from tests.scripted import TINY, Scripted

Row = NDArray[np.int32]
Say = Callable[[int, Row], Row]


@pytest.fixture(scope="module")
def spec() -> Spec:
    return load(SPECS / "tiny95.yaml")


@pytest.fixture
def scripted(monkeypatch: pytest.MonkeyPatch) -> Callable[[Spec, Say], Engine]:
    """Puts an engine that says what it is told in the place of the fast one."""

    def put(spec: Spec, say: Say) -> Engine:
        engine = Scripted(spec, say)
        monkeypatch.setattr(compiler.evaluation.evaluator, "fast_engine", lambda *_: engine)
        return engine

    return put


def near_carry(spec: Spec, pairs: int) -> list[Inputs]:
    return list(spec.resolved.task.suites()["near_carry"].parts(pairs, 0)[0].generate())


def judged(evaluator: Evaluator, inputs: list[Inputs]) -> Verdicts:
    layout, words = evaluator.subject.layout, evaluator.subject.resolved.task.encode(inputs)
    return evaluator.verdicts(layout.prompts(words), layout.answers(words))


def first_wrong(found: Verdicts) -> list[tuple[int, ...]]:
    return list(zip(*(a.tolist() for a in (found.wrong, found.slots, found.expected, found.said)), strict=True))


def test_what_no_engine_is_sure_of_is_the_plain_modules(spec: Spec, scripted: Callable[[Spec, Say], Engine]) -> None:
    inputs = near_carry(spec, 60)
    plain = judged(Evaluator(spec, engine="plain"), inputs)
    scripted(spec, lambda number, right: np.full_like(right, UNSURE))
    found = judged(Evaluator(spec), inputs)
    assert found.close == 60
    assert found.right.tolist() == plain.right.tolist()
    assert first_wrong(found) == first_wrong(plain) != []


def test_of_tokens_that_are_not_sure_only_those_before_the_first_wrong_one_are_asked(
    spec: Spec, scripted: Callable[[Spec, Say], Engine], monkeypatch: pytest.MonkeyPatch
) -> None:
    """1 + 2, which tiny95 answers right: 0…03."""
    asked: list[list[int]] = []
    first_wrong_of = Reference.first_wrong

    def spied(reference: Reference, prompt: Row, answer: Row, slots: list[int]) -> object:
        asked.append(list(slots))
        return first_wrong_of(reference, prompt, answer, slots)

    monkeypatch.setattr(Reference, "first_wrong", spied)
    tokens = [
        [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3],
        [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, UNSURE],
        [0, UNSURE, 0, 0, UNSURE, 0, 5, 0, 0, UNSURE, UNSURE],
        [7, UNSURE, UNSURE, UNSURE, 0, 0, 0, 0, 0, 0, 3],
    ]
    monkeypatch.setattr(compiler.evaluation.evaluator, "SelfCheck", lambda *_: lambda *_: None)
    scripted(spec, lambda number, right: np.array(tokens[number], np.int32))
    found = judged(Evaluator(spec), [(1, 2)] * 4)
    assert found.right.tolist() == [True, True, False, False]
    assert first_wrong(found) == [(2, 6, 0, 5), (3, 0, 0, 7)]
    assert asked == [[10], [1, 4]]
    assert found.close == 2


def test_the_plain_module_overrules_no_token_that_is_sure_but_finds_an_earlier_wrong_one(
    spec: Spec, scripted: Callable[[Spec, Say], Engine], monkeypatch: pytest.MonkeyPatch
) -> None:
    """5193798811 + 1806201129 is 06999999940; after 0 tiny95 says 7."""
    monkeypatch.setattr(compiler.evaluation.evaluator, "SelfCheck", lambda *_: lambda *_: None)
    scripted(spec, lambda number, right: np.array([UNSURE, UNSURE, 9, 9, 9, 9, 9, 9, 9, 4, 1], np.int32))
    found = judged(Evaluator(spec), [(5193798811, 1806201129)])
    assert first_wrong(found) == [(0, 1, 6, 7)]


class Broken(nn.Module):
    def forward(self, tokens: Tensor) -> Tensor:
        return torch.full((*tokens.shape, 2), torch.nan)


@pytest.mark.parametrize("engine", ["plain", "fast"])
def test_nan_is_a_class_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, scripted: Callable[[Spec, Say], Engine], engine: str
) -> None:
    monkeypatch.setattr(compiler.backends.torch.reference, "build_model", lambda network: Broken())
    tiny = load_text(tmp_path, TINY)
    scripted(tiny, lambda number, right: np.full_like(right, UNSURE))
    result = evaluate(tiny, ["exhaustive"], engine=engine)  # type: ignore[arg-type]
    ((part,),) = (suite.parts for suite in result.suites)
    assert (part.right, part.close) == (0, 4)
    assert [(one.slot, one.expected, one.said, one.count, one.text) for one in part.classes] == [
        ("sum[0]", "0", "NaN", 3, "0 + 0"),
        ("sum[0]", "1", "NaN", 1, "1 + 1"),
    ]


def test_answers_in_place_are_decided_in_one_pass(
    monkeypatch: pytest.MonkeyPatch, scripted: Callable[[Spec, Say], Engine]
) -> None:
    spec = load(SPECS / "reverse.yaml")
    assert spec.layout.in_place
    scripted(spec, lambda number, right: np.full_like(right, UNSURE))
    evaluator = Evaluator(spec)
    passes: list[tuple[int, ...]] = []
    evaluator.reference.model.register_forward_hook(lambda model, inputs, output: passes.append(inputs[0].shape))
    inputs = list(spec.resolved.task.suites()["edges"].parts(0, 0)[0].generate())
    found = judged(evaluator, inputs)
    assert found.right.all()
    assert len(passes) == found.close == len(inputs)


def test_where_the_fast_engine_cannot_follow_the_plain_one_runs_and_says_why(
    spec: Spec, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> Engine:
        raise EngineUnavailable("it is too strange")

    monkeypatch.setattr(compiler.evaluation.evaluator, "fast_engine", refuse)
    assert Evaluator(spec).use == EngineUse("plain", "one sequence at a time", "it is too strange")
    assert Evaluator(spec, batch=7).use == EngineUse("plain", "batches of 7", "it is too strange")
    assert Evaluator(spec, engine="plain", batch=7).use == EngineUse("plain", "batches of 7", None)


def test_a_vocabulary_that_would_take_too_much_code_is_left_to_the_plain_engine() -> None:
    few, many = (Evaluator(load(SPECS / "reverse.yaml", [f"symbols={n}"]), batch=7).use for n in (40, 400))
    assert few.name == "fast"
    assert many == EngineUse(
        "plain", "batches of 7", f"it takes more than {MOST_OPERATIONS:,} operations at each position"
    )


def test_greedy_decoding_that_is_asked_for_is_the_plain_engines(spec: Spec) -> None:
    assert Evaluator(spec, decoding="greedy").use.reason == "greedy decoding was asked for"
    assert Evaluator(spec, decoding="greedy", engine="plain").use.reason is None


def test_a_model_that_is_not_causal_is_judged_without_later_tokens() -> None:
    """Layer 0 sees the later tokens as well, so that teacher forcing would show it the answer."""
    seeing = {"layer0.attention.mask": "none", "layer0.attention.score count": "0 * key_pos", "digits": 3}
    spec = load(SPECS / "tiny95.yaml", seeing)
    inputs = near_carry(spec, 50)
    fast, plain = Evaluator(spec), Evaluator(spec, engine="plain")
    greedy = Evaluator(spec, decoding="greedy", engine="plain")
    assert fast.use.name == "fast"
    assert {evaluator.decoding for evaluator in (fast, plain, greedy)} == {"greedy"}
    found = judged(plain, inputs)
    assert found.right.tolist() == [answer(spec, pair).right for pair in inputs]
    for evaluator in (fast, greedy):
        assert first_wrong(judged(evaluator, inputs)) == first_wrong(found) != []


def test_an_unknown_engine(spec: Spec) -> None:
    with pytest.raises(compiler.SpecError, match="engine is plain or fast, not 'quick'"):
        compiler.evaluate(spec, engine="quick")  # type: ignore[arg-type]


def test_classes_count_every_failure_once(spec: Spec) -> None:
    ((part,),) = (suite.parts for suite in evaluate(spec, ["near_carry"], pairs=250).suites)
    counts = [one.count for one in part.classes]
    assert counts == sorted(counts, reverse=True)
    assert sum(counts) == part.pairs - part.right > 5
    assert part.other == 0
    inputs = near_carry(spec, 250)
    failing = [
        (inputs[row], (f"sum[{slot}]", str(expected), str(said)))
        for row, slot, expected, said in first_wrong(judged(Evaluator(spec, engine="plain"), inputs))
    ]
    assert {(one.slot, one.expected, one.said): one.count for one in part.classes} == Counter(key for _, key in failing)
    for one in part.classes:
        first = next(pair for pair, key in failing if key == (one.slot, one.expected, one.said))
        assert (one.inputs, one.text) == (first, spec.resolved.task.describe(first))


@pytest.mark.parametrize("most", [0, 1, 3])
def test_of_too_many_classes_the_rest_is_counted_together(
    spec: Spec, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    def run(batch: int) -> PartResult:
        ((part,),) = (
            s.parts for s in evaluate(spec, ["near_carry"], pairs=180, engine="plain", batch=batch, failures=0).suites
        )
        return part

    whole = {(one.slot, one.expected, one.said): one.count for one in run(180).classes}
    monkeypatch.setattr(compiler.evaluation.answer_counts, "MAX_CLASSES", most)
    parts = [run(batch) for batch in (180, 7, 1)]
    assert parts[0] == parts[1] == parts[2]  # the classes that come first are told apart, with batches of any size
    (part, *_) = parts
    assert len(part.classes) == most < len(whole)
    assert all(whole[one.slot, one.expected, one.said] == one.count for one in part.classes)
    assert sum(one.count for one in part.classes) + part.other == part.pairs - part.right == sum(whole.values())


def test_places_of_an_answer_have_names(tmp_path: Path) -> None:
    text = TINY.replace("answer: sum", "answer: + sum +").replace("digit[2] +", "+ end digit[2]")
    evaluator = Evaluator(load_text(tmp_path, text.replace("sum +", "sum + end")), engine="plain")
    names = [evaluator.failure_class(slot, 2, NO_TOKEN, 1, (0, 1)) for slot in range(5)]
    assert [one.slot for one in names] == ["+ (token 1)", "sum[0]", "sum[1]", "+ (token 4)", "end"]
    assert {(one.expected, one.said, one.text) for one in names} == {("0", "NaN", "0 + 1")}
