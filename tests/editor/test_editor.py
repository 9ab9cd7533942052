"""What an editor shows of a spec: yaml-language-server reads the schema, as in Visual Studio Code and in Neovim.

One server is asked about everything, so that there are few tests and long tables.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, get_args

import pytest

from compiler.language.keys import MAPS, MAPS_OF, STEP_KINDS
from compiler.language.warnings import WARNINGS
from compiler.network import ir
from compiler.readers.counting.counts import COUNTING_RULES
from compiler.source.diagnostics import SpecError
from compiler.source.document import Mapping, parse_document
from compiler.source.schema import check_schema, schema_text, top_level_keys
from compiler.source.text import Source
from compiler.tasks.suites import NAMED as NAMED_SUITES
from compiler.tasks.suites import SUITES
from tests.docs.blocks import fill
from tests.editor.server import IN_CHECKOUT, PROGRAM, Server, program, running
from tests.helpers import DATA, ROOT, SPECS
from tests.invalid.test_invalid import ALL
from tests.unit.test_docs_examples import of_kind, written

TEMPLATES = ROOT / "compiler" / "commands" / "templates"
LINE = re.compile(r"^# yaml-language-server:.*\n")
WRONG = "§"  # at the line where a finding has to be
SCHEMA = json.loads(schema_text())
DEFINITIONS: dict[str, dict[str, Any]] = SCHEMA["definitions"]
STEPS_OF_NETWORK = [*STEP_KINDS, "attention BLOCK", "ffn BLOCK", "repeat NAME"]


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    found = program()
    if found is None:
        where = f"${PROGRAM}, the PATH, {IN_CHECKOUT.relative_to(ROOT)}"
        pytest.skip(f"no node, or no yaml-language-server in any of {where}")
    with running(found) as started:
        yield started


@pytest.fixture(scope="module")
def line(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The first line of a spec, with the schema as it is installed."""
    path = tmp_path_factory.mktemp("in a folder, ü") / "schema.json"
    path.write_text(schema_text(), encoding="utf-8")
    return f"# yaml-language-server: $schema={path.as_uri()}\n"


def examples_of_pages(folder: Path) -> Iterator[Path]:
    """The examples without an error, as specs; most extend another one."""
    fill(folder)
    for block in of_kind("yaml"):
        if not block.is_whole and not {"part", "file"}.isdisjoint(block.marks):
            continue
        if "error" not in block.marks and "# error" not in block.text:
            yield written(block, folder)


def test_nothing_is_found_in_a_valid_spec(server: Server, line: str, tmp_path: Path) -> None:
    own = [*SPECS.rglob("*.yaml"), *(DATA / "specs").glob("*.yaml")]
    texts = {path.as_uri(): path.read_text(encoding="utf-8") for path in own}
    assert all(LINE.match(text) for text in texts.values())  # the schema of the checkout
    others = [*TEMPLATES.glob("*.yaml"), *examples_of_pages(tmp_path)]
    texts |= {path.as_uri(): line + LINE.sub("", path.read_text(encoding="utf-8")) for path in others}
    assert len(texts) > 200
    assert sum("\nextends:" in text for text in texts.values()) > 80
    assert {name: found for name, found in server.findings(texts).items() if found} == {}


def refused_lines(text: str) -> set[int]:
    """The lines at which the tool's own schema refuses a spec that extends nothing."""
    if "extends:" in text:
        return set()
    try:
        document = parse_document(Source("case.yaml", text))
    except SpecError:
        return set()
    found = check_schema(document).diagnostics if isinstance(document, Mapping) else ()
    return {diagnostic.span.line for diagnostic in found if diagnostic.span is not None}


def test_what_the_tool_refuses_is_found_at_its_line(server: Server, line: str) -> None:
    """That is, what the schema refuses: an editor knows no names and no shapes."""
    refused = {f"file:///{case.name}.yaml": lines for case in ALL if (lines := refused_lines(case.text))}
    assert len(refused) > 150
    texts = {address: line + case.text for case in ALL if (address := f"file:///{case.name}.yaml") in refused}
    for address, findings in server.findings(texts).items():
        assert refused[address] <= {finding.line - 1 for finding in findings}, address


VARIANT = "weightspec: 1\nextends: base.yaml\n"
WHOLE = "weightspec: 1\nname: x\ndtype: float32\nvocabulary: a b\nstream: x\nnetwork: {embedding: E}\ndecode: argmax\n"


