"""Does an installed wheel work without extras? Run by its own Python, in a folder away from the sources, which must not be seen.

Every public name loads, `doctor` and `demo --quick` end well, and what needs an extra that is missing names the line that installs it.
"""

from __future__ import annotations

import importlib
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

import cellgraph_clr as cgc
from cellgraph_clr._core.errors import MissingDependencyError

EXTRAS = {"usearch": "ann", "cp_measure": "cellprofiler", "spatialdata": "spatial"}


def command(*words: str) -> str:
    """Return what a command of this installation prints. Raises `SystemExit` where it fails."""
    program = str(Path(sys.executable).with_name("cellgraph-clr"))
    done = subprocess.run([program, *words], capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(words)} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout


def names() -> int:
    """Load every public name and return how many there are."""
    n = 0
    for module in (cgc, *(importlib.import_module(f"cellgraph_clr.{name}") for name in dir(cgc) if is_module(name))):
        for name in module.__all__:
            getattr(module, name)
            n += 1
    return n


def is_module(name: str) -> bool:
    """Return whether a name of the package is a module."""
    return find_spec(f"cellgraph_clr.{name}") is not None


def extras() -> list[str]:
    """Use what needs an extra that is missing; return the extras that were named. Raises `SystemExit` for another outcome."""
    import numpy as np

    labels = np.repeat(np.repeat(np.arange(1, 17).reshape(4, 4), 8, 0), 8, 1)
    adata = cgc.from_labels(labels, np.ones(labels.shape), spacing=(1, 1))
    calls = {
        "usearch": lambda: cgc.tl.build_index(adata, use_rep="X", approximate=True),
        "cp_measure": lambda: cgc.from_labels(
            labels, np.ones(labels.shape), spacing=(1, 1), features=("cellprofiler",)
        ),
        "spatialdata": lambda: cgc.to_spatialdata(adata, labels),
    }
    named = []
    for package, call in calls.items():
        if find_spec(package):
            continue
        line = f"pip install 'cellgraph-clr[{EXTRAS[package]}]'"
        try:
            call()
        except MissingDependencyError as error:
            if line not in str(error):
                sys.exit(f"without {package}, expected {line!r}, found: {error}")
            named.append(EXTRAS[package])
        else:
            sys.exit(f"without {package}, expected an error that names {line!r}, found none")
    return named


def main() -> None:
    """Check this installation and say what was done."""
    where = Path(cgc.__file__).resolve()
    if not where.is_relative_to(Path(sys.prefix).resolve()):
        sys.exit(f"expected the installed package, found {where}")
    print(f"{names()} public names load")
    print(command("doctor"), end="")
    print(f"extras that are missing and named: {', '.join(extras()) or 'none'}")
    with TemporaryDirectory() as folder:
        command("demo", "--quick", "--output", folder)
        found = sorted(p.name for p in Path(folder).iterdir())
        again = command("inspect", f"{folder}/demo.h5ad")
    if "demo.h5ad" not in found or "follows the layout" not in again:
        sys.exit(f"expected demo.h5ad that follows the layout, found {found}: {again}")
    print(f"demo --quick wrote {', '.join(found)}")


if __name__ == "__main__":
    main()
