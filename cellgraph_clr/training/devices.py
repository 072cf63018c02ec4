"""Which device a run takes."""

from __future__ import annotations

import torch

from cellgraph_clr._core.checks import expected
from cellgraph_clr._core.errors import OptionError

__all__ = ["usable_device"]


def usable_device(name: str) -> str:
    """Return the device of a name: "auto" is a GPU where there is one. Raises `OptionError` for one that cannot be used."""
    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        torch.empty(0, device=name)
    except (RuntimeError, AssertionError) as error:
        raise OptionError(expected("a usable `device`", f"{name!r} ({error})", "Pass 'auto' or 'cpu'.")) from error
    return name
