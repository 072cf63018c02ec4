"""Headers of NumPy files: sizes that are not there are refused before memory is taken."""

import numpy as np
import pytest

import cellgraph_clr as cgc
from cellgraph_clr._core.errors import FileFormatError
from cellgraph_clr.io.npy import npy_shape


def written(path, header, body=b""):
    text = header.encode()
    text += b" " * (64 - (11 + len(text)) % 64) + b"\n"
    path.write_bytes(b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + body)
    return path


@pytest.mark.parametrize(
    ("shape", "n_bytes", "text"),
    [
        ("(1000000, 1000000, 2)", 0, "4000000000000 bytes for an array .* found 0 bytes"),
        ("(4, 4)", 30, "32 bytes for an array .* found 30 bytes"),
        ("(-1, 4)", 64, r"array \(-1, 4\)"),
    ],
)
def test_declared_sizes_are_compared_with_the_file(shape, n_bytes, text, tmp_path, monkeypatch):
    monkeypatch.setattr(np, "load", lambda *_, **__: pytest.fail("it is read"))
    path = written(
        tmp_path / "a.npy", f"{{'descr': '<u2', 'fortran_order': False, 'shape': {shape}, }}", b"\0" * n_bytes
    )
    with pytest.raises(FileFormatError, match=text):
        cgc.read_labels(path)
    np.save(tmp_path / "t0.npy", np.ones((4, 4)))


@pytest.mark.parametrize("header", ["{'descr': '<u2', 'shape': (10", "(" * 4000, "{'descr': 'no', 'fortran_order': 1}"])
def test_headers_that_are_none_are_named(header, tmp_path):
    with pytest.raises(FileFormatError, match=r"a whole array at .*a.npy', found \w+"):
        cgc.read_labels(written(tmp_path / "a.npy", header))


def test_shapes_of_whole_files(tmp_path):
    for array in (np.ones((3, 4)), np.asfortranarray(np.ones((2, 3))), np.zeros((0, 3), np.uint8)):
        np.save(tmp_path / "a.npy", array)
        assert npy_shape(tmp_path / "a.npy") == array.shape
    np.save(tmp_path / "a.npy", {"masks": 1}, allow_pickle=True)
    assert npy_shape(tmp_path / "a.npy") is None
