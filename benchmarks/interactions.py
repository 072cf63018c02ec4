"""Which types touch: planted log odds with intervals, beside other losses and permutations; TNBC patients and a granuloma."""

import time

import numpy as np
from anndata import AnnData
from scipy.optimize import minimize
from scipy.sparse import csr_matrix, triu
from scipy.stats import t as student

from benchmarks.inputs import real_data
from benchmarks.rows import Row, Rows
from cellgraph_clr import from_table, gr, read_labels, tl
from cellgraph_clr.analysis.contact_choices import choices_of, pair_numbers, tissue_blocks
from cellgraph_clr.analysis.interactions import fit_interactions
from cellgraph_clr.datasets.touching import planted_contacts
from cellgraph_clr.graphs.candidates import candidates_within

PRIOR = 0.5
SETTINGS = {  # n cells, types, near, contacts, each cell draws by itself, sets at full size
    "5 types, 1,000 cells, 6 of 16": (1000, 5, 16, 6, False, 500),
    "the same, 8 of 16": (1000, 5, 16, 8, False, 500),
    "the same, 3 of 30": (1000, 5, 30, 3, False, 500),
    "10 types, 2,000 cells, 6 of 16": (2000, 10, 16, 6, False, 500),
    "5 types, 6 of 16, each cell draws its own": (1000, 5, 16, 6, True, 50),
}
TUMOUR = ("Epithelial", "Tumor/EGFR", "Tumor/Keratin")
OTHER = ("Endothelial/Vim", "Mesenchymal/SMA", "Other")


def run(*, size: str, data: str | None) -> list[Row]:
    """Return coverage and errors on planted tissue, then what is found in real tissue."""
    rows = Rows("interactions")
    for name, setting in SETTINGS.items():
        _planted(rows, name, *setting[:-1], n_sets=2 if size == "small" else setting[-1])
    _growth(rows, (300, 600) if size == "small" else (500, 1000, 2000, 4000), 2 if size == "small" else 20)
    _by_position(rows, 2 if size == "small" else 100)
    folder = real_data(size, data)
    if folder is not None:
        _tnbc(rows, folder / "mibi_tnbc_cohort" / "cells.parquet")
        _granuloma(rows, folder / "mibi_granuloma")
    return rows


def _planted(
    rows: Rows, name: str, n: int, n_types: int, near: int, contacts: int, alone: bool, *, n_sets: int
) -> None:
    inside, off, truths, wide = [], {}, [], []
    for seed in range(n_sets):
        drawn = planted_contacts(n, n_types, random_state=seed, n_near=near, n_contacts=contacts)
        cells = [np.arange(n)]
        candidates = candidates_within(drawn.position, drawn.contacts, cells, drawn.radius, n_jobs=1)
        if alone:
            candidates = _drawn_alone(candidates, drawn, np.random.default_rng(seed))
        choices = choices_of(drawn.types, candidates, n_types=n_types)
        fit = fit_interactions(choices, tissue_blocks(drawn.position, cells, candidates), prior_contacts=PRIOR)
        told = np.isfinite(fit.error)
        weight = np.where(told, fit.expected, 0) / fit.expected[told].sum()
        planted = drawn.log_odds[np.triu_indices(n_types)]
        truth = planted - weight @ planted
        reach = student.ppf(0.975, fit.dof) * fit.error
        inside.append((np.abs(fit.log_odds - truth) < reach)[told])
        wide.append(reach[told])
        truths.append(truth[told])
        found = {"InfoNCEp": fit.log_odds, **_rivals(choices, drawn, seed, with_contacts=not alone)}
        for key, value in found.items():
            off.setdefault(key, []).append((value - weight @ np.nan_to_num(value) - truth)[told])
    every = np.concatenate(inside)
    by_set = np.array([i.mean() for i in inside])
    error, protocol = (
        100 * by_set.std() / np.sqrt(n_sets),
        f"{n_sets} sets, {len(every)} intervals; spread: standard error",
    )
    told = {"n": n_sets, "protocol": protocol}
    rows.add("planted", name, "95 % intervals cover", 100 * every.mean(), spread=error, unit="%", digits=1, **told)
    rows.add("slopes", name, "mean half width", np.mean(np.concatenate(wide)), digits=2, **told)
    truth = np.concatenate(truths)
    best = np.array([(o**2).mean() for o in off["InfoNCEp"]])
    for key, errors in off.items():
        values = np.concatenate(errors)
        slope = 1 + (values * truth).sum() / (truth**2).sum()
        more = np.array([(o**2).mean() for o in errors]) - best
        rows.add("planted", name, f"{key}, rmse", np.sqrt((values**2).mean()), n=n_sets)
        rows.add("slopes", name, key, slope, digits=2, n=n_sets)
        if key != "InfoNCEp":
            spread = more.std() / np.sqrt(n_sets)
            rows.add("mean squared error minus InfoNCEp's", name, key, more.mean(), spread=spread, digits=4, **told)


