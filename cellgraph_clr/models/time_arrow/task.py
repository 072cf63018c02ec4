"""Time-arrow prediction: which of two frames came first, and features that differ from one another."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from cellgraph_clr.losses.functional import decorrelation
from cellgraph_clr.models.time_arrow.distortion import distort_pairs
from cellgraph_clr.models.time_arrow.network import new_network
from cellgraph_clr.training.task import Schedule, generators

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cellgraph_clr.models.time_arrow.config import TimeArrowConfig
    from cellgraph_clr.models.time_arrow.data import FramePairs
    from cellgraph_clr.models.time_arrow.network import ArrowNet
    from cellgraph_clr.training.task import Lowered

__all__ = ["ArrowTask", "arrow_accuracy"]


class _Batch(NamedTuple):
    """Pairs (b, 2, c, [z,] y, x), and which of them (b,) int64 the wrong way round."""

    pairs: Tensor
    flipped: Tensor


@dataclass(eq=False)
class ArrowTask:
    """``L = CE(order of the frames) + w decorrelation of their features``.

    Parameters
    ----------
    config : the options.
    source : pairs of frames, the earlier first.
    ndim, n_channels : of the movies.
    seed : of everything drawn.
    """

    config: TimeArrowConfig
    source: FramePairs
    ndim: int
    n_channels: int
    seed: int

    @property
    def schedule(self) -> Schedule:
        """Steps and rates."""
        return Schedule(self.config.n_steps, self.config.learning_rate, self.config.weight_decay)

    def networks(self) -> dict[str, nn.Module]:
        """Return the network."""
        return {"net": new_network(self.config, self.n_channels, self.ndim)}

    def draw(self, step: int) -> _Batch:
        """Return distorted pairs, half of them turned round."""
        c = self.config
        rng, generator = generators(self.seed, step)
        pairs, _ = self.source.pairs(c.batch_size, rng)
        flipped = torch.from_numpy(rng.integers(2, size=len(pairs)))
        pairs[flipped == 1] = pairs[flipped == 1].flip(1)
        return _Batch(distort_pairs(pairs, c.strength, generator, zoom=c.zoom), flipped)

    def loss(self, networks: Mapping[str, Lowered], batch: _Batch) -> tuple[Tensor, dict[str, Tensor | float]]:
        """Return the loss, and its parts."""
        net = networks["net"]
        features = net.dense(batch.pairs.flatten(0, 1))
        order = net.order(features.unflatten(0, batch.pairs.shape[:2]))
        arrow = nn.functional.cross_entropy(order, batch.flipped)
        apart = decorrelation(features)
        right = (order.argmax(dim=1) == batch.flipped).float().mean()
        return arrow + self.config.decorrelation * apart, {"loss": arrow, "accuracy": right, "decorrelation": apart}


def arrow_accuracy(
    net: ArrowNet, source: FramePairs, n: int, seed: int, *, batch_size: int = 64
) -> tuple[float, float]:
    """Return the share of n crops whose order is told, and its standard error; pairs come in both orders.

    Crops of the same two frames err together, so that the error is that of the mean over pairs of frames.
    """
    device = next(net.parameters()).device
    rng = np.random.default_rng(seed)
    right, frames = [], []
    with torch.inference_mode():
        for start in range(0, n, batch_size):
            crops, which = source.pairs(min(batch_size, n - start), rng)
            pairs = crops.to(device)
            frames.append(which)
            flipped = torch.from_numpy(rng.integers(2, size=len(pairs)).astype(bool)).to(device)
            pairs[flipped] = pairs[flipped].flip(1)
            right.append(((net(pairs).argmax(dim=1) == 1) == flipped).float().cpu())
    told, pair = torch.cat(right).numpy(), np.unique(np.concatenate(frames), return_inverse=True)[1]
    count = np.bincount(pair)
    means = np.bincount(pair, weights=told) / count
    share = float(told.mean())
    if len(count) == 1:
        return share, float(np.sqrt(share * (1 - share) / n))
    weight = count / count.sum()
    return share, float(np.sqrt((weight**2 * (means - share) ** 2).sum() * len(count) / (len(count) - 1)))
