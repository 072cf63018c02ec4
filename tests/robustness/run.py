"""Hostile inputs, many of them: what of the library holds, and what does not?

``make torture`` runs all cases, then those that are drawn with ever new seeds, for twenty minutes; ``python -m tests.robustness.run
--minutes 3 --seed 5`` for less. ``--only TEXT`` tries the cases whose name holds a text, which is how a failure is repeated. A
file beside this one holds the cases of one kind, in tables: a new case is one line there. Exit code 1 if any case fails: a raw
traceback, a wrong result without a word, a hang or a crash.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from importlib import import_module
from itertools import zip_longest

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before NumPy: threads do not outlive a fork
os.environ.setdefault("NUMBA_NUM_THREADS", "1")
os.environ.setdefault("MPLBACKEND", "Agg")
os.environ.setdefault("NUMBA_THREADING_LAYER", "workqueue")  # that of OpenMP ends every process that was forked

from tests.robustness.case import FAILURES, VERDICTS, Case, Result
from tests.robustness.children import outcomes

KINDS = ("labels", "images", "files", "bytes", "pickles", "zarrs", "tables", "states", "options", "saved", "laws")


def cases_of(kinds: Sequence[str] = KINDS) -> list[Case]:
    """Return all cases of some kinds."""
    return [case for kind in kinds for case in import_module(f"tests.robustness.{kind}").cases()]


def sampled(cases: Sequence[Case], each: int, seed: int) -> list[Case]:
    """Return some cases of every area, drawn by a seed, the areas taking turns; none that are slow."""
    drawn = []
    for area in dict.fromkeys(c.area for c in cases):
        of_area = [c for c in cases if c.area == area and not c.slow]
        drawn.append(random.Random(f"{seed} {area}").sample(of_area, min(each, len(of_area))))
    return [c for turn in zip_longest(*drawn) for c in turn if c is not None]


def rounds(cases: Sequence[Case], seed: int, until: float) -> Iterator[Result]:
    """Yield the results of all cases, in an order of the seed, and then of those that other seeds make others, until a time."""
    yield from outcomes(random.Random(seed).sample(cases, len(cases)), seed, until=until)
    again = [c for c in cases if c.seeded]
    while again and time.monotonic() < until:
        seed += 1
        yield from outcomes(again, seed, until=until)


def table(results: Sequence[Result]) -> str:
    """Return counts by area and verdict, as text."""
    count: Counter[tuple[str, str]] = Counter()
    for r in results:
        count[r.area, r.verdict] += r.tries
    areas = [*dict.fromkeys(r.area for r in results)]
    head = ["area", "tried", *VERDICTS]
    lines = [[a, str(sum(count[a, v] for v in VERDICTS)), *(str(count[a, v] or "") for v in VERDICTS)] for a in areas]
    sums = ["all", str(sum(count.values())), *(str(sum(count[a, v] for a in areas) or "") for v in VERDICTS)]
    rows = [head, ["-" * len(h) for h in head], *lines, sums]
    width = [max(len(r[i]) for r in rows) for i in range(len(head))]
    return "\n".join("| " + " | ".join(c.ljust(w) for c, w in zip(r, width, strict=True)) + " |" for r in rows)


def told(failures: Sequence[Result]) -> str:
    """Return failures grouped by what went wrong, each group with the commands that repeat some of its cases."""
    groups: dict[str, list[Result]] = {}
    for r in failures:
        where = r.text.split(" @ ")[-1] if " @ " in r.text else r.text[:40]
        groups.setdefault(f"{r.verdict}: {where}", []).append(r)
    out = []
    for group, found in sorted(groups.items(), key=lambda g: -len(g[1])):
        out += [f"\n{group}  ({len(found)})", f"    {found[0].text}"]
        out += [f"    --seed {r.seed} --only {r.name!r}" for r in found[:4]]
    return "\n".join(out)


def main() -> int:
    """Run cases, print the table and the failures; 1 if there are any."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("kinds", nargs="*", help=f"all by default: {', '.join(KINDS)}")
    parser.add_argument("--minutes", type=float, default=20.0, help="when to stop")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--each", type=int, default=0, help="so many cases of every area, drawn by the seed, once each")
    parser.add_argument("--only", default="", metavar="TEXT", help="cases whose name holds a text, once each")
    chosen = parser.parse_args()
    if unknown := set(chosen.kinds) - set(KINDS):
        parser.error(f"no kind {', '.join(sorted(unknown))}; there are {', '.join(KINDS)}")
    from tests.robustness.scenes import warm

    start = time.monotonic()
    cases = [c for c in cases_of(chosen.kinds or KINDS) if chosen.only in c.name]
    if chosen.each:
        cases = sampled(cases, chosen.each, chosen.seed)
    once = bool(chosen.only or chosen.each)
    warm(slow=any(c.slow for c in cases))
    until = start + 60 * chosen.minutes
    results = []
    for r in outcomes(cases, chosen.seed, until=until) if once else rounds(cases, chosen.seed, until):
        results.append(r)
        if r.verdict in FAILURES:
            print(f"{r.verdict}: --seed {r.seed} --only {r.name!r}: {r.text}", flush=True)
    failures = [r for r in results if r.verdict in FAILURES]
    print(told(failures), f"\n{table(results)}", sep="\n")
    left = len(cases) - len(results)
    print(
        f"{len(failures)} failures in {time.monotonic() - start:.0f} s{f'; time was up before {left} cases' if left > 0 else ''}"
    )
    return int(bool(failures) or not results)


if __name__ == "__main__":
    sys.exit(main())
