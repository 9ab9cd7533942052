"""A stored tensor as a picture: a row for each output, a column for each input."""

from __future__ import annotations

from compiler.expressions.axes import Axis
from compiler.network.ir import Tensor
from compiler.network.storage import Stored
from compiler.pictures.picture import (
    ZERO,
    Picture,
    PictureAxis,
    PictureCell,
    PicturePanel,
    check_size,
    number_cell,
    with_one_scale,
)
from compiler.pipeline import Spec
from compiler.readers.why.entries import find_stored
from compiler.source.faults import no_rule
from compiler.source.printable import printable


def tensor_picture(spec: Spec, name: str) -> Picture:
    """A tensor by its name, as the network reads it, in colours around zero; a vector as one column.

    Raises `SpecError` where there is none, and for one of too many numbers.
    """
    stored, tensor = find_stored(spec.network, spec.title, name)
    check_size(1, tensor.size, f"`show` prints the entries of {name} that are not zero")
    names = _names(stored, tensor)
    axes = [_axis(called, axis) for called, axis in zip(names, tensor.axes, strict=True)]
    rows, columns = axes if len(axes) == 2 else (axes[0], PictureAxis("", ("",)))
    panel = PicturePanel("", columns, rows, _cells(tensor, len(columns.labels)))
    title = printable(f"{spec.title}: {name}")
    return Picture("heatmap", title, "weight", with_one_scale([panel], is_signed=True))


def _names(stored: Stored, tensor: Tensor) -> tuple[str, ...]:
    """What the axes of a tensor run over."""
    match stored.kind:
        case "embedding":
            return "token", "dimension"
        case "factor" | "map":
            return ("output", "input")[: len(tensor.axes)]
        case "vector":
            return ("position", "dimension")[-len(tensor.axes) :]
        case _:
            raise no_rule("kind of tensor", stored.kind)


def _axis(name: str, axis: Axis | None) -> PictureAxis:
    return PictureAxis(name, ("*",) if axis is None else tuple(map(printable, axis.labels)))


def _cells(tensor: Tensor, columns: int) -> tuple[tuple[PictureCell, ...], ...]:
    """The numbers by rows; what is not written is zero."""
    cells = [[ZERO] * columns for _ in range(tensor.shape[0])]
    for entry in tensor.entries:
        row, column = entry.index if len(entry.index) == 2 else (entry.index[0], 0)
        cells[row][column] = number_cell(entry.value)
    return tuple(map(tuple, cells))
