"""Galleries: what is drawn for queries, groups and features; bad input."""

import numpy as np
import pytest
from matplotlib.colors import to_rgba

import cellgraph_clr as cgc
from cellgraph_clr._core.errors import EmptyQueryError, MissingKeyError, NonFiniteError, OptionError
from cellgraph_clr.cells.label_image import LabelImage
from cellgraph_clr.datasets.shaped_cells import shapes
from tests.pictures import check_picture


@pytest.fixture(scope="module")
def volume():
    return shapes(20, random_state=3)


@pytest.fixture
def cells(volume):
    adata = cgc.from_labels(volume.image)
    cgc.pp.scale_features(adata, impute="median")
    adata.obs["family"] = volume.truth.loc[adata.obs["cell_id"], "shape"].astype("category").to_numpy()
    return adata


def test_a_query_stands_first_and_is_not_among_its_neighbours(cells, volume, tmp_path):
    axes = cgc.pl.cell_gallery(cells, volume.image, query=[7, 9], use_rep="X", n_examples=5, save=tmp_path / "g.png")
    assert axes.shape == (1, 5)
    titles = [ax.get_title() for ax in axes[0]]
    assert titles[0] in ("cell 7", "cell 9")
    assert not {"cell 7", "cell 9"} & set(titles[1:])
    assert (tmp_path / "g.png").stat().st_size > 10_000
    bar = next(a for a in axes[0, 0].artists if hasattr(a, "size_bar"))
    assert "µm" in bar.txt_label.get_text()
    check_picture(axes)


@pytest.mark.parametrize("style", ["slices", "surfaces"])
def test_groups_have_a_row_each_of_their_own_members(cells, volume, style):
    axes = cgc.pl.cell_gallery(cells, volume.image, groupby="family", use_rep="X", n_examples=3, style=style)
    assert axes.shape == (6, 3)
    check_picture(axes)
    for line in axes:
        name = line[0].texts[0].get_text()
        for ax in line:
            shown = int(ax.get_title().removeprefix("cell "))
            assert volume.truth.loc[shown, "shape"] == name


@pytest.mark.parametrize(("style", "color"), [("slices", "white"), ("surfaces", "black")])
def test_the_scale_bar_is_seen_on_its_ground(cells, volume, style, color):
    axes = cgc.pl.cell_gallery(cells, volume.image, query=[7], use_rep="X", n_examples=3, style=style)
    bars = [a for ax in axes.flat for a in ax.artists if hasattr(a, "size_bar")]
    assert [bar.size_bar.get_children()[0].get_edgecolor() for bar in bars] == [to_rgba(color)]
    check_picture(axes)


def test_a_feature_rises_along_its_row(cells, volume):
    axes = cgc.pl.feature_range(cells, volume.image, ["volume", "sphericity"], use_rep="X", n_examples=4)
    assert axes.shape == (2, 4)
    for line in axes:
        values = [float(ax.get_title().split()[0]) for ax in line]
        assert values == sorted(values)
    raw = np.asarray(cells.layers["cellgraph_raw"])[:, 0]
    assert raw.min() <= float(axes[0, 0].get_title().split()[0]) <= raw.max()
    assert axes[0, 0].get_title().endswith("µm³")


def test_flat_labels_without_an_image():
    flat = shapes(9, ndim=2)
    plain = LabelImage.build(flat.image.labels, spacing=(1.0, 1.0))
    adata = cgc.from_labels(plain)
    cgc.pp.scale_features(adata, impute="median")
    axes = cgc.pl.feature_range(adata, plain, "area", use_rep="X")
    assert all(len(ax.images) == 1 for ax in axes[0])
    with pytest.raises(OptionError, match='style "slices"'):
        cgc.pl.cell_gallery(adata, plain, query=[1], use_rep="X", style="surfaces")


def test_cells_without_features_are_left_out(cells, volume):
    cells.obsm["X_morpho"] = np.asarray(cells.X).copy()
    cells.obsm["X_morpho"][:5] = np.nan
    axes = cgc.pl.cell_gallery(cells, volume.image, query=[12], n_examples=20)
    assert sum(bool(ax.get_title()) for ax in axes[0]) == 15
    with pytest.raises(OptionError, match="a query with features"):
        cgc.pl.cell_gallery(cells, volume.image, query=[2])


def test_bad_input_is_named(cells, volume):
    with pytest.raises(OptionError, match="either `query` or `groupby`, found neither"):
        cgc.pl.cell_gallery(cells, volume.image, use_rep="X")
    with pytest.raises(OptionError, match="found both"):
        cgc.pl.cell_gallery(cells, volume.image, query=[1], groupby="family", use_rep="X")
    with pytest.raises(MissingKeyError, match="X_morpho"):
        cgc.pl.cell_gallery(cells, volume.image, query=[1], use_rep="X_morpho")
    with pytest.raises(EmptyQueryError):
        cgc.pl.cell_gallery(cells, volume.image, query=[999], use_rep="X")
    with pytest.raises(OptionError, match="`channel`"):
        cgc.pl.cell_gallery(cells, volume.image, query=[1], use_rep="X", channel=3)
    with pytest.raises(MissingKeyError, match="wide"):
        cgc.pl.feature_range(cells, volume.image, "wide", use_rep="X")


def test_brightness_compares_between_pictures(cells, volume):
    light = np.zeros((1, *volume.image.labels.shape), np.float32)
    for i, cell in enumerate(cells.obs["cell_id"]):
        light[0][np.asarray(volume.image.labels) == cell] = 10 * (i + 1)
    axes = cgc.pl.cell_gallery(cells, volume.image.labels, light, groupby="family", n_examples=2)
    assert len({ax.images[0].get_clim() for ax in axes.flat if ax.images}) == 1


def test_the_scale_is_that_of_the_cells_whatever_is_passed(volume):
    spacing = tuple(2 * s for s in volume.image.spacing)
    adata = cgc.from_labels(np.asarray(volume.image.labels), spacing=spacing, unit="um")
    bars = []
    for labels in (np.asarray(volume.image.labels), LabelImage.build(volume.image.labels, spacing=spacing, unit="um")):
        axes = cgc.pl.feature_range(adata, labels, ["volume"])
        bar = next(a for a in axes[0, 0].artists if hasattr(a, "size_bar"))
        bars.append((bar.txt_label.get_text(), bar.size_bar.get_children()[0].get_width()))
    assert bars[0] == bars[1]
    with pytest.raises(OptionError, match="with a spacing of"):
        cgc.pl.feature_range(adata, volume.image, ["volume"])


def test_a_feature_without_a_value_is_named(cells, volume):
    cells.obsm["X_none"] = np.full((cells.n_obs, 1), np.nan)
    with pytest.raises(NonFiniteError, match="finite values of 'X_none_0', found none"):
        cgc.pl.feature_range(cells, volume.image, "X_none_0", use_rep="X_none")
