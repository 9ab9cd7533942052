"""What a model is asked, whatever its author calls it: models that are asked the same can be compared."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from compiler.expressions.formulas import Formula
from compiler.expressions.syntax import Binary, Call, ExpressionNode, Indexed, List, Literal, Name, Transpose, Unary
from compiler.source.faults import no_rule
from compiler.tasks.kinds import LOOPS
from compiler.tasks.stated import Case, Task
from compiler.tasks.statement import AnswerEquation, Statement, Transducer

Normal = int | str | None | list["Normal"]
Names = Mapping[str, Normal]
TARGET = "index of the target"
NO_TASK = "no task"


@dataclass(frozen=True)
class Question:
    """What a model is asked: two models are asked the same where the `digest` is the same; None without a task.

    `sizes` are the smallest and the largest one of each name. `cases` is how many there are, where a table has them.
    """

    name: str
    sizes: Mapping[str, tuple[int, int]]
    cases: int
    digest: str | None

    @property
    def title(self) -> str:
        """`addition, base 10, digits 10`, `reverse, symbols 3, length 1 to 8`, `next, 12 cases`, `no task`."""
        if self.cases:
            return f"{self.name}, {self.cases} case{'s' if self.cases > 1 else ''}"
        sizes = (
            f"{name} {low}" if low == high else f"{name} {low} to {high}" for name, (low, high) in self.sizes.items()
        )
        return ", ".join([self.name, *sizes])


def question(tasks: Sequence[Task]) -> Question:
    """What is asked by a task, given for each choice of its sizes; without any, nothing is.

    The digest is the SHA-256 of which inputs there are and of what is right for each, as formulas say it. Names make no
    difference, be it of tasks, sizes, words, alphabets, states or indices, nor does it how people write an input, which
    suites are run, or how all that is laid out in tokens. Equations beside columns are a cross-check and make none.
    """
    if not tasks:
        return Question(NO_TASK, {}, 0, None)
    cases = [_case(task, row) for task in tasks for row in task.cases]
    asked = sorted(cases) if cases else [_statement(task.statement) for task in tasks]
    sizes = {name: [task.sizes[name] for task in tasks] for name in tasks[0].sizes}
    ends = {name: (min(values), max(values)) for name, values in sizes.items()}
    return Question(tasks[0].name, ends, len(cases), hashlib.sha256(json.dumps(asked).encode()).hexdigest())


def grouped(questions: Sequence[Question]) -> dict[str, list[int]]:
    """The positions of questions that are the same, by a title that no others have, as they come first.

    Where the same is asked under several names, the title has them all.
    """
    positions: dict[str | None, list[int]] = {}
    for position, asked in enumerate(questions):
        positions.setdefault(asked.digest, []).append(position)
    found: dict[str, list[int]] = {}
    for digest, members in positions.items():
        title = " / ".join(dict.fromkeys(questions[position].title for position in members))
        found[f"{title} ({digest[:8]})" if digest and title in found else title] = members
    return found


def _case(task: Task, row: Case) -> tuple[list[str], list[str]]:
    """A case in tokens by name, as vocabularies differ."""
    prompt, answer = (
        [task.alphabets[word.alphabet].spelling[symbol] for symbol in symbols]
        for word, symbols in ((task.given[0], row.prompt), (task.answers[0], row.answer))
    )
    return prompt, answer


def _statement(statement: Statement) -> Normal:
    names: dict[str, Normal] = dict(statement.constants)
    transducer = statement.transducer
    if transducer is not None:
        names |= {state.name: f"state {k}" for k, state in enumerate(transducer.states)}
        names |= {name: f"let {k}" for k, (name, _) in enumerate(transducer.lets)}
    answers = {word.name: f"answer {k}" for k, word in enumerate(statement.answers)}
    names |= {word.name: f"given {k}" for k, word in enumerate(statement.given)}
    return [
        [[word.symbols, word.length, int(word.single)] for word in (*statement.given, *statement.answers)],
        len(statement.given),
        _formula(statement.only, names),
        _equations(statement.equations, names, answers)
        if transducer is None
        else _transducer(transducer, names, answers),
    ]


def _equations(equations: Sequence[AnswerEquation], names: Names, answers: Mapping[str, str]) -> Normal:
    """In the order of what they write. `copied: word` is what `copied[i]: word[i]` is."""
    found: list[Normal] = []
    for equation in sorted(equations, key=lambda one: (answers[one.word], one.aimed[0].place)):
        indices = {name: TARGET for aimed in equation.aimed for name in aimed.indices}
        value, form = _formula(equation.formula, {**names, **indices}), str(equation.form)
        if form == "word" and isinstance(value, str):
            value, form = ["[]", value, TARGET], "symbols"
        found.append([answers[equation.word], form, [aimed.place for aimed in equation.aimed], value])
    return found


def _transducer(transducer: Transducer, names: Names, answers: Mapping[str, str]) -> Normal:
    def each(formulas: Sequence[tuple[str, Formula]], targets: Names) -> Normal:
        by_target = {str(targets[name]): _formula(formula, names) for name, formula in formulas}
        return [[target, by_target[target]] for target in sorted(by_target)]

    return [
        int(transducer.from_last),
        [[state.size, state.start] for state in transducer.states],
        each(transducer.lets, names),
        _formula(transducer.only, names),
        each(transducer.answers, answers),
        each(transducer.following, names),
        _formula(transducer.only_at_end, names),
        each(transducer.at_end, answers),
    ]


def _formula(formula: Formula | None, names: Names) -> Normal:
    return None if formula is None else _normal(formula.tree, names)


def _normal(node: ExpressionNode, names: Names) -> Normal:
    """A formula without its names: `names` are what they stand for."""
    match node:
        case Literal(value=value):
            return int(value)
        case Name(name=name):
            return names[name]
        case Indexed(base=base, indices=parts):
            return ["[]", names[base.name], *(_normal(part, names) for part in parts)]
        case Call(function=function, arguments=(body, Name(name=index), size)) if function in LOOPS:
            inner = f"index {sum(str(name).startswith('index ') for name in names.values())}"
            return [function, _normal(size, names), _normal(body, {**names, index: inner})]
        case Call(function=function, arguments=parts):
            return [function, *(_normal(part, names) for part in parts)]
        case Unary(operator=operator, operand=operand):
            return [operator, _normal(operand, names)]
        case Transpose(operand=operand):
            return [".T", _normal(operand, names)]
        case Binary():
            return _chain(node, names)
        case List(items=parts):
            return ["list", *(_normal(part, names) for part in parts)]
        case _:
            raise no_rule("expression", node)


def _chain(node: Binary, names: Names) -> Normal:
    """A chain of operators that lean left (`a + b + c`) is walked, not recursed into: it may be long."""
    links: list[Normal] = []
    first: ExpressionNode = node
    while isinstance(first, Binary):
        links += [_normal(first.right, names), first.operator]
        first = first.left
    return ["chain", _normal(first, names), *reversed(links)]
