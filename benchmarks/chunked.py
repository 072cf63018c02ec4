"""A chunked Zarr volume to AnnData and contact graph, against only reading it; peak memory in blocks."""

import tempfile
import tracemalloc
from pathlib import Path

import numpy as np
import zarr
from zarr.codecs import ZstdCodec

from benchmarks.inputs import packed
from benchmarks.rows import Row, Rows
from benchmarks.timing import paired
from cellgraph_clr import LabelImage, from_labels, gr
from cellgraph_clr.cells.blocks import block_shape
from cellgraph_clr.cells.scan import scan_labels

OURS = "from_labels + contact_graph, in blocks"


def run(*, size: str, data: str | None) -> list[Row]:  # noqa: ARG001
    """Return medians and peak memory on packed cells."""
    shape, n, chunk, rounds = ((64,) * 3, 60, 32, 1) if size == "small" else ((512,) * 3, 10_000, 128, 3)
    labels = packed(shape, n)
    with tempfile.TemporaryDirectory() as folder:
        stored = zarr.create_array(
            Path(folder) / "labels.zarr", data=labels, chunks=(chunk,) * 3, compressors=ZstdCodec(level=1)
        )
        lazy = LabelImage.build(zarr.open_array(stored.store, mode="r"), spacing=(1.0, 1.0, 1.0))
        calls = {
            OURS: lambda: gr.contact_graph(from_labels(lazy)),
            "in memory": lambda: gr.contact_graph(from_labels(labels, spacing=(1.0, 1.0, 1.0))),
            "reading the Zarr": lambda: lazy.labels[...],
        }
        medians = paired(calls, rounds=rounds)
        rows, name = Rows("chunked"), f"{shape[0]}³ in chunks of {chunk}³"
        rows.times(name, medians, ours=OURS)
        ratio = medians[OURS] / medians["reading the Zarr"]
        rows.add("ours", name, "in times of reading it", ratio, unit="x", digits=2)
        block = int(np.prod(block_shape(shape, stored.chunks, 4, least=(1, 1, 1)))) * 4
        tracemalloc.start()
        chunked = scan_labels(lazy)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        rows.add("ours", name, f"peak memory, blocks of {block / 2**20:.0f} MiB", peak / block, digits=1)
        whole = scan_labels(LabelImage.build(labels))
        same = all(
            np.array_equal(getattr(chunked, k), getattr(whole, k))
            for k in ("cell_id", "count", "first", "second", "faces", "overlaps", "pairs", "pair_faces")
        )
        rows.add("ours", name, "integers equal to those in memory", same, digits=0)
    return rows
