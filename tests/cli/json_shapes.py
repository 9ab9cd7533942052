"""The shapes of `--json`, one for each command, and a small checker. `docs/json.md` states the same for people.

A shape is the name of a type, a mapping of fields, or a list of one shape. The field `NAME` stands for any key.
"""

from __future__ import annotations

from collections.abc import Iterator

Shape = str | dict[str, "Shape"] | list["Shape"]

DIAGNOSTIC: Shape = {
    "severity": "text",
    "code": "text",
    "message": "text",
    "file": "text or null",
    "line": "integer or null",
    "column": "integer or null",
    "hint": "text or null",
    "notes": [{"message": "text", "file": "text", "line": "integer", "column": "integer"}],
}
CLAIM: Shape = {"claim": "text", "status": "text", "reason": "text", "file": "text", "line": "integer"}
TENSOR: Shape = {
    "name": "text",
    "shape": "list of integer",
    "entries": [
        {
            "index": "list of integer",
            "place": "text",
            "value": "number",
            "file": "text",
            "line": "integer",
            "equation": "text",
        },
    ],
}
EVALUATION: Shape = {
    "spec": "text",
    "name": "text",
    "settings": "list of text",
    "protocol": "text or null",
    "threshold": "number or null",
    "qualified": "boolean or null",
    "right": "integer",
    "pairs": "integer",
    "batched": "integer",
    "seconds": "number",
    "engine": {"name": "text", "detail": "text", "reason": "text or null"},
    "decoding": "text",
    "dtype": "text",
    "device": "text",
    "threads": "integer",
    "torch": "text",
    "suites": [
        {
            "suite": "text",
            "seed": "integer or null",
            "right": "integer",
            "pairs": "integer",
            "seconds": "number",
            "resumed": "integer",
            "parts": [
                {
                    "label": "text",
                    "right": "integer",
                    "pairs": "integer",
                    "close": "integer",
                    "batched": "integer",
                    "failures": [{"input": "text", "expected": "text", "got": "text"}],
                    "classes": [
                        {"slot": "text", "expected": "text", "said": "text", "count": "integer", "input": "text"}
                    ],
                    "other": "integer",
                }
            ],
        }
    ],
    "claims": "list of claim",
}
FIGURES: dict[str, Shape] = {
    "counts": {
        "dense": "integer",
        "nonzero": "integer",
        "distinct": "integer",
        "values": "integer",
        "free": "integer or null",
    },
    "dense_untied": "integer",
    "values_with_zero": "integer",
    "claimed": "integer or null",
    "claimed_rule": "text or null",
    "claimed_note": "text or null",
    "hard_coded": [{"name": "text or null", "value": "number", "whole": "boolean", "file": "text", "line": "integer"}],
}
DEFINITIONS: Shape = [
    {"name": "text", "kind": "text", "written": "text", "values": "list of number", "file": "text", "line": "integer"}
]
MARGIN: Shape = {
    "proved": "number",
    "rounding": "number",
    "slot": "integer",
    "place": "text",
}
LEAD: Shape = {
    "lead": "number",
    "slot": "integer",
    "place": "text",
    "input": "text",
    "operands": "list of integer",
}
REASON: Shape = {"kind": "text", "step": "text or null", "number": "number or null", "text": "text"}
COUNTEREXAMPLE: Shape = {
    "input": "text",
    "operands": "list of integer",
    "slot": "integer",
    "place": "text",
    "expected": "text",
    "said": "text",
    "right": "text",
    "answer": "text",
}
CERTIFICATE: Shape = {
    "format": "integer",
    "weightspec": "text",
    "spec": "text",
    "name": "text",
    "settings": "list of text",
    "spec_sha256": "text",
    "task": "text",
    "sizes": {"NAME": "integer"},
    "definitions": DEFINITIONS,
    "verdict": "text",
    "method": "text",
    "inputs": "integer",
    "inputs_text": "text",
    "failing": {"at_least": "integer", "at_most": "integer"},
    "margin": "margin or null",
    "seen": "lead or null",
    "tried": "integer",
    "counterexample": "counterexample or null",
    "why_open": "list of text",
    "reasons": "list of reason",
    "steps": [
        {
            "slot": "integer",
            "place": "text",
            "right": "integer",
            "wrong": "integer",
            "open": "integer",
            "cells": "integer",
            "window": "integer",
            "margin": "margin or null",
            "seen": "lead or null",
            "why_open": "text or null",
            "reason": "reason or null",
        }
    ],
    "dtype": "text",
    "assumptions": "text",
    "engine": "integer",
    "torch": "text",
    "machine": {"architecture": "text", "cpu": "text"},
    "budget": "number",
    "seconds": "number",
    "ending": "text",
    "claims": "list of claim",
}
SHARED: dict[str, Shape] = {
    "diagnostic": DIAGNOSTIC,
    "claim": CLAIM,
    "tensor": TENSOR,
    "margin": MARGIN,
    "lead": LEAD,
    "reason": REASON,
    "counterexample": COUNTEREXAMPLE,
    "certificate": CERTIFICATE,
}
SHAPES: dict[str, Shape] = {  # by the heading in docs/json.md
    "Errors": {"errors": "list of diagnostic", "warnings": "list of diagnostic"},
    "Diagnostic": DIAGNOSTIC,
    "Claim": CLAIM,
    "new": {"written": "text", "template": "text"},
    "fmt": [{"spec": "text", "changed": "boolean", "diagnostics": "list of diagnostic"}],
    "validate": [{"spec": "text", "valid": "boolean", "diagnostics": "list of diagnostic"}],
    "lint": [
        {
            "spec": "text",
            "rules": "text",
            "valid": "boolean",
            "breaks": "integer",
            "disclose": "integer",
            "findings": "list of diagnostic",
            "diagnostics": "list of diagnostic",
        }
    ],
    "lint --list": [
        {"code": "text", "level": "text", "sets": "list of text", "asks": "text", "source": "text", "fix": "text"}
    ],
    "show": {
        "spec": "text",
        "name": "text",
        "settings": "list of text",
        "dtype": "text",
        "vocabulary": "list of text",
        "classes": "integer",
        "decode": "text",
        "context": "integer",
        "prompt": "text",
        "answer": "text",
        "definitions": DEFINITIONS,
        "steps": [
            {
                "name": "text",
                "summary": "text",
                "stream_after": "list of text",
                "equations": [{"file": "text", "line": "integer", "left": "text", "right": "text"}],
            }
        ],
        "tensors": "list of tensor",
    },
    "show TENSOR": TENSOR,
    "count": [
        {
            "spec": "text",
            "name": "text",
            "settings": "list of text",
            **FIGURES,
            "free_names": "list of text",
            "tensors": [
                {
                    "name": "text",
                    "shape": "list of integer",
                    "dense": "integer",
                    "nonzero": "integer",
                    "tied_to": "text or null",
                    "lines": [
                        {
                            "file": "text",
                            "line": "integer",
                            "equation": "text",
                            "written": "integer",
                            "nonzero": "integer",
                        }
                    ],
                }
            ],
            "claims": "list of claim",
            "assertions": [{"assertion": "text", "figure": "text", "found": "integer or null", "holds": "boolean"}],
        }
    ],
    "count with a wrong spec": {
        "errors": "list of diagnostic",
        "warnings": "list of diagnostic",
        "counted": "list of count",
    },
    "count --why": [
        {
            "spec": "text",
            "name": "text",
            "settings": "list of text",
            "tensor": "text",
            "place": "text",
            "stored_as": "text",
            "index": "list of integer",
            "shape": "list of integer",
            "broadcast": "boolean",
            "value": "number",
            "dtype": "text",
            "part": "text or null",
            "equation": "text or null",
            "file": "text or null",
            "line": "integer or null",
            "source": "text or null",
            "tied_by": [{"file": "text", "line": "integer", "equation": "text"}],
            "names": [
                {
                    "name": "text",
                    "kind": "text",
                    "value": "number or null",
                    "written": "text or null",
                    "file": "text or null",
                    "line": "integer or null",
                }
            ],
            "computed_from": "list of integer",
            "numbers": [
                {
                    "name": "text or null",
                    "kind": "text",
                    "value": "number",
                    "written": "text",
                    "file": "text",
                    "line": "integer",
                    "computed_from": "list of integer",
                }
            ],
            "near": [
                {
                    "axis": "text",
                    "label": "text",
                    "file": "text",
                    "line": "integer",
                    "equation": "text",
                    "places": "list of text",
                }
            ],
        }
    ],
    "diff": {
        "before": "text",
        "after": "text",
        "equal": "boolean",
        "alike": "list of text or null",
        "notes": "list of text",
        "texts": [
            {
                "section": "text",
                "section_before": "text or null",
                "path": "text",
                "before": "text or null",
                "after": "text or null",
                "file_before": "text or null",
                "line_before": "integer or null",
                "file_after": "text or null",
                "line_after": "integer or null",
            }
        ],
        "names": [{"kind": "text", "before": "text", "after": "text"}],
        "shapes": [{"tensor": "text", "before": "list of integer or null", "after": "list of integer or null"}],
        "ties": [{"tensor": "text", "before": "text or null", "after": "text or null"}],
        "products": [
            {"tensor": "text", "before": "list of text", "after": "list of text", "equal": "boolean or null"},
        ],
        "weights": [
            {
                "causes": "list of text",
                "ratio": "number or null",
                "entries": [
                    {
                        "tensor": "text",
                        "at": "text",
                        "before": "number or null",
                        "after": "number or null",
                        "ulps": "integer or null",
                    },
                ],
            }
        ],
        "tensors": [
            {
                "name_before": "text or null",
                "name_after": "text or null",
                "shape_before": "list of integer or null",
                "shape_after": "list of integer or null",
                "dtype_before": "text or null",
                "dtype_after": "text or null",
                "differing": "integer",
                "largest": "number or null",
                "ulps": "integer or null",
                "ulps_dtype": "text or null",
                "transposed": "boolean",
                "entries": [
                    {"tensor": "text", "at": "text", "before": "number", "after": "number", "ulps": "integer or null"}
                ],
            }
        ],
        "counts": [{"rule": "text", "before": "integer or null", "after": "integer or null"}],
    },
    "build": {
        "spec": "text",
        "name": "text",
        "settings": "list of text",
        "parameters": "integer",
        "state_dict": {"NAME": "list of integer"},
    },
    "eval": EVALUATION,
    "run": {
        "spec": "text",
        "name": "text",
        "settings": "list of text",
        "input": "text",
        "answer": "text",
        "expected": "text",
        "right": "boolean",
        "prompt_tokens": "list of text",
        "right_tokens": "list of text",
        "answer_tokens": "list of (text or null)",
    },
    "verify": [CERTIFICATE],
    "Margin": MARGIN,
    "Lead": LEAD,
    "Reason": REASON,
    "Counterexample": COUNTEREXAMPLE,
    "verify with a wrong spec": {
        "errors": "list of diagnostic",
        "warnings": "list of diagnostic",
        "verified": "list of certificate",
    },
    "report": {
        "file": "text or null",
        "stale": "boolean or null",
        "models": [
            {
                "spec": "text",
                "name": "text",
                "settings": "list of text",
                "summary": "text",
                "source": "text",
                "task": "text",
                "sizes": {"NAME": "integer"},
                "dtype": "text",
                "layers": {
                    "attention": "integer",
                    "ffn": "integer",
                    "attention_runs": "integer",
                    "ffn_runs": "integer",
                },
                "stream": "list of integer",
                "heads": [
                    {"heads": "integer", "kv_heads": "integer", "head_dim": "integer", "value_dim": "integer"},
                ],
                "hidden": "list of integer",
                "lines": "integer",
                "lines_extended": "integer",
                **FIGURES,
                "agreeing": "list of text",
                "suites": [
                    {
                        "suite": "text",
                        "seed": "integer or null",
                        "right": "integer",
                        "pairs": "integer",
                        "failures": [{"input": "text", "expected": "text", "got": "text"}],
                    }
                ],
                "verdict": "text or null",
                "claims": "list of claim",
                "disclosures": "list of diagnostic",
            }
        ],
        "findings": [{"about": "text", "sentences": "list of text"}],
    },
}

