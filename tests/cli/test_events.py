"""The command `events`: learn, save, apply, bad input."""

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from cellgraph_clr._core.errors import OptionError
from cellgraph_clr.cli.app import app
from cellgraph_clr.datasets.events import event_movie
from cellgraph_clr.io.anndata_files import read

RUN = CliRunner()


@pytest.fixture
def files(tmp_path):
    movie = event_movie(12, 8, side=80, random_state=0)
    np.save(tmp_path / "raw.npy", np.stack([movie.frame(t)[0] for t in range(8)]))
    np.save(tmp_path / "masks.npy", np.asarray(movie.labels))
    movie.tracks.to_csv(tmp_path / "man_track.txt", sep=" ", header=False, index=False)
    return tmp_path


def test_learn_save_and_apply(files):
    base = ["events", str(files / "raw.npy"), "--table", str(files / "events.csv"), "--min-confidence", "0.0"]
    learn = ["--labels", str(files / "masks.npy"), "--tracks", str(files / "man_track.txt"), "--n-steps", "2"]
    more = ["--save-model", str(files / "m.safetensors"), "-o", str(files / "cells.h5ad")]
    done = RUN.invoke(app, base + learn + more, catch_exceptions=False)
    assert done.exit_code == 0
    assert "time arrow on frames not seen" in done.output
    table = pd.read_csv(files / "events.csv")
    assert {"frame", "x", "y", "event", "confidence", "cell_id"} <= set(table.columns)
    cells = read(files / "cells.h5ad")
    assert "X_timearrow" in cells.obsm
    assert "event_pred" in cells.obs
    again = RUN.invoke(app, [*base, "--model", str(files / "m.safetensors"), *learn[:2]], catch_exceptions=False)
    assert again.exit_code == 0
    pd.testing.assert_frame_equal(pd.read_csv(files / "events.csv"), table)


def test_bad_input_is_named(files):
    base = ["events", str(files / "raw.npy"), "--table", str(files / "t.csv")]
    with pytest.raises(OptionError, match="no --labels and no --tracks"):
        RUN.invoke(app, base, catch_exceptions=False)
    with pytest.raises(OptionError, match="`--labels` for cells"):
        RUN.invoke(app, [*base, "--model", "m.safetensors", "-o", "c.h5ad"], catch_exceptions=False)
