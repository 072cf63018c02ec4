"""What a page searches by, and what it draws beside the tissue: int8 codes of vectors, and two dimensions of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from cellgraph_clr._core.checks import check_key, expected
from cellgraph_clr._core.errors import ShapeError
from cellgraph_clr.adata.keys import X_CONTEXT
from cellgraph_clr.adata.reading import read_features, scales_are_weights
from cellgraph_clr.analysis.retrieval import compared_directions, nearest

if TYPE_CHECKING:
    from anndata import AnnData

__all__ = ["Codes", "coded", "flat_embedding", "page_vectors"]

SEARCHED = (X_CONTEXT, "X_cellgraph", "X_morphocontext", "X_morpho", "X_pca", "X")  # the first there is
MOST_COLUMNS = 4096  # of `X` that are searched
WIDTHS = (8, 16, 24, 32, 48, 64, 96, 128, 192, 256)
FINER = (1, 2, 4, 8)  # steps of codes in a step of the widest axis in eight bits
ENOUGH = 0.98  # of the nearest cells, on which the dimensions of codes are chosen
MOST_BYTES = 8_000_000  # of codes, where their dimensions are chosen
K = 50
N_TRIED = 64  # queries
N_NEIGHBORS = 15  # of a UMAP, as scanpy
LEAST_UMAP, MOST_UMAP = 20, 50_000  # cells that a UMAP is made of where there is none


class Codes(NamedTuple):
    """Directions of cells, rotated to principal axes, as whole numbers of equal steps.

    Along an axis a direction is about the sum of ``code * scale`` over the columns of that axis. Axes on which eight bits are
    too few have two columns, a coarse one and one for what it leaves. Steps are equal on all axes, so that those of little
    spread have small numbers, which compress.
    """

    code: np.ndarray
    """(columns, n) int8."""
    scale: np.ndarray
    """(columns,) float32."""
    axis: np.ndarray
    """(columns,) the axis of each."""
    agreement: float
    """Share of the 50 nearest cells that are found by codes."""


def page_vectors(adata: AnnData, use_rep: str | None) -> tuple[str, np.ndarray, bool] | None:
    """Return name, vectors (n, d) float32, missing values filled by the median, and whether scales of columns are weights.

    None of `use_rep` takes the first of `SEARCHED`; None is returned where there is none of them. Raises `MissingKeyError`
    for an unknown key, and as `read_features`.
    """
    if use_rep is not None and use_rep != "X":
        check_key(use_rep, list(adata.obsm), where="adata.obsm")
    usable = adata.X is not None and 0 < adata.n_vars <= MOST_COLUMNS
    found = [k for k in SEARCHED if (k == "X" and usable) or k in adata.obsm]
    if use_rep is None and not found:
        return None
    name = use_rep or found[0]
    vectors, _ = read_features(adata, name)
    return name, _filled(vectors), scales_are_weights(adata, name)


def _filled(vectors: np.ndarray) -> np.ndarray:
    """Return vectors whose values that are not finite are the median of their column (0 without one)."""
    bad = ~np.isfinite(vectors)
    if not bad.any():
        return vectors
    out = vectors.copy()
    for j in np.flatnonzero(bad.any(axis=0)):
        good = out[~bad[:, j], j]
        out[bad[:, j], j] = np.median(good) if len(good) else 0.0
    return out


def coded(vectors: np.ndarray, *, weighted: bool, n_dims: int | None, rng: np.random.Generator) -> Codes:
    """Return int8 codes of the directions that `tl.retrieve` compares.

    Parameters
    ----------
    vectors : (n, d) finite, n at least 1.
    weighted : columns are centred alone, and not standardised (see `tl.retrieve`).
    n_dims : principal axes kept; None takes the fewest of `WIDTHS` with which `N_TRIED` random cells find `ENOUGH` of their
        50 nearest, as far as `MOST_BYTES` allows. Axes are of the directions, not centred, so that products are kept best
        (Eckart and Young 1936). Steps are the coarsest of `FINER` that do, as far as `MOST_BYTES` allows;
        for a number that is asked for the finest.
    rng : of the cells tried.

    Notes
    -----
    O(n d^2).
    """
    directions = compared_directions(vectors, weighted=weighted)
    square = directions.T.astype(np.float64) @ directions.astype(np.float64)
    axes = np.linalg.eigh(square)[1][:, ::-1]
    turned = directions @ np.ascontiguousarray(axes, np.float32)
    n, d = turned.shape
    widest = min(d, WIDTHS[-1], max(MOST_BYTES // n, WIDTHS[0]))
    widths = [*(w for w in WIDTHS if w < widest), widest] if n_dims is None else [min(n_dims, d)]
    tried = np.sort(rng.choice(n, min(N_TRIED, n), replace=False))
    truth = nearest(directions[tried], directions, min(K, n))[0]
    best = None
    for width in widths:
        kept = np.ascontiguousarray(turned[:, :width])
        if width < widths[-1] and _same(kept, tried, truth) < ENOUGH:
            continue
        for finer in FINER if n_dims is None else FINER[-1:]:
            codes = _int8(kept, finer)
            if best is not None and codes[0].size > MOST_BYTES:
                break
            best = Codes(*codes, _same(_decoded(*codes), tried, truth))
            if best.agreement >= ENOUGH:
                return best
    assert best is not None
    return best


def _same(vectors: np.ndarray, tried: np.ndarray, truth: np.ndarray) -> float:
    """Return the share of the nearest (q, k) of the rows `tried` that vectors find."""
    found = nearest(vectors[tried], vectors, truth.shape[1])[0]
    return float(np.mean([len(np.intersect1d(a, b)) / truth.shape[1] for a, b in zip(truth, found, strict=True)]))


def _int8(values: np.ndarray, finer: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return codes, scales and axes of columns; a step is the largest value by 127 and by `finer`."""
    step = float(np.abs(values).max(initial=0)) / (127 * finer) or 1.0
    whole = np.rint(values.T / step)
    wide = np.abs(whole).max(axis=1, initial=0) > 127
    coarse = np.where(wide[:, None], np.rint(whole / (2 * finer)), whole)
    fine = (whole - coarse * 2 * finer)[wide]
    scale = np.r_[np.where(wide, 2 * finer * step, step), np.full(len(fine), step)]
    axis = np.r_[np.arange(len(whole)), np.flatnonzero(wide)]
    return np.concatenate([coarse, fine]).astype(np.int8), scale.astype(np.float32), axis


