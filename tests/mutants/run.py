"""Do the tests see what breaks? Plants faults (mutants) one at a time in a copy of the project, and runs the tests that must fail.

``make mutate`` runs all, ``make mutate PARTS="losses graphs"`` some; ``python tests/mutants/run.py --help`` tells the options. A
part is a file ``PART.toml`` beside this one, with a table for every mutant:

    name   what the fault does, in a few words
    file   where, below `cellgraph_clr`; a folder for a line that may move from file to file
    old    text that stands there exactly once, whatever its indentation
    new    what it becomes
    tests  files or folders of tests, of which one must fail

A mutant is killed when a test fails, crashes or does not end, and survives when all pass. One that cannot be planted, or that breaks before any test
runs, is broken: mend the mutant. A new mutant is chosen by what would hurt, before looking at the tests, and one that survives is
answered by a stronger test.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
PACKAGE = "cellgraph_clr"
MOST_SURVIVORS = 0.1  # of the mutants run


@dataclass(frozen=True)
class Mutant:
    """A fault: text of one file of the package that becomes another, and the tests that must fail."""

    part: str
    name: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]

    def path(self, root: Path) -> Path:
        """Return the file it is planted in; `LookupError` unless the old text stands in exactly one place and tests exist."""
        lost = [t for t in self.tests if not (root / t.split("::")[0]).exists()]
        if lost:
            raise LookupError(f"tests that are not there: {', '.join(lost)}")
        where = root / PACKAGE / self.file
        files = sorted(where.rglob("*.py")) if where.is_dir() else [where]
        counts = {f: f.read_text().count(self.old) for f in files if f.exists()}
        if sum(counts.values()) != 1:
            raise LookupError(f"its old text stands {sum(counts.values())} times in {PACKAGE}/{self.file}, not once")
        return max(counts, key=lambda f: counts[f])


@dataclass(frozen=True)
class Verdict:
    """What became of a mutant: killed, survived or broken, by which test or why, in how many seconds."""

    mutant: Mutant
    word: str
    by: str
    seconds: float


def parts() -> list[str]:
    """Return the names of all parts."""
    return sorted(p.stem for p in HERE.glob("*.toml"))


def mutants_of(part: str) -> list[Mutant]:
    """Return the mutants of a part, as its file lists them."""
    read = tomllib.loads((HERE / f"{part}.toml").read_text())["mutant"]
    return [Mutant(part, **{**m, "tests": tuple(m["tests"])}) for m in read]


def copied(target: Path) -> None:
    """Copy the project as it is, changes and new files with it, without what git ignores."""
    listed = subprocess.run(
        ["git", "ls-files", "-coz", "--exclude-standard"], cwd=ROOT, capture_output=True, check=True
    )
    for name in filter(None, listed.stdout.decode().split("\0")):
        if (ROOT / name).is_file():  # not one that was removed
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target / name)


def run_tests(root: Path, tests: tuple[str, ...], limit: float | None) -> tuple[int | None, str]:
    """Return the exit code of the tests in a copy (None: out of time, below 0: a crash) and the first that failed."""
    command = [sys.executable, "-B", "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *tests]
    environment = {**os.environ, "PYTHONPATH": str(root)}
    try:
        done = subprocess.run(
            command, cwd=root, env=environment, capture_output=True, text=True, timeout=limit, check=False
        )
    except subprocess.TimeoutExpired:
        return None, "out of time"
    failed = re.search(r"^(?:FAILED|ERROR) (\S+)", done.stdout, re.MULTILINE)
    return done.returncode, failed[1] if failed else done.stdout[-500:]


def judged(mutant: Mutant, root: Path, limit: float, number: int) -> Verdict:
    """Plant a mutant in a copy, run its tests, and put the file back."""
    start = time.perf_counter()
    path = mutant.path(root)
    kept, stat = path.read_text(), path.stat()
    path.write_text(kept.replace(mutant.old, mutant.new))
    os.utime(path, (stat.st_mtime + 10 * number + 10,) * 2)  # of its own: compiled code is known by time and size
    try:
        code, by = run_tests(root, mutant.tests, limit)
    finally:
        path.write_text(kept)
        os.utime(path, (stat.st_atime, stat.st_mtime))
    word = {0: "survived", 1: "killed"}.get(code, "broken") if code is not None and code >= 0 else "killed"
    return Verdict(mutant, word, "" if word == "survived" else by, time.perf_counter() - start)


def unplantable(mutants: list[Mutant]) -> list[str]:
    """Return what is wrong with mutants that cannot be planted."""
    out = []
    for m in mutants:
        try:
            m.path(ROOT)
        except LookupError as error:
            out.append(f"{m.part}: {m.name}: {error}")
    return out


def main() -> int:
    """Run the mutants asked for; 0 if they can be planted, and no more than a tenth of them survives."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("parts", nargs="*", help=f"all by default: {', '.join(parts())}")
    parser.add_argument("-k", default="", metavar="TEXT", help="mutants whose name holds a text")
    parser.add_argument("--check", action="store_true", help="look whether all can be planted, and run nothing")
    chosen = parser.parse_args()
    if unknown := set(chosen.parts) - set(parts()):
        parser.error(f"no part {', '.join(sorted(unknown))}; there are {', '.join(parts())}")
    mutants = [m for part in chosen.parts or parts() for m in mutants_of(part) if chosen.k in m.name]
    wrong = unplantable(mutants)
    print("\n".join([*wrong, f"{len(mutants)} mutants, {len(wrong)} that cannot be planted"]))
    if wrong or chosen.check or not mutants:
        return bool(wrong)
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        root = Path(folder)
        copied(root)
        start = time.perf_counter()
        code, by = run_tests(root, tuple(sorted({t for m in mutants for t in m.tests})), None)
        if code != 0:
            print(f"without a mutant the tests fail already: {by}")
            return 1
        limit = 60 + 5 * (time.perf_counter() - start)
        verdicts = []
        for number, m in enumerate(mutants):
            v = judged(m, root, limit, number)
            print(f"{v.word:8}  {v.seconds:4.0f} s  {m.part}: {m.name}{'  <- ' + v.by if v.by else ''}", flush=True)
            verdicts.append(v)
    survived, broken = ([v for v in verdicts if v.word == word] for word in ("survived", "broken"))
    print(f"{len(verdicts)} mutants: {len(survived)} survived, {len(broken)} broken")
    return int(bool(broken) or len(survived) > MOST_SURVIVORS * len(verdicts))


if __name__ == "__main__":
    raise SystemExit(main())
