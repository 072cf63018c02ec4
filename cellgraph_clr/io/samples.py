"""Several samples in one AnnData."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from cellgraph_clr._core.arguments import checked
from cellgraph_clr._core.checks import check_not_owned, expected, listing
from cellgraph_clr._core.errors import CellGraphError, NoCellsError, ShapeError
from cellgraph_clr.adata.images_of_cells import as_scale, store_contacts, store_scale, stored_contacts, stored_images
from cellgraph_clr.adata.keys import UNASSIGNED
from cellgraph_clr.adata.provenance import entries_of, package_info, recorded_runs, unit_of
from cellgraph_clr.adata.samples import sample_of
from cellgraph_clr.adata.scaled import join_scaled

if TYPE_CHECKING:
    from anndata import AnnData

    from cellgraph_clr.cells.label_image import LabelImage

__all__ = ["as_frames", "concat", "concat_labelled"]


@checked
def concat(adatas: Sequence[AnnData] | Mapping[str, AnnData], *, library_key: str = "library_id") -> AnnData:
    """Return one AnnData of several samples, graphs kept block-diagonal.

    Parameters
    ----------
    adatas : sequence of AnnData or mapping of str to AnnData
        Samples in a list (named by their own `obs[library_key]`, else "0", "1", …) or a mapping name → AnnData. One
        that holds several samples (a plate) keeps them, in a mapping with its name in front: "plate_1/A01".
    library_key : str, default "library_id"
        `obs` column of the sample names, written.

    Returns
    -------
    AnnData
        One AnnData of several samples, graphs kept block-diagonal.

    Raises
    ------
    NoCellsError
        For an empty list.
    OptionError
        If `library_key` is a column that says which cell of a sample is which (`cell_id`, `frame`, …).
    CellGraphError
        If units differ, sample names repeat, or a graph, layer, representation or `obs["frame"]` is in some samples only.
    ShapeError
        If features differ.

    Notes
    -----
    `anndata.concat` drops graphs unless told otherwise; here `obsp`, the `*_neighbors` entries of `uns` and the contacts
    of the scans stay. Rows keep their order; `obs_names` get the sample in front when they would collide.

    Examples
    --------
    >>> import cellgraph_clr as cgc
    >>> slides = [cgc.datasets.tissue(60, random_state=i).image for i in (0, 1)]
    >>> adata = cgc.concat([cgc.from_labels(slide, library_id=f"slide_{i}") for i, slide in enumerate(slides)])
    >>> adata.obs["library_id"].unique().tolist()
    ['slide_0', 'slide_1']
    """
    import anndata as ad
    import pandas as pd

    if len(adatas) == 0:
        raise NoCellsError(expected("at least one AnnData", "none", "Pass the samples to join."))
    check_not_owned([library_key] if library_key != "library_id" else [], "`library_key`")
    parts = _named_parts(adatas, library_key)
    samples = [a for a, _ in parts]
    _check_alike(parts)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Observation names are not unique")  # mended below
        out = ad.concat(samples, join="outer", merge="same", uns_merge="same", pairwise=True)
    out.obs[library_key] = pd.Categorical([new[s] for a, new in parts for s in sample_of(a, None)])
    if not out.obs_names.is_unique:
        out.obs_names = [f"{s}-{n}" for s, n in zip(out.obs[library_key], out.obs_names, strict=True)]
    for column in out.obs.columns:
        if any(isinstance(a.obs.get(column, pd.Series()).dtype, pd.CategoricalDtype) for a in samples):
            values = out.obs[column].astype(object)
            out.obs[column] = pd.Categorical(values.where(values.notna(), UNASSIGNED).astype(str))
    if "region" in out.obs and sum(a.obs["region"].nunique() for a in samples) > out.obs["region"].nunique():
        several = np.concatenate([np.full(a.n_obs, a.obs["region"].nunique() > len(new)) for a, new in parts])
        both = zip(out.obs[library_key].astype(str), out.obs["region"].astype(str), several, strict=True)
        # (region, cell_id) identifies a cell
        out.obs["region"] = pd.Categorical([f"{s}/{r}" if more else s for s, r, more in both])
    _merge_uns(out, parts, library_key)
    return out


def _named_parts(
    adatas: Sequence[AnnData] | Mapping[str, AnnData], library_key: str
) -> list[tuple[AnnData, dict[str, str]]]:
    """Return every AnnData with the new names of its samples. Raises `CellGraphError` for a name that comes twice."""
    named = isinstance(adatas, Mapping)
    items = adatas.items() if isinstance(adatas, Mapping) else ((str(i), a) for i, a in enumerate(adatas))
    parts = []
    for name, a in items:
        inside = [str(s) for s in np.unique(sample_of(a, None))]
        if len(inside) > 1:
            parts.append((a, {s: f"{name}/{s}" if named else s for s in inside}))
        else:
            own = library_key in a.obs and a.obs[library_key].nunique() == 1 and not named
            new = str(a.obs[library_key].iloc[0]) if own else str(name)
            parts.append((a, dict.fromkeys(inside, new)))
    names = [n for _, new in parts for n in new.values()]
    if len(set(names)) < len(names):
        raise CellGraphError(expected("one name per sample", listing(names), "Pass a mapping name → AnnData."))
    return parts


def _check_alike(parts: Sequence[tuple[AnnData, Mapping[str, str]]]) -> None:
    """Raise for AnnData of other units, features, graphs, layers or representations than the first."""
    first = parts[0][0]
    units = {unit_of(a) for a, _ in parts}
    if len(units) > 1:
        raise CellGraphError(expected("one unit of positions", sorted(units), "Convert the positions first."))
    if not first.var_names.is_unique:
        repeated = listing(sorted(set(first.var_names[first.var_names.duplicated()])))
        raise CellGraphError(
            expected("unique feature names", f"repeated {repeated}", "Make them unique: `var_names_make_unique`.")
        )
    if not any(a.n_obs for a, _ in parts):
        raise NoCellsError(
            expected("at least one cell", f"{len(parts)} AnnData without rows", "Check the filter before.")
        )
    for a, new in parts:
        name = next(iter(new.values()), "")
        if (a.X is None) != (first.X is None):
            raise CellGraphError(
                expected("features in `X` of all samples, or of none", f"others in {name!r}", "Measure alike.")
            )
        if list(a.var_names) != list(first.var_names):
            difference = sorted(set(a.var_names) ^ set(first.var_names))
            found = f"others in {name!r}: {listing(difference)}"
            raise ShapeError(expected("the same features in all samples", found, "Measure alike."))
        for what, mine, its, remedy in (
            ("graphs", first.obsp, a.obsp, "Build alike."),
            ("layers", first.layers, a.layers, "Join samples before `cgc.pp.scale_features`, or scale all of them."),
            ("representations", first.obsm, a.obsm, "Compute them for all samples, or delete them from `obsm`."),
        ):
            if set(mine) != set(its):
                found = f"{sorted(its)} in {name!r}"
                raise CellGraphError(expected(f"the {what} {sorted(mine)} in every sample", found, remedy))
        for key, matrix in first.obsm.items():
            one, other = (_kind(m) for m in (matrix, a.obsm[key]))
            if one != other:
                remedy = "Convert DataFrames to arrays, or compute it alike."
                raise ShapeError(expected(f"obsm[{key!r}] as {one} in every sample", f"{other} in {name!r}", remedy))
        for column, remedy in (("frame", "Join movies with movies."), ("region", "Delete the column.")):
            if (column in first.obs) != (column in a.obs):
                found = f"{'one' if column in a.obs else 'none'} in {name!r}"
                raise CellGraphError(expected(f"obs[{column!r}] in all samples or in none", found, remedy))


def _kind(matrix: Any) -> str:
    """Return what is to be alike of a representation in all samples; columns of DataFrames are joined by their names."""
    return (
        "a DataFrame" if hasattr(matrix, "columns") else f"an array of {' x '.join(map(str, matrix.shape[1:]))} columns"
    )


@checked
def concat_labelled(
    images: Iterable[tuple[str, LabelImage, Mapping[str, Any]]],
    *,
    where: str,
    features: Sequence[str],
    n_jobs: int | None,
) -> AnnData:
    """Return the cells of many label images as one AnnData; those without cells are left out.

    Parameters
    ----------
    images : name, image, and what goes into `obs` of its cells; one image in memory at a time.
    where : what an image is, for errors.
    features, n_jobs : as in `from_labels`.

    Raises
    ------
    NoCellsError
        If no image has a cell.

    Notes
    -----
    Images with a "frame" in `obs` are frames of one sample.
    """
    import pandas as pd

    from cellgraph_clr.io.cells import from_labels

    samples: dict[str, AnnData] = {}
    for name, image, about in images:
        if not np.any(image.labels):
            continue
        adata = samples[name] = from_labels(image, features=features, library_id=name, n_jobs=n_jobs)
        for column, value in about.items():
            adata.obs[column] = pd.Categorical([value] * adata.n_obs) if isinstance(value, str) else value
    for column in {c for a in samples.values() for c, kind in a.obs.dtypes.items() if kind == "category"}:
        for adata in samples.values():  # nothing is known of some: one dtype, or pandas guesses
            if adata.obs[column].isna().all():
                adata.obs[column] = pd.Categorical([None] * adata.n_obs, categories=np.array([], object))
    if not samples:
        raise NoCellsError(expected("labelled cells", f"none in any {where}", "Check the segmentation."))
    return concat(samples)


@checked
def as_frames(adata: AnnData, library_id: str | None) -> AnnData:
    """Return the cells of images that are frames of one movie as one sample, told apart by `obs["frame"]`; edits `adata`."""
    frame = adata.obs.groupby("library_id", observed=True)["frame"].first()
    package = package_info(adata)
    for slot in ("contacts", "images"):
        for entry in package.get(slot, {}).values():
            entry["frame"] = int(frame[entry["sample"]])
            entry["sample"] = library_id or ""
    del adata.obs["library_id"]
    package.pop("library_key")
    if library_id is not None:
        import pandas as pd

        adata.obs["library_id"] = pd.Categorical([library_id] * adata.n_obs)
    return adata


def _merge_uns(out: AnnData, parts: Sequence[tuple[AnnData, Mapping[str, str]]], library_key: str) -> None:
    for key in list(parts[0][0].uns):
        if key.endswith("_neighbors"):
            value = entries_of(parts[0][0], key)
            entry = {k: v for k, v in value.items() if k != "params"}
            params = entries_of(parts[0][0], key, "params")
            out.uns[key] = {**entry, "params": {**params, "library_key": library_key}}
    if "region" in out.obs:
        unique = [str(r) for r in out.obs["region"].cat.categories]
        out.uns["spatialdata_attrs"] = {
            "region": unique if len(unique) > 1 else unique[0],
            "region_key": "region",
            "instance_key": "cell_id",
        }
    package = package_info(out)
    package["unit"] = unit_of(parts[0][0])
    package["library_key"] = library_key
    for slot in ("contacts", "images", "runs"):
        package.pop(slot, None)
    first, *others = (recorded_runs(a) for a, _ in parts)
    if alike := {key: run for key, run in first.items() if all(o.get(key) == run for o in others)}:
        package["runs"] = alike
    join_scaled(out, [a for a, _ in parts])
    for a, new in parts:
        only = next(iter(new.values())) if len(new) == 1 else None  # whatever it was called when it was measured
        for (sample, frame), contacts in stored_contacts(a).items():
            store_contacts(out, only or new.get(sample, sample), contacts, frame)
        for (sample, frame), image in stored_images(a, "images").items():
            store_scale(out, only or new.get(sample, sample), as_scale(image), frame)
