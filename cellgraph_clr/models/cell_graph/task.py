"""Contrast on cell graphs: two views of a batch are drawn, encoded, and told apart by a loss over `Pairs`."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from cellgraph_clr import losses
from cellgraph_clr.encoders.graph import GraphEncoder, edges_of_entries, encode
from cellgraph_clr.encoders.heads import ProjectionHead
from cellgraph_clr.graphs.tiles import halo
from cellgraph_clr.models.cell_graph.batches import AnchorBatches, in_tiles
from cellgraph_clr.models.cell_graph.pairs import Pairs, draw_pairs
from cellgraph_clr.models.cell_graph.views import augmented
from cellgraph_clr.training.distributed import gathered, process, share, summed
from cellgraph_clr.training.figures import alignment, effective_rank, uniformity
from cellgraph_clr.training.objects import Absent, built
from cellgraph_clr.training.task import Schedule, generators

if TYPE_CHECKING:
    from collections.abc import Mapping

    from scipy.sparse import csr_matrix

    from cellgraph_clr.cells.table import CellTable
    from cellgraph_clr.models.cell_graph.config import CellGraphCLRConfig
    from cellgraph_clr.models.cell_graph.pairs import Positives
    from cellgraph_clr.training.task import Lowered

__all__ = ["ContrastTask", "GraphTask", "View", "cap_of_gap", "learned_objective", "new_encoder", "new_objective"]

OBJECTIVES = {
    "infonce_p": losses.InfoNCEp,
    "infonce": losses.InfoNCE,
    "nt_xent": losses.NTXent,
    "composite_infonce": losses.CompositeInfoNCE,
    "supcon": losses.SupCon,
    "supcon_in": losses.SupConIn,
    "mil_nce": losses.MILNCE,
}


class View(NamedTuple):
    """A graph as an encoder sees it, and which of its rows are asked for.

    Parameters
    ----------
    x : (m, f) float32 features.
    adjacency : (m, m) CSR whose values are the numbers of its entries in the whole graph.
    edge_attr : (entries, e) float32 in their order, or None.
    wanted : (w,) int64 rows.
    """

    x: Tensor
    adjacency: csr_matrix
    edge_attr: Tensor | None
    wanted: Tensor


@dataclass(eq=False)
class GraphTask:
    """What every training on a cell graph shares: the graph, its anchors, and views of it.

    Parameters
    ----------
    config : the options.
    x : (n, f) float32 standardised features.
    adjacency : (n, n) CSR whose values are int64 numbers of its entries, 0 to nnz - 1.
    edge_attr : (nnz, e) float32 in the order of the entries, or None.
    cells : of the graph.
    positives : where they come from.
    seed : of everything drawn.
    start : network -> weights to go on from; the others draw new ones.
    """

    config: CellGraphCLRConfig
    x: Tensor
    adjacency: csr_matrix
    edge_attr: Tensor | None
    cells: CellTable
    positives: Positives
    seed: int
    start: Mapping[str, Mapping[str, Tensor]] = field(default_factory=dict)

    def encoder(self) -> nn.Module:
        """Return an encoder with its first weights."""
        encoder = new_encoder(self.config, self.x.shape[1], 0 if self.edge_attr is None else self.edge_attr.shape[1])
        if "encoder" in self.start:
            encoder.load_state_dict(dict(self.start["encoder"]))
        return encoder

    @property
    def schedule(self) -> Schedule:
        """Steps and rates."""
        c = self.config
        return Schedule(c.n_steps, c.learning_rate, c.weight_decay, patience=c.patience)

    @cached_property
    def sample(self) -> np.ndarray:
        """Number of the sample of every cell (n,)."""
        return np.unique(self.cells.sample, return_inverse=True)[1]

    @cached_property
    def batches(self) -> AnchorBatches:
        """The anchors of every step."""
        return AnchorBatches(self.cells, batch_size=self.config.batch_size, seed=self.seed)

    def draw_views(self, step: int, n_views: int) -> tuple[Pairs, list[View]]:
        """Return the pairs of a step and views: of its anchors, of its candidates, and with shuffled features of its anchors.

        In the third every cell has the features of another one of its sample; edges stay.
        """
        rng, generator = generators(self.seed, 1, step)
        pairs = draw_pairs(self.batches(step), self.positives, rng)
        rows, adjacency, x = np.arange(len(self.x)), self.adjacency, self.x
        if in_tiles(self.cells):
            whole = halo(self.adjacency, pairs.candidates, self.config.n_layers)
            rows, adjacency, x = whole.rows, whole.adjacency, self.x[torch.from_numpy(whole.rows)]
        views = []
        for k, cells in enumerate((pairs.anchors, pairs.candidates, pairs.anchors)[:n_views]):
            if k == 2:
                x = x[torch.from_numpy(_shuffled(self.sample[rows], rng))]
            values, edges = augmented(self.config, x, adjacency, rng, generator)
            wanted = torch.from_numpy(np.searchsorted(rows, cells))
            view = View(values, edges, None, wanted)
            view = self.cut(view) if in_tiles(self.cells) else view
            views.append(view._replace(edge_attr=edges_of_entries(self.edge_attr, view.adjacency)))
        return pairs, views

    def cut(self, view: View) -> View:
        """Return the part of a view that the rows asked for depend on; they are encoded as in the whole."""
        part = halo(view.adjacency, view.wanted.numpy(), self.config.n_layers)
        return View(view.x[torch.from_numpy(part.rows)], part.adjacency, None, torch.from_numpy(part.core))

    def embed(self, encoder: Lowered, view: View) -> Tensor:
        """Return the vectors (w, d) of this process's share of the rows asked for."""
        device = view.wanted.device
        if process()[1] > 1:
            own = view._replace(wanted=view.wanted[share(len(view.wanted))].cpu(), x=view.x.cpu())
            view = self.cut(own)
            view = view._replace(edge_attr=edges_of_entries(self.edge_attr, view.adjacency))
        return encode(encoder, *view[:3], device)[view.wanted.to(device)]


