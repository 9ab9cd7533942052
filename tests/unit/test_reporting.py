"""What a report is made of: sizes of networks, lines of YAML, what the figures reveal, and pages without models."""

from __future__ import annotations

from pathlib import Path

import pytest

import compiler
from compiler.network.dimensions import Dimensions, HeadSizes, Layers, dimensions
from compiler.pipeline import load
from compiler.readers.linting import lint
from compiler.report.markdown.page import report_page, title_of
from compiler.report.observations import (
    author_counts,
    faultless,
    screened,
    smallest,
    smallest_everywhere,
    widest_spread,
)
from compiler.report.reporting import Group, Report, ReportedModel, make_report
from compiler.report.yaml_lines import YamlLines, count_lines, yaml_lines
from compiler.source.text import Source
from tests.helpers import SPECS, STEPS, load_text, loaded, small


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("a: 1\n", 1),
        ("a: 1", 1),
        ("a: 1  # why\n# why\n\n  # why\nb: 2\n", 2),
        ("a: >-\n  one\n  # two\n\n  three\n\n\n# no\nb: 2\n", 5),
        ("a: |\n  one\n    # two\n  # three\n# no\n", 4),
        ("a: {x: 1,  # why\n\n    # why\n    y: 2}\n", 2),
        ("a: [\n  1,\n  2\n]\n", 4),
        ("a: plain\n  goes on\n\n  here # why\n", 3),
        ('a: "quoted\n\n  # text"\n', 2),
        ("a:\n  - 1\n  - 2\n", 3),
        ("\ufeffa: 1\r\n# why\r\n\r\nb: 2\r\n", 2),
        ("a: &x 1\nb: *x\n", 2),
        ("a:\nb:\n", 2),
    ],
)
def test_lines_that_say_something(text: str, lines: int) -> None:
    assert count_lines(Source("spec", text)) == lines


@pytest.mark.parametrize("path", [*sorted(SPECS.rglob("*.yaml")), *sorted(STEPS.glob("*.yaml"))], ids=lambda p: p.stem)
def test_lines_of_specs(path: Path) -> None:
    """None of these has a text of several lines with a `#` at the start of one."""
    written = [line.strip() for line in path.read_text(encoding="utf-8").splitlines()]
    said = sum(1 for line in written if line and not line.startswith("#"))
    assert yaml_lines(loaded(path).sources).own == said


def test_lines_of_what_is_extended_are_counted_apart(tmp_path: Path) -> None:
    load_text(tmp_path, small("embedding: {=: {x: 1}}"), name="base")
    load_text(tmp_path, "weightspec: 1\nextends: base.yaml\n# why\nname: first\n", name="first")
    variant = "weightspec: 1\nextends: first.yaml\nname: second\nnetwork: {scale: 2}\n"
    second = load_text(tmp_path, variant, {"digits": 3}, "second")
    base = yaml_lines(load(tmp_path / "base.yaml").sources)
    assert base.extended == 0
    assert yaml_lines(second.sources) == YamlLines(4, base.own + 3)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("repeat", Dimensions(Layers(1, 1, 3, 4), (3,), (HeadSizes(1, 1, 1, 1),), (1,))),
        ("ffn-widen", Dimensions(Layers(0, 2, 0, 2), (3, 5), (), (1, 5))),
        ("kv-shared", Dimensions(Layers(1, 0, 1, 0), (3,), (HeadSizes(3, 1, 2, 1),), ())),
        ("embedding-rows", Dimensions(Layers(0, 0, 0, 0), (11,), (), ())),
    ],
)
def test_dimensions(name: str, expected: Dimensions) -> None:
    assert dimensions(load(STEPS / f"{name}.yaml").network) == expected


def test_progress_ends_where_it_says() -> None:
    specs = [load(SPECS / f"{name}.yaml") for name in ("tiny95", "reverse", "qwen20")]
    seen: list[tuple[str, int, int]] = []
    make_report(
        specs, ["near_carry"], inputs=5, progress=lambda spec, done, total: seen.append((spec.name, done, total))
    )
    assert seen == [("qwen20", 1, 2), ("tiny95", 2, 2)]


def test_a_report_without_models() -> None:
    assert make_report([]) == Report(())
    assert report_page(Report(())).startswith("# Report\n")
    assert (smallest(()), smallest_everywhere(()), widest_spread(())) == ((), (), None)
    assert not any(author_counts(()).values())
    empty = Group("addition", "", (), (), ())
    assert (screened(empty), faultless(empty)) == ((), ())


@pytest.mark.parametrize(
    ("file", "title"),
    [
        ("gallery.md", "Gallery"),
        ("docs/hand-built_adders.md", "Hand built adders"),
        ("-.md", "Report"),
        (None, "Report"),
    ],
)
def test_the_title_is_the_name_of_the_file(file: str | None, title: str) -> None:
    assert title_of(None if file is None else Path(file)) == title


@pytest.fixture(scope="module")
def models() -> tuple[ReportedModel, ...]:
    return make_report([load(path) for path in SPECS.glob("*.yaml")], ["edges"]).models


def test_the_smallest_are_smallest(models: tuple[ReportedModel, ...]) -> None:
    found = {one.rule: one for one in smallest(models)}
    assert set(found) == {"dense", "nonzero", "distinct", "values", "free"}
    for rule, one in found.items():
        figures = {model.spec.name: model.counts.by_rule(rule) for model in models}
        known = [figure for figure in figures.values() if figure is not None]
        assert one.figure == min(known)
        assert {model.spec.name for model in one.models} == {name for name, own in figures.items() if own == one.figure}


