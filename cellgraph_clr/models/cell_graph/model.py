"""`CellGraphCLR`: contrastive learning on spatial cell graphs."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import torch
from torch import nn

from cellgraph_clr._core.arguments import checked
from cellgraph_clr._core.checks import check_finite, expected
from cellgraph_clr._core.errors import CellGraphError, ShapeError, TaskError
from cellgraph_clr._core.rng import RandomState, as_seed
from cellgraph_clr.adata.reading import check_edges, graph_from_anndata
from cellgraph_clr.encoders.graph import edges_of_entries, encode
from cellgraph_clr.graphs.tiles import curve_order, halo
from cellgraph_clr.models.cell_graph.batches import FULL_GRAPH_CELLS
from cellgraph_clr.models.cell_graph.config import EDGE_AWARE, CellGraphCLRConfig
from cellgraph_clr.models.cell_graph.data import joined, positives_of, warn_of_isolates
from cellgraph_clr.models.cell_graph.infomax import GraphInfoMaxTask
from cellgraph_clr.models.cell_graph.own import (
    ARRAYS,
    block_numbers,
    blocks_of,
    check_blocks,
    measured_rows,
    own_turn,
    side_by_side,
)
from cellgraph_clr.models.cell_graph.scales import InputScales
from cellgraph_clr.models.cell_graph.task import ContrastTask, learned_objective, new_encoder
from cellgraph_clr.training.devices import seeded, threads_for
from cellgraph_clr.training.recipe import Fitted, Recipe, run_digest
from cellgraph_clr.training.run import Watch, train
from cellgraph_clr.training.saved import OVERFLOWN

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping, Sequence

    from anndata import AnnData
    from scipy.sparse import csr_matrix

    from cellgraph_clr.models.cell_graph.task import GraphTask

__all__ = ["CellGraphCLR"]

TRANSFORM_TILE = 8192
KEPT = ("encoder", "objective")  # of the networks trained: the projection is thrown away


class CellGraphCLR(Recipe[CellGraphCLRConfig]):
    """Self-supervised embedding of cells on spatial graphs.

    A graph encoder sees two augmented views of the graph; the positives of a cell (its own second view, its neighbours,
    cells of its class, or any relation) are told from the other cells of the batch by InfoNCEp. Inductive: cells never
    seen are embedded from their features and edges. Positions are never features. What a cell is stays in a block of its own
    beside what is learned (`n_own`, `blocks_`).

    Parameters
    ----------
    random_state : int, numpy.random.Generator or None, default 0
        Seed of everything random; the same seed gives the same result.
    device : str, default "auto"
        "auto" (GPU when there is one), "cpu", "cuda", ….
    precision : str, default "32"
        "32", or "bf16" for products of networks in training; views, losses and embeddings stay in float32.
    num_workers : int, default 0
        Processes that draw batches ahead; 0 draws them in between. The result is the same.
    n_processes : int, default 1
        Processes that share every batch in training, on GPUs one per GPU. The result is that of one to rounding. They
        are started anew: a script must guard its start with ``if __name__ == "__main__"``.
    progress : bool or None, default None
        Show a bar; None shows it on terminals and in notebooks.
    **config : object
        Fields of `CellGraphCLRConfig`; an unknown one raises `OptionError`.

    Attributes
    ----------
    config
        `CellGraphCLRConfig`.
    seed_
        The integer seed that `fit` used.
    history_
        Per figure, one value a step: loss (nats), positives_per_anchor, effective_rank; alignment and uniformity but
        for infomax; for InfoNCEp without options contrastive_gap and contrastive_gap_cap (nats per pair).

    Examples
    --------
    >>> import cellgraph_clr as cgc
    >>> adata = cgc.datasets.tissue(120, random_state=0).adata()
    >>> cgc.gr.contact_graph(adata)
    >>> model = cgc.models.CellGraphCLR(n_steps=5, n_dims=8, progress=False).fit(adata)
    >>> model.transform(adata).shape[1] >= 8  # what is learned, and own inputs beside it
    True
    >>> model.save("embedding.safetensors")
    >>> again = cgc.models.CellGraphCLR.load("embedding.safetensors")
    """

    config_class = CellGraphCLRConfig
    about_form = {"features": [str], "edge_features": [str], "unit": str, "n_in": int}  # noqa: RUF012 - never changed
    array_axes = ARRAYS
    objects_for_fit = ("objective", "augment")

    def __init__(
        self,
        *,
        random_state: RandomState = 0,
        device: str = "auto",
        precision: str = "32",
        num_workers: int = 0,
        n_processes: int = 1,
        progress: bool | None = None,
        **config: Any,
    ) -> None:
        run: dict[str, Any] = {"precision": precision, "num_workers": num_workers, "progress": progress}
        super().__init__(random_state=random_state, device=device, **run, **config)
        self.runtime = replace(self.runtime, n_processes=n_processes)

    @property
    def feature_names_(self) -> list[str]:
        """Names of the features it was fitted on.

        Examples
        --------
        >>> import cellgraph_clr as cgc
        >>> adata = cgc.datasets.tissue(60, random_state=0).adata()
        >>> cgc.gr.contact_graph(adata)
        >>> model = cgc.models.CellGraphCLR(n_steps=2, progress=False).fit(adata)
        >>> model.feature_names_ == list(adata.var_names)
        True
        """
        return [] if self._state is None else list(self._state.about["features"])

    @property
    def edge_feature_names_(self) -> list[str]:
        """Names of the edge features it reads.

        Examples
        --------
        >>> import cellgraph_clr as cgc
        >>> adata = cgc.datasets.tissue(60, random_state=0).adata()
        >>> cgc.gr.contact_graph(adata)
        >>> cgc.models.CellGraphCLR(encoder="gatv2", n_steps=2, progress=False).fit(adata).edge_feature_names_
        ['contact_area', 'length']
        """
        return [] if self._state is None else list(self._state.about["edge_features"])

    @property
    def blocks_(self) -> dict[str, tuple[int, int]]:
        """First column and end of the blocks of the embedding: "learned" and, where there is one, "own".

        Examples
        --------
        >>> from cellgraph_clr import datasets, gr, models
        >>> adata = datasets.tissue(60, ndim=2, random_state=0).adata()
        >>> gr.contact_graph(adata)
        >>> models.CellGraphCLR(n_steps=1, n_dims=8, n_own=4, progress=False).fit(adata).blocks_
        {'learned': (0, 8), 'own': (8, 12)}
        """
        return {} if self._state is None else blocks_of(self.config.n_dims, self._state.arrays)

    @classmethod
    def from_state(
        cls, tensors: Mapping[str, torch.Tensor], header: Mapping[str, Any], *, device: str = "auto", **objects: Any
    ) -> Self:
        """Return a fitted model from what `state` gave; raises as `load`. Models without an own block have none.

        Parameters
        ----------
        tensors : mapping of str to torch.Tensor
            The tensors.
        header : mapping of str to object
            The header.
        device : str, default "auto"
            As in `load`.
        **objects : object
            Options that are the user's own objects, as in `load`.

        Returns
        -------
        CellGraphCLR
            The fitted model.

        Examples
        --------
        >>> from cellgraph_clr import datasets, gr, models
        >>> adata = datasets.tissue(60, ndim=2, random_state=0).adata()
        >>> gr.contact_graph(adata)
        >>> fitted = models.CellGraphCLR(n_steps=1, n_own=0, progress=False).fit(adata)
        >>> models.CellGraphCLR.from_state(*fitted.state()).blocks_
        {'learned': (0, 64)}
        """
        config = header.get("config")
        if isinstance(config, dict):
            header = {**header, "config": {"n_own": 0} | config}
            check_blocks(config.get("n_own", 0), {name.removeprefix("arrays.") for name in tensors})
        return super().from_state(tensors, header, device=device, **objects)

    @checked
    def fit(
        self,
        data: AnnData | Sequence[AnnData],
        *,
        use_rep: str | None = None,
        neighbors_key: str = "spatial",
        library_key: str | None = None,
        checkpoint: str | os.PathLike[str] | None = None,
        checkpoint_every: int = 100,
        callbacks: Sequence[Any] = (),
        logger: Any = None,
        warm_start: bool = False,
    ) -> Self:
        """Train on one AnnData or several, and return self.

        Parameters
        ----------
        data : AnnData or sequence of AnnData
            AnnData with a spatial graph, or a list of them with the same features.
        use_rep : str or None, default None
            `obsm` key of the features; None is `X`. Features are standardised inside.
        neighbors_key : str, default "spatial"
            The graph, as `key_added` of the `gr` functions.
        library_key : str or None, default None
            `obs` column of samples; edges never join samples anyway.
        checkpoint : str or path-like or None, default None
            File that the run is saved to. When it exists, the run goes on from it and ends as if it had never stopped.
            None saves nothing.
        checkpoint_every : int, default 100
            Steps between two savings.
        callbacks : sequence of object, default ()
            Lightning callbacks; the figures of `history_` are logged at every step.
        logger : object, default None
            Lightning logger or loggers; None logs nothing.
        warm_start : bool, default False
            Go on from the weights and the standardisation of the last fit (fine-tuning) instead of new ones.

        Returns
        -------
        Self
            The fitted model.

        Raises
        ------
        NoGraphError, MissingKeyError, NonFiniteError, NoCellsError
            If graph or features are missing or not finite, or a graph has no edges; the message names the call that helps.
        CellGraphError
            If several AnnData have different features, units or dimensions, there are fewer than two cells, or a warm start
            has nothing to start from.
        OptionError
            For a device that cannot be used, or callbacks that are none of Lightning's.
        ShapeError, TaskError
            If an encoder of your own gives other than one vector of `n_dims` per cell, or none that depends on its weights.
        KeyboardInterrupt, SystemExit
            When it is interrupted, or asked to end by SIGTERM; the model is then as it was before.
        LabelKeyError
            If `positives` is neither a mode nor a key of `obs` or `obsp`.
        ModelFileError
            If the checkpoint is truncated or of another run, or a warm start has other features.

        Warns
        -----
        UserWarning
            If more than a fiftieth of the cells (10 at least) have no neighbor in the graph.

        Examples
        --------
        >>> import cellgraph_clr as cgc
        >>> adata = cgc.datasets.tissue(60, random_state=0).adata()
        >>> cgc.gr.contact_graph(adata)
        >>> model = cgc.models.CellGraphCLR(n_steps=2, n_dims=8, progress=False).fit(adata, checkpoint="run.safetensors")
        >>> len(model.history_["loss"])  # one value a step
        2
        """
        watch = Watch(checkpoint, checkpoint_every, callbacks, logger)
        c, samples = self.config, list(data) if isinstance(data, (list, tuple)) else [data]
        keys: dict[str, Any] = {"use_rep": use_rep, "neighbors_key": neighbors_key, "library_key": library_key}
        graphs = [graph_from_anndata(a, **keys) for a in samples]
        for one in graphs:
            check_edges(len(one.edges), len(one.cells), neighbors_key)
        graph = joined(graphs)
        if len(graph.cells) < 2:
            raise CellGraphError(expected("at least two cells", len(graph.cells), "Contrast needs others."))
        warn_of_isolates(graph)
        positives = positives_of(graph, samples, c)
        before = self._fitted() if warm_start else None
        reads_edges = (
            c.encoder in EDGE_AWARE if isinstance(c.encoder, str) else getattr(c.encoder, "reads_edges", False)
        )
        if before is None:
            scales = InputScales.learned(graph, edge_lengths=c.edge_lengths, reads_edges=reads_edges)
        else:
            scales = _scales(before)
        x, adjacency, edge_attr = scales.tensors(graph)
        kind: type[GraphTask] = GraphInfoMaxTask if c.objective == "infomax" else ContrastTask
        start = {} if before is None else {name: network.state_dict() for name, network in before.networks.items()}
        task: Any = kind(c, x, adjacency, edge_attr, graph.cells, positives, as_seed(self.random_state), start)
        _check_encoder(task)
        options = {**self._options(), "random_state": task.seed}
        digest = self._fingerprint(task) if checkpoint else ""
        with threads_for(len(x)):
            trained = train(task, self.runtime, watch, fingerprint=digest, options=options)
        kept = {name: network for name, network in trained.networks.items() if name in KEPT}
        state = Fitted(kept, trained.history, task.seed, scales.header(), dict(scales.numbers))
        if c.n_own:
            state = replace(state, arrays={**state.arrays, **self._blocks(state, task, before)})
        self._state = state
        return self

    def _blocks(self, state: Fitted, task: GraphTask, before: Fitted | None) -> dict[str, np.ndarray]:
        """Return the numbers of the two blocks, from the cells fitted on, or a part of them; a warm start keeps its own block."""
        some = measured_rows(curve_order(task.cells))
        learned = self._with(state).embed_tensors(task.x, task.adjacency, task.edge_attr, curve=some)[some]
        x = task.x.numpy()[some]
        numbers = block_numbers(learned, x, own_turn(x, self.config.n_own, seed=task.seed))
        kept = {} if before is None else {k: v for k, v in before.arrays.items() if k.startswith("own_")}
        return numbers | kept

    def _fingerprint(self, task: GraphTask) -> str:
        """Return a hash of what a run is made of: configuration, seed, features, graph, positives, positions."""
        source = task.positives
        about = [self._options(), task.seed, list(task.cells.names), source.n_related, source.with_self]
        edges = [] if task.edge_attr is None else [task.edge_attr.numpy()]
        related = [] if source.relation is None else source.relation.arrays()
        graph = (task.adjacency.indptr, task.adjacency.indices, task.cells.position, task.sample)
        return run_digest(about, (task.x.numpy(), *graph, *edges, *related))

    @checked
    def transform(
        self,
        data: AnnData,
        *,
        use_rep: str | None = None,
        neighbors_key: str = "spatial",
        library_key: str | None = None,
    ) -> np.ndarray:
        """Return the embedding (n, n_dims + own) float32 of the cells of `data`, in its order of rows: `blocks_` side by side.

        Exact for every cell: large graphs are walked in tiles with a halo of `n_layers` hops, in flat memory. Raises as
        `fit`, and `ModelFileError` when the features are others than those fitted on.

        Parameters
        ----------
        data : AnnData
            Cells with the features and a graph as in `fit`.
        use_rep : str or None, default None
            As in `fit`.
        neighbors_key : str, default "spatial"
            As in `fit`.
        library_key : str or None, default None
            As in `fit`.

        Returns
        -------
        numpy.ndarray
            The embedding (n, n_dims + own) float32 of the cells of `data`, in its order of rows; `blocks_` names its columns.

        Examples
        --------
        >>> import cellgraph_clr as cgc
        >>> adata = cgc.datasets.tissue(60, random_state=0).adata()
        >>> cgc.gr.contact_graph(adata)
        >>> model = cgc.models.CellGraphCLR(n_steps=2, n_dims=8, n_own=4, progress=False).fit(adata)
        >>> other = cgc.datasets.tissue(40, random_state=1).adata()  # cells that it has not seen
        >>> cgc.gr.contact_graph(other)
        >>> model.transform(other).shape == (other.n_obs, 12)
        True
        """
        state = self._fitted()
        graph = graph_from_anndata(data, use_rep=use_rep, neighbors_key=neighbors_key, library_key=library_key)
        x, adjacency, edge_attr = _scales(state).tensors(graph)
        out = self.embed_tensors(x, adjacency, edge_attr, curve=curve_order(graph.cells))
        if "own_turn" in state.arrays:
            out = side_by_side(out, x.numpy(), state.arrays)
        check_finite(out, what="vectors", remedy=OVERFLOWN)
        return out

    def embed_tensors(
        self, x: torch.Tensor, adjacency: csr_matrix, edge_attr: torch.Tensor | None, *, curve: np.ndarray
    ) -> np.ndarray:
        """Return the learned vectors (n, n_dims) of what `graph_tensors` gives, as the encoder gives them.

        Large graphs in tiles along `curve`: rows in any order; those that it leaves out are not worked out.

        Parameters
        ----------
        x : torch.Tensor
            (n, f) standardized features.
        adjacency : csr_matrix
            (n, n) adjacency with numbered entries.
        edge_attr : torch.Tensor or None
            (entries, k) features of its entries.
        curve : numpy.ndarray
            (n,) an order in which near cells follow one another.

        Returns
        -------
        numpy.ndarray
            The learned vectors (n, n_dims).

        Examples
        --------
        >>> import numpy as np
        >>> import cellgraph_clr as cgc
        >>> adata = cgc.datasets.tissue(60, random_state=0).adata()
        >>> cgc.gr.contact_graph(adata)
        >>> model = cgc.models.CellGraphCLR(n_steps=2, n_dims=8, progress=False).fit(adata)
        >>> x, adjacency, edge_attr = model.graph_tensors(adata)
        >>> model.embed_tensors(x, adjacency, edge_attr, curve=np.arange(len(x))).shape == (adata.n_obs, 8)
        True
        """
        encoder = self.network()
        device = _device_of(encoder)

        def embedded(values: torch.Tensor, edges: csr_matrix) -> np.ndarray:
            with torch.inference_mode():
                return encode(encoder, values, edges, edges_of_entries(edge_attr, edges), device).float().cpu().numpy()

        if len(x) <= FULL_GRAPH_CELLS:
            return embedded(x, adjacency)
        out = np.empty((len(x), self.config.n_dims), np.float32)
        for start in range(0, len(curve), TRANSFORM_TILE):
            part = halo(adjacency, curve[start : start + TRANSFORM_TILE], self.config.n_layers)
            out[part.rows[part.core]] = embedded(x[torch.from_numpy(part.rows)], part.adjacency)[part.core]
        return out

    def fit_transform(
        self,
        data: AnnData,
        *,
        use_rep: str | None = None,
        neighbors_key: str = "spatial",
        library_key: str | None = None,
        **run: Any,
    ) -> np.ndarray:
        """Fit on `data` and return its embedding; arguments as `fit`.

        Parameters
        ----------
        data : AnnData
            As in `fit`.
        use_rep : str or None, default None
            As in `fit`.
        neighbors_key : str, default "spatial"
            As in `fit`.
        library_key : str or None, default None
            As in `fit`.
        **run : object
            Further arguments of `fit`.

        Returns
        -------
        numpy.ndarray
            The embedding (n, n_dims) float32.

        Examples
        --------
        >>> import cellgraph_clr as cgc
        >>> adata = cgc.datasets.tissue(60, random_state=0).adata()
        >>> cgc.gr.contact_graph(adata)
        >>> model = cgc.models.CellGraphCLR(n_steps=2, n_dims=8, n_own=4, progress=False)
        >>> model.fit_transform(adata).shape == (adata.n_obs, 12)
        True
        """
        keys: dict[str, Any] = {"use_rep": use_rep, "neighbors_key": neighbors_key, "library_key": library_key}
        return self.fit(data, **keys, **run).transform(data, **keys)

    def graph_tensors(
        self,
        data: AnnData,
        *,
        use_rep: str | None = None,
        neighbors_key: str = "spatial",
        library_key: str | None = None,
    ) -> tuple[torch.Tensor, csr_matrix, torch.Tensor | None]:
        """Return what the encoder reads of `data`: standardised features (n, f), numbered adjacency, edge features.

        Raises as `transform`.

        Parameters
        ----------
        data : AnnData
            As in `transform`.
        use_rep : str or None, default None
            As in `fit`.
        neighbors_key : str, default "spatial"
            As in `fit`.
        library_key : str or None, default None
            As in `fit`.

        Returns
        -------
        tuple of torch.Tensor, scipy.sparse.csr_matrix, torch.Tensor or None
            What the encoder reads of `data`: standardised features (n, f), numbered adjacency, edge features.

        Examples
        --------
        >>> import cellgraph_clr as cgc
        >>> adata = cgc.datasets.tissue(60, random_state=0).adata()
        >>> cgc.gr.contact_graph(adata)
        >>> model = cgc.models.CellGraphCLR(n_steps=2, progress=False).fit(adata)
        >>> x, adjacency, edge_attr = model.graph_tensors(adata)
        >>> x.shape == adata.shape, adjacency.nnz == adata.obsp["spatial_connectivities"].nnz, edge_attr is None
        (True, True, True)
        """
        scales = _scales(self._fitted())
        graph = graph_from_anndata(data, use_rep=use_rep, neighbors_key=neighbors_key, library_key=library_key)
        return scales.tensors(graph)

    def encoder(self) -> nn.Module:
        """Return the trained encoder. Raises `CellGraphError` before `fit`.

        Returns
        -------
        torch.nn.Module
            The trained encoder.

        Examples
        --------
        >>> import cellgraph_clr as cgc
        >>> adata = cgc.datasets.tissue(60, random_state=0).adata()
        >>> cgc.gr.contact_graph(adata)
        >>> encoder = cgc.models.CellGraphCLR(n_steps=2, progress=False).fit(adata).encoder()
        >>> encoder.training  # in evaluation mode
        False
        """
        return self.network("encoder")

    def _new_networks(self, about: Mapping[str, Any]) -> dict[str, nn.Module]:
        encoder = {"encoder": new_encoder(self.config, about["n_in"], len(about["edge_features"]))}
        return encoder | learned_objective(self.config)


def _scales(state: Fitted) -> InputScales:
    about = state.about
    return InputScales(list(about["features"]), list(about["edge_features"]), about["unit"], state.arrays)


def _device_of(network: nn.Module) -> torch.device:
    return next((p.device for p in network.parameters()), torch.device("cpu"))


def _check_encoder(task: GraphTask) -> None:
    """Check an encoder of the user's on two cells and their neighbours.

    Raises `ShapeError` where it does not give a vector of `n_dims` for every cell, and `TaskError` where nothing can be learned
    through its output.
    """
    if isinstance(task.config.encoder, str):
        return
    part = halo(task.adjacency, np.arange(min(2, len(task.x))), 1)
    x, edges = task.x[torch.from_numpy(part.rows)], part.adjacency
    with torch.enable_grad():
        with seeded(task.seed):
            encoder = task.encoder().eval()
        found = encode(encoder, x, edges, edges_of_entries(task.edge_attr, edges), "cpu")
    wanted = (len(x), task.config.n_dims)
    if not isinstance(found, torch.Tensor):
        remedy = "Return them alone: see docs/own_systems.md."
        raise ShapeError(expected(f"vectors {wanted} of {len(x)} cells from `encoder`", type(found).__name__, remedy))
    if tuple(found.shape) != wanted:
        remedy = "Make its last layer as wide as `n_dims`."
        raise ShapeError(expected(f"vectors {wanted} of {len(x)} cells from `encoder`", tuple(found.shape), remedy))
    if not found.requires_grad:
        remedy = "Do not detach it, or freeze all of its weights: nothing would be learned."
        raise TaskError(
            expected("an output of `encoder` that depends on its weights", "one without a gradient", remedy)
        )
