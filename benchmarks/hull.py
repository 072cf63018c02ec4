"""Solidity in 3D from line ends against regionprops."""

import warnings

import numpy as np

from benchmarks.inputs import packed
from benchmarks.rows import Row, Rows
from benchmarks.timing import paired
from cellgraph_clr import from_labels


def run(*, size: str, data: str | None) -> list[Row]:  # noqa: ARG001
    """Return medians on packed cells."""
    from skimage.measure import regionprops_table

    labels = packed((24, 24, 24), 12) if size == "small" else packed((128, 128, 128), 60)

    def peer() -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            regionprops_table(labels, properties=("label", "solidity"))

    def ours() -> None:
        from_labels(labels, spacing=(1.0, 1.0, 1.0), features=("hull",), n_jobs=1)

    n, volume = len(np.unique(labels)) - 1, np.median(np.bincount(labels.ravel())[1:])
    medians = paired({"ours": ours, "regionprops": peer}, rounds=1)
    rows = Rows("hull")
    name = f"a cell of {round(volume, -3):,.0f} voxels"
    rows.times(name, {call: seconds / n for call, seconds in medians.items()}, ours="ours")
    return rows
