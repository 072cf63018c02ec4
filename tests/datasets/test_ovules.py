"""The CellTypeGraph reader and its folds, on generated files of the same form."""

import h5py
import numpy as np
import pytest

from cellgraph_clr import datasets
from cellgraph_clr._core.errors import FileFormatError, MissingFileError, MissingKeyError
from cellgraph_clr.datasets.ovules import ABSOLUTE, ORIENTATIONS, SCALED

WIDTH = {"com_grs": 3, "pca_explained_variance_grs": 3}


def write_specimen(path, rng, n=12, **changed):
    path.parent.mkdir(parents=True, exist_ok=True)
    wide = dict.fromkeys((*ORIENTATIONS, *(a for a in ABSOLUTE if "_proj_" in a)), 3) | WIDTH
    ids = rng.permutation(np.arange(1, 4 * n))[:n]
    features = {f: rng.normal(size=(n, wide[f]) if f in wide else n) for f in (*SCALED, *ORIENTATIONS, *ABSOLUTE)}
    features["hops_to_bg"] = rng.integers(1, 8, n)
    pairs = np.stack([ids, np.roll(ids, 1)], axis=1)
    pairs = np.concatenate([pairs, [[0, ids[0]]]])  # a contact with the background
    arrays = {"cell_ids": ids, "cell_labels": rng.choice([0, 1, 2, 14, 10], n), "edges_ids": pairs} | changed
    with h5py.File(path, "w") as file:
        for name, values in arrays.items():
            file[name] = values
        for name, values in features.items():
            file[f"cell_features/{name}"] = values
        file["edges_features/surface_um"] = np.arange(1.0, n + 2)
    return ids, features, arrays


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
    ids, features, arrays = written["label_grs_surface/3-I/2.h5"]
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
    folds = datasets.celltype_graph_folds(datasets.celltype_graph(folder[0]))
    assert sorted(np.concatenate(folds)) == sorted(f"{s}_{i}" for s in ("2-III", "3-I") for i in range(6))
    assert [len(f) for f in folds] == [4, 2, 2, 2, 2]
    shuffled = [f"2-III_{i}" for i in range(6)]
    np.random.RandomState(0).shuffle(shuffled)  # the benchmark's own order
    assert list(folds[0][:2]) == shuffled[:2]


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
