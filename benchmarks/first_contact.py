"""The calls that a new user tries first, on real images, movies, plates and tables: does each do what was expected?"""

import inspect
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from tifffile import imread

import cellgraph_clr as cgc
from benchmarks.deep_infomax import _foxo
from benchmarks.inputs import real_data
from benchmarks.rows import Row, Rows

STEPS = {"n_steps": 20, "progress": False}


def run(*, size: str, data: str | None) -> list[Row]:
    """Return a row for each call that does what was expected; one that does not ends the run."""
    rows = Rows("first_contact")
    folder = real_data(size, data)
    if folder is None:
        return rows
    with tempfile.TemporaryDirectory() as made, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for title, check in CHECKS.items():
            given = {"folder": folder, "made": Path(made)}
            found = check(*(given[name] for name in inspect.signature(check).parameters))
            plt.close("all")
            rows.add("calls", title, "as expected", 1, digits=0, protocol=found)
    return rows


def _warned(call) -> str:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        call()
    return " ".join(str(w.message) for w in caught)


def _refused(call) -> str:
    try:
        call()
    except cgc.CellGraphError as error:
        return f"{type(error).__name__}: {error}"
    raise AssertionError("expected an error")


def _maize(folder: Path):
    labels, image = (imread(folder / "image_maize_2d" / f"maize_{n}.tif") for n in ("labels", "clsm"))
    adata = cgc.from_labels(labels, image, spacing=0.5, unit="um")
    cgc.gr.contact_graph(adata)
    cgc.pp.scale_features(adata)
    cgc.tl.embed(adata, **STEPS)
    cgc.tl.cluster(adata)
    return labels, image, adata


def _osmfish(folder: Path):
    table = pd.read_parquet(folder / "osmfish_cortex" / "cells.parquet")
    genes = list(table.columns[table.columns.get_loc("total_molecules") + 1 :])
    return cgc.from_table(
        table, cell_id=None, position=["x_px", "y_px"], features=genes, obs=["cell_type", "region"], unit="pixel"
    )


def _shown(ax) -> float:
    """Return the share of pixels that are not white, after checking that pyplot has the figure and nothing is cut."""
    figure = np.ravel(ax)[0].figure
    assert figure.number in plt.get_fignums()
    figure.canvas.draw()
    box, (width, height) = figure.get_tightbbox(), figure.get_size_inches()
    assert min(box.x0, box.y0) > -0.03
    assert box.x1 < width + 0.03
    assert box.y1 < height + 0.03
    return float((np.asarray(figure.canvas.buffer_rgba())[..., :3] < 250).any(axis=-1).mean())


def _b1(folder):
    mask = folder / "mibi_granuloma" / "fov6_mask.tif"
    a = cgc.from_labels(mask, spacing=(0.5, 0.5), unit="um")
    said = _warned(lambda: cgc.gr.contact_graph(a))
    assert "max_gap=0.5" in said
    assert "delaunay_graph" in said
    cgc.pp.scale_features(a)
    for call in (lambda: cgc.tl.embed(a), lambda: cgc.tl.retrieve_regions(a, [100, 101, 102], use_rep="X")):
        assert "NoGraphError" in _refused(call)
    cgc.gr.contact_graph(a, mask, max_gap=0.5)
    alone = float((a.obs["n_neighbors"] == 0).mean())
    assert alone < 0.25
    return f"warned; embed and retrieve_regions refuse; with max_gap=0.5 {alone:.1%} of the cells touch nothing"


def _b2(folder, made):
    _, image, a = _maize(folder)
    cgc.pl.spatial(a, "leiden", image=image)
    plt.savefig(made / "x.png")
    share = _shown(plt.gca())
    assert share > 0.3
    return f"plt.savefig writes the picture ({share:.0%} of it not white)"


def _b3(folder, made):
    o = _osmfish(folder)
    ax = cgc.pl.spatial(o, "cell_type", save=made / "o_ct.png")
    _shown(ax)
    n = len(ax.get_legend().get_texts())
    colors = len(set(o.uns["cell_type_colors"]))
    assert n == o.obs["cell_type"].nunique() <= colors + 1
    return f"{n} types in the legend, {colors} colours, nothing cut"


