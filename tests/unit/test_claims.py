"""The count that an author publishes, and every figure that a spec can claim."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import compiler
from compiler.pipeline import Spec, load
from compiler.readers.counting.claims import VARIANT, ClaimResult, check_claims, check_verdict
from compiler.readers.counting.counts import COUNTING_RULES, SHOWN_RULES
from compiler.source.schema import schema_text
from tests.cli.test_cli import call, call_json
from tests.helpers import small

NETWORK = """
embedding:
  digit[d]: {x: gain * d}
position: {table: "[[5, 0, 0], [0, 0, 0], [0, 0, 0], [0, 0, 0], [0, 0, 0], [0, 0, 0], [0, 0, 0], [0, 0, 0], [0, 0, 0]]"}
ffn:
  hidden: u
  up u: 3 * x
head:
  classes: 6
  logits: embedding
"""
DEFINITIONS = "parameters: {gain: 2}"
# embedding 6·3; table 9·3; up 3, down 3; logits tied
FOUND = {
    "dense": 51,
    "dense_untied": 69,
    "embedding": 18,
    "positions": 27,
    "non_embedding": 6,
    "nonzero": 5,
    "distinct": 5,
    "values": 5,
    "values_with_zero": 6,
    "free": 1,
}


def spec_with(folder: Path, expect: str, *settings: str, definitions: str = DEFINITIONS) -> Spec:
    network = NETWORK if definitions else NETWORK.replace("gain", "2")
    text = small(network, definitions=definitions) + f"expect: {expect}\n"
    path = folder / "claims.yaml"
    path.write_text(text, encoding="utf-8")
    return load(path, settings)


def results(spec: Spec) -> list[ClaimResult]:
    return list(check_claims(spec, compiler.count(spec), None))


def test_every_figure_can_be_claimed_and_no_other() -> None:
    expect = json.loads(schema_text())["definitions"]["expect"]["properties"]
    assert list(expect["count"]["properties"]) == list(COUNTING_RULES)
    assert expect["claimed"]["properties"]["rule"]["enum"] == list(COUNTING_RULES)
    assert set(SHOWN_RULES) - {"hard_coded"} <= set(COUNTING_RULES) == set(FOUND)


@pytest.mark.parametrize("rule", COUNTING_RULES)
def test_a_figure_as_claim_and_as_the_authors_count(tmp_path: Path, rule: str) -> None:
    right = FOUND[rule]
    for number, status in ((right, "held"), (right + 1, "failed")):
        (plain,) = results(spec_with(tmp_path, f"{{count: {{{rule}: {number}}}}}"))
        assert (plain.claim, plain.status, plain.reason) == (f"{rule} count is {number}", status, f"found {right}")
        (author,) = results(spec_with(tmp_path, f"{{claimed: {{count: {number}, rule: {rule}}}}}"))
        text = f"author's count is {number}, by the rule {rule}"
        assert (author.claim, author.status, author.reason) == (text, status, f"found {right}")
        assert author.span.text == "claimed"


def test_a_note_alone_is_shown_and_not_checked(tmp_path: Path) -> None:
    (result,) = results(spec_with(tmp_path, "{claimed: {count: 10, note: without the head}}"))
    assert result.claim == "author's count is 10"
    assert (result.status, result.reason) == ("not checked", "no rule gives it: without the head")


def test_a_rule_with_a_note_is_checked(tmp_path: Path) -> None:
    spec = spec_with(tmp_path, "{claimed: {count: 51, rule: dense, note: zeros too}}")
    assert [result.status for result in results(spec)] == ["held"]
    assert spec.resolved.expect.claimed is not None
    assert spec.resolved.expect.claimed.note == "zeros too"


def test_an_undeclared_free_is_no_figure(tmp_path: Path) -> None:
    (result,) = results(spec_with(tmp_path, "{claimed: {count: 1, rule: free}}", definitions=""))
    assert (result.status, result.reason) == ("failed", "found undeclared")


def test_a_variant_and_what_was_not_counted(tmp_path: Path) -> None:
    (result,) = results(spec_with(tmp_path, "{claimed: {count: 51, rule: dense}}", "gain=3"))
    assert (result.status, result.reason) == ("not checked", VARIANT)
    (result,) = check_claims(spec_with(tmp_path, "{claimed: {count: 51, rule: dense}}"), None, None)
    assert (result.status, result.reason) == ("not checked", "not counted")


def test_every_command_that_prints_claims_prints_it(tmp_path: Path) -> None:
    path = str(spec_with(tmp_path, "{claimed: {count: 50, rule: dense}}").path)
    for command in (("count", path), ("eval", path, "--pairs", "2"), ("build", path, "--eval", "--pairs", "2")):
        result = call(*command)
        assert result.exit_code == 1, command
        assert "author's count is 50, by the rule dense  failed  found 51" in result.stdout
    path = str(spec_with(tmp_path, "{claimed: {count: 23, note: why}}").path)
    result = call("eval", path, "--pairs", "2")
    assert result.exit_code == 0
    assert "1 claim not checked: no rule gives it: why" in result.stdout


def test_a_variant_that_is_saved_has_no_claim(tmp_path: Path) -> None:
    path = str(spec_with(tmp_path, "{claimed: {count: 51, rule: dense}}").path)
    saved = [str(tmp_path / f"{name}.safetensors") for name in ("same", "other")]
    assert call("build", path, "-o", saved[0]).exit_code == 0
    assert call("build", path, "-o", saved[1], "--set", "gain=3").exit_code == 0
    same, other = call_json("count", *saved)
    assert [claim["status"] for claim in same["claims"]] == ["held"]
    assert other["claims"] == []


@pytest.mark.parametrize(
    ("verdict", "status", "reason"),
    [
        (None, "not checked", "no proof was run"),
        ("refuted", "held", "found refuted"),
        ("proved", "failed", "found proved"),
        ("open", "not checked", "undecided"),
    ],
)
def test_a_verdict_over_all_inputs(tmp_path: Path, verdict: str | None, status: str, reason: str) -> None:
    spec = spec_with(tmp_path, "{verdict: refuted}")
    (result,) = check_claims(spec, None, None, verdict)
    assert (result.claim, result.status, result.reason) == ("refuted over all inputs", status, reason)
    assert check_verdict(spec, verdict) == result
    (variant,) = check_claims(spec_with(tmp_path, "{verdict: refuted}", "gain=3"), None, None, verdict)
    assert (variant.status, variant.reason) == ("not checked", VARIANT)
    assert check_verdict(spec_with(tmp_path, "{note: none}"), verdict) is None


@pytest.mark.parametrize("word", ["inputs", "pairs"])
def test_pairs_is_the_old_word_for_inputs(tmp_path: Path, word: str) -> None:
    spec = spec_with(tmp_path, f"{{eval: {{exhaustive: {{{word}: 256, right: 4}}}}}}")
    (claim,) = spec.resolved.expect.evals
    assert (claim.inputs, claim.right) == (256, 4)
    suites = ("--suite", "uniform")
    found = [call_json("eval", str(spec.path), *suites, option, "5") for option in ("--inputs", "--pairs")]
    assert [(one["inputs"], one["pairs"], one["suites"][0]["inputs"]) for one in found] == [(5, 5, 5)] * 2


@pytest.mark.parametrize(("old", "new"), [("pairs", "inputs"), ("inputs", "pairs")])
def test_the_word_of_a_variant_wins(tmp_path: Path, old: str, new: str) -> None:
    base = spec_with(tmp_path, f"{{eval: {{uniform: {{{old}: 9, right: 4}}}}}}")
    varied = tmp_path / "varied.yaml"
    varied.write_text(f"extends: {base.path.name}\nname: varied\nexpect: {{eval: {{uniform: {{{new}: 7}}}}}}\n")
    (claim,) = load(varied).resolved.expect.evals
    assert (claim.inputs, claim.right) == (7, 4)
