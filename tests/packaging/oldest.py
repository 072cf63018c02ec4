"""Print constraints that take the oldest release of every dependency that pyproject.toml allows; torch stays as it is pinned.

``>=1.26`` becomes ``==1.26.*``: the oldest series, with its own repairs. ``python tests/packaging/oldest.py > constraints``.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]


def lowered(need: str) -> str:
    """Return a requirement as a constraint on the oldest series it allows, other bounds kept. Raises `ValueError` without one."""
    found = re.fullmatch(r"([\w.-]+)(?:\[[^]]*\])?>=([\d.]+)", need)
    if found is None:
        if "<" in need:  # an upper bound alone
            return need
        raise ValueError(f"Expected a lower bound, found {need!r}.")
    return f"{found[1]}=={found[2]}.*"


def pinned(name: str) -> str:
    """Return the pin of a package in constraints.txt."""
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    return next(line for line in lines if line.startswith(f"{name}=="))


def constraints() -> list[str]:
    """Return a line for every dependency and extra of users."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    needs = project["dependencies"]
    return [pinned("torch") if need.startswith("torch>=") else lowered(need) for need in needs]


if __name__ == "__main__":
    print("\n".join(constraints()))
