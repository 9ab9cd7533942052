"""What several tests share: paths, cards, small specs as text, and the values inside a running module."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from textwrap import indent
from typing import Any, NoReturn

import pytest
import torch
from _pytest.mark.structures import ParameterSet
from torch import Tensor, nn

from compiler.backends.torch.linear import torch_dtype
from compiler.evaluation.evaluator import Evaluator
from compiler.expressions.floats import FORMATS
from compiler.pipeline import Spec, load
from compiler.tasks.task import Inputs

ROOT = Path(__file__).parent.parent
SPECS = ROOT / "specs"
DATA = Path(__file__).parent / "data"
HANGS = 120
STEPS = DATA / "specs"  # a small spec for each kind of step and each option

DTYPES = {name: torch_dtype(dtype) for name, dtype in FORMATS.items()}

# One model of each make; those that are much alike are looked at where there is more time.
DIFFERENT = """
    tiny95 qwen20 reverse xangma_177p Lokimorty_39p zcbtrak_6p cosminscn_66p SeuperHakkerJa_93p
""".split()  # noqa: SIM905

SMALL = """\
weightspec: 1
name: small
dtype: {dtype}
{definitions}
vocabulary: digit[4] = +
task:
  addition: {{base: 4, digits: 2}}
  prompt: a + b =
  answer: sum
stream: {stream}
network:
{network}
decode: argmax
"""
SMALL_CONTEXT = 9  # two digits, +, two digits, =, three digits of the sum
SMALL_TOKENS = 6  # digits 0 to 3, =, +


def each(paths: Iterable[Path]) -> list[ParameterSet]:
    """Specs as parameters of a test: all of them in the long run, those of `specs/` that are `DIFFERENT` in any."""
    shipped = set(SPECS.rglob("*.yaml"))
    return [
        pytest.param(path, id=path.stem, marks=[pytest.mark.long] * (path in shipped and path.stem not in DIFFERENT))
        for path in paths
    ]


def card(name: str) -> dict[str, Any]:
    """A file of `tests/data`: the part of a published model's card that the tests need."""
    found: dict[str, Any] = json.loads((DATA / f"{name}_card.json").read_text(encoding="utf-8"))
    return found


def small(network: str, *, stream: str = "x y z", definitions: str = "", dtype: str = "float64") -> str:
    """The text of a small spec around the steps `network`."""
    steps = indent(network.strip("\n"), "  ")
    return SMALL.format(network=steps, stream=stream, definitions=definitions.strip("\n"), dtype=dtype)


@cache
def loaded(path: Path) -> Spec:
    """A spec of this repository as it is, for all tests of a process that only look at it."""
    return load(path)


def load_text(folder: Path, text: str, overrides: Mapping[str, object] | None = None, name: str = "small") -> Spec:
    """The spec of a text, which is written to a file first."""
    path = folder / f"{name}.yaml"
    path.write_text(text, encoding="utf-8")
    return load(path, overrides or {})


@contextmanager
def bounded() -> Iterator[None]:
    """Fail where something does not end: this is many times the processor time of the slowest test that uses it."""

    def hangs(*_: object) -> NoReturn:
        raise AssertionError(f"it has not ended after {HANGS} seconds of a processor")

    before = signal.signal(signal.SIGPROF, hangs)
    signal.setitimer(signal.ITIMER_PROF, HANGS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def verdicts(evaluator: Evaluator, inputs: Sequence[Inputs]) -> list[bool]:
    """Whether each input is answered right."""
    layout, words = evaluator.subject.layout, evaluator.subject.resolved.task.encode(inputs)
    right: list[bool] = evaluator.verdicts(layout.prompts(words), layout.answers(words)).right.tolist()
    return right


def same_bits(first: Tensor, second: Tensor) -> bool:
    """Whether two tensors agree in shape, dtype and every bit, the signs of zeros included."""
    return (
        first.shape == second.shape
        and first.dtype == second.dtype
        and torch.equal(first, second)
        and torch.equal(first.signbit(), second.signbit())
    )


def activations(model: nn.Module, tokens: Tensor) -> dict[str, Tensor]:
    """What each named submodule returned in one forward pass; the whole model is ''."""
    found: dict[str, Tensor] = {}

    def keep(name: str, module: nn.Module) -> Any:
        def hook(_module: nn.Module, _inputs: tuple[Tensor, ...], output: Tensor) -> None:
            found[name] = output.detach()

        return module.register_forward_hook(hook)

    handles = [keep(name, module) for name, module in model.named_modules()]
    try:
        with torch.inference_mode():
            model(tokens)
    finally:
        for handle in handles:
            handle.remove()
    return found
