"""Peak memory of this process (Linux)."""

from pathlib import Path

__all__ = ["peak", "reset_peak"]


def _resident(what: str) -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(what)) / 1024


def reset_peak() -> float:
    """Start the peak anew and return what is resident now, in MiB."""
    Path("/proc/self/clear_refs").write_text("5")
    return _resident("VmRSS")


def peak() -> float:
    """Return the most that was resident since the start or the last `reset_peak`, in MiB."""
    return _resident("VmHWM")
