"""Several pieces of work at once, on threads: for work that lets other threads go on, as compiled code does."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

_AHEAD = 2  # items for each thread at most that are made before their results are wanted
Item = TypeVar("Item")
Result = TypeVar("Result")


def in_order(items: Iterator[Item], work: Callable[[Item], Result], threads: int) -> Generator[Result]:
    """What the work makes of each item, in their order. What is raised of an item is raised after all before it.

    The thread that asks makes all items; while the next result is not there, it does the work that no other thread has
    begun. So what it does between two results, and holds up other threads by, is overlapped with their work. With one
    thread nothing is made before it is wanted.
    """
    if threads == 1:
        yield from map(work, items)
        return
    begun: deque[tuple[Item, Future[Result]]] = deque()
    others, more, failure = ThreadPoolExecutor(threads - 1), True, None
    try:
        while True:
            while more and len(begun) < _AHEAD * threads:
                try:
                    item = next(items)
                    begun.append((item, others.submit(work, item)))
                except StopIteration:
                    more = False
                except Exception as error:
                    more, failure = False, error
            if not begun:
                break
            while not begun[0][1].done() and _take_over(begun, work):
                pass
            yield begun.popleft()[1].result()
        if failure is not None:
            raise failure
    finally:
        others.shutdown(cancel_futures=True)


def _take_over(begun: deque[tuple[Item, Future[Result]]], work: Callable[[Item], Result]) -> bool:
    """Do the first work that no thread has begun; whether there is some."""
    for number, (item, waiting) in enumerate(begun):
        if waiting.cancel():
            own: Future[Result] = Future()
            begun[number] = item, own
            try:
                own.set_result(work(item))
            except Exception as error:
                own.set_exception(error)
            return True
    return False
