"""Each spec of the gallery is the published model: tensors, logits, answers, count."""

from __future__ import annotations

import functools

import pytest
import torch
from torch import Tensor, nn

import compiler
from compiler.backends.bounds.passes import prepared
from compiler.backends.elementary.model import translate
from compiler.backends.torch.decode import choose, greedy
from compiler.pipeline import Spec, load
from compiler.readers.counting.claims import check_claims
from tests.fast.containment import bounded_logits
from tests.gallery.cards import CARDS, FOLDER, Card, dense, read_card, stored, ulps_apart
from tests.helpers import SPECS, same_bits

pytestmark = pytest.mark.machine

MAX_LINES = 60  # without comments and blank lines
MAX_ULPS = 2
MISTAKE = 0.01  # of a row's range: a wrong step is off by more, where rounding is by less
WITH_ERRORS = [ident for ident in CARDS if read_card(ident).known_errors is not None]


@functools.cache
def loaded(ident: str) -> tuple[Card, Spec, nn.Module]:
    spec = load(FOLDER / f"{ident}.yaml")
    return read_card(ident), spec, compiler.build(spec).eval()


def centred(logits: Tensor, spread: Tensor) -> Tensor:
    """Rows without their maximum, over the range of the reference's rows: large common terms hide mistakes."""
    return (logits - logits.amax(-1, keepdim=True)) / spread


@pytest.mark.parametrize("ident", CARDS)
def test_every_tensor_is_the_cards_bit_for_bit(ident: str) -> None:
    card, _, model = loaded(ident)
    assert card.names.keys() == card.tensors.keys()
    for theirs in card.names:
        expected = card.tensor(theirs)
        apart = max(ulps_apart(dense(model, ours, expected.shape), expected) for ours in card.places(theirs))
        assert apart == card.ulps.get(theirs, 0) <= MAX_ULPS, f"{theirs}: {apart} units in the last place"


@pytest.mark.parametrize("ident", CARDS)
def test_no_tensor_is_left_uncompared(ident: str) -> None:
    card, _, model = loaded(ident)
    named = {id(stored(model, place)) for theirs in card.names for place in card.places(theirs)}
    named |= {id(model.get_parameter(name.removesuffix("weight") + "inner.weight")) for name in low_rank(model)}
    assert {name for name, own in model.named_parameters() if id(own) not in named} == set()


def low_rank(model: nn.Module) -> list[str]:
    names = [name for name, _ in model.named_parameters(remove_duplicate=False)]
    return [f"{name.removesuffix('inner.weight')}weight" for name in names if name.endswith("inner.weight")]


@pytest.mark.parametrize("ident", CARDS)
def test_the_layout_is_the_cards(ident: str) -> None:
    card, spec, _ = loaded(ident)
    for pair, tokens in zip(card.pairs, card.tokens, strict=True):
        words = spec.resolved.task.solve((pair[0], pair[1]))
        answer = spec.layout.answer_tokens(words)
        mine = spec.layout.prompt_tokens(words) + answer
        assert mine[: len(tokens)] == tokens
        assert len(mine) - len(tokens) <= 1  # an end token, which no card predicts


def rounding(spec: Spec, tokens: Tensor) -> Tensor:
    """How far logits [pairs, answer, classes] of two machines can be apart, whatever order their sums are made in."""
    sequences = tokens.int()
    errors: dict[int, Tensor] = {}
    with torch.inference_mode():
        for program in translate(spec.network, spec.layout):
            followed = prepared(program, spec.network, "any arithmetic")
            _, error = bounded_logits(followed, sequences[:, : program.length])
            errors |= zip(program.slots, error.unbind(1), strict=True)
    return 2 * torch.stack([errors[slot] for slot in spec.layout.predicted], dim=1)


