"""The stages in order: source → document → schema → names and numbers → network IR."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from collections.abc import Mapping as AnyMapping
from dataclasses import dataclass, replace
from functools import cached_property, reduce
from pathlib import Path

from compiler.language.layouts import with_classes
from compiler.language.overrides import as_settings, override
from compiler.language.resolve import Resolved, ResolvedTask, resolve, resolve_task
from compiler.language.suite_claims import impossible_claims
from compiler.language.warnings import find_suspicions, settled_warnings, without_ignored
from compiler.lowering.network import lower_network
from compiler.network.ir import Network, stream_after
from compiler.source.diagnostics import Diagnostic, Findings, SpecError, fail, in_file_order, raise_errors
from compiler.source.document import Mapping
from compiler.source.examples import example_or
from compiler.source.extends import Chain, merged_chain, parsed_chain, read_chain, single_document, without
from compiler.source.saved import is_saved, read_saved
from compiler.source.schema import check_schema, top_level_keys
from compiler.source.showing import html_table, short_repr
from compiler.source.text import Source
from compiler.tasks.layout import Layout


@dataclass(frozen=True)
class Spec:
    """A spec that has been checked in full: its names and numbers, its network, its task's token layout.

    `path` is the file that was read: YAML, or a saved model with the spec inside. `sources` are the texts as they were
    read: its own, that of the spec it extends, and so on. What is said of the spec later is said of these.
    """

    path: Path
    sources: tuple[Source, ...]
    settings: tuple[str, ...]
    resolved: Resolved
    network: Network
    warnings: tuple[Diagnostic, ...]

    __repr__ = short_repr

    def _repr_html_(self) -> str:
        """Its steps, for a notebook."""
        network = self.network
        rows = [(step.name, type(step).__name__, stream_after(step).size) for step in network.steps]
        caption = f"{self.title}: {network.dtype.name}, {network.vocabulary.size} tokens, context {network.context:,}"
        return html_table(caption, ("step", "kind", "dimensions after it"), rows)

    @cached_property
    def layout(self) -> Layout:
        """How inputs and answers are laid out in tokens. Raises `SpecError` where the spec states no task."""
        return with_classes(self.resolved.layout, self.network.classes.size)

    @cached_property
    def choices(self) -> tuple[Spec, ...]:
        """The spec for each choice of the task's sizes: itself alone, unless some of them are ranges."""
        asked = self.resolved.asked
        if len(asked) < 2:
            return (self,) if asked else ()
        return tuple(replace(self, resolved=replace(self.resolved, asked=(one,))) for one in asked)

    @property
    def name(self) -> str:
        return self.resolved.name

    @property
    def title(self) -> str:
        """The name, with the settings that make it a variant."""
        return _title(self.name, self.settings)


@dataclass(frozen=True)
class StatedTask:
    """What a model of another program is asked: a vocabulary and a task, out of a document of its own or a spec."""

    path: Path
    settings: tuple[str, ...]
    resolved: ResolvedTask
    warnings: tuple[Diagnostic, ...]

    @property
    def title(self) -> str:
        """The name, with the settings that make it a variant."""
        return _title(self.resolved.name, self.settings)


Overrides = AnyMapping[str, object] | Iterable[str]
OF_TASKS = ("weightspec", "name", "dtype", "constants", "parameters", "ignore", "vocabulary", "task", "decode")


@dataclass(frozen=True)
class Leniency:
    """What of the doubtful is let pass: see `load`."""

    ignore: tuple[str, ...] = ()
    strict: bool = False
    allow_overflow: bool = False


def load(
    path: str | Path,
    overrides: Overrides = (),
    *,
    ignore: Iterable[str] = (),
    strict: bool = False,
    allow_overflow: bool = False,
) -> Spec:
    """Read and check a spec, or the spec inside a saved model (`.safetensors`), whose tensors are not looked at.

    `overrides` are `{name: value}` or texts `name=value`, with the meaning of `--set` on the command line. `ignore` are
    codes of warnings that are switched off (`compiler.language.warnings.WARNINGS`); with `strict` all others are
    errors. With `allow_overflow` a weight that is too large for the dtype is stored as an infinity.
    A `path` without an ending that is no file names an example of the package, such as `tiny95`. `STANDARD_INPUT` is
    read once. Raises `SpecError`, which carries every diagnostic of the file.
    """
    path = example_or(Path(path))
    leniency = Leniency(tuple(ignore), strict, allow_overflow)
    if is_saved(path):
        return load_source(read_saved(path).source, overrides, replace(leniency, allow_overflow=True))
    return _check(path, read_chain(path), overrides, leniency)


