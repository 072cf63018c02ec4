"""`Runtime`: where and how fast a run goes; nothing of it is part of the model."""

from __future__ import annotations

from dataclasses import dataclass

from cellgraph_clr._core.checks import check_precision, check_whole

__all__ = ["Runtime"]

MOST_WORKERS = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Runtime:
    """Where and how fast a run goes; nothing of it is part of the model.

    Parameters
    ----------
    device : str, default "auto"
        "auto" (GPU when there is one), "cpu", "cuda", "cuda:1", ….
    precision : str, default "32"
        "32" or "bf16" (products of networks in bfloat16; views and losses stay in float32).
    num_workers : int, default 0
        Processes that draw batches ahead; 0 draws them in between. The result is the same.
    n_processes : int, default 1
        Processes (on GPUs: one per GPU) that share every batch.
    progress : bool or None, default None
        Show a bar; None shows it on a terminal or in a notebook.

    Raises
    ------
    OptionError
        For another precision, or a negative number of workers.
    """

    device: str = "auto"
    precision: str = "32"
    num_workers: int = 0
    n_processes: int = 1
    progress: bool | None = None

    def __post_init__(self) -> None:
        """Check the options."""
        check_precision(self.precision)
        check_whole("num_workers", self.num_workers, low=0, high=MOST_WORKERS)
        check_whole("n_processes", self.n_processes)
