"""Segmentation tables of MoBIE: `label_id`, `anchor_x/y/z`, bounding boxes, and any further columns."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from cellgraph_clr._core.checks import expected
from cellgraph_clr._core.errors import FileFormatError
from cellgraph_clr._core.files import replacing
from cellgraph_clr.adata.positions import position_of
from cellgraph_clr.io.foreign import file_to_read, named_errors
from cellgraph_clr.io.tables import from_table

if TYPE_CHECKING:
    import os

    from anndata import AnnData

__all__ = ["read_mobie_table", "write_mobie_table"]

OWN = ("label_id", "anchor_x", "anchor_y", "anchor_z")


def read_mobie_table(path: str | os.PathLike[str], *, unit: str = "micrometer") -> AnnData:
    r"""Return the AnnData of a MoBIE segmentation table (.tsv or .csv).

    Parameters
    ----------
    path : str or path-like
        With columns label_id, anchor_x, anchor_y and, for volumes, anchor_z. Numeric columns become features (boxes,
        which are positions, and flags go to `obs`), text becomes categorical `obs` columns. Background (label 0) is
        left out.
    unit : str, default "micrometer"
        Unit of the anchors.

    Returns
    -------
    AnnData
        The AnnData of a MoBIE segmentation table (.tsv or .csv).

    Raises
    ------
    MissingFileError
        If the file is not there.
    FileFormatError
        If a column is missing.
    NoCellsError, NonFiniteError, CellGraphError
        As `from_table`.

    Examples
    --------
    >>> import cellgraph_clr as cgc
    >>> from pathlib import Path
    >>> written = Path("default.tsv").write_text("label_id\tanchor_x\tanchor_y\tvolume\n3\t1.0\t2.0\t90.5\n")
    >>> adata = cgc.io.read_mobie_table("default.tsv")
    >>> adata.obs["cell_id"].tolist(), adata.var_names.tolist()
    ([3], ['volume'])
    """
    import pandas as pd

    target = file_to_read(path)
    with named_errors(target, "a table"):
        df = pd.read_csv(target, sep="," if target.suffix == ".csv" else "\t")
    missing = [c for c in OWN[:3] if c not in df]
    if missing:
        raise FileFormatError(
            expected(
                f"the columns label_id, anchor_x, anchor_y in {str(target)!r}", list(df.columns)[:12], "Rename them."
            )
        )
    position = [c for c in OWN[1:] if c in df]
    rest = [c for c in df.columns if c not in OWN]
    features = [
        c for c in rest if pd.api.types.is_numeric_dtype(df[c]) and not c.startswith("bb_") and df[c].dtype != bool
    ]
    return from_table(
        df[df["label_id"] != 0],
        cell_id="label_id",
        position=position,
        features=features,
        obs=[c for c in rest if c not in features],
        unit=unit,
        library_key="library_id" if "library_id" in rest else None,
    )


def write_mobie_table(adata: AnnData, path: str | os.PathLike[str]) -> Path:
    """Write features and `obs` as a MoBIE table (tab-separated) and return the path; an old file stays until it is whole.

    Anchors are `obsm["spatial"]`. Raises `FileFormatError` if there are no positions or ids.

    Parameters
    ----------
    adata : AnnData
        Of one sample.
    path : str or path-like
        The file, .tsv.

    Returns
    -------
    pathlib.Path
        The path of the file.

    Examples
    --------
    >>> import cellgraph_clr as cgc
    >>> adata = cgc.datasets.tissue(120, random_state=0).adata()
    >>> cgc.io.write_mobie_table(adata, "cells.tsv").name
    'cells.tsv'
    """
    import pandas as pd

    if "spatial" not in adata.obsm or "cell_id" not in adata.obs:
        raise FileFormatError(
            expected("obsm['spatial'] and obs['cell_id']", "one of them missing", "Use `from_labels` or `from_table`.")
        )
    xyz = position_of(adata, whole=False)
    columns = {"label_id": adata.obs["cell_id"].to_numpy()}
    columns |= {f"anchor_{a}": xyz[:, i] for i, a in enumerate("xyz"[: xyz.shape[1]])}
    obs = adata.obs.drop(columns=["cell_id"]).reset_index(drop=True)
    table = pd.concat(
        [pd.DataFrame(columns), *([] if adata.X is None else [adata.to_df().reset_index(drop=True)]), obs], axis=1
    )
    target = Path(path)
    with replacing(target) as beside:
        table.to_csv(beside, sep="\t", index=False)
    return target
