"""What the scores of attention are made of, besides queries and keys: formulas in positions, rope, scale, mask."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import cast, get_args

from compiler.expressions.arithmetic import NotANumber, exact_figure
from compiler.expressions.arithmetic import cast as as_dtype
from compiler.expressions.axes import Axis
from compiler.expressions.evaluate import integer_value, number_value
from compiler.expressions.formulas import attempt, read_formula, value_at
from compiler.expressions.positions import PAIR, QUERY, TIME, Keys, PairFormula, lengths, score_entries
from compiler.expressions.scope import AlreadyReported
from compiler.expressions.syntax import ExpressionError
from compiler.expressions.targets import Aim
from compiler.expressions.values import NOWHERE, Number, Provenance, merged_provenance
from compiler.lowering.context import Context, Line, map_lines
from compiler.lowering.rows import readable, rows
from compiler.lowering.tensors import store
from compiler.network.ir import (
    Equation,
    HardSoftmax,
    HeadScore,
    Mask,
    MaskWord,
    Rope,
    RopePairs,
    Scale,
    ScaleOperation,
    Softmax,
    SoftmaxWord,
    Ties,
    Window,
)
from compiler.network.meanings import attends_to_nothing, divides, ties_of, unmasked_keys
from compiler.source.diagnostics import Diagnostic
from compiler.source.document import Mapping, Node, Scalar
from compiler.source.limits import MAX_CONTEXT, MAX_SCORE_ENTRIES

HARD = "hard"  # the word for a softmax that only the largest scores pass


def lower_scores(
    context: Context, step: Mapping, stream: Axis, heads: Axis, length: int, mask: Mask
) -> tuple[HeadScore, ...]:
    """The formulas that are added to the scores of heads."""
    softmax = lower_softmax(context, step)
    scores: list[HeadScore] = []
    scope = context.numbers(stream)
    written = rows(context, map_lines(step, "score"), Aim(heads, "head"), scope, "score")
    for line, formula, aims in readable(context, written, scope):
        for target in aims:
            score = PairFormula(formula, scope.bind(target.indices))
            every = [*(known.formula for known in scores), score]
            if score_entries(every, length) > MAX_SCORE_ENTRIES:
                shown = f"{length} by {length} positions" + f" in {length} lengths" * score.reads_time
                message = f"the scores of {len(every)} heads for {shown} are more than"
                context.error("too-large", f"{message} {MAX_SCORE_ENTRIES:,} numbers", line.value.span)
                return ()
            provenance = _check_score(context, score, line, length, mask, softmax)
            if provenance is None:
                break
            scores.append(HeadScore(target.position, score.checked(), line.equation, provenance))
    return tuple(scores)


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
    span, keys = line.value.span, unmasked_keys(mask, time)
    read: set[Provenance] = set()
    may_be_nothing = attends_to_nothing(softmax)
    for query in range(time):
        case = f"(for {QUERY} = {query}, {TIME} = {time})" if score.reads_time else f"(for {QUERY} = {query})"
        try:
            row = [score.at(query, key, time) for key in score.new_keys(query, keys)]
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
        if not may_be_nothing and _sees_nothing(score, query, time, keys, row):
            message = f"every key has a score of -inf {case}, which no softmax can weigh"
            context.error("empty-attention", message, span, "leave one key finite, or use softmax: plus_one")
            return None
    return merged_provenance(*read)


def _sees_nothing(score: PairFormula, query: int, time: int, keys: Keys, row: list[Number]) -> bool:
    """Whether all scores of a query are -inf, in a sequence of `time` tokens, and in the shortest one with this query
    where the length is not read; `row` has the new ones. Where it hangs on those of smaller queries they say so."""
    shown = keys(query)
    if not score.reads_time:
        new = score.new_keys(query, keys)
        return new == shown and all(number.value == -math.inf for number in row[: query + 1 - new.start])
    as_before = score.by_distance and shown.stop == query + 1, score.same_for_queries and shown.start == 0
    if query and any(as_before):
        return False
    return all(score.at(query, key, time).value == -math.inf for key in shown)


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
    word = context.word(step, "softmax", "standard")
    if word == HARD:
        return HardSoftmax(cast(Ties, context.word(step, "ties", "share")))
    return cast(SoftmaxWord, word)


def check_ties(context: Context, step: Mapping) -> None:
    """Report `ties` in a step whose softmax has none; among the defaults it stands for others."""
    node = step.get("ties")
    if node is not None and ties_of(lower_softmax(context, step)) is None:
        context.error("unknown-key", "`ties` needs the softmax that it is for", node.span, f"softmax: {HARD}")


def lower_mask(context: Context, step: Mapping) -> tuple[Mask, Provenance]:
    """`causal`, `none`, a window, or a finite number of the dtype that is added to the scores of later keys."""
    node = context.written(step, "mask")
    if isinstance(node, Mapping):
        return _window(context, node)
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


def _window(context: Context, mask: Mapping) -> tuple[Mask, Provenance]:
    node = mask.get("window")
    size = context.value(node, integer_value)
    if node is None or size is None:
        return "causal", NOWHERE
    if not 1 <= size <= MAX_CONTEXT:
        message = f"a window cannot show {exact_figure(size)} keys; it shows 1, the query's own, to {MAX_CONTEXT}"
        context.error("index-range", message, node.span)
        return "causal", NOWHERE
    return Window(size), NOWHERE


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
