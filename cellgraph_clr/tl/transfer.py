"""Labels from a reference sample."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from cellgraph_clr._core.arguments import checked
from cellgraph_clr._core.checks import check_in_range, check_key_added, expected
from cellgraph_clr._core.errors import LabelKeyError, ShapeError
from cellgraph_clr._core.log import log_written
from cellgraph_clr.adata.copies import own_or_copy
from cellgraph_clr.adata.labels import classes_of
from cellgraph_clr.adata.provenance import record_run
from cellgraph_clr.adata.reading import representation, searched, warn_of_other_vectors
from cellgraph_clr.adata.results import write_classes

if TYPE_CHECKING:
    from anndata import AnnData

__all__ = ["transfer_labels"]


@checked
def transfer_labels(
    adata: AnnData,
    reference: AnnData,
    label_key: str,
    *,
    use_rep: str = "X_cellgraph",
    n_neighbors: int = 15,
    min_confidence: float | None = 0.5,
    min_similarity: float | Literal["auto"] | None = "auto",
    key_added: str | None = None,
    copy: bool = False,
) -> AnnData | None:
    """Label cells by a vote of the most similar cells of a labelled reference.

    Parameters
    ----------
    adata : AnnData
        Cells to label.
    reference : AnnData
        AnnData with labels and the same representation (by one model: fit on the reference, or on both).
    label_key : str
        `obs` column of the reference; cells that are missing or "unassigned" do not vote.
    use_rep : str, default "X_cellgraph"
        `obsm` key in both; similarity is the cosine about the mean of the reference. Columns are standardised over the
        reference, but for those of `tl.context` and `tl.embed` (with `n_own`), whose scales are weights, as in `tl.retrieve`.
    n_neighbors : int, default 15
        Voters (fewer where the reference has fewer). Each weighs by how much more similar it is than the next cell that does
        not vote (Dudani 1976), so that a share of the vote is no count.
    min_confidence : float or None, default 0.5
        Cells whose winning share of the vote is lower are "unassigned"; None labels all.
    min_similarity : float or {"auto"} or None, default "auto"
        Cells whose nearest voter is less similar are "unassigned": they are like nothing in the reference. "auto" is
        what 1 % of the reference cells fall below among themselves; None accepts any.
    key_added : str or None, default None
        As in `tl.classify`: writes `obs[key]`, `obs[key + "_confidence"]`, `obsm[key + "_proba"]`, and `obs[key +
        "_similarity"]`; key = `key_added` or `label_key + "_pred"`.
    copy : bool, default False
        Return a new AnnData.

    Returns
    -------
    AnnData or None
        The new AnnData with `copy=True`, else None.

    Raises
    ------
    LabelKeyError
        If the column is missing, classes are one as columns (a/b and a|b), or fewer than two cells of the reference are labelled.
    ShapeError
        If both representations have different widths.
    MissingKeyError, NonFiniteError, OptionError
        For missing representations, NaN, wrong options.

    Warns
    -----
    UserWarning
        If the vectors of the reference were made by another model, as far as it is recorded.

    Examples
    --------
    >>> import numpy as np
    >>> import cellgraph_clr as cgc
    >>> reference = cgc.datasets.tissue(120, random_state=0).adata()
    >>> adata = cgc.datasets.tissue(120, random_state=1).adata()
    >>> for cells in (reference, adata):
    ...     cells.obsm["X_own"] = np.asarray(cells.X)
    ...
    >>> cgc.tl.transfer_labels(adata, reference, "true_niche", use_rep="X_own")
    >>> "true_niche_pred" in adata.obs
    True
    """
    check_key_added(key_added or f"{label_key}_pred", "obs", beside=[label_key])
    from cellgraph_clr.analysis.transfer import nearest_vote

    if min_confidence is not None:
        check_in_range("min_confidence", min_confidence, low=0, high=1)
    if min_similarity is not None and min_similarity != "auto":
        check_in_range("min_similarity", min_similarity, low=-1, high=1)
    vectors, _ = representation(adata, use_rep)
    _, voters, weighted = searched(reference, use_rep)
    if voters.shape[1] != vectors.shape[1]:
        raise ShapeError(
            expected(f"a reference of width {vectors.shape[1]}", voters.shape[1], "Embed both by one model.")
        )
    warn_of_other_vectors(adata, reference, use_rep)
    codes, classes = classes_of(reference, label_key)
    labelled = codes >= 0
    if labelled.sum() < 2:
        raise LabelKeyError(expected("at least two labelled reference cells", int(labelled.sum()), "Label more."))
    adata = own_or_copy(adata, copy=copy)
    k = min(n_neighbors, int(labelled.sum()) - 1)
    vote = nearest_vote(vectors, voters[labelled], codes[labelled], len(classes), k=k, standardize=not weighted)
    far = vote.far if min_similarity == "auto" else min_similarity
    refused = vote.proba.max(axis=1) < (min_confidence or 0)
    if far is not None:
        refused |= vote.similarity < far
    key = key_added or f"{label_key}_pred"
    written = write_classes(adata, key, vote.proba, classes, refused)
    adata.obs[f"{key}_similarity"] = vote.similarity
    run = {"function": "tl.transfer_labels", "label_key": label_key, "use_rep": use_rep, "n_neighbors": int(k)}
    record_run(adata, key, {**run, "min_confidence": min_confidence, "min_similarity": far})
    log_written("tl.transfer_labels", [*written, f"obs['{key}_similarity']"])
    return adata if copy else None
