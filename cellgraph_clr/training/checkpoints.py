"""Checkpoints of a run on disk: tensors as safetensors, the rest as JSON; never pickle, never half-written."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
from lightning.pytorch.plugins.io import CheckpointIO
from torch import Tensor

from cellgraph_clr.training.weights import load_weights, save_weights

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["SafeCheckpoints"]

KIND = "training checkpoint"


def _packed(value: Any, tensors: dict[str, Tensor]) -> Any:
    """Return a value as JSON, its tensors put aside under numbers; dicts with other keys than text and tuples are tagged."""
    if isinstance(value, Tensor):
        name = str(len(tensors))
        tensors[name] = value
        return {"__tensor__": name}
    if isinstance(value, dict):
        if all(isinstance(k, str) for k in value):
            return {k: _packed(v, tensors) for k, v in value.items()}
        return {"__items__": [[k, _packed(v, tensors)] for k, v in value.items()]}
    if isinstance(value, tuple):
        return {"__tuple__": [_packed(v, tensors) for v in value]}
    if isinstance(value, list):
        return [_packed(v, tensors) for v in value]
    return value.item() if isinstance(value, np.generic) else value


def _unpacked(value: Any, tensors: dict[str, Tensor]) -> Any:
    if isinstance(value, list):
        return [_unpacked(v, tensors) for v in value]
    if not isinstance(value, dict):
        return value
    if "__tensor__" in value:
        return tensors[value["__tensor__"]]
    if "__items__" in value:
        return {k: _unpacked(v, tensors) for k, v in value["__items__"]}
    if "__tuple__" in value:
        return tuple(_unpacked(v, tensors) for v in value["__tuple__"])
    return {k: _unpacked(v, tensors) for k, v in value.items()}


class SafeCheckpoints(CheckpointIO):
    """Lightning's checkpoints through safetensors and JSON; a file is written beside and renamed."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any | None = None) -> None:
        """Write a checkpoint; there are no storage options."""
        del storage_options
        tensors: dict[str, Tensor] = {}
        packed = _packed(checkpoint, tensors)
        # tensors may share storage or be views: each is written by itself
        save_weights(path, {k: v.clone() for k, v in tensors.items()}, {"kind": KIND, "checkpoint": json.dumps(packed)})

    def load_checkpoint(self, path: Any, *_: Any, **__: Any) -> dict[str, Any]:
        """Return a checkpoint. Raises `MissingFileError` and `ModelFileError`, for a truncated file too."""
        tensors, header = load_weights(path, KIND)
        out: dict[str, Any] = _unpacked(json.loads(header["checkpoint"]), tensors)
        return out

    def remove_checkpoint(self, path: str | Path) -> None:
        """Leave files alone: nothing of the user's is removed."""
