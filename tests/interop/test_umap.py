"""Weights and layouts beside those of umap (`make interop`: importing it compiles, which `make test` does without)."""

import numpy as np
import pytest
from sklearn.manifold import trustworthiness

from cellgraph_clr.analysis.layout import laid_out
from cellgraph_clr.analysis.neighbor_weights import fuzzy_neighbors

pytest.importorskip("squidpy", reason="`make interop` compares")
umap = pytest.importorskip("umap.umap_")

pytestmark = pytest.mark.filterwarnings("ignore")


def test_weights_are_those_of_umap(rng):
    vectors = rng.normal(size=(80, 5))
    vectors[:8] = vectors[0] + 50  # six equal cells and two nearly so, which nobody else is near to
    vectors[6:8] += 1e-3 * rng.normal(size=(2, 5))
    distance = np.linalg.norm(vectors[:, None] - vectors, axis=2)
    near = np.array([[i, *[j for j in np.argsort(row, kind="stable") if j != i][:9]] for i, row in enumerate(distance)])
    state = np.random.RandomState(0)
    told = {"knn_indices": near, "knn_dists": np.take_along_axis(distance, near, axis=1).astype(np.float32)}
    wanted = umap.fuzzy_simplicial_set(vectors, 10, state, "euclidean", **told)[0].toarray()
    np.testing.assert_allclose(fuzzy_neighbors(vectors, 10).toarray(), wanted, atol=1e-4)


@pytest.mark.parametrize("n", [200, 1000])
def test_layouts_keep_as_many_neighbors(n, rng):
    angle = rng.uniform(0, 2 * np.pi, n)
    vectors = np.c_[[f(k * angle) for k in (1, 2, 3) for f in (np.cos, np.sin)]].T + 0.1 * rng.normal(size=(n, 6))
    theirs = umap.UMAP(n_neighbors=15, min_dist=0.5, random_state=0, n_jobs=1).fit_transform(vectors)
    centred = vectors - vectors.mean(axis=0)
    axes = centred @ np.linalg.svd(centred, full_matrices=False)[2][:2].T
    ours = laid_out(fuzzy_neighbors(vectors, 15), axes, random_state=0)
    kept = [trustworthiness(vectors, flat, n_neighbors=15) for flat in (ours, theirs)]
    assert kept[0] > kept[1] - 0.01
