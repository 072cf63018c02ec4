"""InfoNCEp: the posterior over which p of the candidates are the positives of an anchor."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from torch import Tensor

from cellgraph_clr._core.checks import expected
from cellgraph_clr._core.errors import ShapeError
from cellgraph_clr._core.first_order import first_order
from cellgraph_clr._core.parallel import over_rows
from cellgraph_clr._core.precision import full_precision
from cellgraph_clr.losses._checks import check_masks, check_tensors
from cellgraph_clr.losses._offered import best_offered, check_options, contaminated

__all__ = ["infonce_p", "log_esp"]

ROWS_PER_PART = 64  # that a thread takes at a time


class _RowsOnCPU(torch.autograd.Function):
    """Value and closed-form gradient from the Numba kernel; the gradient is kept only when it will be asked for."""

    @staticmethod
    def forward(ctx: Any, scores: Tensor, positives: Tensor, exclude: Tensor, method: str) -> Tensor:
        from cellgraph_clr.losses._esp_rows import infonce_p_rows

        work = scores.detach().contiguous()
        want_grad = ctx.needs_input_grad[0]
        loss = torch.zeros(len(work), dtype=torch.float64)
        grad = torch.zeros_like(work) if want_grad else work.new_zeros((0, 0))
        arrays = [t.numpy() for t in (work, positives.contiguous(), exclude.contiguous(), loss, grad)]
        fill = partial(infonce_p_rows, *arrays, want_grad, method == "exact")
        over_rows(fill, len(work), n_threads=torch.get_num_threads(), n_parts=-(-len(work) // ROWS_PER_PART))
        ctx.save_for_backward(grad, scores)
        return loss.to(scores.dtype)

    @staticmethod
    def backward(ctx: Any, *upstream: Tensor) -> tuple[Tensor, None, None, None]:
        grad, scores = ctx.saved_tensors
        return first_order(grad * upstream[0].unsqueeze(1), scores), None, None, None


def _tilt(scores: Tensor, p: Tensor, steps: int = 15) -> Tensor:
    """Return t (a,) with sum_k sigmoid(scores + t) near p; needs 0 < p < number of finite scores."""
    largest = scores.topk(int(p.max()) + 1, dim=1).values
    t = -largest.gather(1, p.unsqueeze(1)).squeeze(1)
    for _ in range(steps):
        q = torch.sigmoid(scores + t.unsqueeze(1))
        step = (p - q.sum(1)) / (q * (1 - q)).sum(1).clamp_min(1e-9)
        t = t + step.clamp(-2, 2)
    return t


def _count_probabilities(logits: Tensor, p_max: int) -> Tensor:
    """Return Pr(K = 0..p_max) for K = sum of Bernoulli(sigmoid(logits)), by a truncated product tree."""
    factors = torch.stack([torch.sigmoid(-logits), torch.sigmoid(logits)], dim=2)
    while factors.shape[1] > 1:
        if factors.shape[1] % 2:
            one = torch.zeros_like(factors[:, :1])
            one[..., 0] = 1
            factors = torch.cat([factors, one], dim=1)
        left, right = factors[:, 0::2], factors[:, 1::2]
        width = min(left.shape[2] + right.shape[2] - 1, p_max + 1)
        product = factors.new_zeros((len(left), left.shape[1], width))
        for i in range(min(left.shape[2], width)):
            term = left[:, :, i : i + 1] * right[:, :, : width - i]
            product = product + torch.nn.functional.pad(term, (i, width - i - term.shape[2]))
        factors = product
    out = factors[:, 0]
    return torch.nn.functional.pad(out, (0, p_max + 1 - out.shape[1]))


def _tilted(scores: Tensor, p: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return a tilt t (a,), ``scores + t`` and log Pr(K = p) (a,) for the Bernoulli draws they are the logits of."""
    with torch.no_grad():
        t = _tilt(scores, p)
    logits = scores + t.unsqueeze(1)
    return t, logits, _count_probabilities(logits, int(p.max())).gather(1, p.unsqueeze(1)).squeeze(1).log()


