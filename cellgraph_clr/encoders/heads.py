"""Heads on feature vectors: of classifiers, and the one between an embedding and its loss."""

from __future__ import annotations

from torch import nn

__all__ = ["ProjectionHead", "linear_head", "mlp_head"]


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


class ProjectionHead(nn.Sequential):
    """Two-layer perceptron between the embedding and the loss; thrown away after training (Chen et al. 2020)."""

    def __init__(self, n_in: int, n_out: int) -> None:
        super().__init__(nn.Linear(n_in, n_in), nn.ReLU(), nn.Linear(n_in, n_out))
