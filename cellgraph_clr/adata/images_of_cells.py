"""What an AnnData remembers of the images its cells were measured in: which cells, contacts, spacing, unit and origin."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from cellgraph_clr._core.checks import check_key, expected, listing
from cellgraph_clr._core.errors import CellGraphError, MissingKeyError, NoCellsError, OptionError
from cellgraph_clr._core.units import PIXEL, canonical_unit, unit_factor, unit_sign
from cellgraph_clr.adata.keys import PACKAGE_KEY
from cellgraph_clr.adata.provenance import entries_of, package_info, recorded_unit
from cellgraph_clr.adata.samples import cell_ids, frame_of, sample_of
from cellgraph_clr.graphs.samples import Group, group_rows

if TYPE_CHECKING:
    from collections.abc import Mapping

    from anndata import AnnData

    from cellgraph_clr.cells.label_image import LabelImage

__all__ = [
    "SAME",
    "Scale",
    "as_scale",
    "chosen_images",
    "image_numbers",
    "images_of",
    "only_image",
    "rows_of_labels",
    "scale_of",
    "scaled_like",
    "store_contacts",
    "store_scale",
    "stored_contacts",
    "stored_images",
]

SAME = 1e-3  # relative difference from which two spacings are two: metadata are rounded


class Scale(NamedTuple):
    """Spacing z, y, x and place of the first pixel's centre, in `unit`; and the shape of the image where it is known."""

    spacing: tuple[float, ...]
    unit: str
    origin: tuple[float, ...]
    shape: tuple[int, ...] = ()

    def __str__(self) -> str:
        """Return the spacing as text."""
        return f"{' x '.join(f'{s:g}' for s in self.spacing)} {unit_sign(self.unit)}"


def images_of(adata: AnnData, library_key: str | None = None) -> list[Group]:
    """Return the cells of every image: those of one sample and one frame. Raises `MissingKeyError` for an unknown key."""
    return group_rows(sample_of(adata, library_key), frame_of(adata))


def image_numbers(adata: AnnData, library_key: str | None = None) -> np.ndarray:
    """Return the number (n,) int64 of the image of every cell, its place in `images_of`."""
    out = np.empty(adata.n_obs, np.int64)
    for i, image in enumerate(images_of(adata, library_key)):
        out[image.rows] = i
    return out


def chosen_images(adata: AnnData, library_id: object = None, library_key: str | None = None) -> list[Group]:
    """Return the images named by `library_id`: a sample, an image ("movie/frame_07"), a frame number, or a list of these.

    None takes all. Raises `MissingKeyError` for one that is not there.
    """
    found = images_of(adata, library_key)
    if library_id is None:
        return found
    wanted = library_id if isinstance(library_id, (list, tuple, set, np.ndarray)) else [library_id]
    out: list[Group] = []
    for one in wanted:
        whole = isinstance(one, (int, np.integer))
        mine = [g for g in found if (g.frame == one if whole else str(one) in g.keys[:3])]
        if not mine:
            check_key(str(one), [g.name for g in found], where="the samples", error=MissingKeyError)
        out += [g for g in mine if not any(g is other for other in out)]
    return out


def only_image(adata: AnnData, library_id: object = None) -> Group:
    """Return the one image that `library_id` names (see `chosen_images`), or the only one there is.

    Raises
    ------
    OptionError
        If `library_id` does not name one of several images.
    MissingKeyError, NoCellsError
        If there is no such image, or no cell.
    """
    images = images_of(adata)
    if len(images) == 0:
        raise NoCellsError(expected("at least one cell", "an AnnData without rows", "Check the filter before."))
    if len(images) > 1:
        images = chosen_images(adata, library_id)
    if len(images) > 1:
        remedy = "Name the sample (or the number of the frame) that the labels are of."
        found = listing([g.name for g in images])
        raise OptionError(expected("`library_id` for an AnnData of several samples", found, remedy))
    return images[0]


def rows_of_labels(adata: AnnData, cell_id: np.ndarray, group: Group) -> np.ndarray:
    """Return the rows of the cells of an image with these ids, in the order of `adata`. Raises `MissingKeyError` for none."""
    rows = np.sort(group.rows)
    rows = rows[np.isin(cell_ids(adata)[rows], cell_id)]
    if len(rows) == 0:
        raise MissingKeyError(expected("cells of these labels in `adata`", "none", "Check `obs['cell_id']`."))
    return rows


def stored_images(adata: AnnData, slot: str) -> dict[tuple[str, int], Mapping[str, Any]]:
    """Return what `uns["cellgraph_clr"][slot]` holds for every image, by sample and frame."""
    entries = entries_of(adata, PACKAGE_KEY, slot)
    try:
        return {(str(e["sample"]), int(e.get("frame", 0))): e for e in entries.values()}
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        remedy = f"Delete it: `del adata.uns[{PACKAGE_KEY!r}][{slot!r}]`."
        found = f"others ({type(error).__name__})"
        raise CellGraphError(
            expected(f"entries with a sample in `adata.uns[{PACKAGE_KEY!r}][{slot!r}]`", found, remedy)
        ) from error


