"""Templates: each is a correct model with a name to be filled in, and says where to read on."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import compiler
from compiler.commands.starting import starting_spec, templates
from compiler.pipeline import Spec
from compiler.readers.counting.claims import check_claims
from compiler.source.diagnostics import SpecError
from compiler.source.document import Mapping, Scalar, parse_document
from compiler.source.text import Source
from tests.helpers import ROOT, SPECS, load_text

FOLDER = ROOT / "compiler" / "commands" / "templates"
SUITES = {
    "minimal": ["uniform", "edges", "carries", "near_carry", "exhaustive"],
    "rope": ["edges", "carries", "near_carry"],  # `uniform` too is run on the same model by tests/golden
    "tiny95": ["edges", "carries"],
}


@pytest.fixture(params=templates())
def template(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


def started(folder: Path, template: str) -> Spec:
    return load_text(folder, starting_spec(template, "mine"), name="mine")


def test_the_table_and_the_files_agree() -> None:
    assert sorted(templates()) == sorted(path.stem for path in FOLDER.iterdir())
    assert list(templates()) == list(SUITES)
    assert all("\n" not in summary and len(summary) < 100 for summary in templates().values())


def test_a_template_is_valid_without_warnings_and_builds(tmp_path: Path, template: str) -> None:
    spec = started(tmp_path, template)
    assert spec.name == "mine"
    assert spec.warnings == ()
    assert compiler.build(spec).state_dict()


def test_its_claims_hold(tmp_path: Path, template: str) -> None:
    spec = started(tmp_path, template)
    evaluation = compiler.evaluate(spec, SUITES[template])
    claims = check_claims(spec, compiler.count(spec), evaluation.suites)
    unchecked = [claim.claim.split(":")[0] for claim in claims if claim.status == "not checked"]
    assert {claim.status for claim in claims} <= {"held", "not checked"}
    assert not set(unchecked) & set(SUITES[template])
    assert {claim.claim.split(":")[0] for claim in claims} >= {"edges"}


@pytest.mark.parametrize(("template", "original"), [("rope", "qwen20"), ("tiny95", "tiny95")])
def test_a_template_is_the_model_that_it_says(tmp_path: Path, template: str, original: str) -> None:
    difference = compiler.diff(started(tmp_path, template), compiler.load(SPECS / f"{original}.yaml"))
    assert [change.path for change in difference.texts] == ["name"]
    assert (difference.shapes, difference.groups, difference.counts) == ((), (), ())


@pytest.mark.parametrize("base", [2, 3, 7, 16, 60])
def test_minimal_is_right_in_every_base(tmp_path: Path, base: int) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(starting_spec("minimal", "mine"), encoding="utf-8")
    evaluation = compiler.evaluate(compiler.load(path, {"base": base}), ["exhaustive"])
    assert (evaluation.right, evaluation.pairs) == (base**2, base**2)


def test_it_explains_every_section_and_names_the_reference(template: str) -> None:
    text = starting_spec(template, "mine")
    assert "docs/language.md" in text
    lines = text.splitlines()
    for i, line in enumerate(lines):
        section = line.partition(":")[0]
        if line[:1].isalpha() and section not in ("name", "summary", "source"):
            explained = lines[i - 1].startswith("#") or "  # " in line
            assert explained, line
    assert all(len(line) <= 120 for line in lines)


def test_only_the_name_is_filled_in(template: str) -> None:
    written = (FOLDER / f"{template}.yaml").read_text(encoding="utf-8").splitlines()
    filled = starting_spec(template, "mine").splitlines()
    changed = [(old, new) for old, new in zip(written, filled, strict=True) if old != new]
    assert changed == [(f"name: {template}", "name: mine")]


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=20) | st.from_regex(r"[-+.0-9eExXoO_a-f~]{1,8}", fullmatch=True))
def test_every_name_that_is_taken_reads_back(name: str) -> None:
    try:
        text = starting_spec("minimal", name)
    except SpecError:
        assume(False)
    document = parse_document(Source("mine.yaml", text))
    assert isinstance(document, Mapping)
    found = document.get("name")
    assert isinstance(found, Scalar)
    assert found.value == name


@pytest.mark.parametrize(
    ("template", "name", "code"), [("tiny59", "mine", "unknown-name"), ("rope", "a/b", "bad-name")]
)
def test_what_cannot_be_had(template: str, name: str, code: str) -> None:
    with pytest.raises(SpecError, match=r"did you mean 'tiny95'|path separator") as error:
        starting_spec(template, name)
    assert error.value.diagnostics[0].code == code
