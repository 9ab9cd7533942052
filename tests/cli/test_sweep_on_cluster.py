"""`sweep --scheduler`: an interruption, and real schedulers and workers that Dask's own commands start."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading

from distributed import Scheduler, SchedulerPlugin

from tests.cli.test_cli import ROOT, call_json
from tests.cli.test_report import REVERSE
from tests.cli.test_sweep import LONG, SHORT, own_cache, without_seconds
from tests.unit.test_sweep_on_cluster import cluster

__all__ = ["own_cache"]  # a fixture of every test here too


def on(scheduler: str, *words: str) -> tuple[str, ...]:
    """A call that asks a cluster, instead of processes."""
    place = words.index("--jobs")
    return (*words[:place], *words[place + 2 :], "--scheduler", scheduler)


class Left(SchedulerPlugin):
    """Says when the sweep has left the scheduler, and which of its points that still has then."""

    def __init__(self, scheduler: Scheduler) -> None:
        self.scheduler, self.happened, self.points = scheduler, threading.Event(), [""]

    def remove_client(self, scheduler: Scheduler, client: str) -> None:
        self.scheduler.loop.add_callback(self._look)

    def _look(self) -> None:
        self.points = [str(key) for key in self.scheduler.tasks]
        self.happened.set()


def test_an_interruption_keeps_the_journal_and_gives_up_the_points() -> None:
    with cluster() as started:
        left = Left(started.scheduler)
        started.scheduler.add_plugin(left)
        call = on(started.scheduler_address, *LONG)
        with subprocess.Popen(
            [sys.executable, "cli.py", *call], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as child:
            assert child.stderr is not None
            first = child.stderr.readline()
            child.send_signal(signal.SIGINT)
            output, said = child.communicate(timeout=300)
        assert (child.returncode, output) == (130, ""), said
        assert first.startswith(f"{REVERSE} symbols=1 length=4: ")
        assert said.startswith("interrupted after ")
        assert said.endswith(" of 200 points; the same command computes the others\n")
        assert left.happened.wait(300)
        assert left.points == []
    again = call_json(*SHORT)
    assert again["known"] >= 2  # those before the line that was read
    assert without_seconds(again) == without_seconds(call_json(*SHORT, "--restart"))


def test_processes_of_this_machine_and_a_cluster_exclude_each_other() -> None:
    (found,) = call_json(*SHORT, "--scheduler", "tcp://127.0.0.1:8786", exit_code=2)["errors"]
    assert (found["code"], "--jobs" in found["message"]) == ("bad-value", True)
