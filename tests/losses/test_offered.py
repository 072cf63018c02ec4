"""Options of InfoNCEp: divided by p, m of the offered are true, each is true with a probability."""

import itertools
from functools import partial

import numpy as np
import pytest
import torch

from cellgraph_clr import losses
from cellgraph_clr._core.errors import OptionError
from cellgraph_clr.losses.functional import infonce_p, mil_nce
from cellgraph_clr.losses.multi_positive import _rows_in_torch

OPTIONS = [{"normalize": "p"}, {"n_true": 2}, {"n_true": 3, "normalize": "p"}, {"purity": 0.6}]


@pytest.fixture
def rows(rng):
    """Scores, positives (3 to 6 a row, one row without and one with nothing else) and exclusions of 12 anchors."""
    f = torch.tensor(rng.normal(size=(12, 11)) * 2, requires_grad=True)
    positives = torch.zeros(12, 11, dtype=torch.bool)
    for row, n in enumerate([0, 11, *rng.integers(3, 7, 10)]):
        positives[row, rng.choice(11, int(n), replace=False)] = True
    exclude = torch.tensor(rng.random((12, 11)) < 0.2) & ~positives
    return f, positives, exclude


def log_sum_of_subsets(f, m):
    return torch.stack([f[list(s)].sum() for s in itertools.combinations(range(len(f)), m)]).logsumexp(0)


def brute(f, positives, exclude, *, normalize="none", n_true=None, purity=1.0):
    """The definition, one anchor and one subset after the other, in operations that autograd knows."""
    out = []
    for scores, offered, left_out in zip(f, positives, exclude, strict=True):
        noise = ~offered & ~left_out
        k = int(offered.sum())
        m = k if n_true is None else min(n_true, k)
        if k == 0 or not noise.any():
            out.append(scores.sum() * 0)
            continue
        g = scores
        if purity < 1:
            g = (1 - purity + purity * scores.exp() / scores[noise].exp().mean()).log()
        loss = log_sum_of_subsets(g[~left_out], m) - log_sum_of_subsets(g[offered], m)
        out.append(loss / m if normalize == "p" else loss)
    return torch.stack(out)


@pytest.mark.parametrize("options", [*OPTIONS, {"n_true": 1}, {"purity": 0.05, "normalize": "p"}], ids=str)
def test_value_and_gradient_are_those_of_all_subsets(options, rows):
    f, positives, exclude = rows
    upstream = torch.linspace(0.5, 2, len(f), dtype=torch.float64)
    ours, theirs = infonce_p(*rows, **options), brute(*rows, **options)
    torch.testing.assert_close(ours, theirs, atol=1e-10, rtol=1e-10)
    assert (ours[:2] == 0).all()
    assert (ours >= 0).all()
    for one, other in zip(
        torch.autograd.grad(ours @ upstream, f), torch.autograd.grad(theirs @ upstream, f), strict=True
    ):
        torch.testing.assert_close(one, other, atol=1e-10, rtol=1e-10)


def both(loss, f):
    return loss.detach(), torch.autograd.grad(loss.sum(), f)[0]


def test_one_true_is_mil_nce_and_all_true_infonce_p(rows):
    f, positives, exclude = rows
    for options, other in (
        ({"n_true": 1}, mil_nce(f, positives, exclude)),
        ({"n_true": 6}, infonce_p(*rows)),  # 6 at most are offered where there is noise
        ({"n_true": 50}, infonce_p(*rows)),
        ({"purity": 1.0}, infonce_p(*rows)),
        ({"n_true": 1, "normalize": "p"}, mil_nce(f, positives, exclude)),
    ):
        for one, reference in zip(both(infonce_p(*rows, **options), f), both(other, f), strict=True):
            torch.testing.assert_close(one, reference, atol=1e-10, rtol=0)
    some = positives.sum(1).clamp_min(1)
    torch.testing.assert_close(infonce_p(*rows, normalize="p"), infonce_p(*rows) / some)


def test_purity_near_one_is_infonce_p(rows):
    torch.testing.assert_close(infonce_p(*rows, purity=1 - 1e-12), infonce_p(*rows), atol=1e-8, rtol=0)


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_laws(options, rows, rng):
    """Shifted rows and permuted candidates change nothing; gradients of a row sum to 0; excluded ones have none."""
    f, positives, exclude = rows
    loss, grad = both(infonce_p(*rows, **options), f)
    assert not torch.allclose(loss, infonce_p(*rows).detach())
    shift = torch.linspace(-300, 300, len(f), dtype=torch.float64).unsqueeze(1)
    torch.testing.assert_close(infonce_p(f + shift, positives, exclude, **options).detach(), loss, atol=1e-10, rtol=0)
    order = torch.tensor(rng.permutation(f.shape[1]))
    moved = infonce_p(f[:, order], positives[:, order], exclude[:, order], **options)
    torch.testing.assert_close(moved.detach(), loss, atol=1e-10, rtol=0)
    assert (grad.sum(1).abs() < 1e-10).all()
    assert not grad[exclude].any()
    anywhere = torch.where(exclude, 99.0, f)
    torch.testing.assert_close(infonce_p(anywhere, positives, exclude, **options).detach(), loss)


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_gradients_are_finite_differences(options, rows):
    """Those of `purity` through the mean of the noise as well."""
    f, positives, exclude = (x.detach()[:5] for x in rows)
    assert torch.autograd.gradcheck(
        lambda scores: infonce_p(scores, positives, exclude, **options), f.requires_grad_(), atol=1e-8
    )


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_a_second_derivative_is_refused_here_and_right_in_torch(options, rows, monkeypatch):
    f, positives, exclude = rows
    (slope,) = torch.autograd.grad(infonce_p(*rows, **options).sum(), f, create_graph=True)
    with pytest.raises(RuntimeError, match="found a second one"):
        torch.autograd.grad(slope.square().sum(), f)
    # as on an accelerator
    monkeypatch.setattr("cellgraph_clr.losses.multi_positive._rows", lambda *given: _rows_in_torch(*given[:3]))
    twice = []
    for loss in (infonce_p(*rows, **options), brute(*rows, **options)):
        (slope,) = torch.autograd.grad(loss.sum(), f, create_graph=True)
        twice.append(torch.autograd.grad(slope.square().sum(), f)[0])
    torch.testing.assert_close(*twice, atol=1e-8, rtol=1e-8)


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_far_scores_and_half_precision_are_safe(options, rng):
    f = torch.tensor(rng.normal(size=(6, 40)) * 8).half().requires_grad_()
    positives = torch.zeros(6, 40, dtype=torch.bool)
    positives[:, :7] = True
    ours = infonce_p(f, positives, **options)
    assert ours.dtype == torch.float32
    torch.testing.assert_close(ours.double(), infonce_p(f.double(), positives, **options), rtol=1e-4, atol=1e-4)
    far = f.detach().double() * 1e3
    loss, grad = both(infonce_p(far.requires_grad_(), positives, **options), far)
    assert torch.isfinite(loss).all()
    assert torch.isfinite(grad).all()
    assert torch.isnan(infonce_p(torch.full_like(far, torch.nan), positives, **options)).all()


