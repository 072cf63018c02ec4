"""`CodeTask` against a loop: which codes are alike, what is rebuilt, weights and signs."""

import itertools
import math

import numpy as np
import pytest
import torch
from scipy.sparse import csr_matrix
from torch import nn

from cellgraph_clr.models.morpho.config import MorphoFeaturesConfig
from cellgraph_clr.models.morpho.task import CodeTask, _Batch
from cellgraph_clr.training.task import Lowered

SIDE = 2  # of the crops here


class Flat(nn.Module):
    """A linear map of all values, back to `shape` where given."""

    def __init__(self, n_in, n_out, shape=()):
        super().__init__()
        self.turn, self.shape = nn.Linear(n_in, n_out), shape

    def forward(self, x):
        out = self.turn(x.flatten(1))
        return out.reshape(-1, *self.shape) if self.shape else out


class Named:
    """Cells whose views hold their number, and that of the patch."""

    def __init__(self, n_cells, n_patches):
        self.n_cells, self.n_patches = n_cells, n_patches

    def views(self, rows, generator):
        out = []
        for _ in range(2):
            patch = torch.rand(len(rows), self.n_patches, generator=generator)
            crops = torch.stack([rows[:, None].expand_as(patch).float(), patch], dim=2).flatten(0, 1)
            out.append(((crops,), None))
        return out


def a_task(n_cells=3, n_patches=2, beside=None, **options):
    config = MorphoFeaturesConfig(**{"kinds": ("fine",), "n_features": 4, "batch_size": n_cells} | options)
    return CodeTask(config, "fine", Named(n_cells, n_patches), 2, 1, beside, 3)


def some_networks(decoder=True):
    torch.manual_seed(0)
    modules = {"encoder": Flat(2 * SIDE**2, 4), "projection": Flat(4, 4)}
    modules |= {"decoder": Flat(4, SIDE**2, (1, SIDE, SIDE))} if decoder else {}
    return modules, {k: Lowered(v, "cpu", bf16=False) for k, v in modules.items()}


def two_views(same, n=6):
    """Return views of 3 cells of n / 3 patches, whose targets are unlike their inputs."""
    g = torch.Generator().manual_seed(4)
    views = [((torch.randn(n, 2, SIDE, SIDE, generator=g),), torch.randn(n, 1, SIDE, SIDE, generator=g)) for _ in "12"]
    return _Batch(views, same, 3)


def infonce_p_by_subsets(one, other, same, temperature):
    """Return the mean over anchors of minus the log of the share of their positives among all sets of as many."""
    one, other = (x / x.norm(dim=1, keepdim=True) for x in (one, other))
    total = 0.0
    for i in range(len(one)):
        odds = [math.exp(float(one[i] @ v) / temperature) for v in other]
        own = np.flatnonzero(same[i].numpy())
        every = sum(math.prod(odds[k] for k in chosen) for chosen in itertools.combinations(range(len(odds)), len(own)))
        total -= math.log(math.prod(odds[k] for k in own) / every) / len(one)
    return total


@torch.no_grad()
def by_a_loop(modules, batch, each_patch, temperature):
    """Return contrast and error of rebuilt crops, patch by patch."""
    codes, error = [], []
    for (crops,), target in batch.views:
        own = [modules["encoder"](crop[None])[0] for crop in crops]
        if "decoder" in modules:
            error += [(modules["decoder"](c[None])[0] - t).square().mean() for c, t in zip(own, target, strict=True)]
        m = len(own) // 3
        means = own if each_patch else [sum(own[m * i : m * i + m]) / m for i in range(3)]
        codes.append(torch.stack([modules["projection"](v[None])[0] for v in means]))
    return infonce_p_by_subsets(*codes, batch.same, temperature), float(sum(error) / max(1, len(error)))


SAME = {
    "views": torch.eye(3, dtype=torch.bool),
    "patches": torch.block_diag(*[torch.ones(2, 2)] * 3).bool(),
    "neighbors": torch.tensor([[1, 1, 0], [1, 1, 0], [0, 0, 1]]).bool(),
}


@pytest.mark.parametrize("positives", ["views", "patches", "neighbors"])
def test_the_loss_is_that_of_a_loop(positives):
    task = a_task(positives=positives, temperature=0.4, reconstruction=0.7)
    modules, networks = some_networks()
    batch = two_views(SAME[positives])
    value, figures = task.loss(networks, batch)
    contrast, error = by_a_loop(modules, batch, positives == "patches", 0.4)
    assert float(figures["loss"].detach()) == pytest.approx(contrast, abs=1e-5)
    assert float(figures["reconstruction"].detach()) == pytest.approx(error, abs=1e-5)
    assert float(value.detach()) == pytest.approx(contrast + 0.7 * error, abs=1e-5)


