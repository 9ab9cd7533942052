"""A file that says which tensor of one model is which of another one: YAML, `OLD: NEW`."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from compiler.network.storage import tensor_names
from compiler.pipeline import Spec
from compiler.source.diagnostics import Diagnostic, Findings, Note, did_you_mean, fail, raise_errors
from compiler.source.document import Mapping, Scalar, parse_document, read_source, whole_file
from compiler.source.state_dicts import StateDict

LINE_HINT = "a line for each tensor, as in `layer0.ffn.up.weight: mlp.fc.weight`"


def read_name_map(path: Path, before: Spec | StateDict, after: Spec | StateDict) -> dict[str, str]:
    """Which tensor of the second model stands for one of the first, by their names. Each name is there, once.

    Raises `SpecError` with every name that is not.
    """
    source = read_source(path)
    document = parse_document(source, first_line=LINE_HINT)
    if not isinstance(document, Mapping) or not document.items:
        raise fail("bad-map", "not a mapping of names", whole_file(path), LINE_HINT)
    findings = Findings()
    taken: dict[str, Scalar] = {}
    known = _tensors(before), _tensors(after)
    for key, value in document.items:
        if not isinstance(value, Scalar):
            findings.report(Diagnostic("bad-map", f"'{key.text}' needs one name, not several", value.span, LINE_HINT))
            continue
        for name, model, names in ((key, before, known[0]), (value, after, known[1])):
            if name.text not in names:
                message = f"{model.title} has no tensor '{name.text}'{did_you_mean(name.text, names)}"
                findings.report(Diagnostic("unknown-name", message, name.span))
        if value.text in taken:
            notes = (Note("first written here", taken[value.text].span),)
            findings.report(Diagnostic("bad-map", f"'{value.text}' is written twice", value.span, notes=notes))
        taken.setdefault(value.text, value)
    raise_errors(findings)
    return {key.text: value.text for key, value in document.items if isinstance(value, Scalar)}


def _tensors(model: Spec | StateDict) -> Collection[str]:
    return tensor_names(model.network) if isinstance(model, Spec) else model.tensors.keys()