@full_precision
def log_esp(scores: Tensor, p: Tensor) -> Tensor:
    """Return log e_p(exp f) of every row f: the log of the sum over all p-subsets of the product of odds.

    Parameters
    ----------
    scores : (a, c) float tensor
        Scores f, on any device; -inf for a candidate that cannot be chosen.
    p : (a,) int tensor
        How many are chosen in each row.

    Returns
    -------
    (a,) float tensor
        Nats, float32 at least; 0 for p = 0, -inf where no p candidates can be chosen. The gradient is the inclusion
        probability of every candidate. Empty input gives an empty tensor.

    Raises
    ------
    ShapeError
        If scores are not 2D or `p` is not one whole number a row.

    Notes
    -----
    Poisson-binomial form with a tilt (derived in `losses/_esp_rows.py`); the identity holds for any tilt, so the
    tilt is a constant of the gradient. O(a c p) time and O(a c) memory. Differentiable as often as wanted.

    Examples
    --------
    >>> import torch
    >>> from cellgraph_clr.losses.functional import log_esp
    >>> odds = torch.tensor([[1.0, 2.0, 3.0]])
    >>> round(float(log_esp(odds.log(), torch.tensor([2])).exp()), 3)  # 1 * 2 + 1 * 3 + 2 * 3
    11.0
    """
    check_tensors(scores=scores, p=p, one_dtype=False)
    if scores.ndim != 2 or p.shape != scores.shape[:1] or p.dtype.is_floating_point:
        found = f"{tuple(scores.shape)} and {tuple(p.shape)} {p.dtype}"
        raise ShapeError(expected("scores (a, c) and whole numbers p (a,)", found, "Give one p per row."))
    if scores.numel() == 0:
        return scores.sum(1).masked_fill(p != 0, -torch.inf)
    possible = scores != -torch.inf
    n_possible = possible.sum(1)
    inner = (p > 0) & (p < n_possible)
    everything = torch.where(possible, scores, 0).sum(1)
    result = torch.where(p == n_possible, everything, torch.zeros_like(everything))
    result = result.masked_fill((p < 0) | (p > n_possible), -torch.inf)
    if not inner.any():
        return result
    t, logits, log_count = _tilted(scores[inner], p[inner])
    value = log_count - torch.nn.functional.logsigmoid(-logits).sum(1) - p[inner] * t
    return result.masked_scatter(inner, value)


def _rows_in_torch(scores: Tensor, positives: Tensor, exclude: Tensor) -> Tensor:
    """Return the loss by tensor operations: ``log Pr(K = p) - log Pr(exactly the positives)``, so that nothing large cancels."""
    left = scores.masked_fill(exclude, -torch.inf)
    impossible = left == -torch.inf
    p = positives.sum(1)
    inner = (p > 0) & (p < (~impossible).sum(1))
    result = torch.zeros_like(left[:, 0]).masked_fill((positives & impossible).any(1), torch.inf)
    if not inner.any():
        return result
    _, logits, log_count = _tilted(left[inner], p[inner])
    exactly = torch.nn.functional.logsigmoid(torch.where(positives[inner], logits, -logits)).sum(1)
    return result.masked_scatter(inner, log_count - exactly)


def _rows(scores: Tensor, positives: Tensor, exclude: Tensor, method: str) -> Tensor:
    if scores.device.type != "cpu":
        return _rows_in_torch(scores, positives, exclude)
    rows: Tensor = _RowsOnCPU.apply(scores, positives, exclude, method)
    return rows


def _rows_of_m(scores: Tensor, offered: Tensor, exclude: Tensor, method: str, n_true: int) -> Tensor:
    """Return ``log e_m(candidates) - log e_m(offered)``: the posterior of any m of the offered among both, which cancel."""
    some = best_offered(scores, offered, n_true)
    among_all = _rows(scores, some, exclude, method)
    among_offered = _rows(scores, some, ~offered, method)
    return torch.where(among_all == torch.inf, among_all, among_all - among_offered)


