"""Models on disk: one safetensors file with a JSON header; never pickle."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from cellgraph_clr._core.checks import expected
from cellgraph_clr._core.errors import ModelFileError
from cellgraph_clr._core.files import existing_path, replacing

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

    from torch import Tensor

__all__ = ["load_weights", "save_weights"]


def _plain(value: object) -> object:
    """Return a NumPy number as a Python one, for JSON; anything else is a mistake of ours."""
    item = getattr(value, "item", None)
    if item is None:
        raise TypeError(f"cannot be written as JSON: {value!r}")
    return item()


def save_weights(path: str | os.PathLike[str], tensors: Mapping[str, Tensor], header: Mapping[str, Any]) -> None:
    """Write tensors and a JSON header to `path`, beside first, then renamed. Raises `OutputError` as `replacing`."""
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    with replacing(path) as beside:
        clean = {k: v.detach().cpu().contiguous() for k, v in tensors.items()}
        about = {"cellgraph_clr": json.dumps(header, sort_keys=True, default=_plain)}
        try:
            save_file(clean, str(beside), metadata=about)
        except SafetensorError as error:
            raise OSError(str(error)) from error


def load_weights(path: str | os.PathLike[str], kind: str) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Return tensors and header of a model of class `kind`.

    Raises
    ------
    MissingFileError
        If there is no such file.
    ModelFileError
        If it is truncated, not a model of this package, or a model of another class.
    """
    from safetensors import SafetensorError, safe_open

    target = existing_path(path)
    try:
        with safe_open(str(target), framework="pt") as file:
            header = json.loads((file.metadata() or {}).get("cellgraph_clr", "{}"))
            tensors = {k: file.get_tensor(k) for k in file.keys()}  # noqa: SIM118 - not a mapping
    except (SafetensorError, OSError, ValueError) as error:
        raise ModelFileError(
            expected(
                f"a saved model at {str(target)!r}", f"an unreadable file ({error})", "It may be truncated: save again."
            )
        ) from error
    if header.get("kind") != kind:
        raise ModelFileError(
            expected(f"a saved {kind}", header.get("kind", "no model of cellgraph_clr"), "Load it with its own class.")
        )
    return tensors, header
