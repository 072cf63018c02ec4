"""What the tools share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cellgraph_clr._core.checks import expected
from cellgraph_clr._core.errors import CellGraphError, OptionError
from cellgraph_clr.graphs.samples import n_crossing

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable

    import numpy as np
    from scipy.sparse import csr_matrix

__all__ = ["check_apart", "check_model_alone", "trained_with"]


def check_apart(adjacency: csr_matrix, image: np.ndarray, *, edges: str = "edges") -> None:
    """Raise `CellGraphError` for edges, named as told, between images; `image` (n,) is the number of that of each cell."""
    across = n_crossing(adjacency, image)
    if across:
        remedy = "Build the graph again, now that the samples are named: `cgc.gr.delaunay_graph(adata)`."
        raise CellGraphError(expected(f"{edges} within samples and frames", f"{across} between them", remedy))


def check_model_alone(given: Iterable[str]) -> None:
    """Raise `OptionError` for training options that were given beside a fitted model."""
    names = sorted(given)
    if names:
        raise OptionError(expected("no training options beside `model`", names, "Set them when fitting."))


def trained_with(checkpoint: str | os.PathLike[str] | None, device: str) -> list[str]:
    """Return which of these options of a run were given, for `check_model_alone`."""
    return [name for name, given in (("checkpoint", checkpoint is not None), ("device", device != "auto")) if given]
