"""The scan against a plain Python loop over voxels: any integer type, 2D and 3D, merge of blocks."""

import dataclasses
import itertools
import tracemalloc
from collections import Counter

import numpy as np
import pytest
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from cellgraph_clr._core.errors import LabelImageError, NoCellsError, OptionError
from cellgraph_clr.cells.crofton import crofton_surface
from cellgraph_clr.cells.label_image import LabelImage
from cellgraph_clr.cells.scan import block, merge_statistics, scan_labels, tables
from cellgraph_clr.cells.scan.drive import _back_to_2d, _with_diagonals
from cellgraph_clr.cells.scan.parts import Block, as_3d, no_image, plan_of, scan_in_slabs

DTYPES = [np.uint8, np.int16, np.uint16, np.int32, np.uint32, np.int64, np.uint64]


def loop(labels, image):
    """Return per id (count, coordinates) and per pair the faces per axis, one voxel at a time."""
    labels3 = labels if labels.ndim == 3 else labels[None]
    cells, pairs, faces, border = {}, {}, Counter(), Counter()
    for at in np.ndindex(labels3.shape):
        a = int(labels3[at])
        if a:
            cells.setdefault(a, []).append(at)
        for axis in range(3 - labels.ndim, 3):
            for end in (0, labels3.shape[axis] - 1):
                if a and at[axis] == end:
                    border[a, axis] += 1
                    faces[a, axis] += 1
            if at[axis] + 1 == labels3.shape[axis]:
                continue
            other = list(at)
            other[axis] += 1
            b = int(labels3[tuple(other)])
            if a != b:
                for x in (a, b):
                    faces[x, axis] += 1
                if a and b:
                    pairs.setdefault((min(a, b), max(a, b)), [0, 0, 0])[axis] += 1
    return cells, pairs, faces, border


def check(labels, image=None):
    s = scan_labels(LabelImage.build(labels, image, spacing=(1.0,) * labels.ndim), n_jobs=2)
    cells, pairs, faces, border = loop(labels, image)
    assert s.cell_id.tolist() == sorted(cells)
    for i, cell in enumerate(s.cell_id.tolist()):
        at = np.array(cells[cell])
        assert s.count[i] == len(at)
        assert (s.first[i] == at.sum(0)).all()
        products = [(0, 0), (1, 1), (2, 2), (0, 1), (0, 2), (1, 2)]
        assert s.second[i].tolist() == [int((at[:, a] * at[:, b]).sum()) for a, b in products]
        assert (s.box[i] == np.stack([at.min(0), at.max(0)], 1)).all()
        assert s.faces[i].tolist() == [faces[cell, a] for a in range(3)]
        assert s.border_faces[i].tolist() == [border[cell, a] for a in range(3)]
        if image is not None:
            where = tuple(at.T[3 - labels.ndim :])
            for c in range(len(image)):
                v = image[c][where].astype(float)
                total, square, low, high, *weighted = s.intensity[i, c]
                assert total + s.shift[c] * len(v) == pytest.approx(v.sum(), rel=1e-9, abs=1e-6)
                variance = max(square / len(v) - (total / len(v)) ** 2, 0)
                assert variance == pytest.approx(v.var(), rel=1e-6, abs=1e-6)
                assert (low, high) == (v.min(), v.max())
                np.testing.assert_allclose(weighted, (at * v[:, None]).sum(0), rtol=1e-9, atol=1e-6)
    assert [tuple(p) for p in s.pairs.tolist()] == sorted(pairs)
    assert s.pair_faces.tolist() == [pairs[p] for p in sorted(pairs)]


small_labels = st.sampled_from(DTYPES).flatmap(
    lambda dtype: hnp.array_shapes(min_dims=2, max_dims=3, min_side=1, max_side=9).flatmap(
        lambda shape: hnp.arrays(dtype, shape, elements=st.integers(0, 5))
    )
)


@settings(max_examples=60, deadline=None)
@given(small_labels)
def test_equals_the_loop_on_any_small_array(labels):
    if labels.any():
        check(labels)


@pytest.mark.parametrize("shape", [(7, 70), (5, 6, 67)], ids=["2D", "3D"])
def test_intensities_equal_the_loop(shape, rng):
    labels = rng.integers(0, 4, shape).astype(np.uint16)
    check(labels, rng.integers(0, 60000, (2, *shape)).astype(np.uint16))
    check(labels, rng.normal(1e6, 1, (1, *shape)))  # a large offset must not drown the variance