def test_what_a_suite_lets_through() -> None:
    made = make_report([load(SPECS / f"{name}.yaml") for name in ("tiny95", "tiny95-exact")], ["edges", "carries"])
    (group,) = made.groups
    found = {one.suite.name: one for one in screened(group)}
    assert [model.spec.name for model in found["carries"].passed] == ["tiny95", "tiny95-exact"]
    assert [model.spec.name for model in found["carries"].failing_elsewhere] == ["tiny95"]
    assert [model.spec.name for model in found["edges"].passed] == ["tiny95-exact"]
    assert found["edges"].failing_elsewhere == ()
    assert [model.spec.name for model in faultless(group)] == ["tiny95-exact"]


def test_a_suite_that_one_model_has_says_nothing_of_the_others(tmp_path: Path) -> None:
    """tiny95 fails near carries, and was not run on the suite that its variant has."""
    for name in ("tiny95", "tiny95-exact"):
        (tmp_path / f"{name}.yaml").write_text((SPECS / f"{name}.yaml").read_text(encoding="utf-8"), encoding="utf-8")
    suites = "task: {suites: {high: {only: number(a) > 5000, size: 20}}}\n"
    text = f"weightspec: 1\nextends: tiny95-exact.yaml\nname: variant\n{suites}expect: null\nignore: no-claims\n"
    specs = [load(SPECS / "tiny95.yaml"), load_text(tmp_path, text, name="variant")]
    (group,) = make_report(specs, ["edges", "high"]).groups
    assert [suite.name for suite in group.suites] == ["edges", "high"]
    edges, high = screened(group)
    assert [[model.spec.name for model in models] for models in (edges.run, edges.passed)] == [
        ["tiny95", "variant"],
        ["variant"],
    ]
    assert [model.spec.name for model in high.run] == [model.spec.name for model in high.passed] == ["variant"]
    assert high.failing_elsewhere == ()
    tiny, _ = group.models
    assert tiny.result(high.suite) is None


def test_a_saved_model_can_be_reported(tmp_path: Path) -> None:
    spec = load(SPECS / "qwen20.yaml")
    path = tmp_path / "saved.safetensors"
    compiler.save_model(spec, compiler.build(spec), path)
    (saved,) = make_report([load(path)], ["edges"]).models
    (plain,) = make_report([spec], ["edges"]).models
    assert (saved.counts.free, saved.dimensions) == (plain.counts.free, plain.dimensions)
    assert [one.right for one in saved.results] == [one.right for one in plain.results] == [784]
    assert saved.lines.extended == 0
    assert saved.lines.own > 40
    assert "[qwen20](saved.safetensors)" in report_page(Report((Group("x", "", (), (), (saved,)),)), tmp_path / "x.md")


def test_of_many_hard_coded_numbers_the_first_are_listed(tmp_path: Path) -> None:
    numbers = ", ".join(str(i + 1.5) for i in range(30))
    text = small('embedding: {=: {x: "sum(w[k], k, 30)"}}', definitions=f"constants:\n  w: [{numbers}]")
    page = report_page(make_report([load_text(tmp_path, text)], ["edges"]))
    (listed,) = (line for line in page.splitlines() if line.startswith("- Hard-coded: "))
    assert listed.count(" in `w`") == 24
    assert listed.endswith(" and 6 more")


TABLE = """
embedding:
  digit[d]: {x: d}
position:
  x: where(pos < 3, 100, pos == 4, 7, 0)
head:
  logits digit[d]: d * x
"""


def test_what_lint_discloses_stands_in_the_report(tmp_path: Path) -> None:
    """A table of positions holds the algorithm: no figure says so."""
    curve = TABLE.replace("where(pos < 3, 100, pos == 4, 7, 0)", "pos")
    table = load_text(tmp_path, small(TABLE, stream="x"), name="b")
    plain = load_text(tmp_path, small(curve, stream="x"), name="a")
    reported = make_report([table, plain], ["edges"])
    assert [model.disclosures for model in reported.models] == [lint(plain), lint(table)]
    page = report_page(reported)
    own = page.split("Disclosed by `lint`:\n")[-1].partition("\n\n")[0].splitlines()
    line = table.path.read_text(encoding="utf-8").splitlines().index("    x: where(pos < 3, 100, pos == 4, 7, 0)") + 1
    said = "'x' of position is a table of positions: it decides by a condition"
    assert f"  - `position-table` (line {line}): {said}" in own
    assert len(own) == sum(one.code != "hard-coded" for one in lint(table))
    assert page.count("`position-table`") == 2  # where it is, and in the sentence about all models
    assert "`lint` discloses what no count shows: " in page


def test_a_model_without_anything_to_disclose_says_nothing_of_it(tmp_path: Path) -> None:
    spec = load_text(tmp_path, small("embedding:\n  digit[d]: {x: 1}\nhead:\n  logits =: x\n", stream="x"))
    assert lint(spec) == ()
    page = report_page(make_report([spec], ["edges"]))
    assert "`lint`" in page  # in what the calls are for
    assert "`lint`:" not in page
    assert "`lint` discloses" not in page


def test_a_network_that_is_too_much_to_follow_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("compiler.network.flow.facts.MAX_FLOW_WORK", 0)
    (model,) = make_report([load_text(tmp_path, small(TABLE, stream="x"))], ["edges"]).models
    assert {"too-much-work", "position-table"} <= {one.code for one in model.disclosures}
    assert "`too-much-work`" in report_page(make_report([model.spec], ["edges"]))
