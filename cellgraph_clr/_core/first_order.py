"""Gradients in closed form, of which no second derivative is known: asking for one is an error."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

__all__ = ["first_order"]

MESSAGE = (
    "Expected a first derivative of this loss, found a second one. Its gradient is a closed form that autograd cannot "
    "differentiate: leave `create_graph` out, or write the loss in torch operations."
)


class _FirstOrder(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, gradient: Tensor, *inputs: Tensor) -> Tensor:  # noqa: ARG004
        return gradient.view_as(gradient)

    @staticmethod
    def backward(ctx: Any, *upstream: Tensor) -> Tensor:  # noqa: ARG004
        raise RuntimeError(MESSAGE)


def first_order(gradient: Tensor, *inputs: Tensor) -> Tensor:
    """Return a gradient as it is; differentiating it in `inputs`, on which it depends unseen, raises `RuntimeError`.

    For the backward of a `torch.autograd.Function` that multiplies with a gradient saved in its forward. `inputs` are those of
    the forward, saved as well: `torch.autograd.function.once_differentiable` knows the gradient from above alone, so that a
    second derivative through other paths (a normalisation before the loss) comes out wrong instead.
    """
    return _FirstOrder.apply(gradient, *inputs) if torch.is_grad_enabled() else gradient
