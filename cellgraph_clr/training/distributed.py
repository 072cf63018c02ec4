"""Several processes: shares of a batch, and vectors gathered with their gradient."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, distributed

from cellgraph_clr._core.first_order import first_order

__all__ = ["gathered", "process", "share", "summed"]


def process() -> tuple[int, int]:
    """Return the rank of this process and how many there are; (0, 1) outside a group."""
    if distributed.is_available() and distributed.is_initialized():
        return distributed.get_rank(), distributed.get_world_size()
    return 0, 1


def share(n: int) -> slice:
    """Return the part of n rows that is this process's: consecutive, of sizes that differ by one at the most."""
    rank, world = process()
    return slice(n * rank // world, n * (rank + 1) // world)


class _Gather(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, own: Tensor, n: int) -> Tensor:
        _, world = process()
        longest = -(-n // world)
        padded = own.new_zeros(longest, own.shape[1])
        padded[: len(own)] = own
        parts = [torch.empty_like(padded) for _ in range(world)]
        distributed.all_gather(parts, padded)
        sizes = [n * (r + 1) // world - n * r // world for r in range(world)]
        ctx.n = n
        ctx.save_for_backward(own)
        return torch.cat([part[:size] for part, size in zip(parts, sizes, strict=True)])

    @staticmethod
    def backward(ctx: Any, *upstream: Tensor) -> tuple[Tensor, None]:
        (own,) = ctx.saved_tensors
        total = upstream[0].detach().contiguous().clone()
        distributed.all_reduce(total)
        return first_order(total[share(ctx.n)], own, upstream[0]), None


def gathered(own: Tensor, n: int) -> Tensor:
    """Return the rows of all processes (n, d), `own` being those of `share(n)`.

    The gradient of every process reaches the rows it depends on: those of a process are the sum over all of them; a second
    derivative raises `RuntimeError`. Alone, the rows come back as they are.
    """
    return own if process()[1] == 1 else _Gather.apply(own, n)


def summed(value: Tensor) -> Tensor:
    """Return the sum of a scalar () over all processes, which hold it on their own devices; no gradient reaches it."""
    total = value.detach().clone()
    if process()[1] > 1:
        distributed.all_reduce(total)
    return total
