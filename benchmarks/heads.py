"""Losses of a classifier on one encoder: SoftInfoNCE, InfoNCE, soft and hard cross-entropy, on graphs and crops, five seeds."""

import warnings
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from anndata import AnnData

from benchmarks.inputs import real_data
from benchmarks.rows import Row, Rows
from cellgraph_clr import datasets, from_table, gr, pp, tl
from cellgraph_clr.adata.labels import label_codes
from cellgraph_clr.metrics import classification_scores
from cellgraph_clr.models import SoftInfoNCEClassifier
from cellgraph_clr.models.classifiers.targets import soft_loss, starting_targets

LOSSES = ("cross_entropy", "soft_cross_entropy", "infonce", "soft_infonce")
SEEDS = range(5)
SIDE = 32  # pixels of a crop
BATCH = 128
N_EPOCHS = 8
Proba = Callable[[str, int], np.ndarray]


def _tasks(data: Path) -> Iterator[tuple[str, AnnData, str, np.ndarray]]:
    """Yield name, cells with an embedding, label column, and which cells are held out."""
    if (data / "sam_willis2016").exists():
        plants = datasets.plant_meristem(data, plants=["plant1", "plant2", "plant4"])
        plants = plants[~plants.obs["touches_border"].to_numpy()].copy()
        _embed(plants)
        held = (plants.obs["plant"] == "plant4").to_numpy()
        yield "meristem, layer (plant 4 held out)", plants, "layer", held
        yield "meristem, division in 4 h (plant 4 held out)", plants, "divides", held
    if (data / "ascidian").exists():
        embryos = datasets.ascidian_embryos(data, frames=range(5, 96, 10))
        gr.delaunay_graph(embryos, library_key="library_id")
        _embed(embryos)
        held = embryos.obs["embryo"].isin(["Pm06", "Pm07"]).to_numpy()
        yield "ascidian, fate (two of six embryos held out)", embryos, "fate", held
    if (data / "osmfish_cortex").exists():
        cortex = datasets.osmfish_cortex(data)
        gr.knn_graph(cortex, n_neighbors=15)
        _embed(cortex)
        pp.split(cortex, by="block", buffer_hops=2, n_blocks=24)
        yield "cortex, region (blocks held out)", cortex, "region", (cortex.obs["split"] == "test").to_numpy()
    table = data / "mibi_granuloma" / "fov6_cells.parquet"
    if table.exists():
        df = pd.read_parquet(table)
        markers = [c for c in df.columns if df[c].dtype.kind == "f" and c not in ("x_px", "y_px")]
        cells = from_table(
            df, cell_id="label", position=["x_px", "y_px"], features=markers, obs=["cell_lin"], unit="pixel"
        )
        gr.delaunay_graph(cells)
        _embed(cells)
        pp.split(cells, by="block", buffer_hops=2)
        yield "granuloma, lineage (blocks held out)", cells, "cell_lin", (cells.obs["split"] == "test").to_numpy()


def _embed(adata: AnnData) -> None:
    pp.scale_features(adata, impute="median")
    tl.embed(adata, positives="both", n_positives=2, n_own=0, progress=False)


def run(*, size: str, data: str | None) -> list[Row]:
    """Return accuracy, balanced accuracy and ECE with their spread over seeds; chance beside the name."""
    rows = Rows("heads")
    if size == "small":
        rng = np.random.default_rng(0)
        made = rng.normal(size=(60, 2, SIDE, SIDE)).astype(np.float32)
        codes = np.arange(60) % 3
        made[:, 0] += codes[:, None, None]
        _table(
            rows,
            "generated crops",
            codes[:40],
            codes,
            partial(_crop_proba, made[:40], codes[:40], made[40:], 2),
            codes[40:],
            range(1),
        )
    folder = real_data(size, data)
    if folder is None:
        return rows
    for name, adata, key, held in _tasks(folder):
        codes, _ = label_codes(adata, key)
        known = codes >= 0
        if "split" in adata.obs:
            known &= (adata.obs["split"] != "buffer").to_numpy()
        train, test = known & ~held, known & held
        vectors = np.c_[np.asarray(adata.X), adata.obsm["X_cellgraph"]]
        present = np.unique(codes[train])
        test &= np.isin(codes, present)
        fitted = partial(_head_proba, vectors[train], codes[train], vectors[test])
        _table(rows, name, codes[train], present, fitted, np.searchsorted(present, codes[test]), SEEDS)
    if (folder / "hcs_sbs_foxo").exists():
        crops, wells = _crops(folder / "hcs_sbs_foxo")
        held = wells["well"].str[0].isin(["B", "F"]).to_numpy()
        for name, codes in (
            ("crops, control (rows B and F held out)", wells["control"].map({"negative": 0, "positive": 1})),
            ("crops, dose level of 11 (rows B and F held out)", wells["dose_level"]),
        ):
            train, test = (codes.notna().to_numpy() & part for part in (~held, held))
            y = codes.fillna(-1).to_numpy(int)
            fitted = partial(_crop_proba, crops[train], y[train], crops[test], N_EPOCHS)
            _table(rows, name, y[train], np.unique(y[train]), fitted, y[test], SEEDS)
    return rows


