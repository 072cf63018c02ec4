"""One step of the classifiers against loops over samples and classes; calibration and accuracy where there is nothing to learn."""

import math
import pickle
from itertools import combinations

import numpy as np
import pytest
import torch
from anndata import AnnData
from scipy.sparse import csr_matrix
from torch import nn

from cellgraph_clr import gr
from cellgraph_clr.models import CellGraphClassifier, CellGraphCLR, SoftInfoNCEClassifier
from cellgraph_clr.models.classifiers.config import CellGraphClassifierConfig
from cellgraph_clr.models.classifiers.task import GraphHeadTask, HeadTask
from cellgraph_clr.training.module import TaskModule
from cellgraph_clr.training.run import Runtime, train
from cellgraph_clr.training.task import Lowered, Schedule

LOSSES = ["soft_infonce", "infonce", "soft_cross_entropy", "cross_entropy"]
N, F, K = 11, 4, 3


def steep(n_in, n_classes):
    """Return a head that tells samples apart from the start."""
    head = nn.Linear(n_in, n_classes)
    nn.init.normal_(head.weight)
    nn.init.normal_(head.bias)
    return head


def rows_on_the_simplex(rng, n):
    return torch.from_numpy(rng.dirichlet([1.0, 2.0, 4.0], n).astype(np.float32))


def lowered(networks):
    return {k: Lowered(v, "cpu", bf16=False) for k, v in networks.items()}


def losses_by_loop(name, logits, targets, prior, temperature=1.0):
    """Return the loss of every sample, sums written out."""
    out = []
    for z in logits:
        i = len(out)
        if "infonce" in name:
            scores = [
                sum(w[k] * (z[k] / temperature - math.log(prior[k])) for k in range(K) if prior[k] > 0) for w in targets
            ]
            out.append(math.log(sum(math.exp(s) for s in scores)) - scores[i])
        else:
            total = math.log(sum(math.exp(v / temperature) for v in z))
            out.append(-sum(targets[i][k] * (z[k] / temperature - total) for k in range(K)))
    return out


def head_task(**options):
    rng = np.random.default_rng(4)
    x = torch.from_numpy(rng.normal(size=(N, F)).astype(np.float32))
    weight = torch.arange(1.0, N + 1)  # tells who a sample is
    given = {"temperature": 1.0, "mixup": 0.0, "batch_size": 5, "schedule": Schedule(4, 0.1, 0.0), "seed": 3} | options
    name = given.pop("loss", "soft_infonce")
    return HeadTask(steep, name, x, rows_on_the_simplex(rng, N), weight, **given)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("temperature", [1.0, 0.4])
@pytest.mark.parametrize("mixup", [0.0, 0.8])
def test_a_step_of_a_head_is_what_a_loop_gives(loss, temperature, mixup):
    task = head_task(loss=loss, temperature=temperature, mixup=mixup)
    networks = task.networks()
    prior = [sum(t[k] for t in task.targets.tolist()) / N for k in range(K)]
    w, b = (p.detach().double().numpy() for p in networks["head"].parameters())
    for step in range(3):
        batch = task.draw(step)
        logits = batch.inputs.double().numpy() @ w.T + b
        each = losses_by_loop(loss, logits, batch.targets.tolist(), prior, temperature)
        expected = sum(v * weight for v, weight in zip(each, batch.weight.tolist(), strict=True)) / len(each)
        assert task.loss(lowered(networks), batch)[0].item() == pytest.approx(expected, rel=1e-4)


def test_every_sample_comes_once_an_epoch_with_its_own_target_and_weight():
    task = head_task(batch_size=5)  # two steps an epoch, one sample is left out
    orders = []
    for epoch in range(3):
        rows = []
        for batch in (task.draw(2 * epoch), task.draw(2 * epoch + 1)):
            who = (batch.weight - 1).long()
            assert torch.equal(batch.inputs, task.x[who])
            assert torch.equal(batch.targets, task.targets[who])
            rows += who.tolist()
        assert len(set(rows)) == len(rows) == 10
        orders.append(rows)
    assert orders[0] != orders[1] != orders[2]
    fresh = [head_task(mixup=0.5).draw(step) for step in range(6)]
    used = pickle.loads(pickle.dumps(head_task(mixup=0.5)))
    for step in (5, 1, 4, 0, 3, 2):
        for one, other in zip(used.draw(step), fresh[step], strict=True):
            assert torch.equal(one, other)
    assert len(head_task(batch_size=50).draw(0).weight) == N


def test_targets_are_mixed_with_those_of_the_partner_of_the_input():
    task = head_task(mixup=0.8, batch_size=N)
    shares, partners = [], set()
    for step in range(4):
        batch = task.draw(step)
        for x, target, weight in zip(batch.inputs, batch.targets, batch.weight, strict=True):
            own = int(weight) - 1
            found = []
            for j in range(N):
                line = task.x[own] - task.x[j]
                share = 1.0 if j == own else float((x - task.x[j]) @ line / (line @ line))
                if torch.allclose(x, task.x[j] + share * line, atol=1e-4):
                    found.append((j, share))
            assert found
            j, share = found[-1] if found[0][0] == own else found[0]
            assert -1e-5 <= share <= 1 + 1e-5
            torch.testing.assert_close(
                target, share * task.targets[own] + (1 - share) * task.targets[j], atol=1e-3, rtol=0
            )
            shares.append(share)
            partners.add((own, j))
    assert len(partners) > 2 * N  # others in every step
    inside = [s for s in shares if 0.01 < s < 0.99]
    assert len(inside) > N
    assert len({round(s, 3) for s in inside}) > 0.8 * len(inside)


