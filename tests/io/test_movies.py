"""Movies from files: forms, lineage, gaps, shapes; cells of all frames."""

import numpy as np
import pandas as pd
import pytest
import tifffile
import zarr

import cellgraph_clr as cgc
from cellgraph_clr._core.errors import FileFormatError, MissingFileError, NoCellsError, OptionError, ShapeError
from cellgraph_clr.datasets.events import event_movie


@pytest.fixture(scope="module")
def made():
    return event_movie(12, 5, side=96, random_state=1)


@pytest.fixture
def frames(made):
    return np.stack([made.frame(t)[0] for t in range(len(made))]).astype(np.uint16)


@pytest.mark.parametrize("form", ["tif", "npy", "folder", "zarr"])
def test_every_form_gives_the_same_movie(frames, form, tmp_path):
    path = tmp_path / f"movie.{form}"
    if form == "tif":
        tifffile.imwrite(path, frames)
    elif form == "npy":
        np.save(path, frames)
    elif form == "zarr":
        zarr.save_array(path, frames)
    else:
        path.mkdir()
        for t, frame in enumerate(frames):
            tifffile.imwrite(path / f"t{t + 8}.tif", frame)  # 8, 9, 10: in the order of numbers, not of names
    movie = cgc.read_movie(path, frame_interval=60, spacing=(0.5, 0.5), unit="micrometer")
    assert len(movie) == 5
    for t in range(5):
        np.testing.assert_array_equal(movie.frame(t)[0], frames[t])
    assert movie.frame_interval == 60
    assert movie.unit == "micrometer"


def test_named_axes_are_those_of_the_file(tmp_path):
    data = np.arange(3 * 2 * 4 * 6 * 5, dtype=np.uint16).reshape(3, 4, 2, 6, 5)
    tifffile.imwrite(
        tmp_path / "m.ome.tif",
        data,
        metadata={
            "axes": "TZCYX",
            "PhysicalSizeX": 0.3,
            "PhysicalSizeY": 0.3,
            "PhysicalSizeZ": 1.0,
            "TimeIncrement": 5,
            "TimeIncrementUnit": "min",
            "Channel": {"Name": ["DNA", "GFP"]},
        },
    )
    movie = cgc.read_movie(tmp_path / "m.ome.tif")
    assert movie.frames.shape == (3, 2, 4, 6, 5)
    np.testing.assert_array_equal(movie.frame(1), data[1].transpose(1, 0, 2, 3))
    assert movie.spacing == (1.0, 0.3, 0.3)
    assert movie.frame_interval == 300
    assert movie.channels == ("DNA", "GFP")


def test_intervals_of_imagej_and_ome_zarr(frames, tmp_path):
    tifffile.imwrite(tmp_path / "m.tif", frames, imagej=True, metadata={"axes": "TYX", "finterval": 12.5})
    assert cgc.read_movie(tmp_path / "m.tif").frame_interval == 12.5
    group = zarr.open_group(tmp_path / "m.zarr", mode="w", zarr_format=2)
    group.create_array("0", data=frames[:, None, None], chunks=(1, 1, 1, 96, 96))
    axes = [{"name": a, "type": "space", "unit": "micrometer"} for a in "zyx"]
    axes = [{"name": "t", "type": "time", "unit": "minute"}, {"name": "c", "type": "channel"}, *axes]
    scale = {"type": "scale", "scale": [2.0, 1.0, 1.0, 0.5, 0.25]}
    group.attrs["multiscales"] = [
        {"version": "0.4", "axes": axes, "datasets": [{"path": "0", "coordinateTransformations": [scale]}]}
    ]
    movie = cgc.read_movie(tmp_path / "m.zarr")
    assert movie.frame_interval == 120
    assert movie.spacing == (0.5, 0.25)
    assert not isinstance(movie.frames, np.ndarray)  # read frame by frame
    np.testing.assert_array_equal(movie.frame(3)[0], frames[3])


def test_lineage_of_the_cell_tracking_challenge(made, frames, tmp_path):
    np.save(tmp_path / "raw.npy", frames)
    np.save(tmp_path / "masks.npy", np.asarray(made.labels))
    made.tracks.to_csv(tmp_path / "man_track.txt", sep=" ", header=False, index=False)
    movie = cgc.read_movie(tmp_path / "raw.npy", tmp_path / "masks.npy", tmp_path / "man_track.txt")
    pd.testing.assert_frame_equal(movie.tracks, made.tracks)
    made.tracks.rename(columns={"begin": "start"}).to_csv(tmp_path / "t.csv", index=False)
    pd.testing.assert_frame_equal(cgc.io.read_tracks(tmp_path / "t.csv"), made.tracks)
    (tmp_path / "bad.txt").write_text("1 2\n")
    with pytest.raises(FileFormatError, match="track begin end parent"):
        cgc.io.read_tracks(tmp_path / "bad.txt")


def test_gaps_and_shapes_of_folders_are_named(frames, tmp_path):
    folder = tmp_path / "frames"
    folder.mkdir()
    with pytest.raises(MissingFileError, match="frames in"):
        cgc.read_movie(folder)
    for t in (0, 1, 3):
        np.save(folder / f"f{t}.npy", frames[t])
    with pytest.raises(MissingFileError, match="all frames from 0 to 3, found no frame 2"):
        cgc.read_movie(folder)
    np.save(folder / "f2.npy", frames[2][:50])
    with pytest.raises(ShapeError, match=r"f2.npy of shape \(96, 96\), like the first, found \(50, 96\)"):
        cgc.read_movie(folder)
    np.save(folder / "notes.npy", frames[2])
    with pytest.raises(FileFormatError, match=r"a frame number, found 'notes.npy'"):
        cgc.read_movie(folder)


