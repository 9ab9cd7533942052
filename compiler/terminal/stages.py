"""What a stage of the compiler hands on, as YAML or JSON."""

from __future__ import annotations

import yaml

from compiler.pipeline import Spec
from compiler.readers.stages import Stage, stage_value
from compiler.source.printable import printable
from compiler.source.writing import write_document
from compiler.terminal.console import print_json
from compiler.terminal.plain import print_file


def print_stage(spec: Spec, stage: Stage, *, as_json: bool) -> None:
    """The document as the author spelled it; the other stages as nested names and numbers."""
    if as_json:
        print_json(stage_value(spec, stage))
    elif stage == "document":
        print_file(write_document(spec.resolved.document))
    else:
        print_file(_yaml(stage_value(spec, stage)))


def _yaml(value: object) -> str:
    """Nothing in it steers a terminal: where some text would, whatever is not ASCII is escaped."""
    dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
    for allow_unicode in (True, False):
        written: str = yaml.dump(value, Dumper=dumper, sort_keys=False, allow_unicode=allow_unicode, width=100)
        if printable(written, kept="\n") == written:
            break
    return written
