"""Reading tokens off logits, teacher forcing and greedy decoding, on modules whose logits are known."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

from compiler.backends.torch.decode import NO_TOKEN, answer_logits, choose, greedy, margins, sure_tokens
from compiler.evaluation.evaluator import Evaluator
from compiler.network.ir import Decode
from compiler.pipeline import Spec, load
from compiler.tasks.layout import Layout, Slot, SymbolPlace
from compiler.tasks.task import Inputs
from tests.helpers import SPECS, verdicts

NAN = math.nan


@pytest.mark.parametrize(
    ("logits", "decode", "token"),
    [
        ([0.0, 2.0, 1.0], "argmax", 1),
        ([0.0, 2.0, -1.0], "argmin", 2),
        ([1.0, 3.0, 3.0, 3.0], "argmax", 1),
        ([5.0, 5.0, 5.0], "argmax", 0),
        ([5.0, 5.0, 5.0], "argmin", 0),
        ([4.0, 1.0, 4.0, 1.0], "argmin", 1),
        ([-math.inf, -math.inf], "argmax", 0),
        ([0.0, math.inf, math.inf], "argmax", 1),
        ([NAN, 1.0, 2.0], "argmax", NO_TOKEN),
        ([1.0, NAN, 2.0], "argmin", NO_TOKEN),
        ([-0.0, 0.0], "argmax", 0),
        ([0.0, -0.0], "argmin", 0),
    ],
)
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_choose(logits: list[float], decode: Decode, token: int, dtype: torch.dtype) -> None:
    alone = choose(torch.tensor(logits, dtype=dtype), decode)
    assert alone.item() == token
    batch = torch.tensor([[logits, logits]] * 3, dtype=dtype)
    assert choose(batch, decode).tolist() == [[token, token]] * 3


def test_the_lowest_id_wins_ties_in_long_rows() -> None:
    """Vectorized kernels must not return a later one of equal logits."""
    for size in (10, 16, 33, 100):
        for first in range(0, size - 1, 7):
            logits = torch.zeros(4, 35, size, dtype=torch.float64)
            logits[..., first:] = 1.0
            assert (choose(logits, "argmax") == first).all()
            assert (choose(-logits, "argmin") == first).all()


@pytest.mark.parametrize(
    ("logits", "decode", "margin"),
    [
        ([1.0, 4.0, 2.5], "argmax", 1.5),
        ([1.0, 4.0, 2.5], "argmin", 1.5),
        ([7.0, 7.0, 0.0], "argmax", 0.0),
        ([0.0, -3.0, -3.5], "argmin", 0.5),
        ([2.0], "argmax", math.inf),
    ],
)
def test_margins(logits: list[float], decode: Decode, margin: float) -> None:
    assert margins(torch.tensor([logits]), decode).tolist() == [margin]


class Successor(nn.Module):
    """Predicts (last token + 1) mod 3, so that what was fed can be read off what comes next. Four tokens, three
    classes. Keeps every sequence that it was given."""

    def __init__(self, flaw: float = 0.0) -> None:
        super().__init__()
        self.flaw = flaw
        self.seen: list[list[list[int]]] = []

    def forward(self, tokens: Tensor) -> Tensor:
        self.seen.append(tokens.tolist())
        logits = nn.functional.one_hot((tokens + 1) % 3, 3).double()
        logits[tokens == 2] += self.flaw
        return logits


FORCED = 3  # a token that the model cannot emit
A, *S = (Slot(None, (SymbolPlace(word, index, 3),), (0, 1, 2)) for word, index in (("a", 0), ("s", 0), ("s", 1)))
LAYOUT = Layout((Slot(0), A), (S[0], Slot(FORCED), S[1]), 3, {})


def test_greedy_feeds_what_it_chose_and_what_is_forced() -> None:
    model = Successor()
    answers = greedy(model, torch.tensor([[0, 1], [0, 2]]), LAYOUT, "argmax")
    # after 1 comes 2, then the forced token, and after token 3 comes (3 + 1) mod 3 = 1
    assert answers.tolist() == [[2, FORCED, 1], [0, FORCED, 1]]
    assert model.seen == [[[0, 1], [0, 2]], [[0, 1, 2, FORCED], [0, 2, 0, FORCED]]]
    assert LAYOUT.predicted == (0, 2)


def test_greedy_marks_a_row_that_is_no_number_and_goes_on() -> None:
    model = Successor(flaw=NAN)
    answers = greedy(model, torch.tensor([[0, 2], [0, 1]]), LAYOUT, "argmax")
    assert answers.tolist() == [[NO_TOKEN, FORCED, 1], [2, FORCED, 1]]
    assert model.seen[1] == [[0, 2, 0, FORCED], [0, 1, 2, FORCED]]


def force(model: nn.Module, prompts: Tensor, answers: Tensor, decode: Decode, roundoff: float) -> list[list[int]]:
    logits = answer_logits(model, prompts, answers, LAYOUT)
    tokens: list[list[int]] = sure_tokens(logits, answers, LAYOUT, decode, roundoff).tolist()
    return tokens


@pytest.mark.parametrize("answer", [[2, 3, 1], [2, 3, 0], [0, 3, 1], [0, 3, 0]])
def test_teacher_forcing_feeds_the_right_prefix(answer: list[int]) -> None:
    model = Successor()
    assert force(model, torch.tensor([[0, 1]]), torch.tensor([answer]), "argmax", 2.0**-53) == [[2, 1]]
    assert model.seen == [[[0, 1, *answer[:-1]]]]


def test_teacher_forcing_says_no_token_for_nan() -> None:
    """Whatever the right token is: argmax of a NaN row is some id all the same."""
    for token in range(3):
        answers = torch.tensor([[token, FORCED, 1]])
        assert force(Successor(NAN), torch.tensor([[0, 2]]), answers, "argmax", 2.0**-53) == [[NO_TOKEN, 1]]


class Fixed(nn.Module):
    def __init__(self, row: list[float], dtype: torch.dtype) -> None:
        super().__init__()
        self.row = torch.tensor(row, dtype=dtype)

    def forward(self, tokens: Tensor) -> Tensor:
        return self.row.expand(*tokens.shape, -1)


@pytest.mark.parametrize(("dtype", "bits"), [(torch.float64, 53), (torch.float32, 24)])
@pytest.mark.parametrize(("steps", "close"), [(0, True), (1, True), (2, True), (3, False), (100, False)])
def test_a_margin_of_two_units_in_the_last_place_is_close(
    dtype: torch.dtype, bits: int, steps: int, close: bool
) -> None:
    unit = 2.0 ** (1 - bits)  # of numbers from 1 to 2
    answers = torch.tensor([[2, FORCED, 2]])
    rows: dict[Decode, list[float]] = {
        "argmax": [0.0, 1.0, 1.0 + steps * unit],
        "argmin": [0.0, -1.0, -1.0 - steps * unit],
    }
    for decode, row in rows.items():
        found = force(Fixed(row, dtype), torch.tensor([[0, 1]]), answers, decode, 2.0**-bits)
        assert found == [[NO_TOKEN if close else 2] * 2], decode


CLEAR_0, CLEAR_1, TIE_01, TIE_12, BROKEN = [2.0, 1.0, 0.0], [1.0, 2.0, 0.0], [1.0, 1.0, 0.0], [0.0, 1.0, 1.0], [NAN] * 3
NO = NO_TOKEN


@pytest.mark.parametrize(
    ("rows", "said", "said_of_its_own"),
    [
        ([CLEAR_0, CLEAR_1], [0, 1], [0, 1]),
        ([TIE_01, CLEAR_1], [NO, 1], [NO, 1]),
        ([TIE_01, TIE_12], [NO, NO], [NO, NO]),
        ([CLEAR_0, TIE_01], [0, NO], [0, NO]),
        ([CLEAR_1, CLEAR_1], [1, 1], [1, NO]),  # what follows its own wrong token tells nothing
        ([TIE_12, CLEAR_1], [NO, 1], [NO, NO]),
        ([BROKEN, CLEAR_1], [NO, 1], [NO, NO]),
        ([CLEAR_0, BROKEN], [0, NO], [0, NO]),
    ],
)
def test_what_is_close_or_follows_its_own_wrong_token_is_not_sure(
    rows: list[list[float]], said: list[int], said_of_its_own: list[int]
) -> None:
    """The right answer is 0 FORCED 1."""
    logits, answers = torch.tensor([rows]), torch.tensor([[0, FORCED, 1]])
    for own, expected in ((False, said), (True, said_of_its_own)):
        assert sure_tokens(logits, answers, LAYOUT, "argmax", 2.0**-24, own=own).tolist() == [expected]


def sample(spec: Spec, suite: str, pairs: int) -> list[Inputs]:
    return [inputs for part in spec.resolved.task.suites()[suite].parts(pairs, 0) for inputs in part.generate()]


@pytest.mark.parametrize(
    ("name", "overrides", "suite", "pairs", "failing"),
    [
        ("tiny95", {}, "near_carry", 400, range(3, 40)),
        ("tiny95", {"v_scale": 1e3}, "near_carry", 300, range(10, 200)),
        ("tiny95", {"alibi_base": 9}, "uniform", 200, range(180, 201)),
        ("tiny95-exact", {}, "near_carry", 200, range(0, 1)),
        ("qwen20", {}, "near_carry", 300, range(0, 1)),
        ("qwen20", {"w_b": 120}, "near_carry", 200, range(100, 200)),
    ],
)
def test_teacher_forcing_and_greedy_agree_pair_by_pair(
    name: str, overrides: dict[str, object], suite: str, pairs: int, failing: range
) -> None:
    spec = load(SPECS / f"{name}.yaml", overrides)
    inputs = sample(spec, suite, pairs)
    assert len(inputs) == pairs
    teacher = verdicts(Evaluator(spec, engine="plain", batch=pairs), inputs)
    token_by_token = verdicts(Evaluator(spec, decoding="greedy", batch=pairs), inputs)
    assert [pair for pair, a, b in zip(inputs, teacher, token_by_token, strict=True) if a != b] == []
    assert teacher.count(False) in failing


@pytest.mark.parametrize("name", ["tiny95", "qwen20"])
def test_batched_verdicts_are_those_of_one_sequence_at_a_time(name: str) -> None:
    spec = load(SPECS / f"{name}.yaml")
    inputs = sample(spec, "near_carry", 100)
    batched, alone = Evaluator(spec, engine="plain", batch=100), Evaluator(spec, engine="plain")
    assert (batched.in_batches, alone.in_batches) == (True, False)
    assert verdicts(batched, inputs) == verdicts(alone, inputs)


def test_a_failing_pair_is_decoded_greedily() -> None:
    """Teacher forcing would say 07999999940 after the right prefix; greedy says what the model writes by itself."""
    failure = Evaluator(load(SPECS / "tiny95.yaml"), engine="plain").failure((5193798811, 1806201129))
    assert failure is not None
    assert (failure.text, failure.expected, failure.got) == ("5193798811 + 1806201129", "6999999940", "7000000000")
