"""`Task`: what a system has to say about its training; everything else is the engine's."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from cellgraph_clr._core.checks import check_in_range, check_option, check_whole

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Lowered", "Schedule", "Task", "generators", "lowered"]

SHAPES = ("one_cycle", "cosine")


@dataclass(frozen=True, slots=True)
class Schedule:
    """How a task is optimised, by AdamW.

    Parameters
    ----------
    n_steps : int
        Optimisation steps.
    learning_rate : float
        The highest.
    weight_decay : float
        Of AdamW.
    shape : str, default "one_cycle"
        Of the learning rate over time, "one_cycle" (up, then down) or "cosine" (down).
    patience : int or None, default None
        Stop when the mean loss over so many steps is no lower than it was before; None never does.
    rates : mapping of str to float
        Network -> share of `learning_rate`, where it is not 1.

    Raises
    ------
    OptionError
        For numbers outside their range, or another shape.
    """

    n_steps: int
    learning_rate: float
    weight_decay: float
    shape: str = "one_cycle"
    patience: int | None = None
    rates: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Check the numbers, and take NumPy's as Python's, which torch asks for."""
        check_option("shape", self.shape, SHAPES)
        for name in ("n_steps", "patience"):
            if getattr(self, name) is not None:
                check_whole(name, getattr(self, name))
                object.__setattr__(self, name, int(getattr(self, name)))
        check_in_range("learning_rate", self.learning_rate, low=0, low_open=True)
        check_in_range("weight_decay", self.weight_decay, low=0)
        for name in ("learning_rate", "weight_decay"):
            object.__setattr__(self, name, float(getattr(self, name)))
        for name, rate in self.rates.items():
            check_in_range(f"rates[{name!r}]", rate, low=0)


class Task(Protocol):
    """One system's training, told in three methods.

    A task may be pickled when there are several processes or workers: it holds data and options. Weights, what is drawn and the
    numbers of networks (dropout) depend on `seed` and the number of the step alone: a run that was killed, or one with other
    `num_workers`, gives the same result.
    """

    @property
    def seed(self) -> int:
        """Return the seed of everything random."""

    @property
    def schedule(self) -> Schedule:
        """Return steps and rates."""

    def networks(self) -> Mapping[str, nn.Module]:
        """Return the networks to be trained, in the mode they are trained in (`train()`, or `eval()` to keep statistics).

        First weights are drawn from torch's global generator, which is seeded.
        """

    def draw(self, step: int) -> Any:
        """Return the batch of a step, as a function of `seed` and `step` alone (see `generators`), on the CPU.

        Called in worker processes. Tensors in tuples, named tuples, lists and dicts are brought to the device; other objects stay
        as they are.
        """

    def loss(self, networks: Mapping[str, Lowered], batch: Any) -> tuple[Tensor, Mapping[str, Tensor | float]]:
        """Return the loss () to be lowered, and figures to record, one number each ("loss" is that itself where not given).

        `networks` run in the precision of the run and return float32; losses and views are in float32.
        """


def generators(*entropy: int) -> tuple[np.random.Generator, torch.Generator]:
    """Return a NumPy and a torch generator for a seed and a step: ``generators(self.seed, step)``."""
    rng = np.random.default_rng(entropy)
    return rng, torch.Generator().manual_seed(int(rng.integers(2**62)))


def lowered(function: Callable[..., Tensor], device: str, *, bf16: bool) -> Callable[..., Tensor]:
    """Return a function of tensors whose products are in bfloat16, where asked, and whose output is float32."""

    def call(*inputs: Any, **options: Any) -> Tensor:
        with torch.autocast(device, torch.bfloat16) if bf16 else nullcontext():
            out = function(*inputs, **options)
        return out.float()

    return call


class Lowered:
    """A network in the precision of the run: calling it, or a method of it, multiplies in that precision and returns float32.

    Attributes
    ----------
    module : torch.nn.Module
        The network itself, in float32.
    """

    def __init__(self, module: nn.Module, device: str, *, bf16: bool) -> None:
        self.module, self._device, self._bf16 = module, device, bf16

    def __call__(self, *inputs: Any, **options: Any) -> Tensor:
        """Return the output of the network, float32."""
        return lowered(self.module, self._device, bf16=self._bf16)(*inputs, **options)

    def __getattr__(self, name: str) -> Any:
        """Return a method of the network in the precision of the run, any other attribute as it is."""
        if name.startswith("__") or name == "module":
            raise AttributeError(name)
        value = getattr(self.module, name)
        is_method = callable(value) and not isinstance(value, nn.Module)
        return lowered(value, self._device, bf16=self._bf16) if is_method else value
