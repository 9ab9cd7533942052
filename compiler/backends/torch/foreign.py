"""Models of other programs, out of files or in memory: what each maps to what is found out by asking it once."""

from __future__ import annotations

import hashlib
import io
import sys
from collections.abc import Callable
from contextlib import redirect_stdout, suppress
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from threading import Thread
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from compiler.backends.torch.decode import answer_logits, next_logits
from compiler.backends.torch.module_files import (
    FLOAT_TYPES,
    ModuleKind,
    last_line,
    module_bytes,
    module_kind,
    module_with_code,
    module_with_tensors,
    type_name,
)
from compiler.backends.torch.settings import as_assumed
from compiler.expressions.floats import FORMATS, FloatFormat
from compiler.language.layouts import with_classes
from compiler.language.resolve import AskedTask, ResolvedTask
from compiler.language.warnings import silent_symbols
from compiler.network.causality import is_causal
from compiler.network.ir import Decode
from compiler.pipeline import Spec, StatedTask, stated_task
from compiler.source.diagnostics import Diagnostic, SpecError, fail
from compiler.source.document import whole_file
from compiler.source.faults import NoRule
from compiler.source.saved import is_saved
from compiler.tasks import Task, TaskError
from compiler.tasks.layout import Layout
from compiler.tasks.task import Words

T = TypeVar("T")

HANGS = "module-hangs"  # the code of the error after which a thread is left that nothing can end
PATIENCE = 60.0  # seconds that a module of another program has for its first sequences
CONSENT = (
    "--trust-code, or `trust_code=True` in Python, runs it: give it for a file that you made, or whose author you trust"
)
DRAWN = 10  # inputs, of a suite that samples; one of them is asked
_SHOWN = 12  # tokens of a sequence
_OPTIMIZED = torch.jit.optimized_execution  # type: ignore[attr-defined]


@dataclass(frozen=True, eq=False)
class ForeignModel:
    """A model of another program, and what it is asked.

    `module` maps tokens, int64 [batch, time], to logits [batch, time, classes] in `dtype`, for the first `classes`
    tokens of the vocabulary. `path` is its file, or what to call it; `sha256` is that of the file, None in memory.
    `like` is the spec whose network it is, with tensors of its own; None where a module came with its code.
    """

    path: Path
    kind: ModuleKind
    sha256: str | None
    like: Spec | None
    stated: StatedTask
    module: nn.Module
    classes: int
    dtype: FloatFormat

    @property
    def warnings(self) -> tuple[Diagnostic, ...]:
        """What is legal but hardly meant: symbols of an answer that have no logit."""
        hint = f"it gives {self.classes} logits for each token, those of the first tokens in the vocabulary"
        return tuple(silent_symbols(self.resolved, self.classes, hint))

    @property
    def title(self) -> str:
        return self.path.name

    @property
    def resolved(self) -> ResolvedTask:
        """What it is asked."""
        return self.stated.resolved

    @property
    def decode(self) -> Decode:
        """How a token is read off the logits: as the task says it, else as the spec does, else `argmax`."""
        return self.resolved.decode or ("argmax" if self.like is None else self.like.network.decode)

    @cached_property
    def layout(self) -> Layout:
        """How inputs and answers are laid out in tokens; of sizes that are ranges, the largest."""
        return with_classes(self.resolved.asked[-1].layout, self.classes)

    @cached_property
    def choices(self) -> tuple[ForeignModel, ...]:
        """The model for each choice of the task's sizes: itself alone, unless some of them are ranges."""
        asked = self.resolved.asked
        return (self,) if len(asked) < 2 else tuple(map(self._with, asked))

    def _with(self, one: AskedTask) -> ForeignModel:
        return replace(self, stated=replace(self.stated, resolved=replace(self.resolved, asked=(one,))))

    @cached_property
    def is_causal(self) -> bool:
        """Whether no token sees a later one, as far as that is known: of a module with its own code it is not."""
        try:
            return self.like is not None and is_causal(self.like.network)
        except NoRule:
            return False


Subject = Spec | ForeignModel  # what can be asked a task


