"""The shape of every `--json`: what is printed and what `docs/json.md` says are what `shapes.py` declares."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

import cli
from compiler.commands.starting import starting_spec
from compiler.terminal import shapes
from compiler.verifier import enumeration
from tests.cli.json_shapes import gaps, problems
from tests.cli.test_cli import EXACT, INVALID, QWEN, ROOT, TINY, call
from tests.cli.test_eval_foreign import TASK as COPYING
from tests.cli.test_eval_foreign import Copies
from tests.cli.test_report import REVERSE
from tests.docs.json_examples import EXAMPLE, WIDTH, laid_out, shortened, with_examples
from tests.docs.json_tables import PRINTED, WITH_SECTION, object_of, rows, with_tables
from tests.unit.test_threshold import TURNING
from tests.verifier.test_reasons import MIXING

PAGE = (ROOT / "docs" / "json.md").read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^##+ (.+)\n((?:(?!^##).*\n?)*)", PAGE, flags=re.MULTILINE))
EXAMPLES = [heading for heading, text in SECTIONS.items() if EXAMPLE.search(text)]
GAP = re.compile("null|absent")
NAN = """\
weightspec: 1
name: nan
dtype: float16
vocabulary: digit[2] +
task:
  addition: {base: 2, digits: 1}
  prompt: a + b
  answer: sum
stream: one two
network:
  embedding:
    digit[d]: {one: 60000}
    +: {one: "min(inf, 60000)"}
  ffn:
    hidden: big small
    up big: 60000 * one
    up small: 60000 * one
    down one: big - small
decode: argmax
"""  # infinity - infinity
NOTED = (
    NAN[: NAN.index("  ffn:")].replace("name: nan", "name: noted")
    + """\
  ffn:
    hidden: big small
    let: {twice: 2 * k, both: one + two}
    up: twice * both + twice
decode: argmax
constants: {k: 4}
expect: {claimed: {count: 3, note: counted by hand}}
"""
)
SORTING = (
    NOTED[: NOTED.index("task:")]
    + """\
task:
  sort: {symbols: 2, length: 3}
  prompt: word
  answer: sorted
stream: one
network:
  embedding:
    digit[d]: {one: d}
  head:
    logits digit[d]: d * one
decode: argmax
ignore: no-claims
"""
)
FACTORED = (
    NAN[: NAN.index("  ffn:")].replace('"min(inf, 60000)"', "1")
    + """\
  ffn:
    hidden: u v
    up: A @ [[1, 0]]
    down one: u
  ffn more:
    hidden: u v
    up: "[[3, 0], [1, 0]]"
    down one: v
decode: argmax
constants: {A: [[1], [2]]}
ignore: no-claims
"""
)
WHOLE = FACTORED.replace('"[[3, 0], [1, 0]]"', "ffn.up").replace("A @ [[1, 0]]", '"[[1, 0], [2, 0]]"')
WHOLE = WHOLE.replace("constants", "parameters").replace("no-claims", "no-claims unused-name")
STATE_DICTS = {
    "first.pt": {"a": [1.0, math.nan], "b": [1.0], "old": [0.0], "number": [1]},
    "second.pt": {"a": [1.0, 1.0], "b": [2.0], "new": [0.0, 0.0], "number": [2]},
}
REVERSE_LENGTHS = str(ROOT / "specs" / "tasks" / "reverse-lengths.yaml")
LENGTHS = """\
weightspec: 1
name: lengths
dtype: float64
vocabulary: bit[2]
task:
  sizes: {length: {from: 1, to: 2}}
  given: {word: bit*length}
  answers: {same: bit*length}
  equations: {same: word}
  columns: {from: first, state: {nothing: 1}, same: word, next nothing: 0}
  prompt: word
  answer: {in_place: word}
stream: one
network:
  embedding:
    bit[b]: {one: b}
  head:
    logits bit[b]: (2 * b - 1) * one
    bias logits bit[0]: 0.5
