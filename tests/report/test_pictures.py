"""Outlines hold their cells; pictures are small."""

import base64
import io

import numpy as np
import pytest
from matplotlib.path import Path

from cellgraph_clr import LabelImage
from cellgraph_clr._report.pictures import LARGEST, MOST_POINTS, cell_outlines, picture_url


def test_outlines_hold_their_pixels(tissue_2d):
    image = tissue_2d.image
    ids, centres, outlines = cell_outlines(image)
    assert len(ids) == len(centres) == len(outlines)
    wrong = []
    for cell, centre, outline in list(zip(ids, centres, outlines, strict=True))[::10]:
        assert len(outline) <= MOST_POINTS
        y, x = np.nonzero(np.asarray(image.labels) == cell)
        place = np.c_[x * image.spacing[1], y * image.spacing[0]] + np.array((image.origin or (0, 0))[::-1])
        inside = Path(outline + centre).contains_points(place)
        area = np.r_[outline, outline[:1]]
        a = 0.5 * abs(np.dot(area[:-1, 0], area[1:, 1]) - np.dot(area[:-1, 1], area[1:, 0]))
        wrong.append((1 - inside.mean(), abs(a / (len(x) * np.prod(image.spacing)) - 1)))
    assert np.max(wrong, axis=0) == pytest.approx([0, 0], abs=0.12)


def test_outlines_lie_where_spacing_and_origin_say():
    labels = np.zeros((20, 30), np.int32)
    labels[4:9, 10:21] = 7
    ids, centres, outlines = cell_outlines(LabelImage.build(labels, spacing=(2.0, 0.5), unit="um", origin=(100.0, 7.0)))
    np.testing.assert_array_equal(ids, [7])
    box = outlines[0] + centres[0]
    np.testing.assert_allclose([box[:, 0].min(), box[:, 0].max()], [7 + 9.5 * 0.5, 7 + 20.5 * 0.5])
    np.testing.assert_allclose([box[:, 1].min(), box[:, 1].max()], [100 + 3.5 * 2, 100 + 8.5 * 2])


def test_outlines_of_a_volume_are_of_the_middle_section():
    """A cell that is wider below is cut halfway; one that is not in that plane, where it is largest."""
    labels = np.zeros((7, 20, 30), np.int32)
    labels[0:2, 2:18, 2:28] = 5
    labels[2:5, 4:9, 10:21] = 5
    labels[0, 10:12, 0:2] = labels[6, 9:13, 0:2] = 8
    image = LabelImage.build(labels, spacing=(3.0, 2.0, 0.5), unit="um", origin=(9.0, 100.0, 7.0))
    ids, centres, outlines = cell_outlines(image)
    np.testing.assert_array_equal(ids, [5, 8])
    for i, (left, right, top, bottom) in enumerate([(9.5, 20.5, 3.5, 8.5), (-0.5, 1.5, 8.5, 12.5)]):
        box = outlines[i] + centres[i]
        np.testing.assert_allclose([box[:, 0].min(), box[:, 0].max()], [7 + left * 0.5, 7 + right * 0.5])
        np.testing.assert_allclose([box[:, 1].min(), box[:, 1].max()], [100 + top * 2, 100 + bottom * 2])


def test_pictures_are_small_and_true(rng):
    from PIL import Image

    grey = np.tile(np.linspace(0, 1, 300), (40, 1))
    back = Image.open(io.BytesIO(base64.b64decode(picture_url(grey).split(",")[1])))
    assert back.size == (300, 40)
    assert np.abs(np.asarray(back.convert("L")) / 255 - grey).mean() < 0.03
    large = picture_url(rng.random((10, 3 * LARGEST, 3)))
    assert Image.open(io.BytesIO(base64.b64decode(large.split(",")[1]))).size[0] == LARGEST
