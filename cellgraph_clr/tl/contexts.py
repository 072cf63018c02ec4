"""Context: what a cell is and where it belongs, in one vector."""

from __future__ import annotations

from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from cellgraph_clr._core.arguments import checked
from cellgraph_clr._core.checks import check_key_added, check_whole, expected
from cellgraph_clr._core.errors import NoCellsError, OptionError
from cellgraph_clr._core.log import log_written
from cellgraph_clr._core.options import shows
from cellgraph_clr._core.rng import RandomState, as_seed
from cellgraph_clr.adata.copies import own_or_copy
from cellgraph_clr.adata.images_of_cells import image_numbers
from cellgraph_clr.adata.keys import X_CONTEXT
from cellgraph_clr.adata.positions import position_of
from cellgraph_clr.adata.provenance import record_run
from cellgraph_clr.adata.reading import adjacency_of, check_edges, representation
from cellgraph_clr.adata.samples import sample_of
from cellgraph_clr.analysis.context import ContextOptions
from cellgraph_clr.tl.common import check_apart

if TYPE_CHECKING:
    from collections.abc import Sequence

    from anndata import AnnData

__all__ = ["context"]

# What a single cell says of the tissue around it: a perceptron on its own features, alike for cells within two steps.
CODES: dict[str, Any] = {
    "positives": "neighbors",
    "n_hops": 2,
    "n_layers": 0,
    "n_own": 0,
    "mask_features": 0.3,
    "jitter": 0.3,
    "drop_edges": 0.0,
    "n_steps": 200,
}
TEMPERATURE = 0.2


