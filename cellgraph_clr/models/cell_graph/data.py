"""What is learned from: one graph of all samples, and where the positives of its cells come from."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from cellgraph_clr._core.checks import check_key, expected, listing
from cellgraph_clr._core.errors import CellGraphError, LabelKeyError, MissingKeyError
from cellgraph_clr._core.notices import warn
from cellgraph_clr.graphs.graph import CellGraph
from cellgraph_clr.models.cell_graph.pairs import ClassRelation, MixedRelation, Positives, SparseRelation

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from anndata import AnnData

    from cellgraph_clr.models.cell_graph.config import CellGraphCLRConfig
    from cellgraph_clr.models.cell_graph.pairs import Relation

__all__ = ["joined", "positives_of", "warn_of_isolates"]

SOME_ISOLATES, LEAST_ISOLATES = 0.02, 10  # share and number of cells without neighbours from which they are told


def warn_of_isolates(graph: CellGraph) -> None:
    """Warn of cells without neighbours, where they are more than a few: what is learned from neighbours sets them apart."""
    n, alone = len(graph.cells), int(graph.isolated().sum())
    if alone >= max(LEAST_ISOLATES, SOME_ISOLATES * n):
        warn(
            f"{alone} of {n} cells have no neighbor in the graph, which makes their vectors alike: clusters set them "
            "apart. Join each to its nearest cell by `cgc.gr.contact_graph(adata, isolates='nearest')`, or join cells by their "
            "position: `cgc.gr.delaunay_graph(adata)`."
        )


def joined(graphs: Sequence[CellGraph]) -> CellGraph:
    """Return one block-diagonal graph; samples are told apart even where they have one name."""
    if len(graphs) == 1:
        return graphs[0]
    if not graphs:
        raise CellGraphError(expected("at least one AnnData", "an empty list", "Pass the samples to train on."))
    first = graphs[0].cells
    for g in graphs[1:]:
        if g.cells.names != first.names:
            remedy = "Measure the same features in all of them, in the same order."
            found = f"{listing(g.cells.names)} beside {listing(first.names)}"
            raise CellGraphError(expected("samples with the same features", found, remedy))
        spaces = [f"{c.position.shape[1]}D in {c.unit}" for c in (first, g.cells)]
        if spaces[0] != spaces[1]:
            remedy = "Bring them to one unit and dimension."
            raise CellGraphError(expected("samples in one space", " beside ".join(spaces), remedy))
    offset = np.concatenate([[0], np.cumsum([len(g.cells) for g in graphs])])
    cells = replace(
        first,
        cell_id=np.concatenate([g.cells.cell_id for g in graphs]),
        position=np.concatenate([g.cells.position for g in graphs]),
        features=np.concatenate([g.cells.features for g in graphs]),
        sample=np.concatenate([np.char.add(f"{i}:", g.cells.sample.astype(str)) for i, g in enumerate(graphs)]),
        frame=np.concatenate([g.cells.frame for g in graphs]),
    )
    edges = np.concatenate([g.edges + o for g, o in zip(graphs, offset, strict=False)])
    connected = [g for g in graphs if len(g.edges)] or list(graphs)
    shared = set.intersection(*(set(g.edge_features) for g in connected))
    features: Mapping[str, np.ndarray] = {
        k: np.concatenate([g.edge_features[k] for g in connected]) for k in sorted(shared)
    }
    return CellGraph(cells, edges, features)


def positives_of(graph: CellGraph, samples: Sequence[AnnData], config: CellGraphCLRConfig) -> Positives:
    """Return where positives come from.

    Raises
    ------
    NoGraphError
        If neighbours are to be positives and there are no edges.
    MissingKeyError
        If they are weighted by contact areas and the graph has none.
    LabelKeyError
        If a name is neither a mode nor a key of `obs` or `obsp`.
    """
    names = (config.positives,) if isinstance(config.positives, str) else config.positives
    with_self = bool({"views", "both"} & set(names))
    relations: list[Relation] = []
    for name in names:
        if name in ("neighbors", "both"):
            relations.append(_neighbours(graph, config))
        elif name != "views":
            relations.append(_relation_by_key(samples, name))
    if not relations:
        return Positives(None, 0, with_self=True)
    relation = relations[0] if len(relations) == 1 else MixedRelation(relations)
    return Positives(relation, max(config.n_positives - with_self, 0), with_self)


def _neighbours(graph: CellGraph, config: CellGraphCLRConfig) -> Relation:
    from cellgraph_clr.graphs.neighbors import hop_relation

    if config.positive_weights is None:
        return SparseRelation(hop_relation(graph.adjacency(), config.n_hops))
    if config.positive_weights == "contact_area":
        check_key("contact_area", list(graph.edge_features), where="edge features", error=MissingKeyError)
        return SparseRelation(graph.adjacency("contact_area"), weighted=True)
    closeness = graph.adjacency("length")
    positive = closeness.data[closeness.data > 0]
    closeness.data = 1 / np.maximum(closeness.data, positive.min() if len(positive) else 1.0)
    return SparseRelation(closeness, weighted=True)


def _relation_by_key(samples: Sequence[AnnData], key: str) -> Relation:
    """Return the relation of an `obs` column (same class) or an `obsp` key (its pattern), over all samples."""
    from scipy.sparse import block_diag, csr_matrix

    from cellgraph_clr.adata.labels import label_names

    if all(key in a.obsp for a in samples):
        pattern = csr_matrix(block_diag([csr_matrix(a.obsp[key]) != 0 for a in samples]), dtype=np.float32)
        pattern.eliminate_zeros()
        return SparseRelation(pattern)
    modes = ["neighbors", "views", "both"]
    for a in samples:
        check_key(key, [*modes, *a.obs.columns, *a.obsp], where="positives", error=LabelKeyError)
    names = [label_names(a, key) for a in samples]
    _, codes = np.unique(np.concatenate(names), return_inverse=True)
    codes = np.where(np.concatenate(names) == "", -1, codes)
    if np.bincount(codes[codes >= 0], minlength=1).max() < 2:
        raise LabelKeyError(
            expected(f"two cells of one class in obs[{key!r}]", "none", "Label more cells, or choose other positives.")
        )
    return ClassRelation(codes)