def _store(adata: AnnData, slot: str, sample: str, frame: int, entry: Mapping[str, Any]) -> None:
    """Add an entry; names are values, since keys may not hold a slash."""
    entries_of(adata, PACKAGE_KEY, slot)
    entries = package_info(adata).setdefault(slot, {})
    entries[str(len(entries))] = {**entry, "sample": sample, "frame": int(frame)}


def stored_contacts(adata: AnnData) -> dict[tuple[str, int], Mapping[str, Any]]:
    """Return what the scan of each image left, by sample and frame: cell pairs, areas, ids, surfaces, measured gap."""
    return stored_images(adata, "contacts")


def store_contacts(adata: AnnData, sample: str, entry: Mapping[str, Any], frame: int = 0) -> None:
    """Add the contacts of an image."""
    _store(adata, "contacts", sample, frame, entry)


def store_scale(adata: AnnData, sample: str, scale: Scale, frame: int = 0) -> None:
    """Remember spacing, unit and origin of an image."""
    origin = scale.origin or (0.0,) * len(scale.spacing)
    entry = {"spacing": [float(s) for s in scale.spacing], "unit": scale.unit, "origin": [float(o) for o in origin]}
    entry["shape"] = [int(n) for n in scale.shape]
    _store(adata, "images", sample, frame, entry)


def scale_of(adata: AnnData, group: Group) -> Scale | None:
    """Return spacing, unit and origin of the labels that the cells of an image were measured in; None when not known."""
    stored = stored_images(adata, "images")
    entry = stored.get((group.sample, group.frame))
    if entry is None and len(stored) == 1 and len(images_of(adata)) == 1:  # one image, whatever it is called now
        entry = next(iter(stored.values()))
    if entry is None:
        return None
    return as_scale(entry)


def as_scale(entry: Mapping[str, Any]) -> Scale:
    """Return what `store_scale` stored."""
    try:
        spacing, origin = (tuple(float(v) for v in entry[name]) for name in ("spacing", "origin"))
        return Scale(spacing, str(entry["unit"]), origin, tuple(int(n) for n in entry.get("shape", ())))
    except (KeyError, TypeError, ValueError) as error:
        remedy = f"Delete it: `del adata.uns[{PACKAGE_KEY!r}]['images']`."
        what = f"spacing, unit and origin in `adata.uns[{PACKAGE_KEY!r}]['images']`"
        raise CellGraphError(expected(what, f"others ({type(error).__name__})", remedy)) from error


def scaled_like(adata: AnnData, group: Group, image: LabelImage) -> LabelImage:
    """Return a label image on the scale of the cells that were measured in it.

    Without a scale of its own it takes spacing, unit and origin that `adata` remembers; with one it must be the same.

    Raises
    ------
    OptionError
        For another spacing or origin, or a unit that does not convert.
    MissingKeyError
        If neither knows a scale, and positions are not in pixels.
    """
    from dataclasses import replace

    known, unit = scale_of(adata, group), recorded_unit(adata)
    if unit is None:  # not from this package, or `uns` was dropped: whether the scale fits is checked by positions
        return image
    where = f" of {group.name!r}" if group.name else ""
    if not image.has_scale:
        if known is not None and len(known.spacing) == image.ndim:
            return replace(image, spacing=known.spacing, unit=known.unit, origin=known.origin)
        if unit == PIXEL:
            return image
        remedy = "Pass `cgc.LabelImage.build(labels, spacing=…, unit=…)`."
        found = "labels without one"
        raise MissingKeyError(expected(f"labels{where} with a spacing, since positions are in {unit}", found, remedy))
    if (unit == PIXEL) != (image.unit == PIXEL):
        remedy = "Pass the array of the labels alone, or measure the cells again by `cgc.from_labels` with this scale."
        found = f"labels{where} in {image.unit}"
        raise OptionError(expected(f"labels in {unit}, as the positions of the cells", found, remedy))
    factor = unit_factor(image.unit, unit)
    spacing = tuple(s * factor for s in image.spacing)
    origin = tuple(o * factor for o in image.origin)
    if known is not None:
        remedy = "Pass the labels without a scale to use that of the cells, or measure them again by `cgc.from_labels`."
        if len(spacing) != len(known.spacing) or not np.allclose(spacing, known.spacing, rtol=SAME, atol=0):
            found = str(Scale(spacing, unit, origin))
            raise OptionError(expected(f"labels{where} with a spacing of {known}, as the cells have", found, remedy))
        if origin and not np.allclose(origin, known.origin, rtol=SAME, atol=SAME * min(spacing)):
            found = f"{origin}"
            raise OptionError(expected(f"labels{where} that begin at {known.origin}, as the cells do", found, remedy))
        spacing, origin = known.spacing, known.origin
    return replace(image, spacing=spacing, unit=canonical_unit(unit), origin=origin)
