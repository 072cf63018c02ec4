"""Chunked arrays give what arrays in memory give, for any chunks."""

import numpy as np
import pytest
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st

from cellgraph_clr._core.errors import LabelImageError
from cellgraph_clr.cells.blocks import block_shape, is_chunked, is_dask, walk_blocks
from cellgraph_clr.cells.label_image import LabelImage
from cellgraph_clr.cells.measure import intensity_features
from cellgraph_clr.cells.scan import scan_labels


def same(a, b):
    for name in (
        "cell_id",
        "count",
        "first",
        "second",
        "box",
        "faces",
        "border_faces",
        "overlaps",
        "pairs",
        "pair_faces",
    ):
        np.testing.assert_array_equal(getattr(a, name), getattr(b, name), err_msg=name)
    names = [str(c) for c in range(a.intensity.shape[1])]
    one, other = (intensity_features(s, (1.0,) * 3, "pixel", names)[0] for s in (a, b))
    np.testing.assert_allclose(one, other, rtol=1e-6, atol=1e-6)


def blobs(shape, seed):
    """Cells of a few voxels that span chunks, with holes and background."""
    rng = np.random.default_rng(seed)
    labels = np.kron(rng.integers(0, 6, [-(-s // 3) for s in shape]), np.ones((3,) * len(shape), int))
    labels = labels[tuple(slice(0, s) for s in shape)].astype(np.int32)
    labels[rng.random(shape) < 0.1] = 0
    labels.flat[0] = 7
    return labels


chunked = st.integers(2, 3).flatmap(
    lambda d: st.tuples(
        st.tuples(*[st.integers(3, 14)] * d),
        st.tuples(*[st.integers(1, 6)] * d),
        st.tuples(*[st.sampled_from([1.0, 2.0, 3.0])] * d),
        st.integers(0, 99),
    )
)


@settings(max_examples=30, deadline=None)
@given(chunked)
def test_zarr_of_any_chunks_equals_memory(case):
    shape, chunks, spacing, seed = case
    labels = blobs(shape, seed)
    light = np.random.default_rng(seed).random((2, *shape)).astype(np.float32)
    whole = scan_labels(LabelImage.build(labels, light, spacing=spacing), n_jobs=1)
    stored = zarr.array(labels, chunks=chunks)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(block_shape.__kwdefaults__, "n_bytes", 256)
        same(whole, scan_labels(LabelImage.build(stored, zarr.array(light), spacing=spacing), n_jobs=2))
        turned = np.asfortranarray(labels).astype(">i4")
        same(whole, scan_labels(LabelImage.build(turned, light, spacing=spacing)))


def test_a_memory_map_is_scanned_in_place(tmp_path):
    labels = blobs((8, 9, 10), 0)
    np.save(tmp_path / "labels.npy", labels)
    mapped = np.load(tmp_path / "labels.npy", mmap_mode="r")
    same(scan_labels(LabelImage.build(labels)), scan_labels(LabelImage.build(mapped)))


@settings(max_examples=12, deadline=None)
@given(chunked)
def test_dask_of_any_chunks_equals_memory(case):
    da = pytest.importorskip("dask.array")
    shape, chunks, spacing, seed = case
    labels = blobs(shape, seed)
    light = np.random.default_rng(seed).random((2, *shape)).astype(np.float32)
    lazy = LabelImage.build(da.from_array(labels, chunks=chunks), da.from_array(light), spacing=spacing)
    same(scan_labels(LabelImage.build(labels, light, spacing=spacing)), scan_labels(lazy))


def test_every_voxel_is_read_once_and_the_halo_is_right():
    class Counting:
        def __init__(self, array):
            self.array, self.dtype, self.shape = array, array.dtype, array.shape
            self.reads = np.zeros(array.shape, int)

        def __getitem__(self, key):
            self.reads[key] += 1
            return self.array[key]

    array = np.arange(5 * 7 * 9).reshape(5, 7, 9)
    counting = Counting(array)
    for padded, core, origin in walk_blocks(counting, (2, 3, 4), (2, 1, 3)):
        inner = tuple(slice(o, o + n) for o, n in zip(origin, padded.shape, strict=True))
        np.testing.assert_array_equal(padded, array[inner])
        assert (core <= (2, 1, 3)).all()
    assert (counting.reads == 1).all()


def test_blocks_are_whole_chunks():
    assert block_shape((100, 100, 100), (10, 10, 10), 4, least=(1, 1, 1), n_bytes=4 * 10 * 10 * 40) == (10, 10, 40)
    assert block_shape((100, 100, 100), (10, 10, 10), 4, least=(25, 1, 1), n_bytes=1) == (30, 10, 10)
    assert block_shape((8, 100), (8, 50), 4, least=(1, 1), n_bytes=2**30) == (8, 100)


def test_what_is_chunked():
    da = pytest.importorskip("dask.array")
    assert is_chunked(zarr.zeros((2, 2)))
    assert is_chunked(da.zeros((2, 2)))
    assert is_dask(da.zeros((2, 2)))
    assert not is_chunked(np.zeros((2, 2)))
    assert not is_dask(zarr.zeros((2, 2)))


@pytest.mark.parametrize(
    ("shape", "chunks"),
    [((10**5, 10**6, 10**6), (64, 64, 64)), ((10**5, 10**5), (10**5, 10**5)), ((2**62, 4, 4), (2**60, 4, 4))],
)
def test_blocks_beyond_memory_are_refused(shape, chunks, monkeypatch):
    real = np.empty

    def empty(shape, dtype=float):
        if np.prod(np.atleast_1d(shape).astype(object)) * np.dtype(dtype).itemsize > 2**30:
            raise MemoryError
        return real(shape, dtype)

    stored = zarr.create_array({}, shape=shape, chunks=chunks, dtype="u4")
    monkeypatch.setattr(np, "empty", empty)
    with pytest.raises(LabelImageError, match="read in blocks that fit into memory, found blocks of"):
        scan_labels(LabelImage.build(stored, spacing=1))


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_intensities_of_chunks_are_those_of_the_whole_to_the_bit(dtype):
    """Sums about a value near the mean are exact: a cell without signal has none, wherever chunks cut it."""
    import dask.array as da

    from cellgraph_clr import from_labels

    rng = np.random.default_rng(0)
    labels = np.kron(np.arange(1, 37).reshape(6, 6), np.ones((11, 13), int))
    image = np.stack([rng.integers(0, 200, labels.shape), np.where(labels % 3, rng.integers(0, 3, labels.shape), 0)])
    image = (image / (1 if dtype != "float32" else 256)).astype(dtype)
    whole = from_labels(labels, image, spacing=1.0)
    parts = from_labels(da.from_array(labels, chunks=(17, 23)), image, spacing=1.0)
    np.testing.assert_array_equal(parts.X, whole.X)
    empty = whole.obs["cell_id"].to_numpy() % 3 == 0
    for name in ("sum", "mean", "std", "offset"):
        assert (parts[:, f"channel_1_{name}"].X[empty] == 0).all()
