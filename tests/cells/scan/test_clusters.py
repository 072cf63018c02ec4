"""Workers of a cluster that die: the numbers stay, or a named error says what to do; nobody waits for ever."""

import os
import signal
import threading
import time

import numpy as np
import pytest

from cellgraph_clr._core.errors import LabelImageError, LostProcessError
from cellgraph_clr.cells.label_image import LabelImage
from cellgraph_clr.cells.scan import clusters, scan_labels

dask = pytest.importorskip("dask")
da = pytest.importorskip("dask.array")
distributed = pytest.importorskip("distributed")

pytestmark = pytest.mark.filterwarnings("ignore")  # a dying worker is loud
OPTIONS = {"threads_per_worker": 1, "dashboard_address": None, "silence_logs": 50}
SIDE = 3  # of a cell
INSIDE = (3, 1, 0)  # a chunk in the middle


def fatal(block, flag, once, block_info=None):
    """Give a chunk as it is, and kill the worker that reads one in the middle; where `once`, the first alone."""
    if block_info[0]["chunk-location"] == INSIDE and not (once and flag.exists()):
        flag.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return block


def slow(block):
    time.sleep(0.05)
    return block


@pytest.fixture
def image():
    labels = np.kron(np.arange(1, 513).reshape(8, 8, 8), np.ones((SIDE,) * 3, int)).astype(np.int32)
    light = np.random.default_rng(0).random((1, *labels.shape)).astype(np.float32)
    return LabelImage.build(labels, light)


def chunked(image, function, *given):
    labels = da.from_array(image.labels, chunks=(4, 8, 12)).map_blocks(function, *given, dtype=image.labels.dtype)
    return LabelImage.build(labels, da.from_array(image.image, chunks=(1, 4, 8, 12)))


def exactly(one, other):
    """Compare to the last bit, intensities too."""
    for name in one.__dataclass_fields__:
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name), err_msg=name)


def test_a_worker_that_dies_costs_time_not_results(image, tmp_path):
    flag = tmp_path / "died"
    with distributed.LocalCluster(n_workers=2, **OPTIONS) as cluster, distributed.Client(cluster) as client:
        client.wait_for_workers(2)
        before = set(client.run(os.getpid).values())
        disturbed = scan_labels(chunked(image, fatal, flag, True))
        assert flag.exists()
        client.wait_for_workers(2)
        assert len(before - set(client.run(os.getpid).values())) == 1  # another process took its place
    with dask.config.set(scheduler="threads"):
        exactly(disturbed, scan_labels(chunked(image, fatal, flag, True)))
    np.testing.assert_array_equal(disturbed.count, np.full(512, SIDE**3))


def test_a_chunk_that_kills_every_worker_is_named(image, tmp_path):
    with (
        dask.config.set({"distributed.scheduler.allowed-failures": 0}),
        distributed.LocalCluster(n_workers=2, **OPTIONS) as cluster,
        distributed.Client(cluster),
        pytest.raises(LostProcessError, match=r"lives through the scan, found KilledWorker: .* smaller chunks"),
    ):
        scan_labels(chunked(image, fatal, tmp_path / "died", False))


def test_a_cluster_without_workers_is_not_waited_for_for_ever(image, monkeypatch):
    monkeypatch.setattr(clusters, "PATIENCE", "1 s")
    with distributed.LocalCluster(n_workers=0, **OPTIONS) as cluster, distributed.Client(cluster):
        start = time.monotonic()
        with pytest.raises(LostProcessError, match=r"found no worker for too long\. Start workers and call again"):
            scan_labels(chunked(image, slow))
        assert time.monotonic() - start < 30


def test_workers_that_come_late_are_waited_for(image, monkeypatch):
    monkeypatch.setattr(clusters, "PATIENCE", "0.5 s")
    with (
        dask.config.set({"distributed.scheduler.no-workers-timeout": "1 minute"}),
        distributed.LocalCluster(n_workers=0, processes=False, **OPTIONS) as cluster,
        distributed.Client(cluster),
    ):
        late = threading.Timer(1.5, cluster.scale, [1])
        late.start()
        assert len(scan_labels(chunked(image, slow)).cell_id) == 512
        late.join()


def test_a_lost_scheduler_is_named(image):
    with distributed.LocalCluster(n_workers=1, processes=False, **OPTIONS) as cluster, distributed.Client(cluster):
        ends = threading.Timer(0.5, cluster.close)
        ends.start()
        with pytest.raises(LostProcessError, match=r"found (FutureC|C)ancelledError: .*Connect a client"):
            scan_labels(chunked(image, slow))
        ends.join()


def test_errors_of_a_chunk_stay_what_they_are(image):
    def wrong(block):
        raise OSError("no such chunk")

    with (
        distributed.LocalCluster(n_workers=1, processes=False, **OPTIONS) as cluster,
        distributed.Client(cluster),
        pytest.raises(OSError, match="no such chunk"),
    ):
        scan_labels(chunked(image, wrong))
    with pytest.raises(LabelImageError, match="ids of 0"):
        scan_labels(chunked(image, np.negative))
