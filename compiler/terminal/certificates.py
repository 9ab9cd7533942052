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
from compiler.verifier.reasons import Reason
from compiler.verifier.results import VERSION, Counterexample, Lead, Margin, StepResult, Verification

CERTIFICATE_FORMAT = 2  # raised when a field is dropped or changes its meaning, not when one is added


def certificate(spec: Spec, found: Verification, budget: float) -> shapes.Certificate:
    """The fields in docs/json.md. Integers are exact, however long they are."""
    return {
        "format": CERTIFICATE_FORMAT,
        "weightspec": installed_version() or "not installed",
        **of_spec(spec),
        "spec_sha256": spec_hash(spec_text(spec)),
        "task": spec.resolved.task.name,
        "sizes": _sizes(spec),
        "definitions": definitions_json(spec),
        "verdict": found.verdict,
        "method": found.method,
        "inputs": found.inputs,
        "inputs_text": str(found.inputs),
        "failing": {"at_least": found.failing[0], "at_most": found.failing[1]},
        "margin": _margin(found, found.margin),
        "seen": _seen(found, found.seen),
        "tried": found.tried,
        "counterexample": _counterexample(found.counterexample),
        "why_open": list(found.why),
        "reasons": [_reason(reason) for reason in found.reasons],
        "steps": [_step(found, step) for step in found.steps],
        "dtype": found.dtype,
        "assumptions": found.assumptions,
        "engine": VERSION,
        "torch": found.torch_version,
        "machine": {"architecture": platform.machine(), "cpu": torch.backends.cpu.get_cpu_capability()},
        "budget": budget,
        "seconds": found.seconds,
        "ending": found.ending,
        "claims": claims_json([claim for claim in [check_verdict(spec, found.verdict)] if claim is not None]),
    }


def _sizes(spec: Spec) -> dict[str, int]:
    sizes = {name: one.integer() for name, one in spec.resolved.definitions.items() if one.kind == "size"}
    return {name: size for name, size in sizes.items() if size is not None}


def _step(found: Verification, step: StepResult) -> shapes.AnswerStep:
    return {
        "slot": step.slot,
        "place": step.place,
        "right": step.right,
        "wrong": step.wrong,
        "open": step.open,
        "cells": step.cells,
        "window": step.window,
        "margin": _margin(found, step.margin),
        "seen": _seen(found, step.seen),
        "why_open": step.why_open,
        "reason": None if step.reason is None else _reason(step.reason),
    }


def _reason(reason: Reason) -> shapes.Reason:
    return {"kind": reason.kind, "step": reason.step, "number": reason.number, "text": reason.text}


def _margin(found: Verification, margin: Margin | None) -> shapes.Margin | None:
    if margin is None:
        return None
    return {
        "proved": margin.proved,
        "rounding": margin.rounding,
        "slot": margin.slot,
        "place": found.place(margin.slot),
    }


def _seen(found: Verification, seen: Lead | None) -> shapes.Lead | None:
    if seen is None:
        return None
    return {
        "lead": seen.lead,
        "slot": seen.slot,
        "place": found.place(seen.slot),
        "input": seen.text,
        "operands": list(seen.inputs),
    }


def _counterexample(example: Counterexample | None) -> shapes.Counterexample | None:
    if example is None:
        return None
    return {
        "input": example.text,
        "operands": list(example.inputs),
        "slot": example.slot,
        "place": example.place,
        "expected": example.expected,
        "said": example.said,
        "right": example.right,
        "answer": example.answer,
    }
