"""From vectors to the mean loss without the whole score matrix: blocks of anchors, gradients on the way forward."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import torch
from torch import Tensor

from cellgraph_clr._core.first_order import first_order
from cellgraph_clr._core.precision import full_precision

__all__ = ["RowLoss", "blocked_mean"]

RowLossWithSlope: TypeAlias = Callable[[Tensor, Tensor, Tensor | None], tuple[Tensor, Tensor]]
RowLoss: TypeAlias = Callable[[Tensor, Tensor, Tensor | None], Tensor]


class _BlockedMean(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        anchor: Tensor,
        candidates: Tensor,
        positives: Tensor,
        exclude: Tensor | None,
        log_noise: Tensor | None,
        row_loss: RowLoss,
        with_slope: RowLossWithSlope | None,
        temperature: float,
        block_size: int,
    ) -> Tensor:
        want_grad = ctx.needs_input_grad[0] or ctx.needs_input_grad[1]
        total = anchor.new_zeros((), dtype=torch.float64)
        d_anchor = torch.zeros_like(anchor) if want_grad else None
        d_candidates = torch.zeros_like(candidates) if want_grad else None
        n = len(anchor)
        for start in range(0, n, block_size):
            rows = slice(start, start + block_size)
            scores = (anchor[rows] @ candidates.T).div_(temperature)
            if log_noise is not None:
                scores -= log_noise
            left_out = None if exclude is None else exclude[rows]
            if with_slope is not None:
                losses, slope = with_slope(scores, positives[rows], left_out)
            else:
                with torch.set_grad_enabled(want_grad):
                    scores.requires_grad_(want_grad)
                    losses = row_loss(scores, positives[rows], left_out)
                    if want_grad:
                        (slope,) = torch.autograd.grad(losses.sum(), scores)
            total += losses.detach().double().sum()
            if d_anchor is not None and d_candidates is not None:
                slope = slope.to(anchor.dtype).div_(n * temperature)
                d_anchor[rows] = slope @ candidates
                d_candidates.addmm_(slope.T, anchor[rows])
        ctx.save_for_backward(d_anchor, d_candidates, anchor, candidates)
        return (total / max(n, 1)).to(anchor.dtype)

    @staticmethod
    def backward(ctx: Any, *upstream: Tensor) -> tuple[Tensor | None, ...]:
        *gradients, anchor, candidates = ctx.saved_tensors
        d_anchor, d_candidates = (first_order(d * upstream[0], anchor, candidates) for d in gradients)
        return d_anchor, d_candidates, None, None, None, None, None, None, None


@full_precision
def blocked_mean(
    anchor: Tensor,
    candidates: Tensor,
    positives: Tensor,
    exclude: Tensor | None,
    row_loss: RowLoss,
    *,
    temperature: float,
    with_slope: RowLossWithSlope | None = None,
    log_noise: Tensor | None = None,
    block_size: int = 1024,
) -> Tensor:
    """Return the mean over anchors of `row_loss` on ``anchor @ candidates.T / temperature - log_noise``.

    Parameters
    ----------
    anchor : (a, d) tensor.
    candidates : (c, d) tensor of the same dtype and device.
    positives, exclude : (a, c) bool tensors.
    row_loss : maps scores and masks of a block of anchors to one loss per anchor.
    temperature : above 0.
    with_slope : the same loss with its gradient with respect to the scores, which it may overwrite; spares autograd.
    log_noise : (c,) log probability of every candidate under the noise, None for equal ones; no gradient reaches it.
    block_size : anchors a block; memory beside inputs and gradients is a few (block_size, c) arrays.

    Returns
    -------
    Scalar, float32 at least; 0 for no anchors. Gradients reach `anchor` and `candidates`, also when they are the same tensor;
    a second derivative raises `RuntimeError`.
    """
    return _BlockedMean.apply(
        anchor, candidates, positives, exclude, log_noise, row_loss, with_slope, temperature, block_size
    )
