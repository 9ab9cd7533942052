"""A whole spec as LaTeX: a block of equations for its numbers and for each step."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Iterator

from compiler.expressions.positions import PAIR
from compiler.language.keys import MAPS_OF
from compiler.network.length import reads_time
from compiler.pipeline import Spec
from compiler.readers.latex.equations import (
    EquationLine,
    Option,
    Reading,
    axis_text,
    declared,
    read_mapping,
    read_value,
)
from compiler.readers.latex.formulas import STREAM, decoding, step_formulas, step_remarks
from compiler.readers.latex.notation import POSITION_NAME, notation
from compiler.readers.latex.tasks import size_lines, task_block
from compiler.readers.latex.words import escape, name, single_line
from compiler.source.document import Mapping, Node, Scalar, Sequence
from compiler.tasks.package import sizes_of

_WIDTH = 110


def spec_latex(spec: Spec) -> str:
    """LaTeX to paste into a paper that uses amsmath."""
    document = spec.resolved.document
    known = frozenset(spec.resolved.definitions) | frozenset(declared(document))
    reading = Reading(notation(document), known)
    task = task_block(spec)
    blocks = [_introduction(spec, reading), *_numbers(spec, reading), *([_block(*task)] if task is not None else [])]
    defaults = document.get("defaults")
    if isinstance(defaults, Mapping):
        blocks.append(_block("Defaults of all steps", read_mapping(reading, defaults)))
    network = document.get("network")
    if isinstance(network, Mapping):
        blocks += [_step(spec, reading, key.text, step) for key, step in network.items]
    blocks.append(_block("Decoding", [EquationLine(decoding(spec.network, reading.notation))]))
    return "\n\n".join([_header(spec), *blocks]) + "\n"


def _header(spec: Spec) -> str:
    resolved = spec.resolved
    about = [*_comment(text for text in (spec.title, resolved.summary, resolved.source) if text)]
    return "\n".join([*about, r"% needs amsmath: \usepackage{amsmath}"])


def _comment(texts: Iterable[str]) -> Iterator[str]:
    for text in texts:
        yield from textwrap.wrap(single_line(text), _WIDTH, initial_indent="% ", subsequent_indent="%   ")


def _introduction(spec: Spec, reading: Reading) -> str:
    document, letters = spec.resolved.document, reading.notation
    remarks = [f"${STREAM}$ is the residual stream. What no equation writes is zero."]
    remarks += [
        f"{label}: {axis_text(value)}."
        for label, value in (("Tokens", document.get("vocabulary")), ("Dimensions", document.get("stream")))
        if isinstance(value, Scalar | Sequence)
    ]
    if {"position", POSITION_NAME} <= letters.words:
        remarks.append(f"${letters.position}$ is a position, counted from 0.")
    if reads_time(spec.network):
        remarks.append(f"${letters.time}$ is the number of tokens of the sequence.")
    if {"rope", PAIR} <= letters.words:
        remarks.append(f"${letters.pair}$ is a pair of coordinates of a head, counted from 0.")
    return _block(spec.title, [], remarks)


def _numbers(spec: Spec, reading: Reading) -> Iterator[str]:
    """The sizes of the task, constants, parameters and derived values."""
    document = spec.resolved.document
    task = document.get("task")
    sizes = sizes_of(task) if isinstance(task, Mapping) else None
    if sizes is not None and sizes.items:
        yield _block("Sizes", size_lines(sizes))
    for key, title in (("constants", "Constants"), ("parameters", "Parameters"), ("derived", "Derived values")):
        section = document.get(key)
        if isinstance(section, Mapping) and section.items:
            yield _block(title, read_mapping(reading, section, path=(title,), options=False))


def _step(spec: Spec, reading: Reading, key: str, node: Node) -> str:
    """What is written, line by line, and then how the parts combine."""
    kind, _, block = key.partition(" ")
    path = f"{block.strip()}.{kind}" if block else kind
    step = spec.network.step(path)
    left, above = ((), ()) if kind in MAPS_OF else ((name(kind),), (kind,))
    written: list[EquationLine | Option] = []
    if isinstance(node, Mapping):
        written += read_mapping(reading, node, left, above, options=kind in MAPS_OF)
    elif isinstance(node, Scalar | Sequence):
        written.append(read_value(reading, node, (name(kind),), (kind,), options=True))
    formulas = step_formulas(step, _scale(spec.resolved.document, node), reading.notation)
    return _block(key, [*written, *map(EquationLine, formulas)], step_remarks(step, reading.notation))


def _scale(document: Mapping, step: Node) -> str | None:
    """The name, among the equations of the step or of the defaults, of what scores are scaled by."""
    for options in (step, document.get("defaults")):
        scale = options.get("scale") if isinstance(options, Mapping) else None
        match scale:
            case Scalar(text="none"):
                return None
            case Scalar():
                return name("scale")
            case Mapping():
                return r"\mathrm{scale}_{\mathrm{divide}}"
    return None


def _block(title: str, written: Iterable[EquationLine | Option], remarks: Iterable[str] = ()) -> str:
    """A paragraph and its equations, `\\\\` between them."""
    entries = list(written)
    options = "; ".join(entry.text for entry in entries if isinstance(entry, Option))
    equations = [entry.text for entry in entries if isinstance(entry, EquationLine)]
    sentences = [rf"\noindent\textbf{{{escape(title)}.}}", *([f"{options}."] if options else []), *remarks]
    text = _filled(" ".join(sentences))
    if not equations:
        return text
    body = " \\\\\n".join(f"  {equation}" for equation in equations)
    return f"{text}\n\\begin{{align*}}\n{body}\n\\end{{align*}}"


def _filled(text: str) -> str:
    """The text in lines that end between formulas, not inside one."""
    whole = re.sub(r"\$[^$]*\$", lambda formula: formula[0].replace(" ", "\0"), text)
    return textwrap.fill(whole, _WIDTH, break_long_words=False, break_on_hyphens=False).replace("\0", " ")
