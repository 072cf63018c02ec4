"""Errors of TIFF readers are named with the file and the plane; several images in a file are told."""

import numpy as np
import pytest
import tifffile

import cellgraph_clr as cgc
from cellgraph_clr._core.errors import FileFormatError

LABELS = np.pad(np.ones((4, 4), np.uint16), 3)


def test_damaged_metadata_are_named(tmp_path):
    path = tmp_path / "a.ome.tif"
    tifffile.imwrite(path, LABELS, metadata={"axes": "YX"})
    content = path.read_bytes()
    path.write_bytes(content.replace(b"<Pixels", b"<Pixelz", 1))
    with pytest.raises(FileFormatError, match="a readable TIFF at .*a.ome.tif', found ParseError"):
        cgc.read_labels(path)
    with pytest.raises(FileFormatError, match="found ParseError"):
        cgc.read_plate(path)
    tifffile.imwrite(path, LABELS, ome=False, metadata={"spacing": [None, 1]})
    with pytest.raises(FileFormatError, match="found TypeError"):
        cgc.read_labels(path)


def test_the_plane_that_cannot_be_read_is_named(tmp_path):
    path = tmp_path / "a.tif"
    stack = np.random.default_rng(0).integers(0, 9, (4, 32, 32)).astype(np.uint16)
    tifffile.imwrite(path, stack, photometric="minisblack", compression="zlib")
    with tifffile.TiffFile(path) as file:
        at = file.pages[2].dataoffsets[0]
    content = bytearray(path.read_bytes())
    content[at : at + 40] = b"\xff" * 40
    path.write_bytes(content)
    with pytest.raises(FileFormatError, match=r"a readable TIFF at .*a.tif', plane 3 of 4, found \w*[eE]rror"):
        cgc.read_labels(path)


def test_several_images_in_a_file_are_told(tmp_path):
    path = tmp_path / "a.tif"
    with tifffile.TiffWriter(path) as file:
        for k in (1, 2, 3):
            file.write(LABELS * k)
    with pytest.warns(UserWarning, match=r"'a.tif' holds 3 images of shape \(10, 10\): the first is read"):
        np.testing.assert_array_equal(cgc.read_labels(path, spacing=1).labels, LABELS)
