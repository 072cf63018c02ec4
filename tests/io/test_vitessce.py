"""What Vitessce gets: the cells, ids, values and colors that the AnnData has; its own schema is asked in tests/interop."""

import json
import re

import anndata as ad
import numpy as np
import pandas as pd
import pytest
from matplotlib.path import Path as Polygon

import cellgraph_clr as cgc
from cellgraph_clr import to_vitessce
from cellgraph_clr._core.errors import (
    CellGraphError,
    FileFormatError,
    MissingFileError,
    MissingKeyError,
    NoCellsError,
    OptionError,
    OutputError,
    ShapeError,
)
from cellgraph_clr.io.vitessce_config import place_of

HOSTILE = "a/b </script>"


@pytest.fixture
def cells(adata):
    adata.obs["kind"] = pd.Categorical(np.where(adata.obs_names.str.len() % 2, HOSTILE, "unassigned"))
    adata.obs["leiden"] = pd.Categorical((np.arange(adata.n_obs) % 3).astype(str))
    adata.obs["sure"] = np.linspace(0, 1, adata.n_obs)
    adata.obsm["X_umap"] = np.c_[np.arange(adata.n_obs), -np.arange(adata.n_obs)].astype(float)
    return adata


def written(path):
    return ad.read_zarr(path), json.loads(path.with_suffix(".json").read_text())


def options_of(config):
    return config["datasets"][0]["files"][0]["options"]


def embedding_of(store, config):
    return store.obsm[options_of(config)["obsEmbedding"][0]["path"].removeprefix("obsm/")]


@pytest.mark.filterwarnings("ignore")
def test_a_store_holds_what_the_anndata_has(cells, tissue_2d, tmp_path):
    before = cells.copy()
    config = to_vitessce(cells, tmp_path / "a.zarr", labels=tissue_2d.image)
    store, held = written(tmp_path / "a.zarr")
    assert held == config
    assert (tmp_path / "a.zarr" / ".zgroup").exists()
    assert json.loads((tmp_path / "a.zarr" / "X" / ".zarray").read_text())["zarr_format"] == 2
    assert store.obs_names.tolist() == cells.obs_names.tolist()
    assert store.obs["cell_id"].tolist() == cells.obs["cell_id"].astype(str).tolist()
    raw = cells.layers["cellgraph_raw"]
    np.testing.assert_allclose(store[:, cells.var_names].X, raw, rtol=1e-6)
    np.testing.assert_allclose(store[:, "sure"].X[:, 0], cells.obs["sure"], rtol=1e-6)
    assert store.var.loc["area", "label"] == "area (µm²)"
    np.testing.assert_allclose(store.obsm["spatial"], cells.obsm["spatial"], rtol=1e-5)
    np.testing.assert_array_equal(embedding_of(store, config), cells.obsm["X_umap"])
    pd.testing.assert_frame_equal(cells.obs, before.obs)
    assert set(cells.uns) == set(before.uns)


@pytest.mark.filterwarnings("ignore")
def test_what_the_configuration_names_is_there(cells, tmp_path):
    config = to_vitessce(cells, tmp_path / "a.zarr", url="https://host/x/")
    assert config["datasets"][0]["files"][0]["url"] == "https://host/x/a.zarr"
    paths = [p for o in options_of(config).values() for p in (o if isinstance(o, list) else [o])]
    assert len(paths) >= 7
    for path in paths:
        assert (tmp_path / "a.zarr" / path["path"]).is_dir(), path
    for view in config["layout"]:
        for name, scope in view["coordinationScopes"].items():
            assert scope in config["coordinationSpace"][name]


@pytest.mark.filterwarnings("ignore")
def test_classes_have_the_colors_of_plots(cells, tmp_path):
    cells.uns["leiden_colors"] = ["#ff0000", "#00ff00", "#0102ff"]
    config = to_vitessce(cells, tmp_path / "a.zarr")
    store, _ = written(tmp_path / "a.zarr")
    cgc.pl.spatial(cells, "kind", show=False)
    sets = {o["name"]: o["path"].removeprefix("obs/") for o in options_of(config)["obsSets"]}
    held = {
        tuple(c["path"]): "#{:02x}{:02x}{:02x}".format(*c["color"])
        for c in config["coordinationSpace"]["obsSetColor"]["A"]
    }
    for name in ("kind", "leiden"):
        assert store.obs[sets[name]].tolist() == cells.obs[name].tolist()
        shown = dict(zip(cells.obs[name].cat.categories, cells.uns[f"{name}_colors"], strict=True))
        assert {n: held[name, n] for n in shown} == shown
    assert held["kind", "unassigned"] == "#bbbbbb"
    assert config["coordinationSpace"]["obsSetSelection"]["A"] == [["leiden", c] for c in "012"]
    assert to_vitessce(cells, tmp_path / "a.zarr", color="kind")["coordinationSpace"]["obsSetExpansion"]["A"] == [
        ["kind"]
    ]


