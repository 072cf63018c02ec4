"""A file for HDF5: the bytes of any other, all of them also when the disk refuses some."""

import io
import resource
from contextlib import contextmanager

import h5py
import numpy as np
import pytest

from cellgraph_clr.io.held_files import HeldFile


@contextmanager
def limit(n):
    """Refuse files of more than n bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (n, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("most", [None, 0, 10, 150, 1000])
def test_it_is_as_a_file_in_memory(tmp_path, rng, most):
    held, other = HeldFile(tmp_path / "x", "w+"), io.BytesIO()
    with limit(most if most is not None else 10**9):
        for _ in range(200):
            place, n = int(rng.integers(300)), int(rng.integers(60))
            data = rng.integers(256, size=n).astype(np.uint8).tobytes()
            assert held.seek(place) == other.seek(place)
            assert held.write(data) == other.write(data) == n
            assert held.tell() == other.tell()
            if rng.random() < 0.1:
                size = int(rng.integers(250, 400))
                assert held.truncate(size) == size
                other.seek(0, io.SEEK_END)
                other.write(bytes(max(0, size - other.tell())))
                other.truncate(size)
            buffers = bytearray(40), bytearray(40)
            held.seek(place), other.seek(place)
            assert held.readinto(buffers[0]) == other.readinto(buffers[1])
            assert buffers[0] == buffers[1]
    assert (held.refused is None) == (most in (None, 1000))
    held.close()
    if held.refused is None:
        assert (tmp_path / "x").read_bytes() == other.getvalue()


@pytest.mark.parametrize("most", [0, 5000, 2_000_000])
def test_hdf5_closes_without_a_word(tmp_path, rng, most, capfd):
    data = rng.random((40_000, 20))  # more chunks than HDF5 keeps in its cache
    with limit(most), HeldFile(tmp_path / "x.h5", "w+") as held:
        with h5py.File(held, "w") as store:
            store.create_dataset("a", data=data, chunks=(8, 20), compression="gzip")
            np.testing.assert_array_equal(store["a"][::97], data[::97])
        assert held.refused is not None
    assert not h5py.h5f.get_obj_ids(h5py.h5f.OBJ_ALL, h5py.h5f.OBJ_FILE | h5py.h5f.OBJ_DATASET)
    assert capfd.readouterr() == ("", "")
