"""Rows of results: what a benchmark returns, and the file `benchmarks/results/NAME.json` that keeps them."""

import json
import math
import os
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import date
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

import cellgraph_clr

RESULTS = Path(__file__).parent / "results"
PACKAGES = ("anndata", "numba", "numpy", "scikit-learn", "scipy", "torch", "torch-geometric")


@dataclass(frozen=True)
class Row:
    """One figure. A table of a document has a line for each `name` and a column for each `measure`.

    Measures "A | b" and "A | c" share the column A. `value` is None where there is only a range, which `interval` holds
    (else a confidence interval). `spread` is the standard deviation over the `n` seeds, draws or folds.
    """

    benchmark: str
    table: str
    name: str
    measure: str
    value: float | None
    spread: float | None = None
    interval: tuple[float, float] | None = None
    n: int = 1
    control: float | None = None
    chance: float | None = None
    unit: str = ""
    digits: int = 3
    protocol: str = ""

    @property
    def key(self) -> tuple[str, str, str]:
        """What tells a row from the others of its benchmark."""
        return self.table, self.name, self.measure

    @property
    def text(self) -> str:
        """The figure as it is shown, with its spread or interval and its unit."""
        unit = f" {self.unit}" if self.unit and self.unit != "log odds" else ""
        between = " to ".join(self.shown(v) for v in self.interval or ())
        if self.value is None:
            return between + unit
        spread = "" if self.spread is None else f" ± {self.spread:,.{self.digits}f}"
        return self.shown(self.value) + spread + unit + (f" ({between})" if between else "")

    @property
    def finite(self) -> bool:
        """Whether all its numbers are."""
        numbers = (self.value, self.spread, self.control, self.chance, *(self.interval or ()))
        return all(v is None or math.isfinite(v) for v in numbers)

    def shown(self, value: float) -> str:
        """Return a value with the digits of this row; log odds with their sign."""
        sign = "+" if self.unit == "log odds" else ""
        return f"{value:{sign},.{self.digits}f}".replace("-", "−")


class Rows(list[Row]):
    """Rows of one benchmark, each printed as it comes."""

    def __init__(self, benchmark: str) -> None:
        super().__init__()
        self.benchmark = benchmark

    def add(self, table: str, name: str, measure: str, value: Any, **more: Any) -> None:
        """Add a row; several values, e.g. of seeds, become their mean, spread and number.

        What has no finite value is printed and left out, so that the end of a long run does not fail.
        """
        values = np.asarray(value, float) if value is not None else None
        if values is not None and values.ndim:
            more = {"spread": float(values.std()) if len(values) > 1 else None, "n": len(values)} | more
            values = values.mean()
        plain = {k: v.item() if isinstance(v, np.generic) else v for k, v in more.items()}
        row = Row(self.benchmark, table, name, measure, None if values is None else float(values), **plain)
        beside = [f"{k} {row.shown(v)}" for k, v in (("control", row.control), ("chance", row.chance)) if v is not None]
        print(f"  {table}: {name}: {measure:24s} {row.text}  {', '.join(beside)}".rstrip(), flush=True)
        if row.finite:
            self.append(row)

    def times(self, name: str, medians: Mapping[str, float], *, ours: str) -> None:
        """Add the time of each call to the table "ms", and that of the others to "in times of ours"."""
        for call, seconds in medians.items():
            self.add("ms", name, call, 1e3 * seconds, unit="ms", digits=_digits(1e3 * seconds))
            if call != ours:
                ratio = seconds / medians[ours]
                self.add("in times of ours", name, call, ratio, unit="x", digits=_digits(ratio))


def _digits(value: float) -> int:
    """Return how many digits after the point tell two or three in all."""
    return 0 if value >= 20 else 1 if value >= 2 else 2


def this_run(command: str) -> dict[str, Any]:
    """Return what a file says of a run: command, date, machine (no name of it) and versions."""
    return {"command": command, "date": date.today().isoformat(), "machine": _machine(), "versions": _versions()}


def _machine() -> dict[str, Any]:
    import torch

    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    model = next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), None)
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else None
    return {"cores": len(os.sched_getaffinity(0)), "cpu": model, "gpu": gpu}


def _versions() -> dict[str, str]:
    found = {"cellgraph_clr": cellgraph_clr.__version__}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def read(name: str, folder: Path = RESULTS) -> tuple[list[Row], list[dict[str, Any]]]:
    """Return the rows of a benchmark, and for each the run that measured it; both empty where there is no file."""
    path = folder / f"{name}.json"
    if not path.exists():
        return [], []
    held = json.loads(path.read_text())
    runs = [held["runs"][row.pop("run")] for row in held["rows"]]
    return [Row(**row | {"interval": row["interval"] and tuple(row["interval"])}) for row in held["rows"]], runs


def write(name: str, rows: Iterable[Row], run: dict[str, Any], folder: Path = RESULTS) -> Path:
    """Put rows into the file of a benchmark, at once; rows that this run did not measure stay, with the run that did."""
    kept, runs = read(name, folder)
    held = {row.key: (row, of) for row, of in zip(kept, runs, strict=True)}
    for row in rows:
        if row.benchmark != name or not row.finite:
            raise ValueError(f"expected finite figures of {name}, found {row}")
        held[row.key] = (row, run)
    used: list[dict[str, Any]] = []
    for _, of in held.values():
        used += [] if of in used else [of]
    lines = [json.dumps(asdict(row) | {"run": used.index(of)}, ensure_ascii=False) for row, of in held.values()]
    listed = [json.dumps(of, ensure_ascii=False) for of in used]
    folder.mkdir(parents=True, exist_ok=True)
    path, new = folder / f"{name}.json", folder / f".{name}.{os.getpid()}.tmp"
    text = '{"runs": [\n' + ",\n".join(listed) + '\n],\n"rows": [\n' + ",\n".join(lines) + "\n]}\n"
    new.write_text(text)
    new.replace(path)
    return path
