"""Which types lie next to which, beyond their shares and beyond what is near: log odds with intervals.

Every cell is an anchor i that has p_i contacts among N_i candidates. The score of a candidate j is
``theta[type_i, type_j]``, symmetric, plus covariates; the likelihood is that of choosing these p of N (InfoNCEp,
`analysis.choice_counts`). It is summed over anchors, so that each contact is seen from both ends: a composite likelihood, whose
estimates are consistent and whose errors come from blocks of tissue.

What is identified. A constant added to the scores of one anchor changes nothing, so an anchor of type a tells the differences
``theta[a, b] - theta[a, c]`` between types that are among its candidates together. Take the pairs {a, b} as nodes and join {a, b}
and {a, c} where they are so compared: since theta is symmetric, all pairs of one connected component are known up to one
constant, which is chosen so that ``sum w_ab theta_ab = 0`` with w the share of the contacts that a-b would have if every anchor
chose among its candidates at random. So 0 is random mixing of what is near, and exp(theta) the odds of a contact relative to it
(a geometric mean over what is near). Our derivation.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cellgraph_clr._core.checks import check_in_range, expected
from cellgraph_clr._core.errors import CellGraphError
from cellgraph_clr.analysis.contact_choices import random_mixing

if TYPE_CHECKING:
    from cellgraph_clr.analysis.contact_choices import Choices

__all__ = ["Interactions", "fit_interactions"]


MOST_STEPS = 50
TOLERANCE = 1e-8  # of the Newton decrement, relative to the number of contacts
ROUNDING, SMALLEST_STEP = 1e-12, 1e-6
RIDGE = 1e-3  # of covariates, which are of the order of one: keeps those that are constant or double from dividing by 0


@dataclass(frozen=True, slots=True, eq=False)
class Interactions:
    """Log odds of contact of pairs of types, numbered as `pair_numbers`; NaN where nothing is known.

    log_odds, error, dof (pairs,) : estimates, standard errors, degrees of freedom of their t intervals.
    n_contacts, expected (pairs,) : contacts, and how many random mixing of what is near would give.
    effect, effect_error (q,) : log odds a unit of every covariate.
    log_likelihood, null : nats, of the fit and of random mixing. n_anchors : those that choose some but not all.
    """

    log_odds: np.ndarray
    error: np.ndarray
    dof: np.ndarray
    n_contacts: np.ndarray
    expected: np.ndarray
    effect: np.ndarray
    effect_error: np.ndarray
    log_likelihood: float
    null: float
    n_anchors: int
    n_blocks: int


def fit_interactions(
    choices: Choices,
    blocks: np.ndarray,
    *,
    weights: np.ndarray | None = None,
    min_expected: float = 5.0,
    prior_contacts: float = 0.5,
) -> Interactions:
    """Return the log odds of contact between types, relative to random mixing of what is near.

    Parameters
    ----------
    choices : of one sample.
    blocks : (n,) int64, block of tissue of every cell (row), for the errors.
    weights : (pairs,) shares of contacts that define 0 (see the module); None takes `random_mixing` of these choices. Pairs
        that are not estimated drop out, and the others are scaled to 1.
    min_expected : pairs that random mixing would give fewer contacts are fitted, but not reported (NaN), and do not define 0.
    prior_contacts : contacts c at random mixing that are added to every pair, seen and expected: a term
        ``2 c (theta - exp(theta))`` for the two ends. Keeps pairs that are never seen finite.

    Raises
    ------
    OptionError
        For options outside their range.
    CellGraphError
        If no anchor chooses some but not all of its candidates, or covariates are not finite.

    Notes
    -----
    Newton steps with halving on a curvature near the exact one: O(groups p²) an anchor and O(pairs³) each; then the exact
    information once, O(groups² p²) an anchor and O(pairs³) a block. Errors: the jackknife over blocks
    (Tukey 1958) in one Newton step each, ``theta_(-g) - theta = -(H - H_g)^-1 U_g``; not below those of the Hessian, since blocks
    without a contact show no spread. Degrees of freedom after Satterthwaite (Bell and McCaffrey 2002) from the shares
    ``v_g`` of the blocks in the information, ``(sum v)² / sum v² - 1``: a pair that lies in few blocks has few.
    """
    check_in_range("min_expected", min_expected, low=0)
    check_in_range("prior_contacts", prior_contacts, low=0, low_open=True)
    if not np.isfinite(choices.extra).all():
        raise CellGraphError(expected("finite covariates", "NaN or infinity", "Fill or drop them."))
    told = choices.of(choices.informative) if len(choices.anchor) else choices
    if len(told.anchor) == 0:
        remedy = "Take more candidates: a larger `radius`."
        raise CellGraphError(expected("cells with some contacts but not all among their candidates", "none", remedy))
    mixing, n_pairs = random_mixing(choices), choices.n_types * (choices.n_types + 1) // 2
    seen = np.flatnonzero(np.bincount(told.pair, minlength=n_pairs))
    model = _Model(told, seen, blocks, prior_contacts)
    shown = mixing[seen] >= min_expected
    weight = (mixing if weights is None else weights)[seen]
    constraint = _constraints(model.linked(), np.where(shown, weight, 0.0), mixing[seen], model.n_extra)
    beta, log_likelihood = _newton(model, constraint)
    error, dof = _jackknife(model, constraint, beta)
    out = np.full((3, n_pairs), np.nan)
    d0 = len(seen)
    out[:, seen[shown]] = np.stack([beta[:d0], error[:d0], dof[:d0]])[:, shown]
    return Interactions(
        log_odds=out[0],
        error=out[1],
        dof=out[2],
        n_contacts=np.bincount(choices.pair, choices.chosen, minlength=n_pairs) / 2,
        expected=mixing,
        effect=beta[d0:],
        effect_error=error[d0:],
        log_likelihood=log_likelihood,
        null=model.sums(np.zeros_like(beta))[0],
        n_anchors=len(told.anchor),
        n_blocks=model.n_blocks,
    )


class _Model:
    """The likelihood of some choices with a prior, by parameter: the pairs seen, then covariates."""

    def __init__(self, choices: Choices, seen: np.ndarray, blocks: np.ndarray, prior_contacts: float) -> None:
        from scipy.special import gammaln

        self.choices, self.prior = choices, 2 * prior_contacts
        self.column = np.searchsorted(seen, choices.pair)
        self.n_pairs, self.n_extra = len(seen), choices.extra.shape[1]
        self.block = np.unique(blocks[choices.anchor], return_inverse=True)[1].astype(np.int64)
        self.n_blocks = int(self.block.max()) + 1
        self.log_factorial = gammaln(np.arange(int(np.add.reduceat(choices.size, choices.starts[:-1]).max()) + 1) + 1)

    def sums(self, beta: np.ndarray, *, by_block: bool = False) -> tuple[float, np.ndarray, np.ndarray]:
        """Return the log likelihood, scores (blocks, d) and information (blocks, d, d) without the prior; exact by block."""
        from cellgraph_clr.analysis.choice_counts import choice_sums

        c, d = self.choices, len(beta)
        n_blocks = self.n_blocks if by_block else 1
        block = self.block if by_block else np.zeros_like(self.block)
        score, information = np.zeros((n_blocks, d)), np.zeros((n_blocks, d, d))
        value = choice_sums(
            c.starts,
            c.size,
            c.chosen,
            self.column,
            c.extra,
            block,
            beta,
            self.log_factorial,
            by_block,
            score,
            information,
        )
        return value, score, information

    def prior_terms(self, beta: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
        """Return value, gradient (d,) and negative second derivatives (d,) of the prior."""
        theta, slope = beta[: self.n_pairs], beta[self.n_pairs :]
        value = self.prior * (theta - np.exp(theta)).sum() - RIDGE * (slope**2).sum() / 2
        gradient = np.concatenate([self.prior * (1 - np.exp(theta)), -RIDGE * slope])
        return float(value), gradient, np.concatenate([self.prior * np.exp(theta), np.full(self.n_extra, RIDGE)])

    def linked(self) -> np.ndarray:
        """Return the component (pairs,) of every pair: those that anchors compare, directly or by others."""
        from scipy.sparse import csr_matrix
        from scipy.sparse.csgraph import connected_components

        first = np.repeat(self.column[self.choices.starts[:-1]], np.diff(self.choices.starts))
        shape = (self.n_pairs, self.n_pairs)
        return connected_components(
            csr_matrix((np.ones(len(first)), (first, self.column)), shape=shape), directed=False
        )[1]


def _constraints(component: np.ndarray, weight: np.ndarray, spare: np.ndarray, n_extra: int) -> np.ndarray:
    """Return the constraints (components, d) whose rows sum to 1; a component without weight takes `spare`."""
    rows = np.zeros((component.max() + 1, len(component) + n_extra))
    for i, row in enumerate(rows):
        mine = np.flatnonzero(component == i)
        w = weight[mine] if weight[mine].sum() > 0 else spare[mine]
        row[mine] = w / w.sum()
    return rows


def _solve(matrix: np.ndarray, constraint: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Return the solution (d, ...) among vectors that meet the constraints."""
    d, c = len(matrix), len(constraint)
    whole = np.block([[matrix, constraint.T], [constraint, np.zeros((c, c))]])
    return np.linalg.solve(whole, np.concatenate([right, np.zeros((c, *right.shape[1:]))]))[:d]


