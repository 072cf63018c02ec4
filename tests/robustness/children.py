"""Cases in forked children of a warm process: a crash, a hang or too much memory costs one case, not the run."""

from __future__ import annotations

import contextlib
import json
import os
import resource
import select
import shutil
import signal
import sys
import tempfile
import time
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from tests.robustness.case import CRASH, HANG, WRONG, Case, Result, verdict_of

MEMORY = 4 << 30  # bytes that a child may take beyond its parent


def outcomes(cases: Iterable[Case], seed: int, *, until: float = float("inf")) -> Iterator[Result]:
    """Yield what becomes of cases, in their order, until `time.monotonic()` reaches `until`."""
    waiting = list(cases)
    while waiting and time.monotonic() < until:
        done = 0
        for result in _of_one_child(waiting, seed, until):
            done += 1
            if result.verdict == HANG:  # or the machine stood still: once more, and longer
                patient = replace(waiting[done - 1], limit=2 * waiting[done - 1].limit)
                result = next(_of_one_child([patient], seed, float("inf")))
            yield result
        waiting = waiting[done:]


def _of_one_child(cases: list[Case], seed: int, until: float) -> Iterator[Result]:
    """Yield the results of a child that goes through cases until the end, or until one kills it."""
    reading, writing = os.pipe()
    sys.stdout.flush()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of forks of processes with threads
        pid = os.fork()
    if pid == 0:
        os.close(reading)
        _go_through(cases, seed, writing)
    os.close(writing)
    os.setpgid(pid, pid)
    lines, dead = _Lines(reading), False
    try:
        for case in cases:
            line = lines.next(case.limit)
            if line is None:
                dead = lines.ended
                verdict = (CRASH, _last_words(pid)) if dead else (HANG, f"no end after {case.limit:g} s")
                yield Result(case.area, case.name, seed, *verdict, case.tries)
                return
            yield Result(case.area, case.name, seed, *json.loads(line), case.tries)
            if time.monotonic() > until:
                return
    finally:
        os.close(reading)
        if not dead:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(pid, signal.SIGKILL)  # with what it started
            os.waitpid(pid, 0)


class _Lines:
    """Lines of a pipe, each waited for; `ended` once the other end is closed."""

    def __init__(self, fd: int) -> None:
        self.fd, self.rest, self.ended = fd, b"", False

    def next(self, seconds: float) -> bytes | None:
        """Return the next line; None when none comes in time, or the pipe has ended."""
        end = time.monotonic() + seconds
        while b"\n" not in self.rest:
            left = end - time.monotonic()
            if left <= 0 or not select.select([self.fd], [], [], left)[0]:
                return None
            found = os.read(self.fd, 65536)
            if not found:
                self.ended = True
                return None
            self.rest += found
        line, _, self.rest = self.rest.partition(b"\n")
        return line


def _last_words(pid: int) -> str:
    _, status = os.waitpid(pid, 0)
    code = os.waitstatus_to_exitcode(status)
    return signal.Signals(-code).name if code < 0 else f"exit code {code}"


def _go_through(cases: list[Case], seed: int, writing: int) -> None:
    """Run cases in a child, write a line for each, and leave without cleaning up."""
    code = 1
    try:
        _limited()
        for case in cases:
            os.write(writing, json.dumps(_tried(case, seed)).encode() + b"\n")
        code = 0
    finally:
        os._exit(code)


def _limited() -> None:
    """Bound the memory of this process, keep its output to itself, and forget dumps of crashes."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + MEMORY,) * 2)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    null = os.open(os.devnull, os.O_RDWR)
    for fd in (0, 1, 2):
        os.dup2(null, fd)
    warnings.simplefilter("ignore")


def _tried(case: Case, seed: int) -> tuple[str, str]:
    """Return the verdict on a case that is called now, in an empty folder of its own."""
    folder = Path(tempfile.mkdtemp(prefix="hostile-"))
    before = canary()
    here = Path.cwd()
    try:
        os.chdir(folder)
        case.call(folder, seed)
        error = None
    except BaseException as raised:  # noqa: BLE001 - whatever comes is judged
        error = raised
    finally:
        os.chdir(here)
    ran = (folder / "PWNED").exists()
    shutil.rmtree(folder, ignore_errors=True)
    if ran or canary() != before:
        return (
            WRONG,
            "code of the file ran" if ran else "the process was changed (NumPy's functions, or NumPy's random state)",
        )
    return verdict_of(error)


def canary() -> tuple[object, ...]:
    """Return what no input may change in this process: functions that pickles can reach, and the global random state."""
    import numpy as np
    from numpy._core import multiarray, numeric

    made = [numeric._frombuffer, multiarray._reconstruct, np.load]
    state = np.random.get_state()  # noqa: NPY002 - it must stay as it is
    functions = [(str(getattr(f, "__defaults__", "")), str(sorted(getattr(f, "__dict__", {})))) for f in made]
    return (*functions, bytes(state[1]), state[2])
