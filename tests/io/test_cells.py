"""`from_labels`: ids, units, the layout of AnnData, nuclei, bad input."""

import numpy as np
import pytest

from cellgraph_clr import from_labels, gr, read, validate, write


def test_the_layout_is_followed(any_tissue):
    adata = from_labels(any_tissue.image)
    image = any_tissue.image
    assert adata.X.dtype == np.float32
    assert set(adata.var) == {"group", "channel", "unit"}
    assert adata.obs["cell_id"].dtype == np.int64
    np.testing.assert_array_equal(adata.obs["cell_id"], np.unique(image.labels[image.labels > 0]))
    assert adata.obs_names[0] == str(adata.obs["cell_id"].iloc[0])
    assert adata.obsm["spatial"].shape == (adata.n_obs, image.ndim)
    assert adata.uns["spatialdata_attrs"] == {"region": "cells", "region_key": "region", "instance_key": "cell_id"}
    assert adata.var.loc["volume" if image.ndim == 3 else "area", "unit"] == f"micrometer^{image.ndim}"
    assert adata.var.loc["type_a_mean", "channel"] == "type_a"
    assert validate(adata, image) == []


def test_spatial_is_x_y_z_in_units():
    labels = np.zeros((3, 5, 9), np.int32)
    labels[2, 1, 7] = 42
    adata = from_labels(labels, spacing=(3.0, 0.5, 0.25), unit="micrometer")
    np.testing.assert_allclose(adata.obsm["spatial"], [[7 * 0.25, 0.5, 6.0]])


@pytest.mark.parametrize("suffix", [".h5ad", ".zarr"])
def test_it_can_be_written_and_read_with_its_graph(adata, tmp_path, suffix):
    path = write(adata, tmp_path / f"cells{suffix}")
    back = read(path)
    np.testing.assert_array_equal(back.obs["cell_id"], adata.obs["cell_id"])
    assert (back.obsp["spatial_contact_area"] != adata.obsp["spatial_contact_area"]).nnz == 0
    gr.contact_graph(back)  # the contacts of the scan survive the file
    assert (back.obsp["spatial_connectivities"] != adata.obsp["spatial_connectivities"]).nnz == 0
    assert validate(back) == []


def test_nuclei_are_measured_beside_their_cells():
    cells = np.zeros((20, 40), int)
    cells[2:18, 2:18], cells[2:18, 22:38] = 5, 9
    nuclei = np.zeros_like(cells)
    nuclei[4:8, 4:8], nuclei[10:16, 10:16] = 1, 2  # two in cell 5, none in cell 9
    adata = from_labels(cells, nuclei=nuclei, spacing=(0.5, 0.5), unit="micrometer")
    assert adata.obs["n_nuclei"].tolist() == [2, 0]
    assert adata[:, "nucleus_area"].X.ravel()[0] == 9.0  # the larger one
    assert adata[:, "nucleus_fraction"].X.ravel()[0] == pytest.approx(36 / 256)
    assert adata[:, "nucleus_offset"].X.ravel()[0] == pytest.approx(np.hypot(1.5, 1.5), rel=1e-5)
    assert np.isnan(adata[:, "nucleus_area"].X.ravel()[1])
    assert adata.var.loc["nucleus_area", "group"] == "nucleus"


def test_groups_are_options(tissue_2d):
    shape = from_labels(tissue_2d.image, features=("shape",))
    both = from_labels(tissue_2d.image)
    assert set(shape.var["group"]) == {"shape"}
    assert set(both.var["group"]) == {"shape", "intensity"}


def test_missing_spacing_warns():
    with pytest.warns(UserWarning, match="1 pixel is assumed"):
        from_labels(np.eye(4, dtype=int))


def test_what_is_given_overrides_the_label_image(tissue_2d):
    from cellgraph_clr import LabelImage

    bare = LabelImage.build(tissue_2d.image.labels)
    adata = from_labels(bare, tissue_2d.image.image[0], spacing=(2, 2), unit="nanometer", channels=["dapi"])
    assert adata.var.loc["area", "unit"] == "nanometer^2"
    assert "dapi_mean" in adata.var_names
    assert adata.obsm["spatial"][:, 0].max() > bare.labels.shape[1]


def test_images_and_nuclei_may_be_paths(tissue_2d, tmp_path):
    np.save(tmp_path / "i.npy", tissue_2d.image.image)
    np.save(tmp_path / "n.npy", tissue_2d.image.labels)
    adata = from_labels(tissue_2d.image.labels, tmp_path / "i.npy", nuclei=tmp_path / "n.npy", spacing=(1, 1))
    np.testing.assert_allclose(adata[:, "nucleus_fraction"].X, 1)
