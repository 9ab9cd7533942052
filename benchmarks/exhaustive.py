"""What an exhaustive run takes, in seconds and memory: `.venv/bin/python -m benchmarks.exhaustive [SPEC]`.

It imports no torch: on Linux the peak memory of a process starts with that of the one it was started by.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import click

from benchmarks.page import NoSection, TableWriter, cores, cpu, markdown_table, put, text_table
from compiler.source.user_cache import SETTING
from compiler.terminal.figures import measured

ROOT = Path(__file__).resolve().parent.parent
SHOWN_CLASSES = 5
_UNIT = 1 if sys.platform == "darwin" else 1024  # of `ru_maxrss`, in bytes


@click.command(context_settings={"max_content_width": 110})
@click.argument("spec", default="specs/tiny95.yaml")
@click.option("--digits", type=click.IntRange(min=1), default=4, show_default=True, help="Digits of an operand.")
@click.option("--json", "printed_as_json", is_flag=True, help="Print JSON.")
@click.option("--page", type=click.Path(path_type=Path), metavar="FILE.md", help="Write the result into the page.")
def main(spec: str, digits: int, printed_as_json: bool, page: Path | None) -> None:
    """Run every pair of operands of SPEC (specs/tiny95.yaml if not given) through `eval`, in a process of its own.

    Prints how many are right, how many the plain module decided one at a time, the classes of failures, the time and
    the peak memory of the process. The run has an empty cache: its C is compiled, and nothing is resumed.

    Exit codes: 0 measured; 2 `eval` did not run.

    \b
    .venv/bin/python -m benchmarks.exhaustive
    .venv/bin/python -m benchmarks.exhaustive specs/qwen20.yaml --digits 2
    """
    command = ["python", "cli.py", "eval", spec, "--set", f"digits={digits}", "--suite", "exhaustive"]
    found = run(command) | {"command": " ".join(command), "cpu": cpu(), "cores": cores()}
    text = (
        json.dumps(found, indent=2) if printed_as_json else shown(found, text_table if page is None else markdown_table)
    )
    if page is None:
        click.echo(text)
        return
    try:
        put(page, "exhaustive", text)
    except (OSError, NoSection) as error:
        raise click.UsageError(str(error)) from None


def run(command: list[str]) -> dict[str, Any]:
    """What `eval` found, and what its process took."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryDirectory(prefix="weightspec-") as cache:
        child = subprocess.Popen(
            [sys.executable, *command[1:], "--json"],
            stdin=subprocess.DEVNULL,
            stdout=out,
            cwd=ROOT,
            env={**os.environ, SETTING: cache},
        )
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        printed = out.read()
    assert isinstance(usage, resource.struct_rusage)
    if child.returncode not in (0, 1):  # 1 would be a claim that failed
        raise click.UsageError(f"`{' '.join(command)}` exited with {child.returncode}")
    suite: dict[str, Any] = json.loads(printed)["suites"][0]
    return suite | {"megabytes": usage.ru_maxrss * _UNIT / 1e6, "cpu_seconds": usage.ru_utime + usage.ru_stime}


def shown(found: dict[str, Any], table: TableWriter) -> str:
    """The figures, and each class of failures."""
    pairs, close = found["pairs"], sum(part["close"] for part in found["parts"])
    rate = measured(pairs / found["seconds"])
    header = ["suite", "pairs", "right", "decided one at a time", "seconds", "per second", "peak memory"]
    row = ["exhaustive", f"{pairs:,}", f"{found['right']:,}", f"{close:,}", measured(found["seconds"]), rate]
    lines = [f"`{found['command']}`: {found['cpu']}, {found['cores']} cores", ""]
    lines.append(table(header, [[*row, f"{found['megabytes']:,.0f} MB"]]))
    classes = [one for part in found["parts"] for one in part["classes"]]
    for one in classes[:SHOWN_CLASSES]:
        what = f"{one['said']} in place of {one['expected']} in {one['slot']}"
        lines.append(f"- {one['count']:,} times {what}, such as {one['input']}")
    if len(classes) > SHOWN_CLASSES:
        lines.append(f"- and {len(classes) - SHOWN_CLASSES:,} other classes of failures")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
