"""Classes of cells with an honest confidence."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from scipy.special import entr
from sklearn.utils.class_weight import compute_sample_weight

from cellgraph_clr._core.arguments import checked
from cellgraph_clr._core.checks import check_in_range, check_key_added, check_option, expected, listing
from cellgraph_clr._core.errors import OptionError
from cellgraph_clr._core.log import log_written
from cellgraph_clr._core.notices import warn
from cellgraph_clr._core.numbers import as_numbers
from cellgraph_clr._core.options import shows
from cellgraph_clr._core.rng import RandomState, as_seed
from cellgraph_clr.adata.copies import own_or_copy
from cellgraph_clr.adata.keys import UNASSIGNED
from cellgraph_clr.adata.labels import classes_of
from cellgraph_clr.adata.provenance import record_run
from cellgraph_clr.adata.results import write_classes
from cellgraph_clr.models.classifiers.config import CellGraphClassifierConfig, SoftInfoNCEConfig
from cellgraph_clr.models.classifiers.trees import CalibratedTrees
from cellgraph_clr.tl.classifiers import AUTO, METHODS, fine_tuned, learned_on_vectors
from cellgraph_clr.training.runtime import Runtime

if TYPE_CHECKING:
    from collections.abc import Sequence

    from anndata import AnnData

    from cellgraph_clr.models.cell_graph.model import CellGraphCLR

__all__ = ["classify"]

LIKE_UNASSIGNED = ("unknown", "na", "nan", "none", "not assigned", "undefined")  # no class, most likely
FEW = 3  # labelled cells; a class with fewer is hardly learned beside others


@shows(
    CalibratedTrees,
    SoftInfoNCEConfig,
    CellGraphClassifierConfig,
    Runtime,
    without=("loss", "n_processes"),
    told={
        CalibratedTrees: "Of trees. ",
        SoftInfoNCEConfig: "Of networks. ",
        CellGraphClassifierConfig: "With `base`. ",
        Runtime: "Of networks. ",
    },
)
@checked
def classify(
    adata: AnnData,
    label_key: str,
    *,
    use_rep: str | Sequence[str] | None = None,
    method: str = "auto",
    base: CellGraphCLR | None = None,
    library_key: str | None = None,
    min_confidence: float | None = None,
    calibrate: bool = True,
    prior: Literal["training", "estimated"] | Mapping[str, float] = "training",
    key_added: str | None = None,
    random_state: RandomState = 0,
    copy: bool = False,
    **options: Any,
) -> AnnData | None:
    """Predict a class with a confidence for every cell, from the labelled ones.

    Parameters
    ----------
    adata : AnnData
        Cells; those whose `obs[label_key]` is neither missing nor "unassigned" are learned from.
    label_key : str
        `obs` column of classes.
    use_rep : str or sequence of str or None, default None
        Representation(s) to learn from, e.g. ("X", "X_cellgraph"); None takes these two where present, and "auto" also
        "X_context".
    method : str, default "auto"
        "auto": chosen for these cells, see Notes. "trees": extremely randomised trees. "soft_infonce", "infonce",
        "soft_cross_entropy" or "cross_entropy": a network trained by this loss. All but "auto" read all representations
        side by side.
    base : CellGraphCLR or None, default None
        A fitted `CellGraphCLR`: its encoder is fine-tuned together with the classifier (`models.CellGraphClassifier`,
        on `X`; "auto" is "soft_infonce" here); `use_rep` is then left out. None: a classifier on vectors.
    library_key : str or None, default None
        `obs` column of samples, which "auto" leaves out as a whole; None as in `gr.contact_graph`.
    min_confidence : float or None, default None
        Cells below are called "unassigned"; None calls every cell.
    calibrate : bool, default True
        Temperature scaling on out-of-fold logits.
    prior : {"training", "estimated"} or mapping of str to float, default "training"
        How common classes are among the cells predicted. "training": as among the labelled ones. "estimated": as the
        calibrated probabilities of the unlabelled cells say (Saerens et al. 2002); right where the labelled cells were
        chosen by class. Labelled cells take no part, being recalled with too much confidence, and keep their
        probabilities. A mapping class -> share: as known, for all cells.
    key_added : str or None, default None
        Results go to `obs[key]`, `obs[key + "_confidence"]`, `obs[key + "_entropy"]` (nats) and `obsm[key + "_proba"]`
        (a DataFrame with one column per class); key = `key_added` or `label_key + "_pred"`. A predicted label is
        written for labelled cells as well. `uns[key]["params"]` holds what was fitted: method, use_rep (what "auto"
        chose, of n_candidates), label_key, n_labelled and calibration_temperature.
    random_state : int, numpy.random.Generator or None, default 0
        Seed.
    copy : bool, default False
        Return a new AnnData.
    **options : object
        Further arguments of `models.CalibratedTrees` for "trees", of `models.SoftInfoNCEClassifier` (smoothing, mixup,
        n_steps, …; `head="mlp"`) for the losses, or of `models.CellGraphClassifier` with `base`. "auto" takes both
        of the first two; one that only trees or only networks have leaves only these to choose from.

    Returns
    -------
    AnnData or None
        The new AnnData with `copy=True`, else None.

    Raises
    ------
    LabelKeyError
        If the column is missing, has fewer than two classes, or holds measurements.
    MissingKeyError, NonFiniteError, OptionError
        For missing representations, NaN, wrong options.

    Warns
    -----
    UserWarning
        If no class has two labelled cells that can be told apart by folds: nothing is chosen, nothing calibrated. If
        a class "unknown", "NA", "nan", "None", "not assigned" or "undefined" has more than half of the labelled cells: it is
        learned as a type. If classes have fewer than three labelled cells, beside others that have more.

    Notes
    -----
    "auto" compares trees on the first representation, on it beside each of the others, and on all; from 200 labelled cells on
    also a perceptron (SoftInfoNCE, `head="mlp"`) on the first and on all. Labelled cells are left out in five folds, whole
    samples where there are several, else blocks of the tissue (`obsm["spatial"]`), else cells; of each fold's cells the
    log-likelihood is taken, at the temperature that the other folds ask for. Trees on the first representation stay unless
    another candidate is better by more than one standard error of the difference (samples or blocks as clusters); of those the
    most likely one is taken. What was chosen is logged and in `uns[key]["params"]`; what was compared in
    `uns["cellgraph_clr"]["runs"][key]` under "choice": log-likelihood and accuracy of each candidate.
    The chosen one is then fitted and calibrated on all labelled cells as if it had been asked for by name, by folds of its
    own: no prediction that chose is used for the confidence, only the choice itself has seen the labels.

    Cost: five fits of 100 trees for each set of representations, and five of each perceptron (trained in one run), on 1,000
    labelled cells or so, and then the fit of the chosen one.

    Examples
    --------
    >>> import numpy as np
    >>> import cellgraph_clr as cgc
    >>> adata = cgc.datasets.tissue(150, random_state=0).adata()
    >>> known = np.arange(adata.n_obs) % 2 == 0
    >>> adata.obs["type"] = np.where(known, adata.obs["true_niche"].astype(str), "unassigned")
    >>> cgc.tl.classify(adata, "type", use_rep="X", method="trees", n_trees=50)
    >>> bool(adata.obs["type_pred_confidence"].between(0, 1).all())
    True
    """
    check_key_added(key_added or f"{label_key}_pred", "obs", beside=[label_key])
    check_option("method", method, METHODS)
    if isinstance(prior, str):
        check_option("prior", prior, ("training", "estimated"))
    if min_confidence is not None:
        check_in_range("min_confidence", min_confidence, low=0, high=1)
    if library_key is not None and (method != AUTO or base is not None):
        beside = f"method={method!r}" if base is None else "a `base`"
        raise OptionError(expected("method='auto' for `library_key`", beside, "Leave `library_key` out."))
    if use_rep is not None and base is not None:
        raise OptionError(expected("no `use_rep` beside `base`", repr(use_rep), "The model reads its own input."))
    adata = own_or_copy(adata, copy=copy)
    codes, classes = classes_of(adata, label_key)
    labelled = codes >= 0
    _warn_of_classes(np.bincount(codes[labelled], minlength=len(classes)), classes, label_key)
    names = np.where(labelled, np.asarray([*classes, ""], object)[codes], "").astype(str)
    fixed: dict[str, Any] = {"calibrate": calibrate, "random_state": as_seed(random_state)}
    if base is not None:
        found = fine_tuned(adata, label_key, method, base, options, fixed)
    else:
        found = learned_on_vectors(adata, names, method, use_rep, library_key, options, fixed)
    weight = compute_sample_weight(found.class_weight, names[labelled])
    shares = np.bincount(codes[labelled], weights=weight, minlength=len(classes))  # that training saw
    proba, told = _corrected(found.proba, labelled, shares / shares.sum(), found.classes, prior)
    refused = proba.max(axis=1) < (min_confidence or 0)
    key = key_added or f"{label_key}_pred"
    written = write_classes(adata, key, proba, found.classes, refused)
    adata.obs[f"{key}_entropy"] = entr(proba).sum(axis=1).astype(np.float32)
    run = {"function": "tl.classify", "label_key": label_key, **found.run, "options": {**fixed, **options}}
    counts = {"n_labelled": int(labelled.sum()), "calibration_temperature": found.temperature}
    record_run(adata, key, {**run, **counts, "prior": told})
    adata.uns[key] = {"params": _params(found.run, label_key, method, counts)}
    log_written("tl.classify", [*written, f"obs['{key}_entropy']", f"uns[{key!r}]"], found.told)
    return adata if copy else None


def _warn_of_classes(n_cells: np.ndarray, classes: Sequence[str], label_key: str) -> None:
    """Warn of a class that most likely means cells without one, and of classes too small to be predicted."""
    most = int(n_cells.argmax())
    if 2 * n_cells[most] > n_cells.sum() and classes[most].strip().casefold() in LIKE_UNASSIGNED:
        warn(
            f"{classes[most]!r} in obs[{label_key!r}] ({n_cells[most]} of {n_cells.sum()} labelled cells) is learned as a type. "
            f"Cells without a label are missing or {UNASSIGNED!r}: rename it to that if it means them."
        )
    few = [classes[int(k)] for k in np.flatnonzero(n_cells < FEW)]
    if 0 < len(few) < len(classes):
        named = listing([repr(c) for c in few], limit=5)
        warn(
            f"Classes with fewer than {FEW} labelled cells are rarely or never predicted: {named}. Label more of them."
        )


def _params(run: Mapping[str, Any], label_key: str, asked: str, counts: Mapping[str, Any]) -> dict[str, Any]:
    """Return what was fitted, as plain values that files hold."""
    choice = run.get("choice", {}).get("scores", {})
    params = {"label_key": label_key, "method": run["method"], "use_rep": np.array(run["use_rep"], object)}
    return {**params, "asked": asked, "n_candidates": max(len(choice), 1), **counts}


def _corrected(
    proba: np.ndarray, labelled: np.ndarray, old: np.ndarray, classes: list[str], prior: str | Mapping[str, float]
) -> tuple[np.ndarray, dict[str, float] | str]:
    """Return probabilities under the shares of classes asked for, and these shares; estimates are of unlabelled cells alone."""
    from cellgraph_clr.analysis.priors import estimated_prior, shifted_proba

    if prior == "training":
        return proba, "training"
    shifted = np.full(len(proba), fill_value=True)
    if isinstance(prior, str):
        shifted = ~labelled
        new = estimated_prior(proba[shifted], old)
    else:
        if set(prior) != set(classes):
            raise OptionError(expected(f"a share for each of {listing(classes)}", listing(sorted(prior)), "Name all."))
        given = as_numbers([prior[c] for c in classes], "shares of `prior`").astype(float)
        if not (np.isfinite(given) & (given >= 0)).all() or given.sum() <= 0:
            raise OptionError(expected("finite shares of at least 0", dict(prior), "They are divided by their sum."))
        new = given / given.sum()
    out = np.where(shifted[:, None], shifted_proba(proba, old, new), proba)
    return out, dict(zip(classes, new.tolist(), strict=True))
