"""What a `DeepInfoMax` is: the frozen configuration, checked field by field."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from cellgraph_clr._core.checks import check_in_range, check_option, check_whole, expected
from cellgraph_clr._core.errors import OptionError
from cellgraph_clr.cells.foreground import FOREGROUNDS

if TYPE_CHECKING:
    from torch import Tensor, nn

__all__ = ["STRIDE", "DeepInfoMaxConfig", "LocalGlobal"]

NORMS = ("none", "group", "batch")
STRIDE = 8  # pixels a local vector


class LocalGlobal(Protocol):
    """An encoder of your own: a torch module with these two methods."""

    def __call__(self, x: Tensor) -> Tensor:
        """Return local vectors (b, n_features, y / 8, x / 8) of images (b, c, y, x)."""

    def summary(self, local: Tensor, weight: Tensor | None = None) -> Tensor:
        """Return global vectors (b, n_features) of local ones, pooled over weights (b, y / 8, x / 8)."""


@dataclass(frozen=True, slots=True)
class DeepInfoMaxConfig:
    """What a `DeepInfoMax` is; every field changes the result.

    Parameters
    ----------
    encoder : str or LocalGlobal or callable, default "conv"
        "conv"; or a `LocalGlobal` of your own, or a callable ``(n_channels, n_features)`` that makes it.
    n_features : int, default 32
        Width of local and global vectors.
    n_hidden : int, default 16
        Channels of the first level of the encoder, doubled at each of three.
    norm : str, default "none"
        "none" keeps brightness; "group" or "batch" normalise within the network, and lose part of it.
    residual : bool, default True
        One residual block more a level, which sees whole cells; False is the shallow encoder.
    bound : str, default "jsd"
        Of the mutual information: "jsd", "dv", "nce" or "infonce_p".
    prior_weight : float, default 0.1
        Weight of matching global vectors to a uniform prior; 0 leaves it out.
    foreground : str, default "mixture"
        How foreground is told while learning: "mixture", "otsu", "labels" or "all".
    intensity_scale : str, default "plate"
        Of intensities: "plate", "field" or "none".
    illumination : bool, default False
        Whether uneven light is corrected.
    sphere : bool, default True
        Whether profiles of windows are scaled so that samples learned from vary alike in all directions within.
    window_px : int, default 128
        Pixels along the side of a crop, and of a window; a multiple of 8.
    n_fields : int, default 3
        Fields of a sample that are seen together; crops of one field where there are fewer.
    gain : float, default 0.2
        How much the brightness of channels of a crop is varied while learning, as a share: smaller differences mean
        nothing.
    blur : float, default 0.0
        How far a crop is put out of focus at the most while learning, in pixels: focus then means nothing.
    batch_size : int, default 24
        Crops a step: `n_fields` of each of as many samples.
    n_steps : int, default 300
        Optimisation steps.
    learning_rate : float, default 1e-3
        Peak of the one-cycle schedule.
    weight_decay : float, default 1e-4
        Of AdamW.

    Examples
    --------
    >>> import cellgraph_clr as cgc
    >>> config = cgc.models.DeepInfoMaxConfig(n_features=32)
    >>> config.n_features
    32
    """

    encoder: str | LocalGlobal | Callable[[int, int], nn.Module] = "conv"
    n_features: int = 32
    n_hidden: int = 16
    norm: str = "none"
    residual: bool = True
    bound: str = "jsd"
    prior_weight: float = 0.1
    foreground: str = "mixture"
    intensity_scale: str = "plate"
    illumination: bool = False
    sphere: bool = True
    window_px: int = 128
    n_fields: int = 3
    gain: float = 0.2
    blur: float = 0.0
    batch_size: int = 24
    n_steps: int = 300
    learning_rate: float = 1e-3
    weight_decay: float = 1e-4

    def __post_init__(self) -> None:
        """Check every field."""
        from cellgraph_clr.losses.information import ESTIMATORS  # brings torch

        if not callable(self.encoder):
            check_option("encoder", self.encoder, ("conv",))
        for name, allowed in (("norm", NORMS), ("bound", ESTIMATORS), ("foreground", FOREGROUNDS)):
            check_option(name, getattr(self, name), allowed)
        check_option("intensity_scale", self.intensity_scale, ("none", "plate", "field"))
        lowest = {"n_hidden": 4, "batch_size": 4, "window_px": 16}
        for name in ("n_features", "n_hidden", "window_px", "n_fields", "batch_size", "n_steps"):
            check_whole(name, getattr(self, name), low=lowest.get(name, 1))
        if self.window_px % STRIDE:
            raise OptionError(
                expected(f"`window_px` as a multiple of {STRIDE}", self.window_px, "The encoder halves it thrice.")
            )
        for name in ("prior_weight", "weight_decay", "gain", "blur"):
            check_in_range(name, getattr(self, name), low=0)
        check_in_range("learning_rate", self.learning_rate, low=0, low_open=True)
