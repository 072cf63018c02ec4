"""One step of the tasks on cell graphs against loops over cells, candidates and subsets that share no code with them."""

import math
import pickle
from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
import torch
from scipy.sparse import csr_matrix
from torch import nn

from cellgraph_clr import losses
from cellgraph_clr.cells.table import CellTable
from cellgraph_clr.models import CellGraphCLRConfig
from cellgraph_clr.models.cell_graph import batches
from cellgraph_clr.models.cell_graph.infomax import GraphInfoMaxTask
from cellgraph_clr.models.cell_graph.pairs import Positives, SparseRelation
from cellgraph_clr.models.cell_graph.task import ContrastTask
from cellgraph_clr.training.task import Lowered

N, F = 9, 3
STILL = {"mask_features": 0, "jitter": 0, "drop_edges": 0}


class Plain(nn.Module):
    """Two rounds of ``h_i = tanh(h_i + sum_j (h_j + e_ij))``."""

    def __init__(self, n_in, n_out, n_edge):
        super().__init__()
        self.enter = nn.Linear(n_in, n_out)
        self.edge = nn.Linear(n_edge, n_out, bias=False) if n_edge else None

    def forward(self, x, adjacency, edge_attr):
        """Return vectors of cells."""
        h = self.enter(x)
        row = torch.repeat_interleave(torch.arange(len(x)), adjacency.crow_indices().diff())
        for _ in range(2):
            message = h[adjacency.col_indices()] + (0 if self.edge is None else self.edge(edge_attr))
            h = torch.tanh(h + torch.zeros_like(h).index_add(0, row, message))
        return h


def by_loop(encoder, x, edges):
    """Return the same as `Plain` (n, d), of `edges`: (cell, neighbour) -> features or None."""
    w, b = (p.detach().double().numpy() for p in (encoder.enter.weight, encoder.enter.bias))
    h = [w @ np.asarray(row, float) + b for row in x]
    for _ in range(2):
        new = []
        for i in range(len(h)):
            total = h[i].copy()
            for (cell, other), e in edges.items():
                if cell == i:
                    total += h[other]
                    if e is not None:
                        total += encoder.edge.weight.detach().double().numpy() @ e
            new.append(np.tanh(total))
        h = new
    return np.stack(h)


def graph_of(pairs):
    """Return the adjacency whose values are the numbers of its entries."""
    dense = np.zeros((N, N), bool)
    for i, j in pairs:
        dense[i, j] = dense[j, i] = True
    out = csr_matrix(dense.astype(np.int64))
    out.data = np.arange(out.nnz)
    return out


PATH = [(i, i + 1) for i in range(N - 1)]
WEB = [*PATH, (0, 4), (2, 7), (3, 8), (1, 6)]


def task_of(
    kind=ContrastTask, edges=WEB, *, relation=None, n_related=2, with_self=True, n_edge=0, start=None, **options
):
    rng = np.random.default_rng(1)
    adjacency = graph_of(edges)
    x = torch.from_numpy(rng.normal(size=(N, F)).astype(np.float32))
    attr = torch.from_numpy(rng.normal(size=(adjacency.nnz, n_edge)).astype(np.float32)) if n_edge else None
    sample = np.array(list("aaaaabbbb"))
    cells = CellTable.build(np.arange(N), np.arange(2.0 * N).reshape(N, 2), unit="pixel", sample=sample)
    given = {"n_dims": 4, "n_layers": 2, "batch_size": 4, "temperature": 0.37, "encoder": Plain} | options
    source = Positives(SparseRelation(adjacency if relation is None else relation), n_related, with_self)
    return kind(CellGraphCLRConfig(**given), x, adjacency, attr, cells, source, 5, start or {})


def networks_of(task):
    torch.manual_seed(2)
    networks = task.networks()
    for weight in networks.get("projection", nn.Identity()).parameters():
        nn.init.normal_(weight)  # so that cells differ
    return networks, {k: Lowered(v, "cpu", bf16=False) for k, v in networks.items()}


