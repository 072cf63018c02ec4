"""Edge builders: laws that hold for all of them, and what each promises."""

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from cellgraph_clr._core.errors import GeometryError, LabelImageError, NoCellsError, OptionError
from cellgraph_clr.cells.label_image import LabelImage
from cellgraph_clr.cells.table import CellTable
from cellgraph_clr.graphs.contact import contacts_from_labels
from cellgraph_clr.graphs.proximity import knn, radius
from cellgraph_clr.graphs.triangulation import automatic_max_distance, delaunay

BUILDERS = {
    "knn": lambda c: knn(c, n_neighbors=4).graph(),
    "mutual knn": lambda c: knn(c, n_neighbors=4, mutual=True).graph(),
    "radius": lambda c: radius(c, radius=0.2 if c.position.shape[1] == 2 else 0.3).graph(),
    "delaunay": lambda c: delaunay(c, max_distance=None)[0],
}


def cells(n=200, d=2, seed=0, **kwargs):
    rng = np.random.default_rng(seed)
    return CellTable.build(rng.permutation(n) + 1, rng.random((n, d)), unit="micrometer", **kwargs)


@pytest.fixture(params=BUILDERS, ids=list(BUILDERS))
def build(request):
    return BUILDERS[request.param]


@pytest.mark.parametrize("d", [2, 3])
def test_rotation_and_translation_change_nothing(build, d):
    table = cells(d=d)
    rotation = np.linalg.qr(np.random.default_rng(1).normal(size=(d, d)))[0]
    moved = CellTable.build(table.cell_id, table.position @ rotation.T + 7, unit="micrometer")
    np.testing.assert_array_equal(build(table).edges, build(moved).edges)


def test_the_order_of_cells_does_not_matter(build):
    table = cells()
    order = np.random.default_rng(2).permutation(len(table))
    ids = lambda g: sorted(tuple(sorted(e)) for e in g.cells.cell_id[g.edges].tolist())  # noqa: E731
    assert ids(build(table)) == ids(build(table.select(order)))


def test_samples_never_mix(build):
    sample = np.array(["a", "b"])[np.arange(200) % 2]
    table = cells(sample=sample)
    graph = build(table)
    assert (sample[graph.edges[:, 0]] == sample[graph.edges[:, 1]]).all()
    for name in "ab":
        rows = np.flatnonzero(sample == name)
        alone = build(table.select(rows))
        inside = graph.edges[sample[graph.edges[:, 0]] == name]
        np.testing.assert_array_equal(rows[alone.edges], inside)


def test_knn_is_the_union_of_both_directions():
    table = cells(60)
    distance = cdist(table.position, table.position)
    np.fill_diagonal(distance, np.inf)
    nearest = np.argsort(distance, axis=1)[:, :4]
    directed = {(i, int(j)) for i in range(60) for j in nearest[i]}
    union = sorted({(min(e), max(e)) for e in directed})
    both = sorted({(i, j) for i, j in directed if i < j and (j, i) in directed})
    assert [tuple(e) for e in knn(table, n_neighbors=4).graph().edges.tolist()] == union
    assert [tuple(e) for e in knn(table, n_neighbors=4, mutual=True).graph().edges.tolist()] == both


def test_radius_is_all_pairs_within():
    table = cells(60)
    distance = cdist(table.position, table.position)
    expected = [(i, j) for i in range(60) for j in range(i + 1, 60) if distance[i, j] <= 0.2]
    assert [tuple(e) for e in radius(table, radius=0.2).graph().edges.tolist()] == expected


def test_delaunay_prunes_long_edges_and_says_where():
    table = cells(300)
    full, _ = delaunay(table, max_distance=None)
    pruned, longest = delaunay(table)
    assert longest == pytest.approx(automatic_max_distance(full.edge_features["length"]))
    assert pruned.edge_features["length"].max() <= longest
    assert 0.9 * len(full.edges) < len(pruned.edges) < len(full.edges)
    assert delaunay(table, max_distance=0.05)[0].edge_features["length"].max() <= 0.05


