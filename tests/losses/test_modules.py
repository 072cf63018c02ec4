"""The modules: normalisation, temperature, blocks, gradients to both sides."""

import pytest
import torch

from cellgraph_clr import losses
from cellgraph_clr._core.errors import OptionError, ShapeError
from cellgraph_clr.losses._blocks import blocked_mean

PAIR_LOSSES = [losses.InfoNCEp, losses.InfoNCE, losses.SupCon, losses.SupConIn, losses.MILNCE, losses.CompositeInfoNCE]


@pytest.fixture
def vectors():
    g = torch.Generator().manual_seed(0)
    anchor = torch.randn(20, 6, generator=g, dtype=torch.float64, requires_grad=True)
    candidates = torch.randn(30, 6, generator=g, dtype=torch.float64, requires_grad=True)
    positives = torch.zeros(20, 30, dtype=torch.bool)
    positives[torch.arange(20), torch.arange(20)] = True
    return anchor, candidates, positives


@pytest.mark.parametrize("kind", PAIR_LOSSES, ids=lambda k: k.__name__)
def test_equals_the_function_on_cosines(kind, vectors):
    anchor, candidates, positives = vectors
    if kind is not losses.InfoNCE:
        positives = positives | (torch.rand(20, 30, generator=torch.Generator().manual_seed(1)) < 0.1)
    a = torch.nn.functional.normalize(anchor, dim=1)
    c = torch.nn.functional.normalize(candidates, dim=1)
    reference = kind.row_loss(a @ c.T / 0.3, positives, None).mean()
    loss = kind(0.3)(anchor, candidates, positives)
    torch.testing.assert_close(loss, reference)
    for ours, theirs in zip(
        torch.autograd.grad(loss, [anchor, candidates]),
        torch.autograd.grad(reference, [anchor, candidates]),
        strict=True,
    ):
        torch.testing.assert_close(ours, theirs, atol=1e-12, rtol=1e-9)


def test_blocks_change_nothing(vectors):
    anchor, candidates, positives = vectors
    options = {"temperature": 0.5}
    whole = blocked_mean(anchor, candidates, positives, None, losses.InfoNCEp.row_loss, block_size=100, **options)
    parts = blocked_mean(anchor, candidates, positives, None, losses.InfoNCEp.row_loss, block_size=7, **options)
    torch.testing.assert_close(whole, parts)
    for a, b in zip(
        torch.autograd.grad(whole, [anchor, candidates]), torch.autograd.grad(parts, [anchor, candidates]), strict=True
    ):
        torch.testing.assert_close(a, b)


def test_blocks_of_half_precision_are_summed_in_float32(vectors):
    *both, positives = vectors
    half = [v.detach().half().requires_grad_() for v in both]
    wide = [v.detach().float().requires_grad_() for v in half]
    ours, theirs = (
        blocked_mean(*pair, positives, None, losses.InfoNCE.row_loss, temperature=0.5, block_size=7)
        for pair in (half, wide)
    )
    torch.testing.assert_close(ours, theirs)
    scaled, reference = torch.autograd.grad(ours * 1024, half), torch.autograd.grad(theirs * 1024, wide)
    for one, other in zip(scaled, reference, strict=True):
        torch.testing.assert_close(one, other.half(), rtol=1e-3, atol=0)


def test_gradients_add_up_when_anchors_are_the_candidates(vectors):
    anchor, _, _ = vectors
    positives = torch.roll(torch.eye(20, dtype=torch.bool), 1, 0)
    exclude = torch.eye(20, dtype=torch.bool)
    loss = losses.InfoNCEp(0.2)(anchor, anchor, positives, exclude)
    z = torch.nn.functional.normalize(anchor, dim=1)
    reference = losses.functional.infonce_p(z @ z.T / 0.2, positives, exclude).mean()
    torch.testing.assert_close(torch.autograd.grad(loss, anchor)[0], torch.autograd.grad(reference, anchor)[0])


def test_temperature_changes_the_loss(vectors):
    values = {float(losses.InfoNCEp(t)(*vectors).detach()) for t in (0.05, 0.1, 1.0)}
    assert len(values) == 3


def test_bad_input_is_named(vectors):
    anchor, candidates, positives = vectors
    with pytest.raises(OptionError, match="above 0, found -1"):
        losses.InfoNCEp(-1)
    with pytest.raises(ShapeError, match=r"anchor \(a, d\) and candidates \(c, d\)"):
        losses.InfoNCEp(1)(anchor[:, :3], candidates, positives)


def test_soft_infonce_module_is_the_mean():
    z = torch.randn(8, 3, generator=torch.Generator().manual_seed(0))
    w = torch.softmax(z.flip(0), 1)
    prior = w.mean(0)
    module = losses.SoftInfoNCE(prior)
    torch.testing.assert_close(module(z, w), losses.functional.soft_infonce(z, w, prior).mean())
    assert "n_classes=3" in repr(module)


