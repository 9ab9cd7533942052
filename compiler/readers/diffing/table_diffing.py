"""Which numbers of two networks differ: tensor by tensor, with ties and factors taken for what they stand for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from compiler.expressions.axes import Axis
from compiler.expressions.floats import round_to, ulps_apart
from compiler.expressions.values import NOWHERE, merged_provenance
from compiler.network.ir import Index, Network, Step, Tensor
from compiler.network.tables import Cell, Table, step_chains, step_tables
from compiler.readers.diffing.differences import ProductChange, ShapeChange, TieChange
from compiler.readers.diffing.matching import Matching, match_steps, may_differ_by_place
from compiler.readers.diffing.multiplying import multiplied

POSITIONS_COMPARED = 64  # of queries and of keys, for which score formulas are compared
Axes = tuple[Axis | None, ...]


@dataclass(frozen=True)
class CellChange:
    """A number that differs, at a named place of a tensor or table."""

    tensor: str
    label: str
    before: Cell | None
    after: Cell | None
    ulps: int | None


@dataclass(frozen=True)
class NumberChanges:
    """What differs in the numbers of two networks, or of two steps."""

    shapes: tuple[ShapeChange, ...] = ()
    ties: tuple[TieChange, ...] = ()
    products: tuple[ProductChange, ...] = ()
    cells: tuple[CellChange, ...] = ()

    @property
    def size(self) -> int:
        return len(self.shapes) + len(self.ties) + len(self.cells)


def compare_numbers(before: Network, after: Network) -> tuple[Matching, NumberChanges]:
    """What differs where names are matched by name first, or by place alone where less differs then."""
    matching = match_steps(before, after)
    numbers = _Comparison(before, after, matching).numbers()
    if numbers.size and may_differ_by_place(before, after):
        by_place = match_steps(before, after, by_place=True)
        others = _Comparison(before, after, by_place).numbers()
        if others.size < numbers.size:
            return by_place, others
    return matching, numbers


_Pair = tuple[Table | None, Table | None]


@dataclass(frozen=True)
class _Product:
    """A product that is compared, `instead_of` the factors of these names."""

    change: ProductChange
    instead_of: tuple[str, ...]
    cells: tuple[CellChange, ...]


class _Comparison:
    """Two networks, and which steps and dimensions of them are compared with one another."""

    def __init__(self, before: Network, after: Network, matching: Matching) -> None:
        self.before = before
        self.after = after
        self.matching = matching
        self.length = min(before.context, after.context, POSITIONS_COMPARED)
        self.dtype = min(before.dtype, after.dtype, key=lambda dtype: dtype.precision)  # the coarser one
        self.renamed = {f"{old.name}.": f"{new.name}." for old, new in matching.steps if old.name != new.name}

    def numbers(self) -> NumberChanges:
        partner = {old.name: new for old, new in self.matching.steps}
        matched = {new.name for new in partner.values()}
        pairs: list[tuple[Step | None, Step | None]] = [(step, partner.get(step.name)) for step in self.before.steps]
        pairs += [(None, step) for step in self.after.steps if step.name not in matched]
        parts = [self._steps(old, new) for old, new in pairs]
        return NumberChanges(
            tuple(change for part in parts for change in part.shapes),
            tuple(change for part in parts for change in part.ties),
            tuple(change for part in parts for change in part.products),
            tuple(change for part in parts for change in part.cells),
        )

    def _steps(self, old: Step | None, new: Step | None) -> NumberChanges:
        """What differs in two steps that are matched, or in one that is new or gone."""
        first = {} if old is None else step_tables(old, self.length)
        second = {} if new is None else step_tables(new, self.length)
        tables = {name: (first.get(name), second.get(name)) for name in dict.fromkeys([*first, *second])}
        products = [] if old is None or new is None else list(self._products(old, new, tables))
        multiplied_out = {name for product in products for name in product.instead_of}
        ties = [change for pair in tables.values() for change in self._ties(*pair)]
        tied_anew = {change.tensor for change in ties}
        cells: list[CellChange] = []
        for name, (old_table, new_table) in tables.items():
            is_stored = any(side is not None and side.tie is None for side in (old_table, new_table))
            if name not in multiplied_out and (is_stored or (new_table is not None and new_table.name in tied_anew)):
                cells += self._cells(old_table, new_table)
        cells += [change for product in products for change in product.cells]
        return NumberChanges(
            tuple(change for pair in tables.values() for change in _shapes(*pair)),
            tuple(ties),
            tuple(product.change for product in products),
            tuple(cells),
        )

    def _ties(self, old: Table | None, new: Table | None) -> Iterator[TieChange]:
        if old is not None and new is not None and not self._owned_elsewhere(old, new) and (old.tie or new.tie):
            yield TieChange(new.name, old.tie, new.tie)

    def _renamed(self, tensor: str) -> str:
        """The name that a tensor of the first network has in the second one, as far as its step tells."""
        step = next((step for step in self.renamed if tensor.startswith(step)), None)
        return tensor if step is None else self.renamed[step] + tensor.removeprefix(step)

    def _products(self, old: Step, new: Step, tables: Mapping[str, _Pair]) -> Iterator[_Product]:
        """Matrices that are stored as other factors, and those whose factors differ and whose products do not."""
        before, after = ({chain[0]: chain for chain in step_chains(step)} for step in (old, new))
        for root in [name for name in before if name in after]:
            first = [table for name in before[root] if (table := tables[name][0]) is not None]
            second = [table for name in after[root] if (table := tables[name][1]) is not None]
            if self._owned_elsewhere(first[0], second[0]):
                continue
            one_form = len(first) == len(second)
            if one_form and (len(first) == 1 or not any(map(self._differ, first, second))):
                continue
            products = self._multiplied(first), self._multiplied(second)
            if products[0] is None or products[1] is None:
                cells, equal = [], None
            else:
                cells = list(self._cells(*products))
                equal = not cells
            names = [tuple(table.name for table in side) for side in (first, second)]
            change = ProductChange(f"{new.name}.{root}", names[0], names[1], equal)
            if not one_form:
                instead_of = (
                    () if equal is None else tuple({**dict.fromkeys(before[root]), **dict.fromkeys(after[root])})
                )
                yield _Product(change, instead_of, tuple(cells))
            elif equal:
                yield _Product(change, (), ())

    def _owned_elsewhere(self, old: Table, new: Table) -> bool:
        """Whether both are tied to the same tensor, where the two are compared."""
        return old.tie is not None and self._renamed(old.tie) == new.tie

    def _differ(self, old: Table, new: Table) -> bool:
        return old.shape != new.shape or next(self._cells(old, new), None) is not None

    def _multiplied(self, factors: list[Table]) -> Table | None:
        """The product of tensors as a table."""
        numbers = [{index: cell.value for index, cell in factor.cells.items()} for factor in factors]
        product = numbers[0] if len(factors) == 1 else multiplied(numbers, self.dtype)
        if product is None:
            return None
        source = merged_provenance(NOWHERE, *(cell.provenance for factor in factors for cell in factor.cells.values()))
        axes = factors[0].axes[0], factors[-1].axes[-1]
        shown = Tensor("", axes, ())
        name = factors[0].name if len(factors) == 1 else f"{factors[0].name} multiplied out"
        cells = {index: Cell(value, source) for index, value in product.items()}
        return Table(name, axes, cells, lambda index: (name, shown.label(index)), shown.shape)

    def _cells(self, old: Table | None, new: Table | None) -> Iterator[CellChange]:
        """The numbers that differ, under the new names where there are any."""
        left = {} if new is None else dict(new.cells)
        if old is not None:
            positions = None if new is None else self._positions(old.axes, new.axes)
            for index, cell in old.cells.items():
                place = None if positions is None else _moved(index, positions)
                if new is None or place is None:
                    if cell.value:
                        yield CellChange(*old.named(index), cell, None, None)
                    continue
                other = left.pop(place, None)
                if cell.value != (0 if other is None else other.value):
                    yield CellChange(*new.named(place), cell, other, self._ulps(old, cell, new, other))
        for index, cell in left.items():
            if new is not None and cell.value:
                yield CellChange(*new.named(index), None, cell, None)

    def _positions(self, old: Axes, new: Axes) -> list[Sequence[int | None] | None] | None:
        """The new positions of the dimensions of each axis (None without names); None where nothing matches."""
        if len(old) != len(new):
            return None
        positions: list[Sequence[int | None] | None] = []
        for old_axis, new_axis in zip(old, new, strict=True):
            if old_axis is not None and new_axis is not None:
                positions.append(self.matching.positions(old_axis, new_axis))
            elif old_axis is new_axis:
                positions.append(None)
            else:
                return None
        return positions

    def _ulps(self, old: Table, first: Cell, new: Table, second: Cell | None) -> int | None:
        if old.shape is None or new.shape is None or second is None:
            return None
        return ulps_apart(round_to(first.value, self.dtype), round_to(second.value, self.dtype), self.dtype)


def _moved(index: Index, positions: Sequence[Sequence[int | None] | None]) -> Index | None:
    """An index of one table as one of the other; None where that has no such place."""
    moved = [place if axis is None else axis[place] for place, axis in zip(index, positions, strict=True)]
    known = tuple(place for place in moved if place is not None)
    return known if len(known) == len(moved) else None


def _shapes(old: Table | None, new: Table | None) -> Iterator[ShapeChange]:
    """A tensor of another shape, or one that is new or gone; one that is tied is stored elsewhere."""
    before, after = (None if side is None else side.shape for side in (old, new))
    stored = any(side is not None and side.tie is None for side in (old, new))
    if before != after and stored:
        known = new or old
        assert known is not None
        yield ShapeChange(known.name, before, after)
