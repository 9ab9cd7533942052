"""Whatever is in a file, `compiler.load` gives a `Spec` or a `SpecError`, and soon; and what it gives can be used."""

from __future__ import annotations

import io
from collections.abc import Iterable
from contextlib import redirect_stdout
from pathlib import Path
from random import Random

import pytest
import torch

import compiler
from compiler.pipeline import Spec, load_source
from compiler.readers.linting import lint
from compiler.source.diagnostics import Diagnostic, SpecError
from compiler.source.document import Mapping, Node, Scalar, Sequence
from compiler.source.text import Source, Span
from compiler.source.writing import write_document
from compiler.terminal.console import diagnostic_json
from compiler.terminal.overview import print_overview
from tests.helpers import DATA, SPECS, bounded
from tests.property.mutants import mutant, setting

SEEDS = sorted([*SPECS.glob("*.yaml"), *(DATA / "fuzz").glob("*.yaml")])
CHUNK = 50  # mutants of one test
MAX_BUILT = 200_000  # scalars; and tokens of context
MAX_CONTEXT = 64


def check_places(diagnostics: Iterable[Diagnostic]) -> None:
    """Every place that a finding names lies in its text."""
    for diagnostic in diagnostics:
        diagnostic_json(diagnostic)
        for span in (diagnostic.span, *(note.span for note in diagnostic.notes)):
            if span is not None:
                assert 0 <= span.start <= span.end <= len(span.source.text), (diagnostic.code, span.start, span.end)
                assert span.line >= 1 <= span.column


def check_refused(error: SpecError) -> None:
    assert any(diagnostic.severity == "error" for diagnostic in error.diagnostics)
    assert str(error)
    check_places(error.diagnostics)


def check_valid(spec: Spec, *, built: bool) -> None:
    """A spec that is valid can be counted, linted, written and read again, and built."""
    assert isinstance(spec, Spec)
    check_places(spec.warnings)
    counts = compiler.count(spec)
    check_places(lint(spec, "adderboard"))
    again = load_source(Source("again.yaml", write_document(spec.resolved.document)))
    assert content(again.resolved.document) == content(spec.resolved.document)
    assert compiler.count(again).dense == counts.dense
    if built and counts.dense <= MAX_BUILT and spec.network.context <= MAX_CONTEXT:
        model = compiler.build(spec)
        tokens = torch.arange(spec.network.context)[None] % spec.network.vocabulary.size
        with torch.inference_mode():
            logits = model(tokens)
        assert logits.shape == (1, spec.network.context, spec.network.classes.size)
        with redirect_stdout(io.StringIO()):
            print_overview(spec)


def content(node: Node) -> object:
    """A document without places; a NaN is equal to itself."""
    match node:
        case Scalar(text=text, value=value):
            return text, type(value)
        case Sequence(items=items):
            return [content(item) for item in items]
        case Mapping(items=pairs):
            return [(key.text, content(value)) for key, value in pairs]
        case _:
            raise AssertionError(node)


def is_valid(path: Path, settings: list[str], *, built: bool) -> bool:
    """Whether it loads; what follows from that is checked."""
    try:
        spec = compiler.load(path, settings)
    except SpecError as error:
        check_refused(error)
        return False
    check_valid(spec, built=built)
    return True


def check_chunk(folder: Path, chunk: int) -> tuple[int, int]:
    """Load the mutants of one chunk; how many were valid, and how many were refused."""
    random = Random(f"mutants:{chunk}")
    for path in SEEDS:
        (folder / path.name).write_bytes(path.read_bytes())
    valid = 0
    for case in range(CHUNK):
        seed = random.choice(SEEDS)
        text = seed.read_text(encoding="utf-8")
        data, settings = mutant(text, random), list[str]()
        if random.random() < 0.1:
            data, settings = text.encode(), [setting(text, random)]
        if seed.name == "wide.yaml" and random.random() < 0.3:  # read as what another one extends
            path = folder / "chain" / "variant.yaml"
            path.parent.mkdir(exist_ok=True)
            path.write_bytes((DATA / "fuzz" / path.name).read_bytes())
            (path.parent / seed.name).write_bytes(data)
        else:
            path = folder / "mutant.yaml"
            path.write_bytes(data)
        try:
            with bounded():
                valid += is_valid(path, settings, built=case % 4 == 0)
        except BaseException as error:
            pytest.fail(f"chunk {chunk}, case {case}: {error!r}\n{settings} on {path.name}\n{data!r}")
    return valid, CHUNK - valid


@pytest.mark.parametrize("chunk", [pytest.param(i, marks=[pytest.mark.long] * (i > 2)) for i in range(10)])
def test_mutants_load_or_are_refused(tmp_path: Path, chunk: int) -> None:
    valid, refused = check_chunk(tmp_path, chunk)
    assert valid >= 1  # the mutants reach the later stages
    assert refused >= 10


@pytest.mark.long
@pytest.mark.parametrize("chunk", range(10, 410))
def test_many_mutants_load_or_are_refused(tmp_path: Path, chunk: int) -> None:
    assert sum(check_chunk(tmp_path, chunk)) == CHUNK


def test_a_place_outside_its_text_is_noticed() -> None:
    with pytest.raises(AssertionError):
        check_places([Diagnostic("code", "message", Span(Source("made", "text"), 3, 5))])
