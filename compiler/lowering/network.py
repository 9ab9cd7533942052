"""Resolved spec to network IR: the steps in order, each by the module of its kind."""

from __future__ import annotations

from collections.abc import Mapping as AnyMapping
from dataclasses import dataclass

from compiler.expressions.axes import Axis
from compiler.language.keys import PLACED, STEP_KINDS
from compiler.language.resolve import Resolved
from compiler.lowering.attention import lower_attention
from compiler.lowering.context import Context, StepSkipped
from compiler.lowering.embedding import lower_embedding
from compiler.lowering.ffn import lower_ffn
from compiler.lowering.head import lower_head
from compiler.lowering.norm import lower_stream_norm
from compiler.lowering.position import lower_position
from compiler.lowering.repeat import lower_mix, lower_repeat
from compiler.lowering.scale import lower_scale
from compiler.network.activations import largest
from compiler.network.ir import Head, Network, Repeat, Step, stream_after
from compiler.network.storage import tensors_of
from compiler.source.diagnostics import Findings
from compiler.source.document import Invalid, Mapping, Node
from compiler.source.extends import step_name
from compiler.source.limits import MAX_ACTIVATION, MAX_STEPS, MAX_STORED
from compiler.source.text import Span


@dataclass(frozen=True)
class Lowered:
    """A network, and the keys of equations in the document that others of a variant replaced."""

    network: Network
    superseded: tuple[Span, ...]


# A block becomes an attribute of the torch module, where these names are taken (tests/unit/test_network.py).
TAKEN_BLOCK_NAMES = frozenset(STEP_KINDS) | frozenset(
    """
    context
    T_destination add_module apply bfloat16 buffers call_super_init children compile cpu cuda double dump_patches eval
    extra_repr float forward get_buffer get_extra_state get_parameter get_submodule half ipu load_state_dict modules
    mtia named_buffers named_children named_modules named_parameters parameters register_backward_hook register_buffer
    register_forward_hook register_forward_pre_hook register_full_backward_hook register_full_backward_pre_hook
    register_load_state_dict_post_hook register_load_state_dict_pre_hook register_module register_parameter
    register_state_dict_post_hook register_state_dict_pre_hook requires_grad_ set_extra_state set_submodule
    share_memory state_dict to to_empty train training type xpu zero_grad
    """.split()  # noqa: SIM905
)


def lower_network(resolved: Resolved, findings: Findings) -> Lowered | None:
    """The network of a spec. None, with the reasons in `findings`, where the steps do not fit together."""
    context = Context(resolved, findings)
    network = resolved.document.get("network")
    assert isinstance(network, Mapping)
    if len(network.items) > MAX_STEPS:
        context.error("too-large", f"more than {MAX_STEPS} steps", network.items[MAX_STEPS][0].span)
        return None
    steps: dict[str, Step] = {}
    sizes: dict[str, tuple[int, Span]] = {}
    seen: set[str] = set()
    stream: Axis = resolved.stream
    complete = True
    for position, (key, node) in enumerate(network.items):
        kind, name = key.text.partition(" ")[0], step_name(key.text)
        if isinstance(node, Invalid) or not _has_its_place(context, network, position, seen):
            return None
        if not complete and kind in ("repeat", "mix"):
            return None  # they may read the step that is missing
        try:
            step = _lower_step(context, kind, node, name, stream, steps)
        except StepSkipped as skipped:
            if skipped.stream_after is None:
                return None
            complete, stream = False, skipped.stream_after
            continue
        if step is None:
            return None
        steps[name] = step
        stream = stream_after(step)
        for tensor in tensors_of(step):
            sizes.setdefault(tensor.name, (tensor.size, key.span))
        if not _can_be_run(context, steps, key.span) or not _can_be_stored(context, sizes):
            return None
    if not complete:
        return None
    made = Network(
        resolved.name, resolved.dtype, resolved.vocabulary, resolved.context, tuple(steps.values()), resolved.decode
    )
    fits = _fits(context, made, [key.span for key, _ in network.items])
    return Lowered(made, tuple(context.superseded)) if fits else None


