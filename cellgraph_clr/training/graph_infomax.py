"""InfoMax on cell graphs: cells against summaries of what they belong to, a neighbourhood, a sample or a tissue."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from cellgraph_clr.losses.information import mutual_information
from cellgraph_clr.training.figures import effective_rank
from cellgraph_clr.training.module import Schedule, StepModule, check_loss
from cellgraph_clr.training.steps import Material, embed_shuffled

if TYPE_CHECKING:
    from cellgraph_clr.views.pairs import Pairs

__all__ = ["GraphInfoMaxModule", "membership"]


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


class GraphInfoMaxModule(StepModule):
    """``L = - I(cell; summary)``.

    Negatives of a cell are the summaries that it is no part of; negatives of a summary are also the cells of a graph whose
    features were shuffled among the cells of each sample, so that one sample is enough.

    Parameters
    ----------
    encoder, critic : networks; the critic scores vectors of cells with summaries.
    material : graph, relation, views.
    estimator : of `mutual_information`.

    Notes
    -----
    Source: Velickovic et al. 2019 (Deep Graph Infomax, equation 1: one summary, shuffled features) where all cells are related;
    summaries of neighbourhoods and of groups of cells in the same form are ours.
    """

    def __init__(
        self,
        encoder: nn.Module,
        critic: nn.Module,
        material: Material,
        schedule: Schedule,
        fingerprint: str,
        *,
        estimator: str,
    ) -> None:
        super().__init__(schedule, fingerprint, len(material.x))
        self.encoder, self.critic, self.material, self.estimator = encoder, critic, material, estimator

    def training_step(self, batch: Any, index: int) -> Tensor:  # noqa: ARG002
        """Return the loss of step `global_step`; all processes work out the whole of it."""
        encoder = self.lowered(self.encoder)
        first, second, shuffled, pairs = embed_shuffled(self.material, self.global_step, encoder, self.device)
        shares, belongs = membership(pairs, with_self=self.material.source.with_self)
        kept = np.flatnonzero(shares.any(axis=1))  # cells without neighbours have no summary
        summary = torch.from_numpy(shares[kept]).to(self.device) @ second
        positives = torch.from_numpy(np.concatenate([belongs[:, kept], np.zeros_like(belongs[:, kept])]))
        scores = self.critic(torch.cat([first, shuffled]), summary)
        information = mutual_information(scores, positives.to(self.device), estimator=self.estimator)
        loss = -information
        check_loss(float(loss.detach()))
        figures = {
            "loss": float(loss.detach()),
            "positives_per_anchor": float(pairs.positives.sum(axis=1).mean()),
            "effective_rank": effective_rank(first),
        }
        self.record(figures)
        return loss
