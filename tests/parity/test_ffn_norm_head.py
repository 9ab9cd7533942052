"""`ffn`, pre-norms and `head`: gates, activations, streams widened and cut, ties and broadcasts."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

import compiler
from compiler.network.ir import ACTIVATIONS
from tests.helpers import DATA, activations, load_text, same_bits, small
from tests.parity.reference import (
    TOLERANCE,
    State,
    Values,
    activate,
    affine,
    assert_close,
    attend,
    check,
    embed,
    norm,
    resized,
)

DTYPES = ("float64", "float32")
EMBEDDING = """
embedding:
  digit[d]: {x: d - 1.5, y: 0.5 * d ** 2 - 1, z: 1 / (d + 1)}
  =: {x: 0.7, z: -0.3}
  +: {y: -0.9}
"""
TABLE = [[d - 1.5, 0.5 * d**2 - 1, 1 / (d + 1)] for d in range(4)] + [[0.7, 0, -0.3], [0, -0.9, 0]]
NORMS = {
    "none": None,
    "rms": (1e-6, None, False),
    "layer": (1e-6, None, True),
    "{rms: 0.25}": (0.25, None, False),
    '{rms: 1e-5, weight: "[0.5, 2 / 3, -3]"}': (1e-5, [0.5, 2 / 3, -3], False),
    "{layer: 1e-3, weight: [1, 0, 4]}": (1e-3, [1, 0, 4], True),
    "{layer: 0.1, weight: 1 / 3}": (0.1, [1 / 3] * 3, True),
}


def normed(x: Tensor, step: str, which: str, state: State, values: Values) -> Tensor:
    """The branch of a step, x itself where it has no norm."""
    chosen = NORMS[which]
    if chosen is None:
        return x
    epsilon, _, layer = chosen
    values[f"{step}.norm"] = norm(x, epsilon, state.get(f"{step}.norm.weight"), layer=layer)
    return values[f"{step}.norm"]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("gated", [True, False], ids=["gated", "plain"])
@pytest.mark.parametrize(
    ("which", "activation"), [*((which, "silu") for which in NORMS), *(("none", kind) for kind in ACTIVATIONS)]
)
def test_ffn(tmp_path: Path, which: str, gated: bool, activation: str, dtype: str) -> None:
    gate = "gate u[i]: (i + 1) * y - 0.5\n  gate v: z\n" if gated else ""
    step = f"""
ffn:
  hidden: u[2] v
  norm: {which}
  activation: {activation}
  {gate}
  up u[i]: x - i * z
  up v: 2 * y + 1
  down x: u[0] - u[1]
  down z: v / 3
  biases: down
"""
    weight = (NORMS[which] or (0, None, False))[1]
    state: dict[str, object] = {"embedding.weight": TABLE}
    if weight is not None:
        state["ffn.norm.weight"] = weight
    if gated:
        state["ffn.gate.weight"] = [[0, 1, 0], [0, 2, 0], [0, 0, 1]]
        state["ffn.gate.bias"] = [-0.5, -0.5, 0]
    state["ffn.up.weight"] = [[1, 0, 0.0], [1, 0, -1], [0, 2, 0]]
    state["ffn.up.bias"] = [0, 0, 1]
    state["ffn.down.weight"] = [[1, -1, 0], [0, 0, 0], [0, 0, 1 / 3]]
    state["ffn.down.bias"] = [0, 0, 0]

    def reference(state: State, tokens: Tensor) -> Values:
        x = embed(state["embedding.weight"], tokens)
        values = {"embedding": x}
        branch = normed(x, "ffn", which, state, values)
        up = values["ffn.up"] = affine(branch, state["ffn.up.weight"], state["ffn.up.bias"])
        hidden = activate(up, activation)
        if gated:
            values["ffn.gate"] = affine(branch, state["ffn.gate.weight"], state["ffn.gate.bias"])
            hidden = activate(values["ffn.gate"], activation) * up
        values["ffn.down"] = affine(hidden, state["ffn.down.weight"], state["ffn.down.bias"])
        return {**values, "ffn": x + values["ffn.down"]}

    check(tmp_path, small(EMBEDDING + step), state, reference, dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("after", ["x y z more[2]", "x y", "z more[2] y x"], ids=["widened", "cut", "renamed"])
def test_the_stream_is_padded_or_cut_by_position(tmp_path: Path, after: str, dtype: str) -> None:
    """What changes is the length: a dimension that is written elsewhere does not move its content."""
    step = f"ffn:\n  hidden: u\n  up u: x + 2\n  down x: 3 * u\n  down y: -u\n  stream: {after}\n"
    labels = after.replace("more[2]", "more more").split()
    down = [[{"x": 3.0, "y": -1.0}.get(label, 0.0)] for label in labels]
    state = {
        "embedding.weight": TABLE,
        "ffn.up.weight": [[1, 0, 0]],
        "ffn.up.bias": [2],
        "ffn.down.weight": down,
    }

    def reference(state: State, tokens: Tensor) -> Values:
        x = embed(state["embedding.weight"], tokens)
        up = affine(x, state["ffn.up.weight"], state["ffn.up.bias"])
        change = affine(activate(up, "relu"), state["ffn.down.weight"])
        return {"embedding": x, "ffn.up": up, "ffn.down": change, "ffn": resized(x, len(labels)) + change}

    check(tmp_path, small(EMBEDDING + step), state, reference, dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("which", NORMS)
@pytest.mark.parametrize("classes", [6, 4, 3])
def test_head_by_equations(tmp_path: Path, classes: int, which: str, dtype: str) -> None:
    step = f"""
