"""What is behind one weight: equation, part, names, and every number that it was computed from."""

from __future__ import annotations

from pathlib import Path

import pytest

import compiler
from compiler.expressions.values import leaves
from compiler.network.storage import tensors
from compiler.pipeline import Spec, load
from compiler.readers.why.origins import SourceNumber
from compiler.readers.why.why import Why, why, why_each
from compiler.source.diagnostics import SpecError
from tests.helpers import DATA, SPECS, load_text, loaded, small

TINY, QWEN = (load(SPECS / f"{name}.yaml") for name in ("tiny95", "qwen20"))

OF_X = "the coefficient of x"


def tree(found: Why) -> list[tuple[str, object, str]]:
    """Each number by name (a literal by its value), with value and text, unfolded where it comes first."""
    listed: list[tuple[str, object, str]] = []
    unfolded: set[int] = set()

    def visit(position: int, depth: int) -> None:
        one = found.numbers[position]
        listed.append(("  " * depth + (one.name or "literal"), one.value, one.written))
        if position not in unfolded:
            unfolded.add(position)
            for part in one.parts:
                visit(part, depth + 1)

    for position in found.parts:
        visit(position, 0)
    return listed


def test_parameters_that_are_written_as_formulas() -> None:
    found = why(QWEN, "attention.value.weight[look[0], digit]")
    assert str(found.equation) == "value look[0]: -v_scale * copy * digit"
    assert (found.part, found.names, found.tie, found.near) == ("the coefficient of digit", (), None, ())
    v_scale, copy = -25487.5234375, 0.5524271726608276
    assert found.value == 14080.0009765625
    assert tree(found) == [
        ("v_scale", v_scale, "-22 * (1000 / sqrt(2)) / (2 * (100 / (256 / sqrt(2))) ** 2)"),
        ("  literal", 22, "22"),
        ("  literal", 1000, "1000"),
        ("  literal", 2, "2"),
        ("  literal", 100, "100"),
        ("  literal", 256, "256"),
        ("copy", copy, "100 / (256 / sqrt(2))"),
        ("  literal", 100, "100"),
        ("  literal", 256, "256"),
        ("  literal", 2, "2"),
    ]
    lines = (SPECS / "qwen20.yaml").read_text(encoding="utf-8").splitlines()
    assert found.equation is not None
    assert lines[found.equation.span.line - 1].strip() == "value look[0]: -v_scale * copy * digit"
    for one in found.numbers:
        assert one.written in lines[one.span.line - 1]


def test_constants_sizes_literals_and_an_index() -> None:
    found = why(TINY, "layer0.ffn.up.weight[candidate[3], count]")
    assert found.value == 3.5 * 10**10 * 100
    assert [(one.name, one.kind, one.value) for one in found.names] == [("i", "index", 3)]
    assert [(one.name, one.kind, one.value) for one in found.numbers] == [
        ("", "literal", 0.5),
        ("digit_scale", "constant", 10**10),
        ("base", "size", 10),
        ("digits", "size", 10),
        ("final_scale", "parameter", 100.0),
    ]
    assert found.parts == (0, 1, 4)


def test_weight_and_bias_of_one_equation() -> None:
    weight = why(TINY, "layer0.attention.key.weight[count, special]")
    bias = why(TINY, "layer0.attention.key.bias[count]")
    assert weight.equation == bias.equation
    assert (weight.part, weight.value) == ("the coefficient of special", 960.0)
    assert (bias.part, bias.value) == ("the constant part", -1000.0)
    assert [one.name for one in weight.numbers] == ["k_special", "k_digit"]
    assert [one.name for one in bias.numbers] == ["k_digit"]


def test_an_element_of_a_vector_is_itself() -> None:
    found = why(QWEN, "embedding.weight[3, digit]")
    element = found.numbers[-1]
    assert (element.name, element.value, element.written, element.span.text) == ("t[3]", 3.0, "3", "3")
    assert [(one.name, one.value) for one in found.names] == [("d", 3)]
    tail = why(QWEN, "head.norm.weight[1]")
    assert [(one.name, one.written) for one in tail.numbers[:1]] == [("tail[1]", "-10 * sqrt(2)")]
    assert str(tail.equation) == "norm weight: tail"


DEFINITIONS = """
constants:
  two: 2
  table: [5, 6 * two, 7]
  grid: [[1, 2], [two, 4 * two]]
  whole: "[3, two]"
  angle: pi / two
  same: table
parameters:
  a: 0.1
  b: 2 * a + table[1]
  w: [a, b]
  M: [[1, 2], [3, a]]
  U: [2, 3]
"""


