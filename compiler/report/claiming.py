"""What a spec would claim under `expect` by what is counted, run and verified now."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from compiler.evaluation.evaluation import Progress, SuiteResult, evaluate
from compiler.language.expectations import word_of_inputs
from compiler.pipeline import Leniency, Spec, load_sources
from compiler.readers.claiming.expect_block import Claimed, with_claims
from compiler.readers.counting.claims import ClaimResult, check_claims
from compiler.readers.counting.counts import COUNTING_RULES, LISTING, SHOWN_RULES, Counts, count
from compiler.source.diagnostics import Findings, SpecError, fail
from compiler.source.document import Mapping as Section
from compiler.source.document import Node, Scalar, whole_file
from compiler.source.examples import example_or
from compiler.source.extends import Chain, merged_chain, read_chain
from compiler.source.saved import is_saved
from compiler.source.text import Source
from compiler.tasks.suites import sampling_by_name
from compiler.verifier.results import VerdictName
from compiler.verifier.verify import verify

CLAIMED = ("count", "eval", "verdict")  # what is measured, of the keys of `expect`


@dataclass(frozen=True)
class Measuring:
    """What is measured beyond what a spec claims: `suites` that it does not claim yet, the size and the seed of those
    that sample, and the verdict on all inputs, as far as `budget` seconds allow; no `budget` where that is not wanted.
    """

    suites: tuple[str, ...] = ()
    inputs: int | None = None
    seed: int | None = None
    budget: float | None = None


@dataclass(frozen=True)
class Measured:
    """What was found: figures, suites, and the verdict on all inputs, `open` for the reasons `why`; None where nothing
    tells it."""

    counts: Counts
    suites: tuple[SuiteResult, ...]
    verdict: VerdictName | None
    why: tuple[str, ...] = ()


@dataclass(frozen=True)
class RenewedClaims:
    """A spec before and after: `source` is its own text, `text` the one with the claims that were `measured`; `claims`
    are all claims of that one, checked."""

    source: Source
    text: str
    measured: Measured
    claims: tuple[ClaimResult, ...]

    @property
    def changed(self) -> bool:
        return self.text != self.source.text


def renew_claims(
    path: Path, measuring: Measuring, leniency: Leniency, progress: Progress | None = None
) -> RenewedClaims:
    """Measure what a spec claims, or where it claims nothing what is usual, and write that into its text.

    Counts: the rules that are claimed; without any, all that have a figure. Suites: those that are claimed, in their
    sizes and with their seeds; without any, those that an evaluation runs by default. A wrong answer makes the verdict
    `refuted`, without a budget only where one is claimed. No file is written.
    Raises `SpecError` where the spec, apart from such claims, is not valid, or `path` is no file to be edited.
    """
    if is_saved(path) or example_or(path) != path:
        what = "a saved model" if is_saved(path) else "an example of the package"
        raise fail("bad-value", f"{what} is not edited", whole_file(path), "name a YAML file of your own")
    chain = read_chain(path)
    own, *others = chain.documents
    stated = merged_chain(chain.documents).get("expect")
    given_up = [key for key in CLAIMED if _is_null(_of(own.get("expect"), key))]
    spec = load_sources(chain.sources, [] if stated is None else ["expect=null"], replace(leniency, strict=False))
    measured = _measured(spec, stated, measuring, run="eval" not in given_up, progress=progress)
    is_stated = measuring.budget is not None or _of(stated, "verdict") is not None
    claims = {
        "count": _counts(measured.counts, stated),
        "eval": {suite.suite: _suite(suite, _of(_of(stated, "eval"), suite.suite)) for suite in measured.suites},
        "verdict": measured.verdict if is_stated and measured.verdict != "open" else None,
    }
    wanted = {key: claim for key, claim in claims.items() if claim and key not in given_up}
    text = with_claims(own, merged_chain(others).get("expect") if others else None, wanted)
    return RenewedClaims(chain.sources[0], text, measured, _checked(chain, text, leniency, measured))


def _checked(chain: Chain, text: str, leniency: Leniency, measured: Measured) -> tuple[ClaimResult, ...]:
    """The claims of a changed text. What is wrong with it is told of the spec as it was. Raises `SpecError`."""
    source = chain.sources[0]
    try:
        spec = load_sources((Source(source.name, text, source.path), *chain.sources[1:]), (), leniency)
    except SpecError:
        load_sources(chain.sources, (), leniency)
        raise
    return check_claims(spec, measured.counts, measured.suites, measured.verdict)


def _measured(
    spec: Spec, stated: Node | None, measuring: Measuring, *, run: bool, progress: Progress | None
) -> Measured:
    counts, suites = count(spec), tuple(_suites(spec, stated, measuring, progress) if run else ())
    if any(suite.right < suite.inputs for suite in suites):
        return Measured(counts, suites, "refuted")
    if measuring.budget is None:
        return Measured(counts, suites, None)
    verification = verify(spec, budget=measuring.budget)
    if verification.ending == "interrupted":
        raise KeyboardInterrupt
    return Measured(counts, suites, verification.verdict, verification.why)


def _of(node: Node | None, key: str) -> Node | None:
    return node.get(key) if isinstance(node, Section) else None


def _is_null(node: Node | None) -> bool:
    return isinstance(node, Scalar) and node.value is None


def _counts(counts: Counts, stated: Node | None) -> Claimed:
    """A figure for each rule that is claimed, or where no count is, for each that has one."""
    claimed = _of(stated, "count")
    if isinstance(claimed, Section):
        rules = [rule for rule in claimed.names if rule in COUNTING_RULES]
    else:
        rules = [] if _of(stated, "claimed") is not None else [rule for rule in SHOWN_RULES if rule != LISTING]
    return {rule: figure for rule in rules if (figure := counts.by_rule(rule)) is not None}


def _suites(spec: Spec, stated: Node | None, measuring: Measuring, progress: Progress | None) -> Iterator[SuiteResult]:
    """The suites that are claimed, then those that are asked for; without any, those that are run by default."""
    if not spec.resolved.asked:
        if measuring.suites or measuring.budget is not None:
            raise fail("missing-key", "the spec states no task: nothing is right or wrong", whole_file(spec.path))
        return
    claimed, sampled = _of(stated, "eval"), _sampled(spec)
    names = [name for name in claimed.names if name in sampled] if isinstance(claimed, Section) else []
    if not names and not measuring.suites:
        yield from evaluate(spec, inputs=measuring.inputs, seed=measuring.seed, progress=progress).suites
    runs: dict[tuple[int | None, int | None], list[str]] = {}
    for name in dict.fromkeys((*names, *measuring.suites)):
        drawn = _drawing(_of(claimed, name), measuring) if sampled.get(name) else (None, None)
        runs.setdefault(drawn, []).append(name)
    for (inputs, seed), group in runs.items():
        yield from evaluate(spec, group, inputs=inputs, seed=seed, progress=progress).suites


def _sampled(spec: Spec) -> Mapping[str, bool]:
    """Whether each suite samples."""
    return {name: drawn for one in spec.choices for name, drawn in sampling_by_name(one.resolved.task).items()}


def _drawing(claim: Node | None, measuring: Measuring) -> tuple[int | None, int | None]:
    """How many inputs are drawn, and by which seed: what is asked for, else what the claim is about."""
    word = _word(claim)
    stated = [_number(_of(claim, "" if word is None else word.text)), _number(_of(claim, "seed"))]
    asked = (measuring.inputs, measuring.seed)
    inputs, seed = (own if wanted is None else wanted for own, wanted in zip(stated, asked, strict=True))
    return inputs, seed


def _word(claim: Node | None) -> Scalar | None:
    """The key of a claim that says how many inputs."""
    return word_of_inputs(claim, Findings()) if isinstance(claim, Section) else None


def _number(node: Node | None) -> int | None:
    return node.value if isinstance(node, Scalar) and isinstance(node.value, int) else None


def _suite(result: SuiteResult, claim: Node | None) -> Claimed:
    """How many answers are right, with the keys that the claim has; a new one has a seed where the suite draws."""
    word, has_seed = _word(claim), claim is None or _of(claim, "seed") is not None
    seed = {"seed": result.seed} if result.seed is not None and (has_seed or result.seed) else {}
    right = result.right_by_part if isinstance(_of(claim, "right"), Section) else result.right
    return {"inputs" if word is None else word.text: result.inputs, **seed, "right": right}