@pytest.mark.parametrize("ident", CARDS)
def test_logits_agree_with_the_reference(ident: str) -> None:
    """They were made on another machine, by another program whose noise was measured there."""
    card, spec, model = loaded(ident)
    expected = torch.tensor(card.logits, dtype=torch.float64)
    pairs, answer, _ = expected.shape
    spread = expected.amax(-1, keepdim=True) - expected.amin(-1, keepdim=True)
    assert pairs >= 12
    assert (spread > 0).all()
    with torch.inference_mode():
        alone = [model(torch.tensor([tokens[:-1]]))[0, -answer:] for tokens in card.tokens]
    logits: Tensor = torch.stack(alone)
    assert logits.dtype == card.dtype
    assert logits.shape == expected.shape
    off = (centred(logits.double(), spread) - centred(expected, spread)).abs()
    bound = rounding(spec, torch.tensor(card.tokens))[:, :answer]
    allowed = ((bound + bound.amax(-1, keepdim=True)) / spread).clamp(max=MISTAKE) + 3 * card.noise
    worst = (off - allowed).max().item()
    assert worst <= 0, f"{worst:.3g} more than rounding and the card's own noise, {card.noise:.3g}"


@pytest.mark.parametrize("ident", CARDS)
def test_greedy_answers_are_the_cards(ident: str) -> None:
    card, spec, model = loaded(ident)
    task = spec.resolved.task
    for pair, expected in zip(card.pairs, card.greedy, strict=True):
        prompt = spec.layout.prompt_tokens(task.solve((pair[0], pair[1])))
        with torch.inference_mode():
            answer = greedy(model, torch.tensor([prompt]), spec.layout, spec.network.decode)[0].tolist()
        words = spec.layout.read_answer(answer)
        assert words is not None
        assert task.show(words) == str(expected)


@pytest.mark.parametrize("ident", CARDS)
def test_the_claimed_count_holds(ident: str) -> None:
    card, spec, _ = loaded(ident)
    claims = check_claims(spec, compiler.count(spec), None)
    assert [claim.claim for claim in claims if claim.status == "failed"] == []
    claimed = spec.resolved.expect.claimed
    assert claimed is not None
    assert claimed.count == card.claimed
    assert claimed.rule or claimed.note


@pytest.mark.parametrize("ident", CARDS)
def test_the_spec_says_who_and_what_in_sixty_lines(ident: str) -> None:
    _, spec, _ = loaded(ident)
    assert spec.name == ident
    lines = [line.strip() for line in (FOLDER / f"{ident}.yaml").read_text(encoding="utf-8").splitlines()]
    assert len([line for line in lines if line and not line.startswith("#")]) <= MAX_LINES
    assert spec.resolved.expect.evals


def test_choose_is_what_the_cards_decode_with() -> None:
    """The reference logits, decoded by our rule, spell the card's sums."""
    for ident in CARDS:
        card, spec, _ = loaded(ident)
        chosen = choose(torch.tensor(card.logits, dtype=torch.float64), spec.network.decode)
        for tokens, row, (a, b, *_), got in zip(card.tokens, chosen.tolist(), card.pairs, card.greedy, strict=True):
            right = tokens[-len(row) :] == row
            assert right == (a + b == got)


@pytest.mark.parametrize("ident", WITH_ERRORS)
def test_the_pairs_of_the_leaderboard_that_are_wrong_are_the_cards_with_its_answers(ident: str) -> None:
    card, spec, _ = loaded(ident)
    (suite,) = compiler.evaluate(spec, ["adderboard"], failures=None).suites
    wrong = [[*failure.inputs, int(failure.got)] for part in suite.parts for failure in part.failures]
    assert (suite.pairs, suite.right) == (10_010, 10_010 - len(wrong))
    assert wrong == card.known_errors


@pytest.mark.parametrize("ident", CARDS)
def test_the_construction_carries_over_to_six_digits(ident: str) -> None:
    variant = load(FOLDER / f"{ident}.yaml", {"digits": 6})
    found = compiler.evaluate(variant, "near_carry", pairs=60)
    assert (found.right, found.pairs) == (60, 60)


def test_qwen20_is_a_model_of_the_gallery_in_plain_numbers() -> None:
    _, _, model = loaded("yieldthought_20p")
    plain = compiler.build(load(SPECS / "qwen20.yaml")).state_dict()
    assert plain.keys() == model.state_dict().keys()
    assert all(same_bits(plain[name], tensor) for name, tensor in model.state_dict().items())
