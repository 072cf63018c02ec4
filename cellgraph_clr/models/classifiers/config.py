"""What a `CellGraphClassifier` is: the frozen configuration, checked field by field."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cellgraph_clr._core.checks import check_in_range, check_option, check_whole, expected
from cellgraph_clr._core.errors import OptionError
from cellgraph_clr.models.classifiers.data import HEADS, LOSSES

if TYPE_CHECKING:
    from torch import nn

__all__ = ["CellGraphClassifierConfig"]


@dataclass(frozen=True, slots=True)
class CellGraphClassifierConfig:
    """What a `CellGraphClassifier` is; every field changes the result.

    Examples
    --------
    >>> import cellgraph_clr as cgc
    >>> config = cgc.models.CellGraphClassifierConfig(n_steps=100)
    >>> config.n_steps
    100
    """

    loss: str = "soft_infonce"
    """"soft_infonce", "soft_cross_entropy", or on one-hot targets "infonce", "cross_entropy"."""
    head: str | Callable[[int, int], nn.Module] = "mlp"
    """"mlp" or "linear"; or one of your own, a callable ``(n_in, n_classes)`` that makes a module."""
    smoothing: float = 0.1
    """Share of every target spread over all classes (soft losses)."""
    consistency: float = 0.0
    """Weight of the mean squared difference between the probabilities of two views of as many unlabelled cells."""
    mask_features: float = 0.0
    """Share of features set to their mean in a view; `consistency` needs some augmentation. Without it none is best where it was
    measured (the Platynereis table: 0.2 of both costs 0.025 of accuracy)."""
    drop_edges: float = 0.0
    """Share of edges left out of a view."""
    n_steps: int = 200
    """Optimisation steps."""
    learning_rate: float = 0.02
    """Highest of the cosine schedule."""
    encoder_rate: float = 0.02
    """Learning rate of the encoder, as a share of the head's; 0 leaves it as it is. With few labels a small one is best: the
    encoder forgets what it learned without labels."""
    weight_decay: float = 0.05
    """Of AdamW."""
    calibrate: bool = True
    """Fit one temperature on out-of-fold logits (3 folds, which takes four times as long)."""

    def __post_init__(self) -> None:
        """Check every field."""
        check_option("loss", self.loss, LOSSES)
        if not callable(self.head):
            check_option("head", self.head, HEADS)
        check_whole("n_steps", self.n_steps)
        for name in ("smoothing", "mask_features", "drop_edges"):
            check_in_range(name, getattr(self, name), low=0, high=1, high_open=True)
        for name in ("consistency", "weight_decay", "encoder_rate"):
            check_in_range(name, getattr(self, name), low=0)
        check_in_range("learning_rate", self.learning_rate, low=0, low_open=True)
        if self.consistency > 0 and self.mask_features == 0 and self.drop_edges == 0:
            remedy = "Pass `mask_features` or `drop_edges` above 0."
            raise OptionError(expected("views that differ, for `consistency`", "no augmentation", remedy))
