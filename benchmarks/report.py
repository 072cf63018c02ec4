"""Report pages: how long they take to write, how large they are, how fast a browser shows and answers, and how well."""

import shutil
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pandas as pd
from anndata import AnnData

import cellgraph_clr as cgc
from benchmarks.inputs import real_data
from benchmarks.rows import Row, Rows

SOFTWARE_GL = ["--no-sandbox", "--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"]
N_CLICKS = 12
N_AGREE = 40  # queries; of many cells, on which regions take the library seconds, four
LASSO = 300  # cells
LAID_OUT = """
import json, sys, time
import numpy as np
vectors, seconds = np.load(sys.argv[1]), []
for _ in range(2):
    start = time.perf_counter()
"""
OURS = """
    from cellgraph_clr._report.vectors import umap
    flat = umap(vectors, 0)
"""
SCANPYS = """
    import scanpy as sc
    from anndata import AnnData
    work = AnnData(vectors)
    sc.pp.neighbors(work, use_rep="X")
    sc.tl.umap(work)
    flat = work.obsm["X_umap"]
"""
TOLD = """
    seconds.append(time.perf_counter() - start)
np.save(sys.argv[1] + ".flat.npy", flat)
print(json.dumps(seconds))
"""


def run(*, size: str, data: str | None) -> list[Row]:
    """Return size and time of a page; what a browser shows of it, where `make browser` was run."""
    rows = Rows("report")
    if size == "small":
        _measured(rows, "generated, 12 dimensions", _generated(600, 12), n_dims=None)
        return rows
    folder = real_data(size, data)
    if folder is not None:
        animal = _platynereis(folder)
        _measured(rows, "Platynereis, X_context", animal, n_dims=None)
        _layouts(rows, "Platynereis, X_context", animal)
    _measured(rows, "generated, 32 dimensions", _generated(200_000, 32), n_dims=None)
    return rows


def _generated(n: int, d: int) -> AnnData:
    """Return tissue on a square: patches of twenty kinds with vectors of d dimensions, eight features, a graph of six."""
    rng = np.random.default_rng(0)
    n_patches = max(n // 100, 4)
    patch = rng.integers(0, n_patches, n)
    side = 10.0 * np.sqrt(n)
    kind = rng.integers(0, 20, n_patches)
    falling = np.geomspace(1, 0.15, d)
    vectors = rng.normal(size=(20, d))[kind[patch]] + 0.7 * rng.normal(size=(n_patches, d))[patch]
    out = AnnData(
        rng.lognormal(size=(n, 8)).astype(np.float32), obs=pd.DataFrame(index=np.arange(1, n + 1).astype(str))
    )
    out.obs["cell_id"] = np.arange(1, n + 1)
    out.obs["kind"] = pd.Categorical([f"kind {k}" for k in kind[patch]])
    out.obsm["spatial"] = side * rng.random((n_patches, 2))[patch] + 60 * rng.normal(size=(n, 2))
    out.obsm["X_cellgraph"] = ((vectors + 0.5 * rng.normal(size=(n, d))) * falling).astype(np.float32)
    out.obsm["X_umap"] = (vectors[:, :2] + 0.4 * rng.normal(size=(n, 2))).astype(np.float32)
    out.uns["cellgraph_clr"] = {"unit": "micrometer", "schema_version": 1}
    cgc.gr.knn_graph(out, n_neighbors=6)
    return out


def _platynereis(folder: Path) -> AnnData:
    """Return the animal with context, types and clusters, and a UMAP, so that it is not timed."""
    import scanpy as sc

    from cellgraph_clr.cli.demo_platynereis import prepare

    adata = prepare(folder)
    cgc.tl.context(adata, learn=False)
    cgc.tl.classify(adata, "cell_type", use_rep=["X", "X_context"], method="trees")
    cgc.tl.cluster(adata, n_clusters=12)
    sc.pp.neighbors(adata, use_rep="X_context", key_added="for_umap")
    sc.tl.umap(adata, neighbors_key="for_umap")
    return adata


def _layouts(rows: Rows, name: str, adata: AnnData) -> None:
    """Add how well the UMAP of a page keeps neighbors, and how long a process takes that makes one first; beside scanpy's."""
    import json
    import subprocess
    import sys

    from sklearn.manifold import trustworthiness

    from cellgraph_clr.analysis.retrieval import centred_directions

    directions = centred_directions(np.asarray(adata.obsm["X_context"]))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "directions.npy"
        np.save(path, directions)
        for who, code in {"product": OURS, "scanpy": SCANPYS}.items():
            command = [sys.executable, "-W", "ignore", "-c", LAID_OUT + code + TOLD, str(path)]
            first, again = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
            kept = trustworthiness(directions, np.load(f"{path}.flat.npy"), n_neighbors=15)
            told = {"n": adata.n_obs}
            rows.add("layout", name, f"neighbors kept (trustworthiness) | {who}", kept, digits=3, **told)
            rows.add("layout", name, f"first of a process | {who}", first, unit="s", digits=1, **told)
            rows.add("layout", name, f"again | {who}", again, unit="s", digits=1, **told)


def _measured(rows: Rows, name: str, adata: AnnData, *, n_dims: int | None) -> None:
    with tempfile.TemporaryDirectory() as folder:
        cgc.report(
            adata[:50].copy(), Path(folder) / "first.html", embedding="X_umap"
        )  # what is imported and compiled once
        start = time.perf_counter()
        path = cgc.report(adata, Path(folder) / "cells.html", n_dims=n_dims)
        seconds = time.perf_counter() - start
        rows.add("page", name, "cells", adata.n_obs, digits=0)
        rows.add("page", name, "file", path.stat().st_size / 1e6, unit="MB", digits=2)
        rows.add("page", name, "written", seconds, unit="s", digits=1)
        for measure, value, unit, digits in _in_browser(path, adata):
            rows.add("page", name, measure, value, unit=unit, digits=digits)


def _in_browser(path: Path, adata: AnnData) -> list[tuple[str, float, str, int]]:
    """Return measures of what a browser shows of a page, each with unit and digits; says so where there is none."""
    found = next((p for n in ("chromium", "google-chrome") if (p := shutil.which(n))), None)
    if find_spec("playwright") is None or found is None:
        print("  no browser: make browser")
        return []
    from playwright.sync_api import sync_playwright

    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=found, args=SOFTWARE_GL)
        page = browser.new_context(viewport={"width": 1440, "height": 900}, offline=True).new_page()
        page.set_default_timeout(300_000)
        page.goto(path.as_uri())
        page.wait_for_function("document.documentElement.dataset.ready === 'all'")
        painted = page.evaluate("performance.getEntriesByName('painted')[0].startTime") / 1000
        answered, shown = _clicks(page, adata.n_obs)
        same, overlap, lasso = _agreement(page, adata)
        browser.close()
    return [
        ("maps painted", painted, "s", 1),
        ("click | answered", answered, "ms", 0),
        ("click | second frame after it", shown, "ms", 0),
        ("same 50 nearest", same, "", 3),
        ("overlap of regions | of a cell", overlap, "", 2),
        (f"overlap of regions | of {LASSO} cells", lasso, "", 2),
    ]


