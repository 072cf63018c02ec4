"""The Lightning module of contrastive training, and what watches it: progress, checkpoints, early stopping."""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import lightning.pytorch as lightning
import torch
from torch import Tensor, nn
from tqdm.auto import tqdm

from cellgraph_clr._core.checks import expected
from cellgraph_clr._core.errors import ModelFileError, NonFiniteError
from cellgraph_clr.losses.modules import InfoNCEp
from cellgraph_clr.training.distributed import gathered, process, share, summed
from cellgraph_clr.training.figures import alignment, contrastive_gap, effective_rank, uniformity
from cellgraph_clr.training.steps import Material, embed_pairs

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

__all__ = [
    "Checkpoints",
    "ContrastiveModule",
    "EarlyStop",
    "Progress",
    "Schedule",
    "StepModule",
    "check_loss",
    "stalled",
]

NOT_FINITE = "Lower the learning rate or raise the temperature."


@dataclass(frozen=True, slots=True)
class Schedule:
    """Steps, anchors a step, peak learning rate (one-cycle), weight decay, steps to wait before stopping early (None: never)."""

    n_steps: int
    batch_size: int
    learning_rate: float
    weight_decay: float
    patience: int | None = None


def check_loss(value: float) -> None:
    """Raise `NonFiniteError` for a loss that is not finite."""
    if not math.isfinite(value):
        raise NonFiniteError(expected("a finite loss", value, NOT_FINITE))


class StepModule(lightning.LightningModule):
    """What all runs share: the schedule, the figures of every step, and checkpoints that know their run.

    Step number t must be a function of the weights, the seed and t. `history` holds, per figure, one value a step; `n_items` is
    how many cells there are to train on. `run_precision` ("32" or "bf16") is that of networks called through `lowered`; all else
    of a step, its views and its losses, is in float32.
    """

    def __init__(self, schedule: Schedule, fingerprint: str, n_items: int) -> None:
        super().__init__()
        self.schedule, self.fingerprint, self.n_items = schedule, fingerprint, n_items
        self.run_precision = "32"
        self.history: dict[str, list[float]] = {}

    def setup(self, stage: str) -> None:  # noqa: ARG002
        """Keep Lightning's advice from users, in every process."""
        for name in ("lightning.pytorch", "lightning.fabric"):
            logging.getLogger(name).setLevel(logging.ERROR)

    def configure_optimizers(self) -> Any:
        """Return AdamW with a one-cycle schedule of `n_steps`."""
        s = self.schedule
        optimizer = torch.optim.AdamW(self.parameters(), lr=s.learning_rate, weight_decay=s.weight_decay)
        cycle = torch.optim.lr_scheduler.OneCycleLR(optimizer, s.learning_rate, total_steps=s.n_steps + 1)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": cycle, "interval": "step"}}

    def train_dataloader(self) -> Any:
        """Return one entry per step; a step draws its own batch."""
        steps: Any = range(self.schedule.n_steps)
        return torch.utils.data.DataLoader(steps, batch_size=None, generator=torch.Generator())

    def lowered(self, network: Callable[..., Tensor]) -> Callable[..., Tensor]:
        """Return a network, or a method of one, whose products are in the precision of the run and whose output is float32."""

        def call(*inputs: Any) -> Tensor:
            with torch.autocast(self.device.type, torch.bfloat16, enabled=self.run_precision == "bf16"):
                out = network(*inputs)
            return out.float()

        return call

    def record(self, figures: Mapping[str, float]) -> None:
        """Keep the figures of a step."""
        for name, number in figures.items():
            self.history.setdefault(name, []).append(number)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Put the history and the fingerprint of the run into a checkpoint."""
        checkpoint["run"] = {"history": self.history, "fingerprint": self.fingerprint}

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Take the history back. Raises `ModelFileError` for a checkpoint of another run."""
        if checkpoint["run"]["fingerprint"] != self.fingerprint:
            remedy = "Pass another path, or remove the file to start anew."
            raise ModelFileError(
                expected("a checkpoint of this run (config, seed, features, graph)", "one of another run", remedy)
            )
        self.history = checkpoint["run"]["history"]


