"""The index: exact against a full sort, approximate near it, files, bad input."""

import numpy as np
import pytest

from cellgraph_clr._core.errors import ModelFileError, NoCellsError, NonFiniteError, OptionError, ShapeError
from cellgraph_clr.analysis import hnsw, index_files, retrieval
from cellgraph_clr.analysis.index import VectorIndex
from cellgraph_clr.analysis.retrieval import standardised_directions


@pytest.fixture
def vectors(rng):
    centres = rng.normal(size=(20, 12))
    return (centres[rng.integers(20, size=800)] + rng.normal(size=(800, 12)) * 0.7).astype(np.float32)


def test_exact_is_a_full_sort_whatever_the_block(vectors, monkeypatch):
    directions = standardised_directions(vectors)
    cosine = directions[:50] @ directions.T
    expected = np.argsort(-cosine, axis=1, kind="stable")[:, :9]
    for block in (2**22, 3000):
        monkeypatch.setattr(retrieval, "BLOCK_ENTRIES", block)
        ids, similarity = VectorIndex.build(vectors, np.arange(800) + 1000).query(vectors[:50], 9)
        np.testing.assert_array_equal(ids, expected + 1000)
        np.testing.assert_allclose(similarity, np.take_along_axis(cosine, expected, 1), atol=1e-5)
    every = VectorIndex.build(vectors).query(vectors[3], 800)[0]
    assert sorted(every[0]) == list(range(800))


def test_approximate_finds_nearly_all_and_says_how_many(vectors):
    exact, graph = (VectorIndex.build(vectors, approximate=a) for a in (False, True))
    true, found = (i.query(vectors, 10)[0] for i in (exact, graph))
    recall = np.mean([len(np.intersect1d(a, b)) / 10 for a, b in zip(true, found, strict=True)])
    assert recall > 0.98
    assert graph.recall_ == pytest.approx(recall, abs=0.02)
    np.testing.assert_array_equal(graph.query(vectors[:5], 10, exact=True)[0], true[:5])
    assert "approximate, recall@10" in repr(graph)
    assert exact.recall_ == 1


@pytest.mark.parametrize("approximate", [False, True])
def test_files_come_back_and_halves_are_refused(vectors, approximate, tmp_path):
    index = VectorIndex.build(vectors, [f"cell {i}" for i in range(800)], approximate=approximate)
    index.save(tmp_path / "i.npz")
    back = VectorIndex.load(tmp_path / "i.npz")
    for a, b in zip(back.query(vectors[:7], 5), index.query(vectors[:7], 5), strict=True):
        np.testing.assert_array_equal(a, b)
    assert back.recall_ == index.recall_
    assert back.query(vectors[7], 1)[0][0, 0] == "cell 7"
    (tmp_path / "i.npz").write_bytes((tmp_path / "i.npz").read_bytes()[:-100])
    with pytest.raises(ModelFileError, match="a saved index"):
        VectorIndex.load(tmp_path / "i.npz")


def test_bad_input_is_named(vectors):
    index = VectorIndex.build(vectors)
    with pytest.raises(ShapeError, match=r"query vectors of width 12, found \(1, 3\)"):
        index.query(np.zeros((1, 3)))
    with pytest.raises(OptionError, match="`k`.*found 900"):
        index.query(vectors[:1], 900)
    with pytest.raises(NonFiniteError):
        index.query(np.full((1, 12), np.nan))
    with pytest.raises(NoCellsError):
        VectorIndex.build(np.zeros((0, 3)))
    with pytest.raises(ShapeError, match="800 ids"):
        VectorIndex.build(vectors, np.arange(3))


def test_constant_vectors_are_all_alike():
    ids, similarity = VectorIndex.build(np.ones((4, 2))).query(np.ones((1, 2)), 3)
    assert len(set(ids[0].tolist())) == 3
    assert similarity.tolist() == [[0, 0, 0]]
    assert VectorIndex.build(np.ones((4, 2))).query(np.zeros((0, 2)), 3)[0].shape == (0, 3)


def test_equal_vectors_are_no_misses(rng):
    index = VectorIndex.build(np.repeat(rng.normal(size=(3, 4)), 300, axis=0), approximate=True)
    assert index.recall_ == 1


def test_all_rows_are_found_whatever_the_graph_reaches(rng):
    vectors = rng.normal(size=(3000, 48))
    vectors[:1500] = vectors[0] + 1e-6 * vectors[:1500]  # a crowd whose links leave it nowhere
    ids, similarity = VectorIndex.build(vectors, approximate=True).query(vectors[:2], 3000)
    np.testing.assert_array_equal(np.sort(ids, axis=1), [np.arange(3000)] * 2)
    assert (np.diff(similarity, axis=1) <= 1e-5).all()


