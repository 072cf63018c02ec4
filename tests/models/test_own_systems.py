"""Parts and whole systems of a user's own: the page of the documentation runs, finds what was planted, and comes back from files."""

import re
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from cellgraph_clr import losses
from cellgraph_clr._core.errors import ModelFileError, OptionError, ShapeError
from cellgraph_clr.datasets.events import event_movie
from cellgraph_clr.datasets.plates import phenotype_plate
from cellgraph_clr.datasets.shaped_cells import shapes
from cellgraph_clr.models import (
    CellGraphClassifier,
    CellGraphCLR,
    DeepInfoMax,
    EventClassifier,
    MorphoFeatures,
    SoftInfoNCEClassifier,
    TimeArrow,
)
from cellgraph_clr.training.recipe import run_digest

PAGE = (Path(__file__).parents[2] / "docs" / "own_systems.md").read_text()
BLOCKS = re.findall(r"^```python\n(.*?)^```$", PAGE, flags=re.MULTILINE | re.DOTALL)
QUICK = {"n_steps": 4, "n_dims": 8, "n_hidden": 16, "batch_size": 64, "progress": False}


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """The names that the page of the documentation defines."""
    names = {"__name__": "page"}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("page"))
        for code in BLOCKS:
            exec(compile(code, "<own_systems>", "exec"), names)
    return names


def test_a_sixth_system_finds_what_was_planted(page, tmp_path):
    hidden, codes = page["hidden"], page["codes"]
    assert sum(len(code.splitlines()) for code in BLOCKS[2:3]) < 100
    denoiser, planted = page["denoiser"], page["planted"]

    def left(vectors):
        """Return the share of the hidden features that cannot be read from some vectors."""
        centred = vectors - vectors.mean(0)
        return (hidden - centred @ np.linalg.lstsq(centred, hidden, rcond=None)[0]).var(axis=0) / hidden.var(axis=0)

    x = planted.X - planted.X.mean(0)
    best = x @ np.linalg.svd(x, full_matrices=False)[2][:2].T  # of all linear codes
    assert (left(codes) < 1.3 * left(best) + 0.01).all()
    assert (left(codes) < 0.25).all()
    assert np.mean(denoiser.history_["explained"][-10:]) > 0.7
    denoiser.save(tmp_path / "d.safetensors")
    again = type(denoiser).load(tmp_path / "d.safetensors")
    np.testing.assert_array_equal(again.transform(planted), codes)
    assert again.config == denoiser.config
    assert again.history_ == denoiser.history_
    saved = tmp_path / "run.ckpt"
    kind = type(denoiser)
    kind(num_workers=1, progress=False).fit(planted, checkpoint=saved)
    np.testing.assert_array_equal(kind(progress=False).fit(planted, checkpoint=saved).transform(planted), codes)
    with pytest.raises(OptionError, match=r"'n_dim' in `DenoiserConfig`.*Did you mean 'n_dims'"):
        kind(n_dim=3)


def test_an_own_encoder_comes_back_with_its_object_alone(page):
    adata, model, again = (page[k] for k in ("adata", "model", "again"))
    np.testing.assert_array_equal(again.transform(adata), model.transform(adata))
    assert isinstance(again.encoder(), page["TwoHops"])
    assert "encoder=TwoHops" in repr(model)
    tensors, header = model.state()
    with pytest.raises(ModelFileError, match="the objects encoder=TwoHops, found"):
        CellGraphCLR.from_state(tensors, header)
    with pytest.raises(ModelFileError, match="the weights of `encoder`"):
        CellGraphCLR.from_state(tensors, header, encoder=lambda *_: nn.Linear(2, 2), augment=page["swap_noise"])
    loaded = CellGraphCLR.from_state(tensors, header, encoder=page["TwoHops"])
    np.testing.assert_array_equal(loaded.transform(adata), model.transform(adata))
    assert loaded.options == model.options
    with pytest.raises(
        OptionError, match=r"`augment` for a fit, found a model loaded without swap_noise.*Pass `augment=`"
    ):
        loaded.fit(adata)
    with pytest.raises(OptionError, match="'objective' in `objects of the saved model`"):
        CellGraphCLR.from_state(tensors, header, encoder=page["TwoHops"], augment=len, objective=len)


