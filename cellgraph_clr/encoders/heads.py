"""Classification heads on feature vectors."""

from __future__ import annotations

import torch
from torch import Tensor, nn

__all__ = ["EncoderWithHead", "linear_head", "mlp_head", "new_head"]


def linear_head(n_in: int, n_classes: int) -> nn.Module:
    """Return a linear map (b, n_in) → (b, n_classes), started at zero so that training is convex from the prior."""
    head = nn.Linear(n_in, n_classes)
    nn.init.zeros_(head.weight)
    nn.init.zeros_(head.bias)
    return head


def mlp_head(n_in: int, n_classes: int, n_hidden: int = 128, dropout: float = 0.2) -> nn.Module:
    """Return a two-layer perceptron (b, n_in) → (b, n_classes) with LayerNorm and dropout."""
    return nn.Sequential(
        nn.Linear(n_in, n_hidden),
        nn.LayerNorm(n_hidden),
        nn.ReLU(),
        nn.Dropout(dropout),
        nn.Linear(n_hidden, n_classes),
    )


def new_head(kind: str, n_in: int, n_classes: int) -> nn.Module:
    """Return a "linear" or an "mlp" head, (b, n_in) → (b, n_classes)."""
    return {"linear": linear_head, "mlp": mlp_head}[kind](n_in, n_classes)


class EncoderWithHead(nn.Module):
    """An encoder and a head that reads features beside the encoder's output, which it standardises.

    Parameters
    ----------
    encoder : maps cells to vectors (n, d).
    head : maps (n, f + d) to logits (n, k).
    mean, scale : (d,) of the encoder's output before it is trained further.

    Shapes
    ------
    x (n, f), h (n, d) → (n, k)
    """

    mean: Tensor
    scale: Tensor

    def __init__(self, encoder: nn.Module, head: nn.Module, mean: Tensor, scale: Tensor) -> None:
        super().__init__()
        self.encoder, self.head = encoder, head
        self.register_buffer("mean", mean)
        self.register_buffer("scale", scale)

    def forward(self, x: Tensor, h: Tensor) -> Tensor:
        """Return the logits of cells with features x and encoder output h."""
        out: Tensor = self.head(torch.cat([x, (h - self.mean) / self.scale], dim=1))
        return out
