"""When a run stalls, by hand."""

import pytest

from cellgraph_clr.training.watchers import stalled

FALLING = [9.0, 7.0, 6.0, 4.0]  # means of two: 8, 5


def test_a_falling_loss_does_not_stall():
    assert not stalled(FALLING, 2)
    assert not stalled([*FALLING, 5.0, 4.9], 2)


def test_a_loss_that_is_no_lower_than_its_best_stretch_does():
    assert stalled([*FALLING, 5.0, 5.0], 2)  # as low
    assert stalled([*FALLING, 9.0, 9.0], 2)
    assert stalled([*FALLING, 9.0, 9.0, 6.0, 6.0], 2)  # lower than the last, not than the best
    assert not stalled([*FALLING, 9.0, 9.0, 4.0, 5.5], 2)


@pytest.mark.parametrize("n", [0, 1, 2, 3, 5])
def test_it_is_looked_at_where_two_stretches_are_full(n):
    assert not stalled([1.0] * n, 2)
    assert stalled([1.0] * 4, 2)
    assert stalled([1.0] * 2, 1)


def test_without_patience_nothing_stalls():
    assert not stalled([1.0] * 100, None)
