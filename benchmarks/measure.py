"""Labels to AnnData with features and contact graph, against regionprops_table and cc3d."""

import warnings

import numpy as np

from benchmarks.timing import paired, show
from cellgraph_clr import from_labels, gr
from cellgraph_clr.datasets import tissue


def run(*, size: str, data: str | None) -> None:
    """Print medians on generated tissue, and on the EM volume of `data` where it is there."""
    volumes = {"generated 3D tissue": tissue(200 if size == "small" else 20_000, random_state=0).image.labels}
    if data is not None:
        from pathlib import Path

        from cellgraph_clr import read_labels

        path = Path(data) / "volume_em_cortex" / "label.tif"
        if path.exists():
            volumes["EM cortex, 256^3"] = read_labels(path).labels
    for name, labels in volumes.items():
        _volume(name, labels, rounds=1 if size == "small" else 3)


def _volume(name: str, labels: np.ndarray, *, rounds: int) -> None:
    from skimage.measure import regionprops_table

    spacing = (2.0, 1.0, 1.0)

    def ours() -> None:
        gr.contact_graph(from_labels(labels, spacing=spacing))

    def regionprops() -> None:
        properties = ("area", "centroid", "bbox", "inertia_tensor")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            regionprops_table(labels, spacing=spacing, properties=properties)

    calls = {"from_labels + contact_graph": ours, "regionprops_table (no contacts)": regionprops}
    try:
        import cc3d

        ids = labels.astype(np.uint32)
        calls["cc3d.contacts"] = lambda: cc3d.contacts(ids, connectivity=6, surface_area=True, anisotropy=spacing)
    except ImportError:
        print("  connected-components-3d is not installed: run `make bench` for this peer")
    medians = paired(calls, rounds=rounds)
    n_cells = len(np.unique(labels)) - 1
    print(f" {name}: {labels.size / 1e6:.1f} Mvoxel, {n_cells} cells")
    show(medians, ours="from_labels + contact_graph")
    peers = sum(v for k, v in medians.items() if k != "from_labels + contact_graph")
    print(f"  all peers together take {peers / medians['from_labels + contact_graph']:.1f} x ours")
