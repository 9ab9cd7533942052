"""A verdict does not depend on what a program has set in torch, and the settings are as before afterwards."""

from __future__ import annotations

import ctypes
import platform
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import compiler
import compiler.backends.torch.reference
import compiler.backends.torch.settings
from compiler.backends.torch.model import build_model
from compiler.evaluation.evaluation import answer
from compiler.pipeline import Spec
from tests.helpers import ROOT, load_text, same_bits

SUBNORMAL = """\
weightspec: 1
name: subnormal
dtype: float32
vocabulary: symbol[2] =
task: {copy: {symbols: 2, length: 1}, prompt: word =, answer: copied}
stream: here x
network:
  embedding:
    symbol[s]: {x: "where(s == 1, 1e-40, 0)"}
    =: {here: 1}
  attention:
    heads: look
    value look: x
    score look: where(key_pos == 0, 0, -inf)
    output x: look
  head:
    classes: symbols
    logits symbol[s]: s * x
decode: argmax
ignore: no-claims silent-symbol
"""  # 1 is said where 1e-40 is more than 0
OFF = ("ieee", "none")
backends: Any = torch.backends
mkldnn: Any = torch.backends.mkldnn


def state() -> dict[str, object]:
    """All that may change numbers, as far as this torch has it."""
    reads: dict[str, Callable[[], Any]] = {
        "dtype": torch.get_default_dtype,
        "device": lambda: str(torch.empty(0).device),
        "autocast": lambda: torch.is_autocast_enabled("cpu"),
        "deterministic": torch.get_deterministic_debug_mode,
        "legacy precision": torch.get_float32_matmul_precision,
        "precision": lambda: backends.fp32_precision,
        "mkldnn precision": lambda: mkldnn.fp32_precision,
        "matmul precision": lambda: mkldnn.matmul.fp32_precision,
        "mkldnn": lambda: mkldnn.enabled,
        "mkldnn deterministic": lambda: mkldnn.deterministic,
        "subnormal": lambda: (torch.full((1,), 2.0**-1022, dtype=torch.float64, device="cpu") / 2).item() > 0,
    }
    found: dict[str, object] = {}
    for name, read in reads.items():
        try:
            found[name] = read()
        except (AttributeError, RuntimeError):
            found[name] = None
    return found


SPOILED = """
import torch
import compiler
from tests.unit.test_torch_settings import state
print(state())
torch.set_num_threads(4)
torch.set_flush_denormal(True)
large = torch.full((1 << 20,), 2.0**-1022, dtype=torch.float64)
large / 2  # starts the threads, which keep this for ever
torch.set_flush_denormal(False)
lost = (large / 2 == 0).any().item()
found = compiler.evaluate(compiler.load("specs/tiny95.yaml"), ["carries"], pairs=10)
print(found.right, lost, found.threads, torch.get_num_threads())
"""


@pytest.fixture(scope="module")
def of_a_process() -> list[str]:
    """The state of a process that has set nothing, and what becomes of threads that lose subnormal numbers."""
    done = subprocess.run([sys.executable, "-c", SPOILED], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@pytest.fixture(scope="module")
def untouched(of_a_process: list[str]) -> dict[str, object]:
    found: dict[str, object] = eval(of_a_process[0], {"torch": torch})
    return found


@contextmanager
def written(write: Callable[[Any], object], value: object, before: object) -> Iterator[None]:
    write(value)
    try:
        yield
    finally:
        write(before)


def attribute(path: str, name: str, value: object, before: object) -> AbstractContextManager[None] | None:
    """The attribute of a part of `torch.backends`; None where this torch has none."""
    owner = backends
    for part in filter(None, path.split(".")):
        owner = getattr(owner, part, None)
    if not hasattr(owner, name):
        return None
    return written(lambda new: setattr(owner, name, new), value, before)


def mkldnn_flags() -> AbstractContextManager[None] | None:
    """A precision of mkldnn that is not that of all backends."""
    if not hasattr(mkldnn, "fp32_precision"):
        return None
    return written(lambda new: mkldnn.set_flags(_fp32_precision=new), "bf16", "none")


OTHERWISE: dict[str, Callable[[], AbstractContextManager[Any] | None]] = {
    "matmul precision medium": lambda: written(torch.set_float32_matmul_precision, "medium", "highest"),
    "matmul precision high": lambda: written(torch.set_float32_matmul_precision, "high", "highest"),
    "precision of all backends": lambda: attribute("", "fp32_precision", "bf16", "none"),
    "precision of all backends tf32": lambda: attribute("", "fp32_precision", "tf32", "none"),
    "precision of mkldnn": mkldnn_flags,
    "precision of products": lambda: attribute("mkldnn.matmul", "fp32_precision", "bf16", "none"),
    "mkldnn off": lambda: attribute("mkldnn", "enabled", False, True),
    "mkldnn deterministic": lambda: attribute("mkldnn", "deterministic", True, False),
    "subnormal numbers": lambda: written(torch.set_flush_denormal, True, False),
    "default dtype bfloat16": lambda: written(torch.set_default_dtype, torch.bfloat16, torch.float32),
    "default dtype float64": lambda: written(torch.set_default_dtype, torch.float64, torch.float32),
    "default device": lambda: written(torch.set_default_device, "meta", None),
    "device": lambda: torch.device("meta"),
    "autocast": lambda: torch.autocast("cpu", dtype=torch.bfloat16),
    "deterministic algorithms": lambda: written(torch.use_deterministic_algorithms, True, False),
    "inference mode": torch.inference_mode,
    "no gradients": torch.no_grad,
    "numpy raises": lambda: np.errstate(all="raise"),
}


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, object]]:
    """The state in each pass of the module that a verdict is made with."""
    found: list[dict[str, object]] = []

    def watched(network: compiler.Network) -> nn.Module:
        model = build_model(network)
        model.register_forward_pre_hook(lambda *_: found.append(state()))
        return model

    monkeypatch.setattr(compiler.backends.torch.reference, "build_model", watched)
    return found


