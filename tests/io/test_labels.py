"""Reading label images: formats, metadata, axes, and files that are none."""

import json

import numpy as np
import pytest
import tifffile
import zarr

from cellgraph_clr import from_labels, read_labels
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
    np.save(tmp_path / "x_seg.npy", np.array({"outlines": LABELS}, dtype=object), allow_pickle=True)
    with pytest.raises(FileFormatError, match=r"'masks' in the Cellpose file .* found the entries \['outlines'\]"):
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


def test_cellpose_files_give_their_masks(tmp_path):
    content = {"masks": LABELS, "filename": "a.tif", "flows": [np.zeros(3), None], "est_diam": np.float64(30.0)}
    np.save(tmp_path / "x_seg.npy", np.array(content, dtype=object), allow_pickle=True)
    np.testing.assert_array_equal(read_labels(tmp_path / "x_seg.npy", spacing=(1,) * LABELS.ndim).labels, LABELS)


class Danger:
    def __reduce__(self):
        return print, ("executed",)


def test_cellpose_files_cannot_run_code(tmp_path, capsys):
    content = {"masks": LABELS, "model": Danger()}
    np.save(tmp_path / "x_seg.npy", np.array(content, dtype=object), allow_pickle=True)
    with pytest.raises(FileFormatError, match=r"plain data .* \(builtins.print\)"):
        read_labels(tmp_path / "x_seg.npy", spacing=(1,) * LABELS.ndim)
    assert capsys.readouterr().out == ""


def write_ome_zarr(path, labels, *, axes="zyx", scale=(2.0, 0.5, 0.5), translation=None, levels=1):
    group = zarr.create_group(path)
    datasets = []
    for level in range(levels):
        step = (slice(None, None, 2**level),) * labels.ndim
        group.create_array(str(level), data=labels[step], chunks=(4,) * labels.ndim)
        transforms = [{"type": "scale", "scale": [s * 2**level for s in scale]}]
        if translation:
            transforms.append({"type": "translation", "translation": list(translation)})
        datasets.append({"path": str(level), "coordinateTransformations": transforms})
    units = [{"name": a, "type": "space", "unit": "micrometer"} for a in axes]
    group.attrs["ome"] = {"version": "0.5", "multiscales": [{"axes": units, "datasets": datasets}]}


@pytest.mark.filterwarnings("ignore:.*scattered in pieces")
def test_ome_zarr_stays_on_disk_and_keeps_its_place(tmp_path, rng):
    labels = rng.integers(0, 5, (8, 10, 12)).astype(np.uint32)
    write_ome_zarr(tmp_path / "a.zarr", labels, translation=(10.0, 20.0, 30.0), levels=2)
    image = read_labels(tmp_path / "a.zarr")
    assert not isinstance(image.labels, np.ndarray)
    assert image.origin == (10.0, 20.0, 30.0)
    here = from_labels(image)
    plain = from_labels(labels, spacing=(2.0, 0.5, 0.5))
    np.testing.assert_array_equal(here.X, plain.X)
    np.testing.assert_allclose(here.obsm["spatial"], plain.obsm["spatial"] + [30.0, 20.0, 10.0])
    coarse = read_labels(tmp_path / "a.zarr", level=1)
    assert coarse.spacing == (4.0, 1.0, 1.0)
    assert coarse.labels.shape == (4, 5, 6)
    with pytest.raises(FileFormatError, match="resolution level 2, found 2 in the metadata"):
        read_labels(tmp_path / "a.zarr", level=2)


@pytest.mark.filterwarnings("ignore:.*scattered in pieces")
def test_axes_of_length_one_are_dropped_without_reading(tmp_path, rng):
    labels = rng.integers(0, 5, (1, 1, 1, 10, 12)).astype(np.uint8)
    write_ome_zarr(tmp_path / "a.zarr", labels, axes="tczyx", scale=(1, 1, 1.0, 0.5, 0.5))
    write_ome_zarr(tmp_path / "b.zarr", labels[0] * 10, axes="czyx", scale=(1, 1.0, 0.5, 0.5))
    image = read_labels(tmp_path / "a.zarr", tmp_path / "b.zarr")
    assert image.labels.shape == (10, 12)
    assert not isinstance(image.labels, np.ndarray)
    here = from_labels(image)
    plain = from_labels(labels[0, 0, 0], labels[0, 0, 0] * 10, spacing=(0.5, 0.5))
    np.testing.assert_allclose(here.X, plain.X, rtol=1e-6)
    np.testing.assert_array_equal(np.asarray(image.labels), labels[0, 0, 0])


def test_large_npy_files_are_memory_mapped(tmp_path, monkeypatch):
    from cellgraph_clr.io import arrays as module

    monkeypatch.setattr(module, "BLOCK_BYTES", 10)
    np.save(tmp_path / "a.npy", LABELS)
    assert isinstance(read_labels(tmp_path / "a.npy", spacing=(1,) * LABELS.ndim).labels, np.memmap)
