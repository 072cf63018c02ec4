"""Statistics of parts, merged, against loops over the voxels of the whole; and features made of them."""

import numpy as np
import pytest

from cellgraph_clr.cells.label_image import LabelImage
from cellgraph_clr.cells.measure import covariance, intensity_features
from cellgraph_clr.cells.scan import merge_statistics, scan_labels
from cellgraph_clr.cells.scan.columns import HIGH, LEAST, LOW, MOST, SQUARES, TOTAL, WEIGHTED
from cellgraph_clr.cells.scan.parts import Block, mean_intensity, plan_of, scan_in_slabs


@pytest.fixture
def parts(rng):
    """Return labels, image and the statistics of three slabs of planes behind their halos."""
    labels = np.kron(rng.integers(0, 5, (4, 4, 4)), np.ones((3, 2, 3), int)).astype(np.uint16)
    image = rng.random((2, *labels.shape)) * 100
    plan = plan_of(LabelImage.build(labels), surface=True)
    shift = mean_intensity(image)
    out = []
    for first, stop in ((0, 4), (4, 5), (5, 12)):
        low = max(first - 1, 0)
        block = Block(labels[low:stop], image[:, first:stop], np.array([first - low, 0, 0]), np.array([low, 0, 0]))
        out += scan_in_slabs(block, shift, plan, 1)
    return labels, image, out


def test_merged_parts_are_those_of_a_loop(parts):
    labels, image, out = parts
    merged = merge_statistics(out)
    assert merged.cell_id.tolist() == np.unique(labels[labels > 0]).tolist()
    for i, cell in enumerate(merged.cell_id):
        at = np.argwhere(labels == cell)
        assert merged.count[i] == len(at)
        assert merged.first[i].tolist() == at.sum(axis=0).tolist()
        assert merged.box[i, :, LOW].tolist() == at.min(axis=0).tolist()
        assert merged.box[i, :, HIGH].tolist() == at.max(axis=0).tolist()
        for c, channel in enumerate(image):
            values, sums = channel[tuple(at.T)], merged.intensity[i, c]
            assert sums[TOTAL] == pytest.approx((values - merged.shift[c]).sum(), abs=1e-9)
            assert sums[SQUARES] == pytest.approx(((values - merged.shift[c]) ** 2).sum())
            assert (sums[LEAST], sums[MOST]) == (values.min(), values.max())
            np.testing.assert_allclose(sums[WEIGHTED], (at * values[:, None]).sum(axis=0))


@pytest.mark.parametrize("shape", [(6, 7, 8), (12, 15)], ids=["3D", "2D"])
def test_features_are_those_of_a_loop(shape, rng):
    d = len(shape)
    labels = rng.integers(0, 3, shape).astype(np.uint8)
    image = rng.random((1, *shape)) * 9
    spacing = (3.0, 2.0, 1.0)[-d:]
    s = scan_labels(LabelImage.build(labels, image, spacing=spacing))
    values, info = intensity_features(s, spacing, "um", ["dye"])
    names = [i.name.removeprefix("dye_") for i in info]
    for i, cell in enumerate(s.cell_id):
        at = np.argwhere(labels == cell)
        bright = image[0][tuple(at.T)]
        offset = (at * bright[:, None]).sum(axis=0) / bright.sum() - at.mean(axis=0)
        wanted = {
            "mean": bright.mean(),
            "std": bright.std(),
            "min": bright.min(),
            "max": bright.max(),
            "sum": bright.sum(),
            "offset": np.linalg.norm(offset * spacing),
        }
        for name, value in zip(names, values[i], strict=True):
            assert value == pytest.approx(wanted[name]), name
        spread = np.cov((at * spacing).T, bias=True) + np.diag(np.square(spacing) / 12)
        np.testing.assert_allclose(covariance(s, spacing)[i], spread, atol=1e-9)
