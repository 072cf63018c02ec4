"""What a command writes: looked at before it starts, and written in the order of its worth."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cellgraph_clr.cli.said import say

__all__ = ["check_written", "save_anndata", "save_model", "save_table", "where_to_write"]

TABLES = (".csv",)
PICTURES = (".png", ".pdf", ".svg")
MODELS = (".safetensors",)


def where_to_write(path: Path, output: Path | None, in_place: bool) -> Path:
    """Return where to write. Raises `OptionError` unless that is said."""
    from cellgraph_clr._core.checks import expected
    from cellgraph_clr._core.errors import OptionError

    if (output is None) != in_place:
        found = "both" if in_place else "neither"
        remedy = f"Pass `-o new{path.suffix}`, or `--in-place` to write over {path.name}."
        raise OptionError(expected("either `--output` or `--in-place`", found, remedy))
    if output is not None and output.resolve() == path.resolve():
        raise OptionError(expected("another file for `--output`", "the input", "Pass `--in-place` to write over it."))
    return path if output is None else output


def check_written(
    *,
    anndata: Path | None = None,
    files: Sequence[Path | None] = (),
    table: Path | None = None,
    picture: Path | None = None,
    model: Path | None = None,
    inputs: Sequence[Path | None] = (),
    in_place: bool = False,
) -> None:
    """Look at all outputs of a command before it starts.

    Parameters
    ----------
    anndata : the AnnData that is written.
    files : whatever else is written.
    table : the .csv that is written.
    picture : the .png, .pdf or .svg that is written.
    model : the .safetensors that is written.
    inputs : what is read, the AnnData that is written over left out.
    in_place : whether `anndata` is read as well.

    Raises
    ------
    FileFormatError, OutputError, OptionError
        As `check_write`, `check_output` and `check_apart`; `OptionError` for a table, picture or model of another suffix.
    """
    from cellgraph_clr._core.outputs import check_apart, check_output
    from cellgraph_clr.io.anndata_files import check_write

    if anndata is not None:
        check_write(anndata)
    for file in (*files, table, picture):
        if file is not None:
            check_output(file)
    check_apart([anndata, *files, table, picture, model], [p for p in inputs if not (in_place and p == anndata)])
    if model is not None:
        check_output(model, "model")
    for path, what, suffixes in (
        (table, "a table", TABLES),
        (picture, "a picture", PICTURES),
        (model, "a model", MODELS),
    ):
        _check_suffix(path, what, suffixes)


def _check_suffix(path: Path | None, what: str, suffixes: Sequence[str]) -> None:
    """Raise `OptionError` for a name of another kind: such a file may be one that is read elsewhere."""
    from cellgraph_clr._core.checks import expected
    from cellgraph_clr._core.errors import OptionError

    if path is not None and path.suffix.lower() not in suffixes:
        named = f"{what} that ends in {' or '.join(suffixes)}"
        raise OptionError(expected(named, f"{path.name!r}", f"Name it {path.stem}{suffixes[0]}."))


def save_anndata(adata: Any, path: Path, what: str = "cells") -> None:
    """Write an AnnData and say so."""
    from cellgraph_clr.io.anndata_files import write

    write(adata, path)
    say(f"wrote {path} ({adata.n_obs} {what})", written=[str(path)])


def save_table(table: Any, path: Path, *, index: bool) -> None:
    """Write a table as .csv and say so."""
    from cellgraph_clr._core.files import replacing

    with replacing(path) as beside:
        table.to_csv(beside, index=index)
    say(f"wrote {path}", written=[str(path)])


def save_model(model: Any, path: Path, *, written: Sequence[Path | None]) -> None:
    """Write a model and say so; where that fails the error names the results that were written before."""
    from cellgraph_clr._core.errors import OutputError

    try:
        model.save(path)
    except OutputError as error:
        whole = " and ".join(str(p) for p in written if p is not None)
        raise OutputError(f"{error} The results were written: {whole}.") from error
    say(f"wrote {path}", written=[str(path)])
