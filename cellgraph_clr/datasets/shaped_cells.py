"""Generated cells with planted shape and texture: six families of one, four of the other, under random pose and gain."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cellgraph_clr._core.arguments import checked
from cellgraph_clr._core.checks import check_option, check_whole
from cellgraph_clr._core.rng import RandomState, as_rng
from cellgraph_clr.cells.label_image import LabelImage
from cellgraph_clr.datasets.synth import Tissue

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["SHAPES", "TEXTURES", "shapes"]

SHAPES = ("tripod", "tetrapod", "bipyramid", "octapod", "cuboid", "knobby")
TEXTURES = ("grains", "blobs", "sheets", "fibres")
SIDE = 32  # voxels of the box of a cell
RADIUS = 9.5  # of the ball that lobes stand on, in voxels
GOLDEN = np.pi * (3 - np.sqrt(5))


def _lobes(n: int, ndim: int) -> np.ndarray:
    """Return directions (n, ndim) spread over the circle or the sphere: the corners of regular bodies where there are some."""
    if ndim == 2:
        angle = 2 * np.pi * np.arange(n) / n
        return np.stack([np.sin(angle), np.cos(angle)], axis=1)
    if n == 3:
        return np.pad(_lobes(3, 2), ((0, 0), (1, 0)))
    if n == 4:
        return np.array([[1, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]]) / np.sqrt(3)
    if n == 5:
        return np.concatenate([_lobes(3, 3), [[1, 0, 0], [-1, 0, 0]]])
    if n == 6:
        return np.concatenate([np.eye(3), -np.eye(3)])
    if n == 8:
        return np.stack(np.meshgrid(*[[-1.0, 1]] * 3), -1).reshape(-1, 3) / np.sqrt(3)
    z = 1 - 2 * (np.arange(n) + 0.5) / n
    angle = GOLDEN * np.arange(n)
    ring = np.sqrt(1 - z**2)
    return np.stack([z, ring * np.sin(angle), ring * np.cos(angle)], axis=1)


N_LOBES = {
    2: dict(zip(SHAPES, (3, 4, 5, 6, 8, 11), strict=True)),
    3: dict(zip(SHAPES, (3, 4, 5, 6, 8, 12), strict=True)),
}


@checked
def shapes(n_cells: int = 600, *, ndim: int = 3, random_state: RandomState = 0) -> Tissue:
    """Return cells whose shape and texture are of known families, each in a box of its own.

    Shapes are balls with 3, 4, 5, 6, 8 or 12 lobes (2D: 3, 4, 5, 6, 8, 11), of random height, width and size, stretched along
    random axes and turned at random, so that volume, elongation and sphericity tell little. Textures have one histogram, blurred
    by a random gain and offset, and differ in pattern: small grains, large blobs, sheets or fibres of random direction.

    Parameters
    ----------
    n_cells : int, default 600
        At least 1.
    ndim : int, default 3
        2 or 3.
    random_state : int, numpy.random.Generator or None, default 0
        Seed.

    Returns
    -------
    Tissue
        `Tissue`: labels with spacing 1 and an image of one channel, and `truth` with shape and texture by cell_id.

    Notes
    -----
    O(n_cells 32^ndim).

    Examples
    --------
    >>> import cellgraph_clr as cgc
    >>> cells = cgc.datasets.shapes(12, random_state=0)
    >>> list(cells.truth.columns)
    ['shape', 'texture']
    """
    import pandas as pd

    check_whole("n_cells", n_cells)
    check_option("ndim", ndim, (2, 3))
    rng = as_rng(random_state)
    per_side = int(np.ceil(n_cells ** (1 / ndim)))
    counts = [per_side] * (ndim - 1) + [int(np.ceil(n_cells / per_side ** (ndim - 1)))]
    labels = np.zeros([SIDE * c for c in counts], np.int32)
    image = np.zeros(labels.shape, np.float32)
    shape = rng.permutation(np.arange(n_cells) % len(SHAPES))
    texture = rng.permutation(np.arange(n_cells) % len(TEXTURES))
    for i, place in enumerate(np.argwhere(np.ones(counts))[:n_cells]):
        box = tuple(slice(SIDE * a, SIDE * (a + 1)) for a in place)
        inside = _body(N_LOBES[ndim][SHAPES[shape[i]]], ndim, rng)
        labels[box] = np.where(inside, i + 1, 0)
        pattern = _pattern(TEXTURES[texture[i]], ndim, rng)
        rank = pattern[inside].argsort().argsort()  # one histogram for all
        gain, offset = np.exp(rng.uniform(-0.7, 0.7)), rng.uniform(0, 2)
        image[box][inside] = gain * (rank / max(len(rank) - 1, 1) + offset)
    image += rng.normal(0, 0.02, image.shape).astype(np.float32)
    truth = pd.DataFrame(
        {"shape": np.array(SHAPES)[shape], "texture": np.array(TEXTURES)[texture]},
        index=pd.Index(np.arange(1, n_cells + 1), name="cell_id"),
    )
    picture = LabelImage(labels, (1.0,) * ndim, unit="micrometer", image=image[None], channels=("texture",))
    return Tissue(picture, truth)


def _turn(ndim: int, rng: np.random.Generator) -> np.ndarray:
    q, r = np.linalg.qr(rng.normal(size=(ndim, ndim)))
    return q * np.sign(np.diag(r))


def _grid(ndim: int) -> np.ndarray:
    axis = np.arange(SIDE) - (SIDE - 1) / 2
    return np.stack(np.meshgrid(*[axis] * ndim, indexing="ij"), axis=-1)


def _body(n_lobes: int, ndim: int, rng: np.random.Generator) -> np.ndarray:
    """Return the mask of a ball with lobes, its longest radius kept inside the box."""
    at = (_grid(ndim) + rng.uniform(-0.5, 0.5, ndim)) @ _turn(ndim, rng)
    at = at / np.exp(rng.uniform(-0.15, 0.15, ndim)) @ _turn(ndim, rng)
    radius = np.linalg.norm(at, axis=-1)
    direction = at / np.maximum(radius, 1e-9)[..., None]
    cosine = direction @ _lobes(n_lobes, ndim).T
    width = rng.uniform(0.25, 0.35) * np.sqrt(6 / n_lobes)  # lobes of one share of the surface, whatever their number
    height = rng.uniform(0.35, 0.6)
    bump = np.exp((cosine - 1) / width**2).max(axis=-1)
    size = rng.uniform(0.85, 1.0) * RADIUS
    reach = size * (1 + height * bump)
    return np.asarray(radius <= np.minimum(reach, SIDE / 2 - 1))


def _pattern(name: str, ndim: int, rng: np.random.Generator) -> np.ndarray:
    from scipy.ndimage import gaussian_filter

    noise = rng.normal(size=(SIDE,) * ndim)
    along = (_grid(ndim) @ _turn(ndim, rng))[..., 0]
    across = (_grid(ndim) @ _turn(ndim, rng))[..., 0]
    made: dict[str, Callable[[], np.ndarray]] = {
        "grains": lambda: gaussian_filter(noise, 0.8) - gaussian_filter(noise, 1.6),
        "blobs": lambda: gaussian_filter(noise, 2.2),
        "sheets": lambda: np.sin(2 * np.pi * along / rng.uniform(5, 7) + gaussian_filter(noise, 3) * 8),
        "fibres": lambda: -np.abs(gaussian_filter(noise, 1.6)) - 0.02 * np.abs(np.sin(across)),
    }
    return np.asarray(made[name]())
