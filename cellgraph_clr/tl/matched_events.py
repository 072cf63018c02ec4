"""Events of cells learned from a few marked ones: measured shape and matches between frames, calibrated trees."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from cellgraph_clr._core.checks import check_key, expected, listing
from cellgraph_clr._core.errors import LabelKeyError
from cellgraph_clr._core.log import log_written
from cellgraph_clr._core.notices import warn
from cellgraph_clr._core.rng import RandomState, as_rng, as_seed
from cellgraph_clr.adata.copies import check_writable
from cellgraph_clr.adata.labels import classes_of
from cellgraph_clr.adata.provenance import record_run
from cellgraph_clr.adata.reading import representation
from cellgraph_clr.adata.results import write_classes
from cellgraph_clr.gr.common import cells_of
from cellgraph_clr.gr.matches import matches_of, write_matches
from cellgraph_clr.gr.temporal import check_frames
from cellgraph_clr.graphs.matches import consecutive

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd
    from anndata import AnnData

    from cellgraph_clr.cells.table import CellTable

__all__ = ["events_from_matches"]

NONE = "none"
LIKE_NONE = ("no", "negative", "background", "other", "nothing", "false")  # meant as `NONE`, most likely
PER_EVENT = 10  # cells drawn to stand for "none", for every marked event
MATCHES, SCORE = "X_matches", "split_score"  # where `gr.temporal_matches` writes by default
N_TREES = 200  # enough: the trees are few features deep, and most calls learn from tens of cells


def events_from_matches(
    adata: AnnData,
    labels: Any,
    label_key: str | None,
    *,
    use_rep: str | Sequence[str] | None,
    library_key: str | None,
    min_confidence: float,
    key_added: str,
    random_state: RandomState,
) -> pd.DataFrame:
    """Do what `tl.detect_events` says of an AnnData."""
    if label_key is None:
        remedy = "Name it by `label_key=`. The score of `cgc.gr.temporal_matches` needs no marks."
        raise LabelKeyError(expected("the column of marked events", "none", remedy))
    check_writable(adata)
    check_frames(adata)
    check_key(label_key, list(adata.obs.columns), where="adata.obs", error=LabelKeyError)
    if adata.obs[label_key].dtype.kind in "biuf":
        kind, remedy = f"dtype {adata.obs[label_key].dtype}", 'Name it: np.where(marked, "division", "unassigned").'
        raise LabelKeyError(expected(f"names of events in obs[{label_key!r}]", kind, remedy))
    codes, classes = classes_of(adata, label_key)
    _warn_of_like_none(classes, label_key)
    cells, seed = cells_of(adata, library_key), as_seed(random_state)
    has_next = np.zeros(len(cells), bool)
    for now, _ in consecutive(cells):
        has_next[now] = True
    order = np.lexsort((cells.cell_id, cells.frame, cells.sample))  # the result does not depend on the order of rows
    rows, marked = _marked(codes, classes, order[has_next[order]], seed)
    made = None
    if labels is not None or (use_rep is None and MATCHES not in adata.obsm):
        made = matches_of(adata, labels=labels, library_key=library_key)
    vectors, names = _vectors(adata, use_rep, None if made is None else made[0].features)
    proba, found, temperature = _predicted(vectors, rows, marked, seed)
    proba[~has_next] = 1 / len(found)
    table = _table(cells, proba, found, has_next, min_confidence)
    if made is not None:
        write_matches(adata, *made, key_added=MATCHES, score_key=SCORE)
    written = write_classes(adata, key_added, proba, found, ~has_next)
    counts = dict(zip(*[v.tolist() for v in np.unique(marked, return_counts=True)], strict=True))
    run = {"function": "tl.detect_events", "label_key": label_key, "use_rep": names, "learned_from": counts}
    record_run(adata, key_added, {**run, "calibration_temperature": temperature, "drawn": NONE not in classes})
    log_written("tl.detect_events", written)
    return table


def _warn_of_like_none(classes: Sequence[str], label_key: str) -> None:
    """Warn of marks that look as if they meant no event, and are learned as one."""
    meant = [c for c in classes if c != NONE and c.strip().casefold() in (NONE, *LIKE_NONE)]
    if meant:
        named = listing([repr(c) for c in meant])
        warn(
            f"Cells marked {named} in obs[{label_key!r}] are learned as an event: only {NONE!r} means that there is none. "
            f"Rename such marks to {NONE!r}, or leave these cells unmarked ('unassigned')."
        )


def _vectors(
    adata: AnnData, use_rep: str | Sequence[str] | None, made: pd.DataFrame | None
) -> tuple[np.ndarray, list[str]]:
    """Return the vectors to learn from and the names of their representations; matches are those just made, if any."""
    usual = ["X", MATCHES] if adata.n_vars else [MATCHES]
    names = [use_rep] if isinstance(use_rep, str) else list(use_rep or usual)
    blocks = [representation(adata, n)[0] if made is None or n != MATCHES else made.to_numpy() for n in names]
    return np.concatenate(blocks, axis=1), names


def _marked(codes: np.ndarray, classes: list[str], order: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows to learn from and their classes; cells not marked stand for "none" where none is.

    Raises `LabelKeyError` for a single class and nothing to draw the other from.
    """
    rows = order[codes[order] >= 0]
    names = np.asarray(classes, object)[codes[rows]]
    free = order[codes[order] < 0]
    if NONE not in names and len(names) and len(free):
        n = min(PER_EVENT * len(rows), len(free))
        drawn = as_rng(seed).choice(free, n, replace=False)
        rows, names = np.append(rows, drawn), np.append(names, np.full(n, NONE, object))
    if len(set(names)) < 2:
        found = f"{len(rows)} of {', '.join(sorted(set(names))) or 'none'}"
        remedy = "Mark some that have a frame after theirs."
        raise LabelKeyError(expected("marked cells of an event and of 'none'", found, remedy))
    return rows, names


