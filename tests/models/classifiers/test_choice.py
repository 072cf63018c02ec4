"""The choice by held-out likelihood: planted truth, what stays apart, and what is done where nothing can be compared."""

import numpy as np
import pytest

from cellgraph_clr.models import CalibratedTrees, SoftInfoNCEClassifier
from cellgraph_clr.models.classifiers.choice import MOST_CELLS, Candidate, candidates, choose


def new(kind):
    if kind == "trees":
        return CalibratedTrees(n_trees=30, n_jobs=1, calibrate=False)
    return SoftInfoNCEClassifier(head=kind, n_steps=30, calibrate=False, progress=False)


def places(n, n_samples=1):
    rng = np.random.default_rng(9)
    return {
        "sample": np.array([f"s{k}" for k in rng.integers(n_samples, size=n)]),
        "position": rng.uniform(size=(n, 2)),
    }


def windows(n=240, seed=0):
    """Two features in a checkerboard of four squares, twenty of noise: trees see it, linear maps cannot."""
    x = np.random.default_rng(seed).uniform(-1, 1, size=(n, 6)).astype(np.float32)
    return x, ((x[:, 0] > 0) ^ (x[:, 1] > 0)).astype(int)


def sums(n=240, seed=0):
    """The sign of a sum over forty features: a linear map sees it, trees ask one at a time."""
    x = np.random.default_rng(seed).normal(size=(n, 40)).astype(np.float32)
    return x, (x.sum(axis=1) > 0).astype(int)


@pytest.mark.parametrize(("table", "kind"), [(windows, "trees"), (sums, "linear")])
def test_the_classifier_that_fits_the_truth_is_chosen(table, kind):
    x, y = table()
    listed = candidates(["X"], ["trees", "linear"])
    choice = choose(listed, {"X": x}, y, new=new, seed=0, **places(len(y)))
    assert choice.chosen == Candidate(kind, ("X",))
    assert choice.by == "block"
    assert choice.n_cells == len(y)
    assert choice.scores[f"{kind} on X"]["accuracy"] > 0.75
    again = [choose(listed[:1] * 2, {"X": x}, y, new=new, seed=seed, **places(len(y))) for seed in (0, 0, 1)]
    assert again[0] == again[1]
    assert again[2].scores != again[0].scores


def test_vectors_that_tell_more_are_taken_and_noise_is_mostly_left():
    taken = []
    for seed in range(6):
        rng = np.random.default_rng(seed)
        y = rng.integers(3, size=200)
        signal = rng.normal(size=(200, 3)).astype(np.float32) + 2 * np.eye(3, dtype=np.float32)[y]
        noise = rng.normal(size=(200, 3)).astype(np.float32)
        for first, other in ((noise, signal), (signal, noise)):
            listed = candidates(["a", "b"], ["trees"])
            choice = choose(listed, {"a": first, "b": other}, y, new=new, seed=0, **places(len(y)))
            taken.append(choice.chosen.blocks)
            score = choice.scores["trees on a + b"]
            assert (choice.chosen.blocks == ("a", "b")) == (score["gain"] > score["gain_error"])
    assert taken[::2] == [("a", "b")] * 6
    assert taken[1::2].count(("a",)) >= 4  # one standard error is passed by luck in one of six, or a little more often


def test_what_a_sample_alone_tells_does_not_win():
    """A block that knows the sample, each of which is mostly of one type, is of no use in another sample."""
    rng = np.random.default_rng(0)
    where = places(300, n_samples=10)
    code = np.unique(where["sample"], return_inverse=True)[1]
    y = np.where(rng.random(300) < 0.8, code % 3, rng.integers(3, size=300))
    weak = (rng.normal(size=(300, 3)) + 0.8 * np.eye(3)[y]).astype(np.float32)
    knows = np.eye(10, dtype=np.float32)[code]
    listed = candidates(["X", "Y"], ["trees"])
    blocks = {"X": weak, "Y": knows}
    apart = choose(listed, blocks, y, new=new, seed=0, **where)
    assert (apart.by, apart.chosen.blocks) == ("sample", ("X",))
    mixed = choose(listed, blocks, y, new=new, seed=0, sample=np.full(300, ""), position=None)
    assert (mixed.by, mixed.chosen.blocks) == ("cell", ("X", "Y"))  # folds that cut samples are deceived


