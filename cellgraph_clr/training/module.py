"""A task as a Lightning module: weights, optimiser, batches by number of the step, figures, checkpoints that know their run."""

from __future__ import annotations

import hashlib
import logging
import math
import signal
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import lightning.pytorch as lightning
import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset, Sampler
from torch.utils.data._utils import signal_handling

from cellgraph_clr._core.checks import check_key, expected, listing
from cellgraph_clr._core.errors import ModelFileError, NonFiniteError, TaskError
from cellgraph_clr.training.devices import one_thread, reseed
from cellgraph_clr.training.drawing import begin_drawing
from cellgraph_clr.training.saved import check_moments
from cellgraph_clr.training.task import Lowered

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cellgraph_clr.training.task import Task

__all__ = ["NOT_FINITE", "TaskModule"]

NOT_FINITE = "Lower the learning rate or raise the temperature."
DRAWN = "Let the task draw a batch for each step, from 0 on."


class _Batches(Dataset[Any]):
    """Batches by the number of their step."""

    def __init__(self, task: Task) -> None:
        self._task = task

    def __getitem__(self, step: int) -> Any:
        with one_thread():  # as in a worker: numbers do not depend on who draws, nor on how many threads there are
            try:
                batch = self._task.draw(step)
            except StopIteration as error:  # which would end the loader, and start it again, for ever
                raise TaskError(expected("a batch of every step", f"StopIteration at step {step}", DRAWN)) from error
        if batch is None:
            raise TaskError(expected("a batch of every step", f"None at step {step}", DRAWN))
        return batch


class _Steps(Sampler[int]):
    """Numbers of the steps that are left, where a run goes on from a checkpoint."""

    def __init__(self, module: TaskModule) -> None:
        self._module = module

    def __iter__(self) -> Iterator[int]:
        return iter(range(self._module.global_step, len(self)))

    def __len__(self) -> int:
        return self._module.task.schedule.n_steps


class _Loader(DataLoader[Any]):
    """A loader whose processes can be ended: those of a run that failed live as long as its error is held."""

    batches: Any = None  # those that are drawn now

    def __iter__(self) -> Any:
        if (
            self.num_workers
        ):  # torch listens once for processes that died, and Lightning takes that away after every run
            signal_handling._SIGCHLD_handler_set = False  # noqa: SLF001 - there is no other way to say so
        self.batches = super().__iter__()
        return self.batches

    def end(self) -> None:
        """End the processes that draw batches, if there are any."""
        end = getattr(self.batches, "_shutdown_workers", None)
        if end is not None:
            end()


