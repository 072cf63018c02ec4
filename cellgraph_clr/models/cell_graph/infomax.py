"""InfoMax on cell graphs: cells against summaries of what they belong to, a neighbourhood, a sample or a tissue."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from cellgraph_clr.encoders.critic import Critic
from cellgraph_clr.losses.functional import mutual_information
from cellgraph_clr.models.cell_graph.task import GraphTask, View
from cellgraph_clr.training.distributed import gathered
from cellgraph_clr.training.figures import effective_rank

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cellgraph_clr.models.cell_graph.pairs import Pairs
    from cellgraph_clr.training.task import Lowered

__all__ = ["GraphInfoMaxTask", "membership"]


def membership(pairs: Pairs, *, with_self: bool) -> tuple[np.ndarray, np.ndarray]:
    """Return the shares (a, c) of candidates in the summary of every anchor, and which anchors (a, a) go with which summaries.

    The summary of an anchor is the mean over all candidates known to be related to it, drawn as positives or not, and itself
    `with_self`; its row is 0 where there is none. A cell goes with its own summary and with every one that it is a part of.
    """
    own = np.searchsorted(pairs.candidates, pairs.anchors)
    every = np.arange(len(own))
    related = pairs.positives | pairs.exclude
    related[every, own] = with_self
    count = related.sum(axis=1, keepdims=True)
    belongs = related[:, own].T.copy()
    belongs[every, every] = True
    return (related / np.maximum(count, 1)).astype(np.float32), belongs


class _Batch(NamedTuple):
    """Views (anchors, candidates, shuffled anchors), shares (s, c) of summaries, and who (2 a, s) goes with which of them."""

    views: list[View]
    shares: Tensor
    belongs: Tensor
    n_candidates: int
    n_positives: float


class GraphInfoMaxTask(GraphTask):
    """``L = - I(cell; summary)``.

    Negatives of a cell are the summaries that it is no part of; negatives of a summary are also the cells of a graph whose
    features were shuffled among the cells of each sample, so that one sample is enough. All processes work out the whole loss.

    Notes
    -----
    Source: Velickovic et al. 2019 (Deep Graph Infomax, equation 1: one summary, shuffled features) where all cells are related;
    summaries of neighbourhoods and of groups of cells in the same form are ours.
    """

    def networks(self) -> dict[str, nn.Module]:
        """Return the encoder, and the critic that scores vectors of cells with summaries."""
        n = self.config.n_dims
        return {"encoder": self.encoder(), "critic": Critic(n, n)}

    def draw(self, step: int) -> _Batch:
        """Return three views of a batch and its summaries; cells without relatives have none."""
        pairs, views = self.draw_views(step, 3)
        shares, belongs = membership(pairs, with_self=self.positives.with_self)
        kept = np.flatnonzero(shares.any(axis=1))
        never = np.zeros_like(belongs[:, kept])
        both = np.concatenate([belongs[:, kept], never])
        n_positives = float(pairs.positives.sum(axis=1).mean())
        return _Batch(views, torch.from_numpy(shares[kept]), torch.from_numpy(both), len(pairs.candidates), n_positives)

    def loss(self, networks: Mapping[str, Lowered], batch: _Batch) -> tuple[Tensor, dict[str, Tensor | float]]:
        """Return minus the information, and figures."""
        n = len(batch.belongs) // 2
        sizes = (n, batch.n_candidates, n)
        first, second, shuffled = (
            gathered(self.embed(networks["encoder"], view), size) for view, size in zip(batch.views, sizes, strict=True)
        )
        scores = networks["critic"].module(torch.cat([first, shuffled]), batch.shares @ second)
        information = mutual_information(scores, batch.belongs, bound=self.config.bound or "jsd")
        return -information, {
            "loss": -information,
            "positives_per_anchor": batch.n_positives,
            "effective_rank": effective_rank(first),
        }
