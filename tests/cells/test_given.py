"""Arrays that look like labels or intensities and are not, and masked ones."""

import numpy as np
import pandas as pd
import pytest

import cellgraph_clr as cgc
from cellgraph_clr._core.errors import LabelImageError, NonFiniteError
from cellgraph_clr.cells.given import given_image, given_labels

LABELS = np.pad(np.ones((3, 3), int), 1)
PLAIN = [LABELS.astype(t) for t in (bool, np.uint8, np.int64, np.float16, np.float64, ">i2")]


def masked(array):
    out = np.ma.masked_array(array, mask=False)
    out[2, 1:4] = np.ma.masked
    return out


@pytest.mark.parametrize("kind", ["U", "M8[s]", "m8[s]", complex, object, "S3", [("a", int)]])
def test_other_types_are_refused(kind):
    with pytest.raises(LabelImageError, match="integer labels, found dtype"):
        given_labels(LABELS.astype(kind))
    with pytest.raises(LabelImageError, match="an image of real numbers, found dtype"):
        given_image(LABELS.astype(kind))
    if kind is not object:
        with pytest.raises(LabelImageError, match="an image of real numbers, found dtype"):
            cgc.from_labels(LABELS, LABELS.astype(kind), spacing=1)
        with pytest.raises(LabelImageError, match="real numbers"):
            cgc.Movie.build(LABELS.astype(kind)[None])


@pytest.mark.parametrize("array", PLAIN, ids=lambda a: str(a.dtype))
def test_real_numbers_pass_as_they_are(array):
    assert given_image(array) is array
    if array.dtype.kind in "iu":
        assert given_labels(array) is array


def test_matrices_and_unknown_chunks_are_refused():
    da = pytest.importorskip("dask.array")
    unknown = da.from_array(LABELS, chunks=2)
    unknown = unknown[unknown[:, 2] > 0]
    hidden = da.ma.masked_equal(da.from_array(LABELS, chunks=2), 1)
    for wrong, text in (
        (LABELS.view(np.matrix), "a matrix"),
        (unknown, "unknown size"),
        (hidden, "a masked dask array"),
    ):
        with pytest.raises(LabelImageError, match=text):
            cgc.from_labels(wrong, spacing=1)
        with pytest.raises(LabelImageError, match=text):
            cgc.from_labels(LABELS, wrong, spacing=1)
    assert given_labels(np.asarray(LABELS.view(np.matrix))).shape == LABELS.shape
    assert given_labels(unknown.compute_chunk_sizes()).shape == (3, 5)
    np.testing.assert_array_equal(given_labels(da.ma.filled(hidden, 0)), 0)
    assert given_image(np.abs(LABELS * 1j)).max() == 1


@pytest.mark.parametrize("spacing", [None, 1, (1, 1), (1, 1, 1)])
@pytest.mark.parametrize("shape", [(), (5,), (1, 2, 2, 2)])
def test_other_numbers_of_axes_are_named_whatever_the_spacing(shape, spacing):
    with pytest.raises(LabelImageError, match=r"2 \(y, x\) or 3 \(z, y, x\) axes, found shape"):
        cgc.from_labels(np.ones(shape, int), spacing=spacing)
    with pytest.raises(LabelImageError, match=r"2 \(y, x\) or 3 \(z, y, x\) axes, found shape"):
        cgc.LabelImage.build(np.ones(shape, int), spacing=spacing)


def test_masked_labels_are_background_and_masked_light_is_refused():
    with pytest.warns(UserWarning, match="3 masked pixels of the labels are taken as background"):
        assert cgc.from_labels(masked(LABELS), spacing=1)[:, "area"].X[0, 0] == 6
    with pytest.warns(UserWarning, match="3 masked pixels"):
        assert (cgc.LabelImage.build(masked(LABELS)).labels > 0).sum() == 6
    with pytest.warns(UserWarning, match="3 masked pixels"):
        assert (cgc.Movie.build(np.ones((1, 5, 5)), masked(LABELS)[None]).label_image(0).labels > 0).sum() == 6
    table = pd.DataFrame({"sample": ["a"]})
    plate = cgc.Plate.build(table, [np.ones((1, 5, 5))], labels=[masked(LABELS)])
    with pytest.warns(UserWarning, match="3 masked pixels"):
        assert (plate.label_image(0).labels > 0).sum() == 6
    light = masked(np.where(LABELS, 1e6, 1.0))
    with pytest.raises(NonFiniteError, match="an image without masked pixels, found 3 of them"):
        cgc.from_labels(LABELS, light, spacing=1)
    with pytest.raises(NonFiniteError, match="masked pixels"):
        cgc.Movie.build(light[None])
    with pytest.raises(NonFiniteError, match="masked pixels"):
        cgc.Plate.build(table, [light[None]]).image(0)


def test_masked_arrays_without_masked_pixels_are_plain():
    plain = np.ma.masked_array(LABELS, mask=False)
    whole = cgc.from_labels(LABELS, LABELS * 2.0, spacing=1)
    np.testing.assert_array_equal(cgc.from_labels(plain, plain * 2.0, spacing=1).X, whole.X)


def lying(kind):
    """Return a dask array of labels whose chunks are others than it says."""
    da = pytest.importorskip("dask.array")
    array = da.from_array(np.ones((8, 8), np.int64), chunks=4)
    make = {
        "dtype": lambda c: c + 0.5,
        "shape": lambda c: c[:, :-1],
        "mask": lambda c: np.ma.masked_array(c, c > 0),
        "honest": lambda c: c,
    }
    return array.map_blocks(make[kind], dtype=array.dtype, meta=np.empty((0, 0), array.dtype))


@pytest.mark.parametrize("kind", ["dtype", "shape", "mask"])
def test_dask_arrays_are_what_they_say(kind):
    with pytest.raises(LabelImageError, match=r"chunks of labels of shape \(4, 4\) and dtype int64, as declared"):
        cgc.from_labels(lying(kind), spacing=(1, 1))
    with pytest.raises(LabelImageError, match="chunks of an image"):
        cgc.from_labels(np.ones((8, 8), int), lying(kind)[None], spacing=(1, 1))


def test_honest_dask_arrays_pass():
    found = cgc.from_labels(lying("honest"), lying("honest")[None], spacing=(1, 1))
    assert found.n_obs == 1
