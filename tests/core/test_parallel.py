"""How many workers `n_jobs` means."""

import os

import joblib
import numpy as np
import pytest

from cellgraph_clr._core.errors import OptionError
from cellgraph_clr._core.parallel import n_workers


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
