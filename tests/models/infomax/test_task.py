"""`InfoMaxTask` against a loop: who is alike, what background may do, signs, the prior's two players; what crops are drawn."""

import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from cellgraph_clr.losses.information import mutual_information
from cellgraph_clr.models.infomax.config import DeepInfoMaxConfig
from cellgraph_clr.models.infomax.data import SampleCrops, coarse
from cellgraph_clr.models.infomax.network import pooled
from cellgraph_clr.models.infomax.task import InfoMaxTask, _Batch, prior_losses
from cellgraph_clr.training.task import Lowered

SHARE = [  # of four crops; 0.1 counts, 0.09 does not
    [[1.0, 0.5], [0.0, 0.09]],
    [[0.1, 0.0], [0.05, 0.0]],
    [[0.0, 1.0], [0.3, 0.7]],
    [[0.02, 0.6], [0.0, 0.2]],
]
SAMPLE = [7, 2, 7, 2]  # two fields of each of two samples


class Blocks(nn.Module):
    """Means of 8 x 8 pixels, turned; no place sees another one, no crop another one."""

    def __init__(self, n_in=2, n=3):
        super().__init__()
        self.turn, self.leave = nn.Conv2d(n_in, n, 1), nn.Linear(n, n)

    def forward(self, x):
        return self.turn(nn.functional.avg_pool2d(x, 8))

    def summary(self, local, weight=None):
        return self.leave(pooled(local, weight))


def a_batch(seed=0, n_features=3):
    g = torch.Generator().manual_seed(seed)
    images = torch.randn(4, 2, 16, 16, generator=g)
    return _Batch(images, torch.tensor(SHARE), torch.tensor(SAMPLE), torch.rand(4, n_features, generator=g))


def a_task(encoder=None, crops=None, **options):
    torch.manual_seed(1)
    options = {
        "n_features": 3,
        "window_px": 16,
        "batch_size": 4,
        "n_fields": 2,
        "n_hidden": 4,
        "prior_weight": 0.3,
    } | options
    config = DeepInfoMaxConfig(**options)
    task = InfoMaxTask(config, crops or SimpleNamespace(), 2, 5)
    modules = task.networks()
    if encoder is not None:
        modules["encoder"] = encoder
    return task, modules, {k: Lowered(v, "cpu", bf16=False) for k, v in modules.items()}


def sp(x):
    return math.log1p(math.exp(x))


@torch.no_grad()
def by_a_loop(modules, batch):
    """Return the scores of counted local vectors with global ones, apart: of one sample, and of two; and the global vectors."""
    encoder, critic = modules["encoder"], modules["critic"]
    local, whole = {}, []
    for i in range(4):
        total, weight = torch.zeros(3), 0.0
        for y in range(2):
            for x in range(2):
                mean = batch.images[i, :, 8 * y : 8 * y + 8, 8 * x : 8 * x + 8].mean(dim=(1, 2))
                share = SHARE[i][y][x]
                if share >= 0.1 - 1e-9:
                    local[i, y, x] = encoder.turn.weight[:, :, 0, 0] @ mean + encoder.turn.bias
                    total, weight = total + share * local[i, y, x], weight + share
        whole.append(encoder.leave(total / weight))
    own, other = [], []
    for (i, _, _), vector in local.items():
        for j in range(4):
            score = float(critic(vector[None], whole[j][None]))
            (own if SAMPLE[i] == SAMPLE[j] else other).append(score)
    return own, other, torch.stack(whole)


def prior_by_a_loop(modules, codes, draws):
    """Return the loss of the discriminator and that of the encoder, crop by crop."""
    told = matched = 0.0
    for rows, sign in ((draws, -1), (codes, 1)):
        for row in rows.detach():
            x = row.clone().requires_grad_()
            score = modules["prior"](x[None]).squeeze()
            (slope,) = torch.autograd.grad(score, x)
            told += (sp(sign * float(score.detach())) + 0.5 * float(slope.square().sum())) / len(rows)
            matched += sp(-float(score.detach())) / len(rows) if sign == 1 else 0
    return told, matched


