"""Does what is written survive? Kills, full disks, missing rights, interrupts and races, on every command, `fit`, `save`, `write`.

``python -m tests.robustness.faults`` (or ``make torture``) prints a table of what was tried, held and failed, and ends with 1 where
something failed; ``--kills 200`` and ``--seed 0`` are its options. Everything is imported and compiled once; every trial is a fork.

After every fault each output can be read and is the old or the new one; the next run succeeds, writes what an undisturbed one
does (bit for bit from a checkpoint), and leaves no temporary file. Faults that a program sees (no room, no rights, Ctrl-C) end a
command in one line, with its exit code, and never in a signal.
"""

from __future__ import annotations

import argparse
import ctypes
import gc
import io
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable
from contextlib import contextmanager, redirect_stdout, suppress
from pathlib import Path

if __name__ == "__main__":  # before what counts cores is imported
    os.environ |= {"OMP_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1", "MPLBACKEND": "Agg"}
    os.environ["NUMBA_THREADING_LAYER"] = "workqueue"  # OpenMP cannot be forked

import torch

from cellgraph_clr import CellGraphError
from tests.robustness.fault_jobs import Job, commands, digest, fits, make_inputs, saves

PATIENCE = 120.0  # seconds until a child hangs
NOBODY = 65534
OLD, NEW = 0, 1  # variants


class Failed(Exception):
    """A fault that was not survived."""


class Bench:
    """Jobs with what they write undisturbed, the time that takes, and a folder to try in."""

    def __init__(self, root: Path, jobs: list[Job], rng: random.Random) -> None:
        self.root, self.jobs, self.rng = root, jobs, rng
        self.references: dict[tuple[str, int, str], str] = {}
        self.seconds: dict[str, float] = {}
        self.sizes: dict[str, int] = {}
        for job in jobs:
            for variant in (OLD, NEW):
                folder = self._kept(job, variant)
                folder.mkdir(parents=True)
                try:
                    with redirect_stdout(io.StringIO()):
                        job.run(folder, variant)
                except SystemExit as stop:
                    if stop.code:
                        raise
                for name in job.outputs:
                    self.references[job.name, variant, name] = digest(folder / name)
            self.sizes[job.name] = sum(f.stat().st_size for f in self._kept(job, NEW).rglob("*") if f.is_file())

    def warm(self) -> None:
        """Measure how long every job takes in a fork."""
        gc.collect()
        gc.freeze()  # forks share it
        for job in self.jobs:
            folder = self.fresh(job, old=False)
            start = time.perf_counter()
            try:
                self.finish(job, folder)
            except Failed as error:
                raise Failed(f"{job.name}, undisturbed: {error}") from error
            self.seconds[job.name] = time.perf_counter() - start

    def _kept(self, job: Job, variant: int) -> Path:
        return self.root / "kept" / job.name.replace(" ", "_") / str(variant)

    def fresh(self, job: Job, *, old: bool, root: Path | None = None) -> Path:
        """Return a folder with the old outputs, or an empty one."""
        folder = (root or self.root) / "try"
        shutil.rmtree(folder, ignore_errors=True)
        if not old:
            folder.mkdir()
            return folder
        shutil.copytree(self._kept(job, OLD), folder)
        for left in folder.rglob("*.ckpt"):  # of another run
            shutil.rmtree(left) if left.is_dir() else left.unlink()
        return folder

    def check_outputs(self, job: Job, folder: Path, *, old: bool) -> None:
        """Raise `Failed` for an output that is neither the old nor the new one."""
        for name in job.outputs:
            before = self.references[job.name, OLD, name] if old else ""
            try:
                found = digest(folder / name)
            except Exception as error:  # whatever readers say of half a file
                raise Failed(f"{name} cannot be read: {error}") from error
            if found not in (before, self.references[job.name, NEW, name]):
                raise Failed(f"{name} is {'gone' if not found else 'neither the old nor the new'}")
        saved = folder / job.checkpoint
        for file in [saved] if saved.is_file() else saved.rglob("*.ckpt") if job.checkpoint else []:
            digest(file)

    def finish(self, job: Job, folder: Path) -> None:
        """Run a job to its end. Raises `Failed` unless it writes what it does undisturbed, and leaves nothing else."""
        code, said = wait(fork(job, folder, NEW), folder)
        if code:
            raise Failed(f"the next run ended with {code}: {said[-300:]}")
        for name in job.outputs:
            if digest(folder / name) != self.references[job.name, NEW, name]:
                raise Failed(f"the next run wrote another {name}")
        if left := leftovers(folder):
            raise Failed(f"left after the next run: {left}")


def places(folder: Path) -> set[str]:
    """Return the names of places where files are being written."""
    found: set[str] = set()
    for inner in (folder, folder / "demo", folder / "run.ckpt"):
        with suppress(OSError):
            found |= {p.name for p in inner.iterdir() if p.name.startswith(".cellgraph_clr-")}
    return found


