"""The fast engine: a spec's programs, as compiled C where that is worth it, or on torch tensors."""

from __future__ import annotations

from collections.abc import Callable, Sequence
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

WORTH_COMPILING = 5_000  # sequences for each program that take torch as long as it takes to compile it
NATIVE_BLOCK = 1 << 16
MOST_ROWS = 1 << 16  # sequences from several starts that are run at once
TENSOR_NUMBERS = 1 << 20  # numbers in one tensor on the CPU: more leave the cache
DEVICE_NUMBERS = 1 << 25
KEPT_TENSORS = 64  # as large as the largest may be, that are kept at once
MAX_TENSOR_BLOCK = 1 << 16


@dataclass(frozen=True, eq=False)
class _Runner:
    """Says the slots of one program: sequences [B, length] to tokens [B, slots]."""

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
        places = {slot: k for k, slot in enumerate(self.predicted)}
        at_once = max(1, MOST_ROWS // max(1, len(prompts)))
        for runner in self.runners:
            starts = list(runner.program.at_each_start())
            for first in range(0, len(starts), at_once):
                some = starts[first : first + at_once]
                rows = runner.run(_read(prompts, answers, some))
                for alone, said_rows in zip(some, np.split(rows, len(some)), strict=True):
                    tokens[:, [places[slot] for slot in alone.slots]] = said_rows
        return tokens


def _read(prompts: Tokens, answers: Tokens, starts: Sequence[Program]) -> Tokens:
    """What a program reads of them from each start, one after the other: [starts · B, length]."""
    length, end = starts[0].length, prompts.shape[1]
    rows = np.empty((len(starts), len(prompts), length), dtype=np.int32)
    for into, alone in zip(rows, starts, strict=True):
        first, last = alone.positions.start, alone.positions.stop
        of_prompt = min(length, max(0, end - first))
        into[:, :of_prompt] = prompts[:, first : first + of_prompt]
        into[:, of_prompt:] = answers[:, max(0, first - end) : max(0, last - end)]
    return rows.reshape(-1, length)


def programs(spec: Spec) -> tuple[Program, ...]:
    """What is run for a spec. Raises `NotFollowed`."""
    return tuple(prepared(program, spec.network, "fast engine") for program in translate(spec.network, spec.layout))


def fast_engine(spec: Spec, device: torch.device, inputs: int, threads: int) -> FastEngine:
    """The engine for so many inputs in all. Raises `EngineUnavailable` where the network cannot be followed."""
    try:
        made = programs(spec)
    except (NotFollowed, NoRule) as error:
        raise EngineUnavailable(str(error)) from None
    why = _not_compiled(device, inputs * max(len(program.starts) for program in made), len(made))
    runners: list[_Runner] = []
    if why is None:
        for program in made:
            runner = _native(program, threads)
            if isinstance(runner, str):
                why = runner
                break
            runners.append(runner)
    predicted = spec.layout.predicted
    if why is None:
        return FastEngine(f"compiled C, {_count(threads, 'thread')}", NATIVE_BLOCK, tuple(runners), predicted)
    try:
        runners = [_on_tensors(program, device) for program in made]
    except NoRule as error:
        raise EngineUnavailable(str(error)) from None
    block = min(_tensor_block(program, device) for program in made)
    return FastEngine(f"torch tensors on {device}: {why}", block, tuple(runners), predicted)


def _not_compiled(device: torch.device, sequences: int, count: int) -> str | None:
    """Why nothing is compiled of so many programs, of which one reads so many sequences; None where it is."""
    if device.type != "cpu":
        return "C runs on the CPU"
    return "too few inputs to compile C for" if sequences < WORTH_COMPILING * count else None


def _native(program: Program, threads: int) -> _Runner | str:
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

    return _Runner(program, run)


def _on_tensors(program: Program, device: torch.device) -> _Runner:
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
    return _Runner(program, run)


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
