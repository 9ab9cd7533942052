"""The formulas of a task, computed for many inputs at once, each part only for the inputs that need it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from compiler.expressions.arithmetic import COMPARISONS, exact_figure
from compiler.expressions.formulas import NESTED_TOO_DEEPLY, Formula
from compiler.expressions.syntax import (
    Binary,
    Call,
    ExpressionError,
    ExpressionNode,
    Indexed,
    List,
    Literal,
    Name,
    TextRange,
    Transpose,
    Unary,
)
from compiler.source.faults import ToolFault, no_rule
from compiler.source.limits import MAX_TASK_BITS, MAX_TASK_WORK
from compiler.tasks import integers
from compiler.tasks.digits import digits_of_limb
from compiler.tasks.integers import Integers, Truths, constant
from compiler.tasks.statement import InputFault
from compiler.tasks.work import IN_FULL, ROUND_WORK, too_much_work

Rows = NDArray[np.intp]
_LONG_BITS = 12  # arithmetic costs a node more for each 2**12 bits of its result
_SQUARE_BITS = 10  # and where it multiplies or divides, the square of how often it has 2**10 bits


@dataclass(frozen=True, eq=False)
class Letters:
    """A word of each input, `values` [inputs, length], of symbols 0 … `symbols` - 1."""

    values: NDArray[np.unsignedinteger]
    symbols: int

    @property
    def length(self) -> int:
        return int(self.values.shape[1])


Value = Integers | Letters | Truths


@dataclass
class TaskWork:
    """Counts the nodes that are evaluated for one input, so that a small formula cannot ask for unbounded time."""

    left: int = field(default_factory=lambda: MAX_TASK_WORK)

    def spend(self, amount: int, at: TextRange) -> None:
        self.left -= amount
        if self.left < 0:
            raise too_much_work(at)


@dataclass
class Faults:
    """The inputs, of so many, that formulas cannot be computed for: `failed` [inputs], and the first one's reason."""

    failed: NDArray[np.bool_]
    _events: list[tuple[Rows, Callable[[int], InputFault]]] = field(default_factory=list)

    def report(self, rows: Rows, fault: Callable[[int], InputFault]) -> None:
        """`fault(position)` makes the reason of `rows[position]`; of an input only the first reason counts."""
        self._events.append((np.where(self.failed[rows], -1, rows), fault))
        self.failed[rows] = True

    def first(self, among: NDArray[np.bool_] | None = None) -> InputFault | None:
        """The fault of the first input that has one, `among` some of them."""
        best: tuple[int, int, Callable[[int], InputFault]] | None = None
        for rows, fault in self._events:
            known = np.flatnonzero(rows >= 0 if among is None else (rows >= 0) & among[rows])
            if len(known):
                position = int(known[np.argmin(rows[known])])
                if best is None or rows[position] < best[0]:
                    best = int(rows[position]), position, fault
        return best and best[2](best[1])


@dataclass(frozen=True, eq=False)
class Batch:
    """So many inputs, and what names mean for them; `lets` stand for formulas, computed anew where they are read."""

    count: int
    values: Mapping[str, Value]
    faults: Faults
    lets: Mapping[str, Formula] = field(default_factory=dict)
    work: TaskWork = field(default_factory=TaskWork)


