"""What a model says after a sequence of tokens, token by token. No task is known here."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, count
from random import Random
from typing import Literal

import torch
from torch import Tensor, nn

from compiler.backends.torch.decode import NO_TOKEN, Choice, Said, choose, reads_on, said_after
from compiler.backends.torch.model import build_model
from compiler.backends.torch.reference import alone
from compiler.backends.torch.saving import check_weights
from compiler.backends.torch.settings import as_assumed
from compiler.network.ir import Decode, Network
from compiler.network.meanings import lead_sign
from compiler.pipeline import Spec
from compiler.source.diagnostics import fail
from compiler.source.text import Source, Span
from compiler.tasks.tokens import read_tokens, token_ids

Ending = Literal["steps", "until", "context", "nan"]


@dataclass(frozen=True)
class NextToken:
    """The id of a token that a model says, None where a logit is NaN, and the numbers that it was chosen by.

    `logits` [classes] are numbers of the dtype; `probabilities` [classes], doubles, are their softmax, of the negative
    logits where the smallest one wins, after division by the temperature. `ending` says why nothing follows, and is
    None where something does.
    """

    token: int | None
    logits: tuple[float, ...]
    probabilities: tuple[float, ...]
    ending: Ending | None


@dataclass(frozen=True)
class _Rules:
    """How a sequence goes on, and where it ends; `window` is how many tokens the model sees at most."""

    decode: Decode
    steps: int | None
    until: int | None
    window: int
    slides: bool
    temperature: float

    def ending(self, token: int | None, step: int, length: int) -> Ending | None:
        """Why nothing follows what the model says in a step, after a sequence of that length."""
        if token is None:
            return "nan"
        if token == self.until:
            return "until"
        if step == self.steps:
            return "steps"
        return "context" if length == self.window and not self.slides else None


def generate(
    spec: Spec,
    tokens: str | Sequence[int | str],
    *,
    steps: int | None = None,
    until: str | None = None,
    window: int | None = None,
    temperature: float = 1.0,
    seed: int | None = None,
) -> Iterator[NextToken]:
    """What a model says after `tokens`: names in a text, as in `run --tokens`, or ids.

    Each token is one pass of the plain module on the CPU over the sequence so far, so that the model need not be
    causal; with a `window` over its last tokens, so many. Without a window, a causal model with a long context reads on
    instead: what it says is what one pass over the whole sequence says, and comes some tokens at a time.
    The token is the one that the spec's `decode` takes. With a `seed` it is drawn by the probabilities instead, which
    `temperature` flattens or sharpens.
    The last one is number `steps`, or the token `until`, or the one after which the sequence is as long as the context
    and has no window, or the one that is none as a logit is NaN.
    Raises `SpecError`, before anything is computed, for tokens that are not there or more than the context holds, a
    stop token without a logit, and a number that is out of range.
    """
    network = spec.network
    _check_numbers(network, steps, window, temperature)
    stop = None if until is None else _stop_token(until, network)
    sequence = start_tokens(network, tokens, slides=window is not None)
    rules = _Rules(network.decode, steps, stop, window or network.context, window is not None, temperature)
    check_weights(spec)
    with as_assumed():
        model = build_model(network).eval()
    return _next_tokens(model, sequence, rules, None if seed is None else Random(seed))


def start_tokens(network: Network, tokens: str | Sequence[int | str], *, slides: bool = False) -> tuple[int, ...]:
    """The ids of a sequence to go on from, which may be longer than the context where a window `slides` over it.

    Raises `SpecError`.
    """
    span: Span | None = None
    if isinstance(tokens, str):
        source = Source("--tokens", tokens)
        span = Span(source, 0, len(tokens))
        tokens = read_tokens(source, network.vocabulary)
    tokens = token_ids(tokens, network.vocabulary)
    if not tokens:
        raise fail("bad-value", "no token to go on from", span, f"the vocabulary: {network.vocabulary}")
    if not all(0 <= token < network.vocabulary.size for token in tokens):
        raise fail("bad-value", f"the ids of tokens are 0 to {network.vocabulary.size - 1}")
    if len(tokens) > network.context and not slides:
        message = f"a sequence of {len(tokens)} tokens; this model is built for {network.context}"
        raise fail("too-large", message, span, "with a window the model sees the last ones only")
    return tuple(tokens)


def ranked(logits: Sequence[float], decode: Decode) -> list[int]:
    """The ids of all tokens with a logit: NaN first, then the ones that win; the lowest id wins a tie."""
    sign = lead_sign(decode)
    return sorted(range(len(logits)), key=lambda token: (not math.isnan(logits[token]), -sign * logits[token]))


def probabilities(logits: Sequence[float], decode: Decode, temperature: float) -> tuple[float, ...]:
    """The softmax of logits / temperature, or of -logits / temperature; infinite ones that win share evenly."""
    leads = [lead_sign(decode) * logit for logit in logits]
    if any(map(math.isnan, leads)):
        return (math.nan,) * len(leads)
    best = max(leads)
    weights = [1.0 if lead == best else math.exp((lead - best) / temperature) for lead in leads]
    total = math.fsum(weights)
    return tuple(weight / total for weight in weights)


class _Chooser:
    """The token of each step by its logits; with `random`, by one uniform number for each step."""

    def __init__(self, rules: _Rules, random: Random | None) -> None:
        self._rules = rules
        self._random = random
        self._uniform: list[float] = []

    def __call__(self, step: int, logits: Tensor) -> Tensor:
        """The token [1] of a step, from 0, by logits [1, classes]; `NO_TOKEN` where one is NaN."""
        token = choose(logits, self._rules.decode)
        if self._random is None or int(token) == NO_TOKEN:
            return token
        while len(self._uniform) <= step:
            self._uniform.append(self._random.random())
        sums = list(accumulate(probabilities(logits[0].tolist(), self._rules.decode, self._rules.temperature)))
        return torch.tensor([bisect_right(sums, self._uniform[step] * sums[-1])])  # the first sum that exceeds it


def _next_tokens(
    model: nn.Module, sequence: tuple[int, ...], rules: _Rules, random: Random | None
) -> Iterator[NextToken]:
    choice = _Chooser(rules, random)
    said = _read_on(model, sequence, rules, choice) if reads_on(model) and not rules.slides else None
    for step, (chosen, logits) in enumerate(said or _read_again(model, sequence, rules, choice)):
        token = None if int(chosen) == NO_TOKEN else int(chosen)
        numbers: tuple[float, ...] = tuple(logits[0].tolist())
        ending = rules.ending(token, step + 1, len(sequence) + step)
        yield NextToken(token, numbers, probabilities(numbers, rules.decode, rules.temperature), ending)
        if ending is not None:
            return


def _read_again(model: nn.Module, sequence: Sequence[int], rules: _Rules, choice: Choice) -> Iterator[Said]:
    """Each step in a pass of its own over what the model sees of the sequence so far."""
    for step in count():
        sequence = sequence[-rules.window :]
        with alone(), as_assumed():  # in this order: the settings of one thread are quickly looked at
            logits = model(torch.tensor([sequence]))[:, -1]
            token = choice(step, logits)
        yield token, logits
        sequence = (*sequence, int(token))


def _read_on(model: nn.Module, sequence: Sequence[int], rules: _Rules, choice: Choice) -> Iterator[Said]:
    """The steps of a model that reads on, up to a full context."""
    room = rules.window - len(sequence) + 1
    steps = room if rules.steps is None else min(room, rules.steps)
    some = said_after(model, torch.tensor([sequence]), steps, choice)
    while True:
        with alone(), as_assumed():
            said = next(some, None)
        if said is None:
            return
        yield from said


def _check_numbers(network: Network, steps: int | None, window: int | None, temperature: float) -> None:
    if steps is not None and steps < 1:
        raise fail("bad-value", f"the number of steps is 1 or more, not {steps}")
    if window is not None and not 1 <= window <= network.context:
        raise fail("bad-value", f"a window has from 1 to {network.context} tokens, the context, not {window}")
    if not 0 < temperature < math.inf:
        raise fail("bad-value", f"a temperature is a number above 0, not {temperature:g}")


def _stop_token(until: str, network: Network) -> int:
    source = Source("--until", until)
    span = Span(source, 0, len(until))
    tokens = read_tokens(source, network.vocabulary)
    if len(tokens) != 1:
        raise fail("bad-value", f"expected one token to stop at, not {len(tokens)}", span)
    if tokens[0] >= network.classes.size:
        hint = f"those with a logit: {network.classes}"
        raise fail("bad-value", f"'{until}' has no logit, so that the model never says it", span, hint)
    return tokens[0]
