"""A stored volume larger than the memory allowed, to AnnData: one process, and two dask workers with a limit each."""

import contextlib
import json
import resource
import subprocess
import sys
import tempfile
import time
from itertools import product
from pathlib import Path

import numpy as np
import zarr
from zarr.codecs import ZstdCodec

from benchmarks.memory import peak
from benchmarks.rows import Row, Rows

BRICK = 24  # side of a cell; rows of bricks are shifted against one another
CHUNK = 128
LIMIT_MIB = 2048
FULL = (2048, 1024, 1024)  # 8 GiB of uint32
SMALL = (64, 48, 48)
WAYS = {
    "blocks": "one process",
    "fenced": "one process that is refused more than 2 GiB of data (`RLIMIT_DATA`)",
    "dask": "two dask workers of 1 GiB each",
}


def bricks(low: tuple[int, ...], high: tuple[int, ...], shape: tuple[int, ...]) -> np.ndarray:
    """Return the labels (z, y, x) uint32 between two corners of a wall of bricks that fills a volume of `shape`."""
    n_y, n_x = (s // BRICK + 2 for s in shape[1:])
    z, y, x = (np.arange(a, b) for a, b in zip(low, high, strict=True))
    layer = (z // BRICK)[:, None]
    row = (y[None] + 8 * (layer % 3)) // BRICK
    row_of_all = layer * n_y + row
    column = (x + 8 * (row[..., None] % 3)) // BRICK
    return (1 + row_of_all[..., None] * n_x + column).astype(np.uint32)


def wall(path: Path, shape: tuple[int, ...], chunk: int) -> None:
    """Write the wall chunk by chunk."""
    stored = zarr.create_array(path, shape=shape, chunks=(chunk,) * 3, dtype="uint32", compressors=ZstdCodec(level=1))
    for low in product(*(range(0, s, chunk) for s in shape)):
        high = tuple(min(a + chunk, s) for a, s in zip(low, shape, strict=True))
        stored[tuple(slice(a, b) for a, b in zip(low, high, strict=True))] = bricks(low, high, shape)


@contextlib.contextmanager
def _workers(how: str):
    """Two dask workers with half of the limit each, or none."""
    if how != "dask":
        yield None
        return
    import distributed

    options = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": None, "silence_logs": 50}
    with (
        distributed.LocalCluster(memory_limit=LIMIT_MIB // 2 * 2**20, **options) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client


def reading(path: str, how: str) -> dict[str, object]:
    """Return what came of reading the wall in this process (fenced: refused more memory than the limit) or by dask."""
    if how == "fenced":
        resource.setrlimit(resource.RLIMIT_DATA, (LIMIT_MIB * 2**20,) * 2)
    from cellgraph_clr import from_labels, gr

    stored = zarr.open_array(path, mode="r")
    with _workers(how) as client:
        labels = stored
        if client is not None:
            import dask.array as da

            labels = da.from_zarr(stored)
        start = time.perf_counter()
        cells = from_labels(labels, spacing=(1.0,) * 3)
        gr.contact_graph(cells)
        seconds = time.perf_counter() - start
        workers = [] if client is None else [int(mib) for mib in client.run(peak).values()]
    return {
        "cells": cells.n_obs,
        "contacts": cells.obsp["spatial_connectivities"].nnz // 2,
        "voxels": float(cells[:, "volume"].X.sum(dtype=float)),
        "seconds": round(seconds, 1),
        "peak MiB": int(peak()),
        "of workers": workers,
    }


def run(*, size: str, data: str | None) -> list[Row]:  # noqa: ARG001
    """Return cells, seconds and peak memory; every reading is a process of its own."""
    rows = Rows("out_of_core")
    shape, chunk = (SMALL, 32) if size == "small" else (FULL, CHUNK)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "wall.zarr"
        wall(path, shape, chunk)
        gib, stored = 4 * np.prod(shape) / 2**30, sum(f.stat().st_size for f in path.rglob("*") if f.is_file()) / 2**20
        print(f"  {' x '.join(map(str, shape))} uint32, {gib:.2f} GiB ({stored:.0f} MiB stored), limit {LIMIT_MIB} MiB")
        for how in list(WAYS)[: 2 if size == "small" else 3]:
            call = [sys.executable, "-W", "ignore", "-m", "benchmarks.out_of_core", str(path), how]
            out = subprocess.run(call, stdout=subprocess.PIPE, text=True, check=True).stdout
            found = json.loads(out.splitlines()[-1])
            assert found["voxels"] == np.prod(shape), found
            print("  " + ", ".join(f"{k} {v}" for k, v in found.items()))
            rows.add("memory", WAYS[how], "seconds", found["seconds"], unit="s", digits=0)
            rows.add("memory", WAYS[how], "peak resident memory", found["peak MiB"], unit="MiB", digits=0)
            if found["of workers"]:
                reach = (min(found["of workers"]), max(found["of workers"]))
                rows.add("memory", WAYS[how], "workers", None, interval=reach, unit="MiB", digits=0)
    return rows


if __name__ == "__main__":
    print(json.dumps(reading(*sys.argv[1:])))
