"""What the tables of a report reveal, in sentences that are made from the figures."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from compiler.report.markdown.text import code, figure, listing, several
from compiler.report.observations import (
    Screened,
    Stated,
    author_counts,
    disclosed,
    faultless,
    screened,
    smallest,
    smallest_everywhere,
    widest_spread,
)
from compiler.report.reporting import Group, ReportedModel
from compiler.tasks.task import EvaluationProtocol

ModelName = Callable[[ReportedModel], str]  # a model as Markdown


def evaluation_sentences(group: Group, name: ModelName) -> list[str]:
    """Which models fail where, and which suites would not have shown it."""
    if not group.suites:
        return []
    models, perfect = sum(bool(model.results) for model in group.models), faultless(group)
    every = f"Every input that was tried is answered right by {_of(len(perfect), models)}."
    said = [every if perfect else "No model answers every input right."]
    if len(perfect) < models:
        suites = screened(group)
        alike: dict[tuple[tuple[int, ...], ...], list[Screened]] = {}
        for suite in suites:
            if suite.failing_elsewhere:
                alike.setdefault((tuple(map(id, suite.run)), tuple(map(id, suite.passed))), []).append(suite)
        said += [_screened(same, name) for same in alike.values()]
        strict = [code(suite.suite.name) for suite in suites if suite.passed and not suite.failing_elsewhere]
        if strict:
            said.append(f"No model that passes {listing(strict, 'or')} fails another suite.")
    return [*said, *(_protocol(group, protocol) for protocol in group.protocols)]


def verdict_sentences(group: Group, name: ModelName) -> list[str]:
    """Which models are known to be right on every input, and which are known not to be."""
    by_verdict = {
        verdict: [m for m in group.models if m.verdict == verdict] for verdict in ("proved", "refuted", "open")
    }
    proved, refuted, undecided = by_verdict.values()
    decided = sum(map(len, by_verdict.values()))
    if not decided:
        return []
    said = [f"Proved right on every input of the task: {_of(len(proved), decided)}."]
    if refuted:
        said.append(f"Refuted by an input: {listing(map(name, refuted))}.")
    if undecided:
        said.append(f"Undecided: {listing(map(name, undecided))}.")
    return said


def _screened(same: Sequence[Screened], name: ModelName) -> str:
    """Suites that let the same models through, some of which another suite does not."""
    passed, failing = same[0].passed, same[0].failing_elsewhere
    suites = listing(f"{code(suite.suite.name)} ({several(suite.suite.inputs, 'input')})" for suite in same)
    elsewhere = "it fails" if len(passed) == 1 else f"of these, {figure(len(failing))} fail{'s' * (len(failing) == 1)}"
    details = listing(f"{name(model)} ({_failed(model)})" for model in failing)
    return (
        f"All of {suites} is answered right by {_of(len(passed), len(same[0].run))}; {elsewhere} elsewhere: {details}."
    )


def _failed(model: ReportedModel) -> str:
    return ", ".join(f"{code(suite.suite)} {figure(suite.right)} of {figure(suite.inputs)}" for suite in model.failed)


def _protocol(group: Group, protocol: EvaluationProtocol) -> str:
    """How many models do what a test of others asks for."""
    models = [
        [result for result in model.results if result.suite in protocol.suites]
        for model in group.models
        if {suite.name for suite in model.suites}.issuperset(protocol.suites)
    ]
    total = sum(result.inputs for result in models[0])
    needed = protocol.needed(total)
    reached = sum(sum(result.right for result in results) >= needed for results in models)
    asks = f"{protocol.asked_by} asks for {figure(needed)} of {figure(total)} right"
    return f"{code(protocol.name)}: {asks}, which is reached by {_of(reached, len(models))}."


def _of(some: int, models: int) -> str:
    """`2 of 3 models`, behind `by`."""
    if some == models:
        return {1: "the model", 2: "both models"}.get(models, f"all {several(models, 'model')}")
    return f"{figure(some)} of {several(models, 'model')}" if some else "no model"


def rank_sentences(models: Sequence[ReportedModel], name: ModelName) -> list[str]:
    """Which models of one task are the smallest by which rule."""
    if len(models) < 2:
        return []
    winners = smallest_everywhere(models)
    if len(winners) == len(models):
        return ["By every rule all models have the same count."]
    by_rule = (
        f"by {code(lowest.rule)} {listing(map(name, lowest.models))} ({figure(lowest.figure)})"
        for lowest in smallest(models)
    )
    most = f"by every rule {listing(map(name, winners))}" if winners else "none by every rule"
    return [f"Smallest: {'; '.join(by_rule)}; {most}."]


def count_sentences(models: Sequence[ReportedModel], name: ModelName) -> list[str]:
    """What the authors' counts are worth, and how far the rules differ."""
    authors, spread = _author_sentences(models, name), _spread_sentences(models, name)
    return [*authors, *spread, *_hard_coded_sentences(models, name), *_disclosure_sentences(models, name)]