def leftovers(folder: Path) -> list[str]:
    """Return the names of temporary files in a folder."""
    return [p.name for p in folder.rglob(".*") if p.name != ".zattrs" and not p.name.startswith(".z")]


def fork(job: Job, folder: Path, variant: int, before: Callable[[], object] | None = None, times: int = 1) -> int:
    """Start a job in a child and return its number; stderr goes to the file `said` beside the folder."""
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    pid = os.fork()
    if pid:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGINT])
        return pid
    code = 70
    try:
        os.dup2(os.open(f"{folder}.said", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666), 2)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        sys.stdout, sys.stderr = os.fdopen(1, "w", closefd=False), os.fdopen(2, "w", closefd=False)
        if before is not None:
            before()
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGINT])
        for _ in range(times):
            job.run(folder, variant)
        code = 0
    except SystemExit as stop:
        code = stop.code if isinstance(stop.code, int) else int(stop.code is not None)
    except KeyboardInterrupt:
        code = 130
    except CellGraphError as error:
        print(error, file=sys.stderr)
        code = 2
    except BaseException:  # noqa: BLE001 - told by the code
        traceback.print_exc()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    sys.stderr.flush()
    if (
        before is not None
    ):  # nothing unwinds what the parent does; the interpreter's end, where HDF5 may crash, takes seconds
        ctypes.pythonapi.Py_Exit(code)
    os._exit(code)


