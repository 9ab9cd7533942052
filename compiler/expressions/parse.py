"""Text to syntax tree, with Python's precedence. Depth and length are bounded: the text is untrusted."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from compiler.expressions.habits import missing_value, side_by_side, sign_hint
from compiler.expressions.syntax import (
    Binary,
    Call,
    ExpressionError,
    ExpressionNode,
    Indexed,
    List,
    Literal,
    Name,
    TextRange,
    Transpose,
    Unary,
)
from compiler.source.limits import MAX_EXPRESSION_CHARACTERS, MAX_EXPRESSION_DEPTH, MAX_INTEGER_BITS

_TOKEN = re.compile(
    r"\s*(?:(?P<number>(?:[0-9]+\.[0-9]*|\.[0-9]+|[0-9]+)(?:[eE][+-]?[0-9]+)?)"
    r"|(?P<name>[A-Za-z_][A-Za-z0-9_]*(?:\.(?!T(?![A-Za-z0-9_]))[A-Za-z_][A-Za-z0-9_]*)*)"
    r"|(?P<mark>\.T(?![A-Za-z0-9_])|\*\*|//|<=|>=|==|!=|[-+*/%@<>()\[\],]))"
)
_COMPARISON = 4
_PRECEDENCE = {
    "or": 1,
    "and": 2,
    **dict.fromkeys(["<", "<=", ">", ">=", "==", "!="], _COMPARISON),
    **dict.fromkeys(["+", "-"], 5),
    **dict.fromkeys(["*", "/", "//", "%", "@"], 6),
}
_NOT, _SIGN = 3, 7
WORDS = {"and", "or", "not"}
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True, slots=True)
class Token:
    """A number, a name (`and`, `or` and `not` too) or a mark."""

    kind: str  # number, name, mark or end
    text: str
    at: TextRange


def is_name(text: str) -> bool:
    """Whether `text` can name a dimension, a constant, a parameter or an index."""
    return _IDENTIFIER.fullmatch(text) is not None and text not in WORDS


def parse(text: str) -> ExpressionNode:
    """The syntax tree of one expression. Raises `ExpressionError`."""
    if len(text) > MAX_EXPRESSION_CHARACTERS:
        message = f"an expression of more than {MAX_EXPRESSION_CHARACTERS} characters"
        raise ExpressionError("syntax", message, (0, 1))
    parser = _Parser(tokens(text))
    tree = parser.expression(0)
    parser.expect_end()
    return tree


def tokens(text: str) -> list[Token]:
    """The tokens of an expression, and one for its end. Raises `ExpressionError` for what is no token."""
    listed = []
    at = 0
    while match := _TOKEN.match(text, at):
        kind = match.lastgroup or "mark"
        listed.append(Token(kind, match[kind], match.span(kind)))
        at = match.end()
    rest = text[at:].lstrip()
    if rest:
        start = len(text) - len(rest)
        raise ExpressionError("syntax", f"'{rest[0]}' has no meaning here", (start, start + 1), sign_hint(text, start))
    end = len(text.rstrip())
    return [*listed, Token("end", "the end", (max(0, end - 1), max(1, end)))]


class _Parser:
    def __init__(self, tokens: list[Token]) -> None:
        self._tokens = tokens
        self._next = 0
        self._depth = 0

    @property
    def _token(self) -> Token:
        return self._tokens[self._next]

    @property
    def _end(self) -> int:
        """Where the last token taken ends, so that a range takes in parentheses."""
        return self._tokens[self._next - 1].at[1]

    def _take(self) -> Token:
        token = self._token
        self._next += 1
        return token

    @property
    def _before(self) -> str:
        """The token before the next one; nothing at the start."""
        return self._tokens[self._next - 1].text if self._next else ""

    def _expect(self, mark: str) -> Token:
        if self._token.text != mark or self._token.kind == "end":
            hint = None if self._token.kind == "end" else side_by_side(self._before, self._token.text, mark)
            raise self._unexpected(f"'{mark}'", hint)
        return self._take()

    def _unexpected(self, expected: str, hint: str | None) -> ExpressionError:
        token = self._token.text if self._token.kind == "end" else f"'{self._token.text}'"
        return ExpressionError("syntax", f"expected {expected}, found {token}", self._token.at, hint)

    def expect_end(self) -> None:
        if self._token.kind != "end":
            raise self._unexpected("an operator or the end", side_by_side(self._before, self._token.text, ""))

    def expression(self, lowest: int) -> ExpressionNode:
        """An expression whose operators all bind at least as strongly as `lowest`."""
        self._depth += 1
        if self._depth > MAX_EXPRESSION_DEPTH:
            raise ExpressionError("syntax", f"nested more than {MAX_EXPRESSION_DEPTH} levels deep", self._token.at)
        start = self._token.at[0]
        left = self._prefixed(lowest)
        compared = ""  # by which operator
        while (strength := _PRECEDENCE.get(self._token.text, -1)) >= max(lowest, 1):
            if strength == _COMPARISON:
                if compared:
                    hint = f"write `a {compared} b and b {self._token.text} c`"
                    raise ExpressionError("syntax", "comparisons cannot be chained", self._token.at, hint)
                compared = self._token.text
            operator = self._take().text
            right = self.expression(strength + 1)
            left = Binary(operator, left, right, (start, self._end))
        self._depth -= 1
        return left

    def _prefixed(self, lowest: int) -> ExpressionNode:
        token = self._token
        if token.text == "not" and lowest <= _NOT:
            self._take()
            operand = self.expression(_NOT)
            return Unary("not", operand, (token.at[0], self._end))
        if token.text in ("-", "+"):
            self._take()
            operand = self.expression(_SIGN)
            return Unary(token.text, operand, (token.at[0], self._end))
        base = self._atom()
        while self._token.text == ".T":
            self._take()
            base = Transpose(base, (token.at[0], self._end))
        if self._token.text == "**":
            self._take()
            exponent = self.expression(_SIGN)
            return Binary("**", base, exponent, (token.at[0], self._end))
        return base

    def _atom(self) -> ExpressionNode:
        token = self._token
        if token.kind == "number":
            self._take()
            return Literal(_number(token), token.at)
        if token.kind == "name" and token.text not in WORDS:
            self._take()
            return self._named(token)
        if token.text == "(":
            self._take()
            inside = self.expression(0)
            self._expect(")")
            return inside
        if token.text == "[":
            self._take()
            items = self._list("]")
            return List(items, (token.at[0], self._expect("]").at[1]))
        found = "" if token.kind == "end" else token.text
        raise self._unexpected("a number, a name or '('", missing_value(self._before, found))

    def _named(self, token: Token) -> ExpressionNode:
        if self._token.text == "(":
            self._take()
            arguments = self._list(")")
            return Call(token.text, arguments, (token.at[0], self._expect(")").at[1]))
        if self._token.text == "[":
            self._take()
            indices = self._list("]")
            at = (token.at[0], self._expect("]").at[1])
            if not indices:
                raise ExpressionError("syntax", "expected an index between [ and ]", at)
            return Indexed(Name(token.text, token.at), indices, at)
        return Name(token.text, token.at)

    def _list(self, end: str) -> tuple[ExpressionNode, ...]:
        items: list[ExpressionNode] = []
        while (token := self._token).text != end:
            if token.kind == "number" and self._tokens[self._next + 1].text in (",", end):  # the shortest way
                items.append(Literal(_number(self._take()), token.at))
            else:
                items.append(self.expression(0))
            if self._token.text != ",":
                break
            self._take()
        return tuple(items)


def _number(token: Token) -> int | float:
    text = token.text
    if text.isdigit():
        if len(text) > MAX_INTEGER_BITS // 3 or int(text).bit_length() > MAX_INTEGER_BITS:
            raise ExpressionError("number", f"an integer of more than {MAX_INTEGER_BITS} bits", token.at)
        return int(text)
    value = float(text)
    if math.isinf(value):
        raise ExpressionError("number", f"{text} is too large for a double", token.at)
    return value
