"""Saved models, checkpoints and indices, tampered with: headers, tensors, weights and bytes."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Iterator
from functools import cache, partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from cellgraph_clr import models
from cellgraph_clr.analysis.index import VectorIndex
from cellgraph_clr.training import weights
from cellgraph_clr.training.weights import DIGEST
from tests.robustness import scenes
from tests.robustness.bytes import changed
from tests.robustness.case import Case, Wrong, anything, either, refused, right
from tests.robustness.scenes import cells
from tests.robustness.zarrs import DROP, put

AREA, BYTES = "saved models, checkpoints, indices", "bytes of saved files"
TRIES = 40


def used(model: Any) -> np.ndarray:
    """Return what a loaded model makes of the data that it was made for."""
    if isinstance(model, models.SoftInfoNCEClassifier):
        return model.predict_proba(np.asarray(cells().X))
    if isinstance(model, models.CellGraphClassifier):
        return model.predict_proba(cells())
    if isinstance(model, models.CellGraphCLR):
        return model.transform(cells())
    if isinstance(model, models.TimeArrow):
        return np.asarray(model.transform(scenes.movie()).select_dtypes("number"))
    if isinstance(model, models.EventClassifier):
        return model.predict_proba(scenes.movie())
    if isinstance(model, models.DeepInfoMax):
        return np.asarray(model.transform(scenes.plate()).select_dtypes("number"))
    return np.asarray(model.transform(scenes.shapes_image()).select_dtypes("number"))


MODELS: dict[str, Callable[[], Any]] = {
    "CellGraphCLR": scenes.embedder,
    "SoftInfoNCEClassifier": scenes.classifier,
    "CellGraphClassifier": scenes.graph_classifier,
    "TimeArrow": scenes.arrow,
    "EventClassifier": scenes.spotter,
    "DeepInfoMax": scenes.profiler,
    "MorphoFeatures": scenes.shaper,
}


def resumed(path: Path) -> np.ndarray:
    """Return the embedding of a run that goes on from a checkpoint."""
    config = {"n_dims": 6, "n_hidden": 8, "n_steps": 4, "progress": False}
    return models.CellGraphCLR(**config).fit(cells(), checkpoint=path, checkpoint_every=2).transform(cells())


@cache
def file_of(name: str) -> tuple[dict[str, Any], dict[str, torch.Tensor], bytes]:
    """Return header, tensors and bytes of a saved model or checkpoint."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "m.safetensors"
        if name == "checkpoint":
            _interrupted(path)
        else:
            MODELS[name]().save(path)
        with safe_open(str(path), "pt") as file:
            header = json.loads(file.metadata()["cellgraph_clr"])
            header.pop(DIGEST)  # `write` makes the one that fits
            return header, {k: file.get_tensor(k) for k in file.keys()}, path.read_bytes()  # noqa: SIM118 - no mapping


def _interrupted(path: Path) -> None:
    """Write the checkpoint of a run that was stopped after two of four steps."""
    import lightning

    class Stop(lightning.Callback):
        def on_train_batch_end(self, trainer, module, outputs, batch, batch_idx):
            if batch_idx == 2:
                raise RuntimeError("stop")

    try:
        config = {"n_dims": 6, "n_hidden": 8, "n_steps": 4, "progress": False}
        models.CellGraphCLR(**config).fit(cells(), checkpoint=path, checkpoint_every=2, callbacks=[Stop()])
    except RuntimeError:
        pass


def leaves(value: Any, where: tuple = ()) -> Iterator[tuple]:
    """Yield the place of every value in JSON, inner ones too; of lists the first."""
    if where:
        yield where
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from leaves(inner, (*where, key))
    elif isinstance(value, list) and value:
        yield from leaves(value[0], (*where, 0))


