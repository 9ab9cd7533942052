"""The network as a diagram: what each step reads of the stream and writes to it, one step below the other."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Literal

from compiler.expressions.axes import Axis
from compiler.network.ir import (
    Attention,
    Combined,
    Embedding,
    FeedForward,
    HardSoftmax,
    Head,
    Map,
    Mix,
    Mixture,
    Network,
    Position,
    Repeat,
    Scaled,
    Softmax,
    Step,
    StreamAfter,
    StreamNorm,
    StreamScale,
    Tensor,
    stream_after,
)
from compiler.network.meanings import added_to_later, divides, keeps_stream
from compiler.network.storage import step_norm, stored_by
from compiler.page.cells import Equations
from compiler.page.shapes import PageScores, PageStep
from compiler.source.faults import no_rule
from compiler.terminal.steps import describe_step, step_equations

MAX_NAMES = 16  # that are shown of what a step reads, or writes
Rail = Literal["starts", "adds", "replaces", "repeats", "ends"]  # what becomes of the stream in a step


def page_steps(network: Network, equations: Equations) -> list[PageStep]:
    """The steps in their order."""
    made: list[PageStep] = []
    before: Axis | None = None
    for step in network.steps:
        made.append(
            {
                "name": step.name,
                "rail": _rail(step),
                "summary": describe_step(step, network.dtype),
                "reads": _short(dimensions_read(step)),
                "writes": _short(dimensions_written(step)),
                "heads": _short(step.heads.labels) if isinstance(step, Attention) else [],
                "again": list(step.steps) if isinstance(step, Repeat) else [],
                "before": None if before is None else str(before),
                "after": str(stream_after(step)),
                "tensors": [name for group in stored_by(step) for name, _ in group.named],
                "equations": equations.numbers(step_equations(step)),
                "scores": _scores(step) if isinstance(step, Attention) else None,
            }
        )
        before = stream_after(step)
    return made


def _scores(step: Attention) -> PageScores:
    with_formula = {score.head for score in step.scores}
    is_masked = added_to_later(step.mask) is not None
    return {
        "size": step.head_dim,
        "group": step.group_size,
        "scale": 1 / step.scale.value if divides(step.scale.operation) else step.scale.value,
        "added": [is_masked or head in with_formula for head in range(step.heads.size)],
        "weight": _weight(step.softmax),
    }


def _weight(softmax: Softmax) -> str:
    """How a weight comes of scores, for people."""
    match softmax:
        case "standard":
            return "e^score, divided by the sum of e^score over all keys"
        case "plus_one":
            return "e^score, divided by 1 and the sum of e^score over all keys"
        case HardSoftmax(ties="share"):
            return "shared evenly by the keys with the largest score"
        case HardSoftmax(ties=ties):
            return f"all on the {ties} key with the largest score"
        case _:
            raise no_rule("softmax", softmax)


def _short(names: Iterable[str]) -> list[str]:
    """Names in short: members of a family that follow one another by their ends, and of many the first ones."""
    runs: list[list[str]] = []
    for name in names:
        if runs and name == _after(runs[-1][-1]):
            runs[-1] = [runs[-1][0], name]
        else:
            runs.append([name])
    shown = [" … ".join(run) for run in runs]
    return shown if len(shown) <= MAX_NAMES else [*shown[:MAX_NAMES], f"and {len(shown) - MAX_NAMES:,} more"]


def _after(name: str) -> str | None:
    """The next member of a family; None where there is no number at the end."""
    member = re.fullmatch(r"(.*[\[ ])(\d{1,9})\]", name, re.DOTALL)
    return None if member is None else f"{member[1]}{int(member[2]) + 1}]"


def _rail(step: Step) -> Rail:
    match step:
        case Embedding():
            return "starts"
        case Position():
            return "adds"
        case Attention(residual=residual) | FeedForward(residual=residual):
            return "adds" if keeps_stream(residual) and step.post_norm is None else "replaces"
        case StreamNorm() | StreamScale() | Mix():
            return "replaces"
        case Repeat():
            return "repeats"
        case Head():
            return "ends"
        case _:
            raise no_rule("step", step)


def dimensions_read(step: Step) -> list[str]:
    """The dimensions of the stream that a step looks at; tokens, positions or steps where it looks at these."""
    match step:
        case Embedding():
            return ["tokens"]
        case Position():
            return ["positions"]
        case StreamNorm(stream=stream) | StreamScale(stream=stream):
            return list(stream.labels)
        case Attention(stream=stream, query=query, key=key, value=value):
            maps: tuple[Map, ...] = (query, key, value)
        case FeedForward(gate=gate, up=up):
            maps = (up,) if gate is None else (gate, up)
        case Head(logits=logits):
            maps = (logits,)
        case Mix(mixture=mixture):
            return list(dict.fromkeys(_mixed(mixture)))
        case Repeat():
            return []
        case _:
            raise no_rule("step", step)
    after = None if isinstance(step, Head) else step.post_norm  # which reads what is kept of the stream
    return _columns(maps) if step_norm(step) is None and after is None else list(step.stream.labels)


def _mixed(mixture: Mixture) -> Iterable[str]:
    """The steps whose streams are mixed."""
    match mixture:
        case StreamAfter(step=step):
            yield f"the stream after {step}"
        case Scaled(stream=stream):
            yield from _mixed(stream)
        case Combined(left=left, right=right):
            yield from _mixed(left)
            yield from _mixed(right)
        case _:
            raise no_rule("mix", mixture)


def dimensions_written(step: Step) -> list[str]:
    """The dimensions of the stream that a step can change."""
    match step:
        case Embedding(stream=stream, weight=weight, factors=factors):
            return _named(stream, weight if not factors else factors[-1].weight)
        case Position(stream=stream, terms=terms, table=table):
            if table is not None:
                return _named(stream, table)
            return [stream.labels[at] for at in sorted({term.dimension for term in terms})]
        case StreamNorm(stream=stream) | StreamScale(stream=stream) | Mix(stream=stream):
            return list(stream.labels)
        case Attention(stream=stream, output=output):
            return _attended(step) if isinstance(output, str) else _rows(output)
        case FeedForward(down=down):
            return _rows(down)
        case Head():
            return ["logits"]
        case Repeat():
            return []
        case _:
            raise no_rule("step", step)


def _attended(step: Attention) -> list[str]:
    """What is written where no map stands behind the heads: each to a dimension of its own, or one to all."""
    match step.output:
        case "identity":
            rows = _written_rows(step.value)
            places = [divmod(at, step.value_dim) for at in range(step.heads.size * step.value_dim)]
            sources = [head // step.group_size * step.value_dim + coordinate for head, coordinate in places]
            return [name for name, row in zip(step.stream.labels, sources, strict=False) if row in rows]
        case "broadcast" | Map():
            return list(step.stream.labels)
        case _:
            raise no_rule("output", step.output)


def _columns(maps: Iterable[Map]) -> list[str]:
    """The inputs that have a weight that is not zero."""
    found: dict[int, str] = {}
    for map_ in maps:
        first = map_
        while first.inner is not None:
            first = first.inner
        found |= {entry.index[1]: first.inputs.labels[entry.index[1]] for entry in first.weight.entries if entry.value}
    return [found[at] for at in sorted(found)]


def _rows(map_: Map) -> list[str]:
    """The outputs that can be something else than zero."""
    rows = _written_rows(map_)
    return [name for at, name in enumerate(map_.outputs.labels) if at in rows]


def _written_rows(map_: Map) -> set[int]:
    rows: set[int] = set()
    for tensor in filter(None, (map_.weight, map_.bias)):
        written = {entry.index[0] for entry in tensor.entries if entry.value}
        rows |= set(range(map_.outputs.size)) if written and tensor.axes[0] is None else written
    return rows


def _named(stream: Axis, tensor: Tensor) -> list[str]:
    """The columns of a table that are not zero everywhere."""
    columns = {entry.index[1] for entry in tensor.entries if entry.value}
    return [name for at, name in enumerate(stream.labels) if at in columns]
