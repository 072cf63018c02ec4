"""Who is chosen when p of N are: exact likelihood and moments by counts of alike candidates.

An anchor chooses p of its candidates, a set S with probability ``exp(sum of f over S) / e_p(exp f)`` (InfoNCEp). Candidates with
one score are a group g of size ``n_g``; only the number ``K_g`` chosen of it counts, and the elementary symmetric polynomial
is that of a product of binomial polynomials,

    e_p = [z^p] prod_g (1 + exp(f_g) z)^n_g

(Fisher's noncentral multivariate hypergeometric law). With any tilt t and ``q_g = sigmoid(f_g + t)`` the counts are independent
binomials given their sum, so that

    log Pr(S) = sum_g [k_g log q_g + (n_g - k_g) log(1 - q_g)] - log Pr(sum_g Binomial(n_g, q_g) = p)

holds for every t; t makes the expected sum p, so that no probability underflows. The gradient is ``k_g - E K_g`` and the Hessian
``-Cov(K_g, K_h)``; both come from products of polynomials before, between and after the groups: no division, no cancellation.
Our derivation; the law is that of Fog 2008, and conditional logistic regression with p cases a stratum that of Gail, Lubin
and Rubinstein 1981.
"""

from __future__ import annotations

import math

import numpy as np

from cellgraph_clr._core.kernels import called, kernel

__all__ = ["choice_sums"]

TILT_STEPS = 60
TILT_TOLERANCE = 1e-3  # of the expected count: the identity holds for any tilt


@called
def _tilt(f: np.ndarray, size: np.ndarray, p: int) -> float:
    """Return t with sum_g size_g sigmoid(f_g + t) near p, for 0 < p < sum of sizes: Newton within a bracket."""
    n = np.int64(0)
    least = f[0]
    most = f[0]
    for g in range(f.size):
        n += size[g]
        least = min(least, f[g])
        most = max(most, f[g])
    odds = math.log(p / (n - p))
    low = odds - most
    high = odds - least
    t = 0.5 * (low + high)
    for _ in range(TILT_STEPS):
        mean = 0.0
        slope = 0.0
        for g in range(f.size):
            q = 1.0 / (1.0 + math.exp(-(f[g] + t)))
            mean += size[g] * q
            slope += size[g] * q * (1.0 - q)
        if abs(mean - p) < TILT_TOLERANCE:
            break
        if mean > p:
            high = t
        else:
            low = t
        t -= (mean - p) / max(slope, 1e-12)
        if not low < t < high:
            t = 0.5 * (low + high)
    return t


@called
def _times(left, right, top, p, out):  # noqa: ANN001, ANN202
    """Write the product of two polynomials up to degree p; `right` has degree `top`."""
    for m in range(p + 1):
        total = 0.0
        for k in range(min(top, m) + 1):
            total += right[k] * left[m - k]
        out[m] = total


@called
def _moments(f, size, chosen, p, log_factorial, exact, room, mean, cov):  # noqa: ANN001, ANN202
    """Write the means (G,) and covariances (G, G) of the counts chosen, and return the log likelihood of those seen.

    Covariances are those of independent counts whose sum is given (a normal law) unless `exact`. `room` (7, G + 1, p + 1) is
    working space. O(G p min(p, sizes)), exact O(G² p min(p, sizes)).
    """
    before, after, pmf, drawn, tail, path, step = room[0], room[1], room[2], room[3], room[4], room[5, 0], room[6, 0]
    n_groups = f.size
    t = _tilt(f, size, p)
    loglik = 0.0
    spread = 0.0
    for g in range(n_groups):
        x = f[g] + t
        log_q = -math.log1p(math.exp(-x)) if x > 0 else x - math.log1p(math.exp(x))
        log_r = log_q - x
        loglik += chosen[g] * log_q + (size[g] - chosen[g]) * log_r
        n = size[g]
        mean[g] = n * math.exp(log_q + log_r)
        spread += mean[g]
        for k in range(min(n, p) + 1):
            ways = log_factorial[n] - log_factorial[k] - log_factorial[n - k]
            pmf[g, k] = math.exp(ways + k * log_q + (n - k) * log_r)
            drawn[g, k] = k * pmf[g, k]
    if not exact:
        for g in range(n_groups):
            for h in range(n_groups):
                cov[g, h] = -mean[g] * mean[h] / max(spread, 1e-300)
            cov[g, g] += mean[g]
    for m in range(p + 1):
        before[0, m] = after[n_groups, m] = 1.0 if m == 0 else 0.0
    for g in range(n_groups):
        _times(before[g], pmf[g], min(size[g], p), p, before[g + 1])
    for g in range(n_groups - 1, -1, -1):
        _times(after[g + 1], pmf[g], min(size[g], p), p, after[g])
        if exact:
            _times(after[g + 1], drawn[g], min(size[g], p), p, tail[g])  # sum_k k pmf(k) of g and of all after it
    whole = before[n_groups, p]
    for g in range(n_groups):
        top = min(size[g], p)
        first = 0.0
        second = 0.0
        for k in range(1, top + 1):
            rest = 0.0
            for m in range(p - k + 1):
                rest += before[g, m] * after[g + 1, p - k - m]
            first += k * pmf[g, k] * rest
            second += k * k * pmf[g, k] * rest
        mean[g] = first / whole
        if exact:
            cov[g, g] = second / whole - mean[g] ** 2
    for g in range(n_groups if exact else 0):
        _times(before[g], drawn[g], min(size[g], p), p, path)
        for h in range(g + 1, n_groups):
            both = 0.0
            for m in range(p + 1):
                both += path[m] * tail[h, p - m]
            cov[g, h] = both / whole - mean[g] * mean[h]
            cov[h, g] = cov[g, h]
            _times(path, pmf[h], min(size[h], p), p, step)
            path, step = step, path
    return loglik - math.log(whole)


