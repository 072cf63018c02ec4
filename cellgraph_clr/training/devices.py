"""Devices and their generators: which one a run takes, seeds that are given back, one thread for what is drawn or small."""

from __future__ import annotations

from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING

import torch

from cellgraph_clr._core.checks import expected
from cellgraph_clr._core.errors import OptionError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

__all__ = ["one_thread", "reseed", "seeded", "threads_for", "usable_device"]

ALONE = 1500  # cells of a graph below which waking a second thread costs more than it does (measured with two cores)
KINDS = ("cpu", "cuda", "mps")


def usable_device(name: str | torch.device) -> str:
    """Return the device of a name: "auto" is a GPU where there is one. Raises `OptionError` for one that cannot be used."""
    if isinstance(name, str) and name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if not isinstance(name, (str, torch.device)) or str(name).partition(":")[0] not in KINDS:
        remedy = "Pass 'auto' or 'cpu'."
        raise OptionError(expected("a usable `device`", f"{name!r} (none of {', '.join(KINDS)})", remedy))
    name = str(name)
    try:
        torch.empty(0, device=name)
    except (RuntimeError, AssertionError, TypeError) as error:
        raise OptionError(expected("a usable `device`", f"{name!r} ({error})", "Pass 'auto' or 'cpu'.")) from error
    return "cpu" if name.startswith("cpu") else name


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Seed torch's global generators, on all devices, and give them back as they were."""
    with torch.random.fork_rng(devices=range(torch.cuda.device_count())):
        torch.manual_seed(seed)
        yield


def reseed(seed: int, device: torch.device) -> None:
    """Seed the global generators that networks on a device draw from; unlike `torch.manual_seed` it costs next to nothing."""
    torch.default_generator.manual_seed(seed)
    if device.type == "cuda":
        torch.cuda.manual_seed(seed)


@contextmanager
def one_thread() -> Iterator[None]:
    """Let torch use one thread, as it does in workers."""
    before = torch.get_num_threads()
    if before == 1:
        yield
        return
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def threads_for(n_cells: int) -> AbstractContextManager[None]:
    """Let torch use one thread on a graph of few cells, where threads cost more than they do; on others as many as it has."""
    return one_thread() if n_cells < ALONE else nullcontext()
