"""`TENSOR[row, column]` to one number, and what is said where there is none."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest

from compiler.pipeline import Spec, load
from compiler.readers.why.entries import find_entry, named_tensors
from compiler.source.diagnostics import SpecError
from tests.helpers import SPECS, load_text, small

UP, KEY = "layer0.ffn.up.weight", "layer0.attention.key.bias"


@cache
def spec(name: str) -> Spec:
    return load(SPECS / f"{name}.yaml")


@pytest.mark.parametrize(
    ("asked", "index", "label"),
    [
        (f"{UP}[3, 3]", (3, 3), ("candidate[3]", "count")),
        (f"{UP}[3,3]", (3, 3), ("candidate[3]", "count")),
        (f"  {UP} [ candidate[ 3 ] , count ] ", (3, 3), ("candidate[3]", "count")),
        (f"{UP}[candidate[3], 3]", (3, 3), ("candidate[3]", "count")),
        (f"{UP}[10, eq]", (10, 0), ("place", "eq")),
        (f"{KEY}[count]", (3,), ("count",)),
        (f"{KEY}[0]", (0,), ("eq",)),
        ("embedding.weight[digit[7], digit]", (7, 2), ("digit[7]", "digit")),
        ("embedding.weight[=, eq]", (10, 0), ("=", "eq")),
        ("embedding.weight[<bos>, special]", (11, 1), ("<bos>", "special")),
        ("embedding.weight[+, 1]", (13, 1), ("+", "special")),
        ("embedding.weight['+', 1]", (13, 1), ("+", "special")),
        # broadcast: stored once, whatever the target
        ("layer1.ffn.up.bias[0]", (0,), ("above[0]",)),
        ("layer1.ffn.up.bias[below[9]]", (0,), ("below[9]",)),
        ("layer1.ffn.up.bias[19]", (0,), ("below[9]",)),
        ("layer1.ffn.up.bias[*]", (0,), ("*",)),
        ("layer0.ffn.gate.weight[place, digit]", (10, 2), ("place", "digit")),
    ],
)
def test_indices_and_names(asked: str, index: tuple[int, ...], label: tuple[str, ...]) -> None:
    place = find_entry(spec("tiny95").network, "tiny95", asked)
    assert (place.index, place.label, place.asked) == (index, label, asked)


def test_every_number_has_its_name() -> None:
    """Each entry of each tensor is found by its indices and by its names."""
    network = spec("tiny95").network
    for name, (_, tensor) in named_tensors(network).items():
        for entry in tensor.entries:
            by_name = find_entry(network, "", f"{name}[{tensor.label(entry.index)}]")
            by_index = find_entry(network, "", f"{name}[{', '.join(map(str, entry.index))}]")
            assert by_name.index == by_index.index == entry.index


def test_a_tie_has_names_of_its_own() -> None:
    network = spec("qwen20").network
    place = find_entry(network, "", "ffn.down.weight[digit, carry[1]]")
    assert (place.name, place.tensor.name, place.owner.name) == (
        "ffn.down.weight",
        "attention.output.weight",
        "attention.output",
    )
    assert (place.index, place.label, place.owner_labels) == ((1, 1), ("digit", "carry[1]"), ("digit", "look[1]"))
    with pytest.raises(SpecError, match=r"no column 'look\[1\]' in 'ffn.down.weight'.*carry\[1\]"):
        find_entry(network, "", "ffn.down.weight[digit, look[1]]")
    assert find_entry(network, "", "head.logits.weight[3, digit]").label == ("digit[3]", "digit")


ODD = """\
weightspec: 1
name: odd
dtype: float64
vocabulary: ['digit[2]', '7', ',', 'a, b', ']', '"', '*']
task:
  addition: {base: 2, digits: 1}
  prompt: a "," b
  answer: sum
stream: x pair[2, 2]
network:
  embedding:
    "7": {x: 1}
    ",": {x: 2}
    "a, b": {"pair[1, 0]": 3}
    "]": {x: 4}
    '"': {x: 5}
    "*": {x: 6}