def _clicks(page: object, n: int) -> tuple[float, float]:
    """Return medians of milliseconds from the press of the mouse to the answer, and to the second frame after it."""
    times = []
    for row in np.linspace(0, n - 1, N_CLICKS).astype(int).tolist():
        where = """(row) => { cellgraph.clear(); const map = cellgraph.tissue;
          const [x, y] = map.toPixel(map.data.x[row], map.data.y[row]); const box = map.stage.getBoundingClientRect();
          window.began = null; window.shown = null; const ask = cellgraph.ask.bind(cellgraph);
          addEventListener('mousedown', () => { window.began = performance.now(); }, {once: true, capture: true});
          cellgraph.ask = (rows) => { ask(rows); window.answered = performance.now(); cellgraph.ask = ask;
            requestAnimationFrame(() => requestAnimationFrame(() => { window.shown = performance.now(); })); };
          return [box.left + x, box.top + y]; }"""
        x, y = page.evaluate(where, row)
        page.mouse.move(x, y)
        page.wait_for_timeout(200)
        page.mouse.click(x, y)
        page.wait_for_function("window.shown !== null")
        times.append(page.evaluate("[answered - began, shown - began]"))
    return tuple(np.median(times, axis=0).tolist())


def _agreement(page: object, adata: AnnData) -> tuple[float, float, float]:
    """Return the share of the 50 nearest that are the library's, and the overlap of regions like one cell and like a lasso."""
    rng = np.random.default_rng(1)
    rows = rng.choice(adata.n_obs, N_AGREE if adata.n_obs < 50_000 else 4, replace=False).tolist()
    same, overlap = [], []
    for row in rows:
        ids, found, regions = _asked(page, [row])
        same.append(len(set(found) & set(cgc.tl.retrieve(adata, ids, k=50)["cell_id"])) / 50)
        overlap.append(_overlap(adata, ids, regions))
    beside = """([row, n]) => { const {x, y} = cellgraph.tissue.data;
      const far = Array.from(x, (v, i) => Math.hypot(v - x[row], y[i] - y[row]));
      return Array.from(x, (v, i) => i).sort((a, b) => far[a] - far[b]).slice(0, n); }"""
    lasso = []
    for row in rows[: max(len(rows) // 5, 2)]:
        ids, _, regions = _asked(page, page.evaluate(beside, [row, min(LASSO, adata.n_obs // 4)]))
        lasso.append(_overlap(adata, ids, regions))
    return float(np.mean(same)), float(np.mean(overlap)), float(np.mean(lasso))


def _asked(page: object, rows: list[int]) -> tuple[list[int], list[int], list[int]]:
    """Return ids of a query, of the cells found, and of all cells in regions, as the page answers."""
    ask = """(rows) => { cellgraph.ask(rows); const id = (row) => Number(cellgraph.ids[row]);
      const {query, found, regions} = cellgraph.answer;
      return [query.map(id), found.map(id), regions.flatMap((r) => r.rows).map(id)]; }"""
    return page.evaluate(ask, rows)


def _overlap(adata: AnnData, ids: list[int], regions: list[int]) -> float:
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # nothing may be like it
        cgc.tl.retrieve_regions(adata, ids)
    there = set(adata.obs["cell_id"][adata.obs["retrieval_region"] > 0])
    return len(there & set(regions)) / len(there | set(regions)) if there | set(regions) else 1.0
