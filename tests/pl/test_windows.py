"""Montage of windows: each row shows members of its group."""

import pytest

import cellgraph_clr as cgc
from cellgraph_clr._core.errors import MissingKeyError, OptionError
from cellgraph_clr.datasets.plates import phenotype_plate
from tests.pictures import check_picture


def test_rows_are_groups(tmp_path):
    plate = phenotype_plate(3, 2, side=64, random_state=0)
    small = {"n_steps": 2, "n_features": 6, "n_hidden": 4, "window_px": 32, "batch_size": 4, "progress": False}
    adata = cgc.tl.profile(plate, **small)
    axes = cgc.pl.window_gallery(adata, plate, "sample", window_px=32, n_examples=3, save=tmp_path / "w.png")
    assert axes.shape == (3, 3)
    check_picture(axes)
    for row, name in zip(axes, ("sample_00", "sample_01", "sample_02"), strict=True):
        assert [ax.get_title() for ax in row] == [name] * 3
    wells = plate.table.assign(sample="one", well=[f"A{i}" for i in range(6)], field="0")  # told apart by wells alone
    other = cgc.Plate(wells, plate.read, plate.channels)
    windows = cgc.tl.profile(other, model=cgc.models.DeepInfoMax(**small).fit(plate))
    axes = cgc.pl.window_gallery(windows, other, "well", window_px=32, n_examples=1, channels=[0])
    pictures = [ax.images[0].get_array() for ax in axes[:, 0]]
    assert not any((pictures[0] == p).all() for p in pictures[1:])
    grey = cgc.pl.window_gallery(adata, plate, "sample", window_px=32, n_examples=1, channels=[1])
    assert grey[0, 0].images[0].get_array().shape == (32, 32)
    with pytest.raises(OptionError, match="`channels`"):
        cgc.pl.window_gallery(adata, plate, "sample", channels=[4])
    with pytest.raises(MissingKeyError, match="tl.profile"):
        cgc.pl.window_gallery(adata[:, :].copy().T.copy(), plate, "sample")
