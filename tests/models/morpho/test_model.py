"""`MorphoFeatures`: planted families, pose, missing parts, cut cells, files, resume, bad input."""

import numpy as np
import pandas as pd
import pytest
from scipy.ndimage import binary_erosion

from cellgraph_clr import datasets
from cellgraph_clr._core.errors import (
    CellGraphError,
    LabelImageError,
    ModelFileError,
    NoCellsError,
    OptionError,
    ShapeError,
)
from cellgraph_clr.cells.label_image import LabelImage
from cellgraph_clr.datasets.shaped_cells import shapes
from cellgraph_clr.metrics import probe_accuracy
from cellgraph_clr.models import MorphoFeatures

SMALL = {
    "n_steps": 4,
    "n_points": 32,
    "n_features": 6,
    "n_hidden": 4,
    "batch_size": 8,
    "coarse_size": 8,
    "fine_size": 8,
    "progress": False,
}


@pytest.fixture(scope="module")
def flat():
    return shapes(60, ndim=2, random_state=0)


def test_fine_patches_tell_textures_and_not_shapes():
    tissue = shapes(160, ndim=2, random_state=0)
    model = MorphoFeatures(kinds=("fine",), n_steps=100, n_features=16, n_hidden=8, progress=False)
    features = model.fit_transform(tissue.image)
    truth = tissue.truth.loc[features.index]
    found = {k: probe_accuracy(features.to_numpy(), truth[k].to_numpy(), n_repeats=2).mean() for k in truth}
    assert found["texture"] > 0.55  # chance 0.25; larger volumes and longer training reach more
    assert found["shape"] < 0.28  # chance 0.17
    history = model.history_["cell_fine"]
    assert history["reconstruction"][-1] < history["reconstruction"][0]


def test_columns_are_named_and_missing_groups_are_said(flat):
    features = MorphoFeatures(**SMALL).fit_transform(flat.image)
    assert isinstance(features, pd.DataFrame)
    assert list(features.columns) == [f"cell_{k}_{i}" for k in ("shape", "coarse", "fine") for i in range(6)]
    np.testing.assert_array_equal(features.index, np.arange(1, 61))
    assert np.isfinite(features.to_numpy()).all()
    model = MorphoFeatures(**SMALL).fit(LabelImage(flat.image.labels, flat.image.spacing))
    assert model.groups_ == ["cell_shape"]
    assert model.missing_ == {
        "nucleus_shape": "no nuclei",
        "nucleus_coarse": "no nuclei",
        "nucleus_fine": "no nuclei",
        "cell_coarse": "no image",
        "cell_fine": "no image",
    }


def test_nuclei_have_groups_of_their_own_and_cells_without_one_have_none(flat):
    labels = flat.image.labels
    nuclei = np.where(binary_erosion(labels > 0, iterations=4), labels, 0)
    nuclei[labels == 7] = 0
    model = MorphoFeatures(**SMALL | {"kinds": ("shape", "coarse")}).fit(flat.image, nuclei=nuclei)
    assert model.groups_ == ["cell_shape", "cell_coarse", "nucleus_shape", "nucleus_coarse"]
    features = model.transform(flat.image, nuclei=nuclei)
    assert features.loc[7].filter(like="nucleus").isna().all()
    assert features.drop(index=7).notna().all().all()
    with pytest.raises(ShapeError, match="labels of nuclei, found none"):
        model.transform(flat.image)


def test_a_turned_volume_has_the_same_shape_codes():
    tissue = shapes(30, random_state=0)
    options = SMALL | {"kinds": ("shape",), "n_points": 96, "learning_rate": 3e-3}
    model = MorphoFeatures(**options).fit(tissue.image)
    one = model.transform(tissue.image).to_numpy()
    turned = LabelImage(np.ascontiguousarray(tissue.image.labels.transpose(2, 0, 1)[:, ::-1]), (1.0, 1.0, 1.0))
    two = model.transform(turned).to_numpy()
    spread = np.median(np.linalg.norm(one[:, None] - one[None], axis=2)[np.triu_indices(30, 1)])
    assert np.median(np.linalg.norm(one - two, axis=1)) < 0.3 * spread  # other points are drawn, from so few steps


def test_saved_loaded_and_resumed_it_is_the_same(flat, tmp_path):
    model = MorphoFeatures(**SMALL).fit(flat.image)
    features = model.transform(flat.image)
    model.save(tmp_path / "m.safetensors")
    back = MorphoFeatures.load(tmp_path / "m.safetensors")
    pd.testing.assert_frame_equal(back.transform(flat.image), features)
    assert back.history_ == model.history_
    kept = MorphoFeatures(**SMALL).fit(flat.image, checkpoint=tmp_path / "run", checkpoint_every=2)
    resumed = MorphoFeatures(**SMALL).fit(flat.image, checkpoint=tmp_path / "run")
    for other in (kept, resumed):
        pd.testing.assert_frame_equal(other.transform(flat.image), features)
    with pytest.raises(ModelFileError, match="another run"):
        MorphoFeatures(**SMALL | {"temperature": 0.3}).fit(flat.image, checkpoint=tmp_path / "run")


