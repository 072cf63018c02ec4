"""Codes find what vectors find; two dimensions to draw."""

import numpy as np
import pytest

import cellgraph_clr as cgc
from cellgraph_clr._core.errors import MissingKeyError, ShapeError
from cellgraph_clr._report import vectors
from cellgraph_clr._report.vectors import coded, flat_embedding, page_vectors
from cellgraph_clr.analysis.retrieval import centred_directions, nearest, standardised_directions


def found_by(code, scale, axis, rows, k=50):
    """The nearest by a plain loop over columns."""
    back = np.zeros((code.shape[1], axis.max() + 1))
    for column, s, a in zip(code, scale, axis, strict=True):
        back[:, a] += column * float(s)
    return [set(np.argsort(-(back @ back[r]), kind="stable")[:k].tolist()) for r in rows]


@pytest.mark.parametrize("weighted", [True, False])
def test_codes_find_what_vectors_find(rng, weighted):
    x = (rng.normal(size=(1500, 20)) * np.geomspace(3, 0.1, 20)).astype(np.float32)
    out = coded(x, weighted=weighted, n_dims=None, rng=np.random.default_rng(0))
    directions = (centred_directions if weighted else standardised_directions)(x)
    rows = rng.choice(1500, 40, replace=False)
    truth = nearest(directions[rows], directions, 50)[0]
    same = [len(f & set(t.tolist())) / 50 for f, t in zip(found_by(*out[:3], rows), truth, strict=True)]
    assert np.mean(same) >= 0.94
    assert out.agreement >= 0.94
    assert out.code.dtype == np.int8


def test_as_few_axes_as_will_do(rng):
    flat = rng.normal(size=(800, 3)) @ rng.normal(size=(3, 64)) + 1e-3 * rng.normal(size=(800, 64))
    assert coded(flat.astype(np.float32), weighted=True, n_dims=None, rng=rng).axis.max() + 1 == vectors.WIDTHS[0]


def test_finer_steps_where_eight_bits_are_too_few(rng, monkeypatch):
    """Far apart along one axis, cells are told apart along others, on which a step of the first says nothing."""
    x = np.c_[np.repeat([-8.0, 8], 400), rng.normal(size=(800, 10))].astype(np.float32)
    fine = coded(x, weighted=True, n_dims=11, rng=np.random.default_rng(0))
    assert fine.agreement >= vectors.ENOUGH
    assert len(fine.axis) > 11
    monkeypatch.setattr(vectors, "FINER", (1,))
    plain = coded(x, weighted=True, n_dims=11, rng=np.random.default_rng(0))
    assert plain.agreement < fine.agreement - 0.01
    assert plain.code.shape == (11, 800)


@pytest.mark.parametrize("finer", vectors.FINER)
def test_codes_are_within_half_a_step(rng, finer):
    x = (rng.normal(size=(300, 6)) * [20, 5, 3, 1, 0.2, 0.0]).astype(np.float32)
    back = vectors._decoded(*vectors._int8(x, finer))
    assert np.abs(back - x).max() <= 0.5001 * np.abs(x).max() / (127 * finer)


def test_dimensions_are_as_asked_and_small_for_many_cells(rng, monkeypatch):
    x = rng.normal(size=(500, 40)).astype(np.float32)
    assert coded(x, weighted=True, n_dims=5, rng=rng).axis.max() == 4
    monkeypatch.setattr(vectors, "MOST_BYTES", 500 * 20)
    assert coded(x, weighted=True, n_dims=None, rng=rng).axis.max() == 19


def test_equal_and_single_cells_have_codes(rng):
    for x in (np.ones((5, 3), np.float32), np.ones((1, 4), np.float32)):
        out = coded(x, weighted=True, n_dims=None, rng=rng)
        assert not out.code.any()


