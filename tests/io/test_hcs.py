"""Plates in one file: OME-Zarr with masks, OME-TIFF with wells in its metadata, and files that hold none."""

import json
import re
import shutil

import numpy as np
import pytest
import tifffile
import zarr

import cellgraph_clr as cgc
from cellgraph_clr._core.errors import FileFormatError, MissingKeyError


def _image(group, pixels, axes):
    group.create_array("0", data=pixels)
    named = [{"name": a, "type": "channel" if a == "c" else "space"} for a in axes]
    scales = [{"version": "0.4", "axes": named, "datasets": [{"path": "0"}]}]
    group.attrs.update({"multiscales": scales, "omero": {"channels": [{"label": "DNA"}, {"label": "GFP"}]}})


@pytest.fixture
def ngff(tmp_path, rng):
    root = zarr.open_group(str(tmp_path / "p.zarr"), mode="w", zarr_format=2)
    wells = ["A/1", "B/12"]
    root.attrs["plate"] = {"wells": [{"path": w} for w in wells], "version": "0.4"}
    pixels = {}
    for well in wells:
        group = root.create_group(well)
        group.attrs["well"] = {"images": [{"path": "0", "acquisition": 1}, {"path": "1", "acquisition": 2}]}
        for field in ("0", "1"):
            pixels[well, field] = rng.integers(0, 99, (2, 1, 8, 9)).astype(np.uint16)
            image = group.create_group(field)
            _image(image, pixels[well, field], "czyx")
            _image(image.create_group("labels/cells"), pixels[well, field][0, 0].astype(np.int32), "yx")
    return tmp_path / "p.zarr", pixels


def test_an_ome_zarr_plate(ngff):
    path, pixels = ngff
    plate = cgc.read_plate(path, labels="cells")
    assert repr(plate) == "<Plate of 2 samples, 2 wells, 4 fields, channels DNA, GFP>"
    assert plate.table["well"].tolist() == ["A1", "A1", "B12", "B12"]
    assert plate.table["acquisition"].tolist() == ["1", "2", "1", "2"]
    np.testing.assert_array_equal(plate.image(3), pixels["B/12", "1"][:, 0])
    np.testing.assert_array_equal(plate.labels(2), pixels["B/12", "0"][0, 0])
    with pytest.raises(MissingKeyError, match="'nuclei' in `the labels of the first field`"):
        cgc.read_plate(path, labels="nuclei")
    with pytest.raises(FileFormatError, match="an OME-Zarr plate at .* found no plate in its attributes"):
        cgc.read_plate(path / "A" / "1")
    attributes = json.loads((path / ".zattrs").read_text())
    attributes["plate"]["wells"].append({"path": "C/3"})
    (path / ".zattrs").write_text(json.dumps(attributes))
    with pytest.raises(FileFormatError, match="a whole OME-Zarr plate"):
        cgc.read_plate(path)


def test_an_ome_tiff_plate(tmp_path, rng):
    path = tmp_path / "plate.ome.tif"
    pixels = rng.integers(0, 99, (3, 2, 8, 9)).astype(np.uint8)
    with tifffile.TiffWriter(path, ome=True) as file:
        for image in pixels:
            file.write(image, metadata={"axes": "CYX", "Channel": {"Name": ["DNA", "GFP"]}}, photometric="minisblack")
    text = tifffile.tiffcomment(path)
    ids = [f"Image:{i}" for i in range(3)]
    assert all(f'ID="{i}"' in text for i in ids)
    sample = '<WellSample ID="WellSample:0:{0}" Index="0"><ImageRef ID="{1}"/></WellSample>'
    wells = (
        f'<Well ID="Well:0:0" Row="0" Column="0">{sample.format(0, ids[2])}{sample.format(1, ids[0])}</Well>'
        f'<Well ID="Well:0:1" Row="27" Column="9">{sample.format(2, ids[1])}</Well>'
    )
    whole = text.replace("</OME>", f'<Plate ID="Plate:0">{wells}</Plate></OME>')
    tifffile.tiffcomment(path, whole.encode())
    plate = cgc.read_plate(path)
    assert plate.table["well"].tolist() == ["A1", "A1", "AB10"]
    assert plate.table["field"].tolist() == ["0", "1", "0"]
    assert plate.channels == ("DNA", "GFP")
    for line, series in enumerate((2, 0, 1)):
        np.testing.assert_array_equal(plate.image(line), pixels[series])
    with pytest.raises(FileFormatError, match="an OME-Zarr plate, for `labels`"):
        cgc.read_plate(path, labels="cells")
    tifffile.imwrite(tmp_path / "plain.tif", pixels[0])
    with pytest.raises(FileFormatError, match="OME-TIFF with a plate"):
        cgc.read_plate(tmp_path / "plain.tif")


