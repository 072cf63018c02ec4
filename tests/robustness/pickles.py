"""Pickles crafted to run code, to change the process, or to take all memory, as Cellpose's `_seg.npy`."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from functools import partial

import numpy as np

import cellgraph_clr as cgc
from tests.robustness.case import Case, anything, either, refused
from tests.robustness.scenes import plain

AREA = "crafted pickles"


class Call:
    """Calls a function with arguments when it is unpickled."""

    def __init__(self, function, *arguments):
        self.what = function, arguments

    def __reduce__(self):
        return self.what


def touched(name: str = "PWNED") -> bytes:
    """Return the opcodes of a call that makes a file."""
    return pickle.dumps(Call(open, name, "w"), 2)


BODIES: dict[str, bytes | object] = {  # pickled where they are no bytes
    "open": touched(),
    "os.system": b"cos\nsystem\n(S'touch PWNED'\ntR.",
    "posix.system": b"cposix\nsystem\n(S'touch PWNED'\ntR.",
    "eval": b"cbuiltins\neval\n(S\"open('PWNED','w')\"\ntR.",
    "exec": b"cbuiltins\nexec\n(S\"open('PWNED','w')\"\ntR.",
    "subprocess": b"csubprocess\nrun\n((lS'touch'\naS'PWNED'\natR.",
    "runpy": b"crunpy\n_run_code\n(S\"open('PWNED','w')\"\n(dtR.",
    "getattr": b"cbuiltins\ngetattr\n(cbuiltins\ndict\nS'get'\ntR.",
    "a dotted name": b"\x80\x04\x8c\x05numpy\x8c\x0edtype.__class__\x93.",
    "a name of numpy.dtypes": b"\x80\x04\x8c\x0cnumpy.dtypes\x8c\x0ebuiltins.DType\x93.",
    "numpy.load": b"cnumpy\nload\n(S'b.npy'\ntR.",
    "numpy.lib": b"cnumpy.lib.npyio\nload\n(S'b.npy'\ntR.",
    "numpy.fromfile": b"cnumpy\nfromfile\n(S'/etc/hostname'\ntR.",
    "numpy.memmap": b"cnumpy\nmemmap\n(S'PWNED'\ntR.",
    "an inner object of masks": {"masks": np.array([[Call(open, "PWNED", "w")]], object)},
    "an object beside masks": {"masks": plain(2), "x": Call(open, "PWNED", "w")},
    "a key that calls": [(Call(open, "PWNED", "w"), 1)],
    "defaults of a function changed": b"cnumpy._core.numeric\n_frombuffer\n(N}S'__defaults__'\n(I1\ntsS'marker'\nS'x'\nstb.",
    "an attribute of a function": b"cnumpy._core.numeric\n_frombuffer\n}S'marker'\nS'x'\nsb.",
    "an attribute of ndarray": b"cnumpy\nndarray\n(N}S'marker'\nS'x'\nstb.",
    "an attribute of dtype": b"cnumpy\ndtype\n(N}S'marker'\nS'x'\nstb.",
    "an attribute of a codec": b"c_codecs\nencode\n(N}S'marker'\nS'x'\nstb.",
    "defaults of _reconstruct": b"cnumpy._core.multiarray\n_reconstruct\n(N}S'__defaults__'\n(I1\ntstb.",
    "a persistent id": b"Px\n.",
    "an extension": b"\x82\x01.",
    "nested lists without end": b"(l" * 100_000 + b"." ,
    "tuples in tuples": b"(" * 50_000 + b"t" * 50_000 + b".",
    "a set": {1, 2},
    "a list that holds itself": b"]q\x00h\x00a.",
    "a dict that holds itself": b"}q\x00(S'masks'\nh\x00u.",
    "931 GiB of bytes": b"\x8e" + (931 << 30).to_bytes(8, "little") + b"x.",
    "a frame of 931 GiB": b"\x80\x04\x95" + (931 << 30).to_bytes(8, "little") + b".",
    "an array of 931 GiB": b"cnumpy._core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(L999999999999L\ntS'b'\ntR.",
    "a negative shape": b"cnumpy._core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I-3\ntS'b'\ntR.",
    "a memo of 2**31": b"(lr\xff\xff\xff\x7f.",
    "an array of a bad state": b"cnumpy._core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I0\ntS'b'\ntR(I1\n(I9\ntcnumpy\ndtype\n(S'i8'\ntRI00\nS'x'\ntb.",
    "an array of objects of no object": b"cnumpy._core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I0\ntS'b'\ntR(I1\n(I9\ntcnumpy\ndtype\n(S'O'\ntRI00\n(ltb.",
    "a dtype of no sense": b"cnumpy\ndtype\n(S'zz'\ntR.",
    "no masks": {"outlines": plain(2)},
    "masks of text": {"masks": "x"},
    "masks of None": {"masks": None},
    "masks of floats": {"masks": plain(2) * 0.5},
    "masks of a line": {"masks": plain(2).ravel()},
    "masks of four axes": {"masks": np.ones((2, 2, 2, 2), int)},
    "masks of nothing": {"masks": plain(2)[:0]},
    "masks of objects": {"masks": plain(2).astype(object)},
    "an array": plain(2).astype(object),
    "a number": 3,
    "None": None,
    "no end": b"(lp0\n",
    "nothing": b"",
    "stop at once": b".",
    "opcodes unknown": b"\xff\xfe.",
    "pop of an empty stack": b"00.",
}  # fmt: skip


def file_of(body: object) -> bytes:
    """Return a .npy that holds a pickled object, or the bytes of a pickle."""
    header = b"{'descr':'|O','fortran_order':False,'shape':(),}"
    header += b" " * (64 - (11 + len(header)) % 64) + b"\n"
    content = body if isinstance(body, bytes) else pickle.dumps(body, 4)
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + content


def cases() -> Iterator[Case]:
    """Yield every pickle as labels, as frames and as tracks of a movie."""
    for name, body in BODIES.items():
        yield Case(AREA, f"{name}: read_labels", partial(_read, body, cgc.read_labels, refused))
        yield Case(AREA, f"{name}: read_movie", partial(_read, body, cgc.read_movie, either))


def _read(body, read, must, folder, seed):
    (folder / "b.npy").write_bytes(file_of(body))
    must(lambda: read(folder / "b.npy"), anything)
