"""`trace`: what a model computes for one input, and why."""

from __future__ import annotations

import re
from math import inf, isinf, isnan
from pathlib import Path
from typing import Any

import pytest

import compiler
from compiler.backends.torch.tracing import Activation
from tests.cli.test_cli import ROOT, TINY, call, call_json
from tests.cli.test_json_shapes import NAN
from tests.helpers import STEPS, load_text, small

SMALL = ("trace", TINY, "--set", "digits=2")
PARITY = str(ROOT / "specs" / "tasks" / "parity.yaml")
WINDOW = str(ROOT / "specs" / "tasks" / "next-token.yaml")
REVERSE = str(ROOT / "specs" / "reverse.yaml")
SEES_ALL = """\
embedding: {"digit[d]": {x: d}}
attention: {heads: one, mask: none, value one: x, output x: one}
"""


def numbers(value: Any) -> Any:
    """JSON with the numbers that it has no sign for."""
    if isinstance(value, list):
        return [numbers(item) for item in value]
    return float(value) if isinstance(value, str) else value


def by_position(activation: Activation) -> list[list[float]]:
    """[time, all other dimensions]"""
    value = activation.value[0]
    time = activation.dimensions.index("time") - 1
    return [value.select(time, position).flatten().tolist() for position in range(value.shape[time])]


@pytest.mark.parametrize(
    "arguments",
    [
        (TINY, "--set", "digits=2", "12", "34"),
        *(
            (str(STEPS / f"{name}.yaml"), "--tokens", "1 2 3 0")
            for name in ("qk-norm-own", "repeat-times", "post-norm")
        ),
    ],
    ids=lambda arguments: Path(arguments[0]).stem,
)
def test_json_has_every_value_that_hooks_see(arguments: tuple[str, ...]) -> None:
    shown = call_json("trace", *arguments)
    spec = compiler.load(arguments[0], {"digits": 2} if "digits=2" in arguments else {})
    values = compiler.trace(spec, shown["tokens"])
    length = len(shown["tokens"])
    assert shown["positions"] == list(range(length))
    flat: list[tuple[str, Any]] = []
    heads = [
        (f"{step['name']}.{name}", [numbers(head[name]) for head in step["heads"]])
        for step in shown["steps"]
        for name in (("scores", "pattern") if step["heads"] else ())
    ]
    for step in shown["steps"]:
        flat += [(value["name"], value["values"]) for value in step["inside"]]
        flat.append((step["name"], step["values"]))
    assert heads == [(one.name, one.value[0].tolist()) for one in values if "time" not in one.dimensions]
    hooked = [(one.name, by_position(one)) for one in values if "time" in one.dimensions]
    assert flat == hooked
    assert [list(row["logits"].values()) for row in shown["logits"]] == by_position(values[-1])
    for value in (one for step in shown["steps"] for one in step["inside"]):
        assert {len(row) for row in value["values"]} == {len(value["dimensions"])}


def test_what_a_step_changed_is_what_differs_from_the_stream_before_it() -> None:
    steps = {step["name"]: step for step in call_json(*SMALL, "12", "34")["steps"]}
    before, after = steps["embedding"], steps["layer0.attention"]
    for old, new, changed in zip(before["values"], after["values"], after["changed"], strict=True):
        assert changed == [name for name, a, b in zip(after["stream"], old, new, strict=True) if a != b]
    assert after["changed"][6] == ["count", "scale"]
    assert steps["layer0.ffn"]["changed"][1] == ["place"]  # of dimensions that are new, those that are not zero


