"""Cells and graphs in place: on the image wherever it lies, one panel a sample, filled by masks, with a scale bar."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

import cellgraph_clr as cgc
from cellgraph_clr import gr, pl
from cellgraph_clr._core.errors import (
    FileFormatError,
    MissingFileError,
    MissingKeyError,
    NoGraphError,
    OptionError,
    ShapeError,
)
from cellgraph_clr.cells.label_image import LabelImage
from tests.pictures import check_picture, drawn_at


def boxes(spacing, origin=(), shape=(24, 20, 12)):
    """A volume or image of two bright cells in a dark corner each."""
    shape = shape[-len(spacing) :]
    labels = np.zeros(shape, np.int32)
    labels[tuple(slice(2, 6) for _ in shape)] = 5
    labels[tuple(slice(n - 6, n - 2) for n in shape)] = 9
    image = (labels > 0).astype(np.uint8) * 200
    return LabelImage.build(labels, image, spacing=spacing, unit="um", origin=origin)


def test_a_column_is_no_image(adata, tmp_path, monkeypatch):
    with pytest.raises(OptionError, match=r"'true_type', a column of obs. Did you mean `color='true_type'`\?"):
        pl.graph(adata, "true_type")
    with pytest.raises(OptionError, match=r"'area', a feature. Did you mean `color='area'`\?"):
        pl.spatial(adata, "true_type", "area")
    with pytest.raises(OptionError, match=r"a column of obs. Pass its pixels"):
        pl.retrieval(adata, None, "true_type")
    with pytest.raises(OptionError, match=r"Did you mean `groupby='true_type'`\?"):
        pl.cell_gallery(adata, np.ones((4, 4), int), "true_type")
    with pytest.raises(MissingFileError):
        pl.spatial(adata, "true_type", "nowhere.tif")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "true_type").write_text("a file")
    with pytest.raises(FileFormatError):
        pl.spatial(adata, "true_type", "true_type")


def test_pyplot_knows_the_figure(adata, tmp_path):
    ax = pl.spatial(adata, "true_type")
    assert plt.gcf() is ax.figure
    plt.savefig(tmp_path / "by_pyplot.png")
    check_picture(ax)
    from PIL import Image

    shown = np.asarray(Image.open(tmp_path / "by_pyplot.png").convert("L"))
    assert (shown < 250).mean() > 0.02
    _, axes = plt.subplots(1, 2)
    assert pl.spatial(adata, "area", ax=axes[1]) is axes[1]


@pytest.mark.parametrize(("projection", "axes"), [("xy", (1, 2)), ("xz", (0, 2)), ("yz", (0, 1))])
@pytest.mark.parametrize("origin", [(), (300.0, -40.0, 7.0)])
def test_an_image_lies_under_its_cells(projection, axes, origin):
    picture = boxes((4.0, 2.0, 0.5), origin)
    adata = cgc.from_labels(picture)
    plane = np.asarray(picture.image)[0].max(axis=next(a for a in range(3) if a not in axes))
    ax = pl.spatial(adata, None, plane, projection=projection)
    check_picture(ax)
    left, right, bottom, top = ax.images[0].get_extent()
    step = np.array(picture.spacing)[list(axes)]
    start = np.array(origin or (0, 0, 0))[list(axes)]
    np.testing.assert_allclose([top, bottom], start[0] + step[0] * np.array([-0.5, plane.shape[0] - 0.5]))
    np.testing.assert_allclose([left, right], start[1] + step[1] * np.array([-0.5, plane.shape[1] - 0.5]))
    at = adata.obsm["spatial"][:, ["xyz".index(a) for a in projection]]
    for x, y in at:  # just beside the dot, inside the cell
        assert drawn_at(ax, x + step[1] * 1.2, y + step[0] * 1.2).min() > 200
    assert drawn_at(ax, *(at.mean(axis=0))).max() < 60


@pytest.mark.parametrize("spacing", [(3.0, 1.5), (4.0, 2.0, 0.5)])
def test_masks_are_filled_where_cells_are(spacing):
    picture = boxes(spacing, (10.0, 20.0, 30.0)[: len(spacing)])
    adata = cgc.from_labels(picture)
    adata.obs["kind"] = pd.Categorical(["left", "right"])
    adata = adata[::-1].copy()  # rows are not in the order of the ids
    kinds = {"left": "#ff0000", "right": "#0000ff"}
    for row in range(2):
        slab = None if len(spacing) == 2 else (adata.obsm["spatial"][row, 2] - 1, adata.obsm["spatial"][row, 2] + 1)
        ax = pl.spatial(adata, "kind", labels=np.asarray(picture.labels), palette=kinds, slab=slab)
        check_picture(ax)
        color = drawn_at(ax, *adata.obsm["spatial"][row, :2])
        red = 0 if adata.obs["kind"].iloc[row] == "left" else 2
        assert color[red] > 240
        assert color[2 - red] < 20
        assert drawn_at(ax, *adata.obsm["spatial"][:, :2].mean(axis=0)).min() > 250  # background stays


def test_graphs_are_drawn_whole_with_and_without_an_image(adata, tissue_2d, tmp_path):
    ax = pl.graph(adata, color="true_type", save=tmp_path / "g.png")
    check_picture(ax)
    assert len(ax.collections[0].get_segments()) == adata.obsp["spatial_connectivities"].nnz // 2
    assert ax.yaxis_inverted()
    assert (tmp_path / "g.png").stat().st_size > 1000
    check_picture(pl.graph(adata, tissue_2d.image.image[0], labels=tissue_2d.image))


def test_slabs_select_cells_in_3d(tissue_3d):
    adata = tissue_3d.adata()
    ax = pl.spatial(adata, "true_type", projection="xz", slab=(0, 20))
    check_picture(ax)
    assert sum(len(c.get_offsets()) for c in ax.collections) == (adata.obsm["spatial"][:, 1] <= 20).sum()
    with pytest.raises(OptionError, match="'xy', 'xz', 'yz', found 'zx'"):
        pl.spatial(adata, "true_type", projection="zx")


def test_every_sample_has_a_panel_of_its_own(adata):
    both = cgc.concat({"a": adata, "b": adata[:60].copy()})
    axes = pl.spatial(both, ["true_type", "area"])
    assert [ax.get_title() for ax in axes] == ["true_type, a", "true_type, b", "area, a", "area, b"]
    check_picture(axes)
    n = [sum(len(c.get_offsets()) for c in ax.collections) for ax in axes]
    assert n == [adata.n_obs, 60] * 2
    one = pl.spatial(both, "area", library_id="b")
    assert len(one.collections[0].get_offsets()) == 60
    ranges = {c.get_clim() for ax in axes[2:] for c in ax.collections if c.get_array() is not None}
    assert len(ranges) <= 1
    assert [ax.get_title()[:2] for ax in pl.graph(both)] == ["a\n", "b\n"]
    with pytest.raises(OptionError, match=r"one panel for `ax`, found 2 panels"):
        pl.spatial(both, "area", ax=plt.subplots()[1])
    with pytest.raises(MissingKeyError, match="an image for each of 2 samples"):
        pl.spatial(both, "area", np.zeros((9, 9)))
    with pytest.raises(MissingKeyError, match="'c' in `the samples`"):
        pl.spatial(both, "area", library_id="c")


def test_movies_and_plates_are_samples_like_any_other():
    movie = cgc.datasets.event_movie(5, 4, side=96, random_state=0)
    cells = cgc.from_movie(movie)
    axes = pl.spatial(cells, "event", movie, labels=movie)
    check_picture(axes)
    assert [ax.get_title() for ax in axes] == [f"frame_{t}" for t in range(len(movie))]
    assert {ax.get_xlim() for ax in axes} == {(-0.5, 95.5)}
    at = cells[cells.obs["frame"] == 2].obsm["spatial"].mean(axis=0)
    alone = pl.spatial(cells, "event", movie, library_id=2)
    np.testing.assert_array_equal(alone.images[0].get_array().shape, (96, 96))
    assert alone.get_xlim()[0] < at[0] < alone.get_xlim()[1]
    from cellgraph_clr.datasets.plates import phenotype_plate

    plate = phenotype_plate(2, 2, side=64, random_state=0)
    if plate.labels is not None:
        check_picture(pl.spatial(cgc.from_plate(plate), "area", plate, labels=plate))


@pytest.mark.parametrize("n", [3, 25, 50, 90])
def test_legends_of_any_length_fit(adata, n):
    adata.obs["many"] = pd.Categorical([f"a rather long name {i % n}" for i in range(adata.n_obs)])
    ax = pl.spatial(adata, "many")
    check_picture(ax)
    shown = ax.get_legend().get_texts()
    assert len(shown) == min(n, 60)
    width = ax.get_window_extent().width / ax.figure.dpi
    assert width > 3, "the tissue is squeezed"


def test_a_scale_bar_has_its_length(adata):
    ax = pl.spatial(adata, "area")
    ax.figure.canvas.draw()
    bar = next(a for a in ax.artists if hasattr(a, "size_bar"))
    length, unit = bar.txt_label.get_text().split()
    drawn = bar.size_bar.get_children()[0].get_width()
    assert unit == "µm"
    assert drawn == pytest.approx(float(length))
    assert 0.08 < drawn / np.ptp(ax.get_xlim()) <= 0.25


def test_bad_input_is_named(tissue_2d):
    adata = tissue_2d.adata()
    with pytest.raises(NoGraphError):
        pl.graph(adata)
    with pytest.raises(MissingKeyError, match="'kind' in `adata.obs`"):
        pl.spatial(adata, "kind")
    with pytest.raises(ShapeError, match=r"of up to 3 channels, found \(39, 8, 8\).*image\[\[0, 2\]\]"):
        pl.spatial(adata, "area", np.zeros((39, 8, 8)))
    del adata.uns["cellgraph_clr"]["images"]
    with pytest.raises(MissingKeyError, match="the size of a pixel of `image`, found positions in micrometer alone"):
        pl.spatial(adata, "area", np.zeros((8, 8)))
    gr.knn_graph(adata, n_neighbors=2)
    check_picture(pl.graph(adata, labels=tissue_2d.image))


def test_an_image_is_on_the_grid_of_the_labels(adata, tissue_2d):
    image = np.asarray(tissue_2d.image.image[0])
    for wrong in (image[::2, ::2], image[:50], np.pad(image, ((0, 9), (0, 0)))):
        with pytest.raises(ShapeError, match=r"an image of shape \(\d+, \d+\), as the labels, found"):
            pl.spatial(adata, "area", wrong)
    moved = adata.copy()
    moved.obsm["spatial"] = moved.obsm["spatial"] + 60
    with pytest.raises(ShapeError, match="an image that the cells lie in"):
        pl.spatial(moved, "area", image)
    table = cgc.from_table(
        pd.DataFrame(adata.obsm["spatial"], columns=["x", "y"]), cell_id=None, position=["x", "y"], unit="pixel"
    )
    pl.spatial(table, None, image)
    with pytest.raises(ShapeError, match=r"an image that the cells lie in, found \d+ of \d+ outside"):
        pl.spatial(table, None, image[::2, ::2])


def test_holes_in_image_and_positions_are_left_out(adata, tissue_2d):
    image = np.array(tissue_2d.image.image[0], float)
    image[:3, :3], image[5, 5] = np.nan, np.inf
    shown = np.asarray(pl.spatial(adata, "area", image).images[0].get_array())
    assert np.isfinite(shown).mean() > 0.99
    adata.obsm["spatial"][4] = np.nan
    ax = pl.spatial(adata, "area")
    check_picture(ax)
    assert len(ax.collections[0].get_offsets()) == adata.n_obs - 1


def test_names_are_drawn_as_they_are(adata, tmp_path):
    names = ["$\\foo$", "$x_{", "a$b", "<i>", "two\nlines", "ä_µ"]
    adata.obs["odd"] = pd.Categorical([names[i % 6] for i in range(adata.n_obs)])
    adata.obs["$key$"] = adata.obs["odd"]
    check_picture(pl.spatial(adata, "odd"))
    check_picture(pl.spatial(adata, "$key$"))
    check_picture(pl.composition(adata, "odd", "true_type"))
    check_picture(pl.confusion(adata, "odd", "true_type"))


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"color": []}, "found an empty list"),
        ({"color": 5}, "`color` as text or a sequence"),
        ({"color": [5]}, "name of a column or feature, found 5"),
        ({"cmap": "virids"}, "Did you mean 'viridis'"),
        ({"color": "true_type", "palette": "tab11"}, "Did you mean"),
        ({"color": "true_type", "palette": ["red", "nocolor"] * 9}, "colours in `palette`, found 'nocolor'"),
        ({"vmin": 3, "vmax": 1}, "`vmin` below `vmax`"),
        ({"vmin": "p1"}, "`vmin` as a number"),
        ({"alpha": 2}, "`alpha` to be a number"),
        ({"slab": (3, 1)}, "lowest and a highest"),
        ({"slab": 5}, "`slab` as a sequence"),
        ({"size": -1}, "`size` to be a number"),
        ({"figsize": (5, 0)}, "`figsize` as width and height"),
        ({"title": 5}, "`title` as text"),
        ({"n_columns": 0}, "`n_columns` to be a whole number"),
        ({"show": "yes"}, "`show` as True or False"),
        ({"save": 5}, "name of a picture, found int"),
        ({"library_id": []}, "at least one sample"),
        ({"save": "picture"}, "name of a picture, found 'picture'.*png"),
        ({"save": "picture.foo"}, "End it in .png, .pdf or .svg"),
        ({"ax": [1]}, "`ax` as axes of matplotlib, found list"),
    ],
)
def test_options_are_refused_by_name(adata, options, text):
    with pytest.raises(OptionError, match=text):
        pl.spatial(adata, **{"color": "area", **options})


def test_a_slab_lies_within_the_labels(tissue_3d):
    adata = tissue_3d.adata()
    with pytest.raises(OptionError, match="`slab` within the labels, 0 to"):
        pl.spatial(adata, "area" if "area" in adata.var_names else None, labels=tissue_3d.image, slab=(900, 901))
    ax = pl.spatial(adata, None, labels=tissue_3d.image, slab=(-np.inf, np.inf))
    check_picture(ax)
    low = tissue_3d.image.labels.shape[0] // 2 * tissue_3d.image.spacing[0]
    axis, value, unit = ax.get_title().replace("= ", "").split()
    assert (axis, unit) == ("z", "µm")
    assert abs(float(value) - low) <= tissue_3d.image.spacing[0]
    assert pl.spatial(adata, None, labels=tissue_3d.image, title="mine").get_title() == "mine"


def test_colours_and_samples_make_rows(adata):
    three = cgc.concat(dict.fromkeys("abc", adata))
    axes = pl.spatial(three, ["area", "true_type"])
    tops = [round(ax.get_position().y1, 2) for ax in axes]
    assert tops[0] == tops[1] == tops[2] > tops[3] == tops[4] == tops[5]


@pytest.mark.parametrize("kind", ["text", "complex", "lists of text"])
def test_pixels_that_are_no_numbers_are_named(adata, kind):
    image = {"text": np.full((4, 4), "a"), "complex": np.ones((4, 4), complex), "lists of text": [["a", "b"]] * 2}[kind]
    with pytest.raises(OptionError, match="`image` with pixels of numbers, found"):
        cgc.pl.spatial(adata, "area", image)


def test_channels_without_a_pixel_are_black(tissue_2d, adata):
    image = np.full((2, *tissue_2d.image.labels.shape), np.nan)
    image[0] = 1 + np.arange(image[0].size).reshape(image[0].shape)
    cgc.pl.spatial(adata, "area", image)
