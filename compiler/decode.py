"""Running a model on token sequences: teacher forcing and greedy decoding. No task is known here."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from compiler.ir import Decode
from compiler.tasks.layout import Layout

NO_TOKEN = -1  # what a row of logits with a NaN decodes to
CLOSE = 4  # a margin is close to zero up to this many roundoffs of the largest logit: two units in its last place


def choose(logits: Tensor, decode: Decode) -> Tensor:
    """logits [..., classes] to token ids [...]; the lowest id wins a tie, `NO_TOKEN` where a logit is NaN."""
    chosen = logits.argmax(-1) if decode == "argmax" else logits.argmin(-1)
    return chosen.masked_fill(logits.isnan().any(-1), NO_TOKEN)


def margins(logits: Tensor, decode: Decode) -> Tensor:
    """How far the winner of each row is ahead of the second: logits [..., classes] to [...]."""
    if logits.shape[-1] == 1:
        return torch.full(logits.shape[:-1], torch.inf, dtype=logits.dtype, device=logits.device)
    best = logits.topk(2, dim=-1, largest=decode == "argmax").values
    return (best[..., 0] - best[..., 1]).abs()


@dataclass(frozen=True)
class Forced:
    """Teacher forcing of B sequences: for each predicted token, what the model says after the right prefix."""

    tokens: Tensor  # [B, predicted], token ids
    right: Tensor  # [B], whether all of them are the right ones
    close: Tensor  # [B], whether a margin lies within rounding of zero


def answer_logits(model: nn.Module, prompts: Tensor, answers: Tensor, layout: Layout) -> Tensor:
    """One pass over prompts [B, P] and the right answers [B, A]: the logits [B, predicted, classes] of the answers.

    Where answers are read in place, the prompts are all that the model sees.
    """
    if layout.in_place:
        in_place: Tensor = model(prompts)[:, torch.tensor(layout.read_at, device=prompts.device)]
        return in_place
    sequence = torch.cat((prompts, answers), dim=1)[:, :-1]
    first = prompts.shape[1] - 1  # the logits here predict the first token of the answer
    logits: Tensor = model(sequence)[:, first + torch.tensor(layout.predicted, device=sequence.device)]
    return logits


def teacher_force(
    logits: Tensor, answers: Tensor, layout: Layout, decode: Decode, roundoff: float, noise: Tensor | float = 0.0
) -> Forced:
    """Verdicts on the logits [B, predicted, classes] that follow the right prefixes of answers [B, A].

    A margin counts as close when it is at most `CLOSE` · `roundoff` · the largest logit of its row, plus `noise`
    ([predicted] or a number): then another order of summation may decide otherwise. So does a NaN, which can come of
    a later token that is hidden by a weight of zero, or a score of -inf: zero times infinity.
    """
    chosen = choose(logits, decode)
    wrong = chosen != answers[:, torch.tensor(layout.predicted, device=answers.device)]
    close = margins(logits, decode) <= CLOSE * roundoff * logits.abs().amax(-1) + noise
    return Forced(chosen, ~wrong.any(1), (close | (chosen == NO_TOKEN)).any(1))


def greedy(model: nn.Module, prompts: Tensor, layout: Layout, decode: Decode) -> Tensor:
    """Answers [B, A] to prompts [B, P], token by token; tokens that the model cannot emit are appended as they are.

    After a `NO_TOKEN` a sequence goes on with token 0, so that the others of the batch can be finished.
    Answers that are read in place take one pass.
    """
    if layout.in_place:
        return choose(answer_logits(model, prompts, prompts[:, :0], layout), decode)
    sequence = prompts
    answers = []
    for i, slot in enumerate(layout.answer):
        if i in layout.predicted:
            token = choose(model(sequence)[:, -1], decode)
        else:
            token = torch.full_like(prompts[:, 0], slot.token if slot.token is not None else 0)
        answers.append(token)
        sequence = torch.cat((sequence, token.clamp(min=0)[:, None]), dim=1)
    return torch.stack(answers, dim=1)
