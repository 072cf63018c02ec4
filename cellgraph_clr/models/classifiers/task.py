"""Heads trained on soft targets: on feature vectors, or behind a graph encoder that is trained along."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from cellgraph_clr.encoders.graph import edges_of_entries, encode
from cellgraph_clr.encoders.heads import linear_head, mlp_head
from cellgraph_clr.graphs.tiles import halo
from cellgraph_clr.models.cell_graph.views import drop_edges, mask_features
from cellgraph_clr.models.classifiers.targets import mix_up, soft_loss
from cellgraph_clr.training.objects import built
from cellgraph_clr.training.task import Schedule, generators

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from scipy.sparse import csr_matrix

    from cellgraph_clr.models.classifiers.config import CellGraphClassifierConfig
    from cellgraph_clr.training.task import Lowered

__all__ = ["GraphHeadTask", "HeadBeside", "HeadTask", "Neighbourhood", "neighbourhood", "new_head"]


def new_head(kind: str | nn.Module | Callable[[int, int], nn.Module], n_in: int, n_classes: int) -> nn.Module:
    """Return a "linear" or an "mlp" head, (b, n_in) → (b, n_classes), or one of the user's."""
    if isinstance(kind, str):
        return {"linear": linear_head, "mlp": mlp_head}[kind](n_in, n_classes)
    return built(kind, n_in, n_classes, option="head")


class _Vectors(NamedTuple):
    """Inputs (b, f), targets (b, k), weights (b,)."""

    inputs: Tensor
    targets: Tensor
    weight: Tensor


