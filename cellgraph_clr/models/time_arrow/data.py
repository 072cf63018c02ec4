"""Pairs of frames: crops of the same place at two times, where there is something to see."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["FramePairs"]

TRIES = 10  # positions that are drawn before one without content is taken
COARSE = 4  # pixels a side that are averaged before content is looked at, so that noise is none


@dataclass(frozen=True, slots=True, eq=False)
class _Content:
    """Sums of a coarse image and its square, for the spread inside any box in four looks."""

    first: np.ndarray
    second: np.ndarray

    @classmethod
    def of(cls, frame: np.ndarray) -> _Content:
        flat = frame.astype(np.float64).max(axis=0)
        flat = flat if flat.ndim == 2 else flat.max(axis=0)
        h, w = (n // COARSE for n in flat.shape)
        coarse = flat[: h * COARSE, : w * COARSE].reshape(h, COARSE, w, COARSE).mean(axis=(1, 3))
        sums = [np.pad(v.cumsum(axis=0).cumsum(axis=1), ((1, 0), (1, 0))) for v in (coarse, coarse**2)]
        return cls(*sums)

    def spread(self, y: np.ndarray, x: np.ndarray, size: int) -> np.ndarray:
        """Return the standard deviation of boxes that start at pixels y, x."""
        top, left = y // COARSE, x // COARSE
        down = np.minimum((y + size) // COARSE, self.first.shape[0] - 1)
        right = np.minimum((x + size) // COARSE, self.first.shape[1] - 1)

        def inside(sums: np.ndarray) -> np.ndarray:
            return sums[down, right] - sums[top, right] - sums[down, left] + sums[top, left]

        n = np.maximum((down - top) * (right - left), 1)
        mean = inside(self.first) / n
        return np.sqrt(np.maximum(inside(self.second) / n - mean**2, 0))


class FramePairs:
    """Crops of the same place in two frames, `steps` apart, from stretches of movies.

    Parameters
    ----------
    movies : normalised frames (t, c, [z,] y, x) float16 of each.
    ranges : first and last frame (not included) of each that may be used.
    steps : frames between the two of a pair; one is drawn.
    size : side of a crop along y and x; z is taken whole.
    min_content : least standard deviation of a crop, in units of the normalised image; 0 takes any place.
    """

    def __init__(
        self,
        movies: Sequence[np.ndarray],
        ranges: Sequence[tuple[int, int]],
        steps: Sequence[int],
        size: int,
        min_content: float,
    ) -> None:
        self.movies, self.size, self.min_content = movies, size, min_content
        self.first = np.array(
            [(m, t, dt) for m, (a, b) in enumerate(ranges) for dt in steps for t in range(a, b - dt)], np.int64
        ).reshape(-1, 3)
        used = {(m, t) for m, (a, b) in enumerate(ranges) for t in range(a, b)} if min_content > 0 else set()
        self._content = {key: _Content.of(movies[key[0]][key[1]]) for key in used}

    def __len__(self) -> int:
        """Return the number of pairs of frames."""
        return len(self.first)

    def pairs(self, n: int, rng: np.random.Generator, *, jitter: int = 2) -> tuple[Tensor, np.ndarray]:
        """Return n crops (n, 2, c, [z,] y, x) float32, the earlier frame first, and of which pair of frames (n,) each is.

        The later one is moved by up to `jitter` pixels, so that a drift of the stage does not tell the order.
        """
        out = []
        which = rng.integers(len(self.first), size=n)
        for movie, t, dt in self.first[which]:
            frames = self.movies[movie]
            y, x = self._place(int(movie), (int(t), int(t + dt)), frames.shape[-2:], rng, jitter)
            dy, dx = rng.integers(-jitter, jitter + 1, size=2)
            s = self.size
            early = frames[t][..., y : y + s, x : x + s]
            late = frames[t + dt][..., y + dy : y + dy + s, x + dx : x + dx + s]
            out.append(np.stack([early, late]))
        return torch.from_numpy(np.stack(out)).float(), which

    def _place(
        self, movie: int, both: tuple[int, int], shape: tuple[int, ...], rng: np.random.Generator, jitter: int
    ) -> tuple[int, int]:
        """Return the first drawn place with content in both frames alike: looking at one alone would tell the order."""
        tries = TRIES if self.min_content > 0 else 1
        y = rng.integers(jitter, shape[0] - self.size - jitter + 1, size=tries)
        x = rng.integers(jitter, shape[1] - self.size - jitter + 1, size=tries)
        if self.min_content == 0:
            return int(y[0]), int(x[0])
        spread = np.mean([self._content[movie, t].spread(y, x, self.size) for t in both], axis=0)
        best = (
            int((spread >= self.min_content).argmax()) if (spread >= self.min_content).any() else int(spread.argmax())
        )
        return int(y[best]), int(x[best])