def verdicts(spec: Spec) -> tuple[object, ...]:
    evaluations = (compiler.evaluate(spec, ["exhaustive"], engine=engine) for engine in ("fast", "plain"))
    return (
        *(found.right for found in evaluations),
        *(answer(spec, (symbol,)).right for symbol in (0, 1)),
        compiler.verify(spec).failing,
    )


@pytest.mark.parametrize("name", OTHERWISE)
def test_a_verdict_is_the_same_with_any_setting(
    name: str, tmp_path: Path, seen: list[dict[str, object]], untouched: dict[str, object]
) -> None:
    spec = load_text(tmp_path, SUBNORMAL)
    expected = verdicts(spec)
    assert expected[:4] == (2, 2, True, True)
    otherwise = OTHERWISE[name]()
    if otherwise is None:
        pytest.skip("this torch has no such setting")
    seen.clear()
    with otherwise:
        before = state()
        found = verdicts(spec)
        assert state() == before
    assert found == expected
    assert len(seen) > 4
    for one in seen:
        differing = {key: value for key, value in one.items() if value != untouched[key] and key != "legacy precision"}
        assert set(differing) <= {key for key in one if key.endswith("precision")}
        assert all(value in OFF for value in differing.values()), differing


@pytest.mark.parametrize("name", ["default device", "device", "default dtype bfloat16", "autocast"])
def test_a_model_is_built_and_saved_as_ever(name: str, tmp_path: Path) -> None:
    spec = load_text(tmp_path, SUBNORMAL)
    expected, path = compiler.build(spec).state_dict(), tmp_path / "made.safetensors"
    otherwise = OTHERWISE[name]()
    assert otherwise is not None
    with otherwise:
        model = compiler.build(spec)
        compiler.save_model(spec, model, path)
        models = model, compiler.load_model(path)
        shown = compiler.trace(spec, [0, 2])[-1].value
    for made in models:
        assert all(same_bits(tensor, expected[key]) for key, tensor in made.state_dict().items())
    assert same_bits(shown, compiler.trace(spec, [0, 2])[-1].value)


def test_what_cannot_be_set_right_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Such as oneDNN being told by the environment to multiply in bfloat16."""
    spec = load_text(tmp_path, SUBNORMAL)
    monkeypatch.setattr(torch.Tensor, "__matmul__", lambda a, b: (a.bfloat16() * b.bfloat16()).sum(-1).diag().float())
    for verdict in (lambda: compiler.evaluate(spec), lambda: answer(spec, (0,)), lambda: compiler.verify(spec)):
        with pytest.raises(compiler.SpecError) as raised:
            verdict()
        assert [found.code for found in raised.value.diagnostics] == ["torch-settings"]


@pytest.mark.skipif((sys.platform, platform.machine()) != ("linux", "x86_64"), reason="the numbers of the modes")
@pytest.mark.parametrize("mode", [0x400, 0x800, 0xC00], ids=["down", "up", "to zero"])
def test_another_direction_of_rounding_is_refused(mode: int, tmp_path: Path) -> None:
    spec, math = load_text(tmp_path, SUBNORMAL), ctypes.CDLL("libm.so.6")
    math.fesetround(mode)
    try:
        with pytest.raises(compiler.SpecError, match="does not round to nearest"):
            compiler.verify(spec)
    finally:
        math.fesetround(0)


def test_threads_that_lose_subnormal_numbers_are_not_used(of_a_process: list[str]) -> None:
    right, lost, used, left = of_a_process[1].split()
    assert (right, used, left) == ("10", "1" if lost == "True" else "4", "4")