def vectors(task, networks, view):
    """Return what the loop gives of the rows that a view of the whole graph asks for."""
    number = {pair: entry for entry, pair in enumerate(sorted(edges_stored(task)))}
    rows, columns = np.repeat(np.arange(N), np.diff(view.adjacency.indptr)), view.adjacency.indices
    edges = {}
    for i, j in zip(rows.tolist(), columns.tolist(), strict=True):
        edges[i, j] = None if task.edge_attr is None else task.edge_attr[number[i, j]].double().numpy()
    return by_loop(networks["encoder"], view.x.numpy(), edges)[view.wanted.numpy()]


def projected(projection, h):
    (w, b), (v, c) = (
        (layer.weight.detach().double().numpy(), layer.bias.detach().double().numpy())
        for layer in (projection[0], projection[2])
    )
    return np.stack([v @ np.maximum(w @ row + b, 0) + c for row in h])


def cosine(u, v):
    return float(u @ v / np.sqrt(u @ u) / np.sqrt(v @ v))


def masks_by_loop(task, pairs):
    """Check which candidates are positive and which are left out, anchor by anchor."""
    for i, anchor in enumerate(pairs.anchors):
        positive = {int(c) for c, p in zip(pairs.candidates, pairs.positives[i], strict=True) if p}
        left_out = {int(c) for c, e in zip(pairs.candidates, pairs.exclude[i], strict=True) if e}
        friends = set(np.flatnonzero(related_to(task, anchor)).tolist())
        own = {int(anchor)}
        assert (own <= positive) == task.positives.with_self
        assert positive - own <= friends
        assert len(positive - own) == min(task.positives.n_related, len(friends))
        assert left_out == ((friends | own) & set(pairs.candidates.tolist())) - positive


def related_to(task, anchor):
    """Return the stored relations of a cell; an entry of value 0 is one too."""
    m = task.positives.relation.matrix
    row = np.zeros(N, bool)
    row[m.indices[m.indptr[anchor] : m.indptr[anchor + 1]]] = True
    row[anchor] = False
    return row


def subset_loss(scores, positive, left_out):
    """Return ``- log`` of the probability of the positives among all subsets of as many candidates that are not left out."""
    allowed = [k for k in range(len(scores)) if not left_out[k]]
    chosen = [k for k in allowed if positive[k]]
    weights = [math.exp(sum(scores[k] for k in s)) for s in combinations(allowed, len(chosen))]
    return math.log(sum(weights)) - sum(scores[k] for k in chosen)


