"""A verification as a certificate: what was found, of which model, by what, so that others can check or repeat it."""

from __future__ import annotations

import platform

import torch

from compiler.claims import check_verdict
from compiler.pipeline import Spec
from compiler.saved import spec_hash
from compiler.terminal.counts import claims_json
from compiler.terminal.overview import definitions_json
from compiler.torch_backend.saving import spec_text
from compiler.verifier.results import VERSION, Counterexample, Margin, StepResult, Verification
from compiler.version import installed_version

FORMAT = 1  # of the certificate: raised when a field changes its meaning


def certificate(spec: Spec, found: Verification, budget: float) -> dict[str, object]:
    """The fields in docs/json.md. Integers are exact, however long they are."""
    return {
        "format": FORMAT,
        "weightspec": installed_version() or "not installed",
        "spec": str(spec.path),
        "name": spec.name,
        "settings": list(spec.settings),
        "spec_sha256": spec_hash(spec_text(spec)),
        "task": spec.resolved.task.kind,
        "sizes": {name: one.integer() for name, one in spec.resolved.definitions.items() if one.kind == "size"},
        "definitions": definitions_json(spec),
        "verdict": found.verdict,
        "method": found.method,
        "inputs": found.inputs,
        "inputs_text": str(found.inputs),
        "failing": {"at_least": found.failing[0], "at_most": found.failing[1]},
        "margin": _margin(found, found.margin),
        "counterexample": _counterexample(found.counterexample),
        "why_open": list(found.why),
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


def _step(found: Verification, step: StepResult) -> dict[str, object]:
    return {
        "slot": step.slot,
        "place": step.place,
        "right": step.right,
        "wrong": step.wrong,
        "open": step.open,
        "cells": step.cells,
        "window": step.window,
        "margin": _margin(found, step.margin),
        "why_open": step.why_open,
    }


def _margin(found: Verification, margin: Margin | None) -> dict[str, object] | None:
    if margin is None:
        return None
    return {
        "proved": margin.proved,
        "rounding": margin.rounding,
        "found": margin.found,
        "slot": margin.slot,
        "place": found.place(margin.slot),
        "input": margin.text,
        "operands": list(margin.inputs),
    }


def _counterexample(example: Counterexample | None) -> dict[str, object] | None:
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