@pytest.mark.filterwarnings("ignore")
def test_polygons_are_the_outlines_of_cells(cells, tissue_2d, tmp_path):
    image = tissue_2d.image
    to_vitessce(cells, tmp_path / "a.zarr", labels=image)
    store, _ = written(tmp_path / "a.zarr")
    missed = []
    for row in range(0, cells.n_obs, 10):
        y, x = np.nonzero(np.asarray(image.labels) == cells.obs["cell_id"].iloc[row])
        place = np.c_[x, y] * np.asarray(image.spacing)[::-1]
        missed.append(1 - Polygon(store.obsm["segmentations"][row]).contains_points(place).mean())
    assert max(missed) < 0.15
    to_vitessce(cells, tmp_path / "b.zarr")
    discs = written(tmp_path / "b.zarr")[0].obsm["segmentations"]
    np.testing.assert_allclose(discs.mean(axis=1), cells.obsm["spatial"], atol=1e-3)


@pytest.mark.filterwarnings("ignore")
def test_samples_lie_side_by_side(cells, tmp_path):
    both = cgc.concat({"a": cells, "b": cells, "c": cells})
    to_vitessce(both, tmp_path / "a.zarr")
    store, _ = written(tmp_path / "a.zarr")
    boxes = []
    for sample in "abc":
        shown = store.obsm["segmentations"][both.obs["library_id"] == sample].reshape(-1, 2)
        boxes.append((shown.min(axis=0), shown.max(axis=0)))
    for i, (low, high) in enumerate(boxes):
        for low_, high_ in boxes[:i]:
            assert ((low > high_) | (high < low_)).any()


@pytest.mark.filterwarnings("ignore")
def test_a_volume_is_shown_from_above_and_a_table_without_places(tissue_3d, tmp_path):
    adata = tissue_3d.adata()
    to_vitessce(adata, tmp_path / "a.zarr", labels=tissue_3d.image)
    np.testing.assert_allclose(written(tmp_path / "a.zarr")[0].obsm["spatial"], adata.obsm["spatial"][:, :2], rtol=1e-5)
    bare = ad.AnnData(np.eye(3, dtype=np.float32))
    config = to_vitessce(bare, tmp_path / "b.zarr")
    assert [v["component"] for v in config["layout"]] == ["featureList", "status"]
    assert written(tmp_path / "b.zarr")[0].obs["cell_id"].tolist() == ["0", "1", "2"]


@pytest.mark.filterwarnings("ignore")
def test_what_cannot_be_is_named(cells, tmp_path):
    for wrong, error, words in (
        ({"path": tmp_path / "a.json"}, FileFormatError, "ending in .zarr"),
        ({"color": "sure"}, OptionError, "'sure'"),
        ({"embedding": "X_no"}, MissingKeyError, "X_no"),
        ({"embedding": "X_thin"}, ShapeError, "two columns"),
        ({"features": ["no"]}, MissingKeyError, "no"),
    ):
        cells.obsm["X_thin"] = np.zeros((cells.n_obs, 1))
        with pytest.raises(error, match=words):
            to_vitessce(cells, wrong.pop("path", tmp_path / "a.zarr"), **wrong)
    with pytest.raises(NoCellsError):
        to_vitessce(cells[:0].copy(), tmp_path / "a.zarr")
    (tmp_path / "mine.zarr").mkdir()
    (tmp_path / "mine.zarr" / "a").write_text("")
    with pytest.raises(OutputError):
        to_vitessce(cells, tmp_path / "mine.zarr")
    cells.obs_names = ["x"] * cells.n_obs
    with pytest.raises(CellGraphError, match="obs_names_make_unique"):
        to_vitessce(cells, tmp_path / "a.zarr")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["mine.zarr"]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    "option", [{"features": ["area"]}, {"title": "x"}, {"embedding": "X_other"}, {"library_key": "half"}]
)
def test_each_option_changes_what_is_written(cells, tmp_path, option):
    cells.obsm["X_other"] = cells.obsm["X_umap"] * 2
    cells.obs["half"] = pd.Categorical(np.where(cells.obsm["spatial"][:, 0] < 50, "a", "b"))
    if "library_key" in option:  # a graph between halves is none between samples
        for key in list(cells.obsp):
            del cells.obsp[key]
    one = to_vitessce(cells, tmp_path / "a.zarr")
    other = to_vitessce(cells, tmp_path / "b.zarr", **option)
    a, b = (written(tmp_path / f"{name}.zarr")[0] for name in "ab")
    same = [a.shape == b.shape, np.array_equal(embedding_of(a, one), embedding_of(b, other))]
    same += [np.array_equal(a.obsm["spatial"], b.obsm["spatial"]), one["name"] == "a" and other["name"] == "b"]
    assert not all(same)


