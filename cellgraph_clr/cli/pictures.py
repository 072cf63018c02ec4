"""What the commands `table` and `plot` do."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from cellgraph_clr._core.checks import check_option, expected
from cellgraph_clr._core.errors import FileFormatError
from cellgraph_clr._core.files import existing_path

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from anndata import AnnData

__all__ = ["draw", "from_file"]


def from_file(
    path: Path, *, cell_id: str | None, unit: str | None, library_key: str | None, columns: Mapping[str, str | None]
) -> AnnData:
    """Return the cells of a .csv, .tsv or .parquet file; features and obs that are not named are all numbers, all text."""
    import pandas as pd

    from cellgraph_clr.io.tables import from_table

    file = existing_path(path)
    kind = file.suffix.lower()
    if kind not in (".csv", ".tsv", ".parquet"):
        raise FileFormatError(expected("a .csv, .tsv or .parquet file", f"{file.name!r}", "Save the table as one."))
    try:
        table = pd.read_parquet(file) if kind == ".parquet" else pd.read_csv(file, sep="\t" if kind == ".tsv" else ",")
    except (ValueError, OSError) as error:  # of pandas and pyarrow
        raise FileFormatError(expected(f"a table in {file.name!r}", f"{error}", "Is it whole?")) from error
    if cell_id is None and "cell_id" in table and pd.api.types.is_integer_dtype(table["cell_id"]):
        cell_id = "cell_id"
    named = {name: text.split(",") for name, text in columns.items() if text is not None}
    taken = {*named["position"], cell_id, library_key}
    rest = [c for c in table.columns if c not in taken]
    numbers = [c for c in rest if pd.api.types.is_numeric_dtype(table[c]) and not pd.api.types.is_bool_dtype(table[c])]
    features = named.get("features", [c for c in numbers if c not in named.get("obs", [])])
    obs = named.get("obs", [c for c in rest if c not in numbers])
    return from_table(
        table,
        cell_id=cell_id,
        position=named["position"],
        features=features,
        obs=obs,
        unit=unit,
        library_key=library_key,
    )


def draw(
    path: Path,
    output: Path,
    *,
    kind: str,
    colors: Sequence[str],
    image: Path | None,
    labels: Path | None,
    library_id: str | None,
) -> None:
    """Write one picture of the cells in a file."""
    import matplotlib as mpl

    mpl.use("Agg")

    from cellgraph_clr import pl
    from cellgraph_clr.io.anndata_files import read
    from cellgraph_clr.io.arrays import read_pixels
    from cellgraph_clr.pl.canvas import check_save

    check_save(output)
    check_option("kind", kind, ("spatial", "graph", "retrieval"))
    adata = read(path)
    pixels = None if image is None else read_pixels(image, channels_axis=True).data
    where = {"labels": labels, "library_id": library_id, "save": output}
    if kind == "spatial":
        pl.spatial(adata, list(colors) or None, pixels, **where)
    elif kind == "graph":
        pl.graph(adata, pixels, color=colors[0] if colors else None, **where)
    else:
        pl.retrieval(adata, image=pixels, **where)
