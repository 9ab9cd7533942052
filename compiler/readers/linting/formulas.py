"""The expressions of a spec that numbers of the network come from, and what in them picks or takes apart numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from compiler.expressions.arithmetic import COMPARISONS
from compiler.expressions.formulas import Formula, read_formula
from compiler.expressions.positions import KEY, POSITION, QUERY, TIME
from compiler.expressions.scope import Scope
from compiler.expressions.syntax import Binary, Call, Indexed, Name, Unary, children
from compiler.expressions.syntax import ExpressionNode as Expression
from compiler.expressions.values import Provenance, names_read
from compiler.language.keys import MAPS_OF, SECTION_OF
from compiler.pipeline import Spec
from compiler.source.diagnostics import Findings
from compiler.source.document import Mapping, Node, Scalar, Sequence

STRUCTURE = frozenset(
    "heads kv_heads head_dim value_dim hidden stream classes biases activation softmax ties residual after".split()  # noqa: SIM905
)
"""Keys of steps under which names and sizes stand, no numbers of the network."""
POSITION_NAMES = frozenset((POSITION, QUERY, KEY, TIME))


def weight_formulas(spec: Spec, numbers: Iterable[Provenance]) -> Iterator[Formula]:
    """Every expression that weights are computed from: equations of the network, and the definitions that they read.

    Not those of positions, which are `score`, `rope` and `position`. `numbers` are the origins of all numbers of the
    network.
    """
    document = spec.resolved.document
    for name in _definitions_read(spec, numbers):
        section = document.get(SECTION_OF.get(spec.resolved.definitions[name].kind, ""))
        node = section.get(name) if isinstance(section, Mapping) else None
        yield from _formulas(node)
    network = document.get("network")
    for key, node in network.items if isinstance(network, Mapping) else ():
        kind = key.text.partition(" ")[0]
        if kind in MAPS_OF and isinstance(node, Mapping):
            yield from _options(node)
        elif kind not in ("repeat", "position"):
            yield from _formulas(node)
    defaults = document.get("defaults")
    if isinstance(defaults, Mapping):
        yield from _options(defaults)


def _options(holder: Mapping) -> Iterator[Formula]:
    for key, node in holder.items:
        word = key.text.partition(" ")[0]
        if word not in STRUCTURE and word not in ("score", "rope"):
            yield from _formulas(node)


def _definitions_read(spec: Spec, numbers: Iterable[Provenance]) -> list[str]:
    """The definitions that numbers of the network depend on, in file order."""
    wanted = frozenset(spec.resolved.definitions)
    known: dict[Provenance, frozenset[str]] = {}
    names = set[str]()
    for provenance in set(numbers):
        names |= names_read(provenance, wanted, known)
    return [name for name in spec.resolved.definitions if name in names]


def _formulas(node: Node | None) -> Iterator[Formula]:
    match node:
        case Scalar():
            formula = read_formula(node, Findings())
            if formula is not None:  # else a word such as `broadcast` or a list of names
                yield formula
        case Sequence(items=items):
            for item in items:
                yield from _formulas(item)
        case Mapping(items=pairs):
            for _, value in pairs:
                yield from _formulas(value)


def is_condition(node: Expression) -> bool:
    """A comparison, or several of them joined."""
    if isinstance(node, Unary):
        return node.operator == "not"
    return isinstance(node, Binary) and node.operator in (*COMPARISONS, "and", "or")


def takes_apart(node: Expression) -> bool:
    """What gives a part of a number: the quotient or the rest of a division, or the whole part."""
    if isinstance(node, Call):
        return node.function == "floor"
    return isinstance(node, Binary) and node.operator in ("//", "%")


def uses(root: Expression, wanted: Callable[[Expression], bool]) -> Iterator[Expression]:
    """The outermost parts of an expression that are `wanted`; not in an index, where a number is only a place."""
    todo = [root]
    while todo:
        node = todo.pop()
        if wanted(node):
            yield node
        elif not isinstance(node, Indexed):
            todo += reversed(children(node))


def reads(root: Expression, names: frozenset[str], scope: Scope) -> bool:
    """Whether an expression reads one of the names, directly or through names under `let`."""
    todo = [root]
    seen: set[str] = set()
    while todo:
        node = todo.pop()
        todo += children(node)
        if isinstance(node, Name):
            if node.name in names:
                return True
            let = scope.lets.get(node.name) if node.name not in seen and scope.meaning(node.name) is None else None
            seen.add(node.name)
            if let is not None:
                todo.append(let.tree)
    return False
