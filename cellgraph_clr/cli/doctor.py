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
COPYLEFT = re.compile(r"\b[AL]?GPL|GNU|\bMPL|Mozilla|\bEUPL|\bCDDL|\bEPL", re.IGNORECASE)


def installation() -> list[str]:
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
