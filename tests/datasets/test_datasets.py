"""Generated tissue keeps its promises; the colon section is there; readers of local files, on generated files."""

import numpy as np
import pandas as pd
import pytest

from cellgraph_clr import datasets
from cellgraph_clr._core.errors import MissingFileError, MissingKeyError, NoCellsError, OptionError


@pytest.mark.parametrize("ndim", [2, 3])
def test_tissue_is_mirrored_and_seeded(ndim):
    one, same, other = (datasets.tissue(200, ndim=ndim, random_state=s) for s in (0, 0, 1))
    np.testing.assert_array_equal(one.image.labels, same.image.labels)
    np.testing.assert_array_equal(one.image.image, same.image.image)
    assert one.image.labels.shape != other.image.labels.shape or (one.image.labels != other.image.labels).any()
    adata = one.adata()
    row = dict(zip(adata.obs["cell_id"], range(adata.n_obs), strict=True))
    has = adata.obs["twin"].to_numpy() > 0
    twin = np.array([row[t] for t in adata.obs["twin"][has]])
    assert (adata.obs["twin"].to_numpy()[twin] == adata.obs["cell_id"].to_numpy()[has]).all()
    for column in ("true_type", "true_niche"):
        assert (adata.obs[column].to_numpy()[twin] == adata.obs[column].to_numpy()[has]).all()
    x = adata.obsm["spatial"][:, 0]
    middle = one.image.labels.shape[-1] / 2
    assert np.abs(x[has] + x[twin] - 2 * middle).mean() < 3


def test_niches_are_parted_by_a_sheath():
    tissue = datasets.tissue(200, ndim=2, random_state=0)
    from cellgraph_clr import gr

    adata = tissue.adata()
    gr.contact_graph(adata)
    rows, columns = adata.obsp["spatial_connectivities"].nonzero()
    niche = adata.obs["true_niche"].to_numpy()
    assert (niche[rows] == niche[columns]).all()


def test_noise_is_an_option():
    quiet, loud = (datasets.tissue(100, noise=datasets.Noise(cell=c), random_state=0) for c in (0.0, 5.0))
    assert loud.image.image.std() > quiet.image.image.std()
    with pytest.raises(OptionError, match=r"`mixing` to be a number in \[0, 1\], found 2"):
        datasets.Noise(mixing=2)
    with pytest.raises(OptionError, match="2, 3, found 4"):
        datasets.tissue(100, ndim=4)


def test_movies_divide_and_keep_ids():
    movie = datasets.movie(20, 8, division_rate=0.15, random_state=0)
    daughters = movie.tracks[movie.tracks["parent"] > 0]
    assert len(daughters) >= 4
    for _, track in daughters.iterrows():
        parent = movie.tracks[movie.tracks["track"] == track["parent"]]
        if len(parent):
            assert parent["end"].iloc[0] == track["begin"] - 1
    for _, track in movie.tracks.iterrows():
        frames = np.flatnonzero((movie.labels == track["track"]).any(axis=(1, 2)))
        assert frames.min() >= track["begin"]
        assert frames.max() <= track["end"]


def test_the_colon_section_has_nuclei_and_glands():
    tissue = datasets.colon_glands()
    n = len(np.unique(tissue.nuclei.labels)) - 1
    assert 400 < n < 900
    assert 2 <= tissue.glands.max() <= 6
    assert 0.4 < (tissue.glands > 0).mean() < 0.7


@pytest.fixture
def animal(tmp_path):
    """Write a small file of the format of the Platynereis table."""
    rng = np.random.default_rng(0)
    n = 60
    columns = ["cell_volume_um3", "cell_bbox_dx_um", "cell_bbox_dy_um", "cell_bbox_dz_um", "nuc_volume_um3"]
    columns += ["nuc_intensity_mean", "chromatin_ratio_volume", "cell_shape_size_ratio"]
    df = pd.DataFrame(rng.random((n, len(columns))).astype(np.float32), columns=columns)
    for a in "xyz":
        df[f"{a}_um"] = rng.random(n)
        df[f"nuc_{a}_um"] = df[f"{a}_um"] + 0.5
    df["label_id"] = np.arange(10, 10 + n)
    df["cell_type_390"] = pd.Categorical(np.where(np.arange(n) < 20, "neuron", None))
    df["side"] = pd.array([True, False, None] * 20, dtype="boolean")
    df["region_head"] = np.arange(n) < 30
    folder = tmp_path / "platynereis"
    folder.mkdir()
    df.to_parquet(folder / "cells.parquet")
    pd.DataFrame({"label_id": [10, 11], "candidate_partner": [12, 13]}).to_parquet(
        folder / "bilateral_candidates.parquet"
    )
    return tmp_path


def test_the_animal_is_read_without_positions_as_features(animal, monkeypatch):
    monkeypatch.setenv("CELLGRAPH_DATA", str(animal))
    adata = datasets.platynereis()
    assert adata.obs["cell_id"].iloc[0] == 10
    assert not [v for v in adata.var_names if v.endswith(("x_um", "y_um", "z_um")) and "bbox" not in v]
    assert "cell_shape_size_ratio" not in adata.var_names
    assert adata[:, "nucleus_offset_um"].X[0, 0] == pytest.approx(np.sqrt(0.75), rel=1e-5)
    assert adata.obs["cell_type"].value_counts().to_dict() == {"unassigned": 40, "neuron": 20}
    assert adata.obs["region_head"].dtype == bool
    assert set(adata.obs["side"]) == {"a", "b", "unassigned"}
    assert datasets.platynereis_candidates(animal)["candidate"].tolist() == [12, 13]


