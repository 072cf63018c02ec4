"""`CellGraphCLR`: contrastive learning on spatial cell graphs."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from cellgraph_clr._core.checks import check_in_range, check_key, check_option, check_whole, expected, listing
from cellgraph_clr._core.errors import CellGraphError, ModelFileError, NoGraphError, OptionError
from cellgraph_clr._core.rng import RandomState, as_seed
from cellgraph_clr._core.scaling import column_moments
from cellgraph_clr.graphs.graph import CellGraph
from cellgraph_clr.graphs.layout import graph_from_anndata
from cellgraph_clr.graphs.neighbors import packing

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping, Sequence

    import torch
    from anndata import AnnData
    from torch import nn

    from cellgraph_clr.training.contrastive import PairSource
    from cellgraph_clr.views.positives import Relation

__all__ = ["CellGraphCLR", "CellGraphCLRConfig"]

OBJECTIVES = ("infonce_p", "composite_infonce", "supcon", "mil_nce")
TRANSFORM_TILE = 8192
CLIP = 5.0  # standard deviations: a single wild feature must not own the representation


@dataclass(frozen=True, slots=True)
class CellGraphCLRConfig:
    """What a `CellGraphCLR` is; every field changes the result."""

    objective: str = "infonce_p"
    """infonce_p (subset posterior), composite_infonce, supcon or mil_nce."""
    positives: str = "both"
    """"neighbors" (of the graph), "views" (the cell itself, augmented), "both", an `obs` column or an `obsp` key.

    With "views" the neighbours of a cell are noise like any other; with "both" and `n_positives` = 1 its own view is the only
    positive too, but its neighbours are kept out of the noise."""
    n_positives: int = 5
    """Positives per anchor, the cell's own view included where it is one; fewer where a cell has fewer."""
    n_hops: int = 1
    """How many steps away a neighbour may be to be a positive."""
    edge_lengths: bool = False
    """Whether the log of a cell's mean edge length and of its degree stand beside its features: how densely cells lie."""
    n_dims: int = 64
    """Width of the embedding."""
    n_hidden: int = 128
    """Width of the encoder's layers."""
    n_layers: int = 2
    """Message passing layers of the encoder."""
    temperature: float = 0.2
    """Divides cosine similarities."""
    mask_features: float = 0.5
    """Share of features set to their mean in a view."""
    jitter: float = 0.2
    """Noise added to the features of a view, in standard deviations."""
    drop_edges: float = 0.3
    """Share of edges left out of a view."""
    n_steps: int = 150
    """Optimisation steps."""
    batch_size: int = 1024
    """Anchors per step."""
    learning_rate: float = 3e-3
    """Peak of the one-cycle schedule."""
    weight_decay: float = 1e-4
    """Of AdamW."""

    def __post_init__(self) -> None:
        """Check every field."""
        check_option("objective", self.objective, OBJECTIVES)
        lowest = {"n_layers": 0, "batch_size": 2}
        for name in ("n_positives", "n_hops", "n_dims", "n_hidden", "n_steps", "n_layers", "batch_size"):
            check_whole(name, getattr(self, name), low=lowest.get(name, 1))
        for name in ("temperature", "learning_rate"):
            check_in_range(name, getattr(self, name), low=0, low_open=True)
        for name in ("mask_features", "drop_edges"):
            check_in_range(name, getattr(self, name), low=0, high=1, high_open=True)
        for name in ("jitter", "weight_decay"):
            check_in_range(name, getattr(self, name), low=0)


