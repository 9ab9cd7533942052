"""`repeat` and `mix`: earlier steps run again, and streams after earlier steps combined."""

from __future__ import annotations

from collections.abc import Mapping as AnyMapping
from dataclasses import dataclass, field, replace
from functools import partial

from compiler.expressions.arithmetic import as_figure
from compiler.expressions.axes import Axis, Family
from compiler.expressions.evaluate import number_value
from compiler.expressions.formulas import Formula, attempt, read_formula
from compiler.expressions.naming import words
from compiler.expressions.positions import TIME, lengths
from compiler.expressions.scope import Scope
from compiler.expressions.syntax import Binary, ExpressionNode, Name, Unary, free_names
from compiler.expressions.values import Number
from compiler.lowering.context import Context
from compiler.lowering.tensors import store, tensor
from compiler.network.ir import (
    Combined,
    Entry,
    Equation,
    Mix,
    Mixture,
    Repeat,
    Repeatable,
    Scaled,
    Step,
    StreamAfter,
    stream_after,
)
from compiler.source.diagnostics import did_you_mean
from compiler.source.document import Mapping, Node
from compiler.source.extends import step_name
from compiler.source.limits import MAX_EXPRESSION_DEPTH, MAX_REPEATS, MAX_STEPS


def lower_repeat(context: Context, node: Node, name: str, stream: Axis, steps: AnyMapping[str, Step]) -> Repeat | None:
    """`repeat NAME: step step`, the steps by their names; None where they do not fit."""
    rounds = _rounds(context, node)
    node = _inner(node, "steps")
    chosen = words(node)
    named = {**_short_names(context, steps), **steps}
    now = stream
    if not chosen:
        context.error("bad-value", "expected the name of a step", node.span)
        return None
    if len(chosen) > MAX_STEPS:
        context.error("too-large", f"more than {MAX_STEPS} steps", chosen[MAX_STEPS].span)
        return None
    repeated: list[str] = []
    for word in chosen:
        step = named.get(word.text)
        if step is None:
            context.error("unknown-name", _no_such(context, word.text, steps), word.span)
            return None
        if not isinstance(step, Repeatable):
            context.error("wrong-type", f"the step '{word.text}' cannot be run again", word.span)
            return None
        read = _stream_before(step, steps).size
        if read != now.size:
            message = f"'{word.text}' reads {read} dimensions, but the stream has {now.size} here"
            context.error("shape", message, word.span)
            return None
        now = stream_after(step)
        repeated.append(step.name)
    if rounds is None:
        return None
    if rounds[0] != (1,) and now.size != stream.size:
        message = f"they turn {stream.size} dimensions into {now.size}, so that they can be run once only"
        context.error("shape", message, node.span)
        return None
    text = " ".join(word.text for word in chosen)
    made = Repeat(name, now, tuple(repeated), Equation("repeat", text, node.span), *rounds)
    if _levels(made, steps) > MAX_REPEATS:
        context.error("too-large", f"more than {MAX_REPEATS} repeats, one inside the other", node.span)
        return None
    return made


def _stream_before(step: Step, steps: AnyMapping[str, Step]) -> Axis:
    """The stream that a step reads."""
    while isinstance(step, Repeat):
        step = steps[step.steps[0]]
    return step.stream


def _rounds(context: Context, node: Node) -> tuple[tuple[int, ...], Equation | None] | None:
    """How often the steps are run, one number or one for each length, and where it is written; None, with the reason
    reported, where steps cannot be run so often."""
    written = node.get("times") if isinstance(node, Mapping) else None
    if written is None:
        return (1,), None
    formula = read_formula(written, context.findings)
    if formula is None:
        return None
    varies = TIME in formula.names
    rounds: list[int] = []
    for time in lengths(context.resolved.context, varies=varies):
        scope = _without_parameters(context).bind({TIME: Number(time)} if varies else {})
        case = f" (for {TIME} = {time})" if varies else ""
        number = attempt(formula, scope, number_value, context.findings, partial(str, case))
        if number is None:
            return None
        if number.value < 0 or (isinstance(number.value, float) and not number.value.is_integer()):
            message = f"steps are run a whole number of times, from 0 on; found {as_figure(number.value)}{case}"
            context.error("bad-value", message, formula.span)
            return None
        rounds.append(int(min(number.value, MAX_STEPS + 1)))
    counts = tuple(rounds) if len(set(rounds)) > 1 else (rounds[0],)
    return counts, Equation("times", formula.text, formula.span)


def _without_parameters(context: Context) -> Scope:
    kinds = {name: definition.kind for name, definition in context.resolved.definitions.items()}
    parameters = {name for name, kind in kinds.items() if kind == "parameter"}
    scope = context.scope
    names = {name: value for name, value in scope.names.items() if name not in parameters}
    learned = dict.fromkeys(parameters, "is a parameter, and how often steps are run is no learned number")
    return replace(scope, names=names, elsewhere={**scope.elsewhere, **learned})


def _levels(step: Step, steps: AnyMapping[str, Step]) -> int:
    """How many repeats stand one inside the other."""
    return 1 + max(_levels(steps[name], steps) for name in step.steps) if isinstance(step, Repeat) else 0


