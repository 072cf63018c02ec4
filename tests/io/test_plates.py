"""Plates from folders: by pattern, one file a channel or one for all, gaps; the reader of BBBC018."""

import struct
import warnings
import zlib

import numpy as np
import pandas as pd
import pytest
import tifffile
from PIL import Image

import cellgraph_clr as cgc
from cellgraph_clr._core.errors import (
    FileFormatError,
    MissingFileError,
    MissingKeyError,
    OptionError,
    ShapeError,
)

PATTERN = r"(?P<well>[A-H]\d\d)_s(?P<field>\d)_(?P<channel>\w+)\.tif"


@pytest.fixture
def folder(tmp_path, rng):
    for well in ("A01", "B02"):
        for field in (1, 2):
            for channel in ("DNA", "GFP"):
                (tmp_path / well).mkdir(exist_ok=True)
                pixels = rng.integers(0, 999, (8, 9)).astype(np.uint16)
                tifffile.imwrite(tmp_path / well / f"{well}_s{field}_{channel}.tif", pixels)
    (tmp_path / "notes.txt").write_text("x")
    return tmp_path


def test_one_file_a_channel(folder):
    plate = cgc.read_plate(folder, PATTERN)
    assert repr(plate) == "<Plate of 2 samples, 2 wells, 4 fields, channels DNA, GFP>"
    row = plate.table.index[(plate.table["well"] == "B02") & (plate.table["field"] == "2")][0]
    expected = tifffile.imread(folder / "B02" / "B02_s2_GFP.tif")
    np.testing.assert_array_equal(plate.image(row)[1], expected)
    swapped = cgc.read_plate(folder, PATTERN, channels=("GFP", "DNA"))
    np.testing.assert_array_equal(swapped.image(row)[0], expected)


def test_one_file_for_all_channels(tmp_path, rng):
    pixels = rng.integers(0, 255, (3, 8, 9)).astype(np.uint8)
    tifffile.imwrite(tmp_path / "drug1_f0.tif", pixels, metadata={"axes": "CYX"}, photometric="minisblack")
    Image.fromarray(np.moveaxis(pixels, 0, -1)).save(tmp_path / "drug1_f1.png")
    plate = cgc.read_plate(tmp_path, r"(?P<sample>\w+)_f(?P<field>\d)")
    for i in range(2):
        np.testing.assert_array_equal(plate.image(i), pixels)


def test_layout_joins_what_is_known_of_wells(folder):
    layout = pd.DataFrame({"well": ["A1", "B2", "C3"], "sample": ["x", "y", "z"], "dose": [0.1, 1.0, 2.0]})
    plate = cgc.read_plate(folder, PATTERN, layout=layout)
    assert plate.table.groupby("well")["sample"].first().to_dict() == {"A01": "x", "B02": "y"}
    assert set(plate.table["dose"]) == {0.1, 1.0}
    with pytest.raises(MissingKeyError, match="the wells of `layout`"):
        cgc.read_plate(folder, PATTERN, layout=layout.iloc[1:])
    with pytest.raises(ShapeError, match="one line a well in `layout`, found A1 again"):
        cgc.read_plate(folder, PATTERN, layout=pd.concat([layout, layout.iloc[:1]]))
    with pytest.raises(OptionError, match="`labels` of an OME-Zarr plate"):
        cgc.read_plate(folder, PATTERN, labels="cells")


def test_names_of_channels_come_from_the_files_and_planes_are_refused(tmp_path, rng):
    for k in (0, 1):
        tifffile.imwrite(
            tmp_path / f"a_{k}.ome.tif",
            rng.integers(0, 9, (2, 8, 9)).astype(np.uint8),
            metadata={"axes": "CYX", "Channel": {"Name": ["DNA", "GFP"]}},
        )
    plate = cgc.read_plate(tmp_path, r"(?P<sample>\w)_(?P<field>\d)\.ome\.tif$")
    assert plate.channels == ("DNA", "GFP")
    deep = rng.integers(0, 9, (2, 3, 8, 9)).astype(np.uint8)
    tifffile.imwrite(tmp_path / "deep_0.ome.tif", deep, metadata={"axes": "CZYX"})
    with pytest.raises(FileFormatError, match="one plane and one frame a field"):
        cgc.read_plate(tmp_path, r"(?P<sample>deep)_(?P<field>\d)\.ome\.tif$")
    colour = rng.integers(0, 9, (8, 9, 3)).astype(np.uint8)
    tifffile.imwrite(tmp_path / "rgb_0.tif", colour, photometric="rgb")
    plate = cgc.read_plate(tmp_path, r"(?P<sample>rgb)_(?P<field>\d)\.tif$")
    np.testing.assert_array_equal(plate.image(0), np.moveaxis(colour, -1, 0))