@as_assumed()
def load_foreign(
    model: str | Path | nn.Module, task: StatedTask | Spec, *, like: Spec | None = None, trust_code: bool = False
) -> ForeignModel:
    """A model of another program, to be asked a task: a file, or a module in memory.

    A `.safetensors` file has tensors for the network of the spec `like`, by the names of its state dict. A file of
    TorchScript or torch.export has code, which is run with `trust_code` only; nothing else is unpickled. A module in
    memory is used as it is, in its mode for evaluation. It is asked a few sequences, to see what it gives.
    Raises `SpecError` where the file cannot be read, is none of these, or has other tensors; and where the module
    fails, takes longer than a minute, or gives something other than logits [batch, time, classes].
    """
    stated = stated_task(task) if isinstance(task, Spec) else task
    if isinstance(model, nn.Module):
        _refuse_like(Path(type(model).__name__), like)
        return _asked_once(Path(type(model).__name__), "memory", None, None, stated, lambda: _for_evaluation(model))
    path = Path(model)
    if is_saved(path):
        if like is None:
            message = "it holds tensors, and does not say what is computed with them"
            hint = "--like SPEC, or `like=` in Python, says it; a model that `build -o` saved is a spec: `eval FILE`"
            raise fail("bad-model-file", message, whole_file(path), hint)
        module, digest = module_with_tensors(path, like), hashlib.sha256(module_bytes(path)).hexdigest()
        return _asked_once(path, "safetensors", digest, like, stated, lambda: module)
    data = module_bytes(path)
    kind = module_kind(path, data)
    _refuse_like(path, like)
    if not trust_code:
        raise fail("untrusted-code", f"a file of {kind} holds code, which would be run", whole_file(path), CONSENT)
    digest = hashlib.sha256(data).hexdigest()
    return _asked_once(path, kind, digest, None, stated, lambda: module_with_code(path, kind, data))


def _for_evaluation(module: nn.Module) -> nn.Module:
    with suppress(NotImplementedError):  # what torch.export made stays in the mode that it was exported in
        module.eval()
    return module


def _refuse_like(path: Path, like: Spec | None) -> None:
    if like is not None:
        message = f"it has a network of its own; the one of {like.title} is for a file of tensors"
        raise fail("bad-value", message, whole_file(path), "leave --like out")


class _Checked(nn.Module):
    """A module that is not trusted to give logits. `classes` and `dtype` are None until they are known.

    Raises `SpecError` for whatever else it does. What it prints goes to standard error.
    """

    def __init__(self, inner: Callable[[Tensor], object], path: Path, vocabulary: int) -> None:
        super().__init__()
        self._inner = [inner]  # in a list: no submodule, as some have no `eval` and no `to`
        self._path, self._vocabulary = path, vocabulary
        self.classes: int | None = None
        self.dtype: torch.dtype | None = None

    def forward(self, tokens: Tensor) -> Tensor:
        try:
            with redirect_stdout(sys.stderr or io.StringIO()), _OPTIMIZED(False):
                logits = self._inner[0](tokens)
        except MemoryError:
            raise
        except Exception as error:
            first = " ".join(map(str, tokens[0, :_SHOWN].tolist())) + (" …" if tokens.shape[1] > _SHOWN else "")
            hint = _SHAPES if tokens.shape[0] == 1 else "it may take one sequence at a time: leave --batch out"
            raise self._refusal(f"fails on tokens {list(tokens.shape)}, {first}: {last_line(error)}", hint) from None
        if not isinstance(logits, Tensor):
            raise self._refusal(f"gives a {type(logits).__name__}, not a tensor of logits", _SHAPES)
        shape, wanted = list(logits.shape), [*tokens.shape, self.classes or "classes"]
        if logits.dim() != 3 or shape[:2] != wanted[:2] or self.classes not in (None, shape[2]):
            message = f"maps tokens {list(tokens.shape)} to {shape}, not to logits [{', '.join(map(str, wanted))}]"
            raise self._refusal(message, _SHAPES)
        if not 1 <= shape[2] <= self._vocabulary:
            message = f"gives {shape[2]} logits for each token; the vocabulary has {self._vocabulary} tokens"
            raise self._refusal(message, "list each token by its id, such as `unused[4]` for four that mean nothing")
        if logits.dtype not in FLOAT_TYPES or self.dtype not in (None, logits.dtype):
            before = "" if self.dtype is None else f", and gave some of {type_name(self.dtype)}"
            message = f"gives logits of {type_name(logits.dtype)}{before}"
            raise self._refusal(message, f"they are always of the same of {', '.join(FORMATS)}")
        if logits.device.type != "cpu" or logits.layout != torch.strided:
            raise self._refusal(f"gives logits on {logits.device}, {logits.layout}", "it is asked on the CPU")
        self.classes, self.dtype = shape[2], logits.dtype
        return logits

    def _refusal(self, what: str, hint: str) -> SpecError:
        return fail("bad-module", f"the module {what}", whole_file(self._path), hint)


