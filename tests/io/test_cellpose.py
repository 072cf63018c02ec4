"""Pickles of Cellpose: all plain data come out, and nothing in a file changes or fills the process."""

import copy
import pickle
import tracemalloc

import numpy as np
import pytest

import cellgraph_clr as cgc
from cellgraph_clr._core.errors import FileFormatError
from cellgraph_clr.io import cellpose
from cellgraph_clr.io.cellpose import read_cellpose

LABELS = np.arange(12, dtype=np.uint16).reshape(3, 4)
HEADER = b"{'descr':'|O','fortran_order':False,'shape':(),}"
U2 = b"cnumpy\ndtype\n(S'u2'\nI00\nI01\ntR"  # np.dtype("u2"), by its name


def written(path, pickled):
    text = HEADER + b" " * (64 - (11 + len(HEADER)) % 64) + b"\n"
    path.write_bytes(b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + pickled)
    return path


def numpy_of_the_process():
    """Return what pickles have changed, or could."""
    from numpy._core import multiarray, numeric

    functions = (numeric._frombuffer, cellpose._filled, cellpose._encoded, cellpose._scalar, cellpose._from_buffer)
    kept = [(f.__defaults__, f.__kwdefaults__, copy.copy(f.__dict__)) for f in functions]
    classes = [dict(vars(c)) for c in (cellpose._Array, cellpose._DType, cellpose._Constructor)]
    return kept, classes, dict(cellpose.KNOWN), multiarray._reconstruct, np.dtype("u2").str, np.zeros(2, "u2").dtype.str


@pytest.mark.parametrize("protocol", range(6))
def test_plain_data_of_every_protocol(protocol, tmp_path):
    content = {
        "masks": LABELS,
        "columns": np.asfortranarray(LABELS),
        "swapped": LABELS.astype(">i4"),
        "outlines": [np.zeros((2, 2), int), np.ones((0, 2)) if protocol > 2 else None],
        "scalar": np.float64(3.5),
        "text": np.array(["ab", "c"]),
        "objects": np.array([None, "a"], object),
    }
    for name in ("masks", "columns", "swapped"):
        given = {**content, "masks": content[name]}
        read = read_cellpose(written(tmp_path / "a.npy", pickle.dumps(np.array(given, object), protocol)))
        np.testing.assert_array_equal(read, LABELS)
        assert read.flags.writeable


@pytest.mark.parametrize(
    ("attack", "text"),
    [
        (  # the state of a function: its defaults, and an attribute
            b"cnumpy._core.numeric\n_frombuffer\n(N}S'__defaults__'\n(I1\ntsS'marker'\nS'x'\nstb.",
            "a change of what makes arrays",
        ),
        (b"cnumpy._core.multiarray\n_reconstruct\n}S'marker'\nS'x'\nsb.", "a change of what makes arrays"),
        (b"cnumpy\ndtype\n}S'marker'\nS'x'\nsb.", "a change of what makes arrays"),
        (b"cnumpy\nndarray\n(N}S'marker'\nS'x'\nstb.", "a change of what makes arrays"),
        # the type of all uint16 of the process, in another order of bytes, with fields, and of another size
        (b"cnumpy\ndtype\n(S'u2'\nI00\nI00\ntR(I3\nS'>'\nN(S'f'\nt}S'f'\nI1\nsI-1\nI-1\nI0\ntb.", "a type with fields"),
        (b"cnumpy\ndtype\n(S'u2,u2'\nI00\nI01\ntR.", "the type 'u2,u2'"),
        (b"cnumpy\ndtype\n(S'(3,)u2'\nI00\nI01\ntR.", "the type"),
        (b"cbuiltins\ngetattr\n.", "builtins.getattr"),
        (b"cnumpy._core.multiarray\n_reconstruct.__globals__\n.", "_reconstruct.__globals__"),
        (b"cnumpy.dtypes\nUInt16DType\n.", "numpy.dtypes.UInt16DType"),
    ],
)
def test_nothing_outside_of_the_file_is_changed(attack, text, tmp_path):
    before = numpy_of_the_process()
    with pytest.raises(FileFormatError, match=f"a Cellpose file of plain data at .*{text}"):
        cgc.read_labels(written(tmp_path / "a.npy", attack))
    assert numpy_of_the_process() == before


def test_the_order_of_bytes_of_a_type_is_its_own(tmp_path):
    before = numpy_of_the_process()
    changed = b"cnumpy\ndtype\n(S'u2'\nI00\nI00\ntR(I3\nS'>'\nNNNI-1\nI-1\nI0\ntb."
    with pytest.raises(FileFormatError, match="'masks' in the Cellpose file"):
        cgc.read_labels(written(tmp_path / "a.npy", changed))
    assert numpy_of_the_process() == before


MANY = b"(L1000000000000L\nt"  # the shape (10**12,)
RECONSTRUCT = b"cnumpy._core.multiarray\n_reconstruct\n"


@pytest.mark.parametrize(
    "bomb",
    [
        b"cnumpy\nndarray\n(" + MANY + U2 + b"tR.",
        RECONSTRUCT + b"(cnumpy\nndarray\n" + MANY + b"S'b'\ntR.",
        RECONSTRUCT + b"(cnumpy\nndarray\n(I0\ntS'b'\ntR(I1\n" + MANY + U2 + b"I00\nS'abcd'\ntb.",
        RECONSTRUCT
        + b"(cnumpy\nndarray\n(I0\ntS'b'\ntR(I1\n"
        + MANY
        + b"cnumpy\ndtype\n(S'O8'\nI00\nI01\ntRI00\n(ltb.",
        b"cnumpy._core.numeric\n_frombuffer\n(S'abcd'\n" + U2 + MANY + b"S'C'\ntR.",
        b"cnumpy\ndtype\n(S'(1000000000,)u2'\nI00\nI01\ntR.",
        b"\x80\x02}r\xff\xff\xff\x00.",  # a memory of 2**24 places
        b"\x80\x04\x8e" + (10**12).to_bytes(8, "little") + b"a.",
    ],
)
def test_sizes_are_compared_with_the_bytes_that_are_there(bomb, tmp_path):
    path = written(tmp_path / "a.npy", bomb)
    tracemalloc.start()
    with pytest.raises(FileFormatError, match=r"Cellpose file"):
        read_cellpose(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2**24


def test_damaged_pickles_are_named(tmp_path, rng):
    whole = pickle.dumps(np.array({"masks": LABELS, "flows": [LABELS * 1.5, None]}, object), 4)
    before = numpy_of_the_process()
    for k in range(150):
        content = bytearray(whole[: len(whole) - k % 40])
        for place in rng.integers(len(content), size=3):
            content[place] = rng.integers(256)
        try:
            found = read_cellpose(written(tmp_path / "a.npy", bytes(content)))
        except FileFormatError:
            continue
        assert isinstance(found, np.ndarray)
    assert numpy_of_the_process() == before
