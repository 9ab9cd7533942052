"""Whatever is in a file, `compiler.load` gives a `Spec` or a `SpecError`, and soon."""

from __future__ import annotations

import time
from pathlib import Path
from random import Random

import pytest

import compiler
from compiler.diagnostics import SpecError
from compiler.pipeline import Spec

SPECS = sorted((Path(__file__).parents[2] / "specs").glob("*.yaml"))
SECONDS = 5.0
CHUNK = 100  # mutations of one test
PIECES = [
    *"[]{}()*/+-=<>:,.#&!|'\"%@^~?\t\n\r\0\\_ 0",
    *[
        "**",
        "//",
        ": ",
        "- ",
        "\n  ",
        "\n    ",
        " #",
        "---",
        "...",
        "<<: ",
        "&a ",
        "*a",
        "!!",
        "é",
        "√",
        "\ufeff",
        "\u2028",
        "\U0001f600",
    ],
    *[
        "1e999",
        "-1",
        "0.5",
        "10 ** 400",
        "9 ** 9 ** 9",
        ".nan",
        ".inf",
        "-inf",
        "1e-400",
        "0x10",
        "99999999999",
        "1" * 500,
    ],
    *[
        "null",
        "true",
        "none",
        "pi",
        "inf",
        "where(",
        "sum(",
        "dot(",
        "exp(",
        "1 / 0",
        "base",
        "digits",
        "[base]",
        "[i]",
    ],
    *[
        "query_pos",
        "key_pos",
        "identity",
        "broadcast",
        "attention.output",
        "embedding",
        "stream",
        "hidden",
        "head_dim: 3",
    ],
    *["float16", "bfloat16", "standard", "rms", "none", "argmin", "a", "b", "sum", "<bos>", "head:", "ffn:", "0*9"],
]


def mutated(text: str, random: Random) -> bytes:
    """The text after one to four changes of characters, words, lines or bytes."""
    for _ in range(random.randint(1, 4)):
        at = random.randrange(len(text) + 1)
        match random.randrange(7):
            case 0:
                text = text[:at] + text[at + random.randint(1, 8) :]
            case 1:
                text = text[:at] + random.choice(PIECES) + text[at:]
            case 2:
                text = text[:at] + random.choice(PIECES) + text[at + random.randint(1, 4) :]
            case 3:
                text = _with_words(text, random)
            case _:
                text = _with_lines(text, random)
    data = bytearray(text.encode("utf-8", "surrogatepass"))
    if data and random.random() < 0.1:
        data[random.randrange(len(data))] = random.randrange(256)
    return bytes(data)


def _with_words(text: str, random: Random) -> str:
    """One word replaced by another one of the text, or by a piece."""
    words = text.split(" ")
    words[random.randrange(len(words))] = random.choice([random.choice(words), random.choice(PIECES)])
    return " ".join(words)


def _with_lines(text: str, random: Random) -> str:
    """A line dropped, doubled, moved or indented otherwise."""
    lines = text.split("\n")
    i, j = random.randrange(len(lines)), random.randrange(len(lines))
    match random.randrange(5):
        case 0:
            del lines[i]
        case 1:
            lines.insert(j, lines[i])
        case 2:
            lines[i], lines[j] = lines[j], lines[i]
        case 3:
            lines[i] = " " * random.randrange(7) + lines[i].lstrip()
        case _:
            key = lines[j].partition(": ")[0]
            lines[i] = f"{key}: {lines[i].partition(': ')[2]}"
    return "\n".join(lines)


def _check(folder: Path, chunk: int) -> tuple[int, int]:
    """Load the mutations of one chunk; how many were valid, and how many were refused."""
    random = Random(f"mutations:{chunk}")
    for path in SPECS:
        (folder / path.name).write_bytes(path.read_bytes())
    valid = refused = 0
    for case in range(CHUNK):
        original = random.choice(SPECS)
        data = mutated(original.read_text(encoding="utf-8"), random)
        path = folder / "mutated.yaml"
        path.write_bytes(data)
        start = time.monotonic()
        try:
            spec = compiler.load(path)
        except SpecError as error:
            refused += 1
            severities = {diagnostic.severity for diagnostic in error.diagnostics}
            if "error" not in severities or not str(error):
                pytest.fail(f"chunk {chunk}, case {case}: no error is named for\n{data!r}")
        except Exception as error:
            pytest.fail(f"chunk {chunk}, case {case}: {error!r} from\n{data!r}")
        else:
            assert isinstance(spec, Spec)
            valid += 1
        assert time.monotonic() - start < SECONDS, (chunk, case, data)
    return valid, refused


@pytest.mark.parametrize("chunk", range(5))
def test_mutations_load_or_are_refused(tmp_path: Path, chunk: int) -> None:
    valid, refused = _check(tmp_path, chunk)
    assert valid >= 5  # the mutations reach the later stages
    assert refused >= 50


@pytest.mark.long
@pytest.mark.parametrize("chunk", range(5, 205))
def test_many_mutations_load_or_are_refused(tmp_path: Path, chunk: int) -> None:
    assert sum(_check(tmp_path, chunk)) == CHUNK
