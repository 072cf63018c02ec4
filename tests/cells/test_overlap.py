"""Pairs of labels against a loop over voxels, for any ids, chunks and block size."""

from collections import Counter

import h5py
import numpy as np
import pytest
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st

from cellgraph_clr.cells.blocks import block_shape
from cellgraph_clr.cells.compartments import match_nuclei
from cellgraph_clr.cells.overlap import label_overlaps, sums_of_pairs
from cellgraph_clr.graphs.temporal import overlaps

HUGE = np.array([0, 7, 2**33, 2**62, 2**63 - 1])


def two(seed, ndim):
    rng = np.random.default_rng(seed)
    shape = tuple(rng.integers(1, 12, ndim))
    ids = [np.arange(5), HUGE][seed % 2]
    return rng.choice(ids, shape), rng.choice(ids, shape)


def by_loop(a, b):
    return sorted(Counter(zip(a.ravel().tolist(), b.ravel().tolist(), strict=True)).items())


def as_list(pairs, count):
    return [(tuple(p), n) for p, n in zip(pairs.tolist(), count.tolist(), strict=True)]


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 999), st.integers(2, 3), st.integers(1, 5))
def test_equal_the_loop_for_any_blocks(seed, ndim, chunk):
    a, b = two(seed, ndim)
    stored = zarr.array(a, chunks=(chunk,) * ndim), zarr.array(b, chunks=(chunk + 1,) * ndim)
    with pytest.MonkeyPatch.context() as patch:
        for n_bytes in (2**20, 1):
            patch.setitem(block_shape.__kwdefaults__, "n_bytes", n_bytes)
            for first in (a, stored[0]):
                for second in (b, stored[1], np.asfortranarray(b).astype(">i8")):
                    assert as_list(*label_overlaps(first, second)) == by_loop(a, b)


def test_any_store_will_do(tmp_path):
    import dask.array as da

    a, b = two(0, 3)
    with h5py.File(tmp_path / "labels.h5", "w") as file:
        for stored in (file.create_dataset("plain", data=a), da.from_array(a, chunks=(2, 3, 4))):
            assert as_list(*label_overlaps(stored, b)) == by_loop(a, b)
            assert as_list(*label_overlaps(b, stored)) == by_loop(b, a)


class Recorded:
    """A chunked array that keeps the size of the largest piece read, and how much was read."""

    def __init__(self, array, chunks):
        self.array, self.chunks = array, chunks
        self.shape, self.dtype, self.ndim = array.shape, array.dtype, array.ndim
        self.largest = self.total = 0

    def __getitem__(self, key):
        out = self.array[key]
        self.largest, self.total = max(self.largest, out.size), self.total + out.size
        return out


@pytest.mark.parametrize("match", [match_nuclei, overlaps, label_overlaps])
def test_chunked_labels_are_read_block_by_block_and_once(match, monkeypatch, rng):
    a, b = rng.integers(0, 9, (2, 24, 20, 16))
    monkeypatch.setitem(block_shape.__kwdefaults__, "n_bytes", 8 * 1000)
    arrays = Recorded(a, (8, 8, 8)), Recorded(b, (8, 8, 8))
    for found, wanted in zip(match(*arrays), match(a, b), strict=True):
        np.testing.assert_array_equal(found, wanted)
    for array in arrays:
        assert array.total == a.size
        assert array.largest <= 1000


def test_matches_are_those_of_ids_of_any_size():
    cells, nuclei = two(3, 3)
    for found, nucleus in zip(match_nuclei(cells, nuclei)[1].tolist(), np.unique(nuclei)[1:], strict=True):
        inside = Counter(cells[nuclei == nucleus].tolist())
        assert found == min(inside, key=lambda c: (-inside[c], c))
    pairs, share = overlaps(cells, nuclei)
    for (a, b), found in zip(pairs.tolist(), share, strict=True):
        assert found == ((cells == a) & (nuclei == b)).sum() / ((cells == a) | (nuclei == b)).sum()
    assert len(pairs) == len({p for p, _ in by_loop(cells, nuclei) if min(p) > 0})


def test_sums_of_nothing_and_of_fractions():
    pairs, total = sums_of_pairs(np.array([[2, 3], [1, 9], [2, 3]]), np.array([0.5, 1.0, 0.25]))
    assert as_list(pairs, total) == [((1, 9), 1.0), ((2, 3), 0.75)]
    assert [len(x) for x in sums_of_pairs(np.zeros((0, 2), np.int64), np.zeros(0))] == [0, 0]


@pytest.mark.parametrize("dtypes", [("u2", "i4"), ("i8", "u1"), (bool, ">u4"), ("u8", "u8")])
def test_tables_grow_and_threads_change_nothing(dtypes, rng):
    shape = (7, 60, 70)
    a, b = (rng.integers(0, 2 if d is bool else min(np.iinfo(d).max, 20_000), shape).astype(d) for d in dtypes)
    wanted = by_loop(a.astype(int), b.astype(int))
    assert len(wanted) > 4096 or bool in dtypes
    for n_jobs in (1, 3, 99):
        assert as_list(*label_overlaps(a, b, n_jobs=n_jobs)) == wanted


def test_lines_without_an_end_in_common_and_images_without_lines():
    a, b = np.zeros((3, 200), int), np.zeros((3, 200), int)
    a[:, 10:150], b[:, 64:] = 5, 7
    assert as_list(*label_overlaps(a, b)) == [((0, 0), 30), ((0, 7), 150), ((5, 0), 162), ((5, 7), 258)]
    assert [len(x) for x in label_overlaps(a[:0], b[:0])] == [0, 0]
