"""Seconds of `import cellgraph_clr` and of `cellgraph-clr --help`, whole process."""

import statistics
import subprocess
import sys
import time


def run(*, size: str, data: str | None) -> None:  # noqa: ARG001
    """Print medians of whole processes, interpreter included."""
    commands = {
        "python -c pass": ["-c", "pass"],
        "import cellgraph_clr": ["-c", "import cellgraph_clr"],
        "cellgraph-clr --help": ["-m", "cellgraph_clr", "--help"],
    }
    for name, arguments in commands.items():
        seconds = []
        for _ in range(2 if size == "small" else 7):
            start = time.perf_counter()
            subprocess.run([sys.executable, *arguments], check=True, capture_output=True)
            seconds.append(time.perf_counter() - start)
        print(f"  {name:30s} {statistics.median(seconds):.3f} s")
