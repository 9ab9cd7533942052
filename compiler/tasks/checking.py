"""The formulas of a stated task, checked before any input is looked at."""

from __future__ import annotations

from collections.abc import Mapping

from compiler.expressions.formulas import NESTED_TOO_DEEPLY, Formula
from compiler.expressions.syntax import ExpressionError
from compiler.source.diagnostics import Diagnostic, Findings
from compiler.tasks.costs import check_costs
from compiler.tasks.kinds import Kind, Readable, WordKind, described, expect, expect_word, kind_of
from compiler.tasks.statement import Equation, Statement, Transducer, WordShape


def check_formulas(statement: Statement, elsewhere: Mapping[str, str], findings: Findings) -> None:
    """Report what is wrong with the formulas of a task for every input.

    `elsewhere` says of names that exist, such as parameters, why formulas of a task cannot read them.
    """
    before = len(findings)
    answers = {word.name: "is an answer: what is right is said of given words" for word in statement.answers}
    elsewhere = {**elsewhere, **answers}
    constants: dict[str, Kind] = dict.fromkeys(statement.constants, "number")
    words: dict[str, Kind] = {word.name: _kind(word) for word in statement.given}
    transducer = statement.transducer
    states = dict.fromkeys((state.name for state in transducer.states) if transducer is not None else (), "is a state")
    in_columns = {name: f"{what}: it is read under `columns`" for name, what in states.items()}
    names = Readable(constants | words, elsewhere | in_columns)
    for condition in (statement.only, *statement.also):
        _expect("truth", condition, names, findings)
    for equation in statement.equations:
        _check_equation(equation, statement.word(equation.word), names, findings)
    if transducer is not None:
        numbers = constants | dict.fromkeys(states, "number")
        _check_columns(transducer, Readable(numbers | dict.fromkeys(words, "number"), elsewhere), findings)
        later = dict.fromkeys(words, "is a word: the end reads the last state")
        later |= {name: "stands under `let`: the end reads the last state" for name, _ in transducer.lets}
        _check_end(transducer, Readable(numbers, elsewhere | later), findings)
    if len(findings) == before:
        check_costs(statement, findings)


def _kind(word: WordShape) -> Kind:
    return "number" if word.single else WordKind(word.symbols, word.length)


def _check_equation(equation: Equation, shape: WordShape | None, names: Readable, findings: Findings) -> None:
    for name in equation.aimed[0].indices if equation.aimed else ():
        names = names.binding(name)
    if equation.form == "word" and shape is not None:
        _expect(WordKind(shape.symbols, shape.length), equation.formula, names, findings)
    else:
        _expect("number", equation.formula, names, findings)


def _check_columns(transducer: Transducer, names: Readable, findings: Findings) -> None:
    for name, formula in transducer.lets:
        kind = _expect(None, formula, names, findings)
        if kind is None:
            return  # what reads it cannot be checked
        names = names.binding(name, kind)
    _expect("truth", transducer.only, names, findings)
    for _, formula in (*transducer.answers, *transducer.following):
        _expect("number", formula, names, findings)


def _check_end(transducer: Transducer, names: Readable, findings: Findings) -> None:
    _expect("truth", transducer.only_at_end, names, findings)
    for _, formula in transducer.at_end:
        _expect("number", formula, names, findings)


def _expect(kind: Kind | None, formula: Formula | None, names: Readable, findings: Findings) -> Kind | None:
    """The kind of a formula, if it is the one expected, None standing for any; else None, with the reason reported.

    Of a word the length has to be the one expected. Its symbols may be too many: that depends on the input.
    """
    if formula is None:
        return None
    tree = formula.tree
    try:
        if not isinstance(kind, WordKind):
            return kind_of(tree, names) if kind is None else expect(kind, tree, names)
        found = expect_word(tree, names)
        if found.length == kind.length:
            return found
        raise ExpressionError("wrong-type", f"expected {described(kind)}, found {described(found)}", tree.at)
    except ExpressionError as error:
        span = error.span or formula.place(*error.at)
        findings.report(Diagnostic(error.code, error.message, span, error.hint))
    except RecursionError:
        findings.report(Diagnostic("too-much-work", NESTED_TOO_DEEPLY, formula.span))
    return None
