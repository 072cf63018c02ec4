"""Positives that are offered but not certain: m of them are true, or each is with a probability."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from cellgraph_clr._core.checks import check_in_range, check_option, check_whole, expected
from cellgraph_clr._core.errors import OptionError
from cellgraph_clr._core.masked import masked_logsumexp

if TYPE_CHECKING:
    from typing import Any

__all__ = ["best_offered", "check_options", "contaminated"]


def check_options(normalize: Any, n_true: Any, purity: Any, method: Any) -> None:
    """Raise `OptionError` for an option of `infonce_p` outside its range, or `n_true` beside a `purity` below 1."""
    check_option("normalize", normalize, ("none", "p"))
    if n_true is not None:
        check_whole("n_true", n_true)
    check_in_range("purity", purity, low=0, low_open=True, high=1)
    check_option("method", method, ("exact", "auto"))
    if n_true is not None and purity < 1:
        found = f"`n_true={n_true}` and `purity={purity}`"
        raise OptionError(
            expected("`n_true` or `purity`", found, "Both say how many of the offered are true: keep one.")
        )


def best_offered(scores: Tensor, positives: Tensor, n_true: int) -> Tensor:
    """Return a mask (a, c) of the ``min(n_true, number of positives)`` positives of every row with the largest scores."""
    known = scores.detach().clamp_min(torch.finfo(scores.dtype).min)  # a positive of score -inf stays ahead of the rest
    best = known.masked_fill(~positives, -torch.inf).topk(min(n_true, scores.shape[1]), dim=1).indices
    return torch.zeros_like(positives).scatter_(1, best, value=True) & positives


def contaminated(scores: Tensor, positives: Tensor, exclude: Tensor, purity: float) -> Tensor:
    """Return ``log(1 - purity + purity exp(f - b))`` (a, c) of scores f, with b the log mean of exp f over the noise.

    The noise of an anchor is what is neither positive nor excluded; without any, b is -inf and the loss 0. Gradients pass
    through b.
    """
    noise = ~(positives | exclude)
    n_noise = noise.sum(1)
    b = masked_logsumexp(scores, noise) - n_noise.clamp_min(1).to(scores.dtype).log()
    by_chance = scores.new_tensor(math.log1p(-purity))
    return torch.logaddexp(by_chance, scores - b.unsqueeze(1) + math.log(purity))