def _drawn_alone(candidates, drawn, rng):
    """Return the candidates with as many contacts of every cell, drawn by itself from the conditional likelihood.

    Rejection: independent draws are kept when their number is right; a cell that 200 draws do not serve has no contact.
    """
    contact = np.zeros(len(candidates.rows), bool)
    score = drawn.log_odds[drawn.types[candidates.anchors], drawn.types[candidates.rows]]
    for i in range(len(candidates.indptr) - 1):
        at = slice(candidates.indptr[i], candidates.indptr[i + 1])
        n, p = at.stop - at.start, int(candidates.contact[at].sum())
        if not 0 < p < n:
            contact[at] = p > 0
            continue
        chance = 1 / (1 + np.exp(-(score[at] - score[at].mean() + np.log(p / (n - p)))))
        tries = rng.random((200, n)) < chance
        good = np.flatnonzero(tries.sum(axis=1) == p)
        if len(good):
            contact[at] = tries[good[0]]
    return type(candidates)(candidates.indptr, candidates.rows, contact, candidates.distance)


def _rivals(choices, drawn, seed: int, *, with_contacts: bool) -> dict[str, np.ndarray]:
    """Return log odds (pairs,) of other losses on the same scores, with the same prior, and of permutations."""
    kept = choices.of(choices.informative)
    n_types = kept.n_types
    owner = np.repeat(np.arange(len(kept.anchor)), np.diff(kept.starts))
    number, first, second = pair_numbers(n_types)
    types = drawn.types[kept.anchor]
    other = np.where(first[kept.pair] == types[owner], second[kept.pair], first[kept.pair])
    n, k = np.zeros((2, len(kept.anchor), n_types))
    n[owner, other], k[owner, other] = kept.size, kept.chosen
    out = {name: _fitted(loss, n, k, types, number) for name, loss in LOSSES.items()}
    if with_contacts:
        seen, mean, _ = permutation_counts(drawn.types, drawn.contacts, n_types, n_draws=200, seed=seed)
        out["log ratio to permutation means"] = np.log((seen + PRIOR) / (mean + PRIOR))
    return out


def _composite(f, n, k):
    e = np.exp(f)
    noise = ((n - k) * e).sum(axis=1, keepdims=True)
    value = (k * (np.log(e + noise) - f)).sum(axis=1)
    share = k * e / (e + noise)
    pull = (k / (e + noise)).sum(axis=1, keepdims=True)
    return value, share - k + (n - k) * e * pull


def _supcon(f, n, k):
    e, p = np.exp(f), k.sum(axis=1, keepdims=True)
    whole = (n * e).sum(axis=1, keepdims=True)
    return p[:, 0] * np.log(whole[:, 0]) - (k * f).sum(axis=1), p * n * e / whole - k


def _mil_nce(f, n, k):
    e = np.exp(f)
    whole, positive = (n * e).sum(axis=1, keepdims=True), (k * e).sum(axis=1, keepdims=True)
    return np.log(whole[:, 0] / positive[:, 0]), n * e / whole - k * e / positive


def _mean_of(loss):
    """Return a loss whose anchors count alike, at the scale of one whose positives do."""

    def mean(f, n, k):
        p = k.sum(axis=1)
        value, gradient = loss(f, n, k)
        return value * p.mean() / p, gradient * (p.mean() / p)[:, None]

    return mean


