"""Training from start, or from a checkpoint, to end: Lightning's trainer around a `StepModule`."""

from __future__ import annotations

import logging
import tempfile
import warnings
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import lightning.pytorch as lightning
from torch.multiprocessing.spawn import ProcessRaisedException

from cellgraph_clr._core.checks import check_precision, expected
from cellgraph_clr._core.errors import NonFiniteError, OptionError
from cellgraph_clr.training.checkpoints import SafeCheckpoints
from cellgraph_clr.training.module import NOT_FINITE, Checkpoints, EarlyStop, Progress, StepModule, stalled

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Runtime", "train_contrastive"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Runtime:
    """Where and how a run goes, none of which is part of the model.

    Parameters
    ----------
    device : "cpu", "cuda", "cuda:1", …
    precision : "32" or "bf16" (products of networks in bfloat16; views and losses stay in float32).
    n_processes : processes (on GPUs: one per GPU) that share every batch.
    checkpoint : file to save the run to and to go on from when it exists.
    checkpoint_every : steps between two savings.
    progress : show a bar; None shows it on a terminal or in a notebook.

    Raises
    ------
    OptionError
        For another precision.
    """

    device: str = "cpu"
    precision: str = "32"
    n_processes: int = 1
    checkpoint: Path | None = None
    checkpoint_every: int = 100
    progress: bool | None = None

    def __post_init__(self) -> None:
        """Check the precision."""
        check_precision(self.precision)


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep Lightning's advice (workers, loggers, hardware) from users who never chose Lightning."""
    loggers = [logging.getLogger(name) for name in ("lightning.pytorch", "lightning.fabric")]
    levels = [logger.level for logger in loggers]
    try:
        for logger in loggers:
            logger.setLevel(logging.ERROR)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def train_contrastive(module: StepModule, runtime: Runtime) -> None:
    """Train the module in place.

    A run that is killed and called again with the same checkpoint goes on from its last saving and ends with the same
    weights, bit for bit on a CPU with as many threads. Several processes give the result of one to rounding.

    Raises
    ------
    NonFiniteError
        When the loss stops being finite.
    OptionError
        For several processes on one numbered device.
    KeyboardInterrupt
        When it is interrupted; a checkpoint keeps what was saved last.
    ModelFileError
        If the checkpoint is truncated or that of another run.
    """
    module.run_precision = runtime.precision
    several = runtime.n_processes > 1
    kind, _, number = runtime.device.partition(":")
    if several and number:
        raise OptionError(
            expected("`device` without a number for several processes", runtime.device, f"Pass {kind!r}.")
        )
    with tempfile.TemporaryDirectory() as folder:
        path = runtime.checkpoint or (Path(folder) / "run.ckpt" if several else None)
        resume = path if path is not None and path.exists() else None
        if resume is not None:  # what is wrong with it is said before processes start
            saved = SafeCheckpoints().load_checkpoint(resume)
            module.on_load_checkpoint(saved)
            losses, schedule = module.history["loss"], module.schedule
            if len(losses) >= schedule.n_steps or stalled(losses, schedule.patience):
                module.load_state_dict(saved["state_dict"])
                return
        watchers: list[Any] = [Progress(show=runtime.progress), EarlyStop()]
        if path is not None:
            watchers.append(Checkpoints(path, runtime.checkpoint_every))
        with _quiet():
            trainer = lightning.Trainer(
                accelerator={"cuda": "gpu"}.get(kind, kind),
                devices=[int(number)] if number and not several else runtime.n_processes,
                strategy="ddp_spawn" if several else "auto",
                precision="32-true",  # of all but the networks, see `StepModule.lowered`
                max_steps=module.schedule.n_steps,
                max_epochs=-1,
                callbacks=watchers,
                plugins=[SafeCheckpoints()],
                logger=False,
                enable_checkpointing=False,
                enable_progress_bar=False,
                enable_model_summary=False,
                use_distributed_sampler=False,
                default_root_dir=folder,
            )
            try:
                trainer.fit(module, ckpt_path=resume)
            except SystemExit as stop:  # Lightning's way of ending on Ctrl-C
                raise KeyboardInterrupt from stop
            except ProcessRaisedException as error:
                if NonFiniteError.__name__ not in str(error):
                    raise
                raise NonFiniteError(expected("a finite loss", "another in a process", NOT_FINITE)) from error
        if several and path is not None:  # the weights came to be in other processes
            saved = SafeCheckpoints().load_checkpoint(path)
            module.load_state_dict(saved["state_dict"])
            module.history = saved["run"]["history"]
