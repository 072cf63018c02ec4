"""Checkpoints of a run on disk: tensors as safetensors, the rest as JSON; never pickle, never half-written."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from lightning.pytorch.plugins.io import CheckpointIO
from torch import Tensor

from cellgraph_clr._core.checks import expected, listing
from cellgraph_clr._core.errors import ModelFileError, OptionError
from cellgraph_clr.training.saved import DAMAGED
from cellgraph_clr.training.weights import load_weights, save_weights

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["SafeCheckpoints", "check_run"]

KIND = "training checkpoint"
FIELDS = {
    "run": dict,
    "state_dict": dict,
    "optimizer_states": list,
    "lr_schedulers": list,
    "loops": dict,
    "global_step": int,
}
RUN = {"history", "fingerprint"}


def check_run(saved: Mapping[str, Any]) -> None:
    """Raise `ModelFileError` for a checkpoint without what a run goes on from."""
    odd = [name for name, kind in FIELDS.items() if not isinstance(saved.get(name), kind)]
    if odd or not saved["run"].keys() >= RUN:
        raise ModelFileError(expected("a whole checkpoint", f"none or another {listing(odd or ['run'])}", DAMAGED))


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


def _is_json(value: Any) -> bool:
    try:
        json.dumps(value)
    except (TypeError, ValueError):
        return False
    return True


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
        """Write a checkpoint; there are no storage options. Folders are made, as Lightning does for its callbacks."""
        del storage_options
        tensors: dict[str, Tensor] = {}
        packed = _packed(checkpoint, tensors)
        try:
            text = json.dumps(packed)
        except (TypeError, ValueError) as error:
            held = [name for name, state in packed.get("callbacks", {}).items() if not _is_json(state)]
            remedy = "Let `state_dict` of the callback give numbers, text, tensors, and lists and dicts of them."
            found = f"{listing(held)} ({error})" if held else f"others ({error})"
            raise OptionError(expected("states that a checkpoint can hold", found, remedy)) from error
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        save_weights(path, tensors, {"kind": KIND, "checkpoint": text})

    def load_checkpoint(self, path: Any, *_: Any, **__: Any) -> dict[str, Any]:
        """Return a checkpoint. Raises `MissingFileError` and `ModelFileError`, for a truncated file too."""
        tensors, header = load_weights(path, KIND)
        try:
            out = _unpacked(json.loads(header["checkpoint"]), tensors)
        except (KeyError, TypeError, ValueError, RecursionError) as error:
            raise ModelFileError(
                expected("a whole checkpoint", f"one that cannot be read ({error!r})", DAMAGED)
            ) from error
        if not isinstance(out, dict):
            raise ModelFileError(expected("a whole checkpoint", f"a {type(out).__name__}", DAMAGED))
        return out

    def remove_checkpoint(self, path: str | Path) -> None:
        """Leave files alone: nothing of the user's is removed."""
