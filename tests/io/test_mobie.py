"""MoBIE tables in and out."""

import numpy as np
import pandas as pd
import pytest

from cellgraph_clr import io
from cellgraph_clr._core.errors import FileFormatError, MissingFileError


def test_round_trip(any_tissue, tmp_path):
    adata = any_tissue.adata()
    path = io.write_mobie_table(adata, tmp_path / "default.tsv")
    head = pd.read_csv(path, sep="\t", nrows=1).columns.tolist()
    assert head[:3] == ["label_id", "anchor_x", "anchor_y"]
    back = io.read_mobie_table(path, unit="micrometer")
    np.testing.assert_array_equal(back.obs["cell_id"], adata.obs["cell_id"])
    np.testing.assert_allclose(back.obsm["spatial"], adata.obsm["spatial"])
    np.testing.assert_allclose(back[:, adata.var_names].X, adata.X, rtol=1e-5)


def test_boxes_are_no_features_and_background_is_no_cell(tmp_path):
    df = pd.DataFrame({"label_id": [0, 4, 7], "anchor_x": [0, 1.0, 2], "anchor_y": [0, 3.0, 4], "bb_min_x": 0.0})
    df["n_pixels"], df["type"] = [99, 5, 6], ["", "a", None]
    df.to_csv(tmp_path / "t.csv", index=False)
    adata = io.read_mobie_table(tmp_path / "t.csv")
    assert adata.obs["cell_id"].tolist() == [4, 7]
    assert adata.var_names.tolist() == ["n_pixels"]
    assert adata.obs["type"].tolist() == ["a", "unassigned"]
    assert adata.obs["bb_min_x"].tolist() == [0.0, 0.0]


def test_bad_tables_are_named(tmp_path, any_tissue):
    with pytest.raises(MissingFileError):
        io.read_mobie_table(tmp_path / "no.tsv")
    pd.DataFrame({"label": [1]}).to_csv(tmp_path / "t.tsv", sep="\t")
    with pytest.raises(FileFormatError, match="label_id, anchor_x, anchor_y"):
        io.read_mobie_table(tmp_path / "t.tsv")
    adata = any_tissue.adata()
    del adata.obsm["spatial"]
    with pytest.raises(FileFormatError, match="spatial"):
        io.write_mobie_table(adata, tmp_path / "x.tsv")
