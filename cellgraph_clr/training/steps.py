"""One contrastive step: the pairs and the two views of a batch, as a function of the seed and the step alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from cellgraph_clr.encoders.graph import sparse_tensor
from cellgraph_clr.graphs.tiles import halo
from cellgraph_clr.training.distributed import gathered, process, share
from cellgraph_clr.views.augment import drop_edges, drop_nodes, jitter_features, mask_features
from cellgraph_clr.views.positives import Relation, draw_pairs

if TYPE_CHECKING:
    from collections.abc import Callable

    from scipy.sparse import csr_matrix

    from cellgraph_clr.training.batches import AnchorBatches
    from cellgraph_clr.views.pairs import Pairs

__all__ = ["Material", "PairSource", "Strength", "embed_pairs", "embed_shuffled", "encode"]


@dataclass(frozen=True, slots=True)
class Strength:
    """How strongly a view differs from the data: share of features masked, noise in standard deviations, edges, nodes dropped."""

    mask: float
    jitter: float
    drop_edges: float
    drop_nodes: float = 0.0


@dataclass(frozen=True, slots=True)
class PairSource:
    """Where positives come from: a relation, how many of it, and whether the own second view is one."""

    relation: Relation | None
    n_related: int
    with_self: bool


@dataclass(frozen=True, slots=True, eq=False)
class Material:
    """What all steps share.

    Parameters
    ----------
    x : (n, f) float32 standardised features.
    adjacency : (n, n) CSR whose values are int64 numbers of its entries, 0 to nnz - 1.
    edge_attr : (nnz, e) float32 in the order of the entries, or None.
    batches, source, strength : who the anchors are, their positives, how views differ.
    n_layers : hops that the encoder sees.
    tiled : whether a step takes its cells with a halo, or the whole graph.
    seed : of everything drawn.
    sample : (n,) int64, the sample of every cell.
    """

    x: Tensor
    adjacency: csr_matrix
    edge_attr: Tensor | None
    batches: AnchorBatches
    source: PairSource
    strength: Strength
    n_layers: int
    tiled: bool
    seed: int
    sample: np.ndarray


def encode(
    encoder: Callable[..., Tensor], x: Tensor, adjacency: csr_matrix, edge_attr: Tensor | None, device: torch.device
) -> Tensor:
    """Return the encoder's output for rows x on a graph whose entries carry the numbers of their edge features."""
    if edge_attr is not None:
        edge_attr = edge_attr[torch.from_numpy(adjacency.data)].to(device)
    return encoder(x.to(device), sparse_tensor(adjacency, device), edge_attr)


def embed_pairs(
    material: Material,
    step: int,
    encoder: Callable[..., Tensor],
    projection: Callable[..., Tensor],
    device: torch.device,
) -> tuple[Tensor, Tensor, Pairs]:
    """Return the projected vectors of this process's anchors (a, d) and of all candidates (c, d), and the pairs of the batch.

    Everything random comes from (seed, step), alike in all processes; each of several encodes its share of the cells, with
    their halo, and gets the vectors of the others with their gradient.
    """
    batch = _Batch(material, step)
    pairs = batch.pairs
    first, second = (projection(batch.view(rows, encoder, device)) for rows in (pairs.anchors, pairs.candidates))
    return first, gathered(second, len(pairs.candidates)), pairs


def embed_shuffled(
    material: Material, step: int, encoder: Callable[..., Tensor], device: torch.device
) -> tuple[Tensor, Tensor, Tensor, Pairs]:
    """Return vectors of all anchors (a, d), of all candidates (c, d), of anchors with shuffled features (a, d), and the pairs.

    Features are shuffled among the cells of each sample, edges stay. Random as in `embed_pairs`.
    """
    batch = _Batch(material, step)
    pairs, n = batch.pairs, len(batch.pairs.anchors)
    first = batch.view(pairs.anchors, encoder, device)
    second = batch.view(pairs.candidates, encoder, device)
    batch.shuffle(material.sample)
    other = batch.view(pairs.anchors, encoder, device)
    return gathered(first, n), gathered(second, len(pairs.candidates)), gathered(other, n), pairs


class _Batch:
    """The pairs of a step and the part of the graph that they see."""

    def __init__(self, material: Material, step: int) -> None:
        m = self._material = material
        self._rng = np.random.default_rng([m.seed, 1, step])
        self._generator = torch.Generator().manual_seed(int(self._rng.integers(2**62)))
        source = m.source
        self.pairs = draw_pairs(
            m.batches(step),
            relation=source.relation,
            n_related=source.n_related,
            with_self=source.with_self,
            rng=self._rng,
        )
        if m.tiled:
            whole = halo(m.adjacency, self.pairs.candidates, m.n_layers)
            self._rows, self._adjacency = whole.rows, whole.adjacency
            self._x = m.x[torch.from_numpy(whole.rows)]
        else:
            self._rows, self._adjacency, self._x = np.arange(len(m.x)), m.adjacency, m.x

    def shuffle(self, sample: np.ndarray) -> None:
        """Give every cell the features of another one of its sample (n,)."""
        codes = sample[self._rows]
        order = np.argsort(codes, kind="stable")
        mixed = np.lexsort((self._rng.random(len(codes)), codes))
        source = np.empty(len(codes), np.int64)
        source[order] = mixed
        self._x = self._x[torch.from_numpy(source)]

    def view(self, wanted: np.ndarray, encoder: Callable[..., Tensor], device: torch.device) -> Tensor:
        """Return the vectors (w, d) of this process's share of some rows in a view that is drawn anew."""
        m, rng = self._material, self._rng
        edges, stays = drop_nodes(self._adjacency, m.strength.drop_nodes, rng)
        edges = drop_edges(edges, m.strength.drop_edges, rng)
        masked = mask_features(self._x, m.strength.mask, self._generator)
        values = jitter_features(masked, m.strength.jitter, self._generator)
        if not stays.all():
            values = values * torch.from_numpy(stays).unsqueeze(1)
        own = np.searchsorted(self._rows, wanted)[share(len(wanted))]
        if m.tiled or process()[1] > 1:
            part = halo(edges, own, m.n_layers)
            values, edges, own = values[torch.from_numpy(part.rows)], part.adjacency, part.core
        h = encode(encoder, values, edges, m.edge_attr, device)
        return h[torch.from_numpy(own).to(device)]
