"""What the scores of attention are made of, besides queries and keys: formulas in positions, rope, scale, mask."""

from __future__ import annotations

import math
from dataclasses import replace
from math import prod
from typing import cast, get_args

from compiler.expressions.arithmetic import NotANumber
from compiler.expressions.arithmetic import cast as as_dtype
from compiler.expressions.axes import Axis
from compiler.expressions.evaluate import number_value
from compiler.expressions.formulas import attempt, read_formula, value_at
from compiler.expressions.positions import PAIR, QUERY, TIME, PairFormula, lengths, score_shape
from compiler.expressions.scope import AlreadyReported
from compiler.expressions.syntax import ExpressionError
from compiler.expressions.targets import Aim
from compiler.expressions.values import NOWHERE, Number, Provenance, merged_provenance
from compiler.lowering.context import Context, Line, map_lines
from compiler.lowering.rows import readable, rows
from compiler.lowering.tensors import store
from compiler.network.ir import Equation, HeadScore, Mask, MaskWord, Rope, RopePairs, Scale, ScaleOperation, Softmax
from compiler.network.meanings import attends_to_nothing, divides, is_causal_mask
from compiler.source.diagnostics import Diagnostic
from compiler.source.document import Mapping, Node, Scalar
from compiler.source.limits import MAX_SCORE_ENTRIES


def lower_scores(
    context: Context, step: Mapping, stream: Axis, heads: Axis, length: int, mask: Mask
) -> tuple[HeadScore, ...]:
    """The formulas that are added to the scores of heads."""
    softmax = lower_softmax(context, step)
    scores: list[HeadScore] = []
    scope = context.numbers(stream)
    written = rows(context, map_lines(step, "score"), Aim(heads, "head"), scope, "score")
    if written and not _fit(context, written[0][0], heads.size, (length, length)):
        return ()
    for line, formula, aims in readable(context, written, scope):
        for target in aims:
            score = PairFormula(formula, scope.bind(target.indices))
            if not _fit(context, line, heads.size, score_shape(score, length)):
                return ()
            provenance = _check_score(context, score, line, length, mask, softmax)
            if provenance is None:
                break
            scores.append(HeadScore(target.position, score.checked(), line.equation, provenance))
    return tuple(scores)


def _fit(context: Context, line: Line, heads: int, shape: tuple[int, ...]) -> bool:
    """Whether a table of scores of this shape for each head is not too large, which is reported if it is."""
    if heads * prod(shape) <= MAX_SCORE_ENTRIES:
        return True
    lengths = f" in sequences of {shape[0]} lengths" if len(shape) > 2 else ""
    message = f"the scores of {heads} heads for {shape[-2]} by {shape[-1]} positions{lengths} are more than"
    context.error("too-large", f"{message} {MAX_SCORE_ENTRIES:,} numbers", line.value.span)
    return False


def _check_score(
    context: Context, score: PairFormula, line: Line, length: int, mask: Mask, softmax: Softmax
) -> Provenance | None:
    """Compute the score for every pair of positions up to the context, so that nothing can fail later."""
    read: set[Provenance] = set()
    for time in lengths(length, varies=score.reads_time):
        provenance = _check_length(context, score, line, time, mask, softmax)
        if provenance is None:
            return None
        read.add(provenance)
    return merged_provenance(*read)


def _check_length(
    context: Context, score: PairFormula, line: Line, time: int, mask: Mask, softmax: Softmax
) -> Provenance | None:
    """Compute the score for every pair of positions in a sequence of `time` tokens. Where it does not read the length,
    a query is looked at in the shortest sequence with it too."""
    span, causal = line.value.span, is_causal_mask(mask)
    read: set[Provenance] = set()
    may_be_nothing = attends_to_nothing(softmax)
    for query in range(time):
        case = f"(for {QUERY} = {query}, {TIME} = {time})" if score.reads_time else f"(for {QUERY} = {query})"
        try:
            row = [score.at(query, key, time) for key in score.new_keys(query, query + 1 if causal else time)]
        except AlreadyReported:
            return None
        except ExpressionError as error:
            place = error.span or score.formula.scalar.at(*error.at)
            message = f"{error.message} {case}" if score.reads_time and error.code == "number" else error.message
            context.findings.report(Diagnostic(error.code, message, place, error.hint))
            return None
        read.update(number.provenance for number in row)
        if any(number.value == math.inf for number in row):
            context.error("number", f"a score of +inf {case}", span)
            return None
        if may_be_nothing and any(number.value > math.log(context.resolved.dtype.largest) for number in row):
            context.warn("overflow", "exp of a score overflows, which makes the plus_one softmax NaN", span)
        if not may_be_nothing and _sees_nothing(score, query, time, causal, row):
            message = f"every key has a score of -inf {case}, which no softmax can weigh"
            context.error("empty-attention", message, span, "leave one key finite, or use softmax: plus_one")
            return None
    return merged_provenance(*read)