@pytest.mark.parametrize("n_missed", [0, 3, 10])
def test_recall_is_the_share_of_the_nearest_that_is_found(vectors, n_missed):
    """A graph that never finds the nearest few, and gives what comes after the tenth instead."""
    from cellgraph_clr.analysis.index import _measured_recall

    class Missing:
        def search(self, queries, k):
            rows, similarity = retrieval.nearest(queries, directions, k + n_missed)
            return np.ones(len(queries), bool), rows[:, n_missed:], similarity[:, n_missed:]

    directions = standardised_directions(vectors)
    assert _measured_recall(directions, Missing()) == pytest.approx(1 - n_missed / 10)


def _saved(vectors, path, **changed):
    """Save an index, and again with other arrays and a hash that fits them."""
    VectorIndex.build(vectors, approximate=True).save(path)
    with np.load(path) as file:
        arrays = {k: file[k] for k in index_files.ARRAYS} | changed
    index_files.write_index(path, arrays, recall=0.9)


def test_a_graph_made_to_harm_is_never_read(vectors, tmp_path):
    garbage = np.random.default_rng(0).integers(256, size=5000).astype(np.uint8)
    _saved(vectors, tmp_path / "i.npz", graph=garbage)
    index = VectorIndex.load(tmp_path / "i.npz")
    np.testing.assert_array_equal(index.query(vectors[:9], 1)[0][:, 0], np.arange(9))
    assert index.recall_ > 0.98


def test_a_trusted_graph_comes_as_it_was(vectors, tmp_path, monkeypatch):
    index = VectorIndex.build(vectors, approximate=True)
    index.save(tmp_path / "i.npz")
    monkeypatch.setattr(hnsw.DirectionGraph, "build", None)
    back = VectorIndex.load(tmp_path / "i.npz", trusted=True)
    for a, b in zip(back.query(vectors[:7], 5), index.query(vectors[:7], 5), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(
    "changed",
    [
        {"ids": np.arange(3)},
        {"ids": np.arange(800.0)},
        {"node": np.full(800, 10**9)},
        {"node": np.full(800, -1)},
        {"node": np.full(800, 5)},
        {"mean": np.zeros(3, np.float32)},
        {"scale": np.full(12, -1.0)},
        {"scale": np.ones(12, np.float32)},
        {"mean": np.full(12, np.nan, np.float32)},
        {"directions": np.zeros((800, 12))},
        {"directions": np.full((800, 12), np.inf, np.float32)},
        {"graph": np.zeros((5, 5), np.uint8)},
    ],
)
def test_arrays_that_do_not_belong_together_are_refused(vectors, changed, tmp_path):
    _saved(vectors, tmp_path / "i.npz", **changed)
    with pytest.raises(ModelFileError, match="belong together"):
        VectorIndex.load(tmp_path / "i.npz", trusted=True)


def test_a_flipped_byte_is_found(vectors, tmp_path):
    path = tmp_path / "i.npz"
    VectorIndex.build(vectors, approximate=True).save(path)
    whole, rng = path.read_bytes(), np.random.default_rng(1)
    for place in rng.integers(len(whole), size=60):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        try:
            back = VectorIndex.load(path)
        except ModelFileError:
            continue
        np.testing.assert_array_equal(back.ids, np.arange(800))  # a byte that means nothing, as a date in the archive


@pytest.mark.parametrize("approximate", [False, True])
def test_columns_that_do_not_vary_are_kept(vectors, approximate, tmp_path):
    flat = vectors.copy()
    flat[:, 1] = 7
    index = VectorIndex.build(flat, approximate=approximate)
    index.save(tmp_path / "i.npz")
    back = VectorIndex.load(tmp_path / "i.npz")
    for ours, theirs in zip(back.query(flat[:9], 5, exact=True), index.query(flat[:9], 5, exact=True), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_far_from_zero_it_is_as_exact_as_retrieval(rng):
    far = (2**23 + 2**22 + rng.integers(0, 3, (300, 3))).astype(np.float32)
    similarity = VectorIndex.build(far).query(far[:20], 10)[1]
    directions = standardised_directions(far)
    np.testing.assert_allclose(similarity, -np.sort(-(directions[:20] @ directions.T))[:, :10], atol=1e-6)


@pytest.mark.parametrize("approximate", [False, True])
def test_what_has_no_direction_is_like_nothing(approximate):
    index = VectorIndex.build(np.ones((5, 2)), approximate=approximate)
    assert index.query([[3.0, 4.0], [1.0, 1.0]], 2)[1].tolist() == [[0, 0], [0, 0]]