@pytest.mark.parametrize(
    ("arguments", "tokens", "read_at", "start", "right"),
    [
        ((TINY, "--set", "digits=2", "12", "34"), "<bos> 1 2 + 3 4 = 0 4", [6, 7, 8], 0, "0 4 6"),
        ((TINY, "--set", "digits=2", "12", "34", "--said", "1"), "<bos> 1 2 + 3 4 = 0", [7], 0, "4"),
        ((REVERSE, "--set", "length=3", "0 1 2"), "<bos> 0 1 2", [1, 2, 3], 0, "2 1 0"),
        ((REVERSE, "--set", "length=3", "0 1 2", "--said", "2"), "<bos> 0 1 2", [3], 0, "0"),
        ((PARITY, "--set", "length=3", "1 0 1"), "1 0 1 <cls>", [3], 0, "0"),
        ((WINDOW, "a a b a a"), "a a b a a", [4], 0, "b"),
        ((WINDOW, "a a b a a", "--said", "2"), "b a a b a", [4], 2, "a"),
    ],
    ids=["generated", "one token", "in place", "one place", "one place of many", "a window", "a later window"],
)
def test_the_model_reads_the_prompt_and_its_own_answer(
    arguments: tuple[str, ...], tokens: str, read_at: list[int], start: int, right: str
) -> None:
    shown = call_json("trace", *arguments)
    assert re.sub(r"\w+\[(\d+)\]", r"\1", " ".join(shown["tokens"])) == tokens
    assert (shown["read_at"], shown["start"]) == (read_at, start)
    said = [shown["logits"][position] for position in read_at]
    assert re.sub(r"\w+\[(\d+)\]", r"\1", " ".join(row["right"] for row in said)) == right
    assert [row["says"] for row in said] == [row["right"] for row in said]
    elsewhere = [row["right"] for row in shown["logits"] if row["position"] not in read_at]
    assert set(elsewhere) <= {None}


def test_where_the_model_is_wrong_it_reads_what_it_said(tmp_path: Path) -> None:
    """It says 0, whatever it reads."""
    load_text(
        tmp_path, small('embedding: {"digit[d]": {x: d}}\nhead: {"logits digit[d]": "-d * x", classes: 4}', stream="x")
    )
    path = str(tmp_path / "small.yaml")
    shown = call_json("trace", path, "5", "6")
    assert shown["tokens"][5:] == ["=", "digit[0]", "digit[0]"]
    assert [(row["says"], row["right"]) for row in shown["logits"][5:]] == [
        ("digit[0]", "digit[0]"),
        ("digit[0]", "digit[2]"),
        ("digit[0]", "digit[3]"),
    ]
    assert shown["right"] is False
    printed = call("trace", path, "5", "6").stdout
    assert "wrong, the answer is 11" in printed
    assert "6 says digit[0], ahead by 0; right is digit[2]" in printed


def test_a_model_that_sees_later_tokens_says_each_one_in_a_pass_of_its_own(tmp_path: Path) -> None:
    load_text(tmp_path, small(SEES_ALL, stream="x"))
    path = str(tmp_path / "small.yaml")
    assert call_json("trace", path, "5", "6")["read_at"] == [5]
    assert len(call_json("trace", path, "11", "12", "--said", "2")["tokens"]) == 8


def test_a_logit_that_is_nan(tmp_path: Path) -> None:
    path = tmp_path / "nan.yaml"
    path.write_text(NAN)
    shown = call_json("trace", str(path), "1", "1", "--at", "2")
    (row,) = shown["logits"]
    assert (row["says"], shown["tokens"]) == (None, ["digit[1]", "+", "digit[1]"])
    assert any(isnan(float(logit)) for logit in row["logits"].values())
    assert "2 says nothing: a logit is NaN" in call("trace", str(path), "1", "1").stdout
    refused = call("trace", str(path), "1", "1", "--said", "1")
    assert (refused.exit_code, "no token 1 of the answer is said" in refused.stderr) == (2, True)


def test_one_token_with_a_logit_leads_by_infinity(tmp_path: Path) -> None:
    load_text(tmp_path, small('embedding: {"digit[d]": {x: d}}\nhead: {"logits digit[0]": x, classes: 1}', stream="x"))
    (row,) = call_json("trace", str(tmp_path / "small.yaml"), "--tokens", "1")["logits"]
    assert (row["says"], float(row["lead"])) == ("digit[0]", inf)
    assert isinf(float(row["lead"]))


def test_options_choose_positions_steps_and_heads() -> None:
    shown = call_json(*SMALL, "12", "34", "--at", "8", "--at", "1", "--step", "layer0", "--head", "count")
    assert shown["positions"] == [8, 1]
    assert [step["name"] for step in shown["steps"]] == ["layer0.attention", "layer0.ffn"]
    (head,) = shown["steps"][0]["heads"]
    assert (head["head"], [len(row) for row in head["pattern"]]) == ("count", [9, 9])
    assert [row["position"] for row in shown["logits"]] == [8, 1]
    printed = call(*SMALL, "12", "34", "--step", "layer0.ffn").stdout
    assert "layer0.ffn.gate" in printed
    assert "layer1" not in printed
    assert "layer0.ffn.gate" not in call(*SMALL, "12", "34").stdout


