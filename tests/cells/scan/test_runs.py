"""Runs and intensities of any dtype against plain loops; all else is compiled for one dtype."""

import importlib
import itertools

import numpy as np
import pytest
from numba.core.dispatcher import Dispatcher

from cellgraph_clr.cells.label_image import LabelImage
from cellgraph_clr.cells.scan import runs, scan_labels
from cellgraph_clr.cells.scan.columns import LEAST, MOST, N_INTENSITY, SQUARES, TOTAL, WEIGHTED
from cellgraph_clr.cells.scan.runs import Channel, Place, Runs, add_intensities, all_runs, flat

DTYPES = [np.uint8, np.int16, np.uint32, np.int64]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n_x", [1, 2, 63, 64, 65, 66, 128, 200])
@pytest.mark.parametrize("n_voxels", [1, 300, 2**18])
def test_runs_are_those_of_a_loop(dtype, n_x, n_voxels, monkeypatch, rng):
    labels = np.repeat(rng.integers(0, 3, (3, 2, n_x)), 3, axis=2)[:, :, :n_x].astype(dtype, order="C")
    monkeypatch.setattr(runs, "BATCH_VOXELS", n_voxels)
    ends, of_runs, starts = all_runs(labels)
    for line, values in enumerate(labels.reshape(-1, n_x).tolist()):
        groups = [(value, len(list(same))) for value, same in itertools.groupby(values)]
        of_line = slice(starts[line], starts[line + 1])
        assert of_runs[of_line].tolist() == [value for value, _ in groups]
        assert ends[of_line].tolist() == np.cumsum([n for _, n in groups]).tolist()
    assert starts[-1] == len(ends)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32, np.float64])
def test_intensities_are_those_of_a_loop(dtype, rng):
    labels = np.repeat(rng.integers(0, 4, (3, 4, 9)), 2, axis=2).astype(np.uint8)
    ends, of_runs, starts = all_runs(labels)
    place = Place(4, 1, 2, 5, 10, 20, 30, 99, 99, 99)
    own = (rng.random((2, 2, 13)) * 200).astype(dtype)
    table = np.zeros((4, 2, N_INTENSITY))
    table[:, :, LEAST], table[:, :, MOST] = np.inf, -np.inf
    known = Runs(ends, of_runs.astype(np.int32), starts, 0)
    add_intensities(flat(own), known, place, Channel(table, 1, 50.0), (0, 12))
    assert not table[:, 0, TOTAL].any()
    assert not table[0, 1, TOTAL]  # the background
    for row in range(1, 4):
        at = np.argwhere(labels[1:, 2:, 5:] == row)
        values = own[tuple(at.T)].astype(float)
        if not len(at):
            continue
        np.testing.assert_allclose(table[row, 1, TOTAL], (values - 50).sum(), rtol=1e-9, atol=1e-9)
        np.testing.assert_allclose(table[row, 1, SQUARES], ((values - 50) ** 2).sum(), rtol=1e-9)
        assert table[row, 1, LEAST] == values.min()
        assert table[row, 1, MOST] == values.max()
        place_of = at + np.array([11, 22, 35])
        np.testing.assert_allclose(table[row, 1, WEIGHTED], (place_of * values[:, None]).sum(0), rtol=1e-9)


def test_only_runs_and_intensities_are_compiled_per_dtype(rng):
    pairs = [(np.uint8, np.float32), (np.int16, np.uint8), (np.int32, np.uint16), (np.uint64, np.float64)]
    for (of_labels, of_image), surface in itertools.product(pairs, (True, False)):
        labels = rng.integers(0, 9, (9, 10, 11)).astype(of_labels)
        image = rng.random((1, 9, 10, 11)).astype(of_image)
        labels.flags.writeable = image.flags.writeable = not surface
        for spacing in ((1.0, 1.0, 1.0), (3.0, 1.0, 1.0)):
            scan_labels(LabelImage.build(labels, image, spacing=spacing), surface=surface, n_jobs=2)
    per_dtype = {"find_runs", "add_intensities"}
    for name in ("runs", "sums", "matches", "faces", "overlaps"):
        module = importlib.import_module(f"cellgraph_clr.cells.scan.{name}")
        for kernel in vars(module).values():
            if isinstance(kernel, Dispatcher):
                limit = 4 if kernel.__name__ in per_dtype else 1
                assert len(kernel.signatures) <= limit, kernel.__name__