def test_a_module_is_copied_and_goes_on_from_its_weights(page, adata):
    mine = page["TwoHops"](adata.n_vars, 8, 0)
    before = mine.leave.weight.detach().clone()
    options = {**QUICK, "encoder": mine, "learning_rate": 1e-9}
    found = CellGraphCLR(**options).fit(adata).encoder().leave.weight
    assert torch.equal(mine.leave.weight, before)
    torch.testing.assert_close(found, before, atol=1e-6, rtol=0)
    with pytest.raises(ShapeError, match=r"vectors \(\d+, 16\) of \d+ cells from `encoder`"):
        CellGraphCLR(**{**options, "n_dims": 16}).fit(adata)
    with pytest.raises(OptionError, match="a torch module from `encoder`, found int"):
        CellGraphCLR(**{**QUICK, "encoder": lambda *_: 3}).fit(adata)


def test_an_own_encoder_that_asks_for_edges_has_them(page, adata):
    seen = []

    class Edges(page["TwoHops"]):
        reads_edges = True

        def forward(self, x, adjacency, edge_attr=None):
            seen.append(edge_attr.shape == (len(adjacency.values()), 2))
            return super().forward(x, adjacency)

    CellGraphCLR(**{**QUICK, "encoder": Edges}).fit(adata)
    assert seen
    assert all(seen)


TEMPERATURES = []


class Own(nn.Module):
    """InfoNCEp with a learned temperature, which it notes."""

    def __init__(self):
        super().__init__()
        self.log_temperature = nn.Parameter(torch.tensor(-1.6))

    def forward(self, anchor, candidates, positives, exclude):
        TEMPERATURES.append(float(self.log_temperature.detach()))
        assert not (positives & exclude).any()
        scale = (-self.log_temperature).exp()
        a, c = (nn.functional.normalize(v, dim=1) for v in (anchor, candidates))
        return losses.functional.infonce_p(scale * a @ c.T, positives, exclude).mean()


def test_an_own_objective_learns_its_temperature_and_is_left_alone(adata):
    mine = Own()
    one = CellGraphCLR(objective=mine, **QUICK).fit(adata)
    ours = CellGraphCLR(objective="infonce_p", **QUICK).fit(adata)
    assert float(mine.log_temperature.detach()) == TEMPERATURES[0] == pytest.approx(-1.6)
    assert len(set(TEMPERATURES)) == QUICK["n_steps"]
    assert one.history_["loss"][0] == pytest.approx(ours.history_["loss"][0], rel=0.05)  # exp(-1.6) is about 0.2
    with pytest.raises(OptionError, match="no `jitter` beside `augment`, found 0.1"):
        CellGraphCLR(augment=lambda x, edges, rng: (x, edges), jitter=0.1)
    with pytest.raises(ShapeError, match="Hide cells, do not remove them"):
        CellGraphCLR(augment=lambda x, edges, rng: (x[1:], edges), **QUICK).fit(adata)


class Cloud(nn.Module):
    """Codes of surfaces from moments of their distances."""

    def __init__(self, n_features):
        super().__init__()
        self.leave = nn.Linear(3, n_features)

    def forward(self, points, normals):
        far = points.norm(dim=2)
        return self.leave(torch.stack([far.mean(1), far.std(1), (points * normals).sum(2).mean(1)], dim=1))


class Fields(nn.Module):
    """Local vectors by one convolution, global ones by their mean."""

    def __init__(self, n_channels, n_features):
        super().__init__()
        self.local = nn.Conv2d(n_channels, n_features, 8, stride=8)

    def forward(self, x):
        return self.local(x)

    def summary(self, local, weight=None):
        weight = torch.ones_like(local[:, 0]) if weight is None else weight
        total = weight.sum(dim=(1, 2)).clamp(min=1e-6)
        return (local * weight[:, None]).sum(dim=(2, 3)) / total[:, None]


