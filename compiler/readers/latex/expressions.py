"""Syntax tree to LaTeX, with the parentheses that it needs and no others.

What is printed shows the order of the operations as it is written: `a * (b * c)` keeps its parentheses, since
rounding depends on them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from compiler.expressions.syntax import Binary, Call, ExpressionNode, Indexed, List, Literal, Name, Transpose, Unary
from compiler.readers.latex.words import latex_number, name

# How strongly the outermost sign of a piece binds. A choice is open to its right, `mod` and a sum over an index are
# read in more than one way beside other signs, so that they bind weaker here than in the language.
_CHOICE, _OR, _AND, _NOT, _COMPARISON, _MODULO, _SUM, _BIG_SUM, _PRODUCT, _SIGN, _FRACTION, _POWER, _ATOM = range(13)

_INFIX = {
    "or": (r"\lor", _OR),
    "and": (r"\land", _AND),
    "<": ("<", _COMPARISON),
    "<=": (r"\le", _COMPARISON),
    ">": (">", _COMPARISON),
    ">=": (r"\ge", _COMPARISON),
    "==": ("=", _COMPARISON),
    "!=": (r"\ne", _COMPARISON),
    "+": ("+", _SUM),
    "-": ("-", _SUM),
}
_NAMED_NUMBERS = {"pi": r"\pi", "inf": r"\infty"}
_FUNCTIONS = ("log", "exp", "sin", "cos", "min", "max")  # those with a sign of their own that takes parentheses
_TALL = re.compile(r"\\(frac|sum|begin|left|sqrt)(?![A-Za-z])")
_NOT_SEEN = re.compile(r"\\(?:begin|end|left|right|mathrm|frac|text)\b|\\[,;]|[\\{}^_ ]")
_WIDTH = 80  # signs on one line of a page, about


@dataclass(frozen=True, slots=True)
class _Piece:
    """`signed`: it starts with a sign, which cannot follow another operator."""

    text: str
    level: int
    signed: bool = False


def latex(node: ExpressionNode, symbols: Mapping[str, str] | None = None) -> str:
    """An expression as LaTeX for math mode; amsmath is enough. `symbols` are names with a sign of their own."""
    return _piece(node, symbols or {}).text


def latex_lines(node: ExpressionNode, symbols: Mapping[str, str] | None = None) -> tuple[str, ...]:
    """The same in several lines where it is a sum that is too long for one."""
    known = symbols or {}
    parts: list[str] = []
    while isinstance(node, Binary) and node.operator in ("+", "-"):
        right = _piece(node.right, known)
        parts.append(f"{node.operator} {_operand(right, _SUM + 1)}")
        node = node.left
    first = _piece(node, known)
    parts.append(_within(first, _SUM) if parts else first.text)
    return wrapped(parts[::-1], " ")


def wrapped(parts: list[str], separator: str) -> tuple[str, ...]:
    """The parts one after the other, as many on each line as fit on a page."""
    rows: list[str] = []
    width = 0
    for part in parts:
        seen = len(_NOT_SEEN.sub("", part))
        if rows and width + seen <= _WIDTH:
            rows[-1] += separator + part
            width += seen
        else:
            rows.append(part)
            width = seen
    return tuple(rows)


def subscripted(base: str, indices: list[str]) -> str:
    """`base` with subscripts. One that has some already is a group, as TeX allows no second ones."""
    group = f"{{{base}}}" if "_{" in base else base
    return f"{group}_{{{', '.join(indices)}}}" if indices else base


def matrix(rows: list[list[str]]) -> str:
    """Rows of equal length between brackets. An array, as the matrices of amsmath end at ten columns."""
    body = r" \\ ".join(" & ".join(row) for row in rows)
    return rf"\left[\begin{{array}}{{{'c' * len(rows[0])}}} {body} \end{{array}}\right]"


def bracketed(items: list[str]) -> str:
    """A vector. Its bracket is a command, as `[` after `\\\\` would be the argument of that."""
    return _between(r"\lbrack", r"\rbrack", ", ".join(items))


def last_index(size: ExpressionNode) -> ExpressionNode:
    """The last index of a size: `size - 1`."""
    if isinstance(size, Literal) and isinstance(size.value, int):
        return Literal(size.value - 1, size.at)
    if isinstance(size, Binary) and size.operator == "+" and isinstance(size.right, Literal) and size.right.value == 1:
        return size.left
    return Binary("-", size, Literal(1, size.at), size.at)


def _piece(root: ExpressionNode, symbols: Mapping[str, str]) -> _Piece:
    """Long sums and products are deep to the left only, which costs no recursion here."""
    spine: list[Binary | Transpose] = []
    node = root
    while isinstance(node, Binary | Transpose):
        spine.append(node)
        node = node.left if isinstance(node, Binary) else node.operand
    piece = _leftmost(node, symbols)
    for outer in reversed(spine):
        if isinstance(outer, Transpose):
            piece = _Piece(rf"{_within(piece, _ATOM)}^{{\top}}", _POWER)
        else:
            piece = _binary(outer.operator, piece, _piece(outer.right, symbols))
    return piece


def _leftmost(node: ExpressionNode, symbols: Mapping[str, str]) -> _Piece:
    match node:
        case Literal(value=value):
            return _number(value)
        case Name(name=word):
            return _Piece(symbols.get(word) or _NAMED_NUMBERS.get(word) or name(word), _ATOM)
        case Indexed(base=base, indices=indices):
            return _Piece(subscripted(name(base.name), [_piece(index, symbols).text for index in indices]), _ATOM)
        case Call(function=function, arguments=arguments):
            return _call(function, arguments, symbols)
        case List(items=items):
            return _Piece(_list(items, symbols), _ATOM)
        case Unary(operator="-", operand=Literal(value=value)) if value >= 0:
            size = _number(value)
            return _Piece(f"-{size.text}", min(size.level, _SIGN), signed=True)
        case Unary(operator="not", operand=operand):
            return _Piece(rf"\lnot {_within(_piece(operand, symbols), _FRACTION)}", _NOT)
        case Unary(operator=sign, operand=operand):
            return _Piece(f"{sign}{_operand(_piece(operand, symbols), _FRACTION)}", _SIGN, signed=True)
        case _:
            raise AssertionError(node)


def _number(value: int | float) -> _Piece:
    text = latex_number(value)
    level = _PRODUCT if r"\times" in text else _POWER if "^" in text else _ATOM
    return _Piece(text, min(level, _SIGN), signed=True) if text.startswith("-") else _Piece(text, level)


def _binary(operator: str, left: _Piece, right: _Piece) -> _Piece:
    match operator:
        case "/":
            return _Piece(rf"\frac{{{left.text}}}{{{right.text}}}", _FRACTION)
        case "**":
            return _Piece(f"{_within(left, _ATOM)}^{{{right.text}}}", _POWER)
        case "//":
            content = f"{_within(left, _PRODUCT)} / {_operand(right, _PRODUCT + 1)}"
            return _Piece(_between(r"\lfloor", r"\rfloor", content), _ATOM)
        case "%":
            text = rf"{_within(left, _PRODUCT)} \bmod {_operand(right, _FRACTION)}"
            return _Piece(text, _MODULO, left.signed)
        case "*" | "@":
            first, second = _within(left, _PRODUCT), _operand(right, _PRODUCT + 1)
            sign = r"\;" if operator == "@" else _times(first, second)
            return _Piece(f"{first} {sign} {second}", _PRODUCT, left.signed)
        case _:
            sign, level = _INFIX[operator]
            first = _within(left, level + 1 if level == _COMPARISON else level)
            second = _operand(right, level + 1) if level == _SUM else _within(right, level + 1)
            return _Piece(f"{first} {sign} {second}", level, left.signed)


def _times(left: str, right: str) -> str:
    """Nothing but a thin space, unless two numbers would run together or a name look like a function."""
    after_number = left[-1].isdigit()
    if right[0].isdigit() or (after_number and right.startswith(r"\frac")):
        return r"\cdot"
    opens = right.startswith(("(", r"\left("))
    return r"\cdot" if opens and not after_number and not left.endswith(")") else r"\,"


def _call(function: str, arguments: tuple[ExpressionNode, ...], symbols: Mapping[str, str]) -> _Piece:
    """A call whose arguments are not what the function takes is an error elsewhere, and printed as it is written."""
    texts = [_piece(argument, symbols).text for argument in arguments]
    match function, arguments:
        case "sqrt", (_,):
            return _Piece(rf"\sqrt{{{texts[0]}}}", _POWER)
        case "abs", (_,):
            return _Piece(_between(r"\lvert", r"\rvert", texts[0]), _ATOM)
        case "floor", (_,):
            return _Piece(_between(r"\lfloor", r"\rfloor", texts[0]), _ATOM)
        case "dot", (_, _):
            return _Piece(_between(r"\langle", r"\rangle", ", ".join(texts)), _ATOM)
        case "where", (_, _, _, *_) if len(arguments) % 2:
            return _Piece(_cases(texts), _CHOICE)
        case "sum", (body, Name(), size):
            last = _piece(last_index(size), symbols).text
            term = _operand(_piece(body, symbols), _BIG_SUM)
            return _Piece(rf"\sum_{{{texts[1]}=0}}^{{{last}}} {term}", _BIG_SUM)
        case "any" | "all", (body, Name(), size):
            last = _piece(last_index(size), symbols).text
            sign = r"\bigvee" if function == "any" else r"\bigwedge"
            return _Piece(rf"{sign}_{{{texts[1]}=0}}^{{{last}}} {_within(_piece(body, symbols), _COMPARISON)}", _CHOICE)
        case "count" | "first" | "last", (_, Name(), _):
            sign = {"count": r"\#", "first": r"\min", "last": r"\max"}[function]
            return _Piece(rf"{sign} \lbrace {texts[1]} < {texts[2]} : {texts[0]} \rbrace", _POWER)
        case _:
            sign = f"\\{function}" if function in _FUNCTIONS else rf"\operatorname{{{name(function)}}}"
            return _Piece(sign + _between("(", ")", ", ".join(texts)), _POWER)


def _cases(texts: list[str]) -> str:
    rows = [rf"{value} & \text{{if }} {condition}" for condition, value in zip(texts[0:-1:2], texts[1::2], strict=True)]
    body = r" \\ ".join([*rows, rf"{texts[-1]} & \text{{otherwise}}"])
    return rf"\begin{{cases}} {body} \end{{cases}}"


def _list(items: tuple[ExpressionNode, ...], symbols: Mapping[str, str]) -> str:
    rows = [item.items for item in items if isinstance(item, List)]
    if rows and rows[0] and len(rows) == len(items) and len({len(row) for row in rows}) == 1:
        return matrix([[_piece(item, symbols).text for item in row] for row in rows])
    return bracketed([_piece(item, symbols).text for item in items])


def _operand(piece: _Piece, lowest: int) -> str:
    """What follows an operator: in parentheses too where it starts with a sign."""
    return _between("(", ")", piece.text) if piece.signed else _within(piece, lowest)


def _within(piece: _Piece, lowest: int) -> str:
    """The piece, in parentheses unless its outermost sign binds as strongly as `lowest` at least."""
    return piece.text if piece.level >= lowest else _between("(", ")", piece.text)


def _between(opening: str, closing: str, text: str) -> str:
    """Delimiters around a text, as tall as it is."""
    space = " " if opening.startswith("\\") else ""
    if _TALL.search(text):
        return rf"\left{opening} {text} \right{closing}"
    return f"{opening}{space}{text}{space}{closing}"