def load_task(
    path: str | Path, overrides: Overrides = (), *, ignore: Iterable[str] = (), strict: bool = False
) -> StatedTask:
    """Read and check what a model of another program is asked: a document with a `vocabulary` and a `task`.

    It may be a spec, whose network and claims play no part then. `overrides`, `ignore` and `strict` are as for `load`.
    Raises `SpecError`, which carries every diagnostic of the file.
    """
    path, ignored = example_or(Path(path)), tuple(ignore)
    documents = (single_document(read_saved(path).source),) if is_saved(path) else read_chain(path).documents
    settings, whole = _merged(documents, overrides)
    if not {"vocabulary", "task"} & set(whole.names):
        hint = "write a `vocabulary`, and a `task` with a prompt and an answer, which may extend this file"
        raise fail("missing-key", "neither a vocabulary nor a task", whole.span.first, hint)
    others = [key for key in top_level_keys() if key not in OF_TASKS]
    checked = check_schema(reduce(Mapping.without, others, whole), required=("vocabulary", "task"))
    findings = Findings(checked.diagnostics)
    resolved = resolve_task(checked.document, findings) if checked.sound else None
    raise_errors(without_ignored(findings, checked.document, ignored))
    assert resolved is not None
    warnings = settled_warnings(findings, resolved.document, ignored, strict=strict)
    raise_errors(warnings)
    return StatedTask(path, settings, resolved, in_file_order(warnings))


def stated_task(spec: Spec) -> StatedTask:
    """What a spec asks, to be asked of another model. Raises `SpecError` where it states no task."""
    return StatedTask(spec.path, spec.settings, spec.resolved.without_network(), ())


def read_spec(path: str | Path) -> Chain:
    """The texts of a spec, or of the one inside a saved model, and their mappings, not checked yet: for many variants.

    `path` is as for `load`. Raises `SpecError`.
    """
    path = example_or(Path(path))
    if not is_saved(path):
        return read_chain(path)
    source = read_saved(path).source
    return Chain((single_document(source),), (source,))


def load_sources(sources: Iterable[Source], overrides: Overrides = (), leniency: Leniency = Leniency()) -> Spec:
    """Check a spec that was read before, in its `sources`; nothing is read again. Raises `SpecError`."""
    chain = parsed_chain(sources)
    source = chain.sources[0]
    return _check(source.path or Path(source.name), chain, overrides, leniency)


def load_source(source: Source, overrides: Overrides = (), leniency: Leniency = Leniency()) -> Spec:
    """Check the spec in a text; it may not extend another one. Raises `SpecError`, as `load` does."""
    return _check(source.path or Path(source.name), Chain((single_document(source),), (source,)), overrides, leniency)


def _check(path: Path, chain: Chain, overrides: Overrides, leniency: Leniency) -> Spec:
    settings, document = _merged(chain.documents, overrides)
    checked = check_schema(document)
    findings = Findings(checked.diagnostics)
    if not checked.sound:
        raise SpecError(without_ignored(findings, checked.document, leniency.ignore))
    resolved = resolve(checked.document, findings, allow_overflow=leniency.allow_overflow)
    if resolved is not None and not settings:  # the claims are not about a variant
        findings.report(*impossible_claims(resolved))
    lowered = lower_network(resolved, findings) if resolved is not None else None
    found = without_ignored(findings, checked.document, leniency.ignore)
    if checked.diagnostics:  # keys are left out, `ignore` maybe, so that a warning says little
        raise SpecError(one for one in found if one.severity == "error")
    raise_errors(found)
    assert resolved is not None
    assert lowered is not None
    resolved = replace(resolved, document=without(resolved.document, lowered.superseded))
    findings.report(*find_suspicions(resolved, lowered.network))
    warnings = settled_warnings(findings, resolved.document, leniency.ignore, strict=leniency.strict)
    raise_errors(warnings)
    return Spec(path, chain.sources, settings, resolved, lowered.network, in_file_order(warnings))


def _merged(documents: Sequence[Mapping], overrides: Overrides) -> tuple[tuple[str, ...], Mapping]:
    """Documents that extend one another as one, with the settings `NAME=VALUE`, and these."""
    settings = as_settings(overrides) if isinstance(overrides, AnyMapping) else list(overrides)
    return tuple(settings), override(merged_chain(documents), settings, top_level_keys())


def _title(name: str, settings: Iterable[str]) -> str:
    return " ".join([name, *(f"--set {setting}" for setting in settings)])


def lower(spec: Spec) -> Network:
    """The network IR of a spec."""
    return spec.network
