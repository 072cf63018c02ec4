"""Reading label images: formats, metadata, axes, and files that are none."""

import json

import numpy as np
import pytest
import tifffile
import zarr

from cellgraph_clr import read_labels
from cellgraph_clr._core.errors import FileFormatError, LabelImageError, MissingFileError

LABELS = np.zeros((4, 6, 8), np.uint16)
LABELS[1:3, 1:3, 1:4], LABELS[1:3, 3:5, 5:7] = 7, 300


def imagej(path):
    tifffile.imwrite(
        path, LABELS, imagej=True, resolution=(4.0, 5.0), metadata={"spacing": 2.0, "unit": "um", "axes": "ZYX"}
    )


def ome(path):
    sizes = {f"PhysicalSize{a}": s for a, s in zip("ZYX", (2.0, 0.2, 0.25), strict=True)}
    tifffile.imwrite(path, LABELS, ome=True, metadata={"axes": "ZYX", **sizes})


def shaped(path):
    tifffile.imwrite(
        path, LABELS, photometric="minisblack", metadata={"axes": "ZYX", "spacing": [2.0, 0.2, 0.25], "unit": "um"}
    )


def ome_zarr(path, version="0.5"):
    group = zarr.open_group(path, mode="w", zarr_format=3 if version == "0.5" else 2)
    group.create_array("0", data=LABELS)
    axes = [{"name": a, "type": "space", "unit": "micrometer"} for a in "zyx"]
    transforms = [{"type": "scale", "scale": [2.0, 0.2, 0.25]}]
    scales = [{"axes": axes, "datasets": [{"path": "0", "coordinateTransformations": transforms}], "version": version}]
    group.attrs.update({"ome": {"multiscales": scales}} if version == "0.5" else {"multiscales": scales})


WRITERS = {
    "a.tif": imagej,
    "b.ome.tif": ome,
    "c.tiff": shaped,
    "d.ome.zarr": ome_zarr,
    "e.zarr": lambda p: ome_zarr(p, "0.4"),
}


@pytest.mark.parametrize("name", WRITERS)
def test_spacing_and_unit_come_from_the_metadata(tmp_path, name):
    WRITERS[name](tmp_path / name)
    image = read_labels(tmp_path / name)
    np.testing.assert_array_equal(image.labels, LABELS)
    np.testing.assert_allclose(image.spacing, (2.0, 0.2, 0.25))
    assert image.unit == "micrometer"


def test_spacing_given_overrides_and_missing_spacing_warns(tmp_path):
    np.save(tmp_path / "l.npy", LABELS)
    assert read_labels(tmp_path / "l.npy", spacing=(3, 2, 1), unit="nanometer").spacing == (3, 2, 1)
    with pytest.warns(UserWarning, match="1 pixel is assumed"):
        image = read_labels(tmp_path / "l.npy")
    assert (image.spacing, image.unit) == ((1, 1, 1), "pixel")


def test_channels_come_first_whatever_the_file_says(tmp_path, rng):
    light = rng.integers(0, 255, (6, 8, 3)).astype(np.uint8)
    tifffile.imwrite(tmp_path / "rgb.tif", light, photometric="rgb")
    np.save(tmp_path / "l.npy", LABELS[1])
    image = read_labels(tmp_path / "l.npy", tmp_path / "rgb.tif", spacing=(1, 1), channels=["r", "g", "b"])
    np.testing.assert_array_equal(image.image, np.moveaxis(light, 2, 0))
    assert image.channels == ("r", "g", "b")


def test_bad_files_are_named(tmp_path):
    with pytest.raises(MissingFileError, match=r"found nothing there \(folder .* holds none\)"):
        read_labels(tmp_path / "none.tif")
    shaped(tmp_path / "cut.tif")
    (tmp_path / "cut.tif").write_bytes((tmp_path / "cut.tif").read_bytes()[:300])
    with pytest.raises(FileFormatError, match="a readable TIFF"):
        read_labels(tmp_path / "cut.tif")
    np.save(tmp_path / "x_seg.npy", np.array({"masks": LABELS}, dtype=object), allow_pickle=True)
    with pytest.raises(FileFormatError, match="Cellpose `_seg.npy` holds pickled Python objects"):
        read_labels(tmp_path / "x_seg.npy")
    (tmp_path / "a.png").write_bytes(b"")
    with pytest.raises(FileFormatError, match=r"\.tif, \.tiff, \.npy or \.zarr path, found 'a.png'"):
        read_labels(tmp_path / "a.png")
    tifffile.imwrite(tmp_path / "float.tif", LABELS[1].astype(np.float32))
    with pytest.raises(LabelImageError, match="integer labels, found dtype float32"):
        read_labels(tmp_path / "float.tif", spacing=(1, 1))
    tifffile.imwrite(tmp_path / "movie.tif", LABELS, photometric="minisblack", metadata={"axes": "TYX"})
    with pytest.raises(LabelImageError, match="axis 'T' of length 4"):
        read_labels(tmp_path / "movie.tif")
    ome_zarr(tmp_path / "gone.zarr")
    group = zarr.open_group(tmp_path / "gone.zarr", mode="a")
    group.attrs["ome"] = json.loads(json.dumps(group.attrs["ome"]).replace('"path": "0"', '"path": "9"'))
    with pytest.raises(FileFormatError, match="resolution level 0"):
        read_labels(tmp_path / "gone.zarr")