@dataclass(frozen=True, eq=False)
class FormulaScope:
    """Where a formula is computed: `rows` of a batch, None being all, with values of indices."""

    batch: Batch
    formula: Formula
    rows: Rows | None = None
    indices: Mapping[str, int] = field(default_factory=dict)

    @property
    def count(self) -> int:
        return self.batch.count if self.rows is None else len(self.rows)

    def at(self, positions: Rows) -> FormulaScope:
        """For some of these rows, by their positions among them."""
        if len(positions) == self.count:
            return self
        return replace(self, rows=positions if self.rows is None else self.rows[positions])

    def binding(self, name: str, value: int) -> FormulaScope:
        return FormulaScope(self.batch, self.formula, self.rows, {**self.indices, name: value})

    def spend(self, amount: int, node: ExpressionNode) -> None:
        self.batch.work.spend(amount, node.at)

    def report(self, bad: Truths, code: str, node: ExpressionNode, message: Callable[[int], str]) -> None:
        """That a node fails for the rows where it is `bad`; `message` is given a position among them all."""
        positions = np.flatnonzero(np.broadcast_to(np.asarray(bad), self.count))
        rows = positions if self.rows is None else self.rows[positions]
        span = self.formula.place(*node.at)

        def fault(position: int) -> InputFault:
            return InputFault(int(rows[position]), code, message(int(positions[position])), span)

        self.batch.faults.report(rows, fault)


@dataclass(frozen=True)
class Refusal:
    """What is said of a value that is out of its range: a code, the part of the formula, and a message.

    The message is given the value, for people.
    """

    code: str
    node: ExpressionNode
    message: Callable[[str], str]


def integers_of(scope: FormulaScope) -> Integers:
    """What the scope's formula, which is a number, gives for its rows. Those that fail are in the batch's faults.

    Raises `ExpressionError`, with its span, where it costs too much. There is at least one row.
    """
    value = _computed(scope)
    assert isinstance(value, Integers)
    return value


def truth_of(scope: FormulaScope) -> Truths:
    """What a formula that is a condition gives; as `integers_of`."""
    value = _computed(scope)
    assert not isinstance(value, Integers | Letters)
    return value


def word_of(scope: FormulaScope) -> Letters:
    """What a formula that is a word gives; as `integers_of`."""
    value = _computed(scope)
    assert isinstance(value, Letters)
    return value


def within(value: Integers, low: int, high: int, refusal: Refusal, scope: FormulaScope) -> Integers:
    """A value that has to lie from `low` to `high`: rows where it does not fail, and have `low` instead."""
    if low <= value.low and value.high <= high:
        return value
    below, above = integers.comparison("<", value, constant(low)), integers.comparison(">", value, constant(high))
    return _refused(value, below | above, low, refusal, scope)


def _refused(value: Integers, bad: Truths, substitute: int, refusal: Refusal, scope: FormulaScope) -> Integers:
    """The value, with a substitute for the rows where it is bad, which fail."""
    if not np.any(bad):
        return integers.tightened(value)

    def said(position: int) -> str:
        number = value.values if isinstance(value.values, int) else int(value.values[position])
        return refusal.message(exact_figure(number))

    scope.report(bad, refusal.code, refusal.node, said)
    return integers.replaced(value, bad, substitute)


def _computed(scope: FormulaScope) -> Value:
    formula = scope.formula
    try:
        return _evaluate(formula.tree, scope)
    except ExpressionError as error:
        error.span = error.span or formula.place(*error.at)
        raise
    except RecursionError:
        deep = ExpressionError("too-much-work", NESTED_TOO_DEEPLY, formula.tree.at)
        deep.span = formula.span
        raise deep from None


def _evaluate(node: ExpressionNode, scope: FormulaScope) -> Value:
    scope.spend(1, node)
    match node:
        case Literal(value=value):
            return constant(int(value))
        case Name(name=name):
            return _named(name, scope)
        case Indexed():
            return _indexed(node, scope)
        case Call():
            return _called(node, scope)
        case Unary(operator="not", operand=operand):
            decided = _truth(operand, scope)
            return not decided if isinstance(decided, bool) else ~decided
        case Unary(operator="-", operand=operand):
            return _bounded(integers.negative(_number(operand, scope)), node, scope)
        case Unary(operand=operand):
            return _number(operand, scope)
        case Binary():
            return _binary(node, scope)
        case List() | Transpose():
            raise ToolFault("a formula of a task was computed that has no kind")
        case _:
            raise no_rule("expression", node)


def _number(node: ExpressionNode, scope: FormulaScope) -> Integers:
    value = _evaluate(node, scope)
    assert isinstance(value, Integers)
    return value


