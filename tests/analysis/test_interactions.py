"""Interactions: brute force over all choices, finite differences, planted truth, laws of permutation and relabelling."""

from itertools import combinations

import numpy as np
import pytest
from scipy.special import gammaln
from scipy.stats import t as student

from cellgraph_clr._core.errors import CellGraphError, OptionError, ShapeError
from cellgraph_clr.analysis.choice_counts import choice_sums
from cellgraph_clr.analysis.contact_choices import choices_of, pair_numbers, random_mixing, tissue_blocks
from cellgraph_clr.analysis.interactions import fit_interactions
from cellgraph_clr.datasets.touching import planted_contacts
from cellgraph_clr.graphs.candidates import candidates_within

T = 4


def sums(choices, beta, block=None, n_blocks=1, *, exact=True):
    block = np.zeros(len(choices.anchor), np.int64) if block is None else block
    score, information = np.zeros((n_blocks, len(beta))), np.zeros((n_blocks, len(beta), len(beta)))
    most = int(np.add.reduceat(choices.size, choices.starts[:-1]).max())
    c = choices
    value = choice_sums(
        c.starts,
        c.size,
        c.chosen,
        c.pair,
        c.extra,
        block,
        beta,
        gammaln(np.arange(most + 1) + 1.0),
        exact,
        score,
        information,
    )
    return value, score, information


def few(n=40, covariates=False, seed=0):
    """Return few cells with types, contacts among the near, and covariates of the candidates."""
    rng = np.random.default_rng(seed)
    xy, types, _, contacts, _ = planted_contacts(n, T, random_state=seed, n_near=7, n_contacts=3)
    candidates = candidates_within(xy, contacts, [np.arange(n)], 12.0)
    extra = rng.normal(size=(len(candidates.rows), 2)) if covariates else None
    choices = choices_of(types, candidates, n_types=T, covariates=extra)
    return types, candidates, choices.of(choices.informative), extra


def brute(types, candidates, theta, extra=None, slope=None):
    """Return log likelihood, its mean counts and their covariance by listing all choices of every anchor."""
    number = pair_numbers(T)[0]
    d = T * (T + 1) // 2 + (0 if extra is None else extra.shape[1])
    value, score, information = 0.0, np.zeros(d), np.zeros((d, d))
    for i in range(len(types)):
        at = np.arange(candidates.indptr[i], candidates.indptr[i + 1])
        chosen = candidates.contact[at]
        n, p = len(at), int(chosen.sum())
        if not 0 < p < n:
            continue
        x = np.zeros((n, d))
        x[np.arange(n), number[types[i], types[candidates.rows[at]]]] = 1
        if extra is not None:
            x[:, -extra.shape[1] :] = extra[at]
        sets = np.array(list(combinations(range(n), p)))
        stat = x[sets].sum(axis=1)
        beta = theta if slope is None else np.concatenate([theta, slope])
        weight = np.exp(stat @ beta)
        weight /= weight.sum()
        seen = x[chosen].sum(axis=0)
        value += np.log(weight[[set(s) == set(np.flatnonzero(chosen)) for s in sets.tolist()]].sum())
        mean = weight @ stat
        score += seen - mean
        information += (stat * weight[:, None]).T @ stat - np.outer(mean, mean)
    return value, score, information


