"""Generated tissue with known truth: types with shape and texture, niches, left-right twins, noise, all from a seed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cellgraph_clr._core.arguments import checked
from cellgraph_clr._core.checks import check_in_range, check_option, check_whole
from cellgraph_clr._core.rng import RandomState, as_rng
from cellgraph_clr.cells.label_image import LabelImage
from cellgraph_clr.cells.movie import Movie
from cellgraph_clr.datasets.voronoi import packed_labels

if TYPE_CHECKING:
    import pandas as pd
    from anndata import AnnData

__all__ = ["Noise", "Tissue", "movie", "tissue"]

CELL_SIZE = 10.0  # micrometers between neighbouring centres
TYPE_CHANNELS = 3
FIELD_CHANNELS = 3
REGION_CHANNELS = 3
FIELD_STRENGTH = 8.0  # spread of the gradients, in units of the type signal
REGION_STRENGTH = 5.0  # length of the mean that a region adds, in units of the type signal
TYPES_PER_NICHE = 2
BACKGROUND, GAIN = 400.0, 60.0  # grey level of the image and grey levels per unit of signal


@dataclass(frozen=True, slots=True)
class Noise:
    """How far single cells stray from their type, in units of the signal's standard deviation.

    Parameters
    ----------
    cell : float, default 4.0
        Standard deviation of what every cell adds to each channel, the same in all of its pixels.
    shape : float, default 0.3
        Standard deviation of the log of size, elongation and grain (texture) of a cell.
    pixel : float, default 1.0
        Standard deviation of pixel noise, in units of the signal.
    mixing : float, default 0.01
        Share of cells whose type is drawn anew from their niche, whatever their surroundings.

    Examples
    --------
    >>> import cellgraph_clr as cgc
    >>> tissue = cgc.datasets.tissue(60, noise=cgc.datasets.Noise(cell=3), random_state=0)
    >>> len(tissue.truth) > 30
    True
    """

    cell: float = 4.0
    shape: float = 0.3
    pixel: float = 1.0
    mixing: float = 0.01

    def __post_init__(self) -> None:
        """Check every field."""
        for name in ("cell", "shape", "pixel"):
            check_in_range(name, getattr(self, name), low=0)
        check_in_range("mixing", self.mixing, low=0, high=1)


@dataclass(frozen=True, slots=True, eq=False)
class Tissue:
    """Generated tissue: labels with intensities, and per cell id its type, niche and twin (0 for none).

    Parameters
    ----------
    image : LabelImage
        Labels with intensities.
    truth : pandas.DataFrame
        Per cell id what is known of the cell.

    Examples
    --------
    >>> import cellgraph_clr as cgc
    >>> tissue = cgc.datasets.tissue(120, random_state=0)
    >>> list(tissue.truth.columns)
    ['type', 'niche', 'twin']
    """

    image: LabelImage
    truth: pd.DataFrame

    def adata(self, **options: object) -> AnnData:
        """Return `from_labels` of the image with the truth in `obs` (true_type, true_niche, twin); options go along.

        Parameters
        ----------
        **options : object
            Of `from_labels`.

        Returns
        -------
        AnnData
            `from_labels` of the image with the truth in `obs` (true_type, true_niche, twin).

        Examples
        --------
        >>> import cellgraph_clr as cgc
        >>> adata = cgc.datasets.tissue(120, random_state=0).adata()
        >>> [c for c in adata.obs if c.startswith("true")]
        ['true_type', 'true_niche']
        """
        import pandas as pd

        from cellgraph_clr.io.cells import from_labels

        adata = from_labels(self.image, **options)  # type: ignore[arg-type]
        rows = self.truth.loc[adata.obs["cell_id"].to_numpy()]
        adata.obs["true_type"] = pd.Categorical(rows["type"].to_numpy())
        adata.obs["true_niche"] = pd.Categorical(rows["niche"].to_numpy())
        adata.obs["twin"] = rows["twin"].to_numpy()
        return adata


def _half_seeds(n_half: int, ndim: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return jittered-grid seeds (m, 3) of the left half and the extent (3,) of the whole, in micrometers."""
    if ndim == 3:
        side = (n_half / 2) ** (1 / 3)
        counts = np.maximum(2, np.round([side, side * 2, side]).astype(int))
    else:
        side = (n_half / 2) ** 0.5
        counts = np.array([1, max(2, round(side * 2)), max(2, round(side))])
    grid = np.stack(np.meshgrid(*(np.arange(c) + 0.5 for c in counts), indexing="ij"), -1).reshape(-1, 3)
    jitter = rng.uniform(-0.3, 0.3, grid.shape)
    if ndim == 2:
        jitter[:, 0] = -0.5
        grid[:, 0] = 0.5
    seeds = (grid + jitter) * CELL_SIZE
    return seeds, counts * np.array([1, 1, 2]) * CELL_SIZE


