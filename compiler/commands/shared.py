"""What commands share: how specs are loaded, and what happens when one is wrong or the user has had enough."""

from __future__ import annotations

import os
import re
import shlex
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import reduce, wraps
from itertools import takewhile
from pathlib import Path
from typing import Any, NoReturn

import click
from click.core import ParameterSource
from click.shell_completion import CompletionItem

import compiler
from compiler.commands import completion
from compiler.commands.interruptions import EXIT_INTERRUPTED, interruptible
from compiler.language.warnings import settled_warnings
from compiler.pipeline import Spec, StatedTask
from compiler.readers.counting.claims import ClaimResult
from compiler.source.diagnostics import Diagnostic, SpecError, fail, raise_errors
from compiler.source.document import STANDARD_INPUT, Mapping
from compiler.source.examples import examples
from compiler.source.printable import printable
from compiler.source.version import installed_version
from compiler.terminal import shapes
from compiler.terminal.plain import say

Command = Callable[..., Any]

EXIT_FAILED_CLAIM = EXIT_DIFFERENCE = EXIT_WRONG_ANSWER = EXIT_NOT_QUALIFIED = EXIT_BROKEN_RULE = EXIT_REFUTED = 1
EXIT_CUT_SHORT = 1  # fewer tokens were said than were asked for
EXIT_BAD_INPUT = 2
EXIT_UNDECIDED = 3
EXIT_FAULT = 4  # of this program, never of the spec or the call
EXIT_BROKEN_PIPE = 141
_WORDS = "words"  # the words of the call, by this name in the context of click

PROGRAM = "python cli.py"  # as help and messages are written; they are shown with the words of the call


def spec_path(word: str) -> Path:
    """A spec as a word of the call: a file, the name of an example, or `-` for standard input."""
    return STANDARD_INPUT if word == "-" else Path(word)


