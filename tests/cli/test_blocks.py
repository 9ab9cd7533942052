"""What `show` says of a `post_norm`, of a step without a residual, and of norms with a bias."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

import cli
from tests.helpers import STEPS

SHOWN = {
    "post-norm": ("attention: rms norm (eps 1e-06), heads head", "then layer norm (eps 0.25) of the stream"),
    "residual-none": ("narrow.ffn: relu, hidden u v, in place of the stream",),
    "post-norm-defaults": ("first.ffn: relu, hidden u, in place of the stream, then layer norm (eps 1e-05)",),
}
FORMULAS = {
    "post-norm": (
        r"\mathbf{x}_{i} &\leftarrow \mathbf{x}_{i} + \mathrm{output}(\mathbf{z}_{i}) \\",
        r"\odot \mathrm{post\_norm}_{\mathrm{weight}} + \mathrm{post\_norm}_{\mathrm{bias}} \\",
        r"\mathbf{x} &\leftarrow \mathrm{pad}(\mathbf{x}) + \mathrm{down}(",
        r"\mathbf{x} &\leftarrow \mathbf{n}",
    ),
    "residual-none": (
        r"\mathbf{x}_{i} &\leftarrow \mathbf{z}_{i} \, \mathbf{1} \\",
        r"\mathbf{x} &\leftarrow \mathrm{down}(\mathrm{relu}(\mathrm{gate}(\mathbf{n})) \odot \mathrm{up}(\mathbf{n}))",
    ),
    "norm-bias": (r"\odot \mathrm{norm}_{\mathrm{weight}} + \mathrm{norm}_{\mathrm{bias}} \\",),
    "qk-norm-bias": (r"$\mathrm{qk\_norm}$'s bias.",),
    "gated-gelu_tanh": (r"\mathrm{gelu\_tanh}(\mathrm{gate}(\mathbf{x}))",),
}


def shown(name: str, *options: str) -> str:
    result = CliRunner().invoke(cli.main, ["show", str(STEPS / f"{name}.yaml"), *options])
    assert result.exit_code == 0, result.stderr
    return " ".join(result.stdout.split())


@pytest.mark.parametrize("name", SHOWN)
def test_in_words(name: str) -> None:
    text = shown(name)
    assert [part for part in SHOWN[name] if part not in text] == []


@pytest.mark.parametrize("name", FORMULAS)
def test_in_formulas(name: str) -> None:
    text = shown(name, "--latex")
    assert [part for part in FORMULAS[name] if part not in text] == []
    if name == "residual-none":
        assert "pad" not in text
        assert r"\mathbf{x}_{i} + " not in text
