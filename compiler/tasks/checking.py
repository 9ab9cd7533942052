"""The formulas of a stated task, checked before any input is looked at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from compiler.expressions.formulas import NESTED_TOO_DEEPLY, Formula
from compiler.expressions.syntax import ExpressionError
from compiler.source.diagnostics import Diagnostic, Findings
from compiler.source.limits import MAX_TASK_WORK
from compiler.tasks.kinds import Kind, Readable, WordKind, expect, expect_word, kind_of, kind_text
from compiler.tasks.statement import AnswerEquation, Statement, Transducer, WordShape
from compiler.tasks.work import least_work, too_much_work


def check_formulas(statement: Statement, elsewhere: Mapping[str, str], findings: Findings) -> None:
    """Report what is wrong with the formulas of a task for every input.

    `elsewhere` says of names that exist, such as parameters, why formulas of a task cannot read them.
    """
    answers = {word.name: "is an answer: what is right is said of given words" for word in statement.answers}
    elsewhere = {**elsewhere, **answers}
    constants: dict[str, Kind] = dict.fromkeys(statement.constants, "number")
    words: dict[str, Kind] = {word.name: _kind(word) for word in statement.given}
    transducer = statement.transducer
    states = [state.name for state in transducer.states] if transducer is not None else []
    in_columns = dict.fromkeys(states, "is a state: it is read under `columns`")
    checker = _Checker(statement.constants, findings)
    names = Readable(constants | words, elsewhere | in_columns)
    for condition in (statement.only, *statement.also):
        checker.expect("truth", condition, names)
    for equation in statement.equations:
        checker.equation(equation, statement.word(equation.word), names)
    if transducer is not None:
        numbers = constants | dict.fromkeys(states, "number")
        checker.columns(transducer, Readable(numbers | dict.fromkeys(words, "number"), elsewhere))
        later = dict.fromkeys(words, "is a word: the end reads the last state")
        later |= {name: "stands under `let`: the end reads the last state" for name, _ in transducer.lets}
        checker.end(transducer, Readable(numbers, elsewhere | later))


def _kind(word: WordShape) -> Kind:
    return "number" if word.single else WordKind(word.symbols, word.length)


@dataclass(frozen=True)
class _Checker:
    constants: Mapping[str, int]
    findings: Findings

    def equation(self, equation: AnswerEquation, shape: WordShape | None, names: Readable) -> None:
        for name in equation.aimed[0].indices if equation.aimed else ():
            names = names.binding(name)
        is_word = equation.form == "word" and shape is not None
        kind: Kind = WordKind(shape.symbols, shape.length) if is_word and shape is not None else "number"
        self.expect(kind, equation.formula, names, times=len(equation.aimed) if equation.form == "symbols" else 1)

    def columns(self, transducer: Transducer, names: Readable) -> None:
        work: dict[str, int] = {}
        later = [name for name, _ in transducer.lets]
        for name, formula in transducer.lets:
            not_yet = dict.fromkeys(later[later.index(name) :], "is not known yet: `let` reads what stands above it")
            kind = self.expect(None, formula, replace(names, elsewhere={**names.elsewhere, **not_yet}), work)
            if kind is None:
                return  # what reads it cannot be checked
            names = names.binding(name, kind)
            work[name] = least_work(formula, self.constants, work)
        self.expect("truth", transducer.only, names, work)
        for _, formula in (*transducer.answers, *transducer.following):
            self.expect("number", formula, names, work)

    def end(self, transducer: Transducer, names: Readable) -> None:
        self.expect("truth", transducer.only_at_end, names)
        for _, formula in transducer.at_end:
            self.expect("number", formula, names)

    def expect(
        self,
        kind: Kind | None,
        formula: Formula | None,
        names: Readable,
        lets: Mapping[str, int] | None = None,
        times: int = 1,
    ) -> Kind | None:
        """The kind of a formula, if it is the one expected, None standing for any; else None, with the reason reported.

        `lets` are the names under `let` and what they cost; the formula is computed so many `times` for an input.
        """
        if formula is None:
            return None
        tree = formula.tree
        try:
            found = _kind_expected(kind, formula, names)
            if times * least_work(formula, self.constants, lets or {}) > MAX_TASK_WORK:
                raise too_much_work(tree.at)
            return found
        except ExpressionError as error:
            span = error.span or formula.place(*error.at)
            self.findings.report(Diagnostic(error.code, error.message, span, error.hint))
        except RecursionError:
            self.findings.report(Diagnostic("too-much-work", NESTED_TOO_DEEPLY, formula.span))
        return None


def _kind_expected(kind: Kind | None, formula: Formula, names: Readable) -> Kind:
    """The kind of a formula. Raises `ExpressionError` where it is not the one expected.

    Of a word the length has to be the one expected. Its symbols may be too many: that depends on the input.
    """
    tree = formula.tree
    if not isinstance(kind, WordKind):
        return kind_of(tree, names) if kind is None else expect(kind, tree, names)
    if kind_of(tree, names) == "number":
        hint = "write NAME[i] before the colon for each symbol, or number(NAME) for its digits"
        raise ExpressionError("wrong-type", f"expected {kind_text(kind)}, found a number", tree.at, hint)
    found = expect_word(tree, names)
    if found.length != kind.length:
        raise ExpressionError("wrong-type", f"expected {kind_text(kind)}, found {kind_text(found)}", tree.at)
    return found
