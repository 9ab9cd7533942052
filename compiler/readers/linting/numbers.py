"""Rules about numbers: each is a parameter, or 0, 1 or -1, or it is shown."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from compiler.expressions.arithmetic import as_figure, exact_figure
from compiler.expressions.syntax import ExpressionNode as Expression
from compiler.expressions.syntax import free_names
from compiler.expressions.values import Leaf
from compiler.network.ir import (
    Attention,
    FeedForward,
    Norm,
    Step,
    StreamNorm,
)
from compiler.network.storage import step_norm, tensors
from compiler.readers.linting.formulas import POSITION_NAMES, is_condition, takes_apart, uses
from compiler.readers.linting.rule import Examined, Finding, enumerated
from compiler.readers.linting.spans import option, step_body
from compiler.readers.linting.steering import steering_names
from compiler.source.text import Span

USUAL_EPSILON = 1e-5  # what layers of that kind have; a larger one takes part in the arithmetic


def hard_coded(examined: Examined) -> Iterator[Finding]:
    """Every number that enters weights is a parameter, or 0, 1 or -1, or counted with the weights."""
    beside = examined.beside_weights
    used = {leaf: [*places, *beside.get(leaf, ())] for leaf, places in examined.uncounted.items()}
    for numbers in _literals(examined, used):
        be, it = ("are no parameters", "them") if numbers.several else ("is no parameter", "it")
        yield Finding(f"{numbers.text} {numbers.places}, and {be}: `free` does not count {it}", numbers.span)


def beside_weights(examined: Examined) -> Iterator[Finding]:
    """No number does its work where no rule of counting looks: in a score, a frequency, a scale, a mask."""
    hidden = {leaf: places for leaf, places in examined.beside_weights.items() if leaf not in examined.uncounted}
    for numbers in _literals(examined, hidden):
        it = "them" if numbers.several else "it"
        yield Finding(f"{numbers.text} {numbers.places}: no count includes {it}", numbers.span)


def index_numbers(examined: Examined) -> Iterator[Finding]:
    """No index of a family is used as a number."""
    places: dict[Leaf, list[str]] = {}
    for used in (examined.uncounted, examined.beside_weights):
        for leaf, where in used.items():
            places.setdefault(leaf, []).extend(where)
    groups: dict[tuple[str, Span], list[Leaf]] = {}
    for leaf in places:
        if leaf.kind == "index":
            groups.setdefault((leaf.name, leaf.span), []).append(leaf)
    for (name, span), leaves in sorted(groups.items(), key=lambda group: group[0][0]):  # found in sets, in any order
        values = sorted(int(leaf.value) for leaf in leaves)
        shown = str(values[0]) if len(values) == 1 else f"{values[0]} to {values[-1]}"
        message = f"the index {name} enters {_where(leaves, places)} as a number ({shown}): no count includes it"
        yield Finding(message, span)


@dataclass(frozen=True)
class _Numbers:
    """Literals of one definition, or of one line, and what they enter, as text."""

    text: str
    several: bool
    places: str
    span: Span


def _literals(examined: Examined, used: dict[Leaf, list[str]]) -> Iterator[_Numbers]:
    definitions = examined.spec.resolved.definitions
    groups: dict[tuple[str, str, int], list[Leaf]] = {}
    literals = (leaf for leaf in used if leaf.kind == "literal" and abs(leaf.value) < math.inf)
    for leaf in sorted(literals, key=lambda leaf: leaf.span.start):
        groups.setdefault((leaf.name, leaf.span.source.name, leaf.span.line), []).append(leaf)
    for (name, _, _), leaves in groups.items():
        values = list(dict.fromkeys(exact_figure(leaf.value) for leaf in leaves))
        definition = definitions.get(name)
        if definition is None:
            text = name or enumerated(values, 5)
        elif definition.is_all(leaves[0].span):
            text = f"{name} = {values[0]}"
        else:
            text = f"{enumerated(values, 5)} in {name}"
        places = f"{'enter' if len(values) > 1 else 'enters'} {_where(leaves, used)}"
        yield _Numbers(text, len(values) > 1, places, leaves[0].span)


def _where(leaves: list[Leaf], used: dict[Leaf, list[str]]) -> str:
    return enumerated(list(dict.fromkeys(place for leaf in leaves for place in used[leaf])))


def unusual_epsilon(examined: Examined) -> Iterator[Finding]:
    """The eps of a norm does no more than to avoid a division by zero."""
    for step in examined.spec.network.steps:
        for key, norm in _norms(step):
            if norm is not None and norm.epsilon > USUAL_EPSILON:
                place = option(examined.spec, step.name, key) if key else _body(examined, step)
                yield Finding(_of_epsilon(norm), place)


def _norms(step: Step) -> tuple[tuple[str, Norm | None], ...]:
    """The norms of a step, each by the option that writes it; without one where it is the step itself."""
    match step:
        case Attention(norm=norm, query_norm=query_norm, post_norm=post_norm):
            return ("norm", norm), ("qk_norm", query_norm), ("post_norm", post_norm)
        case FeedForward(norm=norm, post_norm=post_norm):
            return ("norm", norm), ("post_norm", post_norm)
        case StreamNorm(norm=norm):
            return (("", norm),)
        case _:
            return (("norm", step_norm(step)),)


def _body(examined: Examined, step: Step) -> Span | None:
    body = step_body(examined.spec, step.name)
    return None if body is None else body.span


def _of_epsilon(norm: Norm) -> str:
    return f"an eps of {as_figure(norm.epsilon)} takes part in the arithmetic: no count includes it"


def conditions(examined: Examined) -> Iterator[Finding]:
    """No condition decides which number a weight gets."""
    yield from _uses(examined, is_condition, "decides which number a weight gets; no count includes what stands in it")


def taken_apart(examined: Examined) -> Iterator[Finding]:
    """No number is taken apart into several."""
    message = "takes a part of a number: one number that is counted can hold many"
    yield from _uses(examined, takes_apart, message)


def _uses(examined: Examined, wanted: Callable[[Expression], bool], message: str) -> Iterator[Finding]:
    for formula in examined.weight_formulas:
        for node in uses(formula.tree, wanted):
            if POSITION_NAMES & free_names(node).keys():
                continue  # what stands under `let` for a formula in positions, which is another rule's
            text = " ".join(formula.scalar.text[slice(*node.at)].split())
            yield Finding(f"'{text}' {message}", formula.scalar.at(*node.at))


def idle_parameters(examined: Examined) -> Iterator[Finding]:
    """Some answer depends on every parameter that a number of the network reads."""
    if any(math.isinf(entry.value) for tensor in tensors(examined.spec.network).values() for entry in tensor.entries):
        return  # zero times an infinity is no number: it can matter where nothing else does
    read = examined.in_weights.keys() | examined.beside_weights.keys()
    steering = steering_names(examined.spec)
    for definition in examined.spec.resolved.definitions.values():
        if definition.kind == "parameter" and definition.name not in steering:
            own = [number.provenance.leaf for number in definition.numbers]
            idle = [leaf.name for leaf in own if leaf is not None and leaf in read and leaf not in examined.acting]
            if idle:
                shown = definition.name if len(idle) == len(own) else enumerated(idle)
                s, it = ("", "it") if shown in (definition.name, idle[0]) else ("s", "them")
                message = f"no answer depends on the parameter{s} {shown}: nothing that leads to one reads {it}"
                yield Finding(message, definition.span)


def unread_parameters(examined: Examined) -> Iterator[Finding]:
    """Every parameter is read, so that it counts."""
    read = examined.in_weights.keys() | examined.beside_weights.keys()
    for definition in examined.spec.resolved.definitions.values():
        if definition.kind == "parameter":
            own = [number.provenance.leaf for number in definition.numbers]
            unread = [leaf.name for leaf in own if leaf is not None and leaf not in read]
            if unread:
                shown = definition.name if len(unread) == len(own) else enumerated(unread)
                yield Finding(
                    f"no number of the network reads the parameter {shown}: no count includes it", definition.span
                )
