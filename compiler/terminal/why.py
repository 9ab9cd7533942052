"""What is behind one weight: its equation, its line, and the numbers that it was computed from."""

from __future__ import annotations

from compiler.expressions.floats import shortest
from compiler.network.ir import Equation
from compiler.pipeline import Spec
from compiler.readers.why.origins import SourceNumber
from compiler.readers.why.why import Why
from compiler.source.text import Span
from compiler.terminal import shapes
from compiler.terminal.console import MAX_ROWS, console, file_and_line, line_of, number_text, table, text
from compiler.terminal.layout import Rows
from compiler.terminal.overview import equation_json, of_spec

MAX_DEPTH = 20  # levels of definitions that are printed
MAX_PLACES = 5  # that an equation near by writes


def print_why(spec: Spec, why: Why) -> None:
    """One weight: value and dtype, equation with its source line, then the numbers behind it as a tree."""
    out = console()
    place, dtype = why.place, spec.network.dtype
    index, shape = list(place.index), list(place.tensor.shape)
    named = f"{place.name}[{', '.join(place.label)}]"
    out.print(text(f"{named} = {shortest(why.value, dtype)!r} in {dtype.name}, at {index} of {shape}", "bold"))
    if place.is_broadcast:
        out.print(text(f"stored once, and broadcast to all targets of {place.owner.name}"))
    if why.tie is not None:
        owner = f"{place.tensor.name}[{', '.join(place.owner_labels)}]"
        out.print(text(f"the same number as {owner}: the tensors are tied by `{why.tie}`, {_place(why.tie.span)}"))
    if why.equation is None:
        _print_zero(why)
        return
    bound = [f"{name.name} = {name.value}" for name in why.names if name.kind == "index"]
    case = f", for {', '.join(bound)}" if bound else ""
    out.print(text(f"{why.part} in `{why.equation}`{case}"))
    _print_line(why.equation)
    rows = table("computed from", "value", "", "written", "line", right=["value", "line"])
    for name in why.names:
        if name.kind == "let":
            line = "" if name.span is None else line_of(str(spec.path), name.span.source.name, name.span.line)
            value = number_text(name.value, dtype if name.rounded else None)
            rows.add_row(text(name.name), value, "let", text(name.written), line)
    _add_tree(spec, why, rows)
    if rows.row_count:
        out.print(rows)


def _print_zero(why: Why) -> None:
    out = console()
    out.print(text("no equation writes it: what is not written is zero"))
    place, near = why.place, why.near
    if not near:
        out.print(text("and none writes anything into its row or column"))
        return
    if near[0].axis == "column":
        out.print(text(f"no equation of {place.owner.name} has that target"))
    out.print(text(f"its {near[0].axis} '{near[0].label}' is written by"))
    for nearby in near[:MAX_ROWS]:
        _print_line(nearby.equation)
        more = len(nearby.places) - MAX_PLACES
        rest = f" and {more:,} more" if more > 0 else ""
        out.print(text(f"which writes {', '.join(nearby.places[:MAX_PLACES])}{rest}", "dim"))


def _print_line(equation: Equation) -> None:
    """The line of the spec as it stands there, below the name of the file."""
    span = equation.span
    shown = f"{span.line:>5} | {span.source.line(span.line)}"
    out = console()
    out.print(text(f"{span.source.name}:{span.line}:{span.column}"), soft_wrap=True)
    out.print(text(shown))


def _add_tree(spec: Spec, why: Why, rows: Rows) -> None:
    """A row for each number, indented below what it was read by; each is unfolded where it comes first."""
    unfolded: set[int] = set()
    todo = [(position, 0) for position in reversed(why.parts)]
    while todo:
        position, depth = todo.pop()
        if rows.row_count >= MAX_ROWS:
            rows.add_row(text("and more; see --json", "dim"))
            return
        number = why.numbers[position]
        inner = number.parts if position not in unfolded else ()
        folded = bool(inner) and depth >= MAX_DEPTH
        rows.add_row(
            text("  " * depth + _name(number)),
            number_text(number.value, spec.network.dtype if number.rounded else None),
            number.kind,
            text("see above" if number.parts and not inner else number.written if number.name else ""),
            line_of(str(spec.path), number.span.source.name, number.span.line),
        )
        unfolded.add(position)
        if folded:
            rows.add_row(text("  " * (depth + 1) + "and more; see --json", "dim"))
        else:
            todo += [(part, depth + 1) for part in reversed(inner)]


def _name(number: SourceNumber) -> str:
    return number.name or number_text(number.value)


def _place(span: Span) -> str:
    return f"{span.source.name}:{span.line}"


def why_json(spec: Spec, why: Why) -> shapes.Why:
    """Everything that is printed; the numbers as one list, whose items name their parts by position."""
    place, equation = why.place, why.equation
    span = None if equation is None else equation.span
    return shapes.filled(
        shapes.Why,
        why,
        **of_spec(spec),
        tensor=place.name,
        place=", ".join(place.label),
        stored_as=place.tensor.name,
        index=list(place.index),
        shape=list(place.tensor.shape),
        broadcast=place.is_broadcast,
        dtype=spec.network.dtype.name,
        part=why.part or None,
        equation=None if equation is None else str(equation),
        **file_and_line(span),
        source=None if span is None else span.source.line(span.line),
        tied_by=[] if why.tie is None else [equation_json(why.tie)],
        names=[
            shapes.filled(shapes.NameRead, name, written=name.written or None, **file_and_line(name.span))
            for name in why.names
        ],
        computed_from=list(why.parts),
        numbers=[
            shapes.filled(
                shapes.SourceNumber,
                number,
                name=number.name or None,
                **file_and_line(number.span),
                computed_from=list(number.parts),
            )
            for number in why.numbers
        ],
        near=[shapes.filled(shapes.EquationNear, near, **equation_json(near.equation)) for near in why.near],
    )
