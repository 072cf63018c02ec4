"""`ArrowTask` and `EventTask` against loops, accuracy where the order cannot be told or was not seen, temperature out of fold."""

import math

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.special import softmax
from torch import nn

from cellgraph_clr.cells.movie import Movie
from cellgraph_clr.models import EventClassifier, TimeArrow
from cellgraph_clr.models.time_arrow import events as events_module
from cellgraph_clr.models.time_arrow.config import TimeArrowConfig
from cellgraph_clr.models.time_arrow.data import FramePairs
from cellgraph_clr.models.time_arrow.event_config import EventClassifierConfig
from cellgraph_clr.models.time_arrow.event_task import EventTask
from cellgraph_clr.models.time_arrow.network import EquivariantBlock
from cellgraph_clr.models.time_arrow.places import cut_places
from cellgraph_clr.models.time_arrow.task import ArrowTask, _Batch, arrow_accuracy
from cellgraph_clr.training.task import Lowered

SMALL = {"n_hidden": 4, "n_features": 4, "n_levels": 1, "crop_px": 16, "batch_size": 8, "progress": False}


@pytest.mark.parametrize("ndim", [2, 3])
def test_the_block_is_its_formula(ndim):
    torch.manual_seed(0)
    block = EquivariantBlock(3, 4, ndim=ndim).double()
    nn.init.normal_(block.norm.weight)
    nn.init.normal_(block.norm.bias)
    x = torch.randn(2, 3, 3, *(4, 5, 2)[:ndim]).double()
    flat = x.flatten(3)  # (b, s, c, places)
    own, shared = (c.weight.detach().flatten(1) for c in (block.own, block.shared))
    raw = torch.zeros(2, 3, 4, flat.shape[3]).double()
    for i in range(2):
        for s in range(3):
            for p in range(flat.shape[3]):
                others = sum(shared @ flat[i, t, :, p] for t in range(3)) / 3
                raw[i, s, :, p] = own @ flat[i, s, :, p] + block.own.bias.detach() + others
    mean = raw.mean(dim=(0, 1, 3)).view(1, 1, 4, 1)
    spread = (raw - mean).square().mean(dim=(0, 1, 3)).add(block.norm.eps).sqrt().view(1, 1, 4, 1)
    scaled = (raw - mean) / spread * block.norm.weight.detach().view(1, 1, 4, 1)
    wanted = scaled + block.norm.bias.detach().view(1, 1, 4, 1)
    wanted = torch.where(wanted > 0, wanted, 0.01 * wanted)
    torch.testing.assert_close(block(x).detach().flatten(3), wanted)


class Told(nn.Module):
    """Dense features are a linear map of pixels; what a frame is worth is the mean of the first."""

    def __init__(self, n_out=3, weight=None):
        super().__init__()
        self.turn = nn.Conv2d(1, n_out, 1)
        if weight is not None:
            nn.init.constant_(self.turn.weight, weight)

    def dense(self, x):
        return self.turn(x)

    def order(self, features):
        return features[:, :, 0].mean(dim=(2, 3))

    def forward(self, x):
        return self.order(self.dense(x.flatten(0, 1)).unflatten(0, x.shape[:2]))


def an_arrow_task(movies=(), ranges=(), steps=(1,), **options):
    config = TimeArrowConfig(
        **{"crop_px": 16, "n_levels": 1, "min_content": 0, "steps": steps, "batch_size": 8} | options
    )
    return ArrowTask(config, FramePairs(movies, ranges, config.steps, 16, config.min_content), 2, 1, 3)