def test_without_a_decoder_the_contrast_is_all():
    task = a_task(temperature=0.4)
    modules, networks = some_networks(decoder=False)
    batch = two_views(SAME["views"])
    value, figures = task.loss(networks, batch)
    assert float(value.detach()) == pytest.approx(by_a_loop(modules, batch, False, 0.4)[0], abs=1e-5)
    assert "reconstruction" not in figures


def test_what_is_rebuilt_is_the_target_and_not_what_the_encoder_saw():
    task = a_task(positives="views", reconstruction=1.0)
    modules, networks = some_networks()
    batch = two_views(SAME["views"])
    with torch.no_grad():
        rebuilt = [modules["decoder"](modules["encoder"](crops)) for (crops,), _ in batch.views]
    perfect = batch._replace(views=[(inputs, made) for (inputs, _), made in zip(batch.views, rebuilt, strict=True)])
    assert float(task.loss(networks, perfect)[1]["reconstruction"].detach()) == pytest.approx(0, abs=1e-10)
    assert float(task.loss(networks, batch)[1]["reconstruction"].detach()) > 0.5


def test_cells_that_agree_with_themselves_alone_cost_less():
    task = a_task(temperature=0.2)
    modules, networks = some_networks(decoder=False)
    modules["encoder"].turn.bias.data.zero_()
    batch = two_views(SAME["views"])
    (crops,), _ = batch.views[0]
    agree = batch._replace(views=[batch.views[0], ((crops.clone(),), None)])
    swapped = batch._replace(views=[batch.views[0], ((crops.roll(2, 0),), None)])  # each is like the next cell
    one, other = (float(task.loss(networks, b)[0].detach()) for b in (agree, swapped))
    assert one < other


def told(batch):
    """Return the cells of the inputs of the encoder, of both views."""
    return [inputs[0][:, 0].long() for inputs, _ in batch.views]


def test_views_alone_are_positives():
    batch = a_task(n_cells=5).draw(0)
    one, other = (cells[::2] for cells in told(batch))
    assert torch.equal(one, other)
    assert sorted(one.tolist()) == list(range(5))
    assert torch.equal(batch.same, one[:, None] == other[None])
    assert batch.n_cells == 5


def test_all_patches_of_the_cell_in_the_other_view_are_positives():
    batch = a_task(n_cells=4, n_patches=3, positives="patches").draw(0)
    one, other = told(batch)
    assert batch.same.shape == (12, 12)
    assert torch.equal(batch.same, one[:, None] == other[None])


def test_cells_that_touch_are_drawn_together_and_are_positives():
    n = 40
    partner = np.arange(n) ^ 1  # 0 touches 1, 2 touches 3, …
    beside = csr_matrix((np.ones(n, bool), (np.arange(n), partner)), shape=(n, n))
    task = a_task(n_cells=n, n_patches=1, beside=beside, positives="neighbors", batch_size=10)
    seen = set()
    for step in range(20):
        batch = task.draw(step)
        one, other = told(batch)
        assert len(set(one.tolist())) == batch.n_cells == 10
        assert set(one.tolist()) == {int(partner[i]) for i in one}  # each with its own
        wanted = [[bool(i == j or partner[i] == j) for j in other] for i in one]
        assert batch.same.tolist() == wanted
        seen |= set(one.tolist())
    assert seen == set(range(n))


def test_positives_are_the_contacts_of_the_cells_drawn():
    n = 30
    touch = np.triu(np.random.default_rng(0).random((n, n)) < 0.15, 1)
    touch |= touch.T  # some have none, some many: no block of it is like another one
    task = a_task(n_cells=n, n_patches=1, beside=csr_matrix(touch), positives="neighbors", batch_size=8)
    for step in range(10):
        batch = task.draw(step)
        one, other = (cells.numpy() for cells in told(batch))
        np.testing.assert_array_equal(batch.same, touch[np.ix_(one, other)] | (one[:, None] == other[None]))


def test_what_is_drawn_depends_on_seed_and_step():
    task = a_task(n_cells=20, batch_size=4)
    one, again, other = (task.draw(step) for step in (3, 3, 4))
    assert torch.equal(one.views[1][0][0], again.views[1][0][0])
    assert not torch.equal(one.views[1][0][0], other.views[1][0][0])