@pytest.mark.filterwarnings("ignore")
def test_an_old_configuration_shows_its_own_columns_of_a_new_store(cells, tmp_path):
    cells.obs["Kind"] = cells.obs["leiden"]
    cells.obsm["X_tsne"] = cells.obsm["X_umap"] + 1
    old = to_vitessce(cells, tmp_path / "a.zarr")
    new = to_vitessce(cells, tmp_path / "a.zarr", color="Kind", embedding="X_tsne")
    store, _ = written(tmp_path / "a.zarr")
    sets = {o["name"]: o["path"] for o in options_of(old)["obsSets"]}
    assert {"Kind", "kind", "leiden"} <= set(sets)
    for name in ("Kind", "kind", "leiden"):
        assert store.obs[sets[name].removeprefix("obs/")].tolist() == cells.obs[name].tolist()
    assert len({path.lower() for path in sets.values()}) == len(sets)
    assert options_of(new)["obsSets"] != options_of(old)["obsSets"]
    assert options_of(old)["obsEmbedding"][0]["path"].removeprefix("obsm/") not in store.obsm


def test_places_of_columns_differ_and_are_safe():
    names = ["a", "A", "a/b", "a b", "a_b", "", "..", "é", "x" * 300, "x" * 301]
    places = [place_of("set", name) for name in names]
    assert len({p.lower() for p in places}) == len(names)
    for place in places:
        assert re.fullmatch("set_[a-z0-9_]{1,60}", place)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("places", "area", "radius"),
    [
        ([[0, 3], [50, 3], [100, 3], [200, 3]], None, 0.36 * 50),
        ([[0, 0], [0, 100], [1e-9, 50], [0, 150]], None, 0.36 * 37.5),
        ([[7, 3]], None, 5),
        ([[7, 3]], 9 * np.pi, 3),
        ([[7, 3], [7, 3]], 9 * np.pi, 3),
        ([[7, 3]], np.nan, 5),
    ],
)
def test_discs_are_seen_wherever_cells_lie(places, area, radius, tmp_path):
    adata = ad.AnnData(np.full((len(places), 1), 1 if area is None else area, np.float32))
    adata.var_names = ["size" if area is None else "area"]
    adata.obsm["spatial"] = np.array(places, float)
    config = to_vitessce(adata, tmp_path / "a.zarr")
    discs = written(tmp_path / "a.zarr")[0].obsm["segmentations"]
    np.testing.assert_allclose(np.ptp(discs, axis=1), 2 * radius, rtol=1e-4)
    shown = 450 / 2 ** config["coordinationSpace"]["spatialZoom"]["A"]  # units of a view
    np.testing.assert_allclose(shown, np.ptp(discs.reshape(-1, 2), axis=0).max(), rtol=1e-4)


@pytest.mark.filterwarnings("ignore")
def test_the_address_of_a_store_is_quoted(cells, tmp_path):
    config = to_vitessce(cells, tmp_path / "50% #1 é.zarr", url="https://host/x")
    assert config["datasets"][0]["files"][0]["url"] == "https://host/x/50%25%20%231%20%C3%A9.zarr"


@pytest.mark.filterwarnings("ignore")
def test_only_a_configuration_is_replaced(cells, tmp_path):
    beside = tmp_path / "own.json"
    for foreign in ('{"datasets": []}', '["datasets", "layout"]', "notes", "{" * 9, "[" * 100_000):
        beside.write_text(foreign)
        with pytest.raises(OutputError, match="no configuration of Vitessce"):
            to_vitessce(cells, tmp_path / "own.zarr")
        assert beside.read_text() == foreign
        assert not (tmp_path / "own.zarr").exists()
    for replaced in ("", '{"datasets": [], "layout": []}'):
        beside.write_text(replaced)
        assert to_vitessce(cells, tmp_path / "own.zarr") == json.loads(beside.read_text())


@pytest.mark.parametrize("path", [None, 3])
def test_a_path_that_is_none_is_named(cells, path):
    with pytest.raises(OptionError, match=f"`path` as text or a path, found {path}"):
        to_vitessce(cells, path)


def test_a_path_of_bytes_is_named(cells):
    with pytest.raises(OptionError, match=r"`path`.*\.zarr"):
        to_vitessce(cells, b"a.zarr")


@pytest.mark.filterwarnings("ignore")
def test_missing_labels_are_named_in_2d_and_3d(cells, tissue_3d, tmp_path):
    for adata in (cells, tissue_3d.adata()):
        with pytest.raises(MissingFileError, match="nope"):
            to_vitessce(adata, tmp_path / "a.zarr", labels=tmp_path / "nope.tif")
    assert not list(tmp_path.iterdir())


def test_help_says_how_to_see_it():
    for words in ("npx http-server --cors -p 8000", "https://vitessce.io/#?url=http://localhost:8000/cells.json"):
        assert words in to_vitessce.__doc__
