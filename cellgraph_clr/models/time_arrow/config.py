"""What a `TimeArrow` is: the frozen configuration, checked field by field."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from cellgraph_clr._core.checks import check_in_range, check_option, check_whole, expected
from cellgraph_clr._core.errors import OptionError

if TYPE_CHECKING:
    from torch import Tensor, nn

__all__ = ["Backbone", "TimeArrowConfig"]

MOST = {"n_levels": 16, "crop_px": 4096}


class Backbone(Protocol):
    """A backbone of your own: a torch module that is called like this.

    Attributes
    ----------
    multiple : int
        Sides of what it is given are multiples of it.
    halo : int
        Pixels around one that its features depend on, a multiple of `multiple`, so that tiles equal the whole frame.
    """

    multiple: int
    halo: int

    def __call__(self, x: Tensor) -> Tensor:
        """Return features (b, n_features, [z,] y, x) of frames (b, c, [z,] y, x)."""


@dataclass(frozen=True, slots=True)
class TimeArrowConfig:
    """What a `TimeArrow` is; every field changes the result.

    Parameters
    ----------
    backbone : str or Backbone or callable, default "unet"
        What gives every pixel its features: "unet"; or a `Backbone` of your own, or a callable ``(n_in, n_out, ndim)``
        for it.
    n_features : int, default 16
        Dense features of every pixel.
    n_hidden : int, default 8
        Channels of the first level of the U-Net.
    n_levels : int, default 2
        Times the U-Net halves the sides.
    crop_px : int, default 64
        Side of the crops that are learned from, in pixels; a multiple of 2 ** n_levels. In 3D z is taken whole.
    steps : tuple of int, default (1,)
        Frames between the two of a pair; one is drawn for each.
    min_content : float, default 0.02
        Least standard deviation of a crop after normalisation; 0 takes background too.
    strength : float, default 0.5
        How far gain, offset and noise of single frames vary; 0 leaves turns and mirrors.
    zoom : float, default 0.0
        How much larger or smaller single frames are seen, as a share: growth then does not tell the order, other
        changes do.
    decorrelation : float, default 0.01
        Weight of the loss that keeps features from being alike.
    validation : float, default 0.2
        Share of the frames of every movie held out, one stretch of time; 0 holds none out.
    held_out : str, default "last"
        Which stretch: "first" or "last".
    n_steps : int, default 400
        Optimisation steps.
    batch_size : int, default 32
        Pairs a step.
    learning_rate : float, default 5e-3
        Peak of the one-cycle schedule.
    weight_decay : float, default 1e-4
        Of AdamW.

    Examples
    --------
    >>> import cellgraph_clr as cgc
    >>> config = cgc.models.TimeArrowConfig(n_steps=100)
    >>> config.n_steps
    100
    """

    backbone: str | Backbone | Callable[[int, int, int], nn.Module] = "unet"
    n_features: int = 16
    n_hidden: int = 8
    n_levels: int = 2
    crop_px: int = 64
    steps: tuple[int, ...] = (1,)
    min_content: float = 0.02
    strength: float = 0.5
    zoom: float = 0.0
    decorrelation: float = 0.01
    validation: float = 0.2
    held_out: str = "last"
    n_steps: int = 400
    batch_size: int = 32
    learning_rate: float = 5e-3
    weight_decay: float = 1e-4

    def __post_init__(self) -> None:
        """Check every field."""
        if not isinstance(self.steps, Iterable) or getattr(self.steps, "ndim", 1) == 0:
            raise OptionError(expected("`steps` as a sequence of whole numbers", repr(self.steps), "Pass (1, 2)."))
        object.__setattr__(self, "steps", tuple(self.steps))
        lowest = {"n_hidden": 4, "crop_px": 16, "batch_size": 2}
        for name in ("n_features", "n_hidden", "n_levels", "crop_px", "n_steps", "batch_size"):
            check_whole(name, getattr(self, name), low=lowest.get(name, 1), high=MOST.get(name, 2**31))
        if not callable(self.backbone):
            check_option("backbone", self.backbone, ("unet",))
        if isinstance(self.backbone, str) and self.crop_px % 2**self.n_levels:
            wanted = f"`crop_px` as a multiple of {2**self.n_levels}"
            raise OptionError(expected(wanted, self.crop_px, f"{self.n_levels} levels halve it."))
        if not self.steps:
            raise OptionError(expected("at least one of `steps`", "none", "Pass `steps=(1,)`."))
        for step in self.steps:
            check_whole("steps", step)
        for name in ("min_content", "decorrelation", "weight_decay"):
            check_in_range(name, getattr(self, name), low=0)
        check_in_range("learning_rate", self.learning_rate, low=0, low_open=True)
        check_in_range("zoom", self.zoom, low=0, high=1)
        check_in_range("strength", self.strength, low=0, high=2)
        check_in_range("validation", self.validation, low=0, high=0.9)
        check_option("held_out", self.held_out, ("first", "last"))