class ContrastiveModule(StepModule):
    """Encoder, projection and loss on `Material`.

    Losses are divided by the mean number of positives, so that learning rates keep their meaning when p changes.
    """

    def __init__(
        self,
        encoder: nn.Module,
        projection: nn.Module,
        loss: nn.Module,
        material: Material,
        schedule: Schedule,
        fingerprint: str,
    ) -> None:
        super().__init__(schedule, fingerprint, len(material.x))
        self.encoder, self.projection, self.loss = encoder, projection, loss
        self.material = material

    def training_step(self, batch: Any, index: int) -> Tensor:  # noqa: ARG002
        """Return the loss of step `global_step`, scaled so that gradients averaged over processes are those of one."""
        encoder, projection = self.lowered(self.encoder), self.lowered(self.projection)
        first, second, pairs = embed_pairs(self.material, self.global_step, encoder, projection, self.device)
        world = process()[1]
        positives = torch.from_numpy(pairs.positives).to(self.device)
        exclude = torch.from_numpy(pairs.exclude).to(self.device)
        mean_p = float(pairs.positives.sum(axis=1).mean())
        everyone = first if world == 1 else gathered(first, len(positives))
        if getattr(self.loss, "by_anchor", False):  # a mean over anchors: each process takes its own
            own = share(len(positives))
            value = self.loss(first, second, positives[own], exclude[own]) * (len(first) / len(positives))
            total = summed(value)
            value = value * world
        else:
            value = self.loss(everyone, second, positives, exclude)
            total = float(value.detach())
        self._record(total, mean_p, everyone, second, positives, pairs)
        return value / max(mean_p, 1.0)

    def _record(self, loss: float, mean_p: float, first: Tensor, second: Tensor, positives: Tensor, pairs: Any) -> None:
        check_loss(loss)
        figures = {
            "loss": loss,
            "positives_per_anchor": mean_p,
            "alignment": alignment(first, second, positives),
            "uniformity": uniformity(first),
            "effective_rank": effective_rank(first),
        }
        if isinstance(self.loss, InfoNCEp):
            figures["contrastive_gap"], figures["contrastive_gap_cap"] = contrastive_gap(loss, pairs)
        self.record(figures)


class Progress(lightning.Callback):
    """A bar that counts cells, hence cells per second; None shows it on a terminal or in a notebook only."""

    def __init__(self, *, show: bool | None) -> None:
        self._hidden = None if show is None else not show
        self._bar: Any = None

    def on_train_start(self, trainer: Any, module: Any) -> None:
        """Open the bar where the run starts."""
        s = module.schedule
        size = min(s.batch_size, module.n_items)
        hidden = True if trainer.global_rank else self._hidden
        start = trainer.global_step * size
        self._bar = tqdm(
            total=s.n_steps * size, initial=start, unit=" cells", unit_scale=True, disable=hidden, desc="train"
        )

    def on_train_batch_end(self, trainer: Any, module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:  # noqa: ARG002
        """Move the bar."""
        self._bar.update(min(module.schedule.batch_size, module.n_items))
        self._bar.set_postfix(loss=f"{module.history['loss'][-1]:.3f}")

    def teardown(self, trainer: Any, module: Any, stage: str) -> None:  # noqa: ARG002
        """Close the bar."""
        if self._bar is not None:
            self._bar.close()


class Checkpoints(lightning.Callback):
    """Saves the run every so many steps and at its end."""

    def __init__(self, path: Path, every: int) -> None:
        self._path, self._every = path, every

    def on_train_batch_end(self, trainer: Any, module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:  # noqa: ARG002
        """Save, every so many steps."""
        if trainer.global_step % self._every == 0:
            trainer.save_checkpoint(self._path)

    def on_train_end(self, trainer: Any, module: Any) -> None:  # noqa: ARG002
        """Save the end of the run."""
        trainer.save_checkpoint(self._path)


def stalled(losses: Sequence[float], patience: int | None) -> bool:
    """Return whether the mean of the last `patience` losses is no lower than the lowest such mean before.

    Looked at once every `patience` steps; never for None.
    """
    if patience is None or len(losses) % patience or len(losses) < 2 * patience:
        return False
    means = [sum(losses[i : i + patience]) / patience for i in range(0, len(losses), patience)]
    return means[-1] >= min(means[:-1])


class EarlyStop(lightning.Callback):
    """Stops a run that is `stalled`."""

    def on_train_batch_end(self, trainer: Any, module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:  # noqa: ARG002
        """Compare stretches of `patience` steps."""
        trainer.should_stop = trainer.should_stop or stalled(module.history["loss"], module.schedule.patience)
