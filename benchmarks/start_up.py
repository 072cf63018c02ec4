"""What a newcomer waits for: import, `--help`, first calls (empty cache, full cache), the quick start, a busy machine."""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from benchmarks.rows import Row, Rows

COMMANDS = {
    "python -c pass": ["-c", "pass"],
    "import cellgraph_clr": ["-c", "import cellgraph_clr"],
    "cellgraph-clr --help": ["-m", "cellgraph_clr", "--help"],
}
FIRST_CALLS = """
import json, time, warnings
import numpy as np
import cellgraph_clr as cgc
warnings.simplefilter("ignore")
labels = np.kron(np.arange(1, 401).reshape(20, 20), np.ones((12, 12), int))
image = 200 * np.random.default_rng(0).random(labels.shape)

def told(name, call):
    start, cpu = time.perf_counter(), time.process_time()
    found = call()
    print(json.dumps([name, time.perf_counter() - start, time.process_time() - cpu]))
    return found

def scan(of_labels, of_image):
    return cgc.from_labels(labels.astype(of_labels), image.astype(of_image))

def measured():
    adata = scan("int32", "float32")
    cgc.gr.contact_graph(adata)
    return adata

adata = told("from_labels and contact_graph", measured)
told("the same, another dtype of image", lambda: scan("int32", "uint8"))
told("the same, another dtype of labels", lambda: scan("uint16", "uint8"))
told("knn_graph", lambda: cgc.gr.knn_graph(adata, key_added="near"))
told("radius_graph", lambda: cgc.gr.radius_graph(adata, radius=15, key_added="within"))
told("label_qc", lambda: cgc.im.label_qc(labels))
cgc.pp.scale_features(adata)
told("embed, 20 steps", lambda: cgc.tl.embed(adata, n_steps=20, progress=False))
told("embed, 20 steps, again", lambda: cgc.tl.embed(adata, n_steps=20, progress=False))
told("cluster (Leiden)", lambda: cgc.tl.cluster(adata))
told("retrieve_regions", lambda: cgc.tl.retrieve_regions(adata, [5, 6, 7, 25, 26]))
adata.obs["kind"] = [["a", "b", "unassigned"][min(i % 9, 2)] for i in range(adata.n_obs)]
told("classify, 90 labels", lambda: cgc.tl.classify(adata, "kind"))
told("context, nothing learned", lambda: cgc.tl.context(adata, learn=False, progress=False))
adata.obs["kind"] = ["ab"[i % 2] for i in range(adata.n_obs)]
told("interactions", lambda: cgc.tl.interactions(adata, "kind"))
"""
QUICK_START = "the README's quick start, the process"
BUSY = """
import json, time
import numpy as np
import cellgraph_clr as cgc
labels = np.kron(np.arange(1, 1601).reshape(40, 40), np.ones((20, 20), int))
tissue = cgc.datasets.tissue(2000, random_state=0)
adata = tissue.adata()
cgc.gr.contact_graph(adata)
cgc.tl.embed(adata, n_steps=2, progress=False)
for name, call in (
    ("from_labels, 20 times", lambda: [cgc.from_labels(labels) for _ in range(20)]),
    ("embed, 20 steps of 2,000 cells", lambda: cgc.tl.embed(adata, n_steps=20, progress=False)),
):
    start = time.perf_counter()
    call()
    print(json.dumps([name, time.perf_counter() - start]))
"""


def run(*, size: str, data: str | None) -> list[Row]:  # noqa: ARG001
    """Return medians of whole processes, interpreter included, and of calls in processes of their own."""
    rows = Rows("start_up")
    small = size == "small"
    for name, arguments in COMMANDS.items():
        seconds = [_process(arguments)[1] for _ in range(2 if small else 7)]
        rows.add("start", name, "time", 1e3 * statistics.median(seconds), n=len(seconds), unit="ms", digits=0)
    if not small:
        _first_calls(rows, 3)
        _quick_start(rows, 3)
        _busy(rows, 3)
    return rows


def _process(arguments: list[str], **env: str) -> tuple[str, float]:
    """Return what a Python process printed, and its seconds."""
    start = time.perf_counter()
    command = [sys.executable, "-W", "ignore", *arguments]
    out = subprocess.run(command, check=True, capture_output=True, text=True, env=os.environ | env).stdout
    return out, time.perf_counter() - start


def _first_calls(rows: Rows, n: int) -> None:
    """Add medians of first calls in processes whose cache of compiled code is empty, then full."""
    found: dict[tuple[str, str], list[float]] = {}
    for _ in range(n):
        with tempfile.TemporaryDirectory() as cache:
            for column in ("empty cache", "full cache"):
                for line in _process(["-c", FIRST_CALLS], NUMBA_CACHE_DIR=cache)[0].splitlines():
                    name, wall, cpu = json.loads(line)
                    found.setdefault((name, column), []).append(wall)
                    found.setdefault((name, f"{column} | CPU"), []).append(cpu)
    for (name, column), seconds in found.items():
        rows.add("first calls", name, column, statistics.median(seconds), n=n, unit="s", digits=2)


def _quick_start(rows: Rows, n: int) -> None:
    """Add medians of the first example of the README as a process."""
    readme = (Path(__file__).parent.parent / "README.md").read_text()
    code = readme.split("```python\n")[1].split("```")[0]
    found: dict[str, list[float]] = {"empty cache": [], "full cache": []}
    for _ in range(n):
        with tempfile.TemporaryDirectory() as folder:
            for seconds in found.values():
                text = f"import os; os.chdir({folder!r})\n{code}"
                seconds.append(_process(["-c", text], NUMBA_CACHE_DIR=folder, MPLBACKEND="Agg")[1])
    for column, seconds in found.items():
        rows.add("first calls", QUICK_START, column, statistics.median(seconds), n=n, unit="s", digits=1)


def _busy(rows: Rows, n: int) -> None:
    """Add how many times as long calls take while as many processes as there are cores keep them busy."""
    quiet: dict[str, list[float]] = {}
    busy: dict[str, list[float]] = {}
    for _ in range(n):
        for found, loaded in ((quiet, False), (busy, True)):
            with ExitStack() as stack:
                for _ in range((os.cpu_count() or 1) if loaded else 0):
                    other = stack.enter_context(subprocess.Popen([sys.executable, "-c", "while True: pass"]))
                    stack.callback(other.kill)
                for line in _process(["-c", BUSY])[0].splitlines():
                    name, wall = json.loads(line)
                    found.setdefault(name, []).append(wall)
    for name in quiet:
        ratio = statistics.median(busy[name]) / statistics.median(quiet[name])
        rows.add("busy machine", name, "times as long", ratio, n=n, digits=1)
