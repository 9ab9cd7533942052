"""The fast engine: a spec's programs, as compiled C where that is worth it, or on torch tensors."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from compiler.backends.bounds.cost import numbers_kept
from compiler.backends.bounds.passes import prepared
from compiler.backends.bounds.tensors import said
from compiler.backends.elementary.model import translate
from compiler.backends.elementary.program import Attended, NotFollowed, Program
from compiler.backends.native.c_program import c_source
from compiler.backends.native.engines import EngineName, EngineUnavailable
from compiler.backends.native.native import NativeUnavailable, Tokens, native
from compiler.pipeline import Spec
from compiler.source.faults import NoRule

WORTH_COMPILING = 5_000  # inputs for each program that take torch as long as it takes to compile it
NATIVE_BLOCK = 1 << 16
TENSOR_NUMBERS = 1 << 20  # numbers in one tensor on the CPU: more leave the cache
DEVICE_NUMBERS = 1 << 25
KEPT_TENSORS = 64  # as large as the largest may be, that are kept at once
MAX_TENSOR_BLOCK = 1 << 16


@dataclass(frozen=True, eq=False)
class _Runner:
    """Says the slots of one program from one start: sequences [B, length] to tokens [B, slots]."""

    program: Program
    run: Callable[[Tokens], Tokens]


@dataclass(frozen=True, eq=False)
class FastEngine:
    """See `compiler.backends.native.engines.Engine`."""

    detail: str
    block: int
    runners: tuple[_Runner, ...]
    predicted: tuple[int, ...]
    name: EngineName = "fast"

    def said(self, prompts: Tokens, answers: Tokens) -> Tokens:
        tokens = np.empty((len(prompts), len(self.predicted)), dtype=np.int32)
        for runner in self.runners:
            columns = [self.predicted.index(slot) for slot in runner.program.slots]
            tokens[:, columns] = runner.run(_read(prompts, answers, runner.program.positions))
        return tokens


def _read(prompts: Tokens, answers: Tokens, positions: range) -> Tokens:
    """These positions of prompts and answers, C-contiguous."""
    first, last = positions.start - prompts.shape[1], positions.stop - prompts.shape[1]
    parts = prompts[:, positions.start : positions.stop], answers[:, max(0, first) : max(0, last)]
    return np.ascontiguousarray(np.concatenate(parts, axis=1))


def programs(spec: Spec) -> tuple[Program, ...]:
    """What is run for a spec. Raises `NotFollowed`."""
    return tuple(prepared(program, spec.network, "fast engine") for program in translate(spec.network, spec.layout))


def fast_engine(spec: Spec, device: torch.device, inputs: int, threads: int) -> FastEngine:
    """The engine for so many inputs in all. Raises `EngineUnavailable` where the network cannot be followed."""
    try:
        made = programs(spec)
    except (NotFollowed, NoRule) as error:
        raise EngineUnavailable(str(error)) from None
    why = _not_compiled(device, inputs, len(made))
    runners: list[_Runner] = []
    if why is None:
        for program in made:
            runner = _native(program, threads)
            if isinstance(runner, str):
                why = runner
                break
            runners += runner
    predicted = spec.layout.predicted
    if why is None:
        return FastEngine(f"compiled C, {_count(threads, 'thread')}", NATIVE_BLOCK, tuple(runners), predicted)
    try:
        runners = [runner for program in made for runner in _on_tensors(program, device)]
    except NoRule as error:
        raise EngineUnavailable(str(error)) from None
    block = min(_tensor_block(program, device) for program in made)
    return FastEngine(f"torch tensors on {device}: {why}", block, tuple(runners), predicted)


def _not_compiled(device: torch.device, inputs: int, count: int) -> str | None:
    """Why nothing is compiled; None where it is."""
    if device.type != "cpu":
        return "C runs on the CPU"
    return "too few inputs to compile C for" if inputs < WORTH_COMPILING * count else None


def _native(program: Program, threads: int) -> list[_Runner] | str:
    """The program as C, or why there is none."""
    try:
        source = c_source(program)
    except (NotFollowed, NoRule) as error:
        return str(error)
    library = native(source)
    if isinstance(library, NativeUnavailable):
        return library.reason

    def run(tokens: Tokens) -> Tokens:
        said_tokens = np.empty((len(tokens), len(program.slots)), dtype=np.int32)
        library.run(tokens, said_tokens, threads)
        return said_tokens

    return [_Runner(alone, run) for alone in program.at_each_start()]


def _on_tensors(program: Program, device: torch.device) -> list[_Runner]:
    """Raises `NoRule`."""

    def run(tokens: Tokens) -> Tokens:
        size = _tensor_block(program, device)
        with torch.inference_mode():
            parts = [
                said(program, torch.from_numpy(tokens[first : first + size]).to(device)).cpu().numpy()
                for first in range(0, len(tokens), size)
            ]
        return np.concatenate(parts) if parts else np.empty((0, len(program.slots)), dtype=np.int32)

    run(np.zeros((1, program.length), dtype=np.int32))  # what has no rule is refused before anything is asked
    return [_Runner(alone, run) for alone in program.at_each_start()]


def _tensor_block(program: Program, device: torch.device) -> int:
    """How many sequences make the largest tensor, and all that are kept, as large as they should be."""
    largest = program.length
    for node in program.nodes:
        if isinstance(node.operation, Attended):
            largest = max(largest, len(node.positions) * program.length)
    numbers = TENSOR_NUMBERS if device.type == "cpu" else DEVICE_NUMBERS
    return max(1, min(MAX_TENSOR_BLOCK, numbers // largest, KEPT_TENSORS * numbers // numbers_kept(program)))


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
