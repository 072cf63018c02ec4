"""Colours: told apart by every eye, kept in `uns` as scanpy does; numbers as measured, with their unit."""

import numpy as np
import pandas as pd
import pytest
from skimage.color import deltaE_ciede2000, rgb2lab

from cellgraph_clr import pp
from cellgraph_clr._core.errors import MissingKeyError, OptionError
from cellgraph_clr.adata.provenance import record_run
from cellgraph_clr.pl.colors import GREY, PALETTE, coloring, legend_names, palette_colors

PAIR = ("kind", "kind_pred")
# linear RGB as seen with deuteranopia and protanopia (Machado et al. 2009, severity 1)
BLIND = {
    "none": np.eye(3),
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.01182, 0.04294, 0.968881]],
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
}


def seen(colors, matrix):
    rgb = np.array([[int(c[i : i + 2], 16) for i in (1, 3, 5)] for c in colors]) / 255
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    linear = np.clip(linear @ np.asarray(matrix).T, 0, 1)
    return rgb2lab(np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)[None])[0]


@pytest.mark.parametrize("eye", BLIND)
@pytest.mark.parametrize(("n", "apart"), [(8, 11), (20, 9), (48, 5.8)])
def test_colors_differ_for_every_eye(eye, n, apart):
    assert len(set(PALETTE)) == 48
    lab = seen([*PALETTE[:n], GREY, "#ffffff"], BLIND[eye])
    distance = deltaE_ciede2000(lab[:, None], lab[None])[np.triu_indices(n + 2, 1)]
    assert distance.min() > apart * (1.3 if eye == "none" else 1)


def test_categories_are_written_as_scanpy_does(adata):
    found = coloring(adata, "true_type")
    assert found.is_categorical
    assert adata.uns["true_type_colors"] == found.colors
    names = list(adata.obs["true_type"].cat.categories)
    assert [found.names[i] for i in found.values] == adata.obs["true_type"].astype(str).tolist()
    adata.uns["true_type_colors"] = ["#000000"] * len(names)
    assert set(coloring(adata, "true_type").colors) == {"#000000"}
    chosen = coloring(adata, "true_type", palette=dict.fromkeys(names, "#ff0000"))
    assert set(chosen.colors) == {"#ff0000"} == set(adata.uns["true_type_colors"])
    with pytest.raises(OptionError, match="a colour for every category"):
        coloring(adata, "true_type", palette={names[0]: "red"})
    with pytest.raises(OptionError, match=r"colours, found 1"):
        coloring(adata, "true_type", palette=["red"])


@pytest.mark.parametrize("first", ["kind", "kind_pred"])
@pytest.mark.parametrize("view", [False, True])
def test_predictions_have_the_colours_of_what_they_predict(adata, first, view):
    truth = np.array(["b", "c", "d", "e"])[np.arange(adata.n_obs) % 4]
    adata.obs["kind"] = pd.Categorical(truth, categories=["e", "b", "c", "d"])
    adata.obs["kind_pred"] = pd.Categorical(np.where(truth == "b", "a", truth), categories=["a", "c", "d", "e"])
    cells = adata[:] if view else adata
    coloring(cells, first)
    of_truth, predicted = (dict(zip(f.names, f.colors, strict=True)) for f in (coloring(cells, k) for k in PAIR))
    assert list(of_truth.values()) == list(PALETTE[:4])  # by its own categories, whichever is asked for first
    assert predicted == {"a": PALETTE[4], **{n: of_truth[n] for n in "cde"}}
    assert ("kind_colors" in adata.uns) == ("kind_pred_colors" in adata.uns) == (not view)