def test_a_zarr_is_one_file(tmp_path, rng):
    import zarr

    pixels = rng.integers(0, 9, (2, 8, 9)).astype(np.uint16)
    zarr.open_group(str(tmp_path / "A01_0.zarr"), mode="w").create_array("0", data=pixels)
    group = zarr.open_group(str(tmp_path / "A01_0.zarr"))
    axes = [{"name": a, "type": "channel" if a == "c" else "space"} for a in "cyx"]
    group.attrs["multiscales"] = [{"axes": axes, "datasets": [{"path": "0"}]}]
    plate = cgc.read_plate(tmp_path, r"(?P<well>A\d\d)_(?P<field>\d)")
    assert len(plate) == 1
    np.testing.assert_array_equal(plate.image(0), pixels)


def test_gaps_doubles_and_bad_patterns_are_named(folder):
    with pytest.raises(MissingFileError, match="files like"):
        cgc.read_plate(folder, r"(?P<well>Z)")
    with pytest.raises(OptionError, match="a regular expression"):
        cgc.read_plate(folder, "(?P<well>")
    with pytest.raises(OptionError, match="a group `sample` or `well`"):
        cgc.read_plate(folder, r"(?P<field>\d)")
    with pytest.raises(FileFormatError, match="one file a field and channel"):
        cgc.read_plate(folder, r"(?P<well>[A-H]\d\d)_")
    (folder / "A01" / "A01_s1_GFP.tif").unlink()
    with pytest.raises(MissingFileError, match=r"channels DNA, GFP, found no GFP"):
        cgc.read_plate(folder, PATTERN)


def test_bbbc018(tmp_path, rng):
    for first in (733, 3997):
        for number in range(first, first + 4):
            for channel in ("DNA", "actin", "pH3"):
                picture = Image.fromarray(rng.integers(0, 255, (16, 16)).astype(np.uint8))
                picture.save(tmp_path / f"{number:05d}-{channel}.DIB")
    plate = cgc.datasets.bbbc018(tmp_path)
    assert sorted(set(plate.table["sample"])) == ["00733", "03997"]
    assert plate.table["field"].tolist() == ["0", "1", "2", "3"] * 2
    assert plate.image(5).shape == (3, 16, 16)
    for channel in ("DNA", "actin", "pH3"):
        (tmp_path / f"00735-{channel}.DIB").unlink()
    with pytest.raises(FileFormatError, match="4 fields with consecutive numbers a sample, found 3 of 00733"):
        cgc.datasets.bbbc018(tmp_path)


def png(width, height, pixels):
    """Return a PNG that says it has so many pixels."""

    def chunk(name, data):
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    parts = [chunk(b"IHDR", header), chunk(b"IDAT", zlib.compress(pixels)), chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


@pytest.mark.parametrize(
    ("name", "content", "text"),
    [
        ("A01_1.png", png(50_000, 50_000, b""), r"2500000000 pixels\) exceeds limit of \d+"),
        ("A01_1.png", png(500, 500, b"\0" * 99), "truncated"),
        ("A01_1.jpg", b"\xff\xd8\xff\xe0 no more", "Truncated"),
        ("A01_1.png", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "UnidentifiedImageError"),
    ],
)
def test_pictures_that_lie_are_named(name, content, text, tmp_path):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(FileFormatError, match=f"an image at '.*{name}', found .*{text}"):
        cgc.read_plate(tmp_path, r"(?P<well>A\d\d)_(?P<field>\d)")


def test_a_layout_that_is_no_table_is_named(folder):
    (folder / "layout.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(FileFormatError, match=r"a table \(.csv\) at .*layout.csv"):
        cgc.read_plate(folder, PATTERN, layout=folder / "layout.csv")


def test_columns_that_some_fields_lack_give_no_warning_of_pandas():
    plate = cgc.datasets.phenotype_plate(3, 2, side=64, random_state=0)
    n = len(plate)
    table = plate.table.assign(note=[None] * (n - 1) + ["x"], dose=[np.nan] * (n - 1) + [1.0])
    given = [plate.image(i) for i in range(n)], [plate.labels(i) for i in range(n)]
    with warnings.catch_warnings():
        warnings.simplefilter("error", FutureWarning)
        adata = cgc.from_plate(cgc.Plate.build(table, given[0], labels=given[1]))
    last = adata.obs["line"] == n - 1
    assert (adata.obs["note"][last] == "x").all()
    assert (adata.obs["note"][~last] == "unassigned").all()