@dataclass(eq=False)
class HeadTask:
    """``mean_i w_i L(z_i, target_i)`` of a head on feature vectors, over shuffled batches.

    Parameters
    ----------
    head, loss : names, or the user's head.
    x : (n, f) float32 standardised features.
    targets : (n, k) float32; their mean is the class prior.
    weight : (n,) float32 of the samples.
    temperature, mixup : see `SoftInfoNCEClassifier`.
    batch_size : samples a step.
    schedule : steps and rates.
    seed : of everything drawn.
    """

    head: object
    loss_name: str
    x: Tensor
    targets: Tensor
    weight: Tensor
    temperature: float
    mixup: float
    batch_size: int
    schedule: Schedule
    seed: int
    _order: tuple[int, Tensor] = field(default=(-1, torch.zeros(0)), repr=False)

    @cached_property
    def prior(self) -> Tensor:
        """Frequencies of the classes (k,)."""
        return self.targets.mean(dim=0)

    def networks(self) -> dict[str, nn.Module]:
        """Return the head."""
        return {"head": new_head(self.head, self.x.shape[1], self.targets.shape[1])}  # type: ignore[arg-type]

    def draw(self, step: int) -> _Vectors:
        """Return a batch; every sample comes about once an epoch, at every step where all of them fit."""
        size = min(self.batch_size, len(self.x))
        if size == len(self.x) and self.mixup == 0:
            return _Vectors(self.x, self.targets, self.weight)
        epoch, place = divmod(step, len(self.x) // size)
        if epoch != self._order[0]:
            self._order = epoch, torch.randperm(len(self.x), generator=generators(self.seed, 0, epoch)[1])
        rows = self._order[1][place * size : (place + 1) * size]
        inputs, soft = mix_up(self.x[rows], self.targets[rows], self.mixup, generators(self.seed, 1, step)[1])
        return _Vectors(inputs, soft, self.weight[rows])

    def loss(self, networks: Mapping[str, Lowered], batch: _Vectors) -> tuple[Tensor, dict[str, Tensor | float]]:
        """Return the weighted mean loss."""
        z, prior = networks["head"](batch.inputs), self.prior.to(batch.inputs.device)
        return (soft_loss(self.loss_name, z, batch.targets, prior, self.temperature) * batch.weight).mean(), {}


class Neighbourhood(NamedTuple):
    """What an encoder reads to encode some cells: features (m, f), adjacency, edge features, and the rows (w,) of the cells."""

    x: Tensor
    adjacency: csr_matrix
    edge_attr: Tensor | None
    core: Tensor


def neighbourhood(material: tuple[Tensor, csr_matrix, Tensor | None], rows: np.ndarray, n_layers: int) -> Neighbourhood:
    """Return the part of a graph (`CellGraphCLR.graph_tensors`) that some cells depend on."""
    x, adjacency, edge_attr = material
    part = halo(adjacency, rows, n_layers)
    edges = edges_of_entries(edge_attr, part.adjacency)
    return Neighbourhood(x[torch.from_numpy(part.rows)], part.adjacency, edges, torch.from_numpy(part.core))


class HeadBeside(nn.Module):
    """A head that reads features beside the output of an encoder, which it standardises.

    Parameters
    ----------
    head : maps (n, f + d) to logits (n, k).
    mean, scale : (d,) of the encoder's output before it is trained further.

    Shapes
    ------
    x (n, f), h (n, d) → (n, k)
    """

    mean: Tensor
    scale: Tensor

    def __init__(self, head: nn.Module, mean: Tensor, scale: Tensor) -> None:
        super().__init__()
        self.head = head
        self.register_buffer("mean", mean)
        self.register_buffer("scale", scale)

    def forward(self, x: Tensor, h: Tensor) -> Tensor:
        """Return the logits of cells with features x and encoder output h."""
        out: Tensor = self.head(torch.cat([x, (h - self.mean) / self.scale], dim=1))
        return out


class _Graphs(NamedTuple):
    """What labelled cells, then as many unlabelled ones, depend on; and the unlabelled ones in another view, or None."""

    first: Neighbourhood
    again: Neighbourhood | None


@dataclass(eq=False)
class GraphHeadTask:
    """``L(z, targets) + c |softmax(z') - softmax(z'')|^2`` of labelled cells, and of unlabelled ones in two views.

    Parameters
    ----------
    config : the options.
    encoder : pre-trained, copied.
    material : standardised features (n, f), numbered adjacency, edge features.
    moments : mean and spread (d,) of what the encoder gives before.
    n_layers : edges that the encoder sees.
    labelled : (l,) rows.
    targets : (l, k) float32 of them; their mean is the class prior.
    seed : of everything drawn.
    """

    config: CellGraphClassifierConfig
    encoder: nn.Module
    material: tuple[Tensor, csr_matrix, Tensor | None]
    moments: tuple[Tensor, Tensor]
    n_layers: int
    labelled: np.ndarray
    targets: Tensor
    seed: int

    @property
    def schedule(self) -> Schedule:
        """Steps and rates."""
        c = self.config
        return Schedule(c.n_steps, c.learning_rate, c.weight_decay, "cosine", rates={"encoder": c.encoder_rate})

    @cached_property
    def prior(self) -> Tensor:
        """Frequencies of the classes (k,)."""
        return self.targets.mean(dim=0)

    @cached_property
    def unlabelled(self) -> np.ndarray:
        """Rows without a label."""
        return np.setdiff1d(np.arange(len(self.material[0])), self.labelled)

    @cached_property
    def _still(self) -> Neighbourhood:
        return neighbourhood(self.material, self.labelled, self.n_layers)

    def networks(self) -> dict[str, nn.Module]:
        """Return the encoder and the head."""
        encoder = deepcopy(self.encoder).train()
        n_in = self.material[0].shape[1] + len(self.moments[0])
        head = new_head(self.config.head, n_in, self.targets.shape[1])
        return {"encoder": encoder, "head": HeadBeside(head, *self.moments)}

    def draw(self, step: int) -> _Graphs:
        """Return the labelled cells, and with `consistency` as many others, in a view, and the others in a second one."""
        rng, generator = generators(self.seed, step)
        n = min(len(self.labelled), len(self.unlabelled)) if self.config.consistency > 0 else 0
        if n == 0:
            return _Graphs(self._view(self._still, rng, generator), None)
        others = rng.choice(self.unlabelled, n, replace=False)
        rows = np.concatenate([self.labelled, others])
        first, again = (neighbourhood(self.material, r, self.n_layers) for r in (rows, others))
        return _Graphs(self._view(first, rng, generator), self._view(again, rng, generator))

    def loss(self, networks: Mapping[str, Lowered], batch: _Graphs) -> tuple[Tensor, dict[str, Tensor | float]]:
        """Return the loss."""
        z, n = self._logits(networks, batch.first), len(self.labelled)
        targets, prior = self.targets.to(z.device), self.prior.to(z.device)
        value = soft_loss(self.config.loss, z[:n], targets, prior).mean()
        if batch.again is not None:
            apart = torch.softmax(z[n:], 1) - torch.softmax(self._logits(networks, batch.again), 1)
            value = value + self.config.consistency * apart.square().sum(1).mean()
        return value, {}

    def _view(self, part: Neighbourhood, rng: np.random.Generator, generator: torch.Generator) -> Neighbourhood:
        values = mask_features(part.x, self.config.mask_features, generator)
        edges = drop_edges(part.adjacency, self.config.drop_edges, rng)
        if edges is part.adjacency:
            return part._replace(x=values)
        return part._replace(x=values, adjacency=edges, edge_attr=edges_of_entries(self.material[2], edges))

    def _logits(self, networks: Mapping[str, Lowered], part: Neighbourhood) -> Tensor:
        h = encode(networks["encoder"], part.x, part.adjacency, part.edge_attr, part.x.device)
        return networks["head"](part.x[part.core], h[part.core])
