"""Work on threads: results come in their order, as do failures, and nothing goes on behind the caller's back."""

from __future__ import annotations

from collections.abc import Iterator
from threading import Event, active_count, get_ident

import pytest

from compiler.evaluation.overlap import in_order

PATIENCE = 60.0  # seconds that a thread waits for another one, before the test fails


def waited(event: Event) -> None:
    assert event.wait(PATIENCE)


@pytest.mark.parametrize("threads", [1, 2, 3, 7])
@pytest.mark.parametrize("count", [0, 1, 2, 50])
def test_results_are_in_the_order_of_the_items(threads: int, count: int) -> None:
    assert list(in_order(iter(range(count)), lambda item: -item, threads)) == [-item for item in range(count)]


def test_an_item_may_be_done_before_an_earlier_one() -> None:
    begun = [Event() for _ in range(3)]

    def work(item: int) -> int:
        begun[item].set()
        if item == 0:
            waited(begun[2])
        return item

    assert list(in_order(iter(range(3)), work, 2)) == [0, 1, 2]


def test_the_work_goes_on_while_a_result_is_used() -> None:
    done = [Event() for _ in range(3)]

    def work(item: int) -> int:
        done[item].set()
        return item

    for item in in_order(iter(range(3)), work, 2):
        for other in done[item:]:
            waited(other)


def test_one_thread_does_nothing_ahead() -> None:
    said: list[str] = []

    def items() -> Iterator[int]:
        for item in range(3):
            said.append(f"item {item}")
            yield item

    def work(item: int) -> int:
        said.append(f"work {item}")
        return item

    said.extend(f"result {result}" for result in in_order(items(), work, 1))
    assert said == [f"{what} {number}" for number in range(3) for what in ("item", "work", "result")]


@pytest.mark.parametrize("threads", [2, 5])
def test_the_caller_makes_the_items_and_only_some_of_them_ahead(threads: int) -> None:
    made: list[int] = []

    def items() -> Iterator[int]:
        while True:
            made.append(get_ident())
            yield len(made)

    results = in_order(items(), lambda item: item, threads)
    for used in range(1, 20):
        assert next(results) == used
        assert len(made) < used + 2 * threads
    results.close()
    assert set(made) == {get_ident()}


@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize("where", ["item", "work"])
def test_a_failure_comes_after_all_results_before_it(threads: int, where: str) -> None:
    def items() -> Iterator[int]:
        for item in range(10):
            if (item, where) == (4, "item"):
                raise ValueError(where)
            yield item

    def work(item: int) -> int:
        if item == 4:
            raise ValueError(where)
        return item

    results = in_order(items(), work, threads)
    assert [next(results) for _ in range(4)] == [0, 1, 2, 3]
    with pytest.raises(ValueError, match=where):
        next(results)


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_no_thread_goes_on_after_an_interruption(threads: int) -> None:
    before, done = active_count(), []

    def work(item: int) -> int:
        done.append(item)
        return item

    results = in_order(iter(range(1000)), work, threads)
    assert [next(results) for _ in range(6)] == [0, 1, 2, 3, 4, 5]
    with pytest.raises(KeyboardInterrupt):
        results.throw(KeyboardInterrupt)
    assert active_count() == before
    assert len(done) < 6 + 2 * threads
