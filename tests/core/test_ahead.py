"""Reading ahead: order, as many items ahead as threads and no more, errors in their place."""

import threading

import pytest

from cellgraph_clr._core.ahead import ahead


@pytest.mark.parametrize("n_threads", [1, 2, 5])
def test_items_come_in_order_and_some_are_made_ahead(n_threads):
    made = []

    def make(i):
        made.append(i)
        return 10 * i

    for seen, (item, value) in enumerate(ahead(make, range(20), n_threads=n_threads)):
        assert (item, value) == (seen, 10 * seen)
        assert len(made) <= seen + 1 + n_threads
    assert sorted(made) == list(range(20))
    assert list(ahead(make, [], n_threads=n_threads)) == []


def test_as_many_are_made_at_once_as_there_are_threads():
    together = threading.Barrier(3, timeout=30)
    assert [value for _, value in ahead(lambda _: together.wait() >= 0, range(6), n_threads=3)] == [True] * 6


@pytest.mark.parametrize("n_threads", [1, 2])
def test_errors_are_raised_in_their_place(n_threads):
    found = ahead(lambda i: 1 / i, [2, 0, 1], n_threads=n_threads)
    assert next(found) == (2, 0.5)
    with pytest.raises(ZeroDivisionError):
        next(found)


def test_a_caller_that_stops_waits_for_what_was_begun_only():
    made = []
    found = ahead(made.append, range(100), n_threads=2)
    next(found)
    found.close()
    assert len(made) <= 3
