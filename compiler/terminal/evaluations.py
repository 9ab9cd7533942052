"""The result of an evaluation."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from compiler.pipeline import Spec
from compiler.readers.counting.claims import ClaimResult
from compiler.tasks.task import EvaluationProtocol
from compiler.terminal import shapes
from compiler.terminal.console import console, table, text
from compiler.terminal.counts import claims_json
from compiler.terminal.figures import measured
from compiler.terminal.overview import of_spec

if TYPE_CHECKING:  # it imports torch
    from compiler.backends.torch.foreign import ForeignModel, Subject
    from compiler.evaluation.evaluation import Answer, Evaluation, PartResult, SuiteResult
    from compiler.evaluation.evaluator import Failure

SHOWN_CLASSES = 12  # of one suite
SHOWN_FAILURES = 12  # of all suites together


def print_evaluation(evaluation: Evaluation, most: int | None = SHOWN_FAILURES) -> None:
    """k of n for each suite and part, the first failures as greedy decoding has them, the most frequent classes of
    failures, the rate and the machine. `most` failures are listed, None for all that were kept."""
    out = console()
    rows = table("suite", "", "right", "of", "", "seconds", right=["right", "of", "seconds"])
    for suite in evaluation.suites:
        for i, part in enumerate(suite.parts):
            seconds = measured(suite.seconds) if i == 0 else ""
            verdict = "" if part.right == part.inputs else f"{part.inputs - part.right:,} wrong"
            close = f"{part.close:,} decided one at a time by the plain module" if part.close else ""
            batched = f"{part.batched:,} by batches only" if part.batched else ""
            note = text(", ".join(filter(None, (verdict, close, batched))), "red" if verdict else "")
            rows.add_row(
                text(suite.suite if i == 0 else ""), part.label, f"{part.right:,}", f"{part.inputs:,}", note, seconds
            )
    out.print(rows)
    _print_failures(evaluation, most)
    _print_classes(evaluation)
    out.print()
    for line in _lines(summary(evaluation), None if out.soft_wrap else out.width):
        out.print(text(line))
    if evaluation.engine.reason is not None:
        out.print(text(f"the plain engine took the place of the fast one: {evaluation.engine.reason}"))
    if evaluation.batched:
        out.print(text(of_batches(evaluation)))
    if evaluation.protocol is not None:
        out.print(text(qualification(evaluation, evaluation.protocol), "" if evaluation.qualified else "red"))


def _print_failures(evaluation: Evaluation, most: int | None) -> None:
    """The first failures of each part, each input once. Where they are too many, each part shows as many as another."""
    kept: dict[str, tuple[int, str, Failure]] = {}
    times: Counter[str] = Counter()
    for suite in evaluation.suites:
        for part in suite.parts:
            for number, failure in enumerate(part.failures):
                kept.setdefault(failure.text, (number, suite.suite, failure))
                times[failure.text] += 1
    if not kept:
        return
    first = {failure.text for _, _, failure in sorted(kept.values(), key=lambda one: one[0])[:most]}
    left = evaluation.inputs - evaluation.right - sum(times[shown] for shown in first)
    rows = table("first failures" if left else "failures", "input", "right answer", "greedy decoding says")
    for _, suite_name, failure in kept.values():
        if failure.text in first:
            rows.add_row(text(suite_name), text(failure.text), text(failure.expected), text(failure.got))
    if left:
        rows.add_row("", text(f"… and {left:,} more, --failures all has them", "dim"), "", "")
    out = console()
    out.print()
    out.print(rows)


def _lines(facts: str, width: int | None) -> Iterator[str]:
    """Facts with `; ` between them in lines of at most a width, as far as each fits in one; in one line without."""
    line = ""
    for fact in facts.split("; "):
        longer = f"{line}; {fact}" if line else fact
        if line and width is not None and len(longer) >= width:
            yield f"{line};"
            line = fact
        else:
            line = longer
    yield line


def _print_classes(evaluation: Evaluation) -> None:
    """For each suite with failures, the most frequent first wrong tokens."""
    failing = [suite for suite in evaluation.suites if any(part.classes for part in suite.parts)]
    if not failing:
        return
    columns = ("failure classes", "", "first wrong token", "right", "says", "inputs", "such as")
    rows = table(*columns, right=["inputs"])
    for suite in failing:
        classes = [(part.label, alike) for part in suite.parts for alike in part.classes]
        classes.sort(key=lambda labelled: -labelled[1].count)
        for label, alike in classes[:SHOWN_CLASSES]:
            words = (alike.slot, alike.expected, alike.said, f"{alike.count:,}", alike.text)
            rows.add_row(text(suite.suite), label, *map(text, words))
        if len(classes) > SHOWN_CLASSES:
            left, inputs = len(classes) - SHOWN_CLASSES, sum(alike.count for _, alike in classes[SHOWN_CLASSES:])
            note = f"… and {left:,} more, --json has all"
            rows.add_row(text(suite.suite), "", text(note, "dim"), "", "", f"{inputs:,}", "")
        if other := sum(part.other for part in suite.parts):
            rows.add_row(text(suite.suite), "", text("too many classes to tell apart", "dim"), "", "", f"{other:,}", "")
    out = console()
    out.print()
    out.print(rows)


def of_batches(evaluation: Evaluation) -> str:
    """How many verdicts are only those of batches."""
    share = f"{evaluation.batched:,} of {evaluation.inputs:,} verdicts are those of batches"
    return f"{share}; it is not shown that they are those of one sequence at a time, which are what counts"


def qualification(evaluation: Evaluation, protocol: EvaluationProtocol) -> str:
    """The verdict of a protocol, in one line."""
    verdict = "qualified" if evaluation.qualified else "not qualified"
    asked = f"{protocol.needed(evaluation.inputs):,} ({protocol.share})"
    right = f"{evaluation.right:,} of {evaluation.inputs:,} right"
    return f"{verdict} for {protocol.name}: {right}, {protocol.asked_by} asks for {asked}"


def summary(evaluation: Evaluation) -> str:
    """One line: k of n, rate, dtype, device, how it was decided."""
    seconds = evaluation.seconds
    resumed = sum(suite.resumed for suite in evaluation.suites)
    seeds = sorted({suite.seed for suite in evaluation.suites if suite.seed is not None})
    threads = "1 thread" if evaluation.threads == 1 else f"{evaluation.threads} threads"
    parts = [
        f"{evaluation.right:,} of {evaluation.inputs:,} right in {measured(seconds)} s",
        f"{measured(evaluation.inputs / seconds)} per second" if seconds else "",
        evaluation.dtype,
        f"{evaluation.device}, {threads}, torch {evaluation.torch_version}",
        f"{evaluation.engine.name} engine, {evaluation.engine.detail}",
        "teacher forcing" if evaluation.decoding == "teacher" else "greedy decoding",
        f"{resumed:,} of them in an earlier run" if resumed else "",
        f"seed {', '.join(map(str, seeds))}" if seeds else "",
    ]
    return "; ".join(filter(None, parts))


def evaluation_json(
    subject: Subject, evaluation: Evaluation, claims: Sequence[ClaimResult], saved: shapes.Saved
) -> shapes.Evaluation:
    protocol = evaluation.protocol
    return shapes.filled(
        shapes.Evaluation,
        evaluation,
        **(of_spec(subject) if isinstance(subject, Spec) else _of_foreign(subject)),
        **saved,
        protocol=None if protocol is None else protocol.name,
        threshold=None if protocol is None else float(protocol.threshold),
        torch=evaluation.torch_version,
        suites=[_suite_json(suite) for suite in evaluation.suites],
        claims=claims_json(claims),
    )


def print_foreign(model: ForeignModel) -> None:
    """Where a model of another program comes from."""
    like = "" if model.like is None else f", like {model.like.path}"
    console().print(text(f"{model.path}: {model.kind}{like}; asked what {model.stated.path} says"))
    console().print(text(f"sha256 {model.sha256}"))


def _of_foreign(model: ForeignModel) -> dict[str, object]:
    stated, like = model.stated, None if model.like is None else str(model.like.path)
    file = shapes.filled(shapes.ModelFile, model, file=str(model.path), like=like)
    return {"spec": str(stated.path), "name": stated.resolved.name, "settings": list(stated.settings), "model": file}


def _suite_json(suite: SuiteResult) -> shapes.Suite:
    parts = [
        shapes.filled(
            shapes.Part,
            part,
            failures=failures_json(part),
            classes=[shapes.filled(shapes.FailureClass, alike, input=alike.text) for alike in part.classes],
        )
        for part in suite.parts
    ]
    return shapes.filled(shapes.Suite, suite, parts=parts)


def failures_json(part: PartResult) -> list[shapes.Failure]:
    return [shapes.filled(shapes.Failure, failure, input=failure.text) for failure in part.failures]


def print_answer(spec: Spec, question: str, answer: Answer, *, verbose: bool) -> None:
    """The decoded answer and whether it is right; with `verbose`, every token."""
    out = console()
    verdict = text("right", "green") if answer.right else text(f"wrong, the answer is {answer.expected}", "red")
    equals = "" if question.endswith(" =") else " ="  # a prompt of cases may hold it
    out.print(text(f"{question}{equals} {answer.text} "), verdict)
    if verbose:
        out.print(text(f"prompt  {_tokens(spec, answer.prompt_tokens)}"))
        out.print(text(f"answer  {_tokens(spec, answer.tokens)}"))
        if not answer.right:
            out.print(text(f"right   {_tokens(spec, answer.right_tokens)}"))


def _tokens(spec: Spec, tokens: tuple[int, ...]) -> str:
    return " ".join(spec.layout.spell(tokens, spec.network.vocabulary.labels))


def answer_json(spec: Spec, question: str, answer: Answer) -> shapes.Answer:
    labels = spec.network.vocabulary.labels
    return shapes.filled(
        shapes.Answer,
        answer,
        **of_spec(spec),
        input=question,
        answer=answer.text,
        prompt_tokens=[labels[token] for token in answer.prompt_tokens],
        answer_tokens=[labels[token] if token >= 0 else None for token in answer.tokens],
        right_tokens=[labels[token] for token in answer.right_tokens],
    )
