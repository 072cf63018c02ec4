"""`cgc.report`: one page to look at cells, ask which others are like them, and read what the data are."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cellgraph_clr._core.arguments import checked
from cellgraph_clr._core.checks import check_key, check_text, check_whole, expected, listing
from cellgraph_clr._core.errors import CellGraphError, NoCellsError, OptionError
from cellgraph_clr._core.files import replacing
from cellgraph_clr._core.outputs import check_output
from cellgraph_clr._core.rng import as_seed
from cellgraph_clr.adata.copies import check_in_memory
from cellgraph_clr.adata.reading import adjacency_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from anndata import AnnData

    from cellgraph_clr._core.rng import RandomState
    from cellgraph_clr._report.contents import Contents
    from cellgraph_clr._report.parts import Section, Subject

__all__ = ["check_report", "report"]

MOST_CELLS = 200_000
RAMP = "viridis"
RAMP_STEPS = 64


@checked
def report(
    adata: AnnData,
    output: str | os.PathLike[str],
    *,
    labels: Any = None,
    image: Any = None,
    title: str | None = None,
    color: str | None = None,
    truth_key: str | None = None,
    use_rep: str | None = None,
    embedding: str | None = None,
    features: Sequence[str] | None = None,
    neighbors_key: str = "spatial",
    library_key: str | None = None,
    n_dims: int | None = None,
    max_cells: int = MOST_CELLS,
    random_state: RandomState = 0,
) -> Path:
    """Write one HTML file about cells: linked maps that answer "where else is something like this?", and sections to print.

    The file holds all it needs: it opens without a network or a server, and its content security policy lets nothing in or
    out.

    Parameters
    ----------
    adata : AnnData
        Any AnnData in memory; what it holds is shown (positions, a graph, vectors, classes, features, records of
        calls). Not changed.
    output : str or path-like
        File to write, ending in .html; an older page of this function is replaced, no other file.
    labels : object, default None
        Label images of the cells, in any form that `pl.spatial` takes: outlines are drawn (of a volume those of the middle
        section of every cell, in a slab of x and y), labels are looked over (`im.label_qc`), and typical cells shown.
    image : object, default None
        Under the cells, as in `pl.spatial`; a volume (z, y, x), or (c, z, y, x) of up to three channels, is shown by its
        brightest plane along z. Small pictures of the cells found and of typical cells are cut from it, of a volume in the
        plane of each cell. For this the page holds one picture of every cell of a volume, or of an image that is too large
        for the page as it is: up to 3 MB, and of more than about 29,000 cells none, as the page then says.
    title : str or None, default None
        Of the page; None takes the name of the file.
    color : str or None, default None
        Column of `obs` or feature to begin with; None takes predicted classes ("…_pred") where there are any, else
        "cell_type", "compartment" or clusters, else the first classes.
    truth_key : str or None, default None
        `obs` column of true classes; predicted types are judged on cells whose label was not learned from.
    use_rep : str or None, default None
        Vectors that are searched; None takes the first there is of "X_context", "X_cellgraph", "X_morphocontext",
        "X_morpho", "X_pca" and "X". Missing values count as the median of their column.
    embedding : str or None, default None
        `obsm` key of two dimensions drawn beside the tissue; None takes "X_umap", else makes a UMAP of the vectors (of
        more than 50,000 cells their principal axes).
    features : sequence of str or None, default None
        Features that can be shown; None takes as many of the first as a small file allows (1.5 million values).
    neighbors_key : str, default "spatial"
        The graph on which regions grow.
    library_key : str or None, default None
        `obs` column of the samples; None as in `gr.contact_graph`.
    n_dims : int or None, default None
        Dimensions of the codes that the page searches by; None takes the fewest with which 98 % of the 50 nearest cells
        are found (random cells are tried; the page says how many were found).
    max_cells : int, default MOST_CELLS
        With more cells a sample is drawn that keeps rare classes (200 cells of every class), and the page says so.
    random_state : int, numpy.random.Generator or None, default 0
        Seed of the sample and of the UMAP.

    Returns
    -------
    pathlib.Path
        The path that was written.

    Raises
    ------
    OptionError, OutputError
        For a name that does not end in .html, a folder that is not there, a file that cannot be written or that another
        wrote, or options outside their range.
    NoCellsError, CellGraphError
        For no cell, an AnnData that is not in memory, or columns of `obs` or features of one name.
    MissingKeyError, NoGraphError, ShapeError, NonFiniteError
        For unknown keys and graphs, an embedding of one column, and images or labels that are not those of the cells, or
        not of their planes.
    MissingFileError, FileFormatError
        For labels or an image given as paths where there is no file, or one of another kind.

    Notes
    -----
    The page answers as `tl.retrieve` and `tl.retrieve_regions` do, by cosine on int8 codes along principal axes and on the
    packed graph. The UMAP takes most of the time; the rest is O(n d^2). About 0.1 kB a cell and 32 dimensions.

    Examples
    --------
    >>> from pathlib import Path
    >>> import tempfile
    >>> import cellgraph_clr as cgc
    >>> adata = cgc.datasets.tissue(60, ndim=2, random_state=0).adata()
    >>> adata.obsm["X_flat"] = adata.X[:, :2]
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     page = cgc.report(adata, Path(folder) / "cells.html", embedding="X_flat")
    ...     page.name, page.stat().st_size > 10_000
    ('cells.html', True)
    """
    target = check_report(output)
    check_in_memory(adata)
    _check_names(adata)
    if adata.n_obs == 0:
        raise NoCellsError(expected("at least one cell", "an AnnData without rows", "Check the filter before."))
    check_whole("max_cells", max_cells)
    for name, value in (("title", title), ("truth_key", truth_key)):
        if value is not None:
            check_text(name, value)
    if n_dims is not None:
        check_whole("n_dims", n_dims)
    if color is not None:
        check_key(
            color, [*map(str, adata.obs.columns), *map(str, adata.var_names)], where="adata.obs or adata.var_names"
        )
    if neighbors_key != "spatial":
        adjacency_of(adata, neighbors_key)  # one that is named must be there
    if truth_key is not None:
        check_key(truth_key, list(adata.obs.columns), where="adata.obs")
    from cellgraph_clr._report.contents import Options, contents
    from cellgraph_clr._report.parts import Subject
    from cellgraph_clr.io.arrays import image_of

    seed = as_seed(random_state)
    rows = _rows(adata, int(max_cells), seed)
    shown = _features(adata, len(rows), features, color)
    shown_image = image_of(image)
    options = Options(labels, shown_image, color, use_rep, embedding, shown, neighbors_key, library_key, n_dims, seed)
    held = contents(adata, rows, options)
    about = Subject(adata, library_key, neighbors_key, labels, shown_image, truth_key)
    command = _command(
        output, labels, image, title=title, color=color, truth_key=truth_key, use_rep=use_rep, embedding=embedding
    )
    parts = _sections(about, held, use_rep, command)
    return _write(target, title or target.stem, held, parts)


def check_report(output: str | os.PathLike[str]) -> Path:
    """Return the path of a page to write.

    Raises `OptionError` for its suffix, and `OutputError` as `check_output`.
    """
    target = Path(output) if isinstance(output, (str, os.PathLike)) else Path()
    if target.suffix.lower() not in (".html", ".htm"):
        raise OptionError(expected("`output` as the name of a page", f"{output!r}", "End it in .html."))
    check_output(target)
    return target


def _check_names(adata: AnnData) -> None:
    """Raise `CellGraphError` for columns of `obs` or features of one name: which is meant cannot be told."""
    for where, names in (("obs.columns", adata.obs.columns), ("var_names", adata.var_names)):
        twice = [repr(str(n)) for n in names[names.duplicated()].unique()]
        if twice:
            call = "adata.var_names_make_unique()" if where == "var_names" else "adata.obs.columns = [...]"
            raise CellGraphError(
                expected(f"every name in `adata.{where}` once", f"{listing(twice)} several times", f"Rename: `{call}`.")
            )


def _rows(adata: AnnData, most: int, seed: int) -> np.ndarray:
    """Return the rows of a page, drawn by class where there are too many."""
    from cellgraph_clr._report.columns import categorical_columns
    from cellgraph_clr._report.subset import chosen_rows

    if adata.n_obs <= most:
        return np.arange(adata.n_obs)
    classes = [adata.obs[c].astype("category").cat.codes.to_numpy(np.int64) for c in categorical_columns(adata)]
    return chosen_rows(adata.n_obs, classes, most, np.random.default_rng(seed))


def _features(adata: AnnData, n: int, features: Sequence[str] | None, color: str | None) -> list[str]:
    from cellgraph_clr._report.columns import shown_features

    shown = shown_features(adata, n, [features] if isinstance(features, str) else features)
    extra = [color] if color is not None and color not in adata.obs and color not in shown else []
    return [*extra, *shown]


def _sections(about: Subject, held: Contents, use_rep: str | None, command: str) -> list[Section]:
    from cellgraph_clr._report import about_classes, about_data, about_graph, about_pictures, about_time, gallery
    from cellgraph_clr.pl.colors import coloring

    adata = about.adata
    first = held.about["color"]
    found = None if first is None else coloring(adata[held.rows], first)
    sections = [
        about_pictures.maps_section("Maps", _maps(adata, held), found),
        about_data.data_section(about),
        about_graph.quality_section(about),
        about_graph.graph_section(about),
        about_classes.cluster_section(about),
        about_classes.type_section(about),
        about_classes.interaction_section(about),
        about_time.time_section(about),
        about_time.plate_section(about),
        gallery.gallery_section(about, first if first in adata.obs else None, use_rep),
        about_data.provenance_section(about, command, _notes(held.about)),
    ]
    return [s for s in sections if s is not None]


def _notes(about: Mapping[str, Any]) -> list[str]:
    """Return what a reader should know of the maps: how well they search, and what they leave out."""
    out = []
    if "codes" in about:
        codes = about["codes"]
        out.append(
            f"The maps search {codes['name']} by {1 + max(codes['axis'])} numbers, {len(codes['scale'])} bytes, a cell: of "
            f"the 50 nearest of random cells, {100 * codes['agreement']:.0f} % are those that cgc.tl.retrieve finds."
        )
    if about["n"] < about["n_total"]:
        cut = " Regions grow on what is left of the graph." if "graph" in about else ""
        out.append(f"The maps hold {about['n']:,} of {about['n_total']:,} cells, drawn so that rare classes stay.{cut}")
    return out + list(about["left_out"])


def _maps(adata: AnnData, held: Contents) -> dict[str, np.ndarray]:
    """Return the places of the cells of a page in its maps, y down: the first sample alone where there are several."""
    maps = {}
    if "spatial" in adata.obsm and len(held.about["samples"]) == 1:
        maps["Tissue"] = np.asarray(adata.obsm["spatial"], float)[held.rows][:, :2]
    if held.embedding is not None:
        maps[held.about["embedding"]["name"]] = held.embedding * [1, -1]
    return maps


def _command(output: Any, labels: Any, image: Any, **options: str | None) -> str:
    """Return the call that makes the page again, its inputs named as they were given."""
    given = {"labels": labels, "image": image}
    words = [
        f"{k}={os.fspath(v)!r}" if isinstance(v, (str, os.PathLike)) else f"{k}={k}"
        for k, v in given.items()
        if v is not None
    ]
    words += [f"{k}={v!r}" for k, v in options.items() if v is not None]
    return f"cgc.report({', '.join(['adata', repr(Path(output).name), *words])})"


def _write(target: Path, title: str, held: Contents, sections: Sequence[Section]) -> Path:
    from matplotlib import colormaps
    from matplotlib.colors import to_hex

    import cellgraph_clr
    from cellgraph_clr._report.assembly import page
    from cellgraph_clr.pl.colors import GREY

    ramp = [to_hex(c) for c in colormaps[RAMP](np.linspace(0, 1, RAMP_STEPS))]
    about = {**held.about, "ramp": ramp, "grey": GREY}
    n_samples = len(about["samples"])
    words = [f"{about['n_total']:,} cells"]
    words += [f"{n_samples:,} samples"] if n_samples > 1 else []
    if about["n"] < about["n_total"]:
        words.append(f"{about['n']:,} of them in the maps")
    if "codes" in about:
        words.append(f"searched by {about['codes']['name']}")
    text = page(
        title=title,
        subtitle=" · ".join(words),
        about=about,
        blocks=held.blocks.text,
        sections=sections,
        generator=f"cellgraph_clr {cellgraph_clr.__version__}",
    )
    with replacing(target) as beside:
        beside.write_text(text, encoding="utf-8")
    return target
