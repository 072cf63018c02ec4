"""Deep InfoMax: estimates of the mutual information between local and global vectors, and matching of a prior."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn.functional import softplus

from cellgraph_clr._core.checks import check_option, expected
from cellgraph_clr._core.errors import PairsError, ShapeError
from cellgraph_clr._core.precision import full_precision, widened
from cellgraph_clr.losses._checks import check_tensors
from cellgraph_clr.losses.multi_positive import infonce_p

__all__ = ["ESTIMATORS", "gradient_penalty", "mutual_information", "prior_matching"]

ESTIMATORS = ("jsd", "dv", "nce", "infonce_p")


@full_precision
def mutual_information(scores: Tensor, positives: Tensor, *, bound: str = "jsd", keep: Tensor | None = None) -> Tensor:
    """Return an estimate of the mutual information of local and global vectors, to be maximised.

    Parameters
    ----------
    scores : (l, g) float tensor
        Of every local vector with every global one.
    positives : (l, g) bool tensor
        Pairs of one sample; all others are negatives.
    bound : {"jsd", "dv", "nce", "infonce_p"}, default "jsd"
        Jensen-Shannon; Donsker-Varadhan; "nce" (a positive against the negatives of its global vector, pair by pair); or
        "infonce_p" (all positives of a global vector at once).
    keep : (l,) bool tensor, default None
        Local vectors that count (foreground); the others are dropped, so that their gradient is exactly 0.

    Returns
    -------
    () float tensor
        Nats, float32 at least. "dv" and "nce" are lower bounds of the mutual information for enough samples, "nce" at most
        log(1 + negatives); "jsd" is at most 2 log 2 and a bound of a divergence instead; "infonce_p" is minus the loss, at
        most 0.

    Raises
    ------
    ShapeError
        For masks of other shapes, or not bool.
    PairsError
        Without a positive or without a negative pair among the vectors kept: a single sample has nothing to differ from.
    OptionError
        For another bound.

    Notes
    -----
    O(l g). Log-space throughout; masks drop entries (the published code adds -10, which is no mask for scores below).
    Differentiable as often as wanted, but for "infonce_p" (see `infonce_p`).

    References
    ----------
    Hjelm et al. 2019, equations 4 (jsd), 3 (dv) and 5 (nce); several samples with several fields: positives are all pairs
    of one sample; "infonce_p" here is ours.

    Examples
    --------
    >>> import torch
    >>> from cellgraph_clr.losses.functional import mutual_information
    >>> same = torch.eye(3, dtype=torch.bool)
    >>> float(mutual_information(torch.zeros(3, 3), same))  # a critic that tells nothing
    0.0
    """
    check_option("bound", bound, ESTIMATORS)
    check_tensors(scores=scores, positives=positives, keep=keep, one_dtype=False)
    if positives.shape != scores.shape or positives.dtype != torch.bool:
        found = f"{tuple(positives.shape)} {positives.dtype}"
        raise ShapeError(expected(f"`positives` bool {tuple(scores.shape)}", found, "One per score."))
    if keep is not None:
        if keep.shape != scores.shape[:1] or keep.dtype != torch.bool:
            found = f"{tuple(keep.shape)} {keep.dtype}"
            raise ShapeError(expected(f"`keep` bool {tuple(scores.shape[:1])}", found, "One per local vector."))
        scores, positives = scores[keep], positives[keep]
    if not positives.any() or positives.all():
        found = "no positive pair" if not positives.any() else "no negative pair"
        raise PairsError(expected("positive and negative pairs", found, "Use two samples with foreground at least."))
    n_own, n_other = (mask.sum().to(scores.dtype) for mask in (positives, ~positives))
    if bound == "jsd":
        wrong = softplus(torch.where(positives, -scores, scores))
        own = torch.where(positives, wrong, 0).sum() / n_own
        return 2 * math.log(2) - own - torch.where(positives, 0, wrong).sum() / n_other
    if bound == "dv":
        others = scores.masked_fill(positives, -torch.inf).flatten().logsumexp(0)
        return torch.where(positives, scores, 0).sum() / n_own - (others - n_other.log())
    if bound == "infonce_p":
        some = positives.any(dim=0)
        return -infonce_p(scores.T[some], positives.T[some]).mean()
    others = scores.masked_fill(positives, -torch.inf).logsumexp(dim=0)  # (g,)
    n = (~positives).sum(dim=0)
    pair = scores - torch.logaddexp(scores, others.expand_as(scores)) + torch.log1p(n.to(scores.dtype))
    return pair[positives].mean()


@full_precision
def prior_matching(on_prior: Tensor, on_codes: Tensor) -> tuple[Tensor, Tensor]:
    """Return the losses of the discriminator and of the encoder, for discriminator scores on draws and on codes.

    The discriminator tells draws of the prior from codes; the encoder makes its codes look like draws (non-saturating).

    Parameters
    ----------
    on_prior, on_codes : float tensors
        Scores of the discriminator, larger for draws of the prior; of any shape, not empty.

    Returns
    -------
    discriminator, encoder : () float tensors
        Nats, float32 at least; log 4 and log 2 for a discriminator that tells nothing.

    References
    ----------
    Hjelm et al. 2019, equation 7; Goodfellow et al. 2014.

    Examples
    --------
    >>> import torch
    >>> from cellgraph_clr.losses.information import prior_matching
    >>> [round(float(value), 4) for value in prior_matching(torch.zeros(3), torch.zeros(3))]
    [1.3863, 0.6931]
    """
    check_tensors(on_prior=on_prior, on_codes=on_codes)
    return softplus(-on_prior).mean() + softplus(on_codes).mean(), softplus(-on_codes).mean()


def gradient_penalty(scores: Tensor, inputs: Tensor) -> Tensor:
    """Return the mean squared length of the gradient of scores in their inputs.

    Parameters
    ----------
    scores : (b, …) float tensor
        Of a network that treats samples one by one.
    inputs : (b, …) float tensor
        What the scores were computed from; it must ask for a gradient.

    Returns
    -------
    () float tensor
        Float32 at least, itself differentiable; the unit is that of the scores over that of the inputs, squared.

    References
    ----------
    Mescheder et al. 2018 (R1), as in the prior discriminator of Deep InfoMax.

    Examples
    --------
    >>> import torch
    >>> from cellgraph_clr.losses.information import gradient_penalty
    >>> x = torch.ones(2, 3, requires_grad=True)
    >>> float(gradient_penalty((2 * x).sum(1), x))  # 3 slopes of 2
    12.0
    """
    with torch.autocast(inputs.device.type, enabled=False):
        (slope,) = torch.autograd.grad(widened(scores).sum(), inputs, create_graph=True)
        return widened(slope).flatten(1).square().sum(dim=1).mean()
