"""SoftInfoNCE: noise-contrastive estimation against the soft targets of the other samples of the batch."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from cellgraph_clr._core.checks import expected
from cellgraph_clr._core.errors import OptionError, ShapeError
from cellgraph_clr._core.first_order import first_order
from cellgraph_clr._core.precision import full_precision
from cellgraph_clr.losses._checks import check_temperature

__all__ = ["soft_cross_entropy", "soft_infonce"]

BLOCK = 1024  # samples whose scores are held at a time


def _check_logits_targets(logits: Tensor, targets: Tensor) -> None:
    if logits.ndim != 2 or logits.shape != targets.shape:
        raise ShapeError(
            expected(
                "logits and targets of one shape (n, n_classes)",
                f"{tuple(logits.shape)} and {tuple(targets.shape)}",
                "Give every sample one probability per class.",
            )
        )


class _AgainstAll(torch.autograd.Function):
    """``-s_ii + logsumexp_j s_ij`` for ``s = z @ w.T``, a block of rows at a time, with its closed-form gradient."""

    @staticmethod
    def forward(ctx: Any, z: Tensor, w: Tensor) -> Tensor:
        loss = torch.empty(len(z), dtype=z.dtype, device=z.device)
        slope = torch.empty_like(z)
        for start in range(0, len(z), BLOCK):
            rows = slice(start, start + BLOCK)
            scores = z[rows] @ w.T
            loss[rows] = torch.logsumexp(scores, dim=1) - (z[rows] * w[rows]).sum(1)
            slope[rows] = torch.softmax(scores, dim=1) @ w - w[rows]
        ctx.save_for_backward(slope, z)
        return loss

    @staticmethod
    def backward(ctx: Any, *upstream: Tensor) -> tuple[Tensor, None]:
        slope, z = ctx.saved_tensors
        return first_order(slope * upstream[0].unsqueeze(1), z), None


@full_precision
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
    (b,) nats, float32 at least. Empty input gives an empty tensor.

    Raises
    ------
    ShapeError
        If logits and targets, or the prior, do not fit.
    OptionError
        If the prior is negative, a class of prior 0 has target mass, or the temperature is not positive.

    Notes
    -----
    O(b^2 k) time; scores are held for 1,024 samples at a time, never a (b, b, k) tensor. Targets are constants: no
    gradient reaches them. The gradient is ``(sum_j P_ij w_j - w_i) / t`` with P the softmax over targets; a second
    derivative raises `RuntimeError`. All targets equal gives log b whatever the logits. Predict with softmax(z / t): the
    correction belongs to training only.

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
    corrected = logits / temperature - log_prior.to(logits.dtype)
    return _AgainstAll.apply(corrected, targets.detach().to(logits.dtype))


@full_precision
def soft_cross_entropy(logits: Tensor, targets: Tensor, temperature: float = 1.0) -> Tensor:
    """Return ``-sum_k w_k log softmax(z / t)_k`` per sample (b,), in nats, float32 at least.

    Raises `ShapeError` and `OptionError` as `soft_infonce`. Empty input gives an empty tensor.
    """
    _check_logits_targets(logits, targets)
    check_temperature(temperature)
    log_p = torch.log_softmax(logits / temperature, dim=1)
    return -(targets.to(logits.dtype) * log_p).sum(1)