def test_the_loss_is_that_of_a_loop():
    task, modules, networks = a_task(Blocks())
    batch = a_batch()
    value, figures = task.loss(networks, batch)
    own, other, whole = by_a_loop(modules, batch)
    information = np.mean([math.log(2) - sp(-u) for u in own]) - np.mean([sp(u) - math.log(2) for u in other])
    assert len(own) == len(other) == 2 * 8  # each counted place with both fields of its sample, and both of the other
    told, matched = prior_by_a_loop(modules, whole.sigmoid(), batch.draws)
    assert float(figures["loss"].detach()) == pytest.approx(-information, abs=1e-5)
    assert float(figures["prior"].detach()) == pytest.approx(matched, abs=1e-5)
    assert float(value.detach()) == pytest.approx(-information + told + 0.3 * matched, abs=1e-5)


def test_without_a_prior_the_loss_is_minus_the_information():
    task, modules, networks = a_task(Blocks(), prior_weight=0.0, bound="dv")
    batch = a_batch()
    assert set(modules) == {"encoder", "critic"}
    value, figures = task.loss(networks, batch)
    own, other, _ = by_a_loop(modules, batch)
    information = np.mean(own) - math.log(np.mean(np.exp(other)))
    assert float(value.detach()) == pytest.approx(-information, abs=1e-5)
    assert "prior" not in figures


def test_background_pixels_have_no_gradient():
    task, _, networks = a_task(Blocks())
    batch = a_batch()
    batch.images.requires_grad_()
    task.loss(networks, batch)[0].backward()
    sees = nn.functional.max_pool2d(batch.images.grad.abs().amax(dim=1, keepdim=True), 8)[:, 0]
    counted = torch.tensor(SHARE) >= 0.1
    assert (sees[~counted] == 0).all()
    assert (sees[counted] > 0).all()


def test_background_vectors_of_the_networks_own_encoder_have_no_gradient():
    task, modules, networks = a_task()
    found = []
    modules["encoder"].register_forward_hook(lambda _, __, out: (out.retain_grad(), found.append(out))[0])
    task.loss(networks, a_batch())[0].backward()
    sees = found[0].grad.abs().amax(dim=1)
    counted = torch.tensor(SHARE) >= 0.1
    assert (sees[~counted] == 0).all()
    assert (sees[counted] > 0).all()


def test_a_crop_without_foreground_has_the_mean_of_its_background():
    task, modules, networks = a_task(Blocks())
    batch = a_batch()
    batch.share[1] = 0.05
    found = []
    modules["critic"].register_forward_hook(lambda _, inputs, __: found.append(inputs[1].detach()))
    batch.images.requires_grad_()
    task.loss(networks, batch)[0].backward()
    with torch.no_grad():
        mean = modules["encoder"](batch.images)[1].mean(dim=(1, 2))
        torch.testing.assert_close(found[0][1], modules["encoder"].leave(mean))
    sees = nn.functional.max_pool2d(batch.images.grad.abs().amax(dim=1, keepdim=True), 8)[:, 0]
    assert (sees[1] > 0).all()
    assert (sees[[0, 2, 3]] > 0).equal(batch.share[[0, 2, 3]] >= 0.1)


def test_brightness_of_background_does_not_reach_the_loss():
    task, _, networks = a_task(Blocks())
    batch = a_batch()
    value = task.loss(networks, batch)[0]
    counted = (torch.tensor(SHARE) >= 0.1).repeat_interleave(8, 1).repeat_interleave(8, 2)
    other = batch._replace(images=torch.where(counted[:, None], batch.images, 100.0))
    torch.testing.assert_close(task.loss(networks, other)[0], value, rtol=0, atol=0)


def test_crops_of_one_sample_are_positives_whatever_their_order():
    task, _, networks = a_task(Blocks(), prior_weight=0.0)
    batch = a_batch()
    order = [3, 0, 2, 1]
    moved = _Batch(batch.images[order], batch.share[order], batch.sample[order], batch.draws)
    torch.testing.assert_close(task.loss(networks, moved)[0], task.loss(networks, batch)[0])
    apart = batch._replace(sample=torch.tensor([0, 1, 2, 3]))
    assert abs(float((task.loss(networks, apart)[0] - task.loss(networks, batch)[0]).detach())) > 1e-4


