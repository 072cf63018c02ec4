"""Generated movies: what divides, dies and stays; nothing tells time in the reversible one."""

import numpy as np

from cellgraph_clr.cells.events import event_table
from cellgraph_clr.datasets.events import event_movie, reversible_movie


def test_daughters_have_half_the_area_and_stand_beside_their_mother():
    movie = event_movie(20, 20, side=256, death_rate=0.0, random_state=0)
    masks = np.asarray(movie.labels)
    events = event_table(movie)
    assert (events["event"] == "division").all()
    ratios = []
    for _, event in events.iterrows():
        daughters = movie.tracks.loc[movie.tracks["parent"] == event["track"], "track"]
        after = masks[event["frame"] + 1]
        ratios += [(after == d).sum() / (masks[event["frame"]] == event["track"]).sum() for d in daughters]
    assert abs(np.median(ratios) - 0.5) < 0.1


def test_deaths_and_tracks():
    movie = event_movie(20, 20, side=256, death_rate=0.1, resting=0.0, random_state=0)
    events = event_table(movie)["event"].value_counts()
    assert events["death"] > 10
    masks = np.asarray(movie.labels)
    for _, track in movie.tracks.iterrows():
        assert (masks[track["begin"]] == track["track"]).any() or track["begin"] == track["end"]
        assert not (masks[track["end"] + 1 :] == track["track"]).any()


def test_the_reversible_movie_has_no_trend():
    movie = reversible_movie(40, 60, side=256, random_state=0)
    area = (np.asarray(movie.labels) > 0).mean(axis=(1, 2))
    early, late = area[:30], area[30:]
    assert abs(early.mean() - late.mean()) < 3 * area.std() / np.sqrt(8)
    assert len(event_table(movie)) == 0
