"""A rule about weights: each can change an answer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from compiler.network.flow.task_tokens import positions_in
from compiler.network.ir import Equation, Position
from compiler.network.storage import tensors
from compiler.readers.linting.rule import Examined, Finding


def dead_weights(examined: Examined) -> Iterator[Finding]:
    """Every number that is stored and not zero can change which token wins."""
    written: Counter[Equation] = Counter()
    dead: dict[Equation, list[str]] = {}
    for name, tensor in tensors(examined.spec.network).items():
        for entry in tensor.entries:
            if entry.value:
                written[entry.equation] += 1
                if entry.index not in examined.flow.alive[name]:
                    dead.setdefault(entry.equation, []).append(f"{name}[{tensor.label(entry.index)}]")
    for equation, labels in dead.items():
        total, first = written[equation], labels[0]
        if total == 1:
            message = f"the weight of '{equation}', {first}, can change no answer"
        elif len(labels) == total:
            message = f"the {total} weights of '{equation}', such as {first}, can change no answer"
        else:
            message = f"of the {total} weights of '{equation}' {len(labels)} can change no answer, such as {first}"
        yield Finding(message, equation.span)
    for step in examined.spec.network.steps:
        for term in step.terms if isinstance(step, Position) else ():
            positions = positions_in(examined.flow.positions[step.name])
            moved = term.dimension in examined.flow.moved[step.name]
            numbers = (it for at in positions for it in term.formula.numbers(at, examined.spec.network.context))
            if not moved or all(number.value == 0 for number in numbers):
                yield Finding(f"'{term.equation}' of {step.name} can change no answer", term.equation.span)
