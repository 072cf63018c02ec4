"""TIFFs that are cut, copied in part or damaged are refused, whoever wrote them; whole ones are read."""

import re
import struct

import numpy as np
import pytest
import tifffile
from PIL import Image

import cellgraph_clr as cgc
from cellgraph_clr._core.errors import FileFormatError

STACK = np.zeros((5, 64, 64), np.uint16)
STACK[:, 5:30, 5:30] = np.arange(1, 6)[:, None, None]


def page_by_page(path, stack, **options):
    with tifffile.TiffWriter(path, bigtiff=options.pop("bigtiff", False)) as file:
        for page in stack:
            file.write(page, contiguous=False, metadata=None, **options)


def by_pillow(path, stack):
    first, *others = (Image.fromarray(page) for page in stack)
    first.save(path, save_all=True, append_images=others)


WRITERS = {
    "imagej": lambda path, stack: tifffile.imwrite(path, stack, imagej=True, metadata={"axes": "ZYX"}),
    "ome": lambda path, stack: tifffile.imwrite(path, stack, ome=True, metadata={"axes": "ZYX"}),
    "ome_zlib": lambda path, stack: tifffile.imwrite(
        path, stack, ome=True, metadata={"axes": "ZYX"}, compression="zlib"
    ),
    "shaped": lambda path, stack: tifffile.imwrite(path, stack, photometric="minisblack"),
    "shaped_zlib": lambda path, stack: tifffile.imwrite(path, stack, photometric="minisblack", compression="zlib"),
    "pages": page_by_page,
    "pages_zlib": lambda path, stack: page_by_page(path, stack, compression="zlib"),
    "big": lambda path, stack: page_by_page(path, stack, bigtiff=True),
    "tiles": lambda path, stack: page_by_page(path, stack, tile=(32, 32)),
    "pillow": by_pillow,
}


