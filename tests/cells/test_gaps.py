"""Gaps between cells that do not touch, and labels in too many pieces to be cells."""

import numpy as np
import pytest

from cellgraph_clr import gr
from cellgraph_clr.cells.gaps import gap_of_isolates, isolated_rows, looks_scattered
from cellgraph_clr.cells.label_image import LabelImage
from cellgraph_clr.cells.scan import scan_labels
from cellgraph_clr.graphs.contact import contacts_from_labels


def grid(gap, spacing, n=5, side=6):
    """Square or cubic cells, `gap` pixels of background between."""
    d = len(spacing)
    labels = np.zeros(((side + gap) * n,) * d, np.int32)
    for i, at in enumerate(np.ndindex(*(n,) * d)):
        labels[tuple(slice((side + gap) * k, (side + gap) * k + side) for k in at)] = i + 1
    return LabelImage.build(labels, spacing=spacing, unit="um")


@pytest.mark.parametrize("spacing", [(1.0, 1.0), (0.5, 0.25), (0.3, 0.3, 0.3), (2.0, 0.5, 0.5)])
@pytest.mark.parametrize("gap", [1, 2, 5])
def test_the_gap_named_is_the_least_that_joins(gap, spacing):
    image = grid(gap, spacing, n=5 if len(spacing) == 2 else 3)
    s = scan_labels(image, surface=False)
    assert len(isolated_rows(s)) == len(s.cell_id)
    width = gap_of_isolates(image, s)
    assert width == pytest.approx(gap * min(spacing))
    assert np.isin(s.cell_id, contacts_from_labels(image, max_gap=width).pairs).all()
    assert len(contacts_from_labels(image, max_gap=0.99 * width).pairs) == 0


def test_no_gap_is_measured_where_cells_touch_or_there_is_one():
    image = grid(0, (1.0, 1.0))
    assert gap_of_isolates(image, scan_labels(image)) is None
    one = LabelImage.build(np.ones((4, 4), int))
    assert gap_of_isolates(one, scan_labels(one)) is None


def test_the_call_in_the_warning_works():
    import re

    import cellgraph_clr as cgc

    image = grid(2, (0.5, 0.5))
    adata = cgc.from_labels(image)
    for labels in (None, image.labels):
        with pytest.warns(UserWarning, match=r"25 of 25 cells touch no other cell. Background about 1 µm wide") as said:
            gr.contact_graph(adata, labels)
        call = re.search(r"`cgc.gr.contact_graph\(adata, labels, max_gap=(.+?)\)`", str(said[0].message))
        gr.contact_graph(adata, image.labels, max_gap=float(call[1]))
        assert (adata.obs["n_neighbors"] >= 2).all()


def test_grey_levels_are_scattered_and_cells_are_not(tissue_2d, tissue_3d, rng):
    import cellgraph_clr as cgc

    for tissue in (tissue_2d, tissue_3d):
        assert not looks_scattered(scan_labels(tissue.image), tissue.image.ndim)
    noise = (rng.random((80, 80)) * 60).astype(np.uint8)
    assert looks_scattered(scan_labels(LabelImage.build(noise)), 2)
    with pytest.warns(UserWarning, match=r"59 of 59 labels are scattered.*looks like an intensity image"):
        cgc.from_labels(noise, spacing=1)
    mask = (np.asarray(grid(2, (1.0, 1.0), n=8).labels) > 0).astype(np.uint8) * 255
    with pytest.warns(
        UserWarning, match=r"1 of 1 labels are scattered in pieces \(typically 64\).*skimage.measure.label"
    ):
        cgc.im.label_qc(LabelImage.build(mask))