def test_hard_losses_are_not_mixed(rng):
    x, y = rng.normal(size=(40, 3)), np.arange(40) % 2
    options = {"loss": "infonce", "n_steps": 5, "calibrate": False, "progress": False, "device": "cpu"}
    one, other = (SoftInfoNCEClassifier(mixup=m, **options).fit(x, y).predict_proba(x) for m in (0.0, 0.9))
    np.testing.assert_array_equal(one, other)


class Plain(nn.Module):
    """``tanh(h_i + sum_j h_j)``."""

    def __init__(self):
        super().__init__()
        self.enter = nn.Linear(F, 2)

    def forward(self, x, adjacency, edge_attr):
        """Return vectors of cells."""
        h = self.enter(x)
        return torch.tanh(h + adjacency.to_dense() @ h)


def encoded_by_loop(encoder, x, adjacency):
    w, b = (p.detach().double().numpy() for p in encoder.enter.parameters())
    h = [w @ np.asarray(row, float) + b for row in x]
    out = []
    for i in range(len(h)):
        near = adjacency.indices[adjacency.indptr[i] : adjacency.indptr[i + 1]]
        out.append(np.tanh(h[i] + sum((h[j] for j in near), start=np.zeros(2))))
    return out


LABELLED = np.array([1, 4, 8, 9])


def graph_task(labelled=LABELLED, **options):
    rng = np.random.default_rng(6)
    dense = np.zeros((N, N), np.int64)
    for i in range(N):
        for j in ((i + 1) % N, (i + 4) % N):
            dense[i, j] = dense[j, i] = 1
    adjacency = csr_matrix(dense)
    adjacency.data = np.arange(adjacency.nnz)
    x = torch.from_numpy((rng.normal(size=(N, F)) + 3 * np.sign(rng.normal(size=(N, F)))).astype(np.float32))
    torch.manual_seed(1)
    config = CellGraphClassifierConfig(**{"head": steep, "n_steps": 3} | options)
    moments = torch.tensor([0.2, -0.1]), torch.tensor([0.5, 2.0])
    return GraphHeadTask(
        config, Plain(), (x, adjacency, None), moments, 1, labelled, rows_on_the_simplex(rng, len(labelled)), 2
    )


def who(task, part):
    """Return which cells a neighbourhood is asked for, by the features that are not masked."""
    out = []
    for row in part.x[part.core]:
        fits = ((task.material[0] == row) | (row == 0)).all(dim=1).nonzero()[:, 0].tolist()
        out.append(fits[0] if len(fits) == 1 else None)
    return out


def logits_by_loop(networks, part):
    h = encoded_by_loop(networks["encoder"], part.x.numpy(), part.adjacency)
    beside = networks["head"]
    w, b = (p.detach().double().numpy() for p in beside.head.parameters())
    mean, scale = np.array([0.2, -0.1]), np.array([0.5, 2.0])
    return [w @ np.concatenate([part.x[i].numpy(), (h[i] - mean) / scale]) + b for i in part.core.tolist()]


def softmax(z):
    e = np.exp(z - np.max(z))
    return e / e.sum()


