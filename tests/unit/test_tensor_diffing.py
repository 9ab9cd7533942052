"""Differences of tensors: saved models, state dicts, names by place, ulps, products, and files that are damaged."""

from __future__ import annotations

import json
import math
import os
import pickle
import zipfile
from collections.abc import Callable
from fractions import Fraction
from operator import mul
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

import compiler
from compiler import SpecError, StateDict, diff, load_state_dict
from compiler.pipeline import Spec, load
from compiler.readers.diffing.differences import Difference, TensorChange
from compiler.source.limits import MAX_STORED
from tests.helpers import DATA, SPECS, STEPS, load_text, loaded, small
from tests.unit.test_saving import TIED, TIES, join, saved, split

EVERY_SPEC = sorted([*SPECS.glob("*.yaml"), *STEPS.glob("*.yaml"), DATA / "every_step.yaml"])
QWEN = SPECS / "qwen20.yaml"


def state(tensors: dict[str, Tensor], name: str = "state") -> StateDict:
    return StateDict(Path(name), tensors)


def of(
    first: Tensor | dict[str, Tensor], second: Tensor | dict[str, Tensor], names: dict[str, str] | None = None
) -> Difference:
    """The difference of two state dicts of one tensor or several."""
    sides = [side if isinstance(side, dict) else {"a": side} for side in (first, second)]
    return diff(state(sides[0]), state(sides[1], "other"), names)


def only(difference: Difference) -> TensorChange:
    (change,) = difference.tensors
    return change


def state_of(spec: Spec) -> dict[str, Tensor]:
    return dict(compiler.build(spec).state_dict())


@pytest.mark.parametrize("path", EVERY_SPEC, ids=lambda path: path.stem)
def test_a_spec_its_saved_model_and_its_state_dict_are_the_same(path: Path, tmp_path: Path) -> None:
    spec = loaded(path)
    model = compiler.build(spec)
    compiler.save_model(spec, model, tmp_path / "m.safetensors")
    torch.save(model.state_dict(), tmp_path / "m.pt")
    inside, state_dict = compiler.load(tmp_path / "m.safetensors"), load_state_dict(tmp_path / "m.pt")
    found = diff(spec, inside), diff(inside, state_dict), diff(state_dict, spec)
    assert [(difference.empty, difference.alike) for difference in found] == [(True, ())] * 3
    (note,) = found[0].notes
    assert "tensors were read; they are those of the spec inside" in note


