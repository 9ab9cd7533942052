"""A program as C: for a block of sequences at once, one in each lane of the vector instructions.

With its `margins` it computes values alone, and a token is sure where it leads by more than its margin; without them it
follows a bound for each input.

Nodes that are computed position by position are fused into one loop over positions between two steps of attention; what
another loop reads is stored in the workspace, lanes at each position for the value and the error of each channel.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from compiler.backends.bounds.arithmetic import EXACT, Arithmetic, Rounding
from compiler.backends.bounds.attention import Mixing, attend_head, mix_values
from compiler.backends.bounds.bounded import ZERO, Bounded, Channels
from compiler.backends.bounds.deciding import decide, leader
from compiler.backends.bounds.elementwise import all_channels
from compiler.backends.bounds.linear_tables import as_linear
from compiler.backends.bounds.nodes import Seen, computed
from compiler.backends.bounds.quantities import Quantity, plus, times
from compiler.backends.elementary.program import (
    Array,
    Attended,
    Lookup,
    Mixed,
    Node,
    NotFollowed,
    Program,
    reads_keys,
)
from compiler.backends.native.c_entries import check_entry, run_entry
from compiler.backends.native.c_keys import LineLoop
from compiler.backends.native.c_lines import LANES, Expression, LineFunctions, Writer, lanes
from compiler.backends.native.columns import Columns

MAX_WORKSPACE = 1 << 26  # bytes of one block
TABLE = 16  # numbers of a table that `ws_looked_up` reads
MAX_LINES = 10_000  # gcc takes 20 seconds and a gigabyte for as many


def c_source(program: Program, margins: Array | None = None, columns: Columns | None = None) -> str:
    """C that defines `run(tokens [count, length], said [count, slots], count)`. Raises `NotFollowed`.

    `margins` [slots] are those of `compiler.backends.bounds.margins`. With `columns` it also defines
    `check(columns, sure [count], first, count)`, which says of inputs whether they are surely answered right.
    """
    generator = _Generator(program, margins)
    generator.write()
    return generator.text(columns)


@dataclass(frozen=True)
class _Stored:
    """Where a quantity of a node stands: an array of the workspace, by positions of the node, or one number."""

    quantity: str | float

    def at(self, place: str, writer: Writer) -> Quantity:
        return self.quantity if isinstance(self.quantity, float) else Expression(f"{self.quantity}[{place}]", writer)


@dataclass(eq=False)
class _Generator:
    program: Program
    margins: Array | None
    writer: Writer = field(default_factory=Writer)
    workspace: list[tuple[str, int]] = field(default_factory=list)  # arrays and their positions
    before: list[str] = field(default_factory=list)  # what the loop that is written needs before it
    stored: dict[int, list[tuple[_Stored, _Stored]]] = field(default_factory=dict)
    values: dict[int, Channels] = field(default_factory=dict)  # that the loop has computed so far

    def __post_init__(self) -> None:
        rounding = Rounding.of(self.program.dtype) if self.margins is None else EXACT
        self.arithmetic = Arithmetic(LineFunctions(self.writer, finite=self.margins is not None), rounding)
        self.levels: list[int] = []
        for node in self.program.nodes:
            below = max((self.levels[number] for number in node.inputs if number >= 0), default=0)
            self.levels.append(below + reads_keys(node.operation))
        for number, node in enumerate(self.program.nodes):
            readers = [i for i, other in enumerate(self.program.nodes) if number in other.inputs]
            if isinstance(node.operation, Lookup) and not any(map(self._reads_stored, readers)):
                self.levels[number] = min((self.levels[i] for i in readers), default=self.levels[number])

    def _reads_stored(self, number: int) -> bool:
        """Whether the inputs of a node have to be stored: a table is else looked up where it is read."""
        return reads_keys(self.program.nodes[number].operation)

    def write(self) -> None:
        for group in self._groups():
            self._loop(group)
            if len(self.writer.lines) > MAX_LINES:
                raise NotFollowed(f"its C would have more than {MAX_LINES:,} lines")

    def _groups(self) -> list[list[int]]:
        """Nodes that one loop over positions computes. A node needs more positions than what is made of it."""
        groups: dict[tuple[int, int, tuple[int, ...]], list[int]] = {}
        for number, node in enumerate(self.program.nodes):
            key = (self.levels[number], -len(node.positions), node.positions)
            groups.setdefault(key, []).append(number)
        return [groups[key] for key in sorted(groups)]

    def _loop(self, group: list[int]) -> None:
        writer, nodes = self.writer, self.program.nodes
        positions = nodes[group[0]].positions
        self.values.clear()
        start = len(writer.lines)
        writer.open(f"for (int p = 0; p < {len(positions)}; p++)")
        for number in sorted(group, key=lambda number: not reads_keys(nodes[number].operation)):
            self.values[number] = all_channels(nodes[number], self._computed(nodes[number]))
            if self._is_read_elsewhere(number, group):
                self._store(number, self.values[number])
        decision = self.program.decision
        if decision.node in group:
            writer.lines.append(f"w->said[p] = {lanes(self._said(self.values[decision.node]))};")
        writer.close()
        writer.lines[start:start] = self.before
        self.before.clear()

    def _said(self, inputs: Channels) -> Quantity:
        decision = self.program.decision
        if self.margins is None:
            return decide(self.arithmetic, decision, inputs)
        places = [decision.reads.index(position) for position in self.program.nodes[decision.node].positions]
        return leader(self.arithmetic, decision, inputs, self._by_place(self.margins[places]))

    def _is_read_elsewhere(self, number: int, group: list[int]) -> bool:
        """Whether a node outside the group reads it, or attention inside, which comes first."""
        readers = (i for i, node in enumerate(self.program.nodes) if number in node.inputs)
        return any(i not in group for i in readers)

    def _computed(self, node: Node) -> list[Bounded]:
        """The live channels of a node, in order: values alone, where margins stand for the errors."""
        operation, quick = node.operation, self.margins is not None
        if quick and isinstance(operation, Mixed) and all(_growing(node, operation, c) for c in node.live):
            return [self._running_sum(node, operation, c) for c in node.live]
        found = computed(self, node)
        return [Bounded(x.value, 0.0) for x in found] if quick else found

    @property
    def mixing(self) -> Mixing:
        return attend_head if self.margins is None else mix_values

    def at(self, number: int, positions: Sequence[int]) -> Channels:
        """See `ProgramRun`: as computed in this loop, or stored by one before it."""
        return self.values[number] if number in self.values else self._read(number, positions)

    def by_position(self, node: Node, numbers: Array) -> Quantity:
        """See `ProgramRun`."""
        return self._by_place(numbers[list(node.positions)])

    def looked_up(self, node: Node, table: Array, channel: int) -> Quantity:
        """See `ProgramRun`."""
        column = table[list(node.positions) if len(table) > 1 else [0], :, channel]  # [positions | 1, tokens | 1]
        if (column == column[:, :1]).all():
            return self._by_place(column[:, 0])
        tokens = f"w->tokens[{self._number(node.positions)}]"
        found = None if self.margins is None else as_linear(self.program, node, table, channel)
        if found is None:
            return self._in_rows(column, tokens)
        grown = times(self._by_place(found.slope), Expression(f"ws_numbers({tokens})", self.writer))
        return self.arithmetic.f.name(plus(self._by_place(found.offset), grown))

    def seen(self, node: Node, operation: Attended | Mixed, head: int) -> Seen:
        """See `ProgramRun`: of the query at the position of the loop."""
        rows, writer = list(node.positions), self.writer
        pairs = queries, keys = np.nonzero(operation.visible_to(head)[rows])  # query by query
        counts = np.bincount(queries, minlength=len(rows))
        loop = LineLoop(writer, writer.table("int", np.cumsum([0, *counts]).tolist()), int(counts.max()))

        def numbers(table: Array) -> Quantity:
            chosen = table[rows][pairs]
            if (chosen == chosen[:1]).all():
                return float(chosen[0]) if len(chosen) else 0.0
            return Expression(f"ws_all({writer.table('double', chosen)}[j])", writer)

        return Seen(loop, lambda number, wanted: [self._key(number, c, keys) for c in wanted], numbers)

    def before_keys(self, x: Quantity) -> Quantity:
        """See `ProgramRun`."""
        return x

    def after_keys(self, x: Quantity) -> Quantity:
        """See `ProgramRun`."""
        return x

    def _by_place(self, numbers: Array) -> Quantity:
        """A number for each position of the loop, or one for all."""
        if (numbers == numbers[0]).all():
            return float(numbers[0])
        return Expression(f"ws_all({self.writer.table('double', numbers)}[p])", self.writer)

    def _in_rows(self, rows: Array, places: str) -> Expression:
        """Of a row for each position of the loop, or one for all, the numbers in the places that lanes say."""
        if rows.shape[1] <= TABLE:
            rows = np.pad(rows, ((0, 0), (0, TABLE - rows.shape[1])))
            name = self.writer.table("double", rows)
            return self.writer.named(f"ws_looked_up({name}{f' + p * {TABLE}' if len(rows) > 1 else ''}, {places})")
        name = self.writer.table("double", rows)
        first = f"p * {rows.shape[1]} + " if len(rows) > 1 else ""
        return self.writer.gathered(f"{name}[{first}{places}[L]]")

    def _number(self, numbers: Sequence[int]) -> str:
        """Of a number for each position of the loop, the present one."""
        if list(numbers) == list(range(numbers[0], numbers[0] + len(numbers))):
            return f"p + {numbers[0]}"
        return f"{self.writer.table('int', numbers)}[p]"

    def _read(self, number: int, positions: Sequence[int]) -> Channels:
        """A stored node at the positions of the loop."""
        if number < 0:
            return []
        stored = self.program.nodes[number].positions
        place = self._number([stored.index(position) for position in positions])
        return [Bounded(*(part.at(place, self.writer) for part in channel)) for channel in self.stored[number]]

    def _store(self, number: int, value: Channels) -> None:
        stored = []
        live = set(self.program.nodes[number].live)
        for channel, bounded in enumerate(value):
            alone = self.arithmetic.alone(bounded) if channel in live else ZERO
            stored.append((self._kept(number, alone.value), self._kept(number, alone.error)))
        self.stored[number] = stored

    def _kept(self, number: int, x: Quantity) -> _Stored:
        if isinstance(x, float):
            return _Stored(x)
        name = self.writer.new("s")
        self.workspace.append((name, len(self.program.nodes[number].positions)))
        self.writer.lines.append(f"w->{name}[p] = {x.text};")
        return _Stored(f"w->{name}")

    def _running_sum(self, node: Node, operation: Mixed, channel: int) -> Bounded:
        """A weight of each query times the sum of the values of all keys that it sees, each of which is added once."""
        head, coordinate = divmod(channel, operation.value_dim)
        visible = operation.visible_to(head)[list(node.positions)]
        order = [int(key) for key in np.argsort(~visible, axis=1, kind="stable")[-1] if visible[-1, key]]
        order.sort(key=lambda key: int(visible[:, key].argmax()))
        value = self._key(node.inputs[0], operation.value_channels(head)[coordinate], np.array(order))
        writer, ends = self.writer, self.writer.table("int", visible.sum(1).tolist())
        total, sums = writer.new("a"), writer.new("a")
        self.before += [
            f"ws_lanes {total} = ws_all(0), {sums}[{len(node.positions)}];",
            f"for (int p = 0, j = 0; p < {len(node.positions)}; p++) {{",
            f"for (; j < {ends}[p]; j++) {total} += {lanes(value.value)};",
            f"{sums}[p] = {total};",
            "}",
        ]
        weight = self._by_place(operation.weights[head][list(node.positions)].max(1))
        return Bounded(self.arithmetic.f.name(times(weight, Expression(f"{sums}[p]", writer))), 0.0)

    def _key(self, number: int, channel: int, keys: NDArray[np.int64]) -> Bounded:
        """A channel of a stored node at key j."""
        if number < 0:
            return ZERO
        stored = self.program.nodes[number].positions
        table = self.writer.table("int", [stored.index(position) for position in keys.tolist()])
        return Bounded(*(part.at(f"{table}[j]", self.writer) for part in self.stored[number][channel]))

    def text(self, columns: Columns | None) -> str:
        """The whole source."""
        program, decision = self.program, self.program.decision
        places = [program.nodes[decision.node].positions.index(position) for position in decision.reads]
        arrays = [f"ws_lanes {name}[{size}];" for name, size in self.workspace]
        arrays += [f"ws_symbols tokens[{program.length}];", f"ws_lanes said[{len(set(places))}];"]
        if sum(size for _, size in self.workspace) * LANES * 8 > MAX_WORKSPACE:
            raise NotFollowed("its values need too much memory")
        table = self.writer.table("int", places)
        return "\n".join(
            [
                *self.writer.tables,
                "typedef struct {",
                *arrays,
                "} workspace;",
                "static void block(workspace *restrict w) {",
                *self.writer.lines,
                "}",
                *run_entry(program.length, len(places), table),
                *([] if columns is None else check_entry(columns, places)),
            ]
        )


def _growing(node: Node, operation: Mixed, channel: int) -> bool:
    """Whether each query sees all keys of those before it, and all with one weight."""
    head = channel // operation.value_dim
    rows = list(node.positions)
    weights, visible = operation.weights[head][rows], operation.visible_to(head)[rows]
    return bool((visible[1:] >= visible[:-1]).all() and (~visible | (weights == weights.max(1, keepdims=True))).all())
