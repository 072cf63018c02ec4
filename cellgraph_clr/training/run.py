"""A run: a task trained from its start, or from a checkpoint, to its end by Lightning's trainer."""

from __future__ import annotations

import logging
import os
import sys
import tempfile
import threading
import warnings
from collections.abc import Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import NoneType
from typing import TYPE_CHECKING, Any, NamedTuple

import lightning.pytorch as lightning
from lightning.pytorch.callbacks import Checkpoint, ProgressBar
from lightning.pytorch.loggers import Logger

from cellgraph_clr._core.checks import check_whole, expected
from cellgraph_clr._core.errors import OptionError, OutputError
from cellgraph_clr._core.outputs import check_output
from cellgraph_clr.training.checkpoints import SafeCheckpoints, check_run
from cellgraph_clr.training.devices import seeded, usable_device
from cellgraph_clr.training.endings import fit
from cellgraph_clr.training.module import TaskModule
from cellgraph_clr.training.objects import as_text
from cellgraph_clr.training.runtime import Runtime
from cellgraph_clr.training.saved import DAMAGED
from cellgraph_clr.training.watchers import Bar, EarlyStop, KeepRun, stalled
from cellgraph_clr.training.weights import check_same_shapes

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import torch
    from torch import nn

    from cellgraph_clr.training.task import Task

ONE_AT_A_TIME = threading.RLock()  # runs in threads would share torch's generators and Lightning's loggers

__all__ = ["Runtime", "Trained", "Watch", "Watches", "train"]


@dataclass(frozen=True, slots=True)
class Watch:
    """What is kept and told of a run.

    Parameters
    ----------
    checkpoint : str or path-like or None, default None
        File that the run is saved to, and goes on from when it exists; None saves nothing.
    every : int, default 100
        Steps between two savings.
    callbacks : sequence of lightning.Callback, default ()
        Lightning callbacks; figures of every step are logged under their names ("loss", …).
    logger : object, default None
        Lightning logger or loggers; None logs nothing.
    """

    checkpoint: str | os.PathLike[str] | None = None
    every: int = 100
    callbacks: Sequence[lightning.Callback] = ()
    logger: Any = None

    def __post_init__(self) -> None:
        """Check the options."""
        self._check_told()
        if self.checkpoint is None:
            return
        try:
            is_folder = Path(self.checkpoint).is_dir()
        except OSError as error:  # a name that is too long
            raise OutputError(expected("the path of a file for `checkpoint`", error.strerror, "Shorten it.")) from error
        if is_folder:
            found, remedy = f"the folder {str(self.checkpoint)!r}", "Pass the path of a file in it."
            raise OptionError(expected("`checkpoint` as a file", found, remedy))
        check_output(self.checkpoint)

    def _check_told(self) -> None:
        """Raise `OptionError` for callbacks or loggers that are none of Lightning's."""
        check_whole("checkpoint_every", self.every)
        if not isinstance(self.checkpoint, (str, os.PathLike, NoneType)):
            raise OptionError(expected("`checkpoint` as a path", repr(self.checkpoint), "Pass text or a Path."))
        _check_all("callbacks", self.callbacks, lightning.Callback)
        given = self.logger if isinstance(self.logger, Sequence) else [self.logger]
        _check_all("logger", [one for one in given if one is not None], Logger)


@dataclass(frozen=True, slots=True)
class Watches(Watch):
    """`Watch` of several runs, each with a file of its own in the folder `checkpoint`."""

    def __post_init__(self) -> None:
        """Check the options."""
        self._check_told()
        if self.checkpoint is not None and Path(self.checkpoint).is_file():
            remedy = "Pass another path: each of several runs has its file in it."
            raise OptionError(expected("`checkpoint` as a folder", f"the file {str(self.checkpoint)!r}", remedy))
        if self.checkpoint is not None:
            check_output(self.checkpoint, "folder")

    def named(self, name: str) -> Watch:
        """Return that of the run of this name."""
        path = None
        if self.checkpoint is not None:
            folder = check_output(self.checkpoint, "folder")
            folder.mkdir(exist_ok=True)
            path = folder / f"{name}.ckpt"
        return Watch(path, self.every, self.callbacks, self.logger)


def _check_all(name: str, given: Any, kind: type) -> None:
    """Raise `OptionError` unless these are Lightning's callbacks or loggers, in a list."""
    several = isinstance(given, Sequence)
    for one in given if several else [given]:
        if not several or not isinstance(one, kind):
            found, remedy = type(one).__name__, f"Pass `{name}=[…]` with objects of lightning.pytorch."
            raise OptionError(expected(f"`{name}` as a list of Lightning {kind.__name__.lower()}s", found, remedy))


class Trained(NamedTuple):
    """What a run leaves: networks in evaluation mode, and per figure one value a step."""

    networks: dict[str, nn.Module]
    history: dict[str, list[float]]


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


