"""The neighbours of InfoNCEp against loops written from their papers, and the identities between them."""

import math

import numpy as np
import pytest
import torch

from cellgraph_clr._core.errors import PairsError
from cellgraph_clr.losses import functional


def loops(name, f, positives, exclude):
    out = []
    for row, pos, exc in zip(f, positives, exclude, strict=True):
        chosen = [k for k in range(len(row)) if pos[k]]
        noise = [k for k in range(len(row)) if not pos[k] and not exc[k]]
        if not chosen:
            out.append(0.0)
            continue
        everything = math.log(sum(math.exp(row[k]) for k in chosen + noise))
        if name == "supcon_out":
            out.append(-sum(row[k] - everything for k in chosen) / len(chosen))
        elif name == "supcon_in":
            out.append(-math.log(sum(math.exp(row[k] - everything) for k in chosen) / len(chosen)))
        elif name == "mil_nce":
            out.append(-math.log(sum(math.exp(row[k] - everything) for k in chosen)))
        else:
            terms = [math.log(math.exp(row[i]) + sum(math.exp(row[k]) for k in noise)) - row[i] for i in chosen]
            out.append(sum(terms) / len(chosen))
    return np.array(out)


@pytest.mark.parametrize("name", ["supcon_out", "supcon_in", "mil_nce", "composite_infonce"])
def test_equals_the_loop_of_its_paper(name, rng):
    f = rng.normal(size=(12, 15)) * 3
    positives = rng.random((12, 15)) < 0.2
    positives[0] = False
    positives[1] = True  # no noise left
    exclude = (rng.random((12, 15)) < 0.2) & ~positives
    scores = torch.tensor(f, requires_grad=True)
    loss = getattr(functional, name)(scores, torch.tensor(positives), torch.tensor(exclude))
    np.testing.assert_allclose(loss.detach().numpy(), loops(name, f, positives, exclude), atol=1e-10)
    (grad,) = torch.autograd.grad(loss.sum(), scores)
    assert torch.isfinite(grad).all()
    assert not grad[0].any()
    assert torch.autograd.gradcheck(
        lambda s: getattr(functional, name)(s, torch.tensor(positives), torch.tensor(exclude)), scores
    )


def test_one_positive_makes_them_all_infonce(rng):
    f = torch.tensor(rng.normal(size=(5, 9)))
    positives = torch.nn.functional.one_hot(torch.arange(5), 9).bool()
    reference = functional.infonce(f, positives)
    for name in ("infonce_p", "supcon_out", "supcon_in", "mil_nce", "composite_infonce"):
        torch.testing.assert_close(getattr(functional, name)(f, positives), reference)


def test_sampling_with_replacement_bounds_infonce_p(rng):
    f = torch.tensor(rng.normal(size=(200, 10)) * rng.uniform(0.1, 5, (200, 1)))
    positives = torch.zeros(200, 10, dtype=torch.bool)
    p = torch.tensor(rng.integers(1, 10, 200))
    for i, n in enumerate(p):
        positives[i, rng.choice(10, int(n), replace=False)] = True
    bound = functional.infonce_p(f, positives) + torch.lgamma(p + 1.0)
    assert (p * functional.supcon_out(f, positives) >= bound - 1e-9).all()


def test_infonce_refuses_several_positives():
    with pytest.raises(PairsError, match="one positive per anchor at the most, found 2"):
        functional.infonce(torch.zeros(1, 3), torch.tensor([[True, True, False]]))
