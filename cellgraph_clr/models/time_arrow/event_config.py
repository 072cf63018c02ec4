"""What an `EventClassifier` is: the frozen configuration, checked field by field."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cellgraph_clr._core.checks import check_in_range, check_option, check_whole

if TYPE_CHECKING:
    from torch import nn

__all__ = ["EventClassifierConfig"]

HEADS = ("linear", "residual")


@dataclass(frozen=True, slots=True)
class EventClassifierConfig:
    """What an `EventClassifier` is; every field changes the result.

    Parameters
    ----------
    head : str or callable, default "residual"
        "residual" or "linear"; or one of your own, a callable ``(n_features, n_classes, size)`` that makes a module of
        (b, 2, n_features, size, size) → (b, n_classes).
    fine_tune : bool, default False
        Train the network of `arrow` along (a copy of it); False leaves its features as they are.
    crop_px : int, default 24
        Pixels of a place along y and x.
    calibrate : bool, default True
        Whether a temperature is fitted.
    n_steps : int, default 300
        Optimisation steps.
    batch_size : int, default 32
        Places a step.
    learning_rate : float, default 1e-3
        Peak of the one-cycle schedule.
    weight_decay : float, default 1e-4
        Of AdamW.

    Examples
    --------
    >>> import cellgraph_clr as cgc
    >>> config = cgc.models.EventClassifierConfig(n_steps=100)
    >>> config.n_steps
    100
    """

    head: str | Callable[[int, int, int], nn.Module] = "residual"
    fine_tune: bool = False
    crop_px: int = 24
    calibrate: bool = True
    n_steps: int = 300
    batch_size: int = 32
    learning_rate: float = 1e-3
    weight_decay: float = 1e-4

    def __post_init__(self) -> None:
        """Check every field."""
        if not callable(self.head):
            check_option("head", self.head, HEADS)
        lowest, most = {"crop_px": 8, "batch_size": 2}, {"crop_px": 4096}
        for name in ("crop_px", "n_steps", "batch_size"):
            check_whole(name, getattr(self, name), low=lowest.get(name, 1), high=most.get(name, 2**31))
        check_in_range("learning_rate", self.learning_rate, low=0, low_open=True)
        check_in_range("weight_decay", self.weight_decay, low=0)
