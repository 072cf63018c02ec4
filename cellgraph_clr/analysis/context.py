"""What a cell is and where it belongs: its types, those around it, and tissue like it elsewhere, as one vector."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np

from cellgraph_clr._core.checks import MOST_STEPS, check_in_range, check_key, check_whole, expected
from cellgraph_clr._core.errors import OptionError
from cellgraph_clr.analysis.alike import alike_elsewhere
from cellgraph_clr.analysis.retrieval import column_scale, unit_rows
from cellgraph_clr.analysis.spectrum import spectral_coordinates
from cellgraph_clr.graphs.walks import lazy_walk, local_order, plain_walk, walked

if TYPE_CHECKING:
    from collections.abc import Mapping

    from scipy.sparse import csr_matrix


__all__ = ["ContextOptions", "context_vectors", "principal"]

STEPS = ("n_near", "n_far", "n_shared")  # of walks
BESIDE = 0.3  # weight of what is near, and of the cell, where cells are compared to be joined


@dataclass(frozen=True, slots=True)
class ContextOptions:
    """How context is worked out; see `context_vectors` for the letters.

    Parameters
    ----------
    n_near : int, default 2
        Steps of the walk on the graph that describes the neighbourhood (c_near).
    n_far : int, default 32
        Steps of the walk that describes the surroundings (c_far).
    n_alike : int, default 50
        Cells elsewhere with which surroundings are shared; 0: none, J is then c_far.
    n_apart : int, default 300
        The nearest so many cells of the same image are not elsewhere.
    n_shared : int, default 4
        Steps along which surroundings are shared.
    region_weight : float, default 1.0
        Weight of the coarse parts of the tissue (R); 0 leaves them out, for finer parts.
    shared_weight : float, default 0.5
        Weight of the surroundings shared with tissue alike (J).
    near_weight : float, default 0.3
        Weight of the neighbourhood (c_near).
    cell_weight : float, default 0.3
        Weight of the cell's own features.
    n_neighbors : int, default 30
        Cells alike that each is joined to in the graph of which R is made.
    n_vectors : int, default 100
        Slow coordinates of that graph in R.
    power : int, default 64
        Steps of diffusion in R: the more, the coarser.
    """

    n_near: int = 2
    n_far: int = 32
    n_alike: int = 50
    n_apart: int = 300
    n_shared: int = 4
    region_weight: float = 1.0
    shared_weight: float = 0.5
    near_weight: float = 0.3
    cell_weight: float = 0.3
    n_neighbors: int = 30
    n_vectors: int = 100
    power: int = 64

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> ContextOptions:
        """Return options by name; raises `OptionError` for an unknown one, with the nearest known."""
        for name in options:
            check_key(name, [f.name for f in fields(cls)], where="ContextOptions", error=OptionError)
        return cls(**options)

    def __post_init__(self) -> None:
        """Check every field."""
        low = {"n_far": self.n_near if isinstance(self.n_near, int) else 1, "n_alike": 0, "n_apart": 0, "n_shared": 0}
        for name in ("n_near", "n_far", "n_alike", "n_apart", "n_shared", "n_neighbors", "n_vectors", "power"):
            high = MOST_STEPS if name in STEPS else np.inf
            check_whole(name, getattr(self, name), low=low.get(name, 1), high=high)
        for name in ("region_weight", "shared_weight", "near_weight", "cell_weight"):
            check_in_range(name, getattr(self, name), low=0)
        if not any((self.region_weight, self.shared_weight, self.near_weight, self.cell_weight)):
            raise OptionError(expected("a weight above 0", "0 for all four", "Leave one block in."))


def context_vectors(
    x: np.ndarray,
    codes: np.ndarray,
    adjacency: csr_matrix,
    position: np.ndarray,
    image: np.ndarray,
    *,
    options: ContextOptions,
    rng: np.random.Generator,
    n_jobs: int | None = None,
) -> np.ndarray:
    """Return ``[w_R u0(R) | w_J u(J) | w_near u(c_near) | w_cell u(x)]`` (n, d) float32: blocks side by side.

    They are to be compared by cosine. With c_t the codes after t steps of the lazy walk, u(.) columns standardised and rows of
    length 1, u0(.) centred and rows of length 1 (all derivations ours):

    * ``base = [u(c_far) | .3 u(c_near) | .3 u(x)]``;
    * J: c_far after `n_shared` steps of ``½ P + ½ N``, P the walk on the graph, N that to the `n_alike` cells most alike in base
      that are not among the `n_apart` nearest in space;
    * R: the slow coordinates (`spectral_coordinates`) of ``[u(J) | .3 u(c_near) | .3 u(x)]``.

    Parameters
    ----------
    x : (n, f) features, standardised.
    codes : (n, k) what a cell is, such as soft types; the blocks of c and J.
    adjacency : (n, n) graph of ones; no edge joins two images.
    position : (n, 2) or (n, 3); only says who is near.
    image : (n,) number of the image of every cell.
    options, rng, n_jobs : how; of what is drawn; threads, which do not change the result.

    Notes
    -----
    Positions, turned, mirrored or shifted, give the same vectors. Of the cells at hand: other cells are to be worked out together
    with them. O(n_far edges k) and the searches of `alike_elsewhere` and `spectral_coordinates`; about 4 n (4 k + 2 f) bytes.
    Fewer than three cells have the vectors of their own blocks, without R; no cells give no rows.
    """
    o = options
    if len(x) == 0:
        return np.zeros((0, 2 * codes.shape[1] + x.shape[1]), np.float32)
    order = local_order(adjacency)
    x, codes, position, image = x[order], codes[order], position[order], image[order]
    adjacency = adjacency[order][:, order].tocsr()
    own = _units(x)
    step = lazy_walk(adjacency)
    near = walked(step, codes, o.n_near, n_jobs=n_jobs)
    far = walked(step, near, o.n_far - o.n_near, n_jobs=n_jobs) if o.n_far > o.n_near else near
    near = _units(near)
    shared = _standard(far)
    if o.n_alike and o.n_shared and len(x) > 2:
        base = _lengths(_beside([(1, _units(far)), (BESIDE, near), (BESIDE, own)]))
        alike = alike_elsewhere(base, position, image, o.n_alike, n_apart=o.n_apart, rng=rng, n_jobs=n_jobs)
        del base
        along = (0.5 * plain_walk(adjacency) + 0.5 * plain_walk(alike)).tocsr()
        del alike
        shared = walked(along, shared, o.n_shared, n_jobs=n_jobs)
    shared = _units(shared)
    blocks = [(o.shared_weight, shared), (o.near_weight, near), (o.cell_weight, own)]
    if o.region_weight and len(x) > 2:
        cloud = _lengths(_beside([(1, shared), (BESIDE, near), (BESIDE, own)]))
        how = {"n_neighbors": o.n_neighbors, "n_vectors": o.n_vectors, "power": o.power}
        region = spectral_coordinates(cloud, **how, rng=rng, n_jobs=n_jobs)
        del cloud
        blocks.insert(0, (o.region_weight, _lengths(region)))
    return _beside(blocks, rows=order)


def principal(vectors: np.ndarray, n_dims: int) -> np.ndarray:
    """Return the first `n_dims` principal components (n, n_dims) float32, not whitened: cosines stay nearly as they were.

    All columns, centred, where there are no more. The sign of a component is that of its largest loading. O(n d²).
    """
    centred = vectors - vectors.mean(axis=0, dtype=np.float64).astype(np.float32)
    if vectors.shape[1] <= n_dims:
        return centred
    covariance = np.zeros((vectors.shape[1],) * 2)
    for start in range(0, len(centred), 2**16):
        part = centred[start : start + 2**16]
        covariance += part.T @ part
    turn = np.linalg.eigh(covariance)[1][:, ::-1][:, :n_dims]
    turn = turn * np.where(turn[np.abs(turn).argmax(axis=0), np.arange(n_dims)] < 0, -1, 1)
    return centred @ turn.astype(np.float32)


def _standard(values: np.ndarray) -> np.ndarray:
    """Return columns standardised; constant ones are 0."""
    mean, scale = column_scale(values)
    return ((values - mean) * scale).astype(np.float32)


def _units(values: np.ndarray) -> np.ndarray:
    """Return columns standardised, then rows of length 1."""
    return unit_rows(values, *column_scale(values))


def _beside(blocks: list[tuple[float, np.ndarray]], rows: np.ndarray | None = None) -> np.ndarray:
    """Return blocks, each times its weight, side by side; in these rows."""
    edges = np.cumsum([0, *(b.shape[1] for _, b in blocks)])
    out = np.empty((len(blocks[0][1]), edges[-1]), np.float32)
    for (weight, block), start, stop in zip(blocks, edges[:-1], edges[1:], strict=True):
        out[slice(None) if rows is None else rows, start:stop] = np.float32(weight) * block
    return out


def _lengths(values: np.ndarray) -> np.ndarray:
    """Return columns centred, then rows of length 1, in the place of the values."""
    values -= values.mean(axis=0, dtype=np.float64).astype(np.float32)
    for start in range(0, len(values), 2**16):
        part = values[start : start + 2**16]
        part /= np.maximum(np.linalg.norm(part, axis=1, keepdims=True), 1e-12)
    return values
