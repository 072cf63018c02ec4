"""MorphoFeatures on real volumes: whole runs with cut and tiny cells, and halves of cells that should find each other."""

import time
from pathlib import Path

import numpy as np

from benchmarks.inputs import real_data
from benchmarks.rows import Row, Rows
from cellgraph_clr import from_labels, pp, read_labels
from cellgraph_clr.analysis.retrieval import standardised_directions
from cellgraph_clr.cells.label_image import LabelImage
from cellgraph_clr.models import MorphoFeatures

SEEDS = range(3)
VOLUMES = ("ovule_cells", "ovule_nuclei_1135", "ovule_nuclei_1136")
LEAST = 400  # voxels of a cell that is cut in two


def run(*, size: str, data: str | None) -> list[Row]:
    """Return what whole volumes take, and the median rank of the other half."""
    rows = Rows("morpho_volumes")
    folder = real_data(size, data)
    if folder is None:
        return rows
    if (folder / "volume_em_cortex").exists():
        labels = read_labels(folder / "volume_em_cortex" / "label.tif")
        start = time.perf_counter()
        model = MorphoFeatures(n_steps=100, progress=False)
        features = model.fit_transform(labels)
        seconds = time.perf_counter() - start
        assert np.isfinite(features.to_numpy()).all()
        rows.add("whole", f"EM volume, {len(features):,} cells", "time", seconds, unit="s", digits=0)
    if (folder / "volumes_plantseg").exists():
        _halves(rows, folder / "volumes_plantseg")
    return rows


def _halves(rows: Rows, folder: Path) -> None:
    for name in VOLUMES:
        whole = read_labels(folder / f"{name}_label.tif", image=folder / f"{name}_raw.tif")
        labels, partner = _cut(np.asarray(whole.labels))
        image = LabelImage(labels, whole.spacing, whole.unit, whole.image, whole.channels)
        adata = from_labels(image, features=("intensity", "texture"))
        pp.scale_features(adata, impute="median")
        ids = adata.obs["cell_id"].to_numpy()
        protocol = f"{len(partner) // 2} cells cut in two, {len(ids)} labels in all"
        rank = _rank(np.asarray(adata.X), ids, partner)
        rows.add("median rank", name, "measured texture and intensity", rank, digits=1, protocol=protocol)
        for scale in ("image", "cell"):
            found: dict[str, list[float]] = {}
            for seed in SEEDS:
                model = MorphoFeatures(
                    kinds=("coarse", "fine"), intensity_scale=scale, n_steps=100, random_state=seed, progress=False
                )
                features = model.fit_transform(image)
                assert np.isfinite(features.to_numpy()).all()
                for group in (*model.groups_, "cell"):
                    ranks = found.setdefault(group, [])
                    ranks.append(_rank(features.loc[ids].filter(like=group).to_numpy(), ids, partner))
            for group, ranks in found.items():
                measure = f"{group}, intensity_scale={scale!r}"
                rows.add("median rank", name, measure, ranks, digits=1, protocol=protocol)


def _cut(labels: np.ndarray) -> tuple[np.ndarray, dict[int, int]]:
    """Return labels where every large cell is cut by the plane through its centre across its longest axis, and its halves."""
    out = labels.astype(np.int64)
    largest = int(out.max())
    partner = {}
    for cell in np.unique(out[out > 0]):
        at = np.argwhere(labels == cell)
        if len(at) < LEAST:
            continue
        centred = at - at.mean(axis=0)
        along = centred @ np.linalg.eigh(np.cov(centred.T))[1][:, -1]
        largest += 1
        out[tuple(at[along > 0].T)] = largest
        partner |= {int(cell): largest, largest: int(cell)}
    return out, partner


def _rank(vectors: np.ndarray, ids: np.ndarray, partner: dict[int, int]) -> float:
    """Return the median rank of the other half, 1 being the nearest of all other labels by cosine."""
    directions = standardised_directions(vectors)
    row = {int(c): i for i, c in enumerate(ids)}
    ranks = []
    for cell, other in partner.items():
        alike = directions @ directions[row[cell]]
        alike[row[cell]] = -np.inf
        ranks.append(1 + int((alike > alike[row[other]]).sum()))
    return float(np.median(ranks))