COUNTED = SHAPES["count"]
assert isinstance(COUNTED, list)
SHARED["count"] = COUNTED[0]


def fields(shape: Shape, path: str = "") -> Iterator[tuple[str, str]]:
    """Each field of a shape with its type, as the tables of the page have them: `suites[].seed`, `integer or null`."""
    if path:
        kinds = {str: shape, dict: "object", list: "list of object"}
        yield path, str(kinds[type(shape)])
    match shape:
        case dict():
            for key, inner in shape.items():
                yield from fields(inner, f"{path}.{key}" if path else key)
        case [inner]:
            for below, kind in fields(inner):
                yield f"{path}[].{below}" if path else below, kind


def problems(value: object, shape: Shape, path: str = "$") -> Iterator[str]:
    """Where a value does not have a shape: keys too many or missing, types that differ."""
    match shape:
        case dict() if isinstance(value, dict):
            keys = dict.fromkeys(value, shape["NAME"]) if "NAME" in shape else shape
            yield from (f"{path}: no field {key}" for key in keys.keys() - value.keys())
            yield from (f"{path}: a field {key} too many" for key in value.keys() - keys.keys())
            for key in keys.keys() & value.keys():
                yield from problems(value[key], keys[key], f"{path}.{key}")
        case [inner] if isinstance(value, list):
            for i, item in enumerate(value):
                yield from problems(item, inner, f"{path}[{i}]")
        case str():
            yield from _of_type(value, shape, path)
        case _:
            yield f"{path}: {type(value).__name__}, not {'an object' if isinstance(shape, dict) else 'a list'}"


