"""The functions in torch of docs/language-steps.md against the built modules, with random weights."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from textwrap import indent
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import gelu, linear, relu, silu

import compiler
from tests.docs.blocks import blocks
from tests.helpers import ROOT, SMALL_CONTEXT, SMALL_TOKENS, activations, load_text, small

SLOPE = "score a: key_pos - query_pos"
ATTENTIONS = {
    "plain": "",
    "scored": f"heads: a b\nhead_dim: 2\n{SLOPE}\nscale: 0.3\nbiases: query key value output",
    "grouped": "heads: a b c d\nkv_heads: l r\nhead_dim: 2\nvalue_dim: 3\nscale: {divide: 3}\nnorm: layer",
    "rope": "heads: a b\nhead_dim: 4\nrope: {frequency: 0.1 + pair}\nnorm: {rms: 1e-3, weight: 2}",
    "halves": "heads: a b\nhead_dim: 4\nrope: {frequency: 0.1 + pair, pairs: halves}\nmask: none",
    "qk_norm": "heads: a b\nhead_dim: 2\nqk_norm: {layer: 1e-3, query: 1, key: 2}\nmask: -2.5\nrope: {frequency: 1}",
    "plus_one": f"heads: a b\nhead_dim: 2\nqk_norm: {{rms: 1e-3, weight: 1}}\nsoftmax: plus_one\n{SLOPE}",
    "window": f"heads: a b\nhead_dim: 2\nmask: {{window: 3}}\n{SLOPE}",
    "hard": "heads: a b\nhead_dim: 2\nmask: {window: 5}\nsoftmax: hard",
    "earliest": "heads: a b\nhead_dim: 2\nsoftmax: hard\nties: earliest",
    "latest": "heads: a b\nhead_dim: 2\nsoftmax: hard\nties: latest",
    "identity": "heads: a b c\noutput: identity",
    "broadcast": "heads: a\noutput: broadcast",
    "replaced": "heads: a\noutput: broadcast\nresidual: none",
    "normed after": "heads: a b\npost_norm: {layer: 1e-3, weight: 2}",
}
FFNS = {
    "plain": "hidden: h[5]",
    "gated": "hidden: h[5]\ngate h[i]: x\nactivation: silu\nbiases: gate up down\nnorm: rms",
    "wider": "hidden: h[5]\nstream: x y z u v\nactivation: gelu",
    "narrower": "hidden: h[5]\nstream: x y\nup: x\ndown: 1",
    "replaced": "hidden: h[5]\nstream: x y\nresidual: none",
    "normed after": "hidden: h[5]\nstream: x y u\npost_norm: {layer: 1e-3, weight: 2}",
}


@pytest.fixture(scope="module")
def documented() -> dict[str, Any]:
    """Everything that the python blocks of the page define."""
    found: dict[str, Any] = {}
    for block in blocks(ROOT / "docs" / "language-steps.md"):
        if block.kind == "python":
            exec(block.text, found)
    return found


def run(folder: Path, network: str) -> tuple[nn.Module, dict[str, Tensor], Tensor]:
    """A built model with random weights, every value in it, and the tokens it read."""
    model = compiler.build(load_text(folder, small(network))).eval()
    generator = torch.Generator().manual_seed(1)
    for parameter in model.parameters():
        nn.init.normal_(parameter, generator=generator)
    tokens = torch.randint(SMALL_TOKENS, (3, SMALL_CONTEXT), generator=generator)
    return model, activations(model, tokens), tokens


def affine(model: nn.Module, name: str, outputs: int) -> Callable[[Tensor], Tensor]:
    """A map as the page says: `linear`, broadcast to all outputs."""
    state = model.state_dict()
    bias = state.get(f"{name}.bias", torch.zeros(1, dtype=torch.float64))
    return lambda x: (linear(x, state[f"{name}.weight"]) + bias).expand(*x.shape[:-1], outputs)


def after(documented: dict[str, Any], model: nn.Module, kind: str, options: str) -> Callable[[Tensor, Tensor], Tensor]:
    """What becomes of the stream."""
    weight = model.state_dict().get(f"{kind}.post_norm.weight")
    if weight is not None:
        return lambda x, change: documented["normed_after"](x, change, lambda y: documented["layer"](y, 1e-3, weight))
    found: Callable[[Tensor, Tensor], Tensor] = documented["replaced" if "residual: none" in options else "added"]
    return found


def step(kind: str, options: str) -> str:
    """The steps of a network in which this one follows the embedding."""
    return f"embedding: {{}}\n{kind}:\n" + indent(options or "biases: none", "  ")


@pytest.mark.parametrize("options", ATTENTIONS.values(), ids=ATTENTIONS)
def test_attention(tmp_path: Path, documented: dict[str, Any], options: str) -> None:
    model, values, _ = run(tmp_path, step("attention", options))
    state = model.state_dict()
    names = dict(line.split(": ", 1) for line in options.splitlines())
    heads = len(names.get("heads", "head").split())
    head_dim = int(names.get("head_dim", 1))
    value_dim = int(names.get("value_dim", head_dim))
    kv_heads = len(names["kv_heads"].split()) if "kv_heads" in names else heads
    x = values["embedding"]
    norms = {"layer": documented["layer"], "rms": documented["rms"]}

    def norm(name: str, written: str, y: Tensor) -> Tensor:
        kind = "layer" if "layer" in written else "rms"
        eps = 1e-3 if ":" in written else 1e-6
        result: Tensor = norms[kind](y, eps, state.get(f"attention.{name}.weight", 1)) if written else y
        return result

    def scaled(scores: Tensor) -> Tensor:
        written = names.get("scale", str(head_dim**-0.5))
        result: Tensor = (
            documented["divided"](scores, 3)
            if "divide" in written
            else documented["multiplied"](scores, float(written))
        )
        return result

    def rotate(y: Tensor) -> Tensor:
        if "rope" not in names:
            return y
        start = 0.1 if "0.1" in names["rope"] else 1.0
        frequencies = torch.tensor([start + pair * (start < 1) for pair in range(head_dim // 2)], dtype=y.dtype)
        turned: Tensor = documented["rope"](y, frequencies, "halves" if "halves" in names["rope"] else "adjacent")
        return turned

    def masked(scores: Tensor) -> Tensor:
        written = names.get("mask", "causal")
        if "window" in written:
            hidden: Tensor = documented["windowed"](scores, int(written.strip("{}").partition(": ")[2]))
        elif written in ("causal", "none"):
            hidden = documented["causal"](scores) if written == "causal" else scores
        else:
            hidden = documented["finite"](scores, float(written))
        return hidden

    def hard(scores: Tensor) -> Tensor:
        weights: Tensor = documented["hard"](scores, names.get("ties", "share"))
        return weights

    table = torch.zeros(heads, SMALL_CONTEXT, SMALL_CONTEXT, dtype=x.dtype)
    if SLOPE in options:
        positions = torch.arange(SMALL_CONTEXT)
        table[0] = positions[None, :] - positions[:, None]
    outputs = {"query": heads * head_dim, "key": kv_heads * head_dim, "value": kv_heads * value_dim, "output": 3}
    maps = {name: affine(model, f"attention.{name}", size) for name, size in outputs.items() if name not in names}
    by_hand = documented["attention"](
        x,
        norm("norm", names.get("norm", ""), x),
        {"output": lambda mixed: mixed, **maps},
        heads,
        kv_heads,
        scaled,
        rotate,
        table,
        masked,
        {"plus_one": documented["plus_one"], "hard": hard}.get(
            names.get("softmax", ""), lambda scores: scores.softmax(-1)
        ),
        {name: lambda y, name=name: norm(f"{name}_norm", names.get("qk_norm", ""), y) for name in ("query", "key")},
        after(documented, model, "attention", options),
    )
    assert torch.allclose(values["attention"], by_hand, rtol=1e-12, atol=1e-12)
    assert not torch.allclose(by_hand, x)


@pytest.mark.parametrize("options", FFNS.values(), ids=FFNS)
def test_ffn(tmp_path: Path, documented: dict[str, Any], options: str) -> None:
    model, values, _ = run(tmp_path, step("ffn", options))
    x = values["embedding"]
    size = values["ffn"].shape[-1]
    gate = affine(model, "ffn.gate", 5) if "gate" in options else None
    activation = silu if "silu" in options else gelu if "gelu" in options else relu
    branch = documented["rms"](x, 1e-6) if "norm: rms" in options else x
    up, down = affine(model, "ffn.up", 5), affine(model, "ffn.down", size)
    joined = after(documented, model, "ffn", options)
    by_hand = documented["ffn"](x, branch, gate, up, down, activation, size, joined)
    assert torch.allclose(values["ffn"], by_hand, rtol=1e-12, atol=1e-12)


def test_other_steps(tmp_path: Path, documented: dict[str, Any]) -> None:
    network = """
