"""How fast inputs are made, words and tokens, next to another commit: `.venv/bin/python -m benchmarks.task_inputs`

`--help` says what is timed.
"""

from __future__ import annotations

import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

import click

from benchmarks.other_tree import ROOT, TreeProcess, tree_of
from compiler.terminal.plain import say

WORKER = Path(__file__).with_name("input_worker.py")
BEFORE = "28d1002"  # the last commit whose tasks were programs
BLOCKS = (4096, 16384, 65536)
CHECKED = 20_000  # inputs that are compared
REWRITING = ("copy", "reverse", "sort")


@dataclass(frozen=True)
class Asked:
    """A spec, and the suite whose inputs are made."""

    title: str
    spec: Path
    settings: str = ""
    suite: str = "uniform"


def seconds_for(maker: TreeProcess, asked: Asked, inputs: int, block: int) -> float:
    """The processor time for so many inputs."""
    return float(_answer(maker, asked, inputs, block, checked=False)["seconds"])


def checksum(maker: TreeProcess, asked: Asked) -> int:
    """A checksum of all tokens of some inputs."""
    return int(_answer(maker, asked, CHECKED, BLOCKS[0], checked=True)["checksum"])


def _answer(maker: TreeProcess, asked: Asked, inputs: int, block: int, *, checked: bool) -> dict[str, float]:
    return maker.answer({**asdict(asked), "inputs": inputs, "block": block, "checked": checked}, asked.title)


def all_asked(folder: Path) -> list[Asked]:
    """Additions of several lengths, and the other tasks of the package, whose specs are written into a folder."""
    addition = _written(folder, "tiny95", "tiny95", {})
    found = [Asked(f"addition, {n} digits", addition, f"digits={n}") for n in (4, 10, 32)]
    found += [Asked(f"carries, {n} digits", addition, f"digits={n}", "carries") for n in (10, 32)]
    others = {name: _written(folder, name, "reverse", {"reverse: {": f"{name}: {{"}) for name in REWRITING}
    return [*found, *(Asked(name, path) for name, path in others.items())]


def _written(folder: Path, name: str, original: str, changes: dict[str, str]) -> Path:
    """A spec of this repository without its claims, which other commits may write in another way."""
    text = (ROOT / "specs" / f"{original}.yaml").read_text(encoding="utf-8").partition("\nexpect:")[0] + "\n"
    for before, after in changes.items():
        text = text.replace(before, after)
    path = folder / f"{name}.yaml"
    path.write_text(text, encoding="utf-8")
    return path


@click.command(context_settings={"max_content_width": 110})
@click.option("--commit", default=BEFORE, show_default=True, help="The commit to compare with.")
@click.option(
    "--tree", type=click.Path(path_type=Path, exists=True, resolve_path=True), help="Its source tree, instead."
)
@click.option("--inputs", type=click.IntRange(min=1), default=1 << 17, show_default=True, help="Inputs of one timing.")
@click.option("--rounds", type=click.IntRange(min=1), default=7, show_default=True, help="The best of each counts.")
def main(commit: str, tree: Path | None, inputs: int, rounds: int) -> None:
    """Make inputs of suites, words and tokens of prompt and answer, in blocks of several sizes.

    The tree of another commit is built in a git worktree. Both programs take turns, each on one thread, and their
    processor time is compared: a ratio above 1 says that this tree is faster. Exits with 1 where both do not make the
    same inputs.
    """
    with tempfile.TemporaryDirectory(prefix="weightspec-") as folder:
        if tree is not None:
            compare(tree, all_asked(Path(folder)), inputs, rounds)
            return
        with tree_of(commit) as made:
            compare(made, all_asked(Path(folder)), inputs, rounds)


def compare(tree: Path, every: list[Asked], inputs: int, rounds: int) -> None:
    """Print a line for each suite and block."""
    say(f"{'inputs':<20} {'block':>7} {'now':>8} {'before':>8} {'ratio':>6}   (million inputs a second of one thread)")
    with TreeProcess(ROOT, WORKER) as now, TreeProcess(tree, WORKER) as before:
        for asked in every:
            if checksum(now, asked) != checksum(before, asked):
                raise click.ClickException(f"{asked.title}: the inputs are not the same")
            for block in BLOCKS:
                timed = [[seconds_for(maker, asked, inputs, block) for maker in (now, before)] for _ in range(rounds)]
                fast, slow = map(min, zip(*timed, strict=True))
                rates = f"{inputs / fast / 1e6:>8.2f} {inputs / slow / 1e6:>8.2f}"
                say(f"{asked.title:<20} {block:>7,} {rates} {slow / fast:>6.2f}")


if __name__ == "__main__":
    main()
