"""Real squidpy on our AnnData, untouched (`make interop`; squidpy lives in an environment of its own)."""

import json
import re
import warnings
from pathlib import Path

import numpy as np
import pytest

sq = pytest.importorskip("squidpy", reason="squidpy is installed by `make interop` only")

pytestmark = pytest.mark.filterwarnings("ignore")


def test_neighbourhood_enrichment_runs_and_sees_niches(adata):
    sq.gr.nhood_enrichment(adata, cluster_key="true_niche", show_progress_bar=False, seed=0)
    z = adata.uns["true_niche_nhood_enrichment"]["zscore"]
    assert (np.diag(z) > 3).all()


def test_the_calls_of_the_notebook_run(adata):
    """The notebook shows them as text: squidpy is not in the environment that executes it."""
    notebook = json.loads((Path(__file__).parents[2] / "notebooks" / "scanpy_squidpy.ipynb").read_text())
    told = "\n".join("".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "markdown")
    (code,) = [code for code in re.findall(r"```python\n(.*?)```", told, flags=re.DOTALL) if "import squidpy" in code]
    adata.obs["leiden_graph"] = adata.obs["true_niche"]  # clusters that lie in patches
    exec(code, {"adata": adata})
    assert (np.diag(adata.uns["leiden_graph_nhood_enrichment"]["zscore"]) > 3).all()
    assert set(adata.uns["moranI"].index) == set(adata.var_names)
    assert {"I", "pval_norm"} <= set(adata.uns["moranI"])


def test_moran_and_centrality_run(adata):
    sq.gr.spatial_autocorr(adata, mode="moran", genes=["type_a_mean", "area"], show_progress_bar=False)
    assert np.isfinite(adata.uns["moranI"]["I"]).all()
    sq.gr.interaction_matrix(adata, cluster_key="true_niche")
    assert "true_niche_interactions" in adata.uns


def test_our_knn_is_the_union_of_squidpys_directed_lists(adata):
    from cellgraph_clr import gr

    theirs = adata.copy()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        sq.gr.spatial_neighbors(theirs, n_neighs=5, coord_type="generic", key_added="theirs")
    gr.knn_graph(adata, n_neighbors=5)
    directed = theirs.obsp["theirs_connectivities"]
    assert ((directed + directed.T).astype(bool) != adata.obsp["spatial_connectivities"].astype(bool)).nnz == 0
