"""`CellGraphCLR`: contrastive learning on spatial cell graphs."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cellgraph_clr._core.checks import check_precision, check_whole, expected
from cellgraph_clr._core.errors import CellGraphError
from cellgraph_clr._core.rng import RandomState, as_seed
from cellgraph_clr.adata.reading import check_edges, graph_from_anndata
from cellgraph_clr.models.clr_config import CellGraphCLRConfig
from cellgraph_clr.models.clr_inputs import fingerprint, joined, pair_source
from cellgraph_clr.models.input_scales import InputScales
from cellgraph_clr.models.runs import config_of, whole_or_none

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping, Sequence

    import torch
    from anndata import AnnData
    from scipy.sparse import csr_matrix
    from torch import nn

__all__ = ["CellGraphCLR", "CellGraphCLRConfig"]

TRANSFORM_TILE = 8192


class CellGraphCLR:
    """Self-supervised embedding of cells on spatial graphs.

    A graph encoder sees two augmented views of the graph; the positives of a cell (its own second view, its neighbours,
    cells of its class, or any relation) are told from the other cells of the batch by InfoNCEp. Inductive: cells never
    seen are embedded from their features and edges. Positions are never features.

    Parameters
    ----------
    random_state : seed of everything random; the same seed gives the same result.
    device : "auto" (GPU when there is one), "cpu", "cuda", …
    precision : "32", or "bf16" for products of networks in training; views, losses and embeddings stay in float32.
    n_processes : processes that share every batch in training, on GPUs one per GPU. The result is that of one to rounding.
        They are started anew: a script must guard its start with ``if __name__ == "__main__"``.
    progress : show a bar; None shows it on terminals and in notebooks.
    **config : fields of `CellGraphCLRConfig`; an unknown one raises `OptionError`.

    Attributes
    ----------
    config : `CellGraphCLRConfig`.
    seed_ : the integer seed that `fit` used.
    history_ : per figure, one value a step: loss (nats), positives_per_anchor, effective_rank; alignment and uniformity but for
        infomax; for InfoNCEp contrastive_gap and contrastive_gap_cap (nats per pair).
    """

    def __init__(
        self,
        *,
        random_state: RandomState = 0,
        device: str = "auto",
        precision: str = "32",
        n_processes: int = 1,
        progress: bool | None = None,
        **config: Any,
    ) -> None:
        check_precision(precision)
        check_whole("n_processes", n_processes)
        self.config = config_of(CellGraphCLRConfig, config)
        self.random_state = random_state
        self.device = device
        self.precision = precision
        self.n_processes = n_processes
        self.progress = progress
        self.history_: dict[str, list[float]] = {}
        self.seed_ = 0
        self._scales: InputScales | None = None
        self._encoder: nn.Module | None = None

    @property
    def feature_names_(self) -> list[str]:
        """Names of the features it was fitted on."""
        return [] if self._scales is None else self._scales.feature_names

    @property
    def edge_feature_names_(self) -> list[str]:
        """Names of the edge features it reads."""
        return [] if self._scales is None else self._scales.edge_feature_names

    def __repr__(self) -> str:
        """Return the constructor's form."""
        return f"CellGraphCLR({', '.join(f'{k}={v!r}' for k, v in asdict(self.config).items())})"

    @whole_or_none
    def fit(
        self,
        data: AnnData | Sequence[AnnData],
        *,
        use_rep: str | None = None,
        neighbors_key: str = "spatial",
        library_key: str | None = None,
        checkpoint: str | os.PathLike[str] | None = None,
        checkpoint_every: int = 100,
        warm_start: bool = False,
    ) -> CellGraphCLR:
        """Train on one AnnData or several, and return self.

        Parameters
        ----------
        data : AnnData with a spatial graph, or a list of them with the same features.
        use_rep : `obsm` key of the features; None is `X`. Features are standardised inside.
        neighbors_key : the graph, as `key_added` of the `gr` functions.
        library_key : `obs` column of samples; edges never join samples anyway.
        checkpoint : file that the run is saved to. When it exists, the run goes on from it and ends as if it had never
            stopped. None saves nothing.
        checkpoint_every : steps between two savings.
        warm_start : go on from the weights and the standardisation of the last fit (fine-tuning) instead of new ones.

        Raises
        ------
        NoGraphError, MissingKeyError, NonFiniteError, NoCellsError
            If graph or features are missing or not finite, or a graph has no edges; the message names the call that helps.
        CellGraphError
            If several AnnData have different features, units or dimensions, there are fewer than two cells, or a warm start
            has nothing to start from.
        KeyboardInterrupt
            When it is interrupted; the model is then as it was before.
        LabelKeyError
            If `positives` is neither a mode nor a key of `obs` or `obsp`.
        ModelFileError
            If the checkpoint is truncated or of another run, or a warm start has other features.
        """
        import torch

        from cellgraph_clr.encoders.graph import EDGE_AWARE
        from cellgraph_clr.models.clr_objectives import training_module
        from cellgraph_clr.training.batches import FULL_GRAPH_CELLS, AnchorBatches
        from cellgraph_clr.training.contrastive import Runtime, train_contrastive
        from cellgraph_clr.training.devices import usable_device
        from cellgraph_clr.training.module import Schedule
        from cellgraph_clr.training.steps import Material, Strength

        check_whole("checkpoint_every", checkpoint_every)
        c = self.config
        samples = list(data) if isinstance(data, (list, tuple)) else [data]
        graphs = [
            graph_from_anndata(a, use_rep=use_rep, neighbors_key=neighbors_key, library_key=library_key)
            for a in samples
        ]
        for one in graphs:
            check_edges(len(one.edges), len(one.cells), neighbors_key)
        graph = joined(graphs)
        if len(graph.cells) < 2:
            raise CellGraphError(expected("at least two cells", len(graph.cells), "Contrast needs others."))
        source = pair_source(graph, samples, c)
        seed = as_seed(self.random_state)
        start = self.encoder().state_dict() if warm_start else None
        scales = self._scales
        if start is None or scales is None:
            scales = InputScales.learned(graph, edge_lengths=c.edge_lengths, reads_edges=c.encoder in EDGE_AWARE)
        x, adjacency, edge_attr = scales.tensors(graph)
        device = usable_device(self.device)
        tiled = len(graph.cells) > FULL_GRAPH_CELLS
        material = Material(
            x,
            adjacency,
            edge_attr,
            AnchorBatches(graph.cells, batch_size=c.batch_size, tiled=tiled, seed=seed),
            source,
            Strength(c.mask_features, c.jitter, c.drop_edges, c.drop_nodes),
            c.n_layers,
            tiled,
            seed,
            np.unique(graph.cells.sample, return_inverse=True)[1],
        )
        schedule = Schedule(c.n_steps, c.batch_size, c.learning_rate, c.weight_decay, c.patience)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            encoder = self._new_encoder(scales)
            if start is not None:
                encoder.load_state_dict(start)
            run = ""
            if checkpoint is not None:
                run = fingerprint(c, material, scales.feature_names, graph.cells.position, encoder.state_dict())
            module = training_module(c, encoder, material, schedule, run).train()
        runtime = Runtime(
            device=device,
            precision=self.precision,
            n_processes=self.n_processes,
            checkpoint=None if checkpoint is None else Path(checkpoint),
            checkpoint_every=checkpoint_every,
            progress=self.progress,
        )
        train_contrastive(module, runtime)
        self._encoder, self._scales = encoder.to(device).eval(), scales
        self.history_, self.seed_ = module.history, seed
        return self

    def transform(
        self,
        data: AnnData,
        *,
        use_rep: str | None = None,
        neighbors_key: str = "spatial",
        library_key: str | None = None,
    ) -> np.ndarray:
        """Return the embedding (n, n_dims) float32 of the cells of `data`, in its order of rows.

        Exact for every cell: large graphs are walked in tiles with a halo of `n_layers` hops, in flat memory. Raises as
        `fit`, and `ModelFileError` when the features are others than those fitted on.
        """
        from cellgraph_clr.graphs.tiles import curve_order

        scales = self._fitted_scales()
        graph = graph_from_anndata(data, use_rep=use_rep, neighbors_key=neighbors_key, library_key=library_key)
        return self.embed_tensors(*scales.tensors(graph), curve=curve_order(graph.cells))

    def embed_tensors(
        self, x: torch.Tensor, adjacency: csr_matrix, edge_attr: torch.Tensor | None, *, curve: np.ndarray
    ) -> np.ndarray:
        """Return the embedding (n, n_dims) of what `graph_tensors` gives; large graphs in tiles along `curve` (n,), any order."""
        import torch

        from cellgraph_clr.graphs.tiles import halo
        from cellgraph_clr.training.batches import FULL_GRAPH_CELLS
        from cellgraph_clr.training.steps import encode

        encoder = self.encoder()
        device = next(encoder.parameters()).device
        with torch.inference_mode():
            if len(x) <= FULL_GRAPH_CELLS:
                return encode(encoder, x, adjacency, edge_attr, device).cpu().numpy()
            out = np.empty((len(x), self.config.n_dims), np.float32)
            for start in range(0, len(curve), TRANSFORM_TILE):
                part = halo(adjacency, curve[start : start + TRANSFORM_TILE], self.config.n_layers)
                h = encode(encoder, x[torch.from_numpy(part.rows)], part.adjacency, edge_attr, device)
                out[part.rows[part.core]] = h.cpu().numpy()[part.core]
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
        """Fit on `data` and return its embedding; arguments as `fit`."""
        keys: dict[str, Any] = {"use_rep": use_rep, "neighbors_key": neighbors_key, "library_key": library_key}
        return self.fit(data, **keys, **run).transform(data, **keys)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the model to one safetensors file (beside, then renamed)."""
        from cellgraph_clr.training.weights import save_weights

        tensors, header = self.state()
        save_weights(path, tensors, {"kind": "CellGraphCLR", **header})

    @classmethod
    def load(cls, path: str | os.PathLike[str], *, device: str = "auto") -> CellGraphCLR:
        """Return a saved model. Raises `MissingFileError` and `ModelFileError`."""
        from cellgraph_clr.training.weights import load_weights

        return cls.from_state(*load_weights(path, "CellGraphCLR"), device=device)

    def state(self) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
        """Return the tensors and the JSON header that `from_state` takes. Raises `CellGraphError` before `fit`."""
        import torch

        tensors = {f"encoder.{k}": v for k, v in self.encoder().state_dict().items()}
        scales = self._fitted_scales()
        tensors |= {f"scales.{k}": torch.from_numpy(v) for k, v in scales.numbers.items()}
        header = {
            "config": asdict(self.config),
            **scales.header(),
            "history": self.history_,
            "seed": self.seed_,
        }
        return tensors, header

    @classmethod
    def from_state(
        cls, tensors: Mapping[str, torch.Tensor], header: Mapping[str, Any], *, device: str = "auto"
    ) -> CellGraphCLR:
        """Return a fitted model from what `state` gave."""
        from cellgraph_clr.training.devices import usable_device

        model = cls(random_state=header["seed"], device=device, **header["config"])
        numbers = {k.removeprefix("scales."): v.numpy() for k, v in tensors.items() if k.startswith("scales.")}
        model._scales = InputScales(header["features"], header["edge_features"], header["unit"], numbers)
        model.seed_ = header["seed"]
        model.history_ = header["history"]
        encoder = model._new_encoder(model._scales)
        encoder.load_state_dict({k.removeprefix("encoder."): v for k, v in tensors.items() if k.startswith("encoder.")})
        model._encoder = encoder.to(usable_device(device)).eval()
        return model

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
        """
        scales = self._fitted_scales()
        graph = graph_from_anndata(data, use_rep=use_rep, neighbors_key=neighbors_key, library_key=library_key)
        return scales.tensors(graph)

    def encoder(self) -> nn.Module:
        """Return the trained encoder. Raises `CellGraphError` before `fit`."""
        if self._encoder is None:
            raise CellGraphError(expected("a fitted model", "one that was not fitted", "Call `fit` or `load` first."))
        return self._encoder

    def _fitted_scales(self) -> InputScales:
        if self._scales is None:
            raise CellGraphError(expected("a fitted model", "one that was not fitted", "Call `fit` or `load` first."))
        return self._scales

    def _new_encoder(self, scales: InputScales) -> nn.Module:
        from cellgraph_clr.encoders.graph import GraphEncoder

        c, n_edge = self.config, len(scales.edge_feature_names)
        return GraphEncoder(scales.n_in, c.n_hidden, c.n_dims, c.n_layers, kind=c.encoder, n_edge=n_edge)
