"""Retrievals in place: the query that was asked, outlines around what was found, on any ground."""

import numpy as np
import pytest

import cellgraph_clr as cgc
from cellgraph_clr import pl, tl
from cellgraph_clr._core.errors import MissingKeyError, OptionError
from cellgraph_clr.pl.cells import outlined
from tests.pictures import check_picture


def contains(polygon, points):
    from matplotlib.path import Path

    return Path(polygon).contains_points(points)


@pytest.fixture
def asked(embedded):
    embedded.obs["mine"] = embedded.obs["true_niche"] == embedded.obs["true_niche"].cat.categories[0]
    tl.retrieve_regions(embedded, embedded.obs["mine"].to_numpy(), exclude_query=False, min_cells=3)
    return embedded


def test_the_query_that_was_asked_is_drawn(asked):
    np.testing.assert_array_equal(asked.obs["retrieval_query"], asked.obs["mine"])
    ax = pl.retrieval(asked, n_regions=1)
    check_picture(ax)
    black = [c for c in ax.collections if (c.get_facecolor()[:, :3] == 0).all()]
    np.testing.assert_array_equal(
        np.sort(black[-1].get_offsets(), axis=0), np.sort(asked.obsm["spatial"][asked.obs["mine"]], axis=0)
    )
    assert (black[-1].get_edgecolor()[:, :3] == 1).all()  # a white rim, seen on dark ground
    pl.retrieval(asked, asked.obs["mine"].to_numpy())
    with pytest.raises(OptionError, match=r"that was asked, found another one of 1 cells.*retrieve_regions"):
        pl.retrieval(asked, asked.obs_names[[0]])
    texts = [t.get_text() for t in ax.get_legend().get_texts()]
    assert texts[:2] == ["query", "region 1"]


@pytest.mark.parametrize("with_masks", [False, True])
def test_outlines_hold_their_cells_and_no_others(asked, tissue_2d, with_masks):
    ax = pl.retrieval(asked, n_regions=1, labels=tissue_2d.image if with_masks else None)
    check_picture(ax)
    from cellgraph_clr.pl.colors import PALETTE

    lines = [line.get_xydata() for line in ax.lines if line.get_color() == PALETTE[0]]
    assert lines
    inside = np.any([contains(line, asked.obsm["spatial"]) for line in lines], axis=0)
    member = (asked.obs["retrieval_region"] == 1).to_numpy()
    assert (inside == member).mean() > 0.97
    assert len(lines) <= 2, "cells that touch are in one outline, perhaps with a hole"
    low, high = asked.obsm["spatial"].min(axis=0), asked.obsm["spatial"].max(axis=0)
    margin = 0.1 * (high - low).max()
    assert all((line >= low - margin).all() and (line <= high + margin).all() for line in lines)


def test_one_region_of_touching_masks_is_one_outline():
    plane = np.zeros((30, 40), int)
    plane[5:15, 5:14], plane[5:15, 15:25], plane[20:28, 30:38] = 1, 2, 3  # 1 and 2 have a pixel of background between
    (line,) = outlined(plane, np.array([1, 2]), (-0.5, 39.5, 29.5, -0.5))
    assert line[:, 0].min() == pytest.approx(4.5, abs=0.51)
    assert line[:, 0].max() == pytest.approx(24.5, abs=0.51)
    assert outlined(plane, np.array([7]), (-0.5, 39.5, 29.5, -0.5)) == []


def test_ranked_cells_are_numbered(embedded):
    with pytest.raises(MissingKeyError, match=r"Call `cgc.tl.retrieve_regions\(adata, query\)`"):
        pl.retrieval(embedded)
    tl.retrieve(embedded, embedded.obs_names[[3]], k=12)
    ax = pl.retrieval(embedded)
    check_picture(ax)
    assert ax.get_title() == "retrieved cells"
    assert sorted(int(t.get_text()) for t in ax.texts) == list(range(1, 11))
    best = embedded.obsm["spatial"][(embedded.obs["retrieval_rank"] == 1).to_numpy()][0]
    hits = next(c for c in ax.collections if len(c.get_offsets()) == 12)
    np.testing.assert_allclose(hits.get_offsets()[-1], best)  # over the others, and the darkest
    shade = hits.get_facecolor()[:, :3].sum(axis=1)
    assert shade[-1] == shade.min()


def test_the_query_lies_over_what_was_found_and_masks_are_filled(embedded, tissue_2d):
    tl.retrieve(embedded, embedded.obs_names[[3]], k=12)
    ax = pl.retrieval(embedded)
    order = {len(c.get_offsets()): c.get_zorder() for c in ax.collections}
    assert order[1] > order[12]
    ax = pl.retrieval(embedded, labels=tissue_2d.image)
    assert 12 not in {len(c.get_offsets()) for c in ax.collections}
    shown = np.asarray(ax.get_images()[-1].get_array())[..., 3] > 0
    hits = embedded.obs["cell_id"][embedded.obs["retrieval_rank"] > 0]
    np.testing.assert_array_equal(shown, np.isin(tissue_2d.image.labels, hits))


def test_cells_beside_the_plane_of_a_volume_are_dots(tissue_3d):
    cells = tissue_3d.adata()
    tl.retrieve(cells, [3], use_rep="X", k=20)
    ax = pl.retrieval(cells, labels=tissue_3d.image)
    plane = tissue_3d.image.labels[tissue_3d.image.labels.shape[0] // 2]
    beside = ~np.isin(cells.obs["cell_id"][cells.obs["retrieval_rank"] > 0], plane)
    assert 0 < beside.sum() < 20
    assert beside.sum() in {len(c.get_offsets()) for c in ax.collections}


def test_one_of_several_samples_is_named(embedded):
    both = cgc.concat({"a": embedded, "b": embedded})
    tl.retrieve(both, {"library_id": "a", "cell_id": 3}, k=3)
    both.obs.loc[both.obs["library_id"] == "b", "retrieval_rank"] = 0
    assert pl.retrieval(both).get_title() == "a"


def test_samples_without_an_answer_get_no_panel(asked):
    other = asked.copy()
    other.obs["retrieval_region"], other.obs["retrieval_query"] = 0, False
    both = cgc.concat({"a": asked, "b": other})
    ax = pl.retrieval(both)
    check_picture(ax, n_axes=1)


@pytest.mark.filterwarnings("ignore:The 3 cells of the query lie in")
def test_nothing_found_is_said_with_the_reason(embedded):
    query = embedded.obs_names[:3]
    with pytest.warns(UserWarning, match=r"no cell outside the query is similar enough: the best has"):
        tl.retrieve_regions(embedded, query, min_similarity=1.0)
    with pytest.warns(UserWarning, match=r"are connected. Lower `min_cells` to"):
        assert len(tl.retrieve_regions(embedded, query, min_cells=10_000, max_cells=None)) == 0