LOSSES = {
    "composite, sum over positives": _composite,
    "composite, mean over positives": _mean_of(_composite),
    "SupCon": _mean_of(_supcon),
    "SupCon, sum over positives": _supcon,
    "MIL-NCE": _mil_nce,
}


def _fitted(loss, n, k, types, number) -> np.ndarray:
    """Return the pairs (pairs,) that minimise a loss of scores (anchors, types), with the prior of `fit_interactions`."""
    n_types = len(number)
    one = np.zeros((n_types, len(types)))
    one[types, np.arange(len(types))] = 1

    def both(theta):
        value, gradient = loss(theta[number][types], n, k)
        whole = np.bincount(number.ravel(), (one @ gradient).ravel(), minlength=len(theta))
        return value.sum() - 2 * PRIOR * (theta - np.exp(theta)).sum(), whole - 2 * PRIOR * (1 - np.exp(theta))

    return minimize(both, np.zeros(number.max() + 1), jac=True, method="L-BFGS-B", options={"maxiter": 500}).x


def permutation_counts(types, contacts: csr_matrix, n_types: int, *, n_draws: int, seed: int):
    """Return contacts of every pair (pairs,), and mean and sd of them when types are shuffled over all cells."""
    number = pair_numbers(n_types)[0]
    edges = triu(contacts, k=1, format="coo")
    rng = np.random.default_rng(seed)

    def count(types):
        return np.bincount(number[types[edges.row], types[edges.col]], minlength=number.max() + 1)

    shuffled = np.stack([count(rng.permutation(types)) for _ in range(n_draws)])
    return count(types), shuffled.mean(axis=0), shuffled.std(axis=0)


def _growth(rows: Rows, sizes, n_sets: int) -> None:
    """Add how permutation z-scores and log odds of the same planted pairs go with the number of cells."""
    theta = np.array([[0.5, -0.5, 0.0], [-0.5, 0.5, 0.0], [0.0, 0.0, 0.0]])
    for n in sizes:
        found = []
        for seed in range(n_sets):
            drawn = planted_contacts(n, 3, random_state=seed, log_odds=theta)
            cells = [np.arange(n)]
            candidates = candidates_within(drawn.position, drawn.contacts, cells, drawn.radius, n_jobs=1)
            fit = fit_interactions(
                choices_of(drawn.types, candidates, n_types=3), tissue_blocks(drawn.position, cells, candidates)
            )
            seen, mean, sd = permutation_counts(drawn.types, drawn.contacts, 3, n_draws=200, seed=seed)
            reach = student.ppf(0.975, fit.dof[1]) * fit.error[1]
            truth = theta[np.triu_indices(3)]
            truth = truth[1] - (fit.expected * truth).sum() / fit.expected.sum()
            found.append([(seen[1] - mean[1]) / sd[1], np.log(seen[1] / mean[1]), fit.log_odds[1], reach, truth])
        z, ratio, odds, reach, truth = np.mean(found, axis=0)
        told, name = {"n": n_sets, "unit": "log odds", "digits": 2}, f"{n:,} cells"
        rows.add("growth", name, "z-score", z, n=n_sets, digits=1)
        rows.add("growth", name, "log odds ± half width", odds, spread=reach, **told)
        rows.add("growth beside", name, "log ratio to permutations", ratio, **told)
        rows.add("growth beside", name, "planted", truth, **told)


def _by_position(rows: Rows, n_sets: int) -> None:
    """Add how often intervals leave out 0 in tissue with regions whose contacts are those of positions alone."""
    for name in ("knn", "delaunay"):
        inside = {False: [], True: []}
        for seed in range(n_sets):
            drawn = planted_contacts(1000, 4, random_state=seed)
            adata = AnnData(obs={"type": np.array(list("abcd"))[drawn.types]}, obsm={"spatial": drawn.position})
            (gr.knn_graph if name == "knn" else gr.delaunay_graph)(adata)
            for with_distance, found in inside.items():
                covariates = ["distance"] if with_distance else []
                table = tl.interactions(adata, "type", covariates=covariates)
                found.append((table["p_value"] < 0.05)[table["p_value"].notna()])
        shares = {key: 100 * np.concatenate(found).mean() for key, found in inside.items()}
        for with_distance, share in shares.items():
            column = "distance as covariate" if with_distance else "no covariate"
            rows.add(
                "intervals that leave out 0 by position", f"{name} graph", column, share, n=n_sets, unit="%", digits=1
            )


