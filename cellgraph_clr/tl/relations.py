"""Which cell types lie next to which."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from cellgraph_clr._core.arguments import checked
from cellgraph_clr._core.checks import check_finite, check_in_range, check_key, check_key_added, expected, listing
from cellgraph_clr._core.errors import CellGraphError, LabelKeyError, MissingKeyError, OptionError
from cellgraph_clr._core.log import log_written
from cellgraph_clr._core.notices import warn
from cellgraph_clr._core.numbers import as_numbers
from cellgraph_clr.adata.copies import check_writable
from cellgraph_clr.adata.images_of_cells import image_numbers, images_of
from cellgraph_clr.adata.keys import PACKAGE_KEY
from cellgraph_clr.adata.labels import label_codes
from cellgraph_clr.adata.positions import position_of
from cellgraph_clr.adata.provenance import record_run, unit_of
from cellgraph_clr.adata.reading import adjacency_of, check_edges
from cellgraph_clr.adata.samples import sample_of
from cellgraph_clr.analysis.contact_choices import Choices, choices_of, random_mixing, tissue_blocks
from cellgraph_clr.analysis.interactions import Interactions, fit_interactions
from cellgraph_clr.analysis.relation_tables import POOLED, relation_table
from cellgraph_clr.graphs.candidates import Candidates, candidates_within, contact_lengths, usual_radius
from cellgraph_clr.tl.common import check_apart

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd
    from anndata import AnnData

__all__ = ["interactions"]

MOST_TYPES = 100  # 5,050 pairs


@checked
def interactions(
    adata: AnnData,
    label_key: str,
    *,
    groupby: str | None = None,
    neighbors_key: str = "spatial",
    radius: float | None = None,
    covariates: Sequence[str] = (),
    min_expected: float = 5.0,
    prior_contacts: float = 0.5,
    confidence_level: float = 0.95,
    library_key: str | None = None,
    key_added: str = "interactions",
) -> pd.DataFrame:
    """Return which cell types lie next to which, beyond their shares and beyond what is near, as log odds with intervals.

    Each cell has p contacts among its N candidates, the cells within a radius. How likely it is to have chosen these p of N is an
    exact likelihood (InfoNCEp) of a symmetric score for every pair of types. The log odds of a pair tell how much more (above 0)
    or less readily two such cells touch than two cells that are as near do on average: log 2 = 0.69 is twice the odds. They do
    not grow with the number of cells, and a type that fills a region is not attracted to itself by that alone.

    Parameters
    ----------
    adata : AnnData
        With a spatial graph and positions; edges are contacts, whatever graph they are of.
    label_key : str
        `obs` column of types. Cells without one ("unassigned") count neither as cells nor as candidates; how many is
        logged and in `params`.
    groupby : str or None, default None
        `obs` column that is the same for all cells of a sample (condition, response); every two groups are compared.
    neighbors_key : str, default "spatial"
        The graph.
    radius : float or None, default None
        Of the candidates, in the unit of positions. None takes twice the median distance between cells in contact, or
        the radius within which 95 % of the contacts lie where that is larger, the same for all samples. Contacts beyond
        it are candidates too. A larger radius asks for a coarser relation: regions of a type then show as attraction.
    covariates : sequence of str, default ()
        Of the candidates, beside the types: "distance" (of the centres: itself and its square, in radii) or numeric
        `obs` columns (of the candidate, scaled by their standard deviation), such as a size. Without "distance", cells
        that touch are compared with all that are near, so that a type whose cells lie nearer to one another is
        attracted to itself; with it, with those as far away: for contacts of masks, with a size beside it (large cells
        touch from farther).
    min_expected : float, default 5.0
        Pairs with fewer contacts than this under random mixing of what is near have no estimate in a sample (NaN).
    prior_contacts : float, default 0.5
        Contacts at log odds 0 that are added to each pair, so that pairs that never touch stay finite.
    confidence_level : float, default 0.95
        Of the intervals.
    library_key : str or None, default None
        `obs` column of samples; None as in `gr.delaunay_graph`.
    key_added : str, default "interactions"
        `uns` key of the result.

    Returns
    -------
    pandas.DataFrame
        DataFrame, also in `uns[key_added]["table"]`: level ("sample", "pooled", "group", "difference"), sample (its
        name, "pooled", the group, or "B - A"), type_a, type_b (each unordered pair once), log_odds, low, high, p_value
        (of log odds 0), q_value (Benjamini and Hochberg, over the pairs of a sample, of the pooled, of a group; over
        all differences together), n_contacts, expected (under random mixing of what is near), n_samples (that told).
        Pooled are random effects over samples (`analysis.pooling`), so that the interval is that of the mean over such
        samples, not over these cells; one sample is not pooled. Contacts of pooled rows are those of the samples that
        told; where only one did, its log odds stand without an interval. `uns[key_added]["params"]` holds the radius, the share
        of candidates that are contacts, what covariates do, n_untyped cells and samples_left_out.

    Raises
    ------
    NoGraphError, MissingKeyError, LabelKeyError
        If graph, positions or columns are missing, and for cells of fewer than two types, or more than 100.
    OptionError
        For wrong options, and a group that is not one in a sample.
    CellGraphError
        For edges between samples or frames, covariates that are not finite, a graph in which no cell has other candidates than
        its contacts, or one of several samples or groups that is called "pooled".
    NonFiniteError, GeometryError, ShapeError
        For positions that are none.

    Warns
    -----
    UserWarning
        For samples that are left out (of one cell, say), with their numbers of cells.

    Notes
    -----
    Errors are robust to cells that share neighbours and contacts seen from both ends: a jackknife over blocks of tissue (about
    three radii wide; `analysis.interactions`). 0 is the same for all samples as far as they have the same pairs: the
    mean of the log odds over pairs, weighted by the contacts each would have under random mixing in all samples together.
    A type that touches more of everything (large cells) is positive with all; its size as a covariate takes that out. O(cells x
    candidates), with covariates x contacts²; about a second for 10,000 cells.

    Examples
    --------
    >>> import cellgraph_clr as cgc
    >>> adata = cgc.datasets.tissue(120, random_state=0).adata()
    >>> cgc.gr.contact_graph(adata)
    >>> table = cgc.tl.interactions(adata, "true_niche")
    >>> sorted(table["level"].unique())
    ['sample']
    """
    _check_options(covariates, min_expected, prior_contacts, confidence_level, radius, key_added)
    check_writable(adata)
    codes, types = label_codes(adata, label_key, as_listed=True)
    if len(np.unique(codes[codes >= 0])) < 2:
        remedy = "Which types touch is asked of two types or more."
        raise LabelKeyError(expected(f"cells of two types at least in obs[{label_key!r}]", "fewer", remedy))
    if len(types) > MOST_TYPES:
        remedy = "Name a column of types, or join the rare ones."
        raise LabelKeyError(expected(f"{MOST_TYPES} types at most in obs[{label_key!r}]", str(len(types)), remedy))
    position, adjacency = position_of(adata), adjacency_of(adata, neighbors_key)
    check_edges(adjacency.nnz, adata.n_obs, neighbors_key)
    check_apart(adjacency, image_numbers(adata, library_key))
    samples = sample_of(adata, library_key)
    group_of = _groups_of_samples(adata, groupby, samples)
    _check_names(samples, group_of)
    known = np.flatnonzero(codes >= 0)
    typed = adjacency[known][:, known]
    reach = float(radius) if radius is not None else usual_radius(contact_lengths(position[known], typed))
    images = [np.intersect1d(image.rows, known) for image in images_of(adata, library_key)]
    images = [rows for rows in images if len(rows)]
    candidates = candidates_within(position, adjacency, images, reach)
    extra, extra_names = _covariates(adata, covariates, candidates, reach)
    choices = choices_of(codes, candidates, n_types=len(types), covariates=extra)
    blocks = tissue_blocks(position, images, candidates)
    weights = random_mixing(choices)
    fits: dict[str, Interactions] = {}
    for name in np.unique(samples[choices.anchor]):
        mine = choices.of(samples[choices.anchor] == name)
        if mine.informative.any():
            fits[str(name)] = fit_interactions(
                mine, blocks, weights=weights, min_expected=min_expected, prior_contacts=prior_contacts
            )
    if not fits:
        remedy = "Take more candidates by a larger `radius`."
        raise CellGraphError(expected("cells with some contacts but not all among their candidates", "none", remedy))
    without = [str(name) for name in np.unique(samples) if str(name) not in fits]
    if without:
        _warn_left_out(without, samples)
    table = relation_table(fits, types, group_of, confidence=confidence_level)
    params = _params(choices, candidates, codes, fits, extra_names)
    params |= {"n_untyped": int((codes < 0).sum()), "samples_left_out": np.array(without, object)}
    params |= {
        "label_key": label_key,
        "radius": reach,
        "unit": unit_of(adata),
        "confidence_level": float(confidence_level),
    }
    adata.uns[key_added] = {"table": table, "types": np.array(types, object), "params": params}
    run = {"function": "tl.interactions", "label_key": label_key, "neighbors_key": neighbors_key, "radius": reach}
    run |= {"groupby": groupby, "covariates": list(covariates), "min_expected": min_expected}
    record_run(adata, key_added, {**run, "prior_contacts": prior_contacts, "confidence_level": confidence_level})
    untyped = f"without {(codes < 0).sum():,} of {adata.n_obs:,} cells, which have no type" if (codes < 0).any() else ""
    log_written("tl.interactions", [f"uns[{key_added!r}]"], untyped)
    return table.copy()


def _check_names(samples: np.ndarray, group_of: Mapping[str, str] | None) -> None:
    """Raise `CellGraphError` for several samples, or groups, one of which is called as the rows of all samples are."""
    names = {str(name) for name in np.unique(samples)}
    where = "samples" if POOLED in names else "groups"
    if len(names) > 1 and POOLED in names | set((group_of or {}).values()):
        remedy = "Rename it: the rows of all samples together are called so."
        raise CellGraphError(expected(f"{where} of another name than {POOLED!r}", f"one of {len(names)}", remedy))


def _warn_left_out(without: Sequence[str], samples: np.ndarray) -> None:
    """Warn of samples that say nothing, with their numbers of cells."""
    counts = [f"{name!r} ({int((samples == name).sum())} cells)" for name in without]
    warn(
        f"{len(without)} of {len(np.unique(samples))} samples are left out of the interactions: {listing(counts)}. They have no "
        "cell with a type that touches some, but not all, of the cells near it. Drop them, or take a larger `radius`."
    )


def _check_options(
    covariates: Sequence[str],
    min_expected: float,
    prior_contacts: float,
    confidence_level: float,
    radius: float | None,
    key_added: str,
) -> None:
    """Raise `OptionError` for options outside their range."""
    check_key_added(key_added, "uns", beside=[PACKAGE_KEY, "spatialdata_attrs"])
    if key_added.endswith(("_neighbors", "_colors")) or key_added in ("neighbors", "spatial"):
        found = f"{key_added!r}, where graphs and colors are kept"
        raise OptionError(expected("a `key_added` of its own", found, "Take another name."))
    if isinstance(covariates, str):
        found = repr(covariates)
        raise OptionError(expected("`covariates` as a list of names", found, f"Pass `covariates=[{found}]`."))
    check_in_range("min_expected", min_expected, low=0)
    check_in_range("prior_contacts", prior_contacts, low=0, low_open=True)
    check_in_range("confidence_level", confidence_level, low=0, high=1, low_open=True, high_open=True)
    if radius is not None:
        check_in_range("radius", radius, low=0, low_open=True)


def _groups_of_samples(adata: AnnData, groups: str | None, samples: np.ndarray) -> dict[str, str] | None:
    """Return the group of every sample. Raises for a missing column, missing values, and two groups in one sample."""
    if groups is None:
        return None
    check_key(groups, list(adata.obs.columns), where="adata.obs", error=MissingKeyError)
    column = adata.obs[groups]
    values = column.astype(object).where(column.notna(), "").astype(str).to_numpy()
    out: dict[str, str] = {}
    for name in np.unique(samples):
        found = sorted(set(values[samples == name]))
        if len(found) != 1 or not found[0]:
            what, remedy = f"one group in obs[{groups!r}] for sample {name!r}", "Name a column that describes samples."
            raise OptionError(expected(what, listing([repr(f) for f in found]), remedy))
        out[str(name)] = found[0]
    if len(set(out.values())) < 2:
        remedy = "Name a column that tells samples apart, or leave `groupby` out."
        raise OptionError(expected(f"two groups or more in obs[{groups!r}]", repr(next(iter(out.values()))), remedy))
    return out


def _covariates(
    adata: AnnData, names: Sequence[str], candidates: Candidates, radius: float
) -> tuple[np.ndarray | None, list[str]]:
    """Return the covariates (m, q) of the candidates, None for none, and what the columns are."""
    columns, labels = [], []
    if len(set(names)) < len(names):
        raise OptionError(expected("each of `covariates` once", listing(names), "Drop those that are double."))
    if "distance" in names and "distance" in adata.obs:
        what = "no obs column named as the covariate 'distance'"
        raise OptionError(expected(what, "one", "Rename the column: the covariate is that of the centres."))
    for name in names:
        if name == "distance":
            d = candidates.distance / radius
            columns += [d, d**2]
            labels += ["distance", "distance_squared"]
            continue
        check_key(name, ["distance", *adata.obs.columns], where="adata.obs")
        values = as_numbers(adata.obs[name].to_numpy(), f"values in obs[{name!r}]").astype(np.float64)
        check_finite(values, what=f"values in obs[{name!r}]", remedy="Fill them, or drop these cells.")
        columns.append(((values - values.mean()) / (values.std() or 1.0))[candidates.rows])
        labels.append(name)
    return (np.stack(columns, axis=1) if columns else None), labels


def _params(
    choices: Choices, candidates: Candidates, codes: np.ndarray, fits: Mapping[str, Interactions], extra: Sequence[str]
) -> dict[str, Any]:
    """Return what describes the fit: shares, anchors, likelihoods, effects of covariates (samples, q)."""
    both = (codes[candidates.anchors] >= 0) & (codes[candidates.rows] >= 0)
    out: dict[str, Any] = {
        "share_in_contact": float(candidates.contact[both].mean()),
        "n_anchors": int(choices.informative.sum()),
        "samples": np.array(list(fits), object),
        "log_likelihood": np.array([f.log_likelihood for f in fits.values()]),
        "log_likelihood_of_random_mixing": np.array([f.null for f in fits.values()]),
    }
    if extra:
        out["covariates"] = np.array(extra, object)
        out["effect"] = np.stack([f.effect for f in fits.values()])
        out["effect_error"] = np.stack([f.effect_error for f in fits.values()])
    return out
