"""Clusters: planted numbers, blocks, subsets."""

import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score

from cellgraph_clr._core.errors import CellGraphError, NoCellsError, OptionError
from cellgraph_clr.analysis import clustering
from cellgraph_clr.analysis.clustering import gaussian_mixture, leiden


@pytest.fixture
def planted(rng):
    centres = rng.normal(0, 8, (4, 5))
    group = np.repeat(np.arange(4), [150, 130, 110, 90])
    return centres[group] + rng.normal(size=(480, 5)), group


@pytest.mark.parametrize("select", ["bic", "stability"])
def test_the_mixture_finds_the_planted_number(planted, rng, select, monkeypatch):
    monkeypatch.setattr(clustering, "BLOCK_ROWS", 100)
    x, group = planted
    mixture = gaussian_mixture(x, n_clusters=tuple(range(2, 8)), select=select)
    chosen = min(mixture.scores, key=mixture.scores.get) if select == "bic" else mixture.proba.shape[1]
    assert chosen == mixture.proba.shape[1] == 4
    assert (np.diff(np.bincount(mixture.labels)) <= 0).all()  # numbered by size
    assert adjusted_rand_score(group, mixture.labels) == 1
    np.testing.assert_allclose(mixture.proba.sum(1), 1, rtol=1e-5)


def test_heavy_tails_take_many_gaussians_but_few_stable_clusters(rng):
    x = np.concatenate([c + rng.standard_t(2.5, size=(400, 2)) for c in ([0, 0], [40, 0], [0, 40])])
    numbers = tuple(range(2, 9))
    assert gaussian_mixture(x, n_clusters=numbers).proba.shape[1] > 3
    assert gaussian_mixture(x, n_clusters=numbers, select="stability").proba.shape[1] == 3


@pytest.mark.parametrize("n_fit", [120, 480])
def test_a_subset_hands_its_clusters_to_all(planted, n_fit):
    x, group = planted
    labels, _ = leiden(x, 4, resolution=0.5, n_neighbors=10, n_fit=n_fit)
    assert adjusted_rand_score(group, labels) > 0.98
    mixture = gaussian_mixture(x, n_clusters=4, n_fit=n_fit)
    assert adjusted_rand_score(group, mixture.labels) > 0.98


def test_bad_input_is_named(planted):
    x, _ = planted
    with pytest.raises(NoCellsError, match="cells to cluster"):
        gaussian_mixture(x[:0], n_clusters=2)
    with pytest.raises(OptionError, match="`n_clusters` to be a number"):
        gaussian_mixture(x, n_clusters=10**6)
    with pytest.raises(OptionError, match="'bic', 'stability', found 'aic'"):
        gaussian_mixture(x, n_clusters=2, select="aic")


def test_leiden_of_many_cells_needs_no_approximate_neighbours(rng):
    centres = rng.normal(size=(4, 8)) * 5
    codes = rng.integers(4, size=9000)
    labels, _ = leiden(centres[codes] + rng.normal(size=(9000, 8)), 4, resolution=1.0, n_neighbors=10)
    assert adjusted_rand_score(codes, labels) > 0.99


def test_of_numbers_as_stable_as_the_best_the_largest_is_taken(planted, monkeypatch):
    stability = {2: (0.99, 0.01), 3: (0.7, 0.3), 4: (0.97, 0.001), 5: (0.981, 0.2), 6: (0.985, 0.5), 7: (0.9, 0.5)}
    monkeypatch.setattr(clustering, "_stability", lambda x, k, rng: stability[k])
    found = gaussian_mixture(planted[0], n_clusters=tuple(stability), select="stability")
    assert found.proba.shape[1] == 6  # 0.985 is within 0.01 of 0.99; 4 and 7 are not, however uncertain
    assert found.scores == {k: mean for k, (mean, _) in stability.items()}


@pytest.mark.parametrize("scale", [1e-30, 1e20, 1e35])
def test_scales_at_which_distances_are_lost_are_named(planted, scale):
    vectors = (planted[0] * scale).astype(np.float32)
    for call in (
        lambda: leiden(vectors, "auto", resolution=1.0, n_neighbors=15),
        lambda: gaussian_mixture(vectors, n_clusters=2),
    ):
        with pytest.raises(CellGraphError, match="vectors with an extent between 1e-15 and 1e"):
            call()


def test_a_mixture_that_cannot_be_fitted_is_named(planted):
    vectors = (planted[0][::3] * 1e6).astype(np.float32)
    with pytest.raises(CellGraphError, match="that 40 Gaussians can be fitted to.*`cgc.pp.scale_features"):
        gaussian_mixture(vectors, n_clusters=40)
