"""What is written in a vocabulary or a layout is what is there, or an error at its place."""

from __future__ import annotations

from pathlib import Path

import pytest

from compiler.pipeline import load
from compiler.source.diagnostics import SpecError
from compiler.tasks import TaskError
from tests.cli.test_cli import call
from tests.helpers import SPECS
from tests.tasks.packaged import package_task

TEXT = """\
weightspec: 1
name: small
dtype: float32
vocabulary: {vocabulary}
task:
  addition: {{base: {base}, digits: 1}}
  prompt: {prompt}
  answer: {answer}
stream: x
network:
  embedding:
    digit[d]: {{x: 1}}
decode: argmax
"""


def written(folder: Path, vocabulary: str = "digit[16] + = ~ no 12x", **task: str) -> Path:
    path = folder / "small.yaml"
    own = {"base": "10", "prompt": "a b", "answer": "sum", **task}
    path.write_text(TEXT.format(vocabulary=vocabulary, **own), encoding="utf-8")
    return path


def labels(path: Path, part: str) -> list[str]:
    spec = load(path)
    slots = spec.layout.prompt if part == "prompt" else spec.layout.answer
    names = spec.network.vocabulary.labels
    return [names[slot.token] if slot.token is not None else slot.places[0].word for slot in slots]


def errors(path: Path) -> list[tuple[str, str]]:
    """The text that each error points at, and its code."""
    with pytest.raises(SpecError) as caught:
        load(path)
    return [
        (one.span.text if one.span else "", one.code) for one in caught.value.diagnostics if one.severity == "error"
    ]


def assert_written(path: Path, part: str, item: str, expected: list[str] | None) -> None:
    """The layout has these tokens; None: the item is an error."""
    if expected is not None:
        assert labels(path, part) == expected
    else:
        ((place, code),) = errors(path)
        assert (place, code in ("unknown-name", "wrong-type")) == (item, True)


@pytest.mark.parametrize("part", ["prompt", "answer"])
@pytest.mark.parametrize(
    ("item", "tokens"),
    [
        ("0", ["digit[0]"]),
        ("0 0", ["digit[0]", "digit[0]"]),
        ("0*2", ["digit[0]", "digit[0]"]),
        ("1 2", ["digit[1]", "digit[2]"]),
        ("digit[12]", ["digit[12]"]),
        ("no", ["no"]),
        ("~", ["~"]),
        ("12x", ["12x"]),
        ("00", None),
        ("01", None),
        ("007", None),
        ("12", None),
        ("00*2", None),
        ("000000000", None),
        ("10000000000000", None),
        ("1e0", None),
        ("1.0", None),
        ("0o1", None),
        ("0x1", None),
        ("0_0", None),
        ("-0", None),
        ("+0", None),
        ("0,", None),
        ("on", None),
        ("true", None),
        ("null", None),
        ("٣", None),
        ("''", None),
    ],
)
def test_an_item_of_a_layout(tmp_path: Path, part: str, item: str, tokens: list[str] | None) -> None:
    """Between the words of the task, in text and as items of a list."""
    first, last = (["a"], ["b"]) if part == "prompt" else (["sum", "sum"], [])
    items = [first[0], *item.split(), *last]
    expected = None if tokens is None else [*first, *tokens, *last]
    assert_written(written(tmp_path, **{part: " ".join(items)}), part, item, expected)
    if not set(item) & set("[,'~"):  # which YAML reads otherwise in a list
        assert_written(written(tmp_path, **{part: f"[{', '.join(items)}]"}), part, item, expected)


@pytest.mark.parametrize(("base", "tokens"), [("16", ["a", "digit[12]", "b"]), ("12", None), ("2", None)])
def test_a_number_is_a_symbol_where_there_are_so_many(tmp_path: Path, base: str, tokens: list[str] | None) -> None:
    path = written(tmp_path, base=base, prompt="a 12 b")
    if tokens is None:
        assert errors(path) == [("12", "unknown-name")]
    else:
        assert labels(path, "prompt") == tokens


def test_a_token_of_that_name_is_meant(tmp_path: Path) -> None:
    path = written(tmp_path, "digit[10] 00 0", prompt="a 00 0 1 b")
    assert labels(path, "prompt") == ["a", "00", "0", "digit[1]", "b"]


@pytest.mark.parametrize(("item", "hint"), [("00", "0 0"), ("12", "1 2"), ("05*3", "0 5")])
def test_symbols_that_are_written_together_have_a_hint(tmp_path: Path, item: str, hint: str) -> None:
    result = call("validate", str(written(tmp_path, prompt=f"a {item} b")))
    assert f"small.yaml:7:13: error: no token or word '{item}' here" in result.stderr
    assert f"hint: symbols are written apart, as in `{hint}`" in result.stderr


@pytest.mark.parametrize(
    ("vocabulary", "names"),
    [
        ("digit[10] 00 0 1e3 ~ no true 0x1 1.50", ["00", "0", "1e3", "~", "no", "true", "0x1", "1.50"]),
        ('["digit[10]", no, on, "0", "1e3", "~", "true"]', ["no", "on", "0", "1e3", "~", "true"]),
        ('["digit[10]", 0]', None),
        ('["digit[10]", 1e3]', None),
        ('["digit[10]", 1.50]', None),
        ('["digit[10]", ~]', None),
        ('["digit[10]", true]', None),
        ('["digit[10]", ""]', None),
        ('["digit[10]", "  "]', None),
        ("12", None),
        ("1e3", None),
        ("true", None),
        ("~", None),
    ],
)
def test_names_of_a_vocabulary(tmp_path: Path, vocabulary: str, names: list[str] | None) -> None:
    path = written(tmp_path, vocabulary)
    if names is not None:
        assert list(load(path).network.vocabulary.labels[10:]) == names
        return
    ((place, _),) = errors(path)
    assert place == vocabulary.partition(", ")[2].removesuffix("]") or place == vocabulary


def test_a_symbol_on_the_command_line_too() -> None:
    reverse = str(SPECS / "reverse.yaml")
    assert call("run", reverse, *"01022111").exit_code == 0
    result = call("run", reverse, "00", *"1022111")
    assert result.exit_code == 2
    assert "'00' is no symbol: they are the numbers 0 to 4" in result.stderr


@pytest.mark.parametrize("text", ["10", "00", "01", "-1", "+1", "1.0", "1e0", "²", "٣", "999999999999"])
def test_the_text_of_a_symbol_is_the_one_that_is_printed(text: str) -> None:
    task = package_task("copy", symbols=10, length=2)
    assert task.read(["0", "9"]) == (0, 9)
    with pytest.raises(TaskError, match="is no symbol: they are the numbers 0 to 9"):
        task.read(["0", text])