def test_coincident_cells_are_kept():
    position = np.random.default_rng(0).random((20, 2))
    table = CellTable.build(np.arange(25), np.concatenate([position, position[:5]]), unit="pixel")
    for graph in (
        knn(table, n_neighbors=3).graph(),
        delaunay(table, max_distance=None)[0],
        radius(table, radius=0.3).graph(),
    ):
        joined = {tuple(e) for e in graph.edges.tolist()}
        assert {(i, 20 + i) for i in range(5)} <= joined
        assert not (graph.edges[:, 0] == graph.edges[:, 1]).any()


def test_bad_geometry_and_options_are_named():
    line = CellTable.build(np.arange(6), np.stack([np.arange(6.0), np.arange(6.0)], 1), unit="pixel")
    with pytest.raises(GeometryError, match="do not lie on one line"):
        delaunay(line)
    with pytest.raises(OptionError, match=r"`n_neighbors` to be a whole number >= 1, found 0"):
        knn(cells(9), n_neighbors=0)
    with pytest.raises(OptionError, match=r"`radius` to be a number in \(0, inf\], found -1"):
        radius(cells(9), radius=-1)
    with pytest.raises(OptionError, match="'auto' or None, found 'far'"):
        delaunay(cells(9), max_distance="far")


def test_contacts_are_faces_and_gaps_are_bridged():
    labels = np.zeros((5, 9), int)
    labels[:, :3], labels[:, 3:5], labels[:, 7:] = 4, 11, 6  # 4 touches 11; 2 pixels of background up to 6
    touching = contacts_from_labels(LabelImage.build(labels, spacing=(1.0, 0.5)))
    assert touching.pairs.tolist() == [[4, 11]]
    np.testing.assert_allclose(touching.area, [5.0])
    bridged = contacts_from_labels(LabelImage.build(labels, spacing=(1.0, 0.5)), max_gap=1.1)
    assert bridged.pairs.tolist() == [[4, 11], [6, 11]]
    rows, area = touching.between(np.array([11, 6, 4]))
    assert rows.tolist() == [[2, 0]]
    assert touching.between(np.array([11, 6, 4]), min_area=5.0)[0].shape == (0, 2)
    assert touching.between(np.array([11, 6]))[1].shape == (0,)


def test_corners_do_not_touch():
    assert len(contacts_from_labels(LabelImage.build(np.array([[1, 0], [0, 2]]), spacing=(1.0, 1.0))).pairs) == 0


@pytest.mark.parametrize("gap", [1, 2, 3, 4])
def test_a_gap_is_bridged_from_its_own_width_on(gap):
    labels = np.zeros((5, 6 + gap), int)
    labels[:, :3], labels[:, 3 + gap :] = 1, 2
    assert len(contacts_from_labels(LabelImage.build(labels, spacing=(1.0, 1.0)), max_gap=gap).pairs) == 1
    assert len(contacts_from_labels(LabelImage.build(labels, spacing=(1.0, 1.0)), max_gap=gap - 1).pairs) == 0


def test_small_samples_take_what_they_have():
    sample = np.array(["a"] * 1 + ["b"] * 2 + ["c"] * 3 + ["d"] * 40)
    table = CellTable.build(np.arange(46), np.random.default_rng(0).random((46, 2)), unit="pixel", sample=sample)
    alone = table.select(np.arange(46) >= 6)
    builders = [
        (lambda t: knn(t, n_neighbors=6).graph(), "7 cells, which 6 neighbours need"),
        (lambda t: delaunay(t, max_distance=None)[0], "4 cells at different positions"),
    ]
    for build, text in builders:
        with pytest.warns(UserWarning, match=rf"3 samples \(a, b, c\) have fewer than {text}: every cell there"):
            graph = build(table)
        small = [tuple(e) for e in graph.edges.tolist() if e[0] < 6]
        assert small == [(1, 2), (3, 4), (3, 5), (4, 5)]  # all of b, all of c, and nothing across
        assert len(graph.edges) - 4 == len(build(alone).edges)