class TaskModule(lightning.LightningModule):
    """Networks of a task and how they are trained.

    `history` holds, per figure, one value a step; they are logged where somebody is `told`.
    """

    def __init__(
        self,
        task: Task,
        fingerprint: str,
        *,
        bf16: bool = False,
        num_workers: int = 0,
        told: bool = False,
        options: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__()
        self.task, self._bf16, self._num_workers, self._told = task, bf16, num_workers, told
        self.networks = nn.ModuleDict(dict(task.networks()))
        if not any(True for _ in self.networks.parameters()):
            remedy = "Return the networks to be trained by name."
            raise TaskError(expected("weights in `Task.networks`", listing(list(self.networks)), remedy))
        for name in task.schedule.rates:
            check_key(name, list(self.networks), where="Task.networks", remedy="Name a network.", error=TaskError)
        self.fingerprint, self.options = _digest(fingerprint, self.networks), dict(options or {})
        self.history: dict[str, list[float]] = {}
        self._loader: _Loader | None = None

    def setup(self, stage: str) -> None:  # noqa: ARG002
        """Keep Lightning's advice from users, in every process."""
        for name in ("lightning.pytorch", "lightning.fabric"):
            logging.getLogger(name).setLevel(logging.ERROR)

    def on_train_start(self) -> None:
        """Let SIGTERM end a process of several: Lightning's answer is a broadcast that the others do not take part in."""
        if self.trainer.world_size > 1:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)

    def configure_optimizers(self) -> Any:
        """Return AdamW with the learning rates of the task's schedule."""
        s = self.task.schedule
        rates = [s.learning_rate * s.rates.get(name, 1.0) for name in self.networks]
        groups = [
            {"params": list(network.parameters()), "lr": rate}
            for network, rate in zip(self.networks.values(), rates, strict=True)
        ]
        optimizer = torch.optim.AdamW(groups, lr=s.learning_rate, weight_decay=s.weight_decay)
        curve: Any
        if s.shape == "cosine":
            curve = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, s.n_steps)
        else:
            curve = torch.optim.lr_scheduler.OneCycleLR(optimizer, rates, total_steps=s.n_steps + 1)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": curve, "interval": "step"}}

    def train_dataloader(self) -> Any:
        """Return the batches of the steps that are left."""
        self._loader = _Loader(
            _Batches(self.task),
            batch_size=None,
            sampler=_Steps(self),
            num_workers=self._num_workers,
            worker_init_fn=begin_drawing,
            pin_memory=self.device.type == "cuda",
            generator=torch.Generator(),  # the global one is left alone
        )
        return self._loader

    def end_drawing(self) -> None:
        """End the processes that draw batches, if there are any."""
        if self._loader is not None:
            self._loader.end()

    def training_step(self, batch: Any, index: int) -> Tensor:  # noqa: ARG002
        """Return the loss of step `global_step`."""
        reseed(_of_step(self.task.seed, self.global_step), self.device)
        networks = {k: Lowered(v, self.device.type, bf16=self._bf16) for k, v in self.networks.items()}
        value, figures = _checked(self.task.loss(networks, batch))
        self._record(value, figures)
        return value

    def on_after_backward(self) -> None:
        """Raise `TaskError` in the first step where a network to be trained gets no gradient at all."""
        if self.global_step > 0:
            return
        for name, network in self.networks.items():
            learned = [p for p in network.parameters() if p.requires_grad]
            if learned and all(p.grad is None for p in learned):
                remedy = "Its output must not be detached, or made under `torch.no_grad()`."
                raise TaskError(
                    expected(f"a loss that depends on the network {name!r}", "no gradient of any weight", remedy)
                )

    def _record(self, value: Tensor, figures: Mapping[str, Tensor | float]) -> None:
        """Keep and log the figures of a step. Raises `NonFiniteError` for a loss that is not finite."""
        numbers = _numbers({"loss": value, **figures, "": value})
        for number in (numbers.pop(""), numbers["loss"]):
            if not math.isfinite(number):
                raise NonFiniteError(expected("a finite loss", number, NOT_FINITE))
        for name, number in numbers.items():
            self.history.setdefault(name, []).append(number)
            if self._told:
                self.log(name, number)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Put the history and the fingerprint of the run into a checkpoint."""
        about = {"fingerprint": self.fingerprint, "options": self.options}
        checkpoint["run"] = {"history": self.history, **about}

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Take the history back. Raises `ModelFileError` for a checkpoint of another run."""
        if checkpoint["run"]["fingerprint"] != self.fingerprint:
            remedy = "Pass another path, or remove the file to start anew."
            found = f"one of another run ({_difference(checkpoint['run'].get('options'), self.options)})"
            raise ModelFileError(expected("a checkpoint of this run (config, seed, features, graph)", found, remedy))
        check_moments(checkpoint["optimizer_states"], self.networks.parameters())
        self.history = checkpoint["run"]["history"]


def _checked(found: Any) -> tuple[Tensor, Mapping[str, Tensor | float]]:
    """Return what the loss of a task gave. Raises `TaskError` unless it is a tensor () and a mapping of figures."""
    pair = isinstance(found, tuple) and len(found) == 2 and isinstance(found[1], Mapping)
    if not pair or not isinstance(found[0], Tensor) or found[0].dim() != 0 or not found[0].requires_grad:
        remedy = 'Return `(loss, {"figure": number})`, the loss a tensor () that depends on the networks.'
        raise TaskError(expected("a loss and its figures from `Task.loss`", _described(found), remedy))
    return found


def _described(found: Any) -> str:
    """Return what was found, in words."""
    first = found[0] if isinstance(found, tuple) and found else found
    shape = f" {tuple(first.shape)}" if isinstance(first, Tensor) else ""
    several = f"a tuple of {len(found)}, the first " if isinstance(found, tuple) else ""
    return f"{several}{type(first).__name__}{shape}"


def _of_step(seed: int, step: int) -> int:
    """Return the seed of what networks draw in a step."""
    return int(np.random.SeedSequence([seed, step]).generate_state(1, np.uint64)[0] >> 1)


def _numbers(figures: Mapping[str, Tensor | float]) -> dict[str, float]:
    """Return figures as numbers, all tensors brought from the device at once."""
    on_device = {k: v.detach().double() for k, v in figures.items() if isinstance(v, Tensor)}
    values = dict(zip(on_device, torch.stack(list(on_device.values())).tolist(), strict=True)) if on_device else {}
    return {k: values[k] if k in values else float(v) for k, v in figures.items()}


def _difference(saved: Any, now: Mapping[str, str]) -> str:
    """Return in words in which options a saved run differs from this one."""
    if not isinstance(saved, Mapping) or not now:
        return "of which options, it does not say"
    differ = [
        f"{k} was {saved.get(k, 'not there')!s:.60} and is {now.get(k, 'not there')!s:.60}"
        for k in dict.fromkeys((*now, *saved))
        if saved.get(k) != now.get(k)
    ]
    return listing(differ) if differ else "of the same options: other data, or another order of it"


def _digest(fingerprint: str, networks: nn.ModuleDict) -> str:
    digest = hashlib.sha256(fingerprint.encode())
    for name, weight in networks.state_dict().items():
        digest.update(name.encode())
        digest.update(weight.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