def _of_type(value: object, kind: str, path: str) -> Iterator[str]:
    if kind.endswith(" or null"):
        if value is not None:
            yield from _of_type(value, kind.removesuffix(" or null"), path)
    elif kind.startswith("list of "):
        inner = kind.removeprefix("list of ").strip("()")
        yield from problems(value, [SHARED.get(inner, inner)], path)
    elif kind in SHARED:
        yield from problems(value, SHARED[kind], path)
    elif not _is(value, kind):
        yield f"{path}: {value!r} is no {kind}"


def _is(value: object, kind: str) -> bool:
    match kind:
        case "text":
            return isinstance(value, str)
        case "boolean":
            return isinstance(value, bool)
        case "integer":
            return isinstance(value, int) and not isinstance(value, bool)
        case "number":  # JSON has no infinity and no NaN
            return (isinstance(value, int | float) and not isinstance(value, bool)) or value in ("inf", "-inf", "nan")
    raise AssertionError(f"no type {kind}")


def nulls(value: object, shape: Shape, path: str = "") -> Iterator[tuple[str, bool]]:
    """Each value of a field that may be null: its path, from the last shared shape on, and whether it is null."""
    match shape:
        case dict() if isinstance(value, dict):
            for key, inner in shape.items():
                yield from nulls(value.get(key), inner, f"{path}.{key}" if path else key)
        case [inner] if isinstance(value, list):
            for item in value:
                yield from nulls(item, inner, path)
        case str() if shape.endswith(" or null"):
            yield path, value is None
            inner = shape.removesuffix(" or null")
            if value is not None and inner in SHARED:
                yield from nulls(value, SHARED[inner], inner)
        case str() if shape.startswith("list of ") and isinstance(value, list):
            inner = shape.removeprefix("list of ").strip("()")
            yield from nulls(value, [SHARED.get(inner, inner)], inner if inner in SHARED else path)
