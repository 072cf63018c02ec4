"""Deep InfoMax: planted phenotypes on samples not seen, pairs of one difference, retrieval on real screens, speed."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from scipy.ndimage import gaussian_filter
from skimage.filters import threshold_otsu
from skimage.measure import label
from skimage.morphology import remove_small_objects
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import adjusted_rand_score
from sklearn.mixture import GaussianMixture
from sklearn.model_selection import GroupKFold, cross_val_score
from sklearn.preprocessing import StandardScaler
from tifffile import imread

from benchmarks.inputs import real_data
from benchmarks.memory import peak, reset_peak
from benchmarks.rows import Row, Rows
from benchmarks.timing import paired
from cellgraph_clr import from_plate
from cellgraph_clr.analysis.phenotypes import sphering
from cellgraph_clr.cells.plate import Plate
from cellgraph_clr.datasets.plates import phenotype_plate
from cellgraph_clr.metrics import reproducibility
from cellgraph_clr.models import DeepInfoMax

SEEDS = range(3)
PAIRS = {"brightness alone": ("sample_00", "sample_01"), "density alone": ("sample_02", "sample_03")}
UNSEEN = ("sample_10", "sample_11", "sample_12", "sample_13")  # combinations that are not among the others


def run(*, size: str, data: str | None) -> list[Row]:
    """Return ARI, accuracies of pairs, mean average precision, and windows a second."""
    rows = Rows("deep_infomax")
    small = size == "small"
    plate = phenotype_plate(14, 4 if not small else 2, side=512 if not small else 64)
    _planted(rows, plate, {"n_steps": 3, "window_px": 32, "batch_size": 8} if small else {})
    folder = real_data(size, data)
    if folder is None:
        return rows
    for name, read in (("hcs_sbs_foxo", _foxo), ("hcs_transfluor", _transfluor)):
        if (folder / name).exists():
            _retrieved(rows, name, read(folder / name))
    return rows


def _unsphered(model: DeepInfoMax) -> DeepInfoMax:
    """Return the same model without what its profiles are sphered by."""
    state = model._fitted()  # noqa: SLF001
    kept = {name: array for name, array in state.arrays.items() if not name.startswith("sphere")}
    return model._with(replace(state, arrays=kept))  # noqa: SLF001


def _planted(rows: Rows, plate: Plate, options: dict[str, int]) -> None:
    names = sorted(set(plate.table["sample"]))
    measured = _measured(plate, options.get("window_px", 128))
    found = [_clusters(measured, plate)]
    _add_clusters(rows, "measured", found)
    found = []
    for seed in SEEDS if not options else range(1):
        model = DeepInfoMax(random_state=seed, progress=False, **options)
        model.fit(plate, samples=[n for n in names if n not in UNSEEN])
        found.append(_clusters(model.transform(plate).drop(columns="foreground"), plate))
    _add_clusters(rows, "learned", found)
    _speed(rows, plate, model)
    for n_fields in (2, 4) if options else (8, 16):
        wide = phenotype_plate(4, n_fields, side=plate.image(0).shape[-1], random_state=1)
        before = reset_peak()
        DeepInfoMax(progress=False, **{**options, "n_steps": 3}).fit(wide)
        rows.add("memory", f"training, {len(wide)} fields", "beyond the images", peak() - before, unit="MiB", digits=0)


def _speed(rows: Rows, plate: Plate, model: DeepInfoMax) -> None:
    """Add how fast windows get their profiles beside the network alone on images in memory, by one thread and by all."""
    images = [torch.from_numpy(plate.normalized().image(i))[None] for i in range(len(plate))]
    encoder, every = model.network(), torch.get_num_threads()

    def network() -> None:
        with torch.inference_mode():
            for image in images:
                encoder.summary(encoder(image))

    calls = {"transform": lambda: model.transform(plate), "the network alone, on images in memory": network}
    for n_threads in sorted({1, every}):
        torch.set_num_threads(n_threads)
        medians = paired(calls, rounds=5)
        name = f"{len(model.transform(plate))} windows of {len(plate)} fields, threads: {n_threads}"
        rows.times(name, medians, ours="transform")
        speed = medians["the network alone, on images in memory"] / medians["transform"]
        rows.add(
            "speed",
            f"profiles of windows, threads: {n_threads}",
            "in times of the bare network",
            speed,
            unit="x",
            digits=2,
        )
    torch.set_num_threads(every)


def _add_clusters(rows: Rows, how: str, found: list[tuple[float, float, float]]) -> None:
    for name, values in zip(("four phenotypes", *PAIRS), np.transpose(found), strict=True):
        rows.add("generated plate", f"{name}, {'accuracy' if name in PAIRS else 'ARI'}", how, values)


def _clusters(profiles: pd.DataFrame, plate: Plate) -> tuple[float, float, float]:
    """Return the ARI of a mixture on samples not seen, and how well pairs of one difference are told apart by fields left out."""
    sample = plate.table["sample"].to_numpy()[profiles.index.get_level_values("line")]
    vectors = StandardScaler().fit_transform(np.nan_to_num(profiles.to_numpy()))
    unseen = np.isin(sample, UNSEEN)
    n_dims = min(8, vectors.shape[1])
    turned = np.linalg.svd(vectors[unseen] - vectors[unseen].mean(axis=0), full_matrices=False)
    found = GaussianMixture(len(UNSEEN), n_init=10, random_state=0, reg_covar=1e-3).fit_predict(
        (turned[0] * turned[1])[:, :n_dims]
    )
    pairs = []
    for pair in PAIRS.values():
        rows = np.isin(sample, pair)
        field = profiles.index.get_level_values("line")[rows]
        probe = LogisticRegression(max_iter=1000)
        pairs.append(cross_val_score(probe, vectors[rows], sample[rows], groups=field, cv=GroupKFold(2)).mean())
    return adjusted_rand_score(sample[unseen], found), *pairs


def _measured(plate: Plate, size: int) -> pd.DataFrame:
    """Return intensity and texture of the cells of every window: means over the cells whose middle lies in it."""
    cells = from_plate(plate, features=("intensity", "texture"))
    y, x = (cells.obsm["spatial"][:, ::-1] // size).astype(int).T * size
    window = pd.MultiIndex.from_arrays([cells.obs["line"], y, x], names=["line", "y", "x"])
    return cells.to_df().set_index(window).groupby(level=[0, 1, 2]).mean().fillna(0)


def _foxo(folder: Path) -> Plate:
    """Return wells as fields of samples: a drug at a dose."""
    wells = pd.read_csv(folder / "wells.csv")
    table = pd.DataFrame({"sample": wells["drug"] + " " + wells["dose_level"].astype(str), "well": wells["well"]})
    images, masks = (list(imread(folder / f"{name}.tif")) for name in ("images", "nuclei"))
    return Plate.build(table, images, channels=("GFP", "DNA"), labels=masks)


def _transfluor(folder: Path) -> Plate:
    """Return three fields of every well, with masks of what is bright, as nothing was segmented."""
    table = pd.read_csv(folder / "images.csv").astype(str).assign(sample=lambda t: t["well"])
    images = imread(folder / "images.tif")
    smooth = [gaussian_filter(image.astype(float), 1) for image in images]
    masks = [label(remove_small_objects(s > threshold_otsu(s), max_size=20)).astype(np.int32) for s in smooth]
    return Plate.build(table, list(images[:, None]), channels=("GFP",), labels=masks)


def _retrieved(rows: Rows, name: str, plate: Plate) -> None:
    """Add how well fields of samples that were not learned from find those of the same sample, for every second sample."""
    names = sorted(set(plate.table["sample"]))
    learned, unseen = plate.rows(names[::2]), plate.rows(names[1::2])
    sample = plate.table["sample"].to_numpy()
    side = max(plate.image(0).shape[1:])
    measured = np.nan_to_num(_measured(plate, side).groupby("line").mean().reindex(range(len(plate))).to_numpy())
    base, chance = reproducibility(measured[unseen], sample[unseen])
    mean, matrix = sphering(measured[learned], sample[learned])
    sphered = reproducibility(((measured - mean) @ matrix)[unseen], sample[unseen])[0]
    rows.add("screens", name, "measured", base, chance=chance)
    rows.add("screens", name, "measured, sphered", sphered, chance=chance)
    for title, options in (("learned", {}), ("learned, fields normalized one by one", {"intensity_scale": "field"})):
        found: dict[str, list[float]] = {"": [], ", not sphered": []}
        for seed in SEEDS:
            model = DeepInfoMax(random_state=seed, progress=False, **options).fit(plate, samples=names[::2])
            for form, scores in found.items():
                profiles = (
                    (_unsphered(model) if form else model)
                    .transform(plate)
                    .drop(columns="foreground")
                    .groupby("line")
                    .mean()
                    .to_numpy()
                )
                scores.append(reproducibility(profiles[unseen], sample[unseen])[0])
        for form, scores in found.items():
            rows.add("screens", name, title + form, scores, chance=chance)