def _sees_nothing(score: PairFormula, query: int, time: int, causal: bool, row: list[Number]) -> bool:
    """Whether all scores of a query are -inf, given its `row` without what smaller queries have: if these see a key,
    then so does this one, but where distances decide and there are later keys."""
    seen = time if score.reads_time and not causal else query + 1
    if seen > query + 1 and score.by_distance:
        return all(score.at(query, key, time).value == -math.inf for key in range(time))
    return len(row) >= seen and all(number.value == -math.inf for number in row[:seen])


def lower_rope(context: Context, step: Mapping, head_dim: int) -> Rope | None:
    """Rotary positions, from the step or the defaults; None where there are none."""
    node = context.option(step, "rope")
    if not isinstance(node, Mapping):
        return None
    if head_dim % 2:
        context.error("shape", f"rope turns pairs of coordinates, but head_dim is {head_dim}", node.span)
        return None
    frequency = node.get("frequency")
    formula = read_formula(frequency, context.findings) if frequency is not None else None
    if formula is None:
        return None
    frequencies: list[float] = []
    origins: list[Provenance] = []
    for pair in range(head_dim // 2):
        scope = context.scope.bind({PAIR: Number(pair)})
        value = attempt(formula, scope, number_value, context.findings)
        if value is None:
            return None
        frequencies.append(store(context, value, formula.span, "frequency"))
        origins.append(value.provenance)
    pairs = cast(RopePairs, context.word(node, "pairs", "adjacent"))
    return Rope(tuple(frequencies), pairs, Equation("rope", formula.text, formula.span), merged_provenance(*origins))


def lower_softmax(context: Context, step: Mapping) -> Softmax:
    """How scores become weights, from the step or the defaults."""
    return cast(Softmax, context.word(step, "softmax", "standard"))


def lower_mask(context: Context, step: Mapping) -> tuple[Mask, Provenance]:
    """`causal`, `none`, or a finite number of the dtype that is added to the scores of later keys."""
    node = context.written(step, "mask")
    if not isinstance(node, Scalar):
        return "causal", NOWHERE
    if node.text in get_args(MaskWord):
        return cast(MaskWord, node.text), NOWHERE
    scope = replace(context.scope, candidates=get_args(MaskWord))
    value = value_at(node, scope, number_value, context.findings)
    if value is None:
        return "causal", NOWHERE
    added = store(context, value, node.span, "mask") if abs(value.value) < math.inf else value.value
    if math.isnan(added):
        return "causal", NOWHERE  # too large, which was reported
    if math.isinf(added):
        context.error("number", "the number of a mask is finite", node.span, "mask: causal hides later keys")
        return "causal", NOWHERE
    if attends_to_nothing(lower_softmax(context, step)) and added > math.log(context.resolved.dtype.largest):
        context.warn("overflow", "exp of this mask overflows, which makes the plus_one softmax NaN", node.span)
    return added, value.provenance


def lower_scale_of_scores(context: Context, step: Mapping, head_dim: int) -> Scale:
    """What scores are multiplied or divided by."""
    node: Node | None = context.option(step, "scale")
    operation: ScaleOperation = "multiply"
    if isinstance(node, Mapping):
        node, operation = node.get("divide"), "divide"
    value = context.value(node, number_value)
    if node is None or value is None:
        return Scale("multiply", 1 / math.sqrt(head_dim))
    try:
        factor = as_dtype(value, context.resolved.dtype).value
    except NotANumber as error:
        context.error("number", str(error), node.span)
        return Scale(operation, 1.0)
    if math.isinf(factor) or (factor == 0 and divides(operation)):
        verb = "divided" if divides(operation) else "multiplied"
        context.error("number", f"scores cannot be {verb} by {factor or 'zero'}", node.span)
    return Scale(operation, float(factor), value.provenance)
