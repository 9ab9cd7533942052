"""What differs in the tensors of two models, as their files store them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from compiler.backends.torch.linear import materialize, torch_dtype
from compiler.backends.torch.saving import BELIEVED
from compiler.backends.torch.state_dicts import load_state_dict
from compiler.expressions.floats import FORMATS
from compiler.network import ir
from compiler.network.storage import stored
from compiler.pipeline import Spec, load_source
from compiler.readers.diffing.comparing import DTYPE_NAMES, compare_tensors, dtype_name, equal
from compiler.readers.diffing.differences import Difference, Likeness, ProductChange, TensorChange
from compiler.readers.diffing.matching import NameMatch
from compiler.readers.diffing.multiplying import MAX_MULTIPLICATIONS, multiplied
from compiler.readers.diffing.tensor_matching import TensorPairs, Tensors, match_tensors
from compiler.source.diagnostics import did_you_mean, fail
from compiler.source.saved import damaged, is_saved, read_saved, shown
from compiler.source.state_dicts import StateDict


@dataclass(frozen=True)
class _Side:
    """The tensors of a model by every name that they have; `ties` maps further names to the first.

    Where there is a spec, `described` are its tensors, which name their entries. Of a saved model `note` says what was
    read, and `says_so` whether that is what its spec says.
    """

    tensors: Tensors
    ties: Mapping[str, str]
    described: Mapping[str, ir.Tensor]
    note: str | None = None
    says_so: bool = True


def with_tensors(
    difference: Difference, before: Spec | StateDict, after: Spec | StateDict, names: Mapping[str, str]
) -> Difference:
    """The difference of two models with that of their tensors, unless both are just what two specs say.

    `names` maps tensors of the first to tensors of the second. Raises `SpecError` where a saved model is damaged.
    """
    first, second = _side(before), _side(after)
    noted = replace(difference, notes=tuple({side.note: None for side in (first, second) if side.note}))
    specs = isinstance(before, Spec) and isinstance(after, Spec)
    if specs and not names and first.says_so and second.says_so:
        return noted
    _check(names, before, first, after, second)
    given = {**_of_steps(difference.names, first, second), **names}
    products = [] if specs else list(_multiplied_out(first, second, given))
    for product in products:
        first, second = _with(first, product.before), _with(second, product.after)
        given[product.before.root] = product.after.root
    pairs = match_tensors(first.tensors, second.tensors, given)
    changes = tuple(_changes(first, second, pairs))
    if specs:
        return replace(noted, tensors=changes, alike=None if changes else difference.alike)
    matched = tuple(
        NameMatch("tensor", *pair) for pair in pairs.pairs.items() if pair[0] != pair[1] and pair[0] not in names
    )
    apart: tuple[tuple[Likeness, object], ...] = (("up to names", matched), ("multiplied out", products))
    return replace(
        noted,
        names=matched,
        products=tuple(product.change for product in products),
        tensors=changes,
        alike=None if changes else tuple(likeness for likeness, is_so in apart if is_so),
    )


def _check(
    names: Mapping[str, str], before: Spec | StateDict, first: _Side, after: Spec | StateDict, second: _Side
) -> None:
    """Raise `SpecError` unless every name that is given is there, and once."""
    for model, side, given in ((before, first, names.keys()), (after, second, names.values())):
        missing = next((name for name in given if name not in side.tensors), None)
        if missing is not None:
            raise fail("unknown-name", f"{model.title} has no tensor '{missing}'{did_you_mean(missing, side.tensors)}")
    if len(set(names.values())) < len(names):
        raise fail("bad-map", "two tensors are given the same name")


def _changes(first: _Side, second: _Side, pairs: TensorPairs) -> Iterator[TensorChange]:
    """What differs. A tied tensor that a file lacks is not gone: it is stored once."""
    for old, new in pairs.pairs.items():
        change = compare_tensors((old, new), first.tensors[old], second.tensors[new], _label(first, second, old, new))
        if change is not None:
            yield change
    for name in pairs.removed:
        if name not in first.ties:
            tensor = first.tensors[name]
            yield TensorChange((name, None), (tuple(tensor.shape), None), (dtype_name(tensor.dtype), None))
    for name in pairs.added:
        if name not in second.ties:
            tensor = second.tensors[name]
            yield TensorChange((None, name), (None, tuple(tensor.shape)), (None, dtype_name(tensor.dtype)))


def _label(first: _Side, second: _Side, old: str, new: str) -> Callable[[tuple[int, ...]], str]:
    """The places of a tensor by name, where a spec has it in that shape; else by index."""
    for side, name in ((second, new), (first, old)):
        known = side.described.get(name)
        if known is not None and known.shape == tuple(side.tensors[name].shape):
            return known.label
    return lambda index: ", ".join(map(str, index))


# What is compared


def _side(model: Spec | StateDict) -> _Side:
    if isinstance(model, StateDict):
        return _Side(model.tensors, {}, {})
    said = _of_spec(model)
    if not is_saved(model.path):
        return said
    saved = read_saved(model.path)
    inside = _of_spec(load_source(saved.source, leniency=BELIEVED)) if model.settings else said
    tensors = dict(load_state_dict(model.path).tensors)
    for name, owner in saved.ties.items():
        if name in tensors or owner.removesuffix(ir.TRANSPOSE) not in tensors:
            raise damaged(model.path, f"the tie of {shown(name)} to {shown(owner)} is none")
    tensors |= {name: _read(tensors, owner) for name, owner in saved.ties.items()}
    says_so = saved.ties == inside.ties and _same(tensors, inside.tensors)
    what = "those of the spec inside" if says_so else "not those of the spec inside, and `build` refuses them"
    note = f"{model.path}: its {len(saved.tensors)} tensors were read; they are {what}"
    return replace(said, note=note) if model.settings else _Side(tensors, saved.ties, said.described, note, says_so)


def _read(tensors: Tensors, owner: str) -> Tensor:
    """What a tie stands for: a tensor, or its transpose."""
    return tensors[owner] if owner in tensors else tensors[owner.removesuffix(ir.TRANSPOSE)].T


def _of_spec(spec: Spec) -> _Side:
    dtype = torch_dtype(spec.network.dtype)
    tensors: dict[str, Tensor] = {}
    ties: dict[str, str] = {}
    described: dict[str, ir.Tensor] = {}
    for group in stored(spec.network):
        for name, tensor in group.named:
            tensors[name] = _read(tensors, tensor.read_as) if tensor.name in tensors else materialize(tensor, dtype)
            described[name] = tensor
            if name != tensor.name:
                ties[name] = tensor.read_as
    return _Side(tensors, ties, described)


def _same(first: Tensors, second: Tensors) -> bool:
    return first.keys() == second.keys() and all(equal(tensor, second[name]) for name, tensor in first.items())


def _of_steps(names: Sequence[NameMatch], first: _Side, second: _Side) -> dict[str, str]:
    """The names of tensors that follow from those of steps."""
    partners = {}
    for match in names:
        for name in first.tensors if match.kind == "step" else ():
            other = f"{match.after}.{name.removeprefix(f'{match.before}.')}"
            if name.startswith(f"{match.before}.") and other in second.tensors:
                partners[name] = other
    return partners


# Products


@dataclass(frozen=True)
class _Matrix:
    """A matrix by the name of its first factor, or of itself; `factors` are named from left to right."""

    factors: tuple[str, ...]
    value: Tensor

    @property
    def root(self) -> str:
        return self.factors[0]


@dataclass(frozen=True)
class _Product:
    """A matrix that the two models store as other factors."""

    before: _Matrix
    after: _Matrix

    @property
    def change(self) -> ProductChange:
        same = equal(self.before.value, self.after.value)
        return ProductChange(self.after.root, self.before.factors, self.after.factors, same)


def _multiplied_out(first: _Side, second: _Side, given: Mapping[str, str]) -> Iterator[_Product]:
    for old, new in _factored(first.tensors, second.tensors, given):
        yield _Product(old, new)
    for new, old in _factored(second.tensors, first.tensors, {new: old for old, new in given.items()}):
        yield _Product(old, new)


def _factored(longer: Tensors, shorter: Tensors, given: Mapping[str, str]) -> Iterator[tuple[_Matrix, _Matrix]]:
    """Matrices that `longer` stores as more factors than `shorter`.

    The two have the name that is given, or the same one; without such a partner it is any matrix that is equal.
    """
    taken = set(given.values())
    free = dict.fromkeys(name for name in shorter if name not in longer and name not in taken)
    for root in longer:
        partner = given.get(root, root if root in shorter and root not in taken else None)
        longest = 1 if partner is None else len(_chain(shorter, partner))
        factors = _chain(longer, root)
        alone = given.keys().isdisjoint(factors[1:])  # else a factor is to be compared by itself
        matrix = _matrix(longer, factors) if len(factors) > longest and alone else None
        for name in free if partner is None else (partner,):
            other = None if matrix is None else _matrix(shorter, _chain(shorter, name))
            if matrix is None or other is None or matrix.value.shape != other.value.shape:
                continue
            if partner is not None or equal(matrix.value, other.value):
                free.pop(name, None)
                yield matrix, other
                break


def _chain(tensors: Tensors, root: str) -> tuple[str, ...]:
    """`a.weight`, `a.inner.weight`, …: the factors of a matrix, as a spec stores them."""
    factors, path = [root], root.removesuffix(".weight")
    if path == root or path.endswith(".inner"):
        return (root,)
    while (name := f"{path}.inner.weight") in tensors and _fit(tensors[factors[-1]], tensors[name]):
        factors.append(name)
        path += ".inner"
    return tuple(factors)


def _fit(left: Tensor, right: Tensor) -> bool:
    return left.ndim == right.ndim == 2 and left.shape[1] == right.shape[0] and left.dtype == right.dtype in DTYPE_NAMES


def _matrix(tensors: Tensors, factors: tuple[str, ...]) -> _Matrix | None:
    """The product, computed exactly and rounded once; None where it is too much."""
    parts = [tensors[name] for name in factors]
    if len(parts) == 1:
        return _Matrix(factors, parts[0])
    if any(int(part.count_nonzero()) > MAX_MULTIPLICATIONS for part in parts):
        return None
    product = multiplied(map(_entries, parts), FORMATS[DTYPE_NAMES[parts[0].dtype]])
    if product is None:
        return None
    value = torch.zeros(parts[0].shape[0], parts[-1].shape[1], dtype=parts[0].dtype)
    if product:
        rows, columns = zip(*product, strict=True)
        value[list(rows), list(columns)] = torch.tensor(list(product.values()), dtype=torch.float64).to(value.dtype)
    return _Matrix(factors, value)


def _entries(matrix: Tensor) -> dict[tuple[int, ...], float]:
    indices = matrix.nonzero()
    values = matrix[tuple(indices.T)].tolist()
    return dict(zip(map(tuple, indices.tolist()), values, strict=True))


def _with(side: _Side, matrix: _Matrix) -> _Side:
    """The tensors with a matrix in the place of its factors."""
    if len(matrix.factors) == 1:
        return side
    tensors = {name: tensor for name, tensor in side.tensors.items() if name not in matrix.factors[1:]}
    described = {name: tensor for name, tensor in side.described.items() if name != matrix.root}
    return replace(side, tensors={**tensors, matrix.root: matrix.value}, described=described)
