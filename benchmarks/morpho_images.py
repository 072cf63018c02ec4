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
from cellgraph_clr import from_labels, pp
from cellgraph_clr.cells.label_image import LabelImage
from cellgraph_clr.models import MorphoFeatures

SEEDS = range(3)


def run(*, size: str, data: str | None) -> None:
    """Print balanced errors of measured and of learned features, by logistic regression."""
    folder = real_data(size, data)
    if folder is None:
        return
    if (folder / "hcs_sbs_foxo").exists():
        _screen(folder / "hcs_sbs_foxo")
    if (folder / "mibi_granuloma").exists():
        _granuloma(folder / "mibi_granuloma")


def _screen(folder: Path) -> None:
    wells = pd.read_csv(folder / "wells.csv")
    pixels, masks = imread(folder / "images.tif"), imread(folder / "nuclei.tif")
    pictures = [
        LabelImage(m, (1.0, 1.0), image=p.astype(np.float32), channels=("GFP", "DNA"))
        for p, m in zip(pixels, masks, strict=True)
    ]
    controls = np.flatnonzero(wells["control"].notna())
    drugged = np.flatnonzero(wells["control"].isna())
    well = np.concatenate([np.full(len(np.unique(m)) - 1, i) for i, m in enumerate(masks)])
    print(
        f" screen: {len(well)} nuclei; controls in {len(controls)} wells (6 folds of whole wells), codes learned without labels\n"
        f"  on the {len(drugged)} wells of the doses between"
    )
    table = [from_labels(p) for p in pictures]
    measured = np.concatenate([np.asarray(a.X) for a in table])
    measured = np.where(np.isfinite(measured), measured, np.nanmedian(measured, axis=0))
    base = _report_screen("measured (from_labels)", measured, well, wells, None)
    for name, options in (
        ("learned, inside the nucleus", {"normalise": "image"}),
        ("learned, with what lies around", {"normalise": "image", "masked": False}),
    ):
        errors = []
        for seed in SEEDS:
            model = MorphoFeatures(coarse_size=32, coarse_resolution=1.0, random_state=seed, progress=False, **options)
            model.fit([pictures[i] for i in drugged])
            codes = np.concatenate([model.transform(p).to_numpy() for p in pictures])
            errors.append(_report_screen(f"{name}, seed {seed}", codes, well, wells, base))
        both = np.array(errors)
        print(
            f"  {name}: error {both[:, 0].mean():.4f} ± {both[:, 0].std():.4f}, cut by {1 - both[:, 0].mean() / base[0]:.0%}"
        )


def _report_screen(
    name: str, values: np.ndarray, well: np.ndarray, wells: pd.DataFrame, base: tuple[float, float] | None
) -> tuple[float, float]:
    """Print and return the balanced error per nucleus of the controls, and 1 - rank correlation of wells with the dose."""
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
    disorder = 1 - float(np.mean(order))
    cut = "" if base is None else f" (cut by {1 - error / base[0]:.0%}, dose {1 - disorder / base[1]:.0%})"
    orders = ", ".join(f"{o:.3f}" for o in order)
    print(f"  {name:44s} balanced error {error:.4f}; wells against dose, rank correlation {orders}{cut}", flush=True)
    return float(error), disorder


def _granuloma(folder: Path) -> None:
    mask = imread(folder / "fov6_mask.tif")
    typed = pd.read_parquet(folder / "fov6_cells.parquet").set_index("label")["cell_lin"]
    image = LabelImage(mask, (0.5, 0.5), "micrometer")
    adata = from_labels(image, features=("shape",))
    pp.scale_features(adata, impute="median")
    rows = np.isin(adata.obs["cell_id"], typed.index)
    y = typed.loc[adata.obs["cell_id"][rows]].to_numpy()
    print(f" granuloma: lineage ({len(set(y))}) of {len(y)} cells from the shape of their masks, 5 folds x 3")
    measured = np.asarray(adata.X)[rows]
    base = _error(measured, y)
    print(f"  measured (from_labels)             balanced error {base:.4f}, chance {1 - 1 / len(set(y)):.4f}")
    errors: dict[str, list[float]] = {"learned shape (of no size)": [], "learned beside measured": []}
    for seed in SEEDS:
        model = MorphoFeatures(kinds=("shape",), random_state=seed, progress=False).fit(image)
        codes = model.transform(image).loc[adata.obs["cell_id"][rows]].to_numpy()
        for found, values in zip(errors.values(), (codes, np.concatenate([measured, codes], axis=1)), strict=True):
            found.append(_error(values, y))
    for name, found in errors.items():
        cut = 1 - np.mean(found) / base
        print(f"  {name:34s} balanced error {np.mean(found):.4f} ± {np.std(found):.4f}, cut by {cut:.0%}")


def _error(values: np.ndarray, y: np.ndarray) -> float:
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=3000, class_weight="balanced"))
    found = []
    for seed in range(3):
        for train, test in StratifiedKFold(5, shuffle=True, random_state=seed).split(values, y):
            found.append(1 - balanced_accuracy_score(y[test], model.fit(values[train], y[train]).predict(values[test])))
    return float(np.mean(found))