def made(folder: Path, steps: str) -> Spec:
    text = small("embedding:\n  digit[d]: {x: d}\n" + steps, stream="x y", definitions=DEFINITIONS)
    return load_text(folder, text)


def behind(folder: Path, formula: str) -> list[tuple[str, object, str]]:
    return tree(why(made(folder, f"ffn:\n  hidden: 'u[2]'\n  up u[i]: ({formula}) * y\n"), "ffn.up.weight[u[1], y]"))


@pytest.mark.parametrize(
    ("formula", "expected"),
    [
        ("1 + i", []),  # 0, 1, -1 and indices
        ("3 + 3", [("literal", 3, "3")]),  # once
        ("2 * pi", [("literal", 2, "2"), ("pi", 3.141592653589793, "pi")]),
        ("two", [("two", 2, "2")]),  # nothing behind what was written as a literal
        ("table[0]", [("table[0]", 5, "5")]),
        ("table[1]", [("table[1]", 12, "6 * two"), ("  literal", 6, "6"), ("  two", 2, "2")]),
        ("grid[1, 1]", [("grid[1, 1]", 8, "4 * two"), ("  literal", 4, "4"), ("  two", 2, "2")]),
        ("whole[1]", [("whole[1]", 2, "[3, two]"), ("  two", 2, "2")]),
        ("same[0]", [("same[0]", 5, "table"), ("  table[0]", 5, "5")]),
        ("M[0, 1]", [("M[0, 1]", 2.0, "2")]),
        ("where(i == 1, a, 9)", [("a", 0.1, "0.1")]),  # the branch that was taken
        ("table[i + 1]", [("table[2]", 7, "7")]),
        ("a - a + 3 * a", [("a", 0.1, "0.1"), ("literal", 3, "3")]),
        (
            "w[1]",
            [
                ("w[1]", 12.2, "b"),
                ("  b", 12.2, "2 * a + table[1]"),
                ("    literal", 2, "2"),
                ("    a", 0.1, "0.1"),
                ("    table[1]", 12, "6 * two"),
                ("      literal", 6, "6"),
                ("      two", 2, "2"),
            ],
        ),
    ],
)
def test_numbers_behind(tmp_path: Path, formula: str, expected: list[tuple[str, object, str]]) -> None:
    assert behind(tmp_path, formula) == expected


@pytest.mark.parametrize(
    ("steps", "place", "value", "part", "names"),
    [
        ("ffn: {hidden: 'u[2]', up: M}", "ffn.up.weight[u[1], y]", 0.1, "a number of the matrix", {}),
        ("ffn: {hidden: 'u[2]', up: U @ w.T}", "ffn.up.inner.weight[rank[0], x]", 0.1, "a number of the matrix", {}),
        ("ffn: {hidden: 'u[2]', up: 3 * x + a}", "ffn.up.weight[*, x]", 3.0, OF_X, {}),
        ("ffn: {hidden: 'u[2]', up: 3 * x + a}", "ffn.up.bias[u[1]]", 0.1, "the constant part", {}),
        ("ffn: {hidden: 'u[2]', 'up hidden[k]': k * x}", "ffn.up.weight[1, 0]", 1.0, OF_X, {"k": 1}),
        (
            "ffn: {hidden: 'u[4]', 'up u[k % 2 == 1]': k * x}",
            "ffn.up.weight[3, 0]",
            3.0,
            OF_X,
            {"k": 3},
        ),
        (
            "ffn: {hidden: 'p[3, 3]', 'up p[i, i]': 7 * x}",
            "ffn.up.weight[p[2, 2], 0]",
            7.0,
            OF_X,
            {"i": 2},
        ),
        (
            "ffn: {hidden: 'p[3, 3]', 'up p[i, j < i]': j * x}",
            "ffn.up.weight[p[2,1],0]",
            1.0,
            OF_X,
            {"i": 2, "j": 1},
        ),
        ("ffn: {hidden: 'u[2]', 'up u[two - 1]': x}", "ffn.up.weight[1, 0]", 1.0, OF_X, {}),
        ("scale: {x: 2, y: a}", "scale.weight[y]", 0.1, "the value", {}),
        ("scale: a", "scale.weight[y]", 0.1, "the value", {}),
        ("norm: {rms: 1e-6, weight: [a, 2]}", "norm.weight[1]", 2.0, "the value", {}),
        ("ffn: {hidden: u}\nmix: 2 * ffn - a * embedding", "mix.weight[coefficient[1]]", 0.1, "the value", {}),
    ],
)
def test_parts_and_indices(
    tmp_path: Path, steps: str, place: str, value: float, part: str, names: dict[str, int]
) -> None:
    found = why(made(tmp_path, steps), place)
    assert (found.value, found.part) == (value, part)
    assert {one.name: one.value for one in found.names} == names