def test_a_dimension_that_becomes_zero_is_marked(tmp_path: Path) -> None:
    text = 'embedding: {"digit[d]": {x: d, y: d}}\nffn: {hidden: u, up u: x, down x: -u}\n'
    load_text(tmp_path, small(text))
    printed = call("trace", str(tmp_path / "small.yaml"), "--tokens", "3").stdout.partition("ffn: ")[2]
    assert re.search(r"^x +\*0$", printed, flags=re.MULTILINE)
    assert re.search(r"^y +3$", printed, flags=re.MULTILINE)
    assert "zero here: z" in printed


def test_a_trace_of_too_many_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("compiler.terminal.traces.MAX_ACTIVATION", 2000)
    refused = call(*SMALL, "12", "34", "--json")
    assert (refused.exit_code, "with --at or --step it has fewer" in refused.stdout) == (2, True)
    assert call(*SMALL, "12", "34", "--json", "--step", "layer0.ffn").exit_code == 0
    assert call(*SMALL, "12", "34", "--json", "--at", "8").exit_code == 0
    assert call(*SMALL, "12", "34").exit_code == 0  # where the answer is read


def test_why_goes_down_to_the_tokens() -> None:
    asked = "layer0.ffn.candidate[6]@8"
    found = call_json(*SMALL, "12", "34", "--why", asked)
    first, *others = found["values"]
    assert (first["name"], first["position"]) == ("layer0.ffn.candidate[6]", 8)
    explained = {(value["name"], value["position"]) for value in found["values"]}
    assert len(explained) == len(found["values"])
    tokens = set()
    for value in found["values"]:
        assert value["terms"]
        for term in value["terms"]:
            assert term["product"] == term["coefficient"] * term["value"]
            if term["position"] is None:
                tokens.add(term["read"])
            else:
                assert (term["read"], term["position"]) in explained
    assert tokens == {"token <bos>", "token +", "token ="}
    up = next(value for value in others if value["name"] == "layer0.ffn.up.candidate[6]")
    (term,) = up["terms"]
    assert (term["coefficient"], term["read"], up["zeros"]) == (65000.0, "layer0.attention.count", 1)
    (line,) = up["equations"]
    assert line["equation"] == "up candidate[i]: (i + 0.5) * digit_scale * final_scale * count"
    printed = call(*SMALL, "12", "34", "--why", asked).stdout
    assert f"line {line['line']}: {line['equation']}" in printed
    assert "  -6499  = 6.5e+04 × -0.09999  layer0.attention.count@8" in printed
    assert "  relu(0.1)    layer0.ffn.gate.candidate[6]@8" in printed
    assert "not explained here" not in printed


def test_why_of_a_score_has_the_query_and_the_key(tmp_path: Path) -> None:
    found = call_json(*SMALL, "12", "34", "--why", "layer0.attention.pattern[count, 3]@8")
    values = {f"{value['name']}@{value['position']}": value for value in found["values"]}
    weight, score = list(values.values())[:2]
    assert (weight["function"], weight["terms"][0]["read"]) == ("exponential", "layer0.attention.scores[count, 3]")
    product, formula = score["terms"]
    assert (product["read"], product["times"]) == (
        "layer0.attention.key.count",
        "layer0.attention.query.count@8",
    )
    assert {"layer0.attention.key.count@3", "layer0.attention.query.count@8", "embedding.special@3"} <= {*values}
    assert (formula["read"], score["equations"][0]["line"]) == ("positions 8 and 3", 38)
    later = call(*SMALL, "12", "34", "--why", "layer0.attention.pattern[count, 8]@3").stdout.split("\n")
    assert later[0].startswith("layer0.attention.pattern[count, 8]@3 = 0 ")
    assert "  -inf    mask" in later


def test_why_is_bounded_and_leaves_small_terms_of_many_to_be_asked_for() -> None:
    shallow = call_json(*SMALL, "12", "34", "--why", "layer1.ffn.logit[6]@8", "--depth", "2")
    assert [value["name"] for value in shallow["values"]] == [
        *("layer1.ffn.logit[6]", "layer1.ffn.down.logit[6]"),
        "layer1.attention.candidate[1]",  # which the cut stream leaves in the logit
    ]
    deep = call_json("trace", TINY, "1", "2", "--why", "layer1.ffn.logit[6]@32", "--depth", "99")
    assert len(deep["values"]) == 60
    mixed = next(value for value in deep["values"] if value["name"] == "layer1.attention.mixed.total")
    assert len(mixed["terms"]) == 33
    printed = call("trace", TINY, "1", "2", "--why", "layer1.ffn.logit[6]@32").stdout
    assert "  and 25 smaller terms, together " in printed
    assert re.search(r"^[1-9]\d* values are not explained here: ask for one of them", printed, flags=re.MULTILINE)


