"""Deep InfoMax: planted phenotypes on samples not seen, pairs of one difference, retrieval on real screens, speed."""

import time
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from sklearn.metrics import adjusted_rand_score
from sklearn.mixture import GaussianMixture
from sklearn.preprocessing import StandardScaler
from tifffile import imread

from benchmarks.inputs import real_data
from benchmarks.timing import paired, show
from cellgraph_clr import from_labels
from cellgraph_clr.cells.label_image import LabelImage
from cellgraph_clr.cells.plate import Plate
from cellgraph_clr.datasets.plates import phenotype_plate
from cellgraph_clr.metrics import probe_accuracy, reproducibility
from cellgraph_clr.models import DeepInfoMax

SEEDS = range(3)
UNSEEN = ("sample_10", "sample_11", "sample_12", "sample_13")  # combinations that are not among the others


def run(*, size: str, data: str | None) -> None:
    """Print ARI, accuracies of pairs, mean average precision, and windows a second."""
    small = size == "small"
    plate = phenotype_plate(14, 4 if not small else 2, side=512 if not small else 64)
    _planted(plate, {"n_steps": 3, "size": 32, "batch_size": 8} if small else {})
    folder = real_data(size, data)
    if folder is not None and (folder / "hcs_sbs_foxo").exists():
        _foxo(folder / "hcs_sbs_foxo")


def _planted(plate: Plate, options: dict[str, int]) -> None:
    names = sorted(set(plate.table["sample"]))
    measured = _measured(plate, options.get("size", 128))
    _clusters("measured intensity and texture", measured, plate)
    for seed in SEEDS if not options else range(1):
        start = time.perf_counter()
        model = DeepInfoMax(random_state=seed, progress=False, **options)
        model.fit(plate, samples=[n for n in names if n not in UNSEEN])
        print(f" seed {seed}: learned on {len(names) - len(UNSEEN)} samples in {time.perf_counter() - start:.0f} s")
        _clusters("learned", model.transform(plate).drop(columns="foreground"), plate)
    image = plate.normalised().image(0)
    bare = model.transform(plate, rows=np.array([0])).index  # windows of a field
    encoder = model._fitted()  # noqa: SLF001

    def network() -> None:
        with torch.inference_mode():
            encoder.summary(encoder(torch.from_numpy(image)[None]))

    calls = {"transform": lambda: model.transform(plate, rows=np.array([0])), "the network alone": network}
    print(f" {len(bare)} windows of a field")
    show(paired(calls, rounds=5), ours="transform")


def _clusters(name: str, profiles: pd.DataFrame, plate: Plate) -> None:
    """Print the ARI of a mixture on samples not seen, and how well pairs of one difference are told apart by fields left out."""
    sample = plate.table["sample"].to_numpy()[profiles.index.get_level_values("line")]
    vectors = StandardScaler().fit_transform(np.nan_to_num(profiles.to_numpy()))
    unseen = np.isin(sample, UNSEEN)
    n_dims = min(8, vectors.shape[1])
    turned = np.linalg.svd(vectors[unseen] - vectors[unseen].mean(axis=0), full_matrices=False)
    found = GaussianMixture(len(UNSEEN), n_init=10, random_state=0, reg_covar=1e-3).fit_predict(
        (turned[0] * turned[1])[:, :n_dims]
    )
    pairs = []
    for pair in (("sample_00", "sample_01"), ("sample_02", "sample_03")):
        rows = np.isin(sample, pair)
        pairs.append(probe_accuracy(vectors[rows], sample[rows], n_repeats=1).mean())
    print(
        f"  {name:32s} ARI of 4 samples not seen {adjusted_rand_score(sample[unseen], found):.3f};"
        f" brightness alone {pairs[0]:.3f}, density alone {pairs[1]:.3f}",
        flush=True,
    )


def _measured(plate: Plate, size: int) -> pd.DataFrame:
    """Return intensity and texture of the cells of every window: means over the cells whose middle lies in it."""
    keys, values = [], []
    for line in range(len(plate)):
        adata = from_labels(
            LabelImage(plate.labels(line), (1.0, 1.0), image=plate.image(line), channels=plate.channels),
            features=("intensity", "texture"),
        )
        at = (adata.obsm["spatial"][:, ::-1] // size).astype(int)
        for y, x in np.unique(at, axis=0):
            inside = (at == (y, x)).all(axis=1)
            keys.append((line, y * size, x * size))
            values.append(np.nanmean(np.asarray(adata.X)[inside], axis=0))
    index = pd.MultiIndex.from_tuples(keys, names=["line", "y", "x"])
    return pd.DataFrame(np.nan_to_num(np.array(values)), index=index)


def _foxo(folder: Path) -> None:
    wells = pd.read_csv(folder / "wells.csv")
    condition = wells["drug"] + " " + wells["dose_level"].astype(str)
    table = pd.DataFrame({"sample": condition, "well": wells["well"]})
    images, masks = (list(imread(folder / f"{name}.tif")) for name in ("images", "nuclei"))
    plate = Plate.build(table, images, channels=("GFP", "DNA"), labels=masks)
    names = np.array(sorted(set(condition)))
    learned, unseen = names[::2], names[1::2]
    print(
        f" foxo: {plate}; learned on {len(learned)} conditions, wells of the other {len(unseen)} retrieved among themselves"
    )
    rows = plate.rows(list(unseen))
    measured = np.nan_to_num(_measured(plate, 512).groupby("line").mean().to_numpy())
    base = reproducibility(measured[rows], plate.table["sample"].to_numpy()[rows])
    print(f"  measured intensity and texture: mean average precision {base[0]:.3f} (chance {base[1]:.3f})")
    found = []
    for seed in SEEDS:
        model = DeepInfoMax(random_state=seed, progress=False).fit(plate, samples=list(learned))
        profiles = model.transform(plate).drop(columns="foreground").groupby("line").mean().to_numpy()
        found.append(reproducibility(profiles[rows], plate.table["sample"].to_numpy()[rows])[0])
    print(f"  learned: {np.mean(found):.3f} ± {np.std(found):.3f}, {np.mean(found) / base[0] - 1:+.0%}", flush=True)
