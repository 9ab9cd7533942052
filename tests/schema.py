"""Writes the part of `compiler/weightspec.schema.json` that editors read: `python -m tests.schema`."""

from __future__ import annotations

from compiler.commands.editor_schema import with_editor
from compiler.source.files import write_whole
from compiler.source.schema import schema_text
from tests.helpers import ROOT

if __name__ == "__main__":
    write_whole(ROOT / "compiler" / "weightspec.schema.json", with_editor(schema_text()).encode())
