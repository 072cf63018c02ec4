"""Models on disk: one safetensors file with a JSON header and a hash of both; never pickle."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

import torch

from cellgraph_clr._core.checks import expected, listing
from cellgraph_clr._core.errors import ModelFileError, OptionError
from cellgraph_clr._core.files import existing_path, replacing

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

    from torch import Tensor

__all__ = ["check_same_shapes", "load_weights", "save_weights"]

HEADER, DIGEST = "cellgraph_clr", "sha256"  # the one key of the metadata (several are shuffled), and one below it


def save_weights(path: str | os.PathLike[str], tensors: Mapping[str, Tensor], header: Mapping[str, Any]) -> None:
    """Write tensors and a JSON header to `path`, beside first, then renamed.

    Raises `OptionError` for a header that JSON cannot hold, `OutputError` as `replacing`.
    """
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    held = json.loads(json.dumps(header, default=_plain))
    clean = _apart({k: v.detach().cpu().contiguous() for k, v in tensors.items()})
    with replacing(path, model=True) as beside:
        try:
            save_file(clean, str(beside), metadata={HEADER: _text({**held, DIGEST: _digest(clean, held)})})
        except SafetensorError as error:
            raise OSError(str(error)) from error


def load_weights(path: str | os.PathLike[str], kind: str) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Return tensors and header of a model of class `kind`.

    Raises
    ------
    MissingFileError
        If there is no such file.
    ModelFileError
        If it is truncated or damaged, not a model of this package, or a model of another class.
    """
    from safetensors.torch import load

    target = existing_path(path)
    if not target.is_file():
        raise ModelFileError(
            expected(f"a saved {kind} at {str(target)!r}", "no file", "Pass the file it was saved to.")
        )
    try:
        content = target.read_bytes()  # once: another may be put in its place meanwhile
        about = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
        header = json.loads(about.get("__metadata__", {}).get(HEADER, "{}"))
        tensors = load(content)
    except Exception as error:  # whatever a damaged file makes its reader raise
        found, remedy = f"an unreadable file ({error})", "It may be truncated: save again."
        raise ModelFileError(expected(f"a saved model at {str(target)!r}", found, remedy)) from error
    if not isinstance(header, dict) or header.get("kind") != kind:
        found = (
            header.get("kind", "no model of cellgraph_clr") if isinstance(header, dict) else "a header of another kind"
        )
        raise ModelFileError(expected(f"a saved {kind}", found, "Load it with its own class."))
    if header.pop(DIGEST, None) != _digest(tensors, header):
        remedy = "It was changed after it was written: copy or save it again."
        raise ModelFileError(expected(f"the content that was saved at {str(target)!r}", "another one", remedy))
    return tensors, header


def check_same_shapes(found: Mapping[str, Tensor], wanted: Mapping[str, Tensor], *, what: str, remedy: str) -> None:
    """Raise `ModelFileError` unless tensors have the names, shapes and dtypes of others (which may be on the meta device)."""
    differ = sorted(found.keys() ^ wanted.keys())
    differ += [
        f"{k} {tuple(found[k].shape)} for {tuple(v.shape)}"
        for k, v in wanted.items()
        if k in found and (found[k].shape != v.shape or found[k].dtype != v.dtype)
    ]
    if differ:
        raise ModelFileError(expected(f"the weights of {what}", f"those of another network: {listing(differ)}", remedy))


def _plain(value: object) -> object:
    """Return a NumPy number as a Python one, for JSON. Raises `OptionError` for anything else."""
    item = getattr(value, "item", None)
    if item is None:
        remedy = "Numbers, text, and lists and dicts of them can be kept."
        raise OptionError(expected("values that JSON can hold", f"{value!r} ({type(value).__name__})", remedy))
    return item()


def _apart(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return tensors none of which shares memory with another (tied weights, views): safetensors takes no others."""
    seen: set[int] = set()
    out = {}
    for name, tensor in tensors.items():
        where = tensor.untyped_storage().data_ptr()
        out[name] = tensor.clone() if where in seen or tensor.untyped_storage().nbytes() != tensor.nbytes else tensor
        seen.add(where)
    return out


def _text(header: Mapping[str, Any]) -> str:
    return json.dumps(header, sort_keys=True)


def _digest(tensors: Mapping[str, Tensor], header: Mapping[str, Any]) -> str:
    digest = hashlib.sha256(_text(header).encode())
    for name in sorted(tensors):
        value = tensors[name]
        digest.update(f"{name}{value.dtype}{tuple(value.shape)}".encode())
        digest.update(value.contiguous().view(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()
