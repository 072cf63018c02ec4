"""Which loss finds the weights that drew the positives: error and slope of five objectives as the share of positives rises.

An anchor i and a candidate j have the log odds ``s_ij = sum_k w_k u_ik x_jk``; p of the N candidates are drawn by these odds,
given their number. Every objective of `losses.functional` is then minimised over w alone. An estimate is right where the slope
on the planted weights is 1: a loss that is not the likelihood of what happened misses it however much data there is.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch
from scipy.optimize import minimize

from benchmarks.rows import Row, Rows
from cellgraph_clr.losses import functional

N_CANDIDATES = 60
N_ANCHORS = 100
COUNTS = (1, 3, 6, 12, 20, 30, 40)
N_WEIGHTS = 4
SCALE = 0.8  # standard deviation of planted weights
OBJECTIVES = {
    "InfoNCEp": functional.infonce_p,
    "InfoNCEp, saddle": partial(functional.infonce_p, method="auto"),
    "composite": functional.composite_infonce,
    "SupCon": functional.supcon_out,
    "MIL-NCE": functional.mil_nce,
}
PICTURE = Path(__file__).parents[1] / "docs" / "images" / "estimators.png"


def run(*, size: str, data: str | None) -> list[Row]:  # noqa: ARG001 - nothing is read
    """Return the root mean squared error and the slope of every objective by p / N; at full size also draw them."""
    rows = Rows("estimators")
    counts, n_sets = (COUNTS[1:4:2], 2) if size == "small" else (COUNTS, 100)
    rmse, slope = {}, {}
    for name, objective in OBJECTIVES.items():
        pairs = [[_set(objective, p, seed) for seed in range(n_sets)] for p in counts]
        found, planted = (np.array([[s[i] for s in of_count] for of_count in pairs]) for i in (0, 1))
        rmse[name] = np.sqrt(((found - planted) ** 2).mean(axis=(1, 2)))
        slope[name] = (found * planted).sum(axis=(1, 2)) / (planted**2).sum(axis=(1, 2))
        for p, error, factor in zip(counts, rmse[name], slope[name], strict=True):
            column = f"p / N {p / N_CANDIDATES:.2f}"
            rows.add("rmse", name, f"{column} | rmse", error, n=n_sets)
            rows.add("rmse", name, f"{column} | slope", factor, n=n_sets, digits=2)
    if size != "small":
        _draw(np.array(counts) / N_CANDIDATES, rmse, slope)
    return rows


def _set(objective: Callable[..., torch.Tensor], p: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the weights found and planted in one set."""
    rng = np.random.default_rng([seed, p])
    w = rng.normal(0, SCALE, N_WEIGHTS)
    u, x = rng.normal(size=(N_ANCHORS, N_WEIGHTS)), rng.normal(size=(N_CANDIDATES, N_WEIGHTS))
    positives = torch.from_numpy(np.stack([draw_of_size(row, p, rng) for row in (u * w) @ x.T]))
    products = torch.from_numpy(u[:, None] * x)

    def value(v: np.ndarray) -> tuple[float, np.ndarray]:
        weight = torch.tensor(v, requires_grad=True)
        loss = objective(products @ weight, positives).mean()
        (slope,) = torch.autograd.grad(loss, weight)
        return float(loss.detach()), slope.numpy()

    return minimize(value, np.zeros(N_WEIGHTS), jac=True, method="L-BFGS-B", bounds=[(-20, 20)] * N_WEIGHTS).x, w


def draw_of_size(log_odds: np.ndarray, p: int, rng: np.random.Generator) -> np.ndarray:
    """Return a mask of exactly p of n, with the probability ``exp(sum of log odds) / e_p``: one candidate after the other."""
    odds, n = np.exp(log_odds), len(log_odds)
    polynomial = np.zeros((n + 1, p + 1))  # e_k of those from j on
    polynomial[:, 0] = 1
    for j in range(n - 1, -1, -1):
        polynomial[j, 1:] = polynomial[j + 1, 1:] + odds[j] * polynomial[j + 1, :-1]
    mask, left = np.zeros(n, bool), p
    for j in range(n):
        mask[j] = left > 0 and rng.random() * polynomial[j, left] < odds[j] * polynomial[j + 1, left - 1]
        left -= mask[j]
    return mask


def _draw(share: np.ndarray, rmse: dict[str, np.ndarray], slope: dict[str, np.ndarray]) -> None:
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, 2, figsize=(8, 3.2), layout="constrained")
    styles = {"InfoNCEp": ("#0072B2", "o-"), "InfoNCEp, saddle": ("#56B4E9", "x--"), "composite": ("#D55E00", "s-")}
    styles |= {"SupCon": ("#009E73", "^-"), "MIL-NCE": ("#CC79A7", "v-")}
    for name, (color, style) in styles.items():
        axes[0].plot(share, rmse[name], style, color=color, label=name)
        axes[1].plot(share, slope[name], style, color=color, label=name)
    axes[1].axhline(1, color="0.6", linewidth=0.8, zorder=0)
    axes[0].set(xlabel="positives among candidates, p / N", ylabel="error of the log odds (rmse)", yscale="log")
    axes[1].set(xlabel="positives among candidates, p / N", ylabel="slope on the planted log odds", ylim=(0, None))
    axes[0].legend(frameon=False, fontsize=8)
    for axis in axes:
        axis.spines[["top", "right"]].set_visible(False)
    figure.savefig(PICTURE, dpi=150)
    plt.close(figure)