def test_huge_sparse_ids_are_kept():
    labels = np.zeros((4, 5), np.int64)
    labels[1, 1:3] = 2**63 - 1
    labels[2, 1:3] = 2**40
    s = scan_labels(LabelImage.build(labels))
    assert s.cell_id.tolist() == [2**40, 2**63 - 1]
    assert s.pairs.tolist() == [[2**40, 2**63 - 1]]
    assert s.pair_faces.tolist() == [[0, 2, 0]]


def test_tables_grow_beyond_their_first_size(rng):
    labels = np.arange(1, 128 * 128 + 1, dtype=np.uint32).reshape(128, 128)
    s = scan_labels(LabelImage.build(labels))
    assert len(s.cell_id) == 128 * 128
    assert len(s.pairs) == 2 * 128 * 127


@pytest.mark.parametrize("n_voxels", [1, 40, 300])
@pytest.mark.parametrize("shape", [(60, 21), (9, 12, 11), (2, 40, 5)], ids=["2D", "3D", "flat"])
def test_batches_and_growing_tables_change_nothing(shape, n_voxels, monkeypatch, rng):
    labels = rng.integers(0, 60, shape).astype(np.uint16)
    labels[rng.random(shape) < 0.5] = 7
    image = rng.random((2, *shape)).astype(np.float32)
    spacing = (3.0, 2.0, 1.0)[-len(shape) :]
    whole = scan_labels(LabelImage.build(labels, image, spacing=spacing), n_jobs=1)
    monkeypatch.setattr(block, "BATCH_VOXELS", n_voxels)
    monkeypatch.setattr(tables, "N_CELLS", 2)
    monkeypatch.setattr(tables, "N_PAIRS", 2)
    small = scan_labels(LabelImage.build(labels, image, spacing=spacing), n_jobs=1)
    for name in type(whole).__slots__:
        np.testing.assert_array_equal(getattr(small, name), getattr(whole, name), err_msg=name)
    check(labels, image)


@pytest.mark.parametrize("n_jobs", [1, 2, 5])
def test_the_number_of_threads_changes_nothing(n_jobs, tissue_3d):
    one = scan_labels(tissue_3d.image, n_jobs=1)
    many = scan_labels(tissue_3d.image, n_jobs=n_jobs)
    for name in ("cell_id", "count", "first", "second", "box", "faces", "pairs", "pair_faces"):
        np.testing.assert_array_equal(getattr(one, name), getattr(many, name))
    np.testing.assert_allclose(one.intensity, many.intensity, rtol=1e-12)


def test_views_and_orders_in_memory_change_nothing(tissue_3d):
    labels = tissue_3d.image.labels
    plain = scan_labels(LabelImage.build(labels))
    for other in (np.asfortranarray(labels), labels[:, ::-1][:, ::-1], labels.astype(">i4")):
        found = scan_labels(LabelImage.build(other))
        np.testing.assert_array_equal(plain.second, found.second)
        np.testing.assert_array_equal(plain.pair_faces, found.pair_faces)


@pytest.mark.parametrize(
    ("labels", "error", "text"),
    [
        (np.array([[0, -1], [-2, 2]]), LabelImageError, r"ids of 0 \(background\) and above, found -2"),
        (np.array([[0, -1], [-2, 2]], np.int8), LabelImageError, r"ids of 0 \(background\) and above, found -2"),
        (np.zeros((3, 3), int), NoCellsError, "found background only"),
        (np.full((2, 2), 2**63, np.uint64), LabelImageError, r"ids up to 2\*\*63 - 1, found 9223372036854775808"),
    ],
)
def test_refuses_values_that_are_no_ids(labels, error, text):
    with pytest.raises(error, match=text):
        scan_labels(LabelImage.build(labels))


