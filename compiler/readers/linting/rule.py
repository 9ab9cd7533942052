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
from compiler.network.flow.task_tokens import Asked, asked_by, everything
from compiler.network.flow.unknown_parameters import Free, none_free
from compiler.network.storage import tensors
from compiler.network.unstored_numbers import UnstoredNumber, unstored_numbers
from compiler.pipeline import Spec
from compiler.readers.counting.counts import FIGURES
from compiler.readers.linting.formulas import weight_formulas
from compiler.readers.linting.spans import step_key
from compiler.source.diagnostics import Diagnostic, Note, SpecError
from compiler.source.limits import MAX_FLOW_WORK
from compiler.source.text import Span

FOLLOWING = ("self-attention", "mean", "dead-weight", "idle-parameter")  # rules that ask what matters

Level = Literal["breaks", "disclose"]
"""`breaks`: the rules forbid it. `disclose`: they allow it, but a strict reader wants to know."""


@dataclass(frozen=True)
class Finding:
    """What a rule found, and where."""

    message: str
    span: Span | None
    notes: tuple[Note, ...] = ()


@dataclass(frozen=True)
class LintRule:
    """`asks` what a spec has to be like, in one line; `source` says whose rule that is, `fix` what to do."""

    code: str
    level: Level
    asks: str
    source: str
    fix: str
    check: Callable[[Examined], Iterator[Finding]]

    def diagnostics(self, examined: Examined) -> Iterator[Diagnostic]:
        """What the rule finds in a spec."""
        for finding in self.check(examined):
            yield Diagnostic(self.code, finding.message, finding.span, self.fix, finding.notes, self.level)


@dataclass(frozen=True)
class RuleSet:
    """Rules under one name, as `lint --rules NAME` takes them."""

    name: str
    summary: str
    rules: tuple[LintRule, ...]


@dataclass(frozen=True, eq=False)
class Examined:
    """A spec, and what several rules want to know of it, computed once."""

    spec: Spec

    @cached_property
    def flow(self) -> Flow:
        """What matters for the task. Raises `SpecError` where that is too much work to find out."""
        return self._flow(none_free)

    @property
    def _asked(self) -> Asked:
        """What the spec is asked; anything where it states no task."""
        layouts = [choice.layout for choice in self.spec.choices]
        return asked_by(layouts) if layouts else everything(self.spec.network)

    def _flow(self, free: Free) -> Flow:
        try:
            return flow(self.spec.network, self._asked, free)
        except TooMuchToFollow as error:
            key = step_key(self.spec, error.step)
            message = f"more than {MAX_FLOW_WORK:,} steps to find out what matters in this network"
            hint = f"these rules ask for it: {' '.join(f'--ignore {code}' for code in FOLLOWING)}"
            span = None if key is None else key.span
            raise SpecError([Diagnostic("too-much-work", message, span, hint)]) from None

    @cached_property
    def acting(self) -> AbstractSet[Leaf]:
        """The parameters, by their numbers, on which an answer can depend, whatever they are. Raises `SpecError`."""
        names = frozenset(
            name for name, definition in self.spec.resolved.definitions.items() if definition.kind == "parameter"
        )
        names_of: dict[Provenance, frozenset[str]] = {}

        def free(provenance: Provenance) -> bool:
            return bool(names_read(provenance, names, names_of))

        return leaves(acting(self.spec.network, self._flow(free), free), with_sources=True)

    @cached_property
    def in_weights(self) -> dict[Leaf, list[str]]:
        """The numbers of the spec that stored numbers were computed from, each with the names of the tensors."""
        tensors_of: dict[Leaf, list[str]] = {}
        for name, tensor in tensors(self.spec.network).items():
            for leaf in leaves(entry.provenance for entry in tensor.entries):
                tensors_of.setdefault(leaf, []).append(name)
        return tensors_of

    @cached_property
    def uncounted(self) -> dict[Leaf, list[str]]:
        """`in_weights`, or nothing where the author claims a figure that has every stored number in it."""
        claimed = self.spec.resolved.expect.claimed
        rule = None if claimed is None else FIGURES.get(claimed.rule)
        return {} if rule is not None and rule.counts_entries else self.in_weights

    @cached_property
    def unstored(self) -> tuple[UnstoredNumber, ...]:
        """What the forward pass uses and no tensor stores, eps aside."""
        return tuple(number for step in self.spec.network.steps for number in unstored_numbers(step))

    @cached_property
    def beside_weights(self) -> dict[Leaf, list[str]]:
        """The numbers of the spec that these were computed from, each with what they are."""
        uses_of: dict[Leaf, list[str]] = {}
        for number in self.unstored:
            for leaf in leaves([number.provenance]):
                if number.what not in uses_of.setdefault(leaf, []):
                    uses_of[leaf].append(number.what)
        return uses_of

    @cached_property
    def weight_formulas(self) -> tuple[Formula, ...]:
        """Every expression that weights are computed from."""
        every = (entry for tensor in tensors(self.spec.network).values() for entry in tensor.entries)
        numbers = (*(entry.provenance for entry in every), *(number.provenance for number in self.unstored))
        return tuple(weight_formulas(self.spec, numbers))


def enumerated(items: list[str], most: int = 3) -> str:
    """`a, b and c`. Only the first of many are named, with how many more there are."""
    shown = items if len(items) <= most + 1 else [*items[:most], f"{len(items) - most} more"]
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}"
