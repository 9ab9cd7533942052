"""Options for a model of another program, and what it is asked."""

from __future__ import annotations

import atexit
import os
import sys
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

import compiler
from compiler.commands.interruptions import end_at_once
from compiler.commands.shared import EXIT_BAD_INPUT, Command, Loading, complete_specs, spec_path, with_options
from compiler.source.diagnostics import SpecError

if TYPE_CHECKING:  # it imports torch
    from compiler.backends.torch.foreign import ForeignModel


@dataclass(frozen=True)
class Foreign:
    """A model of another program as it is named in a call; None where an option was not given."""

    model: Path | None
    like: Path | None
    task: Path | None
    trust_code: bool

    def load(self, loading: Loading) -> ForeignModel:
        """The model, its warnings printed, and what it is asked: by --task, else by the spec that it is like.

        Raises `SpecError`.
        """
        if self.model is None:
            raise click.UsageError("Missing argument 'SPEC': give a spec, or --model with --task or --like")
        if self.task is None and self.like is None:
            raise click.UsageError("--model needs --task, which says what it is asked, or --like, a spec that does")
        like = None if self.like is None else loading.load(self.like)
        task = like if self.task is None else loading.load_task(self.task)
        assert task is not None
        try:
            loaded = compiler.load_foreign(self.model, task, like=like, trust_code=self.trust_code)
        except KeyboardInterrupt:
            end_at_once()
        except SpecError as error:
            from compiler.backends.torch.foreign import HANGS

            if any(found.code == HANGS for found in error.diagnostics):
                atexit.register(_leave, EXIT_BAD_INPUT)
            raise
        loading.settle(loaded.warnings, loaded.resolved.document)
        return loaded

    def refuse(self) -> None:
        """These options say nothing of a spec."""
        if self.model is not None:
            raise click.UsageError("give a spec or --model, not both; the spec of the network goes with --like")
        if self.like is not None or self.task is not None or self.trust_code:
            raise click.UsageError(
                "--like, --task and --trust-code go with --model: a spec says itself what it is asked"
            )


def _leave(code: int) -> None:
    """The end of a process one of whose threads runs on, which would crash where Python cleans up."""
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.flush()
    os._exit(code)


def foreign_options(command: Command) -> Command:
    """The options, handed over as one `foreign`."""

    @wraps(command)
    def packed(
        *arguments: Any, model: Path | None, like: Path | None, task: Path | None, trust_code: bool, **others: Any
    ) -> Any:
        return command(*arguments, foreign=Foreign(model, like, task, trust_code), **others)

    return with_options(
        click.option(
            "--model",
            type=click.Path(path_type=Path),
            metavar="FILE",
            help="Ask a model of another program: .safetensors, TorchScript or torch.export.",
        ),
        click.option(
            "--like",
            type=spec_path,
            shell_complete=complete_specs,
            metavar="SPEC",
            help="With --model FILE.safetensors: the spec of its network, whose tensors are those of the file.",
        ),
        click.option(
            "--task",
            type=spec_path,
            shell_complete=complete_specs,
            metavar="TASK.yaml",
            help="With --model: a file with `vocabulary`, `task` and, if need be, `decode`, or a spec, of which only"
            " these are read. Without it, what the spec of --like asks.",
        ),
        click.option(
            "--trust-code",
            is_flag=True,
            help="With --model: run the code that a file of TorchScript or torch.export holds. It can do whatever you"
            " can, so give it for files of people you trust only.",
        ),
    )(packed)