def _nearest(points: np.ndarray, centres: np.ndarray) -> np.ndarray:
    from scipy.spatial import cKDTree

    return cKDTree(centres).query(points)[1]


def _spread_centres(points: np.ndarray, n: int, rng: np.random.Generator) -> np.ndarray:
    """Return n centres of parts of about equal size (a few rounds of Lloyd's algorithm)."""
    centres = points[rng.choice(len(points), n, replace=False)]
    for _ in range(10):
        owner = _nearest(points, centres)
        centres = np.stack([points[owner == i].mean(axis=0) if (owner == i).any() else centres[i] for i in range(n)])
    return centres


def _metrics(size: np.ndarray, ratio: np.ndarray, axis: np.ndarray, ndim: int) -> np.ndarray:
    """Return squared-distance matrices (n, 6) of prolate cells of given size factor, axis ratio and long axis."""
    d = ndim
    short = CELL_SIZE * 0.62 * size * ratio ** (-1 / d)
    long = short * ratio
    outer = axis[:, :, None] * axis[:, None, :]
    m = (np.eye(3) - outer) / short[:, None, None] ** 2 + outer / long[:, None, None] ** 2
    return np.stack([m[:, 0, 0], m[:, 1, 1], m[:, 2, 2], m[:, 0, 1], m[:, 0, 2], m[:, 1, 2]], axis=1)


def _directions(n: int, ndim: int, rng: np.random.Generator) -> np.ndarray:
    v = rng.normal(size=(n, 3))
    if ndim == 2:
        v[:, 0] = 0
    return v / np.linalg.norm(v, axis=1, keepdims=True)


def _spread_directions(n: int, d: int, rng: np.random.Generator) -> np.ndarray:
    """Return n unit vectors (n, d) far from one another, chosen greedily among random ones."""
    pool = rng.normal(size=(500, d))
    pool /= np.linalg.norm(pool, axis=1, keepdims=True)
    chosen = [0]
    for _ in range(n - 1):
        chosen.append(int((pool @ pool[chosen].T).max(axis=1).argmin()))
    return pool[chosen]


