"""A new member of a closed set, such as an activation: what has no rule for it refuses it by name, and guesses nothing.

The torch module is made to know it; the fast engine and the verifier are not.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Never, get_args, get_type_hints

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import compiler
from compiler.backends.bounds.activations import activation
from compiler.backends.bounds.arithmetic import Arithmetic, Rounding
from compiler.backends.bounds.bounded import Bounded
from compiler.backends.bounds.cost import operations
from compiler.backends.bounds.demand import marked
from compiler.backends.bounds.elementwise import elementwise
from compiler.backends.bounds.fixed import fixed_attentions
from compiler.backends.bounds.legality import violations
from compiler.backends.bounds.magnitudes import check_magnitudes
from compiler.backends.bounds.tensors import TensorFunctions, TensorLoop
from compiler.backends.elementary.program import Activated, Decision, Lookup, Node, Program, reads_keys
from compiler.backends.native.c_keys import LineLoop
from compiler.backends.native.c_lines import Writer
from compiler.backends.torch import attention, decode, ffn, model, norm, reference, repeat
from compiler.evaluation.evaluation import evaluate
from compiler.expressions.axes import Axis
from compiler.expressions.floats import FORMATS, DtypeName
from compiler.network import ir
from compiler.pipeline import Spec, load
from compiler.source.faults import NoRule, no_rule
from compiler.source.saved import DTYPES as SAVED_DTYPES
from compiler.verifier.ffn import cell_step
from compiler.verifier.verify import verify
from tests.helpers import STEPS

Patch = Callable[[pytest.MonkeyPatch], None]
Change = Callable[[ir.Network], ir.Network]
NEW: Any = "new"  # no member of any closed set
ARITHMETIC = Arithmetic(TensorFunctions(), Rounding.of(FORMATS["float64"]))


@dataclass(frozen=True)
class NewMember:
    """A spec, how its network is changed to have the new member, and how the torch module learns of it."""

    spec: str
    change: Change
    teach: Patch
    called: str = "'new'"


@dataclass(frozen=True)
class NewStep:
    """A kind of step that nobody knows: twice the stream."""

    name: str
    stream: Axis


@dataclass(frozen=True)
class NewMixture:
    stream: ir.Mixture


class Twice(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return 2 * x


def steps(kind: type[Any], **changes: Any) -> Change:
    """These fields of every step of a kind are changed."""

    def change(network: ir.Network) -> ir.Network:
        made = (replace(step, **_of(step, changes)) if isinstance(step, kind) else step for step in network.steps)
        return replace(network, steps=tuple(made))

    return change


def _of(step: Any, changes: dict[str, Any]) -> dict[str, Any]:
    """What is to be changed, where it depends on the step."""
    return {name: change(step) if callable(change) else change for name, change in changes.items()}


def taught(target: object, name: str, rule: Callable[..., object]) -> Patch:
    return lambda patch: patch.setattr(target, name, rule)


def with_new_step(network: ir.Network) -> ir.Network:
    first, *others = network.steps
    step: Any = NewStep("new", first.stream)
    return replace(network, steps=(first, step, *others))


def _teach_step(patch: pytest.MonkeyPatch) -> None:
    known = model._module
    patch.setattr(model, "_module", lambda step, *rest: Twice() if isinstance(step, NewStep) else known(step, *rest))


def _teach_mixture(patch: pytest.MonkeyPatch) -> None:
    mixed, streams = repeat.Mix._combined, model._streams

    def combined(self: repeat.Mix, mixture: Any, every: Any) -> Tensor:
        return (
            2 * mixed(self, mixture.stream, every) if isinstance(mixture, NewMixture) else mixed(self, mixture, every)
        )

    patch.setattr(repeat.Mix, "_combined", combined)
    patch.setattr(model, "_streams", lambda one: streams(one.stream if isinstance(one, NewMixture) else one))


def _teach_decoding(patch: pytest.MonkeyPatch) -> None:
    """The logit nearest to zero wins."""

    def choose(logits: Tensor, _: object) -> Tensor:
        return logits.abs().argmin(-1)

    def margins(logits: Tensor, _: object) -> Tensor:
        best = logits.abs().topk(2, dim=-1, largest=False).values
        return best[..., 1] - best[..., 0]

    for module in (decode, reference):
        patch.setattr(module, "choose", choose)
        patch.setattr(module, "margins", margins)


def _norm(kind: str) -> Callable[[Any], ir.Norm]:
    return lambda step: replace(step.norm, kind=kind)


def _every_scaled(mixture: ir.Mixture, operation: Any) -> ir.Mixture:
    match mixture:
        case ir.StreamAfter():
            return mixture
        case ir.Scaled():
            return replace(mixture, operation=operation, stream=_every_scaled(mixture.stream, operation))
        case ir.Combined():
            left, right = (_every_scaled(part, operation) for part in (mixture.left, mixture.right))
            return replace(mixture, left=left, right=right)


def _dtype(network: ir.Network) -> ir.Network:
    return replace(network, dtype=replace(network.dtype, name=NEW))


MEMBERS = {
    "activation": NewMember(
        "ffn-relu", steps(ir.FeedForward, activation=NEW), taught(ffn, "activate", lambda _, x: x.tanh())
    ),
    "softmax": NewMember(
        "softmax-plus-one",
        steps(ir.Attention, softmax=NEW),
        taught(attention.Attention, "_weigh", lambda _, s: s.softmax(-1)),
    ),
    "mask": NewMember(
        "kv-shared", steps(ir.Attention, mask=NEW), taught(attention.Attention, "_masked", lambda _, s, *rest: s)
    ),
    "pairs of rope": NewMember(
        "rope-adjacent",
        steps(ir.Attention, rope=lambda step: replace(step.rope, pairs=NEW)),
        taught(attention.Attention, "_rotate", lambda _, y, *rest: y.flip(-1)),
    ),
    "norm of the stream": NewMember(
        "norm-rms", steps(ir.StreamNorm, norm=_norm(NEW)), taught(norm.Norm, "forward", lambda _, x: x)
    ),
    "norm of a branch": NewMember(
        "prenorm", steps(ir.FeedForward, norm=_norm(NEW)), taught(norm.Norm, "forward", lambda _, x: x)
    ),
    "scale of scores": NewMember(
        "score-scale",
        steps(ir.Attention, scale=lambda step: replace(step.scale, operation=NEW)),
        taught(attention.Attention, "_scaled", lambda _, s, *rest: s),
    ),
    "output": NewMember(
        "output-identity", steps(ir.Attention, output=NEW), taught(attention, "_projection", lambda *_: None)
    ),
    "scale in a mix": NewMember(
        "mix",
        steps(ir.Mix, mixture=lambda step: _every_scaled(step.mixture, NEW)),
        taught(repeat, "_scaled", lambda _, x, factor: x * factor),
    ),
    "sum in a mix": NewMember(
        "mix",
        steps(ir.Mix, mixture=lambda step: replace(_combined(step.mixture), operation=NEW)),
        taught(repeat, "_combined", lambda _, x, y: x + y),
    ),
    "mix": NewMember(
        "mix", steps(ir.Mix, mixture=lambda step: NewMixture(step.mixture)), _teach_mixture, "'NewMixture'"
    ),
    "decoding": NewMember("head-equations", lambda network: replace(network, decode=NEW), _teach_decoding),
    "dtype": NewMember("ffn-relu", _dtype, taught(model, "torch_dtype", lambda _: torch.float64)),
    "step": NewMember("ffn-relu", with_new_step, _teach_step, "'NewStep'"),
}


def _combined(mixture: ir.Mixture) -> ir.Combined:
    return mixture if isinstance(mixture, ir.Combined) else ir.Combined("add", mixture, mixture)


def changed(member: NewMember) -> Spec:
    spec = load(STEPS / f"{member.spec}.yaml")
    return replace(spec, network=member.change(spec.network))


@pytest.mark.parametrize("what", MEMBERS)
def test_what_the_torch_module_alone_knows_is_left_to_it(what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Evaluation falls back to the plain engine and says why; the verifier follows nothing, and tries every input."""
    member = MEMBERS[what]
    spec = changed(member)
    member.teach(monkeypatch)
    found = evaluate(spec, ["exhaustive"])
    assert found.engine.name == "plain"
    assert found.engine.reason is not None
    assert member.called in found.engine.reason
    proof = verify(spec, tried=0)
    assert proof.verdict != "proved"
    assert any(member.called in reason for reason in proof.why)
    assert all((step.right, step.wrong, step.cells) == (0, 0, 0) for step in proof.steps)
    tried = verify(spec)
    assert tried.method == "enumeration"
    least, most = tried.failing
    assert least <= found.pairs - found.right <= most


