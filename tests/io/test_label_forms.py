"""The one door for labels: whatever form they come in, every function gives the same, in the same unit."""

import h5py
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import tifffile
import zarr

import cellgraph_clr as cgc
from cellgraph_clr._core.errors import FileFormatError, LabelImageError, MissingKeyError, OptionError, ShapeError
from cellgraph_clr.cells.label_image import LabelImage
from cellgraph_clr.io.labels import as_label_image, open_labels

SPACING = {2: (0.5, 0.25), 3: (2.0, 0.5, 0.25)}


@pytest.fixture(scope="module", params=[2, 3], ids=["2D", "3D"])
def cells(request):
    """Labels and two channels of 27 blocks, a pixel of background between those of a row."""
    d = request.param
    labels = np.zeros((9, 24, 28)[-d:], np.uint16)
    for i, at in enumerate(np.ndindex(*(3,) * d)):
        sides = [n // 3 for n in labels.shape]
        labels[
            tuple(slice(k * s, (k + 1) * s - (a == d - 1)) for a, (k, s) in enumerate(zip(at, sides, strict=True)))
        ] = i + 4
    light = np.random.default_rng(0).random((2, *labels.shape)).astype(np.float32)
    return labels, light


def in_all_forms(array, folder, name):
    """Yield the forms that a person may hold an array in."""
    yield "NumPy", array
    yield "list of rows", array.tolist()
    np.save(folder / f"{name}.npy", array)
    yield "npy", folder / f"{name}.npy"
    tifffile.imwrite(folder / f"{name}.tif", array, photometric="minisblack")
    yield "tif", str(folder / f"{name}.tif")
    chunks = tuple(min(7, n) for n in array.shape)
    yield "Zarr", zarr.create_array(str(folder / f"{name}.zarr"), data=array, chunks=chunks)
    with h5py.File(folder / f"{name}.h5", "w") as made:
        made.create_dataset("whole", data=array)
        made.create_dataset("chunks", data=array, chunks=chunks)
    stored = h5py.File(folder / f"{name}.h5")
    yield "HDF5 in one piece", stored["whole"]
    yield "HDF5 in chunks", stored["chunks"]
    yield "dask", pytest.importorskip("dask.array").from_array(array, chunks=chunks)
    xarray = pytest.importorskip("xarray")
    yield "xarray", xarray.DataArray(array, dims=tuple("czyx"[4 - array.ndim :]))
    yield "xarray of dask", xarray.DataArray(pytest.importorskip("dask.array").from_array(array, chunks=chunks))
    yield "memory map", np.load(folder / f"{name}.npy", mmap_mode="r")


def uses(labels, adata):
    """Yield what every function that takes labels makes of them."""
    d = adata.obsm["spatial"].shape[1]
    yield "contact_graph", cgc.gr.contact_graph(adata, labels, max_gap=0.3, copy=True).contact_area.toarray()
    near = cgc.gr.radius_graph(adata, radius=0.6, distance="surface", labels=labels, copy=True)
    yield "radius_graph", near.distances.toarray()
    yield "surface_distances", cgc.gr.surface_distances(adata, labels, copy=True).toarray()
    yield "label_qc", cgc.im.label_qc(labels, adata=adata.copy()).to_numpy(float)
    image = as_label_image(labels, spacing=SPACING[d], unit="um")
    yield "sample_surfaces", cgc.im.sample_surfaces(image, n_points=8).points
    yield "extract_patches", cgc.im.extract_patches(image, crop_px=6).mask
    layer, options, _ = cgc.to_napari(adata, labels)
    yield "to_napari", np.concatenate([np.asarray(layer).ravel(), options["scale"], options["translate"]])
    yield "validate", np.array(cgc.validate(adata, labels))
    bar = cgc.pl.feature_range(adata, labels, [adata.var_names[0]])[0, 0].artists[0]
    yield "feature_range", np.array(bar.txt_label.get_text())
    yield "spatial", np.asarray(cgc.pl.spatial(adata, labels=labels).images[-1].get_array())
    plt.close("all")


def test_every_function_takes_every_form(cells, tmp_path):
    labels, light = cells
    adata = cgc.from_labels(labels, spacing=SPACING[labels.ndim], unit="um")
    cgc.gr.contact_graph(adata, labels, max_gap=0.3)
    wanted = None
    for form, given in in_all_forms(labels, tmp_path, "labels"):
        given = np.array(given, np.uint16) if form == "list of rows" else given
        found = dict(uses(given, adata))
        wanted = wanted or found
        for name, value in found.items():
            np.testing.assert_array_equal(value, wanted[name], err_msg=f"{name} of {form}")


def test_features_are_the_same_in_every_form(cells, tmp_path):
    labels, light = cells
    wanted = cgc.from_labels(labels, light, spacing=SPACING[labels.ndim], unit="um").X
    images = dict(in_all_forms(light, tmp_path, "image"))
    for form, given in in_all_forms(labels, tmp_path, "labels"):
        if form == "list of rows":
            continue
        found = cgc.from_labels(given, images[form], spacing=SPACING[labels.ndim], unit="um")
        np.testing.assert_allclose(found.X, wanted, rtol=1e-5, err_msg=form)


def test_names_and_scale_come_by_both_doors(tmp_path, cells):
    labels, light = cells
    d = labels.ndim
    axes, sizes = "CZYX" if d == 3 else "CYX", dict(zip("ZYX"[3 - d :], SPACING[d], strict=True))
    metadata = {"axes": axes, "Channel": {"Name": ["DAPI", "CD3"]}}
    metadata |= {f"PhysicalSize{a}": s for a, s in sizes.items()} | {f"PhysicalSize{a}Unit": "µm" for a in sizes}
    tifffile.imwrite(tmp_path / "i.ome.tif", light, metadata=metadata)
    np.save(tmp_path / "l.npy", labels)
    one = cgc.from_labels(tmp_path / "l.npy", tmp_path / "i.ome.tif")  # the scale of the image, as the labels have none
    other = cgc.from_labels(cgc.read_labels(tmp_path / "l.npy", tmp_path / "i.ome.tif"))
    named = cgc.from_labels(labels, light, spacing=SPACING[d], unit="um", channels=["DAPI", "CD3"])
    for adata in (one, other):
        assert list(adata.var_names) == list(named.var_names)
        assert list(adata.var["unit"]) == list(named.var["unit"])
        np.testing.assert_allclose(adata.X, named.X, rtol=1e-5)
        np.testing.assert_allclose(adata.obsm["spatial"], named.obsm["spatial"])
    tifffile.imwrite(tmp_path / "l.ome.tif", labels, metadata={**metadata, "axes": axes[1:], "PhysicalSizeX": 9.0})
    with pytest.warns(
        UserWarning,
        match=r"The labels have a spacing of .* x 9 micrometer, the image .* x 0.25 micrometer: that of the labels",
    ):
        both = cgc.read_labels(tmp_path / "l.ome.tif", tmp_path / "i.ome.tif")
    assert both.spacing[-1] == 9.0


def test_units_convert(tmp_path):
    labels = np.pad(np.ones((4, 4), np.uint8), 3)
    size = {f"PhysicalSize{a}": 0.5 for a in "YX"}
    tifffile.imwrite(tmp_path / "l.ome.tif", labels, metadata={"axes": "YX", **size})
    path = tmp_path / "l.ome.tif"
    assert open_labels(path).spacing == (0.5, 0.5)
    assert open_labels(path, unit="nm").spacing == pytest.approx((500, 500))
    assert open_labels(path, spacing=0.4).unit == "micrometer"  # the unit of the file
    assert open_labels(path, spacing=(0.4, 0.2), unit="mm").unit == "millimeter"
    micro, nano = (cgc.from_labels(path, unit=u) for u in ("um", "nanometer"))
    for name in micro.var_names:
        power = {"micrometer": 1, "micrometer^2": 2, "1": 0}[micro.var.loc[name, "unit"]]
        assert nano[:, name].X[0, 0] == pytest.approx(micro[:, name].X[0, 0] * 1000.0**power)
    assert as_label_image(cgc.read_labels(path), unit="nm").spacing == pytest.approx((500, 500))
    assert cgc.LabelImage(labels, 0.5, "µm").spacing == (0.5, 0.5)
    with pytest.raises(OptionError, match="from 'micrometer' to 'pixel'"):
        open_labels(path, unit="pixel")
    with pytest.raises(OptionError, match="`spacing` beside `unit='um'`, found none"):
        open_labels(labels, unit="um")


def test_axes_of_ome_zarr_may_have_units_of_their_own(tmp_path):
    def made(name, units):
        group = zarr.open_group(str(tmp_path / name), mode="w")
        group.create_array("0", data=np.pad(np.ones((2, 2, 2), np.uint8), 2), chunks=(4, 4, 4))
        axes = [{"name": a, "type": "space", **({"unit": u} if u else {})} for a, u in zip("zyx", units, strict=True)]
        scale = [
            {"type": "scale", "scale": [40, 0.008, 0.008]},
            {"type": "translation", "translation": [400, 0.08, 0.0]},
        ]
        datasets = [{"path": "0", "coordinateTransformations": scale}]
        group.attrs["multiscales"] = [{"axes": axes, "datasets": datasets}]
        return tmp_path / name

    image = cgc.read_labels(made("a.zarr", ("nanometer", "micrometer", "micrometer")))
    assert image.unit == "micrometer"
    assert image.spacing == pytest.approx((0.04, 0.008, 0.008))
    assert image.origin == pytest.approx((0.4, 0.08, 0.0))
    nano = cgc.read_labels(tmp_path / "a.zarr", unit="nm")
    assert nano.spacing == pytest.approx((40, 8, 8))
    assert nano.origin == pytest.approx((400, 80, 0))
    with pytest.raises(FileFormatError, match=r"b.zarr.*'parsec'"):
        cgc.read_labels(made("b.zarr", ("parsec", "micrometer", "micrometer")))


def test_cells_remember_the_scale_of_their_labels(cells, tmp_path):
    labels, _ = cells
    d = labels.ndim
    origin = (5.0, -3.0, 8.0)[:d]
    image = LabelImage.build(labels, spacing=SPACING[d], unit="um", origin=origin)
    adata = cgc.from_labels(image)
    wanted = cgc.gr.contact_graph(adata, image, max_gap=0.3, copy=True).contact_area
    cgc.write(adata, tmp_path / "a.h5ad")
    many = cgc.concat({"a": cgc.read(tmp_path / "a.h5ad"), "b": adata})
    for cells_of, given in (
        (cgc.read(tmp_path / "a.h5ad"), labels),
        (adata, LabelImage.build(labels)),
        (adata, LabelImage.build(labels, spacing=[s * 1000 for s in SPACING[d]], unit="nm")),
        (many[many.obs["library_id"] == "b"].copy(), labels),
    ):
        found = cgc.gr.contact_graph(cells_of, given, max_gap=0.3, copy=True).contact_area
        np.testing.assert_allclose(found.toarray(), wanted.toarray(), rtol=1e-6)
    both = cgc.gr.contact_graph(many, {"a": labels, "b": labels}, max_gap=0.3, copy=True)
    assert both.contact_area.nnz == 2 * wanted.nnz
    assert cgc.to_napari(adata, labels)[1]["translate"] == list(origin)
    twice = LabelImage.build(labels, spacing=[2 * s for s in SPACING[d]], unit="um")
    with pytest.raises(OptionError, match=r"labels of 'b' with a spacing of .* µm, as the cells have, found"):
        cgc.gr.contact_graph(many, {"a": labels, "b": twice}, max_gap=0.3)
    moved = LabelImage.build(labels, spacing=SPACING[d], unit="um", origin=[o + 1 for o in origin])
    with pytest.raises(OptionError, match="labels that begin at"):
        cgc.gr.contact_graph(adata, moved)
    with pytest.raises(OptionError, match="labels in micrometer, as the positions of the cells, found labels in pixel"):
        cgc.gr.contact_graph(adata, LabelImage.build(labels, spacing=SPACING[d]))
    with pytest.raises(MissingKeyError, match="a label image for each of 2 samples, found a single one for a, b"):
        cgc.gr.contact_graph(many, labels)


def test_nuclei_lie_on_the_grid_of_their_cells(cells):
    labels, _ = cells
    d = labels.ndim
    nuclei = np.where(labels % 2, labels, 0)
    known = LabelImage.build(nuclei, spacing=[1000 * s for s in SPACING[d]], unit="nm")
    plain, scaled = (cgc.from_labels(labels, spacing=SPACING[d], unit="um", nuclei=n) for n in (nuclei, known))
    np.testing.assert_array_equal(plain.X, scaled.X)
    with pytest.raises(OptionError, match="nuclei with a spacing of"):
        cgc.from_labels(labels, spacing=SPACING[d], unit="um", nuclei=LabelImage.build(nuclei, spacing=5, unit="nm"))
    with pytest.raises(ShapeError, match="nuclei of the shape of the cells"):
        cgc.from_labels(labels, spacing=SPACING[d], nuclei=nuclei[:-1])


def test_names_of_channels_of_an_xarray(cells):
    xarray = pytest.importorskip("xarray")
    labels, light = cells
    dims = tuple("czyx"[3 - labels.ndim + 1 :]) if labels.ndim == 2 else tuple("czyx")
    dims = ("c", *"zyx"[3 - labels.ndim :])
    image = xarray.DataArray(light, dims=dims, coords={"c": ["DAPI", "CD3"]})
    adata = cgc.from_labels(labels, image, spacing=1)
    assert {"DAPI_mean", "CD3_mean"} <= set(adata.var_names)


def test_what_is_no_image_is_named(tissue_2d):
    adata, movie = tissue_2d.adata(), cgc.datasets.movie(4, 2, random_state=0)
    for wrong, text in ((adata, "found AnnData. Pass an array"), ({"a": 1}, "found dict"), (movie, "cgc.from_movie")):
        with pytest.raises(LabelImageError, match=f"labels or an image, found .*{text.removeprefix('found ')}"):
            cgc.from_labels(wrong)
        with pytest.raises(LabelImageError, match="labels or an image"):
            cgc.im.label_qc(wrong)
    cells = cgc.from_movie(movie)
    assert cells.obs["frame"].nunique() == 2
    with pytest.warns(UserWarning, match="1 pixel is assumed") as said:
        cgc.from_labels(np.asarray(movie.labels[0]))
    assert said[0].filename == __file__


def test_axes_of_an_xarray_go_by_name():
    xarray = pytest.importorskip("xarray")
    labels = np.zeros((6, 9), np.int32)
    labels[1:3, 2:8] = 4
    turned = xarray.DataArray(labels.T, dims=("x", "y"))
    light = xarray.DataArray(np.stack([labels.T] * 2, -1) * 2.0, dims=("x", "y", "c"), coords={"c": ["A", "B"]})
    found = cgc.from_labels(turned, light, spacing=(0.5, 0.25), unit="um")
    wanted = cgc.from_labels(labels, np.stack([labels] * 2) * 2.0, spacing=(0.5, 0.25), unit="um", channels=["A", "B"])
    np.testing.assert_array_equal(found.X, wanted.X)
    np.testing.assert_array_equal(found.obsm["spatial"], wanted.obsm["spatial"])


def test_places_convert_with_their_own_unit(tmp_path):
    labels = np.pad(np.ones((4, 4), np.uint8), 3)
    image = LabelImage.build(labels, spacing=0.5, unit="um", origin=(10, 20))
    assert as_label_image(image, spacing=500, unit="nm").origin == pytest.approx((10_000, 20_000))
    size = {f"PhysicalSize{a}": 0.5 for a in "YX"}
    tifffile.imwrite(tmp_path / "i.ome.tif", labels * 3, metadata={"axes": "YX", **size})
    plain = LabelImage.build(labels)
    assert as_label_image(plain, tmp_path / "i.ome.tif").spacing == (0.5, 0.5)  # the image knows
    with pytest.raises(OptionError, match="nuclei that begin at"):
        cgc.from_labels(image, nuclei=LabelImage.build(labels, spacing=0.5, unit="um", origin=(50, 50)))


@pytest.mark.parametrize("make", ["LabelImage", "Movie", "plate"])
def test_a_unit_alone_is_no_scale(make):
    frames = np.ones((2, 8, 8), np.uint8)
    with pytest.raises(OptionError, match="`spacing` beside `unit='um'`"):
        if make == "LabelImage":
            LabelImage.build(frames[0], unit="um")
        elif make == "Movie":
            cgc.Movie.build(frames, frames, unit="um")
        else:
            table = pd.DataFrame({"sample": ["a", "b"]})
            plate = cgc.Plate.build(table, [f[None] for f in frames], labels=frames)
            cgc.from_plate(plate, unit="um")


def test_frames_and_masks_that_differ_are_warned_of(tmp_path):
    frames = np.ones((2, 8, 8), np.uint16)
    for name, step in (("raw", 0.5), ("masks", 7.0)):
        metadata = {"axes": "TYX", "PhysicalSizeX": step, "PhysicalSizeY": step}
        tifffile.imwrite(tmp_path / f"{name}.ome.tif", frames, metadata=metadata)
    with pytest.warns(UserWarning, match=r"a spacing of 7 x 7 micrometer, the image 0.5 x 0.5 micrometer"):
        cgc.read_movie(tmp_path / "raw.ome.tif", tmp_path / "masks.ome.tif")
    assert cgc.read_movie(frames, frames).spacing == (1.0, 1.0)