def test_missing_data_is_named(tmp_path, monkeypatch, animal):
    monkeypatch.delenv("CELLGRAPH_DATA", raising=False)
    with pytest.raises(MissingFileError, match="set CELLGRAPH_DATA"):
        datasets.platynereis()
    with pytest.raises(MissingFileError, match="a file or folder at"):
        datasets.osmfish_cortex(tmp_path)
    table = animal / "platynereis" / "cells.parquet"
    pd.read_parquet(table).drop(columns="nuc_volume_um3").to_parquet(table)
    with pytest.raises(MissingKeyError, match=r"'nuc_volume_um3' in `cells.parquet`"):
        datasets.platynereis(animal)


def test_osmfish_is_read_in_micrometers(tmp_path):
    df = pd.DataFrame({"x_px": [0.0, 100.0], "y_px": [0.0, 200.0], "Gad2": [3, 4], "valid": [True, True]})
    df["cell_type"], df["region"], df["size_um2"] = ["a", "b"], ["L1", "L2"], [1.0, 2.0]
    (tmp_path / "osmfish_cortex").mkdir()
    df.to_parquet(tmp_path / "osmfish_cortex" / "cells.parquet")
    adata = datasets.osmfish_cortex(tmp_path)
    assert adata.var_names.tolist() == ["Gad2"]
    np.testing.assert_allclose(adata.obsm["spatial"][1], [6.5, 13.0])


def test_meristems_come_with_their_contacts(tmp_path):
    folder = tmp_path / "sam_willis2016"
    folder.mkdir()
    nodes = pd.DataFrame({"plant": ["p1"] * 3 + ["p2"] * 2, "hours": [0, 0, 4, 0, 0], "label": [5, 9, 5, 2, 3]})
    for a in "xyz":
        nodes[f"{a}_um"] = np.arange(5.0)
    nodes["volume_um3"], nodes["surface_area_um2"] = 8.0, 24.0
    nodes["layer"], nodes["touches_background"] = [1, 2, 1, 1, 3], [False, True, False, False, False]
    nodes["divides_next_4h"], nodes["tracked_next"] = [True, False, None, None, False], [True, True, False, False, True]
    nodes.to_parquet(folder / "nodes.parquet")
    edges = pd.DataFrame({"plant": ["p1", "p2", "p2"], "hours": 0, "label_a": [5, 2, 2], "label_b": [9, 3, 77]})
    edges.assign(contact_area_um2=[1.5, 2.5, 9.0]).to_parquet(folder / "edges.parquet")
    adata = datasets.plant_meristem(tmp_path)
    assert adata.obs["library_id"].tolist() == ["p1@0", "p1@0", "p1@4", "p2@0", "p2@0"]
    assert adata.obs["divides"].tolist() == ["yes", "no", "unassigned", "unassigned", "no"]
    assert adata.obs["layer"].tolist() == ["1", "2", "1", "1", "3"]
    area = adata.obsp["spatial_contact_area"].toarray()
    assert area[0, 1] == 1.5
    assert area[3, 4] == 2.5
    assert area.sum() == 8
    assert adata[:, "sphericity"].X[0, 0] == pytest.approx((np.pi / 6) ** (1 / 3), rel=1e-5)
    assert datasets.plant_meristem(tmp_path, plants=["p2"]).n_obs == 2
    with pytest.raises(MissingKeyError, match="'p7' in `plants`"):
        datasets.plant_meristem(tmp_path, plants=["p7"])


def test_embryos_come_with_names_sides_and_lineage(tmp_path):
    folder = tmp_path / "ascidian"
    folder.mkdir()
    frame = {"embryo": "E1", "node": np.arange(6), "t": [0, 0, 1, 1, 1, 1], "parent": [-1, -1, 0, 0, 1, -1]}
    frame |= {
        "x": [0.0, 10, 0, 4, 10, 0],
        "y": 0.0,
        "z": 0.0,
        "radius": [5.0, 5, 4, 4, 5, 0],
        "n_children": [2, 1, 0, 0, 0, 0],
    }
    frame |= {"name": ["a4.1_", "a4.1*", "a5.1_", "a5.2_", "a4.1*", ""], "fates1": ["Gut", "Gut", "Gut", "", "Gut", ""]}
    pd.DataFrame(frame).assign(bilateral_partner=[1, 0, -1, -1, -1, -1]).to_parquet(folder / "cells.parquet")
    adata = datasets.ascidian_embryos(tmp_path)
    assert adata.obs["cell_id"].tolist() == [1, 2, 3, 4, 5]  # a row without a radius is no cell
    assert adata.obs["library_id"].tolist() == ["E1@0"] * 2 + ["E1@1"] * 3
    assert adata.obs["name"].tolist() == ["a4.1", "a4.1", "a5.1", "a5.2", "a4.1"]
    assert adata.obs["side"].tolist() == ["left", "right", "left", "left", "right"]
    assert adata.obs["fate"].tolist() == ["Gut"] * 3 + ["unassigned", "Gut"]
    assert adata.obs["parent"].tolist() == [0, 0, 1, 1, 2]
    assert adata.obs["partner"].tolist() == [2, 1, 0, 0, 0]
    assert adata.obs["divides"].tolist() == ["yes", "no", "no", "no", "no"]
    np.testing.assert_allclose(adata[:, "frames_since_division"].X.ravel(), [np.nan, np.nan, 0, 0, np.nan])
    np.testing.assert_allclose(adata[:, "distance_to_center"].X[:2].ravel(), 1.5)
    np.testing.assert_allclose(adata.obsm["spatial"][1], [3, 0, 0])
    assert datasets.ascidian_embryos(tmp_path, frames=[1]).n_obs == 3
    with pytest.raises(NoCellsError, match="a table with rows"):
        datasets.ascidian_embryos(tmp_path, frames=[7])
