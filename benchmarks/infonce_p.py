"""InfoNCEp, forward and backward, tilt included, against cross-entropy and SupCon under torch autograd."""

import torch
from torch.nn.functional import cross_entropy, normalize

from benchmarks.timing import paired, show
from cellgraph_clr.losses import InfoNCE, InfoNCEp


def run(*, size: str, data: str | None) -> None:  # noqa: ARG001
    """Print medians for 2048 and 4096 anchors and candidates, d = 128, p = 8."""
    for n in (256,) if size == "small" else (2048, 4096):
        torch.manual_seed(0)
        z = torch.randn(n, 128, requires_grad=True)
        c = torch.randn(n, 128, requires_grad=True)
        p = 8
        positives = torch.zeros(n, n, dtype=torch.bool)
        rows = torch.arange(n)
        for shift in range(p):
            positives[rows, (rows + shift) % n] = True
        one = torch.eye(n, dtype=torch.bool)
        several, single = InfoNCEp(0.1), InfoNCE(0.1)

        def torch_cross_entropy(z: torch.Tensor = z, c: torch.Tensor = c, rows: torch.Tensor = rows) -> None:
            cross_entropy(normalize(z, dim=1) @ normalize(c, dim=1).T / 0.1, rows).backward()

        calls = {
            "InfoNCEp, p = 8": lambda z=z, c=c, m=positives, f=several: f(z, c, m).backward(),
            "normalise + matmul + cross-entropy (torch)": torch_cross_entropy,
            "InfoNCE (ours)": lambda z=z, c=c, m=one, f=single: f(z, c, m).backward(),
        }
        try:
            from pytorch_metric_learning.losses import SupConLoss

            classes = rows // p
            supcon = SupConLoss(temperature=0.1)
            calls["SupCon (pytorch-metric-learning)"] = lambda z=z, f=supcon, k=classes: f(z, k).backward()
        except ImportError:
            print("  pytorch-metric-learning is not installed: run `make bench` for this peer")
        medians = paired(calls, rounds=1 if size == "small" else 7)
        print(f" {n} x {n}")
        show(medians, ours="InfoNCEp, p = 8")
        ratio = medians["InfoNCEp, p = 8"] / medians["normalise + matmul + cross-entropy (torch)"]
        print(f"  InfoNCEp takes {ratio:.2f} x normalise + matmul + cross-entropy")
