"""Expressions as LaTeX, sign by sign: precedence, numbers, names, and what could be mistaken for something else."""

from __future__ import annotations

from itertools import product

import pytest

from compiler.expressions.parse import parse
from compiler.expressions.syntax import Binary, Call, ExpressionNode, Literal, Name, Transpose, Unary
from compiler.readers.latex.expressions import latex, latex_lines
from compiler.readers.latex.words import escape, latex_number, name

AT = (0, 1)

EXPRESSIONS = {
    # sums and products
    "a + b - c": "a + b - c",
    "a - (b - c)": "a - (b - c)",
    "a + (b + c)": "a + (b + c)",
    "a + -b": "a + (-b)",
    "-a + b": "-a + b",
    "-(a + b)": "-(a + b)",
    "- -a": "-(-a)",
    "+a": "+a",
    "a * b": r"a \, b",
    "(a + b) * c": r"(a + b) \, c",
    "c * (a + b)": r"c \cdot (a + b)",
    "2 * (a + b)": r"2 \, (a + b)",
    "(a + b) * (c + d)": r"(a + b) \, (c + d)",
    "2 * 3": r"2 \cdot 3",
    "2 * a": r"2 \, a",
    "a * 2": r"a \cdot 2",
    "2 * (1 / 2)": r"2 \cdot \frac{1}{2}",
    "a * -b": r"a \cdot (-b)",
    "-a * b": r"-a \, b",
    "-(a * b)": r"-(a \, b)",
    "a * (b * c)": r"a \cdot (b \, c)",
    # fractions and powers
    "a / b * c": r"\frac{a}{b} \, c",
    "a / (b * c)": r"\frac{a}{b \, c}",
    "a * (b / c)": r"a \, \frac{b}{c}",
    "(a / b) ** 2": r"\left( \frac{a}{b} \right)^{2}",
    "a ** b ** c": "a^{b^{c}}",
    "(a ** b) ** c": "(a^{b})^{c}",
    "-a ** 2": "-a^{2}",
    "(-a) ** 2": "(-a)^{2}",
    "a ** -b": "a^{-b}",
    "w[i] ** 2": "w_{i}^{2}",
    "log(a) ** 2": r"(\log(a))^{2}",
    "sqrt(a) ** 2": r"\left( \sqrt{a} \right)^{2}",
    # rounding and remainders
    "a // b": r"\lfloor a / b \rfloor",
    "floor(a / b)": r"\left\lfloor \frac{a}{b} \right\rfloor",
    "a // (b * c)": r"\lfloor a / (b \, c) \rfloor",
    "a * b % c": r"a \, b \bmod c",
    "a % b * c": r"(a \bmod b) \, c",
    "a % (b * c)": r"a \bmod (b \, c)",
    "a + b % c": r"a + (b \bmod c)",
    # matrices and vectors
    "A @ B": r"A \; B",
    "2 * A @ B.T": r"2 \, A \; B^{\top}",
    "(A @ B).T": r"(A \; B)^{\top}",
    "A.T.T": r"(A^{\top})^{\top}",
    "w[0].T": r"w_{0}^{\top}",
    "[a, b / 2]": r"\left\lbrack a, \frac{b}{2} \right\rbrack",
    "[[a, b], [c, 0]]": r"\left[\begin{array}{cc} a & b \\ c & 0 \end{array}\right]",
    "[[a, b], [c]]": r"\lbrack \lbrack a, b \rbrack, \lbrack c \rbrack \rbrack",
    # conditions
    "a <= b": r"a \le b",
    "a != b": r"a \ne b",
    "a == b and not c > d or e >= f": r"a = b \land \lnot (c > d) \lor e \ge f",
    "a < b and (c < d or e == -1)": r"a < b \land (c < d \lor e = -1)",
    "where(a < 1, b, c)": r"\begin{cases} b & \text{if } a < 1 \\ c & \text{otherwise} \end{cases}",
    "where(a < 1, b, a < 2, [c], 0)": (
        r"\begin{cases} b & \text{if } a < 1 \\ \lbrack c \rbrack & \text{if } a < 2 \\"
        r" 0 & \text{otherwise} \end{cases}"
    ),
    "a + where(a < 1, b, c)": (
        r"a + \left( \begin{cases} b & \text{if } a < 1 \\ c & \text{otherwise} \end{cases} \right)"
    ),
    # functions
    "log(a + b)": r"\log(a + b)",
    "exp(a / b)": r"\exp\left( \frac{a}{b} \right)",
    "sin(a) + cos(b)": r"\sin(a) + \cos(b)",
    "abs(a - b)": r"\lvert a - b \rvert",
    "floor(a)": r"\lfloor a \rfloor",
    "min(a, -b, c)": r"\min(a, -b, c)",
    "max(a, b)": r"\max(a, b)",
    "dot(u, v)": r"\langle u, v \rangle",
    "sum(w[k], k, n)": r"\sum_{k=0}^{n - 1} w_{k}",
    "sum(w[k] - 1, k, 5) * a": r"\left( \sum_{k=0}^{4} (w_{k} - 1) \right) \, a",
    "sum(-w[k], k, a - b)": r"\sum_{k=0}^{a - b - 1} (-w_{k})",
    "sum(sum(w[i, j], j, n), i, n)": r"\sum_{i=0}^{n - 1} \sum_{j=0}^{n - 1} w_{i, j}",
    # calls that the language refuses are still printed
    "where(a)": r"\operatorname{\mathrm{where}}(a)",
    "log()": r"\log()",
    "sum(a, 2, 3)": r"\operatorname{\mathrm{sum}}(a, 2, 3)",
    # names and numbers
    "pi * inf": r"\pi \, \infty",
    "v_scale * candidate[i + 1]": r"\mathrm{v\_scale} \, \mathrm{candidate}_{i + 1}",
    "attention.output": r"\mathrm{attention.output}",
    "1e4 * a": r"10^{4} \, a",
    "1e4 ** 2": "(10^{4})^{2}",
    "2.5e-3 * a": r"2.5 \times 10^{-3} \, a",
    "a * 2.5e-3": r"a \cdot (2.5 \times 10^{-3})",
    "-2.5e-3 + a": r"-2.5 \times 10^{-3} + a",
    "a - 1e-9": "a - 10^{-9}",
}