def test_cut_and_tiny_cells_are_kept_and_not_learned_from(flat):
    labels = flat.image.labels.copy()
    labels[0, 0] = 900  # one pixel, at the border
    image = LabelImage(labels, flat.image.spacing, image=flat.image.image, channels=("texture",))
    model = MorphoFeatures(**SMALL).fit(image)
    features = model.transform(image)
    assert np.isfinite(features.loc[900].to_numpy()).all()
    whole = MorphoFeatures(**SMALL).fit(flat.image)
    pd.testing.assert_frame_equal(whole.transform(image), features)


def test_several_images_are_learned_from_together(flat):
    halves = [
        LabelImage(flat.image.labels[part], flat.image.spacing, image=flat.image.image[:, part], channels=("texture",))
        for part in (slice(None, 128), slice(128, None))
    ]
    options = SMALL | {"intensity_scale": "image", "kinds": ("shape", "fine")}  # whole crops see across the cut
    model = MorphoFeatures(**options).fit(halves)
    features = pd.concat([model.transform(half) for half in halves])
    whole = MorphoFeatures(**options).fit(flat.image).transform(flat.image)
    pd.testing.assert_frame_equal(features.sort_index(), whole, atol=1e-3)
    with pytest.raises(ShapeError, match="one label image, found 2"):
        model.transform(halves)
    with pytest.raises(ShapeError, match="a list of 2 images, found 1"):
        model.fit(halves, image=[halves[0].image])
    with pytest.raises(ShapeError, match="2D with 1 channels, like the first, found 3D with 0 channels in image 1"):
        model.fit([halves[0], np.ones((3, 3, 3), int)])
    with pytest.raises(NoCellsError, match="an empty list"):
        model.fit([])


def test_cells_that_touch_may_be_positives():
    tissue = datasets.tissue(80, ndim=2, random_state=0)
    one, other = (
        MorphoFeatures(**SMALL | {"kinds": ("shape",), "positives": p}).fit_transform(tissue.image)
        for p in ("views", "neighbors")
    )
    assert not np.allclose(one, other)
    again = MorphoFeatures(**SMALL | {"kinds": ("shape",), "positives": "neighbors"}).fit([tissue.image, tissue.image])
    assert again.groups_ == ["cell_shape"]


def test_nuclei_without_a_cell_and_cells_with_two_are_said(flat):
    nuclei = np.where(binary_erosion(flat.image.labels > 0, iterations=4), flat.image.labels, 0)
    cells = np.where(flat.image.labels == 3, 0, flat.image.labels)
    nuclei[nuclei == 5] = np.where(np.arange((nuclei == 5).sum()) % 50 < 25, 5, 900)
    with pytest.warns(
        UserWarning, match=r"1 of \d+ nuclei lie in no cell and are left out; 1 cells have several nuclei"
    ):
        MorphoFeatures(**SMALL | {"kinds": ("shape",), "n_steps": 1}).fit(cells, nuclei=nuclei)


@pytest.fixture(scope="module")
def base(flat):
    return MorphoFeatures(**SMALL).fit_transform(flat.image).to_numpy()


@pytest.mark.parametrize(
    ("name", "value"),
    [("n_features", 7), ("n_hidden", 8), ("n_points", 40), ("coarse_size", 16), ("coarse_resolution", 3.0), ("fine_size", 16),
     ("fine_resolution", 2.0), ("n_patches", 2), ("masked", False), ("intensity_scale", "image"), ("positives", "patches"), ("temperature", 0.5),
     ("reconstruction", 0.0), ("strength", 0.2), ("n_steps", 5), ("batch_size", 9), ("learning_rate", 0.01),
     ("weight_decay", 0.5), ("random_state", 3)],
)  # fmt: skip
def test_each_option_changes_the_output(flat, base, name, value):
    changed = MorphoFeatures(**SMALL | {name: value}).fit_transform(flat.image).to_numpy()
    assert base.shape != changed.shape or not np.allclose(base, changed)


def test_bad_input_is_named(flat):
    with pytest.raises(OptionError, match="'n_dims' in `MorphoFeaturesConfig`"):
        MorphoFeatures(n_dims=3)
    with pytest.raises(OptionError, match="`coarse_size` as a multiple of 8, found 12"):
        MorphoFeatures(coarse_size=12)
    with pytest.raises(OptionError, match="'fine', found 'texture'"):
        MorphoFeatures(kinds=("texture",))
    with pytest.raises(CellGraphError, match="a fitted model"):
        MorphoFeatures().transform(flat.image)
    with pytest.raises(LabelImageError, match=r"cgc.read_labels\(path"):
        MorphoFeatures().fit("cells.tif")
    with pytest.raises(OptionError, match="an image for texture"):
        MorphoFeatures(kinds=("coarse",)).fit(flat.image.labels)
    with pytest.raises(NoCellsError, match="two cells to learn from, found 0 of cell"):
        MorphoFeatures(kinds=("shape",)).fit(np.ones((5, 5), int))
    with pytest.raises(ShapeError, match="nuclei of the shape of the cells"):
        MorphoFeatures().fit(flat.image, nuclei=np.ones((3, 3), int))
    model = MorphoFeatures(**SMALL).fit(flat.image)
    with pytest.raises(ShapeError, match="labels in 2D, found 3D"):
        model.transform(np.ones((3, 3, 3), int))
    with pytest.raises(ShapeError, match="an image of 1 channels, found 2"):
        model.transform(flat.image, image=np.zeros((2, *flat.image.labels.shape)))
