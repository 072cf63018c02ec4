"""Is this installation sound? Versions, hardware, and a tiny job through every stage."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version

__all__ = ["report"]

PACKAGES = (
    "numpy",
    "scipy",
    "numba",
    "anndata",
    "scanpy",
    "scikit-learn",
    "scikit-image",
    "torch",
    "torch-geometric",
    "zarr",
)
OPTIONAL = ("squidpy", "spatialdata", "dask", "cp_measure")


def report() -> list[str]:
    """Return lines about the installation; the last says whether the smallest job ran."""
    import warnings

    lines = [f"cellgraph_clr {version('cellgraph-clr')}, Python {platform.python_version()}, {os.cpu_count()} cores"]
    for name in (*PACKAGES, *OPTIONAL):
        try:
            lines.append(f"  {name} {version(name)}")
        except PackageNotFoundError:
            lines.append(f"  {name} is not installed{' (optional)' if name in OPTIONAL else ': install it'}")
    import torch

    lines.append(f"  GPU: {torch.cuda.get_device_name(0) if torch.cuda.is_available() else 'none, the CPU is used'}")
    from cellgraph_clr import gr, tl
    from cellgraph_clr.datasets.synth import tissue

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        adata = tissue(60, ndim=2, random_state=0).adata()
        gr.contact_graph(adata)
        tl.embed(adata, n_steps=2, n_dims=8, progress=False)
    lines.append(f"smallest job: {adata.n_obs} cells measured, joined and embedded: sound")
    return lines