WITH_MISTAKES = [
    f"{VARIANT}dtyp: float32§\n",
    f"{VARIANT}dtype: float23§\n",
    f"{VARIANT}network:\n  fnn: null§\n",
    f"{VARIANT}network:\n  ffn layer0:\n    hiden: a§\n",
    f"{VARIANT}network:\n  ffn layer0:\n    hidden: null\n    activation: rleu§\n",
    f"{VARIANT}network:\n  attention:\n    query a: [1]§\n",
    f"{VARIANT}task:\n  addition: {{bas: 16}}§\n",
    f"{VARIANT}expect:\n  claimed: {{count: 0}}§\n",
    f"{VARIANT}stream: [x, null]§\n",
    f"{VARIANT}ignore: no-claim§\n",
    f"{WHOLE}ignore: no-claims no-claim§\n",
    f"{WHOLE}ignore: [no-claims, no-claim]§\n",
    f"{WHOLE}task: {{suites: carrys, cases: {{a: b}}}}§\n",
    f"{WHOLE}task: {{extends: task.yaml, sizs: {{n: 3}}}}§\n",
    f"{WHOLE}summary:§\n",
    f"{WHOLE}expect: null§\n",
    f"{WHOLE}expect:\n  eval:\n    uniform: {{right: 3}}§\n",
    WHOLE.replace("E}", "E, ffn: null}§"),
    f"{WHOLE}decode: argmax§\n",
]


def test_what_is_wrong_is_found_at_its_line(server: Server, line: str) -> None:
    texts = {f"file:///{number}-wrong.yaml": line + text for number, text in enumerate(WITH_MISTAKES)}
    found = server.findings({address: text.replace(WRONG, "") for address, text in texts.items()})
    for address, text in texts.items():
        wrong = [number for number, written in enumerate(text.split("\n"), 1) if WRONG in written]
        assert [finding.line for finding in found[address]] == wrong, text


VARIANTS = [
    f"{VARIANT}network:\n  ffn: null\n  ffn layer0:\n    up a: null\n  head: {{norm: null}}\nexpect: null\n",
    f"{VARIANT}network:\n  embedding:\n    =: null\n    a: {{b: null}}\ndtype: null\nignore: null\n",
    f"{WHOLE}task: {{extends: task.yaml, sizes: {{n: null}}, columns: {{state: {{c: {{size: 3}}}}}}}}\n",
    f"{VARIANT}task: {{addition: null, copy: {{length: 3}}, prompt: null}}\n",
]


def test_what_extends_something_may_remove_and_leave_out(server: Server, line: str) -> None:
    texts = {f"file:///{number}-variant.yaml": line + text for number, text in enumerate(VARIANTS)}
    assert {texts[address]: found for address, found in server.findings(texts).items() if found} == {}


COMPLETED: list[tuple[str, Iterable[str]]] = [
    ("|", top_level_keys()),
    ("extends: a.yaml\n|", set(top_level_keys()) - {"extends"}),
    ("network:\n  |", {*STEPS_OF_NETWORK} - {"repeat"}),
    (
        "network:\n  embedding: E\n  a|\n  head:\n    logits: embedding\n",
        {*STEPS_OF_NETWORK} - {"embedding", "repeat", "head"},
    ),
    ("network:\n  attention:\n    |", {*MAPS_OF["attention"], "query HEAD", "score HEAD", "heads", "rope", "mask"}),
    (
        "network:\n  ffn layer0:\n    |",
        {*MAPS_OF["ffn"], "up UNIT", "down DIMENSION", "bias MAP", "hidden", "norm"},
    ),
    ("extends: a.yaml\nnetwork:\n  ffn layer0:\n    |", {*MAPS_OF["ffn"], "up UNIT", "activation", "after"}),
    ("network:\n  head:\n    |", {"logits", "logits TOKEN", "classes", "norm"}),
    ("network:\n  ffn:\n    activation: |", get_args(ir.ActivationKind)),
    ("network:\n  attention:\n    norm: |", {*get_args(ir.NormKind), "none"}),
    ("network:\n  attention:\n    norm:\n      |", {*get_args(ir.NormKind), "weight", "bias"}),
    ("network:\n  attention:\n    mask: |", {"causal", "none", "{window: …}"}),
    ("network:\n  attention:\n    mask:\n      |", {"window"}),
    ("network:\n  attention:\n    output: |", {"identity", "broadcast"}),
    ("network:\n  attention:\n    biases: |", {*MAPS, "none"}),
    ("network:\n  attention:\n    rope:\n      pairs: |", get_args(ir.RopePairs)),
    ("defaults:\n  |", {"norm", "activation", "softmax", "heads"}),
    ("decode: |", get_args(ir.Decode)),
    ("task:\n  |", {"addition", "copy", "given", "answers", "equations", "columns", "cases", "suites", "prompt"}),
    ("task:\n  columns:\n    |", {"from", "state", "next STATE", "only", "end"}),
    ("task:\n  addition:\n    |", {"base", "digits"}),
    ("task:\n  answer:\n    |", {"in_place", "at", "next"}),
    ("task:\n  order: |", {"most_significant_first", "least_significant_first"}),
    ("task:\n  suites: |", NAMED_SUITES),
    ("task:\n  suites:\n    - |", NAMED_SUITES),
    ("expect:\n  eval:\n    |", SUITES),
    ("expect:\n  count:\n    |", COUNTING_RULES),
    ("expect:\n  claimed:\n    rule: |", COUNTING_RULES),
    ("ignore: |", WARNINGS),
    ("ignore:\n  - |", WARNINGS),
]


