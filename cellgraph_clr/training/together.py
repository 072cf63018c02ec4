"""Several tasks in one run: folds and the whole, each with networks of its own, a step of all of them at a time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor, nn

    from cellgraph_clr.training.task import Lowered, Schedule, Task

__all__ = ["Together"]


@dataclass(eq=False)
class Together:
    """The sum of the losses of tasks that share no weights: each learns as it would alone, but for what its dropout draws.

    Parameters
    ----------
    tasks : by name, of one schedule; the first is the one that is reported. Network "head" of the task "all" is "all_head".
    """

    tasks: Mapping[str, Task]

    @property
    def _first(self) -> Task:
        return next(iter(self.tasks.values()))

    @property
    def seed(self) -> int:
        """The seed of the first."""
        return self._first.seed

    @property
    def schedule(self) -> Schedule:
        """Steps and rates of the first."""
        return self._first.schedule

    def networks(self) -> dict[str, nn.Module]:
        """Return the networks of all."""
        return {f"{name}_{k}": v for name, task in self.tasks.items() for k, v in task.networks().items()}

    def draw(self, step: int) -> dict[str, Any]:
        """Return the batches of all."""
        return {name: task.draw(step) for name, task in self.tasks.items()}

    def loss(self, networks: Mapping[str, Lowered], batch: dict[str, Any]) -> tuple[Tensor, dict[str, Tensor | float]]:
        """Return the sum of the losses, and the figures of the first."""
        found = [
            task.loss(
                {k.removeprefix(f"{name}_"): v for k, v in networks.items() if k.startswith(f"{name}_")}, batch[name]
            )
            for name, task in self.tasks.items()
        ]
        value, figures = found[0]
        return torch.stack([loss for loss, _ in found]).sum(), {"loss": value, **figures}