def train(
    task: Task,
    runtime: Runtime,
    watch: Watch | None = None,
    *,
    fingerprint: str = "",
    options: Mapping[str, Any] | None = None,
) -> Trained:
    """Return the trained networks of a task.

    A run that is killed and called again with the same checkpoint goes on from its last saving and ends with the same
    weights, bit for bit on a CPU with as many threads. Several processes give the result of one to rounding.

    Parameters
    ----------
    task : Task
        What is learned.
    runtime : Runtime
        Where, and what is kept of it.
    watch : Watch or None, default None
        Where, and what is kept of it.
    fingerprint : str, default ""
        Tells the data and options of this run from others; the first weights are added to it.
    options : mapping of str to object or None, default None
        Of the run, which a checkpoint keeps as text: where it is of another run, the error names those that differ.

    Raises
    ------
    NonFiniteError
        When the loss stops being finite.
    OptionError
        For a device that cannot be used, or several processes on one numbered device.
    LostProcessError
        When one of several processes, or one that draws batches, is killed; a checkpoint keeps what was saved last.
    KeyboardInterrupt, SystemExit
        When it is interrupted, or asked to end by SIGTERM; a checkpoint keeps what was saved last.
    ModelFileError
        If the checkpoint is truncated or that of another run; the options that differ are named.
    """
    watch = watch or Watch()
    device = usable_device(runtime.device)
    several = runtime.n_processes > 1
    kind, _, number = device.partition(":")
    if several and number:
        raise OptionError(expected("`device` without a number for several processes", device, f"Pass {kind!r}."))
    with ONE_AT_A_TIME, seeded(task.seed), tempfile.TemporaryDirectory() as folder:
        told = bool(watch.callbacks or watch.logger)
        bf16 = runtime.precision == "bf16"
        module = TaskModule(
            task,
            fingerprint + runtime.precision,
            bf16=bf16,
            num_workers=runtime.num_workers,
            told=told,
            options=as_text({**(options or {}), "precision": runtime.precision}),
        )
        path = (
            Path(watch.checkpoint) if watch.checkpoint is not None else Path(folder) / "run.ckpt" if several else None
        )
        resume = path if path is not None and path.exists() else None
        if resume is not None and _finished(module, resume):
            return _result(module, device)
        watchers = _watchers(task, runtime, watch, path)
        with _quiet():
            trainer = lightning.Trainer(
                accelerator={"cuda": "gpu"}.get(kind, kind),
                devices=[int(number)] if number and not several else runtime.n_processes,
                strategy="ddp_spawn" if several else "auto",
                precision="32-true",  # of all but the networks, see `Lowered`
                max_steps=task.schedule.n_steps,
                max_epochs=-1,
                callbacks=watchers,
                plugins=[SafeCheckpoints()],
                logger=watch.logger or False,
                enable_progress_bar=any(isinstance(w, ProgressBar) for w in watchers),
                log_every_n_steps=1,
                enable_checkpointing=any(isinstance(w, Checkpoint) for w in watchers),
                enable_model_summary=False,
                use_distributed_sampler=False,
                default_root_dir=folder,
            )
            try:
                fit(trainer, module, resume=resume, checkpoint=None if watch.checkpoint is None else path)
            finally:
                module.end_drawing()
        if several and path is not None:  # the weights came to be in other processes
            saved = SafeCheckpoints().load_checkpoint(path)
            module.load_state_dict(saved["state_dict"])
            module.history = saved["run"]["history"]
    return _result(module, device)


def _watchers(task: Task, runtime: Runtime, watch: Watch, path: Path | None) -> list[lightning.Callback]:
    """Return the user's callbacks, and ours where there is something to do: early stop, checkpoints, bar."""
    watchers = list(watch.callbacks)
    if task.schedule.patience is not None:
        watchers.append(EarlyStop(task.schedule.patience))
    if path is not None:
        watchers.append(KeepRun(path, watch.every))
    shown = sys.stderr.isatty() if runtime.progress is None else runtime.progress
    if shown and not any(isinstance(w, ProgressBar) for w in watchers):
        watchers.append(Bar())
    return watchers


def _finished(module: TaskModule, path: Path) -> bool:
    """Return whether a saved run, whose weights and history the module then takes, needs no further step."""
    saved = SafeCheckpoints().load_checkpoint(path)
    check_run(saved)
    module.on_load_checkpoint(saved)
    check_same_shapes(saved["state_dict"], module.state_dict(), what="this run", remedy=DAMAGED)
    losses, schedule = module.history["loss"], module.task.schedule
    over = len(losses) >= schedule.n_steps or stalled(losses, schedule.patience)
    if over:
        module.load_state_dict(saved["state_dict"])
    return over


def _result(module: TaskModule, device: str) -> Trained:
    networks: Mapping[str, torch.nn.Module] = dict(module.networks.items())
    return Trained({name: network.to(device).eval() for name, network in networks.items()}, module.history)
