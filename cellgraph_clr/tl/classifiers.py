"""What `tl.classify` fits: the classifier of a method, the one that is chosen, or a graph encoder fine-tuned."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from cellgraph_clr._core.checks import check_key, check_option, expected
from cellgraph_clr._core.errors import OptionError
from cellgraph_clr.adata.keys import X_CONTEXT
from cellgraph_clr.adata.positions import position_of
from cellgraph_clr.adata.reading import blocks_of
from cellgraph_clr.adata.samples import sample_of
from cellgraph_clr.models.classifiers.choice import TREES, Choice, candidates, choose
from cellgraph_clr.models.classifiers.data import HEADS, LOSSES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from anndata import AnnData

    from cellgraph_clr.models.cell_graph.model import CellGraphCLR

__all__ = ["AUTO", "METHODS", "Learned", "fine_tuned", "learned_on_vectors"]

AUTO = "auto"
METHODS = (AUTO, TREES, *LOSSES)
PERCEPTRON = "mlp"  # the network that trees are compared with
USUAL = ("X", "X_cellgraph")
LEAST_FOR_NETWORKS = 200  # labelled cells: with fewer, trees were the more likely on every table measured
COMPARED_TREES = 100  # enough to compare; the chosen ones are grown in full
OURS = ("loss", "calibrate", "random_state")  # options that `tl.classify` sets itself


class Learned(NamedTuple):
    """Calibrated probabilities (n, k) of all cells, columns in the order of `classes`, and how they came about."""

    proba: np.ndarray
    classes: list[str]
    temperature: float
    class_weight: Any
    run: dict[str, Any]
    told: str
    """Method and representations, and of how many they were chosen."""


def fine_tuned(
    adata: AnnData, label_key: str, method: str, model: CellGraphCLR, options: Mapping[str, Any], fixed: dict[str, Any]
) -> Learned:
    """Return what a fitted encoder gives after it was trained along with the classifier; "auto" is the first of the losses."""
    from cellgraph_clr.models.classifiers.graph import CellGraphClassifier
    from cellgraph_clr.models.classifiers.soft_infonce import RUN

    loss = LOSSES[0] if method == AUTO else method
    check_option("method", loss, LOSSES)
    _check_known(options, [*CellGraphClassifier(model).options, *RUN])
    fitted = CellGraphClassifier(model, loss=loss, **fixed, **options).fit(adata, label_key)
    run = {"method": loss, "use_rep": ["X"]}
    return Learned(
        fitted.predict_proba(adata),
        list(fitted.classes_),
        fitted.calibration_temperature_,
        None,
        run,
        f"{loss}, encoder fine-tuned",
    )


def learned_on_vectors(
    adata: AnnData,
    names: np.ndarray,
    method: str,
    use_rep: str | Sequence[str] | None,
    library_key: str | None,
    options: Mapping[str, Any],
    fixed: dict[str, Any],
) -> Learned:
    """Return what a classifier gives that learned from the vectors of cells with a name; `names` (n,) has "" for the others."""
    labelled = np.flatnonzero(names != "")
    if method == AUTO:
        blocks = blocks_of(adata, use_rep, (*USUAL, X_CONTEXT))
        choice, told = _chosen(adata, blocks, labelled, names[labelled], library_key, options, fixed["random_state"])
        kind, used = choice.chosen.kind, list(choice.chosen.blocks)
        run: dict[str, Any] = {"choice": {**asdict(choice), "chosen": str(choice.chosen)}}
    else:
        blocks = blocks_of(adata, use_rep, USUAL)
        kind, used, run = method, list(blocks), {}
        told = f"{method} on {' + '.join(used)}"
        _check_known(options, _options_of(TREES if method == TREES else "network"))
    fitted, loss = _classifier(kind, options, fixed)
    vectors = np.concatenate([blocks[name] for name in used], axis=1)
    fitted.fit(vectors[labelled], names[labelled])
    weight = getattr(fitted, "class_weight", None)
    run = {"method": loss, "use_rep": used, **run}
    return Learned(
        fitted.predict_proba(vectors), list(fitted.classes_), fitted.calibration_temperature_, weight, run, told
    )


def _chosen(
    adata: AnnData,
    blocks: Mapping[str, np.ndarray],
    labelled: np.ndarray,
    y: np.ndarray,
    library_key: str | None,
    options: Mapping[str, Any],
    seed: int,
) -> tuple[Choice, str]:
    """Return the classifier and the blocks under which labelled cells are most likely when left out; and this in words."""
    from cellgraph_clr.models.classifiers.data import class_codes

    listed = candidates(list(blocks), _kinds(options, len(labelled)))
    position = position_of(adata, whole=False)[labelled] if "spatial" in adata.obsm else None
    if position is not None and not np.isfinite(position).all():
        position = None

    def new(kind: str) -> Any:
        made, _ = _classifier(kind, options, {"calibrate": False, "random_state": seed})
        return made.set_params(n_trees=min(COMPARED_TREES, made.n_trees)) if kind == TREES else made

    choice = choose(
        listed,
        {name: values[labelled] for name, values in blocks.items()},
        class_codes(y)[1],
        sample=sample_of(adata, library_key)[labelled],
        position=position,
        new=new,
        seed=seed,
    )
    told = f"{choice.chosen} of {len(listed)} candidates"
    if choice.scores:
        best = choice.scores[str(choice.chosen)]
        told += (
            f": log-likelihood {best['log_likelihood']:.3f}, accuracy {best['accuracy']:.3f} of {choice.n_cells} cells"
        )
        told += f", left out by {choice.by} in {choice.n_folds} folds"
    return choice, told


def _classifier(kind: str, options: Mapping[str, Any], fixed: dict[str, Any]) -> tuple[Any, str]:
    """Return a classifier that is not fitted, and its method; `kind` is a method or, when chosen, a kind of network."""
    from cellgraph_clr.models.classifiers.soft_infonce import SoftInfoNCEClassifier
    from cellgraph_clr.models.classifiers.trees import CalibratedTrees

    known = {k: v for k, v in options.items() if k in _options_of(TREES if kind == TREES else "network")}
    if kind == TREES:
        return CalibratedTrees(**fixed, **known), TREES
    head = known.pop("head", kind if kind in HEADS else HEADS[0])
    loss = kind if kind in LOSSES else LOSSES[0]
    return SoftInfoNCEClassifier(head=head, loss=loss, **fixed, **known), loss


def _kinds(options: Mapping[str, Any], n_labelled: int) -> list[str]:
    """Return the kinds to choose from; an option of the model that only one kind has leaves this kind."""
    from cellgraph_clr.models.classifiers.soft_infonce import RUN

    trees, network = _options_of(TREES), _options_of("network")
    _check_known(options, [*trees, *network])
    asked = [name for name in options if name not in (*RUN, "n_jobs")]
    of_trees, of_network = (any(name in own for name in asked) for own in (trees, network))
    if of_trees and of_network:
        found = ", ".join(repr(name) for name in asked)
        raise OptionError(
            expected("options of trees or of networks", found, "Leave out those of one, or name a `method`.")
        )
    if of_network or (not of_trees and n_labelled >= LEAST_FOR_NETWORKS):
        return [TREES] * (not of_network) + [options.get("head", PERCEPTRON)]
    return [TREES]


def _options_of(kind: str) -> list[str]:
    from cellgraph_clr.models.classifiers.soft_infonce import SoftInfoNCEClassifier
    from cellgraph_clr.models.classifiers.trees import CalibratedTrees

    if kind == TREES:
        return [name for name in CalibratedTrees().get_params() if name not in OURS]
    return [name for name in (*SoftInfoNCEClassifier().get_params(),) if name not in OURS]


def _check_known(options: Mapping[str, Any], known: Sequence[str]) -> None:
    """Raise `OptionError` for an option that is not known."""
    for name in options:
        check_key(name, [k for k in known if k not in OURS], where="options of tl.classify", error=OptionError)
