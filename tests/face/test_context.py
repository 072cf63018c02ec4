"""`tl.context`: where it writes, what reads it, what a shift between batches does."""

import json

import numpy as np
import pytest

import cellgraph_clr as cgc
from cellgraph_clr import CellGraphError, tl
from cellgraph_clr._core.errors import MissingKeyError, NoCellsError, NoGraphError, OptionError

QUICK = {"learn": False, "n_types": 8, "n_alike": 10, "n_apart": 20, "n_vectors": 10, "n_far": 8}


@pytest.fixture(scope="module")
def cells():
    adata = cgc.datasets.tissue(300, ndim=2, random_state=0).adata()
    cgc.gr.contact_graph(adata)
    cgc.pp.scale_features(adata)
    return adata


def test_it_writes_vectors_that_are_searched_by_default(cells, tmp_path):
    adata = cells.copy()
    assert tl.context(adata, **QUICK) is None
    vectors = adata.obsm["X_context"]
    assert vectors.dtype == np.float32
    assert vectors.shape[0] == adata.n_obs
    run = json.loads(adata.uns["cellgraph_clr"]["runs"]["X_context"])
    assert (run["function"], run["use_rep"], run["options"]["n_far"]) == ("tl.context", ["X"], 8)
    again = tl.context(cells, copy=True, **QUICK)
    np.testing.assert_array_equal(again.obsm["X_context"], vectors)
    assert "X_context" not in cells.obsm
    tl.retrieve(adata, {"true_niche": adata.obs["true_niche"].iloc[0]}, k=5)
    assert json.loads(adata.uns["cellgraph_clr"]["runs"]["retrieval"])["use_rep"] == "X_context"
    back = cgc.read(cgc.write(adata, tmp_path / "a.h5ad"))
    np.testing.assert_array_equal(back.obsm["X_context"], vectors)


def test_its_columns_are_weights(cells):
    """Cosines are those of the vectors about their mean: columns are not brought to one spread."""
    adata = tl.context(cells, copy=True, **QUICK)
    v = adata.obsm["X_context"].astype(float)
    v = v - v.mean(axis=0)
    v /= np.linalg.norm(v, axis=1, keepdims=True)
    table = tl.retrieve(adata, [int(adata.obs["cell_id"].iloc[7])], k=10)
    wanted = np.delete(v @ v[7], 7)
    np.testing.assert_allclose(table["score"], np.sort(wanted)[::-1][:10], atol=1e-4)
    names, similarity = tl.build_index(adata).query(adata.obsm["X_context"][7:8], 11)
    np.testing.assert_allclose(similarity[0, 1:], table["score"], atol=1e-4)
    assert (
        tl.retrieve(adata, [int(adata.obs["cell_id"].iloc[7])], k=10, use_rep="X")["score"].iloc[0]
        != table["score"].iloc[0]
    )


def test_codes_are_learned_and_several_representations_have_types_of_their_own(cells):
    adata = cells.copy()
    adata.obsm["X_other"] = np.random.default_rng(0).normal(size=(adata.n_obs, 4)).astype(np.float32)
    plain = tl.context(adata, copy=True, n_dims=1000, **QUICK).obsm["X_context"]
    both = tl.context(adata, copy=True, n_dims=1000, use_rep=["X", "X_other"], **QUICK).obsm["X_context"]
    assert both.shape[1] == plain.shape[1] + 2 * 8 + 4  # types near and far, and the features
    learned = tl.context(adata, copy=True, n_dims=1000, progress=False, **{**QUICK, "learn": True}).obsm["X_context"]
    assert learned.shape[1] == plain.shape[1] + 2 * 8


def test_a_shift_between_batches_is_taken_away(cells):
    other = cells.copy()
    other.X = other.X + 3
    joined = cgc.concat({"one": cells, "other": other})
    niche = joined.obs["true_niche"].astype(str).to_numpy()
    first = (joined.obs["library_id"] == "one").to_numpy()

    def across(**options):
        v = tl.context(joined, copy=True, **QUICK, **options).obsm["X_context"].astype(float)
        v = v - v.mean(axis=0)
        v /= np.linalg.norm(v, axis=1, keepdims=True)
        best = np.argsort(-(v[first] @ v[~first].T), axis=1)[:, :10]
        return (niche[~first][best] == niche[first][:, None]).mean()

    assert across(batch_key="library_id") > 0.8
    assert across(batch_key="library_id") > across() + 0.15


NO_WEIGHT = dict.fromkeys(("region_weight", "shared_weight", "near_weight", "cell_weight"), 0)


def test_no_cells_and_edges_between_samples_are_refused(cells):
    with pytest.raises(NoCellsError):
        tl.context(cells[:0].copy(), **QUICK)
    mixed = cells.copy()
    mixed.obs["slide"] = ["a", "b"] * (cells.n_obs // 2) + ["a"] * (cells.n_obs % 2)
    with pytest.raises(CellGraphError, match="edges within samples"):
        tl.context(mixed, library_key="slide", **QUICK)


def test_what_is_refused(cells):
    with pytest.raises(OptionError, match="Did you mean 'n_alike'"):
        tl.context(cells, n_alikes=3)
    with pytest.raises(NoGraphError):
        tl.context(cells, neighbors_key="none")
    with pytest.raises(CellGraphError, match="`adata` as an AnnData"):
        tl.context(cells.X)
    for bad in ({"n_types": 1}, {"n_dims": 0}, {"batch_key": "no such"}, {"learn": "yes"}, NO_WEIGHT):
        with pytest.raises(CellGraphError):
            tl.context(cells, **bad)


def test_an_unknown_batch_is_named(cells):
    with pytest.raises(MissingKeyError, match=r"'nope' in `adata.obs`.*Pass `batch_key=` of the sample column"):
        tl.context(cells, batch_key="nope", **QUICK)
