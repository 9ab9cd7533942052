"""What a model says after a sequence of tokens, with the numbers behind it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from compiler.evaluation.generation import Ending, NextToken, ranked
from compiler.expressions.floats import shortest
from compiler.network.meanings import lead_sign
from compiler.pipeline import Spec
from compiler.tasks.tokens import spelled
from compiler.terminal import shapes
from compiler.terminal.console import console, table, text
from compiler.terminal.overview import of_spec
from compiler.terminal.plain import say


@dataclass(frozen=True)
class Generation:
    """What a model has said so far after `tokens`, and how it was asked: see `compiler.generate`."""

    spec: Spec
    tokens: tuple[int, ...]
    steps: tuple[NextToken, ...]
    window: int | None
    temperature: float
    seed: int | None

    @property
    def said(self) -> tuple[int, ...]:
        return tuple(step.token for step in self.steps if step.token is not None)

    @property
    def ending(self) -> Ending | None:
        """Why nothing follows; None where it was interrupted."""
        return self.steps[-1].ending if self.steps else None


def print_token(spec: Spec, step: NextToken, top: int, *, first: bool) -> None:
    """The token that is said, and below it the `top` most probable ones with their numbers; without those, on the line
    of the tokens before it, unless it is the `first`."""
    vocabulary = spec.network.vocabulary
    said = "nothing" if step.token is None else spelled(step.token, vocabulary)
    if not top:
        if step.token is not None:
            say(said if first else f" {said}", ended=False)
        return
    order = ranked(step.logits, spec.network.decode)
    rows = table(f"says {said}", "logit", "probability", right=["logit", "probability"])
    for token in order[:top]:
        logit, probability = step.logits[token], step.probabilities[token]
        rows.add_row(text(f"  {spelled(token, vocabulary)}"), _logit(logit), _probability(probability))
    if len(order) > top:
        rows.add_row(text(f"  and {len(order) - top:,} more", "dim"))
    console().print(rows)


def print_generation(generation: Generation, top: int) -> None:
    """What there is to say when nothing more follows: the sequence, what the numbers are, and what cut it short."""
    spec, context = generation.spec, generation.spec.network.context
    sequence = " ".join(spelled(token, spec.network.vocabulary) for token in (*generation.tokens, *generation.said))
    out = console()
    if not top and generation.said:
        say()
    out.print(text(f"sequence: {sequence}"))
    for line in _rules(generation, top):
        out.print(text(line, "dim"))
    if generation.ending == "context":
        message = f"cut short: the model is built for {context} tokens; with --window {context} it goes on"
        out.print(text(message, "red"))
    elif generation.ending == "nan":
        out.print(text("cut short: a logit is NaN, so that the model says nothing", "red"))


def _rules(generation: Generation, top: int) -> Iterator[str]:
    """What the probabilities are, where that is not the softmax of the logits; how tokens were drawn."""
    sign = "-" if lead_sign(generation.spec.network.decode) < 0 else ""
    divisor = f" / {generation.temperature:g}" if generation.temperature != 1 else ""
    if (sign or divisor) and (top or generation.seed is not None):
        yield f"probabilities: softmax({sign}logits{divisor})" + ("; the lowest logit wins" if sign else "")
    if generation.seed is not None:
        yield f"drawn with seed {generation.seed}"


def generation_json(generation: Generation, top: int | None) -> shapes.Generation:
    """All numbers; of each step the first `top` candidates."""
    spec, labels = generation.spec, generation.spec.network.vocabulary.labels
    return shapes.filled(
        shapes.Generation,
        generation,
        **of_spec(spec),
        decode=spec.network.decode,
        tokens=[labels[token] for token in generation.tokens],
        said=[labels[token] for token in generation.said],
        ended=generation.ending or "interrupted",
        interrupted=generation.ending is None,
        steps=[_step_json(spec, step, top) for step in generation.steps],
    )


def _step_json(spec: Spec, step: NextToken, top: int | None) -> shapes.NextToken:
    candidates = [_candidate_json(spec, step, token) for token in ranked(step.logits, spec.network.decode)[:top]]
    if step.token is None:
        return {"token": None, "logit": None, "probability": None, "candidates": candidates}
    return {**_candidate_json(spec, step, step.token), "candidates": candidates}


def _candidate_json(spec: Spec, step: NextToken, token: int) -> shapes.Candidate:
    return {
        "token": spec.network.vocabulary.labels[token],
        "logit": shortest(step.logits[token], spec.network.dtype),
        "probability": step.probabilities[token],
    }


def _logit(value: float) -> str:
    return "NaN" if math.isnan(value) else f"{value:.4g}"


def _probability(value: float) -> str:
    """Three figures; less than one is never shown as one."""
    if math.isnan(value):
        return "NaN"
    shown = f"{value:.3g}"
    return ">0.999" if float(shown) == 1 and value < 1 else shown