def test_tokens_and_dimensions_bind_indices(tmp_path: Path) -> None:
    text = small("embedding:\n  digit[d]: {'at[e]': 10 * d + e}\n", stream="at[2]")
    found = why(load_text(tmp_path, text), "embedding.weight[digit[3], at[1]]")
    assert {one.name: one.value for one in found.names} == {"d": 3, "e": 1}
    assert str(found.equation) == "digit[d]: at[e]: 10 * d + e"


def test_a_table_of_positions(tmp_path: Path) -> None:
    rows = ", ".join(f"[{i}, 2]" for i in range(9))
    found = why(made(tmp_path, f'position: {{table: "[{rows}]"}}'), "position.weight[3, y]")
    assert (found.value, found.part) == (2.0, "the value")


def test_names_under_let(tmp_path: Path) -> None:
    steps = """
ffn:
  hidden: u[2]
  let: {unread: 4, twice: 2 * a, both: x + y, thrice: twice + a, last: both * thrice}
  up u[i]: last + twice
"""
    found = why(made(tmp_path, steps), "ffn.up.weight[u[1], x]")
    assert [(one.name, one.kind, one.value, one.written) for one in found.names] == [
        ("i", "index", 1, ""),
        ("twice", "let", 0.2, "2 * a"),
        ("both", "let", None, "x + y"),
        ("thrice", "let", pytest.approx(0.3), "twice + a"),
        ("last", "let", None, "both * thrice"),
    ]
    span = found.names[1].span
    assert span is not None
    assert span.text == "twice"
    assert [one.name for one in found.numbers] == ["", "a"]


@pytest.mark.parametrize(
    ("place", "part", "names"),
    [
        ("ffn.gate.bias[h[1]]", "the value", [("i", 1)]),
        ("ffn.up.bias[h[1]]", "the constant part", [("i", 1)]),
        ("ffn.down.bias[z]", "the value", [("k", 2), ("third", 1 / 3)]),
        ("head.logits.bias[symbol[3]]", "the value", [("s", 3)]),
        ("attention.key.bias[two]", "the value", []),
    ],
)
def test_a_bias_that_stands_apart(place: str, part: str, names: list[tuple[str, float]]) -> None:
    found = why(load(DATA / "specs" / "bias.yaml"), place)
    assert (found.part, [(one.name, one.value) for one in found.names]) == (part, names)


def test_a_literal_of_each_line(tmp_path: Path) -> None:
    """The same number on two lines is two numbers, which can be changed one by one."""
    steps = """
ffn:
  hidden: u
  let: {half: 0.5 * x}
  up u: 0.5 * half + 0.5 * half
"""
    found = why(made(tmp_path, steps), "ffn.up.weight[u, x]")
    assert found.value == 0.5
    assert [(one.value, one.span.line) for one in found.numbers] == [(0.5, 30), (0.5, 29)]


def test_a_token_called_let_is_no_let(tmp_path: Path) -> None:
    text = small("embedding:\n  digit[d]: {x: d}\n  let: {x: 4}\n").replace("= +", "= + let")
    found = why(load_text(tmp_path, text), "embedding.weight[let, x]")
    assert (found.value, found.names) == (4.0, ())


@pytest.mark.parametrize(
    ("place", "axis", "label", "equations"),
    [
        ("layer0.ffn.up.weight[candidate[3], eq]", "row", "candidate[3]", [44]),
        ("layer0.attention.query.weight[eq, eq]", "row", "eq", [34]),  # the bias of its row
        ("layer0.attention.value.weight[eq, eq]", "column", "eq", [36, 37]),
        ("layer0.attention.key.bias[eq]", None, None, []),
        ("layer0.attention.value.weight[eq, digit]", None, None, []),
        ("embedding.weight[=, scale]", "row", "=", [29, 29]),
    ],
)
def test_zeros_that_nothing_writes(place: str, axis: str | None, label: str | None, equations: list[int]) -> None:
    found = why(TINY, place)
    assert (found.value, found.equation, found.numbers, found.names) == (0.0, None, (), ())
    assert [one.equation.span.line for one in found.near] == equations
    assert {(one.axis, one.label) for one in found.near} == ({(axis, label)} if axis else set())


def test_a_zero_that_is_written_has_its_equation() -> None:
    found = why(TINY, "embedding.weight[digit[0], digit]")
    assert (found.value, found.near) == (0.0, ())
    assert [one.name for one in found.numbers] == ["base"]