@pytest.mark.parametrize("weight", [0.0, 0.7])
def test_the_loss_is_that_of_a_loop(weight):
    torch.manual_seed(0)
    task, net = an_arrow_task(decorrelation=weight), Told()
    batch = _Batch(torch.randn(4, 2, 1, 6, 5), torch.tensor([0, 1, 1, 0]))
    value, figures = task.loss({"net": Lowered(net, "cpu", bf16=False)}, batch)
    arrow, apart, right = 0.0, 0.0, 0
    with torch.no_grad():
        for pair, label in zip(batch.pairs, batch.flipped.tolist(), strict=True):
            maps = [net.dense(frame[None])[0] for frame in pair]
            one, other = (float(m[0].mean()) for m in maps)
            first, second = (one, other) if label == 0 else (other, one)  # in time
            arrow += math.log(1 + math.exp(second - first)) / 4
            right += (first > second) / 4
            for m in maps:
                flat = m.flatten(1) - m.flatten(1).mean(dim=1, keepdim=True)
                unit = flat / flat.norm(dim=1, keepdim=True)
                for c in range(3):
                    odds = [math.exp(float(unit[c] @ unit[d]) / 0.2) for d in range(3)]
                    apart -= math.log(odds[c] / sum(odds)) / 3 / 8
    assert float(figures["loss"].detach()) == pytest.approx(arrow, abs=1e-5)
    assert float(figures["decorrelation"].detach()) == pytest.approx(apart, abs=1e-4)
    assert float(figures["accuracy"]) == pytest.approx(right)
    assert float(value.detach()) == pytest.approx(arrow + weight * apart, abs=1e-4)


def clock(n=10, side=24):
    """Return a movie whose pixels hold the number of their frame."""
    return np.broadcast_to(np.arange(n, dtype=np.float16)[:, None, None, None], (n, 1, side, side))


def test_half_of_the_pairs_are_turned_and_called_so():
    task = an_arrow_task([clock()], [(2, 9)], steps=(1, 3), strength=0.0)
    turned, apart, seen = [], set(), set()
    for step in range(40):
        batch = task.draw(step)
        assert batch.pairs.shape == (8, 2, 1, 16, 16)
        one, other = batch.pairs[:, 0, 0, 0, 0], batch.pairs[:, 1, 0, 0, 0]
        assert torch.equal(batch.flipped == 1, one > other)  # the later frame stands first
        turned += batch.flipped.tolist()
        apart |= set((one - other).abs().tolist())
        seen |= set(one.tolist()) | set(other.tolist())
    assert abs(np.mean(turned) - 0.5) < 4 * 0.5 / math.sqrt(320)
    assert apart == {1, 3}
    assert seen == set(range(2, 9))  # never a frame of another stretch
    assert torch.equal(task.draw(5).pairs, task.draw(5).pairs)
    assert not torch.equal(task.draw(5).flipped, task.draw(6).flipped)


def places_code(side):
    """Return an image of places: 32 y + x, exact as float16."""
    y, x = np.mgrid[:side, :side]
    return (32.0 * y + x).astype(np.float16)


def offsets(crops):
    """Return the first pixel (y, x) of crops of `places_code`."""
    first = crops[..., 0, 0].long()
    return first // 32, first % 32


def test_the_later_frame_alone_drifts():
    movie = np.stack([places_code(20)] * 6)[:, None]  # 16 and 2 on each side: the earlier crop has one place
    crops, which = FramePairs([movie], [(0, 6)], (1,), 16, 0).pairs(400, np.random.default_rng(0))
    y, x = offsets(crops[:, :, 0])
    assert (y[:, 0] == 2).all()
    assert (x[:, 0] == 2).all()
    assert {(a, b) for a, b in zip(y[:, 1].tolist(), x[:, 1].tolist(), strict=True)} == {
        (a, b) for a in range(5) for b in range(5)
    }
    assert set(which.tolist()) == set(range(5))
    still, _ = FramePairs([movie], [(0, 6)], (1,), 16, 0).pairs(50, np.random.default_rng(0), jitter=0)
    assert torch.equal(still[:, 0], still[:, 1])


