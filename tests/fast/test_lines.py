"""Lines of C compute what their formulas do; what is above zero of x and of -x is |x|."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from compiler.backends.bounds.quantities import Quantity
from compiler.backends.native.c_compiler import find_compiler
from compiler.backends.native.c_lines import Expression, LineFunctions, Writer, lanes
from compiler.backends.native.native import Native, native

Above = Callable[[Quantity], Quantity]
Formula = Callable[[Above, Quantity, Quantity], Quantity]

FORMULAS: dict[str, tuple[Formula, bool]] = {
    "mirrored": (lambda above, x, y: above(3.0 * x) * 2.0 + 2.0 * above(-3.0 * x), True),
    "sums": (lambda above, x, y: above(3.0 * x + 2.0 * y + 1.0) + above(-3.0 * x + -2.0 * y + -1.0), True),
    "two factors": (lambda above, x, y: above(x * 3.0) * 2.0 * 5.0 + above(x * -3.0) * 2.0 * 5.0, True),
    "itself": (lambda above, x, y: above(x) + above(-1.0 * x), True),
    "in a longer sum": (lambda above, x, y: y + (above(3.0 * x) + above(-3.0 * x)), True),
    "other slopes": (lambda above, x, y: above(3.0 * x) + above(-2.0 * x), False),
    "other weights": (lambda above, x, y: above(3.0 * x) * 2.0 + above(-3.0 * x) * 4.0, False),
    "one weight": (lambda above, x, y: above(3.0 * x) + above(-3.0 * x) * 4.0, False),
    "one side": (lambda above, x, y: above(3.0 * x) + above(3.0 * x), False),
    "other bias": (lambda above, x, y: above(3.0 * x + 1.0) + above(-3.0 * x + 1.0), False),
    "other channels": (lambda above, x, y: above(3.0 * x) + above(-3.0 * y), False),
    "a term more": (lambda above, x, y: above(3.0 * x) + above(-3.0 * x + 2.0 * y), False),
    "a difference": (lambda above, x, y: above(3.0 * x) - above(-3.0 * x), False),
    "a product of two": (lambda above, x, y: above(3.0 * x) * y + above(-3.0 * x) * y, False),
}


def above_in(f: LineFunctions, least: float) -> Above:
    return lambda x: f.name(f.maximum(f.name(x), least))


@pytest.mark.skipif(find_compiler() is None, reason="no C compiler works here")
def test_formulas_as_lines() -> None:
    blocks, expected = [], []
    tokens = np.array([(x, y) for x in range(-3, 4) for y in range(-3, 4)], np.int32)
    for least in (0.0, 1.0):
        for name, (formula, mirrored) in FORMULAS.items():
            writer = Writer()
            above = above_in(LineFunctions(writer, finite=True), least)
            found = formula(above, Expression("x", writer), Expression("y", writer))
            lines = [*writer.lines, f"*said++ = (int32_t)({lanes(found)})[0];"]
            assert any("ws_abs" in line for line in lines) == (mirrored and not least), name
            blocks += ["{", *lines, "}"]
            expected.append([formula(above, float(x), float(y)) for x, y in tokens.tolist()])
    head = [
        "void run(const int32_t *tokens, int32_t *said, int64_t count) {",
        "for (; count--; tokens += 2) {",
        "const ws_lanes x = ws_all(tokens[0]), y = ws_all(tokens[1]);",
    ]
    library = native("\n".join([*head, *blocks, "}", "}"]))
    assert isinstance(library, Native), library
    computed = np.empty((len(tokens), len(expected)), np.int32)
    library.run(tokens, computed)
    assert computed.T.tolist() == expected


def test_factors_become_one_where_their_product_is_exact() -> None:
    x = Expression("x", Writer())
    assert (x * 3.0 * 5.0).text == (5.0 * (3.0 * x)).text == (x * 15.0).text
    assert (-4.0 * x).size().text == (Expression("ws_abs(x)", x.writer) * 4.0).text
    for first, second in ((0.1, 0.3), (1e200, 1e200), (1e-200, 1e-200)):
        assert (x * first * second).text.count("*") == 2
