"""What a page shows step by step: which inputs, the same trace as `trace`, and what each value was computed from."""

from __future__ import annotations

import html
import math
import re
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest

import compiler
from compiler import load
from compiler.evaluation.computations import computations
from compiler.evaluation.traced import pass_of_tokens, traced
from compiler.evaluation.traced_values import TracedValues, find_value
from compiler.page.cells import Equations, Making, Room
from compiler.page.description import described
from compiler.page.diagram import dimensions_read, dimensions_written, page_steps
from compiler.page.examples import WantedInputs, check_typed, page_examples
from compiler.page.forms import MAX_TERMS, traced_forms
from compiler.page.html import page_html
from compiler.page.notebook import show
from compiler.page.plans import PagePlan
from compiler.pipeline import Spec
from compiler.report.reporting import make_report, report_without_runs
from compiler.source.diagnostics import SpecError
from compiler.terminal.traces import Look, computations_json, trace_json
from tests.cli.test_cli import QWEN, TINY, call, call_json
from tests.helpers import SPECS, STEPS, load_text
from tests.pages.parsed import page_data, parsed

ACTIVATIONS: dict[str, Callable[[float], float]] = {
    "relu": lambda x: max(x, 0.0),
    "silu": lambda x: x / (1 + math.exp(-x)),
    "square": lambda x: x * x,
}
KINDS = (
    *(
        "embedding-low-rank",
        "ffn-silu",
        "gated-square",
        "head-low-rank",
        "heads-family",
        "kv-groups",
        "let",
        "low-rank",
    ),
    *("mix", "norm-bias", "norm-layer", "output-broadcast", "output-identity", "output-matrix", "position-equations"),
    *("position-table", "post-norm", "qk-norm-rms", "repeat", "repeat-times", "residual-none", "rope-halves", "ties"),
    *("scale-vector", "score-routing", "softmax-hard", "ties-transposed", "time-positions", "value-dim", "mask-none"),
)

NO_TASK = """\
weightspec: 1
name: none
dtype: float64
vocabulary: a b
stream: is[2]
context: 4
network:
  embedding:
    a: {"is[0]": 1}
    b: {"is[1]": 1}
decode: argmax
"""


def page_json(spec: Spec, *inputs: str) -> Any:
    return page_data(parsed(show(spec, *inputs).html))["models"][0]


def some_tokens(spec: Spec) -> str:
    labels = spec.network.vocabulary.labels
    chosen = [labels[i * 2 % len(labels)] for i in range(min(4, spec.network.context))]
    return " ".join(f'"{label}"' if " " in label else label for label in chosen)


@cache
def values_of(path: Path | str) -> TracedValues:
    spec = load(path)
    seen = pass_of_tokens(spec, some_tokens(spec))
    return TracedValues(spec.network, seen.tokens, traced(spec, seen))


def test_a_trace_in_a_page_is_what_trace_prints(tmp_path: Path) -> None:
    printed = call_json("trace", TINY, "--set", "digits=2", "12", "34")
    (example,) = page_json(load(TINY, {"digits": 2}), "12 34")["examples"]
    (seen,) = example["passes"]
    assert Path(seen["trace"].pop("spec")).name == Path(printed.pop("spec")).name
    assert seen["trace"] == printed
    assert (example["title"], example["in_place"], example["length"]) == ("12 + 34", False, 4)
    assert seen["slots"] == [0, 1, 2]


@pytest.mark.parametrize("name", KINDS)
def test_each_value_is_what_its_form_gives(name: str) -> None:
    """The sum of its terms, as they stand in the trace: a form says where they stand."""
    spec, values = load(STEPS / f"{name}.yaml"), values_of(STEPS / f"{name}.yaml")
    equations = Equations(lambda file, line: None)
    found = traced_forms(values, equations)
    trace = trace_json(spec, pass_of_tokens(spec, some_tokens(spec)), values.activations, Look())
    assert len(found.steps) == len(trace["steps"])
    formed = 0
    for step, (forms, shown) in enumerate(zip(found.steps, trace["steps"], strict=True)):
        every = [(-1, forms["stream"], shown["values"])]
        inside = zip(forms["inside"], shown["inside"], strict=True)
        every += [(i, one, value["values"]) for i, (one, value) in enumerate(inside)]
        for _, by_channel, rows in every:
            for channel, form in enumerate(by_channel):
                for position, row in enumerate(rows):
                    number = form[position] if isinstance(form, list) else form
                    given = computed(found.forms[number], position, trace)
                    assert math.isclose(given, row[channel], rel_tol=1e-4, abs_tol=1e-4), (step, channel, position)
                    formed += 1
    assert formed > 10