decode: argmax
"""


@pytest.mark.parametrize(
    ("asked", "index"),
    [
        ("[0, x]", (0, 0)),
        ('["7", x]', (2, 0)),
        ("['7', 0]", (2, 0)),
        ("[,, x]", (3, 0)),
        ("[',', x]", (3, 0)),
        ("[a, b, pair[1, 0]]", (4, 3)),
        ("[a, b, pair[ 1,0 ]]", (4, 3)),
        ("[], x]", (5, 0)),
        ('[", x]', (6, 0)),
        ("[*, x]", (7, 0)),
        ("[digit[1], pair[0, 1]]", (1, 2)),
    ],
)
def test_odd_tokens(tmp_path: Path, asked: str, index: tuple[int, int]) -> None:
    odd = load_text(tmp_path, ODD, name="odd")
    assert find_entry(odd.network, "", f"embedding.weight{asked}").index == index


@pytest.mark.parametrize(
    ("asked", "code", "says"),
    [
        ("layer0.ffn.upp.weight[3, 3]", "unknown-name", "did you mean 'layer0.ffn.up.weight'?"),
        ("layer0.ffn.up[3, 3]", "unknown-name", "did you mean 'layer0.ffn.up.weight'?"),
        ("nothing", "unknown-name", "no tensor 'nothing' in tiny95"),
        ("", "unknown-name", "no tensor ''"),
        ("[3, 3]", "unknown-name", "no tensor ''"),
        (UP, "syntax", f"such as '{UP}[0, 0]'"),
        (KEY, "syntax", f"such as '{KEY}[0]'"),
        (f"{UP}[3, 3", "syntax", "is no single number of a tensor"),
        (f"{UP}[3, 3]x", "syntax", "is no single number of a tensor"),
        (f"{UP}[3]", "index-range", "(11 × 5) takes 2 indices, found 1"),
        (f"{UP}[]", "index-range", "takes 2 indices, found 1"),
        (f"{UP}[1, 2, 3]", "index-range", "takes 2 indices, found 3"),
        (f"{KEY}[1, 2]", "index-range", "takes one index, found 2"),
        (f"{UP}[11, 0]", "index-range", "row 11 is out of range: 'layer0.ffn.up.weight' has 0 to 10"),
        (f"{UP}[0, 5]", "index-range", "column 5 is out of range: 'layer0.ffn.up.weight' has 0 to 4"),
        (f"{UP}[-1, 0]", "index-range", "row -1 is out of range"),
        (f"{UP}[{'9' * 5000}, 0]", "index-range", "is out of range"),
        (f"{UP}[place, cuont]", "unknown-name", "no column 'cuont' in 'layer0.ffn.up.weight'; did you mean 'count'?"),
        (f"{UP}[candidate, count]", "index-range", "is a family: candidate[0] to candidate[9]"),
        (f"{UP}[candidate[10], count]", "unknown-name", "no row 'candidate[10]'"),
        (f"{UP}[*, count]", "unknown-name", "only what is broadcast to all targets has '*'"),
        (f"{UP}[1.5, 0]", "unknown-name", "no row '1.5'"),
        ("layer1.ffn.up.bias[20]", "index-range", "index 20 is out of range: 'layer1.ffn.up.bias' has 0 to 19"),
    ],
)
def test_what_is_no_place(asked: str, code: str, says: str) -> None:
    with pytest.raises(SpecError) as caught:
        find_entry(spec("tiny95").network, "tiny95", asked)
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.code == code
    assert says in f"{diagnostic.message}\n{diagnostic.hint}"


def test_row_and_column_are_both_reported() -> None:
    with pytest.raises(SpecError) as caught:
        find_entry(spec("tiny95").network, "tiny95", f"{UP}[plaec, cuont]")
    assert [diagnostic.code for diagnostic in caught.value.diagnostics] == ["unknown-name"] * 2


def test_a_bias_that_only_biases_lists(tmp_path: Path) -> None:
    found = load_text(tmp_path, small("embedding: {}\nffn:\n  hidden: u v\n  biases: up\n"))
    assert find_entry(found.network, "", "ffn.up.bias[v]").index == (1,)
