"""The objectives as torch modules on vectors: normalise, divide by the temperature, mean over anchors."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from cellgraph_clr._core.checks import expected
from cellgraph_clr._core.errors import ShapeError
from cellgraph_clr._core.precision import full_precision
from cellgraph_clr.losses._blocks import RowLoss, RowLossWithSlope, blocked_mean
from cellgraph_clr.losses._checks import check_masks, check_temperature
from cellgraph_clr.losses.contrastive import (
    composite_infonce,
    infonce,
    infonce_with_slope,
    mil_nce,
    supcon_in,
    supcon_out,
)
from cellgraph_clr.losses.multi_positive import infonce_p
from cellgraph_clr.losses.noncontrastive import vicreg
from cellgraph_clr.losses.soft_targets import soft_infonce

__all__ = [
    "MILNCE",
    "CompositeInfoNCE",
    "InfoNCE",
    "InfoNCEp",
    "NTXent",
    "SoftInfoNCE",
    "SupCon",
    "SupConIn",
    "VICReg",
]


def _check_vectors(anchor: Tensor, candidates: Tensor) -> None:
    if anchor.ndim != 2 or candidates.ndim != 2 or anchor.shape[1] != candidates.shape[1]:
        raise ShapeError(
            expected(
                "anchor (a, d) and candidates (c, d)",
                f"{tuple(anchor.shape)} and {tuple(candidates.shape)}",
                "Both need one vector per row, of one width.",
            )
        )


class _PairLoss(nn.Module):
    """A loss over anchors and candidates: cosine similarity over `temperature`, then a row loss, then the mean.

    Parameters
    ----------
    temperature : above 0; raises `OptionError` otherwise.

    Notes
    -----
    ``module(anchor, candidates, positives, exclude=None, log_noise=None)`` takes anchor (a, d), candidates (c, d),
    positives bool (a, c), optional exclude bool (a, c) and optional log_noise (c,), the log probability with which every
    candidate is drawn as noise (it is subtracted from the scores; needed where noise is not drawn evenly). It returns the
    mean over anchors in nats, float32 at least; anchors without a positive count as 0. It raises `ShapeError` and
    `PairsError` as `infonce_p`. Scores are held for one block of anchors at a time. Vectors of half precision are
    computed with in float32, also under autocast. A second derivative raises `RuntimeError`.
    """

    row_loss: RowLoss
    with_slope: RowLossWithSlope | None = None
    by_anchor = True  # a mean over anchors, so that processes can share them

    def __init__(self, temperature: float = 0.1) -> None:
        super().__init__()
        check_temperature(temperature)
        self.temperature = temperature

    def extra_repr(self) -> str:
        """Return the options for `repr`."""
        return f"temperature={self.temperature}"

    @full_precision
    def forward(
        self,
        anchor: Tensor,
        candidates: Tensor,
        positives: Tensor,
        exclude: Tensor | None = None,
        log_noise: Tensor | None = None,
    ) -> Tensor:
        """Return the mean loss over anchors, in nats."""
        _check_vectors(anchor, candidates)
        check_masks((len(anchor), len(candidates)), positives, exclude)
        if log_noise is not None and log_noise.shape != candidates.shape[:1]:
            shape = (len(candidates),)
            raise ShapeError(expected(f"`log_noise` of shape {shape}", tuple(log_noise.shape), "One per candidate."))
        a = nn.functional.normalize(anchor, dim=1)
        c = nn.functional.normalize(candidates, dim=1)
        return blocked_mean(
            a,
            c,
            positives,
            exclude,
            type(self).row_loss,
            with_slope=type(self).with_slope,
            temperature=self.temperature,
            log_noise=log_noise,
        )


class InfoNCEp(_PairLoss):
    """InfoNCEp (several positives, one posterior): see `cellgraph_clr.losses.functional.infonce_p`."""

    __doc__ = f"{__doc__}\n{_PairLoss.__doc__}"
    row_loss = staticmethod(infonce_p)


class InfoNCE(_PairLoss):
    """InfoNCE (one positive per anchor): see `cellgraph_clr.losses.functional.infonce`."""

    __doc__ = f"{__doc__}\n{_PairLoss.__doc__}"
    row_loss = staticmethod(infonce)
    with_slope = staticmethod(infonce_with_slope)


class MILNCE(_PairLoss):
    """MIL-NCE (one good positive suffices): see `cellgraph_clr.losses.functional.mil_nce`."""

    __doc__ = f"{__doc__}\n{_PairLoss.__doc__}"
    row_loss = staticmethod(mil_nce)


class CompositeInfoNCE(_PairLoss):
    """Mean of pairwise InfoNCE terms: see `cellgraph_clr.losses.functional.composite_infonce`."""

    __doc__ = f"{__doc__}\n{_PairLoss.__doc__}"
    row_loss = staticmethod(composite_infonce)


class SupCon(_PairLoss):
    """SupCon with the sum outside the logarithm: see `cellgraph_clr.losses.functional.supcon_out`."""

    __doc__ = f"{__doc__}\n{_PairLoss.__doc__}"
    row_loss = staticmethod(supcon_out)


class SupConIn(_PairLoss):
    """SupCon with the sum inside the logarithm: see `cellgraph_clr.losses.functional.supcon_in`."""

    __doc__ = f"{__doc__}\n{_PairLoss.__doc__}"
    row_loss = staticmethod(supcon_in)


class NTXent(nn.Module):
    """NT-Xent: InfoNCE in both directions, with the other anchors as noise too.

    Anchors and candidates are pooled; every vector with positives is an anchor once, and all others but itself are its
    candidates. With two views of a batch, positives on the diagonal, this is the loss of SimCLR (Chen et al. 2020, eq. 1);
    several positives enter as in `composite_infonce`. Two anchors are noise to one another. Called as the others,
    ``module(anchor, candidates, positives, exclude=None)``; the mean is over all vectors that have a positive.

    Parameters
    ----------
    temperature : above 0; raises `OptionError` otherwise.
    """

    def __init__(self, temperature: float = 0.1) -> None:
        super().__init__()
        self.composite = CompositeInfoNCE(temperature)

    @full_precision
    def forward(self, anchor: Tensor, candidates: Tensor, positives: Tensor, exclude: Tensor | None = None) -> Tensor:
        """Return the mean loss over anchors and candidates that have a positive, in nats."""
        _check_vectors(anchor, candidates)
        exclude = check_masks((len(anchor), len(candidates)), positives, exclude)
        pooled = torch.cat([anchor, candidates])
        n, a = len(pooled), len(anchor)
        both = torch.zeros(n, n, dtype=torch.bool, device=anchor.device)
        left_out = torch.eye(n, dtype=torch.bool, device=anchor.device)
        for mask, given in ((both, positives), (left_out, exclude)):
            mask[:a, a:] |= given
            mask[a:, :a] |= given.T
        rows = both.any(1)
        value: Tensor = self.composite(pooled[rows], pooled, both[rows], left_out[rows])
        return value


class VICReg(nn.Module):
    """VICReg, a loss without noise samples: see `cellgraph_clr.losses.functional.vicreg`.

    Called as the others, ``module(anchor, candidates, positives, exclude=None)``; `exclude` has nothing to act on.
    """

    def __init__(self, invariance: float = 25.0, variance: float = 25.0, covariance: float = 1.0) -> None:
        super().__init__()
        self.weights = {"invariance": invariance, "variance": variance, "covariance": covariance}

    def extra_repr(self) -> str:
        """Return the options for `repr`."""
        return ", ".join(f"{k}={v}" for k, v in self.weights.items())

    def forward(self, anchor: Tensor, candidates: Tensor, positives: Tensor, exclude: Tensor | None = None) -> Tensor:
        """Return the loss of the batch."""
        _check_vectors(anchor, candidates)
        check_masks((len(anchor), len(candidates)), positives, exclude)
        return vicreg(anchor, candidates, positives, **self.weights)


class SoftInfoNCE(nn.Module):
    """SoftInfoNCE over a batch: see `cellgraph_clr.losses.functional.soft_infonce`.

    Parameters
    ----------
    class_prior : (k,) frequencies of the training labels; kept as a buffer, so it follows the module's device.
    temperature : above 0.
    """

    class_prior: Tensor

    def __init__(self, class_prior: Tensor, temperature: float = 1.0) -> None:
        super().__init__()
        check_temperature(temperature)
        self.temperature = temperature
        self.register_buffer("class_prior", torch.as_tensor(class_prior, dtype=torch.float32))

    def extra_repr(self) -> str:
        """Return the options for `repr`."""
        return f"n_classes={len(self.class_prior)}, temperature={self.temperature}"

    def forward(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Return the mean loss over the batch, in nats; logits and targets are (b, k)."""
        return soft_infonce(logits, targets, self.class_prior, self.temperature).mean()