def test_offered_that_cannot_be_chosen():
    """With fewer than m of finite score nothing is possible; with m of them the others are as if absent."""
    f = torch.tensor([[0.0, 1.0, -torch.inf, -torch.inf, 2.0, 3.0]])
    positives = torch.tensor([[True, True, True, False, False, False]])
    assert infonce_p(f, positives, n_true=3) == torch.inf
    assert infonce_p(f, torch.tensor([[True, False, True, True, False, False]]), n_true=2) == torch.inf
    without = infonce_p(f[:, [0, 1, 4, 5]], positives[:, [0, 1, 4, 5]], n_true=2)
    torch.testing.assert_close(infonce_p(f, positives, n_true=2), without)


def fitted(x, positives, **options):
    """The coefficients of a linear critic by maximum likelihood."""
    theta = torch.zeros(x.shape[2], dtype=torch.float64, requires_grad=True)
    search = torch.optim.LBFGS([theta], max_iter=60, line_search_fn="strong_wolfe")

    def closure():
        search.zero_grad()
        loss = infonce_p(x @ theta, positives, **options).mean()
        loss.backward()
        return loss

    search.step(closure)
    return theta.detach()


def test_purity_restores_the_scale_that_wrong_positives_take(rng):
    """Noise N(0, I), true positives N(mu, I): the log odds have the slope mu; 30 % of 10 offered are noise."""
    mu = np.array([1.0, -0.7, 0.5, 0.0])
    x = rng.normal(size=(400, 64, 4))
    x[:, :10] += (rng.random((400, 10, 1)) < 0.7) * mu
    positives = torch.zeros(400, 64, dtype=torch.bool)
    positives[:, :10] = True
    slopes = [
        float(fitted(torch.tensor(x), positives, **o) @ torch.tensor(mu)) / (mu @ mu) for o in ({}, {"purity": 0.7})
    ]
    assert slopes[0] < 0.75
    assert slopes[1] == pytest.approx(1, abs=0.1)


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_the_module_passes_its_options_on(options, rng):
    z = torch.tensor(rng.normal(size=(9, 4)), requires_grad=True)
    positives = torch.tensor(rng.random((9, 9)) < 0.5)
    exclude = torch.eye(9, dtype=torch.bool)
    positives &= ~exclude
    module = losses.InfoNCEp(0.5, **options)
    unit = torch.nn.functional.normalize(z, dim=1)
    ours = module(z, z, positives, exclude)
    theirs = infonce_p(unit @ unit.T / 0.5, positives, exclude, **options).mean()
    torch.testing.assert_close(ours, theirs)
    torch.testing.assert_close(torch.autograd.grad(ours, z), torch.autograd.grad(theirs, z))
    assert not module.is_plain
    assert losses.InfoNCEp(0.5).is_plain
    assert all(f"{k}={v!r}" in repr(module) for k, v in options.items())
    assert "purity" not in repr(losses.InfoNCEp(0.5))


@pytest.mark.parametrize("make", [losses.InfoNCEp, partial(infonce_p, torch.zeros(0, 3), torch.zeros(0, 3).bool())])
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"normalize": "mean"}, "`normalize` to be one of 'none', 'p', found 'mean'"),
        ({"normalize": None}, "`normalize` to be one of 'none', 'p', found None"),
        ({"n_true": 0}, "`n_true` to be a whole number >= 1, found 0"),
        ({"n_true": 1.5}, "`n_true` to be a whole number >= 1, found 1.5"),
        ({"n_true": True}, "`n_true` to be a whole number >= 1, found True"),
        ({"purity": 0}, r"`purity` to be a number in \(0, 1\], found 0"),
        ({"purity": 1.1}, r"`purity` to be a number in \(0, 1\], found 1.1"),
        ({"purity": float("nan")}, r"`purity` to be a number in \(0, 1\], found nan"),
        ({"purity": "1"}, r"`purity` to be a number in \(0, 1\], found '1'"),
        ({"method": "fast"}, "`method` to be one of 'exact', 'auto', found 'fast'"),
        ({"purity": 0.5, "n_true": 2}, "`n_true` or `purity`, found `n_true=2` and `purity=0.5`. Both say"),
    ],
    ids=str,
)
def test_wrong_options_are_named(make, options, message):
    with pytest.raises(OptionError, match=message):
        make(**options)