@full_precision
def infonce_p(
    scores: Tensor,
    positives: Tensor,
    exclude: Tensor | None = None,
    *,
    normalize: str = "none",
    n_true: int | None = None,
    purity: float = 1.0,
    method: str = "exact",
) -> Tensor:
    """Return the InfoNCEp loss of every anchor: minus the log posterior that exactly its positives are the p drawn.

    With p positives S among the candidates C of an anchor, ``L = -sum_{i in S} f_i + log e_p(exp f)``, where ``e_p`` is
    the elementary symmetric polynomial: the sum over all p-subsets of candidates.

    Parameters
    ----------
    scores : (a, c) float tensor
        Scores f; larger is closer, already divided by the temperature.
    positives : (a, c) bool tensor
        S; the number p may differ from anchor to anchor.
    exclude : (a, c) bool tensor, default None
        Candidates that are neither positive nor noise for an anchor (itself, positives that are known but were not sampled).
        None excludes nothing.
    normalize : "none" or "p", default "none"
        "p" divides the loss of an anchor by the number of its positives, with `n_true` by that of the true ones. For classes as
        positives: there the sum counts a class by the square of its size. Where p tells nothing of what is learned, the sum is
        the likelihood and has the smaller error; where p is constant, it is a factor.
    n_true : int or None, default None
        Positives are offered and m = `n_true` of them are true: ``L = log e_m(exp f over C) - log e_m(exp f over S)``, minus
        the log posterior that the m drawn are among the offered. m = 1 is MIL-NCE, m = p InfoNCEp (None); an anchor with fewer
        than m offered has them all true, ``min(m, p)``.
    purity : float, default 1.0
        Above 0, at most 1: the probability with which an offered positive is true; the others are drawn as the noise is. Scores
        become ``log(1 - purity + purity exp(f - b))`` with b the log mean of exp f over the noise of the anchor, C without S.
        1 is InfoNCEp.
    method : "exact" or "auto", default "exact"
        "auto" is for many positives (p of 50 and more): on the CPU, rows in which the number of undecided candidates, ``V = sum
        q (1 - q)`` with ``q = sigmoid(f + t)`` and ``sum q = p``, is 10 or more are done by a saddle point in O(c) time, within
        .001 in value and gradient; the others, and all on other devices, exactly. Statistics need "exact".

    Returns
    -------
    (a,) float tensor
        Nats (by positive for "p"), float32 at least, at least 0; 0 where p = 0 or p = the number of candidates left. Empty input
        gives an empty tensor.

    Raises
    ------
    ShapeError
        If scores are not 2D or a mask has another shape.
    PairsError
        If a mask is not bool or a candidate is both positive and excluded.
    OptionError
        If an option is outside its range, or `n_true` is given beside a `purity` below 1.

    Notes
    -----
    p = 1 is InfoNCE. The gradient is ``pi_k - 1[k in S]`` with the inclusion probability pi_k; positives are never
    repelled and a constant added to a row changes nothing. O(a c p) time. On the CPU a Numba kernel computes in float64
    whatever the input, and a second derivative raises `RuntimeError`; elsewhere the same identity runs in torch, and is
    differentiable as often as wanted.

    With `n_true` the gradient is the difference of two inclusion probabilities, of m among C and of m among S; O(a c m) time.
    With `purity` the mixture ``purity p(y | x) + (1 - purity) p(y)`` has the density ratio ``1 - purity + purity r``, and r is
    exp f scaled to a mean of 1 over the noise. That scale belongs to the model, so gradients pass through b: they sum to 0 over
    the candidates of an anchor, and a constant added to a row still changes nothing.

    References
    ----------
    Our derivation under the noise-contrastive premise (conditionally independent positives, noise from the marginal);
    the formula of InfoNCEp in Hugger, PhD thesis, Cambridge 2023, is not public. Equal to the likelihood of exact
    conditional logistic regression (Cox 1972; Gail, Lubin and Rubinstein 1981). `n_true` and `purity` are our derivations;
    m = 1 is equation 1 of Miech et al. 2020.

    Examples
    --------
    >>> import torch
    >>> from cellgraph_clr.losses.functional import infonce_p
    >>> positives = torch.tensor([[True, True, False, False]])
    >>> round(float(infonce_p(torch.zeros(1, 4), positives).exp()), 3)  # equal scores: one of the 6 pairs
    6.0
    >>> round(float(infonce_p(torch.zeros(1, 4), positives, n_true=1).exp()), 3)  # one of 4, and 2 are offered
    2.0
    """
    check_options(normalize, n_true, purity, method)
    check_tensors(scores=scores)
    exclude = check_masks(tuple(scores.shape), positives, exclude, like=scores)
    if scores.numel() == 0:
        return scores.sum(1)
    if purity < 1:
        scores = contaminated(scores, positives, exclude, purity)
    if n_true is None:
        loss = _rows(scores, positives, exclude, method)
    else:
        loss = _rows_of_m(scores, positives, exclude, method, n_true)
    return loss if normalize == "none" else loss / positives.sum(1).clamp(1, n_true)