class Pixels(nn.Module):
    """A backbone that sees 3 x 3 pixels."""

    multiple, halo = 1, 1

    def __init__(self, n_in, n_out, ndim):
        super().__init__()
        self.conv = (nn.Conv2d if ndim == 2 else nn.Conv3d)(n_in, n_out, 3, padding=1)

    def forward(self, x):
        return self.conv(x)


def mean_of_crops(n_in, n_features, ndim):
    return nn.Sequential(
        nn.AdaptiveAvgPool2d(1) if ndim == 2 else nn.AdaptiveAvgPool3d(1), nn.Flatten(), nn.Linear(n_in, n_features)
    )


def test_networks_of_the_other_systems_are_taken_and_come_back(tmp_path):
    path, run = tmp_path / "m.safetensors", {"n_steps": 2, "progress": False}
    image = shapes(20, ndim=2, random_state=0).image
    own = {"shape_encoder": Cloud, "texture_encoder": mean_of_crops}
    small = {"n_points": 32, "n_features": 6, "n_hidden": 4, "batch_size": 8, "coarse_size": 8, "fine_size": 8}
    morpho = MorphoFeatures(**own, **small, **run).fit(image)
    morpho.save(path)
    np.testing.assert_array_equal(MorphoFeatures.load(path, **own).transform(image), morpho.transform(image))
    plate = phenotype_plate(2, 2, side=64, random_state=0)
    fields = DeepInfoMax(encoder=Fields, n_fields=2, n_features=6, window_px=32, batch_size=8, **run).fit(plate)
    fields.save(path)
    np.testing.assert_array_equal(DeepInfoMax.load(path, encoder=Fields).transform(plate), fields.transform(plate))
    movie = event_movie(8, 8, side=64, random_state=0)
    arrow = TimeArrow(backbone=Pixels, n_features=5, crop_px=16, batch_size=4, **run).fit(movie)
    arrow.save(path)
    np.testing.assert_array_equal(TimeArrow.load(path, backbone=Pixels).transform(movie), arrow.transform(movie))
    np.testing.assert_allclose(arrow.dense(movie, 0, tile=16), arrow.dense(movie, 0), atol=1e-5)
    with pytest.raises(OptionError, match="`backbone` with a whole number `multiple`"):
        TimeArrow(backbone=lambda *_: nn.Identity(), crop_px=16, **run).fit(movie)
    with pytest.raises(OptionError, match="`backbone` to be one of 'unet'"):
        TimeArrow(backbone="resnet")


def test_heads_of_the_classifiers_are_taken_and_come_back(adata, tmp_path):
    path, x, y = tmp_path / "h.safetensors", np.asarray(adata.X), adata.obs["true_niche"].astype(str).to_numpy()

    def head(n_in, n_classes):
        return nn.Linear(n_in, n_classes, bias=False)

    soft = SoftInfoNCEClassifier(head=head, n_steps=5, calibrate=False).fit(x, y)
    soft.save(path)
    again = SoftInfoNCEClassifier.load(path, head=head)
    np.testing.assert_array_equal(again.predict_proba(x), soft.predict_proba(x))
    base = CellGraphCLR(**QUICK).fit(adata)
    tuned = CellGraphClassifier(base, head=head, n_steps=3, calibrate=False, progress=False).fit(adata, "true_niche")
    tuned.save(path)
    back = CellGraphClassifier.load(path, head=head)
    np.testing.assert_array_equal(back.predict_proba(adata), tuned.predict_proba(adata))
    movie = event_movie(12, 10, side=80, random_state=0)
    arrow = TimeArrow(
        n_hidden=4, n_features=5, n_levels=1, crop_px=16, batch_size=4, n_steps=2, progress=False
    ).untrained(movie)

    def flat(n_features, n_classes, size):
        return nn.Sequential(nn.Flatten(), nn.Linear(2 * n_features * size**2, n_classes))

    events = EventClassifier(arrow, head=flat, crop_px=8, n_steps=2, progress=False).fit(movie)
    events.save(path)
    found = EventClassifier.load(path, head=flat).predict_proba(movie)
    np.testing.assert_array_equal(found, events.predict_proba(movie))


