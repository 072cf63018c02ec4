"""Reliability of confidences, and the course of training."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from cellgraph_clr._core.checks import check_key, expected
from cellgraph_clr._core.errors import NoCellsError, OptionError
from cellgraph_clr.adata.labels import column_name, label_codes, label_names
from cellgraph_clr.adata.provenance import recorded_run
from cellgraph_clr.adata.rows import noun_of_rows, truth_values
from cellgraph_clr.analysis import calibration
from cellgraph_clr.pl.canvas import finish, new_axes, one_axes
from cellgraph_clr.pl.door import drawn

if TYPE_CHECKING:
    import os

    from anndata import AnnData
    from matplotlib.axes import Axes

__all__ = ["learned_from", "loss_weights", "reliability", "training"]

COLORS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00")
DASHES = ("-", "--", ":", "-.")
PANELS = (  # figures that share a panel, and the label of its axis
    ("nats", ("loss",)),
    ("nats per pair", ("contrastive_gap", "contrastive_gap_cap")),
    ("on the unit sphere", ("alignment", "uniformity")),
    ("directions; cells", ("effective_rank", "positives_per_anchor")),
)


@drawn
def reliability(
    adata: AnnData,
    truth_key: str,
    pred_key: str,
    *,
    rows: np.ndarray | None = None,
    n_bins: int = 15,
    title: str | None = None,
    figsize: tuple[float, float] | None = None,
    ax: Axes | None = None,
    show: bool | None = None,
    save: str | os.PathLike[str] | None = None,
) -> Axes:
    """Draw how often predictions of a confidence are right, with 95 % intervals, and how many cells have it.

    Parameters
    ----------
    adata : AnnData
        After `tl.classify`.
    truth_key : str
        `obs` column of true classes; cells without one are left out.
    pred_key : str
        Key of the prediction (its `obsm[pred_key + "_proba"]` is read).
    rows : numpy.ndarray or None, default None
        (n,) bool, cells to use. None takes those that the classifier did not learn from.
    n_bins : int, default 15
        Bins of equal width.
    title : str or None, default None
        None gives the number of cells and the expected calibration error.
    figsize : tuple of float, float or None, default None
        As in `pl.spatial`.
    ax : matplotlib.axes.Axes or None, default None
        As in `pl.spatial`.
    show : bool or None, default None
        As in `pl.spatial`.
    save : str or path-like or None, default None
        As in `pl.spatial`.

    Returns
    -------
    matplotlib.axes.Axes
        The axes.

    Raises
    ------
    LabelKeyError, MissingKeyError
        If the truth or the probabilities are missing.
    ShapeError
        For other `rows`.
    NoCellsError
        If no cell is left: all with a true class were learned from.

    Notes
    -----
    Intervals are those of Wilson (1927). Cells learned from are those with a class in the `label_key` of `tl.classify`: their
    confidences would be too good.

    Examples
    --------
    >>> import numpy as np
    >>> import cellgraph_clr as cgc
    >>> adata = cgc.datasets.tissue(150, random_state=0).adata()
    >>> known = np.arange(adata.n_obs) % 2 == 0
    >>> adata.obs["type"] = np.where(known, adata.obs["true_niche"].astype(str), "unassigned")
    >>> cgc.tl.classify(adata, "type", use_rep="X", method="trees", n_trees=50)
    >>> axes = cgc.pl.reliability(adata, "true_niche", "type_pred")
    """
    check_key(f"{pred_key}_proba", list(adata.obsm), where="adata.obsm", remedy="Call `cgc.tl.classify` first.")
    codes, classes = label_codes(adata, truth_key)
    proba = adata.obsm[f"{pred_key}_proba"]
    use, noun = codes >= 0, noun_of_rows(adata)
    use &= ~learned_from(adata, pred_key) if rows is None else truth_values(rows, adata.n_obs)
    if not use.any():
        remedy = "Hold labelled cells out, or choose cells by `rows=`."
        raise NoCellsError(expected("cells with a true class that were not learned from", "none", remedy))
    best = np.asarray(proba.columns, dtype=str)[proba.to_numpy().argmax(axis=1)]
    correct = best == np.asarray([*map(column_name, classes), ""])[codes]
    confidence = proba.to_numpy().max(axis=1)[use]
    bins = calibration.reliability(confidence, correct[use], n_bins=n_bins)
    low, high = calibration.wilson_interval(bins.accuracy * bins.count, bins.count)
    ax = one_axes(ax, (5, 5), figsize)
    ax.plot([0, 1], [0, 1], color="#999999", linestyle="--", linewidth=1, label="perfect calibration")
    ax.errorbar(
        bins.confidence,
        bins.accuracy,
        yerr=np.maximum([bins.accuracy - low, high - bins.accuracy], 0),
        fmt="o",
        color="#0072b2",
        markersize=5,
        capsize=2,
        label="accuracy, 95 % interval",
    )
    share = np.histogram(confidence, bins=n_bins, range=(0, 1))[0] / len(confidence)
    edges = np.linspace(0, 1, n_bins + 1)
    ax.bar(edges[:-1], share, width=1 / n_bins, align="edge", color="#cccccc", zorder=0, label=f"share of {noun}")
    ax.set(xlim=(0, 1.02), ylim=(0, 1.02), xlabel="confidence", ylabel=f"accuracy; share of {noun}")
    text = f"{int(use.sum())} {noun}, expected calibration error {bins.ece:.3f}"
    ax.set_title(text if title is None else title, fontsize=10)
    ax.legend(loc="upper left", frameon=False, fontsize=9)
    finish(ax, show=show, save=save)
    return ax


def learned_from(adata: AnnData, pred_key: str) -> np.ndarray:
    """Return the cells (n,) bool that the classifier of a prediction learned from, as far as it is recorded."""
    run = recorded_run(adata, pred_key)
    label_key = run.get("label_key")
    if run.get("function") != "tl.classify" or label_key is None or label_key not in adata.obs:
        return np.zeros(adata.n_obs, bool)
    return label_names(adata, label_key) != ""


@drawn
def training(
    history: Any,
    *,
    title: str | None = None,
    figsize: tuple[float, float] | None = None,
    ax: Axes | None = None,
    show: bool | None = None,
    save: str | os.PathLike[str] | None = None,
) -> Axes:
    """Draw the course of training: the loss, and beside it all that was recorded with it.

    Parameters
    ----------
    history : object
        A fitted model, or its `history_`: figure -> one value a step, or part -> figure -> one value a step (the parts
        of `MorphoFeatures`), one line a part.
    title : str or None, default None
        Of the panel of the loss.
    figsize : tuple of float, float or None, default None
        As in `pl.spatial`.
    ax : matplotlib.axes.Axes or None, default None
        Draw the loss into these axes, and nothing else. None makes a figure that has a panel for the contrastive gap
        with its cap, one for alignment (0: positives coincide) and uniformity (lower: vectors spread evenly), one for
        the effective rank (directions in use), and one for each other figure that was recorded.
    show : bool or None, default None
        As in `pl.spatial`.
    save : str or path-like or None, default None
        As in `pl.spatial`.

    Returns
    -------
    matplotlib.axes.Axes
        The axes of the loss.

    Raises
    ------
    MissingKeyError, OptionError
        If there is no loss in the history; for anything but a model or a history.

    Examples
    --------
    >>> import cellgraph_clr as cgc
    >>> adata = cgc.datasets.tissue(120, random_state=0).adata()
    >>> cgc.gr.contact_graph(adata)
    >>> model = cgc.models.CellGraphCLR(n_steps=5, n_dims=8, progress=False).fit(adata)
    >>> axes = cgc.pl.training(model.history_)
    """
    history = getattr(history, "history_", history)
    if not isinstance(history, Mapping):
        remedy = "Fit one by `cgc.models.CellGraphCLR().fit(adata)`; an AnnData keeps no history."
        raise OptionError(expected("a fitted model or its `history_`", type(history).__name__, remedy))
    nested = bool(history) and all(isinstance(v, Mapping) for v in history.values())
    parts = dict(history) if nested else {"": history}
    recorded = list(dict.fromkeys(name for part in parts.values() for name in part))
    check_key("loss", recorded, where="history", remedy="Fit the model first.")
    shared = {name for _, names in PANELS for name in names}
    panels = [p for p in PANELS if any(name in recorded for name in p[1])]
    panels += [(name.replace("_", " "), (name,)) for name in recorded if name not in shared]
    axes = [ax] if ax is not None else new_axes(len(panels), size=(4.2, 3.4), figsize=figsize)
    for panel, (label, names) in zip(axes, panels, strict=False):
        _draw_curves(panel, label, {p: {n: v[n] for n in names if n in v} for p, v in parts.items()})
    if title is not None:
        axes[0].set_title(title, fontsize=10)
    finish(axes[0], show=show, save=save)
    return axes[0]


def _draw_curves(panel: Axes, label: str, parts: Mapping[str, Mapping[str, Any]]) -> None:
    """Draw figures over steps, a line each: parts by colour and figures by dash where there are parts, else figures by colour."""
    from matplotlib.ticker import MaxNLocator

    names = list(dict.fromkeys(name for part in parts.values() for name in part))
    for i, (part, figures) in enumerate(parts.items()):
        for name, values in figures.items():
            j = names.index(name)
            is_cap = name.endswith("_cap")  # a bound of the curve before it
            color = COLORS[(i if part else j - is_cap) % len(COLORS)]
            dash = DASHES[j % len(DASHES)] if part else ":" if is_cap else "-"
            text = " ".join(w for w in (part, name.replace("_", " ") if len(names) > 1 or not part else "") if w)
            panel.plot(np.arange(1, len(values) + 1), values, color=color, linestyle=dash, label=text)
    one = names[0].replace("_", " ") if len(names) == 1 else ""
    panel.set(xlabel="step", ylabel=f"{one} ({label})" if one and one != label else label)
    panel.xaxis.set_major_locator(MaxNLocator(integer=True))
    if len(panel.lines) > 1:
        panel.legend(frameon=False, fontsize=9)


@drawn
def loss_weights(
    adata: AnnData,
    truth_key: str,
    pred_key: str,
    *,
    smoothing: float = 0.1,
    rows: np.ndarray | None = None,
    figsize: tuple[float, float] | None = None,
    show: bool | None = None,
    save: str | os.PathLike[str] | None = None,
) -> np.ndarray:
    """Draw how strongly SoftInfoNCE and soft cross-entropy pull each cell to its class and push it from the others.

    The pull is minus the slope of a cell's loss by the logit of its own class, the push the slope by that of the class it is
    most taken for. Against the probability of that class: what rises where the cell is wrong minds hard positives and hard
    negatives. SoftInfoNCE compares with the targets of all cells drawn, which are smoothed like its own; its slope ends where
    a cell fits its target, and the log prior makes rare classes pull harder.

    Parameters
    ----------
    adata : AnnData
        After `tl.classify`.
    truth_key : str
        `obs` column of true classes; cells without one, or whose class was not learned, are left out.
    pred_key : str
        Key of the prediction (its `obsm[pred_key + "_proba"]` is read).
    smoothing : float, default 0.1
        Share of every target spread over all classes.
    rows : numpy.ndarray or None, default None
        (n,) bool, cells to use, for example those not learned from.
    figsize : tuple of float, float or None, default None
        As in `pl.spatial`.
    show : bool or None, default None
        As in `pl.spatial`.
    save : str or path-like or None, default None
        As in `pl.spatial`.

    Returns
    -------
    numpy.ndarray
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

    Examples
    --------
    >>> import numpy as np
    >>> import cellgraph_clr as cgc
    >>> adata = cgc.datasets.tissue(150, random_state=0).adata()
    >>> known = np.arange(adata.n_obs) % 2 == 0
    >>> adata.obs["type"] = np.where(known, adata.obs["true_niche"].astype(str), "unassigned")
    >>> cgc.tl.classify(adata, "type", use_rep="X", method="trees", n_trees=50)
    >>> axes = cgc.pl.loss_weights(adata, "true_niche", "type_pred")
    """
    import torch

    from cellgraph_clr.losses.soft_targets import soft_cross_entropy, soft_infonce
    from cellgraph_clr.models.classifiers.targets import smooth_one_hot

    check_key(f"{pred_key}_proba", list(adata.obsm), where="adata.obsm", remedy="Call `cgc.tl.classify` first.")
    codes, classes = label_codes(adata, truth_key)
    table = adata.obsm[f"{pred_key}_proba"]
    column = {str(name): i for i, name in enumerate(table.columns)}
    own = np.array([column.get(column_name(str(name)), -1) for name in classes] + [-1])[codes]
    use = own >= 0 if rows is None else (own >= 0) & truth_values(rows, adata.n_obs)
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
    axes = new_axes(2, size=(5.5, 4.5), figsize=figsize)
    for (name, loss), color in zip(losses.items(), ("#d55e00", "#0072b2"), strict=True):
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
    finish(axes[0], show=show, save=save)
    return np.array(axes, object)