@pytest.mark.parametrize("covariates", [False, True])
def test_likelihood_gradient_and_information_are_those_of_all_choices(covariates):
    types, candidates, choices, extra = few(covariates=covariates)
    rng = np.random.default_rng(1)
    theta, slope = rng.normal(size=T * (T + 1) // 2), rng.normal(size=2) if covariates else None
    want = brute(types, candidates, theta, extra, slope)
    value, score, information = sums(choices, theta if slope is None else np.concatenate([theta, slope]))
    assert value == pytest.approx(want[0], rel=1e-10)
    np.testing.assert_allclose(score[0], want[1], atol=1e-9)
    np.testing.assert_allclose(information[0], want[2], atol=1e-9)


def test_it_is_the_loss_infonce_p():
    import torch

    from cellgraph_clr.losses.functional import infonce_p

    types, candidates, choices, _ = few(60)
    theta = np.random.default_rng(2).normal(0, 3, T * (T + 1) // 2)
    number = pair_numbers(T)[0]
    scores = theta[number[types[:, None], types[None, :]]]
    positives, exclude = np.zeros((2, len(types), len(types)), bool)
    exclude[:] = True
    exclude[candidates.anchors, candidates.rows] = False
    positives[candidates.anchors, candidates.rows] = candidates.contact
    loss = infonce_p(torch.tensor(scores), torch.tensor(positives), exclude=torch.tensor(exclude))
    assert sums(choices, theta)[0] == pytest.approx(-float(loss.sum()), rel=1e-6)


@pytest.mark.parametrize("scale", [1.0, 30.0, 300.0])
def test_derivatives_by_finite_differences_and_at_steep_scores(scale):
    _, _, choices, _ = few(60, covariates=True)
    d = T * (T + 1) // 2 + 2
    beta = np.random.default_rng(3).normal(size=d) * scale
    value, score, information = sums(choices, beta)
    assert np.isfinite(value)
    assert np.isfinite(information).all()
    assert np.linalg.eigvalsh(information[0]).min() > -1e-8
    h = 1e-5
    for k in range(d):
        up, down = (sums(choices, beta + s * h * np.eye(d)[k]) for s in (1, -1))
        assert (up[0] - down[0]) / (2 * h) == pytest.approx(score[0, k], abs=1e-4 * max(scale, 1))
        np.testing.assert_allclose((down[1] - up[1])[0] / (2 * h), information[0, k], atol=1e-4 * max(scale, 1))


def test_the_fast_curvature_is_near_the_exact_one_and_nothing_else_changes():
    _, _, choices, _ = few(200)
    beta = np.random.default_rng(3).normal(size=T * (T + 1) // 2) * 0.5
    exact, fast = sums(choices, beta), sums(choices, beta, exact=False)
    assert fast[0] == exact[0]
    np.testing.assert_array_equal(fast[1], exact[1])
    off = np.abs(np.diagonal(fast[2][0]) / np.diagonal(exact[2][0]) - 1)
    assert 0.002 < off.max() < 0.4


def test_blocks_add_up_and_a_constant_changes_nothing():
    _, _, choices, _ = few(80)
    beta = np.random.default_rng(4).normal(size=T * (T + 1) // 2)
    block = np.random.default_rng(5).integers(0, 3, len(choices.anchor))
    value, score, information = sums(choices, beta, block, 3)
    whole = sums(choices, beta)
    np.testing.assert_allclose(score.sum(axis=0), whole[1][0], atol=1e-9)
    np.testing.assert_allclose(information.sum(axis=0), whole[2][0], atol=1e-9)
    assert sums(choices, beta + 2.5)[0] == pytest.approx(value, rel=1e-10)
    np.testing.assert_allclose(whole[2][0].sum(axis=1), 0, atol=1e-9)


def fitted(seed=0, n=900, **options):
    xy, types, theta, contacts, _ = planted_contacts(n, T, random_state=seed)
    candidates = candidates_within(xy, contacts, [np.arange(n)], 23.0)
    choices = choices_of(types, candidates, n_types=T)
    return fit_interactions(choices, tissue_blocks(xy, [np.arange(n)], candidates), **options), theta, choices


def gauged(theta, fit, weights=None):
    w = np.where(np.isfinite(fit.log_odds), fit.expected if weights is None else weights, 0)
    return theta[np.triu_indices(T)] - (w * theta[np.triu_indices(T)]).sum() / w.sum()


def test_planted_log_odds_lie_in_their_intervals():
    miss, inside, total = [], 0, 0
    for seed in range(25):
        fit, theta, _ = fitted(seed)
        off = fit.log_odds - gauged(theta, fit)
        inside += int((np.abs(off) < student.ppf(0.975, fit.dof) * fit.error).sum())
        total += len(off)
        miss.append(off)
    assert total == 25 * T * (T + 1) // 2
    assert 0.915 < inside / total < 0.985  # 250 intervals, two standard errors are .028
    assert np.sqrt(np.mean(np.square(miss))) < 0.17
    assert abs(np.mean(miss)) < 0.02


def test_types_at_random_have_no_interaction_whatever_the_tissue():
    """Regions of a type, dense and sparse, are no interaction: labels are clustered, contacts are drawn alike."""
    n = 900
    xy, types, _, contacts, _ = planted_contacts(n, T, random_state=3, strength=0.0)
    candidates = candidates_within(xy, contacts, [np.arange(n)], 23.0)
    same = types[candidates.anchors] == types[candidates.rows]
    chance = np.bincount(types) / n
    assert same.mean() > 1.2 * (chance**2).sum()  # regions there are
    choices = choices_of(types, candidates, n_types=T)
    fit = fit_interactions(choices, tissue_blocks(xy, [np.arange(n)], candidates))
    assert (np.abs(fit.log_odds) < 3.5 * fit.error).all()


def test_zero_is_random_mixing_and_other_weights_only_shift():
    fit, _, choices = fitted()
    assert (fit.expected * fit.log_odds).sum() == pytest.approx(0, abs=1e-6)
    np.testing.assert_allclose(fit.expected, random_mixing(choices))
    assert fit.expected.sum() == pytest.approx(fit.n_contacts.sum())
    other = np.arange(1.0, 11.0)
    moved, *_ = fitted(weights=other)
    assert (other * moved.log_odds).sum() == pytest.approx(0, abs=1e-6)
    shift = moved.log_odds - fit.log_odds
    np.testing.assert_allclose(shift, shift[0], atol=0.02)  # but for half a contact of the prior
    assert fit.log_likelihood > fit.null


def test_renaming_types_and_reordering_cells_change_nothing():
    n = 400
    xy, types, _, contacts, _ = planted_contacts(n, T, random_state=6)
    rng = np.random.default_rng(0)
    name, order = rng.permutation(T), rng.permutation(n)

    def fit(xy, types, contacts, blocks):
        candidates = candidates_within(xy, contacts, [np.arange(n)], 23.0)
        return fit_interactions(choices_of(types, candidates, n_types=T), blocks)

    blocks = (xy[:, 0] // 60).astype(int) * 100 + (xy[:, 1] // 60).astype(int)
    plain = fit(xy, types, contacts, blocks)
    renamed = fit(xy, name[types], contacts, blocks)
    reordered = fit(xy[order], types[order], contacts[order][:, order], blocks[order])
    number = pair_numbers(T)[0]
    to = number[name[np.triu_indices(T)[0]], name[np.triu_indices(T)[1]]]
    for part in ("log_odds", "error", "dof", "n_contacts", "expected"):
        np.testing.assert_allclose(getattr(reordered, part), getattr(plain, part), rtol=1e-6, atol=1e-8)
        np.testing.assert_allclose(getattr(renamed, part)[to], getattr(plain, part), rtol=1e-6, atol=1e-8)


def test_candidates_one_by_one_are_the_same_model():
    n = 300
    xy, types, _, contacts, _ = planted_contacts(n, T, random_state=7)
    candidates = candidates_within(xy, contacts, [np.arange(n)], 23.0)
    blocks = tissue_blocks(xy, [np.arange(n)], candidates)
    counted = fit_interactions(choices_of(types, candidates, n_types=T), blocks)
    listed = choices_of(types, candidates, n_types=T, covariates=np.zeros((len(candidates.rows), 0)))
    np.testing.assert_allclose(fit_interactions(listed, blocks).log_odds, counted.log_odds, atol=1e-8)


def test_a_covariate_is_recovered_and_takes_its_part():
    n, slope = 900, -2.0
    xy, types, theta, contacts, _ = planted_contacts(n, T, random_state=8, distance=slope)
    candidates = candidates_within(xy, contacts, [np.arange(n)], 23.0)
    blocks = tissue_blocks(xy, [np.arange(n)], candidates)
    extra = candidates.distance[:, None] / 22.5676
    fit = fit_interactions(choices_of(types, candidates, n_types=T, covariates=extra), blocks)
    assert abs(fit.effect[0] - slope) < 3 * fit.effect_error[0] < 0.6
    off = fit.log_odds - gauged(theta, fit)
    assert (np.abs(off) < 4 * fit.error).all()


def test_pairs_that_never_touch_stay_finite_and_uncertain():
    n = 900
    xy, types, _, contacts, _ = planted_contacts(n, T, random_state=9)
    apart = contacts.tocoo()
    kept = ~(
        (np.minimum(types[apart.row], types[apart.col]) == 0) & (np.maximum(types[apart.row], types[apart.col]) == 3)
    )
    contacts = type(contacts)((apart.data[kept], (apart.row[kept], apart.col[kept])), shape=contacts.shape)
    candidates = candidates_within(xy, contacts, [np.arange(n)], 23.0)
    fit = fit_interactions(choices_of(types, candidates, n_types=T), tissue_blocks(xy, [np.arange(n)], candidates))
    k = pair_numbers(T)[0][0, 3]
    assert fit.n_contacts[k] == 0
    assert -6 < fit.log_odds[k] < -1
    assert 0.7 < fit.error[k] < 2
    less = fit_interactions(
        choices_of(types, candidates, n_types=T), tissue_blocks(xy, [np.arange(n)], candidates), prior_contacts=5.0
    )
    assert less.log_odds[k] > fit.log_odds[k]


def test_pairs_that_are_rare_are_not_reported():
    fit, *_ = fitted()
    level = np.sort(fit.expected)[2] + 1e-6
    strict, *_ = fitted(min_expected=level)
    np.testing.assert_array_equal(np.isnan(strict.log_odds), fit.expected < level)
    shown = np.isfinite(strict.log_odds)
    assert (strict.expected * np.where(shown, strict.log_odds, 0)).sum() == pytest.approx(0, abs=1e-6)


def test_a_pair_that_lies_in_few_blocks_has_few_degrees_of_freedom():
    xy, _, _, contacts, _ = planted_contacts(3000, 2, random_state=0)
    types = np.random.default_rng(0).integers(0, 2, len(xy))
    corner = (xy < np.quantile(xy, 0.2)).all(axis=1)
    types[corner & (np.random.default_rng(1).random(len(xy)) < 0.7)] = 2  # nowhere else
    candidates = candidates_within(xy, contacts, [np.arange(len(xy))], 12.0)
    blocks = tissue_blocks(xy, [np.arange(len(xy))], candidates)
    found = fit_interactions(choices_of(types, candidates, n_types=3), blocks)
    number = pair_numbers(3)[0]
    few = len(np.unique(blocks[corner]))
    assert few < found.n_blocks / 8
    assert found.dof[number[2, 2]] < few
    assert found.dof[number[0, 1]] > 0.5 * found.n_blocks


def test_types_that_never_meet_have_a_zero_of_their_own():
    n = 300
    xy, types, _, contacts, _ = planted_contacts(n, 2, random_state=10)
    both = np.concatenate([xy, xy + 1e4])
    from scipy.sparse import block_diag, csr_matrix

    contacts = csr_matrix(block_diag([contacts, contacts]))
    candidates = candidates_within(both, contacts, [np.arange(2 * n)], 23.0)
    kinds = np.concatenate([types, types + 2])
    fit = fit_interactions(
        choices_of(kinds, candidates, n_types=4), tissue_blocks(both, [np.arange(2 * n)], candidates)
    )
    number = pair_numbers(4)[0]
    for a in (0, 2):
        mine = [number[a, a], number[a, a + 1], number[a + 1, a + 1]]
        assert (fit.expected[mine] * fit.log_odds[mine]).sum() == pytest.approx(0, abs=1e-6)
    assert np.isnan(fit.log_odds[number[0, 2]])
    np.testing.assert_allclose(fit.log_odds[number[0, 1]], fit.log_odds[number[2, 3]], atol=1e-8)


def test_unknown_cells_are_neither_anchors_nor_candidates():
    n = 300
    xy, types, _, contacts, _ = planted_contacts(n, T, random_state=11)
    known = np.random.default_rng(0).random(n) < 0.8
    some = choices_of(np.where(known, types, -1), candidates_within(xy, contacts, [np.arange(n)], 23.0), n_types=T)
    rows = np.flatnonzero(known)
    only = candidates_within(xy[rows], contacts[rows][:, rows], [np.arange(len(rows))], 23.0)
    alone = choices_of(types[rows], only, n_types=T)
    for part in ("starts", "size", "chosen", "pair"):
        np.testing.assert_array_equal(getattr(some, part), getattr(alone, part))


def test_blocks_are_compact_and_stay_in_their_image():
    rng = np.random.default_rng(0)
    xy = rng.uniform(0, 300, (800, 2))
    images = [np.arange(500), np.arange(500, 790)]
    from scipy.sparse import csr_matrix

    candidates = candidates_within(xy, csr_matrix((800, 800)), images, 20.0)
    block = tissue_blocks(xy, images, candidates)
    assert (block[790:] == -1).all()
    assert not set(block[:500]) & set(block[500:790])
    assert 16 <= len(set(block[:500])) <= 60
    assert max(np.ptp(xy[:500][block[:500] == b], axis=0).max() for b in set(block[:500])) < 130


def test_what_cannot_be_fitted_is_named():
    n = 30
    xy, types, _, contacts, _ = planted_contacts(n, T, random_state=0)
    candidates = candidates_within(xy, contacts, [np.arange(n)], 23.0)
    choices, blocks = choices_of(types, candidates, n_types=T), np.zeros(n, int)
    with pytest.raises(OptionError, match="min_expected"):
        fit_interactions(choices, blocks, min_expected=-1)
    with pytest.raises(OptionError, match="prior_contacts"):
        fit_interactions(choices, blocks, prior_contacts=0)
    with pytest.raises(ShapeError):
        choices_of(types[1:], candidates, n_types=T)
    with pytest.raises(ShapeError):
        choices_of(types, candidates, n_types=T, covariates=np.zeros((3, 1)))
    bad = choices_of(types, candidates, n_types=T, covariates=np.full((len(candidates.rows), 1), np.nan))
    with pytest.raises(CellGraphError, match="finite covariates"):
        fit_interactions(bad, blocks)
    nobody = candidates_within(xy, contacts * 0, [np.arange(n)], 1e-6)
    with pytest.raises(CellGraphError, match="some contacts but not all"):
        fit_interactions(choices_of(types, nobody, n_types=T), blocks)
    one_block = fit_interactions(choices, blocks, min_expected=0)
    assert np.isnan(one_block.error).all()
