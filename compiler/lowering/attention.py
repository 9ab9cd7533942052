"""`attention`: heads, their maps, scores in positions, rope, scale, softmax and mask."""

from __future__ import annotations

import math
from typing import Literal, cast

from compiler.axes import Axis, Family
from compiler.diagnostics import Diagnostic
from compiler.document import Mapping, Node, Scalar
from compiler.expressions.arithmetic import NotANumber, show
from compiler.expressions.arithmetic import cast as as_dtype
from compiler.expressions.evaluate import integer, number
from compiler.expressions.scope import AlreadyReported
from compiler.expressions.syntax import ExpressionError
from compiler.expressions.values import Number, Provenance, union
from compiler.formulas import Formula, attempt, read_formula
from compiler.ir import Attention, Equation, HeadScore, Map, Mask, Rope, RopePairs, Scale, Softmax
from compiler.limits import MAX_HEAD_DIM, MAX_SCORE_ENTRIES
from compiler.lowering.context import Context, Line, StepSkipped, lines
from compiler.lowering.maps import MapShape, lower_map, store
from compiler.lowering.norm import lower_norm
from compiler.naming import Aim, read_axis, targets
from compiler.positions import PAIR, QUERY, PositionFormula
from compiler.resolve import check_clashes

MAPS = ("query", "key", "value", "output")
SINGLE_HEAD = "head"


def lower_attention(context: Context, step: Mapping, name: str, stream: Axis, length: int) -> Attention:
    """An attention step for sequences of up to `length` tokens."""
    heads, head_dim = _heads(context, step), _head_dim(context, step)
    if heads is None or head_dim is None:
        raise StepSkipped(stream)
    rows = heads if head_dim == 1 else heads.extended(head_dim)
    output = _output_words(context, step, rows, stream)
    biases = context.biases(step, MAPS if output is None else MAPS[:3])
    reading = context.reading(stream, "stream", {"the heads": rows})
    maps = {
        kind: lower_map(context, step, MapShape(f"{name}.{kind}", stream, rows, "head coordinate", reading), biases)
        for kind in MAPS[:3]
    }
    projection: Map | Literal["identity", "broadcast"]
    if output is not None:
        projection = output
    else:
        scope = context.reading(rows, "", {"the stream": stream})
        projection = lower_map(
            context, step, MapShape(f"{name}.output", rows, stream, "dimension", scope, "stream"), biases
        )
    mask = cast(Mask, context.word(step, "mask", "causal"))
    softmax = cast(Softmax, context.word(step, "softmax", "standard"))
    return Attention(
        name,
        stream,
        heads,
        head_dim,
        lower_norm(context, step, name, stream),
        maps["query"],
        maps["key"],
        maps["value"],
        projection,
        _scores(context, step, heads, length, mask, softmax),
        _rope(context, step, head_dim),
        _scale(context, step, head_dim),
        softmax,
        mask,
    )


def _heads(context: Context, step: Mapping) -> Axis | None:
    node = context.option(step, "heads")
    if node is None:
        return Axis((Family(SINGLE_HEAD),))
    written = read_axis(node, context.resolved.scope, context.found, "head")
    if written is None:
        return None
    own = {name: span for name, span in written.places.items() if context.resolved.stream.family(name) is None}
    check_clashes(own, context.resolved.definitions, context.found)
    return written.axis


def _head_dim(context: Context, step: Mapping) -> int | None:
    node = context.option(step, "head_dim")
    if node is None:
        return 1
    formula = read_formula(node, context.found)
    value = None if formula is None else attempt(formula, context.resolved.scope, integer, context.found)
    if value is not None and not 1 <= value <= MAX_HEAD_DIM:
        context.error("index-range", f"head_dim cannot be {show(value)}; it is 1 to {MAX_HEAD_DIM}", node.span)
        return None
    return value


def _output_words(context: Context, step: Mapping, rows: Axis, stream: Axis) -> Literal["identity", "broadcast"] | None:
    """`output: identity` or `output: broadcast`, where nothing is stored."""
    value = step.get("output")
    if not isinstance(value, Scalar) or value.text not in ("identity", "broadcast"):
        return None
    word = cast(Literal["identity", "broadcast"], value.text)
    needed = stream.size if word == "identity" else 1
    if rows.size != needed:
        message = f"`output: {word}` needs {needed} head coordinates for {stream.size} dimensions, found {rows.size}"
        context.error("shape", message, value.span)
    for line in lines(step, "output"):
        if line.target is not None:
            context.error("target-twice", f"`output: {word}` already writes every dimension", line.key.span)
    return word


