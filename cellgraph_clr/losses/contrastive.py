"""The neighbours of InfoNCEp, with its signature: InfoNCE, SupCon (out and in), MIL-NCE and the pairwise composite."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from cellgraph_clr._core.checks import expected
from cellgraph_clr._core.errors import PairsError
from cellgraph_clr._core.masked import masked_logsumexp
from cellgraph_clr._core.precision import full_precision
from cellgraph_clr.losses._checks import check_masks, check_tensors

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["composite_infonce", "infonce", "infonce_with_slope", "mil_nce", "supcon_in", "supcon_out"]

SEVERAL = "Use `infonce_p` or `supcon_out` for several."


@full_precision
def _rowwise(
    scores: Tensor, positives: Tensor, exclude: Tensor | None, row: Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]
) -> Tensor:
    """Evaluate `row(scores, positives, candidates, p)` in float32 at least; 0 for anchors without a positive."""
    check_tensors(scores=scores)
    exclude = check_masks(tuple(scores.shape), positives, exclude, like=scores)
    if scores.numel() == 0:
        return scores.sum(1)
    p = positives.sum(1)
    has_positive = p > 0
    # an anchor without positives borrows one, so that no -inf meets the gradient; its loss is set to 0 below
    borrowed = positives | (~has_positive.unsqueeze(1) & ~exclude)
    value = row(scores, borrowed, ~exclude, borrowed.sum(1).clamp_min(1))
    return torch.where(has_positive, value, torch.zeros_like(value))


def infonce(scores: Tensor, positives: Tensor, exclude: Tensor | None = None) -> Tensor:
    """Return InfoNCE per anchor, ``-f_+ + log sum_k exp f_k``, of one positive at the most.

    Parameters
    ----------
    scores : (a, c) float tensor
        Larger is closer, already divided by the temperature.
    positives : (a, c) bool tensor
        At most one a row.
    exclude : (a, c) bool tensor, default None
        Candidates that are neither positive nor noise for an anchor. None excludes nothing.

    Returns
    -------
    (a,) float tensor
        Nats, float32 at least, at least 0; 0 for an anchor without a positive. Empty input gives an empty tensor.

    Raises
    ------
    ShapeError
        If scores are not 2D or a mask has another shape.
    PairsError
        If a mask is not bool, a candidate is both positive and excluded, or an anchor has several positives.

    Notes
    -----
    O(a c). Differentiable as often as wanted.

    References
    ----------
    van den Oord et al. 2018, equation 4.

    Examples
    --------
    >>> import torch
    >>> from cellgraph_clr.losses.functional import infonce
    >>> loss = infonce(torch.zeros(1, 8), torch.arange(8)[None] == 0)  # log 8
    >>> round(float(loss), 4)
    2.0794
    """
    most = int(positives.sum(1).max()) if positives.ndim == 2 and positives.numel() else 0
    if most > 1:
        raise PairsError(expected("one positive per anchor at the most", most, SEVERAL))
    return mil_nce(scores, positives, exclude)


def infonce_with_slope(scores: Tensor, positives: Tensor, exclude: Tensor | None) -> tuple[Tensor, Tensor]:
    """Return `infonce` (a,) and its gradient (a, c), softmax minus the positive, in one pass, for masks that are checked.

    The scores are overwritten. float32 at least. Raises `PairsError` for an anchor with several positives.

    Parameters
    ----------
    scores : Tensor
        (a, c).
    positives : Tensor
        (a, c) bool.
    exclude : Tensor or None
        (a, c) bool.

    Returns
    -------
    tuple of Tensor, Tensor
        The loss of every anchor and its slope by the scores.

    Examples
    --------
    >>> import torch
    >>> from cellgraph_clr.losses.contrastive import infonce_with_slope
    >>> loss, slope = infonce_with_slope(torch.zeros(1, 2), torch.tensor([[True, False]]), None)
    >>> slope  # minus the chance of the other
    tensor([[-0.5000,  0.5000]])
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
    """Return SupCon per anchor with the sum outside the logarithm, ``-mean_S f_i + log sum_k exp f_k``.

    Parameters
    ----------
    scores, positives, exclude : tensors
        As `infonce_p`; an anchor may have any number of positives S.

    Returns
    -------
    (a,) float tensor
        Nats, float32 at least; the minimum is log p for p positives, not 0. 0 for an anchor without a positive.

    Raises
    ------
    ShapeError, PairsError
        As `infonce_p`.

    Notes
    -----
    O(a c). A positive that already dominates is repelled. Differentiable as often as wanted.

    References
    ----------
    Khosla et al. 2020, equation 2.

    Examples
    --------
    >>> import torch
    >>> from cellgraph_clr.losses.functional import supcon_out
    >>> positives = torch.tensor([[True, True, False]])
    >>> round(float(supcon_out(torch.tensor([[50.0, 50.0, 0.0]]), positives)), 4)  # log 2
    0.6931
    """
    return _rowwise(
        scores,
        positives,
        exclude,
        lambda f, pos, cand, p: masked_logsumexp(f, cand) - torch.where(pos, f, 0).sum(1) / p,
    )


