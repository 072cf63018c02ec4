"""The objectives as torch modules on vectors: normalise, divide by the temperature, mean over anchors."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from cellgraph_clr._core.checks import expected
from cellgraph_clr._core.errors import ShapeError
from cellgraph_clr.objectives.blocked import RowLoss, blocked_mean
from cellgraph_clr.objectives.checks import check_masks, check_temperature
from cellgraph_clr.objectives.contrastive import composite_infonce, infonce, mil_nce, supcon_in, supcon_out
from cellgraph_clr.objectives.infonce_p import infonce_p
from cellgraph_clr.objectives.soft_infonce import soft_infonce

__all__ = ["MILNCE", "CompositeInfoNCE", "InfoNCE", "InfoNCEp", "SoftInfoNCE", "SupCon", "SupConIn"]


class _PairLoss(nn.Module):
    """A loss over anchors and candidates: cosine similarity over `temperature`, then a row loss, then the mean.

    Parameters
    ----------
    temperature : above 0; raises `OptionError` otherwise.

    Notes
    -----
    ``module(anchor, candidates, positives, exclude=None)`` takes anchor (a, d), candidates (c, d), positives bool
    (a, c) and optional exclude bool (a, c), and returns the mean over anchors in nats; anchors without a positive count
    as 0. It raises `ShapeError` and `PairsError` as `infonce_p`. Scores are held for one block of anchors at a time.
    """

    row_loss: RowLoss

    def __init__(self, temperature: float = 0.1) -> None:
        super().__init__()
        check_temperature(temperature)
        self.temperature = temperature

    def extra_repr(self) -> str:
        """Return the options for `repr`."""
        return f"temperature={self.temperature}"

    def forward(self, anchor: Tensor, candidates: Tensor, positives: Tensor, exclude: Tensor | None = None) -> Tensor:
        """Return the mean loss over anchors, in nats."""
        if anchor.ndim != 2 or candidates.ndim != 2 or anchor.shape[1] != candidates.shape[1]:
            raise ShapeError(
                expected(
                    "anchor (a, d) and candidates (c, d)",
                    f"{tuple(anchor.shape)} and {tuple(candidates.shape)}",
                    "Both need one vector per row, of one width.",
                )
            )
        exclude = check_masks((len(anchor), len(candidates)), positives, exclude)
        a = nn.functional.normalize(anchor, dim=1)
        c = nn.functional.normalize(candidates, dim=1)
        return blocked_mean(a, c, positives, exclude, type(self).row_loss, temperature=self.temperature)


class InfoNCEp(_PairLoss):
    """InfoNCEp (several positives, one posterior): see `cellgraph_clr.losses.functional.infonce_p`."""

    __doc__ = f"{__doc__}\n{_PairLoss.__doc__}"
    row_loss = staticmethod(infonce_p)


class InfoNCE(_PairLoss):
    """InfoNCE (one positive per anchor): see `cellgraph_clr.losses.functional.infonce`."""

    __doc__ = f"{__doc__}\n{_PairLoss.__doc__}"
    row_loss = staticmethod(infonce)


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
