"""A report about specs: what each model is, how many parameters it has, which inputs it answers right."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from compiler.language.expectations import AuthorCount
from compiler.network.dimensions import Dimensions, dimensions
from compiler.pipeline import Spec
from compiler.readers.counting.claims import ClaimResult, author_count, check_claims
from compiler.readers.counting.counts import COUNTING_RULES, Counts, count
from compiler.readers.linting import lint
from compiler.readers.linting.rule import FOLLOWING
from compiler.report.plans import RunPlan
from compiler.report.yaml_lines import YamlLines, yaml_lines
from compiler.source.diagnostics import Diagnostic, SpecError, did_you_mean, fail
from compiler.tasks.question import Question, grouped
from compiler.tasks.suites import sampling_by_name
from compiler.tasks.task import EvaluationProtocol, Suite

if TYPE_CHECKING:
    from compiler.evaluation.evaluation import Evaluation, SuiteResult
    from compiler.evaluation.evaluator import Failure
    from compiler.report.processes import Outcome
    from compiler.verifier.results import VerdictName, Verification

SpecProgress = Callable[[Spec, int, int], None]


@dataclass(frozen=True)
class ReportedSuite:
    """A suite as it was run: how many inputs (`inputs`), and the `seed` if it draws them."""

    name: str
    summary: str
    inputs: int
    seed: int | None


@dataclass(frozen=True)
class ReportedModel:
    """What is known of one spec. `evaluation` is None where none of the wanted suites is one of its task, `verdict`
    where it was not verified, with its `reason`, `by_size` that of each choice of sizes that are ranges; `disclosures`
    are what `lint` finds, which no figure shows. `inputs`: how many the suites that sample were asked to draw.
    `verification`: what was found where it was verified, of which not all is the same each time."""

    spec: Spec
    question: Question
    dimensions: Dimensions
    lines: YamlLines
    counts: Counts
    evaluation: Evaluation | None
    verdict: VerdictName | None
    reason: str
    by_size: Mapping[str, VerdictName]
    claims: tuple[ClaimResult, ...]
    disclosures: tuple[Diagnostic, ...]
    suites: tuple[ReportedSuite, ...]  # one for each of the results
    inputs: int | None = None
    verification: Verification | None = None

    @property
    def author_count(self) -> AuthorCount | None:
        """The count that the author publishes, where it is known."""
        return author_count(self.spec)

    @property
    def agreeing(self) -> tuple[str, ...]:
        """The figures that are the author's count."""
        author = self.author_count
        return tuple(rule for rule in COUNTING_RULES if author and self.counts.by_rule(rule) == author.count)

    @property
    def results(self) -> tuple[SuiteResult, ...]:
        """One for each suite that was run."""
        return () if self.evaluation is None else self.evaluation.suites

    @property
    def failed(self) -> tuple[SuiteResult, ...]:
        """The suites with an input that is answered wrong."""
        return tuple(result for result in self.results if result.right < result.inputs)

    def result(self, suite: ReportedSuite) -> SuiteResult | None:
        """What became of a suite; None where it is not one of this model's."""
        return dict(zip(self.suites, self.results, strict=True)).get(suite)


@dataclass(frozen=True)
class Group:
    """The models that are asked the same, and every suite that one of them was run on.

    `title` is what the task is called, or several names where models call it differently.
    """

    title: str
    digest: str | None  # of what is asked; None without a task
    suites: tuple[ReportedSuite, ...]
    protocols: tuple[EvaluationProtocol, ...]  # those whose suites are all among them
    models: tuple[ReportedModel, ...]


@dataclass(frozen=True)
class Report:
    """Groups by the names of their tasks, those without a task last, in each the models by their names. `plan` is what
    was asked for: without suites, each task says which are run."""

    groups: tuple[Group, ...]
    plan: RunPlan = field(default_factory=RunPlan)

    @property
    def models(self) -> tuple[ReportedModel, ...]:
        """All models by their names."""
        return tuple(sorted((model for group in self.groups for model in group.models), key=lambda m: _order(m.spec)))


def first_failure(result: SuiteResult) -> Failure | None:
    """The first input of a suite that is answered wrong."""
    return next((failure for part in result.parts for failure in part.failures), None)


def make_report(
    specs: Iterable[Spec],
    suites: Sequence[str] = (),
    *,
    inputs: int | None = None,
    seed: int | None = None,
    budget: float | None = None,
    processes: int | None = 1,
    progress: SpecProgress | None = None,
) -> Report:
    """Count and evaluate specs; the order in which they are given, or one given twice, makes no difference.

    Without `suites`, each task says which of its suites belong in a report. `inputs` and `seed` are those of the suites
    that sample. With a `budget`, each spec is also decided on all inputs, as far as so many seconds allow. `processes`
    (None: by cores and work) are explained in `compiler.report.processes`; the report is the same with any number of
    them. `progress(spec, done, total)` is called after each spec that was evaluated or verified.
    Raises `SpecError` for a suite that no task has, for a size that is out of range, and with a `budget` for an input
    that has no right answer.
    """
    unique = {(os.path.realpath(spec.path), spec.settings): spec for spec in specs}
    ordered = sorted(unique.values(), key=_order)
    _check_names(ordered, suites)
    chosen = [_chosen(spec, suites) for spec in ordered]
    plan = RunPlan(tuple(suites), inputs, seed, budget)
    outcomes = _outcomes(ordered, chosen, plan, processes, progress)
    models = [_model(*each, inputs) for each in zip(ordered, chosen, outcomes, strict=True)]
    return Report(_groups(models), plan)


