"""What a stage of the compiler hands on, as YAML or JSON."""

from __future__ import annotations

from typing import Any

import yaml

from compiler.pipeline import Spec
from compiler.readers.dumps.stages import Stage, stage_value
from compiler.source.printable import printable
from compiler.source.writing import write_document
from compiler.terminal.console import print_json
from compiler.terminal.plain import print_file


def print_stage(spec: Spec, stage: Stage, after: str | None, *, as_json: bool) -> None:
    """The document as the author spelled it; the other stages as nested names and numbers. Raises `SpecError`."""
    if as_json:
        print_json(stage_value(spec, stage, after))
    elif stage == "document":
        print_file(write_document(spec.resolved.document))
    else:
        print_file(_yaml(stage_value(spec, stage, after), rows=stage in ("resolved", "program")))


def _yaml(value: object, *, rows: bool) -> str:
    """`rows`: a list or a mapping of single values stands in one row.

    Nothing in it steers a terminal: where some text would, whatever is not ASCII is escaped.
    """
    dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
    style: dict[str, Any] = {"default_flow_style": None if rows else False}
    for allow_unicode in (True, False):
        written: str = yaml.dump(value, Dumper=dumper, sort_keys=False, allow_unicode=allow_unicode, width=100, **style)
        if printable(written, kept="\n") == written:
            break
    return written
