"""MorphoFeatures: planted shapes and textures, pose, surfaces against marching cubes, training speed."""

import tempfile
from functools import partial

import numpy as np
import torch
import zarr
from scipy.ndimage import affine_transform
from skimage.measure import marching_cubes

from benchmarks.rows import Row, Rows
from benchmarks.timing import paired
from cellgraph_clr import from_labels, pp
from cellgraph_clr.analysis.retrieval import standardised_directions
from cellgraph_clr.cells.crops import crops
from cellgraph_clr.cells.label_image import LabelImage
from cellgraph_clr.cells.patches import extract_patches
from cellgraph_clr.cells.scan import scan_labels
from cellgraph_clr.cells.surfaces import sample_surface
from cellgraph_clr.datasets.shaped_cells import SIDE, shapes
from cellgraph_clr.datasets.synth import Tissue
from cellgraph_clr.metrics import probe_accuracy
from cellgraph_clr.models import MorphoFeatures

N_POINTS = 128


def run(*, size: str, data: str | None) -> list[Row]:  # noqa: ARG001
    """Return accuracies of linear probes, how far a turn moves codes, and ratios of time."""
    small = size == "small"
    tissue = shapes(30 if small else 900)
    rows = Rows("morpho")
    _surfaces(rows, tissue)
    _crops(rows, tissue, 40 if small else 300)
    _planted(rows, tissue, n_steps=3 if small else 300, **({"batch_size": 4, "n_points": 64} if small else {}))
    if not small:
        _cores(rows, shapes(120))
    return rows


def _cores(rows: Rows, tissue: Tissue) -> None:
    """Add how many cells are learned a second by one core, by all, and by all beside a process that draws batches ahead."""
    every, n_steps = torch.get_num_threads(), 10

    def fitted(n_threads: int, num_workers: int) -> None:
        torch.set_num_threads(n_threads)
        MorphoFeatures(n_steps=n_steps, num_workers=num_workers, progress=False).fit(tissue.image)

    ahead = "two cores, batches drawn ahead (`num_workers=1`)"
    ways = {"one core": (1, 0), "two cores": (every, 0), ahead: (every, 1)}
    medians = paired({name: partial(fitted, *how) for name, how in ways.items()}, rounds=1)
    torch.set_num_threads(every)
    config = MorphoFeatures(n_steps=n_steps).config
    for name, seconds in medians.items():
        rows.add("cost", name, "cells a second", n_steps * config.batch_size * len(config.kinds) / seconds, digits=0)


def _planted(rows: Rows, tissue: Tissue, *, n_steps: int, **learned: int) -> None:
    adata = from_labels(tissue.image, features=("shape", "intensity"))
    pp.scale_features(adata, impute="median")
    truth = tissue.truth.loc[adata.obs["cell_id"]]
    vectors = {"measured shape and intensity": np.asarray(adata.X)}
    model = MorphoFeatures(n_steps=n_steps, progress=False, **learned)
    features = model.fit(tissue.image).transform(tissue.image)
    groups = [*model.groups_, ("cell_coarse", "cell_fine")]
    for group in groups:
        names = (group,) if isinstance(group, str) else group
        vectors[" + ".join(names)] = np.concatenate([features.filter(like=g).to_numpy() for g in names], axis=1)
    first = MorphoFeatures(n_steps=1, progress=False, **learned).fit(tissue.image).transform(tissue.image)
    for group in model.groups_:
        vectors[f"{group}, after one step"] = first.filter(like=group).to_numpy()
    for name, found in vectors.items():
        for kind, chance in (("shape", 1 / 6), ("texture", 1 / 4)):
            score = probe_accuracy(found, truth[kind].to_numpy(), n_repeats=2)
            protocol = f"{adata.n_obs} cells, linear probe, 2 x 5 folds"
            rows.add("probe", name, kind, score.mean(), spread=score.std(), n=10, chance=chance, protocol=protocol)
            like = _nearest_alike(found, truth[kind].to_numpy())
            rows.add(
                "probe",
                name,
                f"{kind} of the nearest cell",
                like,
                chance=chance,
                protocol=f"{adata.n_obs} cells, cosine",
            )
    codes = features.filter(like="cell_shape").to_numpy()
    turned = model.transform(LabelImage(_turned(tissue.image.labels), tissue.image.spacing), image=tissue.image.image)
    moved = np.linalg.norm(turned.loc[features.index].filter(like="cell_shape").to_numpy() - codes, axis=1)
    rng = np.random.default_rng(0)
    one, other = rng.integers(len(codes), size=(2, 20_000))
    between = np.median(np.linalg.norm(codes[one] - codes[other], axis=1))
    rows.add("stability", "a shape code when the cell is turned", "moves", np.median(moved) / between)


