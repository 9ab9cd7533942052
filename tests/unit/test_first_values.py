"""The first values of submodules are those of a whole pass, which ends when they are known."""

from __future__ import annotations

import torch

from compiler.backends.torch.first_values import first_values
from compiler.backends.torch.model import build_model
from compiler.backends.torch.tracing import trace
from compiler.pipeline import load
from tests.helpers import SPECS


def test_first_values_are_those_of_a_whole_pass() -> None:
    spec = load(SPECS / "tiny95.yaml", ["digits=2"])
    model = build_model(spec.network).eval()
    ended = []
    model.get_submodule("layer1.ffn").register_forward_hook(lambda *_: ended.append("layer1.ffn"))
    run = first_values(model, {"layer0.attention.queries": 1, "layer0.attention.pattern": 1})
    for tokens in ([1, 2, 3], [4, 5, 6, 7]):
        with torch.inference_mode():
            found = run(torch.tensor([tokens]))
        whole = {activation.name: activation.value for activation in trace(spec, tokens)}
        for name, (value,) in found.items():
            assert torch.equal(torch.from_numpy(value), whole[name][0].double()), name
    assert not ended
    with torch.inference_mode():
        first_values(model, {"layer1.ffn": 1})(torch.tensor([[1]]))
    assert ended == ["layer1.ffn"]
