"""What every loss asks of its vectors, scores, masks, targets and temperature, checked once in one place."""

from __future__ import annotations

from numbers import Real
from typing import Any

import torch
from torch import Tensor

from cellgraph_clr._core.checks import expected
from cellgraph_clr._core.errors import OptionError, PairsError, ShapeError

__all__ = [
    "check_class_prior",
    "check_masks",
    "check_noise_targets",
    "check_targets",
    "check_temperature",
    "check_tensors",
    "check_vectors",
]


OPTIONAL = ("log_noise", "noise_targets", "keep")


def check_tensors(*, one_dtype: bool = True, **tensors: Any) -> None:
    """Check that what is multiplied is of one kind; the first says which.

    Raises
    ------
    OptionError
        For what is no tensor, is not of floating point, or of another dtype (where `one_dtype`; halves count as float32) or
        device than the first.
    """
    given = {name: tensor for name, tensor in tensors.items() if tensor is not None or name not in OPTIONAL}
    first = next(iter(given))
    for name, tensor in given.items():
        _check_tensor(name, tensor)
        if not tensor.is_floating_point() and (one_dtype or name == first):
            raise OptionError(expected(f"`{name}` of floating point", str(tensor.dtype), "Convert it by `.float()`."))
        if one_dtype and tensor.dtype != given[first].dtype:
            remedy = f"Convert one of them: `.to({first}.dtype)`."
            raise OptionError(expected(f"`{name}` of {given[first].dtype}, as `{first}`", str(tensor.dtype), remedy))
        if tensor.device != given[first].device:
            remedy = f"Bring it there: `.to({first}.device)`."
            raise OptionError(expected(f"`{name}` on {given[first].device}, as `{first}`", str(tensor.device), remedy))


def _check_tensor(name: str, value: object) -> None:
    if not isinstance(value, Tensor):
        raise OptionError(expected(f"`{name}` as a tensor", type(value).__name__, "Make it one: `torch.as_tensor`."))


def check_vectors(anchor: Tensor, candidates: Tensor) -> None:
    """Raise `ShapeError` unless both are 2D and of one width, `OptionError` as `check_tensors`."""
    check_tensors(anchor=anchor, candidates=candidates)
    if anchor.ndim != 2 or candidates.ndim != 2 or anchor.shape[1] != candidates.shape[1]:
        raise ShapeError(
            expected(
                "anchor (a, d) and candidates (c, d)",
                f"{tuple(anchor.shape)} and {tuple(candidates.shape)}",
                "Both need one vector per row, of one width.",
            )
        )


def check_masks(
    shape: tuple[int, ...], positives: Tensor, exclude: Tensor | None, *, like: Tensor | None = None
) -> Tensor:
    """Return `exclude` as a bool mask (all False for None) after checking both masks, which lie on the device of `like`.

    Raises
    ------
    OptionError
        If a mask is no tensor, or on another device.
    ShapeError
        If the scores are not 2D or a mask has another shape.
    PairsError
        If a mask is not bool, or a candidate is both positive and excluded for the same anchor.
    """
    if len(shape) != 2:
        raise ShapeError(expected("scores of shape (n_anchors, n_candidates)", shape, "Pass one row per anchor."))
    masks: dict[str, Any] = {"positives": positives}
    for name, mask in (masks if exclude is None else {**masks, "exclude": exclude}).items():
        _check_tensor(name, mask)
        if like is not None and mask.device != like.device:
            remedy = "Bring it there by `.to`."
            raise OptionError(expected(f"`{name}` on {like.device}, as what it masks", str(mask.device), remedy))
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


def check_temperature(temperature: float | Tensor) -> None:
    """Raise `OptionError` unless `temperature` is a positive finite number or a 0-d tensor that holds one."""
    if isinstance(temperature, Tensor):
        number = temperature.ndim == 0 and temperature.is_floating_point()
        value = float(temperature.detach()) if number else 0.0
    else:
        number = isinstance(temperature, Real) and not isinstance(temperature, bool)
        value = float(temperature) if number else 0.0
    if not 0 < value < float("inf"):
        raise OptionError(expected("a `temperature` above 0", repr(temperature), "Usual values are 0.05 to 1."))


def check_targets(logits: Tensor, targets: Tensor) -> None:
    """Raise `ShapeError` unless logits and targets are 2D and of one shape, `OptionError` as `check_tensors`."""
    check_tensors(logits=logits, targets=targets, one_dtype=False)
    if logits.ndim != 2 or logits.shape != targets.shape:
        raise ShapeError(
            expected(
                "logits and targets of one shape (n, n_classes)",
                f"{tuple(logits.shape)} and {tuple(targets.shape)}",
                "Give every sample one probability per class.",
            )
        )


def check_noise_targets(targets: Tensor, noise_targets: Tensor) -> None:
    """Check the targets that samples are compared with.

    Raises
    ------
    ShapeError
        If they are not 2D or of another number of classes.
    PairsError
        If the own target of a sample is not among them.
    """
    if noise_targets.ndim != 2 or noise_targets.shape[1] != targets.shape[1]:
        shape = f"(m, {targets.shape[1]})"
        remedy = "Give every sample one probability per class."
        raise ShapeError(expected(f"`noise_targets` of shape {shape}", tuple(noise_targets.shape), remedy))
    _, number = torch.cat([noise_targets, targets]).unique(dim=0, return_inverse=True)
    missing = ~torch.isin(number[len(noise_targets) :], number[: len(noise_targets)])
    if missing.any():
        raise PairsError(
            expected(
                "the target of every sample among `noise_targets`",
                f"{int(missing.sum())} that are not, the first of sample {int(missing.nonzero()[0])}",
                "Gather the targets of all processes, with those of this one.",
            )
        )


def check_class_prior(class_prior: Tensor, *targets: Tensor) -> None:
    """Check a prior against the targets that it is the prior of.

    Raises
    ------
    ShapeError
        If it has another number of classes than the targets.
    OptionError
        If it is negative somewhere, or 0 for a class that a target has mass on.
    """
    n_classes = targets[0].shape[1]
    if class_prior.shape != (n_classes,):
        remedy = "Give one entry per class."
        raise ShapeError(expected(f"`class_prior` of shape ({n_classes},)", tuple(class_prior.shape), remedy))
    if (class_prior < 0).any():
        raise OptionError(expected("a `class_prior` of frequencies >= 0", class_prior.tolist(), "Count the labels."))
    absent = class_prior <= 0
    if any((t[:, absent] > 0).any() for t in targets):
        classes = absent.nonzero().squeeze(1).tolist()
        raise OptionError(
            expected(
                "no target mass on classes of prior 0",
                f"mass on classes {classes}",
                "Take the prior from the same (smoothed) targets, or drop the class.",
            )
        )
