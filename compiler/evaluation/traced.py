"""What a model reads in one pass, to be looked at: the tokens, and where it says its answer."""

from __future__ import annotations

from dataclasses import dataclass

from compiler.backends.torch.decode import NO_TOKEN
from compiler.backends.torch.saving import check_weights
from compiler.backends.torch.tracing import Activation, trace
from compiler.evaluation.evaluation import Answer, answer
from compiler.evaluation.evaluator import takes_one_pass
from compiler.evaluation.generation import start_tokens
from compiler.pipeline import Spec
from compiler.source.diagnostics import fail
from compiler.tasks.layout import Layout
from compiler.tasks.task import Inputs


@dataclass(frozen=True)
class TracedPass:
    """The ids of the tokens that a model reads in one pass; the first is number `start` of prompt and answer.

    `read_at` are the positions in `tokens` at which an answer is read, `right` the right tokens there. Without a task
    it is read at the last position, and nothing is right; then `question` and `answer` are None.
    """

    tokens: tuple[int, ...]
    read_at: tuple[int, ...]
    right: tuple[int, ...] = ()
    start: int = 0
    question: str | None = None
    answer: Answer | None = None


def pass_of_input(spec: Spec, inputs: Inputs, slot: int | None = None) -> TracedPass:
    """What a model reads of an input of its task: the prompt, and its own greedy answer but for the last token.

    With a `slot` it is the pass that says this token of the answer; where no pass shows all of them, that is the first
    one. A logit that is NaN ends the answer. Raises `SpecError` where the answer has no such token.
    """
    layout, found = spec.layout, answer(spec, inputs)
    slots = _slots_shown(spec, slot)
    if NO_TOKEN in found.tokens and not layout.in_place:
        nothing_said = found.tokens.index(NO_TOKEN)
        if slots[0] > nothing_said:
            message = f"no token {slots[0]} of the answer is said: of token {nothing_said} a logit is NaN"
            raise fail("bad-value", message)
        slots = tuple(one for one in slots if one <= nothing_said)
    seen = layout.seen(slots[-1])
    return TracedPass(
        tokens=(*found.prompt_tokens, *found.tokens)[seen.start : seen.stop],
        read_at=tuple(_read_at(layout, one) - seen.start for one in slots),
        right=tuple(found.right_tokens[one] for one in slots),
        start=seen.start,
        question=spec.resolved.task.describe(inputs),
        answer=found,
    )


def pass_of_tokens(spec: Spec, text: str) -> TracedPass:
    """A sequence as it was typed. Raises `SpecError` for what is no token, and for too many of them."""
    tokens = start_tokens(spec.network, text)
    return TracedPass(tokens, (len(tokens) - 1,))


def traced(spec: Spec, seen: TracedPass) -> tuple[Activation, ...]:
    """All that `compiler.trace` gives of a pass. Raises `SpecError`, also for a saved model that is not its spec's."""
    check_weights(spec)
    return trace(spec, list(seen.tokens))


def _slots_shown(spec: Spec, slot: int | None) -> tuple[int, ...]:
    """The tokens of the answer that one pass shows."""
    layout = spec.layout
    if slot is not None:
        if not 0 <= slot < len(layout.answer):
            raise fail("index-range", f"the tokens of the answer are 0 to {len(layout.answer) - 1}, not {slot}")
        return (slot,)
    return layout.predicted if takes_one_pass(spec) and not layout.slides else layout.predicted[:1]


def _read_at(layout: Layout, slot: int) -> int:
    """The position in prompt and answer at which a token of the answer is read."""
    return layout.read_at[slot] if layout.in_place else len(layout.prompt) + slot - 1
