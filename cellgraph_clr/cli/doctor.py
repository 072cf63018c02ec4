"""Is this installation sound? Versions, hardware, and a tiny job through every stage."""

from __future__ import annotations

import os
import platform
import re
from importlib.metadata import Distribution, PackageNotFoundError, distribution, version
from typing import Any

__all__ = ["installation", "license_lines"]

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
OPTIONAL = ("squidpy", "spatialdata", "dask", "cp_measure", "usearch")
LABEL_DTYPES = ("uint8", "uint16", "uint32", "int64")
IMAGE_DTYPES = ("uint8", "uint16", "float32", "float64")
COPYLEFT = re.compile(r"\b[AL]?GPL|GNU|\bMPL|Mozilla|\bEUPL|\bCDDL|\bEPL", re.IGNORECASE)


def installation() -> list[str]:
    """Return lines about the installation; the last says whether the smallest job ran."""
    lines = [f"cellgraph_clr {version('cellgraph-clr')}, Python {platform.python_version()}, {os.cpu_count()} cores"]
    for name in (*PACKAGES, *OPTIONAL):
        try:
            lines.append(f"  {name} {version(name)}")
        except PackageNotFoundError:
            lines.append(f"  {name} is not installed{' (optional)' if name in OPTIONAL else ': install it'}")
    import torch

    lines.append(f"  GPU: {torch.cuda.get_device_name(0) if torch.cuda.is_available() else 'none, the CPU is used'}")
    n = _smallest_job()
    lines.append(
        f"smallest job: {n} cells measured, joined, embedded and searched: sound, and compiled for first calls"
    )
    return lines


def _smallest_job() -> int:
    """Do a little of everything that is compiled at its first call, and return of how many cells."""
    import warnings

    import numpy as np

    import cellgraph_clr as cgc

    labels = np.kron(np.arange(1, 65).reshape(8, 8), np.ones((8, 8), int))
    image = np.arange(labels.size).reshape(labels.shape) % 200
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for of_labels, of_image in zip(LABEL_DTYPES, IMAGE_DTYPES, strict=True):
            adata = cgc.from_labels(labels.astype(of_labels), image.astype(of_image))
        cgc.im.label_qc(labels)
        cgc.gr.knn_graph(adata)
        cgc.gr.radius_graph(adata, radius=12)
        cgc.gr.contact_graph(adata)
        cgc.pp.scale_features(adata)
        cgc.tl.embed(adata, n_steps=2, n_dims=8, progress=False)
        cgc.tl.context(adata, learn=False, n_types=8, progress=False)
        cgc.tl.retrieve_regions(adata, [9, 10, 17, 18])
        adata.obs["kind"] = ["ab"[i % 2] for i in range(adata.n_obs)]
        cgc.tl.interactions(adata, "kind")
    return adata.n_obs


def license_lines() -> list[str]:
    """Return a line for each installed package that this one needs, directly or not: name, version, license as it declares it.

    The last line names those under a copyleft license (GPL, LGPL, AGPL, MPL, EUPL, CDDL, EPL). Extras that are installed count.
    """
    found: dict[str, Distribution] = {}
    waiting = ["cellgraph-clr"]
    while waiting:
        name = waiting.pop()
        key = re.sub(r"[-_.]+", "-", name).lower()
        if key in found:
            continue
        try:
            found[key] = distribution(name)
        except PackageNotFoundError:  # of an extra, or of another system
            continue
        waiting += [re.split(r"[^\w.-]", need, maxsplit=1)[0] for need in found[key].requires or []]
    known = {key: _license(found[key]) for key in sorted(found)}
    lines = [f"{key} {found[key].version}: {text}" for key, text in known.items()]
    copyleft = [f"{key} ({text})" for key, text in known.items() if COPYLEFT.search(text)]
    return [*lines, f"copyleft: {', '.join(copyleft) or 'none'}"]


def _license(package: Distribution) -> str:
    """Return the license that a package declares: its SPDX expression, else its classifiers, else the first line of its text."""
    about: Any = package.metadata
    classifiers = [
        c.split(" :: ")[-1]
        for c in about.get_all("Classifier") or []
        if c.count(" :: ") > 1 and c.startswith("License")
    ]
    for text in (about.get("License-Expression"), "; ".join(classifiers), (about.get("License") or "").strip()):
        if text:
            return text.splitlines()[0][:80]
    return "not declared"
