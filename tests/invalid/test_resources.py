"""Specs that ask for too much get an answer within bounded time and memory, from the real command line."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

import compiler.language.resolve
from compiler.expressions.scope import Work
from compiler.source.diagnostics import SpecError
from tests.helpers import DATA, HANGS, ROOT
from tests.hostile.equations import EQUATIONS
from tests.hostile.expressions import EXPRESSIONS
from tests.hostile.flows import FLOWS, FLOWS_TOO_LONG, HARD_CODED
from tests.hostile.made import Hostile
from tests.hostile.settings import SETTINGS
from tests.hostile.steps import STEPS
from tests.hostile.tasks import TASKS
from tests.hostile.texts import TEXTS

EVERY = (*TEXTS, *EXPRESSIONS, *EQUATIONS, *STEPS, *SETTINGS, *FLOWS, *TASKS)
MEGABYTES = 500
QUICK = """
    ten-megabytes alias-bomb-of-maps megabyte-of-brackets unknown-keys sum-nest
    let-chain set-of-equal-signs long-products
""".split()  # noqa: SIM905


@dataclass(frozen=True)
class Measured:
    """What `tests/measured.py` says of a command."""

    exit_code: int
    seconds: float
    cpu_seconds: float
    megabytes: float
    stdout: str
    stderr: str

    @property
    def codes(self) -> set[str]:
        return set(re.findall(r"error: .*\[([a-z-]+)\]$", self.stderr, re.MULTILINE))


def run(hostile: Hostile, command: str, folder: Path, *options: str) -> Measured:
    """A command on the spec, in a process of its own."""
    made = hostile.make()
    files = made if isinstance(made, dict) else {"spec.yaml": made}
    for name, content in files.items():
        (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    settings = [word for setting in hostile.settings for word in ("--set", setting)]
    cli = [sys.executable, str(ROOT / "cli.py"), command, str(folder / next(iter(files))), *settings, *options]
    measure = [sys.executable, "-S", str(ROOT / "tests" / "measured.py"), str(HANGS)]
    result = subprocess.run([*measure, *cli], cwd=ROOT, capture_output=True, text=True, check=True)
    return Measured(**json.loads(result.stdout))


def check(measured: Measured) -> None:
    assert "Traceback" not in measured.stderr
    assert measured.exit_code in (0, 2), measured.stderr[-2000:]  # another one if it took too long
    assert measured.megabytes < MEGABYTES


@pytest.mark.parametrize(
    "hostile",
    [pytest.param(one, id=one.name, marks=[] if one.name in QUICK else [pytest.mark.long]) for one in EVERY],
)
def test_a_hostile_spec_is_answered_soon(tmp_path: Path, hostile: Hostile) -> None:
    measured = run(hostile, "validate", tmp_path)
    check(measured)
    assert measured.exit_code == (2 if hostile.codes else 0), measured.stderr[-2000:]
    assert not hostile.codes or measured.codes & set(hostile.codes), measured.stderr[-2000:]


@pytest.mark.long
@pytest.mark.parametrize("command", ["show", "count", "lint", "build"])
@pytest.mark.parametrize("hostile", [one for one in EVERY if not one.codes], ids=lambda one: str(one.name))
def test_a_large_spec_that_is_valid_is_served_soon(tmp_path: Path, hostile: Hostile, command: str) -> None:
    measured = run(hostile, command, tmp_path)
    check(measured)
    assert measured.exit_code == 0, measured.stderr[-2000:]


@pytest.mark.long
@pytest.mark.parametrize("hostile", FLOWS_TOO_LONG, ids=lambda one: str(one.name))
def test_what_is_too_much_to_follow_is_refused_soon(tmp_path: Path, hostile: Hostile) -> None:
    measured = run(hostile, "lint", tmp_path)
    check(measured)
    assert measured.exit_code == 2
    assert measured.codes == {"too-much-work"}
    assert re.search(r"spec\.yaml:\d+:3: error: more than [\d,]+ steps to find out what matters", measured.stderr)
    ignored = [word for rule in ("self-attention", "mean", "dead-weight") for word in ("--ignore", rule)]
    assert run(hostile, "lint", tmp_path, *ignored).exit_code == 0


@pytest.mark.long
@pytest.mark.parametrize("hostile", HARD_CODED, ids=lambda one: str(one.name))
def test_many_hard_coded_numbers_are_listed_soon(tmp_path: Path, hostile: Hostile) -> None:
    for option in ("--hard-coded", "--json"):
        measured = run(hostile, "count", tmp_path, option)
        check(measured)
        assert measured.exit_code == 0
        assert len(measured.stdout) < 4_000_000


def test_a_name_stands_for_one_spec() -> None:
    names = [hostile.name for hostile in (*EVERY, *FLOWS_TOO_LONG, *HARD_CODED)]
    assert len(set(names)) == len(names)
    assert set(QUICK) <= set(names)


@pytest.mark.parametrize("name", ["wide", "inplace"])
def test_running_out_of_work_is_reported_wherever_it_happens(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    path = DATA / "fuzz" / f"{name}.yaml"
    whole = compiler.count(compiler.load(path))
    found: list[str] = []
    for left in range(0, 12_000, 241):
        monkeypatch.setattr(compiler.language.resolve, "Work", lambda left=left: Work(left))
        try:
            spec = compiler.load(path)
        except SpecError as error:
            codes = {one.code for one in error.diagnostics if one.severity == "error"}
            found.append("refused" if codes == {"too-much-work"} else f"{left}: {codes}")
        else:
            counts = compiler.count(spec)
            same = (counts.dense, counts.nonzero) == (whole.dense, whole.nonzero)
            found.append("valid" if same else f"{left}: {counts}")
    assert found == sorted(found)  # the more work there is, the better
    assert set(found) == {"refused", "valid"}
