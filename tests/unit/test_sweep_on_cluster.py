"""Sweeps on Dask clusters: equal to those of this process, whoever dies meanwhile; and clusters that are refused."""

from __future__ import annotations

import json
import logging
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import islice
from pathlib import Path
from types import SimpleNamespace

import dask
import pytest
from distributed import Client, KilledWorker, LocalCluster, Worker, WorkerPlugin

import compiler
from compiler.source import versions
from compiler.source.diagnostics import SpecError
from compiler.source.text import Source
from compiler.sweeps import points
from compiler.sweeps.points import point_result
from compiler.sweeps.results import PointQuestion, PointResult, SweepRow
from tests.helpers import ROOT, SPECS
from tests.unit.test_sweeps import dying, found

REVERSE = SPECS / "reverse.yaml"
PATIENCE = "distributed.comm.timeouts.connect"
AXES = ["symbols=1..4", "length=1,2"]  # one symbol is an error
Found = list[tuple[str, str, PointResult]]


def cluster(workers: int = 1, *, threads: int = 1, processes: bool = False) -> LocalCluster:
    """On this machine. Where its workers are no processes they are threads of this one, and start at once."""
    return LocalCluster(  # type: ignore[no-untyped-call]
        n_workers=workers,
        threads_per_worker=threads,
        processes=processes,
        protocol="tcp://",
        host="127.0.0.1",
        dashboard_address=":0",
        silence_logs=logging.CRITICAL,
    )


@pytest.fixture(scope="module")
def one_worker() -> Iterator[LocalCluster]:
    with cluster() as made:
        yield made


@pytest.fixture(scope="module")
def here() -> Found:
    """What is to be found, computed in this process."""
    return found(compiler.sweep(REVERSE, AXES, suites=["edges"]))


def swept(where: LocalCluster | str | Path, journal: Path | None = None, **options: object) -> Iterator[SweepRow]:
    scheduler = where.scheduler_address if isinstance(where, LocalCluster) else where
    return compiler.sweep(REVERSE, AXES, suites=["edges"], scheduler=scheduler, journal=journal, **options)  # type: ignore[arg-type]


def refusal(rows: Iterator[SweepRow]) -> tuple[str, str]:
    """The code and the message of the error that ends a sweep."""
    with pytest.raises(SpecError) as wrong:
        list(rows)
    (one,) = wrong.value.diagnostics
    return one.code, one.message


def test_a_worker_that_is_killed_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The workers are in another folder, and the spec and what it extends are gone before the first point."""
    monkeypatch.chdir(tmp_path)
    Path("base.yaml").write_text(REVERSE.read_text(encoding="utf-8").partition("expect:")[0], encoding="utf-8")
    spec = Path("mine.yaml")
    spec.write_text("weightspec: 1\nextends: base.yaml\nname: mine\n", encoding="utf-8")
    call = {"axes": ["symbols=1..4", "length=1..4"], "suites": ["edges"], "budget": 600}
    local = found(compiler.sweep(spec, **call))  # type: ignore[arg-type]
    told: list[int] = []
    with cluster(2, processes=True) as started, Client(started, set_as_default=False) as client:  # type: ignore[no-untyped-call]
        before = set(client.run(os.getpid).values())
        killed = min(before)

        def progress(row: SweepRow, done: int, total: int) -> None:
            told.append(done)
            if done == 1:
                os.kill(killed, signal.SIGKILL)

        rows = compiler.sweep(spec, scheduler=started.scheduler_address, progress=progress, **call)  # type: ignore[arg-type]
        spec.unlink()
        Path("base.yaml").unlink()
        assert found(rows) == local
        client.wait_for_workers(2)
        assert killed not in set(client.run(os.getpid).values())
    assert len(before) == 2
    assert told == list(range(1, 17))
    assert {result.error.code for _, _, result in local if result.error} == {"index-range"}
    assert {result.verdict.verdict for _, _, result in local if result.verdict} == {"proved"}


def test_a_journal_goes_on_where_another_machine_ended(tmp_path: Path, one_worker: LocalCluster, here: Found) -> None:
    journal = tmp_path / "journal.jsonl"
    ended = compiler.sweep(REVERSE, AXES, suites=["edges"], journal=journal)
    assert found(islice(ended, 3)) == here[:3]
    ended.close()  # type: ignore[attr-defined]
    rows = list(swept(one_worker, journal))
    assert [row.known for row in rows] == [True] * 3 + [False] * 5
    assert found(iter(rows)) == here
    assert all(row.known for row in compiler.sweep(REVERSE, AXES, suites=["edges"], journal=journal))


def killing(often: Callable[[Sequence[str]], int]) -> Callable[..., PointResult]:
    """The points that `often` worker after worker dies of, as Dask says it."""
    deaths: dict[tuple[str, ...], int] = {}

    def compute(sources: Sequence[Source], settings: Sequence[str], asked: PointQuestion) -> PointResult:
        key = tuple(settings)
        deaths[key] = deaths.get(key, 0) + 1
        if deaths[key] <= often(settings):
            raise KilledWorker("point", SimpleNamespace(address="tcp://gone"), 3)  # type: ignore[arg-type]
        return point_result(sources, settings, asked)

    return compute


def test_a_point_that_workers_die_of_is_a_row_that_is_not_kept(
    tmp_path: Path, one_worker: LocalCluster, here: Found, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those that were only beside it, as the one with two symbols, get their result."""
    journal = tmp_path / "journal.jsonl"
    guilty, beside = ("symbols=3", "length=1"), ("symbols=2", "length=1")
    times: dict[tuple[str, ...], int] = {guilty: 2, beside: 1}
    monkeypatch.setattr(points, "point_result", killing(lambda settings: times.get(tuple(settings), 0)))
    rows = list(swept(one_worker, journal))
    died = [row.point.settings for row in rows if row.result.error and row.result.error.code == "process"]
    assert died == [guilty]
    assert [one for one in found(iter(rows)) if "symbols=3 length=1" not in one[0]] == here[:4] + here[5:]
    again = list(swept(one_worker, journal))
    assert [row.known for row in again] == [True] * 4 + [False] + [True] * 3
    assert found(iter(again)) == here