def test_times_as_numbers_of_frames_are_no_list_of_gaps(frames, tmp_path):
    for t in (0, 3, 99_999_999_999):
        np.save(tmp_path / f"t{t}.npy", frames[0])
    found = "found no frame 1, 2, 4, 5, 6, 7, 8, 9, 10, 11 and 99999999987 more"
    with pytest.raises(MissingFileError, match=found):
        cgc.read_movie(tmp_path)


@pytest.mark.parametrize("suffix", ["tif", "npy"])
def test_damaged_frames_are_named(suffix, frames, tmp_path):
    for t in (0, 1):
        path = tmp_path / f"t{t}.{suffix}"
        np.save(path, frames[t]) if suffix == "npy" else tifffile.imwrite(path, frames[t])
    for n in (10, 100, 500):
        path.write_bytes(path.read_bytes()[:-n])
        with pytest.raises(FileFormatError, match=f"t1.{suffix}'"):
            cgc.read_movie(tmp_path)
    path.write_bytes(path.read_bytes()[:90])
    with pytest.raises(FileFormatError, match=f"t1.{suffix}'"):
        cgc.read_movie(tmp_path)


def test_frames_may_be_files_of_cellpose(frames, tmp_path):
    for t in (0, 1):
        np.save(tmp_path / f"t{t}_seg.npy", {"masks": frames[t]}, allow_pickle=True)
        (tmp_path / f"t{t}_seg.npy").rename(tmp_path / f"seg{t}.npy")
    np.testing.assert_array_equal(cgc.read_movie(tmp_path).frame(1)[0], frames[1])


def test_cells_of_all_frames_in_one_anndata(made):
    adata = cgc.from_movie(made)
    masks = np.asarray(made.labels)
    assert adata.n_obs == sum(len(np.unique(m)) - 1 for m in masks)
    assert adata.obs["frame"].nunique() == 5
    row = adata[(adata.obs["frame"] == 3) & (adata.obs["cell_id"] == masks[3].max())]
    assert float(row[:, "area"].X[0, 0]) == (masks[3] == masks[3].max()).sum()
    assert set(adata.obs["event"].cat.categories) == {"none", "division", "death"}
    cgc.gr.temporal_graph(adata, tracks="track", parents=made.tracks.set_index("track")["parent"].to_dict())
    joined = adata.obsp["temporal_connectivities"].tocoo()
    frame = adata.obs["frame"].to_numpy()
    assert (np.abs(frame[joined.row] - frame[joined.col]) == 1).all()
    with pytest.raises(OptionError, match="a movie with labels"):
        cgc.from_movie(cgc.Movie.build(np.ones((2, 8, 8))))
    with pytest.raises(NoCellsError, match="none in any frame"):
        cgc.from_movie(cgc.Movie.build(np.ones((2, 8, 8)), np.zeros((2, 8, 8), int)))


@pytest.mark.filterwarnings("ignore:.*touch no other cell")
def test_a_movie_is_a_sample_like_any_other(made):
    adata = cgc.from_movie(made)
    masks = np.asarray(made.labels)
    whole = cgc.gr.contact_graph(adata, copy=True).contact_area
    for t in range(len(made)):
        rows = np.flatnonzero(adata.obs["frame"] == t)
        alone = cgc.gr.contact_graph(cgc.from_labels(made.label_image(t)), copy=True).contact_area
        np.testing.assert_array_equal(whole[rows][:, rows].toarray(), alone.toarray())
    assert whole.nnz > 0
    forms = [made, masks, {f"frame_{t}": m for t, m in enumerate(masks)}, dict(enumerate(masks))]
    gaps = [cgc.gr.contact_graph(adata, form, max_gap=2, copy=True).contact_area for form in forms]
    assert all((g != gaps[0]).nnz == 0 for g in gaps)
    for build in (
        lambda: cgc.gr.knn_graph(adata, n_neighbors=2, copy=True),
        lambda: cgc.gr.delaunay_graph(adata, copy=True),
        lambda: cgc.gr.radius_graph(adata, radius=4, distance="surface", labels=made, copy=True),
    ):
        joined = build().connectivities.tocoo()
        frame = adata.obs["frame"].to_numpy()
        assert joined.nnz
        assert (frame[joined.row] == frame[joined.col]).all()


@pytest.mark.filterwarnings("ignore:.*touch no other cell")
def test_tracks_join_frames_and_movies_join_as_samples(made):
    adata = cgc.from_movie(made)
    parents = made.tracks.set_index("track")["parent"].to_dict()
    cgc.gr.temporal_graph(adata, tracks="track", parents=parents)
    joined = adata.obsp["temporal_connectivities"].tocoo()
    frame, track = (adata.obs[c].to_numpy() for c in ("frame", "track"))
    expected = 0
    for t in range(len(made) - 1):
        expected += len(set(track[frame == t]) & set(track[frame == t + 1]))
    births = sum(parents.get(t, 0) in set(track) for t in set(track) if parents.get(t, 0))
    assert joined.nnz // 2 == expected + births > 0
    two = cgc.concat([cgc.from_movie(made, library_id=name) for name in ("a", "b")])
    assert cgc.validate(two) == []
    assert two.obs["library_id"].tolist() == ["a"] * adata.n_obs + ["b"] * adata.n_obs
    single = cgc.gr.contact_graph(adata, copy=True).contact_area
    double = cgc.gr.contact_graph(two, copy=True).contact_area
    assert double.nnz == 2 * single.nnz
    cgc.gr.temporal_graph(two, tracks="track", parents=parents)
    assert two.obsp["temporal_connectivities"].nnz == 2 * joined.nnz
