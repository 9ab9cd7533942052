"""Leads that suffice for all inputs, against the bounds of each input, which are never more."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from random import Random

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from compiler.backends.bounds.arithmetic import EXACT, Arithmetic
from compiler.backends.bounds.bounded import Bounded
from compiler.backends.bounds.cost import without_followed_errors
from compiler.backends.bounds.deciding import leader
from compiler.backends.bounds.faint import without_faint_terms
from compiler.backends.bounds.intervals import Interval, IntervalFunctions
from compiler.backends.bounds.margins import BINS, lead_over, sufficient_leads, where_ahead, with_known_errors
from compiler.backends.bounds.quantities import Quantity
from compiler.backends.bounds.static_values import compute_next, for_all_inputs, in_bins
from compiler.backends.bounds.tensors import TensorFunctions, run_nodes, said
from compiler.backends.elementary.program import Array, Attended, Decision, Linear, Mixed, NotFollowed, Program, Scaled
from compiler.backends.native.c_compiler import find_compiler
from compiler.backends.native.c_program import c_source
from compiler.backends.native.columns import columns_for_c
from compiler.backends.native.engines import UNSURE
from compiler.backends.native.fast_engine import programs
from compiler.backends.native.native import Native, native
from compiler.evaluation.evaluator import Evaluator
from compiler.network.ir import Decode
from compiler.pipeline import Spec, load
from compiler.source.diagnostics import SpecError
from tests.fast.changed import changed
from tests.fast.containment import Tokens, any_tokens, logit, suite_tokens
from tests.fast.networks import random_network
from tests.helpers import SPECS, load_text

needs_compiler = pytest.mark.skipif(find_compiler() is None, reason="no C compiler works here")
BY_VALUES = ("tiny95", "reverse", "cosminscn_66p", "fblissjr_33p")  # decide nearly all
MODELS = (
    *(*BY_VALUES, "qwen20", "SeuperHakkerJa_28p"),
    *(pytest.param(name, marks=pytest.mark.long) for name in ("lichengliu03_50p", "Wonderfall_121p", "kiguli_7p_relu")),
)
SMALLER = {"digits": 3}


def _model(name: str) -> Spec:
    return load(next(SPECS.rglob(f"{name}.yaml")), SMALLER if name != "reverse" else {})


def _read(program: Program, prompts: Tokens, answers: Tokens) -> Tensor:
    sequences = np.concatenate((prompts, answers), axis=1)
    return torch.from_numpy(np.ascontiguousarray(sequences[:, program.positions]))


def check_margins(program: Program, tokens: Tensor, found: Counter[str]) -> None:
    """What leads by its margin is sure by the bounds of its own input."""
    by_values = said(program, tokens, sufficient_leads(program, BINS[-1]))
    sure = by_values >= 0
    by_bounds = said(program, tokens)
    assert (by_bounds[sure] == by_values[sure]).all()
    known = with_known_errors(program)
    if known is not None:
        by_known_errors = said(known, tokens)
        assert (by_bounds == by_known_errors)[by_known_errors >= 0].all()
        found["by known errors"] += int((by_known_errors >= 0).sum())
    for less in filter(None, (without_faint_terms(program), without_followed_errors(known or program))):
        quick = said(less, tokens)
        assert (by_bounds == quick)[(by_bounds >= 0) & (quick >= 0)].all()
    found["by wider bounds"] += int((quick >= 0).sum())
    found["sure"] += int(sure.sum())
    found["by bounds"] += int((by_bounds >= 0).sum())
    found["tokens"] += sure.numel()


def check_cells(program: Program, tokens: Tensor) -> None:
    """Each value and its error, up to the last attention, is in the intervals of the token at its position, and some
    value that the plain module may have within the limits of its node."""
    running = run_nodes(program, tokens)
    static = for_all_inputs(program)
    for number, node in enumerate(program.nodes):
        compute_next(static, node)
        own = tokens[:, list(node.positions)].T.long()  # the cell of each position of each input
        for channel in node.live:
            value, interval = running.values[number][channel], static.values[number][channel]
            pairs = (value.value, interval.value), (running.arithmetic.off(value), static.arithmetic.off(interval))
            for (x, bound), only_high in zip(pairs, (False, True), strict=True):
                ends = (_cells(end, own) for end in (Interval.of(bound).low, Interval.of(bound).high))
                (low, high), actual = ends, torch.as_tensor(x, dtype=torch.float64).expand(own.shape)
                assert (actual <= high + 2.0**-20 * high.abs()).all() or high.isnan().any(), (number, channel)
                assert only_high or (actual >= low).all() or low.isnan().any(), (number, channel)
            if isinstance(node.operation, Scaled):
                least = abs(torch.as_tensor(value.value)) - running.arithmetic.off(value)
                assert (least <= node.operation.limits[channel] * (1 + 2.0**-20)).all(), (number, channel)


def check_bins(program: Program, tokens: Tensor) -> int:
    """What is mixed last lies in a bin, and all that is made of it in the intervals of that bin; how many of them."""
    last = max((n for n, node in enumerate(program.nodes) if isinstance(node.operation, (Attended, Mixed))), default=0)
    node = program.nodes[last]
    if not isinstance(node.operation, Mixed):
        return 0
    running = run_nodes(program, tokens)
    static, bins, first = for_all_inputs(program), 0, torch.empty(0)
    for number, node in enumerate(program.nodes):
        compute_next(static, node)
        own = tokens[:, list(node.positions)].T.long()
        if number == last:
            static = in_bins(static, number, BINS[-1])
            bins = len(static.tokens) // program.vocabulary
            first = own * bins
            within = torch.ones(*first.shape, bins, dtype=torch.bool)
            for channel in node.live:
                interval = Interval.of(static.values[number][channel].value)
                low, high = (
                    torch.stack([_cells(end, first + b) for b in range(bins)], 2)
                    for end in (interval.low, interval.high)
                )
                x = torch.as_tensor(running.values[number][channel].value, dtype=torch.float64).expand(first.shape)
                within &= (low <= x[..., None]) & (x[..., None] <= high) | low.isnan() | high.isnan()
            assert within.any(2).all()
            first = first + within.byte().argmax(2)
        if number > last:
            cells = first[[program.nodes[last].positions.index(p) for p in node.positions]]
            for channel in node.live:
                value, known = running.values[number][channel], static.values[number][channel]
                off = static.arithmetic.off(known)
                low, high, most = (_cells(end, cells) for end in (*_ends(known.value), Interval.of(off).high))
                x = torch.as_tensor(value.value, dtype=torch.float64).expand(cells.shape)
                assert ((low <= x) & (x <= high) | low.isnan() | high.isnan()).all(), (number, channel)
                actual = torch.as_tensor(running.arithmetic.off(value), dtype=torch.float64)
                assert ((actual <= most * (1 + 2.0**-20) + 2.0**-1000) | most.isnan()).all(), (number, channel)
    return bins


def _ends(x: Quantity) -> tuple[Tensor, Tensor]:
    return Interval.of(x).low, Interval.of(x).high


def _cells(end: Tensor, own: Tensor) -> Tensor:
    return end.expand(own.shape[0], -1).gather(1, own) if end.dim() == 2 and end.shape[1] > 1 else end.expand(own.shape)


@pytest.mark.parametrize("name", MODELS)
def test_margins_of_models(name: str) -> None:
    spec, found = _model(name), Counter[str]()
    (program,) = programs(spec)
    for tokens in (any_tokens(spec, 200, 1), suite_tokens(spec, "uniform", 100, 1)):
        check_margins(program, _read(program, *tokens), found)
    check_cells(program, _read(program, *any_tokens(spec, 40, 2)))
    if name in BY_VALUES:
        assert name == "reverse" or check_bins(program, _read(program, *any_tokens(spec, 100, 3))) > 1
        assert found["sure"] > 0.9 * found["by bounds"]
    if name in ("qwen20", "SeuperHakkerJa_28p"):
        assert found["by known errors"] > 0.9 * found["by bounds"]
        assert found["by wider bounds"] > 0.8 * found["by bounds"]


def check_random(folder: Path, seeds: Iterable[int]) -> Counter[str]:
    found = Counter[str]()
    for seed in seeds:
        try:
            spec = load_text(folder, random_network(Random(f"network:{seed}")), name=f"random{seed}")
            made = programs(spec)
        except (SpecError, NotFollowed):
            continue
        for program in made:
            tokens = _read(program, *any_tokens(spec, 60, seed))
            check_margins(program, tokens, found)
            if not any(isinstance(node.operation, Attended) and node.operation.ties for node in program.nodes):
                check_cells(program, tokens)
                found["bins"] += check_bins(program, tokens) > 1
                found["networks"] += 1
    return found


def test_margins_of_random_networks(tmp_path: Path) -> None:
    found = check_random(tmp_path, range(14))
    assert found["networks"] > 3
    assert found["sure"] > 0.05 * found["tokens"]


def test_a_zero_is_mixed_in_where_a_head_may_attend_to_nothing(tmp_path: Path) -> None:
    """Also at a position that sees all keys."""
    assert check_random(tmp_path, [906])["networks"] == 1


def test_one_class_has_no_lead(tmp_path: Path) -> None:
    assert check_random(tmp_path, [765])["networks"] == 1


def test_an_error_may_be_one_number(tmp_path: Path) -> None:
    """The same at all positions, and for all tokens."""
    assert check_random(tmp_path, [1051])["networks"] == 1


@pytest.mark.long
@pytest.mark.parametrize("chunk", range(20))
def test_margins_of_many_random_networks(tmp_path: Path, chunk: int) -> None:
    assert check_random(tmp_path, range(100 + 50 * chunk, 150 + 50 * chunk))["networks"] > 5


@pytest.mark.parametrize("name", ["tiny95", "qwen20"])
def test_margins_of_changed_models(name: str) -> None:
    """Near ties of all kinds: the numbers that keep the digits apart are others."""
    spec, found = _model(name), Counter[str]()
    for number in range(2):
        other = replace(spec, network=changed(spec.network, Random(f"{name}:{number}")))
        try:
            (program,) = programs(other)
        except NotFollowed:
            continue
        check_margins(program, _read(program, *any_tokens(spec, 200, number)), found)
    assert found["tokens"]


@needs_compiler
@pytest.mark.parametrize("name", ["tiny95", pytest.param("Wonderfall_121p", marks=pytest.mark.long)])
def test_compiled_values_are_sure_of_nothing_else(name: str) -> None:
    """By tokens and by columns, for numbers of inputs that do not fill the lanes."""
    spec = _model(name)
    (program,) = programs(spec)
    columns = columns_for_c((program,), spec.layout)
    assert columns is not None
    enough = sufficient_leads(program, BINS[-1])
    library = native(c_source(program, np.where(np.isfinite(enough), enough, 1e300), columns))
    assert isinstance(library, Native), library
    tokens = _read(program, *any_tokens(spec, 203, 3))
    tokens_said = np.empty((len(tokens), len(program.slots)), dtype=np.int32)
    library.run(tokens.numpy(), tokens_said)
    by_bounds = said(program, tokens).numpy()
    sure = tokens_said >= 0
    assert (tokens_said == by_bounds)[sure].all()
    part = spec.resolved.task.suites()["uniform"].parts(107, 0)[-1]
    (words,) = part.blocks(1000)
    prompts, answers = spec.layout.prompts(words), spec.layout.answers(words)
    answers[::3, 0] += 1  # these are wrong, whatever is said
    wrong = {name: word.copy() for name, word in words.items()}
    answer = next(place.word for place in spec.layout.answer[0].places)
    wrong[answer][::3, 0] += 1
    wrong[answer] %= max(place.choices for place in spec.layout.answer[0].places)
    tokens_said = np.empty((len(prompts), len(program.slots)), dtype=np.int32)
    library.run(_read(program, spec.layout.prompts(wrong), spec.layout.answers(wrong)).numpy(), tokens_said)
    right = spec.layout.answers(wrong)[:, np.array(spec.layout.predicted)]
    assert library.check(columns, wrong).tolist() == (tokens_said == right).all(1).tolist()


@needs_compiler
@pytest.mark.parametrize("base", [10, 20])
def test_each_place_needs_its_own_margin(base: int) -> None:
    """In compiled code; of few tokens, and of more than a table of the registers has."""
    spec = load(SPECS / "tiny95.yaml", {"base": base, "digits": 1})
    (program,) = programs(spec)
    tokens = _read(program, *suite_tokens(spec, "uniform", 203, 3)).numpy()

    def leaders(margins: Array) -> NDArray[np.int32]:
        library = native(c_source(program, margins))
        assert isinstance(library, Native), library
        found = np.empty((len(tokens), len(program.slots)), dtype=np.int32)
        library.run(tokens, found)
        return found

    every = leaders(np.zeros(len(program.slots)))
    assert set(every.ravel().tolist()) == set(range(base))
    for place in range(len(program.slots)):
        out_of_reach = np.arange(len(program.slots)) == place
        assert (leaders(np.where(out_of_reach, 1e300, 0.0)) == np.where(out_of_reach, UNSURE, every)).all()


ONE: list[tuple[str, Callable[[IntervalFunctions | TensorFunctions, Quantity], Quantity]]] = [
    ("absolute", lambda f, x: f.absolute(x)),
    ("exp", lambda f, x: f.exp(x)),
    ("erf", lambda f, x: f.erf(x)),
    ("sqrt", lambda f, x: f.sqrt(f.absolute(x))),
    ("power_floor", lambda f, x: f.power_floor(f.absolute(x))),
    ("square", lambda f, x: x * x - 0.1),
    ("reciprocal", lambda f, x: 1.0 / x),
    ("if_less", lambda f, x: f.if_less(x, 0.25, x * 2.0, -1.0)),
    ("maximum", lambda f, x: f.maximum(x, 0.5) - f.minimum(0.5 - x, x)),
]


@pytest.mark.parametrize(("name", "function"), ONE, ids=[name for name, _ in ONE])
def test_intervals_hold_what_functions_give(name: str, function: Callable[..., Quantity]) -> None:
    generator = torch.Generator().manual_seed(1)
    middle = torch.randn(400, dtype=torch.float64, generator=generator) * 10.0 ** torch.randint(-3, 2, (400,))
    width = torch.rand(400, dtype=torch.float64, generator=generator) * middle.abs() * torch.randint(0, 4, (400,))
    interval = Interval(middle - width, middle + width)
    found = Interval.of(function(IntervalFunctions(), interval))
    for share in (0.0, 1.0, *torch.rand(20, generator=generator).tolist()):
        point = interval.low + (interval.high - interval.low) * share
        point = torch.minimum(torch.maximum(point, interval.low), interval.high)
        exact = function(TensorFunctions(), point)
        assert ((exact >= found.low) & (exact <= found.high) | exact.isinf()).all(), name


def test_what_is_infinite_or_no_number_bounds_nothing() -> None:
    whole = Interval(torch.tensor([-math.inf]), torch.tensor([math.inf]))
    assert (whole * 0.0).high.item() == pytest.approx(0.0)
    assert (Interval.of(1.0) / Interval(torch.tensor(-1.0), torch.tensor(2.0))).high.item() == math.inf
    assert Interval(torch.tensor(math.nan), torch.tensor(math.nan)).__add__(1.0).high.isnan()


def test_hard_attention_has_no_margin(tmp_path: Path) -> None:
    spec = load(next(SPECS.rglob("brackets.yaml")))
    for program in programs(spec):
        hard = any(isinstance(node.operation, Attended) and node.operation.ties for node in program.nodes)
        assert not hard or not np.isfinite(sufficient_leads(program, BINS[-1])).any()
        assert hard or any(isinstance(node.operation, (Attended, Mixed)) for node in program.nodes)


@needs_compiler
@pytest.mark.parametrize(
    ("name", "how"),
    [
        ("tiny95", "by values alone"),
        ("qwen20", "by known errors of attention"),
        ("xangma_177p", "by wider bounds"),
        ("Lokimorty_39p", "by known errors of attention"),  # after its faint terms
    ],
    ids=["values", "known", "wider", "faint"],
)
def test_the_report_says_which_stage_decided(name: str, how: str) -> None:
    """Wrong answers among them, which the first stage decides too; with bounds in its place, verdicts are the same."""
    spec = _model(name)
    part = spec.resolved.task.suites()["near_carry"].parts(900, 0)[0]
    (words,) = part.blocks(900)
    evaluator = Evaluator(spec, inputs=1 << 30)
    found = evaluator.decide(evaluator.ask(words))
    decided = re.fullmatch(rf"compiled C, .*, (\d+) inputs {how}, (\d+) by bounds", evaluator.use.detail)
    assert decided is not None, evaluator.use.detail
    first, second = (int(number) for number in decided.groups())
    assert 890 < first <= first + second <= 900
    bounds = Evaluator(spec)
    assert bounds.use.detail.endswith("too few inputs to compile C for")
    assert bounds.decide(bounds.ask(words)).right.tolist() == found.right.tolist()


@pytest.mark.parametrize(
    ("name", "how"),
    [("tiny95", "by values alone"), ("qwen20", "by known errors of attention")],
    ids=["values", "known"],
)
def test_without_a_compiler_the_quick_stage_is_the_first_too(
    name: str, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = _model(name)
    monkeypatch.setenv("CC", "/none/cc")
    evaluator = Evaluator(spec, inputs=1 << 30)
    (words,) = spec.resolved.task.suites()["near_carry"].parts(900, 0)[0].blocks(900)
    found = evaluator.decide(evaluator.ask(words))
    assert re.search(rf"^torch tensors on cpu: .*, 900 inputs {how}, 0 by bounds$", evaluator.use.detail)
    fresh = Evaluator(spec)
    assert found.right.tolist() == fresh.decide(fresh.ask(words)).right.tolist()


@pytest.mark.parametrize("path", sorted((SPECS / "tasks").glob("*.yaml")), ids=lambda path: path.stem)
def test_columns_hold_the_tokens_of_the_layout(path: Path) -> None:
    spec = load(path)
    try:
        made = programs(spec)
    except NotFollowed:
        return
    columns = columns_for_c(made, spec.layout)
    if columns is None:
        several = len(made) > 1 or made[0].slots != spec.layout.predicted or made[0].starts != (0,)
        slots = (*spec.layout.prompt, *spec.layout.answer)
        assert several or any(len(slot.places) > 1 or np.ptp(slot.possible) >= len(slot.possible) for slot in slots)
        return
    (words, *_) = spec.resolved.task.suites()["uniform"].parts(50, 0)[-1].blocks(50)
    addresses, arrays = columns.addresses(words)
    tokens = np.concatenate((spec.layout.prompts(words), spec.layout.answers(words)), axis=1)
    predicted = tokens[:, len(spec.layout.prompt) + np.array(spec.layout.predicted)]
    assert len(addresses) == len(columns.names)
    assert all(array.strides[0] == array.itemsize for array in arrays)
    for sources, wanted in ((columns.read, tokens), (columns.right, predicted)):
        for number, source in enumerate(sources):
            word, index = ("", 0) if source.column is None else columns.names[source.column]
            symbols = words[word][:, index] if word else np.zeros(len(tokens), int)
            assert (symbols.astype(int) + source.first == wanted[:, number]).all()


def test_a_lead_takes_in_that_the_engine_rounds_two_logits() -> None:
    """Logits that are large and nearly the same: the difference of their weights knows the lead far better."""
    random, apart = Random(3), 0
    floats = Arithmetic(TensorFunctions(), EXACT)
    for _ in range(200):
        common = [random.uniform(1, 2) * 10 ** random.randint(0, 9) for _ in range(3)]
        rows = [tuple((c, weight * (1 + random.uniform(0, 1e-13))) for c, weight in enumerate(common)) for _ in "ab"]
        decision = Decision(0, Linear(tuple(rows)), 2, (0,), "argmax")
        values = [torch.tensor([[random.uniform(-1, 1)]], dtype=torch.float64) for _ in common]
        inputs = [Bounded(x, 0.0) for x in values]
        best = int(leader(floats, decision, inputs, 0.0))
        lead = float(logit(floats, decision, inputs, best).value - logit(floats, decision, inputs, 1 - best).value)
        inputs = [Bounded(Interval.of(x), 0.0) for x in values]
        known = lead_over(Arithmetic(IntervalFunctions(), EXACT), decision, inputs, best, 1 - best)
        assert known is not None
        found = Interval.of(known.value)
        assert float(found.low) <= lead <= float(found.high)
        differences = [rows[best][c][1] - rows[1 - best][c][1] for c in range(3)]
        apart += lead != math.fsum(d * float(x) for d, x in zip(differences, values, strict=True))
    assert apart > 100


@pytest.mark.parametrize("decode", ["argmax", "argmin"])
@pytest.mark.parametrize("classes", [2, 3, 10])
def test_a_class_is_said_that_leads_by_more_than_the_margin(decode: Decode, classes: int) -> None:
    """Whole numbers, so that many tie; some logits are no number, and nothing is sure beside them."""
    chance, a = np.random.default_rng(classes), Arithmetic(TensorFunctions(), EXACT)
    logits = chance.integers(0, 9, (classes, 2000)).astype(float)
    logits[chance.random(logits.shape) < 0.01] = math.nan
    margins = chance.integers(0, 4, 2000).astype(float)
    decision = Decision(0, None, classes, (0,), decode)
    said_tokens = leader(a, decision, [Bounded(torch.tensor(x), 0.0) for x in logits], torch.tensor(margins)).tolist()
    for column, margin, token in zip(logits.T, margins, said_tokens, strict=True):
        ordered = np.sort(column if decode == "argmax" else -column)
        is_sure = ordered[-1] - ordered[-2] > margin  # numpy sorts what is no number to the end
        assert token == (int(getattr(column, decode)()) if is_sure else UNSURE)
    assert 100 < sum(token == UNSURE for token in said_tokens) < 1990


def test_a_class_that_is_ahead_limits_what_its_inputs_can_be() -> None:
    """Each point of a box is left to the class that is ahead there, and on a line to no other."""
    chance, a = np.random.default_rng(5), Arithmetic(IntervalFunctions(), EXACT)
    for number in range(60):
        channels, classes = 1 + number % 3, 2 + number % 4
        rows = tuple(tuple((c, float(chance.normal())) for c in range(channels)) for _ in range(classes))
        linear = Linear(rows, tuple(map(float, chance.normal(size=classes))))
        decision = Decision(0, linear, classes, (0,), "argmax" if number % 2 else "argmin")
        ends = np.sort(chance.normal(size=(channels, 2)) * 2)
        box = [Bounded(Interval(torch.tensor([low]), torch.tensor([high])), 0.0) for low, high in ends]
        points = torch.tensor(chance.uniform(ends[:, :1], ends[:, 1:], (channels, 200)))
        index = leader(Arithmetic(TensorFunctions(), EXACT), decision, [Bounded(x, 0.0) for x in points], 0.0)
        for best in range(classes):
            ahead, possible = where_ahead(a, decision, box, best)
            there = torch.as_tensor(index).expand(200) == best
            within = [(x.value.low <= point) & (point <= x.value.high) for x, point in zip(ahead, points, strict=True)]
            inside = torch.stack(within).all(0) & possible
            assert inside[there].all()
            assert channels > 1 or not inside[~there].any()