def _truth(node: ExpressionNode, scope: FormulaScope) -> Truths:
    value = _evaluate(node, scope)
    assert not isinstance(value, Integers | Letters)
    return value


def _word(node: ExpressionNode, scope: FormulaScope) -> Letters:
    value = _evaluate(node, scope)
    assert isinstance(value, Letters)
    return value


def _named(name: str, scope: FormulaScope) -> Value:
    if name in scope.indices:
        return constant(scope.indices[name])
    let = scope.batch.lets.get(name)
    if let is not None:
        return _computed(replace(scope, formula=let))
    value = scope.batch.values[name]
    if scope.rows is None or isinstance(value, bool):
        return value
    match value:
        case Integers():
            return integers.picked(value, scope.rows)
        case Letters():
            return Letters(value.values[scope.rows], value.symbols)
        case _:
            return value[scope.rows]


def _indexed(node: Indexed, scope: FormulaScope) -> Integers:
    word, (index,) = scope.batch.values[node.base.name], node.indices
    assert isinstance(word, Letters)

    def outside(shown: str) -> str:
        return f"index {shown} is out of range: '{node.base.name}' has 0 to {word.length - 1}"

    refusal = Refusal("index-range", index, outside)
    place = within(_number(index, scope), 0, word.length - 1, refusal, scope).values
    if isinstance(place, int):
        symbols = word.values[:, place] if scope.rows is None else word.values[scope.rows, place]
    else:
        symbols = word.values[np.arange(scope.count) if scope.rows is None else scope.rows, place.astype(np.intp)]
    return Integers(symbols, 0, word.symbols - 1)


def _binary(node: Binary, scope: FormulaScope) -> Value:
    """A chain of operators that lean left (`a + b + c`) is walked, not recursed into: it may be long."""
    links = [node]
    while isinstance(links[-1].left, Binary):
        links.append(links[-1].left)
    value = _evaluate(links[-1].left, scope)
    scope.spend(len(links) - 1, node)
    for link in reversed(links):
        if link.operator in ("and", "or"):
            assert not isinstance(value, Integers | Letters)
            value = _joined(link, value, scope)
            continue
        assert isinstance(value, Integers)
        right = _number(link.right, scope)
        if link.operator in COMPARISONS:
            value = integers.comparison(link.operator, value, right)
        else:
            value = _arithmetic(link, value, right, scope)
    return value


def _joined(link: Binary, left: Truths, scope: FormulaScope) -> Truths:
    """`and`, `or`: the right side is computed where the left one does not decide."""
    decides = link.operator == "or"
    if isinstance(left, bool):
        return left if left == decides else _truth(link.right, scope)
    undecided = np.flatnonzero(left != decides)
    if not len(undecided):
        return decides
    found = left.copy()
    found[undecided] = _truth(link.right, scope.at(undecided))
    return found


def _arithmetic(link: Binary, left: Integers, right: Integers, scope: FormulaScope) -> Integers:
    match link.operator:
        case "//" | "%" if right.low <= 0 <= right.high:
            zero = integers.comparison("==", right, constant(0))
            right = _refused(right, zero, 1, Refusal("number", link, lambda _: "division by zero"), scope)
        case "**":
            return _power(link, left, right, scope)
    return _bounded(integers.combined(link.operator, left, right), link, scope)


def _power(link: Binary, base: Integers, exponent: Integers, scope: FormulaScope) -> Integers:
    if exponent.low < 0:
        negative = integers.comparison("<", exponent, constant(0))
        refusal = Refusal("number", link.right, lambda shown: f"the exponent {shown} is negative")
        exponent = _refused(exponent, negative, 0, refusal, scope)
    if (base.bits - 1) * exponent.high > MAX_TASK_BITS:
        base, exponent = integers.tightened(base), integers.tightened(exponent)
    if (base.bits - 1) * exponent.high > MAX_TASK_BITS:
        large = integers.too_high(base, exponent, MAX_TASK_BITS)
        exponent = _refused(exponent, large, 0, Refusal("number", link, lambda _: _too_long("the power")), scope)
    return _bounded(integers.raised(base, exponent, 2 * MAX_TASK_BITS), link, scope)