@pytest.mark.parametrize(("text", "expected"), EXPRESSIONS.items(), ids=EXPRESSIONS)
def test_expressions(text: str, expected: str) -> None:
    assert latex(parse(text)) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0, "0"),
        (100, "100"),
        (10**400, "1" + "0" * 400),
        (-7, "-7"),
        (0.0, "0"),
        (1000.0, "1000"),
        (1e4, "10^{4}"),
        (-1e4, "-10^{4}"),
        (12345.0, "12345"),
        (1.5e22, r"1.5 \times 10^{22}"),
        (0.5, "0.5"),
        (0.01, "0.01"),
        (0.001, "10^{-3}"),
        (-2.5e-3, r"-2.5 \times 10^{-3}"),
        (0.30000000000000004, "0.30000000000000004"),
        (5e-324, r"5 \times 10^{-324}"),
        (1.7976931348623157e308, r"1.7976931348623157 \times 10^{308}"),
        (float("inf"), r"\infty"),
        (float("-inf"), r"-\infty"),
        (float("nan"), r"\mathrm{NaN}"),
    ],
)
def test_numbers(value: int | float, expected: str) -> None:
    assert latex_number(value) == expected


def test_negative_literals_are_written_like_signs() -> None:
    def power(value: float) -> str:
        return latex(Binary("**", Literal(value, AT), Literal(2, AT), AT))

    assert (power(-3), power(-1e5), power(3)) == ("(-3)^{2}", "(-10^{5})^{2}", "3^{2}")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain text", "plain text"),
        ("<bos>", r"\textless{}bos\textgreater{}"),
        (r"50% of $x_1 & {#2}^~\n", r"50\% of \$x\_1 \& \{\#2\}\textasciicircum{}\textasciitilde{}\textbackslash{}n"),
        ("a|b", r"a\textbar{}b"),
        ("--set x=1", "-{}-set x=1"),
        ("a---b", "a-{}-{}-b"),
        ("?`''", "?{`}{'}{'}"),
        ("two\n\nlines\tand\x07bell\u2028end", "two lines and bell end"),
        ("π ≤ é", "π ≤ é"),
    ],
)
def test_any_text_is_escaped(text: str, expected: str) -> None:
    assert escape(text) == expected


def test_names() -> None:
    assert [name(word) for word in ("x", "_", "eq", "v_scale", "x1")] == [
        "x",
        r"\mathrm{\_}",
        r"\mathrm{eq}",
        r"\mathrm{v\_scale}",
        r"\mathrm{x1}",
    ]


def test_symbols_stand_for_names() -> None:
    tree = parse("slope * (key_pos - query_pos) + pos[key_pos]")
    assert latex(tree, {"query_pos": "q", "key_pos": "k"}) == (
        r"\mathrm{slope} \cdot (k - q) + \mathrm{pos}_{k}"  # a family is never a position
    )


def leaves() -> list[ExpressionNode]:
    return [Name("a", AT), Name("b", AT), Literal(2, AT)]


def unary(inner: list[ExpressionNode]) -> list[ExpressionNode]:
    made: list[ExpressionNode] = [Unary(operator, node, AT) for operator in ("-", "not") for node in inner]
    made += [Transpose(node, AT) for node in inner]
    return made + [Call(name, (node,), AT) for name in ("floor", "abs", "sqrt", "log") for node in inner]


def binary(left: list[ExpressionNode], right: list[ExpressionNode]) -> list[ExpressionNode]:
    operators = ("+", "-", "*", "/", "//", "%", "**", "@", "<", "==", "and", "or")
    made: list[ExpressionNode] = [Binary(operator, a, b, AT) for operator in operators for a, b in product(left, right)]
    return made + [Call("sum", (a, Name("k", AT), b), AT) for a, b in product(left, right)]


def test_no_two_small_trees_are_printed_alike() -> None:
    """Every tree of up to two signs, one within the other."""
    small = leaves()
    middle = [*unary(small), *binary(small, small)]
    every = [*small, *middle, *unary(middle), *binary(middle, small), *binary(small, middle)]
    printed: dict[str, ExpressionNode] = {}
    for tree in every:
        text = latex(tree)
        assert printed.setdefault(text, tree) == tree, (text, tree, printed[text])
    assert len(printed) == len(every) > 10_000


def test_long_sums_and_chains_do_not_recurse() -> None:
    count = 4000
    assert latex(parse(" + ".join(["a"] * count))).count("+") == count - 1
    assert latex(parse("A" + ".T" * count)).count(r"\top") == count
    lines = latex_lines(parse(" - ".join(f"w[{i}]" for i in range(100))))
    assert len(lines) > 3
    assert lines[0].startswith("w_{0} - w_{1} - ")
    assert all(line.startswith("- ") for line in lines[1:])
    assert " ".join(lines) == latex(parse(" - ".join(f"w[{i}]" for i in range(100))))
    assert latex_lines(parse("a + b")) == ("a + b",)
