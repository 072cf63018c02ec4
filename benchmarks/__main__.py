"""Run benchmarks: `python -m benchmarks [NAME …] [--size small|full] [--data DIR]`; without names, all that can run.

At full size the rows go to `benchmarks/results/NAME.json`, from which `make results` writes the tables of the documents.
"""

import argparse
import importlib
import os
from pathlib import Path

from benchmarks.rows import RESULTS, this_run, write

NAMES = (
    "demo",
    "infonce_p",
    "estimators",
    "measure",
    "hull",
    "chunked",
    "out_of_core",
    "points",
    "scale",
    "ablation",
    "heads",
    "cell_types",
    "celltypegraph",
    "retrieval",
    "morpho",
    "morpho_images",
    "morpho_volumes",
    "context",
    "regions",
    "averaging",
    "time_arrow",
    "events",
    "deep_infomax",
    "infomax_graphs",
    "interactions",
    "report",
    "first_contact",
    "start_up",
    "planted",
    "platynereis",
)


def main() -> None:
    """Parse the command line and run the benchmarks asked for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="benchmarks to run")
    parser.add_argument("--size", choices=("small", "full"), default="full", help="small: does it run at all")
    parser.add_argument("--data", help="folder of data sets, for platynereis and the EM volume")
    parser.add_argument("--output", type=Path, help="folder for the rows, also of small runs; else benchmarks/results")
    options = parser.parse_args()
    unknown = set(options.names) - set(NAMES)
    if unknown:
        parser.error(f"expected names among {', '.join(NAMES)}, found {', '.join(sorted(unknown))}")
    for name in options.names or NAMES:
        print(f"== {name} ({options.size})")
        rows = importlib.import_module(f"benchmarks.{name}").run(size=options.size, data=options.data)
        if rows and (options.output or options.size == "full"):
            small = " --size small" if options.size == "small" else ""
            data = " --data DIR" if options.data or os.environ.get("CELLGRAPH_DATA") else ""
            command = f"python -m benchmarks {name}{small}{data}"
            print(f"  rows: {write(name, rows, this_run(command), options.output or RESULTS)}")


if __name__ == "__main__":
    main()
