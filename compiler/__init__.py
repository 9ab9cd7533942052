"""A compiler for weight specs: transformers whose every weight is an equation in one YAML file.

    from compiler import load, build, count, evaluate
    spec = load("specs/tiny95.yaml", overrides={"digits": 6})
    model = build(spec)          # an ordinary torch.nn.Module
    evaluate(spec)               # k of n, suite by suite
    generate(spec, "<bos> 1 +")  # what the model says next, token by token
    ablate(spec)                 # what the answers become without each head, hidden unit, dimension
    verify(spec)                 # proved, refuted or open, over all inputs
    threshold(spec, "v_scale", (1e4, 1e8))  # at which value the verdict turns
    show(spec, "12 34")          # the page of `report`, in a notebook, with this input step by step
    save_model(spec, model, "tiny95.safetensors")

`import compiler` imports no torch. Naming `ablate`, `evaluate`, `generate`, `sweep`, `threshold`, `verify`, `trace`,
`show`, `save_model`, `load_model`, `load_foreign` or `load_state_dict` does; so does calling `build`, or `diff` with
something other than two specs in YAML.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from compiler.network.ir import Network
from compiler.pipeline import Spec, StatedTask, load, load_task, lower
from compiler.readers.counting.counts import Counts, count
from compiler.readers.diffing.differences import Difference
from compiler.readers.diffing.diffing import diff
from compiler.readers.linting import lint
from compiler.source.diagnostics import Diagnostic, SpecError
from compiler.source.state_dicts import StateDict

if TYPE_CHECKING:
    from torch import nn

    from compiler.backends.torch.foreign import ForeignModel, load_foreign
    from compiler.backends.torch.saving import load_model, save_model
    from compiler.backends.torch.state_dicts import load_state_dict
    from compiler.backends.torch.tracing import trace
    from compiler.evaluation.ablation import ablate
    from compiler.evaluation.evaluation import evaluate
    from compiler.evaluation.generation import generate
    from compiler.page.notebook import show
    from compiler.sweeps.row_files import read_rows
    from compiler.sweeps.sweeping import sweep
    from compiler.sweeps.tables import to_pandas
    from compiler.sweeps.threshold import threshold
    from compiler.verifier.verify import verify

__all__ = [
    "Counts",
    "Diagnostic",
    "Difference",
    "ForeignModel",
    "Network",
    "Spec",
    "SpecError",
    "StateDict",
    "StatedTask",
    "ablate",
    "build",
    "count",
    "diff",
    "evaluate",
    "generate",
    "lint",
    "load",
    "load_foreign",
    "load_model",
    "load_state_dict",
    "load_task",
    "lower",
    "read_rows",
    "save_model",
    "show",
    "sweep",
    "threshold",
    "to_pandas",
    "trace",
    "verify",
]

_WITH_TORCH = {  # where the names lie that are imported when they are first asked for, as above for type checkers
    "ForeignModel": "compiler.backends.torch.foreign",
    "ablate": "compiler.evaluation.ablation",
    "evaluate": "compiler.evaluation.evaluation",
    "generate": "compiler.evaluation.generation",
    "load_foreign": "compiler.backends.torch.foreign",
    "load_model": "compiler.backends.torch.saving",
    "load_state_dict": "compiler.backends.torch.state_dicts",
    "read_rows": "compiler.sweeps.row_files",
    "save_model": "compiler.backends.torch.saving",
    "show": "compiler.page.notebook",
    "threshold": "compiler.sweeps.threshold",
    "sweep": "compiler.sweeps.sweeping",
    "to_pandas": "compiler.sweeps.tables",
    "trace": "compiler.backends.torch.tracing",
    "verify": "compiler.verifier.verify",
}


def __getattr__(name: str) -> object:
    if name not in _WITH_TORCH:
        raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
    return getattr(import_module(_WITH_TORCH[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


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
