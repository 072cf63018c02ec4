"""What an AnnData remembers survives files: runs, units, scales and contacts of images, the schema."""

import json
from importlib.metadata import version

import numpy as np
import pytest

from cellgraph_clr import from_labels, gr, read, write
from cellgraph_clr._core.errors import CellGraphError
from cellgraph_clr.adata.images_of_cells import Scale, images_of, scale_of, store_contacts, store_scale, stored_contacts
from cellgraph_clr.adata.provenance import package_info, record_run, recorded_runs, recorded_unit, unit_of
from cellgraph_clr.adata.reading import graph_keys
from cellgraph_clr.adata.samples import sample_of

LABELS = np.kron(np.arange(1, 10).reshape(3, 3), np.ones((6, 6), int))


@pytest.fixture
def cells():
    return from_labels(LABELS, spacing=(0.5, 0.25), unit="um", library_id="slide/1")


@pytest.fixture(params=[".h5ad", ".zarr"])
def through_file(request, tmp_path):
    return lambda adata: read(write(adata, tmp_path / f"cells{request.param}"))


def test_a_run_is_read_back_whole(cells, through_file):
    run = {
        "function": "tl.embed",
        "k": np.int64(5),
        "share": np.float32(0.5),
        "use_rep": None,
        "of": ["a", "b"],
        "kind": str,
    }
    record_run(cells, "X_cellgraph", run)
    record_run(cells, "other", {"function": "tl.cluster"})
    runs = package_info(through_file(cells))["runs"]
    back = json.loads(runs["X_cellgraph"])
    assert back.pop("versions") == {
        n: version(d) for n, d in (("cellgraph_clr", "cellgraph-clr"), ("anndata", "anndata"))
    }
    assert back == {**run, "kind": "<class 'str'>"}
    assert json.loads(runs["other"])["function"] == "tl.cluster"
    record_run(cells, "other", {"function": "tl.classify"})
    assert json.loads(package_info(cells)["runs"]["other"])["function"] == "tl.classify"  # the last one counts


def test_units_are_read_back_and_none_is_made_up(cells, through_file):
    assert recorded_unit(through_file(cells)) == unit_of(cells) == "micrometer"
    del cells.uns["cellgraph_clr"]
    assert recorded_unit(cells) is None
    assert unit_of(cells) == "pixel"
    assert "cellgraph_clr" not in cells.uns  # asking writes nothing


def test_the_schema_is_numbered(cells, through_file):
    assert int(package_info(through_file(cells))["schema_version"]) == 1
    package_info(cells)["schema_version"] = 7
    assert package_info(cells)["schema_version"] == 7


def test_images_are_read_back_by_sample_and_frame(cells, through_file):
    store_scale(cells, "slide/1", Scale((2.0, 1.0), "nanometer", (), (40, 50)), frame=3)
    store_contacts(cells, "slide/1", {"pairs": np.array([[1, 2]]), "area": np.array([4.0])}, frame=3)
    cells.obs["frame"] = np.where(np.arange(cells.n_obs) < 4, 0, 3)
    back = through_file(cells)
    first, second = (scale_of(back, g) for g in images_of(back))
    assert first == Scale((0.5, 0.25), "micrometer", (0.0, 0.0), (18, 18))
    assert second == Scale((2.0, 1.0), "nanometer", (0.0, 0.0), (40, 50))
    contacts = stored_contacts(back)
    assert set(contacts) == {("slide/1", 0), ("slide/1", 3)}
    assert np.asarray(contacts["slide/1", 0]["pairs"]).shape == (12, 2)
    assert np.asarray(contacts["slide/1", 3]["area"]).tolist() == [4.0]
    back.obs["library_id"] = back.obs["library_id"].cat.rename_categories(["renamed"])
    assert scale_of(back, images_of(back)[0]) is None  # two images: which is whose is not guessed


@pytest.mark.parametrize("other", [5, "x", [1], None, np.arange(3)], ids=["number", "text", "list", "None", "array"])
def test_what_others_keep_under_our_keys_is_named(cells, other):
    cells.uns["spatial_neighbors"] = other
    cells.uns["cellgraph_clr"] = {"runs": other}
    for call in (lambda: record_run(cells, "x", {}), lambda: recorded_runs(cells)):
        with pytest.raises(CellGraphError, match=r"a mapping at `adata.uns\['cellgraph_clr'\]\['runs'\]`, found"):
            call()
    cells.uns["cellgraph_clr"] = other
    for call in (package_info, recorded_unit, lambda a: sample_of(a, None), lambda a: gr.knn_graph(a, n_neighbors=2)):
        with pytest.raises(CellGraphError, match=r"a mapping at `adata.uns\['cellgraph_clr'\]`, found"):
            call(cells)
    with pytest.raises(CellGraphError, match="a mapping at"):
        graph_keys(cells)


def test_runs_of_others_are_left_alone(cells):
    record_run(cells, "x", {"function": "tl.embed"})
    cells.uns["cellgraph_clr"]["runs"]["a"] = 3
    assert list(recorded_runs(cells)) == ["x"]
