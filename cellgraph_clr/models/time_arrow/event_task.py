"""Learning events: places in two frames drawn alike from every class, on frozen features or with the network."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from cellgraph_clr.models.time_arrow.distortion import distort_pairs
from cellgraph_clr.models.time_arrow.event_head import EventHead
from cellgraph_clr.training.objects import built
from cellgraph_clr.training.task import Schedule, generators

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cellgraph_clr.models.time_arrow.event_config import EventClassifierConfig
    from cellgraph_clr.models.time_arrow.network import ArrowNet
    from cellgraph_clr.training.task import Lowered

__all__ = ["MARGIN", "EventNet", "EventTask", "new_event_net"]

MARGIN = 16  # pixels around a place that a network trained along sees


class EventNet(nn.Module):
    """A head on dense features: given ready (no network), or worked out from crops with a margin that is cut off again.

    Of planes the highest value of a feature is taken.
    """

    def __init__(self, head: nn.Module, net: ArrowNet | None, margin: int) -> None:
        super().__init__()
        self.head, self.net, self.margin = head, net, margin

    def forward(self, x: Tensor) -> Tensor:
        """Return logits (b, k) of features (b, 2, c, y, x), or of frames (b, 2, c, [z,] y, x)."""
        if self.net is not None:
            m = self.margin
            found = self.net.dense(x.flatten(0, 1))[..., m : x.shape[-2] - m, m : x.shape[-1] - m]
            x = (found.amax(dim=2) if found.dim() == 5 else found).unflatten(0, x.shape[:2])
        out: Tensor = self.head(x)
        return out


def new_event_net(config: EventClassifierConfig, n_features: int, n_classes: int, net: ArrowNet | None) -> EventNet:
    """Return a head on so many features, with a copy of the network that gives them where it is trained along.

    The network keeps its mode: one that was fitted keeps its statistics of normalisation.
    """
    c = config
    if isinstance(c.head, str):
        head: nn.Module = EventHead(n_features, n_classes, c.crop_px, kind=c.head)
    else:
        head = built(c.head, n_features, n_classes, c.crop_px, option="head")
    return EventNet(head, deepcopy(net) if c.fine_tune else None, MARGIN)


class _Batch(NamedTuple):
    """Features or frames (b, 2, …, y, x), and their classes (b,)."""

    inputs: Tensor
    codes: Tensor


@dataclass(eq=False)
class EventTask:
    """Cross-entropy on batches in which every class is drawn as often.

    Parameters
    ----------
    config : the options.
    inputs : (n, 2, c, y, x) float16 features, or frames (n, 2, c, [z,] y, x) where the network is trained along.
    codes : (n,) int64 classes from 0.
    n_features : dense features of a frame.
    net : what gives them; trained along with `config.fine_tune`.
    strength : of the distortion of frames.
    seed : of everything drawn.
    """

    config: EventClassifierConfig
    inputs: np.ndarray
    codes: np.ndarray
    n_features: int
    net: ArrowNet | None
    strength: float
    seed: int

    @property
    def schedule(self) -> Schedule:
        """Steps and rates."""
        return Schedule(self.config.n_steps, self.config.learning_rate, self.config.weight_decay)

    @cached_property
    def members(self) -> list[np.ndarray]:
        """Rows of every class."""
        return [np.flatnonzero(self.codes == k) for k in range(self.codes.max() + 1)]

    def networks(self) -> dict[str, nn.Module]:
        """Return the head, with the network where it is trained along."""
        return {"net": new_event_net(self.config, self.n_features, len(self.members), self.net)}

    def draw(self, step: int) -> _Batch:
        """Return places, distorted; features are turned as images are, which is a heuristic: they do not turn along with them."""
        rng, generator = generators(self.seed, step)
        kinds = rng.integers(len(self.members), size=self.config.batch_size)
        rows = np.array([rng.choice(self.members[k]) for k in kinds])
        strength = self.strength if self.config.fine_tune else 0.0  # gain and noise are for images alone
        x = distort_pairs(torch.from_numpy(self.inputs[rows]).float(), strength, generator)
        return _Batch(x, torch.from_numpy(self.codes[rows]))

    def loss(self, networks: Mapping[str, Lowered], batch: _Batch) -> tuple[Tensor, dict[str, Tensor | float]]:
        """Return the cross-entropy, and how many were right."""
        logits = networks["net"](batch.inputs)
        right = (logits.argmax(1) == batch.codes).float().mean()
        return nn.functional.cross_entropy(logits, batch.codes), {"accuracy": right}
