"""Nearest cells: full sorts, ties, blocks, what is not allowed."""

import numpy as np
import pytest

from cellgraph_clr._core.errors import OptionError, ShapeError
from cellgraph_clr.analysis import retrieval


def test_top_k_is_a_stable_sort(rng):
    scores = rng.integers(0, 5, 50).astype(float)
    order = np.lexsort((np.arange(50), -scores))
    for k in (1, 7, 50, 80):
        np.testing.assert_array_equal(retrieval.top_k(scores, k), order[:k])
    allowed = scores < 4
    assert allowed[retrieval.top_k(scores, 10, allowed=allowed)].all()
    with pytest.raises(OptionError, match="`k` to be a number in"):
        retrieval.top_k(scores, 0)


def test_similarity_to_a_query(rng):
    d = retrieval.standardised_directions(rng.normal(size=(100, 6)))
    np.testing.assert_allclose(np.linalg.norm(d, axis=1), 1, rtol=1e-5)
    np.testing.assert_allclose(retrieval.query_similarity(d, d[:5], aggregate="max"), (d @ d[:5].T).max(1), rtol=1e-5)
    np.testing.assert_allclose(retrieval.query_similarity(d, d[:1]), d @ d[0], rtol=1e-5, atol=1e-6)
    with pytest.raises(ShapeError, match="width 6"):
        retrieval.query_similarity(d, d[:, :3])


@pytest.mark.parametrize("k", [1, 9, 200])
def test_nearest_is_a_stable_sort_whatever_the_blocks(rng, k, monkeypatch):
    directions = rng.integers(0, 3, (300, 3)).astype(np.float32)  # many ties, and sums that are exact
    queries = directions[:70]
    allowed = rng.random(300) < 0.9
    cosine = np.where(allowed, queries @ directions.T, -np.inf)
    for entries, block in ((2**22, 1024), (1000, 64), (1, 7)):
        monkeypatch.setattr(retrieval, "BLOCK_ENTRIES", entries)
        monkeypatch.setattr(retrieval, "BLOCK_QUERIES", block)
        rows, similarity = retrieval.nearest(queries, directions, k, allowed=allowed)
        np.testing.assert_array_equal(rows, np.argsort(-cosine, axis=1, kind="stable")[:, :k])
        np.testing.assert_array_equal(similarity, np.take_along_axis(cosine, rows, 1))
    assert retrieval.nearest(queries[:0], directions, k)[0].shape == (0, k)


def test_scale_in_blocks_of_rows_is_the_scale(rng, monkeypatch):
    x = rng.normal(3, 2, (500, 4)).astype(np.float32)
    x[:, 2] = 7
    monkeypatch.setattr(retrieval, "BLOCK_ROWS", 37)
    mean, scale = retrieval.column_scale(x)
    np.testing.assert_allclose(mean, x.mean(0), rtol=1e-5)
    np.testing.assert_allclose(scale[[0, 1, 3]], 1 / x.std(0)[[0, 1, 3]], rtol=1e-5)
    assert scale[2] == 0


def test_the_mean_of_a_query_is_a_direction(rng):
    d = retrieval.standardised_directions(rng.normal(size=(100, 6)))
    for rows in ([4], [0, 7, 20], range(60)):
        centre = sum(d[i].astype(float) for i in rows)
        expected = [v @ centre / np.linalg.norm(v) / np.linalg.norm(centre) for v in d.astype(float)]
        np.testing.assert_allclose(retrieval.query_similarity(d, d[list(rows)]), expected, atol=1e-6)


def test_directions_are_seen_from_the_reference(rng):
    reference = rng.normal(size=(50, 3)) * [1, 20, 0.1] + [5, 0, -3]
    x = rng.normal(size=(8, 3)) * 9 + 2
    z = (x - reference.mean(0)) / reference.std(0)
    expected = z / np.linalg.norm(z, axis=1, keepdims=True)
    np.testing.assert_allclose(retrieval.standardised_directions(x, reference), expected, atol=1e-6)
    one = retrieval.standardised_directions(x[:1], reference)
    np.testing.assert_allclose(one, expected[:1], atol=1e-6)  # whatever is asked for beside it


def test_rounding_is_no_spread(rng):
    x = np.column_stack([rng.normal(size=1000), np.full(1000, 0.1), np.full(1000, 1e8) + 1e-7 * rng.normal(size=1000)])
    assert x[:, 1].std() > 0  # of a column that never varies
    assert (retrieval.column_scale(x)[1][1:] == 0).all()
    tiny = 1e-9 * rng.normal(size=(1000, 1))
    assert retrieval.column_scale(tiny)[1][0] == pytest.approx(1 / tiny.std())
