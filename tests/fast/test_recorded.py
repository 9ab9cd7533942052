"""What is recorded of a computation on tensors gives what it gives, for inputs of other numbers and sizes."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from compiler import load
from compiler.backends.bounds.margins import BINS, sufficient_leads, with_known_errors
from compiler.backends.bounds.tensors import said
from compiler.backends.native.fast_engine import programs
from compiler.backends.native.recorded import recorded
from tests.fast.containment import any_tokens

SPECS = Path(__file__).parents[2] / "specs"
SMALLER = {"digits": 3}


def _branches(x: Tensor) -> Tensor:
    below = x < 0.5
    return torch.where(below, -x, x).sum(1) + torch.where(~below, x, torch.tensor(2.0)).amax(1)


FUNCTIONS: list[tuple[str, Callable[[Tensor], Tensor], int]] = [  # and how many calls are left of each
    ("operators", lambda x: (2.0 * x - 1.0 / (x + 1.0)) ** 2, 5),
    ("twice the same", lambda x: torch.exp(x + 1.0) * torch.exp(x + 1.0), 3),
    ("not the same", lambda x: (x * 0.0).copysign(torch.tensor(-1.0)) + x * -0.0 + (x + True) + (x + 1.0), 8),
    ("equal constants", lambda x: (x + torch.tensor([1.0, 2.0, 3.0])) * (x + torch.tensor([1.0, 2.0, 3.0])), 2),
    ("other constants", lambda x: (x + torch.tensor([1.0, 2.0, 3.0])) * (x + torch.tensor([1.0, 2.0, 4.0])), 3),
    ("constants alone", lambda x: x + torch.exp(torch.arange(3.0)).sum(), 1),
    ("not read", lambda x: [x.exp(), x + 1.0][1], 1),
    ("lists and slices", lambda x: x[:, [2, 0]].T[1:] + torch.stack([x[:, 1], x[:, 2]])[:1], 8),
    ("by name", lambda x: torch.add(x, other=torch.mul(input=x, other=3.0), alpha=2), 2),
    ("branches", _branches, 8),
]


class _Counting(TorchFunctionMode):
    calls = 0

    def __torch_function__(self, func: Any, types: Iterable[type], args: Any = (), kwargs: Any = None) -> Any:
        self.calls += 1
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize(("function", "calls"), [row[1:] for row in FUNCTIONS], ids=[row[0] for row in FUNCTIONS])
def test_repeated_as_computed(function: Callable[[Tensor], Tensor], calls: int) -> None:
    repeat = recorded(function, torch.zeros(2, 3))
    for size in (1, 2, 7):
        given = torch.rand(size, 3, generator=torch.Generator().manual_seed(size))
        expected = function(given)
        with _Counting() as counting:
            found = repeat(given)
        assert torch.equal(found, expected)
        assert counting.calls == calls


def test_what_reads_no_input_is_computed() -> None:
    assert recorded(lambda x: torch.ones(len(x)), torch.zeros(2, 3))(torch.zeros(5, 3)).tolist() == [1.0] * 5


MODELS = ("tiny95", "qwen20", "cosminscn_66p", pytest.param("Lokimorty_39p", marks=pytest.mark.long), "reverse")


@pytest.mark.parametrize("name", MODELS)
def test_programs_say_the_same(name: str) -> None:
    spec = load(next(SPECS.rglob(f"{name}.yaml")), SMALLER if name != "reverse" else {})
    (program,) = programs(spec)
    prompts, answers = any_tokens(spec, 40, 1)
    tokens = torch.cat((torch.from_numpy(prompts), torch.from_numpy(answers)), 1)[:, : program.length]
    known = with_known_errors(program)
    for made, margins in ((program, None), (program, sufficient_leads(program, BINS[-1])), (known, None)):
        if made is not None:
            repeat = recorded(lambda x, made=made, margins=margins: said(made, x, margins), tokens[:2] * 0)  # type: ignore[misc]
            for some in (tokens, tokens[:1]):
                assert torch.equal(repeat(some), said(made, some, margins))