@pytest.mark.parametrize("dtype", ["float64", "float32", "bfloat16", "float16"])
def test_a_changed_bit_of_a_file_is_one_ulp(tmp_path: Path, dtype: str) -> None:
    spec, model, path = saved(tmp_path, dtype)
    name = "one.ffn.up.weight"
    header, data = split(path)
    start = header[name]["data_offsets"][0]
    changed = bytearray(data)
    changed[start + 2 * torch.finfo(getattr(torch, dtype)).bits // 8] ^= 1  # u, z: 1 ends with a zero bit
    path.write_bytes(join(header, bytes(changed)))
    for first, second in ((spec, compiler.load(path)), (state(dict(model.state_dict())), compiler.load(path))):
        difference = diff(first, second)
        tied = [change for change in difference.tensors if change.names[0] in (name, "two.ffn.up.weight")]
        assert tied == list(difference.tensors)  # the tensor has two names
        assert len(tied) == 2
        for change in tied:
            (entry,) = change.entries
            assert (change.differing, change.ulps, change.ulps_dtype, entry.label) == (1, 1, dtype, "u, z")
            assert (entry.before, entry.ulps) == (1, 1)
            assert (entry.after or 0) - 1 == change.largest == torch.finfo(getattr(torch, dtype)).eps
        assert difference.alike is None
        assert "they are not those of the spec inside, and `build` refuses them" in difference.notes[-1]
    again = diff(compiler.load(path), compiler.load(path))
    assert (again.empty, len(again.notes)) == (True, 1)


@pytest.mark.parametrize("kind", ["missing", "extra", "shape", "dtype", "tie"])
def test_a_file_whose_tensors_are_not_those_of_its_spec(tmp_path: Path, kind: str) -> None:
    spec, _, path = saved(tmp_path)
    tensors = dict(load_state_dict(path).tensors)
    metadata = split(path)[0]["__metadata__"]
    name = "head.norm.weight"
    expected: tuple[tuple[int, ...] | None, tuple[int, ...] | None] = ((3,), (3,))
    match kind:
        case "missing":
            del tensors[name]
            expected = ((3,), None)
        case "extra":
            name, expected = "more", (None, (2, 2))
            tensors[name] = torch.ones(2, 2)
        case "shape":
            tensors[name] = torch.ones(4)
            expected = ((3,), (4,))
        case "dtype":
            tensors[name] = tensors[name].double()
        case _:
            metadata["ties"] = json.dumps(
                {other: owner for other, owner in TIES.items() if other != "head.logits.weight"}
            )
            tensors["head.logits.weight"] = tensors["embedding.weight"].clone()
    save_file(tensors, path, metadata)
    difference = diff(spec, compiler.load(path))
    assert "are not those of the spec inside" in difference.notes[0]
    if kind == "tie":
        assert difference.tensors == ()  # every number is the same
    else:
        change = only(difference)
        assert (change.shapes, name in change.names) == (expected, True)
        assert change.dtypes[1] == {"dtype": "float64", "missing": None}.get(kind, "float32")


ONE = torch.tensor([1.0, 2.0, 3.0])
NAN = torch.tensor([1.0, math.nan, 3.0])
OTHER_NAN = torch.tensor([0x3F800000, 0x7FC00001, 0x40400000], dtype=torch.int32).view(torch.float32)
F64 = torch.float64
LARGEST = torch.finfo(F64).max
FARTHEST = 2 * (2**63 - 2**52 - 1)  # numbers of float64 from the largest to its negative


@pytest.mark.parametrize(
    ("first", "second", "differing", "largest", "ulps", "dtype"),
    [
        (ONE, torch.tensor([1.0, 2.0, 3.5]), 1, 0.5, 2**21, "float32"),
        (torch.tensor([0.0, 1]), torch.tensor([-0.0, 1]), 1, 0, 0, "float32"),
        (NAN, OTHER_NAN, 1, None, None, "float32"),
        (NAN, ONE, 1, None, None, "float32"),
        (torch.tensor([5e-324], dtype=F64), torch.tensor([-5e-324], dtype=F64), 1, 1e-323, 2, "float64"),
        (torch.tensor([LARGEST], dtype=F64), torch.tensor([math.inf], dtype=F64), 1, math.inf, 1, "float64"),
        (
            torch.tensor([LARGEST, 1], dtype=F64),
            torch.tensor([-LARGEST, 1], dtype=F64),
            1,
            math.inf,
            FARTHEST,
            "float64",
        ),
        (ONE, ONE.double(), 0, None, None, None),
        (ONE, (ONE.double() + 1e-9), 3, pytest.approx(1e-9), 0, "float32"),
        (ONE.bfloat16(), ONE.half() + 2**-8, 3, 2**-8, 0, "bfloat16"),
        (torch.tensor([1, 2]), torch.tensor([1, 4]), 1, 2, None, None),
        (torch.tensor([True, False]), torch.tensor([True, True]), 1, 1, None, None),
        (torch.tensor(1.0), torch.tensor(1.5), 1, 0.5, 2**22, "float32"),
    ],
)
def test_how_much_numbers_differ(
    first: Tensor, second: Tensor, differing: int, largest: object, ulps: int | None, dtype: str | None
) -> None:
    change = only(of(first, second))
    assert (change.differing, change.largest, change.ulps, change.ulps_dtype) == (differing, largest, ulps, dtype)
    assert len(change.entries) == differing
    back = only(of(second, first))
    assert (back.differing, back.largest, back.ulps) == (differing, largest, ulps)


def test_the_same_nan_is_the_same() -> None:
    assert of(NAN, NAN.clone()).empty


MATRIX = torch.arange(6.0).reshape(2, 3)
SQUARE = torch.arange(9.0).reshape(3, 3)


@pytest.mark.parametrize("matrix", [MATRIX, SQUARE])
@pytest.mark.parametrize("name", ["a", "b"])
def test_a_transposed_matrix_is_called_so(matrix: Tensor, name: str) -> None:
    difference = of(matrix, {name: matrix.T.contiguous()})
    assert only(difference).transposed
    assert [(match.before, match.after) for match in difference.names] == ([] if name == "a" else [("a", "b")])


LAYERS = {"in": MATRIX, "norm": torch.ones(3), "bias": torch.zeros(3), "square": SQUARE, "twice": SQUARE + 1}


def other_names() -> dict[str, Tensor]:
    """`LAYERS` under names that sort the other way."""
    return {f"z{9 - place}": tensor.clone() for place, tensor in enumerate(LAYERS.values())}


@pytest.mark.parametrize("backwards", [False, True])
def test_other_names_are_matched_by_what_the_tensors_hold(backwards: bool) -> None:
    renamed = other_names()
    if backwards:
        renamed = dict(sorted(renamed.items()))
    difference = of(LAYERS, renamed)
    assert (difference.tensors, difference.alike, difference.empty) == ((), ("up to names",), False)
    expected = dict(zip(LAYERS, other_names(), strict=True))
    assert {match.before: match.after for match in difference.names} == expected
    assert of(LAYERS, renamed, expected).empty
    assert of(LAYERS, renamed, {"in": "z9"}).alike == ("up to names",)


@pytest.mark.parametrize("name", LAYERS)
def test_a_changed_tensor_with_another_name_is_the_one_most_like_it(name: str) -> None:
    """The squares are in the wrong order, and are matched right all the same."""
    renamed = dict(sorted(other_names().items()))
    expected = dict(zip(LAYERS, other_names(), strict=True))
    for other in (expected[name], expected["square"]):
        renamed[other] = renamed[other].clone()
        renamed[other].flatten()[-1] += 1
    difference = of(LAYERS, renamed)
    assert {change.names: change.differing for change in difference.tensors} == {
        (one, expected[one]): 1 for one in {name, "square"}
    }
    assert {match.before: match.after for match in difference.names} == expected


def test_a_map_of_names_decides() -> None:
    difference = of({"a": ONE, "b": ONE}, {"x": ONE, "y": ONE + 1}, {"a": "y"})
    assert only(difference).names == ("a", "y")
    assert [(match.before, match.after) for match in difference.names] == [("b", "x")]


@pytest.mark.parametrize(
    ("names", "code"), [({"c": "a"}, "unknown-name"), ({"a": "c"}, "unknown-name"), ({"a": "a", "b": "a"}, "bad-map")]
)
def test_a_map_of_names_that_are_not_there(names: dict[str, str], code: str) -> None:
    with pytest.raises(SpecError) as raised:
        of({"a": ONE, "b": ONE}, {"a": ONE, "b": ONE}, names)
    assert [one.code for one in raised.value.diagnostics] == [code]


def test_a_tie_that_a_file_stores_once_is_no_removal(tmp_path: Path) -> None:
    spec = load_text(tmp_path, small(TIED))
    once = {name: tensor for name, tensor in state_of(spec).items() if name not in TIES}
    assert diff(spec, state(once)).empty
    assert diff(state(once), spec).empty
    apart = {**state_of(spec), "head.logits.weight": state_of(spec)["head.logits.weight"] + 1}
    assert [change.names[0] for change in diff(spec, state(apart)).tensors] == ["head.logits.weight"]


def product(factors: list[Tensor]) -> Tensor:
    """The product of float64 matrices, each number rounded once."""
    first, *others = [[[Fraction(value) for value in row] for row in factor.tolist()] for factor in factors]
    for other in others:
        first = [[sum(map(mul, row, column), Fraction(0)) for column in zip(*other, strict=True)] for row in first]
    return torch.tensor([[float(value) for value in row] for row in first], dtype=F64)


@pytest.mark.parametrize("renamed", [False, True])
def test_factors_are_their_product(renamed: bool) -> None:
    spec = load(STEPS / "low-rank.yaml")
    tensors = state_of(spec)
    factors: dict[str, list[Tensor]] = {}
    for name in sorted(tensors, key=len):
        factors.setdefault(name.replace(".inner", ""), []).append(tensors[name])
    single = {
        f"model.{name}" if renamed else name: product(parts) if len(parts) > 1 else parts[0]
        for name, parts in factors.items()
    }
    for first, second in ((spec, state(single)), (state(single), spec)):
        difference = diff(first, second)
        assert (difference.tensors, len(difference.products)) == ((), 5)
        assert all(one.equal for one in difference.products)
        assert difference.alike == (("up to names", "multiplied out") if renamed else ("multiplied out",))


@pytest.mark.parametrize("name", ["embedding.weight", "table"])
def test_a_product_is_found_by_name_or_by_what_it_holds(name: str) -> None:
    left, right = torch.tensor([[1.0, 2], [3, 4], [5, 6]]), torch.tensor([[1.0, 0, 1], [0, 2, 0]])
    factors = {"embedding.weight": left, "embedding.inner.weight": right}
    for first, second in ((factors, {name: left @ right}), ({name: left @ right}, factors)):
        difference = of(first, second)
        (found,) = difference.products
        assert found.equal
        assert (difference.tensors, difference.alike[-1:] if difference.alike else None) == ((), ("multiplied out",))
    changed = left @ right
    changed[2, 1] += 1
    difference = of(factors, {"embedding.weight": changed})
    assert [found.equal for found in difference.products] == [False]
    assert [entry.label for entry in only(difference).entries] == ["2, 1"]


def test_many_differing_numbers_are_counted_and_the_first_listed() -> None:
    change = only(of(torch.zeros(100, 100), torch.ones(100, 100)))
    assert (change.differing, len(change.entries), change.entries[-1].label) == (10_000, 1000, "9, 99")


# Files


class Runs:
    """An object that is more than numbers: reading it would make a folder."""

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return os.mkdir, ("made-by-a-pickle",)


def torch_file(value: object) -> Callable[[Path], None]:
    return lambda path: torch.save(value, path)


def raw(data: bytes) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        path.write_bytes(data)

    return write


def cut(path: Path) -> None:
    torch.save({"a": torch.zeros(100)}, path)
    path.write_bytes(path.read_bytes()[:300])


def packed(path: Path) -> None:
    """A file of some hundred kilobytes that unpacks to 150 MB."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", bytes(150_000_000))


def header(text: str, data: bytes = bytes(4)) -> Callable[[Path], None]:
    return raw(len(text).to_bytes(8, "little") + text.encode() + data)


HUGE = "[1099511627776,1099511627776]"
ENTRY = '{"dtype":"F32","shape":[1],"data_offsets":[0,4]}'


@pytest.mark.parametrize(
    ("suffix", "write", "code", "says"),
    [
        ("pt", raw(b""), "bad-model-file", "not a file that torch saved"),
        ("pth", raw(b"weights"), "bad-model-file", "not a file that torch saved"),
        ("bin", cut, "bad-model-file", "or only a part of one"),
        ("pt", raw(pickle.dumps({"a": 1})), "bad-model-file", "not a file that torch saved"),
        ("pt", packed, "too-large", "more than 142,606,336 bytes"),
        ("pt", torch_file({"a": Runs()}), "bad-model-file", "needs code to be read, which is not run"),
        ("pt", torch_file(nn.Linear(2, 2)), "bad-model-file", "needs code to be read, which is not run"),
        ("pt", torch_file({"model": {"a": ONE}}), "bad-model-file", "it holds a dict under 'model'"),
        ("pt", torch_file([ONE]), "bad-model-file", "it holds a list"),
        ("pt", torch_file({1: ONE}), "bad-model-file", "under '1'"),
        ("pt", torch_file({"a": torch.zeros(1).expand(MAX_STORED + 1)}), "too-large", "more than 16,777,216 numbers"),
        ("pt", torch_file({"a": ONE.to(torch.complex64)}), "bad-model-file", "torch.complex64"),
        ("pt", torch_file({"a": torch.eye(3).to_sparse()}), "bad-model-file", "torch.sparse_coo"),
        ("pt", torch_file({"a": ONE.to("meta")}), "bad-model-file", "holds no numbers"),
        ("safetensors", header(f'{{"a":{ENTRY},"a":{ENTRY}}}'), "bad-model-file", "its header is no JSON"),
        ("safetensors", header(f'{{"a":{ENTRY.replace("F32", "F7")}}}'), "bad-model-file", "F7"),
        ("safetensors", header(f'{{"a":{ENTRY.replace("[1]", HUGE)}}}'), "bad-model-file", ""),
        ("safetensors", header(f'{{"a":{ENTRY.replace("[1]", "[2]")}}}'), "bad-model-file", ""),
        ("safetensors", header(f'{{"a":{ENTRY}}}', bytes(3)), "bad-model-file", ""),
        ("safetensors", header('{"a":3}', b""), "bad-model-file", ""),
        ("safetensors", raw(b"\x00" * 5), "bad-model-file", "only the first part"),
    ],
)  # fmt: skip
def test_files_that_hold_no_tensors_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str, write: Callable[[Path], None], code: str, says: str
) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / f"state.{suffix}"
    write(path)
    with pytest.raises(SpecError) as raised:
        load_state_dict(path)
    (diagnostic,) = raised.value.diagnostics
    assert (diagnostic.code, diagnostic.span is not None) == (code, True)
    assert says in diagnostic.message
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]  # nothing in it was run


def test_scalars_and_empty_tensors_are_tensors(tmp_path: Path) -> None:
    tensors = {"one": torch.tensor(3.0), "none": torch.zeros(0, 5)}
    torch.save(tensors, tmp_path / "a.pt")
    save_file(tensors, tmp_path / "a.safetensors")
    assert diff(load_state_dict(tmp_path / "a.pt"), load_state_dict(tmp_path / "a.safetensors")).empty


def test_tensors_of_a_file_are_in_the_order_of_their_bytes(tmp_path: Path) -> None:
    text = json.dumps({"b": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}).rstrip("}")
    text += "}, " + '"a": {"dtype": "F32", "shape": [1], "data_offsets": [4, 8]}}'
    header(text, bytes(8))(tmp_path / "a.safetensors")
    assert list(load_state_dict(tmp_path / "a.safetensors").tensors) == ["b", "a"]