CASES = {
    "usual": {},
    "still": STILL,
    "without own views": {"with_self": False, "n_related": 1},
    "edges with features": {"n_edge": 2, "drop_edges": 0.4},
    "hidden cells": {"drop_nodes": 0.4, "jitter": 0.3},
    "all cells at once": {"batch_size": 20},
    "colder": {"temperature": 0.11},
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("step", [0, 1, 3])
def test_a_step_is_what_a_loop_over_subsets_gives(case, step):
    task = task_of(**CASES[case])
    networks, lowered = networks_of(task)
    pairs, _ = task.draw_views(step, 2)
    masks_by_loop(task, pairs)
    batch = task.draw(step)
    np.testing.assert_array_equal(batch.positives.numpy(), pairs.positives)
    np.testing.assert_array_equal(batch.exclude.numpy(), pairs.exclude)
    for view, cells in zip(batch.views, (pairs.anchors, pairs.candidates), strict=True):
        np.testing.assert_array_equal(view.wanted.numpy(), cells)
    first, second = (projected(networks["projection"], vectors(task, networks, v)) for v in batch.views)
    losses, log_counts, distances = [], 0.0, []
    for i, u in enumerate(first):
        scores = [cosine(u, v) / task.config.temperature for v in second]
        losses.append(subset_loss(scores, pairs.positives[i], pairs.exclude[i]))
        log_counts += math.log(math.comb(int((~pairs.exclude[i]).sum()), int(pairs.positives[i].sum())))
        distances += [2 - 2 * cosine(u, v) for v, p in zip(second, pairs.positives[i], strict=True) if p]
    n_pairs = int(pairs.positives.sum())
    value, figures = task.loss(lowered, batch)
    assert value.item() == pytest.approx(np.mean(losses) / (n_pairs / len(losses)), rel=1e-4)
    assert float(figures["loss"]) == pytest.approx(np.mean(losses), rel=1e-4)
    assert figures["positives_per_anchor"] == pytest.approx(n_pairs / len(losses))
    assert float(figures["contrastive_gap"]) == pytest.approx((log_counts - sum(losses)) / n_pairs, rel=1e-3, abs=1e-5)
    assert figures["contrastive_gap_cap"] == pytest.approx(log_counts / n_pairs)
    assert float(figures["alignment"]) == pytest.approx(np.mean(distances), rel=1e-4, abs=1e-6)
    apart = [math.exp(-4 * (1 - cosine(u, v))) for u, v in combinations(first, 2)]
    assert float(figures["uniformity"]) == pytest.approx(math.log(np.mean(apart)), rel=1e-3, abs=1e-5)
    assert all(not torch.as_tensor(f).requires_grad for f in figures.values())
    assert all(p.grad is None for n in networks.values() for p in n.parameters())
    value.backward()
    assert all(p.grad.abs().sum() > 0 for n in networks.values() for p in n.parameters())


def test_vectors_that_tell_nothing_have_no_gap():
    task = task_of()
    networks, lowered = networks_of(task)
    with torch.no_grad():
        networks["projection"][2].weight.zero_()
    figures = task.loss(lowered, task.draw(0))[1]
    assert float(figures["contrastive_gap"]) == pytest.approx(0, abs=1e-5)
    assert float(figures["alignment"]) == pytest.approx(0, abs=1e-5)


class Sum(nn.Module):
    """A loss that learns itself, and is no mean over anchors."""

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(1.5))

    def forward(self, anchor, candidates, positives, exclude):
        """Return a sum over pairs that tells masks and sides apart."""
        scores = anchor @ candidates.T
        return self.scale * (torch.where(positives, scores, 0).sum() + torch.where(exclude, 3 * scores, 0).sum())


@pytest.mark.parametrize("step", [0, 1])
def test_a_loss_of_ones_own_is_given_vectors_and_masks(step):
    task = task_of(objective=Sum(), n_related=1)
    networks, lowered = networks_of(task)
    batch = task.draw(step)
    assert batch.exclude.any()
    first, second = (projected(networks["projection"], vectors(task, networks, v)) for v in batch.views)
    expected = 0.0
    for i, j in np.argwhere(np.ones(batch.positives.shape)):
        factor = 1.0 * bool(batch.positives[i, j]) + 3.0 * bool(batch.exclude[i, j])
        expected += 1.5 * factor * float(first[i] @ second[j])
    value, figures = task.loss(lowered, batch)
    assert float(figures["loss"]) == pytest.approx(expected, rel=1e-4)
    assert value.item() == pytest.approx(expected / float(batch.positives.sum(1).float().mean()), rel=1e-4)
    assert "contrastive_gap" not in figures
    value.backward()
    assert networks["objective"].scale.grad is not None
    assert task.config.objective.scale.grad is None  # the user's own is left alone


def test_the_contrastive_gap_is_that_of_all_positives_undivided():
    for options, known in (
        ({}, True),
        ({"method": "auto"}, True),
        ({"normalize": "p"}, False),
        ({"purity": 0.9}, False),
    ):
        objective = losses.InfoNCEp(0.1, **options)
        task = task_of(objective=objective)
        networks, lowered = networks_of(task)
        assert ("contrastive_gap" in task.loss(lowered, task.draw(0))[1]) == known


