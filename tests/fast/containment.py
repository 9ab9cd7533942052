"""Whether the plain module stays within the bounds of the fast engine: both are asked, and what they say is compared.

The plain module is asked as `compiler.backends.torch.reference` does it: on the CPU, one sequence and one prefix at a
time, on one thread.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from compiler.backends.bounds.arithmetic import Arithmetic
from compiler.backends.bounds.bounded import Bounded, Channels
from compiler.backends.bounds.passes import prepared
from compiler.backends.bounds.tensors import run_nodes, said
from compiler.backends.elementary.model import translate
from compiler.backends.elementary.program import Decision, Program
from compiler.backends.native.fast_engine import programs
from compiler.backends.torch.decode import answer_logits, choose, next_logits
from compiler.backends.torch.model import build_model
from compiler.backends.torch.reference import alone, as_tokens
from compiler.network.ir import Head, Network, stream_after
from compiler.pipeline import Spec
from compiler.tasks.layout import Layout, Slot

Tokens = NDArray[np.int32]
Numbers = NDArray[np.float64]


def logit(a: Arithmetic, decision: Decision, inputs: Channels, number: int) -> Bounded:
    """One logit by itself."""
    if decision.linear is None:
        return inputs[number]
    bias = 0.0 if decision.linear.bias is None else decision.linear.bias[number]
    return a.linear(inputs, decision.linear.rows[number], bias)


def bounded_logits(program: Program, tokens: Tensor) -> tuple[Tensor, Tensor]:
    """The logits for sequences of tokens [batch, time], and how far the plain module's can be from them: both
    [batch, slots, classes], float64."""
    running, decision = run_nodes(program, tokens), program.decision
    a, inputs, shape = running.arithmetic, running.at(decision.node, decision.reads), (len(decision.reads), len(tokens))
    logits = [a.alone(logit(a, decision, inputs, number)) for number in range(decision.classes)]
    values, errors = (
        torch.stack([torch.as_tensor(part, dtype=torch.float64).expand(shape).T for part in parts], dim=-1)
        for parts in ([x.value for x in logits], [x.error for x in logits])
    )
    return values, errors


@dataclass(frozen=True)
class Compared:
    """What both say: numbers float64 [B, slots, classes], tokens int [B, slots]; -1 is "unsure", or no token."""

    values: Numbers
    errors: Numbers
    said: NDArray[np.int32]
    plain: Numbers
    plain_said: NDArray[np.int64]

    @property
    def outside(self) -> NDArray[np.bool_]:
        """[B, slots, classes]: where the plain module is not within a bound. What is not finite bounds nothing."""
        with np.errstate(invalid="ignore"):
            within = np.abs(self.plain - self.values) <= self.errors
        outside: NDArray[np.bool_] = ~within & np.isfinite(self.values) & np.isfinite(self.errors)
        return outside

    @property
    def sure(self) -> NDArray[np.bool_]:
        sure: NDArray[np.bool_] = self.said >= 0
        return sure

    @property
    def contradicted(self) -> NDArray[np.bool_]:
        """[B, slots]: a token that was sure, and is not what the plain module says."""
        contradicted: NDArray[np.bool_] = self.sure & (self.said != self.plain_said)
        return contradicted

    def check(self, about: object = "") -> Compared:
        """The same, or an `AssertionError` that shows the first fault."""
        for fault, what in ((self.outside, "outside of its bound"), (self.contradicted, "sure, but wrong")):
            if fault.any():
                at = tuple(np.argwhere(fault)[0])
                rows = "\n".join(
                    f"{name}: {numbers[at]!r}" for name, numbers in vars(self).items() if numbers.ndim >= len(at)
                )
                raise AssertionError(f"{about}\n{int(fault.sum())} of {fault.size} {what}, first at {at}\n{rows}")
        return self


def compare(spec: Spec, prompts: Tokens, answers: Tokens, *, anywhere: bool = False) -> Compared:
    """Prompts [B, P] and answers [B, A], right or wrong; `anywhere`: of tokens that the layout does not have there.

    Raises `NotFollowed`.
    """
    made = programs(spec)
    if anywhere:
        every = [replace(program, possible=()) for program in translate(spec.network, spec.layout)]
        made = tuple(prepared(program, spec.network, "fast engine") for program in every)
    return _compare(made, spec.network, spec.layout, prompts, answers)


def compare_streams(spec: Spec, prompts: Tokens, answers: Tokens) -> Iterator[tuple[str, Compared]]:
    """After each step but the head, what both have in the stream where a token is read, in place of logits."""
    for count, step in enumerate(spec.network.steps, 1):
        if isinstance(step, Head):
            return
        network = replace(spec.network, steps=spec.network.steps[:count])
        made = []
        for program in translate(network, spec.layout):
            decision = replace(program.decision, linear=None, classes=stream_after(step).size)
            made.append(prepared(replace(program, decision=decision), network, "fast engine"))
        yield step.name, _compare(made, network, spec.layout, prompts, answers)


def _compare(made: Sequence[Program], network: Network, layout: Layout, prompts: Tokens, answers: Tokens) -> Compared:
    sequences = np.concatenate((prompts, answers), axis=1)
    shape = (len(prompts), len(layout.predicted))
    numbers = (*shape, made[0].decision.classes)
    values, errors, tokens = np.empty(numbers), np.empty(numbers), np.empty(shape, np.int32)
    with torch.inference_mode():
        for program in (alone for one in made for alone in one.at_each_start()):
            slots = [layout.predicted.index(slot) for slot in program.slots]
            read = torch.from_numpy(np.ascontiguousarray(sequences[:, program.positions]))
            tokens[:, slots] = said(program, read).numpy()
            value, error = bounded_logits(program, read)
            values[:, slots], errors[:, slots] = value.numpy(), error.numpy()
    plain = plain_logits(network, layout, prompts, answers)
    chosen = choose(plain, network.decode)
    return Compared(values, errors, tokens, plain.double().numpy(), chosen.numpy())


def plain_logits(network: Network, layout: Layout, prompts: Tokens, answers: Tokens) -> torch.Tensor:
    """[B, slots, classes], each after the prefix before it."""
    model = build_model(network).eval()
    rows = []
    with alone():
        for i in range(len(prompts)):
            prompt, answer = as_tokens(prompts[i : i + 1]), as_tokens(answers[i : i + 1])
            if layout.in_place:
                rows.append(answer_logits(model, prompt, answer, layout)[0])
            else:
                rows.append(torch.cat([next_logits(model, prompt, answer, layout, slot) for slot in layout.predicted]))
    return torch.stack(rows)


def any_tokens(spec: Spec, count: int, seed: int, *, anywhere: bool = False) -> tuple[Tokens, Tokens]:
    """So many prompts and answers of any tokens that can stand there, or that are in the vocabulary, for which the
    bounds have to hold as well."""
    random, size = np.random.default_rng(seed), spec.network.vocabulary.size

    def drawn(slots: Sequence[Slot]) -> Tokens:
        if anywhere:
            return random.integers(0, size, (count, len(slots)), dtype=np.int32)
        return np.stack([random.choice(slot.possible, count) for slot in slots], axis=1).astype(np.int32)

    return drawn(spec.layout.prompt), drawn(spec.layout.answer)


def suite_tokens(spec: Spec, suite: str, count: int, seed: int) -> tuple[Tokens, Tokens]:
    """The first `count` inputs of a suite, with their right answers."""
    parts = spec.resolved.task.suites()[suite].parts(count, seed)
    words = [words for part in parts for words in part.blocks(count)]
    prompts = np.concatenate([spec.layout.prompts(own) for own in words])
    return prompts[:count], np.concatenate([spec.layout.answers(own) for own in words])[:count]