@pytest.mark.parametrize("what", MEMBERS)
def test_what_nobody_knows_is_refused_by_name(what: str) -> None:
    member = MEMBERS[what]
    with pytest.raises(NoRule, match=f"no rule for .*{member.called}"):
        evaluate(changed(member), ["exhaustive"])
    with pytest.raises(NoRule, match=f"no rule for .*{member.called}"):
        verify(changed(member))


class NewOperation:
    """A node of a program."""


@pytest.mark.parametrize(
    "read",
    [
        marked,
        check_magnitudes,
        lambda program: operations(program, 100),
        fixed_attentions,
        lambda program: violations(program, ()),
    ],
    ids=["demand", "magnitudes", "cost", "patterns", "legality"],
)
def test_a_new_operation_is_refused(read: Callable[[Program], object]) -> None:
    operation: Any = NewOperation()
    nodes = (Node(operation, (0,), 1, (0,), (0,)),) * 2
    decision = Decision(1, None, 1, (0,), "argmax")
    with pytest.raises(NoRule, match="'NewOperation'"):
        read(Program((_ONE, *nodes[1:]), decision, FORMATS["float64"], 1, 1, (0,), (1,)))


_ONE = Node(Lookup(np.ones((1, 1, 1)), np.zeros((1, 1, 1))), (), 1, (0,), (0,))


