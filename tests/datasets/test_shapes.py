"""Generated families of shape and texture: balanced, one histogram, seeded."""

import numpy as np
import pytest

from cellgraph_clr.datasets.shaped_cells import SHAPES, SIDE, TEXTURES, shapes


@pytest.mark.parametrize("ndim", [2, 3])
def test_cells_are_balanced_and_lie_in_their_boxes(ndim):
    tissue = shapes(24, ndim=ndim, random_state=1)
    labels, truth = tissue.image.labels, tissue.truth
    assert labels.ndim == ndim
    np.testing.assert_array_equal(np.unique(labels), np.arange(25))
    assert (truth["shape"].value_counts()[list(SHAPES)] == 4).all()
    assert (truth["texture"].value_counts()[list(TEXTURES)] == 6).all()
    for cell in (1, 24):
        where = np.argwhere(labels == cell)
        assert (np.ptp(where, axis=0) < SIDE).all()
        values = np.sort(tissue.image.image[0][labels == cell])
        even = np.linspace(values[0], values[-1], len(values))
        assert np.abs(values - even).max() < 0.25 * np.ptp(values)  # one histogram, up to gain, offset and noise
    again = shapes(24, ndim=ndim, random_state=1)
    np.testing.assert_array_equal(again.image.image, tissue.image.image)
    assert (shapes(24, ndim=ndim, random_state=2).image.labels != labels).any()
