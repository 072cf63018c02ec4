"""The demos: the planted figures of the issue, the colon section, the animal on a generated file."""

import numpy as np
import pytest

from cellgraph_clr import read, tl, validate
from cellgraph_clr.cli import demo_colon, demo_planted
from cellgraph_clr.tl import contexts


def test_planted_figures_are_reached(monkeypatch):
    """5,000 cells, default noise, seed 0: where measured features fail, embedding and context do not."""
    monkeypatch.setitem(contexts.CODES, "n_steps", 50)  # a fourth is enough
    adata = demo_planted.planted_cells(5000, random_state=0)
    measured = demo_planted.planted_figures(adata, types="X", place="X", niche="X")
    assert measured["types"] <= 0.75
    assert measured["niches"] <= 0.5
    assert measured["twins"] <= 0.5
    tl.embed(adata, progress=False, **demo_planted.LOCAL)
    tl.context(adata, progress=False)
    learned = demo_planted.planted_figures(adata, types="X_cellgraph", place="X_cellgraph", niche="X_context")
    assert learned["types"] >= 0.92
    assert learned["niches"] >= 0.85
    assert learned["twins"] >= 0.85


def test_the_planted_demo_writes_what_it_says(tmp_path):
    lines = []
    demo_planted.run_planted(tmp_path, random_state=0, say=lines.append, quick=True)
    names = {p.name for p in tmp_path.iterdir()}
    assert names == {"planted_types.png", "planted_retrieval.png", "planted_reliability.png", "planted.h5ad"}
    assert any("type accuracy from 2 % labels" in line for line in lines)
    assert validate(read(tmp_path / "planted.h5ad")) == []


def test_the_colon_demo_finds_glands(tmp_path):
    lines = []
    adata = demo_colon.run_colon(tmp_path, random_state=0, say=lines.append)
    figures = demo_colon.colon_figures(adata, adata.obs["query"].to_numpy())
    assert figures["compartments, balanced accuracy"] > 0.85
    assert figures["query, precision"] > figures["query, chance precision"] + 0.2
    assert {p.name for p in tmp_path.iterdir()} == {
        "colon.png",
        "colon_graph.png",
        "colon_compartments.png",
        "colon_retrieval.png",
        "demo.h5ad",
        "colon.html",
    }
    assert validate(read(tmp_path / "demo.h5ad")) == []


@pytest.mark.filterwarnings("ignore:The .* cells of the query lie in")
def test_the_animal_demo_runs_on_a_generated_file(tmp_path, monkeypatch):
    import pandas as pd

    from cellgraph_clr.cli import demo_platynereis

    rng = np.random.default_rng(0)
    n = 300
    kind = np.arange(n) % 3
    df = pd.DataFrame({f"nuc_feature_{i}": rng.normal(kind, 0.5).astype(np.float32) for i in range(4)})
    for column in ("cell_volume_um3", "nuc_volume_um3", "cell_bbox_dx_um", "cell_bbox_dy_um", "cell_bbox_dz_um"):
        df[column] = rng.random(n).astype(np.float32)
    for a in "xyz":
        df[f"{a}_um"] = rng.random(n)
        df[f"nuc_{a}_um"] = df[f"{a}_um"]
    df["label_id"] = np.arange(1, n + 1)
    df["side"] = pd.array(np.arange(n) % 2 == 0, dtype="boolean")
    df["cell_type_390"] = pd.Categorical(np.where(np.arange(n) < 150, np.array(["a", "b", "c"])[kind], None))
    for organ in demo_platynereis.ORGANS:
        df[f"region_{organ}"] = rng.random(n) < 0.2
    (tmp_path / "platynereis").mkdir()
    df.to_parquet(tmp_path / "platynereis" / "cells.parquet")
    pairs = pd.DataFrame({"label_id": [1, 2, 3], "candidate_partner": [4, 5, 6]})
    pairs.to_parquet(tmp_path / "platynereis" / "bilateral_candidates.parquet")
    for recipe in (demo_platynereis.IDENTITY, contexts.CODES):
        monkeypatch.setitem(recipe, "n_steps", 3)
    lines = []
    (tmp_path / "out").mkdir()
    demo_platynereis.run_platynereis(tmp_path, tmp_path / "out", random_state=0, say=lines.append)
    text = "\n".join(lines)
    for part in ("features + identity", "position alone", "chance", "Twins", "mean of 200 neighbours"):
        assert part in text
    assert validate(read(tmp_path / "out" / "platynereis.h5ad")) == []


@pytest.mark.parametrize("cell", [3.0, 5.0])
def test_noise_makes_measured_features_worse(cell):
    from cellgraph_clr.datasets import Noise

    quiet, loud = (
        demo_planted.planted_figures(
            demo_planted.planted_cells(1500, noise=Noise(cell=c), random_state=0), types="X", place="X", niche="X"
        )
        for c in (0.5, cell)
    )
    assert loud["niches"] < quiet["niches"]
    assert loud["twins"] < quiet["twins"]