def test_predictions_of_another_name_are_known_by_what_is_recorded(adata):
    adata.obs["kind"] = pd.Categorical(["b", "c"] * (adata.n_obs // 2), categories=["c", "b"])
    for key in ("classified", "transferred", "other"):
        adata.obs[key] = pd.Categorical(["b", "c"] * (adata.n_obs // 2))
    adata.uns["kind_colors"] = ["#ff0000", "#00ff00"]
    adata.uns["classified"] = {"params": {"label_key": "kind"}}
    adata.uns["kind"] = {"params": {"label_key": "classified"}}  # in a circle
    record_run(adata, "transferred", {"label_key": "kind"})
    assert coloring(adata, "classified").colors == coloring(adata, "transferred").colors == ["#00ff00", "#ff0000"]
    assert coloring(adata, "other").colors == list(PALETTE[:2])
    del adata.uns["classified_colors"], adata.uns["kind_colors"]
    assert coloring(adata, "classified").colors == list(PALETTE[1::-1])
    adata.obs["area_pred"] = adata.obs["other"]
    adata.obs["area"] = np.arange(adata.n_obs)  # numbers have no colours by name
    assert coloring(adata, "area_pred").colors == list(PALETTE[:2])


def test_unassigned_and_missing_are_grey(adata):
    text = adata.obs["true_type"].astype(object)
    text.iloc[:10], text.iloc[10:20] = "unassigned", None
    adata.obs["some"] = pd.Categorical(text)
    found = coloring(adata, "some")
    assert {found.colors[i] for i in found.values[:20]} == {GREY}
    assert GREY not in {found.colors[i] for i in found.values[20:]}


def test_numbers_have_no_legend_and_features_are_as_measured(adata):
    assert not coloring(adata, "cell_id").is_categorical
    adata.obs["flag"] = adata.obs["cell_id"] > 10
    assert coloring(adata, "flag").names == ["False", "True"]
    area = coloring(adata, "area")
    assert area.title == "area (µm²)"
    np.testing.assert_array_equal(area.values, adata.layers["cellgraph_raw"][:, 0])
    scaled = coloring(adata, "area", layer="X")
    assert scaled.title == "area"
    np.testing.assert_array_equal(scaled.values, np.asarray(adata.X)[:, 0])
    adata.layers["raw"] = adata.X + 100  # a user's own is never touched
    pp.scale_features(adata)
    assert (adata.layers["raw"] >= 90).all()
    np.testing.assert_array_equal(coloring(adata, "area").values, area.values)
    with pytest.raises(MissingKeyError, match=r"'aria' in `adata.obs` or `adata.var_names`.*Did you mean 'area'"):
        coloring(adata, "aria")


def test_long_legends_name_the_most_frequent():
    codes = np.repeat(np.arange(100), np.arange(1, 101))
    from cellgraph_clr.pl.colors import Coloring

    many = Coloring("", codes, [str(i) for i in range(100)], ["#000000"] * 100)
    named, left_out = legend_names(many, np.arange(len(codes)))
    assert named == list(range(41, 100))
    assert left_out == 41
    assert len(palette_colors(None, many.names)) == 100
    assert palette_colors("tab10", ["a", "b"]) == ["#1f77b4", "#ff7f0e"]


def test_colours_of_a_user_belong_to_categories(adata):
    kinds = ["a", None, "b", "a"] * (adata.n_obs // 4)
    adata.obs["t"] = pd.Categorical(kinds, categories=["a", "b"])
    adata.uns["t_colors"] = ["#ff0000", "#0000ff"]
    found = coloring(adata, "t")
    assert list(adata.uns["t_colors"]) == ["#ff0000", "#0000ff"]
    assert [found.colors[i] for i in found.values[:4]] == ["#ff0000", GREY, "#0000ff", "#ff0000"]
    adata.obs["u"] = pd.Categorical(["T", "Z"] * (adata.n_obs // 2), categories=["T", "unassigned", "Z"])
    adata.uns["u_colors"] = ["#ff0000", "#00ff00", "#0000ff"]
    found = coloring(adata, "u")
    assert [found.colors[i] for i in found.values[:2]] == ["#ff0000", "#0000ff"]
    del adata.uns["u_colors"]
    coloring(adata, "u")
    assert len(adata.uns["u_colors"]) == 3
