"""Features of matches: against a loop over cells, and what they say of planted divisions."""

import numpy as np
import pytest

from cellgraph_clr.graphs.match_columns import SIDES, match_features, split_scores
from cellgraph_clr.graphs.matches import match_masks, match_nearest
from tests.graphs.test_matches import blobs


@pytest.fixture(scope="module", params=[2, 3])
def scene(request):
    labels, cells = blobs(request.param, n_frames=5, seed=request.param)
    matches, size = match_masks(cells, labels)
    return cells, match_nearest(cells, matches, size=size), size


def loop(cells, matches, size, extra):
    """Return {(row, name): value} by looking at every cell on its own."""
    d = cells.position.shape[1]
    length = size ** (1 / d)
    links = [(a, b, o) for (a, b), o in zip(matches.pairs.tolist(), matches.overlap, strict=True)]

    def its(row, side):
        return [(b if side == 0 else a, o) for a, b, o in links if (a if side == 0 else b) == row]

    def best(row, side):
        found = its(row, side)
        apart = [np.linalg.norm(cells.position[row] - cells.position[j]) / length[j] for j, _ in found]
        return min(zip(found, apart, strict=True), key=lambda f: (-f[0][1], f[1]))[0][0] if found else None

    out = {}
    for side, name in enumerate(SIDES):
        for row in range(len(cells)):
            found = its(row, side)
            claims = [j for j, _ in found if best(j, 1 - side) == row]
            top = best(row, side)
            some = top is not None
            sizes = {
                "size_sum": sum(size[j] for j, _ in found),
                "size_largest": max((size[j] for j, _ in found), default=0),
                "size_best": size[top] if some else 0,
                "size_best_sum": sum(size[j] for j in claims),
                "size_best_largest": max((size[j] for j in claims), default=0),
            }
            plain = {
                "frame": (cells.frame == cells.frame[row] + (1, -1)[side]).any(),
                "n_matches": len(found),
                "n_best": len(claims),
                "n_sharing": len(its(top, 1 - side)) if some else 0,
                "overlap_sum": sum(o for _, o in found),
                "overlap_max": max((o for _, o in found), default=0),
                "distance": np.linalg.norm(cells.position[top] - cells.position[row]) / length[row] if some else 0,
                "delta_extra": extra[top] - extra[row] if some else 0,
            }
            ratio = {k: np.log(v / size[row]) if v else None for k, v in sizes.items()}
            out |= {(row, f"{name}_{k}"): float(v) for k, v in plain.items()}
            out |= {(row, f"{name}_{k}"): v for k, v in ratio.items()}
    settled = {}
    for (row, name), value in out.items():
        same = [out[r, name] for r in np.flatnonzero(cells.frame == cells.frame[row])]
        ratio = "_size_" in name and value is not None
        settled[row, name] = value - np.median([v for v in same if v is not None]) if ratio else value or 0.0
    return settled


def test_a_loop_over_cells_finds_the_same(scene):
    cells, matches, size = scene
    extra = np.random.default_rng(0).normal(size=len(cells))
    values, names = match_features(cells, matches, size=size, features=extra[:, None], names=["extra"])
    expected = loop(cells, matches, size, extra)
    assert {n for _, n in expected} == set(names)
    for (row, name), value in expected.items():
        assert values[row, names.index(name)] == pytest.approx(value), (row, name)
    assert (np.ptp(values, axis=0) > 0).all()


def test_sizes_and_overlaps_are_left_out_where_they_are_not_known(scene):
    cells, matches, size = scene
    _, every = match_features(cells, matches, size=size)
    _, none = match_features(cells, matches, overlaps=False)
    assert set(none) < set(every)
    assert not [n for n in none if "size" in n or "overlap" in n]


def test_the_score_says_several_matches_first():
    names = ["next_frame", "next_n_matches", "next_size_largest"]
    rows = np.array([[1, 2, -0.7], [1, 3, 0.0], [1, 2, 0.5], [1, 1, -3.0], [1, 1, 0.0], [1, 0, 0.0], [0, 0, 0.0]])
    score = split_scores(rows, names)
    assert (np.diff(score[:6]) < 0).all()
    assert (score[:3] > 0.5).all()
    assert (score[3:6] < 0.5).all()
    assert np.isnan(score[6])
    assert score[0] == pytest.approx((1 + 1 / (1 + np.exp(-0.7))) / 2)
    np.testing.assert_allclose(split_scores(rows[:, :2], names[:2])[[0, 3]], [0.75, 0.25])