def test_what_is_completed(server: Server, line: str) -> None:
    for text, wanted in COMPLETED:
        completed = server.completions(line + text)
        assert set(wanted) <= set(completed), text
        unexplained = [label for label in wanted if label not in MAPS and not completed[label]]
        assert unexplained == [], text


def places(schema: dict[str, Any], path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], set[str]]]:
    """Where a key can be written, as the keys above it, and the keys that can be written there."""
    if "$ref" in schema:
        schema = {**DEFINITIONS[schema["$ref"].rpartition("/")[2]], **schema}
    below = {**schema.get("properties", {}), **schema.get("then", {}).get("properties", {})}
    patterns = {it["written"]: it for it in schema.get("patternProperties", {}).values()}
    if below or patterns:
        yield path, {*below, *patterns}
    for key, inner in {**below, **patterns}.items():
        yield from places(inner, (*path, key))
    if isinstance(schema.get("additionalProperties"), dict):
        yield from places(schema["additionalProperties"], (*path, "name"))


def test_every_key_of_the_schema_is_completed(server: Server, line: str) -> None:
    every = dict(places({"properties": SCHEMA["properties"]}))
    assert len(every) > 40
    for path, keys in every.items():
        above = "".join(f"{'  ' * depth}{key}:\n" for depth, key in enumerate(path))
        for first in ("", "extends: base.yaml\n"):
            completed = server.completions(f"{line}{first}{above}{'  ' * len(path)}|")
            assert keys - {"extends"} <= set(completed), path


def equations() -> Iterator[tuple[str, str]]:
    """Lines of each map, whole and by row, and the step in which they stand."""
    for kind, maps in MAPS_OF.items():
        for name in maps:
            yield kind, f"{name}: M"
            yield kind, f"{name} a[i]: 2 * b + 1"


def test_an_equation_says_what_its_map_reads_and_writes(server: Server, line: str) -> None:
    for kind, equation in equations():
        step = kind if kind == "head" else f"{kind} layer0"
        for above in ("", VARIANT):
            for place in (f"|{equation}", equation.replace(": ", ": |")):
                shown = server.hover(f"{line}{above}network:\n  {step}:\n    {place}\n")
                assert "Reads" in shown, place
                assert "Writes" in shown, place


SHOWN = [
    ("net|work: {}", "The steps in order."),
    ("network:\n  f|fn layer0: {hidden: a}", "Hidden units"),
    ("network:\n  attention:\n    sc|ore a: query_pos", "`query_pos` and `key_pos`"),
    ("network:\n  embedding:\n    digit[|d]: {a: 1}", "row of this token"),
    ("network:\n  ffn:\n    activation: si|lu", "x · sigmoid(x)"),
    ("task:\n  columns:\n    next c|: a", "The state after a column"),
    ("task:\n  suites: near_|carry", SUITES["near_carry"]),
    ("task:\n  suites: [near_|carry]", "near_carry"),
    ("expect:\n  eval:\n    ed|ges: {inputs: 3, right: 3}", SUITES["edges"]),
    ("expect:\n  count: {fr|ee: 3}", "scalars under `parameters`"),
    *((f"ignore: {code[0]}|{code[1:]}", says) for code, says in WARNINGS.items()),
    ("ignore:\n  - no-|claims", "no-claims"),
]


def test_what_is_shown_of_a_word(server: Server, line: str) -> None:
    for text, says in SHOWN:
        assert says in server.hover(line + text), text