decode: argmax
ignore: no-claims
"""
IN_FOLDER = ("--jobs", "1", "--journal", "sweep.jsonl")
CALLS: dict[str, list[tuple[str, ...]]] = {
    "Errors": [
        ("count", INVALID),
        ("show", "nowhere.yaml"),
        ("run", TINY, "1", "x"),
        ("show", TINY, "nothing"),
        ("new", "nowhere/mine"),
        ("build", "bad.yaml"),
        ("eval", TINY, "--suite", "nonsense"),
        ("diff", TINY, INVALID),
    ],
    "new": [("new", "mine"), ("new", "other", "--like", "rope")],
    "fmt": [
        ("fmt", TINY, INVALID, "ugly.yaml", "nowhere.yaml", "--check"),
        ("fmt", EXACT),
        ("fmt", "ugly.yaml", "--diff"),
    ],
    "validate": [("validate", TINY, INVALID, "nowhere.yaml", "warned.yaml", EXACT)],
    "lint": [("lint", TINY, INVALID, "nowhere.yaml", "warned.yaml"), ("lint", QWEN, "--rules", "adderboard")],
    "lint --list": [("lint", "--list"), ("lint", "--list", "--rules", "disclosure")],
    "explain": [("explain",), ("explain", "unknown-name", "fault", "overflow", "hard-coded")],
    "show": [("show", TINY), ("show", QWEN, "--set", "digits=6"), ("show", "nan.yaml"), ("show", "untasked.yaml")]
    + [("show", f"specs/tasks/{name}.yaml") for name in ("next-token", "parity", "reverse-lengths")],
    "show TENSOR": [("show", QWEN, "head.logits.weight"), ("show", TINY, "layer1.ffn.up.bias")],
    "show --stage resolved": [
        ("show", path, "--stage", "resolved")
        for path in (TINY, REVERSE, "specs/tasks/next-token.yaml", "specs/tasks/parity.yaml", "untasked.yaml")
    ],
    "show --stage ir": [("show", path, "--stage", "ir") for path in (TINY, QWEN, REVERSE)],
    "show --stage program": [
        ("show", TINY, "--stage", "program"),
        ("show", QWEN, "--stage", "program", "--pass", "folding"),
        ("show", REVERSE, "--stage", "program"),
        ("show", "biased.yaml", "--stage", "program"),
        ("show", "tests/data/specs/softmax-hard.yaml", "--stage", "program", "--pass", "magnitudes"),
    ],
    "count": [
        ("count", TINY, QWEN, EXACT, "nan.yaml", "noted.yaml", "--assert", "free=5"),
        ("count", TINY, "--by-tensor", "--set", "digits=40"),
        ("count", "untasked.yaml"),
    ],
    "count with a wrong spec": [
        ("count", TINY, INVALID, "noted.yaml", "nowhere.yaml", "--assert", "free=5"),
        ("count", INVALID, "bad.yaml"),
    ],
    "count --why": [
        ("count", "--why", TINY, "layer0.ffn.up.weight[3, 3]", "layer0.ffn.up.weight[3, 0]"),
        ("count", QWEN, "--why", "ffn.down.weight[0, 0]", "ffn.down.weight[digit, carry[0]]"),
        ("count", "noted.yaml", "--why", "ffn.up.bias[*]", "ffn.up.weight[0, 0]", "--set", "k=3"),
    ],
    "diff": [
        ("diff", TINY, TINY),
        ("diff", TINY, EXACT),
        ("diff", TINY, QWEN),
        ("diff", TINY, "minimal.yaml"),
        ("diff", "minimal.yaml", TINY),
        ("diff", "factored.yaml", "whole.yaml"),
        ("diff", "whole.yaml", "factored.yaml"),
        ("diff", "infinite.yaml", "whole.yaml", "--allow-overflow"),
        ("diff", "saved.safetensors", "whole.yaml"),
        ("diff", "first.pt", "second.pt"),
    ],
    "build": [("build", TINY), ("build", QWEN, "-o", "qwen.safetensors")],
    "eval": [
        ("eval", TINY, "--suite", "edges", "--suite", "uniform", "--pairs", "9"),
        ("eval", "nan.yaml", "--suite", "exhaustive", "--decode", "greedy"),
        ("eval", "nan.yaml", "--suite", "exhaustive", "--engine", "plain"),
        ("build", QWEN, "--eval", "--pairs", "4", "-o", "qwen.safetensors"),
        ("eval", TINY, "--protocol", "adderboard"),
        ("eval", "--model", "saved.safetensors", "--like", "whole.yaml", "--suite", "exhaustive"),
        ("eval", "--model", "copies.pt", "--task", "copying.yaml", "--trust-code", "--suite", "edges"),
    ],
    "trace": [
        ("trace", TINY, "--set", "digits=2", "1", "2"),
        ("trace", "specs/tasks/parity.yaml", "--set", "length=2", "1 1", "--at", "0", "--step", "attention"),
        ("trace", "nan.yaml", "--tokens", "1 +"),
    ],
    "trace --why": [
        ("trace", TINY, "--set", "digits=2", "1", "2", "--why", "layer0.ffn.candidate[6]@6"),
        ("trace", TINY, "--set", "digits=2", "1", "2", "--why", "layer0.attention.scores[count, 3]@6"),
        ("trace", "noted.yaml", "--tokens", "1 +", "--why", "ffn.units.big@1", "--depth", "2"),
        ("trace", "tests/data/specs/repeat.yaml", "--tokens", "1 2", "--why", "layer0.ffn.x@1"),
    ],
    "trace --diff": [
        ("trace", TINY, "--set", "digits=2", "--diff", "1 2", "1 3"),
        ("trace", "nan.yaml", "--tokens", "1 +", "--against", "noted.yaml"),
    ],
    "ablate": [
        ("ablate", REVERSE, "--inputs", "9", "--kind", "head"),
        ("ablate", "specs/tasks/parity.yaml", "--suite", "exhaustive", "--kind", "stream"),
    ],
    "verify": [
        ("verify", TINY, "--set", "digits=2", "--set", "v_scale=0.05"),
        ("verify", REVERSE, "claiming.yaml", "minimal.yaml"),
        ("verify", "sorting.yaml", REVERSE),
        ("verify", "mixing.yaml", "--budget", "600"),
        ("verify", "lengths.yaml"),
        ("verify", "even.yaml", "never.yaml"),
        ("verify", REVERSE_LENGTHS, "--set", "length={from: 1, to: 3}", "--set", "sharp=1.2"),
        ("verify", REVERSE_LENGTHS, "--budget", "1e-9"),
    ],
    "verify with a wrong spec": [
        ("verify", "minimal.yaml", INVALID, "nowhere.yaml", "nan.yaml"),
    ],
    "threshold": [
        ("threshold", "turning.yaml", "gain", "--between", "0.1", "1", "--set", "high=0.5", *IN_FOLDER[2:]),
        ("threshold", REVERSE_LENGTHS, "sharp", "--between", "1", "10", "--budget", "1e-9", *IN_FOLDER[2:]),
    ],
    "sweep": [
        ("sweep", TINY, "--suite", "carries", "--inputs", "4", *IN_FOLDER),
        ("sweep", REVERSE, "--set", "symbols=1,2", "--set", "length=2", "--verify", "60", *IN_FOLDER),
        ("sweep", "never.yaml", "--verify", "60", *IN_FOLDER),
        ("sweep", "untasked.yaml", *IN_FOLDER),
    ],
    "plot": [
        ("plot", "tests/data/swept.csv", "-o", "map.png"),
        ("plot", "tests/data/swept.csv", "--where", "base=2", "--value", "dense"),
        ("plot", TINY, "--set", "digits=2", "--attention", "1 2"),
    ],
    "claim": [("claim", "nan.yaml", "--suite", "exhaustive"), ("claim", REVERSE, "--inputs", "9")],
    "report": [
        ("report", TINY, "claiming.yaml", "nan.yaml", "--suite", "edges", "--suite", "carries", "-o", "page.md"),
        ("report", TINY, "--suite", "carries", "--pairs", "4", "--check", "page.md"),
        ("report", REVERSE, EXACT, QWEN, "--suite", "carries", "--pairs", "4"),
        ("report", "untasked.yaml"),
        ("report", REVERSE, "--suite", "edges", "--verify", "60", "--jobs", "1"),
    ],
    "run --tokens": [
        ("run", QWEN, "--tokens", "1 2 3", "--steps", "3", "--window", "4", "--sample", "--top", "2"),
        ("run", "nan.yaml", "--tokens", "1 +", "--until", "0"),
    ],
    "run": [("run", TINY, "1", "2"), ("run", QWEN, "5", "7"), ("run", "nan.yaml", "1", "1")],
}


@pytest.fixture(scope="module")
def specs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder to run in, with the specs of the project and some others."""
    folder = tmp_path_factory.mktemp("json")
    for name in ("specs", "tests"):
        (folder / name).symlink_to(ROOT / name)
    texts = {
        "nan": NAN,
        "ugly": NAN.replace(": ", ":  "),
        "minimal": starting_spec("minimal", "minimal"),
        "claiming": f"{NAN}expect: {{claimed: {{count: 12, rule: dense, note: all}}}}\n",
        "warned": f"{NAN}ignore: no-claims\nconstants: {{unused: 1}}\n",
        "untasked": f"{NAN[: NAN.index('task:')]}context: 5\n{NAN[NAN.index('stream:') :]}",
        "noted": NOTED,
        "sorting": SORTING,
        "lengths": LENGTHS,
        "even": LENGTHS.replace("    bias logits bit[0]: 0.5\n", ""),  # a tie where 0 is right
        "turning": TURNING,
        "never": LENGTHS.replace("(2 * b - 1)", "(1 - 2 * b)").replace("0.5", "-0.5"),
        "mixing": MIXING.format(symbols=18, length=4, own=0, factor=1),
        "factored": FACTORED,
        "whole": WHOLE,
        "biased": SORTING.replace("d * one", "d * one + 1"),
        "infinite": FACTORED.replace("A @ [[1, 0]]", '"[[100000], [2]] @ [[1, 0]]"'),
        "copying": COPYING,
        "bad": f"{NAN}constants: {{unused: 1}}\nparameters: {{p: 1 +}}\n",
    }
    for name, text in texts.items():
        (folder / f"{name}.yaml").write_text(text, encoding="utf-8")
    for name, tensors in STATE_DICTS.items():
        torch.save({key: torch.tensor(value) for key, value in tensors.items()}, folder / name)
    torch.jit.script(Copies()).save(str(folder / "copies.pt"))  # type: ignore[no-untyped-call]
    assert call("build", str(folder / "whole.yaml"), "-o", str(folder / "saved.safetensors")).exit_code == 0
    return folder


