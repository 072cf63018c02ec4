"""Commands that look at files: `inspect`, `plot`, `report`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from cellgraph_clr.cli.cells import function_of, needed, picked
from cellgraph_clr.cli.outputs import check_written
from cellgraph_clr.cli.said import finish, say

if TYPE_CHECKING:
    from cellgraph_clr.cli.commands import Command

__all__ = ["inspect", "plot", "report"]

FLAGS = ("touches_border", "is_fragmented", "has_holes", "is_tiny", "is_huge", "is_thin")


def inspect(command: Command, typed: dict[str, Any], given: dict[str, Any]) -> None:  # noqa: ARG001
    """Say what a file holds, and whether it follows the layout."""
    path: Path = typed["path"]
    if path.suffix == ".h5ad" or _is_anndata(path):
        from cellgraph_clr.io.anndata_files import read
        from cellgraph_clr.io.validation import validate

        adata = read(path)
        problems = validate(adata)
        say(str(adata), n_cells=adata.n_obs, n_features=adata.n_vars, obs=list(adata.obs), obsm=list(adata.obsm))
        say("\n".join(f"problem: {p}" for p in problems) or "follows the layout", problems=problems)
        if problems:
            finish()
            raise typer.Exit(1)
        return
    from cellgraph_clr.im import label_qc
    from cellgraph_clr.io.labels import read_labels

    labels = read_labels(path)
    found = label_qc(labels, **given)
    shape = list(labels.labels.shape)
    spacing = " x ".join(f"{s:g}" for s in labels.spacing)
    text = f"{len(found)} cells in {' x '.join(map(str, shape))} {labels.labels.dtype}, spacing {spacing} {labels.unit}"
    say(text, n_cells=len(found), shape=shape, spacing=list(labels.spacing), unit=labels.unit)
    for flag in FLAGS:
        say(f"{flag}: {int(found[flag].sum())}", **{flag: int(found[flag].sum())})


def _is_anndata(path: Path) -> bool:
    """Return whether a folder is an AnnData in Zarr."""
    return path.is_dir() and (path / "obs").is_dir() and (path / "var").is_dir()


def plot(command: Command, typed: dict[str, Any], given: dict[str, Any]) -> None:
    """Write a picture of what is in a file."""
    output: Path = typed["output"]
    check_written(picture=output, inputs=[typed["path"], given.get("image"), given.get("labels")])
    dotted, given = picked(command, given)
    needed(dotted, given)
    import matplotlib as mpl

    mpl.use("Agg")
    from cellgraph_clr.cli.telling import query_of
    from cellgraph_clr.io.anndata_files import read
    from cellgraph_clr.pl.canvas import check_save

    check_save(output)
    if given.get("query") is not None:
        given["query"] = query_of(given["query"])
    adata = read(typed["path"])
    function_of(dotted)(adata, save=output, **given)
    say(f"wrote {output}", written=[str(output)])


def report(command: Command, typed: dict[str, Any], given: dict[str, Any]) -> None:  # noqa: ARG001
    """Write a page about the cells in a file."""
    from cellgraph_clr._report.writing import check_report
    from cellgraph_clr._report.writing import report as write_report
    from cellgraph_clr.io.anndata_files import read

    output: Path = typed["output"]
    check_report(output)
    check_written(files=[output], inputs=[typed["path"], given.get("labels"), given.get("image")])
    adata = read(typed["path"])
    write_report(adata, output, **given)
    size = output.stat().st_size
    say(f"wrote {output} ({size / 1e6:.1f} MB)", written=[str(output)], bytes=size)
