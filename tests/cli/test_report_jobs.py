"""`report --jobs`: errors come through, and an end from outside is a clean one. (Verdicts in `test_report.py`.)"""

from __future__ import annotations

import os
import re
import select
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from compiler.pipeline import Spec, load
from compiler.report.plans import RunPlan
from compiler.report.processes import Job, _worth
from compiler.report.reporting import make_report
from compiler.source.diagnostics import SpecError
from compiler.terminal import shapes
from compiler.terminal.reports import report_json
from tests.cli.test_cli import EXACT, QWEN, ROOT, TINY, call
from tests.cli.test_report import REVERSE
from tests.helpers import SPECS
from tests.hooked import after_import
from tests.scripted import TINY as SCRIPTED

CLI = str(ROOT / "cli.py")
ENDLESS = (TINY, EXACT, QWEN, "--suite", "near_carry", "--pairs", "1000000", "--jobs", "2")


@pytest.mark.usefixtures("forked_workers")
@pytest.mark.parametrize("jobs", ["1", "2"])
def test_an_error_is_the_same_in_another_process(jobs: str) -> None:
    result = call("report", TINY, QWEN, "--suite", "exhaustive", "--jobs", jobs)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith("error: exhaustive would be 10**20 pairs")


def test_jobs_are_counted_from_one() -> None:
    result = call("report", TINY, "--jobs", "0")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "'--jobs'" in result.stderr


def job(inputs: int) -> Job:
    return Job(load(SPECS / "qwen20.yaml"), RunPlan(("near_carry",), 5, None), inputs)


def test_little_work_is_not_worth_a_process() -> None:
    assert _worth([job(1000)] * 5) == 1
    assert _worth([job(10**7)] * 5) >= 1


@pytest.mark.usefixtures("forked_workers")
@pytest.mark.parametrize("jobs", [1, 2])
def test_a_report_is_about_the_specs_as_they_were_read(tmp_path: Path, jobs: int) -> None:
    """Others replace them, and what one of them extends, while the first is evaluated."""
    base, variant, alone = (tmp_path / f"{name}.yaml" for name in ("base", "variant", "alone"))
    base.write_text(SCRIPTED, encoding="utf-8")
    variant.write_text("weightspec: 1\nextends: base.yaml\nname: variant\n", encoding="utf-8")
    alone.write_text(SCRIPTED.replace("name: tiny", "name: alone"), encoding="utf-8")
    specs = [load(path) for path in (variant, alone)]

    def made(processes: int, progress: Callable[[Spec, int, int], None] | None = None) -> shapes.Report:
        report = make_report(specs, ["edges"], processes=processes, progress=progress)
        return report_json(report, None, stale=None)

    def replaced(*_: object) -> None:
        for path in (base, variant, alone):
            path.write_text("name: other\n\n" + SCRIPTED.replace("name: tiny", ""), encoding="utf-8")
        base.unlink()

    before = made(1)
    assert made(jobs, replaced) == made(1) == before
    assert [one["lines"] for one in before["models"]] == [13, 3]


def test_a_saved_model_that_is_replaced_meanwhile_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    assert call("build", REVERSE, "-o", str(path)).exit_code == 0
    spec = load(path, {"dtype": "float32"})
    assert call("build", QWEN, "-o", str(path)).exit_code == 0
    with pytest.raises(SpecError, match="the spec inside was changed since it was read"):
        make_report([spec])


TELL_WHEN_JUDGING = """
def act(module):
    decide, told = module.Evaluator.decide, []
    def decide_and_tell(*arguments):
        if not told:
            told.append(True)
            with open(os.environ["TOLD"], "wb", buffering=0) as pipe:
                pipe.write(os.getpid().to_bytes(8, "little"))
        return decide(*arguments)
    module.Evaluator.decide = decide_and_tell
"""


@contextmanager
def running(folder: Path, target: Path) -> Iterator[tuple[subprocess.Popen[str], list[int]]]:
    """A report that takes long, once both of its workers are at it, and these workers."""
    command = [sys.executable, CLI, "report", *ENDLESS, "-o", str(target)]
    told = folder / "told"
    os.mkfifo(told)
    pipe = os.open(told, os.O_RDWR)
    environment = after_import(folder, "compiler.evaluation.evaluator", TELL_WHEN_JUDGING, TOLD=str(told))
    with subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as child:
        try:
            others: list[int] = []
            while len(others) < 2:
                assert select.select([pipe], [], [], 600)[0]
                others.append(int.from_bytes(os.read(pipe, 8), "little"))
            yield child, others
        finally:
            child.kill()
            os.close(pipe)


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="this system has no /proc")
@pytest.mark.parametrize(
    "whole_group", [pytest.param(False, id="parent", marks=pytest.mark.long), pytest.param(True, id="terminal")]
)
def test_control_c_ends_all_processes(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, whole_group: bool
) -> None:
    """A signal to the parent alone, as `kill` sends it, and one to each process, as a terminal does."""
    with running(tmp_path_factory.mktemp("hook"), tmp_path / "page.md") as (child, others):
        for pid in (*others * whole_group, child.pid):
            os.kill(pid, signal.SIGINT)
        output, said = child.communicate(timeout=30)
    assert (child.returncode, output, said) == (130, "", "interrupted\n")
    assert len(others) == 2
    assert not any(Path(f"/proc/{pid}/maps").exists() and Path(f"/proc/{pid}/maps").read_text() for pid in others)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="this system has no /proc")
def test_a_process_that_is_killed(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    with running(tmp_path_factory.mktemp("hook"), tmp_path / "page.md") as (child, others):
        os.kill(others[0], signal.SIGKILL)
        output, said = child.communicate(timeout=30)
    assert (child.returncode, output) == (2, "")
    assert re.match(r"error: a process that evaluated a model was ended .*\n  hint: --jobs 1 ", said)
    assert list(tmp_path.iterdir()) == []
