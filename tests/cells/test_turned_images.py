"""A law over every feature: turned, mirrored and relabelled images hold the same cells."""

import itertools

import numpy as np
import pandas as pd
import pytest
from scipy.ndimage import gaussian_filter

from cellgraph_clr import from_labels
from cellgraph_clr.cells.crops import Crop, canonical_form
from cellgraph_clr.cells.extras import EXTRA_GROUPS

# `cp_measure` is left out: others decide what it measures, and some of it is along x and y
GROUPS = ("shape", "intensity", *(g for g in EXTRA_GROUPS if g != "cellprofiler"))
SPACINGS = [(1.0, 1.0), (2.0, 1.0), (0.7, 0.3), (1.0, 1.0, 1.0), (2.5, 1.0, 1.0), (3.0, 1.5, 1.0)]


def ragged(ndim):
    """Return some twenty touching cells with bays, pieces and holes, and an image that varies inside them."""
    rng = np.random.default_rng(ndim)
    shape = (37, 45) if ndim == 2 else (14, 19, 23)
    seeds = rng.random((20, ndim)) * shape
    at = np.stack(np.indices(shape), -1)[..., None, :]
    labels = 1 + ((at - seeds) ** 2).sum(-1).argmin(-1)
    labels[gaussian_filter(rng.normal(size=shape), 1.5) > 0.15 / ndim] = 0
    light = gaussian_filter(rng.normal(size=(2, *shape)), (0, *(1.0,) * ndim))
    return labels, (2e4 * (1 + light / np.abs(light).max())).astype(np.uint16)


def measured(labels, light, spacing):
    groups = [g for g in GROUPS if g != "mesh" or labels.ndim == 3]
    adata = from_labels(labels, light, spacing=spacing, features=groups, n_jobs=1)
    return pd.DataFrame(np.asarray(adata.X, float), adata.obs["cell_id"].to_numpy(), adata.var_names)


def turned(labels, light, spacing, axes, mirrored):
    labels = np.flip(labels.transpose(axes), mirrored)
    light = np.flip(light.transpose(0, *(a + 1 for a in axes)), [a + 1 for a in mirrored])
    return np.ascontiguousarray(labels), np.ascontiguousarray(light), tuple(spacing[a] for a in axes)


def assert_same(found, wanted):
    assert sorted(found.columns) == sorted(wanted.columns)
    for name in wanted.columns:
        tolerance = 1e-6 * float(wanted[name].abs().max())
        np.testing.assert_allclose(found.loc[wanted.index, name], wanted[name], 1e-5, tolerance, err_msg=name)


@pytest.mark.parametrize("spacing", SPACINGS)
def test_no_feature_depends_on_how_the_image_is_turned(spacing):
    ndim, names = len(spacing), "zyx"[3 - len(spacing) :]
    labels, light = ragged(ndim)
    wanted = measured(labels, light, spacing)
    assert wanted.notna().all(axis=None)
    for i, axes in enumerate(itertools.permutations(range(ndim))):
        mirrored = [a for a in range(ndim) if (i + 1) >> a & 1]
        found = measured(*turned(labels, light, spacing, axes, mirrored))
        lengths = {f"box_{names[new]}": f"box_{names[old]}" for new, old in enumerate(axes)}
        assert_same(found.rename(columns=lengths), wanted)


@pytest.mark.parametrize("spacing", [SPACINGS[1], SPACINGS[4]])
def test_no_feature_depends_on_the_ids(spacing):
    labels, light = ragged(len(spacing))
    ids = np.concatenate([[0], np.random.default_rng(0).permutation(20) * 2**38 + 3])
    wanted = measured(labels, light, spacing)
    wanted.index = pd.Index(ids[wanted.index])
    assert_same(measured(ids[labels], light, spacing), wanted)


def test_a_cell_has_one_canonical_form():
    rng = np.random.default_rng(0)
    for spacing in SPACINGS:
        mask = rng.random((3, 3, 4)[: len(spacing)]) < 0.5
        forms = set()
        for axes in itertools.permutations(range(mask.ndim)):
            for mirrored in itertools.product((False, True), repeat=mask.ndim):
                form = np.flip(mask.transpose(axes), np.flatnonzero(mirrored))
                out, step = canonical_form(Crop(1, form, None, tuple(spacing[a] for a in axes), (0,) * mask.ndim))
                assert list(step) == sorted(spacing, reverse=True)
                forms.add((out.shape, out.tobytes()))
        assert len(forms) == 1
        assert next(iter(forms))[0] in {mask.transpose(a).shape for a in itertools.permutations(range(mask.ndim))}
