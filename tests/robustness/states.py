"""AnnData in every state that users bring, through every function that takes one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache, partial
from typing import Any

import anndata as ad
import numpy as np
import pandas as pd
from scipy import sparse

import cellgraph_clr as cgc
from tests.robustness.case import Case, Wrong, either, right
from tests.robustness.oracles import close
from tests.robustness.scenes import QUICK, cells, classifier, embedder, graph_classifier

AREA = "AnnData in every state"
SAME = True  # the state says the same: so must the results
RNG = np.random.default_rng


def x_as(change: Callable[[np.ndarray], Any]) -> Callable[[ad.AnnData], Any]:
    """A state with another `X`."""

    def call(a):
        a.X = change(np.asarray(a.X))

    return call


def sets(slot: str, key: str, make: Callable[[ad.AnnData], Any]) -> Callable[[ad.AnnData], Any]:
    """A state with another entry of a slot."""

    def call(a):
        getattr(a, slot)[key] = make(a)

    return call


def drops(slot: str, key: str) -> Callable[[ad.AnnData], Any]:
    """A state without an entry of a slot."""

    def call(a):
        del getattr(a, slot)[key]

    return call


def at(values: Any, where: Any, value: Any) -> np.ndarray:
    """Return values with others at a place."""
    out = np.array(values)
    out[where] = value
    return out


def position(change: Callable[[np.ndarray], Any]) -> Callable[[ad.AnnData], Any]:
    """A state with other positions."""
    return sets("obsm", "spatial", lambda a: change(np.asarray(a.obsm["spatial"])))


def embedding(change: Callable[[np.ndarray], Any]) -> Callable[[ad.AnnData], Any]:
    """A state with another embedding."""
    return sets("obsm", "X_cellgraph", lambda a: change(np.asarray(a.obsm["X_cellgraph"])))


def kind(make: Callable[[ad.AnnData], Any]) -> Callable[[ad.AnnData], Any]:
    """A state with other labels of cells."""
    return sets("obs", "kind", make)


def graph(change: Callable[[Any], Any]) -> Callable[[ad.AnnData], Any]:
    """A state with another graph."""
    return sets("obsp", "spatial_connectivities", lambda a: change(a.obsp["spatial_connectivities"]))


def renamed(a: ad.AnnData, names: Any, what: str = "obs_names") -> None:
    """Give other names."""
    setattr(a, what, names)


def on_disk(a: ad.AnnData, mode: Any = "r") -> ad.AnnData:
    """Write and open without reading `X`."""
    a.write_h5ad("backed.h5ad")
    return ad.read_h5ad("backed.h5ad", backed=mode)


def again(a: ad.AnnData, name: str) -> ad.AnnData:
    """Write and read."""
    return cgc.read(cgc.write(a, name))


STATES: dict[str, tuple[Callable[[ad.AnnData], Any], bool]] = {
    "plain": (lambda a: None, SAME),
    "a view": (lambda a: a[:], SAME),
    "a view of a view": (lambda a: a[:][:, :], SAME),
    "written and read, h5ad": (lambda a: again(a, "a.h5ad"), SAME),
    "written and read, zarr": (lambda a: again(a, "a.zarr"), SAME),
    "backed": (on_disk, SAME),
    "backed for writing": (lambda a: on_disk(a, "r+"), SAME),
    "X csr": (x_as(sparse.csr_matrix), SAME),
    "X csc": (x_as(sparse.csc_matrix), SAME),
    "X csr array": (x_as(sparse.csr_array), SAME),
    "X Fortran order": (x_as(np.asfortranarray), SAME),
    "X read only": (x_as(lambda x: x.setflags(write=False) or x), SAME),
    "X double": (x_as(lambda x: x.astype(float)), SAME),
    "X big endian": (x_as(lambda x: x.astype(">f4")), SAME),
    "X dask": (x_as(lambda x: __import__("dask.array").array.from_array(x)), SAME),
    "X half": (x_as(lambda x: x.astype(np.float16)), False),
    "X int": (x_as(lambda x: (x * 100).astype(int)), False),
    "X uint8": (x_as(lambda x: (x * 9 + 90).astype(np.uint8)), False),
    "X bool": (x_as(lambda x: x > 0), False),
    "X complex": (x_as(lambda x: x + 1j), False),
    "X text": (x_as(lambda x: x.astype(str)), False),
    "X objects": (x_as(lambda x: x.astype(object)), False),
    "X masked": (x_as(lambda x: np.ma.masked_greater(x, 1)), False),
    "X matrix": (x_as(np.asmatrix), False),
    "X none": (lambda a: ad.AnnData(None, a.obs, obsm=dict(a.obsm), obsp=dict(a.obsp), uns=dict(a.uns)), False),
    "X with NaN": (x_as(lambda x: at(x, (3, 2), np.nan)), False),
    "X all NaN": (x_as(lambda x: x * np.nan), False),
    "X with inf": (x_as(lambda x: at(x, (3, 2), np.inf)), False),
    "X of 1e30": (x_as(lambda x: x * 1e30), False),
    "X of 1e-30": (x_as(lambda x: x * 1e-30), False),
    "X of 1e300": (x_as(lambda x: x.astype(float) * 1e300), False),
    "X of 1e9 with small steps": (x_as(lambda x: 1e9 + x.astype(float)), False),
    "X constant": (x_as(np.ones_like), False),
    "X a constant column": (x_as(lambda x: at(x, (slice(None), 0), 5)), False),
    "X a column of NaN": (x_as(lambda x: at(x, (slice(None), 0), np.nan)), False),
    "sparse with NaN": (x_as(lambda x: sparse.csr_matrix(at(x, (3, 2), np.nan))), False),
    "no feature": (lambda a: a[:, :0].copy(), False),
    "one feature": (lambda a: a[:, :1].copy(), False),
    "no cell": (lambda a: a[:0].copy(), False),
    "one cell": (lambda a: a[:1].copy(), False),
    "two cells": (lambda a: a[:2].copy(), False),
    "three cells": (lambda a: a[:3].copy(), False),
    "names double": (lambda a: renamed(a, ["a"] * a.n_obs), SAME),
    "names of text": (lambda a: renamed(a, [f"célula {i}\n" for i in range(a.n_obs)]), SAME),
    "names of features double": (lambda a: renamed(a, ["f"] * a.n_vars, "var_names"), False),
    "names of features with slash": (lambda a: renamed(a, [f"a/{i}" for i in range(a.n_vars)], "var_names"), False),
    "a layer named raw": (sets("layers", "raw", lambda a: np.full(a.shape, 2**30 + 1)), SAME),
    "a sparse layer named raw": (sets("layers", "raw", lambda a: sparse.csr_matrix(a.shape)), SAME),
    "raw set": (lambda a: setattr(a, "raw", a.copy()), SAME),
    "more in uns": (sets("uns", "mine", lambda a: {"a": object, 3: {1, 2}}), SAME),
    **{
        f"uns {key} {name}": (sets("uns", key, lambda a, v=value: v), False)
        for key in ("cellgraph_clr", "spatial_neighbors", "spatialdata_attrs")
        for name, value in {"None": None, "text": "x", "a number": 3, "a list": [1], "empty": {}, "of text": {"params": "x"}}.items()
    },
    **{f"uns {key} missing": (drops("uns", key), False) for key in ("cellgraph_clr", "spatial_neighbors")},
    **{
        f"uns cellgraph_clr, {key} {name}": (lambda a, k=key, v=value: a.uns["cellgraph_clr"].update({k: v}), False)
        for key in ("unit", "images", "contacts", "schema_version")
        for name, value in {"None": None, "text": "x", "a number": 3, "a list": [1], "a dict of text": {"0": "x"}}.items()
    },
    **{f"no {key}": (drops("obs", key), False) for key in ("cell_id", "region", "kind")},
    "no positions": (drops("obsm", "spatial"), False),
    "no embedding": (drops("obsm", "X_cellgraph"), False),
    "no graph": (drops("obsp", "spatial_connectivities"), False),
    "no distances": (drops("obsp", "spatial_distances"), False),
    "positions sparse": (position(sparse.csr_matrix), False),
    "positions in a data frame": (sets("obsm", "spatial", lambda a: pd.DataFrame(a.obsm["spatial"], a.obs_names, ["x", "y"])), SAME),
    "positions of integers": (position(lambda p: (p * 10).astype(int)), False),
    "positions of text": (position(lambda p: p.astype(str)), False),
    "positions of objects": (position(lambda p: p.astype(object)), False),
    "positions complex": (position(lambda p: p + 1j), False),
    "positions big endian": (position(lambda p: p.astype(">f8")), SAME),
    "positions in Fortran order": (position(np.asfortranarray), SAME),
    "positions 1D": (position(lambda p: p[:, :1]), False),
    "positions 4D": (position(lambda p: np.hstack([p, p])), False),
    "positions without axes": (position(lambda p: p[:, :0]), False),
    "positions NaN": (position(lambda p: at(p, (3, 0), np.nan)), False),
    "positions inf": (position(lambda p: at(p, (3, 0), np.inf)), False),
    "positions all alike": (position(np.zeros_like), False),
    "positions on a line": (position(lambda p: at(p, (slice(None), 0), 0)), False),
    "positions double": (position(lambda p: at(p, slice(1, None, 2), p[: -1 : 2])), False),
    "positions far away": (position(lambda p: at(p, (0, 0), 1e200)), False),
    "positions with an offset of 1e12": (position(lambda p: p + 1e12), False),
    **{f"positions at 1e{e}": (position(lambda p, e=e: p * 10.0**e), False) for e in (30, 150, 160, 200, 300, -30, -160, -170, -200, -300)},
    "embedding NaN": (embedding(lambda v: at(v, (3, 0), np.nan)), False),
    "embedding inf": (embedding(lambda v: at(v, (3, 0), np.inf)), False),
    "embedding constant": (embedding(np.ones_like), False),
    "embedding zero": (embedding(np.zeros_like), False),
    "embedding text": (embedding(lambda v: v.astype(str)), False),
    "embedding complex": (embedding(lambda v: v + 1j), False),
    "embedding sparse": (embedding(sparse.csr_matrix), False),
    "embedding of 1e30": (embedding(lambda v: v * 1e30), False),
    "embedding of 1e300": (embedding(lambda v: v.astype(float) * 1e300), False),
    "embedding of three axes": (embedding(lambda v: v[:, :, None]), False),
    "ids of text": (sets("obs", "cell_id", lambda a: a.obs["cell_id"].astype(str)), False),
    "ids of floats": (sets("obs", "cell_id", lambda a: a.obs["cell_id"] + 0.5), False),
    "ids double": (sets("obs", "cell_id", lambda a: 1), False),
    "ids below 0": (sets("obs", "cell_id", lambda a: -a.obs["cell_id"]), False),
    "ids of 0": (sets("obs", "cell_id", lambda a: np.arange(a.n_obs)), False),
    "ids near 2**63": (sets("obs", "cell_id", lambda a: 2**63 - 1 - np.arange(a.n_obs)), False),
    "ids unsigned near 2**64": (sets("obs", "cell_id", lambda a: np.uint64(2**64 - 1) - np.arange(a.n_obs, dtype=np.uint64)), False),
    "ids nullable": (sets("obs", "cell_id", lambda a: a.obs["cell_id"].astype("Int64")), False),
    "kind of numbers": (kind(lambda a: np.arange(a.n_obs) % 2), False),
    "kind of floats": (kind(lambda a: (np.arange(a.n_obs) % 2) * 1.0), False),
    "kind of floats with NaN": (kind(lambda a: at(np.arange(a.n_obs) % 2 * 1.0, 0, np.nan)), False),
    "kind of bools": (kind(lambda a: np.arange(a.n_obs) % 2 == 0), False),
    "kind of text": (kind(lambda a: a.obs["kind"].astype(str)), SAME),
    "kind with missing": (kind(lambda a: a.obs["kind"].astype(object).where(np.arange(a.n_obs) > 9)), False),
    "kind all missing": (kind(lambda a: pd.Categorical([None] * a.n_obs, categories=["a"])), False),
    "kind of one class": (kind(lambda a: "a"), False),
    "kind of a class a cell": (kind(lambda a: [f"c{i}" for i in range(a.n_obs)]), False),
    "kind of one cell": (kind(lambda a: ["b"] + ["a"] * (a.n_obs - 1)), False),
    "kind unassigned": (kind(lambda a: "unassigned"), False),
    "kind with empty categories": (kind(lambda a: a.obs["kind"].cat.add_categories(["z", ""])), False),
    "kind of numbers and text": (kind(lambda a: pd.Series([1, "1"] * a.n_obs, dtype=object)[: a.n_obs].to_numpy()), False),
    "kind with NUL": (kind(lambda a: ["a\0", "b"] * (a.n_obs // 2) + ["b"] * (a.n_obs % 2)), False),
    "kind of dates": (kind(lambda a: pd.date_range("2020", periods=a.n_obs)), False),
    "kind of objects": (kind(lambda a: [object()] * a.n_obs), False),
    "kind nullable": (kind(lambda a: pd.array((["a", None] * a.n_obs)[: a.n_obs], "string")), False),
    "frame NaN": (sets("obs", "frame", lambda a: at(np.zeros(a.n_obs), 0, np.nan)), False),
    "frame text": (sets("obs", "frame", lambda a: "x"), False),
    "frame beyond 63 bits": (sets("obs", "frame", lambda a: 1e19), False),
    "library_id missing for some": (sets("obs", "library_id", lambda a: at(np.full(a.n_obs, "s", object), 0, None)), False),
    "library_id across edges": (sets("obs", "library_id", lambda a: pd.Categorical(np.where(np.arange(a.n_obs) % 3, "s", "t"))), False),
    "library_id of numbers": (sets("obs", "library_id", lambda a: np.arange(a.n_obs) % 2), False),
    "graph csc": (graph(sparse.csc_matrix), SAME),
    "graph csr array": (graph(sparse.csr_array), SAME),
    "graph dense": (graph(lambda g: g.toarray()), False),
    "graph of ints": (graph(lambda g: g.astype(int)), SAME),
    "graph of bools": (graph(lambda g: g.astype(bool)), SAME),
    "graph of 64-bit indices": (graph(lambda g: sparse.csr_matrix((g.data, g.indices.astype(np.int64), g.indptr.astype(np.int64)), g.shape)), SAME),
    "graph directed": (graph(lambda g: sparse.triu(g, format="csr")), False),
    "graph with loops": (graph(lambda g: g + sparse.eye(g.shape[0], format="csr")), False),
    "graph with stored zeros": (graph(lambda g: sparse.csr_matrix((at(g.data, 0, 0), g.indices, g.indptr), g.shape)), False),
    "graph with NaN": (graph(lambda g: sparse.csr_matrix((at(g.data, 0, np.nan), g.indices, g.indptr), g.shape)), False),
    "graph negative": (graph(lambda g: -g), False),
    "graph complex": (graph(lambda g: g.astype(complex)), False),
    "graph empty": (graph(lambda g: sparse.csr_matrix(g.shape)), False),
    "graph complete": (graph(lambda g: sparse.csr_matrix(np.ones(g.shape))), False),
    "distances NaN": (sets("obsp", "spatial_distances", lambda a: a.obsp["spatial_distances"] * np.nan), False),
    "distances negative": (sets("obsp", "spatial_distances", lambda a: -a.obsp["spatial_distances"]), False),
}  # fmt: skip

CALLS: dict[str, Callable[[ad.AnnData], Any]] = {  # each gives arrays or a table to be compared
    "validate": cgc.validate,
    "gr.contact_graph": lambda a: cgc.gr.contact_graph(a, copy=True),
    "gr.delaunay_graph": lambda a: cgc.gr.delaunay_graph(a, copy=True),
    "gr.knn_graph": lambda a: cgc.gr.knn_graph(a, copy=True),
    "gr.radius_graph": lambda a: cgc.gr.radius_graph(a, radius=10.0, copy=True),
    "gr.intersect_graphs": lambda a: cgc.gr.intersect_graphs(a, "spatial", "touching", copy=True),
    "gr.aggregate_neighbors": lambda a: cgc.gr.aggregate_neighbors(a, copy=True),
    "pp.scale_features": lambda a: cgc.pp.scale_features(a, copy=True).X,
    "pp.scale_features, zscore": lambda a: cgc.pp.scale_features(a, method="zscore", copy=True).X,
    "pp.split": lambda a: cgc.pp.split(a, n_blocks=4, copy=True).obs["split"].astype(str),
    "tl.embed": lambda a: cgc.tl.embed(a, n_dims=4, n_hidden=4, copy=True, **QUICK).obsm["X_cellgraph"],
    "CellGraphCLR.transform": lambda a: embedder().transform(a),
    "tl.cluster": lambda a: cgc.tl.cluster(a, method="gmm", n_clusters=2, copy=True).obs["gmm"].astype(str),
    "tl.classify": lambda a: cgc.tl.classify(a, "kind", n_steps=2, copy=True).obsm["kind_pred_proba"],
    "CellGraphClassifier.predict_proba": lambda a: graph_classifier().predict_proba(a),
    "SoftInfoNCEClassifier.predict_proba": lambda a: classifier().predict_proba(np.asarray(a.X)),
    "tl.transfer_labels": lambda a: (
        cgc.tl.transfer_labels(cells(), a, "kind", n_neighbors=3, copy=True).obs["kind_pred"].astype(str)
    ),
    "tl.retrieve": lambda a: cgc.tl.retrieve(a, [1, 2], k=5),
    "tl.retrieve_regions": lambda a: cgc.tl.retrieve_regions(a, list(range(1, 6))),
    "tl.build_index": lambda a: cgc.tl.build_index(a).query(cells().obsm["X_cellgraph"][:3], 2)[1],
    "tl.morpho_context": lambda a: cgc.tl.morpho_context(a, use_rep="X", copy=True).obsm["X_morphocontext"],
    "to_pyg": lambda a: cgc.to_pyg(a, label_key="kind").x,
    "to_networkx": lambda a: sorted(cgc.to_networkx(a).edges),
    "concat": lambda a: cgc.concat({"one": a, "other": cells()}).X,
    "write": lambda a: cgc.read(cgc.write(a, "w.h5ad")).X,
    "write, zarr": lambda a: cgc.read(cgc.write(a, "w.zarr")).X,
    "write_mobie_table": lambda a: cgc.io.read_mobie_table(cgc.io.write_mobie_table(a, "t.tsv")).X,
    "pl.spatial": lambda a: cgc.pl.spatial(a, "kind", show=False) and None,
}


def plain_numbers(value: Any) -> list[np.ndarray]:
    """Return what a call gave as arrays of numbers."""
    if value is None or isinstance(value, str | list):
        return []
    if isinstance(value, pd.DataFrame):
        return [value.select_dtypes("number").to_numpy(float)]
    if isinstance(value, pd.Series):
        return [pd.factorize(value)[0].astype(float)]
    if isinstance(value, tuple):
        return [a for part in value for a in plain_numbers(part)]
    value = value.compute() if hasattr(value, "compute") else value
    if sparse.issparse(value):
        return [value.toarray().astype(float)]
    return [np.asarray(value, float)]


@cache
def wanted(call: str) -> list[np.ndarray]:
    """Return the numbers of a call with the plain state."""
    return plain_numbers(CALLS[call](cells()))


def cases() -> Iterator[Case]:
    """Yield every state through every call."""
    for state, (change, same) in STATES.items():
        for call in CALLS:
            yield Case(AREA, f"{state}: {call}", partial(_tried, change, same, call))


def _tried(change, same, call, folder, seed):
    right_numbers = wanted(call) if same else None
    adata = cells()
    changed = change(adata)
    adata = changed if changed is not None else adata
    must = right if change is STATES["plain"][0] else either
    must(lambda: CALLS[call](adata), lambda found: check(call, adata, plain_numbers(found), right_numbers))


def check(call: str, adata: ad.AnnData, found: list[np.ndarray], right_numbers: list[np.ndarray] | None) -> None:
    """Raise `Wrong` for other numbers than those of the plain state, or NaN out of what had none."""
    if right_numbers is not None:
        if len(found) != len(right_numbers):
            raise Wrong(f"{len(found)} results, not {len(right_numbers)}")
        for one, other in zip(found, right_numbers, strict=True):
            close(one, other, f"result of {call}", rtol=1e-3, atol=1e-4)
    kept = call.startswith(("pp.scale", "write", "concat", "to_pyg")) or call == "SoftInfoNCEClassifier.predict_proba"
    if not kept and not all(np.isfinite(a).all() for a in found):
        raise Wrong("NaN or infinity in the result")
