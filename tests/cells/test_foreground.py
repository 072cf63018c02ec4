"""Foreground: bright cells on dark ground, by every method."""

import numpy as np
import pytest

from cellgraph_clr._core.errors import NoCellsError, OptionError
from cellgraph_clr.cells.foreground import Foreground, fit_foreground
from cellgraph_clr.cells.plate import Plate
from cellgraph_clr.datasets.plates import phenotype_plate


@pytest.fixture(scope="module")
def plate():
    return phenotype_plate(3, 1, side=128, random_state=0)


@pytest.mark.parametrize("method", ["mixture", "otsu"])
def test_cells_are_brighter_than_the_ground(plate, method):
    found = fit_foreground(plate, np.arange(3), method=method)
    for i in range(3):
        mask, true = found.mask(plate, i), plate.labels(i) > 0
        assert (mask & true).sum() / (mask | true).sum() > 0.5


def test_labels_and_all(plate):
    np.testing.assert_array_equal(Foreground("labels").mask(plate, 1), plate.labels(1) > 0)
    assert Foreground("all").mask(plate, 1).all()
    bare = Plate(plate.table, plate.read, plate.channels)
    with pytest.raises(OptionError, match="a plate with labels"):
        fit_foreground(bare, np.arange(1), method="labels")
    with pytest.raises(OptionError, match="`foreground`"):
        fit_foreground(plate, np.arange(1), method="bright")
    flat = Plate.build(plate.table, np.ones((3, 1, 16, 16)))
    with pytest.raises(NoCellsError, match="pixels of one value"):
        fit_foreground(flat, np.arange(3))


def test_brightness_is_smoothed_as_by_a_gaussian_of_one_pixel(rng):
    from scipy.ndimage import gaussian_filter

    from cellgraph_clr.cells.foreground import _brightness

    image = rng.random((2, 40, 50)).astype(np.float32)
    found, wanted = _brightness(image), gaussian_filter(image.mean(axis=0), 1.0, mode="nearest")
    np.testing.assert_allclose(found, wanted, atol=0.02)
    np.testing.assert_allclose(_brightness(np.ones((2, 8, 9))), 1, rtol=1e-6)
