"""The fast engine next to that of another commit, and to scalar C: `.venv/bin/python -m benchmarks.engine_before`

`--help` says what is timed.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from benchmarks.engine_speed import every_spec
from benchmarks.other_tree import ROOT, TreeProcess, tree_of
from benchmarks.page import cpu, text_table
from compiler.backends.native.c_compiler import TARGET, find_compiler
from compiler.source.user_cache import SETTING
from compiler.terminal.figures import measured
from compiler.terminal.plain import say

WORKER = Path(__file__).with_name("engine_worker.py")
SCALAR = Path(__file__).with_name("scalar_adder.c")
BEFORE = "e7f2d1d"  # the last commit whose engine followed a bound for each token of each input
BY_HAND = "tiny95"  # whose arithmetic the scalar program does
SUMS = 1_000_000
WAYS = ("engine", "eval")
INSTRUCTIONS = ("avx512f", "avx2", "sse2", "asimd")


@dataclass(frozen=True)
class Asked:
    """A spec with settings, such as `digits=4`."""

    spec: Path
    settings: str = ""

    @property
    def title(self) -> str:
        return " ".join((self.spec.stem, self.settings)).strip()


@dataclass(frozen=True)
class Timing:
    """For how long each way is timed, in how many rounds, and whether on `tensors`: as where there is no compiler."""

    seconds: float
    rounds: int
    tensors: bool


def timed(tree: Path, cache: Path, *, tensors: bool = False) -> TreeProcess:
    """The engine of a source tree, with a cache of its own; on `tensors` without a compiler."""
    return TreeProcess(tree, WORKER, {SETTING: str(cache)} | ({"CC": str(cache / "none")} if tensors else {}))


def rates(process: TreeProcess, asked: Asked, seconds: float) -> dict[str, Any]:
    """What `benchmarks/engine_worker.py` answers."""
    request = {"spec": str(asked.spec), "settings": asked.settings, "seconds": seconds}
    return process.answer(request, asked.title)


def scalar_rate(folder: Path) -> float:
    """Sums a second of the scalar program, which is compiled in a folder; 0 without a compiler."""
    compiler = find_compiler()
    if compiler is None:
        return 0.0
    made = folder / "scalar_adder"
    machine = f"-march={os.environ.get(TARGET) or 'native'}"
    subprocess.run([*compiler, "-O2", machine, str(SCALAR), "-o", str(made), "-lm"], check=True)
    printed = [subprocess.run([made, str(SUMS)], check=True, capture_output=True, text=True).stdout for _ in range(3)]
    assert all(int(line.split()[0]) == SUMS for line in printed), "the scalar program does not add"
    return SUMS / min(float(line.split()[1]) for line in printed)


def instructions() -> str:
    """The widest vector instructions of the processor that the engine knows, or the target that C is compiled for."""
    if os.environ.get(TARGET):
        return f"C for {os.environ[TARGET]}"
    try:
        flags = set(Path("/proc/cpuinfo").read_text(encoding="utf-8").split())
    except OSError:
        flags = set()
    return next((name for name in INSTRUCTIONS if name in flags), "unknown")


@click.command(context_settings={"max_content_width": 110})
@click.argument("specs", nargs=-1, type=click.Path(path_type=Path, exists=True, resolve_path=True))
@click.option("--commit", default=BEFORE, show_default=True, help="The commit to compare with.")
@click.option(
    "--tree", type=click.Path(path_type=Path, exists=True, resolve_path=True), help="Its source tree, instead."
)
@click.option("--set", "settings", default="", metavar="NAME=VALUE", help="Such as digits=4, for every SPEC.")
@click.option("--tensors", is_flag=True, help="Without a compiler: on torch tensors.")
@click.option("--seconds", type=click.FloatRange(min=0, min_open=True), default=0.5, show_default=True)
@click.option("--rounds", type=click.IntRange(min=1), default=3, show_default=True, help="The best of each counts.")
def main(
    specs: tuple[Path, ...],
    commit: str,
    tree: Path | None,
    settings: str,
    tensors: bool,
    seconds: float,
    rounds: int,
) -> None:
    """Decide the same inputs by the engine of this tree and of another commit, of every SPEC (all if none is given).

    The tree of the other commit is built in a git worktree. Both programs take turns, each on one thread, and their
    processor time is compared, of the engine alone and of all that `eval` does: a ratio above 1 says that this tree is
    faster. `start` is the processor time until the engine can run, with compiling its C. `left` is the share of the
    inputs that is left to the plain module. The arithmetic of tiny95 is also done by a program of scalar C, unless all
    is timed on tensors.
    """
    every = [Asked(path, settings) for path in specs or every_spec()]
    timing = Timing(seconds, rounds, tensors)
    with tempfile.TemporaryDirectory(prefix="weightspec-") as folder:
        say(f"{cpu()}, {instructions()}, one thread; inputs a second of the processor")
        if tree is not None:
            _compare(tree, every, Path(folder), timing)
        else:
            with tree_of(commit) as made:
                _compare(made, every, Path(folder), timing)


def _compare(tree: Path, every: list[Asked], folder: Path, timing: Timing) -> None:
    header = ["spec", "engine", "before", "ratio", "eval", "before", "ratio", "left", "before", "start", "before"]
    rows, by_hand, tensors = [], [], timing.tensors
    with (
        timed(ROOT, folder / "now", tensors=tensors) as now,
        timed(tree, folder / "before", tensors=tensors) as before,
    ):
        for asked in every:
            say(f"{asked.title} ...", error=True)
            found = [[rates(process, asked, timing.seconds) for process in (now, before)] for _ in range(timing.rounds)]
            cells, best = [asked.title], [_best(side) for side in zip(*found, strict=True)]
            for way in WAYS:
                both = [side[way]["rate"] for side in best]
                cells += [*(f"{rate:,.0f}" for rate in both), f"{both[0] / both[1]:.2f}"]
            cells += [f"{side['eval']['left']:.2%}" for side in best]
            rows.append([*cells, *(measured(side["start"]) + " s" for side in best)])
            is_by_hand = asked == Asked(ROOT / "specs" / f"{BY_HAND}.yaml") and not tensors
            if is_by_hand and (scalar := scalar_rate(folder)):
                times = ", ".join(f"{name} {best[0][name]['rate'] / scalar:.2f}" for name in WAYS)
                by_hand.append(f"scalar C for {BY_HAND}: {scalar:,.0f} sums a second; times that: {times}")
    for line in (*text_table(header, rows).splitlines(), *by_hand):
        say(line)


def _best(answers: tuple[dict[str, Any], ...]) -> dict[str, Any]:
    """The best rate of each way; the first start, which compiles."""
    best = {way: max((answer[way] for answer in answers), key=lambda rate: rate["rate"]) for way in WAYS}
    return answers[0] | best


if __name__ == "__main__":
    main()