def _predicted(
    vectors: np.ndarray, rows: np.ndarray, names: np.ndarray, seed: int
) -> tuple[np.ndarray, list[str], float]:
    """Return the probabilities of all cells, the classes, "none" first, and the temperature of calibration."""
    from cellgraph_clr.models.classifiers.trees import CalibratedTrees

    trees = CalibratedTrees(n_trees=N_TREES, random_state=seed).fit(vectors[rows], names.astype(str))
    proba = trees.predict_proba(vectors)
    classes = [str(c) for c in trees.classes_]
    order = sorted(range(len(classes)), key=lambda k: (classes[k] != NONE, classes[k]))
    return proba[:, order], [classes[k] for k in order], trees.calibration_temperature_


def _table(
    cells: CellTable, proba: np.ndarray, classes: list[str], has_next: np.ndarray, min_confidence: float
) -> pd.DataFrame:
    """Return the cells whose most probable event is as probable as asked for, the most confident first."""
    import pandas as pd

    events = [k for k, name in enumerate(classes) if name != NONE]
    best = proba[:, events].argmax(axis=1)
    confidence = np.where(has_next, proba[np.arange(len(proba)), np.array(events)[best]], -1.0)
    rows = np.flatnonzero(confidence >= min_confidence)
    rows = rows[np.lexsort((cells.cell_id[rows], cells.frame[rows], cells.sample[rows], -confidence[rows]))]
    out = {"library_id": cells.sample[rows]} if len(set(cells.sample)) > 1 else {}
    out |= {"frame": cells.frame[rows]}
    out |= dict(zip("zyx"[-cells.position.shape[1] :], cells.position[rows].T, strict=True))
    out |= {"cell_id": cells.cell_id[rows], "event": np.array(classes, object)[np.array(events)[best[rows]]]}
    return pd.DataFrame({**out, "confidence": confidence[rows]})
