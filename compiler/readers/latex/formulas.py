"""What a step computes as a whole: how its maps combine."""

from __future__ import annotations

from compiler.network.ir import (
    Attention,
    Embedding,
    FeedForward,
    Head,
    Map,
    Mask,
    Mix,
    Network,
    Norm,
    Position,
    Repeat,
    RopePairs,
    Step,
    StreamNorm,
    StreamScale,
    Window,
)
from compiler.network.meanings import (
    added_to_later,
    attends_to_nothing,
    divides,
    keeps_stream,
    lead_sign,
    subtracts_mean,
    ties_of,
)
from compiler.readers.latex.notation import Notation
from compiler.readers.latex.words import latex_number, name
from compiler.source.faults import no_rule

STREAM, NORMED = r"\mathbf{x}", r"\mathbf{n}"


def step_formulas(step: Step, scale: str | None, notation: Notation) -> list[str]:
    """Lines for `align*`.

    `scale` is the name of the number that scales the scores, where the spec writes one.
    """
    match step:
        case Embedding():
            token = rf"\tau_{{{notation.position}}}"
            return [rf"{STREAM}_{{{notation.position}}} &= {name('embedding')}_{{{token}}}"]
        case Position():
            at = notation.position
            return [rf"{STREAM}_{{{at}}} &\leftarrow {STREAM}_{{{at}}} + {name('position')}_{{{at}}}"]
        case StreamNorm(norm=norm):
            return _post_norm(norm, "norm")
        case StreamScale():
            return [rf"{STREAM} &\leftarrow {STREAM} \odot {name('scale')}"]
        case Repeat(steps=steps):
            inner = STREAM
            for again in steps:
                inner = rf"{name(again)}({inner})"
            return [rf"{STREAM} &\leftarrow {inner}"]
        case Mix():
            return [rf"{STREAM} &\leftarrow {name('mix')}"]
        case Attention():
            return [*_norm(step.norm), *_attention(step, scale, notation), *_post_norm(step.post_norm)]
        case FeedForward():
            return [*_norm(step.norm), _feed_forward(step), *_post_norm(step.post_norm)]
        case Head():
            return [*_norm(step.norm), rf"\mathbf{{y}} &= {name('logits')}({_read(step.norm)})"]
        case _:
            raise no_rule("step", step)


