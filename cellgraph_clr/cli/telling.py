"""What commands on cells say of what came out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer

from cellgraph_clr._core.errors import OptionError
from cellgraph_clr.cli.outputs import save_table
from cellgraph_clr.cli.said import say

if TYPE_CHECKING:
    from pathlib import Path

    from anndata import AnnData

__all__ = ["outcome", "query_of"]

NO_CONTACTS = (
    "no cells touch: bridge the background by `--labels LABELS --max-gap 1`, "
    "or join cells by position: `--method delaunay`"
)


def query_of(text: str) -> Any:
    """Return what is asked for: ids like 12,15, or a category like cell_type=neuron. Raises `OptionError`."""
    column, equal, value = text.partition("=")
    if equal:
        return {column: value}
    try:
        return [int(x) for x in text.split(",")]
    except ValueError as error:
        raise OptionError(f"Expected ids like 12,15 or column=value, found {text!r}. Check the query.") from error


def outcome(function: str, adata: AnnData, found: Any, given: dict[str, Any], table: Path | None) -> None:
    """Say what a function wrote into the cells, or found; write its table where that is asked for."""
    if function.startswith("gr."):
        _graph(function, adata, given.get("key_added", "temporal" if function == "gr.temporal_graph" else "spatial"))
        return
    if hasattr(found, "columns"):
        shown = found.drop(columns="outline", errors="ignore")
        if table is not None:
            save_table(shown, table, index=function != "tl.interactions")
        say(shown.to_string(), table=_rows(function, shown))
        return
    key = {
        "tl.classify": f"{given.get('label_key')}_pred",
        "tl.transfer_labels": f"{given.get('label_key')}_pred",
        "tl.cluster": given.get("method", "leiden"),
        "pp.split": "split",
    }.get(function)
    if key is not None:
        counts = adata.obs[given.get("key_added") or key].value_counts()
        say(counts.to_string(), counts=counts)


def _rows(function: str, table: Any) -> Any:
    """Return a table whose rows say which cell or region they are, where the index does."""
    if function == "tl.retrieve_regions":
        return table.reset_index()
    return table.rename_axis("obs_name").reset_index() if function == "tl.retrieve" else table


def _graph(function: str, adata: AnnData, key: str) -> None:
    n_edges = int(adata.obsp[f"{key}_connectivities"].nnz) // 2
    say(f"{n_edges} edges", n_edges=n_edges)
    if n_edges == 0 and function == "gr.contact_graph":
        typer.echo(NO_CONTACTS, err=True)
