"""A compiler for weight specs: transformers whose every weight is an equation in one YAML file.

    from compiler import load, build, count, evaluate
    spec = load("specs/tiny95.yaml", overrides={"digits": 6})
    model = build(spec)          # an ordinary torch.nn.Module
    evaluate(spec)               # k of n, suite by suite

Nothing here imports torch before `build` or `evaluate` is called.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from compiler.counting import Counts, count
from compiler.diagnostics import Diagnostic, SpecError
from compiler.diffing import Difference, diff
from compiler.ir import Network
from compiler.pipeline import Spec, load, lower

if TYPE_CHECKING:
    from torch import nn

    from compiler.evaluation import Evaluation, Progress
    from compiler.judge import Decoding

__all__ = [
    "Counts",
    "Diagnostic",
    "Difference",
    "Network",
    "Spec",
    "SpecError",
    "build",
    "count",
    "diff",
    "evaluate",
    "load",
    "lower",
]


def build(spec: Spec) -> nn.Module:
    """The torch module of a spec: `forward(tokens [batch, time]) -> logits [batch, time, classes]`, on the CPU."""
    from compiler.torch_backend.model import build_model

    return build_model(spec.network)


def evaluate(
    spec: Spec,
    suites: Sequence[str] | None = None,
    *,
    pairs: int | None = None,
    seed: int = 0,
    decoding: Decoding = "teacher",
    device: str = "cpu",
    progress: Progress | None = None,
) -> Evaluation:
    """Run suites of inputs through the built model: see `compiler.evaluation`. Raises `SpecError`."""
    from compiler.evaluation import evaluate as run

    return run(spec, suites, pairs=pairs, seed=seed, decoding=decoding, device=device, progress=progress)