def complete_specs(_ctx: click.Context, _parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Examples, and files."""
    names = map(CompletionItem, completion.starting(examples(), incomplete))
    return [*names, CompletionItem(incomplete, type="file")]


spec_argument = click.argument("spec", type=spec_path, shell_complete=complete_specs)
specs_argument = click.argument("specs", nargs=-1, required=True, type=spec_path, shell_complete=complete_specs)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON for scripts.")


def verbatim(text: str) -> str:
    """Paragraphs whose lines click leaves as they are."""
    return "\b\n" + text.replace("\n\n", "\n\n\b\n")


def failure_limit(ctx: click.Context, param: click.Parameter, value: str) -> int | None:
    """The callback of `--failures`: a number, or None for `all`."""
    if value == "all":
        return None
    if not (value.isascii() and value.isdigit() and len(value) < 10):
        raise click.BadParameter(f"'{value}' is neither a number nor 'all'", ctx, param)
    return int(value)


def _seconds_above_zero(ctx: click.Context, param: click.Parameter, value: float | None) -> float | None:
    """The callback of an option that is a time; infinity is no limit."""
    if value is not None and not value > 0:  # which NaN is not either
        raise click.BadParameter(f"{value:g} is not a number of seconds above 0", ctx, param)
    return value


def seconds_option(*names: str, says: str, default: float | None = None) -> Callable[[Command], Command]:
    """An option that is a time for each spec, each value or each point."""
    return click.option(
        *names,
        type=float,
        metavar="SECONDS",
        default=default,
        show_default=default is not None,
        callback=_seconds_above_zero,
        help=says,
    )


def with_options(*declared: Callable[[Command], Command]) -> Callable[[Command], Command]:
    """Several options as one decorator; `--help` lists them in this order."""
    return lambda command: reduce(lambda decorated, option: option(decorated), reversed(declared), command)


suite_options = with_options(  # of every command that runs suites
    click.option(
        "--suite",
        "suites",
        multiple=True,
        shell_complete=completion.read_off_spec(completion.suites),
        help="Run only this suite. Repeatable. See `eval --help`.",
    ),
    click.option("--inputs", "--pairs", "inputs", type=int, help="How many inputs each suite that samples draws."),
    click.option("--seed", type=int, help="Seed of the suites that sample; 0 if not given."),
)
journal_options = with_options(  # of commands that keep what they find, and go on after an interruption
    click.option(
        "--journal",
        type=click.Path(path_type=Path),
        metavar="FILE",
        help="Keep the results in this file, and compute nothing that it has. By default, a file in the user's cache.",
    ),
    click.option("--restart", is_flag=True, help="Compute everything, also what the journal has."),
)
evaluation_options = with_options(  # of every command that evaluates one spec
    suite_options,
    click.option(
        "--protocol",
        metavar="NAME",
        shell_complete=completion.read_off_spec(completion.protocols),
        help="Run a test that others have fixed, and exit with 1 where it is not passed. See `eval --help`.",
    ),
    click.option(
        "--decode",
        "decoding",
        type=click.Choice(["teacher", "greedy"]),
        default="teacher",
        show_default=True,
        help="Decide by one teacher-forced pass, or token by token. For a causal model the verdicts are the same.",
    ),
    click.option(
        "--engine",
        type=click.Choice(["plain", "fast"]),
        default="fast",
        show_default=True,
        help="What computes most tokens. plain: the torch module, one sequence at a time. fast: code made for the spec;"
        " where it cannot follow the spec, it says so and plain runs. The verdicts are the same: plain decides where"
        " fast is not sure.",
    ),
    click.option(
        "--batch",
        type=click.IntRange(min=1),
        metavar="N",
        help="Where the plain engine runs, compute N sequences at once. That is faster, but does not show that the"
        " verdicts are those of one sequence; the report counts them.",
    ),
    click.option(
        "--failures",
        metavar="N|all",
        default="5",
        show_default=True,
        callback=failure_limit,
        help="How many wrong answers to keep for each part of a suite; at most as many in all are listed, or 12.",
    ),
    click.option("--device", default="cpu", show_default=True, help="A torch device, such as cuda."),
    click.option(
        "--restart",
        is_flag=True,
        help="Begin again where an earlier run of more than a million inputs was interrupted.",
    ),
)


def check_ending(path: Path, what: str, example: str) -> None:
    """Refuse the name of a file to be written that has another ending than the example. Raises `SpecError`."""
    expected = Path(example)
    if path.suffix != expected.suffix:
        message = f"{what}, and '{path}' does not end in {expected.suffix}"
        raise fail("bad-value", message, hint=f"for example {path.stem or expected.stem}{expected.suffix}")


def given_on_the_command_line(names: Iterable[str]) -> list[str]:
    """The options, as they are written, that the user has given, of those with these names in the code."""
    context = click.get_current_context()
    given = [name for name in names if context.get_parameter_source(name) is ParameterSource.COMMANDLINE]
    return [parameter.opts[0] for parameter in context.command.params if parameter.name in given]


@dataclass(frozen=True)
class Loading:
    """How specs are loaded: `--set`, and what is let pass."""

    settings: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    strict: bool = False
    allow_overflow: bool = False

    @property
    def words(self) -> tuple[str, ...]:
        """The options as they are written in a call."""
        settings = (word for setting in self.settings for word in ("--set", setting))
        ignored = (word for code in self.ignore for word in ("--ignore", code))
        flags = ["--strict"] * self.strict + ["--allow-overflow"] * self.allow_overflow
        return (*settings, *ignored, *flags)

    def load(self, path: Path, *, varied: bool = True) -> Spec:
        """The spec, its warnings printed; without `--set` where it is not to be `varied`. Raises `SpecError`."""
        from compiler.terminal.console import print_diagnostics

        spec = self.checked(path, varied=varied)
        print_diagnostics(spec.warnings)
        return spec

    def load_task(self, path: Path) -> StatedTask:
        """What a document or a spec asks, its warnings printed. Raises `SpecError`."""
        from compiler.terminal.console import print_diagnostics

        stated = compiler.load_task(path, self.settings, ignore=self.ignore, strict=self.strict)
        print_diagnostics(stated.warnings)
        return stated

    def settle(self, warnings: Iterable[Diagnostic], document: Mapping) -> None:
        """Print those of the warnings about a document that count. Raises `SpecError` where they are errors."""
        from compiler.terminal.console import print_diagnostics

        settled = settled_warnings(warnings, document, self.ignore, strict=self.strict)
        raise_errors(settled)
        print_diagnostics(settled)

    def load_each(self, paths: Iterable[Path]) -> tuple[list[Spec], list[Diagnostic]]:
        """The specs that are valid, their warnings printed, and what is wrong with the others."""
        loaded: list[Spec] = []
        wrong: list[Diagnostic] = []
        for path in paths:
            try:
                loaded.append(self.load(path))
            except SpecError as error:
                wrong += error.diagnostics
        return loaded, wrong

    def checked(self, path: Path, *, varied: bool = True) -> Spec:
        """The spec, its warnings not printed. Raises `SpecError`."""
        settings = self.settings if varied else ()
        return compiler.load(path, settings, ignore=self.ignore, strict=self.strict, allow_overflow=self.allow_overflow)


def command_line(command: str, paths: Iterable[Path], *options: str) -> str:
    """A call of this program for a shell, which calls it as it was called itself."""
    return f"{program()} {shlex.join([command, *map(_word, paths), *options])}"


def program() -> str:
    """The words by which this program was called."""
    called = Path(sys.argv[0] if sys.argv else "")
    if called.name == "weightspec":
        return "weightspec"
    if called.name == "__main__.py" and called.parent.name == "compiler":
        return "python -m compiler"
    return shlex.join(["python", str(called)]) if called.name == "cli.py" else PROGRAM


def as_called(text: str) -> str:
    """A text whose calls of this program are made as it was called itself."""
    return text.replace(PROGRAM, program())


def _word(path: Path) -> str:
    """A path as a word of a call."""
    if path == STANDARD_INPUT:
        return "-"
    return f"./{path}" if str(path).startswith("-") else str(path)


def print_checked_claims(claims: Sequence[ClaimResult], path: Path, loading: Loading) -> None:
    """The claims of a spec, and what checks those that were not checked."""
    from compiler.terminal.counts import print_claims

    print_claims(claims, lambda command, *options: command_line(command, [path], *loading.words, *options))


def loading_options(command: Command) -> Command:
    """Options of every command that loads specs, handed over as one `loading`."""

    @wraps(command)
    def packed(
        *arguments: Any,
        settings: tuple[str, ...],
        ignore: tuple[str, ...],
        strict: bool,
        allow_overflow: bool,
        **options: Any,
    ) -> Any:
        return command(*arguments, loading=Loading(settings, ignore, strict, allow_overflow), **options)

    return with_options(
        click.option(
            "--set",
            "settings",
            multiple=True,
            metavar="NAME=VALUE",
            shell_complete=completion.read_off_spec(completion.settings),
            help="Vary the spec. NAME is a constant, a parameter, a derived value, a task size, or a path such as"
            " layer0.attention.softmax or task.columns.next carry. Repeatable.",
        ),
        click.option("--strict", is_flag=True, help="Treat warnings as errors."),
        click.option(
            "--ignore",
            multiple=True,
            metavar="CODE",
            shell_complete=completion.codes,
            help="Switch off a warning by its code. Repeatable.",
        ),
        click.option("--allow-overflow", is_flag=True, help="Store a weight too large for the dtype as an infinity."),
    )(packed)


def _refuse_apart(words: Sequence[str]) -> None:
    """Refuse `--set name = value` in several words, whose last ones would be taken for specs. Raises `UsageError`."""
    for i, word in enumerate(words[:-2]):
        name, after = words[i + 1], words[i + 2]
        apart = after.startswith("=") if "=" not in name else name.endswith("=") and re.match(r"[-+.\d(\[]", after)
        if word == "--set" and apart and not os.path.exists(after):
            value = " ".join(words[i + 2 : i + 4] if after == "=" else [after]).removeprefix("=").strip()
            setting = shlex.quote(f"{name.removesuffix('=')}={value}")
            raise click.UsageError(f"--set takes one word: --set {setting}")


class SpecCommand(click.Command):
    """Turns what the compiler finds wrong with a spec into diagnostics and an exit code."""

    def get_help(self, ctx: click.Context) -> str:
        return as_called(super().get_help(ctx))

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        _refuse_apart(args)
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption as error:
            if not any(parameter.name == "inputs" and parameter.nargs == -1 for parameter in self.params):
                raise
            if not re.match(r"-\d", error.option_name):
                raise
            hint = f"Inputs that begin with - stand behind --, as in `{self.name} SPEC -- -3 4`."
            raise click.UsageError(f"{error.format_message()} {hint}", ctx) from None

    def invoke(self, ctx: click.Context) -> Any:
        as_json = bool(ctx.params.get("as_json"))
        with _clean_ends(as_json=as_json):
            try:
                result = super().invoke(ctx)
                if sys.stdout is not None:
                    sys.stdout.flush()
                return result
            except SpecError as error:
                _fail(error, as_json=as_json)


class CommandGroup(click.Group):
    """All commands, whose ends are clean before one of them is called too, as in `--help >/dev/full`."""

    def main(self, *arguments: Any, **options: Any) -> Any:
        with interruptible(CommandGroup.main), _clean_ends():
            return super().main(*arguments, **options)

    def get_help(self, ctx: click.Context) -> str:
        return as_called(super().get_help(ctx))

    def make_context(self, info_name: str | None, args: list[str], *more: Any, **extra: Any) -> click.Context:
        words = tuple(args)
        with _clean_ends(), _wrong_calls(words):  # click would make an exit code of 1 of an interruption
            context = super().make_context(info_name, args, *more, **extra)
        context.meta[_WORDS] = words
        return context

    def invoke(self, ctx: click.Context) -> Any:
        with _clean_ends(), _wrong_calls(ctx.meta[_WORDS]):
            return super().invoke(ctx)


@contextmanager
def _wrong_calls(words: Sequence[str]) -> Iterator[None]:
    """What click says of a wrong call: as JSON where `--json` is one of its words. The message quotes the call."""
    try:
        yield
    except click.ClickException as error:
        vars(error)["message"] = printable(error.message, kept="\n")  # which click calls final
        if "--json" not in takewhile(lambda word: word != "--", words):
            raise
        context = getattr(error, "ctx", None)
        hint = None if context is None else f"`{context.command_path} --help` lists the options"
        _fail(SpecError([Diagnostic("usage", error.format_message(), hint=hint)]), as_json=True)


@contextmanager
def _clean_ends(*, as_json: bool = False) -> Iterator[None]:
    """An exit code and a line instead of a traceback, where the world outside is at fault, or this program."""
    try:
        yield
    except BrokenPipeError:
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115 - nobody reads on; nothing more can be said there
        sys.exit(EXIT_BROKEN_PIPE)
    except OSError as error:
        say(f"error: {error.strerror or error}", error=True)
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115
        sys.exit(EXIT_BAD_INPUT)
    except MemoryError:
        say("error: not enough memory for this", error=True)
        sys.exit(EXIT_BAD_INPUT)
    except KeyboardInterrupt as stop:
        say(str(stop) or "interrupted", error=True)
        sys.exit(EXIT_INTERRUPTED)
    except (click.ClickException, click.exceptions.Exit, click.Abort):
        raise
    except Exception as error:
        _fault(error, as_json=as_json)


def _fault(error: Exception, *, as_json: bool) -> NoReturn:
    """Say what to send: on standard error also beside JSON, as it is for people."""
    from compiler.source.faults import fault_report

    report = fault_report(error, shlex.join(sys.argv))
    for line in report.split("\n"):
        say(line, error=True)
    if as_json:
        from compiler.terminal.console import print_json

        what = Diagnostic("fault", report.partition("\n")[0], hint="report it, with the lines on standard error")
        print_json(errors_json(SpecError([what])))
    sys.exit(EXIT_FAULT)


def _fail(error: SpecError, *, as_json: bool) -> NoReturn:
    from compiler.terminal.console import print_diagnostics, print_json

    if as_json:
        print_json(errors_json(error))
    else:
        print_diagnostics(error.diagnostics)
        errors = sum(diagnostic.severity == "error" for diagnostic in error.diagnostics)
        if errors > 1:
            say(f"{errors} errors", error=True)
    sys.exit(EXIT_BAD_INPUT)


def errors_json(error: SpecError) -> shapes.Errors:
    """What `--json` prints where the spec, or what was asked of it, is wrong."""
    from compiler.terminal.console import diagnostics_json

    of_both = diagnostics_json(error.diagnostics)
    errors, warnings = ([item for item in of_both if item["severity"] == kind] for kind in ("error", "warning"))
    return {"errors": errors, "warnings": warnings}


def print_version(ctx: click.Context, _: click.Parameter, wanted: bool) -> None:
    """The callback of `--version`."""
    if not wanted:
        return
    version = installed_version()
    say("weightspec, not installed, run from its folder" if version is None else f"weightspec {version}")
    ctx.exit()


def exit_on_failed(claims: Iterable[ClaimResult]) -> None:
    if any(claim.status == "failed" for claim in claims):
        sys.exit(EXIT_FAILED_CLAIM)
