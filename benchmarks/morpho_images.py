"""MorphoFeatures on real 2D images: drug response per nucleus and per well, lineage from the shape of masks."""

from pathlib import Path

import numpy as np
import pandas as pd
from scipy.stats import spearmanr
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from tifffile import imread

from benchmarks.inputs import real_data
from benchmarks.rows import Row, Rows
from cellgraph_clr import from_labels, pp
from cellgraph_clr.cells.label_image import LabelImage
from cellgraph_clr.models import MorphoFeatures

SEEDS = range(3)
DRUGS = "drug response of single nuclei, whole wells held out"
LINEAGE = "lineage from the shape of masks"


def run(*, size: str, data: str | None) -> list[Row]:
    """Return balanced errors of measured and of learned features, by logistic regression."""
    rows = Rows("morpho_images")
    folder = real_data(size, data)
    if folder is None:
        return rows
    if (folder / "hcs_sbs_foxo").exists():
        _screen(rows, folder / "hcs_sbs_foxo")
    if (folder / "mibi_granuloma").exists():
        _granuloma(rows, folder / "mibi_granuloma")
    return rows


def _screen(rows: Rows, folder: Path) -> None:
    wells = pd.read_csv(folder / "wells.csv")
    pixels, masks = imread(folder / "images.tif"), imread(folder / "nuclei.tif")
    pictures = [
        LabelImage(m, (1.0, 1.0), image=p.astype(np.float32), channels=("GFP", "DNA"))
        for p, m in zip(pixels, masks, strict=True)
    ]
    drugged = np.flatnonzero(wells["control"].isna())
    well = np.concatenate([np.full(len(np.unique(m)) - 1, i) for i, m in enumerate(masks)])
    table = [from_labels(p) for p in pictures]
    measured = np.concatenate([np.asarray(a.X) for a in table])
    measured = np.where(np.isfinite(measured), measured, np.nanmedian(measured, axis=0))
    _report_screen(rows, "measured", [measured], well, wells)
    for name, options in (
        ("inside the nucleus alone", {"intensity_scale": "image"}),
        ("learned", {"intensity_scale": "image", "masked": False}),
    ):
        found = []
        for seed in SEEDS:
            model = MorphoFeatures(coarse_size=32, coarse_resolution=1.0, random_state=seed, progress=False, **options)
            model.fit([pictures[i] for i in drugged])
            found.append(np.concatenate([model.transform(p).to_numpy() for p in pictures]))
        _report_screen(rows, name, found, well, wells)


def _report_screen(rows: Rows, name: str, found: list[np.ndarray], well: np.ndarray, wells: pd.DataFrame) -> None:
    """Add the balanced error per nucleus of the controls, and the rank correlation of wells with the dose."""
    errors, orders = zip(*(_screen_scores(values, well, wells) for values in found), strict=True)
    told = {"chance": 0.5, "protocol": "6 folds of whole wells; learned on the doses between"}
    rows.add("balanced error", DRUGS, name, errors, **told)
    rows.add("dose", "wells against dose, rank correlation", name, orders)


def _screen_scores(values: np.ndarray, well: np.ndarray, wells: pd.DataFrame) -> tuple[float, float]:
    control = wells["control"].notna().to_numpy()[well]
    y = (wells["control"] == "positive").to_numpy()[well]
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=3000, class_weight="balanced"))
    rows = np.flatnonzero(control)
    out = np.zeros(len(rows), bool)
    for train, test in StratifiedGroupKFold(6, shuffle=True, random_state=0).split(rows, y[rows], well[rows]):
        out[test] = model.fit(values[rows[train]], y[rows[train]]).predict(values[rows[test]])
    error = 1 - balanced_accuracy_score(y[rows], out)
    response = pd.Series(model.fit(values[rows], y[rows]).decision_function(values)).groupby(well).mean()
    order = []
    for drug in wells["drug"].unique():
        mine = ((wells["drug"] == drug) & wells["control"].isna()).to_numpy()
        order.append(spearmanr(wells["dose_level"][mine], response[mine]).statistic)
    return float(error), float(np.mean(order))


def _granuloma(rows: Rows, folder: Path) -> None:
    mask = imread(folder / "fov6_mask.tif")
    typed = pd.read_parquet(folder / "fov6_cells.parquet").set_index("label")["cell_lin"]
    image = LabelImage(mask, (0.5, 0.5), "micrometer")
    adata = from_labels(image, features=("shape",))
    pp.scale_features(adata, impute="median")
    known = np.isin(adata.obs["cell_id"], typed.index)
    y = typed.loc[adata.obs["cell_id"][known]].to_numpy()
    measured = np.asarray(adata.X)[known]
    errors: dict[str, list[float]] = {"measured": [_error(measured, y)], "learned": [], "learned beside measured": []}
    for seed in SEEDS:
        model = MorphoFeatures(kinds=("shape",), random_state=seed, progress=False).fit(image)
        codes = model.transform(image).loc[adata.obs["cell_id"][known]].to_numpy()
        for found, values in zip(
            list(errors.values())[1:], (codes, np.concatenate([measured, codes], axis=1)), strict=True
        ):
            found.append(_error(values, y))
    for name, found in errors.items():
        rows.add("balanced error", LINEAGE, name, found, chance=1 - 1 / len(set(y)), protocol="3 x 5 folds")


def _error(values: np.ndarray, y: np.ndarray) -> float:
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=3000, class_weight="balanced"))
    found = []
    for seed in range(3):
        for train, test in StratifiedKFold(5, shuffle=True, random_state=seed).split(values, y):
            found.append(1 - balanced_accuracy_score(y[test], model.fit(values[train], y[train]).predict(values[test])))
    return float(np.mean(found))
