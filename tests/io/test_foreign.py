"""What is no file to read, and what readers raise, whatever it is, becomes a named error that tells where."""

import os
import socket
import struct
import tokenize
import zlib
from pathlib import Path

import h5py
import numpy as np
import pytest
import zarr

import cellgraph_clr as cgc
from cellgraph_clr._core.errors import FileFormatError, LabelImageError, MissingFileError
from cellgraph_clr.io.foreign import Stored, file_to_read, named_errors

LABELS = np.pad(np.ones((4, 4), np.uint16), 3)


@pytest.mark.parametrize(
    "error",
    [
        MemoryError("9 GiB"),
        RecursionError(),
        struct.error("short"),
        zlib.error("-3"),
        tokenize.TokenError("EOF", (1, 0)),
        KeyError("a"),
        OSError("gone"),
        ZeroDivisionError(),
    ],
    ids=lambda e: type(e).__name__,
)
def test_every_error_becomes_one_that_is_named_and_chained(error):
    text = f"a thing at 'x.tif', page 3, found {type(error).__name__}"
    with pytest.raises(FileFormatError, match=text) as caught, named_errors("x.tif", "a thing", place="page 3"):
        raise error
    assert caught.value.__cause__ is error


@pytest.mark.parametrize(
    "error", [LabelImageError("ours"), MissingFileError("ours"), UserWarning("w"), KeyboardInterrupt()]
)
def test_named_errors_warnings_and_interrupts_pass(error):
    with pytest.raises(type(error)) as caught, named_errors("x.tif", "a thing"):
        raise error
    assert caught.value is error


def test_long_messages_of_readers_are_cut():
    with pytest.raises(FileFormatError) as caught, named_errors("x.tif", "a thing"):
        raise ValueError("a" * 10_000)
    assert len(str(caught.value)) < 500


READERS = {
    ".tif": cgc.read_labels,
    ".npy": cgc.read_labels,
    ".zarr": cgc.read_labels,
    ".h5ad": cgc.read,
    ".csv": cgc.io.read_mobie_table,
    ".txt": cgc.io.read_tracks,
    ".ome.tif": cgc.read_plate,
    ".tiff": cgc.read_movie,
}


