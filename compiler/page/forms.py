"""What each value of a trace was computed from, as JSON that is small: most positions are computed alike."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import groupby

from compiler.evaluation.computations import computation_of
from compiler.evaluation.traced_values import TracedValue, TracedValues
from compiler.evaluation.value_terms import Computation, ValueTerm
from compiler.page.cells import Equations
from compiler.page.shapes import PageForm, PageTerm, StepForms

MAX_TERMS = 12  # of a sum that stand in a page one by one
Address = tuple[
    int, int
]  # of a value in the JSON of a trace: the step, and what is inside it, -1 for the stream after it


@dataclass(frozen=True)
class TracedForms:
    """`forms` are all ways in which values of a pass were computed, and `steps` say which value was computed how."""

    forms: list[PageForm]
    steps: list[StepForms]


@dataclass
class _Known:
    """The forms that were met, each once."""

    equations: Equations
    addresses: dict[int, Address]
    listed: dict[str, int] = field(default_factory=dict)
    forms: list[PageForm] = field(default_factory=list)

    def number(self, form: PageForm) -> int:
        number = self.listed.setdefault(repr(form), len(self.forms))
        if number == len(self.forms):
            self.forms.append(form)
        return number


def traced_forms(values: TracedValues, equations: Equations) -> TracedForms:
    """The forms of all values of single positions, in the order of the steps of the trace's JSON, and of what is inside
    them."""
    addresses = _addresses(values)
    known = _Known(equations, addresses)
    steps: list[StepForms] = []
    for _, runs in groupby(addresses, key=lambda run: addresses[run][0]):
        made = {addresses[run][1]: _of_value(values, run, known) for run in runs}
        stream = made.pop(-1)
        steps.append({"stream": stream, "inside": list(made.values())})
    return TracedForms(known.forms, steps)


def _addresses(values: TracedValues) -> dict[int, Address]:
    """Where each value of a pass stands in its JSON."""
    addresses: dict[int, Address] = {}
    step = inside = 0
    for run, activation in enumerate(values.activations):
        if activation.name in values.steps:
            addresses[run] = (step, -1)
            step, inside = step + 1, 0
        elif "time" in activation.dimensions:
            addresses[run] = (step, inside)
            inside += 1
    return addresses


def _of_value(values: TracedValues, run: int, known: _Known) -> list[int | list[int]]:
    """For each dimension its form, or those at each position where they differ."""
    made: list[int | list[int]] = []
    for channel in range(len(values.activations[run].labels)):
        numbers = [
            known.number(_form(computation_of(values, TracedValue(run, at, channel)), at, known))
            for at in range(len(values.tokens))
        ]
        made.append(numbers[0] if len(set(numbers)) == 1 else numbers)
    return made


def _form(computation: Computation, position: int, known: _Known) -> PageForm:
    terms = list(computation.terms)
    rest: list[ValueTerm] = []
    if len(terms) > MAX_TERMS:
        ordered = sorted(terms, key=lambda term: -abs(term.product))
        terms, rest = ordered[:MAX_TERMS], [term for term in ordered[MAX_TERMS:] if term.product != 0]
    return {
        "function": computation.function,
        "terms": [_term(term, position, known) for term in terms],
        "more": len(rest),
        "rest": sum(term.product for term in rest),
        "equations": known.equations.numbers(computation.equations),
    }


def _term(term: ValueTerm, position: int, known: _Known) -> PageTerm:
    read = term.read
    if read is None:
        return [term.coefficient, term.label, term.value]
    at = None if read.position == position else read.position
    return [term.coefficient, *known.addresses[read.run], at, read.channel]
