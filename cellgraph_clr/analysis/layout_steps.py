"""Steps of the descent that lays cells out in a plane."""

from __future__ import annotations

import numpy as np

from cellgraph_clr._core.kernels import called, kernel

__all__ = ["descend"]

N_REPELLED = 5  # cells drawn at random for each edge
MOST = 4.0  # of a step along an axis
NEAR = 1e-3  # added to squared distances, so that repulsion stays finite


@called
def _next(state: np.uint64) -> np.uint64:
    """Return the next state of a random generator (xorshift64, Marsaglia 2003)."""
    state ^= state << np.uint64(13)
    state ^= state >> np.uint64(7)
    return state ^ (state << np.uint64(17))


@called
def _clipped(value: float) -> float:
    return min(max(value, -MOST), MOST)


@kernel
def descend(xy, head, tail, every, n_steps, a, b, state):  # noqa: ANN001, ANN201
    """Move points (n, 2) float32 in place.

    The edge from `head` to `tail` (m,) int32 is drawn each `every` (m,) steps. Both ends move towards one another along the
    gradient of log(1 + a d^2b), the head away from random points along that of -log(1 - 1 / (1 + a d^2b)); the rate falls to 0.
    """
    n = np.uint64(len(xy))
    due = every.copy()
    for step in range(n_steps):
        rate = 1.0 - step / n_steps
        for e in range(head.size):
            if due[e] > step + 1:
                continue
            due[e] += every[e]
            i, j = head[e], tail[e]
            for k in range(N_REPELLED + 1):
                if k > 0:
                    state = _next(state)
                    j = np.int32(state % n)
                    if j == i:
                        continue
                dx, dy = np.float64(xy[i, 0] - xy[j, 0]), np.float64(xy[i, 1] - xy[j, 1])
                squared = dx * dx + dy * dy
                power = a * squared**b if squared > 0 else 0.0
                if k > 0:
                    pull = 2.0 * b / ((NEAR + squared) * (1.0 + power))
                else:
                    pull = -2.0 * b * power / (squared * (1.0 + power)) if squared > 0 else 0.0
                mx, my = rate * _clipped(pull * dx), rate * _clipped(pull * dy)
                xy[i, 0] += mx
                xy[i, 1] += my
                if k == 0:
                    xy[j, 0] -= mx
                    xy[j, 1] -= my
