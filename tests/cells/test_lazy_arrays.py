"""Arrays that stand for others give what the others hold, sliced as NumPy arrays are, and read no more."""

import numpy as np
import pytest
import zarr

from cellgraph_clr.cells.lazy_arrays import InPlanes, OneChannel, OneChannelFrames, RowsAsPlanes, Squeezed


@pytest.fixture
def stored():
    return zarr.array(np.arange(2 * 1 * 4 * 5).reshape(2, 1, 4, 5), chunks=(1, 1, 2, 5))


def test_a_squeezed_array_keeps_the_other_axes(stored):
    whole = np.asarray(stored[:])[:, 0]
    one = Squeezed(stored, [1])
    assert (one.shape, one.chunks, one.ndim) == ((2, 4, 5), (1, 2, 5), 3)
    np.testing.assert_array_equal(np.asarray(one), whole)
    np.testing.assert_array_equal(one[1], whole[1])
    np.testing.assert_array_equal(one[:, 1:3, ::2], whole[:, 1:3, ::2])


def test_a_channel_axis_is_put_in_front():
    plane = zarr.array(np.arange(12).reshape(3, 4), chunks=(2, 2))
    image = OneChannel(plane)
    assert (image.shape, image.chunks, image.ndim) == ((1, 3, 4), (1, 2, 2), 3)
    np.testing.assert_array_equal(image[:, 1:, 2], plane[1:, 2][None])
    np.testing.assert_array_equal(np.asarray(image), plane[:][None])


def test_frames_get_a_channel_axis():
    frames = np.arange(24).reshape(2, 3, 4)
    movie = OneChannelFrames(frames)
    assert (movie.shape, movie.ndim) == ((2, 1, 3, 4), 4)
    np.testing.assert_array_equal(movie[1], frames[1][None])
    np.testing.assert_array_equal(np.asarray(movie), frames[:, None])


def test_rows_are_planes_of_one_row_and_planes_are_chunks():
    plane = np.arange(12).reshape(3, 4)
    rows = RowsAsPlanes(plane)
    assert rows.shape == (3, 1, 4)
    np.testing.assert_array_equal(rows[1:3, 0:1, 2:4], plane[1:3, None, 2:4])
    stack = InPlanes(np.arange(24).reshape(2, 3, 4))
    assert stack.chunks == (1, 3, 4)
    np.testing.assert_array_equal(stack[1, :2], np.arange(24).reshape(2, 3, 4)[1, :2])
    np.testing.assert_array_equal(np.asarray(stack), np.arange(24).reshape(2, 3, 4))