class CellGraphCLR:
    """Self-supervised embedding of cells on spatial graphs.

    A GraphSAGE encoder sees two augmented views of the graph; the positives of a cell (its own second view, its
    neighbours, cells of its class, or any relation) are told from the other cells of the batch by InfoNCEp.
    Inductive: cells never seen are embedded from their features and edges. Positions are never features.

    Parameters
    ----------
    random_state : seed of everything random; the same seed gives the same result.
    device : "auto" (GPU when there is one), "cpu", "cuda", …
    progress : show a bar; None shows it on terminals and in notebooks.
    **config : fields of `CellGraphCLRConfig`; an unknown one raises `OptionError`.

    Attributes
    ----------
    config : `CellGraphCLRConfig`.
    feature_names_ : names of the features it was fitted on.
    seed_ : the integer seed that `fit` used.
    history_ : per figure (loss, contrastive_gap, contrastive_gap_cap in nats per pair, positives_per_anchor), one value a
        step.
    """

    def __init__(
        self, *, random_state: RandomState = 0, device: str = "auto", progress: bool | None = None, **config: Any
    ) -> None:
        known = {f.name for f in fields(CellGraphCLRConfig)}
        for name in config:
            check_key(name, sorted(known), where="CellGraphCLRConfig", error=OptionError)
        self.config = CellGraphCLRConfig(**config)
        self.random_state = random_state
        self.device = device
        self.progress = progress
        self.history_: dict[str, list[float]] = {}
        self.feature_names_: list[str] = []
        self.seed_ = 0
        self._mean = np.zeros(0, np.float32)
        self._scale = np.zeros(0, np.float32)
        self._encoder: nn.Module | None = None

    def __repr__(self) -> str:
        """Return the constructor's form."""
        return f"CellGraphCLR({', '.join(f'{k}={v!r}' for k, v in asdict(self.config).items())})"

    def fit(
        self,
        data: AnnData | Sequence[AnnData],
        *,
        use_rep: str | None = None,
        neighbors_key: str = "spatial",
        library_key: str | None = None,
    ) -> CellGraphCLR:
        """Train on one AnnData or several, and return self.

        Parameters
        ----------
        data : AnnData with a spatial graph, or a list of them with the same features.
        use_rep : `obsm` key of the features; None is `X`. Features are standardised inside.
        neighbors_key : the graph, as `key_added` of the `gr` functions.
        library_key : `obs` column of samples; edges never join samples anyway.

        Raises
        ------
        NoGraphError, MissingKeyError, NonFiniteError, NoCellsError
            If graph or features are missing or not finite; the message names the call that helps.
        CellGraphError
            If several AnnData have different features, or there are fewer than two cells.
        LabelKeyError
            If `positives` is neither a mode nor a key of `obs` or `obsp`.
        """
        import torch

        from cellgraph_clr import losses
        from cellgraph_clr.encoders.graph import GraphEncoder, ProjectionHead
        from cellgraph_clr.training.contrastive import Schedule, Strength, train_contrastive

        samples = list(data) if isinstance(data, (list, tuple)) else [data]
        graphs = [
            graph_from_anndata(a, use_rep=use_rep, neighbors_key=neighbors_key, library_key=library_key)
            for a in samples
        ]
        graph = _joined(graphs)
        if len(graph.cells) < 2:
            raise CellGraphError(expected("at least two cells", len(graph.cells), "Contrast needs others."))
        source = self._pair_source(graph, samples)
        self.feature_names_ = graph.cells.names
        inputs = self._inputs(graph)
        self._mean, self._scale = column_moments(inputs)
        c = self.config
        seed = self.seed_ = as_seed(self.random_state)
        device = _device(self.device)
        loss = {
            "infonce_p": losses.InfoNCEp,
            "composite_infonce": losses.CompositeInfoNCE,
            "supcon": losses.SupCon,
            "mil_nce": losses.MILNCE,
        }[c.objective](c.temperature)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            encoder = GraphEncoder(len(self._mean), c.n_hidden, c.n_dims, c.n_layers).to(device)
            projection = ProjectionHead(c.n_dims, c.n_dims).to(device)
        history: dict[str, list[float]] = {}

        def record(figures: dict[str, float]) -> None:
            for name, value in figures.items():
                history.setdefault(name, []).append(value)

        train_contrastive(
            encoder,
            projection,
            loss,
            graph,
            self._standardised(inputs).to(device),
            source=source,
            strength=Strength(c.mask_features, c.jitter, c.drop_edges),
            schedule=Schedule(c.n_steps, c.batch_size, c.learning_rate, c.weight_decay),
            n_layers=c.n_layers,
            generator=torch.Generator().manual_seed(seed),
            rng=np.random.default_rng(seed),
            on_step=record,
            progress=self.progress,
        )
        self._encoder = encoder
        self.history_ = history
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
        import torch

        from cellgraph_clr.encoders.graph import sparse_tensor
        from cellgraph_clr.graphs.tiles import curve_order, halo
        from cellgraph_clr.training.contrastive import FULL_GRAPH_CELLS

        encoder = self._fitted()
        graph = graph_from_anndata(data, use_rep=use_rep, neighbors_key=neighbors_key, library_key=library_key)
        _check_features(self.feature_names_, graph.cells.names)
        device = next(encoder.parameters()).device
        x = self._standardised(self._inputs(graph))
        adjacency = graph.adjacency()
        encoder.eval()
        with torch.inference_mode():
            if len(graph.cells) <= FULL_GRAPH_CELLS:
                return encoder(x.to(device), sparse_tensor(adjacency, device)).cpu().numpy()
            out = np.empty((len(graph.cells), self.config.n_dims), np.float32)
            order = curve_order(graph.cells)
            for start in range(0, len(order), TRANSFORM_TILE):
                part = halo(adjacency, order[start : start + TRANSFORM_TILE], self.config.n_layers)
                h = encoder(x[torch.from_numpy(part.rows)].to(device), sparse_tensor(part.adjacency, device))
                out[part.rows[part.core]] = h.cpu().numpy()[part.core]
        return out

    def fit_transform(self, data: AnnData, **keys: Any) -> np.ndarray:
        """Fit on `data` and return its embedding; arguments as `fit`."""
        return self.fit(data, **keys).transform(data, **keys)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the model to one safetensors file (beside, then renamed)."""
        import torch

        from cellgraph_clr.training.weights import save_weights

        tensors = {f"encoder.{k}": v for k, v in self._fitted().state_dict().items()}
        tensors["mean"] = torch.from_numpy(self._mean)
        tensors["scale"] = torch.from_numpy(self._scale)
        header = {
            "kind": "CellGraphCLR",
            "config": asdict(self.config),
            "features": self.feature_names_,
            "history": self.history_,
            "seed": self.seed_,
        }
        save_weights(path, tensors, header)

    @classmethod
    def load(cls, path: str | os.PathLike[str], *, device: str = "auto") -> CellGraphCLR:
        """Return a saved model. Raises `MissingFileError` and `ModelFileError`."""
        from cellgraph_clr.encoders.graph import GraphEncoder
        from cellgraph_clr.training.weights import load_weights

        tensors, header = load_weights(path, "CellGraphCLR")
        model = cls(random_state=header["seed"], device=device, **header["config"])
        model.feature_names_ = list(header["features"])
        model.seed_ = header["seed"]
        model.history_ = header["history"]
        model._mean, model._scale = tensors.pop("mean").numpy(), tensors.pop("scale").numpy()
        c = model.config
        encoder = GraphEncoder(len(model._mean), c.n_hidden, c.n_dims, c.n_layers)
        encoder.load_state_dict({k.removeprefix("encoder."): v for k, v in tensors.items()})
        model._encoder = encoder.to(_device(device)).eval()
        return model

    def _fitted(self) -> nn.Module:
        if self._encoder is None:
            raise CellGraphError(expected("a fitted model", "one that was not fitted", "Call `fit` or `load` first."))
        return self._encoder

    def _inputs(self, graph: CellGraph) -> np.ndarray:
        """Return what the encoder reads of every cell (n, f) float32: features, and how densely it lies if asked."""
        features = graph.cells.features
        if not self.config.edge_lengths:
            return features
        return np.concatenate([features, packing(graph)], axis=1)

    def _standardised(self, features: np.ndarray) -> torch.Tensor:
        import torch

        return torch.from_numpy(((features - self._mean) / self._scale).clip(-CLIP, CLIP).astype(np.float32))

    def _pair_source(self, graph: CellGraph, samples: Sequence[AnnData]) -> PairSource:
        from cellgraph_clr.graphs.neighbors import hop_relation
        from cellgraph_clr.training.contrastive import PairSource
        from cellgraph_clr.views.positives import SparseRelation

        c = self.config
        if c.positives == "views":
            return PairSource(None, 0, with_self=True)
        if c.positives in ("neighbors", "both"):
            if c.positives == "neighbors" and len(graph.edges) == 0:
                raise NoGraphError(
                    expected("edges, for neighbours to be positives", "a graph without any", "Build another graph.")
                )
            relation: Relation = SparseRelation(hop_relation(graph.adjacency(), c.n_hops))
        else:
            relation = _relation_by_key(samples, c.positives)
        with_self = c.positives == "both"
        return PairSource(relation, max(c.n_positives - with_self, 0), with_self)


def _relation_by_key(samples: Sequence[AnnData], key: str) -> Relation:
    """Return the relation of an `obs` column (same class) or an `obsp` key (its pattern), over all samples."""
    from scipy.sparse import block_diag, csr_matrix

    from cellgraph_clr._core.errors import LabelKeyError
    from cellgraph_clr.graphs.labels import label_names
    from cellgraph_clr.views.positives import ClassRelation, SparseRelation

    if all(key in a.obsp for a in samples):
        pattern = block_diag([csr_matrix(a.obsp[key]).astype(bool) for a in samples], format="csr")
        return SparseRelation(csr_matrix(pattern, dtype=np.float32))
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


def _device(name: str) -> str:
    import torch

    if name != "auto":
        try:
            torch.empty(0, device=name)
        except (RuntimeError, AssertionError) as error:
            raise OptionError(expected("a usable `device`", f"{name!r} ({error})", "Pass 'auto' or 'cpu'.")) from error
        return name
    return "cuda" if torch.cuda.is_available() else "cpu"


def _check_features(fitted: Sequence[str], given: Sequence[str]) -> None:
    if list(fitted) == list(given):
        return
    missing = [n for n in fitted if n not in set(given)]
    extra = [n for n in given if n not in set(fitted)]
    raise ModelFileError(
        expected(
            f"the {len(fitted)} features the model was fitted on",
            f"{len(given)} features (missing: {listing(missing)}; new: {listing(extra)})",
            "Measure the same features, in the same order, or fit again.",
        )
    )


def _joined(graphs: Sequence[CellGraph]) -> CellGraph:
    """Return one block-diagonal graph; samples are told apart even where they have one name."""
    if len(graphs) == 1:
        return graphs[0]
    if not graphs:
        raise CellGraphError(expected("at least one AnnData", "an empty list", "Pass the samples to train on."))
    first = graphs[0].cells
    for g in graphs[1:]:
        _check_features(first.names, g.cells.names)
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
    shared = set.intersection(*(set(g.edge_features) for g in graphs))
    features: Mapping[str, np.ndarray] = {
        k: np.concatenate([g.edge_features[k] for g in graphs]) for k in graphs[0].edge_features if k in shared
    }
    return CellGraph(cells, edges, features)
