"""Every example of README.md and docs/*.md is run. HTML comments above a block say how; they do not show when rendered.

A `yaml` block is one of these, or the test fails:

- a whole spec, which starts with `weightspec:`. It gives no warning. It may extend another example.
- a fragment below `<!-- base: NAME -->`. It is merged over `tests/data/docs/NAME.yaml` as `extends` does; keys that are
  no top-level keys are steps, and go under `network`. It gives no warning but those that are `UNIMPORTANT`.
- a task file, below `<!-- file: NAME -->`, which another example extends
- a part of a spec of this repository, below `<!-- part: NAME -->`: `specs/NAME.yaml` or `docs/examples/NAME.yaml` says
  the same.

What is wrong says so: `# error: CODE` or `# warning: CODE` behind a line means that this code comes at this line, and
no other code at all. `<!-- error: CODE -->` does the same without a line. Further comments: `# stores NAME [SHAPE], …`
names tensors of the state dict. Below `<!-- values -->` the comment behind each definition is its value, up to a
semicolon. Other examples and commands may use a block below `<!-- file: NAME -->` under that name; where the repository
has a file NAME, the block shows it in full.

Lines `python cli.py …` of `sh` blocks are run, page by page, in a folder with `specs/`, `docs/examples/` and all named
files. They exit with 0, or as a comment `# exit 1` says. A `console` block shows a command line, or a script
`python FILE`, and its output; a last line `…` stands for the rest of it. The `python` blocks of a page are run one
after the other, those of README.md and api.md each alone (test_docs_api.py); a `text` block right below one is what it
prints. `make docs` writes both kinds of output.
"""

from __future__ import annotations

import re
import sys
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from textwrap import indent
from typing import Any

import pytest

from compiler.expressions.arithmetic import _BINARY, COMPARISONS
from compiler.expressions.evaluate import KNOWN_FUNCTIONS
from compiler.expressions.positions import RESERVED
from compiler.expressions.values import Matrix, Number, Value, Vector
from compiler.language.warnings import WARNINGS
from compiler.network.storage import stored
from compiler.pipeline import Spec, load, load_task
from compiler.readers.counting.claims import check_claims
from compiler.readers.counting.counts import count
from compiler.source import limits
from compiler.source.diagnostics import SpecError
from compiler.source.document import as_data, parse_document
from compiler.source.schema import _schema, top_level_keys
from compiler.source.text import Source
from tests.docs.blocks import BLOCK, EXAMPLES, NOT_RUN, PAGES, Block, blocks, call, fill, python_outputs, session
from tests.docs.pictures import PICTURES
from tests.helpers import ROOT, SPECS
from tests.unit.test_docs_api import OWN_PAGES

RUN_HERE = [page for page in PAGES if page.name not in ("json.md", "gallery.md")]
"""tests/cli/test_json_shapes.py runs the first one, test_report.py the calls of pages such as the second."""
MARKS = {"base", "part", "error", "file", "values"}
MOST_BYTES = 150_000  # of a picture
UNIMPORTANT = ("no-claims", "unused-name", "silent-symbol")  # in a fragment, which shows one thing
_TABLE_COMMAND = re.compile(r"^\| `(python cli\.py [^`]*)`", re.MULTILINE)


def every_block() -> list[Block]:
    return [block for page in PAGES for block in blocks(page)]


def of_kind(kind: str) -> list[Block]:
    return [block for block in every_block() if block.kind == kind]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("docs")
    fill(made)
    return made


def written(block: Block, folder: Path) -> Path:
    """The example as a spec of its own."""
    path = folder / f"{block.page.stem}-{block.line}.yaml"
    text = block.text
    if not block.is_whole:
        first = re.search(r"^\w+", text, re.MULTILINE)
        if first is not None and first[0] not in top_level_keys():
            text = "network:\n" + indent(text, "  ")
        text = f"weightspec: 1\nextends: {block.marks['base']}.yaml\n{text}"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("block", of_kind("yaml"), ids=str)
