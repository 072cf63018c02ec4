"""Networks that a loss does not depend on, and checkpoints of runs with other options."""

import pytest
import torch
from torch import nn

from cellgraph_clr import datasets, gr
from cellgraph_clr._core.errors import ModelFileError, TaskError
from cellgraph_clr.models import CellGraphCLR
from cellgraph_clr.training.run import Runtime, Watch, train
from cellgraph_clr.training.task import Schedule

CPU = Runtime(device="cpu", progress=False)


class Two:
    """A network that is learned, and one whose output may be detached."""

    seed = 0
    schedule = Schedule(2, 0.05, 0.1)

    def __init__(self, *, detached):
        self.detached = detached

    def networks(self):
        return {"body": nn.Linear(3, 4), "head": nn.Linear(4, 1)}

    def draw(self, step):
        return torch.ones(5, 3)

    def loss(self, networks, batch):
        h = networks["body"](batch)
        return networks["head"](h.detach() if self.detached else h).square().mean(), {}


def test_a_network_without_a_gradient_is_named():
    with pytest.raises(TaskError, match="depends on the network 'body', found no gradient"):
        train(Two(detached=True), CPU)
    train(Two(detached=False), CPU)


@pytest.fixture(scope="module")
def cells():
    adata = datasets.tissue(40, ndim=2, random_state=0).adata()[:, :5].copy()
    gr.knn_graph(adata, n_neighbors=4)
    return adata


class Own(nn.Module):
    """An encoder of one layer."""

    def __init__(self, n_in, way):
        super().__init__()
        self.layer, self.way = nn.Linear(n_in, 8), way
        self.requires_grad_(way != "frozen")

    def forward(self, x, edges, *_):
        with torch.set_grad_enabled(self.way != "no_grad"):
            out = self.layer(x)
        return out.detach() if self.way == "detached" else out


@pytest.mark.parametrize("way", ["detached", "no_grad", "frozen"])
def test_an_encoder_that_cannot_learn_is_named(cells, way):
    x = cells.X - cells.X.mean(0)
    cells.obsm["X_some"] = x / x.std(0)
    model = CellGraphCLR(encoder=Own(5, way), n_dims=8, n_steps=2, progress=False)
    with pytest.raises(TaskError, match="`encoder` that depends on its weights"):
        model.fit(cells, use_rep="X_some")
    CellGraphCLR(encoder=Own(5, "plain"), n_dims=8, n_steps=2, progress=False).fit(cells, use_rep="X_some")


def test_what_differs_of_another_run_is_named(cells, tmp_path):
    cells.obsm["X_some"] = cells.X - cells.X.mean(0)
    path, keys = tmp_path / "run.ckpt", {"use_rep": "X_some", "checkpoint": tmp_path / "run.ckpt"}
    small = {"n_dims": 4, "n_hidden": 4, "n_steps": 2, "progress": False}
    CellGraphCLR(**small).fit(cells, **keys)
    with pytest.raises(
        ModelFileError, match=r"another run \(n_positives was 5 and is 3, random_state was 0 and is 7\)"
    ):
        CellGraphCLR(**small, n_positives=3, random_state=7).fit(cells, **keys)
    cells.obsm["X_some"] = 2 * cells.obsm["X_some"] + 1
    cells.obsm["X_some"][0, 0] += 1
    with pytest.raises(ModelFileError, match="of the same options: other data"):
        CellGraphCLR(**small).fit(cells, **keys)
    train(Two(detached=False), CPU, Watch(tmp_path / "two"), fingerprint="a", options={"n": 1})
    with pytest.raises(ModelFileError, match="n was 1 and is 2"):
        train(Two(detached=False), CPU, Watch(tmp_path / "two"), fingerprint="b", options={"n": 2})
    assert path.exists()
