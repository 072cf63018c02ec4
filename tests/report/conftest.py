"""Cells to report on, and a browser to open pages in (skipped with a reason where there is none)."""

import shutil
from importlib.util import find_spec

import anndata as ad
import numpy as np
import pandas as pd
import pytest

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
SOFTWARE_GL = ("--no-sandbox", "--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader")
HOSTILE = (
    "</script><script>window.stolen = 1</script>",
    '"><img src=x onerror="window.stolen = 1">',
    "{{title}} & <b>",
)


def make_cells(n=2000, *, seed=0, n_samples=1, d=12, ndim=2, n_blobs=40, spread=40):
    """Blobs of like cells on a square, of three classes with hostile names, with vectors, a graph and two features."""
    from cellgraph_clr import gr

    rng = np.random.default_rng(seed)
    middle = rng.random((n_blobs, ndim)) * 1000
    blob = rng.integers(0, n_blobs, n)
    kind = rng.integers(0, 8, n_blobs)[blob]
    centre = rng.normal(size=(8, d))
    vectors = centre[kind] + 0.6 * rng.normal(size=(n_blobs, d))[blob] + 0.3 * rng.normal(size=(n, d))
    obs = pd.DataFrame(index=[f"row {i}" for i in range(n)])
    obs["cell_id"] = rng.permutation(n) + 10
    obs["kind"] = pd.Categorical(np.asarray(HOSTILE, object)[kind % 3])
    obs["score"] = rng.random(n)
    x = rng.normal(5, 1, (n, 2)).astype(np.float32)
    out = ad.AnnData(x, obs=obs, var=pd.DataFrame({"unit": ["micrometer^2", "1"]}, index=["area", "<i>round</i>"]))
    out.obsm["spatial"] = middle[blob] + spread * rng.normal(size=(n, ndim))
    out.obsm["X_cellgraph"] = vectors.astype(np.float32)
    out.obsm["X_umap"] = vectors[:, :2].astype(np.float32)
    if n_samples > 1:
        out.obs["library_id"] = pd.Categorical(np.array([f"s/{i}" for i in range(n_samples)])[blob % n_samples])
    out.uns["cellgraph_clr"] = {"unit": "micrometer", "schema_version": 1}
    gr.knn_graph(out, n_neighbors=6)
    return out


def chromium():
    """The path of a Chromium, None without one."""
    return next((path for name in BROWSERS if (path := shutil.which(name))), None)


@pytest.fixture
def cells():
    return make_cells(400)


@pytest.fixture(scope="module")
def browser():
    """A headless Chromium, offline. It ends with its file: a process forked while it runs would hold its pipe, and its end."""
    found = chromium()
    if find_spec("playwright") is None:
        pytest.skip("playwright is not installed: pip install -e '.[browser]'")
    if found is None:
        pytest.skip("no Chromium is installed: `make browser`, or apt-get install chromium")
    from playwright.sync_api import Error, sync_playwright

    with sync_playwright() as play:
        try:
            opened = play.chromium.launch(executable_path=found, args=list(SOFTWARE_GL), timeout=120_000)
        except Error as error:
            pytest.skip(f"{found} does not start: {str(error).splitlines()[0]}")
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def plain_browser(browser):
    """The same without WebGL."""
    args = ["--no-sandbox", "--disable-gpu", "--disable-software-rasterizer", "--disable-3d-apis"]
    opened = browser.browser_type.launch(executable_path=chromium(), args=args, timeout=120_000)
    yield opened
    opened.close()
