"""Passes over the keys of a query as loops of C."""

from __future__ import annotations

from dataclasses import dataclass

from compiler.backends.bounds.mixing import Body, Kept
from compiler.backends.bounds.quantities import Quantity
from compiler.backends.native.c_lines import Expression, Writer, lanes, operand
from compiler.source.faults import no_rule


@dataclass(frozen=True, eq=False)
class LineLoop:
    """A `KeyLoop` of the query at the position of the loop: its keys are starts[p] up to starts[p + 1]."""

    writer: Writer
    starts: str
    most: int

    def keep(self, x: Quantity) -> Kept:
        if isinstance(x, float):
            return lambda: x
        place = f"{self.writer.new('k')}[j - {self.starts}[p]]"
        self.writer.lines.append(f"{place} = {x.text};")
        self.writer.kept.append(f"ws_lanes {place.partition('[')[0]}[{self.most}];")
        return lambda: Expression(place, self.writer)

    def over_all(self, body: Body) -> list[Quantity]:
        writer = self.writer
        before, writer.lines = writer.lines, []
        results: list[Quantity] = []
        for combined, x in body():
            name = writer.new("a")
            match combined:
                case "sum":
                    start, joined = "0.0", f"{name} + {operand(x)}"
                case "max":
                    start, joined = "-__builtin_inf()", f"ws_larger({name}, {lanes(x)})"
                case _:
                    raise no_rule("pass over keys", combined)
            before.append(f"ws_lanes {name} = ws_all({start});")
            writer.lines.append(f"{name} = {joined};")
            results.append(Expression(name, writer))
        loop = f"for (int j = {self.starts}[p]; j < {self.starts}[p + 1]; j++) {{"
        writer.lines = [*before, *writer.kept, loop, *writer.lines, "}"]
        writer.kept.clear()
        return results