def _author_sentences(models: Sequence[ReportedModel], name: ModelName) -> list[str]:
    by_agreement = author_counts(models)
    stating = sum(map(len, by_agreement.values()))
    if not stating:
        return []

    def each(group: Sequence[Stated], detail: Callable[[Stated], str] = lambda _: "") -> str:
        return listing(f"{name(stated.model)} ({figure(stated.author.count)}{detail(stated)})" for stated in group)

    says = "says" if stating == 1 else "say"
    said = [f"{figure(stating)} of {several(len(models), 'spec')} {says} what the author counts."]
    if by_agreement["confirmed"]:
        by_rule: dict[str, list[Stated]] = {}
        for stated in by_agreement["confirmed"]:
            by_rule.setdefault(stated.author.rule, []).append(stated)
        details = "; ".join(f"{code(rule)} for {each(group)}" for rule, group in by_rule.items())
        said.append(f"The rule that the spec names gives the number: {details}.")
    if by_agreement["unexplained"]:
        said.append(f"No rule gives the number: {each(by_agreement['unexplained'])}; the notes below say why.")
    if by_agreement["coincident"]:
        details = each(by_agreement["coincident"], lambda stated: f", as {listing(map(code, stated.model.agreeing))}")
        said.append(f"The spec names no rule, but one gives the same number: {details}.")
    if by_agreement["contradicted"]:
        details = each(by_agreement["contradicted"], _contradiction)
        said.append(f"**The rule that the spec names gives another number**: {details}.")
    return said


def _contradiction(stated: Stated) -> str:
    rule = stated.author.rule
    return f", but {code(rule)} is {figure(stated.model.counts.by_rule(rule))}"


def _spread_sentences(models: Sequence[ReportedModel], name: ModelName) -> list[str]:
    spread = widest_spread(models)
    if spread is None or spread.low == spread.high:
        return []
    low, high = (spread.model.counts.by_rule(rule) for rule in (spread.low, spread.high))
    between = f"from {figure(low)} ({code(spread.low)}) to {figure(high)} ({code(spread.high)})"
    most = "" if len(models) == 1 else "most "
    return [f"The rules differ {most}about {name(spread.model)}: {between}."]


def _hard_coded_sentences(models: Sequence[ReportedModel], name: ModelName) -> list[str]:
    coded = [model for model in models if model.counts.hard_coded]
    undeclared = [model for model in models if model.counts.free is None]
    said = []
    if coded:
        most = max(len(model.counts.hard_coded) for model in coded)
        those = listing(name(model) for model in coded if len(model.counts.hard_coded) == most)
        where = _of(len(coded), len(models))
        said.append(f"Numbers that are no parameters enter weights in {where}: at most {figure(most)} ({those}).")
    if undeclared:
        said.append(
            f"No parameters are declared by {listing(map(name, undeclared))}, so that `free` says nothing about them."
        )
    return said


def _disclosure_sentences(models: Sequence[ReportedModel], name: ModelName) -> list[str]:
    """What no figure shows."""
    by_rule = disclosed(models)
    if not by_rule:
        return []
    rules = "; ".join(f"{code(rule)} about {listing(map(name, about))}" for rule, about in by_rule.items())
    return [f"`lint` discloses what no count shows: {rules}. It is listed below, model by model."]


def length_sentences(models: Sequence[ReportedModel], name: ModelName) -> list[str]:
    """How long the specs are; one that extends another is no measure."""
    alone = [model for model in models if not model.lines.extended]
    if not alone:
        return []
    shortest, longest = (choose(alone, key=lambda model: model.lines.own) for choose in (min, max))
    apart = "" if len(alone) == len(models) else ", without those that extend another"
    if len(alone) == 1:
        return [f"The spec of {name(longest)} has {several(longest.lines.own, 'line')} of YAML."]
    if shortest.lines.own == longest.lines.own:
        return [f"The specs have {several(longest.lines.own, 'line')} of YAML{apart}."]
    ends = f"{shortest.lines.own} ({name(shortest)}) to {longest.lines.own} ({name(longest)})"
    return [f"The specs have {ends} lines of YAML{apart}."]
