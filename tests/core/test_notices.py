"""A warning shows the line of the user's, from any depth."""

import warnings

import numpy as np

import cellgraph_clr as cgc


def test_the_line_of_the_user_is_shown_from_any_depth():
    labels = np.repeat(np.repeat(np.arange(1, 10).reshape(3, 3) * 2, 4, 0), 4, 1)
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        adata = cgc.from_labels(labels)  # no spacing, three calls deep
        cgc.gr.knn_graph(adata, n_neighbors=20)  # few cells, five
    assert len(seen) == 2
    assert {w.filename for w in seen} == {__file__}
