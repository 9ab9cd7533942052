"""Evaluation of a spec on suites of inputs: k of n, by teacher forcing or greedy decoding, with every failure real."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import get_args

import torch

from compiler.backends.native.engines import Decoding, EngineName
from compiler.backends.torch.foreign import Subject
from compiler.backends.torch.settings import as_assumed
from compiler.evaluation.answer_counts import Tally
from compiler.evaluation.evaluator import EngineUse, Evaluator, Failure, FailureClass
from compiler.evaluation.saved_runs import SavedRun, saved_run
from compiler.evaluation.suite_runs import SuiteToRun, run_suite
from compiler.pipeline import Spec
from compiler.source.diagnostics import did_you_mean, fail
from compiler.source.limits import MAX_BATCH, MAX_INPUTS
from compiler.source.showing import html_table, short_repr
from compiler.tasks import suites as suites_of_tasks
from compiler.tasks.package import tasks_with_protocols
from compiler.tasks.task import EvaluationProtocol, Inputs, Part, Suite
from compiler.tasks.task import sizes as sizes_of_suite

Progress = Callable[[str, int, int], None]

SHOWN_FAILURES = 5


@dataclass(frozen=True)
class PartResult:
    """`right` of so many `inputs` are answered right. The engine was not sure of `close` of them, which the plain
    module alone decided. `batched` inputs were only run in batches, and one at a time could say something else.

    `failures` are the first wrong ones, as many as were asked for. Every wrong one is in one of the `classes`, which
    come by their counts, or one of `other`: those of further classes, where there are more than can be told apart.
    """

    label: str
    inputs: int
    right: int
    close: int
    batched: int
    failures: tuple[Failure, ...]
    classes: tuple[FailureClass, ...] = ()
    other: int = 0

    __repr__ = short_repr

    @property
    def pairs(self) -> int:
        """The old word for `inputs`."""
        return self.inputs


@dataclass(frozen=True)
class SuiteResult:
    suite: str
    seed: int | None  # None where the suite draws nothing
    parts: tuple[PartResult, ...]
    seconds: float
    resumed: int = 0  # inputs that were judged in an earlier run, whose time is in `seconds`

    __repr__ = short_repr

    @property
    def inputs(self) -> int:
        return sum(part.inputs for part in self.parts)

    @property
    def pairs(self) -> int:
        """The old word for `inputs`."""
        return self.inputs

    @property
    def right(self) -> int:
        return sum(part.right for part in self.parts)

    @property
    def batched(self) -> int:
        return sum(part.batched for part in self.parts)

    @property
    def right_by_part(self) -> dict[str, int]:
        """How many are right of each part, by its label."""
        return {part.label: part.right for part in self.parts}


@dataclass(frozen=True)
class Evaluation:
    suites: tuple[SuiteResult, ...]
    engine: EngineUse
    decoding: Decoding
    dtype: str
    device: str
    threads: int
    torch_version: str
    protocol: EvaluationProtocol | None = None

    __repr__ = short_repr

    def _repr_html_(self) -> str:
        """k of n for each part of each suite, for a notebook."""
        rows = [(suite.suite, part.label, part.right, part.inputs) for suite in self.suites for part in suite.parts]
        how = f"{self.dtype}, {self.engine.name} engine on {self.device}"
        return html_table(f"{self.right:,} of {self.inputs:,} right ({how})", ("suite", "", "right", "of"), rows)

    @property
    def qualified(self) -> bool | None:
        """Whether as many inputs are right as the protocol asks for; None without one."""
        return None if self.protocol is None else self.right >= self.protocol.needed(self.inputs)

    @property
    def inputs(self) -> int:
        return sum(suite.inputs for suite in self.suites)

    @property
    def pairs(self) -> int:
        """The old word for `inputs`."""
        return self.inputs

    @property
    def right(self) -> int:
        return sum(suite.right for suite in self.suites)

    @property
    def batched(self) -> int:
        """How many inputs were only run in batches."""
        return sum(suite.batched for suite in self.suites)

    @property
    def seconds(self) -> float:
        return sum(suite.seconds for suite in self.suites)


@dataclass(frozen=True)
class Answer:
    """One decoded answer. `tokens` are ids, `NO_TOKEN` where a logit was no number."""

    text: str
    expected: str
    right: bool
    prompt_tokens: tuple[int, ...]
    tokens: tuple[int, ...]
    right_tokens: tuple[int, ...]


@as_assumed()
def evaluate(
    model: Subject,
    suites: Sequence[str] | None = None,
    *,
    protocol: str | None = None,
    inputs: int | None = None,
    seed: int | None = None,
    decoding: Decoding = "teacher",
    failures: int | None = SHOWN_FAILURES,
    engine: EngineName = "fast",
    device: str = "cpu",
    batch: int | None = None,
    restart: bool = False,
    progress: Progress | None = None,
    notice: Callable[[str], None] | None = None,
    pairs: int | None = None,
) -> Evaluation:
    """Run suites of the task of a spec, or of a model of another program.

    Without `suites`, those that the task runs by default are run, in their default sizes.

    A `protocol` is a test that others have fixed: it has suites of its own, and no size or seed to choose.
    A model that is not causal is decoded greedily, whatever `decoding` says: teacher forcing would show it the answer.
    `engine` decides how fast that is, and never what is right: see `compiler.backends.native.engines`. The plain one
    decodes greedily, and runs what the fast one cannot follow, one sequence at a time. With a `batch` it runs so many
    at once, and on another `device` than the CPU always some. That is faster, but does not show that the verdict is
    that of one sequence; `batched` counts these inputs.
    `inputs` is the size of each suite that samples (`pairs` is the old word for it), `seed` (0 if None) decides what it
    draws, `failures` is how many wrong answers of each part are kept (None for all).
    A suite of more than `LONG` inputs saves its state every few seconds in the user's cache. After an interruption the
    same call goes on from there; with `restart` it begins again. When all suites are run, the state is removed.
    `progress(suite, done, total)` is called after each batch, `notice(text)` with what a person should know at once.
    An interruption (`KeyboardInterrupt`) of a long suite has a message that says how far it was.
    Raises `SpecError` for an unknown suite, protocol or device, and for a size that is out of range.
    """
    _one_of("decoding", decoding, get_args(Decoding))
    _one_of("engine", engine, get_args(EngineName))
    names = [suites] if isinstance(suites, str) else suites
    if inputs is not None and pairs is not None:
        raise fail("bad-value", "`pairs` is the old word for `inputs`: give one of them")
    inputs = pairs if inputs is None else inputs
    if protocol is not None and (names or inputs is not None or seed is not None):
        message = f"the protocol {protocol} says itself which inputs are run: give no suites, inputs or seed with it"
        raise fail("bad-value", message, hint="to choose them, leave the protocol out")
    test = None if protocol is None else _protocol(model, protocol)
    _check_numbers(failures, batch)
    kept = sys.maxsize if failures is None else failures
    planned = planned_suites(model, names if test is None else test.suites, inputs, seed or 0, kept, notice)
    told = _Told(planned, progress, notice)
    runs: list[tuple[SuiteResult, ...]] = []
    states: list[SavedRun] = []
    choices: Sequence[Subject] = model.choices
    for choice, unsaved in zip(choices, planned, strict=True):
        planned_inputs = sum(suite.size for suite in unsaved)
        evaluator = Evaluator(choice, device, decoding, engine, inputs=planned_inputs, batch=batch)
        found, saved = _run_all(evaluator, unsaved, restart, told)
        runs.append(found)
        states += saved
    _forget(states)
    name = torch.cuda.get_device_name(evaluator.device) if evaluator.device.type == "cuda" else str(evaluator.device)
    threads, version = torch.get_num_threads(), torch.__version__
    results, dtype = _joined(model, runs), evaluator.reference.dtype.name
    return Evaluation(results, evaluator.use, evaluator.decoding, dtype, name, threads, version, test)


def planned_suites(
    model: Subject,
    names: Sequence[str] | None,
    inputs: int | None,
    seed: int,
    kept: int = 0,
    notice: Callable[[str], None] | None = None,
) -> list[list[SuiteToRun]]:
    """For each choice of sizes the suites of these names that it has, by default what it runs by default, as they are
    to be run: see `evaluate`. Raises `SpecError`."""
    check_inputs(inputs)
    chosen = _chosen(model, names)
    _notice_counting(model, chosen, notice)
    return [[_to_run(suite, size, seed, kept) for suite, size in suites] for suites in _with_sizes(chosen, inputs)]


def _notice_counting(model: Subject, chosen: Sequence[Sequence[Suite]], notice: Callable[[str], None] | None) -> None:
    """Say where inputs are counted before they are run, by looking at what `only` allows."""
    choices: Sequence[Subject] = model.choices
    for choice, suites in zip(choices, chosen, strict=True):
        task = choice.resolved.task
        if notice and task.count is None and any(suite.name == "exhaustive" for suite in suites):
            notice(f"exhaustive: counting what `only` allows of {task.combinations:,} inputs")


class _Told:
    """What a person is told while suites are run, of all choices of sizes together."""

    def __init__(
        self, planned: Sequence[Sequence[SuiteToRun]], progress: Progress | None, notice: Callable[[str], None] | None
    ) -> None:
        self._progress = progress
        self.notice = notice or (lambda text: None)
        self._total: Counter[str] = Counter()
        self._done: Counter[str] = Counter()
        for suite in (suite for suites in planned for suite in suites):
            self._total[suite.name] += suite.size

    def done(self, suite: str, inputs: int) -> None:
        """So many inputs of the suite are evaluated, in this choice of sizes."""
        if self._progress is not None:
            self._progress(suite, self._done[suite] + inputs, self._total[suite])

    def ended(self, suite: SuiteToRun) -> None:
        self._done[suite.name] += suite.size


def _with_sizes(chosen: Sequence[Sequence[Suite]], inputs: int | None) -> list[list[tuple[Suite, int]]]:
    """The suites that are run in each choice of sizes, with how many inputs each has there."""
    names = dict.fromkeys(suite.name for suites in chosen for suite in suites)
    alike = {name: [suite for suites in chosen for suite in suites if suite.name == name] for name in names}
    sizes = {name: iter(sizes_of_suite(suites, inputs)) for name, suites in alike.items()}
    return [[(suite, next(sizes[suite.name])) for suite in suites] for suites in chosen]


def _run_all(
    evaluator: Evaluator, suites: Sequence[SuiteToRun], restart: bool, told: _Told
) -> tuple[tuple[SuiteResult, ...], list[SavedRun]]:
    """What became of the suites, and where that is saved of the long ones."""
    planned = [_saved(evaluator, suite) for suite in suites]
    states = [suite.saved for suite in planned if suite.saved is not None]
    if restart:
        _forget(states)
    return tuple(_run(evaluator, suite, told) for suite in planned), states


def _joined(model: Subject, runs: Sequence[tuple[SuiteResult, ...]]) -> tuple[SuiteResult, ...]:
    """The results of each suite in all choices of sizes, whose parts are called by the sizes."""
    if len(runs) == 1:
        return runs[0]
    joined: dict[str, SuiteResult] = {}
    for asked, results in zip(model.resolved.asked, runs, strict=True):
        for result in results:
            parts = tuple(
                replace(part, label=", ".join(filter(None, (asked.title, part.label)))) for part in result.parts
            )
            known = joined.get(result.suite)
            joined[result.suite] = replace(
                result,
                parts=(*known.parts, *parts) if known else parts,
                seconds=result.seconds + (known.seconds if known else 0.0),
                resumed=result.resumed + (known.resumed if known else 0),
            )
    return tuple(joined.values())


@as_assumed()
def answer(spec: Spec, inputs: Inputs) -> Answer:
    """Greedy decoding of one input."""
    evaluator = Evaluator(spec, "cpu", "greedy")
    task, layout = spec.resolved.task, spec.layout
    words = task.solve(inputs)
    tokens = evaluator.greedy_tokens(inputs)
    right_tokens = layout.answer_tokens(words)
    return Answer(
        evaluator.describe(tokens),
        task.show(words),
        tokens == right_tokens,
        tuple(layout.prompt_tokens(words)),
        tuple(tokens),
        tuple(right_tokens),
    )


def _one_of(what: str, value: str, known: Sequence[str]) -> None:
    if value not in known:
        raise fail("bad-value", f"{what} is {' or '.join(known)}, not '{value}'")


def check_inputs(inputs: int | None) -> None:
    """Refuse a size of suites that is out of range. Raises `SpecError`."""
    if inputs is not None and not 1 <= inputs <= MAX_INPUTS:
        raise fail("bad-value", f"inputs has to be from 1 to {MAX_INPUTS:,}, not {inputs}")


def _check_numbers(failures: int | None, batch: int | None) -> None:
    if failures is not None and failures < 0:
        raise fail("bad-value", f"the number of failures to keep cannot be {failures}")
    if batch is not None and not 1 <= batch <= MAX_BATCH:
        raise fail("bad-value", f"a batch has from 1 to {MAX_BATCH:,} sequences, not {batch}")


def _to_run(suite: Suite, size: int, seed: int, kept: int) -> SuiteToRun:
    return SuiteToRun(suite.name, suite.parts(size, seed), seed if suite.sampled else None, kept)


def _saved(evaluator: Evaluator, suite: SuiteToRun) -> SuiteToRun:
    """The suite with the place where the state of a long run is kept."""
    if not suite.is_long:
        return suite
    where = saved_run(
        evaluator.subject, suite.name, suite.parts, suite.seed, suite.kept, in_batches=evaluator.in_batches
    )
    return replace(suite, saved=where)


def _run(evaluator: Evaluator, suite: SuiteToRun, told: _Told) -> SuiteResult:
    run = run_suite(evaluator, suite, lambda inputs: told.done(suite.name, inputs), told.notice)
    told.ended(suite)
    parts = tuple(_part_result(evaluator, *pair) for pair in zip(suite.parts, run.tallies, strict=True))
    return SuiteResult(suite.name, suite.seed, parts, run.seconds, run.resumed)


def _forget(states: Sequence[SavedRun]) -> None:
    for state in states:
        state.forget()


def _part_result(evaluator: Evaluator, part: Part, tally: Tally) -> PartResult:
    by_count = sorted(tally.classes.items(), key=lambda item: (-item[1][0], item[0]))
    classes = tuple(evaluator.failure_class(*key, count, inputs) for key, (count, inputs) in by_count)
    return PartResult(
        part.label, part.size, tally.right, tally.close, tally.batched, tally.failures, classes, tally.other
    )


def _protocol(model: Subject, name: str) -> EvaluationProtocol:
    task = model.resolved.task
    known = task.protocols()
    if name in known:
        return known[name]
    if known:
        raise fail("unknown-name", f"the task {task.name} has no protocol '{name}'{did_you_mean(name, known)}")
    raise fail("unknown-name", f"the task {task.name} has no protocols", hint=tasks_with_protocols())


def _chosen(model: Subject, names: Sequence[str] | None) -> list[list[Suite]]:
    """The suites that are run in each choice of sizes: by default what each of them runs by default."""
    every: Sequence[Subject] = model.choices or (model,)  # without a task this is refused
    choices = [choice.resolved.task.suites() for choice in every]
    known = list(dict.fromkeys(name for suites in choices for name in suites))
    for name in names or ():
        if name not in known:
            hint = "`only` excludes all that it has elsewhere" if name in suites_of_tasks.ALWAYS else None
            raise fail("unknown-name", f"no suite '{name}'{did_you_mean(name, known)}", hint=hint)
    usual = [name for name in known if all(suites[name].by_default for suites in choices if name in suites)]
    return [[suites[name] for name in dict.fromkeys(names or usual) if name in suites] for suites in choices]
