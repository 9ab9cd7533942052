"""What hangs on the length of a sequence: `time` in formulas, rounds of a `repeat`. And position tables by formula."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

import compiler
from compiler.backends.elementary.model import translate
from compiler.backends.elementary.program import NotFollowed
from compiler.lowering import position as lowering_position
from compiler.network.causality import is_causal, sees_no_later
from compiler.network.dimensions import dimensions
from compiler.network.flow.backward import flow
from compiler.readers.latex.document import spec_latex
from compiler.readers.linting import lint
from compiler.readers.why.why import why
from compiler.source.diagnostics import SpecError
from tests.helpers import SMALL_CONTEXT, SMALL_TOKENS, load_text, small

EMBEDDING = "embedding:\n  digit[d]: {x: d + 1}\n  +: {y: 1}\n"
ATTENTION = "attention:\n  mask: {mask}\n  value head: x\n  output z: head\n  score head: {score}\n"
COPY = """\
weightspec: 1
name: copying
dtype: float32
vocabulary: symbol[3] =
task: {copy: {symbols: 3, length: 3}, prompt: word =, answer: copied}
stream: is[3]
network:
  embedding:
    symbol[s]: {"is[s]": 1}
  attention:
    mask: none
    heads: h[3]
    value h[i]: is[i]
    score h[i]: where(key_pos == max(time - 4, 0), 0, -inf)
    output is[i]: 10 * h[i]
decode: argmax
ignore: no-claims
"""


def attention(score: str, mask: str = "causal") -> str:
    return ATTENTION.format(mask=mask, score=score)


def test_formulas_have_their_numbers_in_every_length(tmp_path: Path) -> None:
    steps = "position:\n  let: {left: time - pos}\n  x: pos / time\n  y: 1 / left\n  z: pos\nposition same: {x: time}\n"
    spec = load_text(tmp_path, small(EMBEDDING + steps))
    model = compiler.build(spec)
    for time in range(1, SMALL_CONTEXT + 1):
        tokens = torch.randint(SMALL_TOKENS, (2, time), generator=torch.Generator().manual_seed(time))
        embedded, both, same = (one.value for one in compiler.trace(spec, tokens, model))
        rows = [[pos / time, 1 / (time - pos), pos] for pos in range(time)]
        assert torch.equal(both, embedded + torch.tensor(rows, dtype=torch.float64))
        assert torch.equal(same, both + torch.tensor([time, 0, 0], dtype=torch.float64))


def test_each_prefix_has_a_length_of_its_own(tmp_path: Path) -> None:
    """The head reads another token for each token of the answer; one pass over all of them would read the last."""
    spec = load_text(tmp_path, COPY)
    assert [program.prefixes for program in translate(spec.network, spec.layout)] == [(4,), (5,), (6,)]
    for engine in ("fast", "plain"):
        found = compiler.evaluate(spec, ["exhaustive"], engine=engine)
        assert (found.engine.name, found.decoding) == (engine, "greedy")
        assert found.right == found.inputs == 27
    proof = compiler.verify(spec)
    assert (proof.verdict, proof.inputs) == ("proved", 27)


def test_a_batch_is_decoded_by_its_prefixes(tmp_path: Path) -> None:
    found = compiler.evaluate(load_text(tmp_path, COPY), ["exhaustive"], engine="plain", batch=9)
    assert found.right == found.inputs == 27


@pytest.mark.parametrize(
    ("steps", "causal", "no_later"),
    [
        ("position: {x: pos / time}", False, True),
        ("position: {x: pos / 9}", True, True),
        ("position:\n  let: {all: time, share: pos / all}\n  x: share", False, True),
        (attention("1 / time"), False, True),
        (attention("where(key_pos > query_pos, -inf, 1 / time)", "none"), False, True),
        (attention("where(key_pos > query_pos and time > 2, -inf, 0)", "none"), False, False),
        (attention("where(key_pos > query_pos and time > 1, -inf, 0)", "none"), False, True),
        ("norm: rms\nrepeat again: {steps: norm, times: time}", False, True),
        ("norm: rms\nrepeat again: {steps: norm, times: 3}", True, True),
        ("norm: rms\nrepeat again: {steps: norm, times: 2 + 0 * time}", True, True),
    ],
)
def test_what_reads_the_length_is_not_causal(tmp_path: Path, steps: str, causal: bool, no_later: bool) -> None:
    network = load_text(tmp_path, small(EMBEDDING + steps)).network
    assert (is_causal(network), sees_no_later(network)) == (causal, no_later)


@pytest.mark.parametrize(
    ("times", "alive"),
    [("0", False), ("1", True), ("time // 5", True), ("time // 50", False), ("'where(time == 2, 1, 0)'", True)],
)
def test_a_weight_matters_where_some_length_runs_it(tmp_path: Path, times: str, alive: bool) -> None:
    """`late` reads y, which is zero before `early` has run."""
    steps = """\
