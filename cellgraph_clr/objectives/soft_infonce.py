"""SoftInfoNCE: noise-contrastive estimation against the soft targets of the other samples of the batch."""

from __future__ import annotations

import torch
from torch import Tensor

from cellgraph_clr._core.checks import expected
from cellgraph_clr._core.errors import OptionError, ShapeError
from cellgraph_clr.objectives.checks import check_temperature

__all__ = ["soft_cross_entropy", "soft_infonce"]


def _check_logits_targets(logits: Tensor, targets: Tensor) -> None:
    if logits.ndim != 2 or logits.shape != targets.shape:
        raise ShapeError(
            expected(
                "logits and targets of one shape (n, n_classes)",
                f"{tuple(logits.shape)} and {tuple(targets.shape)}",
                "Give every sample one probability per class.",
            )
        )


def soft_infonce(logits: Tensor, targets: Tensor, class_prior: Tensor, temperature: float = 1.0) -> Tensor:
    """Return the SoftInfoNCE loss of every sample.

    ``s_ij = sum_k w_jk (z_ik / t - log eta_k)`` over the targets j of the whole batch, ``L_i = -s_ii + log sum_j exp
    s_ij``: the noise of a sample is the soft targets of the others.

    Parameters
    ----------
    logits : (b, k) float tensor z.
    targets : (b, k) float tensor w, rows on the simplex.
    class_prior : (k,) float tensor eta, class frequencies of the training labels. A class that is absent (0) is left
        out of the correction; it must then carry no target mass.
    temperature : t, above 0.

    Returns
    -------
    (b,) nats. Empty input gives an empty tensor.

    Raises
    ------
    ShapeError
        If logits and targets, or the prior, do not fit.
    OptionError
        If the prior is negative, a class of prior 0 has target mass, or the temperature is not positive.

    Notes
    -----
    One (b, b) matrix product, never a (b, b, k) tensor. All targets equal gives log b whatever the logits. Predict
    with softmax(z / t): the correction belongs to training only.

    Source
    ------
    Hugger and Uhlmann 2024, arXiv 2404.14076 (SoftTargetInfoNCE).
    """
    _check_logits_targets(logits, targets)
    check_temperature(temperature)
    if class_prior.shape != logits.shape[1:]:
        raise ShapeError(
            expected(
                f"`class_prior` of shape ({logits.shape[1]},)", tuple(class_prior.shape), "Give one entry per class."
            )
        )
    if (class_prior < 0).any():
        raise OptionError(expected("a `class_prior` of frequencies >= 0", class_prior.tolist(), "Count the labels."))
    absent = class_prior <= 0
    if (targets[:, absent] > 0).any():
        classes = absent.nonzero().squeeze(1).tolist()
        raise OptionError(
            expected(
                "no target mass on classes of prior 0",
                f"mass on classes {classes}",
                "Take the prior from the same (smoothed) targets, or drop the class.",
            )
        )
    log_prior = torch.where(absent, torch.zeros_like(class_prior), class_prior.clamp_min(torch.finfo().tiny).log())
    work = logits if logits.dtype == torch.float64 else logits.float()
    scores = (work / temperature - log_prior.to(work.dtype)) @ targets.to(work.dtype).T
    return (torch.logsumexp(scores, dim=1) - scores.diagonal()).to(logits.dtype)


def soft_cross_entropy(logits: Tensor, targets: Tensor, temperature: float = 1.0) -> Tensor:
    """Return ``-sum_k w_k log softmax(z / t)_k`` per sample (b,), in nats.

    Raises `ShapeError` and `OptionError` as `soft_infonce`. Empty input gives an empty tensor.
    """
    _check_logits_targets(logits, targets)
    check_temperature(temperature)
    work = logits if logits.dtype == torch.float64 else logits.float()
    log_p = torch.log_softmax(work / temperature, dim=1)
    return -(targets.to(work.dtype) * log_p).sum(1).to(logits.dtype)