def _nearest_alike(vectors: np.ndarray, kind: np.ndarray) -> float:
    """Return the share of cells whose nearest other cell is of their kind."""
    directions = standardised_directions(vectors)
    alike = directions @ directions.T
    np.fill_diagonal(alike, -np.inf)
    return float((kind[alike.argmax(axis=1)] == kind).mean())


def _turned(labels: np.ndarray) -> np.ndarray:
    """Return labels whose boxes are turned by a random rotation each, nearest voxel."""
    rng = np.random.default_rng(0)
    out = np.zeros_like(labels)
    middle = (SIDE - 1) / 2
    for corner in np.argwhere(np.ones([n // SIDE for n in labels.shape])):
        box = tuple(slice(SIDE * a, SIDE * (a + 1)) for a in corner)
        q, r = np.linalg.qr(rng.normal(size=(labels.ndim, labels.ndim)))
        turn = q * np.sign(np.diag(r))
        offset = middle - turn @ np.full(labels.ndim, middle)
        out[box] = affine_transform(labels[box], turn, offset, order=0)
    return out


def _crops(rows: Rows, tissue: Tissue, n: int) -> None:
    """Add the time of crops and patches from Zarr, and of reading the chunks that their boxes touch."""
    image = tissue.image
    with tempfile.TemporaryDirectory() as folder:
        chunks = (2 * SIDE,) * image.ndim
        labels = zarr.create_array(f"{folder}/l", shape=image.labels.shape, chunks=chunks, dtype=image.labels.dtype)
        pixels = zarr.create_array(f"{folder}/i", shape=image.image.shape, chunks=(1, *chunks), dtype="float32")
        labels[:], pixels[:] = image.labels, image.image
        stored = LabelImage(labels, image.spacing, image.unit, pixels, image.channels)
        s = scan_labels(image, surface=False)
        some = np.arange(min(n, len(s.cell_id)))

        def touched() -> None:
            for box in s.box[some]:
                low, high = box[:, 0] // chunks[0] * chunks[0], (box[:, 1] // chunks[0] + 1) * chunks[0]
                where = tuple(slice(int(a), int(b)) for a, b in zip(low, high, strict=True))
                labels[where], pixels[(slice(None), *where)]

        calls = {
            "whole crops of 24^3": lambda: extract_patches(stored, s, size=24, rows=some),
            "16 patches of 8^3 a cell": lambda: extract_patches(
                stored, s, size=8, place="inside", n_patches=16, rows=some
            ),
            "reading the chunks touched": touched,
        }
        name = f"Zarr in chunks of {chunks[0]}, labels and image"
        rows.times(name, paired(calls, rounds=3), ours="reading the chunks touched")


def _surfaces(rows: Rows, tissue: Tissue) -> None:
    """Add the time a cell of points with normals, and of the mesh of its crop."""
    image = tissue.image
    masks = [crop.mask for _, crop in zip(range(200), crops(image, scan_labels(image)), strict=False)]
    spacing = image.spacing

    def ours() -> None:
        for mask in masks:
            sample_surface(mask, spacing, N_POINTS)

    def mesh() -> None:
        for mask in masks:
            marching_cubes(np.pad(mask, 1).astype(np.float32), 0.5, spacing=spacing)

    medians = paired({"points with normals": ours, "marching cubes": mesh}, rounds=3)
    rows.times("surfaces", medians, ours="points with normals")