def scaled(factor):
    return lambda x, edges, rng: (x * factor, edges)


@pytest.mark.parametrize(
    ("option", "one", "other"),
    [
        ("objective", losses.InfoNCEp(0.1), losses.InfoNCEp(0.9)),
        ("objective", losses.InfoNCEp(0.1), losses.InfoNCEp(0.1, normalize="p")),
        ("objective", partial(losses.InfoNCEp(0.1)), partial(losses.InfoNCEp(0.9))),
        ("augment", scaled(1.0), scaled(2.0)),
        ("augment", lambda x, edges, rng: (x + 1, edges), lambda x, edges, rng: (x - 1, edges)),
    ],
    ids=["module", "option", "partial", "closure", "lambda"],
)
def test_a_checkpoint_is_that_of_its_objects(adata, tmp_path, option, one, other):
    saved = tmp_path / "run.ckpt"
    digests = [CellGraphCLR(**QUICK, **{option: value})._options() for value in (one, one, other)]
    first, same, apart = (run_digest(d, []) for d in digests)
    assert first == same != apart
    if not isinstance(one, partial):  # a partial objective is a callable that makes one
        CellGraphCLR(**QUICK, **{option: one}).fit(adata, checkpoint=saved)
        with pytest.raises(ModelFileError, match="one of another run"):
            CellGraphCLR(**QUICK, **{option: other}).fit(adata, checkpoint=saved)


def test_numpy_numbers_are_numbers(adata, tmp_path):
    options = {**QUICK, "n_steps": np.int64(3), "learning_rate": np.float32(3e-3)}
    model = CellGraphCLR(**options).fit(adata, checkpoint=tmp_path / "run.ckpt", checkpoint_every=1)
    model.save(tmp_path / "m.safetensors")
    assert CellGraphCLR.load(tmp_path / "m.safetensors").config == model.config


def test_a_classifier_keeps_the_base_it_was_fitted_on(adata):
    base = CellGraphCLR(**QUICK).fit(adata)
    tuned = CellGraphClassifier(base, n_steps=3, calibrate=False, progress=False).fit(adata, "true_niche")
    before = tuned.predict_proba(adata)
    other = adata.copy()
    other.X = other.X * 3 + 5
    base.fit(other)
    np.testing.assert_array_equal(tuned.predict_proba(adata), before)


def test_own_networks_leave_the_global_generator_alone(page, adata):
    state = torch.get_rng_state()
    CellGraphCLR(encoder=page["TwoHops"], **QUICK).fit(adata)
    assert torch.equal(torch.get_rng_state(), state)


def test_a_temperature_that_was_learned_is_kept(adata, tmp_path):
    objective = losses.InfoNCEp(temperature=0.2, learn_temperature=True)
    model = CellGraphCLR(**QUICK, objective=objective).fit(adata)
    learned = model.network("objective").temperature.detach()
    assert float(learned) != pytest.approx(0.2, abs=1e-6)
    model.save(tmp_path / "m")
    again = CellGraphCLR.load(tmp_path / "m", objective=objective)
    assert float(again.network("objective").temperature.detach()) == float(learned)
    without = CellGraphCLR.load(tmp_path / "m")
    np.testing.assert_array_equal(without.transform(adata), model.transform(adata))
    without.save(tmp_path / "again")
    assert list(CellGraphCLR.load(tmp_path / "again", objective=objective)._fitted().networks) == ["encoder"]
    with torch.no_grad():
        model.network("objective").log_temperature.fill_(np.log(0.7))
    on = model.fit(adata, warm_start=True).network("objective").temperature.detach()
    assert 0.6 < float(on) < 0.8