@checked
def tissue(
    n_cells: int = 5000,
    *,
    ndim: int = 3,
    n_types: int = 8,
    n_niches: int = 4,
    cells_per_patch: int = 250,
    noise: Noise | None = None,
    random_state: RandomState = 0,
) -> Tissue:
    """Return a generated tissue, mirror-symmetric between left and right.

    Parameters
    ----------
    n_cells : int, default 5000
        About as many cells.
    ndim : int, default 3
        2 or 3.
    n_types : int, default 8
        Cell types; each has a size, an elongation, and a mean in three channels (type_a … type_c).
    n_niches : int, default 4
        Regions per side ("organs"), each with two types and a mean of its own in three channels (region_1 …). A thin
        unlabelled sheath parts neighbouring niches, so contacts do not cross it.
    cells_per_patch : int, default 250
        Cells of one type lie together in patches of about this size.
    noise : Noise or None, default None
        See `Noise`.
    random_state : int, numpy.random.Generator or None, default 0
        Seed.

    Returns
    -------
    Tissue
        `Tissue`: spacing 2 x 1 x 1 micrometers (1 x 1 in 2D), nine channels. The channels field_1 … field_3 are smooth
        gradients over the tissue, alike on both sides, as morphogens are; no other trace of the position is in the
        image.

    Raises
    ------
    OptionError
        For options outside their range.

    Notes
    -----
    O(voxels); 5,000 cells in 3D are about 2.5 million voxels. The twin of a cell is the one grown from its mirrored seed.

    Examples
    --------
    >>> import cellgraph_clr as cgc
    >>> tissue = cgc.datasets.tissue(120, random_state=0)
    >>> list(tissue.truth.columns)
    ['type', 'niche', 'twin']
    """
    import pandas as pd

    check_in_range("n_cells", n_cells, low=8)
    check_option("ndim", ndim, (2, 3))
    check_in_range("n_types", n_types, low=2)
    check_in_range("n_niches", n_niches, low=1)
    check_in_range("cells_per_patch", cells_per_patch, low=1)
    noise = noise or Noise()
    rng = as_rng(random_state)
    half, extent = _half_seeds(max(4, n_cells // 2), ndim, rng)
    n = len(half)
    niche = _nearest(half, _spread_centres(half, min(n_niches, n), rng))
    deck = np.concatenate([rng.permutation(n_types) for _ in range(TYPES_PER_NICHE * n_niches)])
    composition = deck[: TYPES_PER_NICHE * n_niches].reshape(n_niches, -1)
    centres = _spread_centres(half, max(1, n // cells_per_patch), rng)
    patch = _nearest(half, centres)
    pick = rng.integers(composition.shape[1], size=len(centres))[patch]
    pick = np.where(rng.random(n) < noise.mixing, rng.integers(composition.shape[1], size=n), pick)
    kind = composition[niche, pick]
    region = REGION_STRENGTH * _spread_directions(n_niches, REGION_CHANNELS, rng)
    fields = np.concatenate([FIELD_STRENGTH * _fields(half, extent, rng), region[niche]], axis=1)
    mirrored = np.where([False, False, True], extent - half, half)
    mirrored[:, 1:] += rng.normal(0, 0.03 * CELL_SIZE, (n, 2))
    seeds = np.concatenate([half, mirrored]).clip(0, extent - 1e-6)
    order = rng.permutation(2 * n)  # ids say nothing about place or side
    both = np.concatenate([np.arange(n), np.arange(n)])[order]
    label_of = np.empty(2 * n, np.int64)
    label_of[order] = np.arange(1, 2 * n + 1)
    labels, spacing = _grown(seeds[order], kind[both], n_types, ndim, extent, noise, rng)
    _cut_septa(labels, np.concatenate([[-1], niche[both]]))
    image = _painted(labels, kind[both], fields[both], n_types, noise, rng)
    twin = label_of[(order + n) % (2 * n)]
    present = np.bincount(labels.ravel(), minlength=2 * n + 1)[1:] > 0
    truth = pd.DataFrame(
        {
            "type": [f"type {k}" for k in kind[both]],
            "niche": [f"niche {k}" for k in niche[both]],
            "twin": np.where(present[twin - 1], twin, 0),
        },
        index=pd.Index(np.arange(1, 2 * n + 1), name="cell_id"),
    )
    channels = [f"type_{c}" for c in "abc"] + [f"field_{i + 1}" for i in range(FIELD_CHANNELS)]
    channels += [f"region_{i + 1}" for i in range(REGION_CHANNELS)]
    if ndim == 2:
        labels, image = labels[0], image[:, 0]
    light = LabelImage.build(labels, image, spacing=spacing[3 - ndim :].tolist(), unit="micrometer", channels=channels)
    return Tissue(light, truth[present])


def _fields(half: np.ndarray, extent: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return three smooth fields (n, 3) of unit spread: one gradient along each axis, gently bent."""
    u = half / (extent * np.array([1, 1, 0.5]))
    bend = rng.uniform(-0.25, 0.25, (3, 3))
    raw = u + np.sin(2 * np.pi * u) @ bend.T * 0.3
    spread = raw.std(axis=0)
    return (raw - raw.mean(axis=0)) / np.where(spread > 1e-9, spread, 1)


def _grown(
    seeds: np.ndarray,
    kind: np.ndarray,
    n_types: int,
    ndim: int,
    extent: np.ndarray,
    noise: Noise,
    rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray]:
    """Return labels (z, y, x) of cells grown from seeds, and the spacing; types differ in size and elongation."""
    size_of = np.exp(np.linspace(-0.12, 0.12, n_types))[rng.permutation(n_types)]
    ratio_of = np.linspace(1.0, 1.8, n_types)[rng.permutation(n_types)]
    n = len(seeds)
    size = size_of[kind] * np.exp(rng.normal(0, noise.shape, n))
    ratio = np.maximum(1, ratio_of[kind] * np.exp(rng.normal(0, noise.shape, n)))
    metrics = _metrics(size, ratio, _directions(n, ndim, rng), ndim)
    spacing = np.array([2.0, 1.0, 1.0])
    shape = np.ceil(extent / spacing).astype(int)
    if ndim == 2:
        shape[0] = 1
    labels = packed_labels(tuple(shape), seeds, metrics, spacing, cell_size=CELL_SIZE)
    return labels, spacing


def _cut_septa(labels: np.ndarray, niche_of: np.ndarray) -> None:
    """Set the voxels on both sides of every border between niches to background, in place: organs have sheaths."""
    niche = niche_of[labels]
    border = np.zeros(labels.shape, bool)
    for axis in range(labels.ndim):
        low = tuple(slice(None, -1) if a == axis else slice(None) for a in range(labels.ndim))
        high = tuple(slice(1, None) if a == axis else slice(None) for a in range(labels.ndim))
        differ = (niche[low] != niche[high]) & (niche[low] >= 0) & (niche[high] >= 0)
        border[low] |= differ
        border[high] |= differ
    labels[border] = 0


def _painted(
    labels: np.ndarray, kind: np.ndarray, fields: np.ndarray, n_types: int, noise: Noise, rng: np.random.Generator
) -> np.ndarray:
    """Return the image (c, z, y, x) uint16: signal of each cell, its own noise, and pixel noise of its type's grain."""
    marker = rng.normal(size=(n_types, TYPE_CHANNELS))
    marker = (marker - marker.mean(axis=0)) / marker.std(axis=0)
    grain = np.linspace(0.8, 1.25, n_types)[rng.permutation(n_types)]
    signal = np.concatenate([marker[kind], fields], axis=1)
    signal = signal + rng.normal(0, noise.cell, signal.shape)
    table = np.concatenate([np.full((1, signal.shape[1]), -4.0), signal])
    own_grain = grain[kind] * np.exp(rng.normal(0, noise.shape, len(kind)))
    rough = np.concatenate([[0.5], own_grain]).astype(np.float32) * noise.pixel
    out = np.empty((signal.shape[1], *labels.shape), np.uint16)
    for c in range(signal.shape[1]):
        pixels = rng.standard_normal(labels.shape, dtype=np.float32) * rough[labels]
        pixels += table[labels, c].astype(np.float32)
        out[c] = (BACKGROUND + GAIN * pixels).clip(0, 65535).round()
    return out


@checked
def movie(
    n_cells: int = 40, n_frames: int = 12, *, division_rate: float = 0.03, random_state: RandomState = 0
) -> Movie:
    """Return a generated 2D movie of cells that drift and divide.

    Parameters
    ----------
    n_cells : int, default 40
        Cells in the first frame.
    n_frames : int, default 12
        Frames.
    division_rate : float, default 0.03
        Chance of a cell to divide in a frame; both daughters are new tracks that name their parent.
    random_state : int, numpy.random.Generator or None, default 0
        Seed.

    Returns
    -------
    Movie
        `cgc.Movie` with labels and tracks, 1 micrometer per pixel; label ids are track ids, kept over time; parent is 0
        for cells of the first frame.

    Raises
    ------
    OptionError
        For options outside their range.

    Examples
    --------
    >>> import cellgraph_clr as cgc
    >>> cgc.datasets.movie(6, 5, random_state=0)
    <Movie of 5 frames 35 x 35, channels intensity, labels, tracks>
    """
    import pandas as pd

    check_whole("n_cells", n_cells, low=2)
    check_whole("n_frames", n_frames)
    check_in_range("division_rate", division_rate, low=0, high=1)
    rng = as_rng(random_state)
    side = int(np.ceil(np.sqrt(n_cells * 2.0) * CELL_SIZE))
    place = {i + 1: rng.uniform(0.1 * side, 0.9 * side, 2) for i in range(n_cells)}
    record = {i: [i, 0, 0, 0] for i in place}
    labels = np.zeros((n_frames, side, side), np.int32)
    raw = np.zeros((n_frames, side, side), np.uint16)
    for t in range(n_frames):
        ids = np.array(sorted(place))
        seeds = np.array([[0.0, *place[i]] for i in ids])
        metrics = _metrics(np.full(len(ids), 0.8), np.ones(len(ids)), _directions(len(ids), 2, rng), 2)
        grown = packed_labels((1, side, side), seeds, metrics, np.ones(3), cell_size=CELL_SIZE)[0]
        labels[t] = np.concatenate([[0], ids])[grown]
        raw[t] = (200 + 300 * (grown > 0) + rng.normal(0, 30, grown.shape)).clip(0, 65535)
        for i in ids:
            record[i][2] = t
        if t + 1 < n_frames:
            place = _moved(place, record, t, side, division_rate, rng)
    seen = np.unique(labels[labels > 0])
    tracks = pd.DataFrame([record[i] for i in sorted(record)], columns=["track", "begin", "end", "parent"])
    kept = tracks[tracks["track"].isin(seen)].reset_index(drop=True)
    return Movie.build(raw, labels, kept, spacing=1.0, unit="micrometer")


def _moved(
    place: dict[int, np.ndarray], record: dict[int, list[int]], t: int, side: int, rate: float, rng: np.random.Generator
) -> dict[int, np.ndarray]:
    """Return the positions of the next frame; dividing cells end and two daughters begin."""
    out = {}
    for i, at in place.items():
        at = np.clip(at + rng.normal(0, 0.1 * CELL_SIZE, 2), 1, side - 2)
        if rng.random() >= rate:
            out[i] = at
            continue
        angle = rng.uniform(0, 2 * np.pi)
        apart = 0.4 * CELL_SIZE * np.array([np.sin(angle), np.cos(angle)])
        for sign in (-1, 1):
            new = max(record) + 1
            record[new] = [new, t + 1, t + 1, i]
            out[new] = np.clip(at + sign * apart, 1, side - 2)
    return out
