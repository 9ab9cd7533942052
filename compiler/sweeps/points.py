"""One point of a sweep: counted, evaluated, verified. An error is a result too."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import replace

from compiler.backends.torch.reference import one_thread
from compiler.evaluation.evaluation import evaluate
from compiler.pipeline import Spec, load_sources
from compiler.readers.counting.counts import LISTING, SHOWN_RULES, count
from compiler.source.diagnostics import SpecError
from compiler.source.text import Source
from compiler.sweeps.results import PointError, PointQuestion, PointResult, PointSuite, PointVerdict
from compiler.verifier.results import Verification
from compiler.verifier.verify import verify


def point_result(sources: Sequence[Source], settings: Sequence[str], asked: PointQuestion) -> PointResult:
    """What is asked about a variant of the spec in these texts, found out on one thread. Raises no error but an
    interruption."""
    began, found = time.perf_counter(), PointResult()
    try:
        with one_thread():
            for stage in _stages(sources, settings, asked):
                found = stage
    except SpecError as error:
        first = next(one for one in error.diagnostics if one.severity == "error" or one is error.diagnostics[-1])
        found = replace(found, error=PointError(first.code, first.message))
    except MemoryError:
        found = replace(found, error=PointError("memory", "not enough memory for this"))
    except OSError as error:
        found = replace(found, error=PointError("system", error.strerror or str(error)))
    except Exception as error:
        found = replace(found, error=PointError("fault", f"{type(error).__name__}: {error}"))
    return replace(found, seconds=time.perf_counter() - began)


def _stages(sources: Sequence[Source], settings: Sequence[str], asked: PointQuestion) -> Iterator[PointResult]:
    """What is known after each stage. Raises `SpecError`."""
    spec = load_sources(sources, settings, asked.leniency)
    found = counted_point(spec)
    yield found
    if not spec.resolved.asked:
        return
    for more in (_evaluated, _verified):
        found = more(found, spec, asked)
        yield found


def counted_point(spec: Spec) -> PointResult:
    """What is known of a point before anything is evaluated."""
    counts = count(spec)
    figures = {rule: counts.by_rule(rule) for rule in SHOWN_RULES if rule != LISTING}
    return PointResult(figures, spec.resolved.question.digest)


def point_verdict(verification: Verification) -> PointVerdict:
    """What a result keeps of a verification."""
    margin, seen = verification.margin, verification.seen
    return PointVerdict(
        verification.verdict,
        verification.inputs,
        *verification.failing,
        None if margin is None else margin.proved,
        None if seen is None else seen.lead,
        tuple(dict.fromkeys(reason.short for reason in verification.reasons)),
    )


def _evaluated(found: PointResult, spec: Spec, asked: PointQuestion) -> PointResult:
    if asked.suites == ():
        return found
    evaluation = evaluate(spec, asked.suites, inputs=asked.inputs, seed=asked.seed, failures=0)
    suites = (PointSuite(suite.suite, suite.seed, suite.inputs, suite.right) for suite in evaluation.suites)
    return replace(found, suites=tuple(suites))


def _verified(found: PointResult, spec: Spec, asked: PointQuestion) -> PointResult:
    if asked.budget is None:
        return found
    verification = verify(spec, budget=asked.budget)
    if verification.ending == "interrupted":
        raise KeyboardInterrupt
    return replace(found, verdict=point_verdict(verification))