def test_example(block: Block, folder: Path) -> None:
    assert set(block.marks) <= MARKS
    is_task_file = "file" in block.marks and not block.is_whole
    ways = [block.is_whole, "base" in block.marks, "part" in block.marks, is_task_file]
    assert sum(ways) == 1, f"{block} is neither a whole spec nor below a comment that says where it belongs"
    if is_task_file and block.text.startswith("vocabulary:"):
        load_task(folder / block.marks["file"], strict=True)
        return
    if is_task_file:
        readers = [other for other in of_kind("yaml") if block.marks["file"] in other.text]
        assert readers, "no other example names it"
        return
    if "part" in block.marks:
        (file,) = (path for path in (SPECS, EXAMPLES) for path in path.glob(f"{block.marks['part']}.yaml"))
        whole = as_data(parse_document(Source("spec", file.read_text(encoding="utf-8"))))
        part = as_data(parse_document(Source("example", block.text)))
        assert isinstance(whole, dict)
        assert _is_part(part, whole) or _is_part(part, whole["network"])
        return
    path = written(block, folder)
    lines = enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
    marked = {(i, *mark) for i, line in lines for mark in re.findall(r"# (error|warning): ([\w-]+)", line)}
    codes = {code for _, _, code in marked} | {code for mark, code in block.marks.items() if mark == "error"}
    ignored = () if block.is_whole else tuple(code for code in UNIMPORTANT if code not in codes)
    try:
        spec = load(path, ignore=ignored)
    except SpecError as error:
        found = [one for one in error.diagnostics if one.severity == "error"]
    else:
        found = list(spec.warnings)
        assert_stores(spec, block)
        assert_values(spec, block)
        assert all(claim.status != "failed" for claim in check_claims(spec, count(spec), None))
    assert {one.code for one in found} == codes
    assert marked <= {(one.span.line, one.severity, one.code) for one in found if one.span is not None}


@pytest.mark.parametrize("block", [block for block in every_block() if "file" in block.marks], ids=str)
def test_a_file_that_is_shown_is_the_file(block: Block) -> None:
    path = ROOT / block.marks["file"]
    assert path.exists() == block.marks["file"].startswith("docs/")
    if path.exists():
        assert path.read_text(encoding="utf-8") == block.text


def _is_part(part: object, whole: object) -> bool:
    if isinstance(part, dict) and isinstance(whole, dict):
        return all(key in whole and _is_part(value, whole[key]) for key, value in part.items())
    return part == whole


def assert_stores(spec: Spec, block: Block) -> None:
    shapes = {name: list(tensor.shape) for group in stored(spec.network) for name, tensor in group.named}
    for comment in re.findall(r"# stores (.*)$", block.text, re.MULTILINE):
        claimed = re.findall(r"([\w.]+) (\[[\d, ]+\])", comment)
        assert claimed, comment
        for name, shape in claimed:
            assert str(shapes.get(name)) == shape, name


def assert_values(spec: Spec, block: Block) -> None:
    if "values" not in block.marks:
        return
    claimed = re.findall(r"^  (\w+): .*? # ([^;\n]*)", block.text, re.MULTILINE)
    assert claimed
    for name, value in claimed:
        assert _shown(spec.resolved.definitions[name].value) == value.strip(), name


def _shown(value: Value) -> str:
    match value:
        case Number(value=number):
            return repr(number)
        case Vector(items=items):
            return f"[{', '.join(map(_shown, items))}]"
        case Matrix(rows=rows):
            return f"[{', '.join(_shown(Vector(row)) for row in rows)}]"
    raise AssertionError(value)


