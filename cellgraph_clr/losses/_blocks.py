"""From vectors to the mean loss without the whole score matrix: blocks of anchors, gradients on the way forward."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import torch
from torch import Tensor

from cellgraph_clr._core.first_order import first_order
from cellgraph_clr._core.precision import full_precision

__all__ = ["RowLoss", "RowLossWithSlope", "blocked_mean"]

RowLossWithSlope: TypeAlias = Callable[[Tensor, Tensor, Tensor | None], tuple[Tensor, Tensor]]
RowLoss: TypeAlias = Callable[[Tensor, Tensor, Tensor | None], Tensor]


class _BlockedMean(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        anchor: Tensor,
        candidates: Tensor,
        temperature: float | Tensor,
        positives: Tensor,
        exclude: Tensor | None,
        log_noise: Tensor | None,
        row_loss: RowLoss,
        with_slope: RowLossWithSlope | None,
        block_size: int,
    ) -> Tensor:
        want_grad = any(ctx.needs_input_grad[:3])
        total = anchor.new_zeros((), dtype=torch.float64)
        d_anchor = torch.zeros_like(anchor) if want_grad else None
        d_candidates = torch.zeros_like(candidates) if want_grad else None
        d_temperature = torch.zeros_like(total) if ctx.needs_input_grad[2] else None
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
                if d_temperature is not None:
                    # anchors and 1 / T enter as a product (Euler): T dL/dT = -sum anchor * dL/danchor, without the scores
                    d_temperature -= (anchor[rows].double() * d_anchor[rows].double()).sum()
        if d_temperature is not None and isinstance(temperature, Tensor):
            d_temperature = (d_temperature / temperature.double()).to(temperature)
        inputs = (anchor, candidates, temperature if isinstance(temperature, Tensor) else None)
        ctx.save_for_backward(d_anchor, d_candidates, d_temperature, *inputs)
        return (total / max(n, 1)).to(anchor.dtype)

    @staticmethod
    def backward(ctx: Any, *upstream: Tensor) -> tuple[Tensor | None, ...]:
        gradients, inputs = ctx.saved_tensors[:3], ctx.saved_tensors[3:]
        known = [None if d is None else first_order(d * upstream[0].to(d), *inputs) for d in gradients]
        return (*known, None, None, None, None, None, None)


@full_precision
def blocked_mean(
    anchor: Tensor,
    candidates: Tensor,
    positives: Tensor,
    exclude: Tensor | None,
    row_loss: RowLoss,
    *,
    temperature: float | Tensor,
    with_slope: RowLossWithSlope | None = None,
    log_noise: Tensor | None = None,
    block_size: int = 1024,
) -> Tensor:
    """Return the mean over anchors of `row_loss` on ``anchor @ candidates.T / temperature - log_noise``.

    Parameters
    ----------
    anchor : (a, d) tensor
        Vectors, one a row.
    candidates : (c, d) tensor
        Of the same dtype and device.
    positives, exclude : (a, c) bool tensors
        Checked masks; None excludes nothing.
    row_loss : callable
        Maps scores and masks of a block of anchors to one loss per anchor.
    temperature : float or 0-d tensor
        Above 0. A tensor has an exact gradient.
    with_slope : callable or None
        The same loss with its gradient with respect to the scores, which it may overwrite; spares autograd.
    log_noise : (c,) tensor or None
        Log probability of every candidate under the noise, None for equal ones; no gradient reaches it.
    block_size : int
        Anchors a block; memory beside inputs and gradients is a few (block_size, c) arrays.

    Returns
    -------
    () tensor
        Float32 at least; 0 for no anchors. Gradients reach `anchor`, `candidates` (also when they are the same tensor) and
        `temperature`; a second derivative raises `RuntimeError`.
    """
    return _BlockedMean.apply(
        anchor, candidates, temperature, positives, exclude, log_noise, row_loss, with_slope, block_size
    )
