"""What a `CellGraphCLR` is: the frozen configuration, checked field by field."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Protocol

from cellgraph_clr._core.checks import MOST_HOPS, check_in_range, check_option, check_whole, expected
from cellgraph_clr._core.errors import OptionError

if TYPE_CHECKING:
    import numpy as np
    from scipy.sparse import csr_matrix
    from torch import Tensor, nn

__all__ = ["EDGE_AWARE", "OBJECTIVES", "Augment", "CellGraphCLRConfig", "Encoder", "Objective"]

OBJECTIVES = (
    "infonce_p", "infonce", "nt_xent", "composite_infonce", "supcon", "supcon_in", "mil_nce", "vicreg", "infomax",
)  # fmt: skip
ENCODERS = ("sage", "gin", "gatv2", "gen")
EDGE_AWARE = ("gatv2", "gen")
WEIGHTS = ("contact_area", "closeness")
MOST = {"n_hops": MOST_HOPS, "n_layers": 100, "n_dims": 2**16, "n_hidden": 2**16}


class Encoder(Protocol):
    """A graph encoder of your own: a torch module that is called like this, and sees no farther than `n_layers` edges.

    Where it has an attribute `reads_edges` that is true, edges have features.
    """

    def __call__(self, x: Tensor, adjacency: Tensor, edge_attr: Tensor | None) -> Tensor:
        """Return vectors (n, n_dims) of cells.

        x : (n, n_in) float32 standardised features. adjacency : (n, n) sparse CSR tensor of ones, symmetric.
        edge_attr : (entries, n_edge) features of its entries, in their order, or None.
        """


class Objective(Protocol):
    """A loss of your own: a torch module that is called like those of `cellgraph_clr.losses`.

    Its parameters, a temperature say, are learned. Where it has an attribute `by_anchor` that is true it is a mean over anchors,
    which processes may share.
    """

    def __call__(self, anchor: Tensor, candidates: Tensor, positives: Tensor, exclude: Tensor) -> Tensor:
        """Return the loss () of anchors (a, d) and candidates (c, d); `positives`, `exclude` (a, c) bool."""


class Augment(Protocol):
    """Views of your own: a function that can be pickled where there are several processes."""

    def __call__(self, x: Tensor, adjacency: csr_matrix, rng: np.random.Generator) -> tuple[Tensor, csr_matrix]:
        """Return features (n, f) and an adjacency (n, n) of the same shapes.

        The values of `adjacency` are the numbers of its entries: leave entries out, keep the values of the others. All that is
        random comes from `rng`.
        """


@dataclass(frozen=True, slots=True)
class CellGraphCLRConfig:
    """What a `CellGraphCLR` is; every field changes the result.

    Parameters
    ----------
    objective : str or Objective, default "infonce_p"
        "infonce_p" (subset posterior), "composite_infonce", "supcon", "supcon_in", "mil_nce", "infonce" (one positive),
        "nt_xent" (two views that are noise to one another), "vicreg" (no noise) or "infomax" (a cell against the mean
        of all of the batch that are related to it: its neighbourhood, or with an `obs` column its sample or tissue;
        where all are, Deep Graph Infomax). Or an `Objective` of your own, or one of `losses` with its options:
        ``InfoNCEp(0.1, normalize="p")`` for an `obs` column as positives, whose classes the plain sum counts by the
        square of their size.
    bound : str or None, default None
        Of the information of infomax: "jsd" (None), "dv", "nce" or "infonce_p", whose cost grows with the cells of a
        group.
    positives : str or tuple of str, default "both"
        "neighbors" (of the graph), "views" (the cell itself, augmented), "both", an `obs` column (cells of one class),
        an `obsp` key (any relation), or a tuple of these: a mixture.

        With "views" the neighbours of a cell are noise like any other; with "both" and `n_positives` = 1 its own view
        is the only positive too, but its neighbours are kept out of the noise.
    n_positives : int, default 5
        Positives per anchor, the cell's own view included where it is one; fewer where a cell has fewer.
    n_hops : int, default 1
        How many steps away a neighbour may be to be a positive.
    positive_weights : str or None, default None
        Neighbours are drawn as positives in proportion to "contact_area" or to "closeness" (one over the length of the
        edge); None: all alike. For direct neighbours.
    encoder : str or Encoder or callable, default "sage"
        "sage" (mean of neighbours), "gin" (sum), "gatv2" (attention) or "gen" (softmax aggregation); the last two read
        the lengths and contact areas of edges. Or an `Encoder` of your own, or a callable ``(n_in, n_out, n_edge)``
        that makes it.
    edge_lengths : bool, default False
        Whether the log of a cell's mean edge length and of its degree stand beside its features: how densely cells lie.
    n_dims : int, default 64
        Width of what is learned: the first columns of the embedding.
    n_own : int, default 64
        Own inputs of a cell that stand beside what is learned: as they are, or as so many principal components where
        there are more; 0: none, and learned vectors as the encoder gives them. They keep what a cell is, which contrast
        drops.
    n_hidden : int, default 128
        Width of the encoder's layers.
    n_layers : int, default 2
        Message passing layers of the encoder: how many edges away it sees, also one of your own.
    temperature : float, default 0.2
        Divides cosine similarities; vicreg and infomax have none.
    mask_features : float, default 0.5
        Share of features set to their mean in a view.
    jitter : float, default 0.2
        Noise added to the features of a view, in standard deviations.
    drop_edges : float, default 0.3
        Share of edges left out of a view.
    drop_nodes : float, default 0.0
        Share of cells whose features and edges are hidden in a view.
    augment : Augment or None, default None
        Views of your own, in place of `mask_features`, `jitter`, `drop_edges` and `drop_nodes`.
    n_steps : int, default 150
        Optimisation steps.
    batch_size : int, default 1024
        Anchors per step.
    learning_rate : float, default 3e-3
        Peak of the one-cycle schedule.
    weight_decay : float, default 1e-4
        Of AdamW.
    patience : int or None, default None
        Stop when the mean loss over so many steps is no lower than it was before; None: all steps.

    Examples
    --------
    >>> import cellgraph_clr as cgc
    >>> config = cgc.models.CellGraphCLRConfig(n_positives=2, n_dims=32)
    >>> config.temperature
    0.2
    """

    objective: str | Objective = "infonce_p"
    bound: str | None = None
    positives: str | tuple[str, ...] = "both"
    n_positives: int = 5
    n_hops: int = 1
    positive_weights: str | None = None
    encoder: str | Encoder | Callable[[int, int, int], nn.Module] = "sage"
    edge_lengths: bool = False
    n_dims: int = 64
    n_own: int = 64
    n_hidden: int = 128
    n_layers: int = 2
    temperature: float = 0.2
    mask_features: float = 0.5
    jitter: float = 0.2
    drop_edges: float = 0.3
    drop_nodes: float = 0.0
    augment: Augment | None = None
    n_steps: int = 150
    batch_size: int = 1024
    learning_rate: float = 3e-3
    weight_decay: float = 1e-4
    patience: int | None = None

    def __post_init__(self) -> None:
        """Check every field."""
        if not callable(self.objective):
            check_option("objective", self.objective, OBJECTIVES)
        if not callable(self.encoder):
            check_option("encoder", self.encoder, ENCODERS)
        self._check_augment()
        if self.bound is not None:
            from cellgraph_clr.losses.information import ESTIMATORS  # brings torch

            check_option("bound", self.bound, ESTIMATORS)
            if self.objective != "infomax":
                remedy = "Leave `bound` out, or pass objective='infomax'."
                raise OptionError(expected("`bound` with objective='infomax'", repr(self.objective), remedy))
        if self.positive_weights is not None:
            check_option("positive_weights", self.positive_weights, WEIGHTS)
            if self.n_hops > 1:
                remedy = "Leave `positive_weights` out for several hops."
                raise OptionError(expected("`positive_weights` with n_hops = 1", self.n_hops, remedy))
        if isinstance(self.positives, (list, tuple)):
            names = tuple(self.positives)
            object.__setattr__(self, "positives", names[0] if len(names) == 1 else names)
        sources = (self.positives,) if isinstance(self.positives, str) else self.positives
        if not isinstance(sources, (list, tuple)) or not sources or not all(isinstance(k, str) for k in sources):
            raise OptionError(expected("`positives` as a name or names", repr(self.positives), "Pass 'both'."))
        check_whole("n_positives", self.n_positives)
        one = self.positives == "views" or (self.n_positives == 1 and not isinstance(self.positives, tuple))
        if self.objective == "infonce" and not one:
            remedy = "Pass `positives='views'` or `n_positives=1`, or another objective."
            raise OptionError(expected("one positive per anchor for 'infonce'", self.n_positives, remedy))
        if self.objective == "nt_xent" and self.positives != "views":
            remedy = "Pass `positives='views'`, or 'composite_infonce', its form for several positives."
            raise OptionError(expected("positives='views' for 'nt_xent'", repr(self.positives), remedy))
        idle = not {"neighbors", "both"} & set(sources)
        if idle and (self.positive_weights is not None or self.n_hops > 1):
            remedy = "Leave `n_hops` and `positive_weights` out, or add 'neighbors'."
            raise OptionError(expected("neighbours among the positives", repr(self.positives), remedy))
        lowest = {"n_layers": 0, "n_own": 0, "batch_size": 2}
        for name in ("n_hops", "n_dims", "n_own", "n_hidden", "n_steps", "n_layers", "batch_size"):
            check_whole(name, getattr(self, name), low=lowest.get(name, 1), high=MOST.get(name, 2**31))
        if self.patience is not None:
            check_whole("patience", self.patience)
        for name in ("temperature", "learning_rate"):
            check_in_range(name, getattr(self, name), low=0, low_open=True)
        for name in ("mask_features", "drop_edges", "drop_nodes"):
            check_in_range(name, getattr(self, name), low=0, high=1, high_open=True)
        for name in ("jitter", "weight_decay"):
            check_in_range(name, getattr(self, name), low=0)

    def _check_augment(self) -> None:
        """Raise `OptionError` for views of the user's own beside options of ours, which would do nothing."""
        if self.augment is None:
            return
        if not callable(self.augment):
            remedy = "See docs/own_systems.md."
            raise OptionError(expected("`augment` as a callable", repr(self.augment), remedy))
        for one in fields(self):
            if one.name in ("mask_features", "jitter", "drop_edges", "drop_nodes"):
                value = getattr(self, one.name)
                if value != one.default:
                    remedy = "Do it in `augment`, or leave `augment` out."
                    raise OptionError(expected(f"no `{one.name}` beside `augment`", value, remedy))
