"""Several specs evaluated and verified at the same time, each in a process of its own and on one thread."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field

from compiler.backends.torch.reference import one_thread
from compiler.evaluation.evaluation import Evaluation, evaluate
from compiler.evaluation.workers import cores, held_back, worker_pool
from compiler.expressions.proportions import amount
from compiler.pipeline import Leniency, Spec, load_sources
from compiler.report.plans import BUDGET_FACTORS, RunPlan
from compiler.source.diagnostics import Diagnostic, SpecError, fail
from compiler.source.faults import ToolFault, no_rule
from compiler.source.text import Source
from compiler.verifier.reasons import ended
from compiler.verifier.results import VerdictName, Verification
from compiler.verifier.verify import verify

WORTH_A_PROCESS = 5000  # inputs that take as long as to start a process, where the plain module decides many
MAX_PROCESSES = 8  # if not asked for more: each needs some hundred megabytes


@dataclass(frozen=True)
class Job:
    """A spec and what is done with it; `inputs` is how many all suites have together."""

    spec: Spec
    plan: RunPlan
    inputs: int


@dataclass(frozen=True)
class Outcome:
    """The result of a job. `evaluation` is None without suites, and `verdict` where none was asked for; `reason` says
    why it is that one. `by_size`: the verdict for each choice of sizes that are ranges. `verification`: what was found,
    None where an input of a suite decided it."""

    evaluation: Evaluation | None
    verdict: VerdictName | None
    reason: str = ""
    by_size: Mapping[str, VerdictName] = field(default_factory=dict)
    verification: Verification | None = None


def do_all(
    jobs: Sequence[Job], processes: int | None = None, done: Callable[[Spec], None] | None = None
) -> list[Outcome]:
    """The outcomes, in the order of the jobs; `done` is called after each job. They do not depend on `processes`.

    By default there is a process for each core, where there is enough to do. A single process is this one. Several
    processes need a main module that can be imported: multiprocessing imports it. Raises `SpecError`.
    """
    number = min(len(jobs), _worth(jobs) if processes is None else processes)
    if number > 1:
        return _in_processes(jobs, number, done)
    outcomes = []
    for job in jobs:
        with one_thread():
            outcomes.append(_outcome(job.spec, job.plan))
        if done is not None:
            done(job.spec)
    return outcomes


def _outcome(spec: Spec, plan: RunPlan) -> Outcome:
    """Raises `SpecError`."""
    evaluation = evaluate(spec, plan.suites, inputs=plan.inputs, seed=plan.seed) if plan.suites else None
    if plan.budget is None:
        return Outcome(evaluation, None)
    suites = () if evaluation is None else evaluation.suites
    wrong = [suite.suite for suite in suites if suite.right < suite.inputs]
    if wrong:
        return Outcome(evaluation, "refuted", f"an input of {wrong[0]} is answered wrong")  # whatever there is time for
    verification = _verification(spec, plan.budget)
    by_size = {part.title: part.verification.verdict for part in verification.by_size}
    return Outcome(evaluation, verification.verdict, _reason(verification), by_size, verification)


def _reason(verification: Verification) -> str:
    """Why a verdict is what it is. What depends on how far the time went is left out, so that pages stay the same."""
    match verification.verdict:
        case "proved":
            most = "at most " if verification.counts == "bounds" else ""
            return f"every one of {most}{amount(verification.inputs)} inputs is answered right"
        case "refuted":
            example = verification.counterexample
            return "" if example is None else f"{example.text} is answered {example.answer}, not {example.right}"
        case "open":
            return ended("budget").text if verification.ending == "budget" else "; ".join(verification.why)
        case _:
            raise no_rule("verdict", verification.verdict)


def _verification(spec: Spec, budget: float) -> Verification:
    """Raises `SpecError`."""
    claimed = spec.resolved.expect.verdict is not None and not spec.settings
    for times in BUDGET_FACTORS if claimed else BUDGET_FACTORS[:1]:
        verification = verify(spec, budget=times * budget)
        if verification.ending == "interrupted":
            raise KeyboardInterrupt
        if verification.verdict != "open" or verification.ending == "complete":
            break
    return verification


def _worth(jobs: Sequence[Job]) -> int:
    """How many processes are worth starting: each should have enough to do."""
    return max(1, min(cores(), MAX_PROCESSES, sum(map(_effort, jobs)) // WORTH_A_PROCESS))


def _effort(job: Job) -> int:
    """In inputs. To verify a spec takes at least as long as to start a process."""
    return job.inputs + WORTH_A_PROCESS * (job.plan.budget is not None)


def _in_processes(jobs: Sequence[Job], number: int, done: Callable[[Spec], None] | None) -> list[Outcome]:
    with worker_pool(number) as pool:
        with held_back():
            specs = {pool.submit(_run, job.spec.sources, job.spec.settings, job.plan): job.spec for job in jobs}
        try:
            for future in as_completed(specs):
                outcome = future.result()
                if isinstance(outcome, tuple):
                    raise SpecError(outcome)
                if done is not None:
                    done(specs[future])
        except BrokenProcessPool:
            message = "a process that evaluated a model was ended from outside, perhaps for want of memory"
            raise fail("process", message, hint="--jobs 1 needs the least") from None
        results = [future.result() for future in specs]
    return [outcome for outcome in results if isinstance(outcome, Outcome)]


def _run(sources: tuple[Source, ...], settings: tuple[str, ...], plan: RunPlan) -> Outcome | tuple[Diagnostic, ...]:
    """The outcome, or what was found to be wrong: an exception with values in it would not come through.

    The spec is made again out of its texts, as no functions come through either.
    """
    try:
        checked_before = Leniency(allow_overflow=True)
        return _outcome(load_sources(sources, settings, checked_before), plan)
    except SpecError as error:
        return error.diagnostics
    except (ToolFault, MemoryError, OSError):
        raise
    except Exception as error:
        raise ToolFault(f"{sources[0].name}: {type(error).__name__}: {error}") from error
