"""InfoNCEp on the CPU: tilted elementary symmetric polynomials, one row of scores after the other.

The posterior over which p of the candidates are the positives is that of a Poisson-binomial count given its value:
with any tilt ``t`` and ``q_k = sigmoid(f_k + t)``,

    loss = log Pr(K = p) - log Pr(exactly the positives are chosen),     K = sum_k Bernoulli(q_k)

which holds for every t; t is chosen so that E[K] is near p, so that ``Pr(K = p)`` never underflows. All terms but
``log Pr(K = p)`` are softplus values: nothing large cancels. The gradient is ``pi_k - 1[k positive]`` with the inclusion
probability ``pi_k``. Taking a factor out of the polynomial by division is stable for ``q <= 1/2`` only, so candidates
above ("heavy", about 2p a row) have a polynomial of their own, left out by prefix and suffix products.

Our derivation under the noise-contrastive premise (the published formula of InfoNCEp is not public); recursion after
Gail, Lubin and Rubinstein 1981, and Chen and Liu 1997 for the conditional Bernoulli family.
"""

from __future__ import annotations

import math

import numpy as np

from cellgraph_clr._core.kernels import called, kernel, reordered
from cellgraph_clr.losses._saddle_rows import LEAST_VARIANCE, count_moments, saddle_row

__all__ = ["infonce_p_rows"]

LANES = 16  # candidates handled side by side; each lane has a polynomial of its own, multiplied at the end
CLIP = 600.0  # exp(+-600) is finite in float64 with room for the tilt; beyond it a candidate is surely in or out
NEWTON_STEPS = 12
TOLERANCE = 0.05  # of the expected count: the identity is exact for any tilt, so Newton need not converge


@called
def _count(chosen: np.ndarray) -> int:
    """Return how many are chosen."""
    n = np.int64(0)
    for k in range(chosen.size):
        n += chosen[k]
    return int(n)


@called
def _kth_largest(values: np.ndarray, k: int, heap: np.ndarray) -> float:
    """Return the k-th largest value (1 = the largest) with a small sorted buffer; O(n + hits * k)."""
    filled = 0
    for j in range(values.size):
        v = values[j]
        if filled == k and v <= heap[k - 1]:
            continue
        m = filled if filled < k else k - 1
        if filled < k:
            filled += 1
        while m > 0 and heap[m - 1] < v:
            heap[m] = heap[m - 1]
            m -= 1
        heap[m] = v
    return heap[k - 1]


@called
def _tilt(w: np.ndarray, p: int) -> float:
    """Return u with sum_k sigmoid(log w_k + u) near p; Newton from 0 with steps clamped to 2."""
    u = 0.0
    for _ in range(NEWTON_STEPS):
        mean, var = count_moments(w, math.exp(u))
        if abs(mean - p) < TOLERANCE:
            break
        u += min(2.0, max(-2.0, (p - mean) / max(var, 1e-12)))
    return u


