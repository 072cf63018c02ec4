"""The Platynereis table: types, organs and twins, our figures beside the controls and those published."""

import os
import tempfile
from pathlib import Path

from cellgraph_clr.cli.demo_platynereis import run_platynereis


def run(*, size: str, data: str | None) -> None:
    """Print the figures; says so and returns when the data are not there."""
    data = data or os.environ.get("CELLGRAPH_DATA")
    if data is None or size == "small":
        print("  needs --data DIR (or CELLGRAPH_DATA) and size full; tests run it on a generated file")
        return
    with tempfile.TemporaryDirectory() as folder:
        run_platynereis(Path(data), Path(folder), random_state=0, say=print)
