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
from cellgraph_clr._core.rng import RandomState, as_seed
from cellgraph_clr.adata.copies import own_or_copy
from cellgraph_clr.adata.labels import classes_of
from cellgraph_clr.adata.provenance import record_run
from cellgraph_clr.adata.reading import representation
from cellgraph_clr.adata.results import write_classes
from cellgraph_clr.models.classifiers.data import LOSSES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from anndata import AnnData

    from cellgraph_clr.models.cell_graph.model import CellGraphCLR

__all__ = ["classify"]

TREES = "trees"


@checked
def classify(
    adata: AnnData,
    label_key: str,
    *,
    use_rep: str | Sequence[str] | None = None,
    head: str = "soft_infonce",
    model: CellGraphCLR | None = None,
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
    adata : cells; those whose `obs[label_key]` is neither missing nor "unassigned" are learned from.
    label_key : `obs` column of classes.
    use_rep : representation(s) to learn from, e.g. ("X", "X_cellgraph"); None takes these two where present.
    head : "soft_infonce", "infonce", "soft_cross_entropy" or "cross_entropy": a network trained by this loss; "trees":
        extremely randomised trees, the most accurate where a few hundred cells are labelled.
    model : a fitted `CellGraphCLR`: its encoder is fine-tuned together with the classifier (`models.CellGraphClassifier`, on
        `X`); `use_rep` is then left out. None: a classifier on vectors.
    min_confidence : cells below are called "unassigned"; None calls every cell.
    calibrate : temperature scaling on out-of-fold logits.
    prior : how common classes are among the cells predicted. "training": as among the labelled ones. "estimated": as the
        calibrated probabilities of the unlabelled cells say (Saerens et al. 2002); right where the labelled cells were chosen
        by class. Labelled cells take no part, being recalled with too much confidence, and keep their probabilities.
        A mapping class -> share: as known, for all cells.
    key_added : results go to `obs[key]`, `obs[key + "_confidence"]`, `obs[key + "_entropy"]` (nats) and
        `obsm[key + "_proba"]` (a DataFrame with one column per class); key = `key_added` or `label_key + "_pred"`. A
        predicted label is written for labelled cells as well.
    random_state : seed.
    copy : return a new AnnData.
    **options : further arguments of `models.SoftInfoNCEClassifier` (smoothing, mixup, n_steps, …; `network="mlp"`), of
        `models.CalibratedTrees` for "trees", or of `models.CellGraphClassifier` with `model`.

    Raises
    ------
    LabelKeyError
        If the column is missing, has fewer than two classes, or holds measurements.
    MissingKeyError, NonFiniteError, OptionError
        For missing representations, NaN, wrong options.
    """
    check_key_added(key_added or f"{label_key}_pred", "obs", beside=[label_key])
    from cellgraph_clr.models.classifiers.graph import CellGraphClassifier
    from cellgraph_clr.models.classifiers.soft_infonce import RUN, SoftInfoNCEClassifier
    from cellgraph_clr.models.classifiers.trees import CalibratedTrees

    check_option("head", head, (*LOSSES, TREES))
    if isinstance(prior, str):
        check_option("prior", prior, ("training", "estimated"))
    if min_confidence is not None:
        check_in_range("min_confidence", min_confidence, low=0, high=1)
    adata = own_or_copy(adata, copy=copy)
    codes, classes = classes_of(adata, label_key)
    labelled = codes >= 0
    fixed: dict[str, Any] = {"loss": head, "calibrate": calibrate, "random_state": as_seed(random_state)}
    fitted: SoftInfoNCEClassifier | CalibratedTrees | CellGraphClassifier
    if model is not None:
        check_option("head", head, LOSSES)
        if use_rep is not None:
            raise OptionError(expected("no `use_rep` beside `model`", repr(use_rep), "The model reads its own input."))
        names, used = ["X"], _known_options(options, [*CellGraphClassifier(model).options, *RUN])
        fitted = CellGraphClassifier(model, **fixed, **used).fit(adata, label_key)
        proba = fitted.predict_proba(adata)
    else:
        vectors, names = representation(adata, use_rep)
        if head == TREES:
            used = _known_options(options, list(CalibratedTrees().get_params()))
            fitted = CalibratedTrees(calibrate=calibrate, random_state=fixed["random_state"], **used)
        else:
            used = _known_options(options, [*SoftInfoNCEClassifier().get_params(), "network"])
            fitted = SoftInfoNCEClassifier(head=used.pop("network", "linear"), **fixed, **used)
        fitted.fit(vectors[labelled], np.asarray(classes, object)[codes[labelled]].astype(str))
        proba = fitted.predict_proba(vectors)
    weight = compute_sample_weight(used.get("class_weight"), np.asarray(classes, object)[codes[labelled]].astype(str))
    learned = np.bincount(codes[labelled], weights=weight, minlength=len(classes))  # the shares that training saw
    proba, shares = _corrected(proba, labelled, learned / learned.sum(), list(fitted.classes_), prior)
    refused = proba.max(axis=1) < (min_confidence or 0)
    key = key_added or f"{label_key}_pred"
    written = write_classes(adata, key, proba, list(fitted.classes_), refused)
    adata.obs[f"{key}_entropy"] = entr(proba).sum(axis=1).astype(np.float32)
    run = {"function": "tl.classify", "label_key": label_key, "use_rep": names, "options": {**fixed, **options}}
    temperature = fitted.calibration_temperature_
    record_run(
        adata, key, {**run, "n_labelled": int(labelled.sum()), "calibration_temperature": temperature, "prior": shares}
    )
    log_written("tl.classify", written)
    return adata if copy else None


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
        given = np.array([prior[c] for c in classes], float)
        if not (given >= 0).all() or given.sum() <= 0:
            raise OptionError(expected("shares of at least 0", dict(prior), "They are divided by their sum."))
        new = given / given.sum()
    out = np.where(shifted[:, None], shifted_proba(proba, old, new), proba)
    return out, dict(zip(classes, new.tolist(), strict=True))


def _known_options(options: dict[str, Any], known: list[str]) -> dict[str, Any]:
    from cellgraph_clr._core.checks import check_key

    names = [k for k in known if k not in ("head", "loss", "calibrate", "random_state")]
    for name in options:
        check_key(name, names, where="options of tl.classify", error=OptionError)
    return dict(options)
