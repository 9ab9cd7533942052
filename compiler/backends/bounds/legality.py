"""What is legal in a program, and from which pass on: a table of named rules.

A pass is named as in `passes`. Rules stand in order: each may rely on those before it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from compiler.backends.bounds.demand import NOTHING, needed_inputs
from compiler.backends.elementary.program import (
    Activated,
    Array,
    Attended,
    Linear,
    Lookup,
    Mixed,
    Node,
    Normalized,
    Operation,
    Product,
    Program,
    Renewed,
    Resized,
    Rotated,
    Scaled,
    Subtraction,
    Sum,
    Terms,
)
from compiler.source.faults import ToolFault, no_rule

Broken = tuple[int | None, str]  # a node, None for what is no node's; what is found there, and what must be
Sides = Iterator[tuple[str, object, object]]  # what is compared, what is found, what it must be equal to
_Shape = tuple[int, ...]


@dataclass(frozen=True)
class Rule:
    """It holds from the pass `since` on, and before the pass `until`; without them, from the start and to the end."""

    name: str
    says: str
    broken: Callable[[Program], Iterator[Broken]]
    since: str = ""
    until: str = ""


@dataclass(frozen=True)
class Violation:
    rule: Rule
    node: int | None
    text: str

    def __str__(self) -> str:
        place = "" if self.node is None else f" at node {self.node}"
        return f"the rule '{self.rule.name}' ({self.rule.says}) is broken{place}: {self.text}"


def violations(program: Program, done: Collection[str]) -> list[Violation]:
    """Where a program after the passes named `done` breaks the first rule that it breaks; nowhere if it is legal."""
    for rule in RULES:
        if (not rule.since or rule.since in done) and rule.until not in done:
            broken = [Violation(rule, node, text) for node, text in rule.broken(program)]
            if broken:
                return broken
    return []


def check(program: Program, done: Sequence[str]) -> None:
    """Raises `ToolFault` where a program after the passes `done` is not legal: with the last pass, rule and node."""
    broken = violations(program, done)
    if broken:
        after = f"the pass '{done[-1]}'" if done else "translation"
        raise ToolFault(f"in the program after {after}, {broken[0]}")


def _inputs(program: Program) -> Iterator[Broken]:
    for number, node in enumerate(program.nodes):
        wanted = len(_input_channels(node))
        if len(node.inputs) != wanted:
            yield number, f"{_kind(node)} has {len(node.inputs)} inputs, not {wanted}"
        for source in node.inputs:
            if not (source == NOTHING or 0 <= source < number):
                yield number, f"it reads node {source}, which is not before node {number}"


def _missing_inputs(program: Program) -> Iterator[Broken]:
    for number, node in enumerate(program.nodes):
        if NOTHING in node.inputs:
            yield number, f"it reads {list(node.inputs)}, where {NOTHING} is no node"


def _channels(program: Program) -> Iterator[Broken]:
    for number, node in enumerate(program.nodes):
        if node.channels < 1:
            yield number, f"it has {node.channels} channels"
        sizes = [None if source == NOTHING else program.nodes[source].channels for source in node.inputs]
        for source, (size, wanted) in enumerate(zip(sizes, _input_channels(node), strict=True)):
            if None not in (size, wanted) and size != wanted:
                yield number, f"{_kind(node)} wants {wanted} channels of input {source}, which has {size}"
        yield from ((number, text) for text in _different(_own_channels(node)))


def _input_channels(node: Node) -> Sequence[int | None]:
    """How many channels each input must have; None where any number will do."""
    operation = node.operation
    match operation:
        case Lookup():
            return ()
        case Linear() | Resized():
            return (None,)
        case Sum() | Subtraction() | Product():
            return (node.channels, node.channels)
        case Scaled() | Renewed() | Normalized() | Activated() | Rotated():
            return (node.channels,)
        case Attended(heads=heads, kv_heads=kv_heads, head_dim=size, value_dim=value_dim):
            return heads * size, kv_heads * size, kv_heads * value_dim
        case Mixed(kv_heads=kv_heads, value_dim=value_dim):
            return (kv_heads * value_dim,)
        case _:
            raise no_rule("operation", operation)


def _own_channels(node: Node) -> Sides:
    """What the numbers of an operation say about the channels of its node."""
    operation, channels = node.operation, node.channels
    match operation:
        case Linear():
            yield from _linear_sides(operation, channels)
        case Scaled(factors=factors):
            yield "factors", len(factors), channels
        case Normalized(groups=groups, weight=weight):
            yield "channels beyond its groups", channels % groups, 0
            yield "weights of a group", channels // groups if weight is None else len(weight), channels // groups
        case Rotated(groups=groups, angles=angles):
            yield "channels of its pairs", 2 * groups * angles.shape[-1], channels
        case Attended(heads=heads, value_dim=value_dim, limits=limits):
            yield "heads beyond those that share keys", heads % operation.kv_heads, 0
            yield "limits", len(limits), heads * value_dim
            yield "mixed channels", heads * value_dim, channels
        case Mixed(heads=heads, value_dim=value_dim):
            yield "heads beyond those that share keys", heads % operation.kv_heads, 0
            yield "mixed channels", heads * value_dim, channels
        case Lookup() | Sum() | Subtraction() | Product() | Resized() | Renewed() | Activated():
            return
        case _:
            raise no_rule("operation", operation)


def _linear_sides(linear: Linear, channels: int) -> Sides:
    yield "rows", len(linear.rows), channels
    yield "biases", channels if linear.bias is None else len(linear.bias), channels


def _terms(program: Program) -> Iterator[Broken]:
    for number, node in enumerate(program.nodes):
        operation = node.operation
        if isinstance(operation, Linear) and node.inputs[0] != NOTHING:
            yield from _beyond(number, operation.rows, program.nodes[node.inputs[0]].channels)


def _beyond(number: int, rows: Sequence[Terms], channels: int) -> Iterator[Broken]:
    for row, terms in enumerate(rows):
        for channel, _ in terms:
            if not 0 <= channel < channels:
                yield number, f"row {row} reads channel {channel} of {channels}"


def _shapes(program: Program) -> Iterator[Broken]:
    for number, node in enumerate(program.nodes):
        yield from ((number, text) for text in _different(_array_sides(program, node)))


def _array_sides(program: Program, node: Node) -> Sides:
    """The shapes of arrays. [queries, keys] and [positions] are those of whole sequences."""
    operation, length = node.operation, program.length
    match operation:
        case Lookup(value=value, error=error):
            full = (length, program.vocabulary, node.channels)
            yield "the shape of its values", value.shape, _broadcast(value, full)
            yield "the shape of its errors", error.shape, _broadcast(error, full)
        case Rotated(angles=angles, error=error):
            yield "the shape of its angles", angles.shape, (length, angles.shape[-1])
            yield "the shape of its errors", error.shape, angles.shape
        case Attended(heads=heads, additions=additions, visible=visible):
            full = (heads, length, length)
            for table in (*additions, visible):
                wanted = full if len(table) != 1 else (1, length, length)
                yield "the shape of a pattern", table.shape, wanted
        case Mixed(heads=heads, weights=weights, error=error):
            yield "the shape of its weights", weights.shape, (heads, length, length)
            yield "the shape of its errors", error.shape, weights.shape
        case Linear() | Sum() | Subtraction() | Product() | Scaled() | Resized() | Renewed():
            return
        case Normalized() | Activated():
            return
        case _:
            raise no_rule("operation", operation)


def _broadcast(array: Array, full: _Shape) -> _Shape:
    """The shape it must have: axes may have the size 1."""
    if array.ndim != len(full):
        return full
    return tuple(1 if size == 1 else whole for size, whole in zip(array.shape, full, strict=True))


def _finite(program: Program) -> Iterator[Broken]:
    for number, node in enumerate(program.nodes):
        for what, array in _numbers(node.operation):
            if not np.isfinite(array).all():
                yield number, f"{what} of {_kind(node)}: {_first(array, ~np.isfinite(array))} is not finite"
        for array in _errors(node.operation):
            if (array < 0).any():
                yield number, f"an error of {_kind(node)}: {_first(array, array < 0)} is below 0"
    if program.decision.linear is not None:
        for what, array in _numbers(program.decision.linear):
            if not np.isfinite(array).all():
                yield None, f"{what} of the decision: {_first(array, ~np.isfinite(array))} is not finite"


def _first(array: Array, chosen: NDArray[np.bool_]) -> float:
    return float(array[chosen][0])


def _numbers(operation: Operation) -> Iterator[tuple[str, Array]]:
    match operation:
        case Lookup(value=value):
            yield "a value", value
        case Linear(rows=rows, bias=bias):
            yield "a weight", np.array([weight for terms in rows for _, weight in terms])
            yield "a bias", np.array(bias or ())
        case Scaled(factors=factors):
            yield "a factor", np.array(factors)
        case Normalized(weight=weight):
            yield "a weight", np.array(weight or ())
        case Rotated(angles=angles):
            yield "an angle", angles
        case Attended(additions=additions, limits=limits):
            yield from (("an addition", table) for table in additions)
            yield "a limit", np.array(limits)
        case Mixed(weights=weights):
            yield "a weight", weights
        case Sum() | Subtraction() | Product() | Resized() | Renewed() | Activated():
            return
        case _:
            raise no_rule("operation", operation)


def _errors(operation: Operation) -> Iterator[Array]:
    """What numbers are off by: an infinity or a NaN says that nothing is known of them."""
    match operation:
        case Lookup(error=error) | Rotated(error=error) | Mixed(error=error):
            yield error
        case Linear() | Sum() | Subtraction() | Product() | Scaled() | Resized() | Renewed():
            return
        case Normalized() | Activated() | Attended():
            return
        case _:
            raise no_rule("operation", operation)


def _symbols(program: Program) -> Iterator[Broken]:
    owners: dict[int, int] = {}
    for number, node in enumerate(program.nodes):
        for symbol in _own_symbols(node):
            if symbol in owners:
                yield number, f"it gives an error the number {symbol}, as node {owners[symbol]} does"
            owners.setdefault(symbol, number)


def _own_symbols(node: Node) -> range:
    operation = node.operation
    match operation:
        case Renewed(first_symbol=first):
            return range(0) if first is None else range(first, first + node.channels)
        case Normalized(first_symbol=first, groups=groups):
            return range(first, first + groups)
        case Lookup() | Linear() | Sum() | Subtraction() | Product() | Scaled() | Resized() | Activated():
            return range(0)
        case Rotated() | Attended() | Mixed():
            return range(0)
        case _:
            raise no_rule("operation", operation)


def _slots(program: Program) -> Iterator[Broken]:
    counts = [len(program.slots), len(program.prefixes), len(program.decision.reads)]
    if len(set(counts)) > 1:
        yield None, "it has {} slots, {} prefixes and {} places that are read".format(*counts)
        return
    if not program.slots or list(program.slots) != sorted(set(program.slots)):
        yield None, f"the slots are {list(program.slots)}"
    for read, prefix in zip(program.decision.reads, program.prefixes, strict=True):
        if not 0 <= read < prefix <= program.length:
            yield None, f"position {read} is read of {prefix} tokens, of a sequence of {program.length}"
    said = [slot for alone in program.at_each_start() for slot in alone.slots]
    if not program.starts or program.starts[0] < 0 or said != sorted(set(said)):
        yield None, f"it starts at {list(program.starts)}, and says {said}"


def _decision(program: Program) -> Iterator[Broken]:
    decision = program.decision
    if not 0 <= decision.node < len(program.nodes):
        yield None, f"the decision reads node {decision.node} of {len(program.nodes)}"
        return
    channels = program.nodes[decision.node].channels
    logits = channels if decision.linear is None else len(decision.linear.rows)
    if logits != decision.classes:
        yield decision.node, f"the decision has {logits} logits for {decision.classes} classes"
    if decision.linear is not None:
        yield from _beyond(decision.node, decision.linear.rows, channels)


def _unmarked(program: Program) -> Iterator[Broken]:
    for number, node in enumerate(program.nodes):
        if node.positions or node.live:
            yield number, f"positions {list(node.positions)} and channels {list(node.live)} are marked"


def _order(program: Program) -> Iterator[Broken]:
    for number, node in enumerate(program.nodes):
        channels = (("live", node.live, node.channels), ("exact", node.exact, node.channels))
        for what, chosen, size in (("positions", node.positions, program.length), *channels):
            if list(chosen) != sorted(set(chosen) & set(range(size))):
                yield number, f"{what} are {list(chosen)}, of {size}"


def _needs(program: Program) -> Iterator[Broken]:
    decision = program.decision
    rows = None if decision.linear is None else decision.linear.rows
    channels = set(range(decision.classes)) if rows is None else {c for terms in rows for c, _ in terms}
    yield from _lacking(program, "the decision", decision.node, set(decision.reads), channels)
    for number, node in enumerate(program.nodes):
        needs = needed_inputs(program, node, set(node.positions), set(node.live))
        for source, (positions, live) in zip(node.inputs, needs, strict=True):
            if positions and live:
                yield from _lacking(program, f"node {number}", source, positions, live)


def _lacking(program: Program, reader: str, source: int, positions: set[int], live: set[int]) -> Iterator[Broken]:
    """What a reader needs and its input, a node, does not have."""
    if source == NOTHING:
        yield None, f"{reader} needs the channels {sorted(live)} of an input that was left out"
        return
    node = program.nodes[source]
    for what, needed, has in (("position", positions, node.positions), ("channel", live, node.live)):
        if not needed <= set(has):
            yield source, f"{reader} needs {what} {min(needed - set(has))}, and {list(has)} are there"


def _unread(program: Program) -> Iterator[Broken]:
    read = {source for node in program.nodes for source in node.inputs} | {program.decision.node}
    for number, node in enumerate(program.nodes):
        if number not in read or (number != program.decision.node and not (node.positions and node.live)):
            yield number, f"{_kind(node)} is kept, and nothing is read of it"


def _without(kind: str, stands: Callable[[Operation], bool]) -> Callable[[Program], Iterator[Broken]]:
    """A rule that no such operation stands in the program."""

    def broken(program: Program) -> Iterator[Broken]:
        for number, node in enumerate(program.nodes):
            if stands(node.operation):
                yield number, f"{_kind(node)} is {kind}"

    return broken


def _different(sides: Iterable[tuple[str, object, object]]) -> Iterator[str]:
    return (f"{what}: {found}, not {wanted}" for what, found, wanted in sides if found != wanted)


def _kind(node: Node) -> str:
    return type(node.operation).__name__


RULES = (
    Rule("inputs", "a node reads nodes before it, as many as its operation has inputs", _inputs),
    Rule("no-gaps", "every input is a node", _missing_inputs, until="pruning"),
    Rule("channels", "channels fit the operation", _channels),
    Rule("terms", "linear maps read channels that there are", _terms),
    Rule("shapes", "arrays have the shape that their node says", _shapes),
    Rule("finite", "numbers are finite, and no error is below 0", _finite, since="magnitudes"),
    Rule("symbols", "an error that is followed has a number of its own", _symbols),
    Rule("slots", "each slot has a prefix that ends after what is read", _slots),
    Rule("decision", "the decision has a logit for each class, of channels that there are", _decision),
    Rule("unmarked", "nothing is marked", _unmarked, until="demand"),
    Rule("order", "positions, live and exact channels are in range and in order", _order, since="demand"),
    Rule("needs", "what is read of a node is live in it", _needs, since="demand"),
    Rule("read", "something is read of every node", _unread, since="pruning"),
    Rule(
        "followed",
        "all errors have numbers",
        _without("without one", lambda operation: isinstance(operation, Renewed) and operation.first_symbol is None),
        until="cost",
    ),
    Rule(
        "no-mixed",
        "patterns are scores",
        _without("a pattern of numbers", lambda operation: isinstance(operation, Mixed)),
        until="fixed",
    ),
)
