"""Running a model on token sequences: teacher forcing and greedy decoding. No task is known here."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn

from compiler.backends.torch.model import Model
from compiler.backends.torch.past import Past
from compiler.network.ir import Decode
from compiler.network.meanings import lead_sign
from compiler.source.faults import no_rule
from compiler.tasks.layout import Layout, Slot

NO_TOKEN = -1  # what a row of logits with a NaN decodes to
CLOSE = 4  # a margin is close to zero up to this many roundoffs of the largest logit: two units in its last place
Choice = Callable[[int, Tensor], Tensor]
"""The number of a step, from 0, and its logits [B, classes] to the tokens [B] that follow; `NO_TOKEN` for none."""
Said = tuple[Tensor, Tensor]
"""The tokens [B] that follow a sequence, and the logits [B, classes] that they were chosen by."""


def choose(logits: Tensor, decode: Decode) -> Tensor:
    """logits [..., classes] to token ids [...]; the lowest id wins a tie, `NO_TOKEN` where a logit is NaN."""
    match decode:
        case "argmax":
            chosen = logits.argmax(-1)
        case "argmin":
            chosen = logits.argmin(-1)
        case _:
            raise no_rule("decoding", decode)
    return chosen.masked_fill(logits.isnan().any(-1), NO_TOKEN)


def margins(logits: Tensor, decode: Decode) -> Tensor:
    """How far the winner of each row is ahead of the second: logits [..., classes] to [...]."""
    if logits.shape[-1] == 1:
        return torch.full(logits.shape[:-1], torch.inf, dtype=logits.dtype, device=logits.device)
    best = logits.topk(2, dim=-1, largest=lead_sign(decode) > 0).values
    return (best[..., 0] - best[..., 1]).abs()


def answer_logits(model: nn.Module, prompts: Tensor, answers: Tensor, layout: Layout) -> Tensor:
    """One pass over prompts [B, P] and answers [B, A], right ones or others: the logits [B, predicted, classes] of the
    tokens to predict, each after the tokens before it.

    Where answers are read in place, the prompts are all that the model sees. Where its window slides, each token is
    read in a pass of its own.
    """
    if layout.in_place:
        in_place: Tensor = model(prompts)[:, torch.tensor(layout.read_at, device=prompts.device)]
        return in_place
    if layout.slides:
        return torch.stack([next_logits(model, prompts, answers, layout, slot) for slot in layout.predicted], dim=1)
    sequence = torch.cat((prompts, answers), dim=1)[:, :-1]
    first = prompts.shape[1] - 1  # the logits here predict the first token of the answer
    logits: Tensor = model(sequence)[:, first + torch.tensor(layout.predicted, device=sequence.device)]
    return logits


def next_logits(model: nn.Module, prompts: Tensor, answers: Tensor, layout: Layout, slot: int) -> Tensor:
    """The logits [B, classes] of the token of an answer slot, in a pass over the prompts and the answers before it, or
    over what of them the window shows."""
    sequence = torch.cat((prompts, answers[:, :slot]), dim=1)
    shown = sequence if layout.window is None else sequence[:, -layout.window :]
    logits: Tensor = model(shown)[:, -1]
    return logits


def sure_tokens(
    logits: Tensor,
    answers: Tensor,
    layout: Layout,
    decode: Decode,
    roundoff: float,
    noise: Tensor | float = 0.0,
    *,
    own: bool = False,
) -> Tensor:
    """The tokens [B, predicted] that the logits [B, predicted, classes] of sequences whose right answers are [B, A]
    choose, `NO_TOKEN` where another order of summation may choose otherwise.

    Each row of logits follows the right tokens. Where the sequence is the model's `own`, it follows what the model
    said: then a token after a wrong one tells nothing, and is `NO_TOKEN` too.
    A margin is close when it is at most `CLOSE` · `roundoff` · the largest logit of its row, plus `noise`
    ([predicted] or a number). A NaN counts as close: it can come of a later token that is hidden by a weight of zero,
    or a score of -inf, and meets an infinity there.
    """
    chosen = choose(logits, decode)
    unsure = margins(logits, decode) <= CLOSE * roundoff * logits.abs().amax(-1) + noise
    if own:
        wrong = chosen != answers[:, torch.tensor(layout.predicted, device=answers.device)]
        unsure |= wrong.cumsum(1) > wrong.int()
    return chosen.masked_fill(unsure, NO_TOKEN)


def reads_on(model: nn.Module) -> bool:
    """Whether a model can read on after what it has read: see `said_after`."""
    return isinstance(model, Model) and model.pieces is not None and model.pieces.one_by_one


def said_after(model: nn.Module, tokens: Tensor, steps: int, choice: Choice) -> Iterator[list[Said]]:
    """What follows a sequence [B, T], so many steps, some of them at a time; after `NO_TOKEN` it goes on with token 0.

    The model is one that `reads_on`. With keys and values at hand, tokens are read one by one, which adds numbers up in
    another order than a pass over the sequence does. So what they give is a guess: each piece of the sequence is then
    read as such a pass reads it, and from the first token that this contradicts it is guessed anew. What is said is
    what one pass over the whole sequence says.
    """
    assert isinstance(model, Model)
    assert model.pieces is not None
    past, first, size = Past(model.context), tokens.shape[1], model.pieces.queries
    read = first + steps - 1  # so many tokens are read in all: the last one that is said is not
    for start in range(0, read, size):
        end = min(start + size, read)
        ended = False
        while not ended:
            guess, known, at = tokens, tokens.shape[1], start
            while guess.shape[1] < end:
                logits = model.read_on(guess[:, at:], past, at)[:, -1]
                at = guess.shape[1]
                guess = _followed(guess, choice(at - first, logits))
            logits = model.read_on(guess[:, start:end], past, start)
            said: list[Said] = []
            for at in range(known, end + 1):
                row = logits[:, at - 1 - start]
                said.append((choice(at - first, row), row))
                tokens = _followed(tokens, said[-1][0])
                if at < end and not torch.equal(tokens[:, at], guess[:, at]):
                    break
            ended = tokens.shape[1] > end
            yield said


def _followed(tokens: Tensor, following: Tensor) -> Tensor:
    """Sequences [B, T] with the tokens [B] that follow."""
    return torch.cat((tokens, following.clamp(min=0)[:, None]), dim=1)


def greedy(model: nn.Module, prompts: Tensor, layout: Layout, decode: Decode) -> Tensor:
    """Answers [B, A] to prompts [B, P], token by token: see `decode_greedily`."""
    return decode_greedily(model, prompts, layout, decode)[0]


def decode_greedily(model: nn.Module, prompts: Tensor, layout: Layout, decode: Decode) -> tuple[Tensor, Tensor]:
    """Answers [B, A] to prompts [B, P], token by token, and the logits [B, predicted, classes] that said so.

    Tokens that the model cannot emit are appended as they are. After a `NO_TOKEN` a sequence goes on with token 0, so
    that the others of the batch can be finished. Answers that are read in place take one pass.
    """
    if layout.in_place:
        in_place = answer_logits(model, prompts, prompts[:, :0], layout)
        return choose(in_place, decode), in_place
    if reads_on(model) and not layout.slides:
        return _answered(model, prompts, layout, decode)
    answers = prompts[:, :0]
    said = prompts[:, :0]
    rows = []
    for i, slot in enumerate(layout.answer):
        if i in layout.predicted:
            rows.append(next_logits(model, prompts, answers, layout, i))
            token = choose(rows[-1], decode)
        else:
            token = _given(slot, prompts)
        said = torch.cat((said, token[:, None]), dim=1)
        answers = _followed(answers, token)
    return said, torch.stack(rows, dim=1)


def _answered(model: nn.Module, prompts: Tensor, layout: Layout, decode: Decode) -> tuple[Tensor, Tensor]:
    """The same of a model that reads on."""

    def choice(i: int, logits: Tensor) -> Tensor:
        return choose(logits, decode) if i in layout.predicted else _given(layout.answer[i], prompts)

    steps = [step for some in said_after(model, prompts, len(layout.answer), choice) for step in some]
    rows = [steps[i][1] for i in layout.predicted]
    return torch.stack([token for token, _ in steps], dim=1), torch.stack(rows, dim=1)


def _given(slot: Slot, prompts: Tensor) -> Tensor:
    """The token [B] of an answer that the model does not say."""
    return torch.full_like(prompts[:, 0], slot.token if slot.token is not None else 0)
