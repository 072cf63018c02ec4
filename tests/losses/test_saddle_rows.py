"""InfoNCEp of many positives by a saddle point: close to the exact rows, and only where it is."""

import math

import numpy as np
import pytest
import torch

from cellgraph_clr import losses
from cellgraph_clr.losses.functional import infonce_p


def row(rng, n, p, sd=1.0, gap=0.0):
    positives = torch.zeros(1, n, dtype=torch.bool)
    positives[0, rng.choice(n, p, replace=False)] = True
    return torch.tensor(rng.normal(size=(1, n)) * sd) + gap * positives, positives


def both(f, positives, exclude=None, **options):
    f = f.detach().requires_grad_()
    loss = infonce_p(f, positives, exclude, **options)
    return loss.detach(), torch.autograd.grad(loss.sum(), f)[0]


def undecided(f, p):
    """V, by bisection."""
    low, high = -1e3, 1e3
    for _ in range(100):
        t = (low + high) / 2
        q = torch.sigmoid(f + t)
        low, high = (t, high) if q.sum() < p else (low, t)
    return float((q * (1 - q)).sum())


@pytest.mark.parametrize("n", [64, 400])
@pytest.mark.parametrize("gap", [0, 1, 3, 6, 10, 20, 40])
def test_within_a_thousandth_where_it_is_taken_and_exact_elsewhere(n, gap, rng):
    for sd in (0.3, 1, 3, 10):
        for p in (2, 15, n // 3, n // 2):
            f, positives = row(rng, n, p, sd, gap)
            exact, ours = both(f, positives), both(f, positives, method="auto")
            v = undecided(f, p)
            assert (ours[0] == exact[0]).all() == (v < 10)
            assert (ours[1] == exact[1]).all() == (v < 10)
            torch.testing.assert_close(ours[0], exact[0], atol=4e-4, rtol=0)
            torch.testing.assert_close(ours[1], exact[1], atol=4e-5, rtol=0)


def test_equal_scores_are_the_series_of_stirling(rng):
    """log C(n, p), known to the order of V^-2."""
    f, positives = row(rng, 200, 80, sd=0)
    loss, grad = both(f + 3.3, positives, method="auto")
    assert loss.item() == pytest.approx(math.log(math.comb(200, 80)), abs=1e-5)
    np.testing.assert_allclose(grad[0], 0.4 - positives[0].numpy(), atol=1e-12)


def test_rows_are_chosen_one_by_one(rng):
    parts = [row(rng, 90, p, 1, gap) for p, gap in ((30, 0), (30, 40), (3, 0), (0, 0), (90, 0), (40, 1))]
    f, positives = (torch.cat(x) for x in zip(*parts, strict=True))
    exact, ours = both(f, positives), both(f, positives, method="auto")
    assert (exact[0] == ours[0]).tolist() == [False, True, True, True, True, False]
    assert both(f[:0], positives[:0], method="auto")[0].shape == (0,)


@pytest.mark.parametrize("sd", [0.3, 1.5])
def test_the_gradient_is_that_of_the_value(sd, rng):
    f, positives = row(rng, 70, 24, sd, 0.5)
    exclude = torch.tensor(rng.random((1, 70)) < 0.1) & ~positives
    assert (both(f, positives, exclude)[0] != both(f, positives, exclude, method="auto")[0]).all()
    assert torch.autograd.gradcheck(
        lambda x: infonce_p(x, positives, exclude, method="auto"), f.requires_grad_(), atol=1e-8
    )
    assert not both(f, positives, exclude, method="auto")[1][exclude].any()


def test_laws(rng):
    f, positives = row(rng, 150, 50, 2)
    loss, grad = both(f, positives, method="auto")
    order = torch.tensor(rng.permutation(150))
    for moved in (both(f + 250.0, positives, method="auto"), both(f[:, order], positives[:, order], method="auto")):
        torch.testing.assert_close(moved[0], loss, atol=1e-8, rtol=0)
    torch.testing.assert_close(both(-f, ~positives, method="auto")[0], loss, atol=1e-8, rtol=0)  # complement
    assert abs(grad.sum()) < 1e-8


def test_a_few_far_scores_keep_value_and_digits(rng):
    """Positives far behind or ahead among many that are undecided; the gradient of one ahead is of the size exp(-gap)."""
    f, positives = row(rng, 150, 50)
    first, second = positives[0].nonzero()[:2, 0]
    noise = int((~positives[0]).nonzero()[0, 0])
    f[0, first], f[0, second], f[0, noise] = -2000.0, 60.0, -1500.0
    exact, ours = both(f, positives), both(f, positives, method="auto")
    assert ours[0].item() == pytest.approx(exact[0].item(), abs=4e-4)
    assert ours[1][0, second].item() == pytest.approx(exact[1][0, second].item(), rel=0.01, abs=0)
    f[0, noise] = 1500.0
    far = both(f, positives)[0].item()
    assert both(f, positives, method="auto")[0].item() == pytest.approx(far, rel=0, abs=4e-4)
    f[0, first] = -torch.inf
    assert both(f, positives, method="auto")[0] == torch.inf
    f[0, first] = torch.nan
    assert torch.isnan(infonce_p(f, positives, method="auto"))


def test_with_the_other_options_and_in_the_module(rng):
    f, positives = row(rng, 200, 80)
    for options in ({"normalize": "p"}, {"n_true": 30}, {"purity": 0.5}):
        exact, ours = both(f, positives, **options), both(f, positives, method="auto", **options)
        assert exact[0] != ours[0]
        torch.testing.assert_close(ours[0], exact[0], atol=1e-3, rtol=0)
        torch.testing.assert_close(ours[1], exact[1], atol=1e-4, rtol=0)
    single = both(f.float(), positives, method="auto")
    assert single[0].dtype == single[1].dtype == torch.float32
    torch.testing.assert_close(single[0].double(), both(f, positives, method="auto")[0], atol=1e-4, rtol=0)
    z = torch.tensor(rng.normal(size=(200, 4)))
    unit = torch.nn.functional.normalize(z, dim=1)
    by_function = infonce_p(unit[:1] @ unit.T / 0.5, positives, method="auto")
    module = losses.InfoNCEp(0.5, method="auto")
    torch.testing.assert_close(module(z[:1], z, positives), by_function[0], atol=1e-9, rtol=0)
    assert "method='auto'" in repr(module)
    assert module.is_plain