CASES = {
    "still": {},
    "control": {"loss": "soft_cross_entropy"},
    "augmented": {"mask_features": 0.3, "drop_edges": 0.4},
    "consistent": {"mask_features": 0.2, "drop_edges": 0.3, "consistency": 2.5},
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("step", [0, 1])
def test_a_step_of_a_graph_head_is_what_a_loop_gives(case, step):
    task = graph_task(**CASES[case])
    networks, batch = task.networks(), task.draw(step)
    n = len(LABELLED)
    z = logits_by_loop(networks, batch.first)
    prior = [sum(t[k] for t in task.targets.tolist()) / n for k in range(K)]
    expected = np.mean(losses_by_loop(task.config.loss, z[:n], task.targets.tolist(), prior))
    if case == "still":
        assert who(task, batch.first) == LABELLED.tolist()
        h = encoded_by_loop(networks["encoder"], task.material[0].numpy(), task.material[1])
        part = encoded_by_loop(networks["encoder"], batch.first.x.numpy(), batch.first.adjacency)
        np.testing.assert_allclose([part[i] for i in batch.first.core.tolist()], [h[i] for i in LABELLED])
    if case == "consistent":
        again = logits_by_loop(networks, batch.again)
        assert len(z) == 2 * n
        assert len(again) == n
        apart = [((softmax(u) - softmax(v)) ** 2).sum() for u, v in zip(z[n:], again, strict=True)]
        assert np.mean(apart) > 1e-3
        expected += 2.5 * np.mean(apart)
    else:
        assert batch.again is None
    value, _ = task.loss(lowered(networks), batch)
    assert value.item() == pytest.approx(expected, rel=1e-4)
    value.backward()
    assert all(p.grad.abs().sum() > 0 for network in networks.values() for p in network.parameters())


def test_consistency_is_of_unlabelled_cells_in_two_views():
    task = graph_task(mask_features=0.3, drop_edges=0.3, consistency=1.0)
    drawn, n = [], len(LABELLED)
    for step in range(5):
        batch = task.draw(step)
        first, again = who(task, batch.first), who(task, batch.again)
        assert all(a in (b, None) for a, b in zip(first[:n], LABELLED.tolist(), strict=True))
        assert not set(first[n:] + again) & set(LABELLED.tolist())
        for a, b in zip(first[n:], again, strict=True):
            assert a is None or b is None or a == b
        both = [a if b is None else b for a, b in zip(first[n:], again, strict=True)]
        assert len({c for c in both if c is not None}) == len([c for c in both if c is not None]) >= 3
        one, other = (part.x[part.core] == 0 for part in (batch.first, batch.again))
        assert not torch.equal(one[n:], other)
        drawn.append(tuple(both))
    assert len(set(drawn)) > 2
    few = graph_task(np.arange(9), mask_features=0.3, consistency=1.0).draw(0)  # two cells are left
    assert len(few.again.core) == 2
    assert len(few.first.core) == 11
    assert graph_task(np.arange(N), mask_features=0.3, consistency=1.0).draw(0).again is None
    fresh = graph_task(mask_features=0.3, drop_edges=0.3, consistency=1.0).draw(3)
    once_more = task.draw(3)
    assert torch.equal(fresh.first.x, once_more.first.x)
    assert torch.equal(fresh.again.x, once_more.again.x)


def test_the_encoder_learns_by_its_share():
    task = graph_task(encoder_rate=0.25, learning_rate=0.08)
    groups = TaskModule(task, "").configure_optimizers()["optimizer"].param_groups
    assert [g["initial_lr"] for g in groups] == pytest.approx([0.02, 0.08])
    before = {k: v.clone() for k, v in task.encoder.state_dict().items()}
    run = Runtime(device="cpu", progress=False)
    trained = train(task, run).networks["encoder"].state_dict()
    assert any(not torch.equal(v, before[k]) for k, v in trained.items())
    still = graph_task(encoder_rate=0.0)
    kept = train(still, run).networks
    for key, value in still.encoder.state_dict().items():
        assert torch.equal(kept["encoder"].state_dict()[key], value)
    for key, value in task.encoder.state_dict().items():
        assert torch.equal(value, before[key])  # the one that was given
    task.encoder.eval()
    networks = task.networks()
    assert networks["encoder"].training
    assert not task.encoder.training


QUIET = {"progress": False, "device": "cpu"}


def test_a_head_on_random_labels_is_not_confident(rng):
    """The labels of 60 cells are learned by heart from 60 numbers each; out of fold they are worth nothing, and it says so."""
    x, y = rng.normal(size=(260, 60)), rng.integers(0, 2, 260)
    raw = SoftInfoNCEClassifier(smoothing=0.0, weight_decay=0.0, calibrate=False, **QUIET).fit(x[:60], y[:60])
    assert (raw.predict(x[:60]) == y[:60]).all()
    assert raw.predict_proba(x[60:]).max(axis=1).mean() > 0.8
    model = SoftInfoNCEClassifier(smoothing=0.0, weight_decay=0.0, **QUIET).fit(x[:60], y[:60])
    assert model.calibration_temperature_ > 5
    assert model.predict_proba(x[60:]).max(axis=1).mean() < 0.65
    assert abs((model.predict(x[60:]) == y[60:]).mean() - 0.5) < 3 * 0.5 / np.sqrt(200)


def test_a_graph_head_on_random_labels_is_not_confident():
    rng = np.random.default_rng(8)
    truth = rng.choice(["a", "b"], 150)
    known = np.arange(150) < 60
    adata = AnnData(rng.normal(size=(150, 20)).astype(np.float32), obsm={"spatial": rng.random((150, 2))})
    gr.knn_graph(adata)
    adata.obs["kind"] = np.where(known, truth, "unassigned")
    base = CellGraphCLR(n_steps=3, n_dims=8, n_hidden=16, **QUIET).fit(adata)
    model = CellGraphClassifier(base, n_steps=60, smoothing=0.0, **QUIET).fit(adata, "kind")
    right = model.predict(adata) == truth
    assert right[known].mean() > 0.9  # by heart
    assert abs(right[~known].mean() - 0.5) < 3 * 0.5 / np.sqrt((~known).sum())
    assert model.calibration_temperature_ > 5
    assert model.predict_proba(adata)[~known].max(axis=1).mean() < 0.65


def test_steps_of_one_epoch_share_no_sample():
    task = head_task(batch_size=3)
    rows = [set(task.draw(step).weight.tolist()) for step in range(3)]
    assert not any(a & b for a, b in combinations(rows, 2))