def supcon_in(scores: Tensor, positives: Tensor, exclude: Tensor | None = None) -> Tensor:
    """Return SupCon per anchor with the sum inside the logarithm, ``-log mean_S softmax_i``: MIL-NCE plus log p.

    Parameters
    ----------
    scores, positives, exclude : tensors
        As `infonce_p`; an anchor may have any number of positives S.

    Returns
    -------
    (a,) float tensor
        Nats, float32 at least; the minimum is log p for p positives. 0 for an anchor without a positive.

    Raises
    ------
    ShapeError, PairsError
        As `infonce_p`.

    Notes
    -----
    O(a c). Differentiable as often as wanted.

    References
    ----------
    Khosla et al. 2020, equation 3.

    Examples
    --------
    >>> import torch
    >>> from cellgraph_clr.losses.functional import supcon_in
    >>> positives = torch.tensor([[True, True, False]])
    >>> round(float(supcon_in(torch.tensor([[50.0, 50.0, 0.0]]), positives)), 4)  # log 2
    0.6931
    """
    return _rowwise(
        scores,
        positives,
        exclude,
        lambda f, pos, cand, p: masked_logsumexp(f, cand) - masked_logsumexp(f, pos) + p.to(f.dtype).log(),
    )


def mil_nce(scores: Tensor, positives: Tensor, exclude: Tensor | None = None) -> Tensor:
    """Return MIL-NCE per anchor, ``-log sum_S exp f_i + log sum_k exp f_k``: one good positive suffices.

    Parameters
    ----------
    scores, positives, exclude : tensors
        As `infonce_p`; an anchor may have any number of positives S.

    Returns
    -------
    (a,) float tensor
        Nats, float32 at least, at least 0; 0 for an anchor without a positive.

    Raises
    ------
    ShapeError, PairsError
        As `infonce_p`.

    Notes
    -----
    O(a c). Differentiable as often as wanted.

    References
    ----------
    Miech et al. 2020, equation 1.

    Examples
    --------
    >>> import torch
    >>> from cellgraph_clr.losses.functional import mil_nce
    >>> positives = torch.tensor([[True, True, False]])
    >>> round(float(mil_nce(torch.tensor([[50.0, 0.0, 0.0]]), positives)), 4)
    0.0
    """
    return _rowwise(
        scores,
        positives,
        exclude,
        lambda f, pos, cand, _p: masked_logsumexp(f, cand) - masked_logsumexp(f, pos),
    )


def composite_infonce(scores: Tensor, positives: Tensor, exclude: Tensor | None = None) -> Tensor:
    """Return per anchor the mean over its positives of InfoNCE, the other positives removed.

    Parameters
    ----------
    scores, positives, exclude : tensors
        As `infonce_p`; an anchor may have any number of positives.

    Returns
    -------
    (a,) float tensor
        Nats, float32 at least, at least 0; 0 for an anchor without a positive.

    Raises
    ------
    ShapeError, PairsError
        As `infonce_p`.

    Notes
    -----
    O(a c). Differentiable as often as wanted.

    References
    ----------
    SINCERE (Feeney and Hughes 2023), equation 5; the several-positive form of NT-Xent.

    Examples
    --------
    >>> import torch
    >>> from cellgraph_clr.losses.functional import composite_infonce
    >>> positives = torch.tensor([[True, True, False]])
    >>> round(float(composite_infonce(torch.zeros(1, 3), positives)), 4)  # log 2: each against one noise candidate
    0.6931
    """

    def row(f: Tensor, pos: Tensor, cand: Tensor, p: Tensor) -> Tensor:
        noise = masked_logsumexp(f, cand & ~pos).unsqueeze(1)
        pair = torch.nn.functional.softplus(torch.where(pos, noise - f, -torch.inf))
        return pair.sum(1) / p

    return _rowwise(scores, positives, exclude, row)
