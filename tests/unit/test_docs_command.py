"""`make docs` writes what is printed into the pages, and its check says where they are stale."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from tests.docs.__main__ import main
from tests.docs.blocks import NOT_RUN, blocks, python_outputs

VALIDATE = "python cli.py validate specs/qwen20.yaml specs/reverse.yaml specs/tiny95.yaml"
SHOWN = [
    "specs/qwen20.yaml: ok, 4 steps in float32",
    "specs/reverse.yaml: ok, 3 steps in float32",
    "specs/tiny95.yaml: ok, 5 steps in float64",
]


def page_with(*, whole: list[str], part: list[str], two: str, four: str) -> str:
    """A page with each kind of output: whole, cut, of a command that is not run, below and beside Python."""
    console = [
        "\n".join([f"$ {VALIDATE}", *whole]),
        "\n".join([f"$ {VALIDATE}", *part, "…"]),
        f"$ {next(iter(NOT_RUN))}\nas it was",
    ]
    python = [f"print(2 * 2)  # {four}", "print(1 + 1)"]
    shown = [f"```console\n{text}\n```\n" for text in console] + [f"```python\n{text}\n```\n" for text in python]
    return "\n".join(["Some $ prose.\n", *shown, f"```text\n{two}\n```\n"])


RIGHT = page_with(whole=SHOWN, part=SHOWN[:1], two="2", four="4")


@pytest.mark.parametrize(
    "stale",
    [
        page_with(whole=SHOWN[1:], part=SHOWN[:1], two="2", four="4"),
        page_with(whole=[*SHOWN, "more"], part=SHOWN[:1], two="2", four="4"),
        page_with(whole=SHOWN, part=["other"], two="2", four="4"),
        page_with(whole=SHOWN, part=SHOWN[:1], two="3", four="4"),
        page_with(whole=SHOWN, part=SHOWN[:1], two="2", four="5"),
    ],
)
def test_a_stale_page_is_shown_and_then_written(stale: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = tmp_path / "page.md"
    page.write_text(stale, encoding="utf-8")
    assert main(["--check"], [page], []) == 1
    differing = [line for line in capsys.readouterr().out.splitlines()[2:] if line[0] in "-+"]
    old, new = Counter(stale.splitlines()), Counter(RIGHT.splitlines())
    assert Counter(differing) == Counter({f"-{line}": n for line, n in (old - new).items()}) + Counter(
        {f"+{line}": n for line, n in (new - old).items()}
    )
    assert page.read_text(encoding="utf-8") == stale
    assert main([], [page], []) == 0
    assert page.read_text(encoding="utf-8") == RIGHT
    assert main(["--check"], [page], []) == 0


def test_a_page_that_is_right_stays(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = tmp_path / "page.md"
    page.write_text(RIGHT, encoding="utf-8")
    assert (main(["--check"], [page], []), main([], [page], [])) == (0, 0)
    assert capsys.readouterr().out == ""
    assert [block.kind for block in blocks(page)] == ["console"] * 3 + ["python"] * 2 + ["text"]
    assert [block.kind for block, _ in python_outputs(page)] == ["python", "text"]


def test_pictures_are_drawn_and_are_stale_where_they_show_something_else(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page, picture = tmp_path / "page.md", tmp_path / "map.svg"
    file = f"docs/pictures/{picture.name}"
    command = f"python cli.py plot tests/data/swept.csv -o {file}"
    page.write_text(f"```console\n$ {command}\n{file}: heatmap, 1 panel\n```\n", encoding="utf-8")

    def run(*arguments: str) -> int:
        return main(arguments, [page], [], tmp_path)

    assert (run("--check"), run()) == (1, 0)
    drawn = picture.read_text(encoding="utf-8")
    for old, new, code in [("#0072b2", "#000000", 0), ('"refuted"', '"open"', 1)]:  # another style, another verdict
        assert old in drawn
        picture.write_text(drawn.replace(old, new, 1), encoding="utf-8")
        capsys.readouterr()
        assert run("--check") == code
        assert ("map.svg: is missing, or shows something else" in capsys.readouterr().out) == bool(code)
