"""Layouts of neighbor graphs: steps are gradients of the cross entropy, and what is near stays near."""

import numpy as np
import pytest
import torch
from scipy.sparse import csr_matrix
from sklearn.manifold import trustworthiness

from cellgraph_clr.analysis.layout import _curve, laid_out
from cellgraph_clr.analysis.layout_steps import N_REPELLED, descend
from cellgraph_clr.analysis.neighbor_weights import fuzzy_neighbors

A, B = _curve(0.5, 1.0)


def axes(vectors):
    centred = vectors - vectors.mean(axis=0)
    return centred @ np.linalg.svd(centred, full_matrices=False)[2][:2].T


def repelled(state, n):
    """Points that are drawn, by the definition of the generator."""
    for _ in range(N_REPELLED):
        for shift in (13, -7, 17):
            state ^= (state << shift) % 2**64 if shift > 0 else state >> -shift
        yield state % n


def test_the_curve_is_that_of_umap():
    assert pytest.approx((0.5830, 1.3342), abs=1e-3) == (A, B)  # `umap.umap_.find_ab_params(1, 0.5)`


def test_a_step_follows_the_gradient(rng):
    """One edge of four points: both ends move along the gradient that joins them, the head away from points at random."""
    xy = rng.normal(scale=3, size=(4, 2))
    want = torch.tensor(xy.astype(np.float32).astype(np.float64))

    def moved(j, loss, both):
        pair = want[[1, j]].clone().requires_grad_()
        loss((pair[0] - pair[1]).square().sum()).backward()
        step = -pair.grad.clamp(-4, 4)
        want[1] += step[0]
        if both:
            want[j] += step[1]

    moved(2, lambda d: torch.log1p(A * d**B), both=True)
    for j in repelled(12345, 4):
        if j != 1:
            moved(j, lambda d: -torch.log1p(-1 / (1 + A * d**B)), both=False)
    found = np.ascontiguousarray(xy, np.float32)
    descend(found, *np.array([[1], [2]], np.int32), np.ones(1), 1, A, B, np.uint64(12345))
    np.testing.assert_allclose(found, want, atol=0.02)


def test_edges_are_drawn_as_often_as_their_weight_says_ever_more_gently():
    """Of two points, so far apart that repulsion is nothing."""
    for every, drawn in ((1.0, [0, 1, 2, 3]), (2.0, [1, 3]), (1.5, [1, 2])):
        found, at = np.array([[0.0, 0], [40, 0]], np.float32), np.array([0.0, 40])
        descend(found, *np.array([[0], [1]], np.int32), np.array([every]), 4, A, B, np.uint64(2))
        for step in drawn:
            x, rate = at[1] - at[0], 1 - step / 4
            pull = min(2 * A * B * x ** (2 * B - 1) / (1 + A * x ** (2 * B)), 4)
            at += rate * pull * np.array([1, -1])
        np.testing.assert_allclose(found[:, 0], at, atol=1e-3)


def test_near_cells_stay_near_and_groups_apart(rng):
    group = np.repeat(np.arange(4), 60)
    vectors = 8 * np.eye(4, 10)[group] + rng.normal(size=(240, 10))
    flat = laid_out(fuzzy_neighbors(vectors, 15), axes(vectors), random_state=0)
    assert flat.dtype == np.float32
    distance = np.linalg.norm(flat[:, None] - flat, axis=2)
    assert (group[np.argsort(distance, axis=1)[:, 1:11]] == group[:, None]).mean() > 0.99


def test_what_is_near_stays_near_where_no_plane_shows_it(rng):
    angle = rng.uniform(0, 2 * np.pi, 300)
    vectors = np.c_[[f(k * angle) for k in (1, 2, 3) for f in (np.cos, np.sin)]].T + 0.05 * rng.normal(size=(300, 6))
    flat = laid_out(fuzzy_neighbors(vectors, 15), axes(vectors), random_state=0)
    assert trustworthiness(vectors, axes(vectors), n_neighbors=15) < 0.9
    assert trustworthiness(vectors, flat, n_neighbors=15) > 0.98


def test_it_is_the_same_again_and_another_with_another_seed(rng):
    vectors = rng.normal(size=(50, 4))
    weights = fuzzy_neighbors(vectors, 10)
    one, again, other = (laid_out(weights, axes(vectors), random_state=s) for s in (0, 0, 1))
    assert np.array_equal(one, again)
    assert not np.array_equal(one, other)


@pytest.mark.parametrize("n", [0, 1, 5])
def test_cells_without_edges_have_places(n):
    flat = laid_out(csr_matrix((n, n), dtype=np.float32), np.zeros((n, 2)), random_state=0)
    assert flat.shape == (n, 2)
    assert np.isfinite(flat).all()


def test_equal_cells_have_finite_places():
    flat = laid_out(fuzzy_neighbors(np.ones((40, 3)), 15), np.zeros((40, 2)), random_state=0)
    assert np.isfinite(flat).all()
    assert len(np.unique(flat, axis=0)) == 40