@pytest.mark.parametrize("bound", ["dv", "nce"])
def test_each_estimator_is_the_one_asked_for(bound):
    task, modules, networks = a_task(Blocks(), prior_weight=0.0, bound=bound)
    batch = a_batch()
    local = modules["encoder"](batch.images)
    counted = batch.share >= 0.1
    whole = modules["encoder"].summary(local, batch.share * counted)
    vectors, owner = zip(
        *[(local[i, :, y, x], SAMPLE[i]) for i, y, x in counted.nonzero().tolist()], strict=True
    )  # counted ones alone: nothing to keep from the rest
    same = torch.tensor([[a == b for b in SAMPLE] for a in owner])
    wanted = -mutual_information(modules["critic"](torch.stack(vectors), whole), same, bound=bound)
    torch.testing.assert_close(task.loss(networks, batch)[0], wanted)


def a_discriminator(weight):
    """Return one that scores the sum of a code."""
    net = nn.Linear(3, 1).double()
    nn.init.constant_(net.weight, weight)
    nn.init.constant_(net.bias, -1.5 * weight)
    return net


def test_the_discriminator_is_to_score_draws_above_codes():
    draws, codes = torch.full((5, 3), 0.9).double(), torch.full((5, 3), 0.1).double()
    right, wrong = (prior_losses(a_discriminator(w), codes, draws)[0] for w in (2.0, -2.0))  # as steep
    assert float(right.detach()) == pytest.approx(2 * sp(-2.4) + 0.5 * (12 + 12), abs=1e-6)
    assert float(wrong.detach()) == pytest.approx(2 * sp(2.4) + 0.5 * (12 + 12), abs=1e-6)


def test_the_encoder_is_to_make_codes_like_draws_most_of_all_where_they_are_told():
    draws = torch.full((1, 3), 0.9).double()
    slopes = []
    for place in (0.1, 0.9):  # told as a code, taken for a draw
        code = torch.full((1, 3), place).double().requires_grad_()
        matched = prior_losses(a_discriminator(8.0), code, draws)[1]
        assert float(matched.detach()) == pytest.approx(sp(-8 * (3 * place - 1.5)), rel=1e-6)
        matched.backward()
        slopes.append(code.grad)
    assert (slopes[0] < -7.9).all()  # up the discriminator, with all of its slope: nothing saturates
    assert (slopes[1].abs() < 0.01).all()


def test_no_player_moves_the_other_one():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 1))
    codes = torch.rand(4, 3, requires_grad=True)
    told, matched = prior_losses(net, codes, torch.rand(4, 3))
    weights = list(net.parameters())
    assert torch.autograd.grad(told, codes, retain_graph=True, allow_unused=True) == (None,)
    assert all(g.abs().max() > 0 for g in torch.autograd.grad(told, weights[:3], retain_graph=True))
    assert torch.autograd.grad(matched, weights, retain_graph=True, allow_unused=True) == (None,) * 4
    assert (torch.autograd.grad(matched, codes)[0] != 0).all()


def test_half_the_squared_slope_on_draws_and_on_codes_is_penalised():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 1)).double()
    draws, codes = torch.rand(5, 3).double(), 3 * torch.rand(5, 3).double()
    told, _ = prior_losses(net, codes, draws)
    step, slope = 1e-5, 0.0
    with torch.no_grad():
        for rows in (draws, codes):
            for axis in torch.eye(3).double():
                slope += float(((net(rows + step * axis) - net(rows - step * axis)) / (2 * step)).square().mean())
        plain = sum(sp(-float(s)) for s in net(draws)) / 5 + sum(sp(float(s)) for s in net(codes)) / 5
    assert float(told.detach()) == pytest.approx(plain + 0.5 * slope, rel=1e-6)


def a_source(fields, samples, **options):
    options = {"window_px": 16, "n_fields": 2, "batch_size": 4, "gain": 0.0} | options
    return SampleCrops(DeepInfoMaxConfig(**options), lambda i: fields[i], samples)


def drawn(source, n=40):
    rng = np.random.default_rng(0)
    return [source.draw(rng) for _ in range(n)]


def test_crops_come_from_several_fields_of_their_sample():
    fields = {i: (np.full((1, 24, 24), i, np.float32), np.ones((24, 24), bool)) for i in range(9)}
    samples = [np.array([0, 3, 6, 8]), np.array([1, 4]), np.array([2, 5, 7])]
    seen = set()
    for images, masks, owner in drawn(a_source(fields, samples)):
        rows = images[:, 0, 0, 0].astype(int)
        assert images.shape == (4, 1, 16, 16)
        assert masks.all()
        assert all(row in samples[k] for row, k in zip(rows, owner, strict=True))
        assert len(set(owner)) == 2
        assert (np.bincount(owner)[list(set(owner))] == 2).all()
        assert len(set(rows)) == 4  # fields that differ
        seen |= set(rows)
    assert seen == set(range(9))
    single = [np.array([0]), np.array([1, 4])]  # one field: two crops of it
    for images, _, owner in drawn(a_source(fields, single), 3):
        assert (images[owner == 0, 0, 0, 0] == 0).all()
        assert (owner == 0).sum() == 2


