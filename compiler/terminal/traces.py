"""One pass of a model for people: the stream after each step, attention, logits; and why a value is what it is.

All that is printed is made from the JSON.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, cast

from rich.text import Text

from compiler.network.ir import Attention, Decode, Head, Step
from compiler.network.meanings import lead_sign
from compiler.pipeline import Spec
from compiler.source.diagnostics import did_you_mean, fail
from compiler.source.limits import MAX_ACTIVATION
from compiler.terminal import shapes
from compiler.terminal.console import console, first, line_of, multiline, number_text, table, text
from compiler.terminal.layout import Rows
from compiler.terminal.overview import equation_json, of_spec
from compiler.terminal.steps import describe_step

if TYPE_CHECKING:  # they import torch
    from compiler.backends.torch.tracing import Activation
    from compiler.evaluation.parting import Parting
    from compiler.evaluation.traced import TracedPass
    from compiler.evaluation.traced_values import TracedValue, TracedValues
    from compiler.evaluation.value_terms import Computation, ValueTerm

WIDTH = 80  # of a table with numbers by position, at most
KEYS = 40  # that a line of shades shows
LISTED_KEYS = 3  # with their weights
MAX_LOGITS = 12  # tokens that are all printed; of more
MAX_CANDIDATES = 3  # those that come first at each position
MAX_ZEROS = 12  # dimensions that are named
MAX_TERMS = 8  # that are printed of one sum
SHADES = "░▒▓█"  # of weights above 0, in quarters of the largest one
MARK = "*"  # of a dimension that a step has changed, and of the logit that wins


@dataclass(frozen=True)
class Look:
    """What of a trace is looked at: positions, steps or blocks, heads; everything where none is named."""

    positions: tuple[int, ...] = ()
    steps: tuple[str, ...] = ()
    heads: tuple[str, ...] = ()

    def has_step(self, name: str) -> bool:
        return not self.steps or any(name == one or name.startswith(f"{one}.") for one in self.steps)

    def check(self, spec: Spec, length: int) -> None:
        """Raises `SpecError` for what is not there."""
        from compiler.evaluation.traced_values import check_position

        for position in self.positions:
            check_position(position, length, position)
        names = [step.name for step in spec.network.steps]
        for asked in self.steps:
            if not any(Look(steps=(asked,)).has_step(name) for name in names):
                raise fail("unknown-name", f"no step '{asked}' in {spec.title}{did_you_mean(asked, names)}")
        attentions = [step for step in spec.network.steps if isinstance(step, Attention) and self.has_step(step.name)]
        heads = [head for step in attentions for head in step.heads.labels]
        for asked in self.heads:
            if asked not in heads:
                where = f"in {' and '.join(self.steps)}" if self.steps else f"in {spec.title}"
                raise fail("unknown-name", f"no head '{asked}' {where}{did_you_mean(asked, heads)}")


def trace_json(spec: Spec, seen: TracedPass, values: Sequence[Activation], look: Look) -> shapes.TracedPass:
    """One pass: of each step the stream after it, what was computed on the way, and the logits.

    Raises `SpecError` where that is too much.
    """
    labels, network = spec.network.vocabulary.labels, spec.network
    positions = look.positions or tuple(range(len(seen.tokens)))
    numbers = sum(one.value.numel() for one in values if look.has_step(one.name)) * len(positions) // len(seen.tokens)
    if numbers > MAX_ACTIVATION:
        message = f"a trace of {numbers:,} numbers; at most {MAX_ACTIVATION:,} are shown"
        raise fail("too-large", message, hint="with --at or --step it has fewer")
    answer = seen.answer
    return shapes.filled(
        shapes.TracedPass,
        seen,
        **of_spec(spec),
        dtype=network.dtype.name,
        decode=network.decode,
        input=seen.question,
        answer=None if answer is None else answer.text,
        expected=None if answer is None else answer.expected,
        right=None if answer is None else answer.right,
        tokens=[labels[token] for token in seen.tokens],
        positions=list(positions),
        steps=list(_steps_json(spec, values, positions, look)),
        logits=[_logits_json(spec, seen, _row(values[-1], position), position) for position in positions],
    )


def _row(activation: Activation, position: int) -> list[float]:
    """The numbers of a value at a position, whatever else it is divided into."""
    row: list[float] = activation.at(position).tolist()
    return row


def _steps_json(
    spec: Spec, values: Sequence[Activation], positions: Sequence[int], look: Look
) -> Iterator[shapes.TracedStep]:
    steps = {step.name: step for step in spec.network.steps}
    runs = dict.fromkeys(steps, 0)
    before: Activation | None = None
    begin = 0
    for i, activation in enumerate(values):
        step = steps.get(activation.name)
        if step is None:
            continue
        runs[step.name] += 1
        if look.has_step(step.name):
            stream = list(activation.labels)
            after = [_row(activation, position) for position in positions]
            old = None if before is None or isinstance(step, Head) else [_row(before, one) for one in positions]
            yield {
                "name": step.name,
                "run": runs[step.name],
                "summary": describe_step(step, spec.network.dtype),
                "stream": stream,
                "values": after,
                "changed": [_changed(stream, row, [] if old is None else old[k]) for k, row in enumerate(after)],
                "heads": _heads_json(step, values[begin:i], positions, look),
                "inside": [_inside_json(one, positions) for one in values[begin:i] if "time" in one.dimensions],
            }
        before, begin = activation, i + 1


def _changed(stream: list[str], row: list[float], old: list[float]) -> list[str]:
    padded = [*old, *[0.0] * (len(row) - len(old))]
    return [label for label, now, then in zip(stream, row, padded, strict=False) if now != then]


def _heads_json(
    step: Step, values: Sequence[Activation], positions: Sequence[int], look: Look
) -> list[shapes.TracedHead]:
    if not isinstance(step, Attention):
        return []
    found = {one.name: one.value[0] for one in values}
    scores, pattern = (found[f"{step.name}.{name}"][:, list(positions)].tolist() for name in ("scores", "pattern"))
    return [
        {"head": head, "scores": scores[i], "pattern": pattern[i]}
        for i, head in enumerate(step.heads.labels)
        if not look.heads or head in look.heads
    ]


def _inside_json(activation: Activation, positions: Sequence[int]) -> shapes.TracedValue:
    rows = [_row(activation, position) for position in positions]
    return {"name": activation.name, "dimensions": list(activation.labels), "values": rows}


def _logits_json(spec: Spec, seen: TracedPass, logits: list[float], position: int) -> shapes.TracedLogits:
    labels = spec.network.vocabulary.labels
    sign = lead_sign(spec.network.decode)
    leads = sorted((sign * logit for logit in logits), reverse=True)
    wrong = any(map(math.isnan, logits))
    lead = math.nan if wrong else leads[0] - leads[1] if len(leads) > 1 else math.inf
    right = dict(zip(seen.read_at, seen.right, strict=False)).get(position)
    return {
        "position": position,
        "says": None if wrong else labels[logits.index(sign * leads[0])],
        "lead": lead,
        "right": None if right is None else labels[right],
        "logits": dict(zip(labels, logits, strict=False)),
    }


def print_trace(trace: shapes.TracedPass, look: Look) -> None:
    """The stream after each step, attention and logits; what is computed inside the steps that `look` names."""
    out = console()
    if trace["input"] is not None:
        verdict = text("right", "green") if trace["right"] else text(f"wrong, the answer is {trace['expected']}", "red")
        out.print(text(f"{_answered(trace['input'], trace['answer'])} "), verdict)
    cut = f"from token {trace['start']} on: " if trace["start"] else ""
    out.print(text(f"reads {cut}{' '.join(trace['tokens'])}"))
    columns = [_Column(place, str(at), trace["tokens"][at]) for place, at in enumerate(trace["positions"])]
    for step in trace["steps"]:
        again = f", run {step['run']}" if step["run"] > 1 else ""
        out.print()
        out.print(text(f"{step['name']}{again}: {step['summary']}", "bold"))
        if step["heads"]:
            _print_heads(step["heads"], columns, trace["tokens"])
        for value in step["inside"] if look.steps else ():
            _print_numbers(_Numbers(value["name"], value["dimensions"], value["values"]), columns)
        if step["stream"] != list(trace["logits"][0]["logits"]):  # which come below
            _print_numbers(_Numbers("stream", step["stream"], step["values"], step["changed"]), columns)
    out.print()
    _print_logits(trace, columns)


def _answered(asked: str, answer: str | None) -> str:
    """An input with the answer; the input of a table of cases may end in the sign itself."""
    return asked if answer is None else f"{asked.removesuffix(' =')} = {answer}"


@dataclass(frozen=True)
class _Column:
    """A position that is shown: its place in the lists of a trace, its number and its token."""

    place: int
    position: str
    token: str


@dataclass(frozen=True)
class _Numbers:
    """Numbers by position and dimension, with the dimensions that are marked at each position."""

    title: str
    dimensions: Sequence[str]
    values: Sequence[Sequence[float]]
    marked: Sequence[Sequence[str]] | None = None
    zeros: bool = False  # whether dimensions that are zero have a row too

    def is_marked(self, place: int, dimension: int) -> bool:
        return self.marked is not None and self.dimensions[dimension] in self.marked[place]

    def is_shown(self, place: int, dimension: int) -> bool:
        return self.zeros or self.values[place][dimension] != 0 or self.is_marked(place, dimension)

    def cell(self, place: int, dimension: int) -> Text:
        marked = self.is_marked(place, dimension)
        return text(MARK * marked + rounded(self.values[place][dimension]), "bold" if marked else "")


def rounded(value: float) -> str:
    """A value of a model with four figures."""
    return "NaN" if math.isnan(value) else f"{value + 0.0:.4g}"


def _print_numbers(numbers: _Numbers, columns: Sequence[_Column]) -> None:
    """A row for each dimension that is not zero everywhere, as many columns as fit side by side."""
    places = [column.place for column in columns]
    dimensions = range(len(numbers.dimensions))
    shown = [dimension for dimension in dimensions if any(numbers.is_shown(place, dimension) for place in places)]
    out = console()
    for group in _fitting(numbers, shown, columns, min(WIDTH, out.width)) if shown else ():
        positions = [column.position for column in group]
        rows = table(numbers.title, *positions, right=positions)
        rows.add_row("", *(column.token for column in group))
        for dimension in first(shown, rows):
            cells = (numbers.cell(column.place, dimension) for column in group)
            rows.add_row(text(numbers.dimensions[dimension]), *cells)
        out.print(rows)
    left = [numbers.dimensions[dimension] for dimension in sorted({*dimensions} - {*shown})]
    if left:
        named = ", ".join(left[:MAX_ZEROS])
        more = f" and {len(left) - MAX_ZEROS:,} more" if len(left) > MAX_ZEROS else ""
        where = "" if shown else f"{numbers.title}: "
        out.print(text(f"{where}zero here: {named}{more}", "dim"))


def _fitting(
    numbers: _Numbers, dimensions: Sequence[int], columns: Sequence[_Column], room: int
) -> Iterator[Sequence[_Column]]:
    """Groups of columns, each of which fits side by side."""
    names = max(len(numbers.title), *(len(numbers.dimensions[dimension]) for dimension in dimensions))
    widths = [
        2
        + max(
            len(column.position),
            len(column.token),
            *(len(numbers.cell(column.place, dimension)) for dimension in dimensions),
        )
        for column in columns
    ]
    group: list[_Column] = []
    used = names
    for column, width in zip(columns, widths, strict=True):
        if group and used + width > room:
            yield group
            group, used = [], names
        group.append(column)
        used += width
    yield group


def _print_heads(heads: Sequence[shapes.TracedHead], columns: Sequence[_Column], tokens: Sequence[str]) -> None:
    """A line of shades for each head and position, a shade for each key, and the largest weights as numbers."""
    keys = f"keys 0 to {len(tokens) - 1}"
    names = max(len("head"), *(len(head["head"]) for head in heads))
    places = max(len("at"), len(str(len(tokens) - 1)))
    room = WIDTH - names - places - max(len(keys), min(len(tokens), KEYS)) - 6
    rows = table("head", "at", keys, "largest weights", right=["at"])
    for head in first(heads, rows):
        for k, column in enumerate(columns):
            weights = head["pattern"][column.place]
            shades = _shades(weights)
            lines = "\n".join(shades[i : i + KEYS] for i in range(0, len(shades), KEYS))
            name = head["head"] if not k else ""
            rows.add_row(text(name), column.position, multiline(lines), text(_largest(weights, tokens, room)))
    console().print(rows)


def _shades(weights: Sequence[float]) -> str:
    """A shade for each weight, by how much of the largest one it is."""
    largest = max(weights, default=0.0)
    return "".join(map(partial(_shade, largest), weights))


def _shade(largest: float, weight: float) -> str:
    if math.isnan(weight) or math.isnan(largest):
        return "?"
    return SHADES[min(int(weight / largest * len(SHADES)), len(SHADES) - 1)] if weight > 0 else "·"


def _largest(weights: Sequence[float], tokens: Sequence[str], room: int) -> str:
    """The keys with the largest weights, as many as fit."""
    order = sorted((key for key, weight in enumerate(weights) if weight), key=lambda key: -weights[key])
    named = [f"{weights[key]:.3g} at {key} {tokens[key]}" for key in order[:LISTED_KEYS]]
    while len(named) > 1 and len(", ".join(named)) > room:
        named.pop()
    return ", ".join(named)


def _print_logits(trace: shapes.TracedPass, columns: Sequence[_Column]) -> None:
    """The logits of the tokens that are in front somewhere, what is said, and by how much."""
    rows = [trace["logits"][column.place] for column in columns]
    tokens = list(rows[0]["logits"])
    sign = lead_sign(cast(Decode, trace["decode"]))
    shown = MAX_LOGITS if len(tokens) <= MAX_LOGITS else MAX_CANDIDATES
    foremost = {
        token for row in rows for token in sorted(tokens, key=lambda token: -sign * row["logits"][token])[:shown]
    }
    kept = [token for token in tokens if token in foremost]
    said = [[row["says"] or ""] for row in trace["logits"]]
    values = [[row["logits"][token] for token in kept] for row in trace["logits"]]
    _print_numbers(_Numbers("logits", kept, values, said, zeros=True), columns)
    out = console()
    if len(kept) < len(tokens):
        out.print(text(f"and {len(tokens) - len(kept):,} more tokens", "dim"))
    for row in rows:
        out.print(text(_said(row)))
    if sign < 0:
        out.print(text("the lowest logit wins", "dim"))


def _said(row: shapes.TracedLogits) -> str:
    if row["says"] is None:
        return f"{row['position']} says nothing: a logit is NaN"
    right = "" if row["right"] in (None, row["says"]) else f"; right is {row['right']}"
    return f"{row['position']} says {row['says']}, ahead by {rounded(row['lead'])}{right}"


def computations_json(
    spec: Spec, values: TracedValues, asked: str, found: Iterable[tuple[TracedValue, Computation]]
) -> shapes.Computations:
    """Values with what they were computed from."""
    labels = spec.network.vocabulary.labels
    return shapes.filled(
        shapes.Computations,
        values,
        **of_spec(spec),
        tokens=[labels[token] for token in values.tokens],
        asked=asked,
        values=[_computation_json(values, value, computation) for value, computation in found],
    )


def _computation_json(values: TracedValues, value: TracedValue, computation: Computation) -> shapes.ComputedValue:
    is_sum = computation.function == "sum"
    terms = [term for term in computation.terms if term.product != 0 or not is_sum]
    return shapes.filled(
        shapes.ComputedValue,
        computation,
        name=values.label(value),
        position=value.position,
        run=values.run_of(value),
        terms=[_term_json(values, term) for term in terms],
        zeros=len(computation.terms) - len(terms),
        equations=[equation_json(equation) for equation in computation.equations],
    )


def _term_json(values: TracedValues, term: ValueTerm) -> shapes.ComputedTerm:
    read, times = term.read, None if term.times is None else _full_name(values, term.times)
    if read is None:
        return shapes.filled(shapes.ComputedTerm, term, read=term.label, position=None, run=None, times=times)
    place = {"read": values.label(read), "position": read.position, "run": values.run_of(read)}
    return shapes.filled(shapes.ComputedTerm, term, **place, times=times)


def _full_name(values: TracedValues, value: TracedValue) -> str:
    return _value_name(values.label(value), value.position, values.run_of(value))


def _value_name(name: str, position: int | None, run: int | None) -> str:
    """A value as it is asked for."""
    at = "" if position is None else f"@{position}"
    return f"{name}{at}" if run is None else f"{name}{at}:{run}"


def print_computations(explained: shapes.Computations) -> None:
    """Each value with the lines of the spec and the terms that it was computed from, the largest ones first."""
    out = console()
    for i, value in enumerate(explained["values"]):
        if i:
            out.print()
        token = explained["tokens"][value["position"]]
        name = _value_name(value["name"], value["position"], value["run"])
        out.print(text(f"{name} = {rounded(value['value'])}", "bold"), text(f"at {token}"))
        for equation in value["equations"]:
            where = line_of(explained["spec"], equation["file"] or "", equation["line"] or 0)
            out.print(text(f"  line {where}: {equation['equation']}", "dim"))
        _print_terms(value)
    left = _unexplained(explained)
    if left:
        values = "1 value is" if left == 1 else f"{left:,} values are"
        out.print()
        out.print(text(f"{values} not explained here: ask for one of them with --why", "dim"))


def _unexplained(explained: shapes.Computations) -> int:
    """How many values are terms that are not zero, and have no equation of their own."""
    read = {
        name
        for value in explained["values"]
        for term in value["terms"]
        if term["position"] is not None and term["product"] != 0
        for name in (_value_name(term["read"], term["position"], term["run"]), term["times"])
    }
    known = (_value_name(value["name"], value["position"], value["run"]) for value in explained["values"])
    return len(read.difference(known, [None]))


def _print_terms(value: shapes.ComputedValue) -> None:
    terms = value["terms"]
    if value["function"] in ("sum", "product"):
        terms = sorted(terms, key=lambda term: -abs(term["product"]))
    rows = Rows(("", "", ""), frozenset({0}))
    for term in terms[:MAX_TERMS]:
        read = _value_name(term["read"], term["position"], term["run"])
        made, factors = _term_cells(value, term)
        times = "" if term["times"] is None else f" × {term['times']}"
        rows.add_row(text(f"  {made}"), text(factors), text(f"{read}{times}"))
    out = console()
    if terms:
        out.print(rows)
    if len(terms) > MAX_TERMS:
        rest = rounded(math.fsum(term["product"] for term in terms[MAX_TERMS:]))
        out.print(text(f"  and {_terms(len(terms) - MAX_TERMS, 'smaller ')}, together {rest}", "dim"))
    if value["zeros"]:
        out.print(text(f"  and {_terms(value['zeros'])} of zero", "dim"))


def _terms(number: int, kind: str = "") -> str:
    return f"{number:,} {kind}{'term' if number == 1 else 'terms'}"


def _term_cells(value: shapes.ComputedValue, term: shapes.ComputedTerm) -> tuple[str, str]:
    number = rounded(term["value"])
    match value["function"]:
        case "sum":
            factors = [term["coefficient"], *([] if term["scale"] == 1 else [term["scale"]])]
            written = "" if factors == [1] else f"= {' × '.join(map(rounded, factors))} × {number}"
            return rounded(term["product"]), written
        case "product":
            return number, "×" if term is value["terms"][0] else ""
        case "exponential":
            return f"e^{rounded(term['product'])}", "×" if term is value["terms"][0] else ""
        case "largest":
            return number, "of at most" if term is value["terms"][0] else ""
        case activation:
            return f"{activation}({number})", ""


@dataclass(frozen=True)
class TracedModel:
    """One pass of one model."""

    spec: Spec
    seen: TracedPass
    activations: tuple[Activation, ...]

    @property
    def tokens(self) -> list[str]:
        return [self.spec.network.vocabulary.labels[token] for token in self.seen.tokens]

    def says(self, position: int) -> str | None:
        row = _row(self.activations[-1], position)
        return _logits_json(self.spec, self.seen, row, position)["says"]


def parting_json(
    first: TracedModel, second: TracedModel, partings: Iterable[Parting], look: Look
) -> shapes.PartingPasses:
    """Where two passes part, at all positions or at those of `look`."""
    both = (first, second)
    places = [
        shapes.filled(
            shapes.PartingPlace,
            parting,
            tokens=[one.tokens[parting.position] for one in both],
            numbers=list(parting.numbers),
            says=[one.says(parting.position) for one in both],
        )
        for parting in partings
        if not look.positions or parting.position in look.positions
    ]
    return shapes.filled(
        shapes.PartingPasses,
        None,
        **of_spec(first.spec),
        against=None if first.spec.path == second.spec.path else str(second.spec.path),
        inputs=[one.seen.question or " ".join(one.tokens) for one in both],
        answers=[None if one.seen.answer is None else one.seen.answer.text for one in both],
        tokens=[one.tokens for one in both],
        positions=places,
    )


def print_parting(shown: shapes.PartingPasses) -> None:
    """A row for each position at which something differs."""
    out = console()
    models = [shown["spec"], shown["against"] or shown["spec"]]
    for letter, model, asked, answer in zip("AB", models, shown["inputs"], shown["answers"], strict=True):
        of = f" ({model})" if shown["against"] is not None else ""
        out.print(text(f"{letter}: {_answered(asked, answer)}{of}"))
    columns = ("at", "token A", "token B", "differs first in", "A", "B", "says A", "says B")
    rows = table(*columns, right=["at", "A", "B"])
    parted = [place for place in shown["positions"] if place["name"] is not None]
    for place in first(parted, rows):
        more = f" and {place['others']:,} more" if place["others"] else ""
        said = [token or "nothing" for token in place["says"]]
        cells = (*place["tokens"], f"{place['name']}{more}", *_apart(place["numbers"]), *said)
        rows.add_row(str(place["position"]), *map(text, cells))
    if parted:
        out.print()
        out.print(rows)
    same = len(shown["positions"]) - len(parted)
    if same:
        out.print(text(f"every value is the same at {same:,} {'position' if same == 1 else 'positions'}", "dim"))
    lengths = [len(tokens) for tokens in shown["tokens"]]
    if lengths[0] != lengths[1]:
        out.print(
            text(f"A reads {lengths[0]:,} tokens, B {lengths[1]:,}: the first {min(lengths):,} are compared", "dim")
        )


def _apart(numbers: Sequence[float]) -> list[str]:
    """Numbers with four figures, or with all of them where they would be the same."""
    shown = [rounded(number) for number in numbers]
    return shown if len(set(shown)) > 1 else [number_text(number) for number in numbers]