def test_nt_xent_is_the_loss_of_simclr(vectors):
    anchor, candidates, _ = vectors
    first, second = anchor, candidates[:20]
    z = torch.nn.functional.normalize(torch.cat([first, second]), dim=1)
    terms = []
    for i in range(40):
        partner = (i + 20) % 40
        weights = [(z[i] @ z[k] / 0.3).exp() for k in range(40) if k != i]
        terms.append(-((z[i] @ z[partner] / 0.3).exp() / sum(weights)).log())
    loss = losses.NTXent(0.3)(first, second, torch.eye(20, dtype=torch.bool))
    torch.testing.assert_close(loss, torch.stack(terms).mean())


@pytest.mark.parametrize("kind", PAIR_LOSSES, ids=lambda k: k.__name__)
def test_noise_correction_is_subtracted_from_the_scores(kind, vectors):
    anchor, candidates, positives = vectors
    log_noise = torch.linspace(-4, -1, 30, dtype=torch.float64)
    a = torch.nn.functional.normalize(anchor, dim=1)
    c = torch.nn.functional.normalize(candidates, dim=1)
    reference = kind.row_loss(a @ c.T / 0.3 - log_noise, positives, None).mean()
    torch.testing.assert_close(kind(0.3)(anchor, candidates, positives, log_noise=log_noise), reference)
    with pytest.raises(ShapeError, match=r"`log_noise` of shape \(30,\), found \(20,\)"):
        kind(0.3)(anchor, candidates, positives, log_noise=log_noise[:20])


def test_infonce_without_autograd_knows_masks_and_empty_rows(vectors):
    anchor, candidates, positives = vectors
    positives = positives.clone()
    positives[3] = False
    exclude = (torch.rand(20, 30, generator=torch.Generator().manual_seed(2)) < 0.3) & ~positives
    a = torch.nn.functional.normalize(anchor, dim=1)
    c = torch.nn.functional.normalize(candidates, dim=1)
    reference = losses.functional.infonce(a @ c.T / 0.3, positives, exclude).mean()
    loss = losses.InfoNCE(0.3)(anchor, candidates, positives, exclude)
    torch.testing.assert_close(loss, reference)
    both = [anchor, candidates]
    for ours, theirs in zip(torch.autograd.grad(loss, both), torch.autograd.grad(reference, both), strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-12, rtol=1e-9)
    half = losses.InfoNCE(0.3)(anchor.bfloat16(), candidates.bfloat16(), positives, exclude)
    assert half.dtype == torch.float32
    assert half.item() == pytest.approx(reference.item(), rel=0.02)


@pytest.mark.parametrize("kind", PAIR_LOSSES, ids=lambda k: k.__name__)
@pytest.mark.parametrize("block_size", [1, 3, 19, 20])
def test_every_anchor_is_in_a_block(kind, block_size, vectors):
    anchor, candidates, positives = vectors
    exclude = (torch.rand(20, 30, generator=torch.Generator().manual_seed(2)) < 0.3) & ~positives
    options = {"with_slope": kind.with_slope, "temperature": 0.5, "block_size": block_size}
    parts = blocked_mean(anchor, candidates, positives, exclude, kind.row_loss, **options)
    reference = kind.row_loss(anchor @ candidates.T / 0.5, positives, exclude).mean()
    torch.testing.assert_close(parts, reference)
    both = [anchor, candidates]
    for ours, theirs in zip(torch.autograd.grad(parts, both), torch.autograd.grad(reference, both), strict=True):
        torch.testing.assert_close(ours, theirs)


def test_nt_xent_of_several_positives_and_exclusions_equals_a_loop(vectors):
    """Every vector with a positive is an anchor; a pair left out is left out in both directions."""
    anchor, candidates, _ = (v.detach() for v in vectors)
    g = torch.Generator().manual_seed(3)
    positives = torch.rand(20, 30, generator=g) < 0.08
    exclude = (torch.rand(20, 30, generator=g) < 0.3) & ~positives
    z = torch.nn.functional.normalize(torch.cat([anchor, candidates]), dim=1)
    weight = (z @ z.T / 0.3).exp()
    friends = {(i, 20 + j) for i, j in positives.nonzero().tolist()}
    apart = {(i, 20 + j) for i, j in exclude.nonzero().tolist()}
    terms = []
    for i in range(50):
        mine = [k for k in range(50) if (i, k) in friends or (k, i) in friends]
        noise = [k for k in range(50) if k not in (i, *mine) and (i, k) not in apart and (k, i) not in apart]
        if mine:
            pairs = [-(weight[i, k] / (weight[i, k] + weight[i, noise].sum())).log() for k in mine]
            terms.append(sum(pairs) / len(pairs))
    torch.testing.assert_close(losses.NTXent(0.3)(anchor, candidates, positives, exclude), torch.stack(terms).mean())
