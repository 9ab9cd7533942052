"""Rules about how a model is asked: its task, the prompt, and how the answer is decoded."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator

from compiler.network.meanings import lead_sign
from compiler.readers.linting.rule import Examined, Finding
from compiler.readers.linting.spans import in_layout, top_level
from compiler.tasks import TaskError


def task_is_tested(protocol: str) -> Callable[[Examined], Iterator[Finding]]:
    """A rule: the task, in these sizes, is one that the protocol tests."""

    def check(examined: Examined) -> Iterator[Finding]:
        if not examined.spec.choices:
            yield Finding(f"the spec states no task, and {protocol} tests one", None)
            return
        task = examined.spec.resolved.task
        place = top_level(examined.spec, "task", task.name) or top_level(examined.spec, "task")
        test = task.protocols().get(protocol)
        if test is None:
            yield Finding(f"the task {task.name} is not the one that {protocol} tests", place)
            return
        for suite in (task.suites()[name] for name in test.suites):
            try:
                suite.parts(suite.default_size, 0)
            except TaskError as error:
                yield Finding(error.message, place)

    return check


def operands_once(examined: Examined) -> Iterator[Finding]:
    """Each symbol of an operand stands in the prompt once."""
    if not examined.spec.choices:
        return
    layout, task = examined.spec.layout, examined.spec.resolved.task
    times = Counter((place.word, place.index) for slot in layout.prompt for place in slot.places)
    for word in task.given:
        by_symbol = [times[word.name, index] for index in range(word.length)]
        first = next((index for index, count in enumerate(by_symbol) if count > 1), None)
        if first is not None:
            name = word.name if len(set(by_symbol)) == 1 else f"{word.name}[{first}]"
            message = f"'{name}' stands in the prompt {by_symbol[first]} times"
            yield Finding(message, in_layout(examined.spec, "prompt", name, last=True))


def answer_in_place(examined: Examined) -> Iterator[Finding]:
    """The answer is generated after the prompt, token by token."""
    if examined.spec.choices and examined.spec.layout.in_place:
        message = "the answer is read at the tokens of the prompt in one pass: nothing is generated"
        places = (top_level(examined.spec, "task", "answer", where) for where in ("in_place", "at", "next"))
        yield Finding(message, next(filter(None, places), None))


def forced_tokens(examined: Examined) -> Iterator[Finding]:
    """Every token of the answer is one that the model can emit."""
    if not examined.spec.choices:
        return
    layout = examined.spec.layout
    labels = examined.spec.network.vocabulary.labels
    last = max(layout.predicted, default=-1)
    for token in dict.fromkeys(slot.token for slot in layout.answer):
        if token is None or token < layout.classes or layout.in_place:
            continue
        first = next(i for i, slot in enumerate(layout.answer) if slot.token == token)
        where = "after the last token that it predicts" if first > last else "among those that it predicts"
        message = f"the model cannot emit {labels[token]}: it is put there, {where}"
        yield Finding(message, in_layout(examined.spec, "answer", labels[token]))


def lowest_wins(examined: Examined) -> Iterator[Finding]:
    """The token with the highest logit is taken."""
    if lead_sign(examined.spec.network.decode) < 0:
        yield Finding("the token with the lowest logit is taken", top_level(examined.spec, "decode"))
