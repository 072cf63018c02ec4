"""Texts beside points, none over another."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes

__all__ = ["beside", "numbered"]

HEIGHT = 8.0  # of a text, points
LETTER = 5.0  # width of a letter, points
GAP = 4.0  # between texts side by side, which would be read as one
DOT = 4.0  # width of a dot, points
TURNS = np.pi / 4 * np.array([1, 3, 7, 5, 0, 2, 4, 6])  # right above first
NEAR, FAR = 8.6, 36.0  # how far from its point a text stands: as a rule, and at most
PLACES = np.concatenate([r * np.stack([np.cos(TURNS), np.sin(TURNS)], axis=1) for r in np.arange(NEAR, FAR, 4.0)])


def numbered(ax: Axes, xy: np.ndarray, texts: list[str], dots: np.ndarray) -> None:
    """Write a text beside each point (n, 2), over none of the `dots` (m, 2); a line leads to those that had to move away."""
    from matplotlib.patheffects import withStroke

    ax.apply_aspect()
    points, seen = (ax.transData.transform(at) * 72 / ax.figure.dpi for at in (xy, dots))
    for at, text, offset in zip(xy, texts, beside(points, [LETTER * len(t) for t in texts], seen), strict=True):
        ax.annotate(
            text,
            at,
            xytext=offset,
            textcoords="offset points",
            ha="center",
            va="center",
            fontsize=8,
            zorder=9,
            arrowprops={"arrowstyle": "-", "linewidth": 0.6, "shrinkA": 3} if np.hypot(*offset) > NEAR else None,
            path_effects=[withStroke(linewidth=2, foreground="white")],
        )


def beside(points: np.ndarray, widths: Sequence[float], dots: np.ndarray) -> np.ndarray:
    """Return offsets (n, 2) at which the middles of texts stand beside `points` (n, 2), none over another; all in points.

    Greedy, in the order given: the first place, of eight directions on growing circles, that is free of texts already placed
    and of `dots` (m, 2); where none is, the first that is free of texts, and where none is either, the first. O(n (n + m)).
    """
    out = np.empty((len(points), 2))
    for i, (at, width) in enumerate(zip(points, widths, strict=True)):
        middles, room = at + PLACES, np.array([width, HEIGHT])
        others = np.stack([(width + np.asarray(widths[:i])) / 2 + GAP, np.full(i, HEIGHT)], axis=1)
        over_text = _covers(middles, points[:i] + out[:i], others)
        over_dot = _covers(middles, dots, np.broadcast_to((room + DOT) / 2, dots.shape))
        out[i] = PLACES[np.argmin(2 * over_text + over_dot)]  # the first of the least
    return out


def _covers(middles: np.ndarray, others: np.ndarray, room: np.ndarray) -> np.ndarray:
    """Return for each of the middles (k, 2) whether it is nearer to any of the others (m, 2) than room (m, 2) along both axes."""
    return (np.abs(middles[:, None] - others) < room).all(axis=2).any(axis=1)
