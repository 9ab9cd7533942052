"""What is legal in a program, and from which pass on: a table of named rules.

A pass is named as in `passes`. Rules stand in order: each may rely on those before it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from compiler.backends.bounds.demand import NOTHING, needed_by, needed_inputs
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
_Equal = tuple[str, object, object]  # what is compared, what is found, what it must be equal to
_Numbers = tuple[str, ArrayLike]  # what each of them is
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


@dataclass(frozen=True)
class _Wanted:
    """What an operation wants: so many channels of each of its `inputs`, any number where it says None; the numbers of
    its own that must fit its `channels`, and the `shapes` of its arrays. Its `numbers` are finite; an `error` is not
    below 0, and an infinity or a NaN there says that nothing is known. It gives errors the numbers `symbols`."""

    inputs: tuple[int | None, ...]
    channels: tuple[_Equal, ...] = ()
    shapes: tuple[_Equal, ...] = ()
    numbers: tuple[_Numbers, ...] = ()
    error: Array | None = None
    symbols: range = range(0)


def _wanted(program: Program, node: Node) -> _Wanted:
    """[queries, keys] and [positions] are those of whole sequences."""
    operation, channels, length = node.operation, node.channels, program.length
    match operation:
        case Lookup(value=value, error=error):
            full = (length, program.vocabulary, channels)
            of_value = ("the shape of its values", value.shape, _broadcast(value, full))
            of_error = ("the shape of its errors", error.shape, _broadcast(error, full))
            return _Wanted((), shapes=(of_value, of_error), numbers=(("a value", value),), error=error)
        case Linear(rows=rows, bias=bias):
            fits = ("rows", len(rows), channels)
            biases = ("biases", channels if bias is None else len(bias), channels)
            return _Wanted((None,), (fits, biases), numbers=_of_linear(operation))
        case Sum() | Subtraction() | Product():
            return _Wanted((channels, channels))
        case Resized():
            return _Wanted((None,))
        case Activated():
            return _Wanted((channels,))
        case Scaled(factors=factors):
            fits = ("factors", len(factors), channels)
            return _Wanted((channels,), (fits,), numbers=(("a factor", factors),))
        case Renewed(first_symbol=first):
            return _Wanted((channels,), symbols=range(0) if first is None else range(first, first + channels))
        case Normalized(groups=groups, weight=weight, first_symbol=first):
            size = channels // groups
            beyond = ("channels beyond its groups", channels % groups, 0)
            fits = ("weights of a group", size if weight is None else len(weight), size)
            symbols = range(first, first + groups)
            return _Wanted((channels,), (beyond, fits), numbers=(("a weight", weight or ()),), symbols=symbols)
        case Rotated(groups=groups, angles=angles, error=error):
            fits = ("channels of its pairs", 2 * groups * angles.shape[-1], channels)
            of_angles = ("the shape of its angles", angles.shape, (length, angles.shape[-1]))
            of_error = ("the shape of its errors", error.shape, angles.shape)
            return _Wanted((channels,), (fits,), (of_angles, of_error), numbers=(("an angle", angles),), error=error)
        case Attended(heads=heads, kv_heads=kv_heads, head_dim=size, additions=additions):
            mixed, full = heads * operation.value_dim, (heads, length, length)
            beyond = ("heads beyond those that share keys", heads % kv_heads, 0)
            fits = ("limits", len(operation.limits), mixed)
            patterns = (
                ("the shape of a pattern", table.shape, full if len(table) != 1 else (1, length, length))
                for table in (*additions, operation.visible)
            )
            return _Wanted(
                (heads * size, kv_heads * size, kv_heads * operation.value_dim),
                (beyond, fits, ("mixed channels", mixed, channels)),
                tuple(patterns),
                numbers=(*(("an addition", table) for table in additions), ("a limit", operation.limits)),
            )
        case Mixed(heads=heads, kv_heads=kv_heads, weights=weights, error=error):
            beyond = ("heads beyond those that share keys", heads % kv_heads, 0)
            fits = ("mixed channels", heads * operation.value_dim, channels)
            of_weights = ("the shape of its weights", weights.shape, (heads, length, length))
            of_error = ("the shape of its errors", error.shape, weights.shape)
            inputs, numbers = (kv_heads * operation.value_dim,), (("a weight", weights),)
            return _Wanted(inputs, (beyond, fits), (of_weights, of_error), numbers=numbers, error=error)
        case _:
            raise no_rule("operation", operation)


def _of_linear(linear: Linear) -> tuple[_Numbers, ...]:
    return ("a weight", [weight for terms in linear.rows for _, weight in terms]), ("a bias", linear.bias or ())


def _broadcast(array: Array, full: _Shape) -> _Shape:
    """The shape it must have: axes may have the size 1."""
    if array.ndim != len(full):
        return full
    return tuple(1 if size == 1 else whole for size, whole in zip(array.shape, full, strict=True))


def _each_node(texts: Callable[[Program, Node], Iterator[str]]) -> Callable[[Program], Iterator[Broken]]:
    """A rule about every node by itself, by what is wrong with one."""

    def broken(program: Program) -> Iterator[Broken]:
        for number, node in enumerate(program.nodes):
            yield from ((number, text) for text in texts(program, node))

    return broken


def _inputs(program: Program) -> Iterator[Broken]:
    for number, node in enumerate(program.nodes):
        wanted = len(_wanted(program, node).inputs)
        if len(node.inputs) != wanted:
            yield number, f"{_kind(node)} has {len(node.inputs)} inputs, not {wanted}"
        for source in node.inputs:
            if not (source == NOTHING or 0 <= source < number):
                yield number, f"it reads node {source}, which is not before node {number}"


def _missing_inputs(program: Program, node: Node) -> Iterator[str]:
    if NOTHING in node.inputs:
        yield f"it reads {list(node.inputs)}, where {NOTHING} is no node"


def _channels(program: Program, node: Node) -> Iterator[str]:
    if node.channels < 1:
        yield f"it has {node.channels} channels"
    wanted = _wanted(program, node)
    for number, (source, size) in enumerate(zip(node.inputs, wanted.inputs, strict=True)):
        if source != NOTHING and size not in (None, program.nodes[source].channels):
            has = program.nodes[source].channels
            yield f"{_kind(node)} wants {size} channels of input {number}, which has {has}"
    yield from _different(wanted.channels)


def _terms(program: Program, node: Node) -> Iterator[str]:
    if isinstance(node.operation, Linear) and node.inputs[0] != NOTHING:
        yield from _beyond(node.operation.rows, program.nodes[node.inputs[0]].channels)


def _beyond(rows: Sequence[Terms], channels: int) -> Iterator[str]:
    for row, terms in enumerate(rows):
        for channel, _ in terms:
            if not 0 <= channel < channels:
                yield f"row {row} reads channel {channel} of {channels}"


def _shapes(program: Program, node: Node) -> Iterator[str]:
    return _different(_wanted(program, node).shapes)


def _different(sides: Iterable[_Equal]) -> Iterator[str]:
    return (f"{what}: {found}, not {wanted}" for what, found, wanted in sides if found != wanted)


def _finite(program: Program) -> Iterator[Broken]:
    for number, node in enumerate(program.nodes):
        wanted = _wanted(program, node)
        yield from ((number, text) for text in _infinite(_kind(node), wanted.numbers))
        if wanted.error is not None and (wanted.error < 0).any():
            yield number, f"an error of {_kind(node)}: {wanted.error[wanted.error < 0][0]} is below 0"
    if program.decision.linear is not None:
        yield from ((None, text) for text in _infinite("the decision", _of_linear(program.decision.linear)))


def _infinite(owner: str, numbers: Sequence[_Numbers]) -> Iterator[str]:
    for what, some in numbers:
        array = np.asarray(some, dtype=np.float64)
        if not np.isfinite(array).all():
            yield f"{what} of {owner}: {array[~np.isfinite(array)][0]} is not finite"


def _symbols(program: Program) -> Iterator[Broken]:
    owners: dict[int, int] = {}
    for number, node in enumerate(program.nodes):
        for symbol in _wanted(program, node).symbols:
            if symbol in owners:
                yield number, f"it gives an error the number {symbol}, as node {owners[symbol]} does"
            owners.setdefault(symbol, number)


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
        yield from ((decision.node, text) for text in _beyond(decision.linear.rows, channels))


def _unmarked(_: Program, node: Node) -> Iterator[str]:
    if node.positions or node.live:
        yield f"positions {list(node.positions)} and channels {list(node.live)} are marked"


def _order(program: Program, node: Node) -> Iterator[str]:
    channels = (("live", node.live, node.channels), ("exact", node.exact, node.channels))
    for what, chosen, size in (("positions", node.positions, program.length), *channels):
        if list(chosen) != sorted(set(chosen) & set(range(size))):
            yield f"{what} are {list(chosen)}, of {size}"


def _needs(program: Program) -> Iterator[Broken]:
    needs = [("the decision", program.decision.node, needed_by(program.decision))]
    for number, node in enumerate(program.nodes):
        inputs = needed_inputs(program, node, set(node.positions), set(node.live))
        needs += [(f"node {number}", *need) for need in zip(node.inputs, inputs, strict=True) if all(need[1])]
    for reader, source, (positions, live) in needs:
        if source == NOTHING:
            yield None, f"{reader} needs the channels {sorted(live)} of an input that was left out"
            continue
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
    return _each_node(lambda _, node: iter([f"{_kind(node)} is {kind}"] if stands(node.operation) else []))


def _kind(node: Node) -> str:
    return type(node.operation).__name__


RULES = (
    Rule("inputs", "a node reads nodes before it, as many as its operation has inputs", _inputs),
    Rule("no-gaps", "every input is a node", _each_node(_missing_inputs), until="pruning"),
    Rule("channels", "channels fit the operation", _each_node(_channels)),
    Rule("terms", "linear maps read channels that there are", _each_node(_terms)),
    Rule("shapes", "arrays have the shape that their node says", _each_node(_shapes)),
    Rule("finite", "numbers are finite, and no error is below 0", _finite, since="magnitudes"),
    Rule("symbols", "an error that is followed has a number of its own", _symbols),
    Rule("slots", "each slot has a prefix that ends after what is read", _slots),
    Rule("decision", "the decision has a logit for each class, of channels that there are", _decision),
    Rule("unmarked", "nothing is marked", _each_node(_unmarked), until="demand"),
    Rule("order", "positions, live and exact channels are in range and in order", _each_node(_order), since="demand"),
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