def test_views_are_drawn_afresh():
    """Every value is that of the cell or the mean, plus noise of its own, in each view and each step."""
    task = task_of(mask_features=0.5, jitter=1e-3, drop_edges=0.4)
    x = task.x.numpy()
    masks, noises, kept = [], [], []
    for view in [*task.draw(0).views, *task.draw(1).views]:
        values = view.x.numpy()
        masked = np.abs(values) < np.abs(values - x)
        noise = values - np.where(masked, 0, x)
        assert np.abs(noise).max() < 0.006
        assert (noise != 0).all()  # where a feature is masked as well
        masks.append(masked)
        noises.append(noise)
        dense = np.full((N, N), -1)
        rows = np.repeat(np.arange(N), np.diff(view.adjacency.indptr))
        dense[rows, view.adjacency.indices] = view.adjacency.data
        whole = task.adjacency.toarray()
        some = dense >= 0
        np.testing.assert_array_equal(some, some.T)
        np.testing.assert_array_equal(dense[some], whole[some])
        assert 0 < some.sum() < task.adjacency.nnz
        kept.append(some)
    for seen in (masks, noises, kept):
        assert not any(np.array_equal(a, b) for a, b in combinations(seen, 2))
    assert 0.35 < np.mean(masks) < 0.65
    assert 0.8e-3 < np.std(noises) < 1.2e-3


def test_hidden_cells_have_neither_features_nor_edges():
    task = task_of(drop_nodes=0.5, mask_features=0, jitter=0.5, drop_edges=0)
    hidden = []
    for view in [*task.draw(0).views, *task.draw(1).views]:
        gone = (view.x == 0).all(dim=1).numpy()
        hidden.append(gone)
        rows = np.repeat(np.arange(N), np.diff(view.adjacency.indptr))
        found = set(zip(rows.tolist(), view.adjacency.indices.tolist(), strict=True))
        assert found == {(i, j) for i, j in edges_stored(task) if not gone[i] and not gone[j]}
    assert 0.2 < np.mean(hidden) < 0.8
    assert not any(np.array_equal(a, b) for a, b in combinations(hidden, 2))


def edges_stored(task):
    """Return all entries, that of number 0 too."""
    rows = np.repeat(np.arange(N), np.diff(task.adjacency.indptr))
    return set(zip(rows.tolist(), task.adjacency.indices.tolist(), strict=True))


def flat(batch):
    """Return the numbers of a batch."""
    if isinstance(batch, torch.Tensor):
        return [batch.numpy()]
    if isinstance(batch, csr_matrix):
        return [batch.indptr, batch.indices, batch.data]
    if isinstance(batch, tuple | list):
        return [array for part in batch for array in flat(part)]
    return [np.asarray(np.nan if batch is None else batch, float)]


