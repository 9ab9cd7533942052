"""The stages in order: source → document → schema → names and numbers → network IR."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from compiler.diagnostics import Diagnostic, SpecError, in_file_order, raise_errors
from compiler.extends import read_document, without
from compiler.ir import Network
from compiler.layouts import with_classes
from compiler.lowering.network import lower_network
from compiler.overrides import as_settings, override
from compiler.resolve import Resolved, resolve
from compiler.schema import check_schema, top_level_keys
from compiler.suspicions import find_suspicions, settle
from compiler.tasks.layout import Layout


@dataclass(frozen=True)
class Spec:
    """A spec that has been checked in full: its names and numbers, its network, its task's token layout."""

    path: Path
    settings: tuple[str, ...]
    resolved: Resolved
    network: Network
    layout: Layout
    warnings: tuple[Diagnostic, ...]

    @property
    def name(self) -> str:
        return self.resolved.name

    @property
    def title(self) -> str:
        """The name, with the settings that make it a variant."""
        return " ".join([self.name, *(f"--set {setting}" for setting in self.settings)])


def load(
    path: str | Path,
    overrides: Mapping[str, object] | Iterable[str] = (),
    *,
    ignore: Iterable[str] = (),
    strict: bool = False,
    allow_overflow: bool = False,
) -> Spec:
    """Read and check a spec.

    `overrides` are `{name: value}` or texts `name=value`, with the meaning of `--set` on the command line. `ignore` are
    codes of warnings that are switched off (`compiler.suspicions.WARNINGS`); with `strict` all others are errors. With
    `allow_overflow` a weight that is too large for the dtype is stored as an infinity.
    Raises `SpecError`, which carries every diagnostic of the file.
    """
    settings = as_settings(overrides) if isinstance(overrides, Mapping) else list(overrides)
    path = Path(path)
    document = override(read_document(path), settings, top_level_keys())
    checked = check_schema(document)
    found = list(checked.found)
    if not checked.sound:
        raise SpecError(found)
    resolved = resolve(checked.document, found, allow_overflow=allow_overflow)
    lowered = lower_network(resolved, found) if resolved is not None else None
    raise_errors(found)
    assert resolved is not None
    assert lowered is not None
    resolved = replace(resolved, document=without(resolved.document, lowered.superseded))
    found += find_suspicions(resolved)
    warnings = settle(found, resolved.document, tuple(ignore), strict=strict)
    raise_errors(warnings)
    layout = with_classes(resolved.layout, lowered.network.classes.size)
    return Spec(path, tuple(settings), resolved, lowered.network, layout, in_file_order(warnings))


def lower(spec: Spec) -> Network:
    """The network IR of a spec."""
    return spec.network