def report_without_runs(spec: Spec) -> Report:
    """What is known of a spec without an evaluation or a verification."""
    from compiler.report.processes import Outcome  # imports torch

    return Report(_groups([_model(spec, (), Outcome(None, None), None)]))


def _order(spec: Spec) -> tuple[str, ...]:
    return spec.name.casefold(), spec.name, *spec.settings, os.path.realpath(spec.path)


def _check_names(specs: Sequence[Spec], suites: Sequence[str]) -> None:
    known = dict.fromkeys(
        name for spec in specs if spec.resolved.asked for name in sampling_by_name(spec.resolved.task)
    )
    for name in suites:
        if name not in known:
            raise fail("unknown-name", f"no suite '{name}'{did_you_mean(name, known)}")


def _chosen(spec: Spec, names: Sequence[str]) -> list[Suite]:
    suites = spec.resolved.task.suites().values() if spec.resolved.asked else ()
    return [suite for suite in suites if (suite.name in names if names else suite.in_report)]


def _outcomes(
    specs: Sequence[Spec],
    chosen: Sequence[Sequence[Suite]],
    plan: RunPlan,
    processes: int | None,
    progress: SpecProgress | None,
) -> list[Outcome]:
    """One for each spec, also where there is nothing to do."""
    from compiler.report.processes import Job, Outcome, do_all  # imports torch

    jobs = []
    runs = [
        suites or (spec.resolved.asked and plan.budget is not None) for spec, suites in zip(specs, chosen, strict=True)
    ]
    for spec, suites, is_run in zip(specs, chosen, runs, strict=True):
        if is_run:
            own = replace(plan, suites=tuple(suite.name for suite in suites))
            jobs.append(Job(spec, own, sum(suite.size(plan.inputs) for suite in suites)))
    finished = 0

    def done(spec: Spec) -> None:
        nonlocal finished
        finished += 1
        if progress is not None:
            progress(spec, finished, len(jobs))

    outcomes = iter(do_all(jobs, processes, done))
    return [next(outcomes) if is_run else Outcome(None, None) for is_run in runs]


def _groups(models: Sequence[ReportedModel]) -> tuple[Group, ...]:
    by_task = sorted(models, key=lambda model: _task_order(model.question))
    titled = grouped([model.question for model in by_task])
    groups = {title: [by_task[position] for position in members] for title, members in titled.items()}
    return tuple(_group(title, sorted(each, key=lambda model: _order(model.spec))) for title, each in groups.items())


def _task_order(asked: Question) -> tuple[bool, str, tuple[tuple[str, tuple[int, int]], ...], str]:
    return asked.digest is None, asked.name, tuple(asked.sizes.items()), asked.digest or ""


def _group(title: str, models: Sequence[ReportedModel]) -> Group:
    suites = dict.fromkeys(suite for model in models for suite in model.suites)
    protocols = dict.fromkeys(protocol for model in models for protocol in _protocols(model))
    return Group(title, models[0].question.digest, tuple(suites), tuple(protocols), tuple(models))


def _protocols(model: ReportedModel) -> list[EvaluationProtocol]:
    """Those whose suites were all run."""
    known = model.spec.resolved.task.protocols().values() if model.suites else ()
    run = {suite.name for suite in model.suites}
    return [protocol for protocol in known if run.issuperset(protocol.suites)]


def _model(spec: Spec, suites: Sequence[Suite], outcome: Outcome, inputs: int | None) -> ReportedModel:
    counts, results = count(spec), () if outcome.evaluation is None else outcome.evaluation.suites
    return ReportedModel(
        spec,
        spec.resolved.question,
        dimensions(spec.network),
        yaml_lines(spec.sources),
        counts,
        outcome.evaluation,
        outcome.verdict,
        outcome.reason,
        outcome.by_size,
        check_claims(spec, counts, results, outcome.verdict),
        _disclosures(spec),
        tuple(
            ReportedSuite(suite.name, suite.summary, result.inputs, result.seed)
            for suite, result in zip(suites, results, strict=True)
        ),
        inputs,
        outcome.verification,
    )


def _disclosures(spec: Spec) -> tuple[Diagnostic, ...]:
    """What `lint` finds; where it is too much work to find out what matters, that is one of the findings."""
    try:
        return lint(spec)
    except SpecError as error:
        return (*error.diagnostics, *lint(spec, ignore=FOLLOWING))