def test_content_of_both_frames_counts_alike():
    content = np.zeros((2, 28, 28), np.float16)
    content[0, 2:10, 2:10] = np.indices((8, 8)).sum(axis=0) // 4 % 2  # a corner in one frame, another in the other
    content[1, 14:26, 14:26] = 2 * (np.indices((12, 12)).sum(axis=0) // 4 % 2)
    hidden = np.stack([-places_code(28) - 1] * 2)  # below the content, which looks at the brightest channel
    movie = np.stack([content, hidden], axis=1)
    starts = []
    for frames in (movie, movie[::-1].copy()):
        crops, _ = FramePairs([frames], [(0, 2)], (1,), 16, 0.5).pairs(60, np.random.default_rng(0))
        starts.append(torch.stack(offsets(-crops[:, 0, 1] - 1)))
    assert torch.equal(*starts)
    anywhere, _ = FramePairs([movie], [(0, 2)], (1,), 16, 0.0).pairs(60, np.random.default_rng(0))
    assert not torch.equal(torch.stack(offsets(-anywhere[:, 0, 1] - 1)), starts[0])


def test_accuracy_is_one_for_the_right_order_and_none_for_the_wrong_one():
    source = FramePairs([clock()], [(0, 10)], (1,), 16, 0)
    earlier, later = Told(1, weight=-1.0), Told(1, weight=1.0)  # the first frame is to be worth more
    assert arrow_accuracy(earlier, source, 100, 0) == (1.0, 0.0)
    assert arrow_accuracy(later, source, 100, 0) == (0.0, 0.0)


def test_the_error_of_accuracy_is_that_of_a_mean_over_pairs_of_frames():
    frames = clock(8).copy()
    frames[5:] = frames[5:][::-1]  # 0 1 2 3 4 7 6 5: two of seven are told wrongly, whatever the crop
    share, error = arrow_accuracy(Told(1, weight=-1.0), FramePairs([frames], [(0, 8)], (1,), 16, 0), 2000, 0)
    assert share == pytest.approx(5 / 7, abs=0.05)
    assert error == pytest.approx(math.sqrt(5 / 7 * 2 / 7 / 6), rel=0.1)  # of seven, not of 2000


def test_the_order_of_noise_is_told_by_chance():
    noise = Movie.build(np.random.default_rng(0).normal(size=(40, 24, 24)))
    model = TimeArrow(**SMALL, n_steps=25, validation=0.5, learning_rate=0.01).fit(noise)
    assert 0.01 < model.accuracy_error_ < 0.15
    assert abs(model.accuracy_ - 0.5) < 3.5 * model.accuracy_error_


def test_accuracy_is_that_of_frames_never_seen():
    """Discs grow where the network learns, and shrink in the stretch held out: what it learned is always wrong there."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:28, :28]
    radius = np.concatenate([np.linspace(3, 11, 12), np.linspace(11, 3, 12)])
    frames = np.stack([(np.hypot(y - 14, x - 14) < r) * 100 + rng.normal(0, 2, (28, 28)) for r in radius])
    options = SMALL | {"n_steps": 45, "crop_px": 24, "steps": (2,), "learning_rate": 0.02, "strength": 0.2}
    model = TimeArrow(**options, validation=0.5).fit(Movie.build(frames))
    assert model.score(Movie.build(frames[:12]), n_pairs=100)[0] > 0.9
    assert model.accuracy_ < 0.1


def an_event_task(codes, inputs=None, **options):
    config = EventClassifierConfig(**{"crop_px": 8, "batch_size": 16} | options)
    if inputs is None:  # a place holds its number
        inputs = np.broadcast_to(
            np.arange(len(codes), dtype=np.float16)[:, None, None, None, None], (len(codes), 2, 3, 8, 8)
        )
    return EventTask(config, inputs, codes, 3, None, 1.0, 0)


def test_every_class_of_events_is_drawn_as_often():
    codes = np.repeat([0, 1, 2], [90, 7, 3])
    np.random.default_rng(0).shuffle(codes)
    task = an_event_task(codes)
    counts, rows = np.zeros(3), set()
    for step in range(40):
        batch = task.draw(step)
        place = batch.inputs[:, 0, 0, 0, 0].long().numpy()
        assert (batch.inputs == batch.inputs[:, :1, :1, :1, :1]).all()  # features get no gain and no noise
        np.testing.assert_array_equal(batch.codes, codes[place])
        counts += np.bincount(batch.codes, minlength=3)
        rows |= set(place.tolist())
    np.testing.assert_allclose(counts / 640, 1 / 3, atol=4 * math.sqrt(2 / 9 / 640))
    assert {r for r in rows if codes[r] > 0} == set(np.flatnonzero(codes > 0))
    assert len(rows) > 80
    assert torch.equal(task.draw(2).inputs, task.draw(2).inputs)


def test_frames_get_gain_and_noise_where_the_network_is_trained_along():
    batch = an_event_task(np.array([0, 1] * 5), fine_tune=True).draw(0)
    assert (batch.inputs != batch.inputs[:, :, :, :1, :1]).any()


def test_the_loss_of_events_is_their_cross_entropy():
    task = an_event_task(np.array([0, 1, 2]), head="linear")
    torch.manual_seed(0)
    net = task.networks()["net"]
    codes = torch.tensor([2, 0, 0, 1, 2])
    batch = task.draw(0)._replace(inputs=torch.randn(5, 2, 3, 8, 8), codes=codes)
    value, figures = task.loss({"net": Lowered(net, "cpu", bf16=False)}, batch)
    with torch.no_grad():
        logits = [net(x[None])[0].tolist() for x in batch.inputs]
    wanted = [math.log(sum(math.exp(z) for z in row)) - row[c] for row, c in zip(logits, codes, strict=True)]
    assert float(value.detach()) == pytest.approx(np.mean(wanted), abs=1e-5)
    right = sum(np.argmax(row) == int(c) for row, c in zip(logits, codes, strict=True))
    assert float(figures["accuracy"]) == pytest.approx(right / 5)


@pytest.fixture(scope="module")
def noise():
    return Movie.build(np.random.default_rng(0).normal(size=(5, 64, 64)))


@pytest.fixture(scope="module")
def arrow(noise):
    return TimeArrow(**SMALL, n_steps=1).untrained(noise)


def random_events(n, seed, share=0.25):
    """Return places of cells, each seen twice, whose event has nothing to do with what is there."""
    rng = np.random.default_rng(seed)
    table = pd.DataFrame({"frame": rng.integers(0, 4, n), "y": rng.uniform(4, 60, n), "x": rng.uniform(4, 60, n)})
    table["event"] = np.where(rng.random(n) < share, "division", "none")
    table["cell_id"] = np.arange(1, n + 1)
    return pd.concat([table, table], ignore_index=True)


OVERFIT = {"head": "linear", "crop_px": 8, "n_steps": 240, "batch_size": 32, "learning_rate": 0.02, "progress": False}


def test_events_that_cannot_be_told_get_little_confidence(noise, arrow, monkeypatch):
    given = {}

    def spied(logits, codes, *, offset):
        given.update(logits=logits, codes=codes, offset=offset)
        return fit(logits, codes, offset=offset)

    fit = events_module.fit_temperature
    monkeypatch.setattr(events_module, "fit_temperature", spied)
    places = random_events(100, 0)
    model = EventClassifier(arrow, **OVERFIT).fit(noise, places)
    share = (places["event"] == "division").mean()
    assert model.classes_ == ["none", "division"]
    assert np.mean(model.history_["accuracy"][-20:]) > 0.9  # learned by heart
    np.testing.assert_allclose(given["offset"], np.log([2 * (1 - share), 2 * share]))
    assert abs(len(given["codes"]) / len(places) - 0.25) < 0.02
    assert given["codes"].mean() == pytest.approx(share, abs=0.02)
    told = (given["logits"].argmax(axis=1) == given["codes"]).mean()
    assert told < 0.85  # never seen, not even the same cell a second time
    assert model.temperature_ > 5
    fresh = model.predict_proba(noise, random_events(100, 1))
    assert np.abs(fresh[:, 1] - share).mean() < 0.15
    assert abs(fresh[:, 1].mean() - share) < 0.1


def test_events_that_can_be_told_keep_their_confidence(arrow):
    frames = np.random.default_rng(0).normal(size=(5, 64, 64))
    places = random_events(100, 0).drop_duplicates("cell_id")
    frames[:, :, 32:] *= 6
    places["event"] = np.where(places["x"] > 32, "division", "none")
    movie = Movie.build(frames)
    model = EventClassifier(arrow, **OVERFIT | {"head": "residual", "learning_rate": 0.02, "n_steps": 30}).fit(
        movie, places
    )
    assert model.temperature_ < 3
    right = model.predict(movie, places) == places["event"].to_numpy()
    assert right.mean() > 0.9


def test_probabilities_are_logits_over_the_temperature_with_the_prior(noise, arrow):
    places = random_events(60, 0)
    model = EventClassifier(arrow, **OVERFIT | {"n_steps": 10}).fit(noise, places)
    n_own = np.array([(places["event"] == name).sum() for name in model.classes_])
    inputs = cut_places(places, lambda t: arrow.dense(noise, t), 5, size=8)
    with torch.inference_mode():
        logits = model.network("net")(torch.from_numpy(inputs).float()).double().numpy()
    shift = np.log(n_own * 2 / len(places))
    assert abs(model.temperature_ - 1) > 0.2
    wanted = softmax(logits / model.temperature_ + shift, axis=1)
    np.testing.assert_allclose(model.predict_proba(noise, places), wanted, atol=1e-5)