class _Batch(NamedTuple):
    """Views of anchors and candidates, masks (a, c), and what the pairs amount to."""

    views: list[View]
    positives: Tensor
    exclude: Tensor
    n_positives: float
    n_pairs: int
    cap: float


class ContrastTask(GraphTask):
    """A loss over `Pairs` between the projected vectors of anchors in one view and of candidates in the other."""

    @cached_property
    def objective(self) -> nn.Module:
        """The loss."""
        return new_objective(self.config)

    def networks(self) -> dict[str, nn.Module]:
        """Return the encoder, a projection that is thrown away after training, and a loss that learns itself."""
        n = self.config.n_dims
        networks = {"encoder": self.encoder(), "projection": ProjectionHead(n, n)}
        learned = learned_objective(self.config)
        for name, network in learned.items():
            network.load_state_dict(dict(self.start.get(name, network.state_dict())))
        return networks | learned

    def draw(self, step: int) -> _Batch:
        """Return two views of a batch and its pairs."""
        pairs, views = self.draw_views(step, 2)
        positives, exclude = (torch.from_numpy(m) for m in (pairs.positives, pairs.exclude))
        p = pairs.positives.sum(axis=1)
        return _Batch(views, positives, exclude, float(p.mean()), int(p.sum()), cap_of_gap(pairs))

    def loss(self, networks: Mapping[str, Lowered], batch: _Batch) -> tuple[Tensor, dict[str, Tensor | float]]:
        """Return the loss, scaled so that gradients averaged over processes are those of one, and its figures.

        A loss that is a mean over anchors is shared among processes, any other is worked out whole in each.
        """
        first, second = (networks["projection"](self.embed(networks["encoder"], view)) for view in batch.views)
        n, world = len(batch.positives), process()[1]
        second = gathered(second, batch.positives.shape[1])
        everyone = first if world == 1 else gathered(first, n)
        objective = networks["objective"].module if "objective" in networks else self.objective
        if getattr(objective, "by_anchor", False):
            own = share(n)
            value = objective(first, second, batch.positives[own], batch.exclude[own]) * (len(first) / n)
            total, value = summed(value), value * world
        else:
            value = objective(everyone, second, batch.positives, batch.exclude)
            total = value.detach()
        figures: dict[str, Tensor | float] = {
            "loss": total,
            "positives_per_anchor": batch.n_positives,
            "alignment": alignment(everyone, second, batch.positives),
            "uniformity": uniformity(everyone),
            "effective_rank": effective_rank(everyone),
        }
        if isinstance(objective, losses.InfoNCEp) and objective.is_plain:
            pairs = max(batch.n_pairs, 1)
            gap = (batch.cap - total.double() * n) / pairs
            figures |= {"contrastive_gap": gap, "contrastive_gap_cap": batch.cap / pairs}
        return value / max(batch.n_positives, 1.0), figures


def new_encoder(config: CellGraphCLRConfig, n_in: int, n_edge: int) -> nn.Module:
    """Return the encoder that a configuration names, or one of the user's, for cells with n_in and edges with n_edge features."""
    c = config
    if not isinstance(c.encoder, str):
        return built(c.encoder, n_in, c.n_dims, n_edge, option="encoder")
    return GraphEncoder(n_in, c.n_hidden, c.n_dims, c.n_layers, kind=c.encoder, n_edge=n_edge)


def new_objective(config: CellGraphCLRConfig) -> nn.Module:
    """Return the loss that a configuration names, or the one that it holds."""
    if not isinstance(config.objective, str):
        return built(config.objective, option="objective")
    if config.objective == "vicreg":
        return losses.VICReg()
    return OBJECTIVES[config.objective](config.temperature)


def learned_objective(config: CellGraphCLRConfig) -> dict[str, nn.Module]:
    """Return the loss as a network "objective" where it learns itself (a temperature), else nothing."""
    if isinstance(config.objective, Absent) or config.objective == "infomax":
        return {}
    objective = new_objective(config)
    return {"objective": objective} if any(True for _ in objective.parameters()) else {}


def cap_of_gap(pairs: Pairs) -> float:
    """Return the sum over anchors of ``log C(N, p)``, nats: the loss of InfoNCEp for vectors that tell nothing.

    N candidates are left to an anchor after exclusions. How far the loss lies below, per positive, is the contrastive gap: a
    diagnostic, not a bound on mutual information, since graph neighbours are not conditionally independent.
    """
    from scipy.special import gammaln

    p = pairs.positives.sum(axis=1)
    n = (~pairs.exclude).sum(axis=1)
    return float((gammaln(n + 1) - gammaln(p + 1) - gammaln(n - p + 1)).sum())


def _shuffled(sample: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return for every cell the row of another one of its sample (n,), each row once."""
    order = np.argsort(sample, kind="stable")
    mixed = np.lexsort((rng.random(len(sample)), sample))
    source = np.empty(len(sample), np.int64)
    source[order] = mixed
    return source
