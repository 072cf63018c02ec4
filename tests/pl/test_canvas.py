"""Where pictures are saved is looked at before anything is drawn."""

import inspect

import pytest

from cellgraph_clr import pl
from cellgraph_clr._core.errors import OptionError, OutputError
from cellgraph_clr.pl.canvas import check_save

DRAWN = [getattr(pl, name) for name in pl.__all__ if "save" in inspect.signature(getattr(pl, name)).parameters]


@pytest.mark.parametrize("draw", DRAWN, ids=lambda f: f.__name__)
def test_every_plot_looks_first(draw, tmp_path):
    (tmp_path / "x.png").mkdir()
    needed = [p for p in inspect.signature(draw).parameters.values() if p.default is p.empty]
    given = {p.name: None for p in needed}
    with pytest.raises(OutputError, match=r"x\.png' to be writable, found a folder there"):
        draw(**given, save=tmp_path / "x.png")
    with pytest.raises(OptionError, match="name of a picture"):
        draw(**given, save=tmp_path / "x.data")


def test_all_plots_are_meant():
    assert len(DRAWN) >= 14


def test_pictures_that_can_be_saved(tmp_path):
    for name in ("a.png", "b.PDF", "c.svg", "d.jpg"):
        check_save(tmp_path / name)
    check_save(None)