head:
  norm: {which}
  classes: {classes}
  logits digit[0]: 2 * x - z
  logits digit[1]: sqrt(2) * y + 0.5
  logits digit[2]: x / 3
"""
    weight = (NORMS[which] or (0, None, False))[1]
    rows = [[2, 0, -1], [0, math.sqrt(2), 0], [1 / 3, 0, 0]] + [[0.0, 0, 0]] * (classes - 3)
    state: dict[str, object] = {"embedding.weight": TABLE}
    if weight is not None:
        state["head.norm.weight"] = weight
    state |= {"head.logits.weight": rows, "head.logits.bias": [0, 0.5, 0] + [0.0] * (classes - 3)}

    def reference(state: State, tokens: Tensor) -> Values:
        x = embed(state["embedding.weight"], tokens)
        values = {"embedding": x}
        branch = normed(x, "head", which, state, values)
        logits = affine(branch, state["head.logits.weight"], state["head.logits.bias"])
        return {**values, "head.logits": logits, "head": logits}

    check(tmp_path, small(EMBEDDING + step), state, reference, dtype)


@pytest.mark.parametrize("which", [name for name in NORMS if name != "none"])
def test_attention_reads_the_norm_and_adds_to_the_stream(tmp_path: Path, which: str) -> None:
    """The pre-norm feeds the branch only; a default norm holds for every step, and `none` switches it off."""
    text = small(
        EMBEDDING
        + "attention:\n  query head: x\n  key head: y\n  value head: z\n  output: broadcast\n"
        + "ffn:\n  norm: none\n  hidden: u\n  up u: x\n  down y: u\n"
    )
    text = text.replace("network:", f"defaults: {{norm: {which}}}\nnetwork:")
    weight = (NORMS[which] or (0, None, False))[1]
    state: dict[str, object] = {"embedding.weight": TABLE}
    if weight is not None:
        state["attention.norm.weight"] = weight
    state |= {f"attention.{name}.weight": [row] for name, row in zip(["query", "key", "value"], ROWS, strict=True)}
    state |= {"ffn.up.weight": [[1, 0, 0]], "ffn.down.weight": [[0], [1], [0]]}

    def reference(state: State, tokens: Tensor) -> Values:
        x = embed(state["embedding.weight"], tokens)
        values = {"embedding": x}
        branch = normed(x, "attention", which, state, values)
        for d, name in enumerate(("query", "key", "value")):
            values[f"attention.{name}"] = branch[..., d : d + 1]
        query, key, value = (values[f"attention.{name}"] for name in ("query", "key", "value"))
        first = values["attention"] = x + attend(query, key, value, heads=1, scale=1)
        values["ffn.up"] = first[..., :1]
        values["ffn.down"] = affine(activate(first[..., :1], "relu"), state["ffn.down.weight"])
        return {**values, "ffn": first + values["ffn.down"]}

    check(tmp_path, text, state, reference, "float64")


ROWS = ([1, 0, 0], [0, 1, 0], [0, 0, 1])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    ("kind", "numbers"), [("layer", "weight: g, bias: b"), ("layer", "weight: g"), ("rms", "weight: g")]
)
def test_norms_are_those_of_torch(tmp_path: Path, kind: str, numbers: str, dtype: str) -> None:
    """Modules of `torch.nn` with the numbers of the state dict, to rounding."""
    network = f"{EMBEDDING}\nnorm: {{{kind}: 1e-5, {numbers}}}\n"
    text = small(network, stream="x y z", definitions="parameters: {g: [0.5, 2 / 3, -3], b: [0.1, -0.7, 2]}")
    model = compiler.build(load_text(tmp_path, text, {"dtype": dtype}))
    made = {"layer": nn.LayerNorm(3, bias="bias" in numbers), "rms": nn.RMSNorm(3, eps=1e-5)}[kind]
    made.to(getattr(torch, dtype)).load_state_dict(model.get_submodule("norm").state_dict())
    values = activations(model, torch.tensor([[0, 1, 2, 3, 4]]))
    with torch.inference_mode():
        assert_close(values["norm"], made(values["embedding"]).double(), TOLERANCE[dtype])


def test_a_post_norm_is_a_norm_after_the_step(tmp_path: Path) -> None:
    """The option in `defaults` gives the bits of an encoder in which each such norm is a step of its own."""
    text = (DATA / "field" / "parity-post-norm.yaml").read_text(encoding="utf-8")
    kept, removed = [line for line in text.splitlines() if "  norm after" not in line], text.count("  norm after")
    option = "defaults: {post_norm: {layer: eps, weight: 1}}\nnetwork:"
    models = [compiler.build(load_text(tmp_path, one)) for one in (text, "\n".join(kept).replace("network:", option))]
    tokens = torch.randint(2, (5, 21), generator=torch.Generator().manual_seed(1))
    tokens[:, -1] = 2
    with torch.inference_mode():
        steps, options = (model(tokens) for model in models)
    assert removed == 4
    assert same_bits(steps, options)
    assert sum(name.endswith("post_norm.weight") for name in models[1].state_dict()) == removed