@pytest.mark.parametrize("suffix", READERS)
def test_pipes_sockets_and_devices_are_refused_without_waiting(suffix, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # names of sockets are short
    os.mkfifo(f"pipe{suffix}")
    Path(f"device{suffix}").symlink_to("/dev/zero")
    server = socket.socket(socket.AF_UNIX)
    server.bind(f"socket{suffix}")
    for kind in ("pipe", "device", "socket"):
        with pytest.raises(FileFormatError, match=f"'{kind}{suffix}', found a pipe, socket or device"):
            READERS[suffix](f"{kind}{suffix}")
    server.close()


def test_a_pipe_inside_a_zarr_or_a_folder_is_refused(tmp_path):
    (tmp_path / "a.zarr").mkdir()
    os.mkfifo(tmp_path / "a.zarr" / "zarr.json")
    with pytest.raises(FileFormatError, match="zarr.json', found a pipe"):
        cgc.read_labels(tmp_path / "a.zarr")
    (tmp_path / "movie").mkdir()
    np.save(tmp_path / "movie" / "t0.npy", LABELS)
    os.mkfifo(tmp_path / "movie" / "t1.tif")
    with pytest.raises(FileFormatError, match="t1.tif', found a pipe"):
        cgc.read_movie(tmp_path / "movie")


@pytest.mark.parametrize("suffix", READERS)
def test_names_that_cannot_be_are_missing_and_folders_are_no_files(suffix, tmp_path):
    with pytest.raises(MissingFileError, match=r"the path of a file or folder, found '.*aaa' .File name too long"):
        READERS[suffix](tmp_path / ("a" * 400 + suffix))
    with pytest.raises(MissingFileError):
        READERS[suffix](tmp_path / f"none{suffix}")
    (tmp_path / f"folder{suffix}").mkdir()
    with pytest.raises((FileFormatError, MissingFileError), match=f"folder{suffix}"):
        READERS[suffix](tmp_path / f"folder{suffix}")


def test_files_and_folders_are_read(tmp_path):
    (tmp_path / "a").write_text("x")
    (tmp_path / "link").symlink_to(tmp_path / "a")
    for path in (tmp_path, tmp_path / "a", tmp_path / "link"):
        assert file_to_read(str(path)) == path


def test_chunks_that_cannot_be_read_name_their_place(tmp_path):
    stored = zarr.create_array(tmp_path / "a.zarr", shape=(10, 10), chunks=(5, 5), dtype="u2", fill_value=0)
    stored[:] = 7
    (tmp_path / "a.zarr" / "c" / "1" / "0").write_bytes(b"garbage")
    for given in (tmp_path / "a.zarr", stored):
        with pytest.raises(FileFormatError, match=r"whole chunks at .*a.zarr', \[0:10, 0:10\], found \w+Error"):
            cgc.from_labels(given, spacing=1)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("labels", data=LABELS.repeat(9, axis=0), chunks=(5, 5), compression="gzip")
        at = file["labels"].id.get_chunk_info(0).byte_offset
    content = bytearray((tmp_path / "a.h5").read_bytes())
    content[at : at + 8] = b"\xff" * 8
    (tmp_path / "a.h5").write_bytes(content)
    with (
        h5py.File(tmp_path / "a.h5") as file,
        pytest.raises(FileFormatError, match=r"whole chunks at '.*a.h5/labels', \["),
    ):
        cgc.from_labels(file["labels"], spacing=1)


def test_stored_arrays_are_sliced_as_what_they_hold():
    whole = np.arange(24).reshape(2, 3, 4)
    stored = Stored(zarr.array(whole, chunks=(1, 2, 3)), "a")
    assert (stored.shape, stored.ndim, stored.chunks, len(stored)) == (whole.shape, 3, (1, 2, 3), 2)
    np.testing.assert_array_equal(np.asarray(stored), whole)
    np.testing.assert_array_equal(stored[1, :2, ::2], whole[1, :2, ::2])


@pytest.mark.parametrize(
    "multiscales",
    [
        [],
        [{}],
        "x",
        5,
        None,
        [{"axes": ["y"], "datasets": [{"path": "0"}]}],
        [{"axes": [{"unit": 1}, {}], "datasets": [{"path": "0"}]}],
        [{"datasets": [{"path": "0", "coordinateTransformations": [{"type": "scale", "scale": "ab"}]}]}],
        [{"datasets": [{"path": "../../x"}]}],
        [{"datasets": {"path": "0"}}],
    ],
)
def test_metadata_of_ome_zarr_that_make_no_sense_are_named(multiscales, tmp_path):
    group = zarr.open_group(tmp_path / "a.zarr", mode="w")
    group.create_array("0", data=LABELS)
    group.attrs["multiscales"] = multiscales
    with pytest.raises(FileFormatError, match="a Zarr array or OME-Zarr at .*a.zarr', found"):
        cgc.read_labels(tmp_path / "a.zarr")
    (tmp_path / "a.zarr" / "zarr.json").write_text("[]")
    with pytest.raises(FileFormatError, match="a Zarr array or OME-Zarr at .*a.zarr', found"):
        cgc.read_labels(tmp_path / "a.zarr")


def test_damaged_h5ad_are_named(adata, tmp_path):
    whole = cgc.write(adata, tmp_path / "a.h5ad").read_bytes()
    rng = np.random.default_rng(0)
    n_refused = 0
    for _ in range(40):
        content = bytearray(whole)
        for place in rng.integers(len(whole), size=30):
            content[place] = rng.integers(256)
        (tmp_path / "b.h5ad").write_bytes(content)
        try:
            cgc.read(tmp_path / "b.h5ad")
        except FileFormatError as error:
            n_refused += "an AnnData (.h5ad or .zarr) at" in str(error)
    assert n_refused > 5
