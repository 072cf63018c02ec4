"""The interactive part of a page: where cells lie, how alike they are, who is beside whom, what is known of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from cellgraph_clr._core.errors import NoGraphError
from cellgraph_clr._core.notices import warn
from cellgraph_clr._core.units import unit_sign
from cellgraph_clr._report.blocks import Blocks
from cellgraph_clr._report.columns import add_columns
from cellgraph_clr._report.edges import add_edges
from cellgraph_clr._report.pictures import cell_outlines, picture_url
from cellgraph_clr._report.subset import near_in_order
from cellgraph_clr._report.vectors import coded, flat_embedding, page_vectors
from cellgraph_clr.adata.images_of_cells import image_numbers, images_of
from cellgraph_clr.adata.positions import position_of
from cellgraph_clr.adata.provenance import recorded_unit
from cellgraph_clr.adata.reading import adjacency_of
from cellgraph_clr.adata.samples import cell_ids
from cellgraph_clr.graphs.samples import n_crossing

if TYPE_CHECKING:
    from collections.abc import Sequence

    from anndata import AnnData
    from scipy.sparse import csr_matrix

    from cellgraph_clr.graphs.samples import Group

__all__ = ["Contents", "contents"]

FINE = 65535  # steps of a coordinate
PER_PIXEL = 8  # steps of an outline
MOST_OUTLINES = 30_000  # cells
MOST_PICTURES = 12  # samples whose image is held
CLASSES = ("cell_type", "compartment", "leiden", "gmm")  # columns to begin with where no class is predicted


class Contents(NamedTuple):
    """What the scripts of a page read: words and numbers (`about`), and the arrays they name."""

    about: dict[str, Any]
    blocks: Blocks
    rows: np.ndarray
    """Rows of the AnnData in the order of the page."""
    embedding: np.ndarray | None
    """Their two dimensions (n, 2), where there are any."""


class Options(NamedTuple):
    """What a page is made with, as `writing.report` explains."""

    labels: Any
    image: Any
    color: str | None
    use_rep: str | None
    embedding: str | None
    features: Sequence[str]
    neighbors_key: str
    library_key: str | None
    n_dims: int | None
    seed: int


def contents(adata: AnnData, rows: np.ndarray, options: Options) -> Contents:
    """Return the interactive part of a page about these rows (ascending)."""
    blocks = Blocks()
    number = image_numbers(adata, options.library_key)
    xyz = position_of(adata, whole=False) if "spatial" in adata.obsm else None
    rows = rows[near_in_order(np.zeros((len(rows), 1)) if xyz is None else xyz[rows], number[rows])]
    images = images_of(adata, options.library_key)
    about: dict[str, Any] = {"n": len(rows), "n_total": adata.n_obs}
    about["samples"] = [{"name": g.name} for g in images]
    about["blocks"] = blocks.about
    about["left_out"] = []
    if len(images) > 1:
        blocks.add("sample", number[rows].astype(np.uint16 if len(images) < FINE else np.uint32))
    if xyz is not None:
        unit = recorded_unit(adata)
        about["position"] = _placed(blocks, xyz[rows], "xyz") | {"unit": unit, "sign": unit_sign(unit) if unit else ""}
        if options.image is not None:
            _add_light(about, adata, images, xyz[rows], number[rows], options)
        if options.labels is not None:
            _add_outlines(blocks, about, adata, images, rows, xyz, options)
    _add_names(blocks, about, adata, rows)
    plane = _add_vectors(blocks, about, adata, rows, options)
    graph = _graph(adata, number, options.neighbors_key)
    if graph is not None:
        add_edges(blocks, graph[rows][:, rows])
        about["graph"] = {"key": options.neighbors_key, "cut": len(rows) < adata.n_obs}
    about["columns"] = add_columns(blocks, adata, rows, options.features)
    names = [c["name"] for c in about["columns"]]
    classes = [c["name"] for c in about["columns"] if c["kind"] == "classes" and len(c["names"]) > 1]
    classes.sort(key=lambda c: adata.obs[c].dtype == bool)  # what is true of a cell comes after what it is
    predicted = [c for c in classes if c.endswith("_pred")]
    first = [options.color, *predicted, *(c for c in CLASSES if c in classes), *classes, *names]
    about["color"] = next((c for c in first if c in names), None)
    return Contents(about, blocks, rows, plane)


def _placed(blocks: Blocks, place: np.ndarray, axes: str) -> dict[str, Any]:
    """Pack coordinates (n, d) as `FINE` steps between the least and the most of each; what is not finite is set in the middle."""
    finite = np.isfinite(place)
    low = np.array([c[f].min() if f.any() else 0.0 for c, f in zip(place.T, finite.T, strict=True)])
    high = np.array([c[f].max() if f.any() else 1.0 for c, f in zip(place.T, finite.T, strict=True)])
    step = np.where(high > low, (high - low) / FINE, 1.0)
    filled = np.where(finite, place, (low + high) / 2)
    for axis, values in zip(axes, np.rint((filled - low) / step).astype(np.uint16).T, strict=False):
        blocks.add(axis, values)
    return {"axes": axes[: place.shape[1]], "low": low.tolist(), "step": step.tolist()}


def _add_names(blocks: Blocks, about: dict[str, Any], adata: AnnData, rows: np.ndarray) -> None:
    """Pack the ids of cells, and the names of rows where they are others."""
    names = adata.obs_names.to_numpy().astype(str)[rows]
    if "cell_id" not in adata.obs:
        about["ids"] = "obs_names"
        blocks.add_lines("names", names)
        return
    ids = cell_ids(adata)[rows]
    about["ids"] = "cell_id"
    if len(ids) and (ids.max() >= 2**32 or ids.min() < 0):
        blocks.add_lines("ids", ids.astype(str))
    else:
        blocks.add("cell_id", ids.astype(np.uint32))
    if not np.array_equal(ids.astype(str), names):
        blocks.add_lines("names", names)


def _add_vectors(
    blocks: Blocks, about: dict[str, Any], adata: AnnData, rows: np.ndarray, options: Options
) -> np.ndarray | None:
    """Pack codes of what is searched, and two dimensions to draw, where there are any; return the latter."""
    found = page_vectors(adata, options.use_rep)
    vectors = None if found is None else found[1][rows]
    weighted = found is not None and found[2]
    flat = flat_embedding(adata, rows, options.embedding, vectors, weighted=weighted, seed=options.seed)
    if flat is not None:
        name, plane = flat
        about["embedding"] = _placed(blocks, plane, "uv") | {"name": name}
    if found is not None and vectors is not None and len(rows) > 1:
        codes = coded(vectors, weighted=weighted, n_dims=options.n_dims, rng=np.random.default_rng(options.seed))
        blocks.add("codes", codes.code)
        about["codes"] = {"name": found[0], "scale": codes.scale.tolist(), "axis": codes.axis.tolist()}
        about["codes"]["agreement"] = round(codes.agreement, 3)
    return None if flat is None else flat[1]


def _graph(adata: AnnData, number: np.ndarray, neighbors_key: str) -> csr_matrix | None:
    """Return the graph that regions grow on; None without one, or where it joins images, which regions do not."""
    try:
        graph = adjacency_of(adata, neighbors_key)
    except NoGraphError:
        return None
    return None if graph.nnz == 0 or n_crossing(graph, number) else graph


def _add_light(
    about: dict[str, Any],
    adata: AnnData,
    images: Sequence[Group],
    xyz: np.ndarray,
    number: np.ndarray,
    options: Options,
) -> None:
    """Add the image of every sample, and small pictures of the cells of the page, at `xyz` in samples `number`."""
    from cellgraph_clr._report.light import Lights
    from cellgraph_clr._report.sheets import add_sheets

    lights = Lights(adata, options.image, options.labels, options.library_key)
    shown = list(images)[:MOST_PICTURES]
    for sample, group in zip(about["samples"], shown, strict=False):
        found = lights.flat(group)
        if found is not None:
            left, right, bottom, top = found[1]
            sample["picture"] = {"url": picture_url(found[0]), "box": [left, top, right, bottom]}
    if len(images) > len(shown):
        about["left_out"].append(f"The images of {len(images) - len(shown)} of {len(images)} samples are left out.")
    add_sheets(about, lights, shown, xyz, number)


def _add_outlines(
    blocks: Blocks,
    about: dict[str, Any],
    adata: AnnData,
    images: Sequence[Group],
    rows: np.ndarray,
    xyz: np.ndarray,
    options: Options,
) -> None:
    """Pack the outlines of the cells, where they are not too many."""
    from cellgraph_clr.io.matched_labels import labels_of_images

    if len(rows) > MOST_OUTLINES:
        text = f"Outlines of {len(rows)} cells are left out (more than {MOST_OUTLINES})."
        warn(text)
        about["left_out"].append(text)
        return
    labels_of = labels_of_images(adata, options.labels, images, in_place=True)
    ids = cell_ids(adata)
    shapes: list[np.ndarray] = [np.zeros((0, 2))] * adata.n_obs
    finest = np.inf
    for group in images:
        image = labels_of(group)
        finest = min(finest, *image.spacing[-2:])
        known, centre, outline = cell_outlines(image)
        at = {int(c): i for i, c in enumerate(known)}
        for row in group.rows:
            i = at.get(int(ids[row]))
            if i is not None:
                shapes[row] = outline[i] + centre[i] - xyz[row, :2]
    step = finest / PER_PIXEL
    points = [np.clip(np.rint(shapes[r] / step), -32768, 32767) for r in rows]
    moves = [np.diff(p, axis=0, prepend=0) for p in points]
    blocks.add("outline_count", np.array([len(p) for p in points], np.uint8))
    flat = np.concatenate(moves) if moves else np.zeros((0, 2))
    blocks.add("outline_step", np.clip(flat, -32768, 32767).astype(np.int16))
    about["outlines"] = {"step": step}