def _has_its_place(context: Context, network: Mapping, position: int, seen: set[str]) -> bool:
    """Whether a step may stand there. What is wrong with its name is reported; `seen` are the names before it."""
    key, node = network.items[position]
    kind, _, block = key.text.partition(" ")
    name = step_name(key.text)
    is_last = position == len(network.items) - 1
    if (kind == "embedding") != (position == 0) or (kind == "head" and not is_last):
        context.error("bad-order", "the embedding comes first and the head last", key.span)
        return False
    if block.strip() in TAKEN_BLOCK_NAMES:
        context.error("bad-name", f"a block cannot be called '{block.strip()}'; choose another name", key.span)
    if name in seen:
        context.error("duplicate-name", f"the step '{name}' is written twice", key.span)
    seen.add(name)
    place = node.key("after") if isinstance(node, Mapping) and kind in PLACED else None
    if place is not None:
        context.error("bad-value", "`after` places a step of a variant, but this spec extends nothing", place.span)
    return True


def _can_be_run(context: Context, steps: AnyMapping[str, Step], span: Span) -> bool:
    """Whether the steps are not too many, those that are repeated counted for every time; `span` is the last one."""
    runs: dict[str, int] = {}
    for step in steps.values():
        again = (max(1, *step.times), step.steps) if isinstance(step, Repeat) else None
        runs[step.name] = 1 if again is None else again[0] * sum(runs[name] for name in again[1])
    total = sum(runs.values())
    if total > MAX_STEPS:
        context.error("too-large", f"more than {MAX_STEPS} steps, with those that are repeated", span)
    return total <= MAX_STEPS


def _lower_step(
    context: Context, kind: str, node: Node, name: str, stream: Axis, steps: AnyMapping[str, Step]
) -> Step | None:
    """One step, by its kind; None where it is not certain what it leaves of the stream."""
    length = context.resolved.context
    match kind, node:
        case "embedding", _:
            return lower_embedding(context, node, name)
        case "norm", _:
            return lower_stream_norm(context, node, name, stream)
        case "scale", _:
            return lower_scale(context, node, name, stream)
        case "repeat", _:
            return lower_repeat(context, node, name, stream, steps)
        case "mix", _:
            return lower_mix(context, node, name, steps)
        case "position", Mapping():
            return lower_position(context, node, name, stream, length)
        case "attention", Mapping():
            return lower_attention(context, node, name, stream, length)
        case "ffn", Mapping():
            return lower_ffn(context, node, name, stream)
        case "head", Mapping():
            return lower_head(context, node, name, stream)
    return None


def _can_be_stored(context: Context, sizes: AnyMapping[str, tuple[int, Span]]) -> bool:
    """Whether tensors of these sizes are not too much, each given with the place of its step."""
    total = sum(size for size, _ in sizes.values())
    if total <= MAX_STORED:
        return True
    largest = max(sizes, key=lambda name: sizes[name][0])
    message = f"the network would store {total:,} numbers; at most {MAX_STORED:,}. The largest tensor is {largest}"
    context.error("too-large", message, sizes[largest][1])
    return False


def _fits(context: Context, network: Network, spans: list[Span]) -> bool:
    """Whether a sequence can be run, and the last stream be the logits where a network has no head."""
    name, size = largest(network)
    if size > MAX_ACTIVATION:
        owner = next(i for i, step in enumerate(network.steps) if name == step.name or name.startswith(f"{step.name}."))
        message = f"'{name}' would have {size:,} numbers at once for one sequence; at most {MAX_ACTIVATION:,}"
        context.error("too-large", message, spans[owner], "a shorter context, or fewer heads or dimensions")
        return False
    last = network.steps[-1]
    if not isinstance(last, Head) and stream_after(last).size > network.vocabulary.size:
        message = f"without a head the stream is the logits, but {stream_after(last).size} dimensions are more than the"
        context.error("shape", f"{message} {network.vocabulary.size} tokens", spans[-1])
        return False
    return True
