"""Measured features against shapes of known size, scikit-image, and laws of scale."""

import numpy as np
import pytest
from skimage.measure import regionprops_table

from cellgraph_clr._core.errors import NonFiniteError, OptionError
from cellgraph_clr.cells import measure
from cellgraph_clr.cells.label_image import LabelImage
from cellgraph_clr.cells.scan import scan_labels


def shape_table(labels, spacing, unit="micrometer"):
    s = scan_labels(LabelImage.build(labels, spacing=spacing))
    values, info = measure.shape_features(s, spacing, unit, measure.principal_axes(s, spacing)[0])
    return {i.name: v for i, v in zip(info, values.T, strict=True)}, info


def ball(radius, spacing):
    grids = np.meshgrid(*(np.arange(-radius, radius + s, s) for s in spacing), indexing="ij")
    return (sum(g**2 for g in grids) <= radius**2).astype(np.uint8)


@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (2.0, 1.0, 1.0), (5.0, 1.0, 1.0)])
def test_a_ball_has_the_size_of_a_ball(spacing):
    table, _ = shape_table(np.pad(ball(30.0, spacing), 1), spacing)
    assert table["volume"][0] == pytest.approx(4 / 3 * np.pi * 30**3, rel=0.02)
    assert table["surface_area"][0] == pytest.approx(4 * np.pi * 30**2, rel=0.03)
    assert table["sphericity"][0] == pytest.approx(1, abs=0.04)
    for name in ("axis_major", "axis_middle", "axis_minor"):
        assert table[name][0] == pytest.approx(60, rel=0.02)
    assert table["elongation"][0] < 0.02


def test_a_disk_has_the_size_of_a_disk():
    table, info = shape_table(np.pad(ball(40.0, (1.0, 1.0)), 1), (1.0, 1.0))
    assert table["area"][0] == pytest.approx(np.pi * 1600, rel=0.01)
    assert table["perimeter"][0] == pytest.approx(2 * np.pi * 40, rel=0.03)
    assert table["circularity"][0] == pytest.approx(1, abs=0.06)
    assert {i.name: i.unit for i in info}["area"] == "micrometer^2"


def test_a_box_has_the_axes_of_a_box():
    labels = np.zeros((12, 30, 60), np.uint8)
    labels[1:11, 1:21, 1:41] = 7
    table, _ = shape_table(labels, (1.0, 1.0, 1.0))
    assert table["volume"][0] == 8000
    assert table["extent"][0] == 1
    for name, length in (("axis_major", 40), ("axis_middle", 20), ("axis_minor", 10)):
        assert table[name][0] == pytest.approx(length * np.sqrt(5 / 3), rel=1e-9)
    assert (table["box_z"][0], table["box_y"][0], table["box_x"][0]) == (10, 20, 40)


def test_agrees_with_scikit_image(any_tissue):
    image = any_tissue.image
    s = scan_labels(image)
    reference = regionprops_table(image.labels, spacing=image.spacing, properties=("label", "area", "centroid"))
    np.testing.assert_array_equal(s.cell_id, reference["label"])
    centre = np.stack([reference[f"centroid-{i}"] for i in range(image.ndim)], 1)
    np.testing.assert_allclose(measure.centroid(s, image.spacing), centre, rtol=1e-9)
    values, info = measure.shape_features(s, image.spacing, image.unit, measure.principal_axes(s, image.spacing)[0])
    np.testing.assert_allclose(values[:, 0], reference["area"], rtol=1e-9)
    assert np.isfinite(values).all()


def test_scaling_the_pixel_scales_lengths(tissue_3d):
    labels = tissue_3d.image.labels
    one, info = shape_table(labels, (2.0, 1.0, 1.0))
    ten, _ = shape_table(labels, (20.0, 10.0, 10.0))
    power = {"micrometer": 1, "micrometer^2": 2, "micrometer^3": 3, "1": 0}
    for i in info:
        np.testing.assert_allclose(ten[i.name], one[i.name] * 10.0 ** power[i.unit], rtol=1e-6)


def test_one_voxel_is_measured():
    labels = np.zeros((3, 3, 3), np.uint8)
    labels[1, 1, 1] = 1
    table, _ = shape_table(labels, (2.0, 1.0, 1.0))
    assert table["volume"][0] == 2
    assert all(np.isfinite(v).all() for v in table.values())


def test_intensities_of_known_images():
    labels = np.zeros((1, 10), np.uint8)
    labels[0, :4], labels[0, 5:] = 1, 2
    image = np.arange(10, dtype=np.float32)[None, None]
    s = scan_labels(LabelImage.build(labels, image))
    values, info = measure.intensity_features(s, (1.0, 1.0), "pixel", ["dapi"])
    table = {i.name: v for i, v in zip(info, values.T, strict=True)}
    np.testing.assert_allclose(table["dapi_mean"], [1.5, 7])
    np.testing.assert_allclose(table["dapi_std"], [np.std(np.arange(4)), np.std(np.arange(5, 10))])
    np.testing.assert_allclose(table["dapi_sum"], [6, 35])
    np.testing.assert_allclose(table["dapi_min"], [0, 5])
    np.testing.assert_allclose(table["dapi_max"], [3, 9])
    weighted = (np.arange(4) ** 2).sum() / 6
    np.testing.assert_allclose(table["dapi_offset"][0], abs(weighted - 1.5))


def test_intensities_whose_squares_overflow_are_not_called_infinite():
    labels = np.array([[3, 3, 0, 8, 8]])
    s = scan_labels(LabelImage.build(labels, np.array([[1.0, 2.0, 0.0, 1e160, 1.0]])))
    with pytest.raises(
        NonFiniteError, match=r"whose squares float64 holds .* found larger ones in 2 cells \(ids 3, 8\)"
    ):
        measure.intensity_features(s, (1.0, 1.0), "pixel", ["intensity"])


def test_nan_intensities_name_the_cells():
    labels = np.array([[3, 3, 0, 8, 8]])
    image = np.array([[1.0, 2.0, 0.0, np.nan, 1.0]])
    s = scan_labels(LabelImage.build(labels, image))
    with pytest.raises(NonFiniteError, match=r"channel 'intensity', found NaN or infinity in 1 cells \(ids 8\)"):
        measure.intensity_features(s, (1.0, 1.0), "pixel", ["intensity"])


def test_contact_areas_have_physical_units():
    labels = np.zeros((4, 4, 4), np.uint8)
    labels[:2], labels[2:] = 1, 2
    s = scan_labels(LabelImage.build(labels))
    np.testing.assert_allclose(measure.contact_areas(s, (3.0, 0.5, 0.25)), [16 * 0.5 * 0.25])


def test_unknown_groups_are_named():
    with pytest.raises(OptionError, match="'shape', 'intensity', .* found 'colour'"):
        measure.check_groups(["colour"], has_image=True)
    with pytest.raises(OptionError, match="an image for the group 'intensity', found no image"):
        measure.check_groups(["intensity"], has_image=False)