@pytest.mark.parametrize("noise", [False, True], ids=["cells", "noise"])
@pytest.mark.parametrize("writer", WRITERS)
def test_a_file_that_is_cut_is_refused_or_read_as_it_was(writer, noise, tmp_path, rng):
    stack = rng.integers(0, 60000, STACK.shape).astype(np.uint16) if noise else STACK
    path, cut = tmp_path / "whole.tif", tmp_path / "cut.tif"
    WRITERS[writer](path, stack)
    np.testing.assert_array_equal(cgc.read_labels(path, spacing=1).labels, stack)
    content = path.read_bytes()
    for percent in range(2, 100, 2):
        cut.write_bytes(content[: len(content) * percent // 100])
        try:
            found = cgc.read_labels(cut, spacing=1).labels
        except FileFormatError:
            continue
        np.testing.assert_array_equal(found, stack, err_msg=f"{percent} %")


def test_it_says_how_many_planes_are_declared_and_found(tmp_path):
    path = tmp_path / "a.tif"
    WRITERS["imagej"](path, STACK)
    path.write_bytes(path.read_bytes()[:30000])
    with pytest.raises(
        FileFormatError, match=r"found 1 whole pages \(5 planes declared\), and no page 2 at byte \d+ of 30000"
    ):
        cgc.read_labels(path)
    tifffile.imwrite(path, STACK, imagej=True, metadata={"axes": "ZYX"})
    tifffile.tiffcomment(path, tifffile.tiffcomment(path).replace("=5", "=7").encode())
    with pytest.raises(FileFormatError, match="Expected 7 planes, as .*a.tif' declares, found 5"):
        cgc.read_labels(path)
    page_by_page(path, STACK[:2], compression="zlib", description='{"shape": [5, 64, 64]}')
    with pytest.raises(FileFormatError, match="Expected 5 planes, as .*a.tif' declares, found"):
        cgc.read_labels(path)


def test_planes_that_an_ome_file_lacks_are_not_zeros(tmp_path):
    path = tmp_path / "a.ome.tif"
    tifffile.imwrite(path, STACK, metadata={"axes": "ZYX"}, compression="zlib")
    text = tifffile.tiffcomment(path)
    tifffile.tiffcomment(
        path, text.replace('SizeZ="5"', 'SizeZ="9"').replace('PlaneCount="5"', 'PlaneCount="9"').encode()
    )
    with pytest.raises(FileFormatError, match="Expected 9 planes, as .* declares, found 5"):
        cgc.read_labels(path)


def test_planes_come_from_files_of_the_folder_alone(tmp_path):
    inside = tmp_path / "inside"
    inside.mkdir()
    path, secret = inside / "a.ome.tif", tmp_path / "secret.ome.tif"
    for file in (path, secret):
        tifffile.imwrite(file, STACK, metadata={"axes": "ZYX"})
    text = tifffile.tiffcomment(path)
    own = re.search('UUID="(urn:[^"]+)"', text).group(1)
    for name in ("../secret.ome.tif", str(secret)):
        changed = re.sub(r"<UUID[^>]*>[^<]*</UUID>", "", text)
        other = f'<UUID FileName="{name}">{own[:-1]}x</UUID></TiffData>'
        changed = re.sub(r"<TiffData([^>]*?)/?>(</TiffData>)?", rf"<TiffData\1>{other}", changed, count=1)
        tifffile.tiffcomment(path, changed.encode())
        with pytest.raises(FileFormatError, match=re.escape(f"found {name!r}, which lies elsewhere")):
            cgc.read_labels(path)
    tifffile.tiffcomment(path, text.encode())
    elsewhere = re.sub(
        r"<TiffData([^>]*?)/>", rf'<TiffData\1><UUID FileName="/x/a.ome.tif">{own}</UUID></TiffData>', text
    )
    assert elsewhere != text
    tifffile.tiffcomment(path, elsewhere.encode())  # where it was written, which is no other file
    moved = path.rename(inside / "b.ome.tif")  # its own name is that of a file which is not there any more
    np.testing.assert_array_equal(cgc.read_labels(moved, spacing=1).labels, STACK)


def changed_tag(path, name, value):
    """Write another value into a tag of the first page, as it is stored."""
    with tifffile.TiffFile(path) as file:
        tag = file.pages.first.tags[name]
        form, at = tag.dtype_name, tag.valueoffset
    size = {"SHORT": "<H", "LONG": "<I"}[form]
    content = bytearray(path.read_bytes())
    content[at : at + struct.calcsize(size)] = struct.pack(size, value)
    path.write_bytes(content)


@pytest.mark.parametrize("compression", [None, "zlib"])
def test_sizes_that_the_bytes_cannot_fill_are_refused_before_memory_is_taken(compression, tmp_path, monkeypatch):
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, STACK[0], metadata=None, compression=compression, rowsperstrip=64)
    changed_tag(path, "ImageLength", 2**31)
    changed_tag(path, "RowsPerStrip", 2**31)
    monkeypatch.setattr(tifffile.TiffPageSeries, "asarray", lambda self: pytest.fail("it is read"))
    with pytest.raises(FileFormatError, match=r"to end at byte 2748\d+|bytes that cannot hold them"):
        cgc.read_labels(path)
    tifffile.imwrite(path, STACK[0], metadata=None, compression="zlib", rowsperstrip=8)
    changed_tag(path, "ImageLength", 80)
    with pytest.raises(FileFormatError, match="10 strips or tiles in plane 1 of 1 of .*, found 8"):
        cgc.read_labels(path)


def test_a_chain_of_pages_that_turns_back_is_refused(tmp_path):
    path = tmp_path / "a.tif"
    page_by_page(path, STACK)
    with tifffile.TiffFile(path) as file:
        first, last = file.pages.first.offset, file.pages.next_page_offset
    content = bytearray(path.read_bytes())
    content[last : last + 4] = struct.pack("<I", first)
    path.write_bytes(content)
    with pytest.raises(FileFormatError, match="found 5 whole pages, and no page 6"):
        cgc.read_labels(path)
    path.write_bytes(content[:4] + b"\0" * 4)
    with pytest.raises(FileFormatError, match=r"pages in .*found none|a readable TIFF"):
        cgc.read_labels(path)
