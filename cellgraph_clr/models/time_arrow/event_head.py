"""Heads that tell events from the dense features of two frames."""

from __future__ import annotations

import torch
from torch import Tensor, nn

__all__ = ["HEADS", "EventHead"]

HEADS = ("linear", "residual")


class EventHead(nn.Module):
    """Features of a place in two frames to logits.

    Parameters
    ----------
    n_features : dense features of a frame.
    n_classes : events.
    size : pixels of the place along y and x.
    kind : "linear" (all values of both frames) or "residual" (a convolution, a residual block, and for every frame the means over
        the place and over its middle ninth: in dense tissue the event in the middle counts, not those beside it).
    n_hidden : channels of the residual head.

    Shapes
    ------
    (b, 2, n_features, size, size) → (b, n_classes)

    Source: Chen, Namboodiri and Sero 2024; that the residual head sees both frames one after the other, not their mean, and the
    middle apart, is ours.
    """

    def __init__(
        self, n_features: int, n_classes: int, size: int, *, kind: str = "residual", n_hidden: int = 32
    ) -> None:
        super().__init__()
        self.kind = kind
        if kind == "linear":
            self.leave = nn.Linear(2 * n_features * size**2, n_classes)
            return
        self.enter = nn.Sequential(nn.Conv2d(n_features, n_hidden, 3, padding=1), nn.BatchNorm2d(n_hidden), nn.ReLU())
        self.body = nn.Sequential(
            nn.Conv2d(n_hidden, n_hidden, 3, padding=1, bias=False),
            nn.BatchNorm2d(n_hidden),
            nn.ReLU(),
            nn.Conv2d(n_hidden, n_hidden, 3, padding=1, bias=False),
            nn.BatchNorm2d(n_hidden),
        )
        self.leave = nn.Linear(4 * n_hidden, n_classes)

    def forward(self, features: Tensor) -> Tensor:
        """Return the logits."""
        if self.kind == "linear":
            out: Tensor = self.leave(features.flatten(1))
            return out
        h = self.enter(features.flatten(0, 1))
        h = torch.relu(h + self.body(h))
        third = h.shape[-1] // 3
        middle = h[..., third : h.shape[-2] - third, third : h.shape[-1] - third]
        both = torch.cat([h.mean(dim=(2, 3)), middle.mean(dim=(2, 3))], dim=1)
        pooled: Tensor = self.leave(both.unflatten(0, features.shape[:2]).flatten(1))
        return pooled
