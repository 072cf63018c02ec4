"""The contrastive losses as torch modules on vectors: normalise, divide by the temperature, mean over anchors."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from cellgraph_clr._core.checks import expected
from cellgraph_clr._core.errors import ShapeError
from cellgraph_clr._core.precision import full_precision
from cellgraph_clr.losses._blocks import RowLoss, RowLossWithSlope, blocked_mean
from cellgraph_clr.losses._checks import check_masks, check_tensors, check_vectors
from cellgraph_clr.losses._offered import check_options
from cellgraph_clr.losses._temperature import Tempered
from cellgraph_clr.losses.contrastive import (
    composite_infonce,
    infonce,
    infonce_with_slope,
    mil_nce,
    supcon_in,
    supcon_out,
)
from cellgraph_clr.losses.multi_positive import infonce_p

__all__ = [
    "MILNCE",
    "CompositeInfoNCE",
    "InfoNCE",
    "InfoNCEp",
    "NTXent",
    "SupCon",
    "SupConIn",
]

OPTIONS = """
Cosine similarities of anchors and candidates over the temperature, a loss per anchor, and the mean.

Parameters
----------
temperature : float, default 0.1
    Above 0. It may be set anew during training.
learn_temperature : bool, default False
    Learn it with the network, from `temperature` on. The parameter is its logarithm, `log_temperature`, so that it stays
    positive.
{parameters}
Raises
------
OptionError
    If the temperature is no positive number{raises}.

Notes
-----
``module(anchor, candidates, positives, exclude=None, log_noise=None)`` returns a 0-d tensor. Scores are held for 1,024 anchors
at a time, never all of them. Vectors of half precision are computed with in float32, also under autocast. Gradients are exact
for anchors, candidates and a learned temperature; a second derivative raises `RuntimeError`. Nothing keeps a learned temperature
from becoming very small: leave `log_temperature` out of weight decay, and clamp it where training becomes unstable (CLIP keeps
it above 0.01: Radford et al. 2021).

Examples
--------
>>> import torch
>>> from cellgraph_clr import losses
>>> z = torch.eye(3)
>>> loss = losses.{name}(temperature=0.5)
>>> round(float(loss(z, z, torch.eye(3, dtype=torch.bool))), 4)  # log(1 + 2 exp(-2))
0.2395
"""


PLAIN = {"normalize": "none", "n_true": None, "purity": 1.0, "method": "exact"}
OF_INFONCE_P = """normalize : "none" or "p", default "none"
    "p" divides the loss of an anchor by the number of its positives: for classes as positives.
n_true : int or None, default None
    Of the positives of an anchor, only so many are true; 1 is MIL-NCE, None all.
purity : float, default 1.0
    Above 0, at most 1: the probability with which a positive is a true one.
method : "exact" or "auto", default "exact"
    "auto" is faster for 50 positives and more, and within .001.