def test_foreground_is_turned_and_mirrored_with_its_crop():
    rng = np.random.default_rng(1)
    masks = rng.random((2, 24, 24)) < 0.5
    fields = {i: (m[None].astype(np.float32), m) for i, m in enumerate(masks)}
    ways = set()
    for images, found, _ in drawn(a_source(fields, [np.array([0]), np.array([1])], window_px=24)):
        np.testing.assert_array_equal(images[:, 0], found)
        ways |= {m.tobytes() for m in found}
    assert len(ways) == 2 * 8


def test_crops_are_where_foreground_is():
    mask = np.zeros((64, 64), bool)
    mask[:20, :20] = True
    fields = {i: (np.zeros((1, 64, 64), np.float32), mask) for i in range(2)}
    crops = np.concatenate([m for _, m, _ in drawn(a_source(fields, [np.array([0]), np.array([1])]), 60)])
    starts = [(y, x) for y in range(49) for x in range(49)]
    chance = np.mean([mask[y : y + 16, x : x + 16].mean() >= 0.05 for y, x in starts])
    wanted = 1 - (1 - chance) ** 5
    share = np.mean(crops.mean(axis=(1, 2)) >= 0.05)
    assert abs(share - wanted) < 4 * np.sqrt(wanted * (1 - wanted) / len(crops))
    assert wanted > chance + 0.3


def test_gain_changes_every_channel_by_what_was_asked_for():
    fields = {i: (np.ones((2, 16, 16), np.float32), np.ones((16, 16), bool)) for i in range(2)}
    samples = [np.array([0]), np.array([1])]
    crops = np.concatenate([images for images, _, _ in drawn(a_source(fields, samples, gain=0.5), 100)])
    gain = np.log(crops[:, :, 0, 0]) / np.log(1.5)  # in -1 … 1, evenly
    np.testing.assert_allclose(crops, np.broadcast_to(crops[:, :, :1, :1], crops.shape))
    assert np.abs(gain).max() <= 1 + 1e-5
    np.testing.assert_allclose([gain.min(), gain.max()], [-1, 1], atol=0.05)
    assert abs(gain.mean()) < 4 * np.sqrt(1 / 3 / gain.size)
    assert abs(np.corrcoef(gain.T)[0, 1]) < 0.25
    assert all((images == 1).all() for images, _, _ in drawn(a_source(fields, samples), 3))


def test_what_is_drawn_depends_on_seed_and_step():
    rng = np.random.default_rng(1)
    fields = {i: (rng.random((2, 32, 32)).astype(np.float32), rng.random((32, 32)) < 0.3) for i in range(4)}
    task, _, _ = a_task(crops=a_source(fields, [np.array([0, 2]), np.array([1, 3])]))
    one, again, other = (task.draw(step) for step in (3, 3, 4))
    assert all(torch.equal(a, b) for a, b in zip(one, again, strict=True))
    assert not torch.equal(one.images, other.images)
    assert not torch.equal(one.draws, other.draws)
    assert one.draws.shape == (4, 3)
    assert ((one.draws >= 0) & (one.draws < 1)).all()
    images, masks, sample = task.crops.draw(np.random.default_rng([5, 3]))
    np.testing.assert_array_equal(one.images, images)
    np.testing.assert_allclose(one.share, coarse(masks))
    np.testing.assert_array_equal(one.sample, sample)


def test_coarse_is_the_share_of_every_8_by_8_pixels():
    mask = np.random.default_rng(0).random((3, 16, 24)) < 0.4
    mask[0, :8, :8] = True
    mask[1, 8:, 16:] = False
    found = coarse(mask)
    assert found.shape == (3, 2, 3)
    for i, y, x in np.ndindex(3, 2, 3):
        assert found[i, y, x] == mask[i, 8 * y : 8 * y + 8, 8 * x : 8 * x + 8].sum() / 64
    assert found[0, 0, 0] == 1
    assert found[1, 1, 2] == 0
