"""What every objective asks of its scores and masks, checked once in one place."""

from __future__ import annotations

import torch
from torch import Tensor

from cellgraph_clr._core.checks import expected
from cellgraph_clr._core.errors import OptionError, PairsError, ShapeError

__all__ = ["check_masks", "check_temperature"]


def check_masks(shape: tuple[int, ...], positives: Tensor, exclude: Tensor | None) -> Tensor:
    """Return `exclude` as a bool mask (all False for None) after checking both masks.

    Raises
    ------
    ShapeError
        If the scores are not 2D or a mask has another shape.
    PairsError
        If a mask is not bool, or a candidate is both positive and excluded for the same anchor.
    """
    if len(shape) != 2:
        raise ShapeError(expected("scores of shape (n_anchors, n_candidates)", shape, "Pass one row per anchor."))
    for name, mask in (("positives", positives), ("exclude", exclude)):
        if mask is None:
            continue
        if tuple(mask.shape) != shape:
            raise ShapeError(expected(f"`{name}` of shape {shape}", tuple(mask.shape), "Give one entry per score."))
        if mask.dtype != torch.bool:
            raise PairsError(expected(f"`{name}` to be a bool mask", mask.dtype, "Convert it with `.bool()`."))
    if exclude is None:
        return torch.zeros_like(positives)
    both = positives & exclude
    if both.any():
        anchor, candidate = (int(i) for i in both.nonzero()[0])
        raise PairsError(
            expected(
                "no candidate that is both positive and excluded",
                f"{int(both.sum())}, the first at anchor {anchor}, candidate {candidate}",
                "Remove the positives from `exclude`: `exclude & ~positives`.",
            )
        )
    return exclude


def check_temperature(temperature: float) -> None:
    """Raise `OptionError` unless `temperature` is a positive finite number."""
    if not (isinstance(temperature, (int, float)) and 0 < temperature < float("inf")):
        raise OptionError(expected("a `temperature` above 0", repr(temperature), "Usual values are 0.05 to 1."))
