"""Tools on AnnData: embed, context, classify, retrieve, cluster. Follows scanpy; `retrieve*` return their table."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from scipy.sparse import issparse

from cellgraph_clr._core.checks import (
    check_finite,
    check_in_range,
    check_key,
    check_option,
    check_whole,
    expected,
    listing,
)
from cellgraph_clr._core.errors import EmptyQueryError, LabelKeyError, NoCellsError, OptionError, ShapeError
from cellgraph_clr._core.log import log_written
from cellgraph_clr._core.rng import RandomState, as_seed
from cellgraph_clr._query import Query, query_rows, query_vectors
from cellgraph_clr.analysis import regions as region_search
from cellgraph_clr.analysis.retrieval import query_similarity, standardised_directions, top_k
from cellgraph_clr.graphs.labels import label_codes
from cellgraph_clr.graphs.layout import UNASSIGNED, adjacency_of, read_features, record_run, sample_of, unit_of

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence

    import pandas as pd
    from anndata import AnnData

    from cellgraph_clr.models.cellgraph_clr import CellGraphCLR

__all__ = ["classify", "cluster", "embed", "morpho_context", "retrieve", "retrieve_regions"]


def representation(adata: AnnData, use_rep: str | Sequence[str] | None) -> tuple[np.ndarray, list[str]]:
    """Return the vectors (n, d) of one or several representations side by side, and their names.

    None takes `X` and, when present, `obsm["X_cellgraph"]`. Raises `MissingKeyError` and `NonFiniteError`.
    """
    if use_rep is None:
        names = [k for k in ("X", "X_cellgraph") if (k == "X" and adata.n_vars) or k in adata.obsm]
    else:
        names = [use_rep] if isinstance(use_rep, str) else list(use_rep)
    blocks = []
    for name in names or ["X"]:
        values, info = read_features(adata, name)
        check_finite(
            values,
            what=f"values of {name!r}",
            names=[i.name for i in info],
            remedy="Call `cgc.pp.scale_features(adata, impute='median')` or drop these cells.",
        )
        blocks.append(values)
    return np.concatenate(blocks, axis=1), names


def embed(
    adata: AnnData,
    *,
    objective: str = "infonce_p",
    positives: str | tuple[str, ...] = "both",
    n_positives: int = 5,
    use_rep: str | None = None,
    neighbors_key: str = "spatial",
    library_key: str | None = None,
    model: CellGraphCLR | None = None,
    checkpoint: str | os.PathLike[str] | None = None,
    key_added: str = "X_cellgraph",
    random_state: RandomState = 0,
    device: str = "auto",
    progress: bool | None = None,
    copy: bool = False,
    **config: Any,
) -> AnnData | None:
    """Learn an embedding of cells from features and graph, without labels.

    Parameters
    ----------
    adata : features in `X` (or `use_rep`) and a spatial graph. Features are standardised inside; positions are not used.
    objective : "infonce_p", "infonce", "nt_xent", "composite_infonce", "supcon", "supcon_in", "mil_nce" or "vicreg".
    positives : "neighbors", "views", "both", an `obs` column (cells of one class), an `obsp` key (any relation), or a tuple
        of these.
    n_positives : positives per anchor.
    use_rep, neighbors_key, library_key : where features, graph and samples are.
    model : a fitted `CellGraphCLR` to apply instead of training one; the training options must then be left alone.
    checkpoint : file that training is saved to and goes on from when it exists.
    key_added : `obsm` key of the embedding (n, n_dims) float32; provenance and the figures of the last step go to
        `uns["cellgraph_clr"]["runs"][key_added]`.
    random_state, device, progress : as in `CellGraphCLR`.
    copy : return a new AnnData.
    **config : further fields of `CellGraphCLRConfig` (n_steps, n_dims, n_layers, encoder, temperature, …), and `precision` and
        `n_processes` of `CellGraphCLR`.

    Raises
    ------
    NoGraphError, MissingKeyError, NonFiniteError, NoCellsError, OptionError, LabelKeyError, ModelFileError
        As `CellGraphCLR.fit` and `.transform`.
    """
    from cellgraph_clr.models.cellgraph_clr import CellGraphCLR

    adata = adata.copy() if copy else adata
    keys: dict[str, Any] = {"use_rep": use_rep, "neighbors_key": neighbors_key, "library_key": library_key}
    if model is None:
        model = CellGraphCLR(
            objective=objective,
            positives=positives,
            n_positives=n_positives,
            random_state=random_state,
            device=device,
            progress=progress,
            **config,
        )
        model.fit(adata, checkpoint=checkpoint, **keys)
    else:
        defaults = {"objective": "infonce_p", "positives": "both", "n_positives": 5}
        given = {"objective": objective, "positives": positives, "n_positives": n_positives}
        changed = sorted([*config, *(k for k, v in given.items() if v != defaults[k])])
        changed += ["checkpoint"] if checkpoint is not None else []
        if changed:
            raise OptionError(expected("no training options beside `model`", changed, "Set them when fitting."))
    adata.obsm[key_added] = model.transform(adata, **keys)
    last = {k: v[-1] for k, v in model.history_.items() if v}
    run = {"function": "tl.embed", "config": asdict(model.config), "seed": model.seed_, **keys}
    record_run(adata, key_added, {**run, "features": model.feature_names_, "last_step": last})
    log_written("tl.embed", [f"obsm[{key_added!r}]"])
    return adata if copy else None


def morpho_context(
    adata: AnnData,
    *,
    use_rep: str | None = "X_morpho",
    mode: Literal["concat", "mean"] = "concat",
    n_hops: int = 1,
    weights: str | None = None,
    n_features: int | None = None,
    neighbors_key: str = "spatial",
    key_added: str = "X_morphocontext",
    copy: bool = False,
) -> AnnData | None:
    """Describe cells by their own features and those of their neighbours (MorphoContextFeatures).

    Parameters
    ----------
    adata : with a spatial graph; the published form uses the contact graph.
    use_rep : `obsm` key of the features; None is `X`.
    mode : "concat" sets own features beside the neighbours' mean; "mean" averages a cell together with its neighbours.
    n_hops : neighbours up to this many steps away, all weighted alike (1: direct neighbours, or by `weights`).
    weights : as in `gr.aggregate_neighbors`; direct neighbours only.
    n_features : agglomerate the result to this many columns (the published form has 200); None keeps all.
    neighbors_key : the graph.
    key_added : `obsm` key of the result, float32.
    copy : return a new AnnData.

    Raises
    ------
    NoGraphError, MissingKeyError, NonFiniteError, OptionError
        For missing parts, NaN, wrong options.

    Notes
    -----
    Cells without neighbours have a neighbour mean of zero ("concat") or their own features ("mean").
    Source: Zinchenko et al. 2023, MorphoContextFeatures; both readings of their text are offered.
    """
    from scipy.sparse import eye

    from cellgraph_clr.graphs.neighbors import hop_relation, row_normalised

    check_option("mode", mode, ("concat", "mean"))
    check_whole("n_hops", n_hops)
    if weights is not None and n_hops > 1:
        raise OptionError(expected("`weights` with n_hops = 1", n_hops, "Leave `weights` out for several hops."))
    adata = adata.copy() if copy else adata
    values, _ = representation(adata, use_rep or "X")
    adjacency = adjacency_of(adata, neighbors_key, weights)
    if n_hops > 1:
        adjacency = hop_relation(adjacency, n_hops)
    if mode == "concat":
        out = np.concatenate([values, row_normalised(adjacency) @ values], axis=1)
    else:
        own = eye(adata.n_obs, format="csr", dtype=np.float32)
        scale = float(adjacency.data.mean()) if adjacency.nnz else 1.0  # a cell weighs as much as a mean neighbour
        out = row_normalised((adjacency + scale * own).tocsr()) @ values
    if n_features is not None:
        check_whole("n_features", n_features, high=out.shape[1])
        from sklearn.cluster import FeatureAgglomeration

        out = FeatureAgglomeration(n_clusters=n_features).fit_transform(out)
    adata.obsm[key_added] = np.ascontiguousarray(out, np.float32)
    run = {"function": "tl.morpho_context", "mode": mode, "n_hops": n_hops, "weights": weights, "use_rep": use_rep}
    record_run(adata, key_added, {**run, "n_features": n_features, "neighbors_key": neighbors_key})
    log_written("tl.morpho_context", [f"obsm[{key_added!r}]"])
    return adata if copy else None


def classify(
    adata: AnnData,
    label_key: str,
    *,
    use_rep: str | Sequence[str] | None = None,
    head: str = "soft_infonce",
    min_confidence: float | None = None,
    calibrate: bool = True,
    key_added: str | None = None,
    random_state: RandomState = 0,
    copy: bool = False,
    **options: Any,
) -> AnnData | None:
    """Predict a class with a confidence for every cell, from the labelled ones.

    Parameters
    ----------
    adata : cells; those whose `obs[label_key]` is neither missing nor "unassigned" are learned from.
    label_key : `obs` column of classes.
    use_rep : representation(s) to learn from, e.g. ("X", "X_cellgraph"); None takes these two where present.
    head : "soft_infonce" or "soft_cross_entropy" (the loss of the classifier).
    min_confidence : cells below are called "unassigned"; None calls every cell.
    calibrate : temperature scaling on out-of-fold logits.
    key_added : results go to `obs[key]`, `obs[key + "_confidence"]` and `obsm[key + "_proba"]` (a DataFrame with one column
        per class); key = `key_added` or `label_key + "_pred"`. A predicted label is written for labelled cells as well.
    random_state : seed.
    copy : return a new AnnData.
    **options : further arguments of `models.SoftInfoNCEClassifier` (smoothing, mixup, n_steps, …; `network="mlp"`).

    Raises
    ------
    LabelKeyError
        If the column is missing, has fewer than two classes, or holds measurements.
    MissingKeyError, NonFiniteError, OptionError
        For missing representations, NaN, wrong options.
    """
    import pandas as pd

    from cellgraph_clr.models.soft_infonce import SoftInfoNCEClassifier

    check_option("head", head, ("soft_infonce", "soft_cross_entropy"))
    if min_confidence is not None:
        check_in_range("min_confidence", min_confidence, low=0, high=1)
    adata = adata.copy() if copy else adata
    codes, classes = label_codes(adata, label_key)
    slashed = [c for c in classes if "/" in c]
    if slashed:
        raise LabelKeyError(
            expected(
                "class names that files can hold as columns", f"a slash in {listing(slashed)}", "Rename these classes."
            )
        )
    vectors, names = representation(adata, use_rep)
    network = options.pop("network", "linear")
    model = SoftInfoNCEClassifier(
        head=network, loss=head, calibrate=calibrate, random_state=as_seed(random_state), **_known_options(options)
    )
    labelled = codes >= 0
    model.fit(vectors[labelled], np.asarray(classes, object)[codes[labelled]].astype(str))
    proba = model.predict_proba(vectors)
    confidence = proba.max(axis=1)
    predicted = model.classes_[proba.argmax(axis=1)].astype(object)
    if min_confidence is not None:
        predicted[confidence < min_confidence] = UNASSIGNED
    key = key_added or f"{label_key}_pred"
    categories = [*classes, UNASSIGNED] if (predicted == UNASSIGNED).any() else classes
    adata.obs[key] = pd.Categorical(predicted, categories=categories)
    adata.obs[f"{key}_confidence"] = confidence.astype(np.float32)
    adata.obsm[f"{key}_proba"] = pd.DataFrame(proba, index=adata.obs_names, columns=list(model.classes_))
    run = {"function": "tl.classify", "label_key": label_key, "use_rep": names, "options": model.get_params()}
    temperature = model.calibration_temperature_
    record_run(adata, key, {**run, "n_labelled": int(labelled.sum()), "calibration_temperature": temperature})
    log_written("tl.classify", [f"obs[{key!r}]", f"obs['{key}_confidence']", f"obsm['{key}_proba']"])
    return adata if copy else None


def _known_options(options: dict[str, Any]) -> dict[str, Any]:
    from cellgraph_clr._core.checks import check_key
    from cellgraph_clr.models.soft_infonce import SoftInfoNCEClassifier

    known = [k for k in SoftInfoNCEClassifier().get_params() if k not in ("head", "loss", "calibrate", "random_state")]
    for name in options:
        check_key(name, [*known, "network"], where="options of tl.classify", error=OptionError)
    return options


def retrieve(
    adata: AnnData,
    query: Query,
    *,
    reference: AnnData | None = None,
    use_rep: str = "X_cellgraph",
    k: int = 50,
    aggregate: Literal["mean", "max"] = "mean",
    exclude_query: bool = True,
    key_added: str = "retrieval",
) -> pd.DataFrame:
    """Find the cells most like a query, and return them ranked.

    Parameters
    ----------
    adata : where the query is.
    query : a bool mask (n,), cell ids, `obs_names`, a mapping such as {"cell_type": "neuron"}, or float vector(s) of
        `use_rep`.
    reference : where to search; None searches `adata`.
    use_rep : representation; columns are standardised over the reference, similarity is the cosine.
    k : cells returned (fewer when there are fewer).
    aggregate : "mean" compares with the mean direction of the query, "max" with its nearest member.
    exclude_query : leave the query's own cells out (they are in `adata`; a reference keeps all of its cells).
    key_added : `obs` columns written where it was searched: f"{key_added}_score" (cosine, every cell) and
        f"{key_added}_rank" (1 … k, 0 for cells not returned).

    Returns
    -------
    DataFrame indexed by `obs_names`: rank, cell_id, library_id (where known), score, and x, y(, z) in the unit of
    positions.

    Raises
    ------
    EmptyQueryError
        If the query matches no cell (absent ids are listed with the nearest ones), or excludes all.
    MissingKeyError, NonFiniteError, ShapeError, OptionError
        For a missing or NaN representation, other widths, wrong options.

    Notes
    -----
    Exact: one matrix product over all cells.
    """
    target = adata if reference is None else reference
    vectors, _ = representation(target, use_rep)
    own = vectors if reference is None else representation(adata, use_rep)[0]
    if own.shape[1] != vectors.shape[1]:
        raise ShapeError(expected(f"a reference of width {own.shape[1]}", vectors.shape[1], "Embed both by one model."))
    check_whole("k", k)
    chosen, rows = query_vectors(adata, query, own)
    if reference is None and exclude_query and len(rows) == adata.n_obs:
        raise EmptyQueryError(
            expected("cells outside the query to search", "a query of all cells", "Pass `exclude_query=False`.")
        )
    scores = query_similarity(
        standardised_directions(vectors), standardised_directions(chosen, vectors), aggregate=aggregate
    )
    allowed = np.ones(len(scores), bool)
    if reference is None and exclude_query:
        allowed[rows] = False
    found = top_k(scores, k, allowed=allowed)
    rank = np.zeros(len(scores), np.int64)
    rank[found] = np.arange(1, len(found) + 1)
    target.obs[f"{key_added}_score"] = scores.astype(np.float32)
    target.obs[f"{key_added}_rank"] = rank
    if f"{key_added}_region" in target.obs:  # the answer to an older question
        del target.obs[f"{key_added}_region"]
    record_run(target, key_added, {"function": "tl.retrieve", "use_rep": use_rep, "k": int(k), "aggregate": aggregate})
    log_written("tl.retrieve", [f"obs['{key_added}_score']", f"obs['{key_added}_rank']"])
    table = _places(target, found)
    table.insert(0, "rank", rank[found])
    table["score"] = scores[found]
    return table


def _places(adata: AnnData, rows: np.ndarray) -> pd.DataFrame:
    import pandas as pd

    xyz = np.asarray(adata.obsm["spatial"])[rows] if "spatial" in adata.obsm else np.zeros((len(rows), 0))
    table = pd.DataFrame(xyz, columns=list("xyz")[: xyz.shape[1]], index=adata.obs_names[rows])
    if "library_id" in adata.obs:
        table.insert(0, "library_id", adata.obs["library_id"].astype(str).to_numpy()[rows])
    if "cell_id" in adata.obs:
        table.insert(0, "cell_id", adata.obs["cell_id"].to_numpy()[rows])
    return table


def retrieve_regions(
    adata: AnnData,
    query: Query,
    *,
    min_cells: int = 5,
    use_rep: str = "X_cellgraph",
    n_smooth: int = 1,
    min_similarity: float | Literal["auto"] = "auto",
    exclude_query: bool = True,
    neighbors_key: str = "spatial",
    key_added: str = "retrieval",
) -> pd.DataFrame:
    """Find connected neighbourhoods that resemble a query region, and return them ranked.

    Parameters
    ----------
    adata : with a spatial graph and an embedding.
    query : cells of the region: a mask, ids, names or a category (see `retrieve`).
    min_cells : smallest region returned.
    use_rep : representation compared by cosine, columns standardised.
    n_smooth : times the similarity is averaged over neighbours, so that single cells neither make nor break a region.
    min_similarity : lowest (smoothed) similarity of a member; "auto" is what three quarters of the query's own cells
        reach, or where the most similar of three classes of the others begins (Otsu) if that is lower (never below 0).
    exclude_query : the query's cells can be in no region.
    neighbors_key : the graph that connects.
    key_added : writes `obs[f"{key_added}_score"]` (smoothed similarity of every cell) and `obs[f"{key_added}_region"]` (1 …
        number of regions, by rank; 0 outside).

    Returns
    -------
    DataFrame indexed by region (1 is the best): score (mean similarity), n_cells, size (sum of `volume` or `area` of its
    cells, in the unit of that feature; only where measured), x, y(, z) of its centre, extent_x, … in the unit of positions,
    and library_id where known. Empty when nothing is similar enough.

    Raises
    ------
    EmptyQueryError, NoGraphError, MissingKeyError, NonFiniteError, OptionError
        As `retrieve`; NoGraphError without a graph.
    """
    import pandas as pd

    check_whole("min_cells", min_cells)
    check_whole("n_smooth", n_smooth, low=0)
    check_key("spatial", list(adata.obsm), where="adata.obsm", remedy="Set `adata.obsm['spatial']` to x, y(, z).")
    vectors, _ = representation(adata, use_rep)
    rows = query_rows(adata, query)
    adjacency = adjacency_of(adata, neighbors_key)
    directions = standardised_directions(vectors)
    similarity = query_similarity(directions, directions[rows])
    scores = region_search.region_scores(similarity, adjacency, n_smooth=n_smooth)
    if min_similarity == "auto":
        threshold = region_search.similarity_threshold(scores, rows)
    else:
        check_in_range("min_similarity", min_similarity, low=-1, high=1)
        threshold = float(min_similarity)
    blocked = np.zeros(adata.n_obs, bool)
    blocked[rows] = exclude_query
    found = region_search.find_regions(scores, adjacency, threshold=threshold, min_cells=min_cells, blocked=blocked)
    member = np.zeros(adata.n_obs, np.int64)
    records = []
    size_name = next((n for n in ("volume", "area") if n in adata.var_names), None)
    size = None
    if size_name is not None:
        layer = adata.layers.get("raw", adata.X)
        column = layer[:, adata.var_names.get_loc(size_name)]
        size = np.asarray(column.toarray() if issparse(column) else column).ravel()
    xyz = np.asarray(adata.obsm["spatial"], float)
    samples = sample_of(adata, None)
    for number, region in enumerate(found, start=1):
        member[region.rows] = number
        place = xyz[region.rows]
        record: dict[str, Any] = {"region": number, "score": region.score, "n_cells": len(region.rows)}
        if size is not None:
            record["size"] = float(size[region.rows].sum())
        if samples[region.rows[0]]:
            record["library_id"] = samples[region.rows[0]]
        record |= {a: float(v) for a, v in zip("xyz", place.mean(axis=0), strict=False)}
        record |= {f"extent_{a}": float(v) for a, v in zip("xyz", np.ptp(place, axis=0), strict=False)}
        records.append(record)
    adata.obs[f"{key_added}_score"] = scores.astype(np.float32)
    adata.obs[f"{key_added}_region"] = member
    if f"{key_added}_rank" in adata.obs:  # the answer to an older question
        del adata.obs[f"{key_added}_rank"]
    run = {
        "function": "tl.retrieve_regions",
        "use_rep": use_rep,
        "min_cells": int(min_cells),
        "n_smooth": int(n_smooth),
    }
    record_run(adata, key_added, {**run, "min_similarity": threshold})
    log_written("tl.retrieve_regions", [f"obs['{key_added}_score']", f"obs['{key_added}_region']"])
    table = pd.DataFrame.from_records(records, columns=None if records else ["region", "score", "n_cells"])
    table = table.set_index("region")
    table.attrs |= {"unit": unit_of(adata), "min_similarity": threshold}
    return table


def cluster(
    adata: AnnData,
    *,
    method: Literal["leiden", "gmm"] = "leiden",
    n_clusters: int | Literal["auto"] = "auto",
    use_rep: str = "X_cellgraph",
    resolution: float = 1.0,
    n_neighbors: int = 15,
    key_added: str | None = None,
    random_state: RandomState = 0,
    copy: bool = False,
) -> AnnData | None:
    """Cluster cells by an embedding.

    Parameters
    ----------
    adata : with the embedding.
    method : "leiden" (scanpy's, igraph flavour, on a nearest-neighbour graph of the embedding) or "gmm" (Gaussian mixture).
    n_clusters : "auto": Leiden at `resolution`; GMM by the lowest BIC among 2 … 20. A number: Leiden's resolution is
        searched for it (`resolution` is where the search starts), GMM fits it.
    use_rep : representation.
    resolution, n_neighbors : of Leiden and its graph.
    key_added : `obs` column, categorical; None is the name of the method. GMM also writes `obsm[key + "_proba"]`.
    random_state : seed.
    copy : return a new AnnData.

    Raises
    ------
    MissingKeyError, NonFiniteError, OptionError
        For a missing or NaN embedding, wrong options, or a number of clusters that no resolution gives.
    """
    import pandas as pd

    check_option("method", method, ("leiden", "gmm"))
    if n_clusters != "auto":
        check_whole("n_clusters", n_clusters, high=adata.n_obs)
    check_in_range("resolution", resolution, low=0, low_open=True)
    check_whole("n_neighbors", n_neighbors, low=2)
    if adata.n_obs < 3:
        raise NoCellsError(expected("at least three cells to cluster", adata.n_obs, "Check the selection before."))
    adata = adata.copy() if copy else adata
    key = key_added or method
    vectors, _ = representation(adata, use_rep)
    seed = as_seed(random_state)
    run: dict[str, Any] = {"function": "tl.cluster", "method": method, "use_rep": use_rep, "seed": seed}
    if method == "gmm":
        from cellgraph_clr.analysis.clustering import gaussian_mixture

        numbers = tuple(range(2, min(20, adata.n_obs) + 1)) if n_clusters == "auto" else int(n_clusters)
        mixture = gaussian_mixture(vectors, n_clusters=numbers, random_state=seed)
        labels = mixture.labels.astype(str)
        columns = [str(i) for i in range(mixture.proba.shape[1])]
        adata.obsm[f"{key}_proba"] = pd.DataFrame(mixture.proba, index=adata.obs_names, columns=columns)
        run["bic"] = mixture.bic
    else:
        from cellgraph_clr.analysis.clustering import leiden

        labels, run["resolution"] = leiden(
            vectors, n_clusters, resolution=resolution, n_neighbors=n_neighbors, random_state=seed
        )
    adata.obs[key] = pd.Categorical(labels, categories=sorted(set(labels), key=int))
    record_run(adata, key, run)
    log_written("tl.cluster", [f"obs[{key!r}]"])
    return adata if copy else None
