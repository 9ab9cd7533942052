"""What it costs that `eval` checks its engine on every run: `.venv/bin/python -m benchmarks.self_check [SPEC]...`"""

from __future__ import annotations

from pathlib import Path

import click

from benchmarks.page import text_table
from benchmarks.rates import self_check_measured
from compiler import SpecError, load
from compiler.terminal.figures import measured

ROOT = Path(__file__).resolve().parent.parent
SPECS = ("tiny95.yaml", "qwen20.yaml", "reverse.yaml", "gallery/Lokimorty_39p.yaml", "gallery/fblissjr_33p.yaml")


@click.command()
@click.argument("specs", nargs=-1, type=click.Path(path_type=Path))
@click.option("--pairs", type=click.IntRange(min=1), default=2_000_000, show_default=True)
def main(specs: tuple[Path, ...], pairs: int) -> None:
    """Run so many pairs of the suite `uniform` as `eval` does, and say how much of the time the check takes."""
    rows = []
    for path in specs or tuple(ROOT / "specs" / name for name in SPECS):
        try:
            spec = load(path)
            engine, seconds, spent = self_check_measured(spec, pairs)
        except (SpecError, ValueError) as error:
            raise click.UsageError(str(error)) from None
        share = f"{100 * spent / seconds:.1f} %"
        rows.append([spec.name, engine, f"{pairs:,}", measured(seconds), measured(spent), share])
    click.echo(text_table(["spec", "engine", "pairs", "seconds", "for the check", "share"], rows), nl=False)


if __name__ == "__main__":
    main()
