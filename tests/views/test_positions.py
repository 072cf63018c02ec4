import numpy as np
import pytest

from cellgraph_clr.views.positions import mirror_positions, rotate_positions


def distances(p):
    return np.linalg.norm(p[:, None] - p[None], axis=2)


@pytest.mark.parametrize("d", [2, 3])
@pytest.mark.parametrize("move", [rotate_positions, mirror_positions])
def test_distances_and_the_mean_stay(rng, d, move):
    position = rng.normal(size=(20, d)) * 5 + 100
    for _ in range(5):
        moved = move(position, rng)
        np.testing.assert_allclose(distances(moved), distances(position), atol=1e-9)
        np.testing.assert_allclose(moved.mean(axis=0), position.mean(axis=0))


@pytest.mark.parametrize("d", [2, 3])
def test_rotations_keep_the_hand_and_mirrorings_change_it_half_the_time(rng, d):
    simplex = np.vstack([np.zeros(d), np.eye(d)])
    hand = lambda p: np.sign(np.linalg.det(p[1:] - p[0]))  # noqa: E731
    assert all(hand(rotate_positions(simplex, rng)) == hand(simplex) for _ in range(20))
    mirrored = np.mean([hand(mirror_positions(simplex, rng)) != hand(simplex) for _ in range(200)])
    assert 0.35 < mirrored < 0.65


def test_rotations_are_uniform(rng):
    arrow = np.array([[0.0, 0, 0], [0, 0, 2.0]])
    ends = np.array([np.diff(rotate_positions(arrow, rng), axis=0)[0] / 2 for _ in range(2000)])
    np.testing.assert_allclose(ends.mean(axis=0), 0, atol=0.05)
    np.testing.assert_allclose(ends.T @ ends / 2000, np.eye(3) / 3, atol=0.04)


def test_nobody_stays_nobody(rng):
    assert rotate_positions(np.zeros((0, 3)), rng).shape == (0, 3)
