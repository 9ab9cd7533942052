"""What the figures of a report reveal: which models fail where others would have passed them, which claims differ."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from compiler.language.expectations import AuthorCount
from compiler.readers.counting.counts import COUNTING_RULES, LISTING, SHOWN_RULES
from compiler.readers.linting.rules import DISCLOSURE
from compiler.report.reporting import Group, ReportedModel, ReportedSuite
from compiler.source.diagnostics import Diagnostic

Agreement = Literal["confirmed", "contradicted", "coincident", "unexplained"]
"""The rule that the spec names gives the author's number, or another one; or it names none, and one gives it, or none.
"""
HARD_CODED = "hard-coded"  # the rule about the listing of that name


@dataclass(frozen=True)
class Smallest:
    """The models with the lowest figure by one rule."""

    rule: str
    figure: int
    models: tuple[ReportedModel, ...]


@dataclass(frozen=True)
class Spread:
    """A model for which the largest figure of any rule is `ratio` times the smallest one that is not zero."""

    model: ReportedModel
    low: str
    high: str
    ratio: float


@dataclass(frozen=True)
class Stated:
    """A model whose author's count is known."""

    model: ReportedModel
    author: AuthorCount


@dataclass(frozen=True)
class Screened:
    """What one suite lets through: of the models that were run on it those that answer all of it right, and those of
    them that fail another suite."""

    suite: ReportedSuite
    run: tuple[ReportedModel, ...]
    passed: tuple[ReportedModel, ...]
    failing_elsewhere: tuple[ReportedModel, ...]


def smallest(models: Sequence[ReportedModel]) -> tuple[Smallest, ...]:
    """The smallest models by each rule; a rule that says nothing about any model is left out."""
    by_rule = []
    for rule in SHOWN_RULES:
        if rule == LISTING:
            continue
        figures = [(model, figure) for model in models if (figure := model.counts.by_rule(rule)) is not None]
        if figures:
            low = min(figure for _, figure in figures)
            by_rule.append(Smallest(rule, low, tuple(model for model, figure in figures if figure == low)))
    return tuple(by_rule)


def smallest_everywhere(models: Sequence[ReportedModel]) -> tuple[ReportedModel, ...]:
    """The models that are smallest by every rule."""
    winners = [set(map(id, lowest.models)) for lowest in smallest(models)]
    return tuple(model for model in models if winners and all(id(model) in ids for ids in winners))


def widest_spread(models: Sequence[ReportedModel]) -> Spread | None:
    """The model about which the rules differ most."""
    spreads = []
    for model in models:
        figures = {rule: figure for rule in COUNTING_RULES if (figure := model.counts.by_rule(rule))}
        if figures:
            low, high = min(figures, key=lambda rule: figures[rule]), max(figures, key=lambda rule: figures[rule])
            spreads.append(Spread(model, low, high, figures[high] / figures[low]))
    return max(spreads, key=lambda spread: spread.ratio, default=None)


def author_counts(models: Sequence[ReportedModel]) -> dict[Agreement, list[Stated]]:
    """The authors' own counts, by what our rules say to them."""
    by_agreement: dict[Agreement, list[Stated]] = {agreement: [] for agreement in get_args(Agreement)}
    for model in models:
        author = model.author_count
        if author is not None:
            by_agreement[_agreement(model, author)].append(Stated(model, author))
    return by_agreement


def _agreement(model: ReportedModel, author: AuthorCount) -> Agreement:
    if author.rule:
        return "confirmed" if author.rule in model.agreeing else "contradicted"
    return "coincident" if model.agreeing else "unexplained"


def disclosed(models: Sequence[ReportedModel]) -> dict[str, list[ReportedModel]]:
    """The models of which `lint` discloses something, by rule, in the order of the rules.

    The hard-coded numbers are left out: they have a listing of their own.
    """
    by_rule: dict[str, list[ReportedModel]] = {rule.code: [] for rule in DISCLOSURE}
    for model in models:
        for rule in dict.fromkeys(disclosure.code for disclosure in shown_disclosures(model)):
            by_rule.setdefault(rule, []).append(model)
    return {rule: about for rule, about in by_rule.items() if about}


def shown_disclosures(model: ReportedModel) -> tuple[Diagnostic, ...]:
    """What `lint` discloses of a model, without its hard-coded numbers, which are listed with the counts."""
    return tuple(disclosure for disclosure in model.disclosures if disclosure.code != HARD_CODED)


def screened(group: Group) -> tuple[Screened, ...]:
    """What each suite lets through."""
    suites = []
    for suite in group.suites:
        run = tuple(model for model in group.models if suite in model.suites)
        passed = tuple(model for model in run if model.result(suite) not in model.failed)
        suites.append(Screened(suite, run, passed, tuple(model for model in passed if model.failed)))
    return tuple(suites)


def faultless(group: Group) -> tuple[ReportedModel, ...]:
    """The models that answer right whatever was tried."""
    return tuple(model for model in group.models if model.results and not model.failed)
