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
TURNS = np.pi / 4 * np.array([1, 3, 7, 5, 0, 2, 4, 6])  # right above first
NEAR, FAR = 7.0, 36.0  # how far from its point a text stands: as a rule, and at most
PLACES = [r * np.array([np.cos(t), np.sin(t)]) for r in np.arange(NEAR, FAR, 4.0) for t in TURNS]


def numbered(ax: Axes, xy: np.ndarray, texts: list[str]) -> None:
    """Write a text beside each point (n, 2), the first ones nearest; a line leads to those that had to move away."""
    from matplotlib.patheffects import withStroke

    ax.apply_aspect()
    points = ax.transData.transform(xy) * 72 / ax.figure.dpi
    for at, text, offset in zip(xy, texts, beside(points, [LETTER * len(t) for t in texts]), strict=True):
        ax.annotate(
            text,
            at,
            xytext=offset,
            textcoords="offset points",
            ha="center",
            va="center",
            fontsize=8,
            zorder=8,
            arrowprops={"arrowstyle": "-", "linewidth": 0.6, "shrinkA": 3} if np.hypot(*offset) > NEAR else None,
            path_effects=[withStroke(linewidth=2, foreground="white")],
        )


def beside(points: np.ndarray, widths: Sequence[float]) -> np.ndarray:
    """Return offsets (n, 2) at which the middles of texts stand beside `points` (n, 2), none over another; all in points.

    Greedy, in the order given: the first place that is free of texts already placed, of eight directions on growing circles;
    where none is, the first. O(n²).
    """
    out = np.empty((len(points), 2))
    for i, (at, width) in enumerate(zip(points, widths, strict=True)):
        room = np.array([(width + np.asarray(widths[:i])) / 2, np.full(i, HEIGHT)]).T
        taken = points[:i] + out[:i]
        free = (o for o in PLACES if not (np.abs(at + o - taken) < room).all(axis=1).any())
        out[i] = next(free, PLACES[0])
    return out
