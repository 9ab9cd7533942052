"""A built model with its task: an engine says most tokens, and the plain module decides those that are not sure."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray

from compiler.backends.native.engines import (
    BATCH,
    UNSURE,
    BatchEngine,
    Decoding,
    Engine,
    EngineName,
    EngineUnavailable,
    PlainEngine,
    batch_size,
)
from compiler.backends.native.fast_engine import fast_engine
from compiler.backends.native.native import Tokens
from compiler.backends.torch.decode import NO_TOKEN
from compiler.backends.torch.foreign import ForeignModel, Subject
from compiler.backends.torch.reference import Reference, alone
from compiler.evaluation.self_check import SelfCheck
from compiler.network.causality import is_causal
from compiler.pipeline import Spec
from compiler.source.diagnostics import fail
from compiler.source.faults import NoRule, no_rule
from compiler.tasks.task import Inputs, Words

LOOKED_AT = 16  # inputs that are surely right, of which some are checked,
LOOK_STRIDE = 7919  # so far from those of the call before,
LOOK_EVERY = 32  # in one of so many calls after the first two,
CHECK_EVERY = 4  # and in one of so many some of the others, in each of which there are a few


@dataclass(frozen=True)
class EngineUse:
    """Which engine ran, and how; `reason` says why it was not the one that was asked for."""

    name: EngineName
    detail: str
    reason: str | None


@dataclass(frozen=True)
class Verdicts:
    """What became of B inputs, W of which were answered wrong. `slots` are places of the answer: the first wrong token
    of each, after the right ones before it."""

    right: NDArray[np.bool_]  # [B], bool
    batched: NDArray[np.bool_]  # [B], bool: whether it is only a batch that says so
    close: int  # how many of them the plain module had to decide
    wrong: NDArray[np.int64]  # [W], int64: which of them are wrong, rising
    slots: NDArray[np.int64]  # [W], int64
    expected: NDArray[np.int64]  # [W], int64: the right token in that place
    said: NDArray[np.int64]  # [W], int64: the token said there, `NO_TOKEN` where a logit is no number

    def among(self, rows: NDArray[np.int64], size: int) -> Verdicts:
        """Of so many inputs those in `rows`, where all others are surely right."""
        right, batched = np.ones(size, bool), np.zeros(size, bool)
        right[rows], batched[rows] = self.right, self.batched
        return replace(self, right=right, batched=batched, wrong=rows[self.wrong])

    def decided(self, rows: Sequence[int], cleared: Sequence[int]) -> Verdicts:
        """The same after the plain module has decided these `rows` of the W, and found the `cleared` ones right."""
        right, batched = self.right.copy(), self.batched.copy()
        right[self.wrong[cleared]] = True
        batched[self.wrong[rows]] = False
        rest = np.delete(np.arange(len(self.wrong)), cleared)
        slots, expected, said = self.slots[rest], self.expected[rest], self.said[rest]
        return Verdicts(right, batched, self.close + len(cleared), self.wrong[rest], slots, expected, said)


@dataclass(frozen=True, eq=False)
class AskedInputs:
    """Inputs that the engine was asked about, for so many seconds: of each whether it is surely right, [B]; and of the
    others prompts, answers, and what is `said`, as `Engine.said` has them, where there are some."""

    words: Words
    sure: NDArray[np.bool_]
    said: tuple[Tokens, Tokens, Tokens] | None
    seconds: float


@dataclass(frozen=True)
class Failure:
    """An input that is answered wrong. `got` is what greedy decoding says, in the task's own words."""

    inputs: Inputs
    text: str
    expected: str
    got: str


@dataclass(frozen=True)
class FailureClass:
    """Inputs that are answered wrong in the same way, `count` of them. `slot` of the answer, such as `sum[3]`, has the
    first wrong token: `said`, where `expected` is right. `inputs` is the first of these inputs, `text` for people."""

    slot: str
    expected: str
    said: str
    count: int
    inputs: Inputs
    text: str