_SHAPES = (
    "it has to map int64 ids [batch, time] to logits [batch, time, classes], for a batch of 1 and any time up to the"
    " longest sequence of the task"
)


def _asked_once(
    path: Path,
    kind: ModuleKind,
    sha256: str | None,
    like: Spec | None,
    stated: StatedTask,
    load: Callable[[], Callable[[Tensor], object]],
) -> ForeignModel:
    """The model, after the shortest and the longest sequences of its task, of which it has told classes and dtype."""
    resolved = stated.resolved
    if like is not None and resolved.vocabulary.size > like.network.vocabulary.size:
        numbers = (
            f"{resolved.vocabulary.size} tokens, and the network of {like.title} knows {like.network.vocabulary.size}"
        )
        raise fail("bad-value", f"the vocabulary of {stated.title} has {numbers}", whole_file(stated.path))

    def ask() -> _Checked:
        module = _Checked(load(), path, resolved.vocabulary.size)
        with torch.inference_mode():
            for asked in (resolved.asked[0], resolved.asked[-1]):
                _ask(module, asked)
        return module

    module = _within(PATIENCE, path, ask)
    assert module.classes is not None
    assert module.dtype is not None
    return ForeignModel(path, kind, sha256, like, stated, module, module.classes, FLOAT_TYPES[module.dtype])


def _ask(module: _Checked, asked: AskedTask) -> None:
    """What precedes the first token of the answer to one input, and what precedes the last one that is predicted."""
    layout, words = asked.layout, _an_input(asked.task)
    prompt, answer = (
        torch.from_numpy(tokens[:1].astype(np.int64)) for tokens in (layout.prompts(words), layout.answers(words))
    )
    if layout.in_place:
        answer_logits(module, prompt, answer, layout)
        return
    next_logits(module, prompt, answer, layout, 0)
    for slot in with_classes(layout, module.classes or layout.classes).predicted[-1:]:
        next_logits(module, prompt, answer, layout, slot)


def _an_input(task: Task) -> Words:
    """One input of a task, out of the first of its suites that can be drawn, with others of its block."""
    refusals: list[TaskError] = []
    for suite in task.suites().values():
        try:
            for part in suite.parts(suite.size(DRAWN), 0):
                for words in part.blocks(1):
                    return words
        except TaskError as error:
            refusals.append(error)
    raise refusals[0] if refusals else fail("no-input", "there is no input to ask about")


def _within(seconds: float, path: Path, work: Callable[[], T]) -> T:
    """What some work gives, or the exception that it raises; `SpecError` where it takes longer.

    It is done in another thread, so that an interruption is heard. The thread is left alone then: nothing can end it.
    """
    done: list[T] = []
    failed: list[BaseException] = []

    def run() -> None:
        try:
            done.append(work())
        except BaseException as error:
            failed.append(error)

    thread = Thread(target=run, daemon=True)
    with redirect_stdout(sys.stdout):  # which is put back when the thread does not
        thread.start()
        thread.join(seconds)
    if failed:
        raise failed[0]
    if not done:
        raise fail(HANGS, f"the module takes more than {seconds:g} seconds for its first sequences", whole_file(path))
    return done[0]
