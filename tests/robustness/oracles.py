"""The right numbers, found three times over: by plain loops, by scikit-image, and by SciPy."""

from __future__ import annotations

from itertools import combinations

import numpy as np
from scipy import ndimage
from scipy.spatial import Delaunay, QhullError, cKDTree
from skimage.measure import regionprops_table

from tests.robustness.case import Wrong

# --- Cells of an image: {id: (size, centroid z, y, x, mean, least and most of every channel)} ---


def by_loops(labels, image, spacing):
    """Pixel by pixel."""
    step = np.asarray(spacing, float)
    pixels = {}
    for at, value in np.ndenumerate(labels):
        if value != 0:
            pixels.setdefault(int(value), []).append(at)
    out = {}
    for value, places in pixels.items():
        found = np.asarray([[channel[at] for channel in image] for at in places], float).reshape(len(places), -1)
        centre = np.asarray(places).mean(axis=0) * step
        out[value] = np.concatenate([[len(places) * step.prod()], centre, found.mean(0), found.min(0), found.max(0)])
    return out


def by_skimage(labels, image, spacing):
    """`regionprops_table` of labels numbered from 1, which it needs."""
    ids, small = _numbered(labels)
    names = ("area", "centroid", *(() if len(image) == 0 else ("intensity_mean", "intensity_min", "intensity_max")))
    shown = None if len(image) == 0 else np.moveaxis(np.asarray(image, float), 0, -1)
    columns = regionprops_table(small, shown, properties=names, spacing=tuple(map(float, spacing)))
    return dict(zip(ids.tolist(), np.column_stack(list(columns.values())), strict=True))


def by_scipy(labels, image, spacing):
    """`scipy.ndimage` of labels numbered from 1."""
    ids, small = _numbered(labels)
    step, index = np.asarray(spacing, float), np.arange(1, len(ids) + 1)
    ones = np.ones(labels.shape)
    columns = [ndimage.sum_labels(ones, small, index) * step.prod()]
    columns += [*(np.asarray(ndimage.center_of_mass(ones, small, index)).reshape(len(ids), -1) * step).T]
    for measured in (ndimage.mean, ndimage.minimum, ndimage.maximum):
        columns += [measured(np.asarray(channel, float), small, index) for channel in image]
    return dict(zip(ids.tolist(), np.column_stack(columns), strict=True))


ORACLES = {"loops": by_loops, "scikit-image": by_skimage, "SciPy": by_scipy}


def _numbered(labels):
    ids, inverse = np.unique(labels, return_inverse=True)
    first = int(ids[0] == 0)
    return ids[first:], (inverse.reshape(labels.shape) + 1 - first).astype(np.int64)


def check_measured(adata, labels, image, spacing, *, oracles=ORACLES, origin=0.0):
    """Raise `Wrong` unless the cells of an AnnData are those of the labels, with the numbers of every oracle."""
    d = labels.ndim
    x, names = np.asarray(adata.X, float), list(adata.var_names)
    channels = list(dict.fromkeys(c for c in adata.var["channel"] if c))
    position = np.asarray(adata.obsm["spatial"], float)[:, ::-1] - np.asarray(origin)
    kept = ["area" if d == 2 else "volume"]
    intensities = [f"{c}_{k}" for k in ("mean", "min", "max") for c in channels]
    blocks = [x[:, [names.index(n) for n in kept]], position, x[:, [names.index(n) for n in intensities]]]
    found = dict(zip(adata.obs["cell_id"].tolist(), np.concatenate(blocks, axis=1), strict=True))
    for name, oracle in oracles.items():
        wanted = oracle(labels, image, spacing)
        if set(found) != set(wanted):
            raise Wrong(f"cells {sorted(found)[:9]}…, by {name} {sorted(wanted)[:9]}…")
        for cell, values in wanted.items():
            close(found[cell], values, f"cell {cell} by {name}")


