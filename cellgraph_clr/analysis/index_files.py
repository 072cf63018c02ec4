"""The file of an index: arrays and a hash of them in one .npz, checked whole before it is used."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any
from zipfile import ZipFile

import numpy as np

from cellgraph_clr._core.checks import expected
from cellgraph_clr._core.errors import ModelFileError
from cellgraph_clr._core.files import existing_path, replacing

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

__all__ = ["DAMAGED", "read_index", "write_index"]

ARRAYS = ("ids", "directions", "mean", "scale", "graph", "node")
DAMAGED = "It may be truncated, changed, or another file: build and save it again."


def write_index(path: str | os.PathLike[str], arrays: Mapping[str, np.ndarray], *, recall: float) -> None:
    """Write the arrays of an index, beside first, then renamed."""
    header = {"kind": "VectorIndex", "recall": recall, "sha256": _digest(arrays)}
    held: dict[str, Any] = {"header": np.array(json.dumps(header)), **arrays}
    with replacing(path) as beside, beside.open("wb") as file:
        np.savez(file, **held)


def read_index(path: str | os.PathLike[str]) -> tuple[float, dict[str, np.ndarray]]:
    """Return the recall and the arrays of an index file, read by NumPy alone.

    Raises
    ------
    MissingFileError, ModelFileError
        If there is no such file; unless its arrays are whole, finite, belong together and are those that were written.
    """
    target = existing_path(path)
    if not target.is_file():
        raise ModelFileError(expected(f"a saved index at {str(target)!r}", "no file", DAMAGED))
    try:
        with ZipFile(target) as archive:
            declared = sum(info.file_size for info in archive.infolist())
        if declared > target.stat().st_size:  # as written, nothing is compressed
            raise ValueError(f"{declared} bytes declared in a file of {target.stat().st_size}")
        with np.load(target, allow_pickle=False) as file:
            header = json.loads(str(file["header"]))
            arrays = {k: file[k] for k in ARRAYS}
    except Exception as error:  # whatever a damaged file makes its readers raise
        raise ModelFileError(expected(f"a saved index at {str(target)!r}", f"{error}", DAMAGED)) from error
    ids, directions, mean, scale, graph, node = (arrays[name] for name in ARRAYS)
    n, d = directions.shape if directions.ndim == 2 else (0, 0)
    whole = (
        isinstance(header, dict)
        and header.get("kind") == "VectorIndex"
        and isinstance(header.get("recall"), float)
        and n > 0
        and (ids.shape, mean.shape, scale.shape) == ((n,), (d,), (d,))
        and ids.dtype.kind in "iuU"
        and directions.dtype == np.float32
        and all(np.isfinite(a).all() for a in (directions, mean, scale))
        and mean.dtype == scale.dtype
        and mean.dtype in (np.float32, np.float64)
        and bool((scale >= 0).all())  # 0 for a column that does not vary
        and (graph.dtype, graph.ndim) == (np.uint8, 1)
        and (len(graph) == 0 or _is_numbering(node, n))
    )
    if not whole:
        raise ModelFileError(expected("ids and vectors that belong together", "others", DAMAGED))
    if header.get("sha256") != _digest(arrays):
        raise ModelFileError(expected(f"the content that was saved at {str(target)!r}", "another one", DAMAGED))
    return header["recall"], arrays


def _is_numbering(node: np.ndarray, n: int) -> bool:
    """Return whether these are the numbers (n,) of nodes, each of which has a row."""
    if node.dtype != np.int64 or node.shape != (n,) or node.min() < 0 or node.max() >= n:
        return False
    return bool((np.bincount(node) > 0).all())


def _digest(arrays: Mapping[str, np.ndarray]) -> str:
    digest = hashlib.sha256()
    for name in ARRAYS:
        digest.update(f"{arrays[name].dtype}{arrays[name].shape}".encode())
        digest.update(np.ascontiguousarray(arrays[name]).tobytes())
    return digest.hexdigest()