ffn late:
  hidden: u
  up u: y
  down z: u
ffn early:
  hidden: u
  up u: x
  down y: u
repeat rounds: {steps: late.ffn, times: TIMES}
head:
  logits digit[d]: d * z
""".replace("TIMES", times)
    text = small("embedding:\n  digit[d]: {x: d + 1}\n" + steps)
    assert bool(flow(load_text(tmp_path, text).network).alive["late.ffn.up.weight"]) == alive


@pytest.mark.parametrize(("length", "seen"), [(4, 0b1), (5, 0b11111), (9, 0b11111), (50, 0b1)])
def test_a_key_is_seen_where_some_length_shows_it(tmp_path: Path, length: int, seen: int) -> None:
    """The query at position 4 is in sequences of 5 to 9 tokens."""
    spec = load_text(tmp_path, small(EMBEDDING + attention(f"where(key_pos == 0 or time == {length}, 0, -inf)")))
    assert flow(spec.network).sight["attention"].keys(0, 4) == seen


def test_a_length_of_its_own_is_no_information_about_a_key(tmp_path: Path) -> None:
    """A score that is the same for all keys in each length weighs none of them."""
    role = flow(load_text(tmp_path, small(EMBEDDING + attention("time"))).network).attention["attention"]
    assert not role.uneven
    head = "head:\n  logits digit[d]: d * z\n"
    text = small(EMBEDDING + attention("key_pos / time") + head)
    assert flow(load_text(tmp_path, text).network).attention["attention"].uneven


def test_runs_are_counted_with_their_rounds(tmp_path: Path) -> None:
    steps = """\