def computed(form: Any, position: int, trace: Any) -> float:
    products = []
    for coefficient, *read in form["terms"]:
        if len(read) == 2:
            value = read[1]
        else:
            step, inside, at, channel = read
            one = trace["steps"][step]
            rows = one["values"] if inside == -1 else one["inside"][inside]["values"]
            value = rows[position if at is None else at][channel]
        products.append(float(coefficient) * float(value))
    match form["function"]:
        case "sum":
            return math.fsum([*products, form["rest"]])
        case "product":
            return math.prod(products)
        case activation:
            return ACTIVATIONS[activation](products[0])


@pytest.mark.parametrize(
    ("path", "asked"),
    [
        (QWEN, "layer0.attention.mixed.h0[0]@3"),
        (STEPS / "repeat.yaml", None),
        (STEPS / "gated-square.yaml", None),
        (STEPS / "norm-layer.yaml", None),
    ],
    ids=str,
)
def test_a_form_has_the_terms_and_the_lines_that_why_prints(path: Path | str, asked: str | None) -> None:
    spec, values = load(path), values_of(path)
    equations = Equations(lambda file, line: None)
    found = traced_forms(values, equations)
    names = [asked] if asked in labels(values) else labels(values)[:: max(1, len(labels(values)) // 12)]
    for name in names:
        value = find_value(values, name)
        (shown,) = computations_json(spec, values, name, [*computations(values, value, 1)])["values"]
        form = form_at(found, values, value.run, value.channel, value.position)
        assert form["function"] == shown["function"]
        lines = [equations.json[at] for at in form["equations"]]
        assert {(line["line"], line["equation"]) for line in lines} == {
            (line["line"], line["equation"]) for line in shown["equations"]
        }
        assert len(form["terms"]) == min(MAX_TERMS, len(shown["terms"]) + shown["zeros"])


def labels(values: TracedValues) -> list[str]:
    last = len(values.tokens) - 1
    named = [one for one in values.activations if "time" in one.dimensions]
    return [f"{one.name}.{label}@{last}" for one in named for label in one.labels]


def form_at(found: Any, values: TracedValues, run: int, channel: int, position: int) -> Any:
    before = [one.name in values.steps for one in values.activations[:run]]
    step = sum(before)
    since = len(before) - before[::-1].index(True) if any(before) else 0
    inside = sum("time" in one.dimensions for one in values.activations[since:run])
    one = found.steps[step]
    form = (one["stream"] if values.activations[run].name in values.steps else one["inside"][inside])[channel]
    return found.forms[form[position] if isinstance(form, list) else form]


def test_what_is_asked_for_comes_first_then_wrong_answers_then_right_ones() -> None:
    """And the page about tiny95, with all that, is small."""
    plan = PagePlan(inputs=("5193798811 1806201129",))
    page = described(make_report([load(TINY)], ("edges",)), plan)
    (model,) = page["models"]
    shown = [(example["why"], example["passes"][0]["trace"]["right"]) for example in model["examples"]]
    right = [("answered right, in uniform", True)] * 2
    assert shown == [("asked for", False), ("answered wrong, in edges", False), *right]
    failure = model["model"]["suites"][0]["failures"][0]
    assert model["examples"][1]["title"] == failure["input"]
    assert model["examples"][1]["passes"][0]["trace"]["answer"] == failure["got"]
    assert len(page_html(page)) < 2_000_000


def test_the_margins_of_what_is_proved_are_shown() -> None:
    spec = load(SPECS / "reverse.yaml", {"symbols": 2, "length": 2})
    (model,) = described(make_report([spec], budget=60.0))["models"]
    assert model["model"]["verdict"] == "proved"
    verification = compiler.verify(spec)
    assert [(margin["place"], margin["proved"]) for margin in model["margins"]] == [
        (step.place, step.margin.proved) for step in verification.steps if step.margin is not None
    ]
    assert len(model["margins"]) == 2


def test_a_counterexample_is_shown_where_no_suite_refutes() -> None:
    spec = load(TINY, {"digits": 1, "tie_break": -200})
    found = compiler.verify(spec)
    assert found.counterexample is not None
    (model,) = report_without_runs(spec).models
    making = Making(Equations(lambda *_: None), Room())
    looked = page_examples(replace(model, verification=found), WantedInputs(), making)
    assert [(one["title"], one["why"]) for one in looked.shown] == [
        (found.counterexample.text, "answered wrong, found by verify")
    ]


def test_an_input_is_looked_at_once() -> None:
    model = page_json(load(TINY, {"digits": 1}), "1 2", "1 2", "1 + 2")
    assert [example["title"] for example in model["examples"]] == ["1 + 2"]


def test_where_each_token_has_a_pass_of_its_own_the_first_wrong_one_is_among_them() -> None:
    spec = load(SPECS / "gallery" / "kiguli_7p_relu.yaml", {"digits": 2})
    (example,) = page_json(spec, "5 6")["examples"]
    slots = [slot for one in example["passes"] for slot in one["slots"]]
    assert slots == list(range(len(slots)))
    assert len(slots) > 2
    assert all(one["trace"]["read_at"] == [len(one["trace"]["tokens"]) - 1] for one in example["passes"])


def test_without_a_task_tokens_are_looked_at(tmp_path: Path) -> None:
    spec = load_text(tmp_path, NO_TASK)
    tokens = "a b a"
    (example,) = page_json(spec, tokens)["examples"]
    assert example["title"] == tokens
    assert example["passes"][0]["trace"]["right"] is None
    assert page_json(spec)["examples"] == []


def test_what_is_too_large_is_said_and_not_shown() -> None:
    (model,) = report_without_runs(load(TINY, {"digits": 2})).models
    looked = page_examples(model, WantedInputs(("12 34",)), Making(Equations(lambda *_: None), Room(numbers=100)))
    assert looked.shown == []
    (said,) = looked.not_shown
    assert re.fullmatch(r"12 \+ 34: [\d,]+ numbers, which this page has no room for; `trace` shows them", said)


@pytest.mark.parametrize(
    ("name", "step", "reads", "writes"),
    [
        ("tiny95", "embedding", ["tokens"], ["eq", "special", "digit"]),
        ("tiny95", "layer0.attention", ["eq", "special"], ["count", "scale"]),
        ("tiny95", "layer1.ffn", ["candidate[0] … candidate[1]"], ["logit[0] … logit[1]"]),
        (
            "tiny95",
            "layer1.attention",
            ["place"],
            ["eq", "special", "digit", "count", "scale", "candidate[0] … candidate[1]", "place"],
        ),
    ],
)
def test_what_a_step_reads_and_writes(name: str, step: str, reads: list[str], writes: list[str]) -> None:
    spec = load(SPECS / f"{name}.yaml", {"base": 2, "digits": 1})
    (shown,) = [one for one in page_steps(spec.network, Equations(lambda *_: None)) if one["name"] == step]
    assert (shown["reads"], shown["writes"]) == (reads, writes)


@pytest.mark.parametrize("name", KINDS)
def test_a_step_changes_nothing_but_what_it_writes(name: str) -> None:
    spec = load(STEPS / f"{name}.yaml")
    values = values_of(STEPS / f"{name}.yaml")
    trace = trace_json(spec, pass_of_tokens(spec, some_tokens(spec)), values.activations, Look())
    rails = {one["name"]: one["rail"] for one in page_steps(spec.network, Equations(lambda *_: None))}
    for shown in trace["steps"]:
        step = values.steps[shown["name"]]
        if rails[step.name] == "adds":
            assert {label for changed in shown["changed"] for label in changed} <= {*dimensions_written(step)}, shown[
                "name"
            ]


def test_a_step_that_reads_a_dimension_says_so() -> None:
    """Against the terms of its values: what a step was computed from in the stream before it."""
    for name in KINDS:
        values = values_of(STEPS / f"{name}.yaml")
        found = traced_forms(values, Equations(lambda *_: None))
        names = [one.name for one in values.activations if one.name in values.steps]
        before: tuple[str, ...] = ()
        for at, (name_of_step, forms) in enumerate(zip(names, found.steps, strict=True)):
            inside = [one for value in forms["inside"] for one in value]
            for form in inside:
                for number in form if isinstance(form, list) else [form]:
                    for coefficient, *read in found.forms[number]["terms"]:
                        if len(read) == 4 and read[:2] == [at - 1, -1] and coefficient:
                            assert before[int(str(read[3]))] in dimensions_read(values.steps[name_of_step]), (
                                name,
                                name_of_step,
                            )
            run = next(one for one in values.activations if one.name == name_of_step)
            before = run.labels


def test_show_is_the_page_in_a_frame() -> None:
    spec = load(TINY, {"digits": 2})
    view = show(spec, "12 34")
    frame = view._repr_html_()
    inside = re.fullmatch(r'<iframe [^>]*sandbox="allow-scripts"[^>]* srcdoc="([^"]*)"></iframe>', frame)
    assert inside is not None
    assert html.unescape(inside[1]) == view.html
    assert compiler.show is show
    assert len(repr(view)) < 200


def test_an_input_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="found 1"):
        show(load(TINY), "12")
    page = tmp_path / "page.html"
    refused = call("report", TINY, "--input", "12", "-o", str(page))
    assert refused.exit_code == 2
    assert "found 1" in refused.stderr
    for words in ((), ("-o", str(tmp_path / "page.md"))):
        wrong = call("report", TINY, "--input", "1 2", *words)
        assert wrong.exit_code == 2
        assert "--input goes with a page that ends in .html" in wrong.stderr
    assert [*tmp_path.iterdir()] == []


def test_an_input_is_one_of_some_spec() -> None:
    specs = [load(TINY, {"digits": 1}), load(SPECS / "tasks" / "parity.yaml")]
    check_typed(specs, ("1 2", "0 1 0 1 0 1 0 1 0 1"))
    with pytest.raises(SpecError) as caught:
        check_typed(specs, ("nonsense",))
    assert len(caught.value.diagnostics) == 2
