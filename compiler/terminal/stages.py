"""What a stage of the compiler hands on, as YAML or JSON."""

from __future__ import annotations

import click
import yaml

from compiler.pipeline import Spec
from compiler.stages import Stage, stage_value
from compiler.terminal.console import print_json
from compiler.writing import write_document


def print_stage(spec: Spec, stage: Stage, *, as_json: bool) -> None:
    """The document as the author spelled it; the other stages as nested names and numbers."""
    if as_json:
        print_json(stage_value(spec, stage))
    elif stage == "document":
        click.echo(write_document(spec.resolved.document), nl=False)
    else:
        dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
        value = stage_value(spec, stage)
        click.echo(yaml.dump(value, Dumper=dumper, sort_keys=False, allow_unicode=True, width=100), nl=False)
