"""A compiler for weight specs: transformers whose every weight is an equation in one YAML file.

    from compiler import load, build, count, evaluate
    spec = load("specs/tiny95.yaml", overrides={"digits": 6})
    model = build(spec)          # an ordinary torch.nn.Module
    evaluate(spec)               # k of n, suite by suite
    verify(spec)                 # proved, refuted or open, over all inputs
    save_model(spec, model, "tiny95.safetensors")

Nothing here imports torch before `build`, `evaluate`, `verify`, `trace`, `save_model`, `load_model` or
`load_state_dict` is called, or `diff` with something other than two specs in YAML.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from compiler.network.ir import Network
from compiler.pipeline import Spec, load, lower
from compiler.readers.counting.counts import Counts, count
from compiler.readers.diffing.differences import Difference
from compiler.readers.diffing.diffing import diff
from compiler.readers.linting import lint
from compiler.source.diagnostics import Diagnostic, SpecError, fail
from compiler.source.state_dicts import StateDict

if TYPE_CHECKING:
    from torch import Tensor, nn

    from compiler.backends.native.engines import Decoding, EngineName
    from compiler.backends.torch.tracing import Activation
    from compiler.evaluation.evaluation import Evaluation, Progress
    from compiler.verifier.results import Verification

__all__ = [
    "Counts",
    "Diagnostic",
    "Difference",
    "Network",
    "Spec",
    "SpecError",
    "StateDict",
    "build",
    "count",
    "diff",
    "evaluate",
    "lint",
    "load",
    "load_model",
    "load_state_dict",
    "lower",
    "save_model",
    "trace",
    "verify",
]


def build(spec: Spec) -> nn.Module:
    """The torch module of a spec: `forward(tokens [batch, time]) -> logits [batch, time, classes]`, on the CPU.

    Raises `SpecError` where the spec was read from a saved model whose weights are not what the spec inside says.
    """
    from compiler.backends.torch.model import build_model
    from compiler.backends.torch.saving import check_weights
    from compiler.backends.torch.settings import as_assumed

    check_weights(spec)
    with as_assumed():
        return build_model(spec.network)


def save_model(spec: Spec, model: nn.Module, path: str | Path) -> None:
    """Write a built model, with its spec, to a `.safetensors` file, whole or not at all. Raises `SpecError`."""
    from compiler.backends.torch.saving import save_model as save

    save(spec, model, path)


def load_model(path: str | Path) -> nn.Module:
    """The model in a file that `save_model` wrote; every bit is checked against the spec inside. Raises `SpecError`."""
    from compiler.backends.torch.saving import load_model as load_

    return load_(path)


def load_state_dict(path: str | Path) -> StateDict:
    """The tensors of a `.safetensors` file, or of one that `torch.save` wrote, to be compared. Raises `SpecError`."""
    from compiler.backends.torch.state_dicts import load_state_dict as load_

    return load_(path)


def trace(spec: Spec, tokens: Tensor | Sequence[int], model: nn.Module | None = None) -> tuple[Activation, ...]:
    """Every intermediate value of a forward pass on token ids [batch, time] or [time], with named dimensions.

    Raises `SpecError`, and `ValueError` for a sequence that is longer than the model's context.
    """
    from compiler.backends.torch.tracing import trace as run

    return run(spec, tokens, model)


def evaluate(
    spec: Spec,
    suites: Sequence[str] | None = None,
    *,
    protocol: str | None = None,
    pairs: int | None = None,
    seed: int | None = None,
    decoding: Decoding = "teacher",
    failures: int | None = 5,
    engine: EngineName = "fast",
    device: str = "cpu",
    batch: int | None = None,
    restart: bool = False,
    progress: Progress | None = None,
    notice: Callable[[str], None] | None = None,
) -> Evaluation:
    """Run suites of inputs through the built model: see `compiler.evaluation.evaluation`. Raises `SpecError`."""
    from compiler.evaluation.evaluation import evaluate as run

    return run(
        spec,
        suites,
        protocol=protocol,
        pairs=pairs,
        seed=seed,
        decoding=decoding,
        failures=failures,
        engine=engine,
        device=device,
        batch=batch,
        restart=restart,
        progress=progress,
        notice=notice,
    )


def verify(spec: Spec, *, budget: float = 60.0, progress: Progress | None = None) -> Verification:
    """Decide a spec on all inputs of its task: see `compiler.verifier.verify`.

    After `budget` seconds (infinity: no limit), or on Ctrl-C, it ends with what is known by then. `progress(what, done,
    total)` is called now and then. Raises `SpecError`, also where there are too many inputs, and no other way to follow
    them.
    """
    if not budget > 0:  # which NaN is not either
        raise fail("bad-value", f"the budget is a number of seconds above 0, not {budget}")
    from compiler.backends.torch.saving import check_weights

    check_weights(spec)
    from compiler.verifier.verify import verify as run

    return run(spec, budget=budget, progress=progress)
