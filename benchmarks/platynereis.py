"""The Platynereis table: types, organs and twins, our figures beside the controls and those published."""

import tempfile
from pathlib import Path

from benchmarks.inputs import real_data
from cellgraph_clr.cli.demo_platynereis import run_platynereis


def run(*, size: str, data: str | None) -> None:
    """Print the figures; says so and returns when the data are not there."""
    source = real_data(size, data)
    if source is None:
        return
    with tempfile.TemporaryDirectory() as folder:
        run_platynereis(source, Path(folder), random_state=0, say=print)