def _m1(folder, made):
    mask, cells = folder / "mibi_granuloma" / "fov6_mask.tif", made / "mi.h5ad"
    for arguments in (
        ["measure", mask, "--spacing", "0.5,0.5", "--unit", "um", "-o", cells],
        ["graph", cells, "--max-gap", "1", "--labels", mask, "--in-place"],
    ):
        subprocess.run([sys.executable, "-m", "cellgraph_clr", *map(str, arguments)], check=True, capture_output=True)
    by_command = cgc.read(cells)
    a = cgc.from_labels(mask, spacing=(0.5, 0.5), unit="um")
    cgc.gr.contact_graph(a, cgc.read_labels(mask), max_gap=1.0)
    contact, edges = (np.median(a.obsp["spatial_contact_area"].data), a.obsp["spatial_connectivities"].nnz // 2)
    assert by_command.obsp["spatial_connectivities"].nnz // 2 == edges
    assert np.median(by_command.obsp["spatial_contact_area"].data) == contact
    refused = _refused(lambda: cgc.gr.contact_graph(a, cgc.read_labels(mask, spacing=2.0, unit="um"), max_gap=1.0))
    assert "with a spacing of" in refused
    return f"command and Python agree: {edges} edges, median contact {contact:.1f} µm; another spacing is refused"


def _m2(folder):
    labels, image, a = _maize(folder)
    given = (labels, cgc.LabelImage(labels, spacing=(0.5, 0.5), unit="micrometer"))
    bars = []
    for one in given:
        ax = cgc.pl.feature_range(a, one, ["area"], image, use_rep="X")[0, 0]
        bars.append(next(b.txt_label.get_text() for b in ax.artists if hasattr(b, "size_bar")))
    assert bars[0] == bars[1]
    return f"both bars say {bars[0]}"


def _movie(folder):
    d = folder / "timelapse_bacteria"
    return cgc.read_movie(d / "raw.tif", labels=d / "masks.tif", tracks=d / "man_track.csv")


def _m3(folder):
    m = _movie(folder)
    a = cgc.from_movie(m)
    counts = []
    masks = {f"frame_{t:02d}": np.asarray(m.labels[t]) for t in range(len(m))}
    for labels in (None, masks, m):
        cgc.gr.contact_graph(a, labels)
        counts.append(a.obsp["spatial_connectivities"].nnz // 2)
    cgc.gr.contact_graph(cgc.from_movie(cgc.datasets.event_movie(6, 24, side=128, random_state=0)))
    assert len(set(counts)) == 1
    cgc.gr.radius_graph(a, radius=3, distance="surface", labels=m)
    cgc.gr.temporal_graph(a, tracks="track", parents=m.tracks.set_index("track")["parent"].to_dict())
    return (
        f"{counts[0]} contacts within {len(m)} frames, {a.obsp['temporal_connectivities'].nnz // 2} edges across them"
    )


def _m4(folder):
    a = cgc.from_movie(_movie(folder))
    said = _warned(lambda: cgc.gr.knn_graph(a)) + _warned(lambda: cgc.gr.delaunay_graph(a))
    assert "fewer than 7 cells" in said
    assert "fewer than 4 cells" in said
    return f"both graphs of all frames, with a warning; {int((a.obs['n_neighbors'] == 0).sum())} cells alone"


def _m5(folder):
    plate = _foxo(folder / "hcs_sbs_foxo")
    a = cgc.tl.profile(plate, n_steps=2, progress=False)
    cgc.tl.cluster(a, method="gmm", n_clusters=3, use_rep="X_infomax")
    axes = cgc.pl.window_gallery(a, plate, "gmm")
    _shown(axes)
    return f"{axes.shape[0]} groups of {axes.shape[1]} windows of two channels: {axes[0, 0].figure.get_suptitle()}"


def _m6(folder, made):
    from PIL import Image

    (made / "plate").mkdir()
    for well in ("A01", "A02"):
        Image.fromarray(np.eye(32, dtype=np.uint8) * 200).save(made / "plate" / f"{well}.png")
    pd.DataFrame({"well": ["A1", "A2"], "drug": ["x", "y"]}).to_csv(made / "layout.csv", index=False)
    plate = cgc.read_plate(made / "plate", r"(?P<well>A\d\d)\.png", layout=made / "layout.csv")
    assert plate.table["drug"].tolist() == ["x", "y"]
    path = folder / "image_maize_2d" / "maize_labels.tif"
    labels, _, a = _maize(folder)
    layer, options, _ = cgc.to_napari(a, str(path))
    assert layer.shape == labels.shape
    cgc.gr.contact_graph(a, str(path), max_gap=1)
    movie = _movie(folder)
    cgc.to_napari(cgc.from_movie(movie), movie)
    return f"layout, napari and contact_graph take paths; scale {options['scale']}"


def _m7(folder):
    labels, _, a = _maize(folder)
    o = _osmfish(folder)
    for ax in (
        cgc.pl.spatial(a, "area"),
        cgc.pl.spatial(a, ["leiden", "n_neighbors"], labels=labels),
        cgc.pl.spatial(o, "Gad2"),
    ):
        _shown(ax)
    return f"area, Gad2, a list, and filled masks; the colour bar says {plt.gcf().axes[-1].get_ylabel()!r}"


def _m8(folder):
    plate = _foxo(folder / "hcs_sbs_foxo")
    wells, frames = cgc.from_plate(plate), cgc.from_movie(_movie(folder))
    said = _warned(lambda: cgc.pl.spatial(wells, "area"))
    assert "36 of 72 samples are drawn" in said
    axes = cgc.pl.spatial(frames, "event", library_id=[10, 30, 50], labels=_movie(folder))
    cgc.gr.delaunay_graph(wells)
    _shown(cgc.pl.graph(wells, library_id=cgc.pl.spatial(wells, "area", library_id=None)[0].get_title()))
    _shown(axes)
    return f"one panel a sample; {[ax.get_title() for ax in axes]}"


def _m9(folder):
    _, image, a = _maize(folder)
    cgc.tl.retrieve_regions(a, [5, 6, 7], min_cells=2)
    assert "the query of 3 cells that was asked" in _refused(lambda: cgc.pl.retrieval(a, [5], image=image))
    _shown(cgc.pl.retrieval(a, image=image))
    return "another query is refused; the query that was asked is drawn black with a white rim"


def _m10(folder):
    labels, image, a = _maize(folder)
    cgc.tl.retrieve_regions(a, a.obs["cell_id"].iloc[200:206].tolist())
    ax = cgc.pl.retrieval(a, image=image, labels=labels)
    height, width = labels.shape
    assert all((line.get_xydata() <= [width / 2, height / 2]).all() for line in ax.lines)
    return f"{len(ax.lines)} outlines of masks, none beyond the image"


def _m11():
    tissue = cgc.datasets.colon_glands()
    a = cgc.from_labels(tissue.nuclei)
    a.obs["cell_type"] = "unassigned"
    for name, ids in {"epithelium": [5, 46, 93, 122, 160], "stroma": [1, 20, 52, 104, 142]}.items():
        a.obs.loc[a.obs["cell_id"].isin(ids), "cell_type"] = name
    cgc.gr.delaunay_graph(a)
    cgc.pp.scale_features(a)
    cgc.tl.embed(a, **STEPS)
    cgc.tl.classify(a, "cell_type")
    regions = cgc.tl.retrieve_regions(a, {"cell_type_pred": "epithelium"}, exclude_query=False)
    return f"the README's way to few labels: {a.obs['cell_type_pred'].value_counts().to_dict()}, {len(regions)} regions"


def _m14(folder):
    image = imread(folder / "image_maize_2d" / "maize_clsm.tif")
    said = _warned(lambda: cgc.from_labels(image))
    assert "looks like an intensity image" in said
    path = str(folder / "image_maize_2d" / "maize_clsm.tif")
    shown = subprocess.run(
        [sys.executable, "-m", "cellgraph_clr", "inspect", path], check=True, capture_output=True, text=True
    )
    assert "looks like an intensity image" in shown.stderr + shown.stdout
    return "warned by from_labels and by `inspect`"


def _m15(folder):
    labels, image, a = _maize(folder)
    _shown(cgc.pl.cell_gallery(a, labels, image, groupby="leiden"))
    axes = cgc.pl.feature_range(a, labels, ["area"], image)
    return f"galleries by default; titles {[ax.get_title() for ax in axes[0]]}"


def _m16(folder, made):
    path = folder / "osmfish_cortex" / "cells.parquet"
    out, picture = made / "o.h5ad", made / "o.png"
    for arguments in (
        ["table", path, "--position", "x_px,y_px", "--unit", "pixel", "-o", out],
        ["plot", out, "--color", "cell_type", "-o", picture],
    ):
        subprocess.run([sys.executable, "-m", "cellgraph_clr", *map(str, arguments)], check=True, capture_output=True)
    return f"{cgc.read(out).n_obs} cells of a table, a picture of {picture.stat().st_size // 1000} kB"


CHECKS = {
    "B1": _b1, "B2": _b2, "B3": _b3, "M1": _m1, "M2": _m2, "M3": _m3, "M4": _m4, "M5": _m5, "M6": _m6, "M7": _m7,
    "M8": _m8, "M9": _m9, "M10": _m10, "M11": _m11, "M14": _m14, "M15": _m15, "M16": _m16,
}  # fmt: skip