def test_why_tells_the_runs_of_a_step_apart(tmp_path: Path) -> None:
    text = """
embedding: {"digit[d]": {x: d}}
ffn: {hidden: u, up u: x, down x: u}
repeat again: {steps: ffn, times: 2}
"""
    load_text(tmp_path, small(text, stream="x"))
    arguments = ("trace", str(tmp_path / "small.yaml"), "--tokens", "1", "--why")
    for asked, value in {"ffn.x@0": 8.0, "ffn.x@0:1": 2.0, "ffn.x@0:2": 4.0, "ffn.x@0:3": 8.0}.items():
        assert call_json(*arguments, asked)["values"][0]["value"] == value
    found = call_json(*arguments, "ffn.x@0")["values"]
    assert [(one["run"], one["value"]) for one in found if one["name"] == "ffn.x"] == [(3, 8.0), (2, 4.0), (1, 2.0)]
    assert "\nffn.x@0:2 = 4 at digit[1]\n" in call(*arguments, "ffn.x@0").stdout
    refused = call(*arguments, "ffn.x@0:4")
    assert (refused.exit_code, "the runs of this step are 1 to 3, not 4" in refused.stderr) == (2, True)


def test_where_two_inputs_part() -> None:
    found = call_json(*SMALL, "--diff", "12 34", "12 35")
    assert (found["inputs"], found["answers"], found["against"]) == (["12 + 34", "12 + 35"], ["46", "47"], None)
    places = found["positions"]
    assert [place["position"] for place in places] == list(range(9))
    assert [place["name"] for place in places[:5]] == [None] * 5  # the model sees no later token
    assert (places[5]["name"], places[5]["numbers"], places[5]["others"]) == ("embedding.digit", [40.0, 50.0], 0)
    assert {place["name"] for place in places[6:]} == {"layer1.attention.mixed.total"}
    assert places[8]["says"] == ["digit[6]", "digit[7]"]
    mixed = [
        call_json(*SMALL, *words, "--why", "layer1.attention.mixed.total@8", "--depth", "1")["values"][0]["value"]
        for words in (("12", "34"), ("12", "35"))
    ]
    assert places[8]["numbers"] == mixed
    one = call_json(*SMALL, "--diff", "12 34", "12 35", "--at", "8")["positions"]
    assert one == [places[8]]


def test_where_two_specs_part(tmp_path: Path) -> None:
    """They have the same names, and other numbers; a dimension that only one has is not compared."""
    text = 'embedding: {"digit[d]": {x: d}}\nffn: {hidden: u, up u: x, down y: FACTOR * u}\n'
    paths = []
    for name, factor in (("two", "2"), ("three", "3")):
        load_text(tmp_path, small(text.replace("FACTOR", factor), stream=f"x y {name}"), name=name)
        paths.append(str(tmp_path / f"{name}.yaml"))
    found = call_json("trace", paths[0], "--tokens", "1 0 3", "--against", paths[1])
    assert (found["spec"], found["against"], found["answers"]) == (*paths, [None, None])
    assert [(place["name"], place["numbers"]) for place in found["positions"]] == [
        ("ffn.down.y", [2.0, 3.0]),
        (None, []),
        ("ffn.down.y", [6.0, 9.0]),
    ]
    printed = call("trace", paths[0], "--tokens", "1 0 3", "--against", paths[1]).stdout
    assert "every value is the same at 1 position" in printed


def test_inputs_of_different_length_and_tokens_of_a_spec_without_a_task(tmp_path: Path) -> None:
    text = small('embedding: {"digit[d]": {x: d}}\n', stream="x")
    start, end = text.index("task:"), text.index("stream:")
    load_text(tmp_path, f"{text[:start]}context: 5\n{text[end:]}", name="untasked")
    arguments = ("trace", str(tmp_path / "untasked.yaml"), "--diff", "1 2 3", "1 3")
    found = call_json(*arguments)
    assert [place["name"] for place in found["positions"]] == [None, "embedding.x"]
    assert found["tokens"] == [["digit[1]", "digit[2]", "digit[3]"], ["digit[1]", "digit[3]"]]
    assert "A reads 3 tokens, B 2: the first 2 are compared" in call(*arguments).stdout