def _table(
    rows: Rows,
    name: str,
    train: np.ndarray,
    classes: np.ndarray,
    proba_of: Proba,
    truth: np.ndarray,
    seeds: range,
) -> None:
    print(
        f" {name}: {len(train)} cells to learn from, {len(truth)} held out, {len(np.unique(classes))} classes",
        flush=True,
    )
    names = ("accuracy", "balanced_accuracy", "ece")
    for loss in LOSSES:
        found = [classification_scores(proba_of(loss, seed), truth) for seed in seeds]
        for k in names:
            values = [scores[k].value for scores in found]
            spread = np.std(values, ddof=1) if len(values) > 1 else None
            rows.add("losses", name, f"{loss} | {k}", values, chance=found[0][k].chance, spread=spread)


def _head_proba(x: np.ndarray, y: np.ndarray, test: np.ndarray, loss: str, seed: int) -> np.ndarray:
    model = SoftInfoNCEClassifier(head="mlp", loss=loss, random_state=seed, calibrate=False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return model.fit(x, y).predict_proba(test)


def _crops(folder: Path) -> tuple[np.ndarray, pd.DataFrame]:
    """Return crops (n, 2, side, side) float32 around the nuclei, channels standardised, and the well of each."""
    import tifffile
    from scipy.ndimage import center_of_mass

    images, nuclei = (tifffile.imread(folder / f"{name}.tif") for name in ("images", "nuclei"))
    wells = pd.read_csv(folder / "wells.csv")
    found, rows = [], []
    half = SIDE // 2
    for row, (pixels, labels) in enumerate(zip(images, nuclei, strict=True)):
        padded = np.pad(pixels.astype(np.float32), ((0, 0), (half, half), (half, half)), mode="reflect")
        ids = np.unique(labels)[1:]
        for y, x in np.rint(center_of_mass(labels > 0, labels, ids)).astype(int):
            found.append(padded[:, y : y + SIDE, x : x + SIDE])
            rows.append(row)
    crops = np.stack(found)
    crops = (crops - crops.mean(axis=(0, 2, 3), keepdims=True)) / crops.std(axis=(0, 2, 3), keepdims=True)
    return crops, wells.iloc[rows].reset_index(drop=True)


def _crop_proba(x: np.ndarray, y: np.ndarray, test: np.ndarray, n_epochs: int, loss: str, seed: int) -> np.ndarray:
    """Return probabilities of a small convolutional network trained end to end by one loss, crops turned and flipped."""
    import torch
    from torch import nn

    torch.manual_seed(seed)
    layers: list[nn.Module] = []
    for n_in, n_out in ((x.shape[1], 16), (16, 32), (32, 64)):
        layers += [nn.Conv2d(n_in, n_out, 3, padding=1), nn.GroupNorm(8, n_out), nn.ReLU(), nn.MaxPool2d(2)]
    n_classes = int(y.max()) + 1
    network = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, n_classes))
    targets = starting_targets(loss, y, n_classes, 0.1)
    prior = targets.mean(dim=0)
    crops = torch.from_numpy(x)
    optimizer = torch.optim.AdamW(network.parameters(), lr=3e-3, weight_decay=0.05)
    steps = n_epochs * -(-len(x) // BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 3e-3, total_steps=steps)
    generator = torch.Generator().manual_seed(seed)
    for _ in range(n_epochs):
        for batch in torch.randperm(len(x), generator=generator).split(BATCH):
            turned = torch.rot90(crops[batch], int(torch.randint(4, (), generator=generator)), (2, 3))
            value = soft_loss(loss, network(turned), targets[batch], prior).mean()
            optimizer.zero_grad()
            value.backward()
            optimizer.step()
            schedule.step()
    network.eval()
    with torch.inference_mode():
        logits = torch.cat([network(part) for part in torch.from_numpy(test).split(1024)])
    return torch.softmax(logits.double(), dim=1).numpy()