def _decoded(code: np.ndarray, scale: np.ndarray, axis: np.ndarray) -> np.ndarray:
    """Return directions (n, d) float32 along the principal axes."""
    out = np.zeros((code.shape[1], int(axis.max()) + 1), np.float32)
    for column, s, a in zip(code, scale, axis, strict=True):
        out[:, a] += column * s
    return out


def flat_embedding(
    adata: AnnData, rows: np.ndarray, embedding: str | None, vectors: np.ndarray | None, *, weighted: bool, seed: int
) -> tuple[str, np.ndarray] | None:
    """Return a name and two dimensions (n, 2) of these rows to draw; None where there is nothing to draw.

    `vectors` (n, d) are theirs, or None; `weighted` as in `coded`. `embedding` is an `obsm` key of at least two columns; None
    takes "X_umap" where it exists, else makes a UMAP of the vectors, and of fewer than `LEAST_UMAP` or more than `MOST_UMAP`
    cells takes their first two principal axes. Raises `MissingKeyError` and `ShapeError`.
    """
    key = "X_umap" if embedding is None and "X_umap" in adata.obsm else embedding
    if key is not None:
        values = read_features(adata, key)[0]
        if values.shape[1] < 2:
            raise ShapeError(expected(f"two columns in obsm[{key!r}]", values.shape[1], "Choose another embedding."))
        return _spoken(key), values[rows, :2]
    if vectors is None or len(vectors) < 3:
        return None
    directions = compared_directions(vectors, weighted=weighted)
    if len(vectors) > MOST_UMAP or len(vectors) < LEAST_UMAP:
        return "principal axes", _principal(directions)
    return "UMAP", umap(directions, seed)


def _spoken(key: str) -> str:
    name = key.removeprefix("X_")
    return {"umap": "UMAP", "tsne": "t-SNE", "pca": "principal axes"}.get(name, name)


def _principal(directions: np.ndarray) -> np.ndarray:
    """Return the first two principal axes (n, 2), each with its largest entry positive."""
    centred = directions - directions.mean(axis=0)
    axes = np.linalg.eigh(centred.T.astype(np.float64) @ centred)[1][:, ::-1][:, :2]
    axes = axes * np.sign(axes[np.abs(axes).argmax(axis=0), range(axes.shape[1])])
    flat = centred @ axes
    return flat if flat.shape[1] == 2 else np.c_[flat, np.zeros(len(flat))]


def umap(directions: np.ndarray, seed: int) -> np.ndarray:
    """Return a UMAP (n, 2) float32 of directions (n, d), n at least 3."""
    from cellgraph_clr.analysis.layout import laid_out
    from cellgraph_clr.analysis.neighbor_weights import fuzzy_neighbors

    weights = fuzzy_neighbors(directions, min(N_NEIGHBORS, len(directions) - 1))
    return laid_out(weights, _principal(directions), random_state=seed)
