"""The command `report`: one HTML page about the cells in a file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

from cellgraph_clr.cli.outputs import check_written

__all__ = ["report"]


def report(
    path: Annotated[Path, typer.Argument(help="AnnData: .h5ad or .zarr")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Page to write: .html")],
    labels: Annotated[Optional[Path], typer.Option(help="Label image of the cells: outlines, faults")] = None,  # noqa: UP045
    image: Annotated[Optional[Path], typer.Option(help="Image on the grid of the labels, shown under them")] = None,  # noqa: UP045
    title: Annotated[Optional[str], typer.Option(help="Title; default: the name of the page")] = None,  # noqa: UP045
    color: Annotated[Optional[str], typer.Option(help="obs column or feature to begin with")] = None,  # noqa: UP045
    truth_key: Annotated[str | None, typer.Option(help="obs column of true classes, to judge predicted ones")] = None,
    use_rep: Annotated[Optional[str], typer.Option(help="obsm key searched; default: the first there is")] = None,  # noqa: UP045
    embedding: Annotated[Optional[str], typer.Option(help="obsm key drawn; default: X_umap, else made here")] = None,  # noqa: UP045
    features: Annotated[Optional[str], typer.Option(help="Features to show, separated by commas")] = None,  # noqa: UP045
    library_key: Annotated[Optional[str], typer.Option(help="obs column of samples")] = None,  # noqa: UP045
    n_dims: Annotated[Optional[int], typer.Option(help="Dimensions searched by; default: chosen")] = None,  # noqa: UP045
    max_cells: Annotated[int, typer.Option(help="With more cells a sample is drawn")] = 200_000,
    seed: Annotated[int, typer.Option(help="Seed of everything random")] = 0,
) -> None:
    """Write one page to look at cells and ask which others are like them; it opens offline (`cgc.report`)."""
    from cellgraph_clr._report.writing import check_report
    from cellgraph_clr._report.writing import report as write_report
    from cellgraph_clr.io.anndata_files import read
    from cellgraph_clr.io.arrays import read_pixels

    check_report(output)
    check_written(files=[output], inputs=[path, labels, image])
    adata = read(path)
    write_report(
        adata,
        output,
        labels=labels,
        image=None if image is None else read_pixels(image, channels_axis=True).data,
        title=title,
        color=color,
        truth_key=truth_key,
        use_rep=use_rep,
        embedding=embedding,
        features=None if features is None else features.split(","),
        library_key=library_key,
        n_dims=n_dims,
        max_cells=max_cells,
        random_state=seed,
    )
    typer.echo(f"wrote {output} ({output.stat().st_size / 1e6:.1f} MB)")
