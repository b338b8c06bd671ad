"""Many files at once."""

import threading

import pytest

from pipeline.transfers import say_nothing, transfer


def test_results_come_in_the_order_of_the_items():
    first_may_end = threading.Event()

    def work(item: int) -> int:
        if item == 0:
            assert first_may_end.wait(5)
        if item == 3:
            first_may_end.set()
        return item * item

    assert transfer(work, range(5), say_nothing) == [0, 1, 4, 9, 16]


def test_nothing_is_nothing():
    assert transfer(str, [], say_nothing) == []


def test_each_one_that_is_through_is_told():
    told: list[str] = []
    transfer(str, range(3), told.append)
    assert told == ["1 of 3 files", "2 of 3 files", "3 of 3 files"]


def test_an_error_ends_the_rest_at_once():
    done: list[int] = []
    end = threading.Event()

    def work(item: int) -> None:
        if item == 1:
            raise ValueError("the second file")
        assert end.wait(5)
        done.append(item)

    try:
        with pytest.raises(ValueError, match="the second file"):
            transfer(work, range(100), say_nothing)
        assert done == []
    finally:
        end.set()
    for thread in threading.enumerate():
        if thread.name.startswith("transfer"):
            thread.join(5)
    assert len(done) < 10
