"""Quality control of labels: planted faults are found, chunks change nothing, nothing is dropped."""

import numpy as np
import pytest
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from cellgraph_clr import LabelImage, concat, from_labels, im
from cellgraph_clr._core.errors import OptionError
from cellgraph_clr.cells.blocks import block_shape
from cellgraph_clr.cells.components import label_pieces


@pytest.fixture
def planted():
    """Six cells of 6 x 6: whole, in two pieces, with a hole, an open bay, thin, tiny; and a huge one."""
    labels = np.zeros((40, 60), int)
    for i, cell in enumerate((11, 12, 13, 14)):
        labels[2:8, 2 + 8 * i : 8 + 8 * i] = cell
    labels[4, 10:16] = 0
    labels[4:6, 20:22] = 0
    labels[4, 29:34] = 0
    labels[10:16, 2] = 15
    labels[12, 10] = 16
    labels[18:40, 20:60] = 17
    labels[10:16, 20:26] = 18
    return labels


def test_planted_faults_are_found(planted):
    found = im.label_qc(LabelImage.build(planted, spacing=(0.5, 0.5)))
    assert found.index.tolist() == [11, 12, 13, 14, 15, 16, 17, 18]
    assert found["n_fragments"].tolist() == [1, 2, 1, 1, 1, 1, 1, 1]
    assert found.loc[12, "largest_fragment"] == pytest.approx(18 / 30)
    assert found.index[found["has_holes"]].tolist() == [13]
    assert found.loc[13, "hole_fraction"] == pytest.approx(4 / 36)
    assert found.index[found["is_thin"]].tolist() == [15, 16]
    assert found.index[found["touches_border"]].tolist() == [17]
    assert 17 in found.index[found["is_huge"]]
    by_size = im.label_qc(LabelImage.build(planted, spacing=(0.5, 0.5)), min_size=2.0, max_size=8.0)
    assert by_size.index[by_size["is_tiny"]].tolist() == [15, 16]
    assert by_size.index[by_size["is_huge"]].tolist() == [11, 14, 17, 18]


def squares(sides):
    """Return one square of each side, apart from one another."""
    labels = np.zeros((max(sides) + 2, (max(sides) + 1) * len(sides) + 1), int)
    for i, side in enumerate(sides):
        at = 1 + i * (max(sides) + 1)
        labels[1 : 1 + side, at : at + side] = i + 1
    return labels


def flagged(labels, **options):
    found = im.label_qc(LabelImage.build(labels, spacing=(0.3, 0.7)), **options)
    return found.index[found["is_tiny"]].tolist(), found.index[found["is_huge"]].tolist()


def test_a_cell_alone_is_of_its_own_size():
    for n in range(1, 60):
        assert flagged(np.ones((1, n), int)) == ([], []), n


@pytest.mark.parametrize("side", range(2, 10))
def test_of_equal_cells_none_is_tiny_or_huge(side):
    assert flagged(squares([side] * 25)) == ([], [])
    assert flagged(squares([*[10 + side] * 23, 9 + side, 11 + side])) == ([], [])
    assert flagged(squares([*[side] * 23, 2 * side, 1])) == ([25], [24])


def test_sizes_on_a_given_bound_are_inside():
    for n in range(1, 60):
        strip = LabelImage.build(np.ones((1, n), int), spacing=(0.1, 0.1))
        found = im.label_qc(strip, min_size=n / 100, max_size=n / 100)
        assert not found[["is_tiny", "is_huge"]].any(axis=None), n
    assert flagged(squares([2, 3, 4]), min_size=0.21 * 9, max_size=0.21 * 9) == ([1], [3])


def by_scipy(labels):
    """Fragments and holes by labelling each cell, and its complement, on its own."""
    out = {}
    for cell in np.unique(labels[labels > 0]):
        background, n = ndimage.label(labels == 0)
        holes = 0
        for piece in range(1, n + 1):
            mask = background == piece
            edge = ndimage.binary_dilation(mask) & ~mask
            border = any(mask.take(i, axis=a).any() for a in range(labels.ndim) for i in (0, -1))
            holes += not border and set(np.unique(labels[edge])) == {cell}
        out[int(cell)] = (ndimage.label(labels == cell)[1], holes)
    return out


@settings(max_examples=40, deadline=None)
@given(st.integers(2, 3), st.integers(0, 999), st.integers(1, 5))
def test_equal_scipy_for_any_chunks(ndim, seed, chunk):
    rng = np.random.default_rng(seed)
    labels = rng.choice([0, 0, 1, 1, 1, 1, 5], tuple(rng.integers(1, 9, ndim)))
    labels.flat[0] = 1
    true = by_scipy(labels)
    stored = zarr.array(labels, chunks=(chunk,) * ndim)
    with pytest.MonkeyPatch.context() as patch:
        for array, n_bytes in ((labels, 2**20), (stored, 1)):
            patch.setitem(block_shape.__kwdefaults__, "n_bytes", n_bytes)
            found = label_pieces(LabelImage.build(array))
            assert found.cell_id.tolist() == sorted(true)
            assert list(zip(found.n_fragments, found.n_holes, strict=True)) == [true[c] for c in sorted(true)]


def test_results_go_to_obs_by_id(planted):
    adata = from_labels(planted, spacing=(1, 1))
    shuffled = adata[::-1].copy()
    found = im.label_qc(LabelImage.build(planted), adata=shuffled)
    assert shuffled.n_obs == 8
    assert shuffled.obs.set_index("cell_id")["n_fragments"].to_dict() == found["n_fragments"].to_dict()
    assert shuffled.obs["is_thin"].dtype == bool
    both = concat({"a": adata, "b": adata})
    with pytest.raises(OptionError, match="library_id"):
        im.label_qc(LabelImage.build(planted), adata=both)
    im.label_qc(LabelImage.build(planted), adata=both, library_id="b")
    assert both.obs.groupby("library_id", observed=True)["is_fragmented"].sum().to_dict() == {"a": 0, "b": 1}
    with pytest.raises(OptionError, match="labels with the cells, found 0 of 8 ids in them"):
        im.label_qc(LabelImage.build(np.where(planted > 0, 99, 0)), adata=adata)
    with pytest.raises(OptionError, match="min_size"):
        im.label_qc(LabelImage.build(planted), min_size=-1.0)


def test_surfaces_and_crops_come_by_cell(tissue_3d, tmp_path):
    image = tissue_3d.image
    found = im.sample_surfaces(image, n_points=20)
    assert found.points.shape == found.normals.shape == (len(found.cell_id), 20, 3)
    np.testing.assert_array_equal(found.cell_id, np.unique(image.labels)[1:])
    patches = im.extract_patches(image, crop_px=8, place="inside", n_patches=2)
    assert patches.image.shape == (len(found.cell_id), 2, image.image.shape[0], 8, 8, 8)
    assert patches.mask.any(axis=(2, 3, 4)).all()


def test_sizes_that_no_cell_can_have_are_refused():
    with pytest.raises(OptionError, match="`min_size` up to `max_size`, found 9 and 4"):
        im.label_qc(squares([2, 3, 4]), min_size=9, max_size=4)
