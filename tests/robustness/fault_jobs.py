"""What `faults` disturbs: every command that writes, every `fit`, `save` and `write`, on data of a hundred cells."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tifffile

import cellgraph_clr as cgc
from cellgraph_clr import cli, models
from cellgraph_clr.analysis.index import VectorIndex
from cellgraph_clr.cli import demo_colon, demo_planted
from cellgraph_clr.datasets.events import event_movie
from cellgraph_clr.datasets.plates import phenotype_plate
from cellgraph_clr.datasets.shaped_cells import shapes
from cellgraph_clr.models.time_arrow import events as event_module
from cellgraph_clr.tl import contexts
from cellgraph_clr.training.checkpoints import KIND
from cellgraph_clr.training.weights import load_weights

STEPS = {"n_steps": 6, "progress": False, "device": "cpu"}
ARROW = {"n_hidden": 4, "n_features": 5, "n_levels": 1, "crop_px": 16, "batch_size": 4} | STEPS
FIELDS = {"n_fields": 2, "n_features": 6, "n_hidden": 4, "window_px": 32, "batch_size": 8} | STEPS
CODES = {"n_points": 32, "n_features": 6, "n_hidden": 4, "batch_size": 8, "coarse_size": 8, "fine_size": 8} | STEPS
PATTERN = r"(?P<sample>sample_\d+)_(?P<field>\d)_(?P<channel>\w+)\.tif"


@dataclass(frozen=True)
class Job:
    """Something that writes.

    `run(folder, variant)` writes `outputs` into a folder, other ones for another variant. A checkpoint is read when it exists;
    `slow` ones are run less often.
    """

    name: str
    outputs: tuple[str, ...]
    run: Callable[[Path, int], object]
    command: bool = False
    checkpoint: str = ""
    slow: bool = False


def digest(path: Path) -> str:
    """Return a hash of what a reader finds in an output; "" for nothing. Raises where it cannot be read."""
    if not path.exists():
        return ""
    parts: list[bytes] = []
    if path.suffix in (".h5ad", ".zarr"):
        adata = cgc.read(path)
        found = {"X": adata.X, **adata.obsm, **{k: v.toarray() for k, v in adata.obsp.items()}}
        parts += [k.encode() + np.ascontiguousarray(v).tobytes() for k, v in sorted(found.items()) if v is not None]
        parts.append(adata.obs.astype(str).to_csv().encode())
    elif path.suffix == ".npz":
        parts.append(np.ascontiguousarray(VectorIndex.load(path).query(np.ones((1, 4)), 5)[0].astype(str)).tobytes())
    elif path.suffix == ".ckpt":
        load_weights(path, KIND)
    else:
        if path.suffix == ".safetensors":
            load_weights(path, _kind(path))
        parts.append(path.read_bytes())
    return hashlib.sha256(b"".join(parts)).hexdigest()


def _kind(path: Path) -> str:
    import json

    from safetensors import safe_open

    with safe_open(str(path), framework="pt") as file:
        return str(json.loads(file.metadata()["cellgraph_clr"])["kind"])


def _command(*words: object) -> None:
    sys.argv = ["cellgraph-clr", *map(str, words)]
    cli.main()


def make_inputs(folder: Path) -> None:
    """Write what the commands read."""
    tissue = cgc.datasets.tissue(100, ndim=2, random_state=0)
    tifffile.imwrite(folder / "cells.tif", np.asarray(tissue.image.labels))
    adata = tissue.adata()
    cgc.gr.contact_graph(adata)
    cgc.pp.scale_features(adata)
    adata.obs["kind"] = adata.obs["true_niche"].astype(str).astype("category")
    adata.obsm["X_cellgraph"] = np.asarray(adata.X[:, :4], np.float32)
    cgc.write(adata, folder / "a.h5ad")
    table = adata.obs[["cell_id"]].assign(x=adata.obsm["spatial"][:, 0], y=adata.obsm["spatial"][:, 1])
    table.assign(f=adata.X[:, 0]).to_csv(folder / "cells.csv", index=False)
    movie = event_movie(12, 8, side=80, random_state=0)
    np.save(folder / "raw.npy", np.stack([movie.frame(t)[0] for t in range(8)]))
    np.save(folder / "masks.npy", np.asarray(movie.labels))
    movie.tracks.to_csv(folder / "man_track.txt", sep=" ", header=False, index=False)
    plate = phenotype_plate(2, 2, side=64, random_state=0)
    (folder / "plate").mkdir()
    for i, row in plate.table.iterrows():
        for name, pixels in zip(plate.channels, plate.read(i), strict=True):
            name = f"{row['sample']}_{row['field']}_{name}.tif"
            tifffile.imwrite(folder / "plate" / name, pixels.astype(np.uint16))


def commands(given: Path) -> list[Job]:
    """Return the commands that write."""
    a, tif = given / "a.h5ad", given / "cells.tif"
    scale = ("--spacing", "1,1", "--unit", "um")

    def measure(suffix: str) -> Job:
        def run(f: Path, v: int) -> None:
            _command("measure", tif, *scale, "--library-id", v, "-o", f / f"m{suffix}")

        return Job(f"measure {suffix}", (f"m{suffix}",), run, command=True)

    def graph(f: Path, v: int) -> None:
        _command("graph", a, "--method", "knn", "--n-neighbors", 3 + v, "-o", f / "g.h5ad")

    def embed(f: Path, v: int) -> None:
        files = ("-o", f / "e.h5ad", "--save-model", f / "e.safetensors", "--checkpoint", f / "e.ckpt")
        _command("embed", a, "--n-steps", 6, "--seed", v, *files)

    def classify(f: Path, v: int) -> None:
        _command("classify", a, "kind", "--method", "trees", "--seed", v, "-o", f / "c.h5ad")

    def retrieve(f: Path, v: int) -> None:
        _command("retrieve", a, "5,7", "--k", 3 + v, "--table", f / "r.csv", "-o", f / "r.h5ad")

    def cluster(f: Path, v: int) -> None:
        _command("cluster", a, "--method", "gmm", "--n-clusters", 2 + v, "-o", f / "k.h5ad")

    def table(f: Path, v: int) -> None:
        unit = ("um", "nm")[v % 2]
        _command("table", given / "cells.csv", "--position", "x,y", "--unit", unit, "-o", f / "t.zarr")

    def plot(f: Path, v: int) -> None:
        _command("plot", a, "--color", ("kind", "true_type")[v % 2], "-o", f / "p.png")

    def events(f: Path, v: int) -> None:
        read = (given / "raw.npy", "--labels", given / "masks.npy", "--tracks", given / "man_track.txt")
        files = ("--table", f / "v.csv", "-o", f / "v.h5ad", "--save-model", f / "v.safetensors")
        _command("events", *read, "--n-steps", 2, "--seed", v, "--min-confidence", 0.0, *files)

    def profile(f: Path, v: int) -> None:
        files = ("-o", f / "w.h5ad", "--save-model", f / "w.safetensors")
        _command("profile", given / "plate", PATTERN, "--window-px", 32, "--n-steps", 2, "--seed", v, *files)

    def demo(f: Path, v: int) -> None:
        demo_colon.COLON["n_steps"] = demo_planted.LOCAL["n_steps"] = contexts.CODES["n_steps"] = 1
        whole = demo_planted.planted_cells
        demo_planted.planted_cells = lambda n, **options: whole(400, **options)
        _command("demo", "-o", f / "demo", "--seed", v)

    shown = ("demo/colon_graph.png", "demo/planted.h5ad", "demo/demo.h5ad")
    found = [
        Job("graph", ("g.h5ad",), graph),
        Job("embed", ("e.h5ad", "e.safetensors"), embed, checkpoint="e.ckpt"),
        Job("classify", ("c.h5ad",), classify, slow=True),
        Job("retrieve", ("r.csv", "r.h5ad"), retrieve),
        Job("cluster", ("k.h5ad",), cluster),
        Job("table", ("t.zarr",), table),
        Job("plot", ("p.png",), plot),
        Job("events", ("v.csv", "v.h5ad", "v.safetensors"), events),
        Job("profile", ("w.h5ad", "w.safetensors"), profile),
        Job("demo", shown, demo, slow=True),
    ]
    every = [Job(j.name, j.outputs, j.run, True, j.checkpoint, j.slow) for j in found]
    return [measure(".h5ad"), measure(".zarr"), *every]


def fits(given: Path) -> list[Job]:
    """Return every learner: fitted with a checkpoint, then saved."""
    event_module.LEAST_CALIBRATED = 1
    adata = cgc.read(given / "a.h5ad")
    image = shapes(12, ndim=2, random_state=0).image
    movie = event_movie(12, 8, side=80, random_state=0)
    plate = phenotype_plate(2, 2, side=64, random_state=0)
    untrained = models.TimeArrow(**ARROW).untrained(movie)
    base = models.CellGraphCLR(n_dims=8, n_hidden=16, **STEPS).fit(adata)
    x, y = np.asarray(adata.X), adata.obs["kind"].astype(str).to_numpy()
    short = {"n_steps": 3, "device": "cpu"}
    made = {
        "CellGraphCLR": (lambda v: models.CellGraphCLR(n_dims=8, n_hidden=16, random_state=v, **STEPS), (adata,)),
        "MorphoFeatures": (lambda v: models.MorphoFeatures(random_state=v, **CODES), (image,)),
        "TimeArrow": (lambda v: models.TimeArrow(random_state=v, **ARROW), (movie,)),
        "DeepInfoMax": (lambda v: models.DeepInfoMax(random_state=v, **FIELDS), (plate,)),
        "EventClassifier": (lambda v: models.EventClassifier(untrained, crop_px=8, random_state=v, **STEPS), (movie,)),
        "SoftInfoNCEClassifier": (lambda v: models.SoftInfoNCEClassifier(random_state=v, **short), (x, y)),
        "CellGraphClassifier": (lambda v: models.CellGraphClassifier(base, random_state=v, **short), (adata, "kind")),
    }
    return [_fit(name, *how) for name, how in made.items()]


def _fit(name: str, make: Callable[[int], object], data: tuple[object, ...]) -> Job:
    def run(f: Path, v: int) -> None:
        make(v).fit(*data, checkpoint=f / "run.ckpt", checkpoint_every=2).save(f / "m.safetensors")

    return Job(f"fit {name}", ("m.safetensors",), run, checkpoint="run.ckpt")


def saves(given: Path) -> list[Job]:
    """Return what is written without work before it."""
    pair = [cgc.read(given / "a.h5ad") for _ in range(3)]
    for v, one in enumerate(pair):
        one.obs["variant"] = np.full(one.n_obs, v)
    fitted = [
        models.CellGraphCLR(n_dims=8, n_hidden=16, random_state=v, **(STEPS | {"n_steps": 1})).fit(pair[0])
        for v in range(3)
    ]
    vectors = [np.random.default_rng(v).normal(size=(300, 4)).astype(np.float32) for v in range(3)]
    index = [VectorIndex.build(v) for v in vectors]
    wide = [a.copy() for a in pair]
    for one in wide:
        one.obsm["X_wide"] = np.random.default_rng(0).normal(size=(one.n_obs, 2000))
    return [
        Job("write .h5ad", ("a.h5ad",), lambda f, v: cgc.write(wide[v], f / "a.h5ad")),
        Job("write .zarr", ("a.zarr",), lambda f, v: cgc.write(wide[v], f / "a.zarr")),
        Job("save model", ("m.safetensors",), lambda f, v: fitted[v].save(f / "m.safetensors")),
        Job("save index", ("i.npz",), lambda f, v: index[v].save(f / "i.npz")),
        Job("write_mobie_table", ("t.tsv",), lambda f, v: cgc.io.write_mobie_table(pair[v], f / "t.tsv")),
        Job("pl.spatial", ("p.png",), lambda f, v: _draw(pair[0], ("kind", "true_type", None)[v], f / "p.png")),
    ]


def _draw(adata: object, color: str | None, path: Path) -> None:
    import matplotlib.pyplot as plt

    cgc.pl.spatial(adata, color, save=path, show=False)
    plt.close("all")
