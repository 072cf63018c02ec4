"""Packing and unpacking, against a reader written here."""

import base64
import gzip

import numpy as np
import pytest

from cellgraph_clr._report.blocks import Blocks, rounded, shuffled


def unpacked(blocks, name):
    data = gzip.decompress(base64.b64decode(blocks.text[name]))
    kind = blocks.about[name]["kind"]
    if kind == "text":
        return data.decode().split("\n")
    planes = np.frombuffer(data, np.uint8).reshape(np.dtype(kind).itemsize, -1)
    return planes.T.copy().view(np.dtype(kind).newbyteorder("<")).ravel()


@pytest.mark.parametrize("kind", ["uint8", "int8", "uint16", "int16", "uint32", "int32", "float32"])
def test_arrays_come_back(kind, rng):
    values = (rng.normal(size=(7, 3)) * 100).astype(kind)
    blocks = Blocks()
    blocks.add("a", values)
    np.testing.assert_array_equal(unpacked(blocks, "a"), values.ravel())
    assert blocks.about["a"] == {"kind": kind, "length": 21}
    assert shuffled(values.astype(values.dtype.newbyteorder(">"))) == shuffled(values)


def test_texts_come_back_a_line_each():
    blocks = Blocks()
    blocks.add_lines("names", ["a", "b\nc", "µ </script>"])
    assert unpacked(blocks, "names") == ["a", "b c", "µ </script>"]
    assert "<" not in blocks.text["names"]


def test_the_same_arrays_are_the_same_text():
    one, two = Blocks(), Blocks()
    for blocks in (one, two):
        blocks.add("a", np.arange(1000, dtype=np.float32))
    assert one.text == two.text


@pytest.mark.parametrize("bits", [7, 11])
def test_rounding_keeps_its_promise(bits, rng):
    values = np.exp(rng.normal(size=2000) * 20).astype(np.float32) * rng.choice([-1, 1], 2000)
    kept = rounded(values, bits)
    assert (np.abs(kept - values) <= 2.0 ** -(bits + 1) * np.abs(values) * (1 + 1e-6)).all()
    assert len(gzip.compress(shuffled(kept))) < 0.75 * len(gzip.compress(shuffled(values.astype(np.float32))))


def test_rounding_keeps_whole_numbers_and_what_is_none():
    np.testing.assert_array_equal(rounded(np.arange(4097), 11), np.arange(4097))
    odd = np.array([np.nan, np.inf, -np.inf, 0.0, 3.4028235e38])
    np.testing.assert_array_equal(rounded(odd, 7), odd.astype(np.float32))
