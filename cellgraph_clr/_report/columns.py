"""What cells of a page are colored by, and what its cards tell of them: columns of `obs` and features in raw units."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from cellgraph_clr._core.checks import check_key
from cellgraph_clr._core.units import unit_sign
from cellgraph_clr._report.blocks import rounded
from cellgraph_clr.adata.keys import UNASSIGNED
from cellgraph_clr.adata.reading import raw_values
from cellgraph_clr.pl.colors import coloring

if TYPE_CHECKING:
    from collections.abc import Sequence

    from anndata import AnnData

    from cellgraph_clr._report.blocks import Blocks

__all__ = ["add_columns", "categorical_columns", "shown_features"]

MOST_NAMES = 250  # categories of a column; text with more of them is no class
MOST_OBS = 60  # columns of `obs`
MOST_VALUES = 1_500_000  # of features, all cells together
FEW_VALUES = 1_000_000  # up to here numbers keep four digits, else three
NOT_SHOWN = ("cell_id", "region")  # identity, and a constant of squidpy's


def categorical_columns(adata: AnnData) -> list[str]:
    """Return the names of `obs` columns that are classes: categories, text and flags, with up to `MOST_NAMES` of them."""
    return [str(c) for c in adata.obs.columns if c not in NOT_SHOWN and _is_classes(adata.obs[c])]


def _is_classes(column: Any) -> bool:
    if column.dtype.kind in "iuf" or column.dtype.kind in "Mm":
        return False
    n = len(column.dtype.categories) if hasattr(column.dtype, "categories") else column.astype(str).nunique()
    return bool(0 < n <= MOST_NAMES)


def shown_features(adata: AnnData, n_cells: int, features: Sequence[str] | None) -> list[str]:
    """Return the names of features in a page: those asked for, or as many of the first as `MOST_VALUES` allows.

    Raises `MissingKeyError` for unknown ones.
    """
    if features is not None:
        for name in features:
            check_key(name, list(adata.var_names), where="adata.var_names")
        return list(dict.fromkeys(features))
    if adata.X is None:
        return []
    names = list(dict.fromkeys(map(str, adata.var_names)))
    return names[: max(MOST_VALUES // max(n_cells, 1), 1)]


def add_columns(blocks: Blocks, adata: AnnData, rows: np.ndarray, features: Sequence[str]) -> list[dict[str, Any]]:
    """Pack columns of `obs` and features of these rows, and return what the page says of each: name, kind, colors or unit."""
    view = adata[rows]  # a view: colors are not written to `uns`
    classes = categorical_columns(adata)
    numbers = [str(c) for c in adata.obs.columns if adata.obs[c].dtype.kind in "iuf" and c not in NOT_SHOWN]
    numbers = [c for c in numbers if np.isfinite(adata.obs[c].to_numpy(float)).any()][:MOST_OBS]
    bits = 11 if len(rows) * (len(numbers) + len(features)) <= FEW_VALUES else 7
    out = [_classes(blocks, view, name, len(out_)) for out_, name in _counted(classes[:MOST_OBS])]
    for name in numbers:
        values = adata.obs[name].to_numpy(float)[rows]
        out.append(_numbers(blocks, name, "", values, "obs", f"column_{len(out)}", bits))
    for name in features:
        values, unit = raw_values(adata, name)
        out.append(_numbers(blocks, name, unit, values[rows], "feature", f"column_{len(out)}", bits))
    return out


def _counted(names: Sequence[str]) -> list[tuple[Sequence[str], str]]:
    return [(names[:i], name) for i, name in enumerate(names)]


def _classes(blocks: Blocks, view: AnnData, name: str, number: int) -> dict[str, Any]:
    found = coloring(view, name)
    count = np.bincount(found.values[found.values >= 0], minlength=len(found.names))
    codes = found.values.astype(np.uint8)
    return {
        "name": name,
        "kind": "classes",
        "names": found.names,
        "colors": found.colors,
        "count": count.tolist(),
        "unassigned": found.names.index(UNASSIGNED) if UNASSIGNED in found.names else -1,
        "block": blocks.add(f"column_{number}", codes),
    }


def _numbers(
    blocks: Blocks, name: str, unit: str, values: np.ndarray, source: str, block: str, bits: int
) -> dict[str, Any]:
    kept = rounded(values, bits)
    finite = kept[np.isfinite(kept)]
    low, high = np.percentile(finite, (1, 99)) if len(finite) else (0.0, 1.0)
    if low == high and len(finite):
        low, high = float(finite.min()), float(finite.max())
    mean, spread = (float(finite.mean(dtype=float)), float(finite.std(dtype=float))) if len(finite) else (0.0, 0.0)
    return {
        "name": name,
        "kind": "numbers",
        "source": source,
        "unit": unit_sign(unit) if unit else "",
        "low": float(low),
        "high": float(high),
        "mean": mean,
        "spread": spread,
        "block": blocks.add(block, kept),
    }