def _tnbc(rows: Rows, path) -> None:
    import pandas as pd

    table = pd.read_parquet(path)
    adata = from_table(
        table,
        cell_id=None,
        position=["x", "y"],
        features=[],
        obs=["cell_type", "graph_label"],
        unit="pixel",
        library_key="sample",
    )
    # The README of the set names the labels the other way round. By the published definition, contacts of immune with tumour
    # cells over those among immune cells (low: compartmentalised), label 0 (.01 to .4) is compartmentalised, 1 (.2 to 2.8) mixed.
    adata.obs["pattern"] = np.where(adata.obs["graph_label"] == 1, "mixed", "compartmentalised")
    gr.delaunay_graph(adata)
    start = time.perf_counter()
    found = tl.interactions(adata, "cell_type", groupby="pattern")
    params = adata.uns["interactions"]["params"]
    rows.add("TNBC", "Delaunay graph", "time", time.perf_counter() - start, unit="s", digits=0)
    rows.add("TNBC", "Delaunay graph", "radius, pixels", params["radius"], digits=0)
    rows.add("TNBC", "Delaunay graph", "in contact", params["share_in_contact"], digits=2)
    for level in ("pooled", "difference"):
        some = found[(found["level"] == level) & found["q_value"].notna()]
        _add_pairs(rows, f"TNBC, {level}", some.sort_values("p_value"), 8)
    _shuffled(rows, adata)
    kind = adata.obs["cell_type"].astype(str)
    adata.obs["lineage"] = np.select([kind.isin(TUMOUR), kind.isin(OTHER)], ["tumour", "other"], "immune")
    for radius in (None, 100.0, 200.0):
        _told_apart(rows, adata, radius)
    _told_apart_by_counts(rows, adata)


def _shuffled(rows: Rows, adata) -> None:
    """Add how often intervals leave out 0 when types are shuffled within every patient."""
    rng = np.random.default_rng(0)
    kinds = adata.obs["cell_type"].astype(str).to_numpy()
    sample = adata.obs["library_id"].astype(str).to_numpy()
    for name in np.unique(sample):
        some = np.flatnonzero(sample == name)
        kinds[some] = kinds[rng.permutation(some)]
    adata.obs["shuffled"] = kinds
    found = tl.interactions(adata, "shuffled", groupby="pattern", key_added="shuffled")
    for level in ("sample", "pooled", "group", "difference"):
        some = found[(found["level"] == level) & found["p_value"].notna()]
        share = 100 * (some["p_value"] < 0.05).mean()
        rows.add("TNBC, shuffled", level, "intervals that leave out 0", share, n=len(some), unit="%", digits=1)
        rows.add("TNBC, shuffled", level, "with q < .05", (some["q_value"] < 0.05).sum(), digits=0)


def _told_apart(rows: Rows, adata, radius) -> None:
    """Add how well the log odds tell mixed from compartmentalised patients, by lineages."""
    found = tl.interactions(adata, "lineage", groupby="pattern", radius=radius, key_added="lineages")
    used = adata.uns["lineages"]["params"]["radius"]
    share = adata.uns["lineages"]["params"]["share_in_contact"]
    one = found[found["level"] == "sample"]
    value = {}
    for (sample, a, b), odds in one.set_index(["sample", "type_a", "type_b"])["log_odds"].items():
        value.setdefault(sample, {})[a, b] = odds
    mixing = {s: v["immune", "tumour"] - (v["immune", "immune"] + v["tumour", "tumour"]) / 2 for s, v in value.items()}
    auc = _auc(adata, mixing)
    line, more = f"{used:.0f} pixels", found[(found["level"] == "difference") & found["p_value"].notna()]
    for r in more.itertuples():
        odds, reach = {"unit": "log odds", "digits": 2}, (r.low, r.high)
        rows.add("TNBC, lineages", line, f"{r.type_a} - {r.type_b} | log odds", r.log_odds, interval=reach, **odds)
        rows.add("TNBC, lineages", line, f"{r.type_a} - {r.type_b} | q", r.q_value, digits=4)
    rows.add("TNBC, lineages", line, "AUC of the mixing log odds", auc, digits=2)
    rows.add("TNBC, radius", line, "in contact", share, digits=2)


