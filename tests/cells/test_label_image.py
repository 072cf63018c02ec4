"""What is and is not a label image."""

import numpy as np
import pytest

from cellgraph_clr._core.errors import LabelImageError, NoCellsError, OptionError, ShapeError
from cellgraph_clr.cells.label_image import LabelImage

GOOD = np.array([[0, 1], [2, 2]])


@pytest.mark.parametrize("ndim", [2, 3])
@pytest.mark.parametrize("channels", [1, 3])
def test_accepts_every_dimensionality(ndim, channels):
    labels = np.ones((4,) * ndim, np.uint16)
    image = LabelImage.build(labels, np.zeros((channels, *labels.shape)), spacing=(1.0,) * ndim, unit="micrometer")
    assert image.ndim == ndim
    assert len(image.channels) == channels


@pytest.mark.parametrize(
    ("labels", "error", "text"),
    [
        (GOOD.astype(float), LabelImageError, "integer labels, found dtype float64"),
        (np.zeros((0, 3), int), NoCellsError, "found an empty image"),
        (np.ones((2, 2, 2, 2), int), LabelImageError, r"2 \(y, x\) or 3 \(z, y, x\) axes, found shape"),
    ],
)
def test_refuses_what_is_no_label_image(labels, error, text):
    with pytest.raises(error, match=text):
        LabelImage.build(labels)


@pytest.mark.parametrize(
    ("spacing", "text"),
    [
        ((1.0,), "of 2 values .* found 1"),
        ((1, 0), "above 0"),
        ((1, -1), "above 0"),
        ((1, np.nan), "above 0"),
        *((bad, "as one number, or one per axis") for bad in ("ab", ("1", 1), (None, 1), [[1, 1]], True, {"y": 1}, 1j)),
        *((bad, "between 1e-12 and 1e") for bad in ((1e-300, 1), (1e200, 1e200), (1, 1e9), 1e-13)),
    ],
)
def test_refuses_wrong_spacing(spacing, text):
    with pytest.raises(OptionError, match=text):
        LabelImage.build(GOOD, spacing=spacing)


def test_refuses_images_of_another_grid():
    with pytest.raises(ShapeError, match=r"\(channels, 2, 2\), found \(1, 3, 2\)"):
        LabelImage.build(GOOD, np.zeros((3, 2)))
    with pytest.raises(ShapeError, match="2 channel names, found 1"):
        LabelImage.build(GOOD, np.zeros((2, 2, 2)), channels=["a"])


def test_it_says_in_a_line_what_it_is():
    image = LabelImage(np.ones((4, 5), np.uint16), (0.5, 0.25), "micrometer", np.ones((1, 4, 5)), ("DNA",))
    assert repr(image) == "<LabelImage 4 x 5 uint16, 0.5 x 0.25 micrometer, channels DNA>"


@pytest.mark.parametrize("spacing", [2, np.float32(2), np.array([2, 2]), [2.0, np.int64(2)], np.array(2.0)])
def test_spacings_of_any_kind_of_number_are_taken(spacing):
    assert LabelImage.build(GOOD, spacing=spacing).spacing == (2.0, 2.0)