def _newton(model: _Model, constraint: np.ndarray) -> tuple[np.ndarray, float]:
    """Return the parameters and the log likelihood at the maximum under the constraints."""
    beta = np.zeros(constraint.shape[1])
    value, score, information = model.sums(beta)
    n_contacts = model.choices.chosen.sum()
    for _ in range(MOST_STEPS):
        prior, gradient, curvature = model.prior_terms(beta)
        slope = score[0] + gradient
        step = _solve(information[0] + np.diag(curvature), constraint, slope)
        if float(step @ slope) < TOLERANCE * n_contacts:
            break
        scale = 1.0
        while True:
            new = beta + scale * step
            tried, score, information = model.sums(new)
            if tried + model.prior_terms(new)[0] >= value + prior - ROUNDING * abs(value) or scale < SMALLEST_STEP:
                break
            scale /= 2
        beta, value = new, tried
    return beta, value


def _jackknife(model: _Model, constraint: np.ndarray, beta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return standard errors and degrees of freedom (d,); NaN where fewer than two blocks tell."""
    _, score, information = model.sums(beta, by_block=True)
    whole = information.sum(axis=0) + np.diag(model.prior_terms(beta)[2])
    inverse = _solve(whole, constraint, np.eye(len(beta)))
    moved = np.stack([_solve(whole - i, constraint, u) for i, u in zip(information, score, strict=True)])
    n = model.n_blocks
    variance = (n - 1) / n * (moved**2).sum(axis=0)
    share = np.stack([((inverse @ i) * inverse).sum(axis=1) for i in information])
    with np.errstate(invalid="ignore", divide="ignore"):
        dof = share.sum(axis=0) ** 2 / (share**2).sum(axis=0) - 1
    error = np.sqrt(np.maximum(variance, np.diag(inverse)))
    told = dof >= 1
    return np.where(told, error, np.nan), np.where(told, dof, np.nan)
