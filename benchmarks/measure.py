"""Labels to AnnData with features and contact graph, against regionprops_table and cc3d.contacts, and in read passes."""

import importlib.util
import warnings
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks.inputs import packed
from benchmarks.rows import Row, Rows
from benchmarks.timing import paired
from cellgraph_clr import LabelImage, from_labels, gr, read_labels
from cellgraph_clr.cells.compartments import match_nuclei
from cellgraph_clr.cells.scan import scan_labels

OURS = "from_labels + contact_graph"
FULL = (
    ("512³", (512, 512, 512), 2000),
    ("512³", (512, 512, 512), 10_000),
    ("8192²", (8192, 8192), 100_000),
)
SMALL = (("48³", (48, 48, 48), 60), ("256²", (256, 256), 200))


def run(*, size: str, data: str | None) -> list[Row]:
    """Return medians on packed cells, and on the EM volume of `data` where it is there."""
    rows = Rows("measure")
    rounds = 1 if size == "small" else 3
    for name, shape, n in SMALL if size == "small" else FULL:
        labels = packed(shape, n)
        _against_peers(rows, name, labels, (1.0,) * len(shape), rounds=rounds)
        _nuclei(rows, name, labels, rounds=rounds)
    if data is not None:
        path = Path(data) / "volume_em_cortex" / "label.tif"
        if path.exists():
            image = read_labels(path, spacing=(40.0, 32.0, 32.0), unit="nanometer")
            _against_peers(rows, "EM cortex, 256³", image.labels, image.spacing, rounds=rounds)
    return rows


def _nuclei(rows: Rows, name: str, labels: np.ndarray, *, rounds: int) -> None:
    """Add how long it takes to match nuclei to cells, in times of a scan of the cells without surfaces."""
    image = LabelImage.build(labels)
    moved = [np.roll(labels, step, axis) for axis in range(labels.ndim) for step in (-3, 3)]
    nuclei = np.where(np.all([labels == m for m in moved], axis=0), labels, 0).astype(labels.dtype)
    calls = {"scan": partial(scan_labels, image, surface=False), "match": partial(match_nuclei, labels, nuclei)}
    medians = paired(calls, rounds=rounds)
    name = f"{name}, {len(np.unique(labels)) - 1:,} cells"
    rows.add("nuclei", name, "times of a scan", medians["match"] / medians["scan"], digits=1)


def _ours(image: LabelImage) -> None:
    gr.contact_graph(from_labels(image))


def _regionprops(labels: np.ndarray, spacing: tuple[float, ...]) -> None:
    from skimage.measure import regionprops_table

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        regionprops_table(labels, spacing=spacing, properties=("area", "centroid", "bbox", "inertia_tensor"))


def _against_peers(rows: Rows, name: str, labels: np.ndarray, spacing: tuple[float, ...], *, rounds: int) -> None:
    image = LabelImage.build(labels, spacing=spacing)
    light = np.random.default_rng(0).integers(0, 400, labels.shape, dtype=np.uint16) + (labels % 977).astype(np.uint16)
    bright = LabelImage.build(labels, light, spacing=spacing)
    ids = labels.astype(np.uint32)
    calls = {
        "one read pass (max), one thread": lambda: ids.max(),
        OURS: partial(_ours, image),
        "the same with intensity": partial(_ours, bright),
        "regionprops_table": partial(_regionprops, labels, spacing),
    }
    if importlib.util.find_spec("cc3d") is not None:
        import cc3d

        options = {"connectivity": 6 if labels.ndim == 3 else 4, "surface_area": True, "anisotropy": spacing}
        calls["cc3d.contacts"] = lambda: cc3d.contacts(ids, **options)
    else:
        print("  connected-components-3d is not installed: run `make bench` for this peer")
    medians = paired(calls, rounds=rounds)
    name = f"{name}, {len(np.unique(labels)) - 1:,} cells"
    rows.times(name, medians, ours=OURS)
    for call in (OURS, "the same with intensity"):
        rows.add("read passes", name, call, medians[call] / medians["one read pass (max), one thread"], digits=1)
    if "cc3d.contacts" in medians:
        both = medians["regionprops_table"] + medians["cc3d.contacts"]
        rows.add("in times of ours", name, "both", both / medians[OURS], unit="x", digits=1)
