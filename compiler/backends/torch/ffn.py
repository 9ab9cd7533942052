"""Feed-forward layers, plain or gated (Shazeer, 2020), which may change the stream's dimensions."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from compiler.backends.torch.linear import ParameterStore, make_map
from compiler.backends.torch.norm import make_norm
from compiler.backends.torch.residual import onto_stream
from compiler.network import ir
from compiler.source.faults import no_rule


def activate(kind: ir.ActivationKind, x: Tensor) -> Tensor:
    """The activation of each number."""
    match kind:
        case "relu":
            return functional.relu(x)
        case "silu":
            return functional.silu(x)
        case "gelu":
            return functional.gelu(x)
        case "gelu_tanh":
            return functional.gelu(x, approximate="tanh")
        case "tanh":
            return x.tanh()
        case "sigmoid":
            return x.sigmoid()
        case "square":
            return x.square()
        case "identity":
            return x
        case _:
            raise no_rule("activation", kind)


class FeedForward(nn.Module):
    """x [batch, time, dim] to resized(x) + down(activation(gate) · up), or down(activation(up)) without a gate.

    x is left out where there is no residual; `post_norm` is a norm of all that. `active`, the activation's output, and
    `units`, what `down` reads, both [batch, time, hidden], only show themselves to hooks.
    """

    def __init__(self, step: ir.FeedForward, weights: ParameterStore) -> None:
        super().__init__()
        self.activation = step.activation
        self.stream_after = step.stream_after.size
        self.norm = make_norm(step.norm, weights)
        self.gate = None if step.gate is None else make_map(step.gate, weights)
        self.up = make_map(step.up, weights)
        self.active, self.units = nn.Identity(), nn.Identity()
        self.down = make_map(step.down, weights)
        self.residual = step.residual
        self.post_norm = make_norm(step.post_norm, weights)

    def forward(self, x: Tensor) -> Tensor:
        branch = self.norm(x)
        if self.gate is None:
            hidden = self.active(activate(self.activation, self.up(branch)))
        else:
            hidden = self.active(activate(self.activation, self.gate(branch))) * self.up(branch)
        change: Tensor = self.down(self.units(hidden))
        after: Tensor = self.post_norm(onto_stream(self.residual, self._resized(x), change))
        return after

    def _resized(self, x: Tensor) -> Tensor:
        """The old stream, padded with zeros or cut, by position."""
        missing = self.stream_after - x.shape[-1]
        return functional.pad(x, (0, missing)) if missing > 0 else x[..., : self.stream_after]

    def extra_repr(self) -> str:
        return f"{self.activation}, stream_after={self.stream_after}, residual={self.residual}"