@shows(ContextOptions)
@checked
def context(
    adata: AnnData,
    *,
    use_rep: str | Sequence[str] | None = "X",
    learn: bool = True,
    n_types: int | None = 64,
    batch_key: str | None = None,
    n_dims: int = 128,
    neighbors_key: str = "spatial",
    library_key: str | None = None,
    key_added: str = X_CONTEXT,
    random_state: RandomState = 0,
    n_jobs: int | None = -1,
    progress: bool | None = None,
    copy: bool = False,
    **options: Any,
) -> AnnData | None:
    """Describe cells by what they are, by the types around them, and by tissue like theirs elsewhere, without labels.

    Vectors for "where else does the tissue look like this?": `tl.retrieve_regions` takes them by default where they exist.

    Parameters
    ----------
    adata : AnnData
        Features and a spatial graph; several samples are worked out together, so that the same tissue is found in all.
        Features are standardised inside. Long tails stay: `pp.scale_features(adata, impute="median")` takes them away,
        and is what the command `cellgraph-clr context` does first.
    use_rep : str or sequence of str or None, default "X"
        Features, an `obsm` key, or several, each of which gives soft types of its own (measured features, learned
        codes, principal components of genes).
    learn : bool, default True
        Add soft types of a code that is learned from `use_rep`: alike for cells within two steps on the graph
        (`models.CellGraphCLR` with InfoNCEp; about a minute for 5,000 cells).
    n_types : int or None, default 64
        Soft types of each representation; None takes the features themselves as codes.
    batch_key : str or None, default None
        `obs` column of batches whose features are standardised apart: a shift between them is taken away, and with it
        what their compositions differ in. None standardises all cells together.
    n_dims : int, default 128
        Principal components kept, not whitened; all columns where there are fewer.
    neighbors_key : str, default "spatial"
        The graph: its `key_added`.
    library_key : str or None, default None
        `obs` column of samples; None as in `gr.contact_graph`.
    key_added : str, default "X_context"
        `obsm` key of the vectors (n, n_dims) float32, to be compared by cosine as they are: their blocks have weights.
    random_state : int, numpy.random.Generator or None, default 0
        Seed.
    n_jobs : int or None, default -1
        Threads; they do not change the result.
    progress : bool or None, default None
        Of learning.
    copy : bool, default False
        Return a new AnnData.
    **options : object
        As in `analysis.context.ContextOptions`.

    Returns
    -------
    AnnData or None
        The new AnnData with `copy=True`, else None.

    Raises
    ------
    NoGraphError, MissingKeyError, NonFiniteError, NoCellsError, OptionError
        For missing parts, NaN, wrong options.
    GeometryError, ShapeError
        For positions that are too far apart or too near, or not two or three columns.
    CellGraphError
        For edges between samples or frames.

    Notes
    -----
    Positions only say which cells are near: tissue that was turned or mirrored has the same vectors. The vectors are of the cells
    at hand: work out samples together that are to be compared. The method, with its letters: `analysis.context`.

    Examples
    --------
    >>> import cellgraph_clr as cgc
    >>> adata = cgc.datasets.tissue(120, random_state=0).adata()
    >>> cgc.gr.contact_graph(adata)
    >>> cgc.tl.context(adata, learn=False, n_dims=16, progress=False)
    >>> adata.obsm["X_context"].shape == (adata.n_obs, 16)
    True
    """
    from cellgraph_clr._core.scaling import column_moments
    from cellgraph_clr.analysis.context import context_vectors, principal
    from cellgraph_clr.analysis.prototypes import soft_types

    check_key_added(key_added, "obsm")
    check_whole("n_dims", n_dims)
    if n_types is not None:
        check_whole("n_types", n_types, low=2)
    chosen = ContextOptions.of(options)
    if adata.n_obs == 0:
        raise NoCellsError(expected("at least one cell", "an AnnData without rows", "Check the filter before."))
    adata = own_or_copy(adata, copy=copy)
    xyz, image = position_of(adata), image_numbers(adata, library_key)
    adjacency = adjacency_of(adata, neighbors_key)
    check_edges(adjacency.nnz, adata.n_obs, neighbors_key)
    check_apart(adjacency, image)
    names = representation(adata, use_rep)[1]
    if not names:
        raise OptionError(expected("at least one representation in `use_rep`", "none", 'Name a key of `obsm`, or "X".'))
    batch = (
        np.zeros(adata.n_obs, int)
        if batch_key is None
        else np.unique(sample_of(adata, batch_key, option="batch_key"), return_inverse=True)[1]
    )
    blocks = []
    for name in names:
        values = representation(adata, name)[0].astype(np.float32)
        for number in range(batch.max(initial=0) + 1):
            rows = batch == number
            mean, scale = column_moments(values[rows])
            values[rows] = (values[rows] - mean) / scale
        blocks.append(values)
    seed = as_seed(random_state)
    x = np.concatenate(blocks, axis=1)
    if learn:
        blocks.append(_learned(adata, x, neighbors_key, library_key, seed=seed, progress=progress))
    codes = np.concatenate(
        blocks if n_types is None else [soft_types(b, n_types, random_state=seed) for b in blocks], axis=1
    )
    del blocks
    rng = np.random.default_rng(seed)
    wide = context_vectors(x, codes, adjacency, xyz, image, options=chosen, rng=rng, n_jobs=n_jobs)
    adata.obsm[key_added] = principal(wide, n_dims)
    run = {"function": "tl.context", "use_rep": names, "learn": learn, "n_types": n_types, "batch_key": batch_key}
    run |= {"n_dims": n_dims, "neighbors_key": neighbors_key, "library_key": library_key, "seed": seed}
    record_run(adata, key_added, run | {"options": asdict(chosen)})
    log_written("tl.context", [f"obsm[{key_added!r}]"])
    return adata if copy else None


def _learned(
    adata: AnnData, x: np.ndarray, neighbors_key: str, library_key: str | None, *, seed: int, progress: bool | None
) -> np.ndarray:
    """Return the learned codes (n, 64) of features (n, f), columns standardised."""
    from anndata import AnnData as Cells

    from cellgraph_clr._core.scaling import column_moments
    from cellgraph_clr.losses import InfoNCEp
    from cellgraph_clr.models.cell_graph.model import CellGraphCLR

    objective = partial(InfoNCEp, TEMPERATURE, method="auto")
    cells = Cells(x, obs=adata.obs, obsm={"spatial": adata.obsm["spatial"]}, obsp=dict(adata.obsp), uns=dict(adata.uns))
    model = CellGraphCLR(objective=objective, random_state=seed, progress=progress, **CODES)
    found = model.fit_transform(cells, neighbors_key=neighbors_key, library_key=library_key)
    mean, scale = column_moments(found)
    return np.asarray((found - mean) / scale, np.float32)