@pytest.mark.parametrize("max_gap", [0.0, 2.0])
def test_labels_are_checked_with_and_without_gaps(max_gap):
    with pytest.raises(LabelImageError, match=r"ids of 0 \(background\) and above, found -1"):
        contacts_from_labels(LabelImage.build(np.array([[1, 0, -1]])), max_gap=max_gap)
    with pytest.raises(NoCellsError, match="found background only"):
        contacts_from_labels(LabelImage.build(np.zeros((3, 3), int)), max_gap=max_gap)
    with pytest.raises(LabelImageError, match=r"ids up to 2\*\*63 - 1"):
        contacts_from_labels(LabelImage.build(np.array([[1, 2**63]], np.uint64)), max_gap=max_gap)


def test_gaps_between_ids_of_any_size():
    found = contacts_from_labels(LabelImage.build(np.array([[2**62, 0, 5, 5, 0, 2**63 - 1]])), max_gap=1.0)
    assert found.pairs.tolist() == [[5, 2**62], [5, 2**63 - 1]]
    assert found.area.tolist() == [1.0, 1.0]


def test_the_fence_is_tukeys_on_logarithms():
    assert automatic_max_distance(np.exp([0.0, 1, 2, 3, 4])) == pytest.approx(np.exp(3 + 1.5 * 2))
    length = np.random.default_rng(0).lognormal(size=500)
    for unit in (1e-3, 7.0, 1e4):
        assert automatic_max_distance(unit * length) == pytest.approx(unit * automatic_max_distance(length))
    assert automatic_max_distance(np.append(length, np.zeros(300))) == pytest.approx(automatic_max_distance(length))
    assert automatic_max_distance(np.zeros(3)) == np.inf


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_contacts_across_gaps_have_the_area_of_their_faces(axis):
    """Two boxes, apart along one axis, in voxels that are longer along each axis than along the one before."""
    shape, spacing = [3, 4, 5], np.array([0.5, 2.0, 3.0])
    shape[axis] = 7
    labels = np.zeros(shape, int)
    along = np.moveaxis(labels, axis, 0)  # a view
    along[:3], along[4:] = 1, 2
    found = contacts_from_labels(LabelImage.build(labels, spacing=tuple(spacing)), max_gap=float(spacing[axis]))
    sides = np.delete(np.array(shape) * spacing, axis)
    assert found.pairs.tolist() == [[1, 2]]
    np.testing.assert_allclose(found.area, sides.prod())


@pytest.mark.parametrize("n", [2, 6])
def test_as_many_cells_as_neighbours_are_one_too_few(n):
    table = CellTable.build(np.arange(n), np.random.default_rng(0).random((n, 2)), unit="pixel")
    with pytest.warns(UserWarning, match=f"fewer than {n + 1} cells, which {n} neighbours need"):
        graph = knn(table, n_neighbors=n).graph()
    assert len(graph.edges) == n * (n - 1) // 2
    knn(table, n_neighbors=n - 1)  # and says nothing


def test_the_gap_of_cells_that_touch_nothing_is_told():
    labels = np.zeros((12, 12), int)
    labels[1:4, 1:4], labels[1:4, 6:9], labels[6:9, 1:4], labels[6:9, 6:9] = 1, 2, 3, 4
    found = contacts_from_labels(LabelImage.build(labels, spacing=(1.0, 1.0)))
    assert len(found.pairs) == 0
    assert found.gap == pytest.approx(2, abs=1)
    assert contacts_from_labels(LabelImage.build(labels, spacing=(1.0, 1.0)), max_gap=found.gap).gap is None
