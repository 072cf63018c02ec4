"""Reading ahead: order, one item ahead and no more, errors in their place."""

import pytest

from cellgraph_clr._core.ahead import ahead


def test_items_come_in_order_and_one_is_made_ahead():
    made = []

    def make(i):
        made.append(i)
        return 10 * i

    for seen, (item, value) in enumerate(ahead(make, range(20))):
        assert (item, value) == (seen, 10 * seen)
        assert len(made) <= seen + 2
    assert list(ahead(make, [])) == []


def test_errors_are_raised_in_their_place():
    found = ahead(lambda i: 1 / i, [2, 0, 1])
    assert next(found) == (2, 0.5)
    with pytest.raises(ZeroDivisionError):
        next(found)