BAD: dict[str, tuple[tuple[str, ...], str]] = {
    "no input": ((), "Missing argument 'INPUTS...'"),
    "both": (("1", "2", "--tokens", "1"), "give an input of the task or --tokens, not both"),
    "said without an answer": (("--tokens", "1", "--said", "0"), "--said is about the answer"),
    "no such token of the answer": (("1", "2", "--said", "9"), "the tokens of the answer are 0 to 3, not 9"),
    "no token of the answer before the first": (
        ("1", "2", "--said", "-1"),
        "the tokens of the answer are 0 to 3, not -1",
    ),
    "no such token": (("--tokens", "1 x"), "no token 'x' here"),
    "no tokens": (("--tokens", ""), "no token to go on from"),
    "too long": (("--tokens", "1 " * 99), "a sequence of 99 tokens; this model is built for"),
    "no such position": (("1", "2", "--at", "9"), "positions of this sequence are 0 to 8, not 9"),
    "no position before the first": (("1", "2", "--at", "-1"), "positions of this sequence are 0 to 8, not -1"),
    "no such step": (
        ("1", "2", "--step", "layer0.fnn"),
        "no step 'layer0.fnn' in tiny95 --set digits=2; did you mean 'layer0.ffn'?",
    ),
    "no part of a step": (("1", "2", "--step", "layer0.ffn.up"), "no step 'layer0.ffn.up'"),
    "no such head": (("1", "2", "--head", "cuont"), "no head 'cuont' in tiny95 --set digits=2; did you mean 'count'?"),
    "no head in that step": (("1", "2", "--step", "layer1", "--head", "count"), "no head 'count' in layer1"),
    "no position of a value": (("1", "2", "--why", "embedding.eq"), "'embedding.eq' has no position"),
    "no such position of a value": (("1", "2", "--why", "embedding.eq@9"), "are 0 to 8, not 9"),
    "no number": (("1", "2", "--why", "embedding.eq@last"), "are 0 to 8, not last"),
    "no such dimension": (("1", "2", "--why", "embedding.digt@1"), "embedding has no 'digt'; did you mean 'digit'?"),
    "no such step of a value": (("1", "2", "--why", "embeding.eq@1"), "did you mean 'embedding.eq'?"),
    "no dimension": (("1", "2", "--why", "@1"), "'' is no dimension of a step"),
    "no key": (("1", "2", "--why", "layer0.attention.pattern.count@1"), "does not name a head and a key"),
    "no such key": (("1", "2", "--why", "layer0.attention.scores[count, 9]@1"), "are 0 to 8, not 9"),
    "no such head of a score": (("1", "2", "--why", "layer0.attention.scores[coun, 0]@1"), "did you mean 'count'?"),
    "what --why has no use for": (("1", "2", "--why", "embedding.eq@1", "--at", "1"), "--at does not go with --why"),
    "depth of nothing": (("1", "2", "--depth", "3"), "--depth needs --why"),
    "two ways to compare": (("--diff", "1 2", "1 3", "--against", "sort"), "give --diff or --against, not both"),
    "three inputs": (("1", "2", "--diff", "1 2", "1 3"), "--diff has both inputs"),
    "tokens and two inputs": (("--tokens", "1", "--diff", "1 2", "1 3"), "--tokens does not go with --diff"),
    "half an input": (("--diff", "1", "1 3"), "addition is asked of a (a number) and b (a number), found 1"),
    "another spec that is not there": (("1", "2", "--against", "nowhere.yaml"), "no such file"),
    "no position in both": (("--diff", "1 2", "1 3", "--at", "9"), "positions of this sequence are 0 to 8, not 9"),
    "no depth": (("1", "2", "--why", "embedding.eq@1", "--depth", "0"), "'--depth'"),
}


@pytest.mark.parametrize(("arguments", "message"), BAD.values(), ids=BAD)
def test_wrong_calls(arguments: tuple[str, ...], message: str) -> None:
    result = call(*SMALL, *arguments)
    assert result.exit_code == 2
    assert message in re.sub(r"\s+", " ", result.stderr)
    assert not result.stdout
