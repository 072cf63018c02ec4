"""`gr.temporal_matches`: what it writes, the laws it keeps, and planted divisions in 2D and 3D."""

import numpy as np
import pandas as pd
import pytest
from anndata import AnnData

import cellgraph_clr as cgc
from cellgraph_clr._core.errors import CellGraphError, MissingKeyError, NonFiniteError, OptionError, ShapeError
from cellgraph_clr.datasets.events import event_movie
from cellgraph_clr.gr import temporal_matches


@pytest.fixture(scope="module")
def movie():
    return event_movie(25, 16, side=140, random_state=1)


@pytest.fixture(scope="module")
def cells(movie):
    return cgc.from_movie(movie, features=("shape",), n_jobs=1)


def volume_movie(seed=0, n_frames=7, n_cells=6):
    """Return a 3D movie of boxes that drift; each divides once along x into two halves. Ids are tracks."""
    rng = np.random.default_rng(seed)
    labels = np.zeros((n_frames, 14, 40, 60), np.int32)
    tracks, last = [], n_cells
    for i in range(n_cells):
        z, y, x = 4, 2 + 12 * (i // 2), 5 + 28 * (i % 2)
        end = int(rng.integers(1, n_frames - 2))
        names = [i + 1, last + 1, last + 2]
        last += 2
        tracks += [(names[0], 0, end, 0), *((n, end + 1, n_frames - 1, names[0]) for n in names[1:])]
        for t in range(n_frames):
            dz, dy, dx = rng.integers(-1, 2, 3)
            box = labels[t, z + dz : z + dz + 6, y + dy : y + dy + 8, x + dx : x + dx + 12]
            box[...] = names[0]
            if t > end:
                box[..., :6], box[..., 6:] = names[1], names[2]
    table = pd.DataFrame(tracks, columns=["track", "begin", "end", "parent"])
    return cgc.Movie.build(labels.astype(np.float32), labels, table, axes="tzyx", spacing=(2.0, 1.0, 1.0))


def both(adata, **options):
    found = temporal_matches(adata, copy=True, **options)
    return np.column_stack([found.features, found.split_score]), found.features.columns


def test_what_is_written(movie, cells):
    adata = cells.copy()
    found = temporal_matches(adata, labels=movie, copy=True)
    assert "X_matches" not in adata.obsm
    assert temporal_matches(adata, labels=np.asarray(movie.labels)) is None
    pd.testing.assert_frame_equal(adata.obsm["X_matches"], found.features)
    np.testing.assert_array_equal(adata.obs["split_score"], found.split_score)
    assert (found.features.dtypes == np.float32).all()
    assert np.isfinite(found.features).all().all()
    last = (adata.obs["frame"] == 15).to_numpy()
    assert np.isnan(found.split_score[last]).all()
    assert not np.isnan(found.split_score[~last]).any()
    assert (found.features.loc[last].filter(like="next_") == 0).all().all()
    assert (found.features.loc[(adata.obs["frame"] == 0).to_numpy()].filter(like="previous_") == 0).all().all()
    assert "gr.temporal_matches" in adata.uns["cellgraph_clr"]["runs"]["X_matches"]
    temporal_matches(adata, labels=movie, key_added="other", score_key="score")
    assert {"other", "X_matches"} <= set(adata.obsm)
    assert "score" in adata.obs


@pytest.mark.parametrize("make", [lambda m: m, lambda _: volume_movie()], ids=["2D", "3D"])
def test_planted_divisions_are_found_without_labels(movie, make):
    from cellgraph_clr.metrics import average_precision

    made = make(movie)
    adata = cgc.from_movie(made, features=("shape",), n_jobs=1)
    temporal_matches(adata, labels=made)
    seen = adata.obs["split_score"].notna().to_numpy()
    divides = (adata.obs["event"] == "division").to_numpy()[seen]
    assert divides.sum() >= 6
    assert average_precision(divides, adata.obs["split_score"].to_numpy()[seen]) > 0.95
    mothers = adata.obsm["X_matches"].loc[adata.obs["event"].to_numpy() == "division"]
    assert (mothers["next_n_matches"] >= 2).mean() > 0.9
    assert (mothers["previous_n_matches"] >= 2).mean() < 0.5


def test_permuted_rows_other_ids_and_shifted_masks_change_nothing(movie, cells):
    masks = np.asarray(movie.labels)
    expected, _ = both(cells, labels=masks, features=["area", "extent"])
    order = np.random.default_rng(0).permutation(cells.n_obs)
    permuted, _ = both(cells[order].copy(), labels=masks, features=["area", "extent"])
    np.testing.assert_allclose(permuted, expected[order], rtol=1e-5, atol=1e-6)
    new = np.append(0, np.random.default_rng(1).permutation(masks.max()) + 7)
    renamed = cells.copy()
    renamed.obs["cell_id"] = new[cells.obs["cell_id"]]
    found, _ = both(renamed, labels=new[masks], features=["area", "extent"])
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)
    shifted = np.pad(masks, ((0, 0), (9, 0), (0, 5)))
    found, _ = both(cells, labels=shifted, features=["area", "extent"])
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("by", ["masks", "position", "tracks"])
def test_time_reversed_swaps_the_sides(movie, cells, by):
    masks = np.asarray(movie.labels)
    options = {"tracks": "track"} if by == "tracks" else {}
    expected, names = both(cells, **options, **({"labels": masks} if by == "masks" else {}))
    back = cells.copy()
    back.obs["frame"] = 15 - cells.obs["frame"].to_numpy()
    found, _ = both(back, **options, **({"labels": masks[::-1]} if by == "masks" else {}))
    k = len(names) // 2
    assert [n.removeprefix("next_") for n in names[:k]] == [n.removeprefix("previous_") for n in names[k:]]
    np.testing.assert_allclose(found[:, :k], expected[:, k : 2 * k], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(found[:, k : 2 * k], expected[:, :k], rtol=1e-5, atol=1e-6)
    assert np.abs(found - expected)[:, : 2 * k].max() > 0.5


def test_samples_and_gaps_stay_apart(movie, cells):
    others = event_movie(20, 9, side=140, random_state=5)
    more = cgc.from_movie(others, features=("shape",), n_jobs=1)
    joined = cgc.concat({"one": cells, "other": more})
    for options in ({}, {"labels": True}):
        by_sample = {"one": movie, "other": others}
        found, _ = both(joined, **(options and {"labels": by_sample}))
        alone = [both(a, **(options and {"labels": m}))[0] for a, m in ((cells, movie), (more, others))]
        np.testing.assert_allclose(found, np.concatenate(alone), rtol=1e-5, atol=1e-6)
    with pytest.raises(MissingKeyError, match="labels for each of 2 samples"):
        temporal_matches(joined, labels=movie)
    gap = cells[(cells.obs["frame"] != 7).to_numpy()].copy()
    found = temporal_matches(gap, labels=movie, copy=True)
    before = (gap.obs["frame"] == 6).to_numpy()
    assert np.isnan(found.split_score[before]).all()
    assert (found.features.loc[before, "next_n_matches"] == 0).all()


def test_tracks_match_mothers_with_daughters(movie, cells):
    parents = movie.tracks.set_index("track")["parent"].to_dict()
    found, plain = (
        temporal_matches(cells, tracks="track", parents=p, copy=True).features["next_n_matches"]
        for p in (parents, None)
    )
    inside = (cells.obs["frame"] < 15).to_numpy()
    np.testing.assert_array_equal(found[inside] == 2, (cells.obs["event"] == "division")[inside])
    assert plain.max() == 1


def test_every_option_changes_the_result(movie, cells):
    expected, names = both(cells, labels=movie)
    doubled = cells.copy()
    doubled.obs["double"] = np.where(np.arange(cells.n_obs) % 2, "a", "b")
    for options in ({"min_overlap": 0.6}, {"size_key": "extent"}, {"labels": None}):
        found, others = both(cells, **{"labels": movie, **options})
        assert found.shape != expected.shape or not np.allclose(found, expected, equal_nan=True), options
    assert {"next_delta_area", "previous_delta_area"} == set(both(cells, labels=movie, features=["area"])[1]) - set(
        names
    )
    found, _ = both(doubled, library_key="double")
    assert not np.allclose(found, both(doubled)[0], equal_nan=True)


def test_sizes_are_those_measured_or_the_voxels_of_the_masks(movie, cells):
    scaled = cgc.pp.scale_features(cells, copy=True)
    np.testing.assert_allclose(both(scaled, labels=movie)[0], both(cells, labels=movie)[0], rtol=1e-5, atol=1e-6)
    bare = AnnData(obs=cells.obs.copy(), obsm={"spatial": cells.obsm["spatial"]})
    np.testing.assert_allclose(both(bare, labels=movie)[0], both(cells, labels=movie)[0], rtol=1e-4, atol=1e-4)
    assert not [n for n in both(bare)[1] if "size" in n or "overlap" in n]


def test_what_is_refused(movie, cells):
    adata = cells.copy()
    with pytest.raises(OptionError, match="either `tracks` or `labels`"):
        temporal_matches(adata, labels=movie, tracks="track")
    with pytest.raises(OptionError, match="`tracks` beside `parents`"):
        temporal_matches(adata, parents={1: 2})
    with pytest.raises(MissingKeyError, match="frame"):
        temporal_matches(AnnData(obsm={"spatial": np.zeros((3, 2))}))
    with pytest.raises(ShapeError, match="a mask of every cell"):
        temporal_matches(adata, labels=np.asarray(movie.labels) * 2)
    with pytest.raises(OptionError, match="label images of all frames, found float"):
        temporal_matches(adata, labels=0.5)
    with pytest.raises(OptionError, match="min_overlap"):
        temporal_matches(adata, min_overlap=2)
    with pytest.raises(OptionError, match="`features` as a list"):
        temporal_matches(adata, features="area")
    with pytest.raises(MissingKeyError, match="aera"):
        temporal_matches(adata, size_key="aera")
    with pytest.raises(OptionError, match="key_added"):
        temporal_matches(adata, score_key="frame")
    adata.X[3, 0] = np.nan
    with pytest.raises(CellGraphError, match="sizes above 0"):
        temporal_matches(adata, labels=movie)
    adata.X[3, 0], adata.X[3, 2] = 5, np.nan
    with pytest.raises(NonFiniteError, match="circularity"):
        temporal_matches(adata, labels=movie, features=["circularity"])
    assert not adata.obsm.get("X_matches", pd.DataFrame()).size