attention: {value head: x, output z: head}
ffn: {hidden: u, up u: x, down z: u}
repeat inner: {steps: attention ffn ffn, times: 3}
repeat outer: {steps: inner ffn, times: digits}
repeat rounds: {steps: attention, times: time // 2}
"""
    layers = dimensions(load_text(tmp_path, small(EMBEDDING + steps)).network).layers
    assert (layers.attention, layers.ffn) == (1, 1)
    assert layers.attention_runs == 1 + 3 + 2 * 3 + SMALL_CONTEXT // 2
    assert layers.ffn_runs == 1 + 6 + 2 * (6 + 1)


@pytest.mark.parametrize(
    ("steps", "changed", "label"),
    [
        ("position:\n  x: where(time == 2, 3, 1)", "position:\n  x: where(time == 3, 3, 1)", "x, pos 1, time 2"),
        ("position: {x: pos / time}", "position: {x: pos / (time + 1)}", "x, pos 1, time 2"),
        (attention("where(time == 2, 3, 1)"), attention("where(time == 3, 3, 1)"), "query_pos 1, key_pos 0, time 2"),
    ],
)
def test_a_difference_in_one_length_is_one(tmp_path: Path, steps: str, changed: str, label: str) -> None:
    first, second = (
        load_text(tmp_path, small(EMBEDDING + text), name=name) for text, name in ((steps, "a"), (changed, "b"))
    )
    difference = compiler.diff(first, second)
    assert label in {entry.label for group in difference.groups for entry in group.entries}
    assert not compiler.diff(first, load_text(tmp_path, small(EMBEDDING + steps), name="c")).groups


def test_lint_says_that_positions_know_how_many_tokens_follow(tmp_path: Path) -> None:
    steps = "norm: rms\nposition: {x: 1 / time}\nrepeat again: {steps: norm, times: time}\n" + attention("1 / time")
    every = lint(load_text(tmp_path, small(EMBEDDING + steps)), "adderboard")
    found = [one for one in every if one.code == "later-tokens"]
    assert [one.span.line for one in found if one.span is not None] == [16, 17, 22]
    assert "how many tokens follow" in found[0].message


def test_latex_has_a_sign_for_the_length(tmp_path: Path) -> None:
    steps = "norm: rms\nposition: {x: pos / time}\nrepeat again: {steps: norm, times: time // 2}\n"
    text = spec_latex(load_text(tmp_path, small(EMBEDDING + steps)))
    assert "$T$ is the number of tokens of the sequence." in text
    assert r"\mathrm{position}_{x} &= \frac{p}{T}" in text
    assert r"\mathrm{repeat}_{\mathrm{times}} &= \lfloor T / 2 \rfloor" in text
    assert "number of tokens of the sequence" not in spec_latex(load_text(tmp_path, small(EMBEDDING)))


def test_numbers_of_a_table_by_formula_are_stored_and_counted(tmp_path: Path) -> None:
    steps = "position:\n  let: {angle: pos * slope}\n  table:\n    x: 2 * angle\n    z: pos % 2\n"
    text = small(EMBEDDING + steps, definitions="parameters: {slope: 0.5}")
    spec, bare = load_text(tmp_path, text), load_text(tmp_path, small(EMBEDDING), name="bare")
    stored = compiler.build(spec).state_dict()["position.weight"]
    assert stored.tolist() == [[float(pos), 0.0, float(pos % 2)] for pos in range(SMALL_CONTEXT)]
    counted, before = compiler.count(spec), compiler.count(bare)
    assert counted.dense - before.dense == 3 * SMALL_CONTEXT
    assert counted.nonzero - before.nonzero == 8 + 4
    assert counted.free == 1
    answer = why(spec, "position.weight[3, x]")
    assert (answer.value, str(answer.equation)) == (3.0, "x: 2 * angle")
    assert [(name.name, name.value) for name in answer.names] == [("pos", 3), ("angle", 1.5)]
    assert {number.name for number in answer.numbers} == {"slope", ""}
    indices = [one for one in lint(spec, "disclosure") if one.code == "index-number"]
    assert any("pos enters position.weight as a number (2 to 8)" in one.message for one in indices)


def test_a_formula_that_vanishes_in_a_table_is_a_warning(tmp_path: Path) -> None:
    spec = load_text(tmp_path, small(EMBEDDING + "position: {table: {x: 0 * pos, z: 1e-320}}", dtype="float32"))
    assert {one.code for one in spec.warnings} >= {"vanishing-equation", "underflow"}


def test_numbers_by_length_have_a_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lowering_position, "MAX_POSITION_ENTRIES", 2 * SMALL_CONTEXT)
    load_text(tmp_path, small(EMBEDDING + "position: {x: time, y: 1 / time, z: pos}"))
    with pytest.raises(SpecError, match="2 dimensions at 9 positions in sequences of 9 lengths are more than"):
        load_text(tmp_path, small(EMBEDDING + "position: {x: time, y: pos / time}"))
    wide = small(EMBEDDING + attention("(key_pos - query_pos) / time"), definitions="context: 200")
    with pytest.raises(SpecError, match="for 200 by 200 positions in 200 lengths are more than"):
        load_text(tmp_path, wide)


@pytest.mark.parametrize("by", ["{} * (key_pos - query_pos)", "{} * key_pos * (query_pos + 1)", "{} * key_pos / time"])
def test_scores_may_be_written_in_any_order_of_the_heads(tmp_path: Path, by: str) -> None:
    steps = "attention:\n  heads: a b\n  value a: x\n  output z: a + b\n  score {}\n  score {}\n"
    lines = [f"{head}: {by.format(slope)}" for head, slope in (("a", 1), ("b", 3))]
    texts = small(EMBEDDING + steps.format(*lines)), small(EMBEDDING + steps.format(*reversed(lines)))
    tokens = torch.randint(SMALL_TOKENS, (1, SMALL_CONTEXT), generator=torch.Generator().manual_seed(1))
    first, second = (compiler.trace(load_text(tmp_path, text), tokens)[-1].value for text in texts)
    assert torch.equal(first, second)


def test_a_window_hides_what_one_length_shows(tmp_path: Path) -> None:
    steps = "attention:\n  mask: {window: 2}\n  value head: x\n  output z: head\n  score head: FORMULA\n"
    text = small(EMBEDDING + steps.replace("FORMULA", "where(key_pos == 0 and time > 0, 0, -inf)"))
    with pytest.raises(SpecError, match=r"every key has a score of -inf \(for query_pos = 2, time = 3\)"):
        load_text(tmp_path, text)
    seen = flow(load_text(tmp_path, text.replace("key_pos == 0", "key_pos == 4 or key_pos != 4")).network).attention
    assert not seen["attention"].uneven
    uneven = flow(load_text(tmp_path, text.replace("0, -inf)", "0, time - 9)")).network).attention
    assert uneven["attention"].uneven


def test_too_many_prefixes_are_refused_with_what_makes_them_fewer(tmp_path: Path) -> None:
    spec = load_text(tmp_path, COPY.replace("length: 3", "length: 51").replace("time - 4", "time - 52"))
    with pytest.raises(NotFollowed, match=r"51 tokens .* the length of the sequence is read; .* a `window`"):
        translate(spec.network, spec.layout)


def test_a_window_that_slides_has_a_length_of_its_own(tmp_path: Path) -> None:
    """After a whole window `time` is its size: the head reads the first token that the window shows."""
    text = COPY.replace("answer: copied}", "answer: copied, window: 4}").replace(
        "max(time - 4, 0)", "time - min(time, 4)"
    )
    spec = load_text(tmp_path, text)
    for engine in ("fast", "plain"):
        found = compiler.evaluate(spec, ["exhaustive"], engine=engine)
        assert (found.engine.name, found.right, found.inputs) == (engine, 27, 27)
