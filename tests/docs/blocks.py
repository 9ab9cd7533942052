"""Blocks of README.md and docs/*.md, and what they print when they are run. `make docs` writes it into the pages."""

from __future__ import annotations

import contextlib
import io
import re
import runpy
import shlex
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import chain, pairwise
from pathlib import Path
from textwrap import dedent
from types import CodeType
from typing import Any

import torch
from click.testing import CliRunner, Result

import cli
from tests.docs.pictures import PICTURES
from tests.helpers import DATA, ROOT, SPECS

PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
EXAMPLES = ROOT / "docs" / "examples"
CUT = "…"  # a last line that stands for the rest of an output
NOT_RUN = {
    "make demo": "the main job, which .ci/run runs",
    "make test": "this is it",
    "make docs": "writes pages; test_output and test_python hold them against it",
    "make test-machines": "runs tests, which .ci/run does",
    "make test-long": "takes hours",
    "make performance": "takes minutes, and measures time",
    ".venv/bin/python -m benchmarks.engine_speed specs/tiny95.yaml": "test_benchmarks.py runs it on small specs",
    ".venv/bin/python -m benchmarks.engine_speed specs/tiny95.yaml --json": "the same",
    ".venv/bin/python -m benchmarks.engine_before": "the same",
    ".venv/bin/python -m benchmarks.engine_speed --digits 4,8,16,32 specs/qwen20.yaml": "the same",
    ".venv/bin/python -m benchmarks.engine_speed --blocks 64,1024,65536 specs/qwen20.yaml": "the same",
    ".venv/bin/python -m benchmarks.exhaustive": "the same",
    ".venv/bin/python -m benchmarks.sweep_overhead --every 10": "the same",
    ".venv/bin/python -m benchmarks.large_spec large.yaml": "test_pieces.py writes a small one",
    ".venv/bin/python -m benchmarks.large_speed": "takes a minute; test_benchmarks.py runs it on a small one",
    ".venv/bin/python -m benchmarks.scale": "takes minutes; test_benchmarks.py runs it on a few points",
    "pip install 'weightspec[dask]'": "installs",
    "dask scheduler --host 127.0.0.1 --port 8786": "tests of sweeps on clusters start a scheduler and workers",
    "dask worker tcp://127.0.0.1:8786 --nthreads 1 --nworkers 8": "the same",
    "python cli.py sweep tiny95 --set base=2..16 --set digits=1..16 --scheduler tcp://127.0.0.1:8786": "the same",
    "make verdicts": "takes minutes",
    ".venv/bin/python -m benchmarks.verify_speed": "takes minutes; test_benchmarks.py runs it on a small spec",
    ".venv/bin/python -m benchmarks.verify_speed specs/tiny95.yaml --set v_scale=1e8": "the same",
    "python cli.py verify specs/tiny95.yaml": "tests/gallery/test_verdicts.py verifies it",
    "python cli.py verify specs/tiny95.yaml --set v_scale=1e8": "the same, as tiny95-exact",
    "python cli.py threshold specs/tiny95.yaml v_scale --between 1e4 1e8 --budget 120": "takes minutes",
    "python cli.py threshold specs/tinyadder.yaml digits --between 10 14": "takes a minute",
    "python cli.py sweep tinyadder --set base=2..8,10,12,16 --set digits=1..16,20,24 --suite edges --verify 60 "
    "--out docs/pictures/tinyadder.csv": "takes most of an hour",
    "python cli.py verify specs/tinyadder.yaml --set base=12 --set digits=11": "takes more than a minute",
    "python cli.py eval specs/tinyadder.yaml --set digits=14 --set v_scale=1e100 --suite edges": "decided by rounding",
    "python cli.py verify specs/tiny95.yaml --set layer1.ffn.residual=none": "takes seconds; the page evaluates it",
    "python cli.py verify specs/gallery/fblissjr_33p.yaml --json": "the same; test_json_shapes.py looks at its JSON",
    "python cli.py eval specs/tiny95-exact.yaml --set digits=14 --inputs 100": "test_evaluation.py runs a suite of it",
    "python cli.py build specs/tiny95.yaml --eval": "the main job, which .ci/run runs",
    "make gallery": "evaluates every spec; .ci/run checks what it makes",
    "python cli.py report specs/*.yaml -o report.md": "evaluates every spec; docs/evaluation.md has a shorter call",
    "python cli.py eval --model model.pt2 --trust-code --task question.yaml": "test_eval_foreign.py has such files",
    "python cli.py eval tiny95.safetensors": "all suites again; docs/saving.md evaluates a saved model",
    "python cli.py eval specs/tiny95.yaml --suite exhaustive --set digits=4": "takes minutes",
    "python cli.py eval specs/tiny95.yaml": "the figures are checked by that job; its seconds differ",
}
BLOCK = re.compile(r"(?P<marks>(?:^<!--[^\n]*-->\n)*)^```(?P<kind>\w*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
_COMMENTED = re.compile(r"^( *print\(.*\)  # )(.*)$", re.MULTILINE)
_MARK = re.compile(r"<!-- (\w+)(?:: (.*?))? -->")


@dataclass(frozen=True)
class Block:
    page: Path
    line: int
    kind: str
    text: str
    marks: dict[str, str]
    start: int  # of its text in the page

    def __str__(self) -> str:
        return f"{self.page.name}:{self.line}"

    @property
    def is_whole(self) -> bool:
        return re.match(r"(#.*\n)*weightspec:", self.text) is not None


def blocks(page: Path) -> tuple[Block, ...]:
    return _read(page, page.read_text(encoding="utf-8"))


@cache
def _read(page: Path, text: str) -> tuple[Block, ...]:
    found = []
    for match in BLOCK.finditer(text):
        line = text.count("\n", 0, match.start("kind")) + 1
        marks = dict(_MARK.findall(match["marks"]))
        code = dedent(match["text"]) if match["kind"] == "yaml" else match["text"]
        found.append(Block(page, line, match["kind"], code, marks, match.start("text")))
    return tuple(found)


def fill(folder: Path) -> None:
    """Where examples are run: specs, bases, results that pictures are drawn of, each example that has a file name."""
    shutil.copytree(SPECS, folder / "specs")
    shutil.copytree(EXAMPLES, folder / "docs" / "examples")
    shutil.copytree(PICTURES, folder / "docs" / "pictures", ignore=shutil.ignore_patterns("*.svg"))
    (folder / "tests").symlink_to(ROOT / "tests")
    for base in (DATA / "docs").glob("*.yaml"):
        shutil.copy(base, folder)
    for block in chain.from_iterable(map(blocks, PAGES)):
        if block.kind == "yaml" and "file" in block.marks:
            (folder / block.marks["file"]).write_text(block.text, encoding="utf-8")


def call(command: str) -> Result:
    """A command line as a shell would run it, with patterns, and `> FILE`."""
    words = shlex.split(command)[2:]
    target = words.pop(words.index(">") + 1) if ">" in words else None
    expanded = (
        sorted(map(str, Path().glob(word))) if word.endswith("*.yaml") else [word] for word in words if word != ">"
    )
    result = CliRunner().invoke(cli.main, list(chain.from_iterable(expanded)))
    if target is not None:
        Path(target).write_text(result.stdout, encoding="utf-8")
    return result


def sessions(page: Path) -> Iterator[tuple[Block, str]]:
    """Each `console` block, and what should stand there."""
    return ((block, session(block)) for block in blocks(page) if block.kind == "console")


def examples(page: Path) -> Iterator[tuple[Block, Block | None]]:
    """Each `python` block, and the block that shows what it prints: the `text` block right below it, or else itself,
    where comments stand behind calls of `print`."""
    for block, after in pairwise((*blocks(page), None)):
        if block is not None and block.kind == "python":
            if after is not None and after.kind == "text" and after.line <= block.line + block.text.count("\n") + 3:
                yield block, after
            else:
                yield block, block if _COMMENTED.search(block.text) else None


def python_outputs(page: Path) -> Iterator[tuple[Block, str]]:
    """Runs the `python` blocks in turn: each block that shows what is printed, and what should stand there."""
    names: dict[str, Any] = {}
    for block, shown in examples(page):
        output = python_output(block, shown, names)
        if shown is not None:
            yield shown, output


def python_output(block: Block, shown: Block | None, names: dict[str, Any]) -> str:
    """Runs a `python` block, which knows `names` and adds to them: what should stand in the block that shows it."""
    output = _printed(compile(block.text, str(block), "exec"), names)
    return _with_comments(block, output.splitlines()) if shown is block else output


def _with_comments(block: Block, printed: list[str]) -> str:
    """The block with a line that is printed behind each call of `print` that has a comment."""
    assert len(printed) == len(_COMMENTED.findall(block.text)), f"{block}: a line for each comment"
    lines = iter(printed)
    return _COMMENTED.sub(lambda call: call[1] + next(lines), block.text)


def session(block: Block) -> str:
    """A command line and its output: as many lines as before, where the last one says that there are more."""
    first, *before = block.text.splitlines()
    command = first.removeprefix("$ ")
    if command in NOT_RUN:
        return block.text
    output = call(command).output if command.startswith("python cli.py ") else printed_by(command)
    lines = [line.rstrip() for line in output.rstrip().splitlines()]
    shown = [*lines[: len(before) - 1], CUT] if before[-1:] == [CUT] and len(lines) >= len(before) else lines
    return "".join(f"{line}\n" for line in (first, *shown))


def printed_by(command: str) -> str:
    """What `python FILE` prints."""
    python, file = command.split()
    assert python == "python"
    with contextlib.redirect_stdout(io.StringIO()) as output:
        runpy.run_path(file, run_name="__main__")
    return output.getvalue()


def _printed(code: CodeType, names: dict[str, Any]) -> str:
    torch.manual_seed(0)
    with contextlib.redirect_stdout(io.StringIO()) as output:
        exec(code, names)
    return output.getvalue()
