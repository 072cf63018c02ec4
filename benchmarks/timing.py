"""Paired timing: A B A B in one process, medians, so that a busy machine slows both alike."""

import statistics
import time
from collections.abc import Callable, Mapping


def paired(calls: Mapping[str, Callable[[], object]], *, rounds: int) -> dict[str, float]:
    """Return the median seconds of each call over alternating rounds, after one untimed round."""
    for call in calls.values():
        call()
    seconds: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(rounds):
        for name, call in calls.items():
            start = time.perf_counter()
            call()
            seconds[name].append(time.perf_counter() - start)
    return {name: statistics.median(values) for name, values in seconds.items()}