def lower_mix(context: Context, node: Node, name: str, steps: AnyMapping[str, Step]) -> Mix | None:
    """`mix: expression of step names`; None, with the reason reported, where it is none."""
    formula = read_formula(_inner(node, "streams"), context.findings)
    if formula is None:
        return None
    context.scope.work.read |= formula.names
    if _depth(formula.tree) > MAX_EXPRESSION_DEPTH:
        message = f"a mix of more than {MAX_EXPRESSION_DEPTH} terms or levels"
        context.error("too-large", message, formula.span, "mix some of the streams in a step of their own first")
        return None
    streams = {**{step.name: step for step in steps.values()}, **_short_names(context, steps)}
    reader = _Mixer(context, formula, streams)
    mixture = reader.mixture(formula.tree)
    if mixture is None:
        return None
    used = [streams[word] for word in free_names(formula.tree) if word in streams]
    axis = stream_after(used[0])
    odd = next((step for step in used if stream_after(step).size != axis.size), None)
    if odd is not None:
        message = f"'{used[0].name}' leaves {axis.size} dimensions and '{odd.name}' {stream_after(odd).size}"
        context.error("shape", message, formula.span)
        return None
    coefficients = Axis((Family("coefficient", (len(reader.entries),)),))
    weight = tensor(f"{name}.weight", (coefficients,), reader.entries) if reader.entries else None
    return Mix(name, axis, mixture, weight, reader.equation)


def _no_such(context: Context, name: str, known: AnyMapping[str, Step]) -> str:
    network = context.resolved.document.get("network")
    later = isinstance(network, Mapping) and any(step_name(key.text) == name for key, _ in network.items)
    return f"the step '{name}' is not before this one" if later else f"no step '{name}' here{did_you_mean(name, known)}"


def _depth(root: ExpressionNode) -> int:
    """How deeply sums and products are nested; each link of a chain `a + b + c` is a level."""
    deepest = 0
    todo = [(root, 1)]
    while todo:
        node, depth = todo.pop()
        deepest = max(deepest, depth)
        if isinstance(node, Binary):
            todo += [(node.left, depth + 1), (node.right, depth + 1)]
        elif isinstance(node, Unary):
            todo.append((node.operand, depth + 1))
    return deepest


def _inner(node: Node, key: str) -> Node:
    """What is written under a key, if the step is a mapping."""
    return (node.get(key) or node) if isinstance(node, Mapping) else node


def _short_names(context: Context, steps: AnyMapping[str, Step]) -> dict[str, Step]:
    """Repetitions, and steps alone in their block, by the block's name, where that means nothing else."""
    blocks: dict[str, list[Step]] = {}
    for step in steps.values():
        block, _, _ = step.name.rpartition(".")
        blocks.setdefault(block, []).append(step)
    return {
        block: members[0]
        for block, members in blocks.items()
        if block and len(members) == 1 and not context.scope.knows(block) and block not in steps
    }


@dataclass
class _Mixer:
    """Reads a mix, and collects the coefficients that it stores."""

    context: Context
    formula: Formula
    streams: AnyMapping[str, Step]
    entries: list[Entry] = field(default_factory=list)

    @property
    def equation(self) -> Equation:
        return Equation("mix", self.formula.text, self.formula.span)

    def mixture(self, node: ExpressionNode) -> Mixture | None:
        match node:
            case Name(name=name) if name in self.streams:
                return StreamAfter(self.streams[name].name)
            case Binary(operator="+" | "-" as symbol, left=left, right=right) if self._reads(left, right):
                first, second = self.mixture(left), self.mixture(right)
                if first is None or second is None:
                    return None
                return Combined("add" if symbol == "+" else "subtract", first, second)
            case Binary(operator="*" | "/" as symbol, left=left, right=right) if self._reads(left):
                return self._scaled("multiply" if symbol == "*" else "divide", left, right)
            case Binary(operator="*", left=left, right=right) if self._reads(right):
                return self._scaled("multiply", right, left)
            case Unary(operator="+", operand=operand):
                return self.mixture(operand)
            case Unary(operator="-", operand=operand):
                inner = self.mixture(operand)
                if inner is None:
                    return None
                return Scaled("multiply", self._coefficient(Number(-1)), inner)
        self._refuse(node)
        return None

    def _reads(self, *nodes: ExpressionNode) -> bool:
        """Whether each of the expressions reads a stream."""
        return all(any(name in self.streams for name in free_names(node)) for node in nodes)

    def _scaled(self, operation: str, stream: ExpressionNode, factor: ExpressionNode) -> Mixture | None:
        inner = self.mixture(stream)
        if inner is None:
            return None
        if self._reads(factor):
            self._refuse(factor)
            return None
        value = attempt(self.formula, self.context.scope, number_value, self.context.findings, part=factor)
        if value is None:
            return None
        if value.value == 0 and operation == "divide":
            self.context.error("number", "division by zero", self.formula.scalar.at(*factor.at))
            return None
        return Scaled("divide" if operation == "divide" else "multiply", self._coefficient(value), inner)

    def _coefficient(self, value: Number) -> int:
        stored = store(self.context, value, self.formula.span, "coefficient")
        self.entries.append(Entry((len(self.entries),), stored, self.equation, value.provenance))
        return len(self.entries) - 1

    def _refuse(self, node: ExpressionNode) -> None:
        place = self.formula.scalar.at(*node.at)
        for name, at in free_names(node).items():
            if name not in self.streams and not self.context.scope.knows(name):
                message = _no_such(self.context, name, self.streams)
                self.context.error("unknown-name", message, self.formula.scalar.at(*at))
                return
        message = "a mix adds up streams after steps, each multiplied or divided by numbers"
        self.context.error("non-affine", message, place, "such as `layer0.ffn + gain * layer1.ffn`")