def wait(pid: int, folder: Path) -> tuple[int, str]:
    """Return the exit code of a child (the number of its signal below 0) and what it said. Raises `Failed` where it hangs."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status), Path(f"{folder}.said").read_text(errors="replace")
        time.sleep(0.002)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    raise Failed("it hangs")


def disturb(bench: Bench, job: Job, number: int, *, old: bool) -> tuple[Path, int, str]:
    """Send a signal to a job at a moment by chance: anywhere, or soon after it begins to write."""
    folder = bench.fresh(job, old=old)
    pid = fork(job, folder, NEW)
    whole = bench.seconds[job.name]
    end = time.monotonic() + bench.rng.uniform(0, whole)
    if bench.rng.random() < 0.6:
        later = time.monotonic() + 2 * whole
        wanted = bench.rng.randint(1, 3)  # which of its writings
        seen: set[str] = set()
        while time.monotonic() < later and len(seen) < wanted:
            seen |= places(folder)
        end = time.monotonic() + bench.rng.choice([0, bench.rng.uniform(0, 0.02)])
    time.sleep(max(0.0, end - time.monotonic()))
    os.kill(pid, number)
    return folder, *wait(pid, folder)


def killed(bench: Bench, job: Job) -> None:
    """kill -9."""
    old = bench.rng.random() < 0.7
    folder, _, _ = disturb(bench, job, signal.SIGKILL, old=old)
    bench.check_outputs(job, folder, old=old)
    bench.finish(job, folder)


def interrupted(bench: Bench, job: Job) -> None:
    """Ctrl-C."""
    old = bench.rng.random() < 0.7
    folder, code, said = disturb(bench, job, signal.SIGINT, old=old)
    if code not in (0, 130):
        raise Failed(f"ended with {code}: {said[-300:]}")
    if code == 130 and job.command:
        one_line(said)
    bench.check_outputs(job, folder, old=old)
    bench.finish(job, folder)


def one_line(said: str) -> None:
    """Raise `Failed` unless a command ended in one line."""
    if "Traceback" in said or len(said.splitlines()) != 1:
        raise Failed(f"said {said[:600]!r}")


def refused(bench: Bench, job: Job, folder: Path, before: Callable[[], object], *, may_pass: bool) -> None:
    """Run a job that finds no room or no rights."""
    code, said = wait(fork(job, folder, NEW, before), folder)
    if code not in ((0, 2) if may_pass else (2,)):
        raise Failed(f"ended with {code}: {said[-600:]}")
    if code:
        one_line(said)
    bench.check_outputs(job, folder, old=True)
    if left := leftovers(folder):
        raise Failed(f"left after an error: {left}")


def limited(bench: Bench, job: Job) -> None:
    """No file may be larger than a part of what is written."""
    size = int(bench.sizes[job.name] * bench.rng.uniform(0.01, 0.9)) + 1
    folder = bench.fresh(job, old=True)
    refused(bench, job, folder, lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size)), may_pass=True)
    bench.finish(job, folder)


def full(bench: Bench, job: Job) -> None:
    """A small disk that is full soon."""
    disk = bench.root / "disk"
    room = sum(f.stat().st_size + 8192 for f in bench._kept(job, OLD).rglob("*"))
    room += int(bench.sizes[job.name] * bench.rng.uniform(0.01, 1.2)) + 8192
    with small_disk(disk, room):
        refused(bench, job, bench.fresh(job, old=True, root=disk), lambda: None, may_pass=True)


@contextmanager
def small_disk(folder: Path, size: int):
    """Mount a small disk. Raises `OSError` where that is not allowed."""
    folder.mkdir(exist_ok=True)
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder], capture_output=True)
    if made.returncode:
        raise PermissionError(made.stderr.decode())
    try:
        yield
    finally:
        subprocess.run(["umount", folder], check=True)


def read_only(bench: Bench, job: Job) -> None:
    """A folder without the right to write; root gives its own up first."""
    folder = bench.fresh(job, old=True)
    Path(f"{folder}.said").touch()
    Path(f"{folder}.said").chmod(0o666)
    inner = [p for p in [folder, *folder.rglob("*")] if p.is_dir()]
    for path in inner:
        path.chmod(0o555)
    try:
        refused(bench, job, folder, lambda: os.setuid(NOBODY) if os.getuid() == 0 else None, may_pass=False)
    finally:
        for path in inner:
            path.chmod(0o755)


def raced(bench: Bench, job: Job) -> None:
    """Two processes write the same, over and over, while a third reads."""
    folder = bench.fresh(job, old=True)
    allowed = [{bench.references[job.name, v, n] for v in (OLD, NEW)} for n in job.outputs]
    pids = [fork(job, folder, v, times=3) for v in (OLD, NEW)]
    try:
        while not all(_over(pid) for pid in pids):
            for name, known in zip(job.outputs, allowed, strict=True):
                path = folder / name
                if not path.exists() or (path.is_file() and digest(path) not in known):
                    raise Failed(f"{name} is not whole at a moment")
    finally:
        ended = [wait(pid, folder) for pid in pids]
    if any(code for code, _ in ended):
        raise Failed(f"ended with {ended}")
    bench.check_outputs(job, folder, old=True)
    bench.finish(job, folder)


def _over(pid: int) -> bool:
    return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


class Table:
    """What was tried, held and failed, by kind of fault."""

    def __init__(self) -> None:
        self.tried, self.held = Counter[str](), Counter[str]()
        self.failures: list[str] = []

    def attempt(self, kind: str, trial: Callable[[Bench, Job], None], bench: Bench, job: Job) -> None:
        """Try once."""
        self.tried[kind] += 1
        try:
            trial(bench, job)
            self.held[kind] += 1
        except (Failed, CellGraphError, OSError) as error:
            if isinstance(error, PermissionError) and kind == "full disk":
                raise
            self.failures.append(f"{kind}, {job.name}: {type(error).__name__}: {error}")
            print(self.failures[-1], flush=True)

    def __str__(self) -> str:
        """Return the table."""
        lines = [f"{'fault':34s} {'tried':>6s} {'held':>6s} {'failed':>6s}"]
        lines += [f"{k:34s} {n:6d} {self.held[k]:6d} {n - self.held[k]:6d}" for k, n in self.tried.items()]
        return "\n".join(lines)


def rounds(jobs: list[Job], n: int) -> list[Job]:
    """Return n jobs in turn; slow ones come in every fourth turn."""
    out: list[Job] = []
    turn = 0
    while len(out) < n:
        out += [job for job in jobs if not job.slow or turn % 4 == 0]
        turn += 1
    return out[:n]


def run(root: Path, jobs: list[Job], *, kills: int, seed: int, singles: int = 3) -> Table:
    """Try all faults: `kills` by signal, a quarter of that by Ctrl-C; every other fault once a job, size limits `singles` times."""
    bench, table = Bench(root, jobs, random.Random(seed)), Table()
    bench.warm()
    for job in rounds(jobs, kills):
        table.attempt("kill -9", killed, bench, job)
    for job in rounds(jobs, max(1, kills // 4)):
        table.attempt("Ctrl-C", interrupted, bench, job)
    for job in jobs:
        for _ in range(1 if job.slow else singles):
            table.attempt("limit of file size", limited, bench, job)
        table.attempt("folder without rights", read_only, bench, job)
        if not job.command and not job.checkpoint:
            table.attempt("two writers", raced, bench, job)
    try:
        for job in (j for j in jobs if not j.slow):
            table.attempt("full disk", full, bench, job)
    except PermissionError as error:
        print(f"no small disk can be mounted here ({error}): the limit of file size stands for it")
    return table


def main() -> int:
    """Try all and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only-saves", action="store_true", help="neither commands nor fits: done in seconds")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell in the background has Ctrl-C ignored
    import warnings

    warnings.simplefilter("ignore")
    start, root = time.perf_counter(), Path(tempfile.mkdtemp(prefix="faults-"))
    root.chmod(0o755)
    try:
        (root / "inputs").mkdir()
        make_inputs(root / "inputs")
        given = root / "inputs"
        jobs = saves(given) if asked.only_saves else [*saves(given), *fits(given), *commands(given)]
        table = run(root, jobs, kills=asked.kills, seed=asked.seed, singles=1 if asked.only_saves else 3)
    finally:
        shutil.rmtree(root, ignore_errors=True)
    print("\n".join([str(table), *table.failures, f"{time.perf_counter() - start:.0f} s, seed {asked.seed}"]))
    return int(bool(table.failures))


if __name__ == "__main__":
    sys.exit(main())
