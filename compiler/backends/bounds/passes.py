"""The passes over programs, in order, each once, and who uses which."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Literal

from compiler.backends.bounds.cost import followed_within_cost
from compiler.backends.bounds.demand import marked, pruned
from compiler.backends.bounds.faint import without_faint_keys
from compiler.backends.bounds.fixed import with_fixed_patterns
from compiler.backends.bounds.folding import folded
from compiler.backends.bounds.legality import check
from compiler.backends.bounds.magnitudes import check_magnitudes
from compiler.backends.bounds.narrowing import narrowed
from compiler.backends.elementary.program import Program
from compiler.network.ir import Network

Use = Literal["any arithmetic", "this machine", "fast engine"]  # the verifier, without and with numbers read off here
CHECKED = "WEIGHTSPEC_CHECK_PROGRAMS"  # set to 1, programs are checked after each pass


@dataclass(frozen=True)
class Pass:
    """`run` takes a program of `translate`, after the passes before it, and its network. It gives the same program,
    prepared further. `legality` has the rules that hold after it, by its name."""

    name: str
    does: str
    run: Callable[[Program, Network], Program]
    uses: tuple[Use, ...]


def _alone(run: Callable[[Program], Program]) -> Callable[[Program, Network], Program]:
    """A pass that reads no network."""
    return lambda program, _: run(program)


_FAST: tuple[Use, ...] = ("fast engine",)
_HERE: tuple[Use, ...] = ("this machine", "fast engine")
_ALL: tuple[Use, ...] = ("any arithmetic", "this machine", "fast engine")

PASSES = (
    Pass("demand", "marks the positions and channels that matter", _alone(marked), _ALL),
    Pass("magnitudes", "bounds what attention mixes; nothing overflows", _alone(check_magnitudes), _ALL),
    Pass("cost", "follows fewer errors where all cost too much", _alone(followed_within_cost), _FAST),
    Pass("narrowing", "leaves out tokens that cannot stand at a position", _alone(narrowed), _FAST),
    Pass("fixed", "turns patterns that depend on no token into numbers", with_fixed_patterns, _HERE),
    Pass("pruning", "leaves out what does not matter", _alone(pruned), _ALL),
    Pass("folding", "turns what depends on one token into a table", _alone(folded), _HERE),
    Pass("faint", "leaves out keys without a weight that matters", _alone(without_faint_keys), _FAST),
)


def prepared(program: Program, network: Network, use: Use) -> Program:
    """A program of `translate(network, …)` after all passes for this use. Raises `NotFollowed`, and `ToolFault`."""
    *_, (_, made) = after_each_pass(program, network, use)
    return made


def after_each_pass(program: Program, network: Network, use: Use) -> Iterator[tuple[Pass, Program]]:
    """Each pass for this use, and the program after it. Raises `NotFollowed`, and `ToolFault` under the switch."""
    checked, done = os.environ.get(CHECKED, "") == "1", list[str]()
    if use not in _FAST:
        program = replace(program, possible=())  # the verifier asks about sets of tokens
    if checked:
        check(program, done)
    for step in PASSES:
        if use in step.uses:
            program = step.run(program, network)
            done.append(step.name)
            if checked:
                check(program, done)
            yield step, program
