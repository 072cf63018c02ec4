"""Crops: what is in them, at which resolution, inside the cell, padded, from chunks."""

import numpy as np
import pytest

from cellgraph_clr._core.errors import OptionError
from cellgraph_clr.cells.label_image import LabelImage
from cellgraph_clr.cells.patches import extract_patches
from cellgraph_clr.cells.scan import scan_labels


def blocks(spacing=(2.0, 1.0, 1.0)):
    labels = np.zeros((20, 40, 40), np.int32)
    labels[2:18, 4:36, 4:36] = 7
    labels[0:1, 0:2, 0:2] = 3
    z, y, x = np.meshgrid(*[np.arange(n, dtype=float) for n in labels.shape], indexing="ij")
    image = np.stack([x * spacing[2], z * spacing[0]])
    return LabelImage(labels, spacing, image=image, channels=("x", "z"))


def test_a_patch_is_isotropic_and_centred():
    image = blocks()
    patches = extract_patches(image, scan_labels(image), size=8, resolution=2.0)
    np.testing.assert_array_equal(patches.cell_id, [3, 7])
    one = patches.image[1, 0]
    np.testing.assert_allclose(one[0, 0, 0], 19.5 + 2 * (np.arange(8) - 3.5), atol=0.05)  # x in micrometers
    np.testing.assert_allclose(one[1, :, 0, 0], 19.0 + 2 * (np.arange(8) - 3.5), atol=1e-4)  # z: 9.5 planes of 2
    assert patches.mask[1, 0].all()


def test_by_default_nine_of_ten_cells_fit():
    image = blocks()
    patches = extract_patches(image, scan_labels(image), size=16, rows=np.array([1]))
    assert patches.resolution == pytest.approx(2.0)
    assert 0.9 < patches.mask.mean() * 16**3 * 8 / (16 * 32 * 32 * 2) < 1.1
    small = extract_patches(image, scan_labels(image), size=64, resolution=1.0)
    assert small.mask[1].sum() == 32**3
    assert small.mask[0].sum() == 2 * 2 * 2  # one voxel of two micrometers, cut by the border: the rest is padding
    assert (small.image[0, 0, :, :10] == 0).all()


def test_patches_inside_stay_inside_where_they_fit():
    image = blocks()
    s = scan_labels(image)
    inside = extract_patches(image, s, size=6, place="inside", n_patches=5)
    assert inside.resolution == 1
    assert inside.mask[1].all()
    assert inside.mask[0].any()
    assert len(np.unique(inside.image[1, :, 0, 0, 0, 0])) > 1
    again = extract_patches(image, s, size=6, place="inside", n_patches=5, rows=np.array([1]))
    np.testing.assert_array_equal(again.image[0], inside.image[1])
    other = extract_patches(image, s, size=6, place="inside", n_patches=5, seed=1)
    assert (other.image != inside.image).any()


def test_chunks_and_flat_images_are_the_same(tmp_path):
    import zarr

    image = blocks()
    labels = zarr.create_array(str(tmp_path / "l.zarr"), shape=image.labels.shape, chunks=(8, 16, 16), dtype="i4")
    pixels = zarr.create_array(str(tmp_path / "i.zarr"), shape=image.image.shape, chunks=(1, 8, 16, 16), dtype="f8")
    labels[:], pixels[:] = image.labels, image.image
    chunked = LabelImage(labels, image.spacing, image=pixels, channels=image.channels)
    s = scan_labels(image)
    for options in ({"size": 12}, {"size": 5, "place": "inside", "n_patches": 2}):
        a, b = (extract_patches(i, s, **options) for i in (image, chunked))
        np.testing.assert_array_equal(a.image, b.image)
        np.testing.assert_array_equal(a.mask, b.mask)
    flat = LabelImage(image.labels[10], (1.0, 1.0))
    patches = extract_patches(flat, scan_labels(flat), size=8)
    assert patches.image.shape == (1, 1, 0, 8, 8)
    assert patches.mask.all()


def test_bad_input_is_named():
    image = blocks()
    s = scan_labels(image)
    with pytest.raises(OptionError, match="`resolution`"):
        extract_patches(image, s, size=4, resolution=0)
    with pytest.raises(OptionError, match="one patch of a whole cell, found 3"):
        extract_patches(image, s, size=4, n_patches=3)
    with pytest.raises(OptionError, match="'whole', 'inside', found 'outside'"):
        extract_patches(image, s, size=4, place="outside")
