"""A verification as a certificate: what was found, of which model, by what, so that others can check or repeat it."""

from __future__ import annotations

import platform

import torch

from compiler.backends.torch.saving import spec_text
from compiler.pipeline import Spec
from compiler.readers.counting.claims import check_verdict
from compiler.source.saved import spec_hash
from compiler.source.version import installed_version
from compiler.terminal import shapes
from compiler.terminal.counts import claims_json
from compiler.terminal.overview import definitions_json, of_spec
from compiler.verifier.results import VERSION, Counterexample, Lead, Margin, SizeResult, StepResult, Verification

CERTIFICATE_FORMAT = 2  # raised when a field is dropped or changes its meaning, not when one is added


def certificate(spec: Spec, verification: Verification, budget: float) -> shapes.Certificate:
    """The fields in docs/json.md. Integers are exact, however long they are."""
    at_least, at_most = verification.failing
    claim = check_verdict(spec, verification.verdict)
    return shapes.filled(
        shapes.Certificate,
        verification,
        format=CERTIFICATE_FORMAT,
        weightspec=installed_version() or "not installed",
        **of_spec(spec),
        spec_sha256=spec_hash(spec_text(spec)),
        task=spec.resolved.task.name,
        sizes=_sizes(spec),
        definitions=definitions_json(spec),
        inputs_text=str(verification.inputs),
        failing={"at_least": at_least, "at_most": at_most},
        margin=margin_json(verification, verification.margin),
        seen=_lead(verification, verification.seen),
        counterexample=_counterexample(verification.counterexample),
        why_open=list(verification.why),
        steps=[_step(verification, step) for step in verification.steps],
        by_size=[_of_size(part) for part in verification.by_size],
        engine=VERSION,
        torch=verification.torch_version,
        machine={"architecture": platform.machine(), "cpu": torch.backends.cpu.get_cpu_capability()},
        budget=budget,
        claims=claims_json([] if claim is None else [claim]),
    )


def _sizes(spec: Spec) -> dict[str, int]:
    sizes = {
        name: definition.integer()
        for name, definition in spec.resolved.definitions.items()
        if definition.kind == "size"
    }
    return {name: size for name, size in sizes.items() if size is not None}


def _of_size(part: SizeResult) -> shapes.Choice:
    found = part.verification
    at_least, at_most = found.failing
    return shapes.filled(
        shapes.Choice,
        found,
        sizes=dict(part.sizes),
        inputs_text=str(found.inputs),
        failing={"at_least": at_least, "at_most": at_most},
        margin=margin_json(found, found.margin),
        seen=_lead(found, found.seen),
        counterexample=_counterexample(found.counterexample),
        why_open=list(found.why),
        steps=[_step(found, step) for step in found.steps],
    )


def _step(verification: Verification, step: StepResult) -> shapes.AnswerStep:
    return shapes.filled(
        shapes.AnswerStep, step, margin=margin_json(verification, step.margin), seen=_lead(verification, step.seen)
    )


def margin_json(verification: Verification, margin: Margin | None) -> shapes.Margin | None:
    """A margin with its place."""
    return None if margin is None else shapes.filled(shapes.Margin, margin, place=verification.place(margin))


def _lead(verification: Verification, lead: Lead | None) -> shapes.Lead | None:
    if lead is None:
        return None
    place = verification.place(lead)
    return shapes.filled(shapes.Lead, lead, place=place, input=lead.text, operands=list(lead.inputs))


def _counterexample(example: Counterexample | None) -> shapes.Counterexample | None:
    if example is None:
        return None
    return shapes.filled(shapes.Counterexample, example, input=example.text, operands=list(example.inputs))
