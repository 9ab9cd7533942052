"""Nothing knows a task but its file: one with other names in a user's folder is asked, drawn and proved alike."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from importlib.resources import files
from itertools import islice
from pathlib import Path
from shutil import copytree
from typing import Any

import pytest

from compiler.pipeline import load
from compiler.tasks import Task
from tests.cli.test_cli import call
from tests.helpers import ROOT, SPECS, small

OTHER = {
    "a": "left",
    "b": "right",
    "sum": "result",
    "carry": "one",
    "digit": "figure",
    "base": "radix",
    "digits": "places",
}
BACK = {new: old for old, new in OTHER.items()}
NETWORK = """\
embedding:
  digit[d]: {x: d}
head:
  logits digit[d]: d * x
"""
SMALL = small(NETWORK) + "expect: {note: none}\n"
TIMES = ("seconds", "spec_sha256", "spec", "path", "file")  # of a run, or of where the spec lies
SIZES = re.compile(r"  addition: (\{base: [0-9]+, digits: [0-9]+\})\n")


def renamed(text: str, names: dict[str, str]) -> str:
    return re.sub(r"\b(" + "|".join(names) + r")\b", lambda match: names[match[0]], text)


def specs(folder: Path, text: str) -> tuple[Path, Path]:
    """A spec with the task of the package, and one with a file beside it, in which each name is another."""
    task = files("compiler").joinpath("tasks", "files", "addition.yaml").read_text(encoding="utf-8")
    (folder / "own.yaml").write_text(renamed(task, OTHER), encoding="utf-8")
    ours, theirs = folder / "ours.yaml", folder / "theirs.yaml"
    ours.write_text(SIZES.sub(r"  # as many\n  # lines\n\g<0>", text), encoding="utf-8")
    own, count = SIZES.subn(r"  name: ADDITION\n  extends: own.yaml\n  sizes: \1\n", text)
    assert count == 1
    theirs.write_text(renamed(own, OTHER).replace("ADDITION", "addition"), encoding="utf-8")
    return ours, theirs


def asked(task: Task) -> list[object]:
    """All that is drawn, by the order of words, and how it is said."""
    names = [word.name for word in (*task.given, *task.answers)]
    found: list[object] = []
    for suite in task.suites().values():
        found += [suite.name, suite.summary, suite.default_size, suite.in_report]
        if suite.name == "adderboard":
            continue  # too small for it
        for seed in (0, 3):
            for part in suite.parts(suite.default_size, seed):
                inputs = list(islice(part.generate(), 300))
                blocks = [[block[name].tolist() for name in names] for block in islice(part.blocks(100, 5), 2)]
                found += [part.label, part.size, inputs, blocks, [task.describe(one) for one in inputs]]
    automaton = task.automaton()
    assert automaton is not None
    for column in automaton.columns:
        letters = [((names.index(word), at), read.tolist()) for (word, at), read in column.letters.items()]
        found += [column.label, column.before.tolist(), column.after.tolist(), sorted(letters)]
    return found


def printed(path: Path, command: str, *options: str) -> Any:
    """What a command prints as JSON, without times and places."""
    result = call(command, str(path), *options, "--json")
    assert result.stdout, result.stderr
    return result.exit_code, without(json.loads(renamed(result.stdout, BACK)), TIMES)


def without(value: Any, keys: tuple[str, ...]) -> Any:
    if isinstance(value, list):
        return [without(item, keys) for item in value]
    if isinstance(value, dict):
        return {key: without(item, keys) for key, item in value.items() if key not in keys}
    return value


def test_what_is_drawn_and_how_it_is_said(tmp_path: Path) -> None:
    ours, theirs = (load(path) for path in specs(tmp_path, SMALL))
    words = [(word.length, word.symbols) for word in (*ours.resolved.task.given, *ours.resolved.task.answers)]
    assert [
        (word.length, word.symbols) for word in (*theirs.resolved.task.given, *theirs.resolved.task.answers)
    ] == words
    assert set(OTHER.values()).isdisjoint(word.name for word in ours.resolved.task.given)
    assert asked(theirs.resolved.task) == asked(ours.resolved.task)


@pytest.mark.parametrize(
    "command",
    [
        ("verify",),
        ("eval", "--suite", "near_carry", "--suite", "carries", "--inputs", "300", "--failures", "all"),
        ("count",),
        ("run", "7", "9"),
    ],
    ids=lambda command: command[0],
)
def test_what_is_said_of_a_model(tmp_path: Path, command: tuple[str, ...]) -> None:
    first, second = specs(tmp_path, SMALL)
    assert printed(second, *command) == printed(first, *command)


def test_what_is_said_of_a_model_that_is_nearly_right(tmp_path: Path) -> None:
    ours, theirs = specs(tmp_path, (SPECS / "tiny95.yaml").read_text(encoding="utf-8"))
    code, (found,) = printed(ours, "verify", "--set", "digits=2", "--set", "v_scale=0.05")
    assert printed(theirs, "verify", "--set", "places=2", "--set", "v_scale=0.05") == (code, [found])
    assert (found["verdict"], found["inputs"]) == ("refuted", 10_000)


CHILD = """
from importlib.resources import files
import sys
import compiler
from compiler.pipeline import load
from compiler.source.diagnostics import SpecError
names = sorted(file.name for file in files("compiler").joinpath("tasks", "files").iterdir())
assert names == ["copy.yaml", "reverse.yaml", "sort.yaml"], names
for path in sys.argv[2:]:
    result = compiler.evaluate(load(path), ["exhaustive"])
    print(load(path).resolved.task.name, result.right, result.pairs)
try:
    load(sys.argv[1])
except SpecError as error:
    print(error.diagnostics[0].code, error.diagnostics[0].message)
"""
SORTING = """\
weightspec: 1
name: sorting
dtype: float32
vocabulary: symbol[3] =
task:
  {task}
  prompt: word =
  answer: {answer}
stream: x
network:
  embedding:
    symbol[s]: {{x: s}}
  head:
    logits symbol[s]: 2 * s * x - s * s
decode: argmax
"""


def test_the_others_work_without_it(tmp_path: Path) -> None:
    """In a copy of the package that lacks the file of addition."""
    copytree(ROOT / "compiler", tmp_path / "compiler")
    (tmp_path / "compiler" / "tasks" / "files" / "addition.yaml").unlink()
    ours, theirs = specs(tmp_path, SMALL)
    paths = [theirs]
    for kind, answer in (("sort", "sorted"), ("copy", "copied"), ("reverse", "reversed")):
        paths.append(tmp_path / f"{kind}.yaml")
        task = f"{kind}: {{symbols: 3, length: 2}}"
        paths[-1].write_text(SORTING.format(task=task, answer=answer), encoding="utf-8")
    child = subprocess.run(
        [sys.executable, "-c", CHILD, str(ours), *map(str, paths)], cwd=tmp_path, capture_output=True, text=True
    )
    assert child.returncode == 0, child.stderr
    *right, refused = child.stdout.splitlines()
    expected = []
    for path in paths:
        result = call("eval", str(path), "--suite", "exhaustive", "--json")
        about = json.loads(result.stdout)
        expected.append(f"{load(path).resolved.task.name} {about['right']} {about['pairs']}")
    assert right == expected
    assert refused.startswith("task a task is of one kind, found none; known: copy, reverse, sort")
