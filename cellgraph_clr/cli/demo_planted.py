"""Second half of the demo: generated tissue where the truth is known, each figure beside its chance level."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from anndata import AnnData

    from cellgraph_clr.datasets.synth import Noise

__all__ = ["LABELLED_SHARE", "LOCAL", "PLANTED_FILES", "planted_cells", "planted_figures", "run_planted"]

LABELLED_SHARE = 0.02
# What a cell is, sharply; where it belongs is what `tl.context` says.
LOCAL: dict[str, Any] = {"positives": "both", "n_positives": 5, "n_layers": 3, "n_own": 0, "key_added": "X_cellgraph"}
PLANTED_FILES = ("planted_types.png", "planted_retrieval.png", "planted_reliability.png", "planted.h5ad")


def planted_cells(n_cells: int = 5000, *, noise: Noise | None = None, random_state: int = 0) -> AnnData:
    """Return generated 3D tissue, measured, with contact graph and scaled features; 2 % of `obs["cell_type"]` is known."""
    import pandas as pd

    from cellgraph_clr import gr, pp
    from cellgraph_clr.adata.keys import UNASSIGNED
    from cellgraph_clr.datasets.synth import tissue

    adata = tissue(n_cells, noise=noise, random_state=random_state).adata()
    gr.contact_graph(adata)
    pp.scale_features(adata)
    rng = np.random.default_rng(random_state)
    known = rng.random(adata.n_obs) < LABELLED_SHARE
    types = adata.obs["true_type"].astype(object).to_numpy()
    adata.obs["cell_type"] = pd.Categorical(np.where(known, types, UNASSIGNED))
    return adata


def planted_figures(adata: AnnData, *, types: Any, place: str, niche: str) -> dict[str, float]:
    """Return type accuracy from 2 % labels, niche mean average precision, and twins within the nearest 1 %.

    `types` is what the classifier reads (one or several representations); `place` and `niche` are the representations in
    which twins and niches are sought ("X" or `obsm` keys; context as it is, others standardised). Chance: most frequent
    type, size of the niche, 1 %.
    """
    from cellgraph_clr.adata.keys import X_CONTEXT
    from cellgraph_clr.analysis.scores import mask_retrieval, partner_rank

    def vectors(key: str) -> np.ndarray:
        return np.asarray(adata.X if key == "X" else adata.obsm[key])

    work = adata.copy()
    _classify(work, use_rep=types)
    unknown = (work.obs["cell_type"] == "unassigned").to_numpy()
    right = (work.obs["cell_type_pred"].astype(str) == work.obs["true_type"].astype(str)).to_numpy()
    masks = {str(n): (work.obs["true_niche"] == n).to_numpy() for n in work.obs["true_niche"].cat.categories}
    found = mask_retrieval(vectors(niche), masks, standardize=niche != X_CONTEXT, random_state=0)
    twin = work.obs["twin"].to_numpy()
    row_of = dict(zip(work.obs["cell_id"].to_numpy().tolist(), range(work.n_obs), strict=True))
    cells = np.flatnonzero(twin > 0)
    _, rank, _ = partner_rank(vectors(place), cells, np.array([row_of[t] for t in twin[cells].tolist()]))
    return {
        "types": float(right[unknown].mean()),
        "types, chance": float(work.obs["true_type"].value_counts(normalize=True).iloc[0]),
        "niches": float(np.mean([v[0] for v in found.values()])),
        "niches, chance": float(np.mean([v[1] for v in found.values()])),
        "twins": float((rank <= 0.01 * work.n_obs).mean()),
        "twins, chance": 0.01,
    }


def run_planted(output: Path, *, random_state: int, say: Callable[[str], None], quick: bool = False) -> AnnData:
    """Run the generated tissue end to end, print figures beside chance, write pictures and planted.h5ad to `output`.

    5,000 cells; with `quick` 600 and ten steps.
    """
    from cellgraph_clr import pl, tl
    from cellgraph_clr.cli.demo_colon import QUICK
    from cellgraph_clr.io.anndata_files import write

    say("2. Generated 3D tissue: cells of 8 types in 4 niches, mirrored left to right, truth known")
    fewer = QUICK if quick else {}
    adata = planted_cells(600 if quick else 5000, random_state=random_state)
    known = int((adata.obs["cell_type"] != "unassigned").sum())
    say(f"   {adata.n_obs} cells, {adata.n_vars} features, {adata.obsp['spatial_connectivities'].nnz // 2} contacts")
    say(f"   {known} cells carry a label")
    tl.embed(adata, random_state=random_state, **LOCAL | fewer)
    tl.context(adata, random_state=random_state)
    measured = planted_figures(adata, types="X", place="X", niche="X")
    learned = planted_figures(adata, types="X_cellgraph", place="X_cellgraph", niche="X_context")
    say("                                            measured   learned    chance")
    for name, text in {
        "types": "type accuracy from 2 % labels",
        "niches": "niche retrieval, mean average precision",
        "twins": "true twin within the nearest 1 %",
    }.items():
        say(f"   {text:42s} {measured[name]:6.3f}    {learned[name]:6.3f}    {learned[f'{name}, chance']:6.3f}")
    _classify(adata, use_rep="X_cellgraph", min_confidence=0.5, random_state=random_state)
    query = _half_a_niche(adata)
    tl.retrieve_regions(adata, query, min_cells=20)
    depth = np.asarray(adata.obsm["spatial"])[:, 2]
    slab = (float(np.quantile(depth, 0.4)), float(np.quantile(depth, 0.6)))
    held_out = (adata.obs["cell_type"] == "unassigned").to_numpy()
    import matplotlib.pyplot as plt

    pl.spatial(adata, "cell_type_pred", slab=slab, save=output / "planted_types.png")
    pl.retrieval(adata, slab=slab, save=output / "planted_retrieval.png")
    pl.reliability(adata, "true_type", "cell_type_pred", rows=held_out, save=output / "planted_reliability.png")
    plt.close("all")
    say(f"   {output / 'planted_types.png'}: predicted types in the middle fifth, grey where confidence is below 0.5")
    say(f"   {output / 'planted_retrieval.png'}: a niche queried on the left, its mirror image found on the right")
    say(f"   {output / 'planted_reliability.png'}: accuracy against confidence on the cells without a label")
    write(adata, output / "planted.h5ad")
    say(f"   {output / 'planted.h5ad'}: everything above, for scanpy")
    return adata


def _classify(adata: AnnData, **options: Any) -> None:
    """Call `tl.classify`; that some types have hardly a label is meant so here."""
    import warnings

    from cellgraph_clr import tl

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Classes with fewer than")
        tl.classify(adata, "cell_type", **options)


def _half_a_niche(adata: AnnData) -> np.ndarray:
    """Return the cells of the first niche on the left side: a query whose answer is known."""
    x = np.asarray(adata.obsm["spatial"])[:, 0]
    first = adata.obs["true_niche"].cat.categories[0]
    return (adata.obs["true_niche"] == first).to_numpy() & (x < np.median(x))
