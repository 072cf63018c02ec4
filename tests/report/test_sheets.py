"""Small pictures of cells: each its own, in the plane of its cell; within a size, and only where the page lacks the image."""

import base64
import io

import numpy as np
import pytest
from PIL import Image

from cellgraph_clr._core.errors import ShapeError
from cellgraph_clr._report import sheets
from cellgraph_clr._report.light import Light, Lights, typical_distance
from cellgraph_clr.adata.images_of_cells import Scale, image_numbers, images_of


def added(adata, image, labels=None):
    about = {"left_out": []}
    xyz = np.asarray(adata.obsm["spatial"], float)
    lights = Lights(adata, image, labels, None)
    sheets.add_sheets(about, lights, images_of(adata), xyz, image_numbers(adata))
    return about


def squares(held):
    """All squares, in order, from the URLs."""
    out = []
    for url in held["urls"]:
        sheet = np.asarray(Image.open(io.BytesIO(base64.b64decode(url.split(",")[1]))).convert("RGB"))
        side, columns = held["side"], held["columns"]
        assert sheet.shape[1] == side * columns
        out += [
            sheet[side * i : side * (i + 1), side * j : side * (j + 1)]
            for i in range(len(sheet) // side)
            for j in range(columns)
        ]
    return out


@pytest.mark.parametrize("rows", [1, 32])
def test_squares_are_those_of_their_cells(tissue_3d, monkeypatch, rows):
    monkeypatch.setattr(sheets, "ROWS", rows)
    adata = tissue_3d.adata()
    labels = np.asarray(tissue_3d.image.labels)
    bright = np.random.default_rng(0).permutation(labels.max() + 1) % 2 == 0
    about = added(adata, np.where(bright[labels], 200, 20).astype(np.uint8))
    held = about["sheets"]
    assert about["left_out"] == []
    assert len(held["urls"]) == -(-adata.n_obs // (64 * rows))
    middle = held["side"] // 2
    shown = np.array([s[middle - 2 : middle + 2, middle - 2 : middle + 2].mean() > 110 for s in squares(held)])
    agreement = (shown[: adata.n_obs] == bright[adata.obs["cell_id"]]).mean()
    flat = np.where(bright[labels], 200, 20).max(axis=0)
    assert (flat > 110).mean() > 0.9  # in the brightest plane all look alike
    assert agreement > 0.97


def test_pictures_of_cells_are_made_where_the_image_of_the_page_is_too_coarse(adata, tissue_2d, monkeypatch):
    image = np.asarray(tissue_2d.image.image[0])
    assert "sheets" not in added(adata, image)
    monkeypatch.setattr(sheets, "LARGEST", max(image.shape) // 4)
    held = added(adata, image)["sheets"]
    assert held["samples"] == [0]
    assert held["reach"] == pytest.approx(1.3 * typical_distance(adata.obsm["spatial"], np.zeros(adata.n_obs)))


def test_more_cells_get_smaller_pictures_or_none(tissue_3d, monkeypatch):
    adata, image = tissue_3d.adata(), np.asarray(tissue_3d.image.image[0])
    n = adata.n_obs
    for most, side in ((48 * 48 * n, 48), (48 * 48 * n - 1, 32), (32 * 32 * n - 1, 24), (24 * 24 * n - 1, None)):
        monkeypatch.setattr(sheets, "MOST_PIXELS", most)
        about = added(adata, image)
        assert about.get("sheets", {"side": None})["side"] == side
        assert len(about["left_out"]) == (side is None)


def test_a_volume_of_other_planes_is_named(tissue_3d):
    image = np.asarray(tissue_3d.image.image[0])
    with pytest.raises(ShapeError, match=f"a volume of {len(image)} planes"):
        added(tissue_3d.adata(), image[1:])


def test_squares_are_the_image_interpolated():
    """A ramp stays a ramp; beyond the image, and around what is nowhere, all is black."""
    ramp = np.add.outer(2.0 * np.arange(40), np.arange(60)) / 200
    light = Light(ramp.astype(np.float32), Scale((2.0, 0.5), "pixel", (7.0, 3.0)), in_planes=False)
    places = np.array([[15.0, 50.0], [3.0, 7.0], [np.nan, 1.0]])
    found = light.squares(places, 3.0, 8) / 255
    x = 15 + 3 * (2 * (np.arange(8) + 0.5) / 8 - 1)
    y = 50 + 3 * (2 * (np.arange(8) + 0.5) / 8 - 1)
    wanted = np.add.outer(2 * (y - 7) / 2.0, (x - 3) / 0.5) / 200
    np.testing.assert_allclose(found[0], np.repeat(wanted[:, :, None], 3, axis=2), atol=0.01)
    assert (found[1][:3] == 0).all()
    assert (found[1][:, :3] == 0).all()
    assert (found[2] == 0).all()


def test_typical_distance_is_the_side_of_the_room_of_a_cell():
    grid = 5 * np.stack(np.meshgrid(np.arange(101.0), np.arange(101.0)), -1).reshape(-1, 2)
    two = np.concatenate([grid, grid + 1e6, [[np.nan, 0]]])
    number = np.repeat([0, 1, 1], [len(grid), len(grid), 1])
    assert typical_distance(two, number) == pytest.approx(5, rel=0.02)
    assert typical_distance(grid[:1], number[:1]) == 1
    assert typical_distance(grid[:0], number[:0]) == 1
