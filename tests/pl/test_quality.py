"""Quality of labels, confusion and composition: bars and cells hold the counts."""

import numpy as np
import pandas as pd
import pytest

from cellgraph_clr import im, pl, tl
from cellgraph_clr._core.errors import LabelKeyError, MissingKeyError
from tests.pictures import check_picture


def test_bars_of_label_quality_are_counts(adata, tissue_2d):
    table = im.label_qc(tissue_2d.image, adata=adata)
    for source in (table, adata):
        ax = pl.label_qc(source)
        check_picture(ax)
        share = {t.get_text(): p.get_width() for t, p in zip(ax.get_yticklabels(), ax.patches, strict=True)}
        assert share["touches border"] == pytest.approx(100 * table["touches_border"].mean())
        assert share["fragmented"] == pytest.approx(100 * table["is_fragmented"].mean())
    with pytest.raises(MissingKeyError, match="im.label_qc"):
        pl.label_qc(pd.DataFrame({"a": [1]}))


def test_confusion_counts_rows_of_truth(adata):
    adata.obs["guess"] = adata.obs["true_type"].astype(str).where(np.arange(adata.n_obs) % 4 > 0, "unassigned")
    ax = pl.confusion(adata, "true_type", "guess")
    check_picture(ax)
    shown = np.asarray(ax.images[0].get_array())
    names = list(adata.obs["true_type"].cat.categories)
    n = adata.obs["true_type"].value_counts()
    assert [t.get_text() for t in ax.get_yticklabels()] == [f"{name} ({n[name]})" for name in names]
    assert [t.get_text() for t in ax.get_xticklabels()] == [*names, "unassigned"]
    np.testing.assert_allclose(shown.sum(axis=1), 1)
    assert (shown[:, :-1] > 0).sum() == len(names)  # the diagonal alone
    counts = np.asarray(pl.confusion(adata, "true_type", "guess", normalize=False).images[0].get_array())
    np.testing.assert_array_equal(counts.sum(axis=1), adata.obs["true_type"].value_counts()[names])


def test_composition_stacks_to_one(adata):
    pl.spatial(adata, "true_type", palette=["#ff0000"] * adata.obs["true_type"].nunique())
    ax = pl.composition(adata, "true_niche", "true_type")
    check_picture(ax)
    table = pd.crosstab(adata.obs["true_niche"], adata.obs["true_type"], normalize="index")
    width = np.array([p.get_width() for p in ax.patches]).reshape(table.shape[1], table.shape[0])
    np.testing.assert_allclose(width.T, table.to_numpy())
    assert {tuple(p.get_facecolor()[:3]) for p in ax.patches} == {(1.0, 0.0, 0.0)}  # as in the other plot
    check_picture(pl.composition(adata, "true_niche", "true_type", normalize=False, orientation="vertical"))
    with pytest.raises(LabelKeyError):
        pl.composition(adata, "true_niche", "none")


def test_confusion_leaves_out_what_was_learned_from(embedded):
    truth = embedded.obs["true_niche"].astype(str)
    known = np.arange(embedded.n_obs) % 3 == 0
    embedded.obs["some"] = np.where(known, truth, "unassigned")
    tl.classify(embedded, "some", method="soft_infonce")
    assert pl.confusion(embedded, "true_niche", "some_pred").get_title().startswith(f"{int((~known).sum())} cells")
    every = pl.confusion(embedded, "true_niche", "some_pred", rows=np.ones(embedded.n_obs, bool))
    assert every.get_title().startswith(f"{embedded.n_obs} cells")
    with pytest.warns(UserWarning, match="1 pixel is assumed"):
        check_picture(pl.label_qc(np.pad(np.ones((5, 5), int), 2)))


def test_windows_are_called_windows(adata):
    from cellgraph_clr.adata.rows import noun_of_rows

    windows = adata.copy()
    del windows.obs["cell_id"]
    windows.obs[["sample", "well", "field"]] = "a"
    assert (noun_of_rows(adata), noun_of_rows(windows)) == ("cells", "windows")
    assert pl.composition(windows, "sample", "true_type").get_xlabel() == "share of windows"
    assert pl.composition(adata, "true_niche", "true_type").get_xlabel() == "share of cells"