def test_a_tie_says_so() -> None:
    found = why(QWEN, "ffn.down.weight[digit, carry[1]]")
    same = why(QWEN, "attention.output.weight[digit, look[1]]")
    assert str(found.tie) == "down: attention.output"
    assert same.tie is None
    assert (found.value, found.equation, found.numbers) == (same.value, same.equation, same.numbers)


def test_a_tie_of_whole_parameters_and_of_low_rank(tmp_path: Path) -> None:
    spec = made(tmp_path, "norm a: {rms: 1, weight: w}\nnorm b: {rms: 1, weight: w}\n")
    found = why(spec, "b.norm.weight[y]")
    assert (found.place.tensor.name, str(found.tie)) == ("a.norm.weight", "norm weight: w")
    spec = made(tmp_path, "ffn a: {hidden: 'u[2]', up: U @ w.T}\nffn b: {hidden: 'v[2]', up: a.ffn.up}")
    found = why(spec, "b.ffn.up.inner.weight[0, x]")
    assert (found.value, found.place.tensor.name) == (0.1, "a.ffn.up.inner.weight")
    assert str(found.tie) == "up: a.ffn.up"


def test_a_setting_and_a_spec_that_extends_another() -> None:
    varied = load(SPECS / "tiny95.yaml", {"v_scale": "final_scale ** 3", "digits": 6})
    found = why(varied, "layer1.ffn.gate.weight[above[0], candidate[0]]")
    assert [(one.name, one.written, one.span.source.name) for one in found.numbers[:2]] == [
        ("v_scale", "final_scale ** 3", "--set"),
        ("final_scale", "100", str(SPECS / "tiny95.yaml")),
    ]
    exact = load(SPECS / "tiny95-exact.yaml")
    found = why(exact, "layer1.ffn.gate.weight[above[0], candidate[0]]")
    assert found.equation is not None
    assert Path(found.equation.span.source.name).name == "tiny95.yaml"
    assert Path(found.numbers[0].span.source.name).name == "tiny95-exact.yaml"


def test_an_equation_that_is_set() -> None:
    varied = load(SPECS / "tiny95.yaml", ["layer0.ffn.up candidate[i]=(i + 2.5) * count"])
    found = why(varied, "layer0.ffn.up.weight[3, count]")
    assert found.value == 5.5
    assert found.equation is not None
    assert [one.value for one in found.numbers] == [2.5]


@pytest.mark.parametrize("path", sorted((DATA / "specs").glob("*.yaml")), ids=lambda path: path.stem)
def test_every_number_of_every_step_is_explained(path: Path) -> None:
    """All numbers behind each entry are those that counting knows; the free ones are among them, with their names."""
    spec = loaded(path)
    free: set[str] = set()
    for tensor in tensors(spec.network).values():
        for entry in tensor.entries:
            found = why(spec, f"{tensor.name}[{', '.join(map(str, entry.index))}]")
            assert (found.value, found.equation) == (entry.value, entry.equation)
            wanted = {leaf.name for leaf in leaves([entry.provenance]) if leaf.kind == "parameter"}
            reached = reachable(found)
            assert wanted <= {one.name for one in reached if one.kind == "parameter"}
            assert len(reached) == len(found.numbers)  # nothing else is listed
            free |= wanted
    assert free <= set(compiler.count(spec).free_names)


def reachable(found: Why) -> list[SourceNumber]:
    seen: set[int] = set()
    todo = list(found.parts)
    while todo:
        position = todo.pop()
        if position not in seen:
            seen.add(position)
            todo += found.numbers[position].parts
    return [found.numbers[position] for position in seen]


def test_a_long_chain_and_a_wide_sum(tmp_path: Path) -> None:
    chain = "\n".join(["  k0: 2", *(f"  k{i}: k{i - 1} + k{i - 1} - k{i - 1}" for i in range(1, 3000))])
    definitions = f"constants:\n{chain}\nparameters:\n  w: [{', '.join(['2'] * 500)}]"
    text = small("embedding:\n  digit[d]:\n    x: k2999 + sum(w[k], k, 500)\n", definitions=definitions)
    found = why(load_text(tmp_path, text), "embedding.weight[0, x]")
    assert (found.value, len(found.numbers), len(found.parts)) == (1002.0, 3500, 501)


def test_several_places_are_all_reported() -> None:
    assert [one.value for one in why_each(TINY, ("layer1.ffn.up.bias[0]", "layer1.ffn.up.bias[*]"))] == [100.0, 100.0]
    with pytest.raises(SpecError) as caught:
        why_each(TINY, ("layer1.ffn.up.bias[0]", "layer1.ffn.up.bais[0]", "layer1.ffn.up.bias[99]"))
    assert [one.code for one in caught.value.diagnostics] == ["unknown-name", "index-range"]
