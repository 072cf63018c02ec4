"""Losses without noise samples: VICReg, the control of the contrastive ones, and decorrelation of feature maps."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from cellgraph_clr._core.checks import expected
from cellgraph_clr._core.errors import ShapeError
from cellgraph_clr._core.precision import full_precision, widened
from cellgraph_clr.losses._checks import check_masks, check_temperature, check_tensors, check_vectors

__all__ = ["VICReg", "decorrelation", "vicreg"]

EPSILON = 1e-4


def _variance(z: Tensor, target: float) -> Tensor:
    """Return how far the standard deviation of the columns falls below `target`, on average."""
    return torch.relu(target - (z.var(dim=0) + EPSILON).sqrt()).mean()


def _covariance(z: Tensor) -> Tensor:
    """Return the sum of squared covariances between different columns, divided by their number."""
    centred = z - z.mean(dim=0)
    cov = centred.T @ centred / (len(z) - 1)
    return (cov.square().sum() - cov.diagonal().square().sum()) / z.shape[1]


@full_precision
def vicreg(
    anchor: Tensor,
    candidates: Tensor,
    positives: Tensor,
    *,
    invariance: float = 25.0,
    variance: float = 25.0,
    covariance: float = 1.0,
    target: float = 1.0,
) -> Tensor:
    """Return the VICReg loss of a batch.

    ``invariance * s + variance * (v(A) + v(C)) + covariance * (c(A) + c(C))``: s is the mean squared distance of an anchor to
    its positives, v keeps every column spread out, c keeps columns uncorrelated.

    Parameters
    ----------
    anchor : (a, d) float tensor
        Vectors as they come, not normalised.
    candidates : (c, d) float tensor
        Vectors as they come, not normalised.
    positives : (a, c) bool tensor
        Every anchor weighs the same however many it has; one without any is left out of s.
    invariance, variance, covariance : float, default 25.0, 25.0, 1.0
        Weights of the terms.
    target : float, default 1.0
        Standard deviation below which a column is penalised.

    Returns
    -------
    () float tensor
        Float32 at least; 0 where vectors are spread out, uncorrelated and equal to their positives.

    Raises
    ------
    ShapeError
        If vectors and mask do not fit, or there are fewer than two anchors or candidates: there is no variance.
    PairsError
        If the mask is not bool.

    Notes
    -----
    O((a + c) d^2 + pairs d); no scores are held. Differentiable as often as wanted.

    References
    ----------
    Bardes, Ponce and LeCun 2022, equations 1 to 6; several positives are averaged, as an extension of ours.

    Examples
    --------
    >>> import torch
    >>> from cellgraph_clr.losses.functional import vicreg
    >>> z = torch.tensor([[-2.0], [2.0]])
    >>> float(vicreg(z, z + 1, torch.eye(2, dtype=torch.bool)))  # all are 1 from their positives
    25.0
    """
    check_vectors(anchor, candidates)
    check_masks((len(anchor), len(candidates)), positives, None, like=anchor)
    if len(anchor) < 2 or len(candidates) < 2:
        found = f"{len(anchor)} and {len(candidates)}"
        raise ShapeError(expected("at least two anchors and two candidates", found, "Use larger batches."))
    row, column = positives.nonzero(as_tuple=True)
    p = positives.sum(1)
    apart = (anchor[row] - candidates[column]).square().sum(1) / p[row]
    s = apart.sum() / (p > 0).sum().clamp_min(1)
    v = _variance(anchor, target) + _variance(candidates, target)
    return invariance * s + variance * v + covariance * (_covariance(anchor) + _covariance(candidates))


@full_precision
def decorrelation(features: Tensor, temperature: float | Tensor = 0.2) -> Tensor:
    """Return how correlated the feature maps of an image are, ``-mean_c log softmax_c'(<x_c, x_c'> / T)_c``; mean over images.

    Parameters
    ----------
    features : (b, c, …) float tensor
        The c maps of an image; each is centred and scaled to length 1 first, so that the value does not depend on their size.
    temperature : float or 0-d tensor, default 0.2
        T, above 0. Gradients reach a tensor.

    Returns
    -------
    () float tensor
        Nats, float32 at least: 0 when maps are uncorrelated and T small, log c when all are equal. 0 for no images.

    Raises
    ------
    ShapeError
        If maps have no positions: fewer than three axes.
    OptionError
        If the temperature is not positive.

    Notes
    -----
    O(b c^2 n) for n positions. Log-space throughout (the published form adds 1e-10 inside the logarithm). Differentiable as
    often as wanted.

    References
    ----------
    Gallusser et al. 2023 (time arrow prediction), equation of the decorrelation loss; the scaling is ours.

    Examples
    --------
    >>> import torch
    >>> from cellgraph_clr.losses.functional import decorrelation
    >>> one = torch.arange(6.0).reshape(1, 1, 2, 3)
    >>> round(float(decorrelation(one.expand(1, 4, 2, 3))), 4)  # log 4
    1.3863
    """
    check_tensors(features=features)
    if features.ndim < 3:
        remedy = "Give every map its positions: one axis at least after images and maps."
        raise ShapeError(expected("features of shape (b, c, …)", tuple(features.shape), remedy))
    check_temperature(temperature)
    if features.numel() == 0:
        return features.sum()
    x = features.flatten(2)
    x = torch.nn.functional.normalize(x - x.mean(dim=2, keepdim=True), dim=2)
    scores = x @ x.transpose(1, 2) / temperature
    return -scores.log_softmax(dim=2).diagonal(dim1=1, dim2=2).mean()


class VICReg(nn.Module):
    """VICReg, a loss without noise samples: see `cellgraph_clr.losses.functional.vicreg`.

    Parameters
    ----------
    invariance, variance, covariance : float, default 25.0, 25.0, 1.0
        Weights of the terms.

    Notes
    -----
    ``module(anchor, candidates, positives, exclude=None)``, as for the other losses of pairs; `exclude` is checked and has
    nothing to act on. Differentiable as often as wanted.

    Examples
    --------
    >>> import torch
    >>> from cellgraph_clr import losses
    >>> same = torch.ones(4, 2)  # collapsed: only the variance counts, 2 * 25 * (1 - 0.01)
    >>> round(float(losses.VICReg()(same, same, torch.eye(4, dtype=torch.bool))), 2)
    49.5
    """

    def __init__(self, *, invariance: float = 25.0, variance: float = 25.0, covariance: float = 1.0) -> None:
        super().__init__()
        self.weights = {"invariance": invariance, "variance": variance, "covariance": covariance}

    def extra_repr(self) -> str:
        """Return the options for `repr`.

        Returns
        -------
        str
            The options for `repr`.

        Examples
        --------
        >>> from cellgraph_clr import losses
        >>> losses.VICReg(covariance=0.5)
        VICReg(invariance=25.0, variance=25.0, covariance=0.5)
        """
        return ", ".join(f"{k}={v}" for k, v in self.weights.items())

    def forward(self, anchor: Tensor, candidates: Tensor, positives: Tensor, exclude: Tensor | None = None) -> Tensor:
        """Return the loss () of the batch; arguments and errors as `InfoNCEp` and `vicreg`.

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
            The loss () of the batch.

        Examples
        --------
        >>> import torch
        >>> from cellgraph_clr import losses
        >>> spread = 10 * torch.eye(3)  # views agree, columns vary: their correlation alone is left
        >>> only = losses.VICReg(covariance=0.0)(spread, spread, torch.eye(3, dtype=torch.bool))
        >>> float(only)
        0.0
        """
        if exclude is not None:
            check_vectors(widened(anchor), widened(candidates))
            check_masks((len(anchor), len(candidates)), positives, exclude, like=anchor)
        return vicreg(anchor, candidates, positives, **self.weights)
