"""Commands that make cells, or write something beside them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from cellgraph_clr._core.checks import expected, listing
from cellgraph_clr._core.errors import FileFormatError, OptionError
from cellgraph_clr._core.files import existing_path
from cellgraph_clr.cli.options import flag_of
from cellgraph_clr.cli.outputs import check_written, save_anndata, where_to_write
from cellgraph_clr.cli.said import is_quiet, say
from cellgraph_clr.cli.signatures import parameters_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from anndata import AnnData

    from cellgraph_clr.cli.commands import Command

__all__ = ["change", "checked_cells", "concat", "function_of", "measure", "needed", "of_functions", "scaled", "table"]

READ = ("labels", "image", "nuclei", "model", "base", "reference", "layout", "tracks")  # paths that are only read


def function_of(dotted: str) -> Callable[..., Any]:
    """Return a public function."""
    import cellgraph_clr

    found: Any = cellgraph_clr
    for part in dotted.split("."):
        found = getattr(found, part)
    return found


def needed(dotted: str, given: dict[str, Any], path: str = "adata") -> None:
    """Raise `OptionError` for options that a function cannot do without."""
    missing = [p.name for p in parameters_of(dotted) if not p.default and p.name not in (*given, path)]
    if missing:
        remedy = f"Pass {listing([f'`{flag_of(n)}`' for n in missing])}."
        raise OptionError(expected(listing([f"`{flag_of(n)}`" for n in missing]), "none", remedy))


def picked(command: Command, given: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """Return the function that a command calls, and the options it takes.

    Raises `OptionError` for another choice, and for options that this function does not have.
    """
    if not command.choice:
        return command.functions[0], given
    value = given.pop(command.choice, command.default)
    if value not in command.functions:
        names = listing([repr(k) for k in command.functions])
        raise OptionError(expected(f"`{flag_of(command.choice)}` to be one of {names}", repr(value), "Choose one."))
    dotted = command.functions[value]
    taken = {p.name for p in parameters_of(dotted)}
    if value == command.default or not isinstance(value, bool):
        taken |= {p.name for c in command.configs for p in parameters_of(c)}
    foreign = [flag_of(name) for name in given if name not in taken]
    if foreign:
        how = f"`{flag_of(command.choice)}{'' if isinstance(value, bool) else f' {value}'}`"
        what = f"options of {how}" if value is not False else f"options without `{flag_of(command.choice)}`"
        raise OptionError(expected(what, listing([f"`{f}`" for f in foreign]), "Leave them out."))
    return dotted, given


def of_functions(names: Iterable[str], given: dict[str, Any]) -> dict[str, Any]:
    """Return the options that belong to one of these functions or classes."""
    taken = {p.name for dotted in names for p in parameters_of(dotted)}
    return {name: value for name, value in given.items() if name in taken}


def checked_cells(command: Command, typed: dict[str, Any], given: dict[str, Any]) -> Path | None:
    """Return where cells are written, all outputs having been looked at; None where that is not said."""
    path, output, in_place = typed["path"], typed.get("output"), bool(typed.get("in_place"))
    silent = command.writes == "answer" and output is None and not in_place
    target = None if silent else where_to_write(path, output, in_place)
    files, asked = [given.get("checkpoint")], typed.get("table")
    inputs = [path, *(given.get(name) for name in READ)]
    inputs = [p for p in inputs if isinstance(p, Path)]
    model = typed.get("save_model")
    check_written(anndata=target, files=files, table=asked, model=model, inputs=inputs, in_place=in_place)
    return target


def change(command: Command, typed: dict[str, Any], given: dict[str, Any]) -> None:
    """Read cells, call the function of the command, write the cells and the table, and say what came out."""
    from cellgraph_clr.cli.telling import outcome, query_of
    from cellgraph_clr.io.anndata_files import read

    if given.get("reference") is not None:
        given["reference"] = Path(given["reference"])
    target = checked_cells(command, typed, given)
    dotted, given = picked(command, given)
    needed(dotted, given)
    elsewhere = dotted == "tl.retrieve" and given.get("reference") is not None
    if elsewhere and typed.get("in_place"):
        remedy = "The answer lies in the reference: pass `--output`."
        raise OptionError(expected("`--output` beside `--reference`", "`--in-place`", remedy))
    if "query" in given:
        given["query"] = query_of(given["query"])
    adata = read(typed["path"])
    if given.get("reference") is not None:
        given["reference"] = read(given["reference"])
    if "base" in given:
        from cellgraph_clr.models import CellGraphCLR

        given["base"] = CellGraphCLR.load(given["base"])
    if any(p.name == "scale" for p in command.extra):
        scaled(adata, typed.get("scale"), given.get("use_rep"))
    if is_quiet() and any(p.name == "progress" for p in parameters_of(dotted)):
        given["progress"] = False
    found = function_of(dotted)(adata, **given)
    if target is not None:
        save_anndata(given["reference"] if elsewhere else adata, target)
    outcome(dotted, adata, found, given, typed.get("table"))


def scaled(adata: AnnData, scale: bool | None, use_rep: Any) -> None:
    """Bring `X` to one scale unless that is not wanted, done, or `X` is not among what is read."""
    from cellgraph_clr import pp
    from cellgraph_clr.adata.keys import RAW_LAYER

    is_read = use_rep is None or "X" in ([use_rep] if isinstance(use_rep, str) else use_rep)
    if scale is not False and is_read and RAW_LAYER not in adata.layers:
        pp.scale_features(adata, impute="median")


def measure(command: Command, typed: dict[str, Any], given: dict[str, Any]) -> None:  # noqa: ARG001
    """Measure a label image and write the cells."""
    from cellgraph_clr.io.cells import from_labels

    check_written(anndata=typed["output"], inputs=[given.get(n) for n in ("labels", "image", "nuclei")])
    save_anndata(from_labels(**given), typed["output"])


def concat(command: Command, typed: dict[str, Any], given: dict[str, Any]) -> None:  # noqa: ARG001
    """Join several files, each a sample named by its file."""
    from cellgraph_clr import io
    from cellgraph_clr.io.anndata_files import read

    paths: list[Path] = typed["path"]
    names = [p.stem for p in paths]
    if len(paths) < 2:
        remedy = "Name two or more; one alone is measured, or read, as it is."
        raise OptionError(expected("files of two samples or more to join", f"{paths[0].name} alone", remedy))
    twice = sorted({n for n in names if names.count(n) > 1})
    if twice:
        raise OptionError(
            expected("files of different names", f"{listing(twice)} twice", "Rename them: samples take these.")
        )
    check_written(anndata=typed["output"], inputs=paths)
    joined = io.concat({name: read(p) for name, p in zip(names, paths, strict=True)}, **given)
    say(f"{len(paths)} samples", samples=names)
    save_anndata(joined, typed["output"])


def table(command: Command, typed: dict[str, Any], given: dict[str, Any]) -> None:  # noqa: ARG001
    """Turn a table into cells; features and obs that are not named are all numbers, all text."""
    import pandas as pd

    from cellgraph_clr.io.tables import from_table

    check_written(anndata=typed["output"], inputs=[typed["path"]])
    needed("from_table", {"cell_id": None, **given}, "df")
    cells = read_table(typed["path"])
    given.setdefault("cell_id", None)
    if given["cell_id"] is None and "cell_id" in cells and pd.api.types.is_integer_dtype(cells["cell_id"]):
        given["cell_id"] = "cell_id"
    taken = {*given["position"], given["cell_id"], given.get("library_key")}
    rest = [c for c in cells.columns if c not in taken]
    numbers = [c for c in rest if pd.api.types.is_numeric_dtype(cells[c]) and not pd.api.types.is_bool_dtype(cells[c])]
    given.setdefault("features", [c for c in numbers if c not in given.get("obs", [])])
    given.setdefault("obs", [c for c in rest if c not in numbers])
    save_anndata(from_table(cells, **given), typed["output"])


def read_table(path: Path) -> Any:
    """Return the table in a .csv, .tsv or .parquet file. Raises `MissingFileError` and `FileFormatError`."""
    import pandas as pd

    file = existing_path(path)
    kind = file.suffix.lower()
    if kind not in (".csv", ".tsv", ".parquet"):
        raise FileFormatError(expected("a .csv, .tsv or .parquet file", f"{file.name!r}", "Save the table as one."))
    try:
        return pd.read_parquet(file) if kind == ".parquet" else pd.read_csv(file, sep="\t" if kind == ".tsv" else ",")
    except (ValueError, OSError) as error:  # of pandas and pyarrow
        raise FileFormatError(expected(f"a table in {file.name!r}", f"{error}", "Is it whole?")) from error
