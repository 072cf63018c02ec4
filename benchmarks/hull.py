"""Solidity in 3D from line ends against regionprops."""

import warnings

import numpy as np

from benchmarks.inputs import packed
from benchmarks.timing import paired, show
from cellgraph_clr import from_labels


def run(*, size: str, data: str | None) -> None:  # noqa: ARG001
    """Print medians on packed cells."""
    from skimage.measure import regionprops_table

    labels = packed((24, 24, 24), 12) if size == "small" else packed((128, 128, 128), 60)

    def peer() -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            regionprops_table(labels, properties=("label", "solidity"))

    def ours() -> None:
        from_labels(labels, spacing=(1.0, 1.0, 1.0), features=("hull",), n_jobs=1)

    print(f" {len(np.unique(labels)) - 1} cells of {np.median(np.bincount(labels.ravel())[1:]):.0f} voxels")
    show(
        paired({"from_labels(features=('hull',))": ours, "regionprops solidity": peer}, rounds=1),
        ours="from_labels(features=('hull',))",
    )
