"""What a large spec takes, in seconds and memory: `.venv/bin/python -m benchmarks.large_speed`

It imports no torch: on Linux the peak memory of a process starts with that of the one it was started by.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from benchmarks.large_spec import Shape, large_spec, prompt_ids
from benchmarks.page import cores, cpu, text_table
from compiler.terminal.figures import measured

ROOT = Path(__file__).resolve().parent.parent
_UNIT = 1 if sys.platform == "darwin" else 1024  # of `ru_maxrss`, in bytes


@dataclass(frozen=True)
class Taken:
    """What a process printed, and what it took: a worker says its seconds itself, since its spec is loaded."""

    printed: str
    seconds: float
    cpu_seconds: float
    megabytes: float
    tokens: tuple[int, ...] = ()

    def row(self, what: str, said: int = 0) -> list[str]:
        """With the rate of a worker that has `said` so many tokens."""
        rate = f"{said / self.cpu_seconds:,.0f}" if said else ""
        return [what, measured(self.seconds), measured(self.cpu_seconds), rate, f"{self.megabytes:,.0f} MB"]


@click.command(context_settings={"max_content_width": 110})
@click.option("--context", type=click.IntRange(min=16), default=Shape.context, show_default=True)
@click.option("--layers", type=click.IntRange(min=1), default=Shape.layers, show_default=True)
@click.option("--softmax", default=Shape.softmax, show_default=True)
@click.option("--steps", type=click.IntRange(min=1), default=4000, show_default=True, help="Tokens to say.")
@click.option("--seed", type=int, default=0, show_default=True)
def main(context: int, layers: int, softmax: str, steps: int, seed: int) -> None:
    """Check and build the spec of `benchmarks.large_spec`, have it say tokens, and read them again in one pass.

    Prints seconds, seconds of a processor, tokens in one of these, and the peak memory of each process. The last two
    run on one core; their seconds begin when the spec is loaded. Those of what is said include building the model.
    Run nothing else meanwhile.

    Exit codes: 0 the pass says the same tokens; 1 it does not; 2 a process did not run.
    """
    shape = Shape(context=context, layers=layers, softmax=softmax)
    start = prompt_ids(shape, seed)
    steps = min(steps, context - len(start))
    with tempfile.TemporaryDirectory(prefix="weightspec-") as folder:
        path = Path(folder) / "large.yaml"
        path.write_text(large_spec(shape, seed), encoding="utf-8")
        text = " ".join(f"token[{token}]" for token in start)
        checked = taken("cli.py", "validate", str(path))
        built = taken("cli.py", "build", str(path))
        said = by_worker("say", str(path), text, str(steps))
        read = by_worker("pass", str(path), given=json.dumps([*start, *said.tokens[:-1]]))
    same = sum(a == b for a, b in zip(said.tokens, read.tokens[len(start) - 1 :], strict=True))
    rows = [
        checked.row("validate"),
        built.row("build"),
        said.row(f"say {steps:,} tokens", steps),
        read.row("one pass over them"),
    ]
    click.echo(f"{layers} layers, context {context:,}, softmax {softmax}: {cpu()}, {cores()} cores\n")
    click.echo(text_table(["", "seconds", "of a processor", "tokens a second", "peak memory"], rows))
    click.echo(f"{same:,} of {steps:,} tokens are those of the pass; {len(set(said.tokens))} different ones were said")
    sys.exit(0 if same == steps else 1)


def by_worker(*arguments: str, given: str = "") -> Taken:
    """What `benchmarks/large_worker.py` says, and took."""
    worker = taken("-m", "benchmarks.large_worker", *arguments, given=given)
    found: dict[str, Any] = json.loads(worker.printed)
    times = found["seconds"], found["cpu_seconds"]
    return Taken(worker.printed, *times, worker.megabytes, tuple(found["tokens"]))


def taken(*arguments: str, given: str = "") -> Taken:
    """A process of Python with these arguments, in the root of the repository."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as into:
        into.write(given.encode())
        into.seek(0)
        started = time.perf_counter()
        child = subprocess.Popen([sys.executable, *arguments], stdin=into, stdout=out, cwd=ROOT)
        _, status, usage = os.wait4(child.pid, 0)
        seconds = time.perf_counter() - started
        child.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        printed = out.read().decode()
    assert isinstance(usage, resource.struct_rusage)
    if child.returncode:
        raise click.UsageError(f"`{' '.join(arguments[:3])}` exited with {child.returncode}")
    return Taken(printed, seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * _UNIT / 1e6)


if __name__ == "__main__":
    main()
