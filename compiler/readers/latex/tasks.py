"""A task as LaTeX: words, alphabets and layout as text, what is right as equations."""

from __future__ import annotations

from collections.abc import Iterator

from compiler.expressions.naming import words
from compiler.expressions.parse import is_name, parse
from compiler.expressions.syntax import ExpressionError
from compiler.expressions.syntax import ExpressionNode as Tree
from compiler.pipeline import Spec
from compiler.readers.latex.equations import BREAK, EquationLine
from compiler.readers.latex.expressions import last_index, latex, latex_lines, subscripted
from compiler.readers.latex.words import escape, in_text, name
from compiler.source.document import Mapping, Node, Scalar, Sequence
from compiler.tasks.rules import TaskRule, reads_from, rules, section_of

_READ = {"at": "read at", "in_place": "read in place of", "next": "read after symbols of", "from": "from symbol"}
TaskBlock = tuple[str, list[EquationLine], list[str]]


def task_block(spec: Spec) -> TaskBlock | None:
    """The title, the equations and the remarks of a task; None without one. A prime marks the state after a column."""
    section = section_of(spec.resolved.document)
    if section is None or not spec.resolved.asked:
        return None
    return f"Task {spec.resolved.task.name}", list(map(_line, rules(section))), list(_remarks(spec, section))


def size_lines(sizes: Mapping) -> Iterator[EquationLine]:
    """The sizes of a task; of a range its ends."""
    for key, node in sizes.items:
        if isinstance(node, Mapping):
            ends = [_side(node.get(end)) for end in ("from", "to")]
            yield EquationLine(rf"{name(key.text)} &\in \lbrace {ends[0]}, \ldots, {ends[1]} \rbrace")
        else:
            yield EquationLine(f"{name(key.text)} &= {_side(node)}")


def _remarks(spec: Spec, section: Mapping) -> Iterator[str]:
    cases = sum(len(asked.task.cases) for asked in spec.resolved.asked)
    if cases:
        yield f"What is right is a table of {cases} cases."
    for title, part in (("Given", "given"), ("Answers", "answers")):
        node = section.get(part)
        if isinstance(node, Mapping):
            yield f"{title}: {', '.join(_word(key.text, value) for key, value in node.items)}."
    alphabets = section.get("alphabets")
    for key, value in alphabets.items if isinstance(alphabets, Mapping) else ():
        yield f"${name(key.text)}$: {_tokens(key.text, value)}."
    first = reads_from(section)
    if first is not None:
        yield f"Columns are read from the {escape(first)} symbol of each word on; a prime marks the state after one."
    for title, part in (("Prompt", "prompt"), ("Answer", "answer")):
        layout = section.get(part)
        if layout is not None:
            yield rf"{title}: {_layout(layout)}."
    window = section.get("window")
    if window is not None:
        yield f"The model sees the last ${_side(window)}$ tokens."


def _word(word: str, node: Node) -> str:
    """`a: digit*digits` as an element of the words of that length."""
    alphabet, star, length = node.text.partition("*") if isinstance(node, Scalar) else ("", "", "")
    tree = _tree(length)
    power = "" if not star or tree is None else f"^{{{latex(tree)}}}"
    return rf"${name(word)} \in {name(alphabet.strip())}{power}$"


def _tokens(alphabet: str, node: Node) -> str:
    size = node.get("size") if isinstance(node, Mapping) else None
    tree = _tree(size.text) if isinstance(size, Scalar) else None
    if tree is not None:
        indices = rf"0 \ldots {latex(last_index(tree))}"
        return f"${subscripted(name(alphabet), [indices])}$"
    return ", ".join(rf"\texttt{{{escape(word.text)}}}" for word in words(node))


def _layout(node: Node) -> str:
    match node:
        case Scalar(text=text):
            return rf"\texttt{{{escape(text)}}}"
        case Sequence(items=items):
            return " ".join(map(_layout, items))
        case Mapping(items=pairs):
            return ", ".join(f"{_READ.get(key.text, escape(key.text))} {_layout(value)}" for key, value in pairs)
        case _:
            return ""


def _line(rule: TaskRule) -> EquationLine:
    side, right = _target(rule.target), _side(rule.formula)
    match rule.kind:
        case "only":
            return EquationLine(rf"\text{{only where }} &\; {right}")
        case "step":
            return EquationLine(rf"\text{{columns only where }} &\; {right}")
        case "last":
            return EquationLine(rf"\text{{at the end only where }} &\; {right}")
        case "state":
            tree = _tree(rule.formula.text)
            last = right if tree is None else latex(last_index(tree))
            start = "0" if rule.start is None else _side(rule.start)
            return EquationLine(rf"{side} &\in \lbrace 0, \ldots, {last} \rbrace, \quad \text{{starts at }} {start}")
        case "next":
            return EquationLine(f"{side}' &= {right}")
        case "end":
            return EquationLine(rf"{side} &= {right} \quad \text{{at the end}}")
        case "equation" | "let" | "column":
            return EquationLine(f"{side} &= {right}")


def _target(text: str) -> str:
    tree = _tree(text)
    return name(text) if is_name(text) else latex(tree) if tree is not None else in_text(text)


def _side(node: Node | None) -> str:
    text = node.text if isinstance(node, Scalar) else ""
    tree = _tree(text)
    return in_text(text) if tree is None else BREAK.join(latex_lines(tree))


def _tree(text: str) -> Tree | None:
    try:
        return parse(text)
    except ExpressionError:
        return None
