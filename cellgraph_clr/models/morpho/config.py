"""What a `MorphoFeatures` is: the frozen configuration, checked field by field."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from cellgraph_clr._core.checks import check_in_range, check_option, check_whole, expected
from cellgraph_clr._core.errors import OptionError

if TYPE_CHECKING:
    from torch import Tensor, nn

__all__ = ["KINDS", "CropNetwork", "MorphoFeaturesConfig", "SurfaceNetwork"]

KINDS = ("shape", "coarse", "fine")
NORMALISATIONS = ("cell", "image")
POSITIVES = ("views", "patches", "neighbors")

MOST = {"n_points": 2**16, "n_patches": 2**10, "batch_size": 2**20}


class SurfaceNetwork(Protocol):
    """An encoder of surfaces of your own: a torch module that is called like this."""

    def __call__(self, points: Tensor, normals: Tensor) -> Tensor:
        """Return codes (b, n_features) of surfaces: points (b, p, d), centred and scaled, with unit normals (b, p, d)."""


class CropNetwork(Protocol):
    """An encoder of crops of your own: a torch module that is called like this."""

    def __call__(self, crops: Tensor) -> Tensor:
        """Return codes (b, n_features) of crops (b, c + 1, [z,] y, x), the mask of the cell last."""


@dataclass(frozen=True, slots=True)
class MorphoFeaturesConfig:
    """What a `MorphoFeatures` is; every field changes the result.

    Parameters
    ----------
    kinds : tuple of str, default ("shape", "coarse", "fine")
        "shape" (points on the surface), "coarse" (the whole cell), "fine" (patches inside it); the last two need an image.
    shape_encoder : str or SurfaceNetwork or callable, default "points"
        "points"; or a `SurfaceNetwork` of your own, or a callable ``(n_features)`` that makes it.
    texture_encoder : str or CropNetwork or callable, default "residual"
        "residual"; or a `CropNetwork` of your own, or a callable ``(n_in, n_features, ndim)`` that makes it.
    n_features : int, default 80
        Width of the code of each kind.
    n_hidden : int, default 16
        Width of the networks: twice that for points, that at the first level of crops.
    n_points : int, default 128
        Points on the surface of a cell.
    coarse_size : int, default 24
        Voxels along the side of a crop of the whole cell; a multiple of 8.
    coarse_resolution : float or None, default None
        Size of its voxels, in the unit of the labels; None: nine of ten cells fit.
    fine_size : int, default 8
        Voxels along the side of a patch inside the cell; a multiple of 8.
    fine_resolution : float or None, default None
        Size of its voxels; None: the finest spacing of the labels.
    n_patches : int, default 16
        Patches of a cell; their codes are averaged, half of them make a view.
    masked : bool, default True
        Whether crops hold the cell alone; False shows what lies around it.
    intensity_scale : str, default "cell"
        "cell" brings every crop to mean 0 and spread 1 inside the cell, so that brightness and contrast are left to
        measured features; "image" uses the mean and spread over all cells.
    positives : str, default "views"
        What a cell is told alike with: "views", the other view of it (InfoNCE); "patches", every patch of the other
        view alone (InfoNCEp; the same as "views" where there is one); "neighbors", also the cells that touch it
        (InfoNCEp).
    temperature : float, default 0.2
        Divides cosine similarities.
    reconstruction : float, default 1.0
        Weight of the mean squared error of rebuilt crops; 0 leaves the decoder out.
    strength : float, default 1.0
        How far views differ: bent surfaces, distorted crops; 0 leaves other draws, turns and mirrors.
    n_steps : int, default 300
        Optimisation steps of each kind.
    batch_size : int, default 64
        Cells a step.
    learning_rate : float, default 1e-3
        Peak of the one-cycle schedule.
    weight_decay : float, default 1e-4
        Of AdamW.

    Examples
    --------
    >>> import cellgraph_clr as cgc
    >>> config = cgc.models.MorphoFeaturesConfig(kinds=("shape",))
    >>> config.kinds
    ('shape',)
    """

    kinds: tuple[str, ...] = KINDS
    shape_encoder: str | SurfaceNetwork | Callable[[int], nn.Module] = "points"
    texture_encoder: str | CropNetwork | Callable[[int, int, int], nn.Module] = "residual"
    n_features: int = 80
    n_hidden: int = 16
    n_points: int = 128
    coarse_size: int = 24
    coarse_resolution: float | None = None
    fine_size: int = 8
    fine_resolution: float | None = None
    n_patches: int = 16
    masked: bool = True
    intensity_scale: str = "cell"
    positives: str = "views"
    temperature: float = 0.2
    reconstruction: float = 1.0
    strength: float = 1.0
    n_steps: int = 300
    batch_size: int = 64
    learning_rate: float = 1e-3
    weight_decay: float = 1e-4

    def __post_init__(self) -> None:
        """Check every field."""
        object.__setattr__(self, "kinds", tuple(self.kinds) if isinstance(self.kinds, (list, tuple)) else (self.kinds,))
        if not self.kinds:
            raise OptionError(expected("at least one of shape, coarse, fine", "none", "Pass `kinds=('shape',)`."))
        for kind in self.kinds:
            check_option("kinds", kind, KINDS)
        for name, known in (("shape_encoder", "points"), ("texture_encoder", "residual")):
            if not callable(getattr(self, name)):
                check_option(name, getattr(self, name), (known,))
        check_option("intensity_scale", self.intensity_scale, NORMALISATIONS)
        check_option("positives", self.positives, POSITIVES)
        lowest = {"n_points": 16, "batch_size": 2, "n_hidden": 4}
        for name in ("n_features", "n_hidden", "n_points", "n_patches", "n_steps", "batch_size"):
            check_whole(name, getattr(self, name), low=lowest.get(name, 1), high=MOST.get(name, 2**31))
        for name in ("coarse_size", "fine_size"):
            check_whole(name, getattr(self, name), low=8)
            if getattr(self, name) % 8:
                raise OptionError(
                    expected(f"`{name}` as a multiple of 8", getattr(self, name), "Three levels halve it.")
                )
        for name in ("coarse_resolution", "fine_resolution"):
            if getattr(self, name) is not None:
                check_in_range(name, getattr(self, name), low=0, low_open=True)
        for name in ("temperature", "learning_rate"):
            check_in_range(name, getattr(self, name), low=0, low_open=True)
        for name in ("reconstruction", "weight_decay"):
            check_in_range(name, getattr(self, name), low=0)
        check_in_range("strength", self.strength, low=0, high=2)