def test_a_new_operation_is_not_computed() -> None:
    operation: Any = NewOperation()
    with pytest.raises(NoRule, match="'NewOperation'"):
        reads_keys(operation)
    with pytest.raises(NoRule, match="'NewOperation'"):
        elementwise(ARITHMETIC, Node(operation, (), 1, (0,), (0,)), [], lambda _: 0.0)


def test_a_new_activation_has_no_bound() -> None:
    with pytest.raises(NoRule, match="activation 'new'"):
        activation(NEW)
    node = Node(Activated(NEW), (0,), 1, (0,), (0,))
    with pytest.raises(NoRule, match="activation 'new'"):
        cell_step(ARITHMETIC, node, [[Bounded(1.0, 0.0, {0: 1.0})]], [0])


def test_a_new_way_to_pass_over_keys_is_refused() -> None:
    mask = torch.ones(1, 1, 1, dtype=torch.bool)
    for loop in (TensorLoop(mask, 1), LineLoop(Writer(), "c1", 1)):
        with pytest.raises(NoRule, match="'new'"):
            loop.over_all(lambda: [(NEW, 1.0)])


def test_every_dtype_is_in_every_table() -> None:
    assert set(get_args(DtypeName)) == set(FORMATS) == set(SAVED_DTYPES.values())
    assert all(FORMATS[name].name == name for name in FORMATS)


# Nothing but a match that ends in `no_rule` tells members of a closed set apart.

SETS = (
    ir.ActivationKind,
    ir.SoftmaxWord,
    ir.Ties,
    ir.RopePairs,
    ir.Decode,
    ir.NormKind,
    ir.ScaleOperation,
    ir.MixOperation,
    ir.OutputWord,
    get_args(ir.Mask)[0],
)
WORDS = {word for members in SETS for word in get_args(members)} - {"none"}  # which means other things, too
TEXTS = {"lowering", "commands", "expressions"}  # what is written in specs and calls is compared there
PACKAGE = Path(compiler.__file__).parent


def told_apart(tree: ast.AST) -> Iterator[str]:
    """Where members are told apart otherwise."""
    for node in ast.walk(tree):
        match node:
            case ast.Compare(left=left, comparators=others) if _has_word(left, *others):
                yield f"{node.lineno}: {ast.unparse(node)}"
            case ast.Dict(keys=keys) if keys and all(key is not None and _has_word(key) for key in keys):
                yield f"{node.lineno}: {ast.unparse(node)}"
            case ast.Match(cases=cases) if _has_word(*(one.pattern for one in cases)) and not _ends_in_no_rule(node):
                yield f"{node.lineno}: match {ast.unparse(node.subject)}"


def _has_word(*nodes: ast.AST) -> bool:
    parts = (part for node in nodes for part in ast.walk(node))
    return any(isinstance(part, ast.Constant) and part.value in WORDS for part in parts)


def _ends_in_no_rule(node: ast.Match) -> bool:
    last = node.cases[-1]
    return ast.unparse(last.pattern) == "_" and ast.unparse(last.body[0]).startswith("raise no_rule(")


def test_words_of_closed_sets_are_told_apart_by_matches_that_end_in_no_rule() -> None:
    assert {"relu", "plus_one", "causal", "halves", "argmin", "layer", "divide", "subtract", "identity"} < WORDS
    found = [
        f"{path.relative_to(PACKAGE)}:{place}"
        for path in sorted(PACKAGE.rglob("*.py"))
        if not TEXTS & set(path.relative_to(PACKAGE).parts)
        for place in told_apart(ast.parse(path.read_text(encoding="utf-8")))
    ]
    assert found == []


@pytest.mark.parametrize(
    "text",
    [
        "x = 1 if kind == 'relu' else 2",
        "least = {'relu': 0.0, 'silu': -0.3}[kind]",
        "match kind:\n    case 'relu':\n        x = 1\n    case _:\n        x = 2",
        "later = mask not in ('causal', 0)",
    ],
)
def test_what_tells_members_apart_otherwise_is_noticed(text: str) -> None:
    assert list(told_apart(ast.parse(text)))


def test_a_member_without_a_case_fails_type_checking() -> None:
    """mypy, which looks at all of this, takes nothing for `Never` but what no type is left for."""
    assert get_type_hints(no_rule)["kind"] is Never
