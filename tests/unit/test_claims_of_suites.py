"""One size and seed are one sample, and a claim that no evaluation can check is an error at its place."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from compiler.evaluation.evaluation import SuiteResult, evaluate
from compiler.pipeline import load
from compiler.source.diagnostics import SpecError
from compiler.tasks.task import split_total
from tests.cli.test_cli import call, call_json

SPEC = """\
weightspec: 1
name: many
dtype: float32
vocabulary: digit[2] =
{task}
stream: x y
network:
  embedding:
    digit[d]: {{x: d}}
  head:
    classes: 3
    logits: embedding
decode: argmax
"""
COPY = """\
task:
  sizes: {{length: {length}}}
  given: {{word: digit*length}}
  answers: {{copied: digit*length}}
  equations: {{copied: word}}
  prompt: word =
  answer: copied
"""
RANGE = COPY.format(length="{from: 1, to: 4}")  # 2, 4, 8 and 16 words
ALONE = COPY.format(length=3)
CARRIED = RANGE + '  only: word[0] == 1\n  suites: {some: {only: "word[0] == 1", size: 40}}\n'
SUMS = RANGE + "  numbers: word\n"
ADDITION = "task:\n  addition: {base: 2, digits: 34}\n  prompt: a + b =\n  answer: sum\n"
CASES = "task:\n  cases: {0 =: 1, 1 1 =: 0, 0 1 =: 0}\n"


def written(folder: Path, task: str, claim: str = "", name: str = "many") -> str:
    text = SPEC.format(task=task.strip("\n"))
    if "addition" in task:
        text = text.replace("digit[2] =", "digit[2] = +").replace("classes: 3", "classes: 4")
    path = folder / f"{name}.yaml"
    path.write_text(text + (f"expect:\n  eval:\n    {claim}\n" if claim else "ignore: no-claims\n"), encoding="utf-8")
    return str(path)


@pytest.mark.parametrize(
    ("total", "most", "expected"),
    [
        (30, [2, 4, 8, 16], [2, 4, 8, 16]),
        (20, [2, 4, 8, 16], [2, 4, 7, 7]),
        (20, [16, 8, 4, 2], [7, 7, 4, 2]),
        (3, [2, 4, 8, 16], [0, 1, 1, 1]),
        (40, [2, 4, 8, 16], [2, 4, 8, 26]),
        (9, [9, 9], [4, 5]),
        (7, [3], [7]),
    ],
)
def test_a_total_is_shared_out(total: int, most: Sequence[int], expected: list[int]) -> None:
    assert split_total(total, most) == expected


def by_part(suite: SuiteResult) -> list[tuple[str, int, list[str]]]:
    return [(part.label, part.inputs, [failure.text for failure in part.failures]) for part in suite.parts]


@pytest.mark.parametrize("suite", ["uniform", "some"])
@pytest.mark.parametrize("task", [RANGE, CARRIED, SUMS, COPY.format(length="{from: 9, to: 11}")])
def test_the_default_and_its_number_draw_the_same(tmp_path: Path, task: str, suite: str) -> None:
    spec = load(written(tmp_path, task))
    if suite not in spec.resolved.task.suites():
        suite = "uniform"
    (default,) = evaluate(spec, [suite], failures=20).suites
    (asked,) = evaluate(spec, [suite], failures=20, inputs=default.inputs).suites
    assert by_part(default) == by_part(asked)
    assert any(texts for _, _, texts in by_part(default))


def test_no_size_draws_more_than_it_has(tmp_path: Path) -> None:
    (suite,) = evaluate(load(written(tmp_path, RANGE)), ["uniform"], inputs=30).suites
    assert [part.inputs for part in suite.parts] == [2, 4, 8, 16]


@pytest.mark.parametrize("task", [RANGE, SUMS])
def test_the_advised_call_checks_the_claim_with_the_same_answer(tmp_path: Path, task: str) -> None:
    path = written(tmp_path, task)
    (found,) = call_json("eval", path, "--suite", "uniform")["suites"]
    claimed = written(tmp_path, task, f"uniform: {{inputs: {found['inputs']}, right: {found['right']}}}")
    for sizes in ([], ["--inputs", str(found["inputs"]), "--seed", "0"]):
        (claim,) = call_json("eval", claimed, "--suite", "uniform", *sizes)["claims"]
        assert claim["status"] == "held", sizes


FOUR = "{length 1: 2, length 2: 4, length 3: 8, length 4: 1}"
WRONG = [
    (RANGE, "exhaustive: {inputs: 16, right: 3}", "inputs", "exhaustive has 30 inputs, not 16"),
    (RANGE, "exhaustive: {pairs: 16, right: 3}", "pairs", "exhaustive has 30 pairs, not 16"),
    (ALONE, "exhaustive: {inputs: 16, right: 3}", "inputs", "exhaustive has 8 inputs, not 16"),
    (CARRIED, "exhaustive: {inputs: 30, right: 3}", "inputs", "exhaustive has 15 inputs, not 30"),
    (SUMS, "exhaustive: {inputs: 3000, right: 3}", "inputs", "exhaustive has 30 inputs, not 3,000"),
    (ALONE, "edges: {inputs: 90, right: 3}", "inputs", "edges has 5 inputs, not 90"),
    (ADDITION, "adderboard: {inputs: 9, right: 3}", "inputs", "adderboard has 10,010 inputs, not 9"),
    (CASES, "cases: {inputs: 9, right: 3}", "inputs", "cases has 3 inputs, not 9"),
    (RANGE, "exhaustive: {inputs: 30, right: {length 1: 2, length 3: 3}}", "exhaustive", "it lacks length 2, length 4"),
    (RANGE, "exhaustive: {inputs: 30, right: {}}", "exhaustive", "it lacks length 1, length 2, length 3, length 4"),
    (RANGE, f"uniform: {{inputs: 30, right: {FOUR[:-1]}, length 9: 0}}}}", "length 9", "no part 'length 9'"),
    (RANGE, f"exhaustive: {{inputs: 30, right: {FOUR.replace('1: 2', '1: 3')}}}", "length 1", "3 right of 2 inputs"),
    (RANGE, f"uniform: {{inputs: 40, right: {FOUR.replace('2: 4', '2: 5')}}}", "length 2", "5 right of 4 inputs"),
    (ALONE, "exhaustive: {inputs: 8, right: {length 3: 8}}", "length 3", "exhaustive is not counted in parts"),
    (ADDITION, "uniform: {inputs: 9, right: {34 digits: 3, 33 digits: 1}}", "uniform", "it lacks 32 digits"),
    (RANGE, "uniform: {pairs: 3, right: 5}", "uniform", "5 right of 3 pairs"),
    (RANGE, "uniform: {inputs: 9, pairs: 9, right: 5}", "pairs", "write one of them"),
]


@pytest.mark.parametrize(("task", "claim", "place", "message"), WRONG, ids=[claim for _, claim, _, _ in WRONG])
def test_a_claim_that_can_never_be_met_is_an_error_at_its_place(
    tmp_path: Path, task: str, claim: str, place: str, message: str
) -> None:
    with pytest.raises(SpecError) as caught:
        load(written(tmp_path, task, claim))
    (one,) = caught.value.diagnostics
    assert message in one.message
    assert one.span is not None
    assert one.span.text == place


@pytest.mark.parametrize(
    ("task", "claim"),
    [
        (RANGE, "exhaustive: {inputs: 30, right: 3}"),
        (RANGE, f"uniform: {{inputs: 30, right: {FOUR}}}"),
        (CARRIED, "exhaustive: {inputs: 15, right: {length 1: 1, length 2: 2, length 3: 4, length 4: 8}}"),
        (ALONE, "edges: {pairs: 5, right: 3}"),
        (CASES, "cases: {inputs: 3, right: {'prompt 2, answer 1': 1, 'prompt 3, answer 1': 2}}"),
        (ADDITION, "uniform: {inputs: 9, right: {34 digits: 3, 33 digits: 1, 32 digits: 0}}"),
        (ADDITION, "adderboard: {inputs: 10010, right: {edge cases: 3, random pairs: 1}}"),
    ],
)
def test_what_can_be_met_is_not_refused(tmp_path: Path, task: str, claim: str) -> None:
    (found,) = load(written(tmp_path, task, claim)).resolved.expect.evals
    assert found.suite == claim.partition(":")[0]


def test_the_claim_of_a_base_is_one_of_the_variant_unless_it_is_removed(tmp_path: Path) -> None:
    written(tmp_path, ALONE, "exhaustive: {inputs: 8, right: 1}")
    varied = tmp_path / "varied.yaml"
    text = "weightspec: 1\nextends: many.yaml\nname: varied\ntask: {sizes: {length: 2}}\n"
    varied.write_text(text, encoding="utf-8")
    with pytest.raises(SpecError, match=r"exhaustive has 4 inputs, not 8[^$]*remove it by `exhaustive: null`"):
        load(varied)
    varied.write_text(text + "expect: {eval: {exhaustive: null}}\n", encoding="utf-8")
    assert load(varied).resolved.expect.evals == ()


def test_a_claim_by_parts_that_fails_names_them(tmp_path: Path) -> None:
    path = written(tmp_path, RANGE, "exhaustive: {inputs: 30, right: " + FOUR + "}")
    (suite,) = evaluate(load(path), ["exhaustive"]).suites
    found = suite.right_by_part
    differing = [
        (label, claimed)
        for label, claimed in {"length 1": 2, "length 2": 4, "length 3": 8, "length 4": 1}.items()
        if found[label] != claimed
    ]
    reason = call_json("eval", path, "--suite", "exhaustive", exit_code=1)["claims"][0]["reason"]
    for label, claimed in differing[:3]:
        assert f"{label}: {found[label]}, not {claimed}" in reason
    assert len(differing) > 1


WRONG_TOO = [
    ("decode: argmax", "decode: argmax\nexpect: {eval: {exhaustive: {inputs: 1, right: 1}}}"),
    ("decode: argmax", "decode: argmax\nexpect: {eval: {uniform: {inputs: 1, right: 2}}}"),
    ("    logits: embedding", "    logits: embeding"),
]


@pytest.mark.parametrize(("change", "to"), WRONG_TOO)
def test_a_warning_that_is_switched_off_stays_off_beside_an_error(tmp_path: Path, change: str, to: str) -> None:
    path = Path(written(tmp_path, RANGE))
    text = path.read_text(encoding="utf-8").replace("{x: d}", "{x: 0 * d}").replace("ignore: no-claims\n", "")
    assert change in text
    text = text.replace(change, to)
    for ignore, is_shown in (("", True), ("ignore: vanishing-equation\n", False)):
        path.write_text(text + ignore, encoding="utf-8")
        shown = call("validate", str(path)).stderr
        assert ": error: " in shown
        assert ("vanishing-equation" in shown) == is_shown
