"""AnnData to PyG and networkx, and PyG back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cellgraph_clr._core.arguments import checked
from cellgraph_clr.adata.reading import graph_from_anndata
from cellgraph_clr.adata.writing import write_graph

if TYPE_CHECKING:
    import networkx as nx
    from anndata import AnnData
    from torch_geometric.data import Data

__all__ = ["from_pyg", "to_networkx", "to_pyg"]


@checked
def to_pyg(
    adata: AnnData,
    *,
    use_rep: str | None = None,
    label_key: str | None = None,
    neighbors_key: str = "spatial",
    library_key: str | None = None,
) -> Data:
    """Return `torch_geometric.data.Data` of a cell graph.

    Parameters
    ----------
    adata : AnnData
        With a spatial graph.
    use_rep : str or None, default None
        `obsm` key of the features; None is `X`.
    label_key : str or None, default None
        Categorical `obs` column written as `y` (codes, -1 for "unassigned") with `class_names`.
    neighbors_key : str, default "spatial"
        As in the `gr` functions.
    library_key : str or None, default None
        As in the `gr` functions.

    Returns
    -------
    torch_geometric.data.Data
        Data with x, edge_index (both directions), edge_attr (length, contact_area where known; see `edge_attr_names`),
        pos (x, y[, z]), cell_id, sample, unit, feature_info.

    Raises
    ------
    NoGraphError, MissingKeyError, LabelKeyError, NonFiniteError
        If graph, features or labels are missing or not finite.

    Examples
    --------
    >>> import cellgraph_clr as cgc
    >>> adata = cgc.datasets.tissue(120, random_state=0).adata()
    >>> cgc.gr.contact_graph(adata)
    >>> data = cgc.to_pyg(adata)
    >>> data.num_nodes == adata.n_obs
    True
    >>> sorted(data.edge_attr_names)
    ['contact_area', 'length']
    """
    import torch

    from cellgraph_clr.adata.labels import label_codes
    from cellgraph_clr.graphs.pyg import graph_to_pyg

    graph = graph_from_anndata(adata, use_rep=use_rep, neighbors_key=neighbors_key, library_key=library_key)
    data = graph_to_pyg(graph)
    if label_key is not None:
        codes, classes = label_codes(adata, label_key)
        data.y = torch.from_numpy(codes)
        data.class_names = classes
    return data


@checked
def from_pyg(data: Data, *, key_added: str = "spatial") -> AnnData:
    """Return the AnnData of PyG data (`pos` x, y[, z] and `edge_index` needed); the inverse of `to_pyg`.

    Edge attributes named length and contact_area become `obsp` matrices. Raises `ShapeError` when a part is missing.

    Parameters
    ----------
    data : Data
        PyG data with `pos` and `edge_index`.
    key_added : str, default "spatial"
        Name of the graph.

    Returns
    -------
    AnnData
        The AnnData of PyG data (`pos` x, y[, z] and `edge_index` needed).

    Examples
    --------
    >>> import cellgraph_clr as cgc
    >>> adata = cgc.datasets.tissue(120, random_state=0).adata()
    >>> cgc.gr.contact_graph(adata)
    >>> again = cgc.from_pyg(cgc.to_pyg(adata))
    >>> again.obs["cell_id"].equals(adata.obs["cell_id"])
    True
    """
    import pandas as pd

    from cellgraph_clr.adata.writing import anndata_of
    from cellgraph_clr.graphs.pyg import graph_from_pyg

    graph = graph_from_pyg(data)
    adata = anndata_of(graph.cells, library_id=None, region="cells")
    names = adata.obs["cell_id"].astype(str).to_numpy()
    if graph.cells.frame.any():
        adata.obs["frame"] = graph.cells.frame
        names = np.char.add(np.char.add(graph.cells.frame.astype(str), "-"), names.astype(str))
    if (graph.cells.sample != "").any():
        adata.obs["library_id"] = pd.Categorical(graph.cells.sample)
        names = np.char.add(np.char.add(graph.cells.sample.astype(str), "-"), names.astype(str))
    adata.obs_names = names
    if "y" in data and "class_names" in data:
        codes = np.asarray(data.y)
        labels = np.where(codes >= 0, np.asarray([*data.class_names, "unassigned"], object)[codes], "unassigned")
        adata.obs["label"] = pd.Categorical(labels)
    write_graph(adata, graph, key_added=key_added, params={"method": "pyg"})
    return adata


@checked
def to_networkx(
    adata: AnnData, *, use_rep: str | None = None, neighbors_key: str = "spatial", library_key: str | None = None
) -> nx.Graph:
    """Return a networkx graph whose nodes are cell ids; arguments and errors as `to_pyg`. O(n f + edges).

    Parameters
    ----------
    adata : AnnData
        With a spatial graph.
    use_rep : str or None, default None
        As in `to_pyg`.
    neighbors_key : str, default "spatial"
        As in `to_pyg`.
    library_key : str or None, default None
        As in `to_pyg`.

    Returns
    -------
    networkx.Graph
        A networkx graph whose nodes are cell ids.

    Examples
    --------
    >>> import cellgraph_clr as cgc
    >>> adata = cgc.datasets.tissue(120, random_state=0).adata()
    >>> cgc.gr.contact_graph(adata)
    >>> graph = cgc.to_networkx(adata)
    >>> graph.number_of_nodes() == adata.n_obs
    True
    """
    from cellgraph_clr.graphs.nx import graph_to_networkx

    return graph_to_networkx(
        graph_from_anndata(adata, use_rep=use_rep, neighbors_key=neighbors_key, library_key=library_key)
    )