HEADERS = {"a list": [], "a number": 5, "null": None, "text": "x", "empty": {}}
VALUES = {
    "null": None, "text": "x", "a number": 3, "negative": -1, "0": 0, "a half": 0.5, "ten million": 10_000_000, "1e30": 10**30, "NaN": float("nan"),
    "inf": float("inf"), "a list": [], "a list of text": ["x"], "a dict": {}, "true": True, "missing": DROP,
}  # fmt: skip
TENSORS: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "with NaN": lambda t: torch.full_like(t, torch.nan),
    "with one NaN": lambda t: t.flatten().index_fill(0, torch.tensor([0]), torch.nan).reshape(t.shape),
    "with inf": lambda t: torch.full_like(t, torch.inf),
    "of 1e38": lambda t: torch.full_like(t, 1e38) if t.is_floating_point() else t,
    "of zeros": torch.zeros_like,
    "longer": lambda t: torch.cat([t, t]) if t.ndim else t[None],
    "shorter": lambda t: t[:-1] if t.ndim else t,
    "empty": lambda t: t.flatten()[:0],
    "with an axis more": lambda t: t[None],
    "of doubles": lambda t: t.double(),
    "of halves": lambda t: t.half(),
    "of integers": lambda t: t.long(),
    "of bools": lambda t: t.bool(),
    "complex": lambda t: t.float().to(torch.complex64),
}

INDEX = {
    "header": {"a list": "[]", "a number": "5", "no JSON": "{", "no kind": "{}", "another kind": '{"kind": "x", "recall": 1}', "recall of text": '{"kind": "VectorIndex", "recall": "x"}'},
    "ids": {"fewer": lambda a: a[:-1], "more": lambda a: np.append(a, 7), "2-d": lambda a: a[:, None], "floats": lambda a: a * 0.5, "none": lambda a: a[:0], "complex": lambda a: a + 1j},
    "directions": {"fewer": lambda a: a[:-1], "narrower": lambda a: a[:, 1:], "NaN": lambda a: a * np.nan, "inf": lambda a: a + np.inf, "double": lambda a: a.astype(float), "integers": lambda a: a.astype(int), "1-d": lambda a: a.ravel(), "no unit length": lambda a: a * 9, "text": lambda a: a.astype(str), "0-d": lambda a: a[0, 0]},
    "mean": {"shorter": lambda a: a[1:], "NaN": lambda a: a * np.nan, "2-d": lambda a: a[None], "text": lambda a: a.astype(str)},
    "scale": {"shorter": lambda a: a[1:], "NaN": lambda a: a * np.nan, "0": lambda a: a * 0, "negative": lambda a: -a},
    "graph": {"shorter": lambda a: a[:-9], "empty": lambda a: a[:0], "zeros": lambda a: a * 0, "noise": lambda a: np.random.default_rng(0).integers(256, size=len(a)).astype(np.uint8), "2-d": lambda a: a[None], "longer": lambda a: np.append(a, a), "floats": lambda a: a * 1.0},
    "node": {"shorter": lambda a: a[1:], "negative": lambda a: a - 9, "far": lambda a: a + 10**9, "floats": lambda a: a * 0.5, "empty": lambda a: a[:0], "2-d": lambda a: a[None], "all 0": lambda a: a * 0},
}  # fmt: skip


@cache
def vectors() -> np.ndarray:
    """Return vectors to be indexed."""
    return np.random.default_rng(0).normal(size=(200, 8)).astype(np.float32)


@cache
def index_parts(approximate: bool) -> tuple[dict[str, np.ndarray], bytes]:
    """Return the arrays of a saved index, and its bytes."""
    with TemporaryDirectory() as folder:
        VectorIndex.build(vectors(), approximate=approximate).save(Path(folder) / "i.npz")
        return dict(np.load(Path(folder) / "i.npz")), (Path(folder) / "i.npz").read_bytes()


def cases() -> Iterator[Case]:
    """Yield tampered headers, tensors and bytes of everything that is saved."""
    for name in (*MODELS, "checkpoint"):
        yield Case(AREA, f"{name}: as it was saved", partial(_whole, name))
        for text in HEADERS:
            yield Case(AREA, f"{name}: header {text}", partial(_header, name, HEADERS[text]))
        for place in leaves(file_of(name)[0]):
            for value in VALUES:
                yield Case(
                    AREA, f"{name}: header {'.'.join(map(str, place))} {value}", partial(_value, name, place, value)
                )
        yield Case(AREA, f"{name}: tensors left out or added", partial(_named, name))
        for change in TENSORS:
            yield Case(AREA, f"{name}: a tensor {change}", partial(_tensor, name, change), seeded=True)
        for number in range(TRIES):
            yield Case(BYTES, f"{name}: change {number}", partial(_bytes, name, number), seeded=True)
    for kind in (False, True):
        form = "approximate" if kind else "exact"
        for part, changes in INDEX.items():
            for change in (*changes, "missing"):
                yield Case(AREA, f"index, {form}: {part} {change}", partial(_index, kind, part, change))
        for number in range(2 * TRIES):
            yield Case(BYTES, f"index, {form}: change {number}", partial(_index_bytes, kind, number), seeded=True)
    for number in range(2 * TRIES):
        yield Case(BYTES, f"graph of an index: change {number}", partial(_graph_bytes, number), seeded=True)


