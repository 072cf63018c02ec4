"""InfoNCEp, forward and backward, tilt included, against cross-entropy and SupCon under torch autograd: time and memory."""

from collections.abc import Callable

import torch
from torch.nn.functional import cross_entropy, normalize

from benchmarks.memory import peak, reset_peak
from benchmarks.rows import Row, Rows
from benchmarks.timing import paired
from cellgraph_clr.losses import InfoNCE, InfoNCEp

OURS, PLAIN = "InfoNCEp, p = 8", "InfoNCE (ours)"
REFERENCE, PEER = "normalise + matmul + cross-entropy (torch)", "SupCon (pytorch-metric-learning)"


def _extra_memory(call: Callable[[], object]) -> float:
    """Return the MiB that a call takes beyond what is there before (Linux)."""
    before = reset_peak()
    call()
    return peak() - before


def run(*, size: str, data: str | None) -> list[Row]:  # noqa: ARG001
    """Return medians for 2048, 4096 and 8192 anchors and candidates, d = 128, p = 8."""
    found = Rows("infonce_p")
    for n in (256,) if size == "small" else (2048, 4096, 8192):
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
            OURS: lambda z=z, c=c, m=positives, f=several: f(z, c, m).backward(),
            REFERENCE: torch_cross_entropy,
            PLAIN: lambda z=z, c=c, m=one, f=single: f(z, c, m).backward(),
        }
        try:
            from pytorch_metric_learning.losses import SupConLoss

            classes = rows // p
            supcon = SupConLoss(temperature=0.1)
            calls[PEER] = lambda z=z, f=supcon, k=classes: f(z, k).backward()
        except ImportError:
            print("  pytorch-metric-learning is not installed: run `make bench` for this peer")
        medians = paired(calls, rounds=1 if size == "small" else 5)
        for name, call in calls.items():
            found.add("ms", name, f"{n} x {n}", 1e3 * medians[name], unit="ms", digits=0)
            found.add("memory", name, f"{n} x {n}", _extra_memory(call), unit="MiB", digits=0)
        for name, of in ((OURS, REFERENCE), (PEER, OURS), (PEER, PLAIN)):
            if name in medians:
                ratio = medians[name] / medians[of]
                found.add("ratios", f"{name}, in times of {of}", f"{n} x {n}", ratio, unit="x", digits=1)
    return found