def choice_sums(
    starts: np.ndarray,
    size: np.ndarray,
    chosen: np.ndarray,
    column: np.ndarray,
    extra: np.ndarray,
    block: np.ndarray,
    beta: np.ndarray,
    log_factorial: np.ndarray,
    exact: bool,  # noqa: FBT001
    score: np.ndarray,
    information: np.ndarray,
) -> float:
    """Add up scores and information by block of anchors, and return the log likelihood in nats.

    Parameters
    ----------
    starts : (a + 1,) int64; groups of anchor i are starts[i] to starts[i + 1].
    size, chosen : (m,) int64; candidates of a group, and how many of them were chosen. Every anchor has 0 < p < N.
    column : (m,) int64 below d0; the parameter that is the score of a group.
    extra : (m, q) float64; covariates of the groups, with the last q parameters.
    block : (a,) int64; the block of every anchor.
    beta : (d0 + q,) float64.
    log_factorial : of 0 to the most candidates of an anchor.
    exact : the information is exact, else that of a normal law of the counts: near it, and faster to work out.
    score, information : (blocks, d) and (blocks, d, d) float64 zeros, filled here; the negative Hessian without a prior.
    """
    most_groups, most_chosen = np.diff(starts).max(), np.add.reduceat(chosen, starts[:-1]).max()
    room, cov = np.zeros((7, most_groups + 1, most_chosen + 1)), np.empty((most_groups, most_groups))
    return float(
        _sums(starts, size, chosen, column, extra, block, beta, log_factorial, exact, score, information, room, cov)
    )


@kernel
def _sums(starts, size, chosen, column, extra, block, beta, log_factorial, exact, score, information, room, cov):  # noqa: ANN001, ANN202
    """Do what `choice_sums` does, with working space `room` (7, groups + 1, chosen + 1) and `cov` (groups, groups)."""
    q = extra.shape[1]
    d0 = beta.size - q
    mean = np.empty(len(cov))
    f = np.empty(len(cov))
    loglik = 0.0
    for i in range(starts.size - 1):
        s = starts[i]
        n = starts[i + 1] - s
        p = np.int64(0)
        for g in range(n):
            p += chosen[s + g]
            f[g] = beta[column[s + g]]
            for r in range(q):
                f[g] += extra[s + g, r] * beta[d0 + r]
        loglik += _moments(f[:n], size[s : s + n], chosen[s : s + n], p, log_factorial, exact, room, mean, cov)
        u = score[block[i]]
        info = information[block[i]]
        for g in range(n):
            left = chosen[s + g] - mean[g]
            a = column[s + g]
            u[a] += left
            for r in range(q):
                u[d0 + r] += left * extra[s + g, r]
            for h in range(n):
                c = cov[g, h]
                info[a, column[s + h]] += c
                for r in range(q):
                    x = c * extra[s + h, r]
                    info[a, d0 + r] += x
                    info[d0 + r, a] += x
                    for v in range(q):
                        info[d0 + v, d0 + r] += x * extra[s + g, v]
    return loglik
