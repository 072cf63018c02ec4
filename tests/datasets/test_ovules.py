"""The CellTypeGraph reader and its folds, on generated files of the same form."""

import h5py
import numpy as np
import pytest

from benchmarks.celltypegraph import specimen_scores, write_specimen
from cellgraph_clr import datasets
from cellgraph_clr._core.errors import FileFormatError, MissingFileError, MissingKeyError


@pytest.fixture
def folder(tmp_path, rng):
    names = [f"label_grs_surface/{s}/{i}.h5" for s in ("2-III", "3-I") for i in range(6)]
    written = {name: write_specimen(tmp_path / name, rng) for name in names}
    return tmp_path, written


def test_features_labels_and_contacts(folder):
    path, written = folder
    adata = datasets.celltype_graph(path)
    assert adata.shape == (144, 74)
    assert set(adata.obs["cell_type"]) == {"unassigned", "L1", "L2", "L4", "ac"}
    part = adata[adata.obs["library_id"] == "3-I_2"]
    arrays = written["label_grs_surface/3-I/2.h5"]
    ids = arrays["cell_ids"]
    features = {k.removeprefix("cell_features/"): v for k, v in arrays.items()}
    np.testing.assert_array_equal(part.obs["cell_id"], ids)
    assert (part.obs["cell_type"][arrays["cell_labels"] == 14] == "L4").all()
    com = features["com_grs"]
    scaled = np.stack([part[:, f"com_grs_{i}"].X.ravel() for i in range(3)], axis=1)
    np.testing.assert_allclose(scaled, (com - com.mean()) / com.std(), rtol=1e-4, atol=1e-6)
    direction = features["pca_orientation_axis2_grs"]
    x, y, _ = (direction / np.linalg.norm(direction, axis=1, keepdims=True)).T
    np.testing.assert_allclose(part[:, "pca_orientation_axis2_grs_3"].X.ravel(), x * y, rtol=1e-4, atol=1e-6)
    hops = np.stack([part[:, f"hops_to_bg_{i}"].X.ravel() for i in range(5)], axis=1)
    expected = np.clip(features["hops_to_bg"] - features["hops_to_bg"].min(), 0, 4)
    np.testing.assert_array_equal(hops.argmax(1), expected)
    assert (hops.sum(1) == 1).all()
    area = part.obsp["spatial_contact_area"].toarray()
    assert area[0, 11] == area[11, 0] == 1
    assert area.sum() == 2 * np.arange(1, 13).sum()
    assert (adata.obsp["spatial_connectivities"].sum(1) == 2).all()  # no edge leaves its specimen
    assert datasets.celltype_graph(path / "label_grs_surface", stages=["3-I"]).n_obs == 72


def test_folds_hold_every_specimen_once(folder):
    cells = datasets.celltype_graph(folder[0])
    folds = datasets.celltype_graph_folds(cells)
    assert sorted(np.concatenate(folds)) == sorted(f"{s}_{i}" for s in ("2-III", "3-I") for i in range(6))
    assert [len(f) for f in folds] == [4, 2, 2, 2, 2]
    shuffled = [f"2-III_{i}" for i in range(6)]
    np.random.RandomState(0).shuffle(shuffled)  # the benchmark's own order
    assert list(folds[0][:2]) == shuffled[:2]
    others = [datasets.celltype_graph_folds(cells, random_state=np.random.default_rng(s)) for s in (1, 1, 2)]
    assert [list(f) for f in others[0]] == [list(f) for f in others[1]] != [list(f) for f in others[2]]


def test_bad_files_are_named(folder, tmp_path, rng):
    with pytest.raises(MissingFileError, match=r"trivial_grs/STAGE/SPECIMEN.h5 in .*zenodo.6374104"):
        datasets.celltype_graph(tmp_path / "label_grs_surface" / "2-III", grs="trivial_grs")
    with pytest.raises(MissingFileError, match="'4-I' in `stages`"):
        datasets.celltype_graph(folder[0], stages=["4-I"])
    file = folder[0] / "label_grs_surface/2-III/0.h5"
    write_specimen(file, rng, cell_labels=np.ones(5, int))
    with pytest.raises(FileFormatError, match=r"12 cells in every array of 0.h5, found cell_labels: 5"):
        datasets.celltype_graph(folder[0])
    with h5py.File(file, "a") as opened:
        del opened["cell_features/com_grs"]
    with pytest.raises(MissingKeyError, match="'com_grs' in `cell_features of 0.h5`"):
        datasets.celltype_graph(folder[0])


def test_scores_of_a_specimen():
    truth = np.array(["L1", "L1", "L1", "L2", "es", "unassigned"])
    predicted = np.array(["L1", "L1", "L2", "L2", "L1", "L1"])
    assert specimen_scores(predicted, truth) == (3 / 5, (2 / 3 + 1) / 2)
