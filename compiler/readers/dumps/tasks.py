"""What a model is asked, as plain values."""

from __future__ import annotations

from typing import Any

from compiler.pipeline import Spec
from compiler.tasks.rules import rules, section_of
from compiler.tasks.statement import WordShape


def task_value(spec: Spec) -> dict[str, Any] | None:
    """The task of a spec; None without one. Of sizes that are ranges all, else the largest."""
    section = section_of(spec.resolved.document)
    if section is None or not spec.resolved.asked:
        return None
    task, labels = spec.resolved.task, spec.network.vocabulary.labels
    every = [asked.task for asked in spec.resolved.asked]
    return {
        "kind": task.name,
        "sizes": {name: sorted({one.sizes[name] for one in every}) for name in task.sizes},
        "alphabets": {name: [labels[token] for token in one.tokens] for name, one in task.alphabets.items()},
        "given": [_word(word, [one.statement.word(word.name) for one in every]) for word in task.given],
        "answers": [_word(word, [one.statement.word(word.name) for one in every]) for word in task.answers],
        "rules": [
            {
                "rule": str(rule),
                "written": rule.text,
                "file": rule.formula.span.source.name,
                "line": rule.formula.span.line,
            }
            for rule in rules(section)
        ],
        "cases": sum(len(one.cases) for one in every),
        "window": spec.layout.window,
        "suites": list(task.suites()),
    }


def answer_read_at(spec: Spec) -> list[int] | None:
    """The position in the prompt at which each token of the answer is read; None where it is generated."""
    return list(spec.layout.read_at) if spec.resolved.asked and spec.layout.in_place else None


def _word(word: WordShape, every: list[WordShape | None]) -> dict[str, Any]:
    lengths = sorted({one.length for one in every if one is not None})
    return {"name": word.name, "alphabet": word.alphabet, "lengths": lengths}