def _told_apart_by_counts(rows: Rows, adata) -> None:
    """Add the same for permutation z-scores, log ratios, and shares of cells and contacts."""
    contacts, sample = adata.obsp["spatial_connectivities"], adata.obs["library_id"].astype(str).to_numpy()
    codes = adata.obs["lineage"].map({"immune": 0, "other": 1, "tumour": 2}).to_numpy().astype(int)
    out = {"z-score of immune-tumour": {}, "log ratio to permutations": {}, "contacts immune-tumour": {}, "cells": {}}
    for name in np.unique(sample):
        some = np.flatnonzero(sample == name)
        seen, mean, sd = permutation_counts(codes[some], contacts[some][:, some], 3, n_draws=200, seed=0)
        ratio = np.log((seen + PRIOR) / (mean + PRIOR))
        out["z-score of immune-tumour"][name] = (seen[2] - mean[2]) / sd[2]
        out["log ratio to permutations"][name] = ratio[2] - (ratio[0] + ratio[5]) / 2
        out["contacts immune-tumour"][name] = seen[2] / seen[0]
        out["cells"][name] = (codes[some] == 2).mean()
    labels = {"contacts immune-tumour": "contacts immune-tumour over immune-immune", "cells": "share of tumour cells"}
    for key, values in out.items():
        rows.add("TNBC, counts", labels.get(key, key), "AUC", _auc(adata, values), digits=2)


def _auc(adata, values: dict[str, float]) -> float:
    """Return the AUC of higher values in mixed patients, NaN left out."""
    pattern = adata.obs.groupby(adata.obs["library_id"].astype(str))["pattern"].first()
    known = {s: v for s, v in values.items() if np.isfinite(v)}
    mixed = np.array([v for s, v in known.items() if pattern[s] == "mixed"])
    rest = np.array([v for s, v in known.items() if pattern[s] != "mixed"])
    return (mixed[:, None] > rest).mean() + 0.5 * (mixed[:, None] == rest).mean()


def _granuloma(rows: Rows, folder) -> None:
    import pandas as pd

    labels = read_labels(folder / "fov6_mask.tif", spacing=1.0, unit="pixel")
    table = pd.read_parquet(folder / "fov6_cells.parquet")
    adata = from_table(
        table,
        cell_id="label",
        position=["x_px", "y_px"],
        features=["area_px"],
        obs=["cell_type", "cell_lin", "lineage"],
        unit="pixel",
    )
    gr.contact_graph(adata, labels, max_gap=3.0)
    for key in ("cell_lin", "cell_type"):
        found = tl.interactions(adata, key)
        params = adata.uns["interactions"]["params"]
        some = found[found["p_value"].notna()]
        rows.add("granuloma", key, "in contact", params["share_in_contact"], digits=2)
        _add_pairs(rows, f"granuloma, {key}", some.sort_values("p_value"), 10)


def _add_pairs(rows: Rows, table: str, found, n: int) -> None:
    """Add how many pairs have q below .05, and the first n of them."""
    rows.add("pairs with q < .05", table, "found", (found["q_value"] < 0.05).sum(), digits=0)
    rows.add("pairs with q < .05", table, "tested", len(found), digits=0)
    for r in found.head(n).itertuples():
        name = f"{r.type_a} - {r.type_b}"
        rows.add(table, name, "log odds", r.log_odds, interval=(r.low, r.high), unit="log odds", digits=2)
        rows.add(table, name, "q", r.q_value, digits=4)
        rows.add(table, name, "contacts", r.n_contacts, digits=0)
        rows.add(table, name, "at random", r.expected, digits=0)