def test_the_first_vectors_there_are(cells):
    assert page_vectors(cells, None)[0] == "X_cellgraph"
    cells.obsm["X_context"] = cells.obsm["X_cellgraph"][:, :3]
    assert page_vectors(cells, None)[1].shape[1] == 3
    assert page_vectors(cells, "X")[0] == "X"
    bare = cells[:, :0].copy()
    for key in list(bare.obsm):
        del bare.obsm[key]
    assert page_vectors(bare, None) is None
    with pytest.raises(MissingKeyError):
        page_vectors(cells, "X_morpho")


def test_missing_values_count_as_the_median(cells):
    x = cells.X.copy()
    cells.X[3, 0] = np.nan
    got = page_vectors(cells, "X")[1]
    assert got[3, 0] == pytest.approx(np.median(np.delete(x[:, 0], 3)))
    np.testing.assert_array_equal(np.delete(got, 3, axis=0), np.delete(x, 3, axis=0))
    assert np.isnan(cells.X[3, 0])


def test_what_is_drawn_beside_the_tissue(cells):
    rows = np.arange(0, 400, 3)
    name, flat = flat_embedding(cells, rows, None, None, weighted=False, seed=0)
    assert name == "UMAP"
    np.testing.assert_array_equal(flat, cells.obsm["X_umap"][rows])
    del cells.obsm["X_umap"]
    assert flat_embedding(cells, rows, None, None, weighted=False, seed=0) is None
    few = cells.obsm["X_cellgraph"][:10]
    name, flat = flat_embedding(cells, rows[:10], None, few, weighted=False, seed=0)
    assert (name, flat.shape) == ("principal axes", (10, 2))
    cells.obsm["X_thin"] = np.zeros((400, 1))
    with pytest.raises(ShapeError, match="two columns"):
        flat_embedding(cells, rows, "X_thin", None, weighted=False, seed=0)


def test_principal_axes_are_those_of_most_spread(rng):
    x = np.c_[rng.normal(size=200), rng.normal(size=200), np.zeros(200)] @ np.linalg.qr(rng.normal(size=(3, 3)))[0]
    flat = vectors._principal(standardised_directions(x.astype(np.float32)))
    directions = standardised_directions(x.astype(np.float32))
    centred = directions - directions.mean(axis=0)
    spread = np.linalg.svd(centred, compute_uv=False)[:2] ** 2
    np.testing.assert_allclose((flat**2).sum(axis=0), spread, rtol=1e-3)


@pytest.mark.parametrize("weighted", [True, False])
def test_the_umap_is_of_what_is_compared(cells, monkeypatch, weighted):
    """Without a scale of their own a column of small values says as much as one of large ones; where scales are weights, little."""
    del cells.obsm["X_umap"]
    monkeypatch.setattr(vectors, "umap", lambda directions, seed: np.abs(directions[:, :2]).mean(axis=0))
    given = cells.obsm["X_cellgraph"][:, :3] * [1, 0.01, 1]
    name, (one, other) = flat_embedding(cells, np.arange(400), None, given, weighted=weighted, seed=0)
    assert name == "UMAP"
    assert (other < 0.1 * one) == weighted


@pytest.mark.parametrize("use_rep", ["X_cellgraph", "X_context", "X"])
def test_cells_found_are_those_of_retrieve(use_rep):
    adata = cgc.datasets.tissue(400, ndim=2, random_state=0).adata()
    cgc.gr.contact_graph(adata)
    cgc.pp.scale_features(adata)
    cgc.tl.embed(adata, n_steps=5, n_layers=1, progress=False)
    cgc.tl.context(adata, learn=False, progress=False)
    _, found, weighted = page_vectors(adata, use_rep)
    codes = coded(found, weighted=weighted, n_dims=None, rng=np.random.default_rng(0))
    rows = [3, 77, 200, 310]
    same = []
    for row, near in zip(rows, found_by(*codes[:3], rows, k=31), strict=True):
        table = cgc.tl.retrieve(adata, [adata.obs["cell_id"].iloc[row]], use_rep=use_rep, k=30)
        ids = set(adata.obs["cell_id"].to_numpy()[sorted(near - {row})])
        same.append(len(ids & set(table["cell_id"])) / 30)
    assert np.mean(same) >= 0.9