@reordered
def _light_polynomial(q: np.ndarray, p: int, lanes: np.ndarray, poly: np.ndarray) -> None:
    """Fill `poly[:p + 1]` with the coefficients of prod_k (1 - q_k + q_k x), truncated at degree p.

    `q` is padded with zeros to a multiple of LANES (a zero is the factor 1).
    """
    for m in range(p + 1):
        for v in range(LANES):
            lanes[m, v] = 0.0
    for v in range(LANES):
        lanes[0, v] = 1.0
    for j in range(0, q.size, LANES):
        top = min(p, j // LANES + 1)
        for m in range(top, 0, -1):
            for v in range(LANES):
                lanes[m, v] += q[j + v] * (lanes[m - 1, v] - lanes[m, v])
        for v in range(LANES):
            lanes[0, v] -= q[j + v] * lanes[0, v]
    for m in range(p + 1):
        poly[m] = lanes[m, 0]
    for v in range(1, LANES):
        for m in range(p, -1, -1):
            total = 0.0
            for i in range(m + 1):
                total += poly[i] * lanes[m - i, v]
            poly[m] = total


@called
def _heavy_products(q: np.ndarray, r: np.ndarray, p: int, before: np.ndarray, after: np.ndarray) -> None:
    """Fill `before[h]` and `after[h]` with the products of the heavy factors ahead of h and from h on."""
    n = q.size
    before[0, :] = 0.0
    before[0, 0] = 1.0
    for h in range(n):
        for m in range(p, 0, -1):
            before[h + 1, m] = before[h, m] * r[h] + before[h, m - 1] * q[h]
        before[h + 1, 0] = before[h, 0] * r[h]
    after[n, :] = 0.0
    after[n, 0] = 1.0
    for h in range(n - 1, -1, -1):
        for m in range(p, 0, -1):
            after[h, m] = after[h + 1, m] * r[h] + after[h + 1, m - 1] * q[h]
        after[h, 0] = after[h + 1, 0] * r[h]


@reordered
def _light_inclusion(
    q: np.ndarray, poly: np.ndarray, weights: np.ndarray, p: int, left: np.ndarray, pi: np.ndarray
) -> None:
    """Write pi_k = q_k * sum_m weights[m] * L_m, L = `poly` without factor k (division: q_k <= 1/2)."""
    for j in range(q.size):
        r = 1.0 / (1.0 - q[j])
        left[j] = poly[0] * r
        pi[j] = weights[0] * left[j]
    for m in range(1, p):
        coefficient = poly[m]
        weight = weights[m]
        for j in range(q.size):
            left[j] = (coefficient - q[j] * left[j]) / (1.0 - q[j])
            pi[j] += weight * left[j]
    for j in range(q.size):
        pi[j] *= q[j]


@called
def _row(n, p, positive, want_grad, exact, work, heap, lanes, poly):  # noqa: ANN001, ANN202
    """Return the loss of one anchor with 0 < p < N, of n scores work[0], -inf for what is excluded.

    Its gradient with respect to them is written to work[5] when asked.
    """
    f, grad = work[0], work[5]
    pivot = _kth_largest(f[:n], p + 1, heap)
    w = work[1]
    for k in range(n):
        w[k] = 0.0 if f[k] == -np.inf else math.exp(min(CLIP, max(-CLIP, f[k] - pivot)))
    if not exact and p >= LEAST_VARIANCE:
        good, loss = saddle_row(f[:n], w[:n], work[2][:n], positive, p, pivot, grad, want_grad)
        if good:
            return loss
    u = _tilt(w[:n], p)
    e = math.exp(u)
    q = work[2]
    q[n:] = 0.0
    n_heavy = 0
    loss = 0.0
    product = 1.0
    for k in range(n):
        odds = w[k] * e
        if odds > 1.0:
            q[k] = 0.0
            n_heavy += 1
            logit = (f[k] - pivot) + u  # the odds may be clipped, the value must not be
            rest = math.log1p(1.0 / odds)
            loss += rest if positive[k] else logit + rest
            continue
        r = 1.0 / (1.0 + odds)
        q[k] = odds * r
        product *= r
        if product < 1e-250:
            loss -= math.log(product)
            product = 1.0
        if positive[k]:
            loss -= (f[k] - pivot) + u
    loss -= math.log(product)
    _light_polynomial(q, p, lanes, poly)
    heavy = np.empty(n_heavy, np.int64)
    qh = np.empty(n_heavy)
    rh = np.empty(n_heavy)
    h = 0
    for k in range(n):
        odds = w[k] * e
        if odds > 1.0:
            heavy[h] = k
            rh[h] = 1.0 / (1.0 + odds)
            qh[h] = odds * rh[h]
            h += 1
    before = np.empty((n_heavy + 1, p + 1))
    after = np.empty((n_heavy + 1, p + 1))
    _heavy_products(qh, rh, p, before, after)
    total = 0.0
    for m in range(p + 1):
        total += poly[m] * before[n_heavy, p - m]
    loss += math.log(total)
    if not want_grad:
        return loss
    weights = np.empty(p)
    for m in range(p):
        weights[m] = before[n_heavy, p - 1 - m] / total
    _light_inclusion(q[:n], poly, weights, p, work[3][:n], work[4][:n])
    for k in range(n):
        grad[k] = work[4, k] - positive[k]
    for h in range(n_heavy):
        chosen = 0.0
        for i in range(p):
            for j in range(p - i):
                chosen += before[h, i] * after[h + 1, j] * poly[p - 1 - i - j]
        k = heavy[h]
        # 1 - pi_k from the complement keeps the small gradient of a dominant positive exact
        if positive[k]:
            missed = 0.0
            for i in range(p + 1):
                for j in range(p + 1 - i):
                    missed += before[h, i] * after[h + 1, j] * poly[p - i - j]
            grad[k] = -rh[h] * missed / total
        else:
            grad[k] = qh[h] * chosen / total
    return loss


@kernel
def infonce_p_rows(
    scores: np.ndarray,
    positives: np.ndarray,
    excluded: np.ndarray,
    loss: np.ndarray,
    grad: np.ndarray,
    want_grad: bool,  # noqa: FBT001
    exact: bool,  # noqa: FBT001
    first: int,
    last: int,
) -> None:
    """Fill rows `first` to `last` of `loss` (a,) and, when asked, of `grad` (a, c) of the scores (a, c); float64 arithmetic.

    Where not `exact`, rows of many undecided candidates are done by a saddle point (`_saddle_rows`), in O(c) each.
    Cost: O(a c p) time, O(c + p^2) memory a call; one exponential per score. Rows do not depend on one another, so threads
    may share them. No rows leave the outputs untouched.
    """
    n = scores.shape[1]
    width = -(-n // LANES) * LANES
    p_max = np.int64(0)
    for i in range(first, last):
        p_max = max(p_max, _count(positives[i]))
    work = np.empty((6, width))
    heap = np.empty(p_max + 1)
    lanes = np.empty((p_max + 1, LANES))
    poly = np.empty(p_max + 1)
    for i in range(first, last):
        p = _count(positives[i])
        finite = True
        for k in range(n):
            f = -np.inf if excluded[i, k] else np.float64(scores[i, k])
            work[0, k] = f
            finite &= f == f  # noqa: PLR0124
        known = p == 0 or p == n - _count(excluded[i])
        if not finite:
            loss[i] = np.nan
        elif known:
            loss[i] = 0.0
        else:
            loss[i] = _row(n, p, positives[i], want_grad, exact, work, heap, lanes, poly)
        if want_grad:
            for k in range(n):
                grad[i, k] = 0.0 if known or not finite else work[5, k]
