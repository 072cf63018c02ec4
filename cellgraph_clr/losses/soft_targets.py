"""SoftInfoNCE: noise-contrastive estimation against the soft targets of the other samples of the batch."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from cellgraph_clr._core.first_order import first_order
from cellgraph_clr._core.precision import full_precision
from cellgraph_clr.losses._checks import (
    check_class_prior,
    check_noise_targets,
    check_targets,
    check_temperature,
    check_tensors,
)
from cellgraph_clr.losses._temperature import Tempered

__all__ = ["SoftInfoNCE", "soft_cross_entropy", "soft_infonce"]

BLOCK = 1024  # samples whose scores are held at a time


class _AgainstAll(torch.autograd.Function):
    """``-z_i . own_i + logsumexp_j z_i . noise_j``, a block of rows at a time, with its closed-form gradient."""

    @staticmethod
    def forward(ctx: Any, z: Tensor, own: Tensor, noise: Tensor) -> Tensor:
        loss = torch.empty(len(z), dtype=z.dtype, device=z.device)
        slope = torch.empty_like(z)
        for start in range(0, len(z), BLOCK):
            rows = slice(start, start + BLOCK)
            scores = z[rows] @ noise.T
            total = torch.logsumexp(scores, dim=1)
            loss[rows] = total - (z[rows] * own[rows]).sum(1)
            slope[rows] = scores.sub_(total.unsqueeze(1)).exp_() @ noise - own[rows]
        ctx.save_for_backward(slope, z)
        return loss

    @staticmethod
    def backward(ctx: Any, *upstream: Tensor) -> tuple[Tensor, None, None]:
        slope, z = ctx.saved_tensors
        return first_order(slope * upstream[0].unsqueeze(1), z), None, None


@full_precision
def soft_infonce(
    logits: Tensor,
    targets: Tensor,
    class_prior: Tensor,
    temperature: float | Tensor = 1.0,
    *,
    noise_targets: Tensor | None = None,
) -> Tensor:
    """Return the SoftInfoNCE loss of every sample.

    ``s(w)_i = sum_k w_k (z_ik / t - log eta_k)`` and ``L_i = -s(w_i)_i + log sum_j exp s(v_j)_i``: the noise of a sample is the
    soft targets v_j of the others, among which its own target w_i counts once.

    Parameters
    ----------
    logits : (b, k) float tensor
        Scores z, one per class.
    targets : (b, k) float tensor
        Weights w, rows on the simplex.
    class_prior : (k,) float tensor
        Eta, class frequencies of the training labels; a common factor changes nothing. A class that is absent (0) is left
        out of the correction; it must then carry no target mass.
    temperature : float or 0-d tensor, default 1.0
        Temperature t, above 0. Gradients reach a tensor.
    noise_targets : (m, k) float tensor, default None
        Targets v that every sample is compared with: with several processes those of the whole batch, gathered from all
        processes, with those of this one. None takes `targets`.

    Returns
    -------
    (b,) float tensor
        Nats, float32 at least, at least 0. Empty input gives an empty tensor.

    Raises
    ------
    ShapeError
        If logits, targets, the prior and noise targets do not fit.
    PairsError
        If the own target of a sample is not among `noise_targets`: the loss would have no lower bound.
    OptionError
        If the prior is negative, a class of prior 0 has target mass, or the temperature is not positive.

    Notes
    -----
    O(b m k) time; scores are held for 1,024 samples at a time, never a (b, m, k) tensor. Given `noise_targets` are sorted once,
    to find the own ones. Targets are constants: no gradient reaches them, hence none is exchanged between processes; processes
    that each take the mean over their own samples have, on average, the loss and the gradient of the whole batch where their
    shares are equal. The gradient is ``(sum_j P_ij v_j - w_i) / t`` with P the softmax over targets; a second derivative raises
    `RuntimeError`. All targets equal gives log m whatever the logits. Predict with softmax(z / t): the correction belongs to
    training only.

    References
    ----------
    Hugger and Uhlmann 2024, arXiv 2404.14076 (SoftTargetInfoNCE). Its code takes the targets of all processes, as
    `noise_targets` does; there the own target is found by its place, here by its value.

    Examples
    --------
    >>> import torch
    >>> from cellgraph_clr.losses.functional import soft_infonce
    >>> targets = torch.tensor([[0.9, 0.1], [0.1, 0.9]])
    >>> loss = soft_infonce(torch.tensor([[4.0, -4.0], [-4.0, 4.0]]), targets, torch.tensor([0.5, 0.5]))
    >>> [round(value, 4) for value in loss.tolist()]
    [0.0017, 0.0017]
    """
    check_targets(logits, targets)
    check_temperature(temperature)
    check_tensors(logits=logits, class_prior=class_prior, noise_targets=noise_targets, one_dtype=False)
    own = targets.detach().to(logits.dtype)
    noise = own if noise_targets is None else noise_targets.detach().to(logits.dtype)
    if noise_targets is not None:
        check_noise_targets(own, noise)
    check_class_prior(class_prior, own, noise)
    absent = class_prior <= 0
    log_prior = torch.where(absent, torch.zeros_like(class_prior), class_prior.clamp_min(torch.finfo().tiny).log())
    corrected = logits / temperature - log_prior.to(logits.dtype)
    return _AgainstAll.apply(corrected, own, noise)


@full_precision
def soft_cross_entropy(logits: Tensor, targets: Tensor, temperature: float | Tensor = 1.0) -> Tensor:
    """Return the cross-entropy of every sample with its soft target, ``-sum_k w_k log softmax(z / t)_k``.

    Parameters
    ----------
    logits : (b, k) float tensor
        Scores z, one per class.
    targets : (b, k) float tensor
        Weights w, rows on the simplex. Gradients reach them.
    temperature : float or 0-d tensor, default 1.0
        Temperature t, above 0. Gradients reach a tensor.

    Returns
    -------
    (b,) float tensor
        Nats, float32 at least. Empty input gives an empty tensor.

    Raises
    ------
    ShapeError
        If logits and targets are not 2D or differ in shape.
    OptionError
        If the temperature is not positive.

    Notes
    -----
    O(b k). Differentiable as often as wanted.

    Examples
    --------
    >>> import torch
    >>> from cellgraph_clr.losses.functional import soft_cross_entropy
    >>> round(float(soft_cross_entropy(torch.zeros(1, 4), torch.full((1, 4), 0.25))), 4)  # log 4
    1.3863
    """
    check_targets(logits, targets)
    check_temperature(temperature)
    log_p = torch.log_softmax(logits / temperature, dim=1)
    return -(targets.to(logits.dtype) * log_p).sum(1)


class SoftInfoNCE(Tempered):
    """SoftInfoNCE over a batch: see `cellgraph_clr.losses.functional.soft_infonce`.

    Parameters
    ----------
    class_prior : (k,) float tensor
        Frequencies of the training labels; kept as a buffer, so it follows the module's device.
    temperature : float, default 1.0
        Above 0.
    learn_temperature : bool, default False
        Learn it with the network: the parameter is its logarithm, `log_temperature`.

    Raises
    ------
    OptionError
        If the temperature is no positive number.

    Examples
    --------
    Two processes that hold one sample each, and gather the targets alone:

    >>> import torch
    >>> from cellgraph_clr import losses
    >>> logits, targets = torch.tensor([[1.0, 0.0], [0.0, 2.0]]), torch.eye(2)
    >>> loss = losses.SoftInfoNCE(torch.tensor([0.5, 0.5]))
    >>> halves = [loss(logits[i : i + 1], targets[i : i + 1], targets) for i in range(2)]
    >>> round(float(sum(halves) / 2), 4), round(float(loss(logits, targets)), 4)
    (0.2201, 0.2201)
    """

    class_prior: Tensor

    def __init__(self, class_prior: Tensor, temperature: float = 1.0, *, learn_temperature: bool = False) -> None:
        super().__init__(temperature, learn_temperature=learn_temperature)
        self.register_buffer("class_prior", torch.as_tensor(class_prior, dtype=torch.float32))

    def extra_repr(self) -> str:
        """Return the options for `repr`.

        Returns
        -------
        str
            The options for `repr`.

        Examples
        --------
        >>> import torch
        >>> from cellgraph_clr import losses
        >>> losses.SoftInfoNCE(torch.tensor([0.5, 0.5]))
        SoftInfoNCE(n_classes=2, temperature=1.0)
        """
        return f"n_classes={len(self.class_prior)}, {super().extra_repr()}"

    def forward(self, logits: Tensor, targets: Tensor, noise_targets: Tensor | None = None) -> Tensor:
        """Return the mean loss over the batch.

        Parameters
        ----------
        logits, targets : (b, k) float tensors
            Scores per class and soft targets.
        noise_targets : (m, k) float tensor, default None
            Targets of the batches of all processes, with those of this one; None takes `targets`.

        Returns
        -------
        () float tensor
            Nats, float32 at least; 0 for an empty batch.

        Raises
        ------
        ShapeError, PairsError, OptionError
            As `cellgraph_clr.losses.functional.soft_infonce`.

        Examples
        --------
        >>> import torch
        >>> from cellgraph_clr import losses
        >>> loss = losses.SoftInfoNCE(torch.tensor([0.5, 0.5]))
        >>> targets = torch.tensor([[0.9, 0.1], [0.1, 0.9]])  # smoothed labels
        >>> right, wrong = loss(torch.tensor([[4.0, 0.0], [0.0, 4.0]]), targets), loss(torch.zeros(2, 2), targets)
        >>> bool(right < wrong)
        True
        """
        each = soft_infonce(logits, targets, self.class_prior, self.temperature, noise_targets=noise_targets)
        return each.sum() / max(len(each), 1)
