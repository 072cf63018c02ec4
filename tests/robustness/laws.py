"""Laws that hold for every input: what does not change a tissue does not change its numbers, and oracles agree.

Inputs are drawn by hypothesis, which looks for the smallest that breaks a law. A law is a function and one line in `LAWS`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, NamedTuple

import anndata as ad
import hypothesis
import numpy as np
import pandas as pd
import zarr
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.spatial import distance_matrix

import cellgraph_clr as cgc
from tests.robustness import oracles
from tests.robustness.case import Case, Wrong
from tests.robustness.labels import dask_of
from tests.robustness.oracles import close
from tests.robustness.scenes import QUICK, cells, classifier, embedder

AREA = "laws"
STEPS = {2: (0.5, 0.25), 3: (2.0, 0.5, 0.25)}  # few: the weights of every new spacing take a second

# --- What is drawn ---


@st.composite
def label_images(draw, dims=(2, 3)):
    """Draw labels of 2 or 3 axes with few ids, at least one of them."""
    d = draw(st.sampled_from(dims))
    shape = draw(st.tuples(*[st.integers(1, 9 if d == 2 else 6)] * d))
    coarse = draw(hnp.arrays(np.int64, tuple(-(-n // 2) for n in shape), elements=st.integers(0, 4)))
    fine = draw(hnp.arrays(bool, shape, elements=st.booleans(), fill=st.just(True)))
    out = np.kron(coarse, np.ones((2,) * d, int))[tuple(map(slice, shape))] * fine
    hypothesis.assume(out.any())
    return out


@st.composite
def points(draw):
    """Draw 2 to 30 positions in 2 or 3 dimensions: anywhere, on a lattice with many ties, or doubled."""
    d, n = draw(st.integers(2, 3)), draw(st.integers(2, 30))
    on_lattice = st.integers(-3, 3).map(float)
    anywhere = st.floats(-1e3, 1e3, width=32).filter(lambda v: v == 0 or abs(v) > 1e-3)
    return draw(hnp.arrays(float, (n, d), elements=draw(st.sampled_from([on_lattice, anywhere]))))


seeds = st.integers(0, 2**32 - 1)


def table(position: np.ndarray) -> ad.AnnData:
    """Return cells at some positions z, y, x."""
    n = len(position)
    out = ad.AnnData(
        np.zeros((n, 1), np.float32), pd.DataFrame({"cell_id": np.arange(1, n + 1)}, index=map(str, range(n)))
    )
    out.obsm["spatial"] = position[:, ::-1].copy()
    return out


def numbers(labels: Any, image: Any = None, **options: Any) -> ad.AnnData:
    """Measure labels with one of two spacings."""
    return cgc.from_labels(labels, image, spacing=STEPS[len(labels.shape)], **options)


def light(labels: np.ndarray, seed: int) -> np.ndarray:
    """Return intensities of two channels."""
    return np.random.default_rng(seed).integers(0, 1000, (2, *labels.shape)).astype(np.uint16)


def same(one: ad.AnnData, other: ad.AnnData, *, shift: Any = 0.0, features: Any = None) -> None:
    """Raise `Wrong` unless the cells of two tables have the same numbers, in the same order."""
    close(other.obs["cell_id"], one.obs["cell_id"], "ids", rtol=0)
    close(other.obsm["spatial"], one.obsm["spatial"] + shift, "positions")
    names = list(one.var_names) if features is None else features
    for name in names:
        close(other[:, name].X, one[:, name].X, name, rtol=1e-4, atol=2e-3)


def graphed(position: np.ndarray, build: Callable[[ad.AnnData], Any]) -> Any:
    """Return a graph of positions, or the name of the error that refuses them."""
    try:
        return build(table(position)).connectivities
    except cgc.CellGraphError as error:
        return type(error).__name__


# --- The laws ---


def oracles_agree(labels, seed):
    image = light(labels, seed)
    oracles.check_measured(numbers(labels, image), labels, image, STEPS[labels.ndim])


def contacts_agree(labels):
    adata = numbers(labels, features=())
    oracles.check_contacts(adata, cgc.gr.contact_graph(adata, copy=True), labels, STEPS[labels.ndim])


def chunked_is_whole(labels, seed):
    image, rng = light(labels, seed), np.random.default_rng(seed)
    chunks = tuple(int(rng.integers(1, n + 1)) for n in labels.shape)
    whole = numbers(labels, image)
    same(whole, numbers(dask_of(labels, chunks), dask_of(image, (1, *chunks)), n_jobs=2))
    stored = zarr.create_array({}, shape=labels.shape, dtype=labels.dtype, chunks=chunks)
    stored[...] = labels
    same(whole, numbers(stored, image, n_jobs=1))


def threads_change_nothing(labels, seed):
    image = light(labels, seed)
    same(numbers(labels, image, n_jobs=1), numbers(labels, image, n_jobs=3))


def relabelling_renames(labels, seed):
    rng = np.random.default_rng(seed)
    name = np.concatenate([[0], np.sort(rng.choice(2**62, labels.max(), replace=False)) + 1])
    one, other = numbers(labels), numbers(name[labels])
    other.obs["cell_id"] = np.searchsorted(name, other.obs["cell_id"].to_numpy())
    same(one, other)


def padding_shifts(labels, before, after):
    pad = [(before, after)] * labels.ndim
    step = np.asarray(STEPS[labels.ndim])[::-1]
    one, other = numbers(labels), numbers(np.pad(labels, pad))
    border_free = [n for n in one.var_names if not n.startswith(("perimeter", "surface", "circularity", "sphericity"))]
    same(one, other, shift=before * step, features=None if (np.pad(labels, 1) == 0).all() else border_free)


def turning_permutes(labels, seed):
    order = np.random.default_rng(seed).permutation(labels.ndim)
    image = light(labels, seed)
    one = cgc.from_labels(labels, image, spacing=0.5)
    other = cgc.from_labels(labels.transpose(order), image.transpose(0, *(order + 1)), spacing=0.5)
    other.obsm["spatial"] = np.asarray(other.obsm["spatial"])[:, ::-1][:, np.argsort(order)][:, ::-1]
    same(one, other, features=[n for n in one.var_names if not n.startswith("box_")])


def flipping_mirrors(labels, seed):
    axes = tuple(np.flatnonzero(np.random.default_rng(seed).integers(2, size=labels.ndim)))
    one, other = numbers(labels), numbers(np.flip(labels, axes))
    other.obsm["spatial"] = one.obsm["spatial"]
    same(one, other)


def cropping_cells_keeps_others(labels, seed):
    one = numbers(labels, features=())
    gone = np.random.default_rng(seed).choice(one.obs["cell_id"])
    hypothesis.assume(one.n_obs > 1)
    same(one[one.obs["cell_id"] != gone], numbers(np.where(labels == gone, 0, labels), features=()))


def radius_is_brute_force(position, radius):
    found = graphed(position, lambda a: cgc.gr.radius_graph(a, radius=radius, copy=True))
    if isinstance(found, str):
        raise Wrong(f"refused: {found}")
    sure, possible = oracles.near(position, radius)
    if not sure <= oracles.edges(found) <= possible:
        raise Wrong(f"edges {oracles.edges(found) ^ sure}")
    if not sure <= oracles.near_by_tree(position, radius) <= possible:
        raise Wrong("the oracles differ")


def nearest_are_nearest(position, k):
    n = len(position)
    found = graphed(position, lambda a: cgc.gr.knn_graph(a, n_neighbors=k, copy=True))
    if isinstance(found, str):
        raise Wrong(f"refused: {found}")
    k, length = min(k, n - 1), distance_matrix(position, position)
    farthest = oracles.nearest_lengths(position, k)[:, -1]
    for i, j in oracles.edges(found):
        if length[i, j] > max(farthest[i], farthest[j]) * (1 + 1e-9):
            raise Wrong(f"edge {i}, {j} of {length[i, j]}, the {k} nearest lie within {farthest[i]} and {farthest[j]}")
    missed = [i for i in range(n) if found[[i]].nnz < k]
    if missed:
        raise Wrong(f"cells {missed[:5]} have fewer than {k} neighbours")


def triangulation_is_scipys(position):
    found = graphed(position, lambda a: cgc.gr.delaunay_graph(a, max_distance=None, copy=True))
    distinct = np.unique(position, axis=0)
    if isinstance(found, str) or len(distinct) < len(position) or len(position) < position.shape[1] + 2:
        return  # fewer points, doubles and lines have rules of their own
    if (np.asarray(found.sum(axis=1)) == 0).any():
        raise Wrong("a cell without neighbour in a whole triangulation")
    wanted = oracles.delaunay_pairs(position)
    tied = len(np.unique(np.round(distance_matrix(position, position), 6))) < len(position) * (len(position) - 1) / 2
    if wanted is not None and not tied and oracles.edges(found) != wanted:
        raise Wrong(f"edges {sorted(oracles.edges(found) ^ wanted)[:5]}")


def graphs_follow_their_rows(position, seed):
    order = np.random.default_rng(seed).permutation(len(position))
    for build in (
        lambda a: cgc.gr.radius_graph(a, radius=2.5, copy=True),
        lambda a: cgc.gr.radius_graph(a, radius=2.5, n_jobs=1, copy=True),
    ):
        one, other = graphed(position, build), graphed(position[order], build)
        if isinstance(one, str) or isinstance(other, str):
            if not isinstance(one, str) or not isinstance(other, str):
                raise Wrong(f"one is refused: {one!s:.40}, {other!s:.40}")
        elif (one[order][:, order] != other).nnz:
            raise Wrong("another graph of permuted rows")


def graphs_do_not_mind_shifts(position, scale, shift):
    hypothesis.assume((position == np.round(position)).all())  # exact on a lattice
    moved = position * scale + shift
    one = graphed(position, lambda a: cgc.gr.radius_graph(a, radius=1.75, copy=True))
    other = graphed(moved, lambda a: cgc.gr.radius_graph(a, radius=1.75 * scale, copy=True))
    if (one != other).nnz:
        raise Wrong("another graph of shifted positions")


def samples_stay_apart(position, seed):
    adata = table(position)
    adata.obs["library_id"] = pd.Categorical(np.random.default_rng(seed).choice(["a", "b"], len(position)))
    whole = cgc.gr.radius_graph(adata, radius=2.5, library_key="library_id", copy=True).connectivities
    for name, rows in adata.obs.groupby("library_id", observed=True).indices.items():
        part = graphed(position[rows], lambda a: cgc.gr.radius_graph(a, radius=2.5, copy=True))
        if (whole[rows][:, rows] != part).nnz:
            raise Wrong(f"another graph of sample {name} alone")
    codes = adata.obs["library_id"].cat.codes.to_numpy()
    rows, columns = whole.nonzero()
    if (codes[rows] != codes[columns]).any():
        raise Wrong("an edge across samples")


def models_follow_their_rows(seed):
    adata = cells()
    order = np.random.default_rng(seed).permutation(adata.n_obs)
    for call, atol in (
        (lambda a: embedder().transform(a), 1e-4),
        (lambda a: classifier().predict_proba(np.asarray(a.X)), 1e-4),
        (lambda a: cgc.gr.aggregate_neighbors(a, copy=True), 1e-4),
        (lambda a: cgc.pp.scale_features(a, method="zscore", copy=True).X, 1e-3),
    ):
        close(call(adata[order].copy()), call(adata)[order], "permuted rows", atol=atol)


def seeds_repeat(seed):
    one, other = (
        cgc.tl.embed(cells(), n_dims=3, n_hidden=4, random_state=seed, copy=True, **QUICK).obsm["X_cellgraph"]
        for _ in range(2)
    )
    close(one, other, "the same seed", rtol=0, atol=0)


def splits_do_not_mind_threads_or_names(seed):
    adata, renamed = cells(), cells()
    renamed.obs_names = [f"x{i}" for i in range(renamed.n_obs)]
    one, other = (cgc.pp.split(a, n_blocks=4, random_state=seed, copy=True).obs["split"] for a in (adata, renamed))
    if one.tolist() != other.tolist():
        raise Wrong("another split of renamed cells")


def retrieval_is_brute_force(seed, k):
    rng = np.random.default_rng(seed)
    vectors = rng.normal(size=(int(rng.integers(k + 1, 60)), 5)).round(int(rng.integers(1, 4)))
    from cellgraph_clr.analysis.index import VectorIndex

    index = VectorIndex.build(vectors.astype(np.float32))
    ids, similarity = index.query(vectors[:4].astype(np.float32), k)
    spread = vectors.std(axis=0)
    unit = (vectors - vectors.mean(0)) / np.where(spread > 0, spread, 1)
    unit /= np.maximum(np.linalg.norm(unit, axis=1, keepdims=True), 1e-12)
    close(similarity, np.sort(unit[:4] @ unit.T, axis=1)[:, ::-1][:, :k], "similarities", atol=1e-3)
    if any(len(set(row)) < k for row in ids.tolist()):
        raise Wrong("a hit twice")


def subsets_agree(seed):
    adata = cells()
    rows = np.sort(np.random.default_rng(seed).choice(adata.n_obs, 20, replace=False))
    part = adata[rows].copy()
    close(
        classifier().predict_proba(np.asarray(part.X)),
        classifier().predict_proba(np.asarray(adata.X))[rows],
        "a subset",
        atol=1e-5,
    )
    close(
        part.obsp["touching_contact_area"].toarray(),
        adata.obsp["touching_contact_area"].toarray()[np.ix_(rows, rows)],
        "contacts",
    )


class Law(NamedTuple):
    """A law, what is drawn for it, and how much slower than the others it is."""

    holds: Callable[..., None]
    drawn: dict[str, Any]
    cost: int = 1


IMAGE, SEED, PLACES = {"labels": label_images()}, {"seed": seeds}, {"position": points()}
LAWS = [
    Law(oracles_agree, IMAGE | SEED),
    Law(contacts_agree, IMAGE),
    Law(chunked_is_whole, IMAGE | SEED, 2),
    Law(threads_change_nothing, IMAGE | SEED),
    Law(relabelling_renames, IMAGE | SEED),
    Law(padding_shifts, IMAGE | {"before": st.integers(0, 3), "after": st.integers(0, 3)}),
    Law(turning_permutes, IMAGE | SEED),
    Law(flipping_mirrors, IMAGE | SEED),
    Law(cropping_cells_keeps_others, IMAGE | SEED),
    Law(radius_is_brute_force, PLACES | {"radius": st.floats(0.01, 300)}),
    Law(nearest_are_nearest, PLACES | {"k": st.integers(1, 8)}),
    Law(triangulation_is_scipys, PLACES),
    Law(graphs_follow_their_rows, PLACES | SEED),
    Law(
        graphs_do_not_mind_shifts,
        {"position": points(), "scale": st.sampled_from([0.25, 1, 8]), "shift": st.integers(-(2**20), 2**20)},
    ),
    Law(samples_stay_apart, PLACES | SEED),
    Law(models_follow_their_rows, SEED, 4),
    Law(seeds_repeat, SEED, 20),
    Law(splits_do_not_mind_threads_or_names, SEED, 4),
    Law(retrieval_is_brute_force, SEED | {"k": st.integers(1, 9)}),
    Law(subsets_agree, SEED, 4),
]


def tried(law: Law, n: int, seed: int | None) -> None:
    """Try a law with about n inputs (fewer if it is slow), always the same where there is no seed."""
    test = hypothesis.given(**law.drawn)(law.holds)
    if seed is not None:
        test = hypothesis.seed(seed)(test)
    hypothesis.settings(
        max_examples=max(2, n // law.cost),
        derandomize=seed is None,
        database=None,
        deadline=None,
        print_blob=False,
        suppress_health_check=list(hypothesis.HealthCheck),
    )(test)()


def cases(n: int = 60) -> Iterator[Case]:
    """Yield every law, each with many inputs."""
    for law in LAWS:
        tries = max(2, n // law.cost)
        yield Case(AREA, law.holds.__name__, partial(_law, law, n), seeded=True, tries=tries, limit=120)


def _law(law, n, folder, seed):
    tried(law, n, seed)