def _scores(
    context: Context, step: Mapping, heads: Axis, length: int, mask: Mask, softmax: Softmax
) -> tuple[HeadScore, ...]:
    found: list[HeadScore] = []
    scope = context.resolved.scope
    for line in lines(step, "score"):
        formula = read_formula(line.value, context.found)
        aims = targets(line.target, Aim(heads, "head"), scope, context.found) if line.target is not None else []
        if formula is None or line.target is None:
            continue
        context.check_indices(line.target, formula, scope)
        for target in aims:
            if any(score.head == target.position for score in found):
                message = f"the score of '{heads.labels[target.position]}' is written twice"
                context.error("target-twice", message, line.key.span)
                break
            score = PositionFormula(formula, scope.bind(target.indices))
            provenance = _check_score(context, score, line, length, mask, softmax)
            if provenance is None:
                break
            found.append(HeadScore(target.position, score.checked(), line.equation, provenance))
    return tuple(found)


def _check_score(
    context: Context, score: PositionFormula, line: Line, length: int, mask: Mask, softmax: Softmax
) -> Provenance | None:
    """Compute the score for every pair of positions up to the context, so that nothing can fail later."""
    span = line.value.span
    if length * length > MAX_SCORE_ENTRIES:
        message = f"the scores of {length} by {length} positions are more than {MAX_SCORE_ENTRIES:,} numbers"
        context.error("too-large", message, span)
        return None
    read: set[Provenance] = set()
    for query in range(length):
        try:
            row = [score.at(query, key) for key in range(query + 1 if mask == "causal" else length)]
        except AlreadyReported:
            return None
        except ExpressionError as error:
            place = score.formula.scalar.at(*error.at)
            context.found.append(Diagnostic(error.code, error.message, place, error.hint))
            return None
        read.update(number_.provenance for number_ in row)
        if any(number_.value == math.inf for number_ in row):
            context.error("number", f"a score of +inf (for {QUERY} = {query})", span)
            return None
        if softmax == "plus_one" and any(number_.value > math.log(context.resolved.dtype.largest) for number_ in row):
            context.warn("overflow", "exp of a score overflows, which makes the plus_one softmax NaN", span)
        seen = row[: query + 1]  # all of it in the shortest sequence with this query
        if softmax == "standard" and all(number_.value == -math.inf for number_ in seen):
            message = f"every key has a score of -inf (for {QUERY} = {query}), which no softmax can weigh"
            context.error("empty-attention", message, span, "leave one key finite, or use softmax: plus_one")
            return None
    return union(*read)


def _rope(context: Context, step: Mapping, head_dim: int) -> Rope | None:
    node = context.option(step, "rope")
    if not isinstance(node, Mapping):
        return None
    if head_dim % 2:
        context.error("shape", f"rope turns pairs of coordinates, but head_dim is {head_dim}", node.span)
        return None
    frequency = node.get("frequency")
    formula = read_formula(frequency, context.found) if frequency is not None else None
    if formula is None:
        return None
    frequencies: list[float] = []
    origins: list[Provenance] = []
    for pair in range(head_dim // 2):
        scope = context.resolved.scope.bind({PAIR: Number(pair)})
        value = attempt(formula, scope, number, context.found)
        if value is None:
            return None
        frequencies.append(store(context, value, formula.span, "frequency"))
        origins.append(value.provenance)
    pairs = cast(RopePairs, context.word(node, "pairs", "adjacent"))
    return Rope(tuple(frequencies), pairs, Equation("rope", formula.text, formula.span), union(*origins))


def _scale(context: Context, step: Mapping, head_dim: int) -> Scale:
    node: Node | None = context.option(step, "scale")
    operation: Literal["multiply", "divide"] = "multiply"
    if isinstance(node, Mapping):
        node, operation = node.get("divide"), "divide"
    formula: Formula | None = read_formula(node, context.found) if node is not None else None
    if formula is None:
        return Scale("multiply", 1 / math.sqrt(head_dim))
    value = attempt(formula, context.resolved.scope, number, context.found)
    if value is None:
        return Scale(operation, 1.0)
    try:
        factor = as_dtype(value, context.resolved.dtype).value
    except NotANumber as error:
        context.error("number", str(error), formula.span)
        return Scale(operation, 1.0)
    if math.isinf(factor) or (factor == 0 and operation == "divide"):
        verb = "divided" if operation == "divide" else "multiplied"
        context.error("number", f"scores cannot be {verb} by {factor or 'zero'}", formula.span)
    return Scale(operation, float(factor), value.provenance)