def close(found, wanted, what, *, rtol=1e-4, atol=1e-5):
    """Raise `Wrong` unless two arrays are near one another; a NaN is near a NaN."""
    found, wanted = np.asarray(found, float), np.asarray(wanted, float)
    if found.shape != wanted.shape or not np.allclose(found, wanted, rtol=rtol, atol=atol, equal_nan=True):
        raise Wrong(
            f"{what}: {np.array2string(found.ravel(), threshold=9)}, not {np.array2string(wanted.ravel(), threshold=9)}"
        )


# --- Contacts: {(a, b): area} with a < b ---


def contacts_by_loops(labels, spacing):
    """Pixel by pixel, towards the next along every axis."""
    step, out = np.asarray(spacing, float), {}
    for at, a in np.ndenumerate(labels):
        for axis in range(labels.ndim):
            beside = tuple(v + (i == axis) for i, v in enumerate(at))
            if beside[axis] < labels.shape[axis]:
                b = labels[beside]
                if a and b and a != b:
                    pair = tuple(sorted((int(a), int(b))))
                    out[pair] = out.get(pair, 0) + step.prod() / step[axis]
    return out


def contacts_by_shifts(labels, spacing):
    """The image beside itself, shifted by one along every axis."""
    step, out = np.asarray(spacing, float), {}
    for axis in range(labels.ndim):
        ahead, behind = (np.moveaxis(labels, axis, 0)[s] for s in (slice(1, None), slice(None, -1)))
        met = (ahead != behind) & (ahead != 0) & (behind != 0)
        for pair in zip(ahead[met].tolist(), behind[met].tolist(), strict=True):
            key = tuple(sorted(pair))
            out[key] = out.get(key, 0) + step.prod() / step[axis]
    return out


def check_contacts(adata, graph, labels, spacing):
    """Raise `Wrong` unless a graph joins the cells that touch, by the area in which they do."""
    ids = adata.obs["cell_id"].to_numpy()
    areas = graph.contact_area.tocoo()
    found = {
        tuple(sorted((int(ids[i]), int(ids[j])))): float(v)
        for i, j, v in zip(areas.row, areas.col, areas.data, strict=True)
    }
    for oracle in (contacts_by_loops, contacts_by_shifts):
        wanted = oracle(labels, spacing)
        if set(found) != set(wanted):
            raise Wrong(f"contacts {sorted(found)[:6]}…, by {oracle.__name__} {sorted(wanted)[:6]}…")
        pairs = sorted(wanted)
        close([found[p] for p in pairs], [wanted[p] for p in pairs], f"contact areas by {oracle.__name__}")


# --- Neighbours of points: sets of pairs (i, j) with i < j ---


def edges(matrix):
    """Return the pairs of a square sparse matrix."""
    m = matrix.tocoo()
    return {(int(i), int(j)) for i, j in zip(m.row, m.col, strict=True) if i < j}


def near(position, radius):
    """Pairs within a radius, by loops; those on its border by less than 1e-9 of it are left to either side."""
    length = {
        (i, j): float(np.linalg.norm(position[i] - position[j])) for i, j in combinations(range(len(position)), 2)
    }
    sure = {p for p, v in length.items() if v <= radius * (1 - 1e-9)}
    return sure, {p for p, v in length.items() if v <= radius * (1 + 1e-9)}


def near_by_tree(position, radius):
    """Pairs within a radius, by `cKDTree`."""
    return {tuple(sorted(p)) for p in cKDTree(position).query_pairs(radius)}


def nearest_lengths(position, k):
    """Distances (n, k) to the nearest others, by `cKDTree`."""
    return cKDTree(position).query(position, k + 1)[0][:, 1:]


def delaunay_pairs(position):
    """Pairs of the triangulation, by SciPy; None where there is none."""
    try:
        simplices = Delaunay(position).simplices
    except QhullError:
        return None
    return {tuple(sorted(map(int, p))) for s in simplices for p in combinations(s, 2)}
