"""Resolved spec to network IR: the steps in order, each by the module of its kind."""

from __future__ import annotations

from compiler.axes import Axis
from compiler.diagnostics import Diagnostic
from compiler.document import Mapping
from compiler.ir import Network, Step, stream_after
from compiler.lowering.attention import lower_attention
from compiler.lowering.context import Context
from compiler.lowering.embedding import lower_embedding
from compiler.lowering.ffn import lower_ffn
from compiler.lowering.head import lower_head
from compiler.resolve import Resolved


def lower_network(resolved: Resolved, found: list[Diagnostic]) -> Network | None:
    """The network of a spec. Findings go to `found`; None where the steps do not fit together."""
    context = Context(resolved, found)
    network = resolved.document.get("network")
    assert isinstance(network, Mapping)
    length = resolved.layout.length - 1  # the last token of an answer is never read
    steps: list[Step] = []
    stream: Axis = resolved.stream
    for key, step in network.items:
        kind, _, block = key.text.partition(" ")
        name = f"{block.strip()}.{kind}" if block else kind
        if not isinstance(step, Mapping):
            return None
        if (kind == "embedding") != (not steps) or (steps and steps[-1].name == "head"):
            context.error("bad-order", "the embedding comes first and the head last", key.span)
            return None
        match kind:
            case "embedding":
                steps.append(lower_embedding(context, step, name))
            case "attention":
                steps.append(lower_attention(context, step, name, stream, length))
            case "ffn":
                steps.append(lower_ffn(context, step, name, stream))
            case "head":
                steps.append(lower_head(context, step, name, stream))
        stream = stream_after(steps[-1])
    if steps[-1].name != "head" and stream.size > resolved.vocabulary.size:
        last = network.items[-1][0]
        message = f"without a head the stream is the logits, but {stream.size} dimensions are more than the"
        context.error("shape", f"{message} {resolved.vocabulary.size} tokens", last.span)
        return None
    return Network(resolved.name, resolved.dtype, resolved.vocabulary, length, tuple(steps), resolved.decode)
