"""The figures of `make demo`: clusters and glands of the colon section, generated 3D tissue, beside controls and chance."""

import tempfile
import warnings
from pathlib import Path

from benchmarks.rows import Row, Rows
from cellgraph_clr.cli.demo_colon import colon_figures, run_colon
from cellgraph_clr.cli.demo_planted import planted_figures, run_planted


def run(*, size: str, data: str | None) -> list[Row]:  # noqa: ARG001
    """Return what the demo prints."""
    rows, options = Rows("demo"), {"random_state": 0, "say": print, "quick": size == "small"}
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a small run, whose query lies in two pieces
        colon = run_colon(Path(folder), **options)
        tissue = run_planted(Path(folder), **options)
    found = colon_figures(colon, colon.obs["query"].to_numpy())
    agreement, precision = found["compartments, balanced accuracy"], found["query, precision"]
    told = {"digits": 2, "protocol": "against the stained glands"}
    rows.add("colon", "two clusters, balanced accuracy", "score", agreement, chance=0.5, **told)
    chance = found["query, chance precision"]
    rows.add("colon", "other glands found from one, precision", "score", precision, chance=chance, **told)
    rows.add("colon", "other glands found from one, recall", "score", found["query, recall"], **told)
    measured = planted_figures(tissue, types="X", place="X", niche="X")
    learned = planted_figures(tissue, types="X_cellgraph", place="X_cellgraph", niche="X_context")
    for key, name in {
        "types": "cell type, accuracy from 2 % labels",
        "niches": "niche retrieval, mean average precision",
        "twins": "true left-right twin within the nearest 1 %",
    }.items():
        told = {"control": measured[key], "chance": learned[f"{key}, chance"]}
        rows.add("tissue", name, "learned", learned[key], **told, protocol=f"{tissue.n_obs} cells")
    return rows