"""


class _PairLoss(Tempered):
    row_loss: RowLoss
    with_slope: RowLossWithSlope | None = None
    by_anchor = True  # a mean over anchors, so that processes can share them
    documented: tuple[str, str] = ("", "")  # options beside the temperature, and when they are refused

    def __init__(self, temperature: float = 0.1, *, learn_temperature: bool = False) -> None:
        super().__init__(temperature, learn_temperature=learn_temperature)

    def __init_subclass__(cls) -> None:
        parameters, raises = cls.documented
        cls.__doc__ = f"{cls.__doc__}\n{OPTIONS.format(name=cls.__name__, parameters=parameters, raises=raises)}"

    def _of_rows(self) -> RowLoss:
        return type(self).row_loss

    @full_precision
    def forward(
        self,
        anchor: Tensor,
        candidates: Tensor,
        positives: Tensor,
        exclude: Tensor | None = None,
        log_noise: Tensor | None = None,
    ) -> Tensor:
        """Return the mean loss over anchors.

        Parameters
        ----------
        anchor : (a, d) float tensor
            Vectors of any length.
        candidates : (c, d) float tensor
            Vectors of any length; they may be the anchors themselves.
        positives : (a, c) bool tensor
            The positives of every anchor.
        exclude : (a, c) bool tensor, default None
            Candidates that are neither positive nor noise for an anchor, as itself; None excludes nothing.
        log_noise : (c,) float tensor, default None
            Log probability with which every candidate is drawn as noise. It is subtracted from the scores; needed where noise
            is not drawn evenly. No gradient reaches it.

        Returns
        -------
        () float tensor
            Nats, float32 at least. An anchor without a positive counts as 0; no anchors give 0.

        Raises
        ------
        ShapeError
            If vectors, masks or `log_noise` do not fit.
        OptionError
            If they are no tensors of floating point, of one dtype (halves count as float32) and on one device.
        PairsError
            If a mask is not bool, a candidate is both positive and excluded, or (InfoNCE) an anchor has several positives.

        Examples
        --------
        >>> import torch
        >>> from cellgraph_clr import losses
        >>> z = torch.eye(3)
        >>> itself = torch.eye(3, dtype=torch.bool)  # the positive of each is the other view of it
        >>> loss = losses.InfoNCE(temperature=0.5)(z, z, itself)
        >>> round(float(loss), 4)  # log(1 + 2 exp(-2))
        0.2395
        """
        check_vectors(anchor, candidates)
        check_masks((len(anchor), len(candidates)), positives, exclude, like=anchor)
        check_tensors(anchor=anchor, log_noise=log_noise, one_dtype=False)
        if log_noise is not None and log_noise.shape != candidates.shape[:1]:
            shape = (len(candidates),)
            raise ShapeError(expected(f"`log_noise` of shape {shape}", tuple(log_noise.shape), "One per candidate."))
        return blocked_mean(
            nn.functional.normalize(anchor, dim=1),
            nn.functional.normalize(candidates, dim=1),
            positives,
            exclude,
            self._of_rows(),
            with_slope=type(self).with_slope,
            temperature=self.temperature,
            log_noise=log_noise,
        )


class InfoNCEp(_PairLoss):
    """InfoNCEp (several positives, one posterior): see `cellgraph_clr.losses.functional.infonce_p`."""

    row_loss = staticmethod(infonce_p)
    documented = (OF_INFONCE_P, ", or another option is outside its range")

    def __init__(
        self,
        temperature: float = 0.1,
        *,
        learn_temperature: bool = False,
        normalize: str = "none",
        n_true: int | None = None,
        purity: float = 1.0,
        method: str = "exact",
    ) -> None:
        super().__init__(temperature, learn_temperature=learn_temperature)
        check_options(normalize, n_true, purity, method)
        self.options: dict[str, Any] = {"normalize": normalize, "n_true": n_true, "purity": purity, "method": method}

    @property
    def is_plain(self) -> bool:
        """Whether all positives are certain and their loss is not divided: the log posterior of the subset.

        Examples
        --------
        >>> from cellgraph_clr import losses
        >>> losses.InfoNCEp().is_plain, losses.InfoNCEp(purity=0.9).is_plain
        (True, False)
        """
        return all(self.options[k] == PLAIN[k] for k in ("normalize", "n_true", "purity"))

    def extra_repr(self) -> str:
        """Return the options for `repr`.

        Returns
        -------
        str
            The options for `repr`.

        Examples
        --------
        >>> from cellgraph_clr import losses
        >>> losses.InfoNCEp(0.5, normalize="p")
        InfoNCEp(temperature=0.5, normalize='p')
        """
        return ", ".join([super().extra_repr(), *(f"{k}={v!r}" for k, v in self.options.items() if v != PLAIN[k])])

    def _of_rows(self) -> RowLoss:
        return partial(infonce_p, **self.options)


class InfoNCE(_PairLoss):
    """InfoNCE (one positive per anchor): see `cellgraph_clr.losses.functional.infonce`."""

    row_loss = staticmethod(infonce)
    with_slope = staticmethod(infonce_with_slope)


class MILNCE(_PairLoss):
    """MIL-NCE (one good positive suffices): see `cellgraph_clr.losses.functional.mil_nce`."""

    row_loss = staticmethod(mil_nce)


class CompositeInfoNCE(_PairLoss):
    """Mean of pairwise InfoNCE terms: see `cellgraph_clr.losses.functional.composite_infonce`."""

    row_loss = staticmethod(composite_infonce)


class SupCon(_PairLoss):
    """SupCon with the sum outside the logarithm: see `cellgraph_clr.losses.functional.supcon_out`."""

    row_loss = staticmethod(supcon_out)


class SupConIn(_PairLoss):
    """SupCon with the sum inside the logarithm: see `cellgraph_clr.losses.functional.supcon_in`."""

    row_loss = staticmethod(supcon_in)


class NTXent(nn.Module):
    """NT-Xent: InfoNCE in both directions, with the other anchors as noise too.

    Anchors and candidates are pooled; every vector with positives is an anchor once, and all others but itself are its
    candidates. Several positives enter as in `composite_infonce`. Two anchors are noise to one another.

    Parameters
    ----------
    temperature : float, default 0.1
        Above 0.
    learn_temperature : bool, default False
        Learn it with the network: the parameter is its logarithm, `composite.log_temperature`.

    Raises
    ------
    OptionError
        If the temperature is no positive number.

    Notes
    -----
    ``module(anchor, candidates, positives, exclude=None)``, as for the other losses of pairs; so are its precision, memory and
    derivatives. Masks of (a + c)^2 entries are held.

    References
    ----------
    Chen et al. 2020 (SimCLR), equation 1: two views of a batch with positives on the diagonal.

    Examples
    --------
    >>> import torch
    >>> from cellgraph_clr import losses
    >>> z = torch.eye(2)
    >>> round(float(losses.NTXent(temperature=1.0)(z, z, torch.eye(2, dtype=torch.bool))), 4)  # log(1 + 2 / e)
    0.5514
    """

    def __init__(self, temperature: float = 0.1, *, learn_temperature: bool = False) -> None:
        super().__init__()
        self.composite = CompositeInfoNCE(temperature, learn_temperature=learn_temperature)

    @full_precision
    def forward(self, anchor: Tensor, candidates: Tensor, positives: Tensor, exclude: Tensor | None = None) -> Tensor:
        """Return the mean loss () in nats over all vectors that have a positive; arguments and errors as `InfoNCEp`.

        Parameters
        ----------
        anchor : Tensor
            (a, d).
        candidates : Tensor
            (c, d).
        positives : Tensor
            (a, c) bool.
        exclude : Tensor or None, default None
            (a, c) bool: neither positive nor noise.

        Returns
        -------
        Tensor
            The mean loss () in nats over all vectors that have a positive.

        Examples
        --------
        >>> import torch
        >>> from cellgraph_clr import losses
        >>> loss = losses.NTXent(temperature=1.0)
        >>> first, second = torch.eye(2), torch.eye(2)  # two views of two cells
        >>> round(float(loss(first, second, torch.eye(2, dtype=torch.bool))), 4)
        0.5514
        """
        check_vectors(anchor, candidates)
        exclude = check_masks((len(anchor), len(candidates)), positives, exclude, like=anchor)
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
