"""The command `events`: a movie to a table of divisions and deaths."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

from cellgraph_clr.cli.outputs import check_written, save_anndata, save_model, save_table

__all__ = ["events"]


def events(
    movie: Annotated[Path, typer.Argument(help="Movie: .tif, .npy, .zarr, or a folder with one file a frame")],
    table: Annotated[Path, typer.Option("--table", help="Where to write the events (.csv)")],
    labels: Annotated[Optional[Path], typer.Option(help="Masks of all frames, in one of these forms")] = None,  # noqa: UP045
    tracks: Annotated[Optional[Path], typer.Option(help="Lineage to learn from: man_track.txt or .csv")] = None,  # noqa: UP045
    model: Annotated[Optional[Path], typer.Option(help="Apply this saved classifier instead of training")] = None,  # noqa: UP045
    model_file: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option("--save-model", help="Write the trained classifier here (.safetensors)"),
    ] = None,
    axes: Annotated[Optional[str], typer.Option(help="Order of the axes, e.g. tcyx; default: as the file says")] = None,  # noqa: UP045
    frame_interval: Annotated[Optional[float], typer.Option(help="Seconds between frames")] = None,  # noqa: UP045
    steps: Annotated[int, typer.Option(help="Frames between the two of a pair, for the time arrow")] = 1,
    n_steps: Annotated[int, typer.Option(help="Training steps of the time arrow; the classifier takes half")] = 400,
    min_confidence: Annotated[float, typer.Option(help="Least probability of an event")] = 0.5,
    seed: Annotated[int, typer.Option(help="Seed of everything random")] = 0,
    output: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option("--output", "-o", help="Write the cells of all frames, with features and events, as .h5ad"),
    ] = None,
) -> None:
    """Find divisions and deaths in a movie (`cgc.models.TimeArrow`, `EventClassifier`, `cgc.tl.detect_events`)."""
    from cellgraph_clr import io, tl
    from cellgraph_clr._core.checks import expected
    from cellgraph_clr._core.errors import OptionError
    from cellgraph_clr.models import EventClassifier, TimeArrow

    if model is None and (labels is None or tracks is None):
        found = "no " + " and no ".join(n for n, v in (("--labels", labels), ("--tracks", tracks)) if v is None)
        raise OptionError(expected("masks and lineage to learn events from", found, "Pass both, or `--model`."))
    if output is not None and labels is None:
        raise OptionError(expected("`--labels` for cells", "none", "Leave `--output` out, or pass masks."))
    check_written(anndata=output, files=[table], model=model_file, inputs=[movie, labels, tracks, model])
    frames = io.read_movie(movie, labels, tracks, axes=axes, frame_interval=frame_interval)
    typer.echo(str(frames))
    if model is not None:
        fitted = EventClassifier.load(model)
    else:
        arrow = TimeArrow(steps=(steps,), n_steps=n_steps, random_state=seed).fit(frames)
        typer.echo(f"time arrow on frames not seen: {arrow.accuracy_:.3f} ± {arrow.accuracy_error_:.3f} (chance 0.5)")
        fitted = EventClassifier(arrow, n_steps=max(1, n_steps // 2), random_state=seed).fit(frames)
    adata = io.from_movie(frames) if output is not None else None
    found_events = tl.detect_events(frames, model=fitted, min_confidence=min_confidence, adata=adata)
    save_table(found_events, table, index=False)
    typer.echo(found_events["event"].value_counts().to_string() if len(found_events) else "no event")
    if adata is not None and output is not None:
        tl.time_arrow(adata, frames, model=fitted.arrow)
        save_anndata(adata, output)
    if model_file is not None:
        save_model(fitted, model_file, written=[table, output])