def with_attributes(path, change):
    attributes = json.loads((path / ".zattrs").read_text())
    change(attributes)
    (path / ".zattrs").write_text(json.dumps(attributes))


NAMED = [(what, kind) for what in ("well", "image", "level") for kind in ("parents", "absolute", "link")]


@pytest.mark.parametrize(("what", "kind"), [*NAMED, ("labels", "link")])
def test_a_plate_stays_in_its_folder(what, kind, ngff, tmp_path):
    path, pixels = ngff
    secret = tmp_path / "secret.zarr"
    shutil.copytree(path / "A" / "1", secret)
    inner = {"well": "A/1", "image": "A/1/0", "level": "A/1/0/0", "labels": "A/1/0/labels/cells"}[what]
    outer = secret if what == "well" else secret.joinpath(*inner.split("/")[2:])
    name = str(outer) if kind == "absolute" else f"../../../{outer.relative_to(tmp_path)}"
    if kind == "link":
        shutil.rmtree(path / inner)
        (path / inner).symlink_to(outer)
    elif what == "well":
        with_attributes(path, lambda a: a["plate"]["wells"][0].update(path=name))
    elif what == "image":
        with_attributes(path / "A" / "1", lambda a: a["well"]["images"][0].update(path=name))
    else:
        with_attributes(path / "A" / "1" / "0", lambda a: a["multiscales"][0]["datasets"][0].update(path=f"../{name}"))
    text = f"below the plate .*{re.escape(inner if kind == 'link' else name.lstrip('/'))}.*leads out of it"
    if what == "level" and kind != "link":  # refused by Zarr
        text = "a Zarr array or OME-Zarr at|resolution level 0"
    with pytest.raises(FileFormatError, match=text):
        plate = cgc.read_plate(path, labels="cells")
        plate.labels(0) if what == "labels" else plate.image(0)


def test_paths_are_names_below_the_plate_even_where_they_lead_back(ngff):
    path, _ = ngff
    for name in (str(path / "A" / "1"), "A/../A/1"):
        with_attributes(path, lambda a, name=name: a["plate"]["wells"][0].update(path=name))
        with pytest.raises(FileFormatError, match=f"'{name}', which leads out of it"):
            cgc.read_plate(path)


def test_links_inside_a_plate_are_followed(ngff):
    path, pixels = ngff
    shutil.rmtree(path / "A" / "1" / "0")
    (path / "A" / "1" / "0").symlink_to(path / "B" / "12" / "1")
    np.testing.assert_array_equal(cgc.read_plate(path).image(0), pixels["B/12", "1"][:, 0])


@pytest.mark.parametrize("plate", [{}, {"wells": 5}, {"wells": [5]}, {"wells": [{"path": 5}]}, {"wells": []}, []])
def test_metadata_of_plates_that_make_no_sense_are_named(plate, ngff):
    path, _ = ngff
    with_attributes(path, lambda a: a.update(plate=plate))
    with pytest.raises(FileFormatError, match="a whole OME-Zarr plate|fields in the plate"):
        cgc.read_plate(path)
