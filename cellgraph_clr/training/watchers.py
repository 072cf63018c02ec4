"""What watches a run: its bar, its checkpoint, and its end where it stalls."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import lightning.pytorch as lightning
from lightning.pytorch.callbacks import TQDMProgressBar
from lightning.pytorch.callbacks.progress.tqdm_progress import Tqdm

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

__all__ = ["Bar", "EarlyStop", "KeepRun", "stalled"]


class Bar(TQDMProgressBar):
    """Lightning's bar, of the steps of a whole run."""

    def init_train_tqdm(self) -> Tqdm:
        """Return the bar, on the standard error, so that what commands print stays clean."""
        return Tqdm(
            desc="train", disable=self.is_disabled, leave=True, dynamic_ncols=True, file=sys.stderr, smoothing=0
        )

    def on_train_epoch_start(self, trainer: Any, *_: Any) -> None:
        """Start where the run does."""
        bar = self.train_progress_bar
        bar.reset(self.total_train_batches)
        bar.update(trainer.global_step)

    def get_metrics(self, trainer: Any, module: Any) -> dict[str, Any]:  # noqa: ARG002
        """Return the loss."""
        return {"loss": f"{module.history['loss'][-1]:.3f}"}


class KeepRun(lightning.Callback):
    """Saves the run to one file every so many steps and at its end."""

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

    def __init__(self, patience: int | None) -> None:
        self._patience = patience

    def on_train_batch_end(self, trainer: Any, module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:  # noqa: ARG002
        """Compare stretches of `patience` steps."""
        trainer.should_stop = trainer.should_stop or stalled(module.history["loss"], self._patience)
