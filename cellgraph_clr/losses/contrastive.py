"""The neighbours of InfoNCEp, with its signature: InfoNCE, SupCon (out and in), MIL-NCE and the pairwise composite."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from cellgraph_clr._core.checks import expected
from cellgraph_clr._core.errors import PairsError
from cellgraph_clr._core.masked import masked_logsumexp
from cellgraph_clr._core.precision import full_precision
from cellgraph_clr.losses._checks import check_masks

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["composite_infonce", "infonce", "infonce_with_slope", "mil_nce", "supcon_in", "supcon_out"]

SEVERAL = "Use `infonce_p` or `supcon_out` for several."


@full_precision
def _rowwise(
    scores: Tensor, positives: Tensor, exclude: Tensor | None, row: Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]
) -> Tensor:
    """Evaluate `row(scores, positives, candidates, p)` in float32 at least; 0 for anchors without a positive."""
    exclude = check_masks(tuple(scores.shape), positives, exclude)
    if scores.numel() == 0:
        return scores.sum(1)
    p = positives.sum(1)
    has_positive = p > 0
    # an anchor without positives borrows one, so that no -inf meets the gradient; its loss is set to 0 below
    borrowed = positives | (~has_positive.unsqueeze(1) & ~exclude)
    value = row(scores, borrowed, ~exclude, borrowed.sum(1).clamp_min(1))
    return torch.where(has_positive, value, torch.zeros_like(value))


def infonce(scores: Tensor, positives: Tensor, exclude: Tensor | None = None) -> Tensor:
    """Return ``-f_+ + log sum_k exp f_k`` per anchor, which has one positive at the most.

    Parameters
    ----------
    scores : (a, c) float tensor, already divided by the temperature.
    positives, exclude : (a, c) bool tensors as in `infonce_p`.

    Returns
    -------
    (a,) nats, float32 at least; 0 for an anchor without a positive.

    Raises
    ------
    ShapeError, PairsError
        As `infonce_p`; PairsError also for an anchor with several positives.

    Source
    ------
    van den Oord et al. 2018, eq. 4.
    """
    most = int(positives.sum(1).max()) if positives.ndim == 2 and positives.numel() else 0
    if most > 1:
        raise PairsError(expected("one positive per anchor at the most", most, SEVERAL))
    return mil_nce(scores, positives, exclude)


def infonce_with_slope(scores: Tensor, positives: Tensor, exclude: Tensor | None) -> tuple[Tensor, Tensor]:
    """Return `infonce` and its gradient (softmax minus the positive) in one pass, for masks that are checked.

    The scores are overwritten. float32 at least. Raises `PairsError` for an anchor with several positives.
    """
    work = scores if scores.dtype == torch.float64 else scores.float()
    if exclude is not None and exclude.any():
        work = work.masked_fill_(exclude, -torch.inf)
    log_share = torch.log_softmax(work, dim=1)
    row, column = positives.nonzero(as_tuple=True)
    if (row[1:] == row[:-1]).any():
        raise PairsError(expected("one positive per anchor at the most", "several", SEVERAL))
    loss = work.new_zeros(len(work))
    loss[row] = -log_share[row, column]
    slope = log_share.exp_()
    slope[row, column] -= 1
    if len(row) < len(work):
        without = torch.ones(len(work), dtype=torch.bool, device=work.device)
        without[row] = False
        slope[without] = 0
    return loss, slope


def supcon_out(scores: Tensor, positives: Tensor, exclude: Tensor | None = None) -> Tensor:
    """Return ``-mean_S f_i + log sum_k exp f_k`` per anchor (SupCon with the sum outside the logarithm).

    Its minimum is log p, not 0, and a positive that already dominates is repelled. Arguments, result and errors as
    `infonce_p`. Source: Khosla et al. 2020, eq. 2.
    """
    return _rowwise(
        scores,
        positives,
        exclude,
        lambda f, pos, cand, p: masked_logsumexp(f, cand) - torch.where(pos, f, 0).sum(1) / p,
    )


def supcon_in(scores: Tensor, positives: Tensor, exclude: Tensor | None = None) -> Tensor:
    """Return ``-log mean_S softmax_i`` per anchor (the sum inside the logarithm): MIL-NCE plus log p.

    Arguments, result and errors as `infonce_p`. Source: Khosla et al. 2020, eq. 3.
    """
    return _rowwise(
        scores,
        positives,
        exclude,
        lambda f, pos, cand, p: masked_logsumexp(f, cand) - masked_logsumexp(f, pos) + p.to(f.dtype).log(),
    )


def mil_nce(scores: Tensor, positives: Tensor, exclude: Tensor | None = None) -> Tensor:
    """Return ``-log sum_S exp f_i + log sum_k exp f_k`` per anchor: one good positive suffices.

    Arguments, result and errors as `infonce_p`. Source: Miech et al. 2020, eq. 1.
    """
    return _rowwise(
        scores,
        positives,
        exclude,
        lambda f, pos, cand, _p: masked_logsumexp(f, cand) - masked_logsumexp(f, pos),
    )


def composite_infonce(scores: Tensor, positives: Tensor, exclude: Tensor | None = None) -> Tensor:
    """Return the mean over positives of InfoNCE with the other positives removed (minimum 0).

    Arguments, result and errors as `infonce_p`. Source: SINCERE (Feeney and Hughes 2023), eq. 5; the several-positive
    form of NT-Xent.
    """

    def row(f: Tensor, pos: Tensor, cand: Tensor, p: Tensor) -> Tensor:
        noise = masked_logsumexp(f, cand & ~pos).unsqueeze(1)
        pair = torch.nn.functional.softplus(torch.where(pos, noise - f, -torch.inf))
        return pair.sum(1) / p

    return _rowwise(scores, positives, exclude, row)