def commands(page: Path) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Lines of `sh` blocks, and commands in tables, each with the exit codes that are right."""
    for block in blocks(page):
        for line in block.text.splitlines() if block.kind == "sh" else ():
            stated = re.search(r"# exit (\d)$", line)
            yield re.sub(r"\s+# .*$", "", line), (int(stated[1]) if stated else 0,)
    for command in _TABLE_COMMAND.findall(page.read_text(encoding="utf-8")):
        yield command, (0, 1)


@pytest.mark.long  # `make docs-check` runs it
@pytest.mark.parametrize("page", RUN_HERE, ids=lambda page: page.name)
def test_commands(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(tmp_path)
    monkeypatch.chdir(tmp_path)
    shown = {block.text.partition("\n")[0].removeprefix("$ ") for block in of_kind("console")}
    for command, codes in commands(page):
        if command not in NOT_RUN and command not in shown:  # test_output runs that one
            assert command.startswith("python cli.py "), f"{page.name}: cannot run `{command}`"
            result = call(command)
            assert result.exit_code in codes, f"{page.name}: `{command}`\n{result.output}"


def test_commands_that_are_not_run_are_there() -> None:
    assert set(NOT_RUN) <= {command for page in PAGES for command, _ in commands(page)}


@pytest.mark.long  # `make docs-check` does the same
@pytest.mark.parametrize("block", of_kind("console"), ids=str)
def test_output(block: Block, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    assert session(block) == block.text  # `make docs` writes it


@pytest.mark.parametrize("page", sorted({*PAGES} - {*OWN_PAGES}), ids=lambda page: page.name)
def test_python(page: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "path", [*sys.path])  # a page may add a folder
    for block, output in python_outputs(page):
        assert output == block.text, str(block)


@cache
def code_of_the_language() -> tuple[str, frozenset[str]]:
    """The pages of the language, and every word in their code: in `…` or in blocks."""
    pages = [page for page in PAGES if page.name.startswith("language") or page.name == "tasks.md"]
    whole = "\n".join(page.read_text(encoding="utf-8") for page in pages)
    code = [
        *re.findall(r"`([^`\n]+)`", BLOCK.sub("", whole)),
        *(block.text for page in pages for block in blocks(page)),
    ]
    return whole, frozenset(word for text in code for word in re.findall(r"[A-Za-z][\w-]*|[^\w\s]+|\.T\b", text))


def options(schema: Any) -> Iterator[str]:
    """Every word of a key that a spec can have anywhere."""
    if isinstance(schema, dict):
        yield from " ".join(schema.get("properties", {})).split()
        for pattern in schema.get("patternProperties", {}):
            yield from re.findall(r"[a-z]+", pattern.replace("A-Za-z", "").partition(" +")[0].partition("( +")[0])
        for value in schema.values():
            yield from options(value)
        yield from (word for word in schema.get("enum", ()) if isinstance(word, str))
    elif isinstance(schema, list):
        for item in schema:
            yield from options(item)


@pytest.mark.parametrize("word", sorted({*WARNINGS, *KNOWN_FUNCTIONS, *RESERVED, *options(_schema())}))
def test_the_language_mentions_every_name(word: str) -> None:
    assert word in code_of_the_language()[1]


@pytest.mark.parametrize("operator", [*_BINARY, *COMPARISONS, "and", "or", "not", "@", ".T"])
def test_the_language_mentions_every_operator(operator: str) -> None:
    assert f"`{operator}`" in code_of_the_language()[0]


@pytest.mark.parametrize("name", [name for name in vars(limits) if name.startswith("MAX_")])
def test_the_language_mentions_every_limit(name: str) -> None:
    limit: int = getattr(limits, name)
    shown = f"{limit >> 20} MiB" if name.endswith("BYTES") else f"{limit:,}"
    section = code_of_the_language()[0].partition("\n## Limits\n")[2].partition("\n## ")[0]
    assert re.search(rf"\b{shown}\b", section), f"{name} is {shown}"


def test_every_picture_is_drawn_by_a_command_and_shown() -> None:
    drawn = {name for block in of_kind("console") for name in re.findall(r" -o docs/pictures/(\S+)", block.text)}
    shown = {
        name for page in PAGES for name in re.findall(r"!\[[^]]+\]\((?:docs/)?pictures/([^)]+)\)", page.read_text())
    }
    assert drawn == shown == {path.name for path in PICTURES.glob("*.svg")}
    assert all(path.stat().st_size < MOST_BYTES for path in PICTURES.glob("*.svg"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links(page: Path) -> None:
    text = BLOCK.sub("", page.read_text(encoding="utf-8"))
    for target in re.findall(r"\]\((?!https?:)([^)]+)\)", text):
        file, _, anchor = target.partition("#")
        linked = page.parent / file if file else page
        assert linked.is_file(), target
        headings = re.findall(r"^#+ (.*)$", BLOCK.sub("", linked.read_text(encoding="utf-8")), re.MULTILINE)
        slugs = [re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings]
        numbered = [f"{slug}-{k}" for slug, count in Counter(slugs).items() for k in range(1, count)]  # as GitHub does
        assert not anchor or anchor in (*slugs, *numbered), target
