"""The inputs that a page looks at step by step: those that were asked for, wrong answers, and right ones."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from math import prod

from compiler.evaluation.evaluation import answer
from compiler.evaluation.evaluator import Failure
from compiler.evaluation.traced import TracedPass, pass_of_input, pass_of_tokens, traced
from compiler.evaluation.traced_values import TracedValues
from compiler.expressions.axes import Axis
from compiler.network.activations import POSITIONS, Dimension, activations
from compiler.network.storage import tensors
from compiler.page.cells import MAX_NUMBERS, Making
from compiler.page.forms import traced_forms
from compiler.page.shapes import PageExample, PagePass
from compiler.pipeline import Spec
from compiler.report.reporting import ReportedModel, first_failure
from compiler.source.diagnostics import Diagnostic, SpecError, fail
from compiler.tasks.task import Inputs
from compiler.tasks.typed import read_typed
from compiler.terminal.traces import Look, trace_json

MAX_WRONG = 2  # of each model, of different suites
MAX_RIGHT = 2
MAX_TRIED = 16  # inputs that are tried to find a right answer
MAX_SHARE = MAX_NUMBERS // 3  # numbers of one input, where each token of its answer has a pass of its own
MAX_FORMS = 30_000  # values of a pass that are explained
MAX_READ = 50_000_000  # entries of tensors that are looked through for that
EVERYTHING = Look()
ASKED_FOR = "asked for"


@dataclass(frozen=True)
class ChosenInput:
    """An input of a spec, for the choice of its sizes that it fits, or tokens without a task; why it is looked at."""

    spec: Spec
    inputs: Inputs | str
    why: str

    @property
    def title(self) -> str:
        return self.inputs if isinstance(self.inputs, str) else self.spec.resolved.task.describe(self.inputs)


@dataclass(frozen=True)
class PageExamples:
    """What is looked at step by step, and which inputs are not, each with the reason."""

    shown: list[PageExample]
    not_shown: list[str]


@dataclass(frozen=True)
class WantedInputs:
    """Inputs as people type them, and other models of the page, whose wrong answers are looked at too."""

    texts: tuple[str, ...] = ()
    others: tuple[ReportedModel, ...] = ()


def page_examples(model: ReportedModel, wanted: WantedInputs, making: Making) -> PageExamples:
    """The inputs of a model that are looked at: those that are wanted, and some that are known."""
    shown: dict[str, PageExample] = {}
    not_shown: list[str] = []
    for chosen in chosen_inputs(model, wanted):
        if chosen.title in shown:
            continue
        try:
            shown[chosen.title] = _example(chosen, making)
        except SpecError as error:
            not_shown += [f"{chosen.title}: {diagnostic.message}" for diagnostic in error.diagnostics]
            if chosen.why != ASKED_FOR:  # others would be as large
                break
    return PageExamples(list(shown.values()), not_shown)


def check_typed(specs: Sequence[Spec], texts: Sequence[str]) -> None:
    """Raise `SpecError` for an input that is one of no spec."""
    for text in texts:
        wrong: list[Diagnostic] = []
        for spec in specs:
            try:
                _typed(spec, text)
            except SpecError as error:
                wrong += error.diagnostics
            else:
                break
        else:
            raise SpecError(wrong)


def _typed(spec: Spec, text: str, why: str = ASKED_FOR) -> ChosenInput:
    """An input as a person typed it; tokens where the spec states no task. Raises `SpecError`."""
    if not spec.resolved.asked:
        pass_of_tokens(spec, text)
        return ChosenInput(spec, text, why)
    position, inputs = read_typed([choice.resolved.task for choice in spec.choices], [text])
    return ChosenInput(spec.choices[position], inputs, why)


def chosen_inputs(model: ReportedModel, wanted: WantedInputs) -> Iterator[ChosenInput]:
    """What is looked at: these inputs; some that are known to be answered wrong, by this model or by another one; some
    that are answered right."""
    yield from filter(None, (_typed_or_none(model.spec, text, ASKED_FOR) for text in wanted.texts))
    yield from islice(_wrong(model), MAX_WRONG)
    of_others = {text: other for other in wanted.others for text in islice(_answered_wrong(other), MAX_WRONG)}
    known = (_typed_or_none(model.spec, text, f"answered wrong by {one.spec.title}") for text, one in of_others.items())
    yield from islice(filter(None, known), MAX_WRONG)
    if model.results:
        yield from islice(_right(model), MAX_RIGHT)


def _typed_or_none(spec: Spec, text: str, why: str) -> ChosenInput | None:
    """None where it is an input of another model."""
    try:
        return _typed(spec, text, why)
    except SpecError:
        return None


def _wrong(model: ReportedModel) -> Iterator[ChosenInput]:
    found = _answered_wrong(model).items()
    yield from filter(None, (_typed_or_none(model.spec, text, why) for text, why in found))


def _answered_wrong(model: ReportedModel) -> dict[str, str]:
    """The first input of each suite that is answered wrong, and the counterexample of a verification, as typed; where
    each was found."""
    known = {failure.text: f"answered wrong, in {suite}" for suite, failure in _failures(model)}
    example = None if model.verification is None else model.verification.counterexample
    if example is not None:
        known.setdefault(example.text, "answered wrong, found by verify")
    return known


def _failures(model: ReportedModel) -> Iterator[tuple[str, Failure]]:
    for failed in model.failed:
        failure = first_failure(failed)
        if failure is not None:
            yield failed.suite, failure


def _right(model: ReportedModel) -> Iterator[ChosenInput]:
    """Inputs of a suite, of one that draws them where there is one, of the largest sizes, that are answered right."""
    spec = model.spec.choices[-1]
    suites = spec.resolved.task.suites().values()
    suite = next((one for one in suites if one.sampled), next(iter(suites)))
    try:
        tried = list(islice(suite.parts(suite.size(None), 0)[-1].generate(), MAX_TRIED))
    except SpecError:  # too few inputs are allowed to draw them
        return
    for inputs in tried:
        if answer(spec, inputs).right:
            yield ChosenInput(spec, inputs, f"answered right, in {suite.name}")


def _example(chosen: ChosenInput, making: Making) -> PageExample:
    """Raises `SpecError` where there is no room for it."""
    is_tokens = isinstance(chosen.inputs, str)
    return {
        "title": chosen.title,
        "why": chosen.why,
        "in_place": is_tokens or chosen.spec.layout.in_place,
        "length": 1 if is_tokens else len(chosen.spec.layout.answer),
        "passes": list(_page_passes(chosen, making)),
    }


def _page_passes(chosen: ChosenInput, making: Making) -> Iterator[PagePass]:
    """The pass that says the answer; where each token has one of its own, as many as there is room for, the first one
    being that of the token before the first wrong one."""
    spec, inputs, before = chosen.spec, chosen.inputs, making.room.numbers
    if isinstance(inputs, str):
        yield _page_pass(spec, pass_of_tokens(spec, inputs), (0,), making)
        return
    seen = pass_of_input(spec, inputs)
    slots = spec.layout.predicted
    if len(seen.read_at) == len(slots):
        yield _page_pass(spec, seen, slots, making)
        return
    for slot in slots[max(0, _first_wrong(seen, slots) - 1) :]:
        if before - making.room.numbers and before - making.room.numbers + _numbers(spec, seen) > MAX_SHARE:
            return
        try:
            seen = pass_of_input(spec, inputs, slot)
        except SpecError:  # a logit was NaN, which ends the answer
            return
        yield _page_pass(spec, seen, (slot,), making)


def _first_wrong(seen: TracedPass, slots: Sequence[int]) -> int:
    """Which of the tokens that are predicted is the first wrong one; 0 where all are right."""
    assert seen.answer is not None
    said, right = seen.answer.tokens, seen.answer.right_tokens
    return next((i for i, slot in enumerate(slots) if said[slot] != right[slot]), 0)


def _numbers(spec: Spec, seen: TracedPass) -> int:
    """How many numbers the trace of a pass has; logits stand in it a second time, each with its token."""
    length = len(seen.tokens)
    logits = 2 * length * spec.network.classes.size
    return logits + sum(_size(dimensions, length) for dimensions in activations(spec.network).values())


def _page_pass(spec: Spec, seen: TracedPass, slots: tuple[int, ...], making: Making) -> PagePass:
    _check_room(_numbers(spec, seen), making)  # before so much is computed
    values = TracedValues(spec.network, seen.tokens, traced(spec, seen))
    computed = sum(one.value.numel() for one in values.activations)  # with those of steps that are repeated
    _check_room(computed, making)
    making.room.numbers -= max(computed, _numbers(spec, seen))
    trace = trace_json(spec, seen, values.activations, EVERYTHING)
    explained = sum(one.value.numel() for one in values.activations if "time" in one.dimensions)
    entries = max((len(tensor.entries) for tensor in tensors(spec.network).values()), default=0)
    if explained > MAX_FORMS or explained * entries > MAX_READ:
        return {"slots": list(slots), "trace": trace, "forms": [], "steps": []}
    forms = traced_forms(values, making.equations)
    return {"slots": list(slots), "trace": trace, "forms": forms.forms, "steps": forms.steps}


def _check_room(numbers: int, making: Making) -> None:
    if numbers > making.room.numbers:
        raise fail("too-large", f"{numbers:,} numbers, which this page has no room for; `trace` shows them")


def _size(dimensions: tuple[Dimension, ...], length: int) -> int:
    """How many numbers a value has in a sequence of so many tokens."""
    lengths = {"time": length, **dict.fromkeys(POSITIONS, length)}
    return prod(one.size if isinstance(one, Axis) else lengths.get(one, 1) for one in dimensions)
