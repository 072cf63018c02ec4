"""How many workers `n_jobs` means."""

import os
import subprocess
import sys
import threading

import joblib
import numpy as np
import pytest

from cellgraph_clr._core.errors import OptionError
from cellgraph_clr._core.parallel import n_workers, over_rows


def test_negative_numbers_count_from_all_cores(monkeypatch):
    monkeypatch.setattr(joblib, "cpu_count", lambda: 8)
    assert [n_workers(n) for n in (None, -1, -2, -8, -9, -99)] == [8, 8, 7, 1, 1, 1]
    assert [n_workers(n) for n in (1, 3, 64, np.int64(2))] == [1, 3, 64, 2]


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="the system knows no affinity")
def test_all_cores_are_those_this_process_may_use(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0})
    assert n_workers(None) == n_workers(-1) == 1


@pytest.mark.parametrize("n_jobs", [0, 0.5, 2.0, True, "all"])
def test_what_is_no_number_of_workers_is_refused(n_jobs):
    with pytest.raises(OptionError, match="`n_jobs` as a whole number other than 0"):
        n_workers(n_jobs)


@pytest.mark.parametrize(
    ("n_rows", "n_threads", "n_parts"), [(10, 3, None), (10, 3, 7), (2, 5, None), (1, 1, None), (5, 1, 3)]
)
def test_parts_cover_every_row_once_and_are_not_empty(n_rows, n_threads, n_parts):
    parts = []
    over_rows(lambda first, last: parts.append((first, last)), n_rows, n_threads=n_threads, n_parts=n_parts)
    assert [row for first, last in sorted(parts) for row in range(first, last)] == list(range(n_rows))
    assert all(last > first for first, last in parts)
    assert len(parts) == min(n_rows, n_parts or n_threads)


def test_threads_work_side_by_side_and_what_a_part_raises_is_raised():
    meet = threading.Barrier(2, timeout=20)  # passes only when two parts run at once
    over_rows(lambda _first, _last: meet.wait(), 2, n_threads=2)

    def fail(first, last):
        raise ZeroDivisionError((first, last))

    with pytest.raises(ZeroDivisionError):
        over_rows(fail, 4, n_threads=2)


RAISED = """
import os, numpy as np, torch
import cellgraph_clr as cgc
torch.set_num_threads(1)
loss = cgc.losses.InfoNCEp(0.5)
eye = torch.eye(100, dtype=torch.bool)
loss(torch.randn(100, 4), torch.randn(100, 4), eye)
cgc.datasets.tissue(20)
print(torch.get_num_threads(), os.environ.get("OMP_WAIT_POLICY"))
"""


@pytest.mark.parametrize(
    ("given", "policy"), [({}, "PASSIVE"), ({"OMP_WAIT_POLICY": "ACTIVE"}, "ACTIVE"), ({"GOMP_SPINCOUNT": "9"}, "None")]
)
def test_threads_that_wait_sleep_unless_the_user_says_otherwise_and_no_kernel_takes_more_than_torch_may(given, policy):
    env = {
        k: v
        for k, v in os.environ.items()
        if k not in ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME", "NUMBA_NUM_THREADS")
    }
    out = subprocess.run(
        [sys.executable, "-c", RAISED], capture_output=True, text=True, check=True, env=env | given
    ).stdout
    assert out.split() == ["1", policy]