def _bounded(value: Integers, node: ExpressionNode, scope: FormulaScope) -> Integers:
    """A value, which may not have too many bits."""
    multiplies = isinstance(node, Binary) and node.operator not in ("+", "-")
    scope.spend((value.bits >> _SQUARE_BITS) ** 2 if multiplies else value.bits >> _LONG_BITS, node)
    if value.bits <= MAX_TASK_BITS:
        return value
    long = integers.too_long(value, MAX_TASK_BITS)
    return _refused(value, long, 0, Refusal("number", node, lambda _: _too_long("the result")), scope)


def _too_long(what: str) -> str:
    return f"{what} has more than {MAX_TASK_BITS:,} bits"


def _called(node: Call, scope: FormulaScope) -> Value:
    arguments = node.arguments
    match node.function:
        case "where":
            return _where(node, scope)
        case "sum" | "count":
            return _sum(node, scope)
        case "any" | "all":
            wanted = node.function == "any"
            hit = _searched(node, scope, wanted) >= 0
            return hit if wanted else ~hit
        case "first" | "last":
            return _place(node, scope)
        case "number":
            return _number_written(_word(arguments[0], scope), node, scope)
        case "distinct":
            symbols = _sorted(_word(arguments[0], scope), node, scope).values
            return np.asarray((symbols[:, 1:] != symbols[:, :-1]).all(axis=1))
        case "ascending":
            return _sorted(_word(arguments[0], scope), node, scope)
        case "descending":
            word = _sorted(_word(arguments[0], scope), node, scope)
            return Letters(word.values[:, ::-1], word.symbols)
        case "abs":
            return integers.absolute(_number(arguments[0], scope))
        case "min" | "max":
            choose = integers.smaller if node.function == "min" else integers.larger
            value = _number(arguments[0], scope)
            for argument in arguments[1:]:
                value = choose(value, _number(argument, scope))
            return value
        case _:
            raise ToolFault(f"the function {node.function} of a task was computed that has no kind")


def _where(node: Call, scope: FormulaScope) -> Value:
    """Conditions are computed for the rows that no condition before took, values for those that theirs takes."""
    *pairs, otherwise = node.arguments
    pieces: list[tuple[Rows, Value]] = []
    positions = np.arange(scope.count)
    rest = scope
    for condition, value in zip(pairs[::2], pairs[1::2], strict=True):
        decided = _truth(condition, rest)
        taken = np.flatnonzero(np.broadcast_to(np.asarray(decided), rest.count))
        if len(taken) == rest.count:
            otherwise = value
            break
        if len(taken):
            pieces.append((positions[taken], _evaluate(value, rest.at(taken))))
            left = np.flatnonzero(~np.asarray(decided))
            positions, rest = positions[left], rest.at(left)
    last = _evaluate(otherwise, rest)
    return _merged([*pieces, (positions, last)], scope.count) if pieces else last


def _merged(pieces: list[tuple[Rows, Value]], count: int) -> Value:
    """One value of pieces of one kind, which hold those of some rows each."""
    first = pieces[0][1]
    match first:
        case Integers():
            return integers.put_together(
                [(rows, piece) for rows, piece in pieces if isinstance(piece, Integers)], count
            )
        case Letters():
            letters = np.empty((count, first.length), first.values.dtype)
            for rows, piece in pieces:
                assert isinstance(piece, Letters)
                letters[rows] = piece.values
            return Letters(letters, first.symbols)
        case _:
            truths = np.empty(count, bool)
            for rows, piece in pieces:
                assert not isinstance(piece, Integers | Letters)
                truths[rows] = piece
            return truths


