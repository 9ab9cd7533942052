"""What people write who know Python, C or mathematics, and how a formula says it."""

from __future__ import annotations

import re

from compiler.expressions.arithmetic import CHOICES, FUNCTIONS

_CHOICE = "write where(condition, value, otherwise)"
_SUM = "a sum is written sum(w[k], k, 10): the term, its index, how many"
_INDEX = "an index is one number, or a name that runs: no slices"
_PLAIN = "a formula computes one value: it assigns nothing, and defines no functions"
_SIGNS = tuple(  # a sign that no formula has, with what stands around it; the first that fits is taken
    (re.compile(pattern), hint)
    for pattern, hint in (
        (r"(?<=[-+*/%:])=", _PLAIN),
        (r"=>", "comparisons are written >="),
        (r"=<", "comparisons are written <="),
        (r"\A=", "leave the = out"),
        (r"=", "equality is written =="),
        (r"&&?", "write `and`"),
        (r"\|\|?", "write `or`; an absolute value is abs(x)"),
        (r"\^", "powers are written **"),
        (r"!", "inequality is written !=, and negation `not`"),
        (r"[~¬]", "negation is written `not`"),
        (r"\.(?=[A-Za-z_])", "the only thing written after a dot is .T"),
        (r":=", _PLAIN),
        (r":", f"{_INDEX}, and no `lambda`"),
        (r"\?", _CHOICE),
        (r"[\"'`]", "names are written without quotes"),
        (r"\$", "names are written as they are, without $"),
        (r"[{}]", "an index stands in [ ], an argument in ( )"),
        (r";", "elements and arguments are separated by commas"),
        (r"[−–—]", "the minus sign of formulas is -"),
        (r"[×·⋅∙]", "products are written *"),
        (r"[÷∕]", "quotients are written /"),
        (r"[²³⁴⁵⁻]", "powers are written **"),
        (r"[½⅓¼¾⅔]", "fractions are written 1 / 2"),
        (r"[≤≥≠]", "comparisons are written <=, >=, !="),
        (r"∧", "write `and`"),
        (r"∨", "write `or`"),
        (r"[Σ∑]", _SUM),
        (r"√", "write sqrt(…)"),
        (r"π", "write pi"),
        (r"∞", "write inf"),
        (r"[^\W_]", "names are written in letters a to z, digits and _"),
    )
)
_WORDS = {  # that stand behind a value elsewhere
    "if": _CHOICE,
    "else": _CHOICE,
    "for": _SUM,
    "is": "equality is written ==",
    "in": "write a comparison for each: `x == 1 or x == 2`",
    "mod": "write %",
    "div": "write //",
    "xor": "write != between two numbers; of two conditions, `a and not b or b and not a`",
}
NAMES = {  # that stand alone elsewhere
    **dict.fromkeys(("if", "else"), _CHOICE),
    "for": _SUM,
    "lambda": _PLAIN,
    "e": "write exp(1)",
    **dict.fromkeys(("true", "True", "false", "False"), "write 1 or 0, or a comparison"),
    **dict.fromkeys(("None", "null", "nan", "NaN"), "write a number; what is left out is zero"),
}
CALLS = {  # that other languages have
    **dict.fromkeys(("if", "select", "cond", "ifelse", "iif"), _CHOICE),
    **dict.fromkeys(("pow", "power", "square"), "powers are written **"),
    **dict.fromkeys(("mod", "fmod", "remainder"), "write %"),
    **dict.fromkeys(("div", "floordiv"), "write //"),
    **dict.fromkeys(("int", "trunc"), "write floor(x)"),
    "round": "write floor(x + 1 / 2)",
    "ceil": "write -floor(-x)",
    "fabs": "write abs(x)",
    "ln": "write log(x)",
    "log2": "write log(x) / log(2)",
    "log10": "write log(x) / log(10)",
    "exp2": "write 2 ** x",
    "rsqrt": "write 1 / sqrt(x)",
    "tan": "write sin(x) / cos(x)",
    "sigmoid": "write 1 / (1 + exp(-x)); of what a unit computes, `activation: sigmoid`",
    "tanh": "write 1 - 2 / (exp(2 * x) + 1); of what a unit computes, `activation: tanh`",
    "relu": "write max(x, 0); of what a unit computes, `activation: relu`",
    "sign": "write where(x > 0, 1, x < 0, -1, 0)",
    "step": "write where(x > 0, 1, 0)",
    **dict.fromkeys(("clip", "clamp"), "write min(max(x, low), high)"),
    **dict.fromkeys(("range", "arange"), "an index runs in a target, as in `up h[i]`, or in a sum: sum(w[k], k, 10)"),
    **dict.fromkeys(("len", "size"), "write the size as a number, or name it among the constants"),
    **dict.fromkeys(("mean", "avg"), "write sum(w[k], k, 10) / 10"),
    "prod": "write the factors with * between them",
    **dict.fromkeys(("array", "tensor", "list", "tuple"), "a list is written [1, 2, 3]"),
    **dict.fromkeys(("float", "double"), "numbers need no conversion: leave it out"),
    **dict.fromkeys(("matmul", "mm"), "write a @ b"),
    "transpose": "write m.T",
    "xor": _WORDS["xor"],
}


def sign_hint(text: str, at: int) -> str | None:
    """What to write in place of a sign without a meaning, at its place in a formula."""
    return next((hint for pattern, hint in _SIGNS if pattern.match(text, at)), None)


def call_hint(name: str, known: tuple[str, ...]) -> str | None:
    """What to write in place of a call; `np.exp` and the like are known without the module."""
    last = name.rpartition(".")[2]
    if last in known and last != name:
        return f"functions are written without a module: {last}(…)"
    return CALLS.get(last)


def side_by_side(before: str, found: str, closing: str) -> str | None:
    """What to write where two values stand side by side, the second one starting with `found`.

    `closing` is the bracket that could stand there as well, or nothing.
    """
    functions = (*FUNCTIONS, *CHOICES)
    if found in _WORDS:
        return _WORDS[found]
    if found in ("and", "or", "not"):
        return None
    if before in functions:
        return f"write {before}(…)"
    if found == "[":
        return "further indices stand in the same brackets: m[0, 1]" if before == "]" else "only a name takes an index"
    if found == ",":
        return "a list stands in [ ], and a fraction has a point: 1.5"
    if found in (")", "]"):
        return None
    is_number = before[:1].isdigit() or before[:1] == "."
    if is_number and found in ("e", "E"):
        return "a power of ten needs its exponent: 1e-3"
    if is_number and found.startswith("_"):
        return "write the digits without _"
    if is_number and found.startswith("."):
        return "a number has one point"
    if closing == "]" or (is_number and found[:1].isdigit()):
        return "elements of a list are separated by commas: [1, 2]"
    left = "(…)" if before == ")" else "…]" if before == "]" else before
    if found == "(":
        return f"products are written with *: {left} * (…)"
    return f"products are written with *: {left} * {found}" if re.match(r"[\w.]", found) else None


def missing_value(before: str, found: str) -> str | None:
    """What to write where a value is missing between two signs, or at the end (nothing is `found` there)."""
    if before == "*" == found or before == "/" == found:
        return f"{'powers' if found == '*' else 'whole quotients'} are written {found}{found}, without a space"
    if before == "<" and found == ">":
        return "inequality is written !="
    return f"a value is missing behind {before}" if before and not found and before not in ("(", "[", ",") else None
