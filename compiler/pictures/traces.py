"""One pass of a model as a picture, made from the JSON of `trace`: attention, its scores, and the stream."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from compiler.network.ir import Attention, HeadScore
from compiler.network.meanings import unmasked_keys
from compiler.pictures.picture import (
    HIDDEN,
    ColourScale,
    Picture,
    PictureAxis,
    PictureCell,
    PicturePanel,
    check_size,
    colour_scale,
    from_zero,
    number_cell,
    with_one_scale,
)
from compiler.pipeline import Spec
from compiler.source.diagnostics import fail
from compiler.source.printable import printable
from compiler.terminal import shapes
from compiler.terminal.traces import Look

MOST_POSITIONS = 64  # that are shown of formulas in positions
_LESS = "--step and --head name those that are drawn"
_Rows = Sequence[Sequence[float]]


def attention_picture(trace: shapes.TracedPass) -> Picture:
    """The weights of each head, queries below one another, keys side by side. Each head has colours of its own, from
    zero to its largest weight. Raises `SpecError`."""
    panels = (
        _of_head(trace, name, head, head["pattern"], from_zero(_numbers(head["pattern"])))
        for name, head in _heads(trace)
    )
    return Picture("heatmap", _title(trace), "weights of keys", tuple(panels))


def scores_picture(trace: shapes.TracedPass) -> Picture:
    """The same of the scores that the softmax reads, in colours around zero."""
    panels = (
        _of_head(trace, name, head, head["scores"], colour_scale(_numbers(head["scores"]), is_signed=True))
        for name, head in _heads(trace)
    )
    return Picture("heatmap", _title(trace), "scores, as the softmax reads them", tuple(panels))


def _heads(trace: shapes.TracedPass) -> list[tuple[str, shapes.TracedHead]]:
    """Each head with its step. Raises `SpecError` where there is none, or too many."""
    heads = [(_step_name(step), head) for step in trace["steps"] for head in step["heads"]]
    if not heads:
        raise fail("bad-value", "there are no heads of attention in these steps", hint="`show` prints the steps")
    check_size(len(heads), len(heads) * len(trace["tokens"]) ** 2, _LESS)
    return heads


def _of_head(
    trace: shapes.TracedPass, step: str, head: shapes.TracedHead, numbers: _Rows, colours: ColourScale | None
) -> PicturePanel:
    tokens = _tokens(trace)
    cells = tuple(
        tuple(HIDDEN if score == -math.inf else number_cell(number) for number, score in zip(row, scores, strict=True))
        for row, scores in zip(numbers, head["scores"], strict=True)
    )
    title = printable(f"{step} {head['head']}")
    return PicturePanel(title, PictureAxis("key", tokens), PictureAxis("query", tokens), cells, colours)


def _numbers(rows: _Rows) -> Iterator[PictureCell]:
    return (number_cell(number) for row in rows for number in row)


def stream_picture(trace: shapes.TracedPass) -> Picture:
    """The stream after each step: dimensions below one another, positions side by side, the same colours for all.
    Raises `SpecError`."""
    steps, tokens = trace["steps"], _tokens(trace)
    check_size(len(steps), sum(len(step["stream"]) for step in steps) * len(tokens), _LESS)
    panels = (
        PicturePanel(
            _step_name(step),
            PictureAxis("position", tokens),
            PictureAxis("dimension", tuple(map(printable, step["stream"]))),
            tuple(tuple(map(number_cell, row)) for row in zip(*step["values"], strict=True)),
        )
        for step in steps
    )
    return Picture("heatmap", _title(trace), "stream after each step", with_one_scale(panels, is_signed=True))


def formulas_picture(spec: Spec, look: Look) -> Picture:
    """What the formulas `score HEAD` add to the scores, by the positions of query and key; of a long context, at the
    first positions. Raises `SpecError` where there are none."""
    network = spec.network
    length = min(network.context, MOST_POSITIONS)
    scores = [
        (step, score)
        for step in network.steps
        if isinstance(step, Attention) and look.has_step(step.name)
        for score in step.scores
        if not look.heads or step.heads.labels[score.head] in look.heads
    ]
    if not scores:
        message = f"no formula `score HEAD` of {spec.title} adds to scores by their positions"
        raise fail("bad-value", message, hint="--scores INPUT draws the scores of an input")
    check_size(len(scores), len(scores) * length**2, _LESS)
    panels = tuple(_of_formula(step, score, length) for step, score in scores)
    return Picture("heatmap", printable(spec.title), "added to the score by positions", panels)


def _of_formula(step: Attention, score: HeadScore, length: int) -> PicturePanel:
    shown = unmasked_keys(step.mask, length)
    cells = tuple(
        tuple(
            number_cell(number) if key in shown(query) and number != -math.inf else HIDDEN
            for key, number in enumerate(row)
        )
        for query, row in enumerate(score.formula.table(length, shown))
    )
    positions = tuple(map(str, range(length)))
    return PicturePanel(
        printable(f"{step.name} {step.heads.labels[score.head]}"),
        PictureAxis("key_pos", positions),
        PictureAxis("query_pos", positions),
        cells,
        colour_scale((cell for row in cells for cell in row), is_signed=True),
    )


def _title(trace: shapes.TracedPass) -> str:
    settings = "".join(f" {setting}" for setting in trace["settings"])
    asked = "" if trace["input"] is None else f": {trace['input'].removesuffix(' =')} = {trace['answer']}"
    return printable(f"{trace['name']}{settings}{asked}")


def _step_name(step: shapes.TracedStep) -> str:
    return printable(step["name"] if step["run"] == 1 else f"{step['name']}, run {step['run']}")


def _tokens(trace: shapes.TracedPass) -> tuple[str, ...]:
    """Each token with its position, which tells those apart that are the same."""
    return tuple(printable(f"{trace['tokens'][position]}  {position}") for position in trace["positions"])
