"""First half of the demo: a real section, from pixels to glands found by example."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import numpy as np
    from anndata import AnnData

    from cellgraph_clr.datasets.colon import ColonTissue

__all__ = ["COLON_FILES", "QUICK", "colon_cells", "colon_figures", "colon_overview", "run_colon"]

# One small section: neighbours say more about this gland than about glands, so few of them and one layer.
COLON: dict[str, Any] = {"positives": "both", "n_positives": 2, "mask_features": 0.3, "n_layers": 1, "n_steps": 60}
QUICK: dict[str, Any] = {"n_steps": 10}  # shows that everything runs, not what it finds
QUERY_GLAND_YX = (400, 315)  # a pixel inside the round gland at the bottom of the section
COLON_FILES = (
    "colon.png",
    "colon_graph.png",
    "colon_compartments.png",
    "colon_retrieval.png",
    "demo.h5ad",
    "colon.html",
)


def colon_cells(tissue: ColonTissue) -> AnnData:
    """Return the nuclei of the section, measured, joined by Delaunay edges, scaled; `obs["gland"]` from the stain."""
    from cellgraph_clr import gr, pp
    from cellgraph_clr.io.cells import from_labels

    adata = from_labels(tissue.nuclei)
    x, y = adata.obsm["spatial"].round().astype(int).T
    adata.obs["gland"] = tissue.glands[y, x]
    gr.delaunay_graph(adata)
    pp.scale_features(adata)
    return adata


def colon_figures(adata: AnnData, query: np.ndarray) -> dict[str, float]:
    """Return how well clusters and the query agree with the stained glands, with chance beside."""
    from sklearn.metrics import balanced_accuracy_score

    inside = adata.obs["gland"].to_numpy() > 0
    first = adata.obs["compartment"].to_numpy() == "0"
    agreement = balanced_accuracy_score(inside, first)
    found = adata.obs["retrieval_region"].to_numpy() > 0
    others = inside & ~query
    return {
        "compartments, balanced accuracy": max(agreement, 1 - agreement),
        "compartments, chance": 0.5,
        "query, precision": float(others[found].mean()) if found.any() else 0.0,
        "query, recall": float(found[others].mean()),
        "query, chance precision": float(others[~query].mean()),
    }


def colon_overview(adata: AnnData, tissue: ColonTissue, save: Path) -> None:
    """Write the section in three panels: its graph, the nuclei by compartment, and the glands that one gland finds."""
    import matplotlib.pyplot as plt

    from cellgraph_clr import pl
    from cellgraph_clr._core.files import replacing

    figure, axes = plt.subplots(1, 3, figsize=(15, 4.4), layout="compressed")
    pl.graph(adata, tissue.rgb, ax=axes[0], title=f"cell graph of {adata.n_obs} nuclei")
    title = "clusters of the learned embedding"
    pl.spatial(adata, "compartment", tissue.rgb, labels=tissue.nuclei, ax=axes[1], title=title)
    pl.retrieval(adata, image=tissue.rgb, n_regions=4, ax=axes[2], title="regions like one gland")
    with replacing(save) as beside:
        figure.savefig(beside, dpi=90, bbox_inches="tight")


def run_colon(output: Path, *, random_state: int, say: Callable[[str], None], quick: bool = False) -> AnnData:
    """Run the section end to end, write pictures, demo.h5ad and a page to `output`; return the AnnData; `quick`: ten steps."""
    from cellgraph_clr import pl, tl
    from cellgraph_clr._report.writing import report
    from cellgraph_clr.datasets.colon import colon_glands
    from cellgraph_clr.io.anndata_files import write

    say("1. Colon glands: a section that ships with scikit-image (hematoxylin and DAB)")
    tissue = colon_glands()
    adata = colon_cells(tissue)
    say(f"   {adata.n_obs} nuclei, {adata.n_vars} features, {adata.obsp['spatial_connectivities'].nnz // 2} edges")
    tl.embed(adata, random_state=random_state, **COLON | (QUICK if quick else {}))
    tl.cluster(adata, method="gmm", n_clusters=2, key_added="compartment", random_state=random_state)
    gland = adata.obs["gland"].to_numpy()
    query = gland == tissue.glands[QUERY_GLAND_YX]
    regions = tl.retrieve_regions(adata, query)
    figures = colon_figures(adata, query)
    for name, value in figures.items():
        say(f"   {name}: {value:.2f}")
    say(f"   query: one gland of {int(query.sum())} nuclei; {len(regions)} regions like it")
    import matplotlib.pyplot as plt

    adata.obs["query"] = query
    pl.graph(adata, tissue.rgb, save=output / "colon_graph.png")
    pl.spatial(adata, "compartment", tissue.rgb, labels=tissue.nuclei, save=output / "colon_compartments.png")
    pl.retrieval(adata, image=tissue.rgb, save=output / "colon_retrieval.png")
    colon_overview(adata, tissue, output / "colon.png")
    plt.close("all")
    say(f"   {output / 'colon.png'}: the section from graph to glands found, in one picture")
    say(f"   {output / 'colon_graph.png'}: the cell graph on the section")
    say(f"   {output / 'colon_compartments.png'}: two clusters, gland epithelium and stroma")
    say(f"   {output / 'colon_retrieval.png'}: the query gland in black and the glands found by it")
    write(adata, output / "demo.h5ad")
    say(f"   {output / 'demo.h5ad'}: everything above, for scanpy")
    drawn = "X_cellgraph" if quick else None  # a UMAP takes half a minute the first time
    page = report(
        adata,
        output / "colon.html",
        labels=tissue.nuclei,
        image=tissue.rgb,
        title="Colon glands",
        color="compartment",
        embedding=drawn,
        random_state=random_state,
    )
    say(f"   {page}: open it in a browser, click a nucleus, and see which others are like it")
    return adata
