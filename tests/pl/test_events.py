"""Pictures of events: errors over time, attribution with insets."""

import numpy as np
import pandas as pd
import pytest

import cellgraph_clr as cgc
from cellgraph_clr._core.errors import MissingKeyError
from cellgraph_clr.datasets.events import event_movie
from cellgraph_clr.models import TimeArrow
from cellgraph_clr.pl.events import strongest
from tests.pictures import check_picture


def test_errors_over_time_are_drawn(tmp_path):
    frame = np.array([0, 0, 1, 1])
    true, found = np.array([True, False, True, True]), np.array([True, True, False, True])
    table = cgc.metrics.errors_over_time(frame, true, found)
    ax = cgc.pl.event_errors(table, save=tmp_path / "e.png")
    assert ax.get_title() == "2 of 3 events found, 1 false alarms"
    assert (tmp_path / "e.png").exists()
    check_picture(ax)
    with pytest.raises(MissingKeyError, match="errors_over_time"):
        cgc.pl.event_errors(pd.DataFrame({"a": [1]}))


def test_attribution_has_insets_with_the_frame_after(tmp_path):
    movie = event_movie(20, 4, side=160, random_state=0)
    model = TimeArrow(n_steps=1, n_hidden=4, n_features=4, n_levels=1, crop_px=16, batch_size=2, progress=False).fit(
        movie
    )
    axes = cgc.pl.arrow_attribution(movie, model, 1, n_insets=4, save=tmp_path / "a.png")
    assert 3 <= len(axes) <= 9
    assert axes[2].get_title() == "frame 2"
    check_picture(axes)


def test_attribution_of_volumes_is_drawn_along_z():
    frames = np.random.default_rng(0).normal(size=(4, 6, 64, 80))
    movie = cgc.Movie.build(frames, axes="tzyx")
    model = TimeArrow(n_steps=1, n_hidden=4, n_features=4, n_levels=1, crop_px=16, batch_size=2, progress=False)
    axes = cgc.pl.arrow_attribution(movie, model.untrained(movie), 1, n_insets=2)
    np.testing.assert_allclose(axes[0].images[0].get_array(), frames[1].max(axis=0), rtol=1e-6)
    assert axes[0].images[1].get_array().shape == (64, 80)


def test_the_strongest_places_do_not_overlap(rng):
    heat = rng.random((60, 60))
    found = strongest(heat, 4, 20)
    assert heat[found[0]] == heat.max()
    at = np.array(found)
    apart = np.abs(at[:, None] - at[None]).max(axis=2)[np.triu_indices(len(at), 1)]
    assert (apart >= 20).all()
    assert strongest(np.zeros((5, 5)), 3, 2) == []