@pytest.fixture
def folder(specs: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The same as the working folder; what is written there goes again."""
    monkeypatch.chdir(specs)
    before = set(specs.iterdir())
    yield specs
    for path in set(specs.iterdir()) - before:
        path.unlink()


def printed(*arguments: str) -> Any:
    result = call(*arguments, "--json")
    assert result.stdout, result.stderr
    return json.loads(result.stdout)


def test_what_is_printed_has_the_shape_and_what_may_be_null_or_absent_sometimes_is(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(enumeration, "MAX_LOOKED_AT", 0.01)  # 18**4 inputs are too many to be tried then
    seen: dict[tuple[Any, str], set[bool]] = {}
    for heading, calls in CALLS.items():
        for arguments in calls:
            output = printed(*arguments)
            assert list(problems(output, PRINTED[heading])) == [], (heading, arguments)
            for row, gap in gaps(output, PRINTED[heading]):
                seen.setdefault(row, set()).add(gap)
    assert {row for row, found in seen.items() if found != {True, False}} == set()
    stated = [path for shape in WITH_SECTION for path, kind, _ in rows(shape) if GAP.search(kind)]
    assert sorted(path.replace("[]", "") for path in stated) == sorted(path for _, path in seen)


def test_every_command_with_json_has_its_section() -> None:
    with_json = {name for name, command in cli.main.commands.items() if "as_json" in {p.name for p in command.params}}
    assert with_json == {heading.split()[0] for heading in CALLS} - {"Errors"}
    assert with_json <= set(SECTIONS)


def test_the_tables_of_the_page_are_those_of_the_shapes() -> None:
    """`make docs` writes them."""
    assert with_tables(PAGE) == PAGE


@pytest.mark.parametrize("heading", PRINTED)
def test_a_section_describes_what_is_printed(heading: str) -> None:
    table = object_of(PRINTED[heading])
    assert f"<!-- begin: {table.__name__} -->\n" in SECTIONS[heading]
    for path, kind, meaning in rows(table):
        assert set(GAP.findall(kind)) == set(GAP.findall(meaning)), path
    says_list = "a list with an object" in SECTIONS[heading]
    assert says_list == (table is not PRINTED[heading])


def test_every_document_has_calls_and_an_example() -> None:
    parts = {"Diagnostic", "Claim", "Choice", "Margin", "Lead", "Reason", "Counterexample"}
    assert set(EXAMPLES) == set(CALLS) == set(PRINTED) - parts


@pytest.mark.parametrize("heading", EXAMPLES)
def test_examples_are_what_is_printed(folder: Path, heading: str) -> None:
    """`make docs` writes them."""
    assert with_examples(SECTIONS[heading]) == SECTIONS[heading]


def test_an_example_is_renewed() -> None:
    printed = {"a": 2, "items": [{"n": 1, "m": 5}, {"n": 2, "m": 6}], "more": [1, 2]}
    assert shortened(printed, {"items": [{"n": 2, "m": 9}], "a": 1}) == {"items": [{"n": 2, "m": 6}], "a": 2}
    assert shortened(printed, {"more": [2], "items": []}) == {"more": [2], "items": printed["items"]}
    with pytest.raises(KeyError):
        shortened(printed, {"gone": 1})
    assert laid_out(printed) == json.dumps(printed)
    wide = {"text": "x" * WIDTH, "list": [1, 2]}
    assert laid_out([wide]).splitlines()[2:4] == [f'    "text": "{"x" * WIDTH}",', '    "list": [1, 2]']
    assert json.loads(laid_out([wide])) == [wide]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("count", TINY, "--nonsense"), "--nonsense"),
        (("count",), "SPEC"),
        (("diff", TINY), "two models"),
        (("new", "--like", "x"), "NAME"),
        (("verify", TINY, "--budget", "0"), "above 0"),
        (("nonsense",), "nonsense"),
        (("\x1b[31m",), "\\x1b[31m"),
        ((), "--json"),
        (("schema",), "--json"),
    ],
)
def test_a_call_that_makes_no_sense(arguments: tuple[str, ...], says: str) -> None:
    result = call(*arguments, "--json")
    assert (result.exit_code, result.stderr) == (2, "")
    found = json.loads(result.stdout)
    assert list(problems(found, shapes.Errors)) == []
    (error,) = found["errors"]
    assert (error["code"], error["file"]) == ("usage", None)
    assert says in error["message"]


def test_what_stands_behind_two_dashes_asks_for_no_json() -> None:
    result = call("run", "--nonsense", "--", TINY, "--json")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith("Usage: ")


def test_warnings_of_a_valid_spec_go_to_standard_error(folder: Path) -> None:
    result = call("count", "warned.yaml", "--json")
    assert "[unused-name]" in result.stderr
    json.loads(result.stdout)
    (found,) = printed("validate", "warned.yaml")
    assert [(one["severity"], one["code"]) for one in found["diagnostics"]] == [("warning", "unused-name")]


def test_the_checker_sees_what_differs() -> None:
    right = {"written": "mine.yaml", "template": "rope"}
    assert list(problems(right, shapes.New)) == []
    swapped = dict(reversed(right.items()))
    for wrong in ({"written": "mine.yaml"}, {**right, "more": 1}, {**right, "template": None}, [right], "x", swapped):
        assert list(problems(wrong, shapes.New)), wrong
    assert list(problems([right], list[shapes.New])) == []
    assert list(problems([1, 2.5], list[int])) == ["$[1]: 2.5 is no int"]
    assert list(problems([None, "x"], list[str | None])) == []
    assert list(problems(["nan", 1], list[float])) == []
    assert all(list(problems(*wrong)) for wrong in (([None], list[str]), (True, int), ("NaN", float), (1, bool)))
    assert list(problems({"file": "x", "bytes": 1}, shapes.Saved)) == list(problems({}, shapes.Saved)) == []
    assert list(problems({"file": None}, shapes.Saved))
