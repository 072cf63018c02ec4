"""The sample of every cell: named, remembered, found by its usual name, or one for all; and images of samples."""

import numpy as np
import pandas as pd
import pytest
from anndata import AnnData

from cellgraph_clr._core.errors import CellGraphError, MissingKeyError, OptionError
from cellgraph_clr.adata.images_of_cells import (
    as_scale,
    chosen_images,
    image_numbers,
    images_of,
    only_image,
    stored_images,
)
from cellgraph_clr.adata.provenance import package_info
from cellgraph_clr.adata.queries import query_rows
from cellgraph_clr.adata.samples import cell_ids, frame_of, sample_of


@pytest.fixture
def cells():
    obs = {
        "library_id": pd.Categorical(["b", "a", "b", "a", "b"]),
        "slide": [2, 1, 1, 2, 2],
        "frame": [1, 0, 0, 0, 1],
    }
    return AnnData(obs=pd.DataFrame(obs, index=list("vwxyz")))


def test_samples_are_those_asked_for_else_remembered_else_library_id_else_of_the_graph_else_one(cells):
    assert sample_of(cells, None).tolist() == ["b", "a", "b", "a", "b"]
    assert sample_of(cells, "slide").tolist() == ["2", "1", "1", "2", "2"]
    package_info(cells)["library_key"] = "slide"
    assert sample_of(cells, None).tolist() == ["2", "1", "1", "2", "2"]
    assert sample_of(cells, "library_id").tolist() == ["b", "a", "b", "a", "b"]
    del package_info(cells)["library_key"]
    cells.uns["spatial_neighbors"] = {"params": {"library_key": "slide"}}
    assert sample_of(cells, None).tolist() == ["b", "a", "b", "a", "b"]
    del cells.obs["library_id"]
    assert sample_of(cells, None).tolist() == ["2", "1", "1", "2", "2"]
    del cells.obs["slide"]
    assert sample_of(cells, None).tolist() == [""] * 5


def test_wrong_samples_are_named(cells):
    with pytest.raises(MissingKeyError, match="'slid' in `adata.obs`.*Did you mean 'slide'"):
        sample_of(cells, "slid")
    cells.obs["slide"] = [1.0, np.nan, 2, np.nan, 1]
    with pytest.raises(CellGraphError, match=r"every cell in obs\['slide'\], found 2 cells without"):
        sample_of(cells, "slide")


def test_images_are_samples_at_one_time(cells):
    assert [(g.sample, g.frame, g.rows.tolist(), g.name) for g in images_of(cells)] == [
        ("a", 0, [1, 3], "a"),
        ("b", 0, [2], "b/frame_0"),
        ("b", 1, [0, 4], "b/frame_1"),
    ]


@pytest.mark.parametrize(
    ("asked", "names"),
    [
        (None, ["a", "b/frame_0", "b/frame_1"]),
        ("b", ["b/frame_0", "b/frame_1"]),
        ("frame_1", ["b/frame_1"]),
        (0, ["a", "b/frame_0"]),
        (["b/frame_1", "b", "a"], ["b/frame_1", "b/frame_0", "a"]),
    ],
)
def test_images_are_chosen_by_sample_frame_or_both(cells, asked, names):
    assert [g.name for g in chosen_images(cells, asked)] == names


def test_one_image_is_asked_for_where_there_are_several(cells):
    assert only_image(cells, "a").rows.tolist() == [1, 3]
    with pytest.raises(OptionError, match="several samples, found b/frame_0, b/frame_1"):
        only_image(cells, "b")
    with pytest.raises(MissingKeyError, match="Expected 'c' in `the samples`"):
        only_image(cells, "c")
    assert only_image(cells[cells.obs["frame"] == 1].copy()).rows.tolist() == [0, 1]


def test_frames_are_whole_numbers(cells):
    assert frame_of(cells).tolist() == [1, 0, 0, 0, 1]
    for bad in ([np.nan, 0, 0, 0, 1], list("abcde"), [0.5] * 5):
        cells.obs["frame"] = bad
        for read in (frame_of, images_of):
            with pytest.raises(CellGraphError, match=r"whole numbers in obs\['frame'\], found"):
                read(cells)
    cells.obs["frame"] = pd.Categorical([-1, 0, 0, 0, -1])
    assert frame_of(cells).tolist() == [-1, 0, 0, 0, -1]
    del cells.obs["frame"]
    assert frame_of(cells).tolist() == [0] * 5


def test_images_are_numbered_as_they_are_listed(cells):
    numbers = image_numbers(cells)
    assert [numbers[g.rows].tolist() for g in images_of(cells)] == [[0] * 2, [1] * 1, [2] * 2]


def test_entries_of_others_are_named(cells):
    for broken in ([1], {"0": 5}, {"0": {"spacing": [1, 1]}}):
        package_info(cells)["images"] = broken
        with pytest.raises(CellGraphError, match=r"uns\['cellgraph_clr'\]\['images'\]"):
            stored_images(cells, "images")
    with pytest.raises(CellGraphError, match="spacing, unit and origin"):
        as_scale({"spacing": "x", "origin": [0], "unit": "pixel"})


def test_ids_of_cells_are_whole_numbers(cells):
    with pytest.raises(MissingKeyError, match="'cell_id' in `adata.obs`"):
        cell_ids(cells)
    cells.obs["cell_id"] = pd.Categorical([5, 4, 3, 2, 1])
    assert cell_ids(cells).tolist() == [5, 4, 3, 2, 1]
    for bad in (list("abcde"), [1, 2, np.nan, 4, 5]):
        cells.obs["cell_id"] = bad
        with pytest.raises(CellGraphError, match=r"whole numbers in obs\['cell_id'\], found"):
            cell_ids(cells)
        with pytest.raises(CellGraphError, match=r"whole numbers in obs\['cell_id'\], found"):
            query_rows(cells, [1])