@pytest.mark.parametrize("dtype", [np.int16, np.uint32, np.float16, np.int8, bool])
@pytest.mark.parametrize("shape", [(40, 30), (13, 11, 12)], ids=["2D", "3D"])
def test_intensities_of_any_dtype_are_those_of_float64(dtype, shape, monkeypatch, rng):
    labels = rng.integers(0, 4, shape).astype(np.uint16)
    light = rng.integers(-100, 100, (2, *shape)).astype(np.int16).astype(dtype)
    spacing = (1.0, 2.0, 3.0)[: len(shape)]
    wanted = scan_labels(LabelImage.build(labels, light.astype(np.float64), spacing=spacing), n_jobs=1)
    for n_voxels in (1, 600, 2**30):
        monkeypatch.setattr(block, "BATCH_VOXELS", n_voxels)
        found = scan_labels(LabelImage.build(labels, light, spacing=spacing), n_jobs=2)
        np.testing.assert_allclose(found.intensity, wanted.intensity, rtol=1e-9, atol=1e-6)
        for name in ("cell_id", "count", "second", "box", "faces", "overlaps", "pairs", "pair_faces"):
            np.testing.assert_array_equal(getattr(found, name), getattr(wanted, name))


def peak_of_scan(image):
    tracemalloc.start()
    scan_labels(image, n_jobs=1)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


@pytest.mark.parametrize("dtype", [np.int16, np.float16])
def test_intensities_are_cast_a_few_lines_at_a_time(dtype, monkeypatch):
    monkeypatch.setattr(block, "BATCH_VOXELS", 2**16)
    labels = np.zeros((64, 160, 160), np.uint16)
    labels[8:50, 20:90, 30:140] = 3
    light = np.arange(labels.size, dtype=np.uint16).reshape(1, *labels.shape) % 999
    scan_labels(LabelImage.build(labels, light))  # what is imported and compiled is not counted
    scan_labels(LabelImage.build(labels, light.astype(dtype)))
    plain = peak_of_scan(LabelImage.build(labels, light))
    cast = peak_of_scan(LabelImage.build(labels, light.astype(dtype)))
    assert cast < plain + 2 * 2**20  # a whole copy takes 13


def test_a_scan_without_surfaces_cannot_be_taken_for_one_with():
    labels = np.zeros((9, 9, 9), np.uint16)
    labels[2:7, 2:7, 2:7] = 4
    s = scan_labels(LabelImage.build(labels), surface=False)
    assert s.overlaps is None
    with pytest.raises(OptionError, match="a scan that counts diagonals"):
        crofton_surface(s.count, s.faces, s.overlaps, (1.0, 1.0, 1.0))
    assert merge_statistics([s, s]).overlaps is None
    stored = scan_labels(LabelImage.build(zarr.array(labels, chunks=(3, 3, 3))), surface=False)
    assert stored.overlaps is None
    np.testing.assert_array_equal(stored.faces, s.faces)


@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (3.0, 1.0, 1.0), (1.0, 2.0, 1.0), (1.0, 1.0)])
@pytest.mark.parametrize("scale", [1, 3])
def test_blocks_cut_along_all_axes_are_the_whole(spacing, scale, rng):
    """Every pair of voxels counts once, in the block that holds the higher of the two, axis by axis."""
    shape = (5, 6, 8)[-len(spacing) :]
    labels = np.kron(rng.integers(0, 4, shape), np.ones([scale] * len(shape), int)).astype(np.uint8)
    image = LabelImage.build(labels, spacing=spacing)
    plan, whole = plan_of(image, surface=True), scan_labels(image)
    volume = as_3d(labels, image.ndim)
    cuts = [[0, *sorted(rng.choice(np.arange(1, n), min(2, n - 1), replace=False)), n] for n in volume.shape]
    parts = []
    for low in itertools.product(*(c[:-1] for c in cuts)):
        high = [c[c.index(i) + 1] for c, i in zip(cuts, low, strict=True)]
        core = np.minimum(low, plan.halo)
        start = np.array(low) - core
        block = np.ascontiguousarray(volume[tuple(slice(a, b) for a, b in zip(start, high, strict=True))])
        parts += scan_in_slabs(Block(block, no_image(block.shape), core, start), np.zeros(0), plan, 1)
    merged = _with_diagonals(merge_statistics(parts), plan)
    merged = _back_to_2d(merged) if image.ndim == 2 else merged
    for field in dataclasses.fields(whole):
        np.testing.assert_array_equal(getattr(merged, field.name), getattr(whole, field.name), err_msg=field.name)
