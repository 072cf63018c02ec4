"""Labels and stored contacts are those of the cells, whatever samples are called: or they are refused by name."""

import anndata as ad
import numpy as np
import pytest

import cellgraph_clr as cgc
from cellgraph_clr._core.errors import MissingKeyError, OptionError, ShapeError
from cellgraph_clr.adata.fit import distance_ratio
from cellgraph_clr.cells.label_image import LabelImage
from cellgraph_clr.datasets import tissue


@pytest.fixture(scope="module")
def images():
    made = [np.asarray(tissue(80, ndim=2, random_state=s).image.labels) for s in (1, 2)]
    n = min(len(np.unique(m)) for m in made)
    ranks = [np.searchsorted(np.unique(m), m) for m in made]  # ids 1 … n in both, as segmentations have them
    return [np.where(r < n, r, 0) for r in ranks]


@pytest.fixture
def two(images):
    return [cgc.from_labels(m, spacing=s, unit="um") for m, s in zip(images, (0.5, 0.25), strict=True)]


def area(adata, *labels, **options):
    return cgc.gr.contact_graph(adata, *labels, copy=True, **options).contact_area.sum()


def test_contacts_of_another_sample_are_refused(two):
    truth = [area(a) for a in two]
    joined = ad.concat({"0": two[0], "1": two[1]}, label="library_id", index_unique="-", uns_merge="first")
    second = joined[joined.obs["library_id"] == "1"].copy()
    with pytest.raises(MissingKeyError, match="those of cells at other places"):
        cgc.gr.contact_graph(second)
    both = cgc.concat({"0": two[0], "1": two[1]})
    assert area(both) == pytest.approx(sum(truth))
    both.obs["library_id"] = both.obs["library_id"].cat.rename_categories({"0": "1", "1": "0"})
    with pytest.raises(MissingKeyError, match="contacts of the cells of '0'"):
        cgc.gr.contact_graph(both)
    alone = two[1][np.random.default_rng(0).permutation(two[1].n_obs)[:30]].copy()
    alone.obs["library_id"] = "another name"
    assert area(alone) <= truth[1]


def test_labels_of_another_image_are_refused(two, images, tissue_2d):
    a, b = two
    for wrong in (images[1][: images[0].shape[0]], images[0][:10], images[0] + (images[0] > 0) * 9000):
        with pytest.raises(OptionError, match="labels (of|with) the cells|on the scale"):
            cgc.gr.contact_graph(a, wrong)
    with pytest.raises(OptionError, match="positions 2 times as far apart as in the labels"):
        cgc.gr.contact_graph(a, images[0][::2, ::2])
    with pytest.raises(OptionError, match="of '0'"):
        cgc.gr.contact_graph(cgc.concat({"0": a, "1": b}), {"0": images[1], "1": images[0]})
    for call in (
        lambda: cgc.im.label_qc(images[1], adata=a),
        lambda: cgc.pl.spatial(a, labels=images[1]),
        lambda: cgc.pl.feature_range(a, images[1], "area"),
        lambda: cgc.gr.radius_graph(a, radius=1, distance="surface", labels=images[1]),
        lambda: cgc.to_napari(a, images[1]),
    ):
        with pytest.raises(OptionError, match="labels (of|with) the cells"):
            call()


def test_cells_that_moved_as_a_whole_keep_their_labels(two, images):
    a = two[0]
    truth = area(a)
    turn = np.array([[np.cos(1), -np.sin(1)], [np.sin(1), np.cos(1)]])
    a.obsm["spatial"] = a.obsm["spatial"] @ turn + 500  # registered to an atlas
    assert area(a) == pytest.approx(truth)
    assert area(a, images[0]) == pytest.approx(truth)
    with pytest.raises(OptionError, match="labels where the cells lie, found cells that were moved"):
        cgc.pl.spatial(a, labels=images[0])
    a.obsm["spatial"] = a.obsm["spatial"] * 2
    with pytest.raises(MissingKeyError, match="positions that were scaled"):
        cgc.gr.contact_graph(a)


def test_other_dimensions_and_frames_are_refused(two, images):
    a = two[0]
    with pytest.raises(ShapeError, match="labels with 2 axes, as the positions have, found 3 axes"):
        cgc.gr.contact_graph(a, np.stack([images[0]] * 3))
    movie = cgc.datasets.movie(20, 4, random_state=0)
    stack = np.asarray(movie.labels)
    cells = cgc.from_movie(movie)
    one = cells[cells.obs["frame"] == 2].copy()
    assert area(one, stack) == area(one) == area(one, movie) == area(one, stack[2])
    with pytest.raises(ShapeError, match="frame 2, as the cells have, found 2 frames"):
        cgc.gr.contact_graph(one, stack[:2])


def test_a_movie_is_of_one_sample():
    movies = {n: cgc.datasets.movie(20, 3, random_state=s) for n, s in (("a", 0), ("b", 1))}
    cells = cgc.concat([cgc.from_movie(m, library_id=n) for n, m in movies.items()])
    truth = area(cells)
    stacks = {n: np.asarray(m.labels) for n, m in movies.items()}
    for given in (movies, stacks):
        assert area(cells, given) == pytest.approx(truth)
    for wrong in (movies["a"], stacks["a"]):
        with pytest.raises(MissingKeyError, match="a movie for each of 2 samples, found a single one for"):
            cgc.gr.contact_graph(cells, wrong)
        with pytest.raises(MissingKeyError, match="of 2 samples"):
            cgc.gr.temporal_graph(cells, labels=wrong)
    with pytest.raises(MissingKeyError, match="'a/frame_0' in `labels`"):
        cgc.gr.contact_graph(cells, dict(enumerate(stacks["a"])))
    cgc.gr.temporal_graph(cells, labels=movies)
    edges = cells.obsp["temporal_connectivities"]
    for name, movie in movies.items():
        alone = cgc.from_movie(movie)
        cgc.gr.temporal_graph(alone, labels=movie)
        rows = (cells.obs["library_id"] == name).to_numpy()
        assert edges[rows].nnz == alone.obsp["temporal_connectivities"].nnz > 0
    cgc.pl.spatial(cells, "area", movies, labels=movies)
    with pytest.raises(MissingKeyError, match="an image for each of"):
        cgc.pl.spatial(cells, "area", movies["a"])


def test_without_our_uns_the_scale_is_asked_for(two, images):
    plain = ad.concat({"0": two[0], "1": two[1]}, label="library_id", index_unique="-")
    with pytest.raises(OptionError, match=r"positions 0.5 times as far apart.*LabelImage.build\(labels, spacing=…\)"):
        cgc.gr.contact_graph(plain, dict(zip("01", images, strict=True)))
    known = {n: LabelImage.build(m, spacing=s, unit="um") for n, m, s in zip("01", images, (0.5, 0.25), strict=True)}
    assert area(plain, known) == pytest.approx(area(two[0]) + area(two[1]))
    ax = cgc.pl.spatial(plain, library_id="0")
    text = next(a for a in ax.artists if hasattr(a, "size_bar")).txt_label.get_text()
    assert float(text) > 0  # no unit is known


@pytest.mark.parametrize("n", [0, 1, 2, 3, 50])
def test_ratios_of_distances(n, rng):
    then = rng.random((n, 3))
    assert distance_ratio(then, then) == pytest.approx(1)
    if n >= 2:
        assert distance_ratio(3 * then + 7, then) == pytest.approx(3)
    if n == 50:
        assert distance_ratio(rng.random((n, 3)), then) is None
    assert distance_ratio(np.zeros((n, 3)), np.zeros((n, 3))) == 1