embedding: {}
position: {x: sin(pos), z: 2 * pos}
norm: {layer: 1e-3, weight: 2}
scale: [1, 2, 3]
attention layer0: {value: x}
ffn layer0: {hidden: h}
repeat again: layer0.attention
mix: 2 * layer0.ffn + (again - embedding) / 3
head: {biases: logits}
"""
    model, values, tokens = run(tmp_path, network)
    state = model.state_dict()
    positions = torch.arange(SMALL_CONTEXT, dtype=torch.float64)
    table = torch.stack((positions.sin(), 0 * positions, 2 * positions), dim=-1)
    by_hand = {
        "embedding": documented["embed"](tokens, state["embedding.weight"]),
        "position": documented["position"](values["embedding"], table),
        "norm": documented["layer"](values["position"], 1e-3, state["norm.weight"]),
        "scale": documented["scale"](values["norm"], state["scale.weight"]),
        "mix": documented["mix"](values, state["mix.weight"]),
        "head": documented["head"](values["mix"], state["head.logits.weight"], state["head.logits.bias"]),
    }
    for name, value in by_hand.items():
        assert torch.allclose(values[name], value, rtol=1e-12, atol=1e-12), name


def test_an_embedding_of_low_rank(tmp_path: Path, documented: dict[str, Any]) -> None:
    product = "[[1, 0], [1, 1], [1, 2], [1, 3], [1, 4], [0, 1]] @ [[5, 6], [7, 8]] @ [[1, 2, 3], [4, 5, 6]]"
    model, values, tokens = run(tmp_path, f"embedding: '{product}'\n")
    by_hand = documented["embed"](tokens, *model.state_dict().values())
    assert torch.allclose(values["embedding"], by_hand, rtol=1e-12, atol=1e-12)