def of_workers(known: versions.Versions) -> Callable[[], versions.Versions]:
    """Other versions on the workers, which are other threads of this process."""
    is_here = threading.main_thread
    return lambda: known if threading.current_thread() is is_here() else replace(known, torch="0.4.1", python="2.7")


def test_a_worker_of_another_version_is_refused_before_anything_runs(
    tmp_path: Path, one_worker: LocalCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    known, journal = versions.running_versions(), tmp_path / "journal.jsonl"
    monkeypatch.setattr(versions, "running_versions", of_workers(known))
    (address,) = one_worker.scheduler_info["workers"]
    others = f"python 2.7 instead of {known.python}, torch 0.4.1 instead of {known.torch}"
    assert refusal(swept(one_worker, journal)) == ("worker", f"the worker {address} has {others}")
    assert not journal.exists()
    monkeypatch.setattr("compiler.sweeps.cluster._check_versions", lambda client: None)
    assert refusal(swept(one_worker, journal)) == ("worker", f"a worker that came later has {others}")
    assert journal.read_bytes().count(b"\n") == 1


def test_a_worker_with_several_threads_is_refused() -> None:
    with cluster(threads=2) as started:
        code, message = refusal(swept(started))
    assert (code, "has 2 threads" in message) == ("worker", True)


def test_a_sweep_waits_for_the_first_worker(here: Found) -> None:
    notices: list[str] = []
    with cluster(0) as started:

        def notice(text: str) -> None:
            notices.append(text)
            started.scale(1)

        assert found(swept(started, notice=notice)) == here
        assert notices == [f"the cluster of {started.scheduler_address} has no workers yet; the sweep waits for them"]


def test_a_scheduler_that_is_lost_leaves_the_journal(tmp_path: Path, here: Found) -> None:
    journal, started = tmp_path / "journal.jsonl", cluster()

    def progress(row: SweepRow, done: int, total: int) -> None:
        if done == 2:
            started.close()

    code, message = refusal(swept(started, journal, progress=progress))
    assert (code, message) == ("scheduler", "the scheduler was lost, or gave up the points in flight")
    rows = list(compiler.sweep(REVERSE, AXES, suites=["edges"], journal=journal))
    assert sum(row.known for row in rows) >= 2
    assert found(iter(rows)) == here


@pytest.fixture
def silent() -> Iterator[str]:
    """The address of a port that takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"tcp://127.0.0.1:{server.getsockname()[1]}"


def test_what_is_no_scheduler_is_refused_in_a_bounded_time(
    tmp_path: Path, silent: str, one_worker: LocalCluster
) -> None:
    file, journal = tmp_path / "scheduler.json", tmp_path / "journal.jsonl"
    (worker,) = one_worker.scheduler_info["workers"]
    with socket.socket() as closed, dask.config.set({PATIENCE: "0.3s"}):
        closed.bind(("127.0.0.1", 0))
        nobody = f"tcp://127.0.0.1:{closed.getsockname()[1]}"
        cases = [
            (nobody, f"no scheduler answers at '{nobody}': Timed out trying to connect"),
            (silent, f"no scheduler answers at '{silent}': timed out"),
            (worker, f"no scheduler answers at '{worker}': there is a Worker"),
            ("missing.json", "no scheduler answers at 'missing.json': missing port number"),
            ("https://host:1", "no scheduler answers at 'https://host:1': unknown address scheme"),
        ]
        cases += [(text, f"'{file}' is no scheduler file") for text in ("", "[]", "{}", "\0")]
        cases += [(json.dumps({"address": nobody}), f"no scheduler answers at '{nobody}'")]
        for where, expected in cases:
            file.write_text(where, encoding="utf-8")
            code, message = refusal(swept(file if "file" in expected or "{" in where else where, journal))
            assert (code, message[: len(expected)]) == ("scheduler", expected)
    assert not journal.exists()


def test_a_scheduler_file_names_the_scheduler(tmp_path: Path, one_worker: LocalCluster, here: Found) -> None:
    file = tmp_path / "scheduler.json"
    file.write_text(json.dumps({"address": one_worker.scheduler_address}), encoding="utf-8")
    assert found(swept(file)) == here


def test_without_dask_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(SpecError) as wrong:
        swept("tcp://127.0.0.1:8786")  # before the first row is asked for
    assert [(one.code, one.hint) for one in wrong.value.diagnostics] == [
        ("missing-package", "pip install 'weightspec[dask]'")
    ]


@contextmanager
def dask_process(*words: str, cwd: Path = ROOT, package: Path = ROOT) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """What a command of Dask starts, and the first address that it prints. Its `compiler` is the one in `package`."""
    environment = os.environ | {"PYTHONPATH": str(package)}
    with subprocess.Popen(
        [sys.executable, "-m", "dask", *words], cwd=cwd, env=environment, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        address = next(word for line in process.stderr for word in line.split() if word.startswith("tcp://"))
        reader = threading.Thread(target=process.stderr.read, daemon=True)
        reader.start()  # so that it never waits for a reader
        try:
            yield process, address
        finally:
            process.kill()
            reader.join()


@pytest.mark.long
def test_a_scheduler_that_is_killed_leaves_the_journal(tmp_path: Path, here: Found) -> None:
    """Dask's own commands start it and its worker, which runs in an empty folder."""
    journal, elsewhere = tmp_path / "journal.jsonl", tmp_path / "elsewhere"
    elsewhere.mkdir()
    with (
        dask_process("scheduler", "--host", "127.0.0.1", "--port", "0", "--dashboard-address", ":0") as (
            process,
            where,
        ),
        dask_process("worker", where, "--nthreads", "1", "--dashboard-address", ":0", cwd=elsewhere),
    ):

        def progress(row: SweepRow, done: int, total: int) -> None:
            if done == 3:
                process.kill()

        code, message = refusal(swept(where, journal, progress=progress))
    assert (code, message) == ("scheduler", "the scheduler was lost, or gave up the points in flight")
    rows = list(compiler.sweep(REVERSE, AXES, suites=["edges"], journal=journal))
    assert sum(row.known for row in rows) >= 3
    assert found(iter(rows)) == here


@pytest.mark.long
@pytest.mark.parametrize(
    ("file", "expected"), [("added.py", "weightspec "), ("__init__.py", "no weightspec that can be asked: ")]
)
def test_a_worker_with_other_code_is_refused(file: str, expected: str, tmp_path: Path) -> None:
    shutil.copytree(ROOT / "compiler", tmp_path / "compiler")
    (tmp_path / "compiler" / file).write_text("raise ImportError('another package')", encoding="utf-8")
    words = ("--nthreads", "1", "--dashboard-address", ":0", "--no-nanny")
    with (
        cluster(0) as started,
        dask_process("worker", started.scheduler_address, *words, cwd=tmp_path, package=tmp_path),
    ):
        started.wait_for_workers(1)
        code, message = refusal(swept(started))
    known = versions.running_versions().weightspec
    assert code == "worker"
    assert message.partition(" has ")[2].startswith(expected)
    assert message.endswith(f" instead of {known}" if "added" in file else "another package')")


class Dying(WorkerPlugin):
    """Lets a worker die of one of the points, every time, as the system kills a process that takes too much."""

    def setup(self, worker: Worker) -> None:
        points.point_result = dying


@pytest.mark.long
def test_a_point_that_kills_every_worker_is_one_row(tmp_path: Path, here: Found) -> None:
    journal = tmp_path / "journal.jsonl"
    with dask.config.set({"distributed.scheduler.allowed-failures": 0}), cluster(1, processes=True) as started:
        with Client(started, set_as_default=False) as client:  # type: ignore[no-untyped-call]
            client.register_plugin(Dying())
        rows = list(swept(started, journal))
    assert [row.result.error and row.result.error.code for row in rows[4:6]] == ["process", "process"]
    assert found(iter(rows[:4] + rows[6:])) == here[:4] + here[6:]
    again = list(compiler.sweep(REVERSE, AXES, suites=["edges"], journal=journal))
    assert [row.known for row in again] == [True] * 4 + [False] * 2 + [True] * 2
    assert found(iter(again)) == here
