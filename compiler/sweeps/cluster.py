"""Points computed by the workers of a Dask cluster. Dask says which worker computes what, and what to do when one is
lost. Specs travel as texts, so that the workers need no file of this machine."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError
from contextlib import contextmanager
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import dask
from dask.utils import parse_timedelta
from distributed import Client, Future, KilledWorker, Security, as_completed
from distributed.core import rpc
from distributed.utils import LoopRunner, silence_logging_cmgr, sync

from compiler.source.diagnostics import SpecError, fail
from compiler.source.text import Source
from compiler.source.versions import Versions, other_versions, running_versions
from compiler.sweeps.plan import SweepPoint
from compiler.sweeps.results import ENDED, Computing, KeyedPoint, PointQuestion, PointResult

AHEAD = 2  # points that are handed to a worker before it needs them
_PATIENCE = "distributed.comm.timeouts.connect"
_SAME = "the scheduler and all workers need this weightspec, and the same versions of Python, torch and numpy"
_ONE_THREAD = "start workers with one thread each: `dask worker --nthreads 1 --nworkers N`"
_AGAIN = "the journal, if there is one, has what was computed; the same command computes the others"


@contextmanager
def computing_cluster(scheduler: str, notice: Callable[[str], None]) -> Iterator[Computing]:
    """The cluster of the scheduler at an address, or of the one that wrote this scheduler file.

    In the end the points that it still has are given up. Raises `SpecError` where no scheduler answers in the time that
    Dask's configuration allows, where it is lost later, and for a worker that could find other results.
    """
    with silence_logging_cmgr(logging.CRITICAL), _client(scheduler) as client:
        _check_versions(client)
        if not _workers(client):
            notice(f"the cluster of {scheduler} has no workers yet; the sweep waits for them")
        yield partial(_computed, client)


def point_on_worker(
    expected: Versions, sources: Sequence[Source], settings: Sequence[str], asked: PointQuestion
) -> PointResult | str:
    """The result of a point, on a worker; or what there could make it another one."""
    other = other_versions(expected)
    if other is not None:
        return other
    from compiler.sweeps.points import point_result  # torch, which the scheduler does not need to import

    return point_result(sources, settings, asked)


def _client(scheduler: str) -> Client:
    """Raises `SpecError`."""
    address = scheduler
    if Path(scheduler).is_file():
        try:
            address = json.loads(Path(scheduler).read_bytes())["address"]
        except (OSError, ValueError, TypeError, KeyError):
            hint = "`dask scheduler --scheduler-file FILE` writes one"
            raise fail("scheduler", f"'{scheduler}' is no scheduler file", hint=hint) from None
    try:
        _greet(address)
        return Client(address, set_as_default=False)  # type: ignore[no-untyped-call]
    except Exception as error:  # whatever comes of talking to anything
        reason = "timed out" if isinstance(error, TimeoutError) else str(error) or type(error).__name__
        message = f"no scheduler answers at '{address}': {reason}"
        raise fail("scheduler", message, hint="`dask scheduler` prints its address, such as tcp://host:8786") from None


def _greet(address: str) -> None:
    """Raises an error unless a scheduler answers. A client would wait for ever for a port that says nothing, and would
    not be closed where something else answers."""
    runner = LoopRunner()
    runner.start()  # type: ignore[no-untyped-call]
    try:
        kind = sync(runner.loop, _kind, address, callback_timeout=2 * parse_timedelta(dask.config.get(_PATIENCE)))
    finally:
        runner.stop()  # type: ignore[no-untyped-call]
    if kind != "Scheduler":
        raise ValueError(f"there is a {kind}")


async def _kind(address: str) -> object:
    """What answers: a `Scheduler`, a `Worker`, a `Nanny`."""
    arguments = Security().get_connection_args("client")  # type: ignore[no-untyped-call]
    async with rpc(address, connection_args=arguments) as server:  # type: ignore[no-untyped-call]
        identity: dict[str, object] = await server.identity()
    return identity["type"]


@contextmanager
def _while_connected() -> Iterator[None]:
    """What Dask raises where the scheduler is lost, as a `SpecError`."""
    try:
        yield
    except (OSError, CancelledError):
        raise fail("scheduler", "the scheduler was lost, or gave up the points in flight", hint=_AGAIN) from None


@_while_connected()
def _check_versions(client: Client) -> None:
    """Refuse a worker that could find other results. Raises `SpecError`."""
    found = client.run(other_versions, running_versions(), on_error="return")
    for address, reason in found.items():
        if isinstance(reason, Exception) and not isinstance(reason, OSError):  # one that is gone by now finds nothing
            reason = f"no weightspec that can be asked: {type(reason).__name__}: {reason}"
        if isinstance(reason, str):
            raise _unfit(f"the worker {address}", reason)


def _unfit(worker: str, reason: str) -> SpecError:
    return fail("worker", f"{worker} has {reason}", hint=_SAME)


@_while_connected()
def _workers(client: Client) -> int:
    """How many there are now. Raises `SpecError` for one that would compute several points at the same time."""
    if client.status != "running":
        raise OSError  # to ask would take as long as it takes to give up
    threads: dict[str, int] = client.nthreads()  # type: ignore[no-untyped-call]
    for address, number in threads.items():
        if number > 1:
            message = f"the worker {address} has {number} threads, and a point needs a process of its own"
            raise fail("worker", message, hint=_ONE_THREAD)
    return len(threads)


def _computed(
    client: Client, points: Iterator[KeyedPoint], asked: PointQuestion
) -> Iterator[tuple[KeyedPoint, PointResult]]:
    """Each point with its result, as they end. Raises `SpecError`."""
    lost = []
    for each, result in _ended(client, points, asked):
        if result is None:
            lost.append(each)
        else:
            yield each, result
    for each in lost:  # workers died that had several: each is tried by itself
        for _, result in _ended(client, iter([each]), asked):
            yield each, result or PointResult(error=ENDED)


def _ended(
    client: Client, points: Iterator[KeyedPoint], asked: PointQuestion
) -> Iterator[tuple[KeyedPoint, PointResult | None]]:
    """Each point with its result, as they end; None where every worker died that had it. Only so many are handed to
    Dask at a time as keep its workers busy. Raises `SpecError`."""
    flying: dict[Future[Any], KeyedPoint] = {}
    ended: Any = as_completed(loop=client.loop)  # type: ignore[no-untyped-call]

    def hand_out() -> None:
        most = AHEAD * max(1, _workers(client))
        for each in islice(points, max(0, most - len(flying))):
            future = _handed_out(client, each[0], asked)
            flying[future] = each
            ended.add(future)

    hand_out()
    for batch in ended.batches():
        for future in batch:
            yield flying.pop(future), _result(future)
        hand_out()


@_while_connected()
def _handed_out(client: Client, point: SweepPoint, asked: PointQuestion) -> Future[Any]:
    task = point_on_worker, running_versions(), point.spec.sources, point.settings, asked
    return client.submit(*task, pure=False)


@_while_connected()
def _result(future: Future[Any]) -> PointResult | None:
    """None where every worker died that had the point. Raises `SpecError`."""
    try:
        result = future.result()
    except KilledWorker:
        return None
    except (OSError, CancelledError):
        raise
    except Exception as error:  # whatever a worker or the scheduler says that has other packages
        message = f"the cluster cannot compute a point: {type(error).__name__}: {' '.join(str(error).split())}"
        raise fail("worker", message, hint=_SAME) from None
    if isinstance(result, PointResult):
        return result
    raise _unfit("a worker that came later", str(result))
