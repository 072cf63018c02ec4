"""Chunks that are lost are warned of where the writer kept background; stores of writers that leave it out are not."""

import logging

import numpy as np
import pytest
import zarr

import cellgraph_clr as cgc

LABELS = np.zeros((64, 64), np.uint32)
LABELS[2:30, 2:30], LABELS[20:60, 34:46] = 1, 2


@pytest.mark.parametrize("shape", [(64, 64), (1, 64, 64)])
@pytest.mark.parametrize("zarr_format", [2, 3])
def test_lost_chunks_are_warned_of(zarr_format, shape, tmp_path):
    path = tmp_path / "a.zarr"
    config = {"write_empty_chunks": True}
    chunks = (1, 16, 16)[-len(shape) :]
    stored = zarr.create_array(path, shape=shape, chunks=chunks, dtype="u4", zarr_format=zarr_format, config=config)
    stored[:] = LABELS.reshape(shape)
    np.testing.assert_array_equal(np.squeeze(cgc.read_labels(path, spacing=1).labels), LABELS)
    place = ["0"] * len(shape)
    (path / (".".join(place) if zarr_format == 2 else "/".join(["c", *place]))).unlink()
    with pytest.warns(
        UserWarning, match=r"1 of 16 chunks of '.*a.zarr' are not stored and are read as 0, though"
    ) as said:
        image = cgc.read_labels(path, spacing=1)
    assert said[0].filename == __file__
    assert not np.asarray(image.labels)[..., :16, :16].any()


def test_chunks_left_out_are_logged(tmp_path, caplog):
    path = tmp_path / "a.zarr"
    zarr.create_array(path, shape=(64, 64), chunks=(16, 16), dtype="u4")[:] = LABELS
    with caplog.at_level(logging.INFO, "cellgraph_clr"):
        cgc.read_labels(path, spacing=1)
    assert "7 of 16 chunks" in caplog.text or "9 of 16 chunks" in caplog.text


def test_shards_are_left_alone(tmp_path):
    path = tmp_path / "a.zarr"
    zarr.create_array(path, shape=(64, 64), shards=(32, 32), chunks=(16, 16), dtype="u4")[40:] = LABELS[40:]
    cgc.read_labels(path, spacing=1)
