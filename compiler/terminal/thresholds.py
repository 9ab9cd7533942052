"""Where the verdict on a spec turns, for people and for scripts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from compiler.expressions.proportions import shares, three_figures
from compiler.pipeline import Spec
from compiler.source.faults import no_rule
from compiler.terminal import shapes
from compiler.terminal.overview import of_spec
from compiler.terminal.plain import say

if TYPE_CHECKING:  # it imports torch
    from compiler.sweeps.threshold import Threshold, ValueVerdict


def verdict_line(known: ValueVerdict) -> str:
    """A verdict as it comes: `v_scale=0.05: refuted, 4 % wrong`."""
    found = known.found
    wrong = f", {shares(*found.failing, found.inputs)} wrong" if found.verdict != "proved" else ""
    return f"{known.setting}: {known.verdict}{wrong}"


def print_threshold(found: Threshold, calls: Sequence[str]) -> None:
    """The values on both sides of the turn, what is open between them, and the calls that verify them."""
    say()
    for line in _lines(found):
        say(line)
    for call in calls:
        say(f"  {call}")


def _lines(found: Threshold) -> list[str]:
    refuted, proved = found.refuted, found.proved
    lines = []
    if refuted is not None and proved is not None:
        lines.append(f"refuted at {refuted.setting}, proved at {proved.setting}{_apart(refuted.value, proved.value)}")
    elif refuted is not None:
        lines.append(f"refuted at {refuted.setting}; no value is proved")
    elif proved is not None:
        lines.append(f"proved at {proved.setting}; no value is refuted")
    else:
        lines.append("no value is proved, and none is refuted")
    if found.open:
        settings = dict.fromkeys((found.open[0].setting, found.open[-1].setting))
        lines.append(
            f"open {'at' if len(settings) == 1 else 'from'} {' to '.join(settings)}: {'; '.join(_whys(found))}"
        )
    known = sum(value.known for value in found.values)
    if known:
        lines.append(f"{known} of {len(found.values)} verdicts known before")
    match found.ending:
        case "verdicts":
            lines.append(f"ended after {len(found.values)} verdicts; --verdicts allows more")
        case "interrupted":
            lines.append(f"interrupted after {len(found.values)} verdicts")
        case "precise" | "open":
            pass
        case _:
            raise no_rule("ending", found.ending)
    return lines


def _apart(refuted: int | float, proved: int | float) -> str:
    """By which share of the larger value the two differ; nothing of neighbours."""
    if isinstance(refuted, int) and isinstance(proved, int) and abs(refuted - proved) == 1:
        return ""
    size = max(abs(refuted), abs(proved))
    return f", {three_figures(100 * abs(refuted / size - proved / size), up=True)} % apart"


def _whys(found: Threshold) -> list[str]:
    """Why values are open, each reason once."""
    return list(dict.fromkeys(why for known in found.open for why in known.found.why))


def threshold_json(spec: Spec, found: Threshold, calls: Sequence[str]) -> shapes.Threshold:
    """All verdicts, and the two values."""
    refuted, proved = found.refuted, found.proved
    return shapes.filled(
        shapes.Threshold,
        found,
        **of_spec(spec),
        varied=found.name,
        refuted=None if refuted is None else refuted.value,
        proved=None if proved is None else proved.value,
        open=[known.value for known in found.open],
        values=list(map(_value_json, found.values)),
        calls=list(calls),
    )


def _value_json(known: ValueVerdict) -> shapes.ValueVerdict:
    found = known.found
    failing = shapes.Failing(at_least=found.at_least, at_most=found.at_most)
    return shapes.filled(
        shapes.ValueVerdict,
        known,
        failing=failing,
        inputs=found.inputs,
        why_open=list(found.why),
    )
