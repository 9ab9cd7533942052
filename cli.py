"""The command line. `python cli.py --help` lists the commands; each is a function in `compiler/commands/`."""

from __future__ import annotations

import os
import signal
import sys
from types import TracebackType

if os.name != "posix":
    print("error: weightspec runs on Linux and macOS; on Windows, use WSL", file=sys.stderr)
    sys.exit(2)

if (processes := sys.modules.get("multiprocessing")) is not None and processes.current_process().name != "MainProcess":
    # a process that another one has started, which says what there is to be said
    signal.signal(signal.SIGINT, lambda *_: os._exit(130))
elif (
    __name__ == "__main__"
    or os.path.basename(sys.argv[0]).startswith("weightspec")  # the installed script
    or sys.argv[0].endswith(os.path.join("compiler", "__main__.py"))
):

    def interrupted(*_: object) -> None:
        """Before the commands, and after them, there is nothing to clean up."""
        os.write(2, b"interrupted\n")
        os._exit(130)

    def uncaught(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        """An error outside of the commands, such as a library that is missing: never the exit code of a refutation."""
        if issubclass(kind, KeyboardInterrupt):
            interrupted()
        sys.__excepthook__(kind, error, trace)
        os._exit(4)

    signal.signal(signal.SIGINT, interrupted)
    sys.excepthook = uncaught

import gc
import io

import click

from compiler.commands.ablating import ablate
from compiler.commands.checking import lint
from compiler.commands.claiming import claim
from compiler.commands.counting import count
from compiler.commands.explaining import explain
from compiler.commands.plotting import plot
from compiler.commands.reading import diff, show
from compiler.commands.reporting import report
from compiler.commands.running import build, eval_command, run
from compiler.commands.shared import CommandGroup, print_version
from compiler.commands.sweeping import sweep
from compiler.commands.thresholds import threshold
from compiler.commands.tracing import trace
from compiler.commands.verifying import verify
from compiler.commands.writing import fmt, new, schema, validate

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # torch's threads must not spin where other work runs too

SETTINGS = {"max_content_width": 110, "help_option_names": ["-h", "--help"]}
EXIT_CODES = """
A code in brackets ends each error, warning and finding: `explain CODE` says what it means.

Exit codes: 0 done and as expected; 1 done, but a claim failed, a difference was found, the answer of `run` is wrong or
cut short, a protocol is not passed, a rule is broken or a spec is refuted; 2 the spec or the call is wrong; 3
undecided; 4 a fault of this program, which says what to send; 130 interrupted. Wrong answers alone leave `eval` at 0.
"""


@click.group(cls=CommandGroup, epilog=EXIT_CODES, context_settings=SETTINGS)
@click.option(
    "--version", is_flag=True, is_eager=True, expose_value=False, callback=print_version, help="Print the version."
)
def main() -> None:
    """Transformers whose every weight is an equation in one YAML file.

    Start with:  python cli.py build tiny95 --eval

    A SPEC is a YAML file, a saved model, the name of an example (tiny95, qwen20, parity, sort and others), or - for
    standard input.
    """
    gc.set_threshold(100_000, 50, 50)  # specs become trees of very many small objects, which leave no cycles behind
    for stream in (sys.stdout, sys.stderr):  # a name that the terminal cannot show is escaped, not a crash
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


for command in (
    new,
    validate,
    explain,
    lint,
    fmt,
    show,
    count,
    diff,
    build,
    eval_command,
    run,
    trace,
    ablate,
    verify,
    threshold,
    sweep,
    plot,
    claim,
    report,
    schema,
):
    main.add_command(command)

if __name__ == "__main__":
    main()
