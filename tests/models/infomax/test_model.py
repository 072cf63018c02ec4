"""`DeepInfoMax`: brightness and density are told apart, windows and cells, files, resume, bad input."""

import numpy as np
import pandas as pd
import pytest
import torch

from cellgraph_clr._core.errors import (
    CellGraphError,
    LabelImageError,
    ModelFileError,
    NoCellsError,
    NonFiniteError,
    OptionError,
    PairsError,
    ShapeError,
)
from cellgraph_clr.cells.plate import Plate
from cellgraph_clr.datasets.plates import phenotype_plate
from cellgraph_clr.metrics import probe_accuracy
from cellgraph_clr.models import DeepInfoMax

SMALL = {
    "n_steps": 4,
    "n_fields": 2,
    "n_features": 6,
    "n_hidden": 4,
    "window_px": 32,
    "batch_size": 8,
    "progress": False,
}


@pytest.fixture(scope="module")
def plate():
    return phenotype_plate(4, 2, side=96, random_state=0)


@pytest.fixture(scope="module")
def model(plate):
    return DeepInfoMax(**SMALL).fit(plate)


def test_pairs_that_differ_in_brightness_or_density_alone_are_told_apart():
    large = phenotype_plate(4, 2, side=192, random_state=1)
    options = {"n_steps": 60, "window_px": 64, "n_hidden": 8, "n_features": 8, "learning_rate": 3e-3, "progress": False}
    found = DeepInfoMax(**options).fit(large).transform(large).drop(columns="foreground")
    sample = large.table["sample"].to_numpy()[found.index.get_level_values("line")]
    for pair in (("sample_00", "sample_01"), ("sample_02", "sample_03")):
        rows = np.isin(sample, pair)
        assert probe_accuracy(found.to_numpy()[rows], sample[rows], n_repeats=1).mean() > 0.85


def test_windows_cover_the_field(plate, model):
    found = model.transform(plate)
    assert found.shape == (8 * 9, 7)
    assert found.index.names == ["line", "y", "x"]
    assert found["foreground"].between(0, 1).all()
    assert len(model.transform(plate, stride=16, rows=np.array([3]))) == 25
    with pytest.raises(OptionError, match="`stride` as a multiple of 8, found 20"):
        model.transform(plate, stride=20)


def test_cells_are_means_over_their_masks(plate, model):
    found = model.transform_cells(plate, rows=np.array([2]))
    masks = plate.labels(2)
    assert sorted(found.index.get_level_values("cell_id")) == np.unique(masks[masks > 0]).tolist()
    with pytest.raises(OptionError, match="a plate with labels"):
        model.transform_cells(Plate(plate.table, plate.read, plate.channels))


@pytest.mark.parametrize("n_threads", [2, 3])
def test_fields_side_by_side_are_those_one_by_one(plate, model, n_threads):
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    rows = np.array([5, 0, 3, 3, 7])
    images = [plate.read(i)[:, :24, :24] for i in range(len(plate))]
    small = Plate.build(plate.table, images, channels=plate.channels, labels=[np.ones((24, 24), int)] * len(plate))
    try:
        alone = model.transform(plate, rows=rows), model.transform_cells(plate, rows=rows)
        torch.set_num_threads(n_threads)
        for expected, found in zip(
            alone, (model.transform(plate, rows=rows), model.transform_cells(plate, rows=rows)), strict=True
        ):
            pd.testing.assert_frame_equal(found, expected, rtol=1e-4, atol=1e-5)
            lines = found.index.get_level_values("line").to_numpy()
            assert lines[np.r_[True, lines[1:] != lines[:-1]]].tolist() == [5, 0, 3, 7]  # in the order asked for
        assert torch.get_num_threads() == n_threads
        with pytest.raises(ShapeError):
            model.transform(small, rows=np.arange(len(small)))
        assert torch.get_num_threads() == n_threads
    finally:
        torch.set_num_threads(before)


def test_lines_are_named_by_number_or_mask(plate, model):
    found = model.transform(plate, rows=np.arange(len(plate)) == 3)
    assert set(found.index.get_level_values("line")) == {3}
    for call in (model.transform, model.transform_cells):
        none = call(plate, rows=np.zeros(0, int))
        assert len(none) == 0
        assert list(none.columns) == list(call(plate, rows=[0]).columns)
        for rows in ([len(plate)], [-1], ["a"], [0.5], [True, False], [[0]]):
            with pytest.raises(OptionError, match="lines of the plate from 0 to"):
                call(plate, rows=rows)


