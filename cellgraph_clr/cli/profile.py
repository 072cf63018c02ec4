"""The command `profile`: a folder of fields to profiles of windows."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

from cellgraph_clr.cli.outputs import check_written, save_anndata, save_model

__all__ = ["profile"]


def profile(
    plate: Annotated[
        Path, typer.Argument(help="Folder of images with a pattern, OME-Zarr plate, or OME-TIFF with one")
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help=".h5ad or .zarr to write")],
    pattern: Annotated[
        Optional[str],  # noqa: UP045
        typer.Argument(help="Regular expression with groups sample, well, field, channel, for a folder of images"),
    ] = None,
    layout: Annotated[Optional[Path], typer.Option(help="CSV with the column well, and sample, drug, dose …")] = None,  # noqa: UP045
    channels: Annotated[Optional[str], typer.Option(help="Channels in order, separated by commas")] = None,  # noqa: UP045
    samples: Annotated[Optional[str], typer.Option(help="Samples to learn from, separated by commas")] = None,  # noqa: UP045
    model: Annotated[Optional[Path], typer.Option(help="Apply this saved model instead of training")] = None,  # noqa: UP045
    model_file: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option("--save-model", help="Write the trained model here (.safetensors)"),
    ] = None,
    window_px: Annotated[int, typer.Option(help="Pixels along the side of a window")] = 128,
    stride: Annotated[Optional[int], typer.Option(help="Pixels between windows; default: side by side")] = None,  # noqa: UP045
    foreground: Annotated[str, typer.Option(help="mixture, otsu or all")] = "mixture",
    n_steps: Annotated[int, typer.Option(help="Training steps")] = 300,
    seed: Annotated[int, typer.Option(help="Seed of everything random")] = 0,
) -> None:
    """Profile the fields of a plate (`cgc.read_plate`, `cgc.models.DeepInfoMax`, `cgc.tl.profile`)."""
    from cellgraph_clr import io, tl
    from cellgraph_clr.models import DeepInfoMax

    check_written(anndata=output, model=model_file, inputs=[plate, layout, model])
    names = channels.split(",") if channels else None
    fields = io.read_plate(plate, pattern, channels=names, layout=layout)
    typer.echo(str(fields))
    if model is not None:
        fitted = DeepInfoMax.load(model)
    else:
        fitted = DeepInfoMax(window_px=window_px, foreground=foreground, n_steps=n_steps, random_state=seed)
        fitted.fit(fields, samples=samples.split(",") if samples else None)
    adata = tl.profile(fields, model=fitted, stride=stride)
    save_anndata(adata, output, "windows")
    if model_file is not None:
        save_model(fitted, model_file, written=[output])
