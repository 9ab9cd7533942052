"""The result of an evaluation."""

from __future__ import annotations

from compiler.evaluation import Answer, Evaluation
from compiler.pipeline import Spec
from compiler.tasks.task import EvaluationProtocol
from compiler.terminal.console import console, table, text


def print_evaluation(evaluation: Evaluation) -> None:
    """k of n for each suite and part, the first failures as greedy decoding has them, the rate and the machine."""
    out = console()
    rows = table("suite", "", "right", "of", "", "seconds", right=["right", "of", "seconds"])
    for suite in evaluation.suites:
        for i, part in enumerate(suite.parts):
            seconds = f"{suite.seconds:.2f}" if i == 0 else ""
            verdict = "" if part.right == part.pairs else f"{part.pairs - part.right:,} wrong"
            close = f"{part.close:,} decided one at a time" if part.close else ""
            note = text(", ".join(filter(None, (verdict, close))), "red" if verdict else "")
            rows.add_row(
                text(suite.suite if i == 0 else ""), part.label, f"{part.right:,}", f"{part.pairs:,}", note, seconds
            )
    out.print(rows)
    failures = [
        (suite.suite, failure) for suite in evaluation.suites for part in suite.parts for failure in part.failures
    ]
    if failures:
        every = len(failures) == evaluation.pairs - evaluation.right
        shown = table("failures" if every else "first failures", "input", "right answer", "greedy decoding says")
        for name, failure in failures:
            shown.add_row(text(name), text(failure.text), text(failure.expected), text(failure.got))
        out.print()
        out.print(shown)
    out.print()
    out.print(text(summary(evaluation)))
    if evaluation.protocol is not None:
        out.print(text(qualification(evaluation, evaluation.protocol), "" if evaluation.qualified else "red"))


def qualification(evaluation: Evaluation, protocol: EvaluationProtocol) -> str:
    """The verdict of a protocol, in one line."""
    verdict = "qualified" if evaluation.qualified else "not qualified"
    asked = f"{protocol.needed(evaluation.pairs):,} ({protocol.share})"
    found = f"{evaluation.right:,} of {evaluation.pairs:,} right"
    return f"{verdict} for {protocol.name}: {found}, {protocol.asked_by} asks for {asked}"


def summary(evaluation: Evaluation) -> str:
    """One line: k of n, rate, dtype, device, how it was decided."""
    seconds = evaluation.seconds
    seeds = sorted({suite.seed for suite in evaluation.suites if suite.seed is not None})
    parts = [
        f"{evaluation.right:,} of {evaluation.pairs:,} right in {seconds:.2f} s",
        f"{evaluation.pairs / seconds:,.0f} per second" if seconds else "",
        evaluation.dtype,
        f"{evaluation.device}, {evaluation.threads} threads, torch {evaluation.torch_version}",
        "teacher forcing" if evaluation.decoding == "teacher" else "greedy decoding",
        f"seed {', '.join(map(str, seeds))}" if seeds else "",
    ]
    return "; ".join(filter(None, parts))


def evaluation_json(evaluation: Evaluation) -> dict[str, object]:
    protocol = evaluation.protocol
    return {
        "protocol": None if protocol is None else protocol.name,
        "threshold": None if protocol is None else float(protocol.threshold),
        "qualified": evaluation.qualified,
        "right": evaluation.right,
        "pairs": evaluation.pairs,
        "seconds": evaluation.seconds,
        "decoding": evaluation.decoding,
        "dtype": evaluation.dtype,
        "device": evaluation.device,
        "threads": evaluation.threads,
        "torch": evaluation.torch_version,
        "suites": [
            {
                "suite": suite.suite,
                "seed": suite.seed,
                "right": suite.right,
                "pairs": suite.pairs,
                "seconds": suite.seconds,
                "parts": [
                    {
                        "label": part.label,
                        "right": part.right,
                        "pairs": part.pairs,
                        "close": part.close,
                        "failures": [
                            {"input": failure.text, "expected": failure.expected, "got": failure.got}
                            for failure in part.failures
                        ],
                    }
                    for part in suite.parts
                ],
            }
            for suite in evaluation.suites
        ],
    }


def print_answer(spec: Spec, question: str, answer: Answer, *, verbose: bool) -> None:
    """The decoded answer and whether it is right; with `verbose`, every token."""
    out = console()
    verdict = text("right", "green") if answer.right else text(f"wrong, the answer is {answer.expected}", "red")
    out.print(text(f"{question} = {answer.text} "), verdict)
    if verbose:
        out.print(text(f"prompt  {_tokens(spec, answer.prompt_tokens)}"))
        out.print(text(f"answer  {_tokens(spec, answer.tokens)}"))
        if not answer.right:
            out.print(text(f"right   {_tokens(spec, answer.right_tokens)}"))


def _tokens(spec: Spec, tokens: tuple[int, ...]) -> str:
    return " ".join(spec.layout.spell(tokens, spec.network.vocabulary.labels))


def answer_json(spec: Spec, question: str, answer: Answer) -> dict[str, object]:
    labels = spec.network.vocabulary.labels

    def named(tokens: tuple[int, ...]) -> list[str | None]:
        return [labels[token] if token >= 0 else None for token in tokens]

    return {
        "spec": str(spec.path),
        "name": spec.name,
        "settings": list(spec.settings),
        "input": question,
        "answer": answer.text,
        "expected": answer.expected,
        "right": answer.right,
        "prompt_tokens": named(answer.prompt_tokens),
        "answer_tokens": named(answer.tokens),
        "right_tokens": named(answer.right_tokens),
    }