def test_labels_and_pixels_that_cannot_be_are_named(plate, model):
    masks = [plate.labels(i) for i in range(len(plate))]
    images = [plate.read(i) for i in range(len(plate))]

    def made(line=2, mask=None, image=None):
        changed = [mask if k == line and mask is not None else m for k, m in enumerate(masks)]
        seen = [image if k == line and image is not None else m for k, m in enumerate(images)]
        return Plate.build(plate.table, seen, channels=plate.channels, labels=changed)

    large, negative = np.ones((200, 200), int), np.where(masks[2] == 1, -1, masks[2])
    for bad, error, told in (
        (large, ShapeError, r"\(96, 96\) pixels, as the image of line 2"),
        (np.ones((10, 10), int), ShapeError, "line 2"),
        (np.ones((96, 96, 3), int), ShapeError, "line 2"),
        (negative, LabelImageError, "as labels of line 2, found -1"),
    ):
        with pytest.raises(error, match=told):
            model.transform_cells(made(mask=bad))
        with pytest.raises(error, match=told):
            DeepInfoMax(foreground="labels", **SMALL).fit(made(mask=bad))
    nan = images[3].astype(float)
    nan[0, 5, 5] = np.nan
    with pytest.raises(NonFiniteError, match="line 3"):
        model.transform(made(3, image=nan))


def test_saved_loaded_and_resumed_it_is_the_same(plate, tmp_path):
    options = SMALL | {"illumination": True}
    model = DeepInfoMax(**options).fit(plate)
    features = model.transform(plate)
    model.save(tmp_path / "m.safetensors")
    back = DeepInfoMax.load(tmp_path / "m.safetensors")
    pd.testing.assert_frame_equal(back.transform(plate), features)
    assert back.samples_ == model.samples_
    kept = DeepInfoMax(**options).fit(plate, checkpoint=tmp_path / "r.ckpt", checkpoint_every=2)
    resumed = DeepInfoMax(**options).fit(plate, checkpoint=tmp_path / "r.ckpt")
    for other in (kept, resumed):
        pd.testing.assert_frame_equal(other.transform(plate), features)
    with pytest.raises(ModelFileError, match="another run"):
        DeepInfoMax(**options | {"prior_weight": 0.5}).fit(plate, checkpoint=tmp_path / "r.ckpt")


@pytest.mark.parametrize(
    ("name", "value"),
    [("n_features", 7), ("n_hidden", 5), ("norm", "group"), ("residual", False), ("sphere", False), ("bound", "nce"), ("prior_weight", 0.0),
     ("foreground", "all"), ("intensity_scale", "field"), ("illumination", True), ("window_px", 40), ("n_fields", 1), ("batch_size", 4),
     ("n_steps", 5), ("learning_rate", 0.1), ("weight_decay", 0.9), ("gain", 0.0), ("blur", 1.0), ("random_state", 3)],
)  # fmt: skip
def test_each_option_changes_the_output(plate, model, name, value):
    base = model.transform(plate).to_numpy()
    changed = DeepInfoMax(**SMALL | {name: value}).fit(plate).transform(plate).to_numpy()
    assert base.shape != changed.shape or not np.allclose(base, changed)


def test_bad_input_is_named(plate, model):
    with pytest.raises(OptionError, match="'n_dims' in `DeepInfoMaxConfig`"):
        DeepInfoMax(n_dims=3)
    with pytest.raises(OptionError, match="`window_px` as a multiple of 8, found 20"):
        DeepInfoMax(window_px=20)
    with pytest.raises(CellGraphError, match="a fitted model"):
        DeepInfoMax().transform(plate)
    with pytest.raises(PairsError, match="two samples at least, found sample_01"):
        DeepInfoMax(**SMALL).fit(plate, samples=["sample_01"])
    with pytest.raises(ShapeError, match="fields of at least 128 pixels a side"):
        DeepInfoMax(**SMALL | {"window_px": 128}).fit(plate)
    with pytest.raises(ShapeError, match="channels DNA, actin, pH3, found DNA"):
        model.transform(Plate(plate.table, lambda i: plate.read(i)[:1], ("DNA",)))
    dark = Plate.build(pd.DataFrame({"sample": ["a", "a", "b", "b"]}), np.ones((4, 1, 64, 64)))
    with pytest.raises(NoCellsError, match="pixels of one value"):
        DeepInfoMax(**SMALL).fit(dark)


def test_single_fields_and_saturated_ones_are_said(plate):
    some = Plate.build(plate.table.iloc[[0, 2, 3]], [plate.read(i) for i in (0, 2, 3)], channels=plate.channels)
    with pytest.warns(UserWarning, match="One field only of sample_00"):
        DeepInfoMax(**SMALL | {"n_steps": 1}).fit(some)
    bright = [np.minimum(plate.read(i), 300) for i in range(8)]
    with pytest.warns(UserWarning, match="8 of 8 fields looked at are saturated"):
        DeepInfoMax(**SMALL | {"n_steps": 1}).fit(Plate.build(plate.table, bright, channels=plate.channels))
