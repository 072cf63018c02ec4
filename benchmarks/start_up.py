"""Seconds of `import cellgraph_clr`, of `cellgraph-clr --help`, whole process, and of first scans on an empty cache."""

import os
import statistics
import subprocess
import sys
import tempfile
import time

from benchmarks.rows import Row, Rows

FIRST_SCANS = """
import time
import numpy as np
from cellgraph_clr.cells.label_image import LabelImage
from cellgraph_clr.cells.scan import scan_labels

labels = np.kron(np.arange(64).reshape(4, 4, 4), np.ones((5, 5, 5), int))
image = np.ones((1, 20, 20, 20))
for of_labels, of_image in (("uint16", "float32"), ("int32", "uint8"), ("uint32", "uint16"), ("uint8", "float64")):
    start, cpu = time.perf_counter(), time.process_time()
    scan_labels(LabelImage.build(labels.astype(of_labels), image.astype(of_image)))
    print(f"{of_labels} + {of_image}", time.perf_counter() - start, time.process_time() - cpu, sep=",")
"""


def run(*, size: str, data: str | None) -> list[Row]:  # noqa: ARG001
    """Return medians of whole processes, interpreter included."""
    rows = Rows("start_up")
    commands = {
        "python -c pass": ["-c", "pass"],
        "import cellgraph_clr": ["-c", "import cellgraph_clr"],
        "cellgraph-clr --help": ["-m", "cellgraph_clr", "--help"],
    }
    for name, arguments in commands.items():
        seconds = []
        for _ in range(2 if size == "small" else 7):
            start = time.perf_counter()
            subprocess.run([sys.executable, *arguments], check=True, capture_output=True)
            seconds.append(time.perf_counter() - start)
        rows.add("start", name, "time", 1e3 * statistics.median(seconds), n=len(seconds), unit="ms", digits=0)
    _first_scans(rows, 1 if size == "small" else 3)
    return rows


def _first_scans(rows: Rows, n: int) -> None:
    """Add medians of the first scan of each pair of dtypes in one process, compilation included."""
    runs = []
    for _ in range(n):
        with tempfile.TemporaryDirectory() as cache:
            command, env = [sys.executable, "-c", FIRST_SCANS], os.environ | {"NUMBA_CACHE_DIR": cache}
            out = subprocess.run(command, check=True, capture_output=True, text=True, env=env).stdout
        runs.append([line.split(",") for line in out.splitlines()])
    for lines in zip(*runs, strict=True):
        wall, cpu = (statistics.median(float(line[i]) for line in lines) for i in (1, 2))
        rows.add("first scans", lines[0][0], "time", wall, n=n, unit="s", digits=2)
        rows.add("first scans", lines[0][0], "of CPU", cpu, n=n, unit="s", digits=2)
