"""Commands: read, call the Python function of the same name, write beside and rename, say what was written."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Optional, cast

import typer

from cellgraph_clr.cli.events import events
from cellgraph_clr.cli.outputs import check_written, save_anndata, save_model, save_table, where_to_write
from cellgraph_clr.cli.page import report
from cellgraph_clr.cli.profile import profile

app = typer.Typer(
    name="cellgraph-clr",
    help="Spatial cell graphs: from segmented cells to learned, queryable tissue in AnnData.",
    epilog="Exit codes: 0 done; 1 `inspect` found problems; 2 wrong usage, or an input, option or output that does not fit, in"
    " one line on stderr; 3 out of memory; 130 interrupted; 141 nobody reads what is printed.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

Input = Annotated[Path, typer.Argument(help="AnnData: .h5ad or .zarr")]
Output = Annotated[Optional[Path], typer.Option("--output", "-o", help="Where to write: .h5ad or .zarr")]  # noqa: UP045
InPlace = Annotated[bool, typer.Option("--in-place", help="Write over the input")]
Rep = Annotated[Optional[str], typer.Option(help="obsm key of the features; default: X")]  # noqa: UP045
SEARCHED = "obsm key; default: X_context where it exists, else X_cellgraph"
Seed = Annotated[int, typer.Option(help="Seed of everything random")]


def _spacing(text: str | None) -> float | list[float] | None:
    """Return the spacing in an option: one number, or several separated by commas. Raises `OptionError`."""
    from cellgraph_clr._core.errors import OptionError

    try:
        sizes = [float(s) for s in text.split(",")] if text else None
    except ValueError as error:
        raise OptionError(
            f"Expected `--spacing` as numbers like 0.5,0.2,0.2, found {text!r}. Separate by commas."
        ) from error
    return sizes[0] if sizes is not None and len(sizes) == 1 else sizes


@app.command()
def demo(
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for pictures and demo.h5ad")] = Path(
        "demo_output"
    ),
    data: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(help="Folder with platynereis/cells.parquet: run the whole-animal table instead"),
    ] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="Few cells and training steps: does everything run? (without --data)")
    ] = False,
    seed: Seed = 0,
) -> None:
    """Run the main job: a real tissue image and generated tissue with known truth (or the Platynereis table)."""
    if data is not None and quick:
        raise typer.BadParameter("it goes with the data that ship; leave out --data or --quick", param_hint="--quick")
    if data is not None:
        from cellgraph_clr.cli.demo_platynereis import PLATYNEREIS_FILES, run_platynereis

        check_written(files=[output / name for name in PLATYNEREIS_FILES])
        run_platynereis(data, output, random_state=seed, say=typer.echo)
        return
    from cellgraph_clr.cli.demo_colon import COLON_FILES, run_colon
    from cellgraph_clr.cli.demo_planted import PLANTED_FILES, run_planted

    check_written(files=[output / name for name in (*COLON_FILES, *PLANTED_FILES)])
    run_colon(output, random_state=seed, say=typer.echo, quick=quick)
    run_planted(output, random_state=seed, say=typer.echo, quick=quick)


def _is_anndata(path: Path) -> bool:
    """Return whether a folder is an AnnData in Zarr."""
    return path.is_dir() and (path / "obs").is_dir() and (path / "var").is_dir()


@app.command()
def inspect(path: Annotated[Path, typer.Argument(help="AnnData or label image")]) -> None:
    """Say what a file holds and whether it follows the layout."""
    if path.suffix == ".h5ad" or _is_anndata(path):
        from cellgraph_clr.io.anndata_files import read
        from cellgraph_clr.io.validation import validate

        adata = read(path)
        typer.echo(str(adata))
        problems = validate(adata)
        typer.echo("\n".join(f"problem: {p}" for p in problems) or "follows the layout")
        raise typer.Exit(1 if problems else 0)
    from cellgraph_clr.im import label_qc
    from cellgraph_clr.io.labels import read_labels

    labels = read_labels(path)
    found = label_qc(labels)
    n_cells = len(found)
    shape = " x ".join(map(str, labels.labels.shape))
    spacing = " x ".join(f"{s:g}" for s in labels.spacing)
    typer.echo(f"{n_cells} cells in {shape} {labels.labels.dtype}, spacing {spacing} {labels.unit}")
    for flag in ("touches_border", "is_fragmented", "has_holes", "is_tiny", "is_huge", "is_thin"):
        typer.echo(f"{flag}: {int(found[flag].sum())}")


@app.command()
def measure(
    labels: Annotated[Path, typer.Argument(help="Label image: .tif, .npy, .zarr")],
    output: Annotated[Path, typer.Option("--output", "-o", help=".h5ad or .zarr to write")],
    image: Annotated[Optional[Path], typer.Option(help="Intensity image on the same grid")] = None,  # noqa: UP045
    spacing: Annotated[
        str | None, typer.Option(help="Pixel size z,y,x, or one number; default: from the metadata")
    ] = None,
    unit: Annotated[Optional[str], typer.Option(help="Unit of the spacing")] = None,  # noqa: UP045
    nuclei: Annotated[Optional[Path], typer.Option(help="Nucleus labels on the same grid")] = None,  # noqa: UP045
    features: Annotated[str, typer.Option(help="Groups, separated by commas")] = "shape,intensity",
    library_id: Annotated[Optional[str], typer.Option(help="Name of the sample")] = None,  # noqa: UP045
) -> None:
    """Measure cells of a label image and write AnnData (`cgc.from_labels`)."""
    from cellgraph_clr.io.cells import from_labels

    check_written(anndata=output, inputs=[labels, image, nuclei])
    adata = from_labels(
        labels,
        image,
        spacing=_spacing(spacing),
        unit=unit,
        nuclei=nuclei,
        features=features.split(","),
        library_id=library_id,
    )
    save_anndata(adata, output)


@app.command()
def graph(
    path: Input,
    method: Annotated[str, typer.Option(help="contact, delaunay, knn or radius")] = "contact",
    labels: Annotated[Path | None, typer.Option(help="Label image (contact; only if the file has no contacts)")] = None,
    n_neighbors: Annotated[int, typer.Option(help="Neighbours (knn)")] = 6,
    radius: Annotated[float, typer.Option(help="Radius in the unit of positions (radius)")] = 20.0,
    max_gap: Annotated[float, typer.Option(help="Widest background gap bridged (contact)")] = 0.0,
    min_area: Annotated[float, typer.Option(help="Contacts up to this area are left out (contact)")] = 0.0,
    key_added: Annotated[str, typer.Option(help="Key of the graph")] = "spatial",
    output: Output = None,
    in_place: InPlace = False,
) -> None:
    """Build the spatial graph (`cgc.gr.*_graph`)."""
    from cellgraph_clr import gr
    from cellgraph_clr._core.checks import check_option
    from cellgraph_clr.io.anndata_files import read

    check_option("method", method, ("contact", "delaunay", "knn", "radius"))
    target = where_to_write(path, output, in_place)
    check_written(anndata=target, inputs=[path, labels], in_place=in_place)
    adata = read(path)
    if method == "contact":
        gr.contact_graph(adata, labels, max_gap=max_gap, min_area=min_area, key_added=key_added)
    elif method == "delaunay":
        gr.delaunay_graph(adata, key_added=key_added)
    elif method == "knn":
        gr.knn_graph(adata, n_neighbors=n_neighbors, key_added=key_added)
    else:
        gr.radius_graph(adata, radius=radius, key_added=key_added)
    save_anndata(adata, target)
    n_edges = int(adata.obsp[f"{key_added}_connectivities"].nnz) // 2
    typer.echo(f"{n_edges} edges")
    if n_edges == 0 and method == "contact":
        remedy = (
            "bridge the background by `--labels LABELS --max-gap 1`, or join cells by position: `--method delaunay`"
        )
        typer.echo(f"no cells touch: {remedy}", err=True)


@app.command()
def embed(
    path: Input,
    positives: Annotated[str, typer.Option(help="neighbors, views, both, an obs column or an obsp key")] = "both",
    n_positives: Annotated[int, typer.Option(help="Positives per cell")] = 5,
    objective: Annotated[
        str, typer.Option(help="infonce_p, supcon, mil_nce, composite_infonce, nt_xent, vicreg, infomax …")
    ] = "infonce_p",
    encoder: Annotated[str, typer.Option(help="sage, gin, gatv2 or gen")] = "sage",
    n_steps: Annotated[int, typer.Option(help="Training steps")] = 150,
    use_rep: Rep = None,
    key_added: Annotated[str, typer.Option(help="obsm key to write")] = "X_cellgraph",
    model: Annotated[Optional[Path], typer.Option(help="Apply this saved model instead of training")] = None,  # noqa: UP045
    model_file: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option("--save-model", help="Write the trained model here (.safetensors)"),
    ] = None,
    checkpoint: Annotated[Optional[Path], typer.Option(help="Save training here; go on from it if it exists")] = None,  # noqa: UP045
    scale: Annotated[bool, typer.Option(help="Bring features to one scale first (median for missing ones)")] = True,
    seed: Seed = 0,
    output: Output = None,
    in_place: InPlace = False,
) -> None:
    """Learn an embedding of the cells (`cgc.pp.scale_features`, `cgc.tl.embed`)."""
    from cellgraph_clr import pp, tl
    from cellgraph_clr.adata.keys import RAW_LAYER
    from cellgraph_clr.io.anndata_files import read
    from cellgraph_clr.models.cell_graph.model import CellGraphCLR

    target = where_to_write(path, output, in_place)
    check_written(anndata=target, files=[checkpoint], model=model_file, inputs=[path, model], in_place=in_place)
    adata = read(path)
    if scale and use_rep is None and RAW_LAYER not in adata.layers:
        pp.scale_features(adata, impute="median")
    if model is not None:
        fitted = CellGraphCLR.load(model)
    else:
        fitted = CellGraphCLR(
            objective=objective,
            positives=positives,
            n_positives=n_positives,
            encoder=encoder,
            n_steps=n_steps,
            random_state=seed,
        )
        fitted.fit(adata, use_rep=use_rep, checkpoint=checkpoint)
    tl.embed(adata, model=fitted, use_rep=use_rep, key_added=key_added)
    save_anndata(adata, target)
    if model_file is not None:
        save_model(fitted, model_file, written=[target])


@app.command()
def context(
    path: Input,
    learn: Annotated[bool, typer.Option(help="Learn codes of single cells from the graph too")] = True,
    n_types: Annotated[int, typer.Option(help="Soft types of each representation")] = 64,
    region_weight: Annotated[float, typer.Option(help="Of coarse parts of the tissue; 0 for finer ones")] = 1.0,
    batch_key: Annotated[Optional[str], typer.Option(help="obs column of batches to standardise apart")] = None,  # noqa: UP045
    use_rep: Rep = None,
    key_added: Annotated[str, typer.Option(help="obsm key to write")] = "X_context",
    scale: Annotated[bool, typer.Option(help="Bring features to one scale first (median for missing ones)")] = True,
    seed: Seed = 0,
    output: Output = None,
    in_place: InPlace = False,
) -> None:
    """Describe cells by themselves, their surroundings and tissue like theirs (`cgc.pp.scale_features`, `cgc.tl.context`)."""
    from cellgraph_clr import pp, tl
    from cellgraph_clr.adata.keys import RAW_LAYER
    from cellgraph_clr.io.anndata_files import read

    target = where_to_write(path, output, in_place)
    check_written(anndata=target, inputs=[path], in_place=in_place)
    adata = read(path)
    if scale and use_rep is None and RAW_LAYER not in adata.layers:
        pp.scale_features(adata, impute="median")
    tl.context(
        adata,
        use_rep=use_rep or "X",
        learn=learn,
        n_types=n_types,
        batch_key=batch_key,
        key_added=key_added,
        random_state=seed,
        region_weight=region_weight,
    )
    save_anndata(adata, target)


@app.command()
def classify(
    path: Input,
    label_key: Annotated[str, typer.Argument(help="obs column of classes")],
    method: Annotated[
        str, typer.Option(help="auto, trees, soft_infonce, infonce, soft_cross_entropy or cross_entropy")
    ] = "auto",
    min_confidence: Annotated[Optional[float], typer.Option(help="Below: 'unassigned'")] = None,  # noqa: UP045
    seed: Seed = 0,
    output: Output = None,
    in_place: InPlace = False,
) -> None:
    """Predict a class and its confidence for every cell (`cgc.tl.classify`)."""
    from cellgraph_clr import tl
    from cellgraph_clr.io.anndata_files import read

    target = where_to_write(path, output, in_place)
    check_written(anndata=target, inputs=[path], in_place=in_place)
    adata = read(path)
    tl.classify(adata, label_key, method=method, min_confidence=min_confidence, random_state=seed)
    save_anndata(adata, target)
    typer.echo(adata.obs[f"{label_key}_pred"].value_counts().to_string())


@app.command()
def retrieve(
    path: Input,
    query: Annotated[str, typer.Argument(help="cell ids like 12,15 or a category like cell_type=neuron")],
    k: Annotated[int, typer.Option(help="Cells returned")] = 50,
    regions: Annotated[bool, typer.Option(help="Find connected regions like the query's cells instead")] = False,
    use_rep: Annotated[Optional[str], typer.Option(help=SEARCHED)] = None,  # noqa: UP045
    table: Annotated[Optional[Path], typer.Option(help="Write the table as .csv")] = None,  # noqa: UP045
    output: Output = None,
    in_place: InPlace = False,
) -> None:
    """Find cells or regions like a query (`cgc.tl.retrieve`, `cgc.tl.retrieve_regions`); writes what it is told to."""
    from cellgraph_clr import tl
    from cellgraph_clr._core.errors import OptionError
    from cellgraph_clr.io.anndata_files import read

    target = where_to_write(path, output, in_place) if output is not None or in_place else None
    check_written(anndata=target, files=[table], inputs=[path], in_place=in_place)
    adata = read(path)
    if "=" in query:
        column, _, value = query.partition("=")
        asked: object = {column: value}
    else:
        try:
            asked = [int(x) for x in query.split(",")]
        except ValueError as error:
            raise OptionError(f"Expected ids like 12,15 or column=value, found {query!r}. Check the query.") from error
    if regions:
        found = tl.retrieve_regions(adata, asked, use_rep=use_rep).drop(columns="outline", errors="ignore")
    else:
        found = tl.retrieve(adata, asked, k=k, use_rep=use_rep)
    if target is not None:
        save_anndata(adata, target)
    if table is not None:
        save_table(found, table, index=True)
    typer.echo(found.to_string())


@app.command()
def cluster(
    path: Input,
    method: Annotated[str, typer.Option(help="leiden or gmm")] = "leiden",
    n_clusters: Annotated[Optional[int], typer.Option(help="Number; default: chosen")] = None,  # noqa: UP045
    use_rep: Annotated[Optional[str], typer.Option(help=SEARCHED)] = None,  # noqa: UP045
    seed: Seed = 0,
    output: Output = None,
    in_place: InPlace = False,
) -> None:
    """Cluster cells by their embedding (`cgc.tl.cluster`)."""
    from cellgraph_clr import tl
    from cellgraph_clr.io.anndata_files import read

    target = where_to_write(path, output, in_place)
    check_written(anndata=target, inputs=[path], in_place=in_place)
    adata = read(path)
    tl.cluster(
        adata,
        method=cast("Any", method),
        n_clusters="auto" if n_clusters is None else n_clusters,
        use_rep=use_rep,
        random_state=seed,
    )
    save_anndata(adata, target)
    typer.echo(adata.obs[method].value_counts().to_string())


@app.command()
def table(
    path: Annotated[Path, typer.Argument(help="Table of cells: .csv, .tsv or .parquet")],
    output: Annotated[Path, typer.Option("--output", "-o", help=".h5ad or .zarr to write")],
    position: Annotated[str, typer.Option(help="Columns of x, y(, z)")],
    cell_id: Annotated[Optional[str], typer.Option(help="Column of ids; default: cells are numbered")] = None,  # noqa: UP045
    features: Annotated[Optional[str], typer.Option(help="Columns; default: all other numbers")] = None,  # noqa: UP045
    obs: Annotated[Optional[str], typer.Option(help="Columns; default: all that hold text")] = None,  # noqa: UP045
    unit: Annotated[Optional[str], typer.Option(help="Unit of the positions: micrometer, pixel …")] = None,  # noqa: UP045
    library_key: Annotated[Optional[str], typer.Option(help="Column of samples")] = None,  # noqa: UP045
) -> None:
    """Turn a table of cells into AnnData (`cgc.from_table`)."""
    from cellgraph_clr.cli.pictures import from_file

    check_written(anndata=output, inputs=[path])
    columns = {"position": position, "features": features, "obs": obs}
    adata = from_file(path, cell_id=cell_id, unit=unit, library_key=library_key, columns=columns)
    save_anndata(adata, output)


@app.command()
def plot(
    path: Input,
    output: Annotated[Path, typer.Option("--output", "-o", help="Picture to write: .png, .pdf or .svg")],
    color: Annotated[Optional[str], typer.Option(help="obs columns or features, separated by commas")] = None,  # noqa: UP045
    kind: Annotated[str, typer.Option(help="spatial, graph or retrieval")] = "spatial",
    image: Annotated[Optional[Path], typer.Option(help="Image on the grid of the labels")] = None,  # noqa: UP045
    labels: Annotated[Optional[Path], typer.Option(help="Label image: cells are filled")] = None,  # noqa: UP045
    library_id: Annotated[Optional[str], typer.Option(help="Sample to draw; default: all")] = None,  # noqa: UP045
) -> None:
    """Draw cells, their graph, or what a query found (`cgc.pl.spatial`, `cgc.pl.graph`, `cgc.pl.retrieval`)."""
    from cellgraph_clr.cli.pictures import draw

    check_written(files=[output], inputs=[path, image, labels])
    colors = color.split(",") if color else []
    draw(path, output, kind=kind, colors=colors, image=image, labels=labels, library_id=library_id)
    typer.echo(f"wrote {output}")


app.command()(events)
app.command()(profile)
app.command()(report)


@app.command()
def doctor(
    licenses: Annotated[
        bool, typer.Option("--licenses", help="List what is installed with it, and its licenses")
    ] = False,
) -> None:
    """Say which versions are installed, what hardware is used, and run the smallest possible job (or list licenses)."""
    from cellgraph_clr.cli.doctor import installation, license_lines

    for line in license_lines() if licenses else installation():
        typer.echo(line)
