"""Resolved spec to network IR: the steps in order, each by the module of its kind."""

from __future__ import annotations

from compiler.axes import Axis
from compiler.diagnostics import Diagnostic
from compiler.document import Mapping
from compiler.ir import Network, Step, stream_after, tensors
from compiler.limits import MAX_STORED
from compiler.lowering.attention import lower_attention
from compiler.lowering.context import Context
from compiler.lowering.embedding import lower_embedding
from compiler.lowering.ffn import lower_ffn
from compiler.lowering.head import lower_head
from compiler.resolve import Resolved

# A block becomes an attribute of the torch module, where these names are taken (tests/unit/test_network.py).
TAKEN_BLOCK_NAMES = frozenset(
    """
    attention embedding ffn head context
    T_destination add_module apply bfloat16 buffers call_super_init children compile cpu cuda double dump_patches eval
    extra_repr float forward get_buffer get_extra_state get_parameter get_submodule half ipu load_state_dict modules
    mtia named_buffers named_children named_modules named_parameters parameters register_backward_hook register_buffer
    register_forward_hook register_forward_pre_hook register_full_backward_hook register_full_backward_pre_hook
    register_load_state_dict_post_hook register_load_state_dict_pre_hook register_module register_parameter
    register_state_dict_post_hook register_state_dict_pre_hook requires_grad_ set_extra_state set_submodule
    share_memory state_dict to to_empty train training type xpu zero_grad
    """.split()  # noqa: SIM905
)


def lower_network(resolved: Resolved, found: list[Diagnostic]) -> Network | None:
    """The network of a spec. Findings go to `found`; None where the steps do not fit together."""
    context = Context(resolved, found)
    network = resolved.document.get("network")
    assert isinstance(network, Mapping)
    length = resolved.layout.length
    steps: list[Step] = []
    stream: Axis = resolved.stream
    for key, step in network.items:
        kind, _, block = key.text.partition(" ")
        name = f"{block.strip()}.{kind}" if block else kind
        if not isinstance(step, Mapping):
            return None
        if block.strip() in TAKEN_BLOCK_NAMES:
            context.error("bad-name", f"a block cannot be called '{block.strip()}'; choose another name", key.span)
        if any(earlier.name == name for earlier in steps):
            context.error("duplicate-name", f"the step '{name}' is written twice", key.span)
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
    made = Network(resolved.name, resolved.dtype, resolved.vocabulary, length, tuple(steps), resolved.decode)
    stored = sum(tensor.size for tensor in tensors(made).values())
    if stored > MAX_STORED:
        message = f"the network would store {stored:,} numbers; at most {MAX_STORED:,}"
        context.error("too-large", message, network.items[0][0].span)
    return made