def read(name: str, path: Path) -> np.ndarray:
    """Return what a saved model or checkpoint gives."""
    return resumed(path) if name == "checkpoint" else used(getattr(models, name).load(path))


def check(found: np.ndarray) -> None:
    """Raise `Wrong` for NaN out of good data."""
    if not np.isfinite(np.asarray(found, float)).all():
        raise Wrong("NaN or infinity in the result")


def write(path: Path, header: Any, tensors: dict[str, torch.Tensor]) -> Path:
    """Write a model as it would be saved, with a hash that fits."""
    if isinstance(header, dict):
        header = {**header, DIGEST: weights._digest(tensors, header)}
    save_file({k: v.clone().contiguous() for k, v in tensors.items()}, str(path), {"cellgraph_clr": json.dumps(header)})
    return path


def _whole(name, folder, seed):
    (folder / "m.safetensors").write_bytes(file_of(name)[2])
    right(lambda: read(name, folder / "m.safetensors"), check)


def _header(name, header, folder, seed):
    path = write(folder / "m.safetensors", header, file_of(name)[1])
    refused(lambda: read(name, path))


def _value(name, place, value, folder, seed):
    header, tensors, _ = file_of(name)
    path = write(folder / "m.safetensors", put(header, place, VALUES[value]), tensors)
    either(lambda: read(name, path), check)


def _named(name, folder, seed):
    header, tensors, _ = file_of(name)
    less, more = dict(list(tensors.items())[1:]), {**tensors, "zz": torch.zeros(2)}
    either(lambda: read(name, write(folder / "a", header, less)), check)
    either(lambda: read(name, write(folder / "b", header, more)), check)


def _tensor(name, change, folder, seed):
    header, tensors, _ = file_of(name)
    key = sorted(tensors)[int(np.random.default_rng([seed, len(change)]).integers(len(tensors)))]
    new = TENSORS[change](tensors[key].float() if "NaN" in change or "inf" in change else tensors[key])
    either(lambda: read(name, write(folder / "m.safetensors", header, {**tensors, key: new})), check)


def _bytes(name, number, folder, seed):
    rng = np.random.default_rng([seed, number, zlib.crc32(name.encode())])
    (folder / "m.safetensors").write_bytes(changed(file_of(name)[2], rng))
    either(lambda: read(name, folder / "m.safetensors"), check)


def search(path: Path, approximate: bool) -> None:
    """Load an index and search it; where its vectors are whole, what it finds is near."""
    index = VectorIndex.load(path)
    ids, similarity = index.query(vectors()[:9], 5)
    if ids.shape != (9, 5) or not np.isfinite(similarity).all() or (np.abs(similarity) > 1 + 1e-4).any():
        raise Wrong(f"ids of shape {ids.shape}, similarities {similarity.ravel()[:4]}")


def _index(approximate, part, change, folder, seed):
    arrays = dict(index_parts(approximate)[0])
    if change == "missing":
        del arrays[part]
    else:
        new = INDEX[part][change]
        arrays[part] = np.array(new) if isinstance(new, str) else new(arrays[part])
    np.savez(folder / "j.npz", **arrays)
    either(lambda: search(folder / "j.npz", approximate), anything)


def _index_bytes(approximate, number, folder, seed):
    (folder / "j.npz").write_bytes(
        changed(index_parts(approximate)[1], np.random.default_rng([seed, number, approximate]))
    )
    either(lambda: search(folder / "j.npz", approximate), anything)


def _graph_bytes(number, folder, seed):
    rng, arrays = np.random.default_rng([seed, number]), dict(index_parts(True)[0])
    graph = arrays["graph"].copy()
    for _ in range(int(rng.integers(1, 4))):
        graph[rng.integers(len(graph))] = rng.integers(256)
    np.savez(folder / "j.npz", **{**arrays, "graph": graph})
    either(lambda: search(folder / "j.npz", True), anything)