def step_remarks(step: Step, notation: Notation) -> list[str]:
    """Sentences that explain the lines."""
    match step:
        case Embedding():
            return [rf"$\tau_{{{notation.position}}}$ is the token at position ${notation.position}$."]
        case Attention(rope=rope):
            positions = f"${notation.query}$ and ${notation.key}$ are the positions of query and key"
            remarks = [f"{positions}, counted from 0; ${notation.head}$ is a head."]
            if rope is not None:
                pair = _pair(rope.pairs, notation.pair, step.head_dim // 2)
                turns = rf"$\mathbf{{R}}_{{{notation.position}}}$ turns the pair ${pair}$ of coordinates by the angle"
                frequency = r"\mathrm{rope}_{\mathrm{frequency}}"
                remarks.append(rf"{turns} ${notation.position} \, {frequency}$.")
            if step.kv_heads.size < step.heads.size:
                group = step.group_size
                remarks.append(f"Each head of keys and values serves {group} heads, in order.")
            if step.query_norm is not None:
                weight = r", times $\mathrm{qk\_norm}$'s weight" if step.query_norm.weight is not None else ""
                biased = any(norm is not None and norm.bias is not None for norm in (step.query_norm, step.key_norm))
                weight += r", plus $\mathrm{qk\_norm}$'s bias" if biased else ""
                less = "their mean subtracted and " if subtracts_mean(step.query_norm.kind) else ""
                epsilon = latex_number(step.query_norm.epsilon)
                normed = rf"divided by $\sqrt{{\operatorname{{mean}}(\cdot^2) + {epsilon}}}$"
                remarks.append(rf"$\mathrm{{norm}}$: the coordinates of a head, {less}{normed}{weight}.")
            return remarks
        case Repeat(times=times):
            often = "" if times == (1,) else rf", ${name('repeat')}_{{{name('times')}}}$ times"
            return [f"The steps are run again with the same weights{often}."]
        case Mix():
            return ["The name of a step is the stream after it."]
        case FeedForward() if not keeps_stream(step.residual):
            return []
        case FeedForward() if step.stream_after.size > step.stream.size:
            return [r"$\mathrm{pad}$ adds zeros at the end of the stream, up to its new size."]
        case FeedForward() if step.stream_after.size < step.stream.size:
            return [r"$\mathrm{cut}$ keeps the first dimensions of the stream, by position."]
        case Position() | StreamNorm() | StreamScale() | FeedForward() | Head():
            return []
        case _:
            raise no_rule("step", step)


def _pair(pairs: RopePairs, m: str, half: int) -> str:
    match pairs:
        case "adjacent":
            return f"(2 {m}, 2 {m} + 1)"
        case "halves":
            return f"({m}, {m} + {half})"
        case _:
            raise no_rule("pairs of rope", pairs)


def decoding(network: Network, notation: Notation) -> str:
    """The token that the model gives at a position."""
    last = network.steps[-1]
    logits = r"\mathbf{y}" if isinstance(last, Head) else STREAM
    token = notation.token
    operator = rf"\operatorname*{{arg\,{'max' if lead_sign(network.decode) > 0 else 'min'}}}"
    size = network.classes.size
    return rf"\text{{next token}} &= {operator}_{{0 \le {token} < {size}}} {logits}_{{{token}}}"


def _read(norm: Norm | None) -> str:
    return STREAM if norm is None else NORMED


def _post_norm(norm: Norm | None, called: str = "post_norm") -> list[str]:
    """The stream itself is normed."""
    return [] if norm is None else [*_norm(norm, called), rf"{STREAM} &\leftarrow {NORMED}"]


def _norm(norm: Norm | None, called: str = "norm") -> list[str]:
    """The branch reads the normed stream; the stream itself stays."""
    if norm is None:
        return []
    mean = r"\operatorname{mean}"
    layer = subtracts_mean(norm.kind)
    centred = r"\mathbf{c}" if layer else STREAM
    root = rf"\sqrt{{{mean}({centred} \odot {centred}) + {latex_number(norm.epsilon)}}}"
    weight = rf" \odot {name(called)}_{{\mathrm{{weight}}}}" if norm.weight is not None else ""
    bias = rf" + {name(called)}_{{\mathrm{{bias}}}}" if norm.bias is not None else ""
    first = [rf"{centred} &= {STREAM} - {mean}({STREAM})"] if layer else []
    return [*first, rf"{NORMED} &= \frac{{{centred}}}{{{root}}}{weight}{bias}"]


def _attention(step: Attention, scale: str | None, notation: Notation) -> list[str]:
    q, k, h = notation.query, notation.key, notation.head
    read = _read(step.norm)
    rows = [rf"{name(kind)}_{{{h}}}({read}_{{{at}}})" for kind, at in (("query", q), ("key", k), ("value", k))]
    query, key, value = rows
    if step.query_norm is not None:
        query, key = (rf"{name('norm')}({side})" for side in (query, key))
    if step.rope is not None:
        query, key = rf"\mathbf{{R}}_{{{q}}} \, {query}", rf"\mathbf{{R}}_{{{k}}} \, {key}"
    scores = _scaled(step, rf"\langle {query}, {key} \rangle", scale)
    if step.scores:
        scores += rf" + {name('score')}_{{{h}}}({q}, {k})"
    if added_to_later(step.mask) is not None:
        scores += rf" + {name('mask')} \, [{k} > {q}]"
    mixed = rf"\sum_{{{_seen(step.mask, q, k)}}} \alpha_{{{h}}}({q}, {k}) \, {value}"
    heads = r"\mathbf{z}" + rf"_{{{q}}}"
    match step.output:
        case "identity":
            added = heads
        case "broadcast":
            added = rf"{heads} \, \mathbf{{1}}"
        case Map():
            added = f"{name('output')}({heads})"
        case _:
            raise no_rule("output", step.output)
    old = rf"{STREAM}_{{{q}}} + " if keeps_stream(step.residual) else ""
    return [
        rf"\sigma_{{{h}}}({q}, {k}) &= {scores}",
        *_weights(step, notation),
        rf"{heads} &= \left( {mixed} \right)_{{{h}}}",
        rf"{STREAM}_{{{q}}} &\leftarrow {old}{added}",
    ]


def _seen(mask: Mask, query: str, key: str) -> str:
    """The keys that the mask does not hide."""
    match mask:
        case "causal":
            return rf"{key} \le {query}"
        case Window(size=size):
            return rf"{query} - {size} < {key} \le {query}"
        case "none" | float():
            return key
        case _:
            raise no_rule("mask", mask)


def _weights(step: Attention, notation: Notation) -> list[str]:
    """What becomes of scores."""
    q, k, h = notation.query, notation.key, notation.head
    other = f"{k}'"
    score, others = (rf"\sigma_{{{h}}}({q}, {key})" for key in (k, other))
    seen = _seen(step.mask, q, other)
    weight, ties = rf"\alpha_{{{h}}}({q}, {k}) &= ", ties_of(step.softmax)
    if ties is None:
        extra = "1 + " if attends_to_nothing(step.softmax) else ""
        return [rf"{weight}\frac{{\exp({score})}}{{{extra}\sum_{{{seen}}} \exp({others})}}"]
    largest = rf"\mu_{{{h}}}({q})"
    first = rf"{largest} &= \max_{{{seen}}} {others}"
    match ties:
        case "share":
            return [first, rf"{weight}\frac{{[{score} = {largest}]}}{{\sum_{{{seen}}} [{others} = {largest}]}}"]
        case "earliest":
            return [first, rf"{weight}[{k} = \min \{{{seen} : {others} = {largest}\}}]"]
        case "latest":
            return [first, rf"{weight}[{k} = \max \{{{seen} : {others} = {largest}\}}]"]
        case _:
            raise no_rule("ties", ties)


def _scaled(step: Attention, product: str, scale: str | None) -> str:
    if scale is None:
        return product if step.head_dim == 1 else rf"\frac{{{product}}}{{\sqrt{{{step.head_dim}}}}}"
    return rf"\frac{{{product}}}{{{scale}}}" if divides(step.scale.operation) else rf"{scale} \, {product}"


def _feed_forward(step: FeedForward) -> str:
    read = _read(step.norm)
    up = rf"{name('up')}({read})"
    activation = name(step.activation)
    hidden = f"{activation}({up})"
    if step.gate is not None:
        hidden = rf"{activation}({name('gate')}({read})) \odot {up}"
    change = step.stream_after.size - step.stream.size
    stream = STREAM if not change else rf"{name('pad' if change > 0 else 'cut')}({STREAM})"
    old = f"{stream} + " if keeps_stream(step.residual) else ""
    return rf"{STREAM} &\leftarrow {old}{name('down')}({hidden})"
