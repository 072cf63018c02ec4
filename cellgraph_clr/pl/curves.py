"""Reliability of confidences, and the course of training."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cellgraph_clr._core.checks import check_key, expected
from cellgraph_clr._core.errors import NoCellsError
from cellgraph_clr.analysis import calibration
from cellgraph_clr.graphs.labels import label_codes
from cellgraph_clr.pl.canvas import new_axes, save_figure

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping, Sequence

    from anndata import AnnData
    from matplotlib.axes import Axes

__all__ = ["loss_weights", "reliability", "training"]


def reliability(
    adata: AnnData,
    truth_key: str,
    pred_key: str,
    *,
    rows: np.ndarray | None = None,
    n_bins: int = 10,
    ax: Axes | None = None,
    save: str | os.PathLike[str] | None = None,
) -> Axes:
    """Draw how often a confidence is right: accuracy against confidence, with the number of cells per bin.

    Parameters
    ----------
    adata : after `tl.classify`.
    truth_key : `obs` column of true classes; cells without one are left out.
    pred_key : key of the prediction (its `obsm[pred_key + "_proba"]` is read).
    rows : (n,) bool, cells to use, for example those not learned from.
    n_bins : bins of equal width.

    Returns
    -------
    The axes; the title gives the expected calibration error.

    Raises
    ------
    LabelKeyError, MissingKeyError
        If the truth or the probabilities are missing.
    """
    check_key(f"{pred_key}_proba", list(adata.obsm), where="adata.obsm", remedy="Call `cgc.tl.classify` first.")
    codes, classes = label_codes(adata, truth_key)
    proba = adata.obsm[f"{pred_key}_proba"]
    use = codes >= 0
    if rows is not None:
        use &= rows
    best = np.asarray(proba.columns, dtype=str)[proba.to_numpy().argmax(axis=1)]
    correct = best == np.asarray([*classes, ""])[codes]
    bins = calibration.reliability(proba.to_numpy().max(axis=1)[use], correct[use], n_bins=n_bins)
    ax = new_axes(ax, (5, 5))
    ax.plot([0, 1], [0, 1], color="#999999", linestyle="--", label="perfect")
    ax.plot(bins.confidence, bins.accuracy, color="#1f5fa8", marker="o", label="model")
    for x, y, n in zip(bins.confidence, bins.accuracy, bins.count, strict=True):
        ax.annotate(str(int(n)), (x, y), textcoords="offset points", xytext=(5, -11), fontsize=8, color="#444444")
    ax.set(xlim=(0, 1.02), ylim=(0, 1.02), xlabel="confidence", ylabel="accuracy")
    ax.set_title(f"{int(use.sum())} cells, expected calibration error {bins.ece:.3f}")
    ax.legend(loc="upper left", frameon=False)
    save_figure(ax, save)
    return ax


def training(
    history: Mapping[str, Sequence[float]], *, ax: Axes | None = None, save: str | os.PathLike[str] | None = None
) -> Axes:
    """Draw `model.history_`: the loss and the contrastive gap with its cap; beside them how the vectors lie.

    Parameters
    ----------
    history : names to one value a step. What is not in it is not drawn.
    ax : draw the loss and the gap into these axes, and nothing else. None makes a figure that has alignment (0: positives
        coincide), uniformity (lower: vectors spread evenly) and the effective rank (directions in use) beside them.
    save : file to write.

    Returns
    -------
    The axes of the loss. Raises `MissingKeyError` when there is no loss in `history`.
    """
    check_key("loss", list(history), where="history", remedy="Fit the model first.")
    steps = np.arange(1, len(history["loss"]) + 1)
    spread = [name for name in ("alignment", "uniformity") if name in history]
    if ax is None and spread:
        import matplotlib.pyplot as plt

        _, (ax, pairs, rank) = plt.subplots(1, 3, figsize=(15, 4), layout="constrained")
        for name, color in zip(spread, ("#1f5fa8", "#d7263d"), strict=False):
            pairs.plot(steps, history[name], color=color, label=name)
        pairs.set(xlabel="step", ylabel="on the unit sphere")
        pairs.legend(frameon=False)
        for name, color in (("effective_rank", "#1f5fa8"), ("positives_per_anchor", "#777777")):
            if name in history:
                rank.plot(steps, history[name], color=color, label=name.replace("_", " "))
        rank.set(xlabel="step", ylabel="directions, cells", ylim=(0, None))
        rank.legend(frameon=False)
    ax = new_axes(ax, (6, 4))
    ax.plot(steps, history["loss"], color="#1f5fa8", label="loss (nats per cell)")
    ax.set(xlabel="step", ylabel="loss (nats per cell)")
    if "contrastive_gap" in history:
        other = ax.twinx()
        other.plot(steps, history["contrastive_gap"], color="#d7263d", label="contrastive gap (nats per pair)")
        other.plot(steps, history["contrastive_gap_cap"], color="#d7263d", linestyle=":", label="its cap")
        other.set(ylabel="contrastive gap (nats per pair)", ylim=(0, None))
        lines = [*ax.get_lines(), *other.get_lines()]
        ax.legend(lines, [str(x.get_label()) for x in lines], frameon=False, loc="center right")
    save_figure(ax, save)
    return ax


def loss_weights(
    adata: AnnData,
    truth_key: str,
    pred_key: str,
    *,
    smoothing: float = 0.1,
    rows: np.ndarray | None = None,
    save: str | os.PathLike[str] | None = None,
) -> np.ndarray:
    """Draw how strongly SoftInfoNCE and soft cross-entropy pull each cell to its class and push it from the others.

    The pull is minus the slope of a cell's loss by the logit of its own class, the push the slope by that of the class it is
    most taken for. Against the probability of that class: what rises where the cell is wrong minds hard positives and hard
    negatives. SoftInfoNCE compares with the targets of all cells drawn, which are smoothed like its own; its slope ends where
    a cell fits its target, and the log prior makes rare classes pull harder.

    Parameters
    ----------
    adata : after `tl.classify`.
    truth_key : `obs` column of true classes; cells without one, or whose class was not learned, are left out.
    pred_key : key of the prediction (its `obsm[pred_key + "_proba"]` is read).
    smoothing : share of every target spread over all classes.
    rows : (n,) bool, cells to use, for example those not learned from.
    save : file to write.

    Returns
    -------
    The two axes, own class and hardest other class.

    Raises
    ------
    LabelKeyError, MissingKeyError
        If the truth or the probabilities are missing.
    NoCellsError
        If no cell has a class.

    Notes
    -----
    O(n**2 k). Slope of SoftInfoNCE: sum_j P_ij w_j - w_i (Hugger and Uhlmann 2024; derivation ours).
    """
    import matplotlib.pyplot as plt
    import torch

    from cellgraph_clr.objectives.soft_infonce import soft_cross_entropy, soft_infonce
    from cellgraph_clr.views.targets import smooth_one_hot

    check_key(f"{pred_key}_proba", list(adata.obsm), where="adata.obsm", remedy="Call `cgc.tl.classify` first.")
    codes, classes = label_codes(adata, truth_key)
    table = adata.obsm[f"{pred_key}_proba"]
    column = {str(name): i for i, name in enumerate(table.columns)}
    own = np.array([column.get(str(name), -1) for name in classes] + [-1])[codes]
    use = own >= 0 if rows is None else (own >= 0) & rows
    if not use.any():
        raise NoCellsError(expected("cells with a class that was learned", "none", "Check `truth_key` and `rows`."))
    proba = np.maximum(table.to_numpy(np.float64)[use], 1e-12)
    own = own[use]
    at = np.arange(len(own))
    logits = torch.from_numpy(np.log(proba)).requires_grad_()
    targets = smooth_one_hot(torch.from_numpy(own), proba.shape[1], smoothing).double()
    losses = {
        "SoftInfoNCE": soft_infonce(logits, targets, targets.mean(dim=0)),
        "soft cross-entropy": soft_cross_entropy(logits, targets),
    }
    others = proba.copy()
    others[at, own] = -1
    hardest = others.argmax(axis=1)
    _, axes = plt.subplots(1, 2, figsize=(11, 4.5), layout="constrained", sharey=True)
    for (name, loss), color in zip(losses.items(), ("#d7263d", "#1f5fa8"), strict=True):
        (slope,) = torch.autograd.grad(loss.sum(), logits)
        for ax, kind, sign in zip(axes, (own, hardest), (-1, 1), strict=True):
            ax.scatter(
                proba[at, kind], sign * slope.numpy()[at, kind], s=8, color=color, linewidths=0, alpha=0.6, label=name
            )
    axes[0].set(xlabel="probability of its own class", ylabel="weight in the gradient", title="pull to the own class")
    axes[1].set(xlabel="probability of that class", title="push from the hardest other class")
    for ax in axes:
        ax.axhline(0, color="#999999", linewidth=0.8)
        ax.set_xlim(0, 1)
    axes[0].legend(frameon=False)
    save_figure(axes[0], save)
    return axes
