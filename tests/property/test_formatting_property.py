"""Shipped specs, mangled: formatting restores them, keeps comments and meaning, and does nothing a second time."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path
from random import Random

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import compiler
from compiler.pipeline import Spec, load_source
from compiler.readers.formatting.formatting import format_source
from compiler.source.diagnostics import SpecError
from compiler.source.document import Mapping
from compiler.source.text import Source
from tests.helpers import STEPS, small
from tests.property.mutants import mutant
from tests.property.test_document_property import any_text, outcome
from tests.tasks.specs import PARTS, written

SPECS = sorted((Path(__file__).parents[2] / "specs").glob("*.yaml"))
_LINE = re.compile(r"(?P<indent> *)(?P<key>[^ #][^:]*|):(?: (?P<value>.*?))?(?P<comment>  #.*)?")
_TOKENS = re.compile(r"[0-9.]+(?:e-?[0-9]+)?|[\w.]+|\*\*|//|[<>=!]=|\S")
_LISTS = ("heads", "hidden", "stream", "vocabulary")
_ALPHABETS = ("relation", "bracket", "verdict", "letter", "item", "bit", "symbol")
_TEXTS = ("prompt", "answer", "name", "source", "summary", "decode", "dtype", "order", "shown")
seeds = st.integers(0, 2**32)


def formatted(text: str) -> str:
    return format_source(Source("spec.yaml", text))


def remarks(text: str) -> list[str]:
    """The lines with a number sign, without spaces: each comment with what it is attached to."""
    return ["".join(line.split()) for line in text.split("\n") if "#" in line]


def mangled(text: str, random: Random, *, blank: float = 0.0, comment: float = 0.0, quote: float = 0.0) -> str:
    """The same spec with other indentation and spaces; new blank lines, comments and quotes at the given rates."""
    lines: list[str] = []
    widths = [0]  # of the indentation, by level
    folded: int | None = None  # the level of a key whose text runs over lines
    for line in text.rstrip("\n").split("\n"):
        level = (len(line) - len(line.lstrip(" "))) // 2
        if level >= len(widths):
            widths.append(widths[-1] + random.randint(1, 6))
        del widths[level + 1 :]
        indent = " " * widths[level]
        if folded is not None and level > folded:
            lines.append(indent + line.strip())
            continue
        folded = level if line.endswith((">-", "|-")) else None
        if random.random() < blank:
            lines += ["" if random.random() < 0.5 else " "] * random.randint(1, 3)
        if random.random() < comment:
            lines.append(f"{indent}# new {len(lines)}: {{x: [1,2]  'y")
        match = _LINE.fullmatch(line)
        if match is None or line.lstrip().startswith("#"):
            lines.append(indent + line.strip() + " " * random.randint(0, 2))
            continue
        key = match["key"] if level == 0 or "<" in match["key"] else _loosened(match["key"], random)
        value = match["value"] or ""
        if match["key"].strip() in (*_LISTS, *_ALPHABETS):
            value = re.sub(" ", lambda _: " " * random.choice([1, 1, 3]), value)
        elif (
            level
            and match["key"].strip() not in _TEXTS
            and re.fullmatch(r"[\w ()\[\]+*/.,<>=!-]+", value)
            and value[0] != "["
        ):
            value = _loosened(value, random)
            if random.random() < quote and not re.fullmatch(r"[-0-9.e]+", value):
                value = random.choice(["'{}'", '"{}"']).replace("{}", value)
        elif value.startswith(("{", "[")) and match["key"].strip() not in _TEXTS:
            value = re.sub(r"[{\[,] ?|(?=[}\]])", lambda mark: mark[0].strip() + _blanks(random), value)
        elif value == "" and random.random() < comment:
            value = "   # of " + key.strip()
        remark = match["comment"]
        if remark is None and value and "#" not in value and not folded and random.random() < comment:
            remark = "# remark"
        end = f" {_blanks(random)}{remark.strip()}" if remark else _blanks(random)
        lines.append(f"{indent}{key}{_blanks(random)}:{_blanks(random)} {value}{end}")
    return "\n".join(lines) + random.choice(["", "\n", "\n\n\n"])


def _loosened(text: str, random: Random) -> str:
    """An expression or a key with other spaces: none or several, as long as its tokens stay apart."""
    tokens = _TOKENS.findall(text)
    written: str = tokens[0]
    for before, token in pairwise(tokens):
        apart = before[-1].isalnum() and token[0].isalnum()
        starts = written in ("-", "+") or token == "["  # `- x` would be an item of a list
        written += ("" if starts else _blanks(random) or " " * apart) + token
    return written


def _blanks(random: Random) -> str:
    return " " * random.choice([0, 0, 1, 3])


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(SPECS), seeds)
def test_indentation_and_spaces_are_restored(path: Path, seed: int) -> None:
    text = path.read_text(encoding="utf-8")
    assert formatted(mangled(text, Random(seed))) == text


@settings(max_examples=25, deadline=None)
@given(st.sampled_from(list(PARTS)), seeds)
def test_tasks_are_restored(name: str, seed: int) -> None:
    text = written(name)
    before = mangled(text, Random(seed))
    assert formatted(before) == text
    first, second = (load_source(Source("spec.yaml", one)) for one in (before, text))
    assert compiler.diff(first, second).empty


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(SPECS), seeds)
def test_comments_quotes_and_blank_lines_are_kept(path: Path, seed: int) -> None:
    before = mangled(path.read_text(encoding="utf-8"), Random(seed), blank=0.2, comment=0.2, quote=0.3)
    after = formatted(before)
    assert formatted(after) == after
    assert remarks(after) == remarks(before)
    assert "".join(after.split()) == "".join(before.split())
    lines = after.split("\n")
    assert lines.pop() == ""
    assert all(line == line.rstrip() for line in lines)
    assert lines[0]
    assert lines[-1]
    assert "\n\n\n" not in after
    assert [bool(line) for line in before.split("\n") if line.strip()] == [True for line in lines if line]


@settings(max_examples=25, deadline=None)
@given(st.sampled_from(SPECS), seeds)
def test_the_model_is_the_same(tmp_path_factory: pytest.TempPathFactory, path: Path, seed: int) -> None:
    folder = tmp_path_factory.mktemp("specs")
    for other in SPECS:
        (folder / other.name).write_bytes(other.read_bytes())
    variant = folder / "mangled.yaml"
    before = mangled(path.read_text(encoding="utf-8"), Random(seed), blank=0.1, comment=0.1, quote=0.3)
    variant.write_text(before, encoding="utf-8")
    first = compiler.load(variant)
    variant.write_text(formatted(before), encoding="utf-8")
    second = compiler.load(variant)
    difference = compiler.diff(first, second)
    assert (difference.shapes, difference.groups, difference.counts) == ((), (), ())


def check(text: str) -> bool:
    """A document is formatted or refused, and the result is its own canonical form. Whether it was formatted."""
    source = Source("spec.yaml", text)
    document = outcome(source)
    if isinstance(document, SpecError):
        with pytest.raises(SpecError) as caught:
            format_source(source)
        assert caught.value.diagnostics == document.diagnostics
        return False
    try:
        after = format_source(source)
    except SpecError as error:
        expected = "cannot-format" if isinstance(document, Mapping) else "wrong-type"
        if error.diagnostics[0].code != expected or "defect" in str(error):
            raise
        return False
    assert formatted(after) == after
    assert "".join(after.split()) == "".join(text.split())
    return True


@settings(max_examples=200, deadline=None)
@given(any_text)
@example("a:\n- |+\n  x\n\n\n# c\n- b")
@example("a: {b: [\n# c\n1, # d\n]}")
@example("  --- ")
def test_any_text(text: str) -> None:
    check(text)
    check(f"constants:\n  {text}")
    check(f"network:\n  ffn  x:\n     up c[ i]: {text}")


@pytest.mark.parametrize("seed", [pytest.param(i, marks=[pytest.mark.long] * (i > 0)) for i in range(10)])
def test_mutations_of_specs(seed: int) -> None:
    random = Random(f"formatting:{seed}")
    texts = [path.read_text(encoding="utf-8") for path in SPECS]
    done = 0
    for _ in range(100):
        data = mutant(random.choice(texts), random)
        done += check(data.decode("utf-8", "replace"))
    assert done > 10


BLANKS = [" ", "  ", "\t", " \t ", "\t ", "\xa0", " \xa0 ", "\u3000", "\u200b", "\\t", "\\xa0", "\r", "\x85", "\ufeff"]
WEIGHTS = [12, 6, 3, 3, 2, 3, 2, 2, 1, 1, 1, 1, 1, 1]
SMALL = [path.read_text(encoding="utf-8") for path in sorted(STEPS.glob("*.yaml")) if path.stem != "variant"]
_PLACES = re.compile(r"[ ]|(?<=[\w\])])(?=[^\w ])|(?<=[^\w ])(?=\w)|^|$")


def with_blanks(text: str, random: Random) -> str:
    """The text with blanks of many kinds in one to three of its lines, some of them in quotes."""
    lines = text.split("\n")
    for number in random.sample(range(len(lines)), random.choice([1, 1, 2, 3])):
        line = lines[number]
        match = re.fullmatch(r"( *)([^:#'\"]+): ([^\[{&*>|'\"][^'\"]*)", line)
        if match and random.random() < 0.4:
            quote = random.choice("'\"")
            indent, key, value = match.groups()
            line = random.choice([f"{indent}{quote}{key}{quote}: {value}", f"{indent}{key}: {quote}{value}{quote}"])
        for _ in range(random.choice([1, 2])):
            at = random.choice([place.start() for place in _PLACES.finditer(line)])
            over = line[at : at + 1] == " " and random.random() < 0.5
            line = line[:at] + random.choices(BLANKS, WEIGHTS)[0] + line[at + over :]
        lines[number] = line
    return "\n".join(lines)


def checked(text: str) -> Spec | list[str]:
    """The spec, or the codes of what is wrong with it."""
    try:
        return load_source(Source("spec.yaml", text))
    except SpecError as error:
        return sorted(diagnostic.code for diagnostic in error.diagnostics)


def same_spec(text: str, after: str) -> bool:
    """Whether both texts are wrong in the same way, or are specs of the same model."""
    first, second = checked(text), checked(after)
    if isinstance(first, list) or isinstance(second, list):
        return first == second
    difference = compiler.diff(first, second)
    return (difference.shapes, difference.groups, difference.counts) == ((), (), ())


@pytest.mark.parametrize("seed", [pytest.param(i, marks=[pytest.mark.long] * (i > 1)) for i in range(4)])
def test_what_is_invalid_stays_so_and_what_is_valid_means_the_same(seed: int) -> None:
    random = Random(f"blanks:{seed}")
    changed = 0
    for _ in range(120):
        text = with_blanks(random.choice(SMALL), random)
        try:
            after = formatted(text)
        except SpecError as error:
            if "defect" in str(error):
                raise
            continue
        changed += after != text
        assert after == text or same_spec(text, after), text
    assert changed > 20


@pytest.mark.parametrize("blank", ["\t", " \t ", " \t", "\xa0", " \u3000 ", " "], ids=ascii)
@pytest.mark.parametrize(
    "line",
    [
        "up?h[i]: x",
        "up ?h[i]: x",
        "up h?[i]: x",
        "'up h[i]?': x",
        "'?up h[i]': x",
        "up h[i]: '?x?'",
        "kv_heads: 'a?[2]'",
    ],
)
def test_a_blank_makes_no_other_key_and_no_other_name(line: str, blank: str) -> None:
    """Two spaces, and what YAML, keys or names take for no space."""
    line = line.replace("?", blank)
    if line.startswith("kv"):
        step = f"attention:\n  heads: a[2]\n  {line}\n  key: x\n  value a[i]:  x\n  output x: a[0]"
    else:
        step = f"ffn:\n  hidden: h[2]\n  {line}\n  down x:  h[0]"
    text = small(f"embedding: {{=: {{x: 1}}}}\n{step}")
    after = formatted(text)
    assert after != text
    assert same_spec(text, after)
