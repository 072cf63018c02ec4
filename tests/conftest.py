"""Shared fixtures: small tissue, made once a session."""

import sys

import matplotlib as mpl

mpl.use("Agg")

import numpy as np
import pytest
import torch

torch.set_num_threads(1)  # two workers share two cores


# Files that take minutes: they begin first, so that no worker is left alone with one of them.
LONGEST = (
    "test_benchmarks.py",
    "test_demo.py",
    "test_notebooks.py",
    "test_endings.py",
    "test_faults.py",
    "test_site.py",
    "test_page.py",
    "test_runs.py",
    "test_architecture.py",
)


def pytest_collection_modifyitems(items):
    place = {name: i for i, name in enumerate(LONGEST)}
    items.sort(key=lambda item: place.get(item.path.name, len(place)))  # a stable sort


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    if "matplotlib.pyplot" in sys.modules:
        sys.modules["matplotlib.pyplot"].close("all")


@pytest.fixture(scope="session")
def tissue_2d():
    from cellgraph_clr.datasets import tissue

    return tissue(150, ndim=2, random_state=0)


@pytest.fixture(scope="session")
def tissue_3d():
    from cellgraph_clr.datasets import tissue

    return tissue(150, ndim=3, random_state=0)


@pytest.fixture(scope="session", params=[2, 3], ids=["2D", "3D"])
def any_tissue(request, tissue_2d, tissue_3d):
    return tissue_2d if request.param == 2 else tissue_3d


@pytest.fixture
def adata(tissue_2d):
    """Scaled cells of a small 2D tissue with their contact graph."""
    from cellgraph_clr import gr, pp

    out = tissue_2d.adata()
    gr.contact_graph(out)
    pp.scale_features(out)
    return out


@pytest.fixture(scope="session")
def _embedded(tissue_2d):
    from cellgraph_clr import gr, pp, tl

    out = tissue_2d.adata()
    gr.contact_graph(out)
    pp.scale_features(out)
    tl.embed(out, n_steps=30, n_dims=16, progress=False)
    return out


@pytest.fixture
def embedded(_embedded):
    """The same with an embedding of 30 steps."""
    return _embedded.copy()


@pytest.fixture
def rng():
    return np.random.default_rng(0)
