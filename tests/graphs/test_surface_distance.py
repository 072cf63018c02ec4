"""Distances between surfaces against all pairs of voxels."""

import numpy as np
import pytest

from cellgraph_clr import LabelImage, from_labels, gr
from cellgraph_clr._core.errors import MissingKeyError, OptionError
from cellgraph_clr.cells.scan import scan_labels
from cellgraph_clr.graphs.surface_distance import near_pairs, surface_distances


def by_voxels(labels, spacing, a, b):
    one, other = (np.argwhere(labels == i) * spacing for i in (a, b))
    return np.sqrt(((one[:, None] - other[None]) ** 2).sum(-1)).min()


@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (3.0, 1.0, 0.5), (1.0, 2.0)])
def test_equals_all_pairs_of_voxels(spacing, rng):
    labels = rng.integers(0, 30, (8, 9, 10)[3 - len(spacing) :])
    labels[labels > 4] = 0
    image = LabelImage.build(labels, spacing=spacing)
    s = scan_labels(image)
    touching = {tuple(p) for p in s.pairs.tolist()}
    pairs = np.array([(a, b) for a in s.cell_id for b in s.cell_id if a < b])
    true = [0.0 if tuple(p) in touching else by_voxels(labels, spacing, *p) for p in pairs.tolist()]
    np.testing.assert_allclose(surface_distances(image, pairs), true)
    for radius in (0.5, 2.0, 4.0):
        found, distance = near_pairs(image, radius)
        wanted = {tuple(p): d for p, d in zip(pairs.tolist(), true, strict=True) if d <= radius}
        assert {tuple(sorted(p)): pytest.approx(d) for p, d in zip(found.tolist(), distance, strict=True)} == wanted


def test_on_anndata():
    labels = np.zeros((6, 20), int)
    labels[1:4, 1:5], labels[1:4, 5:8], labels[1:4, 12:15] = 3, 7, 9
    adata = from_labels(labels, spacing=(2.0, 0.5))
    gr.radius_graph(adata, radius=3.0, distance="surface", labels=labels)
    assert adata.obsp["spatial_distances"].toarray().tolist() == [[0, 0, 0], [0, 0, 2.5], [0, 2.5, 0]]
    assert adata.obs["n_neighbors"].tolist() == [1, 2, 1]
    gr.surface_distances(adata, labels)
    assert (adata.obsp["spatial_surface_distances"] != adata.obsp["spatial_distances"]).nnz == 0
    with pytest.raises(MissingKeyError, match="`labels` for distance='surface'"):
        gr.radius_graph(adata, radius=3.0, distance="surface")
    with pytest.raises(OptionError, match="distance"):
        gr.radius_graph(adata, radius=3.0, distance="edge")
    with pytest.raises(MissingKeyError, match="9"):
        gr.surface_distances(adata, np.where(labels == 9, 0, labels))


def test_a_cell_across_the_image_is_near_those_it_passes():
    labels = np.zeros((40, 40), int)
    labels[::5, ::5] = np.arange(1, 65).reshape(8, 8)
    labels[np.arange(1, 40), np.arange(39)] = 99
    image = LabelImage.build(labels)
    found, distance = near_pairs(image, 3.0)
    apart = {a: by_voxels(labels, (1.0, 1.0), a, 99) for a in range(1, 65)}
    wanted = {(a, 99): pytest.approx(d if d > 1 else 0.0) for a, d in apart.items() if d <= 3}
    assert {tuple(sorted(p)): d for p, d in zip(found.tolist(), distance, strict=True)} == wanted
