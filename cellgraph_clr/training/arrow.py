"""Time-arrow prediction: pairs of frames from movies in random order, and the step that learns to tell it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from cellgraph_clr.losses.noncontrastive import decorrelation
from cellgraph_clr.training.module import Schedule, StepModule, check_loss
from cellgraph_clr.views.frames import distort_pairs

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cellgraph_clr.encoders.arrow import ArrowNet

__all__ = ["ArrowModule", "PairSource", "arrow_accuracy"]

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


class PairSource:
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


def arrow_accuracy(
    net: ArrowNet, source: PairSource, n: int, seed: int, *, device: str = "cpu", batch_size: int = 64
) -> tuple[float, float]:
    """Return the share of n crops whose order is told, and its standard error; pairs come in both orders.

    Crops of the same two frames err together, so that the error is that of the mean over pairs of frames.
    """
    rng = np.random.default_rng(seed)
    right, frames = [], []
    with torch.inference_mode():
        for start in range(0, n, batch_size):
            crops, which = source.pairs(min(batch_size, n - start), rng)
            pairs = crops.to(device)
            frames.append(which)
            flipped = torch.from_numpy(rng.integers(2, size=len(pairs)).astype(bool)).to(device)
            pairs[flipped] = pairs[flipped].flip(1)
            right.append(((net(pairs).argmax(dim=1) == 1) == flipped).float().cpu())
    told, pair = torch.cat(right).numpy(), np.unique(np.concatenate(frames), return_inverse=True)[1]
    count = np.bincount(pair)
    means = np.bincount(pair, weights=told) / count
    share = float(told.mean())
    if len(count) == 1:
        return share, float(np.sqrt(share * (1 - share) / n))
    weight = count / count.sum()
    return share, float(np.sqrt((weight**2 * (means - share) ** 2).sum() * len(count) / (len(count) - 1)))


class ArrowModule(StepModule):
    """``L = CE(order of the frames) + w decorrelation of their features``."""

    def __init__(
        self,
        net: ArrowNet,
        source: PairSource,
        schedule: Schedule,
        fingerprint: str,
        *,
        weight: float,
        strength: float,
        zoom: float,
        seed: int,
    ) -> None:
        super().__init__(schedule, fingerprint, schedule.batch_size)
        self.net, self.source, self.weight, self.seed = net, source, weight, seed
        self.strength, self.zoom = strength, zoom

    def training_step(self, batch: Any, index: int) -> Tensor:  # noqa: ARG002
        """Return the loss of step `global_step`."""
        rng = np.random.default_rng([self.seed, self.global_step])
        generator = torch.Generator().manual_seed(int(rng.integers(2**62)))
        pairs, _ = self.source.pairs(self.schedule.batch_size, rng)
        flipped = torch.from_numpy(rng.integers(2, size=len(pairs)))
        pairs[flipped == 1] = pairs[flipped == 1].flip(1)
        pairs = distort_pairs(pairs, self.strength, generator, zoom=self.zoom).to(self.device)
        flipped = flipped.to(self.device)
        features = self.lowered(self.net.dense)(pairs.flatten(0, 1))
        order = self.lowered(self.net.order)(features.unflatten(0, pairs.shape[:2]))
        arrow = torch.nn.functional.cross_entropy(order, flipped)
        apart = decorrelation(features)
        check_loss(float(arrow.detach() + apart.detach()))
        right = float((order.argmax(dim=1) == flipped).float().mean())
        self.record({"loss": float(arrow.detach()), "accuracy": right, "decorrelation": float(apart.detach())})
        return arrow + self.weight * apart