def alike(one, other):
    one, other = flat(one), flat(other)
    return len(one) == len(other) and all(np.array_equal(a, b, equal_nan=True) for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize("kind", [ContrastTask, GraphInfoMaxTask])
@pytest.mark.parametrize("tiled", [False, True])
def test_a_batch_is_a_function_of_its_step(kind, tiled, monkeypatch):
    if tiled:
        monkeypatch.setattr(batches, "FULL_GRAPH_CELLS", 2)
    fresh = [task_of(kind, n_edge=2).draw(step) for step in range(6)]
    used = task_of(kind, n_edge=2)
    for step in (1, 3, 5, 0, 4, 2, 2):
        assert alike(used.draw(step), fresh[step])
    sent = pickle.loads(pickle.dumps(used))
    assert alike(sent.draw(3), fresh[3])
    assert not any(alike(a, b) for a, b in combinations(fresh, 2))
    assert not alike(replace(used, seed=6).draw(3), fresh[3])


@pytest.mark.parametrize("n_edge", [0, 2])
def test_tiles_give_what_the_whole_graph_gives(n_edge, monkeypatch):
    monkeypatch.setattr(batches, "FULL_GRAPH_CELLS", 2)
    smaller = 0
    for step in range(4):
        task = task_of(edges=PATH, batch_size=2, n_related=1, n_edge=n_edge, **STILL)
        networks, lowered = networks_of(task)
        pairs, views = task.draw_views(step, 2)
        for view, cells in zip(views, (pairs.anchors, pairs.candidates), strict=True):
            rows = torch.from_numpy(cells)
            whole = vectors(task, networks, view._replace(x=task.x, adjacency=task.adjacency, wanted=rows))
            found = task.embed(lowered["encoder"], view)
            np.testing.assert_allclose(found.detach().numpy(), whole, atol=1e-6)
            smaller += len(view.x) < N
    assert smaller >= 4


def test_a_part_of_a_view_gives_the_loss_of_the_view():
    task = task_of(edges=PATH, batch_size=2, drop_edges=0.1)
    _, lowered = networks_of(task)
    batch = task.draw(1)
    parts = [task.cut(view) for view in batch.views]
    assert min(len(part.x) for part in parts) < N
    whole, part = (task.loss(lowered, b)[0].item() for b in (batch, batch._replace(views=parts)))
    assert part == pytest.approx(whole, rel=1e-5)


def test_a_warm_start_has_the_weights_it_is_given():
    weights = {k: torch.randn_like(v) for k, v in Plain(F, 4, 0).state_dict().items()}
    for kind in (ContrastTask, GraphInfoMaxTask):
        started = task_of(kind, start={"encoder": weights}).networks()["encoder"]
        assert all(torch.equal(v, weights[k]) for k, v in started.state_dict().items())
        assert not torch.equal(task_of(kind).networks()["encoder"].enter.weight, weights["enter.weight"])


def one_way():
    """Return a relation that holds in one direction: cells 1 and 2 are related to 0, and so on; cell 8 has no relatives."""
    dense = np.zeros((N, N))
    for i in range(N - 1):
        dense[i, [(i + 1) % N, (i + 2) % N, (i + 5) % N]] = 1
    np.fill_diagonal(dense, 0)
    return csr_matrix(dense)


@pytest.mark.parametrize("with_self", [False, True])
@pytest.mark.parametrize("options", [STILL, {"drop_edges": 0.3}], ids=["still", "augmented"])
@pytest.mark.parametrize("step", [0, 1])
def test_information_is_what_a_loop_over_cells_and_summaries_gives(with_self, options, step):
    task = task_of(
        GraphInfoMaxTask,
        relation=one_way(),
        n_related=1,
        with_self=with_self,
        objective="infomax",
        batch_size=9,
        **options,
    )
    networks, lowered = networks_of(task)
    pairs, _ = task.draw_views(step, 3)
    batch = task.draw(step)
    first, second, shuffled = (vectors(task, networks, v) for v in batch.views)
    relation = one_way().toarray() != 0
    cells = pairs.candidates.tolist()
    summaries = {}
    for anchor in pairs.anchors.tolist():
        members = [c for c in cells if relation[anchor, c] or (with_self and c == anchor)]
        if members:
            summaries[anchor] = members
    assert (8 in summaries) == with_self
    means = np.stack([np.mean([second[cells.index(c)] for c in m], axis=0) for m in summaries.values()])
    both = torch.from_numpy(np.concatenate([first, shuffled])).float()
    with torch.no_grad():
        scores = networks["critic"](both, torch.from_numpy(means).float()).double().numpy()
    right, wrong = [], []
    for i in range(2 * len(first)):
        for j, (owner, members) in enumerate(summaries.items()):
            cell = int(pairs.anchors[i % len(first)])
            belongs = i < len(first) and (cell == owner or cell in members)
            (right if belongs else wrong).append(np.logaddexp(0, -scores[i, j] if belongs else scores[i, j]))
    information = 2 * math.log(2) - np.mean(right) - np.mean(wrong)
    value, figures = task.loss(lowered, batch)
    assert value.item() == pytest.approx(-information, rel=1e-4)
    assert figures["loss"].item() == pytest.approx(-information, rel=1e-4)
    value.backward()
    assert all(p.grad.abs().sum() > 0 for p in networks["encoder"].parameters())


def test_negatives_have_the_features_of_others_of_their_sample():
    task = task_of(GraphInfoMaxTask, objective="infomax", batch_size=9, **STILL)
    moved = []
    for step in range(3):
        view, _, other = task.draw(step).views
        assert torch.equal(view.x, task.x)
        np.testing.assert_array_equal(other.adjacency.indices, task.adjacency.indices)
        source = [int((task.x == row).all(dim=1).nonzero()) for row in other.x]
        assert sorted(source) == list(range(N))
        assert [task.cells.sample[i] for i in source] == task.cells.sample.tolist()
        moved.append(source)
    assert len({tuple(s) for s in moved}) == 3
    assert list(range(N)) not in moved
