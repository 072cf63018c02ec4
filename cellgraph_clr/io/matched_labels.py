"""Labels of the cells of an AnnData: which image is whose, on the scale of the cells, and whether it is theirs at all."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from cellgraph_clr._core.checks import check_key, expected, listing
from cellgraph_clr._core.errors import MissingKeyError, ShapeError
from cellgraph_clr.adata.fit import check_labels_fit
from cellgraph_clr.adata.images_of_cells import images_of, only_image, scaled_like
from cellgraph_clr.adata.positions import position_of
from cellgraph_clr.cells.blocks import array_like
from cellgraph_clr.cells.label_image import LabelImage
from cellgraph_clr.cells.movie import Movie
from cellgraph_clr.cells.plate import Plate
from cellgraph_clr.io.labels import as_label_image

if TYPE_CHECKING:
    from collections.abc import Callable

    from anndata import AnnData

    from cellgraph_clr.graphs.samples import Group
    from cellgraph_clr.io.labels import Labels

__all__ = ["labels_of_cells", "labels_of_images", "of_image"]


def labels_of_cells(
    adata: AnnData, labels: Labels, image: Any = None, *, library_id: object = None
) -> tuple[Group, LabelImage]:
    """Return one image of `adata` and its labels on the scale of the cells.

    Parameters
    ----------
    adata : the cells.
    labels, image : as in `as_label_image`; or a mapping, `Movie` or `Plate` as in `labels_of_images`.
    library_id : the sample (or frame) that the labels are of; needed where there are several.

    Raises
    ------
    OptionError, MissingKeyError, ShapeError
        If `library_id` does not name one of several images, and as `labels_of_images`.
    """
    group = only_image(adata, library_id)
    found = labels_of_images(adata, labels, [group])(group)
    if image is not None:
        found = as_label_image(found, image, warn=False)
    return group, found


def labels_of_images(
    adata: AnnData, labels: Labels, images: Sequence[Group], *, in_place: bool = False
) -> Callable[[Group], LabelImage]:
    """Return a function that gives the label image of each of `images`, on the scale of its cells, read when asked for.

    Parameters
    ----------
    adata : the cells.
    labels : for one image, what `as_label_image` takes; for the frames of one movie also the `Movie` or an array of all frames
        (t, [z,] y, x); for several samples a mapping from samples to these, or the `Plate` they were measured in.
    images : of `images_of` or `groups`.
    in_place : cells are to lie where their labels do, for pictures; otherwise they may have been moved as a whole.

    Raises
    ------
    MissingKeyError
        For a sample without labels, or one image for several.
    ShapeError
        For labels of other dimensions than the cells.
    OptionError
        For labels on another scale, or that are not those of the cells (see `check_labels_fit`).
    """
    _check_one_each(adata, labels, images)

    def labels_of(group: Group) -> LabelImage:
        found = scaled_like(adata, group, _label_image(adata, of_image(adata, labels, group, what="labels"), group))
        check_labels_fit(adata, group, found, in_place=in_place)
        return found

    return labels_of


def _check_one_each(adata: AnnData, labels: Labels, images: Sequence[Group]) -> None:
    """Raise `MissingKeyError` for one image, or one movie, that would serve several samples."""
    if isinstance(labels, (Mapping, Plate)) or len(images) < 2:
        return
    samples = {g.sample for g in images}
    stack = isinstance(labels, Movie) or _is_stack(adata, labels)
    if len(samples) > 1 or not stack:
        what = "a movie" if stack else "a label image"
        remedy = "Pass {sample: labels, …}, or the movie or plate they were measured in."
        found = f"a single one for {listing([g.name for g in images], limit=3)}"
        n = len(samples) if stack else len(images)
        noun = "samples" if n == len(samples) else "frames"
        raise MissingKeyError(expected(f"{what} for each of {n} {noun}", found, remedy))


def _is_stack(adata: AnnData, labels: Any) -> bool:
    """Return whether an array has one axis more than the cells: frames."""
    if isinstance(labels, (str, os.PathLike, LabelImage, Movie, Plate, Mapping)) or "frame" not in adata.obs:
        return False
    return bool(np.ndim(labels) == position_of(adata, whole=False).shape[1] + 1)


def of_image(adata: AnnData, given: Any, group: Group, *, what: str) -> Any:
    """Return what was given for one image: an entry of a mapping, a frame of a movie or of an array, a field of a plate.

    Frames and fields of movies and plates are `LabelImage`s where they have labels and `what` is "labels", else pixels.
    Raises `MissingKeyError` for a mapping without the sample, `ShapeError` for a frame that is not there.
    """
    if isinstance(given, Mapping):
        by_name = {str(k): v for k, v in given.items()}
        one_sample = len({g.sample for g in images_of(adata)}) == 1
        names = group.keys if one_sample else group.keys[:-1]  # frames are numbered alike in every movie
        name = next((n for n in names if n in by_name), None)
        if name is None and len(by_name) == len(images_of(adata)) == 1:
            name = next(iter(by_name))
        if name is None:
            check_key(group.name, list(by_name), where=what, remedy=f"Give {what} for every sample.")
        return of_image(adata, by_name[str(name)], group, what=what)
    if isinstance(given, Movie):
        _check_frame(group, len(given))
        return given.label_image(group.frame) if what == "labels" else given.frame(group.frame)
    if isinstance(given, Plate):
        check_key("line", list(adata.obs.columns), where="adata.obs", remedy="Make it by `cgc.from_plate(plate)`.")
        line = int(adata.obs["line"].iloc[group.rows[0]])
        return given.label_image(line) if what == "labels" else given.image(line)
    if what == "labels" and _is_stack(adata, given):
        stack = array_like(given)
        _check_frame(group, len(stack))
        return stack[group.frame]
    return given


def _check_frame(group: Group, n: int) -> None:
    if group.frame >= n:
        raise ShapeError(expected(f"frame {group.frame}, as the cells have", f"{n} frames", "Is it of another movie?"))


def _label_image(adata: AnnData, given: Any, group: Group) -> LabelImage:
    """Return a `LabelImage` with the dimensions of the cells. Raises `ShapeError`."""
    found = as_label_image(given, warn=False)
    d = position_of(adata, whole=False).shape[1]
    if found.ndim != d:
        where = f" of {group.name!r}" if group.name else ""
        remedy = "Select the plane, frame or volume that they were measured in."
        raise ShapeError(expected(f"labels{where} with {d} axes, as the positions have", f"{found.ndim} axes", remedy))
    return found
