"""Resolved spec to network IR: the steps in order, each by the module of its kind."""

from __future__ import annotations

from compiler.axes import Axis
from compiler.diagnostics import Diagnostic
from compiler.document import Mapping
from compiler.ir import Head, Network, Step, stream_after, tensors
from compiler.limits import MAX_STORED
from compiler.lowering.attention import lower_attention
from compiler.lowering.context import Context, StepSkipped
from compiler.lowering.embedding import lower_embedding
from compiler.lowering.ffn import lower_ffn
from compiler.lowering.head import lower_head
from compiler.resolve import Resolved
from compiler.source import Span

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
    complete = True
    seen: set[str] = set()
    for position, (key, step) in enumerate(network.items):
        kind, _, block = key.text.partition(" ")
        name = f"{block.strip()}.{kind}" if block else kind
        if not isinstance(step, Mapping):
            return None
        if (kind == "embedding") != (position == 0) or (kind == "head" and key is not network.items[-1][0]):
            context.error("bad-order", "the embedding comes first and the head last", key.span)
            return None
        if block.strip() in TAKEN_BLOCK_NAMES:
            context.error("bad-name", f"a block cannot be called '{block.strip()}'; choose another name", key.span)
        if name in seen:
            context.error("duplicate-name", f"the step '{name}' is written twice", key.span)
        seen.add(name)
        try:
            steps.append(_lower_step(context, kind, step, name, stream, length))
        except StepSkipped as skipped:
            if skipped.stream_after is None:
                return None
            complete, stream = False, skipped.stream_after
        else:
            stream = stream_after(steps[-1])
    if not complete:
        return None
    made = Network(resolved.name, resolved.dtype, resolved.vocabulary, length, tuple(steps), resolved.decode)
    return made if _fits(context, made, [key.span for key, _ in network.items]) else None


def _lower_step(context: Context, kind: str, step: Mapping, name: str, stream: Axis, length: int) -> Step:
    match kind:
        case "embedding":
            return lower_embedding(context, step, name)
        case "attention":
            return lower_attention(context, step, name, stream, length)
        case "ffn":
            return lower_ffn(context, step, name, stream)
        case _:
            return lower_head(context, step, name, stream)


def _fits(context: Context, network: Network, places: list[Span]) -> bool:
    """Whether the network can be stored, and its last stream be the logits where it has no head."""
    sizes = {tensor.name: tensor.size for tensor in tensors(network).values()}
    if sum(sizes.values()) > MAX_STORED:
        largest = max(sizes, key=lambda name: sizes[name])
        owner = next(i for i, step in enumerate(network.steps) if largest.startswith(f"{step.name}."))
        message = f"the network would store {sum(sizes.values()):,} numbers; at most {MAX_STORED:,}"
        context.error("too-large", f"{message}. The largest tensor is {largest}", places[owner])
        return False
    last = network.steps[-1]
    if not isinstance(last, Head) and stream_after(last).size > network.vocabulary.size:
        message = f"without a head the stream is the logits, but {stream_after(last).size} dimensions are more than the"
        context.error("shape", f"{message} {network.vocabulary.size} tokens", places[-1])
        return False
    return True