def _rounds(node: Call, scope: FormulaScope, backwards: bool = False) -> Iterator[tuple[int, Callable[[Rows], Rows]]]:
    """The values that the index of a loop takes, and which of some rows, by position, have this round."""
    size = _number(node.arguments[2], scope)
    times = size.values
    most = times if isinstance(times, int) else int(times.max())
    in_full = node.function in IN_FULL
    scope.spend(max(most, 0) * ROUND_WORK if in_full else 0, node)
    for k in range(most - 1, -1, -1) if backwards else range(most):
        scope.spend(0 if in_full else ROUND_WORK, node)
        if isinstance(times, int):
            yield k, lambda positions: positions
        else:
            yield k, lambda positions, k=k: positions[times[positions] > k]  # type: ignore[misc]


def _sum(node: Call, scope: FormulaScope) -> Integers:
    body, index, _ = node.arguments
    assert isinstance(index, Name)
    every = np.arange(scope.count)
    found = constant(0)
    for k, having in _rounds(node, scope):
        rows = having(every)
        value = _evaluate(body, scope.at(rows).binding(index.name, k))
        match value:
            case Integers():
                term = value
            case bool():
                term = constant(int(value))
            case np.ndarray():
                term = Integers(value.view(np.uint8), 0, 1)
            case _:
                raise ToolFault("a word was added up")
        if len(rows) < scope.count:
            others = np.setdiff1d(every, rows, assume_unique=True)
            term = integers.put_together([(rows, term), (others, constant(0))], scope.count)
        found = _bounded(integers.combined("+", found, term), node, scope)
    return found


def _searched(node: Call, scope: FormulaScope, wanted: bool = True, backwards: bool = False) -> NDArray[np.int64]:
    """For each row the first index for which the body is as wanted, else -1. What comes after it is not computed."""
    body, index, _ = node.arguments
    assert isinstance(index, Name)
    found = np.full(scope.count, -1, np.int64)
    unknown = np.arange(scope.count)
    for k, having in _rounds(node, scope, backwards):
        rows = having(unknown)
        if len(rows):
            decided = _truth(body, scope.at(rows).binding(index.name, k))
            found[rows[np.broadcast_to(np.asarray(decided), len(rows)) == wanted]] = k
            unknown = unknown[found[unknown] < 0]
        if not len(unknown):
            break
    return found


def _place(node: Call, scope: FormulaScope) -> Integers:
    """`first` and `last`; an input without such an index fails."""
    found = _searched(node, scope, backwards=node.function == "last")
    value = integers.tightened(Integers(found, 0, 0))
    refusal = Refusal("no-match", node, lambda _: f"{node.function} finds nothing: its condition holds for no index")
    return _refused(value, found < 0, 0, refusal, scope)


def _number_written(word: Letters, node: Call, scope: FormulaScope) -> Integers:
    """The number whose digits are the symbols of a word, the most significant first."""
    length, base = word.length, word.symbols
    scope.spend(length, node)
    bits = length * (base - 1).bit_length()
    if bits > 2 * MAX_TASK_BITS or (most := base**length - 1).bit_length() > MAX_TASK_BITS:
        raise ExpressionError("number", _too_long("the number of such a word"), node.at)
    size = digits_of_limb(base)
    limbs = []
    start = 0
    for end in range(length % size or size, length + size, size):
        limb = np.zeros(scope.count, np.int64)
        for place in range(start, end):
            limb *= base
            limb += word.values[:, place]
        limbs.append(limb)
        start = end
    if len(limbs) == 1:
        return Integers(limbs[0], 0, most)
    found = limbs[0].astype(object)
    for limb in limbs[1:]:
        found = found * base**size + limb
    return integers.shrunk(Integers(found, 0, most))


def _sorted(word: Letters, node: Call, scope: FormulaScope) -> Letters:
    scope.spend(word.length, node)
    symbols = word.values.copy()
    symbols.sort(axis=1)
    return Letters(symbols, word.symbols)