class Told:
    """Logits that know the label for a share of cells; remembers what it was shown."""

    def __init__(self, share, seen):
        self.share, self.seen = share, seen

    def out_of_fold(self, x, y, parts):
        self.seen.append((x, y, parts))
        out = np.full((len(y), y.max() + 1), np.nan)
        for _, test in parts:
            known = np.random.default_rng(3).random(len(y))[test] < self.share
            out[test] = np.where(known[:, None], 4.0 * np.eye(y.max() + 1)[y[test]], 0)
        return out


def test_a_gain_within_its_error_changes_nothing():
    rng = np.random.default_rng(0)
    y = rng.integers(4, size=200)
    x = {"X": np.zeros((200, 1), np.float32)}
    for share, kind in ((0.505, "trees"), (0.8, "mlp")):
        shares = {"trees": 0.5, "mlp": share}
        choice = choose(
            candidates(["X"], list(shares)), x, y, new=lambda k, s=shares: Told(s[k], []), seed=0, **places(200)
        )
        assert choice.chosen.kind == kind
        score = choice.scores["mlp on X"]
        assert (score["gain"] > score["gain_error"]) == (kind == "mlp")
        assert choice.scores["trees on X"]["gain"] == 0


def test_every_candidate_answers_for_the_same_cells_and_no_sample_is_cut():
    y = np.random.default_rng(0).integers(3, size=5000)
    seen = []
    where = places(5000, n_samples=8)
    rows = np.arange(5000, dtype=np.float32)[:, None]
    choose(
        candidates(["a", "b"], ["trees", "mlp"]),
        {"a": rows, "b": rows},
        y,
        new=lambda _: Told(0.5, seen),
        seed=0,
        **where,
    )
    assert len(seen) == 4
    for x, codes, parts in seen:
        drawn = x[:, 0].astype(int)
        np.testing.assert_array_equal(codes, y[drawn])
        assert abs(len(drawn) - MOST_CELLS) < 3
        assert sum(len(test) for _, test in parts) == len(drawn)
        for train, test in parts:
            assert not set(where["sample"][drawn[train]]) & set(where["sample"][drawn[test]])


def test_candidates_are_few():
    named = [str(c) for c in candidates(["X", "A", "B"], ["trees", "mlp"])]
    assert named == [
        "trees on X",
        "trees on X + A",
        "trees on X + B",
        "trees on X + A + B",
        "mlp on X",
        "mlp on X + A + B",
    ]
    assert [str(c) for c in candidates(["X"], ["trees", "mlp"])] == ["trees on X", "mlp on X"]


def test_where_nothing_can_be_left_out_the_first_is_taken():
    x = {"X": np.eye(3, dtype=np.float32)}
    with pytest.warns(UserWarning, match="No class has two"):
        choice = choose(candidates(["X"], ["trees", "mlp"]), x, np.arange(3), new=new, seed=0, **places(3))
    assert (str(choice.chosen), choice.by, choice.scores) == ("trees on X", "nothing", {})


@pytest.mark.parametrize("n_each", [2, 3])
def test_two_or_three_labels_a_class(n_each):
    y = np.append(np.repeat(np.arange(3), n_each), 3)  # and one of a class of its own
    x = (np.random.default_rng(0).normal(size=(len(y), 5)) + 3 * np.eye(5)[y]).astype(np.float32)
    choice = choose(candidates(["X"], ["trees", "linear"]), {"X": x}, y, new=new, seed=0, **places(len(y)))
    assert 2 <= choice.n_cells <= 3 * n_each
    assert all(np.isfinite(s["log_likelihood"]) for s in choice.scores.values())


@pytest.mark.parametrize("kind", ["trees", "linear"])
def test_what_is_left_out_is_predicted_without_its_label(kind):
    x, y = sums(60)
    parts = [(np.arange(30), np.arange(30, 50)), (np.arange(30, 60), np.arange(30))]
    logits = new(kind).out_of_fold(x, y, parts)
    assert np.isnan(logits[50:]).all()
    other = y.copy()
    other[30:] = 1 - y[30:]
    np.testing.assert_allclose(new(kind).out_of_fold(x, other, parts)[30:50], logits[30:50], atol=1e-6)
    assert not np.allclose(new(kind).out_of_fold(x, other, parts)[:30], logits[:30])


def test_a_class_that_is_not_grown_on_is_never_chosen():
    x, y = sums(60)
    y[:5] = 2
    logits = new("trees").out_of_fold(x, y, [(np.arange(5, 60), np.arange(5))])
    assert (logits[:5].argmax(axis=1) != 2).all()
    assert np.isfinite(logits[:5]).all()
