"""What its matches in the frames around it say of a cell: how many, how they overlap, how large they are beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cellgraph_clr.graphs.matches import consecutive

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cellgraph_clr.cells.table import CellTable
    from cellgraph_clr.graphs.matches import Matches

__all__ = ["SIDES", "match_features", "split_scores"]

SIDES = ("next", "previous")


def match_features(
    cells: CellTable,
    matches: Matches,
    *,
    size: np.ndarray | None = None,
    overlaps: bool = True,
    features: np.ndarray | None = None,
    names: Sequence[str] = (),
) -> tuple[np.ndarray, list[str]]:
    """Return features of the matches of every cell, those in the next frame and those in the frame before apart.

    Parameters
    ----------
    cells, matches : as `graphs.matches` makes them.
    size : (n,) areas or volumes, above 0; None leaves the sizes out.
    overlaps : whether overlaps were measured; False leaves them out.
    features : (n, f) values to compare with the best match; None for none.
    names : their f names.

    Returns
    -------
    (n, k) float64 and k names. For each side, "next" and "previous":

    * frame: 1 where the sample has a frame there, else 0; then all that follows is 0;
    * n_matches; n_best, those of them whose own best match is this cell; n_sharing, the matches that the best match has;
    * overlap_sum, overlap_max: of the Jaccard indices;
    * size_sum, size_largest, size_best, size_best_sum, size_best_largest: log of the sum, the largest, the best, and the sum and
      the largest of those whose best match is this cell, over the own size, minus the median of the frame; 0 without such;
    * distance to the best match in own lengths size ** (1 / d), without sizes in the unit of positions;
    * delta_ and the name of a feature: the best match's minus the own.

    Notes
    -----
    The best match overlaps most; of those that overlap alike, it is the nearest in its own lengths. Source: project,
    METHODS 9.3; n_best and its sizes are ours. O(m log m).
    """
    columns: list[np.ndarray] = []
    labels: list[str] = []
    for side, name in enumerate(SIDES):
        found = _one_side(cells, matches, side, size, overlaps=overlaps)
        best = found.pop("best")
        has = best >= 0
        for feature, values in zip(names, np.zeros((len(cells), 0)).T if features is None else features.T, strict=True):
            found[f"delta_{feature}"] = np.where(has, values[best] - values, 0.0)
        columns += found.values()
        labels += [f"{name}_{n}" for n in found]
    return np.stack(columns, axis=1).astype(np.float64), labels


def _one_side(
    cells: CellTable, matches: Matches, side: int, size: np.ndarray | None, *, overlaps: bool
) -> dict[str, np.ndarray]:
    """Return the features of the matches on one side (0: next, 1: previous), and the row of the best one, -1 for none."""
    n, place = len(cells), cells.position
    me, it = matches.pairs[:, side], matches.pairs[:, 1 - side]
    length = np.ones(n) if size is None else size ** (1 / place.shape[1])
    apart = np.linalg.norm(place[me] - place[it], axis=1)
    count = np.bincount(me, minlength=n)
    chosen = _best(me, it, matches.overlap, apart / length[it], place)
    best = np.full(n, -1)
    best[me[chosen]] = it[chosen]
    claims = _best(it, me, matches.overlap, apart / length[me], place)
    around = np.zeros(n)
    for pair in consecutive(cells):
        around[pair[side]] = 1
    out = {"best": best, "frame": around, "n_matches": count, "n_best": np.bincount(me[claims], minlength=n)}
    out["n_sharing"] = np.where(best >= 0, np.bincount(it, minlength=n)[best], 0)
    if overlaps:
        out["overlap_sum"] = np.bincount(me, weights=matches.overlap, minlength=n)
        out["overlap_max"] = _largest(me, matches.overlap, n)
    if size is not None:
        _, frame = np.unique(
            np.stack([np.unique(cells.sample, return_inverse=True)[1], cells.frame]), axis=1, return_inverse=True
        )
        sizes = {
            "size_sum": np.bincount(me, weights=size[it], minlength=n),
            "size_largest": _largest(me, size[it], n),
            "size_best": _largest(me[chosen], size[it[chosen]], n),
            "size_best_sum": np.bincount(me[claims], weights=size[it[claims]], minlength=n),
            "size_best_largest": _largest(me[claims], size[it[claims]], n),
        }
        out |= {name: _log_ratio(its, size, frame) for name, its in sizes.items()}
    out["distance"] = np.zeros(n)
    out["distance"][me[chosen]] = apart[chosen] / length[me[chosen]]
    return out


def _best(me: np.ndarray, it: np.ndarray, overlap: np.ndarray, apart: np.ndarray, place: np.ndarray) -> np.ndarray:
    """Return for each of `me` which of its pairs is the best: most overlap, then nearest, then first in z, y, x."""
    order = np.lexsort((*place[it].T[::-1], apart, -overlap, me))
    return order[np.append(True, me[order][1:] != me[order][:-1])] if len(order) else order


def _largest(rows: np.ndarray, values: np.ndarray, n: int) -> np.ndarray:
    out = np.zeros(n)
    np.maximum.at(out, rows, values)
    return out


def _log_ratio(its: np.ndarray, own: np.ndarray, frame: np.ndarray) -> np.ndarray:
    """Return log(its / own) minus its median in the frame, 0 where `its` is 0."""
    import pandas as pd

    has = its > 0
    out = np.zeros(len(own))
    ratio = pd.Series(np.log(its[has] / own[has]))
    out[has] = ratio - ratio.groupby(frame[has]).transform("median")
    return out


def split_scores(values: np.ndarray, names: Sequence[str]) -> np.ndarray:
    """Return how much a cell looks like one that divides before the next frame (n,): 0 to 1, NaN without a next frame.

    Half of it says that there are several matches, the other half how much the largest of them is smaller than the cell:

        score = ([n_matches >= 2] + 1 / (1 + exp(size_largest))) / 2,    0 without a match

    Without sizes it is 3/4 or 1/4. `values` and `names` are those of `match_features`.

    Source: project. The rule was chosen on simulated nuclei and generated movies, before it was run on others.
    """
    column = dict(zip(names, values.T, strict=True))
    largest = column.get("next_size_largest", np.zeros(len(values)))
    count = column["next_n_matches"]
    score = np.where(count > 0, ((count >= 2) + 1 / (1 + np.exp(largest))) / 2, 0.0)
    return np.where(column["next_frame"] > 0, score, np.nan)
