"""Learning events: places in two frames drawn alike from every class, on frozen features or with the network."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from cellgraph_clr.training.module import Schedule, StepModule, check_loss
from cellgraph_clr.views.frames import distort_pairs

if TYPE_CHECKING:
    from cellgraph_clr.encoders.arrow import ArrowNet

__all__ = ["EventModule", "EventNet"]


class EventNet(nn.Module):
    """A head on dense features: given ready (no network), or worked out from crops with a margin that is cut off again."""

    def __init__(self, head: nn.Module, net: ArrowNet | None, margin: int) -> None:
        super().__init__()
        self.head, self.net, self.margin = head, net, margin

    def forward(self, x: Tensor) -> Tensor:
        """Return logits (b, k) of features, or of frames, (b, 2, …, y, x)."""
        if self.net is not None:
            m = self.margin
            x = self.net.dense(x.flatten(0, 1))[..., m : x.shape[-2] - m, m : x.shape[-1] - m].unflatten(0, x.shape[:2])
        out: Tensor = self.head(x)
        return out


class EventModule(StepModule):
    """Cross-entropy on batches in which every class is drawn as often."""

    def __init__(
        self,
        model: EventNet,
        inputs: np.ndarray,
        codes: np.ndarray,
        schedule: Schedule,
        fingerprint: str,
        *,
        strength: float,
        seed: int,
    ) -> None:
        super().__init__(schedule, fingerprint, len(codes))
        self.model, self.inputs, self.codes = model, inputs, codes
        self.strength, self.seed = strength, seed
        self._members = [np.flatnonzero(codes == k) for k in range(codes.max() + 1)]

    def training_step(self, batch: Any, index: int) -> Tensor:  # noqa: ARG002
        """Return the loss of step `global_step`."""
        rng = np.random.default_rng([self.seed, self.global_step])
        generator = torch.Generator().manual_seed(int(rng.integers(2**62)))
        kinds = rng.integers(len(self._members), size=self.schedule.batch_size)
        rows = np.array([rng.choice(self._members[k]) for k in kinds])
        # features are turned as images are; gain and noise are for images alone
        strength = self.strength if self.model.net is not None else 0.0
        x = distort_pairs(torch.from_numpy(self.inputs[rows]).float(), strength, generator).to(self.device)
        logits = self.lowered(self.model)(x)
        target = torch.from_numpy(self.codes[rows]).to(self.device)
        loss = nn.functional.cross_entropy(logits, target)
        check_loss(float(loss.detach()))
        self.record({"loss": float(loss.detach()), "accuracy": float((logits.argmax(1) == target).float().mean())})
        return loss