class Evaluator:
    """A built model, or a foreign one, with its task and layout.

    `decoding` is greedy for a model that is not causal: teacher forcing would show it the answer. The fast engine shows
    the model the right tokens before each one, and no later one. The plain module runs where greedy decoding is asked
    for, or the fast engine cannot follow the network. It runs one sequence at a time; in batches where a `batch` or
    another device than the CPU is asked for. `inputs` is how many there are in all. Raises `SpecError` for a device
    that there is not, or that a foreign model is not asked on.
    """

    def __init__(
        self,
        subject: Subject,
        device: str = "cpu",
        decoding: Decoding = "teacher",
        engine: EngineName = "fast",
        *,
        inputs: int = 0,
        batch: int | None = None,
    ) -> None:
        self.subject = subject
        self.device = _device(device)
        self.decoding: Decoding = decoding if takes_one_pass(subject) else "greedy"
        self.reference = Reference(subject)
        self._calls = 0
        self.engine, self.reason = self._engine(engine, decoding, inputs, batch)
        self.self_check: Callable[[Tokens, Tokens, Tokens], None] = SelfCheck(subject, self.reference)

    def _engine(
        self, asked: EngineName, decoding: Decoding, inputs: int, batch: int | None
    ) -> tuple[Engine, str | None]:
        """The engine that was asked for, or the plain one and the reason."""
        reason = None
        if asked == "fast" and decoding == "greedy":
            reason = "greedy decoding was asked for"
        elif asked == "fast":
            try:
                return self._fast_engine(inputs), None
            except EngineUnavailable as error:
                reason = str(error)
        if batch is None and self.device.type == "cpu":
            return PlainEngine(len(self.subject.layout.predicted)), reason
        size = batch_size(self.subject) if batch is None and isinstance(self.subject, Spec) else batch or BATCH
        return BatchEngine(self.subject, self.reference, self.device, self.decoding, size), reason

    def _fast_engine(self, inputs: int) -> Engine:
        match self.subject:
            case Spec():
                return fast_engine(self.subject, self.device, inputs, torch.get_num_threads())
            case ForeignModel():
                raise EngineUnavailable("it computes what a spec says, and this is a model of another program")
            case _:
                raise no_rule("model", self.subject)

    @property
    def use(self) -> EngineUse:
        return EngineUse(self.engine.name, self.engine.detail, self.reason)

    @property
    def in_batches(self) -> bool:
        """Whether what the engine is sure of is only measured to be what the reference says, on a few sequences."""
        return isinstance(self.engine, BatchEngine)

    def said(self, prompts: Tokens, answers: Tokens) -> Tokens:
        """What the engine says: see `Engine`. Raises `ToolFault` where the reference contradicts it."""
        tokens = self.engine.said(prompts, answers)
        self._check(prompts, answers, tokens)
        return tokens

    def _check(self, prompts: Tokens, answers: Tokens, tokens: Tokens) -> None:
        if not self.in_batches:
            self.self_check(prompts, answers, tokens)

    def ask(self, words: Words) -> AskedInputs:
        """Ask the engine alone, on any thread: as many may do so as it says."""
        started, layout, rest, said = time.perf_counter(), self.subject.layout, words, None
        sure = self.engine.surely_right(words)
        if sure is None:
            sure = np.zeros(len(next(iter(words.values()))), bool)
        elif not sure.all():
            rest = {name: word[~sure] for name, word in words.items()}
        if not sure.all():
            prompts, answers = layout.prompts(rest), layout.answers(rest)
            said = prompts, answers, self.engine.said(prompts, answers)
        return AskedInputs(words, sure, said, time.perf_counter() - started)

    def decide(self, asked: AskedInputs) -> Verdicts:
        """Verdicts on inputs that the engine was asked about. Now and then some of what it is sure of is checked.

        Raises `ToolFault` where that is wrong.
        """
        self._calls += 1
        looked_at, checked = (self._calls <= 2 or self._calls % every == 0 for every in (LOOK_EVERY, CHECK_EVERY))
        if looked_at:
            self._look_at(asked)
        if asked.said is None:
            none = np.empty(0, np.int64)
            return Verdicts(asked.sure, ~asked.sure, 0, none, none, none, none)
        if checked:
            self._check(*asked.said)
        return self.verdicts(*asked.said).among(np.flatnonzero(~asked.sure), len(asked.sure))

    def verdicts(self, prompts: Tokens, answers: Tokens, tokens: Tokens | None = None) -> Verdicts:
        """Verdicts on inputs whose prompts are int32 [B, P] and whose right answers are int32 [B, A]; `tokens` are what
        the engine says, where it was asked before.

        What the engine is unsure of is decided by the reference, in the order of the answer, up to the first token that
        is wrong. Raises `ToolFault` where a sure engine is seen to be wrong.
        """
        tokens = self.said(prompts, answers) if tokens is None else tokens
        predicted = np.array(self.subject.layout.predicted)
        rows = np.flatnonzero((tokens != answers[:, predicted]).any(1))  # all others are surely right
        said, expected = tokens[rows].astype(np.int64), answers[rows][:, predicted].astype(np.int64)
        surely_wrong = (said != expected) & (said != UNSURE)
        first = np.where(surely_wrong.any(1), surely_wrong.argmax(1), len(predicted))
        undecided = (said == UNSURE) & (np.arange(len(predicted)) < first[:, None])
        close = np.flatnonzero(undecided.any(1))
        with alone():
            for i in close:
                asked = np.flatnonzero(undecided[i]).tolist()
                first_wrong = self.reference.first_wrong(prompts[rows[i]], answers[rows[i]], asked)
                if first_wrong is not None:
                    first[i], said[i, first_wrong[0]] = first_wrong
        wrong = np.flatnonzero(first < len(predicted))
        slots, right = first[wrong], np.ones(len(prompts), bool)
        right[rows[wrong]] = False
        batched = np.full(len(prompts), self.in_batches)
        needed = np.arange(len(predicted)) <= first[:, None]
        batched[rows[(undecided | ~needed).all(1)]] = False
        return Verdicts(
            right, batched, len(close), rows[wrong], predicted[slots], expected[wrong, slots], said[wrong, slots]
        )

    def _look_at(self, asked: AskedInputs) -> None:
        """Have a few of the inputs checked that the engine is sure to be answered right."""
        rows = np.flatnonzero(asked.sure)
        if len(rows):
            first = self._calls * LOOK_STRIDE % len(rows)
            some = {name: word[rows[first : first + LOOKED_AT]] for name, word in asked.words.items()}
            prompts, answers = self.subject.layout.prompts(some), self.subject.layout.answers(some)
            self.self_check(prompts, answers, answers[:, np.array(self.subject.layout.predicted)])

    def greedy_tokens(self, inputs: Inputs) -> list[int]:
        """The greedy answer to one input, by the reference."""
        return self.reference.greedy(self.subject.layout.prompt_tokens(self.subject.resolved.task.solve(inputs)))

    def failure(self, inputs: Inputs) -> Failure | None:
        """What greedy decoding says to an input; None where that is right after all."""
        task = self.subject.resolved.task
        words = task.solve(inputs)
        tokens = self.greedy_tokens(inputs)
        if tokens == self.subject.layout.answer_tokens(words):
            return None
        return Failure(inputs, task.describe(inputs), task.show(words), self.describe(tokens))

    def failure_class(self, slot: int, expected: int, said: int, count: int, inputs: Inputs) -> FailureClass:
        """A class in the words of the task and the vocabulary; `slot` is a place of the answer, the others tokens."""
        right, wrong = self.subject.layout.spell([expected, said], self.subject.resolved.vocabulary.labels)
        text = self.subject.resolved.task.describe(inputs)
        return FailureClass(self._slot_names[slot], right, wrong, count, inputs, text)

    @cached_property
    def _slot_names(self) -> tuple[str, ...]:
        """Each place of the answer: a symbol of a word, or a token; with its number where there are several such."""
        labels = self.subject.resolved.vocabulary.labels
        names = [str(slot) if slot.token is None else labels[slot.token] for slot in self.subject.layout.answer]
        often = {name for name, times in Counter(names).items() if times > 1}
        return tuple(f"{name} (token {i})" if name in often else name for i, name in enumerate(names, 1))

    def describe(self, tokens: Sequence[int]) -> str:
        """Answer tokens in the task's words, or as they are where they spell no answer."""
        words = self.subject.layout.read_answer(tokens)
        if words is not None:
            return self.subject.resolved.task.show(words)
        if NO_TOKEN in tokens:
            return f"NaN logits at answer token {tokens.index(NO_TOKEN) + 1}"
        return " ".join(self.subject.layout.spell(tokens, self.subject.resolved.vocabulary.labels))


def takes_one_pass(subject: Subject) -> bool:
    """Whether one pass over the prompt and the right answer says each token as greedy decoding does."""
    if subject.layout.in_place or subject.layout.slides:
        return True
    match subject:
        case Spec(network=network):
            try:
                return is_causal(network)
            except NoRule:
                return False  # greedy decoding needs to know nothing of the network
        case ForeignModel():
            return subject.is_causal
        case _:
            raise no_rule("model", subject)


def _device(name: str) -> torch.device:
    try:
        device = torch.device(name)
        torch.zeros(1, device=device).cpu()
    except (RuntimeError, AssertionError, NotImplementedError, ImportError) as error:
        reason = str(error).splitlines()[0]
        raise fail("device", f"no device '{name}' here: {reason}", hint="use --device cpu") from None
    return device
