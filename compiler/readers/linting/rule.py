"""What a rule is, what it finds, and the spec as rules look at it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from compiler.expressions.formulas import Formula
from compiler.expressions.values import Leaf, Provenance, leaves, names_read
from compiler.network.flow.backward import Flow, flow
from compiler.network.flow.effective_numbers import acting
from compiler.network.flow.facts import TooMuchToFollow
from compiler.network.flow.task_tokens import asked_by
from compiler.network.flow.unknown_parameters import Free, none_free
from compiler.network.ir import (
    Attention,
    Embedding,
    FeedForward,
    Head,
    Mix,
    Position,
    Repeat,
    StreamNorm,
    StreamScale,
)
from compiler.network.storage import tensors
from compiler.pipeline import Spec
from compiler.readers.linting.formulas import weight_formulas
from compiler.readers.linting.spans import step_key
from compiler.source.diagnostics import Diagnostic, Note, SpecError
from compiler.source.faults import no_rule
from compiler.source.limits import MAX_FLOW_WORK
from compiler.source.text import Span

FOLLOWING = ("self-attention", "mean", "dead-weight", "idle-parameter")  # rules that ask what matters
ENTRY_BY_ENTRY = ("dense", "dense_untied", "nonzero")  # figures that count what is stored, whatever it comes from

Level = Literal["breaks", "disclose"]
"""`breaks`: the rules forbid it. `disclose`: they allow it, but a strict reader wants to know."""


@dataclass(frozen=True)
class Finding:
    """What a rule found, and where."""

    message: str
    span: Span | None
    notes: tuple[Note, ...] = ()


@dataclass(frozen=True)
class Rule:
    """`asks` what a spec has to be like, in one line; `source` says whose rule that is, `fix` what to do."""

    code: str
    level: Level
    asks: str
    source: str
    fix: str
    check: Callable[[Examined], Iterator[Finding]]

    def diagnostics(self, examined: Examined) -> Iterator[Diagnostic]:
        """What the rule finds in a spec."""
        for found in self.check(examined):
            yield Diagnostic(self.code, found.message, found.span, self.fix, found.notes, self.level)


@dataclass(frozen=True)
class RuleSet:
    """Rules under one name, as `lint --rules NAME` takes them."""

    name: str
    summary: str
    rules: tuple[Rule, ...]


@dataclass(frozen=True)
class Beside:
    """A number that no tensor stores, but the forward pass uses: `what` it is, `positional` if it encodes positions."""

    what: str
    provenance: Provenance
    span: Span | None
    positional: bool


@dataclass(frozen=True, eq=False)
class Examined:
    """A spec, and what several rules want to know of it, computed once."""

    spec: Spec

    @cached_property
    def flow(self) -> Flow:
        """What matters for the task. Raises `SpecError` where that is too much work to find out."""
        return self._flow(none_free)

    def _flow(self, free: Free) -> Flow:
        try:
            return flow(self.spec.network, asked_by(self.spec.layout), free)
        except TooMuchToFollow as error:
            key = step_key(self.spec, error.step)
            message = f"more than {MAX_FLOW_WORK:,} steps to find out what matters in this network"
            hint = f"these rules ask for it: {' '.join(f'--ignore {code}' for code in FOLLOWING)}"
            span = None if key is None else key.span
            raise SpecError([Diagnostic("too-much-work", message, span, hint)]) from None

    @cached_property
    def acting(self) -> AbstractSet[Leaf]:
        """The parameters, by their numbers, on which an answer can depend, whatever they are. Raises `SpecError`."""
        names = frozenset(name for name, one in self.spec.resolved.definitions.items() if one.kind == "parameter")
        found: dict[Provenance, frozenset[str]] = {}

        def free(provenance: Provenance) -> bool:
            return bool(names_read(provenance, names, found))

        return leaves(acting(self.spec.network, self._flow(free), free), with_sources=True)

    @cached_property
    def in_weights(self) -> dict[Leaf, list[str]]:
        """The numbers of the spec that stored numbers were computed from, each with the names of the tensors."""
        found: dict[Leaf, list[str]] = {}
        for name, tensor in tensors(self.spec.network).items():
            for leaf in leaves(entry.provenance for entry in tensor.entries):
                found.setdefault(leaf, []).append(name)
        return found

    @cached_property
    def uncounted(self) -> dict[Leaf, list[str]]:
        """`in_weights`, or nothing where the author claims a figure that has every stored number in it."""
        claimed = self.spec.resolved.expect.claimed
        return {} if claimed is not None and claimed.rule in ENTRY_BY_ENTRY else self.in_weights

    @cached_property
    def beside(self) -> tuple[Beside, ...]:
        """What the forward pass uses and no tensor stores, eps aside."""
        found: list[Beside] = []
        for step in self.spec.network.steps:
            match step:
                case Position():
                    for term in step.terms:
                        what = f"the position equation '{term.equation.left}' of {step.name}"
                        found.append(Beside(what, term.provenance, term.equation.span, True))
                case Attention():
                    found += _beside_attention(step)
                case Embedding() | StreamNorm() | StreamScale() | FeedForward() | Repeat() | Mix() | Head():
                    pass
                case _:
                    raise no_rule("step", step)
        return tuple(found)

    @cached_property
    def beside_weights(self) -> dict[Leaf, list[str]]:
        """The numbers of the spec that these were computed from, each with what they are."""
        found: dict[Leaf, list[str]] = {}
        for one in self.beside:
            for leaf in leaves([one.provenance]):
                if one.what not in found.setdefault(leaf, []):
                    found[leaf].append(one.what)
        return found

    @cached_property
    def weight_formulas(self) -> tuple[Formula, ...]:
        """Every expression that weights are computed from."""
        every = (entry for tensor in tensors(self.spec.network).values() for entry in tensor.entries)
        numbers = (*(entry.provenance for entry in every), *(one.provenance for one in self.beside))
        return tuple(weight_formulas(self.spec, numbers))


def _beside_attention(step: Attention) -> Iterator[Beside]:
    for score in step.scores:
        yield Beside(f"'{score.equation.left}' of {step.name}", score.provenance, score.equation.span, True)
    if step.rope is not None:
        yield Beside(f"the rope frequency of {step.name}", step.rope.provenance, step.rope.equation.span, True)
    yield Beside(f"the scale of the scores of {step.name}", step.scale.provenance, None, False)
    yield Beside(f"the mask of {step.name}", step.mask_provenance, None, False)


def listed(items: list[str], most: int = 3) -> str:
    """`a, b and c`; of many the first, and how many more there are."""
    shown = items if len(items) <= most + 1 else [*items[:most], f"{len(items) - most} more"]
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}"
